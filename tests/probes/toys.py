"""Asking toys: the whole way from cases to graded answers."""

from hardlimit.core import Answered, Score


def ask(toy, probe, cases):
    """Let a toy study the cases and answer them, and let the probe grade the answers."""
    toy.study(cases)
    replies = dict(toy.generate([case.ask for case in cases]))
    answered = []
    for index, case in enumerate(cases):
        grade, answer = probe.grade(case, replies[index])
        answered.append(Answered(case=case, reply=replies[index], grade=grade, answer=answer))
    return answered


def asked(toy, probe, *, seed=0, n=200):
    return ask(toy, probe, probe.cases(seed=seed, n=n))


def scored(toy, requests: list[Score]):
    return [reply for _, reply in sorted(toy.score(requests))]
