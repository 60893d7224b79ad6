"""A small world in which HALL-1 can be seen whole: every language of automata with few states."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from hardlimit.theory.domain import whole


def string_count(length: int) -> int:
    """Return the number of strings over {0, 1} of length at most L, 2^(L+1) − 1.

    >>> string_count(13)
    16383
    """
    return int(2 ** (whole("length", length, "[0, 24]") + 1) - 1)


def languages(states: int, length: int) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Return every language over {0, 1} that an automaton with at most so many states accepts.

    Args:
        states: largest number of states, 1 to 3.
        length: longest string whose membership is returned.

    Returns:
        `(languages, strings)` zeros and ones, the strings in order of length and then value; and how many languages
        are new with each number of states (2, 24, 1028: the known sequence).

    >>> members, new = languages(2, 3)
    >>> members.shape, new
    ((26, 15), (2, 24))
    """
    most = whole("states", states, "[1, 3]")
    string_count(length)
    seen: set[bytes] = set()
    members: list[NDArray[np.uint8]] = []
    new = []
    for n in range(1, most + 1):
        tables = np.array(list(product(range(n), repeat=2 * n)), dtype=np.int8)
        # Two automata with m and n states differ, if at all, on a string of length at most m + n − 2 ≤ 4.
        reached_short, before = _states_reached(tables, 4), len(seen)
        fresh: list[tuple[int, tuple[int, ...]]] = []
        for row, accepting in product(range(len(tables)), product((0, 1), repeat=n)):
            signature = np.array(accepting, dtype=np.uint8)[reached_short[row]].tobytes()
            if signature not in seen:
                seen.add(signature)
                fresh.append((row, accepting))
        new.append(len(seen) - before)
        reached = _states_reached(tables[sorted({row for row, _ in fresh})], length)
        where = {row: i for i, row in enumerate(sorted({row for row, _ in fresh}))}
        members += [np.array(accepting, dtype=np.uint8)[reached[where[row]]] for row, accepting in fresh]
    return np.stack(members), tuple(new)


def _states_reached(tables: NDArray[np.int8], length: int) -> NDArray[np.int8]:
    """Return the state that each automaton reaches on each string; the string i is followed by 2i+1 and 2i+2."""
    reached = np.zeros((len(tables), 2 ** (length + 1) - 1), dtype=np.int8)
    rows = np.arange(len(tables))[:, None]
    for level in range(length):
        low, high = 2**level - 1, 2 ** (level + 1) - 1
        parents = reached[:, low:high]
        reached[:, 2 * low + 1 : 2 * high + 1 : 2] = tables[rows, 2 * parents]
        reached[:, 2 * low + 2 : 2 * high + 2 : 2] = tables[rows, 2 * parents + 1]
    return reached
