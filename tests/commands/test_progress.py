"""Progress: a steady live area on a terminal, few lines elsewhere, and hostile words obeyed by neither."""

import io
import re

import pytest
from rich.console import Console

from hardlimit.audit.budget import Budget
from hardlimit.commands.progress import RichProgress
from hardlimit.core import Grade, Usage


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def piped(width=200):
    return Console(file=io.StringIO(), width=width)


def terminal(width=100):
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, legacy_windows=False)


def written(console):
    return console.file.getvalue()


def screen(text):
    """Show what a terminal shows after all this was written to it: lines, without trailing blanks."""
    lines, row, column = [""], 0, 0
    for piece in re.finditer(r"\x1b\[(\??[0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)", text):
        number, command, control, words = piece.groups()
        if command == "A":
            row -= int(number or 1)
        elif command == "K":
            lines[row] = ""
        elif command in {"J", "H"}:
            raise AssertionError("the whole screen is cleared or jumped about in")
        elif control == "\r":
            column = 0
        elif control == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif words:
            lines[row] = lines[row][:column].ljust(column) + words + lines[row][column + len(words) :]
            column += len(words)
    return [line.rstrip() for line in lines]


def drawn(progress, console):
    """The live area as it is now."""
    progress._live.refresh()
    return screen(written(console))


def test_lines_where_there_is_no_terminal(clock):
    console = piped()
    with RichProgress(Budget.parse("100k-tokens"), console=console, clock=clock) as progress:
        progress.asking("short facts", 100)
        for _ in range(50):
            clock.now += 0.5
            progress.answered(Grade.RIGHT, Usage(prompt_tokens=400))
        for grade in (Grade.WRONG, Grade.ABSTAINED, Grade.FAILED, Grade.MALFORMED, Grade.TRUNCATED, Grade.REFUSED):
            progress.answered(grade, Usage(prompt_tokens=1000))
        progress.settled("hallucination", "wrong in 2 % of the answers given")
        progress.asking("needles", 10)
        clock.now += 100
        progress.answered(None, Usage(prompt_tokens=1000))
    assert written(console).splitlines() == [
        "short facts: 0 of 100 · 100 % of 100k-tokens left",
        "short facts: 20 of 100 · right 20 · 8,000 tokens · 92 % of 100k-tokens left",
        "short facts: 40 of 100 · right 40 · 16,000 tokens · 84 % of 100k-tokens left",
        "hallucination: wrong in 2 % of the answers given",
        "needles: 1 of 10 · read 1 · 27,000 tokens · 73 % of 100k-tokens left",
        "asked 57 in all · 27,000 tokens · 73 % of 100k-tokens left",
    ]


def test_outcomes_are_counted_apart(clock):
    console = piped()
    with RichProgress(console=console, clock=clock) as progress:
        progress.asking("short facts", None)
        for grade in Grade:
            progress.answered(grade, Usage())
        clock.now += 10
        progress.answered(Grade.WRONG, Usage())
    assert written(console).splitlines() == [
        "short facts: 0",
        "short facts: 8 · right 1 · wrong 2 · abstained 1 · other 4",
        "asked 8 in all",
    ]


def test_what_was_counted_before_costs_nothing(clock):
    console = piped()
    with RichProgress(Budget.parse("1k-tokens"), console=console, clock=clock) as progress:
        progress.asking("facts", 2)
        progress.answered(Grade.RIGHT, Usage(prompt_tokens=100))
        progress.answered(Grade.RIGHT, Usage(calls=0))
    assert written(console).splitlines()[-1] == "asked 1 in all · 100 tokens · 90 % of 1k-tokens left"


def test_the_same_words_go_on_and_others_begin_anew(clock):
    console = piped()
    with RichProgress(console=console, clock=clock) as progress:
        for what, total in (("needles", 3), ("needles", 2), ("facts", 7), ("facts", None), ("facts", 4)):
            progress.asking(what, total)
            clock.now += 10
            progress.answered(Grade.RIGHT, Usage())
    lines = [line for line in written(console).splitlines() if "right 0" not in line]
    assert lines[:-1] == [
        "needles: 0 of 3",
        "needles: 1 of 3 · right 1",
        "needles: 2 of 5 · right 2",
        "facts: 1 of 7 · right 1",
        "facts: 1 · right 1",
        "facts: 1 of 4 · right 1",
    ]


def test_nothing_asked_says_nothing():
    console = piped()
    with RichProgress(Budget.parse("10m"), console=console):
        pass
    assert written(console) == ""


