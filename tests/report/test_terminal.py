"""The terminal's summary: everything that the verdict table of the page says, at any width."""

import io

import pytest
from rich.console import Console

from hardlimit.report import render_terminal, words
from tests.report.sample import bare, sample


def printed(report, width):
    out = io.StringIO()
    render_terminal(report, Console(file=out, width=width))
    return out.getvalue()


def squeezed(text):
    """Without the lines of tables and the breaks of lines."""
    for line in "┃│╭╮╰╯─━┏┓┗┛┡┩└┘├┤┬┴┼╇┳┻":
        text = text.replace(line, " ")
    return " ".join(text.split())


@pytest.mark.parametrize("width", [40, 70, 95, 96, 120, 200])
def test_no_line_is_wider_than_the_terminal(width):
    assert max(len(line) for line in printed(sample(), width).splitlines()) <= width


def test_a_narrow_terminal_reads_as_well():
    text = squeezed(printed(sample(), 80))
    for limit in sample().limits:
        assert " ".join(limit.headline.split()[:4]) in text
    assert "What to do Let it abstain below a log-probability threshold" in text


def test_it_says_what_was_found_how_sure_and_what_to_do():
    text = squeezed(printed(sample(), 1000))
    for limit in sample().limits:
        for told in (limit.headline, limit.ceiling, limit.sureness, limit.advice, *limit.undecided):
            assert told in text
        for finding in limit.findings:
            assert f"{words.STANDINGS[finding.standing].word}: {finding.says}" in text
        for verdict in limit.verdicts:
            assert words.VERDICTS[verdict.verdict].word in text


def test_numbers_have_interval_and_n_and_a_broken_one_is_said_to_be():
    text = squeezed(printed(sample(), 1000))
    assert "Effective context: 1,410 tokens [1,020, 1,950], n = 240, 6 of them artefacts" in text
    assert "Accuracy (context.order_effect): 52.0% [41.2%, 62.6%], n = 80, no artefacts A control failed" in text
    assert "Memory of the context: no single number. Computed from the model card, not measured." in text


def test_next_to_nothing_is_printed_as_such():
    text = squeezed(printed(bare(), 120))
    assert "Accuracy (evaluation.none): no number. Every answer failed." in text
    assert "More of" not in text
    assert "1 of 6 limits measured" in text
    assert "Not part of this audit: Hallucination, Context, Reasoning, Retrieval, Multimodal." in text
    assert "Not part of this audit" not in printed(sample(), 120)
