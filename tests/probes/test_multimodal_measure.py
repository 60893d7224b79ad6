"""From answers to measurements: pairs, gaps, flips, thresholds; and from what lies inside to the error by stage."""

import numpy as np
import pytest

from hardlimit.core import Answered, Case, Generated, Grade, InsufficientDataError, Message, See, dumps, loads
from hardlimit.core.measurement import Measurement
from hardlimit.probes.multimodal import measure
from hardlimit.probes.multimodal.flips import flip_rate, prior_of
from hardlimit.probes.multimodal.knobs import threshold, thresholds
from hardlimit.probes.multimodal.readout import Held, attribute, colliding, read
from hardlimit.stats import clopper_pearson, estimate

ORIGIN = measure.Origin(probe="Drawn()", model="toy", seed=0)
R, W, A, F = Grade.RIGHT, Grade.WRONG, Grade.ABSTAINED, Grade.FAILED


def answer(grade, pair, member, task="circles", said=None, **factors):
    gold = ("yes", "no")[member]
    case = Case(
        id=f"{task}-{pair}-{member}",
        ask=See(messages=(Message(role="user", content="?"),), images=(), max_tokens=4),
        gold=(gold,),
        factors={"task": task, "member": member, "knob": 1.0, **factors},
        cluster=f"{task}-{pair}",
    )
    other = ("no", "yes")[member]
    said = said or {R: gold, W: other}.get(grade)
    return Answered(case=case, reply=Generated(text="", finish="stop"), grade=grade, answer=said)


def both(grades, task="circles", **factors):
    return [
        answer(grade, pair, member, task, **factors)
        for pair, two in enumerate(grades)
        for member, grade in enumerate(two)
    ]


def test_a_pair_counts_when_both_are_right_and_half_a_pair_is_left_out():
    answered = [*both([(R, R), (R, W), (W, R), (R, F)]), answer(R, 9, 0)]
    measured = measure.pair_accuracy(answered, ORIGIN)
    assert (measured.estimate.value, measured.estimate.n, measured.estimate.artefacts) == (0.25, 4, 1)
    assert measured.estimate.interval == clopper_pearson(1, 4)
    assert [(point.at, point.estimate) for point in measured.points] == [({"task": "circles"}, measured.estimate)]
    assert measured.parameters["same.circles"] == 0.5
    assert loads(dumps(measured), Measurement) == measured


def test_a_fixed_answer_has_half_of_the_cases_and_no_pair():
    answered = both([(R, W)] * 10)
    assert measure.accuracy(answered, ORIGIN).estimate.value == 0.5
    assert measure.pair_accuracy(answered, ORIGIN).estimate.value == 0.0
    assert measure.yes_ratio(answered, ORIGIN).estimate.value == 1.0


def test_pairs_are_the_units_of_chance():
    # Pairs that stand or fall together tell half as much as single answers do.
    alike = measure.accuracy(both([(R, R), (W, W)] * 10), ORIGIN).estimate.interval
    apart = measure.accuracy(both([(R, W), (W, R)] * 10), ORIGIN).estimate.interval
    assert alike.high - alike.low > 1.4 * (apart.high - apart.low)


def test_gaps_are_paired_by_case_and_an_agreement_of_all_is_no_certainty():
    pictured, told = both([(R, W)] * 8), both([(R, R)] * 8)
    gap = measure.caption_gap(pictured, told, ORIGIN)
    assert gap.estimate.value == 0.5 and gap.parameters == {"first": 0.5, "second": 1.0}
    # A further pair could still differ: of 8 alike, up to 37 % might (Clopper–Pearson).
    unseen = 1 - 0.025 ** (1 / 8)
    assert gap.estimate.interval.high == pytest.approx(0.5 + unseen * 0.5)
    assert gap.estimate.interval.low == pytest.approx(0.5 - unseen * 1.5)
    seeing = measure.text_prior_gap(both([(R, R)] * 4), both([(R, W)] * 9), ORIGIN)
    assert (seeing.estimate.value, seeing.tally.n) == (0.5, 8)


def test_yes_ratio_counts_given_answers_alone():
    answered = both([(R, W), (A, W), (W, R)])
    measured = measure.yes_ratio(answered, ORIGIN)
    assert (measured.estimate.value, measured.estimate.n, measured.tally.n) == (0.6, 5, 6)


