"""Confidence signals: how sure a model is of an answer, read from its reply or from follow-up requests."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from hardlimit.core import Answered, Case, Generate, Generated, Grade, InvalidValueError, Scored
from hardlimit.probes.grading import fold
from hardlimit.probes.hallucination.judging import Judgement, judged

Confidences: TypeAlias = Mapping[str, float]
"""Confidence in [0, 1] by case id; a case that is missing has none."""

SEQUENCE = "sequence probability"
TOKEN = "token probability"
STATED = "stated confidence"
CONSISTENCY = "self-consistency"
P_TRUE = "P(True)"


def sequence_probability(answered: Sequence[Answered]) -> dict[str, float]:
    """Probability of the whole reply, exp of the sum of its tokens' log-probabilities; only where they are given.

    >>> from hardlimit.core import Message
    >>> ask = Generate(messages=(Message(role="user", content="2+2?"),), max_tokens=4)
    >>> reply = Generated(text="4", finish="stop", token_logprobs=(math.log(0.5), math.log(0.5)))
    >>> item = Answered(case=Case(id="a", ask=ask, gold=("4",)), reply=reply, grade=Grade.RIGHT)
    >>> sequence_probability([item]), token_probability([item])
    ({'a': 0.25}, {'a': 0.5})
    """
    return {item.case.id: math.exp(sum(logprobs)) for item, logprobs in _with_logprobs(answered)}


def token_probability(answered: Sequence[Answered]) -> dict[str, float]:
    """Geometric mean of the tokens' probabilities: the sequence's, without its preference for short replies."""
    return {item.case.id: math.exp(sum(logprobs) / len(logprobs)) for item, logprobs in _with_logprobs(answered)}


def _with_logprobs(answered: Sequence[Answered]) -> list[tuple[Answered, tuple[float, ...]]]:
    found = []
    for item in answered:
        logprobs = item.reply.token_logprobs if isinstance(item.reply, Generated) else None
        if judged(item) and logprobs:
            found.append((item, tuple(min(0.0, value) for value in logprobs)))
    return found


def judgements(probe: Judgement, follow_ups: Sequence[Answered]) -> dict[str, float]:
    """Confidence that the model states about its own answers, from the answers to `probe.about(...)`."""
    found = {}
    for item in follow_ups:
        said = probe.read(item.reply)
        if said is not None:
            found[str(item.case.factors["about"])] = said
    return found


def resampled(case: Case, *, k: int, temperature: float = 0.7, seed: int = 0) -> tuple[Case, ...]:
    """Ask a case k times more at a temperature, each time with another sampling seed; its own probe grades them.

    Raises:
        InvalidValueError: k < 1, temperature <= 0, or a case that does not ask for text.
    """
    if k < 1 or temperature <= 0 or not isinstance(case.ask, Generate):
        raise InvalidValueError(
            f"Self-consistency needs k >= 1 samples of text at a temperature > 0, got k={k}, "
            f"temperature={temperature} and a {type(case.ask).__name__} request."
        )
    asks = [msgspec.structs.replace(case.ask, temperature=temperature, seed=seed + index) for index in range(k)]
    return tuple(
        msgspec.structs.replace(
            case, id=f"{case.id}/sample-{index}", ask=ask, factors={**case.factors, "about": case.id}
        )
        for index, ask in enumerate(asks)
    )


def self_consistency(answered: Sequence[Answered], samples: Sequence[Answered]) -> dict[str, float]:
    """Share of a case's samples that give the same answer as its first reply; failed samples do not count.

    Source:
        Wang et al. (2022), Self-consistency; Manakul et al. (2023), SelfCheckGPT.
    """
    by_case: dict[str, list[Answered]] = {}
    for sample in samples:
        if sample.grade is not Grade.FAILED:
            by_case.setdefault(str(sample.case.factors["about"]), []).append(sample)
    found = {}
    for item in answered:
        drawn = by_case.get(item.case.id, [])
        if judged(item) and drawn:
            found[item.case.id] = sum(same_answer(item, sample) for sample in drawn) / len(drawn)
    return found


def same_answer(first: Answered, second: Answered) -> bool:
    """Whether two replies to one question give one answer: both right, or the same words once folded."""
    if first.grade is Grade.RIGHT or second.grade is Grade.RIGHT:
        return first.grade is second.grade
    if first.answer is None or second.answer is None:
        return False
    return fold(first.answer) == fold(second.answer)


def p_true(scores: Mapping[str, tuple[Scored | None, Scored | None]]) -> dict[str, float]:
    """Probability of True against False, from the log-likelihoods that `truth_requests` asks for, by case id.

    >>> yes, no = (Scored(token_logprobs=(math.log(p),), greedy=False) for p in (0.3, 0.1))
    >>> round(p_true({"a": (yes, no)})["a"], 12)
    0.75
    """
    found = {}
    for case, (yes, no) in scores.items():
        if yes is not None and no is not None and yes.error is None and no.error is None:
            found[case] = 1 / (1 + math.exp(min(700.0, no.log_likelihood - yes.log_likelihood)))
    return found
