"""What helps against the language prior: contrast with the question alone, a description first, a reminder to look."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import structs

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import LimitReport, Mitigation
from hardlimit.audit.mitigating.measuring import FEWEST, RIGHT, Outcome, Trial, adjusted, compared
from hardlimit.core import Answered, Estimate, Finding, Generated, Interval, Measurement, quantity, stand
from hardlimit.mitigations.pictures import (
    CaptionFirst,
    LookAgain,
    MitigatedSight,
    PicturePolicy,
    VisualContrast,
    Weights,
    WriteWeights,
    weights_in,
)
from hardlimit.models import Sees, Studies, require
from hardlimit.models.weighing import Weighs
from hardlimit.probes.measuring import grouped, share, tallied
from hardlimit.probes.multimodal import UsualColour
from hardlimit.probes.multimodal.measure import Origin
from hardlimit.theory import multimodal as theory

PAIRS = 104
"""Pairs of pictures that are measured: one in the usual colour, one in another."""

LABELLED_PAIRS = 32
"""Pairs apart from those, on which α and the cut-off are chosen."""

FEWEST_LABELLED = 16
ALPHAS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
CUTOFFS = (0.1, 0.03, 0.01)

AGAINST: Final = Outcome("right answers against what is usual", "higher", RIGHT.counts)
AS_USUAL: Final = Outcome("right answers where all is as usual", "higher", RIGHT.counts)
_BY_MEMBER: Final = ((1, AGAINST), (0, AS_USUAL))
_LABELLED, _MEASURED = 320, 321

CANNOT_WEIGH: Final = (
    "Contrastive decoding was not measured: it takes the likelihood of given answers with the picture and without it, "
    "which {name} does not tell. Models that run here do (`embedded:tiny-eyes`, `local:PATH`)."
)
TOO_FEW: Final = (
    "Contrastive decoding was not measured: the budget was spent before its strength could be chosen. Give it more "
    "(`--limits multimodal --budget 60m`)."
)


class Strength(NamedTuple):
    """How strongly a picture is contrasted, and how many labelled cases chose it."""

    alpha: float
    cutoff: float
    labelled: int


def mitigated(desk: Desk, seed: int, report: LimitReport) -> LimitReport:
    """Measure everything on familiar things, in their usual colour and in another.

    Args:
        desk: of the model alone.
        seed: of everything.
        report: what the study found; its priors and its evidence are what theory predicts from.

    Returns:
        The report with mitigations, with what could not be measured and why, and with what the evidence of a picture
        amounts to under contrast (MM-4).
    """
    if isinstance(desk.model, Studies) or not isinstance(desk.model, Sees):
        return report  # a toy knows only the prompts that it was shown
    trials = [
        _trial(desk, "a description first, then picture and description", CaptionFirst()),
        _trial(desk, "a description first, then the description alone", CaptionFirst(keeps="description")),
        _trial(desk, "a reminder to look at the picture", LookAgain()),
    ]
    strength, missing = None, CANNOT_WEIGH.format(name=desk.model.card.name)
    if isinstance(desk.model, Weighs):
        strength, missing = chosen(labelled(desk.share(0.25), seed)), TOO_FEW
    contrast = None
    if strength is not None:
        name = f"contrast with no picture (α = {strength.alpha:g}, cut-off {strength.cutoff:g})"
        contrast = _trial(desk, name, VisualContrast(alpha=strength.alpha, cutoff=strength.cutoff))
        trials.insert(0, contrast)
    probe = UsualColour()
    cases = probe.cases(seed=seed + _MEASURED, n=2 * PAIRS)
    alone = {item.case.id: item for item in desk.share(1 / (1 + len(trials))).ask(probe, cases, what="without help")}
    asked = [case for case in cases if case.id in alone]
    found: list[Mitigation] = []
    findings: list[Finding] = []
    for place, trial in enumerate(trials):
        assert isinstance(trial.policy, MitigatedSight)
        share_of = desk.share(1 / (len(trials) - place)).with_model(trial.policy)
        helped = share_of.ask(probe, asked, what=f"with {trial.name}")
        found += by_member(trial, alone, helped)
        if trial is contrast and strength is not None:
            origin = Origin(probe=repr(probe), model=trial.policy.card.fingerprint, seed=seed)
            findings += raised_evidence(report.measurements, helped, strength, origin)
    return structs.replace(
        report,
        mitigations=adjusted(found),
        findings=(*report.findings, *findings),
        undecided=(*report.undecided, *((missing,) if strength is None else ())),
    )


def _trial(desk: Desk, name: str, policy: PicturePolicy) -> Trial:
    return Trial(name, MitigatedSight(require(desk.model, Sees), policy))


def by_member(trial: Trial, alone: dict[str, Answered], helped: Sequence[Answered]) -> list[Mitigation]:
    """Compare apart what is against the usual and what is as usual; too few answers of a kind have no entry."""
    found = []
    for member, outcome in _BY_MEMBER:
        items = [item for item in helped if item.case.factors["member"] == member]
        if len(items) >= FEWEST:
            found.append(compared(trial, outcome, alone, items))
    return found


def labelled(desk: Desk, seed: int) -> list[tuple[Weights, Answered]]:
    """Weigh the options of labelled cases, which serve nothing else."""
    probe = UsualColour()
    writing = desk.with_model(MitigatedSight(require(desk.model, Sees), WriteWeights()))
    cases = probe.cases(seed=seed + _LABELLED, n=2 * LABELLED_PAIRS)
    answered = writing.ask(probe, cases, what="how strongly to contrast")
    read = [(weights_in(item.reply), item) for item in answered if isinstance(item.reply, Generated)]
    return [(weights, item) for weights, item in read if weights is not None]


def chosen(known: Sequence[tuple[Weights, Answered]]) -> Strength | None:
    """Choose α and the cut-off with which most labelled cases are right, both kinds of case counting alike.

    Of several, the smallest α, then the largest cut-off: what changes the model least.

    Returns:
        None where fewer than 16 cases of a kind are known.
    """
    kinds = grouped(known, lambda pair: int(pair[1].case.factors["member"]))
    if len(kinds) < 2 or min(map(len, kinds.values())) < FEWEST_LABELLED:
        return None

    def right(alpha: float, cutoff: float) -> float:
        return sum(
            sum(weights.best(alpha, cutoff) in item.case.gold for weights, item in pairs) / len(pairs)
            for pairs in kinds.values()
        )

    grid = [(alpha, cutoff) for alpha in ALPHAS for cutoff in CUTOFFS]
    alpha, cutoff = max(grid, key=lambda each: (right(*each), -each[0], each[1]))
    return Strength(alpha, cutoff, len(known))


def raised_evidence(
    measurements: Iterable[Measurement], helped: Sequence[Answered], strength: Strength, origin: Origin
) -> list[Finding]:
    """The evidence that the contrast made of a picture (MM-4) beside the strongest prior that it overturned.

    Between the colour shown and the usual one of k, a prior of π has odds (k − 1)·π/(1 − π) if the others share the
    rest, and a picture that turns at odds Λ is worth (k − 1)·Λ. The contrast raises that to the power 1 + α and leaves
    the prior alone.
    """
    flips = next((each for each in measurements if each.name == "multimodal.flip_rate"), None)
    unusual = [item for item in helped if item.case.factors["member"] == 1]
    if flips is None or "ratio" not in flips.parameters or not unusual:
        return []
    others = len(unusual[0].case.lures)
    needed = {
        thing: odds
        for thing, items in grouped(unusual, lambda item: str(item.case.factors["thing"])).items()
        if (share(items).interval.low or 0.0) > 0.5 and (odds := _odds(flips.parameters, thing, others)) is not None
    }
    if not needed:
        return []
    thing = max(needed, key=lambda name: needed[name])
    floor = theory.evidence_floor(needed[thing] / (1 + needed[thing]))
    worth = [others * float(flips.parameters[name]) for name in ("ratio", "ratio_low", "ratio_high")]
    value, low, high = (each ** (1 + strength.alpha) for each in worth)
    method = "the turning point without help, raised to the power 1 + α"
    evidence = origin.measurement(
        "evidence_contrasted",
        quantity.LIKELIHOOD_RATIO,
        tallied(unusual),
        value=Estimate(value=value, interval=Interval(low=low, high=high, level=0.95, method=method), n=len(unusual)),
        parameters={"alpha": strength.alpha, "cutoff": strength.cutoff, "labelled": strength.labelled},
        note="α and the cut-off were chosen on labelled cases apart.",
    )
    return [
        Finding(
            claim=floor,
            measurement=evidence,
            standing=stand(floor, evidence),
            says=f"Contrasted with the question alone (α = {strength.alpha:g}), the answer follows the picture of the "
            f"{thing} against odds of {floor.value:.0f} to 1 between the two colours. By itself a picture is worth "
            f"about {worth[0]:.0f} to 1 here; contrasted it counts as {value:.0f} to 1 ({low:.0f}–{high:.0f}), while "
            "the prior stays what it is. That lowers what the language prior decides, not what is seen wrongly.",
        )
    ]


def _odds(parameters: Mapping[str, object], thing: str, others: int) -> float | None:
    """Prior odds of the usual colour against one of the others."""
    prior = parameters.get(f"prior.{thing}")
    return others * prior / (1 - prior) if isinstance(prior, float) and prior < 1 else None
