"""A needle in a haystack: one sentence about a person, somewhere in a long story, and a question about it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar, Literal

import msgspec
import numpy as np

from hardlimit.core import Case, Generate, Generated, Grade, InvalidValueError, Limit, Message, Quantity, Scored, Value
from hardlimit.core import quantity as quantities
from hardlimit.probes.context.associations import NAMES, Association, associations
from hardlimit.probes.context.prose import paragraphs
from hardlimit.probes.grading import grade_reply

Variant = Literal["no overlap", "literal", "distractor"]
"""How the question relates to the needle: by one step of knowledge without a shared word, in the needle's own words, or
in its own words while another person's needle of the same form stands elsewhere."""

VARIANTS: tuple[Variant, ...] = ("no overlap", "literal", "distractor")
Setting = Literal["plain", "bare", "removed"]
MAX_TOKENS = 16
OPTIONS = 8
"""Names that a guess is drawn from: the right one, and the lures."""

_INSTRUCTION = "Read the story, then answer the question after it."
_GOLDEN = 0.6180339887498949


class Needle(Value, frozen=True):
    """Asks about one sentence hidden at a given depth in a story of a given length.

    Every haystack is a story of its own, told from the seed. Its needles stand at different depths and tell of
    different persons; each is asked about in a question of its own at the end of the prompt, so that all questions
    about a haystack share everything before the question. The variants ask about the same needles in the same
    haystacks: they are paired by seed and index.

    Args:
        variant: how the question relates to the needle.
        length: of the story in tokens, needles included, >= 0, open-ended.
        needles: per haystack, each with its question, in [1, 8].
        tokens_per_word: what a word of the story costs the model under test; `tokens_per_word` measures it.
        depth: where the needle stands, 0 at the beginning and 1 at the end; None spreads depths evenly.
        setting: `plain`, `bare` (no story around the needles) or `removed` (the story without them); the controls.

    Source:
        Modarressi et al. (2025), NoLiMa, arXiv:2502.05167 (needles without lexical overlap; the rule of 85 % of the base);
        associations, story and wording are this package's own.

    >>> case = Needle(variant="literal", length=200).cases(seed=0, n=1)[0]
    >>> case.factors["variant"], case.factors["length"], case.gold[0] in case.ask.messages[0].content
    ('literal', 200, True)
    """

    variant: Variant = "no overlap"
    length: int = 1024
    needles: int = 1
    tokens_per_word: float = 1.4
    depth: float | None = None
    setting: Setting = "plain"
    name: ClassVar[str] = "needle"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.CONTEXT
    quantity: ClassVar[Quantity] = quantities.ACCURACY

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.length < 0 or not 1 <= self.needles <= OPTIONS or self.tokens_per_word <= 0:
            raise InvalidValueError(
                f"Needle needs length >= 0, needles in [1, {OPTIONS}] and tokens_per_word > 0, got "
                f"length={self.length}, needles={self.needles}, tokens_per_word={self.tokens_per_word:g}."
            )
        if self.depth is not None and not 0 <= self.depth <= 1:
            raise InvalidValueError(f"Needle.depth must lie in [0, 1], got {self.depth:g}.")

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Make `n` cases, haystack by haystack; the first m of n cases are those of m.

        Raises:
            InvalidValueError: `n` < 1.
        """
        if n < 1:
            raise InvalidValueError(f"Needle.cases needs n >= 1, got {n}.")
        haystacks = range(-(-n // self.needles))
        return [case for index in haystacks for case in self.haystack(seed, index)][:n]

    def haystack(self, seed: int, index: int) -> list[Case]:
        """Make the questions about one haystack.

        Args:
            seed: of the experiment.
            index: of the haystack, >= 0; another index is another story with other needles.
        """
        hidden = _hidden(seed, index, self.needles)
        depths = self._depths(seed, index)
        sentences = [(depth, _sentence(one.person, one.fact)) for depth, one in zip(depths, hidden, strict=True)]
        if self.variant == "distractor":
            # Half a story away, so that nearness does not tell the two apart.
            sentences += [((depth + 0.5) % 1.0, _sentence(one.rival, one.other)) for depth, one in zip(depths, hidden)]
        body = _body(self, seed, index, sentences if self.setting != "removed" else [])
        cluster = f"{seed}:{index}:{self.length}"
        return [
            self._case(one, depth, body, cluster, f"{self.variant}-{self.setting}-{cluster}-{place}")
            for place, (one, depth) in enumerate(zip(hidden, depths, strict=True))
        ]

    def _depths(self, seed: int, index: int) -> list[float]:
        """Depths that fill [0, 1] evenly, over the needles of a haystack and from haystack to haystack."""
        if self.depth is not None:
            return [(self.depth + place / self.needles) % 1.0 if place else self.depth for place in range(self.needles)]
        start = float(np.random.default_rng([seed, 2]).random())
        return [((start + index * _GOLDEN) % 1.0 + place) / self.needles for place in range(self.needles)]

    def _case(self, one: "_Hidden", depth: float, body: str, cluster: str, identifier: str) -> Case:
        literal = self.variant != "no overlap"
        question = f"Who {one.fact.states if literal else one.fact.asks}?"
        text = f"{_INSTRUCTION}\n\n{body}\n\nQuestion: {question} Answer with the name of the person."
        return Case(
            id=identifier,
            ask=Generate(messages=(Message(role="user", content=text),), max_tokens=MAX_TOKENS),
            gold=(one.person,),
            lures=one.lures,
            factors={
                "variant": self.variant,
                "length": self.length,
                "depth": round(depth, 4),
                "needle": _sentence(one.person, one.fact),
                "question": question,
            },
            cluster=cluster,
        )

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade by name: the right person, another of the persons, or none."""
        return grade_reply(reply, gold=case.gold, lures=NAMES, question=str(case.factors["question"]))

    def controls(self) -> dict[str, "Needle"]:
        """`trivial`: the needle in its own words without a story. `impossible`: the story without the needle."""
        trivial = msgspec.structs.replace(self, variant="literal", setting="bare", length=0, needles=1)
        return {"trivial": trivial, "impossible": msgspec.structs.replace(self, setting="removed")}


