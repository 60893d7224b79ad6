"""Every demonstration holds, its control too, and fails when what it stands on is broken."""

import math
from functools import cache

import msgspec
import numpy as np
import pytest

from hardlimit.core import InvalidValueError, UnknownNameError, dumps, loads
from hardlimit.demos import (
    DEMOS,
    Check,
    Demonstration,
    Figure,
    Series,
    Shown,
    collisions,
    contrastive,
    diagonal,
    find_demo,
    halting,
    memory,
    retrieval,
    sampling,
    singletons,
)
from hardlimit.demos import context as context_demos
from hardlimit.theory import CLAIMS
from hardlimit.theory.hallucination import halting_times

NUMBERS = [f"D{i}" for i in range(1, 17) if i != 10]
SLOW = {"halting", "perceptron", "infonce"}


@cache
def ran(name):
    # A seed other than the default one: at four standard deviations a false alarm has a chance below 1 in 1,000.
    return DEMOS[name].run(7)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in DEMOS]
)
def test_holds_with_its_control(name):
    found = ran(name)
    assert [check.asks for check in found.shown.checks if not check.holds] == []
    assert any(check.control for check in found.shown.checks) and found.holds
    assert set(found.claims) <= set(CLAIMS)
    assert all(len(row) == len(found.shown.head) for row in found.shown.rows) and found.shown.rows
    assert loads(dumps(found), Demonstration) == found
    for text in (found.says, found.refuted_by, found.control, found.shown.computed):
        assert text.endswith(".") and len(text) > 20


def test_numbers_and_names():
    assert [DEMOS[name].number for name in DEMOS] == NUMBERS
    assert find_demo(" D7 ").name == "dispersion" and find_demo("Best-Of-K").number == "D11"
    with pytest.raises(UnknownNameError, match=r"^D10, hops by depth, needs trained transformers"):
        find_demo("d10")


def test_equal_seeds_give_equal_numbers():
    demo = DEMOS["memorise"]
    assert demo.run(3) == demo.run(3) and demo.run(3) != demo.run(4)


def test_a_demonstration_needs_a_control():
    figure = Figure(title="t", x="x", y="y", series=())
    shown = Shown(computed="c", checks=(Check(asks="a", holds=True, found="f"),), figure=figure, head=(), rows=())
    with pytest.raises(InvalidValueError, match=r"^paper was run without a check or without its control\.$"):
        DEMOS["paper"].presented(shown)
    with pytest.raises(InvalidValueError, match=r"^seed must be a whole number of at least 0, got -1\.$"):
        DEMOS["paper"].run(-1)
    with pytest.raises(InvalidValueError, match=r"^Series.points of 'a' must be in increasing x, got \[2.0, 1.0\]\.$"):
        Series(label="a", points=((2.0, 0.0), (1.0, 0.0)))


def test_known_values():
    assert ran("diagonal").shown.values["fewest_errors"] == 510
    assert ran("bf16").shown.values == {
        "collapse_length": pytest.approx(1 + math.exp(2) * 511),
        "counting_ends_at": 18,
    }
    assert ran("moment-curve").shown.rows[2][3:] == pytest.approx((1.0, 1.0, 0.925, 0.704), abs=5e-4)
    assert ran("dispersion").shown.values["control_weight"] == pytest.approx(0.8744, abs=5e-5)


def test_every_two_state_machine():
    assert halting.run_every_machine(2) == halting_times(2)
    with pytest.raises(InvalidValueError, match=r"^states must be a whole number in \[1, 3\], got 4\.$"):
        halting.run_every_machine(4)


BROKEN = {
    # what is broken, in which module: (module, name of the part, what stands in its place, demonstration)
    "a lazy count that misses machines": (halting, "halting_times", lambda n: {1: 6912}, "halting"),
    "a bound that is too low": (diagonal, "chance_bound", lambda m, n: 0.5, "diagonal"),
    "a least vote that is the most voted": (
        diagonal, "least_vote_target", lambda a, k: (a.mean(axis=0) > 0.5).astype(int), "diagonal",
    ),
    "a diagonal that agrees with a model": (diagonal, "_diagonal_target", lambda members: members[3], "diagonal"),
    "a rate that counts too many bits": (memory, "symbol_rate", lambda e, q: 16 * (1 - e), "memorise"),
    "a perceptron without Cover's share": (memory, "separable_share", lambda n, p: min(1.0, p / n), "perceptron"),
    "a learner that guesses wrongly twice": (
        singletons, "_calibrated_error", lambda rng, p, told: 2 * float(p[told == 0].sum()), "singletons",
    ),
    "a head that never spreads": (context_demos, "_train_head", lambda rng: 1e6, "dispersion"),
    "an interval that is too narrow": (
        context_demos, "dispersion_interval", lambda n, d: (0 * d, 0 * d + 0.5), "dispersion",
    ),
    "a law without half of the variance": (context_demos, "soft_threshold", lambda n, s: np.log(n) + s**2, "crowding"),
    "a read that rounds too coarsely": (context_demos, "rounded", lambda x, b: np.round(x, 1), "bf16"),
    "an influence that is too small": (context_demos, "influence_bound", lambda n, d: 1 / n, "bf16"),
    "a ceiling that is too low": (sampling, "verifier_ceiling", lambda p, t, f: 0.75, "best-of-k"),
    "a query that asks for others": (
        retrieval, "moment_query", lambda s, n, k: -np.ones(4) / 2, "moment-curve",
    ),
    "a certificate that promises one too many": (
        retrieval, "certified_replacements", lambda a, b: (a - b) // 2, "poisoning",
    ),
    "a law of the wrong dimension": (
        retrieval, "entry_similarity", lambda n, k, d: 0.5, "poisoning",
    ),
    "a cap that is too low": (contrastive, "infonce_cap", lambda k: 0.9 * math.log(k), "infonce"),
    "a ceiling of a better code": (collisions, "bayes_ceiling", lambda joint: 0.45, "collisions"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_part_is_noticed(what, monkeypatch):
    module, part, replacement, name = BROKEN[what]
    if name == "halting":
        monkeypatch.setattr(halting, "run_every_machine", halting_times)
    monkeypatch.setattr(memory, "DRAWS", 60)
    monkeypatch.setattr(contrastive, "CANDIDATES", (4, 16, 1024))
    monkeypatch.setattr(module, part, replacement)
    assert not DEMOS[name].run(0).holds


def test_a_predictor_that_is_right_would_be_seen():
    shown = halting.refutation("mine", answer=True, halts=True)
    assert not shown.checks[0].holds and shown.rows[0][3] == "right"
    with pytest.raises(InvalidValueError, match=r"^A predictor of halting says True, False or None, got 'yes'\.$"):
        halting.refutation("mine", answer="yes", halts=True)


def test_values_are_frozen():
    found = DEMOS["refute"].run()
    with pytest.raises(AttributeError):
        found.seed = 1
    failed = msgspec.structs.replace(
        found, shown=msgspec.structs.replace(found.shown, checks=(Check(asks="a", holds=False, found="f"),))
    )
    assert not failed.holds
