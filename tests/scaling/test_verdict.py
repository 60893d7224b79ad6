import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardlimit.core import Estimate, Interval, InvalidValueError, Verdict, dumps, loads
from hardlimit.scaling import SCENARIOS, Curve, Rule, ScalePoint, ScalingVerdict, operate, planted, verdict
from hardlimit.scaling.nested import minimise
from hardlimit.scaling.noise import own_noise
from hardlimit.scaling.verdict import by_margins, judge

X = np.geomspace(1e7, 1e10, 8)
U = X / X.max()


def curve(loss, noise=0.01, seed=0, x=X):
    errors = noise * np.random.default_rng(seed).normal(size=x.size)
    return Curve.of(list(x), list(loss * np.exp(errors)))


@pytest.mark.parametrize(("loss", "expected"), [
    (U**-0.3, Verdict.HELPS),
    (np.ones(8), Verdict.CANNOT_PROGRESS),
    (0.95 + 0.05 * U**-0.5, Verdict.SATURATES),
    (0.5 + 0.5 * U**-0.5, Verdict.HELPS),
    (U**0.1, Verdict.HURTS),
])  # fmt: skip
def test_clear_curves(loss, expected):
    assert verdict(curve(loss)).verdict is expected


@pytest.mark.parametrize("decades", [2.0, 3.0, 4.0])
def test_operating_characteristics(decades):
    # The full table is `bench/verdict.py`. Here 40 curves a cell, 10 regular truths, 3 noises: 1,200 curves a range.
    # True mean false rate 0.002: more than 12 of 1,200 (1 %) happens once in 10^5 seeds; and no cell above 5 % in
    # truth means at most 6 of 40 (once in 400 cells at 4 %).
    rng = np.random.default_rng(int(decades))
    regular = [scenario for scenario in SCENARIOS if scenario.kind == "regular"]
    false, correct, worst = [], [], 0.0
    for noise in (0.01, 0.03, 0.1):
        truth = regular * 40
        made = operate(
            truth, planted(truth, decades=decades, noise=noise, rng=rng), Rule(), decades=decades, noise=noise
        )
        false += [cell.false for cell in made]
        correct.append(np.mean([cell.correct for cell in made]))
        worst = max(worst, *false)
    assert np.mean(false) <= 0.01
    assert worst <= 0.15
    # Published means over ranges: 0.876, 0.686, 0.394 by noise; per range they lie within 0.15 of these.
    assert correct == pytest.approx([0.876, 0.686, 0.394], abs=0.16)


def test_cells_of_the_published_table():
    # Three cells with intermediate rates, 300 curves each; standard errors 0.03 on either side: 0.12 is 3 of them.
    rng = np.random.default_rng(5)
    for name, decades, noise, published in (
        ("constant", 3.0, 0.03, 0.54),
        ("floor 90 %, α=.5", 3.0, 0.03, 0.49),
        ("power law α=.1", 2.0, 0.03, 0.40),
    ):
        truth = [one for one in SCENARIOS if one.name == name] * 300
        bundle = planted(truth, decades=decades, noise=noise, rng=rng)
        (cell,) = operate(truth, bundle, Rule(), decades=decades, noise=noise)
        assert cell.correct == pytest.approx(published, abs=0.12)
        assert cell.false <= 0.02


def test_pooling_the_noise_decides_more_and_is_not_more_often_wrong():
    rng = np.random.default_rng(6)
    truth = [scenario for scenario in SCENARIOS if scenario.kind == "regular"] * 40
    bundle = planted(truth, decades=4.0, noise=0.01, rng=rng)
    made = [operate(truth, bundle, Rule(), decades=4.0, noise=0.01, table=table) for table in (None, 40)]
    undetermined, false = (
        [np.mean([getattr(c, k) for c in cells]) for cells in made] for k in ("undetermined", "false")
    )
    assert undetermined[1] < undetermined[0] - 0.05
    assert false[1] <= 0.01


def test_a_knee_beyond_the_largest_scale_cannot_be_seen():
    # Said in every report: a pure power law up to the largest scale is called HELPS whatever comes after.
    stress = [one for one in SCENARIOS if one.kind == "stress"] * 20
    bundle = planted(stress, decades=3.0, noise=0.03, rng=np.random.default_rng(7))
    (cell,) = operate(stress, bundle, Rule(), decades=3.0, noise=0.03)
    assert cell.false >= 0.95


@pytest.mark.parametrize(("first", "second", "at", "overruled"), [
    (0.3, 0.0, 1 / 5, Verdict.HELPS),
    (0.02, 0.3, 1 / 2, Verdict.SATURATES),
])  # fmt: skip
def test_the_veto_sees_a_late_break(first, second, at, overruled):
    # Noise known to be small: all scales together are sure of a wrong verdict, the five largest contradict it.
    x = np.geomspace(1.0, 1e3, 10)
    u = x / x.max()
    loss = np.where(u < at, (u / at) ** -first, (u / at) ** -second)
    points = tuple(
        ScalePoint(scale=float(a), value=float(b), stderr=0.01 * float(b)) for a, b in zip(x, loss, strict=True)
    )
    data = Curve(task="t", metric="loss", points=points, better="lower", fraction=False, best=0.0)
    found = verdict(data, noise="sampling")
    assert found.verdict is Verdict.UNDETERMINED and found.vetoed is overruled
    assert found.because.startswith(f"All scales together say {overruled}, but the 5 largest contradict it")


