"""What the answers amount to: accuracy by length and depth, effective context, controls."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import (
    ARTEFACTS,
    Answered,
    Control,
    Estimate,
    Grade,
    InsufficientDataError,
    Interval,
    Limit,
    Measurement,
    Point,
    Scalar,
    quantity,
)
from hardlimit.probes import measuring
from hardlimit.probes.context.adaptive import batches
from hardlimit.probes.measuring import TRIVIAL_PASSES, grouped, point, share, tallied
from hardlimit.stats.intervals import expanded_tail
from hardlimit.stats.threshold import Belief, Search, Threshold

Key = TypeVar("Key")

SAME_LENGTH = 2**0.3
"""Lengths within this factor make one point of a curve: adaptive placement asks at many close ones."""


class Origin(measuring.Origin, frozen=True):
    """Where answers about context come from."""

    limit: ClassVar[Limit] = Limit.CONTEXT


def accuracy_by_length(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Accuracy of each variant at each length; the summary is that of the first variant at the longest.

    Raises:
        InsufficientDataError: no answers.
    """
    points = []
    for variant, items in grouped(answered, lambda item: str(item.case.factors["variant"])).items():
        for length, there in _by_length(items).items():
            points.append(point({"variant": variant, "length": length}, there))
    _require(points)
    first = [point for point in points if point.at["variant"] == points[0].at["variant"]]
    return origin.measurement(
        "accuracy_by_length",
        quantity.ACCURACY,
        tallied(answered),
        value=first[-1].estimate,
        points=points,
        note=f"The summary is the accuracy of '{first[-1].at['variant']}' at {first[-1].at['length']} tokens.",
    )


