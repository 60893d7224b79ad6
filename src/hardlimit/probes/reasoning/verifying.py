"""Verifiers: a model that judges its own answers, and a program whose errors are planted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, TypeAlias

import numpy as np
from scipy import special

from hardlimit.core import (
    Answered,
    Case,
    Generate,
    Generated,
    Grade,
    Limit,
    Message,
    Quantity,
    Score,
    Scored,
    Value,
    quantity,
)
from hardlimit.probes.grading import fold, grade_reply
from hardlimit.probes.grading.cleaning import clean
from hardlimit.probes.reasoning.family import problem_of

Verdicts: TypeAlias = Mapping[str, bool]
"""Whether a verifier accepts a sample, by the sample's case id."""

PLANTED = (0.9, 0.1)
"""Chances that the program verifier accepts a right and a wrong answer: a grader with planted flips."""

_LONGEST_QUOTE = 120
_YES = frozenset({"yes", "true", "right", "correct"})
_NO = frozenset({"no", "false", "wrong", "incorrect"})


class SelfCheck(Value, frozen=True):
    """Asks a model whether an answer that it gave is right.

    Args:
        scored: whether it is asked by the likelihood of Yes against No, or for a word.
    """

    scored: bool = True
    name: ClassVar[str] = "reasoning.self_check"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.REASONING
    quantity: ClassVar[Quantity] = quantity.ACCURACY

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Ask about right and wrong sums in turn."""
        rng = np.random.default_rng(seed)
        made = []
        for index in range(n):
            a, b = (int(x) for x in rng.integers(10, 50, size=2))
            question = f"What is {a} + {b}?"
            said = a + b + (7 if index % 2 else 0)
            made += self._asks(f"{seed}-{index}", question, str(said), right=index % 2 == 0, cluster="")
        return made[:n]

    def about(self, samples: Iterable[Answered]) -> list[Case]:
        """Ask about each different answer to each problem once."""
        made: dict[str, list[Case]] = {}
        for item in samples:
            name = asked_as(item)
            if name is not None and name not in made:
                text = "\n\n".join(problem_of(item.case))
                said = " ".join(str(item.answer).split())[:_LONGEST_QUOTE]
                made[name] = self._asks(name, text, said, right=item.grade is Grade.RIGHT, cluster=item.case.cluster)
        return [case for cases in made.values() for case in cases]

    def _asks(self, name: str, question: str, said: str, *, right: bool, cluster: str) -> list[Case]:
        text = f"{question}\nProposed answer: {said}\nIs the proposed answer right? Reply with one word, Yes or No."
        messages = (Message(role="user", content=text),)
        words = ("Yes", "No") if self.scored else ("",)
        gold, lure = ("Yes", "No") if right else ("No", "Yes")
        return [
            Case(
                id=f"{name}/{word or 'said'}",
                ask=Score(messages=messages, continuation=word)
                if self.scored
                else Generate(messages=messages, max_tokens=4),
                gold=(gold,),
                lures=(lure,),
                factors={"answer_of": name},
                cluster=cluster,
            )
            for word in words
        ]

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade a verdict; a likelihood alone is graded by whether the model would say just that."""
        if isinstance(reply, Scored):
            if reply.error is not None:
                return Grade.FAILED, None
            asked = case.ask.continuation if isinstance(case.ask, Score) else ""
            return (Grade.RIGHT if reply.greedy == (asked in case.gold) else Grade.WRONG), asked
        said = _word(reply.text) if reply.finish in ("stop", "length") else None
        if said is None:
            grade, _ = grade_reply(reply, gold=case.gold, lures=case.lures)
            return (Grade.MALFORMED if grade in (Grade.RIGHT, Grade.WRONG) else grade), None
        return (Grade.RIGHT if ("Yes" if said else "No") in case.gold else Grade.WRONG), "Yes" if said else "No"

    def controls(self) -> Mapping[str, "SelfCheck"]:
        """None: what it is worth is measured as its chances to accept right and wrong answers."""
        return {}


def _word(text: str) -> bool | None:
    words = [word.strip(".,!*:'\"").casefold() for word in clean(text).text.split()]
    return next((word in _YES for word in words if word in _YES | _NO), None)


def asked_as(item: Answered) -> str | None:
    """Name the question whether a sample's answer is right, None where it holds no answer; right ones share one."""
    if item.grade not in (Grade.RIGHT, Grade.WRONG) or item.answer is None:
        return None
    return f"{item.case.cluster}/is {fold(str(item.answer))[:_LONGEST_QUOTE]}"


def confidence(checks: Iterable[Answered]) -> dict[str, float]:
    """Chance that the model gives to an answer's being right, by the question's name."""
    scores: dict[str, dict[str, float]] = {}
    found: dict[str, float] = {}
    for item in checks:
        name = str(item.case.factors["answer_of"])
        if isinstance(item.reply, Scored) and isinstance(item.case.ask, Score):
            if item.reply.error is None:
                scores.setdefault(name, {})[item.case.ask.continuation] = item.reply.log_likelihood
        elif item.answer is not None:
            found[name] = float(item.answer == "Yes")
    for name, pair in scores.items():
        if len(pair) == 2:
            found[name] = float(special.expit(pair["Yes"] - pair["No"]))
    return found


def threshold(samples: Sequence[Answered], chance: Mapping[str, float]) -> float:
    """The confidence from which on accepting tells right from wrong best (Youden's J) in these samples.

    Source:
        Youden (1950), Cancer 3:32.
    """
    named = [(asked_as(item) or "", item.grade is Grade.RIGHT) for item in samples]
    known = [(chance[name], ok) for name, ok in named if name in chance]
    right = np.array([value for value, ok in known if ok])
    wrong = np.array([value for value, ok in known if not ok])
    if not right.size or not wrong.size:
        return 0.5
    cuts = np.unique(np.concatenate([right, wrong]))
    gain = [(right >= cut).mean() - (wrong >= cut).mean() for cut in cuts]
    return float(cuts[int(np.argmax(gain))])


def accepted(samples: Sequence[Answered], chance: Mapping[str, float], cut: float) -> dict[str, bool]:
    """Whether a verifier that accepts from a confidence on accepts each sample; what holds no answer it rejects."""
    return {item.case.id: chance.get(asked_as(item) or "", -1.0) >= cut for item in samples}


def flipped(samples: Sequence[Answered], *, seed: int, rates: tuple[float, float] = PLANTED) -> dict[str, bool]:
    """A program that knows the answer and accepts right ones and wrong ones with planted chances."""
    rng = np.random.default_rng([seed, 7])
    draws = rng.random(len(samples))
    return {
        item.case.id: bool(draw < (rates[0] if item.grade is Grade.RIGHT else rates[1]))
        for item, draw in zip(samples, draws, strict=True)
    }
