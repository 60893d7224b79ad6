"""Grids: who lives where with what, clues about it, and the proof by SAT that they leave one arrangement."""

import contextlib
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

Thing: TypeAlias = tuple[int, int]
"""An attribute's number and an item's number within it."""
Relation: TypeAlias = Literal["at", "same", "apart", "next left", "beside", "left"]
Arrangement: TypeAlias = tuple[tuple[int, ...], ...]
"""`[attribute][house]`: the item that is there."""

SHARES: dict[Relation, float] = {"at": 0.3, "same": 1.0, "next left": 1.0, "beside": 1.5, "left": 1.5, "apart": 2.0}
"""How many clues of a relation are drawn as candidates, per house; vague ones are drawn more often."""


class Clue(NamedTuple):
    """One clue: two things and how they stand to each other, or a thing and its house (counted from 0)."""

    relation: Relation
    first: Thing
    second: Thing | None = None
    house: int = 0


class Grid:
    """A row of houses as a SAT problem; every clue can be switched on for one question.

    Args:
        houses: N.
        attributes: M.
    """

    def __init__(self, houses: int, attributes: int) -> None:
        self.houses, self.attributes = houses, attributes
        self._next = houses * houses * attributes

    def _variable(self, thing: Thing, house: int) -> int:
        return 1 + (thing[0] * self.houses + thing[1]) * self.houses + house

    def _fresh(self) -> int:
        self._next += 1
        return self._next

    def rules(self) -> Iterator[list[int]]:
        """Clauses that hold in every grid: each item in exactly one house, each house with one item."""
        span = range(self.houses)
        for attribute in range(self.attributes):
            for one in span:
                yield [self._variable((attribute, one), house) for house in span]
                yield [self._variable((attribute, item), one) for item in span]
                for a, b in itertools.combinations(span, 2):
                    yield [-self._variable((attribute, one), a), -self._variable((attribute, one), b)]
                    yield [-self._variable((attribute, a), one), -self._variable((attribute, b), one)]

    def clauses(self, clue: Clue) -> Iterator[list[int]]:
        """Clauses of one clue."""
        span = range(self.houses)
        if clue.second is None:
            yield [self._variable(clue.first, clue.house)]
            return
        for house in span:
            here = -self._variable(clue.first, house)
            if clue.relation == "apart":
                yield [here, -self._variable(clue.second, house)]
                continue
            allowed = {
                "same": [house],
                "next left": [house + 1],
                "beside": [house - 1, house + 1],
                "left": list(range(house + 1, self.houses)),
            }[clue.relation]
            yield [here, *(self._variable(clue.second, other) for other in allowed if other in span)]

    def solutions(self, clues: Sequence[Clue], most: int = 2) -> list[Arrangement]:
        """List arrangements that fulfil all clues, at most `most` of them."""
        found: list[Arrangement] = []
        with solver() as sat:
            sat.append_formula([*self.rules(), *(clause for clue in clues for clause in self.clauses(clue))])
            while len(found) < most and sat.solve():
                true = {value for value in sat.get_model() if value > 0}
                found.append(self._read(true))
                sat.add_clause(self._other_than(found[-1]))
        return found

    def _read(self, true: set[int]) -> Arrangement:
        span = range(self.houses)
        return tuple(
            tuple(next(item for item in span if self._variable((attribute, item), house) in true) for house in span)
            for attribute in range(self.attributes)
        )

    def _other_than(self, arrangement: Arrangement) -> list[int]:
        return [
            -self._variable((attribute, item), house)
            for attribute, row in enumerate(arrangement)
            for house, item in enumerate(row)
        ]

    def puzzle(self, arrangement: Arrangement, rng: np.random.Generator) -> list[Clue]:
        """Draw clues that leave this arrangement alone, none of which can be left out; in random order."""
        drawn, reserve = candidates(arrangement, rng)
        switches = {self._fresh(): clue for clue in (*drawn, *reserve)}
        with solver() as sat:
            sat.append_formula(list(self.rules()))
            sat.add_clause(self._other_than(arrangement))
            for switch, clue in switches.items():
                sat.append_formula([[-switch, *clause] for clause in self.clauses(clue)])
            kept = list(switches)[: len(drawn)]
            if sat.solve(assumptions=kept):
                kept = list(switches)
            # Together they leave no other arrangement; each is given up unless another would then fit.
            for switch in list(kept):
                if switch not in kept:
                    continue
                rest = [other for other in kept if other != switch]
                if not sat.solve(assumptions=rest):
                    core = set(sat.get_core() or ())
                    kept = [other for other in rest if other in core]
        chosen = [switches[switch] for switch in kept]
        return [chosen[int(i)] for i in rng.permutation(len(chosen))]


