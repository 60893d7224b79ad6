"""Charts of the reasoning limit."""

from collections.abc import Sequence

from hardlimit.core import Estimate, Interval, Measurement, Point, Scalar
from hardlimit.core.quantity import ACCURACY, REASONING_THRESHOLD
from hardlimit.report import numbers
from hardlimit.report.charts.generic import claim_lines, described, log_lengths, positive, powers, share, value_axis
from hardlimit.report.charts.marks import Axis, Band, Line, Plot, curves, dots, names, row, series_by
from hardlimit.report.charts.picture import Drawer, Picture, Row, Scene

FEW_TICKS = 8
"""Up to so many levels each has its label."""

_EFFECTS = {
    "total": "total: own − none",
    "mediated": "mediated: own − falsified",
    "direct": "direct: falsified − none",
}
_INTERVENTIONS = {
    "none": "no steps",
    "truncated": "own steps, cut",
    "own": "own steps",
    "corrupted": "own steps, one falsified",
    "swapped": "another problem's steps",
}


def threshold(scene: Scene) -> tuple[Picture, ...]:
    """A dot for each family and way of asking, each in its family's unit, on one logarithmic axis."""
    measurement = scene.measurement
    made = tuple(
        row(
            point,
            measurement.quantity,
            x=f"{point.at['family']}, {_mode(point)}",
            unit=str(measurement.parameters.get(f"unit.{point.at['family']}", "")),
        )
        for point in sorted(measurement.points, key=lambda point: str(point.at["family"]))
    )
    ends = tuple(float(each[end]) for each in made for end in ("low", "high"))
    ticks = powers(2, ends) if positive(ends) else ()
    plot = Plot(
        rows=made,
        series=("",),
        x=Axis(title="family"),
        y=Axis(title="difficulty in the family's own unit (log scale)", log=positive(ends), ticks=ticks, format="~g"),
        keys={"problems": "x", "unit": "unit"},
    )
    return (dots(plot, description=described(measurement, "the difficulty at which half is lost, by family")),)


def accuracy_by_difficulty(scene: Scene) -> tuple[Picture, ...]:
    """For each family, accuracy and the share of artefacts against difficulty, with the thresholds."""
    measurement = scene.measurement
    return tuple(
        _difficulty(scene, family, [point for point in measurement.points if series_by("family")(point) == family])
        for family in names(measurement.points, series_by("family"))
    )


def _difficulty(scene: Scene, family: str, points: Sequence[Point]) -> Picture:
    thresholds = scene.others.get("reasoning.threshold")
    unit = str(thresholds.parameters.get(f"unit.{family}", "")) if thresholds is not None else ""
    modes = names(tuple(points), _mode)
    spoilt = [mode for mode in modes if any(_mode(point) == mode and _artefacts(point) for point in points)]
    series = (*modes, *(_no_answer(mode) for mode in spoilt))
    made = [
        row(
            point,
            ACCURACY,
            x=float(point.at["difficulty"]),
            s=modes.index(_mode(point)),
            at=point.at["difficulty"],
            what=_mode(point),
        )
        for point in points
    ]
    made += [
        _share_row(point, x=float(point.at["difficulty"]), s=series.index(_no_answer(_mode(point))))
        | {"at": numbers.scalar(point.at["difficulty"]), "what": _no_answer(_mode(point))}
        for point in points
        if _mode(point) in spoilt
    ]
    places = tuple(sorted({float(point.at["difficulty"]) for point in points}))
    lines, band = _crossings(thresholds, family, modes, unit, places)
    whole = all(place.is_integer() for place in places)
    ticks = places if whole and len(places) <= FEW_TICKS else ()
    plot = Plot(
        rows=tuple(made),
        series=series,
        x=Axis(
            title=f"{unit or 'difficulty'}{' (log scale)' if positive(places) else ''}",
            log=positive(places),
            ticks=ticks,
            format=",~g",
        ),
        y=share("share of all problems"),
        lines=lines,
        band=band,
        keys={"series": "what", "difficulty": "at"},
        height=240,
    )
    return curves(
        plot, title=family, description=described(scene.measurement, f"accuracy against difficulty, {family}")
    )


def _mode(point: Point) -> str:
    return "step by step" if point.at.get("scratchpad") in (True, "true", "True") else "at once"


def _no_answer(mode: str) -> str:
    return f"no answer ({mode})"


def _artefacts(point: Point) -> int:
    return point.tally.artefacts if point.tally is not None else point.estimate.artefacts


