"""Declining to answer where the model is not sure enough."""

import math
from collections.abc import Generator, Sequence
from typing import Literal, TypeAlias

import msgspec

from hardlimit.core import Generate, Generated, InvalidValueError, Score, Scored, Value
from hardlimit.mitigations.asking import abstention, check_samples, question_of, said, sampled
from hardlimit.mitigations.policy import Dialogue
from hardlimit.mitigations.sampling import margin, verdict_requests

Signal: TypeAlias = Literal["sequence probability", "self-consistency", "P(True)"]
"""How sure a model is, read from outside: the probability of its reply, the share of samples that agree with it, or the
probability that it calls its own answer right."""

ConfidentDialogue: TypeAlias = Generator[
    Sequence[Generate | Score], list[Generated | Scored], tuple[Generated, float | None]
]
"""A dialogue that ends with an answer and how sure the model is of it."""


class Abstain(Value, frozen=True):
    """Answers only where a confidence signal reaches a threshold, else says that it does not know.

    The threshold belongs to a signal, a model and a kind of question. Choose it on labelled answers, for a bound on the
    risk with `stats.conformal`, or as t/(1 + t) for an error that costs t times what an answer is worth (HALL-10).

    Args:
        threshold: least confidence that is answered, in [0, 1].
        signal: where the confidence is read.
        k: samples of self-consistency, >= 1.
        temperature: of those samples, > 0.

    >>> from hardlimit.core import Message
    >>> policy = Abstain(threshold=0.5, signal="sequence probability")
    >>> dialogue = policy.answer(Generate(messages=(Message(role="user", content="2+2?"),), max_tokens=4))
    >>> next(dialogue)[0].logprobs
    True
    >>> try:
    ...     dialogue.send([Generated(text="5", finish="stop", token_logprobs=(math.log(0.4),))])
    ... except StopIteration as stop:
    ...     stop.value.text
    "I don't know."
    """

    threshold: float
    signal: Signal = "self-consistency"
    k: int = 5
    temperature: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        check_samples("Abstain", self.k, self.temperature)
        if not 0.0 <= self.threshold <= 1.0:
            raise InvalidValueError(f"Abstain.threshold must lie in [0, 1], got {self.threshold:g}.")

    def answer(self, request: Generate) -> Dialogue:
        """Ask, read the confidence, answer or decline."""
        reply, confidence = yield from confident(request, self.signal, k=self.k, temperature=self.temperature)
        # An answer without a reading of confidence is not a sure one; a failure stays a failure.
        if reply.finish == "error" or said(reply) is None:
            return reply
        return reply if confidence is not None and confidence >= self.threshold else abstention()


def confident(request: Generate, signal: Signal, *, k: int, temperature: float) -> ConfidentDialogue:
    """Ask for an answer and read how sure the model is of it, in as few rounds as the signal takes.

    Returns:
        The reply, and the confidence in [0, 1], or None where the model gives none.
    """
    greedy = msgspec.structs.replace(request, logprobs=True)
    if signal == "self-consistency":
        first, *samples = yield [greedy, *sampled(request, k, temperature)]
        assert isinstance(first, Generated)
        mine = said(first)
        got = [said(sample) for sample in samples if isinstance(sample, Generated) and sample.finish != "error"]
        return first, (sum(other == mine for other in got) / len(got) if got and mine is not None else None)
    (first,) = yield [greedy]
    assert isinstance(first, Generated)
    if signal == "sequence probability":
        return first, sequence_probability(first)
    answer = said(first)
    if answer is None:
        return first, None
    yes, no = yield list(verdict_requests(question_of(request), answer))
    odds = margin(yes, no)
    return first, None if math.isinf(odds) else 1 / (1 + math.exp(-max(-700.0, min(700.0, odds))))


def sequence_probability(reply: Generated) -> float | None:
    """Probability of a whole reply; None where its tokens have none."""
    return None if not reply.token_logprobs else math.exp(min(0.0, sum(reply.token_logprobs)))
