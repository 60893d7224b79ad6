"""What an experiment is: a question with a design, cells that are measured apart, and a conclusion from their rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import (
    Estimate,
    Finding,
    InvalidValueError,
    Measurement,
    Point,
    Quantity,
    ResourceVerdict,
    Scalar,
    Tally,
    Value,
)
from hardlimit.stats import clustered_proportion, estimate, mean_interval

if TYPE_CHECKING:
    from hardlimit.lab.bench import Bench

Row = dict[str, Scalar]
"""One measured number or count with where it was measured: the setting, the seed, and what came out."""

Extent = Literal["smoke", "quick", "full"]

SEEDS: dict[str, int] = {"smoke": 2, "quick": 3, "full": 6}
"""Models per setting. Six differences of one sign have p = 2/2⁶ = 0.031 in a sign test; five cannot reach 0.05."""


class Scale(Value, frozen=True):
    """How large a run is.

    Args:
        extent: `full` is what conclusions rest on; `quick` ends within two minutes; `smoke` only shows that it runs.
        seeds: models per setting, >= 2; the extent's own number by default.
        first_seed: the seeds go on from here.
    """

    extent: Extent = "full"
    seeds: int | None = None
    first_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seeds is not None and self.seeds < 2:
            raise InvalidValueError(f"--seeds must be >= 2, got {self.seeds}: one model has no spread to judge by.")

    def choose(self, smoke: int, quick: int, full: int) -> int:
        """The number that belongs to this extent.

        >>> Scale(extent="quick").choose(1, 2, 3)
        2
        """
        return {"smoke": smoke, "quick": quick, "full": full}[self.extent]

    @property
    def members(self) -> tuple[int, ...]:
        """Seeds of the models of one setting."""
        count = SEEDS[self.extent] if self.seeds is None else self.seeds
        return tuple(range(self.first_seed, self.first_seed + count))


class Design(Value, frozen=True):
    """What was decided before anything was measured.

    Args:
        question: what is asked.
        claims: ids of the statements that are confronted.
        setting: what is trained on what, and what is varied.
        size: how many models and cases, and the power that this number was chosen for.
        would_refute: the outcome that would change our mind.
    """

    question: str
    claims: tuple[str, ...]
    setting: str
    size: str
    would_refute: str


class Cell(Value, frozen=True):
    """A part of an experiment that is measured in one piece, on one machine: models of one shape.

    Args:
        name: unique within the experiment; it names a file.
        settings: what sets this cell apart.
    """

    name: str
    settings: dict[str, Scalar] = {}


class Conclusion(Value, frozen=True):
    """What the rows say.

    Args:
        headline: the outcome in one or two sentences, with the main numbers; it says when a prediction failed.
        findings: claims beside measurements.
        measurements: everything measured, the main one first.
        verdicts: about resources.
        cautions: what a reader must know to read it right.
    """

    headline: str
    findings: tuple[Finding, ...]
    measurements: tuple[Measurement, ...]
    verdicts: tuple[ResourceVerdict, ...] = ()
    cautions: tuple[str, ...] = ()


class LabReport(Value, frozen=True):
    """What one run of an experiment leaves.

    Args:
        experiment: its name.
        scale: how large it was.
        design: what was decided beforehand.
        conclusion: what came out.
        rows: the numbers behind it; the conclusion can be drawn from them again.
        seconds: wall-clock time of each cell.
        device: where it ran.
        version: hardlimit's version.
        packages: versions of the packages that the numbers depend on.
    """

    experiment: str
    scale: Scale
    design: Design
    conclusion: Conclusion
    rows: tuple[Row, ...]
    seconds: dict[str, float]
    device: str
    version: str
    packages: dict[str, str]

    @property
    def command(self) -> str:
        """The command that measures the same again."""
        extent = "" if self.scale.extent == "full" else f" --{self.scale.extent}"
        seeds = "" if self.scale.seeds is None else f" --seeds {self.scale.seeds}"
        return f"hardlimit lab {self.experiment}{extent}{seeds}"


class Experiment(ABC):
    """A question that trained models answer. Subclasses hold no state.

    Where the way of measuring changes, `version` goes up, so that no cell measured in the old way counts for the new.
    """

    name: ClassVar[str]
    says: ClassVar[str]
    version: ClassVar[int] = 1

    @abstractmethod
    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""

    @abstractmethod
    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """The parts that are measured apart."""

    @abstractmethod
    def measure(self, cell: Cell, scale: Scale, bench: "Bench") -> list[Row]:
        """Train and measure one cell."""

    @abstractmethod
    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set what was measured beside what was claimed."""

    def measurement(
        self,
        what: str,
        quantity: Quantity,
        scale: Scale,
        *,
        points: Sequence[Point] = (),
        estimate: Estimate | None = None,
        parameters: Mapping[str, Scalar] | None = None,
        note: str = "",
    ) -> Measurement:
        """Make a measurement of this experiment; the summary is the last point's where none is given."""
        last = points[-1].estimate if points else None
        return Measurement(
            name=f"lab.{self.name}.{what}",
            quantity=quantity,
            probe=f"lab:{self.name}({scale.extent})",
            model=f"{len(scale.members)} models trained here",
            seed=scale.first_seed,
            estimate=last if estimate is None else estimate,
            tally=Tally(),
            points=tuple(points),
            parameters=dict(parameters or {}),
            note=note,
        )


