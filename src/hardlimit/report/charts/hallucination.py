"""Charts of the hallucination limit."""

from hardlimit.core import Point
from hardlimit.core.quantity import ACCURACY
from hardlimit.report import numbers
from hardlimit.report.charts.generic import claim_lines, described, positive, powers, share, value_axis
from hardlimit.report.charts.marks import Axis, Line, Plot, curves, names, row, series_by
from hardlimit.report.charts.picture import Drawer, Picture, Row, Scene


def accuracy_by_popularity(scene: Scene) -> tuple[Picture, ...]:
    """Accuracy against popularity, one series for each family, with the law."""
    measurement = scene.measurement
    made, families = _rows(scene, x="popularity", series="family", also={"decade": "decade"})
    popularity = tuple(each["x"] for each in made)
    plot = Plot(
        rows=made,
        series=families,
        x=Axis(title="popularity (log scale)", log=positive(popularity), ticks=powers(10, popularity), format="~s"),
        y=value_axis(measurement.quantity),
        lines=claim_lines(scene, series=families, name=series_by("family")),
        keys={"family": "series", "decade": "decade", "popularity": "at"},
    )
    return (curves(plot, description=described(measurement, "accuracy against popularity")),)


def score(scene: Scene) -> tuple[Picture, ...]:
    """The score at each threshold, one line for each policy; abstaining always scores 0."""
    made, policies = _rows(scene, x="t", series="policy")
    zero = Line(kind="threshold", label="abstaining from everything scores 0", y=0.0)
    plot = Plot(
        rows=made,
        series=policies,
        x=Axis(title="confidence threshold t", ticks=tuple(sorted({each["x"] for each in made})), format=".2~f"),
        y=value_axis(scene.measurement.quantity),
        lines=(zero, *claim_lines(scene, series=policies, name=series_by("policy"))),
        keys={"policy": "series", "t": "at"},
    )
    return (curves(plot, description=described(scene.measurement, "score against the threshold t")),)


def risk_coverage(scene: Scene) -> tuple[Picture, ...]:
    """Risk against the share of questions answered, one line for each confidence signal."""
    made, signals = _rows(scene, x="coverage", series="signal")
    parameters = scene.measurement.parameters
    labelled = []
    for signal in signals:
        area = parameters.get(f"aurc.{signal}")
        labelled.append(f"{signal}, area {numbers.plain(area)}" if isinstance(area, float) else signal)
    plot = Plot(
        rows=made,
        series=tuple(labelled),
        x=share("coverage: share of questions answered, most confident first"),
        y=value_axis(scene.measurement.quantity),
        lines=claim_lines(scene, series=signals, name=series_by("signal")),
        keys={"signal": "series", "coverage": "at"},
    )
    return (curves(plot, description=described(scene.measurement, "risk against coverage")),)


def calibration(scene: Scene) -> tuple[Picture, ...]:
    """Accuracy against stated confidence in bins, with the diagonal of honest confidence."""
    # The points are accuracies, although the measurement's own quantity is the gap between the two.
    made, signals = _rows(scene, x="confidence", series="signal", accuracy=True)
    diagonal = Line(kind="threshold", label="confidence = accuracy", points=((0.0, 0.0), (1.0, 1.0)))
    plot = Plot(
        rows=made,
        series=signals,
        x=share("confidence"),
        y=share("accuracy"),
        lines=(diagonal,),
        keys={"signal": "series", "confidence": "at"},
    )
    return (curves(plot, description=described(scene.measurement, "accuracy against confidence")),)


def _rows(
    scene: Scene, *, x: str, series: str, also: dict[str, str] | None = None, accuracy: bool = False
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Make the rows of a chart with one numeric axis and one series key, and the names of the series."""
    points = scene.measurement.points
    name = series_by(series)
    order = names(points, name)
    quantity = ACCURACY if accuracy else scene.measurement.quantity

    def made(point: Point) -> Row:
        extra = {field: point.at[key] for field, key in (also or {}).items()}
        return row(
            point,
            quantity,
            x=float(point.at[x]),
            s=order.index(name(point)),
            series=name(point),
            at=point.at[x],
            **extra,
        )

    return tuple(made(point) for point in points), order


DRAWERS = {
    "hallucination.accuracy_by_popularity": Drawer(
        accuracy_by_popularity, numeric=("popularity",), named=("family", "decade")
    ),
    "hallucination.score": Drawer(score, numeric=("t",), named=("policy",)),
    "hallucination.risk_coverage": Drawer(risk_coverage, numeric=("coverage",), named=("signal",)),
    "hallucination.calibration": Drawer(calibration, numeric=("confidence",), named=("signal",)),
}
