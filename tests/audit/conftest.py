"""A probe, a model that records what it is asked, and a progress that records what it is told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.core import (
    Attended,
    Case,
    Generate,
    Generated,
    Grade,
    Limit,
    Message,
    Scored,
    Usage,
    Value,
)
from hardlimit.core.quantity import ACCURACY
from hardlimit.models import ModelCard
from hardlimit.store import Store


class Doubling(Value, frozen=True):
    name: ClassVar[str] = "test.doubling"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.EVALUATION
    quantity: ClassVar = ACCURACY

    clusters: int = 0

    def cases(self, *, seed, n):
        return [
            Case(
                id=f"{seed}-{place}",
                ask=Generate(messages=(Message(role="user", content=f"{place}"),), max_tokens=8),
                gold=(str(2 * place),),
                cluster=str(place % self.clusters) if self.clusters else "",
            )
            for place in range(n)
        ]

    def grade(self, case, reply):
        if isinstance(reply, Scored):
            return (Grade.RIGHT if reply.greedy else Grade.WRONG), None
        return (Grade.RIGHT if reply.text in case.gold else Grade.WRONG), reply.text

    def controls(self):
        return {}


class Newer(Doubling, frozen=True):
    version: ClassVar[int] = 2

    def __repr__(self):
        return super().__repr__().replace("Newer", "Doubling")


def double(place, request):
    """Answer right, for 10 tokens and half a second."""
    text = str(2 * int(request.messages[-1].content))
    return Generated(text=text, finish="stop", usage=Usage(prompt_tokens=9, completion_tokens=1, seconds=0.5))


@dataclass
class Recording:
    """A model that answers by a function of place and request, in any order, and records what it was asked."""

    answer: Callable[[int, Any], Any] = double
    order: Callable[[int], Any] = range
    name: str = "toy:recording"
    asked: list[list[Any]] = field(default_factory=list)
    computed: list[Any] = field(default_factory=list)
    closed: int = 0

    @property
    def card(self):
        return ModelCard(name=self.name, adapter="toy", revision="1")

    def count_tokens(self, text):
        return len(text)

    def generate(self, requests):
        self.asked.append(list(requests))
        try:
            for place in self.order(len(requests)):
                self.computed.append(requests[place])
                yield place, self.answer(place, requests[place])
        finally:
            self.closed += 1

    score = see = attend = generate


@dataclass
class Hearing:
    """Progress that records what it is told."""

    asked: list[tuple[str, int | None]] = field(default_factory=list)
    answers: list[tuple[Grade | None, Usage]] = field(default_factory=list)
    each: Callable[[], None] = lambda: None

    def asking(self, what, total):
        self.asked.append((what, total))

    def answered(self, grade, usage):
        self.answers.append((grade, usage))
        self.each()

    def settled(self, topic, says):
        raise AssertionError("the desk settles nothing")


@pytest.fixture
def probe():
    return Doubling()


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "answers.sqlite") as store:
        yield store


@pytest.fixture
def sit(store):
    """Make a desk: `sit(model, "1k-tokens", hearing)`; each is a run of its own on the same store."""

    def make(model, budget="unlimited", progress=None):
        return Desk(model, store, Meter(Budget.parse(budget)), Hearing() if progress is None else progress)

    return make


@pytest.fixture
def parts():
    """The classes of this file, for tests that need more than one of each."""

    class Parts:
        doubling, newer, recording, hearing = Doubling, Newer, Recording, Hearing
        double = staticmethod(double)

    return Parts


@pytest.fixture
def reading():
    """Build a reading of attention."""

    def make(keys, *, error=None, tokens=10):
        usage = Usage(prompt_tokens=tokens, seconds=0.5)
        return Attended(keys=keys, spans=(), entropy=((0.5,),), sink=((0.25,),), usage=usage, error=error)

    return make
