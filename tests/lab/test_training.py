"""The trainer: equal runs give equal weights, a cut run ends where a whole one does, seeds are trained together."""

import os
import signal
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
import torch

from hardlimit.core import InvalidValueError, Silent, StoreError
from hardlimit.lab.tasks import NOTHING, TESTING, TRAINING, Batch, distinct, generator
from hardlimit.lab.training import Training, answered, losses, train
from hardlimit.lab.transformer import Architecture, Family

pytestmark = pytest.mark.local

SHAPE = Architecture(vocabulary=8, layers=1, width=16, positions="none", tied=False)


class Copy(NamedTuple):
    """Say the first token again at the end."""

    length: int = 5

    @property
    def vocabulary(self) -> int:
        return 8

    def draw(self, rng, n, progress):
        given = rng.integers(4, size=(n, self.length))
        given[:, 1:] += 4
        return Batch(given, np.full((n, 1), self.length - 1), given[:, :1])


PLAN = Training(steps=40, batch=16, rate=1e-2)


def trained(seeds, plan=PLAN, **settings):
    family = Family(SHAPE, seeds)
    told = train(family, [Copy()] * len(seeds), plan, **settings)
    return family, told


class StopAt(Silent):
    """Presses Ctrl-C at a step."""

    def __init__(self, step: int) -> None:
        self.left = step

    def answered(self, grade, usage):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def test_equal_seeds_give_equal_weights_and_the_task_is_learned():
    first, told = trained([0, 1])
    again, _ = trained([0, 1])
    assert torch.equal(first.weights, again.weights)
    assert not torch.equal(first.weights[0], first.weights[1])
    assert answered(first, [Copy()] * 2, 64).mean() > 0.9
    assert told.losses[0][0] > 4 * told.losses[-1][0] and told.tokens == 2 * 40 * 16 * 5


def test_members_trained_together_equal_members_trained_alone():
    together, _ = trained([0, 7, 9])
    for member, seed in enumerate((0, 7, 9)):
        alone, _ = trained([seed])
        torch.testing.assert_close(together.weights[member : member + 1], alone.weights, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("step", [1, 16, 23])
def test_a_run_that_is_cut_off_ends_where_a_whole_one_does(tmp_path, step):
    before = signal.getsignal(signal.SIGINT)
    whole, told = trained([0, 1])
    keep = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        trained([0, 1], keep=keep, progress=StopAt(step))
    resumed, rest = trained([0, 1], keep=keep)
    assert rest.resumed_at == step
    assert torch.equal(whole.weights, resumed.weights)
    np.testing.assert_allclose(rest.losses, told.losses, rtol=1e-6)
    assert signal.getsignal(signal.SIGINT) is before
    done, nothing = trained([0, 1], keep=keep)
    assert nothing.tokens == 0 and torch.equal(done.weights, whole.weights)


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(tmp_path):
    keep = tmp_path / "run.pt"
    trained([0], keep=keep)
    with pytest.raises(StoreError, match="is of another run"):
        trained([1], keep=keep)
    keep.write_bytes(b"not a checkpoint")
    with pytest.raises(StoreError, match="cannot be read"):
        trained([0], keep=keep)


def test_training_and_testing_streams_are_apart():
    draws = {
        tuple(generator(seed, stream, place).integers(2**62, size=2))
        for seed in range(4)
        for stream in (TRAINING, TESTING)
        for place in range(4)
    }
    assert len(draws) == 32


def test_a_gradient_is_clipped_member_by_member():
    """A member with a huge gradient must not slow the others down: alone or together, it ends at the same weights."""
    together = Family(SHAPE, [0, 1])
    with torch.no_grad():
        together.weights[1] *= 30
    alone = Family(SHAPE, [0])
    plan = Training(steps=3, batch=8, clip=0.01)
    train(together, [Copy()] * 2, plan)
    train(alone, [Copy()], plan)
    torch.testing.assert_close(together.weights[:1], alone.weights, rtol=1e-3, atol=1e-5)


@torch.no_grad()
def test_answers_that_do_not_count_do_not():
    family = Family(SHAPE, [0])
    tokens = torch.randint(8, (1, 4, 5), generator=torch.Generator().manual_seed(0))
    rows, answers = torch.tensor([1, 4]).expand(1, 4, 2), torch.tensor([3, 2]).repeat(1, 4, 1)
    answers[0, 1:, 1] = NOTHING
    logs = family(tokens, rows).log_softmax(-1)[0]
    wanted = [-float(logs[i, 0, 3]) for i in range(4)] + [-float(logs[0, 1, 2])]
    assert float(losses(family, (tokens, rows, answers, None, None))[0]) == pytest.approx(np.mean(wanted), rel=1e-5)


def test_the_rate_rises_then_falls_and_bad_plans_are_refused():
    rates = [Training(steps=50, warm_up=0.2).rate_at(step) for step in range(50)]
    assert all(a < b for a, b in pairwise(rates[:10])) and all(a > b for a, b in pairwise(rates[10:]))
    for bad in ({"steps": 0}, {"steps": 1, "batch": 0}, {"steps": 1, "rate": 0.0}):
        with pytest.raises(InvalidValueError):
            Training(**bad)
    with pytest.raises(InvalidValueError, match="one task per member"):
        train(Family(SHAPE, [0, 1]), [Copy()], PLAN)


def test_distinct_choices_are_each_equally_likely():
    """12 choices, 6,000 draws: chi-squared with 11 degrees of freedom exceeds 31.3 in one of 1,000 runs."""
    rows = distinct(np.random.default_rng(0), 6000, 2, 4)
    assert (rows[:, 0] != rows[:, 1]).all()
    counts = np.bincount(rows[:, 0] * 4 + rows[:, 1], minlength=16)
    counts = counts[counts > 0]
    assert len(counts) == 12 and ((counts - 500) ** 2 / 500).sum() < 31.3
