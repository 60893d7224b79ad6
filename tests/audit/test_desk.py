"""The desk: nothing asked twice, nothing beyond the budget, and the same answers however a run came about."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hardlimit.audit.desk import batches
from hardlimit.core import (
    BudgetError,
    CapabilityError,
    Generated,
    Grade,
    HardlimitError,
    ModelError,
    Score,
    Scored,
    See,
    Usage,
)
from hardlimit.models import ModelCard
from hardlimit.models.toy import Perfect
from hardlimit.store import Store

COST = Usage(prompt_tokens=9, completion_tokens=1, seconds=0.5)
NOTHING = Usage(calls=0)


def ids(answers):
    return [answered.case.id for answered in answers]


def first_ids(number):
    return [f"0-{place}" for place in range(number)]


def test_answers_are_graded_and_come_in_the_order_of_the_cases(sit, probe, parts, store):
    cases = probe.cases(seed=0, n=5)

    def answer(place, request):
        return replace(parts.double(place, request), **({"text": "x"} if place == 2 else {}))

    model = parts.recording(answer, order=lambda n: reversed(range(n)))
    hearing = parts.hearing()
    desk = sit(model, progress=hearing)
    answers = desk.ask(probe, cases, what="doubling")
    assert [answered.case for answered in answers] == cases
    assert [answered.grade for answered in answers] == [Grade.RIGHT, Grade.RIGHT, Grade.WRONG, Grade.RIGHT, Grade.RIGHT]
    assert [answered.answer for answered in answers] == ["0", "2", "x", "6", "8"]
    assert model.asked == [[case.ask for case in cases]]
    assert hearing.asked == [("doubling", 5)]
    right, wrong = (Grade.RIGHT, COST), (Grade.WRONG, COST)
    assert hearing.answers == [right, right, wrong, right, right]
    assert desk.meter.spent == Usage(prompt_tokens=45, completion_tokens=5, calls=5, seconds=2.5)
    assert desk.model is model
    assert store.cards() == {model.card.fingerprint: model.card}


def test_an_answer_is_durable_before_it_counts(sit, probe, parts, store):
    hearing = parts.hearing()
    desk = sit(parts.recording(), progress=hearing)
    seen = []

    def look():
        with Store.open(store.path) as other:
            seen.append((len(list(other.every_answer())), len(hearing.answers), desk.meter.spent.calls))

    hearing.each = look
    desk.ask(probe, probe.cases(seed=0, n=4), what="doubling")
    assert seen == [(n, n, n) for n in (1, 2, 3, 4)]


def test_a_rerun_asks_only_for_what_is_missing(sit, probe, parts):
    cases = probe.cases(seed=0, n=8)
    first = sit(parts.recording()).ask(probe, cases[2:5], what="some")
    model, hearing = parts.recording(), parts.hearing()
    desk = sit(model, progress=hearing)
    answers = desk.ask(probe, cases, what="all")
    assert model.asked == [[case.ask for case in cases[:2] + cases[5:]]]
    assert answers[2:5] == first
    assert ids(answers) == ids(sit(parts.recording()).ask(probe, cases, what="all"))
    # What is found counts as it did when it was asked.
    assert hearing.answers == [(Grade.RIGHT, COST)] * 8
    assert desk.meter.spent == Usage(prompt_tokens=72, completion_tokens=8, calls=8, seconds=4.0)
    third = parts.recording()
    assert sit(third).ask(probe, cases, what="all") == answers
    assert third.asked == []


def test_another_version_parameter_model_or_request_is_asked_anew(sit, probe, parts):
    cases = probe.cases(seed=0, n=3)
    sit(parts.recording()).ask(probe, cases, what="first")
    longer = [replace(case, ask=replace(case.ask, max_tokens=9)) for case in cases]
    for other, asked, name in (
        (parts.newer(), cases, "toy:recording"),
        (parts.doubling(clusters=2), cases, "toy:recording"),
        (probe, cases, "toy:renamed"),
        (probe, longer, "toy:recording"),
    ):
        model = parts.recording(name=name)
        assert len(sit(model).ask(other, asked, what="again")) == 3
        assert len(model.computed) == 3
    model = parts.recording()
    sit(model).ask(probe, cases, what="first again")
    assert model.computed == []


def test_a_spent_budget_stops_the_asking(sit, probe, parts):
    cases = probe.cases(seed=0, n=10)
    model = parts.recording()
    desk = sit(model, "35-tokens")
    answers = desk.ask(probe, cases, what="doubling")
    # The fourth overdraws; the model is told to stop, and computes nothing more.
    assert ids(answers) == first_ids(4)
    assert [request.messages[0].content for request in model.computed] == ["0", "1", "2", "3"]
    assert model.closed == 1
    assert desk.ask(probe, cases[5:], what="more") == []
    assert len(model.computed) == 4
    for budget, count in (("2s", 4), ("1.9s", 4), ("2.1s", 5), ("1-token", 1)):
        assert len(sit(parts.recording(name=budget), budget).ask(probe, cases, what="doubling")) == count


def test_the_model_is_told_to_stop_at_once(sit, probe, parts):
    """And not only when nobody remembers its replies any more."""
    streams = []

    class Remembering(parts.recording):
        def generate(self, requests):
            streams.append(super().generate(requests))
            return streams[-1]

    model = Remembering()
    sit(model, "35-tokens").ask(probe, probe.cases(seed=0, n=10), what="doubling")
    assert model.closed == len(streams) == 1


def uneven(place, request):
    """The first answer is dear, the others cheap."""
    tokens = 60 if request.messages[-1].content == "0" else 20
    return Generated(text="x", finish="stop", usage=Usage(prompt_tokens=tokens, seconds=0.5))


def test_a_rerun_stops_where_the_first_run_stopped(sit, probe, parts, tmp_path):
    """Replies arrive as 3, 1, 0: together 100 tokens. In the order of the cases, 0 and 1 would seem to do for 80."""
    cases = probe.cases(seed=0, n=4)
    model = parts.recording(uneven, order=lambda n: [3, 1, 0, 2])
    first = sit(model, "80-tokens").ask(probe, cases, what="doubling")
    assert ids(first) == ["0-0", "0-1", "0-3"]
    again = parts.recording(uneven)
    desk = sit(again, "80-tokens")
    assert desk.ask(probe, cases, what="doubling") == first
    assert again.computed == []
    assert desk.meter.spent == Usage(prompt_tokens=100, calls=3, seconds=1.5)
    # A larger budget goes on from there.
    assert ids(sit(again, "110-tokens").ask(probe, cases, what="doubling")) == ["0-0", "0-1", "0-2", "0-3"]
    assert len(again.computed) == 1


def test_what_is_stored_does_not_enlarge_a_budget(sit, probe, parts):
    cases = probe.cases(seed=0, n=200)
    sit(parts.recording()).ask(probe, cases, what="all")
    model = parts.recording()
    desk = sit(model, "95-tokens")
    answers = desk.ask(probe, cases, what="all")
    assert ids(answers) == first_ids(10)
    assert desk.meter.spent.calls == 10
    assert model.computed == []


def test_asking_twice_in_one_run_costs_once(sit, probe, parts):
    cases = probe.cases(seed=0, n=4)
    model, hearing = parts.recording(), parts.hearing()
    desk = sit(model, "35-tokens", hearing)
    first = desk.ask(probe, cases, what="first")
    assert desk.meter.exhausted
    # What has been counted stays at hand, although the budget is spent.
    assert desk.ask(probe, cases, what="second") == first
    assert desk.ask(probe, [cases[1], cases[0], cases[1]], what="third") == [first[1], first[0], first[1]]
    assert len(model.computed) == 4
    assert desk.meter.spent.calls == 4
    assert hearing.asked == [("first", 4), ("second", 4), ("third", 2)]
    assert hearing.answers == [(Grade.RIGHT, COST)] * 4 + [(Grade.RIGHT, NOTHING)] * 6


def test_the_same_case_twice_is_asked_once(sit, probe, parts):
    cases = probe.cases(seed=0, n=3)
    model = parts.recording()
    answers = sit(model).ask(probe, [cases[0], cases[1], cases[0], cases[2]], what="doubling")
    assert ids(answers) == ["0-0", "0-1", "0-0", "0-2"]
    assert len(model.computed) == 3


def gone(place, request):
    """Fail on the odd ones."""
    if place % 2:
        return Generated(text="", finish="error", error="The server is gone.", usage=Usage(calls=4, seconds=1.0))
    return Generated(text=str(2 * int(request.messages[-1].content)), finish="stop", usage=COST)


def test_failures_count_in_this_run_and_are_asked_again_in_the_next(sit, probe, parts, store):
    cases = probe.cases(seed=0, n=4)
    model, hearing = parts.recording(gone), parts.hearing()
    desk = sit(model, progress=hearing)
    answers = desk.ask(probe, cases, what="doubling")
    assert [answered.grade for answered in answers] == [Grade.RIGHT, Grade.FAILED, Grade.RIGHT, Grade.FAILED]
    assert [answered.answer for answered in answers] == ["0", None, "4", None]
    assert answers[1].reply.error == "The server is gone."
    assert hearing.answers[1] == (Grade.FAILED, Usage(calls=4, seconds=1.0))
    assert desk.meter.spent == Usage(prompt_tokens=18, completion_tokens=2, calls=10, seconds=3.0)
    # In this run they stay failed, and are durable: a report can name them.
    assert desk.ask(probe, cases, what="again") == answers
    assert len(model.computed) == 4
    assert [kept.answered for kept in store.every_answer()] == answers
    # The next run asks them again.
    model = parts.recording()
    again = sit(model).ask(probe, cases, what="doubling")
    assert [answered.grade for answered in again] == [Grade.RIGHT] * 4
    assert model.asked == [[cases[1].ask, cases[3].ask]]
    assert again[0] == answers[0]
    model = parts.recording(gone)
    assert sit(model).ask(probe, cases, what="doubling") == again
    assert model.computed == []


def test_a_failure_gives_way_to_what_another_run_has_stored(sit, probe, parts, store):
    cases = probe.cases(seed=0, n=2)
    other = sit(parts.recording())

    def slow(place, request):
        if place == 1:  # Meanwhile, another run answers the same case.
            other.ask(probe, [cases[1]], what="other")
        return gone(place, request)

    answers = sit(parts.recording(slow)).ask(probe, cases, what="doubling")
    assert [answered.grade for answered in answers] == [Grade.RIGHT, Grade.RIGHT]


def test_the_first_of_two_runs_wins(sit, probe, parts):
    cases = probe.cases(seed=0, n=2)

    def other_words(place, request):
        return Generated(text="other words", finish="stop", usage=Usage(prompt_tokens=1))

    other = sit(parts.recording(other_words))

    def slow(place, request):
        if place == 1:
            other.ask(probe, [cases[1]], what="other")
        return parts.double(place, request)

    hearing = parts.hearing()
    desk = sit(parts.recording(slow), progress=hearing)
    answers = desk.ask(probe, cases, what="doubling")
    assert [answered.reply.text for answered in answers] == ["0", "other words"]
    assert desk.meter.spent == Usage(prompt_tokens=10, completion_tokens=1, calls=2, seconds=0.5)
    assert hearing.answers == [(Grade.RIGHT, COST), (Grade.WRONG, Usage(prompt_tokens=1))]


def test_a_grader_that_fails_is_named_with_its_case(sit, probe, parts, store):
    class Broken(parts.doubling, frozen=True):
        def grade(self, case, reply):
            if case.id == "0-2":
                raise ZeroDivisionError("division by zero")
            return super().grade(case, reply)

    model = parts.recording()
    with pytest.raises(HardlimitError) as caught:
        sit(model).ask(Broken(), probe.cases(seed=0, n=4), what="doubling")
    assert str(caught.value) == (
        "The probe 'test.doubling' failed to grade its case '0-2' (ZeroDivisionError('division by zero')). "
        "This is a bug of the probe: every reply needs a grade. Everything answered before is kept."
    )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert len(list(store.every_answer())) == 2
    assert model.closed == 1


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("model", KeyboardInterrupt),
        ("model", ModelError),
        ("grade", KeyboardInterrupt),
        ("progress", KeyboardInterrupt),
        ("progress", ModelError),
    ],
)
def test_an_interruption_loses_no_finished_answer(sit, probe, parts, store, where, what):
    cases = probe.cases(seed=0, n=6)
    moments = iter(range(100))

    def third(here):
        if here == where and next(moments) == 2:
            raise what("now")

    def answer(place, request):
        third("model")
        return parts.double(place, request)

    class Interrupted(parts.doubling, frozen=True):
        def __repr__(self):
            return "Doubling(clusters=0)"

        def grade(self, case, reply):
            third("grade")
            return super().grade(case, reply)

    hearing = parts.hearing(each=lambda: third("progress"))
    model = parts.recording(answer)
    with pytest.raises(what):
        sit(model, progress=hearing).ask(Interrupted(), cases, what="doubling")
    done = 3 if where == "progress" else 2
    assert ids(kept.answered for kept in store.every_answer()) == first_ids(done)
    assert model.closed == 1
    again = parts.recording()
    assert len(sit(again).ask(probe, cases, what="doubling")) == 6
    assert len(again.computed) == 6 - done


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (
            [0, 1, 1],
            "toy:recording answered request 1 of 3, which it was not asked or has answered before. "
            "The adapter is at fault: each index has to come exactly once.",
        ),
        (
            [0, -1],
            "toy:recording answered request -1 of 3, which it was not asked or has answered before. "
            "The adapter is at fault: each index has to come exactly once.",
        ),
        (
            [2],
            "toy:recording left 2 of 3 requests without a reply. "
            "The adapter is at fault: what cannot be answered has to come back as an error.",
        ),
    ],
)
def test_a_model_that_does_not_answer_each_request_once(sit, probe, parts, store, order, message):
    model = parts.recording(order=lambda n: order)
    with pytest.raises(ModelError) as caught:
        sit(model).ask(probe, probe.cases(seed=0, n=3), what="doubling")
    assert str(caught.value) == message
    assert len(list(store.every_answer())) == len({place for place in order if place >= 0})


def test_each_kind_of_request_goes_to_its_capability(store, sit, probe, parts):
    cases = probe.cases(seed=0, n=3)
    asks = [
        Score(messages=cases[0].ask.messages, continuation=" 0"),
        cases[1].ask,
        See(messages=cases[2].ask.messages, images=(b"\x89PNG",), max_tokens=8),
    ]
    mixed = [replace(case, ask=ask) for case, ask in zip(cases, asks, strict=True)]

    class Able(parts.recording):
        def score(self, requests):
            self.asked.append(list(requests))
            return ((place, Scored(token_logprobs=(-1.0,), greedy=True)) for place in range(len(requests)))

        def see(self, requests):
            self.asked.append(list(requests))
            return iter([(0, Generated(text="seen", finish="stop"))])

    model = Able()
    answers = sit(model).ask(probe, mixed, what="mixed")
    assert model.asked == [[asks[1]], [asks[0]], [asks[2]]]
    assert [answered.grade for answered in answers] == [Grade.RIGHT, Grade.RIGHT, Grade.WRONG]
    assert answers[0].reply == Scored(token_logprobs=(-1.0,), greedy=True)
    assert sit(parts.recording()).ask(probe, mixed, what="mixed") == answers


def test_a_failed_score_is_a_failure(sit, probe, parts):
    (case,) = probe.cases(seed=0, n=1)
    case = replace(case, ask=Score(messages=case.ask.messages, continuation=" 0"))
    failure = Scored(token_logprobs=(), greedy=True, error="Out of memory.")
    (answered,) = sit(parts.recording(lambda place, request: failure)).ask(probe, [case], what="scores")
    assert answered.grade is Grade.FAILED


def test_a_model_without_the_capability(sit, probe, parts):
    class Mute:
        card = ModelCard(name="toy:mute", adapter="toy", revision="1")

        def count_tokens(self, text):
            return len(text)

    with pytest.raises(CapabilityError) as caught:
        sit(Mute()).ask(probe, probe.cases(seed=0, n=1), what="doubling")
    assert str(caught.value) == (
        "toy:mute lacks the capability Generates; toy, embedded, local and api models have it."
    )
    # What is stored needs no capability, and neither does nothing.
    assert sit(Mute()).ask(probe, [], what="nothing") == []


def test_any_iterator_will_do(sit, probe, parts):
    """Wrappers may return a list's iterator, a map, or an object of their own."""
    cases = probe.cases(seed=0, n=5)

    class Wrapper(parts.recording):
        def generate(self, requests):
            return map(tuple, [[place, parts.double(place, requests[place])] for place in range(len(requests))])

    assert len(sit(Wrapper(), "35-tokens").ask(probe, cases, what="doubling")) == 4


