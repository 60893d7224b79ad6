"""A scaling report as one HTML file: a picture per task, drawn beforehand, with no script and no network."""

import base64
import hashlib
from typing import Any

import numpy as np
import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from hardlimit.core import Verdict
from hardlimit.report.hostile import visible
from hardlimit.scaling import Assessed, ScalingReport
from hardlimit.scaling.words import percent, span

COLOURS = {
    Verdict.HELPS: "#1a7f4b",
    Verdict.SATURATES: "#b7791f",
    Verdict.CANNOT_PROGRESS: "#c0392b",
    Verdict.HURTS: "#8e1b4f",
    Verdict.UNDETERMINED: "#6b7280",
}
_PICTURES_A_SHEET = 24


def render_scaling_page(report: ScalingReport) -> str:
    """Draw a report as one self-contained HTML page; equal reports give equal bytes.

    Args:
        report: what `assess` found.
    """
    sheets = [
        _sheet(report.tasks[start : start + _PICTURES_A_SHEET], report.question.rule.kappa)
        for start in range(0, len(report.tasks), _PICTURES_A_SHEET)
    ]
    style = hashlib.sha256(_STYLE.encode()).digest()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"visible": visible, "percent": percent, "span": span}
    return environment.from_string(_PAGE).render(
        report=report,
        rule=report.question.rule,
        resource=str(report.tasks[0].judged.scaling.resource),
        verdicts=list(COLOURS),
        colours={str(verdict): colour for verdict, colour in COLOURS.items()},
        matrix=report.matrix(),
        sheets=sheets,
        style=Markup(_STYLE),
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{base64.b64encode(style).decode()}'",
    )


def _sheet(tasks: tuple[Assessed, ...], kappa: float) -> str:
    """Small multiples of some tasks as the address of an SVG picture."""
    svg = vl_convert.vegalite_to_svg(_specification(tasks, kappa))
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _specification(tasks: tuple[Assessed, ...], kappa: float) -> dict[str, Any]:
    rows = [row for place, task in enumerate(tasks) for row in _rows(task, place, kappa)]
    x = {"field": "scale", "type": "quantitative", "scale": {"type": "log"}, "title": None, "axis": {"format": "~s"}}
    y = {"type": "quantitative", "scale": {"zero": False}, "title": None}

    def layer(kind: str, mark: dict[str, Any], **encoding: Any) -> dict[str, Any]:
        return {"transform": [{"filter": f"datum.kind == '{kind}'"}], "mark": mark, "encoding": {"x": x, **encoding}}

    colour = {"field": "colour", "type": "nominal", "scale": None}
    value, ends = {"field": "value", **y}, {"y": {"field": "low", **y}, "y2": {"field": "high"}}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": rows},
        "facet": {
            "field": "panel",
            "type": "nominal",
            "title": None,
            "sort": {"field": "place"},
            "header": {"labelFontSize": 10, "labelLimit": 210, "labelAlign": "left", "labelAnchor": "start"},
        },
        "columns": 4,
        "resolve": {"scale": {"x": "independent", "y": "independent"}},
        "spec": {
            "width": 200,
            "height": 120,
            "layer": [
                layer("beyond", {"type": "rect", "color": "#e5e7eb", "opacity": 0.6}, x2={"field": "to"}),
                layer("law", {"type": "line", "strokeWidth": 1.5}, y=value, color=colour),
                layer("ahead", {"type": "rule", "strokeWidth": 5, "opacity": 0.35}, color=colour, **ends),
                layer("point", {"type": "rule", "color": "#111827"}, **ends),
                layer("point", {"type": "point", "filled": True, "size": 22, "color": "#111827"}, y=value),
            ],
        },
        "config": {"view": {"stroke": "#d1d5db"}, "axis": {"grid": False, "labelFontSize": 9, "tickCount": 4}},
    }


def _rows(task: Assessed, place: int, kappa: float) -> list[dict[str, Any]]:
    judged = task.judged.scaling
    curve = judged.curve
    top = float(curve.scales[-1])
    about = {
        "panel": visible(f"{place + 1}. {task.judged.corrected}: {curve.task} · {curve.metric}"),
        "place": place,
        "colour": COLOURS[task.judged.corrected],
    }
    rows: list[dict[str, Any]] = [{**about, "kind": "beyond", "scale": top, "to": top * kappa}]
    for point in curve.points:
        error = point.stderr or 0.0
        rows.append(
            {
                **about,
                "kind": "point",
                "scale": point.scale,
                "value": point.value,
                "low": point.value - 1.96 * error,
                "high": point.value + 1.96 * error,
            }
        )
    for scale in np.geomspace(float(curve.scales[0]), top * kappa, 25):
        value = float(judged.law(np.array([scale]))[0])
        rows.append({**about, "kind": "law", "scale": float(scale), "value": value})
    for one in (task.halfway, task.ahead):
        rows.append({**about, "kind": "ahead", "scale": one.scale, "low": one.interval.low, "high": one.interval.high})
    return rows


