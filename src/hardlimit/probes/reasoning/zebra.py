"""Zebra puzzles: houses in a row, attributes that differ, clues that leave exactly one arrangement."""

import math
import re
from collections.abc import Sequence
from typing import ClassVar, Literal, Self, TypeAlias

import msgspec
import numpy as np

from hardlimit.core import Case, Generated, Grade, InvalidValueError, Scored
from hardlimit.probes.reasoning.answering import Kind, Wanted, grade_final, wrongs
from hardlimit.probes.reasoning.family import Family, Item, problem_of, unsolvable
from hardlimit.probes.reasoning.grids import Arrangement, Clue, Grid, read_clue, say
from hardlimit.probes.reasoning.naming import COLOURS, DRINKS, FRUITS, PEOPLE, PETS, THINGS, TRADES, drawn

Asks: TypeAlias = Literal["cell", "grid"]

MOST_HOUSES = 12
ATTRIBUTES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("name", PEOPLE, "{x}"),
    ("drink", DRINKS, "the {x} drinker"),
    ("pet", PETS, "the {x} owner"),
    ("colour", COLOURS, "the one in the {x} house"),
    ("fruit", FRUITS, "the {x} eater"),
    ("job", TRADES, "the {x}"),
    ("thing", THINGS, "the {x} collector"),
)
"""What differs from house to house: what it is called, its words, and how its owner is named."""

_WRONG_GRIDS = 3
GRID = "Who lives where with what?"
RULES = (
    "There are {n} houses in a row, numbered from 1 on the left to {n} on the right. One person lives in each house, "
    "and each of these belongs to exactly one of them:\n{lists}"
)


