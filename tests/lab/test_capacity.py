"""Capacity: the table of facts, what a file holds, and verdicts from made rows in each direction."""

import numpy as np
import pytest
import torch

from hardlimit.core import Resource, Standing, Verdict
from hardlimit.lab.experiment import Scale
from hardlimit.lab.experiments import capacity
from hardlimit.lab.tasks import generator
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.lab.worlds import facts
from hardlimit.theory.hallucination import bits_needed, error_floor

pytestmark = pytest.mark.local


def test_a_fact_has_one_name_and_is_told_by_the_law():
    task = facts.Facts(4, 8, 0)
    every = task.ask(np.arange(64))
    assert len({tuple(name) for name in every.tokens.tolist()}) == 64 and every.answers.min() >= 12
    assert sorted(task.chances * 64)[-1] == pytest.approx(2 * sorted(task.chances * 64)[-2])
    told = task.draw(generator(0, 1), 20_000, 0.0).tokens
    seen = (told == every.tokens[np.argmax(task.chances)]).all(1).mean()
    assert abs(seen - task.chances.max()) < 0.02  # Six standard errors: a false alarm in 1e-9 of seeds.
    alike = facts.Facts(4, 8, 0, 0.0)
    assert np.allclose(alike.chances, 1 / 64)
    _, often = np.unique(alike.draw(generator(0, 1), 20_000, 0.0).tokens, axis=0, return_counts=True)
    assert often.size == 64 and abs(often - 312.5).max() < 6 * 312.5**0.5  # 64 times: a false alarm in 1e-7 of seeds.


def test_a_packed_file_holds_what_it_says():
    tasks = [facts.Facts(4, 4, seed) for seed in (0, 1)]
    family = Family(Architecture(vocabulary=16, layers=1, width=8), [0, 1])
    before = family.weights.detach().clone()
    fine = facts.packed(family, tasks, 256)
    assert torch.equal(family.weights, before)
    coarse = facts.packed(family, tasks, 8)
    assert all(a < 0.6 * b for a, b in zip(coarse.bytes, fine.bytes, strict=True))
    agree = (fine.hits == facts.recalled(family, tasks)).mean()
    assert agree > 0.95 and fine.hits.shape == (2, 64)
    codes = np.random.default_rng(0).integers(8, size=64).astype(np.uint8)
    bits = np.unpackbits(np.frombuffer(facts.bits_of(codes, 8), dtype=np.uint8)).reshape(64, 3)
    assert (bits @ [4, 2, 1]).tolist() == codes.tolist()


def test_stored_bits_are_counted_where_facts_are_told_alike():
    task = facts.Facts(8, 16, 0)
    often = task.chances >= np.sort(task.chances)[-256]
    assert facts.stored(often, task) == pytest.approx(256 * 4)
    assert facts.stored(np.ones(512, dtype=bool), task) == 512 * 4
    assert facts.stored(np.zeros(512, dtype=bool), task) == 0
    alike = facts.Facts(8, 16, 0, 0.0)
    assert facts.stored(often, alike) == pytest.approx(bits_needed(512, 16, 0.5)) and facts.stored(often, alike) < 1024


def test_a_small_random_model_beside_its_file_by_hand():
    """Answers of one file and its bytes, from its codes alone."""
    task, family = facts.Facts(4, 4, 0), Family(Architecture(vocabulary=16, layers=1, width=8), [0])
    coarse = facts.packed(family, [task], 16)
    parts, whole = torch.split(family.weights.detach(), [128, 192, 64, 256, 256], 1), []
    for part in parts:
        reach = 3 * part.std()
        whole.append(torch.round((part.clamp(-reach, reach) + reach) / (2 * reach) * 15) / 15 * 2 * reach - reach)
    with torch.no_grad():
        family.weights.copy_(torch.cat(whole, 1))
    assert (facts.recalled(family, [task]) == coarse.hits).all()
    assert coarse.bytes[0] <= 896 / 2 + 5 * 4 + 8  # Four bits per weight, five scales, and what LZMA adds at most.


def test_every_size_of_the_full_form_spans_what_was_planned():
    experiment, scale = capacity.Capacity(), Scale()
    cells = experiment.cells(scale)
    task = facts.Facts(20, 32, 0)
    sizes = [
        capacity.shape_of(cell.settings["width"], task).parameters for cell in cells if cell.name.startswith("size")
    ]
    assert len(set(sizes)) >= 8 and max(sizes) / min(sizes) >= 10**2.5
    alike = [cell for cell in cells if cell.name.startswith("alike")]
    assert 3 <= len(alike) <= 4 and {cell.settings["exponent"] for cell in alike} == {0.0}


