import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.stats import auroc, brier, expected_calibration_error, reliability, risk_coverage

CASES = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.8, 1.0]), st.booleans()), min_size=2, max_size=40)
ACCURACY_AT = {
    "calibrated": lambda c: c,
    "overconfident": lambda c: np.clip(c - 0.15, 0, 1),
    "coin": lambda c: np.full_like(c, 0.5),
}


def _ece_by_hand(confidence, right, bins):
    total = 0.0
    for k in range(bins):
        inside = [i for i, c in enumerate(confidence) if min(int(c * bins), bins - 1) == k]
        if inside:
            gap = np.mean([right[i] for i in inside]) - np.mean([confidence[i] for i in inside])
            total += len(inside) / len(confidence) * abs(gap)
    return total


@given(CASES, st.integers(1, 12))
def test_ece_by_its_definition(cases, bins):
    confidence, right = zip(*cases, strict=True)
    result = expected_calibration_error(confidence, right, bins=bins)
    assert result.value == pytest.approx(_ece_by_hand(confidence, right, bins), abs=1e-12)
    assert result.value in result.interval
    diagram = reliability(confidence, right, bins=bins)
    total = sum(bin.accuracy.n * abs(bin.accuracy.value - bin.confidence) for bin in diagram) / len(cases)
    assert total == pytest.approx(result.value, abs=1e-12)


@pytest.mark.parametrize("kind", sorted(ACCURACY_AT))
@pytest.mark.parametrize("n", [60, 500])
def test_coverage_of_the_calibration_error(kind, n):
    # Truth from two million cases. 500 intervals; a true coverage of 0.95 falls below 0.91 once in 20,000 seeds.
    rng = np.random.default_rng(1)
    accuracy = ACCURACY_AT[kind]
    many = 1 - rng.beta(1, 4, size=2_000_000)
    where = np.minimum((many * 10).astype(int), 9)
    truth = np.abs(np.bincount(where, weights=accuracy(many) - many)).sum() / many.size
    covered = 0
    for _ in range(500):
        confidence = 1 - rng.beta(1, 4, size=n)
        right = rng.uniform(size=n) < accuracy(confidence)
        covered += truth in expected_calibration_error(confidence, right).interval
    assert covered / 500 >= 0.91


def test_the_interval_sees_gross_miscalibration():
    right = np.arange(400) % 2
    low = expected_calibration_error(np.full(400, 0.95), right).interval.low
    assert low > 0.35


@given(CASES)
def test_auroc_equals_mann_whitney(cases):
    confidence, right = (np.array(side) for side in zip(*cases, strict=True))
    if right.all() or not right.any():
        return
    u = reference.mannwhitneyu(confidence[right], confidence[~right]).statistic
    result = auroc(confidence, right)
    assert result.value == pytest.approx(u / (right.sum() * (~right).sum()))
    assert result.value in result.interval
    mirrored = auroc(-confidence, right)
    assert mirrored.value == pytest.approx(1 - result.value)
    assert mirrored.interval.low == pytest.approx(1 - result.interval.high, abs=1e-6)


@pytest.mark.parametrize(("shift", "n", "share"), [(0.0, 40, 0.5), (1.0, 100, 0.8), (2.5, 300, 0.9)])
def test_coverage_of_auroc(shift, n, share):
    # 800 intervals; a true coverage of 0.95 falls below 0.92 once in 10,000 seeds.
    rng = np.random.default_rng(2)
    truth = reference.norm.cdf(shift / np.sqrt(2))
    covered = 0
    for _ in range(800):
        right = np.arange(n) < share * n
        covered += truth in auroc(rng.normal(size=n) + shift * right, right).interval
    assert covered / 800 >= 0.92


def test_perfect_separation_is_not_certainty():
    interval = auroc([0.9, 0.8, 0.7, 0.1], [1, 1, 0, 0]).interval
    assert interval.high == 1.0 and 0.1 < interval.low < 0.7


def _aurc_by_hand(confidence, right, rng):
    """Mean over many random orders inside ties of the mean running error rate."""
    areas = []
    for _ in range(3000):
        order = np.lexsort((rng.uniform(size=confidence.size), -confidence))
        wrong = 1.0 - right[order]
        areas.append(np.mean(wrong.cumsum() / np.arange(1, wrong.size + 1)))
    return np.mean(areas), np.std(areas) / np.sqrt(3000)


