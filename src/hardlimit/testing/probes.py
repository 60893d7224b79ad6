"""The contract of probes: reproducible cases, honest grades, controls that can fail."""

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import hardlimit.core
from hardlimit.core import Case, Generated, Grade, Limit, Quantity, Score, Scored, See, Value
from hardlimit.models import Studies
from hardlimit.models.toy import Abstaining, FiniteMemory, Flaky, Guessing, Perfect, Sighted
from hardlimit.probes.protocol import Probe
from hardlimit.testing.contract import HOSTILE, ContractError, expect, expect_round_trip

_NAME = re.compile(r"[a-z_]+(\.[a-z_]+)+")
_ABSTENTIONS = ("I don't know.", "I'm not sure.", "I do not have enough information to answer that question.")
_CHANCE = 1e-6


def check_probe(probe: Probe, *, seed: int = 0, n: int = 24, harder: Sequence[Probe] = ()) -> None:
    """Check that a probe keeps its contract, asking toys only.

    Args:
        probe: any probe, at a setting that makes small cases.
        seed: of the cases.
        n: cases to make, >= 8; more finds more.
        harder: the same probe at settings far beyond the default, to show that its difficulty has no end.

    Raises:
        ContractError: what is broken, and what was seen.
    """
    expect(isinstance(probe, Probe), f"{type(probe).__name__} lacks a part of the Probe protocol.")
    who = probe.name
    _check_identity(who, probe)
    cases = _cases(who, probe, seed, n)
    _check_fresh(who, probe, cases, seed)
    _check_grading(who, probe, cases)
    _check_toys(who, probe, cases)
    for control in ("trivial", "impossible"):
        expect(control in probe.controls(), f"{who}: controls() has no '{control}' setting.")
    _check_trivial(who, probe.controls()["trivial"], seed, n)
    _check_impossible(who, probe.controls()["impossible"], seed, n)
    for other in harder:
        expect(type(other) is type(probe), f"{who}: `harder` holds a {type(other).__name__}, not the same probe.")
        _check_grading(who, other, _cases(who, other, seed, 8))


def _check_identity(who: str, probe: Probe) -> None:
    expect(bool(_NAME.fullmatch(who)), f"{who}: a probe's name looks like 'context.needle', got {who!r}.")
    expect(probe.version >= 1, f"{who}: version must be >= 1, got {probe.version}.")
    expect(isinstance(probe.limit, Limit), f"{who}: limit must be a Limit, got {probe.limit!r}.")
    expect(isinstance(probe.quantity, Quantity), f"{who}: quantity must be a Quantity, got {probe.quantity!r}.")
    expect(isinstance(probe, Value), f"{who}: a probe must be a frozen Value, got {type(probe).__name__}.")
    if isinstance(probe, Value):
        expect_round_trip(who, probe)
        try:
            rebuilt = eval(repr(probe), _namespace(probe))
        except Exception as error:
            raise ContractError(f"{who}: its repr {probe!r} cannot be evaluated: {error}") from error
        expect(rebuilt == probe, f"{who}: its repr rebuilds another probe: {rebuilt!r}")


def _namespace(value: Value) -> dict[str, object]:
    """The names that a probe's repr may use: its own module's, those of its parts, and the core's."""
    names: dict[str, object] = dict(vars(hardlimit.core))
    names.update(vars(sys.modules[type(value).__module__]))
    names[type(value).__name__] = type(value)
    for field in value.__struct_fields__:
        part = getattr(value, field)
        for item in part if isinstance(part, tuple) else (part,):
            if isinstance(item, Value):
                names.update(_namespace(item))
    return names


