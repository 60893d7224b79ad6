import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardlimit.scaling import SCENARIOS, planted
from hardlimit.scaling.nested import EXPONENTS, Bundle, functionals, minimise, profile, squares_at

X = np.geomspace(1.0, 1e3, 8)


def bundle(log_y, x=X, weight=None, kappa=10.0):
    log_y = np.atleast_2d(log_y)
    below = np.broadcast_to(np.log(x.max() / x), log_y.shape)
    return Bundle(below, log_y, np.ones_like(log_y) if weight is None else np.atleast_2d(weight), kappa)


def law(phi, alpha, x=X):
    return np.log(1 - phi + phi * (x / x.max()) ** -alpha)


def brute_force(data, limit):
    """Every shape on a fine grid: the sums of squares, the least, and the range of the functionals within the limit."""
    exponent = np.exp(np.linspace(np.log(EXPONENTS[0]), np.log(EXPONENTS[1]), 400))[:, None]
    span = data.below[0].max()
    change = np.linspace(-2.0, 4.0, 3001)[None, :]
    share = np.expm1(exponent * data.below[0]) / np.expm1(exponent * span)
    shape = np.log1p(np.expm1(change)[..., None] * share[:, None, :])
    residual = data.log_y[0] - shape
    weight = data.weight[0]
    residual = residual - ((weight * residual).sum(-1) / weight.sum())[..., None]
    squares = (weight * residual**2).sum(-1)
    phi = np.expm1(change) / np.expm1(exponent * span)
    # A power law (φ = 1), or a loss that speeds up and leaves 2 % at the next factor.
    possible = (phi <= 1) | (phi * -np.expm1(-exponent * np.log(data.kappa)) <= 0.98)
    squares = np.where(possible, squares, np.inf)
    values = {
        "gain_so_far": np.broadcast_to(-np.expm1(-change), squares.shape),
        "next_gain": phi * -np.expm1(-exponent * np.log(data.kappa)),
        "floor_fraction": 1 - phi,
    }
    inside = squares <= squares.min() + limit
    return squares.min(), {name: (value[inside].min(), value[inside].max()) for name, value in values.items()}


@pytest.mark.parametrize(
    ("phi", "alpha", "noise"),
    [(0.5, 0.5, 0.03), (1.0, 0.2, 0.05), (1.0, 0.05, 0.1), (0.0, 1.0, 0.03), (-0.1, 0.3, 0.04), (2.0, 0.1, 0.03)],
)
def test_least_squares_and_profile_equal_a_brute_force_search(phi, alpha, noise):
    rng = np.random.default_rng(1)
    data = bundle(law(phi, alpha) + noise * rng.normal(size=8))
    limit = 4 * noise**2
    least, ranges = brute_force(data, limit)
    best = minimise(data)
    # The grid can only be worse than the search, and by little.
    assert best.sse[0] <= least + 1e-12 and best.sse[0] == pytest.approx(least, rel=1e-2)
    ends = profile(data, best, best.sse + limit)
    for name, (low, high) in ranges.items():
        size = max(high - low, 0.01)
        assert ends[name][0][0] == pytest.approx(low, abs=0.03 * size)
        assert ends[name][1][0] == pytest.approx(high, abs=0.03 * size)


def test_the_ends_lie_on_the_limit():
    # The profile at the end of an interval is the limit itself: two searches of different kinds must agree.
    rng = np.random.default_rng(2)
    data = bundle(law(0.5, 0.5) + 0.03 * rng.normal(size=(20, 8)))
    best = minimise(data)
    limit = best.sse + 4 * 0.03**2
    ends = profile(data, best, limit)
    for name in ("gain_so_far", "next_gain", "floor_fraction"):
        for side in (0, 1):
            at = [squares_at(data.take(np.array([row])), name, float(ends[name][side][row]))[0] for row in range(20)]
            # An end may also be where the family ends (a pure power law): then the profile is below the limit.
            inside = np.array(at) <= limit * 1.002
            assert inside.all()
            assert np.isclose(at, limit, rtol=5e-3).mean() >= 0.5


