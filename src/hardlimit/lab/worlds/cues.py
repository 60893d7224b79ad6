"""A cue that is mostly right beside a lookup that always is: the task, and when a model goes over to the lookup."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hardlimit.core import Estimate, Interval
from hardlimit.lab.experiment import Row, column, mean, values, where
from hardlimit.lab.tasks import TESTING, Batch, generator
from hardlimit.lab.training import stacked
from hardlimit.theory import reasoning as theory

Floats = NDArray[np.float64]

GRAIN = 256
"""Labels in a stretch of the largest batch: whatever the batch, a stretch ends there."""

APPEARED = 0.75
"""The circuit has appeared when the cases whose cue is wrong, and those whose cue is right, are both answered right
this often: half way from a guess to no mistake. A model that follows the cue fails the first, one that opposes it the
second, one that guesses both."""


class Cue(NamedTuple):
    """Slots are told their bits in random order, one slot is asked for, and a cue proposes the answer.

    A share of the cases needs inference: there the cue is a coin. In all others it is right.

    Args:
        slots: how many bits are told.
        share: of the cases that need inference, ρ.
        marked: whether a mark tells which cases those are; if not, the cue is merely wrong in a share ρ/2 of all.
    """

    slots: int
    share: float
    marked: bool

    @property
    def vocabulary(self) -> int:
        """Slots with their bits, questions, two marks, and two answers, which are also the cues."""
        return 3 * self.slots + 4

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw cases as the data has them."""
        needs = rng.random(n) < self.share
        return self.ask(rng, needs, needs & (rng.random(n) < 0.5))

    def ask(self, rng: np.random.Generator, needs: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> Batch:
        """Draw cases, given which need inference and which have a wrong cue."""
        n, slots = len(wrong), self.slots
        bits = rng.integers(2, size=(n, slots))
        told = rng.permuted(2 * np.arange(slots) + bits, axis=1)
        asked = rng.integers(slots, size=n)
        answers = bits[np.arange(n), asked]
        mark, answer = 3 * slots + (needs & self.marked), 3 * slots + 2
        tail = np.stack([2 * slots + asked, mark, answer + (answers ^ wrong)], axis=1)
        tokens = np.concatenate([told, tail], axis=1)
        return Batch(tokens, np.full((n, 1), slots + 2), answer + answers[:, None])


class Crossing(NamedTuple):
    """Where a curve crossed, in labels; `seen` is False where it did not, and then it is at least there."""

    labels: float
    seen: bool


def terms(case: str, rho: float) -> tuple[float, float]:
    """Share of labels that are known to need inference, and the cue's error there.

    >>> terms("marked", 0.25), terms("unmarked", 0.25)
    ((0.25, 0.5), (1.0, 0.125))
    """
    return (rho, 0.5) if case == "marked" else (1.0, rho / 2)


def gap_of(case: str, rho: float) -> float:
    """Nats per label that the cue leaves open, I(Y; X | S).

    >>> f"{gap_of('marked', 0.125):.4f} {gap_of('unmarked', 0.125):.4f}"
    '0.0866 0.2338'
    """
    return float(theory.loss_gap(*terms(case, rho)))


def readings(labels: int) -> list[int]:
    """Labels after which is looked: multiples of a grain, 19 % apart where that allows it, and the last.

    >>> readings(2048)
    [256, 512, 768, 1024, 1280, 1536, 1792, 2048]
    """
    quarters = (GRAIN * round(2 ** (k / 4)) for k in range(4 * labels.bit_length()))
    return sorted({n for n in quarters if n < labels} | {labels})


def cases_of(task: Cue, seeds: Sequence[int], n: int, wrong: bool, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Fresh cases that need inference and whose cue is wrong or right, one batch per seed."""
    drawn = [
        task.ask(generator(seed, TESTING, int(wrong)), np.ones(n, dtype=bool), np.full(n, wrong)) for seed in seeds
    ]
    tokens, rows, answers, *_ = stacked(drawn, torch.device(device))
    return tokens, rows, answers


def appearance(own: Sequence[Row]) -> Crossing:
    """Label at which the circuit appears in one model, between two readings in proportion on a log scale.

    >>> rows = [{"labels": l, "wrong_cue": w, "right_cue": 10, "n": 10} for l, w in ((100, 5), (400, 10))]
    >>> appearance(rows)
    Crossing(labels=200.0..., seen=True)
    """
    worst = np.minimum(column(own, "wrong_cue"), column(own, "right_cue")) / column(own, "n")
    return crossing(column(own, "labels"), worst - APPEARED)


def shortest(rows: Sequence[Row]) -> list[Row]:
    """Keep, per seed, the rows of the recipe whose code for all the labels of one setting is the shortest.

    >>> rows = [{"seed": 0, "batch": b, "labels": n, "nats": n / b} for b in (8, 16) for n in (10, 20)]
    >>> {row["batch"] for row in shortest(rows)}
    {16}
    """
    kept = []
    for seed in values(rows, "seed"):
        own = where(rows, seed=seed)
        last = max(float(row["labels"]) for row in own)
        kept += where(own, batch=min(where(own, labels=int(last)), key=lambda row: float(row["nats"]))["batch"])
    return kept


def crossing(at: Floats, above: Floats) -> Crossing:
    """Where a curve first gets to 0 from below, by log-linear interpolation.

    >>> crossing(np.array([1.0, 10.0, 100.0]), np.array([-2.0, -1.0, 1.0])).labels
    31.6...
    """
    i = int((above >= 0).argmax())
    if above[i] < 0:
        return Crossing(float(at[-1]), seen=False)
    if i == 0:
        return Crossing(float(at[0]), seen=True)
    part = above[i - 1] / (above[i - 1] - above[i])
    return Crossing(float(at[i - 1] * (at[i] / at[i - 1]) ** part), seen=True)


def labels(found: Sequence[Crossing]) -> Floats:
    """Labels at which the models of one setting crossed."""
    return np.array([one.labels for one in found])


def geometric(numbers: Floats) -> Estimate:
    """Geometric mean over seeds with Student's interval on the log scale.

    >>> geometric(np.array([1.0, 4.0])).value
    2.0
    """
    logs = mean(np.log(numbers))
    low, high = (None if end is None else math.exp(end) for end in (logs.interval.low, logs.interval.high))
    ends = Interval(low=low, high=high, level=logs.interval.level, method="student t of logs")
    return Estimate(value=math.exp(logs.value), interval=ends, n=logs.n)


def shown(factor: Estimate) -> str:
    """A factor with its interval."""
    low, high = factor.interval.low, factor.interval.high
    return f"{factor.value:.2g} ({low:.2g} to {high:.2g})"
