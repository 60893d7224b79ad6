"""`hardlimit demo`, as a user calls it: with a name, with code of their own, and with mistakes."""

import json
from pathlib import Path

import pytest

from hardlimit.cli import main
from hardlimit.commands import demo as command
from hardlimit.demos import DEMOS, Check, diagonal
from hardlimit.demos.diagonal import against
from hardlimit.demos.worker import Answer, ask_family, ask_halting

MINE = """
import os, sys, time
def zero(x): return 0
def parity(x):
    print("noise on the same channel"); return x % 2
def loops(x):
    while True: pass
def crashes(x): os._exit(3)
def raises(x): raise SystemExit("no")
def declines(x): return None
models = [zero, parity, loops, crashes, raises, declines, lambda x: "yes"]
def make(): return models[:2]
def always(program): return True
def sleepy(program): time.sleep(600)
def odd(program): return "perhaps"
number = 5
empty = []
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "broken.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def test_without_a_name_they_are_listed(capsys):
    assert main(["demo"]) == 0
    listed = capsys.readouterr().out
    assert main(["list", "demos"]) == 0 and capsys.readouterr().out == listed
    assert all(name in listed for name in DEMOS)
    assert main(["demo", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == list(DEMOS) and rows[6]["number"] == "D7"


def test_everything_is_told(here, capsys):
    assert main(["demo", "bf16", "--out", "figures"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    demo = DEMOS["bf16"]
    for text in (demo.says, demo.refuted_by, demo.control, "(control)", "Nothing refuted it. Seed 0.", "collapse"):
        assert text in out or text == "collapse"
    assert (here / "figures/bf16.png").read_bytes()[:4] == b"\x89PNG"
    svg = (here / "figures/bf16.svg").read_text()
    assert svg.startswith("<svg") and "var(--" not in svg and "bf16 read" in svg
    assert json.loads((here / "figures/bf16.json").read_text())["value"]["number"] == "D9"


def test_json_and_the_seed(capsys):
    assert main(["demo", "D4", "--json", "--seed", "3"]) == 0
    value = json.loads(capsys.readouterr().out)["value"]
    assert value["seed"] == 3 and value["name"] == "memorise" and all(c["holds"] for c in value["shown"]["checks"])


def test_a_failed_check_leaves_with_one(monkeypatch, capsys):
    monkeypatch.setattr(diagonal, "chance_bound", lambda models, inputs: 0.5)
    assert main(["demo", "diagonal"]) == 1
    assert "FAILED some target keeps every automaton below 0.5" in " ".join(capsys.readouterr().out.split())


def test_own_family(here, capsys):
    assert main(["demo", "diagonal", "--family", "mine:models", "--timeout", "0.4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = {line.split(":")[0].strip(): " ".join(line.split()) for line in lines if line[:1].isdigit()}
    assert found["0"] == "0: zero says 0 at 0, target 1 0 0"
    assert found["1"].startswith("1: parity says 1 at 1, target 0 0, 1, 3, 5")
    assert all(found[i].endswith("abstains none 16") for i in "2345")
    assert found["6"].startswith("6: <lambda> says 'yes' at 6")


def test_own_family_made_by_a_function(here):
    answers, names = ask_family("mine:make", inputs=3)
    assert names == ("0: zero", "1: parity")
    assert [[answer.value for answer in row] for row in answers] == [[0, 0, 0], [0, 1, 0]]
    reasons = ask_family("mine:models", 0.3, inputs=7)[0]
    assert [row[0].why for row in reasons] == [
        "", "", "no answer within 0.3 s", "ended Python", "raised SystemExit", "declined", "",
    ]  # fmt: skip
    assert reasons[3][6].why == "not asked, after two time limits or crashes"


def test_own_predictor_of_halting(here, capsys):
    assert main(["demo", "refute", "--predictor", "mine:always"]) == 0
    assert "mine:always halts loops wrong" in " ".join(capsys.readouterr().out.split())
    assert ask_halting("mine:sleepy", 0.5) == {
        "answer": None, "halts": True, "wrong": False, "why": "no answer within 0.5 s",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dispersal"], "No demonstration is named 'dispersal'. Did you mean 'dispersion'? Known: best-of-k, "),
        (["diagonal", "--family", "mine"],
         "Predictors are named as module:attribute, such as mymodule:models; got 'mine'."),
        (["diagonal", "--family", "nowhere:x"],
         "'nowhere:x' cannot be used: there is no module 'nowhere'. It is looked for in the working directory and "
         "among what is installed."),
        (["diagonal", "--family", "mine:x"], "'mine:x' cannot be used: module 'mine' has no attribute 'x'."),
        (["diagonal", "--family", "broken:x"],
         "'broken:x' cannot be used: loading it raised ZeroDivisionError: division by zero"),
        (["diagonal", "--family", "mine:empty"],
         "'mine:empty' cannot be used: a family is a list of functions from a whole number to a label, or makes one."),
        (["refute", "--predictor", "mine:number"],
         "'mine:number' cannot be used: a predictor of halting is a function of one program, got int."),
        (["refute", "--predictor", "mine:odd"],
         "'mine:odd': A predictor of halting must return True, False or None, got 'perhaps'."),
        (["diagonal", "--family", "mine:models", "--timeout", "0"], "The time limit must be more than 0 s, got 0."),
        (["halting", "--family", "mine:models"],
         "--family belongs to the demonstration 'diagonal', not to 'halting'."),
        (["halting", "--predictor", "mine:always"],
         "--predictor belongs to the demonstration 'refute', not to 'halting'."),
        (["halting", "--timeout", "3"],
         "--timeout is for your own code: give --family (diagonal) or --predictor (refute) too."),
    ],
)  # fmt: skip
def test_mistakes(here, capsys, arguments, message):
    assert main(["demo", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"hardlimit: {message}")


def test_a_folder_that_cannot_be_made(here, capsys):
    Path("taken").write_text("a file")
    assert main(["demo", "refute", "--out", "taken"]) == 3
    assert capsys.readouterr().err == "hardlimit: The figure cannot be written to taken: File exists.\n"


def test_a_family_must_be_asked_enough():
    with pytest.raises(ValueError, match=r"^Each of the 2 predictors must have been asked the same inputs"):
        against([[Answer(value=0)], [Answer(value=1)]], ["a", "b"])


def test_hostile_text_is_made_visible(capsys):
    from rich.console import Console

    found = DEMOS["refute"].run()
    import msgspec

    poisoned = msgspec.structs.replace(
        found,
        shown=msgspec.structs.replace(
            found.shown,
            checks=(Check(asks="\x1b[2J[red]x[/red]", holds=True, found="f", control=True),),
            rows=(("a\x1b]0;t\x07", "b", "c", "d"),),
        ),
    )
    command.print_demo(poisoned, Console(width=120))
    assert "\x1b" not in capsys.readouterr().out


def test_sparks():
    assert command.spark([0.0, 1.0], log=True) == "·▁" and command.spark([0.0], log=True) == "·"
    assert len(command.spark(list(range(100)))) == 24 and command.spark([2.0, 2.0]) == "▁▁"
