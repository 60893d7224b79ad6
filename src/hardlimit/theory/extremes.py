"""The largest of many standard normal numbers: distractor logits, document scores, random cosines."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from hardlimit.theory.domain import Numbers, plain, within


def median_of_largest(count: ArrayLike) -> Numbers:
    """Return the median of the largest of N independent standard normal numbers, Φ⁻¹(2^(−1/N)).

    Args:
        count: N, >= 1.

    >>> round(median_of_largest(1_000_000), 4)
    4.827
    """
    return plain(-ndtri(-np.expm1(-math.log(2) / within("count", count, "[1, ∞)"))))


def typical_largest(count: ArrayLike) -> Numbers:
    """Return √(2 ln N), to which the largest of N standard normal numbers tends (from below, slowly).

    >>> round(typical_largest(100_000), 4)
    4.7985
    """
    return plain(np.sqrt(2 * np.log(within("count", count, "[1, ∞)"))))
