"""The length at which accuracy falls to a share of its short-length value: Bayesian, adaptive, with a stopping rule."""

import math
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hardlimit.core import Estimate, InsufficientDataError, Interval, InvalidValueError, Value

Floats = NDArray[np.float64]
Outcome = Literal["found", "beyond", "low base", "open"]
"""The threshold is known well enough; it lies beyond the longest length; the base is too low to have one; not yet."""

OCTAVE_STEP = 1 / 16  # of the grid of thresholds: 4 %
OCTAVES_BEYOND = 2.0  # how far beyond the longest length a threshold is imagined
BASES = np.arange(1, 65) / 64
# Exponent with which accuracy falls in the end, and how much sharper than a logistic curve's its knee is.
FALLS = (
    *((exponent, 1) for exponent in (0.2, 0.3, 0.45, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 6.0, 10.0, 20.0, 50.0)),
    *((exponent, 4) for exponent in (0.5, 1.0, 2.0)),
)
CORRELATIONS = ((0.0, 0.5), (0.05, 0.3), (0.2, 0.2))  # within a batch, and the belief in each before the data
STEPS_PER_OCTAVE = (2, 4, 8)  # of the lengths that may be asked, finer as the threshold gets known
LEAST_SLIP = 0.002  # an accuracy is never believed nearer to 0 or 1 than this: anybody may slip
NEGLIGIBLE = math.log(1e-7)  # cells whose belief has fallen so far below the best cell's are dropped
LIKELY = 1e-4  # cells of less weight than this share of the best one's are left out when lengths are chosen
RESOLUTION = 2000  # of the table of likelihoods


class Batch(Value, frozen=True):
    """What came out of one cluster of questions at one length.

    Args:
        length: in tokens, > 0.
        right: right answers, 0 <= right <= n.
        n: questions asked, artefacts included, >= 1.
    """

    length: float
    right: int
    n: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.length <= 0 or self.n < 1 or not 0 <= self.right <= self.n:
            raise InvalidValueError(
                "Batch needs length > 0, n >= 1 and 0 <= right <= n, "
                f"got length={self.length:g}, right={self.right}, n={self.n}."
            )


class Search(Value, frozen=True):
    """What is looked for, and what asking costs.

    Args:
        shortest: length at which the base accuracy is defined, tokens.
        longest: longest length that may be asked, tokens, at least twice `shortest`.
        ratio: the threshold is the longest length with accuracy >= ratio · base, in (0, 1).
        chance: accuracy of guessing among the known alternatives, in [0, 1).
        least_base: a base accuracy below this is too low to measure a fall from, in (0, 1).
        questions: questions per batch, >= 1.
        tokens_per_question: what one more question costs beside the length itself, >= 0.
        precision: the search ends when the interval lies within ± this share of the estimate, in (0, 1).
        level: credibility of the interval, in (0, 1).
        least_batches: batches before any conclusion, >= 2.
    """

    shortest: int
    longest: int
    ratio: float = 0.85
    chance: float = 0.0
    least_base: float = 0.2
    questions: int = 8
    tokens_per_question: int = 48
    precision: float = 0.1
    level: float = 0.95
    least_batches: int = 6

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < 2 * self.shortest <= self.longest:
            raise InvalidValueError(
                f"Search needs 0 < 2 * shortest <= longest, got shortest={self.shortest}, longest={self.longest}: "
                "a fall within less than an octave cannot be told from a low base."
            )
        shares = (self.ratio, self.least_base, self.precision, self.level)
        if not all(0 < share < 1 for share in shares) or not 0 <= self.chance < 1:
            raise InvalidValueError(
                "Search needs ratio, least_base, precision and level in (0, 1) and chance in [0, 1), got "
                f"{self.ratio:g}, {self.least_base:g}, {self.precision:g}, {self.level:g} and {self.chance:g}."
            )
        if self.questions < 1 or self.tokens_per_question < 0 or self.least_batches < 2:
            raise InvalidValueError(
                "Search needs questions >= 1, tokens_per_question >= 0 and least_batches >= 2, got "
                f"{self.questions}, {self.tokens_per_question} and {self.least_batches}."
            )

    def cost(self, length: float) -> float:
        """Tokens that one batch costs: its shared text once, and its questions.

        >>> Search(shortest=256, longest=8192).cost(1024)
        1408
        """
        return length + self.questions * self.tokens_per_question


