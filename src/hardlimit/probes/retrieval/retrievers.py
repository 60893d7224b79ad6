"""Retrievers, from none to an oracle: BM25, exact dense search, and both fused by rank."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import InvalidValueError
from hardlimit.probes.retrieval.corpus import Corpus, Query

Places: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float32]

ABSENT = -1
"""Stands in a ranking where fewer documents than asked for were found."""

K1 = 1.5
B = 0.75
RRF_CONSTANT = 60
_DEPTH = 100
_BLOCK = 256


@runtime_checkable
class Retriever(Protocol):
    """Anything that ranks the documents of one corpus for a question."""

    @property
    def name(self) -> str:
        """What it is called in a report, such as `bm25`."""

    def search(self, queries: Sequence[Query], k: int) -> Places:
        """Rank documents.

        Returns:
            `(len(queries), k)` indices of documents, best first, ended by `ABSENT` where fewer were found.
        """


def top_k(scores: Floats, k: int, *, above: float = -np.inf) -> Places:
    """Indices of the k largest scores, best first; of equal scores the first document's comes first.

    Args:
        scores: of every document.
        k: how many, >= 1.
        above: scores that are not larger are left out.

    Returns:
        k indices, ended by `ABSENT` where fewer are left.

    >>> top_k(np.array([1.0, 3.0, 3.0, 0.0], dtype=np.float32), 3)
    array([1, 2, 0])
    >>> top_k(np.array([1.0, 0.0], dtype=np.float32), 2, above=0.0)
    array([ 0, -1])
    """
    if k < 1:
        raise InvalidValueError(f"A search needs k >= 1, got {k}.")
    found = np.full(k, ABSENT, dtype=np.int64)
    least = np.partition(scores, scores.size - k)[scores.size - k] if k < scores.size else -np.inf
    candidates = np.flatnonzero((scores >= least) & (scores > above))
    ranked = candidates[np.argsort(-scores[candidates], kind="stable")][:k]
    found[: ranked.size] = ranked
    return found


class NoRetriever:
    """Finds nothing: the closed book.

    >>> NoRetriever().search([Query(id="q", text="Where?", answers=("here",))], 2)
    array([[-1, -1]])
    """

    name = "none"

    def search(self, queries: Sequence[Query], k: int) -> Places:
        """Return no document."""
        return np.full((len(queries), k), ABSENT, dtype=np.int64)


class Oracle:
    """Finds the needed documents, which it is told, and nothing else.

    >>> from hardlimit.probes.retrieval.corpus import coined_corpus
    >>> corpus, queries = coined_corpus(documents=20, queries=2, seed=0)
    >>> Oracle(corpus).search(queries, 2)
    array([[ 0, -1], [ 1, -1]])
    """

    name = "oracle"

    def __init__(self, corpus: Corpus) -> None:
        """Know where each document stands."""
        self._places = corpus.places

    def search(self, queries: Sequence[Query], k: int) -> Places:
        """Return the needed documents in their order."""
        found = np.full((len(queries), k), ABSENT, dtype=np.int64)
        for row, query in enumerate(queries):
            places = [self._places[id] for id in query.gold if id in self._places][:k]
            found[row, : len(places)] = places
        return found


class BM25:
    """Ranks by BM25 over lower-case words (k₁ = 1.5, b = 0.75), exactly; a document without a common word is not found.

    Source:
        Robertson and Zaragoza (2009), The Probabilistic Relevance Framework: BM25 and Beyond; the form of the inverse
        document frequency is Lucene's.

    >>> from hardlimit.probes.retrieval.corpus import coined_corpus
    >>> corpus, queries = coined_corpus(documents=20, queries=2, seed=0)
    >>> BM25(corpus).search(queries, 1).shape
    (2, 1)
    """

    name = "bm25"

    def __init__(self, corpus: Corpus) -> None:
        """Index the corpus."""
        import bm25s  # a quarter of a second, which those who only read passages need not wait for

        self._tokenize = bm25s.tokenize
        self._index = bm25s.BM25(k1=K1, b=B, method="lucene")
        self._documents = len(corpus)
        words = self._words(corpus.texts)
        self._empty = not any(words)  # bm25s cannot index a corpus without any word
        if not self._empty:
            self._index.index(words, show_progress=False)

    def _words(self, texts: list[str]) -> list[list[str]]:
        words: list[list[str]] = self._tokenize(texts, stopwords="en", return_ids=False, show_progress=False)
        return words

    def scores(self, query: Query) -> Floats:
        """Score of every document."""
        words = [] if self._empty else [w for w in self._words([query.text])[0] if w in self._index.vocab_dict]
        if not words:
            return np.zeros(self._documents, dtype=np.float32)
        return np.asarray(self._index.get_scores(words), dtype=np.float32)

    def search(self, queries: Sequence[Query], k: int) -> Places:
        """Rank by score."""
        return np.stack([top_k(self.scores(query), k, above=0.0) for query in queries])


class Hybrid:
    """Fuses the rankings of other retrievers: a document's score is the sum of 1/(60 + rank) over them.

    Source:
        Cormack, Clarke and Büttcher (2009), Reciprocal Rank Fusion outperforms Condorcet and individual rank learning
        methods, SIGIR.

    >>> from hardlimit.probes.retrieval.corpus import coined_corpus
    >>> corpus, queries = coined_corpus(documents=20, queries=2, seed=0)
    >>> Hybrid([Oracle(corpus), BM25(corpus)]).search(queries, 1)
    array([[0], [1]])
    """

    name = "hybrid"

    def __init__(self, parts: Sequence[Retriever]) -> None:
        """Take the retrievers to fuse."""
        self._parts = tuple(parts)

    def search(self, queries: Sequence[Query], k: int) -> Places:
        """Fuse the first 100 places (or k, if more) of every part."""
        rankings = [part.search(queries, max(k, _DEPTH)) for part in self._parts]
        found = np.full((len(queries), k), ABSENT, dtype=np.int64)
        for row in range(len(queries)):
            fused: dict[int, float] = {}
            for ranking in rankings:
                for rank, place in enumerate(ranking[row].tolist(), start=1):
                    if place != ABSENT:
                        fused[place] = fused.get(place, 0.0) + 1 / (RRF_CONSTANT + rank)
            best = sorted(fused, key=lambda place: (-fused[place], place))[:k]
            found[row, : len(best)] = best
        return found
