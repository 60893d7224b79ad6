"""What counts as noise on a curve: sampling weights from counts, and variances moderated over a table of curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import special, stats

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.scaling.curve import Curve
from hardlimit.scaling.nested import Best, Bundle, Floats, basis, minimise

NoiseSource: TypeAlias = Literal["own residuals", "pooled over the table", "sampling"]


@dataclass(frozen=True)
class Noise:
    """Variance of ln y per unit of inverse weight, and the degrees of freedom it is known with, per curve.

    Args:
        variance: of shape (curves,).
        freedom: of shape (curves,); infinite where it is known.
        source: where it comes from.
    """

    variance: Floats
    freedom: Floats
    source: NoiseSource


def counted(curve: Curve) -> bool:
    """Whether the curve's noise weights follow from its counts."""
    return curve.fraction and curve.items is not None


def weighted(curve: Curve) -> bool:
    """Whether the sampling noise of the curve is known, from counts or from standard errors."""
    errors = curve.stderrs
    return counted(curve) or (not curve.fraction and errors is not None and bool(np.all(errors > 0)))


def half_an_item(loss: float, items: int) -> float:
    """A counted loss that is no zero: none wrong is read as half a wrong item.

    >>> half_an_item(0.0, 99), half_an_item(0.2, 99)
    (0.005, 0.2)
    """
    return max(loss, 0.5 / (items + 1))


def _start(curve: Curve) -> tuple[Floats, Floats]:
    """First ln y and weight of each point."""
    losses = curve.losses
    if counted(curve):
        items = curve.items
        assert items is not None
        smooth = np.maximum((losses * items + 0.5) / (items + 1), 0.5 / (items + 1))
        return np.log(smooth), _count_weight(smooth, items, curve.best)
    if np.any(losses <= 0):
        raise InvalidValueError(
            f"{curve.task}/{curve.metric} reaches or passes its best possible value {curve.best:g} "
            f"(values {curve.values.tolist()}); give the number of items, or a best value that it cannot reach."
        )
    errors = curve.stderrs
    if weighted(curve) and errors is not None:
        return np.log(losses), (losses / errors) ** 2
    return np.log(losses), np.ones(losses.size)


def _count_weight(loss: Floats, items: Floats, best: float) -> Floats:
    """Inverse variance of ln(loss) when the loss is a share of items (delta method)."""
    share = np.clip(best - loss, 1e-6, 1 - 1e-6) if best > 0 else np.clip(loss, 1e-6, 1 - 1e-6)
    weight: Floats = items * loss**2 / (share * (1 - share))
    return weight


def bundle_of(curves: Sequence[Curve], *, kappa: float = 10.0, rounds: int = 3) -> tuple[Bundle, Best]:
    """Put curves into arrays and fit the nested family; counts are weighted as binomials, without logs of zeros.

    Counts enter through a working response: ln of the fitted loss plus the relative residual, with the binomial's
    weight at the fit, renewed after each fit. A point with no errors at all is so no log of zero, but a small count.

    Args:
        curves: at least one, each with 3 scales or more.
        kappa: the next factor.
        rounds: renewals of the working response.

    Raises:
        InsufficientDataError: a curve of fewer than 3 scales.
    """
    short = [curve for curve in curves if len(curve.points) < 3]
    if short:
        raise InsufficientDataError(
            f"{short[0].task}/{short[0].metric} has {len(short[0].points)} scales; the family with a floor has 3 "
            "shape numbers, so at least 3 are needed, and 4 for an interval from the curve alone."
        )
    width = max(len(curve.points) for curve in curves)
    below, log_y, weight = (np.zeros((len(curves), width)) for _ in range(3))
    for row, curve in enumerate(curves):
        count = len(curve.points)
        below[row, :count] = np.log(curve.scales[-1] / curve.scales)
        log_y[row, :count], weight[row, :count] = _start(curve)
    bundle = Bundle(below, log_y, weight, kappa)
    best = minimise(bundle)
    rows = [row for row, curve in enumerate(curves) if counted(curve)]
    for _ in range(rounds if rows else 0):
        fitted = np.exp(fitted_log(bundle, best))
        for row in rows:
            curve, items = curves[row], curves[row].items
            assert items is not None
            at = fitted[row, : items.size]
            log_y[row, : items.size] = np.log(at) + np.clip((curve.losses - at) / at, -2, 2)
            weight[row, : items.size] = _count_weight(at, items, curve.best)
        best = minimise(bundle)
    return bundle, best


