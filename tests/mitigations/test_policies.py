"""Policies: what they ask, in how many rounds, what they answer, what it costs, and how they compose."""

import math

import msgspec
import numpy as np
import pytest

from hardlimit.core import (
    Case,
    Generate,
    Generated,
    InvalidValueError,
    Message,
    ModelError,
    Score,
    Scored,
    Usage,
)
from hardlimit.mitigations import (
    Abstain,
    BestOf,
    BoundedOracle,
    Library,
    Mitigated,
    Programs,
    Scratchpad,
    Vote,
    mitigate,
)
from hardlimit.mitigations.asking import said
from hardlimit.mitigations.programs import program_in
from hardlimit.models import ModelCard
from hardlimit.models.toy import Guessing, Perfect
from hardlimit.testing import check_mitigation


def ask(text="Capital of Fiji?", **options):
    return Generate(messages=(Message(role="user", content=text),), max_tokens=16, **options)


class Script:
    """A model that answers from a list, and notes what it was asked."""

    def __init__(self, *rounds):
        self.rounds, self.asked = list(rounds), []
        self.card = ModelCard(name="toy:script", adapter="toy", revision="1")

    def count_tokens(self, text):
        return len(text)

    def generate(self, requests):
        replies = self.rounds.pop(0)
        self.asked.append(list(requests))
        # In reverse, as a server may.
        for index in reversed(range(len(requests))):
            reply = replies[index] if isinstance(replies, list) else replies
            reply = reply if isinstance(reply, Generated) else Generated(text=reply, finish="stop")
            yield index, msgspec.structs.replace(reply, usage=Usage(prompt_tokens=10, completion_tokens=2, seconds=0.5))

    def score(self, requests):
        replies = self.rounds.pop(0)
        self.asked.append(list(requests))
        for index in reversed(range(len(requests))):
            yield index, Scored(token_logprobs=(replies[index],), greedy=False, usage=Usage(prompt_tokens=7))


def one(policy, *rounds, request=None):
    script = Script(*rounds)
    ((index, reply),) = Mitigated(script, policy).generate([request or ask()])
    assert index == 0
    assert not script.rounds, "not everything was asked"
    return reply, script


def test_cost_is_the_sum_of_everything_asked():
    reply, _ = one(BestOf(k=3), ["Suva", "Nadi", "Suva"], [-1.0, -2.0, -2.0, -1.0])
    assert reply.usage == Usage(prompt_tokens=58, completion_tokens=6, calls=7, seconds=1.5)


def test_questions_go_out_together_in_each_round():
    script = Script(["Suva", "Suva", "Nadi", "Rome", "Oslo", "Oslo"])
    replies = dict(Mitigated(script, Vote(k=3)).generate([ask("a"), ask("b")]))
    assert [replies[0].text, replies[1].text] == ["Suva", "Oslo"]
    assert [request.messages[0].content for request in script.asked[0]] == ["a"] * 3 + ["b"] * 3


class Mixed:
    """Asks for scores and texts in one round."""

    def answer(self, request):
        replies = yield [Score(messages=request.messages, continuation="a"), request, request]
        return Generated(
            text=" ".join(type(reply).__name__ + getattr(reply, "text", "") for reply in replies), finish="stop"
        )


def test_scores_and_texts_of_one_round_come_back_in_their_order():
    reply, _ = one(Mixed(), ["first", "second"], [-1.0])
    assert reply.text == "Scored Generatedfirst Generatedsecond"


def test_more_questions_than_go_out_at_once_come_back_by_their_own_index():
    toy = Guessing([])
    cases = [Case(id=str(i), ask=ask(str(i)), gold=(f"g{i}",), lures=("x", "y")) for i in range(150)]
    toy.study(cases)
    replies = dict(Mitigated(toy, Vote(k=2)).generate([case.ask for case in cases]))
    assert sorted(replies) == list(range(150))
    assert all(reply.usage.calls == 2 for reply in replies.values())


def test_a_model_that_leaves_a_request_out_is_named():
    class Lazy(Script):
        def generate(self, requests):
            yield 0, Generated(text="x", finish="stop")

    with pytest.raises(
        ModelError, match=r"^toy:script left 2 of 3 requests without a reply\. The adapter is at fault:"
    ):
        list(Mitigated(Lazy(), Vote(k=3)).generate([ask()]))


@pytest.mark.parametrize(
    ("replies", "answer"),
    [
        (["Suva", "Nadi", "suva."], "Suva"),
        (["Nadi", "Suva", "Suva"], "Suva"),
        (["Nadi", "Suva", "Rome"], "Nadi"),
        (["", "", "Suva"], "Suva"),
        (["It is Suva.\nAnswer: Nadi", "Nadi", "Suva"], "It is Suva.\nAnswer: Nadi"),
        ([Generated(text="", finish="error", error="down")] * 2 + ["Suva"], "Suva"),
        ([Generated(text="", finish="error", error="down")] * 3, ""),
    ],
)
def test_vote(replies, answer):
    reply, script = one(Vote(k=3, temperature=0.5), replies)
    assert reply.text == answer
    assert [(request.temperature, request.seed) for request in script.asked[0]] == [(0.5, 0), (0.5, 1), (0.5, 2)]


