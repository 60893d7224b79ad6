"""Pattern completion against inference: problems in a familiar form, and with one change that makes it misleading."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, TypeAlias
from zlib import crc32

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
    Value,
    quantity,
)
from hardlimit.probes.reasoning.answering import Wanted, grade_final, wrongs
from hardlimit.probes.reasoning.family import DIRECT, HINT, MOST_EXAMPLES, THINK, Setting
from hardlimit.probes.reasoning.naming import PEOPLE, THINGS, drawn
from hardlimit.probes.reasoning.puzzles import MAKERS, Twin

Change: TypeAlias = Literal["renamed", "numbers", "irrelevant", "reversed", "premise"]
"""What makes the familiar answer wrong: symbols stand for something else; a well-known number is another; a clause that
does not matter; a relation the other way round; one premise of a well-known puzzle."""

Form: TypeAlias = Literal["familiar", "changed"]

_CHANGES: tuple[Change, ...] = ("renamed", "numbers", "irrelevant", "reversed", "premise")
_GROUP = 8
_MISSES = 3


class Familiar(Value, frozen=True):
    """Asks the same problem in a familiar form and in one where the familiar answer is wrong.

    Cases come in pairs, changed after familiar, which share their question and nearly all of their words; the first
    lure of a changed problem is its familiar answer. Every problem is drawn: names, numbers and things, from several
    wordings for each kind of change.

    Args:
        kind: of change, or `all` in turn.
        scratchpad: whether the model is told to think step by step before it answers.
        max_tokens: of the reply; None for 24, or 256 with a scratchpad.
        examples: worked examples of the format before the problem, in [0, 8]; they are none of these puzzles.
        setting: `plain`, or one of the controls.
        forms: which forms are asked.

    >>> familiar, changed = Familiar(kind="premise").cases(seed=0, n=2)
    >>> familiar.cluster == changed.cluster, changed.lures[0] == familiar.gold[0], changed.gold != familiar.gold
    (True, True, True)
    """

    kind: Change | Literal["all"] = "all"
    scratchpad: bool = False
    max_tokens: int | None = None
    examples: int = 2
    setting: Setting = "plain"
    forms: tuple[Form, ...] = ("familiar", "changed")
    name: ClassVar[str] = "reasoning.familiar"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.REASONING
    quantity: ClassVar[Quantity] = quantity.FAMILIARITY_DROP

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.examples <= MOST_EXAMPLES or (self.max_tokens is not None and self.max_tokens < 1):
            raise InvalidValueError(
                f"Familiar needs examples in [0, {MOST_EXAMPLES}] and max_tokens >= 1 or None, got "
                f"examples={self.examples}, max_tokens={self.max_tokens}."
            )
        if not self.forms or len(set(self.forms)) != len(self.forms):
            raise InvalidValueError(f"Familiar.forms must be one or both of familiar and changed, got {self.forms}.")

    @property
    def budget(self) -> int:
        """Tokens that a reply may have."""
        return self.max_tokens or (256 if self.scratchpad else 24)

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Make `n` cases, pair by pair; the first m of n cases are those of m.

        Raises:
            InvalidValueError: `n` < 1.
        """
        if n < 1:
            raise InvalidValueError(f"Familiar.cases needs n >= 1, got {n}.")
        pairs = range(-(-n // len(self.forms)))
        return [self._case(seed, index, form) for index in pairs for form in self.forms][:n]

    def twin(self, seed: int, index: int) -> tuple[Change, Twin]:
        """Make the pair of a seed and index: the kind of change, and the puzzle in both forms."""
        kind = _CHANGES[index % len(_CHANGES)] if self.kind == "all" else self.kind
        rng = np.random.default_rng([seed, index, crc32(kind.encode())])
        makers = MAKERS[kind]
        # Half of the answers of two names would be the first: chance is what a guess among the options gives.
        return kind, makers[int(rng.integers(len(makers)))](rng)

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade by the final answer, a number or one of the options."""
        wanted = Wanted(
            gold=case.gold[0],
            options=case.lures,
            kind="number" if case.factors["answer"] == "number" else "option",
            thinks=bool(case.factors["scratchpad"]),
            told=case.ask.messages[-1].content,
        )
        return grade_final(reply, wanted)

    def controls(self) -> Mapping[str, "Familiar"]:
        """The settings whose outcome is known.

        `trivial`: the answer is told beside the question. `impossible`: the problem is withheld. `shortcut`: the
        changed form's question without its premise.
        """
        replace = msgspec.structs.replace
        return {
            "trivial": replace(self, setting="told"),
            "impossible": replace(self, setting="withheld", examples=0),
            "shortcut": replace(self, setting="blind", examples=0, forms=("changed",)),
        }

    def _case(self, seed: int, index: int, form: Form) -> Case:
        kind, twin = self.twin(seed, index)
        gold = twin.familiar if form == "familiar" else twin.gold
        number = not twin.options
        rng = np.random.default_rng([seed, index, crc32(b"misses")])
        lures = [twin.lure if gold == twin.gold else twin.gold]
        lures += _misses(gold, lures, rng) if number else [one for one in twin.options if one not in (gold, lures[0])]
        content = f"{self._instruction(number, twin)}\n\n{self._text(twin, form, gold)}"
        factors: dict[str, Scalar] = {
            "kind": kind,
            "form": form,
            "scratchpad": self.scratchpad,
            "budget": self.budget,
            "answer": "number" if number else "option",
            "pair": index,
        }
        mode = "steps" if self.scratchpad else "direct"
        messages = (*self._examples(seed, index // _GROUP), Message(role="user", content=content))
        return Case(
            id=f"{self.kind}-{mode}-{self.setting}-{seed}:{index}-{form}",
            ask=Generate(messages=messages, max_tokens=self.budget),
            gold=(gold,),
            lures=tuple(lures),
            factors=factors,
            cluster=f"{seed}:{index}:{kind}",
        )

    def _text(self, twin: Twin, form: Form, gold: str) -> str:
        premise = twin.usual if form == "familiar" else twin.changed
        if self.setting == "withheld":
            return "The text of this problem is lost; only how to reply is left."
        if self.setting == "blind":
            return twin.question
        return f"{premise} {twin.question}" + (HINT.format(answer=gold) if self.setting == "told" else "")

    def _instruction(self, number: bool, twin: Twin) -> str:
        form = "one number" if number else f"one of: {', '.join(twin.options)}"
        return (THINK if self.scratchpad else DIRECT).format(form=form)

    def _examples(self, seed: int, group: int) -> list[Message]:
        """Examples of the format: a number and a name, from problems without any trap."""
        rng = np.random.default_rng([seed, group, crc32(b"format")])
        messages = []
        for place in range(self.examples):
            if place % 2 == 0:
                a, b = int(rng.integers(11, 50)), int(rng.integers(11, 50))
                text, thought, answer = f"What is {a} + {b}?", f"{a} + {b} = {a + b}.", str(a + b)
                form = "one number"
            else:
                people, things = drawn(PEOPLE, 3, rng), drawn(THINGS, 3, rng)
                told = [f"{person} has a {thing}." for person, thing in zip(people, things, strict=True)]
                asked = int(rng.integers(3))
                text = f"{' '.join(told)} Who has a {things[asked]}?"
                thought, answer, form = told[asked], people[asked], f"one of: {', '.join(sorted(people))}"
            hint = HINT.format(answer=answer) if self.setting == "told" else ""
            instruction = (THINK if self.scratchpad else DIRECT).format(form=form)
            messages.append(Message(role="user", content=f"{instruction}\n\n{text}{hint}"))
            reply = f"{thought}\nAnswer: {answer}" if self.scratchpad else f"Answer: {answer}"
            messages.append(Message(role="assistant", content=reply))
        return messages


def _misses(gold: str, taken: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Wrong numbers near the right one, for models that guess."""
    near = [str(int(gold) + step) for step in (-3, -2, -1, 1, 2, 3) if int(gold) + step >= 0]
    free = wrongs([value for value in near if value not in taken], gold)
    return [free[int(i)] for i in rng.permutation(len(free))[: _MISSES - 1]]
