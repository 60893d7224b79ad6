"""Random facts: the tasks of the capacity experiment, and what a model and its compressed file hold of them."""

import lzma
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.lab.tasks import Batch, Tokens, generator
from hardlimit.lab.transformer import Family
from hardlimit.theory import hallucination as theory

Floats = NDArray[np.floating]
Hits = NDArray[np.bool_]

TABLE = 7
"""Stream of the random numbers that facts are made from."""

PLACES = 3
"""Symbols that name a fact together."""

EXPONENT = 1.0
"""Of the Zipf law by which facts are told and asked for; facts that are told alike have exponent 0."""

BANDS = 16
"""Equal shares of the facts by how often they are told; what is stored is added up over them."""

PACKER = [{"id": lzma.FILTER_LZMA2, "preset": 6}]
"""No header and no checksum: they would be most of the smallest files."""


class Facts(NamedTuple):
    """A table of random facts: three symbols name one, its value is one of q. The table follows from the seed.

    Args:
        symbols: different symbols at each place; the table has symbols³ facts.
        values: q.
        seed: of the table, and of which facts are told often.
        exponent: of the law by which facts are told; 0 for all alike.
    """

    symbols: int
    values: int
    seed: int
    exponent: float = EXPONENT

    @property
    def facts(self) -> int:
        """N, the number of facts."""
        return int(self.symbols**PLACES)

    @property
    def vocabulary(self) -> int:
        """Symbols of each place, and values."""
        return PLACES * self.symbols + self.values

    @property
    def chances(self) -> Floats:
        """How often each fact is told and asked for."""
        return made(self).chances

    def ask(self, facts: Tokens) -> Batch:
        """Ask for some facts."""
        named = [facts // self.symbols**place % self.symbols + place * self.symbols for place in range(PLACES)]
        answers = PLACES * self.symbols + made(self).table[facts]
        return Batch(np.stack(named, axis=1), np.full((facts.size, 1), PLACES - 1), answers[:, None])

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw facts by the law."""
        return self.ask(np.minimum(np.searchsorted(made(self).below, rng.random(n)), self.facts - 1))


class Made(NamedTuple):
    """The table of a task: chances, their running sums, and the values."""

    chances: Floats
    below: Floats
    table: Tokens


@lru_cache(maxsize=64)
def made(task: Facts) -> Made:
    """Make the table of a task: values at random, and which fact is told how often at random too."""
    rng = generator(task.seed, TABLE)
    chances = np.arange(1, task.facts + 1) ** -task.exponent
    chances = rng.permuted(chances / chances.sum())
    return Made(chances, chances.cumsum(), rng.integers(task.values, size=task.facts))


@torch.no_grad()
def recalled(family: Family, tasks: Sequence[Facts]) -> Hits:
    """Ask each member for all of its facts; which come back right, (members, facts)."""
    parts = []
    for part in np.array_split(np.arange(tasks[0].facts), max(1, tasks[0].facts // 4096)):
        asked = [task.ask(part) for task in tasks]
        tokens = torch.from_numpy(np.stack([batch.tokens for batch in asked])).to(family.device)
        rows = torch.from_numpy(np.stack([batch.rows for batch in asked])).to(family.device)
        said = family(tokens, rows).argmax(-1).cpu().numpy()
        parts.append((said == np.stack([batch.answers for batch in asked]))[..., 0])
    return np.concatenate(parts, axis=1)


class Packed(NamedTuple):
    """Files of a family: levels of a weight, what each file recalls (members, facts), and its bytes."""

    levels: int
    hits: Hits
    bytes: list[int]


@torch.no_grad()
def packed(family: Family, tasks: Sequence[Facts], levels: int) -> Packed:
    """Round each matrix to so many levels, and return what is still recalled and the bytes of each compressed file.

    The levels of a matrix lie evenly in ±3 of its standard deviation, which the file holds as one float32.
    """
    before = family.weights.detach().clone()
    codes = []
    for part in torch.split(before, [rows * columns for rows, columns in family.architecture.matrices().values()], 1):
        reach = 3 * part.std(1, keepdim=True)
        step = 2 * reach / (levels - 1)
        code = ((part + reach) / step).round().clamp(0, levels - 1)
        codes.append((code, code * step - reach))
    family.weights.copy_(torch.cat([rounded for _, rounded in codes], dim=1))
    hits = recalled(family, tasks)
    family.weights.copy_(before)
    whole = torch.cat([code for code, _ in codes], dim=1).to(torch.uint8).cpu().numpy()
    files = [lzma.compress(bits_of(row, levels), lzma.FORMAT_RAW, filters=PACKER) for row in whole]
    return Packed(levels, hits, [len(file) + 4 * len(codes) for file in files])


def bits_of(codes: NDArray[np.uint8], levels: int) -> bytes:
    """Pack codes below a power of two into as few bits as they need.

    >>> bits_of(np.array([1, 2, 3, 0], dtype=np.uint8), 4)
    b'l'
    """
    width = (levels - 1).bit_length()
    return np.packbits(np.unpackbits(codes[:, None], axis=1)[:, 8 - width :]).tobytes()


def stored(hits: Hits, task: Facts) -> float:
    """Bits that the answers carry: Σ N·R_q(error) over bands of facts told about equally often.

    R_q is convex, so that the sum is a lower limit of what was kept, and larger than N·R_q of the mean error. Facts
    told alike are one band.

    >>> task = Facts(symbols=4, values=2, seed=0)
    >>> stored(np.ones(64, dtype=np.bool_), task), stored(np.arange(64) % 2 == 0, task) < 16
    (64.0, True)
    """
    guess, order = 1 - 1 / task.values, np.argsort(-task.chances, kind="stable")
    return float(
        sum(
            theory.bits_needed(band.size, task.values, min(1 - float(band.mean()), guess))
            for band in np.array_split(hits[order], BANDS if task.exponent else 1)
        )
    )
