"""Coining: words that sound like names and are not, made from syllables and checked against what exists."""

import string
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from hardlimit.core import HardlimitError
from hardlimit.probes.grading import fold
from hardlimit.probes.hallucination.world import countries, read_lines, vocabulary

_ONSETS = ("b", "br", "c", "cr", "d", "dr", "f", "fl", "g", "gl", "gr", "h", "j", "k", "l", "m", "n", "p", "pl", "pr",
           "qu", "r", "s", "sk", "sl", "st", "t", "th", "tr", "v", "w", "z")  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "ae", "ia", "ou", "ei")
_CODAS = ("", "", "", "l", "n", "r", "s", "m", "nd", "rn", "lt", "x", "th", "k")
_ENDINGS = {
    "city": ("mar", "wick", "holm", "dor", "ova", "ella", "ina", "eth", "anda", "oru", "esk"),
    "country": ("uria", "estan", "onia", "avia", "aland", "ovia", "eria", "umbra"),
    "element": ("ium",),
    "medicine": ("axin", "oprin", "idone", "uvir", "elol", "amide", "ozine"),
    "company": ("ix", "on", "era", "ara", "ex", "io", "us"),
    "animal": ("ock", "et", "ull", "ander", "ine", "oll", "imp"),
    "name": ("", "an", "is", "o", "ek", "ova", "en", "ar"),
}
_ADJECTIVES = ("Glass", "Silent", "Last", "Hollow", "Burning", "Borrowed", "Winter", "Salt", "Crooked", "Second")
_NOUNS = (
    "Harvest",
    "Ledger",
    "Orchard",
    "Lantern",
    "Tide",
    "Parliament",
    "Cartographer",
    "Daughter",
    "Bridge",
    "Winter",
)
_OTHER_LANGUAGES = ("de", "es", "fr", "it", "pt", "nl", "sv", "pl", "tr", "id", "fi", "cs")
_TRIES = 1_000

Listed = Callable[[str], bool]


@cache
def _english() -> frozenset[str]:
    from wordfreq import get_frequency_dict  # slow to import, and only coining needs the whole list

    return frozenset(get_frequency_dict("en", "large"))


@cache
def _elsewhere() -> frozenset[str]:
    from wordfreq import get_frequency_dict

    return frozenset(fold(word) for code in _OTHER_LANGUAGES for word in get_frequency_dict(code, "small"))


@cache
def _names() -> frozenset[str]:
    places = {place for (place,) in read_lines("placenames.txt.gz")}
    spelled = [name for known in countries().values() for name in known]
    listed = [*spelled, *vocabulary("capital"), *vocabulary("element"), *(row[1] for row in read_lines("known.tsv"))]
    return frozenset(places | {word for name in listed for word in fold(name).split()})


def neighbours(word: str) -> Iterator[str]:
    """Yield the word and everything at edit distance 1 from it: one letter dropped, changed, added or swapped.

    >>> sorted(set(neighbours("ab")))[:4], len(set(neighbours("ab")))
    (['a', 'aa', 'aab', 'ab'], 130)
    """
    yield word
    for index in range(len(word) + 1):
        head, tail = word[:index], word[index:]
        if tail:
            yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in string.ascii_lowercase:
            yield head + letter + tail
            if tail:
                yield head + letter + tail[1:]


def exists(word: str) -> bool:
    """Whether a word, or one that differs by one letter, is an English word or the name of a place, country or element.

    Of twelve other languages the word itself is looked up among their commonest words.

    >>> exists("Parys"), exists("Vostremar")
    (True, False)
    """
    folded = fold(word)
    english, listed = _english(), _names()
    return folded in _elsewhere() or any(near in english or near in listed for near in neighbours(folded))


def coin_word(kind: str, rng: np.random.Generator) -> str:
    """Coin one capitalised word of a kind, of 6 to 12 letters, that does not exist.

    >>> coin_word("city", np.random.default_rng(0)) == coin_word("city", np.random.default_rng(0))
    True
    """
    for _ in range(_TRIES):
        count = int(rng.integers(1, 3))
        parts = [_pick(_ONSETS, rng) + _pick(_VOWELS, rng) + _pick(_CODAS, rng) for _ in range(count)]
        word = "".join(parts) + _joined(parts[-1], _pick(_ENDINGS[kind], rng), rng)
        if 6 <= len(word) <= 12 and not _unspeakable(word) and not exists(word):
            return word.capitalize()
    raise HardlimitError(f"No {kind} could be coined in {_TRIES} tries; the lists of existing words leave no room.")


def coin_name(kind: str, rng: np.random.Generator) -> str:
    """Coin what is asked about: one word, a first and a last name for a person, a title for a book."""
    if kind == "person":
        return f"{coin_word('name', rng)} {coin_word('name', rng)}"
    if kind == "book":
        return f"The {_pick(_ADJECTIVES, rng)} {_pick(_NOUNS, rng)} of {coin_word('name', rng)}"
    word = coin_word(kind, rng)
    return word.lower() if kind in ("element", "medicine", "animal") else word


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _joined(before: str, ending: str, rng: np.random.Generator) -> str:
    """Put a consonant between two vowels, so that the seam can be spoken."""
    if ending and ending[0] in "aeiou" and before[-1] in "aeiou":
        return _pick(("l", "n", "r", "v", "d", "t"), rng) + ending
    return ending


def _unspeakable(word: str) -> bool:
    run = {True: 0, False: 0}
    for letter in word:
        vowel = letter in "aeiou"
        run[vowel] += 1
        run[not vowel] = 0
        if run[False] > 3 or run[True] > 2:
            return True
    return False
