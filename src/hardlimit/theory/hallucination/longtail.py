"""HALL-9: how much data the long tail of facts takes.

Facts are met at Poisson rates n·pᵢ and are usable after k exposures, so a query is wrong with probability
Σ pᵢ·P(Poisson(n·pᵢ) < k). For a Zipf law the sum has a closed asymptotic form, and everything beyond a finite number
of leading facts is an incomplete gamma function.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, chdtri, gammainc, gammaincc, gammaln, zeta

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import ACCURACY, DATA_EXPONENT, DOCUMENTS, ERROR_RATE
from hardlimit.theory.bounding import at_least, exactly
from hardlimit.theory.domain import Numbers, number, plain, vector, whole, within
from hardlimit.theory.sources import derived, paper, textbook

HALL_9 = Statement(
    id="HALL-9",
    name="long-tail sample complexity",
    limit=Limit.HALLUCINATION,
    status=Status.CORRECTED,
    says=(
        "Facts are asked for with long-tailed frequencies, and a fact is usable after it was met k times. Then error "
        "falls as a power of the data with exponent 1 − 1/a, whatever the model: for a close to 1, a tenfold lower "
        "error costs astronomically more data. Independent label noise only multiplies the exposures needed."
    ),
    formula=(
        "error(n) = Σ pᵢ · P(Poisson(n·pᵢ) < k),   pᵢ ∝ i^(−a)\n"
        "error(n) ~ c^(1/a)/(a−1) · Γ(k+1−1/a)/Γ(k) · n^(−(1−1/a))\n"
        "data for r times less error: r^(a/(a−1));   one fact of frequency p: n = χ²₂ₖ⁻¹(1−δ) / (2p)\n"
        "majority of k labels with flip rate η:  error ≤ (2·√(η(1−η)))^k"
    ),
    hypotheses=(
        "queries follow the same frequencies as the training data, a Zipf law with exponent a > 1",
        "exposures are independent (paraphrases of one source count once)",
        "a fact is answered rightly after k exposures and wrongly before",
    ),
    sources=(
        textbook("occupancy and Chernoff bounds"),
        derived("the asymptotic constant, checked against exact sums"),
        Source(title="Hutter, Learning curve theory (2021)", url="arXiv:2102.04074"),
        Source(title="Kandpal et al. (2022)", url="arXiv:2211.08411"),
        paper("Thm 4"),
    ),
    silent_on=(
        "It does not say which facts a given model knows, nor that k is the same for all models; for a ≤ 1 the "
        "infinite law does not exist and finite sums must be used."
    ),
    falsified_by=(
        "A corpus with known frequencies whose accuracy by frequency is not a function of expected exposures, or "
        "whose error falls with another exponent than 1 − 1/a."
    ),
    paper=(
        "The paper's n = Ω((m/ε²)·log(m/δ)) has the order for noisy coins with gap ε, and its argument shows that so "
        "much is enough, not that it is needed; its 2^m variant and its noise floor are wrong (PAPER-SAMPLES, "
        "PAPER-NOISE-FLOOR)."
    ),
    effects=(
        Effect(resource=Resource.DATA, verdict=Verdict.HELPS, when="as a power law with exponent 1 − 1/a, for a ≥ 1.5"),
        Effect(resource=Resource.DATA, verdict=Verdict.SATURATES, when="in practice, for a ≤ 1.2"),
        Effect(resource=Resource.RETRIEVAL, verdict=Verdict.HELPS, when="one indexed copy replaces k exposures"),
    ),
    worked="a = 1.5: ten times less error costs 1,000 times the data; a = 1.1: 10¹¹ times.",
    probe="hallucination.short_facts",
)
_LEADING = 20_000
"""Facts summed one by one; the rest is integrated from rank 20,000½ on (relative error below 10⁻⁹)."""


def longtail_error(draws: float, exponent: float, exposures: int = 1) -> float:
    """Return the expected error of queries to an infinite Zipf law after n draws.

    The leading facts are summed, the rest is ∫ c·x^(−a)·Q(k, n·c·x^(−a)) dx in closed form.

    Args:
        draws: n, expected number of facts in the training data, >= 0.
        exponent: a, > 1.
        exposures: k, times that a fact must be met, >= 1.

    Returns:
        Probability that a query is about a fact met fewer than k times.

    Source:
        HALL-9.

    >>> round(longtail_error(1e6, 1.5), 6)
    0.009416
    """
    n, a = number("draws", draws, "[0, ∞)"), number("exponent", exponent, "(1, ∞)")
    k = whole("exposures", exposures, "[1, ∞)")
    if n == 0:
        return 1.0
    c = 1 / float(zeta(a))
    p = c * np.arange(1, _LEADING + 1, dtype=np.float64) ** -a
    head = float(np.sum(p * gammaincc(k, n * p)))
    s, edge = 1 - 1 / a, n * c * (_LEADING + 0.5) ** -a
    integral = edge**s * float(gammaincc(k, edge)) + math.exp(
        math.lgamma(k + s) - math.lgamma(k) + math.log(max(float(gammainc(k + s, edge)), 1e-300))
    )
    return min(1.0, head + float((n * c) ** (1 / a) / (a * n * s) * integral))


def longtail_law(draws: ArrayLike, exponent: ArrayLike, exposures: ArrayLike = 1) -> Numbers:
    """Return the asymptotic form of `longtail_error`, c^(1/a)/(a−1)·Γ(k+1−1/a)/Γ(k)·n^(−(1−1/a)).

    Args:
        draws: n, > 0.
        exponent: a, > 1.
        exposures: k, >= 1.

    Source:
        HALL-9.

    >>> round(longtail_law(1e6, 1.5, 5), 6)
    0.01763
    """
    n, a, k = (
        within("draws", draws, "(0, ∞)"),
        within("exponent", exponent, "(1, ∞)"),
        within("exposures", exposures, "[1, ∞)", whole=True),
    )
    log_constant = -np.log(zeta(a)) / a - np.log(a - 1) + gammaln(k + 1 - 1 / a) - gammaln(k)
    return plain(np.exp(log_constant - (1 - 1 / a) * np.log(n)))


def data_exponent(exponent: ArrayLike) -> Numbers:
    """Return the exponent with which error falls in the data, 1 − 1/a.

    >>> round(data_exponent(1.5), 4)
    0.3333
    """
    return plain(1 - 1 / within("exponent", exponent, "(1, ∞)"))


def data_multiplier(error_ratio: ArrayLike, exponent: ArrayLike) -> Numbers:
    """Return how many times the data a lower error costs, r^(a/(a−1)).

    Args:
        error_ratio: r, how many times lower the error shall be, >= 1.
        exponent: a, > 1.

    Source:
        HALL-9.

    >>> f"{data_multiplier(10.0, 1.2):.3g}"
    '1e+06'
    """
    a = within("exponent", exponent, "(1, ∞)")
    return plain(within("error_ratio", error_ratio, "[1, ∞)") ** (a / (a - 1)))


def documents_needed(frequency: ArrayLike, exposures: ArrayLike = 1, delta: ArrayLike = 0.05) -> Numbers:
    """Return how many draws make k exposures of one fact likely, χ²₂ₖ⁻¹(1 − δ)/(2p).

    Args:
        frequency: p, chance that one draw is this fact, in (0, 1].
        exposures: k, >= 1.
        delta: chance of fewer exposures, in (0, 1).

    Source:
        Poisson tail [textbook].

    >>> f"{documents_needed(1e-6, 10):.4g}"
    '1.571e+07'
    """
    p, d = within("frequency", frequency, "(0, 1]"), within("delta", delta, "(0, 1)")
    k = within("exposures", exposures, "[1, ∞)", whole=True)
    return plain(chdtri(2 * k, d) / (2 * p))


def noisy_majority(flip: ArrayLike, votes: ArrayLike) -> Numbers:
    """Return the chance that a majority of independent noisy labels is wrong; a tie counts as half.

    Args:
        flip: η, chance that one label is wrong, in [0, 1].
        votes: k, number of labels, >= 1.

    Source:
        Binomial tail [textbook].

    >>> f"{noisy_majority(0.03, 5):.3g}"
    '0.000258'
    """
    eta = within("flip", flip, "[0, 1]")
    k = within("votes", votes, "[1, ∞)", whole=True)
    # An even number of votes with ties split is worth one vote less.
    odd = np.where(k % 2 == 0, k - 1, k)
    half = (odd + 1) / 2
    return plain(betainc(half, half, eta))


def noisy_majority_bound(flip: ArrayLike, votes: ArrayLike) -> Numbers:
    """Return the Bhattacharyya bound (2·√(η(1 − η)))^k on a majority's error, valid for η ≤ 1/2.

    >>> f"{noisy_majority_bound(0.03, 5):.3g}"
    '0.00462'
    """
    eta, k = within("flip", flip, "[0, 0.5]"), within("votes", votes, "[1, ∞)", whole=True)
    return plain((2 * np.sqrt(eta * (1 - eta))) ** k)


def votes_needed(flip: float, error: float) -> int:
    """Return the fewest (odd) noisy labels whose majority errs no more often than `error`.

    Args:
        flip: η, chance that one label is wrong, in [0, 1/2).
        error: wanted, in (0, 1).

    >>> votes_needed(0.45, 0.01)
    539
    """
    eta, wanted = number("flip", flip, "[0, 0.5)"), number("error", error, "(0, 1)")
    high = 1
    while float(noisy_majority(eta, high)) > wanted:
        high = 2 * high + 1
    low = -1  # the error falls with every pair of votes, so bisection over odd numbers finds the least
    while high - low > 2:
        middle = low + 2 * ((high - low) // 4)
        low, high = (low, middle) if float(noisy_majority(eta, middle)) <= wanted else (middle, high)
    return high


def mean_error_draws(facts: ArrayLike, error: ArrayLike) -> Numbers:
    """Return the draws after which m equally frequent binary facts, guessed when unseen, have mean error ε.

    The error is ½·(1 − 1/m)ⁿ, so n ≈ m·ln(1/(2ε)): linear in m, with no 1/ε².

    Args:
        facts: m, >= 2.
        error: ε, in (0, 1/2].

    Source:
        HALL-9.

    >>> round(mean_error_draws(1000, 0.05))
    2301
    """
    m = within("facts", facts, "[2, ∞)")
    return plain(np.log(2 * within("error", error, "(0, 0.5]")) / np.log1p(-1 / m))


def coupon_draws(facts: ArrayLike, delta: ArrayLike) -> Numbers:
    """Return the draws after which all m equally frequent facts were met with probability 1 − δ, m·ln(m/δ).

    >>> round(coupon_draws(1000, 0.05))
    9903
    """
    m = within("facts", facts, "[1, ∞)")
    return plain(m * np.log(m / within("delta", delta, "(0, 1)")))


def longtail_exponent(exponent: float) -> Bound:
    """Give the exponent with which error falls in the data, from the exponent of the frequencies.

    Args:
        exponent: a, > 1.

    Returns:
        An equality for `DATA_EXPONENT`; `parts` has the data multiplier for ten times less error.

    Source:
        HALL-9.

    >>> round(longtail_exponent(1.5).value, 4)
    0.3333
    """
    a = number("exponent", exponent, "(1, ∞)")
    parts = {"log10_data_for_tenfold": a / (a - 1)}
    return exactly(HALL_9, DATA_EXPONENT, float(data_exponent(a)), at={"exponent": a}, parts=parts)


def error_by_data(draws: Sequence[float], exponent: float, exposures: int = 1) -> Shape:
    """Tell how the error on long-tailed facts falls with the training data.

    Args:
        draws: n, increasing, each >= 0.
        exponent: a, > 1.
        exposures: k, >= 1.

    Returns:
        A shape of `ERROR_RATE` along `draws`.

    Source:
        HALL-9.

    >>> [round(y, 4) for _, y in error_by_data([1e4, 1e6], 1.5).points]
    [0.0437, 0.0094]
    """
    n = vector("draws", draws, "[0, ∞)")
    points = tuple((float(x), longtail_error(float(x), exponent, exposures)) for x in n)
    return Shape(
        statement=HALL_9,
        quantity=ERROR_RATE,
        along="draws",
        points=points,
        parameters={"exponent": exponent, "exposures": exposures, "data_exponent": float(data_exponent(exponent))},
    )


def accuracy_by_popularity(
    popularities: Sequence[float], exposures_per_unit: float, *, exposures: int = 1, guess: float = 0.0
) -> Shape:
    """Tell how accuracy rises with the popularity of a fact.

    A fact of popularity x is met Poisson(c·x) times; met k times it is answered rightly, before that by a guess.

    Args:
        popularities: x, increasing, each >= 0 (inhabitants, page views, …).
        exposures_per_unit: c, expected exposures per unit of popularity, > 0.
        exposures: k, >= 1.
        guess: accuracy on facts not met often enough, in [0, 1).

    Returns:
        A shape of `ACCURACY` along `popularity`; `parameters` has the popularity at which half are known.

    Source:
        HALL-9.

    >>> shape = accuracy_by_popularity([1e4, 1e6], 1e-5, exposures=1)
    >>> [round(y, 4) for _, y in shape.points]
    [0.0952, 1.0]
    """
    x = vector("popularities", popularities, "[0, ∞)")
    c, k = number("exposures_per_unit", exposures_per_unit, "(0, ∞)"), whole("exposures", exposures, "[1, ∞)")
    g = number("guess", guess, "[0, 1)")
    accuracy = g + (1 - g) * gammainc(k, c * x)
    return Shape(
        statement=HALL_9,
        quantity=ACCURACY,
        along="popularity",
        points=tuple(zip(x.tolist(), accuracy.tolist(), strict=True)),
        parameters={
            "exposures_per_unit": c,
            "exposures": k,
            "guess": g,
            "half_known_popularity": float(chdtri(2 * k, 0.5)) / (2 * c),
        },
    )


def exposure_floor(frequency: float, exposures: int = 1, delta: float = 0.05) -> Bound:
    """Bound from below the draws that make k exposures of one fact likely.

    Args:
        frequency: p, in (0, 1].
        exposures: k, >= 1.
        delta: chance of fewer exposures, in (0, 1).

    Returns:
        A lower bound on `DOCUMENTS`.

    Source:
        HALL-9.

    >>> f"{exposure_floor(1e-6, 1).value:.4g}"
    '2.996e+06'
    """
    at = {"frequency": frequency, "exposures": exposures, "delta": delta}
    return at_least(HALL_9, DOCUMENTS, float(documents_needed(frequency, exposures, delta)), at=at)
