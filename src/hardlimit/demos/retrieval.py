"""D12 and D13: few dimensions retrieve every set, at a price in precision; more documents do not dilute poison."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from hardlimit.demos.demonstration import Check, Demo, Figure, Series, Shown
from hardlimit.theory.context.precision import rounded
from hardlimit.theory.retrieval import (
    certified_replacements,
    entry_similarity,
    moment_documents,
    moment_query,
    realised_fraction,
    retrieval_margin,
    separable,
)

Floats = NDArray[np.float64]

SIZES = (12, 23, 46, 92)


def _float32(x: Floats) -> Floats:
    return x.astype(np.float32).astype(np.float64)


def _float16(x: Floats) -> Floats:
    return x.astype(np.float16).astype(np.float64)


def _bf16(x: Floats) -> Floats:
    return rounded(x, 8)


FORMATS: dict[str, Callable[[Floats], Floats]] = {
    "float64": np.asarray,
    "float32": _float32,
    "float16": _float16,
    "bf16": _bf16,
}

WIDTH, PASSAGES, POISON = 768, 5, 0.25
CORPORA = (1_000, 10_000, 100_000, 400_000)
VOTERS, CLASSES = 10, 3


def _moment_curve(seed: int) -> Shown:
    rows, margins = [], []
    for n in SIZES:
        documents = moment_documents(n, 2)
        pairs = list(combinations(range(n), 2))
        query = _asking(n)
        shares = [realised_fraction(documents, query, pairs, stored) for stored in FORMATS.values()]
        margin = min(retrieval_margin(documents, moment_query((0, step), n, 2), (0, step)) for step in range(1, n // 2))
        rows.append((n, len(pairs), margin, *shares))
        margins.append((float(n), margin))
    slope = math.log(margins[-1][1] / margins[-2][1]) / math.log(margins[-1][0] / margins[-2][0])
    found = {n: _pairs_in_three_dimensions(n, seed) for n in (4, 5, 6, 7, 8)}
    all_shares = [row[3] for row in rows]
    at_46 = rows[SIZES.index(46)]
    return Shown(
        computed="Documents on the moment curve in 4 dimensions, and for every pair of them the query that asks for "
        "it, with vectors stored in four number formats; for the control, all pairs of documents on a sphere in 3 "
        "dimensions, each decided by a linear program.",
        checks=(
            Check(
                asks="in float64 every pair is retrieved exactly, in 4 dimensions",
                holds=min(all_shares) == 1.0,
                found=", ".join(f"{row[1]:,} pairs of {row[0]}" for row in rows),
            ),
            Check(
                asks="the price is precision: the margin falls like n⁻⁴, and bf16 loses pairs that float64 finds",
                holds=abs(slope + 4) < 0.1 and at_46[6] < 1.0,
                found=f"exponent {slope:.3f}; of 46 documents bf16 finds {at_46[6]:.1%} of the pairs",
            ),
            Check(
                asks="in 3 dimensions only 3n − 6 pairs of documents on a sphere can be retrieved, by any query",
                holds=all(pairs == 3 * n - 6 for n, pairs in found.items()),
                found=", ".join(f"n = {n}: {pairs} of {n * (n - 1) // 2}" for n, pairs in found.items()),
                control=True,
            ),
        ),
        figure=Figure(
            title="Smallest margin by which a pair is retrieved in 4 dimensions",
            x="documents (log scale)",
            y="margin (log scale)",
            series=(
                Series(label="moment curve", points=tuple(margins)),
                Series(
                    label="n⁻⁴",
                    kind="theory",
                    points=tuple((x, margins[-1][1] * (margins[-1][0] / x) ** 4) for x, _ in margins),
                ),
            ),
            log_x=True,
            log_y=True,
        ),
        head=("documents", "pairs", "margin", *FORMATS),
        rows=tuple(rows),
        values={"exponent": slope},
    )


def _asking(documents: int) -> Callable[[Sequence[int]], Floats]:
    return lambda chosen: moment_query(chosen, documents, 2)


def _pairs_in_three_dimensions(n: int, seed: int) -> int:
    """Count the pairs of n random documents on a sphere that some query retrieves."""
    documents = np.random.default_rng([seed, n]).normal(size=(n, 3))
    documents /= np.linalg.norm(documents, axis=1, keepdims=True)
    return sum(separable(documents, pair) for pair in combinations(range(n), 2))


def _poisoning(seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    rows, drawn = [], []
    for n in CORPORA:
        cosines = [_fifth_cosine(rng, n) for _ in range(5)]
        rows.append((n, float(np.mean(cosines)), float(entry_similarity(n, PASSAGES, WIDTH))))
        drawn.append((float(n), rows[-1][1]))
    off = max(abs(row[1] / row[2] - 1) for row in rows)
    kept, broken, certificates = _try_every_replacement()
    needed = float(entry_similarity(1e9, PASSAGES, WIDTH))
    return Shown(
        computed=f"Random unit documents in {WIDTH} dimensions: the cosine that puts a text among the {PASSAGES} "
        f"nearest, 5 corpora of each size. Then all votes of {VOTERS} passages over {CLASSES} answers, and every way "
        "to replace some of them.",
        checks=(
            Check(
                asks=f"the cosine that enters follows the law within 8 %; a text at {POISON} enters at every size",
                holds=off < 0.08 and max(needed, *(row[1] for row in rows)) < POISON,
                found=f"{rows[0][1]:.3f} among {CORPORA[0]:,}, {rows[-1][1]:.3f} among {CORPORA[-1]:,}; by the law "
                f"{needed:.3f} among 10⁹",
            ),
            Check(
                asks="no certified vote is turned by as many replacements as its certificate allows",
                holds=kept == certificates,
                found=f"{certificates} certified votes, every replacement tried",
            ),
            Check(
                asks="one replacement more turns or ties every one of them",
                holds=broken == certificates,
                found=f"{broken} of {certificates} votes lost their sole winner",
                control=True,
            ),
        ),
        figure=Figure(
            title=f"Cosine that puts a text among the {PASSAGES} nearest",
            x="documents (log scale)",
            y="cosine with the query",
            series=(
                Series(label="drawn", points=tuple(drawn)),
                Series(
                    label="Φ⁻¹(1 − k/N)/√d",
                    kind="theory",
                    points=tuple((10.0**e, float(entry_similarity(10.0**e, PASSAGES, WIDTH))) for e in range(3, 10)),
                ),
            ),
            log_x=True,
        ),
        head=("documents", "cosine drawn", "law"),
        rows=tuple(rows),
        values={"worst": off, "certificates": certificates},
    )


def _fifth_cosine(rng: np.random.Generator, n: int) -> float:
    """Draw the cosines of n random unit vectors with a fixed one; return the k-th largest."""
    first = rng.normal(size=n)
    length = np.sqrt(first**2 + rng.chisquare(WIDTH - 1, n))
    return float(np.partition(first / length, -PASSAGES)[-PASSAGES])


def _try_every_replacement() -> tuple[int, int, int]:
    """Return how many certified votes keep their winner whatever is replaced, are lost one beyond, and there are."""
    kept = broken = certificates = 0
    for votes in product(range(VOTERS + 1), repeat=CLASSES):
        if sum(votes) != VOTERS or sorted(votes)[-1] == sorted(votes)[-2]:
            continue
        top, runner_up = sorted(votes, reverse=True)[:2]
        allowed = certified_replacements(top, runner_up)
        certificates += 1
        kept += _winner_survives(votes, allowed)
        broken += not _winner_survives(votes, allowed + 1)
    return kept, broken, certificates


def _winner_survives(votes: tuple[int, ...], replaced: int) -> bool:
    """Whether the winner stays the only one whichever `replaced` votes are changed to whatever else."""
    winner = int(np.argmax(votes))
    for taken in product(*(range(min(replaced, v) + 1) for v in votes)):
        if sum(taken) > replaced:
            continue
        for given in product(range(sum(taken) + 1), repeat=CLASSES):
            if sum(given) != sum(taken):
                continue
            after = [v - t + g for v, t, g in zip(votes, taken, given, strict=True)]
            if any(after[c] >= after[winner] for c in range(CLASSES) if c != winner):
                return False
    return True


MOMENT_CURVE = Demo(
    name="moment-curve",
    number="D12",
    claims=("RETR-4", "PAPER-TOPK-DIMENSION"),
    says=(
        "2k dimensions are enough to retrieve every set of up to k documents out of any number; what they cost is "
        "precision, not dimension."
    ),
    refuted_by="A pair of documents that fails in float64 at 4 dimensions.",
    control="In 3 dimensions a linear program finds only 3n − 6 pairs.",
    work=_moment_curve,
    takes=4,
)

POISONING = Demo(
    name="poisoning",
    number="D13",
    claims=("RETR-6", "PAPER-POISON-RATE"),
    says=(
        "A larger corpus hardly raises the similarity that puts a poisoned text into the top k; isolating passages "
        "and voting certifies an answer against a number of them."
    ),
    refuted_by="A certified vote that is turned by as few replacements as it was certified against.",
    control="One replacement beyond the certificate takes the winner away.",
    work=_poisoning,
    takes=3,
)
