"""Charts of the context limit."""

from hardlimit.core import Interval, Measurement, Point
from hardlimit.report import numbers
from hardlimit.report.charts.generic import claim_lines, described, log_lengths, positive, powers, value_axis
from hardlimit.report.charts.marks import Axis, Band, Grid, Line, Plot, cell, curves, heat, names, row, series_by
from hardlimit.report.charts.picture import Drawer, Picture, Scene

MOST_MAPS = 4
"""Maps of heads beside each other; with more lengths, the ends and as many between."""


def accuracy_by_length(scene: Scene) -> tuple[Picture, ...]:
    """Accuracy against length for each variant, with the threshold and the interval of the effective context."""
    measurement = scene.measurement
    variant = series_by("variant")
    variants = names(measurement.points, variant)
    made = tuple(
        row(
            point,
            measurement.quantity,
            x=float(point.at["length"]),
            s=variants.index(variant(point)),
            length=point.at["length"],
            variant=point.at["variant"],
        )
        for point in measurement.points
    )
    effective = scene.others.get("context.effective")
    plot = Plot(
        rows=made,
        series=variants,
        x=log_lengths("context length (tokens, log scale)", measurement.points),
        y=value_axis(measurement.quantity),
        lines=_thresholds(effective) + claim_lines(scene, series=variants, name=variant),
        band=_effective_band(effective),
        keys={"variant": "variant", "tokens": "length"},
    )
    return (curves(plot, description=described(measurement, "accuracy against context length")),)


def _thresholds(effective: Measurement | None) -> tuple[Line, ...]:
    threshold = effective.parameters.get("threshold") if effective is not None else None
    if not isinstance(threshold, float):
        return ()
    return (
        Line(kind="threshold", label=f"85% of its short-context accuracy: {numbers.percent(threshold)}", y=threshold),
    )


def _effective_band(effective: Measurement | None) -> Band | None:
    if effective is None or effective.estimate is None:
        return None
    interval = effective.estimate.interval
    if interval.low is None and interval.high is None:
        return None
    return Band(label=_band_label(effective, interval), low=interval.low, high=interval.high)


def _band_label(effective: Measurement, interval: Interval) -> str:
    ends = numbers.interval_text(interval, effective.quantity)
    return f"effective context, {interval.level:.0%} interval: {ends} tokens"


def accuracy_by_depth(scene: Scene) -> tuple[Picture, ...]:
    """One heat map for each variant: depth of the needle against length of the text."""
    measurement = scene.measurement
    return tuple(
        _depth_map(measurement, variant, [p for p in measurement.points if series_by("variant")(p) == variant])
        for variant in names(measurement.points, series_by("variant"))
    )


def _depth_map(measurement: Measurement, variant: str, points: list[Point]) -> Picture:
    rows = tuple(
        cell(point, measurement.quantity, x=float(point.at["length"]), y=float(point.at["depth"])) for point in points
    )
    grid = Grid(
        rows=rows,
        x=("context length (tokens)", ","),
        y=("depth of the needle", ".0%"),
        top=1.0,
        meaning="accuracy, %",
        ends=("0", "100"),
        height=44 * len({each["y"] for each in rows}),
        written=True,
    )
    return heat(grid, title=variant, description=described(measurement, f"accuracy by depth and length, {variant}"))


def margin(scene: Scene) -> tuple[Picture, ...]:
    """The margin of the best heads against length, with the margin that the claim asks for."""
    measurement = scene.measurement

    def head(point: Point) -> str:
        return f"layer {point.at.get('layer')}, head {point.at.get('head')}"

    series = names(measurement.points, head)
    made = tuple(
        row(
            point,
            measurement.quantity,
            x=float(point.at["length"]),
            s=series.index(head(point)),
            length=point.at["length"],
            head=head(point),
        )
        for point in measurement.points
    )
    plot = Plot(
        rows=made,
        series=series,
        x=log_lengths("context length (tokens, log scale)", measurement.points),
        y=value_axis(measurement.quantity),
        lines=claim_lines(scene, series=series, name=head),
        keys={"head": "head", "tokens": "length"},
    )
    return (curves(plot, description=described(measurement, "needle margin against context length")),)


def needle_weight(scene: Scene) -> tuple[Picture, ...]:
    """One map of layer × head for each of a few lengths."""
    measurement = scene.measurement
    lengths = _spread(names(measurement.points, series_by("length")))
    top = max((point.estimate.value for point in measurement.points), default=0.0) or 1.0
    maps = []
    for length in lengths:
        rows = tuple(
            cell(point, measurement.quantity, x=float(point.at["head"]), y=float(point.at["layer"]))
            for point in measurement.points
            if series_by("length")(point) == length
        )
        grid = Grid(
            rows=rows,
            x=("head", ","),
            y=("layer", ","),
            top=top,
            meaning="weight",
            ends=("0%", numbers.percent(top)),
            height=max(80, 11 * len({each["y"] for each in rows})),
        )
        what = f"needle attention by layer and head at {length} tokens"
        maps.append(heat(grid, title=f"{length} tokens", description=described(measurement, what)))
    return tuple(maps)


def _spread(lengths: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the first and the last of many, and some between.

    >>> _spread(tuple("abcdefgh"))
    ('a', 'c', 'f', 'h')
    """
    if len(lengths) <= MOST_MAPS:
        return lengths
    return tuple(lengths[round(k * (len(lengths) - 1) / (MOST_MAPS - 1))] for k in range(MOST_MAPS))


def kv_bytes(scene: Scene) -> tuple[Picture, ...]:
    """Bytes against length on two logarithmic axes, with the window as a rule."""
    measurement = scene.measurement
    made = tuple(
        row(point, measurement.quantity, x=float(point.at["length"]), length=point.at["length"])
        for point in measurement.points
    )
    window: tuple[Line, ...] = ()
    if scene.window is not None:
        window = (Line(kind="threshold", label=f"the model's window: {scene.window:,} tokens", x=float(scene.window)),)
    values = tuple(point.estimate.value for point in measurement.points)
    size, unit = next(((s, u) for s, u in numbers.BINARY if max(values) >= s), (1, "bytes"))
    plot = Plot(
        rows=made,
        series=("",),
        x=log_lengths("context length (tokens, log scale)", measurement.points),
        y=Axis(
            title="size (log scale)", log=positive(values), ticks=powers(2, values, every=2), unit=(float(size), unit)
        ),
        lines=window + claim_lines(scene),
        keys={"tokens": "length"},
        height=240,
    )
    return (curves(plot, description=described(measurement, "KV cache size against context length")),)


DRAWERS = {
    "context.accuracy_by_length": Drawer(accuracy_by_length, numeric=("length",), named=("variant",)),
    "context.accuracy_by_depth": Drawer(accuracy_by_depth, numeric=("length", "depth"), named=("variant",)),
    "context.margin": Drawer(margin, numeric=("length",), named=("layer", "head")),
    "context.needle_weight": Drawer(needle_weight, numeric=("layer", "head", "length")),
    "context.kv_bytes": Drawer(kv_bytes, numeric=("length",)),
}
