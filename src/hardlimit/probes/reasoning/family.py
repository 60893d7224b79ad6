"""What every family of reasoning problems has in common: a knob without an end, worked examples, a grader, a solver."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self, TypeAlias
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
from hardlimit.probes.reasoning.answering import Kind, Wanted, grade_final

Setting: TypeAlias = Literal["plain", "told", "blind", "withheld"]
"""The problem; the problem with its answer; the facts with a question that leaves out what it asks about; the question
without the facts."""

BATCH = 8
"""Cases that share their worked examples: a cluster."""

QUESTION = "\n\nQuestion: "
DIRECT = "Reply at once with 'Answer:' and {form}, nothing else."
THINK = "Think step by step, one step a line. Then end with a line of 'Answer:' and {form}."
HINT = " (The answer is known to be {answer}.)"
MOST_EXAMPLES = 8
LONGEST_PROMPT = 1_000_000  # characters; a knob without an end still needs a prompt that can be made


class Item(Value, frozen=True):
    """One problem.

    Args:
        question: what is asked about the facts.
        blind: the question without what it asks about.
        gold: the answer.
        wrong: wrong answers of the same kind; with `gold` all there are, where an answer is one of a list.
        facts: what is given.
        withheld: what stands in the place of the facts when they are withheld; names every option.
        steps: a right chain of thought, a line each.
        results: what each step arrives at, the last being the answer; one per step.
        shortcuts: answers that need no inference, by the name of the habit that gives them.
    """

    question: str
    blind: str
    gold: str
    wrong: tuple[str, ...]
    facts: str = ""
    withheld: str = ""
    steps: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    shortcuts: dict[str, str] = {}


class Family(Value, frozen=True):
    """A family of problems that one knob makes harder without an end; every subclass is a probe.

    A family draws problems, says how hard they are, words the answer it wants and solves a prompt by program. Cases
    come in batches of 8 that share their worked examples, so that a model which keeps what it has read computes them
    once. The same seed and index give the same problem with and without a scratchpad, at every token limit.

    Args:
        scratchpad: whether the model is told to think step by step before it answers.
        max_tokens: of the reply; None for what the family holds to be ample at this level.
        examples: worked examples before the problem, in [0, 8].
        setting: `plain`, or one of the controls.
    """

    scratchpad: bool = False
    max_tokens: int | None = None
    examples: int = 3
    setting: Setting = "plain"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.REASONING
    quantity: ClassVar[Quantity] = quantity.ACCURACY
    name: ClassVar[str]
    unit: ClassVar[str]
    """What difficulty counts, in words."""
    levels: ClassVar[tuple[int, ...]]
    """Levels from easy to hard where a search begins; there is no last one."""
    form: ClassVar[str]
    """The form of an answer, in the words of the instruction."""
    kind: ClassVar[Kind] = "option"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.examples <= MOST_EXAMPLES or (self.max_tokens is not None and self.max_tokens < 1):
            raise InvalidValueError(
                f"{type(self).__name__} needs examples in [0, {MOST_EXAMPLES}] and max_tokens >= 1 or None, got "
                f"examples={self.examples}, max_tokens={self.max_tokens}."
            )
        self._check()

    @property
    def family(self) -> str:
        """The family's name, such as `hops`."""
        return self.name.rpartition(".")[2]

    @property
    @abstractmethod
    def level(self) -> int:
        """Where the knob stands."""

    @abstractmethod
    def at(self, level: int) -> Self:
        """The same family with its knob at another level."""

    @property
    @abstractmethod
    def difficulty(self) -> float:
        """How hard this level is, in the family's unit, > 0 and increasing in the level."""

    @property
    @abstractmethod
    def chance(self) -> float:
        """Accuracy of a guess among the answers that the problem leaves open."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Item:
        """Draw a problem at this level."""

    @abstractmethod
    def solve(self, case: Case) -> str:
        """Compute the answer from the case's prompt alone.

        Raises:
            InvalidValueError: a prompt that this family did not write.
        """

    @abstractmethod
    def _check(self) -> None:
        """Refuse parameters that no problem can have."""

    def _shown(self) -> Sequence[int]:
        """Levels of the worked examples, easy ones whatever the level asked."""
        return (self.levels[1], self.levels[0], self.levels[2])

    def _form(self) -> str:
        return self.form

    def _tokens(self) -> int:
        """Tokens that are ample for a reply at this level."""
        return 32

    @property
    def budget(self) -> int:
        """Tokens that a reply may have."""
        return self.max_tokens or self._tokens()

    def item(self, seed: int, index: int) -> Item:
        """Make the problem of a seed and index."""
        return self.draw(np.random.default_rng([seed, index, crc32(self._mark().encode())]))

    def batch(self, seed: int, index: int) -> list[Case]:
        """Make the 8 cases of a batch; another index is another batch with other examples."""
        shown = self._examples(seed, index)
        return [self._case(shown, seed, index, place) for place in range(BATCH)]

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Make `n` cases, batch by batch; the first m of n cases are those of m.

        Raises:
            InvalidValueError: `n` < 1.
        """
        if n < 1:
            raise InvalidValueError(f"{type(self).__name__}.cases needs n >= 1, got {n}.")
        return [case for index in range(-(-n // BATCH)) for case in self.batch(seed, index)][:n]

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade by the final answer: behind its mark, else in the last line of the thinking, else anywhere."""
        wanted = Wanted(
            gold=case.gold[0],
            options=case.lures,
            kind=self.kind,
            thinks=bool(case.factors["scratchpad"]),
            told=case.ask.messages[-1].content,
        )
        return grade_final(reply, wanted)

    def controls(self) -> Mapping[str, "Family"]:
        """The settings whose outcome is known.

        `trivial`: the answer is told beside the question. `impossible`: the facts are withheld. `shortcut`: the facts
        are told, but not what is asked about, so that only a habit of the generator could give the answer away.
        """
        replace = msgspec.structs.replace
        return {
            "trivial": replace(self, setting="told"),
            "impossible": replace(self, setting="withheld"),
            "shortcut": replace(self, setting="blind"),
        }

    def _mark(self) -> str:
        """What tells this family's problems from others': its parameters, without how they are asked."""
        own = {name: getattr(self, name) for name in self.__struct_fields__ if name not in Family.__struct_fields__}
        return ",".join([self.family, *(f"{name}={value}" for name, value in own.items())])

    def _short(self) -> str:
        """The family and its parameters, for the names of cases."""
        own = [getattr(self, name) for name in self.__struct_fields__ if name not in Family.__struct_fields__]
        return "-".join([self.family, *(str(value) for value in own if value is not None)])

    def _examples(self, seed: int, index: int) -> list[Message]:
        # The instruction stands first, so that nothing comes between the question and its answer.
        messages = [Message(role="system", content=self.instruction())]
        levels = self._shown()
        for place in range(self.examples):
            easy = self.at(levels[place % len(levels)])
            key = crc32(f"{self.family} example".encode())
            item = easy.draw(np.random.default_rng([seed, index, place, key]))
            setting: Setting = "told" if self.setting == "told" else "plain"
            messages.append(Message(role="user", content=self.prompt(item, setting)))
            messages.append(Message(role="assistant", content=self.worked(item)))
        return messages

    def instruction(self) -> str:
        """How the model is to reply."""
        return (THINK if self.scratchpad else DIRECT).format(form=self._form())

    def prompt(self, item: Item, setting: Setting = "plain") -> str:
        """Word a problem."""
        facts = item.withheld if setting == "withheld" else item.facts
        question = item.blind if setting == "blind" else item.question
        if setting == "told":
            question += HINT.format(answer=item.gold)
        return f"{facts}{QUESTION}{question}"

    def worked(self, item: Item) -> str:
        """Write the model answer to a problem."""
        return "\n".join([*(item.steps if self.scratchpad else ()), f"Answer: {item.gold}"])

    def _case(self, shown: Sequence[Message], seed: int, index: int, place: int) -> Case:
        item = self.item(seed, index * BATCH + place)
        content = self.prompt(item, self.setting)
        if len(content) > LONGEST_PROMPT:
            raise InvalidValueError(
                f"A problem of {self.name} at level {self.level} takes {len(content):,} characters, more than "
                f"{LONGEST_PROMPT:,}; choose an easier level."
            )
        mode = "steps" if self.scratchpad else "direct"
        factors: dict[str, Scalar] = {
            "family": self.family,
            "difficulty": self.difficulty,
            "level": self.level,
            "scratchpad": self.scratchpad,
            "budget": self.budget,
            "steps": len(item.steps),
        }
        messages = (*shown, Message(role="user", content=content))
        return Case(
            id=f"{self._short()}-{mode}-{self.setting}-{seed}:{index}:{place}",
            ask=Generate(messages=messages, max_tokens=self.budget),
            gold=(item.gold,),
            lures=item.wrong,
            factors=factors,
            cluster=f"{seed}:{index}:{self.family}:{self.level}",
        )


def problem_of(case: Case) -> tuple[str, str]:
    """Split a case's prompt into its facts and its question.

    Raises:
        InvalidValueError: the prompt holds no question.
    """
    content = case.ask.messages[-1].content
    facts, mark, rest = content.rpartition(QUESTION)
    if not mark:
        raise InvalidValueError(f"Case '{case.id}' holds no problem of a reasoning family: its prompt has no question.")
    return facts, rest.partition("\n")[0]


def unsolvable(case: Case, why: str) -> InvalidValueError:
    """The error for a prompt that leaves no single answer."""
    return InvalidValueError(f"Case '{case.id}' cannot be solved from its prompt: {why}.")
