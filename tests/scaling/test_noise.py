import numpy as np
import pytest

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.scaling import Curve, ScalePoint
from hardlimit.scaling.noise import Noise, bundle_of, fitted_log, own_noise, pooled_noise, sampling_noise

SCALES = np.geomspace(1e7, 1e10, 7)


def counts_curve(shares, n=400, **fields):
    points = tuple(ScalePoint(scale=float(x), value=float(p), n=n) for x, p in zip(SCALES, shares, strict=True))
    return Curve(task="t", metric="acc", points=points, **fields)


def test_counts_are_weighted_as_binomials():
    # Accuracies of a known law with binomial noise only: the dispersion is 1 on average (200 curves, 4 degrees of
    # freedom each: standard error 0.05).
    rng = np.random.default_rng(1)
    truth = 1 - 0.9 * (SCALES / SCALES[0]) ** -0.15
    curves = [counts_curve(rng.binomial(400, truth) / 400) for _ in range(200)]
    bundle, best = bundle_of(curves)
    own = own_noise(bundle, best)
    assert own.freedom.tolist() == [4.0] * 200
    assert own.variance.mean() == pytest.approx(1.0, abs=0.15)
    loss = np.exp(fitted_log(bundle, best))
    share = 1 - loss
    assert bundle.weight == pytest.approx(400 * loss**2 / (share * (1 - share)), rel=0.02)


def test_lower_is_better_shares_use_their_own_variance():
    curve = counts_curve([0.6, 0.5, 0.42, 0.35, 0.3, 0.25, 0.2], better="lower", best=0.0)
    bundle, best = bundle_of([curve])
    rate = np.exp(fitted_log(bundle, best))[0]
    assert bundle.weight[0] == pytest.approx(400 * rate / (1 - rate), rel=0.05)


def test_no_error_at_all_is_a_small_count_and_no_log_of_zero():
    # All items right at the largest scales: the fit stays finite and near the truth.
    rng = np.random.default_rng(2)
    truth = 1 - 0.5 * (SCALES / SCALES[0]) ** -0.7
    shares = rng.binomial(100, truth) / 100
    shares[-1] = 1.0
    bundle, best = bundle_of([counts_curve(shares, n=100)])
    fitted = 1 - np.exp(fitted_log(bundle, best))[0]
    assert np.isfinite(bundle.log_y).all()
    assert np.abs(fitted - truth).max() < 0.06


def test_standard_errors_weigh_losses():
    points = tuple(
        ScalePoint(scale=float(x), value=float(y), stderr=e)
        for x, y, e in zip(SCALES, [4, 3.5, 3.1, 2.8, 2.6, 2.4, 2.3], [0.1] * 6 + [0.01], strict=True)
    )
    curve = Curve(task="t", metric="loss", points=points, better="lower", fraction=False, best=0.0)
    bundle, _ = bundle_of([curve])
    assert bundle.weight[0, -1] == pytest.approx((2.3 / 0.01) ** 2)
    assert sampling_noise([curve]).freedom[0] == np.inf


def test_pooling_recovers_what_was_planted():
    # 400 curves with 4 degrees of freedom and variances from a scaled inverse χ² with 10 degrees of freedom around 2.
    rng = np.random.default_rng(3)
    sigma2 = 2 * 10 / rng.chisquare(10, 400)
    own = Noise(sigma2 * rng.chisquare(4, 400) / 4, np.full(400, 4.0), "own residuals")
    pooled = pooled_noise(own, ["a"] * 400)
    assert 6 < pooled.freedom[0] - 4 < 40
    error = lambda variance: np.mean(np.log(variance / sigma2) ** 2)  # noqa: E731
    assert error(pooled.variance) < 0.35 * error(own.variance)


def test_equal_curves_are_known_to_be_equal():
    rng = np.random.default_rng(4)
    own = Noise(rng.chisquare(4, 400) / 4, np.full(400, 4.0), "own residuals")
    pooled = pooled_noise(own, ["a"] * 400)
    assert pooled.freedom.min() > 15
    assert pooled.variance.std() < 0.25 * own.variance.std() and pooled.variance.mean() == pytest.approx(1.0, abs=0.15)


def test_a_misfit_does_not_make_the_table_noisy():
    rng = np.random.default_rng(5)
    variance = rng.chisquare(4, 60) / 4
    variance[:12] = 50.0
    pooled = pooled_noise(Noise(variance, np.full(60, 4.0), "own residuals"), ["a"] * 60)
    assert np.median(pooled.variance[12:]) < 1.4
    assert pooled.freedom[0] > 20


def test_groups_keep_apart_and_small_groups_keep_their_own():
    own = Noise(np.array([1.0, 1.1, 0.9, 100.0, 110.0]), np.full(5, 4.0), "own residuals")
    pooled = pooled_noise(own, ["a", "a", "a", "b", "b"])
    assert pooled.variance[:3].max() < 2
    assert pooled.variance[3:].tolist() == [100.0, 110.0] and pooled.freedom[3] == 4


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: bundle_of([Curve.of([1.0, 2.0], [3.0, 2.0])]),
            InsufficientDataError,
            "task/loss has 2 scales; the family with a floor has 3 shape numbers, so at least 3 are needed, and 4 for "
            "an interval from the curve alone.",
        ),
        (
            lambda: bundle_of([Curve.of([1.0, 2.0, 4.0], [3.0, 2.0, 0.0])]),
            InvalidValueError,
            "task/loss reaches or passes its best possible value 0 (values [3.0, 2.0, 0.0]); give the number of items, "
            "or a best value that it cannot reach.",
        ),
        (
            lambda: sampling_noise([Curve.of([1.0, 2.0, 4.0], [3.0, 2.0, 1.0])]),
            InvalidValueError,
            "task/loss has neither counts nor standard errors, so its sampling noise is not known; use the noise of "
            "its own residuals.",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
