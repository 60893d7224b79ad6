"""Questions with passages whose sufficiency is known: enough to answer, or not, among noise and planted texts."""

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import msgspec
import numpy as np

from hardlimit.core import (
    Case,
    Generate,
    Generated,
    Grade,
    InvalidValueError,
    Limit,
    Message,
    Quantity,
    Scalar,
    Scored,
    Value,
    quantity,
)
from hardlimit.probes.grading import grade_reply
from hardlimit.probes.hallucination.world import vocabulary
from hardlimit.probes.retrieval.facts import Coiner, Fact, Family, capital_fact, capitals, chain, noun_phrase
from hardlimit.probes.retrieval.facts import question_about as asked_about
from hardlimit.probes.retrieval.passages import Count, Noise, Passage, Writer, check_passages, off_topic, same_topic
from hardlimit.probes.retrieval.prompt import QUESTION, Prompt
from hardlimit.probes.retrieval.relations import CAPITAL

Gold: TypeAlias = Literal["present", "absent"]
"""Whether every needed passage is among them, or the one that states the answer is missing."""

Rule: TypeAlias = Literal["passages only", "any knowledge"]
"""What the model shall answer from: the passages alone, so that it has to abstain where they do not suffice; or
whatever it knows, so that its own knowledge counts as right."""

MAX_TOKENS = 24
TOKENS_PER_WORD = 1.4
_RULES: dict[Rule, str] = {
    "passages only": (
        "Answer the question from the passages alone, in a few words. "
        "If the passages do not tell the answer, say: I don't know."
    ),
    "any knowledge": "Answer the question in a few words. Use the passages where they help.",
}
_CLOSED_BOOK = "Answer the question in a few words."
_LURES = 3


