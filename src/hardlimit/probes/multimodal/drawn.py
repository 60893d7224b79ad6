"""Drawn pictures in pairs: the same question about two pictures, with two different answers."""

import zlib
from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import msgspec
import numpy as np

from hardlimit.core import (
    Case,
    Generate,
    Generated,
    Grade,
    InvalidValueError,
    Limit,
    Message,
    Quantity,
    Scalar,
    Scored,
    See,
    Value,
    quantity,
)
from hardlimit.probes.grading import grade_reply
from hardlimit.probes.multimodal.canvas import Canvas, Look
from hardlimit.probes.multimodal.tasks import TASKS, Pair, Pen, Task, knob_of, spelled

Setting: TypeAlias = Literal["picture", "no picture", "wrong picture", "caption"]
"""The picture itself; none; that of another pair; or its description in words, which tells the answer."""

MAX_TOKENS = 24
LEAST_PIXELS = 32
ASKS_FOR = " Answer "
TELLING = (
    "Here is a description of a picture.",
    "Somebody describes a picture.",
    "This is what the picture shows.",
    "In words, the picture is this.",
    "There is a picture, told in words.",
)


class Drawn(Value, frozen=True):
    """Asks about pictures drawn by code, always two pictures for one question with two different answers.

    Both pictures of a pair have the same background, sizes, places and colours, drawn afresh for each pair, so that
    nothing but what is asked tells the answers apart. Whoever answers from the question alone gives the same answer
    twice and has no pair right; whoever guesses between two answers has one pair in four.

    Args:
        task: what is drawn and asked.
        knob: difficulty, open-ended, in the task's own unit (see `TASKS`); None for its usual value.
        pixels: side of the pictures.
        setting: `picture`, or one of the controls.

    Source:
        Rahmanzadehgervi et al. (2024), Vision language models are blind, arXiv:2407.06581, for seven of the tasks;
        Tong et al. (2024), Eyes Wide Shut?, arXiv:2401.06209, for pairs. Drawings and wording are this package's own.

    >>> first, second = Drawn(task="circles", pixels=64).cases(seed=0, n=2)
    >>> first.ask.messages == second.ask.messages, {first.gold, second.gold} == {("yes",), ("no",)}
    (True, True)
    """

    task: Task = "circles"
    knob: float | None = None
    pixels: int = 224
    setting: Setting = "picture"
    name: ClassVar[str] = "multimodal.drawn"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.MULTIMODAL
    quantity: ClassVar[Quantity] = quantity.ACCURACY

    def __post_init__(self) -> None:
        super().__post_init__()
        knob_of(self.task, self.knob)
        if self.pixels < LEAST_PIXELS:
            raise InvalidValueError(f"Drawn.pixels must be >= {LEAST_PIXELS}, got {self.pixels}.")

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Make `n` cases, pair by pair; the first m of n cases are those of m.

        Raises:
            InvalidValueError: `n` < 1.
        """
        if n < 1:
            raise InvalidValueError(f"Drawn.cases needs n >= 1, got {n}.")
        return [case for index in range(-(-n // 2)) for case in self.pair(seed, index)][:n]

    def draw(self, seed: int, index: int) -> Pair:
        """Draw one pair of pictures, in random order."""
        rng = self._rng(seed, index)
        look = Look.draw(rng)
        pair = TASKS[self.task].draw(Pen(rng, look, knob_of(self.task, self.knob), self.pixels, seed + index))
        return pair if rng.random() < 0.5 else _turned(pair)

    def _rng(self, seed: int, index: int) -> np.random.Generator:
        return np.random.default_rng([seed, index, zlib.crc32(self.task.encode())])

    def pair(self, seed: int, index: int) -> tuple[Case, Case]:
        """Make the two cases of a pair: one question, two pictures."""
        pair = self.draw(seed, index)
        shown = pair.pictures
        if self.setting == "wrong picture":
            # Another seed's pairs are drawn independently of this one's, also of the order of its answers.
            shown = self.draw(seed + 2**31, index).pictures
        return self._case(pair, shown, 0, (seed, index)), self._case(pair, shown, 1, (seed, index))

    def _case(self, pair: Pair, shown: Sequence[Canvas], member: int, drawn: tuple[int, int]) -> Case:
        knob = knob_of(self.task, self.knob)
        cluster = f"{self.task}:{knob:g}:{drawn[0]}:{drawn[1]}"
        factors: dict[str, Scalar] = {
            "task": self.task,
            "setting": self.setting,
            "knob": knob,
            "pair": drawn[1],
            "member": member,
            "answer": pair.answers[member],
        }
        if pair.place is not None:
            factors |= {"row": pair.place[0], "column": pair.place[1]}
        if pair.kinds:
            factors["kinds"] = pair.kinds
        gold = accepted(pair.answers[member])
        lures = tuple(way for option in pair.options for way in accepted(option) if way not in gold)
        return Case(
            id=f"{cluster}:{self.setting}:{self.pixels}:{member}",
            ask=self._ask(pair, shown[member], member, drawn[1]),
            gold=gold,
            lures=lures,
            factors=factors,
            cluster=cluster,
        )

    def _ask(self, pair: Pair, shown: Canvas, member: int, index: int) -> See | Generate:
        if self.setting == "caption":
            told = f"{TELLING[index % len(TELLING)]} {pair.captions[member]} {pair.question}"
            return Generate(messages=_user(told), max_tokens=MAX_TOKENS)
        images = () if self.setting == "no picture" else (shown.png(),)
        return See(messages=_user(pair.question), images=images, max_tokens=MAX_TOKENS)

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade by the answers that the question may have."""
        return graded(case, reply, exact=self.task == "letter")

    def controls(self) -> dict[str, "Drawn"]:
        """The settings whose outcome is known.

        `trivial`: a description that tells the answer stands in place of the picture. `impossible`: no picture.
        `shortcut`: the picture of another pair, whose answer is independent of the right one.
        """
        replace = msgspec.structs.replace
        return {
            "trivial": replace(self, setting="caption"),
            "impossible": replace(self, setting="no picture"),
            "shortcut": replace(self, setting="wrong picture"),
        }


def accepted(answer: str) -> tuple[str, ...]:
    """Ways to write an answer that count as it.

    >>> accepted("3"), accepted("yes")
    (('3', 'three'), ('yes',))
    """
    return spelled(int(answer)) if answer.isdecimal() else (answer,)


def graded(case: Case, reply: Generated | Scored, *, exact: bool = False) -> tuple[Grade, str | None]:
    """Grade an answer to a question that lists its options behind ` Answer `, which is no part of what is asked."""
    asked = case.ask.messages[-1].content.partition(ASKS_FOR)[0]
    return grade_reply(reply, gold=case.gold, lures=case.lures, question=asked, exact=exact)


def _user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def _turned(pair: Pair) -> Pair:
    return pair._replace(answers=pair.answers[::-1], pictures=pair.pictures[::-1], captions=pair.captions[::-1])
