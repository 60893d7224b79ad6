"""Mitigations beside the model alone: paired, adjusted, with their cost; and the advice that is drawn from them."""

import math

import pytest
from msgspec import structs

from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.audit.document import LimitReport, Mitigation
from hardlimit.audit.mitigating import advice as advice_of
from hardlimit.audit.mitigating import hallucination, reasoning
from hardlimit.audit.mitigating.advice import best, with_best
from hardlimit.audit.mitigating.measuring import ANSWERED, RIGHT, WRONG, Trial, adjusted, compared, measured
from hardlimit.core import (
    Answered,
    Case,
    Estimate,
    Generate,
    Generated,
    Grade,
    Interval,
    Limit,
    Measurement,
    Message,
    Resource,
    ResourceVerdict,
    Silent,
    Tally,
    Usage,
    Verdict,
)
from hardlimit.core.quantity import ACCURACY, HOPS
from hardlimit.mitigations import Scratchpad, Vote
from hardlimit.models import ModelCard
from hardlimit.models.toy import Guessing, Perfect
from hardlimit.probes.reasoning import Arithmetic
from hardlimit.scaling import Curve, CurveTable, ScalePoint, assess
from hardlimit.stats import holm
from hardlimit.store import Store


@pytest.fixture
def desk_of(tmp_path):
    opened = []

    def make(model, budget=None):
        store = Store.open(tmp_path / f"{len(opened)}.sqlite").__enter__()
        opened.append(store)
        return Desk(model, store, Meter(budget or Budget()), Silent())

    yield make
    for store in opened:
        store.__exit__(None, None, None)


def answered(number, grade, *, tokens=10, logprob=None):
    ask = Generate(messages=(Message(role="user", content=str(number)),), max_tokens=4)
    logprobs = None if logprob is None else (logprob,)
    reply = Generated(text="x", finish="stop", token_logprobs=logprobs, usage=Usage(prompt_tokens=tokens))
    return Answered(case=Case(id=str(number), ask=ask, gold=("g",)), reply=reply, grade=grade)


def against(before, after, outcome=RIGHT):
    first = {str(i): answered(i, grade) for i, grade in enumerate(before)}
    second = [answered(i, grade, tokens=30) for i, grade in enumerate(after)]
    return compared(Trial("a vote", Vote(k=3)), outcome, first, second)


R, W, A, F, M = Grade.RIGHT, Grade.WRONG, Grade.ABSTAINED, Grade.FAILED, Grade.MALFORMED


@pytest.mark.parametrize(
    ("before", "after", "outcome", "change", "verdict"),
    [
        ([W] * 40, [R] * 40, RIGHT, 1.0, Verdict.HELPS),
        ([R] * 40, [W] * 40, RIGHT, -1.0, Verdict.HURTS),
        ([W] * 40, [A] * 40, WRONG, -1.0, Verdict.HELPS),
        ([W] * 40, [F] * 40, WRONG, 0.0, Verdict.UNDETERMINED),
        ([A] * 40, [M] * 40, WRONG, 1.0, Verdict.HURTS),
        ([R] * 40, [A] * 40, ANSWERED, -1.0, Verdict.HURTS),
        ([R, W] * 200, [R, W] * 200, RIGHT, 0.0, Verdict.CANNOT_PROGRESS),
        ([R, W] * 5, [R, R] * 5, RIGHT, 0.5, Verdict.HELPS),
    ],
)
def test_verdict_on_a_mitigation(before, after, outcome, change, verdict):
    found = against(before, after, outcome)
    assert found.difference.value == pytest.approx(change)
    assert found.verdict is verdict
    assert found.tokens == (10.0, 30.0)
    assert (found.before.n, found.after.n) == (len(before), len(before))