def _cases(who: str, probe: Probe, seed: int, n: int) -> Sequence[Case]:
    cases = probe.cases(seed=seed, n=n)
    expect(len(cases) == n, f"{who}: cases(n={n}) gives {len(cases)} cases.")
    ids = [case.id for case in cases]
    expect(len(set(ids)) == n, f"{who}: case ids repeat: {sorted({i for i in ids if ids.count(i) > 1})[:3]}")
    for case in cases:
        expect(bool(case.id), f"{who}: a case has an empty id.")
        expect_round_trip(f"{who}, case {case.id}", case)
        overlap = set(case.gold) & set(case.lures)
        expect(not overlap, f"{who}, case {case.id}: {sorted(overlap)} are both gold and lures.")
    return cases


def _check_fresh(who: str, probe: Probe, cases: Sequence[Case], seed: int) -> None:
    again = probe.cases(seed=seed, n=len(cases))
    expect(list(again) == list(cases), f"{who}: the same seed {seed} makes other cases the second time.")
    fresh = probe.cases(seed=seed + 1, n=len(cases))
    same = [case.ask for case in fresh] == [case.ask for case in cases]
    expect(not same, f"{who}: seeds {seed} and {seed + 1} make the same cases.")


def _said(text: str) -> Generated:
    return Generated(text=text, finish="stop")


def _grade(who: str, probe: Probe, case: Case, reply: Generated | Scored) -> Grade:
    seen = reply.text[:40] if isinstance(reply, Generated) else reply
    grade: Any
    answer: Any
    try:
        grade, answer = probe.grade(case, reply)
    except Exception as error:
        raise ContractError(
            f"{who}, case {case.id}: grading {seen!r} raises {type(error).__name__}: {error}"
        ) from error
    fine = isinstance(grade, Grade) and isinstance(answer, str | None)
    expect(fine, f"{who}, case {case.id}: grade must give (Grade, str or None), got {(grade, answer)!r}.")
    return Grade(grade)


def _expect_grade(
    who: str, probe: Probe, case: Case, reply: Generated | Scored, wanted: Iterable[Grade], what: str
) -> None:
    allowed = list(wanted)
    grade = _grade(who, probe, case, reply)
    names = " or ".join(allowed)
    expect(grade in allowed, f"{who}, case {case.id}: {what} must be graded {names}, got {grade}.")


def _check_grading(who: str, probe: Probe, cases: Sequence[Case]) -> None:
    for case in cases:
        if isinstance(case.ask, Score):
            failed = Scored(token_logprobs=(), greedy=False, error="no score")
            _expect_grade(who, probe, case, failed, [Grade.FAILED], "a score with an error")
            continue
        for gold in case.gold:
            for text in (gold, f"The answer is {gold}."):
                _expect_grade(who, probe, case, _said(text), [Grade.RIGHT], f"the right answer {text!r}")
        for lure in case.lures[:5]:
            _expect_grade(who, probe, case, _said(f"The answer is {lure}."), [Grade.WRONG], f"the lure {lure!r}")
        declined = Grade.ABSTAINED if case.gold else Grade.RIGHT
        for text in _ABSTENTIONS:
            _expect_grade(who, probe, case, _said(text), [declined], f"the abstention {text!r}")
        _check_artefacts(who, probe, case)


def _check_artefacts(who: str, probe: Probe, case: Case) -> None:
    good = case.gold[0] if case.gold else "Zolbrin"
    for text in ("", " \n\t"):
        _expect_grade(who, probe, case, _said(text), [Grade.MALFORMED], f"the empty answer {text!r}")
    cut = Generated(text="The answer", finish="length")
    _expect_grade(who, probe, case, cut, [Grade.TRUNCATED], "an answer cut off before it answers")
    refused = Generated(text="", finish="refused")
    _expect_grade(who, probe, case, refused, [Grade.REFUSED], "an answer that a server's filter refused")
    for text in ("", good):
        failed = Generated(text=text, finish="error", error="connection dropped")
        _expect_grade(who, probe, case, failed, [Grade.FAILED], f"a failed request with the text {text!r}")
    for text in HOSTILE:
        grade = _grade(who, probe, case, _said(text))
        lucky = grade is Grade.RIGHT and bool(case.gold) and not any(gold in text for gold in case.gold)
        expect(not lucky, f"{who}, case {case.id}: {text[:40]!r} is graded right.")


