"""The three kinds of chart that every measurement is drawn with: curves, dots, and heat maps.

A chart is a Vega-Lite specification, which is JSON and is written here as such.
"""

from collections.abc import Callable
from typing import Any, Literal

from hardlimit.core import Point, Quantity, Scalar, Value
from hardlimit.report import numbers
from hardlimit.report.charts.picture import Key, Picture, Row, Spec
from hardlimit.report.charts.theme import RAMP, RAMP_TURNS_AT, STYLES, colours, dashes, ramp, shapes

FADED = 0.12
WHISKER = 0.6
FEW = 8
CHOSEN = "chosen"
"""Signal that the page's legend sets to the number of one series, or to −1 for all."""


class Axis(Value, frozen=True):
    """One axis of a chart.

    Args:
        title: what it shows, with its unit.
        log: whether the scale is logarithmic.
        domain: its ends, or None to fit the data.
        ticks: where to put labels, or nothing to leave that to Vega.
        format: a d3 number format for the labels.
        unit: divisor and name of a unit that the labels are written in, such as `(1048576, "MiB")`.
    """

    title: str
    log: bool = False
    domain: tuple[float, float] | None = None
    ticks: tuple[float, ...] = ()
    format: str = ""
    unit: tuple[float, str] | None = None


class Line(Value, frozen=True):
    """A line without points: a claim's curve, or a rule across the chart at one value.

    Args:
        kind: whether theory or the measuring sets it.
        label: what it is.
        points: of a curve.
        x: where an upright rule stands.
        y: where a level rule lies.
        s: number of the series that it is about, or None where it is about all.
    """

    kind: Literal["theory", "threshold"]
    label: str
    points: tuple[tuple[float, float], ...] = ()
    x: float | None = None
    y: float | None = None
    s: int | None = None


class Band(Value, frozen=True):
    """A stretch of the horizontal axis, marked over the whole height."""

    label: str
    low: float | None
    high: float | None


class Plot(Value, frozen=True):
    """A chart of curves or dots before it becomes a specification.

    Args:
        rows: the data, as `row` makes them, each with the number `s` of its series.
        series: names of the series.
        x: horizontal axis.
        y: vertical axis.
        lines: claims and thresholds laid over it.
        band: a marked stretch of the horizontal axis.
        joined: whether the points of a series are joined.
        height: in pixels.
        keys: tooltip entries before the estimate: heading to field.
    """

    rows: tuple[Row, ...]
    series: tuple[str, ...]
    x: Axis
    y: Axis
    lines: tuple[Line, ...] = ()
    band: Band | None = None
    joined: bool = True
    height: int = 300
    keys: dict[str, str] = {}


def row(point: Point, quantity: Quantity, *, x: float | str, s: int = 0, **fields: Scalar) -> Row:
    """Make the data of one mark: numbers for Vega, and texts for the tooltip."""
    estimate = point.estimate
    low, high = estimate.interval.low, estimate.interval.high
    made: Row = {"x": x, "y": estimate.value, "s": s}
    # A side that the data do not bound has no whisker; the tooltip says so.
    made["low"] = estimate.value if low is None else low
    made["high"] = estimate.value if high is None else high
    made |= {
        "shown": numbers.with_unit(estimate.value, quantity),
        "interval": numbers.interval_text(estimate.interval, quantity),
        "n": estimate.n,
        "artefacts": estimate.artefacts,
    }
    return made | {name: numbers.scalar(value) for name, value in fields.items()}


def series_by(key: str) -> Callable[[Point], str]:
    """Name the series of a point by one of its coordinates."""
    return lambda point: numbers.scalar(point.at.get(key, ""))


def names(points: tuple[Point, ...], name: Callable[[Point], str]) -> tuple[str, ...]:
    """Return the different names of points, in the order of first appearance."""
    return tuple(dict.fromkeys(map(name, points)))


def curves(plot: Plot, *, title: str = "", description: str) -> Picture:
    """Draw points with intervals over a numeric axis, joined within each series, with claims laid over."""
    x = _channel("x", plot.x, reaching=_xs(plot))
    y = _channel("y", plot.y)
    whisker = {"y": y | {"field": "low"}, "y2": {"field": "high"}, "opacity": _unless_faded("datum.s", WHISKER)}
    marks = [_mark("rule", strokeWidth=1.5, clip=True) | {"encoding": whisker}]
    if plot.joined:
        dash = _by_series(dashes(len(plot.series)))
        marks.append(_mark("line", strokeWidth=2, clip=True) | {"encoding": {"y": y, "strokeDash": dash}})
    shape = _by_series(shapes(len(plot.series)))
    marks.append(
        _mark("point", filled=True, size=60, opacity=1)
        | {"encoding": {"y": y, "shape": shape, "tooltip": _tooltip(plot.keys)}}
    )
    measured = {
        "data": {"values": list(plot.rows)},
        "encoding": {
            "x": x,
            "color": _by_series(colours(len(plot.series))),
            "opacity": _unless_faded("datum.s", 1.0),
        },
        "layer": marks,
    }
    below = [_band(plot.band, x)] if plot.band is not None else []
    layers = [*below, *(_overlay(line, x, y) for line in plot.lines), measured]
    spec = _layered(layers, height=plot.height) | {"params": [{"name": CHOSEN, "value": -1}]}
    return Picture(title=title, description=description, spec=spec, legend=_legend(plot))