def test_a_model_studies_the_cases_first(sit, probe, store):
    toy = Perfect()
    answers = sit(toy).ask(probe, probe.cases(seed=0, n=5), what="doubling")
    assert len(answers) == 5
    assert all(answered.case.gold[0] in answered.reply.text for answered in answers)


@pytest.mark.parametrize("text", ["lone \ud800 surrogate", "\udfff"])
def test_text_that_no_file_can_hold(sit, probe, parts, text):
    cases = probe.cases(seed=0, n=2)

    def hostile(place, request):
        return Generated(text=text if place else "fine é", finish="stop")

    answers = sit(parts.recording(hostile)).ask(probe, cases, what="doubling")
    clean = text.replace("\ud800", "?").replace("\udfff", "?")
    assert [answered.reply.text for answered in answers] == ["fine é", clean]
    assert answers[1].answer == clean
    failure = Generated(text="", finish="error", error=text)
    model = parts.recording(lambda place, request: failure, name="toy:failing")
    answers = sit(model).ask(probe, cases, what="doubling")
    assert answers[0].reply.error == clean


def test_money_needs_a_price(sit, probe, parts, store):
    with pytest.raises(BudgetError, match="A budget in dollars needs replies that state their price"):
        sit(parts.recording(), "$2").ask(probe, probe.cases(seed=0, n=3), what="doubling")
    assert len(list(store.every_answer())) == 1


