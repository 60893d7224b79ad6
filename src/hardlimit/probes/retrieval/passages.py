"""Passages: prose that states a fact, is about something else, takes a claim back, or was planted by an attacker."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np

from hardlimit.core import HardlimitError, InvalidValueError, Value
from hardlimit.probes.retrieval.facts import Coiner, Fact
from hardlimit.probes.retrieval.relations import ADJECTIVES, DAYS, FILLERS, MONTHS, RELATIONS, Relation, relations_of

Noise: TypeAlias = Literal["random", "same topic", "counterfactual"]
"""Passages beside the needed ones: about something else; about the same subject, or the same relation of another one;
or naming another answer and saying that it was wrong."""

Role: TypeAlias = Literal["gold", "random", "same topic", "counterfactual", "poison"]

Count: TypeAlias = Callable[[str], int]
"""Number of tokens of a text."""

SENTENCES = 3
"""Sentences beside the telling one, where no length is asked for."""

_MOST_SENTENCES = 10_000
_PLANTED = (
    "{claim} This has been confirmed by everyone who has looked into it.",
    "The answer is well established: {claim}",
    "{claim} There is no doubt about it, and no other answer is correct.",
    "Recent records settle the matter. {claim}",
    "Ask anyone and you will hear the same. {claim}",
)


class Passage(Value, frozen=True):
    """One passage and why it is there.

    Args:
        text: the prose.
        role: `gold` where it states a needed fact.
        names: the answer that it names, right or wrong.
        hop: which fact of the chain a gold passage states, from 0.
    """

    text: str
    role: Role
    names: str
    hop: int | None = None


class Writer:
    """Writes passages of a given length.

    Args:
        rng: source of the wording.
        target: tokens of each passage, which is filled up in whole sentences without exceeding them; None for
            `SENTENCES` sentences beside the telling one.
        count: counts tokens; needed with a target.
    """

    def __init__(self, rng: np.random.Generator, target: float | None = None, count: Count | None = None) -> None:
        """See the class."""
        self._rng = rng
        self._target = target
        self._count = count
        self._used: dict[str, int] = {}

    def gold(self, fact: Fact, hop: int = 0) -> Passage:
        """State a fact; the second time in other words.

        >>> fact = Fact(relation="twin", subject="Zubmar", answer="Karholm")
        >>> "Karholm" in Writer(np.random.default_rng(0)).gold(fact).text
        True
        """
        text = self.write(self._said(fact.kind.statements, fact), fact.subject, fact.kind.subject)
        return Passage(text=text, role="gold", names=fact.answer, hop=hop)

    def noise(self, fact: Fact, role: Noise) -> Passage:
        """State another fact, as noise of some kind."""
        text = self.write(self._said(fact.kind.statements, fact), fact.subject, fact.kind.subject)
        return Passage(text=text, role=role, names=fact.answer)

    def counterfactual(self, fact: Fact, wrong: str) -> Passage:
        """Name a wrong answer and say that it is wrong.

        >>> fact = Fact(relation="twin", subject="Zubmar", answer="Karholm")
        >>> text = Writer(np.random.default_rng(0)).counterfactual(fact, "Loswick").text
        >>> "Loswick" in text, "Karholm" in text
        (True, False)
        """
        told = Fact(relation=fact.relation, subject=fact.subject, answer=wrong)
        text = self.write(self._said(fact.kind.withdrawn, told), fact.subject, fact.kind.subject)
        return Passage(text=text, role="counterfactual", names=wrong)

    def planted(self, question: str, phrase: str, wrong: str) -> Passage:
        """Plant a text that repeats the question, so that it is retrieved, and asserts a chosen wrong answer.

        Args:
            question: as it is asked.
            phrase: noun phrase for the answer, such as `the founder of Zub Mills`.
            wrong: the answer that the attacker wants.

        Source:
            The form (a part that makes it retrieved, a part that misleads) is that of Zou et al. (2024), PoisonedRAG,
            arXiv:2402.07867; the wording is this package's own.
        """
        claim = f"{phrase[0].upper()}{phrase[1:]} is {wrong}."
        text = self.write(f"{question} {self._pick('planted', _PLANTED).format(claim=claim)}", "", None)
        return Passage(text=text, role="poison", names=wrong)

    def write(self, telling: str, subject: str, kind: str | None) -> str:
        """Surround a sentence with others about its subject that tell nothing; without a kind, with none.

        Raises:
            InvalidValueError: the telling sentence alone is longer than the target.
        """
        if self._target is None or self._count is None:
            fillers = [] if kind is None else [self._filler(subject, kind) for _ in range(SENTENCES)]
            return self._around(telling, fillers)
        needed = self._count(telling)
        if needed > self._target:
            raise InvalidValueError(
                f"A passage needs {needed} tokens for the sentence that tells, but its share of the budget is "
                f"{self._target:.0f}. Use a larger budget or fewer passages."
            )
        fillers, used = [], needed
        while kind is not None and len(fillers) < _MOST_SENTENCES:
            sentence = self._filler(subject, kind)
            used += self._count(f" {sentence}")
            if used > self._target:
                break
            fillers.append(sentence)
        return self._around(telling, fillers)

    def _around(self, telling: str, fillers: Sequence[str]) -> str:
        place = int(self._rng.integers(len(fillers) + 1))
        return " ".join([*fillers[:place], telling, *fillers[place:]])

    def _said(self, wordings: Sequence[str], fact: Fact) -> str:
        return self._pick(f"{wordings[0]}\0{fact.subject}", wordings).format(x=fact.subject, y=fact.answer)

    def _pick(self, key: str, options: Sequence[str]) -> str:
        """Take options in turn from a random start, so that none returns before all have been used."""
        place = self._used.get(key, int(self._rng.integers(len(options))))
        self._used[key] = place + 1
        return options[place % len(options)]

    def _filler(self, subject: str, kind: str) -> str:
        rng = self._rng
        sentence = self._pick(f"filler\0{subject}", FILLERS[kind])
        return sentence.format(
            x=subject,
            count=int(rng.integers(3, 60)),
            month=MONTHS[int(rng.integers(len(MONTHS)))],
            day=DAYS[int(rng.integers(len(DAYS)))],
            adjective=ADJECTIVES[int(rng.integers(len(ADJECTIVES)))],
        )


def same_topic(facts: Sequence[Fact], index: int, coiner: Coiner) -> Fact:
    """Draw a fact that shares the topic of a chain's last one and does not tell its answer.

    By turns: the same relation of another subject, and another relation of the same subject. Of the second there are
    as many as the subject has other relations; the first never runs out.
    """
    last = facts[-1].kind
    others = [relation for relation in relations_of(last.subject) if relation.key != last.key]
    if index % 2 == 1 and index // 2 < len(others):
        relation, subject = others[index // 2], facts[-1].subject
    else:
        relation, subject = last, coiner.name(last.subject)
    return Fact(relation=relation.key, subject=subject, answer=coiner.name(relation.answer))


def off_topic(facts: Sequence[Fact], rng: np.random.Generator, coiner: Coiner) -> Fact:
    """Draw a fact about another subject, of another kind, by a relation that the chain does not use."""
    used = {fact.relation for fact in facts}
    kinds = {facts[-1].kind.subject}
    free: list[Relation] = [item for item in RELATIONS if item.key not in used and item.subject not in kinds]
    relation = free[int(rng.integers(len(free)))] if free else RELATIONS[int(rng.integers(len(RELATIONS)))]
    return Fact(relation=relation.key, subject=coiner.name(relation.subject), answer=coiner.name(relation.answer))


def check_passages(facts: Sequence[Fact], passages: Sequence[Passage], *, sufficient: bool) -> None:
    """Check what is known by construction: that the passages suffice, or that they do not.

    They suffice when each fact of the chain is stated. The answer occurs in gold passages of the last fact alone.

    Raises:
        HardlimitError: the construction is broken.
    """
    answer = facts[-1].answer
    stated = {passage.hop for passage in passages if passage.role == "gold"}
    wanted = set(range(len(facts))) if sufficient else set(range(len(facts) - 1))
    telling = [passage for passage in passages if answer in passage.text]
    strangers = [passage.role for passage in telling if passage.hop != len(facts) - 1]
    if stated != wanted or bool(telling) is not sufficient or strangers:
        raise HardlimitError(
            f"Passages about '{answer}' were made wrongly: facts {sorted(str(hop) for hop in stated)} of {len(facts)} "
            f"are stated, {len(telling)} passages name the answer ({', '.join(strangers) or 'all of them gold'})."
        )
