"""Verdicts about seeing: would a better eye, a larger language model, or other data help this model?"""

from collections.abc import Mapping

from hardlimit.audit.judging import MARGIN
from hardlimit.core import Measurement, Resource, ResourceVerdict, Verdict


def verdicts(found: Mapping[str, Measurement]) -> tuple[ResourceVerdict, ...]:
    """Judge each resource."""
    return _on_encoder(found), _on_parameters(found), _on_data(found)


def _part(by_stage: Measurement, stage: str) -> tuple[float, float, float]:
    """The stage's error with its interval."""
    value, low, high = (float(by_stage.parameters[f"error.{stage}{end}"]) for end in ("", "_low", "_high"))
    return value, low, high


def _on_encoder(found: Mapping[str, Measurement]) -> ResourceVerdict:
    """A better eye helps where shared codes prove that much is lost there; not where nothing can be."""
    verdict, because, basis = Verdict.UNDETERMINED, "The inside of this model was not looked at.", "theory"
    by_stage = found.get("multimodal.error_by_stage")
    if by_stage is not None and by_stage.estimate is not None:
        (value, low, high), (lost, _, most) = _part(by_stage, "encoder"), _part(by_stage, "not_located")
        whole, basis = by_stage.estimate.value, "both"
        because = (
            f"Of {100 * whole:.0f} % wrong answers in all, codes that two answers share prove {100 * value:.1f} % "
            f"({100 * low:.1f}–{100 * high:.1f} %) lost at the encoder, and {100 * lost:.1f} % are not located."
        )
        if low > MARGIN * whole:
            verdict = Verdict.HELPS
        elif high + most < MARGIN * whole:
            verdict = Verdict.CANNOT_PROGRESS
            because += " The eye already gives what the answers need."
    return ResourceVerdict(
        resource=Resource.RESOLUTION, verdict=verdict, because=because, basis=basis, claims=("MM-1", "MM-2")
    )


def _on_parameters(found: Mapping[str, Measurement]) -> ResourceVerdict:
    """A larger language model can remove no more than what is not lost before it."""
    verdict, because, basis = Verdict.UNDETERMINED, "The inside of this model was not looked at.", "theory"
    by_stage = found.get("multimodal.error_by_stage")
    if by_stage is not None and by_stage.estimate is not None:
        (value, low, high), (_, _, most) = _part(by_stage, "language_model"), _part(by_stage, "not_located")
        whole, basis = by_stage.estimate.value, "both"
        because = (
            f"{100 * value:.1f} % of answers ({100 * low:.1f}–{100 * high:.1f} %) are wrong although a simple readout "
            f"finds them behind the projector, of {100 * whole:.0f} % wrong in all"
        )
        if high + most < MARGIN * whole:
            verdict = Verdict.CANNOT_PROGRESS
            because += ": the rest does not reach the language model, however large it is."
        else:
            because += ": a better reader could find them; whether a larger one does is not measured here."
    return ResourceVerdict(
        resource=Resource.PARAMETERS, verdict=verdict, because=because, basis=basis, claims=("MM-1", "MM-4")
    )


def _on_data(found: Mapping[str, Measurement]) -> ResourceVerdict:
    """Data that break the habit help where answers stay with what is usual against a picture that tells the colour."""
    flips = found.get("multimodal.flip_rate")
    verdict, because, basis = Verdict.UNDETERMINED, "No familiar thing was shown in an unusual colour.", "theory"
    if flips is not None and flips.estimate is not None:
        followed = 100 * flips.estimate.value
        because = f"{followed:.0f} % of unusual colours were answered as shown (n = {flips.estimate.n})"
        basis = "both"
        if "turns_at" in flips.parameters:
            verdict = Verdict.HELPS
            turn = 100 * float(flips.parameters["turns_at"])
            because += (
                f"; the others stay with what is usual once the prior is above {turn:.0f} %, "
                "though the same colours are told on other things: pictures that break the habit move that line."
            )
        elif (flips.estimate.interval.low or 0.0) > 1 - MARGIN:
            verdict = Verdict.CANNOT_PROGRESS
            because += ": the picture already wins against the habit."
        else:
            because += "; no prior parts those that were followed from the others."
    return ResourceVerdict(resource=Resource.DATA, verdict=verdict, because=because, basis=basis, claims=("MM-4",))