def test_vote_is_as_good_as_theory_says():
    """Chance 0.6 a sample, 5 samples of two answers: 0.683 by the binomial law; off by 0.06 has chance < 0.003."""
    toy = Perfect([], accuracy=0.6)
    cases = [Case(id=str(i), ask=ask(str(i)), gold=("yes",), lures=("no",)) for i in range(600)]
    toy.study(cases)
    right = [said(reply) == "yes" for _, reply in Mitigated(toy, Vote(k=5)).generate([case.ask for case in cases])]
    expected = sum(math.comb(5, j) * 0.6**j * 0.4 ** (5 - j) for j in (3, 4, 5))
    assert abs(np.mean(right) - expected) < 0.06


def test_best_of_takes_what_the_judge_likes_best():
    reply, script = one(BestOf(k=3), ["Suva", "Nadi", "Rome"], [-3.0, -1.0, -0.5, -2.0, -1.0, -1.0])
    assert reply.text == "Nadi"
    assert [request.continuation for request in script.asked[1]] == ["Yes", "No"] * 3
    assert "Proposed answer: rome" in script.asked[1][-1].messages[0].content


def test_best_of_asks_no_judge_about_one_answer():
    reply, script = one(BestOf(k=2), ["Suva", "suva"])
    assert reply.text == "Suva"
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("logprobs", "threshold", "text"),
    [
        ((-0.1, -0.1), 0.8, "Suva"),
        ((-0.1, -0.2), 0.8, "I don't know."),
        ((), 0.1, "I don't know."),
        (None, 0.0, "I don't know."),
    ],
)
def test_abstains_by_the_probability_of_the_reply(logprobs, threshold, text):
    sure = Generated(text="Suva", finish="stop", token_logprobs=logprobs)
    reply, script = one(Abstain(threshold=threshold, signal="sequence probability"), [sure])
    assert reply.text == text
    assert script.asked[0][0].logprobs


@pytest.mark.parametrize(("threshold", "text"), [(0.5, "Suva"), (0.51, "I don't know.")])
def test_abstains_by_agreement(threshold, text):
    reply, _ = one(Abstain(threshold=threshold, k=4), ["Suva", "suva", "Nadi", "Suva!", "Rome"])
    assert reply.text == text


@pytest.mark.parametrize(("threshold", "text"), [(0.73, "Suva"), (0.74, "I don't know.")])
def test_abstains_by_its_own_verdict(threshold, text):
    reply, _ = one(Abstain(threshold=threshold, signal="P(True)"), ["Suva"], [-1.0, -2.0])
    assert reply.text == text


def test_a_failure_stays_a_failure():
    broken = Generated(text="", finish="error", error="down")
    reply, _ = one(Abstain(threshold=1.0, signal="sequence probability"), [broken])
    assert (reply.finish, reply.error) == ("error", "down")
    reply, _ = one(Programs(), [broken])
    assert reply.error == "down"
    reply, _ = one(BoundedOracle(library(), b=1, threshold=2.0), [broken])
    assert reply.error == "down"


def library():
    return Library(["The capital of Fiji is Suva.", "The capital of Kenya is Nairobi.", "Fiji has many islands."])


def test_oracle_is_not_asked_where_the_model_is_sure():
    sure = Generated(text="Suva", finish="stop", token_logprobs=(-0.01,))
    reply, script = one(BoundedOracle(library(), threshold=0.9), [sure])
    assert (reply.text, len(script.asked)) == ("Suva", 1)


def test_oracle_is_asked_where_it_is_not():
    unsure = Generated(text="Nadi", finish="stop", token_logprobs=(-1.0,))
    reply, script = one(BoundedOracle(library(), threshold=0.9), [unsure], ["Suva"])
    assert reply.text == "Suva"
    assert "The capital of Fiji is Suva." in script.asked[1][0].messages[-1].content


@pytest.mark.parametrize(("b", "rounds", "text"), [(0, 0, "I don't know."), (1, 1, "I don't know."), (2, 2, "islands")])
def test_oracle_is_asked_at_most_b_times(b, rounds, text):
    replies = ["I don't know.", "islands"][:rounds]
    reply, script = one(
        BoundedOracle(library(), b=b, threshold=2.0), *[[said] for said in replies], request=ask("Fiji?")
    )
    assert reply.text == text
    assert len(script.asked) == rounds


def test_an_answer_that_the_oracle_does_not_hold_is_not_given():
    reply, _ = one(BoundedOracle(library(), b=1, threshold=2.0), ["Paris"])
    assert reply.text == "I don't know."


