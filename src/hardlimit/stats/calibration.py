"""Does confidence mean anything: calibration error, risk–coverage curve, ranking."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy.optimize import brentq

from hardlimit.core import Estimate, InsufficientDataError, Interval, InvalidValueError, Value
from hardlimit.stats.intervals import check_level, estimate, expanded_tail, mean_interval

Floats = NDArray[np.float64]


class Bin(Value, frozen=True):
    """One bin of a reliability diagram.

    Args:
        confidence: mean stated confidence in the bin.
        accuracy: share right in the bin.
    """

    confidence: float
    accuracy: Estimate


class CoveragePoint(Value, frozen=True):
    """One point of a risk–coverage curve: answer only where the confidence is at least `threshold`.

    Args:
        coverage: share of cases answered, in (0, 1].
        threshold: the smallest confidence that is answered.
        risk: share of the answered cases that are wrong.
    """

    coverage: float
    threshold: float
    risk: Estimate


class RiskCoverage(Value, frozen=True):
    """A risk–coverage curve and its area.

    Args:
        points: in increasing coverage.
        aurc: area under the curve: mean risk over all numbers of answered cases (lower is better).
    """

    points: tuple[CoveragePoint, ...]
    aurc: Estimate


def _pairs(confidence: ArrayLike, right: ArrayLike, *, unit: bool = True) -> tuple[Floats, Floats]:
    c, r = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    if c.shape != r.shape or c.ndim != 1:
        raise InvalidValueError(f"Every case needs a confidence and a grade, got shapes {c.shape} and {r.shape}.")
    if c.size == 0:
        raise InsufficientDataError("Calibration over 0 cases is not a number; measure at least one case.")
    if not np.isin(r, (0.0, 1.0)).all():
        raise InvalidValueError("Grades must be right or not right (1 or 0).")
    if not np.isfinite(c).all():
        raise InvalidValueError("Confidences must be finite.")
    if unit and not ((c >= 0) & (c <= 1)).all():
        raise InvalidValueError(f"Confidences must lie in [0, 1], got {c.min():g} to {c.max():g}.")
    return c, r


def _bin_of(confidence: Floats, bins: int) -> NDArray[np.int64]:
    if bins < 1:
        raise InvalidValueError(f"bins must be >= 1, got {bins}.")
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def reliability(confidence: ArrayLike, right: ArrayLike, *, bins: int = 10, level: float = 0.95) -> tuple[Bin, ...]:
    """Accuracy in bins of equal width of stated confidence; empty bins are left out.

    >>> [bin.accuracy.value for bin in reliability([0.9, 0.95, 0.2], [1, 0, 0])]
    [0.0, 0.5]
    """
    c, r = _pairs(confidence, right)
    where = _bin_of(c, bins)
    return tuple(
        Bin(
            confidence=float(c[where == b].mean()),
            accuracy=estimate(int(r[where == b].sum()), int(np.sum(where == b)), level=level),
        )
        for b in np.unique(where)
    )


def expected_calibration_error(
    confidence: ArrayLike, right: ArrayLike, *, bins: int = 10, level: float = 0.95
) -> Estimate:
    """Mean gap between stated confidence and accuracy over bins of equal width (ECE), with an interval.

    The value is the usual plug-in, so that it can be set beside published ones; it is biased upwards, since noise in
    a bin looks like a gap. The interval is for the population's ECE over the same bins and corrects for that bias on
    its low side, so it errs on the wide side (a bootstrap of the plug-in misses a calibrated model nearly always).

    Args:
        confidence: stated confidence per case, in [0, 1].
        right: grade per case.
        bins: number of bins of equal width.
        level: confidence of the interval, covered at least.

    Raises:
        InsufficientDataError: no cases.

    Source:
        Naeini, Cooper & Hauskrecht (2015), AAAI, for ECE; the interval is derived here from Jensen's inequality.

    >>> expected_calibration_error([0.8] * 100, [1] * 80 + [0] * 20)
    Estimate(value=..., interval=Interval(low=0.0, high=0.079..., ...), n=100, artefacts=0)
    """
    check_level(level)
    c, r = _pairs(confidence, right)
    n, where = c.size, _bin_of(c, bins)
    sizes = np.bincount(where, minlength=bins).astype(float)
    filled = sizes > 0
    sizes = sizes[filled]
    gap = np.bincount(where, weights=r - c, minlength=bins)[filled] / sizes
    hits = np.bincount(where, weights=r, minlength=bins)[filled]
    # Spread of a grade around its confidence within a bin; one case added on each side so that it is never zero.
    smooth = (hits + 1) / (sizes + 2)
    spread = smooth * (1 - smooth)
    value = float(sizes @ np.abs(gap)) / n
    # |gap| has at most the variance of gap, and n·ECE is a sum over cases of sign·(grade − confidence).
    error = np.sqrt((sizes @ spread + sizes @ (np.abs(gap) - value) ** 2) / n**2)
    z = float(special.ndtri(1 - (1 - level) / 2))
    at_bin = np.sqrt(spread / sizes)
    bias = float(sizes @ (at_bin * _folding_bias(np.maximum(np.abs(gap) / at_bin - 2, 0)))) / n
    interval = Interval(
        low=float(max(0.0, value - bias - z * error)),
        high=float(min(1.0, value + z * error)),
        level=level,
        method=f"bias-bounded normal, {bins} bins of equal width",
    )
    return Estimate(value=value, interval=interval, n=n)


def _folding_bias(gap: Floats) -> Floats:
    """E|N(gap, 1)| − |gap|: what noise of unit size adds to the size of a gap."""
    bias: Floats = 2 * np.exp(-(gap**2) / 2) / np.sqrt(2 * np.pi) - 2 * gap * special.ndtr(-gap)
    return bias


def brier(confidence: ArrayLike, right: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean squared gap between confidence and grade (Brier score; lower is better).

    Raises:
        InsufficientDataError: fewer than 2 cases.

    Source:
        Brier (1950), Monthly Weather Review 78:1.

    >>> round(brier([0.8, 0.4], [1, 0]).value, 12)
    0.1
    """
    c, r = _pairs(confidence, right)
    losses = (c - r) ** 2
    student = mean_interval(losses, level=level)
    low = None if student.low is None else max(0.0, student.low)
    high = None if student.high is None else min(1.0, student.high)
    interval = Interval(low=low, high=high, level=level, method=student.method)
    return Estimate(value=float(losses.mean()), interval=interval, n=c.size)


