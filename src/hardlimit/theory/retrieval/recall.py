"""RETR-1: when retrieval beats asking the model alone, and what dependence of retriever and reader does."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, InvalidValueError, Limit, Resource, Shape, Statement, Status, Verdict
from hardlimit.core.quantity import ACCURACY, RECALL_NEEDED
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import Numbers, number, plain, vector, within
from hardlimit.theory.sources import derived, paper

RETR_1 = Statement(
    id="RETR-1",
    name="break-even recall, and dependence of retriever and reader",
    limit=Limit.RETRIEVAL,
    status=Status.CORRECTED,
    says=(
        "Retrieval beats the model alone exactly when recall exceeds a break-even value, which three evaluations "
        "give: closed book, gold passage in the context, distractors only. Without knowing how retriever and reader "
        "depend on each other, success is known only within an interval, not as a product."
    ),
    formula=(
        "accuracy = r·a_rel + (1 − r)·a_irr\n"
        "better than closed book a₀  ⟺  r > r* = (a₀ − a_irr)/(a_rel − a_irr)\n"
        "max(0, r + a − 1) ≤ P(retrieved and attended) ≤ min(r, a),   |P − r·a| ≤ √(r(1−r)a(1−a))"
    ),
    hypotheses=(
        "a_rel and a_irr are accuracies given that the gold passage is in the context, or is not",
        "for the interval: only the two marginal rates are known",
    ),
    sources=(derived("total probability, Fréchet and Cauchy–Schwarz"), paper("coupling bound")),
    silent_on="It says nothing about how accuracy given the gold passage depends on the other passages (RETR-2).",
    falsified_by="Measured accuracy that differs from r·a_rel + (1 − r)·a_irr on the same questions.",
    paper=(
        "The paper's Pr[fail] ≥ 1 − Pr[R]·Pr[A] needs independence and no other way to the answer; without them it "
        "is false (PAPER-PRODUCT-BOUND)."
    ),
    effects=(
        Effect(resource=Resource.RETRIEVAL, verdict=Verdict.HELPS, when="recall exceeds r*"),
        Effect(resource=Resource.RETRIEVAL, verdict=Verdict.HURTS, when="recall is below r*"),
    ),
    worked=(
        "a₀ = 0.40, a_irr = 0.25, a_rel = 0.90: retrieval pays from recall 0.231 on; recall 0.8 gives accuracy 0.77."
    ),
)


def rag_accuracy(recall: ArrayLike, with_gold: ArrayLike, without_gold: ArrayLike) -> Numbers:
    """Return accuracy with retrieval, r·a_rel + (1 − r)·a_irr.

    Args:
        recall: r, share of questions with the gold passage in the context, in [0, 1].
        with_gold: a_rel, accuracy given that it is there, in [0, 1].
        without_gold: a_irr, accuracy given that it is not, in [0, 1].

    Source:
        RETR-1; total probability.

    >>> round(rag_accuracy(0.8, 0.9, 0.25), 4)
    0.77
    """
    r = within("recall", recall, "[0, 1]")
    return plain(
        r * within("with_gold", with_gold, "[0, 1]") + (1 - r) * within("without_gold", without_gold, "[0, 1]")
    )


def break_even_recall(closed_book: ArrayLike, without_gold: ArrayLike, with_gold: ArrayLike) -> Numbers:
    """Return the recall above which retrieval beats the model alone, (a₀ − a_irr)/(a_rel − a_irr).

    Args:
        closed_book: a₀, accuracy without any passage, in [0, 1].
        without_gold: a_irr, accuracy with distractors only, in [0, 1].
        with_gold: a_rel, accuracy with the gold passage, in [0, 1], above a_irr.

    Returns:
        r*; at most 0 where retrieval always pays, above 1 where it never does.

    Source:
        RETR-1.

    >>> round(break_even_recall(0.4, 0.25, 0.9), 4)
    0.2308
    """
    a0, bad = within("closed_book", closed_book, "[0, 1]"), within("without_gold", without_gold, "[0, 1]")
    good = within("with_gold", with_gold, "[0, 1]")
    if np.any(good <= bad):
        raise InvalidValueError(
            "with_gold must exceed without_gold: a reader that the gold passage does not help never breaks even."
        )
    return plain((a0 - bad) / (good - bad))


def coupling_interval(recall: ArrayLike, attended: ArrayLike) -> tuple[Numbers, Numbers]:
    """Return the least and largest chance that a passage is retrieved and attended to, given both rates alone.

    Args:
        recall: r, in [0, 1].
        attended: a, in [0, 1].

    Source:
        Fréchet's inequalities.

    >>> low, high = coupling_interval(0.8, 0.7)
    >>> round(low, 4), round(high, 4)
    (0.5, 0.7)
    """
    r, a = within("recall", recall, "[0, 1]"), within("attended", attended, "[0, 1]")
    return plain(np.maximum(0.0, r + a - 1)), plain(np.minimum(r, a))


def coupling_deviation(recall: ArrayLike, attended: ArrayLike) -> Numbers:
    """Return how far the chance of both can lie from the product of the rates, √(r(1−r)a(1−a)).

    >>> round(coupling_deviation(0.8, 0.7), 4)
    0.1833
    """
    r, a = within("recall", recall, "[0, 1]"), within("attended", attended, "[0, 1]")
    return plain(np.sqrt(r * (1 - r) * a * (1 - a)))


def recall_needed(closed_book: float, without_gold: float, with_gold: float) -> Bound:
    """Give the recall above which retrieval beats the model alone; arguments as `break_even_recall`.

    Returns:
        An equality for `RECALL_NEEDED`, cut to [0, 1]: `vacuous` says where retrieval always or never pays.

    Source:
        RETR-1.

    >>> round(recall_needed(0.4, 0.25, 0.9).value, 4)
    0.2308
    """
    r = float(break_even_recall(closed_book, without_gold, with_gold))
    reason = None
    if r <= 0:
        reason = "distractors already do no harm: retrieval pays at any recall"
    elif r > 1:
        reason = "the closed book beats even the gold passage: retrieval never pays"
    at = {"closed_book": closed_book, "without_gold": without_gold, "with_gold": with_gold}
    return exactly(RETR_1, RECALL_NEEDED, min(1.0, max(0.0, r)), at=at, vacuous=reason, parts={"break_even": r})


def accuracy_by_recall(recalls: Sequence[float], with_gold: float, without_gold: float) -> Shape:
    """Tell how accuracy grows with recall.

    Args:
        recalls: r, increasing, each in [0, 1].
        with_gold: a_rel, in [0, 1].
        without_gold: a_irr, in [0, 1].

    Returns:
        A shape of `ACCURACY` along `recall`.

    Source:
        RETR-1.

    >>> accuracy_by_recall([0.0, 1.0], 0.75, 0.25).points
    ((0.0, 0.25), (1.0, 0.75))
    """
    r = vector("recalls", recalls, "[0, 1]")
    good, bad = number("with_gold", with_gold, "[0, 1]"), number("without_gold", without_gold, "[0, 1]")
    values = np.atleast_1d(np.asarray(rag_accuracy(r, good, bad)))
    points = tuple(zip(r.tolist(), values.tolist(), strict=True))
    parameters = {"with_gold": good, "without_gold": bad, "slope": good - bad}
    return Shape(statement=RETR_1, quantity=ACCURACY, along="recall", points=points, parameters={**parameters})
