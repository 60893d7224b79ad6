"""D4 and D5: what so many weights can hold, and how many random dichotomies a perceptron separates (HALL-3)."""

import math
import zlib
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog, minimize

from hardlimit.demos.demonstration import Check, Demo, Figure, Series, Shown
from hardlimit.theory.hallucination import separable_share
from hardlimit.theory.rates import symbol_rate

Floats = NDArray[np.float64]

WIDTH, LABELS = 32, 16
FACTS = (64, 128, 256, 512, 1024)
STORED = (1, 2, 3, 4, 6)
"""Bits per weight that the fitted weights are rounded to before they are compressed."""
DIMENSIONS, DRAWS = 12, 200


def _memorise(seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    rows, per_weight, excess = [], [], []
    for facts in FACTS:
        keys, answers = rng.normal(size=(facts, WIDTH)), rng.integers(0, LABELS, facts)
        best = _best_rounding(_fit(keys, answers), keys, answers)
        rows.append((facts, best["error"], best["stored"], best["checkpoint"]))
        per_weight.append((float(facts), best["full"] / (WIDTH * LABELS)))
        excess.append(best["excess"])
    rule_facts = 4096
    keys = rng.normal(size=(rule_facts, 4))
    answers = (keys > 0) @ np.array([1, 2, 4, 8])
    rule = _best_rounding(_fit(keys, answers), keys, answers)
    top = max(share for _, share in per_weight)
    return Shown(
        computed=f"A softmax layer of {WIDTH} × {LABELS} weights was fitted to N random facts with {LABELS} answers; "
        "its weights were then rounded to 1…6 bits and compressed, and the error measured with the rounded weights.",
        checks=(
            Check(
                asks="the facts recovered never take more bits than the compressed weights have",
                holds=max(excess) <= 0,
                found=f"nearest approach: {-max(excess):,.0f} bits to spare; at most {top:.2f} bits per weight held",
            ),
            Check(
                asks="the error grows with the number of random facts",
                holds=all(a[1] <= b[1] + 0.02 for a, b in pairwise(rows)) and rows[-1][1] > 0.5,
                found=", ".join(f"N = {row[0]:,}: {row[1]:.2f}" for row in rows),
            ),
            Check(
                asks=f"{rule_facts:,} facts that follow one rule fit into {4 * LABELS} weights: error below 2 %",
                holds=rule["error"] < 0.02 and rule["stored"] > rule["checkpoint"],
                found=f"error {rule['error']:.4f}; as random facts they would be {rule['stored']:,.0f} bits, the "
                f"weights take {rule['checkpoint']:,.0f}",
                control=True,
            ),
        ),
        figure=Figure(
            title="Bits that a softmax layer holds about random facts",
            x="facts (log scale)",
            y="bits per weight",
            series=(Series(label="N·R(error)/P, all bits of the weights", points=tuple(per_weight)),),
            log_x=True,
        ),
        head=("random facts", "error (rounded weights)", "bits recovered", "bits of the weights"),
        rows=tuple(rows),
        values={"bits_per_weight": top, "rule_error": rule["error"]},
    )


def _fit(keys: Floats, answers: NDArray[np.int64]) -> Floats:
    """Fit a softmax layer by L-BFGS, with a little weight decay that only bounds the weights."""
    size, width = keys.shape

    def loss(flat: Floats) -> tuple[float, Floats]:
        scores = keys @ flat.reshape(width, LABELS)
        scores -= scores.max(axis=1, keepdims=True)
        weights = np.exp(scores)
        total = weights.sum(axis=1, keepdims=True)
        value = float(np.mean(np.log(total[:, 0]) - scores[np.arange(size), answers])) + 1e-6 * float(flat @ flat)
        weights /= total
        weights[np.arange(size), answers] -= 1
        return value, (keys.T @ weights / size).ravel() + 2e-6 * flat

    start = np.zeros(width * LABELS)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 250})
    return np.asarray(found.x.reshape(width, LABELS))


