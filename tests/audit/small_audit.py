"""A small audit in a process of its own, to be killed: `small_audit.py STORE CALLS RESULT`.

Every call of the model is logged before it is answered, and takes 4 ms at least. What is asked next depends on the
answers so far, and the budget ends before the cases do, so that a run which lost or repeated anything would go astray.
"""

import os
import random
import sys
import time
from pathlib import Path
from typing import ClassVar

from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.core import Case, Generate, Generated, Grade, Limit, Message, Score, Scored, Silent, Usage, canonical
from hardlimit.core.quantity import ACCURACY
from hardlimit.core.values import Value
from hardlimit.models import ModelCard
from hardlimit.store import Store

SECONDS_A_CALL = 0.004


class Sums(Value, frozen=True):
    name: ClassVar[str] = "test.sums"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.REASONING
    quantity: ClassVar = ACCURACY

    size: int

    def cases(self, *, seed, n):
        rng = random.Random(f"{seed} {self.size}")
        pairs = [(rng.randrange(self.size), rng.randrange(self.size)) for _ in range(n)]
        return [
            Case(
                id=f"{seed}-{place}",
                ask=Generate(messages=(Message(role="user", content=f"{a}+{b}"),), max_tokens=8),
                gold=(str(a + b),),
                cluster=str(place // 4),
            )
            for place, (a, b) in enumerate(pairs)
        ]

    def grade(self, case, reply):
        return (Grade.RIGHT if reply.text in case.gold else Grade.WRONG), reply.text

    def controls(self):
        return {}


class Slow:
    """Adds two numbers, wrongly where their sum is divisible by 7."""

    card = ModelCard(name="toy:slow", adapter="toy", revision="1")

    def __init__(self, log):
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def count_tokens(self, text):
        return len(text)

    def _compute(self, request):
        os.write(self._log, b"call\n")
        time.sleep(SECONDS_A_CALL)
        content = request.messages[0].content
        a, b = content.split("+")
        usage = Usage(prompt_tokens=len(content), completion_tokens=3, seconds=0.1 / len(content))
        return int(a) + int(b), usage

    def generate(self, requests):
        for place, request in enumerate(requests):
            total, usage = self._compute(request)
            yield place, Generated(text=str(total + (total % 7 == 0)), finish="stop", usage=usage)

    def score(self, requests):
        for place, request in enumerate(requests):
            total, usage = self._compute(request)
            yield place, Scored(token_logprobs=(-1 / (1 + total),), greedy=total % 2 == 0, usage=usage)


def audit(desk):
    """Make the sums larger while the model is right, then score what it was wrong about."""
    size, answers = 10, []
    for step in range(12):
        new = desk.ask(Sums(size=size), Sums(size=size).cases(seed=step, n=10), what=f"sums below {size}")
        answers += new
        if sum(answered.grade is Grade.RIGHT for answered in new) >= 8:
            size *= 3
    wrong = [answered.case.ask for answered in answers if answered.grade is Grade.WRONG]
    scores = desk.score([Score(messages=ask.messages, continuation=" x") for ask in wrong], what="scores")
    return {"answers": answers, "scores": scores, "spent": desk.meter.spent, "left": desk.meter.left_share}


def main(store, calls, result):
    model = Slow(calls)
    print("ready", flush=True)
    sys.stdin.readline()
    with Store.open(store) as opened:
        found = audit(Desk(model, opened, Meter(Budget.parse("1230-tokens")), Silent()))
    Path(result).write_bytes(canonical(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
