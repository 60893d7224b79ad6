"""Things that do not exist: does a model say so, or does it answer as if they did?"""

from collections.abc import Sequence
from functools import cache
from typing import ClassVar, Literal, get_args

import numpy as np

from hardlimit.core import Case, Generated, Grade, InvalidValueError, Limit, Quantity, Scored, Value, quantity
from hardlimit.probes.grading import grade_reply
from hardlimit.probes.hallucination.coining import coin_name
from hardlimit.probes.hallucination.facts import Setting, hidden, stated
from hardlimit.probes.hallucination.questions import ANSWERS, WORDINGS, Question, asked_text, word
from hardlimit.probes.hallucination.world import CLASSES, Fact, countries, facts, lures, names, read_lines

Kind = Literal["city", "country", "element", "person", "book", "company", "medicine", "animal"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Kinds of things that are coined."""

_SORTS = {"city": "city", "country": "capital", "element": "symbol"}
_CALLED = {
    "city": "no city called {x}",
    "country": "no country called {x}",
    "element": "no chemical element called {x}",
    "person": "no person called {x}",
    "book": 'no book called "{x}"',
    "company": "no company called {x}",
    "medicine": "no medicine called {x}",
    "animal": "no animal called {x}",
}
_WELL_KNOWN = {"city": 1e6, "country": 5e6, "element": 1e3}


@cache
def twins(kind: Kind) -> tuple[Fact, ...]:
    """Well-known things of a kind that do exist, to ask about in the same words.

    >>> [fact.answers[0] for fact in twins("medicine") if fact.subject == "insulin"]
    ['diabetes']
    """
    if kind == "city":
        found = facts("city")
    elif kind == "country":
        found = facts("capital")
    elif kind == "element":
        found = facts("symbol")
    else:
        rows = [row for row in read_lines("known.tsv") if row[0] == kind]
        return tuple(Fact(subject=name, answers=_accepted(answers), popularity=1.0) for _, name, answers in rows)
    return tuple(fact for fact in found if fact.popularity >= _WELL_KNOWN[kind])


def _accepted(answers: str) -> tuple[str, ...]:
    """Accepted answers as the list gives them; a class of animals by all its words, a country by all its names."""
    first = names(answers)[0]
    whole = CLASSES.get(first, ()) or next((spelled for spelled in countries().values() if first in spelled), ())
    return tuple(dict.fromkeys((*names(answers), *whole)))


class NonExistent(Value, frozen=True):
    """Questions about coined things, each beside the same question about a well-known real one.

    Of a coined thing the right answer is to abstain or to say that it does not exist, and any answer is wrong; of its
    real twin it is the answer. So false acceptance and false refusal are measured on the same wordings.

    Args:
        kind: what is coined; see `KINDS`.
        setting: `plain`; `stated` (it is said that the thing does not exist) and `hidden` are the controls.

    >>> coined, real = NonExistent(kind="country").cases(seed=0, n=2)
    >>> coined.gold, coined.factors["exists"], real.factors["exists"], coined.cluster == real.cluster
    ((), False, True, True)
    """

    kind: Kind = "city"
    setting: Setting = "plain"
    name: ClassVar[str] = "hallucination.non_existent"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.HALLUCINATION
    quantity: ClassVar[Quantity] = quantity.FALSE_ACCEPTANCE

    @property
    def _sort(self) -> str:
        return _SORTS.get(self.kind, self.kind)

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Make `n` cases in pairs: a coined thing, then a real one in the same wording, in one cluster.

        The first m of n cases are those of m. Coined things never run out and never repeat within a seed.

        Raises:
            InvalidValueError: `n` < 1, or more pairs than the kind's real things times wordings.
        """
        real, wordings = twins(self.kind), WORDINGS[self._sort]
        most = 2 * len(real) * len(wordings)
        if not 1 <= n <= most:
            raise InvalidValueError(
                f"NonExistent(kind={self.kind!r}) has {len(real)} real twins in {len(wordings)} wordings: "
                f"n must lie in [1, {most}], got {n}."
            )
        coin, order = (np.random.default_rng([seed, stream, *self.kind.encode()]) for stream in (0, 1))
        ranks = order.permutation(len(real))
        used: set[str] = set()
        made: list[Case] = []
        for pair in range((n + 1) // 2):
            fact = real[int(ranks[pair % len(real)])]
            template = (pair // len(real) + int(ranks[pair % len(real)]) + seed) % len(wordings)
            subject = self._unused(used, coin)
            made.append(self._case(seed, 2 * pair, self._coined(subject, template, coin), template))
            made.append(self._case(seed, 2 * pair + 1, self._real(fact, template, coin), template))
        return made[:n]

    def _unused(self, used: set[str], rng: np.random.Generator) -> str:
        while (subject := coin_name(self.kind, rng)) in used:
            pass
        used.add(subject)
        return subject

    def _coined(self, subject: str, template: int, rng: np.random.Generator) -> Question:
        if self.setting == "hidden":
            return hidden(subject, rng)
        text = word(self._sort, template, subject)
        if self.setting == "stated":
            text = f"There is {_CALLED[self.kind].format(x=subject)}; it does not exist. {text}"
        return Question(text=text, gold=())

    def _real(self, fact: Fact, template: int, rng: np.random.Generator) -> Question:
        if self.setting == "hidden":
            return hidden(fact.subject, rng)
        text = word(self._sort, template, fact.subject, fact.number)
        text = stated(self._sort, text, fact) if self.setting == "stated" else text
        return Question(text=text, gold=fact.answers)

    def _case(self, seed: int, index: int, question: Question, template: int) -> Case:
        return question.case(
            id=f"{self.kind}-{self.setting}-{seed}-{index}",
            cluster=f"{self.kind}:{seed}:{index // 2}",
            factors={"kind": self.kind, "exists": index % 2 == 1, "template": template},
        )

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade by the vocabulary of the kind's answers; of a coined thing, abstaining and denying are right."""
        known = () if self.setting == "hidden" else lures(ANSWERS[self._sort], case.gold)
        return grade_reply(reply, gold=case.gold, lures=known, question=asked_text(case), exact=self._sort == "symbol")

    def controls(self) -> dict[str, "NonExistent"]:
        """`trivial`: the prompt says what exists and what does not. `impossible`: a code that nothing reveals."""
        return {
            "trivial": NonExistent(kind=self.kind, setting="stated"),
            "impossible": NonExistent(kind=self.kind, setting="hidden"),
        }
