"""Error accumulation: planted laws are recovered with nominal coverage and told apart; chains are read as written."""

import numpy as np
import pytest
from scipy import stats

from hardlimit.core import Answered, Generated, Grade, InsufficientDataError
from hardlimit.probes.reasoning import Hops, hazard
from hardlimit.probes.reasoning.chain import chain_by_length, checked, path_of, table_of, written_steps
from hardlimit.probes.reasoning.measure import Origin

STEP_ERROR, SECOND = 0.08, 0.3
STEPS, CHAINS, REPLICATES = 10, 60, 50
ORIGIN = Origin(probe="Hops()", model="0" * 16, seed=0)


def planted(law, rng, *, chains=CHAINS, steps=STEPS):
    """Chains under a law: whether each step is right."""
    made = []
    for _ in range(chains):
        error = rng.beta(*hazard.shapes(STEP_ERROR, SECOND)) if law == "beta" else STEP_ERROR
        right, chain = True, []
        for _ in range(steps):
            right = rng.random() >= error if right else law == "recovery" and rng.random() < SECOND
            chain.append(right)
        made.append(chain)
    return made


def half_life_by_definition(law):
    """First length at which half are wrong, by interpolation on the law's own success at whole steps."""
    if law == "constant":
        success = [(1 - STEP_ERROR) ** n for n in range(200)]
    elif law == "beta":
        a, b = hazard.shapes(STEP_ERROR, SECOND)
        success = [float(np.prod([(b + j) / (a + b + j) for j in range(n)])) for n in range(200)]
    else:
        return None  # more than half stay right for ever: 0.3 / 0.38
    n = next(n for n, p in enumerate(success) if p < 0.5)
    return n - 1 + (success[n - 1] - 0.5) / (success[n - 1] - success[n])


@pytest.mark.parametrize("law", hazard.LAWS)
def test_planted_laws_are_recovered_with_nominal_coverage(law):
    """With 50 samples and 95 % intervals, fewer than 43 hits happen to a sound fit in 0.3 % of runs."""
    rng = np.random.default_rng(1)
    hits = dict.fromkeys(("step_error", "second", "half life"), 0)
    middle = []
    half = half_life_by_definition(law)
    for _ in range(REPLICATES):
        fit = hazard.fit(law, planted(law, rng))
        error, *other = fit.parameters.values()
        middle.append(error.value)
        hits["step_error"] += error.low <= STEP_ERROR <= error.high
        hits["second"] += all(each.low <= SECOND <= each.high for each in other)
        low, high = fit.half_life.low, fit.half_life.high
        if half is None:
            hits["half life"] += high is None
        else:
            hits["half life"] += low is not None and low <= half * 1.02 and (high is None or half <= high * 1.02)
    least = int(stats.binom.ppf(0.003, REPLICATES, 0.95))
    assert least >= 42
    assert min(hits.values()) >= least, hits
    assert np.mean(middle) == pytest.approx(STEP_ERROR, abs=0.012)


def test_the_laws_are_told_apart_where_the_data_can():
    """Of 8 samples of 150 long chains each; a law chosen at random is right in 6 or more with chance 2 %."""
    rng = np.random.default_rng(2)
    for law in hazard.LAWS:
        found = [hazard.chosen(hazard.compare(planted(law, rng, chains=150, steps=14))).law for _ in range(8)]
        assert found.count(law) >= 6, (law, found)


def test_intervals_narrow_with_the_chains_and_what_is_missing_says_nothing():
    rng = np.random.default_rng(3)
    chains = planted("constant", rng, chains=400)
    few, many = hazard.fit("constant", chains[:40]), hazard.fit("constant", chains)
    width = [fit.parameters["step_error"].high - fit.parameters["step_error"].low for fit in (few, many)]
    assert width[1] < 0.5 * width[0]
    cut = [chain[:6] for chain in chains] + [[]] * 50
    assert hazard.fit("constant", cut).parameters["step_error"].value == pytest.approx(STEP_ERROR, abs=0.02)