def where(rows: Sequence[Row], **settings: Scalar) -> list[Row]:
    """Rows at some settings.

    >>> where([{"a": 1, "b": 2}, {"a": 3, "b": 2}], a=3)
    [{'a': 3, 'b': 2}]
    """
    return [row for row in rows if all(row.get(name) == value for name, value in settings.items())]


def column(rows: Sequence[Row], name: str) -> NDArray[np.float64]:
    """One column as numbers."""
    return np.array([float(row[name]) for row in rows])


def values(rows: Sequence[Row], name: str) -> list[Scalar]:
    """The different values of a column, in the order of first appearance."""
    return list(dict.fromkeys(row[name] for row in rows if name in row))


def share(rows: Sequence[Row], right: str = "right", n: str = "n") -> Estimate:
    """Pool counts over seeds, each seed a cluster: the models, not the cases, are what was drawn.

    >>> share([{"seed": 0, "right": 9, "n": 10}, {"seed": 1, "right": 7, "n": 10}]).value
    0.8
    """
    hits, sizes = column(rows, right), column(rows, n)
    if len(rows) < 2:
        return estimate(int(hits.sum()), int(sizes.sum()))
    return clustered_proportion(hits, sizes)


def mean(numbers: Sequence[float] | NDArray[np.float64], n: int | None = None) -> Estimate:
    """Mean over seeds with Student's interval.

    >>> mean([1.0, 2.0, 3.0]).value
    2.0
    """
    sample = np.asarray(numbers, dtype=float)
    return Estimate(value=float(sample.mean()), interval=mean_interval(sample), n=sample.size if n is None else n)


def curve(
    rows: Sequence[Row], along: Sequence[str], summary: Callable[[Sequence[Row]], Estimate] = share
) -> tuple[Point, ...]:
    """One point per setting, in the order of first appearance; grades are counted where there are any.

    Args:
        rows: measured rows.
        along: columns that tell settings apart.
        summary: from the rows of one setting, one per seed, to an estimate.
    """
    groups: dict[tuple[Scalar, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in along), []).append(row)
    points = []
    for key, there in groups.items():
        tally = None
        if summary is share:
            right = int(column(there, "right").sum())
            tally = Tally(right=right, wrong=int(column(there, "n").sum()) - right)
        points.append(Point(at=dict(zip(along, key, strict=True)), estimate=summary(there), tally=tally))
    return tuple(points)
