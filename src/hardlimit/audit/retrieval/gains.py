"""What more of a resource would give, with its uncertainty: from paired answers and from recall."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hardlimit.audit.judging import DRAWS, LEVEL
from hardlimit.core import Estimate, Interval, Point, Tally

Doubles = NDArray[np.float64]


def shares_drawn(right: Doubles, rng: np.random.Generator, draws: int = DRAWS) -> Doubles:
    """Draw the true accuracies behind paired answers from their posterior, pairing kept.

    The cells of the table of right and not right in m conditions get a Dirichlet prior of 2⁻ᵐ each, so that each
    accuracy by itself has Jeffreys' prior and no accuracy is taken for certain.

    Args:
        right: `(questions, conditions)` of 0 and 1, at most 6 conditions.
        rng: source of the draws.
        draws: how many.

    Returns:
        `(draws, conditions)`.

    >>> drawn = shares_drawn(np.array([[1.0, 0.0]] * 30), np.random.default_rng(0))
    >>> drawn.mean(axis=0).round(2).tolist()
    [0.98, 0.02]
    """
    conditions = right.shape[1]
    patterns = (np.arange(2**conditions)[:, None] >> np.arange(conditions)) & 1
    cells = (right.astype(int) << np.arange(conditions)).sum(axis=1)
    counts = np.bincount(cells, minlength=len(patterns)) + 2.0**-conditions
    drawn: Doubles = rng.dirichlet(counts, size=draws) @ patterns
    return drawn


def recall_drawn(tally: Tally, rng: np.random.Generator, draws: int = DRAWS) -> Doubles:
    """Draw a true recall behind hits and misses from its posterior under Jeffreys' prior."""
    return rng.beta(tally.right + 0.5, tally.n - tally.right + 0.5, size=draws)


def summed_up(drawn: Doubles, n: int, *, level: float = LEVEL) -> Estimate:
    """Summarise draws of a gain: their median and the interval that holds `level` of them."""
    low, middle, high = np.quantile(drawn, [(1 - level) / 2, 0.5, (1 + level) / 2])
    interval = Interval(low=float(low), high=float(high), level=level, method="posterior, Jeffreys prior")
    return Estimate(value=float(middle), interval=interval, n=n)


def difference(before: Tally, after: Tally, rng: np.random.Generator) -> Estimate:
    """Estimate how a share of hits changed; as if the two were of different questions, which errs towards undecided."""
    return summed_up(recall_drawn(after, rng) - recall_drawn(before, rng), before.n + after.n)


def break_even(shares: Doubles) -> Doubles:
    """Break-even recall of each draw of the accuracies without passages, with the needed one, and with others only.

    Cut to [0, 1]: 0 where retrieval always pays, 1 where it never does, as where the needed passage does not help.

    >>> break_even(np.array([[0.4, 0.9, 0.25], [0.5, 0.5, 0.5], [0.0, 0.9, 0.1]])).round(4).tolist()
    [0.2308, 1.0, 0.0]
    """
    alone, needed, others = shares.T
    helps = needed > others
    recall = np.where(helps, (alone - others) / np.where(helps, needed - others, 1.0), 1.0)
    return np.clip(recall, 0.0, 1.0)


def find(points: Sequence[Point], wanted: Callable[[Point], bool]) -> Point | None:
    """The first point that is wanted."""
    return next((point for point in points if wanted(point)), None)
