"""Needles in a haystack: sentences about persons, hidden in a long story, and a question about each."""

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
    Scored,
    Value,
    quantity,
)
from hardlimit.probes.context.associations import NAMES, Association, associations
from hardlimit.probes.context.haystack import Count, Haystack, bury, words_times
from hardlimit.probes.grading import grade_reply

Variant: TypeAlias = Literal["no overlap", "literal", "distractor"]
"""How a question relates to its needle: by one step of knowledge without a shared word; in the needle's own words; or
by one step while a rival needle of the same form, about something else and somebody else, stands elsewhere."""

Setting: TypeAlias = Literal["plain", "bare", "removed", "unseen"]
"""The whole story; the needles without the story; the story without its needles; the question alone."""

MOST_NEEDLES = 16
MAX_TOKENS = 32
INSTRUCTION = "Read the story and answer the question."
QUESTION = "\n\nQuestion: "
ASKS_FOR = " Answer in one full sentence."


class Needle(Value, frozen=True):
    """Asks about sentences hidden at different depths of one story.

    Every haystack is a story of its own with its own needles. Each needle names another person and is asked about in a
    question of its own at the end of the prompt, so that all questions about a haystack share everything before the
    question. `no overlap` and `literal` ask about the same needles in the same haystacks: they are paired by seed and
    index. To abstain is not offered, since every question has its answer; a model that abstains all the same is
    counted as having abstained.

    A guesser who names one of the persons in the story is right in one of `1 + len(case.lures)` cases.

    Args:
        variant: how the questions relate to the needles.
        length: of the story in tokens, needles included; open-ended. The factor `tokens` says what was reached.
        needles: per haystack, each with its question, in [1, 16]; their number is the same at every length, so that
            length alone makes it harder.
        depths: where the needles stand, 0 at the beginning and 1 at the end; empty for one needle at random in each
            of as many equal stretches.
        tokens_per_word: of the estimate of lengths that `cases` uses; `haystack` takes a model's own count.
        setting: `plain`, or one of the controls.

    Source:
        Modarressi et al. (2025), NoLiMa: Long-Context Evaluation Beyond Literal Matching, arXiv:2502.05167, for needles
        without lexical overlap; associations, story and wording are this package's own.

    >>> first, *others = Needle(length=400).cases(seed=0, n=8)
    >>> first.gold[0] in first.ask.messages[0].content, len(first.lures), {case.cluster for case in others}
    (True, 7, {'0:0:400'})
    """

    variant: Variant = "no overlap"
    length: int = 1024
    needles: int = 8
    depths: tuple[float, ...] = ()
    tokens_per_word: float = 1.4
    setting: Setting = "plain"
    name: ClassVar[str] = "context.needle"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.CONTEXT
    quantity: ClassVar[Quantity] = quantity.ACCURACY

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.length < 1 or not 1 <= self.needles <= MOST_NEEDLES or self.tokens_per_word <= 0:
            raise InvalidValueError(
                f"Needle needs length >= 1, needles in [1, {MOST_NEEDLES}] and tokens_per_word > 0, got "
                f"length={self.length}, needles={self.needles}, tokens_per_word={self.tokens_per_word:g}."
            )
        if self.depths and (len(self.depths) != self.needles or not all(0 <= depth <= 1 for depth in self.depths)):
            raise InvalidValueError(
                f"Needle.depths must be empty, or one number in [0, 1] for each of the {self.needles} needles, "
                f"got {self.depths}."
            )

    @property
    def chance(self) -> float:
        """Accuracy of naming one of the story's persons at random."""
        return 1 / (self.needles * (2 if self.variant == "distractor" else 1))

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Make `n` cases, haystack by haystack; the first m of n cases are those of m.

        Raises:
            InvalidValueError: `n` < 1, or a length too short for its needles.
        """
        if n < 1:
            raise InvalidValueError(f"Needle.cases needs n >= 1, got {n}.")
        haystacks = range(-(-n // self.needles))
        return [case for index in haystacks for case in self.haystack(seed, index)][:n]

    def haystack(self, seed: int, index: int, count: Count | None = None) -> list[Case]:
        """Make the questions about one haystack.

        Args:
            seed: of the experiment.
            index: of the haystack, >= 0: another index is another story with other needles.
            count: counts tokens as the model under test does; the estimate from words if None.

        Raises:
            InvalidValueError: the length is too short for the needles.
        """
        hidden = _draw(seed, index, self.needles)
        depths = self._depths(seed, index)
        story = self._story(hidden, depths, seed, index, count or words_times(self.tokens_per_word))
        people = [one.person for one in hidden]
        people += [one.rival for one in hidden] if self.variant == "distractor" else []
        return [self._case(story, hidden, depths, place, people, (seed, index)) for place in range(self.needles)]

    def _depths(self, seed: int, index: int) -> tuple[float, ...]:
        if self.depths:
            return self.depths
        offsets = np.random.default_rng([seed, index, 2]).random(self.needles)
        return tuple(float((place + offset) / self.needles) for place, offset in enumerate(offsets))

    def _story(
        self, hidden: Sequence["_Hidden"], depths: Sequence[float], seed: int, index: int, count: Count
    ) -> Haystack:
        needles = [one.fact.needle(one.person) for one in hidden]
        if self.variant == "distractor":
            # A rival stands half a story away, so that nearness does not tell the two apart.
            needles += [one.rival_fact.needle(one.rival) for one in hidden]
            depths = [*depths, *((depth + 0.5) % 1.0 for depth in depths)]
        if self.setting == "removed":
            needles, depths = [], []
        length = self.length if self.setting in ("plain", "removed") else None
        rng = np.random.default_rng([seed, index, 1])
        return bury(needles, depths, length=length, count=count, rng=rng)

    def _case(
        self,
        story: Haystack,
        hidden: Sequence["_Hidden"],
        depths: Sequence[float],
        place: int,
        people: Sequence[str],
        drawn: tuple[int, int],
    ) -> Case:
        one = hidden[place]
        cluster = f"{drawn[0]}:{drawn[1]}:{self.length}" + (":rivals" if self.variant == "distractor" else "")
        factors: dict[str, bool | int | float | str] = {
            "variant": self.variant,
            "length": self.length,
            "haystack": drawn[1],
            "tokens": 0 if self.setting == "unseen" else story.tokens,
            "depth": depths[place] if self.depths else (place + 0.5) / self.needles,
            "association": one.fact.key,
        }
        body = f"{INSTRUCTION}\n\n"
        if self.setting in ("plain", "bare"):
            start, end = story.spans[place]
            factors |= {"start": len(body) + start, "end": len(body) + end}
            factors["position"] = start / len(story.text)
        body += "" if self.setting == "unseen" else story.text
        question = one.fact.literal if self.variant == "literal" else one.fact.question
        content = f"{body.rstrip()}{QUESTION}{question}{ASKS_FOR}"
        return Case(
            id=f"{self.variant}-{self.setting}-{cluster}-{place}",
            ask=Generate(messages=(Message(role="user", content=content),), max_tokens=MAX_TOKENS),
            gold=(one.person,),
            lures=tuple(name for name in people if name != one.person),
            factors=factors,
            cluster=cluster,
        )

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade by name: the right person, somebody else, or nobody."""
        others = tuple(name for name in NAMES if name not in case.gold)
        return grade_reply(reply, gold=case.gold, lures=others, question=_question(case))

    def controls(self) -> dict[str, "Needle"]:
        """The settings whose outcome is known.

        `trivial`: one needle in its own words, without a story. `impossible`: the story without its needles.
        `shortcut`: the question without the story, which only a name that tells something could answer.
        """
        replace = msgspec.structs.replace
        return {
            "trivial": replace(self, variant="literal", setting="bare", needles=1, depths=()),
            "impossible": replace(self, setting="removed"),
            "shortcut": replace(self, setting="unseen"),
        }


