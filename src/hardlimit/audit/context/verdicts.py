"""Verdicts about context: would a longer window, a larger margin, or less text help this model?"""

from collections.abc import Mapping, Sequence

from hardlimit.audit.judging import percent, spread
from hardlimit.core import Finding, Measurement, Resource, ResourceVerdict, Standing, Verdict


def verdicts(found: Mapping[str, Measurement], findings: Sequence[Finding], window: int) -> tuple[ResourceVerdict, ...]:
    """Judge each resource."""
    dispersion = next((f for f in findings if f.claim.statement.id == "CTX-3"), None)
    return (
        _on_window(found, window),
        _on_less_text(found),
        _on_margin(dispersion),
        _on_parameters(dispersion),
    )


def _on_window(found: Mapping[str, Measurement], window: int) -> ResourceVerdict:
    effective = found["context.effective"]
    verdict, because = Verdict.UNDETERMINED, effective.note
    if effective.estimate is not None:
        interval = effective.estimate.interval
        used = f"{effective.estimate.value:,.0f} of {window:,} tokens ({spread(interval, unit=' tokens')})"
        if interval.high is None:
            used = f"{spread(interval)} of {window:,} tokens"
        if interval.high is not None and interval.high < window:
            verdict = Verdict.CANNOT_PROGRESS
            because = f"It uses {used}: a longer window adds text that it cannot use."
        elif effective.parameters["outcome"] == "beyond":
            because = (
                f"Accuracy holds up to {effective.parameters['longest']:,} tokens, the longest that fits: its "
                "window is what ends it, and what a longer one would give cannot be measured here."
            )
        else:
            because = f"It uses {used}; the interval reaches the window."
    return ResourceVerdict(
        resource=Resource.CONTEXT, verdict=verdict, because=because, basis="measured", claims=("CTX-3", "CTX-4")
    )


def _on_less_text(found: Mapping[str, Measurement]) -> ResourceVerdict:
    """Less text helps where accuracy surely falls within what can be asked: retrieval is what makes it less."""
    effective, by_length = found["context.effective"], found["context.accuracy_by_length"]
    variant = by_length.points[0].at["variant"]
    first, *_, last = [point for point in by_length.points if point.at["variant"] == variant] * 2
    verdict = Verdict.UNDETERMINED
    if effective.estimate is not None:
        high = effective.estimate.interval.high
        verdict = Verdict.HELPS if high is not None and high < float(effective.parameters["longest"]) else verdict
    because = (
        f"{percent(first.estimate)} are right at {first.at['length']:,} tokens and {percent(last.estimate)} at "
        f"{last.at['length']:,}: handing over only the relevant passage keeps the text short."
    )
    return ResourceVerdict(
        resource=Resource.RETRIEVAL, verdict=verdict, because=because, basis="both", claims=("CTX-3",)
    )


def _on_margin(dispersion: Finding | None) -> ResourceVerdict:
    verdict, because = Verdict.UNDETERMINED, "The attention of this model cannot be read, or was not."
    if dispersion is not None:
        because = dispersion.says
        if dispersion.standing is not Standing.UNDETERMINED and float(_slope(dispersion, "slope_high")) < 0:
            verdict = Verdict.HELPS
    return ResourceVerdict(
        resource=Resource.MARGIN, verdict=verdict, because=because, basis="both", claims=("CTX-3", "CTX-4")
    )


def _slope(finding: Finding, name: str) -> float:
    return float(finding.measurement.parameters[name])


def _on_parameters(dispersion: Finding | None) -> ResourceVerdict:
    """More parameters at a fixed spread of the logits keep no needle sharp; a measured slope says if it is fixed."""
    verdict, basis = Verdict.UNDETERMINED, "theory"
    because = "At a fixed spread of the attention logits no number of parameters keeps one key sharp as the text grows."
    if dispersion is not None and dispersion.standing is Standing.AGREES:
        verdict, basis = Verdict.CANNOT_PROGRESS, "both"
        because += " The measured margin falls as that law says."
    else:
        because += " Whether this model's spread is fixed was not shown."
    return ResourceVerdict(
        resource=Resource.PARAMETERS, verdict=verdict, because=because, basis=basis, claims=("CTX-3",)
    )
