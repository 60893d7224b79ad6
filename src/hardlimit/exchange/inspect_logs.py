"""Logs of Inspect: `.eval` archives and their JSON form."""

import math
import zipfile
from pathlib import Path
from typing import Any

from hardlimit.core import InvalidValueError
from hardlimit.exchange.decoding import decode_json
from hardlimit.scaling import Record


def read_inspect(path: Path) -> tuple[Record, ...]:
    """Read the scores of one finished evaluation.

    Only the header is read; samples stay in the archive.

    Args:
        path: a `.eval` file, or a log in JSON.

    Raises:
        InvalidValueError: no such log, or one without scores (an evaluation that did not finish).
    """
    document = _header(path)
    about = document.get("eval")
    results = document.get("results")
    if not isinstance(about, dict) or not isinstance(about.get("model"), str):
        raise InvalidValueError(f"{path} is not a log of Inspect: it has no `eval.model`.")
    if not isinstance(results, dict) or not results.get("scores"):
        raise InvalidValueError(
            f"{path} has no scores (status {document.get('status', 'unknown')}); only finished evaluations count."
        )
    samples = results.get("completed_samples")
    task = str(about.get("task", path.stem)).split("/")[-1]
    records = []
    for score in results["scores"]:
        metrics = score.get("metrics", {}) if isinstance(score, dict) else {}
        values = {
            name: entry["value"]
            for name, entry in metrics.items()
            if isinstance(entry, dict)
            and isinstance(entry.get("value"), (int, float))
            and math.isfinite(entry["value"])
        }
        error = values.pop("stderr", None)
        for name, value in values.items():
            if name in {"std", "var"}:
                continue
            records.append(
                Record(
                    model=about["model"],
                    task=task,
                    metric=name,
                    value=float(value),
                    n=samples if name == "accuracy" and isinstance(samples, int) and samples > 0 else None,
                    stderr=None if error is None else float(error),
                    source=path.name,
                )
            )
    if not records:
        raise InvalidValueError(f"{path} has scores but no metric with a finite value.")
    return tuple(records)


def is_inspect(document: object) -> bool:
    """Whether a decoded JSON document has the shape of an Inspect log."""
    return isinstance(document, dict) and isinstance(document.get("eval"), dict)


def _header(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".eval":
            with zipfile.ZipFile(path) as archive:
                content = archive.read("header.json")
        else:
            content = path.read_bytes()
        document = decode_json(content, path)
    except OSError as error:
        raise InvalidValueError(f"{path} cannot be read: {error.strerror}.") from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise InvalidValueError(f"{path} is not a finished .eval archive of Inspect: {error}.") from error
    if not isinstance(document, dict):
        raise InvalidValueError(f"{path} is not a log of Inspect: it holds no object.")
    return document
