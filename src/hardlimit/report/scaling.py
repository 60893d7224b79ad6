"""Small multiples of a scaling report: one panel per task, laid out here and drawn as SVG by the templates."""

import math
from collections.abc import Callable

import numpy as np

from hardlimit.core import Value, Verdict
from hardlimit.report import numbers
from hardlimit.scaling import Assessed, Curve, Forecast
from hardlimit.scaling.nested import Floats

WIDTH, HEIGHT = 260, 150
LEFT, RIGHT, TOP, BOTTOM = 36, 8, 8, 18
CORRECTIONS = {
    "none": "Verdicts are not corrected for the number of tasks",
    "holm": "Verdicts are corrected so that any false one is unlikely (Holm)",
    "bh": "Verdicts are corrected so that few of them are false (Benjamini–Hochberg)",
}

MEANINGS = {
    Verdict.HELPS: "The next factor cuts the loss by more than the margin.",
    Verdict.SATURATES: "It cut the loss over the measured range; the next factor brings less than the margin.",
    Verdict.CANNOT_PROGRESS: "Over the whole measured range the loss moved by less than the margin, either way.",
    Verdict.HURTS: "Over the measured range the loss rose by more than the margin.",
    Verdict.UNDETERMINED: "These points leave two of these open; the reasons below say what would decide.",
}
"""What each verdict says of a measured curve."""

_LAW_POINTS = 33
_SURE = 1.96
"""Standard errors of an error bar."""

_NEAREST_LABELS = 34
"""Pixels between the middles of two labels of the horizontal axis that can still be told apart."""


class Dot(Value, frozen=True):
    """One measurement in a panel: its place, the ends of its error bar, and what a reader hears of it."""

    x: float
    y: float
    low: float
    high: float
    says: str


class Tick(Value, frozen=True):
    """A label on an axis and its place along it."""

    at: float
    text: str


class Panel(Value, frozen=True):
    """One task laid out in pixels; SVG path data where something is a line or an area.

    Args:
        dots: measurements.
        fitted: the law over the measured range.
        ahead: the law beyond it.
        cone: the predictive interval, from the largest scale to the next factor.
        edge: where the extrapolation begins.
        chance: height at which guessing scores, or None where it is unknown or out of sight.
        across: labels of the horizontal axis.
        up: labels of the vertical axis.
        says: the whole in words, for who cannot see it.
    """

    dots: tuple[Dot, ...]
    fitted: str
    ahead: str
    cone: str
    edge: float
    chance: float | None
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    says: str


def panel(task: Assessed, kappa: float) -> Panel:
    """Lay out one task.

    Args:
        task: an assessed curve.
        kappa: the next factor, where the horizontal axis ends.
    """
    judged = task.judged.scaling
    curve = judged.curve
    first, last = float(curve.scales[0]), float(curve.scales[-1])
    end = last * kappa
    errors = _error_bars(curve)
    inside, beyond = np.geomspace(first, last, _LAW_POINTS), np.geomspace(last, end, _LAW_POINTS)
    fitted, ahead = judged.law(inside), judged.law(beyond)
    bounds = [(one.scale, *_ends(one)) for one in (task.halfway, task.ahead)]
    seen = [*curve.values - errors, *curve.values + errors, *fitted, *ahead, *(y for _, *ends in bounds for y in ends)]
    low, high = _range(float(min(seen)), float(max(seen)), curve)

    def x(scale: float) -> float:
        share = math.log(scale / first) / math.log(end / first)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    here = float(fitted[-1])
    upper = [(last, here), *((scale, top) for scale, _, top in bounds)]
    lower = [(scale, bottom) for scale, bottom, _ in reversed(bounds)]
    return Panel(
        dots=tuple(
            Dot(
                x=x(point.scale),
                y=y(point.value),
                low=y(point.value - error),
                high=y(point.value + error),
                says=f"{amount(point.scale)}: {numbers.plain(point.value)}{_counted(point.n)}",
            )
            for point, error in zip(curve.points, errors.tolist(), strict=True)
        ),
        fitted=_path([(x(scale), y(value)) for scale, value in zip(inside, fitted.tolist(), strict=True)]),
        ahead=_path([(x(scale), y(value)) for scale, value in zip(beyond, ahead.tolist(), strict=True)]),
        cone=_path([(x(scale), y(value)) for scale, value in upper + lower]) + "Z",
        edge=x(last),
        chance=y(curve.chance) if curve.chance is not None and low <= curve.chance <= high else None,
        across=_across([first, last, end], x),
        up=tuple(Tick(at=y(value), text=numbers.plain(value)) for value in _round_numbers(low, high)),
        says=_says(task, kappa),
    )


def _says(task: Assessed, kappa: float) -> str:
    curve = task.judged.scaling.curve
    told = ", ".join(f"{numbers.plain(point.value)} at {amount(point.scale)}" for point in curve.points)
    low, high = task.ahead.interval.low, task.ahead.interval.high
    interval = "" if low is None or high is None else f" ({numbers.plain(low)} to {numbers.plain(high)})"
    return f"{curve.metric}: {told}; forecast at ×{kappa:g}: {numbers.plain(task.ahead.median)}{interval}"


def _error_bars(curve: Curve) -> Floats:
    """Half the length of each error bar: from the standard error, else from the count, else none."""
    made = []
    for point in curve.points:
        error = point.stderr
        if error is None and curve.fraction and point.n is not None:
            error = math.sqrt(point.value * (1 - point.value) / point.n)
        made.append(_SURE * (error or 0.0))
    return np.array(made)


def _ends(one: Forecast) -> tuple[float, float]:
    low, high = one.interval.low, one.interval.high
    return (one.median if low is None else low), (one.median if high is None else high)


def _range(low: float, high: float, curve: Curve) -> tuple[float, float]:
    """The heights shown; a curve that hardly moves is not blown up to look as if it did."""
    least = 0.05 if curve.fraction else 0.02 * max(abs(low), abs(high), 1e-12)
    if high - low < least:
        middle = (low + high) / 2
        low, high = middle - least / 2, middle + least / 2
    room = 0.05 * (high - low)
    low, high = low - room, high + room
    return (max(low, 0.0), min(high, 1.0)) if curve.fraction else (low, high)


def _across(scales: list[float], x: Callable[[float], float]) -> tuple[Tick, ...]:
    """Labels at the ends of the measured range and of the extrapolation, as far as they do not touch."""
    kept: list[Tick] = []
    for scale in reversed(scales):
        tick = Tick(at=x(scale), text=amount(scale))
        if not kept or kept[-1].at - tick.at >= _NEAREST_LABELS:
            kept.append(tick)
    return tuple(reversed(kept))


def _round_numbers(low: float, high: float) -> list[float]:
    """Two to five round numbers between two heights."""
    step = 10.0 ** math.floor(math.log10(high - low))
    for size in (step, step / 2, step / 5, step / 10):
        found = [round(size * count, 12) for count in range(math.ceil(low / size), math.floor(high / size) + 1)]
        if len(found) >= 2:
            return found[:: 1 + (len(found) - 1) // 4]
    return [low, high]


def amount(scale: float) -> str:
    """An amount with the prefix that the field uses.

    >>> amount(6.9e9), amount(1.35e8), amount(3e13), amount(12.0)
    ('6.9B', '135M', '30T', '12')
    """
    for size, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if scale >= size:
            return f"{scale / size:.3g}{name}" if scale < 1e15 else f"{scale:.1e}"
    return f"{scale:.3g}"


def _counted(n: int | None) -> str:
    return "" if n is None else f" of {n:,} items"


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