class _Hidden(Value, frozen=True):
    """One needle: who, what is told, and who else a guess may name."""

    person: str
    fact: Association
    rival: str
    other: Association
    lures: tuple[str, ...]


def _hidden(seed: int, index: int, needles: int) -> list[_Hidden]:
    """Draw the needles of a haystack: persons and facts afresh each time, so that a name tells nothing."""
    rng = np.random.default_rng([seed, 0, index])
    people = [NAMES[int(i)] for i in rng.permutation(len(NAMES))]
    facts = associations(int(rng.integers(10)))
    drawn = [facts[int(i)] for i in rng.permutation(len(facts))]
    made = []
    for place, fact in enumerate(drawn[:needles]):
        # A distractor takes the needle's own turn of phrase, about something else that no question asks for.
        alike = [other for other in drawn[needles:] if other.form == fact.form and other.key != fact.key]
        others = tuple(name for name in people[:OPTIONS] if name != people[place])
        made.append(
            _Hidden(person=people[place], fact=fact, rival=people[OPTIONS + place], other=alike[0], lures=others)
        )
    return made


def _sentence(person: str, fact: Association) -> str:
    return f"{person} {fact.states}."


def _body(probe: Needle, seed: int, index: int, sentences: Sequence[tuple[float, str]]) -> str:
    """Tell the story to its length, with each sentence at its depth, between two others."""
    ordered = [text for _, text in sorted(sentences)]
    words = round(probe.length / probe.tokens_per_word) - sum(len(text.split()) for text in ordered)
    if probe.setting == "bare" or words < 1:
        return " ".join(ordered)
    story = _story(seed, index, 1 << (words - 1).bit_length())
    lengths = np.cumsum([len(sentence.split()) for sentence, _ in story])
    count = int(np.searchsorted(lengths, words)) + 1
    told = [sentence + ("\n\n" if last else " ") for sentence, last in story[:count]]
    total = float(lengths[min(count, len(lengths)) - 1])
    for depth, text in sorted(sentences, reverse=True):
        place = int(np.searchsorted(lengths[:count], depth * total + 1e-9, side="right"))
        told.insert(min(place, count), text + " ")
    return "".join(told).strip()


@lru_cache(maxsize=32)
def _story(seed: int, index: int, words: int) -> tuple[tuple[str, bool], ...]:
    """Tell a story of at least so many words: each sentence, and whether it ends a paragraph."""
    sentences: list[tuple[str, bool]] = []
    told = 0
    for paragraph in paragraphs(np.random.default_rng([seed, 1, index])):
        sentences += [(text, place == len(paragraph) - 1) for place, text in enumerate(paragraph)]
        told += sum(len(text.split()) for text in paragraph)
        if told >= words:
            break
    return tuple(sentences)
