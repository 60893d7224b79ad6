"""From graded answers to measurements: counted by hand, and on toys whose truth is known."""

import numpy as np
import pytest

from hardlimit.core import Answered, Case, Generate, Generated, Grade, Message, dumps, loads, quantity
from hardlimit.core.measurement import Measurement
from hardlimit.models.toy import Abstaining, Flaky, Guessing, Overconfident, Perfect
from hardlimit.probes.hallucination import NonExistent, ShortFacts, measure
from hardlimit.probes.hallucination.measure import Origin, control
from hardlimit.probes.measuring import share
from hardlimit.stats import clopper_pearson

from .toys import asked

ORIGIN = Origin(probe="ShortFacts()", model="toy", seed=0)
R, W, A, M = Grade.RIGHT, Grade.WRONG, Grade.ABSTAINED, Grade.MALFORMED
T, X, F = Grade.TRUNCATED, Grade.REFUSED, Grade.FAILED


def item(grade, id, *, gold=("Paris",), cluster="", **factors):
    ask = Generate(messages=(Message(role="user", content=f"Question {id}?"),), max_tokens=8)
    case = Case(id=str(id), ask=ask, gold=gold, factors=factors, cluster=cluster or str(id))
    return Answered(case=case, reply=Generated(text="…", finish="stop"), grade=grade)


def facts_of(grades, family="city"):
    return [item(grade, f"{family}{i}", family=family, popularity=10.0**i, decade=i) for i, grade in enumerate(grades)]


def at(measurement, **where):
    return next(point for point in measurement.points if point.at == where)


def test_facts_by_hand():
    answered = facts_of([R, R, W, A, M, T, X, F]) + facts_of([W, W], "capital")
    found = measure.facts(answered, ORIGIN)
    assert found.name == "hallucination.facts" and found.quantity == quantity.HALLUCINATION_RATE
    assert found.estimate.value == 3 / 5 and found.estimate.n == 5
    assert (found.estimate.interval.low, found.estimate.interval.high) == pytest.approx(
        (clopper_pearson(3, 5).low, clopper_pearson(3, 5).high)
    )
    assert found.tally.n == 10 and found.tally.artefacts == 4
    assert found.parameters["correct"] == 0.2
    assert found.parameters["correct_low"] == pytest.approx(clopper_pearson(2, 10).low)
    assert found.parameters["correct_high"] == pytest.approx(clopper_pearson(2, 10).high)
    assert {name: found.parameters[name] for name in ("wrong", "abstained", "malformed", "failed")} == {
        "wrong": 0.3, "abstained": 0.1, "malformed": 0.1, "failed": 0.1,
    }  # fmt: skip
    assert at(found, family="city").estimate.value == 1 / 3
    assert at(found, family="city").tally.n == 8
    assert at(found, family="capital").estimate.value == 1.0
    assert loads(dumps(found), Measurement) == found


def test_false_refusal_counts_declined_answerable_questions_only():
    answered = [*facts_of([R, A, X, W, F]), item(A, "real", kind="book"), item(R, "coined", gold=(), kind="book")]
    found = measure.false_refusal(answered, ORIGIN)
    assert found.quantity == quantity.FALSE_REFUSAL
    assert (found.estimate.value, found.estimate.n, found.estimate.artefacts) == (3 / 6, 6, 2)
    assert at(found, family="city").estimate.value == 2 / 5
    assert at(found, kind="book").estimate.value == 1.0


