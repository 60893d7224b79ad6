"""Pairs of a key and a value, asked for again later: what a document says last about a key."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.lab.schedules import Curriculum
from hardlimit.lab.tasks import TESTING, Batch, Tokens, distinct, generator
from hardlimit.lab.training import stacked
from hardlimit.lab.transformer import Family

VALUES = 8


class Pairs(NamedTuple):
    """Pairs of key and value, each followed by a question about the value that a key of its document had last.

    Args:
        schedule: how documents are cut and placed; its unit is 2.
        keys: different keys.
        order: keys return with other values, so that the last of several must be told from the older ones; without it
            no key returns in a window.
    """

    schedule: Curriculum
    keys: int
    order: bool

    @property
    def vocabulary(self) -> int:
        """Pairs and questions."""
        return self.keys * VALUES + self.keys

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw documents; pair i stands at token 2i, its question at 2i + 1."""
        half = self.schedule.window // 2
        index = np.arange(half)
        starts, places = self.schedule.draw(rng, n, progress)
        first = starts[:, ::2] // 2
        key = rng.integers(self.keys, size=(n, half)) if self.order else distinct(rng, n, half, self.keys)
        value = rng.integers(VALUES, size=(n, half))
        about = index - (rng.random((n, half)) * (index - first + 1)).astype(np.int64)
        asked = np.take_along_axis(key, about, 1)
        if self.order:
            about = _last(key, asked)
        tokens = np.empty((n, 2 * half), dtype=np.int64)
        tokens[:, 0::2] = key * VALUES + value
        tokens[:, 1::2] = self.keys * VALUES + asked
        rows = np.broadcast_to(2 * index + 1, (n, half)).copy()
        return Batch(tokens, rows, np.take_along_axis(value, about, 1), starts, places)


def _last(key: Tokens, asked: Tokens) -> Tokens:
    """Last pair up to a question's own that has the key asked for, which its document is known to hold."""
    index = np.arange(key.shape[1])
    mentioned = (key[:, None, :] == asked[:, :, None]) & (index <= index[:, None])
    found: Tokens = key.shape[1] - 1 - mentioned[:, :, ::-1].argmax(-1)
    return found


@torch.no_grad()
def read_document(family: Family, task: Pairs, cases: int) -> tuple[NDArray[np.bool_], Tokens]:
    """Ask in whole documents; the questions of their last quarter count.

    Returns:
        Whether each answer is right, and how many tokens back its pair stands; (members, questions).
    """
    rights, distances = [], []
    window = task.schedule.window
    step = max(1, 2**14 // window)
    for start in range(0, cases, step):
        many = min(step, cases - start)
        drawn = [task.draw(generator(seed, TESTING, window * 1009 + start), many, 1.0) for seed in family.seeds]
        tokens, rows, answers, *_ = stacked(drawn, family.device)
        late = rows.shape[-1] * 3 // 4
        rows, answers = rows[..., late:], answers[..., late:]
        right = family(tokens, rows).argmax(-1) == answers
        rights.append(right.flatten(1).cpu().numpy())
        distances.append(np.stack([_distances(batch.tokens, late, task.keys) for batch in drawn]))
    return np.concatenate(rights, axis=1), np.concatenate(distances, axis=1)


def _distances(tokens: Tokens, late: int, keys: int) -> Tokens:
    """Tokens from each late question back to the last pair of its key, flat."""
    key, asked = tokens[:, 0::2] // VALUES, tokens[:, 1::2] - keys * VALUES
    pairs = _last(key, asked)
    return (2 * np.arange(key.shape[1]) + 1 - 2 * pairs)[:, late:].ravel()