def dots(plot: Plot, *, title: str = "", description: str) -> Picture:
    """Draw one line of the page for each category: a dot and its interval on a horizontal axis.

    The categories are the rows' `x`; the plot's `y` axis lies horizontally, and rules stand upright.
    """
    order = list(dict.fromkeys(each["x"] for each in plot.rows))
    reaching = [each[end] for each in plot.rows for end in ("low", "high")]
    reaching += [line.y for line in plot.lines if line.y is not None]
    along = _channel("y", plot.y, reaching=tuple(reaching), grid=True, titleAlign="center", titleAnchor="middle")
    bare = {"labelLimit": 180, "labelPadding": 12, "grid": False, "ticks": False, "domain": False}
    category = {"field": "x", "type": "nominal", "title": None, "sort": order, "axis": bare}
    rules = [
        {"data": {"values": [{"y": line.y}]}} | _mark("rule", **STYLES[line.kind]) | {"encoding": {"x": along}}
        for line in plot.lines
    ]
    whisker = {"x": along | {"field": "low"}, "x2": {"field": "high"}}
    measured = {
        "data": {"values": list(plot.rows)},
        "encoding": {"y": category, "color": {"value": colours(1)[0]}},
        "layer": [
            _mark("rule", strokeWidth=2) | {"encoding": whisker},
            _mark("point", filled=True, size=90, opacity=1)
            | {"encoding": {"x": along, "tooltip": _tooltip(plot.keys)}},
        ],
    }
    return Picture(
        title=title,
        description=description,
        spec=_layered([*rules, measured], height=max(1, len(order)) * (34 if len(order) <= FEW else 24)),
        legend=tuple(Key(kind=line.kind, label=line.label) for line in plot.lines),
    )


class Grid(Value, frozen=True):
    """A heat map before it becomes a specification.

    Args:
        rows: the data, as `cell` makes them.
        x: title and d3 number format of the horizontal axis.
        y: title and d3 number format of the vertical axis.
        top: the value of the darkest step; the palest is 0.
        meaning: what the colour shows.
        ends: texts at the two ends of the colour scale.
        height: of the whole map, in pixels.
        written: whether each cell has its value written into it, in percent.
    """

    rows: tuple[Row, ...]
    x: tuple[str, str]
    y: tuple[str, str]
    top: float
    meaning: str
    ends: tuple[str, str]
    height: int
    written: bool = False


def cell(point: Point, quantity: Quantity, *, x: float, y: float) -> Row:
    """Make the data of one cell of a heat map."""
    made = row(point, quantity, x=x)
    return {key: made[key] for key in ("shown", "interval", "n", "artefacts")} | {"x": x, "y": y, "v": made["y"]}


def heat(grid: Grid, *, title: str = "", description: str) -> Picture:
    """Draw a grid of cells, coloured in steps."""
    colour = {
        "field": "v",
        "type": "quantitative",
        "legend": None,
        "scale": {"type": "quantize", "domain": [0, grid.top], "range": ramp()},
    }
    where = [_number(field, title=title, format=form) for field, (title, form) in (("x", grid.x), ("y", grid.y))]
    cells = _mark("rect", stroke="var(--card)", strokeWidth=1)
    layers = [cells | {"encoding": {"color": colour, "tooltip": where + _tooltip({})}}]
    if grid.written:
        dark = {"test": f"datum.v >= {grid.top * RAMP_TURNS_AT / RAMP}", "value": "var(--on-ramp-high)"}
        color = {"condition": dark, "value": "var(--on-ramp-low)"}
        text = {"text": _number("percent", title="", format=".0f"), "color": color}
        share = {"transform": [{"calculate": "100 * datum.v", "as": "percent"}]}
        layers.append(share | _mark("text", fontSize=12) | {"encoding": text})
    spec = _layered(layers, height=grid.height) | {
        "data": {"values": list(grid.rows)},
        "encoding": {"x": _cells(grid, "x", *grid.x), "y": _cells(grid, "y", *grid.y)},
    }
    legend = Key(kind="ramp", label=grid.meaning, low=grid.ends[0], high=grid.ends[1])
    return Picture(title=title, description=description, spec=spec, legend=(legend,))


def _layered(layers: list[Spec], *, height: int) -> Spec:
    return {"width": "container", "height": height, "layer": layers}


def _mark(kind: str, **options: Any) -> Spec:
    return {"mark": {"type": kind, **options}}