def _share_row(point: Point, *, x: float, s: int) -> Row:
    """The share of replies that are no answer: counted, drawn without an interval."""
    n, count = point.estimate.n, _artefacts(point)
    value = count / n if n else 0.0
    exact = Estimate(
        value=value, interval=Interval(low=value, high=value, level=0.95, method="counted"), n=n, artefacts=count
    )
    return row(Point(at=point.at, estimate=exact), ACCURACY, x=x, s=s) | {"interval": "counted"}


def _crossings(
    thresholds: Measurement | None, family: str, modes: Sequence[str], unit: str, places: Sequence[float]
) -> tuple[tuple[Line, ...], Band | None]:
    """A rule at each threshold that lies within the levels, and the interval of the first as a band."""
    lines, band = [], None
    for point in thresholds.points if thresholds is not None else ():
        mode, interval = _mode(point), point.estimate.interval
        if point.at.get("family") != family or mode not in modes or (interval.low is None and interval.high is None):
            continue
        ends = numbers.interval_text(interval, REASONING_THRESHOLD)
        if interval.low is not None and interval.high is not None:
            value = numbers.plain(point.estimate.value)
            label = f"half is lost, {mode}: {value} {unit}"
            lines.append(Line(kind="threshold", label=label, x=point.estimate.value, s=modes.index(mode)))
        if band is None:
            label = f"{interval.level:.0%} interval, {mode}: {ends}"
            # An end beyond the levels is the edge of the chart, a little outside the outermost ones.
            low, high = (places[0] / 1.2 if interval.low is None else interval.low), interval.high
            band = Band(label=label, low=low, high=places[-1] * 1.2 if high is None else high)
    return tuple(lines), band


def token_budget(scene: Scene) -> tuple[Picture, ...]:
    """Accuracy and the share of replies that were cut off against the token limit."""
    measurement = scene.measurement
    families = names(measurement.points, series_by("family"))
    series = tuple(name for family in families for name in (f"{family}: right", f"{family}: no answer"))
    made = []
    for point in measurement.points:
        family, x = series_by("family")(point), float(point.at["budget"])
        first = series.index(f"{family}: right")
        made.append(row(point, ACCURACY, x=x, s=first) | {"at": numbers.scalar(point.at["budget"])})
        made.append(_share_row(point, x=x, s=first + 1) | {"at": numbers.scalar(point.at["budget"])})
    plot = Plot(
        rows=tuple(made),
        series=series,
        x=log_lengths("tokens that a reply may have (log scale)", measurement.points, "budget"),
        y=share("share of all problems"),
        keys={"tokens": "at"},
        height=240,
    )
    return (curves(plot, description=described(measurement, "accuracy and cut-off replies by token limit")),)


def paired_drop(scene: Scene) -> tuple[Picture, ...]:
    """A dot for each kind of change: accuracy lost where the familiar answer is wrong."""
    measurement = scene.measurement
    made = []
    for point in measurement.points:
        kind = series_by("kind")(point)
        familiar = measurement.parameters.get(f"familiar.{kind}")
        said = f"{numbers.percent(familiar)} of wrong answers" if isinstance(familiar, float) else "no wrong answer"
        made.append(row(point, measurement.quantity, x=kind) | {"familiar": said})
    plot = Plot(
        rows=tuple(made),
        series=("",),
        x=Axis(title="change"),
        y=Axis(title="accuracy lost where the familiar answer is wrong", format="+.0%"),
        lines=(Line(kind="threshold", label="nothing is lost", y=0.0),),
        keys={"change": "x", "familiar answer": "familiar"},
    )
    return (dots(plot, description=described(measurement, "accuracy lost by kind of change")),)


def mediation(scene: Scene) -> tuple[Picture, ...]:
    """Accuracy after each given chain, and the total, mediated and direct effect."""
    measurement = scene.measurement
    made = tuple(row(point, ACCURACY, x=_given(point)) for point in measurement.points)
    accuracy = dots(
        Plot(
            rows=made,
            series=("",),
            x=Axis(title="steps given"),
            y=share("accuracy after these steps"),
            keys={"steps given": "x"},
        ),
        title="accuracy by what stands before the answer",
        description=described(measurement, "accuracy after each kind of given steps"),
    )
    effects = _effects(measurement)
    return (accuracy,) if effects is None else (accuracy, effects)


def _given(point: Point) -> str:
    kind = str(point.at["intervention"])
    label = _INTERVENTIONS.get(kind, kind)
    return f"{label} after {float(point.at['kept']):.0%}" if kind == "truncated" else label


