"""Values are valid from birth, compare by value, and travel as strict JSON."""

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardlimit.core import (
    Answered,
    Case,
    Estimate,
    Generate,
    Generated,
    Grade,
    Interval,
    InvalidValueError,
    Measurement,
    Message,
    Point,
    Tally,
    dumps,
    loads,
)
from hardlimit.core.quantity import ACCURACY

INTERVAL = Interval(low=0.25, high=0.5, level=0.95, method="clopper-pearson")


def measurement(**changes) -> Measurement:
    base = {
        "name": "context.accuracy_by_length",
        "quantity": ACCURACY,
        "probe": "Needle()",
        "model": "abc",
        "seed": 7,
        "estimate": Estimate(value=0.4, interval=INTERVAL, n=10, artefacts=1),
        "tally": Tally(right=4, wrong=5, failed=1),
        "points": (
            Point(at={"length": 512, "variant": "literal"}, estimate=Estimate(value=0.4, interval=INTERVAL, n=10)),
        ),
    }
    return Measurement(**(base | changes))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_float_that_is_not_finite_is_refused(bad):
    with pytest.raises(InvalidValueError) as caught:
        Estimate(value=bad, interval=INTERVAL, n=3)
    assert str(caught.value) == f"Estimate.value must be finite, got {bad!r}; absence is None."


def test_a_nan_hidden_in_a_dict_is_refused():
    with pytest.raises(InvalidValueError, match=r"^Measurement.parameters must be finite"):
        measurement(parameters={"slope": math.nan})


def test_measurement_round_trip_is_exact():
    value = measurement()
    assert loads(dumps(value), Measurement) == value
    assert dumps(loads(dumps(value), Measurement)) == dumps(value)


def test_requests_keep_their_kind_in_json():
    ask = Generate(messages=(Message(role="user", content="Hi 😀 \x00"),), max_tokens=3)
    answered = Answered(
        case=Case(id="1", ask=ask, gold=("yes",)), reply=Generated(text="yes", finish="stop"), grade=Grade.RIGHT
    )
    assert loads(dumps(answered), Answered) == answered


def test_values_cannot_be_changed():
    with pytest.raises(AttributeError):
        INTERVAL.low = 0.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This is not a hardlimit JSON document: Input data was truncated."),
        (
            '{"schema": 2, "kind": "Interval", "value": {}}',
            "This JSON has schema version 2; this hardlimit reads version 1. Use the hardlimit version that wrote it.",
        ),
        (
            '{"schema": 1, "kind": "Tally", "value": {}}',
            "This JSON holds 'Tally', but 'Interval' was expected.",
        ),
        (
            '{"schema": 1, "kind": "Interval", "value": {"low": 0.1}}',
            "This Interval document is damaged: Object missing required field `high`.",
        ),
        (
            '{"schema": 1, "kind": "Interval", "value": {"low": 0.1, "high": 1, "level": 0.9, "method": "x", "z": 1}}',
            "This Interval document is damaged: Object contains unknown field `z`.",
        ),
    ],
)
def test_foreign_and_damaged_documents_are_refused_with_the_reason(text, message):
    with pytest.raises(InvalidValueError) as caught:
        loads(text, Interval)
    assert str(caught.value) == message


@given(st.lists(st.sampled_from(list(Grade)), max_size=60))
def test_a_tally_keeps_every_grade(grades):
    tally = Tally.of(grades)
    assert tally.n == len(grades)
    assert tally.right == grades.count(Grade.RIGHT)
    usable = tally.right + tally.wrong + tally.abstained
    assert tally.artefacts == len(grades) - usable


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"low": 0.6}, "Interval needs low <= high, got [0.6, 0.5]."),
        ({"level": 1.0}, "Interval.level must lie in (0, 1), got 1.0."),
        ({"level": 0.0}, "Interval.level must lie in (0, 1), got 0.0."),
    ],
)
def test_intervals_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(InvalidValueError) as caught:
        msgspec.structs.replace(INTERVAL, **changes)
    assert str(caught.value) == message


def test_an_open_side_contains_everything_beyond():
    open_above = Interval(low=0.3, high=None, level=0.9, method="posterior")
    assert 1e9 in open_above
    assert 0.2 not in open_above
    assert 0.5 in INTERVAL
    assert 0.51 not in INTERVAL


def test_json_never_holds_a_nan():
    text = dumps(measurement())
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
