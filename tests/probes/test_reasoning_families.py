"""Families of reasoning problems: the contract, two independent solutions of each, honest knobs, strict grades."""

import itertools
import math
import re

import msgspec
import numpy as np
import pytest

from hardlimit.core import Generated, Grade, InvalidValueError
from hardlimit.models.toy import Guessing, Perfect
from hardlimit.probes.catalog import PROBES
from hardlimit.probes.reasoning import Arithmetic, Composition, Familiar, Hops, Tracking, Zebra, grids, measure
from hardlimit.probes.reasoning.answering import Wanted, final, grade_final
from hardlimit.probes.reasoning.arithmetic import carries_in
from hardlimit.probes.reasoning.grids import Grid, read_clue
from hardlimit.testing import check_probe

from .toys import ask

FAMILIES = (
    Hops(hops=3),
    Composition(entries=3),
    Tracking(moves=3),
    Tracking(moves=3, story="cups", objects=5),
    Tracking(moves=3, story="word", objects=5),
    Arithmetic(digits=4),
    Arithmetic(digits=4, operation="multiplication"),
    Zebra(houses=3, attributes=2),
    Zebra(houses=3, attributes=2, asks="grid"),
)
NAMES = [f"{probe.family}-{index}" for index, probe in enumerate(FAMILIES)]
HARD = {"hops": 40, "composition": 60, "tracking": 80, "arithmetic": 40, "zebra": 505}


def variant(probe, **changes):
    return msgspec.structs.replace(probe, **changes)


@pytest.mark.parametrize("probe", FAMILIES, ids=NAMES)
@pytest.mark.parametrize("scratchpad", [False, True], ids=["direct", "steps"])
def test_families_keep_the_contract(probe, scratchpad):
    check_probe(variant(probe, scratchpad=scratchpad), seed=2, n=16, harder=[probe.at(HARD[probe.family])])


@pytest.mark.parametrize("probe", FAMILIES, ids=NAMES)
def test_every_prompt_alone_determines_its_answer(probe):
    for level in (*probe.levels[:5], HARD[probe.family]):
        for case in probe.at(level).batch(7, 0):
            assert probe.solve(case) == case.gold[0]
            assert case.factors["level"] == level
    for setting in ("blind", "withheld"):
        hidden = variant(probe, setting=setting).batch(7, 0)[0]
        with pytest.raises(InvalidValueError) as caught:
            probe.solve(hidden)
        assert "cannot be solved from its prompt" in str(caught.value)


@pytest.mark.parametrize("probe", FAMILIES, ids=NAMES)
def test_the_same_problem_is_asked_with_and_without_thinking_and_ends_in_its_answer(probe):
    direct, thinks = probe.batch(3, 0), variant(probe, scratchpad=True, max_tokens=999).batch(3, 0)
    assert [case.gold for case in direct] == [case.gold for case in thinks]
    assert {case.ask.max_tokens for case in thinks} == {999}
    assert len({case.cluster for case in direct}) == 1
    assert len({case.ask.messages[:-1] for case in direct}) == 1
    assert direct[0].ask.messages[:-1] != probe.batch(3, 1)[0].ask.messages[:-1]
    item = probe.item(3, 0)
    assert item.gold == direct[0].gold[0]
    # What a worked example shows is graded right, and names every step.
    worked = Generated(text=variant(probe, scratchpad=True).worked(item), finish="stop")
    assert probe.grade(thinks[0], worked) == (Grade.RIGHT, probe.grade(thinks[0], worked)[1])
    assert worked.text.count("\n") == len(item.steps) == thinks[0].factors["steps"]
    if probe.family in ("hops", "composition", "tracking"):
        assert item.results[-1] == item.gold


