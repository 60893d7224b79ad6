"""Intervals for proportions and means: exact for small counts, clustered where cases share material."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from hardlimit.core import Estimate, InsufficientDataError, Interval, InvalidValueError

Side: TypeAlias = Literal["both", "low", "high"]
Floats: TypeAlias = NDArray[np.float64]


def check_level(level: float) -> None:
    """Raise unless the level is one.

    Raises:
        InvalidValueError: outside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise InvalidValueError(f"A confidence level must lie in (0, 1), got {level}.")


def check_counts(right: float, n: float) -> None:
    """Raise unless `right` of `n` are counts of at least one case.

    Raises:
        InsufficientDataError: n = 0: no proportion.
        InvalidValueError: counts that cannot be.
    """
    if n == 0:
        raise InsufficientDataError("A proportion of 0 cases is not a number; measure at least one case.")
    if not 0 <= right <= n:
        raise InvalidValueError(f"A proportion needs 0 <= right <= n, got right={right}, n={n}.")


def tail(level: float, side: Side) -> float:
    """Probability left outside on one side of an interval."""
    check_level(level)
    return (1.0 - level) / 2.0 if side == "both" else 1.0 - level


def _interval(low: float, high: float, *, level: float, side: Side, method: str) -> Interval:
    return Interval(
        low=None if side == "high" else float(low),
        high=None if side == "low" else float(high),
        level=level,
        method=method,
    )


def clopper_pearson(right: float, n: float, *, level: float = 0.95, side: Side = "both") -> Interval:
    """Exact interval for a proportion: it covers at least `level`, whatever the proportion and the n.

    Args:
        right: successes, 0 <= right <= n; a fraction is read by the same beta quantiles (effective counts).
        n: cases, > 0.
        level: confidence of the whole interval.
        side: `both`, or a one-sided limit: `low` leaves the upper end open, `high` the lower end.

    Raises:
        InsufficientDataError: n = 0.

    Source:
        Clopper & Pearson (1934), Biometrika 26:404.

    >>> clopper_pearson(6, 6)
    Interval(low=0.5407..., high=1.0, level=0.95, method='clopper-pearson')
    """
    check_counts(right, n)
    alpha = tail(level, side)
    low = 0.0 if right == 0 else float(special.betaincinv(right, n - right + 1, alpha))
    high = 1.0 if right == n else float(special.betaincinv(right + 1, n - right, 1 - alpha))
    return _interval(low, high, level=level, side=side, method="clopper-pearson")


def wilson(right: float, n: float, *, level: float = 0.95, side: Side = "both") -> Interval:
    """Score interval for a proportion: shorter than the exact one, right on average over proportions.

    Args:
        right: successes, 0 <= right <= n.
        n: cases, > 0.
        level: confidence of the whole interval.
        side: `both`, or a one-sided limit.

    Raises:
        InsufficientDataError: n = 0.

    Source:
        Wilson (1927), J. Am. Stat. Assoc. 22:209.

    >>> wilson(0, 10)
    Interval(low=0.0, high=0.2775..., level=0.95, method='wilson')
    """
    check_counts(right, n)
    z = float(special.ndtri(1 - tail(level, side)))
    p = right / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if right == 0 else max(0.0, centre - half)
    high = 1.0 if right == n else min(1.0, centre + half)
    return _interval(low, high, level=level, side=side, method="wilson")


def estimate(right: int, n: int, artefacts: int = 0, level: float = 0.95) -> Estimate:
    """A proportion with its exact interval.

    Args:
        right: cases that count as successes.
        n: all cases, artefacts included.
        artefacts: how many of them were artefacts.
        level: confidence.

    Raises:
        InsufficientDataError: n = 0.

    >>> estimate(3, 4, artefacts=1)
    Estimate(value=0.75, interval=Interval(low=0.194..., high=0.993..., ...), n=4, artefacts=1)
    """
    interval = clopper_pearson(right, n, level=level)
    if not 0 <= artefacts <= n:
        raise InvalidValueError(f"artefacts must lie in [0, n], got artefacts={artefacts}, n={n}.")
    return Estimate(value=right / n, interval=interval, n=n, artefacts=artefacts)


def clustered_proportion(right: ArrayLike, n: ArrayLike, *, level: float = 0.95, artefacts: int = 0) -> Estimate:
    """A proportion over cases that come in clusters (a haystack, a template): Korn–Graubard interval.

    The clusters' spread gives the variance of the ratio; the interval is the exact one for the number of independent
    cases that would have that variance, with Student's correction for few clusters. Where every case came out the
    same there is no spread to read, and each cluster counts as one case: wide, but safe.

    Args:
        right: successes per cluster.
        n: cases per cluster, >= 1 each.
        level: confidence.
        artefacts: artefacts over all clusters, passed on.

    Raises:
        InsufficientDataError: fewer than 2 clusters.

    Source:
        Korn & Graubard (1998), Survey Methodology 24:193.

    >>> clustered_proportion([5, 4, 5, 0], [5, 5, 5, 5]).interval
    Interval(low=0.025..., high=0.999..., level=0.95, method='clustered clopper-pearson (4 clusters)')
    """
    check_level(level)
    hits, sizes = np.asarray(right, float), np.asarray(n, float)
    if hits.shape != sizes.shape or hits.ndim != 1 or np.any(sizes < 1) or np.any((hits < 0) | (hits > sizes)):
        raise InvalidValueError("Clusters need one count of successes per cluster, with 0 <= right <= n and n >= 1.")
    clusters = hits.size
    if clusters < 2:
        raise InsufficientDataError(f"A clustered interval needs at least 2 clusters, got {clusters}.")
    total = float(sizes.sum())
    p = float(hits.sum() / total)
    residual = hits - p * sizes
    variance = clusters / (clusters - 1) * float(residual @ residual) / total**2
    if variance == 0.0:
        effective = float(clusters) if p in (0.0, 1.0) else total
    else:
        t_cases, t_clusters = (float(stats.t.ppf(1 - tail(level, "both"), df)) for df in (total - 1, clusters - 1))
        effective = min(p * (1 - p) / variance * (t_cases / t_clusters) ** 2, total)
    exact = clopper_pearson(p * effective, effective, level=level)
    interval = Interval(
        low=exact.low, high=exact.high, level=level, method=f"clustered clopper-pearson ({clusters} clusters)"
    )
    return Estimate(value=p, interval=interval, n=int(total), artefacts=artefacts)


