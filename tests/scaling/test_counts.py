import re

import numpy as np
import pytest
from scipy import stats

from hardlimit.core import InsufficientDataError, InvalidValueError, Verdict
from hardlimit.scaling import Curve, ScalePoint, fit_counts
from hardlimit.scaling.counts import _counts

SCALES = np.geomspace(1e8, 1e11, 8)
UNEQUAL = np.array([100, 100, 3000, 100, 3000, 100, 3000, 3000])


def truth(scales, slope=0.8, behind=1.0, chance=0.25):
    return chance + (1 - chance) / (1 + np.exp(-slope * (np.log(scales / SCALES[-1]) + behind)))


def curve(right, items, **about):
    points = tuple(
        ScalePoint(scale=float(x), value=float(k / n), n=int(n)) for x, k, n in zip(SCALES, right, items, strict=True)
    )
    return Curve(**{"task": "t", "metric": "acc", "points": points, "chance": 0.25, **about})


@pytest.mark.parametrize("rho", [0.0, 1e-5, 0.004, 0.3])
def test_the_likelihood_is_the_beta_binomial(rho):
    right = np.array([30, 25, 800, 40, 1500, 70, 2500, 3000])
    counts = _counts(curve(right, UNEQUAL), None)
    ends = np.array([[-3.0, 1.0], [-1.0, 4.0]])
    ours = counts.log_likelihood(ends[:, 0], ends[:, 1], np.array([rho]))[:, 0]
    logits = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * np.linspace(0, 1, 8)
    share = 0.25 + 0.75 / (1 + np.exp(-logits))
    if rho:
        theirs = stats.betabinom.logpmf(right, UNEQUAL, share * (1 - rho) / rho, (1 - share) * (1 - rho) / rho)
    else:
        theirs = stats.binom.logpmf(right, UNEQUAL, share)
    # Up to the binomial coefficient, which no parameter moves.
    assert ours[0] - ours[1] == pytest.approx(theirs.sum(axis=1)[0] - theirs.sum(axis=1)[1], rel=1e-6)


def test_intervals_are_calibrated_where_models_scatter_and_n_differs():
    # 50 curves, answers of one model correlated by 0.005, nominal 90 %. A true coverage of 0.90 is below 0.78 once
    # in 200 seeds. Binomials take the scatter of models for signal; without the chance level the law is another.
    rng, rho = np.random.default_rng(3), 0.005
    gain = 1 - (1 - truth(SCALES[-1] * 10)) / (1 - truth(SCALES[-1]))
    covered = {"beta-binomial": [], "binomial": [], "chance unknown": []}
    for _ in range(50):
        share = truth(SCALES)
        model = rng.beta(share * (1 - rho) / rho, (1 - share) * (1 - rho) / rho)
        one = curve(rng.binomial(UNEQUAL, model), UNEQUAL)
        for name, made in (
            ("beta-binomial", fit_counts(one)),
            ("binomial", fit_counts(one, likelihood="binomial")),
            ("chance unknown", fit_counts(one, chance=0.0)),
        ):
            covered[name].append(gain in made.next_gain.interval)
    assert 0.78 <= np.mean(covered["beta-binomial"]) <= 0.99
    assert np.mean(covered["binomial"]) < 0.6
    assert np.mean(covered["chance unknown"]) < 0.3


def test_a_planted_curve_comes_back():
    items = np.full(8, 1_000_000)
    made = fit_counts(curve(np.round(truth(SCALES) * items), items))
    assert made.slope == pytest.approx(0.8, abs=0.01)
    assert made.half == pytest.approx(SCALES[-1] * np.exp(-1.0), rel=0.02)
    assert made.next_share.value == pytest.approx(truth(SCALES[-1] * 10), abs=2e-3)
    assert made.correlation < 1e-4 and made.verdict is Verdict.HELPS


@pytest.mark.parametrize(("shape", "expected"), [
    (np.full(8, 0.25), Verdict.CANNOT_PROGRESS),
    (truth(SCALES, slope=-0.4, behind=-3.0), Verdict.HURTS),
    (truth(SCALES, slope=0.4, behind=1.0), Verdict.HELPS),
])  # fmt: skip
def test_verdicts(shape, expected):
    items = np.full(8, 20_000)
    assert fit_counts(curve(np.round(shape * items), items)).verdict is expected


def test_a_late_ability_is_seen():
    # Near chance for two decades, then up.
    items = np.full(8, 5000)
    made = fit_counts(curve(np.round(truth(SCALES, slope=1.5, behind=0.5) * items), items))
    assert made.verdict is Verdict.HELPS and made.next_gain.interval.low > 0.5


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"chance": None}, InvalidValueError, "What guessing scores on t/acc is not known. Say it with --chance 't=0.25'."),
    ({"chance": 1.0}, InvalidValueError, "Chance must lie in [0, 1) on t/acc, got 1."),
    ({"better": "lower"}, InvalidValueError, "Less of t/acc is better; counts are fitted to shares of right answers."),
    ({"fraction": False}, InsufficientDataError, "t/acc has no number of items behind each value; counts cannot be"),
])  # fmt: skip
def test_what_is_refused(change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        fit_counts(curve(np.full(8, 50), np.full(8, 100), **change))
    with pytest.raises(InsufficientDataError, match="has 3 scales; counts need at least 4"):
        fit_counts(curve(np.full(8, 50), np.full(8, 100)).largest(3))
