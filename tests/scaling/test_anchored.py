import pytest

from hardlimit.core import Bound, InsufficientDataError, InvalidValueError, Limit, Source, Standing, Statement, Status
from hardlimit.core.quantity import ACCURACY, ERROR_RATE
from hardlimit.scaling import Curve, ScalePoint, anchored, anchored_curve, false_violation_rate, items_to_refute

STATEMENT = Statement(
    id="X-1",
    name="a floor",
    limit=Limit.EVALUATION,
    status=Status.PROVED,
    says="s",
    formula="f",
    hypotheses=(),
    sources=(Source(title="t"),),
    silent_on="",
    falsified_by="",
)


def bound(value, side="lower", quantity=ERROR_RATE, vacuous=None):
    return Bound(statement=STATEMENT, quantity=quantity, side=side, value=value, at={}, vacuous=vacuous)


def curve(errors, n=1000, **fields):
    points = tuple(
        ScalePoint(scale=10.0**k, value=value, n=n) for k, value in ((8, 0.5), (9, 0.7), (10, 1 - errors / (n or 1000)))
    )
    return Curve(task="t", metric="acc", points=points, **fields)


def test_worked_values():
    # 30 errors of 1000 against 5 %: one-sided limits [0.0217, 0.0405].
    made = anchored(30, 1000, 0.05)
    assert (round(made.low, 4), round(made.high, 4)) == (0.0217, 0.0405)
    assert made.standing is Standing.BEYOND_BOUND
    assert items_to_refute(0.03, 0.05) == 340
    assert false_violation_rate(1000, 0.05) == pytest.approx(0.043, abs=0.001)
    assert anchored(0, 1000, 0.01).high == pytest.approx(0.0030, abs=1e-4)


def test_the_three_standings():
    assert anchored(50, 1000, 0.05).standing is Standing.AT_BOUND
    assert anchored(150, 1000, 0.05).standing is Standing.CLEAR_OF_BOUND
    assert anchored(70, 1000, 0.05, margin=0.02).standing is Standing.AT_BOUND
    assert anchored(70, 1000, 0.05).standing is Standing.CLEAR_OF_BOUND
    assert anchored(30, 1000, 0.05).says == (
        "Fewer errors than the bound allows (30 of 1000 wrong, limits [0.0217, 0.0405], bound 0.0500): an assumption "
        "of the bound does not hold here."
    )


def test_a_claim_beside_a_curve():
    assert anchored_curve(curve(50), bound(0.05)).standing is Standing.AT_BOUND
    assert anchored_curve(curve(50), bound(0.95, "upper", ACCURACY)).standing is Standing.AT_BOUND
    assert anchored_curve(curve(50), bound(0.99, "upper", ACCURACY)).standing is Standing.CLEAR_OF_BOUND
    assert anchored_curve(curve(50), bound(0.2)).n == 1000


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: anchored(1, 0, 0.05),
            InsufficientDataError,
            "A proportion of 0 cases is not a number; measure at least one case.",
        ),
        (
            lambda: anchored(1, 10, 1.5),
            InvalidValueError,
            "A bound on an error rate lies in [0, 1], its margin is >= 0; got 1.5, 0.0.",
        ),
        (
            lambda: anchored_curve(curve(50), bound(0.1, vacuous="too small")),
            InvalidValueError,
            "X-1 says nothing at these inputs: too small.",
        ),
        (
            lambda: anchored_curve(curve(50), bound(0.1, "upper")),
            InvalidValueError,
            "X-1 bounds error rate from the upper side; only a bound from the lower side is a floor under the error.",
        ),
        (
            lambda: anchored_curve(curve(50, n=None), bound(0.1)),
            InsufficientDataError,
            "t/acc has no item count at its largest scale; the exact limits need one.",
        ),
        (
            lambda: items_to_refute(0.06, 0.05),
            InvalidValueError,
            "Only an error rate below the bound can refute it, got rate=0.06, bound=0.05.",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
