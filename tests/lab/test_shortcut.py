"""A cue against a lookup: the task against brute force, readings against definitions, conclusions from made rows."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from hardlimit.core import Estimate, Interval, Shape, Standing, Verdict
from hardlimit.lab.bench import Bench
from hardlimit.lab.experiment import Scale, where
from hardlimit.lab.experiments import shortcut
from hardlimit.lab.tasks import generator
from hardlimit.lab.training import Training, Watch, train
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.lab.worlds import cues

pytestmark = pytest.mark.local

SCALE = Scale(extent="full", seeds=3)
DELTA = 1500.0


@pytest.mark.parametrize("marked", [True, False])
def test_the_answer_is_the_bit_that_is_asked_for_and_the_cue_is_wrong_as_often_as_it_says(marked):
    """4,000 cases: a share of 1/4 is counted to within 0.03 and one of 1/8 to 0.025, but in one of 10,000 runs."""
    task = cues.Cue(5, 0.25, marked)
    batch = task.draw(generator(0, 1), 4000, 0.0)
    wrong, flags = [], batch.tokens[:, 6] - 15
    for tokens, row, answer in zip(batch.tokens, batch.rows, batch.answers, strict=True):
        bits = {token // 2: token % 2 for token in tokens[:5]}
        assert len(bits) == 5 and row.tolist() == [7] and tokens.size == 8
        assert answer.tolist() == [17 + bits[tokens[5] - 10]]
        assert tokens[7] in (17, 18)
        wrong.append(tokens[7] != answer[0])
    assert batch.tokens.max() == task.vocabulary - 1
    assert abs(np.mean(wrong) - 0.125) < 0.025
    if marked:
        assert abs(flags.mean() - 0.25) < 0.03 and not (np.array(wrong) & (flags == 0)).any()
        assert abs(np.mean(np.array(wrong)[flags == 1]) - 0.5) < 0.08
    else:
        assert set(flags.tolist()) == {0}


def test_what_a_cue_leaves_open_is_the_conditional_entropy_of_the_drawn_labels():
    """Plug-in entropy of 40,000 cases; its error here is below 0.01 nats but in one of 10,000 runs."""
    for marked in (True, False):
        batch = cues.Cue(4, 0.25, marked).draw(generator(1, 1), 40_000, 0.0)
        seen = batch.tokens[:, 5:] @ np.array([100, 1])
        entropy = 0.0
        for told in np.unique(seen):
            p = (batch.answers[seen == told, 0] == 14).mean()
            entropy -= (seen == told).mean() * sum(q * math.log(q) for q in (p, 1 - p) if q > 0)
        assert entropy == pytest.approx(cues.gap_of("marked" if marked else "unmarked", 0.25), abs=0.01)


def test_test_cases_are_of_the_kind_that_is_asked_for():
    for wrong in (True, False):
        tokens, _, answers = cues.cases_of(cues.Cue(4, 0.5, True), (0, 1), 50, wrong, "cpu")
        assert ((tokens[..., -1] != answers[..., 0]) == wrong).all()
        assert (tokens[..., 5] == 13).all() and not torch.equal(tokens[0], tokens[1])


def made_rows(factor, *, cost=lambda case, rho, batch, seed: DELTA, shares=(0.5, 0.25)):
    """Rows of models whose circuit appears at a factor of the predicted label, or never where that is None."""
    rows = []
    settings = [("ends", 0.0), ("ends", 1.0), *((case, rho) for case in shortcut.CASES for rho in shares)]
    for case, rho in settings:
        target = DELTA / cues.gap_of(case, rho) if rho else 2000.0
        for batch in (8, 16):
            for seed in SCALE.members:
                times = factor(case, rho, batch, seed) if rho else None
                start = round(target * (times or 1.0) / 2**0.75)
                length = 100.0 + (cost(case, rho, batch, seed) if rho else 0.0)
                for n in (start // 2, start, 2 * start, 16 * round(target)):
                    right = 100 if times is not None and n > start else 0
                    own = {"case": case, "share": rho, "batch": batch, "seed": seed, "labels": n}
                    rows.append(
                        own
                        | {"wrong_cue": right, "right_cue": 100, "n": 100, "nats": length * n / (16 * round(target))}
                    )
    return rows


def concluded(*args, **named):
    return shortcut.Shortcut().conclude(made_rows(*args, **named), SCALE)


def standings(*args, **named):
    return [finding.standing for finding in concluded(*args, **named).findings]


def test_a_crossover_at_the_prediction_agrees_and_the_dashed_line_lies_on_it():
    made = concluded(lambda case, rho, batch, seed: 1.1 ** (seed - 1))
    for finding, case in zip(made.findings, shortcut.CASES, strict=True):
        assert finding.standing is Standing.AGREES and isinstance(finding.claim, Shape)
        for (per, predicted), point in zip(finding.claim.points, finding.measurement.points, strict=True):
            assert per == point.at["1/ρ"] and predicted == pytest.approx(DELTA / cues.gap_of(case, 1 / per))
            assert point.estimate.value == pytest.approx(predicted, rel=0.01)
        assert finding.measurement in made.measurements
    grown = 1 / 0.25, math.log(2) / cues.gap_of("unmarked", 0.25)
    assert f"code lengths predict {grown[0]:.2g}, equally many wrong cues 4" in made.headline
    assert f"needs {grown[1]:.2g} (" in made.headline and f"predict {grown[1]:.2g}, equally" in made.headline
    assert [verdict.verdict for verdict in made.verdicts] == [Verdict.HELPS, Verdict.HELPS]


@pytest.mark.parametrize(("times", "standing"), [(2.5, Standing.DISAGREES), (0.4, Standing.DISAGREES)])
def test_a_crossover_far_off_disagrees_for_its_own_kind_of_cue_alone(times, standing):
    made = concluded(
        lambda case, rho, batch, seed: (times if (case, rho) == ("unmarked", 0.25) else 1.0) * 1.05 ** (seed - 1)
    )
    assert [finding.standing for finding in made.findings] == [Standing.AGREES, standing]
    assert "The prediction held. Unmarked cue" in made.headline and "The prediction failed. The cost" in made.headline
    assert made.headline.endswith("was 1,500 to 1,500 nats.")
    assert "0 of 3 intervals leave 1 out" in made.findings[0].says and "1 of 3" in made.findings[1].says


def test_seeds_too_far_apart_decide_nothing():
    assert standings(lambda case, rho, batch, seed: 2.0 ** (seed - 1)) == [Standing.UNDETERMINED] * 2


def factor_of(low, high):
    return Estimate(value=1.0, interval=Interval(low=low, high=high, level=0.95, method="made"), n=6)


@pytest.mark.parametrize(
    ("reach", "complete", "standing"),
    [
        ([(0.7, 1.4), (0.8, 1.2)], True, Standing.AGREES),
        ([(0.7, 1.4), (0.8, 1.2)], False, Standing.UNDETERMINED),
        ([(0.7, 1.4), (0.8, 1.6)], True, Standing.UNDETERMINED),
        ([(0.5, 1.4), (0.8, 1.2)], True, Standing.UNDETERMINED),
        ([(0.3, 0.6), (0.8, 1.2)], True, Standing.DISAGREES),
        ([(0.3, 0.6), (0.8, 1.2)], False, Standing.UNDETERMINED),
        ([(1.6, 3.0), (0.8, 1.2)], False, Standing.DISAGREES),
    ],
)
def test_a_prediction_agrees_when_all_intervals_lie_within_the_tolerance(reach, complete, standing):
    """Factors of models that never crossed are too small: they can show that a crossover is late, and nothing else."""
    assert shortcut.judged([factor_of(*ends) for ends in reach], complete) is standing


def test_models_that_never_get_there_cannot_agree_but_are_late():
    """They count at their last label, 16 times the prediction; where ρ = 1 is not learned, ΔC is not known."""
    late = concluded(lambda case, rho, batch, seed: None if (case, rho) == ("marked", 0.25) else 1.0)
    assert [finding.standing for finding in late.findings] == [Standing.DISAGREES, Standing.AGREES]
    assert (
        "3 of the models never got there" in late.findings[0].says
        and late.findings[0].measurement.parameters["never"] == 3
    )
    assert standings(lambda case, rho, batch, seed: None if case == "ends" else 1.0) == [Standing.UNDETERMINED] * 2
    one = lambda case, rho, batch, seed: None if (case, rho, seed) == ("marked", 0.25, 1) else 1.0  # noqa: E731
    assert standings(one)[0] is Standing.UNDETERMINED


def test_each_model_is_read_with_the_recipe_of_its_shortest_code():
    """Batch 16 codes shorter but for seed 1: the other recipe's crossings are three times as late."""
    best = lambda seed: 8 if seed == 1 else 16  # noqa: E731
    made = concluded(
        lambda case, rho, batch, seed: 1.0 if batch == best(seed) else 3.0,
        cost=lambda case, rho, batch, seed: DELTA if batch == best(seed) else DELTA + 50,
    )
    assert [finding.standing for finding in made.findings] == [Standing.AGREES] * 2
    cost = made.measurements[-1]
    assert {point.estimate.value for point in cost.points} == {DELTA}
    assert cost.parameters["batch.marked.1/4"] == "8, 16, 16"
    recipes = {(p.at["recipe"], p.at["1/ρ"]): p.estimate.value for p in made.measurements[4].points}
    one = DELTA / cues.gap_of("marked", 0.25)
    assert recipes["batch 8", 4] == pytest.approx(one * 3 ** (2 / 3), rel=0.01)


