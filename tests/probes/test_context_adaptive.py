"""Effective context by adaptive placement, end to end on toys whose effective length is known."""

import numpy as np
import pytest

from hardlimit.core import Grade, InsufficientDataError, InvalidValueError
from hardlimit.models.toy import FiniteMemory, Flaky, Guessing, Perfect, Psychometric
from hardlimit.probes.context import Needle, Origin, Sequencer, effective
from hardlimit.stats.threshold import Search

from .toys import ask

ORIGIN = Origin(probe="Needle()", model="toy", seed=0)


def drive(plan, toy, most=400):
    """Ask a toy what the plan wants, to the end; return the answers by step."""
    steps = []
    while (cases := plan.next()) is not None:
        steps.append(ask(toy, plan.probe, cases))
        plan.record(steps[-1])
        assert len(steps) < most
    return steps


def search(probe, longest=8192, **changes):
    return Search(shortest=256, longest=longest, questions=probe.needles, chance=probe.chance, **changes)


def test_a_finite_memory_is_found_within_its_interval():
    # Accuracy is about min(1, 1000 / length), so 0.85 of the base is at 1000 / 0.85 = 1176, less the guesses: 1207
    # at 1/8. The instruction and the question are remembered too, some 25 tokens.
    toy, probe = FiniteMemory(tokens=1000), Needle(variant="literal")
    plan = Sequencer(probe, search(probe), seed=0, count=toy.count_tokens, at_once=2)
    steps = drive(plan, toy)
    assert plan.belief().outcome == "found"
    estimate = plan.estimate()
    assert estimate.value == pytest.approx(1190, rel=0.1)
    assert estimate.interval.low < 1190 < estimate.interval.high
    assert estimate.n == sum(len(step) for step in steps)
    # The same answers in another order give the same measurement.
    answered = [item for step in steps for item in step]
    measured = effective(answered[::-1], search(probe), ORIGIN)
    assert measured.estimate.value == pytest.approx(estimate.value)
    assert measured.name == "context.effective"
    assert measured.parameters["threshold"] == pytest.approx(0.85 * measured.parameters["base_accuracy"])
    assert measured.note == (
        f"Where accuracy falls to 85% of its base {measured.parameters['base_accuracy']:.0%} (between "
        f"{measured.parameters['base_low']:.0%} and {measured.parameters['base_high']:.0%}) at 256 tokens."
    )


def test_a_plan_goes_on_from_recorded_answers_as_if_it_had_not_stopped():
    toy, probe = Psychometric(threshold=1500, slope=3, guess=1 / 8), Needle()
    whole = Sequencer(probe, search(probe), seed=5, count=toy.count_tokens, at_once=2)
    asked = [whole.next() for _ in range(1)]
    steps = [ask(toy, probe, asked[0])]
    for _ in range(5):
        whole.record(steps[-1])
        asked.append(whole.next())
        steps.append(ask(toy, probe, asked[-1]))
    again = Sequencer(probe, search(probe), seed=5, count=toy.count_tokens, at_once=2)
    for cases, answered in zip(asked, steps, strict=True):
        assert again.next() == cases
        again.record(answered)
    other = Sequencer(probe, search(probe), seed=6, count=toy.count_tokens, at_once=2)
    assert other.next() != asked[0]


def test_accuracy_that_never_falls_is_a_lower_limit():
    probe = Needle()
    plan = Sequencer(probe, search(probe), seed=0)
    answered = [item for step in drive(plan, Perfect()) for item in step]
    assert plan.belief().outcome == "beyond"
    measured = effective(answered, search(probe), ORIGIN)
    assert measured.estimate.value == 8192
    assert measured.estimate.interval.high is None
    assert measured.estimate.interval.low > 4096
    assert "the longest asked" in measured.note
    assert measured.note.endswith("the value is a lower limit.")


