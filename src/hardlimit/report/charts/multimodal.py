"""Charts of the multimodal limit."""

from hardlimit.core import Point
from hardlimit.report import numbers
from hardlimit.report.charts.generic import FIFTHS, category_dots, described, share, value_axis
from hardlimit.report.charts.marks import Axis, Grid, Line, Plot, cell, curves, dots, heat, names, row, series_by
from hardlimit.report.charts.picture import Drawer, Key, Picture, Scene, Spec
from hardlimit.report.charts.theme import colours

BAR = 26
"""Height of one bar in pixels."""


def pair_accuracy(scene: Scene) -> tuple[Picture, ...]:
    """Pairs right by task, with the line of guessing."""
    measurement = scene.measurement
    chance = measurement.parameters.get("chance")
    lines: tuple[Line, ...] = ()
    if isinstance(chance, float):
        lines = (Line(kind="threshold", label=f"guessing: {100 * chance:.0f}% of pairs", y=chance),)
    plot = Plot(
        rows=tuple(row(point, measurement.quantity, x=str(point.at["task"])) for point in measurement.points),
        series=("",),
        x=Axis(title="task"),
        y=value_axis(measurement.quantity),
        lines=lines,
        keys={"task": "x"},
    )
    return (dots(plot, description=described(measurement, "pair accuracy by task")),)


def error_by_stage(scene: Scene) -> tuple[Picture, ...]:
    """One bar for each task: the error that enters at each stage, one beside the other."""
    measurement = scene.measurement
    stage = series_by("stage")
    stages = names(measurement.points, stage)
    tasks = list(dict.fromkeys(str(point.at["task"]) for point in measurement.points))
    values = [
        row(point, measurement.quantity, x=str(point.at["task"]), s=stages.index(stage(point)), stage=stage(point))
        for point in measurement.points
    ]
    bare = {"labelLimit": 180, "labelPadding": 12, "grid": False, "ticks": False, "domain": False}
    headings = {"task": "x", "stage": "stage", "estimate": "shown", "interval": "interval"}
    spec: Spec = {
        "width": "container",
        "height": BAR * len(tasks),
        "data": {"values": values},
        "mark": {"type": "bar", "stroke": "var(--card)", "strokeWidth": 1},
        "encoding": {
            "y": {"field": "x", "type": "nominal", "title": None, "sort": tasks, "axis": bare},
            "x": {
                "field": "y",
                "type": "quantitative",
                "stack": "zero",
                "title": "share of answers wrong, by the stage at which the error enters",
                "scale": {"domain": [0, 1]},
                "axis": {
                    "format": ".0%",
                    "grid": True,
                    "values": list(FIFTHS),
                    "titleAlign": "center",
                    "titleAnchor": "middle",
                },
            },
            "order": {"field": "s", "type": "quantitative"},
            "color": {
                "field": "s",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": list(range(len(stages))), "range": colours(len(stages))},
            },
            "tooltip": [{"field": field, "type": "nominal", "title": heading} for heading, field in headings.items()],
        },
    }
    legend = tuple(Key(kind="dots", label=name, index=index) for index, name in enumerate(stages))
    what = "the error by stage: encoder, projector, language model, for all tasks and each"
    return (Picture(title="", description=described(measurement, what), spec=spec, legend=legend),)


def flip_rate(scene: Scene) -> tuple[Picture, ...]:
    """How often an unusual colour was answered as shown, against how usual the usual one is to the model."""
    measurement = scene.measurement
    if not all("prior" in point.at for point in measurement.points):
        return (category_dots(scene),) if all(len(point.at) == 1 for point in measurement.points) else ()
    turn = measurement.parameters.get("turns_at")
    lines = [Line(kind="threshold", label="half of the unusual colours are told", y=0.5)]
    if isinstance(turn, float):
        ratio = float(measurement.parameters["ratio"])
        label = f"turns at a prior of {numbers.percent(turn)}: a picture is worth {ratio:.0f} to 1"
        lines.append(Line(kind="theory", label=label, x=turn))
    plot = Plot(
        rows=tuple(
            row(point, measurement.quantity, x=float(point.at["prior"]), thing=point.at["thing"], at=point.at["prior"])
            for point in measurement.points
        ),
        series=("",),
        x=share("prior of the usual colour, without a picture"),
        y=value_axis(measurement.quantity),
        lines=tuple(lines),
        keys={"thing": "thing", "prior": "at"},
    )
    return (curves(plot, description=described(measurement, "flip rate against the prior")),)


def accuracy_by_place(scene: Scene) -> tuple[Picture, ...]:
    """A map of the picture: pairs right by the place of the mark."""
    measurement = scene.measurement
    rows = tuple(
        cell(point, measurement.quantity, x=float(point.at["column"]), y=float(point.at["row"]))
        for point in measurement.points
    )
    grid = Grid(
        rows=rows,
        x=("column of the picture", ","),
        y=("row, from the top", ","),
        top=1.0,
        meaning="pairs right, %",
        ends=("0", "100"),
        height=52 * len({each["y"] for each in rows}),
        written=True,
    )
    return (heat(grid, description=described(measurement, "pair accuracy by place in the picture")),)


def readable(scene: Scene) -> tuple[Picture, ...]:
    """For each task, what the readouts find at each stage and what the whole model answers."""
    return tuple(
        _readable(scene, task) for task in dict.fromkeys(str(point.at["task"]) for point in scene.measurement.points)
    )


def _readable(scene: Scene, task: str) -> Picture:
    measurement = scene.measurement
    points: list[Point] = [point for point in measurement.points if point.at["task"] == task]
    plot = Plot(
        rows=tuple(row(point, measurement.quantity, x=str(point.at["stage"])) for point in points),
        series=("",),
        x=Axis(title="stage"),
        y=value_axis(measurement.quantity),
        keys={"stage": "x"},
    )
    return dots(plot, title=task, description=described(measurement, f"accuracy by stage on {task}"))


DRAWERS = {
    "multimodal.pair_accuracy": Drawer(pair_accuracy, named=("task",)),
    "multimodal.error_by_stage": Drawer(error_by_stage, named=("task", "stage")),
    "multimodal.flip_rate": Drawer(flip_rate, named=("thing",)),
    "multimodal.accuracy_by_place": Drawer(accuracy_by_place, numeric=("row", "column")),
    "multimodal.readable": Drawer(readable, named=("task", "stage")),
}
