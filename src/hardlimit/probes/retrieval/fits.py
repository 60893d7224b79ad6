"""Fits of retrieval by likelihood: the curve of a reader over its passages, and belief in planted texts by dose."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from hardlimit.core import InsufficientDataError, Interval, InvalidValueError, Value
from hardlimit.stats import clopper_pearson
from hardlimit.stats.intervals import expanded_tail

Doubles = NDArray[np.float64]

REPLICATES = 500
_SCALES = np.linspace(0.01, 1.0, 100)
_LOSSES = 1 - np.exp(-1.2 * np.linspace(0.0, 1.0, 121) ** 2)
"""Finer near 0, where most readers are."""

_HALF_CHI = 1.9207
"""Half the 95 % point of χ² with one degree of freedom: the drop of log-likelihood at an interval's ends."""


class ReaderCurve(Value, frozen=True):
    """Accuracy by passages, (1 − (1−p)ᵏ)·a·(1−δ)^(k−1) + (1−p)ᵏ·b, fitted.

    Args:
        hit: p, chance that a further passage is the needed one, given that none before was.
        hit_interval: its exact interval.
        scale: a, accuracy with the needed passage alone.
        loss: δ, part of the accuracy that each further passage takes.
        loss_interval: what a bootstrap over the questions or the profile of the likelihood allows.
        without: b, accuracy where the needed passage was not found; 0 where it always was.
        draws: `(p, δ)` of bootstrap replicates, for whatever follows from both.
        questions: how many.
    """

    hit: float
    hit_interval: Interval
    scale: float
    loss: float
    loss_interval: Interval
    without: float
    draws: tuple[tuple[float, float], ...]
    questions: int


def fit_hit(ranks: Sequence[int], depth: int) -> tuple[float, Interval]:
    """Fit p of a geometric law of ranks that is cut off: hits over places looked at.

    Args:
        ranks: of the needed passage, 1 for the first place; 0 where it is not among the first `depth`.
        depth: how far was looked, >= 1.

    Raises:
        InsufficientDataError: no ranks.

    >>> fit_hit([1, 2, 0, 1], depth=2)[0]
    0.5
    """
    if depth < 1 or any(not 0 <= rank <= depth for rank in ranks):
        raise InvalidValueError(f"Ranks must lie in [0, depth] with depth >= 1, got depth={depth} and {list(ranks)}.")
    hits = sum(rank > 0 for rank in ranks)
    looked = sum(rank or depth for rank in ranks)
    interval = clopper_pearson(hits, looked)
    return hits / looked, interval


def fit_reader_curve(
    ranks: Sequence[int], passages: Sequence[int], right: Doubles, *, seed: int, level: float = 0.95
) -> ReaderCurve:
    """Fit p to the ranks, and a and δ to the answers that had the needed passage among k.

    Args:
        ranks: of the needed passage for each question, 0 where not found within the largest k.
        passages: the numbers of passages asked with, ascending, each >= 1.
        right: `(questions, numbers)`: 1 for right, 0 for not, NaN where not asked.
        seed: of the bootstrap.
        level: confidence.

    Raises:
        InsufficientDataError: fewer than 2 numbers of passages at which some question had its passage, or fewer than 2
            such questions.

    Source:
        Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 6; questions are the units.

    >>> right = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> fit_reader_curve([1, 1, 2], [1, 2], right, seed=0).scale
    1.0
    """
    rank, k = np.asarray(ranks), np.asarray(passages)
    seen = (rank[:, None] > 0) & (rank[:, None] <= k[None, :]) & ~np.isnan(right)
    if (seen.any(axis=0)).sum() < 2 or seen.any(axis=1).sum() < 2:
        raise InsufficientDataError(
            f"A reader's curve needs 2 numbers of passages and 2 questions with their passage, got "
            f"{int(seen.any(axis=0).sum())} and {int(seen.any(axis=1).sum())}."
        )
    yes, no = np.where(seen, right == 1, False).astype(float), np.where(seen, right == 0, False).astype(float)
    n, depth = len(rank), int(k[-1])
    rng = np.random.default_rng([seed, 21])
    weights = rng.multinomial(n, np.full(n, 1 / n), size=REPLICATES).astype(float)
    counts = np.vstack([np.ones(n), weights]) @ np.hstack([yes, no])
    scales, losses = _best(counts, k)
    least, most = _profile(counts[0], k)
    missed = right[~seen & ~np.isnan(right)]
    hits, looked = (rank > 0).astype(float), np.where(rank > 0, rank, depth).astype(float)
    drawn = (weights @ hits) / (weights @ looked)
    tail = expanded_tail(level, n)
    hit, hit_interval = fit_hit([int(r) for r in rank], depth)
    return ReaderCurve(
        hit=hit,
        hit_interval=hit_interval,
        scale=float(scales[0]),
        loss=float(losses[0]),
        loss_interval=Interval(
            low=min(least, float(np.quantile(losses[1:], tail))),
            high=max(most, float(np.quantile(losses[1:], 1 - tail))),
            level=level,
            method=f"bootstrap of {n} questions and profile likelihood, joined",
        ),
        without=float(missed.mean()) if missed.size else 0.0,
        draws=tuple(zip(drawn.tolist(), losses[1:].tolist(), strict=True)),
        questions=n,
    )