def test_a_blind_place_is_named_once_it_is_sure():
    answered = []
    for row in range(2):
        for column in range(2):
            grades = [(R, W)] * 12 if (row, column) == (1, 0) else [(R, R)] * 12
            answered += [
                answer(grade, f"{row}{column}{pair}", member, "spot", row=row, column=column)
                for pair, two in enumerate(grades)
                for member, grade in enumerate(two)
            ]
    measured = measure.accuracy_by_place(answered, ORIGIN)
    assert measured.parameters["blind_places"] == "1,0" and measured.parameters["blind_share"] == 0.25
    few = measure.accuracy_by_place([item for item in answered if item.case.id.split("-")[1][2:] in "01"], ORIGIN)
    assert few.parameters["blind_places"] == "" and few.parameters["blind_share_high"] == 1.0


def flipped(rates, n=20):
    answered, priors = [], {}
    for prior, rate in rates.items():
        thing = f"thing{prior}"
        priors[thing] = estimate(round(100 * prior), 100)
        for pair in range(n):
            grade = R if pair < rate * n else W
            answered.append(answer(grade, f"{thing}{pair}", 1, thing=thing))
            answered.append(answer(R, f"{thing}{pair}", 0, thing=thing))
    return flip_rate(answered, priors, ORIGIN)


def test_the_flip_rate_turns_between_the_last_prior_overturned_and_the_first_kept():
    measured = flipped({0.5: 1, 0.8: 0.95, 0.95: 0.05, 0.99: 0})
    assert [point.at["prior"] for point in measured.points] == [0.5, 0.8, 0.95, 0.99]
    assert measured.tally.n == 80, "only unusual colours count"
    low, high = measured.parameters["ratio_low"], measured.parameters["ratio_high"]
    assert (low, high) == (pytest.approx(4), pytest.approx(19)) and low < measured.parameters["ratio"] < high
    assert measured.parameters["ratio"] == pytest.approx(np.sqrt(4 * 19))


@pytest.mark.parametrize("rates", [{0.5: 1, 0.9: 1}, {0.5: 0, 0.9: 1}, {0.5: 0.5, 0.9: 0.5}])
def test_no_turn_is_told_where_there_is_none(rates):
    assert "ratio" not in flipped(rates).parameters


def test_a_prior_needs_wordings():
    with pytest.raises(InsufficientDataError) as caught:
        prior_of([0.5])
    assert str(caught.value) == "A prior needs at least 2 wordings of its question, got 1."


@pytest.mark.parametrize(("task", "sign"), [("circles", 1.0), ("counting", -1.0)])
def test_the_threshold_is_where_half_of_the_pairs_are_right(task, sign):
    # Truth: 4 on the knob. 60 simulated curves, 95 % nominal: at least 51 cover (a false alarm in 1 of 1,000 at 95 %).
    rng, covered = np.random.default_rng(3), 0
    knobs = np.repeat([1.0, 2.0, 4.0, 8.0, 16.0], 16)
    for _ in range(60):
        chance = 0.98 / (1 + np.exp(-sign * 3 * np.log(knobs / 4)))
        found = threshold(task, knobs.tolist(), (rng.random(len(knobs)) < chance).tolist(), guess=0.0)
        covered += 4.0 in found.interval
    assert covered >= 51


def test_a_threshold_beyond_what_was_asked_is_open():
    found = threshold("counting", [1.0, 2.0, 4.0] * 8, [True] * 24, guess=0.0)
    assert found.interval.high is None and found.value == pytest.approx(4.0)
    fine = threshold("circles", [1.0, 2.0, 4.0] * 8, [True] * 24, guess=0.0)
    assert fine.interval.low is None and fine.value == pytest.approx(1.0)
    never = threshold("counting", [1.0, 2.0, 4.0] * 8, [False] * 24, guess=0.0)
    assert never.interval.low is None and never.interval.high == never.value == pytest.approx(1.0)
    assert threshold("counting", [2.0] * 9, [True] * 9, guess=0.0) is None
    measured = thresholds(both([(R, R)] * 8, "grid", setting="picture"), ORIGIN)
    assert measured.points == () and measured.estimate is None


