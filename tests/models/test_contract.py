"""The contract of models passes what is sound, and each of its checks can fail: one broken model per check."""

import msgspec
import pytest

from hardlimit.core import (
    Attended,
    Generated,
    Scored,
    SpanAttention,
    Usage,
)
from hardlimit.models import ModelCard
from hardlimit.models.toy import NAMES, Perfect, Sighted, open_toy
from hardlimit.testing import ContractError, check_model

CARD = ModelCard(name="broken", adapter="toy", revision="1", layers=1, heads=2)


def change(value, **fields):
    return msgspec.structs.replace(value, **fields)


class Sound(Perfect):
    """A toy that keeps the contract; the broken ones below change one thing each."""

    @property
    def card(self):
        return CARD


def spoil_replies(edit):
    """Make a model whose generated replies pass through `edit(index, reply)`."""

    class Broken(Sound):
        def generate(self, requests):
            for index, reply in super().generate(requests):
                yield index, edit(index, reply)

    return Broken


def spoil_scores(edit):
    class Broken(Sound):
        def score(self, requests):
            for index, reply in super().score(requests):
                yield index, edit(index, reply)

    return Broken


class SkipsOne(Sound):
    def generate(self, requests):
        yield from list(super().generate(requests))[1:]


class RepeatsOne(Sound):
    def generate(self, requests):
        replies = list(super().generate(requests))
        yield from replies + replies[-1:]


class InventsAnIndex(Sound):
    def generate(self, requests):
        for index, reply in super().generate(requests):
            yield index + 1, reply


class RaisesOnControlCodes(Sound):
    def generate(self, requests):
        for index, reply in super().generate(requests):
            if "\x00" in requests[index].messages[0].content:
                raise ValueError("embedded null")
            yield index, reply


class AnswersNothingAsked(Sound):
    def generate(self, requests):
        yield from super().generate(requests)
        if not requests:
            yield 0, Generated(text="", finish="stop")


class NotAGenerator(Sound):
    def generate(self, requests):
        return iter(list(super().generate(requests)))


class ChangesItsMind(Sound):
    asked = 0

    def generate(self, requests):
        for index, reply in super().generate(requests):
            self.asked += 1
            yield index, change(reply, text=f"Answer {self.asked}")


class IgnoresStop(Sound):
    def generate(self, requests):
        return super().generate([change(request, stop=()) for request in requests])


class DependsOnOrder(Sound):
    def score(self, requests):
        for index, reply in super().score(requests):
            yield index, change(reply, token_logprobs=(-0.1 - index,) * 9)


class TooProbable(Sound):
    def score(self, requests):
        for index, reply in super().score(requests):
            yield index, change(reply, token_logprobs=(-0.5,))


class IgnoresWindow(Sound):
    @property
    def card(self):
        return change(CARD, window=100)


class Unstable(Sound):
    read = 0

    @property
    def card(self):
        self.read += 1
        return change(CARD, revision=str(self.read))


class CountsNegative(Sound):
    def count_tokens(self, text):
        return len(text) - 1


class CountsOneEach(Sound):
    def count_tokens(self, text):
        return 1


class CardWithNoHeads(Sound):
    @property
    def card(self):
        return change(CARD, heads=0)


class CardWithOddHeads(Sound):
    @property
    def card(self):
        return change(CARD, heads=9, kv_heads=2)