def test_shares_are_of_one_run(sit, probe, parts):
    cases = probe.cases(seed=0, n=20)
    model = parts.recording(gone)
    desk = sit(model, "100-tokens")
    first = desk.share(0.5)
    answers = first.ask(probe, cases, what="first")
    assert ids(answers) == first_ids(9)  # five right ones at 10 tokens, four failures at none
    assert (first.meter.exhausted, desk.meter.exhausted) == (True, False)
    # A failure of the first share is not asked again by the second, and what was counted is not counted again.
    second = desk.share(1)
    assert second.ask(probe, cases[:9], what="second") == answers
    assert len(model.computed) == 9
    assert desk.meter.spent.computed_tokens == 50
    assert second.meter.spent.computed_tokens == 0
    assert second.model is model


def test_readings(sit, parts, reading, store, asks):
    model = parts.recording(lambda place, request: reading(place, error="Out of memory." if place == 1 else None))
    hearing = parts.hearing()
    desk = sit(model, progress=hearing)
    readings = desk.read(asks, what="attention")
    assert [found.keys for found in readings] == [0, 1, 2]
    assert [found.error for found in readings] == [None, "Out of memory.", None]
    assert hearing.asked == [("attention", 3)]
    assert hearing.answers == [(None, Usage(prompt_tokens=10, seconds=0.5))] * 3
    assert desk.read(asks, what="again") == readings
    assert len(model.computed) == 3
    # The next run reads again what failed, and only that.
    model = parts.recording(lambda place, request: reading(7))
    again = sit(model).read([*asks, asks[0]], what="attention")
    assert [found.keys for found in again] == [0, 7, 2, 0]
    assert model.asked == [[asks[1]]]
    assert list(store.every_answer()) == []


