"""State tracking: things change hands, again and again, and one asks who has what in the end."""

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self, TypeAlias

import msgspec
import numpy as np

from hardlimit.core import Case, InvalidValueError
from hardlimit.probes.reasoning.answering import wrongs
from hardlimit.probes.reasoning.family import Family, Item, problem_of, unsolvable
from hardlimit.probes.reasoning.naming import COLOURS, PEOPLE, THINGS, drawn

Story: TypeAlias = Literal["trades", "cups", "word"]
"""Two persons trade; two cups trade places; all pass on what they have, by an arbitrary permutation."""

MOST = 2_000
ORDINALS = ("first", "second", "third", "fourth", "fifth")


class Tracking(Family, frozen=True):
    """Asks where a thing is after a word of moves in the permutation group of 3 or 5 places.

    `word` moves by permutations drawn evenly from the whole group, as in the word problem of S3 or S5; `trades` and
    `cups` move by swaps of two, told in everyday prose with changing turns of phrase. Every answer is as likely as any
    other after the first move of `word`, and in the limit of many moves for swaps: after one swap of three places, the
    place asked about still holds its first thing in one case of three.

    Args:
        moves: number of moves, >= 1; the knob.
        objects: things and places: 3 (a solvable group) or 5 (not solvable).
        story: how it is told.

    Source:
        Merrill, Petty & Sabharwal (2024), The Illusion of State in State-Space Models, arXiv:2404.08819, for S5 words
        as a task beyond constant depth; wording and construction are this package's own.

    >>> case = Tracking(moves=4, story="cups").cases(seed=0, n=1)[0]
    >>> Tracking().solve(case) == case.gold[0], len(case.lures)
    (True, 2)
    """

    moves: int = 2
    objects: Literal[3, 5] = 3
    story: Story = "trades"
    name: ClassVar[str] = "reasoning.tracking"
    unit: ClassVar[str] = "moves"
    levels: ClassVar[tuple[int, ...]] = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
    form: ClassVar[str] = "one word"

    def _check(self) -> None:
        if not 1 <= self.moves <= MOST:
            raise InvalidValueError(f"Tracking needs moves in [1, {MOST}], got {self.moves}.")

    @property
    def level(self) -> int:
        """Number of moves."""
        return self.moves

    def at(self, level: int) -> Self:
        """The same with another number of moves."""
        return msgspec.structs.replace(self, moves=level)

    @property
    def difficulty(self) -> float:
        """Number of moves."""
        return float(self.moves)

    @property
    def chance(self) -> float:
        """One in as many as there are things."""
        return 1 / self.objects

    def _tokens(self) -> int:
        return 64 + 12 * self.objects * self.moves if self.scratchpad else 24

    def draw(self, rng: np.random.Generator) -> Item:
        """Draw an arrangement, the moves and the place asked about."""
        if self.story == "cups":
            places, things = list(ORDINALS[: self.objects]), drawn(COLOURS, self.objects, rng)
        else:
            places, things = drawn(PEOPLE, self.objects, rng), drawn(THINGS, self.objects, rng)
        start = dict(zip(places, things, strict=True))
        state, told, states = dict(start), [], []
        for _ in range(self.moves):
            move = self._move(places, rng)
            state = {place: state[move.get(place, place)] for place in places}
            told.append(self._tell(move, rng))
            states.append(dict(state))
        asked = places[int(rng.integers(len(places)))]
        gold = state[asked]
        opening = " ".join(self._holds(place, start[place]) for place in places)
        return Item(
            facts=f"{opening}\n" + " ".join(told),
            question=self._question(asked),
            gold=gold,
            wrong=wrongs(things, gold),
            steps=tuple(self._state(step) for step in states),
            results=tuple(step[asked] for step in states),
            withheld=f"There are these things: {', '.join(sorted(things))}. They were moved {self.moves} times.",
            blind=self._question(None),
            shortcuts={"as at first": start[asked], "last named": things[-1]},
        )

    def _move(self, places: Sequence[str], rng: np.random.Generator) -> dict[str, str]:
        """Draw a move: for each place that changes, the place whose thing comes there."""
        if self.story == "word":
            return dict(zip(places, (places[int(i)] for i in rng.permutation(len(places))), strict=True))
        a, b = (places[int(i)] for i in rng.permutation(len(places))[:2])
        return {a: b, b: a}

    def _tell(self, move: Mapping[str, str], rng: np.random.Generator) -> str:
        if self.story == "word":
            giving = sorted((source, place) for place, source in move.items())
            giving = [giving[int(i)] for i in rng.permutation(len(giving))]
            passed = [f"{a} to {b}" for a, b in giving if a != b]
            keeps = [f"{a} keeps it" for a, b in giving if a == b]
            return f"{_HANDS_ON}: {', '.join(passed + keeps)}."
        a, b = move
        return str(rng.choice(_TELLINGS[self.story])).format(a=a, b=b)

    def _holds(self, place: str, thing: str) -> str:
        return f"Under the {place} cup is the {thing} ball." if self.story == "cups" else f"{place} has the {thing}."

    def _question(self, place: str | None) -> str:
        if self.story == "cups":
            cup = f"the {place} cup" if place else "one of the cups"
            return f"Which colour is the ball under {cup} in the end?"
        return f"What does {place or 'one of the persons'} have in the end?"

    def _state(self, state: Mapping[str, str]) -> str:
        if self.story == "cups":
            return ", ".join(f"{place}: {thing}" for place, thing in state.items())
        return ", ".join(f"{place} has the {thing}" for place, thing in state.items())

    def solve(self, case: Case) -> str:
        """Replay the moves that the prompt tells."""
        facts, question = problem_of(case)
        opening, _, told = facts.partition("\n")
        state: dict[str, str] = dict(re.findall(r"Under the (\w+) cup is the (\w+) ball\.", opening))
        state = state or dict(re.findall(r"(\w+) has the (\w+)\.", opening))
        asked = re.search(r"under the (\w+) cup|What does (\w+) have", question)
        place = (asked.group(1) or asked.group(2)) if asked else ""
        if place not in state:
            raise unsolvable(case, "it does not tell what is asked about, or the arrangement is missing")
        for sentence in told.split(".")[:-1]:
            if _HANDS_ON in sentence:
                passed = re.findall(r"(\w+) to (\w+)", sentence.partition(":")[2])
                state |= {after: state[before] for before, after in passed}
                continue
            a, b = [word for word in re.findall(r"\w+", sentence) if word in state]
            state[a], state[b] = state[b], state[a]
        return state[place]


_HANDS_ON = "Everybody hands on what they have at once"
_TELLINGS = {
    "trades": (
        "{a} and {b} trade what they have.",
        "Then {a} swaps with {b}.",
        "{a} offers an exchange, and {b} agrees.",
        "What {a} has goes to {b}, and the other way round.",
    ),
    "cups": (
        "The {a} cup and the {b} cup trade their balls.",
        "Now the balls of the {a} and the {b} cup are swapped.",
        "Somebody exchanges the ball under the {a} cup for the one under the {b} cup.",
    ),
}
"""Turns of phrase for a swap; each names both places once."""
