"""Forecasts of larger scales with honest intervals, pooled over the curves of one table.

Each curve is ln y = c + ln(1 + b·h_α(x_max/x)) + a slow wander + noise, where h_α is the Box–Cox power: α > 0 runs into
a floor, α = 0 is a straight line in ln x, α < 0 speeds up. The rate b, the shape α, the noise beyond sampling and how
alike the curves are is averaged over, with weights learnt from all curves of the table (empirical Bayes); so a short
noisy curve is forecast by what its neighbours do, and a long clear one by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from hardlimit.core import InsufficientDataError, Interval, InvalidValueError, Value
from hardlimit.scaling.curve import Curve
from hardlimit.scaling.nested import Floats
from hardlimit.scaling.noise import counted, weighted


class Prior(Value, frozen=True):
    """What is taken as known before the table is seen; chosen on made-up families (bench/forecast.py).

    Args:
        wander: variance per e-fold of scale by which a real curve drifts off its law (5e-5 is 1.1 % a decade).
        shape_mean: mean of the shape α.
        shape_spread: its standard deviation.
        alike: degrees of freedom of the prior on a curve's own noise; small lets curves differ.
        flatten: pseudo-curves that keep every size of rate possible.
    """

    wander: float = 5e-5
    shape_mean: float = 0.4
    shape_spread: float = 0.5
    alike: float = 4.0
    flatten: float = 0.5


class Forecast(Value, frozen=True):
    """What a metric will be at a scale that was not measured.

    Args:
        task: the task.
        metric: its metric.
        scale: where.
        median: of the predictive distribution, in the metric's unit.
        interval: predictive interval for a measurement there, its sampling noise included.
    """

    task: str
    metric: str
    scale: float
    median: float
    interval: Interval


_SHAPES = np.array([-0.5, -0.25, 0.0, 0.25, 0.5, 1.0])
_RATES = np.concatenate([-np.geomspace(0.5, 0.001, 25), [0.0], np.geomspace(0.001, 1.2, 36)])
_RATE_SIZES = (0.01, 0.03, 0.1, 0.3)
_SAMPLING = (0.25, 0.5, 1.0, 2.0)
_BEYOND = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
_COMPONENTS = 300
_ABSENT = 1e12


@dataclass(frozen=True)
class Mixture:
    """Predictive distribution of ln(loss) for each forecast: a mixture of Student distributions.

    Args:
        weight: (forecasts, components).
        centre: the same shape.
        scale: the same shape.
        freedom: (forecasts, 1).
    """

    weight: Floats
    centre: Floats
    scale: Floats
    freedom: Floats

    def cumulative(self, log_loss: Floats) -> Floats:
        """Probability that ln(loss) is at most the value, (forecasts,)."""
        part = special.stdtr(self.freedom, (log_loss[:, None] - self.centre) / self.scale)
        total: Floats = (self.weight * part).sum(axis=1)
        return total

    def log_density(self, log_loss: Floats) -> Floats:
        """Log density of ln(loss), (forecasts,)."""
        nu = self.freedom
        z = (log_loss[:, None] - self.centre) / self.scale
        constant = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - 0.5 * np.log(nu * np.pi)
        part = np.exp(constant - (nu + 1) / 2 * np.log1p(z * z / nu)) / self.scale
        density: Floats = np.log((self.weight * part).sum(axis=1) + 1e-300)
        return density

    def quantile(self, p: float) -> Floats:
        """Quantile of ln(loss), (forecasts,), by Newton's method kept inside a bracket."""
        low = (self.centre - 60 * self.scale).min(axis=1)
        high = (self.centre + 60 * self.scale).max(axis=1)
        at = (self.weight * self.centre).sum(axis=1)
        open_rows = np.arange(len(at))
        for _ in range(80):
            part = Mixture(*(field[open_rows] for field in (self.weight, self.centre, self.scale, self.freedom)))
            here = at[open_rows]
            gap = part.cumulative(here) - p
            low[open_rows] = np.where(gap < 0, here, low[open_rows])
            high[open_rows] = np.where(gap < 0, high[open_rows], here)
            newton = here - gap * np.exp(-part.log_density(here))
            inside = (newton > low[open_rows]) & (newton < high[open_rows])
            at[open_rows] = np.where(inside, newton, (low[open_rows] + high[open_rows]) / 2)
            open_rows = open_rows[np.abs(at[open_rows] - here) > 1e-7]
            if open_rows.size == 0:
                break
        quantile: Floats = at
        return quantile