def mean_interval(values: ArrayLike, *, level: float = 0.95, side: Side = "both") -> Interval:
    """Student's interval for a mean of independent values.

    Raises:
        InsufficientDataError: fewer than 2 values.

    >>> mean_interval([1.0, 2.0, 3.0])
    Interval(low=-0.484..., high=4.484..., level=0.95, method='student t')
    """
    x = _sample(values, least=2)
    half = float(stats.t.ppf(1 - tail(level, side), x.size - 1)) * float(x.std(ddof=1)) / np.sqrt(x.size)
    return _interval(x.mean() - half, x.mean() + half, level=level, side=side, method="student t")


def _sample(values: ArrayLike, *, least: int) -> Floats:
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not np.all(np.isfinite(x)):
        raise InvalidValueError(f"A sample must be a flat list of finite numbers, got shape {x.shape}.")
    if x.size < least:
        raise InsufficientDataError(f"This interval needs at least {least} values, got {x.size}.")
    return x


def resampled_ratio(numerator: Floats, denominator: Floats, *, replicates: int, rng: np.random.Generator) -> Floats:
    """Bootstrap replicates of a ratio of sums over independent units, in bounded memory.

    Args:
        numerator: per unit.
        denominator: per unit, > 0.
        replicates: how many.
        rng: source of randomness.

    Returns:
        Array of `replicates` values of sum(numerator)/sum(denominator).
    """
    units = numerator.size
    chunk = max(1, 4_000_000 // units)
    out = []
    for start in range(0, replicates, chunk):
        weights = rng.multinomial(units, np.full(units, 1 / units), size=min(chunk, replicates - start))
        out.append((weights @ numerator) / (weights @ denominator))
    return np.concatenate(out)


def expanded_tail(level: float, units: int) -> float:
    """One-sided tail at which percentiles are read so that few units do not make the interval too short.

    Source:
        Hesterberg (2015), What teachers should know about the bootstrap, section 5.3 (expanded percentile).

    >>> round(expanded_tail(0.95, 1000), 4), round(expanded_tail(0.95, 6), 4)
    (0.0248, 0.0024)
    """
    t = float(stats.t.ppf(tail(level, "both"), units - 1))
    return float(special.ndtr(np.sqrt(units / (units - 1)) * t))


def bootstrap_mean(
    values: ArrayLike,
    *,
    rng: np.random.Generator,
    method: Literal["bca", "percentile"] = "bca",
    level: float = 0.95,
    replicates: int = 4000,
) -> Interval:
    """Bootstrap interval for a mean of independent values, expanded for small samples.

    Args:
        values: the sample.
        rng: source of randomness.
        method: `bca` corrects for bias and skewness, `percentile` does not.
        level: confidence.
        replicates: bootstrap replicates.

    Raises:
        InsufficientDataError: fewer than 2 values.

    Source:
        Efron (1987), J. Am. Stat. Assoc. 82:171 (BCa); Hesterberg (2015) for the expansion.

    >>> bootstrap_mean([0.0, 0.0, 1.0, 5.0, 9.0], rng=np.random.default_rng(0))
    Interval(low=0.0, high=8.8..., level=0.95, method='bootstrap bca')
    """
    x = _sample(values, least=2)
    means = resampled_ratio(x, np.ones_like(x), replicates=replicates, rng=rng)
    alpha = expanded_tail(level, x.size)
    tails = np.array([alpha, 1 - alpha])
    if method == "bca":
        tails = bca_tails(means, float(x.mean()), _skewness_term(x), tails)
    low, high = np.quantile(means, tails)
    return _interval(low, high, level=level, side="both", method=f"bootstrap {method}")


def _skewness_term(x: Floats) -> float:
    """BCa's acceleration for a mean: a sixth of the skewness over the root of n."""
    centred = x - x.mean()
    spread = float(np.sum(centred**2))
    return 0.0 if spread == 0 else float(np.sum(centred**3)) / (6 * spread**1.5)


def bca_tails(replicates: Floats, value: float, acceleration: float, tails: Floats) -> Floats:
    """Tails at which BCa reads the percentiles of the replicates.

    Args:
        replicates: of the statistic.
        value: the statistic on the sample.
        acceleration: BCa's a.
        tails: nominal tails, in (0, 1).
    """
    below = (np.sum(replicates < value) + 0.5 * np.sum(replicates == value)) / replicates.size
    bias = special.ndtri(np.clip(below, 1e-6, 1 - 1e-6))
    shifted = bias + special.ndtri(tails)
    adjusted: Floats = special.ndtr(bias + shifted / (1 - acceleration * shifted))
    return adjusted
