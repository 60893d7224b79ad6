"""`kill -9` at any moment: the run that goes on ends as if nothing had happened, and asks nothing twice."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

AUDIT = Path(__file__).with_name("small_audit.py")
KILLS = 12


def start(folder, name="result.json"):
    """Start the small audit in a folder, and let it go once it has loaded."""
    paths = [str(folder / file) for file in ("answers.sqlite", f"{name}.calls", name)]
    process = subprocess.Popen([sys.executable, str(AUDIT), *paths], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def go(process):
    process.stdin.write(b"go\n")
    process.stdin.flush()


def calls(folder, name="result.json"):
    return (folder / f"{name}.calls").read_bytes().count(b"call\n")


def run(folder, name="result.json"):
    process = start(folder, name)
    go(process)
    process.communicate(timeout=120)
    assert process.returncode == 0
    return (folder / name).read_bytes()


def killed_run(folder, rng, most):
    """Run an audit to its end, killing it up to `most` times on the way; the result and the number of kills."""
    kills = 0
    while kills < most:
        process = start(folder)
        go(process)
        time.sleep(rng.uniform(0, 0.03))
        process.kill()
        process.communicate(timeout=120)
        if process.returncode == 0:  # It was faster than the kill.
            break
        assert process.returncode == -9
        kills += 1
    return run(folder), kills


def test_killed_runs_end_as_if_nothing_had_happened(tmp_path):
    """Twelve kills at seeded moments, from the making of the store on."""
    whole = tmp_path / "whole"
    whole.mkdir()
    expected = run(whole)
    found = json.loads(expected)
    cases = len(found["answers"]) + sum(score is not None for score in found["scores"])
    assert calls(whole) == cases
    # The test is none if the budget does not end the run, or nothing was adapted.
    assert found["left"] == 0.0
    assert 0 < found["scores"].count(None) < len(found["scores"])
    assert len({answered["case"]["ask"]["messages"][0]["content"] for answered in found["answers"]}) > 50
    rng = np.random.default_rng(20310507)
    kills = 0
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        result, here = killed_run(folder, rng, KILLS - kills)
        assert result == expected
        assert cases <= calls(folder) <= cases + here
        kills += here
        if kills >= KILLS:
            break
    assert kills >= KILLS
    # And a run after the end asks nothing.
    assert run(folder, "again.json") == expected
    assert calls(folder, "again.json") == 0


def test_two_audits_on_one_store(tmp_path):
    names = ("ann.json", "bob.json")
    both = [start(tmp_path, name) for name in names]
    for process in both:
        go(process)
    for process in both:
        process.communicate(timeout=120)
        assert process.returncode == 0
    alone = tmp_path / "alone"
    alone.mkdir()
    expected = run(alone)
    assert (tmp_path / names[0]).read_bytes() == (tmp_path / names[1]).read_bytes() == expected
    assert calls(alone) <= sum(calls(tmp_path, name) for name in names) <= 2 * calls(alone)