@contextlib.contextmanager
def solver() -> Iterator[Any]:
    """Open a SAT solver; it is imported here, since nothing else needs it."""
    from pysat.solvers import Solver

    with Solver(name="glucose4") as sat:
        yield sat


def truths(arrangement: Arrangement, rng: np.random.Generator) -> dict[Relation, list[Clue]]:
    """List every true clue by its relation, in random order."""
    things = [((attribute, item), house) for attribute, row in enumerate(arrangement) for house, item in enumerate(row)]
    found: dict[Relation, list[Clue]] = {relation: [] for relation in SHARES}
    found["at"] = [Clue("at", thing, None, house) for thing, house in things]
    for (a, here), (b, there) in itertools.permutations(things, 2):
        if here == there and a < b:
            found["same"].append(Clue("same", a, b))
        if here != there and a[0] < b[0]:
            found["apart"].append(Clue("apart", a, b))
        if here + 1 == there:
            found["next left"].append(Clue("next left", a, b))
            # Which of the two is named first must not tell which stands left.
            found["beside"].append(Clue("beside", *((a, b) if rng.random() < 0.5 else (b, a))))
        if here + 1 < there:
            found["left"].append(Clue("left", a, b))
    return {relation: [clues[int(i)] for i in rng.permutation(len(clues))] for relation, clues in found.items()}


def candidates(arrangement: Arrangement, rng: np.random.Generator) -> tuple[list[Clue], list[Clue]]:
    """Draw true clues of every relation, and list those that would suffice in any case, should they not."""
    found = truths(arrangement, rng)
    houses, attributes = len(arrangement[0]), len(arrangement)
    drawn = [
        clue
        for relation, share in SHARES.items()
        for clue in found[relation][: math.ceil(share * houses * max(1, attributes / 2))]
    ]
    drawn = [drawn[int(i)] for i in rng.permutation(len(drawn))]
    return drawn, [clue for clue in (*found["next left"], *found["same"], *found["at"]) if clue not in drawn]


_SAYS: dict[Relation, str] = {
    "at": "{a} lives in house {house}.",
    "same": "{a} and {b} are the same person.",
    "apart": "{a} and {b} are different persons.",
    "next left": "{a} lives directly to the left of {b}.",
    "beside": "{a} and {b} live next to each other.",
    "left": "{a} lives somewhere to the left of {b}.",
}
_KEYS: tuple[tuple[str, Relation], ...] = (
    ("in house", "at"),
    ("the same person", "same"),
    ("different persons", "apart"),
    ("directly to the left", "next left"),
    ("next to each other", "beside"),
    ("somewhere to the left", "left"),
)


def say(clue: Clue, phrases: Sequence[Sequence[str]]) -> str:
    """Word a clue; `phrases[attribute][item]` says who a thing's owner is.

    >>> say(Clue("left", (0, 0), (1, 1)), [["Anna", "Bob"], ["the tea drinker", "the milk drinker"]])
    'Anna lives somewhere to the left of the milk drinker.'
    """
    a = phrases[clue.first[0]][clue.first[1]]
    b = "" if clue.second is None else phrases[clue.second[0]][clue.second[1]]
    text = _SAYS[clue.relation].format(a=a, b=b, house=clue.house + 1)
    return text[0].upper() + text[1:]


def read_clue(text: str, words: Sequence[Sequence[str]]) -> Clue | None:
    """Read a clue back from its wording; None where it is none.

    >>> words = [["Anna", "Bob"], ["tea", "milk"]]
    >>> read_clue("Anna lives somewhere to the left of the milk drinker.", words)
    Clue(relation='left', first=(0, 0), second=(1, 1), house=0)
    """
    relation = next((relation for key, relation in _KEYS if key in text), None)
    owner = {word.casefold(): (attribute, item) for attribute, row in enumerate(words) for item, word in enumerate(row)}
    things = [owner[word] for word in re.findall(r"[a-z]+", text.casefold()) if word in owner]
    house = re.search(r"in house (\d+)", text)
    if relation is None or len(things) != (1 if relation == "at" else 2) or (relation == "at" and house is None):
        return None
    if relation == "at" and house is not None:
        return Clue("at", things[0], None, int(house.group(1)) - 1)
    return Clue(relation, things[0], things[1])
