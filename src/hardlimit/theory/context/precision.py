"""CTX-5: one token among very many moves an attention read by less than a low-precision number can show.

If one non-query token changes, o = u + a·(v − u) with the same normalised rest u before and after, so o moves by at
most 2R·max(a, a′), and no weight exceeds e^Δ/(e^Δ + n − 1).
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, InvalidValueError, Limit, Resource, Scalar, Source, Statement, Status, Verdict
from hardlimit.core.quantity import COLLAPSE_LENGTH, INFLUENCE
from hardlimit.theory.bounding import at_most
from hardlimit.theory.context.needle import max_weight
from hardlimit.theory.domain import Floats, Numbers, number, plain, whole, within
from hardlimit.theory.sources import derived

CTX_5 = Statement(
    id="CTX-5",
    name="representational collapse at finite precision",
    limit=Limit.CONTEXT,
    status=Status.PROVED,
    says=(
        "With logits inside a spread Δ, changing one of n tokens moves an attention read by at most 2R·e^Δ/n or so. "
        "Past a length that depends on Δ and on the number format, that is less than one unit in the last place, and "
        "the read can no longer tell the two inputs apart by more than that."
    ),
    formula=(
        "|o − o′| ≤ 2R·e^Δ / (e^Δ + n − 1)\n"
        "below one unit in the last place (ε at magnitude R) once n > 1 + e^Δ·(2/ε − 1)"
    ),
    hypotheses=(
        "one attention read o = Σ aⱼvⱼ with |vⱼ| ≤ R",
        "all logits of the row within a spread Δ",
        "the changed token is not the query",
    ),
    sources=(
        derived("proof in the module's docstring"),
        Source(title="Hahn (2020), O(1/n) influence"),
        Source(title="Barbero et al. (2024), representational collapse (abstract)", url="arXiv:2406.04267"),
    ),
    silent_on=(
        "It is about one read: the residual stream and later layers can amplify again. The length is sufficient: "
        "collapse can come earlier, and rounding can still separate two reads by one unit."
    ),
    falsified_by="Two reads that differ by more than one unit in the last place beyond the collapse length.",
    paper="The paper does not state it as a lemma.",
    effects=(
        Effect(
            resource=Resource.CONTEXT,
            verdict=Verdict.CANNOT_PROGRESS,
            when="beyond the collapse length, at fixed spread and precision",
        ),
        Effect(resource=Resource.PRECISION, verdict=Verdict.HELPS, when="each bit doubles the length"),
        Effect(resource=Resource.MARGIN, verdict=Verdict.HELPS, when="sharper attention"),
        Effect(resource=Resource.DATA, verdict=Verdict.CANNOT_PROGRESS, when="at fixed spread and precision"),
    ),
    worked="Spread 2, bf16 (ε = 2⁻⁸): past 3,777 tokens one token is below the last place; fp32: past 10⁸.",
    probe="context.needle",
)

SPACING = {"bf16": 2.0**-8, "fp16": 2.0**-11, "fp32": 2.0**-24}
"""Distance of neighbouring numbers just below R = 1, per format."""


def influence_bound(tokens: ArrayLike, spread: ArrayLike, radius: ArrayLike = 1.0) -> Numbers:
    """Return how far one of n tokens can move an attention read, 2R·e^Δ/(e^Δ + n − 1).

    Args:
        tokens: n, >= 1.
        spread: Δ, nats, >= 0.
        radius: R, length of the longest value vector, >= 0.

    Source:
        CTX-5.

    >>> round(influence_bound(1000, 2.0), 5)
    0.01468
    """
    weight = np.asarray(max_weight(tokens, within("spread", spread, "[0, ∞)")))
    return plain(2 * within("radius", radius, "[0, ∞)") * weight)


def collapse_length(spread: ArrayLike, spacing: ArrayLike) -> Numbers:
    """Return the length past which one token moves a read by less than the spacing of numbers, 1 + e^Δ(2/ε − 1).

    Args:
        spread: Δ, nats, >= 0.
        spacing: ε, distance of neighbouring numbers at magnitude R, relative to R, in (0, 1].

    Returns:
        Tokens; infinite where it exceeds what a float can hold.

    Source:
        CTX-5.

    >>> round(collapse_length(2.0, 2.0**-8))
    3777
    """
    delta, eps = within("spread", spread, "[0, ∞)"), within("spacing", spacing, "(0, 1]")
    with np.errstate(over="ignore"):
        return plain(1 + np.exp(delta) * (2 / eps - 1))


def rounded(values: ArrayLike, significant_bits: int) -> Floats:
    """Round numbers to so many significant bits, ties to even (8 for bf16, 11 for fp16, 24 for fp32).

    >>> rounded([1 / 3], 8).tolist()
    [0.333984375]
    """
    bits = whole("significant_bits", significant_bits, "[1, 52]")
    mantissa, exponent = np.frexp(within("values", values, "(-∞, ∞)"))
    return np.asarray(np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits))


def first_equal_counts(significant_bits: int) -> int:
    """Return the first n at which n/(n + 1) and (n + 1)/(n + 2) round to one number: counting by averaging ends.

    Args:
        significant_bits: of the format, 1 to 16.

    >>> first_equal_counts(8)
    18
    """
    bits = whole("significant_bits", significant_bits, "[1, 16]")
    n = np.arange(2.0 ** (bits + 1))  # they surely coincide once 1/n² is below the spacing
    shares = rounded(n / (n + 1), bits)
    return int(np.flatnonzero(shares[1:] == shares[:-1])[0])


def influence_ceiling(tokens: int, spread: float, radius: float = 1.0) -> Bound:
    """Bound from above how far one token can move an attention read; arguments as for `influence_bound`.

    Returns:
        An upper bound on `INFLUENCE`, in the unit of R.

    Source:
        CTX-5.

    >>> round(influence_ceiling(1000, 2.0).value, 5)
    0.01468
    """
    value = float(influence_bound(whole("tokens", tokens, "[1, ∞)"), number("spread", spread, "[0, ∞)"), radius))
    return at_most(CTX_5, INFLUENCE, value, at={"tokens": tokens, "spread": spread, "radius": radius})


def collapse(spread: float, number_format: str = "bf16") -> Bound:
    """Bound from above the length up to which one token can move a read by a unit in the last place.

    Args:
        spread: Δ, nats, >= 0.
        number_format: `bf16`, `fp16` or `fp32`.

    Returns:
        An upper bound on `COLLAPSE_LENGTH`, tokens.

    Source:
        CTX-5.

    >>> round(collapse(2.0, "bf16").value)
    3777
    """
    if number_format not in SPACING:
        raise InvalidValueError(f"number_format must be one of {', '.join(SPACING)}, got {number_format!r}.")
    eps = SPACING[number_format]
    value = float(collapse_length(number("spread", spread, "[0, ∞)"), eps))
    at: dict[str, Scalar] = {"spread": spread, "format": number_format}
    return at_most(CTX_5, COLLAPSE_LENGTH, value, at=at, parts={"log2_spacing": math.log2(eps)})
