"""The machinery of toys: cases are studied, answers are drawn with a known probability and written as models write."""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import InitVar, dataclass, field, fields
from typing import NamedTuple

import numpy as np

from hardlimit.core import Case, Generate, Generated, InvalidValueError, Message, Score, Scored, See, Usage, canonical
from hardlimit.models.card import ModelCard
from hardlimit.models.toy.writing import ABSTENTIONS, coin, phrase, pieces

CHARACTERS_PER_TOKEN = 4
LEAST_PROBABILITY = 1e-6
_STATE: dict[str, Callable[[float], str]] = {
    "percent": lambda probability: f"{100 * probability:.0f}",
    "true or false": lambda probability: str(probability > 0.5),
}


class Belief(NamedTuple):
    """What a toy thinks: an answer (None to abstain) and the probability that it gives to it."""

    answer: str | None
    confidence: float


def prompt_of(messages: Sequence[Message]) -> str:
    """Render a conversation as toys read it: the contents joined by one newline, no chat template."""
    return "\n".join(message.content for message in messages)


def knows_of(case: Case) -> str:
    """Name what a right answer is: the first gold answer, or an empty text where abstaining is right."""
    return case.gold[0] if case.gold else ""


def options_of(case: Case) -> int:
    """Count the answers a guesser chooses from: the right one and the lures, at least two.

    >>> from hardlimit.core import Generate, Message
    >>> ask = Generate(messages=(Message(role="user", content="Heads or tails?"),), max_tokens=8)
    >>> options_of(Case(id="1", ask=ask, gold=("heads",), lures=("tails", "edge")))
    3
    """
    return max(2, 1 + len(case.lures))


def key_of(ask: Generate | Score | See) -> bytes:
    """Key a request by what the model is shown: its messages and images, not its limits or its continuation."""
    digest = hashlib.blake2b(canonical(ask.messages), digest_size=16)
    for image in ask.images if isinstance(ask, See) else ():
        digest.update(hashlib.blake2b(image, digest_size=16).digest())
    return digest.digest()


