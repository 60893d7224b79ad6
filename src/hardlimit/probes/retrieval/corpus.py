"""Collections of documents and the questions asked about them: coined ones of any size, or a user's own."""

import hashlib

import numpy as np

from hardlimit.core import InvalidValueError, Value
from hardlimit.probes.grading import fold
from hardlimit.probes.retrieval.facts import Coiner, Fact, question_about
from hardlimit.probes.retrieval.passages import Writer
from hardlimit.probes.retrieval.relations import KINDS, RELATIONS, Kind, Relation

POOL = 2_000
"""Coined words of each sort; in a collection of 10⁵ documents each stands in the names of several subjects."""

_LASTING = tuple(relation for relation in RELATIONS if not relation.mutual)
_FEWEST_ENTITIES = 8


class Document(Value, frozen=True):
    """One document.

    Args:
        id: unique in its corpus.
        text: what is searched and read.
    """

    id: str
    text: str


class Corpus(Value, frozen=True):
    """A collection of documents.

    Args:
        name: for the record.
        documents: at least one; their ids differ.
    """

    name: str
    documents: tuple[Document, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.documents:
            raise InvalidValueError(f"The corpus '{self.name}' has no documents; it needs at least one.")
        if len({document.id for document in self.documents}) < len(self.documents):
            raise InvalidValueError(f"The corpus '{self.name}' has two documents with the same id.")

    def __len__(self) -> int:
        return len(self.documents)

    @property
    def texts(self) -> list[str]:
        """The documents' texts in order."""
        return [document.text for document in self.documents]

    @property
    def places(self) -> dict[str, int]:
        """Index of each document by its id."""
        return {document.id: place for place, document in enumerate(self.documents)}

    @property
    def fingerprint(self) -> str:
        """A hash of the texts in order."""
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        return digest.hexdigest()[:16]

    def first(self, documents: int) -> "Corpus":
        """The first so many documents, as a corpus.

        >>> corpus = Corpus(name="two", documents=(Document(id="a", text="A"), Document(id="b", text="B")))
        >>> len(corpus.first(1))
        1
        """
        if not 1 <= documents <= len(self):
            raise InvalidValueError(
                f"'{self.name}' has {len(self)} documents, so between 1 and {len(self)} can be taken, got {documents}."
            )
        return Corpus(name=f"{self.name}[:{documents}]", documents=self.documents[:documents])


class Query(Value, frozen=True):
    """One question about a corpus.

    Args:
        id: unique among the questions.
        text: as it is asked.
        answers: accepted answers, any of which counts.
        gold: ids of the documents that are needed, all of them; empty where they are not known.
    """

    id: str
    text: str
    answers: tuple[str, ...]
    gold: tuple[str, ...] = ()


class Collection(Value, frozen=True):
    """A corpus and questions about it.

    Args:
        corpus: the documents.
        queries: at least one.
    """

    corpus: Corpus
    queries: tuple[Query, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.queries:
            raise InvalidValueError(f"There are no questions about the corpus '{self.corpus.name}'; give at least one.")


def documents_with_answer(corpus: Corpus, query: Query) -> tuple[str, ...]:
    """Ids of the documents that contain one of the accepted answers, letter case and accents aside.

    A stand-in where the needed documents are not known: a document may name the answer by chance.

    >>> corpus = Corpus(name="two", documents=(Document(id="a", text="It is in Málaga."), Document(id="b", text="No.")))
    >>> documents_with_answer(corpus, Query(id="q", text="Where?", answers=("Malaga",)))
    ('a',)
    """
    wanted = [f" {folded} " for answer in query.answers if (folded := fold(answer))]
    return tuple(
        document.id for document in corpus.documents if any(answer in f" {fold(document.text)} " for answer in wanted)
    )


def coined_corpus(*, documents: int, queries: int, seed: int, hops: int = 1) -> tuple[Corpus, tuple[Query, ...]]:
    """Coin a corpus of one-fact documents and questions about some of them.

    Persons, companies and towns have several relations, each stated in a document of its own, and their answers are
    other persons, companies and towns of the corpus. A question has one answer, and the needed documents come first,
    so that the first m documents are a smaller corpus with the same answers as long as they include these.

    Args:
        documents: N, at least the needed ones.
        queries: how many questions.
        seed: everything follows from it.
        hops: facts that a question joins, each stated in a needed document of its own.

    Raises:
        InvalidValueError: fewer documents than the questions need.

    >>> corpus, (query, *_) = coined_corpus(documents=40, queries=5, seed=0)
    >>> len(corpus), query.answers[0] in corpus.documents[corpus.places[query.gold[0]]].text
    (40, True)
    """
    if queries < 1 or hops < 1 or documents < queries * hops:
        raise InvalidValueError(
            f"{queries} questions of {hops} hops need {queries * hops} documents, got {documents}. Use queries >= 1, "
            "hops >= 1 and a larger corpus."
        )
    rng = np.random.default_rng([seed, documents, 5])
    base = _Base(documents, rng)
    chains = base.chains(queries, hops)
    needed = list(dict.fromkeys(place for steps in chains for place in steps))
    known = set(needed)
    rest = [int(place) for place in rng.permutation(len(base.facts)) if int(place) not in known]
    writer = Writer(np.random.default_rng([seed, documents, 6]))
    order = (needed + rest)[:documents]
    written = {place: Document(id=f"d{rank}", text=writer.gold(base.facts[place]).text) for rank, place in
               enumerate(order)}  # fmt: skip
    asked = tuple(
        Query(
            id=f"q{rank}",
            text=question_about([base.facts[place] for place in steps], rng),
            answers=(base.facts[steps[-1]].answer,),
            gold=tuple(written[place].id for place in steps),
        )
        for rank, steps in enumerate(chains)
    )
    name = f"coined(documents={documents}, queries={queries}, seed={seed}, hops={hops})"
    return Corpus(name=name, documents=tuple(written.values())), asked


class _Base:
    """All facts between a number of persons, companies and towns: every subject has every relation of its kind."""

    def __init__(self, documents: int, rng: np.random.Generator) -> None:
        self._rng = rng
        each = max(_FEWEST_ENTITIES, -(-documents // len(_LASTING)))
        coiner = Coiner(rng, pool=POOL)
        self._names = {kind: [coiner.name(kind) for _ in range(each)] for kind in KINDS}
        self.facts: list[Fact] = []
        self._places: dict[tuple[str, str], int] = {}
        for kind in KINDS:
            for subject in self._names[kind]:
                for relation in self._relations(kind):
                    self._places[subject, relation.key] = len(self.facts)
                    answer = self._other(relation.answer, subject)
                    self.facts.append(Fact(relation=relation.key, subject=subject, answer=answer))

    @staticmethod
    def _relations(kind: str) -> list[Relation]:
        return [relation for relation in _LASTING if relation.subject == kind]

    def _other(self, kind: str, subject: str) -> str:
        names = self._names[_kind(kind)]
        while (name := names[int(self._rng.integers(len(names)))]) == subject:
            pass
        return name

    def chains(self, n: int, hops: int) -> list[list[int]]:
        """Draw `n` chains of facts that start at different facts, as places in `facts`."""
        found = []
        for start in self._rng.permutation(len(self.facts))[:n]:
            steps = [int(start)]
            while len(steps) < hops:
                subject = self.facts[steps[-1]].answer
                following = self._relations(self.facts[steps[-1]].kind.answer)
                relation = following[int(self._rng.integers(len(following)))]
                steps.append(self._places[subject, relation.key])
            found.append(steps)
        return found


def _kind(kind: str) -> Kind:
    return next(known for known in KINDS if known == kind)


def poisoned(corpus: Corpus, query: Query, target: str, dose: int, seed: int) -> Corpus:
    """Plant texts that repeat a question and assert a wrong answer to it, at the end of a corpus.

    Args:
        corpus: the clean one.
        query: the question that is attacked.
        target: the answer that the attacker wants.
        dose: how many texts, >= 0.
        seed: of the wording.

    >>> corpus, (query, *_) = coined_corpus(documents=20, queries=2, seed=0)
    >>> planted = poisoned(corpus, query, "Loswick", 2, seed=0).documents[-1]
    >>> planted.id, "Loswick" in planted.text
    ('poison:q0:1', True)
    """
    documents = tuple(
        Document(id=f"poison:{query.id}:{place}", text=text)
        for place, text in enumerate(poison_texts(query.text, target, dose, seed))
    )
    return Corpus(name=f"{corpus.name}+{dose} planted", documents=(*corpus.documents, *documents))


def poison_texts(question: str, target: str, dose: int, seed: int) -> list[str]:
    """Write planted texts about a question of any wording.

    >>> len(set(poison_texts("Where is it?", "Loswick", 3, seed=0)))
    3
    """
    writer = Writer(np.random.default_rng([seed, 7]))
    phrase = "the answer to this question"
    return [writer.planted(question, phrase, target).text for _ in range(dose)]
