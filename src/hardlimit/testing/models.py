"""The contract of models: what every adapter keeps to, checked by asking."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from hardlimit.core import (
    Attend,
    Attended,
    CapabilityError,
    Case,
    Generate,
    Generated,
    Message,
    Score,
    Scored,
    See,
    Span,
)
from hardlimit.models import Attends, Generates, Model, ModelCard, Scores, Sees, Studies, require
from hardlimit.models.picture import half_black_png
from hardlimit.testing.contract import (
    HOSTILE,
    collect,
    expect,
    expect_logprobs,
    expect_round_trip,
    expect_usage,
)

_QUESTIONS = (
    "What is the capital of France?",
    "Count from one to twenty.",
    "Translate 'good morning' into Italian.",
    *(f"Repeat this: {text}" for text in HOSTILE),
)
_MAX_TOKENS = 8
Ask = Callable[[Any], Iterator[tuple[int, Any]]]


def check_model(model: Model, *, deterministic: bool = True) -> None:
    """Check that a model keeps the contract of every capability it has.

    It sends about sixty short requests: ordinary, hostile, over-long and empty batches.

    Args:
        model: any model; one that `Studies` is shown the questions first.
        deterministic: whether greedy answers must repeat, alone and in another order. Turn it off only for a server
            known to compute batches in varying order, and say so where its answers are used.

    Raises:
        ContractError: what is broken, and what was seen.

    >>> from hardlimit.models.toy import open_toy
    >>> check_model(open_toy("toy:guessing"))
    """
    expect(isinstance(model, Model), f"{type(model).__name__} has no card or cannot count tokens: it is no Model.")
    who = model.card.name
    _check_card(who, model)
    _check_counting(who, model)
    if isinstance(model, Studies):
        model.study([_case(question) for question in _QUESTIONS])
    if isinstance(model, Generates):
        _check_generate(who, model, deterministic)
        _check_window(who, model)
    if isinstance(model, Scores):
        _check_score(who, model, deterministic)
    if isinstance(model, Attends):
        _check_attend(who, model)
    if isinstance(model, Sees):
        _check_see(who, model)
    for capability in (Generates, Scores, Attends, Sees):
        _check_require(who, model, capability)


def _user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def _ask(text: str, *, logprobs: bool = False, stop: tuple[str, ...] = ()) -> Generate:
    return Generate(messages=_user(text), max_tokens=_MAX_TOKENS, logprobs=logprobs, stop=stop)


def _case(question: str) -> Case:
    return Case(id=question[:20], ask=_ask(question), gold=("Paris",), lures=("Lyon", "Nice"))


def _check_card(who: str, model: Model) -> None:
    card = model.card
    expect(isinstance(card, ModelCard), f"{who}: card must be a ModelCard, got {type(card).__name__}.")
    expect_round_trip(who, card)
    expect(bool(card.adapter and card.revision), f"{who}: card.adapter and card.revision must not be empty.")
    expect(card.fingerprint == model.card.fingerprint, f"{who}: the card changes from one reading to the next.")
    for name in ("parameters", "layers", "heads", "kv_heads", "head_width", "width", "vocabulary", "window"):
        value = getattr(card, name)
        expect(value is None or value >= 1, f"{who}: card.{name} must be >= 1 or None, got {value}.")
    if card.heads is not None and card.kv_heads is not None:
        whole = card.heads % card.kv_heads == 0
        expect(whole, f"{who}: {card.heads} heads cannot share {card.kv_heads} key–value heads.")


def _check_counting(who: str, model: Model) -> None:
    for text in HOSTILE:
        count: Any = model.count_tokens(text)
        whole = isinstance(count, int) and count >= 0
        expect(whole, f"{who}: count_tokens must give an int >= 0, got {count!r} for {text[:20]!r}.")
        expect(count == model.count_tokens(text), f"{who}: count_tokens changes its mind about {text[:20]!r}.")
    short, long = model.count_tokens("one two three"), model.count_tokens("one two three " * 100)
    expect(long > short, f"{who}: count_tokens gives {long} for a text 100 times as long as one of {short}.")


def _check_batch(who: str, method: str, ask: Ask) -> None:
    expect(not list(ask([])), f"{who}: {method} yields replies to an empty batch.")


def _check_early_close(who: str, method: str, ask: Ask, requests: Sequence[Any]) -> None:
    """Closing the iterator after one reply must end it, and leave the model able to answer."""
    replies = ask(requests)
    next(replies)
    close = getattr(replies, "close", None)
    expect(close is not None, f"{who}: {method} must return a generator, so that it can be closed early.")
    if close is not None:
        close()
    expect(next(replies, None) is None, f"{who}: {method} goes on after it was closed.")
    collect(who, method, ask(requests[:1]), 1)


def _check_generate(who: str, model: Generates, deterministic: bool) -> None:
    _check_batch(who, "generate", model.generate)
    requests = [_ask(question, logprobs=True) for question in _QUESTIONS]
    replies = collect(who, "generate", model.generate(requests), len(requests))
    for request, reply in zip(requests, replies, strict=True):
        _check_generated(who, reply, request.max_tokens)
    answered = [index for index, reply in enumerate(replies) if reply.finish != "error"]
    expect(bool(answered), f"{who}: every reply is an error, the first is: {replies[0].error}")
    if deterministic:
        backwards = collect(who, "generate", model.generate(requests[::-1]), len(requests))[::-1]
        for index in answered:
            same = replies[index].text == backwards[index].text
            expect(
                same,
                f"{who}: greedy answers differ from one asking to the next: {replies[index].text!r} and "
                f"{backwards[index].text!r}.",
            )
        _check_stop(who, model, replies[answered[0]], _QUESTIONS[answered[0]])
    _check_early_close(who, "generate", model.generate, requests)


def _check_generated(who: str, reply: Generated, max_tokens: int) -> None:
    expect(isinstance(reply, Generated), f"{who}: an answer must be a Generated, got {type(reply).__name__}.")
    expect_round_trip(who, reply)
    expect_usage(who, reply.usage)
    if reply.finish == "error":
        expect(bool(reply.error), f"{who}: a reply with finish='error' gives no reason in `error`.")
        return
    expect(reply.error is None, f"{who}: a reply with finish={reply.finish!r} has an error: {reply.error}")
    used = reply.usage.completion_tokens
    expect(used <= max_tokens, f"{who}: max_tokens={max_tokens}, but {used} tokens were generated.")
    expect(used >= 1 or not reply.text, f"{who}: usage counts no completion token for the text {reply.text!r}.")
    if reply.token_logprobs is not None:
        expect_logprobs(who, reply.token_logprobs)
        given = len(reply.token_logprobs)
        expect(
            given >= 1 or not reply.text,
            f"{who}: token_logprobs is empty for the text {reply.text!r}; absence is None.",
        )
        # One more is allowed: an end token may have been scored but not counted.
        expect(given <= used + 1, f"{who}: {given} log-probabilities for {used} generated tokens.")


def _check_stop(who: str, model: Generates, reply: Generated, question: str) -> None:
    middle = reply.text.strip()[1:4]
    if not middle:
        return
    (stopped,) = collect(who, "generate", model.generate([_ask(question, stop=(middle,))]), 1)
    expected = reply.text[: reply.text.index(middle)]
    expect(
        stopped.text.rstrip() == expected.rstrip() and stopped.finish == "stop",
        f"{who}: with stop={middle!r} the answer {reply.text!r} must become {expected!r} with finish 'stop', got "
        f"{stopped.text!r} with {stopped.finish!r}.",
    )


def _too_long(model: Model, window: int) -> str:
    text = "word " * window
    while model.count_tokens(text) <= window:
        text += text
    return text


def _check_window(who: str, model: Generates) -> None:
    window = model.card.window
    if window is None:
        return
    text = _too_long(model, window)
    if isinstance(model, Studies):
        model.study([_case(text)])
    requests = [_ask(text), _ask(_QUESTIONS[0])]
    long, short = collect(who, "generate", model.generate(requests), 2)
    expect(long.finish == "error", f"{who}: a prompt longer than the window of {window} is answered, not refused.")
    expect(short.finish != "error", f"{who}: an over-long prompt spoils another in its batch: {short.error}")


def _check_score(who: str, model: Scores, deterministic: bool) -> None:
    _check_batch(who, "score", model.score)
    options = (" Paris", " Lyon", " Nice", " 東京")
    requests = [Score(messages=_user(_QUESTIONS[0]), continuation=option) for option in options]
    replies = collect(who, "score", model.score(requests), len(requests))
    for reply in replies:
        expect(isinstance(reply, Scored), f"{who}: a score must be a Scored, got {type(reply).__name__}.")
        expect_round_trip(who, reply)
        expect_usage(who, reply.usage)
        expect_logprobs(who, reply.token_logprobs)
        given = bool(reply.token_logprobs) != bool(reply.error)
        expect(given, f"{who}: a score must have log-probabilities or the reason why not, got {reply!r}.")
    good = [reply for reply in replies if reply.error is None]
    expect(bool(good), f"{who}: every score is an error, the first is: {replies[0].error}")
    total = sum(math.exp(reply.log_likelihood) for reply in good)
    expect(total <= 1 + 1e-3, f"{who}: answers that exclude each other have probabilities that sum to {total:.4g}.")
    if deterministic:
        again = collect(who, "score", model.score(requests[::-1]), len(requests))[::-1]
        for before, after in zip(replies, again, strict=True):
            apart = abs(before.log_likelihood - after.log_likelihood)
            expect(apart <= 1e-3, f"{who}: the same score differs by {apart:.2g} nats when asked in another order.")
    _check_early_close(who, "score", model.score, requests)


def _check_attend(who: str, model: Attends) -> None:
    _check_batch(who, "attend", model.attend)
    text = "The grass is green. The code is 7. The sky is blue. What is the code?"
    needle = Span(name="needle", message=0, start=20, end=33)
    outside = Span(name="outside", message=0, start=len(text) + 5, end=len(text) + 9)
    requests = [Attend(messages=_user(text), spans=(needle,)), Attend(messages=_user(text), spans=(outside,))]
    good, bad = collect(who, "attend", model.attend(requests), 2)
    expect(bad.error is not None, f"{who}: a span outside its message must be an error reply.")
    expect(good.error is None, f"{who}: an ordinary span cannot be read: {good.error}")
    _check_attended(who, good, model.card)


def _check_attended(who: str, reply: Attended, card: ModelCard) -> None:
    expect_round_trip(who, reply)
    expect_usage(who, reply.usage)
    (span,) = reply.spans
    tokens = span.tokens[1] - span.tokens[0]
    expect(0 <= span.tokens[0] < span.tokens[1] <= reply.keys, f"{who}: span tokens {span.tokens} of {reply.keys}.")
    tables = {"mass": span.mass, "margin": span.margin, "entropy": reply.entropy, "sink": reply.sink}
    for name, table in tables.items():
        shape = (len(table), len(table[0]) if table else 0)
        square = all(len(row) == shape[1] for row in table)
        known = (card.layers or shape[0], card.heads or shape[1])
        expect(square and shape == known, f"{who}: {name} must have shape {known} (layers, heads), got {shape}.")
    for layer, row in enumerate(span.mass):
        for head, mass in enumerate(row):
            where = f"layer {layer}, head {head}"
            fits = 0 <= mass <= 1 + 1e-4 and 0 <= reply.sink[layer][head] <= 1 + 1e-4
            expect(fits, f"{who}: attention weights must lie in [0, 1] at {where}.")
            highest = math.log(reply.keys) + 1e-3
            expect(-1e-4 <= reply.entropy[layer][head] <= highest, f"{who}: entropy out of [0, ln keys] at {where}.")
            low, high = _mass_between(span.margin[layer][head], tokens)
            expect(
                low - 1e-3 <= mass <= high + 1e-3,
                f"{who}: at {where} a margin of {span.margin[layer][head]:.3g} nats over {tokens} tokens allows a mass "
                f"in [{low:.3g}, {high:.3g}], got {mass:.3g}.",
            )


def _mass_between(margin: float, tokens: int) -> tuple[float, float]:
    """The masses that a span can have: its best key alone, and all its keys as good as the best."""

    def share(logit: float) -> float:
        return 1 / (1 + math.exp(min(-logit, 700.0)))

    return share(margin), share(margin + math.log(tokens))


def _check_see(who: str, model: Sees) -> None:
    _check_batch(who, "see", model.see)
    images: tuple[tuple[bytes, ...], ...] = ((half_black_png(),), (b"no image at all",))
    requests = [See(messages=_user("Which side is dark?"), images=image, max_tokens=_MAX_TOKENS) for image in images]
    if isinstance(model, Studies):
        model.study([Case(id="see", ask=request, gold=("right",), lures=("left",)) for request in requests[:1]])
    good, _ = replies = collect(who, "see", model.see(requests), 2)
    for reply in replies:
        _check_generated(who, reply, _MAX_TOKENS)
    expect(good.finish != "error", f"{who}: an ordinary picture cannot be seen: {good.error}")
    _check_early_close(who, "see", model.see, requests)


def _check_require(who: str, model: Model, capability: type[Any]) -> None:
    has: Literal[True, False] = isinstance(model, capability)
    try:
        got = require(model, capability)
    except CapabilityError as error:
        refused = not has and who in str(error)
        expect(refused, f"{who}: `require` refuses {capability.__name__}: {error}")
    else:
        expect(has and got is model, f"{who}: `require` gives another model for {capability.__name__}.")
