import importlib
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.exchange import read_results
from hardlimit.scaling import Curve, ScalePoint, curves_in, forecast, holdout
from hardlimit.scaling.forecast import Mixture, predictive
from hardlimit.scaling.holdout import BASELINES

module = importlib.import_module("hardlimit.scaling.forecast")
PYTHIA = Path(__file__).parents[2] / "examples" / "pythia"
SCALES = np.geomspace(1e8, 1e11, 7)


def table(rng, tasks=40, n=500):
    """Counted tasks of one family: half flat, half with floors, shapes and rates of their own."""
    made = []
    for index in range(tasks):
        u = SCALES / SCALES[-1]
        floor, alpha = rng.uniform(0, 0.9), rng.uniform(0.1, 0.5)
        loss = floor + (1 - floor) * u**-alpha if index % 2 else np.ones(7)
        loss = rng.uniform(0.5, 0.8) * loss / loss[0]
        shares = rng.binomial(n, 1 - loss) / n
        points = tuple(ScalePoint(scale=float(x), value=float(p), n=n) for x, p in zip(SCALES, shares, strict=True))
        made.append(Curve(task=f"t{index}", metric="acc", points=points))
    return made


def test_intervals_cover_on_planted_tables():
    # 6 tables of 40 tasks, 2 scales held out: 480 forecasts, whose tasks share nothing but the prior. A true coverage
    # of 0.90 lies outside [0.85, 0.95] once in 3,000 seeds. Straight laws with sampling noise alone are the home ground
    # of the power law, which is told the noise: there the forecast may lose a little, never more.
    rng = np.random.default_rng(1)
    reports = [holdout(table(rng)) for _ in range(6)]
    assert 0.85 <= np.mean([report.coverage for report in reports]) <= 0.97
    ours = np.mean([report.log_loss for report in reports])
    for name in BASELINES:
        assert ours < np.mean([report.baseline_log_loss[name] for report in reports]) + 0.03


def test_pythia_held_out():
    # Real results, every task and metric; the prior was chosen on made-up families.
    curves = curves_in(read_results(sorted(PYTHIA.glob("*.json")))).curves
    report = holdout(curves, held_out=2)
    assert len(curves) == 172 and len(report.scored) == 344 and report.skipped == 0
    assert 0.85 <= report.coverage <= 0.95
    for name in BASELINES:
        assert report.log_loss < report.baseline_log_loss[name]
    first = report.scored[0]
    assert first.covered == (first.low <= first.actual <= first.high)


def test_the_log_loss_is_that_of_the_density():
    # The density over the metric integrates to one, and the score is minus its log at the truth.
    (curve,) = table(np.random.default_rng(2), tasks=1)
    shown = curve.with_points(curve.points[:-1])
    mixture = predictive([shown], [[float(SCALES[-1])]])
    grid = np.linspace(0.001, 2.0, 20_001)
    density = np.exp([mixture.log_density(np.log(np.array([loss])))[0] - np.log(loss) for loss in grid])
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=0.01)
    (scored,) = holdout([curve], held_out=1).scored
    loss = 1 - curve.points[-1].value
    assert scored.log_loss == pytest.approx(-(mixture.log_density(np.log(np.array([loss])))[0] - np.log(loss)))
    inside = np.interp([1 - scored.high, 1 - scored.low], grid, np.cumsum(density) * (grid[1] - grid[0]))
    assert inside[1] - inside[0] == pytest.approx(0.90, abs=0.01)


def test_mixture_of_one_is_student():
    one = Mixture(np.array([[1.0]]), np.array([[0.3]]), np.array([[0.2]]), np.array([[5.0]]))
    assert one.quantile(0.9)[0] == pytest.approx(stats.t.ppf(0.9, 5, 0.3, 0.2), abs=1e-6)
    assert one.cumulative(np.array([0.5]))[0] == pytest.approx(stats.t.cdf(0.5, 5, 0.3, 0.2))
    assert one.log_density(np.array([0.5]))[0] == pytest.approx(stats.t.logpdf(0.5, 5, 0.3, 0.2))


def test_one_cell_is_the_conditional_of_a_gaussian(monkeypatch):
    # With one shape, rate and noise left, the forecast is that of a Gaussian process with a level of no known size:
    # computed here from the joint covariance with a level of variance 10^3 (more would drown in rounding).
    for name, only in (("_SHAPES", [0.0]), ("_RATES", [0.0]), ("_SAMPLING", [1.0]), ("_BEYOND", [1e-4])):
        monkeypatch.setattr(module, name, np.array(only))
    monkeypatch.setattr(module, "_grid", lambda prior: (np.zeros(1), np.zeros(1), np.ones((1, 1))))
    scales, losses, n = SCALES[:4], np.array([0.7, 0.66, 0.69, 0.64]), 400
    points = tuple(ScalePoint(scale=float(x), value=float(1 - y), n=n) for x, y in zip(scales, losses, strict=True))
    ahead = float(SCALES[5])
    made = predictive([Curve(task="t", metric="acc", points=points)], [[ahead]])
    walk = np.log(np.append(scales, ahead) / scales[0])
    joint = 5e-5 * np.minimum.outer(walk, walk) + 1e3
    noise = lambda loss: (1 - loss) / (n * loss) + 1e-4  # noqa: E731
    inverse = np.linalg.inv(joint[:4, :4] + np.diag(noise(losses)))
    centre = joint[4, :4] @ inverse @ np.log(losses)
    assert made.centre[0, 0] == pytest.approx(centre, abs=1e-5)
    variance = joint[4, 4] - joint[4, :4] @ inverse @ joint[:4, 4] + noise(np.exp(centre))
    squares = np.log(losses) @ inverse @ np.log(losses)
    assert made.freedom[0, 0] == 4 + 3
    assert made.scale[0, 0] ** 2 == pytest.approx((4 + squares) / 7 * variance, rel=1e-3)