def _effects(measurement: Measurement) -> Picture | None:
    made = []
    for name, label in _EFFECTS.items():
        value, low, high = (_float(measurement, f"{name}{end}") for end in ("", "_low", "_high"))
        if value is not None and low is not None and high is not None:
            estimate = Estimate(
                value=value,
                interval=Interval(low=low, high=high, level=0.95, method="paired score"),
                n=int(measurement.parameters.get("pairs", 0)),
            )
            at: dict[str, Scalar] = {"effect": name}
            made.append(row(Point(at=at, estimate=estimate), ACCURACY, x=label))
    if not made:
        return None
    plot = Plot(
        rows=tuple(made),
        series=("",),
        x=Axis(title="effect"),
        y=Axis(title="change of accuracy, on the same problems", format="+.0%"),
        lines=(Line(kind="threshold", label="no effect", y=0.0),),
        keys={"effect": "x"},
    )
    return dots(plot, title="effects of the steps", description="Chart of the total, mediated and direct effect.")


def _float(measurement: Measurement, name: str) -> float | None:
    value = measurement.parameters.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def chain_by_length(scene: Scene) -> tuple[Picture, ...]:
    """Share of chains that are right after each step, with the fitted laws."""
    measurement = scene.measurement
    made = [
        row(point, measurement.quantity, x=float(point.at["steps"]), at=point.at["steps"])
        for point in measurement.points
    ]
    steps = tuple(sorted({float(point.at["steps"]) for point in measurement.points}))
    half = Line(kind="threshold", label="half of the chains", y=0.5)
    plot = Plot(
        rows=tuple(made),
        series=("",),
        x=Axis(title="steps", ticks=steps if len(steps) <= 12 else (), format=","),
        y=value_axis(measurement.quantity),
        lines=(half, *claim_lines(scene)),
        keys={"steps": "at"},
    )
    return (curves(plot, description=described(measurement, "chains that are right by number of steps")),)


def by_samples(scene: Scene) -> tuple[Picture, ...]:
    """Accuracy against the number of samples for each policy, with what was predicted."""
    measurement = scene.measurement
    policy = series_by("policy")
    series = names(measurement.points, policy)
    made = tuple(
        row(
            point,
            measurement.quantity,
            x=float(point.at["k"]),
            s=series.index(policy(point)),
            at=point.at["k"],
            policy=policy(point),
        )
        for point in measurement.points
    )
    plot = Plot(
        rows=made,
        series=series,
        x=log_lengths("samples k (log scale)", measurement.points, "k"),
        y=value_axis(measurement.quantity),
        lines=(*_ceilings(scene, series), *_best(measurement)),
        keys={"policy": "policy", "samples": "at"},
    )
    return (curves(plot, description=described(measurement, f"{measurement.quantity.name} by number of samples")),)


def _ceilings(scene: Scene, series: tuple[str, ...]) -> tuple[Line, ...]:
    """Claims in the colour of the policy that they are about; a ceiling says whose it is."""
    policy = series_by("policy")
    lines = [line for line in claim_lines(scene, series=series, name=policy) if line.points]
    for finding in scene.findings:
        about = {policy(point) for point in finding.measurement.points}
        for bound in scene.bounds:
            if bound is finding.claim and len(about) == 1:
                (own,) = about
                label = f"{bound.statement.id}: ceiling of the {own}, {numbers.percent(bound.value)}"
                lines.append(Line(kind="theory", label=label, y=bound.value, s=series.index(own)))
    return tuple(lines)


def _best(measurement: Measurement) -> tuple[Line, ...]:
    best = _float(measurement, "best_k")
    if best is None:
        return ()
    return (Line(kind="threshold", label=f"k at which right − wrong was largest (verifier): {best:.0f}", x=best),)


DRAWERS = {
    "reasoning.threshold": Drawer(threshold, named=("family", "scratchpad")),
    "reasoning.accuracy_by_difficulty": Drawer(
        accuracy_by_difficulty, numeric=("difficulty",), named=("family", "scratchpad")
    ),
    "reasoning.token_budget": Drawer(token_budget, numeric=("budget",), named=("family",)),
    "reasoning.paired_drop": Drawer(paired_drop, named=("kind",)),
    "reasoning.mediation": Drawer(mediation, numeric=("kept",), named=("intervention",)),
    "reasoning.chain_by_length": Drawer(chain_by_length, numeric=("steps",)),
    "reasoning.best_of_k": Drawer(by_samples, numeric=("k",), named=("policy",)),
    "reasoning.accepted_accuracy": Drawer(by_samples, numeric=("k",), named=("policy",)),
}