@dataclass(frozen=True)
class _Data:
    """Curves as padded arrays (curves, points): ln(x_max/x), ln loss, sampling variance of it; and point counts."""

    below: Floats
    log_y: Floats
    variance: Floats
    count: Floats


def _box_cox(log_ratio: Floats, shape: Floats) -> Floats:
    """(ratio^α − 1)/α, and ln ratio at α = 0."""
    safe = np.where(shape == 0, 1.0, shape)
    power: Floats = np.where(shape == 0, log_ratio, np.expm1(safe * log_ratio) / safe)
    return power


def sampling_variance(curve: Curve, loss: Floats, point: int) -> Floats:
    """Variance of ln(loss) from sampling at one point of the curve (its last for scales beyond), 0 if not known."""
    items, errors = curve.items, curve.stderrs
    if counted(curve) and items is not None:
        share = np.clip(curve.best - loss if curve.better == "higher" else loss, 1e-3, 1 - 1e-3)
        return np.asarray(share * (1 - share) / (items[point] * loss**2))
    if weighted(curve) and errors is not None:
        return np.broadcast_to((errors[point] / curve.losses[point]) ** 2, np.shape(loss)).astype(float)
    return np.zeros(np.shape(loss))


def safe_losses(curve: Curve) -> Floats:
    """Losses without zeros: an item count of none wrong is read as half a wrong one."""
    losses, items = curve.losses, curve.items
    if counted(curve) and items is not None:
        return np.maximum(losses, 0.5 / (items + 1))
    if np.any(losses <= 0):
        raise InvalidValueError(
            f"{curve.task}/{curve.metric} reaches or passes its best possible value {curve.best:g}; give the number of "
            "items, or a best value that it cannot reach."
        )
    return losses


def _gather(curves: Sequence[Curve]) -> _Data:
    width = max(len(curve.points) for curve in curves)
    below, log_y = np.zeros((len(curves), width)), np.zeros((len(curves), width))
    variance = np.full((len(curves), width), _ABSENT)
    for row, curve in enumerate(curves):
        count, losses = len(curve.points), safe_losses(curve)
        below[row, :count] = np.log(curve.scales[-1] / curve.scales)
        log_y[row, :count] = np.log(losses)
        variance[row, :count] = [float(sampling_variance(curve, losses[i], i)) for i in range(count)]
    return _Data(below, log_y, variance, np.array([len(curve.points) for curve in curves], dtype=float))


def _grid(prior: Prior) -> tuple[Floats, Floats, Floats]:
    """Shapes and rates on a grid, and prior components over it: (cells, components), each a half-normal of rates."""
    shape_weight = np.exp(-0.5 * ((_SHAPES - prior.shape_mean) / prior.shape_spread) ** 2)
    shape_weight /= shape_weight.sum()
    edges = np.concatenate([_RATES[:1], (_RATES[1:] + _RATES[:-1]) / 2, _RATES[-1:]])
    halves = []
    for size in _RATE_SIZES:
        mass = np.diff(special.ndtr(edges / size))
        halves += [mass * (_RATES > 0), mass * (_RATES < 0)]
    halves.append((_RATES == 0).astype(float))
    shape, rate = (axis.ravel() for axis in np.meshgrid(_SHAPES, _RATES, indexing="ij"))
    components = np.stack([(shape_weight[:, None] * half / half.sum()).ravel() for half in halves], axis=1)
    return shape, rate, components


@dataclass(frozen=True)
class _Member:
    """The table under one setting of the noise: evidence, and what a prediction needs of each curve and cell."""

    evidence: float
    sampling: float
    beyond: float
    posterior: Floats
    level: Floats
    squares: Floats
    residual: Floats
    inverse: Floats


