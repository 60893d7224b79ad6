"""A curve: one metric of one task, measured at several scales of one resource, everything else held fixed."""

import math
from itertools import pairwise
from typing import Literal

import numpy as np

from hardlimit.core import InsufficientDataError, InvalidValueError, Resource, Value
from hardlimit.scaling.nested import Floats


class ScalePoint(Value, frozen=True):
    """One scale and what was measured there; the scale, not the seed, is the independent unit.

    Args:
        scale: amount of the resource, > 0.
        value: the metric, a mean over seeds where there are several.
        n: items behind it, where known.
        stderr: its standard error in the metric's unit, where known.
        model: who was measured.
    """

    scale: float
    value: float
    n: int | None = None
    stderr: float | None = None
    model: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.scale > 0:
            raise InvalidValueError(f"A scale must be > 0, got {self.scale:g} for {self.model or 'a point'}.")
        if self.n is not None and self.n < 1:
            raise InvalidValueError(f"n must be >= 1 where it is known, got {self.n}; absence is None.")
        if self.stderr is not None and self.stderr < 0:
            raise InvalidValueError(f"A standard error must be >= 0, got {self.stderr:g}.")


class Curve(Value, frozen=True):
    """One metric of one task over several scales of one resource.

    The loss that laws are fitted to is the distance to the best possible value: `best - value` where higher is
    better, `value - best` where lower is.

    Args:
        task: what was measured.
        metric: how it is scored.
        points: in increasing scale, each scale once.
        resource: what grows.
        better: the direction a user wants.
        fraction: whether the metric is a share of items, so that its noise follows from n.
        best: the best possible value: 1 for an accuracy, less by the share of wrong labels where that is known.
        chance: what guessing scores, where known.
        subject: group that the task belongs to.
        apart: whether its items are also those of other tasks of the subject, so that they must not be added up.
        family: the models' family.
    """

    task: str
    metric: str
    points: tuple[ScalePoint, ...]
    resource: Resource = Resource.PARAMETERS
    better: Literal["higher", "lower"] = "higher"
    fraction: bool = True
    best: float = 1.0
    chance: float | None = None
    subject: str = ""
    apart: bool = False
    family: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        name = f"{self.task}/{self.metric}"
        scales = [point.scale for point in self.points]
        if len(set(scales)) < 2:
            raise InsufficientDataError(
                f"{name} was measured at {len(set(scales))} scale; a curve needs at least 2 different ones."
            )
        if any(later <= earlier for earlier, later in pairwise(scales)):
            raise InvalidValueError(f"{name} needs each scale once and in increasing order, got {scales}.")
        if self.fraction and not all(0.0 <= point.value <= 1.0 for point in self.points):
            raise InvalidValueError(
                f"{name} is a share of items, so its values must lie in [0, 1]; got "
                f"{[point.value for point in self.points]}. Percentages must be divided by 100."
            )

    @classmethod
    def of(
        cls, scales: Floats | list[float], values: Floats | list[float], *, task: str = "task", metric: str = "loss"
    ) -> "Curve":
        """A plain loss curve (lower is better, 0 is best) from two lists.

        >>> Curve.of([1e8, 1e9], [3.1, 2.7]).decades
        1.0
        """
        points = tuple(
            ScalePoint(scale=float(x), value=float(y))
            for x, y in sorted(zip(scales, values, strict=True), key=lambda pair: pair[0])
        )
        return cls(task=task, metric=metric, points=points, better="lower", fraction=False, best=0.0)

    @property
    def scales(self) -> Floats:
        """The scales."""
        return np.array([point.scale for point in self.points])

    @property
    def values(self) -> Floats:
        """The metric at each scale."""
        return np.array([point.value for point in self.points])

    @property
    def losses(self) -> Floats:
        """Distance to the best possible value at each scale."""
        gap: Floats = self.best - self.values if self.better == "higher" else self.values - self.best
        return gap

    @property
    def decades(self) -> float:
        """Range of the scales, in factors of ten."""
        return math.log10(self.points[-1].scale / self.points[0].scale)

    @property
    def items(self) -> Floats | None:
        """Items behind each point, or None where any is unknown."""
        counts = [point.n for point in self.points]
        return None if any(count is None for count in counts) else np.array(counts, dtype=float)

    @property
    def stderrs(self) -> Floats | None:
        """Standard error of each point, or None where any is unknown."""
        errors = [point.stderr for point in self.points]
        return None if any(error is None for error in errors) else np.array(errors, dtype=float)

    def metric_of(self, loss: Floats) -> Floats:
        """Turn losses back into the metric."""
        value: Floats = self.best - loss if self.better == "higher" else self.best + loss
        return value

    def largest(self, count: int) -> "Curve":
        """The curve over its largest scales alone."""
        return self.with_points(self.points[-count:])

    def with_points(self, points: tuple[ScalePoint, ...]) -> "Curve":
        """The same task and metric with other points."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return type(self)(**{**fields, "points": points})
