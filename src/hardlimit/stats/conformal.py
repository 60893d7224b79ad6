"""Thresholds on a confidence, chosen on labelled answers so that a risk on fresh ones is held."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from hardlimit.core import InsufficientDataError, InvalidValueError

NEVER = float("inf")
"""The threshold that answers nothing."""


def conformal_threshold(confidence: ArrayLike, wrong: ArrayLike, *, risk: float) -> float:
    """Choose the lowest threshold at which the expected share of wrong answers among ALL questions is at most `risk`.

    A question counts as a loss where it is answered (its confidence reaches the threshold) and the answer is wrong; an
    abstention is no loss. On average over labelled samples and fresh questions from the same source, the loss is at
    most `risk`, in finite samples and whatever the signal is worth. Under a shift of the questions nothing is promised.

    Args:
        confidence: `(n,)`, of labelled answers, n >= 1.
        wrong: `(n,)`, whether each answer is wrong.
        risk: target, in (0, 1).

    Returns:
        The threshold; infinity where no answer may be given.

    Source:
        Angelopoulos et al. (2022), Conformal risk control, theorem 1 (arXiv 2208.02814).

    >>> conformal_threshold([0.2, 0.4, 0.6, 0.8] * 10, [True, True, False, False] * 10, risk=0.1)
    0.6
    >>> conformal_threshold([0.5, 0.5], [False, False], risk=0.1)
    inf
    """
    score, bad = _labelled(confidence, wrong, risk)
    levels = np.unique(score)
    losses = np.array([np.sum(bad & (score >= level)) for level in levels])
    held = (losses + 1) / (score.size + 1) <= risk
    # The loss never rises with the threshold, so the first level that holds is the lowest one.
    return float(levels[np.argmax(held)]) if held.any() else (NEVER if 1 / (score.size + 1) > risk else above(score))


def above(score: NDArray[np.float64]) -> float:
    """A threshold that no labelled answer reaches."""
    return float(np.nextafter(score.max(), np.inf))


def selective_threshold(confidence: ArrayLike, wrong: ArrayLike, *, risk: float, delta: float = 0.05) -> float:
    """Choose the lowest threshold at which the wrong share of the ANSWERED questions is at most `risk`, surely.

    Thresholds are tested from the highest down, each by an exact binomial test at level `delta`, up to the first that
    fails: the chance that the chosen one breaks its promise on fresh questions of the same source is at most `delta`.
    The levels tested are fixed beforehand (tenths of the labelled answers), so that no choice is made on their labels.

    Args:
        confidence: `(n,)`, of labelled answers, n >= 1.
        wrong: `(n,)`, whether each answer is wrong.
        risk: target, in (0, 1).
        delta: chance of a broken promise, in (0, 1).

    Returns:
        The threshold; infinity where none can be promised.

    Source:
        Geifman & El-Yaniv (2017), Selective classification; Angelopoulos et al. (2021), Learn then test.

    >>> selective_threshold([0.2, 0.9] * 60, [True, False] * 60, risk=0.1)
    0.9
    """
    score, bad = _labelled(confidence, wrong, risk)
    if not 0 < delta < 1:
        raise InvalidValueError(f"delta must lie in (0, 1), got {delta:g}.")
    chosen = NEVER
    for level in np.unique(np.quantile(score, np.arange(10) / 10, method="higher"))[::-1]:
        answered = score >= level
        if stats.binom.cdf(int(np.sum(bad & answered)), int(answered.sum()), risk) > delta:
            break
        chosen = float(level)
    return chosen


def _labelled(confidence: ArrayLike, wrong: ArrayLike, risk: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    score, bad = np.asarray(confidence, dtype=float), np.asarray(wrong, dtype=bool)
    if score.size == 0:
        raise InsufficientDataError("A threshold cannot be chosen on no labelled answer; give at least one.")
    if score.shape != bad.shape or score.ndim != 1 or not np.isfinite(score).all():
        raise InvalidValueError(
            "Confidences and labels must be two lists of one length without NaN, got shapes "
            f"{score.shape} and {bad.shape}."
        )
    if not 0 < risk < 1:
        raise InvalidValueError(f"risk must lie in (0, 1), got {risk:g}.")
    return score, bad
