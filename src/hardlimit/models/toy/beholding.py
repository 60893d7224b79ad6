"""A toy that beholds pictures: what it answers is Bayes' rule on a planted prior and planted evidence."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field

import numpy as np

from hardlimit.core import Case, Generate, Generated, InvalidValueError, Message, See, Usage
from hardlimit.models.card import ModelCard
from hardlimit.models.toy.base import check_probability, prompt_of
from hardlimit.models.weighing import Contrast, Weigh, Weighed


@dataclass
class Beholder:
    """Knows the colours of pictures, and what colour a thing usually has.

    Of the answers of a case, the usual one has the thing's prior and the others share the rest evenly. A picture is
    worth `ratio` to 1 for the colour that is seen in it against each other one; that is the right one with `acuity`.
    A description in the prompt that names a colour is worth `told` to 1 beside it. Asked something that is about none
    of its things, it describes: the colour that it sees, without any prior. It knows the pictures of its cases alone;
    any other is as good as none.

    Args:
        cases: the pictures that it knows, with `thing` and `usual` among their factors.
        priors: of each thing's usual colour, in (0, 1).
        ratio: what a picture is worth, >= 1.
        acuity: how often the colour is seen right, in [0, 1].
        told: what a description is worth, >= 1.
        seed: of what is seen wrongly.
    """

    cases: InitVar[Sequence[Case]]
    priors: Mapping[str, float]
    ratio: float = field(default=9.0, kw_only=True)
    acuity: float = field(default=1.0, kw_only=True)
    told: float = field(default=1.0, kw_only=True)
    seed: int = field(default=0, kw_only=True)

    def __post_init__(self, cases: Sequence[Case]) -> None:
        check_probability("Beholder", acuity=self.acuity, **{f"priors[{k}]": v for k, v in self.priors.items()})
        if min(self.ratio, self.told) < 1:
            raise InvalidValueError(f"Beholder needs ratio and told >= 1, got {self.ratio:g} and {self.told:g}.")
        self._pictures: dict[bytes, Case] = {}
        self._things: dict[str, tuple[str, tuple[str, ...]]] = {}
        for case in cases:
            if isinstance(case.ask, See) and case.ask.images:
                self._pictures[case.ask.images[0]] = case
            options = tuple(sorted((*case.gold, *case.lures)))
            self._things[str(case.factors["thing"])] = (str(case.factors["usual"]), options)

    @property
    def card(self) -> ModelCard:
        """The toy's settings; which pictures it knows is no part of it."""
        settings = {name: str(getattr(self, name)) for name in ("priors", "ratio", "acuity", "told", "seed")}
        return ModelCard(name="toy:beholder", adapter="toy", revision="1", settings=settings)

    def count_tokens(self, text: str) -> int:
        """Count words."""
        return len(text.split())

    def seen(self, image: bytes) -> str:
        """The colour that is seen in a known picture: the right one, or with 1 − acuity another, always the same."""
        case = self._pictures[image]
        digest = hashlib.blake2b(image + str(self.seed).encode(), digest_size=16).digest()
        rng = np.random.default_rng(list(digest))
        return case.gold[0] if rng.random() < self.acuity else str(rng.choice(sorted(case.lures)))

    def beliefs(self, messages: Sequence[Message], images: Sequence[bytes]) -> dict[str, float]:
        """Log-probabilities of the answers to a question, nats; none where it is about none of the things."""
        text = prompt_of(messages)
        thing = next((name for name in self._things if name in text), None)
        if thing is None:
            return {}
        usual, options = self._things[thing]
        rest = (1 - self.priors[thing]) / (len(options) - 1)
        weights = {option: self.priors[thing] if option == usual else rest for option in options}
        for image in images:
            if image in self._pictures:
                weights[self.seen(image)] *= self.ratio
        for option in options:
            if f"{option} thing" in text:
                weights[option] *= self.told
        total = sum(weights.values())
        return {option: math.log(weight / total) for option, weight in weights.items()}

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Generated]]:
        """Answer each question, without a picture."""
        for index, request in enumerate(requests):
            yield index, self._answer(request.messages, ())

    def see(self, requests: Sequence[See]) -> Iterator[tuple[int, Generated]]:
        """Answer each question about a picture, or describe it."""
        for index, request in enumerate(requests):
            yield index, self._answer(request.messages, request.images)

    def weigh(self, requests: Sequence[Weigh]) -> Iterator[tuple[int, Weighed]]:
        """Tell what it believes; an answer that is none of the case's is a millionth as likely as any."""
        for index, request in enumerate(requests):
            beliefs = self.beliefs(request.messages, request.images)
            table = tuple(beliefs.get(option.lower(), -30.0) for option in request.options)
            yield index, Weighed(log_likelihoods=table, usage=self._spent(request.messages))

    def contrast(self, requests: Sequence[Contrast]) -> Iterator[tuple[int, Generated]]:
        """Answer each question by the contrast of its beliefs."""
        for index, request in enumerate(requests):
            messages = request.see.messages
            seen, instead = (self.beliefs(messages, images) for images in (request.see.images, request.instead))
            floor = max(seen.values(), default=0.0) + (math.log(request.cutoff) if request.cutoff else -math.inf)
            scores = {
                option: (1 + request.alpha) * seen[option] - request.alpha * instead[option]
                for option in seen
                if seen[option] >= floor
            }
            text = max(scores, key=lambda option: scores[option]) if scores else "something"
            yield index, Generated(text=text, finish="stop", usage=self._spent(messages, calls=2))

    def _answer(self, messages: Sequence[Message], images: Sequence[bytes]) -> Generated:
        beliefs = self.beliefs(messages, images)
        if beliefs:
            text = max(beliefs, key=lambda option: beliefs[option])
        else:
            known = [image for image in images if image in self._pictures]
            text = f"A {self.seen(known[0])} thing." if known else "Nothing."
        return Generated(text=text, finish="stop", usage=self._spent(messages, written=self.count_tokens(text)))

    def _spent(self, messages: Sequence[Message], *, written: int = 0, calls: int = 1) -> Usage:
        return Usage(prompt_tokens=self.count_tokens(prompt_of(messages)), completion_tokens=written, calls=calls)
