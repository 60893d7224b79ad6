"""What the study of hallucination asks: facts, things that do not exist, controls, and how sure the model is."""

from collections.abc import Mapping, Sequence
from typing import Final

from hardlimit.audit.desk import Desk
from hardlimit.core import Answered, Case
from hardlimit.models import Scores
from hardlimit.probes import Probe
from hardlimit.probes.hallucination import NonExistent, ShortFacts, judging, signals
from hardlimit.probes.hallucination.nonexistent import KINDS
from hardlimit.probes.hallucination.world import Family, facts

FAMILIES: Final[Mapping[Family, int]] = {"city": 240, "capital": 120, "symbol": 60, "past": 60}
"""Families of short facts, and how many of each are asked at most."""

PER_KIND = 30
CONTROLS = 20
JUDGED = 150
RESAMPLED = 40
SAMPLES = 5
ROUNDS = 4
"""The design is asked in rounds of growing size, so that a small budget cuts every part alike."""


class Trials:
    """What was asked and answered."""

    def __init__(self) -> None:
        self.facts: list[Answered] = []
        self.unreal: list[Answered] = []
        self.controls: dict[str, list[Answered]] = {"trivial": [], "impossible": []}
        self.confidence: dict[str, dict[str, float]] = {}
        self.undecided: tuple[str, ...] = ()


def ask(desk: Desk, seed: int) -> Trials:
    """Ask the whole design, as far as the budget allows."""
    trials = Trials()
    main = desk.share(0.7)
    probes: list[tuple[Probe, Sequence[Case], list[Answered], str]] = []
    for family, most in FAMILIES.items():
        short = ShortFacts(family=family)
        cases = short.cases(seed=seed, n=min(most, len(facts(family))))
        probes.append((short, cases, trials.facts, f"short facts: {family}"))
        for name, control in short.controls().items():
            asked = control.cases(seed=seed, n=CONTROLS // len(FAMILIES))
            probes.append((control, asked, trials.controls[name], f"control: {name}"))
    for kind in KINDS:
        coined = NonExistent(kind=kind)
        cases = coined.cases(seed=seed, n=2 * PER_KIND)
        probes.append((coined, cases, trials.unreal, f"things that do not exist: {kind}"))
    missing = 0
    for part in range(ROUNDS):
        for probe, cases, answers, what in probes:
            batch = cases[len(cases) * part // ROUNDS : len(cases) * (part + 1) // ROUNDS]
            got = main.ask(probe, batch, what=what)
            answers.extend(got)
            missing += len(batch) - len(got)
    _ask_how_sure(desk, trials, seed)
    if missing:
        trials.undecided = (f"{missing} questions of the design were not asked: the budget was spent.",)
    return trials


def _ask_how_sure(desk: Desk, trials: Trials, seed: int) -> None:
    """Collect every confidence signal that the model can give."""
    trials.confidence[signals.SEQUENCE] = signals.sequence_probability(trials.facts)
    trials.confidence[signals.TOKEN] = signals.token_probability(trials.facts)
    given = [item for item in trials.facts if judging.judged(item)]
    judge_of = judging.Judgement()
    stated = desk.ask(judge_of, judge_of.about(given[:JUDGED]), what="how sure it says it is")
    trials.confidence[signals.STATED] = signals.judgements(judge_of, stated)
    if isinstance(desk.model, Scores):
        pairs = [judging.truth_requests(item) for item in given[:JUDGED]]
        scored = desk.score([request for pair in pairs for request in pair], what="P(True)")
        by_case = {
            item.case.id: (scored[2 * index], scored[2 * index + 1]) for index, item in enumerate(given[:JUDGED])
        }
        trials.confidence[signals.P_TRUE] = signals.p_true(by_case)
    by_family = {family: ShortFacts(family=family) for family in FAMILIES}
    samples: list[Answered] = []
    for family, probe in by_family.items():
        mine = [item for item in given if item.case.factors["family"] == family][: RESAMPLED // len(FAMILIES)]
        again = [case for item in mine for case in signals.resampled(item.case, k=SAMPLES, seed=seed)]
        samples += desk.ask(probe, again, what="self-consistency")
    trials.confidence[signals.CONSISTENCY] = signals.self_consistency(trials.facts, samples)
    trials.confidence = {name: values for name, values in trials.confidence.items() if values}
