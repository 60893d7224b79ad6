"""RETR-3: how recall falls as the corpus grows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincc, log_ndtr, ndtr

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Statement, Status, Verdict
from hardlimit.core.quantity import RETRIEVAL_RECALL, SCORE_GAP
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import Numbers, number, plain, vector, whole, within
from hardlimit.theory.extremes import median_of_largest
from hardlimit.theory.sources import paper, textbook

RETR_3 = Statement(
    id="RETR-3",
    name="ranking noise against corpus size",
    limit=Limit.RETRIEVAL,
    status=Status.PROVED,
    says=(
        "With a gold score that stands μ standard deviations above random distractors, recall falls as the corpus "
        "grows, but slowly: keeping it costs √(2 ln N) standard deviations. Random unit vectors get as close as √(2 "
        "ln N/d)."
    ),
    formula=(
        "recall@k = ∫ φ(x − μ)·P(Bin(N, 1 − Φ(x)) ≤ k − 1) dx\n"
        "fixed gold score: recall@1 = ½ at μ = Φ⁻¹(2^(−1/N)) ~ √(2 ln N);   largest cosine ~ √(2 ln N/d)"
    ),
    hypotheses=("distractor scores are independent and normal, the gold score normal with mean μ and the same spread",),
    sources=(textbook("order statistics of the normal distribution"), paper("ranking noise")),
    silent_on="Hard negatives dominate random ones: with them, fit extreme values rather than count documents.",
    falsified_by="Recall on random sub-corpora that does not follow the integral for one μ.",
    paper="The paper speaks of ranking noise without numbers.",
    effects=(
        Effect(resource=Resource.CORPUS, verdict=Verdict.HURTS, when="slowly, by √(2 ln N)"),
        Effect(resource=Resource.EMBEDDING, verdict=Verdict.HELPS, when="through μ"),
    ),
    worked="μ = 5: recall@1 is 0.554 among a million documents and 0.143 among a billion.",
)
_REACH, _NODES = 12.0, 6001


def recall_at_k(gap: float, corpus: float, passages: int = 1) -> float:
    """Return the chance that the gold document is among the top k.

    Args:
        gap: μ, mean gold score in standard deviations above the distractors.
        corpus: N, distractors, >= 1.
        passages: k, >= 1 and at most N.

    Source:
        RETR-3; the trapezoid rule on a smooth, fast decaying integrand.

    >>> round(recall_at_k(5.0, 1e6), 4)
    0.5538
    """
    mu, n = number("gap", gap, "(-∞, ∞)"), number("corpus", corpus, "[1, ∞)")
    k = whole("passages", passages, "[1, ∞)")
    if k > n:
        return 1.0
    x = np.linspace(mu - _REACH, mu + _REACH, _NODES)
    density = np.exp(-((x - mu) ** 2) / 2) / np.sqrt(2 * np.pi)
    outranked = np.exp(n * log_ndtr(x)) if k == 1 else betaincc(k, n - k + 1, ndtr(-x))
    return float(min(1.0, np.sum(density * outranked) * (x[1] - x[0])))


def gap_for_half(corpus: ArrayLike) -> Numbers:
    """Return the fixed gold score at which it ranks first half of the time, Φ⁻¹(2^(−1/N)).

    >>> round(gap_for_half(1_000_000), 4)
    4.827
    """
    return median_of_largest(within("corpus", corpus, "[1, ∞)"))


def largest_cosine(corpus: ArrayLike, width: ArrayLike) -> Numbers:
    """Return the typical largest cosine of a query with N random unit vectors in d dimensions, √(2 ln N/d).

    >>> round(largest_cosine(1e8, 768), 4)
    0.219
    """
    n, d = within("corpus", corpus, "[1, ∞)"), within("width", width, "[1, ∞)")
    return plain(np.sqrt(2 * np.log(n) / d))


def recall_by_corpus(corpora: Sequence[float], gap: float, passages: int = 1) -> Shape:
    """Tell how recall falls with the size of the corpus; arguments as `recall_at_k`.

    Returns:
        A shape of `RETRIEVAL_RECALL` along `corpus`.

    Source:
        RETR-3.

    >>> [round(y, 4) for _, y in recall_by_corpus([1e6, 1e9], 5.0).points]
    [0.5538, 0.1431]
    """
    n = vector("corpora", corpora, "[1, ∞)")
    points = tuple((float(x), recall_at_k(gap, float(x), passages)) for x in n)
    parameters = {"gap": gap, "passages": passages}
    return Shape(statement=RETR_3, quantity=RETRIEVAL_RECALL, along="corpus", points=points, parameters={**parameters})


def gap_needed_for_half(corpus: int) -> Bound:
    """Give the fixed gold score, in standard deviations, at which it ranks first half of the time.

    Args:
        corpus: N, >= 1.

    Returns:
        An equality for `SCORE_GAP`.

    Source:
        RETR-3.

    >>> round(gap_needed_for_half(1_000_000_000).value, 4)
    6.0571
    """
    return exactly(RETR_3, SCORE_GAP, float(gap_for_half(corpus)), at={"corpus": corpus})