def rows(errors, bits=1e6, filled=10.0):
    """Nine or fewer sizes with errors by frequency; three small ones whose facts are told alike; no steps."""
    told = [("size", 2 * w + 2, 100 * 2**w, e, 2e6, 10.0) for w, e in enumerate(errors)]
    told += [("alike", w, 300 * w, 0.9, bits, filled) for w in (4, 8, 14)]
    return [
        {"cell": cell, "width": w, "parameters": size, "exposures": 50.0, "seed": seed, "facts": 1000}
        | {"values": 16, "right": round(1000 * (1 - e)), "missed": e * (1 + 0.01 * (seed - 0.5)), "stored": 9.0}
        | {"file_right": round(1000 * (1 - e)), "file_stored": carried, "file_bits": packed}
        for cell, w, size, e, packed, carried in told
        for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("errors", "wanted"),
    [
        ([0.8 * 0.75**i for i in range(9)], Verdict.HELPS),
        ([0.2 + 0.6 * 0.3**i for i in range(9)], Verdict.SATURATES),
        ([0.5] * 9, Verdict.CANNOT_PROGRESS),
    ],
)
def test_the_verdict_follows_the_curve(errors, wanted):
    told = capacity.Capacity().conclude(rows(errors), Scale(extent="smoke"))
    assert [one.verdict for one in told.verdicts] == [wanted] and "No model held more" in told.headline
    by_size = [row for row in rows(errors) if row["cell"] == "size"]
    judged = capacity.scaling(by_size, "parameters", Resource.PARAMETERS)
    assert judged.verdict is wanted and len(judged.curve.points) == 9


def test_sizes_without_any_error_are_left_out_and_counted():
    told = capacity.Capacity().conclude(rows([0.8 * 0.75**i for i in range(9)] + [0.0]), Scale(extent="smoke"))
    (judged,) = told.verdicts
    assert judged.verdict is Verdict.HELPS and "(scales without any error left out: 1), 9 scales" in judged.because


def test_exposures_are_judged_apart_and_with_the_whole_run():
    """Shorter runs of the middle size, and the middle size itself as the last point."""
    made = rows([0.1] * 9)
    middle = [row for row in made if row["cell"] == "size" and row["width"] == 4]
    steps = [
        row | {"cell": "steps", "exposures": 50.0 / 2**i, "missed": 1.3**i * row["missed"]}
        for i in range(1, 8)
        for row in middle
    ]
    told = capacity.Capacity().conclude([*made, *steps], Scale(extent="smoke"))
    assert [(one.resource, one.verdict) for one in told.verdicts] == [
        (Resource.PARAMETERS, Verdict.CANNOT_PROGRESS),
        (Resource.DATA, Verdict.HELPS),
    ]
    (by_exposures,) = (one for one in told.measurements if one.name.endswith("error_by_exposures"))
    assert [point.at["exposures"] for point in by_exposures.points] == [50.0 / 2**i for i in range(7, -1, -1)]


@pytest.mark.parametrize(
    ("bits", "filled", "standing"),
    [
        (3000.0, 40.0, Standing.CLEAR_OF_BOUND),
        (10.0, 9.0, Standing.AT_BOUND),
        (1e6, 40.0, Standing.VACUOUS),
        (3900.0, 40.0, Standing.CLEAR_OF_BOUND),
    ],
)
def test_the_floor_is_set_beside_the_files_of_facts_told_alike(bits, filled, standing):
    made = rows([0.9375] * 4, bits=bits, filled=filled)
    for row in made:
        if row["cell"] == "alike" and bits < 100:
            row["file_right"] = 65
    told = capacity.Capacity().conclude(made, Scale(extent="smoke"))
    assert [one.standing for one in told.findings] == [standing] * 3
    assert told.findings[0].claim.value == pytest.approx(float(error_floor(bits, 1000, 16)))
    assert f"{filled / bits:.1%} of its bits" in told.findings[0].says


def test_a_model_that_holds_more_than_its_file_refutes_the_floor():
    made = [row | {"file_right": 950} for row in rows([0.1] * 4, bits=400.0, filled=3000.0)]
    told = capacity.Capacity().conclude(made, Scale(extent="smoke"))
    assert {one.standing for one in told.findings} == {Standing.BEYOND_BOUND}
    assert "which HALL-3 excludes" in told.headline
