"""Two arms on the same cases: exact test, difference with its interval, and the same over clusters."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats
from scipy.optimize import brentq

from hardlimit.core import Estimate, InsufficientDataError, Interval, InvalidValueError, Value
from hardlimit.stats.intervals import check_level, expanded_tail, resampled_ratio


class Paired(Value, frozen=True):
    """Two arms compared on the same cases.

    Args:
        difference: second arm minus first, with its interval.
        p_value: two-sided, for "no difference".
        first: share right in the first arm.
        second: share right in the second arm.
        only_first: cases right in the first arm alone.
        only_second: cases right in the second arm alone.
        clusters: independent units behind the interval.
    """

    difference: Estimate
    p_value: float
    first: float
    second: float
    only_first: int
    only_second: int
    clusters: int


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar p-value: the discordant pairs are fair coin flips if the arms are equal.

    Source:
        McNemar (1947), Psychometrika 12:153; exact binomial form.

    >>> round(mcnemar_p(1, 9), 4)
    0.0215
    """
    if min(only_first, only_second) < 0:
        raise InvalidValueError(f"Counts of pairs must be >= 0, got {only_first} and {only_second}.")
    pairs = only_first + only_second
    if pairs == 0:
        return 1.0
    return min(1.0, 2 * float(stats.binom.cdf(min(only_first, only_second), pairs, 0.5)))


