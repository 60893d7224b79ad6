"""Several processes on one store, and processes that are killed: no answer lost, none twice, all see the same."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from hardlimit.store import Store

KEEPER = Path(__file__).with_name("keeper.py")


def start(path, name, seed, cases):
    """Start a keeper and wait until it has loaded."""
    command = [sys.executable, str(KEEPER), str(path), name, str(seed), str(cases)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def go(process):
    process.stdin.write("go\n")
    process.stdin.flush()


def said(process):
    """Read to its end what a keeper says it has kept: place -> text."""
    lines, _ = process.communicate(timeout=120)
    # The last line of a killed process may be cut short.
    whole = lines[: lines.rfind("\n") + 1].splitlines()
    return {int(place): text for place, text in (line.split(" ", 1) for line in whole)}


def stored(path):
    with Store.open(path) as store:
        rows = [(int(kept.answered.case.id), kept.answered.reply.text) for kept in store.every_answer()]
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def test_processes_agree_on_every_answer(tmp_path):
    path = tmp_path / "answers.sqlite"
    keepers = [start(path, name, seed, 150) for seed, name in enumerate(["ann", "bob", "cid", "dan"])]
    for keeper in keepers:
        go(keeper)
    accounts = [said(keeper) for keeper in keepers]
    assert [keeper.returncode for keeper in keepers] == [0] * 4
    assert all(account == accounts[0] for account in accounts)
    assert sorted(accounts[0]) == list(range(150))
    assert stored(path) == accounts[0]


def test_processes_that_make_the_same_store_at_once(tmp_path):
    """Five stores, each made by three processes at the same moment."""
    for number in range(5):
        path = tmp_path / f"{number}.sqlite"
        keepers = [start(path, name, 0, 3) for name in ("ann", "bob", "cid")]
        for keeper in keepers:
            go(keeper)
        accounts = [said(keeper) for keeper in keepers]
        assert [keeper.returncode for keeper in keepers] == [0] * 3
        assert stored(path) == accounts[0] == accounts[1] == accounts[2]


def test_what_a_killed_process_had_kept_is_there(tmp_path):
    """Fifteen kills at seeded moments, the first ones while the store is being made."""
    path = tmp_path / "answers.sqlite"
    rng = np.random.default_rng(20310506)
    known = {}
    for number in range(15):
        keeper = start(path, f"life{number}", number, 100_000)
        go(keeper)
        time.sleep(rng.uniform(0, 0.004 * (number + 1)))
        keeper.kill()
        account = said(keeper)
        assert keeper.returncode == -9
        assert all(account[place] == known[place] for place in account.keys() & known.keys())
        known |= account
        kept = stored(path) if path.exists() else {}
        assert known.items() <= kept.items()
        known = kept
    assert len(known) > 15
