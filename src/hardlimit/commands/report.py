"""`hardlimit report`: draw the report of an audit again."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def report_command(
    folder: Path = Path("audit"),
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
    parquet: Path | None = None,
) -> int:
    """Write the report of an audit again, from what it left on disk; nothing is asked.

    Args:
        folder: what `hardlimit audit --out` was given.
        json: print the report as JSON.
        parquet: also export every graded answer to this Parquet file.
    """
    from rich.console import Console

    from hardlimit.audit import AuditReport
    from hardlimit.core import HardlimitError, dumps, loads
    from hardlimit.report import render_terminal, write_report
    from hardlimit.store import Store

    source = folder / "report.json"
    try:
        text = source.read_bytes()
    except OSError as error:
        raise HardlimitError(
            f"{source} cannot be read ({error.strerror}). Name the folder that 'hardlimit audit --out' wrote."
        ) from error
    report = loads(text, AuditReport)
    written = write_report(report, folder)
    console = Console(stderr=json)
    if parquet is not None:
        with Store.open(folder / "answers.sqlite", existing=True) as store:
            store.export_parquet(parquet)
        console.print(f"Answers: {parquet}", soft_wrap=True, highlight=False)
    if json:
        print(dumps(report))
        return 0
    render_terminal(report, console)
    console.print(f"Report: {written.html}", soft_wrap=True, highlight=False)
    return 0