def test_the_circuit_is_there_only_when_both_kinds_of_cases_are_right():
    rows = [
        {"labels": n, "wrong_cue": wrong, "right_cue": right, "n": 100}
        for n, wrong, right in ((1000, 90, 10), (2000, 10, 100), (4000, 70, 100), (8000, 80, 90), (16000, 100, 100))
    ]
    assert cues.appearance(rows).labels == pytest.approx(4000 * 2**0.5)
    assert not cues.appearance(rows[:3]).seen and cues.appearance(rows[:3]).labels == 4000
    assert cues.appearance(rows[-1:]) == (16000.0, True)


def test_data_that_changes_nothing_is_not_said_to_help():
    never = concluded(lambda case, rho, batch, seed: None)
    assert never.verdicts[1].verdict is Verdict.UNDETERMINED
    flat = concluded(lambda case, rho, batch, seed: 1.0 if rho == 1.0 else rho * (0.5 if case == "marked" else 1.0))
    assert flat.verdicts[0].verdict is Verdict.UNDETERMINED


def test_readings_fall_on_ends_of_stretches_of_every_recipe():
    for rho in (1.0, 0.25, 0.0625):
        for case in shortcut.CASES:
            amount = shortcut.Shortcut._labels(case, rho, Scale())
            told = cues.readings(amount)
            assert told[-1] == amount and all(a < b for a, b in pairwise(told))
            assert all(n % (16 * batch) == 0 for n in told for batch in shortcut.RECIPES)


