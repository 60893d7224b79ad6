import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.stats import (
    bootstrap_mean,
    clopper_pearson,
    clustered_proportion,
    estimate,
    mean_interval,
    wilson,
)

LEVELS = st.floats(0.5, 0.999)


@st.composite
def counts(draw):
    n = draw(st.integers(1, 300))
    return draw(st.integers(0, n)), n


@given(counts(), LEVELS)
def test_exact_and_wilson_equal_scipy(case, level):
    right, n = case
    test = reference.binomtest(right, n)
    for ours, method in ((clopper_pearson, "exact"), (wilson, "wilson")):
        theirs = test.proportion_ci(level, method=method)
        interval = ours(right, n, level=level)
        assert interval.low == pytest.approx(theirs.low, abs=1e-9)
        assert interval.high == pytest.approx(theirs.high, abs=1e-9)


def test_known_values():
    # Newcombe (1998), Stat. Med. 17:857, table I: 81 of 263, methods 3 (Wilson) and 5 (Clopper–Pearson); and the
    # rule of three for 0 of 1000.
    score, exact = wilson(81, 263), clopper_pearson(81, 263)
    assert (round(score.low, 4), round(score.high, 4)) == (0.2553, 0.3662)
    assert (round(exact.low, 4), round(exact.high, 4)) == (0.2527, 0.3676)
    assert clopper_pearson(0, 1000, side="high").high == pytest.approx(0.0029912, abs=1e-7)
    assert clopper_pearson(6, 6).low == pytest.approx(0.5407, abs=1e-4)


@given(counts(), LEVELS)
def test_one_sided_limits_are_the_ends_of_a_wider_interval(case, level):
    right, n = case
    for make in (clopper_pearson, wilson):
        low, high = make(right, n, level=level, side="low"), make(right, n, level=level, side="high")
        both = make(right, n, level=2 * level - 1) if level > 0.5 else None
        assert low.high is None and high.low is None
        if both is not None:
            assert low.low == pytest.approx(both.low, abs=1e-9)
            assert high.high == pytest.approx(both.high, abs=1e-9)


@given(counts())
def test_intervals_mirror_hold_the_estimate_and_nest_by_level(case):
    right, n = case
    for make in (clopper_pearson, wilson):
        interval, mirror = make(right, n), make(n - right, n)
        assert right / n in interval
        assert interval.low == pytest.approx(1 - mirror.high, abs=1e-9)
        wider = make(right, n, level=0.99)
        assert wider.low <= interval.low and interval.high <= wider.high


@pytest.mark.parametrize("n", [1, 5, 20, 100])
def test_exact_coverage(n):
    # No simulation: the coverage at p is a finite sum. Exact: never below the level, on either side. Wilson: right on
    # average over p, so it is held to 94 % of a uniform p.
    grid = np.linspace(0.001, 0.999, 401)
    pmf = reference.binom.pmf(np.arange(n + 1)[:, None], n, grid)
    for make, least, average in ((clopper_pearson, 0.95, 0.95), (wilson, 0.79, 0.94)):
        low = np.array([make(k, n).low for k in range(n + 1)])[:, None]
        high = np.array([make(k, n).high for k in range(n + 1)])[:, None]
        coverage = (pmf * ((low <= grid) & (grid <= high))).sum(axis=0)
        assert coverage.min() >= least - 1e-9
        assert coverage.mean() >= average
    upper = np.array([clopper_pearson(k, n, side="high").high for k in range(n + 1)])[:, None]
    assert (pmf * (grid <= upper)).sum(axis=0).min() >= 0.95 - 1e-9


# 1,500 simulated intervals of true coverage 0.94 fall below 0.915 once in 10,000 fixed seeds.
@pytest.mark.parametrize(
    ("clusters", "size", "p", "icc", "least"),
    [(10, 20, 0.5, 0.2, 0.93), (10, 20, 0.95, 0.1, 0.90), (30, 10, 0.9, 0.2, 0.92), (30, 10, 0.3, 0.001, 0.93),
     (5, 26, 0.8, 0.3, 0.90)],
)  # fmt: skip
def test_coverage_of_the_clustered_interval(clusters, size, p, icc, least):
    rng = np.random.default_rng(1)
    a, b = p * (1 / icc - 1), (1 - p) * (1 / icc - 1)
    hits = rng.binomial(size, rng.beta(a, b, size=(1500, clusters)))
    covered = np.mean([p in clustered_proportion(row, np.full(clusters, size)).interval for row in hits])
    assert covered >= least


def test_the_naive_interval_fails_where_the_clustered_one_holds():
    # The reason for the clustered interval: counting cases as independent covers far too little.
    rng = np.random.default_rng(2)
    hits = rng.binomial(20, rng.beta(2, 2, size=(600, 10)))
    naive = np.mean([0.5 in clopper_pearson(row.sum(), 200) for row in hits])
    clustered = np.mean([0.5 in clustered_proportion(row, np.full(10, 20)).interval for row in hits])
    assert naive < 0.7 and clustered > 0.92


