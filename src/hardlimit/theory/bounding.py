"""From a computed number to a claim: rounded outward, kept in range, and marked where it says nothing."""

import math
import sys
from collections.abc import Mapping
from typing import Literal

from hardlimit.core import Bound, Quantity, Scalar, Statement

OUTWARD = 2.0**-40
"""Relative amount by which every inequality is loosened: far above the rounding error of any formula here
(a few units of 2⁻⁵³), far below any digit that is shown."""


def at_most(
    statement: Statement,
    quantity: Quantity,
    value: float,
    *,
    at: Mapping[str, Scalar],
    vacuous: str | None = None,
    parts: Mapping[str, Scalar] | None = None,
) -> Bound:
    """Make an upper bound, rounded outward unless it is an int; beyond the quantity's range it is vacuous."""
    loose, empty = _outward(quantity, value, "upper")
    return Bound(
        statement=statement,
        quantity=quantity,
        side="upper",
        value=loose,
        at=dict(at),
        vacuous=vacuous or empty,
        parts=dict(parts or {}),
    )


def at_least(
    statement: Statement,
    quantity: Quantity,
    value: float,
    *,
    at: Mapping[str, Scalar],
    vacuous: str | None = None,
    parts: Mapping[str, Scalar] | None = None,
) -> Bound:
    """Make a lower bound, rounded outward unless it is an int; beyond the quantity's range it is vacuous."""
    loose, empty = _outward(quantity, value, "lower")
    return Bound(
        statement=statement,
        quantity=quantity,
        side="lower",
        value=loose,
        at=dict(at),
        vacuous=vacuous or empty,
        parts=dict(parts or {}),
    )


def exactly(
    statement: Statement,
    quantity: Quantity,
    value: float,
    *,
    at: Mapping[str, Scalar],
    vacuous: str | None = None,
    parts: Mapping[str, Scalar] | None = None,
) -> Bound:
    """Make an equality."""
    return Bound(
        statement=statement,
        quantity=quantity,
        side="exact",
        value=float(value),
        at=dict(at),
        vacuous=vacuous,
        parts=dict(parts or {}),
    )


def sum_below(*terms: float) -> float:
    """Return a sum that no rounding has made too large, even where the terms cancel.

    >>> 0 < (1.0 - 0.9) - sum_below(1.0, -0.9) < 1e-11
    True
    """
    return math.fsum(terms) - OUTWARD * math.fsum(abs(term) for term in terms)


def _outward(quantity: Quantity, value: float, side: Literal["upper", "lower"]) -> tuple[float, str | None]:
    """Loosen a value, cut it to the quantity's range, and say why where it then forbids nothing."""
    sign = 1.0 if side == "upper" else -1.0
    easy, hard = (quantity.high, quantity.low) if side == "upper" else (quantity.low, quantity.high)
    counted = isinstance(value, int) and abs(value) < 2**53  # a count that no rounding has touched
    loose = float(value) if counted else value + sign * abs(value) * OUTWARD
    if easy is not None and (loose - easy) * sign >= 0:
        verb = "exceed" if side == "upper" else "fall below"
        return easy, f"{quantity.name} can never {verb} {easy:g}, so nothing is excluded"
    if math.isinf(loose):
        return math.copysign(sys.float_info.max, loose), "the bound is larger than any number a float can hold"
    if hard is not None and (loose - hard) * sign < 0:
        return hard, None  # rounding alone may pass the far end of the range, the truth cannot
    return loose, None
