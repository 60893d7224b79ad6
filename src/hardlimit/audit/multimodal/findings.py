"""Findings about seeing: collisions, the language prior and the weight of the picture beside what this model did."""

from collections.abc import Mapping, Sequence

import numpy as np

from hardlimit.audit.judging import percent
from hardlimit.core import Answered, Estimate, Finding, Interval, Measurement, Standing, Tally, quantity, stand
from hardlimit.probes.measuring import is_right, share, tallied
from hardlimit.probes.multimodal.canvas import PALETTE
from hardlimit.probes.multimodal.measure import Origin
from hardlimit.theory import multimodal as theory


def findings(found: Mapping[str, Measurement], pictured: Sequence[Answered], origin: Origin) -> tuple[Finding, ...]:
    """Set each claim beside its measurement."""
    made = [
        *_merged(found, pictured, origin),
        *_collisions(found, pictured, origin),
        *_prior(found, origin),
        *_mass(found),
    ]
    return tuple(made)


def _collisions(found: Mapping[str, Measurement], pictured: Sequence[Answered], origin: Origin) -> list[Finding]:
    """The error that colliding pairs must cost (MM-2) beside the error on the tasks where they were found."""
    measured = found.get("multimodal.collisions")
    if measured is None:
        return []
    made = []
    for point in measured.points:
        task, low = str(point.at["task"]), point.estimate.interval.low or 0.0
        items = [item for item in pictured if item.case.factors["task"] == task]
        if (point.at["what"], point.at["stage"]) != ("all", "encoder") or low <= 0.0 or not items:
            continue
        wrong = share(items, lambda item: not is_right(item))
        floor = theory.collision_error(low)
        error = origin.measurement(f"error.{task}", quantity.ERROR_RATE, tallied(items), value=wrong)
        made.append(
            Finding(
                claim=floor,
                measurement=error,
                standing=stand(floor, error, margin=0.02),
                says=f"{task}: {percent(point.estimate)} of pairs have one code for two answers, so at least "
                f"{100 * floor.value:.1f} % of answers are wrong whatever reads the code; {percent(wrong)} were.",
            )
        )
    return made


def _merged(found: Mapping[str, Measurement], pictured: Sequence[Answered], origin: Origin) -> list[Finding]:
    """The Bayes ceiling where colours have one code (MM-2) beside the accuracy on colours."""
    measured = found.get("multimodal.collisions")
    items = [item for item in pictured if item.case.factors["task"] == "hue"]
    names = [] if measured is None else [each for each in str(measured.parameters["merged"]).split("; ") if each]
    if not names or not items:
        return []
    codes = {colour: place for place, colour in enumerate(PALETTE)}
    for name in names:
        first, second = name.split(" or ")
        kept, gone = sorted((codes[first], codes[second]))
        codes = {colour: kept if code == gone else code for colour, code in codes.items()}
    table = np.zeros((len(PALETTE), len(PALETTE)))
    for place, colour in enumerate(PALETTE):
        table[codes[colour], place] = 1 / len(PALETTE)
    ceiling = theory.bayes_accuracy(table[table.sum(axis=1) > 0])
    value = share(items)
    accuracy = origin.measurement("accuracy.hue", quantity.ACCURACY, tallied(items), value=value)
    return [
        Finding(
            claim=ceiling,
            measurement=accuracy,
            standing=stand(ceiling, accuracy, margin=0.05),
            says=f"hue: the eye gives {' and '.join(name.replace(' or ', ' and ') for name in names)} one code, so of "
            f"six equally frequent colours at most {100 * ceiling.value:.0f} % can be told; {percent(value)} were.",
        )
    ]


def _prior(found: Mapping[str, Measurement], origin: Origin) -> list[Finding]:
    """The evidence that overturned the strongest prior (MM-4) beside the evidence that the turning point tells."""
    flips = found.get("multimodal.flip_rate")
    if flips is None or "ratio" not in flips.parameters:
        return []
    ratio, low, high = (float(flips.parameters[name]) for name in ("ratio", "ratio_low", "ratio_high"))
    followed = [
        float(point.at["prior"])
        for point in flips.points
        if "prior" in point.at and (point.estimate.interval.low or 0.0) > 0.5
    ]
    floor = theory.evidence_floor(max(followed))
    interval = Interval(low=low, high=high, level=0.95, method="between the last prior overturned and the first kept")
    evidence = origin.measurement(
        "evidence",
        quantity.LIKELIHOOD_RATIO,
        Tally(),
        value=Estimate(value=ratio, interval=interval, n=flips.tally.n),
    )
    return [
        Finding(
            claim=floor,
            measurement=evidence,
            standing=stand(floor, evidence),
            says=f"The answer follows the picture against a prior of {100 * max(followed):.0f} %, which takes a "
            f"likelihood ratio of {floor.value:.1f}, and no longer against one of "
            f"{100 * float(flips.parameters['turns_at_high']):.0f} %: to this model a picture is worth about "
            f"{ratio:.0f} to 1 ({low:.0f}–{high:.0f}).",
        )
    ]


def _mass(found: Mapping[str, Measurement]) -> list[Finding]:
    """Attention on the picture beside what its number of tokens alone would give (MM-4 at ratio 1)."""
    mass = found.get("multimodal.visual_mass")
    if mass is None or mass.estimate is None:
        return []
    images, texts = (round(float(mass.parameters[name])) for name in ("image_tokens", "text_tokens"))
    claim = theory.image_share(images, texts, 1.0)
    standing = stand(claim, mass)
    value = mass.estimate.value
    if standing is Standing.AGREES:
        meaning = "as their number alone would give"
    else:
        meaning = "less than their number would give" if value < claim.value else "more than their number would give"
    return [
        Finding(
            claim=claim,
            measurement=mass,
            standing=standing,
            says=f"Before it answers, {100 * value:.0f} % of the attention lies on {images} picture tokens beside "
            f"{texts} text tokens: {meaning} ({100 * claim.value:.0f} %).",
        )
    ]