@pytest.mark.parametrize("probe", FAMILIES, ids=NAMES)
def test_habits_that_need_no_inference_are_right_no_more_often_than_a_guess(probe):
    """False alarms: 1e-4 per habit (normal bound 3.7 sigma), 10 habits in all."""
    hard = probe.at({"tracking": 12}.get(probe.family, probe.level))
    # A digit-by-digit adder is right where nothing carries, and is meant to be.
    hard = variant(hard, carries=2) if probe.family == "arithmetic" else hard
    items = [hard.item(11, index) for index in range(600)]
    for habit in items[0].shortcuts:
        share = np.mean([item.shortcuts[habit] == item.gold for item in items])
        assert share < hard.chance + 3.7 * math.sqrt(max(hard.chance, 0.002) / 600), (habit, share)


def test_a_chain_of_pointers_meets_nobody_twice_and_needs_all_of_them():
    for item in (Hops(hops=9).item(0, index) for index in range(40)):
        target = dict(re.findall(r"(\w+) points to (\w+)\.", item.facts))
        chain = [item.shortcuts["start"], *item.results]
        assert len(set(chain)) == 10
        assert all(target[a] == b for a, b in itertools.pairwise(chain))
        assert set(target.values()) <= set(target)
        assert all(a != b for a, b in target.items())


@pytest.mark.parametrize("carries", [0, 2, 5])
@pytest.mark.parametrize("operation", ["addition", "multiplication"])
def test_the_carry_knob_counts_columns(operation, carries):
    probe = Arithmetic(digits=5, carries=carries, operation=operation)
    counts = []
    for case in probe.cases(seed=0, n=600):
        left, right = (int(number) for number in re.findall(r"(\d+) [+×] (\d+)", case.ask.messages[-1].content)[0])
        assert len(str(left)) == 5
        counts.append(carries_in(left, right, operation))
    assert set(counts) == {carries}


def test_without_carries_a_digitwise_adder_is_right_and_with_them_wrong():
    for carries, right in ((0, True), (3, False)):
        items = [Arithmetic(digits=6, carries=carries).item(0, index) for index in range(30)]
        assert {item.shortcuts["no carries"] == item.gold for item in items} == {right}


@pytest.mark.parametrize(("houses", "attributes"), [(2, 2), (3, 2), (3, 3)])
def test_a_puzzle_has_one_solution_by_brute_force_and_no_clue_to_spare(houses, attributes):
    """SAT against trying every arrangement."""
    orders = list(itertools.permutations(range(houses)))
    for index in range(12):
        rng = np.random.default_rng([index, 5])
        truth = tuple(tuple(int(i) for i in rng.permutation(houses)) for _ in range(attributes))
        clues = Grid(houses, attributes).puzzle(truth, rng)
        fits = [
            grid for grid in itertools.product(orders, repeat=attributes) if all(_holds(clue, grid) for clue in clues)
        ]
        assert fits == [truth]
        for clue in clues:
            rest = [other for other in clues if other is not clue]
            assert len(Grid(houses, attributes).solutions(rest)) == 2


def _holds(clue, grid):
    where = [{item: house for house, item in enumerate(row)} for row in grid]
    a = where[clue.first[0]][clue.first[1]]
    b = clue.house if clue.second is None else where[clue.second[0]][clue.second[1]]
    return {
        "at": a == b,
        "same": a == b,
        "apart": a != b,
        "next left": a + 1 == b,
        "beside": abs(a - b) == 1,
        "left": a < b,
    }[clue.relation]


def test_clues_are_varied_and_read_back_as_they_were_meant():
    relations = []
    for index in range(30):
        facts = Zebra(houses=5, attributes=4).item(1, index).facts
        words = [row.split(", ") for row in re.findall(r"^- \w+: (.+)$", facts, re.MULTILINE)]
        clues = [read_clue(line, words) for line in facts.partition("Clues:\n")[2].splitlines()]
        relations += [clue.relation for clue in clues]
    shares = {relation: relations.count(relation) / len(relations) for relation in set(relations)}
    assert set(shares) == {"at", "same", "apart", "next left", "beside", "left"}
    assert max(shares.values()) < 0.6
    assert read_clue("The weather is fine.", words) is None