def test_guessing_has_no_effective_context():
    probe = Needle()
    plan = Sequencer(probe, search(probe), seed=0)
    answered = [item for step in drive(plan, Guessing()) for item in step]
    assert plan.belief().outcome == "low base"
    assert plan.estimate() is None
    measured = effective(answered, search(probe), ORIGIN)
    assert measured.estimate is None
    base = measured.parameters
    assert measured.note == (
        f"The base accuracy at 256 tokens is too low to measure a fall from: {base['base_accuracy']:.0%} (between "
        f"{base['base_low']:.0%} and {base['base_high']:.0%}), where 20% is needed. "
        "Effective context has no value here."
    )
    # It is noticed soon.
    assert plan.belief().batches <= 20


def test_artefacts_count_as_not_right_and_are_passed_on():
    probe = Needle()
    toy = Flaky(Perfect(), fail_rate=0.2, malformed_rate=0.0, truncate_rate=0.0)
    plan = Sequencer(probe, search(probe, longest=1024), seed=0)
    answered = [item for step in drive(plan, toy) for item in step]
    failed = sum(item.grade is Grade.FAILED for item in answered)
    assert plan.estimate().artefacts == failed > 0
    assert plan.belief().base == pytest.approx(1 - failed / len(answered), abs=0.05)


def test_a_twin_variant_is_asked_beside_and_decides_nothing():
    probe = Needle(variant="no overlap")
    lone, both = (Sequencer(probe, search(probe), seed=1, beside=beside) for beside in (None, "literal"))
    first, with_twins = lone.next(), both.next()
    assert [case for case in with_twins if case.factors["variant"] == "no overlap"] == first
    assert {case.cluster for case in with_twins} == {case.cluster for case in first}
    assert len(with_twins) == 2 * len(first)
    lone.record(ask(Perfect(), probe, first))
    answered = ask(Perfect(), probe, with_twins)
    both.record([item for item in answered if item.case.factors["variant"] == "no overlap"])
    assert both.belief() == lone.belief()
    spoilt = Sequencer(probe, search(probe), seed=1, beside="literal")
    spoilt.next()
    spoilt.record([item for item in answered if item.case.factors["variant"] == "literal"])
    assert spoilt.belief().cases == 0


def test_a_step_that_the_budget_cut_short_still_counts():
    probe = Needle()
    plan = Sequencer(probe, search(probe), seed=1, at_once=2)
    plan.record(ask(Perfect(), probe, plan.next())[:11])
    assert plan.belief().cases == 11
    assert plan.belief().batches == 2


def test_lengths_are_asked_where_the_threshold_is():
    toy, probe = Psychometric(threshold=2000, slope=8, guess=1 / 8), Needle()
    plan = Sequencer(probe, search(probe), seed=2, count=toy.count_tokens, at_once=2)
    answered = [item for step in drive(plan, toy) for item in step]
    lengths = np.array([item.case.factors["length"] for item in answered])
    near = np.abs(np.log2(lengths / toy.effective())) < 0.75
    base = lengths == 256
    assert np.mean(near | base) > 0.75


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Sequencer(Needle(needles=4), Search(shortest=256, longest=1024), seed=0),
            "Sequencer needs search.questions equal to probe.needles and at_once >= 1, got 8, 4 and 1.",
        ),
        (
            lambda: Sequencer(Needle(), Search(shortest=256, longest=1024), seed=0, beside="distractor"),
            "A Sequencer of the variant 'no overlap' cannot ask 'distractor' beside it: only 'literal' and "
            "'no overlap' share their haystacks.",
        ),
    ],
)
def test_bad_plans_are_refused(make, message):
    with pytest.raises(InvalidValueError) as caught:
        make()
    assert str(caught.value) == message


def test_no_answers_have_no_effective_context():
    with pytest.raises(InsufficientDataError) as caught:
        effective([], search(Needle()), ORIGIN)
    assert str(caught.value) == "A threshold needs at least one batch of answers; record one first."
