"""Ranking passages for a question, and searching twice: a cheap retriever brings many, a dear scorer sorts them."""

from collections.abc import Generator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from hardlimit.core import Generate, Generated, InvalidValueError, Message, Score, Scored, Usage, Value
from hardlimit.mitigations.policy import in_order, total
from hardlimit.models import Model, Scores, require
from hardlimit.probes.retrieval import BM25, Corpus, Document, Prompt, Query, Retriever
from hardlimit.probes.retrieval.retrievers import ABSENT, Places

if TYPE_CHECKING:
    from hardlimit.models.crossing import CrossEncoder


class Cross(Value, frozen=True):
    """A cross-encoder that ranks passages: it reads the question and one passage together.

    It is a model of its own, so that what it computes is not among the tokens and calls of the model that answers.

    Args:
        path: of a sequence classifier of transformers with one output, or two; see `models.crossing`.

    Source:
        Nogueira and Cho (2019), Passage re-ranking with BERT (arXiv:1901.04085).

    >>> Cross(path="")
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.InvalidValueError: A cross-encoder needs a path.
    """

    path: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise InvalidValueError("A cross-encoder needs a path.")

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the question; the weights are loaded once."""
        found: list[float] = _opened(self.path).relevance(question, texts).tolist()
        return found


By: TypeAlias = Literal["words", "model", "as given"] | Cross
"""How passages are ranked: by BM25 against the question; by how likely the model finds the question after the passage
alone; as they stand, because a retriever has ranked them; or by a cross-encoder."""

Ranking: TypeAlias = Generator[Sequence[Generate | Score], list[Generated | Scored], list[int]]
"""A dialogue that ends with the passages' indices, the best first."""

_SAID = {"words": "bm25 among them", "model": "likelihood of the question", "as given": "nothing"}

LIKELIHOOD = "Passage: {text}\n\nWrite one question that this passage answers."


def ranked(prompt: Prompt, by: By) -> Ranking:
    """Rank the passages of a prompt, the best first; equal ones stay in their order.

    Source:
        By the likelihood of the question: Sachan et al. (2022), Improving passage retrieval with zero-shot question
        generation.

    >>> texts = ("Nadi has an airport.", "The capital of Fiji is Suva.")
    >>> prompt = Prompt(rule="", passages=texts, question="What is the capital of Fiji?")
    >>> try:
    ...     next(ranked(prompt, "words"))
    ... except StopIteration as stop:
    ...     stop.value
    [1, 0]
    """
    texts = prompt.passages
    if by == "as given" or len(texts) < 2:
        return list(range(len(texts)))
    if by == "words":
        corpus = Corpus(name="prompt", documents=tuple(Document(id=str(i), text=t) for i, t in enumerate(texts)))
        scores = BM25(corpus).scores(Query(id="question", text=prompt.question, answers=())).tolist()
    elif isinstance(by, Cross):
        scores = by.scores(prompt.question, texts)
    else:
        replies = yield [
            Score(messages=(Message(role="user", content=LIKELIHOOD.format(text=t)),), continuation=prompt.question)
            for t in texts
        ]
        scores = [
            reply.log_likelihood if isinstance(reply, Scored) and not reply.error else float("-inf")
            for reply in replies
        ]
    return sorted(range(len(texts)), key=lambda place: (-scores[place], place))


class Reranked:
    """A retriever that searches twice: the first `depth` documents of another one, in the order of a dearer scorer.

    What the first one does not bring, no order can put first: recall at `depth` is the most that recall at any fewer
    can become.

    Args:
        first: brings the documents.
        corpus: where it searches.
        by: puts them in order.
        depth: documents that are put in order, >= 1; what is asked for beyond them keeps its place.
        model: whose likelihood counts, where `by` is `model`; it needs to score.

    >>> from hardlimit.probes.retrieval import coined_corpus
    >>> corpus, queries = coined_corpus(documents=20, queries=2, seed=0)
    >>> twice = Reranked(BM25(corpus), corpus, "as given", depth=5)
    >>> twice.name, bool((twice.search(queries, 5) == BM25(corpus).search(queries, 5)).all())
    ('bm25, 5 re-ranked by nothing', True)
    """

    def __init__(
        self, first: Retriever, corpus: Corpus, by: By, *, depth: int = 10, model: Model | None = None
    ) -> None:
        if depth < 1:
            raise InvalidValueError(f"Reranked.depth must be >= 1, got {depth}.")
        if by == "model" and model is None:
            raise InvalidValueError("Re-ranking by the model's likelihood needs a model.")
        self._first, self._texts, self._by, self._depth = first, corpus.texts, by, depth
        self._scorer = require(model, Scores) if by == "model" and model is not None else None
        self.usage = Usage(calls=0)
        """What the model has computed for it so far."""

    @property
    def name(self) -> str:
        """The first retriever, how many it brings, and by what they are put in order."""
        by = f"the cross-encoder {self._by.path}" if isinstance(self._by, Cross) else _SAID[self._by]
        return f"{self._first.name}, {self._depth} re-ranked by {by}"

    def search(self, queries: Sequence[Query], k: int) -> Places:
        """Rank documents; arguments as for any retriever."""
        brought = self._first.search(queries, max(k, self._depth))
        rows = [[int(place) for place in row[: self._depth] if place != ABSENT] for row in brought]
        rankings = [
            ranked(Prompt(rule="", passages=tuple(self._texts[place] for place in row), question=query.text), self._by)
            for row, query in zip(rows, queries, strict=True)
        ]
        for row, order, found in zip(rows, self._orders(rankings), brought, strict=True):
            found[: len(row)] = [row[place] for place in order]
        return np.asarray(brought[:, :k], dtype=np.int64)

    def _orders(self, rankings: Sequence[Ranking]) -> list[list[int]]:
        """Run all rankings side by side; each asks at most once."""
        orders: list[list[int]] = [[] for _ in rankings]
        asks: list[tuple[int, Score]] = []
        for number, ranking in enumerate(rankings):
            try:
                asks += [(number, ask) for ask in next(ranking) if isinstance(ask, Score)]
            except StopIteration as stop:
                orders[number] = stop.value
        if asks and self._scorer is not None:
            got = dict(self._scorer.score([ask for _, ask in asks]))
            inbox: dict[int, list[Generated | Scored]] = {}
            for (number, _), reply in zip(asks, in_order(got, len(asks), self._scorer), strict=True):
                self.usage = total(self.usage, reply.usage)
                inbox.setdefault(number, []).append(reply)
            for number, replies in inbox.items():
                try:
                    rankings[number].send(replies)
                except StopIteration as stop:
                    orders[number] = stop.value
        return orders


@lru_cache(maxsize=2)
def _opened(path: str) -> "CrossEncoder":
    from hardlimit.models.crossing import CrossEncoder

    return CrossEncoder(path)