def test_where_the_drawn_clues_do_not_suffice_telling_ones_are_added(monkeypatch):
    monkeypatch.setattr(grids, "SHARES", dict.fromkeys(grids.SHARES, 0.0))
    truth = ((2, 0, 1), (0, 1, 2))
    clues = Grid(3, 2).puzzle(truth, np.random.default_rng(0))
    assert Grid(3, 2).solutions(clues) == [truth]
    assert {clue.relation for clue in clues} <= {"at", "same", "next left"}


def test_difficulty_is_the_logarithm_of_the_arrangements():
    assert Zebra(houses=3, attributes=2).difficulty == pytest.approx(math.log10(36))
    assert Zebra(houses=6, attributes=6).difficulty == pytest.approx(17.14, abs=0.01)
    for probe in FAMILIES:
        difficulties = [probe.at(level).difficulty for level in probe.levels]
        assert difficulties == sorted(set(difficulties))


CHAIN = Wanted(gold="Carl", options=("Anna", "Bob"), thinks=True)
WORD = Wanted(gold="Carl", options=("Anna", "Bob"))
SUM = Wanted(gold="1023", kind="number", told="What is 345 + 678?")
ROW = Wanted(gold="Anna tea, Bob milk", kind="row")


@pytest.mark.parametrize(
    ("wanted", "text", "finish", "grade", "answer"),
    [
        (CHAIN, "Anna to Bob.\nBob to Carl.\nAnswer: Carl", "stop", "right", "Carl"),
        (CHAIN, "Anna to Carl.\nAnswer: Bob", "stop", "wrong", "Bob"),
        (CHAIN, "Answer: Bob. Wait.\nSo Bob to Carl.\n**Answer:** Carl", "stop", "right", "Carl"),
        (CHAIN, "Anna to Bob, Bob to Carl.\nAnswer: \\boxed{Carl}", "stop", "right", "Carl"),
        (CHAIN, "Anna to Bob, Bob to Carl. Therefore the answer is Carl.", "stop", "right", "Carl"),
        (CHAIN, "<think>Anna to Bob? Answer: Bob?</think>Answer: Carl", "stop", "right", "Carl"),
        (CHAIN, "<think>Anna to Bob, Bob to Carl", "length", "truncated", None),
        (CHAIN, "Anna to Bob.\nBob to Carl", "length", "truncated", None),
        (CHAIN, "Anna to Bob.\nFrom there on to Carl", "length", "truncated", None),
        (CHAIN, "Anna to Bob.\nAnswer:", "length", "truncated", None),
        (CHAIN, "Anna to Bob.\nAnswer: Carl\nBob was only on the way.", "stop", "right", "Carl"),
        (CHAIN, "Anna to Bob.\nAnswer: Carl\nQuestion: Start at", "length", "right", "Carl"),
        (CHAIN, "Anna to Bob.\nSo it is Carl.", "stop", "right", "Carl"),
        (CHAIN, "Anna to Bob.\nBob leads to Carl.", "stop", "malformed", None),
        (CHAIN, "Anna to Bob.\nAnswer: Zoe", "stop", "wrong", "Zoe"),
        (CHAIN, "Anna to Bob.\nI don't know.", "stop", "abstained", None),
        (CHAIN, "I can't help with that.", "stop", "refused", None),
        (CHAIN, "Answer: Anna or Carl", "stop", "wrong", "Anna or Carl"),
        (WORD, "Carl\n\nAnna points to Bob and Bob to Carl.", "stop", "right", "Carl"),
        (WORD, "Anna points to Bob, and Bob points to Carl.", "stop", "malformed", None),
        (WORD, "Let me have a look at the list of pointers first", "length", "truncated", None),
        (WORD, "Let me have a look at the list of pointers first.", "stop", "malformed", None),
        (SUM, "345 + 678 = 1,023", "stop", "right", "1023"),
        (SUM, "The sum of 345 and 678 is 1023.", "stop", "right", "1023"),
        (SUM, "Answer: 1022", "stop", "wrong", "1022"),
        (SUM, "Answer: 102", "length", "truncated", None),
        (SUM, "Answer: 112", "length", "wrong", "112"),
        (SUM, "Answer: 102", "stop", "wrong", "102"),
        (SUM, "Answer: 345 + 678", "stop", "malformed", None),
        (SUM, "Answer: 345 + 678 = 300 + 723 =", "length", "truncated", None),
        (SUM, "Answer: 345 + 678 = 1,023", "length", "right", "1023"),
        (SUM, "It is 1023 or 1024.", "stop", "malformed", None),
        (SUM, "I do not know.", "stop", "abstained", None),
        (ROW, "Answer: Anna tea, Bob milk", "stop", "right", "Anna, tea, Bob, milk"),
        (ROW, "Answer: Anna: tea; Bob: milk", "stop", "right", "Anna, tea, Bob, milk"),
        (ROW, "Answer: Anna milk, Bob tea", "stop", "wrong", "Anna, milk, Bob, tea"),
        (ROW, "Answer: Anna tea", "stop", "malformed", None),
        (ROW, "Answer: Anna tea", "length", "truncated", None),
    ],
)
def test_a_final_answer_is_told_from_the_thinking_and_from_artefacts(wanted, text, finish, grade, answer):
    assert grade_final(Generated(text=text, finish=finish), wanted) == (Grade(grade), answer)


