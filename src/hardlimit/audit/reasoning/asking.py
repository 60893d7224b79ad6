"""What the study of reasoning asks: thresholds, twins of familiar puzzles, token limits, chains, and samples."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from hardlimit.audit.desk import Desk
from hardlimit.core import Answered, Case, Control, Grade, Scalar
from hardlimit.models import Scores
from hardlimit.probes.reasoning import Arithmetic, Composition, Family, Hops, Tracking, measure, sampling, verifying
from hardlimit.probes.reasoning.chain import checked
from hardlimit.probes.reasoning.climbing import Climb
from hardlimit.probes.reasoning.familiar import Familiar
from hardlimit.probes.reasoning.mediation import ForcedChain
from hardlimit.probes.reasoning.threshold import Ladder
from hardlimit.probes.reasoning.zebra import Zebra

TIERS: Final[tuple[tuple[tuple[Family, ...], float], ...]] = (
    ((Arithmetic(), Hops(), Tracking(), Composition()), 0.5),
    (tuple(family(scratchpad=True) for family in (Arithmetic, Hops, Tracking, Composition)), 0.75),
    ((Zebra(), Zebra(scratchpad=True)), 1.0),
)
"""Families that are searched in turn, and the part of what is left that each group may spend."""

LONGEST_REPLY = 1024
"""Levels whose replies may take more tokens are not searched."""

CONTROLLED: Final = Hops()
CONTROLS = 8
PAIRS = (20, 20, 40)
BUDGETS = (8, 4, 2, 1)
"""What the ample token limit is divided by."""
LIMITED = 8
LENGTHS = (6, 12, 24)
"""Steps of the chains: the next length follows where the last one is nearly always survived."""
CHAINS = 16
SURVIVED = 0.85
SAMPLES = 8
PROBLEMS = (12, 12, 24)
"""Problems of the labelled sample, and as many of the curve, in rounds."""
TEMPERATURE = 0.8
BEST_SHARE = 0.4
SOLVED = (0.05, 0.95)
_CONTROL, _PAIRED, _LIMITED, _CHAIN, _LABELLED, _CURVE = (200, 201, 202, 203, 204, 205)
"""Seeds of the parts lie apart, so that no problem serves twice."""


@dataclass
class Trials:
    """What was asked and answered."""

    searches: list[measure.Searched] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    controls: tuple[Control, ...] = ()
    paired: list[Answered] = field(default_factory=list)
    limited: list[Answered] = field(default_factory=list)
    chains: list[Answered] = field(default_factory=list)
    steps: int = LENGTHS[0]
    forced: list[Answered] = field(default_factory=list)
    sampled: Family | None = None
    samples: list[Answered] = field(default_factory=list)
    verifiers: dict[str, verifying.Verdicts] = field(default_factory=dict)
    known: dict[str, Scalar] = field(default_factory=dict)
    undecided: list[str] = field(default_factory=list)

    @property
    def searched(self) -> list[Answered]:
        """Every answer of the searches."""
        return [item for search in self.searches for item in search.answered]


def ask(desk: Desk, seed: int) -> Trials:
    """Ask everything, as far as the budget allows; the searches get the largest part."""
    trials = Trials()
    _search(desk.share(0.4), trials, seed)
    _controls(desk.share(0.1), trials, seed)
    _pair(desk.share(0.2), trials, seed)
    _chain(desk.share(0.3), trials, seed)
    _force(desk.share(0.4), trials, seed)
    _sample(desk.share(0.75), trials, seed)
    _limit(desk, trials, seed)
    return trials


def _search(desk: Desk, trials: Trials, seed: int) -> None:
    """Climb in every family in turn, a group of families after the other."""
    for families, part in TIERS:
        share = desk.share(part)
        climbs = []
        for probe in families:
            levels = _fitting(probe, desk)
            if len(levels) < 3:
                trials.undecided.append(f"{_mode(probe)} was not asked: fewer than 3 levels fit into the window.")
            else:
                climbs.append((Climb(probe, Ladder.of(probe, levels), seed=seed, at_once=2), list[Answered]()))
        going = list(climbs)
        while going and not share.meter.exhausted:
            going = [pair for pair in going if _step(share, *pair)]
        for climb, answered in climbs:
            if answered:
                found = measure.Searched(probe=climb.probe, ladder=climb.ladder, answered=tuple(answered))
                trials.searches.append(found)
                if climb.belief().outcome == "open":
                    trials.unsettled.append(_mode(climb.probe))
            else:
                trials.undecided.append(f"{_mode(climb.probe)} was not asked: the budget was spent on the others.")


def _step(desk: Desk, climb: Climb, answered: list[Answered]) -> bool:
    """Ask one step of a climb; whether another may follow."""
    cases = climb.next()
    if cases is None or desk.meter.exhausted:
        return False
    by_level: dict[int, list[Case]] = {}
    for case in cases:
        by_level.setdefault(int(case.factors["level"]), []).append(case)
    got = []
    for level, there in by_level.items():
        got += desk.ask(climb.probe.at(level), there, what=f"how hard it may get: {_mode(climb.probe)}")
    climb.record(got)
    answered += got
    return len(got) == len(cases)


def _mode(probe: Family) -> str:
    return f"{probe.family} {'step by step' if probe.scratchpad else 'at once'}"


def _fitting(probe: Family, desk: Desk) -> list[int]:
    """The levels whose prompt and reply fit into the window."""
    window, fitting = desk.model.card.window, []
    for level in probe.levels:
        harder = probe.at(level)
        if harder.budget > LONGEST_REPLY:
            break
        if window is not None:
            (case,) = harder.cases(seed=0, n=1)
            prompt = sum(desk.model.count_tokens(message.content) + 8 for message in case.ask.messages)
            if 1.1 * prompt + harder.budget > window:
                break
        fitting.append(level)
    return fitting


def _controls(desk: Desk, trials: Trials, seed: int) -> None:
    judged = []
    for name, probe in CONTROLLED.controls().items():
        answered = desk.ask(probe, probe.cases(seed=seed + _CONTROL, n=CONTROLS), what=f"control: {name}")
        if answered:
            judged.append(measure.control(name, answered, CONTROLLED.chance))
    trials.controls = tuple(judged)


def _pair(desk: Desk, trials: Trials, seed: int) -> None:
    probe = Familiar()
    cases = probe.cases(seed=seed + _PAIRED, n=2 * sum(PAIRS))
    for first, pairs in zip((0, PAIRS[0], PAIRS[0] + PAIRS[1]), PAIRS, strict=True):
        if desk.meter.exhausted:
            break
        batch = cases[2 * first : 2 * (first + pairs)]
        trials.paired += desk.ask(probe, batch, what="familiar puzzles and their twins")
    if len(trials.paired) < len(cases):
        trials.undecided.append(
            f"{len(trials.paired) // 2} of {sum(PAIRS)} pairs of puzzles were asked: the budget ended them."
        )


def _limit(desk: Desk, trials: Trials, seed: int) -> None:
    """Ask the problems that it can do step by step again under smaller token limits."""
    best, share = None, 0.0
    for search in trials.searches:
        if search.probe.scratchpad:
            easy = [item for item in search.answered if item.case.factors["level"] == search.ladder.levels[0]]
            right = sum(item.grade is Grade.RIGHT for item in easy) / len(easy) if easy else 0.0
            if right > share:
                best, share = search.probe.at(search.ladder.levels[0]), right
    if best is None:
        trials.undecided.append("The token limit was not varied: no family is solved step by step at all.")
        return
    ample = best.budget
    for divisor in BUDGETS:
        probe = msgspec.structs.replace(best, max_tokens=max(1, ample // divisor))
        cases = probe.cases(seed=seed + _LIMITED, n=LIMITED)
        got = desk.ask(probe, cases, what=f"{probe.budget} tokens to think in")
        trials.limited += got
        if len(got) < len(cases):
            trials.undecided.append("Not all token limits were asked: the budget was spent.")
            return


def _chain(desk: Desk, trials: Trials, seed: int) -> None:
    """Ask chains that grow as long as they are survived; what is left goes to more chains of the last length."""
    asked = 0
    for place, length in enumerate(LENGTHS):
        if desk.meter.exhausted or 64 * length > (desk.model.card.window or 8192):
            break
        probe = Hops(hops=length, scratchpad=True)
        cases = probe.cases(seed=seed + _CHAIN, n=2 * CHAINS)
        got = desk.ask(probe, cases[:CHAINS], what=f"chains of {length} steps")
        trials.chains += got
        trials.steps, asked = length, asked + CHAINS
        survived = [all(states) and len(states) == length for states in map(checked, got)]
        if place + 1 == len(LENGTHS) or not got or sum(survived) < SURVIVED * len(got):
            more = desk.ask(probe, cases[CHAINS:], what=f"chains of {length} steps")
            trials.chains += more
            asked += CHAINS
            break
    if len(trials.chains) < asked:
        trials.undecided.append(f"{len(trials.chains)} of {asked} chains were asked: the budget ended them.")


def of_length(trials: Trials) -> list[Answered]:
    """The chains of the last length asked."""
    return [item for item in trials.chains if item.case.factors["level"] == trials.steps]


def _force(desk: Desk, trials: Trials, seed: int) -> None:
    """Hand the model's own chains back, cut, falsified and exchanged."""
    probe, own = ForcedChain(hops=trials.steps), of_length(trials)
    if not own:
        return
    direct = Hops(hops=trials.steps).cases(seed=seed + _CHAIN, n=2 * CHAINS)
    cases = probe.about(own, direct)
    if not cases:
        trials.undecided.append(
            "Whether its chains matter could not be asked: none could be read to the last step but one."
        )
        return
    trials.forced = desk.ask(probe, cases, what="answers after a given chain")
    if len(trials.forced) < len(cases):
        trials.undecided.append(
            f"{len(trials.forced)} of {len(cases)} questions after a given chain were asked: the budget was spent."
        )


