"""Where a measurement of retrieval comes from, and how hits become points."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import (
    Control,
    Estimate,
    Grade,
    InvalidValueError,
    Measurement,
    Point,
    Quantity,
    Scalar,
    Tally,
    Value,
)
from hardlimit.stats import estimate, mean_interval


class Origin(Value, frozen=True):
    """Where numbers come from, for the record.

    Args:
        probe: the probe's repr, or what was searched.
        model: the model's fingerprint, or the encoder's name where no model reads.
        seed: of the cases.
        controls: the controls, judged.
    """

    probe: str
    model: str
    seed: int
    controls: tuple[Control, ...] = ()

    def measurement(
        self,
        name: str,
        measured: Quantity,
        tally: Tally,
        *,
        value: Estimate | None,
        points: Iterable[Point] = (),
        parameters: Mapping[str, Scalar | None] | None = None,
        note: str = "",
    ) -> Measurement:
        """Put a measurement together; parameters that are None are left out."""
        return Measurement(
            name=f"retrieval.{name}",
            quantity=measured,
            probe=self.probe,
            model=self.model,
            seed=self.seed,
            estimate=value,
            tally=tally,
            points=tuple(points),
            controls=self.controls,
            parameters={key: number for key, number in (parameters or {}).items() if number is not None},
            note=note,
        )


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