def test_the_live_area():
    console = terminal()
    with RichProgress(Budget.parse("10m"), console=console) as progress:
        first = drawn(progress, console)
        assert len(first) == 2
        assert re.fullmatch(r"\S ━{24}  starting", first[0])
        assert first[1] == "  100 % of 10m left"
        progress.asking("short facts", 4)
        progress.answered(Grade.RIGHT, Usage(prompt_tokens=1500, seconds=30))
        progress.answered(Grade.TRUNCATED, Usage(prompt_tokens=1500, seconds=30))
        second = drawn(progress, console)
        assert len(second) == 2
        assert re.fullmatch(r"\S ━{12} {12} 2 of 4 short facts", second[0])
        assert second[1] == "  right 1 · other 1 · 3,000 tokens · 90 % of 10m left"
        progress.settled("hallucination", "wrong in 2 % of the answers given")
        progress.settled("context", "effective to 2,048 tokens")
        third = drawn(progress, console)
        assert third[:2] == ["hallucination: wrong in 2 % of the answers given", "context: effective to 2,048 tokens"]
        assert third[2][1:] == second[0][1:]
        assert third[3:] == second[1:]
    # The live area is gone, what was settled stays, and the cursor is back.
    assert [line for line in screen(written(console)) if line] == [
        "hallucination: wrong in 2 % of the answers given",
        "context: effective to 2,048 tokens",
        "asked 2 in all · 3,000 tokens · 90 % of 10m left",
    ]
    assert written(console).rindex("\x1b[?25h") > written(console).rindex("\x1b[?25l")
    assert "\x1b[?1049h" not in written(console)


@pytest.mark.parametrize("width", [20, 40, 60, 300])
def test_the_live_area_keeps_to_two_lines(width):
    console = terminal(width)
    with RichProgress(Budget.parse("10m,200k-tokens,$2"), console=console) as progress:
        progress.asking("a very long description of what is being asked " * 4, 100_000)
        progress.answered(None, Usage(prompt_tokens=1_000_000, dollars=0.001))
        progress.asking("a single question of a very long description " * 4, 1)
        progress.answered(Grade.RIGHT, Usage(prompt_tokens=1_000_000, dollars=0.001))
        lines = drawn(progress, console)
        assert len(lines) == 2
        assert all(len(line) <= width for line in lines)
        assert lines[0].count("━") == min(24, width // 4)


def test_an_interruption_gives_the_terminal_back():
    console = terminal()
    with pytest.raises(KeyboardInterrupt), RichProgress(console=console) as progress:
        progress.asking("short facts", 4)
        progress.answered(Grade.RIGHT, Usage())
        raise KeyboardInterrupt
    assert written(console).rindex("\x1b[?25h") > written(console).rindex("\x1b[?25l")
    assert [line for line in screen(written(console)) if line] == ["asked 1 in all"]


HOSTILE = "\x1b[2J\x1b]0;owned\x07[red]bold[/red] [link=http://example.com]x[/link]\r\nnew \u202e line \ud800 é"
SAFE = (
    "⟨U+001B⟩[2J⟨U+001B⟩]0;owned⟨U+0007⟩[red]bold[/red] [link=http://example.com]x[/link] new ⟨U+202E⟩ line ⟨U+D800⟩ é"
)


def test_hostile_words_are_shown_and_not_obeyed(clock):
    console = piped()
    with RichProgress(console=console, clock=clock) as progress:
        progress.asking(HOSTILE, 1)
        progress.settled(HOSTILE, HOSTILE)
    assert written(console).splitlines() == [f"{SAFE}: 0 of 1", f"{SAFE}: {SAFE}"]
    console = terminal(250)
    with RichProgress(console=console) as progress:
        progress.asking(HOSTILE, 1)
        progress.settled(HOSTILE, "so")
        lines = drawn(progress, console)
    assert lines[0] == f"{SAFE}: so"
    assert lines[1].endswith(f" 0 of 1 {SAFE}")


def test_a_dumb_terminal_gets_lines(monkeypatch, clock):
    monkeypatch.setenv("TERM", "dumb")
    console = terminal()
    with RichProgress(console=console, clock=clock) as progress:
        progress.asking("short facts", 1)
    assert written(console) == "short facts: 0 of 1\n"


def test_standard_output_is_left_alone(capsys):
    with RichProgress() as progress:
        progress.asking("short facts", 1)
        print("for the pipe")
        progress.settled("context", "short")
    out, err = capsys.readouterr()
    assert out == "for the pipe\n"
    assert err.splitlines() == ["short facts: 0 of 1", "context: short"]
    console = terminal()
    with RichProgress(console=console) as progress:
        print("for the pipe")
    assert capsys.readouterr().out == "for the pipe\n"
    assert "for the pipe" not in written(console)
