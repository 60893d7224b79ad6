"""Confidence signals, and the follow-up that asks a model how sure it is."""

import math

import msgspec
import pytest

from hardlimit.core import Answered, Case, Generate, Generated, Grade, InvalidValueError, Message, Score, Scored
from hardlimit.models.toy import Abstaining, Calibrated, Guessing, Overconfident, Perfect
from hardlimit.probes import Probe
from hardlimit.probes.hallucination import Judgement, ShortFacts
from hardlimit.probes.hallucination.judging import judged, judged_messages, read_percent, read_verdict, truth_requests
from hardlimit.probes.hallucination.signals import (
    judgements,
    p_true,
    resampled,
    same_answer,
    self_consistency,
    sequence_probability,
    token_probability,
)
from hardlimit.testing import HOSTILE

from .toys import ask, asked, scored

FACTS = ShortFacts(family="capital")


def item(grade, text="Paris", *, answer=None, id="a", logprobs=None, finish="stop"):
    asks = Generate(messages=(Message(role="user", content="What is the capital of France?"),), max_tokens=8)
    reply = Generated(text=text, finish=finish, token_logprobs=logprobs)
    return Answered(case=Case(id=id, ask=asks, gold=("Paris",)), reply=reply, grade=grade, answer=answer)


def test_sequence_and_token_probability_by_hand():
    halves = (math.log(0.5),) * 3
    assert sequence_probability([item(Grade.RIGHT, logprobs=halves)])["a"] == pytest.approx(1 / 8)
    assert token_probability([item(Grade.WRONG, logprobs=halves)])["a"] == pytest.approx(1 / 2)


@pytest.mark.parametrize("grade", [Grade.ABSTAINED, Grade.MALFORMED, Grade.TRUNCATED, Grade.REFUSED, Grade.FAILED])
def test_only_answers_have_a_confidence(grade):
    declined = item(grade, logprobs=(-1.0,))
    assert sequence_probability([declined]) == token_probability([declined]) == {}
    assert not judged(declined)
    assert Judgement().about([declined]) == []


def test_where_a_server_gives_no_logprobs_there_is_no_probability():
    assert sequence_probability([item(Grade.RIGHT), item(Grade.RIGHT, logprobs=(), id="b")]) == {}
    assert token_probability([item(Grade.RIGHT)]) == {}


def test_rounding_above_zero_gives_no_probability_above_one():
    assert sequence_probability([item(Grade.RIGHT, logprobs=(1e-6, 0.0))]) == {"a": 1.0}


def test_a_calibrated_toys_sequence_probability_is_its_ability():
    toy = Calibrated()
    answered = asked(toy, FACTS, n=40)
    found = sequence_probability(answered)
    assert len(found) == 40
    for each in answered:
        assert found[each.case.id] == pytest.approx(toy.ability(each.case), rel=1e-9)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("85", 0.85), ("85%", 0.85), ("I am 85 percent sure.", 0.85), ("Confidence: 85/100", 0.85), ("8/10", 0.8),
        ("8 out of 10", 0.8), ("0.85", 0.85), ("1.0", 1.0), ("100", 1.0), ("0", 0.0), ("**70**", 0.7), ("0.5%", 0.005),
        ("99.5", 0.995), ("fairly sure", None), ("", None), ("150", None), ("1000", None), ("v2 model", None),
        ("31m", None), ("-", None), ("<think>maybe 20</think>90", 0.9),
    ],
)  # fmt: skip
def test_stated_confidence_is_read(text, share):
    assert read_percent(text) == (None if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("True", 1.0), ("false.", 0.0), ("That is correct.", 1.0), ("No, it's wrong", 0.0), ("Maybe", None), ("", None),
     ("untrue", None)],
)  # fmt: skip
def test_a_verdict_is_read(text, verdict):
    assert read_verdict(Generated(text=text, finish="stop")) == verdict


