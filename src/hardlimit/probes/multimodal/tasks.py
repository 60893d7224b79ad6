"""The drawn tasks: each draws two pictures for one question, alike in everything but what is asked."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from hardlimit.core import InvalidValueError
from hardlimit.probes.multimodal.canvas import PALETTE, Canvas, Look, Spot

Task: TypeAlias = Literal["crossings", "circles", "letter", "counting", "squares", "grid", "paths", "spot", "hue"]
PLACES = 4
"""The task `spot` puts its mark into one of 4 × 4 places."""

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
CONSONANTS = "BCDFGHJKLMNPQRSTVWXZ"
SHAPES = ("circle", "square", "triangle")


class Pair(NamedTuple):
    """Two pictures and the question that they answer differently.

    Args:
        question: asked about both.
        answers: to the first picture and to the second.
        options: every answer that the question may have here.
        pictures: the two.
        captions: the two pictures in words, which tell the answer.
        place: which of 16 places the mark is in, for `spot`.
        kinds: what is asked about, for measures that need it (the two colours of `hue`).
    """

    question: str
    answers: tuple[str, str]
    options: tuple[str, ...]
    pictures: tuple[Canvas, Canvas]
    captions: tuple[str, str]
    place: tuple[int, int] | None = None
    kinds: str = ""


class Pen(NamedTuple):
    """What a task draws with: a source of chance, the pair's look, the knob, the side in pixels, and whose turn it is.

    Pairs in order have turns in order, so that what should be met evenly can be taken in turn.
    """

    rng: np.random.Generator
    look: Look
    knob: float
    pixels: int
    turn: int = 0

    def blank(self) -> Canvas:
        """Take an empty canvas."""
        return Canvas(self.pixels, self.look.background)

    def at(self, x: float, y: float) -> Spot:
        """Turn a place in shares of the side into pixels, with the look's shift."""
        return (self.pixels * (x + self.look.right), self.pixels * (y + self.look.down))

    @property
    def stroke(self) -> float:
        """Width of lines in pixels."""
        return self.look.stroke * self.pixels


def spelled(number: int) -> tuple[str, ...]:
    """Write a number in the ways that count as it.

    >>> spelled(3), spelled(12)
    (('3', 'three'), ('12',))
    """
    return (str(number), NUMBERS[number]) if number < len(NUMBERS) else (str(number),)


def _numbers(*around: int) -> tuple[str, ...]:
    """Numbers near the answers, and the answers."""
    return tuple(str(n) for n in range(max(0, min(around) - 3), max(around) + 4))


def crossings(pen: Pen) -> Pair:
    """Two lines of several straight pieces each, which change sides a number of times."""
    pieces = int(pen.knob)
    first = int(pen.rng.integers(0, pieces))
    counts = (first, first + 1)
    middle = pen.rng.uniform(0.35, 0.65, pieces + 1)
    gap = pen.rng.uniform(0.08, 0.24, pieces + 1)
    start = pen.rng.choice([-1, 1])
    order = pen.rng.permutation(pieces)
    names = pen.rng.permutation(["red", "blue"])
    pictures = []
    for count in counts:
        turns = np.isin(np.arange(pieces), order[:count])
        side = start * np.cumprod(np.concatenate([[1], np.where(turns, -1, 1)]))
        canvas = pen.blank()
        for sign, name in zip((1, -1), names, strict=True):
            y = middle + sign * side * gap
            spots = [pen.at(0.1 + 0.8 * i / pieces, float(y[i])) for i in range(pieces + 1)]
            canvas.line(spots, pen.stroke, pen.look.colour(str(name)))
        pictures.append(canvas)
    return _counted(
        pen,
        "How many times do the red line and the blue line cross?",
        counts,
        pictures,
        "The two lines cross {} times.",
    )


def circles(pen: Pen) -> Pair:
    """Two circles that overlap by some pixels, or are as many pixels apart."""
    side = pen.pixels
    radii = pen.look.scale * side * pen.rng.uniform(0.11, 0.18, 2)
    angle = pen.rng.uniform(0, np.pi)
    direction = np.array([np.cos(angle), np.sin(angle)])
    middle = np.array(pen.at(0.5, 0.5))
    pictures = []
    for gap in (-pen.knob, pen.knob):
        canvas = pen.blank()
        apart = radii.sum() + gap
        for sign, radius in zip((-0.5, 0.5), radii, strict=True):
            x, y = middle + sign * apart * direction
            canvas.ring((float(x), float(y)), float(radius), pen.stroke, pen.look.dark)
        pictures.append(canvas)
    return Pair(
        question="Do the two circles touch each other? Answer yes or no.",
        answers=("yes", "no"),
        options=("yes", "no"),
        pictures=(pictures[0], pictures[1]),
        captions=("The two circles touch each other.", "There is a gap between the two circles."),
    )


