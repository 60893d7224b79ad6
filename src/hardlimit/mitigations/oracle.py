"""Bounded-oracle retrieval: a library that may be consulted a few times, when the model is not sure by itself."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from hardlimit.core import Generate, Generated, InvalidValueError
from hardlimit.mitigations.abstaining import Signal, confident
from hardlimit.mitigations.asking import abstention, question_of, reworded, said
from hardlimit.mitigations.policy import Dialogue
from hardlimit.probes.grading import fold
from hardlimit.probes.reasoning.answering import final

ONLY = "Answer from the text alone. If it does not hold the answer, say: I don't know.\n\n{text}\n\n{question}"

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")


class Oracle(Protocol):
    """Something that can be looked up; its `repr` names it and its contents."""

    def look_up(self, question: str, rank: int) -> str | None:
        """The text that fits a question best (rank 0), next best (1), …; None where there is no more."""


@dataclass(frozen=True)
class Library:
    """Texts that are searched by their words (BM25).

    Args:
        texts: short passages, at least one.
        name: for reports.

    >>> library = Library(["The capital of Kenya is Nairobi.", "The capital of Fiji is Suva."], name="capitals")
    >>> library.look_up("What is the capital of Fiji?", 0)
    'The capital of Fiji is Suva.'
    """

    texts: Sequence[str]
    name: str = "library"
    _index: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        import bm25s

        if not self.texts:
            raise InvalidValueError(f"The library '{self.name}' has no text; give it at least one.")
        index = bm25s.BM25()
        words = bm25s.tokenize(list(self.texts), stopwords="en", show_progress=False)
        index.index(words, show_progress=False)
        object.__setattr__(self, "_index", index)

    def __repr__(self) -> str:
        checksum = hashlib.sha256(chr(0).join(self.texts).encode()).hexdigest()[:12]
        return f"Library({self.name!r}, {len(self.texts)} texts, {checksum})"

    def look_up(self, question: str, rank: int) -> str | None:
        """The text whose words fit a question best, by BM25; None where no word of the question stands in any more."""
        import bm25s

        if rank >= len(self.texts):
            return None
        words = bm25s.tokenize([question], stopwords="en", show_progress=False, return_ids=False)
        found, scores = self._index.retrieve(words, k=rank + 1, show_progress=False)
        return self.texts[int(found[0, rank])] if scores[0, rank] > 0 else None


@dataclass(frozen=True)
class BoundedOracle:
    """Answers by itself where it is sure, else looks up at most `b` texts and answers from them or not at all.

    The errors of a model that does not know become right answers where the oracle holds the fact, and abstentions where
    it does not (HALL-2 says that one of the two is all that can be hoped for; RETR-1 when looking up pays at all).

    Args:
        oracle: what is looked up.
        b: most texts looked up for one question, >= 0; with 0 it abstains where it is not sure.
        threshold: least confidence that is answered without looking up, in [0, 1]; 0 never looks up, above 1 always.
        signal: where the confidence is read.
        k: samples of self-consistency, >= 1.
    """

    oracle: Oracle
    b: int = 1
    threshold: float = 0.9
    signal: Signal = "sequence probability"
    k: int = 5

    def __post_init__(self) -> None:
        if self.b < 0 or self.threshold < 0 or self.k < 1:
            raise InvalidValueError(
                f"BoundedOracle needs b >= 0, threshold >= 0 and k >= 1, got b={self.b}, "
                f"threshold={self.threshold:g}, k={self.k}."
            )

    def answer(self, request: Generate) -> Dialogue:
        """Ask; where the model is not sure, look up one text after another until it answers from them."""
        if self.threshold <= 1:
            reply, confidence = yield from confident(request, self.signal, k=self.k, temperature=0.7)
            sure = confidence is not None and confidence >= self.threshold
            if reply.finish == "error" or (sure and said(reply) is not None):
                return reply
        texts: list[str] = []
        for rank in range(self.b):
            text = self.oracle.look_up(question_of(request), rank)
            if text is None:
                break
            texts.append(text)
            asked = reworded(request, ONLY.format(text="\n".join(texts), question=question_of(request)))
            (read,) = yield [msgspec.structs.replace(asked, logprobs=False)]
            assert isinstance(read, Generated)
            if read.finish == "error" or answers(read, question_of(request), texts):
                return read
        return abstention()


def answers(reply: Generated, question: str, texts: Sequence[str]) -> bool:
    """Whether a reply says something that the question does not, and every name and number in it stands in the texts.

    >>> told = ["The capital of Fiji is Suva."]
    >>> def holds(text):
    ...     return answers(Generated(text=text, finish="stop"), "What is the capital of Fiji?", told)
    >>> holds("Suva"), holds("The capital city of Fiji is Suva."), holds("It is Nadi."), holds("Fiji")
    (True, True, False, False)
    """
    if said(reply) is None:
        return False
    part = final(reply.text, finish=reply.finish, thinks=False).text.splitlines()[0]
    known, asked = _words(" ".join(texts)), _words(question)
    fresh = [(place, word) for place, word in enumerate(_WORD.findall(part)) if fold(word) not in asked]
    names = [word for place, word in fresh if place > 0 and not word[0].islower()]
    return any(fold(word) in known for _, word in fresh) and all(fold(word) in known for word in names)


def _words(text: str) -> frozenset[str]:
    return frozenset(fold(word) for word in _WORD.findall(text))
