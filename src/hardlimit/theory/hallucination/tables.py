"""HALL-4: inevitable is not frequent. A finite table makes the failures as rare as one likes."""

import math

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Source, Statement, Status, Verdict
from hardlimit.core.quantity import TABLE_SIZE
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import Numbers, distribution, number, plain, within
from hardlimit.theory.frequencies import zipf_tail
from hardlimit.theory.sources import derived

HALL_4 = Statement(
    id="HALL-4",
    name="inevitable is not frequent",
    limit=Limit.HALLUCINATION,
    status=Status.PROVED,
    says=(
        "Whatever the target, computable or not, and however queries are distributed, a finite lookup table is wrong "
        "on as small a share of the queries as one likes. That some inputs must fail (HALL-1, HALL-2) says nothing "
        "about how often failures are met."
    ),
    formula=(
        "∀ f, μ, ε > 0  ∃ finite table:  μ(error) ≤ ε,   size m(ε) = min{m : tailₘ(μ) ≤ ε}\n"
        "n labelled draws memorised:  E[error] ≤ E[missing mass] → 0\n"
        "window L, vocabulary V:  only V^L inputs exist at all"
    ),
    hypotheses=("the inputs can be listed", "a right label is the same each time it is asked"),
    sources=(
        derived("a distribution on a list has finite sets of mass 1 − ε"),
        Source(title="Suzuki et al. (2025), statistically negligible (abstract)", url="arXiv:2502.12187"),
    ),
    silent_on=(
        "It says nothing about the size of the table being practical, nor about inputs outside the distribution."
    ),
    falsified_by="A distribution on a countable set with no finite set of mass 1 − ε.",
    paper="The paper's summaries leave this out, and its first theorems are then easily over-read.",
    effects=(
        Effect(resource=Resource.DATA, verdict=Verdict.HELPS, when="in probability, while HALL-1 and HALL-2 hold"),
    ),
    worked="Zipf(1.5) queries: 5,861 entries leave 1 % of the queries; Zipf(2): 61 entries.",
    probe="hallucination.short_facts",
)


def table_size(error: float, exponent: float) -> int:
    """Return the fewest entries of a table that misses at most a share ε of Zipf(a) queries.

    Args:
        error: ε, in (0, 1); 0 would need the whole infinite support.
        exponent: a, > 1.

    Source:
        HALL-4.

    >>> table_size(0.01, 1.5)
    5861
    """
    eps, a = number("error", error, "(0, 1)"), number("exponent", exponent, "(1, ∞)")
    low, high = -1, 1
    while zipf_tail(high, a) > eps:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if zipf_tail(middle, a) <= eps else (middle, high)
    return high


def table_size_of(probabilities: ArrayLike, error: float) -> int:
    """Return the fewest entries of a table that misses at most a share ε of queries with a finite law.

    Args:
        probabilities: of the queries, summing to 1.
        error: ε, in [0, 1).

    >>> table_size_of([0.5, 0.3, 0.2], 0.25)
    2
    """
    p = np.sort(distribution("probabilities", probabilities), axis=None)[::-1]
    left = 1 - np.concatenate([[0.0], np.cumsum(p)])
    # Rounding of the running sum must not ask for an entry more.
    return int(np.argmax(left <= number("error", error, "[0, 1)") + 1e-12))


def log10_inputs(window: ArrayLike, vocabulary: ArrayLike) -> Numbers:
    """Return log₁₀ of the number of different inputs of a window, L·log₁₀ V.

    >>> round(log10_inputs(8192, 50257))
    38512
    """
    length, v = within("window", window, "[1, ∞)"), within("vocabulary", vocabulary, "[1, ∞)")
    return plain(length * np.log10(v))


def lookup_table(error: float, exponent: float) -> Bound:
    """Give the size of the table that misses at most a share ε of Zipf(a) queries.

    Args:
        error: ε, in (0, 1).
        exponent: a, > 1.

    Returns:
        An equality for `TABLE_SIZE`, facts; `parts` has the share it misses.

    Source:
        HALL-4.

    >>> lookup_table(0.01, 2.0).value
    61.0
    """
    size = table_size(error, exponent)
    parts = {"missed": zipf_tail(size, exponent), "log10_size": math.log10(max(size, 1))}
    return exactly(HALL_4, TABLE_SIZE, size, at={"error": error, "exponent": exponent}, parts=parts)
