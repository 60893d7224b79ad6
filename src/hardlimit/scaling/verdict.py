"""The verdict about the next factor of one resource, from a profile likelihood."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hardlimit.core import Estimate, InvalidValueError, Resource, Value, Verdict
from hardlimit.scaling.curve import Curve
from hardlimit.scaling.nested import Best, Bundle, Floats, Functional, functionals, minimise, profile, squares_at
from hardlimit.scaling.noise import Noise


class Rule(Value, frozen=True):
    """The margins and the error level of a verdict.

    Args:
        kappa: the next factor of the resource, > 1.
        next_gain: smallest relative gain of the next factor that is worth having, in (0, 1).
        gain_so_far: relative change over the measured range that counts as none, in (0, 1).
        level: one-sided confidence of every comparison. At 0.95 a false verdict exactly at a margin occurs in up to
            12 % of curves; 0.975 keeps it near 5 %.
        veto_scales: the verdict must also hold for a fit to this many largest scales.
    """

    kappa: float = 10.0
    next_gain: float = 0.10
    gain_so_far: float = 0.10
    level: float = 0.95
    veto_scales: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kappa <= 1:
            raise InvalidValueError(f"kappa is the next factor of the resource and must be > 1, got {self.kappa:g}.")
        for name in ("next_gain", "gain_so_far"):
            if not 0 < getattr(self, name) < 1:
                raise InvalidValueError(f"The margin {name} must lie in (0, 1), got {getattr(self, name):g}.")
        if not 0.5 < self.level < 1:
            raise InvalidValueError(f"The one-sided level must lie in (0.5, 1), got {self.level:g}.")
        if self.veto_scales < 4:
            raise InvalidValueError(f"veto_scales must be >= 4, got {self.veto_scales}.")


class ScalingVerdict(Value, frozen=True):
    """What the next factor of a resource does to one metric of one task, with the evidence.

    Gains are relative cuts of the loss (the distance to the best possible value).

    Args:
        task: the task.
        metric: its metric.
        resource: what there would be more of.
        kappa: the next factor.
        verdict: what it does.
        because: one sentence with the numbers.
        gain_so_far: 1 − f(x_max)/f(x_min), with its interval (two-sided at 2·level − 1; each end one-sided at level).
        next_gain: 1 − f(κ x_max)/f(x_max).
        floor_fraction: share of the last loss that does not shrink, or None where the data cannot say; below 0 where
            the loss falls faster than any power law.
        floor_says: what may be said about a floor.
        exponent: α of the fitted law, ln y = ln Y + ln(1 − φ + φ (x/x_max)^−α).
        reducible: φ of the fitted law: the share of the last loss that it lets shrink; above 1 where it speeds up.
        level_at_largest: fitted loss at the largest scale.
        decades: measured range.
        noise: standard deviation of ln(loss) at one scale.
        noise_source: where the noise was read.
        noise_factor: variance per unit of inverse weight: 1 where the scatter is what the counts say.
        noise_freedom: degrees of freedom the noise is known with, or None where it is taken as known.
        p_values: for each decided verdict, the p-value of its opposite.
        vetoed: the verdict that a fit to the largest scales overruled, or None.
        notes: what a reader must know.
        curve: the data.
    """

    task: str
    metric: str
    resource: Resource
    kappa: float
    verdict: Verdict
    because: str
    gain_so_far: Estimate
    next_gain: Estimate
    floor_fraction: Estimate | None
    floor_says: str
    exponent: float
    reducible: float
    level_at_largest: float
    decades: float
    noise: float
    noise_source: str
    noise_factor: float
    noise_freedom: float | None
    p_values: dict[str, float]
    vetoed: Verdict | None
    notes: tuple[str, ...]
    curve: Curve

    def law(self, scales: Floats) -> Floats:
        """The fitted law's metric at some scales, inside or beyond what was measured."""
        u = np.asarray(scales, dtype=float) / self.curve.scales[-1]
        loss = self.level_at_largest * np.maximum(1 - self.reducible + self.reducible * u**-self.exponent, 0.0)
        return self.curve.metric_of(loss)


ORDER = (Verdict.HURTS, Verdict.CANNOT_PROGRESS, Verdict.SATURATES, Verdict.HELPS)
"""The order in which the rule asks; the first that holds is the verdict."""


def by_margins(so_far: Estimate, gain: Estimate, rule: Rule) -> Verdict:
    """The first of the rule's conditions that holds for two intervals, whose ends the data bound."""
    low, high = so_far.interval.low or 0.0, so_far.interval.high or 0.0
    next_low, next_high = gain.interval.low or 0.0, gain.interval.high or 0.0
    holds = (
        high < -rule.gain_so_far,
        low > -rule.gain_so_far and high < rule.gain_so_far,
        low > rule.gain_so_far and next_high < rule.next_gain,
        next_low > rule.next_gain,
    )
    return next((verdict for verdict, one in zip(ORDER, holds, strict=True) if one), Verdict.UNDETERMINED)


