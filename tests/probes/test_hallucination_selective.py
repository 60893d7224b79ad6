"""Scores that punish errors, risk against coverage, calibration: by hand, by simulation, on toys."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from hardlimit.core import InsufficientDataError, InvalidValueError, quantity
from hardlimit.models.toy import Abstaining, Calibrated, Overconfident, Perfect
from hardlimit.probes.hallucination import ShortFacts, signals
from hardlimit.probes.hallucination.measure import Origin
from hardlimit.probes.hallucination.selective import (
    AS_ASKED,
    THRESHOLDS,
    calibration,
    cross_calibrated,
    mean_of_counts,
    penalty,
    platt,
    risk_against_coverage,
    score,
)

from .toys import asked

ORIGIN = Origin(probe="ShortFacts()", model="toy", seed=0)
CITY = ShortFacts(family="city")


def value(measurement, **where):
    return next(point.estimate for point in measurement.points if point.at == where)


def with_probability(answered):
    return {signals.SEQUENCE: signals.sequence_probability(answered)}


@pytest.mark.parametrize("t", [-0.1, 1.0, 1.5])
def test_impossible_thresholds_are_refused(t):
    with pytest.raises(InvalidValueError) as error:
        penalty(t)
    assert str(error.value) == f"A confidence threshold must lie in [0, 1), got {t}."


# The interval of a mean score.


def brute_force_deviance(theta, counts, values):
    """Twice the log-likelihood ratio of a mean, by maximising over the simplex numerically."""
    counts, values = np.array(counts, float), np.array(values, float)
    n = counts.sum()

    def negative(p):
        return -np.sum(counts * np.log(np.maximum(p, 1e-300)))

    best = optimize.minimize(
        negative,
        np.full(counts.size, 1 / counts.size),
        method="SLSQP",
        bounds=[(1e-12, 1)] * counts.size,
        constraints=[
            {"type": "eq", "fun": lambda p: p.sum() - 1},
            {"type": "eq", "fun": lambda p: p @ values - theta},
        ],
        options={"maxiter": 500, "ftol": 1e-12},
    )
    seen = counts > 0
    return 2 * (best.fun + np.sum(counts[seen] * np.log(counts[seen] / n)))


@pytest.mark.parametrize("counts", [[5, 3, 2], [10, 0, 0], [0, 10, 0], [0, 4, 6], [7, 0, 3], [1, 1, 30]])
@pytest.mark.parametrize("cost", [1.0, 3.0, 9.0])
def test_the_ends_of_the_interval_of_a_mean_lose_as_much_likelihood_as_they_may(counts, cost):
    values = [1.0, -cost, 0.0]
    interval = mean_of_counts(counts, values)
    mean = np.dot(counts, values) / sum(counts)
    assert interval.low <= mean <= interval.high
    for end in (interval.low, interval.high):
        if end not in (1.0, -cost, mean):
            assert brute_force_deviance(end, counts, values) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=0.02)


@pytest.mark.parametrize("cost", [1.0, 3.0, 9.0])
def test_errors_never_seen_may_still_happen(cost):
    """Ten of ten right: an error may have probability 1 − exp(−χ²/20); ten of ten wrong: so may a right answer."""
    unseen = 1 - np.exp(-stats.chi2.ppf(0.95, 1) / 20)
    right = mean_of_counts([10, 0, 0], [1.0, -cost, 0.0])
    assert (right.low, right.high) == (pytest.approx(1 - (1 + cost) * unseen), 1.0)
    wrong = mean_of_counts([0, 10, 0], [1.0, -cost, 0.0])
    assert (wrong.low, wrong.high) == (-cost, pytest.approx(-cost + (1 + cost) * unseen))


@given(st.lists(st.integers(0, 30), min_size=3, max_size=3).filter(any), st.sampled_from([0.0, 1.0, 3.0, 9.0]))
def test_the_interval_of_a_mean_holds_it_and_is_never_of_no_width(counts, cost):
    values = [1.0, -cost, 0.0]
    interval = mean_of_counts(counts, values)
    mean = np.dot(counts, values) / sum(counts)
    assert interval.low - 1e-9 <= mean <= interval.high + 1e-9
    assert -cost <= interval.low < interval.high <= 1.0


@pytest.mark.parametrize("p", [(0.3, 0.5, 0.2), (0.9, 0.05, 0.05), (0.05, 0.2, 0.75)])
@pytest.mark.parametrize("n", [30, 200])
def test_the_interval_of_a_mean_covers(p, n, rng):
    """Nominally 95 %. Below 180 of 200 has probability 0.001 if it covers 95 %; the seed is fixed."""
    values = np.array([1.0, -3.0, 0.0])
    truth = float(np.dot(p, values))
    covered = sum(truth in mean_of_counts(rng.multinomial(n, p).tolist(), values.tolist()) for _ in range(200))
    assert covered >= 180


def test_scores_without_cases_have_no_interval():
    with pytest.raises(InsufficientDataError) as error:
        mean_of_counts([0, 0], [1.0, 0.0])
    assert str(error.value) == "A mean of 0 scores is not a number; measure at least one case."
    assert score([], {}, ORIGIN).estimate is None


# Score(t).


def test_score_as_asked_by_its_definition():
    answered = asked(Perfect(accuracy=0.6), CITY, n=100)
    right = sum(item.grade == "right" for item in answered)
    found = score(answered, {}, ORIGIN)
    assert found.quantity == quantity.CHOW_SCORE
    for t in THRESHOLDS:
        expected = (right - penalty(t) * (100 - right)) / 100
        estimate = value(found, t=t, policy=AS_ASKED)
        assert estimate.value == pytest.approx(expected)
        assert 0.6 - penalty(t) * 0.4 in estimate.interval
    assert found.estimate == value(found, t=0.75, policy=AS_ASKED)


def test_abstaining_scores_nothing():
    found = score(asked(Abstaining(), CITY, n=60), {}, ORIGIN)
    assert all(point.estimate.value == 0.0 for point in found.points)
    assert value(found, t=0.9, policy=AS_ASKED).interval.low < 0 < value(found, t=0.9, policy=AS_ASKED).interval.high


def test_a_calibrated_toy_that_abstains_below_t_scores_what_theory_says():
    """Confidence uniform on [0, 1]: answering from t on scores ∫ₜ¹ (p − t/(1−t)·(1−p)) dp = (1 − t)/2."""
    answered = asked(Calibrated(), CITY, n=800)
    found = score(answered, with_probability(answered), ORIGIN)
    for t in (0.5, 0.75, 0.9):
        abstaining = value(found, t=t, policy=f"abstain below t ({signals.SEQUENCE})")
        assert (1 - t) / 2 in abstaining.interval
        assert abstaining.interval.low > value(found, t=t, policy=AS_ASKED).interval.high
    assert value(found, t=0.0, policy=f"abstain below t ({signals.SEQUENCE})") == value(found, t=0.0, policy=AS_ASKED)


def test_an_overconfident_toy_learns_to_abstain_since_its_claims_are_recalibrated():
    """It claims 0.99 always; its accuracy is under one half, so that from t = 0.75 on silence is best."""
    answered = asked(Overconfident(exponent=0.05), CITY, n=200)
    found = score(answered, with_probability(answered), ORIGIN)
    assert value(found, t=0.75, policy=AS_ASKED).value < -1
    assert value(found, t=0.75, policy=f"abstain below t ({signals.SEQUENCE})").value == 0.0


def test_a_signal_that_cannot_be_calibrated_is_named():
    answered = asked(Perfect(), CITY, n=60)
    found = score(answered, {"always sure": {item.case.id: 1.0 for item in answered}}, ORIGIN)
    assert {point.at["policy"] for point in found.points} == {AS_ASKED}
    assert found.note == "always sure: too few answers of both kinds to calibrate it."


def test_a_signal_that_only_some_answers_have_says_so():
    answered = asked(Calibrated(), CITY, n=200)
    some = dict(list(signals.sequence_probability(answered).items())[:120])
    found = score(answered, {"some": some}, ORIGIN)
    assert found.note == "some: known for 120 of 200 answers, the others count as average."
    assert risk_against_coverage(answered, {"some": some}, ORIGIN).parameters["n.some"] == 120


# Calibration across halves.


def test_no_case_decides_about_itself():
    answered = asked(Calibrated(), CITY, n=200)
    confidence = signals.sequence_probability(answered)
    before = cross_calibrated(answered, confidence, seed=0)
    first = answered[0].case.id
    changed = cross_calibrated(answered, {**confidence, first: 1 - confidence[first]}, seed=0)
    halves_of_others = [b != c for b, c in zip(before[1:], changed[1:], strict=True)]
    assert before[0] != changed[0]
    assert 0 < sum(halves_of_others) < len(halves_of_others)
    flipped = [item.case.id for item, moved in zip(answered[1:], halves_of_others, strict=True) if moved]
    again = cross_calibrated(answered, {**confidence, flipped[0]: 1 - confidence[flipped[0]]}, seed=0)
    assert again[0] != before[0]


def test_a_case_without_the_signal_gets_the_accuracy_of_the_other_half():
    answered = asked(Perfect(accuracy=0.5), CITY, n=200)
    confidence = {item.case.id: 0.5 for item in answered[1:]}
    chance = cross_calibrated(answered, confidence, seed=0)
    assert 0.35 < chance[0] < 0.65
    assert np.all((chance > 0.3) & (chance < 0.7))


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.5, -1.0), (2.0, 0.7)])
def test_platt_scaling_finds_the_curve_that_made_the_answers(slope, intercept, rng):
    z = rng.normal(size=4000)
    right = rng.random(4000) < 1 / (1 + np.exp(-(slope * z + intercept)))
    found = platt((1 / (1 + np.exp(-z))).tolist(), right.tolist())
    assert found == pytest.approx((slope, intercept), abs=0.25)


def test_platt_scaling_stays_finite_where_right_and_wrong_are_apart():
    slope, intercept = platt([0.1] * 10 + [0.9] * 10, [False] * 10 + [True] * 10)
    assert 0.5 < slope < 5 and abs(intercept) < 1e-3


# Risk against coverage, and calibration error.


def test_the_risk_of_a_calibrated_toy_is_half_the_coverage():
    """Confidence uniform on [0, 1]: of the most confident share c, 1 − p is c/2 on average, and the area is 1/4."""
    answered = asked(Calibrated(), CITY, n=800)
    found = risk_against_coverage(answered, with_probability(answered), ORIGIN)
    assert found.quantity == quantity.RISK
    assert 0.25 in found.estimate.interval
    assert found.parameters[f"aurc.{signals.SEQUENCE}"] == found.estimate.value
    inside = [point.at["coverage"] / 2 in point.estimate.interval for point in found.points]
    assert sum(inside) >= 0.8 * len(inside)
    assert 0.75 < found.parameters[f"auroc.{signals.SEQUENCE}"] < 0.9  # in theory 5/6


def test_calibration_of_toys():
    honest = asked(Calibrated(), CITY, n=800)
    found = calibration(honest, with_probability(honest), ORIGIN)
    assert found.quantity == quantity.CALIBRATION_ERROR
    assert found.estimate.interval.low == 0.0 and found.estimate.value < 0.06
    for point in found.points:
        assert point.estimate.value == pytest.approx(point.at["confidence"], abs=0.2)
    sure = asked(Overconfident(exponent=0.1), CITY, n=300)
    wrong = sum(item.grade == "wrong" for item in sure) / 300
    found = calibration(sure, with_probability(sure), ORIGIN)
    assert found.estimate.value == pytest.approx(0.99 - (1 - wrong), abs=1e-6)
    assert found.parameters[f"confidence.{signals.SEQUENCE}"] == pytest.approx(0.99)
    assert found.parameters[f"accuracy.{signals.SEQUENCE}"] == pytest.approx(1 - wrong)
    assert found.parameters[f"ece_low.{signals.SEQUENCE}"] == found.estimate.interval.low


def test_the_first_signal_is_the_summary_and_signals_without_answers_are_left_out():
    answered = asked(Calibrated(), CITY, n=200)
    both = {"empty": {}, **with_probability(answered), "coin": {item.case.id: 0.5 for item in answered}}
    for make in (calibration, risk_against_coverage):
        found = make(answered, both, ORIGIN)
        assert found.estimate == make(answered, with_probability(answered), ORIGIN).estimate
        assert {point.at["signal"] for point in found.points} == {signals.SEQUENCE, "coin"}
    assert calibration(answered, {}, ORIGIN).note == "No answer has a confidence."
    assert risk_against_coverage(answered, {}, ORIGIN).note == "No signal has two answers to rank."


def test_declined_answers_have_no_risk_and_no_confidence():
    declined = asked(Abstaining(), CITY, n=30)
    sure = {"sure": {item.case.id: 1.0 for item in declined}}
    assert calibration(declined, sure, ORIGIN).estimate is None
    assert risk_against_coverage(declined, sure, ORIGIN).estimate is None
