"""HALL-1: no family of models that can be listed is right for every target (diagonalisation).

The construction is run, not only stated: give it models and inputs, and it returns a target on which each model errs.
"""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hardlimit.core import (
    Bound,
    Effect,
    Impossibility,
    InvalidValueError,
    Limit,
    Resource,
    Source,
    Statement,
    Status,
    Value,
    Verdict,
)
from hardlimit.core.quantity import HARDEST_TARGET_ACCURACY
from hardlimit.theory.bounding import at_most
from hardlimit.theory.domain import Numbers, number, plain, whole, within
from hardlimit.theory.sources import derived, paper, textbook

HALL_1 = Statement(
    id="HALL-1",
    name="no listed family of models is universal",
    limit=Limit.HALLUCINATION,
    status=Status.PROVED,
    says=(
        "For any list of models there is a target function on which every one of them errs, and one on which none is "
        "much better than guessing. The target is made after the list. So no family is right for every target, and "
        "nothing follows about the target you care about."
    ),
    formula=(
        "m models, ≥ m inputs, ≥ 2 labels:  ∃ f, x₁…x_m distinct:  f(xᵢ) ≠ hᵢ(xᵢ)\n"
        "listed without end, each infinitely often:  every hᵢ errs on infinitely many inputs\n"
        "k labels:  ∃ f with mean accuracy over the models ≤ 1/k on every input\n"
        "n inputs:  ∃ f with maxᵢ accuracyᵢ ≤ 1/k + √(ln m / (2n))"
    ),
    hypotheses=(
        "the models are total: each answers every input",
        "they can be listed by one program (all total computable functions cannot; clocked programs can)",
        "the target is chosen after the list",
    ),
    sources=(
        textbook("Cantor (1891), Turing (1936)", "diagonalisation"),
        Source(title="Xu, Jain & Kankanhalli (2024)", locator="Thm 1–3", url="arXiv:2401.11817"),
        derived("pigeonhole, and Hoeffding with a union bound, for the last two lines"),
        paper("Thm 1, 2"),
    ),
    silent_on=(
        "It says nothing about a given target, nor about how often a model errs: any fixed computable target is "
        "computed by some program outside the list. Say 'no family is universal', never 'this model must fail at "
        "your task'."
    ),
    falsified_by="A listed model that agrees with the constructed target on every input.",
    paper=(
        "The paper's theorem is right as mathematics; its summaries leave out that the models must be total and "
        "listed by one program, and that the target comes after the list."
    ),
    effects=(
        Effect(
            resource=Resource.PARAMETERS,
            verdict=Verdict.CANNOT_PROGRESS,
            when="for one family that is right for every target; silent about any fixed target",
        ),
    ),
    worked=(
        "All 1,054 languages of automata with up to 3 states: the constructed target makes each of them err; on 10¹² "
        "binary queries some target keeps every model of 10⁹ 16-bit parameters below 57.45 %."
    ),
)

Predictor = Callable[[int], Hashable]


class Diagonal(Value, frozen=True):
    """A target on which every model of a list errs.

    Args:
        target: label of every input, in the order of the inputs.
        witness: per model, the input on which it errs for sure.
    """

    target: dict[int, Hashable]
    witness: tuple[tuple[int, int], ...]


def diagonal(family: Sequence[Predictor], inputs: Sequence[int], labels: Sequence[Hashable]) -> Diagonal:
    """Construct a target on which every model of a family errs at an input of its own.

    A model that raises an error on its input has not answered it: it differs from every label.

    Args:
        family: models h₁…h_m, from an input to a label.
        inputs: at least m distinct inputs.
        labels: at least two distinct labels.

    Returns:
        The target, with `labels[0]` where no model needs to be contradicted.

    Source:
        HALL-1; Cantor's diagonal.

    >>> found = diagonal([lambda x: 0, lambda x: x % 2], inputs=[0, 1, 2], labels=[0, 1])
    >>> found.target, found.witness
    ({0: 1, 1: 0, 2: 0}, ((0, 0), (1, 1)))
    """
    if len(set(labels)) < 2 or len(set(labels)) != len(labels):
        raise InvalidValueError(f"labels must be at least two distinct labels, got {list(labels)!r}.")
    if len(set(inputs)) != len(inputs) or len(inputs) < len(family):
        raise InvalidValueError(
            f"inputs must be distinct and at least as many as the models, got {len(set(inputs))} distinct inputs of "
            f"{len(inputs)} for {len(family)} models."
        )
    target = dict.fromkeys(inputs, labels[0])
    for model, x in zip(family, inputs, strict=False):
        answer = _answer(model, x)
        target[x] = next(label for label in labels if label != answer)
    return Diagonal(target=target, witness=tuple(enumerate(inputs[: len(family)])))