class Belief(Value, frozen=True):
    """What the data say so far.

    Args:
        outcome: what is settled.
        threshold: median of the threshold in tokens, at most `longest`; None while the base is probably too low.
        low: lower end of its credible interval.
        high: upper end, or None where it lies beyond the longest length.
        base: mean of the base accuracy.
        base_low: lower end of its credible interval.
        base_high: upper end.
        low_base: probability that the base is below `least_base`.
        beyond: probability that the threshold lies beyond the longest length, if there is one.
        cases: questions it rests on.
        batches: clusters it rests on.
    """

    outcome: Outcome
    threshold: float | None
    low: float | None
    high: float | None
    base: float
    base_low: float
    base_high: float
    low_base: float
    beyond: float
    cases: int
    batches: int


class _Cells:
    """A grid of curves with their beliefs before any data.

    A curve falls from `base` at the shortest length u0 to `floor`, along a generalised logistic in u = log2 length,
    and is written in terms of what is asked: its threshold t, where it is ratio · base. With x = 2^(fall·knee·(u−u0)):
    accuracy = floor + (base − floor) · ((c + 1) / (c + x))^(1/knee), c fixed by the threshold.
    """

    def __init__(self, search: Search) -> None:
        self.start, self.end = math.log2(search.shortest), math.log2(search.longest)
        self.axis = np.arange(self.start + OCTAVE_STEP, self.end + OCTAVES_BEYOND, OCTAVE_STEP)
        floors = np.array(sorted({0.0, search.chance}))
        shape = (len(self.axis), len(FALLS), len(floors), len(BASES))
        place, fall, floor, base = (index.ravel() for index in np.indices(shape))
        floors, bases = floors[floor], BASES[base]
        knees = np.array([knee for _, knee in FALLS], float)[fall]
        rates = np.array([exponent for exponent, _ in FALLS])[fall] * knees * math.log(2)
        span = search.ratio * bases - floors
        no_fall = span <= 0.02 * (bases - floors)  # such a base never falls to the threshold: no fall is modelled
        share = np.where(no_fall, 0.5, span / np.where(bases == floors, 1.0, bases - floors))
        far, needed = np.exp(rates * (self.axis[place] - self.start)), share**-knees
        offset = (far - needed) / (needed - 1)
        # Where c would be negative the curve falls too slowly to be at its threshold so soon.
        real = no_fall | (offset >= 0)
        self.place, self.floor, self.base = place[real], floors[real], bases[real]
        self.rate, self.knee = np.where(no_fall, 0.0, rates)[real], knees[real]
        self.offset = np.where(no_fall, 0.0, offset)[real]
        self._known: dict[float, Floats] = {}
        # Every threshold is equally believed, whatever the number of curves that can have it.
        self.prior = -np.log(np.bincount(self.place, minlength=len(self.axis))[self.place])

    def accuracy(self, u: float, cells: NDArray[np.intp]) -> Floats:
        """Accuracy of the cells' curves at log2 length u."""
        if 2 * len(cells) > len(self.prior):  # only the first few batches of any search are so undecided
            if u not in self._known:
                self._known[u] = self._compute(u, np.arange(len(self.prior)))
            known: Floats = self._known[u][cells]
            return known
        return self._compute(u, cells)

    def _compute(self, u: float, cells: NDArray[np.intp]) -> Floats:
        offset = self.offset[cells]
        share = (offset + 1) / (offset + np.exp(self.rate[cells] * (u - self.start)))
        sharp = self.knee[cells] > 1
        share[sharp] **= 1 / self.knee[cells][sharp]
        result: Floats = self.floor[cells] + (self.base[cells] - self.floor[cells]) * share
        return result


@lru_cache(maxsize=4)
def _cells(search: Search) -> _Cells:
    return _Cells(search)


