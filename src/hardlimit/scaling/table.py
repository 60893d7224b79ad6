"""A table of results over models and tasks, and the curves in it."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from hardlimit.core import InsufficientDataError, InvalidValueError, Resource, Value
from hardlimit.scaling.curve import Curve, ScalePoint
from hardlimit.scaling.metrics import METRICS, Metric, chance_of
from hardlimit.scaling.noise import counted
from hardlimit.scaling.records import Reading, Record


class CurveTable(Value, frozen=True):
    """Curves read from a table.

    Args:
        curves: one per task and metric.
        skipped: tasks without a curve, with the reason.
        notes: what was assumed on the way.
    """

    curves: tuple[Curve, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


_SIZE = re.compile(
    r"(?<![A-Za-z0-9.])(?P<whole>\d+(?:\.\d+)?)(?P<unit>[kKmMbBtT])(?P<tenth>\d{1,2})?(?![A-Za-z0-9])", re.ASCII
)
_UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


def size_in(name: str) -> float | None:
    """Number of parameters that a model's name states, or None.

    >>> [size_in(name) for name in ("pythia-6.9b", "bloom-1b7", "xglm-564M", "gpt2-xl")]
    [6900000000.0, 1700000000.0, 564000000.0, None]
    """
    found = list(_SIZE.finditer(name))
    if len(found) != 1:
        return None
    whole, unit, tenth = found[0]["whole"], found[0]["unit"].lower(), found[0]["tenth"]
    return float(f"{whole}.{tenth}" if tenth else whole) * _UNITS[unit]


def family_in(name: str) -> str:
    """A model's name without its size and checkpoint, which models of one family share.

    >>> family_in("EleutherAI/pythia-v1.1-6.9b"), family_in("bloom-1b7")
    ('EleutherAI/pythia-v1.1-*', 'bloom-*')
    """
    return re.sub(r"[-_ @]?step\d+", "", _SIZE.sub("*", name))


def curves_in(records: Iterable[Record], reading: Reading | None = None) -> CurveTable:
    """Read the curves of one family from a table of results.

    Args:
        records: the results.
        reading: how to read what the table does not say.

    Raises:
        InvalidValueError: sizes unknown, families or units mixed, directions unknown, points twice: each with the
            way out.
        InsufficientDataError: no task at 3 scales or more.
    """
    reading = reading or Reading()
    rows = list(records)
    if not rows:
        raise InsufficientDataError("The results hold no number at all; give at least one file with results.")
    reading.check(rows)
    notes: list[str] = []
    rows = _one_family(rows, reading)
    rows = _one_checkpoint(rows, reading, notes)
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    shots = {task: {row.shots for row in rows if row.task == task} for task in {row.task for row in rows}}
    for row in rows:
        name = f"{row.task} ({row.shots}-shot)" if len(shots[row.task]) > 1 else row.task
        groups[name, row.metric].append(row)
    curves, skipped = [], []
    subjects = _subjects({task for task, _ in groups})
    for (task, metric), members in sorted(groups.items()):
        points = _points(task, metric, members, reading)
        if len(points) < 3:
            skipped.append((f"{task}/{metric}", f"{len(points)} scale{'s' * (len(points) != 1)}; 3 are needed"))
            continue
        curve = _curve(task, metric, points, members, reading, subjects[task])
        if not counted(curve) and (passed := curve.losses <= 0).any():
            reached = float(curve.values[passed][0])
            skipped.append(
                (
                    f"{task}/{metric}",
                    f"a value of {reached:g} reaches or passes the best possible one ({curve.best:g}), and the number "
                    "of items behind it is not known",
                )
            )
            continue
        curves.append(curve)
    if not curves:
        raise InsufficientDataError(_nothing(skipped))
    return CurveTable(curves=tuple(curves), skipped=tuple(skipped), notes=tuple(notes))


def _nothing(skipped: list[tuple[str, str]]) -> str:
    """Why a table holds no curve."""
    short = [name for name, why in skipped if why.endswith("are needed")]
    if short:
        return (
            f"No task was measured at 3 scales or more ({len(short)} have fewer, such as {short[0]}); a curve needs "
            "results of at least 3 sizes of one family."
        )
    name, why = skipped[0]
    return f"No curve can be judged. {name}: {why}. Give n, or a best value that cannot be reached (--best TASK=…)."


def _one_family(rows: list[Record], reading: Reading) -> list[Record]:
    if reading.family is not None:
        kept = [row for row in rows if reading.family in row.model]
        if not kept:
            names = ", ".join(sorted({family_in(row.model) for row in rows}))
            raise InvalidValueError(f"No model's name holds '{reading.family}'. Families here: {names}.")
        rows = kept
    families = Counter(family_in(row.model) for row in rows if row.model not in reading.scales)
    if len(families) > 1 and reading.family is None:
        names = ", ".join(f"{name} ({count} result{'s' * (count != 1)})" for name, count in sorted(families.items()))
        raise InvalidValueError(
            f"These results mix {len(families)} families of models: {names}. A curve holds everything but the size "
            "fixed: choose one with --family TEXT, or say the sizes yourself with --scale NAME=PARAMETERS."
        )
    return rows


def _one_checkpoint(rows: list[Record], reading: Reading, notes: list[str]) -> list[Record]:
    steps: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        if row.step is not None:
            steps[row.model].add(row.step)
    if not steps:
        if reading.step is not None:
            raise InvalidValueError(f"Step {reading.step} was asked for, but no result states its training step.")
        return rows
    if reading.resource is Resource.DATA:
        models = {row.model for row in rows}
        if len(models) > 1:
            raise InvalidValueError(
                f"Training data is the resource, but these are {len(models)} models: {', '.join(sorted(models))}. "
                "Choose one with --family TEXT."
            )
        if not reading.independent:
            raise InvalidValueError(
                f"The {len(steps[rows[0].model])} checkpoints of {rows[0].model} come from one training run: they are "
                "not independent points, and a law fitted to them looks surer than it is (false floors rise from 5 % "
                "to 15 %). Give one finished run per amount of data; or pass --independent if these are separate runs."
            )
        return rows
    common = set.intersection(*steps.values())
    if not common:
        raise InvalidValueError(
            "The models share no training step: "
            + ", ".join(f"{model} ends at {max(found)}" for model, found in sorted(steps.items()))
            + ". A curve over sizes needs equal training; choose files of one step."
        )
    step = max(common) if reading.step is None else reading.step
    if step not in common:
        raise InvalidValueError(f"Not every model has step {step}. Steps that all have: {sorted(common)}.")
    if any(len(found) > 1 for found in steps.values()):
        notes.append(f"Read at training step {step}; checkpoints of one run are not independent points.")
    return [row for row in rows if row.step in (None, step)]


def scale_of(row: Record, reading: Reading) -> float:
    """Amount of the resource behind a result, as its source, the user or the model's name states it."""
    if reading.resource is Resource.DATA and row.tokens is not None:
        return row.tokens
    if reading.resource is Resource.DATA and row.step is not None and row.scale is None:
        return float(row.step) * (reading.tokens_per_step or 1.0)
    if row.model in reading.scales:
        return reading.scales[row.model]
    if row.scale is not None:
        return row.scale
    if reading.resource is Resource.DATA:
        raise InvalidValueError(
            f"How much data '{row.model}' was trained on is not known ({row.source or 'no source'}). Give a column "
            f"`tokens`, or say it with --scale '{row.model}=3e11'."
        )
    if reading.pattern is not None:
        match = re.search(reading.pattern, row.model)
        text = match.group(1) if match and match.groups() else None
        size = None if text is None else (size_in(text) or _number(text))
    else:
        size = size_in(row.model)
    if size is None:
        raise InvalidValueError(
            f"The size of the model '{row.model}' is not known ({row.source or 'no source'}): its name does not state "
            f"it once. Say it with --scale '{row.model}=1.3e9'."
        )
    return size


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def metric_of(metric: str, members: list[Record], reading: Reading) -> Metric:
    """How a metric is read: by its name, by what the source states, or by what the user says."""
    stated = reading.better.get(metric) or next((row.better for row in members if row.better is not None), None)
    best = next((row.best for row in members if row.best is not None), None)
    if best is not None and stated is not None:
        return Metric(better=stated, binary=all(row.counted for row in members), best=best)
    known = METRICS.get(metric)
    if known is not None and (stated is None or stated == known.better):
        return known
    if stated is None:
        raise InvalidValueError(
            f"Whether more of the metric '{metric}' is better is not known. Say it with --better {metric}=higher or "
            f"--better {metric}=lower."
        )
    inside = all(0 <= row.value <= 1 for row in members)
    return Metric(better=stated, best=1.0 if stated == "higher" and inside else 0.0)


