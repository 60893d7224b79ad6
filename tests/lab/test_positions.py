"""Positions: schedules and their sampler against definitions, the task against brute force, conclusions from rows."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hardlimit.cli import main
from hardlimit.core import InvalidValueError, Standing, StoreError, Verdict, dumps
from hardlimit.lab.experiment import LabReport, Scale
from hardlimit.lab.experiments import positions
from hardlimit.lab.schedules import Curriculum, Layout, curriculum, exposures
from hardlimit.lab.tasks import generator
from hardlimit.lab.training import Training
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.lab.worlds.pairs import VALUES, Pairs, read_document
from hardlimit.theory import context as theory

pytestmark = pytest.mark.local

NAMES = ("skewed", "packed", "full", "growing", "spread", "growing-spread")


def rng(seed=0):
    return np.random.default_rng(seed)


@given(st.sampled_from(NAMES), st.integers(0, 1000), st.sampled_from([0.0, 0.3, 0.75, 1.0]), st.sampled_from([1, 2, 4]))
def test_places_rise_within_documents_and_stay_within_the_span(name, seed, progress, unit):
    schedule = curriculum(name, 32, unit=unit)
    starts, places = schedule.draw(rng(seed), 3, progress)
    again = schedule.draw(rng(seed), 3, progress)
    assert np.array_equal(starts, again.starts) and np.array_equal(places, again.places)
    assert places.min() >= 0 and places.max() < schedule.span == 128
    for start, place, lengths in zip(starts, places, Layout(starts, places).lengths(), strict=True):
        assert sum(lengths) == 32 and all(length % unit == 0 for length in lengths)
        ends = np.cumsum(lengths)
        for first, last in zip(ends - lengths, ends, strict=True):
            assert (start[first:last] == first).all()
            steps = np.diff(place[first:last])
            assert (steps >= 1).all() and (steps[np.arange(1, last - first) % unit != 0] == 1).all()
            if schedule.places == "restart":
                assert place[first] == 0 and (steps == 1).all()
            if schedule.places == "running":
                assert place[first] == first and (steps == 1).all()


def test_lengths_follow_their_law():
    """Each bound is at 5 standard errors: a false alarm in about 1 of 10⁶ runs, and the seed is fixed."""
    found = np.concatenate(curriculum("skewed", 4096).draw(rng(), 64, 0.5).lengths())
    assert abs(found.mean() - 512 * (1 - np.exp(-8))) < 5 * 512 / found.size**0.5
    growing = curriculum("growing", 64)
    firsts = [growing.draw(rng(), 1, progress).lengths()[0][0] for progress in (0.0, 0.375, 0.75, 1.0)]
    assert firsts == [8, 36, 64, 64]
    assert curriculum("full", 64).draw(rng(), 1, 0.0).lengths() == [[64]]


def test_spread_places_reach_log_uniformly_and_begin_anywhere():
    """Reach of whole windows: ln R uniform from ln n to ln span. Bounds are 5 standard errors, the seed is fixed."""
    whole = Curriculum(name="x", window=8, span=512, documents="equal", mean=8, places="spread")
    places = whole.draw(rng(), 4000, 0.0).places
    reach = places[:, -1] - places[:, 0] + 1
    middle = np.mean(reach < 8 * 512**0.5 / 8**0.5)
    assert middle > 0.5 - 5 / (2 * 4000**0.5)  # The last gap is outside, so that the reach is at most R.
    assert (reach >= 8).all() and (reach > 256).mean() > 0.03
    one = whole.placed(rng(1), np.zeros((4000, 1), dtype=int))[:, 0]  # At the begin of R places: mean (512 − E R) / 2.
    assert abs(one.mean() - (512 - 511 / np.log(512)) / 2) < 5 * 148 / 4000**0.5 and one.min() < 5 and one.max() > 500
    gaps = np.diff(places[reach > 200], axis=1).mean(0)
    assert gaps.max() / gaps.min() < 1.4  # No gap is favoured.


def test_exposures_are_the_law_of_documents_and_spreading_reaches_every_distance():
    schedule = curriculum("skewed", 64)
    layout = schedule.draw(rng(3), 40, 0.0)
    lengths = np.concatenate(layout.lengths())
    counted = exposures([layout], 64)
    law = theory.position_frequencies(lengths)
    assert counted[: law.size].tolist() == law.tolist() and not counted[law.size :].any()
    spread = exposures([curriculum("spread", 64).draw(rng(3), 40, 0.0)], 256)
    assert spread[0] == 40 * 64 and spread[128:192].sum() > 0 == counted[60:].sum()


def test_a_schedule_is_read_back_and_bad_files_are_refused(tmp_path):
    path = tmp_path / "s.json"
    schedule = curriculum("growing-spread", 64).scaled(2048)
    schedule.save(path)
    assert Curriculum.load(path) == schedule and (schedule.mean, schedule.span) == (256, 8192)
    good = json.loads(path.read_text())
    for change, says in (
        ({"schema": 2}, "schema version 2"),
        ({"kind": "LabReport"}, "'Curriculum' was expected"),
        ({"value": good["value"] | {"mean": 4096}}, "mean must lie between 1 and 2,048, got 4,096"),
        ({"value": good["value"] | {"span": 100}}, "span must lie between 2,048"),
        ({"value": good["value"] | {"unit": 3}}, "multiples of its unit"),
        ({"value": good["value"] | {"grown": 1.5}}, "grown must lie between 0 and 1"),
        ({"value": good["value"] | {"places": "jump"}}, "damaged"),
    ):
        path.write_text(json.dumps(good | change))
        with pytest.raises(InvalidValueError, match=says):
            Curriculum.load(path)
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        Curriculum.load(tmp_path / "none.json")
    with pytest.raises(StoreError, match="cannot be written"):
        schedule.save(tmp_path / "none" / "s.json")
    for bad in ((0, 0.5), (1, 1.5)):
        with pytest.raises(InvalidValueError, match="draw needs"):
            schedule.draw(rng(), *bad)
    with pytest.raises(InvalidValueError, match="not after it"):
        schedule.placed(rng(), [[0, 2, 2]])


@pytest.mark.parametrize("order", [True, False])
@pytest.mark.parametrize("name", ["skewed", "growing-spread"])
def test_a_question_is_about_the_last_value_of_its_key_in_its_document(name, order):
    task = Pairs(curriculum(name, 32, unit=2), 16, order)
    returned = 0
    for tokens, row, answers, parts, _ in zip(*task.draw(generator(0, 1), 40, 0.5), strict=True):
        for place, answer in zip(row, answers, strict=True):
            key = tokens[place] - task.keys * VALUES
            there = [i for i in range(0, place, 2) if tokens[i] // VALUES == key and parts[i] == parts[place]]
            assert tokens[there[-1]] % VALUES == answer
            returned += len(there) > 1
    assert bool(returned) is order


@torch.no_grad()
def test_given_places_are_what_the_position_code_is_told():
    for code in ("rope", "learned"):
        family = Family(Architecture(vocabulary=11, layers=2, width=16, positions=code, window=12), [0, 1])
        tokens = torch.randint(11, (2, 3, 6), generator=torch.Generator().manual_seed(0))
        plain = torch.arange(6).expand(2, 3, 6)
        told = family(tokens)
        assert torch.allclose(family(tokens, None, None, plain), told, atol=1e-5)
        assert torch.allclose(family(tokens, None, None, plain + 3), told, atol=1e-4) is (code == "rope")
        jump = plain + 2 * (plain > 2)
        assert not torch.allclose(family(tokens, None, None, jump), told, atol=1e-3)
        assert torch.allclose(family(tokens, None, None, jump)[:, :, :3], told[:, :, :3], atol=1e-5)
    with pytest.raises(InvalidValueError, match="12 learned places; 13 tokens"):
        family(tokens, None, None, plain + 7)


@torch.no_grad()
def test_documents_are_read_in_their_last_quarter_with_their_distances():
    task = Pairs(curriculum("full", 16, unit=2), 3, order=True)
    family = Family(Architecture(vocabulary=task.vocabulary, layers=1, width=16, tied=False), [0, 1])
    right, away = read_document(family, task, 5)
    assert right.shape == away.shape == (2, 10)
    batch = task.draw(generator(1, 2, 16 * 1009), 5, 1.0)
    said = family(torch.from_numpy(np.stack([batch.tokens] * 2)))[1].argmax(-1).numpy()
    for case in range(5):
        for i, place in enumerate((13, 15)):
            key = batch.tokens[case, place] - 3 * VALUES
            last = max(j for j in range(0, place, 2) if batch.tokens[case, j] // VALUES == key)
            assert away[1, 2 * case + i] == place - last
            assert right[1, 2 * case + i] == (said[case, place] == batch.answers[case, place // 2])


def rows_of(shares, setting="rotary, order", seeds=2):
    """Rows in which every schedule's accuracy by length is given; exposures halve with every length."""
    lengths, made = (8, 16, 32), []
    for name, own in shares.items():
        made += [
            {"setting": setting, "schedule": name, "reach": length, "exposures": 64.0 / length} for length in lengths
        ]
        for seed in range(seeds):
            for length, share in zip(lengths, own, strict=True):
                at = {"setting": setting, "schedule": name, "length": length, "seed": seed}
                made.append(at | {"right": round(1000 * share) - seed, "n": 1000})
        made.append(made[-1] | {"distance": 4})
    return made


