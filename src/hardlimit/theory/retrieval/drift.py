"""RETR-5: how far a query drifts over several hops, and how often several retrievals all succeed."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Statement, Status, Verdict
from hardlimit.core.quantity import DRIFT_COSINE, RETRIEVAL_RECALL
from hardlimit.theory.bounding import OUTWARD, at_least
from hardlimit.theory.domain import Numbers, number, plain, vector, whole, within
from hardlimit.theory.sources import derived, paper

RETR_5 = Statement(
    id="RETR-5",
    name="semantic drift over hops",
    limit=Limit.RETRIEVAL,
    status=Status.PROVED,
    says=(
        "If each hop turns the query by an angle, then in the worst case angles add up, and in random directions "
        "cosines multiply. Recalls of several hops multiply if independent, and cannot together fall below one minus "
        "the sum of their misses."
    ),
    formula=(
        "worst case: cos(min(π, Σ θᵢ));   random directions: E[cos] = Π cos θᵢ, spread ~ 1/√d\n"
        "recall: Π rᵢ if independent, always ≥ max(0, 1 − Σ(1 − rᵢ))"
    ),
    hypotheses=("the turns are known; for the mean, their directions are independent and isotropic",),
    sources=(derived("spherical geometry and symmetry"), paper("semantic drift")),
    silent_on="Real rewrites drift in preferred directions, between the two cases.",
    falsified_by="A chain of turns whose cosine to the start is below the worst case.",
    paper="The paper speaks of semantic drift under a bounded budget without numbers.",
    effects=(Effect(resource=Resource.INFERENCE_STEPS, verdict=Verdict.HURTS, when="queries are not re-anchored"),),
    worked="Five hops of cosine 0.9: 0.590 on average, −0.632 at worst. Three recalls of 0.85: 0.614, at least 0.55.",
)


def mean_drift(cosines: ArrayLike) -> float:
    """Return the expected cosine to the start after turns in independent random directions, Π cos θᵢ.

    Args:
        cosines: cos θᵢ of the hops, each in [−1, 1].

    Source:
        RETR-5.

    >>> round(mean_drift([0.9] * 5), 5)
    0.59049
    """
    return float(np.prod(vector("cosines", cosines, "[-1, 1]")))


def worst_drift(cosines: ArrayLike) -> float:
    """Return the least possible cosine to the start, cos(min(π, Σ θᵢ)).

    >>> round(worst_drift([0.9] * 5), 4)
    -0.6322
    """
    return math.cos(min(math.pi, float(np.arccos(vector("cosines", cosines, "[-1, 1]")).sum())))


def hops_to_orthogonal(cosine: ArrayLike) -> Numbers:
    """Return after how many equal hops the query can be orthogonal to the start, (π/2)/θ.

    Args:
        cosine: cos θ of one hop, in [−1, 1).

    >>> round(hops_to_orthogonal(0.9), 2)
    3.48
    """
    return plain(math.pi / 2 / np.arccos(within("cosine", cosine, "[-1, 1)")))


def multi_hop_recall(recalls: ArrayLike) -> tuple[float, float]:
    """Return the recall of all hops together if they are independent, and the least it can be.

    Args:
        recalls: rᵢ, each in [0, 1].

    >>> product, least = multi_hop_recall([0.85] * 3)
    >>> round(product, 4), round(least, 4)
    (0.6141, 0.55)
    """
    r = vector("recalls", recalls, "[0, 1]")
    return float(np.prod(r)), max(0.0, 1 - float(np.sum(1 - r)))


def drift_floor(cosine: float, hops: int) -> Bound:
    """Bound from below the cosine to the original query after several equal hops.

    Args:
        cosine: cos θ of one hop, in [−1, 1].
        hops: >= 1.

    Returns:
        A lower bound on `DRIFT_COSINE`; `parts` has the mean for random directions.

    Source:
        RETR-5.

    >>> round(drift_floor(0.9, 5).value, 4)
    -0.6322
    """
    c, n = number("cosine", cosine, "[-1, 1]"), whole("hops", hops, "[1, 10000]")
    parts = {"mean_of_random_directions": mean_drift([c] * n)}
    if c < 1:
        parts["hops_to_orthogonal"] = float(hops_to_orthogonal(c))
    # A cosine is right to a few units of 2⁻⁵³ of one, not of itself: it is loosened by as much of one.
    worst = worst_drift([c] * n) - OUTWARD
    return at_least(RETR_5, DRIFT_COSINE, worst, at={"cosine": c, "hops": n}, parts=parts)


def recall_by_hops(hops: Sequence[int], recall: float) -> Shape:
    """Tell how the recall of all hops together falls with their number, if hops are independent.

    Args:
        hops: increasing, each >= 0.
        recall: of one hop, in [0, 1].

    Returns:
        A shape of `RETRIEVAL_RECALL` along `hops`.

    Source:
        RETR-5.

    >>> recall_by_hops([1, 2], 0.5).points
    ((1.0, 0.5), (2.0, 0.25))
    """
    n, r = vector("hops", hops, "[0, ∞)", whole=True), number("recall", recall, "[0, 1]")
    points = tuple((float(x), float(r**x)) for x in n)
    return Shape(statement=RETR_5, quantity=RETRIEVAL_RECALL, along="hops", points=points, parameters={"recall": r})
