"""Where a measurement of retrieval comes from, and how hits become points."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import (
    Estimate,
    Grade,
    InvalidValueError,
    Limit,
    Point,
    Scalar,
    Tally,
)
from hardlimit.probes import measuring
from hardlimit.stats import estimate, mean_interval


class Origin(measuring.Origin, frozen=True):
    """Where answers about retrieval come from."""

    limit: ClassVar[Limit] = Limit.RETRIEVAL


def hit_tally(hits: NDArray[np.bool_]) -> Tally:
    """Count hits as right and misses as wrong."""
    return Tally.of(Grade.RIGHT if hit else Grade.WRONG for hit in hits)


def hit_point(at: Mapping[str, Scalar], hits: NDArray[np.bool_]) -> Point:
    """The share of hits at one place, with its exact interval.

    >>> hit_point({"k": 1}, np.array([True, True, False, True])).estimate.value
    0.75
    """
    tally = hit_tally(hits)
    return Point(at=dict(at), estimate=estimate(tally.right, tally.n), tally=tally)


def mean_estimate(values: NDArray[np.float64]) -> Estimate:
    """The mean of independent values, with Student's interval.

    Raises:
        InsufficientDataError: fewer than 2 values.

    >>> mean_estimate(np.array([1.0, 2.0, 3.0])).value
    2.0
    """
    return Estimate(value=float(values.mean()), interval=mean_interval(values), n=int(values.size))


def check_ascending(what: str, numbers: Iterable[int]) -> tuple[int, ...]:
    """Refuse numbers that are not whole, positive and ascending.

    >>> check_ascending("Sizes", [10, 5])
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.InvalidValueError: Sizes must be whole numbers >= 1 in ascending order, got [10, 5].
    """
    found = [int(number) for number in numbers]
    if not found or found[0] < 1 or any(b <= a for a, b in pairwise(found)):
        raise InvalidValueError(f"{what} must be whole numbers >= 1 in ascending order, got {found}.")
    return tuple(found)