def _channel(field: str, axis: Axis, *, reaching: tuple[float, ...] = (), **labels: Any) -> Spec:
    """Encode a numeric axis; its domain is the given one, else reaches a little beyond `reaching`, else Vega's."""
    scale: Spec = {"type": "log"} if axis.log else {"type": "linear", "zero": False}
    if axis.domain is not None:
        scale |= {"domain": list(axis.domain), "nice": False}
    elif reaching:
        scale |= {"domain": _padded(min(reaching), max(reaching), log=axis.log), "nice": False}
    labels |= {"labelOverlap": "greedy"}
    if axis.ticks:
        labels["values"] = list(axis.ticks)
    elif not axis.log:
        labels["tickCount"] = 6
    if axis.format == "~s":
        # d3 counts in SI prefixes; a reader of populations counts in billions.
        labels["labelExpr"] = "replace(format(datum.value, '~s'), 'G', 'B')"
    elif axis.format:
        labels["format"] = axis.format
    if axis.unit is not None:
        divisor, name = axis.unit
        labels["labelExpr"] = f"format(datum.value / {divisor}, ',~r') + ' {name}'"
    return {"field": field, "type": "quantitative", "title": axis.title, "scale": scale, "axis": labels}


def _padded(low: float, high: float, *, log: bool) -> list[float]:
    if log:
        return [low / 1.2, high * 1.2]
    pad = (high - low) * 0.04 or 0.5
    return [low - pad, high + pad]


def _cells(grid: Grid, side: str, title: str, form: str) -> Spec:
    values = sorted({each[side] for each in grid.rows})
    axis: Spec = {"labelOverlap": "greedy", "grid": False, "ticks": False, "domain": False, "format": form}
    if side == "x":
        axis["labelAngle"] = 0
    return {"field": side, "type": "ordinal", "title": title, "sort": values, "axis": axis}


def _number(field: str, *, title: str, format: str) -> Spec:
    return {"field": field, "type": "quantitative", "title": title, "format": format}


def _xs(plot: Plot) -> tuple[float, ...]:
    """Everything that the horizontal axis must show."""
    xs = [each["x"] for each in plot.rows]
    xs += [x for line in plot.lines for x, _ in line.points]
    xs += [line.x for line in plot.lines if line.x is not None]
    return tuple(xs)


def _unless_faded(series: str, opacity: float) -> Spec:
    """Show a mark with this opacity, unless the legend has singled out another series."""
    return {"condition": {"test": f"{CHOSEN} < 0 || {CHOSEN} === {series}", "value": opacity}, "value": FADED}


def _by_series(values: list[Any]) -> Spec:
    scale = {"domain": list(range(len(values))), "range": values}
    return {"field": "s", "type": "nominal", "scale": scale, "legend": None}


def _tooltip(keys: dict[str, str]) -> list[Spec]:
    texts = keys | {"estimate": "shown", "interval": "interval"}
    counts = ("n", "artefacts")
    return [{"field": field, "type": "nominal", "title": heading} for heading, field in texts.items()] + [
        _number(field, title=field, format=",") for field in counts
    ]


def _band(band: Band, x: Spec) -> Spec:
    # A missing end is the edge of the chart, which Vega-Lite counts in pixels; the first end has to be a field.
    known = [end for end in (band.low, band.high) if end is not None]
    ends = dict(zip(("x", "x2"), known, strict=False))
    edge = {"value": 0 if band.low is None else "width"}
    start, stop = x, {"field": "x2"} if len(known) == 2 else edge
    return {
        "data": {"values": [ends]},
        **_mark("rect", **STYLES["band"], clip=True),
        "encoding": {"x": start, "x2": stop},
    }


def _overlay(line: Line, x: Spec, y: Spec) -> Spec:
    style, encoding = dict(STYLES[line.kind]), {}
    if line.s is not None:
        style["color"] = colours(line.s + 1)[line.s]
        encoding["opacity"] = _unless_faded(str(line.s), 1.0)
    if line.points:
        values: list[Row] = [{"x": at, "y": value} for at, value in line.points]
        mark, where = _mark("line", **style, clip=True), {"x": x, "y": y}
    else:
        field, channel = ("x", x) if line.x is not None else ("y", y)
        values = [{field: line.x if line.x is not None else line.y}]
        mark, where = _mark("rule", **style, clip=True), {field: channel}
    return {"data": {"values": values}} | mark | {"encoding": encoding | where}


def _legend(plot: Plot) -> tuple[Key, ...]:
    kind: Literal["series", "dots"] = "series" if plot.joined else "dots"
    keys = [Key(kind=kind, label=name, index=index) for index, name in enumerate(plot.series) if name]
    if plot.band is not None:
        keys.append(Key(kind="band", label=plot.band.label))
    keys.extend(Key(kind=line.kind, label=line.label, index=line.s) for line in plot.lines)
    return tuple(keys)
