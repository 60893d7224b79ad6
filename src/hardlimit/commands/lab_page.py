"""Reports of the lab on the terminal, as an HTML page, and as the documentation's page of results."""

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hardlimit.core import Measurement, Shape, Standing, StoreError
from hardlimit.core.text import visible
from hardlimit.lab.experiment import LabReport
from hardlimit.report import numbers
from hardlimit.report.charts.picture import is_number

WIDE = 8.0
"""A numeric axis whose ends lie further apart than this factor is drawn logarithmically."""

MOST_TICKS = 12

COLOURS = ("#1d4ed8", "#c2410c", "#047857", "#7e22ce", "#a16207", "#0e7490", "#be123c", "#4b5563")

HELD = {
    Standing.AGREES: "held",
    Standing.DISAGREES: "failed",
    Standing.AT_BOUND: "held",
    Standing.CLEAR_OF_BOUND: "held",
    Standing.BEYOND_BOUND: "failed",
    Standing.VACUOUS: "says nothing here",
    Standing.UNDETERMINED: "not decided",
}


def print_lab(report: LabReport, console: Console) -> None:
    """Print a report on a terminal."""
    console.print(f"[bold]{escape(report.design.question)}[/]", highlight=False)
    if report.scale.extent != "full":
        console.print("A reduced run: it shows how the experiment goes, its conclusions are provisional.", style="dim")
    console.print(escape(report.conclusion.headline) + "\n", highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("claim", "prediction", "what was found"):
        table.add_column(head)
    for finding in report.conclusion.findings:
        table.add_row(finding.claim.statement.id, HELD[finding.standing], escape(finding.says))
    console.print(table)
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
        {"x": at, "y": value, "s": claim.statement.id}
        for claim in (f.claim for f in report.conclusion.findings if f.measurement.points == points)
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
        "axis": {"format": ",", "values": places} if few else {"format": "~s"},
    }
    up: dict[str, Any] = {
        "type": "quantitative",
        "title": measurement.quantity.name,
        "scale": {"domain": [0, 1]} if shares else {"zero": False},
        "axis": {"format": ".0%"} if shares else {},
    }
    colour = {"field": "s", "type": "nominal", "title": None, "sort": None, "scale": {"range": list(COLOURS)}}
    whisker = {"x": across, "y": {"field": "low", **up}, "y2": {"field": "high"}, "color": colour}
    marks: list[dict[str, Any]] = [
        {"data": {"values": rows}, "mark": {"type": "rule", "opacity": 0.5}, "encoding": whisker},
        {
            "data": {"values": rows},
            "mark": {"type": "line", "point": True, "clip": True},
            "encoding": {"x": across, "y": {"field": "y", **up}, "color": colour},
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
    """Write reports as one HTML file without script or network; equal reports give equal bytes."""
    try:
        path.write_text(render_page(reports), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"The page cannot be written to {path}: {error.strerror}.") from error


def render_page(reports: Sequence[LabReport]) -> str:
    """Draw reports as the text of one HTML file."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"visible": visible}
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return environment.from_string(_PAGE).render(
        reports=reports,
        held=HELD,
        drawn=_drawn,
        title=title_of,
        dose=_dose,
        table=table_of,
        style=Markup(_STYLE),
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{style}'",
    )


def title_of(measurement: Measurement) -> str:
    """What a measurement is called on a page.

    >>> from hardlimit.core.quantity import ACCURACY
    >>> from hardlimit.core import Tally
    >>> title_of(Measurement(name="lab.hops.solved_by_depth", quantity=ACCURACY, probe="", model="", seed=0,
    ...     estimate=None, tally=Tally()))
    'solved by depth'
    """
    return measurement.name.split(".", 2)[-1].replace("_", " ")


def _drawn(report: LabReport, measurement: Measurement) -> str | None:
    svg = picture(report, measurement)
    return None if svg is None else "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


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


def _dose(report: LabReport) -> str:
    seconds = sum(report.seconds.values())
    return f"{math.ceil(seconds):,} s on {report.device}"


_STYLE = """
:root{color-scheme:light dark;--line:#8884}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:900px;padding:1rem}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.5rem}h3{font-size:1rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid var(--line);padding:.25rem .6rem;text-align:left;vertical-align:top}
img{background:#fff;display:block;max-width:100%;margin:.5rem 0}
.failed{color:#c0392b;font-weight:600}.held{color:#1a7f4b}
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hardlimit lab</title>
<style>{{ style }}</style>
</head>
<body>
<h1>Small models trained to confront a claim</h1>
{% for report in reports %}
<h2>{{ report.experiment | visible }}: {{ report.design.question | visible }}</h2>
{% if report.scale.extent != "full" %}
<p><em>A reduced run: it shows how the experiment goes; its conclusions are provisional.</em></p>
{% endif %}
<p><strong>{{ report.conclusion.headline | visible }}</strong></p>
<div class="wide"><table>
<tr><th>claim</th><th>prediction</th><th>what was found</th></tr>
{% for finding in report.conclusion.findings %}
<tr><td>{{ finding.claim.statement.id }}</td><td class="{{ held[finding.standing].split()[0] }}">
{{ held[finding.standing] }}</td><td>{{ finding.says | visible }}</td></tr>
{% endfor %}
</table></div>
{% if report.conclusion.verdicts %}
<ul>
{% for verdict in report.conclusion.verdicts %}
<li>More {{ verdict.resource }}: <strong>{{ verdict.verdict }}</strong>. {{ verdict.because | visible }}</li>
{% endfor %}
</ul>
{% endif %}
{% for measurement in report.conclusion.measurements %}
<h3>{{ title(measurement) | visible }}</h3>
{% set source = drawn(report, measurement) %}
{% if source %}
<img alt="{{ title(measurement) | visible }}; the table below holds every number" src="{{ source }}">
{% endif %}
{% if measurement.note %}
<p>{{ measurement.note | visible }}</p>
{% endif %}
<details><summary>Table</summary><div class="wide"><table>
{% for row in table(measurement) %}
<tr>{% for cell in row %}<td>{{ cell | visible }}</td>{% endfor %}</tr>
{% endfor %}
</table></div></details>
{% endfor %}
<h3>Design</h3>
<p>{{ report.design.setting | visible }}</p>
<p>{{ report.design.size | visible }}</p>
<p>What would have changed our mind: {{ report.design.would_refute | visible }}</p>
{% for text in report.conclusion.cautions %}
<p>{{ text | visible }}</p>
{% endfor %}
<p>{{ dose(report) }}, hardlimit {{ report.version }}. Again: <code>{{ report.command | visible }}</code></p>
{% endfor %}
</body>
</html>
"""