class Recorded(Bench):
    """A bench that keeps what training said."""

    def train(self, *args, **named):
        family, told = super().train(*args, **named)
        self.__dict__["told"] = told
        return family, told


def test_measured_rows_hold_the_code_and_the_readings_of_each_model():
    """With a cue that never fails a model follows it soon: right where it is right, wrong where it is wrong."""
    experiment, scale, bench = shortcut.Shortcut(), Scale(extent="smoke"), Recorded()
    first_cell, *cells = experiment.cells(scale)
    assert first_cell.settings == {"case": "ends", "share": 0.0, "batch": 16}
    rows = experiment.measure(first_cell, scale, bench)
    for seed in scale.members:
        *_, first, last = where(rows, seed=seed)
        assert (first["labels"], last["labels"]) == (768, 1024) and len(rows) == 8
        assert last["right_cue"] > 0.9 * last["n"] and last["wrong_cue"] < 0.1 * last["n"]
        losses = np.array(bench.told.losses)[:, seed]
        assert first["nats"] == pytest.approx(256 * losses[:3].sum()) and last["nats"] == pytest.approx(
            256 * losses.sum()
        )
    every = [*rows, *(row for cell in cells for row in experiment.measure(cell, scale, bench))]
    made = experiment.conclude(every, scale)
    assert [m.name.rpartition(".")[2] for m in made.measurements][2:4] == ["crossover_marked", "crossover_unmarked"]
    assert {str(point.at["ρ"]) for point in made.measurements[0].points} == {"1/2", "1"}


def test_what_is_watched_survives_a_cut_and_changes_nothing(tmp_path):
    shape = Architecture(vocabulary=16, layers=1, width=8, heads=1, kv_heads=1, positions="none", tied=False)
    task, plan = cues.Cue(4, 0.5, True), Training(steps=24, batch=4)

    def run(watch, keep=None):
        family = Family(shape, [0, 1])
        return family, train(family, [task] * 2, plan, keep=keep, watch=watch)

    plain, told = run(None)
    watch = Watch(frozenset({3, 24}), lambda family: family.weights.detach()[:, :2].clone())
    watched, seen = run(watch, tmp_path / "run.pt")
    assert told.seen == () and torch.equal(plain.weights, watched.weights)
    assert len(seen.seen) == 2 and seen.seen[1] == tuple(map(tuple, watched.weights.detach()[:, :2].tolist()))
    assert seen.seen[0] != seen.seen[1]
    _, again = run(watch, tmp_path / "run.pt")
    assert again.resumed_at == 24 and again.seen == seen.seen
