"""The table that an audit ends with: for each limit and resource the verdict, its evidence, and what to do."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from msgspec import structs

from hardlimit.audit.document import Advice, LimitReport, Mitigation
from hardlimit.core import Limit, Resource, ResourceVerdict, Verdict
from hardlimit.scaling import ScalingReport

Evidence = Literal["theory", "measured", "both", "none"]

_DO: Final[dict[Verdict, str]] = {
    Verdict.HELPS: "Buy more: the next step of {resource} still pays.",
    Verdict.SATURATES: "Stop buying: more {resource} has paid, and the next step pays too little.",
    Verdict.CANNOT_PROGRESS: "Do not buy {resource} for this.",
    Verdict.HURTS: "Use less: more {resource} makes it worse.",
}

_CHEAPEST: Final[dict[Resource, str]] = {
    Resource.PARAMETERS: "results of three or more sizes of its family, each over twice the last "
    "(`hardlimit audit MODEL1 MODEL2 …`, or `--scaling RESULTS`)",
    Resource.DATA: "more questions (`--limits {limit} --budget 60m`), or a checkpoint trained on ten times the data",
    Resource.CONTEXT: "the same search with more time (`--limits {limit} --budget 60m`)",
    Resource.RETRIEVAL: "more questions with and without the passage (`--limits {limit} --budget 60m`)",
    Resource.DOCUMENTS: "the curve of accuracy by passages with more questions (`--limits {limit} --budget 60m`)",
    Resource.RETRIEVER: "recall on your own documents (`--corpus … --questions …`)",
    Resource.INFERENCE_STEPS: "the same problems with more time (`--limits {limit} --budget 60m`)",
    Resource.SAMPLES: "a larger labelled sample (`--limits {limit} --budget 60m`)",
    Resource.VERIFIER: "200 labelled answers judged by the verifier in question",
    Resource.ABSTENTION: "more labelled answers (`--limits {limit} --budget 60m`)",
    Resource.RESOLUTION: "the same drawings at twice the resolution",
    Resource.MARGIN: "a model whose attention can be read (`local:` or `embedded`)",
}
_ELSE: Final = "the same probe with more time (`--limits {limit} --budget 60m`)"


def advice(limits: Sequence[LimitReport], family: ScalingReport | None = None) -> tuple[Advice, ...]:
    """Draw the conclusion of every verdict, and name the best measured mitigation of its limit.

    An undecided verdict names the cheapest measurement that would decide it.

    Args:
        limits: what was measured.
        family: audits of the model's family at several sizes, judged: their verdict on parameters takes the place of
            what one model alone can say. Results that are not about one of the limits are left aside.
    """
    return tuple(
        Advice(
            limit=limit.limit,
            resource=Resource(verdict.resource),
            verdict=verdict.verdict,
            evidence=_evidence(verdict),
            mitigation=_best_in_words(limit),
            says=_says(verdict, limit.limit),
        )
        for limit in limits
        if limit.applies
        for verdict in _with_family(limit, family)
    )


def _with_family(limit: LimitReport, family: ScalingReport | None) -> Sequence[ResourceVerdict]:
    """The verdicts of a limit, with the measured one on parameters where the family's audits give one."""
    measured = None if family is None else family_verdict(limit, family)
    if measured is None:
        return limit.verdicts
    return (*(each for each in limit.verdicts if each.resource != Resource.PARAMETERS), measured)


def family_verdict(limit: LimitReport, family: ScalingReport) -> ResourceVerdict | None:
    """Judge what more parameters do to a limit, from the curve of `speaks_for` over a family's sizes.

    Args:
        limit: its measurements, the main one first.
        family: curves over the sizes, judged.

    Returns:
        The verdict, or None where that measurement has no curve.
    """
    curves = {
        task.judged.scaling.curve.task: task
        for task in family.tasks
        if task.judged.scaling.curve.resource is Resource.PARAMETERS
    }
    name = speaks_for(limit)
    if name is None or name not in curves:
        return None
    found = curves[name]
    one, corrected = found.judged.scaling, found.judged.corrected
    because = f"{name} over {len(one.curve.points)} sizes of {family.family}: {one.because}"
    if corrected is not one.verdict:
        because += f" Alone it would be {one.verdict}; corrected for {len(family.tasks)} curves it is {corrected}."
    if corrected is Verdict.UNDETERMINED and found.plan is not None:
        because += f" {found.plan.says}"
    return ResourceVerdict(resource=Resource.PARAMETERS, verdict=corrected, because=because, basis="measured")


