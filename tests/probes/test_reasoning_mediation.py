"""Interventions on chains: what is falsified, what follows from it, and the effects that known models show."""

import numpy as np
import pytest

from hardlimit.core import Answered, Case, Generate, Generated, Grade, InsufficientDataError, Message
from hardlimit.probes.reasoning import Hops
from hardlimit.probes.reasoning.chain import followed, path_of, reached, table_of
from hardlimit.probes.reasoning.measure import Origin
from hardlimit.probes.reasoning.mediation import ORDER, ForcedChain, falsified, measure
from hardlimit.testing.probes import check_probe

HOPS = 6
ORIGIN = Origin(probe="Hops()", model="0" * 16, seed=0)


def right_chains(n=16):
    family = Hops(hops=HOPS, scratchpad=True)
    cases = family.cases(seed=1, n=n)
    return [
        Answered(
            case=case,
            reply=Generated(text="\n".join(family.item(1, index).steps), finish="stop"),
            grade=Grade.RIGHT,
        )
        for index, case in enumerate(cases)
    ]


def asked(n=16):
    probe = ForcedChain(hops=HOPS)
    return probe, probe.about(right_chains(n), Hops(hops=HOPS).cases(seed=1, n=n))


def replied(probe, cases, says):
    made = []
    for case in cases:
        reply = Generated(text=f"Answer: {says(case)}", finish="stop")
        grade, answer = probe.grade(case, reply)
        made.append(Answered(case=case, reply=reply, grade=grade, answer=answer))
    return made


def test_a_falsified_chain_is_consistent_but_for_its_first_step():
    for item in right_chains(24):
        lines = tuple(item.reply.text.splitlines())[: HOPS - 1]
        table = table_of(item.case)
        made = falsified(lines, 2, item.case)
        assert made[:2] == lines[:2]
        at = [reached(line, table) for line in made]
        assert at[2] != path_of(item.case)[2]
        assert at[3:] == list(followed(table, at[2], HOPS - 4))
        assert at[-1] != path_of(item.case)[HOPS - 2]
        assert made[3] == f"4. {at[2]} points to {at[3]}."


def test_a_falsified_step_never_leads_back_to_the_same_end():
    """Bob and Ann point to the same person: a chain that goes astray to Bob would end where the own one does."""
    facts = "Ann points to Cid.\nBob points to Cid.\nCid points to Dan.\nDan points to Eve.\nEve points to Ann."
    ask = Generate(
        messages=(Message(role="user", content=f"{facts}\n\nQuestion: From Eve, where?\nGo."),), max_tokens=9
    )
    case = Case(id="abcd", ask=ask, gold=("Dan",), factors={"level": 4})
    lines = ("1. Eve points to Ann.", "2. Ann points to Cid.", "3. Cid points to Dan.")
    made = falsified(lines, 0, case)
    assert made == ("1. Eve points to Cid.", "2. Cid points to Dan.", "3. Dan points to Eve.")


def test_the_cases_withhold_the_answer_and_pair_up():
    _, cases = asked()
    assert len({case.id for case in cases}) == len(cases)
    by_problem = {}
    for case in cases:
        by_problem.setdefault(case.factors["of"], []).append(case)
    assert len(by_problem) == 16
    for there in by_problem.values():
        kinds = [case.factors["intervention"] for case in there]
        assert kinds == ["none", "truncated", "truncated", "truncated", "own", "corrupted", "swapped"]
        assert len({case.gold for case in there}) == 1
        none, *chained = there
        for case in chained:
            assert case.ask.messages[:-1] == none.ask.messages[:-1]
            question, given = case.ask.messages[-1].content.split("\n\nSteps:\n")
            assert question == none.ask.messages[-1].content
            lines = given.split("\n\n")[0].splitlines()
            assert len(lines) == round(case.factors["kept"] * HOPS) <= HOPS - 1
        own = chained[kinds.index("own") - 1]
        assert own.factors["implied"] == own.gold[0]
        corrupted = chained[kinds.index("corrupted") - 1]
        assert corrupted.factors["implied"] not in corrupted.gold


def test_a_model_that_heeds_the_chain_has_a_mediated_effect_and_one_that_ignores_it_has_none():
    probe, cases = asked()

    def ignores(case):
        return case.gold[0] if int(case.factors["of"][-1]) % 2 else case.lures[0]

    def heeds(case):
        return case.factors["implied"] or ignores(case)

    heedful = measure(replied(probe, cases, heeds), ORIGIN, asked=16)
    p = heedful.parameters
    wrong_at_once = 1 - np.mean([ignores(case) in case.gold for case in cases if case.factors["kept"] == 0])
    assert p["mediated"] == 1.0
    assert p["total"] == pytest.approx(wrong_at_once)
    assert p["direct"] == pytest.approx(p["total"] - p["mediated"])
    assert p["p.mediated"] < 0.001
    assert p["mediated_low"] > 0.5
    assert p["follows.corrupted"] == 1.0
    assert heedful.estimate.value == 1.0
    assert [point.at["intervention"] for point in heedful.points] == sorted(
        (point.at["intervention"] for point in heedful.points), key=ORDER.index
    )
    heedless = measure(replied(probe, cases, ignores), ORIGIN, asked=16).parameters
    assert heedless["mediated"] == heedless["total"] == heedless["direct"] == 0.0
    assert heedless["p.mediated"] == 1.0
    assert heedless["mediated_low"] < 0 < heedless["mediated_high"]
    assert "n_needed" not in heedless


def test_power_says_how_many_pairs_an_effect_like_this_one_needs():
    """A chain that is heeded in a quarter of cases: about as many pairs as the exact McNemar test asks for."""
    probe, cases = asked()
    chosen = set(list(dict.fromkeys(case.factors["of"] for case in cases))[:4])

    def sometimes(case):
        return case.factors["implied"] if case.factors["of"] in chosen and case.factors["implied"] else case.gold[0]

    p = measure(replied(probe, cases, sometimes), ORIGIN, asked=16).parameters
    assert p["mediated"] == 0.25
    assert 25 <= p["n_needed"] <= 40
    assert p["p.mediated"] == 0.125


def test_chains_that_cannot_be_read_are_left_out_and_counted():
    chains = right_chains(4)
    silent = Answered(case=chains[0].case, reply=Generated(text="Answer: Ann", finish="stop"), grade=Grade.WRONG)
    probe = ForcedChain(hops=HOPS)
    cases = probe.about([silent, *chains[1:]], Hops(hops=HOPS).cases(seed=1, n=4))
    assert chains[0].case.id not in {case.factors["of"] for case in cases}
    made = measure(replied(probe, cases, lambda case: case.gold[0]), ORIGIN, asked=4)
    assert made.parameters["usable"] == 3
    assert made.note.startswith("3 of 4 chains could be read to the last step but one")
    with pytest.raises(InsufficientDataError, match="needs at least 2 problems with the own and the falsified chain"):
        measure([], ORIGIN, asked=0)


def test_the_trivial_control_gives_the_answer_away():
    probe = ForcedChain(hops=HOPS).controls()["trivial"]
    for case in probe.cases(seed=2, n=4):
        steps = case.ask.messages[-1].content.split("\n\n")[-2]
        assert steps.splitlines()[-1].endswith(f"{case.gold[0]}.")


def test_it_keeps_the_contract_of_probes():
    check_probe(ForcedChain(hops=3), n=8)