def test_readings_within_the_budget(sit, parts, reading, asks):
    model = parts.recording(lambda place, request: reading(place))
    assert [found and found.keys for found in sit(model, "15-tokens").read(asks, what="attention")] == [0, 1, None]
    assert len(model.computed) == 2


def test_raw_scores(sit, parts, asks):
    scores = [Score(messages=ask.messages, continuation=" x") for ask in asks]

    def answer(place, request):
        return Scored(token_logprobs=(-float(place),), greedy=False, usage=COST)

    model = parts.recording(answer, order=lambda n: reversed(range(n)))
    found = sit(model, "15-tokens").score(scores, what="scores")
    assert [reply and reply.log_likelihood for reply in found] == [None, -1.0, -2.0]
    assert sit(model, "15-tokens").score(scores, what="scores") == found
    assert len(model.computed) == 2
    # An Attend request with the same messages is another request.
    assert sit(model, "15-tokens").read([], what="nothing") == []


def test_a_reply_of_the_wrong_kind(sit, parts, reading, probe, asks):
    with pytest.raises(ModelError) as caught:
        sit(parts.recording()).read(asks, what="attention")
    assert str(caught.value) == "toy:recording answered with text where a reading was asked for."
    with pytest.raises(ModelError) as caught:
        sit(parts.recording(lambda place, request: reading(1))).ask(probe, probe.cases(seed=0, n=1), what="doubling")
    assert str(caught.value) == "The reply to case '0-0' is a reading of attention, which no probe grades."


