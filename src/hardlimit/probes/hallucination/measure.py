"""What the answers amount to: from graded answers to measurements, artefacts in the denominator."""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

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
    Quantity,
    Scalar,
    quantity,
)
from hardlimit.probes import measuring
from hardlimit.probes.hallucination.tail import fit_exposures, fit_tail, geometric_mean
from hardlimit.probes.measuring import TRIVIAL_PASSES, grouped, is_right, is_wrong, share, tallied

GIVEN = frozenset({Grade.RIGHT, Grade.WRONG})
"""Grades of replies that hold an answer."""
DECLINED = frozenset({Grade.ABSTAINED, Grade.REFUSED})
"""Grades of replies that decline the question."""
_IMPOSSIBLE_PASSES = 0.05


class Origin(measuring.Origin, frozen=True):
    """Where answers about hallucination come from."""

    limit: ClassVar[Limit] = Limit.HALLUCINATION


def by_factor(answered: Iterable[Answered], factor: str) -> dict[Scalar, list[Answered]]:
    """Group answers by a factor of their cases, in order of first appearance; those without it are left out."""
    return grouped((item for item in answered if factor in item.case.factors), lambda item: item.case.factors[factor])


def answers_given(answered: Iterable[Answered]) -> list[Answered]:
    """Those that gave an answer, right or wrong."""
    return [item for item in answered if item.grade in GIVEN]