def letter(pen: Pen) -> Pair:
    """A row of consonants, one of which is circled."""
    count = int(pen.knob)
    if count > len(CONSONANTS):
        extra = count - len(CONSONANTS)
        row = [*CONSONANTS, *(str(each) for each in pen.rng.choice(list(CONSONANTS), extra))]
        row = [row[int(place)] for place in pen.rng.permutation(count)]
    else:
        row = [str(each) for each in pen.rng.permutation(list(CONSONANTS))[:count]]
    step = 0.84 / count
    places = [pen.at(0.08 + step * (i + 0.5), 0.5) for i in range(count)]
    first = int(pen.rng.integers(0, count - 1))
    while row[first] == row[first + 1]:
        first = (first + 1) % (count - 1)
    size = 0.8 * step * pen.pixels
    pictures = []
    for chosen in (first, first + 1):
        canvas = pen.blank()
        for place, text in zip(places, row, strict=True):
            canvas.text(place, text, size, pen.look.dark)
        canvas.oval(places[chosen], (0.62 * size, 0.75 * size), pen.stroke, pen.look.colour("red"))
        pictures.append(canvas)
    told = "The letters {} are written in a row, and the letter {} is circled."
    return Pair(
        question="Which letter is circled? Answer with the letter.",
        answers=(row[first], row[first + 1]),
        options=tuple(dict.fromkeys(row)),
        pictures=(pictures[0], pictures[1]),
        captions=(told.format(" ".join(row), row[first]), told.format(" ".join(row), row[first + 1])),
    )


def counting(pen: Pen) -> Pair:
    """So many discs, or one more, with the same amount of ink in all."""
    count = int(pen.knob)
    columns = int(np.ceil(np.sqrt(count + 1)))
    cells = pen.rng.permutation(columns * columns)
    ink = 0.30 * pen.look.scale
    jitter = pen.rng.uniform(-1, 1, (columns * columns, 2))
    name = str(pen.rng.choice(list(PALETTE)))
    pictures = []
    for number in (count, count + 1):
        canvas = pen.blank()
        cell = 0.84 / columns
        radius = min(ink / np.sqrt(number) / 2, 0.46 * cell)
        room = cell / 2 - radius
        for place in cells[:number]:
            row, column = divmod(int(place), columns)
            x = 0.08 + cell * (column + 0.5) + room * jitter[place, 0]
            y = 0.08 + cell * (row + 0.5) + room * jitter[place, 1]
            canvas.disc(pen.at(float(x), float(y)), float(radius) * pen.pixels, pen.look.colour(name))
        pictures.append(canvas)
    return _counted(pen, "How many circles are there?", (count, count + 1), pictures, "There are {} circles.")


def squares(pen: Pen) -> Pair:
    """Squares inside each other, so many or one more, within the same outer square."""
    count = int(pen.knob)
    outer = 0.40 * pen.look.scale / 1.15
    drift = pen.rng.uniform(-0.5, 0.5, (count + 1, 2))
    pictures = []
    for number in (count, count + 1):
        canvas = pen.blank()
        x, y, half = 0.5, 0.5, outer
        shrink = (0.16 if number <= 5 else 0.5 / number) ** (1 / max(number - 1, 1))
        for i in range(number):
            canvas.square(pen.at(x, y), half * pen.pixels, pen.look.dark, pen.stroke)
            slack = half * (1 - shrink)
            x, y, half = x + slack * drift[i, 0], y + slack * drift[i, 1], half * shrink
        pictures.append(canvas)
    return _counted(
        pen, "How many squares are there?", (count, count + 1), pictures, "There are {} squares, one inside the other."
    )


