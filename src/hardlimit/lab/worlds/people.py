"""People with one value each, and corpora of mentions that tell it or say that it is not known."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hardlimit.lab.tasks import Batch, Tokens, generator

Floats = NDArray[np.floating]

WORLD = 11
"""Stream of the random numbers that people and corpora are made from."""

ANSWERED = 0.9
"""Share of the mentions of a person that tell the fact; the others say that it is not known."""


class People(NamedTuple):
    """A corpus of mentions: people by a Zipf law, each mention with the person's one value, or with "not known".

    Args:
        symbols: a person is named by two of these; there are symbols² people.
        values: different values.
        mentions: size of the corpus.
        exponent: of the Zipf law.
        seed: of world and corpus.
    """

    symbols: int
    values: int
    mentions: int
    exponent: float
    seed: int

    @property
    def vocabulary(self) -> int:
        """First symbols, second symbols, values, and "not known"."""
        return 2 * self.symbols + self.values + 1

    def ask(self, people: Tokens) -> Tokens:
        """Tokens of questions about some people."""
        return np.stack([people // self.symbols, self.symbols + people % self.symbols], axis=1)

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw mentions from the corpus."""
        world = made(self)
        chosen = rng.integers(self.mentions, size=n)
        answers = 2 * self.symbols + world.said[chosen]
        return Batch(self.ask(world.people[chosen]), np.ones((n, 1), dtype=np.int64), answers[:, None])


class World(NamedTuple):
    """Chances of the people to be asked about, their values, and the corpus: who, and what is said of them."""

    chances: Floats
    facts: Tokens
    people: Tokens
    said: Tokens

    def times_told(self) -> Tokens:
        """How often each person's fact is told in the corpus."""
        told = self.people[self.said == self.facts[self.people]]
        return np.bincount(told, minlength=self.facts.size)


@lru_cache(maxsize=64)
def made(task: People) -> World:
    """Make the world and the corpus of a task."""
    rng = generator(task.seed, WORLD)
    count = task.symbols**2
    chances = np.arange(1, count + 1) ** -task.exponent
    chances = rng.permuted(chances / chances.sum())
    facts = rng.integers(task.values, size=count)
    people = drawn_from(chances, rng, task.mentions)
    said = np.where(rng.random(task.mentions) < ANSWERED, facts[people], task.values)
    return World(chances, facts, people, said)


def drawn_from(chances: Floats, rng: np.random.Generator, n: int) -> Tokens:
    """Draw numbers with given chances."""
    return np.minimum(np.searchsorted(chances.cumsum(), rng.random(n)), chances.size - 1).astype(np.int64)
