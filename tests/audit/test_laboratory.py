"""An audit with the lab: which experiments, that nothing is measured twice, and that the audit's report comes first."""

import sqlite3
import sys
from contextlib import closing

import pytest

pytest.importorskip("torch")

from hardlimit.audit import AuditReport, laboratory
from hardlimit.audit.laboratory import experiments_for
from hardlimit.cli import main
from hardlimit.core import Catalog, Limit, MissingExtraError, loads
from hardlimit.lab import catalog, running
from hardlimit.lab.experiment import LabReport
from hardlimit.store import ANSWERS, Store
from hardlimit.theory import CLAIMS
from tests.audit.tiny_lab import Tiny

pytestmark = pytest.mark.local


@pytest.fixture
def tiny(monkeypatch):
    """The catalog with one experiment, about reasoning."""
    only = Catalog("experiment", {"tiny": Tiny})
    monkeypatch.setattr(catalog, "EXPERIMENTS", only)
    monkeypatch.setattr(running, "EXPERIMENTS", only)
    monkeypatch.setattr(Tiny, "measured", [])
    return Tiny


def audited(folder, *more):
    command = ["audit", "toy:perfect", "--limits", "reasoning", "--budget", "1-token", "--out", str(folder)]
    return main([*command, *more])


def report_in(folder):
    return loads((folder / "report.json").read_bytes(), AuditReport)


def test_every_experiment_belongs_to_the_limit_of_its_first_claim():
    found = laboratory.experiments_for([limit.value for limit in Limit])
    assert sorted(name for _, name in found) == sorted(catalog.EXPERIMENTS)
    for limit, name in found:
        design = catalog.EXPERIMENTS[name]().design(laboratory.REDUCED)
        assert CLAIMS[design.claims[0]].limit is limit
    assert [limit for limit, _ in found] == sorted((limit for limit, _ in found), key=list(Limit).index)
    assert {limit for limit, _ in laboratory.experiments_for(["context"])} == {Limit.CONTEXT}
    assert laboratory.REDUCED.extent == "quick"


def test_an_audit_with_the_lab_has_its_reports_and_keeps_them_in_the_store(tmp_path, tiny, capsys):
    assert audited(tmp_path, "--lab") == 0
    said = capsys.readouterr()
    assert "The lab, beside the budget: 1 experiment in reduced form, at most 2 minutes." in said.err
    assert "It is DISAGREES." in said.out
    (section,) = report_in(tmp_path).lab
    assert section.limit is Limit.REASONING and section.report.scale == laboratory.REDUCED
    assert "A prediction failed: REAS-3" in (tmp_path / "report.html").read_text()
    with Store.open(tmp_path / ANSWERS) as store:
        (document,) = store.lab_reports()
        assert len(store.runs()) == 1 and store.runs()[0].finished is not None
    assert loads(document, LabReport) == section.report
    assert loads((tmp_path / "lab" / "tiny.quick.json").read_bytes(), LabReport) == section.report
    before = (tmp_path / "report.json").read_bytes(), (tmp_path / "report.html").read_bytes()
    assert audited(tmp_path, "--lab") == 0
    assert tiny.measured == ["one", "two"]
    assert "The lab, beside the budget" not in capsys.readouterr().err
    assert ((tmp_path / "report.json").read_bytes(), (tmp_path / "report.html").read_bytes()) == before


def test_without_being_asked_for_there_is_no_lab(tmp_path, tiny):
    assert audited(tmp_path) == 0
    assert report_in(tmp_path).lab == () and tiny.measured == []


def test_an_interrupted_lab_leaves_the_audits_report_and_goes_on_where_it_stopped(tmp_path, tiny, capsys, monkeypatch):
    monkeypatch.setattr(tiny, "interrupted_at", "two")
    assert audited(tmp_path, "--lab") == 130
    assert "goes on" in capsys.readouterr().err
    assert report_in(tmp_path).lab == () and tiny.measured == ["one"]
    monkeypatch.setattr(tiny, "interrupted_at", None)
    assert audited(tmp_path, "--lab") == 0
    assert tiny.measured == ["one", "two"]
    assert len(report_in(tmp_path).lab) == 1
    with closing(sqlite3.connect(tmp_path / ANSWERS)) as database:
        assert [name for (name,) in database.execute("SELECT cell FROM cells ORDER BY id")] == ["one", "two"]


def test_the_lab_goes_on_from_what_an_audit_measured_and_its_folder_is_drawn_as_one_page(tmp_path, tiny, capsys):
    assert main(["lab", "tiny", "--quick", "--out", str(tmp_path)]) == 0
    assert main(["lab", "tiny", "--out", str(tmp_path)]) == 0
    assert tiny.measured == ["one", "two"] * 2  # The full run is another one.
    capsys.readouterr()
    assert main(["report", str(tmp_path)]) == 0
    assert "tiny" in capsys.readouterr().out
    assert (tmp_path / "lab.html").read_text().count("A prediction failed: REAS-3") == 0
    page = (tmp_path / "lab.html").read_text()
    assert page.count('<p class="alarm">A prediction failed') == 2
    assert audited(tmp_path, "--lab") == 0
    assert tiny.measured == ["one", "two"] * 2


@pytest.mark.parametrize("package", ["torch", "entmax"])
def test_a_missing_package_of_the_lab_is_told_before_anything_is_asked(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=f"'{package}'.*hardlimit\\[lab\\]"):
        experiments_for(["context"])
