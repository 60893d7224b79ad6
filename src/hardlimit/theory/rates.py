"""Rate and distortion of q-ary symbols: how many bits it takes to be wrong no more often than a given error.

R_q(e) = log₂ q − h₂(e) − e·log₂(q − 1) bits per symbol, for uniform symbols with q values and error e ≤ 1 − 1/q. It is
the one formula behind memorised facts (HALL-3), fixed-state recall (CTX-6), composition (REAS-2) and frozen encoders
(MM-1).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlog1py, xlogy

from hardlimit.theory.domain import Floats, Numbers, plain, within

LN2 = float(np.log(2.0))
_ROUNDS = 200
_SLACK = 2.0**-46
"""Bits, relative to log₂ q, by which a rate is overstated before it is inverted, so that rounding only loosens."""


def binary_entropy(p: ArrayLike) -> Numbers:
    """Return h₂(p) = −p·log₂ p − (1 − p)·log₂(1 − p) in bits.

    Args:
        p: probability in [0, 1].

    >>> binary_entropy(0.5)
    1.0
    """
    x = within("p", p, "[0, 1]")
    return plain(-(xlogy(x, x) + xlog1py(1 - x, -x)) / LN2)


def symbol_rate(error: ArrayLike, values: ArrayLike) -> Numbers:
    """Return R_q(e), the bits per symbol that an error of at most e costs.

    Args:
        error: e, share of symbols that come out wrong, in [0, 1]; beyond 1 − 1/q the rate is 0.
        values: q, number of equally likely values of a symbol, >= 2.

    Returns:
        Bits per symbol, in [0, log₂ q].

    Source:
        Cover & Thomas (2006), ch. 10.

    >>> symbol_rate(0.0, 8)
    3.0
    """
    e, q = within("error", error, "[0, 1]"), within("values", values, "[2, ∞)")
    e = np.minimum(e, 1 - 1 / q)
    return plain(np.maximum(_rate(e, q), 0.0))


def error_at_rate(bits: ArrayLike, values: ArrayLike) -> Numbers:
    """Return R_q⁻¹(b), the least error that b bits per symbol allow.

    R_q is convex and decreasing, so Newton steps from the left approach the root and never pass it: whenever the loop
    stops, the result is a valid lower bound.

    Args:
        bits: b, bits per symbol, >= 0.
        values: q, number of equally likely values of a symbol, >= 2.

    Returns:
        Error in [0, 1 − 1/q], never above the true inverse.

    Source:
        Cover & Thomas (2006), ch. 10.

    >>> round(error_at_rate(0.5, 2), 4)
    0.11
    """
    b, q = np.broadcast_arrays(within("bits", bits, "[0, ∞)"), within("values", values, "[2, ∞)"))
    full = np.log2(q)
    target = b + _SLACK * full
    e = np.zeros(b.shape)
    open_ = target < full
    # Left of the root: there the rate exceeds any target below its value at e₀.
    e[open_] = np.minimum((1 - target[open_] / full[open_]) * 2.0**-60, 0.25)
    for _ in range(_ROUNDS):
        gap = _rate(e[open_], q[open_]) - target[open_]
        slope = (np.log1p(-e[open_]) + np.log(q[open_] - 1) - np.log(e[open_])) / LN2
        step = np.where((gap > 0) & (slope > 0), gap / np.where(slope > 0, slope, 1.0), 0.0)
        e[open_] = np.minimum(e[open_] + step, 1 - 1 / q[open_])
        if not np.any(step > 1e-15 * e[open_]):
            break
    return plain(np.where(b == 0.0, 1 - 1 / q, e))


def _rate(e: Floats, q: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        log_rest = np.where(q > 2, np.log2(np.maximum(q - 1, 1.0)), 0.0)
    entropy = -(xlogy(e, e) + xlog1py(1 - e, -e)) / LN2
    return np.asarray(np.log2(q) - entropy - e * log_rest)