def _answer(model: Predictor, x: int) -> Hashable:
    try:
        return model(x)
    except Exception:  # noqa: BLE001 a model of the caller's may fail in any way; then it did not answer
        return _NO_ANSWER


_NO_ANSWER = object()


def schedule(n: int) -> int:
    """Return which model the input n contradicts when each must be contradicted infinitely often: v₂(n + 1).

    Args:
        n: input, >= 0.

    Returns:
        The number of times that 2 divides n + 1: 0 for every other input, 1 for every fourth, and so on.

    >>> [schedule(n) for n in range(8)]
    [0, 1, 0, 2, 0, 1, 0, 3]
    """
    x = whole("n", n, "[0, ∞)") + 1
    return (x & -x).bit_length() - 1


def least_vote_target(answers: NDArray[np.integer], labels: int) -> NDArray[np.int64]:
    """Return the target that takes, on every input, the label that the fewest models give.

    Args:
        answers: `(models, inputs)` labels in 0…k−1.
        labels: k, >= 2.

    Returns:
        `(inputs,)` labels; the models' mean accuracy is at most 1/k on every input.

    Source:
        HALL-1, pigeonhole.

    >>> least_vote_target(np.array([[0, 1], [0, 1], [1, 1]]), 2)
    array([1, 0])
    """
    k = whole("labels", labels, "[2, ∞)")
    within("answers", answers, f"[0, {k - 1}]", whole=True)
    votes = np.stack([(answers == label).sum(axis=0) for label in range(k)])
    return np.asarray(votes.argmin(axis=0))


def chance_bound(log_models: ArrayLike, queries: ArrayLike, labels: ArrayLike = 2) -> Numbers:
    """Return the accuracy below which some target keeps every model of a family, 1/k + √(ln m/(2n)), at most 1.

    Args:
        log_models: ln m, natural logarithm of the number of models, >= 0 (P·b·ln 2 for P parameters of b bits).
        queries: n, >= 1.
        labels: k, equally likely, >= 2.

    Source:
        HALL-1; Hoeffding's inequality for a random target, and a union bound.

    >>> round(chance_bound(1e9 * 16 * np.log(2), 1e12), 4)
    0.5745
    """
    log_m, n = within("log_models", log_models, "[0, ∞)"), within("queries", queries, "[1, ∞)")
    k = within("labels", labels, "[2, ∞)", whole=True)
    return plain(np.minimum(1.0, 1 / k + np.sqrt(log_m / (2 * n))))


def hardest_target(log_models: float, queries: int, labels: int = 2) -> Bound:
    """Bound the accuracy of the best model of a family on its hardest target.

    Args:
        log_models: ln m, >= 0.
        queries: n, >= 1.
        labels: k, >= 2.

    Returns:
        An upper bound on `HARDEST_TARGET_ACCURACY`.

    Source:
        HALL-1.

    >>> round(hardest_target(float(np.log(1054)), 16383).value, 4)
    0.5146
    """
    value = float(chance_bound(number("log_models", log_models, "[0, ∞)"), queries, labels))
    at = {"log_models": log_models, "queries": queries, "labels": labels}
    return at_most(HALL_1, HARDEST_TARGET_ACCURACY, value, at=at)


def no_universal_model(family: Sequence[Predictor], inputs: Sequence[int], labels: Sequence[Hashable]) -> Impossibility:
    """Show that no model of a family is right everywhere, by a target on which each of them errs.

    Args:
        family: models h₁…h_m, from an input to a label.
        inputs: at least m distinct inputs.
        labels: at least two distinct labels.

    Returns:
        An impossibility whose witness was checked: every model was asked, and `least_errors` is the best of them.

    Source:
        HALL-1.

    >>> no_universal_model([lambda x: 0, lambda x: x % 2], [0, 1, 2, 3], [0, 1]).witness
    {'models_that_err': 2, 'least_errors': 1, 'target': '1 0 0 0'}
    """
    found = diagonal(family, inputs, labels)
    errors = [sum(_answer(model, x) != label for x, label in found.target.items()) for model in family]
    return Impossibility(
        statement=HALL_1,
        at={"models": len(family), "inputs": len(inputs), "labels": len(labels)},
        witness={
            "models_that_err": sum(count > 0 for count in errors),
            "least_errors": min(errors, default=0),
            "target": " ".join(str(label) for label in list(found.target.values())[:64]),
        },
    )
