"""Coined facts: chains of relations between persons, companies and towns that do not exist, from a seed."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from hardlimit.core import HardlimitError, InvalidValueError, Value
from hardlimit.probes.hallucination.coining import coin_word
from hardlimit.probes.hallucination.world import Fact as Popular
from hardlimit.probes.hallucination.world import facts as popular_facts
from hardlimit.probes.retrieval.relations import (
    CAPITAL,
    INTERROGATIVES,
    KINDS,
    RELATIONS,
    WORKS,
    Relation,
    relation_named,
    relations_of,
)

Family: TypeAlias = Literal["coined", "capital"]
"""Facts that no model can know, or capitals of the real world, which it may."""

_TRIES = 1_000


class Fact(Value, frozen=True):
    """One fact: a relation, its subject and the answer.

    Args:
        relation: key of the relation.
        subject: what it is about.
        answer: the answer, as a passage states it.
    """

    relation: str
    subject: str
    answer: str

    @property
    def kind(self) -> Relation:
        """The relation."""
        return relation_named(self.relation)


class Coiner:
    """Coins names that never repeat, and of which no two share a word while the pool lasts.

    Args:
        rng: source of the names.
        pool: words of each sort after which words are used again in other combinations; None for no end. In a large
            collection of documents many names share a word, as in a real one.
        taken: names whose words must not be coined again.

    >>> coiner = Coiner(np.random.default_rng(0))
    >>> len({coiner.name("person") for _ in range(20)})
    20
    """

    def __init__(self, rng: np.random.Generator, pool: int | None = None, taken: Sequence[str] = ()) -> None:
        """See the class."""
        self._rng = rng
        self._pool = pool
        self._words: dict[str, list[str]] = {}
        self._taken = {word for name in taken for word in name.split()}
        self._names: set[str] = set()

    def name(self, kind: str) -> str:
        """Coin a name of a kind: two words for a person or a company, one for a town."""
        for _ in range(_TRIES):
            name = self._compose(kind)
            if name not in self._names:
                self._names.add(name)
                return name
        raise HardlimitError(
            f"No further {kind} could be coined: {len(self._names)} names use up a pool of {self._pool} words."
        )

    def _compose(self, kind: str) -> str:
        if kind == "person":
            return f"{self._word('name')} {self._word('surname')}"
        if kind == "company":
            return f"{self._word('company')} {WORKS[int(self._rng.integers(len(WORKS)))]}"
        if kind == "town":
            return self._fresh("city")  # the only word of its name, so it is never used again
        raise InvalidValueError(f"No name of a kind {kind!r} can be coined. Kinds: {', '.join(KINDS)}.")

    def _word(self, sort: str) -> str:
        words = self._words.setdefault(sort, [])
        if self._pool is not None and len(words) >= self._pool:
            return words[int(self._rng.integers(len(words)))]
        words.append(self._fresh("name" if sort == "surname" else sort))
        return words[-1]

    def _fresh(self, kind: str) -> str:
        while (word := coin_word(kind, self._rng)) in self._taken:
            pass
        self._taken.add(word)
        return word


def chain(hops: int, rng: np.random.Generator, coiner: Coiner) -> tuple[Fact, ...]:
    """Draw a chain of facts, each about the answer of the one before; all names are new.

    Args:
        hops: facts in the chain, >= 1; open-ended.
        rng: source of the relations.
        coiner: source of the names.

    >>> rng = np.random.default_rng(1)
    >>> first, second = chain(2, rng, Coiner(rng))
    >>> first.answer == second.subject
    True
    """
    if hops < 1:
        raise InvalidValueError(f"A chain of facts needs hops >= 1, got {hops}.")
    relation = RELATIONS[int(rng.integers(len(RELATIONS)))]
    subject = coiner.name(relation.subject)
    facts: list[Fact] = []
    for _ in range(hops):
        facts.append(Fact(relation=relation.key, subject=subject, answer=coiner.name(relation.answer)))
        subject = facts[-1].answer
        # Twice the same mutual relation leads back: the spouse of somebody's spouse is nobody new.
        following = [item for item in relations_of(relation.answer) if not (item.mutual and item == relation)]
        relation = following[int(rng.integers(len(following)))]
    return tuple(facts)


def noun_phrase(facts: Sequence[Fact]) -> str:
    """Name the answer of a chain by its relations alone.

    >>> noun_phrase([Fact(relation="founder", subject="Zub Mills", answer="A"),
    ...     Fact(relation="teacher", subject="A", answer="B")])
    'the teacher of the founder of Zub Mills'
    """
    phrase = facts[0].subject
    for fact in facts:
        phrase = fact.kind.noun.format(x=phrase)
    return phrase


def question_about(facts: Sequence[Fact], rng: np.random.Generator) -> str:
    """Ask for the answer of a chain: in one of the relation's wordings, or by nested noun phrases.

    >>> fact = Fact(relation="twin", subject="Zubmar", answer="Karholm")
    >>> question_about([fact], np.random.default_rng(0))
    'With which town is Zubmar twinned?'
    """
    if len(facts) == 1:
        wordings = facts[0].kind.questions
        return wordings[int(rng.integers(len(wordings)))].format(x=facts[0].subject)
    return f"{INTERROGATIVES[facts[-1].kind.answer]} {noun_phrase(facts)}?"


def capitals(seed: int) -> tuple[Popular, ...]:
    """The capitals of the world in a random order, each with the spellings that count as right.

    >>> len(capitals(0)) > 150, capitals(0) != capitals(1)
    (True, True)
    """
    known = popular_facts("capital")
    order = np.random.default_rng([seed, 11]).permutation(len(known))
    return tuple(known[int(place)] for place in order)


def capital_fact(fact: Popular) -> Fact:
    """Read a capital of the world as a fact."""
    return Fact(relation=CAPITAL.key, subject=fact.subject, answer=fact.answers[0])