def grid(pen: Pen) -> Pair:
    """A grid of so many rows, or one more, of the same size."""
    rows = int(pen.knob)
    columns = int(pen.rng.integers(max(2, rows - 1), rows + 3))
    half_w, half_h = 0.40 * pen.look.scale / 1.15 * pen.rng.uniform(0.8, 1.0, 2)
    pictures = []
    for number in (rows, rows + 1):
        canvas = pen.blank()
        for i in range(number + 1):
            y = 0.5 - half_h + 2 * half_h * i / number
            canvas.line([pen.at(0.5 - half_w, y), pen.at(0.5 + half_w, y)], pen.stroke, pen.look.dark)
        for j in range(columns + 1):
            x = 0.5 - half_w + 2 * half_w * j / columns
            canvas.line([pen.at(x, 0.5 - half_h), pen.at(x, 0.5 + half_h)], pen.stroke, pen.look.dark)
        pictures.append(canvas)
    return _counted(pen, "How many rows does the grid have?", (rows, rows + 1), pictures, "The grid has {} rows.")


def paths(pen: Pen) -> Pair:
    """Coloured lines between four stations: how many of them lead from A to C?"""
    total = int(pen.knob)
    first = int(pen.rng.integers(0, total))
    others = [str(each) for each in pen.rng.choice(["AD", "BC", "BD"], total)]
    order = pen.rng.permutation(total)
    bends = pen.rng.uniform(0.12, 0.88, (total, 2))
    starts = pen.rng.uniform(-0.06, 0.06, (total, 2))
    homes = {"A": (0.12, 0.25), "B": (0.12, 0.75), "C": (0.88, 0.25), "D": (0.88, 0.75)}
    colours = [pen.look.colour(str(name)) for name in pen.rng.permutation(list(PALETTE))]
    pictures = []
    for number in (first, first + 1):
        canvas = pen.blank()
        for i in range(total):
            ends = "AC" if i in order[:number] else others[i]
            (x0, y0), (x1, y1) = homes[ends[0]], homes[ends[1]]
            stops = [(x0, y0 + starts[i, 0]), (0.37, bends[i, 0]), (0.63, bends[i, 1]), (x1, y1 + starts[i, 1])]
            canvas.line(_curve(pen, stops), pen.stroke, colours[i % len(colours)])
        for name, (x, y) in homes.items():
            shift = -0.07 if name in "AB" else 0.07
            canvas.text(pen.at(x + shift, y), name, 0.075 * pen.pixels, pen.look.dark)
        pictures.append(canvas)
    return _counted(pen, "How many lines lead from A to C?", (first, first + 1), pictures, "{} lines lead from A to C.")


def _curve(pen: Pen, stops: list[Spot]) -> list[Spot]:
    """Join stops by a smooth curve that goes through all of them."""
    x = np.array([stop[0] for stop in stops])
    y = np.array([stop[1] for stop in stops])
    fine = np.linspace(x[0], x[-1], 40)
    table = np.polynomial.polynomial.Polynomial.fit(x, y, 3)
    return [pen.at(float(a), float(np.clip(table(a), 0.05, 0.95))) for a in fine]


def spot(pen: Pen) -> Pair:
    """A small dark cross in one of 4 × 4 places, or none; pale discs stand elsewhere."""
    row, column = divmod(5 * pen.turn % PLACES**2, PLACES)
    cell = pen.pixels / PLACES
    size = min(pen.knob, 0.9 * cell)
    room = (cell - size) / 2
    x = cell * (column + 0.5) + room * pen.rng.uniform(-1, 1)
    y = cell * (row + 0.5) + room * pen.rng.uniform(-1, 1)
    taken = row * PLACES + column
    elsewhere = pen.rng.permutation([place for place in range(PLACES**2) if place != taken])[:4]
    half = pen.rng.uniform(0.12, 0.3, 4) * cell * pen.look.scale
    pale = [pen.look.colour(str(name), 0.45) for name in pen.rng.choice(list(PALETTE), 4)]
    pictures = []
    for present in (True, False):
        canvas = pen.blank()
        for place, radius, colour in zip(elsewhere, half, pale, strict=True):
            down, right = divmod(int(place), PLACES)
            canvas.disc((cell * (right + 0.5), cell * (down + 0.5)), float(radius), colour)
        if present:
            arm, thick = size / 2, max(1.0, size / 4)
            canvas.line([(x - arm + thick / 2, y), (x + arm - thick / 2, y)], thick, pen.look.dark)
            canvas.line([(x, y - arm + thick / 2), (x, y + arm - thick / 2)], thick, pen.look.dark)
        pictures.append(canvas)
    return Pair(
        question="Is there a small cross in the picture? Answer yes or no.",
        answers=("yes", "no"),
        options=("yes", "no"),
        pictures=(pictures[0], pictures[1]),
        captions=("There is a small cross in the picture.", "There is no cross in the picture, only discs."),
        place=(row, column),
    )


