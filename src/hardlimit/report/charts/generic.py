"""Charts for any measurement, known or not: what its claims add, and a picture where its points have one axis."""

import math
from collections.abc import Callable

import msgspec

from hardlimit.core import Finding, Measurement, Point, Quantity
from hardlimit.report import numbers
from hardlimit.report.charts.marks import Axis, Line, Plot, curves, dots, names, row
from hardlimit.report.charts.picture import Picture, Scene, is_number

MOST_SERIES = 12
"""Beyond this many lines a chart is a tangle, and the table reads better."""

MOST_TICKS = 12
LONGEST_LEAD = 80
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


def claim_lines(
    scene: Scene, *, series: tuple[str, ...] = (), name: Callable[[Point], str] | None = None
) -> tuple[Line, ...]:
    """Draw the findings' claims on the measurement's chart: curves, and rules at their bounds.

    Args:
        scene: the measurement and its findings.
        series: names of the chart's series.
        name: the series of a point; a curve whose finding is about the points of one series takes its colour.
    """
    lines = []
    for finding, claim in scene.curves:
        about = {name(point) for point in finding.measurement.points} if name is not None else set()
        own = about.pop() if len(about) == 1 and len(series) > 1 else None
        label = f"{claim.statement.id}: {claim.statement.name}" + (f", {own}" if own else "")
        lines.append(
            (finding, Line(kind="theory", label=label, points=claim.points, s=series.index(own) if own else None))
        )
    labels = [line.label for _, line in lines]
    curved = tuple(
        line if labels.count(line.label) == 1 else msgspec.structs.replace(line, label=_told_apart(line.label, finding))
        for finding, line in lines
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


def _told_apart(label: str, finding: Finding) -> str:
    """Add to a label that others share what the finding's sentence says before its colon."""
    lead, colon, _ = finding.says.partition(":")
    return f"{label} ({lead})" if colon and len(lead) <= LONGEST_LEAD else label


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
    if points and all(len(point.at) == 1 and not is_number(*point.at.values()) for point in points):
        return (category_dots(scene),)
    if not points or any(set(point.at) != set(points[0].at) for point in points):
        return ()
    keys = sorted(points[0].at)
    numeric = [key for key in keys if all(is_number(point.at[key]) for point in points)]
    return _curve(scene, numeric[0], [key for key in keys if key not in numeric]) if len(numeric) == 1 else ()


def category_dots(scene: Scene) -> Picture:
    """Draw one dot with its interval for each point, which has one coordinate: a name."""
    measurement = scene.measurement
    keys = tuple(dict.fromkeys(key for point in measurement.points for key in point.at))
    labels = []
    for point in measurement.points:
        ((key, value),) = point.at.items()
        labels.append(numbers.scalar(value) if len(keys) == 1 else f"{key}: {numbers.scalar(value)}")
    what = " and ".join(keys)
    plot = Plot(
        rows=tuple(
            row(point, measurement.quantity, x=label) for point, label in zip(measurement.points, labels, strict=True)
        ),
        series=("",),
        x=Axis(title=what),
        y=value_axis(measurement.quantity),
        lines=tuple(line for line in claim_lines(scene) if line.y is not None),
        keys={what: "x"},
    )
    return dots(plot, description=described(measurement, f"{measurement.quantity.name} by {what}"))


def _curve(scene: Scene, x: str, named: list[str]) -> tuple[Picture, ...]:
    measurement = scene.measurement

    def name(point: Point) -> str:
        return " · ".join(numbers.scalar(point.at[key]) for key in named if key in point.at)

    series = names(measurement.points, name)
    if len(series) > MOST_SERIES:
        return ()
    made = tuple(
        row(
            point,
            measurement.quantity,
            x=float(point.at[x]),
            s=series.index(name(point)),
            k0=point.at[x],
            k1=name(point),
        )
        for point in measurement.points
    )
    places = sorted({float(point.at[x]) for point in measurement.points})
    whole = len(places) <= MOST_TICKS and all(place.is_integer() for place in places)
    plot = Plot(
        rows=made,
        series=series,
        x=Axis(title=x, ticks=tuple(places) if whole else (), format="," if whole else ""),
        y=value_axis(measurement.quantity),
        lines=claim_lines(scene, series=series, name=name),
        keys={x: "k0"} | ({" · ".join(named): "k1"} if named else {}),
    )
    return (curves(plot, description=described(measurement, f"{measurement.quantity.name} against {x}")),)