@dataclass(frozen=True)
class Judged:
    """Verdicts of many curves as arrays.

    Args:
        verdict: index into ORDER, or −1 where undetermined, after the veto.
        before_veto: the same before the veto.
        value: each functional at the best fit.
        ends: each functional's interval.
        p: p-values, of shape (curves, 4), in ORDER.
    """

    verdict: NDArray[np.int64]
    before_veto: NDArray[np.int64]
    value: dict[Functional, Floats]
    ends: dict[Functional, tuple[Floats, Floats]]
    p: Floats


def judge(bundle: Bundle, best: Best, noise: Noise, rule: Rule, *, with_p: bool = True) -> Judged:
    """Apply the rule to many curves at once.

    Args:
        bundle: the curves.
        best: their least squares.
        noise: variance and its degrees of freedom; none where these are 0 or less.
        rule: margins and level.
        with_p: whether p-values are wanted; they cost a second search (zeros otherwise).
    """
    known = noise.freedom > 0
    quantile = np.where(known, stats.t.ppf(rule.level, np.maximum(noise.freedom, 1)), np.inf)
    variance = np.maximum(noise.variance, 1e-20)
    limit = best.sse + np.where(known, quantile, 0.0) ** 2 * variance
    ends = profile(bundle, best, limit)
    value = {name: one[:, 0] for name, one in functionals(bundle, best.exponent[:, None], best.change[:, None]).items()}
    (so_far_low, so_far_high), (next_low, next_high) = ends["gain_so_far"], ends["next_gain"]
    holds = np.stack(
        [
            so_far_high < -rule.gain_so_far,
            (so_far_low > -rule.gain_so_far) & (so_far_high < rule.gain_so_far),
            (so_far_low > rule.gain_so_far) & (next_high < rule.next_gain),
            next_low > rule.next_gain,
        ],
        axis=1,
    )
    before = np.where(known & holds.any(axis=1), holds.argmax(axis=1), -1)
    p = _p_values(bundle, best, variance, noise.freedom, rule, value) if with_p else np.zeros(holds.shape)
    return Judged(np.where(_veto(bundle, before, rule), -1, before), before, value, ends, p)


def _veto(bundle: Bundle, verdict: NDArray[np.int64], rule: Rule) -> NDArray[np.bool_]:
    """Whether the point estimate of the next gain over the largest scales contradicts the verdict."""
    order = np.where(bundle.weight > 0, bundle.below, np.inf)
    kept = order <= np.sort(order, axis=1)[:, : rule.veto_scales][:, -1:]
    last = Bundle(bundle.below, bundle.log_y, np.where(kept, bundle.weight, 0.0), bundle.kappa)
    best = minimise(last)
    gain = functionals(last, best.exponent[:, None], best.change[:, None])["next_gain"][:, 0]
    contradicts = np.stack(
        [gain >= 0, np.abs(gain) >= rule.next_gain, gain >= rule.next_gain, gain <= rule.next_gain], axis=1
    )
    vetoed: NDArray[np.bool_] = (verdict >= 0) & contradicts[np.arange(len(verdict)), np.maximum(verdict, 0)]
    return vetoed


def _p_values(
    bundle: Bundle, best: Best, variance: Floats, freedom: Floats, rule: Rule, value: dict[Functional, Floats]
) -> Floats:
    """p-value of the opposite of each verdict, from the signed root of the profile."""

    def above(functional: Functional, margin: float) -> Floats:
        rise = np.maximum(squares_at(bundle, functional, margin) - best.sse, 0.0)
        root = np.sign(value[functional] - margin) * np.sqrt(rise / variance)
        p: Floats = np.where(freedom > 0, stats.t.sf(root, np.maximum(freedom, 1)), 1.0)
        return p

    more_than_nothing = above("gain_so_far", rule.gain_so_far)
    more_than_a_loss = above("gain_so_far", -rule.gain_so_far)
    worth_having = above("next_gain", rule.next_gain)
    unknown = freedom <= 0
    return np.stack(
        [
            np.where(unknown, 1.0, 1 - more_than_a_loss),
            np.where(unknown, 1.0, np.maximum(1 - more_than_nothing, more_than_a_loss)),
            np.where(unknown, 1.0, np.maximum(more_than_nothing, 1 - worth_having)),
            worth_having,
        ],
        axis=1,
    )
