"""RETR-4: which sets of documents an embedding of d dimensions can retrieve, and what numbers it takes.

Documents on the trigonometric moment curve v(t) = (cos jt, sin jt)/√k, j ≤ k, have unit length, and the query with the
coefficients of −∏(1 − cos(t − t_s)) scores highest exactly on S: 2k dimensions retrieve every set of at most k
of any number of documents. The margin of that construction is what precision must resolve.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog
from scipy.special import gammaln

from hardlimit.core import (
    Bound,
    Effect,
    Impossibility,
    InvalidValueError,
    Limit,
    Resource,
    Source,
    Statement,
    Status,
    Verdict,
)
from hardlimit.core.quantity import EMBEDDING_WIDTH
from hardlimit.theory.bounding import at_most
from hardlimit.theory.domain import Floats, Numbers, number, plain, whole, within
from hardlimit.theory.sources import derived

RETR_4 = Statement(
    id="RETR-4",
    name="embedding dimension: what it forbids and what not",
    limit=Limit.RETRIEVAL,
    status=Status.CORRECTED,
    says=(
        "In 2k dimensions, embeddings exist that retrieve every set of at most k documents of a corpus of any size. "
        "What grows with the corpus is not the dimension but the precision, about 2k·log₂ n bits. Below 2k "
        "dimensions it is impossible for large corpora. With ordinary margins about 4(2k − 1)²·ln n dimensions are "
        "enough."
    ),
    formula=(
        "d = 2k suffices for every n:  v(t) = (cos jt, sin jt)/√k for j ≤ k,  query = −∏(1 − cos(t − t_s))\n"
        "d ≤ 2k − 1 fails for all large n;   d = 3, k = 2: n ≤ 4 in convex position (3n − 6 pairs);   d ≥ k − 1 "
        "always\nmargin of the construction ~ n^(−2k);   random documents with centroid queries: d > 4(2k − 1)²·ln "
        "n\ncounting: b bits per coordinate give ≤ 2^(bd) queries, so b·d ≥ log₂ C(n, k)"
    ),
    hypotheses=("scores are inner products of one query vector with one vector per document",),
    sources=(
        Source(title="Weller et al. (2025)", locator="Prop. 2", url="arXiv:2508.21038"),
        Source(title="Wang et al. (2026)", url="arXiv:2601.20844"),
        derived("the unit-length construction, the failure below 2k, the margin and the coherence form"),
    ),
    silent_on=(
        "It is about what embeddings can exist, not about what training finds, nor about queries whose sets have no "
        "pattern. Published critical sizes of trained embeddings are results of optimisation and precision."
    ),
    falsified_by="A set of at most k documents that the construction fails to retrieve in exact arithmetic.",
    paper=("'The number of retrievable top-k sets is at most f(d)' is true only below d = 2k (PAPER-TOPK-DIMENSION)."),
    effects=(
        Effect(resource=Resource.EMBEDDING, verdict=Verdict.HELPS, when="through the margin, up to about k²·ln n"),
        Effect(resource=Resource.EMBEDDING, verdict=Verdict.SATURATES, when="beyond about 4(2k − 1)²·ln n"),
        Effect(resource=Resource.PRECISION, verdict=Verdict.HELPS, when="d near 2k"),
        Effect(resource=Resource.PARAMETERS, verdict=Verdict.CANNOT_PROGRESS, when="they leave d as it is"),
    ),
    worked=(
        "46 documents in 4 dimensions: all 1,035 pairs in float64, 70 % in bf16; 138 dimensions are surely enough."
    ),
)

Query = Callable[[Sequence[int]], Floats]


def moment_documents(documents: int, size: int) -> Floats:
    """Return n unit vectors on the trigonometric moment curve in 2k dimensions.

    Args:
        documents: n, >= 1.
        size: k, largest set to be retrieved, >= 1.

    Returns:
        `(n, 2k)` array.

    >>> moment_documents(4, 1).round(3).tolist()[1]
    [0.0, 1.0]
    """
    n, k = whole("documents", documents, "[1, ∞)"), whole("size", size, "[1, ∞)")
    angles = np.outer(2 * np.pi * np.arange(n) / n, np.arange(1, k + 1))
    return np.asarray(np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / math.sqrt(k))


def moment_query(chosen: Sequence[int], documents: int, size: int) -> Floats:
    """Return the query that retrieves a set of documents on the moment curve.

    Args:
        chosen: S, at least one and at most k distinct documents.
        documents: n.
        size: k.

    Returns:
        Unit vector of 2k numbers; the score of document t is −∏(1 − cos(t − t_s)), up to scale and a constant.

    Source:
        RETR-4.

    >>> scores = moment_documents(6, 2) @ moment_query([1, 4], 6, 2)
    >>> sorted(np.argsort(scores)[-2:].tolist())
    [1, 4]
    """
    n, k = whole("documents", documents, "[1, ∞)"), whole("size", size, "[1, ∞)")
    if not 1 <= len(set(chosen)) == len(chosen) <= k or not all(0 <= s < n for s in chosen):
        raise InvalidValueError(f"chosen must be 1 to {k} distinct documents of 0…{n - 1}, got {list(chosen)}.")
    grid = 2 * np.pi * np.arange(4 * k) / (4 * k)
    centres = 2 * np.pi * np.asarray(chosen, dtype=np.float64) / n
    values = -np.prod(1 - np.cos(grid[:, None] - centres), axis=1)
    spectrum = np.fft.rfft(values)[1 : k + 1]
    query = np.concatenate([spectrum.real, -spectrum.imag])
    return np.asarray(query / np.linalg.norm(query))


def centroid_query(documents: Floats) -> Query:
    """Return the query function that asks with the normalised sum of the chosen documents.

    >>> centroid_query(np.eye(2))([0, 1]).round(4).tolist()
    [0.7071, 0.7071]
    """

    def query(chosen: Sequence[int]) -> Floats:
        total = documents[list(chosen)].sum(axis=0)
        return np.asarray(total / np.linalg.norm(total))

    return query


def retrieval_margin(documents: ArrayLike, query: ArrayLike, chosen: Sequence[int]) -> float:
    """Return the smallest score of the chosen documents minus the largest of the others; positive if retrieved.

    >>> round(retrieval_margin(np.eye(3), [1.0, 0.5, 0.0], [0, 1]), 4)
    0.5
    """
    scores = np.asarray(documents) @ np.asarray(query)
    inside = np.zeros(scores.size, dtype=bool)
    inside[list(chosen)] = True
    if inside.all():
        return math.inf
    return float(scores[inside].min() - scores[~inside].max())


def realised_fraction(
    documents: Floats, query: Query, subsets: Iterable[Sequence[int]], stored: Callable[[Floats], Floats] = np.asarray
) -> float:
    """Return the share of sets that are retrieved exactly when vectors are stored in a number format.

    Args:
        documents: `(n, d)` vectors.
        query: from a set of documents to the query vector.
        subsets: the sets that are tried, at least one.
        stored: rounds vectors to the format, such as `lambda x: x.astype(np.float16)`; scores are sums in float64 of
            exact products.

    Source:
        RETR-4.

    >>> realised_fraction(np.eye(3), centroid_query(np.eye(3)), [(0, 1), (1, 2)])
    1.0
    """
    kept = np.asarray(stored(documents), dtype=np.float64)
    hits = [retrieval_margin(kept, np.asarray(stored(query(s)), dtype=np.float64), s) > 0 for s in subsets]
    return number("share of retrieved sets", sum(hits) / max(len(hits), 1) if hits else math.nan, "[0, 1]")


def separable(points: ArrayLike, chosen: Sequence[int]) -> bool:
    """Tell whether some query retrieves exactly these documents, by linear programming.

    Args:
        points: `(n, d)` document vectors.
        chosen: the documents to be retrieved.

    >>> separable([[0.0], [1.0], [2.0]], [1])
    False
    """
    x = within("points", points, "(-∞, ∞)")
    inside = np.zeros(len(x), dtype=bool)
    inside[list(chosen)] = True
    # Find q and a threshold c with q·x ≥ c + 1 inside and q·x ≤ c − 1 outside.
    signs = np.where(inside, -1.0, 1.0)
    rows = np.column_stack([x, -np.ones(len(x))]) * signs[:, None]
    found = linprog(np.zeros(x.shape[1] + 1), A_ub=rows, b_ub=-np.ones(len(x)), bounds=(None, None), method="highs")
    return bool(found.status == 0)


def coherence_width(documents: ArrayLike, size: ArrayLike) -> Numbers:
    """Return the dimensions that suffice for random documents with centroid queries, 4(2k − 1)²·ln n.

    Args:
        documents: n, >= 2.
        size: k, >= 1.

    Source:
        RETR-4: coherence below 1/(2k − 1) with high probability.

    >>> round(coherence_width(46, 2), 1)
    137.8
    """
    n, k = within("documents", documents, "[2, ∞)"), within("size", size, "[1, ∞)")
    return plain(4 * (2 * k - 1) ** 2 * np.log(n))


def count_orderings(documents: int, width: int) -> int:
    """Return in how many orders inner products can rank n points in general position in d dimensions.

    Source:
        Cover (1967): Q(n, d) = Q(n − 1, d) + (n − 1)·Q(n − 1, d − 1).

    >>> count_orderings(46, 2)
    2070
    """
    n, d = whole("documents", documents, "[1, 2000]"), whole("width", width, "[1, 2000]")
    row = [1] * (d + 1)  # Q(1, ·); a single point has one order
    row[0] = 0
    for m in range(1, n):
        row = [0, *(row[j] + m * row[j - 1] if j > 1 else 2 for j in range(1, d + 1))]
    return row[d]


def subset_bits(documents: ArrayLike, size: ArrayLike) -> Numbers:
    """Return log₂ C(n, k), the bits that name one set of k documents.

    >>> round(subset_bits(325_000, 20), 1)
    305.1
    """
    n, k = within("documents", documents, "[1, ∞)"), within("size", size, "[0, ∞)")
    return plain((gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)) / math.log(2))


def moment_margin(documents: int, size: int) -> float:
    """Return the least margin of the construction over sets of neighbours, the hardest sets.

    Args:
        documents: n, at least 2k + 1.
        size: k, >= 1.

    >>> f"{moment_margin(46, 2):.2e}"
    '3.00e-05'
    """
    k = whole("size", size, "[1, ∞)")
    n = whole("documents", documents, f"[{2 * k + 1}, ∞)")
    docs = moment_documents(n, k)
    # With neighbours k − 1 apart in one run or in two, the product vanishes most slowly next to the set.
    hardest = [tuple((s + (i > j)) % n for i, s in enumerate(range(k))) for j in range(k)]
    return min(retrieval_margin(docs, moment_query(s, n, k), s) for s in hardest)


def sufficient_width(documents: int, size: int) -> Bound:
    """Bound from above the dimensions that retrieving every set of at most k of n documents takes.

    Args:
        documents: n, >= 2.
        size: k, >= 1.

    Returns:
        An upper bound on `EMBEDDING_WIDTH`: 2k; `parts` has the width for ordinary margins and the bits of precision
        that 2k dimensions take.

    Source:
        RETR-4.

    >>> bound = sufficient_width(1_000_000, 2)
    >>> bound.value, round(bound.parts["comfortable_width"])
    (4.0, 497)
    """
    n, k = whole("documents", documents, "[2, ∞)"), whole("size", size, "[1, ∞)")
    parts = {
        "comfortable_width": float(coherence_width(n, k)),
        "precision_bits": 2 * k * math.log2(n),
        "name_bits": float(subset_bits(n, min(k, n))),
    }
    return at_most(RETR_4, EMBEDDING_WIDTH, 2 * k, at={"documents": n, "size": k}, parts=parts)


def three_dimensions_fail(documents: int) -> Impossibility:
    """Show that three dimensions do not retrieve every pair of five or more documents in convex position.

    Args:
        documents: n, 5 to 12 (each pair is decided by linear programming).

    Source:
        RETR-4: the pairs that can be retrieved are the 3n − 6 edges of a polytope.

    >>> three_dimensions_fail(5).witness
    {'pairs': 10, 'retrievable': 9, 'first_failure': '1 3'}
    """
    n = whole("documents", documents, "[5, 12]")
    t = np.linspace(-1.0, 1.0, n)
    points = np.column_stack([t, t**2, t**3])
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    failures = [pair for pair in pairs if not separable(points, pair)]
    return Impossibility(
        statement=RETR_4,
        at={"documents": n, "width": 3, "size": 2},
        witness={
            "pairs": len(pairs),
            "retrievable": len(pairs) - len(failures),
            "first_failure": " ".join(str(i) for i in failures[0]),
        },
    )