class Passages(Value, frozen=True):
    """Asks about a fact with a fixed number of passages in the prompt.

    The same seed and index give the same question about the same fact at every setting, so settings are paired.
    Coined facts cannot be known; capitals of the world can.

    Args:
        facts: `coined`, or `capital`s of the world.
        passages: k, passages in the prompt, >= 0; open-ended.
        gold: whether the passages suffice. Where they do not, the last fact of the chain is missing.
        noise: share of the passages that do not help, in [0, 1]; the others state the needed facts, again and again
            in other words. None: each needed fact is stated once.
        kind: what the noise is about.
        poison: how many of the noise passages are replaced by planted texts which assert one wrong answer, >= 0.
        position: where the needed passages stand, 0 first and 1 last, one after the other; None for random places.
        hops: facts that have to be joined, >= 1; open-ended for coined facts, 1 for capitals.
        budget: tokens of all passages together, each filled up to its equal share; None for four sentences each.
        rule: what the model shall answer from. Where the passages do not suffice, `passages only` makes abstaining
            right, while `any knowledge` keeps the true answer as the right one.

    >>> (case,) = Passages(passages=4).cases(seed=0, n=1)
    >>> text = case.ask.messages[-1].content
    >>> text.count("Passage "), text.count(case.gold[0]), case.factors["sufficient"]
    (4, 1, True)
    >>> Passages(gold="absent").cases(seed=0, n=1)[0].gold
    ()
    """

    facts: Family = "coined"
    passages: int = 5
    gold: Gold = "present"
    noise: float | None = None
    kind: Noise = "same topic"
    poison: int = 0
    position: float | None = None
    hops: int = 1
    budget: int | None = None
    rule: Rule = "passages only"
    name: ClassVar[str] = "retrieval.passages"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.RETRIEVAL
    quantity: ClassVar[Quantity] = quantity.ACCURACY

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, share in (("noise", self.noise), ("position", self.position)):
            if share is not None and not 0 <= share <= 1:
                raise InvalidValueError(f"Passages.{field} must lie in [0, 1] or be None, got {share:g}.")
        if self.passages < 0 or self.poison < 0 or self.hops < 1 or (self.budget is not None and self.budget < 1):
            raise InvalidValueError(
                "Passages needs passages >= 0, poison >= 0, hops >= 1 and budget >= 1 or None, got "
                f"passages={self.passages}, poison={self.poison}, hops={self.hops}, budget={self.budget}."
            )
        if self.facts == "capital" and self.hops != 1:
            raise InvalidValueError(f"Capitals are facts of one hop, got hops={self.hops}. Use facts='coined'.")
        if self.helpful + self.poison > self.passages:
            raise InvalidValueError(
                f"{self.passages} passages cannot hold {self.helpful} that state needed facts and {self.poison} "
                "planted ones. Use more passages, fewer hops, or a larger share of noise."
            )

    @property
    def helpful(self) -> int:
        """Passages that state a needed fact."""
        stated = self.hops if self.gold == "present" else self.hops - 1
        if self.noise is None or stated == 0:
            return stated
        return max(stated, round(self.passages * (1 - self.noise)))

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Make `n` cases; the first m of n cases are those of m.

        Raises:
            InvalidValueError: `n` < 1, more cases than the world has capitals, or a budget too small for its passages.
        """
        most = len(capitals(seed)) if self.facts == "capital" else None
        if n < 1 or (most is not None and n > most):
            known = f" and <= {most}, the capitals that can be asked for" if most is not None else ""
            raise InvalidValueError(f"Passages.cases needs n >= 1{known}, got {n}.")
        return [self.draw(seed, index) for index in range(n)]

    def draw(self, seed: int, index: int, count: Count | None = None) -> Case:
        """Make one case.

        Args:
            seed: of the experiment.
            index: of the case, >= 0: another index is another question.
            count: counts tokens as the model under test does; an estimate from words if None.

        Raises:
            InvalidValueError: a budget too small for its passages, or an index beyond the capitals.
        """
        counted = count or _estimated
        item = _Item.draw(self.facts, self.hops, seed, index)
        share = self.budget / self.passages if self.budget is not None and self.passages else None
        writer = Writer(np.random.default_rng([seed, index, 1]), share, counted)
        made = self._ordered(self._helpful(item, writer), self._others(item, writer, seed, index), seed, index)
        sufficient = self.gold == "present"
        if self.facts == "coined":
            check_passages(item.facts, made, sufficient=sufficient)
        return self._case(item, made, (seed, index), counted)

    def _helpful(self, item: "_Item", writer: Writer) -> list[Passage]:
        stated = item.facts if self.gold == "present" else item.facts[:-1]
        return [writer.gold(stated[i % len(stated)], i % len(stated)) for i in range(self.helpful)]

    def _others(self, item: "_Item", writer: Writer, seed: int, index: int) -> list[Passage]:
        """Write the noise and the planted texts; more of them leave the first ones as they are."""
        others = item.noise(self.kind, self.passages - self.helpful - self.poison, writer, (seed, index))
        planted = [writer.planted(item.question, noun_phrase(item.facts), item.target) for _ in range(self.poison)]
        return others + planted

    def _ordered(self, helpful: list[Passage], others: list[Passage], seed: int, index: int) -> list[Passage]:
        rng = np.random.default_rng([seed, index, 4])
        if self.position is None:
            both = helpful + others
            return [both[int(place)] for place in rng.permutation(len(both))]
        mixed = [others[int(place)] for place in rng.permutation(len(others))]
        start = round(self.position * len(mixed))
        return mixed[:start] + helpful + mixed[start:]

    def _case(self, item: "_Item", made: Sequence[Passage], drawn: tuple[int, int], count: Count) -> Case:
        rule = _RULES[self.rule] if made or self.rule == "passages only" else _CLOSED_BOOK
        prompt = Prompt(rule=rule, passages=tuple(passage.text for passage in made), question=item.question)
        sufficient = self.gold == "present"
        turn = Message(role="user", content=prompt.write())
        right = sufficient or self.rule == "any knowledge"
        named = dict.fromkeys([*(passage.names for passage in made), *item.spare])
        lures = [name for name in named if name not in item.chain_names]
        return Case(
            id=f"{self._key()}-{drawn[0]}-{drawn[1]}",
            ask=Generate(messages=(turn,), max_tokens=MAX_TOKENS, logprobs=True),
            gold=item.accepted if right else (),
            lures=tuple(lures),
            factors=self._factors(item, made, drawn[1]) | {"tokens": count(prompt.body)},
            cluster=f"{self.facts}:{self.hops}:{drawn[0]}:{drawn[1]}",
        )

    def _factors(self, item: "_Item", made: Sequence[Passage], index: int) -> dict[str, Scalar]:
        factors: dict[str, Scalar] = {
            "facts": self.facts,
            "passages": self.passages,
            "sufficient": self.gold == "present",
            "kind": self.kind,
            "poison": self.poison,
            "hops": self.hops,
            "rule": self.rule,
            "noise": (self.passages - self.helpful) / self.passages if self.passages else 0.0,
            "item": index,
            "answer": item.facts[-1].answer,
        }
        if self.poison:
            factors["target"] = item.target
        if self.budget is not None:
            factors["budget"] = self.budget
        places = [place for place, passage in enumerate(made) if passage.hop == self.hops - 1]
        if places:
            factors["place"] = places[0]
            if self.position is not None:
                factors["position"] = self.position
        return factors

    def _key(self) -> str:
        """Tell settings apart in a case's id."""
        fields = [getattr(self, field) for field in self.__struct_fields__]
        return "-".join("any" if value is None else str(value).replace(" ", "_") for value in fields)

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade by name: the right answer, another name, or none; where the passages do not suffice, none is right."""
        known = (*case.lures, *(vocabulary("capital") if case.factors.get("facts") == "capital" else ()))
        lures = tuple(name for name in dict.fromkeys(known) if name not in case.gold)
        return grade_reply(reply, gold=case.gold, lures=lures, question=question_of(case))

    def controls(self) -> dict[str, "Passages"]:
        """The settings whose outcome is known.

        `trivial`: the one needed passage alone. `impossible`: a coined answer that stands in no passage, and which is
        asked for all the same. `shortcut`: the question about a coined thing without any passage.
        """
        plain = Passages(facts="coined", passages=max(self.passages, 1), kind=self.kind, rule="any knowledge")
        return {
            "trivial": Passages(facts="coined", passages=1),
            "impossible": msgspec.structs.replace(plain, gold="absent"),
            "shortcut": msgspec.structs.replace(plain, gold="absent", passages=0),
        }


class _Item(Value, frozen=True):
    """What is asked: the chain of facts, its question, the accepted answers, and names to go wrong with."""

    facts: tuple[Fact, ...]
    question: str
    accepted: tuple[str, ...]
    target: str
    spare: tuple[str, ...]

    @property
    def chain_names(self) -> frozenset[str]:
        """Names along the chain, which an answer may mention on its way."""
        return frozenset(name for fact in self.facts for name in (fact.subject, fact.answer))

    @classmethod
    def draw(cls, family: Family, hops: int, seed: int, index: int) -> "_Item":
        """Draw the item of a seed and index; it does not depend on anything about the passages."""
        rng = np.random.default_rng([seed, index, 0])
        if family == "capital":
            world = capitals(seed)
            if index >= len(world):
                raise InvalidValueError(f"There are {len(world)} capitals to ask for, so index {index} has none.")
            wrong = [world[(index + step) % len(world)].answers[0] for step in range(1, _LURES + 2)]
            facts: tuple[Fact, ...] = (capital_fact(world[index]),)
            accepted = world[index].answers
        else:
            coiner = Coiner(rng)
            facts = chain(hops, rng, coiner)
            accepted = (facts[-1].answer,)
            wrong = [coiner.name(facts[-1].kind.answer) for _ in range(_LURES + 1)]
        return cls(
            facts=facts,
            question=asked_about(facts, rng),
            accepted=accepted,
            target=wrong[0],
            spare=tuple(wrong[1:]),
        )

    def noise(self, kind: Noise, n: int, writer: Writer, drawn: tuple[int, int]) -> list[Passage]:
        """Write `n` passages of noise."""
        rng = np.random.default_rng([*drawn, 2])
        last = self.facts[-1]
        if last.relation == CAPITAL.key:
            return [self._about_capitals(kind, place, writer, drawn) for place in range(n)]
        coiner = Coiner(rng, taken=(*self.chain_names, self.target, *self.spare))
        made = []
        for place in range(n):
            if kind == "counterfactual":
                made.append(writer.counterfactual(last, coiner.name(last.kind.answer)))
            elif kind == "same topic":
                made.append(writer.noise(same_topic(self.facts, place, coiner), kind))
            else:
                made.append(writer.noise(off_topic(self.facts, rng, coiner), kind))
        return made

    def _about_capitals(self, kind: Noise, place: int, writer: Writer, drawn: tuple[int, int]) -> Passage:
        """Take another capital of the world; the last ones of the random order are the farthest from the lures."""
        world = capitals(drawn[0])
        other = world[(drawn[1] - 1 - place) % len(world)]
        if kind == "counterfactual":
            return writer.counterfactual(self.facts[-1], other.answers[0])
        if kind == "same topic":
            return writer.noise(capital_fact(other), kind)
        rng = np.random.default_rng([*drawn, 3, place])
        return writer.noise(off_topic(self.facts, rng, Coiner(rng)), kind)


def question_of(case: Case) -> str:
    """The question of a case, without passages and instruction."""
    return str(case.ask.messages[-1].content.rpartition(QUESTION)[2])


def _estimated(text: str) -> int:
    return round(len(text.split()) * TOKENS_PER_WORD)
