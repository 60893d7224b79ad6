"""Pointer chasing: everybody points to somebody, and a chain of pointers is followed."""

import itertools
import re
from collections.abc import Sequence
from typing import ClassVar, Self

import msgspec
import numpy as np

from hardlimit.core import Case, InvalidValueError
from hardlimit.probes.reasoning.answering import wrongs
from hardlimit.probes.reasoning.family import Family, Item, problem_of, unsolvable
from hardlimit.probes.reasoning.naming import named

MOST = 2_000
ONCE = "Whom does {} point to?"
OFTEN = "Start at {} and follow {} pointers. Whom do you reach?"


def _completed(sources: Sequence[str], targets: Sequence[str], rng: np.random.Generator) -> dict[str, str]:
    """Give every source a target of its own, at random but never itself; the first of each is not in the other."""
    while True:
        drawn = [targets[int(i)] for i in rng.permutation(len(targets))]
        if all(a != b for a, b in zip(sources, drawn, strict=True)):
            return dict(zip(sources, drawn, strict=True))


class Hops(Family, frozen=True):
    """Asks where k pointers in a row lead: a random function on named persons, applied k times.

    The chain passes through k + 1 different persons. Everybody is pointed to by exactly one other, so that no name
    occurs more often than another and none gives itself away. The answer is one name however long the chain is, so that
    depth alone grows. With a fixed number of persons, a chain may be no longer than they allow; by default there are as
    many as it takes, at least 8.

    Args:
        hops: pointers to follow, k >= 1; the knob.
        persons: in the table, >= k + 1, or None for as many as it takes.

    Source:
        Sanford, Hsu & Telgarsky (2024), Transformers, parallel computation, and logarithmic depth, arXiv:2402.09268,
        for k-hop problems as a measure of depth; wording and construction are this package's own.

    >>> case = Hops(hops=2).cases(seed=0, n=1)[0]
    >>> Hops().solve(case) == case.gold[0], len(case.lures)
    (True, 7)
    """

    hops: int = 2
    persons: int | None = None
    name: ClassVar[str] = "reasoning.hops"
    unit: ClassVar[str] = "pointers to follow"
    levels: ClassVar[tuple[int, ...]] = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
    form: ClassVar[str] = "one name"

    def _check(self) -> None:
        if not 1 <= self.hops < MOST or (
            self.persons is not None and not max(2, self.hops + 1) <= self.persons <= MOST
        ):
            raise InvalidValueError(
                f"Hops needs 1 <= hops < {MOST} and persons in [hops + 1, {MOST}] or None, got hops={self.hops}, "
                f"persons={self.persons}."
            )

    @property
    def level(self) -> int:
        """Pointers to follow."""
        return self.hops

    def at(self, level: int) -> Self:
        """The same with another number of pointers."""
        return msgspec.structs.replace(self, hops=level)

    @property
    def difficulty(self) -> float:
        """Pointers to follow."""
        return float(self.hops)

    @property
    def size(self) -> int:
        """Persons in the table."""
        return self.persons or max(8, self.hops + 1)

    @property
    def chance(self) -> float:
        """One in as many as there are persons."""
        return 1 / self.size

    def _shown(self) -> Sequence[int]:
        most = self.size - 1 if self.persons else 3
        return tuple(min(level, most) for level in (2, 1, 3))

    def _tokens(self) -> int:
        return 48 + 24 * self.hops if self.scratchpad else 24

    def draw(self, rng: np.random.Generator) -> Item:
        """Draw a table and a starting point."""
        people = named(self.size, rng)
        chain = people[: self.hops + 1]
        target = dict(itertools.pairwise(chain))
        target |= _completed(people[self.hops :], [people[0], *people[self.hops + 1 :]], rng)
        order = [people[int(i)] for i in rng.permutation(len(people))]
        start, gold = chain[0], chain[-1]
        question = ONCE if self.hops == 1 else OFTEN
        steps = tuple(
            f"{number}. {person} points to {target[person]}." for number, person in enumerate(chain[:-1], start=1)
        )
        return Item(
            facts="\n".join(f"{person} points to {target[person]}." for person in order),
            question=question.format(start, self.hops),
            gold=gold,
            wrong=wrongs(order, gold),
            steps=steps,
            results=tuple(chain[1:]),
            withheld=f"Each of these persons points to one of the others: {', '.join(order)}.",
            blind=question.format("one of them", self.hops),
            shortcuts={"start": start, "one pointer": chain[1], "last in the list": target[order[-1]]},
        )

    def solve(self, case: Case) -> str:
        """Follow the pointers that the prompt tells."""
        facts, question = problem_of(case)
        target = dict(re.findall(r"^(\w+) points to (\w+)\.$", facts, re.MULTILINE))
        asked = re.match(r"(?:Start at|Whom does) (\w+) (?:point to|and follow (\d+) pointers)", question)
        if asked is None or asked.group(1) not in target:
            raise unsolvable(case, "it does not tell where to start, or its pointers are missing")
        at = asked.group(1)
        for _ in range(int(asked.group(2) or 1)):
            at = target[at]
        return at