def paired_difference_interval(only_first: int, only_second: int, n: int, *, level: float = 0.95) -> Interval:
    """Score interval for the difference of two paired proportions, second minus first.

    Args:
        only_first: pairs right in the first arm alone.
        only_second: pairs right in the second arm alone.
        n: all pairs, >= 1.
        level: confidence.

    Raises:
        InsufficientDataError: n = 0.

    Source:
        Tango (1998), Stat. Med. 17:891.

    >>> paired_difference_interval(5, 15, 100)
    Interval(low=0.01..., high=0.19..., level=0.95, method='tango score')
    """
    check_level(level)
    if n == 0:
        raise InsufficientDataError("A difference over 0 pairs is not a number; measure at least one pair.")
    if min(only_first, only_second) < 0 or only_first + only_second > n:
        raise InvalidValueError(
            f"Discordant pairs need 0 <= only_first + only_second <= n, got {only_first}, {only_second}, n={n}."
        )
    z = float(special.ndtri(1 - (1 - level) / 2))
    gain, loss = only_second, only_first

    def score(delta: float) -> float:
        # Restricted estimate of P(right in the first arm alone) when the difference is delta.
        b = -gain - loss + (2 * n - gain + loss) * delta
        c = -loss * delta * (1 - delta)
        q = (np.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        variance = n * (2 * q + delta * (1 - delta))
        return float((gain - loss - n * delta) / np.sqrt(max(variance, 1e-12)))

    point = (gain - loss) / n
    edge = 1 - 1e-9
    low = -1.0 if loss == n else float(brentq(lambda d: score(d) - z, -edge, max(point, -edge)))
    high = 1.0 if gain == n else float(brentq(lambda d: score(d) + z, min(point, edge), edge))
    return Interval(low=low, high=high, level=level, method="tango score")


def compare_paired(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Paired:
    """Compare two arms on the same independent cases: exact McNemar test and score interval.

    Args:
        first: per case, whether the first arm was right (artefacts count as not right).
        second: the same cases under the second arm.
        level: confidence.

    Raises:
        InsufficientDataError: no cases.

    >>> result = compare_paired([True, False, False, False], [True, True, True, False])
    >>> result.difference.value, result.p_value
    (0.5, 0.5)
    """
    a, b = _arms(first, second)
    only_first, only_second = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    interval = paired_difference_interval(only_first, only_second, a.size, level=level)
    return Paired(
        difference=Estimate(value=(only_second - only_first) / a.size, interval=interval, n=a.size),
        p_value=mcnemar_p(only_first, only_second),
        first=float(a.mean()),
        second=float(b.mean()),
        only_first=only_first,
        only_second=only_second,
        clusters=a.size,
    )


def _arms(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or a.ndim != 1:
        raise InvalidValueError(f"Paired arms need the same cases, got shapes {a.shape} and {b.shape}.")
    if a.size == 0:
        raise InsufficientDataError("A difference over 0 pairs is not a number; measure at least one pair.")
    if not (np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all()):
        raise InvalidValueError("Paired arms hold right or not right (1 or 0) per case.")
    return a.astype(bool), b.astype(bool)


def cluster_sums(values: ArrayLike, clusters: Sequence[object]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum of the values, and number of cases, per cluster (in order of the clusters' names).

    >>> sums, sizes = cluster_sums([1, 0, 1], ["b", "a", "b"])
    >>> sums.tolist(), sizes.tolist()
    ([0.0, 2.0], [1.0, 2.0])
    """
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or x.size != len(clusters):
        raise InvalidValueError(f"Every case needs its cluster, got {x.size} cases and {len(clusters)} clusters.")
    _, index = np.unique(np.asarray([str(name) for name in clusters]), return_inverse=True)
    return np.bincount(index, weights=x).astype(np.float64), np.bincount(index).astype(np.float64)


def cluster_bootstrap(
    values: ArrayLike,
    clusters: Sequence[object],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    replicates: int = 4000,
) -> Estimate:
    """Mean over cases that come in clusters; whole clusters are resampled, expanded for few of them.

    Args:
        values: one number per case.
        clusters: the cluster of each case.
        rng: source of randomness.
        level: confidence.
        replicates: bootstrap replicates.

    Raises:
        InsufficientDataError: fewer than 2 clusters.

    Source:
        Davison & Hinkley (1997), Bootstrap Methods, section 3.8; Hesterberg (2015) for the expansion.

    >>> cluster_bootstrap([1, 1, 0, 0], ["a", "a", "b", "b"], rng=np.random.default_rng(0)).interval.high
    1.0
    """
    sums, sizes = cluster_sums(values, clusters)
    if sums.size < 2:
        raise InsufficientDataError(f"A cluster bootstrap needs at least 2 clusters, got {sums.size}.")
    ratios = resampled_ratio(sums, sizes, replicates=replicates, rng=rng)
    alpha = expanded_tail(level, sums.size)
    low, high = np.quantile(ratios, [alpha, 1 - alpha])
    interval = Interval(
        low=float(low), high=float(high), level=level, method=f"cluster bootstrap ({sums.size} clusters)"
    )
    return Estimate(value=float(sums.sum() / sizes.sum()), interval=interval, n=int(sizes.sum()))


def compare_clustered(
    first: ArrayLike,
    second: ArrayLike,
    clusters: Sequence[object],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    replicates: int = 4000,
) -> Paired:
    """Compare two arms on the same cases when cases share material: the cluster is the unit.

    The interval is the cluster bootstrap of the difference; the p-value flips the sign of whole clusters, all ways
    when there are at most 14 clusters, else at random.

    Args:
        first: per case, whether the first arm was right.
        second: the same cases under the second arm.
        clusters: the cluster of each case.
        rng: source of randomness.
        level: confidence.
        replicates: bootstrap replicates and random flips.

    >>> result = compare_clustered([0, 0, 0, 1], [1, 1, 1, 1], "aabb", rng=np.random.default_rng(0))
    >>> result.difference.value, result.p_value, result.clusters
    (0.75, 0.5, 2)
    """
    a, b = _arms(first, second)
    change = b.astype(float) - a.astype(float)
    difference = cluster_bootstrap(change, clusters, rng=rng, level=level, replicates=replicates)
    sums, _ = cluster_sums(change, clusters)
    return Paired(
        difference=difference,
        p_value=sign_flip_p(sums, rng=rng, flips=replicates),
        first=float(a.mean()),
        second=float(b.mean()),
        only_first=int(np.sum(a & ~b)),
        only_second=int(np.sum(b & ~a)),
        clusters=sums.size,
    )


def sign_flip_p(sums: ArrayLike, *, rng: np.random.Generator, flips: int = 4000) -> float:
    """Two-sided p-value of "these differences are as likely up as down", by flipping signs.

    Args:
        sums: one difference per independent unit.
        rng: source of randomness, used above 14 units.
        flips: random flips above 14 units.

    Source:
        Fisher (1935), The Design of Experiments, section 21.

    >>> sign_flip_p([1.0, 2.0, 3.0], rng=np.random.default_rng(0))
    0.25
    """
    x = np.asarray(sums, dtype=float)
    observed = abs(float(x.sum())) * (1 - 1e-12)
    if x.size <= 14:
        signs = 1 - 2 * ((np.arange(2**x.size)[:, None] >> np.arange(x.size)) & 1)
        return float(np.mean(np.abs(signs @ x) >= observed))
    signs = rng.choice(np.array([-1.0, 1.0]), size=(flips, x.size))
    return float((1 + np.sum(np.abs(signs @ x) >= observed)) / (flips + 1))
