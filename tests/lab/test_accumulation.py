"""Accumulation: the task against a walk by hand, counts against a loop, conclusions from rows in each direction."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hardlimit.core import Resource, Standing, Verdict
from hardlimit.lab.experiment import Scale
from hardlimit.lab.experiments import accumulation
from hardlimit.lab.experiments.accumulation import BLIND, CLEAN, LONG, RECOVERY, Accumulation
from hardlimit.lab.tasks import generator
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.lab.worlds.walks import Walk, moves_of, repaired_at_once, trail, transitions, written
from hardlimit.theory import reasoning as theory

pytestmark = pytest.mark.local


def walk_of(seen=0.3, corrupted=0.25, seed=3):
    return Walk(places=7, moves=4, turns=5, seen=seen, corrupted=corrupted, seed=seed)


@pytest.mark.parametrize("corrupted", [0.0, 0.25])
def test_an_answer_follows_from_the_landmark_or_else_from_what_is_written(corrupted):
    task = walk_of(corrupted=corrupted)
    leads, batch = moves_of(task), task.draw(generator(3, 1), 300, 0.5)
    spoilt = landmarks = 0
    for tokens, rows, answers in zip(*batch[:3], strict=True):
        assert rows.tolist() == [2, 5, 8, 11, 14] and len(tokens) == task.memory == 15
        for row, answer in zip(rows, answers, strict=True):
            written_, seen, move = tokens[row - 2], tokens[row - 1] - 7, tokens[row] - 15
            assert answer == leads[move, written_ if seen == 7 else seen]
            landmarks += seen < 7
            spoilt += seen < 7 and seen != written_
    assert 0.25 < landmarks / 1500 < 0.35
    assert bool(spoilt) is bool(corrupted)


def test_landmarks_tell_the_true_place_however_wrong_the_writing():
    """From the first landmark of a walk its moves lead to every later one."""
    task = walk_of(seen=0.5, corrupted=0.9)
    leads, batch = moves_of(task), task.draw(generator(4, 1), 100, 0.5)
    checked = 0
    for seen, moves in zip(batch.tokens[:, 1::3] - 7, batch.tokens[:, 2::3] - 15, strict=True):
        truth = None
        for landmark, move in zip(seen, moves, strict=True):
            if landmark < 7:
                checked += truth is not None
                assert truth in (None, landmark)
                truth = landmark
            truth = None if truth is None else leads[move, truth]
    assert checked > 100
    wrong = batch.tokens[:, 3::3] != batch.answers[:, :-1]
    assert 0.85 < wrong.mean() < 0.95


def test_moves_permute_and_are_one_world_for_both_trainings():
    clean, spoilt = walk_of(corrupted=0.0), walk_of()
    assert (np.sort(moves_of(clean), axis=1) == np.arange(7)).all()
    assert (moves_of(clean) == moves_of(spoilt)).all()
    for one, other in zip(trail(clean, 9, 5, 1), trail(spoilt, 9, 5, 1), strict=True):
        assert (one == other).all()
    assert (trail(clean, 9, 5, 1).moves != trail(clean, 9, 5, 2).moves).any()


class ByRule(Family):
    """Writes what the rule says from the context it is given, as a family that has learned the task would."""

    def __init__(self, task, trusting):
        super().__init__(Architecture(vocabulary=task.vocabulary, layers=1, width=8), [task.seed])
        self.task, self.trusting, self.longest = task, trusting, 0

    def forward(self, tokens, rows=None, segments=None):
        place, seen, move = tokens[..., -3], tokens[..., -2] - 7, tokens[..., -1] - 15
        self.longest = max(self.longest, tokens.shape[-1])
        assert (rows == tokens.shape[-1] - 1).all() and place.max() < 7
        start = place if self.trusting else torch.where(seen < 7, seen, place)
        then = torch.from_numpy(moves_of(self.task))[move, start]
        return torch.nn.functional.one_hot(then, self.task.vocabulary)[..., None, :] * 1e3


def test_a_walker_by_the_rule_stays_right_and_one_gone_astray_returns_at_the_first_landmark():
    task = walk_of()
    walks = trail(task, 12, 40, 1)
    rule = ByRule(task, trusting=False)
    assert written(rule, [task], [walks], seed=0).all() and rule.longest == task.memory
    assert not written(ByRule(task, trusting=True), [task], [walks], seed=0, astray=True).any()
    lost = written(rule, [task], [walks], seed=0, astray=True)[0]
    assert (lost == np.logical_or.accumulate(walks.seen, axis=1)).all()


@given(arrays(bool, (6, 9)), st.booleans())
def test_transitions_are_counted_one_by_one(right, started):
    counts = [0, 0, 0, 0]
    at_once, fresh = 0, 0
    for chain in right.tolist():
        before = started
        for now in chain:
            counts[0 if before else 2] += before != now
            counts[1 if before else 3] += 1
            before = now
        first = chain.index(False) if False in chain else len(chain)
        if first < len(chain) - 1:
            at_once, fresh = at_once + chain[first + 1], fresh + 1
    assert transitions(right, started_right=started) == tuple(counts)
    assert repaired_at_once(right) == (at_once, fresh)


def made_rows(success, lengths=(32, 64, 128, 256), seeds=6):
    """Rows of models whose rates are exact and whose long chains do as they are told."""
    rows = []
    for training, (error, repair, law) in success.items():
        for seed in range(seeds):
            rates = {"errors": round(error * 10_000), "after_right": 10_000, "noticed": 1, "fresh": 10}
            rates |= {"repairs": round(repair * 10_000), "after_wrong": 10_000}
            rows.append({"training": training, "seed": seed, "part": "rates", **rates})
            for steps in lengths:
                right = round(1000 * law(error, repair, steps)) + 10 * (seed % 3 - 1)
                ends = {"steps": steps, "right": min(max(right, 0), 1000), "n": 1000, "whole": 1}
                rows.append({"training": training, "seed": seed, "part": "length", **ends})
    return rows


def unrepaired(error, repair, steps):
    return (1 - error) ** steps


def two_states(error, repair, steps):
    return theory.markov_chain(error, repair, steps)


AS_TOLD = {
    CLEAN: (0.01, 0.0, unrepaired),
    RECOVERY: (0.015, 0.12, two_states),
    BLIND: (0.012, 0.0, unrepaired),
    LONG: (0.002, 0.0, unrepaired),
}


def concluded(success, **more):
    return Accumulation().conclude(made_rows(success, **more), Scale())


def test_chains_that_follow_the_laws_agree_with_them():
    told = concluded(AS_TOLD)
    assert [finding.standing for finding in told.findings] == [Standing.AGREES] * 5
    assert dict(told.findings[0].claim.points)[64] == pytest.approx(0.99**64)
    assert dict(told.findings[2].claim.points)[256] == pytest.approx(theory.markov_chain(0.015, 0.12, 256))
    verdicts = [(verdict.resource, verdict.verdict) for verdict in told.verdicts]
    assert verdicts == [
        (Resource.INFERENCE_STEPS, Verdict.HURTS),
        (Resource.INFERENCE_STEPS, Verdict.SATURATES),
        (Resource.DATA, Verdict.HELPS),
    ]
    gain = theory.markov_chain(0.015, 0.12, 256) - 0.99**256
    assert f"{100 * gain:+.1f} points" in told.headline


def test_chains_that_break_the_laws_disagree():
    """Repair where none was measured, and none where some was: the laws are refuted, and more steps hurt after both."""
    told = concluded(
        {CLEAN: (0.01, 0.0, lambda e, r, n: two_states(e, 0.1, n)), RECOVERY: (0.015, 0.12, unrepaired)},
        lengths=(32, 64),
    )
    assert [finding.standing for finding in told.findings] == [Standing.DISAGREES] * 3
    assert told.verdicts[1].verdict is Verdict.HURTS and len(told.verdicts) == 2
    assert told.verdicts[0].verdict is Verdict.SATURATES


def test_models_that_differ_too_much_decide_nothing():
    rows = made_rows(AS_TOLD)
    for row in rows:
        if row.get("steps") == 256:
            row["right"] = 20 + 900 * (row["seed"] % 2)
    told = Accumulation().conclude(rows, Scale())
    assert {verdict.verdict for verdict in told.verdicts} == {Verdict.UNDETERMINED}
    assert {finding.standing for finding in told.findings} == {Standing.UNDETERMINED}


def test_a_miss_counts_when_its_whole_interval_is_beyond_the_margin():
    def standing(*misses):
        return accumulation.agreement([accumulation.mean([m - w, m + w, m]) for m, w in misses])

    assert standing((0.0, 0.01), (0.06, 0.01)) is Standing.AGREES
    assert standing((0.0, 0.01), (0.09, 0.01)) is Standing.DISAGREES
    assert standing((-0.09, 0.01), (0.0, 0.1)) is Standing.DISAGREES
    assert standing((0.0, 0.01), (0.0, 0.1)) is Standing.UNDETERMINED


def test_success_is_predicted_from_a_models_own_rates():
    rows = made_rows(AS_TOLD, seeds=2)
    rows[0] |= {"errors": 500}
    found = accumulation.predicted(accumulation.where(rows, part="rates"), CLEAN, 10, repaired=False)
    assert found == pytest.approx([0.95**10, 0.99**10])
    ages = accumulation.ages(accumulation.where(rows, part="rates", training=RECOVERY))
    assert [(row["error"], row["repairs"] / row["after_wrong"]) for row in ages[:2]] == [
        ("just made", 0.1),
        ("old", 0.12),
    ]
