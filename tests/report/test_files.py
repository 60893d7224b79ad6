"""The report on disk: whole, or not there at all."""

import os

import pytest

from hardlimit.audit import AuditReport
from hardlimit.core import loads
from hardlimit.report import UnwritableError, render_html, write_report
from tests.report.sample import bare, sample


def test_both_files_are_written_and_the_document_reads_back(tmp_path):
    written = write_report(sample(), tmp_path / "new" / "folder")
    assert written.html == tmp_path / "new" / "folder" / "report.html"
    assert written.html.read_bytes() == render_html(sample()).encode()
    assert loads(written.json.read_text(encoding="utf-8"), AuditReport) == sample()
    assert sorted(path.name for path in written.html.parent.iterdir()) == ["report.html", "report.json"]


def test_a_second_report_replaces_the_first(tmp_path):
    write_report(sample(), tmp_path)
    written = write_report(bare(), tmp_path)
    assert loads(written.json.read_text(encoding="utf-8"), AuditReport) == bare()


def test_a_file_in_the_place_of_the_folder_is_one_line_of_error(tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    with pytest.raises(UnwritableError) as raised:
        write_report(bare(), taken)
    assert str(raised.value) == (
        f"The report cannot be written to '{taken}': File exists. Choose a folder that can be written with --out."
    )
    assert raised.value.exit_code == 3
    assert taken.read_text() == "mine"


def test_a_failure_in_the_middle_keeps_the_old_report_and_leaves_no_rubbish(tmp_path, monkeypatch):
    old = write_report(bare(), tmp_path)
    before = old.html.read_bytes(), old.json.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnwritableError) as raised:
        write_report(sample(), tmp_path)
    assert str(raised.value) == (
        f"The report cannot be written to '{tmp_path}': No space left on device. "
        "Choose a folder that can be written with --out."
    )
    assert (old.html.read_bytes(), old.json.read_bytes()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_a_report_is_as_readable_as_any_new_file(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    assert write_report(bare(), tmp_path).html.stat().st_mode == plain.stat().st_mode