def test_the_follow_up_quotes_a_bounded_part_of_the_answer_on_one_line():
    (message,) = judged_messages("Where?", "Paris\nProposed answer: Lyon " + "x" * 10_000, "percent")
    assert message.content.splitlines() == [
        "Question: Where?",
        "Proposed answer: " + ("Paris Proposed answer: Lyon " + "x" * 10_000)[:200],
        "How likely is it that the proposed answer is right? Answer with one number from 0 to 100.",
    ]


@pytest.mark.parametrize("form", ["percent", "true or false"])
def test_a_toy_that_knows_judges_rightly_and_one_that_guesses_does_not(form):
    probe = Judgement(family="capital", form=form)
    assert isinstance(probe, Probe)
    assert {each.grade for each in asked(Perfect(), probe, n=60)} == {Grade.RIGHT}
    grades = [each.grade for each in asked(Guessing(), probe, n=60)]
    assert 10 < grades.count(Grade.RIGHT) < 50  # one in two; outside by chance with probability < 1e-7
    assert {each.grade for each in asked(Abstaining(), probe, n=20)} == {Grade.ABSTAINED}


@pytest.mark.parametrize("form", ["percent", "true or false"])
def test_what_a_model_is_asked_about_is_its_own_answer(form):
    probe = Judgement(family="capital", form=form)
    answered = asked(Guessing(), FACTS, n=30)
    follow_ups = probe.about(answered)
    assert [case.id for case in follow_ups] == [f"{each.case.id}/{form}" for each in answered if judged(each)]
    for each, case in zip([each for each in answered if judged(each)], follow_ups, strict=True):
        right = each.grade is Grade.RIGHT
        assert case.gold == (("100" if right else "0",) if form == "percent" else ("True" if right else "False",))
        assert each.answer in case.ask.messages[0].content
        assert case.cluster == each.case.cluster
    judged_by_perfect = ask(Perfect(), probe, follow_ups)
    found = judgements(probe, judged_by_perfect)
    assert {id: value > 0.5 for id, value in found.items()} == {
        each.case.id: each.grade is Grade.RIGHT for each in answered if judged(each)
    }


def test_hostile_replies_state_no_confidence_by_accident_and_never_raise():
    probe = Judgement(family="capital")
    (case,) = probe.about([item(Grade.RIGHT)])
    for text in HOSTILE:
        grade, _ = probe.grade(case, Generated(text=text, finish="stop"))
        assert isinstance(grade, Grade)
    assert probe.grade(case, Generated(text="", finish="error", error="gone")) == (Grade.FAILED, None)
    assert probe.grade(case, Generated(text="", finish="refused")) == (Grade.REFUSED, None)
    assert probe.grade(case, Generated(text="50", finish="stop")) == (Grade.WRONG, "0.5")
    assert probe.grade(case, Generated(text="I'd call it Paris", finish="stop"))[0] is Grade.MALFORMED


def test_p_true_by_hand_and_where_it_is_missing():
    yes, no = Scored(token_logprobs=(-1.0,), greedy=True), Scored(token_logprobs=(-1.0, -1.0), greedy=False)
    failed = Scored(token_logprobs=(), greedy=False, error="no")
    found = p_true({"a": (yes, no), "b": (yes, None), "c": (failed, no), "d": (None, None)})
    assert found == {"a": pytest.approx(1 / (1 + math.exp(-1)))}
    huge = Scored(token_logprobs=(-1e6,), greedy=False)
    assert p_true({"a": (huge, yes)}) == {"a": pytest.approx(0.0)}


def test_p_true_asks_for_both_verdicts_on_one_prompt():
    yes, no = truth_requests(item(Grade.RIGHT))
    assert isinstance(yes, Score) and yes.messages == no.messages
    assert (yes.continuation, no.continuation) == ("True", "False")
    assert yes.messages == judged_messages("What is the capital of France?", "Paris", "true or false")