def _likelihoods(right: int, n: int) -> Floats:
    """Log-likelihood of a batch, `(correlations, RESOLUTION + 1)`: beta-binomial over a grid of accuracies."""
    p = np.clip(np.arange(RESOLUTION + 1) / RESOLUTION, LEAST_SLIP, 1 - LEAST_SLIP)
    rows = []
    for correlation, _ in CORRELATIONS:
        if correlation == 0:
            rows.append(right * np.log(p) + (n - right) * np.log1p(-p))
        else:
            a, b = p * (1 / correlation - 1), (1 - p) * (1 / correlation - 1)
            rows.append(special.betaln(right + a, n - right + b) - special.betaln(a, b))
    return np.array(rows)


class Threshold:
    """A search for the threshold, one batch after another; what it asks next depends on the batches alone.

    The posterior lives on a grid of (threshold, steepness and knee, floor, base, correlation within a batch). The next
    length is the one whose answers are expected to take the most uncertainty (variance of the log threshold, in the
    linear Bayes approximation) per token of cost. The search ends when the credible interval is as narrow as asked for,
    when accuracy surely does not fall within the window, or when the base is surely too low.

    >>> search = Threshold(Search(shortest=256, longest=8192, chance=0.125))
    >>> search.place(2)
    [256.0, 256.0]
    >>> for _ in range(8):
    ...     search.record(Batch(length=256, right=8, n=8))
    ...     search.record(Batch(length=8192, right=8, n=8))
    >>> search.belief().outcome
    'beyond'

    Args:
        search: what is looked for.

    Source:
        Watson & Pelli (1983), QUEST, Perception & Psychophysics 33:113 (Bayesian placement); Kontsevich & Tyler (1999),
        Vision Research 39:2729 (slope and threshold together, by expected entropy).
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._grid = _cells(search)
        self._active = np.arange(len(self._grid.prior))
        weights = np.log([belief for _, belief in CORRELATIONS])
        self._log = weights[:, None] + self._grid.prior[None, :]
        self._cases = self._batches = 0

    def record(self, batch: Batch) -> None:
        """Learn from a batch.

        Raises:
            InvalidValueError: its length lies outside what is searched.
        """
        if not self._search.shortest <= batch.length <= self._search.longest:
            raise InvalidValueError(
                f"This search spans {self._search.shortest} to {self._search.longest} tokens, got a batch at "
                f"{batch.length:g}."
            )
        accuracy = self._grid.accuracy(math.log2(batch.length), self._active)
        at = np.rint(accuracy * RESOLUTION).astype(np.intp)
        self._log += _likelihoods(batch.right, batch.n)[:, at]
        self._cases += batch.n
        self._batches += 1
        keep = self._log.max(axis=0) > self._log.max() + NEGLIGIBLE
        self._active, self._log = self._active[keep], self._log[:, keep]

    def _weights(self) -> Floats:
        weights = np.exp(self._log - self._log.max())
        result: Floats = weights / weights.sum()
        return result

    def place(self, batches: int = 1) -> list[float]:
        """Choose the lengths, in tokens, of the next batches, to be asked at once."""
        grid, search = self._grid, self._search
        if self._batches < 2:
            return [float(search.shortest)] * batches
        by_correlation = self._weights()
        weights = by_correlation.sum(axis=0)
        likely = weights > weights.max() * LIKELY  # the rest cannot sway a choice
        cells, weights = self._active[likely], weights[likely] / weights[likely].sum()
        spread = 1 + (search.questions - 1) * float(by_correlation.sum(axis=1) @ [rho for rho, _ in CORRELATIONS])
        # Where beyond the window a threshold lies cannot be learnt, and does not matter.
        goal = np.minimum(grid.axis[grid.place[cells]], grid.end + 0.5)
        deviation = goal - weights @ goal
        steps = _steps(math.sqrt(float(weights @ deviation**2)))
        axis = np.unique(np.append(np.arange(grid.start, grid.end, 1 / steps), grid.end))
        accuracy = np.stack([grid.accuracy(float(u), cells) for u in axis], axis=1)
        noise = weights @ (accuracy * (1 - accuracy)) * spread / search.questions
        centred = np.column_stack([accuracy - weights @ accuracy, deviation])
        costs = np.array([search.cost(2**u) for u in axis])
        chosen = _greedy((centred * weights[:, None]).T @ centred, noise, costs, batches)
        return [float(min(max(round(2 ** axis[index]), search.shortest), search.longest)) for index in chosen]

    def belief(self) -> Belief:
        """Sum up what the data say."""
        grid, search = self._grid, self._search
        weights = self._weights().sum(axis=0)
        base, place = grid.base[self._active], grid.place[self._active]
        measurable = base >= search.least_base
        mass = np.bincount(place[measurable], weights[measurable], minlength=len(grid.axis))
        low_base = float(weights[~measurable].sum())
        beyond = float(mass[grid.axis > grid.end].sum() / mass.sum()) if low_base < 1 else 0.0
        outside = (1 - search.level) / 2
        low, middle, high = (2.0**u for u in _quantiles(grid.axis, mass, (outside, 0.5, 1 - outside)))
        by_base = np.bincount(np.rint(base * len(BASES)).astype(int) - 1, weights, minlength=len(BASES))
        ends = _quantiles(BASES, by_base, (outside, 1 - outside))
        fine = low >= middle * (1 - search.precision) and high <= middle * (1 + search.precision)
        outcome: Outcome = "open"
        if self._batches >= search.least_batches:
            if low_base > search.level:
                outcome = "low base"
            elif beyond > search.level:
                outcome = "beyond"
            elif fine and high <= search.longest:
                outcome = "found"
        longest = float(search.longest)
        return Belief(
            outcome=outcome,
            threshold=None if low_base > 0.5 else min(middle, longest),
            low=None if low_base > 0.5 else min(low, longest),
            high=None if low_base > 0.5 or high > longest else high,
            base=float(weights @ base),
            base_low=max(ends[0], 0.0),
            base_high=min(ends[1], 1.0),
            low_base=low_base,
            beyond=beyond,
            cases=self._cases,
            batches=self._batches,
        )

    def estimate(self, artefacts: int = 0) -> Estimate | None:
        """The threshold with its credible interval; None where the base is too low to have one.

        Args:
            artefacts: how many of the cases were artefacts, passed on.

        Raises:
            InsufficientDataError: nothing recorded yet.
        """
        if self._cases == 0:
            raise InsufficientDataError("A threshold needs at least one batch of answers; record one first.")
        belief = self.belief()
        if belief.threshold is None:
            return None
        interval = Interval(
            low=belief.low, high=belief.high, level=self._search.level, method="bayesian adaptive threshold"
        )
        return Estimate(value=belief.threshold, interval=interval, n=self._cases, artefacts=artefacts)


def _steps(deviation: float) -> int:
    """Lengths per octave that are worth telling apart when the log2 threshold is known to this deviation."""
    return next((steps for steps in STEPS_PER_OCTAVE if 1 / steps <= deviation), STEPS_PER_OCTAVE[-1])


def _greedy(covariance: Floats, noise: Floats, costs: Floats, picks: int) -> list[int]:
    """Pick measurements one after another by expected information about the last variable per cost.

    Args:
        covariance: `(k + 1, k + 1)`, of k measurements' means and the variable of interest, last.
        noise: `(k,)`, variance of each measurement around its mean.
        costs: `(k,)`.
        picks: how many.
    """
    covariance = covariance.copy()
    chosen = []
    for _ in range(picks):
        total = np.diag(covariance)[:-1] + noise
        explained = covariance[:-1, -1] ** 2 / (total * max(covariance[-1, -1], 1e-12))
        best = int(np.argmax(-np.log1p(-np.minimum(explained, 1 - 1e-9)) / costs))
        chosen.append(best)
        covariance -= np.outer(covariance[:, best], covariance[best]) / total[best]
    return chosen


def _quantiles(axis: Floats, mass: NDArray[Any], shares: tuple[float, ...]) -> list[float]:
    """Quantiles of a distribution over evenly spaced cells, the mass spread evenly within each."""
    half = (axis[1] - axis[0]) / 2
    total = mass.sum()
    cumulative = np.append(0.0, np.cumsum(mass) / total) if total > 0 else np.linspace(0, 1, len(axis) + 1)
    edges = np.append(axis - half, axis[-1] + half)
    return [float(np.interp(share, cumulative, edges)) for share in shares]
