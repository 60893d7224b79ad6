"""A model that rewrites queries: one hop of a chain at a time, each from the reply before."""

from collections.abc import Sequence
from typing import ClassVar

from hardlimit.core import Case, Generated, Grade, InvalidValueError, Limit, Quantity, Scored, Value, quantity
from hardlimit.probes.grading.cleaning import clean
from hardlimit.probes.retrieval.corpus import Query, coined_corpus
from hardlimit.probes.retrieval.drift import rewrite_request

LONGEST_QUERY = 300
"""Characters of a reply that are taken as the next query."""


class Rewriting(Value, frozen=True):
    """Asks to rewrite a search query; any words at all count as a rewriting, whatever they mean.

    How far they have drifted is measured on the texts, by `drift`, and not graded here.

    >>> (case,) = Rewriting().hop([("q0", "Who founded Zub Mills?")], 1)
    >>> Rewriting().grade(case, Generated(text="Founder of Zub Mills", finish="stop"))
    (<Grade.RIGHT: 'right'>, 'Founder of Zub Mills')
    """

    name: ClassVar[str] = "retrieval.rewriting"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.RETRIEVAL
    quantity: ClassVar[Quantity] = quantity.DRIFT_COSINE

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Ask for a first rewriting of coined questions.

        Raises:
            InvalidValueError: `n` < 1.
        """
        if n < 1:
            raise InvalidValueError(f"Rewriting.cases needs n >= 1, got {n}.")
        queries: Sequence[Query] = coined_corpus(documents=n, queries=n, seed=seed)[1]
        return self.hop([(query.id, query.text) for query in queries], 1)

    def hop(self, texts: Sequence[tuple[str, str]], hop: int) -> list[Case]:
        """Ask for the next rewriting of each chain, given by its name and its latest text."""
        return [
            Case(
                id=f"rewriting-{chain}-{hop}",
                ask=rewrite_request(text),
                gold=(text,),
                factors={"chain": chain, "hop": hop},
                cluster=chain,
            )
            for chain, text in texts
        ]

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Take the first line that has words as the next query."""
        if not isinstance(reply, Generated) or reply.finish == "error":
            return Grade.FAILED, None
        if reply.finish == "refused":
            return Grade.REFUSED, None
        lines = [line.strip() for line in clean(reply.text).text.splitlines()]
        text = next((line for line in lines if any(letter.isalnum() for letter in line)), "")[:LONGEST_QUERY]
        return (Grade.RIGHT, text) if text else (Grade.MALFORMED, None)

    def controls(self) -> dict[str, "Rewriting"]:
        """None: there is no wrong rewriting."""
        return {}