def test_what_follows_a_marked_answer_does_not_leave_it_unfinished():
    assert final("Answer: 12\nand more", finish="length", thinks=True).finish == "stop"
    assert final("Answer: 12", finish="length", thinks=True).finish == "length"


def test_controls_are_judged_by_their_side_of_chance():
    probe = Hops(hops=2)
    right = ask(Perfect(), probe, probe.cases(seed=0, n=24))
    assert measure.control("trivial", right, probe.chance).passed
    assert not measure.control("impossible", right, probe.chance).passed
    assert not measure.control("trivial", [], probe.chance).passed
    guessed = ask(Guessing(), probe, probe.cases(seed=0, n=24))
    assert not measure.control("trivial", guessed, probe.chance).passed
    assert measure.control("shortcut", guessed, probe.chance).passed
    told = probe.controls()["trivial"].cases(seed=0, n=8)
    assert all(f"known to be {case.gold[0]}.)" in case.ask.messages[-1].content for case in told)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Hops(hops=5, persons=5),
            "Hops needs 1 <= hops < 2000 and persons in [hops + 1, 2000] or None, got hops=5, persons=5.",
        ),
        (
            lambda: Arithmetic(digits=3, carries=4),
            "Arithmetic needs digits in [1, 300] and carries in [0, digits] or None, got digits=3, carries=4.",
        ),
        (lambda: Tracking(moves=0), "Tracking needs moves in [1, 2000], got 0."),
        (
            lambda: Composition(entries=1),
            "Composition needs entries in [2, 1000] and functions in [1, 6], got entries=1, functions=2.",
        ),
        (
            lambda: Zebra(houses=13),
            "Zebra needs houses in [2, 12] and attributes in [1, 7], got houses=13, attributes=2.",
        ),
        (
            lambda: Hops(examples=9),
            "Hops needs examples in [0, 8] and max_tokens >= 1 or None, got examples=9, max_tokens=None.",
        ),
        (lambda: Hops().cases(seed=0, n=0), "Hops.cases needs n >= 1, got 0."),
        (
            lambda: Familiar(forms=()),
            "Familiar.forms must be one or both of familiar and changed, got ().",
        ),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(InvalidValueError) as caught:
        make()
    assert str(caught.value) == message


def test_the_catalog_names_them():
    mine = {"hops", "composition", "tracking", "arithmetic", "zebra", "familiar"}
    assert {name for name in PROBES if name.startswith("reasoning.")} >= {f"reasoning.{name}" for name in mine}
