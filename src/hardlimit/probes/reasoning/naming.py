"""Names for the persons and things of a problem: known ones while they last, then coined ones."""

from functools import cache

import numpy as np

PEOPLE = (
    "Alice", "Anna", "Bob", "Carl", "Clara", "Daniel", "David", "Diana", "Edward", "Emma", "Eric", "George", "Hannah",
    "Harry", "Helen", "Henry", "Jack", "James", "Jane", "John", "Julia", "Kate", "Laura", "Lisa", "Louis", "Lucy",
    "Maria", "Martin", "Nancy", "Paul", "Peter", "Richard", "Robert", "Ruth", "Sarah", "Simon", "Susan", "Thomas",
    "Victor", "William",
)  # fmt: skip
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "purple", "orange", "brown", "pink", "grey", "silver")
DRINKS = ("tea", "milk", "coffee", "water", "juice", "cocoa", "beer", "wine", "lemonade", "cider", "soup", "syrup")
PETS = ("cat", "dog", "horse", "parrot", "rabbit", "goldfish", "hamster", "turtle", "snake", "goat", "pony", "hedgehog")
FRUITS = ("apple", "pear", "plum", "cherry", "banana", "lemon", "grape", "peach", "mango", "melon", "fig", "kiwi")
TRADES = (
    "baker", "doctor", "teacher", "farmer", "tailor", "painter", "pilot", "lawyer", "singer", "nurse", "barber",
    "miner",
)  # fmt: skip
THINGS = ("lamp", "book", "ring", "drum", "clock", "kite", "vase", "coin", "flute", "scarf", "glove", "candle")

_ONSETS, _VOWELS, _CODAS = "bdfgklmnprtvz", "aeiou", ("k", "l", "m", "n", "r", "x")


@cache
def _coined() -> tuple[str, ...]:
    words = [f"{a}{b}{c}{d}{e}" for a in _ONSETS for b in _VOWELS for c in "dlmnrv" for d in _VOWELS for e in _CODAS]
    return tuple(word.capitalize() for word in words)


def named(n: int, rng: np.random.Generator) -> list[str]:
    """Draw `n` different names of persons, coined ones where the known ones do not suffice.

    >>> len(set(named(100, np.random.default_rng(0))))
    100
    """
    people = [PEOPLE[int(i)] for i in rng.permutation(len(PEOPLE))[:n]]
    more = n - len(people)
    if more <= 0:
        return people
    pool = _coined()
    return people + [pool[int(i)] for i in rng.choice(len(pool), size=more, replace=False)]


def drawn(pool: tuple[str, ...], n: int, rng: np.random.Generator) -> list[str]:
    """Draw `n` different words of a pool, at most as many as it has."""
    return [pool[int(i)] for i in rng.permutation(len(pool))[:n]]
