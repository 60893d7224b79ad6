"""The contract of claims passes what is sound, and each of its checks can fail: one broken claim per check."""

import msgspec
import pytest

from hardlimit.core import Bound, Effect, Impossibility, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import ACCURACY
from hardlimit.testing import ContractError, check_claim


def change(value, **fields):
    return msgspec.structs.replace(value, **fields)


STATEMENT = Statement(
    id="CTX-1",
    name="a law",
    limit=Limit.CONTEXT,
    status=Status.CORRECTED,
    says="It holds.",
    formula="x ≤ y",
    hypotheses=("y exists",),
    sources=(Source(title="A (2020)", locator="Theorem 1"),),
    silent_on="Speed.",
    falsified_by="An x above y.",
    paper="The paper says x < y.",
    effects=(Effect(resource=Resource.CONTEXT, verdict=Verdict.HURTS),),
)
BOUND = Bound(statement=STATEMENT, quantity=ACCURACY, side="upper", value=0.5, at={"n": 4})
SHAPE = Shape(statement=STATEMENT, quantity=ACCURACY, along="n", points=((1.0, 0.5), (2.0, 0.25)), parameters={})
IMPOSSIBILITY = Impossibility(statement=STATEMENT, at={"n": 4}, witness={"x": 5})
TWICE = (
    Effect(resource=Resource.CONTEXT, verdict=Verdict.HURTS),
    Effect(resource=Resource.CONTEXT, verdict=Verdict.HELPS),
)

BROKEN_CLAIMS = {
    "id": (change(STATEMENT, id="context 1"), "context 1: an id looks like CTX-3, got 'context 1'."),
    "name": (change(STATEMENT, name=" "), "CTX-1: `name` is empty."),
    "falsified_by": (change(STATEMENT, falsified_by=""), "CTX-1: `falsified_by` is empty."),
    "TeX": (change(STATEMENT, formula=r"x \le y"), r"CTX-1: the formula holds TeX ('\\le'); a terminal must show it."),
    "braces": (change(STATEMENT, formula="x^{2} ≤ y"), "CTX-1: the formula holds TeX ('^{'); a terminal must show it."),
    "half a sentence": (
        change(STATEMENT, says="It holds"),
        "CTX-1: `says` must be whole sentences, ends 'It holds'.",
    ),
    "no sources": (change(STATEMENT, sources=()), "CTX-1: a corrected statement must have sources."),
    "no hypotheses": (
        change(STATEMENT, hypotheses=(), status=Status.PROVED),
        "CTX-1: a proved statement must have hypotheses.",
    ),
    "an empty hypothesis": (change(STATEMENT, hypotheses=(" ",)), "CTX-1: `hypotheses` holds an empty entry."),
    "no difference": (change(STATEMENT, paper=""), "CTX-1: a corrected statement must say in `paper` how."),
    "two effects": (
        change(STATEMENT, effects=TWICE),
        "CTX-1: two effects speak about the same resource and condition.",
    ),
    "bound without inputs": (
        change(BOUND, at={}),
        "CTX-1: a bound must say in `at` which inputs it was computed for.",
    ),
    "vacuous without reason": (change(BOUND, vacuous=" "), "CTX-1: `vacuous` must be None or give the reason."),
    "shape without variable": (change(SHAPE, along=""), "CTX-1: a shape must say along which variable it runs."),
    "shape without points": (change(SHAPE, points=()), "CTX-1: a shape must have points or parameters."),
    "impossible point": (
        change(SHAPE, points=((1.0, 1.5),)),
        "CTX-1: a point of the shape is impossible: accuracy must lie in [0, 1], got 1.5.",
    ),
    "no witness": (change(IMPOSSIBILITY, witness={}), "CTX-1: an impossibility must have a witness."),
    "statement of a claim": (
        change(BOUND, statement=change(STATEMENT, says="It holds")),
        "CTX-1: `says` must be whole sentences, ends 'It holds'.",
    ),
    "no claim at all": (0.5, "float is no claim: a claim is a Bound, a Shape or an Impossibility."),
}


@pytest.mark.parametrize("claim", [STATEMENT, BOUND, SHAPE, IMPOSSIBILITY], ids=lambda c: type(c).__name__)
def test_a_sound_claim_passes(claim):
    check_claim(claim)


@pytest.mark.parametrize("what", BROKEN_CLAIMS)
def test_a_broken_claim_is_found(what):
    claim, message = BROKEN_CLAIMS[what]
    with pytest.raises(ContractError) as error:
        check_claim(claim)
    assert str(error.value) == message
