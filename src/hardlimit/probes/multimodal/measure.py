"""What the answers amount to: by case and by pair, against the text alone, and against what is usual."""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import numpy as np

from hardlimit.core import (
    ARTEFACTS,
    Answered,
    Control,
    Estimate,
    Interval,
    Limit,
    Measurement,
    Point,
    Quantity,
    Scalar,
    Tally,
    quantity,
)
from hardlimit.probes import measuring
from hardlimit.probes.measuring import TRIVIAL_PASSES, grouped, is_right, share, tallied
from hardlimit.stats import cluster_bootstrap, estimate

PAIR_CHANCE = 0.25
"""Pairs right by guessing between two answers; by a fixed answer, none are."""

_REPLICATES = 2000


class Origin(measuring.Origin, frozen=True):
    """Where answers about pictures come from."""

    limit: ClassVar[Limit] = Limit.MULTIMODAL


def by_factor(answered: Iterable[Answered], *factors: str) -> dict[tuple[Scalar, ...], list[Answered]]:
    """Group answers by factors of their cases, in order of first appearance."""
    return grouped(answered, lambda item: tuple(item.case.factors[name] for name in factors))


def pairs(answered: Iterable[Answered]) -> list[tuple[Answered, Answered]]:
    """Put the two answers of each pair together, in order of first appearance; half a pair is left out."""
    found: dict[str, dict[int, Answered]] = {}
    for item in answered:
        found.setdefault(item.case.cluster, {})[int(item.case.factors["member"])] = item
    return [(both[0], both[1]) for both in found.values() if len(both) == 2]


def pair_share(answered: Sequence[Answered], hit: Callable[[Answered, Answered], bool]) -> Estimate | None:
    """Share of pairs that are a hit, exact; None without a whole pair. `artefacts` counts pairs with one."""
    whole = pairs(answered)
    if not whole:
        return None
    artefacts = sum(first.grade in ARTEFACTS or second.grade in ARTEFACTS for first, second in whole)
    return estimate(sum(hit(first, second) for first, second in whole), len(whole), artefacts)


