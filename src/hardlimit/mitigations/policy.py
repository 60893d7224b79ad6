"""What a mitigation of answers is: a policy that asks a model as often as it needs and gives one answer."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeAlias, TypeVar

import msgspec

from hardlimit.core import Case, Generate, Generated, ModelError, Score, Scored, Usage
from hardlimit.models import Generates, Model, ModelCard, Scores, Studies, require
from hardlimit.models.weighing import Weighed

Dialogue: TypeAlias = Generator[Sequence[Generate | Score], list[Generated | Scored], Generated]
"""One question's course: requests go out, their replies come back in order, in rounds; it returns the answer."""

AT_ONCE = 64

Ask = TypeVar("Ask")
Got = TypeVar("Got", bound=Generated | Scored | Weighed)
Inside = TypeVar("Inside", bound=Model)


class Policy(Protocol):
    """How one question is answered with a model at hand. A policy is a frozen `Value`; its `repr` rebuilds it."""

    def answer(self, request: Generate) -> Dialogue:
        """Answer one question: yield requests, receive their replies, return the answer.

        Usage need not be counted here: whoever runs the dialogue adds up every reply.
        """


class Around(Generic[Inside]):
    """A model around a model: what every one of them says of itself, whatever its policy does.

    Args:
        model: the model inside.
        policy: its `repr` goes into the name and the fingerprint.
    """

    def __init__(self, model: Inside, policy: object) -> None:
        self._model = model
        below = model.card
        settings = {**below.settings, "mitigation": f"{policy!r} on {below.fingerprint}"}
        self._card = msgspec.structs.replace(below, name=f"{policy!r} on {below.name}", settings=settings)

    @property
    def card(self) -> ModelCard:
        """The model's card, under a name and a fingerprint that hold the policy."""
        return self._card

    @property
    def model(self) -> Inside:
        """The model inside."""
        return self._model

    def count_tokens(self, text: str) -> int:
        """Number of tokens of a text, as the model inside counts them."""
        return self._model.count_tokens(text)

    def study(self, cases: Sequence[Case]) -> None:
        """Hand the cases on to a model that has to be shown them; others do not need them."""
        if isinstance(self._model, Studies):
            self._model.study(cases)


class Mitigated(Around[Generates]):
    """A model that answers through a policy, and is itself a model: it can be probed, stored and mitigated again.

    The dialogues of many questions run side by side: in each round the requests of all of them go to the model in one
    batch. A reply's usage is the sum of everything that was asked for it.

    Args:
        model: who is asked.
        policy: how.

    >>> from hardlimit.core import Message
    >>> from hardlimit.mitigations import Vote
    >>> from hardlimit.models.toy import Guessing
    >>> ask = Generate(messages=(Message(role="user", content="Capital of France?"),), max_tokens=16)
    >>> toy = Guessing([Case(id="fr", ask=ask, gold=("Paris",), lures=("Rome",))])
    >>> [(index, reply.usage.calls) for index, reply in Mitigated(toy, Vote(k=5)).generate([ask])]
    [(0, 5)]
    """

    def __init__(self, model: Generates, policy: Policy) -> None:
        super().__init__(model, policy)
        self._policy = policy

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Generated]]:
        """Answer a batch, yielding `(index, reply)` as each dialogue ends."""
        for start in range(0, len(requests), AT_ONCE):
            dialogues = [self._policy.answer(request) for request in requests[start : start + AT_ONCE]]
            for index, reply in side_by_side(dialogues, self._asked):
                yield start + index, reply

    def _asked(self, asks: Sequence[Generate | Score]) -> list[Generated | Scored]:
        """Ask each kind of request in one batch; the replies in the order of the requests."""
        got: dict[int, Generated | Scored] = {}
        writing = [(place, ask) for place, ask in enumerate(asks) if isinstance(ask, Generate)]
        scoring = [(place, ask) for place, ask in enumerate(asks) if isinstance(ask, Score)]
        if writing:
            for index, reply in self._model.generate([ask for _, ask in writing]):
                got[writing[index][0]] = reply
        if scoring:
            for index, scored in require(self._model, Scores).score([ask for _, ask in scoring]):
                got[scoring[index][0]] = scored
        return in_order(got, len(asks), self._model)


def side_by_side(
    dialogues: Sequence[Generator[Sequence[Ask], list[Got], Generated]], ask: Callable[[Sequence[Ask]], list[Got]]
) -> Iterator[tuple[int, Generated]]:
    """Run dialogues in rounds, yielding `(index, answer)` as each ends; its usage is the sum of all its replies'.

    Args:
        dialogues: one per question.
        ask: gives the replies to the requests of all dialogues of one round, in their order.
    """
    spent = [Usage(calls=0)] * len(dialogues)
    inbox: dict[int, list[Got] | None] = dict.fromkeys(range(len(dialogues)))
    while inbox:
        wanted: list[tuple[int, Ask]] = []
        for index, replies in inbox.items():
            try:
                asks = dialogues[index].send(replies) if replies is not None else next(dialogues[index])
                wanted += [(index, each) for each in asks]
            except StopIteration as stop:
                yield index, msgspec.structs.replace(stop.value, usage=spent[index])
        inbox = {index: [] for index, _ in wanted}
        for (index, _), reply in zip(wanted, ask([each for _, each in wanted]), strict=True):
            spent[index] = total(spent[index], reply.usage)
            taken = inbox[index]
            assert taken is not None
            taken.append(reply)


def in_order(got: Mapping[int, Got], count: int, model: Model) -> list[Got]:
    """Replies in the order of their requests.

    Raises:
        ModelError: one is missing.
    """
    if len(got) != count:
        raise ModelError(
            f"{model.card.name} left {count - len(got)} of {count} requests without a reply. The adapter is at fault: "
            "what cannot be answered has to come back as an error."
        )
    return [got[place] for place in range(count)]


def mitigate(model: Generates, *policies: Policy) -> Generates:
    """Put policies around a model, the first one innermost.

    >>> from hardlimit.mitigations import Scratchpad, Vote
    >>> from hardlimit.models.toy import Guessing
    >>> mitigate(Guessing([]), Scratchpad(), Vote(k=3)).card.name
    'Vote(k=3, temperature=0.7) on Scratchpad(max_tokens=256) on toy:guessing'
    """
    for policy in policies:
        model = Mitigated(model, policy)
    return model


def total(first: Usage, second: Usage) -> Usage:
    """Add up what two replies cost.

    >>> total(Usage(prompt_tokens=3, calls=1), Usage(prompt_tokens=4, dollars=0.5)).prompt_tokens
    7
    """
    dollars = [part for part in (first.dollars, second.dollars) if part is not None]
    return Usage(
        prompt_tokens=first.prompt_tokens + second.prompt_tokens,
        cached_tokens=first.cached_tokens + second.cached_tokens,
        completion_tokens=first.completion_tokens + second.completion_tokens,
        calls=first.calls + second.calls,
        seconds=first.seconds + second.seconds,
        dollars=sum(dollars) if dollars else None,
    )
