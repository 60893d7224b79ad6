"""Pointer chasing: the task against brute force, the three ways of asking against an oracle, conclusions from rows."""

import numpy as np
import pytest
import torch

from hardlimit.core import Resource, Standing, Verdict
from hardlimit.lab.experiment import Scale, where
from hardlimit.lab.experiments import hops
from hardlimit.lab.tasks import generator

pytestmark = pytest.mark.local

TASK = hops.Pointers(7, 3)
SCALE = Scale(extent="full", seeds=3)


def follow(tokens, question):
    """Where a question leads, by walking the pointers that its sequence tells; the hops, and the answer's token."""
    leads = {int(pair) // 7: int(pair) % 7 for pair in tokens[:7]}
    assert len(leads) == 7 and all(0 <= pair < 49 for pair in tokens[:7])
    count, place = (int(question) - 49) // 7 + 1, (int(question) - 49) % 7
    for _ in range(count):
        place = leads[place]
    return count, 49 + place


def test_every_question_is_asked_once_in_order_of_hops_and_answered_by_walking():
    batch = TASK.draw(generator(3, 1), 20, 0.0)
    assert batch.tokens.shape == (20, 7 + 1 + 21) and batch.tokens.max() == TASK.vocabulary - 1
    for tokens, rows, answers in zip(batch.tokens, batch.rows, batch.answers, strict=True):
        assert rows.tolist() == list(range(7, 29)) and sorted(tokens[8:]) == list(range(49, 70))
        walked = [follow(tokens, tokens[row]) for row in rows]
        assert [count for count, _ in walked[1:]] == [1] * 7 + [2] * 7 + [3] * 7
        assert [answer for _, answer in walked] == answers.tolist()
    orders = {tuple(tokens[part]) for tokens in batch.tokens for part in (slice(7), slice(8, 15))}
    assert len({follow(tokens, tokens[7])[0] for tokens in batch.tokens}) == 3
    told = batch.tokens[:, :7]
    assert (told[:, :-1] % 7 == told[:, 1:] // 7).mean() < 0.5  # 1 in 6 by chance; all of them, told in walking order.
    assert len(orders) > 35  # Told pointers and questions are in an order of their own in every sequence.


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_a_walk_has_one_question_and_every_stop(asked):
    batch = TASK.walks(generator(4, 1), 20, asked)
    for tokens, rows, stops in zip(batch.tokens, batch.rows, batch.answers, strict=True):
        assert tokens.size == 8 and rows.tolist() == [7]
        assert follow(tokens, tokens[7]) == (asked, stops[asked - 1])
        assert [follow(tokens, token)[1] for token in stops[:-1]] == stops[1:].tolist()


class Oracle:
    """A model that answers questions of up to `reach` hops right, and others with where they start.

    Args:
        reach: hops.
        lonely: whether it answers a question that nobody else asks.
    """

    seeds, device = (0, 1), "cpu"

    def __init__(self, reach, lonely=True):
        self.reach, self.lonely, self.lengths = reach, lonely, []

    def answer(self, tokens, question):
        count, end = follow(tokens, question)
        return end if count <= self.reach else 49 + (int(question) - 49) % 7

    def __call__(self, tokens, rows, segments=None, places=None):
        self.lengths.append(tokens.shape[-1])
        logits = torch.zeros(*rows.shape, TASK.vocabulary)
        for place in np.ndindex(*rows.shape):
            sequence = tokens[place[:2]]
            answer = self.answer(sequence, sequence[rows[place]]) if self.lonely or len(sequence) > 8 else 0
            logits[(*place, answer)] = 1.0
        return logits

    def generate(self, tokens, steps):
        out = tokens
        for step in range(steps):
            last = [[self.answer(t, t[-1]) if step < self.reach else 0 for t in member] for member in out]
            out = torch.cat([out, torch.tensor(last)[..., None]], dim=-1)
        return out[..., tokens.shape[-1] :]


def test_each_way_of_asking_counts_what_an_oracle_gets_right():
    """No pointer leads to its own start in fewer than seven hops, so an answer beyond its reach is wrong."""
    for reach in (1, 2, 3):
        expected = np.arange(1, 4) <= reach
        for read, answers in ((hops.asked_together, 9 * 7), (hops.asked_alone, 9), (hops.written, 9)):
            right = read(Oracle(reach), TASK, 9)
            assert right.shape == (2, 3, answers) and (right == expected[None, :, None]).all(), read
    shy = Oracle(3, lonely=False)
    assert not hops.asked_alone(shy, TASK, 4).any() and set(shy.lengths) == {8}
    assert hops.asked_together(shy, TASK, 4).all()


def made_rows(together, alone=None, written=(3, 3, 3, 3, 3, 3), seeds=SCALE.members):
    """Rows of models that solve so many hops at each depth, for sure, and guess beyond."""
    ways = {"together": together, "alone": together if alone is None else alone, "written": written}
    return [
        {"depth": depth, "way": way, "hops": k, "seed": seed, "right": 600 if k <= reach else 100, "n": 600}
        for way, reaches in ways.items()
        for depth, reach in enumerate(reaches, start=1)
        for k in (1, 2, 3)
        for seed in seeds
    ]


def test_solving_what_the_construction_reaches_agrees_and_twice_as_much_does_not():
    conclusion = hops.Hops().conclude(made_rows((1, 3, 3, 3, 2, 3)), SCALE)
    depth = [f for f in conclusion.findings if f.claim.statement.id == "REAS-3"]
    assert [f.standing for f in depth] == [Standing.AGREES] + [Standing.UNDETERMINED] * 5
    assert [f.claim.value for f in depth] == [0, 1, 3, 7, 15, 31]
    assert [f.measurement.estimate.value for f in depth] == [1, 3, 3, 3, 2, 3]
    assert "(asked up to 3)" in depth[1].says and "asked up to" not in depth[0].says
    for rows in (made_rows((2, 3, 3, 3, 3, 3)), made_rows((1, 1, 1, 1, 1, 1), alone=(2, 3, 3, 3, 3, 3))):
        found = hops.Hops().conclude(rows, SCALE).findings
        assert [f.standing for f in found[:3]] == [Standing.DISAGREES] + [Standing.UNDETERMINED] * 2


def test_a_depth_that_is_asked_for_twice_its_hops_is_decided(monkeypatch):
    monkeypatch.setattr(hops.Hops, "_task", staticmethod(lambda scale: (8, 4)))
    for reach, standing in ((3, Standing.AGREES), (4, Standing.DISAGREES)):
        rows = [{"depth": 2, "way": w, "seed": s, "solved": reach} for w in hops.WAYS for s in (0, 1)]
        assert hops.Hops()._depth(rows, SCALE).standing is standing


def test_depth_and_written_steps_help_where_they_add_a_hop():
    for together, written, depth, steps in (
        ((1, 2, 3, 3, 3, 2), (3,) * 6, Verdict.HELPS, Verdict.HELPS),
        ((1, 1, 1, 1, 1, 1), (1,) * 6, Verdict.UNDETERMINED, Verdict.UNDETERMINED),
        ((1, 1, 1, 1, 1, 1), (1, 3, 3, 3, 3, 3), Verdict.UNDETERMINED, Verdict.UNDETERMINED),
    ):
        conclusion = hops.Hops().conclude(made_rows(together, written=written), SCALE)
        assert {v.resource: v.verdict for v in conclusion.verdicts} == {
            Resource.DEPTH: depth,
            Resource.INFERENCE_STEPS: steps,
        }
    rows = made_rows((1, 2, 3, 3, 3, 2), alone=(1,) * 6)
    conclusion = hops.Hops().conclude(rows, SCALE)
    assert conclusion.verdicts[0].because == (
        "3 blocks at once, the most that any depth solves, solve 3.0 hops where one block at once solves 1.0."
    )
    assert "1: 1.0, 2: 2.0, 3: 3.0" in conclusion.headline and "alone: 1: 1.0, 2: 1.0" in conclusion.headline
    named = {m.name.rsplit(".", 1)[1]: m for m in conclusion.measurements}
    assert set(named) == {"accuracy", "accuracy_alone", "accuracy_written", "solved"}
    for name, way in (("accuracy", "together"), ("accuracy_alone", "alone"), ("accuracy_written", "written")):
        for point in named[name].points:
            there = where(rows, way=way, depth=int(str(point.at["model"])[0]), hops=point.at["hops"])
            assert point.tally.right == sum(row["right"] for row in there) and point.tally.n == 1800


def test_the_bits_of_one_block_are_set_beside_its_error_at_two_hops(monkeypatch):
    rows = made_rows((1, 2, 3, 3, 3, 3), alone=(3,) * 6)
    finding = hops.Hops().conclude(rows, SCALE).findings[-1]
    assert finding.claim.statement.id == "REAS-2" and finding.standing is Standing.VACUOUS
    assert finding.measurement.estimate.value == pytest.approx(5 / 6)
    assert "2·33·32 = 2,112 bits, and 6 pointers need 16: the bound forbids nothing" in finding.says
    monkeypatch.setattr(hops, "WIDTH", 2)
    monkeypatch.setattr(hops, "PRECISION", 1)
    finding = hops.Hops().conclude(rows, SCALE).findings[-1]
    assert finding.standing is Standing.CLEAR_OF_BOUND and 0 < finding.claim.value < 5 / 6
    assert "2·2·1 = 4 bits of the 16 that 6 pointers need" in finding.says
    finding = hops.Hops().conclude(made_rows((2,) * 6, seeds=range(12)), Scale(seeds=12)).findings[-1]
    assert finding.standing is Standing.BEYOND_BOUND


def test_solved_hops_stop_at_the_first_that_is_not():
    rows = [{"hops": k, "right": right, "n": 1000} for k, right in ((2, 913), (1, 1000), (3, 912), (4, 1000))]
    assert hops.solved_hops(rows, 8) == 2  # 90 % beyond chance of 1 in 8 is 91.25 %.