class _Hidden(Value, frozen=True):
    """A needle and its rival: who, and what is told of them."""

    person: str
    fact: Association
    rival: str
    rival_fact: Association


def _draw(seed: int, index: int, needles: int) -> list[_Hidden]:
    """Draw a haystack's needles: persons and facts afresh each time, so that a name tells nothing."""
    rng = np.random.default_rng([seed, index, 0])
    people = [NAMES[int(i)] for i in rng.permutation(len(NAMES))]
    known = associations(int(rng.integers(10)))
    facts = [known[int(i)] for i in rng.permutation(len(known))]
    chosen = _of_different_forms(facts, needles)
    spare = [fact for fact in facts if fact not in chosen]
    made = []
    for place, fact in enumerate(chosen):
        rival = next(other for other in spare if other.form == fact.form)
        spare.remove(rival)
        made.append(_Hidden(person=people[place], fact=fact, rival=people[-1 - place], rival_fact=rival))
    return made


def _of_different_forms(facts: Sequence[Association], needles: int) -> list[Association]:
    """Take facts in order; a turn of phrase returns only when all others have been used as often."""
    chosen: list[Association] = []
    used: dict[str, int] = {}
    while len(chosen) < needles:
        left = [fact for fact in facts if fact not in chosen]
        least = min(used.get(fact.form, 0) for fact in left)
        fact = next(fact for fact in left if used.get(fact.form, 0) == least)
        used[fact.form] = used.get(fact.form, 0) + 1
        chosen.append(fact)
    return chosen


def _question(case: Case) -> str:
    asked = case.ask.messages[-1].content
    return asked.rpartition(QUESTION)[2].removesuffix(ASKS_FOR)