def test_false_acceptance_counts_answers_about_coined_things_only():
    coined = [item(g, f"c{i}", gold=(), kind="city") for i, g in enumerate([W, W, R, M])]
    more = [item(g, f"d{i}", gold=(), kind="book") for i, g in enumerate([R, R])]
    real = [item(g, f"r{i}", kind="city") for i, g in enumerate([R, A, W, R])]
    found = measure.false_acceptance([*coined, *more, *real, *facts_of([W, W])], ORIGIN)
    assert found.quantity == quantity.FALSE_ACCEPTANCE
    assert (found.estimate.value, found.estimate.n, found.estimate.artefacts) == (2 / 6, 6, 1)
    assert at(found, kind="city").estimate.value == 2 / 4
    assert at(found, kind="book").estimate.value == 0.0
    assert found.parameters == {"twins.correct": 0.5, "twins.declined": 0.25, "twins.n": 4}
    assert measure.false_acceptance(coined, ORIGIN).parameters == {}


def test_accuracy_by_popularity_has_a_point_per_family_and_decade():
    answered = [item(g, i, family="city", popularity=p, decade=3) for i, (g, p) in enumerate([(R, 1e3), (W, 4e3)])]
    answered += [item(F, 9, family="city", popularity=5e4, decade=4)]
    found = measure.accuracy_by_popularity(answered, ORIGIN)
    assert [point.at["decade"] for point in found.points] == [3, 4]
    assert found.points[0].at["popularity"] == pytest.approx(2e3)
    assert found.points[0].estimate.value == 0.5
    assert (found.points[1].estimate.value, found.points[1].estimate.artefacts) == (0.0, 1)
    assert found.estimate.value == 1 / 3


def test_measurements_without_answers_say_so_instead_of_a_number():
    for make, note in [
        (measure.facts, "The model gave no answer that could be graded right or wrong."),
        (measure.false_refusal, "No such question was asked."),
        (measure.false_acceptance, "No such question was asked."),
        (measure.accuracy_by_popularity, "No short fact was asked."),
        (measure.tail_exponent, "No family gives an exponent."),
    ]:
        found = make([], ORIGIN)
        assert (found.estimate, found.tally.n, found.points) == (None, 0, ())
        assert found.note == note


def test_a_fact_asked_three_times_is_no_three_facts():
    once = [item(R if i % 2 else W, i, cluster=f"c{i}") for i in range(30)]
    thrice = [item(R if i % 2 else W, f"{i}-{k}", cluster=f"c{i}") for i in range(30) for k in range(3)]

    def is_right(each):
        return each.grade is R

    def width(answered):
        interval = share(answered, is_right).interval
        return interval.high - interval.low

    assert width(thrice) > 0.95 * width(once)
    assert share(thrice, is_right).value == share(once, is_right).value == 0.5


@pytest.mark.parametrize(
    ("name", "right", "n", "passed"),
    [
        ("trivial", 20, 20, True), ("trivial", 14, 20, True), ("trivial", 8, 20, False), ("trivial", 0, 2, True),
        ("trivial", 0, 6, False),
        ("impossible", 0, 20, True), ("impossible", 1, 20, True), ("impossible", 8, 20, False),
    ],
)  # fmt: skip
def test_controls_fail_only_when_the_whole_interval_does(name, right, n, passed):
    answered = [item(R if i < right else W, i) for i in range(n)]
    judged = control(name, answered)
    assert (judged.name, judged.passed, judged.estimate.value) == (name, passed, right / n)


def test_a_control_that_was_not_asked_does_not_pass():
    assert control("trivial", []).passed is False
    assert control("trivial", []).expected == "right in at least 80% of cases: the answer stands in the question"
    assert control("impossible", []).expected == "right in at most 5% of cases: nothing tells the answer"


# Toys. Every seed is fixed; with intervals at 95 %, each of these would fail for one seed in twenty at most.


@pytest.mark.parametrize("accuracy", [0.3, 0.7, 1.0])
def test_a_toy_that_never_abstains_hallucinates_when_it_is_not_right(accuracy):
    found = measure.facts(asked(Perfect(accuracy=accuracy, seed=1), ShortFacts(family="city"), n=200), ORIGIN)
    assert 1 - accuracy in found.estimate.interval
    assert found.estimate.n == 200


