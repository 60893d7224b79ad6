"""Toys by name, as the command line gives them."""

from collections.abc import Callable

from hardlimit.core import UnknownNameError
from hardlimit.models.toy.base import Toy
from hardlimit.models.toy.flaky import Flaky
from hardlimit.models.toy.kinds import (
    Abstaining,
    Calibrated,
    FiniteMemory,
    Guessing,
    Overconfident,
    Perfect,
    Psychometric,
    Sighted,
)

_PLAIN: dict[str, Callable[[], Toy | Flaky]] = {
    "perfect": Perfect,
    "guessing": Guessing,
    "overconfident": Overconfident,
    "abstaining": Abstaining,
    "calibrated": Calibrated,
    "sighted": Sighted,
    "flaky": Flaky,
}
_NUMBERED: dict[str, Callable[[int], Toy | Flaky]] = {
    "guessing": lambda n: Guessing(options=n),
    "finite-memory": lambda n: FiniteMemory(tokens=n),
    "psychometric": lambda n: Psychometric(threshold=float(n)),
}
NAMES = tuple(sorted([f"toy:{name}" for name in _PLAIN] + [f"toy:{name}-N" for name in _NUMBERED]))
"""Names that `open_toy` knows; N stands for a whole number >= 1."""


def open_toy(name: str) -> Toy | Flaky:
    """Make a toy from its name, with or without the prefix `toy:`.

    >>> open_toy("toy:finite-memory-512").card.settings["tokens"]
    '512'
    >>> open_toy("toy:prefect")
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.UnknownNameError: No toy is named 'toy:prefect'. Did you mean 'toy:perfect'? Known: ...
    """
    plain = name.removeprefix("toy:")
    if plain in _PLAIN:
        return _PLAIN[plain]()
    kind, _, number = plain.rpartition("-")
    if kind in _NUMBERED and number.isascii() and number.isdecimal():
        return _NUMBERED[kind](int(number))
    raise UnknownNameError.among("toy", f"toy:{plain}", NAMES)
