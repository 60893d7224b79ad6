"""Numbers, gauges and tables: formatting that never says more or less than the value."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardlimit.audit import Published
from hardlimit.core import Bound, Estimate, Interval, Limit, Resource, Source, Tally
from hardlimit.core.quantity import (
    ACCURACY,
    EFFECTIVE_CONTEXT,
    FALSE_ACCEPTANCE,
    KV_BYTES,
    NEEDLE_MARGIN,
    TAIL_EXPONENT,
)
from hardlimit.report import numbers, words
from hardlimit.report.gauges import gauge, shares
from hardlimit.report.tables import claims_by_statement, matrix, points_table, published_table
from tests.report.sample import sample
from tests.report.sample_claims import acceptance_bound, tail_bound
from tests.report.sample_measurements import around, measurement, point, wilson


@given(st.floats(min_value=0, max_value=1))
def test_only_certainty_is_written_as_certainty(share):
    text = numbers.percent(share)
    value = float(text.removeprefix("under ").removeprefix("over ").rstrip("%"))
    assert (value == 0) == (text == "0%") == (share == 0)
    assert (value == 100) == (text == "100%") == (share == 1)
    assert value == pytest.approx(100 * share, abs=0.051)


@given(st.floats(min_value=-1e12, max_value=1e12))
def test_three_digits_are_kept(value):
    text = numbers.plain(value).replace("−", "-").replace(",", "")
    mantissa, _, exponent = text.partition("×10")
    power = int(exponent.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))) if exponent else 0
    assert float(mantissa) * 10.0**power == pytest.approx(value, rel=0.0051, abs=1e-300)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.1, 0.2, "[10.0%, 20.0%]"),
        (None, 0.2, "at most 20.0%"),
        (0.1, None, "at least 10.0%"),
        (None, None, "not bounded by these data"),
    ],
)
def test_an_open_side_is_said_in_words(low, high, text):
    assert numbers.interval_text(Interval(low=low, high=high, level=0.95, method="m"), ACCURACY) == text


@pytest.mark.parametrize(
    ("value", "quantity", "text"),
    [
        (0.25, ACCURACY, "25.0%"),
        (1410.4, EFFECTIVE_CONTEXT, "1,410 tokens"),
        (7.61234, NEEDLE_MARGIN, "7.61 nats"),
        (0.21, TAIL_EXPONENT, "0.21"),
        (188743680.0, KV_BYTES, "180 MiB"),
    ],
)
def test_units_are_written_where_they_are_words(value, quantity, text):
    assert numbers.with_unit(value, quantity) == text


def test_a_gauge_of_a_probability_runs_from_none_to_all():
    made = gauge(wilson(0.61, 160), FALSE_ACCEPTANCE, bound=acceptance_bound())
    assert made.ends == ("0%", "100%")
    assert (made.value, made.bound, made.forbidden) == (61.0, 20.0, "left")
    assert made.low == pytest.approx(53.3, abs=0.05)
    assert made.says == "61.0%, interval [53.3%, 68.2%], bound 20.0%"


def test_a_gauge_of_tokens_ends_at_the_window():
    made = gauge(around(2048.0, 100.0), EFFECTIVE_CONTEXT, window=8192)
    assert (made.ends, made.value) == (("0", "8,192"), 25.0)


@pytest.mark.parametrize(("side", "forbidden"), [("upper", "right"), ("lower", "left"), ("exact", "")])
def test_the_side_that_a_claim_rules_out(side, forbidden):
    bound = Bound(statement=tail_bound().statement, quantity=TAIL_EXPONENT, side=side, value=0.115, at={})
    assert gauge(around(0.2, 0.05), TAIL_EXPONENT, bound=bound).forbidden == forbidden


@given(
    value=st.floats(-1e6, 1e6),
    below=st.one_of(st.none(), st.floats(0, 1e6)),
    above=st.one_of(st.none(), st.floats(0, 1e6)),
    edge=st.floats(-1e6, 1e6),
)
def test_everything_lies_on_the_gauge(value, below, above, edge):
    interval = Interval(
        low=None if below is None else value - below,
        high=None if above is None else value + above,
        level=0.9,
        method="m",
    )
    bound = Bound(statement=tail_bound().statement, quantity=NEEDLE_MARGIN, side="upper", value=edge, at={})
    made = gauge(Estimate(value=value, interval=interval, n=1), NEEDLE_MARGIN, bound=bound)
    assert 0 <= made.low <= made.value <= made.high <= 100
    assert 0 <= made.bound <= 100
    assert (made.open_low, made.open_high) == (below is None, above is None)
    assert (value < edge) <= (made.value <= made.bound)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_a_bar_of_grades_is_whole(right, wrong, truncated, failed):
    tally = Tally(right=right, wrong=wrong, truncated=truncated, failed=failed)
    laid = shares(tally)
    assert sum(share.count for share in laid) == tally.n
    assert sum(share.count for share in laid if share.artefact) == tally.artefacts
    if tally.n:
        assert laid[0].start == 0
        assert laid[-1].start + laid[-1].width == pytest.approx(100, abs=0.01)


def test_a_table_has_every_coordinate_and_the_grades_of_each_point():
    graded = point(wilson(0.5, 4, 1), zeta=1, length=10, variant="a")
    graded = msgspec.structs.replace(graded, tally=Tally(right=2, wrong=1, failed=1))
    table = points_table(measurement("x", ACCURACY, None, [graded, point(wilson(0.25, 4), length=20, variant="b")]))
    assert [cell.text for cell in table.columns] == [
        "variant", "length", "zeta", "accuracy", "interval", "n", "artefacts", "right", "wrong", "abstained",
    ]  # fmt: skip
    assert [cell.text for cell in table.rows[0]] == ["a", "10", "1", "50.0%", "[15.0%, 85.0%]", "4", "1", "2", "1", "0"]
    assert [cell.text for cell in table.rows[1]][:3] == ["b", "20", "—"]
    assert [cell.text for cell in table.rows[1]][-3:] == ["—", "—", "—"]
    assert points_table(measurement("x", ACCURACY, None)) is None


def test_a_published_table_keeps_its_decimals_and_its_gaps():
    table = published_table(
        Published(
            title="t",
            source=Source(title="s"),
            columns=("model", "score", "claimed"),
            rows=(("A", 98.0, "8K"), ("B", 4.15, None), ("C", None, "64K")),
            caution="c",
        )
    )
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["A", "98.00", "8K"],
        ["B", "4.15", "—"],
        ["C", "—", "64K"],
    ]
    assert [cell.numeric for cell in table.columns] == [False, True, False]


def test_the_matrix_has_the_limits_with_verdicts_and_no_empty_row():
    made = matrix(sample())
    assert made.limits == (Limit.HALLUCINATION, Limit.CONTEXT)
    assert Resource.RESOLUTION not in [resource for resource, _ in made.rows]
    row = dict(made.rows)[Resource.PARAMETERS]
    assert [[str(v.verdict) for v in verdicts] for _, verdicts in row] == [["SATURATES"], ["UNDETERMINED"]]


def test_a_statement_is_told_once_with_all_its_numbers():
    groups = claims_by_statement(sample().limits[0])
    assert [group[0].statement.id for group in groups] == ["HALL-9", "HALL-10", "HALL-P2", "HALL-5"]
    assert len(groups[0]) == 2


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("sure: n is large", 3),
        ("Sure", 3),
        ("likely, one haystack", 2),
        ("in part: 2 of 3", 2),
        ("not decided: out of budget", 1),
        ("not to be believed: a control failed", 0),
        ("surely", None),
        ("", None),
        ("perhaps", None),
    ],
)
def test_how_sure_fills_bars_only_for_the_known_words(text, level):
    assert words.sureness_level(text) == level