def test_a_guessing_toy_hallucinates_in_three_of_four():
    assert 0.75 in measure.facts(asked(Guessing(), ShortFacts(family="city"), n=200), ORIGIN).estimate.interval


def test_an_abstaining_toy_refuses_all_and_accepts_nothing():
    pairs = asked(Abstaining(), NonExistent(kind="city"), n=60)
    short = asked(Abstaining(), ShortFacts(family="city"), n=60)
    assert measure.facts(short, ORIGIN).estimate is None
    assert measure.facts(short, ORIGIN).parameters["abstained"] == 1.0
    refusal = measure.false_refusal([*pairs, *short], ORIGIN).estimate
    assert (refusal.value, refusal.n) == (1.0, 90)
    acceptance = measure.false_acceptance(pairs, ORIGIN).estimate
    assert (acceptance.value, acceptance.n) == (0.0, 30)
    assert acceptance.interval.high == pytest.approx(clopper_pearson(0, 30).high)


def test_a_guessing_toy_accepts_everything():
    assert measure.false_acceptance(asked(Guessing(), NonExistent(kind="book"), n=60), ORIGIN).estimate.value == 1.0


def test_a_flaky_toys_faults_do_not_pass_for_hallucinations():
    toy = Flaky(Perfect(), fail_rate=0.2, malformed_rate=0.1, truncate_rate=0.1)
    answered = asked(toy, ShortFacts(family="city"), n=300)
    found = measure.facts(answered, ORIGIN)
    assert found.estimate.value == 0.0
    for name, rate in (("failed", 0.2), ("malformed", 0.1), ("truncated", 0.1)):
        assert rate in clopper_pearson(round(300 * found.parameters[name]), 300, level=0.9999)
    accuracy = measure.accuracy_by_popularity(answered, ORIGIN).estimate
    assert 0.6 in accuracy.interval and accuracy.artefacts == found.tally.artefacts


def test_the_exponent_of_an_overconfident_toy_is_found_whatever_its_faults():
    for toy in (Overconfident(exponent=0.3), Flaky(Overconfident(exponent=0.3), seed=3)):
        found = measure.tail_exponent(asked(toy, ShortFacts(family="city"), n=400), ORIGIN)
        assert found.quantity == quantity.TAIL_EXPONENT
        assert 0.3 in found.estimate.interval
        assert abs(found.estimate.value - 0.3) < 0.12
        assert found.estimate.n == 400
        assert found.parameters["family"] == "city"


def test_the_exponent_is_that_of_the_family_asked_most_and_families_without_one_are_named():
    toy = Overconfident(exponent=0.3)
    city = asked(toy, ShortFacts(family="city"), n=120)
    capital = asked(toy, ShortFacts(family="capital"), n=60)
    perfect = asked(Perfect(), ShortFacts(family="past"), n=60)
    found = measure.tail_exponent([*capital, *perfect, *city], ORIGIN)
    assert [point.at["family"] for point in found.points] == ["city", "capital"]
    assert found.estimate == found.points[0].estimate
    only = measure.tail_exponent(perfect, ORIGIN)
    assert only.estimate is None
    assert only.note == (
        "No family gives an exponent. past: A law of the tail needs right and wrong answers, got 60 right and 0 wrong."
    )


def test_the_exposure_law_of_a_toy_with_exposures_is_found():
    rng = np.random.default_rng(0)
    answered = []
    for i in range(600):
        popularity = 10 ** rng.uniform(3, 7)
        known = rng.random() < 1 - np.exp(-1e-5 * popularity)
        answered.append(
            item(R if known else W, i, family="city", popularity=popularity, decade=int(np.log10(popularity)))
        )
    found = measure.accuracy_by_popularity(answered, ORIGIN)
    assert found.parameters["city.exposures_per_unit"] == pytest.approx(1e-5, rel=0.3)
    assert found.parameters["city.half_known_popularity"] == pytest.approx(np.log(2) * 1e5, rel=0.3)
    assert found.parameters["city.guess"] < 0.05
