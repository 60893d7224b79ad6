"""Results of others, from files and folders of any known form."""

from collections.abc import Sequence
from pathlib import Path

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.exchange.audits import ANSWERS, REPORT, is_beside, is_report, read_report, read_store
from hardlimit.exchange.decoding import read_json
from hardlimit.exchange.inspect_logs import is_inspect, read_inspect
from hardlimit.exchange.lm_eval import is_lm_eval, read_lm_eval
from hardlimit.exchange.long_table import read_csv, read_json_lines, read_parquet
from hardlimit.scaling import Record

_READERS = {
    ".csv": read_csv,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": read_parquet,
    ".eval": read_inspect,
    ".sqlite": read_store,
}
KNOWN = (
    "lm-evaluation-harness JSON, Inspect .eval or JSON logs, folders of hardlimit audits (report.json or "
    "answers.sqlite), or CSV, JSON lines and Parquet in long form"
)


def read_results(paths: Sequence[Path]) -> tuple[Record, ...]:
    """Read every result in some files and folders.

    Args:
        paths: files, or folders that are searched through and through.

    Raises:
        InvalidValueError: a path that does not exist, or a file of no known form.
        InsufficientDataError: no path, or a folder without any result file.
    """
    if not paths:
        raise InsufficientDataError(f"No results were given. Give files or folders: {KNOWN}.")
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = _inside(path)
            if not inside:
                raise InsufficientDataError(f"The folder {path} holds no result file. Known forms: {KNOWN}.")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise InvalidValueError(f"There is no file or folder {path}.")
    once = {file.resolve(): file for file in reversed(files)}
    named = {path.resolve() for path in paths}
    return tuple(
        record
        for file in files
        if once[file.resolve()] is file
        for record in _read(file, named=file.resolve() in named)
    )


def _inside(folder: Path) -> list[Path]:
    """Result files of a folder; of an audit its report, which says all that the answers beside it say."""
    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in {*_READERS, ".json"} and file.is_file())
    audits = {file.parent for file in found if file.name == ANSWERS} & {
        file.parent for file in found if file.name == REPORT
    }
    return [file for file in found if file.parent not in audits or file.name == REPORT]


def _read(path: Path, *, named: bool) -> tuple[Record, ...]:
    """Read one file; what an audit left beside its report is passed over, unless it was named itself."""
    reader = _READERS.get(path.suffix.lower())
    if reader is not None:
        return reader(path)
    if path.suffix.lower() != ".json":
        raise InvalidValueError(f"{path} is of no known form. Known: {KNOWN}.")
    document = read_json(path)
    if is_inspect(document):
        return read_inspect(path)
    if is_lm_eval(document):
        return read_lm_eval(path)
    if is_report(document):
        return read_report(path)
    if is_beside(document) and not named:
        return ()
    raise InvalidValueError(
        f"{path} is JSON, but neither a result of lm-evaluation-harness (a table `results`), nor a log of Inspect (an "
        "object `eval`), nor the report of a hardlimit audit."
    )
