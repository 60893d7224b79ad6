"""What the answers amount to: thresholds, accuracy by difficulty and token limit, the paired drop, controls."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, TypeVar

from hardlimit.core import (
    ARTEFACTS,
    Answered,
    Control,
    Estimate,
    Grade,
    InsufficientDataError,
    Limit,
    Measurement,
    Point,
    Scalar,
    Value,
    quantity,
)
from hardlimit.probes import measuring
from hardlimit.probes.measuring import TRIVIAL_PASSES, grouped, tallied
from hardlimit.probes.reasoning.batched import batched_share
from hardlimit.probes.reasoning.climbing import trials
from hardlimit.probes.reasoning.family import Family
from hardlimit.probes.reasoning.threshold import Belief, Ladder, Threshold
from hardlimit.stats import compare_paired, holm

Key = TypeVar("Key")
Member = TypeVar("Member")


class Origin(measuring.Origin, frozen=True):
    """Where answers about reasoning come from."""

    limit: ClassVar[Limit] = Limit.REASONING


class Searched(Value, frozen=True):
    """One family's search and the answers of it.

    Args:
        probe: what was asked, at no level in particular.
        ladder: the levels searched.
        answered: all answers of the search, in any order.
    """

    probe: Family
    ladder: Ladder
    answered: tuple[Answered, ...]


def threshold(searches: Sequence[Searched], origin: Origin) -> Measurement:
    """The difficulty at which accuracy is half way between chance and 1, by family, with and without a scratchpad.

    The summary is the first family's threshold where there is one family asked in one way; else there is none, since
    the difficulties of families are not of one unit.

    Raises:
        InsufficientDataError: no search, or one without answers.
    """
    points, notes = [], []
    parameters: dict[str, Scalar] = {}
    for search in searches:
        posterior = Threshold(search.ladder)
        for trial in trials(search.answered):
            posterior.record(trial)
        tally = tallied(search.answered)
        value = posterior.estimate(tally.artefacts)
        belief, family, thinks = posterior.belief(), search.probe.family, search.probe.scratchpad
        points.append(Point(at={"family": family, "scratchpad": thinks}, estimate=value, tally=tally))
        key = f"{family}.{str(thinks).lower()}"
        parameters |= {
            f"unit.{family}": search.probe.unit,
            f"slope.{key}": belief.slope,
            f"slope.{key}_low": belief.slope_low,
            f"slope.{key}_high": belief.slope_high,
            f"outcome.{key}": belief.outcome,
            f"easiest.{key}": search.ladder.difficulties[0],
            f"hardest.{key}": search.ladder.difficulties[-1],
        }
        notes.append(_says(family, thinks, belief, search))
    if not points:
        raise InsufficientDataError("Thresholds need at least one family that was asked, got none.")
    return origin.measurement(
        "threshold",
        quantity.REASONING_THRESHOLD,
        tallied(item for search in searches for item in search.answered),
        value=points[0].estimate if len(points) == 1 else None,
        points=points,
        parameters=parameters,
        note=" ".join(notes),
    )


def _says(family: str, thinks: bool, belief: Belief, search: Searched) -> str:
    mode = "step by step" if thinks else "at once"
    unit, ladder = search.probe.unit, search.ladder
    if belief.low is None and belief.high is None:
        return f"{family}, {mode}: not known, between {ladder.difficulties[0]:.3g} and beyond {unit} or outside them."
    if belief.low is None:
        return (
            f"{family}, {mode}: at most {belief.high:.3g} {unit}; the easiest level, {ladder.difficulties[0]:.3g}, may "
            "already be too hard."
        )
    if belief.high is None:
        return (
            f"{family}, {mode}: at least {belief.low:.3g} {unit}; accuracy may not fall half way within "
            f"{ladder.difficulties[-1]:.3g}, the hardest level asked."
        )
    return f"{family}, {mode}: {belief.threshold:.3g} {unit} (between {belief.low:.3g} and {belief.high:.3g})."


def accuracy(answered: Sequence[Answered]) -> Estimate:
    """Share of right answers, artefacts in the denominator; the answers of a batch may be alike.

    Raises:
        InsufficientDataError: no answers.
    """
    batches = [(trial.right, trial.n) for trial in trials(answered)]
    return batched_share(batches, artefacts=sum(item.grade in ARTEFACTS for item in answered))


def accuracy_by_difficulty(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Accuracy and artefacts of each family at each difficulty, with and without a scratchpad.

    Raises:
        InsufficientDataError: no answers.
    """
    names = ("family", "scratchpad", "difficulty")
    return origin.measurement(
        "accuracy_by_difficulty",
        quantity.ACCURACY,
        tallied(answered),
        value=accuracy(_some(answered)),
        points=_points(answered, names),
        note="The summary is over all answers, wherever the search asked.",
    )