@dataclass
class Toy(ABC):
    """A model of known ability; subclasses say with which probability it is right.

    A toy answers the cases it has studied. One token is 4 characters, rounded up. The same toy gives the same greedy
    answer to the same messages, always; at a temperature above 0 the request's seed draws afresh. A case that asks
    how sure it is of an answer to another (its factors have `about`, the other's id, and `form`, `percent` or
    `true or false`) is answered with its confidence. `seconds` in its usage is 0, so that nothing about a toy depends
    on the machine.

    Args:
        cases: what it has studied from the start; `study` adds to it.
        seed: of its draws.
        window: longest prompt and answer together in tokens, or None for no end.
    """

    cases: InitVar[Sequence[Case]] = ()
    seed: int = field(default=0, kw_only=True)
    window: int | None = field(default=None, kw_only=True)

    def __post_init__(self, cases: Sequence[Case]) -> None:
        self._memory: dict[bytes, Case] = {}
        self._by_id: dict[str, Case] = {}
        self.study(cases)

    @property
    @abstractmethod
    def name(self) -> str:
        """What `open_toy` calls it, such as `toy:perfect`."""

    @abstractmethod
    def ability(self, case: Case) -> float:
        """Probability that one answer to the case is right."""

    def confidence(self, case: Case) -> float:
        """Probability that the toy itself gives to its answer; a calibrated toy gives its ability."""
        return self.ability(case)

    def believe(self, case: Case, rng: np.random.Generator) -> Belief:
        """Draw what the toy thinks: right with probability `ability`, else a lure or a coined answer."""
        if rng.random() < self.ability(case):
            return Belief(knows_of(case) or None, self.confidence(case))
        return Belief(self._wrong(case, rng), self.confidence(case))

    @staticmethod
    def _wrong(case: Case, rng: np.random.Generator) -> str:
        return str(rng.choice(case.lures)) if case.lures else coin(case.gold, rng)

    @property
    def card(self) -> ModelCard:
        """The toy's settings; what it has studied is no part of it."""
        settings = {part.name: str(getattr(self, part.name)) for part in fields(self) if part.name != "window"}
        return ModelCard(name=self.name, adapter="toy", revision="1", window=self.window, settings=settings)

    def count_tokens(self, text: str) -> int:
        """Count tokens: 4 characters each, rounded up.

        >>> from hardlimit.models.toy import Perfect
        >>> Perfect().count_tokens("The capital")
        3
        """
        return -(-len(text) // CHARACTERS_PER_TOKEN)

    def study(self, cases: Sequence[Case]) -> None:
        """Learn the answers of cases."""
        for case in cases:
            key = key_of(case.ask)
            self._memory[key] = case
            self._by_id[case.id] = case
            if isinstance(case.ask, Score):
                self._memory[key + case.ask.continuation.encode()] = case

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Generated]]:
        """Answer each request in order."""
        for index, request in enumerate(requests):
            yield index, self._answer(request)

    def score(self, requests: Sequence[Score]) -> Iterator[tuple[int, Scored]]:
        """Score continuations: what the toy believes gets its confidence, the other options share the rest."""
        for index, request in enumerate(requests):
            yield index, self._score(request)

    def _recall(self, ask: Generate | Score | See) -> Case | None:
        key = key_of(ask)
        exact = self._memory.get(key + ask.continuation.encode()) if isinstance(ask, Score) else None
        return exact or self._memory.get(key)

    def _unstudied(self) -> str:
        return f"{self.name} has not studied this question; call study(cases) with the cases first."

    def _draw(self, case: Case, sample: int | None) -> Belief:
        about = self._by_id.get(str(case.factors.get("about")))
        if about is not None and case.factors.get("form") in _STATE:
            return self._judge(about, case)
        text = f"{self.seed}\0{sample}\0".encode() + key_of(case.ask)
        return self.believe(case, np.random.default_rng(list(hashlib.blake2b(text, digest_size=16).digest())))

    def _judge(self, about: Case, case: Case) -> Belief:
        """State how sure the toy is of an answer to another case: of its own its confidence, of another the rest."""
        own = self._draw(about, None)
        mine = own.answer is not None and own.answer in prompt_of(case.ask.messages)
        probability = own.confidence if mine else 1 - own.confidence
        return Belief(_STATE[str(case.factors["form"])](probability), 1.0)

    def _prompt_tokens(self, ask: Generate | Score | See) -> int:
        return self.count_tokens(prompt_of(ask.messages))

    def _answer(self, ask: Generate | See) -> Generated:
        prompt = self._prompt_tokens(ask)
        if self.window is not None and prompt + ask.max_tokens > self.window:
            return _failure(
                f"The prompt of {prompt} tokens and {ask.max_tokens} to write exceed the window of {self.window}."
            )
        case = self._recall(ask)
        if case is None:
            return _failure(self._unstudied())
        sampled = isinstance(ask, Generate) and ask.temperature > 0
        belief = self._draw(case, ask.seed if isinstance(ask, Generate) and sampled else None)
        return self._write(ask, case, belief, prompt)

    def _write(self, ask: Generate | See, case: Case, belief: Belief, prompt: int) -> Generated:
        budget = ask.max_tokens * CHARACTERS_PER_TOKEN
        choices = ABSTENTIONS if belief.answer is None else phrase(belief.answer)
        fitting = [text for text in choices if len(text) <= budget] or [min(choices, key=len)]
        full = fitting[key_of(case.ask)[0] % len(fitting)]
        text = full[:budget]
        stop = min((at for end in _stops(ask) if (at := text.find(end)) >= 0), default=None)
        text = text if stop is None else text[:stop]
        tokens = pieces(text, CHARACTERS_PER_TOKEN)
        logprobs = None
        if isinstance(ask, Generate) and ask.logprobs:
            start = 0 if belief.answer is None else full.find(belief.answer) // CHARACTERS_PER_TOKEN
            surprise = math.log(max(belief.confidence, LEAST_PROBABILITY))
            logprobs = tuple(surprise if position == start else 0.0 for position in range(len(tokens)))
        return Generated(
            text=text,
            finish="length" if stop is None and len(text) < len(full) else "stop",
            token_logprobs=logprobs,
            usage=Usage(prompt_tokens=prompt, completion_tokens=len(tokens)),
        )

    def _score(self, ask: Score) -> Scored:
        case = self._recall(ask)
        if case is None:
            return Scored(token_logprobs=(), greedy=False, error=self._unstudied())
        belief = self._draw(case, None)
        accepted = {gold.casefold() for gold in case.gold}
        said = ask.continuation.strip().rstrip(".").casefold()
        answer = None if belief.answer is None else belief.answer.casefold()
        agrees = said == answer or (said in accepted and answer in accepted)
        options = accepted | {lure.casefold() for lure in case.lures}
        rest = (1 - belief.confidence) / (options_of(case) - 1) if said in options else 0.0
        probability = belief.confidence if agrees else rest
        tokens = pieces(ask.continuation, CHARACTERS_PER_TOKEN)
        surprise = math.log(max(probability, LEAST_PROBABILITY))
        usage = Usage(prompt_tokens=self._prompt_tokens(ask) + len(tokens))
        return Scored(
            token_logprobs=tuple(0.0 if position else surprise for position in range(len(tokens))),
            greedy=agrees,
            usage=usage,
        )


def _stops(ask: Generate | See) -> tuple[str, ...]:
    return tuple(end for end in ask.stop if end) if isinstance(ask, Generate) else ()


def _failure(reason: str) -> Generated:
    return Generated(text="", finish="error", error=reason, usage=Usage(calls=1))


def check_probability(owner: str, **values: float) -> None:
    """Refuse values outside [0, 1].

    >>> check_probability("Perfect", accuracy=2.0)
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.InvalidValueError: Perfect.accuracy must lie in [0, 1], got 2.0.
    """
    for name, value in values.items():
        if not 0.0 <= value <= 1.0:
            raise InvalidValueError(f"{owner}.{name} must lie in [0, 1], got {value}.")
