"""Puzzles in two forms: a familiar one, and one that looks alike but for which the familiar answer is wrong."""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from hardlimit.probes.reasoning.naming import FRUITS, PEOPLE, drawn


class Twin(NamedTuple):
    """A puzzle in both forms.

    Args:
        usual: the premise of the familiar form.
        changed: the premise of the changed form.
        question: what is asked of both.
        familiar: the right answer to the familiar form.
        gold: the right answer to the changed form.
        lure: what the familiar pattern gives for the changed form, which is wrong there.
        options: all answers where they are names or words; empty for a number.
    """

    usual: str
    changed: str
    question: str
    familiar: str
    gold: str
    lure: str
    options: tuple[str, ...] = ()


Rng: TypeAlias = np.random.Generator
Maker: TypeAlias = Callable[[Rng], Twin]

_DIGITS = ("two", "three", "four", "five", "six", "seven", "eight", "nine")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HEAVY = ("iron", "lead", "stone", "brick", "steel", "gold")
_LIGHT = ("feathers", "cotton", "straw", "wool", "paper", "foam")


def _between(rng: Rng, low: int, high: int, *, but: Sequence[int] = ()) -> int:
    """Draw a whole number in [low, high] that is none of `but`."""
    return int(rng.choice([value for value in range(low, high + 1) if value not in but]))


