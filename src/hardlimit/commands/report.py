"""`hardlimit report`: draw the report of an audit again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from hardlimit.lab.experiment import LabReport


def report_command(
    folder: Path = Path("audit"),
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
    parquet: Path | None = None,
) -> int:
    """Write the report of an audit again, from what it left on disk; nothing is asked.

    In the folder of several models, it is their common report; in one of the lab, all its reports go into one page.

    Args:
        folder: what `hardlimit audit --out` or `hardlimit lab --out` was given.
        json: print the report as JSON.
        parquet: also export every graded answer to this Parquet file.
    """
    from rich.console import Console

    from hardlimit.audit import AuditReport
    from hardlimit.core import HardlimitError, dumps, loads
    from hardlimit.report import render_terminal, write_report
    from hardlimit.store import ANSWERS, Store

    source = folder / "report.json"
    if not source.exists() and (experiments := _experiments(folder)):
        return _laboratory(experiments, folder / "lab.html", json=json)
    try:
        text = source.read_bytes()
    except OSError as error:
        raise HardlimitError(
            f"{source} cannot be read ({error.strerror}). Name the folder that 'hardlimit audit --out' wrote."
        ) from error
    if _kind(text) == "FamilyReport":
        return _family(text, folder, json=json, parquet=parquet)
    report = loads(text, AuditReport)
    written = write_report(report, folder)
    console = Console(stderr=json)
    if parquet is not None:
        with Store.open(folder / ANSWERS, existing=True) as store:
            store.export_parquet(parquet)
        console.print(f"Answers: {parquet}", soft_wrap=True, highlight=False)
    if json:
        print(dumps(report))
        return 0
    render_terminal(report, console)
    console.print(f"Report: {written.html}", soft_wrap=True, highlight=False)
    return 0


def _kind(text: bytes) -> str | None:
    """Tell what a document says it is, where it says so."""
    import msgspec

    try:
        document = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return None  # What is wrong with it is said where it is read.
    return document.get("kind") if isinstance(document, dict) else None


def _family(text: bytes, folder: Path, *, json: bool, parquet: Path | None) -> int:
    from rich.console import Console

    from hardlimit.audit.document import FamilyReport
    from hardlimit.core import InvalidValueError, dumps, loads
    from hardlimit.report import render_family_terminal, write_family

    report = loads(text, FamilyReport)
    if parquet is not None:
        folders = ", ".join(str(folder / member.folder) for member in report.members)
        raise InvalidValueError(f"--parquet exports the answers of one model; name its folder: {folders}.")
    written = write_family(report, folder)
    if json:
        print(dumps(report))
        return 0
    console = Console()
    render_family_terminal(report, console)
    console.print(f"Report: {written.html}", soft_wrap=True, highlight=False)
    return 0


def _experiments(folder: Path) -> "list[LabReport]":
    """Read the lab's reports from the store of a folder, where there is one."""
    from hardlimit.core import loads
    from hardlimit.lab.experiment import LabReport
    from hardlimit.store import ANSWERS, Store

    if not (folder / ANSWERS).exists():
        return []
    with Store.open(folder / ANSWERS, existing=True) as store:
        return [loads(document, LabReport) for document in store.lab_reports()]


def _laboratory(experiments: "list[LabReport]", page: Path, *, json: bool) -> int:
    from rich.console import Console

    from hardlimit.commands.lab_page import print_lab, write_page
    from hardlimit.core import dumps

    write_page(experiments, page)
    if json:
        for report in experiments:
            print(dumps(report))
        return 0
    console = Console()
    for report in experiments:
        print_lab(report, console)
        console.print()
    console.print(f"Page: {page}", soft_wrap=True, highlight=False)
    return 0