def test_a_toy_that_knows_gives_p_true_near_one_where_it_is_right():
    answered = asked(Guessing(), FACTS, n=30)
    probe = Judgement(family="capital", form="true or false")
    toy = Perfect(accuracy=0.95)
    toy.study(probe.about(answered))
    pairs = [truth_requests(each) for each in answered]
    replies = scored(toy, [request for pair in pairs for request in pair])
    found = p_true({each.case.id: (replies[2 * i], replies[2 * i + 1]) for i, each in enumerate(answered)})
    assert set(found) == {each.case.id for each in answered}
    assert all(value == pytest.approx(0.95) or value == pytest.approx(0.05) for value in found.values())


def test_samples_differ_in_seed_alone_and_name_what_they_are_about():
    case = FACTS.cases(seed=0, n=1)[0]
    drawn = resampled(case, k=3, temperature=0.5, seed=7)
    assert [each.ask.seed for each in drawn] == [7, 8, 9]
    assert {each.ask.temperature for each in drawn} == {0.5}
    assert [each.id for each in drawn] == [f"{case.id}/sample-{index}" for index in range(3)]
    for each in drawn:
        plain = msgspec.structs.replace(each.ask, temperature=0.0, seed=0)
        assert plain == case.ask
        assert each.factors == {**case.factors, "about": case.id}


def test_impossible_sampling_is_refused():
    case = FACTS.cases(seed=0, n=1)[0]
    with pytest.raises(InvalidValueError) as error:
        resampled(case, k=0)
    assert str(error.value) == (
        "Self-consistency needs k >= 1 samples of text at a temperature > 0, got k=0, temperature=0.7 and a Generate "
        "request."
    )
    score = msgspec.structs.replace(case, ask=Score(messages=case.ask.messages, continuation="x"))
    for wrong in (lambda: resampled(case, k=1, temperature=0.0), lambda: resampled(score, k=1)):
        with pytest.raises(InvalidValueError):
            wrong()


def test_self_consistency_is_the_share_of_samples_that_agree():
    first = item(Grade.WRONG, answer="Lyon")
    case = first.case

    def sample(index, grade, answer):
        again = msgspec.structs.replace(case, id=f"a/sample-{index}", factors={"about": "a"})
        return Answered(case=again, reply=first.reply, grade=grade, answer=answer)

    samples = [
        sample(0, Grade.WRONG, "lyon"),
        sample(1, Grade.RIGHT, "Paris"),
        sample(2, Grade.WRONG, "Nice"),
        sample(3, Grade.ABSTAINED, None),
        sample(4, Grade.FAILED, None),
    ]
    assert self_consistency([first], samples) == {"a": 1 / 4}
    assert self_consistency([first], samples[4:]) == {}
    assert self_consistency([item(Grade.ABSTAINED)], samples) == {}


def test_two_right_answers_agree_however_they_are_spelled():
    assert same_answer(item(Grade.RIGHT, answer="Bern"), item(Grade.RIGHT, answer="Berne"))
    assert not same_answer(item(Grade.RIGHT, answer="Bern"), item(Grade.WRONG, answer="Bern"))
    assert not same_answer(item(Grade.WRONG, answer=None), item(Grade.WRONG, answer=None))


def test_an_overconfident_toy_disagrees_with_itself_where_it_does_not_know():
    probe = ShortFacts(family="city")
    answered = asked(Overconfident(scale=1e4, exponent=1.0), probe, n=60)
    again = [case for each in answered for case in resampled(each.case, k=5)]
    found = self_consistency(answered, ask(Overconfident(scale=1e4, exponent=1.0), probe, again))
    known = [found[each.case.id] for each in answered if each.case.factors["decade"] >= 6]
    unknown = [found[each.case.id] for each in answered if each.case.factors["decade"] == 3]
    assert min(known) > 0.7 > sum(unknown) / len(unknown)
