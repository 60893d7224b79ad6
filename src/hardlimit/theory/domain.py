"""The domains of theorems: arguments are checked before anything is computed, scalars and arrays alike."""

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hardlimit.core import InvalidValueError

Floats: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = float | Floats
"""A float for scalar arguments, an array for array arguments (they broadcast)."""


def within(name: str, value: ArrayLike, interval: str, *, whole: bool = False) -> Floats:
    """Return the value as float64, or refuse it with its name, the domain and what it was.

    Args:
        name: of the argument, for the message.
        value: a number or an array of numbers.
        interval: the domain as it is read, such as `(0, 1)`, `[2, ∞)` or `(-∞, ∞)`.
        whole: whether only whole numbers are allowed.

    >>> within("weight", 0.5, "(0, 1)")
    array(0.5)
    >>> within("weight", [0.5, 1.0], "(0, 1)")
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.InvalidValueError: weight must lie in (0, 1), got 1 at index 1.
    >>> within("keys", 2.5, "[2, ∞)", whole=True)
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.InvalidValueError: keys must be a whole number in [2, ∞), got 2.5.
    """
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidValueError(f"{name} must be a number in {interval}, got {value!r}.") from None
    low, low_open, high, high_open = _ends(interval)
    inside = (numbers > low if low_open else numbers >= low) & (numbers < high if high_open else numbers <= high)
    if whole:
        inside &= numbers == np.floor(numbers)
    if not inside.all():
        raise InvalidValueError(_message(name, numbers, inside, interval, whole))
    return numbers


def whole(name: str, value: float, interval: str) -> int:
    """Return one whole number of the interval as an int, or refuse it.

    >>> whole("keys", 8.0, "[2, ∞)")
    8
    """
    return int(number(name, value, interval, whole=True))


def number(name: str, value: float, interval: str, *, whole: bool = False) -> float:
    """Return one number of the interval as a float, or refuse it (arrays are refused too).

    >>> number("weight", 1, "(0, 1]")
    1.0
    """
    numbers = within(name, value, interval, whole=whole)
    if numbers.ndim:
        raise InvalidValueError(f"{name} must be one number, got an array of shape {numbers.shape}.")
    return float(numbers)


def vector(name: str, values: ArrayLike, interval: str, *, whole: bool = False) -> Floats:
    """Return a non-empty one-dimensional array of numbers of the interval, or refuse it."""
    numbers = within(name, values, interval, whole=whole)
    if numbers.ndim != 1 or not numbers.size:
        raise InvalidValueError(f"{name} must be a list of at least one number, got shape {numbers.shape}.")
    return numbers


def distribution(name: str, values: ArrayLike) -> Floats:
    """Return probabilities that sum to one, of any shape, or refuse them.

    >>> distribution("p", [0.5, 0.2])
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.InvalidValueError: p must sum to 1, got 0.7.
    """
    numbers = within(name, values, "[0, 1]")
    total = float(numbers.sum())
    if abs(total - 1.0) > 1e-9:
        raise InvalidValueError(f"{name} must sum to 1, got {total:g}.")
    return numbers


def plain(result: Any) -> Numbers:
    """Return a float for a scalar result and the array otherwise.

    >>> plain(np.float64(0.5))
    0.5
    """
    array = np.asarray(result, dtype=np.float64)
    return float(array) if array.ndim == 0 else array


@lru_cache(maxsize=256)
def _ends(interval: str) -> tuple[float, bool, float, bool]:
    low, high = (part.strip().replace("∞", "inf") for part in interval[1:-1].split(","))
    return float(low), interval[0] == "(", float(high), interval[-1] == ")"


def _message(name: str, numbers: Floats, inside: NDArray[np.bool_], interval: str, whole: bool) -> str:
    kind = f"must be a whole number in {interval}" if whole else f"must lie in {interval}"
    if numbers.ndim == 0:
        return f"{name} {kind}, got {numbers:g}."
    first = tuple(int(i) for i in np.argwhere(~inside)[0])
    index = first[0] if len(first) == 1 else first
    return f"{name} {kind}, got {numbers[first]:g} at index {index}."