def codes(kept, n=160, width=6, rng=None):
    """Tokens of pairs whose answer is in one direction, or gone; 4 tokens each."""
    rng = rng or np.random.default_rng(0)
    labels = np.tile(["a", "b"], n // 2)
    tokens = rng.normal(0, 1, (n // 2, 1, 4, width)).repeat(2, axis=1).reshape(n, 4, width)
    if kept:
        tokens = tokens + rng.normal(0, 0.3, tokens.shape)
        tokens[:, 2, 0] = np.where(labels == "a", 2.0, -2.0) + rng.normal(0, 0.4, n)
    return tokens.astype(np.float32), labels.tolist(), np.arange(n) < n // 2


def test_a_readout_finds_what_is_there_on_cases_it_has_not_seen():
    assert read(*codes(True)).right.mean() > 0.95


def test_a_readout_of_noise_is_at_chance_and_a_pair_with_one_code_collides():
    # 80 held-out cases: chance is 40 ± 16 (3.5 standard deviations). In-sample a readout of noise would be near 1.
    gone = codes(False)
    for seed in range(6):
        noise = np.random.default_rng(seed).normal(0, 1, gone[0].shape).astype(np.float32)
        assert abs(read(gone[0] + noise, *gone[1:]).right.sum() - 40) < 16
    assert colliding(gone[0]).all() and not colliding(codes(True)[0]).any()


def test_a_readout_refuses_a_handful():
    tokens, labels, _ = codes(True)
    with pytest.raises(InsufficientDataError) as caught:
        read(tokens, labels, np.arange(len(labels)) < 3)
    assert str(caught.value) == "A readout needs at least 8 cases to train on and 8 to test on, got 3 and 157."


def held(encoder, projector, model, n=200, rng=None):
    rng = rng or np.random.default_rng(0)
    uniform = rng.random(n)
    right = {"encoder": uniform < encoder, "projector": uniform < projector, "model": uniform < model}
    return Held(right, [str(i // 2) for i in range(n)])


def test_the_error_is_shared_out_in_full_and_intervals_hold_the_truth():
    # Truth by construction: .1 read nowhere, .2 lost in the projector, .3 behind it; 40 draws, 95 % nominal: at least
    # 33 cover (a false alarm in 1 of 1,000).
    rng, covered = np.random.default_rng(2), np.zeros(4)
    for _ in range(40):
        task = held(0.9, 0.7, 0.4, rng=rng)
        stages = attribute([task], rng, replicates=300)
        assert sum(part.value for part in stages) == pytest.approx(1 - task.right["model"].mean())
        covered += [t in part.interval for t, part in zip((0.0, 0.2, 0.3, 0.1), stages, strict=True)]
    assert covered.min() >= 33


def test_only_a_shared_code_blames_the_encoder():
    task = held(0.6, 0.6, 0.6)
    failing = attribute([task], np.random.default_rng(0))
    assert failing.encoder.value == 0.0 and failing.unlocated.value == pytest.approx(1 - task.right["model"].mean())
    proved = {"encoder": np.full(200, 0.25), "projector": np.full(200, 0.05)}
    stages = attribute([task._replace(proved=proved)], np.random.default_rng(0))
    assert (stages.encoder.value, stages.projector.value) == (0.25, pytest.approx(0.05))
    # What is proved to be lost cannot be more than what is lost.
    seen = attribute([held(0.9, 0.9, 0.9)._replace(proved=proved)], np.random.default_rng(0))
    assert seen.encoder.value == pytest.approx(1 - held(0.9, 0.9, 0.9).right["model"].mean())


def test_a_model_that_beats_every_readout_has_lost_nothing_behind_them():
    stages = attribute([held(0.6, 0.5, 1.0)], np.random.default_rng(0))
    assert [part.value for part in stages] == [0.0] * 4
    assert 0 < stages.language.interval.high < 0.05, "100 pairs alike are no certainty"


def test_tasks_are_attributed_one_by_one():
    # Pooled, each stage would look as good as the mean of both; apart, one is read nowhere, the other to the end.
    early, late = held(0.0, 0.0, 0.0), held(1.0, 1.0, 0.0)
    stages = attribute([early, late], np.random.default_rng(0))
    assert [part.value for part in stages] == [0.0, 0.0, 0.5, 0.5]
    with pytest.raises(InsufficientDataError):
        attribute([], np.random.default_rng(0))


def test_controls_err_towards_belief():
    assert measure.control("trivial", both([(R, R)] * 8)).passed
    assert not measure.control("trivial", both([(W, R)] * 20)).passed
    assert measure.control("impossible", both([(R, W)] * 8)).passed
    assert not measure.control("shortcut", both([(R, R)] * 8)).passed
    assert not measure.control("impossible", []).passed