def _points(task: str, metric: str, members: list[Record], reading: Reading) -> tuple[ScalePoint, ...]:
    how = metric_of(metric, members, reading)
    factor = share_factor(task, metric, members, reading, how)
    by_scale: dict[float, list[Record]] = defaultdict(list)
    for row in members:
        by_scale[scale_of(row, reading)].append(row)
    points = []
    for scale, rows in sorted(by_scale.items()):
        if len(rows) > 1 and not reading.average:
            sources = ", ".join(row.source or row.model for row in rows)
            raise InvalidValueError(
                f"{task}/{metric} has {len(rows)} results at scale {scale:g} ({sources}). Remove the extra ones, or "
                "pass --average if they are seeds of one setting."
            )
        points.append(point_of(scale, rows, how, factor))
    return _fill_counts(tuple(points), how)


def share_factor(task: str, metric: str, members: list[Record], reading: Reading, how: Metric) -> float:
    """What a metric's values are multiplied with to be shares, where they are percentages; mixtures are refused."""
    if metric in reading.percent:
        return 0.01
    if (not how.binary and how.best != 1.0) or all(row.best is not None for row in members):
        return 1.0
    values = [row.value for row in members]
    if max(values) <= 1.0 and min(values) >= 0.0:
        return 1.0
    if min(values) > 1.0 and max(values) <= 100.0:
        return 0.01
    if min(values) < 0 or max(values) > 100:
        raise InvalidValueError(
            f"{task}/{metric} is known as a share of items, but its values run from {min(values):g} to "
            f"{max(values):g}, which are neither fractions nor percentages. Correct the file, or, if this is another "
            "metric, give it a name of its own and say --better NAME=higher or lower."
        )
    raise InvalidValueError(
        f"{task}/{metric} is a share of items, but its values run from {min(values):g} to {max(values):g}: fractions "
        f"and percentages seem mixed. Correct the file, or pass --percent {metric} if all are percentages."
    )


