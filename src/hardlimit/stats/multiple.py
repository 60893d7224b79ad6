"""Many tests at once: adjusted p-values."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hardlimit.core import InvalidValueError


def _p_values(p: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(p, dtype=float)
    if values.ndim != 1 or not np.all((values >= 0) & (values <= 1)):
        raise InvalidValueError("p-values must be a flat list of numbers in [0, 1].")
    return values


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm-adjusted p-values: rejecting those <= alpha keeps the chance of ANY false rejection <= alpha.

    Holds under any dependence.

    Source:
        Holm (1979), Scand. J. Stat. 6:65.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = _p_values(p)
    order = np.argsort(values, kind="stable")
    factors = np.arange(values.size, 0, -1)
    stepped = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    adjusted = np.empty_like(values)
    adjusted[order] = stepped
    return adjusted


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Benjamini–Hochberg adjusted p-values: rejecting those <= q keeps the expected share of false ones <= q.

    Holds for independent tests and under positive dependence.

    Source:
        Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57:289.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    values = _p_values(p)
    m = values.size
    order = np.argsort(-values, kind="stable")
    factors = m / np.arange(m, 0, -1)
    stepped = np.minimum(np.minimum.accumulate(values[order] * factors), 1.0)
    adjusted = np.empty_like(values)
    adjusted[order] = stepped
    return adjusted
