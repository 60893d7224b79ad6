"""A probe, its cases and graded answers to store."""

from typing import ClassVar

import pytest

from hardlimit.core import Answered, Case, Generate, Generated, Grade, Limit, Message, Usage, Value
from hardlimit.core.quantity import ACCURACY
from hardlimit.models import ModelCard
from hardlimit.store import answer_key


class Doubling(Value, frozen=True):
    name: ClassVar[str] = "test.doubling"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.EVALUATION
    quantity: ClassVar = ACCURACY

    step: int = 1

    def cases(self, *, seed, n):
        return [
            Case(
                id=f"{seed}-{index}",
                ask=Generate(messages=(Message(role="user", content=f"2 * {index}?"),), max_tokens=8),
                gold=(str(2 * index),),
                factors={"index": index, "half": index / 2, "even": index % 2 == 0, "name": "é\u2028x"},
                cluster=str(index // 10),
            )
            for index in range(0, n * self.step, self.step)
        ]

    def grade(self, case, reply):
        return (Grade.RIGHT if reply.text in case.gold else Grade.WRONG), reply.text

    def controls(self):
        return {}


def answered(case, text="4", grade=Grade.RIGHT):
    reply = Generated(
        text=text,
        finish="stop",
        token_logprobs=(-0.1, -1e-300),
        usage=Usage(prompt_tokens=7, cached_tokens=3, completion_tokens=2, seconds=0.1, dollars=0.001),
    )
    return Answered(case=case, reply=reply, grade=grade, answer=text)


def failed(case, error="The server is gone."):
    return Answered(case=case, reply=Generated(text="", finish="error", error=error), grade=Grade.FAILED)


@pytest.fixture
def probe():
    return Doubling()


@pytest.fixture
def card():
    return ModelCard(name="toy:doubler", adapter="toy", revision="1", settings={"seed": "0"})


@pytest.fixture
def cases(probe):
    return probe.cases(seed=7, n=30)


@pytest.fixture(scope="session")
def make():
    """Build answers: `make.answered(case)`, `make.failed(case)`, `make.key(case)`, `make.probe(step=2)`."""

    class Make:
        probe = Doubling

        @staticmethod
        def key(case, *, model="aaaa", probe=None):
            return answer_key(model, Doubling() if probe is None else probe, case)

    Make.answered = staticmethod(answered)
    Make.failed = staticmethod(failed)
    return Make
