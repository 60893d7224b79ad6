"""Facts about the world with a measure of how popular each is, from the packaged lists."""

import gzip
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from hardlimit.core import InvalidValueError, UnknownNameError, Value
from hardlimit.probes.grading import fold

Family = Literal["capital", "city", "symbol", "element", "past"]
FAMILIES: tuple[Family, ...] = get_args(Family)
"""Families of short facts: capital of a country, country of a city, symbol of an element, element of a symbol or
number, past tense of a verb."""

_WORDS = frozenset({"I", "He", "In", "As", "At", "Be", "No", "Am"})
"""Symbols of elements that are English words: a reader of answers cannot tell them apart."""
_NOT_THE_METAL = frozenset({"lead"})
"""Elements whose name is mostly another word, so that its frequency is not the element's popularity."""


_REGIONS = {"the United States": ("Georgia",), "Belgium": ("Luxembourg",)}
"""Regions that are named like another country, in the country that they belong to."""

CLASSES = {
    "mammal": ("mammal", "mammals", "Mammalia"),
    "bird": ("bird", "birds", "Aves"),
    "reptile": ("reptile", "reptiles", "Reptilia", "snake", "snakes", "lizard", "lizards"),
    "amphibian": ("amphibian", "amphibians", "Amphibia", "frog", "frogs", "salamander", "salamanders"),
    "fish": ("fish", "fishes", "Pisces", "Actinopterygii", "Osteichthyes"),
    "insect": ("insect", "insects", "Insecta"),
    "spider": ("arachnid", "arachnids", "Arachnida", "spider", "spiders"),
    "crustacean": ("crustacean", "crustaceans", "Crustacea"),
    "mollusc": ("mollusc", "molluscs", "mollusk", "mollusks", "Mollusca"),
}
"""Classes of animals and the words for them."""


class Fact(Value, frozen=True):
    """One short fact.

    Args:
        subject: what is asked about.
        answers: accepted answers, the usual one first.
        popularity: people (countries, cities) or occurrences per billion words (elements, verbs) of the subject.
        number: atomic number, for elements.
    """

    subject: str
    answers: tuple[str, ...]
    popularity: float
    number: int | None = None


def read_lines(name: str) -> Iterator[list[str]]:
    """Read a packaged list: its tab-separated fields, without comments."""
    path = files("hardlimit.probes") / "data" / name
    data = path.read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def names(field: str) -> tuple[str, ...]:
    """Split a field of alternatives."""
    return tuple(name for name in field.split("|") if name)


@cache
def countries() -> dict[str, tuple[str, ...]]:
    """Names of countries by ISO code, the one that stands in a sentence first."""
    return {iso: (name, *names(others)) for iso, name, others, *_ in read_lines("countries.tsv")}


@cache
def adjectives() -> dict[str, tuple[str, ...]]:
    """Adjectives of countries by ISO code: `a German city` says where it is, though it names no country."""
    return {iso: names(field) for iso, _, _, field, _ in read_lines("countries.tsv")}


@cache
def _people() -> dict[str, float]:
    return {iso: float(people) for iso, people in read_lines("population.tsv")}


def contains(outer: str, inner: str) -> bool:
    """Whether all words of a name stand in another, so that the one tells the other.

    >>> contains("Guatemala City", "Guatemala"), contains("Tunisia", "Tunis")
    (True, False)
    """
    return set(fold(inner).split()) <= set(fold(outer).split())


@cache
def facts(family: Family) -> tuple[Fact, ...]:
    """All packaged facts of a family that can be asked: unambiguous, not told by the question, of known popularity.

    >>> fact = next(fact for fact in facts("capital") if fact.subject == "Kenya")
    >>> fact.answers, fact.popularity > 1e7
    (('Nairobi',), True)
    """
    makers = {"capital": _capitals, "city": _cities, "symbol": _symbols, "element": _elements, "past": _pasts}
    if family not in makers:
        raise UnknownNameError.among("family of facts", family, makers)
    return tuple(fact for fact in makers[family]() if fact.popularity > 0)


def _capitals() -> Iterator[Fact]:
    for iso, name, *_, capitals in read_lines("countries.tsv"):
        answers = names(capitals)
        told = any(contains(answer, name) or contains(name, answer) for answer in answers)
        if answers and not told:
            yield Fact(subject=name, answers=answers, popularity=_people().get(iso, 0.0))


def _cities() -> Iterator[Fact]:
    for iso, name, people in read_lines("cities.tsv.gz"):
        yield Fact(subject=name, answers=(*countries()[iso], *adjectives()[iso]), popularity=float(people))


def occurrences(word: str) -> float:
    """How often a word occurs in English, per billion words; 0 where it is not listed.

    >>> occurrences("gold") > 100 * occurrences("ytterbium") > 0
    True
    """
    from wordfreq import word_frequency  # slow to import, and only these families need it

    return round(float(word_frequency(word, "en")) * 1e9, 1)


def _named_elements() -> Iterator[tuple[int, str, tuple[str, ...], float]]:
    for number, symbol, field in read_lines("elements.tsv"):
        element = names(field)
        if element[0] not in _NOT_THE_METAL:
            yield int(number), symbol, element, round(sum(occurrences(name) for name in element), 1)


def _symbols() -> Iterator[Fact]:
    for number, symbol, element, popularity in _named_elements():
        if symbol not in _WORDS:
            yield Fact(subject=element[0], answers=(symbol,), popularity=popularity, number=number)


def _elements() -> Iterator[Fact]:
    for number, symbol, element, popularity in _named_elements():
        yield Fact(subject=symbol, answers=element, popularity=popularity, number=number)


def _pasts() -> Iterator[Fact]:
    for verb, forms in read_lines("verbs.tsv"):
        yield Fact(subject=verb, answers=names(forms), popularity=occurrences(verb))


@cache
def lures(answer_kind: str, gold: tuple[str, ...]) -> tuple[str, ...]:
    """The vocabulary that an answer is read against: without what may stand beside the right one.

    >>> "Georgia" in lures("country", ("the United States",)), "Georgia" in lures("country", ("Japan",))
    (False, True)
    """
    known = vocabulary(answer_kind)
    beside = {name for country, regions in _REGIONS.items() if country in gold for name in regions}
    return tuple(name for name in known if name not in beside) if beside else known


@cache
def vocabulary(answer_kind: str) -> tuple[str, ...]:
    """Every answer of a kind (`country`, `capital`, `symbol`, …) that the grader shall know, right or wrong.

    >>> len(vocabulary("capital")) > 200, "Nairobi" in vocabulary("capital")
    (True, True)
    """
    if answer_kind == "country":
        return tuple(name for spelled in countries().values() for name in spelled)
    if answer_kind == "capital":
        return tuple(name for *_, capitals in read_lines("countries.tsv") for name in names(capitals))
    if answer_kind in ("symbol", "element"):
        found = facts("symbol") if answer_kind == "symbol" else facts("element")
        return tuple(name for fact in found for name in fact.answers)
    if answer_kind == "animal":
        return tuple(name for spelled in CLASSES.values() for name in spelled)
    if answer_kind == "open":
        return ()
    raise InvalidValueError(f"No vocabulary of answers is kept for {answer_kind!r}.")