def _sample(desk: Desk, trials: Trials, seed: int) -> None:
    """Draw samples of problems that it solves now and then: some are labelled, others make the curve."""
    probe = trials.sampled = _sometimes(trials)
    if probe is None:
        trials.undecided.append("Sampling was not tried: no level is answered right now and then.")
        return
    total = sum(PROBLEMS)
    sources = [probe.cases(seed=seed + part, n=total) for part in (_LABELLED, _CURVE)]
    kept: tuple[list[Answered], list[Answered]] = ([], [])
    first = 0
    for problems in PROBLEMS:
        for source, answers in zip(sources, kept, strict=True):
            cases = [
                sample
                for case in source[first : first + problems]
                for sample in sampling.sampled(case, k=SAMPLES, temperature=TEMPERATURE, seed=seed)
            ]
            if desk.meter.left_share > 0.35:  # what is left is for judging them
                answers += desk.share(0.5).ask(probe, cases, what="samples")
        first += problems
    labelled, trials.samples = map(_whole, kept)
    if len(sampling.by_problem(labelled)) < 4 or len(sampling.by_problem(trials.samples)) < 2:
        trials.samples = []
        trials.undecided.append("Sampling was cut short by the budget before there were problems enough.")
        return
    _verify(desk, trials, labelled, seed)


