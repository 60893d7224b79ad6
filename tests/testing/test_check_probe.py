"""The contract of probes passes what is sound, and each of its checks can fail: one broken probe per check."""

import msgspec
import pytest

from hardlimit.core import Case, Generate, Grade, Limit, Message, Value
from hardlimit.core.quantity import ACCURACY
from hardlimit.testing import ContractError, check_probe


def change(value, **fields):
    return msgspec.structs.replace(value, **fields)


class Sums(Value, frozen=True):
    """A small sound probe: sums of two numbers; the broken ones below change one thing each."""

    digits: int = 2

    name = "reasoning.sums"
    version = 1
    limit = Limit.REASONING
    quantity = ACCURACY

    def cases(self, *, seed, n):
        made = []
        for index in range(n):
            a = 10 ** (self.digits - 1) + (seed * 7919 + index * 31) % (9 * 10 ** (self.digits - 1))
            messages = (Message(role="user", content=f"What is {a} plus 5?"),)
            ask = Generate(messages=messages, max_tokens=20)
            case = Case(id=f"{seed}-{index}", ask=ask, gold=(str(a + 5),), lures=(str(a - 5), str(a + 6)))
            made.append(case)
        return made

    def grade(self, case, reply):
        if reply.finish in {"error", "refused"}:
            return (Grade.FAILED if reply.finish == "error" else Grade.REFUSED), None
        words = reply.text.replace(".", " ").split()
        numbers = [word for word in words if word.isdigit()]
        if numbers:
            return (Grade.RIGHT if numbers[-1] in case.gold else Grade.WRONG), numbers[-1]
        if reply.finish == "length":
            return Grade.TRUNCATED, None
        if reply.text.strip().startswith(("I don't", "I'm not", "I do not")):
            return (Grade.ABSTAINED if case.gold else Grade.RIGHT), None
        return (Grade.WRONG, reply.text) if reply.text.strip() and not case.gold else (Grade.MALFORMED, None)

    def controls(self):
        return {"trivial": Sums(digits=1), "impossible": Hidden()}


class Hidden(Sums, frozen=True):
    """Sums that are not shown."""

    def cases(self, *, seed, n):
        blank = Generate(messages=(Message(role="user", content="What is the sum?"),), max_tokens=20)
        return [change(case, ask=blank) for case in super().cases(seed=seed, n=n)[:1]] + [
            change(case, ask=change(blank, messages=(Message(role="user", content=f"What is sum {case.id}?"),)))
            for case in super().cases(seed=seed, n=n)[1:]
        ]


def broken(**parts):
    """Make the sound probe with some parts replaced."""
    return type("Sums", (Sums,), {"__module__": __name__, "__annotations__": {}, **parts}, frozen=True)()


def graded(edit):
    """Make a probe whose grades pass through `edit(case, reply, grade)`."""

    def grade(self, case, reply):
        before, answer = Sums.grade(self, case, reply)
        return edit(case, reply, before), answer

    return {"grade": grade, "controls": lambda self: Sums().controls()}


def cased(edit):
    """Make a probe whose list of cases passes through `edit(cases, seed)`."""

    def cases(self, *, seed, n):
        return edit(Sums.cases(self, seed=seed, n=n), seed)

    return {"cases": cases}


def raises_on_markup(case, reply, grade):
    if "<script>" in reply.text:
        raise RuntimeError("markup")
    return grade


class Leaky(Sums, frozen=True):
    """An impossible setting whose answer stands in the prompt."""

    def cases(self, *, seed, n):
        return [
            change(case, ask=change(case.ask, messages=(Message(role="user", content=f"Say {case.gold[0]}!"),)))
            for case in super().cases(seed=seed, n=n)
        ]


class Overgenerous(Sums, frozen=True):
    """A trivial setting that everyone passes."""

    def cases(self, *, seed, n):
        return [change(case, lures=()) for case in super().cases(seed=seed, n=n)]

    def grade(self, case, reply):
        return Grade.RIGHT, reply.text