def _table(k: NDArray[np.int64]) -> Doubles:
    """Log-likelihoods of right and of not right at each k, for every a and δ of the grid."""
    grid = _SCALES[:, None, None] * (1 - _LOSSES[None, :, None]) ** (k - 1)[None, None, :]
    chance = np.clip(grid, 1e-9, 1 - 1e-9).reshape(-1, k.size)
    return np.hstack([np.log(chance), np.log1p(-chance)])


def _best(counts: Doubles, k: NDArray[np.int64]) -> tuple[Doubles, Doubles]:
    """Maximise the likelihood of each row of counts (right and not right by k) over a grid of a and δ."""
    table = _table(k)
    best = np.concatenate([(part @ table.T).argmax(axis=1) for part in np.array_split(counts, len(counts) // 100 + 1)])
    scale, loss = np.unravel_index(best, (_SCALES.size, _LOSSES.size))
    return _SCALES[scale], _LOSSES[loss]


def _profile(counts: Doubles, k: NDArray[np.int64]) -> tuple[float, float]:
    """Ends of the δ whose likelihood, at its best a, is within 1.92 of the largest: never of no width."""
    values = (_table(k) @ counts).reshape(_SCALES.size, _LOSSES.size).max(axis=0)
    near = _LOSSES[values >= values.max() - _HALF_CHI]
    return float(near[0]), float(near[-1])


class Belief(Value, frozen=True):
    """Belief in planted texts: success with dose d is 1 − (1−g)^d.

    Args:
        each: g, chance that one planted text is believed.
        low: lower end of its 95 % interval.
        high: upper end.
        misfit: largest difference between an observed share and the fitted one.
    """

    each: float
    low: float
    high: float
    misfit: float

    @staticmethod
    def half(each: float) -> float | None:
        """Dose at which half of the attacks succeed, ln ½/ln(1−g); None where no dose does.

        >>> Belief.half(0.5), Belief.half(0.0)
        (1.0, None)
        """
        if each <= 0:
            return None
        return float(np.log(0.5) / np.log1p(-each)) if each < 1 else 0.0


def fit_belief(doses: Sequence[int], successes: Sequence[int], asked: Sequence[int]) -> Belief:
    """Fit g by likelihood, with the interval in which the log-likelihood is within 1.92 of its largest.

    Args:
        doses: planted texts, each >= 1.
        successes: attacks that succeeded at each dose.
        asked: attacks at each dose, >= 1.

    Raises:
        InsufficientDataError: no doses.

    >>> round(fit_belief([1, 2], [50, 75], [100, 100]).each, 3)
    0.5
    """
    d, yes, n = (np.asarray(part, dtype=float) for part in (doses, successes, asked))
    if d.size == 0:
        raise InsufficientDataError("Belief in planted texts needs at least one dose.")

    def likelihood(g: float) -> float:
        kept = d * np.log1p(-g)
        return float(np.sum(yes * np.log(-np.expm1(kept)) + (n - yes) * kept))

    edge = 1e-9
    if yes.sum() == 0 or (yes == n).all():
        at = 0.0 if yes.sum() == 0 else 1.0
        end = np.exp(-_HALF_CHI / float(np.sum(n * d))) if at == 0 else None
        low = 0.0 if end is not None else float(brentq(lambda g: likelihood(g) + _HALF_CHI, edge, 1 - edge))
        return Belief(each=at, low=low, high=float(1 - end) if end is not None else 1.0, misfit=0.0)
    grid = np.linspace(edge, 1 - edge, 4001)
    kept = np.log1p(-grid)[:, None] * d
    values = (yes * np.log(-np.expm1(kept)) + (n - yes) * kept).sum(axis=1)
    best = float(grid[values.argmax()])
    floor = float(values.max()) - _HALF_CHI
    low = float(brentq(lambda g: likelihood(g) - floor, edge, best)) if likelihood(edge) < floor else 0.0
    high = float(brentq(lambda g: likelihood(g) - floor, best, 1 - edge)) if likelihood(1 - edge) < floor else 1.0
    fitted = 1 - (1 - best) ** d
    return Belief(each=best, low=low, high=high, misfit=float(np.abs(fitted - yes / n).max()))
