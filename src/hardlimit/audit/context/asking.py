"""What the study of context asks: controls, a pilot, an adaptive search for effective context, rivals, attention."""

from dataclasses import dataclass, field

import msgspec

from hardlimit.audit.desk import Desk
from hardlimit.core import Answered, Control, Grade
from hardlimit.models import Attends, Model
from hardlimit.probes.context import Needle, Reading, Sequencer, attend_requests, measure
from hardlimit.probes.context.needle import Variant
from hardlimit.stats.threshold import Search

SHORTEST = 256
"""Tokens of the short context whose accuracy is the base."""

RESERVE = 192
"""Tokens kept free for the instruction, the question, the chat template and the answer."""

LONGEST = 131_072
ASSUMED_WINDOW = 8_192
"""Where a server does not tell its window."""

NEEDLES = (8, 1)
"""Needles per haystack: many where the model can tell them apart, else one, as in the published protocols."""

ENOUGH = 0.6
LEAST_BASE = 0.5
READ_AT = tuple(2**power for power in range(8, 18))
HAYSTACKS_READ = 4
NEEDLES_READ = 2
_PILOT = 100
_RIVALS = 101
_READ = 102
"""Seeds of the parts lie apart, so that no haystack serves twice."""


@dataclass
class Trials:
    """What was asked and answered."""

    probe: Needle
    search: Search
    searched: list[Answered] = field(default_factory=list)
    beside: list[Answered] = field(default_factory=list)
    rivals: list[Answered] = field(default_factory=list)
    controls: tuple[Control, ...] = ()
    readings: list[Reading] = field(default_factory=list)
    pilot: dict[str, list[Answered]] = field(default_factory=dict)
    settled: bool = False

    @property
    def answered(self) -> list[Answered]:
        """Every answer about a needle in a story, the searched variant first."""
        return [*self.searched, *self.beside, *self.rivals]


def longest(model: Model) -> int:
    """The longest story that fits into the model's window, tokens; at most 131,072."""
    return min((model.card.window or ASSUMED_WINDOW) - RESERVE, LONGEST)


def ask(desk: Desk, seed: int) -> Trials:
    """Ask everything, as far as the budget allows; the search gets the largest part."""
    trials = _pilot(desk, seed)
    _controls(desk.share(0.15), trials, seed)
    _search(desk.share(0.65), trials, seed)
    _rivals(desk.share(0.3), trials, seed)
    if isinstance(desk.model, Attends):
        _read(desk, trials, seed)
    return trials


def _pilot(desk: Desk, seed: int) -> Trials:
    """Choose the needles per haystack and the variant at the shortest length; its answers serve nothing else."""
    count = desk.model.count_tokens
    search = Search(shortest=SHORTEST, longest=longest(desk.model))
    probe = Needle(variant="literal", length=SHORTEST)
    pilot: dict[str, list[Answered]] = {}
    for needles in NEEDLES:
        probe = msgspec.structs.replace(probe, needles=needles)
        twin = msgspec.structs.replace(probe, variant="no overlap")
        haystacks = range(2 * NEEDLES[0] // needles)
        cases = [
            case for index in haystacks for each in (probe, twin) for case in each.haystack(seed + _PILOT, index, count)
        ]
        answered = desk.ask(probe, cases, what="which needles it can find at all")
        pilot = {
            variant: [item for item in answered if item.case.factors["variant"] == variant]
            for variant in ("no overlap", "literal")
        }
        if _share(pilot["literal"]) >= ENOUGH:
            break
    # With one needle there is nobody else to name: who finds a name at all has found the needle.
    chance = probe.chance if probe.needles > 1 else 0.0
    variant: Variant = "no overlap" if _share(pilot["no overlap"]) >= max(LEAST_BASE, 1.5 * chance) else "literal"
    probe = msgspec.structs.replace(probe, variant=variant)
    search = msgspec.structs.replace(
        search, questions=probe.needles, chance=chance, least_base=max(LEAST_BASE / 2, 1.2 * chance)
    )
    return Trials(probe=probe, search=search, pilot=pilot)


def _share(answered: list[Answered]) -> float:
    return sum(item.grade is Grade.RIGHT for item in answered) / len(answered) if answered else 0.0


def _controls(desk: Desk, trials: Trials, seed: int) -> None:
    base = msgspec.structs.replace(trials.probe, length=SHORTEST)
    judged = []
    probes = base.controls()
    for name in ("trivial", "shortcut", "impossible"):
        cases = probes[name].cases(seed=seed + _PILOT, n=16 if name == "trivial" else 8)
        answered = desk.ask(probes[name], cases, what=f"control: {name}")
        if answered:
            judged.append(measure.control(name, answered, trials.search.chance))
    trials.controls = tuple(judged)


def _search(desk: Desk, trials: Trials, seed: int) -> None:
    other: Variant = "literal" if trials.probe.variant == "no overlap" else "no overlap"
    plan = Sequencer(
        trials.probe,
        trials.search,
        seed=seed,
        count=desk.model.count_tokens,
        at_once=2,
        beside=other,
    )
    while (cases := plan.next()) is not None and not desk.meter.exhausted:
        answered = desk.ask(trials.probe, cases, what=f"needles: {trials.probe.variant}, and {other} beside")
        if not answered:
            break
        plan.record(answered)
        trials.searched += [item for item in answered if item.case.factors["variant"] == trials.probe.variant]
        trials.beside += [item for item in answered if item.case.factors["variant"] == other]
    trials.settled = plan.belief().outcome != "open"


def _rivals(desk: Desk, trials: Trials, seed: int) -> None:
    """Ask with a rival for each needle, at the shortest length and four times as long."""
    for length in (SHORTEST, 4 * SHORTEST):
        if length <= trials.search.longest:
            probe = Needle(variant="distractor", length=length, needles=trials.probe.needles)
            cases = [
                case for index in (0, 1) for case in probe.haystack(seed + _RIVALS, index, desk.model.count_tokens)
            ]
            trials.rivals += desk.ask(probe, cases, what="needles with rivals")


def _read(desk: Desk, trials: Trials, seed: int) -> None:
    """Read the attention on needles at one length after another, as long as all haystacks of a length fit."""
    for length in READ_AT:
        if length > trials.search.longest or desk.meter.exhausted:
            return
        probe = Needle(variant="literal", length=length, needles=trials.probe.needles)
        cases = [
            case
            for index in range(HAYSTACKS_READ)
            for case in probe.haystack(seed + _READ, index, desk.model.count_tokens)[-NEEDLES_READ:]
        ]
        replies = desk.read(attend_requests(cases), what=f"attention on the needle at {length:,} tokens")
        got = [
            Reading(case=case, attended=reply) for case, reply in zip(cases, replies, strict=True) if reply is not None
        ]
        if len(got) == len(cases):
            trials.readings += got
