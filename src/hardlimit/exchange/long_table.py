"""Results in long form: one line per model, task and metric, as CSV, JSON lines or Parquet."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from hardlimit.core import InvalidValueError, MissingExtraError
from hardlimit.scaling import Record, size_in

COLUMNS: dict[str, tuple[str, ...]] = {
    "model": ("model", "model_name", "name"),
    "task": ("task", "benchmark", "dataset"),
    "metric": ("metric",),
    "value": ("value", "score", "result"),
    "n": ("n", "items", "num_items"),
    "stderr": ("stderr", "se", "standard_error"),
    "scale": ("scale", "parameters", "params", "size"),
    "step": ("step", "checkpoint"),
    "tokens": ("tokens", "training_tokens", "data"),
    "shots": ("shots", "num_fewshot", "n_shot"),
    "better": ("better",),
    "subject": ("subject", "group", "category"),
}
"""What each field may be called in the head of a table."""

_REQUIRED = ("model", "task", "metric", "value")
_SHOWN_ERRORS = 5


def read_csv(path: Path) -> tuple[Record, ...]:
    """Read results from a CSV file with a head line.

    Args:
        path: the file; columns model, task, metric, value, and where known n, stderr, scale, step, shots, better
            (higher or lower), subject. Others are ignored.

    Raises:
        InvalidValueError: columns missing, or malformed lines, each with its number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidValueError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidValueError(
            f"{path} is not a text file in UTF-8 ({error.reason} at byte {error.start})."
        ) from error
    head = text.split("\n", 1)[0]
    # Spreadsheets write semicolons or tabs; whichever the head has most of separates.
    separator = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True, delimiter=separator)
    names = _names(path, list(reader.fieldnames or []))
    return _records(path, ((reader.line_num, row) for row in reader), names)


def read_json_lines(path: Path) -> tuple[Record, ...]:
    """Read results from a file with one JSON object per line, keys as the columns of `read_csv`."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InvalidValueError(f"{path} cannot be read: {error.strerror}.") from error
    rows: list[tuple[int, Mapping[str, Any]]] = []
    broken: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            broken.append(f"line {number}: not JSON ({error})")
            continue
        if isinstance(row, dict):
            rows.append((number, row))
        else:
            broken.append(f"line {number}: a JSON object was expected, not {type(row).__name__}")
    _refuse(path, broken)
    names = _names(path, sorted({name for _, row in rows for name in row}))
    return _records(path, rows, names)


def read_parquet(path: Path) -> tuple[Record, ...]:
    """Read results from a Parquet file, columns as in `read_csv`.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise MissingExtraError.for_extra("parquet", "pyarrow") from error
    try:
        table = parquet.read_table(path)
    except (ArrowException, OSError) as error:
        raise InvalidValueError(f"{path} is not a Parquet file that can be read: {error}.") from error
    names = _names(path, table.column_names)
    return _records(path, enumerate(table.to_pylist(), start=1), names)


def _names(path: Path, found: list[str]) -> dict[str, str]:
    """Field to the column that holds it."""
    lower = {name.strip().lower(): name for name in found}
    names = {field: lower[alias] for field, aliases in COLUMNS.items() for alias in reversed(aliases) if alias in lower}
    missing = [field for field in _REQUIRED if field not in names]
    if missing:
        raise InvalidValueError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it has "
            f"{', '.join(found) or 'none'}. One line per result is needed, with columns model, task, metric, value."
        )
    return names


def _records(path: Path, rows: Iterable[tuple[int, Mapping[str, Any]]], names: Mapping[str, str]) -> tuple[Record, ...]:
    records: list[Record] = []
    broken: list[str] = []
    for number, row in rows:
        try:
            records.append(_record(f"{path.name} line {number}", row, names))
        except InvalidValueError as error:
            broken.append(f"line {number}: {error}")
    _refuse(path, broken)
    if not records:
        raise InvalidValueError(f"{path} has a head but no line with a result.")
    return tuple(records)


def _refuse(path: Path, broken: list[str]) -> None:
    if broken:
        more = f"; and {len(broken) - _SHOWN_ERRORS} more" if len(broken) > _SHOWN_ERRORS else ""
        raise InvalidValueError(
            f"{path} has {len(broken)} malformed line{'s' * (len(broken) > 1)}: "
            f"{'; '.join(broken[:_SHOWN_ERRORS])}{more}."
        )


def _record(source: str, row: Mapping[str, Any], names: Mapping[str, str]) -> Record:
    cells = {field: row.get(column) for field, column in names.items()}
    if row.get(None) is not None:  # type: ignore[call-overload]
        raise InvalidValueError("more cells than the head has columns")
    model, task, metric = (str(cells[field] or "").strip() for field in ("model", "task", "metric"))
    for field, text in (("model", model), ("task", task), ("metric", metric)):
        if not text:
            raise InvalidValueError(f"{names[field]} is empty")
    n, stderr = _count(names, cells, "n"), _number(names.get("stderr", ""), cells.get("stderr"))
    if n == 0:
        raise InvalidValueError(f"{names['n']} is 0; leave it empty where it is not known")
    if stderr is not None and stderr < 0:
        raise InvalidValueError(f"{names['stderr']} is {stderr:g}; a standard error must be >= 0")
    value = _number(names["value"], cells["value"])
    if value is None:
        raise InvalidValueError(f"{names['value']} is empty; leave the line out where there is no result")
    return Record(
        model=model,
        task=task,
        metric=metric,
        value=value,
        n=n,
        stderr=stderr,
        scale=_amount(names, cells, "scale"),
        step=_count(names, cells, "step"),
        tokens=_amount(names, cells, "tokens"),
        shots=_count(names, cells, "shots"),
        better=_direction(cells.get("better")),
        subject=str(cells["subject"]).strip() if cells.get("subject") else None,
        source=source,
    )


def _number(name: str, cell: object) -> float | None:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    percent = isinstance(cell, str) and cell.strip().endswith("%")
    text = cell.strip().rstrip("%").strip() if isinstance(cell, str) else cell
    try:
        number = float(text) if isinstance(text, (str, int, float)) and not isinstance(text, bool) else None
    except ValueError:
        number = None
    if number is None:
        raise InvalidValueError(f"{name} is {cell!r}, not a number")
    if not math.isfinite(number):
        raise InvalidValueError(f"{name} is {number}; leave the line out where there is no result")
    return number / 100 if percent else number


def _count(names: Mapping[str, str], cells: Mapping[str, object], field: str) -> int | None:
    number = _number(names.get(field, ""), cells.get(field))
    if number is None:
        return None
    if number != int(number) or number < 0:
        raise InvalidValueError(f"{names[field]} is {number:g}, not a count")
    return int(number)


def _amount(names: Mapping[str, str], cells: Mapping[str, object], field: str) -> float | None:
    """An amount, or a size such as 1.4b."""
    cell = cells.get(field)
    if isinstance(cell, str) and (size := size_in(cell.strip())) is not None:
        return size
    number = _number(names.get(field, ""), cell)
    if number is not None and number <= 0:
        raise InvalidValueError(f"{names[field]} is {number:g}; an amount must be > 0")
    return number


def _direction(cell: object) -> Literal["higher", "lower"] | None:
    if cell is None or cell == "":
        return None
    if cell == "higher":
        return "higher"
    if cell == "lower":
        return "lower"
    raise InvalidValueError(f"better is {cell!r}; it must be higher or lower")
