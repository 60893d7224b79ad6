"""Budgets: read as people write them, refused with the way out, and added up exactly in any order."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardlimit.audit.budget import Budget, Meter
from hardlimit.core import BudgetError, InvalidValueError, Usage

EXAMPLES = "Write it like 10m, 90s, 1h, 200k-tokens, 1.5M-tokens, $2, several with commas between, or unlimited."


@pytest.mark.parametrize(
    ("text", "budget", "again"),
    [
        ("10m", Budget(seconds=600), "10m"),
        ("90s", Budget(seconds=90), "90s"),
        ("1h", Budget(seconds=3600), "1h"),
        ("1.5h", Budget(seconds=5400), "90m"),
        ("0.25s", Budget(seconds=0.25), "0.25s"),
        ("200k-tokens", Budget(tokens=200_000), "200k-tokens"),
        ("200K-tokens", Budget(tokens=200_000), "200k-tokens"),
        ("1.5M-tokens", Budget(tokens=1_500_000), "1500k-tokens"),
        ("1.1M-tokens", Budget(tokens=1_100_000), "1100k-tokens"),
        ("2M-tokens", Budget(tokens=2_000_000), "2M-tokens"),
        ("1-token", Budget(tokens=1), "1-tokens"),
        ("$2", Budget(dollars=2), "$2"),
        ("$0.05", Budget(dollars=0.05), "$0.05"),
        ("unlimited", Budget(), "unlimited"),
        (" unlimited ", Budget(), "unlimited"),
        ("10m,$2", Budget(seconds=600, dollars=2), "10m,$2"),
        ("$2, 5k-tokens , 90s", Budget(seconds=90, tokens=5000, dollars=2), "90s,5k-tokens,$2"),
    ],
)
def test_budgets_are_read_and_written(text, budget, again):
    assert Budget.parse(text) == budget
    assert str(budget) == again
    assert Budget.parse(again) == budget


BARE = ["", " ", "10", "m", "tokens", "2$", "$", "$-", "-", "inf", "nan", "٣m", "1e3s", "0x10s", "1_0s", "+5m"]
ALMOST = ["10 m", "10min", "10M", "5-tokenss", "200ktokens", "10m;5s", "10m,", ",", "10m,unlimited", "1.m", ".5m"]
ALMOST += ["unlimited,unlimited", "1,5m", "10m\n5", "9999999999999s", "$2 or so"]


@pytest.mark.parametrize(
    "text",
    [*BARE, *ALMOST],
)
def test_what_cannot_be_read(text):
    with pytest.raises(BudgetError) as caught:
        Budget.parse(text)
    assert str(caught.value) == f"A budget of {text!r} cannot be read. {EXAMPLES}"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text", ["0m", "0s", "0-tokens", "0k-tokens", "$0", "$0.00", "-10m", "$-2", "-$2", "10m,$0", "0.4-tokens", "-5"]
)
def test_a_budget_of_nothing(text):
    with pytest.raises(BudgetError) as caught:
        Budget.parse(text)
    assert str(caught.value) == f"A budget of {text!r} lets nothing be asked; it has to be more than zero. {EXAMPLES}"


def test_the_same_unit_twice():
    for text, unit in (("10m,5s", "seconds"), ("5-tokens,1k-tokens", "tokens"), ("$1,10m,$1", "dollars")):
        with pytest.raises(BudgetError) as caught:
            Budget.parse(text)
        assert str(caught.value) == f"A budget of {text!r} names {unit} twice. {EXAMPLES}"


@pytest.mark.parametrize("amounts", [{"seconds": 0.0}, {"tokens": -1}, {"dollars": -0.5}, {"seconds": 5, "tokens": 0}])
def test_no_budget_of_nothing_exists(amounts):
    with pytest.raises(BudgetError, match=r"lets nothing be asked; it has to be more than zero\. Write it like"):
        Budget(**amounts)
    with pytest.raises(InvalidValueError):
        Budget(seconds=float("inf"))


positive = st.floats(1e-9, 1e9)


@given(
    seconds=st.none() | positive.map(lambda x: round(x, 9)).filter(lambda x: x > 0),
    tokens=st.none() | st.integers(1, 10**12 - 1),
    dollars=st.none() | positive.map(lambda x: round(x, 9)).filter(lambda x: x > 0),
)
def test_what_is_written_is_read_back(seconds, tokens, dollars):
    budget = Budget(seconds=seconds, tokens=tokens, dollars=dollars)
    assert Budget.parse(str(budget)) == budget


def test_each_part_of_a_budget_ends_it():
    for name, usage in (
        ("90s", Usage(seconds=90)),
        ("100-tokens", Usage(prompt_tokens=140, cached_tokens=60, completion_tokens=20)),
        ("$2", Usage(dollars=2, prompt_tokens=1)),
    ):
        meter = Meter(Budget.parse(name))
        assert (meter.exhausted, meter.left_share) == (False, 1.0)
        meter.add(usage)
        assert (meter.exhausted, meter.left_share) == (True, 0.0), name
    both = Meter(Budget.parse("90s,100-tokens"))
    both.add(Usage(seconds=9, prompt_tokens=50))
    assert (both.exhausted, both.left_share) == (False, 0.5)
    both.add(Usage(seconds=80.9))
    assert both.left_share == pytest.approx(0.1 / 90)
    cached = Meter(Budget.parse("100-tokens"))
    cached.add(Usage(prompt_tokens=1000, cached_tokens=950, completion_tokens=49))
    assert (cached.exhausted, cached.left_share) == (False, 0.01)
    both.add(Usage(seconds=100))
    assert (both.exhausted, both.left_share) == (True, 0.0)


def test_without_limits_nothing_ends():
    meter = Meter(Budget())
    meter.add(Usage(prompt_tokens=10**12, seconds=1e9))
    assert (meter.exhausted, meter.left_share) == (False, 1.0)
    part = meter.share(0.01)
    part.add(Usage(prompt_tokens=10**12, seconds=1e9))
    assert (part.exhausted, part.left_share) == (False, 1.0)


def test_spent_adds_up():
    meter = Meter(Budget())
    assert meter.spent == Usage(calls=0)
    meter.add(Usage(prompt_tokens=5, cached_tokens=2, completion_tokens=3, calls=2, seconds=0.5))
    assert meter.spent == Usage(prompt_tokens=5, cached_tokens=2, completion_tokens=3, calls=2, seconds=0.5)
    meter.add(Usage(prompt_tokens=1, seconds=0.25, dollars=0.125))
    assert meter.spent == Usage(
        prompt_tokens=6, cached_tokens=2, completion_tokens=3, calls=3, seconds=0.75, dollars=0.125
    )


def test_the_order_of_replies_does_not_matter():
    usages = [Usage(seconds=10.0**-place / 3, dollars=0.1 * place, prompt_tokens=place) for place in range(40)]
    meters = []
    for seed in range(20):
        random.Random(seed).shuffle(usages)
        meter = Meter(Budget.parse("0.4s"))
        for usage in usages:
            meter.add(usage)
        meters.append(meter)
    assert len({(repr(meter.spent), meter.left_share) for meter in meters}) == 1


def test_a_price_that_is_not_stated():
    meter = Meter(Budget.parse("$2"))
    meter.add(Usage(calls=3))  # a failed request costs nothing
    with pytest.raises(BudgetError) as caught:
        meter.add(Usage(prompt_tokens=10))
    assert str(caught.value) == (
        "A budget in dollars needs replies that state their price, and this model's do not. "
        "Give the budget in time or tokens, such as 10m or 200k-tokens."
    )
    with pytest.raises(BudgetError):
        meter.share(0.5).add(Usage(prompt_tokens=10))
    assert meter.spent == Usage(calls=3)


def test_a_share_ends_and_what_it_leaves_flows_on():
    whole = Meter(Budget.parse("900-tokens"))
    first = whole.share(1 / 3)
    first.add(Usage(prompt_tokens=100))
    assert first.left_share == pytest.approx(2 / 3)
    second = whole.share(1 / 2)  # of 800
    second.add(Usage(prompt_tokens=399))
    assert not second.exhausted
    second.add(Usage(prompt_tokens=1))
    assert (second.exhausted, second.left_share, whole.exhausted) == (True, 0.0, False)
    third = whole.share(1)  # of 400
    third.add(Usage(prompt_tokens=399))
    assert not third.exhausted
    third.add(Usage(prompt_tokens=1))
    assert third.exhausted
    assert whole.exhausted
    assert whole.spent == Usage(prompt_tokens=900, calls=5)
    assert second.spent == Usage(prompt_tokens=400, calls=2)


def test_a_share_ends_with_the_whole():
    whole = Meter(Budget.parse("900-tokens,90s"))
    part = whole.share(0.5)
    inner = part.share(0.5)
    inner.add(Usage(prompt_tokens=1))
    whole.add(Usage(seconds=90))
    assert (part.exhausted, part.left_share) == (True, 0.0)
    assert (inner.exhausted, inner.left_share) == (True, 0.0)
    late = whole.share(1)
    assert (late.exhausted, late.left_share) == (True, 0.0)
    assert whole.spent.prompt_tokens == part.spent.prompt_tokens == 1


@pytest.mark.parametrize("part", [0.0, -0.1, 1.5, float("nan")])
def test_a_part_that_is_none(part):
    with pytest.raises(InvalidValueError) as caught:
        Meter(Budget()).share(part)
    assert str(caught.value) == f"Meter.share needs a part in (0, 1], got {part}."
