"""Monofacts: worlds and corpora against counts, readings against definitions, conclusions in each direction."""

import math

import numpy as np
import pytest
import torch

from hardlimit.core import InvalidValueError, Standing
from hardlimit.lab.experiment import Scale, where
from hardlimit.lab.experiments import monofacts
from hardlimit.lab.tasks import generator
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.lab.worlds import people, statements

pytestmark = pytest.mark.local


def test_a_world_counts_what_its_corpus_tells():
    task = people.People(8, 4, 500, 1.0, seed=2)
    world = people.made(task)
    told = world.times_told()
    for person in range(64):
        assert told[person] == sum((world.people == person) & (world.said == world.facts[person]))
    unknown = (world.said == 4).mean()
    assert abs(unknown - 0.1) < 0.05 and math.isclose(world.chances.sum(), 1.0)
    assert set(world.said[world.said != 4] - world.facts[world.people][world.said != 4]) == {0}


def test_the_calibration_gap_is_the_definition():
    """Two questions of three values: a sure wrong answer counts in full, the true law not at all."""
    sure_wrong = np.array([[0.0, 1.0, 0.0, 0.0]])
    assert monofacts.calibration_gap(sure_wrong, np.array([0]), 3) == 1.0
    truth = np.array([[0.9, 0.0, 0.0, 0.1]])
    assert monofacts.calibration_gap(truth, np.array([0]), 3) == 0.0
    unknown = np.array([[0.0, 0.0, 0.0, 1.0]])
    assert monofacts.calibration_gap(unknown, np.array([0]), 3) == pytest.approx(0.9)


SPARSE = statements.Statements(16, 64, 160, 0.7, seed=3)


def test_a_corpus_of_statements_tells_truths_alone_and_training_leaves_the_kept_part_out():
    world = statements.told(SPARSE)
    assert len(set(world.facts)) == 64 and world.facts.max() < 256 and math.isclose(world.chances.sum(), 1.0)
    assert world.chances[0] / world.chances[7] == pytest.approx(8**0.7)
    assert set(world.corpus) <= set(world.facts) and SPARSE.true_share == 64 / 192
    corpus = world.corpus.tolist()
    assert world.seen_once() == sum(corpus.count(fact) == 1 for fact in world.facts) / 160
    untold = [c for fact, c in zip(world.facts, world.chances, strict=True) if fact not in corpus]
    assert world.untold() == pytest.approx(sum(untold))
    batch = SPARSE.draw(generator(0, 1), 4000, 0.0)
    said = batch.tokens[:, 0] * 16 + batch.answers[:, 0]
    # 4,000 draws from 150 mentions miss one of them with probability below 150·e^(−26).
    assert SPARSE.trained == 150 and set(said) == set(corpus[:150]) < set(corpus) and not batch.rows.any()


def test_true_statements_lie_anywhere():
    """Each of 16 statements is among 4 true ones in a quarter of 2,000 worlds, to 5 standard errors (alarm < 10⁻⁵)."""
    worlds = [statements.told(statements.Statements(4, 4, 16, 0.7, seed)) for seed in range(2000)]
    for rank in (slice(None), slice(0, 1)):
        counts = np.bincount(np.concatenate([world.facts[rank] for world in worlds]), minlength=16) / 2000
        share = 4 / 16 if rank == slice(None) else 1 / 16
        assert np.abs(counts - share).max() < 5 * math.sqrt(share * (1 - share) / 2000)


def test_miscalibration_averages_the_truth_within_bins_of_half_an_octave():
    truth = np.array([0.5, 0.1, 0.3, 0.1])
    # Bins: 0.4 and 0.36 lie within half an octave, 0.24 does not; what is never said stands alone.
    assert statements.miscalibration(np.array([0.4, 0.36, 0.24, 0.0]), truth) == pytest.approx(
        (abs(0.3 - 0.4) + abs(0.3 - 0.36) + abs(0.3 - 0.24) + 0.1) / 2
    )
    assert statements.miscalibration(truth, truth) == pytest.approx(0.0)
    sure = np.array([0.8, 0.2, 0.0])
    assert statements.miscalibration(sure, sure) == pytest.approx(0.0)
    assert statements.miscalibration(np.full(4, 0.25), truth) == pytest.approx(0.0)
    with pytest.raises(InvalidValueError, match="two laws of one size"):
        statements.miscalibration(truth, truth[:2])


