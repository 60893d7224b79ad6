"""The fits of the long tail: by brute force, by simulation, at the edges."""

import numpy as np
import pytest
from scipy import optimize

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.probes.hallucination.tail import fit_exposures, fit_tail, geometric_mean


def drawn(rng, n, *, exponent, scale, plateau, decades=(3, 7)):
    x = 10 ** rng.uniform(*decades, size=n)
    return x, rng.random(n) > np.minimum(plateau, (x / scale) ** -exponent)


def binned_log_likelihood(x, right, error):
    """The likelihood that the fit maximises, written out: bins of an eighth of a decade at their geometric middle."""
    where = np.floor(np.log10(x) * 8).astype(int)
    total = 0.0
    for key in np.unique(where):
        inside = where == key
        e = np.clip(error(geometric_mean(x[inside])), 1e-12, 1 - 1e-12)
        total += np.sum(~right[inside]) * np.log(e) + np.sum(right[inside]) * np.log(1 - e)
    return total


def test_no_other_law_of_the_kind_is_much_likelier(rng):
    x, right = drawn(rng, 200, exponent=0.4, scale=1e4, plateau=0.9)
    fit = fit_tail(x, right)
    assert binned_log_likelihood(x, right, fit.error) == pytest.approx(fit.log_likelihood, abs=1e-6)

    def loss(parameters):
        plateau, log_scale, exponent = parameters
        if not 0 < plateau <= 1:
            return np.inf
        return -binned_log_likelihood(x, right, lambda p: min(plateau, np.exp(-exponent * (np.log(p) - log_scale))))

    starts = [(p, s, e) for p in (0.7, 0.95) for s in (8.0, 10.0) for e in (0.2, 0.5)]
    best = min(optimize.minimize(loss, start, method="Nelder-Mead").fun for start in starts)
    assert fit.log_likelihood >= -best - 0.15


def test_the_profile_reaches_the_cut_at_its_ends(rng):
    x, right = drawn(rng, 300, exponent=0.4, scale=2e3, plateau=1.0)
    fit = fit_tail(x, right, level=0.9)
    narrower = fit_tail(x, right, level=0.5)
    assert fit.interval.low < narrower.interval.low < fit.exponent < narrower.interval.high < fit.interval.high


@pytest.mark.parametrize(
    ("exponent", "scale", "plateau", "n"),
    [(0.3, 1e3, 1.0, 80), (0.05, 1e2, 0.9, 80), (0.5, 1e5, 0.9, 80), (0.3, 1e3, 1.0, 200)],
)
def test_the_interval_covers_at_least_as_often_as_it_says(exponent, scale, plateau, n, rng):
    """Nominally 95 %. Below 25 of 30 has probability 0.0033 if it covers 95 %; the seed is fixed."""
    covered = 0
    for _ in range(30):
        x, right = drawn(rng, n, exponent=exponent, scale=scale, plateau=plateau)
        covered += exponent in fit_tail(x, right).interval
    assert covered >= 25


def test_where_error_does_not_depend_on_popularity_the_exponent_may_be_zero(rng):
    x, right = drawn(rng, 300, exponent=0.0, scale=1.0, plateau=0.6)
    interval = fit_tail(x, right).interval
    assert 0.0 in interval and interval.low is None


def test_a_sharp_threshold_bounds_the_exponent_from_below_only(rng):
    x = 10 ** rng.uniform(3, 7, size=100)
    fit = fit_tail(x, x > 1e5)
    assert fit.interval.low > 0.8 and fit.interval.high is None


def test_error_is_capped_by_the_plateau(rng):
    fit = fit_tail(*drawn(rng, 400, exponent=0.5, scale=1e5, plateau=0.8))
    assert fit.error(1.0) == fit.plateau == pytest.approx(0.8, abs=0.1)
    assert fit.error(1e7) < fit.error(1e6) < 0.5


@pytest.mark.parametrize("fit", [fit_tail, fit_exposures])
def test_data_that_say_nothing_are_refused(fit):
    x = np.array([1e3, 1e4, 1e5])
    cases = [
        (x, [True] * 3, "A law of the tail needs right and wrong answers, got 3 right and 0 wrong."),
        (x, [False] * 3, "A law of the tail needs right and wrong answers, got 0 right and 3 wrong."),
        ([], [], "A law of the tail needs right and wrong answers, got 0 right and 0 wrong."),
        ([1e3, 2e3], [True, False], "A law of the tail needs a decade of popularity at least, got 1000 to 2000."),
    ]
    for popularity, right, message in cases:
        with pytest.raises(InsufficientDataError) as error:
            fit(popularity, right)
        assert str(error.value) == message
    with pytest.raises(InvalidValueError) as error:
        fit([0.0, 1e5], [True, False])
    assert str(error.value) == "Popularities must be finite and > 0."
    with pytest.raises(InvalidValueError) as error:
        fit([1.0], [True, False])
    assert str(error.value) == "Every case needs a popularity and a grade, got shapes (1,) and (2,)."


def test_the_law_that_made_the_data_fits_them_better(rng):
    x, right = drawn(rng, 1500, exponent=0.3, scale=1e3, plateau=1.0)
    assert fit_tail(x, right).log_likelihood > fit_exposures(x, right).log_likelihood
    met = rng.random(1500) < 0.1 + 0.9 * (1 - np.exp(-3e-6 * x))
    fit = fit_exposures(x, met)
    assert fit.log_likelihood > fit_tail(x, met).log_likelihood
    assert fit.rate == pytest.approx(3e-6, rel=0.25) and fit.guess == pytest.approx(0.1, abs=0.04)
    assert fit.half_known == pytest.approx(np.log(2) / fit.rate)
