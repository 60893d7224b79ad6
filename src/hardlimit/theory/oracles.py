"""Independent computations that several claims are set beside."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import rel_entr

from hardlimit.theory.domain import Floats


def table_bits(joint: Floats) -> float:
    """Return the mutual information of a two-way table of probabilities, bits, straight from its definition.

    >>> table_bits(np.array([[0.5, 0.0], [0.0, 0.5]]))
    1.0
    """
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    return float(rel_entr(joint, independent).sum() / np.log(2))


def channel_error(bits: float, values: int) -> float:
    """Return the error of an explicit channel that carries so many bits about a uniform symbol of q values.

    The channel keeps the symbol or replaces it by any other one alike; its table is built and its information summed.

    Args:
        bits: per symbol, above 0 and below log₂ q.
        values: q, >= 2.

    >>> round(channel_error(0.5, 2), 4)
    0.11
    """

    def excess(error: float) -> float:
        table = np.full((values, values), error / (values * (values - 1)))
        np.fill_diagonal(table, (1 - error) / values)
        return table_bits(table) - bits

    return float(brentq(excess, 0.0, 1 - 1 / values, xtol=1e-14))