def hue(pen: Pen) -> Pair:
    """One shape in one of two colours."""
    names = [str(name) for name in pen.rng.permutation(list(PALETTE))[:2]]
    shape = str(pen.rng.choice(SHAPES))
    size = pen.look.scale * pen.rng.uniform(0.12, 0.26) * pen.pixels
    x, y = pen.at(*(float(each) for each in pen.rng.uniform(0.32, 0.68, 2)))
    pictures = []
    for name in names:
        canvas = pen.blank()
        colour = pen.look.colour(name, min(pen.knob, 1.0))
        if shape == "circle":
            canvas.disc((x, y), size, colour)
        elif shape == "square":
            canvas.square((x, y), 0.9 * size, colour)
        else:
            canvas.polygon([(x, y - size), (x + size, y + 0.8 * size), (x - size, y + 0.8 * size)], colour)
        pictures.append(canvas)
    choices = ", ".join(list(PALETTE)[:-1]) + f" or {list(PALETTE)[-1]}"
    return Pair(
        question=f"What colour is the shape? Answer {choices}.",
        answers=(names[0], names[1]),
        options=tuple(PALETTE),
        pictures=(pictures[0], pictures[1]),
        captions=(f"The picture shows a {names[0]} {shape}.", f"The picture shows a {names[1]} {shape}."),
        kinds=" or ".join(sorted(names)),
    )


def _counted(pen: Pen, question: str, counts: tuple[int, int], pictures: list[Canvas], told: str) -> Pair:
    return Pair(
        question=f"{question} Answer with a number.",
        answers=(str(counts[0]), str(counts[1])),
        options=_numbers(*counts),
        pictures=(pictures[0], pictures[1]),
        captions=(told.format(counts[0]), told.format(counts[1])),
    )


class Kind(NamedTuple):
    """How a task is drawn and what its knob means.

    Args:
        draw: makes a pair.
        knob: what the knob sets.
        usual: its default.
        least: smallest value.
        easy: a value at which any able model is right.
        harder: whether a larger knob makes it harder (`up`) or a smaller one (`down`).
        whole: whether the knob counts things.
    """

    draw: Callable[[Pen], Pair]
    knob: str
    usual: float
    least: float
    easy: float
    harder: Literal["up", "down"]
    whole: bool = True


TASKS: Mapping[Task, Kind] = {
    "crossings": Kind(crossings, "pieces of each line", 2, 1, 1, "up"),
    "circles": Kind(circles, "gap or overlap, pixels", 4, 0.05, 24, "down", whole=False),
    "letter": Kind(letter, "letters in the row", 6, 2, 2, "up"),
    "counting": Kind(counting, "circles", 4, 1, 1, "up"),
    "squares": Kind(squares, "squares", 2, 1, 1, "up"),
    "grid": Kind(grid, "rows", 3, 1, 1, "up"),
    "paths": Kind(paths, "lines in all", 3, 1, 1, "up"),
    "spot": Kind(spot, "size of the cross, pixels", 24, 0.5, 40, "down", whole=False),
    "hue": Kind(hue, "strength of the colour", 1.0, 0.01, 1.0, "down", whole=False),
}
"""The tasks by name."""


def knob_of(task: Task, knob: float | None) -> float:
    """Take a knob's value, or the task's usual one, if it makes sense.

    Raises:
        InvalidValueError: too small, or not whole where the knob counts things.

    >>> knob_of("counting", None), knob_of("circles", 0.5)
    (4.0, 0.5)
    """
    kind = TASKS[task]
    value = float(kind.usual if knob is None else knob)
    if value < kind.least or (kind.whole and not value.is_integer()):
        whole = "a whole number " if kind.whole else ""
        raise InvalidValueError(f"The knob of '{task}' ({kind.knob}) must be {whole}>= {kind.least:g}, got {value:g}.")
    return value
