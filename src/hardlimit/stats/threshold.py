"""The length at which accuracy falls to a share of its short-length value: Bayesian, adaptive, with a stopping rule."""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hardlimit.core import Estimate, InsufficientDataError, Interval, InvalidValueError, Value

Floats = NDArray[np.float64]

OCTAVE_STEP = 0.05  # of the grid of thresholds: 3.5 %
OCTAVES_BEYOND = 2.0  # how far beyond the longest length a threshold is imagined
BASES = np.arange(1, 41) / 40
# Exponent with which accuracy falls beyond the knee, and how much sharper the knee is than a logistic curve's.
FALLS = ((0.2, 1), (0.4, 1), (0.8, 1), (1.5, 1), (3.0, 1), (6.0, 1), (16.0, 1), (0.5, 4), (1.0, 4), (2.5, 4), (50.0, 1))
CORRELATIONS = ((0.0, 0.5), (0.05, 0.3), (0.2, 0.2))  # within a cluster, and the belief in each before the data
STEPS_PER_OCTAVE = (2, 4, 8)  # of the lengths that may be asked, finer as the threshold gets known
SURELY = 0.002  # an accuracy is never believed nearer to 0 or 1 than this: anybody may slip
RESOLUTION = 2000  # of the table of likelihoods


class Batch(Value, frozen=True):
    """What came out of one cluster of questions at one length.

    Args:
        length: in tokens, > 0.
        right: right answers, 0 <= right <= n.
        n: questions asked, artefacts included, >= 1.
    """

    length: float
    right: int
    n: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.length <= 0 or self.n < 1 or not 0 <= self.right <= self.n:
            raise InvalidValueError(
                "Batch needs length > 0, n >= 1 and 0 <= right <= n, "
                f"got length={self.length:g}, right={self.right}, n={self.n}."
            )


class Search(Value, frozen=True):
    """What is looked for, and what asking costs.

    Args:
        shortest: length at which the base accuracy is defined, tokens.
        longest: longest length that may be asked, tokens, at least twice `shortest`.
        ratio: the threshold is the longest length with accuracy >= ratio · base, in (0, 1).
        chance: accuracy of guessing among the known alternatives, in [0, 1).
        least_base: a base accuracy below this is called too low to measure a fall from.
        questions: questions per batch, >= 1.
        tokens_per_question: what one more question costs beside the length itself.
        precision: the search stops when the interval lies within ± this share of the estimate, in (0, 1).
        level: credibility of the interval.
    """

    shortest: int
    longest: int
    ratio: float = 0.85
    chance: float = 0.0
    least_base: float = 0.2
    questions: int = 8
    tokens_per_question: int = 48
    precision: float = 0.1
    level: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < 2 * self.shortest <= self.longest:
            raise InvalidValueError(
                f"Search needs 0 < 2 * shortest <= longest, got shortest={self.shortest}, longest={self.longest}; "
                "between fewer lengths no fall can be seen."
            )
        inside = 0 < self.ratio < 1 and 0 <= self.chance < 1 and 0 < self.precision < 1 and 0 < self.level < 1
        if not inside or self.questions < 1 or self.tokens_per_question < 0 or not 0 < self.least_base < 1:
            raise InvalidValueError(
                "Search needs ratio, precision, level and least_base in (0, 1), chance in [0, 1), questions >= 1 and "
                f"tokens_per_question >= 0, got {self!r}."
            )

    def cost(self, length: float) -> float:
        """Tokens that one batch costs: its shared text once, and its questions."""
        return length + self.questions * self.tokens_per_question
