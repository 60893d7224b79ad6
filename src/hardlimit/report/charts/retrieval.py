"""Charts of the retrieval limit."""

from collections.abc import Callable

from hardlimit.core import Estimate, Measurement, Point
from hardlimit.report import numbers
from hardlimit.report.charts.generic import claim_lines, described, log_lengths, share, value_axis
from hardlimit.report.charts.marks import Axis, Band, Line, Plot, curves, names, row, series_by
from hardlimit.report.charts.picture import Drawer, Picture, Row, Scene


def _one(point: Point) -> str:
    return ""


def _rows(scene: Scene, key: str, name: Callable[[Point], str] = _one) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Make the rows of a chart with one numeric axis, and the names of its series."""
    series = names(scene.measurement.points, name)
    made = tuple(
        row(
            point,
            scene.measurement.quantity,
            x=float(point.at[key]),
            s=series.index(name(point)),
            at=point.at[key],
            series=name(point),
        )
        for point in scene.measurement.points
    )
    return made, series


def accuracy_by_passages(scene: Scene) -> tuple[Picture, ...]:
    """Accuracy against the number of passages, with the fitted curve and where it and the measurement are best."""
    measurement = scene.measurement
    made, series = _rows(scene, "passages")
    best = scene.others.get("retrieval.best_passages")
    own = "own" in measurement.name
    plot = Plot(
        rows=made,
        series=series,
        x=log_lengths("retrieved passages (log scale)", measurement.points, "passages"),
        y=value_axis(measurement.quantity),
        lines=claim_lines(scene) + _predicted_best(measurement),
        band=None if own else _best_band(best),
        keys={"passages": "at"},
    )
    return (curves(plot, description=described(measurement, "accuracy against the number of retrieved passages")),)


def _predicted_best(measurement: Measurement) -> tuple[Line, ...]:
    """A rule at the best number of passages that the fitted law predicts, where it lies within what was measured."""
    best = measurement.parameters.get("k_star")
    most = max(float(point.at["passages"]) for point in measurement.points)
    if not isinstance(best, float) or best > most:
        return ()
    low, high = (measurement.parameters.get(f"k_star_{side}") for side in ("low", "high"))
    ends = ""
    if isinstance(low, float):
        ends = f" ({low:.1f} to {high:.1f})" if isinstance(high, float) else f" (from {low:.1f})"
    return (Line(kind="theory", label=f"predicted best: k* = {best:.1f}{ends}", x=best),)


def _best_band(best: Measurement | None) -> Band | None:
    if best is None or best.estimate is None:
        return None
    interval = best.estimate.interval
    ends = f"{numbers.plain(interval.low or 0.0)} to {numbers.plain(interval.high or 0.0)}"
    label = f"best measured: {numbers.plain(best.estimate.value)}, {interval.level:.0%} interval {ends}"
    if interval.low == interval.high and interval.low is not None:
        # A stretch without width would not be seen.
        return Band(label=label, low=interval.low / 1.03, high=interval.low * 1.03)
    return Band(label=label, low=interval.low, high=interval.high)


def recall_at_k(scene: Scene) -> tuple[Picture, ...]:
    """Recall of each retriever against k, with the break-even recall of this model."""
    made, series = _rows(scene, "k", series_by("retriever"))
    plot = Plot(
        rows=made,
        series=series,
        x=log_lengths("passages retrieved, k (log scale)", scene.measurement.points, "k"),
        y=value_axis(scene.measurement.quantity),
        lines=_break_even(scene.others.get("retrieval.break_even")),
        keys={"retriever": "series", "k": "at"},
    )
    return (curves(plot, description=described(scene.measurement, "recall against the number of passages")),)


def _break_even(even: Measurement | None) -> tuple[Line, ...]:
    if even is None or even.estimate is None:
        return ()
    value, interval = even.estimate.value, even.estimate.interval
    shown = f"{numbers.percent(value)} {numbers.interval_text(interval, even.quantity)}"
    return (Line(kind="threshold", label=f"retrieval pays above r* = {shown}", y=value),)


def recall_by_corpus(scene: Scene) -> tuple[Picture, ...]:
    """Recall against the size of the corpus for each retriever and k, with the fitted law of normal scores."""

    def name(point: Point) -> str:
        return f"{numbers.scalar(point.at['retriever'])}, k = {numbers.scalar(point.at['k'])}"

    made, series = _rows(scene, "documents", name)
    plot = Plot(
        rows=made,
        series=series,
        x=log_lengths("documents (log scale)", scene.measurement.points, "documents"),
        y=value_axis(scene.measurement.quantity),
        lines=claim_lines(scene, series=series, name=name),
        keys={"retriever": "series", "documents": "at"},
    )
    return (curves(plot, description=described(scene.measurement, "recall against corpus size")),)


def poison_by_corpus(scene: Scene) -> tuple[Picture, ...]:
    """Share of attacked questions that retrieve a planted text, against the size of the corpus."""
    made, series = _rows(scene, "documents", series_by("retriever"))
    plot = Plot(
        rows=made,
        series=series,
        x=log_lengths("documents (log scale)", scene.measurement.points, "documents"),
        y=value_axis(scene.measurement.quantity),
        lines=claim_lines(scene),
        keys={"retriever": "series", "documents": "at"},
        height=240,
    )
    return (curves(plot, description=described(scene.measurement, "planted texts retrieved against corpus size")),)


def accuracy_by_position(scene: Scene) -> tuple[Picture, ...]:
    """Accuracy against the place of the needed passage, with the mean over places."""
    made, series = _rows(scene, "position")
    plot = Plot(
        rows=made,
        series=series,
        x=share("place of the needed passage: 0% is first, 100% is last"),
        y=value_axis(scene.measurement.quantity),
        lines=_mean(scene.measurement.estimate) + claim_lines(scene),
        keys={"place": "at"},
    )
    return (curves(plot, description=described(scene.measurement, "accuracy by place of the needed passage")),)


def _mean(estimate: Estimate | None) -> tuple[Line, ...]:
    if estimate is None:
        return ()
    return (Line(kind="threshold", label=f"mean over places: {numbers.percent(estimate.value)}", y=estimate.value),)


def accuracy_by_noise(scene: Scene) -> tuple[Picture, ...]:
    """Accuracy against the share of passages that do not help, one line for each kind, and a rule without any."""
    made, series = _rows(scene, "noise", series_by("kind"))
    clean = next((point.estimate.value for point in scene.measurement.points if point.at["noise"] == 0), None)
    rule = () if clean is None else (Line(kind="threshold", label=f"no noise: {numbers.percent(clean)}", y=clean),)
    plot = Plot(
        rows=made,
        series=series,
        x=share("noise: share of the passages that do not help"),
        y=value_axis(scene.measurement.quantity),
        lines=rule + claim_lines(scene),
        keys={"noise": "series", "share": "at"},
    )
    return (curves(plot, description=described(scene.measurement, "accuracy against the share of noise")),)


def poisoning(scene: Scene) -> tuple[Picture, ...]:
    """Attack success against the number of planted texts, with the fitted belief and the dose for half."""
    measurement = scene.measurement
    made, series = _rows(scene, "dose")
    doses = tuple(sorted({float(point.at["dose"]) for point in measurement.points}))
    each, half = measurement.parameters.get("each"), measurement.parameters.get("dose50")
    lines: tuple[Line, ...] = ()
    if isinstance(each, float):
        steps = [doses[-1] * step / 24 for step in range(25)]
        points = tuple((dose, 1 - (1 - each) ** dose) for dose in steps)
        lines += (Line(kind="theory", label=f"fitted: each is believed with {numbers.percent(each)}", points=points),)
    if isinstance(half, float) and half <= doses[-1]:
        lines += (Line(kind="threshold", label=f"half of the attacks succeed at dose {numbers.plain(half)}", x=half),)
    plot = Plot(
        rows=made,
        series=series,
        x=Axis(title="planted texts in the context", ticks=(0.0, *doses), format=","),
        y=value_axis(measurement.quantity),
        lines=lines + claim_lines(scene),
        keys={"dose": "at"},
    )
    return (curves(plot, description=described(measurement, "attack success against the dose")),)


DRAWERS = {
    "retrieval.accuracy_by_passages": Drawer(accuracy_by_passages, numeric=("passages",)),
    "retrieval.own_accuracy_by_passages": Drawer(accuracy_by_passages, numeric=("passages",)),
    "retrieval.recall_at_k": Drawer(recall_at_k, numeric=("k",), named=("retriever",)),
    "retrieval.own_recall_at_k": Drawer(recall_at_k, numeric=("k",), named=("retriever",)),
    "retrieval.recall_by_corpus": Drawer(recall_by_corpus, numeric=("documents", "k"), named=("retriever",)),
    "retrieval.poison_by_corpus": Drawer(poison_by_corpus, numeric=("documents",), named=("retriever",)),
    "retrieval.accuracy_by_position": Drawer(accuracy_by_position, numeric=("position",)),
    "retrieval.accuracy_by_noise": Drawer(accuracy_by_noise, numeric=("noise",), named=("kind",)),
    "retrieval.poisoning": Drawer(poisoning, numeric=("dose",)),
}
