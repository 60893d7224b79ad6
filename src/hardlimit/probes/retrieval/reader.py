"""Reading what a retriever found: questions about a corpus with the first k documents of a ranking in the prompt."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import (
    Case,
    Generate,
    Generated,
    Grade,
    InvalidValueError,
    Limit,
    Message,
    Quantity,
    Scored,
    Value,
    quantity,
)
from hardlimit.probes.grading import grade_reply
from hardlimit.probes.retrieval.corpus import Corpus, Query, coined_corpus, documents_with_answer
from hardlimit.probes.retrieval.probe import MAX_TOKENS, question_of
from hardlimit.probes.retrieval.prompt import Prompt
from hardlimit.probes.retrieval.retrievers import BM25, Places

LONGEST_DOCUMENT = 2_000
"""Characters of a document that are put into the prompt; a longer one is cut."""

_RULE = "Answer the question in a few words. Use the passages where they help."
_CLOSED_BOOK = "Answer the question in a few words."
_OTHERS = 40
_COINED_QUERIES = 200


class Retrieved(Value, frozen=True):
    """Asks questions with the first k documents that a retriever ranks, best first.

    Whether the needed documents are among them is known (`sufficient`), and so is the `rank` of the last needed one (0
    where it is not within `depth`). The true answer counts as right in either case, wherever the model has it from.
    The prompts of one question with growing k share their beginning.

    Args:
        corpus: fingerprint of the documents, or empty for a coined corpus.
        retriever: who ranked.
        documents: of the coined corpus that `cases` searches with BM25.
        passages: k of `cases`, >= 0.

    >>> case = Retrieved(documents=40, passages=3).cases(seed=0, n=1)[0]
    >>> case.ask.messages[0].content.count("Passage "), case.factors["rank"] > 0
    (3, True)
    """

    corpus: str = ""
    retriever: str = "bm25"
    documents: int = 300
    passages: int = 4
    name: ClassVar[str] = "retrieval.retrieved"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.RETRIEVAL
    quantity: ClassVar[Quantity] = quantity.ACCURACY

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Coin a corpus, search it with BM25, and ask the first `n` questions about it.

        Raises:
            InvalidValueError: more questions than 200 or than a third of the documents.
        """
        most = min(_COINED_QUERIES, self.documents // 3)
        if not 1 <= n <= most:
            raise InvalidValueError(f"Retrieved.cases needs n in [1, {most}], got {n}.")
        corpus, queries = coined_corpus(documents=self.documents, queries=most, seed=seed)
        found = BM25(corpus).search(queries[:n], max(1, self.passages))
        return self.from_ranking(corpus, queries[:n], found, (self.passages,))

    def from_ranking(self, corpus: Corpus, queries: Sequence[Query], found: Places, ks: Sequence[int]) -> list[Case]:
        """Make the cases of a ranking, question by question, each with every k.

        Args:
            corpus: what was searched.
            queries: the questions.
            found: `(questions, depth)`, as a retriever ranks them.
            ks: numbers of passages, each >= 0; 0 is the closed book.
        """
        ranks = needed_ranks_or_answers(corpus, queries, found)
        answers = list(dict.fromkeys(answer for query in queries for answer in query.answers))
        cases = []
        for row, query in enumerate(queries):
            lures = [answer for answer in answers if answer not in query.answers][:_OTHERS]
            texts = [corpus.documents[int(place)].text for place in found[row] if place >= 0]
            cases += [self._case(query, texts[:k], k, int(ranks[row]), lures) for k in ks]
        return cases

    def _case(self, query: Query, texts: Sequence[str], k: int, rank: int, lures: Sequence[str]) -> Case:
        shown = tuple(text[:LONGEST_DOCUMENT] for text in texts)
        prompt = Prompt(rule=_RULE if texts else _CLOSED_BOOK, passages=shown, question=query.text)
        turn = Message(role="user", content=prompt.write())
        return Case(
            id=f"{self.retriever}-{self.corpus or self.documents}-{query.id}-{k}",
            ask=Generate(messages=(turn,), max_tokens=MAX_TOKENS, logprobs=True),
            gold=query.answers,
            lures=tuple(lures),
            factors={
                "passages": k,
                "shown": len(texts),
                "sufficient": 0 < rank <= k,
                "rank": rank,
                "place": max(rank - 1, 0),
                "question": query.id,
                "cut": sum(len(text) > LONGEST_DOCUMENT for text in texts),
            },
            cluster=f"{self.corpus or self.documents}:{query.id}",
        )

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade by name; the answers of other questions are known as wrong."""
        return grade_reply(reply, gold=case.gold, lures=case.lures, question=question_of(case))

    def controls(self) -> dict[str, "Retrieved"]:
        """`trivial`: one document of a tiny corpus. `impossible`: a coined thing without any passage."""
        return {
            "trivial": Retrieved(documents=self.documents, passages=1),
            "impossible": Retrieved(documents=self.documents, passages=0),
        }


def needed_ranks_or_answers(corpus: Corpus, queries: Sequence[Query], found: Places) -> NDArray[np.int64]:
    """Rank at which a question has all it needs, 0 where that is not within the ranking.

    That is the rank of its last needed document; where the needed ones are not known, of the first document that names
    an accepted answer.

    >>> corpus, queries = coined_corpus(documents=10, queries=2, seed=0)
    >>> needed_ranks_or_answers(corpus, queries, np.array([[3, 0], [2, 3]])).tolist()
    [2, 0]
    """
    places = corpus.places
    ranks = np.zeros(len(queries), dtype=np.int64)
    for row, query in enumerate(queries):
        wanted = {places[id] for id in query.gold or documents_with_answer(corpus, query)}
        at = [rank for rank, place in enumerate(found[row].tolist(), start=1) if place in wanted]
        if query.gold:
            ranks[row] = at[-1] if len(set(at)) == len(wanted) else 0
        else:
            ranks[row] = at[0] if at else 0
    return ranks
