"""One family that holds the constant, the power law and the power law with a floor; its profile likelihood.

With u = x / x_max,      ln y = ln Y + ln(1 − φ + φ u^−α) + noise,
φ = 0 is the constant, φ = 1 the power law, 0 < φ < 1 a floor of (1 − φ) of the last value, φ < 0 a rise, and φ > 1 a
loss that falls ever faster (an ability that appears late); with α near 0 it is a straight line in ln x.
For a given exponent the other shape number is searched as L = ln f(x_min)/f(x_max), the whole change in the range, in
which the sum of squares is nearly a parabola; the level Y is a mean. Every function works on many curves at once.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Functional: TypeAlias = Literal["gain_so_far", "next_gain", "floor_fraction"]
FUNCTIONALS: tuple[Functional, ...] = ("gain_so_far", "next_gain", "floor_fraction")

EXPONENTS = (0.01, 3.0)
"""Exponents searched: below, the law is a logarithm; above, only the smallest scale differs from a constant."""

_GRID = 32
_LARGEST_CHANGE = 25.0
_CLOSE = 1e-6
_LARGEST_NEXT_GAIN = 0.98
"""A loss that speeds up is not believed to lose more than this by the next factor; a power law may."""


@dataclass(frozen=True)
class Bundle:
    """Curves as arrays of shape (curves, scales); scales of weight 0 are padding.

    Args:
        below: ln(x_max / x), >= 0.
        log_y: ln y.
        weight: inverse variance of ln y up to a factor per curve.
        kappa: the next factor, > 1.
    """

    below: Floats
    log_y: Floats
    weight: Floats
    kappa: float = 10.0

    def __len__(self) -> int:
        return int(self.below.shape[0])

    @property
    def span(self) -> Floats:
        """ln(x_max / x_min) per curve."""
        span: Floats = np.where(self.weight > 0, self.below, 0.0).max(axis=1)
        return span

    def take(self, rows: NDArray[np.int64]) -> "Bundle":
        """Some of the curves."""
        return Bundle(self.below[rows], self.log_y[rows], self.weight[rows], self.kappa)


@dataclass(frozen=True)
class Best:
    """The least squares of each curve: exponent, change over the range, and the weighted sum of squares."""

    exponent: Floats
    change: Floats
    sse: Floats


def basis(bundle: Bundle, exponent: Floats) -> tuple[Floats, Floats]:
    """(u^−α − 1) as a share of its value at x_min, and that value.

    Args:
        bundle: the curves.
        exponent: of shape (curves, k).

    Returns:
        Arrays of shape (curves, k, scales) and (curves, k).
    """
    top = np.expm1(exponent * bundle.span[:, None])
    return np.expm1(exponent[:, :, None] * bundle.below[:, None, :]) / top[:, :, None], top


def steepest(bundle: Bundle, exponent: Floats) -> Floats:
    """The largest change over the range: beyond the power law the loss may speed up, but not be used up by κ x_max.

    Args:
        bundle: the curves.
        exponent: of shape (curves, k).

    Returns:
        Changes L of shape (curves, k), at least those of the power law (φ = 1).
    """
    phi = np.maximum(_LARGEST_NEXT_GAIN / -np.expm1(-exponent * np.log(bundle.kappa)), 1.0)
    most: Floats = np.log1p(phi * np.expm1(exponent * bundle.span[:, None]))
    return most


def _squares(bundle: Bundle, share: Floats, change: Floats) -> tuple[Floats, Floats, Floats]:
    """Sum of squares at a change L, with its half-gradient and its Gauss–Newton curvature in L."""
    shape = np.log1p(np.expm1(change)[..., None] * np.minimum(share, 1.0))
    slope = np.exp(change)[..., None] * share * np.exp(-shape)
    weight = bundle.weight[:, None, :]
    total = weight.sum(axis=-1)
    residual = bundle.log_y[:, None, :] - shape
    residual = residual - ((weight * residual).sum(axis=-1) / total)[..., None]
    slope = slope - ((weight * slope).sum(axis=-1) / total)[..., None]
    return (
        np.einsum("bkn,bkn,bkn->bk", weight, residual, residual, optimize=False),
        np.einsum("bkn,bkn,bkn->bk", weight, residual, slope, optimize=False),
        np.einsum("bkn,bkn,bkn->bk", weight, slope, slope, optimize=False),
    )


def fit_change(bundle: Bundle, exponent: Floats) -> tuple[Floats, Floats]:
    """Least squares in the change L for given exponents, up to the steepest.

    Args:
        bundle: the curves.
        exponent: of shape (curves, k).

    Returns:
        The change and its sum of squares, both of shape (curves, k).
    """
    share, _ = basis(bundle, exponent)
    most = steepest(bundle, exponent)
    weight, centred = (
        bundle.weight,
        bundle.below
        - (bundle.weight * bundle.below).sum(axis=1, keepdims=True) / bundle.weight.sum(axis=1, keepdims=True),
    )
    slope = (weight * centred * bundle.log_y).sum(axis=1) / (weight * centred**2).sum(axis=1)
    change = np.minimum(np.broadcast_to((slope * bundle.span)[:, None], exponent.shape), most)
    change = np.clip(change, -_LARGEST_CHANGE, _LARGEST_CHANGE)
    sse, gradient, curvature = _squares(bundle, share, change)
    damping = np.full(exponent.shape, 1e-4)
    for _ in range(40):
        trial = np.minimum(change + gradient / (curvature * (1 + damping) + 1e-300), most)
        trial = np.clip(trial, change - 3, change + 3)
        new, new_gradient, new_curvature = _squares(bundle, share, trial)
        better = new <= sse
        settled = np.abs(trial - change) < _CLOSE
        change, gradient = np.where(better, trial, change), np.where(better, new_gradient, gradient)
        curvature, sse = np.where(better, new_curvature, curvature), np.where(better, new, sse)
        damping = np.where(better, damping * 0.1, damping * 10 + 1e-4)
        if settled.all():
            break
    return change, sse


def minimise(bundle: Bundle) -> Best:
    """Least squares over the whole family: a grid of exponents, then three zooms around the best."""
    low, high = np.log(EXPONENTS[0]), np.log(EXPONENTS[1])
    logs = np.broadcast_to(np.linspace(low, high, _GRID), (len(bundle), _GRID))
    width = (high - low) / (_GRID - 1)
    rows = np.arange(len(bundle))
    for _ in range(4):
        change, sse = fit_change(bundle, np.exp(logs))
        best = sse.argmin(axis=1)
        found = Best(np.exp(logs[rows, best]), change[rows, best], sse[rows, best])
        logs = np.clip(logs[rows, best][:, None] + width * np.linspace(-1, 1, 9), low, high)
        width /= 4
    return found


def functionals(bundle: Bundle, exponent: Floats, change: Floats) -> dict[Functional, Floats]:
    """The three numbers that the verdict is about, for shapes given by exponent and change (curves, k)."""
    _, top = basis(bundle, exponent)
    phi = np.expm1(change) / top
    return {
        "gain_so_far": -np.expm1(-change),
        "next_gain": phi * -np.expm1(-exponent * np.log(bundle.kappa)),
        "floor_fraction": 1.0 - phi,
    }


def _edge(bundle: Bundle, exponent: Floats, start: Floats, limit: Floats, sign: int) -> Floats:
    """The change at which the sum of squares reaches the limit, going up or down from its minimum."""
    share, _ = basis(bundle, exponent)
    most = steepest(bundle, exponent) if sign > 0 else np.full(exponent.shape, np.inf)
    sse, _, curvature = _squares(bundle, share, start)
    inside, outside = start, np.full(exponent.shape, sign * np.inf)
    at = start + sign * np.sqrt(np.maximum(limit[:, None] - sse, 0) / np.maximum(curvature, 1e-12))
    at = np.clip(at, start - 3, start + 3)
    for _ in range(40):
        at = np.minimum(at, most)
        sse, gradient, _ = _squares(bundle, share, at)
        within = sse <= limit[:, None]
        inside, outside = np.where(within, at, inside), np.where(within, outside, at)
        newton = at + (limit[:, None] - sse) / np.where(gradient == 0, 1e-300, -2 * gradient)
        between = (newton - inside) * sign > 0
        between &= (outside - newton) * sign > 0
        further = inside + sign * (0.1 + 2 * np.abs(inside - start))
        step = np.where(np.isfinite(outside), (inside + outside) / 2, further)
        moved = np.where(between & (np.abs(newton - inside) < 6), newton, step)
        done = (np.abs(moved - at) < _CLOSE) | (within & (at >= most)) | (np.abs(inside - start) > _LARGEST_CHANGE)
        at = np.where(done, at, moved)
        if done.all():
            break
    edge: Floats = np.minimum(at, most)
    return edge


def _exponent_range(bundle: Bundle, best: Best, limit: Floats) -> tuple[Floats, Floats]:
    """Smallest and largest exponent whose best fit stays within the limit (logs), by bisection."""
    ends = []
    logs = np.broadcast_to(np.linspace(np.log(EXPONENTS[0]), np.log(EXPONENTS[1]), _GRID), (len(bundle), _GRID))
    _, sse = fit_change(bundle, np.exp(logs))
    within = sse <= limit[:, None]
    centre = np.log(best.exponent)
    for outer, pick in ((logs[:, 0], np.min), (logs[:, -1], np.max)):
        inside = pick(np.where(within, logs, centre[:, None]), axis=1)
        inside = np.minimum(inside, centre) if pick is np.min else np.maximum(inside, centre)
        gap = logs[0, 1] - logs[0, 0]
        outside = np.clip(inside - gap if pick is np.min else inside + gap, logs[:, 0], logs[:, -1])
        reached = fit_change(bundle, np.exp(outer)[:, None])[1][:, 0] <= limit
        for _ in range(14):
            middle = (inside + outside) / 2
            ok = fit_change(bundle, np.exp(middle)[:, None])[1][:, 0] <= limit
            inside, outside = np.where(ok, middle, inside), np.where(ok, outside, middle)
        ends.append(np.where(reached, outer, inside))
    return ends[0], ends[1]


def profile(bundle: Bundle, best: Best, limit: Floats) -> dict[Functional, tuple[Floats, Floats]]:
    """Ends of each functional over all shapes whose sum of squares is within the limit: profile intervals.

    Args:
        bundle: the curves.
        best: their least squares.
        limit: largest sum of squares allowed, per curve.
    """
    low, high = _exponent_range(bundle, best, limit)
    nodes = (1 - np.cos(np.linspace(0, np.pi, 17))) / 2
    logs = low[:, None] + (high - low)[:, None] * nodes
    step = (high - low) / 10
    ends = {name: (np.full(len(bundle), np.inf), np.full(len(bundle), -np.inf)) for name in FUNCTIONALS}
    at = {(name, side): np.zeros(len(bundle)) for name in FUNCTIONALS for side in (0, 1)}
    rows = np.arange(len(bundle))

    def update(points: Floats) -> None:
        exponent = np.exp(points)
        start, _ = fit_change(bundle, exponent)
        lower = functionals(bundle, exponent, _edge(bundle, exponent, start, limit, -1))
        upper = functionals(bundle, exponent, _edge(bundle, exponent, start, limit, +1))
        for name in FUNCTIONALS:
            smallest, largest = np.minimum(lower[name], upper[name]), np.maximum(lower[name], upper[name])
            least, most = smallest.argmin(axis=1), largest.argmax(axis=1)
            down, up = ends[name]
            at[name, 0] = np.where(smallest[rows, least] < down, points[rows, least], at[name, 0])
            at[name, 1] = np.where(largest[rows, most] > up, points[rows, most], at[name, 1])
            ends[name] = (np.minimum(down, smallest[rows, least]), np.maximum(up, largest[rows, most]))

    update(logs)
    for shrink in (1.0, 0.25):
        around = step[:, None] * shrink * np.array([-0.75, -0.4, 0.4, 0.75])
        zoom = np.concatenate([at[key][:, None] + around for key in at], axis=1)
        update(np.clip(zoom, low[:, None], high[:, None]))
    return ends


def squares_at(bundle: Bundle, functional: Functional, value: float) -> Floats:
    """Least sum of squares among shapes whose functional has the value: the profile, one point of it per curve.

    Args:
        bundle: the curves.
        functional: which of the three numbers is held.
        value: at which it is held.

    Returns:
        Array of shape (curves,); infinite where no shape has the value.
    """
    low, high = np.log(EXPONENTS[0]), np.log(EXPONENTS[1])
    logs = np.broadcast_to(np.linspace(low, high, 2 * _GRID), (len(bundle), 2 * _GRID))
    width = (high - low) / (2 * _GRID - 1)
    rows = np.arange(len(bundle))
    least = np.full(len(bundle), np.inf)
    for _ in range(4):
        exponent = np.exp(logs)
        share, top = basis(bundle, exponent)
        if functional == "gain_so_far":
            ratio = np.full(exponent.shape, 1 / (1 - value))
        elif functional == "next_gain":
            ratio = 1 + top * value / -np.expm1(-exponent * np.log(bundle.kappa))
        else:
            ratio = 1 + top * (1 - value)
        possible = (ratio > 0) & (ratio <= np.exp(steepest(bundle, exponent)) * (1 + 1e-12))
        sse, _, _ = _squares(bundle, share, np.log(np.where(possible, ratio, 1.0)))
        sse = np.where(possible, sse, np.inf)
        best = sse.argmin(axis=1)
        least = np.minimum(least, sse[rows, best])
        logs = np.clip(logs[rows, best][:, None] + width * np.linspace(-1, 1, 9), low, high)
        width /= 4
    return least
