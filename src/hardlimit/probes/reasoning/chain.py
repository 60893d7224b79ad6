"""Chains of steps that can each be checked: pointers followed one by one, each step written on a line of its own."""

import re
from collections.abc import Mapping, Sequence

from hardlimit.core import (
    Answered,
    Case,
    Generated,
    InsufficientDataError,
    Measurement,
    Point,
    Tally,
    quantity,
)
from hardlimit.probes.reasoning import hazard
from hardlimit.probes.reasoning.family import problem_of, unsolvable
from hardlimit.probes.reasoning.measure import Origin
from hardlimit.stats import estimate

_POINTER = re.compile(r"^(\w+) points to (\w+)\.$", re.MULTILINE)
_STEP = re.compile(r"^\W{0,4}(?:step )?(\d{1,3})\s{0,2}[.:)]\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]+")


def table_of(case: Case) -> dict[str, str]:
    """Read whom each person of a problem of `Hops` points to.

    Raises:
        InvalidValueError: the prompt tells no pointers.
    """
    table = dict(_POINTER.findall(problem_of(case)[0]))
    if not table:
        raise unsolvable(case, "it tells no pointers")
    return table


def path_of(case: Case) -> tuple[str, ...]:
    """Follow the pointers of a problem of `Hops`: the person reached after each step.

    Raises:
        InvalidValueError: the prompt is no such problem.

    >>> from hardlimit.probes.reasoning import Hops
    >>> case = Hops(hops=3, scratchpad=True).cases(seed=0, n=1)[0]
    >>> len(path_of(case)), path_of(case)[-1] == case.gold[0]
    (3, True)
    """
    table = table_of(case)
    asked = named(problem_of(case)[1], table)
    if not asked:
        raise unsolvable(case, "it does not tell where to start")
    return followed(table, asked[0][0], int(case.factors["level"]))


def followed(table: Mapping[str, str], start: str, steps: int) -> tuple[str, ...]:
    """Follow pointers from a person.

    >>> followed({"Ann": "Bob", "Bob": "Ann"}, "Ann", 3)
    ('Bob', 'Ann', 'Bob')
    """
    path, at = [], start
    for _ in range(steps):
        at = table[at]
        path.append(at)
    return tuple(path)


def written_steps(text: str, people: Mapping[str, str], steps: int) -> tuple[str, ...]:
    r"""Read the steps that a reply writes out, in order, up to the first one that is missing or names nobody.

    >>> written_steps("1. Ann points to Bob.\n2: Bob, so Ann\nAnswer: Ann", {"Ann": "Bob", "Bob": "Ann"}, 3)
    ('1. Ann points to Bob.', '2: Bob, so Ann')
    """
    found: dict[int, str] = {}
    for match in _STEP.finditer(text):
        if named(match[2], people):
            found.setdefault(int(match[1]), match[0].strip())
    lines: list[str] = []
    while len(lines) < steps and len(lines) + 1 in found:
        lines.append(found[len(lines) + 1])
    return tuple(lines)


def named(text: str, people: Mapping[str, str]) -> list[re.Match[str]]:
    """Find the persons that a text names, in order."""
    return [match for match in _WORD.finditer(text) if match[0] in people]


def reached(line: str, people: Mapping[str, str]) -> str | None:
    """Read whom a written step arrives at: the last person it names.

    >>> reached("1. Ann points to Bob.", {"Ann": "Bob", "Bob": "Ann"})
    'Bob'
    """
    found = named(line, people)
    return found[-1][0] if found else None


def steps_of(item: Answered) -> tuple[str, ...]:
    """The steps that a reply to a problem of `Hops` writes out."""
    if not isinstance(item.reply, Generated):
        return ()
    return written_steps(item.reply.text, table_of(item.case), int(item.case.factors["level"]))


def checked(item: Answered) -> tuple[bool, ...]:
    """Check each written step: whether it arrives where that many pointers lead from the start.

    Returns:
        One entry per step, up to the first that is not written; empty where there is none.
    """
    people = table_of(item.case)
    return tuple(reached(line, people) == at for line, at in zip(steps_of(item), path_of(item.case), strict=False))


def chain_by_length(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Share of chains that are right at each step, and the laws of error accumulation fitted to them.

    Args:
        answered: replies to `Hops` with the scratchpad.
        origin: where they come from.

    Returns:
        `reasoning.chain_by_length`, points at `steps`: the share whose step arrives where it should, steps that
        cannot be read in the denominator (as artefacts). The summary is the last step's. Parameters as
        `hazard.recorded` writes them; they need at least one step that could be read.

    Raises:
        InsufficientDataError: no answers.
    """
    if not answered:
        raise InsufficientDataError("Chains cannot be measured without an answer; ask at least one.")
    seen = [checked(item) for item in answered]
    longest = max(int(item.case.factors["level"]) for item in answered)
    points = []
    for step in range(1, longest + 1):
        there = [chain[step - 1] for chain in seen if len(chain) >= step]
        missing = sum(int(item.case.factors["level"]) >= step for item in answered) - len(there)
        tally = Tally(right=sum(there), wrong=len(there) - sum(there), malformed=missing)
        value = estimate(tally.right, tally.n, missing)
        points.append(Point(at={"steps": step}, estimate=value, tally=tally))
    read = [chain for chain in seen if chain]
    fits = hazard.compare(read) if read else None
    return origin.measurement(
        "chain_by_length",
        quantity.CHAIN_SUCCESS,
        Tally.of(item.grade for item in answered),
        value=points[-1].estimate,
        points=points,
        parameters={
            "chains": len(read),
            "read": sum(map(len, read)) / sum(int(item.case.factors["level"]) for item in answered),
            **(hazard.recorded(fits) if fits else {}),
        },
        note=_note(fits, len(read)),
    )


def _note(fits: Mapping[hazard.Law, hazard.Fit] | None, read: int) -> str:
    if fits is None:
        return "No step of any chain could be read, so no law is fitted."
    best = hazard.chosen(fits)
    words = {
        "constant": "every step fails alike and nothing is repaired",
        "beta": "chains differ in difficulty and nothing is repaired",
        "recovery": "wrong chains are repaired",
    }
    return (
        f"The law that fits {read} chains best: {words[best.law]} (Akaike weight "
        f"{hazard.weights(fits)[best.law]:.2f}). Steps that could not be read say nothing in the fits."
    )
