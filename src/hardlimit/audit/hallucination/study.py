"""The study of hallucination: what a model answers wrongly, what it accepts that is not, and what would help."""

from collections.abc import Mapping, Sequence

import msgspec

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import Exhibit, LimitReport
from hardlimit.audit.hallucination.asking import FAMILIES, Trials, ask
from hardlimit.audit.hallucination.findings import findings
from hardlimit.audit.hallucination.verdicts import verdicts
from hardlimit.audit.judging import by_name, percent
from hardlimit.audit.published import HALLULENS, SIMPLEQA
from hardlimit.core import Grade, Limit, Measurement, Resource, ResourceVerdict, Verdict
from hardlimit.probes.hallucination import NonExistent, ShortFacts, measure, selective
from hardlimit.probes.hallucination.nonexistent import KINDS


def study(desk: Desk, seed: int) -> LimitReport:
    """Short facts by popularity, things that do not exist, and how well confidence tells right from wrong."""
    trials = ask(desk, seed)
    if not trials.facts:
        return LimitReport(
            limit=Limit.HALLUCINATION,
            applies=False,
            headline="Not measured: the budget was spent before the first question was answered. Give it more.",
        )
    found = _measure(trials, desk, seed)
    judged = verdicts(found, seed)
    return LimitReport(
        limit=Limit.HALLUCINATION,
        applies=True,
        headline=_headline(found),
        ceiling=_ceiling(found),
        sureness=_sureness(found, judged),
        advice=_advice(judged),
        verdicts=judged,
        findings=findings(found, trials, seed),
        measurements=tuple(found.values()),
        exhibits=_exhibits(trials),
        published=(HALLULENS, SIMPLEQA),
        undecided=trials.undecided,
    )


def _measure(trials: Trials, desk: Desk, seed: int) -> dict[str, Measurement]:
    fingerprint = desk.model.card.fingerprint
    names = ", ".join(repr(ShortFacts(family=family)) for family in FAMILIES)
    coined = ", ".join(repr(NonExistent(kind=kind)) for kind in KINDS)
    known = measure.Origin(probe=names, model=fingerprint, seed=seed)
    unreal = measure.Origin(probe=coined, model=fingerprint, seed=seed)
    both = measure.Origin(probe=f"{names}, {coined}", model=fingerprint, seed=seed)
    controls = tuple(measure.control(name, answers) for name, answers in trials.controls.items())
    return dict(
        by_name(
            [
                msgspec.structs.replace(measure.facts(trials.facts, known), controls=controls),
                measure.false_acceptance(trials.unreal, unreal),
                measure.false_refusal([*trials.facts, *trials.unreal], both),
                measure.accuracy_by_popularity(trials.facts, known),
                measure.tail_exponent(trials.facts, known),
                selective.score(trials.facts, trials.confidence, known),
                selective.risk_against_coverage(trials.facts, trials.confidence, known),
                selective.calibration(trials.facts, trials.confidence, known),
            ]
        )
    )


def _headline(found: Mapping[str, Measurement]) -> str:
    wrong, accepted = found["hallucination.facts"].estimate, found["hallucination.false_acceptance"].estimate
    first = f"{percent(wrong)} of its answers to short facts are wrong" if wrong else "It gave no answer to short facts"
    second = f"; it answers {percent(accepted)} of questions about things that do not exist" if accepted else ""
    return f"{first}{second}."


def _ceiling(found: Mapping[str, Measurement]) -> str:
    exponent = found["hallucination.tail_exponent"]
    if exponent.estimate is None or None in (exponent.estimate.interval.low, exponent.estimate.interval.high):
        return (
            "HALL-5: facts that never occurred in training cannot be known; how fast error falls with popularity is "
            "not known yet."
        )
    return (
        "HALL-9: error falls with the popularity of a fact with exponent "
        f"{exponent.estimate.value:.2f}, and with the training data no faster; HALL-5: what never occurred is missing."
    )


def _sureness(found: Mapping[str, Measurement], verdicts: Sequence[ResourceVerdict]) -> str:
    broken = [control.name for control in found["hallucination.facts"].controls if not control.passed]
    if broken:
        return f"not to be believed: the {' and the '.join(broken)} control failed"
    measured = [v for v in verdicts if v.basis != "theory"]
    settled = sum(v.verdict is not Verdict.UNDETERMINED for v in measured)
    return (
        f"{'sure' if settled == len(measured) else 'in part'}: {settled} of {len(measured)} measured verdicts decided"
    )


def _advice(verdicts: Sequence[ResourceVerdict]) -> str:
    says = {
        Resource.RETRIEVAL: "put the fact into the prompt (retrieval)",
        Resource.ABSTENTION: "abstain below a calibrated confidence",
        Resource.DATA: "train on more data of this kind",
    }
    helps = [says[v.resource] for v in verdicts if v.verdict is Verdict.HELPS and v.resource in says]
    if not helps:
        return "More of nothing measured here surely helps; spend more budget on the undecided verdicts first."
    text = "; ".join(helps)
    return f"{text[0].upper()}{text[1:]}."


def _exhibits(trials: Trials) -> tuple[Exhibit, ...]:
    wanted = (
        (trials.facts, Grade.WRONG, "A short fact, answered wrongly"),
        (trials.facts, Grade.RIGHT, "A short fact, answered rightly"),
        (
            [item for item in trials.unreal if not item.case.gold],
            Grade.WRONG,
            "Something that does not exist, answered as if it did",
        ),
    )
    found = []
    for answers, grade, title in wanted:
        item = next((item for item in answers if item.grade is grade), None)
        if item is not None:
            found.append(Exhibit(title=title, answered=item))
    return tuple(found)
