"""The four things a model may be able to do, each one method over a batch."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from hardlimit.core import Attend, Attended, CapabilityError, Case, Generate, Generated, Score, Scored, See
from hardlimit.models.card import ModelCard


@runtime_checkable
class Model(Protocol):
    """Anything with a card and a way to count tokens."""

    @property
    def card(self) -> ModelCard:
        """What is known about the model."""

    def count_tokens(self, text: str) -> int:
        """Number of tokens of a text, exact where the tokenizer is at hand, else an estimate (4 characters each)."""


@runtime_checkable
class Generates(Model, Protocol):
    """A model that writes text."""

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Generated]]:
        """Answer a batch, yielding `(index, reply)` as each is ready, in any order, each index exactly once.

        A request that cannot be answered yields a reply with `finish="error"` and the reason, and never stops
        the others. Closing the iterator early abandons what has not been asked yet.
        """


@runtime_checkable
class Scores(Model, Protocol):
    """A model that gives the log-likelihood of a continuation."""

    def score(self, requests: Sequence[Score]) -> Iterator[tuple[int, Scored]]:
        """Score a batch, as `generate` does."""


@runtime_checkable
class Attends(Model, Protocol):
    """A model whose attention can be read."""

    def attend(self, requests: Sequence[Attend]) -> Iterator[tuple[int, Attended]]:
        """Read the last token's attention for a batch, as `generate` does."""


@runtime_checkable
class Sees(Model, Protocol):
    """A model that answers questions about images."""

    def see(self, requests: Sequence[See]) -> Iterator[tuple[int, Generated]]:
        """Answer a batch, as `generate` does."""


@runtime_checkable
class Studies(Model, Protocol):
    """A model that has to be shown the cases before they are asked: toys, whose ability is known, look them up."""

    def study(self, cases: Sequence[Case]) -> None:
        """Learn cases; whoever asks calls it first. It changes nothing about the card."""


Capability = TypeVar("Capability", bound=Model)

_WHO_HAS = {
    "Generates": "toy, embedded, local and api models",
    "Scores": "toy, embedded and local models, and api models whose server gives log-probabilities of a prompt",
    "Attends": "embedded and local models",
    "Sees": "embedded:tiny-eyes, local vision–language models, toy:sighted, and api models that take images",
    "Weighs": "embedded:tiny-eyes and local vision–language models",
}


def require(model: Model, capability: type[Capability]) -> Capability:
    """Return the model as one with the capability, or say which models have it."""
    if isinstance(model, capability):
        return model
    name = capability.__name__
    raise CapabilityError(f"{model.card.name} lacks the capability {name}; {_WHO_HAS[name]} have it.")