def accuracy(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Share of cases answered right, in all and by task.

    Raises:
        InsufficientDataError: no answers.
    """
    points = [
        Point(at={"task": task}, estimate=share(items), tally=tallied(items))
        for (task,), items in by_factor(answered, "task").items()
    ]
    note = "Each question is asked about two pictures with two different answers: a fixed answer is right in half."
    return origin.measurement(
        "accuracy", quantity.ACCURACY, tallied(answered), value=share(answered), points=points, note=note
    )


def pair_accuracy(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Share of pairs with both pictures answered right, in all and by task; guessing has 25 %, a fixed answer none.

    Raises:
        InsufficientDataError: no answers.
    """
    points, parameters = [], dict[str, Scalar](chance=PAIR_CHANCE)
    for (task,), items in by_factor(answered, "task").items():
        value = pair_share(items, lambda first, second: is_right(first) and is_right(second))
        if value is not None:
            tally = tallied(items)
            points.append(Point(at={"task": task}, estimate=value, tally=tally))
            parameters[f"same.{task}"] = sum(a.answer == b.answer for a, b in pairs(items)) / value.n
    value = pair_share(answered, lambda first, second: is_right(first) and is_right(second))
    note = "The dashed line at 25 % is guessing between the two answers; `same` is the share of pairs answered alike."
    return origin.measurement(
        "pair_accuracy",
        quantity.PAIR_ACCURACY,
        tallied(answered),
        value=value,
        points=points,
        parameters=parameters,
        note=note if value is not None else "No pair was answered whole.",
    )


def accuracy_by_place(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Share of pairs of the task `spot` with both answers right, by the place of the mark: 4 × 4 places.

    The parameters `blind_share`, `_low` and `_high` tell how much of the picture is surely not seen: places where the
    upper end of the interval (Bonferroni over the places) lies below 50 %.
    """
    items = [item for item in answered if "row" in item.case.factors]
    points = []
    blind, unclear = [], []
    places = by_factor(items, "row", "column")
    for (row, column), there in sorted(places.items(), key=lambda pair: tuple(map(int, pair[0]))):
        value = pair_share(there, lambda first, second: is_right(first) and is_right(second))
        if value is None:
            continue
        points.append(Point(at={"row": row, "column": column}, estimate=value, tally=Tally.of(i.grade for i in there)))
        wide = estimate(round(value.value * value.n), value.n, level=1 - 0.05 / 16).interval
        if (wide.high or 0.0) < 0.5:
            blind.append(f"{row},{column}")
        elif (wide.low or 0.0) < 0.5:
            unclear.append(f"{row},{column}")
    parameters: dict[str, Scalar] = {}
    if len(points) == len(places) and points:
        parameters = {
            "blind_places": "; ".join(blind),
            "unclear_places": "; ".join(unclear),
            "blind_share": len(blind) / len(points),
            "blind_share_low": len(blind) / len(points),
            "blind_share_high": (len(blind) + len(unclear)) / len(points),
        }
    return origin.measurement(
        "accuracy_by_place",
        quantity.PAIR_ACCURACY,
        tallied(items),
        value=pair_share(items, lambda first, second: is_right(first) and is_right(second)),
        points=points,
        parameters=parameters,
        note="A small cross stands in one of 4 × 4 places, or there is none; rows count from the top.",
    )


def widened(found: Estimate, units: int, least: float) -> Estimate:
    """Widen a bootstrap's interval by what none of the units has shown: resampling units that agree never leaves them.

    Args:
        found: a mean of values in [least, 1].
        units: independent units behind it.
        least: the smallest value that a unit can have.

    >>> from hardlimit.core import Interval
    >>> alike = Estimate(value=1.0, interval=Interval(low=1.0, high=1.0, level=0.95, method="b"), n=6)
    >>> round(widened(alike, 6, 0.0).interval.low, 2)
    0.54
    """
    level = found.interval.level
    unseen = 1 - ((1 - level) / 2) ** (1 / units)
    low, high = found.value - unseen * (found.value - least), found.value + unseen * (1 - found.value)
    interval = Interval(
        low=min(low, found.value if found.interval.low is None else found.interval.low),
        high=max(high, found.value if found.interval.high is None else found.interval.high),
        level=level,
        method=found.interval.method,
    )
    return Estimate(value=found.value, interval=interval, n=found.n, artefacts=found.artefacts)


def _gap(
    name: str, measured: Quantity, arms: tuple[Sequence[Answered], Sequence[Answered]], origin: Origin, note: str
) -> Measurement:
    """Difference of accuracy between two arms on the same pairs, by task: the second minus the first."""
    first = {_twin(item): is_right(item) for item in arms[0]}
    both = [item for item in arms[1] if _twin(item) in first]
    rng = np.random.default_rng([origin.seed, 5])

    def difference(items: Sequence[Answered]) -> Estimate | None:
        change = [float(is_right(item)) - float(first[_twin(item)]) for item in items]
        clusters = [item.case.cluster for item in items]
        if len(set(clusters)) < 2:
            return None
        drawn = cluster_bootstrap(change, clusters, rng=rng, replicates=_REPLICATES)
        return widened(drawn, len(set(clusters)), -1.0)

    points = []
    for (task,), items in by_factor(both, "task").items():
        value = difference(items)
        if value is not None:
            points.append(Point(at={"task": task}, estimate=value))
    n = max(len(both), 1)
    parameters: dict[str, Scalar] = {
        "first": sum(first[_twin(item)] for item in both) / n,
        "second": sum(map(is_right, both)) / n,
    }
    value = difference(both)
    return origin.measurement(
        name, measured, tallied(both), value=value, points=points, parameters=parameters if both else {}, note=note
    )


def _twin(item: Answered) -> tuple[str, Scalar]:
    return item.case.cluster, item.case.factors["member"]


def text_prior_gap(pictured: Sequence[Answered], blind: Sequence[Answered], origin: Origin) -> Measurement:
    """Accuracy with the picture minus accuracy without any: what seeing adds to what the text alone gives.

    Args:
        pictured: answers with pictures.
        blind: answers to the same cases without pictures.
        origin: where they come from.
    """
    note = "`first` is the accuracy without a picture, `second` with it; 0 means that seeing adds nothing."
    return _gap("text_prior_gap", quantity.TEXT_PRIOR_GAP, (blind, pictured), origin, note)


def caption_gap(pictured: Sequence[Answered], told: Sequence[Answered], origin: Origin) -> Measurement:
    """Accuracy with a description in place of the picture minus accuracy with the picture.

    Args:
        pictured: answers with pictures.
        told: answers to the same cases where words tell what the picture shows.
        origin: where they come from.
    """
    note = "`first` is the accuracy with the picture, `second` with a description in its place: what reading has over "
    return _gap("caption_gap", quantity.CAPTION_GAP, (pictured, told), origin, note + "seeing.")


def yes_ratio(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Share of yes among the answers to yes-or-no questions, half of which have yes as their answer."""
    items = [item for item in answered if item.case.gold and item.case.gold[0] in ("yes", "no")]
    given = [item for item in items if item.answer in ("yes", "no")]

    def yes(item: Answered) -> bool:
        return item.answer == "yes"

    points = [
        Point(at={"task": task}, estimate=share(group, yes), tally=tallied(group))
        for (task,), group in by_factor(given, "task").items()
    ]
    note = "Half of the questions have yes as their answer." if given else "No yes-or-no question was answered."
    return origin.measurement(
        "yes_ratio",
        quantity.YES_RATIO,
        tallied(items),
        value=share(given, yes) if given else None,
        points=points,
        note=note,
    )


def control(name: str, answered: Sequence[Answered]) -> Control:
    """Judge a control: `trivial` must be right in at least 80 % of cases, the others in no more pairs than guesses.

    The judgement errs towards belief: only an interval that lies wholly on the wrong side fails the probe.

    Args:
        name: `trivial` (a description), `impossible` (no picture) or `shortcut` (another pair's picture).
        answered: answers to the control's cases.
    """
    trivial = name == "trivial"
    expected = {
        "trivial": f"right in at least {TRIVIAL_PASSES:.0%} of cases: words in place of the picture tell the answer",
        "impossible": f"at most {PAIR_CHANCE:.0%} of pairs right: there is no picture",
        "shortcut": f"at most {PAIR_CHANCE:.0%} of pairs right: the picture is another pair's",
    }[name]
    found = (
        (share(answered) if answered else None)
        if trivial
        else pair_share(answered, lambda first, second: is_right(first) and is_right(second))
    )
    if trivial:
        return Control.judged(name, expected, found, at_least=TRIVIAL_PASSES)
    return Control.judged(name, expected, found, at_most=PAIR_CHANCE)
