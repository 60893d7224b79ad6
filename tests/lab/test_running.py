"""From the command line to files: a run, the same run again, a run on Ray, the committed results and their page."""

import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from hardlimit.cli import main
from hardlimit.core import StoreError, Verdict, dumps, loads
from hardlimit.lab.catalog import EXPERIMENTS
from hardlimit.lab.experiment import LabReport, Scale
from hardlimit.lab.running import concluded_again, missing_cells, run
from hardlimit.store import ANSWERS, Store, cell_key

pytestmark = pytest.mark.local

DOCS = Path(__file__).parent.parent.parent / "docs"


class Heard:
    """Notes what is settled and counts training steps."""

    def __init__(self):
        self.settled_, self.steps = [], 0

    def asking(self, what, total):
        pass

    def answered(self, grade, usage):
        self.steps += 1

    def settled(self, topic, says):
        self.settled_.append((topic, says.split(" in ")[0]))


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    assert main(["lab", "hops", "--smoke", "--out", str(folder)]) == 0
    return folder


def test_a_run_leaves_a_report_and_a_page(smoke):
    report = loads((smoke / "hops.smoke.json").read_bytes(), LabReport)
    assert len(report.rows) == 3 * 3 * 2 * 2 and report.command == "hardlimit lab hops --smoke"
    assert {f.claim.statement.id for f in report.conclusion.findings} == {"REAS-2", "REAS-3"}
    assert all(v.verdict in Verdict for v in report.conclusion.verdicts)
    page = (smoke / "hops.smoke.html").read_text()
    assert report.design.question in page and "REAS-3" in page and "A reduced run" in page
    assert concluded_again(smoke / "hops.smoke.json") == report


def test_the_same_run_again_measures_nothing_and_a_lost_cell_alone(smoke):
    before = loads((smoke / "hops.smoke.json").read_bytes(), LabReport)
    heard = Heard()
    assert run("hops", Scale(extent="smoke"), smoke, progress=heard) == before
    assert heard.steps == 0 and {says for _, says in heard.settled_} == {"measured before"}
    with closing(sqlite3.connect(smoke / ANSWERS)) as database, database:
        assert database.execute("DELETE FROM cells WHERE cell = 'depth-1'").rowcount == 1
    again = run("hops", Scale(extent="smoke"), smoke, progress=heard)
    assert again.rows == before.rows and heard.steps == 20
    assert not list(smoke.rglob("*.pt")) and not (smoke / "hops").exists()
    with Store.open(smoke / ANSWERS) as store:
        (document,) = store.lab_reports()
    assert loads(document, LabReport) == again == loads((smoke / "hops.smoke.json").read_bytes(), LabReport)


def test_cells_that_an_earlier_hardlimit_left_as_files_count_and_those_of_another_run_do_not(
    smoke, tmp_path, monkeypatch
):
    scale, heard, kind = Scale(extent="smoke"), Heard(), EXPERIMENTS["hops"]
    now = kind.version
    monkeypatch.setattr(kind, "version", 1)  # Files were left before any way of measuring changed.
    place = tmp_path / "hops" / "smoke"
    place.mkdir(parents=True)
    with Store.open(smoke / ANSWERS) as store:
        for cell in kind().cells(scale):
            (measured,) = store.cells([cell_key("hops", now, cell, scale)]).values()
            key = measured.key if cell.name == "depth-1" else measured.key.replace("smoke", "quick")
            (place / f"{cell.name}.json").write_text(dumps(structs.replace(measured, key=key)))
    report = run("hops", scale, tmp_path, progress=heard)
    assert report.rows == loads((smoke / "hops.smoke.json").read_bytes(), LabReport).rows
    assert ("hops, depth-1", "measured before") in heard.settled_
    assert [says for _, says in heard.settled_].count("measured") == len(report.seconds) - 1
    with Store.open(tmp_path / ANSWERS) as store:
        assert missing_cells("hops", scale, store) == 0
        assert missing_cells("hops", Scale(extent="smoke", seeds=3), store) == len(report.seconds)


def test_cells_measured_in_an_older_way_do_not_count(smoke, monkeypatch):
    scale = Scale(extent="smoke")
    with Store.open(smoke / ANSWERS) as store:
        assert missing_cells("hops", scale, store) == 0
        monkeypatch.setattr(EXPERIMENTS["hops"], "version", EXPERIMENTS["hops"].version + 1)
        assert missing_cells("hops", scale, store) == 3


KILLED = """
import os, sys
from pathlib import Path
from hardlimit.lab import running
from hardlimit.lab.experiment import Scale

class Killing:
    def asking(self, what, total): pass
    def answered(self, grade, usage): pass
    def settled(self, topic, says): os.kill(os.getpid(), 9)

running.run("hops", Scale(extent="smoke"), Path(sys.argv[1]), progress=Killing())
"""


def test_a_kill_loses_no_measured_cell(smoke, tmp_path):
    died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert died.returncode == -9
    with Store.open(tmp_path / ANSWERS) as store:
        assert missing_cells("hops", Scale(extent="smoke"), store) == 2
    heard = Heard()
    report = run("hops", Scale(extent="smoke"), tmp_path, progress=heard)
    assert report.rows == loads((smoke / "hops.smoke.json").read_bytes(), LabReport).rows
    assert [says for _, says in heard.settled_] == ["measured before", "measured", "measured"]


def test_the_list_and_an_unknown_name(capsys):
    assert main(["lab", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"crowding", "positions", "capacity", "hops"} <= {one["name"] for one in told}
    assert main(["lab", "hop"]) == 2
    assert "No experiment is named 'hop'. Did you mean 'hops'?" in capsys.readouterr().err


def test_a_report_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        concluded_again(tmp_path / "none.json")


@pytest.mark.slow
@pytest.mark.skipif("HARDLIMIT_TEST_RAY" not in os.environ, reason="a Ray cluster takes half a minute to start")
def test_ray_measures_the_same(smoke, tmp_path):
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        there = run("hops", Scale(extent="smoke"), tmp_path, device="cpu", on="ray")
    finally:
        ray.shutdown()
    here = loads((smoke / "hops.smoke.json").read_bytes(), LabReport)
    assert [row["right"] for row in there.rows] == [row["right"] for row in here.rows]


def built():
    spec = importlib.util.spec_from_file_location("build_lab", DOCS / "build_lab.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documentation_shows_the_committed_results():
    builder = built()
    for path in sorted(builder.RESULTS.glob("*.json")):
        report = loads(path.read_bytes(), LabReport)
        assert report.scale == Scale() and concluded_again(path) == report, (
            f"run python docs/build_lab.py --conclude: {path}"
        )
    pages = builder.pages()
    stale = [name for name, text in pages.items() if (DOCS / name).read_text(encoding="utf-8") != text]
    assert not stale, f"{stale} lag behind the results: run python docs/build_lab.py"
    left = {str(p.relative_to(DOCS)) for p in (DOCS / "lab").glob("*.svg")} - set(pages)
    assert not left, f"{left} belong to no result any more"
