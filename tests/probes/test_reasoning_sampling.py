"""Samples and verifiers: unbiased curves, exact acceptances, rates that cover the truth, ties broken by lot."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from hardlimit.core import (
    Answered,
    Case,
    Generate,
    Generated,
    Grade,
    InsufficientDataError,
    InvalidValueError,
    Message,
    Scored,
)
from hardlimit.models.toy import Perfect
from hardlimit.probes.reasoning import Arithmetic, sampling, verifying
from hardlimit.probes.reasoning.measure import Origin

ORIGIN = Origin(probe="Arithmetic()", model="0" * 16, seed=0)


def samples(rights, n=8, *, wrong=("1", "2", "3"), rng=None):
    """Samples of problems, of which the i-th has rights[i] right ones; wrong answers are drawn from a few."""
    rng = rng or np.random.default_rng(0)
    made = []
    for problem, right in enumerate(rights):
        for index in range(n):
            ok = index < right
            answer = "9" if ok else str(rng.choice(wrong))
            case = Case(
                id=f"p{problem}/sample-{index}",
                ask=Generate(
                    messages=(Message(role="user", content=f"Facts.\n\nQuestion: {problem}?\nGo."),), max_tokens=4
                ),
                gold=("9",),
                factors={"of": f"p{problem}"},
                cluster=f"p{problem}",
            )
            reply = Generated(text=answer, finish="stop")
            made.append(Answered(case=case, reply=reply, grade=Grade.RIGHT if ok else Grade.WRONG, answer=answer))
    return made


@pytest.mark.parametrize(("n", "good", "bad", "k"), [(6, 2, 1, 3), (6, 0, 2, 4), (5, 1, 1, 1), (5, 2, 3, 5)])
def test_curves_are_the_average_over_all_draws(n, good, bad, k):
    """Every order of drawing k of n samples, counted one by one."""
    kinds = ["good"] * good + ["bad"] * bad + ["none"] * (n - good - bad)
    solved, right, wrong = [], [], []
    for draw in itertools.permutations(range(n), k):
        drawn = [kinds[index] for index in draw]
        first = next((kind for kind in drawn if kind != "none"), "none")
        solved.append("good" in drawn)
        right.append(first == "good")
        wrong.append(first == "bad")
    assert sampling.pass_at_k(n, good, k) == pytest.approx(np.mean(solved))
    assert sampling.first_accepted(n, good, bad, k) == pytest.approx((np.mean(right), np.mean(wrong)))


def test_a_vote_goes_to_the_most_frequent_answer_and_ties_are_broken_by_lot():
    rng = np.random.default_rng(1)
    assert sampling.vote(samples([5]), 8, rng) == 1.0
    assert sampling.vote(samples([4], wrong=("1",)), 8, rng) == 0.5
    assert sampling.vote(samples([1], wrong=("1",)), 8, rng) == 0.0
    drawn = sampling.vote(samples([6], wrong=("1",)), 1, rng)
    assert drawn == pytest.approx(0.75, abs=4 * math.sqrt(0.75 * 0.25 / sampling.VOTES))  # false alarm: 0.006 %


def test_the_labelled_sample_covers_planted_rates():
    """60 samples of 24 problems; fewer than 51 of 60 nominal 95 % intervals hold the truth in 0.1 % of sound runs."""
    rng = np.random.default_rng(2)
    hits = dict.fromkeys(("p", "tau", "phi"), 0)
    for replicate in range(60):
        drawn = samples(rng.binomial(8, rng.beta(2, 3, size=24)), rng=rng)
        verdicts = verifying.flipped(drawn, seed=replicate, rates=(0.8, 0.3))
        found = sampling.labelled(drawn, verdicts)
        for name, truth in (("p", 0.4), ("tau", 0.8), ("phi", 0.3)):
            hits[name] += found[f"{name}_low"] <= truth <= found[f"{name}_high"]
    assert stats.binom.cdf(50, 60, 0.95) < 0.002
    assert min(hits.values()) >= 51, hits


def test_the_beta_law_of_problems_is_recovered():
    """400 problems: the mean has a standard error of 0.012."""
    rng = np.random.default_rng(3)
    a, b = sampling.beta_of(rng.binomial(8, rng.beta(1.0, 3.0, size=400)), [8] * 400)
    assert a / (a + b) == pytest.approx(0.25, abs=0.05)
    assert a + b == pytest.approx(4.0, rel=0.4)


def test_the_measurement_joins_policies_over_problems():
    drawn = samples([0, 2, 4, 8])
    perfect = {item.case.id: item.grade is Grade.RIGHT for item in drawn}
    made = sampling.best_of_k(drawn, {sampling.VERIFIER: perfect}, {"p": 0.4}, ORIGIN)
    by = {(point.at["policy"], point.at["k"]): point.estimate.value for point in made.points}
    assert [by[sampling.ANY, k] for k in (1, 8)] == [14 / 32, 0.75]
    # A verifier that never errs finds whatever is there, and abstains where nothing is.
    assert all(by[sampling.VERIFIER, k] == pytest.approx(by[sampling.ANY, k]) for k in (1, 2, 4, 8))
    assert made.parameters["gain.any of k"] == pytest.approx(0.75 - 14 / 32)
    assert made.parameters["best_k"] == 7  # of 8 samples with 2 right ones, 7 hold one for sure
    assert made.parameters["p"] == 0.4
    accepted = sampling.accepted_accuracy(drawn, {sampling.VERIFIER: perfect}, ORIGIN)
    assert accepted.estimate.value == 1.0
    assert accepted.estimate.interval.low < 0.5  # 3 problems prove little
    nothing = sampling.accepted_accuracy(drawn, {sampling.VERIFIER: dict.fromkeys(perfect, False)}, ORIGIN)
    assert (nothing.estimate, nothing.points) == (None, ())
    with pytest.raises(InsufficientDataError, match="needs at least 2 problems, got 0"):
        sampling.best_of_k([], {}, {}, ORIGIN)


def test_more_samples_hurt_where_a_bad_verifier_accepts_wrong_answers():
    """Half the problems are never solved, and every wrong answer of them is accepted in the end."""
    drawn = samples([8, 8, 0, 0])
    verdicts = verifying.flipped(drawn, seed=0, rates=(0.9, 0.2))
    made = sampling.best_of_k(drawn, {sampling.VERIFIER: verdicts}, {}, ORIGIN)
    assert made.parameters["best_k"] < 8
    assert made.parameters["utility.8"] < made.parameters["best_utility"]


def test_samples_are_drawn_afresh_and_graded_by_their_own_probe():
    probe = Arithmetic(digits=2)
    cases = probe.cases(seed=4, n=8)
    drawn = [sample for case in cases for sample in sampling.sampled(case, k=8, seed=1)]
    assert len({sample.id for sample in drawn}) == len({(s.ask.seed, s.factors["of"]) for s in drawn}) == 64
    toy = Perfect(accuracy=0.5)
    toy.study(drawn)
    grades = [probe.grade(drawn[index], reply)[0] for index, reply in toy.generate([case.ask for case in drawn])]
    right = grades.count(Grade.RIGHT)
    assert 16 < right < 48  # 64 fair coins leave this range in 0.004 % of runs
    with pytest.raises(InvalidValueError, match="Sampling needs k >= 1 samples of text"):
        sampling.sampled(cases[0], k=0)


def test_the_bar_of_a_verifier_is_where_it_tells_best():
    drawn = samples([4, 4], wrong=("1",))
    chance = {"p0/is 9": 0.4, "p0/is 1": 0.2, "p1/is 9": 0.45, "p1/is 1": 0.3}
    assert {verifying.asked_as(item) for item in drawn} == set(chance)
    bar = verifying.threshold(drawn, chance)
    assert 0.3 < bar <= 0.4
    verdicts = verifying.accepted(drawn, chance, bar)
    assert all(verdicts[item.case.id] == (item.grade is Grade.RIGHT) for item in drawn)
    assert verifying.threshold(drawn[:4], chance) == 0.5  # nothing wrong to tell from


@pytest.mark.parametrize("scored", [True, False])
def test_a_model_is_asked_once_about_each_of_its_answers(scored):
    """A toy that knows what is right accepts just that."""
    drawn = samples([3, 5], wrong=("1", "2"))
    probe = verifying.SelfCheck(scored=scored)
    cases = probe.about(drawn)
    different = {(item.case.cluster, item.answer) for item in drawn}
    assert len({case.factors["answer_of"] for case in cases}) == len(different)
    assert len(cases) == len(different) * (2 if scored else 1)
    assert "Facts.\n\n0?\nProposed answer: 9\n" in cases[0].ask.messages[0].content
    toy = Perfect()
    toy.study(cases)
    asks = [case.ask for case in cases]
    replies = [reply for _, reply in (toy.score(asks) if scored else toy.generate(asks))]
    checks = []
    for case, reply in zip(cases, replies, strict=True):
        grade, answer = probe.grade(case, reply)
        assert grade is Grade.RIGHT
        checks.append(Answered(case=case, reply=reply, grade=grade, answer=answer))
    verdicts = verifying.accepted(drawn, verifying.confidence(checks), 0.5)
    assert all(verdicts[item.case.id] == (item.grade is Grade.RIGHT) for item in drawn)


@pytest.mark.parametrize(
    ("reply", "grade"),
    [
        (Generated(text="Yes.", finish="stop"), Grade.RIGHT),
        (Generated(text="**No**, it is not", finish="length"), Grade.WRONG),
        (Generated(text="I don't know.", finish="stop"), Grade.ABSTAINED),
        (Generated(text="Yes", finish="refused"), Grade.REFUSED),
        (Generated(text="", finish="error", error="gone"), Grade.FAILED),
        (Generated(text="The proposed", finish="length"), Grade.TRUNCATED),
        (Scored(token_logprobs=(), greedy=False, error="gone"), Grade.FAILED),
    ],
)
def test_verdicts_are_graded(reply, grade):
    probe = verifying.SelfCheck(scored=isinstance(reply, Scored))
    case = probe.cases(seed=0, n=1)[0]
    assert probe.grade(case, reply)[0] is grade
