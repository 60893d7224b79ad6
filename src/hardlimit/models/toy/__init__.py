"""Toys: models of known ability, on which every probe and statistic is calibrated."""

from hardlimit.models.toy.base import CHARACTERS_PER_TOKEN, Belief, Toy
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
from hardlimit.models.toy.names import NAMES, open_toy

__all__ = [
    "CHARACTERS_PER_TOKEN",
    "NAMES",
    "Abstaining",
    "Belief",
    "Calibrated",
    "FiniteMemory",
    "Flaky",
    "Guessing",
    "Overconfident",
    "Perfect",
    "Psychometric",
    "Sighted",
    "Toy",
    "open_toy",
]
