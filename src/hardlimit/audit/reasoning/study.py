"""The study of reasoning: how hard problems may get, whether the steps do the solving, what samples can give."""

from collections.abc import Callable, Mapping, Sequence

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import Exhibit, LimitReport
from hardlimit.audit.judging import by_name
from hardlimit.audit.published import ZEBRALOGIC
from hardlimit.audit.reasoning.asking import CONTROLLED, Trials, ask, of_length
from hardlimit.audit.reasoning.findings import claims, findings
from hardlimit.audit.reasoning.verdicts import verdicts
from hardlimit.core import (
    ARTEFACTS,
    Answered,
    Grade,
    InsufficientDataError,
    Limit,
    Measurement,
    Point,
    Resource,
    ResourceVerdict,
    Verdict,
)
from hardlimit.probes.reasoning import Hops, measure, mediation, sampling
from hardlimit.probes.reasoning.chain import chain_by_length
from hardlimit.probes.reasoning.familiar import Familiar


def study(desk: Desk, seed: int) -> LimitReport:
    """Problems with a knob, twins of familiar puzzles, chains with interventions, and samples with verifiers."""
    trials = ask(desk, seed)
    if not trials.searched:
        return LimitReport(
            limit=Limit.REASONING,
            applies=False,
            headline="Not measured: the budget was spent before the first problem was answered. Give it more.",
        )
    found = _measure(trials, desk, seed)
    card = desk.model.card
    judged = verdicts(found, card)
    joined = findings(found, card)
    shown = {finding.claim.statement.id for finding in joined}
    return LimitReport(
        limit=Limit.REASONING,
        applies=True,
        headline=_headline(found),
        ceiling=_ceiling(found),
        sureness=_sureness(trials, judged),
        advice=_advice(judged, found),
        verdicts=judged,
        findings=joined,
        measurements=tuple(found.values()),
        claims=tuple(claim for claim in claims(card) if claim.statement.id not in shown),
        exhibits=_exhibits(trials),
        published=(ZEBRALOGIC,),
        undecided=_undecided(trials),
    )


def _measure(trials: Trials, desk: Desk, seed: int) -> dict[str, Measurement]:
    """Measure whatever was answered enough for it."""

    def origin(probe: object) -> measure.Origin:
        return measure.Origin(probe=repr(probe), model=desk.model.card.fingerprint, seed=seed)

    families = ", ".join(repr(search.probe) for search in trials.searches)
    searched = measure.Origin(probe=families, model=desk.model.card.fingerprint, seed=seed, controls=trials.controls)
    chained = origin(Hops(hops=trials.steps, scratchpad=True))
    sampled = origin(trials.sampled or CONTROLLED)
    tried: list[Callable[[], Measurement]] = [
        lambda: measure.threshold(trials.searches, searched),
        lambda: measure.accuracy_by_difficulty(trials.searched, searched),
        lambda: measure.token_budget(trials.limited, searched),
        lambda: measure.paired_drop(trials.paired, origin(Familiar())),
        lambda: chain_by_length(trials.chains, chained),
        lambda: mediation.measure(trials.forced, chained, asked=len(of_length(trials))),
        lambda: sampling.best_of_k(trials.samples, trials.verifiers, trials.known, sampled),
        lambda: sampling.accepted_accuracy(trials.samples, trials.verifiers, sampled),
    ]
    made = []
    for each in tried:
        try:
            made.append(each())
        except InsufficientDataError:
            continue
    return dict(by_name(made))


def _headline(found: Mapping[str, Measurement]) -> str:
    thresholds = found["reasoning.threshold"]
    at_once = [point for point in thresholds.points if not point.at["scratchpad"]] or list(thresholds.points)
    reached = "; ".join(_reached(point, thresholds) for point in at_once if _known(point))
    if not reached:
        return "Where its accuracy is half way down to guessing is not known for any family of problems yet."
    return f"Half way down to guessing, at once: {reached}."


def _known(point: Point) -> bool:
    return point.estimate.interval.low is not None or point.estimate.interval.high is not None


def _reached(point: Point, thresholds: Measurement) -> str:
    family, interval = point.at["family"], point.estimate.interval
    unit = thresholds.parameters[f"unit.{family}"]
    if interval.low is None:
        return f"{family} at most {interval.high:.2g} {unit}"
    if interval.high is None:
        return f"{family} at least {interval.low:.2g} {unit}"
    return f"{family} {point.estimate.value:.2g} {unit} ({interval.low:.2g}–{interval.high:.2g})"