def _member(data: _Data, grid: tuple[Floats, Floats, Floats], prior: Prior, sampling: float, beyond: float) -> _Member:
    shape, rate, components = grid
    walk = data.below.max(axis=1, keepdims=True) - data.below
    cover = prior.wander * np.minimum(walk[:, :, None], walk[:, None, :])
    known = data.variance < _ABSENT
    cover = np.where(known[:, :, None] & known[:, None, :], cover, 0.0)
    width = data.below.shape[1]
    cover[:, np.arange(width), np.arange(width)] += np.where(known, sampling * data.variance + beyond, _ABSENT)
    inverse = np.linalg.inv(cover)
    ones = inverse.sum(axis=2)
    total = ones.sum(axis=1)
    law = 1 + rate[:, None] * _box_cox(data.below[:, None, :], shape[:, None])
    possible = (law > 1e-3).all(axis=2)
    residual = data.log_y[:, None, :] - np.log(np.maximum(law, 1e-3))
    level = np.einsum("bgn,bn->bg", residual, ones, optimize=False) / total[:, None]
    residual = residual - level[:, :, None]
    squares = (np.matmul(residual, inverse) * residual).sum(axis=2)
    squares = np.where(possible, squares, np.inf)
    freedom = prior.alike + data.count - 1
    log_like = -freedom[:, None] / 2 * np.log1p(squares / prior.alike)
    constant = special.gammaln(freedom / 2) - special.gammaln(prior.alike / 2)
    constant = constant - (data.count - 1) / 2 * np.log(prior.alike * np.pi)
    constant = constant - np.linalg.slogdet(cover)[1] / 2 - np.log(total) / 2
    peak = log_like.max(axis=1, keepdims=True)
    likelihood = np.exp(log_like - peak)
    by_component = likelihood @ components
    mix = np.full(components.shape[1], 1 / components.shape[1])
    for _ in range(60):
        share = by_component * mix
        share = share / share.sum(axis=1, keepdims=True)
        mix = (share.sum(axis=0) + prior.flatten) / (len(share) + prior.flatten * mix.size)
    posterior = likelihood * (components @ mix)
    posterior = posterior / posterior.sum(axis=1, keepdims=True)
    evidence = float((np.log(by_component @ mix) + peak[:, 0] + constant).sum() + prior.flatten * np.log(mix).sum())
    return _Member(evidence, sampling, beyond, posterior, level, squares, residual, inverse)


def predictive(curves: Sequence[Curve], scales: Sequence[Sequence[float]], prior: Prior | None = None) -> Mixture:
    """Predictive distributions of ln(loss), curve by curve and scale by scale.

    Args:
        curves: one table: curves measured alike on one family.
        scales: the scales wanted of each curve.
        prior: what is taken as known.

    Returns:
        One row per pair of a curve and a scale, in order.

    Raises:
        InsufficientDataError: a curve of fewer than 3 scales.
    """
    prior = prior or Prior()
    for curve in curves:
        if len(curve.points) < 3:
            raise InsufficientDataError(
                f"{curve.task}/{curve.metric} has {len(curve.points)} scales; a forecast needs at least 3."
            )
    rows = [(row, float(scale)) for row, wanted in enumerate(scales) for scale in wanted]
    made: list[tuple[Floats, Floats, Floats, float] | None] = [None] * len(rows)
    for kind in (True, False):
        members = [row for row, curve in enumerate(curves) if weighted(curve) == kind]
        if not members:
            continue
        wanted = [(place, members.index(row), scale) for place, (row, scale) in enumerate(rows) if row in set(members)]
        for place, mixed in zip(
            [place for place, _, _ in wanted], _mix([curves[row] for row in members], wanted, prior, kind), strict=True
        ):
            made[place] = mixed
    done = [mixed for mixed in made if mixed is not None]
    return Mixture(
        np.stack([mixed[0] for mixed in done]),
        np.stack([mixed[1] for mixed in done]),
        np.stack([mixed[2] for mixed in done]),
        np.array([[mixed[3]] for mixed in done]),
    )