def speaks_for(limit: LimitReport) -> str | None:
    """Name the measurement whose curve over sizes speaks for a limit.

    It is the main one, or where that has no best possible value, to which no loss can be told, the next one that has.
    """
    for each in limit.measurements:
        quantity = each.quantity
        if (
            quantity.better != "neither"
            and (quantity.high if quantity.better == "higher" else quantity.low) is not None
        ):
            return each.name
    return None


def best(mitigations: Sequence[Mitigation]) -> Mitigation | None:
    """The mitigation that helps most, by the gain that it surely has; None where none surely helps.

    One that helps in one respect and hurts in another, as declining everything does, comes after all that do not hurt.
    """
    hurting = {each.name for each in mitigations if each.verdict is Verdict.HURTS}
    helping = [each for each in mitigations if each.verdict is Verdict.HELPS]
    return max(helping, key=lambda each: (each.name not in hurting, sure_gain(each)), default=None)


def with_best(limit: LimitReport) -> LimitReport:
    """Put the mitigation that surely helps most, if any, before what the study of the limit advises."""
    found = best(limit.mitigations)
    if found is None:
        return limit
    name = found.name[0].upper() + found.name[1:]
    return structs.replace(limit, advice=f"{name}: {_points(found)}. {limit.advice}".strip())


def sure_gain(mitigation: Mitigation) -> float:
    """The end of its interval that promises least, in the direction that is wanted."""
    interval = mitigation.difference.interval
    end = interval.low if mitigation.better == "higher" else interval.high
    if end is None:
        return 0.0
    return end if mitigation.better == "higher" else -end


def _best_in_words(limit: LimitReport) -> str:
    if not limit.mitigations:
        return "No mitigation was measured for this limit."
    found = best(limit.mitigations)
    if found is None:
        return f"None of the {len(list(_names(limit.mitigations)))} mitigations that were measured surely helps."
    before, after = found.tokens
    costs = [each for each in limit.mitigations if each.name == found.name and each.verdict is Verdict.HURTS]
    price = "".join(f", at the price of {_points(each)}" for each in costs)
    return (
        f"{found.name}: {_points(found)}{price}, for {after:,.0f} tokens a question instead of {before:,.0f} "
        f"(n = {found.difference.n})."
    )


def _points(mitigation: Mitigation) -> str:
    """Write a change with its interval, in points."""
    interval, value = mitigation.difference.interval, 100 * mitigation.difference.value
    low = -100.0 if interval.low is None else 100 * interval.low
    high = 100.0 if interval.high is None else 100 * interval.high
    return f"{value:+.0f} points of {mitigation.outcome} ({low:+.0f} to {high:+.0f})".replace("-", "−")


def _names(mitigations: Sequence[Mitigation]) -> Iterator[str]:
    yield from dict.fromkeys(each.name for each in mitigations)


def _evidence(verdict: ResourceVerdict) -> Evidence:
    if verdict.verdict is Verdict.UNDETERMINED:
        return "none"
    return "both" if verdict.basis == "both" else "theory" if verdict.basis == "theory" else "measured"


def _says(verdict: ResourceVerdict, limit: Limit) -> str:
    if verdict.verdict is Verdict.UNDETERMINED:
        cheapest = _CHEAPEST.get(Resource(verdict.resource), _ELSE).format(limit=limit)
        return f"Not decided. Cheapest to decide it: {cheapest}."
    return _DO[verdict.verdict].format(resource=verdict.resource)
