"""Measurements: graded answers, counted, with intervals; artefacts stay in the denominator."""

from collections.abc import Iterable
from enum import StrEnum

from hardlimit.core.claim import Scalar
from hardlimit.core.errors import InvalidValueError
from hardlimit.core.quantity import Quantity
from hardlimit.core.values import Value


class Grade(StrEnum):
    """What an answer turned out to be; never only a bool."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSTAINED = "abstained"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    FAILED = "failed"


ARTEFACTS = frozenset({Grade.MALFORMED, Grade.TRUNCATED, Grade.REFUSED, Grade.FAILED})
"""Grades that say more about the asking than about the limit."""


class Tally(Value, frozen=True):
    """Counts of grades.

    >>> tally = Tally.of([Grade.RIGHT, Grade.WRONG, Grade.RIGHT, Grade.FAILED])
    >>> tally.n, tally.right, tally.artefacts
    (4, 2, 1)
    """

    right: int = 0
    wrong: int = 0
    abstained: int = 0
    malformed: int = 0
    truncated: int = 0
    refused: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.__struct_fields__:
            if getattr(self, name) < 0:
                raise InvalidValueError(f"Tally.{name} must be >= 0, got {getattr(self, name)}.")

    @classmethod
    def of(cls, grades: Iterable[Grade]) -> "Tally":
        """Count grades."""
        counts = dict.fromkeys((str(grade) for grade in Grade), 0)
        for grade in grades:
            counts[str(grade)] += 1
        return cls(**counts)

    @property
    def n(self) -> int:
        """All cases, artefacts included."""
        return sum(getattr(self, name) for name in self.__struct_fields__)

    @property
    def artefacts(self) -> int:
        """Malformed, truncated, refused and failed answers."""
        return sum(getattr(self, str(grade)) for grade in ARTEFACTS)


class Interval(Value, frozen=True):
    """An interval for an unknown number; a side that is None is not bounded by the data.

    Args:
        low: lower end.
        high: upper end.
        level: confidence or credibility, in (0, 1).
        method: how it was made, such as `clopper-pearson`.
    """

    low: float | None
    high: float | None
    level: float
    method: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.level < 1.0:
            raise InvalidValueError(f"Interval.level must lie in (0, 1), got {self.level}.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InvalidValueError(f"Interval needs low <= high, got [{self.low}, {self.high}].")

    def __contains__(self, value: float) -> bool:
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)


class Estimate(Value, frozen=True):
    """A number with its interval and the number of cases it rests on.

    Args:
        value: the point estimate.
        interval: its interval.
        n: cases in the denominator, artefacts included.
        artefacts: how many of them were artefacts.
    """

    value: float
    interval: Interval
    n: int
    artefacts: int = 0


class Point(Value, frozen=True):
    """One point of a curve or cell of a grid: where it was measured, and what came out."""

    at: dict[str, Scalar]
    estimate: Estimate
    tally: Tally | None = None


class Control(Value, frozen=True):
    """A control of a probe: what was expected, what came out.

    Args:
        name: such as `trivial` or `impossible`.
        expected: in words.
        estimate: what was measured, or None where nothing could be.
        passed: whether the probe may be believed on this ground.
    """

    name: str
    expected: str
    estimate: Estimate | None
    passed: bool

    @classmethod
    def judged(
        cls,
        name: str,
        expected: str,
        estimate: Estimate | None,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> "Control":
        """Judge a control by an interval; it fails only where the whole interval lies on the wrong side of a bar.

        A control without an estimate fails.

        >>> share = Estimate(value=0.5, interval=Interval(low=0.3, high=0.7, level=0.95, method="m"), n=20)
        >>> Control.judged("trivial", "right", share, at_least=0.8).passed
        False
        >>> Control.judged("impossible", "wrong", share, at_most=0.4).passed
        True
        """
        if estimate is None:
            return cls(name=name, expected=expected, estimate=None, passed=False)
        low, high = estimate.interval.low, estimate.interval.high
        short = at_least is not None and high is not None and high < at_least
        beyond = at_most is not None and low is not None and low > at_most
        return cls(name=name, expected=expected, estimate=estimate, passed=not (short or beyond))


class Measurement(Value, frozen=True):
    """What a probe found out about one quantity of one model.

    Args:
        name: unique within an audit, such as `context.accuracy_by_length`.
        quantity: what was measured.
        probe: the probe's `repr`, which rebuilds it.
        model: the model's fingerprint.
        seed: the seed of the cases.
        estimate: the summary number, or None where the data cannot give one (then `note` says why).
        tally: grades behind the summary.
        points: the curve or grid, where there is one.
        controls: the probe's controls.
        parameters: fitted or auxiliary numbers by name.
        note: what a reader must know to read it right.
    """

    name: str
    quantity: Quantity
    probe: str
    model: str
    seed: int
    estimate: Estimate | None
    tally: Tally
    points: tuple[Point, ...] = ()
    controls: tuple[Control, ...] = ()
    parameters: dict[str, Scalar] = {}
    note: str = ""

    @property
    def broken(self) -> bool:
        """Whether a control failed, so that the result is not one."""
        return any(not control.passed for control in self.controls)