def of_haystacks(before, after, each):
    """Compare the model alone and with a policy on haystacks of `each` questions."""

    def placed(grades):
        items = [answered(i, grade) for i, grade in enumerate(grades)]
        return [structs.replace(i, case=structs.replace(i.case, cluster=str(int(i.case.id) // each))) for i in items]

    return compared(Trial("a change", Vote(k=3)), RIGHT, {i.case.id: i for i in placed(before)}, placed(after))


def test_questions_about_one_haystack_are_not_taken_for_independent():
    found = of_haystacks([W] * 64, [R] * 64, 8)
    assert found.p_value == pytest.approx(2 / 2**8) and found.verdict is Verdict.HELPS
    # Three haystacks that all gain cannot be told from luck, however many questions they have; as cases they could.
    few = of_haystacks([W] * 24, [R] * 24, 8)
    assert few.p_value == pytest.approx(2 / 2**3) and against([W] * 24, [R] * 24).p_value < 1e-6
    # One haystack that gains, among many that do not, is one piece of luck.
    lucky = of_haystacks([W] * 64, [R] * 8 + [W] * 56, 8)
    assert lucky.p_value == 1.0 and lucky.difference.interval.low <= 0


def test_haystacks_that_all_agree_do_not_make_a_sure_nothing():
    same = of_haystacks([R, W] * 32, [R, W] * 32, 8)
    alone = against([R, W] * 4, [R, W] * 4)
    assert same.verdict is Verdict.UNDETERMINED and same.p_value == 1.0
    assert same.difference.interval.high == pytest.approx(alone.difference.interval.high)


def test_a_failing_mitigation_is_no_cure():
    """Replies that cannot be used count as errors: breaking the model does not lower its share of them."""
    found = against([W, R] * 20, [F] * 40, WRONG)
    assert found.difference.value == pytest.approx(0.5)
    assert found.says == ("With a vote, 40 of 40 are wrong or unusable answers instead of 20 (40 unusable of 40).")


def test_p_values_are_adjusted_over_the_table():
    rows = [against([W] * n + [R] * 20, [R] * (n + 20)) for n in (2, 5, 9)]
    assert [row.p_value for row in adjusted(rows)] == pytest.approx(holm([row.p_value for row in rows]))
    assert adjusted(rows)[2].p_value > rows[2].p_value


def test_the_same_cases_are_asked_with_and_without(desk_of):
    probe = Arithmetic(digits=2)
    toy = Perfect([], accuracy=0.6)
    rows = measured(desk_of(toy), probe, probe.cases(seed=1, n=60), [Trial("a vote", Vote(k=5), rewords=False)])
    assert [row.name for row in rows] == ["a vote"]
    assert rows[0].before.n == rows[0].after.n == 60
    assert rows[0].tokens[1] == pytest.approx(5 * rows[0].tokens[0], rel=0.2)
    assert rows[0].calls == (1.0, 5.0)


def test_a_toy_is_not_asked_in_other_words(desk_of):
    probe = Arithmetic(digits=2)
    trials = [Trial("a scratchpad", Scratchpad()), Trial("a vote", Vote(k=3), rewords=False)]
    rows = measured(desk_of(Guessing([])), probe, probe.cases(seed=1, n=20), trials)
    assert {row.name for row in rows} == {"a vote"}


def test_a_spent_budget_leaves_no_row(desk_of):
    probe = Arithmetic(digits=2)
    desk = desk_of(Perfect([]), Budget(tokens=200))
    assert measured(desk, probe, probe.cases(seed=1, n=60), [Trial("a vote", Vote(k=5), rewords=False)]) == ()


class Reader:
    """Knows no capital, says so with little confidence, and reads what it is told."""

    card = ModelCard(name="toy:reader", adapter="toy", revision="1")

    def count_tokens(self, text):
        return len(text) // 4

    def generate(self, requests):
        for index, request in enumerate(requests):
            text = request.messages[-1].content
            usage = Usage(prompt_tokens=len(text) // 4, completion_tokens=2)
            if "Answer from the text alone" in text:
                told = text.split("\n\n")[1]
                said = told.rstrip(".").rpartition(" is ")[2]
                yield index, Generated(text=said, finish="stop", token_logprobs=(-0.01,), usage=usage)
            else:
                yield index, Generated(text="Springfield", finish="stop", token_logprobs=(-2.0,), usage=usage)


def test_a_library_turns_errors_into_right_answers(desk_of):
    rows = hallucination.mitigations(desk_of(Reader()), seed=0)
    by_name = {(row.name, row.outcome): row for row in rows}
    oracle = by_name["bounded-oracle retrieval, at most 1 text", "right answers"]
    assert oracle.before.value < 0.05
    assert oracle.after.value > 0.8
    assert oracle.verdict is Verdict.HELPS
    assert oracle.calls == (1.0, 2.0)
    assert by_name["always looking up 1 text", "right answers"].calls == (1.0, 1.0)


def test_threshold_is_chosen_on_one_half_and_measured_on_the_other():
    items = [answered(i, R if i % 3 else W, logprob=math.log(0.9 if i % 3 else 0.2)) for i in range(120)]
    wrong, given = hallucination.abstention(items, risk=0.1)
    assert (wrong.before.n, wrong.before.value) == (60, pytest.approx(1 / 3))
    assert wrong.after.value <= 0.1
    assert given.after.value == pytest.approx(2 / 3, abs=0.1)
    assert "Abstain(threshold=0.9" in wrong.policy


def test_the_half_that_is_measured_is_not_the_half_that_was_chosen_on():
    """Every other answer is wrong and sure: the threshold of the others cannot hold there."""
    items = [answered(i, W if i % 2 else R, logprob=math.log(0.95 if i % 2 else 0.9)) for i in range(120)]
    wrong, _ = hallucination.abstention(items, risk=0.1)
    assert wrong.before.value == wrong.after.value == 1.0


def test_no_abstention_without_probabilities():
    assert hallucination.abstention([answered(i, R) for i in range(120)]) == []


def test_programs_are_tried_where_they_can_be_run(desk_of, monkeypatch):
    monkeypatch.setattr(reasoning, "can_run_programs", lambda: False)
    rows = reasoning.mitigations(desk_of(Reader()), seed=0)
    assert "program-aided reasoning" not in {row.name for row in rows}


def row(name, value, half, *, better="higher", outcome="right answers", verdict=Verdict.HELPS):
    interval = Interval(low=value - half, high=value + half, level=0.95, method="x")
    share = Estimate(value=0.5, interval=Interval(low=0.4, high=0.6, level=0.95, method="x"), n=100)
    return Mitigation(
        name=name,
        policy=name,
        outcome=outcome,
        better=better,
        before=share,
        after=share,
        difference=Estimate(value=value, interval=interval, n=100),
        p_value=0.01,
        verdict=verdict,
        tokens=(10.0, 1250.0),
        calls=(1.0, 5.0),
        says="",
    )


def test_best_is_what_surely_helps_most():
    wide, narrow = row("wide", 0.5, 0.44), row("narrow", 0.3, 0.1)
    errors = row("errors", -0.4, 0.1, better="lower", outcome="wrong answers")
    assert best([wide, narrow]) is narrow
    assert best([narrow, errors]) is errors
    assert best([row("none", 0.5, 0.6, verdict=Verdict.UNDETERMINED)]) is None
    assert best([]) is None
    hurts = row("errors", -0.5, 0.1, outcome="answered questions", verdict=Verdict.HURTS)
    assert best([narrow, errors, hurts]) is narrow


def test_what_surely_helps_leads_the_advice_of_its_limit():
    told = limit((), (row("a vote", 0.3, 0.2), row("programs", 0.5, 0.1)))
    assert with_best(told).advice.startswith("Programs: +50 points of right answers (+40 to +60).")
    nothing = limit((), (row("a vote", 0.01, 0.2, verdict=Verdict.UNDETERMINED),))
    assert with_best(nothing) == nothing


def number(name, quantity):
    return Measurement(name=name, quantity=quantity, probe="x", model="x", seed=0, estimate=None, tally=Tally())


MAIN = (
    number("reasoning.threshold", HOPS),
    number("reasoning.arithmetic", ACCURACY),
    number("reasoning.more", ACCURACY),
)
"""The main number has no best possible value, so that the next one speaks for the limit."""


def limit(verdicts, mitigations=()):
    return LimitReport(
        limit=Limit.REASONING,
        applies=True,
        headline="x",
        verdicts=tuple(verdicts),
        measurements=MAIN,
        mitigations=tuple(mitigations),
    )


def verdict(resource, outcome, basis="measured"):
    return ResourceVerdict(resource=resource, verdict=outcome, because="x", basis=basis)


def test_every_verdict_gets_one_row_of_advice():
    judged = [
        verdict(Resource.SAMPLES, Verdict.SATURATES),
        verdict(Resource.PARAMETERS, Verdict.CANNOT_PROGRESS, "theory"),
        verdict(Resource.VERIFIER, Verdict.UNDETERMINED, "both"),
    ]
    errors = row("declining", -0.4, 0.1, better="lower", outcome="wrong answers")
    hurts = row("declining", -0.5, 0.1, outcome="answered questions", verdict=Verdict.HURTS)
    rows = advice_of([limit(judged, [errors, hurts]), LimitReport(limit=Limit.CONTEXT, applies=False, headline="no")])
    assert [(each.resource, each.evidence) for each in rows] == [
        (Resource.SAMPLES, "measured"),
        (Resource.PARAMETERS, "theory"),
        (Resource.VERIFIER, "none"),
    ]
    assert rows[0].says == "Stop buying: more samples has paid, and the next step pays too little."
    assert rows[1].says == "Do not buy parameters for this."
    assert rows[2].says == (
        "Not decided. Cheapest to decide it: 200 labelled answers judged by the verifier in question."
    )
    assert rows[0].mitigation == (
        "declining: −40 points of wrong answers (−50 to −30), at the price of −50 points of answered questions "
        "(−60 to −40), for 1,250 tokens a question instead of 10 (n = 100)."
    )


def test_advice_says_what_was_not_measured_and_what_did_not_help():
    one = [verdict(Resource.SAMPLES, Verdict.HELPS)]
    assert advice_of([limit(one)])[0].mitigation == "No mitigation was measured for this limit."
    none = row("a vote", 0.0, 0.2, verdict=Verdict.UNDETERMINED)
    assert advice_of([limit(one, [none])])[0].mitigation == (
        "None of the 1 mitigations that were measured surely helps."
    )


def family(task, values):
    points = tuple(ScalePoint(scale=10.0 ** (7 + i / 2), value=value, n=2000) for i, value in enumerate(values))
    return assess(CurveTable(curves=(Curve(task=task, metric="accuracy", points=points),)))


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([0.30, 0.45, 0.57, 0.66, 0.73, 0.79, 0.83, 0.87], Verdict.HELPS),
        ([0.30, 0.31, 0.30, 0.30, 0.31, 0.30, 0.30, 0.31], Verdict.CANNOT_PROGRESS),
    ],
)
def test_audits_of_a_family_give_the_verdict_on_parameters(values, outcome):
    one = [verdict(Resource.PARAMETERS, Verdict.UNDETERMINED, "theory"), verdict(Resource.SAMPLES, Verdict.HELPS)]
    rows = advice_of([limit(one)], family("reasoning.arithmetic", values))
    assert [(row.resource, row.verdict, row.evidence) for row in rows] == [
        (Resource.SAMPLES, Verdict.HELPS, "measured"),
        (Resource.PARAMETERS, outcome, "measured"),
    ]


@pytest.mark.parametrize("task", ["reasoning.more", "reasoning.arithmetic (digits=2)", "reasoning.threshold"])
def test_a_curve_that_does_not_speak_for_the_limit_leaves_its_verdict_alone(task):
    one = [verdict(Resource.PARAMETERS, Verdict.SATURATES, "theory")]
    rows = advice_of([limit(one)], family(task, [0.3, 0.45, 0.57, 0.66, 0.73, 0.79, 0.83, 0.87]))
    assert [(row.resource, row.verdict, row.evidence) for row in rows] == [
        (Resource.PARAMETERS, Verdict.SATURATES, "theory")
    ]


def test_results_about_something_else_say_nothing_about_a_limit():
    one = [verdict(Resource.PARAMETERS, Verdict.UNDETERMINED, "theory")]
    rows = advice_of([limit(one)], family("mmlu", [0.3, 0.45, 0.57, 0.66, 0.73, 0.79, 0.83, 0.87]))
    assert [row.evidence for row in rows] == ["none"]


def test_the_problems_of_reasoning_share_no_worked_examples():
    """Cases that share them would count as one in a paired comparison, and forty of them as three."""
    cases = reasoning.problems(Arithmetic(digits=reasoning.DIGITS), seed=0)
    assert len({case.cluster for case in cases}) == len({case.id for case in cases}) == len(cases) == reasoning.CASES
