"""A process that keeps answers: `keeper.py STORE NAME SEED CASES`; waits for a line, then says each one it has kept."""

import random
import sys
from typing import ClassVar

from hardlimit.core import Answered, Case, Generate, Generated, Grade, Limit, Message, Value
from hardlimit.core.quantity import ACCURACY
from hardlimit.store import Store, answer_key


class Counting(Value, frozen=True):
    name: ClassVar[str] = "test.counting"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.EVALUATION
    quantity: ClassVar = ACCURACY


def case_of(place):
    ask = Generate(messages=(Message(role="user", content=f"Question {place}"),), max_tokens=4)
    return Case(id=str(place), ask=ask, gold=())


def main(path, name, seed, cases):
    places = list(range(int(cases)))
    random.Random(int(seed)).shuffle(places)
    print("ready", flush=True)
    sys.stdin.readline()
    with Store.open(path) as store:
        for place in places:
            case = case_of(place)
            mine = Answered(case=case, reply=Generated(text=f"{name} on {place}", finish="stop"), grade=Grade.RIGHT)
            kept = store.keep_answer(answer_key("aaaa", Counting(), case), mine, model="aaaa", probe=Counting())
            print(place, kept.reply.text, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
