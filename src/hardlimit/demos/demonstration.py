"""What a demonstration is, and what it leaves behind: checks, a table, and the data of one figure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hardlimit.core import InvalidValueError, Scalar, Value


class Series(Value, frozen=True):
    """One line of a figure.

    Args:
        label: what it is.
        points: `(x, y)` pairs in increasing x.
        kind: `computed` is drawn with points, `theory` as a dashed line.
    """

    label: str
    points: tuple[tuple[float, float], ...]
    kind: Literal["computed", "theory"] = "computed"

    def __post_init__(self) -> None:
        super().__post_init__()
        xs = [x for x, _ in self.points]
        if xs != sorted(xs):
            raise InvalidValueError(f"Series.points of '{self.label}' must be in increasing x, got {xs}.")


class Figure(Value, frozen=True):
    """The data of one picture.

    Args:
        title: one line.
        x: title of the horizontal axis, with its unit.
        y: title of the vertical axis, with its unit.
        series: the lines.
        log_x: whether x is logarithmic; points at x <= 0 are then left out of the picture.
        log_y: whether y is logarithmic; points at y <= 0 are then left out of the picture.
    """

    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    log_x: bool = False
    log_y: bool = False


class Check(Value, frozen=True):
    """One thing that would have refuted the demonstration, and whether it did.

    Args:
        asks: what has to be so, in words.
        holds: whether it is.
        found: the numbers behind it, in words.
        control: whether this is the positive control: a place where the limit must not appear.
    """

    asks: str
    holds: bool
    found: str
    control: bool = False


class Shown(Value, frozen=True):
    """What one run computed.

    Args:
        computed: what was computed, in one or two sentences.
        checks: at least one, and at least one control.
        figure: the data of its picture.
        head: headings of the table.
        rows: the table.
        values: the main numbers by name.
    """

    computed: str
    checks: tuple[Check, ...]
    figure: Figure
    head: tuple[str, ...]
    rows: tuple[tuple[Scalar, ...], ...]
    values: dict[str, Scalar] = {}


class Demonstration(Value, frozen=True):
    """A demonstration that was run.

    Args:
        name: of the demonstration.
        number: D1…D16.
        claims: ids of the claims that it is about.
        says: what it demonstrates.
        refuted_by: what would falsify it.
        control: where the limit must not appear.
        seed: of its random numbers.
        shown: what came out.
    """

    name: str
    number: str
    claims: tuple[str, ...]
    says: str
    refuted_by: str
    control: str
    seed: int
    shown: Shown

    @property
    def holds(self) -> bool:
        """Whether nothing refuted it, controls included."""
        return all(check.holds for check in self.shown.checks)


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A demonstration that can be run.

    Args:
        name: a word or two.
        number: D1…D16.
        claims: ids of the claims that it is about.
        says: what it demonstrates.
        refuted_by: what would falsify it.
        control: where the limit must not appear.
        work: computes everything from a seed.
        takes: seconds on one core, roughly.
    """

    name: str
    number: str
    claims: tuple[str, ...]
    says: str
    refuted_by: str
    control: str
    work: Callable[[int], Shown]
    takes: float = 1.0

    def run(self, seed: int = 0) -> Demonstration:
        """Run it; equal seeds give equal numbers.

        Args:
            seed: of its random numbers, >= 0.
        """
        if seed < 0:
            raise InvalidValueError(f"seed must be a whole number of at least 0, got {seed}.")
        return self.presented(self.work(seed), seed)

    def presented(self, shown: Shown, seed: int = 0) -> Demonstration:
        """Put what a run showed beside what it was to show.

        Args:
            shown: what came out.
            seed: of its random numbers, >= 0.
        """
        if not shown.checks or not any(check.control for check in shown.checks):
            raise InvalidValueError(f"{self.name} was run without a check or without its control.")
        return Demonstration(
            name=self.name,
            number=self.number,
            claims=self.claims,
            says=self.says,
            refuted_by=self.refuted_by,
            control=self.control,
            seed=seed,
            shown=shown,
        )