BROKEN_MODELS = {
    "skips an index": (SkipsOne, "broken: generate never yields the indices [0] of a batch of 12."),
    "repeats an index": (RepeatsOne, "broken: generate yields index 11 twice."),
    "invents an index": (InventsAnIndex, "broken: generate yields index 12 for a batch of 12."),
    "raises": (
        RaisesOnControlCodes,
        "broken: generate raises ValueError (embedded null); a request that cannot be answered is an error reply, "
        "and the others go on.",
    ),
    "answers an empty batch": (AnswersNothingAsked, "broken: generate yields replies to an empty batch."),
    "cannot be closed": (
        NotAGenerator,
        "broken: generate must return a generator, so that it can be closed early.",
    ),
    "is not deterministic": (
        ChangesItsMind,
        "broken: greedy answers differ from one asking to the next: 'Answer 1' and",
    ),
    "ignores stop texts": (
        IgnoresStop,
        "broken: with stop='ari' the answer 'Paris' must become 'P' with finish 'stop', got 'Paris' with 'stop'.",
    ),
    "ignores max_tokens": (
        spoil_replies(lambda index, reply: change(reply, usage=Usage(completion_tokens=9))),
        "broken: max_tokens=8, but 9 tokens were generated.",
    ),
    "counts no tokens": (
        spoil_replies(lambda index, reply: change(reply, usage=Usage())),
        "broken: usage counts no completion token for the text",
    ),
    "costs less than nothing": (
        spoil_replies(lambda index, reply: change(reply, usage=Usage(completion_tokens=1, seconds=-1.0))),
        "broken: usage.seconds must be >= 0, got -1.0.",
    ),
    "caches more than there is": (
        spoil_replies(lambda index, reply: change(reply, usage=Usage(completion_tokens=8, cached_tokens=1))),
        "broken: usage counts 1 cached tokens in a prompt of 0.",
    ),
    "fails without a reason": (
        spoil_replies(lambda index, reply: Generated(text="", finish="error")),
        "broken: a reply with finish='error' gives no reason in `error`.",
    ),
    "always fails": (
        spoil_replies(lambda index, reply: Generated(text="", finish="error", error="no luck")),
        "broken: every reply is an error, the first is: no luck",
    ),
    "answers with an error": (
        spoil_replies(lambda index, reply: change(reply, error="odd")),
        "broken: a reply with finish='stop' has an error: odd",
    ),
    "is surer than sure": (
        spoil_replies(lambda index, reply: change(reply, token_logprobs=(0.5,))),
        "broken: a log-probability must be <= 0, got 0.5.",
    ),
    "gives empty log-probabilities": (
        spoil_replies(lambda index, reply: change(reply, token_logprobs=())),
        "broken: token_logprobs is empty for the text",
    ),
    "gives too many log-probabilities": (
        spoil_replies(lambda index, reply: change(reply, token_logprobs=(-1.0,) * 30)),
        "broken: 30 log-probabilities for",
    ),
    "answers with a string": (
        spoil_replies(lambda index, reply: "Paris"),
        "broken: an answer must be a Generated, got str.",
    ),
    "answers beyond its window": (
        IgnoresWindow,
        "broken: a prompt longer than the window of 100 is answered, not refused.",
    ),
    "scores by the order": (DependsOnOrder, "broken: the same score differs by"),
    "scores too high": (
        TooProbable,
        "broken: answers that exclude each other have probabilities that sum to 2.426.",
    ),
    "scores nothing": (
        spoil_scores(lambda index, reply: Scored(token_logprobs=(), greedy=False)),
        "broken: a score must have log-probabilities or the reason why not, got",
    ),
    "scores only errors": (
        spoil_scores(lambda index, reply: Scored(token_logprobs=(), greedy=False, error="no echo")),
        "broken: every score is an error, the first is: no echo",
    ),
    "scores with text": (spoil_scores(lambda index, reply: 0.0), "broken: a score must be a Scored, got float."),
    "has an unstable card": (Unstable, "the card changes from one reading to the next."),
    "counts negative tokens": (CountsNegative, "broken: count_tokens must give an int >= 0, got -1 for ''."),
    "counts no length": (CountsOneEach, "broken: count_tokens gives 1 for a text 100 times as long as one of 1."),
    "has no heads": (CardWithNoHeads, "broken: card.heads must be >= 1 or None, got 0."),
    "shares heads unevenly": (CardWithOddHeads, "broken: 9 heads cannot share 2 key–value heads."),
}


