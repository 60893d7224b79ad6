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
    spare = np.ravel(full - (b + _SLACK * full))
    active = np.flatnonzero(spare > 0)
    q_left, target = np.ravel(q)[active], np.ravel(full)[active] - spare[active]
    # h₂(e) ≤ 2√e, so e is at least the root of 2√e + e·log₂ q = log₂ q − b: a start on the left and not far away.
    x = (np.sqrt(1 + np.ravel(full)[active] * spare[active]) - 1) / np.ravel(full)[active]
    error = np.zeros(spare.size)
    error[active] = x**2
    for _ in range(_ROUNDS):
        e = error[active]
        gap = _rate(e, q_left) - target
        slope = (np.log1p(-e) + np.log(q_left - 1) - np.log(e)) / LN2
        step = np.where((gap > 0) & (slope > 0), gap / np.where(slope > 0, slope, 1.0), 0.0)
        error[active] = np.minimum(e + step, 1 - 1 / q_left)
        moving = step > 1e-15 * e
        active, q_left, target = active[moving], q_left[moving], target[moving]
        if not active.size:
            break
    return plain(np.where(b == 0.0, 1 - 1 / q, error.reshape(b.shape)))


def _rate(e: Floats, q: Floats) -> Floats:
    log_rest = np.log2(np.maximum(q - 1, 1.0))
    entropy = -(xlogy(e, e) + xlog1py(1 - e, -e)) / LN2
    return np.asarray(np.log2(q) - entropy - e * log_rest)
