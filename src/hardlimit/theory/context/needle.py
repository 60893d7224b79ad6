"""CTX-3: how far a needle must stand out to be attended to, and how softmax disperses as the context grows.

With logits s₁…s_N (temperature included) the weight of the needle is 1/(1 + Σ e^(sⱼ − s*)), so everything about it is
elementary: bound each of the N − 1 terms of the sum from one side.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import ATTENDABLE_CONTEXT, NEEDLE_GAP, NEEDLE_MARGIN, NEEDLE_WEIGHT
from hardlimit.theory.bounding import at_least, at_most, exactly
from hardlimit.theory.domain import Numbers, number, plain, vector, whole, within
from hardlimit.theory.sources import derived, paper

CTX_3 = Statement(
    id="CTX-3",
    name="needle margin and dispersion of softmax",
    limit=Limit.CONTEXT,
    status=Status.CORRECTED,
    says=(
        "To give one key a fixed share of the attention, its logit must stand above the others by about ln N nats: "
        "0.69 nats more for every doubling of the context. If all logits stay within a fixed spread, every weight "
        "shrinks like 1/N."
    ),
    formula=(
        "weight = 1 / (1 + Σⱼ e^(sⱼ − s*))\n"
        "weight ≥ a needs a gap s* − minⱼ sⱼ ≥ ln(N − 1) + ln(a/(1 − a))\n"
        "spread Δ:   1 / (1 + (N−1)·e^Δ) ≤ weight ≤ e^Δ / (e^Δ + N − 1)\n"
        "K needles:  total weight ≤ K·e^Δ / (K·e^Δ + N − K)"
    ),
    hypotheses=(
        "one softmax over N keys, temperature included in the logits",
        "for the gap: it is the largest difference between the needle and a distractor",
        "for the spread: all logits of the row lie in one interval of width Δ",
    ),
    sources=(
        derived("elementary; bound each term of the sum"),
        Source(title="Veličković et al. (2024)", locator="Lemma 2.1", url="arXiv:2410.01104"),
        paper("Lemma 4, Cor. 1"),
    ),
    silent_on=(
        "It does not say that training cannot supply the margin: logits that grow with ln N keep a needle with a "
        "fixed gap sharp. What binds is log-sum-exp of the distractors, not N itself. It says nothing about what a "
        "model does with weight that it spreads over several heads and layers."
    ),
    falsified_by="A softmax row whose needle weight lies outside the interval for its measured spread.",
    paper=(
        "The paper's Θ(ln N) is right. Its conclusion that training cannot supply the margin is not: multiplying "
        "logits by β·ln N removes the effect for a needle with fixed gap c when β·c ≥ 1. For picking the maximum "
        "among continuous keys it does not, since the top-two gap itself shrinks like 1/N."
    ),
    effects=(
        Effect(resource=Resource.PARAMETERS, verdict=Verdict.CANNOT_PROGRESS, when="at a fixed spread of the logits"),
        Effect(resource=Resource.DATA, verdict=Verdict.CANNOT_PROGRESS, when="at a fixed spread of the logits"),
        Effect(resource=Resource.CONTEXT, verdict=Verdict.CANNOT_PROGRESS, when="at a fixed spread of the logits"),
        Effect(resource=Resource.MARGIN, verdict=Verdict.HELPS, when="each ln 2 nats buys a doubling of the context"),
        Effect(resource=Resource.RETRIEVAL, verdict=Verdict.HELPS, when="it reduces the number of keys"),
    ),
    worked="Half of the attention among 128,000 keys needs a gap of 11.76 nats; among 8,000 keys 8.99 nats.",
    probe="context.needle",
)


def margin_needed(keys: ArrayLike, weight: ArrayLike) -> Numbers:
    """Return the gap to every distractor that lets a needle reach a weight, ln(N − 1) + ln(a/(1 − a)).

    Args:
        keys: N, number of keys in the row, >= 2.
        weight: a, attention weight wanted, in (0, 1).

    Returns:
        Nats. With all gaps below it the needle's weight is below `weight`.

    Source:
        CTX-3.

    >>> round(margin_needed(128_000, 0.5), 4)
    11.7598
    """
    n = within("keys", keys, "[2, ∞)")
    a = within("weight", weight, "(0, 1)")
    return plain(np.log(n - 1) + np.log(a) - np.log1p(-a))


def max_weight(keys: ArrayLike, gap: ArrayLike) -> Numbers:
    """Return the largest weight of a needle whose gap to every distractor is at most `gap` nats.

    Args:
        keys: N, number of keys in the row, >= 1.
        gap: γ, or the spread Δ of the whole row, nats.

    Returns:
        e^γ/(e^γ + N − 1), a probability, computed so that no γ overflows.

    Source:
        CTX-3.

    >>> round(max_weight(22_027, 10.0), 4)
    0.5
    """
    n = within("keys", keys, "[1, ∞)")
    g = within("gap", gap, "(-∞, ∞)")
    with np.errstate(divide="ignore"):
        log_rest = np.log(n - 1) - g
    return plain(np.exp(-np.logaddexp(0.0, log_rest)))


def max_context(spread: ArrayLike, weight: ArrayLike) -> Numbers:
    """Return the most keys among which a weight can be reached at a given spread, 1 + e^Δ(1 − a)/a.

    Args:
        spread: Δ, width of the interval that holds all logits of the row, nats, >= 0.
        weight: a, attention weight wanted, in (0, 1).

    Returns:
        Tokens; infinite where it exceeds what a float can hold.

    Source:
        CTX-3.

    >>> round(max_context(10.0, 0.5), 1)
    22027.5
    """
    delta = within("spread", spread, "[0, ∞)")
    a = within("weight", weight, "(0, 1)")
    with np.errstate(over="ignore"):
        return plain(1 + np.exp(delta + np.log1p(-a) - np.log(a)))


def dispersion_interval(keys: ArrayLike, spread: ArrayLike) -> tuple[Numbers, Numbers]:
    """Return the interval that holds every weight of a row of given spread.

    Args:
        keys: N, number of keys in the row, >= 1.
        spread: Δ, nats, >= 0.

    Returns:
        Smallest and largest possible weight.

    Source:
        CTX-3; Veličković et al. (2024), Lemma 2.1.

    >>> low, high = dispersion_interval(1000, 2.0)
    >>> round(low, 6), round(high, 6)
    (0.000135, 0.007342)
    """
    delta = within("spread", spread, "[0, ∞)")
    return max_weight(keys, -delta), max_weight(keys, delta)


def needles_weight(keys: ArrayLike, needles: ArrayLike, spread: ArrayLike) -> Numbers:
    """Return the largest total weight of K needles in a row of given spread, K·e^Δ/(K·e^Δ + N − K).

    >>> round(needles_weight(128_000, 8, 10.0), 4)
    0.5793
    """
    k = within("needles", needles, "[1, ∞)")
    ratio = within("keys", keys, "[1, ∞)") / k
    return max_weight(within("keys per needle", ratio, "[1, ∞)"), within("spread", spread, "[0, ∞)"))


def spread_allowed(query_norm: ArrayLike, key_norm: ArrayLike, head_width: ArrayLike) -> Numbers:
    """Return the largest possible spread of a row's logits, 2·|q|·|k|/√d.

    Args:
        query_norm: length of the query vector, >= 0.
        key_norm: length of the longest key vector, >= 0.
        head_width: d, width of the head, >= 1.

    >>> spread_allowed(10.0, 10.0, 64)
    25.0
    """
    q, k = within("query_norm", query_norm, "[0, ∞)"), within("key_norm", key_norm, "[0, ∞)")
    return plain(2 * q * k / np.sqrt(within("head_width", head_width, "[1, ∞)")))


def weight_at_margin(margin: ArrayLike) -> Numbers:
    """Return the weight of a needle whose margin s* − LSE(distractors) is given: the logistic function.

    >>> weight_at_margin(0.0)
    0.5
    """
    return max_weight(2.0, margin)


def gap_needed(keys: int, weight: float) -> Bound:
    """Bound from below the gap that a needle needs to reach a weight among N keys.

    Args:
        keys: N, >= 2.
        weight: a, in (0, 1).

    Returns:
        A lower bound on `NEEDLE_GAP`, nats: a needle whose gap to every distractor is smaller stays below the weight;
        one whose gap to every distractor is larger reaches it.

    Source:
        CTX-3.

    >>> round(gap_needed(8_000, 0.5).value, 4)
    8.9871
    """
    n = whole("keys", keys, "[2, ∞)")
    value = float(margin_needed(n, number("weight", weight, "(0, 1)")))
    return at_least(
        CTX_3, NEEDLE_GAP, value, at={"keys": n, "weight": weight}, parts={"per_doubling_nats": math.log(2)}
    )


def needle_weight_ceiling(keys: int, spread: float) -> Bound:
    """Bound from above the weight of any single key in a row of given spread.

    Args:
        keys: N, >= 1.
        spread: Δ, nats, >= 0.

    Returns:
        An upper bound on `NEEDLE_WEIGHT`; `parts` has the smallest possible weight and the uniform one.

    Source:
        CTX-3.

    >>> round(needle_weight_ceiling(128_000, 10.0).value, 4)
    0.1468
    """
    n = whole("keys", keys, "[1, ∞)")
    low, high = dispersion_interval(n, number("spread", spread, "[0, ∞)"))
    return at_most(
        CTX_3,
        NEEDLE_WEIGHT,
        float(high),
        at={"keys": n, "spread": spread},
        parts={"smallest_weight": float(low), "uniform_weight": 1 / n},
    )


def context_ceiling(spread: float, weight: float) -> Bound:
    """Bound from above the number of keys among which a weight can be reached at a given spread.

    Args:
        spread: Δ, nats, >= 0.
        weight: a, in (0, 1).

    Returns:
        An upper bound on `ATTENDABLE_CONTEXT`, tokens.

    Source:
        CTX-3.

    >>> round(context_ceiling(10.0, 0.5).value, 1)
    22027.5
    """
    value = float(max_context(number("spread", spread, "[0, ∞)"), number("weight", weight, "(0, 1)")))
    return at_most(CTX_3, ATTENDABLE_CONTEXT, value, at={"spread": spread, "weight": weight})


def needle_weight(margin: float) -> Bound:
    """Give the weight of a needle exactly from its margin s* − LSE(distractors).

    Args:
        margin: nats.

    Returns:
        An equality for `NEEDLE_WEIGHT`.

    Source:
        CTX-3.

    >>> round(needle_weight(2.0).value, 4)
    0.8808
    """
    value = float(weight_at_margin(number("margin", margin, "(-∞, ∞)")))
    return exactly(CTX_3, NEEDLE_WEIGHT, value, at={"margin": margin})


def margin_floor(weight: float = 0.5) -> Bound:
    """Bound from below the margin s* − LSE(distractors) of a head that gives its needle a weight.

    Args:
        weight: a, in (0, 1).

    Returns:
        A lower bound on `NEEDLE_MARGIN`, nats: ln(a/(1 − a)), whatever the length of the context.

    Source:
        CTX-3.

    >>> margin_floor(0.5).value
    0.0
    """
    a = number("weight", weight, "(0, 1)")
    return at_least(CTX_3, NEEDLE_MARGIN, math.log(a) - math.log1p(-a), at={"weight": a})


def margin_by_length(lengths: Sequence[float], margin: float, *, growth: float = 0.0) -> Shape:
    """Tell how a needle's margin changes with the length of the context when distractors keep their law.

    With distractors that are alike, LSE grows by ln((N−1)/(N₀−1)), so the margin falls by ln 2 per doubling. Logits
    that are multiplied up with the length win some of it back; `growth` is how much, in nats per nat of ln N.

    Args:
        lengths: N, increasing, each >= 2; the margin is known at the first.
        margin: s* − LSE(distractors) at the first length, nats.
        growth: nats that the model adds to the margin per unit of ln N; 0 where logits do not depend on the length.

    Returns:
        A shape of `NEEDLE_MARGIN` along `length`, with its slope against ln N.

    Source:
        CTX-3.

    >>> shape = margin_by_length([1024, 2048, 4096], 2.0)
    >>> [round(y, 4) for _, y in shape.points]
    [2.0, 1.3064, 0.613]
    """
    n = vector("lengths", lengths, "[2, ∞)")
    start, slope = number("margin", margin, "(-∞, ∞)"), number("growth", growth, "(-∞, ∞)") - 1
    points = tuple((float(x), float(start + slope * np.log((x - 1) / (n[0] - 1)))) for x in n)
    return Shape(
        statement=CTX_3,
        quantity=NEEDLE_MARGIN,
        along="length",
        points=points,
        parameters={"slope_per_ln_length": slope, "nats_per_doubling": slope * math.log(2), "growth": growth},
    )
