"""D1: whatever family of predictors is listed, a target is made on which each of them errs (HALL-1)."""

import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import InvalidValueError
from hardlimit.demos.demonstration import Check, Demo, Figure, Series, Shown
from hardlimit.demos.worker import Answer
from hardlimit.theory.hallucination import chance_bound, diagonal, languages, least_vote_target

LENGTH = 13
"""Longest string whose membership is asked."""
TARGETS = 10
"""Random targets. One alone exceeds the bound with probability at most 1, in practice about 0.1; all ten never do."""


def _automata(seed: int) -> Shown:
    members, new = languages(3, LENGTH)
    models, inputs = members.shape
    diagonal_errors = (members != _diagonal_target(members)).sum(axis=1)
    # All languages together are closed under complement, so any target would do; these are not.
    accepting = members[members[:, 0] == 1]
    vote_accuracy = (accepting == least_vote_target(accepting, 2)).mean(axis=1)
    rng = np.random.default_rng(seed)
    best = [float((members == rng.integers(0, 2, inputs, dtype=np.uint8)).mean(axis=1).max()) for _ in range(TARGETS)]
    bound = float(chance_bound(math.log(models), inputs))
    own = (members != members[models // 2]).sum(axis=1)
    checks = (
        Check(
            asks="automata with 1, 2 and 3 states accept 2, 24 and 1,028 languages that fewer states do not",
            holds=new == (2, 24, 1028),
            found=f"counted {', '.join(f'{count:,}' for count in new)}",
        ),
        Check(
            asks="every automaton errs on the diagonal target",
            holds=int(diagonal_errors.min()) > 0,
            found=f"fewest errors of any of the {models:,}: {diagonal_errors.min()} of {inputs:,} strings",
        ),
        Check(
            asks="automata that accept the empty string are right less than half of the time on their least vote",
            holds=float(vote_accuracy.mean()) < 0.5,
            found=f"mean accuracy {vote_accuracy.mean():.4f} of {len(accepting)} automata",
        ),
        Check(
            asks=f"some target keeps every automaton below {bound:.4f}",
            holds=min(best) < bound,
            found=f"best automaton on the hardest of {TARGETS} random targets: {min(best):.4f}",
        ),
        Check(
            asks="on one automaton's own language, that automaton never errs",
            holds=int(own.min()) == 0 and int(np.argmin(own)) == models // 2,
            found=f"its errors: {own[models // 2]}; a natural target can be learnt",
            control=True,
        ),
    )
    rows = (
        ("diagonal", float(1 - diagonal_errors.min() / inputs), float(1 - diagonal_errors.mean() / inputs)),
        ("least vote", float(vote_accuracy.max()), float(vote_accuracy.mean())),
        ("hardest random", min(best), 0.5),
        ("one automaton's own language", 1.0, float(1 - own.mean() / inputs)),
    )
    curves = {"diagonal target": 1 - diagonal_errors / inputs, "least-vote target": vote_accuracy,
              "one automaton's own language": 1 - own / inputs}  # fmt: skip
    return Shown(
        computed=f"All {models:,} languages of automata with up to 3 states, asked about all {inputs:,} strings of "
        f"length up to {LENGTH}.",
        checks=checks,
        figure=Figure(
            title="No automaton is right on a target that was made after the list",
            x="share of the automata, worst first",
            y="accuracy",
            series=tuple(Series(label=name, points=_quantiles(values)) for name, values in curves.items()),
        ),
        head=("target", "best accuracy", "mean accuracy"),
        rows=rows,
        values={"languages": models, "fewest_errors": int(diagonal_errors.min()), "bound": bound, "best": min(best)},
    )


def _diagonal_target(members: NDArray[np.uint8]) -> NDArray[np.int64]:
    def answers(row: int) -> Callable[[int], int]:
        return lambda x: int(members[row, x])

    found = diagonal([answers(row) for row in range(len(members))], range(members.shape[1]), [0, 1])
    return np.array(list(found.target.values()))


def _quantiles(values: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    shares = np.linspace(0, 1, 21)
    return tuple(zip(shares.tolist(), np.quantile(values, shares).tolist(), strict=True))


def against(answers: Sequence[Sequence[Answer]], names: Sequence[str]) -> Shown:
    """Diagonalise against a family of predictors whose answers are known.

    Args:
        answers: one row per predictor: what it said to each of the inputs 0, 1, 2, …
        names: of the predictors.

    Returns:
        The inputs on which each of them fails. An input that a predictor did not answer is no error: it abstained.

    >>> said = [[Answer(value=0)] * 3, [Answer(value=x % 2) for x in range(3)], [Answer(why="timed out")] * 3]
    >>> shown = against(said, ["zero", "parity", "silent"])
    >>> shown.rows[2]
    ('silent', 'abstains', 'none', 3)
    >>> [check.holds for check in shown.checks]
    [True, True]
    """
    inputs = len(answers[0]) if answers else 0
    if not answers or inputs < len(answers) or any(len(row) != inputs for row in answers):
        raise InvalidValueError(
            f"Each of the {len(answers)} predictors must have been asked the same inputs, at least {len(answers)}."
        )
    labels = _labels(answers)
    models = [lambda x, row=row: row[x].value if row[x].answered else _Silent() for row in answers]
    target = diagonal(models, range(inputs), labels).target
    errors = [[x for x in range(inputs) if row[x].answered and row[x].value != target[x]] for row in answers]
    silent = [sum(not answer.answered for answer in row) for row in answers]
    fails = [i in errors[i] or not answers[i][i].answered for i in range(len(answers))]
    first = answers[0]
    own = [first[x].value if first[x].answered else labels[0] for x in range(inputs)]
    own_errors = sum(answer.answered and answer.value != own[x] for x, answer in enumerate(first))
    rows = tuple(
        (
            name,
            _at_own_input(answers[i][i], i, target[i]),
            ", ".join(map(str, errors[i][:8])) + ("…" if len(errors[i]) > 8 else "") or "none",
            silent[i],
        )
        for i, name in enumerate(names)
    )
    wrong = sum(bool(found) for found in errors)
    return Shown(
        computed=f"{len(answers)} predictors, each asked {inputs} inputs; the target differs from predictor i at "
        f"input i. Labels: {', '.join(map(repr, labels[:6]))}{'…' if len(labels) > 6 else ''}.",
        checks=(
            Check(
                asks="every predictor errs on the target, or declines the input that was made for it",
                holds=all(fails),
                found=f"{wrong} err, {len(answers) - wrong} only decline",
            ),
            Check(
                asks=f"on its own answers as the target, {names[0]} does not err",
                holds=own_errors == 0,
                found=f"its errors: {own_errors}",
                control=True,
            ),
        ),
        figure=Figure(
            title="Share of inputs on which each predictor errs on the diagonal target",
            x="predictor",
            y="share of the inputs",
            series=(
                Series(label="errs", points=tuple((float(i), len(e) / inputs) for i, e in enumerate(errors))),
                Series(label="declines", points=tuple((float(i), s / inputs) for i, s in enumerate(silent))),
            ),
        ),
        head=("predictor", "at the input made for it", "errs on inputs", "declined"),
        rows=rows,
        values={"target": " ".join(str(target[x]) for x in range(min(inputs, 64)))},
    )


class _Silent:
    """An answer that no label equals."""


def _labels(answers: Sequence[Sequence[Answer]]) -> list[Hashable]:
    found: list[Hashable] = list(dict.fromkeys(a.value for row in answers for a in row if a.answered))
    spare: list[Hashable] = [label for label in (0, 1) if label not in found]
    return found + spare[: max(0, 2 - len(found))]


def _at_own_input(answer: Answer, x: int, truth: Hashable) -> str:
    return f"says {answer.value!r} at {x}, target {truth!r}" if answer.answered else "abstains"


DIAGONAL = Demo(
    name="diagonal",
    number="D1",
    claims=("HALL-1",),
    says=(
        "No listed family of predictors is right for every target: a target made after the list contradicts each of "
        "them. Nothing follows about a target that was fixed before."
    ),
    refuted_by=(
        "An automaton that agrees with the constructed target everywhere, an accuracy above the bound on every random "
        "target, or other counts of languages than 2, 24 and 1,028."
    ),
    control="An automaton's own language: that automaton makes no error.",
    work=_automata,
    takes=2,
)
