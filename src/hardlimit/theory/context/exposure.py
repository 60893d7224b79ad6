"""CTX-1: how often training meets two tokens at a given distance."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import ATTENDABLE_CONTEXT, DISTANCE_SHARE
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import Floats, Numbers, number, plain, vector, within
from hardlimit.theory.sources import derived, paper

CTX_1 = Statement(
    id="CTX-1",
    name="positional exposure",
    limit=Limit.CONTEXT,
    status=Status.CORRECTED,
    says=(
        "In causal training long distances are rare: a window of L tokens has only L − i pairs at distance i, so a "
        "quarter of the pairs lie beyond half of the window and one in sixteen beyond three quarters. If a distance "
        "is usable once it was met often enough, the usable length stays below the window."
    ),
    formula=(
        "f(i) = Σ_s max(|s| − i, 0);   full windows: f(i) = (T/L)·(L − i)\n"
        "share at distance ≥ k: (L−k)(L−k+1)/(L(L+1)) ≈ (1 − k/L)²\n"
        "lengths exponential with mean m: f(i)/f(0) = e^(−i/m)\n"
        "usable if met m* times:  L_eff = L − m*·L/T"
    ),
    hypotheses=(
        "causal attention over training sequences of known lengths, documents masked or counted as one",
        "for L_eff: a distance is usable after m* exposures (fitted, not proved)",
    ),
    sources=(
        Source(title="An et al. (2024)", locator="Eq. 2", url="arXiv:2410.18745"),
        derived("the closed forms"),
        paper("Lemma 2, 3"),
    ),
    silent_on=(
        "With rotary or sinusoidal codes all positions share weights, so no 'parameter of a position' stays "
        "untrained. Most of the skew is combinatorial. It is a covariate to measure, not a ceiling."
    ),
    falsified_by="Two corpora with equal f(i) and different needle accuracy at distance i, all else equal.",
    paper=(
        "The paper bounds how far position parameters can move; that is an upper bound on movement, empty unless "
        "learning rate × steps × frequency is small (PAPER-UNDERTRAINED-POSITIONS)."
    ),
    effects=(
        Effect(
            resource=Resource.DATA, verdict=Verdict.HELPS, when="weighted to long documents, or positions resampled"
        ),
        Effect(resource=Resource.CONTEXT, verdict=Verdict.SATURATES, when="at the nominal window"),
    ),
    worked="A window of 2,048: 25 % of the pairs lie beyond 1,024 tokens, 6.3 % beyond 1,536.",
    probe="context.needle",
)


def position_frequencies(lengths: ArrayLike) -> Floats:
    """Return how often each distance occurs in sequences of given lengths, f(i) = Σ max(|s| − i, 0).

    Args:
        lengths: of the training sequences, tokens, whole numbers >= 1.

    Returns:
        f(0)…f(max − 1).

    Source:
        An et al. (2024), Eq. 2.

    >>> position_frequencies([3, 1]).tolist()
    [4.0, 2.0, 1.0]
    """
    sizes = vector("lengths", lengths, "[1, 10000000]", whole=True).astype(np.int64)
    longer_than = sizes.size - np.cumsum(np.bincount(sizes))[:-1]
    return np.asarray(np.cumsum(longer_than[::-1])[::-1], dtype=np.float64)


def window_frequency(tokens: ArrayLike, window: ArrayLike, distance: ArrayLike) -> Numbers:
    """Return f(i) = (T/L)·(L − i) for T tokens in full windows of length L; 0 beyond the window.

    Args:
        tokens: T, >= 0.
        window: L, >= 1.
        distance: i, >= 0.

    >>> f"{window_frequency(4e11, 4096, 1400):.4g}"
    '2.633e+11'
    """
    t, size = within("tokens", tokens, "[0, ∞)"), within("window", window, "[1, ∞)")
    return plain(t / size * np.maximum(size - within("distance", distance, "[0, ∞)"), 0.0))


def tail_share(window: ArrayLike, distance: ArrayLike) -> Numbers:
    """Return the share of pairs of a full window that lie at least k apart, (L−k)(L−k+1)/(L(L+1)).

    Args:
        window: L, >= 1.
        distance: k, >= 0.

    Source:
        CTX-1.

    >>> round(tail_share(2048, 1024), 4)
    0.2501
    """
    size = within("window", window, "[1, ∞)")
    rest = np.maximum(size - within("distance", distance, "[0, ∞)"), 0.0)
    return plain(rest * (rest + 1) / (size * (size + 1)))


def exponential_ratio(distance: ArrayLike, mean_length: ArrayLike) -> Numbers:
    """Return f(i)/f(0) for documents with exponential lengths, e^(−i/m).

    >>> f"{exponential_ratio(4096, 500):.3g}"
    '0.000277'
    """
    return plain(np.exp(-within("distance", distance, "[0, ∞)") / within("mean_length", mean_length, "(0, ∞)")))


def effective_length(tokens: ArrayLike, window: ArrayLike, needed: ArrayLike) -> Numbers:
    """Return the longest distance met often enough, L − m*·L/T, at least 0.

    Args:
        tokens: T, training tokens in full windows, > 0.
        window: L, >= 1.
        needed: m*, exposures that make a distance usable, >= 0 (to be fitted).

    Source:
        CTX-1.

    >>> round(effective_length(1e12, 4096, 2.886e11))
    2914
    """
    t, size = within("tokens", tokens, "(0, ∞)"), within("window", window, "[1, ∞)")
    return plain(np.maximum(0.0, size - within("needed", needed, "[0, ∞)") * size / t))


def movement_bound(
    learning_rate: ArrayLike,
    steps: ArrayLike,
    frequency: ArrayLike,
    *,
    slope: ArrayLike = 1.0,
    gradient: ArrayLike = 1.0,
) -> Numbers:
    """Return the paper's bound on how far a position's attention moves, L_a·η·T·C·p.

    Args:
        learning_rate: η, > 0.
        steps: T, >= 0.
        frequency: p, share of the steps that meet the position, in [0, 1].
        slope: L_a, Lipschitz constant, >= 0.
        gradient: C, gradient bound, >= 0.

    Source:
        The paper's Lemmas 2 and 3; it is an upper bound, and empty where it exceeds the movement that matters.

    >>> round(movement_bound(3e-4, 1e6, 1e-3), 4)
    0.3
    """
    eta, t = within("learning_rate", learning_rate, "(0, ∞)"), within("steps", steps, "[0, ∞)")
    p = within("frequency", frequency, "[0, 1]")
    return plain(within("slope", slope, "[0, ∞)") * eta * t * within("gradient", gradient, "[0, ∞)") * p)


def exposure_by_distance(window: int, distances: Sequence[float]) -> Shape:
    """Tell what share of the pairs of a full window lie at least so far apart.

    Args:
        window: L, >= 1.
        distances: k, increasing, each >= 0.

    Returns:
        A shape of `DISTANCE_SHARE` along `distance`.

    Source:
        CTX-1.

    >>> exposure_by_distance(3, [0, 1, 2]).points
    ((0.0, 1.0), (1.0, 0.5), (2.0, 0.16666666666666666))
    """
    k = vector("distances", distances, "[0, ∞)")
    shares = np.atleast_1d(np.asarray(tail_share(window, k)))
    points = tuple(zip(k.tolist(), shares.tolist(), strict=True))
    return Shape(
        statement=CTX_1, quantity=DISTANCE_SHARE, along="distance", points=points, parameters={"window": window}
    )


def usable_length(tokens: float, window: int, needed: float) -> Bound:
    """Give the usable length of a model whose distances need m* exposures.

    Args:
        tokens: T, > 0.
        window: L, >= 1.
        needed: m*, >= 0.

    Returns:
        An equality (under the fitted hypothesis) for `ATTENDABLE_CONTEXT`.

    Source:
        CTX-1.

    >>> round(usable_length(1e12, 4096, 2.886e11).value)
    2914
    """
    value = float(effective_length(number("tokens", tokens, "(0, ∞)"), window, needed))
    unused = value <= 0.0 or math.isclose(value, window)
    reason = "every distance or none is met often enough" if unused else None
    at = {"tokens": tokens, "window": window, "needed": needed}
    return exactly(CTX_1, ATTENDABLE_CONTEXT, value, at=at, vacuous=reason)
