"""The study of seeing: how much of a picture a model answers by, and at which stage the rest is lost."""

from collections.abc import Mapping, Sequence

from msgspec import structs

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import Exhibit, LimitReport
from hardlimit.audit.judging import by_name, percent
from hardlimit.audit.multimodal.asking import Trials, ask
from hardlimit.audit.multimodal.findings import findings
from hardlimit.audit.multimodal.inside import STAGES, measure_inside
from hardlimit.audit.multimodal.verdicts import verdicts
from hardlimit.audit.published import BLIND_TEST, MMVP
from hardlimit.core import Answered, Limit, Measurement, ResourceVerdict, Verdict
from hardlimit.models import Model, Sees
from hardlimit.probes.measuring import is_right
from hardlimit.probes.multimodal import Drawn, measure
from hardlimit.probes.multimodal.flips import flip_rate
from hardlimit.probes.multimodal.knobs import thresholds


def study(desk: Desk, seed: int, *, instead_of: Model | None = None) -> LimitReport:
    """Pairs of drawn pictures with one question and two answers, and a look inside where there is one.

    Args:
        desk: asks the model.
        seed: of everything.
        instead_of: the audited model, where it takes text alone and the desk asks a model with eyes in its place.
    """
    model = desk.model
    if not isinstance(model, Sees):
        return _nothing(
            f"Does not apply: {model.card.name} takes text alone, and this limit is about what is lost between a "
            "picture and an answer. Audit a model with eyes: local:PATH or api:MODEL@URL of a vision–language model, "
            "or embedded:tiny-eyes."
        )
    trials = ask(desk, seed)
    if len(measure.pairs(trials.pictured)) < 2:
        return _nothing("Not measured: the budget was spent before two pairs of pictures were answered. Give it more.")
    origin = measure.Origin(probe=repr(Drawn()), model=model.card.fingerprint, seed=seed, controls=trials.controls)
    found = by_name(_measure(trials, origin))
    judged = verdicts(found)
    return LimitReport(
        limit=Limit.MULTIMODAL,
        applies=True,
        headline=_headline(found, model, instead_of),
        ceiling="MM-2: pictures that the encoder gives one code cost half of their share in errors, whatever reads it.",
        sureness=_sureness(trials, judged),
        advice=_advice(found, judged),
        verdicts=judged,
        findings=findings(found, trials.pictured, origin),
        measurements=tuple(found.values()),
        exhibits=_gallery(trials.pictured),
        published=(BLIND_TEST, MMVP),
        undecided=(trials.not_looked,) if trials.not_looked else (),
    )


def _nothing(headline: str) -> LimitReport:
    return LimitReport(limit=Limit.MULTIMODAL, applies=False, headline=headline)


def _measure(trials: Trials, controlled: measure.Origin) -> list[Measurement]:
    """Measure everything; the controls stand with the two accuracies that they are controls of."""
    origin = structs.replace(controlled, controls=())
    made = [
        measure.pair_accuracy(trials.pictured, controlled),
        measure.accuracy(trials.pictured, controlled),
        *measure_inside(trials, origin),
    ]
    if trials.flips:
        made.append(flip_rate(trials.flips, trials.priors, origin))
    spots = [item for item in (*trials.pictured, *trials.places) if "row" in item.case.factors]
    if spots:
        made.append(measure.accuracy_by_place(spots, origin))
    if trials.blind:
        made.append(measure.text_prior_gap(trials.pictured, trials.blind, origin))
    if trials.told:
        made.append(measure.caption_gap(trials.pictured, trials.told, origin))
    made.append(measure.yes_ratio(trials.pictured, origin))
    if trials.ladders:
        made.append(thresholds([*trials.pictured, *trials.ladders], origin))
    return made


def _headline(found: Mapping[str, Measurement], model: Model, instead_of: Model | None) -> str:
    pairs, cases = found["multimodal.pair_accuracy"].estimate, found["multimodal.accuracy"].estimate
    assert pairs is not None and cases is not None
    says = (
        f"Both pictures of a pair are answered right in {percent(pairs)}, where guessing has 25 % and a fixed answer "
        f"none; single pictures in {100 * cases.value:.0f} %."
    )
    if instead_of is None:
        return says
    return (
        f"{instead_of.card.name} takes text alone. Measured instead on {model.card.name}, a small vision–language "
        f"model with known faults that comes with the package: {says[0].lower()}{says[1:]}"
    )


def _sureness(trials: Trials, judged: Sequence[ResourceVerdict]) -> str:
    broken = [control.name for control in trials.controls if not control.passed]
    if broken:
        return f"with reserve: the {' and the '.join(broken)} control failed"
    settled = sum(v.verdict is not Verdict.UNDETERMINED for v in judged)
    looked = "looked at inside" if trials.inside else "not looked at inside"
    return f"{'sure' if settled == len(judged) else 'in part'}: {looked}, {settled} of {len(judged)} verdicts decided"


def _advice(found: Mapping[str, Measurement], judged: Sequence[ResourceVerdict]) -> str:
    by_stage = found.get("multimodal.error_by_stage")
    if by_stage is None:
        gap = found.get("multimodal.caption_gap")
        if gap is not None and gap.estimate is not None and (gap.estimate.interval.low or 0.0) > 0.1:
            return "Hand over what a picture shows as text where you can: this model reads better than it sees."
        return (
            "Check answers about pictures by asking about a changed picture: an answer that does not change is habit."
        )
    errors = {stage: float(by_stage.parameters[f"error.{stage.replace(' ', '_')}"]) for stage in STAGES}
    if sum(errors.values()) <= 0:
        return "Nothing is lost on these tasks; make them harder."
    unlocated = errors.pop("not located")
    worst = max(errors, key=lambda stage: errors[stage])
    says = {
        "encoder": "Replace or add to the vision encoder: it gives one code to pictures with two answers.",
        "projector": "Train or widen the projector: the encoder holds more than it passes on.",
        "language model": "The language model does not use what it is given: tune it on pairs of pictures that break "
        "its habits, rather than buying a better encoder.",
    }[worst]
    if errors[worst] <= 0:
        return "No error could be located: ask more pairs, so that the readouts inside see more to learn from."
    if unlocated > errors[worst]:
        return f"Most of what is lost ({100 * unlocated:.0f} % of answers) could not be located. Of the rest: {says}"
    return says


def _gallery(pictured: Sequence[Answered]) -> tuple[Exhibit, ...]:
    """For each task one pair: one that was not answered right, where there is one."""
    shown = []
    for (task,), items in measure.by_factor(pictured, "task").items():
        whole = measure.pairs(items)
        missed = [pair for pair in whole if not (is_right(pair[0]) and is_right(pair[1]))]
        if whole:
            for place, item in zip(("first", "second"), (missed or whole)[0], strict=True):
                comment = f"Missed in {len(missed)} of {len(whole)} pairs." if place == "second" else ""
                shown.append(Exhibit(title=f"{task}: {place} picture of a pair", answered=item, comment=comment))
    return tuple(shown)