_STYLE = """
:root{color-scheme:light dark;--line:#8884}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:1100px;padding:1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid var(--line);padding:.25rem .6rem;text-align:left;vertical-align:top}
td.n{text-align:right}
img{background:#fff;display:block;max-width:100%;margin:.5rem 0}
.HELPS{color:#1a7f4b}.SATURATES{color:#b7791f}.CANNOT_PROGRESS{color:#c0392b}.HURTS{color:#b0306a}.UNDETERMINED{opacity:.7}
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Scaling of {{ report.family | visible }}</title>
<style>{{ style }}</style>
</head>
<body>
<h1>What does the next ×{{ "%g" % rule.kappa }} of {{ resource }} do for {{ report.family | visible }}?</h1>
<p>{{ report.tasks | length }} curves over {{ report.scales | length }} scales, {{ "%.3g" % report.scales[0] }} to
{{ "%.3g" % report.scales[-1] }}. Worth having: a cut of the loss by {{ rule.next_gain | percent }}.
Correction for many tasks: {{ report.question.correct }}; one-sided level {{ rule.level }}.</p>
<h2>Verdicts by subject</h2>
<div class="wide"><table>
<tr><th>subject</th>{% for verdict in verdicts %}<th class="{{ verdict }}">{{ verdict }}</th>{% endfor %}</tr>
{% for subject, counts in matrix.items() %}
<tr><td>{{ subject | visible }}</td>
{% for verdict in verdicts %}<td class="n">{{ counts.get(verdict | string, "·") }}</td>{% endfor %}</tr>
{% endfor %}
</table></div>
{% if report.subjects %}
<h2>All items of a subject together</h2>
<ul>
{% for one in report.subjects %}
<li><b>{{ one.scaling.task | visible }} · {{ one.scaling.metric | visible }}:
<span class="{{ one.corrected }}">{{ one.corrected }}</span></b>. {{ one.scaling.because }}</li>
{% endfor %}
</ul>
{% endif %}
{% if report.holdout %}
<h2>Forecasts checked on the {{ report.holdout.held_out }} largest scales, held out</h2>
<div class="wide"><table>
<tr><th>forecast</th><th>mean log loss (lower is better)</th>
<th>inside the {{ report.holdout.level | percent }} interval</th></tr>
<tr><td><b>hardlimit (pooled)</b></td><td class="n">{{ "%.3f" % report.holdout.log_loss }}</td>
<td class="n">{{ report.holdout.coverage | percent }}</td></tr>
{% for name, loss in report.holdout.baseline_log_loss.items() %}
<tr><td>{{ name }}</td><td class="n">{{ "%.3f" % loss }}</td>
<td class="n">{{ report.holdout.baseline_coverage[name] | percent }}</td></tr>
{% endfor %}
</table></div>
{% endif %}
<h2>Task by task</h2>
<p>Dots are measurements with 95 % error bars, the line is the fitted law, the grey region is extrapolation, and the
coloured bars there are 90 % predictive intervals. Colour and title give the verdict.</p>
{% for sheet in sheets %}<img alt="Small multiples of tasks; the table below has their numbers" src="{{ sheet }}">
{% endfor %}
<div class="wide"><table>
<tr><th>task · metric</th><th>verdict</th><th>alone</th><th>loss cut so far</th><th>by the next factor</th>
<th>forecast there</th><th>floor</th><th>why</th></tr>
{% for task in report.tasks %}{% set one = task.judged.scaling %}
<tr><td>{{ one.task | visible }} · {{ one.metric | visible }}</td>
<td class="{{ task.judged.corrected }}">{{ task.judged.corrected }}</td><td>{{ one.verdict }}</td>
<td>{{ one.gain_so_far | span }}</td><td>{{ one.next_gain | span }}</td>
<td>{{ "%.3g" % task.ahead.median }}
[{{ "%.3g" % task.ahead.interval.low }}, {{ "%.3g" % task.ahead.interval.high }}]</td>
<td>{{ one.floor_says }}</td>
<td>{{ one.because }}{% if task.plan %} {{ task.plan.says }}{% endif %}
{% if task.anchored %} {{ task.anchored.says }}{% endif %}
{% for note in one.notes %} {{ note }}{% endfor %}</td></tr>
{% endfor %}
</table></div>
<h2>How to read this</h2>
<p>{{ report.caveat }}</p>
{% for note in report.notes %}<p>{{ note | visible }}</p>{% endfor %}
{% for name, why in report.skipped %}<p>Skipped {{ name | visible }}: {{ why }}.</p>{% endfor %}
</body>
</html>
"""