@pytest.fixture
def asks(probe):
    from hardlimit.core import Attend

    return [Attend(messages=case.ask.messages, spans=()) for case in probe.cases(seed=0, n=3)]


def test_what_shares_a_haystack_is_asked_together(sit, parts):
    probe = parts.doubling(clusters=3)
    cases = sorted(probe.cases(seed=0, n=300), key=lambda case: case.cluster)
    model = parts.recording()
    sit(model).ask(probe, cases, what="haystacks")
    assert [len(batch) for batch in model.asked] == [100, 100, 100]
    alone = parts.doubling()
    model = parts.recording()
    sit(model).ask(alone, alone.cases(seed=0, n=150), what="alone")
    assert [len(batch) for batch in model.asked] == [64, 64, 22]


@given(st.lists(st.sampled_from(["", "a", "b", "c", "d", "e"]), max_size=1500))
def test_batches_cover_everything_once_and_keep_clusters_together(clusters):
    cut = list(batches(clusters))
    assert [place for part in cut for place in range(len(clusters))[part]] == list(range(len(clusters)))
    sizes = [part.stop - part.start for part in cut]
    assert all(64 <= size <= 512 for size in sizes[:-1])
    assert all(0 < size <= 512 for size in sizes[-1:])
    for before, after in pairwise(cut):
        if before.stop - before.start < 512:
            assert not (set(clusters[before]) & set(clusters[after.start :])) - {""}


def test_batches_are_as_small_as_they_may_be():
    assert list(batches([])) == []
    assert list(batches([""] * 130)) == [slice(0, 64), slice(64, 128), slice(128, 130)]
    assert list(batches(["a", *[""] * 98, "a", "b"])) == [slice(0, 100), slice(100, 101)]
    assert list(batches(["a"] * 600)) == [slice(0, 512), slice(512, 600)]
