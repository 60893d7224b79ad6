"""Reports of the lab on the terminal, as an HTML page, and as the documentation's page of results."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vl_convert
from rich.console import Console
from rich.markup import escape

from hardlimit.core import Measurement, Shape, StoreError
from hardlimit.core.text import visible
from hardlimit.lab.experiment import LabReport
from hardlimit.report import numbers, render_lab_html, words
from hardlimit.report.charts.picture import is_number
from hardlimit.report.terminal import predictions

WIDE = 8.0
"""A numeric axis whose ends lie further apart than this factor is drawn logarithmically."""

MOST_TICKS = 12

COLOURS = ("#1d4ed8", "#c2410c", "#047857", "#7e22ce", "#a16207", "#0e7490", "#be123c", "#4b5563")

HELD = words.PREDICTIONS


def print_lab(report: LabReport, console: Console) -> None:
    """Print a report on a terminal."""
    console.print(f"[bold]{escape(report.design.question)}[/]", highlight=False)
    if report.scale.extent != "full":
        console.print("A reduced run: it shows how the experiment goes, its conclusions are provisional.", style="dim")
    console.print(escape(report.conclusion.headline) + "\n", highlight=False)
    console.print(predictions([report]))
    for verdict in report.conclusion.verdicts:
        console.print(
            f"More {verdict.resource}: [bold]{verdict.verdict}[/]. {escape(verdict.because)}", highlight=False
        )
    for text in report.conclusion.cautions:
        console.print(text, style="dim", highlight=False, markup=False)
    console.print(f"{report.device}, {sum(report.seconds.values()):,.0f} s; again: {report.command}", highlight=False)


def picture(report: LabReport, measurement: Measurement) -> str | None:
    """Draw one measurement with the claims about it as SVG, or None where its points have no numeric axis or several.

    Args:
        report: whose findings may be laid over it.
        measurement: what is drawn.
    """
    points = measurement.points
    keys = list(points[0].at) if points else []
    numeric = [key for key in keys if all(is_number(point.at.get(key)) for point in points)]
    if len(numeric) != 1:
        return None
    x, named = numeric[0], [key for key in keys if key != numeric[0]]
    rows = []
    for point in points:
        low, high = point.estimate.interval.low, point.estimate.interval.high
        value = point.estimate.value
        name = " · ".join(numbers.scalar(point.at[key]) for key in named) or "measured"
        ends = {"low": value if low is None else low, "high": value if high is None else high}
        rows.append({"x": float(point.at[x]), "y": value, "s": visible(name), **ends})
    lines = [
        {"x": at, "y": value, "s": index}
        for index, claim in enumerate(f.claim for f in report.conclusion.findings if f.measurement.points == points)
        if isinstance(claim, Shape)
        for at, value in claim.points
    ]
    svg = str(vl_convert.vegalite_to_svg(_specification(measurement, x, rows, lines)))
    # The library numbers clip paths on from picture to picture; equal pictures shall have equal bytes.
    order = {name: f"clip{i}" for i, name in enumerate(dict.fromkeys(re.findall(r"\bclip\d+\b", svg)))}
    return re.sub(r"\bclip\d+\b", lambda found: order[found[0]], svg)


def _specification(
    measurement: Measurement, x: str, rows: list[dict[str, Any]], lines: list[dict[str, Any]]
) -> dict[str, Any]:
    places = sorted({row["x"] for row in rows})
    wide = places[0] > 0 and places[-1] >= WIDE * places[0]
    few = len(places) <= MOST_TICKS and all(place.is_integer() for place in places)
    shares = measurement.quantity.unit == "probability"
    across: dict[str, Any] = {
        "field": "x",
        "type": "quantitative",
        "title": x.replace("_", " ") + (" (log scale)" if wide else ""),
        "scale": {"type": "log" if wide else "linear", "zero": False, "nice": False},
        "axis": {"format": ",", "values": places} if few else {"format": "~s" if places[-1] >= 1000 else "~g"},
    }
    up: dict[str, Any] = {
        "type": "quantitative",
        "title": measurement.quantity.name,
        "scale": {"domain": [0, 1]} if shares else {"zero": False},
        "axis": {"format": ".0%"} if shares else {},
    }
    series = list(dict.fromkeys(row["s"] for row in rows))
    named = {"field": "s", "type": "nominal", "title": None, "sort": None, "legend": {"symbolType": "stroke"}}
    colours = [COLOURS[index % len(COLOURS)] for index, _ in enumerate(series)]
    colour = {**named, "scale": {"domain": series, "range": colours}}
    # Where colours come round again, the line tells the second from the first.
    strokes = [[1, 0] if index < len(COLOURS) else [2, 3] for index, _ in enumerate(series)]
    stroke = {**named, "scale": {"domain": series, "range": strokes}}
    whisker = {"x": across, "y": {"field": "low", **up}, "y2": {"field": "high"}, "color": colour}
    marks: list[dict[str, Any]] = [
        {"data": {"values": rows}, "mark": {"type": "rule", "opacity": 0.5}, "encoding": whisker},
        {
            "data": {"values": rows},
            "mark": {"type": "line", "point": True, "clip": True},
            "encoding": {"x": across, "y": {"field": "y", **up}, "color": colour, "strokeDash": stroke},
        },
    ]
    if lines:
        dashed = {"type": "line", "strokeDash": [5, 4], "color": "#111827", "clip": True}
        marks.append(
            {
                "data": {"values": lines},
                "mark": dashed,
                "encoding": {"x": across, "y": {"field": "y", **up}, "detail": {"field": "s"}},
            }
        )
    config = {"background": "white", "view": {"stroke": "#d1d5db"}, "axis": {"gridColor": "#f3f4f6"}}
    schema = "https://vega.github.io/schema/vega-lite/v6.json"
    return {"$schema": schema, "width": 520, "height": 260, "layer": marks, "config": config}


def write_page(reports: Sequence[LabReport], path: Path) -> None:
    """Write reports as one HTML file that asks nothing of any network; equal reports give equal bytes."""
    try:
        path.write_text(render_lab_html(reports), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"The page cannot be written to {path}: {error.strerror}.") from error


def title_of(measurement: Measurement) -> str:
    """What a measurement is called on a page.

    >>> from hardlimit.core.quantity import ACCURACY
    >>> from hardlimit.core import Tally
    >>> title_of(Measurement(name="lab.hops.solved_by_depth", quantity=ACCURACY, probe="", model="", seed=0,
    ...     estimate=None, tally=Tally()))
    'solved by depth'
    """
    return measurement.name.split(".", 2)[-1].replace("_", " ")


def table_of(measurement: Measurement) -> list[list[str]]:
    """Points as rows of texts, the heads first."""
    keys = list(dict.fromkeys(key for point in measurement.points for key in point.at))
    rows = [[*keys, measurement.quantity.name, "95 % interval", "n"]]
    for point in measurement.points:
        at = [numbers.scalar(point.at.get(key, "")) for key in keys]
        estimate = point.estimate
        shown = numbers.with_unit(estimate.value, measurement.quantity)
        rows.append([*at, shown, numbers.interval_text(estimate.interval, measurement.quantity), f"{estimate.n:,}"])
    return rows
