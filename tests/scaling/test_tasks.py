import numpy as np
import pytest

from hardlimit.core import InsufficientDataError, InvalidValueError, Verdict
from hardlimit.scaling import Curve, Rule, ScalePoint, pooled_by_subject, verdict, verdicts
from hardlimit.stats import benjamini_hochberg, holm

SCALES = np.geomspace(1e8, 1e11, 7)


def counted(truth, *, n=1000, rng=None, **fields):
    shares = rng.binomial(n, truth) / n if rng is not None else truth
    points = tuple(ScalePoint(scale=float(x), value=float(p), n=n) for x, p in zip(SCALES, shares, strict=True))
    return Curve(**{"task": "t", "metric": "acc", "points": points, **fields})


def rising(floor=0.0, slope=0.2, start=0.25):
    return 1 - (1 - start) * (floor + (1 - floor) * (SCALES / SCALES[0]) ** -slope)


def test_corrections_are_those_of_the_p_values():
    rng = np.random.default_rng(1)
    curves = [counted(rising(slope=s), rng=rng, task=f"t{i}") for i, s in enumerate(np.linspace(0, 0.2, 12))]
    found = verdicts(curves)
    p = [one.p_value for one in found]
    assert [one.holm for one in found] == pytest.approx(holm(p).tolist())
    assert [one.false_share for one in found] == pytest.approx(benjamini_hochberg(p).tolist())
    for one in found:
        kept = one.false_share < 0.05
        assert one.corrected is (one.scaling.verdict if kept else Verdict.UNDETERMINED)
    uncorrected = verdicts(curves, correct="none")
    assert [one.corrected for one in uncorrected] == [one.scaling.verdict for one in found]
    strict = verdicts(curves, correct="holm")
    assert sum(one.corrected is not Verdict.UNDETERMINED for one in strict) <= sum(
        one.corrected is not Verdict.UNDETERMINED for one in found
    )


def test_false_verdicts_over_tables_of_counted_tasks():
    # Ten tables of 40 tasks with binomial noise of 500 items: 20 at chance, 10 that help (a gain of 37 %), 10 with a
    # floor at 90 % of the last error. In truth under 1 % of verdicts are false; 12 of 400 would be 3 %.
    rng = np.random.default_rng(2)
    truths = [(np.full(7, 0.25), Verdict.CANNOT_PROGRESS)] * 20
    truths += [(rising(slope=0.2), Verdict.HELPS)] * 10
    last = 0.9 + 0.1 * (SCALES / SCALES[-1]) ** -0.5
    truths += [(1 - 0.6 * last / last[0], Verdict.SATURATES)] * 10
    false, decided = 0, 0
    for _ in range(10):
        found = verdicts([counted(truth, n=500, rng=rng, task=f"t{i}") for i, (truth, _) in enumerate(truths)])
        for one, (_, truth) in zip(found, truths, strict=True):
            false += one.scaling.verdict not in (truth, Verdict.UNDETERMINED)
            decided += one.scaling.verdict is truth
    assert false <= 12
    assert decided >= 200


def test_pooling_is_the_default_from_eight_curves_on():
    rng = np.random.default_rng(3)
    few = verdicts([counted(rising(), rng=rng) for _ in range(7)])
    many = verdicts([counted(rising(), rng=rng) for _ in range(8)])
    assert {one.scaling.noise_source for one in few} == {"own residuals"}
    assert {one.scaling.noise_source for one in many} == {"pooled over the table"}
    known = verdict(counted(rising(), rng=rng), noise="sampling")
    assert known.noise_source == "sampling" and known.noise_freedom is None and known.noise_factor == 1.0


def test_subjects_add_up_their_items():
    rng = np.random.default_rng(4)
    tasks = [counted(np.full(7, 0.25), n=100, rng=rng, task=f"a-{i}", subject="a", chance=0.25) for i in range(20)]
    tasks += [counted(rising(), n=100, rng=rng, task=f"b-{i}", subject="b") for i in range(2)]
    tasks.append(Curve.of([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]))
    (pooled,) = pooled_by_subject(tasks)
    assert pooled.task == "a (20 tasks)" and pooled.chance == 0.25
    assert {point.n for point in pooled.points} == {2000}
    right = sum(round(curve.points[0].value * 100) for curve in tasks[:20])
    assert pooled.points[0].value == pytest.approx(right / 2000)
    alone = [one.scaling.verdict for one in verdicts(tasks[:20])]
    together = verdict(pooled)
    assert together.verdict is Verdict.CANNOT_PROGRESS
    assert alone.count(Verdict.CANNOT_PROGRESS) < 20
    assert together.notes == ("At chance (25 %) at every scale.",)


def test_floor_statements_are_refused_where_they_cannot_be_told():
    x = np.geomspace(1e7, 1e10, 8)
    u = x / x.max()
    slow = verdict(Curve.of(list(x), list(u**-0.1)))
    assert slow.floor_fraction is None
    assert slow.floor_says.startswith("no statement: exponent × decades is 0.3")
    flat = verdict(Curve.of(list(x), list(1 + 0.001 * np.cos(np.arange(8)))))
    assert flat.floor_says == "no statement: the loss has not fallen measurably"
    errors = 0.01 * np.random.default_rng(6).normal(size=8)
    floor = verdict(Curve.of(list(x), list((0.5 + 0.5 * u**-0.5) * np.exp(errors))))
    assert floor.floor_fraction is not None and 0.5 in floor.floor_fraction.interval
    assert floor.floor_says.startswith("floor or slow regime: ")


def test_what_a_reader_is_told():
    x = np.geomspace(1e8, 3e8, 5)
    found = verdict(Curve.of(list(x), [3.0, 2.8, 2.65, 2.5, 2.4]))
    assert found.notes == ("Only 0.5 decades of scale; the next factor is extrapolated further than measured.",)
    helps = verdict(Curve.of(list(np.geomspace(1e7, 1e10, 6)), list(3 * np.geomspace(1, 1e3, 6) ** -0.2)))
    assert helps.because == (
        "The next ×10 of parameters cuts the loss by 37 % [37 %, 37 %], more than the margin of 10 %."
    )


def test_three_scales_leave_no_verdict_from_their_own_noise():
    three = Curve.of([1e8, 1e9, 1e10], [3.0, 2.0, 1.5])
    found = verdict(three)
    assert found.verdict is Verdict.UNDETERMINED and found.noise_source == "unknown"
    assert found.because == "3 scales leave nothing to judge the noise by; at least 4 are needed."
    assert found.next_gain.interval.low is None
    assert set(found.p_values.values()) == {1.0}


def test_a_law_that_misses_is_said():
    rng = np.random.default_rng(6)
    curves = [counted(rising(), rng=rng, n=5000, task=f"t{i}") for i in range(20)]
    zigzag = np.array([0.2, 0.4, 0.3, 0.5, 0.4, 0.6, 0.5])
    found = verdicts([*curves, counted(zigzag, n=5000, task="zigzag")])
    assert any(
        note.startswith("The law misses the points by more than the table's noise") for note in found[-1].scaling.notes
    )
    assert sum(bool(one.scaling.notes) for one in found[:-1]) <= 2


def test_what_is_refused():
    with pytest.raises(InsufficientDataError) as none:
        verdicts([])
    assert str(none.value) == "There is no curve to judge; give at least one."
    with pytest.raises(InvalidValueError) as one:
        pooled_by_subject([], at_least=1)
    assert str(one.value) == "Pooling needs at least 2 tasks, got at_least=1."
    assert Rule().level == 0.95