def test_a_baseline_is_what_it_says():
    x = np.array([1e8, 1e9, 1e10, 1e11])
    curve = Curve.of(list(x), [8.0, 4.1, 2.0, 1.02])
    (scored,) = holdout([curve], held_out=1).scored
    logs, design = np.log([8.0, 4.1, 2.0]), np.stack([np.ones(3), np.log(x[:3])], axis=1)
    solution, squares, *_ = np.linalg.lstsq(design, logs, rcond=None)
    at = np.array([1.0, np.log(x[3])])
    spread = np.sqrt(squares[0] / 1 * (1 + at @ np.linalg.solve(design.T @ design, at)))
    expected = -(stats.t.logpdf(np.log(1.02), 1, at @ solution, spread) - np.log(1.02))
    assert scored.baselines["power law"] == pytest.approx(expected, rel=1e-6)
    steps = np.sqrt(np.mean(np.diff([8.0, 4.1, 2.0]) ** 2))
    assert scored.baselines["last value"] == pytest.approx(-stats.t.logpdf(1.02, 2, 2.0, steps))


def test_a_table_lends_strength():
    # One short noisy curve among many flat ones is forecast flatter, and surer, than alone.
    rng = np.random.default_rng(3)
    flat = [curve for curve in table(rng, tasks=60) if int(curve.task[1:]) % 2 == 0]
    points = tuple(
        ScalePoint(scale=float(x), value=p, n=200) for x, p in zip(SCALES[:4], (0.25, 0.3, 0.27, 0.33), strict=True)
    )
    odd = Curve(task="odd", metric="acc", points=points)
    (alone,), together = forecast([odd]), forecast([*flat, odd])[-1]
    assert abs(together.median - 0.29) < abs(alone.median - 0.29)
    assert together.interval.high - together.interval.low < alone.interval.high - alone.interval.low


def test_forecasts_reach_further_with_distance_and_stay_shares():
    curves = table(np.random.default_rng(4), tasks=10)
    near, far = forecast(curves, factor=2.0), forecast(curves, factor=10.0)
    widths = [[one.interval.high - one.interval.low for one in made] for made in (near, far)]
    assert np.mean(widths[1]) > 1.1 * np.mean(widths[0])
    assert all(0 <= one.interval.low <= one.median <= one.interval.high <= 1 for one in far)
    assert far[0].scale == pytest.approx(1e12)
    assert forecast(curves, factor=10.0) == far


def test_a_share_never_falls_below_none():
    points = tuple(
        ScalePoint(scale=float(x), value=p, n=20) for x, p in zip(SCALES[:5], (0.1, 0.0, 0.05, 0.1, 0.0), strict=True)
    )
    (made,) = forecast([Curve(task="hard", metric="acc", points=points)])
    assert 0.0 == made.interval.low <= made.median <= made.interval.high < 0.6


def test_an_item_never_missed_is_no_infinity():
    points = tuple(
        ScalePoint(scale=float(x), value=p, n=100) for x, p in zip(SCALES[:5], (0.7, 0.9, 0.97, 1.0, 1.0), strict=True)
    )
    (made,) = forecast([Curve(task="easy", metric="acc", points=points)])
    assert 0.95 < made.median <= 1.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: forecast([Curve.of([1.0, 2.0], [2.0, 1.0])]),
            InsufficientDataError,
            "task/loss has 2 scales; a forecast needs at least 3.",
        ),
        (
            lambda: forecast([Curve.of([1.0, 2.0, 3.0], [2.0, 1.0, 0.5])], factor=1.0),
            InvalidValueError,
            "A forecast looks beyond the largest scale: factor must be > 1, got 1.",
        ),
        (
            lambda: forecast([Curve.of([1.0, 2.0, 3.0], [2.0, 1.0, 0.0])]),
            InvalidValueError,
            "task/loss reaches or passes its best possible value 0; give the number of items, or a best value that it "
            "cannot reach.",
        ),
        (
            lambda: holdout([Curve.of([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 0.5, 0.4])], held_out=2),
            InsufficientDataError,
            "Holding out 2 scales leaves no curve with 3 to fit (the longest has 4); hold out fewer.",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