def test_clustered_interval_when_all_clusters_agree():
    # All right: each cluster counts as one case. All halves: no excess spread, cases count as they are.
    assert clustered_proportion([5] * 6, [5] * 6).interval.low == clopper_pearson(6, 6).low
    assert clustered_proportion([2] * 6, [4] * 6).interval.low == clopper_pearson(12, 24).low


def test_singleton_clusters_are_plain_cases():
    # With clusters of one case only Student's correction for the number of clusters could differ: it cancels.
    right = [1] * 14 + [0] * 6
    clustered, plain = clustered_proportion(right, [1] * 20).interval, clopper_pearson(14, 20)
    assert clustered.low == pytest.approx(plain.low, abs=0.012)
    assert clustered.high == pytest.approx(plain.high, abs=0.012)


@pytest.mark.parametrize(
    ("draw", "truth", "n", "least"),
    [
        (lambda rng, n: rng.normal(size=n), 0.0, 10, 0.91),
        (lambda rng, n: rng.exponential(size=n), 1.0, 30, 0.91),
        (lambda rng, n: rng.binomial(1, 0.2, size=n).astype(float), 0.2, 100, 0.91),
    ],
)
@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_coverage_of_the_bootstrap_mean(draw, truth, n, least, method):
    # 500 intervals; a true coverage of 0.95 falls below 0.91 once in 20,000 seeds.
    rng = np.random.default_rng(3)
    make = lambda: bootstrap_mean(draw(rng, n), rng=rng, method=method, replicates=1000)  # noqa: E731
    assert np.mean([truth in make() for _ in range(500)]) >= least


def test_bca_follows_skewness():
    # For a sample skewed to the right, BCa reaches further up and less far down than the percentile interval.
    sample = np.random.default_rng(4).exponential(size=30)
    bca = bootstrap_mean(sample, rng=np.random.default_rng(0))
    plain = bootstrap_mean(sample, rng=np.random.default_rng(0), method="percentile")
    assert bca.low > plain.low and bca.high > plain.high


def test_bca_equals_scipy():
    sample = np.random.default_rng(5).exponential(size=400)
    theirs = reference.bootstrap(
        (sample,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    ours = bootstrap_mean(sample, rng=np.random.default_rng(2), replicates=20_000)
    # Monte-Carlo error of a 2.5 % quantile over 20,000 replicates: about 0.02 standard errors of the mean, 0.05.
    assert ours.low == pytest.approx(theirs.low, abs=0.004)
    assert ours.high == pytest.approx(theirs.high, abs=0.004)


def test_students_interval_equals_scipy_and_covers():
    sample = np.random.default_rng(6).normal(size=12)
    theirs = reference.ttest_1samp(sample, 0).confidence_interval(0.9)
    ours = mean_interval(sample, level=0.9)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    # 4,000 intervals of coverage 0.95 fall outside [0.936, 0.964] once in 10,000 seeds.
    rng = np.random.default_rng(7)
    covered = np.mean([3.0 in mean_interval(rng.normal(3, 2, size=6)) for _ in range(4000)])
    assert 0.936 <= covered <= 0.964
    one_sided = mean_interval(sample, level=0.95, side="low")
    assert one_sided.high is None and one_sided.low == pytest.approx(theirs.low)


def test_same_seed_same_interval():
    sample = [0.0, 1.0, 4.0]
    first, second = (bootstrap_mean(sample, rng=np.random.default_rng(8)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: estimate(0, 0),
            InsufficientDataError,
            "A proportion of 0 cases is not a number; measure at least one case.",
        ),
        (lambda: wilson(3, 2), InvalidValueError, "A proportion needs 0 <= right <= n, got right=3, n=2."),
        (
            lambda: clopper_pearson(1, 2, level=1.0),
            InvalidValueError,
            "A confidence level must lie in (0, 1), got 1.0.",
        ),
        (
            lambda: estimate(1, 2, artefacts=3),
            InvalidValueError,
            "artefacts must lie in [0, n], got artefacts=3, n=2.",
        ),
        (
            lambda: clustered_proportion([1], [2]),
            InsufficientDataError,
            "A clustered interval needs at least 2 clusters, got 1.",
        ),
        (
            lambda: clustered_proportion([1, 3], [2, 2]),
            InvalidValueError,
            "Clusters need one count of successes per cluster, with 0 <= right <= n and n >= 1.",
        ),
        (lambda: mean_interval([1.0]), InsufficientDataError, "This interval needs at least 2 values, got 1."),
        (
            lambda: mean_interval([1.0, float("nan")]),
            InvalidValueError,
            "A sample must be a flat list of finite numbers, got shape (2,).",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
