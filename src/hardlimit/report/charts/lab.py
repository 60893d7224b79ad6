"""Charts of the lab: a curve along whatever an experiment varies most, with the claims' own curves over it."""

from hardlimit.core import Finding, Measurement, Point, Shape
from hardlimit.report import numbers
from hardlimit.report.charts.generic import (
    MOST_SERIES,
    MOST_TICKS,
    category_dots,
    claim_lines,
    described,
    positive,
    value_axis,
)
from hardlimit.report.charts.marks import Axis, Plot, curves, names, row
from hardlimit.report.charts.picture import Picture, Scene, is_number

WIDE = 8.0
"""A numeric axis whose ends lie further apart than this factor is drawn logarithmically."""


def lab_pictures(measurement: Measurement, findings: tuple[Finding, ...]) -> tuple[Picture, ...]:
    """Draw one measurement of an experiment.

    Where several coordinates are numbers, the one with the most values lies along the axis; the rest names the series.

    Args:
        measurement: what is drawn.
        findings: of the experiment; curves of the same quantity along the same axis are laid over it.

    Returns:
        One picture, or none where there is no point, coordinates differ, or the lines would be a tangle.
    """
    points = measurement.points
    if not points or any(point.at.keys() != points[0].at.keys() for point in points):
        return ()
    keys = list(points[0].at)
    numeric = [key for key in keys if all(is_number(point.at[key]) for point in points)]
    if not numeric:
        return (category_dots(Scene(measurement=measurement)),) if len(keys) == 1 else ()
    x = max(numeric, key=lambda key: len({point.at[key] for point in points}))
    scene = Scene(measurement=measurement, findings=tuple(each for each in findings if _along(each, measurement, x)))
    return _curve(scene, x, [key for key in keys if key != x], numeric)


def _along(finding: Finding, measurement: Measurement, x: str) -> bool:
    """Whether a finding's claim is a curve of this quantity along this axis."""
    claim = finding.claim
    return isinstance(claim, Shape) and claim.quantity.id == measurement.quantity.id and claim.along == x


def _curve(scene: Scene, x: str, named: list[str], numeric: list[str]) -> tuple[Picture, ...]:
    measurement = scene.measurement

    def name(point: Point) -> str:
        told = [
            f"{key.replace('_', ' ')} {numbers.scalar(point.at[key])}"
            if key in numeric
            else numbers.scalar(point.at[key])
            for key in named
            if key in point.at
        ]
        return " · ".join(told)

    series = names(measurement.points, name)
    if len(series) > MOST_SERIES:
        return ()
    places = tuple(sorted({float(point.at[x]) for point in measurement.points}))
    few = len(places) <= MOST_TICKS and all(place.is_integer() for place in places)
    wide = positive(places) and places[-1] >= WIDE * places[0]
    words = x.replace("_", " ")
    plot = Plot(
        rows=tuple(
            row(
                point,
                measurement.quantity,
                x=float(point.at[x]),
                s=series.index(name(point)),
                k0=point.at[x],
                k1=name(point),
            )
            for point in measurement.points
        ),
        series=series,
        x=Axis(
            title=words,
            log=wide,
            ticks=places if few else (),
            format="," if few else "~s" if places[-1] >= 1000 else "",
        ),
        y=value_axis(measurement.quantity),
        lines=claim_lines(scene, series=series, name=name),
        keys={words: "k0"} | ({" · ".join(named).replace("_", " "): "k1"} if named else {}),
    )
    return (curves(plot, description=described(measurement, f"{measurement.quantity.name} against {words}")),)