def _grades(who: str, probe: Probe, cases: Sequence[Case], toy: Studies) -> list[Grade]:
    """Let a toy answer the cases, each by the method its request needs, and grade the answers."""
    toy.study(cases)
    found = []
    for case in cases:
        method = {Score: "score", See: "see"}.get(type(case.ask), "generate")
        ((_, reply),) = getattr(toy, method)([case.ask])
        found.append(_grade(who, probe, case, reply))
    return found


def _perfect(cases: Sequence[Case]) -> Studies:
    return Sighted() if any(isinstance(case.ask, See) for case in cases) else Perfect()


def _check_toys(who: str, probe: Probe, cases: Sequence[Case]) -> None:
    perfect = _grades(who, probe, cases, _perfect(cases))
    expect(set(perfect) == {Grade.RIGHT}, f"{who}: a perfect toy is graded {_counts(perfect)}.")
    if any(isinstance(case.ask, See) for case in cases):
        return
    guessing = _grades(who, probe, cases, Guessing())
    expect(set(guessing) != {Grade.RIGHT}, f"{who}: a guessing toy is always right.")
    failing = _grades(who, probe, cases, Flaky(fail_rate=1.0, malformed_rate=0.0, truncate_rate=0.0))
    expect(set(failing) == {Grade.FAILED}, f"{who}: a toy that always fails is graded {_counts(failing)}.")
    if not any(isinstance(case.ask, Score) for case in cases):
        declined = _grades(who, probe, cases, Abstaining())
        expect(Grade.WRONG not in declined, f"{who}: a toy that always abstains is graded {_counts(declined)}.")


def _counts(grades: Sequence[Grade]) -> str:
    return ", ".join(f"{grades.count(grade)} {grade}" for grade in Grade if grade in grades)


def _check_trivial(who: str, trivial: Probe, seed: int, n: int) -> None:
    cases = _cases(f"{who} (trivial)", trivial, seed, n)
    perfect = _grades(who, trivial, cases, _perfect(cases))
    expect(set(perfect) == {Grade.RIGHT}, f"{who}: a perfect toy fails the trivial control: {_counts(perfect)}.")
    if not any(isinstance(case.ask, See) for case in cases):
        guessing = _grades(who, trivial, cases, Guessing())
        expect(set(guessing) != {Grade.RIGHT}, f"{who}: a guessing toy passes the trivial control.")


def _check_impossible(who: str, impossible: Probe, seed: int, n: int) -> None:
    """A toy that knows only the prompt must be no better than chance in the impossible setting.

    Where the prompt names every option (`answer True or False`), that the right one is among them tells nothing.
    """
    cases = _cases(f"{who} (impossible)", impossible, seed, n)
    if any(isinstance(case.ask, See) for case in cases):
        return
    reader = FiniteMemory(tokens=10**9, otherwise="guess")
    right = _grades(who, impossible, cases, reader).count(Grade.RIGHT)
    chances = [1.0 if _names_every_option(case) else Guessing().ability(case) for case in cases]
    expect(
        _at_least(right, chances) > _CHANCE,
        f"{who}: in the impossible control a toy that reads only the prompt is right in {right} of {n} cases, where "
        f"guessing gives {sum(chances):.1f}.",
    )


def _names_every_option(case: Case) -> bool:
    prompt = "\n".join(message.content for message in case.ask.messages)
    return bool(case.lures) and all(option in prompt for option in (*case.gold, *case.lures))


def _at_least(count: int, chances: Sequence[float]) -> float:
    """Probability of `count` or more successes in independent trials with these chances.

    >>> _at_least(2, [0.5, 0.5])
    0.25
    """
    distribution = np.ones(1)
    for chance in chances:
        distribution = np.convolve(distribution, [1 - chance, chance])
    return float(distribution[count:].sum())