def test_p_values_agree_with_the_intervals():
    rng = np.random.default_rng(8)
    truth = [scenario for scenario in SCENARIOS if scenario.kind != "stress"] * 25
    bundle = planted(truth, decades=3.0, noise=0.05, rng=rng)
    best = minimise(bundle)
    judged = judge(bundle, best, own_noise(bundle, best), Rule())
    so_far, gain = judged.ends["gain_so_far"], judged.ends["next_gain"]
    holds = np.stack(
        [so_far[1] < -0.1, (so_far[0] > -0.1) & (so_far[1] < 0.1), (so_far[0] > 0.1) & (gain[1] < 0.1), gain[0] > 0.1],
        axis=1,
    )
    assert ((judged.p < 0.05) == holds).mean() > 0.985


def test_p_values_keep_their_level_at_the_margin():
    # A gain exactly at the margin, from a floor inside the family: 400 curves, P(p <= 0.05) near 0.05 on each side.
    # 0.085 is more than 3 standard errors up.
    truth = [one for one in SCENARIOS if one.name == "floor at the margin"] * 400
    bundle = planted(truth, decades=3.0, noise=0.03, rng=np.random.default_rng(9))
    best = minimise(bundle)
    judged = judge(bundle, best, own_noise(bundle, best), Rule())
    assert np.mean(judged.p[:, 3] <= 0.05) <= 0.085
    assert np.mean(judged.p[:, 2] <= 0.05) <= 0.085


@settings(max_examples=15, deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(1e-9, 1e9), st.integers(0, 1000))
def test_a_verdict_does_not_depend_on_units(loss_unit, scale_unit, seed):
    one = curve(0.7 + 0.3 * U**-0.4, noise=0.03, seed=seed)
    two = Curve.of(list(one.scales * scale_unit), list(one.values * loss_unit))
    first, second = verdict(one), verdict(two)
    assert first.verdict is second.verdict
    assert first.next_gain.value == pytest.approx(second.next_gain.value, abs=1e-3)


def test_the_verdict_is_about_the_next_factor_and_the_margins():
    loss = 0.5 + 0.5 * U**-0.5
    assert verdict(curve(loss), Rule(kappa=10)).verdict is Verdict.HELPS
    assert verdict(curve(loss), Rule(kappa=1.2)).verdict is Verdict.SATURATES
    assert verdict(curve(loss), Rule(next_gain=0.6)).verdict is Verdict.SATURATES
    assert verdict(curve(0.97 * np.ones(8) + 0.03 * U**-0.3), Rule(gain_so_far=0.3)).verdict is Verdict.CANNOT_PROGRESS


def test_a_verdict_travels_as_json_and_draws_its_law():
    found = verdict(curve(0.5 + 0.5 * U**-0.5))
    assert loads(dumps(found), ScalingVerdict) == found
    drawn = found.law(X)
    assert drawn == pytest.approx(found.curve.values, rel=0.05)
    assert found.law(np.array([X.max() * 10]))[0] == pytest.approx(drawn[-1] * (1 - found.next_gain.value), rel=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kappa": 1.0}, "kappa is the next factor of the resource and must be > 1, got 1."),
        ({"next_gain": 0.0}, "The margin next_gain must lie in (0, 1), got 0."),
        ({"gain_so_far": 1.0}, "The margin gain_so_far must lie in (0, 1), got 1."),
        ({"level": 0.4}, "The one-sided level must lie in (0.5, 1), got 0.4."),
        ({"veto_scales": 3}, "veto_scales must be >= 4, got 3."),
    ],
)
def test_impossible_rules(fields, message):
    with pytest.raises(InvalidValueError) as raised:
        Rule(**fields)
    assert str(raised.value) == message


@pytest.mark.parametrize(("so_far", "gain", "expected"), [
    ((0.2, 0.4), (0.11, 0.3), Verdict.HELPS),
    ((0.2, 0.4), (0.05, 0.3), Verdict.UNDETERMINED),
    ((0.2, 0.4), (0.01, 0.09), Verdict.SATURATES),
    ((0.05, 0.4), (0.01, 0.09), Verdict.UNDETERMINED),
    ((-0.09, 0.09), (0.2, 0.3), Verdict.CANNOT_PROGRESS),
    ((-0.4, -0.11), (-0.3, 0.3), Verdict.HURTS),
])  # fmt: skip
def test_the_rule_on_two_intervals(so_far, gain, expected):
    first, second = (
        Estimate(value=low, interval=Interval(low=low, high=high, level=0.9, method="m"), n=8)
        for low, high in (so_far, gain)
    )
    assert by_margins(first, second, Rule()) is expected