def point_of(scale: float, rows: list[Record], how: Metric, factor: float) -> ScalePoint:
    """One point from the results at one scale (several only where seeds are averaged)."""
    values, errors = [], []
    for row in rows:
        value = row.value * factor
        error = None if row.stderr is None else row.stderr * factor
        if how.logged:
            if value <= 1.0:
                raise InvalidValueError(f"A perplexity must be > 1, got {value:g} ({row.source or row.model}).")
            value, error = math.log(value), None if error is None else error / value
        values.append(value)
        errors.append(error)
    value = sum(values) / len(values)
    n: int | None = None
    if how.binary:
        counts = [row.n or count_from(one, error) for row, one, error in zip(rows, values, errors, strict=True)]
        n = None if None in counts else sum(count for count in counts if count is not None)
    known = [error for error in errors if error is not None]
    stderr = math.sqrt(sum(error**2 for error in known)) / len(rows) if len(known) == len(rows) else None
    return ScalePoint(scale=scale, value=value, n=n, stderr=stderr, model=rows[0].model)


def count_from(value: float, stderr: float | None) -> int | None:
    """Items behind a share, from the standard error that harnesses print: se² = p(1 − p)/(n − 1).

    >>> count_from(0.5, 0.05), count_from(1.0, 0.0)
    (101, None)
    """
    if stderr is None or stderr <= 0 or not 0 < value < 1:
        return None
    return max(1, round(value * (1 - value) / stderr**2 + 1))


def _fill_counts(points: tuple[ScalePoint, ...], how: Metric) -> tuple[ScalePoint, ...]:
    """Every model answers the same items: a point at 0 or 1, whose error says nothing, takes the others' count."""
    known = [point.n for point in points if point.n is not None]
    if not how.binary or not known or len(known) == len(points):
        return points
    return tuple(
        point
        if point.n is not None
        else ScalePoint(scale=point.scale, value=point.value, n=max(known), stderr=point.stderr, model=point.model)
        for point in points
    )


def _curve(
    task: str, metric: str, points: tuple[ScalePoint, ...], members: list[Record], reading: Reading, subject: str
) -> Curve:
    how = metric_of(metric, members, reading)
    bare = members[0].task
    stated = next((row.subject for row in members if row.subject), None)
    return Curve(
        task=task,
        metric=f"ln {metric}" if how.logged else metric,
        points=points,
        resource=reading.resource,
        better=how.better,
        fraction=how.binary,
        best=reading.best.get(bare, how.best),
        chance=(reading.chance.get(bare, chance_of(bare)) if how.binary else None),
        subject=stated or subject,
        apart=any(row.apart for row in members),
        family=family_in(members[0].model),
    )


def _subjects(tasks: Mapping[str, object] | set[str]) -> dict[str, str]:
    """Group of each task: the part of its name before '-', or a first word that 3 tasks share, else itself."""
    firsts = Counter(re.split(r"[_\- ]", task)[0] for task in tasks)
    return {
        task: task.split("-")[0]
        if "-" in task.split(" (")[0]
        else (first if firsts[first := re.split(r"[_\- ]", task)[0]] >= 3 else task)
        for task in tasks
    }