def accuracy_by_depth(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Accuracy of each variant at each length and depth; the summary is that of all answers together.

    Raises:
        InsufficientDataError: no answers.
    """
    points = []
    for variant, items in grouped(answered, lambda item: str(item.case.factors["variant"])).items():
        for length, there in _by_length(items).items():
            by_depth = grouped(there, lambda item: float(item.case.factors["depth"]))
            points += [
                point({"variant": variant, "length": length, "depth": depth}, by_depth[depth])
                for depth in sorted(by_depth)
            ]
    _require(points)
    note = "Depth 0 is the beginning of the story, 1 its end; a random depth counts at the middle of its stretch."
    return origin.measurement(
        "accuracy_by_depth", quantity.ACCURACY, tallied(answered), value=share(answered), points=points, note=note
    )


def effective(answered: Sequence[Answered], search: Search, origin: Origin) -> Measurement:
    """Effective context from the posterior of an adaptive search; the order of the answers does not matter.

    Args:
        answered: answers of the variant that was searched.
        search: what was looked for.
        origin: where the answers come from.

    Raises:
        InsufficientDataError: no answers.
    """
    posterior = Threshold(search)
    for batch in batches(answered):
        posterior.record(batch)
    value = posterior.estimate(sum(item.grade in ARTEFACTS for item in answered))
    belief = posterior.belief()
    parameters: dict[str, Scalar] = {
        "variant": str(answered[0].case.factors["variant"]),
        "base_accuracy": belief.base,
        "base_low": belief.base_low,
        "base_high": belief.base_high,
        "threshold": search.ratio * belief.base,
        "shortest": search.shortest,
        "longest": search.longest,
        "outcome": belief.outcome,
        "haystacks": belief.batches,
    }
    return origin.measurement(
        "effective",
        quantity.EFFECTIVE_CONTEXT,
        tallied(answered),
        value=value,
        parameters=parameters,
        note=_says(belief, search),
    )


def _says(belief: Belief, search: Search) -> str:
    base = f"{belief.base:.0%} (between {belief.base_low:.0%} and {belief.base_high:.0%})"
    if belief.threshold is None:
        return (
            f"The base accuracy at {search.shortest} tokens is too low to measure a fall from: {base}, where "
            f"{search.least_base:.0%} is needed. Effective context has no value here."
        )
    if belief.outcome == "beyond" or belief.threshold >= search.longest:
        return (
            f"Accuracy does not fall to {search.ratio:.0%} of its base {base} within {search.longest} tokens, the "
            f"longest asked (probability {belief.beyond:.0%}): the value is a lower limit."
        )
    if belief.outcome == "found":
        return f"Where accuracy falls to {search.ratio:.0%} of its base {base} at {search.shortest} tokens."
    return (
        f"Where accuracy falls to {search.ratio:.0%} of its base {base} at {search.shortest} tokens; asking ended "
        f"before the interval was within ±{search.precision:.0%}."
    )


def effective_by_interpolation(
    answered: Sequence[Answered],
    origin: Origin,
    *,
    rng: np.random.Generator,
    ratio: float = 0.85,
    level: float = 0.95,
    replicates: int = 2000,
) -> Measurement:
    """Effective context from a grid: linear interpolation in log length, with a cluster bootstrap over haystacks.

    Args:
        answered: answers of one variant at two or more lengths, several haystacks each.
        origin: where the answers come from.
        rng: source of the bootstrap.
        ratio: share of the accuracy at the shortest length that counts as effective.
        level: confidence.
        replicates: of the bootstrap.

    Raises:
        InsufficientDataError: fewer than 2 lengths, or fewer than 2 haystacks at one of them.
    """
    lengths, right, sizes = _table(answered)
    logs = np.log2(lengths)
    shares = np.array([part.sum() / size.sum() for part, size in zip(right, sizes, strict=True)])
    crossing = float(_crossings(shares[None, :], logs, ratio)[0])
    drawn = _resampled(right, sizes, _paired(answered), replicates, rng)
    crossings = np.sort(_crossings(drawn, logs, ratio))
    outside = expanded_tail(level, min(len(part) for part in right))
    low, high = (float(crossings[min(int(share * replicates), replicates - 1)]) for share in (outside, 1 - outside))
    interval = Interval(
        low=float(2 ** min(low, logs[-1])),
        high=None if np.isinf(high) else float(2**high),
        level=level,
        method="cluster bootstrap of haystacks, interpolated in log length",
    )
    beyond = np.isinf(crossing)
    value = Estimate(
        value=float(2 ** min(crossing, logs[-1])),
        interval=interval,
        n=len(answered),
        artefacts=sum(item.grade in ARTEFACTS for item in answered),
    )
    note = (
        f"Accuracy does not fall to {ratio:.0%} of its base within {lengths[-1]:g} tokens: the value is a lower limit."
        if beyond
        else f"Where accuracy falls to {ratio:.0%} of that at {lengths[0]:g} tokens, between two lengths of the grid."
    )
    parameters: dict[str, Scalar] = {
        "variant": str(answered[0].case.factors["variant"]),
        "base_accuracy": float(shares[0]),
        "threshold": float(ratio * shares[0]),
        "shortest": float(lengths[0]),
        "longest": float(lengths[-1]),
    }
    return origin.measurement(
        "effective", quantity.EFFECTIVE_CONTEXT, tallied(answered), value=value, parameters=parameters, note=note
    )


def control(name: str, answered: Sequence[Answered], chance: float) -> Control:
    """Judge a control: `trivial` must be right in at least 80 % of cases, all others no more often than a guess.

    The judgement errs towards belief: only an interval that lies wholly on the wrong side fails the probe.

    Args:
        name: `trivial`, `impossible` or `shortcut`.
        answered: answers to the control's cases.
        chance: accuracy of a guess among the persons.
    """
    expected = {
        "trivial": f"right in at least {TRIVIAL_PASSES:.0%} of cases: nothing but the needle is there",
        "impossible": f"right in at most {chance:.0%} of cases: the story has lost its needles",
        "shortcut": f"right in at most {chance:.0%} of cases: there is no story",
    }[name]
    found = share(answered) if answered else None
    if name == "trivial":
        return Control.judged(name, expected, found, at_least=TRIVIAL_PASSES)
    return Control.judged(name, expected, found, at_most=chance)


def _table(
    answered: Sequence[Answered],
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Lengths in order, and per length the right answers and the cases of each haystack, by its number."""
    by_length = grouped(answered, lambda item: float(item.case.factors["length"]))
    lengths = sorted(by_length)
    right, sizes = [], []
    for length in lengths:
        haystacks = grouped(by_length[length], lambda item: int(item.case.factors["haystack"]))
        items = [haystacks[index] for index in sorted(haystacks)]
        right.append(np.array([sum(item.grade is Grade.RIGHT for item in part) for part in items], float))
        sizes.append(np.array([len(part) for part in items], float))
    if len(lengths) < 2 or min(len(part) for part in sizes) < 2:
        raise InsufficientDataError(
            f"Interpolation needs at least 2 lengths with 2 haystacks each, got {len(lengths)} lengths with "
            f"{[len(part) for part in sizes]} haystacks."
        )
    return np.array(lengths), right, sizes


def _paired(answered: Sequence[Answered]) -> bool:
    """Whether every length has the same haystack numbers, hence the same needles."""
    by_length = grouped(answered, lambda item: float(item.case.factors["length"]))
    return len({frozenset(int(item.case.factors["haystack"]) for item in items) for items in by_length.values()}) == 1


def _resampled(
    right: Sequence[NDArray[np.float64]],
    sizes: Sequence[NDArray[np.float64]],
    paired: bool,
    replicates: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Accuracies `(replicates, lengths)` with haystacks drawn again, the same ones at every length where paired."""
    columns = []
    weights = None
    for part, size in zip(right, sizes, strict=True):
        if weights is None or not paired:
            weights = rng.multinomial(len(part), np.full(len(part), 1 / len(part)), size=replicates)
        columns.append((weights @ part) / (weights @ size))
    return np.stack(columns, axis=1)


def _crossings(shares: NDArray[np.float64], logs: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """Log2 length at which each row last falls below ratio · its first value; infinite where it never does."""
    targets = ratio * shares[:, :1]
    last = shares.shape[1] - 1 - np.argmax((shares >= targets)[:, ::-1], axis=1)
    end = last == shares.shape[1] - 1
    after = np.where(end, last, last + 1)
    rows = np.arange(len(shares))
    above, below = shares[rows, last], shares[rows, after]
    step = np.where(end, 0.0, (above - targets[:, 0]) / np.where(above > below, above - below, 1.0))
    result: NDArray[np.float64] = np.where(end, np.inf, logs[last] + step * (logs[after] - logs[last]))
    return result


def _by_length(answered: Iterable[Answered]) -> dict[int, list[Answered]]:
    """Group by length, ascending, close lengths together under their mean (geometric, weighted by answers)."""
    exact = grouped(answered, lambda item: int(item.case.factors["length"]))
    runs: list[list[int]] = []
    for length in sorted(exact):
        if runs and length < runs[-1][0] * SAME_LENGTH:
            runs[-1].append(length)
        else:
            runs.append([length])
    groups = {}
    for run in runs:
        items = [item for length in run for item in exact[length]]
        mean = 2 ** float(np.mean([np.log2(float(item.case.factors["length"])) for item in items]))
        groups[round(mean)] = items
    return groups


def _require(points: Sequence[Point]) -> None:
    if not points:
        raise InsufficientDataError("An accuracy needs at least one answer, got none.")
