"""The difficulty at which accuracy is half way between chance and 1: Bayesian, adaptive, with a stopping rule."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hardlimit.core import Estimate, InsufficientDataError, Interval, InvalidValueError, Value
from hardlimit.probes.reasoning.batched import CORRELATIONS, LEAST_SLIP, RESOLUTION, likelihoods
from hardlimit.probes.reasoning.family import Family

Floats: TypeAlias = NDArray[np.float64]
Outcome: TypeAlias = Literal["found", "beyond", "below", "open"]
"""Known well enough; beyond the hardest level; below the easiest level; not yet known."""

STEP = math.log(2) / 16  # of the grid of thresholds, in the logarithm of difficulty
BEYOND = math.log(4)  # how far outside the levels a threshold is imagined
SLOPES = np.array([0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 32.0])
LAPSES = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.35])


class Ladder(Value, frozen=True):
    """The levels of a search, and when it ends.

    Args:
        levels: from easy to hard, at least 3.
        difficulties: of each level, > 0, strictly increasing.
        chances: accuracy of a guess at each level, in [0, 0.9].
        precision: the search ends when the interval reaches from threshold / (1 + precision) to threshold ·
            (1 + precision) at most, > 0.
        level: credibility of the interval, in (0, 1).
        least_batches: batches before any conclusion, >= 2.
        most_batches: batches after which it ends undecided, >= least_batches.
    """

    levels: tuple[int, ...]
    difficulties: tuple[float, ...]
    chances: tuple[float, ...]
    precision: float = 0.3
    level: float = 0.95
    least_batches: int = 6
    most_batches: int = 60

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.levels) < 3 or not len(self.levels) == len(self.difficulties) == len(self.chances):
            raise InvalidValueError(
                "A Ladder needs at least 3 levels, each with its difficulty and its chance, got "
                f"{len(self.levels)}, {len(self.difficulties)} and {len(self.chances)}."
            )
        steps = zip((0.0, *self.difficulties), self.difficulties, strict=False)
        if not all(a < b for a, b in steps) or not all(0 <= chance <= 0.9 for chance in self.chances):
            raise InvalidValueError(
                "Ladder.difficulties must be above 0 and strictly increasing, and chances in [0, 0.9], got "
                f"{self.difficulties} and {self.chances}."
            )
        if self.precision <= 0 or not 0 < self.level < 1 or not 2 <= self.least_batches <= self.most_batches:
            raise InvalidValueError(
                "Ladder needs precision > 0, level in (0, 1) and 2 <= least_batches <= most_batches, got "
                f"{self.precision:g}, {self.level:g}, {self.least_batches} and {self.most_batches}."
            )

    @classmethod
    def of(cls, probe: Family, levels: Sequence[int] = ()) -> "Ladder":
        """Make the ladder of a family, over its own levels if none are given.

        >>> from hardlimit.probes.reasoning import Hops
        >>> Ladder.of(Hops(), levels=(1, 2, 4)).difficulties
        (1.0, 2.0, 4.0)
        """
        rungs = [probe.at(level) for level in levels or probe.levels]
        return cls(
            levels=tuple(rung.level for rung in rungs),
            difficulties=tuple(rung.difficulty for rung in rungs),
            chances=tuple(min(rung.chance, 0.9) for rung in rungs),
        )


class Trial(Value, frozen=True):
    """What came out of one batch at one level.

    Args:
        level: one of the ladder's.
        right: right answers, 0 <= right <= n.
        n: questions asked, artefacts included, >= 1.
    """

    level: int
    right: int
    n: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n < 1 or not 0 <= self.right <= self.n:
            raise InvalidValueError(f"Trial needs n >= 1 and 0 <= right <= n, got right={self.right}, n={self.n}.")


class Belief(Value, frozen=True):
    """What the answers so far say.

    Args:
        outcome: what is settled.
        threshold: median of the difficulty, within the ladder.
        low: lower end of its credible interval, or None where it lies below the easiest level.
        high: upper end, or None where it lies beyond the hardest level.
        slope: median steepness at the threshold: minus the derivative of the logistic's logit by the logarithm of
            difficulty.
        slope_low: lower end of its credible interval.
        slope_high: upper end.
        below: probability that the threshold lies below the easiest level.
        beyond: probability that it lies beyond the hardest level.
        cases: questions it rests on.
        batches: batches it rests on.
    """

    outcome: Outcome
    threshold: float
    low: float | None
    high: float | None
    slope: float
    slope_low: float
    slope_high: float
    below: float
    beyond: float
    cases: int
    batches: int


class Threshold:
    """A search along a ladder, one batch after another; what it asks next depends on the batches alone.

    Accuracy is modelled as chance + (1 − chance)(1 − lapse) / (1 + (x / m)^slope) over difficulty x, written in terms
    of the threshold x50 where it is half way between chance and 1. The posterior lives on a grid of (x50, slope, lapse,
    correlation within a batch); the next level is the one whose answers are expected to take the most variance of
    log x50, in the linear Bayes approximation.

    >>> search = Threshold(Ladder(levels=(1, 2, 4, 8), difficulties=(1.0, 2.0, 4.0, 8.0), chances=(0.0,) * 4))
    >>> for level, right in ((1, 8), (2, 8), (4, 0), (8, 0), (2, 8), (4, 0)):
    ...     search.record(Trial(level=level, right=right, n=8))
    >>> 2 < search.belief().threshold < 4
    True

    Args:
        ladder: the levels.
        batch: questions per batch.

    Source:
        Kontsevich & Tyler (1999), Vision Research 39:2729 (threshold and slope together, by expected information);
        Wichmann & Hill (2001), Perception & Psychophysics 63:1293 (lapses).
    """

    def __init__(self, ladder: Ladder, *, batch: int = 8) -> None:
        self._ladder, self._batch = ladder, batch
        self._axis, self._curves = _grid(ladder)
        weights = np.log([belief for _, belief in CORRELATIONS])
        self._log = np.broadcast_to(weights[:, None, None, None], (len(weights), *self._curves.shape[1:])).copy()
        self._cases = self._batches = 0

    def record(self, trial: Trial) -> None:
        """Learn from a batch.

        Raises:
            InvalidValueError: its level is none of the ladder's.
        """
        if trial.level not in self._ladder.levels:
            raise InvalidValueError(f"This search asks at the levels {self._ladder.levels}, got {trial.level}.")
        accuracy = self._curves[self._ladder.levels.index(trial.level)]
        at = np.rint(accuracy * RESOLUTION).astype(np.intp)
        self._log += likelihoods(trial.right, trial.n)[:, at]
        self._cases += trial.n
        self._batches += 1

    def _weights(self) -> Floats:
        """Posterior of (threshold, slope, lapse), summed over the correlations."""
        weights = np.exp(self._log - self._log.max()).sum(axis=0)
        result: Floats = weights / weights.sum()
        return result

    def place(self, batches: int = 1) -> list[int]:
        """Choose the levels of the next batches, to be asked at once; the first two batches are at the ends."""
        ladder = self._ladder
        if self._batches == 0:
            return [ladder.levels[0], ladder.levels[len(ladder.levels) // 2]][:batches] + [ladder.levels[0]] * max(
                0, batches - 2
            )
        weights = self._weights().ravel()
        likely = weights > weights.max() * 1e-4
        curves = self._curves.reshape(len(ladder.levels), -1)[:, likely]
        weights = weights[likely] / weights[likely].sum()
        shape = self._log.shape[1:]
        goal = np.broadcast_to(self._axis[:, None, None], shape).ravel()[likely]
        ends = np.log(ladder.difficulties[0]), np.log(ladder.difficulties[-1])
        goal = np.clip(goal, ends[0] - 0.35, ends[1] + 0.35)  # where far outside it lies does not matter
        means = curves @ weights
        noise = (curves * (1 - curves)) @ weights * 1.5 / self._batch  # 1.5: for some correlation within a batch
        centred = np.vstack([curves - means[:, None], goal - weights @ goal])
        covariance = (centred * weights) @ centred.T
        chosen = []
        for _ in range(batches):
            total = np.diag(covariance)[:-1] + noise
            best = int(np.argmax(covariance[:-1, -1] ** 2 / total))
            chosen.append(ladder.levels[best])
            covariance = covariance - np.outer(covariance[:, best], covariance[best]) / total[best]
        return chosen

    def belief(self) -> Belief:
        """Sum up what the data say."""
        ladder, weights = self._ladder, self._weights()
        first, last = math.log(ladder.difficulties[0]), math.log(ladder.difficulties[-1])
        mass = weights.sum(axis=(1, 2))
        outside = (1 - ladder.level) / 2
        low, middle, high = _quantiles(self._axis, mass, (outside, 0.5, 1 - outside))
        below, beyond = float(mass[self._axis < first].sum()), float(mass[self._axis > last].sum())
        slopes = _quantiles(np.log(SLOPES), weights.sum(axis=(0, 2)), (outside, 0.5, 1 - outside))
        outcome: Outcome = "open"
        if self._batches >= ladder.least_batches:
            if below > ladder.level:
                outcome = "below"
            elif beyond > ladder.level:
                outcome = "beyond"
            elif max(high - middle, middle - low) <= math.log1p(ladder.precision) and first <= middle <= last:
                outcome = "found"
        return Belief(
            outcome=outcome,
            threshold=math.exp(min(max(middle, first), last)),
            low=None if low < first else math.exp(min(low, last)),
            high=None if high > last else math.exp(max(high, first)),
            slope=math.exp(slopes[1]),
            slope_low=math.exp(slopes[0]),
            slope_high=math.exp(slopes[2]),
            below=below,
            beyond=beyond,
            cases=self._cases,
            batches=self._batches,
        )

    def estimate(self, artefacts: int = 0) -> Estimate:
        """The threshold with its credible interval, open on a side that leaves the ladder.

        Raises:
            InsufficientDataError: nothing recorded yet.
        """
        if self._cases == 0:
            raise InsufficientDataError("A threshold needs at least one batch of answers; record one first.")
        belief = self.belief()
        method = "bayesian adaptive threshold"
        interval = Interval(low=belief.low, high=belief.high, level=self._ladder.level, method=method)
        return Estimate(value=belief.threshold, interval=interval, n=self._cases, artefacts=artefacts)


@lru_cache(maxsize=16)
def _grid(ladder: Ladder) -> tuple[Floats, Floats]:
    """Log thresholds, and the accuracy `(levels, thresholds, slopes, lapses)` of every curve at every level."""
    u = np.log(np.array(ladder.difficulties))
    axis = np.arange(u[0] - BEYOND, u[-1] + BEYOND, STEP)
    half = 0.5 / (1 - LAPSES)  # of the logistic, where accuracy is half way between chance and 1
    middle = axis[:, None, None] + special.logit(half)[None, None, :] / SLOPES[None, :, None]
    falling = SLOPES[None, None, :, None] * (u[:, None, None, None] - middle[None])
    chance = np.array(ladder.chances)[:, None, None, None]
    curves = chance + (1 - chance) * (1 - LAPSES)[None, None, None, :] * special.expit(-falling)
    return axis, np.clip(curves, LEAST_SLIP, 1 - LEAST_SLIP)


def _quantiles(axis: Floats, mass: Floats, shares: Sequence[float]) -> list[float]:
    """Quantiles of a distribution over cells around the points of an axis, the mass spread evenly within each."""
    middles = (axis[1:] + axis[:-1]) / 2
    edges = np.concatenate([[2 * axis[0] - middles[0]], middles, [2 * axis[-1] - middles[-1]]])
    cumulative = np.append(0.0, np.cumsum(mass) / mass.sum())
    return [float(np.interp(share, cumulative, edges)) for share in shares]