class Zebra(Family, frozen=True):
    """Asks about a puzzle of N houses with M attributes each, whose clues leave exactly one arrangement.

    Clues are true, none can be left out, and that they leave one arrangement is proved by SAT. Difficulty is the
    logarithm of the number of arrangements that the rules alone allow: log10 (N!)^M. `cell` asks for one attribute of
    one house, which no clue states; `grid` asks for all, in a line that a program reads.

    Args:
        houses: N, in [2, 12].
        attributes: M, in [1, 7]; the knob is both, written as the level N·100 + M.
        asks: `cell` or `grid`.

    Source:
        Lin et al. (2025), ZebraLogic, arXiv:2502.01100, for grids by the size of their search space; clues, wording and
        construction are this package's own.

    >>> case = Zebra(houses=3, attributes=2).cases(seed=0, n=1)[0]
    >>> Zebra().solve(case) == case.gold[0], round(case.factors["difficulty"], 2)
    (True, 1.56)
    """

    houses: int = 3
    attributes: int = 2
    asks: Asks = "cell"
    name: ClassVar[str] = "reasoning.zebra"
    unit: ClassVar[str] = "log10 of the arrangements"
    levels: ClassVar[tuple[int, ...]] = (201, 202, 203, 302, 303, 403, 404, 504, 505, 605, 606)
    kind: ClassVar[Kind] = "option"
    form: ClassVar[str] = "one word"

    def _form(self) -> str:
        if self.asks == "cell":
            return self.form
        return "for each house, from left to right, what belongs to it in the order of the list, divided by commas"

    def _check(self) -> None:
        if not 2 <= self.houses <= MOST_HOUSES or not 1 <= self.attributes <= len(ATTRIBUTES):
            raise InvalidValueError(
                f"Zebra needs houses in [2, {MOST_HOUSES}] and attributes in [1, {len(ATTRIBUTES)}], got "
                f"houses={self.houses}, attributes={self.attributes}."
            )

    @property
    def level(self) -> int:
        """N·100 + M."""
        return 100 * self.houses + self.attributes

    def at(self, level: int) -> Self:
        """The same with a grid of another size, N·100 + M."""
        houses, attributes = divmod(level, 100)
        return msgspec.structs.replace(self, houses=houses, attributes=attributes)

    @property
    def difficulty(self) -> float:
        """log10 of (N!)^M, the arrangements that the rules allow."""
        return self.attributes * math.lgamma(self.houses + 1) / math.log(10)

    @property
    def chance(self) -> float:
        """One in N for a cell; one in all arrangements for the grid."""
        return 1 / self.houses if self.asks == "cell" else 10 ** -min(self.difficulty, 300.0)

    def _shown(self) -> Sequence[int]:
        return (202, 302, 203)

    def _tokens(self) -> int:
        cells = self.houses * self.attributes
        answer = 24 if self.asks == "cell" else 24 + 6 * cells
        return answer + 40 * cells if self.scratchpad else answer

    def draw(self, rng: np.random.Generator) -> Item:
        """Draw an arrangement, clues, and the cell asked about."""
        n = self.houses
        kinds = [0, *(1 + int(i) for i in rng.permutation(len(ATTRIBUTES) - 1)[: self.attributes - 1])]
        # In the order of the alphabet, so that the list tells nothing about who lives where.
        words = [sorted(drawn(ATTRIBUTES[kind][1], n, rng)) for kind in kinds]
        arrangement: Arrangement = tuple(tuple(int(i) for i in rng.permutation(n)) for _ in kinds)
        clues = Grid(n, self.attributes).puzzle(arrangement, rng)
        phrases = [[ATTRIBUTES[kind][2].format(x=word) for word in row] for kind, row in zip(kinds, words, strict=True)]
        told = "\n".join(f"{number}. {say(clue, phrases)}" for number, clue in enumerate(clues, start=1))
        lists = "\n".join(f"- {ATTRIBUTES[kind][0]}: {', '.join(row)}" for kind, row in zip(kinds, words, strict=True))
        rules = RULES.format(n=n, lists=lists)
        at = [[words[a][row[house]] for a, row in enumerate(arrangement)] for house in range(n)]
        asked = self._cell(words, at, clues, rng) if self.asks == "cell" else self._grid(words, arrangement, rng)
        return msgspec.structs.replace(
            asked,
            facts=f"{rules}\nClues:\n{told}",
            withheld=f"{rules}\nThe clues are lost.",
            steps=tuple(f"House {number}: {', '.join(there)}." for number, there in enumerate(at, start=1)),
        )

    def _cell(
        self,
        words: Sequence[Sequence[str]],
        at: Sequence[Sequence[str]],
        clues: Sequence[Clue],
        rng: np.random.Generator,
    ) -> Item:
        """Ask for an attribute of a house that no clue states, if there is one."""
        stated = {(clue.first[0], clue.house) for clue in clues if clue.relation == "at"}
        cells = [(attribute, house) for attribute in range(self.attributes) for house in range(self.houses)]
        hidden = [cell for cell in cells if cell not in stated] or cells
        attribute, house = hidden[int(rng.integers(len(hidden)))]
        row = words[attribute]
        called = next(called for called, pool, _ in ATTRIBUTES if row[0] in pool)
        gold = at[house][attribute]
        return Item(
            question=f"Which {called} belongs to house {house + 1}?",
            blind=f"Which {called} belongs to one of the houses?",
            gold=gold,
            wrong=wrongs(row, gold),
            results=tuple(there[attribute] for there in at),
            shortcuts={"first in the list": row[0], "same place in the list": row[house]},
        )

    def _grid(self, words: Sequence[Sequence[str]], arrangement: Arrangement, rng: np.random.Generator) -> Item:
        """Ask for the whole arrangement."""
        gold = _row(arrangement, words)
        others = [_row(_shuffled(arrangement, rng), words) for _ in range(4 * _WRONG_GRIDS)]
        as_listed = tuple(tuple(range(self.houses)) for _ in words)
        return Item(
            question=GRID,
            blind="Who lives where with what in another row of houses?",
            gold=gold,
            wrong=tuple(dict.fromkeys(others))[:_WRONG_GRIDS],
            results=tuple(gold.split(", ")),
            shortcuts={"as listed": _row(as_listed, words)},
        )

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade one word, or a row of all words in their order."""
        if self.asks == "cell":
            return super().grade(case, reply)
        thinks = bool(case.factors["scratchpad"])
        return grade_final(reply, Wanted(gold=case.gold[0], kind="row", thinks=thinks))

    def solve(self, case: Case) -> str:
        """Read the clues from the prompt and let SAT find the arrangements that fulfil them; there must be one."""
        facts, question = problem_of(case)
        lists = re.findall(r"^- (\w+): (.+)$", facts, re.MULTILINE)
        words: list[list[str]] = [str(row).split(", ") for _, row in lists]
        clues = [read_clue(line, words) for line in facts.partition("Clues:\n")[2].splitlines()]
        if not clues or None in clues:
            raise unsolvable(case, "its clues are missing or cannot be read")
        found = Grid(len(words[0]), len(words)).solutions([clue for clue in clues if clue is not None])
        if len(found) != 1:
            raise unsolvable(case, f"its clues leave {'several' if found else 'no'} arrangements")
        if question.startswith(GRID):
            return _row(found[0], words)
        asked = re.match(r"Which (\w+) belongs to house (\d+)\?", question)
        if asked is None:
            raise unsolvable(case, "it does not tell which house is asked about")
        attribute = [called for called, _ in lists].index(asked.group(1))
        return words[attribute][found[0][attribute][int(asked.group(2)) - 1]]


def _row(arrangement: Arrangement, words: Sequence[Sequence[str]]) -> str:
    """Write an arrangement as a line, house by house."""
    houses = range(len(arrangement[0]))
    return ", ".join(" ".join(words[a][row[house]] for a, row in enumerate(arrangement)) for house in houses)


def _shuffled(arrangement: Arrangement, rng: np.random.Generator) -> Arrangement:
    """Another arrangement that differs in one attribute by a swap."""
    rows = [list(row) for row in arrangement]
    row = rows[int(rng.integers(len(rows)))]
    a, b = (int(i) for i in rng.permutation(len(row))[:2])
    row[a], row[b] = row[b], row[a]
    return tuple(tuple(row) for row in rows)
