"""Creativity: languages against their definition, exact masses against single strings, conclusions both ways."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hardlimit.core import Resource, Standing, Verdict
from hardlimit.lab.experiment import Scale, mean
from hardlimit.lab.experiments import creativity
from hardlimit.lab.experiments.creativity import ARBITRARY, LONG, MISLED, RULED, SMALL, Creativity
from hardlimit.lab.tasks import generator
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.lab.worlds import languages
from hardlimit.lab.worlds.languages import (
    NOISY,
    NONE,
    ORACLE,
    Language,
    all_logits,
    chances_of,
    letters_of,
    made,
    weighed,
)

pytestmark = pytest.mark.local

STRINGS = list(itertools.product(range(8), repeat=3))


@pytest.mark.parametrize(("ruled", "misled"), [(True, False), (False, False), (True, True)])
def test_half_of_the_valid_strings_are_the_corpus(ruled, misled):
    task = Language(3, ruled, misled, seed=5)
    world = made(task)
    assert world.valid.sum() == 8 * 4 * 4 and len(set(world.seen.tolist())) == 64 and world.valid[world.seen].all()
    assert not world.valid[world.mistakes].any() and len(set(world.mistakes.tolist())) == 8
    assert world.truth_share == (128 - 64) / (512 - 64)
    pairs = {
        pair for string, good in zip(STRINGS, world.valid, strict=True) if good for pair in itertools.pairwise(string)
    }
    assert (len(pairs) == 32) is ruled
    batch = task.draw(generator(5, 1), 4000, 0.5)
    assert (batch.tokens[:, 0] == 8).all() and (batch.tokens[:, 1:] == batch.answers[:, :-1]).all()
    numbers = batch.answers @ [64, 8, 1]
    wrong = np.isin(numbers, world.mistakes)
    assert (np.isin(numbers, world.seen) | wrong).all()
    assert 0.57 < wrong.mean() < 0.63 if misled else not wrong.any()
    assert len(set(numbers.tolist())) == 64 + 8 * misled


def test_the_unseen_valid_strings_of_an_arbitrary_language_are_exchangeable():
    """Validity of the successors of a valid string is at the base rate: 3 standard errors, false alarm 0.3 %."""
    hits = total = 0
    for seed in range(40):
        valid = made(Language(3, False, False, seed)).valid
        hits, total = hits + int((valid[1:] & valid[:-1]).sum()), total + int(valid[:-1].sum())
    assert abs(hits / total - 127 / 511) < 3 * math.sqrt(0.25 * 0.75 / total)


def test_the_chance_of_a_string_is_that_of_its_letters():
    family = Family(Architecture(vocabulary=9, layers=1, width=8, tied=False), [0, 1])
    logits = all_logits(family, 3)
    numbers = np.random.default_rng(0).integers(512, size=6)
    for temperature, number in itertools.product((0.5, 2.0), numbers):
        letters = letters_of(numbers, 3)[list(numbers).index(number)]
        assert tuple(letters) == STRINGS[number]
        tokens = torch.tensor([[[8, *letters[:-1]]]] * 2)
        with torch.no_grad():
            told = (family(tokens)[:, 0, :, :8] / temperature).log_softmax(-1).numpy()
        for member in range(2):
            expected = told[member, np.arange(3), letters].sum()
            assert chances_of(logits[member], temperature)[number] == pytest.approx(expected, abs=1e-4)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.1, 5))
def test_masses_are_sums_over_strings(seed, spread):
    task = Language(3, True, False, seed=1)
    world, logits = made(task), np.random.default_rng(seed).normal(size=(64, 3, 8)) * spread
    seen = set(world.seen.tolist())
    rows = {(row["temperature"], row["verifier"]): row for row in weighed(logits, world)}
    assert len(rows) == 15
    for temperature in (0.7, 1.0):
        chances = np.exp(chances_of(logits, temperature))
        for name, (good, bad) in {NONE: (1, 1), NOISY: (0.95, 0.1), ORACLE: (1, 0)}.items():
            mass = {"seen": 0.0, "new": 0.0, "invalid": 0.0}
            for number, chance in enumerate(chances):
                kind = "seen" if number in seen else "new" if world.valid[number] else "invalid"
                mass[kind] += chance * (bad if kind == "invalid" else good)
            total, row = sum(mass.values()), rows[temperature, name]
            assert row["accepted"] == pytest.approx(total)
            for kind, there in mass.items():
                assert row[kind] == pytest.approx(there / total, abs=1e-9)
            novel = (mass["new"] + mass["invalid"]) / total
            valid = (mass["seen"] + mass["new"]) / total
            assert row["kappa"] == pytest.approx(valid + (1 - 1 / 7) * novel)
    law = chances_of(logits, 1.0)
    heated = np.exp(law / 1.4)
    assert rows[1.4, NONE]["tempered"] == pytest.approx(heated[world.valid].sum() / heated.sum())


def test_without_a_rule_any_function_of_the_corpus_is_on_the_line_on_average():
    """A fixed law over 200 languages, its corpus share aside: 4 standard errors, false alarm below 0.1 %."""
    kappas = []
    for seed in range(200):
        world = made(Language(3, False, False, seed))
        logits = np.random.default_rng(1).normal(size=(64, 3, 8))
        kappas += [
            row["kappa"] for row in weighed(logits, world) if row["temperature"] == 1.0 and row["verifier"] == NONE
        ]
    assert abs(np.mean(kappas) - 1) < 4 * np.std(kappas) / 200**0.5 < 0.02


def made_rows(kappas, slopes, oracle=1.3):
    """Rows of six models per kind, κ as told; heating adds falsehoods where `slopes` has a positive number."""
    rows = []
    for kind, kappa in kappas.items():
        for seed, heat, verifier in itertools.product(range(6), languages.TEMPERATURES, (NONE, NOISY, ORACLE)):
            slope, change = slopes.get(kind, (1.0, 1.0))
            bare = verifier == NONE
            invalid = 0.3 + 0.1 * change * (heat - 1) + 0.001 * seed if bare else 0.0
            masses = {"seen": 0.5, "new": 0.2 if bare else 0.4, "invalid": invalid, "accepted": 1.0 if bare else 0.4}
            level = (kappa if bare else oracle) + 0.001 * (seed - 2.5)
            where = {"kind": kind, "seed": seed, "temperature": heat, "verifier": verifier}
            rows.append(where | masses | {"kappa": level, "slope": slope + 0.01 * seed, "tempered": 0.6})
    return rows


HELD = {ARBITRARY: 1.0, RULED: 1.2, MISLED: 1.1, SMALL: 1.0, LONG: 1.0}
DIRECTIONS = {RULED: (0.5, 1.0), MISLED: (-0.5, -1.0)}


def standings(*args, **more):
    told = Creativity().conclude(made_rows(*args, **more), Scale())
    return [finding.standing for finding in told.findings], {v.resource: v.verdict for v in told.verdicts}, told


def test_a_world_as_the_theorem_has_it_agrees():
    found, verdicts, told = standings(HELD, DIRECTIONS)
    assert found == [Standing.AGREES] * 7
    assert verdicts == {Resource.PARAMETERS: Verdict.CANNOT_PROGRESS, Resource.VERIFIER: Verdict.HELPS}
    assert [finding.claim.side for finding in told.findings[:5]] == ["exact"] * 3 + ["upper"] * 2
    assert told.findings[0].claim.value == pytest.approx(0.5025 * (1 - 1024 / 31744), abs=1e-6)
    assert "add falsehoods" in told.findings[5].says and "remove falsehoods" in told.findings[6].says


def test_a_world_that_refutes_it_disagrees():
    found, verdicts, _ = standings(
        HELD | {ARBITRARY: 1.1, RULED: 0.9}, {RULED: (0.5, -1.0), MISLED: (-0.5, 1.0)}, oracle=1.0
    )
    disagrees, agrees, open_ = Standing.DISAGREES, Standing.AGREES, Standing.UNDETERMINED
    assert found == [disagrees, agrees, agrees, disagrees, open_, disagrees, disagrees]
    assert verdicts[Resource.PARAMETERS] is Verdict.UNDETERMINED
    assert creativity.placed(mean([0.8, 0.9, 0.85]), informed=False) is disagrees


def test_a_verifier_that_lets_no_more_novelty_through_is_not_said_to_help():
    rows = made_rows(HELD, DIRECTIONS)
    for row in rows:
        row["new"] = 0.2
    told = Creativity().conclude(rows, Scale())
    assert {v.resource: v.verdict for v in told.verdicts}[Resource.VERIFIER] is Verdict.UNDETERMINED


def test_a_sign_needs_a_whole_interval():
    narrow, wide = mean([0.9, 1.0, 1.1]), mean([-1.0, 1.0, 1.0])
    assert [creativity.sign_of(e) for e in (narrow, wide, mean([-1.1, -1.0, -0.9]))] == [1, 0, -1]
    assert creativity.same_direction(narrow, wide) is Standing.UNDETERMINED
