"""The report on disk: a page for a reader and a document for a program, each whole or not there at all."""

import os
from pathlib import Path
from typing import NamedTuple

from hardlimit.audit import AuditReport
from hardlimit.audit.document import FamilyReport
from hardlimit.core import HardlimitError, dumps
from hardlimit.report.page import render_family_html, render_html


class UnwritableError(HardlimitError):
    """A report cannot be written where it was asked for."""

    exit_code = 3


class Written(NamedTuple):
    """Where a report was written."""

    html: Path
    json: Path


def write_report(report: AuditReport, out_dir: Path) -> Written:
    """Write `report.html` and `report.json` into a folder, which is made where it does not exist.

    Each file is written beside its place and then moved there, so a reader never sees half of one, and an
    interrupted or failed writing leaves an older report as it was.

    Args:
        report: a whole audit.
        out_dir: the folder.

    Returns:
        The two paths.

    Raises:
        UnwritableError: when the folder or a file cannot be written, with the reason.
    """
    return _written(render_html(report), dumps(report), out_dir)


def write_family(report: FamilyReport, out_dir: Path) -> Written:
    """Write the report of several models into a folder, as `write_report` does with that of one."""
    return _written(render_family_html(report), dumps(report), out_dir)


def _written(page: str, document: str, out_dir: Path) -> Written:
    written = Written(html=out_dir / "report.html", json=out_dir / "report.json")
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        _replace(written.json, document + "\n")
        _replace(written.html, page)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnwritableError(
            f"The report cannot be written to '{out_dir}': {reason}. Choose a folder that can be written with --out."
        ) from error
    return written


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
