"""Every claim of the catalog: complete, computed, and set beside a computation that could refute it."""

import re

import msgspec
import pytest

from hardlimit.core import Bound, Impossibility, Shape, Status, UnknownNameError
from hardlimit.testing import check_claim
from hardlimit.theory import CLAIMS, ENTRIES

OURS = [
    *(f"HALL-{i}" for i in range(1, 12)),
    *(f"{limit}-{i}" for limit in ("CTX", "REAS", "RETR", "MM") for i in range(1, 7)),
]
REFUTED = {
    "PAPER-KOLMOGOROV", "PAPER-SAMPLES", "PAPER-EXPONENTIAL-SAMPLES", "PAPER-NOISE-FLOOR", "PAPER-CREATIVITY-LINE",
    "PAPER-ATTENUATION-GEOMETRIC", "PAPER-ATTENUATION-LIMIT", "PAPER-MARGIN", "PAPER-PATTERN-COMPLETION",
    "PAPER-NO-CORRECTION", "PAPER-EFFICIENCY", "PAPER-PRODUCT-BOUND", "PAPER-BREADTH", "PAPER-TRADE-OFF",
    "PAPER-TOPK-DIMENSION", "PAPER-DRIFT", "PAPER-ALPHA-EFF",
}  # fmt: skip


def falsified(claim):
    """Return claims that say a quarter too much, one for each number they stand on."""
    replace = msgspec.structs.replace
    if isinstance(claim, Bound):
        direction = 1 if claim.side == "lower" else -1
        yield replace(claim, value=claim.value + direction * abs(claim.value) / 4)
    elif isinstance(claim, Shape):
        yield replace(claim, points=tuple((x, 0.75 * y) for x, y in claim.points))
    else:
        for name, value in claim.witness.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield replace(claim, witness={**claim.witness, name: 1.25 * value + 1})


def test_every_statement_is_there():
    assert set(OURS) <= set(CLAIMS) and set(ENTRIES) == set(CLAIMS)
    assert {name for name in CLAIMS if CLAIMS[name].status is Status.REFUTED} == REFUTED


@pytest.mark.parametrize("name", CLAIMS)
def test_contract(name):
    check_claim(ENTRIES[name].example())


@pytest.mark.slow
@pytest.mark.parametrize("name", CLAIMS)
def test_claim_survives_its_check_and_a_falsified_one_does_not(name):
    entry = ENTRIES[name]
    outcome = entry.check()
    assert outcome, f"{name}: {outcome}"
    wrong = list(falsified(entry.example()))
    assert wrong, f"{name} has no number that could be wrong"
    for claim in wrong:
        assert not entry.confront(claim), f"{name} survives with {claim}"


@pytest.mark.parametrize("name", CLAIMS)
def test_a_reader_can_use_it(name):
    statement = CLAIMS[name]
    assert all(len(line) <= 110 for line in statement.formula.splitlines())
    assert statement.worked and statement.name
    text = " ".join((statement.says, statement.silent_on, statement.paper, statement.falsified_by))
    for other in re.findall(r"\b(?:HALL|CTX|REAS|RETR|MM|PAPER)-[A-Z0-9-]*[A-Z0-9]", text):
        assert other in CLAIMS, f"{name} names {other}, which does not exist"


@pytest.mark.parametrize("name", OURS)
def test_our_claims_say_what_they_mean_for_a_buyer(name):
    statement = CLAIMS[name]
    assert statement.status in {Status.PROVED, Status.CORRECTED}
    assert statement.effects and statement.hypotheses and statement.paper


@pytest.mark.parametrize("name", sorted(REFUTED))
def test_refuted_statements_have_a_counterexample(name):
    example = ENTRIES[name].example()
    assert isinstance(example, Impossibility) and example.vacuous is None


def test_unknown_claim():
    with pytest.raises(UnknownNameError) as error:
        CLAIMS["CTX-33"]
    assert str(error.value).startswith("No claim is named 'CTX-33'. Did you mean 'CTX-3'? Known: CTX-1, CTX-2, CTX-3,")