def _whole(answers: Sequence[Answered]) -> list[Answered]:
    """Leave out problems that the budget left without some of their samples."""
    return [item for group in sampling.by_problem(answers).values() if len(group) == SAMPLES for item in group]


def _verify(desk: Desk, trials: Trials, labelled: list[Answered], seed: int) -> None:
    """Let the model judge its samples: half of the labelled ones set the bar, the other half tell τ and φ."""
    judge = verifying.SelfCheck(scored=isinstance(desk.model, Scores))
    names = list(sampling.by_problem(labelled))
    setting = [item for item in labelled if item.case.factors["of"] in names[::2]]
    telling = [item for item in labelled if item.case.factors["of"] not in names[::2]]
    cases = judge.about([*labelled, *trials.samples])
    checks = desk.ask(judge, cases, what="whether it finds its own answers right")
    trials.verifiers = {sampling.PROGRAM: verifying.flipped(trials.samples, seed=seed)}
    known = dict[str, Scalar]()
    if len(checks) == len(cases) and cases:
        chance = verifying.confidence(checks)
        bar = verifying.threshold(setting, chance)
        known = sampling.labelled(telling, verifying.accepted(telling, chance, bar))
        trials.verifiers = {sampling.VERIFIER: verifying.accepted(trials.samples, chance, bar), **trials.verifiers}
    else:
        trials.undecided.append("Its own verdicts on its samples were not all asked: the budget was spent.")
    # How often it is right, and how that varies, is read off all labelled samples: no bar was set by it.
    every = sampling.labelled(labelled, dict.fromkeys((item.case.id for item in labelled), False))
    trials.known = known | {name: value for name, value in every.items() if not name.startswith(("tau", "phi"))}


def _sometimes(trials: Trials) -> Family | None:
    """The family and level, asked at once, whose share of right answers is nearest to 40 %."""
    found: dict[tuple[str, int], tuple[float, Family]] = {}
    for search in trials.searches:
        if search.probe.scratchpad:
            continue
        for level in search.ladder.levels:
            there = [item for item in search.answered if item.case.factors["level"] == level]
            if len(there) >= 8:
                share = sum(item.grade is Grade.RIGHT for item in there) / len(there)
                if SOLVED[0] <= share <= SOLVED[1]:
                    found[search.probe.family, level] = abs(share - BEST_SHARE), search.probe.at(level)
    return min(found.items(), key=lambda each: (each[1][0], each[0]))[1][1] if found else None
