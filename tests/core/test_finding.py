"""A finding compares one quantity with itself, and the comparison can come out every way."""

import pytest
from msgspec.structs import replace

from hardlimit.core import (
    Bound,
    Control,
    Estimate,
    Finding,
    Interval,
    InvalidValueError,
    Limit,
    Measurement,
    Source,
    Standing,
    Statement,
    Status,
    Tally,
    stand,
)
from hardlimit.core.quantity import ACCURACY, ERROR_RATE

STATEMENT = Statement(
    id="TEST-1",
    name="a test",
    limit=Limit.CONTEXT,
    status=Status.PROVED,
    says="An accuracy cannot pass a half.",
    formula="a ≤ 1/2",
    hypotheses=("none",),
    sources=(Source(title="here"),),
    silent_on="all else",
    falsified_by="an accuracy above a half",
)


def bound(side, value=0.5, vacuous=None):
    return Bound(statement=STATEMENT, quantity=ACCURACY, side=side, value=value, at={}, vacuous=vacuous)


def measured(low, high, **changes):
    estimate = Estimate(
        value=((low or 0) + (high or 1)) / 2, interval=Interval(low=low, high=high, level=0.95, method="x"), n=50
    )
    base = Measurement(
        name="m", quantity=ACCURACY, probe="P()", model="m", seed=0, estimate=estimate, tally=Tally(right=25, wrong=25)
    )
    return replace(base, **changes)


@pytest.mark.parametrize(
    ("side", "low", "high", "standing"),
    [
        ("upper", 0.51, 0.60, Standing.BEYOND_BOUND),
        ("upper", 0.45, 0.55, Standing.AT_BOUND),
        ("upper", 0.46, 0.49, Standing.AT_BOUND),  # below, but by less than the margin
        ("upper", 0.10, 0.40, Standing.CLEAR_OF_BOUND),
        ("lower", 0.40, 0.49, Standing.BEYOND_BOUND),
        ("lower", 0.45, 0.55, Standing.AT_BOUND),
        ("lower", 0.51, 0.54, Standing.AT_BOUND),
        ("lower", 0.60, 0.70, Standing.CLEAR_OF_BOUND),
        ("exact", 0.51, 0.60, Standing.DISAGREES),
        ("exact", 0.40, 0.49, Standing.DISAGREES),
        ("exact", 0.45, 0.55, Standing.AGREES),
        ("upper", None, 0.40, Standing.CLEAR_OF_BOUND),
        ("upper", 0.51, None, Standing.BEYOND_BOUND),
        ("lower", 0.2, None, Standing.AT_BOUND),
    ],
)
def test_stand(side, low, high, standing):
    assert stand(bound(side), measured(low, high), margin=0.05) == standing


def test_a_vacuous_claim_and_a_broken_probe_decide_nothing():
    assert stand(bound("upper", vacuous="too small"), measured(0.6, 0.7)) == Standing.VACUOUS
    broken = measured(0.6, 0.7, controls=(Control(name="trivial", expected="all right", estimate=None, passed=False),))
    assert stand(bound("upper"), broken) == Standing.UNDETERMINED
    assert stand(bound("upper"), measured(0.6, 0.7, estimate=None)) == Standing.UNDETERMINED


def test_two_quantities_cannot_be_compared():
    with pytest.raises(InvalidValueError) as caught:
        Finding(
            claim=bound("upper"),
            measurement=measured(0.1, 0.2, quantity=ERROR_RATE),
            standing=Standing.AGREES,
            says="",
        )
    assert str(caught.value) == (
        "TEST-1 is about 'accuracy', but m measures 'error_rate'; a finding compares one quantity with itself."
    )


def test_a_bound_outside_its_quantitys_range_cannot_exist():
    with pytest.raises(InvalidValueError) as caught:
        bound("upper", value=1.2)
    assert str(caught.value) == "accuracy must lie in [0, 1], got 1.2."
