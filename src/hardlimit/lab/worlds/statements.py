"""Statements, few of them true: a world where nothing tells an untold truth from a falsehood, and what is said of it.

A statement joins a person and a value. Which statements are true is drawn evenly from all of them, so that after any
corpus every statement that it does not hold is as likely as every other to be true.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.core import InvalidValueError
from hardlimit.lab.experiment import Row
from hardlimit.lab.tasks import Batch, Tokens, generator
from hardlimit.lab.transformer import Family

Floats = NDArray[np.floating]

GRID = 12
"""Stream of the random numbers that worlds of statements and their corpora are made from."""

HELD = 16
"""One mention in so many is kept from training, to choose how much is spread evenly."""

AT_ONCE = 256
"""People whose values are read at once."""

STEPS_PER_OCTAVE = 2
"""Bins of probability in a factor of two."""

SPREADS = np.concatenate([[0.0], np.geomspace(1e-3, 0.9, 200)])
"""Shares of the probability that may be spread evenly over all statements."""


class Statements(NamedTuple):
    """A corpus of true statements, drawn by a Zipf law over the facts.

    Args:
        side: people, and values; there are side² statements.
        facts: true statements.
        mentions: size of the corpus.
        exponent: of the Zipf law.
        seed: of world and corpus.
    """

    side: int
    facts: int
    mentions: int
    exponent: float
    seed: int

    @property
    def vocabulary(self) -> int:
        """A number names a person where it is asked about, and a value where it is the answer."""
        return self.side

    @property
    def trained(self) -> int:
        """Mentions that the model is trained on."""
        return self.mentions - self.mentions // HELD

    @property
    def true_share(self) -> float:
        """True statements for each false one: e^(−s) of HALL-6."""
        return self.facts / (self.side**2 - self.facts)

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw mentions from the part of the corpus that is trained on."""
        said = told(self).corpus[rng.integers(self.trained, size=n)]
        return Batch((said // self.side)[:, None], np.zeros((n, 1), dtype=np.int64), (said % self.side)[:, None])


class Told(NamedTuple):
    """The true statements with their chances, and the corpus, all as numbers person · side + value."""

    facts: Tokens
    chances: Floats
    corpus: Tokens

    def seen_once(self) -> float:
        """MF of HALL-6: share of the mentions whose fact is told once."""
        return float((np.unique(self.corpus, return_counts=True)[1] == 1).sum() / self.corpus.size)

    def untold(self) -> float:
        """Mass of the facts that are never told."""
        return float(self.chances[~np.isin(self.facts, self.corpus)].sum())


@lru_cache(maxsize=16)
def told(task: Statements) -> Told:
    """Make the world and the corpus of a task."""
    rng = generator(task.seed, GRID)
    facts = rng.permutation(task.side**2)[: task.facts]
    chances = np.arange(1, task.facts + 1) ** -task.exponent
    chances /= chances.sum()
    return Told(facts, chances, rng.choice(facts, size=task.mentions, p=chances))


@torch.no_grad()
def generated(family: Family, member: int, task: Statements) -> list[Row]:
    """What one member and two other learners generate: exact shares, from the chance of every statement.

    A person is drawn as often as the corpus tells of them; the value is sampled at temperature 1.
    """
    world, size = told(task), task.side**2
    everyone = torch.arange(task.side, device=family.device).expand(len(family.seeds), -1)[..., None]
    parts = [everyone[:, first : first + AT_ONCE] for first in range(0, task.side, AT_ONCE)]
    values = torch.cat([family(part)[member, :, 0].softmax(-1) for part in parts])
    seen, kept = world.corpus[: task.trained], world.corpus[task.trained :]
    people = np.bincount(seen // task.side, minlength=task.side) / task.trained
    own = (people[:, None] * values.double().cpu().numpy()).ravel()
    spread = best_spread(own[kept], size)
    truth = np.zeros(size)
    truth[world.facts] = world.chances
    laws = {
        "sampled": (0.0, own / own.sum()),
        "part spread evenly": (spread, (1 - spread) * own / own.sum() + spread / size),
        "repeats the corpus": (0.0, np.bincount(world.corpus, minlength=size) / task.mentions),
    }
    return [
        {
            "learner": name,
            "false": max(0.0, float(law.sum() - law[world.facts].sum())),
            "miscalibration": miscalibration(law, truth),
            "spread": share,
            "once": world.seen_once(),
            "untold": world.untold(),
        }
        for name, (share, law) in laws.items()
    ]


def best_spread(chances: Floats, size: int) -> float:
    """Share of the probability that, spread evenly over `size` statements, makes mentions kept from training likeliest.

    >>> best_spread(np.array([1.0, 1.0]), 100), best_spread(np.array([0.0, 0.0]), 100)
    (0.0, 0.9)
    """
    mixed = (1 - SPREADS[:, None]) * np.asarray(chances) + SPREADS[:, None] / size
    with np.errstate(divide="ignore"):
        return float(SPREADS[np.log(mixed).sum(1).argmax()])


def miscalibration(law: Floats, truth: Floats) -> float:
    """Mis of HALL-6: total variation between a law and the truth averaged over the law's bins of probability.

    >>> miscalibration(np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.9, 0.1, 0.0, 0.0]))
    0.0
    >>> miscalibration(np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.0, 0.0, 0.5, 0.5]))
    1.0
    """
    if law.shape != truth.shape:
        raise InvalidValueError(f"miscalibration needs two laws of one size, got {law.shape} and {truth.shape}.")
    bins = np.zeros(law.size, dtype=np.int64)  # What is never said has a bin of its own.
    bins[law > 0] = 1 + np.floor(-STEPS_PER_OCTAVE * np.log2(law[law > 0])).clip(min=0).astype(np.int64)
    sizes, masses = np.bincount(bins), np.bincount(bins, truth)
    return float(np.abs((masses / np.maximum(sizes, 1))[bins] - law).sum() / 2)
