"""Charts for any measurement, known or not: what its claims add, and a picture where its points have one axis."""

import math

from hardlimit.core import Measurement, Point, Quantity
from hardlimit.report import numbers
from hardlimit.report.charts.marks import Axis, Line, Plot, curves, dots, row
from hardlimit.report.charts.picture import Picture, Scene, is_number

MOST_SERIES = 12
"""Beyond this many lines a chart is a tangle, and the table reads better."""

MOST_TICKS = 12
FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def share(title: str) -> Axis:
    """Make an axis from 0% to 100%."""
    return Axis(title=title, domain=(0.0, 1.0), ticks=FIFTHS, format=".0%")


def value_axis(quantity: Quantity) -> Axis:
    """The axis of a quantity's values: a probability's runs from 0% to 100%."""
    if quantity.unit == "probability":
        return share(quantity.name)
    unit = "" if quantity.unit in {"ratio", "exponent", "score"} else f" ({quantity.unit})"
    return Axis(title=quantity.name + unit, format="~s" if quantity.unit in numbers.COUNTS else "")


def claim_lines(scene: Scene) -> tuple[Line, ...]:
    """What the findings' claims look like on the measurement's chart: curves, and rules at their bounds."""
    curved = tuple(
        Line(kind="theory", label=f"{claim.statement.id}: {claim.statement.name}", points=claim.points)
        for claim in scene.shapes
    )
    sides = {"upper": "at most", "lower": "at least", "exact": "exactly"}
    ruled = tuple(
        Line(
            kind="theory",
            label=f"{claim.statement.id}: {sides[claim.side]} {numbers.with_unit(claim.value, claim.quantity)}",
            y=claim.value,
        )
        for claim in scene.bounds
    )
    return curved + ruled


def positive(values: tuple[float, ...]) -> bool:
    """Whether a logarithmic axis can show all of them."""
    return bool(values) and min(values) > 0


def powers(base: int, values: tuple[float, ...], *, every: int = 1) -> tuple[float, ...]:
    """Return the powers of a base that lie within a factor `base` of the values, for the labels of a log axis.

    >>> powers(10, (300.0, 20000.0))
    (100.0, 1000.0, 10000.0, 100000.0)
    """
    if not positive(values):
        return ()
    first, last = math.floor(math.log(min(values), base)), math.ceil(math.log(max(values), base))
    return tuple(float(base**power) for power in range(first, last + 1) if power % every == 0)


def log_lengths(title: str, points: tuple[Point, ...], key: str = "length") -> Axis:
    """Make a logarithmic axis with a label at each measured length (linear where one is not positive)."""
    ticks = tuple(sorted({float(point.at[key]) for point in points}))
    return Axis(title=title, log=positive(ticks), ticks=ticks, format=",")


def described(measurement: Measurement, what: str) -> str:
    """Put a chart into words for a reader who cannot see it."""
    count = len(measurement.points)
    return f"Chart of {what}: {count} point{'' if count == 1 else 's'}. The table below holds every number."


def generic(scene: Scene) -> tuple[Picture, ...]:
    """Draw points that have one numeric axis as curves, and points that have only a name as dots.

    Points with two or more numeric axes, or with too many series, are left to their table.
    """
    points = scene.measurement.points
    if not points or any(set(point.at) != set(points[0].at) for point in points):
        return ()
    keys = sorted(points[0].at)
    numeric = [key for key in keys if all(is_number(point.at[key]) for point in points)]
    named = [key for key in keys if key not in numeric]
    if len(numeric) == 1:
        return _curve(scene, numeric[0], named)
    if not numeric and len(named) == 1:
        return (category_dots(scene, named[0]),)
    return ()


def category_dots(scene: Scene, key: str) -> Picture:
    """Draw one dot with its interval for each value of one key."""
    measurement = scene.measurement
    quantity = measurement.quantity
    made = tuple(
        row(point, quantity, x=numbers.scalar(point.at[key]), k0=point.at[key]) for point in measurement.points
    )
    lines = tuple(line for line in claim_lines(scene) if line.y is not None)
    plot = Plot(
        rows=made,
        series=("",),
        x=Axis(title=key),
        y=value_axis(quantity),
        lines=lines,
        keys={key: "k0"},
    )
    return dots(plot, description=described(measurement, f"{quantity.name} by {key}"))


def _curve(scene: Scene, x: str, named: list[str]) -> tuple[Picture, ...]:
    measurement = scene.measurement
    labels = [" · ".join(numbers.scalar(point.at[key]) for key in named) for point in measurement.points]
    series = tuple(dict.fromkeys(labels))
    if len(series) > MOST_SERIES:
        return ()
    made = tuple(
        row(point, measurement.quantity, x=float(point.at[x]), s=series.index(label), k0=point.at[x], k1=label)
        for point, label in zip(measurement.points, labels, strict=True)
    )
    places = sorted({float(point.at[x]) for point in measurement.points})
    whole = len(places) <= MOST_TICKS and all(place.is_integer() for place in places)
    plot = Plot(
        rows=made,
        series=series,
        x=Axis(title=x, ticks=tuple(places) if whole else (), format="," if whole else ""),
        y=value_axis(measurement.quantity),
        lines=claim_lines(scene),
        keys={x: "k0"} | ({" · ".join(named): "k1"} if named else {}),
    )
    return (curves(plot, description=described(measurement, f"{measurement.quantity.name} against {x}")),)