BROKEN_PROBES = {
    "name": ({"name": "Sums"}, "Sums: a probe's name looks like 'context.needle', got 'Sums'."),
    "version": ({"version": 0}, "reasoning.sums: version must be >= 1, got 0."),
    "limit": ({"limit": "reasoning"}, "reasoning.sums: limit must be a Limit, got 'reasoning'."),
    "quantity": ({"quantity": "accuracy"}, "reasoning.sums: quantity must be a Quantity, got 'accuracy'."),
    "repr": ({"__repr__": lambda self: "Sums(digits=3)"}, "reasoning.sums: its repr rebuilds another probe: Sums("),
    "repr that is no code": (
        {"__repr__": lambda self: "<Sums>"},
        "reasoning.sums: its repr <Sums> cannot be evaluated: invalid syntax",
    ),
    "too few": (cased(lambda cases, seed: cases[1:]), "reasoning.sums: cases(n=24) gives 23 cases."),
    "ids": (
        cased(lambda cases, seed: [*cases[:-1], change(cases[-1], id=cases[0].id)]),
        "reasoning.sums: case ids repeat: ['0-0']",
    ),
    "empty id": (
        cased(lambda cases, seed: [change(cases[0], id=""), *cases[1:]]),
        "reasoning.sums: a case has an empty id.",
    ),
    "gold among lures": (
        cased(lambda cases, seed: [change(case, lures=case.gold) for case in cases]),
        "reasoning.sums, case 0-0: ['15'] are both gold and lures.",
    ),
    "frozen seed": (
        {"cases": lambda self, *, seed, n: Sums().cases(seed=0, n=n)},
        "reasoning.sums: seeds 0 and 1 make the same cases.",
    ),
    "gold not right": (
        graded(lambda case, reply, grade: Grade.WRONG if grade is Grade.RIGHT else grade),
        "reasoning.sums, case 0-0: the right answer '15' must be graded right, got wrong.",
    ),
    "lure not wrong": (
        graded(lambda case, reply, grade: Grade.RIGHT if grade is Grade.WRONG else grade),
        "reasoning.sums, case 0-0: the lure '5' must be graded wrong, got right.",
    ),
    "abstention": (
        graded(lambda case, reply, grade: Grade.WRONG if grade is Grade.ABSTAINED else grade),
        'reasoning.sums, case 0-0: the abstention "I don\'t know." must be graded abstained, got wrong.',
    ),
    "empty": (
        graded(lambda case, reply, grade: Grade.WRONG if grade is Grade.MALFORMED else grade),
        "reasoning.sums, case 0-0: the empty answer '' must be graded malformed, got wrong.",
    ),
    "cut": (
        graded(lambda case, reply, grade: Grade.WRONG if grade is Grade.TRUNCATED else grade),
        "reasoning.sums, case 0-0: an answer cut off before it answers must be graded truncated, got wrong.",
    ),
    "refused": (
        graded(lambda case, reply, grade: Grade.WRONG if grade is Grade.REFUSED else grade),
        "reasoning.sums, case 0-0: an answer that a server's filter refused must be graded refused, got wrong.",
    ),
    "failed": (
        graded(lambda case, reply, grade: Grade.WRONG if grade is Grade.FAILED else grade),
        "reasoning.sums, case 0-0: a failed request with the text '' must be graded failed, got wrong.",
    ),
    "raises": (
        graded(raises_on_markup),
        "grading 'quote \" backslash \\\\ brace } bracket ] </' raises RuntimeError: markup",
    ),
    "lucky": (
        graded(lambda case, reply, grade: Grade.RIGHT if "null" in reply.text else grade),
        "is graded right.",
    ),
    "not a grade": (graded(lambda case, reply, grade: True), "grade must give (Grade, str or None), got (True, "),
    "no impossible": (
        {"controls": lambda self: {"trivial": Sums(digits=1)}},
        "reasoning.sums: controls() has no 'impossible' setting.",
    ),
    "leaky impossible": (
        {"controls": lambda self: {"trivial": Sums(digits=1), "impossible": Leaky()}},
        "reasoning.sums: in the impossible control a toy that reads only the prompt is right in 24 of 24 cases, "
        "where guessing gives 8.0.",
    ),
    "generous trivial": (
        {"controls": lambda self: {"trivial": Overgenerous(), "impossible": Hidden()}},
        "reasoning.sums: a guessing toy passes the trivial control.",
    ),
}


def test_a_sound_probe_passes():
    check_probe(Sums(), harder=[Sums(digits=12)])


@pytest.mark.parametrize("what", BROKEN_PROBES)
def test_a_broken_probe_is_found(what):
    parts, message = BROKEN_PROBES[what]
    with pytest.raises(ContractError) as error:
        check_probe(broken(**parts))
    assert message in str(error.value)


def test_a_probe_that_forgets_its_seed_is_found():
    counter = iter(range(1000))
    forgetful = broken(cases=lambda self, *, seed, n: Sums().cases(seed=next(counter), n=n))
    with pytest.raises(ContractError) as error:
        check_probe(forgetful)
    assert str(error.value) == "reasoning.sums: the same seed 0 makes other cases the second time."


def test_a_prompt_that_names_every_option_gives_nothing_away():
    class Choice(Sums, frozen=True):
        def cases(self, *, seed, n):
            found = []
            for case in super().cases(seed=seed, n=n):
                text = f"{case.id}: {' or '.join(sorted((*case.gold, *case.lures)))}?"
                found.append(change(case, ask=change(case.ask, messages=(Message(role="user", content=text),))))
            return found

    check_probe(broken(controls=lambda self: {"trivial": Sums(digits=1), "impossible": Choice()}))


def test_a_harder_setting_that_fails_is_found():
    class Short(Sums, frozen=True):
        def cases(self, *, seed, n):
            return super().cases(seed=seed, n=n if self.digits < 5 else 0)

    globals()["Short"] = Short
    with pytest.raises(ContractError) as error:
        check_probe(Short(), harder=[Short(digits=6)])
    assert str(error.value) == "reasoning.sums: cases(n=8) gives 0 cases."
