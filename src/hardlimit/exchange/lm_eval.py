"""Results of lm-evaluation-harness, in its old and its present format."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hardlimit.core import InvalidValueError
from hardlimit.exchange.decoding import read_json
from hardlimit.scaling import Record


def read_lm_eval(path: Path) -> tuple[Record, ...]:
    """Read one result file.

    Old files (2021–2023) name metrics `acc`, `acc_stderr`; present ones `acc,none`, `acc_stderr,none`, and add the
    number of items, the direction of each metric and the model's parameters, which are used.

    Args:
        path: a JSON file with a `results` table.

    Raises:
        InvalidValueError: not JSON, no `results`, or no model name: with the way out.
    """
    document = _document(path)
    results = document["results"]
    config = document.get("config") if isinstance(document.get("config"), dict) else {}
    assert isinstance(config, dict)
    model, step = _model(document, config, path)
    groups = _table(document, "group_subtasks")
    subject = {task: group for group, tasks in groups.items() if isinstance(tasks, list) for task in tasks}
    records: list[Record] = []
    for task, row in results.items():
        # An aggregate over a group repeats its tasks.
        if groups.get(task) or not isinstance(row, dict):
            continue
        for key, value in row.items():
            record = _record(path, document, str(task), str(key), value, row)
            if record is not None:
                fields = {name: getattr(record, name) for name in record.__struct_fields__}
                fields |= {"model": model, "step": step, "subject": subject.get(task)}
                fields["scale"] = _parameters(config)
                records.append(Record(**fields))
    if not records:
        raise InvalidValueError(f"{path} holds no result: its table `results` has no metric with a number.")
    return tuple(records)


def is_lm_eval(document: object) -> bool:
    """Whether a decoded JSON document has the shape of a result file."""
    return isinstance(document, dict) and isinstance(document.get("results"), dict)


def _document(path: Path) -> dict[str, Any]:
    document = read_json(path)
    if not is_lm_eval(document):
        raise InvalidValueError(
            f"{path} is not a result file of lm-evaluation-harness: it has no table `results`. "
            "Other results can be given as CSV or JSON lines with columns model, task, metric, value."
        )
    assert isinstance(document, dict)
    return document


def _table(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _model(document: Mapping[str, Any], config: Mapping[str, Any], path: Path) -> tuple[str, int | None]:
    """The model's name and training step, from `model_args`, else `model_name`."""
    arguments = config.get("model_args")
    if isinstance(arguments, str):
        arguments = dict(part.split("=", 1) for part in arguments.split(",") if "=" in part)
    if not isinstance(arguments, dict):
        arguments = {}
    name = arguments.get("pretrained") or arguments.get("model") or document.get("model_name")
    if not isinstance(name, str) or not name:
        raise InvalidValueError(
            f"{path} does not say which model it is about (no `pretrained=` in config.model_args and no model_name); "
            "add it, or give the results as CSV with columns model, task, metric, value."
        )
    revision = re.search(r"step(\d+)", str(arguments.get("revision", "")))
    return name, int(revision.group(1)) if revision else None


def _parameters(config: Mapping[str, Any]) -> float | None:
    count = config.get("model_num_parameters")
    return float(count) if isinstance(count, int) and count > 0 else None


def _record(
    path: Path, document: Mapping[str, Any], task: str, key: str, value: object, row: Mapping[str, Any]
) -> Record | None:
    """One metric of one task, or None where the entry is not a metric."""
    metric, _, filtered = key.partition(",")
    if metric.endswith("_stderr") or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if metric in {"alias", "samples", "name"}:
        return None
    if not math.isfinite(value):
        raise InvalidValueError(f"{path}: {task}/{metric} is {value}; remove the entry or run that task again.")
    error = row.get(f"{metric}_stderr,{filtered}" if filtered else f"{metric}_stderr")
    known = isinstance(error, (int, float)) and not isinstance(error, bool) and math.isfinite(error)
    counts = _table(_table(document, "n-samples"), task)
    better = _table(_table(document, "higher_is_better"), task).get(metric)
    shots = _table(document, "n-shot").get(task)
    if shots is None and isinstance(document.get("config"), dict):
        shots = document["config"].get("num_fewshot")
    return Record(
        model="",
        task=task,
        metric=metric if filtered in {"", "none"} else f"{metric}@{filtered}",
        value=float(value),
        n=counts.get("effective") if isinstance(counts.get("effective"), int) else None,
        stderr=float(error) if known and isinstance(error, (int, float)) else None,
        shots=shots if isinstance(shots, int) else None,
        better=None if not isinstance(better, bool) else ("higher" if better else "lower"),
        source=f"{path.name}: {task}",
    )
