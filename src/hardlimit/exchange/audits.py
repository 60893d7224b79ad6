"""Hardlimit's own audits as results: the measurements of a report, or the graded answers of a store."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scipy import stats

from hardlimit.audit import AuditReport, LimitReport
from hardlimit.core import (
    Case,
    Estimate,
    Grade,
    HardlimitError,
    InvalidValueError,
    Measurement,
    Point,
    Scalar,
    StoreError,
    Tally,
    loads,
)
from hardlimit.core.quantity import ACCURACY
from hardlimit.models import ModelCard
from hardlimit.scaling import Record
from hardlimit.store import Kept, Store

REPORT = "report.json"
ANSWERS = "answers.sqlite"

_CONDITIONS = ("family", "kind", "variant", "length", "exists", "condition", "scratchpad", "difficulty", "passages")
"""Factors of a case that make another question of it; models that were asked other shares of them differ by that."""


def is_report(document: object) -> bool:
    """Whether a decoded JSON document is the report of an audit."""
    return isinstance(document, dict) and document.get("kind") == "AuditReport"


def is_beside(document: object) -> bool:
    """Whether a decoded JSON document is one that stands beside audits: a report of the lab, or of a whole family."""
    return isinstance(document, dict) and document.get("kind") in {"LabReport", "FamilyReport"}


def read_report(path: Path) -> tuple[Record, ...]:
    """Read the measurements of one audit, each a task, and the counted points of its curves.

    A task is a measurement's name with the point's coordinates; the subject is the limit, and the scale the model
    card's number of parameters. Measurements that a failed control broke are left out, and so are quantities without a
    best possible value, to which no loss can be told.

    Args:
        path: a `report.json` that `hardlimit audit` wrote.

    Raises:
        InvalidValueError: not such a file, or one without a measurement that can be judged.
    """
    try:
        report = loads(path.read_bytes(), AuditReport)
    except OSError as error:
        raise InvalidValueError(f"{path} cannot be read: {error.strerror}.") from error
    except HardlimitError as error:
        raise InvalidValueError(f"{path} is not the report of an audit that can be read: {error}") from error
    records = [
        record
        for limit in report.limits
        for measurement in limit.measurements
        if not measurement.broken
        for record in _of_measurement(report.model, limit, measurement, _source(path))
    ]
    if not records:
        raise InvalidValueError(
            f"{path} holds no measurement with a best possible value (limits measured: "
            f"{', '.join(str(limit.limit) for limit in report.limits if limit.applies) or 'none'}); audit the model "
            "with a larger --budget."
        )
    return tuple(records)


def _source(path: Path) -> str:
    """The folder tells audits apart, whose files all have the same name."""
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


def _of_measurement(card: ModelCard, limit: LimitReport, measurement: Measurement, source: str) -> Iterator[Record]:
    quantity = measurement.quantity
    better = quantity.better
    if better == "neither":
        return
    best = quantity.high if better == "higher" else quantity.low
    if best is None:
        return
    share = quantity.unit == "probability"
    found: list[tuple[str, Estimate, Tally | None]] = []
    if measurement.estimate is not None:
        found.append((measurement.name, measurement.estimate, measurement.tally))
    found += [(_named(measurement.name, point), point.estimate, point.tally) for point in measurement.points]
    for place, (task, estimate, tally) in enumerate(found):
        whole = place == 0 and measurement.estimate is not None
        if not whole and (tally is None or not share):
            continue
        counted = share and tally is not None and tally.n > 0 and _is_count(estimate)
        yield Record(
            model=card.name,
            task=task,
            metric=quantity.id,
            value=estimate.value,
            n=estimate.n if counted else None,
            stderr=_standard_error(estimate),
            scale=None if card.parameters is None else float(card.parameters),
            better=better,
            best=best,
            counted=counted,
            subject=str(limit.limit),
            apart=True,
            source=source,
        )


def _is_count(estimate: Estimate) -> bool:
    """Whether an estimate is a share of its cases, each of them right or wrong."""
    right = estimate.value * estimate.n
    return estimate.n > 0 and 0 <= estimate.value <= 1 and abs(right - round(right)) < 1e-6 * max(estimate.n, 1)


def _named(name: str, point: Point) -> str:
    return f"{name} ({_conditions(point.at)})"


def is_condition(task: str) -> bool:
    """Whether a task of an audit is one point of a measurement, not the measurement as a whole.

    >>> is_condition("context.accuracy_by_length (length=512)"), is_condition("hallucination.facts")
    (True, False)
    """
    return " (" in task


def _conditions(at: Mapping[str, Scalar]) -> str:
    return ", ".join(f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in at.items())


def _standard_error(estimate: Estimate) -> float | None:
    low, high = estimate.interval.low, estimate.interval.high
    if low is None or high is None or high <= low:
        return None
    return float((high - low) / (2 * stats.norm.ppf((1 + estimate.interval.level) / 2)))


def read_store(path: Path) -> tuple[Record, ...]:
    """Read the graded answers of a store: the accuracy of each model at each probe and condition.

    Artefacts (malformed, truncated, refused, failed) stay in the denominator. Answers to a case that was asked several
    times for the sake of another measurement count once, by the first, so that n is a number of questions. The probes'
    controls are left out.

    Args:
        path: an `answers.sqlite` that `hardlimit audit` left, of one model or several.

    Raises:
        InvalidValueError: not a store, or one without a graded answer.
    """
    try:
        with Store.open(path, existing=True) as store:
            cards = store.cards()
            grades: dict[tuple[str, str], list[Grade]] = {}
            for kept in store.every_answer():
                if (task := _task(kept)) is not None:
                    grades.setdefault((kept.model, task), []).append(kept.answered.grade)
            tallies = {key: Tally.of(found) for key, found in grades.items()}
    except StoreError as error:
        raise InvalidValueError(f"{path} cannot be read as a store: {error}") from error
    if not tallies:
        raise InvalidValueError(f"{path} holds no graded answer to a question; run the audit that it belongs to first.")
    return tuple(_of_tally(cards.get(model), model, task, tally, path) for (model, task), tally in tallies.items())


def _of_tally(card: ModelCard | None, model: str, task: str, tally: Tally, path: Path) -> Record:
    return Record(
        model=model if card is None else card.name,
        task=task,
        metric=ACCURACY.id,
        value=tally.right / tally.n,
        n=tally.n,
        scale=None if card is None or card.parameters is None else float(card.parameters),
        better="higher",
        best=1.0,
        counted=True,
        subject=task.split(" ")[0],
        source=_source(path),
    )


def _task(kept: Kept) -> str | None:
    """The probe with the parameters that set it apart, and the case's condition; None for controls and repetitions."""
    case = kept.answered.case
    if "about" in case.factors:
        return None
    name, fields = _fields(kept.probe)
    if fields.pop("setting", "plain") != "plain":
        return None
    told = {key: value for key, value in fields.items() if value != ()} | _condition(case)
    text = ", ".join(f"{key}={value}" for key, value in told.items())
    return f"{name} ({text})" if text else name


def _condition(case: Case) -> dict[str, Any]:
    return {key: case.factors[key] for key in _CONDITIONS if key in case.factors}


def _fields(probe: str) -> tuple[str, dict[str, Any]]:
    """Name and parameters from a probe's `repr`; whatever is no plain call of literals stays as it is."""
    try:
        call = ast.parse(probe, mode="eval").body
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            return call.func.id, {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return probe, {}
