"""The sentences of a verdict."""

import numpy as np
from scipy import stats

from hardlimit.core import Estimate, Verdict
from hardlimit.scaling.curve import Curve
from hardlimit.scaling.verdict import Rule

CAVEAT = (
    "A verdict speaks of the next factor, not of infinity. A curve that flattens or takes off just beyond the largest "
    "scale looks the same from here, and no rule can see it."
)


def percent(value: float) -> str:
    """A share as a percentage, with one digit below 10.

    >>> percent(0.123), percent(-0.0345)
    ('12 %', '−3.5 %')
    """
    number = 100 * value
    text = f"{number:.0f}" if abs(number) >= 9.95 else f"{number:.1f}"
    return f"{text} %".replace("-", "−")


def span(estimate: Estimate) -> str:
    """A share with its interval.

    >>> from hardlimit.core import Interval
    >>> span(Estimate(value=0.2, interval=Interval(low=0.1, high=None, level=0.9, method="m"), n=5))
    '20 % [10 %, …]'
    """
    low, high = estimate.interval.low, estimate.interval.high
    ends = f"{'…' if low is None else percent(low)}, {'…' if high is None else percent(high)}"
    return f"{percent(estimate.value)} [{ends}]"


def because(
    verdict: Verdict,
    vetoed: Verdict | None,
    so_far: Estimate,
    gain: Estimate,
    rule: Rule,
    curve: Curve,
    *,
    has_noise: bool,
) -> str:
    """Why a verdict is what it is, in one sentence with the numbers."""
    factor = f"×{rule.kappa:g} of {curve.resource}"
    margin, nothing = percent(rule.next_gain), percent(rule.gain_so_far)
    if verdict is Verdict.HELPS:
        return f"The next {factor} cuts the loss by {span(gain)}, more than the margin of {margin}."
    if verdict is Verdict.SATURATES:
        return f"The loss fell by {span(so_far)} so far, but the next {factor} brings {span(gain)}: below {margin}."
    if verdict is Verdict.CANNOT_PROGRESS:
        return f"Over {curve.decades:.1f} decades the loss changed by {span(so_far)}: nothing beyond ±{nothing}."
    if verdict is Verdict.HURTS:
        return f"Over {curve.decades:.1f} decades the loss ROSE: a gain of {span(so_far)}, beyond −{nothing}."
    if not has_noise:
        return f"{len(curve.points)} scales leave nothing to judge the noise by; at least 4 are needed."
    if vetoed is not None:
        return (
            f"All scales together say {vetoed}, but the {rule.veto_scales} largest contradict it: the curve seems to "
            f"change its course inside the range (gain of the next {factor} over all: {span(gain)})."
        )
    return f"The gain so far {span(so_far)} and of the next {factor} {span(gain)} straddle the margins ({margin})."


def floor_says(floor: Estimate | None, reach: float, *, changed: bool) -> str:
    """What may be said about a floor.

    Args:
        floor: share of the last loss that does not shrink, or None where it cannot be told.
        reach: exponent × decades.
        changed: whether the loss has fallen at all.
    """
    if not changed:
        return "no statement: the loss has not fallen measurably"
    if floor is None:
        return f"no statement: exponent × decades is {reach:.2f}, and below 0.9 a floor looks like a slow power law"
    if floor.interval.low is not None and floor.interval.low > 0:
        return f"floor or slow regime: {span(floor)} of the last loss does not shrink with this law"
    return "no floor detected"


def notes_on(curve: Curve, source: str, sse: float, variance: float, freedom: float) -> tuple[str, ...]:
    """What a reader must know about one curve."""
    notes = []
    if curve.chance is not None and curve.items is not None:
        error = np.sqrt(curve.chance * (1 - curve.chance) / curve.items)
        if np.all(np.abs(curve.values - curve.chance) <= 2.6 * error):
            notes.append(f"At chance ({percent(curve.chance)}) at every scale.")
    points = len(curve.points)
    if source == "pooled over the table" and points > 3 and np.isfinite(freedom) and freedom > points - 3:
        prior_freedom = freedom - (points - 3)
        prior = max((variance * freedom - sse) / prior_freedom, 1e-12)
        p = float(stats.f.sf(sse / (points - 3) / prior, points - 3, prior_freedom))
        if p < 0.01:
            notes.append(f"The law misses the points by more than the table's noise (p = {p:.1g}).")
    if curve.decades < 1:
        notes.append(
            f"Only {curve.decades:.1f} decades of scale; the next factor is extrapolated further than measured."
        )
    return tuple(notes)
