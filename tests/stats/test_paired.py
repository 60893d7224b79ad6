import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.stats import (
    cluster_bootstrap,
    cluster_sums,
    compare_clustered,
    compare_paired,
    mcnemar_p,
    paired_difference_interval,
    sign_flip_p,
)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_the_binomial_test(b, c):
    expected = 1.0 if b + c == 0 else reference.binomtest(b, b + c, 0.5).pvalue
    assert mcnemar_p(b, c) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_p(b, c) == mcnemar_p(c, b)


def test_mcnemar_keeps_its_level():
    # Exact sum over the discordant pairs: never above 5 % under equality.
    for pairs in range(1, 80):
        k = np.arange(pairs + 1)
        rejected = np.array([mcnemar_p(int(i), pairs - int(i)) <= 0.05 for i in k])
        assert reference.binom.pmf(k, pairs, 0.5)[rejected].sum() <= 0.05


def test_tango_ends_solve_the_score_equation():
    # The defining equation of Tango (1998), Stat. Med. 17:891, with the restricted estimate found by brute force.
    interval = paired_difference_interval(5, 15, 100)
    for delta, sign in ((interval.low, 1), (interval.high, -1)):
        q = _restricted(5, 15, 100, delta)
        score = (15 - 5 - 100 * delta) / np.sqrt(100 * (2 * q + delta * (1 - delta)))
        assert score == pytest.approx(sign * 1.959964, abs=1e-5)


def _restricted(only_first, only_second, n, delta):
    """Maximum-likelihood P(only first) given the difference, by brute force."""
    q = np.linspace(max(0, -delta) + 1e-9, (1 - delta) / 2 - 1e-9, 400_001)
    likelihood = only_first * np.log(q) + only_second * np.log(q + delta)
    likelihood = likelihood + (n - only_first - only_second) * np.log(1 - 2 * q - delta)
    return q[np.argmax(likelihood)]


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 40))
def test_tango_properties(b, c, rest):
    n = b + c + rest
    if n == 0:
        return
    interval, mirror = paired_difference_interval(b, c, n), paired_difference_interval(c, b, n)
    assert -1 <= interval.low <= (c - b) / n + 1e-9 and (c - b) / n - 1e-9 <= interval.high <= 1
    assert interval.low == pytest.approx(-mirror.high, abs=1e-6)
    wider = paired_difference_interval(b, c, n, level=0.99)
    assert wider.low <= interval.low + 1e-6 and interval.high <= wider.high + 1e-6


@pytest.mark.parametrize(("n", "b", "c"), [(30, 0.1, 0.2), (100, 0.02, 0.1), (100, 0.15, 0.15), (20, 0.0, 0.3)])
def test_coverage_of_the_paired_difference(n, b, c):
    # 2,000 intervals; a true coverage of 0.94 falls below 0.92 once in 10,000 seeds.
    rng = np.random.default_rng(1)
    tables = rng.multinomial(n, [b, c, 1 - b - c], size=2000)
    covered = np.mean([c - b in paired_difference_interval(int(x), int(y), n) for x, y, _ in tables])
    assert covered >= 0.92


def test_compare_paired_reads_cases():
    first = [1, 1, 0, 0, 1, 0]
    second = [1, 0, 1, 1, 1, 0]
    result = compare_paired(first, second)
    assert (result.only_first, result.only_second, result.clusters) == (1, 2, 6)
    assert (result.first, result.second) == (0.5, pytest.approx(4 / 6))
    assert result.difference.value == pytest.approx(1 / 6)
    assert result.p_value == mcnemar_p(1, 2)


def _clustered_arms(rng, clusters):
    base = rng.normal(size=clusters)[:, None]
    effect = rng.normal(0.4, 0.5, size=clusters)[:, None]
    draw = lambda threshold: rng.normal(size=(clusters, 20)) < threshold  # noqa: E731
    return draw(base), draw(base + effect)


@pytest.mark.parametrize(("clusters", "least"), [(6, 0.87), (30, 0.91)])
def test_coverage_of_the_clustered_difference(clusters, least):
    # 400 intervals. The truth is the mean over 20,000 simulated experiments. A true coverage of 0.95 falls below 0.91,
    # and one of 0.92 (few clusters) below 0.87, less than once in 1,000 seeds.
    rng = np.random.default_rng(2)
    truth = np.mean([b.mean() - a.mean() for a, b in (_clustered_arms(rng, 30) for _ in range(20_000))])
    names = list(np.repeat(np.arange(clusters), 20))
    covered = 0
    for _ in range(400):
        a, b = _clustered_arms(rng, clusters)
        result = compare_clustered(a.ravel(), b.ravel(), names, rng=rng, replicates=500)
        covered += truth in result.difference.interval
    assert covered / 400 >= least


def test_sign_flips_keep_their_level_and_are_exact_for_few_units():
    # 1,500 null experiments of 10 clusters: P(p <= 0.05) is at most 0.05; 0.073 is 4 standard errors above.
    rng = np.random.default_rng(3)
    p = [sign_flip_p(rng.normal(size=10), rng=rng) for _ in range(1500)]
    assert np.mean(np.array(p) <= 0.05) <= 0.073
    assert sign_flip_p([1.0] * 8, rng=rng) == 2 / 2**8
    many = sign_flip_p(np.ones(40), rng=rng, flips=999)
    assert many == 1 / 1000


def test_the_cluster_bootstrap_resamples_clusters_not_cases():
    # Two clusters, all right and all wrong: only whole-cluster resampling reaches both ends.
    values = [1] * 50 + [0] * 50
    result = cluster_bootstrap(values, ["a"] * 50 + ["b"] * 50, rng=np.random.default_rng(4))
    assert (result.interval.low, result.interval.high, result.n) == (0.0, 1.0, 100)
    assert result.interval.method == "cluster bootstrap (2 clusters)"


def test_cluster_sums_follow_names():
    sums, sizes = cluster_sums([1.0, 2.0, 4.0], ["y", "x", "y"])
    assert sums.tolist() == [2.0, 5.0] and sizes.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: compare_paired([1], [1, 0]),
            InvalidValueError,
            "Paired arms need the same cases, got shapes (1,) and (2,).",
        ),
        (
            lambda: compare_paired([], []),
            InsufficientDataError,
            "A difference over 0 pairs is not a number; measure at least one pair.",
        ),
        (
            lambda: compare_paired([0.5], [1]),
            InvalidValueError,
            "Paired arms hold right or not right (1 or 0) per case.",
        ),
        (lambda: mcnemar_p(-1, 2), InvalidValueError, "Counts of pairs must be >= 0, got -1 and 2."),
        (
            lambda: paired_difference_interval(3, 4, 6),
            InvalidValueError,
            "Discordant pairs need 0 <= only_first + only_second <= n, got 3, 4, n=6.",
        ),
        (
            lambda: cluster_bootstrap([1, 0], ["a", "a"], rng=np.random.default_rng(0)),
            InsufficientDataError,
            "A cluster bootstrap needs at least 2 clusters, got 1.",
        ),
        (
            lambda: cluster_sums([1, 0], ["a"]),
            InvalidValueError,
            "Every case needs its cluster, got 2 cases and 1 clusters.",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
