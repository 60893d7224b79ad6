"""Bad input gets one line that says what, which value, why and the way out; exit code 2 or 3; nothing is lost."""

import os
import sqlite3
import subprocess
import sys

import pytest

from hardlimit.cli import main


def run(capsys, *arguments: str) -> tuple[int, str]:
    code = main(arguments)
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.err.strip()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (
            ["embeded"],
            2,
            "hardlimit: No model is named 'embeded'. Did you mean 'embedded'? Known: api, embedded, local, toy.",
        ),
        (
            ["toy:prefect"],
            2,
            "hardlimit: No toy is named 'toy:prefect'. Did you mean 'toy:perfect'? Known: toy:abstaining, "
            "toy:calibrated, toy:finite-memory-N, toy:flaky, toy:guessing, toy:guessing-N, toy:overconfident, "
            "toy:perfect, toy:psychometric-N, toy:sighted.",
        ),
        (
            ["toy:perfect", "--limits", "contxt"],
            2,
            "hardlimit: No limit is named 'contxt'. Did you mean 'context'? Known: context, hallucination, "
            "multimodal, reasoning, retrieval.",
        ),
        (
            ["toy:perfect", "--limits", "context,context"],
            2,
            "hardlimit: Plan.limits must name one or more limits once each, got ('context', 'context').",
        ),
        (
            ["toy:perfect", "--budget", "0m"],
            2,
            "hardlimit: A budget of '0m' lets nothing be asked; it has to be more than zero. Write it like 10m, 90s, "
            "1h, 200k-tokens, 1.5M-tokens, $2, several with commas between, or unlimited.",
        ),
        (["toy:perfect", "--seed", "-1"], 2, "hardlimit: Plan.seed must be >= 0, got -1."),
    ],
)
def test_what_cannot_be_asked_for(tmp_path, capsys, arguments, code, says):
    assert run(capsys, "audit", *arguments, "--out", str(tmp_path / "a")) == (code, says)


def test_a_foreign_file_in_the_stores_place_is_left_alone(tmp_path, capsys):
    out = tmp_path / "a"
    out.mkdir()
    (out / "answers.sqlite").write_text("my diary")
    code, says = run(capsys, "audit", "toy:perfect", "--out", str(out))
    assert code == 3
    assert str(out / "answers.sqlite") in says
    assert (out / "answers.sqlite").read_text() == "my diary"


def test_a_file_where_the_folder_should_be(tmp_path, capsys):
    (tmp_path / "a").write_text("not a folder")
    code, says = run(capsys, "audit", "toy:perfect", "--out", str(tmp_path / "a"))
    assert code == 3
    assert str(tmp_path / "a") in says
    assert (tmp_path / "a").read_text() == "not a folder"


def test_a_store_in_use_is_waited_for_and_then_named(tmp_path, capsys, monkeypatch):
    from hardlimit.store import Store

    out = tmp_path / "a"
    with Store.open(out / "answers.sqlite"):
        pass
    opened = Store.open
    monkeypatch.setattr(Store, "open", lambda path, **kw: opened(path, patience=0.1, **kw))
    holder = sqlite3.connect(out / "answers.sqlite", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        code, says = run(capsys, "audit", "toy:perfect", "--out", str(out))
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert code == 3
    assert "answers.sqlite" in says
    assert len(says.splitlines()) == 1


@pytest.mark.local
def test_a_wrong_path_to_a_model(tmp_path, capsys):
    code, says = run(capsys, "audit", f"local:{tmp_path / 'none'}", "--out", str(tmp_path / "a"))
    assert code == 3
    assert str(tmp_path / "none") in says
    assert len(says.splitlines()) == 1


@pytest.mark.parametrize(
    ("model", "more", "extra"), [("local:{}", (), "local"), ("toy:perfect", ("--lab",), "lab")], ids=["local", "lab"]
)
def test_a_missing_extra_says_how_to_install_it(tmp_path, model, more, extra):
    """Hide torch from a fresh interpreter: the way out is one command, told before anything is asked."""
    code = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'transformers'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "from hardlimit.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    (tmp_path / "config.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-c", code, "audit", model.format(tmp_path), *more, "--out", str(tmp_path / "a")],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert done.stderr.strip() == (
        f"hardlimit: This needs the package 'torch', which is not installed: pip install 'hardlimit[{extra}]'"
    )
    assert not (tmp_path / "a" / "report.json").exists()


def test_a_server_that_is_not_there(tmp_path, capsys):
    code, says = run(capsys, "audit", "api:some-model@http://127.0.0.1:9/v1", "--out", str(tmp_path / "a"))
    assert code == 3
    assert "http://127.0.0.1:9/v1" in says
    assert len(says.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["audti"], "hardlimit: Unknown command"),
        (["audit", "toy:perfect", "--budgt", "1m"], "hardlimit: Unknown option"),
        (["list", "clams"], "hardlimit: Invalid value"),
    ],
)
def test_a_misspelt_command_or_option(capsys, arguments, says):
    code, said = run(capsys, *arguments)
    assert code == 2
    assert said.startswith(says)


def test_report_of_a_folder_without_an_audit(tmp_path, capsys):
    code, says = run(capsys, "report", str(tmp_path))
    assert code == 2
    assert says == (
        f"hardlimit: {tmp_path / 'report.json'} cannot be read (No such file or directory). "
        "Name the folder that 'hardlimit audit --out' wrote."
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["neddle"], "hardlimit: No probe is named 'neddle'."),
        (["hallucination.short_facts", "--n", "0"], "hardlimit: --n must be >= 1, got 0."),
        (["hallucination.short_facts", "--set", "family"], "hardlimit: --set takes field=value, got 'family'."),
        (
            ["hallucination.short_facts", "--set", "family=poems"],
            "hardlimit: hallucination.short_facts does not take family=poems:",
        ),
        (["hallucination.short_facts", "--n", "99999"], "hardlimit: ShortFacts(family='city') has"),
    ],
)
def test_a_probe_that_cannot_be_run(capsys, arguments, says):
    code, said = run(capsys, "probe", *arguments)
    assert code == 2
    assert said.startswith(says)
    assert len(said.splitlines()) == 1


def test_help_is_fast_and_loads_nothing_heavy():
    heavy = "{'numpy', 'scipy', 'torch', 'altair', 'wordfreq', 'httpx', 'jinja2'}"
    code = (
        "import sys, time; begin = time.perf_counter()\n"
        "from hardlimit.cli import main\n"
        "main(['--help'])\n"
        f"print(sorted({heavy} & set(sys.modules)), time.perf_counter() - begin)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].startswith("[] ")


def test_every_command_has_help(capsys):
    from hardlimit.cli import COMMANDS

    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        assert name in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["audit", "toy:\x1b[2J"], ["explain", "\x1b]0;owned\x07"], ["no\x1b[2Jsuch"]])
def test_what_a_terminal_would_obey_is_shown_and_not_sent(arguments, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert "U+001B" in said.err and "\x1b" not in said.err + said.out
