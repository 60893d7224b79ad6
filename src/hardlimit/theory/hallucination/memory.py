"""HALL-3: a model of so many bits holds so many facts, and errs on the rest (rate–distortion).

If N independent facts with q equally likely values are kept in B bits and come back with mean error e, then
B ≥ I(facts; model) ≥ Σ I(Fᵢ; F̂ᵢ) ≥ Σ R_q(eᵢ) ≥ N·R_q(e): chain rule, data processing, convexity.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import bdtr, expit

from hardlimit.core import Bound, Effect, Limit, Resource, Source, Statement, Status, Verdict
from hardlimit.core.quantity import FACT_ERROR, STORABLE_FACTS
from hardlimit.theory.bounding import at_least, at_most
from hardlimit.theory.domain import Floats, Numbers, number, plain, vector, whole, within
from hardlimit.theory.rates import error_at_rate, symbol_rate
from hardlimit.theory.sources import COVER_THOMAS, derived, paper, textbook

HALL_3 = Statement(
    id="HALL-3",
    name="finite memory: the error floor on stored facts",
    limit=Limit.HALLUCINATION,
    status=Status.CORRECTED,
    says=(
        "Facts that have nothing in common take log₂ q bits each. A model with fewer bits than that per fact must be "
        "wrong about a share of them that the rate–distortion function gives, however it was trained."
    ),
    formula=(
        "N·R_q(e) ≤ B,   R_q(e) = log₂ q − h₂(e) − e·log₂(q − 1)\n"
        "e ≥ R_q⁻¹(B/N);   P(all N right) ≤ 2^B / q^N\n"
        "queries weighted wᵢ:  eᵢ = (q − 1)/(q − 1 + 2^(wᵢ/λ)) minimises Σ wᵢeᵢ subject to Σ R_q(eᵢ) ≤ B"
    ),
    hypotheses=(
        "facts are independent, each uniform over q values (for structured facts use 2^entropy for q)",
        "everything the model knows about them fits into B bits",
    ),
    sources=(
        COVER_THOMAS,
        textbook("Cover, Geometrical and statistical properties of systems of linear inequalities (1965)", "Thm 1"),
        derived("chain rule, data processing, convexity"),
        Source(title="Allen-Zhu & Li (2024), about 2 bits of knowledge per parameter", url="arXiv:2404.05405"),
        Source(title="Morris et al. (2025), about 3.6 bits per parameter", url="arXiv:2505.24832"),
        paper("Lemma 1"),
    ),
    silent_on=(
        "Facts with structure cost fewer bits. The size of a checkpoint is an upper limit for B and not a tight one. "
        "It says nothing about facts that can be looked up or computed."
    ),
    falsified_by="N·R_q(error) above 8 × the bytes of the compressed checkpoint, on random facts.",
    paper=(
        "The paper's lemma infers 'arbitrarily large error' from K(f) > K(h), which does not follow "
        "(PAPER-KOLMOGOROV). The rate form here is the correct one."
    ),
    effects=(
        Effect(resource=Resource.PARAMETERS, verdict=Verdict.HELPS, when="until P ≈ N·log₂ q / (bits per parameter)"),
        Effect(resource=Resource.DATA, verdict=Verdict.SATURATES, when="random facts at a fixed number of parameters"),
        Effect(resource=Resource.RETRIEVAL, verdict=Verdict.HELPS, when="the bits are kept outside the weights"),
    ),
    worked=(
        "8·10⁹ parameters at 2 bits each hold at most 1.88·10⁹ facts with 365 values; at 4 bits per fact 41.5 % of "
        "them come back wrong."
    ),
)


def error_floor(bits: ArrayLike, facts: ArrayLike, values: ArrayLike = 2) -> Numbers:
    """Return the least mean error on N random facts kept in B bits, R_q⁻¹(B/N).

    Args:
        bits: B, >= 0.
        facts: N, >= 1.
        values: q, equally likely values of a fact, >= 2.

    Returns:
        Error in [0, 1 − 1/q].

    Source:
        HALL-3; Cover & Thomas (2006), ch. 10.

    >>> round(error_floor(2e6, 5e5, 365), 4)
    0.4152
    """
    return error_at_rate(within("bits", bits, "[0, ∞)") / within("facts", facts, "[1, ∞)"), values)


def fano_floor(bits: ArrayLike, facts: ArrayLike, values: ArrayLike = 2) -> Numbers:
    """Return the weak Fano form of the floor, (log₂ q − B/N − 1)/log₂ q, for comparison.

    >>> round(fano_floor(2.0, 1.0, 365), 4)
    0.6475
    """
    rate = within("bits", bits, "[0, ∞)") / within("facts", facts, "[1, ∞)")
    full = np.log2(within("values", values, "[2, ∞)"))
    return plain(np.maximum(0.0, (full - rate - 1) / full))


def bits_needed(facts: ArrayLike, values: ArrayLike, error: ArrayLike) -> Numbers:
    """Return the least bits that hold N random facts with mean error e, N·R_q(e).

    Args:
        facts: N, >= 1.
        values: q, >= 2.
        error: e, in [0, 1].

    >>> bits_needed(1000, 8, 0.0)
    3000.0
    """
    return plain(within("facts", facts, "[1, ∞)") * np.asarray(symbol_rate(error, values)))


def params_needed(facts: ArrayLike, values: ArrayLike, error: ArrayLike, bits_per_parameter: ArrayLike) -> Numbers:
    """Return the least parameters that hold N random facts with mean error e.

    Args:
        facts: N, >= 1.
        values: q, >= 2.
        error: e, in [0, 1].
        bits_per_parameter: bits that a parameter stores, > 0 (measured: about 2).

    >>> f"{params_needed(5e5, 365, 0.0, 2.0):.4g}"
    '2.128e+06'
    """
    per_parameter = within("bits_per_parameter", bits_per_parameter, "(0, ∞)")
    return plain(np.asarray(bits_needed(facts, values, error)) / per_parameter)


def error_floor_weighted(bits: float, weights: ArrayLike, values: int = 2) -> tuple[float, Floats]:
    """Return the least query-weighted error on facts kept in B bits, and how it is spread over the facts.

    For any price λ of a bit, Σ wᵢeᵢ + λ(Σ R_q(eᵢ) − B) minimised over e is below the true minimum (weak duality), so
    the returned total is safe wherever the search for λ stops.

    Args:
        bits: B, >= 0.
        weights: wᵢ > 0, how often each fact is asked for, relative to the others.
        values: q, >= 2.

    Returns:
        The total in units of Σ wᵢ, and the error of each fact.

    Source:
        HALL-3; reverse water-filling.

    >>> total, each = error_floor_weighted(1.0, [0.9, 0.1])
    >>> round(total, 4), each.round(4).tolist()
    (0.0419, [0.0063, 0.3629])
    """
    budget, q = number("bits", bits, "[0, ∞)"), whole("values", values, "[2, ∞)")
    raw = vector("weights", weights, "(0, ∞)")
    w = raw / raw.sum()
    full = math.log2(q)
    if budget >= w.size * full:
        return 0.0, np.zeros(w.size)
    if budget == 0.0:
        return 1 - 1 / q, np.full(w.size, 1 - 1 / q)

    def errors(log_price: float) -> Floats:
        return np.asarray(expit(math.log(q - 1) - math.log(2) * w * math.exp(-log_price)))

    def excess(log_price: float) -> float:
        return float(np.sum(np.asarray(symbol_rate(errors(log_price), q)))) - budget

    low, high = math.log(w.min()) - 12.0, math.log(w.max()) + 24.0
    while excess(low) < 0:
        low -= 12.0
    while excess(high) > 0:
        high += 12.0
    price = float(brentq(excess, low, high, xtol=1e-13))
    each = errors(price)
    total = float(np.sum(w * each)) + math.exp(price) * excess(price)
    return max(0.0, total), each


def store_head_error(bits: float, weights: ArrayLike, values: int = 2) -> float:
    """Return the weighted error of the code that stores the most asked facts exactly and guesses the rest.

    >>> store_head_error(1.0, [0.9, 0.1])
    0.05
    """
    w = np.sort(vector("weights", weights, "(0, ∞)"))[::-1]
    q = whole("values", values, "[2, ∞)")
    stored = int(number("bits", bits, "[0, ∞)") / math.log2(q) * (1 + 1e-12))
    return float(w[stored:].sum() / w.sum() * (1 - 1 / q))


def log2_all_right(bits: ArrayLike, facts: ArrayLike, values: ArrayLike = 2) -> Numbers:
    """Return log₂ of the largest chance that all N random facts come back right, min(0, B − N·log₂ q).

    >>> log2_all_right(10, 12, 2)
    -2.0
    """
    spare = within("bits", bits, "[0, ∞)") - within("facts", facts, "[1, ∞)") * np.log2(
        within("values", values, "[2, ∞)")
    )
    return plain(np.minimum(0.0, spare))


def simple_table_share(complexity: ArrayLike, facts: ArrayLike) -> Numbers:
    """Return the largest share of the 2^m truth tables on m facts with Kolmogorov complexity at most c, 2^(c+1−m).

    Args:
        complexity: c, bits, >= 0.
        facts: m, binary facts, >= 1.

    Source:
        Counting: there are fewer than 2^(c+1) programs of at most c bits.

    >>> round(simple_table_share(10, 20), 5)
    0.00195
    """
    excess = within("complexity", complexity, "[0, ∞)") + 1 - within("facts", facts, "[1, ∞)")
    return plain(np.minimum(1.0, np.exp2(np.minimum(excess, 0.0))))


def separable_share(points: int, dimensions: int) -> float:
    """Return the share of dichotomies of N points in general position in P dimensions that a plane separates.

    Args:
        points: N, >= 1.
        dimensions: P, free parameters of the linear threshold, >= 1.

    Source:
        Cover (1965): 2^(1−N)·Σ_{i<P} C(N−1, i), a binomial tail.

    >>> round(separable_share(24, 12), 12)
    0.5
    """
    n, p = whole("points", points, "[1, ∞)"), whole("dimensions", dimensions, "[1, ∞)")
    return float(bdtr(min(p, n) - 1, n - 1, 0.5))


def fact_error_floor(bits: float, facts: float, values: int = 2) -> Bound:
    """Bound from below the mean error on N random facts kept in B bits.

    Args:
        bits: B, >= 0.
        facts: N, >= 1.
        values: q, >= 2.

    Returns:
        A lower bound on `FACT_ERROR`; `parts` has the weak Fano form and the bits per fact.

    Source:
        HALL-3.

    >>> round(fact_error_floor(2e6, 5e5, 365).value, 4)
    0.4152
    """
    parts = {
        "bits_per_fact": float(bits) / facts,
        "fano_error": float(fano_floor(bits, facts, values)),
        "log2_all_right": float(log2_all_right(bits, facts, values)),
    }
    value = float(error_floor(number("bits", bits, "[0, ∞)"), number("facts", facts, "[1, ∞)"), values))
    return at_least(HALL_3, FACT_ERROR, value, at={"bits": bits, "facts": facts, "values": values}, parts=parts)


def storable_facts(parameters: float, bits_per_parameter: float = 2.0, values: int = 365) -> Bound:
    """Bound from above the random facts that a model can hold without error.

    Args:
        parameters: P, >= 1.
        bits_per_parameter: > 0; about 2 was measured for knowledge, 3.6 for raw text.
        values: q, >= 2.

    Returns:
        An upper bound on `STORABLE_FACTS`, facts.

    Source:
        HALL-3, with a measured capacity.

    >>> f"{storable_facts(8e9).value:.3e}"
    '1.880e+09'
    """
    p, per = number("parameters", parameters, "[1, ∞)"), number("bits_per_parameter", bits_per_parameter, "(0, ∞)")
    at = {"parameters": p, "bits_per_parameter": per, "values": whole("values", values, "[2, ∞)")}
    return at_most(HALL_3, STORABLE_FACTS, p * per / math.log2(values), at=at)