def token_budget(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Accuracy and artefacts of each family by the tokens a reply may have; the summary is that at the largest.

    Raises:
        InsufficientDataError: no answers.
    """
    points = _points(_some(answered), ("family", "budget"))
    most = max(int(point.at["budget"]) for point in points)
    last = [item for item in answered if item.case.factors["budget"] == most]
    parameters: dict[str, Scalar] = {}
    for point in points:
        if point.tally is not None:
            parameters[f"truncated.{point.at['family']}.{point.at['budget']}"] = point.tally.truncated / point.tally.n
    return origin.measurement(
        "token_budget",
        quantity.ACCURACY,
        tallied(answered),
        value=accuracy(last),
        points=points,
        parameters=parameters,
        note=f"The summary is the accuracy at {most} tokens; what a smaller limit takes away is no failure to reason.",
    )


def paired_drop(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Accuracy lost when the familiar answer is wrong, by kind of change, on pairs of which both forms were answered.

    A pair is a problem in its familiar form and the same problem changed. `p.<kind>` is exact (McNemar) and adjusted
    for the number of kinds (Holm); `familiar.<kind>` is the share of the wrong answers to changed problems that are
    the familiar answer, which is missing where no answer was wrong.

    Raises:
        InsufficientDataError: no pair is complete.
    """
    pairs = _pairs(_some(answered))
    kinds = grouped(pairs, lambda pair: str(pair[0].case.factors["kind"]))
    compared = {
        kind: compare_paired(*([item.grade is Grade.RIGHT for item in form] for form in zip(*part, strict=True)))
        for kind, part in kinds.items()
    }
    adjusted = dict(zip(compared, holm([result.p_value for result in compared.values()]), strict=True))
    points, parameters = [], dict[str, Scalar]()
    for kind, result in compared.items():
        changed, familiar = ([*form] for form in zip(*kinds[kind], strict=True))
        tally = tallied(changed + familiar)
        points.append(Point(at={"kind": kind}, estimate=_with(result.difference, tally.artefacts), tally=tally))
        parameters |= {
            f"p.{kind}": float(adjusted[kind]),
            f"n.{kind}": len(changed),
            f"changed.{kind}": result.first,
            f"unchanged.{kind}": result.second,
        }
        wrong = [item for item in changed if item.grade is Grade.WRONG]
        parameters[f"wrong.{kind}"] = len(wrong)
        if wrong:
            parameters[f"familiar.{kind}"] = sum(item.answer == item.case.lures[0] for item in wrong) / len(wrong)
    everything = compare_paired(*([item.grade is Grade.RIGHT for item in form] for form in zip(*pairs, strict=True)))
    tally = tallied(item for pair in pairs for item in pair)
    return origin.measurement(
        "paired_drop",
        quantity.FAMILIARITY_DROP,
        tally,
        value=_with(everything.difference, tally.artefacts),
        points=points,
        parameters=parameters,
        note="Accuracy in the familiar form minus accuracy in the changed one, on the same problems; p-values are "
        "exact (McNemar) and adjusted for the number of kinds (Holm).",
    )


def _pairs(answered: Iterable[Answered]) -> list[tuple[Answered, Answered]]:
    """Both forms of every problem that was answered in both: changed first."""
    forms: dict[str, dict[str, Answered]] = {}
    for item in answered:
        forms.setdefault(item.case.cluster, {})[str(item.case.factors["form"])] = item
    pairs = [(both["changed"], both["familiar"]) for both in forms.values() if len(both) == 2]
    if not pairs:
        raise InsufficientDataError("A paired drop needs at least one problem answered in both forms, got none.")
    return pairs


def _with(difference: Estimate, artefacts: int) -> Estimate:
    return Estimate(value=difference.value, interval=difference.interval, n=difference.n, artefacts=artefacts)


def control(name: str, answered: Sequence[Answered], chance: float) -> Control:
    """Judge a control: `trivial` must be right in at least 80 % of cases, all others no more often than a guess.

    The judgement errs towards belief: only an interval that lies wholly on the wrong side fails the probe.

    Args:
        name: `trivial`, `impossible` or `shortcut`.
        answered: answers to the control's cases.
        chance: accuracy of a guess.
    """
    expected = {
        "trivial": f"right in at least {TRIVIAL_PASSES:.0%} of cases: the answer is told",
        "impossible": f"right in at most {chance:.0%} of cases: the facts are withheld",
        "shortcut": f"right in at most {chance:.0%} of cases: what is asked about is not told",
    }[name]
    found = accuracy(answered) if answered else None
    if name == "trivial":
        return Control.judged(name, expected, found, at_least=TRIVIAL_PASSES)
    return Control.judged(name, expected, found, at_most=chance)


def _points(answered: Sequence[Answered], names: Sequence[str]) -> list[Point]:
    groups = grouped(answered, lambda item: tuple(item.case.factors[name] for name in names))
    return [
        Point(at=dict(zip(names, at, strict=True)), estimate=accuracy(groups[at]), tally=tallied(groups[at]))
        for at in sorted(groups)
    ]


def _some(answered: Sequence[Answered]) -> Sequence[Answered]:
    if not answered:
        raise InsufficientDataError("An accuracy needs at least one answer, got none.")
    return answered
