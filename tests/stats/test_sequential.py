import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate
from scipy import stats as reference

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.stats import clopper_pearson, confidence_sequence, log_e_value


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.99])
def test_the_truth_is_ever_excluded_at_most_as_often_as_promised(p):
    # 2,000 sequences, a look after each of 2,000 cases. Ville: P(ever excluded) <= 0.05; 0.07 is 4 standard errors up.
    rng = np.random.default_rng(1)
    right = rng.binomial(1, p, size=(2000, 2000)).cumsum(axis=1)
    evidence = log_e_value(right, np.arange(1, 2001), p)
    assert np.mean((evidence > np.log(20)).any(axis=1)) <= 0.07


def test_looking_often_at_the_fixed_n_interval_breaks_it():
    # Why the sequence exists: the exact interval for one look excludes the truth at some look in most sequences.
    rng = np.random.default_rng(2)
    right = rng.binomial(1, 0.3, size=(300, 1000)).cumsum(axis=1)
    looks = range(10, 1000, 10)
    broken = [any(0.3 not in clopper_pearson(int(row[n - 1]), n) for n in looks) for row in right]
    assert np.mean(broken) > 0.15


@given(st.integers(1, 400), st.data())
def test_ends_solve_the_bet_and_hold_the_estimate(n, data):
    right = data.draw(st.integers(0, n))
    interval = confidence_sequence(right, n)
    assert interval.low <= right / n <= interval.high
    for end, closed in ((interval.low, right == 0), (interval.high, right == n)):
        if not closed:
            assert float(log_e_value(right, n, end)) == pytest.approx(np.log(20), abs=1e-5)
    exact = clopper_pearson(right, n)
    assert interval.low <= exact.low + 1e-12 and exact.high <= interval.high + 1e-12


def test_e_value_is_the_mixture_likelihood_ratio():
    def integrand(p):
        return p**7 * (1 - p) ** 3 * reference.beta.pdf(p, 2, 3)

    mixture, _ = integrate.quad(integrand, 0, 1)
    expected = np.log(mixture / (0.4**7 * 0.6**3))
    assert float(log_e_value(7, 10, 0.4, prior=(2, 3))) == pytest.approx(expected)
    assert float(log_e_value(1, 10, 0.0)) == np.inf


def test_what_is_refused():
    with pytest.raises(InsufficientDataError) as empty:
        confidence_sequence(0, 0)
    assert str(empty.value) == "A proportion of 0 cases is not a number; measure at least one case."
    with pytest.raises(InvalidValueError) as prior:
        confidence_sequence(1, 2, prior=(0.0, 1.0))
    assert str(prior.value) == "The mixture Beta(a, b) needs a > 0 and b > 0, got (0.0, 1.0)."