def test_aurc_is_the_mean_over_orders_inside_ties():
    rng = np.random.default_rng(3)
    confidence = np.round(rng.uniform(size=40), 1)
    right = rng.uniform(size=40) < confidence
    by_hand, error = _aurc_by_hand(confidence, right, rng)
    value = risk_coverage(confidence, right, rng=rng).aurc.value
    assert value == pytest.approx(by_hand, abs=4.5 * error)


@settings(deadline=None)
@given(CASES)
def test_risk_coverage_properties(cases):
    confidence, right = (np.array(side) for side in zip(*cases, strict=True))
    rng = np.random.default_rng(4)
    curve = risk_coverage(confidence, right, rng=rng, points=5, replicates=50)
    assert curve.points[-1].coverage == 1.0
    assert curve.points[-1].risk.value == pytest.approx(1 - right.mean())
    assert len(curve.points) <= 5
    for point in curve.points:
        answered = confidence >= point.threshold
        assert point.coverage == pytest.approx(answered.mean())
        assert point.risk.value == pytest.approx(1 - right[answered].mean())
    order = np.random.default_rng(5).permutation(right.size)
    shuffled = risk_coverage(confidence[order], right[order], rng=rng, points=5, replicates=50)
    assert shuffled.points == curve.points and shuffled.aurc.value == pytest.approx(curve.aurc.value)
    assert curve.aurc.value in curve.aurc.interval


def test_constant_confidence_gives_the_error_rate():
    curve = risk_coverage(np.full(50, 0.7), np.arange(50) < 30, rng=np.random.default_rng(6))
    assert [point.coverage for point in curve.points] == [1.0]
    assert curve.aurc.value == pytest.approx(0.4)


@pytest.mark.parametrize("kind", ["calibrated", "coin"])
def test_coverage_of_aurc(kind):
    # Truth from a million cases. 400 intervals; a true coverage of 0.94 falls below 0.89 once in 10,000 seeds.
    rng = np.random.default_rng(7)
    accuracy = ACCURACY_AT[kind]
    many = rng.uniform(size=1_000_000)
    truth = risk_coverage(many, rng.uniform(size=many.size) < accuracy(many), rng=rng, replicates=2).aurc.value
    covered = 0
    for _ in range(400):
        confidence = rng.uniform(size=100)
        right = rng.uniform(size=100) < accuracy(confidence)
        covered += truth in risk_coverage(confidence, right, rng=rng, replicates=300).aurc.interval
    assert covered / 400 >= 0.89


def test_brier_value_and_coverage():
    # E(c - r)² = 1/6 for a calibrated uniform confidence. 2,000 intervals of n = 100: true coverage 0.945, below 0.925
    # once in 10,000 seeds.
    assert brier([1.0, 0.0, 0.5], [1, 1, 0]).value == pytest.approx((0 + 1 + 0.25) / 3)
    rng = np.random.default_rng(8)
    covered = 0
    for _ in range(2000):
        confidence = rng.uniform(size=100)
        covered += 1 / 6 in brier(confidence, rng.uniform(size=100) < confidence).interval
    assert covered / 2000 >= 0.925


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: expected_calibration_error([], []),
            InsufficientDataError,
            "Calibration over 0 cases is not a number; measure at least one case.",
        ),
        (
            lambda: brier([1.2, 0.1], [1, 0]),
            InvalidValueError,
            "Confidences must lie in [0, 1], got 0.1 to 1.2.",
        ),
        (lambda: brier([0.2, 0.1], [1, 2]), InvalidValueError, "Grades must be right or not right (1 or 0)."),
        (
            lambda: auroc([0.1, float("nan")], [1, 0]),
            InvalidValueError,
            "Confidences must be finite.",
        ),
        (
            lambda: auroc([0.1, 0.2], [1, 1]),
            InsufficientDataError,
            "A ranking needs right and wrong answers, got 2 right and 0 wrong.",
        ),
        (
            lambda: risk_coverage([0.1], [1], rng=np.random.default_rng(0)),
            InsufficientDataError,
            "A risk–coverage curve needs at least 2 cases, got 1.",
        ),
        (
            lambda: reliability([0.1, 0.2], [1]),
            InvalidValueError,
            "Every case needs a confidence and a grade, got shapes (2,) and (1,).",
        ),
        (lambda: reliability([0.1], [1], bins=0), InvalidValueError, "bins must be >= 1, got 0."),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