@settings(max_examples=25, deadline=None)
@given(st.floats(1e-9, 1e9), st.floats(1e-6, 1e12), st.integers(0, 2**32 - 1))
def test_units_change_nothing(loss_unit, scale_unit, seed):
    rng = np.random.default_rng(seed)
    log_y = law(0.5, 0.4) + 0.03 * rng.normal(size=8)
    first, second = bundle(log_y), bundle(log_y + np.log(loss_unit), x=X * scale_unit)
    one, two = minimise(first), minimise(second)
    limit = 0.01
    for name, (low, high) in profile(first, one, one.sse + limit).items():
        other = profile(second, two, two.sse + limit)[name]
        assert low == pytest.approx(other[0], abs=2e-4) and high == pytest.approx(other[1], abs=2e-4)


def test_noiseless_laws_are_recovered():
    for phi, alpha in ((0.5, 0.5), (0.9, 0.2), (1.0, 0.3), (0.05, 1.0), (-0.02, 0.5), (1.8, 0.2)):
        data = bundle(law(phi, alpha))
        best = minimise(data)
        found = functionals(data, best.exponent[:, None], best.change[:, None])
        assert best.sse[0] < 2e-6
        assert found["floor_fraction"][0, 0] == pytest.approx(1 - phi, abs=0.02)
        truth = phi * (1 - 10**-alpha)
        assert found["next_gain"][0, 0] == pytest.approx(truth, abs=0.005)


def test_a_loss_that_speeds_up_is_never_used_up():
    # Steeper than any shape of the family at the large end: it stops where the next factor would leave 2 %.
    data = bundle(np.log(np.array([1, 1, 1, 1, 0.9, 0.6, 0.3, 0.1])))
    best = minimise(data)
    found = functionals(data, best.exponent[:, None], best.change[:, None])
    assert found["floor_fraction"][0, 0] < -0.5
    assert 0.9 < found["next_gain"][0, 0] <= 0.98 + 1e-6


def test_weights_and_padding():
    rng = np.random.default_rng(3)
    log_y = law(0.5, 0.5) + 0.05 * rng.normal(size=8)
    short = bundle(log_y[2:], x=X[2:])
    padded = bundle(np.r_[log_y[2:], 7.0, -3.0], x=np.r_[X[2:], 1.0, 1.0], weight=np.r_[np.ones(6), 0.0, 0.0])
    one, two = minimise(short), minimise(padded)
    assert one.sse[0] == pytest.approx(two.sse[0], rel=1e-6)
    # A point twice is a point of weight two.
    doubled = bundle(np.r_[log_y, log_y[3]], x=np.r_[X, X[3]])
    heavy = bundle(log_y, weight=np.where(np.arange(8) == 3, 2.0, 1.0))
    assert minimise(doubled).sse[0] == pytest.approx(minimise(heavy).sse[0], rel=1e-6)


@pytest.mark.parametrize(("scenario", "truths"), [
    ("floor 50 %, α=.5", {"gain_so_far": None, "next_gain": 0.5 * (1 - 10**-0.5), "floor_fraction": 0.5}),
    ("power law α=.3", {"next_gain": 1 - 10**-0.3}),
    ("floor 95 %, α=.5", {"next_gain": 0.05 * (1 - 10**-0.5)}),
])  # fmt: skip
def test_profile_intervals_cover(scenario, truths):
    # 400 curves, nominal 90 %. On the boundary of the family (a pure power law) an interval may cover more. A true
    # coverage of 0.88 falls below 0.83 once in 1,000 seeds.
    (one,) = [item for item in SCENARIOS if item.name == scenario]
    rng = np.random.default_rng(4)
    data = planted([one] * 400, decades=3, noise=0.03, rng=rng)
    best = minimise(data)
    ends = profile(data, best, best.sse * (1 + 2.015048**2 / 5))
    truths = dict(truths)
    if "gain_so_far" in truths:
        truths["gain_so_far"] = 1 - 1 / (0.5 + 0.5 * 1e3**0.5)
    for name, truth in truths.items():
        covered = np.mean((ends[name][0] <= truth) & (truth <= ends[name][1]))
        assert covered >= 0.83, name
        if scenario.startswith("floor 50"):
            assert covered <= 0.96, name