@pytest.mark.parametrize("name", [name.replace("-N", "-30") for name in NAMES])
def test_every_toy_keeps_the_contract(name):
    check_model(open_toy(name))


def test_a_toy_with_a_window_keeps_the_contract():
    check_model(Perfect(window=2000))
    check_model(Sound())


@pytest.mark.parametrize("what", BROKEN_MODELS)
def test_a_broken_model_is_found(what):
    model, message = BROKEN_MODELS[what]
    with pytest.raises(ContractError) as error:
        check_model(model())
    assert message in str(error.value)


def test_a_thing_without_a_card_is_no_model():
    with pytest.raises(ContractError) as error:
        check_model(object())
    assert str(error.value) == "object has no card or cannot count tokens: it is no Model."


def test_nondeterminism_may_be_allowed():
    check_model(ChangesItsMind(), deterministic=False)


class Attentive(Sound):
    """A made-up attention of one layer and two heads over 20 keys, in which mass and margin agree."""

    edits = {}

    def attend(self, requests):
        for index, request in enumerate(requests):
            (span,) = request.spans
            if span.end > len(request.messages[0].content):
                yield index, Attended(keys=0, spans=(), entropy=(), sink=(), error="The span lies outside.")
                continue
            seen = SpanAttention(name=span.name, tokens=(5, 8), mass=((0.5, 0.1),), margin=((-0.5, -3.0),))
            reply = Attended(keys=20, spans=(seen,), entropy=((1.0, 2.0),), sink=((0.2, 0.3),))
            edits = dict(self.edits)
            inner = edits.pop("span", {})
            yield index, change(reply, spans=(change(seen, **inner),), **edits)


BROKEN_ATTENTION = {
    "broken: span tokens (18, 25) of 20.": {"span": {"tokens": (18, 25)}},
    "broken: mass must have shape (1, 2) (layers, heads), got (1, 1).": {"span": {"mass": ((0.5,),)}},
    "broken: attention weights must lie in [0, 1] at layer 0, head 1.": {"sink": ((0.2, 1.5),)},
    "broken: entropy out of [0, ln keys] at layer 0, head 0.": {"entropy": ((3.5, 2.0),)},
    "broken: at layer 0, head 0 a margin of 2 nats over 3 tokens allows a mass in [0.881, 0.957], got 0.5.": {
        "span": {"margin": ((2.0, -3.0),)}
    },
    "broken: an ordinary span cannot be read: too slow": {"error": "too slow"},
}


def test_sound_attention_passes():
    check_model(Attentive())


@pytest.mark.parametrize("message", BROKEN_ATTENTION)
def test_broken_attention_is_found(message):
    model = Attentive()
    model.edits = BROKEN_ATTENTION[message]
    with pytest.raises(ContractError) as error:
        check_model(model)
    assert str(error.value) == message


def test_a_span_outside_its_message_must_be_an_error():
    class Careless(Attentive):
        def attend(self, requests):
            for index, request in enumerate(requests):
                span = change(request.spans[0], start=0, end=1)
                yield from ((index, reply) for _, reply in super().attend([change(request, spans=(span,))]))

    with pytest.raises(ContractError) as error:
        check_model(Careless())
    assert str(error.value) == "broken: a span outside its message must be an error reply."


def test_eyes_that_fail_on_a_sound_picture_are_found():
    class Blind(Sighted):
        def see(self, requests):
            for index, _ in super().see(requests):
                yield index, Generated(text="", finish="error", error="no eyes")

    with pytest.raises(ContractError) as error:
        check_model(Blind())
    assert str(error.value) == "toy:sighted: an ordinary picture cannot be seen: no eyes"


def test_a_value_that_json_changes_is_found():
    class Careless(Sound):
        @property
        def card(self):
            return change(CARD, settings={"device": "\ud800"})

    with pytest.raises(ContractError) as error:
        check_model(Careless())
    assert "ModelCard does not survive JSON" in str(error.value)