def test_what_is_spread_evenly_is_the_share_of_kept_mentions_that_the_model_does_not_expect():
    kept = np.repeat([0.01, 0.0], [70, 30])
    assert statements.best_spread(kept, 10**6) == pytest.approx(0.3, rel=0.03)


@torch.no_grad()
def test_the_generated_shares_are_the_sums_over_all_statements():
    family = Family(Architecture(vocabulary=16, layers=1, width=16, positions="none", tied=False), [0, 1])
    rows = {row["learner"]: row for row in statements.generated(family, 1, SPARSE)}
    world, false, own = statements.told(SPARSE), 0.0, {}
    for person in range(16):
        tokens = torch.full((2, 1, 1), person)
        chances = family(tokens)[1, 0, 0].softmax(-1).tolist()
        often = sum(said // 16 == person for said in world.corpus[:150].tolist()) / 150
        own |= {person * 16 + value: often * c for value, c in enumerate(chances)}
        false += often * sum(c for value, c in enumerate(chances) if person * 16 + value not in world.facts)
    spread = rows["part spread evenly"]["spread"]
    assert 0 < spread == statements.best_spread([own[said] for said in world.corpus[150:].tolist()], 256)
    assert rows["sampled"]["false"] == pytest.approx(false, abs=1e-5)
    assert rows["part spread evenly"]["false"] == pytest.approx(
        (1 - spread) * false + spread * (1 - 64 / 256), abs=1e-5
    )
    assert rows["repeats the corpus"]["false"] == pytest.approx(0.0, abs=1e-9)
    assert rows["repeats the corpus"]["miscalibration"] >= world.untold() / 2
    assert {row["once"] for row in rows.values()} == {world.seen_once()}


def made_up(false, off):
    """Rows of the sparse world: two worlds near the given share and miscalibration, and a learner that repeats."""
    told = [("part spread evenly", false, off), ("sampled", 0.02, 0.3), ("repeats the corpus", 0.0, 0.29)]
    return [
        {"part": "statements", "learner": name, "seed": seed, "false": f + 1e-4 * seed, "miscalibration": m}
        | {"once": 0.3, "untold": 0.3, "spread": 0.0, "mentions": 2**14}
        for name, f, m in told
        for seed in range(3)
    ]


@pytest.mark.parametrize(
    ("false", "off", "standing"),
    [
        (0.29, 0.1, Standing.CLEAR_OF_BOUND),
        (0.05, 0.1, Standing.BEYOND_BOUND),
        (0.0994, 0.1, Standing.AT_BOUND),
        (0.05, 0.25, Standing.VACUOUS),
    ],
)
def test_a_generator_is_set_beside_its_floor(false, off, standing):
    experiment, rows = monofacts.Monofacts(), made_up(false, off)
    finding = experiment._calibrated(rows, "part spread evenly", Scale())
    assert finding.standing is standing and finding.claim.statement.id == "HALL-6"
    luck = math.sqrt(6 * math.log(120) / 2**14)
    floor = 0.3 - off - 3 * 2**14 / (2**24 - 2**14) / 0.05 - luck
    assert finding.claim.value == pytest.approx(max(floor, 0.0), abs=1e-9)
    above = sum(row["false"] >= floor for row in where(rows, learner="part spread evenly"))
    assert f"{above} of 3 worlds" in finding.says and "repeats the corpus 0.0%" in finding.says
    assert "part spread evenly" not in finding.says.split("Beside it")[1]
    assert experiment._calibrated(rows, "sampled", Scale()).standing is Standing.VACUOUS