def test_one_stray_recovery_does_not_rule_the_other_laws_out():
    chains = [[True] * 10] * 30 + [[True] * 4 + [False] * 6] * 10 + [[True, False] + [True] * 8]
    fits = hazard.compare(chains)
    assert all(np.isfinite(fit.log_likelihood) for fit in fits.values())
    assert sum(hazard.weights(fits).values()) == pytest.approx(1.0)
    assert fits["recovery"].parameters["recovery"].value < 0.1


def test_a_half_life_that_may_never_come_is_bounded_on_one_side():
    """Repaired as often as broken, half of the chains stay right: the data allow a level above it and one below."""
    rng, made = np.random.default_rng(4), []
    for _ in range(40):
        right, chain = True, []
        for _ in range(12):
            right = rng.random() >= 0.15 if right else rng.random() < 0.15
            chain.append(right)
        made.append(chain)
    half = hazard.fit("recovery", made).half_life
    assert half.high is None
    assert 2 < half.low < 20


def test_the_constant_law_agrees_with_a_count():
    """Without misreadings the best step error is failures over steps at risk; the small chance of one moves it less."""
    chains = [[True] * 10] * 20 + [[True] * 4 + [False] * 6] * 10
    found = hazard.fit("constant", chains).parameters["step_error"]
    assert found.value == pytest.approx(10 / (200 + 50), rel=0.03)


def test_no_steps_cannot_be_fitted():
    with pytest.raises(InsufficientDataError, match="No law can be fitted to no steps"):
        hazard.fit("constant", [[], []])
    with pytest.raises(InsufficientDataError, match="Chains cannot be measured without an answer"):
        chain_by_length([], ORIGIN)


def answered(case, text):
    return Answered(case=case, reply=Generated(text=text, finish="stop"), grade=Grade.WRONG)


@pytest.mark.parametrize("hops", [1, 4])
def test_right_chains_are_read_as_right_and_a_wrong_step_as_wrong(hops):
    family = Hops(hops=hops, scratchpad=True)
    for index, case in enumerate(family.cases(seed=5, n=8)):
        steps = family.item(5, index).steps
        assert checked(answered(case, "\n".join([*steps, f"Answer: {case.gold[0]}"]))) == (True,) * hops
        assert path_of(case)[-1] == family.solve(case)
        other = next(person for person in table_of(case) if person != path_of(case)[0])
        spoilt = [f"1. So we get to {other}.", *steps[1:]]
        assert checked(answered(case, "\n".join(spoilt))) == (False, *(True,) * (hops - 1))
        assert checked(answered(case, "\n".join(steps[1:]))) == ()


def test_only_numbered_steps_that_name_somebody_count():
    people = {"Ann": "Bob", "Bob": "Ann"}
    assert written_steps("Ann points to Bob.\n1) Ann -> Bob\nStep 2: and then Ann!\n4. Bob", people, 4) == (
        "1) Ann -> Bob",
        "Step 2: and then Ann!",
    )
    assert written_steps("1. nobody at all", people, 2) == ()
    assert written_steps("\x00" * 999 + "9" * 99999, people, 2) == ()


def test_points_keep_what_cannot_be_read_in_the_denominator():
    family = Hops(hops=3, scratchpad=True)
    cases = family.cases(seed=6, n=4)
    right = "\n".join(family.item(6, 0).steps)
    replies = [answered(cases[0], right), answered(cases[1], "no"), answered(cases[2], family.item(6, 2).steps[0])]
    made = chain_by_length(replies, ORIGIN)
    assert [(point.tally.right, point.tally.malformed, point.tally.n) for point in made.points] == [
        (2, 1, 3),
        (1, 2, 3),
        (1, 2, 3),
    ]
    assert made.parameters["chains"] == 2
    assert made.parameters["read"] == pytest.approx(4 / 9)
    silent = chain_by_length(replies[1:2], ORIGIN)
    assert "law" not in silent.parameters
    assert silent.note == "No step of any chain could be read, so no law is fitted."
