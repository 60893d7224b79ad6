"""What the measures of every limit share: where a measurement comes from, and how graded answers become shares."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
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
    Quantity,
    Scalar,
    Tally,
    Value,
)
from hardlimit.stats import cluster_sums, clustered_proportion, estimate

Key = TypeVar("Key", bound=Hashable)
Member = TypeVar("Member")

TRIVIAL_PASSES = 0.8
"""Share of a trivial control that has to be right, or the probe itself is in doubt."""


class Origin(Value, frozen=True):
    """Where answers come from, for the record. Each limit has a subclass that says which limit it is.

    Args:
        probe: the probe's repr, which rebuilds it, or what was searched.
        model: the model's fingerprint, or the encoder's name where no model reads.
        seed: of the cases.
        controls: the probe's controls, judged.
    """

    limit: ClassVar[Limit]

    probe: str
    model: str
    seed: int
    controls: tuple[Control, ...] = ()

    def measurement(
        self,
        name: str,
        measured: Quantity,
        tally: Tally,
        *,
        value: Estimate | None,
        points: Iterable[Point] = (),
        parameters: Mapping[str, Scalar | None] | None = None,
        note: str = "",
    ) -> Measurement:
        """Put a measurement together; its name gets the limit in front, and parameters that are None are left out."""
        return Measurement(
            name=f"{self.limit}.{name}",
            quantity=measured,
            probe=self.probe,
            model=self.model,
            seed=self.seed,
            estimate=value,
            tally=tally,
            points=tuple(points),
            controls=self.controls,
            parameters={key: number for key, number in (parameters or {}).items() if number is not None},
            note=note,
        )


def grouped(items: Iterable[Member], key: Callable[[Member], Key]) -> dict[Key, list[Member]]:
    """Group by a key, in order of first appearance.

    >>> grouped([3, 4, 5], lambda number: number % 2)
    {1: [3, 5], 0: [4]}
    """
    groups: dict[Key, list[Member]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def tallied(answered: Iterable[Answered]) -> Tally:
    """Count the grades of answers."""
    return Tally.of(item.grade for item in answered)


def is_right(item: Answered) -> bool:
    """Whether an answer is right."""
    return item.grade is Grade.RIGHT


def is_wrong(item: Answered) -> bool:
    """Whether an answer is wrong."""
    return item.grade is Grade.WRONG


def share(answered: Sequence[Answered], hit: Callable[[Answered], bool] = is_right) -> Estimate:
    """Share of answers that are a hit, artefacts in the denominator.

    The interval is exact where every case stands alone; where cases share a cluster (a haystack, a template, a pair of
    pictures), clusters are the units of chance.

    Raises:
        InsufficientDataError: no answers.
    """
    if not answered:
        raise InsufficientDataError("A share needs at least one answer, got none.")
    hits = [hit(item) for item in answered]
    artefacts = sum(item.grade in ARTEFACTS for item in answered)
    clusters = [item.case.cluster or item.case.id for item in answered]
    if len(set(clusters)) in (1, len(clusters)):
        return estimate(sum(hits), len(hits), artefacts)
    sums, sizes = cluster_sums([float(each) for each in hits], clusters)
    return clustered_proportion(sums, sizes, artefacts=artefacts)


def point(at: Mapping[str, Scalar], answered: Sequence[Answered], hit: Callable[[Answered], bool] = is_right) -> Point:
    """The share of hits at one place of a curve."""
    return Point(at=dict(at), estimate=share(answered, hit), tally=tallied(answered))