def test_reach_is_read_off_where_accuracy_falls_below_one_line_for_all_schedules():
    reach = positions.reached(rows_of({"skewed": (1.0, 0.9, 0.8), "spread": (0.8, 0.8, 0.8)}, seeds=1))
    line = positions.ENOUGH
    assert reach["rotary, order", "skewed"] == [pytest.approx(16 * 2 ** ((0.9 - line) / 0.1))]
    assert reach["rotary, order", "spread"] == [pytest.approx(8)]  # Never above the line that skewed models set.
    assert positions.reaches(rows_of({"skewed": (1.0, 0.9, 0.9)})[3:9], 0.5) == pytest.approx([32, 32])
    told = positions.ratio([2.0, 8.0], [1.0, 2.0])
    assert told.value == pytest.approx(8**0.5) and told.interval.low < 1 < told.interval.high


def test_a_reach_is_foretold_where_exposures_fall_to_those_at_the_baselines_end():
    def met(*numbers):
        return [{"reach": r, "exposures": n} for r, n in zip((8, 16, 32), numbers, strict=True)]

    assert positions.predicted(16.0, met(100, 10, 1), met(1000, 100, 1)) == pytest.approx(16 * 2**0.5)
    assert positions.predicted(16.0, met(100, 10, 1), met(50, 40, 30)) == pytest.approx(32)
    assert positions.predicted(16.0, met(100, 10, 1), met(5, 4, 3)) == pytest.approx(8)
    assert positions.predicted(16.0, met(100, 10, 1), met(99, 98, 0)) == pytest.approx(16)  # As far as a window goes.
    assert positions.exposures_at(16.0, met(100, 10, 1)) == pytest.approx(10) and met(9, 1, 0)[2]["exposures"] == 0
    assert positions.exposures_at(32.0, met(9, 1, 0)) == 1
    found = positions.exposed(curriculum("skewed", 64), Training(steps=10, batch=16), (16, 32))
    far = [np.arange(r * 7 // 8, r) for r in (16, 32)]
    law = [160 * np.mean((64 - i) * (7 / 8) ** i) for i in far]  # No document begins in i tokens.
    assert [row["exposures"] for row in found] == pytest.approx(law, rel=0.25)


def test_conclusions_follow_the_rows():
    better = positions.Positions().conclude(rows_of({"skewed": (1, 0.7, 0.2), "full": (1, 0.99, 0.98)}), Scale())
    assert better.verdicts[0].verdict is Verdict.HELPS and "'full' reaches 2." in better.headline
    equal = positions.Positions().conclude(rows_of({"skewed": (1, 0.7, 0.2), "full": (1, 0.7, 0.2)}), Scale())
    assert equal.verdicts[0].verdict is Verdict.UNDETERMINED and "'full' reaches 1.00 times" in equal.headline
    assert equal.findings[0].standing is Standing.DISAGREES
    effective = better.measurements[0]
    assert effective.parameters["ratio.rotary, order.full"] > 2
    end = np.mean(positions.reached(rows_of({"skewed": (1, 0.7, 0.2)}))["rotary, order", "skewed"])
    assert effective.parameters["predicted.rotary, order.full"] == pytest.approx(end, abs=0.1)  # Met as often.


def test_the_exported_schedule_tells_what_a_run_measured(tmp_path, capsys):
    scale, path = Scale(extent="smoke"), tmp_path / "s.json"
    assert main(["lab", "positions", "--smoke", "--out", str(tmp_path), "--export", str(path)]) == 0
    assert "the schedule tells no gain" in capsys.readouterr().out
    assert Curriculum.load(path).gains == () and Curriculum.load(path).window == 16
    rows = rows_of({"skewed": (1, 0.7, 0.2), "growing-spread": (1, 0.99, 0.98)})
    report = LabReport(
        experiment="positions",
        scale=scale,
        design=positions.Positions().design(scale),
        conclusion=positions.Positions().conclude(rows, scale),
        rows=tuple(rows),
        seconds={},
        device="CPU",
        version="0",
        packages={},
    )
    (tmp_path / "positions.smoke.json").write_text(dumps(report))
    assert main(["lab", "positions", "--smoke", "--out", str(tmp_path), "--export", str(path)]) == 0
    (gain,) = Curriculum.load(path).gains
    assert gain.ratio.value > 2 and gain.tokens.value == pytest.approx(32) and gain.ratio.n == 2
    assert gain.run == "hardlimit lab positions --smoke" and "the effective context" in capsys.readouterr().out
    for asked, says in ((["hops"], "the experiment 'hops' has none"), ([], "needs its experiment")):
        assert main(["lab", *asked, "--export", str(path)]) == 2
        assert says in capsys.readouterr().err