def test_a_name_that_the_oracle_does_not_hold_spoils_an_answer():
    reply, _ = one(BoundedOracle(library(), b=1, threshold=2.0), ["It is Port Suva."])
    assert reply.text == "I don't know."


def test_library_finds_by_words_and_ends():
    books = library()
    assert books.look_up("capital of Kenya", 0) == "The capital of Kenya is Nairobi."
    assert books.look_up("Uruguay", 0) is None
    assert books.look_up("Fiji", 2) is None
    assert books.look_up("Fiji", 3) is None
    assert repr(books).startswith("Library('library', 3 texts, ")
    with pytest.raises(InvalidValueError, match=r"^The library 'empty' has no text; give it at least one\.$"):
        Library([], name="empty")


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("48 + 94", "Answer: 142"),
        ("```python\nx = 48\nx + 94\n```", "Answer: 142"),
        ("def solution():\n    return 48 + 94", "Answer: 142"),
        ("48 + 94 = 142", "Answer: 142"),
        ("Answer: 48 + 94", "Answer: 142"),
        ("`48 + 94`", "Answer: 142"),
    ],
)
def test_a_program_answers(written, answer):
    reply, _ = one(Programs(), [written], request=ask("What is 48 + 94?"))
    assert reply.text == answer


@pytest.mark.parametrize("written", ["forty-eight plus", "open('/etc/passwd').read()", "1 / 0", "", "while True: pass"])
def test_a_program_that_fails_gives_no_answer(written):
    reply, script = one(Programs(seconds=0.3), [written], ["142"], request=ask("What is 48 + 94?"))
    assert reply.text == "142"
    assert script.asked[1] == [ask("What is 48 + 94?")]
    reply, _ = one(Programs(seconds=0.3, otherwise="abstain"), [written], request=ask("What is 48 + 94?"))
    assert reply.text == "I don't know."


def test_a_program_is_asked_for_the_last_question_alone():
    script = one(Programs(examples=1), ["1"], request=ask("Question: What is 1 + 1?\nAnswer: 2\n\nQuestion: 48 + 94?"))[
        1
    ]
    (first, _, last) = script.asked[0][0].messages
    assert first.content.endswith("How many pens do 7 boxes hold?")
    assert last.content.endswith("Write only the expression.\n\nQuestion: 48 + 94?")


def test_program_in_a_reply_keeps_assignments():
    assert program_in("x = 3\nx * 2") == "x = 3\nx * 2"
    assert program_in("x = 3") == "x = 3"


def test_scratchpad_gives_room():
    reply, script = one(Scratchpad(max_tokens=99), ["2 and 2.\nAnswer: 4"])
    assert reply.text.endswith("Answer: 4")
    assert script.asked[0][0].max_tokens == 99
    assert "step by step" in script.asked[0][0].messages[0].content


def test_policies_compose_and_their_names_tell_it():
    inner = Perfect([], accuracy=0.9)
    outer = mitigate(inner, Scratchpad(), Vote(k=3))
    assert outer.card.name == "Vote(k=3, temperature=0.7) on Scratchpad(max_tokens=256) on toy:perfect"
    assert len({outer.card.fingerprint, mitigate(inner, Vote(k=3)).card.fingerprint, inner.card.fingerprint}) == 3
    assert mitigate(inner, Vote(k=3)).card.fingerprint == mitigate(inner, Vote(k=3)).card.fingerprint


@pytest.mark.parametrize(
    "policy",
    [
        Scratchpad(),
        Vote(k=2),
        Abstain(threshold=0.5),
        BestOf(k=2),
        Programs(),
        BoundedOracle(library(), threshold=0.5),
    ],
)
def test_every_policy_keeps_the_contract(policy):
    check_mitigation(policy)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Vote(k=0), "Vote needs k >= 1 and temperature > 0, got k=0, temperature=0.7."),
        (lambda: BestOf(temperature=0.0), "BestOf needs k >= 1 and temperature > 0, got k=5, temperature=0."),
        (lambda: Abstain(threshold=1.5), "Abstain.threshold must lie in [0, 1], got 1.5."),
        (lambda: Scratchpad(max_tokens=0), "Scratchpad.max_tokens must be >= 1, got 0."),
        (lambda: BoundedOracle(library(), b=-1), "BoundedOracle needs b >= 0, threshold >= 0 and k >= 1, got b=-1, "
            "threshold=0.9, k=5."),
        (lambda: Programs(seconds=0), "Programs needs max_tokens >= 1, seconds > 0 and examples in [0, 3], got "
            "max_tokens=64, seconds=0, examples=3."),
    ],
)  # fmt: skip
def test_refusals(made, message):
    with pytest.raises(InvalidValueError) as error:
        made()
    assert str(error.value) == message
