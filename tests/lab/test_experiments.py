"""Experiments: their tasks against brute force, their readings against definitions, their conclusions from rows."""

import numpy as np
import pytest
import torch

from hardlimit.core import Estimate, Interval, InvalidValueError, Standing
from hardlimit.lab.catalog import EXPERIMENTS
from hardlimit.lab.experiment import Scale, curve, share
from hardlimit.lab.experiments import crowding, dimension
from hardlimit.lab.tasks import generator
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.lab.worlds import needles
from hardlimit.theory import CLAIMS
from hardlimit.theory import context as theory

pytestmark = pytest.mark.local


def drawn(task, n=40, progress=1.0, seed=0):
    return task.draw(generator(seed, 1), n, progress)


def test_every_experiment_says_what_it_confronts_and_has_cells():
    for name, kind in EXPERIMENTS.items():
        for extent in ("smoke", "quick", "full"):
            scale = Scale(extent=extent)
            design, cells = kind().design(scale), kind().cells(scale)
            assert set(design.claims) <= set(CLAIMS) and design.would_refute, name
            assert len({cell.name for cell in cells}) == len(cells) >= 1
    with pytest.raises(InvalidValueError, match="one model has no spread"):
        Scale(seeds=1)


def test_the_needle_is_the_only_pair_with_its_key():
    batch = drawn(needles.Needle(30))
    for tokens, row, answer in zip(batch.tokens, batch.rows, batch.answers, strict=True):
        key = tokens[row[0]] - needles.KEYS * needles.VALUES
        found = [pair % needles.VALUES for pair in tokens[:-1] if pair // needles.VALUES == key]
        assert found == [answer[0]]


def test_the_majority_is_one():
    for closest in (False, True):
        batch = drawn(needles.Majority(9, closest))
        ones = batch.tokens[:, :-1].sum(1)
        assert ((ones > 4) == (batch.answers[:, 0] == 1)).all()
        assert set(ones.tolist()) == {4, 5} if closest else len(set(ones.tolist())) > 4


@torch.no_grad()
def test_a_needle_reading_is_what_its_logits_say():
    shape = Architecture(vocabulary=288, layers=1, width=16, heads=1, kv_heads=1, positions="none", tied=False)
    family = Family(shape, [0, 1])
    reading = needles.read_needle(family, needles.Needle(6), 5)
    task = needles.Needle(6)
    tokens = torch.from_numpy(np.stack([task.draw(generator(s, 2, 6 * 1009), 5, 1.0).tokens for s in (0, 1)]))
    watch = []
    family.hidden(tokens, watch=watch)
    logits = shape.attention.logits(watch[0].queries, watch[0].keys, None)[:, 0, -1].double().numpy().reshape(2, 5, 7)
    key = tokens.numpy()[..., -1:] - 256
    for member in range(2):
        for case in range(5):
            (place,) = np.flatnonzero(tokens.numpy()[member, case, :-1] // 8 == key[member, case])
            rest = np.delete(logits[member, case, :-1], place)
            needle = logits[member, case, place]
            found = {name: float(getattr(reading, name)[member, case, 0]) for name in reading._fields[1:]}
            assert found["margin"] == pytest.approx(needle - np.log(np.exp(rest).sum()), abs=1e-4)
            assert found["gap"] == pytest.approx(needle - rest.mean(), abs=1e-4)
            assert found["spread"] == pytest.approx(rest.std(), abs=1e-4)
            assert found["weight"] == pytest.approx(np.exp(needle) / np.exp(logits[member, case]).sum(), abs=1e-4)


def test_flipping_a_digit_moves_a_read_no_further_than_the_bound():
    family = Family(Architecture(vocabulary=3, layers=1, width=16, heads=1, kv_heads=1, positions="none"), [0, 1])
    for length in (9, 257):
        read = needles.read_pairs(family, needles.Majority(length, closest=True), 6, torch.float32)
        bound = theory.influence_bound(length, float(read.spread.max()))
        assert 0 < read.influence.max() <= bound
        coarse = needles.read_pairs(family, needles.Majority(length, closest=True), 6, torch.bfloat16)
        assert coarse.units.max() < read.units.max() / 1000


def test_the_moment_curve_retrieves_every_pair_and_ties_do_not_count():
    docs, queries = dimension.moment_curve(9, 2, "cpu")
    wanted = torch.tensor(dimension.pairs(9))
    assert dimension.retrieved(docs, queries, wanted).all()
    assert not dimension.retrieved(docs, queries * 0, wanted).any()
    assert not dimension.retrieved(docs[:, [0, 1, 2, 3, 4, 5, 6, 8, 7]], queries, wanted).all()


def test_agreement_needs_an_interval_that_is_near_and_narrow():
    def standing(low, high):
        return crowding.interval_within(Interval(low=low, high=high, level=0.95, method="x"), 1.0, 0.1)

    assert standing(0.95, 1.2) is Standing.AGREES and standing(1.05, 1.3) is Standing.AGREES
    assert standing(1.15, 1.3) is Standing.DISAGREES and standing(0.2, 0.85) is Standing.DISAGREES
    assert standing(0.0, 2.0) is Standing.UNDETERMINED


def test_points_pool_seeds_as_clusters():
    rows = [{"a": a, "seed": s, "right": r, "n": 10} for a, s, r in ((1, 0, 9), (1, 1, 5), (2, 0, 3), (2, 1, 4))]
    points = curve(rows, ["a"])
    assert [(p.at["a"], p.tally.right, p.tally.n) for p in points] == [(1, 14, 20), (2, 7, 20)]
    assert isinstance(points[0].estimate, Estimate) and points[0].estimate == share(rows[:2])
    width = points[0].estimate.interval.high - points[0].estimate.interval.low
    assert width > 0.5  # Two models that differ so much say little, however many cases each was asked.
