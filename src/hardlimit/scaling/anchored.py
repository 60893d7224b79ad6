"""A bound from theory beside a measured error: is the system at the bound, clear of it, or beyond it?"""

import numpy as np
from scipy import stats

from hardlimit.core import Bound, InsufficientDataError, InvalidValueError, Standing, Value
from hardlimit.scaling.curve import Curve
from hardlimit.stats import clopper_pearson


class AnchoredVerdict(Value, frozen=True):
    """How a measured error stands to a lower bound on it.

    Args:
        standing: the comparison's outcome.
        bound: the smallest error that the bound allows.
        error: what was measured.
        low: one-sided lower limit.
        high: one-sided upper limit.
        n: items.
        says: one sentence.
    """

    standing: Standing
    bound: float
    error: float
    low: float
    high: float
    n: int
    says: str


def anchored(errors: int, n: int, bound: float, *, margin: float = 0.0, level: float = 0.95) -> AnchoredVerdict:
    """Set a counted error beside the smallest error that theory allows.

    Args:
        errors: wrong answers.
        n: items, >= 1.
        bound: smallest error rate that the bound allows, in [0, 1].
        margin: how far above the bound still counts as being at it.
        level: of each one-sided limit.

    Raises:
        InsufficientDataError: n = 0.

    >>> anchored(30, 1000, 0.05).standing
    <Standing.BEYOND_BOUND: 'beyond the bound: an assumption does not hold here'>
    """
    if not 0.0 <= bound <= 1.0 or margin < 0:
        raise InvalidValueError(f"A bound on an error rate lies in [0, 1], its margin is >= 0; got {bound}, {margin}.")
    low = clopper_pearson(errors, n, level=level, side="low").low or 0.0
    upper = clopper_pearson(errors, n, level=level, side="high").high
    high = 1.0 if upper is None else upper
    numbers = f"{errors} of {n} wrong, limits [{low:.4f}, {high:.4f}], bound {bound:.4f}"
    if high < bound:
        standing = Standing.BEYOND_BOUND
        says = f"Fewer errors than the bound allows ({numbers}): an assumption of the bound does not hold here."
    elif low > bound + margin:
        standing = Standing.CLEAR_OF_BOUND
        says = f"More errors than the bound asks for ({numbers}): other causes dominate, and progress is possible."
    else:
        standing = Standing.AT_BOUND
        says = f"Compatible with being at the bound ({numbers}): more scale cannot be expected to lower it."
    return AnchoredVerdict(standing=standing, bound=bound, error=errors / n, low=low, high=high, n=n, says=says)


def anchored_curve(curve: Curve, claim: Bound, *, margin: float = 0.0, level: float = 0.95) -> AnchoredVerdict:
    """Set the largest scale of a curve beside a claim: the floor that theory gives, beside the one that is fitted.

    Args:
        curve: a curve of counted shares.
        claim: a lower bound on an error, or an upper bound on an accuracy, that is not vacuous.
        margin: how far from the bound still counts as being at it.
        level: of each one-sided limit.

    Raises:
        InsufficientDataError: the largest scale has no item count.
        InvalidValueError: the claim is vacuous, or bounds from the side where it says nothing about a floor.
    """
    if claim.vacuous is not None:
        raise InvalidValueError(f"{claim.statement.id} says nothing at these inputs: {claim.vacuous}.")
    floor = claim.value if claim.quantity.better == "lower" else 1.0 - claim.value
    wanted = "lower" if claim.quantity.better == "lower" else "upper"
    if claim.side not in (wanted, "exact"):
        raise InvalidValueError(
            f"{claim.statement.id} bounds {claim.quantity.name} from the {claim.side} side; only a bound from the "
            f"{wanted} side is a floor under the error."
        )
    last = curve.points[-1]
    if not curve.fraction or last.n is None:
        raise InsufficientDataError(
            f"{curve.task}/{curve.metric} has no item count at its largest scale; the exact limits need one."
        )
    rate = 1.0 - last.value if curve.better == "higher" else last.value
    return anchored(round(rate * last.n), last.n, floor, margin=margin, level=level)


def items_to_refute(rate: float, bound: float, *, level: float = 0.95, step: int = 10) -> int:
    """Smallest n, in steps, at which an observed error rate refutes a bound.

    Args:
        rate: error rate that is expected to be observed, below the bound.
        bound: smallest error rate that the bound allows.
        level: of the one-sided limit.
        step: granularity of n.

    >>> items_to_refute(0.03, 0.05)
    340
    """
    if not 0.0 <= rate < bound <= 1.0:
        raise InvalidValueError(f"Only an error rate below the bound can refute it, got rate={rate}, bound={bound}.")
    n = step
    while True:
        upper = clopper_pearson(round(rate * n), n, level=level, side="high").high
        if upper is not None and upper < bound:
            return n
        n += step


def false_violation_rate(n: int, bound: float, *, level: float = 0.95) -> float:
    """Chance that a system exactly at the bound is called beyond it: at most 1 − level.

    >>> round(false_violation_rate(1000, 0.05), 4)
    0.0433
    """
    errors = np.arange(n + 1)
    upper = np.array([clopper_pearson(int(k), n, level=level, side="high").high or 1.0 for k in errors])
    return float(stats.binom.pmf(errors, n, bound)[upper < bound].sum())