def _best_rounding(weights: Floats, keys: Floats, answers: NDArray[np.int64]) -> dict[str, float]:
    """Round the weights in several ways; return the one whose facts come nearest to the bits of its weights."""
    full = answers.size * float(symbol_rate(_error(weights, keys, answers), LABELS))
    best: dict[str, float] = {}
    for bits in STORED:
        top, steps = float(np.abs(weights).max()), 2 ** (bits - 1)
        codes = np.clip(np.floor(weights / top * steps), -steps, steps - 1)
        error = _error((codes + 0.5) * top / steps, keys, answers)
        packed = np.packbits((((codes.astype(np.int64).ravel() + steps)[:, None] >> np.arange(bits)) & 1).astype(bool))
        checkpoint = 8.0 * len(zlib.compress(packed.tobytes(), 9))
        stored = answers.size * float(symbol_rate(error, LABELS))
        if not best or stored - checkpoint > best["excess"]:
            best = {"error": error, "stored": stored, "checkpoint": checkpoint, "excess": stored - checkpoint}
    return best | {"full": full}


def _error(weights: Floats, keys: Floats, answers: NDArray[np.int64]) -> float:
    return float(np.mean((keys @ weights).argmax(axis=1) != answers))


def _perceptron(seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    sizes = (8, 12, 18, 24, 30, 36)
    found = {n: float(np.mean([_separates(rng, n) for _ in range(DRAWS)])) for n in sizes}
    theory = {n: float(separable_share(n, DIMENSIONS)) for n in sizes}
    sigmas = {
        n: abs(found[n] - theory[n]) / math.sqrt(max(theory[n] * (1 - theory[n]), 1e-12) / DRAWS)
        for n in sizes
        if n > DIMENSIONS
    }
    return Shown(
        computed=f"{DRAWS} random dichotomies of N Gaussian points in {DIMENSIONS} dimensions for each N; a linear "
        "program decided whether a plane through the origin separates them.",
        checks=(
            Check(
                asks="the separable share is Cover's, within four standard deviations (a false alarm in 4,000 runs)",
                holds=max(sigmas.values()) <= 4,
                found=", ".join(f"N = {n}: {found[n]:.3f} for {theory[n]:.3f}" for n in sigmas),
            ),
            Check(
                asks="at N = 2P half of the dichotomies are separable",
                holds=math.isclose(theory[2 * DIMENSIONS], 0.5),
                found=f"{theory[2 * DIMENSIONS]:.4f} by the formula, {found[2 * DIMENSIONS]:.3f} drawn",
            ),
            Check(
                asks="up to N = P points every dichotomy is separable",
                holds=all(found[n] == 1.0 for n in sizes if n <= DIMENSIONS),
                found=", ".join(f"N = {n}: {found[n]:.3f}" for n in sizes if n <= DIMENSIONS),
                control=True,
            ),
        ),
        figure=Figure(
            title="Random dichotomies that a perceptron separates",
            x="points N",
            y="share separable",
            series=(
                Series(label=f"{DRAWS} draws each", points=tuple((float(n), found[n]) for n in sizes)),
                Series(
                    label="Cover (1965)",
                    kind="theory",
                    points=tuple((float(n), float(separable_share(n, DIMENSIONS))) for n in range(6, 39, 2)),
                ),
            ),
        ),
        head=("points", "drawn", "theory"),
        rows=tuple((n, found[n], theory[n]) for n in sizes),
        values={"worst_sigmas": max(sigmas.values())},
    )


def _separates(rng: np.random.Generator, points: int) -> bool:
    rows = rng.normal(size=(points, DIMENSIONS)) * rng.choice([-1.0, 1.0], points)[:, None]
    found = linprog(np.zeros(DIMENSIONS), A_ub=rows, b_ub=-np.ones(points), bounds=(None, None), method="highs")
    return bool(found.status == 0)


MEMORISE = Demo(
    name="memorise",
    number="D4",
    claims=("HALL-3",),
    says=(
        "Random facts take bits, and weights have only so many: beyond their capacity more facts mean more errors. "
        "Facts that follow a rule cost the rule, not the facts."
    ),
    refuted_by="More bits of facts recovered than the compressed weights have.",
    control="Facts that follow one rule: the error goes to zero in few weights.",
    work=_memorise,
    takes=5,
)

PERCEPTRON = Demo(
    name="perceptron",
    number="D5",
    claims=("HALL-3",),
    says=(
        "P weights separate a random dichotomy of N = 2P points half of the time (Cover): a capacity that can be "
        "counted."
    ),
    refuted_by="A share of separable dichotomies more than four standard deviations from Cover's.",
    control="N ≤ P: every dichotomy is separable.",
    work=_perceptron,
    takes=4,
)