def facts(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Hallucination rate on short facts: wrong answers as a share of those given, in all and by family.

    Args:
        answered: answers of `ShortFacts` probes.
        origin: where they come from.

    Returns:
        `hallucination.facts`, with the share of every grade over all cases as parameters; no estimate where the model
        gave no answer.
    """
    points = []
    for family, items in by_factor(answered, "family").items():
        given = answers_given(items)
        if given:
            points.append(Point(at={"family": family}, estimate=share(given, is_wrong), tally=tallied(items)))
    given = answers_given(answered)
    return origin.measurement(
        "facts",
        quantity.HALLUCINATION_RATE,
        tallied(answered),
        value=share(given, is_wrong) if given else None,
        points=points,
        parameters=_shares(answered),
        note="" if given else "The model gave no answer that could be graded right or wrong.",
    )


def _shares(answered: Sequence[Answered]) -> dict[str, Scalar]:
    """Share of each grade over all cases; `correct` with its interval."""
    if not answered:
        return {}
    n = len(answered)
    tally = tallied(answered)
    shares: dict[str, Scalar] = {str(grade): getattr(tally, grade) / n for grade in Grade if grade is not Grade.RIGHT}
    correct = share(answered, is_right)
    ends = {"correct_low": correct.interval.low, "correct_high": correct.interval.high}
    return {"correct": correct.value, **{name: end for name, end in ends.items() if end is not None}, **shares}


def false_refusal(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Share of answerable questions that the model declined (abstained or refused), in all, by family and by kind.

    Args:
        answered: answers of `ShortFacts` and `NonExistent` probes; questions about coined things are left out.
        origin: where they come from.
    """
    answerable = [item for item in answered if item.case.gold]
    return _declining("false_refusal", quantity.FALSE_REFUSAL, answerable, origin, lambda item: item.grade in DECLINED)


def false_acceptance(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Share of questions about coined things that the model answered as if they existed, in all and by kind.

    Args:
        answered: answers of `NonExistent` probes; the real twins are left out of the share.
        origin: where they come from.

    Returns:
        `hallucination.false_acceptance`; `twins.correct` and `twins.declined` tell how the real twins fared.
    """
    coined = [item for item in answered if not item.case.gold and "kind" in item.case.factors]
    twins = [item for item in answered if item.case.gold and "kind" in item.case.factors]
    found = _declining("false_acceptance", quantity.FALSE_ACCEPTANCE, coined, origin, is_wrong)
    if not twins:
        return found
    declined = sum(item.grade in DECLINED for item in twins)
    parameters = {"twins.correct": sum(map(is_right, twins)) / len(twins), "twins.declined": declined / len(twins)}
    return origin.measurement(
        "false_acceptance",
        found.quantity,
        tallied(coined),
        value=found.estimate,
        points=found.points,
        parameters={**parameters, "twins.n": len(twins)},
        note=found.note,
    )


def _declining(
    name: str, measured: Quantity, items: Sequence[Answered], origin: Origin, hit: Callable[[Answered], bool]
) -> Measurement:
    points = [
        Point(at={factor: level}, estimate=share(group, hit), tally=tallied(group))
        for factor in ("family", "kind")
        for level, group in by_factor(items, factor).items()
    ]
    value = share(items, hit) if items else None
    note = "" if items else "No such question was asked."
    return origin.measurement(name, measured, tallied(items), value=value, points=points, note=note)


def accuracy_by_popularity(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Accuracy on short facts by decade of popularity, and the exposure law that fits each family.

    Args:
        answered: answers of `ShortFacts` probes.
        origin: where they come from.

    Returns:
        `hallucination.accuracy_by_popularity`: a point per family and decade, at the geometric mean of its cases'
        popularity. Parameters by family: `FAMILY.exposures_per_unit`, `FAMILY.guess`, `FAMILY.half_known_popularity`.
    """
    points, parameters = [], dict[str, Scalar]()
    asked = [item for items in by_factor(answered, "family").values() for item in items]
    for family, items in by_factor(answered, "family").items():
        for decade, group in sorted(by_factor(items, "decade").items(), key=lambda pair: float(pair[0])):
            at: dict[str, Scalar] = {
                "family": family,
                "decade": decade,
                "popularity": geometric_mean(_popularity(group)),
            }
            points.append(Point(at=at, estimate=share(group, is_right), tally=tallied(group)))
        gradable = without_artefacts(items)
        try:
            fit = fit_exposures(_popularity(gradable), [is_right(item) for item in gradable])
        except InsufficientDataError:
            continue
        parameters[f"{family}.exposures_per_unit"] = fit.rate
        parameters[f"{family}.guess"] = fit.guess
        parameters[f"{family}.half_known_popularity"] = fit.half_known
    return origin.measurement(
        "accuracy_by_popularity",
        quantity.ACCURACY,
        tallied(asked),
        value=share(asked, is_right) if asked else None,
        points=points,
        parameters=parameters,
        note="" if asked else "No short fact was asked.",
    )


def without_artefacts(answered: Iterable[Answered]) -> list[Answered]:
    """Those whose grade says something about knowledge."""
    return [item for item in answered if item.grade not in ARTEFACTS]


def _popularity(answered: Iterable[Answered]) -> list[float]:
    return [float(item.case.factors["popularity"]) for item in answered]


def tail_exponent(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Exponent with which error falls as popularity grows, by family; the summary is the family with most cases.

    Artefacts are left out of the fit, where they would pass for a floor, and counted in the estimate; abstentions are
    errors here, since what is not known is what the law is about.

    Args:
        answered: answers of `ShortFacts` probes.
        origin: where they come from.
    """
    points, parameters, refused = [], dict[str, Scalar](), dict[Scalar, str]()
    for family, items in sorted(by_factor(answered, "family").items(), key=lambda pair: -len(pair[1])):
        gradable = without_artefacts(items)
        popularity, right = _popularity(gradable), [is_right(item) for item in gradable]
        try:
            fit = fit_tail(popularity, right)
            exposures = fit_exposures(popularity, right)
        except InsufficientDataError as error:
            refused[family] = str(error)
            continue
        value = Estimate(value=fit.exponent, interval=fit.interval, n=len(items), artefacts=len(items) - len(gradable))
        points.append(Point(at={"family": family}, estimate=value, tally=tallied(items)))
        parameters[f"{family}.plateau"] = fit.plateau
        parameters[f"{family}.error_at_middle"] = fit.middle
        parameters[f"{family}.middle_popularity"] = fit.x0
        parameters[f"{family}.log_likelihood_over_exposure_law"] = fit.log_likelihood - exposures.log_likelihood
    largest = points[0] if points else None
    note = "Error is min(plateau, error_at_middle · (x / middle_popularity)^(−exponent)); artefacts are not fitted."
    if largest is not None:
        parameters["family"] = largest.at["family"]
    else:
        note = "No family gives an exponent. " + " ".join(f"{family}: {why}" for family, why in refused.items())
    return origin.measurement(
        "tail_exponent",
        quantity.TAIL_EXPONENT,
        tallied([item for items in by_factor(answered, "family").values() for item in items]),
        value=largest.estimate if largest is not None else None,
        points=points,
        parameters=parameters,
        note=note.strip(),
    )


def control(name: str, answered: Sequence[Answered]) -> Control:
    """Judge a control: `trivial` must be right in at least 80 % of cases, `impossible` in at most 5 %.

    The judgement errs towards belief: only an interval that lies wholly on the wrong side fails the probe.

    Args:
        name: `trivial` or `impossible`.
        answered: answers to the control's cases.
    """
    trivial = name == "trivial"
    expected = (
        f"right in at least {TRIVIAL_PASSES:.0%} of cases: the answer stands in the question"
        if trivial
        else f"right in at most {_IMPOSSIBLE_PASSES:.0%} of cases: nothing tells the answer"
    )
    found = share(answered) if answered else None
    if trivial:
        return Control.judged(name, expected, found, at_least=TRIVIAL_PASSES)
    return Control.judged(name, expected, found, at_most=_IMPOSSIBLE_PASSES)
