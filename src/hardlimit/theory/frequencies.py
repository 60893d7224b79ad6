"""Long-tailed frequencies: how often each of many facts is asked for or written about."""

import numpy as np
from scipy.special import zeta

from hardlimit.theory.domain import Floats, number, whole


def zipf(types: int, exponent: float) -> Floats:
    """Return the frequencies of a finite Zipf law, pᵢ ∝ i^(−a), i = 1…K.

    Args:
        types: K, number of facts, >= 1.
        exponent: a, >= 0 (0 is uniform).

    Returns:
        K probabilities in decreasing order.

    >>> zipf(3, 1.0).round(4).tolist()
    [0.5455, 0.2727, 0.1818]
    """
    k, a = whole("types", types, "[1, ∞)"), number("exponent", exponent, "[0, ∞)")
    weights = np.arange(1, k + 1, dtype=np.float64) ** -a
    return np.asarray(weights / weights.sum())


def zipf_tail(rank: float, exponent: float) -> float:
    """Return the mass of the ranks beyond `rank` in an infinite Zipf law, ζ(a, m + 1)/ζ(a).

    Args:
        rank: m, number of leading facts left out, >= 0.
        exponent: a, > 1: below that an infinite law does not exist.

    >>> round(zipf_tail(61, 2.0), 5)
    0.00988
    """
    m, a = number("rank", rank, "[0, ∞)"), number("exponent", exponent, "(1, ∞)")
    return float(zeta(a, m + 1) / zeta(a))