def fitted_log(bundle: Bundle, best: Best) -> Floats:
    """Fitted ln y at every scale, of shape (curves, scales)."""
    shape = shape_of(bundle, best, bundle.below)
    level = (bundle.weight * (bundle.log_y - shape)).sum(axis=1) / bundle.weight.sum(axis=1)
    fitted: Floats = level[:, None] + shape
    return fitted


def shape_of(bundle: Bundle, best: Best, below: Floats) -> Floats:
    """Shape ln f(x)/f(x_max) at places given as ln(x_max/x), of shape (curves, places); negative places extrapolate."""
    _, top = basis(bundle, best.exponent[:, None])
    inside = np.expm1(best.exponent[:, None] * below) / top
    shape: Floats = np.log(np.maximum(1 + np.expm1(best.change)[:, None] * inside, 1e-12))
    return shape


def own_noise(bundle: Bundle, best: Best) -> Noise:
    """Variance from each curve's own residuals, with scales − 3 degrees of freedom."""
    freedom = (bundle.weight > 0).sum(axis=1) - 3.0
    return Noise(best.sse / np.maximum(freedom, 1), freedom, "own residuals")


def sampling_noise(curves: Sequence[Curve]) -> Noise:
    """Variance as the counts or standard errors say, taken as known: for curves with no other source of noise.

    Raises:
        InvalidValueError: a curve without counts or standard errors.
    """
    missing = [curve for curve in curves if not weighted(curve)]
    if missing:
        raise InvalidValueError(
            f"{missing[0].task}/{missing[0].metric} has neither counts nor standard errors, so its sampling noise is "
            "not known; use the noise of its own residuals."
        )
    return Noise(np.ones(len(curves)), np.full(len(curves), np.inf), "sampling")


def pooled_noise(own: Noise, groups: Sequence[str]) -> Noise:
    """Moderate each curve's variance towards its group's: a scaled inverse χ² prior fitted to all of them.

    Curves of one table share most of what makes noise (the models, the harness, the number of items), so the table
    knows the noise better than the 4 or 5 degrees of freedom of one curve. The prior's own degrees of freedom say how
    alike the curves are: few where they differ, and then little is gained.

    Args:
        own: variance from own residuals.
        groups: name of each curve's group; variances in one group must be in the same unit.

    Source:
        Smyth (2004), Stat. Appl. Genet. Mol. Biol. 3:3, sections 4 and 6.2 (moderated t).
    """
    variance, freedom = own.variance.copy(), own.freedom.copy()
    names = np.array(groups)
    for name in np.unique(names):
        members = np.flatnonzero(names == name)
        prior, weight = _prior(own.variance[members], own.freedom[members])
        if weight == 0:
            continue
        weight = min(weight, float(own.freedom[members].clip(min=0).sum()))
        total = own.freedom[members].clip(min=0) + weight
        variance[members] = (own.freedom[members].clip(min=0) * own.variance[members] + weight * prior) / total
        freedom[members] = total
    return Noise(variance, freedom, "pooled over the table")


def _prior(variance: Floats, freedom: Floats) -> tuple[float, float]:
    """Location and degrees of freedom of the prior; curves that no law of the family fits are left out of it.

    Such a curve (one with a break, say) has residuals far above any noise, and would make the whole table look noisy.
    The first look for them is against the median, the next against the prior that the others give.

    Source:
        Phipson et al. (2016), Ann. Appl. Stat. 10:946, for the idea of a robust prior.
    """
    usable = (freedom > 0) & (variance > 0)
    if usable.sum() < 3:
        return 0.0, 0.0
    variance, freedom = variance[usable], freedom[usable]
    prior, weight = float(np.median(variance * freedom / stats.chi2.median(freedom))), np.inf
    kept = np.ones(variance.size, dtype=bool)
    for cut in (1e-5, *[1e-3] * 9):
        fits = np.asarray(stats.f.sf(variance / prior, freedom, min(weight, 1e6)) >= cut)
        if fits.sum() < 3:
            break
        prior, weight = _moments(variance[fits], freedom[fits])
        if np.array_equal(fits, kept):
            break
        kept = fits
    return prior, weight


def _moments(variance: Floats, freedom: Floats) -> tuple[float, float]:
    """The prior whose log variances have the mean and spread of these."""
    half = freedom / 2
    logs = np.log(variance) - special.digamma(half) + np.log(half)
    spread = float(logs.var(ddof=1) - special.polygamma(1, half).mean())
    if spread <= 0:
        return float(np.exp(logs.mean())), float("inf")
    weight = 2 * _trigamma_inverse(spread)
    return float(np.exp(logs.mean() + special.digamma(weight / 2) - np.log(weight / 2))), weight


def _trigamma_inverse(value: float) -> float:
    """The x with ψ'(x) = value, by Newton's method on 1/ψ'."""
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x
