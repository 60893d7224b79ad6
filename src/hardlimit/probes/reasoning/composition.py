"""Composition: two or more tables in the prompt, looked up one after the other."""

import re
from typing import ClassVar, Self

import msgspec
import numpy as np

from hardlimit.core import Case, InvalidValueError
from hardlimit.probes.reasoning.answering import wrongs
from hardlimit.probes.reasoning.family import Family, Item, problem_of, unsolvable
from hardlimit.probes.reasoning.naming import named

MOST = 1_000
MOST_TABLES = 6


class Composition(Family, frozen=True):
    """Asks for f(g(x)), where both functions are random bijections written out as tables.

    Everybody has exactly one friend, one teacher and so on, each a person of the next group, so that every step is one
    lookup in a table of n lines and every answer is as likely as any other. Depth stays, while the tables grow.

    Args:
        entries: of each table, n >= 2; the knob.
        functions: tables to look up in a row, in [1, 6].

    Source:
        Peng, Narayanan & Papadimitriou (2024), On Limitations of the Transformer Architecture, arXiv:2402.08164, for
        composition over a growing domain; wording and construction are this package's own.

    >>> case = Composition(entries=4).cases(seed=0, n=1)[0]
    >>> Composition().solve(case) == case.gold[0], len(case.lures)
    (True, 3)
    """

    entries: int = 4
    functions: int = 2
    name: ClassVar[str] = "reasoning.composition"
    unit: ClassVar[str] = "entries of each table"
    levels: ClassVar[tuple[int, ...]] = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
    form: ClassVar[str] = "one name"

    def _check(self) -> None:
        if not 2 <= self.entries <= MOST or not 1 <= self.functions <= MOST_TABLES:
            raise InvalidValueError(
                f"Composition needs entries in [2, {MOST}] and functions in [1, {MOST_TABLES}], got "
                f"entries={self.entries}, functions={self.functions}."
            )

    @property
    def level(self) -> int:
        """Entries of each table."""
        return self.entries

    def at(self, level: int) -> Self:
        """The same with tables of another size."""
        return msgspec.structs.replace(self, entries=level)

    @property
    def difficulty(self) -> float:
        """Entries of each table."""
        return float(self.entries)

    @property
    def chance(self) -> float:
        """One in as many as the last table has entries."""
        return 1 / self.entries

    def _tokens(self) -> int:
        return 64 + 24 * self.functions if self.scratchpad else 24

    def draw(self, rng: np.random.Generator) -> Item:
        """Draw the tables and an argument."""
        n = self.entries
        people = named(n * (self.functions + 1), rng)
        groups = [people[start : start + n] for start in range(0, len(people), n)]
        relations = [RELATIONS[int(i)] for i in rng.permutation(len(RELATIONS))[: self.functions]]
        lines, chain = [], [groups[0][int(rng.integers(n))]]
        for relation, left, right in zip(relations, groups, groups[1:], strict=False):
            image = dict(zip(left, (right[int(i)] for i in rng.permutation(n)), strict=True))
            chain.append(image[chain[-1]])
            lines += [f"The {relation} of {person} is {image[person]}." for person in left]
        shuffled = [lines[int(i)] for i in rng.permutation(len(lines))]
        nested = " of ".join(f"the {relation}" for relation in reversed(relations))
        options = sorted(groups[-1])
        last = next(line for line in reversed(shuffled) if line.rstrip(".").rpartition(" ")[2] in options)
        return Item(
            facts="\n".join(shuffled),
            question=f"Who is {nested} of {chain[0]}?",
            gold=chain[-1],
            wrong=wrongs(options, chain[-1]),
            steps=tuple(
                f"{number}. The {relation} of {person} is {image}."
                for number, (relation, person, image) in enumerate(zip(relations, chain, chain[1:], strict=False), 1)
            ),
            results=tuple(chain[1:]),
            withheld=f"Each of these persons has a {' and a '.join(relations)}; in the end there are "
            f"{', '.join(options)}.",
            blind=f"Who is {nested} of a person who is not named?",
            shortcuts={"last in the list": last.rstrip(".").rpartition(" ")[2]},
        )

    def solve(self, case: Case) -> str:
        """Look the argument up in the tables that the prompt tells."""
        facts, question = problem_of(case)
        tables: dict[tuple[str, str], str] = {
            (relation, person): image
            for relation, person, image in re.findall(r"^The (\w+) of (\w+) is (\w+)\.$", facts, re.MULTILINE)
        }
        asked = re.match(r"Who is ((?:the \w+ of )+)(\w+)\?", question)
        if asked is None:
            raise unsolvable(case, "it does not name the person that is asked about")
        at = asked.group(2)
        for relation in reversed(re.findall(r"the (\w+) of", asked.group(1))):
            if (relation, at) not in tables:
                raise unsolvable(case, f"it tells no {relation} of {at}")
            at = tables[relation, at]
        return at


RELATIONS = ("friend", "teacher", "neighbour", "doctor", "cousin", "boss", "driver", "tailor", "partner", "trainer")
"""Relations that a person has to exactly one other; none of them implies anything about another."""
