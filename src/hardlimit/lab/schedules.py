"""Positional curricula: how long the documents of a training window are, and which places their tokens are told.

Needs numpy alone, so that the sampler fits into any trainer:

    curriculum = Curriculum.load("schedule.json")
    starts, places = curriculum.draw(rng, n, progress)
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hardlimit.core import Estimate, InvalidValueError, StoreError, Value, dumps, loads

Whole = NDArray[np.int64]

SHORT = 8
"""The window divided by the mean document of the named schedules."""
FARTHER = 4
"""Places that a position code is to know in the named schedules, in windows."""
RECOMMENDED = "growing-spread"
"""The schedule that is written for use elsewhere."""

NEAREST, FARTHEST = 1, 2**24
"""Smallest and largest window, mean and span that are taken for meant."""


class Layout(NamedTuple):
    """How training windows are cut into documents, and the places that their tokens are told.

    Args:
        starts: for each token, which token of its window its document begins with, (n, window). Tokens that share a
            start may see each other, others may not.
        places: what a position code is told, (n, window); it rises within a document.
    """

    starts: Whole
    places: Whole

    def lengths(self) -> list[list[int]]:
        """Tokens of each document, window by window.

        >>> Layout(np.array([[0, 0, 2, 2, 2]]), np.array([[0, 1, 0, 1, 2]])).lengths()
        [[2, 3]]
        """
        return [np.unique(row, return_counts=True)[1].tolist() for row in self.starts]


class Gain(Value, frozen=True):
    """What a schedule was measured to gain, and on what.

    Args:
        ratio: effective context over that of skewed documents, at equal tokens.
        tokens: effective context.
        setting: position code and task that it was measured on.
        run: the command that measured it.
    """

    ratio: Estimate
    tokens: Estimate
    setting: str
    run: str


class Curriculum(Value, frozen=True):
    """A law of document lengths and places.

    Args:
        name: of the schedule.
        window: tokens of a training window.
        span: places that the position code is to know, >= window.
        documents: `exponential`: a document ends at any token with probability 1/`mean`, or with the window; `equal`:
            all documents have `mean` tokens at first, and from the share `grown` of the training on they fill the
            window; between, the length rises in proportion to the progress.
        mean: tokens of a document, <= window.
        grown: share of the training after which equal documents fill the window; 0 from the start on.
        places: `restart`: counted from the start of each document; `running`: from the start of the window; `spread`:
            a document of n tokens is told places that begin anywhere and reach over R of `span` places, ln R uniform
            between ln n and ln `span`; the R − n places left out fall between its units at random.
        unit: tokens that stay side by side, a divisor of `window` and `mean`.
        gains: what was measured, where something was.
        command: what wrote it.
    """

    name: str
    window: int
    span: int
    documents: Literal["exponential", "equal"]
    mean: int
    grown: float = 0.0
    places: Literal["restart", "running", "spread"] = "restart"
    unit: int = 1
    gains: tuple[Gain, ...] = ()
    command: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value, low, high in (
            ("window", self.window, NEAREST, FARTHEST),
            ("mean", self.mean, NEAREST, self.window),
            ("span", self.span, self.window, FARTHEST),
            ("unit", self.unit, 1, self.mean),
            ("grown", self.grown, 0, 1),
        ):
            if not low <= value <= high:
                raise InvalidValueError(f"A Curriculum's {name} must lie between {low:,} and {high:,}, got {value:,}.")
        if self.window % self.unit or self.mean % self.unit:
            raise InvalidValueError(
                f"A Curriculum's window and mean must be multiples of its unit, got {self.window}, {self.mean} and "
                f"{self.unit}."
            )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a curriculum from a file that `hardlimit lab positions --export` wrote.

        Raises:
            StoreError: the file cannot be read.
            InvalidValueError: it is of another version, damaged, or its numbers do not go together.
        """
        try:
            text = Path(path).read_bytes()
        except OSError as error:
            raise StoreError(
                f"The schedule {path} cannot be read: {error.strerror}. Write one with "
                "`hardlimit lab positions --export FILE`."
            ) from error
        try:
            return loads(text, cls)
        except InvalidValueError as error:
            raise InvalidValueError(f"{path}: {error}") from error

    def save(self, path: str | Path) -> None:
        """Write it as JSON; `load` reads it back.

        Raises:
            StoreError: the file cannot be written.
        """
        try:
            Path(path).write_text(dumps(self) + "\n", encoding="utf-8")
        except OSError as error:
            raise StoreError(f"The schedule {path} cannot be written: {error.strerror}.") from error

    def scaled(self, window: int) -> Self:
        """Make the same schedule for another window: mean and span grow in proportion, the unit stays.

        >>> small = curriculum("growing-spread", 64).scaled(4096)
        >>> small.mean, small.span
        (512, 16384)
        """
        fit = self.unit * max(1, round(self.mean * window / self.window / self.unit))
        span = max(window, round(self.span * window / max(self.window, 1)))
        return msgspec.structs.replace(self, window=window, mean=fit, span=span)

    def length_at(self, progress: float) -> int:
        """Mean tokens of a document (before a window cuts it off), a multiple of the unit.

        >>> growing = Curriculum(name="growing", window=64, documents="equal", mean=8, grown=0.5, span=64)
        >>> [growing.length_at(progress) for progress in (0.0, 0.25, 0.5, 1.0)]
        [8, 36, 64, 64]
        """
        if self.documents == "exponential":
            return self.mean
        over = 1.0 if self.grown == 0 else min(1.0, progress / self.grown)
        return self.unit * round((self.mean + (self.window - self.mean) * over) / self.unit)

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Layout:
        """Draw n windows.

        Args:
            rng: equal generators give equal windows.
            n: windows, >= 1.
            progress: share of the training that is over, 0 to 1.
        """
        if n < 1 or not 0 <= progress <= 1:
            raise InvalidValueError(f"draw needs n >= 1 and a progress between 0 and 1, got {n} and {progress:g}.")
        units, length = self.window // self.unit, self.length_at(progress) // self.unit
        if self.documents == "exponential":
            begins = rng.random((n, units)) < 1 / length
        else:
            begins = np.broadcast_to(np.arange(units) % length == 0, (n, units)).copy()
        begins[:, 0] = True
        first = np.maximum.accumulate(np.where(begins, np.arange(units), 0), axis=1)
        starts = np.repeat(first * self.unit, self.unit, axis=1)
        return Layout(starts, self.placed(rng, starts))

    def placed(self, rng: np.random.Generator, starts: ArrayLike) -> Whole:
        """Draw places for windows that are cut already, such as a corpus's own documents.

        Args:
            rng: equal generators give equal places.
            starts: as in `Layout`, (n, tokens); any number of tokens up to `span`.
        """
        begin = np.asarray(starts, dtype=np.int64)
        index = np.arange(begin.shape[1])
        if begin.shape[1] > self.span or (begin > index).any() or (begin < 0).any():
            raise InvalidValueError(
                f"starts must hold, for each of at most {self.span:,} tokens, a token that is not after it."
            )
        if self.places == "running":
            return np.broadcast_to(index, begin.shape).copy()
        inside = index - begin
        return inside if self.places == "restart" else inside + self._spread(rng, begin, inside)

    def _spread(self, rng: np.random.Generator, begin: Whole, inside: Whole) -> Whole:
        """What each token's place is moved by: where its document begins, and the places left out before it."""
        shape = begin.shape
        last = begin + _counts(begin) - 1

        def of_document(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.take_along_axis(values, begin, axis=1)

        length = (last - begin + 1).astype(float)
        reach = np.floor(length * (self.span / length) ** of_document(rng.random(shape)))
        left_out = np.maximum(reach - length, 0.0)
        # Spacings of uniform points: exponential gaps over their sum, one more than there are gaps inside.
        gaps = np.where(inside % self.unit == 0, rng.exponential(size=shape), 0.0)
        sums = np.cumsum(gaps, axis=1)
        before = sums - of_document(sums)
        whole = np.take_along_axis(before, last, axis=1) + of_document(rng.exponential(size=shape))
        skipped = np.floor(before / whole * (left_out + 1))
        at = np.floor(of_document(rng.random(shape)) * (self.span - length - left_out + 1))
        moved: Whole = (skipped + at).astype(np.int64)
        return moved


def curriculum(name: str, window: int, *, unit: int = 1) -> Curriculum:
    """Make one of the experiment's schedules for a window.

    Args:
        name: `skewed`: documents of exponential length, an eighth of the window in the mean, packed into the window,
            none seeing another, places counted from each one's start. `packed`: the same with places that run on
            through the window. `full`: one document fills the window. `growing`: documents grow from an eighth of the
            window to all of it over three quarters of the training. `spread`: skewed documents whose places are spread
            over four windows. `growing-spread`: both.
        window: tokens of a training window, a multiple of eight units.
        unit: tokens that stay side by side.
    """
    return Curriculum(
        name=name,
        window=window,
        span=FARTHER * window,
        documents="equal" if name in ("full", "growing", "growing-spread") else "exponential",
        mean=window if name == "full" else window // SHORT,
        grown=0.75 if name.startswith("growing") else 0.0,
        places="running" if name == "packed" else "spread" if name.endswith("spread") else "restart",
        unit=unit,
    )


def _counts(begin: Whole) -> Whole:
    """Tokens of the document that each token belongs to."""
    n, size = begin.shape
    flat = (begin + np.arange(n)[:, None] * size).ravel()
    counts: Whole = np.bincount(flat, minlength=n * size)[flat].reshape(n, size)
    return counts


def exposures(layouts: Iterable[Layout], span: int) -> Whole:
    """Count how often two tokens of a document stand at each distance, as the position code is told it.

    Args:
        layouts: windows.
        span: distances counted, 0 to span − 1.

    >>> exposures([Layout(np.array([[0, 0, 0, 3]]), np.array([[0, 1, 4, 0]]))], 5).tolist()
    [4, 1, 0, 1, 1]
    """
    total = np.zeros(span, dtype=np.int64)
    for starts, places in layouts:
        for start, place in zip(starts, places, strict=True):
            away = place[:, None] - place[None, :]
            total += np.bincount(away[(start[:, None] == start[None, :]) & (away >= 0)], minlength=span)[:span]
    return total
