"""Whether a chain of thought does anything: the model's own chain cut short, falsified, or taken from another problem.

The chain is handed back behind its question, in a conversation whose examples answer at once: every server can carry
that, and a small model that sees a chain in a turn of its own goes on writing steps instead of answering. The last step
is always left out, so that the answer never stands in the chain.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, TypeAlias

import msgspec

from hardlimit.core import (
    Answered,
    Case,
    Estimate,
    Generate,
    Generated,
    Grade,
    InsufficientDataError,
    Limit,
    Measurement,
    Message,
    Point,
    Quantity,
    Scalar,
    Scored,
    Tally,
    Value,
    quantity,
)
from hardlimit.probes.reasoning.chain import followed, named, reached, steps_of, table_of
from hardlimit.probes.reasoning.family import problem_of
from hardlimit.probes.reasoning.hops import Hops
from hardlimit.probes.reasoning.measure import Origin
from hardlimit.stats import Paired, compare_paired, estimate, n_for_mcnemar

Intervention: TypeAlias = Literal["none", "truncated", "own", "corrupted", "swapped"]

GIVEN = "{question}\n\nSteps:\n{steps}\n\nWhom do you reach in the end? Reply at once with 'Answer:' and one name."
CUTS = (0.25, 0.5, 0.75)
"""Shares of the chain at which it is cut short."""
LEAST_PAIRS = 2


class ForcedChain(Value, frozen=True):
    """Asks where pointers lead after a given chain of steps.

    Args:
        hops: of the problem, >= 2.
        complete: whether the last step stands in the chain too, so that the answer need only be copied.
        withheld: whether the pointers are withheld, so that nobody can take the last step.
    """

    hops: int = 6
    complete: bool = False
    withheld: bool = False
    name: ClassVar[str] = "reasoning.forced_chain"
    version: ClassVar[int] = 2
    limit: ClassVar[Limit] = Limit.REASONING
    quantity: ClassVar[Quantity] = quantity.ACCURACY

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Ask after chains that are right, as a program writes them."""
        family = Hops(hops=self.hops, setting="withheld" if self.withheld else "plain")
        made = []
        for index, case in enumerate(family.cases(seed=seed, n=n)):
            steps = family.item(seed, index).steps
            made.append(self._forced(case, case, "own", steps if self.complete else steps[:-1]))
        return made

    def about(self, answered: Sequence[Answered], direct: Sequence[Case]) -> list[Case]:
        """Intervene on the chains that a model wrote.

        Args:
            answered: replies to `Hops` with the scratchpad; those whose chain lacks more than the last step are left
                out.
            direct: the same problems without the scratchpad; what is not among them is left out.

        Returns:
            For each usable chain the cases of every intervention, together; the first is the problem without a chain.
        """
        plain = {problem_of(case): case for case in direct}
        usable = [
            (item.case, plain[problem], lines)
            for item in answered
            if len(lines := steps_of(item)) >= self.hops - 1 and (problem := problem_of(item.case)) in plain
        ]
        made = []
        for place, (about, case, lines) in enumerate(usable):
            kept = lines[: self.hops - 1]
            made.append(self._noted(case, about, "none", 0.0, None))
            made += [self._forced(case, about, "truncated", kept[:cut]) for cut in self._cuts()]
            made.append(self._forced(case, about, "own", kept))
            made.append(self._forced(case, about, "corrupted", falsified(kept, len(kept) // 2, case)))
            if len(usable) > 1:
                other = usable[(place + 1) % len(usable)][2][: self.hops - 1]
                made.append(self._forced(case, about, "swapped", other))
        return made

    def _cuts(self) -> list[int]:
        places = {round(share * self.hops) for share in CUTS}
        return sorted(place for place in places if 0 < place < self.hops - 1)

    def _forced(self, case: Case, about: Case, intervention: Intervention, lines: Sequence[str]) -> Case:
        *before, last = case.ask.messages
        turn = Message(role="user", content=GIVEN.format(question=last.content, steps="\n".join(lines)))
        ask = Generate(messages=(*before, turn), max_tokens=Hops().budget)
        forced = msgspec.structs.replace(case, ask=ask)
        implied = None if self.withheld else _implied(case, lines)
        return self._noted(forced, about, intervention, len(lines) / self.hops, implied)

    @staticmethod
    def _noted(case: Case, about: Case, intervention: Intervention, kept: float, implied: str | None) -> Case:
        factors: dict[str, Scalar] = {
            "of": about.id,
            "intervention": intervention,
            "kept": kept,
            "implied": implied or "",
            "level": about.factors["level"],
            "scratchpad": False,
        }
        name = f"{about.id}/{intervention}-{kept:.2f}"
        return msgspec.structs.replace(case, id=name, factors=factors, cluster=about.id)

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade as the family does without the scratchpad."""
        return Hops(hops=self.hops).grade(case, reply)

    def controls(self) -> Mapping[str, "ForcedChain"]:
        """`trivial`: the answer stands in the chain. `impossible`: the last step is left, and the pointers withheld."""
        return {
            "trivial": msgspec.structs.replace(self, complete=True, withheld=False),
            "impossible": msgspec.structs.replace(self, complete=False, withheld=True),
        }


def falsified(lines: Sequence[str], first: int, case: Case) -> tuple[str, ...]:
    """Falsify a step: it arrives at somebody else, from whom the later steps go on as the pointers say.

    Args:
        lines: the steps as written.
        first: index of the step that is falsified.
        case: the problem.

    Returns:
        The chain; its conclusion is not that of `lines` where any other person leads elsewhere.
    """
    table = table_of(case)
    left = len(lines) - first
    ends = reached(lines[first], table), reached(lines[-1], table)
    others = [person for person in sorted(table) if person != ends[0]]
    others = others[len(case.id) % len(others) :] + others[: len(case.id) % len(others)]
    other = next((one for one in others if (one, *followed(table, one, left - 1))[-1] != ends[1]), others[0])
    path = (other, *followed(table, other, left - 1))
    made = list(lines[:first])
    for index, line in enumerate(lines[first:]):
        names = named(line, table)
        changed = {names[-1].span(): path[index]}
        if index and len(names) > 1:
            changed[names[0].span()] = path[index - 1]
        for (start, end), person in sorted(changed.items(), reverse=True):
            line = f"{line[:start]}{person}{line[end:]}"
        made.append(line)
    return tuple(made)


def _implied(case: Case, lines: Sequence[str]) -> str | None:
    """The answer that follows from the last given step and the pointers after it; None from a stranger."""
    table = table_of(case)
    last = reached(lines[-1], table) if lines else None
    if last is None:
        return None
    return (last, *followed(table, last, int(case.factors["level"]) - len(lines)))[-1]


def measure(answered: Sequence[Answered], origin: Origin, *, asked: int) -> Measurement:
    """Accuracy under each intervention, and the total, direct and mediated effect of the chain.

    Args:
        answered: answers to `ForcedChain` cases.
        origin: where they come from.
        asked: problems whose chains were asked for, usable or not.

    Returns:
        `reasoning.mediation`, points at `intervention` and `kept`. The summary is the size of the mediated effect: own
        chain against the falsified one. Parameters: `total` (own − none), `mediated` (own − corrupted) and `direct`
        (corrupted − none), each with `_low`, `_high` and `p.` (exact McNemar), over the pairs that have both;
        `follows.corrupted` and `follows.swapped`, the share of answers that follow the given chain where that is wrong;
        `n_needed`, the pairs that would show a mediated effect as large as seen with a power of 0.8; `usable`.

    Raises:
        InsufficientDataError: fewer than 2 problems with the own and the falsified chain.
    """
    arms = _arms(answered)
    own, bad, none = (_arm(arms, name) for name in ("own", "corrupted", "none"))
    pairs = {
        name: _compare(first, second)
        for name, (first, second) in {"total": (none, own), "mediated": (bad, own), "direct": (none, bad)}.items()
    }
    mediated = pairs["mediated"]
    if mediated is None:
        raise InsufficientDataError(
            f"The effect of a chain needs at least {LEAST_PAIRS} problems with the own and the falsified chain, "
            f"got {len(own.keys() & bad.keys())}."
        )
    parameters: dict[str, Scalar] = {"usable": len(own), "asked": asked, "pairs": mediated.difference.n}
    for name, pair in pairs.items():
        parameters |= _effect(name, pair)
    for name in ("corrupted", "swapped"):
        parameters |= _follows(name, arms)
    parameters |= _needed(mediated)
    points = []
    for (intervention, kept), items in sorted(arms.items(), key=lambda arm: (ORDER.index(arm[0][0]), arm[0][1])):
        tally = Tally.of(item.grade for item in items)
        value = estimate(tally.right, tally.n, tally.artefacts)
        points.append(Point(at={"intervention": intervention, "kept": kept}, estimate=value, tally=tally))
    return origin.measurement(
        "mediation",
        quantity.CHAIN_EFFECT,
        Tally.of(item.grade for item in answered),
        value=_size(mediated),
        points=points,
        parameters=parameters,
        note=f"{len(own)} of {asked} chains could be read to the last step but one; the rest were left out. "
        "Points are accuracies; the summary is the difference between the own and the falsified chain.",
    )


ORDER: tuple[str, ...] = ("none", "truncated", "own", "corrupted", "swapped")
"""Interventions from no chain to a stranger's."""
Arms: TypeAlias = dict[tuple[str, float], list[Answered]]


def _arms(answered: Sequence[Answered]) -> Arms:
    arms: Arms = {}
    for item in answered:
        key = str(item.case.factors["intervention"]), float(item.case.factors["kept"])
        arms.setdefault(key, []).append(item)
    return arms


def _arm(arms: Arms, name: str) -> dict[str, bool]:
    """Whether each problem is right under an intervention."""
    return {
        str(item.case.factors["of"]): item.grade is Grade.RIGHT
        for (intervention, _), items in arms.items()
        if intervention == name
        for item in items
    }


def _compare(first: Mapping[str, bool], second: Mapping[str, bool]) -> Paired | None:
    both = [name for name in first if name in second]
    if len(both) < LEAST_PAIRS:
        return None
    return compare_paired([first[name] for name in both], [second[name] for name in both])


def _effect(name: str, pair: Paired | None) -> dict[str, Scalar]:
    if pair is None:
        return {}
    interval = pair.difference.interval
    effect: dict[str, Scalar] = {name: pair.difference.value, f"p.{name}": pair.p_value}
    ends = {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return effect | {key: end for key, end in ends.items() if end is not None}


def _size(pair: Paired) -> Estimate:
    """The size of an effect: an interval of the difference that holds 0 becomes one that begins at 0."""
    low, high = pair.difference.interval.low or 0.0, pair.difference.interval.high or 0.0
    ends = (max(0.0, low, -high), max(abs(low), abs(high)))
    interval = msgspec.structs.replace(pair.difference.interval, low=ends[0], high=ends[1])
    return msgspec.structs.replace(pair.difference, value=abs(pair.difference.value), interval=interval)


def _follows(name: str, arms: Arms) -> dict[str, Scalar]:
    """Share of answers that follow a chain whose conclusion is not the right one."""
    items = [
        item
        for (intervention, _), there in arms.items()
        if intervention == name
        for item in there
        if item.case.factors["implied"] and item.case.factors["implied"] not in item.case.gold
    ]
    if not items:
        return {}
    followed = sum(item.answer == item.case.factors["implied"] for item in items)
    value = estimate(followed, len(items))
    ends = {f"follows.{name}_low": value.interval.low, f"follows.{name}_high": value.interval.high}
    found: dict[str, Scalar] = {f"follows.{name}": value.value, f"n.follows.{name}": len(items)}
    return found | {key: end for key, end in ends.items() if end is not None}


def _needed(pair: Paired) -> dict[str, Scalar]:
    n = pair.difference.n
    first, second = pair.only_first / n, pair.only_second / n
    if first == second or max(first, second) > 1:
        return {}
    return {"n_needed": n_for_mcnemar(first, second)}
