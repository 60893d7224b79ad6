"""What a lab's task is: tokens and answers, drawn without end from a seed."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]

TRAINING = 1
TESTING = 2
"""Streams of random numbers: what is tested on is never what was trained on, whatever the seed."""

NOTHING = -100
"""An answer that does not count."""


class Batch(NamedTuple):
    """Sequences with their questions, as arrays whose first axis is the sequence.

    Args:
        tokens: (n, tokens).
        rows: places at which an answer is asked for, (n, answers).
        answers: the token wanted there, `NOTHING` where none is; (n, answers).
        segments: document of each token where several share a sequence, (n, tokens), or None.
        places: number of each token's place, (n, tokens), where it is not counted from the start of the sequence.
    """

    tokens: Tokens
    rows: Tokens
    answers: Tokens
    segments: Tokens | None = None
    places: Tokens | None = None


class Task(Protocol):
    """Draws sequences with answers. Equal generators give equal batches."""

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw n sequences; `progress` is the share of the training that is over, for a curriculum."""


def generator(seed: int, stream: int, place: int = 0) -> np.random.Generator:
    """The generator of one stretch of one stream of one seed.

    >>> int(generator(1, TRAINING).integers(1000)) == int(generator(1, TESTING).integers(1000))
    False
    """
    return np.random.default_rng([seed, stream, place])


def distinct(rng: np.random.Generator, n: int, size: int, among: int) -> Tokens:
    """Rows of `size` different numbers below `among`, in random order, each choice equally likely.

    >>> sorted(distinct(np.random.default_rng(0), 1, 4, 4)[0].tolist())
    [0, 1, 2, 3]
    """
    keys = rng.random((n, among))
    order = keys.argpartition(size - 1, axis=1)[:, :size] if size < among else keys.argsort(axis=1)
    return rng.permuted(order, axis=1).astype(np.int64)
