"""Shares of right answers that come in batches: what a batch has in common makes its answers alike."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hardlimit.core import Estimate, InsufficientDataError, Interval

Floats: TypeAlias = NDArray[np.float64]

CORRELATIONS = ((0.0, 0.5), (0.05, 0.3), (0.2, 0.2))
"""Correlation of the answers within a batch, and the belief in each before the data."""

LEAST_SLIP = 0.002
"""An accuracy is never believed nearer to 0 or 1 than this: anybody may slip."""

RESOLUTION = 1000
"""Steps of the grid of accuracies."""


@lru_cache(maxsize=256)
def likelihoods(right: int, n: int) -> Floats:
    """Log-likelihood of a batch, `(correlations, RESOLUTION + 1)`: beta-binomial over the grid of accuracies."""
    p = np.clip(np.arange(RESOLUTION + 1) / RESOLUTION, LEAST_SLIP, 1 - LEAST_SLIP)
    rows = []
    for correlation, _ in CORRELATIONS:
        if correlation == 0:
            rows.append(right * np.log(p) + (n - right) * np.log1p(-p))
        else:
            a, b = p * (1 / correlation - 1), (1 - p) * (1 / correlation - 1)
            rows.append(special.betaln(right + a, n - right + b) - special.betaln(a, b))
    return np.array(rows)


def batched_share(batches: Sequence[tuple[int, int]], *, artefacts: int = 0, level: float = 0.95) -> Estimate:
    """Share of right answers over batches, with a credible interval that allows for likeness within a batch.

    A beta-binomial with the correlations above and Jeffreys' prior on the accuracy; with batches of one case it is
    Jeffreys' interval. Unlike an interval from the scatter of batches alone, it is of use for two or three of them.

    Args:
        batches: right answers and cases of each batch.
        artefacts: how many of the cases were artefacts, passed on.
        level: credibility.

    Raises:
        InsufficientDataError: no cases.

    Source:
        Brown, Cai & DasGupta (2001), Statistical Science 16:101, for Jeffreys' interval.

    >>> batched_share([(6, 8), (5, 8), (7, 8)]).interval
    Interval(low=0.52..., high=0.89..., level=0.95, method='beta-binomial over batches')
    """
    right, n = sum(each for each, _ in batches), sum(size for _, size in batches)
    if n == 0:
        raise InsufficientDataError("A proportion of 0 cases is not a number; measure at least one case.")
    log = np.log([belief for _, belief in CORRELATIONS])[:, None] + sum(likelihoods(*batch) for batch in batches)
    edges = np.clip((np.arange(RESOLUTION + 2) - 0.5) / RESOLUTION, 0.0, 1.0)
    prior = np.diff(special.betainc(0.5, 0.5, edges))
    mass = np.exp(log - log.max()).sum(axis=0) * prior
    cumulative = np.append(0.0, np.cumsum(mass) / mass.sum())
    outside = (1 - level) / 2
    low, high = (float(np.interp(share, cumulative, edges)) for share in (outside, 1 - outside))
    interval = Interval(
        low=0.0 if right == 0 else low,
        high=1.0 if right == n else high,
        level=level,
        method="beta-binomial over batches",
    )
    return Estimate(value=right / n, interval=interval, n=n, artefacts=artefacts)