def _one(rng: Rng, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _numbers(usual: str, changed: str, question: str, familiar: int, gold: int, lure: int) -> Twin:
    return Twin(usual, changed, question, str(familiar), str(gold), str(lure))


# Renamed symbols ------------------------------------------------------------------------------------------------------


def _signs(rng: Rng) -> Twin:
    a, b = _between(rng, 3, 9), _between(rng, 3, 9)
    says = "On this sheet, the sign + means {} and the sign × means {}."
    usual, changed = says.format("addition", "multiplication"), says.format("multiplication", "addition")
    if rng.random() < 0.5:
        return _numbers(usual, changed, f"What is {a} + {b}?", a + b, a * b, a + b)
    return _numbers(usual, changed, f"What is {a} × {b}?", a * b, a + b, a * b)


def _number_words(rng: Rng) -> Twin:
    value = _between(rng, 2, 9)
    other, plus = _between(rng, 11, 30), _between(rng, 31, 60)
    word = _DIGITS[value - 2]
    says = "In this code, the word '{}' stands for the number {}, and digits stand for themselves."
    question = f"What is {word} plus {plus}?"
    return _numbers(
        says.format(word, value), says.format(word, other), question, value + plus, other + plus, value + plus
    )


def _verbs(rng: Rng) -> Twin:
    verb, factor = [("double", 2), ("triple", 3)][int(rng.integers(2))]
    other, number = _between(rng, 4, 9), _between(rng, 11, 40)
    says = f"In this game, to {verb} a number means to multiply it by {{}}."
    question = f"What do you get when you {verb} {number}?"
    return _numbers(says.format(factor), says.format(other), question, factor * number, other * number, factor * number)


def _days(rng: Rng) -> Twin:
    place = int(rng.integers(7))
    day, following = _DAYS[place], _DAYS[(place + 1) % 7]
    other = _DAYS[(place + _between(rng, 2, 6)) % 7]
    return Twin(
        "In the town of Velm, all days have their usual names and order.",
        f"In the town of Velm, the days {following} and {other} have exchanged their names; nothing else has changed.",
        f"Which day comes right after {day} in Velm?",
        following,
        other,
        following,
        tuple(one for one in _DAYS if one != day),
    )


def _map(rng: Rng) -> Twin:
    compass = ("north", "east", "south", "west")
    edges = ("top", "right", "bottom", "left")
    place, turn = int(rng.integers(4)), _between(rng, 1, 3)
    person = _one(rng, PEOPLE)
    says = "On the map of the island, {} is at the top, {} at the right, {} at the bottom and {} at the left."
    turned = [compass[(edge + turn) % 4] for edge in range(4)]
    return Twin(
        says.format(*compass),
        says.format(*turned),
        f"{person} draws a line from the middle of the map to its {edges[place]} edge. To which side of the island "
        "does the line lead?",
        compass[place],
        turned[place],
        compass[place],
        compass,
    )


# Changed numbers ------------------------------------------------------------------------------------------------------

_CONSTANTS = (
    (7, "On the planet Orla, a week has {} days.", "How many days are {} weeks there?"),
    (12, "In this bakery, a dozen is {} rolls.", "How many rolls are {} dozen in this bakery?"),
    (60, "On this clock, an hour has {} minutes.", "How many minutes are {} hours on this clock?"),
    (8, "The spiders in this game have {} legs each.", "How many legs do {} of these spiders have together?"),
    (12, "In this calendar, a year has {} months.", "How many months are {} years in this calendar?"),
    (100, "In this country, a euro is worth {} cents.", "How many cents are {} euros worth in this country?"),
    (4, "The wagons of this factory have {} wheels each.", "How many wheels do {} of these wagons have together?"),
)


def _constants(rng: Rng) -> Twin:
    known, says, asks = _CONSTANTS[int(rng.integers(len(_CONSTANTS)))]
    other = _between(rng, max(3, known // 2), known + max(4, known // 2), but=(known,))
    times = _between(rng, 2, 6)
    question = asks.format(times)
    return _numbers(says.format(known), says.format(other), question, known * times, other * times, known * times)


# An irrelevant clause -------------------------------------------------------------------------------------------------

_NO_MATTER = (
    (
        "{p} picks {a} {x} in the morning and {b} {x} in the evening.",
        "{c} of them are a little smaller than the others.",
        "How many {x} does {p} pick in all?",
    ),
    (
        "{p} reads {a} pages on Saturday and {b} pages on Sunday.",
        "{c} of these pages have a picture on them.",
        "How many pages does {p} read on both days together?",
    ),
    (
        "{a} passengers get on a bus at the first stop and {b} at the second.",
        "{c} of them wear a red hat.",
        "How many passengers get on at both stops together?",
    ),
    (
        "{p} saves {a} coins in May and {b} coins in June.",
        "{c} of the coins are very old.",
        "How many coins does {p} save in both months together?",
    ),
    (
        "A shop sells {a} lamps on Monday and {b} lamps on Tuesday.",
        "{c} of the lamps sold are green.",
        "How many lamps does the shop sell on both days together?",
    ),
)


def _clauses(rng: Rng) -> Twin:
    tells, clause, asks = _NO_MATTER[int(rng.integers(len(_NO_MATTER)))]
    a, b = _between(rng, 11, 29), _between(rng, 11, 29)
    c = _between(rng, 3, 9)
    fruit = _one(rng, [word for word in FRUITS if word not in ("cherry", "peach", "mango")]) + "s"
    words = {"p": _one(rng, PEOPLE), "a": a, "b": b, "c": c, "x": fruit}
    usual = tells.format(**words)
    changed = f"{usual} {clause.format(**words)}"
    return _numbers(usual, changed, asks.format(**words), a + b, a + b, a + b - c)


# A reversed relation --------------------------------------------------------------------------------------------------

_PAIRS = (
    ("{a} arrives before {b}.", "{a} arrives after {b}.", "Who of the two arrives first?"),
    ("{a} is the teacher of {b}.", "The teacher of {a} is {b}.", "Who of the two is the teacher?"),
    ("{a} lends some money to {b}.", "{a} borrows some money from {b}.", "Who of the two gives the money?"),
    ("{a} beats {b} at chess.", "{a} loses to {b} at chess.", "Who of the two wins?"),
    ("{a} phones {b}.", "{a} is phoned by {b}.", "Who of the two makes the call?"),
    ("{a} has more books than {b}.", "{a} has fewer books than {b}.", "Who of the two has more books?"),
)
_CHAINS = (
    ("taller", "shorter", "tallest"),
    ("older", "younger", "oldest"),
    ("faster", "slower", "fastest"),
    ("richer", "poorer", "richest"),
)


def _relations(rng: Rng) -> Twin:
    usual, changed, question = _PAIRS[int(rng.integers(len(_PAIRS)))]
    a, b = drawn(PEOPLE, 2, rng)
    options = tuple(sorted((a, b)))
    return Twin(usual.format(a=a, b=b), changed.format(a=a, b=b), question, a, b, a, options)


def _chains(rng: Rng) -> Twin:
    more, less, most = _CHAINS[int(rng.integers(len(_CHAINS)))]
    people = drawn(PEOPLE, _between(rng, 3, 4), rng)
    pairs = list(itertools.pairwise(people))
    return Twin(
        " ".join(f"{a} is {more} than {b}." for a, b in pairs),
        " ".join(f"{a} is {less} than {b}." for a, b in pairs),
        f"Who is the {most} of them?",
        people[0],
        people[-1],
        people[0],
        tuple(sorted(people)),
    )


# A well-known puzzle with one premise changed -------------------------------------------------------------------------


def _price(rng: Rng) -> Twin:
    big, small = [("racket", "ball"), ("cup", "spoon"), ("book", "pencil"), ("lamp", "bulb")][int(rng.integers(4))]
    half = _between(rng, 3, 12)
    more = 10 * _between(rng, 5, 20)
    together = f"A {big} and a {small} cost {more + 2 * half} cents together."
    usual = f"{together} The {big} costs {more} cents more than the {small}."
    changed = f"{together} The {big} costs {more} cents."
    return _numbers(usual, changed, f"How many cents does the {small} cost?", half, 2 * half, half)


def _lilies(rng: Rng) -> Twin:
    plant, place = [("water lilies", "pond"), ("weed", "garden"), ("moss", "roof")][int(rng.integers(3))]
    days = 2 * _between(rng, 5, 30)
    ends = f"After {days} days the {place} is full."
    usual = f"A {place} is being covered by {plant}. The covered part doubles every day. {ends}"
    changed = f"An empty {place} is being covered by {plant}. The same area is added every day. {ends}"
    return _numbers(
        usual, changed, f"After how many days is half of the {place} covered?", days - 1, days // 2, days - 1
    )


def _machines(rng: Rng) -> Twin:
    n, m = _between(rng, 3, 9), 10 * _between(rng, 2, 20)
    thing = _one(rng, ("nails", "buttons", "screws", "toys"))
    usual = f"It takes {n} machines {n} minutes to make {n} {thing}."
    changed = f"It takes one machine {n} minutes to make {n} {thing}."
    return _numbers(usual, changed, f"How many minutes do {m} such machines need for {m} {thing}?", n, 1, n)


def _weights(rng: Rng) -> Twin:
    heavy, light = _one(rng, _HEAVY), _one(rng, _LIGHT)
    kilos = _between(rng, 2, 9)
    fewer = _between(rng, 1, kilos - 1)
    says = "One bag holds {} kg of {}, another one {} kg of {}."
    return Twin(
        says.format(kilos, heavy, kilos, light),
        says.format(fewer, heavy, kilos, light),
        f"Which weighs more: {heavy} or {light}, or are they equal?",
        "equal",
        light,
        "equal",
        (heavy, light, "equal"),
    )


def _snail(rng: Rng) -> Twin:
    up = _between(rng, 3, 6)
    down = _between(rng, 1, up - 1)
    wall = up * _between(rng, 3, 6)
    usual_days = -(-(wall - up) // (up - down)) + 1
    animal = _one(rng, ("snail", "beetle", "frog"))
    says = f"A {animal} at the foot of a wall of {wall} metres climbs {up} metres every day"
    usual = f"{says} and slides back {down} metres every night."
    changed = f"{says} and rests every night without sliding back."
    return _numbers(
        usual, changed, "On which day, counted from 1, does it reach the top?", usual_days, wall // up, usual_days
    )


def _all_but(rng: Rng) -> Twin:
    animal = _one(rng, ("sheep", "goats", "hens", "cows"))
    left, gone = _between(rng, 3, 9), _between(rng, 10, 20)
    says = f"A farmer has {left + gone} {animal}."
    return _numbers(
        f"{says} All but {left} run away.",
        f"{says} Of these, {left} run away.",
        f"How many {animal} are left?",
        left,
        gone,
        left,
    )


def _socks(rng: Rng) -> Twin:
    black, white = _between(rng, 5, 12), _between(rng, 5, 12)
    says = f"In the dark, a drawer holds {black} black and {white} white socks, all mixed. One needs two socks of "
    return _numbers(
        f"{says}the same colour.",
        f"{says}different colours.",
        "How many socks must one take out to be sure?",
        3,
        max(black, white) + 1,
        3,
    )


MAKERS: dict[str, tuple[Maker, ...]] = {
    "renamed": (_signs, _number_words, _verbs, _days, _map),
    "numbers": (_constants,),
    "irrelevant": (_clauses,),
    "reversed": (_relations, _chains),
    "premise": (_price, _lilies, _machines, _weights, _snail, _all_but, _socks),
}
"""Makers of puzzles by kind: what makes the familiar answer wrong."""