def _mix(
    curves: list[Curve], wanted: list[tuple[int, int, float]], prior: Prior, known: bool
) -> list[tuple[Floats, Floats, Floats, float]]:
    """Mixtures of some curves of one kind, each cut to its heaviest components."""
    data, grid = _gather(curves), _grid(prior)
    members = [
        _member(data, grid, prior, sampling, beyond)
        for sampling in (_SAMPLING if known else (1.0,))
        for beyond in _BEYOND
    ]
    evidence = np.array([member.evidence for member in members])
    weight = np.exp(evidence - evidence.max())
    kept = [(one / weight.sum(), member) for one, member in zip(weight, members, strict=True) if one > 0.02]
    return [_one(curves[row], row, scale, data, grid, prior, kept) for _, row, scale in wanted]


def _one(
    curve: Curve,
    row: int,
    scale: float,
    data: _Data,
    grid: tuple[Floats, Floats, Floats],
    prior: Prior,
    kept: list[tuple[float, _Member]],
) -> tuple[Floats, Floats, Floats, float]:
    shape, rate, _ = grid
    ahead = float(np.log(curve.scales[-1] / scale))
    law = np.log(np.maximum(1 + rate * _box_cox(np.full(rate.shape, ahead), shape), 0.02))
    count = len(curve.points)
    walk = data.below[row, :count].max() - data.below[row, :count]
    to = float(walk.max() - ahead)
    shared = prior.wander * np.minimum(walk, to)
    freedom = prior.alike + count - 1
    weights, centres, scales = [], [], []
    for weight, member in kept:
        inverse = member.inverse[row, :count, :count]
        pull = inverse @ shared
        centre = member.level[row] + law + member.residual[row, :, :count] @ pull
        sampled = sampling_variance(curve, np.exp(centre), -1)
        missing = 1 - inverse.sum(axis=1) @ shared
        spread = member.sampling * sampled + member.beyond + prior.wander * to - shared @ pull
        spread = spread + missing**2 / inverse.sum()
        finite = np.where(np.isfinite(member.squares[row]), member.squares[row], 0.0)
        weights.append(weight * member.posterior[row])
        centres.append(centre)
        scales.append(np.sqrt((prior.alike + finite) / freedom * spread))
    heavy = np.concatenate(weights)
    order = np.argsort(-heavy)[:_COMPONENTS]
    return heavy[order] / heavy[order].sum(), np.concatenate(centres)[order], np.concatenate(scales)[order], freedom


def forecast(
    curves: Sequence[Curve], *, factor: float = 10.0, level: float = 0.9, prior: Prior | None = None
) -> tuple[Forecast, ...]:
    """Forecast every curve of a table at a factor beyond its largest scale.

    Args:
        curves: one table.
        factor: how far beyond, > 1. Beyond 10 the law is anybody's guess.
        level: of the predictive interval.
        prior: what is taken as known.

    >>> curve = Curve.of([1e7, 3e7, 1e8, 3e8, 1e9], [4.0, 3.5, 3.1, 2.8, 2.5])
    >>> made = forecast([curve])[0]
    >>> bool(made.interval.low < made.median < made.interval.high), bool(1.8 < made.median < 2.3)
    (True, True)
    """
    if factor <= 1:
        raise InvalidValueError(f"A forecast looks beyond the largest scale: factor must be > 1, got {factor:g}.")
    scales = [[float(curve.scales[-1] * factor)] for curve in curves]
    mixture = predictive(curves, scales, prior)
    low, middle, high = (mixture.quantile(p) for p in ((1 - level) / 2, 0.5, (1 + level) / 2))
    made = []
    for row, curve in enumerate(curves):
        ends = curve.metric_of(np.exp(np.array([low[row], middle[row], high[row]])))
        if curve.fraction:
            ends = np.clip(ends, 0.0, 1.0)
        first, centre, last = sorted(float(end) for end in ends)
        made.append(
            Forecast(
                task=curve.task,
                metric=curve.metric,
                scale=scales[row][0],
                median=centre,
                interval=Interval(low=first, high=last, level=level, method="pooled predictive"),
            )
        )
    return tuple(made)