def _ceiling(found: Mapping[str, Measurement]) -> str:
    best = found.get("reasoning.best_of_k")
    if best is not None and {"p", "tau", "phi"} <= best.parameters.keys() and float(best.parameters["phi"]) > 0:
        odds = float(best.parameters["tau"]) / float(best.parameters["phi"])
        return f"REAS-5: its own verifier multiplies the odds of being right by {odds:.2g}, once, whatever the samples."
    return "REAS-1: errors of unrepaired steps multiply; REAS-3: what one pass computes is bounded by depth."


def _sureness(trials: Trials, judged: Sequence[ResourceVerdict]) -> str:
    broken = [control.name for control in trials.controls if not control.passed]
    if broken:
        return f"with reserve: the {' and the '.join(broken)} control failed"
    settled = sum(v.verdict is not Verdict.UNDETERMINED for v in judged)
    searches, loose = len(trials.searches), len(trials.unsettled)
    sure = settled == len(judged) and not loose
    return (
        f"{'sure' if sure else 'in part'}: {searches - loose} of {searches} thresholds settled, "
        f"{settled} of {len(judged)} verdicts decided"
    )


_ADVICE = {
    (Resource.INFERENCE_STEPS, Verdict.HELPS): "let it write its steps before it answers",
    (Resource.INFERENCE_STEPS, Verdict.HURTS): "let it answer at once: its own steps lead it astray",
    (Resource.INFERENCE_STEPS, Verdict.CANNOT_PROGRESS): "save the tokens of its steps",
    (Resource.SAMPLES, Verdict.HELPS): "draw several samples and vote",
    (Resource.SAMPLES, Verdict.SATURATES): "draw a few samples, and no more",
    (Resource.SAMPLES, Verdict.CANNOT_PROGRESS): "draw one sample",
    (Resource.VERIFIER, Verdict.HELPS): "check answers with a program or a better judge than the model itself",
    (Resource.DATA, Verdict.HELPS): "train on problems in which the familiar answer is wrong",
}


def _advice(judged: Sequence[ResourceVerdict], found: Mapping[str, Measurement]) -> str:
    says = [_ADVICE[v.resource, v.verdict] for v in judged if (v.resource, v.verdict) in _ADVICE]
    artefacts = _artefacts(found)
    if artefacts is not None:
        says.append(artefacts)
    if not says:
        return "More of nothing measured here surely helps; spend more budget on the undecided verdicts first."
    text = "; ".join(says)
    return f"{text[0].upper()}{text[1:]}."


def _artefacts(found: Mapping[str, Measurement]) -> str | None:
    """Say so where much of what looks like failure is none of reasoning."""
    tally = found["reasoning.accuracy_by_difficulty"].tally
    missed = tally.n - tally.right
    if missed and tally.artefacts > 0.25 * missed:
        return (
            f"look at the replies first: {tally.artefacts / missed:.0%} of what it did not get right was cut off, "
            "malformed or refused, not wrong"
        )
    return None


def _exhibits(trials: Trials) -> tuple[Exhibit, ...]:
    changed = [item for item in trials.paired if item.case.factors["form"] == "changed"]
    wanted: tuple[tuple[Sequence[Answered], Callable[[Answered], bool], str], ...] = (
        (
            changed,
            lambda item: item.grade is Grade.WRONG and item.answer == item.case.lures[0],
            "A changed puzzle, answered as the familiar one",
        ),
        (trials.chains, lambda item: item.grade is Grade.WRONG, "A chain of steps that ends wrong"),
        (trials.searched, lambda item: item.grade in ARTEFACTS, "A reply that is no answer"),
    )
    found = []
    for answers, fits, title in wanted:
        item = next(filter(fits, answers), None)
        if item is not None:
            found.append(Exhibit(title=title, answered=item))
    return tuple(found)


def _undecided(trials: Trials) -> tuple[str, ...]:
    said = list(trials.undecided)
    if trials.unsettled:
        said.append(f"These thresholds are not known to ±30 % yet: {', '.join(trials.unsettled)}.")
    return tuple(said)