def auroc(confidence: ArrayLike, right: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Chance that a right answer has more confidence than a wrong one; ties count half.

    The interval inverts a score, so that perfect separation does not give an interval of no width.

    Args:
        confidence: any number per case; only its order matters.
        right: grade per case; both grades must occur.
        level: confidence.

    Raises:
        InsufficientDataError: all cases right, or none.

    Source:
        Hanley & McNeil (1982), Radiology 143:29; Newcombe (2006), Stat. Med. 25:559, method 5.

    >>> auroc([0.9, 0.8, 0.7, 0.1], [1, 1, 0, 0])
    Estimate(value=1.0, interval=Interval(low=0.3..., high=1.0, ...), n=4, artefacts=0)
    """
    check_level(level)
    c, r = _pairs(confidence, right, unit=False)
    rights, wrongs = c[r == 1], c[r == 0]
    if rights.size == 0 or wrongs.size == 0:
        raise InsufficientDataError(
            f"A ranking needs right and wrong answers, got {rights.size} right and {wrongs.size} wrong."
        )
    order = np.sort(wrongs)
    below = np.searchsorted(order, rights, side="left") + np.searchsorted(order, rights, side="right")
    value = float(below.sum()) / (2 * rights.size * wrongs.size)
    z = float(special.ndtri(1 - (1 - level) / 2))
    extra = (rights.size + wrongs.size) / 2 - 1

    def outside(theta: float) -> float:
        ranked = (1 - theta) / (2 - theta) + theta / (1 + theta)
        variance = theta * (1 - theta) * (1 + extra * ranked) / (rights.size * wrongs.size)
        return float((value - theta) ** 2 - z * z * variance)

    # 0 and 1 have no variance and always solve the equation: the end wanted is the other root.
    low = 0.0 if value == 0.0 else float(brentq(outside, 0.0, min(value, 1 - 1e-9)))
    high = 1.0 if value == 1.0 else float(brentq(outside, max(value, 1e-9), 1.0))
    return Estimate(value=value, interval=Interval(low=low, high=high, level=level, method="newcombe score"), n=c.size)


def _areas(weights: NDArray[np.int64], wrong: NDArray[np.int64]) -> Floats:
    """Mean risk over 1..n answered cases, per row; columns are tie groups in falling confidence.

    Inside a tie the order is random, so errors grow evenly: the sum over it has a closed form in harmonic numbers.
    """
    done = np.cumsum(weights, axis=1)
    errors = np.cumsum(wrong, axis=1)
    before, errors_before = done - weights, errors - wrong
    rate = wrong / np.maximum(weights, 1)
    harmonic = special.digamma(done + 1.0) - special.digamma(before + 1.0)
    total = (rate * weights + (errors_before - rate * before) * harmonic).sum(axis=1)
    areas: Floats = total / done[:, -1]
    return areas


def risk_coverage(
    confidence: ArrayLike,
    right: ArrayLike,
    *,
    rng: np.random.Generator,
    points: int = 20,
    level: float = 0.95,
    replicates: int = 1000,
) -> RiskCoverage:
    """Risk of the answered cases as coverage falls, and the area under it (AURC) with a bootstrap interval.

    Cases of equal confidence are answered together: a constant confidence gives a flat curve at the error rate.

    Args:
        confidence: any number per case; only its order matters.
        right: grade per case.
        rng: source of randomness for the area's interval.
        points: at most this many points of the curve, evenly spread over coverage; the last has coverage 1.
        level: confidence.
        replicates: bootstrap replicates.

    Raises:
        InsufficientDataError: fewer than 2 cases.

    Source:
        Geifman & El-Yaniv (2017), Selective classification; Geifman et al. (2019), AURC.

    >>> curve = risk_coverage([0.9, 0.8, 0.2, 0.1], [1, 1, 1, 0], rng=np.random.default_rng(0))
    >>> [(p.coverage, p.risk.value) for p in curve.points], curve.aurc.value
    ([(0.25, 0.0), (0.5, 0.0), (0.75, 0.0), (1.0, 0.25)], 0.0625)
    """
    c, r = _pairs(confidence, right, unit=False)
    if c.size < 2:
        raise InsufficientDataError("A risk–coverage curve needs at least 2 cases, got 1.")
    levels, group = np.unique(-c, return_inverse=True)
    sizes = np.bincount(group)
    wrong = np.bincount(group, weights=1 - r).astype(np.int64)
    done, errors = np.cumsum(sizes), np.cumsum(wrong)
    shown = sorted({int(np.searchsorted(done, np.ceil(c.size * k / points))) for k in range(1, points + 1)})
    curve = tuple(
        CoveragePoint(
            coverage=float(done[g] / c.size),
            threshold=float(-levels[g]),
            risk=estimate(int(errors[g]), int(done[g]), level=level),
        )
        for g in shown
    )
    value = float(_areas(sizes[None, :], wrong[None, :])[0])
    cells = np.concatenate([sizes - wrong, wrong]) / c.size
    draws = rng.multinomial(c.size, cells, size=replicates)
    good, bad = draws[:, : sizes.size], draws[:, sizes.size :]
    alpha = expanded_tail(level, c.size)
    low, high = np.quantile(_areas(good + bad, bad), [alpha, 1 - alpha])
    interval = Interval(
        low=float(min(low, value)), high=float(max(high, value)), level=level, method="bootstrap percentile"
    )
    return RiskCoverage(points=curve, aurc=Estimate(value=value, interval=interval, n=c.size))
