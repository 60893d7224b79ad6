"""RETR-2: how many passages to put into the context, which, and in what order."""

import math
from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import rel_entr

from hardlimit.core import Bound, Effect, InvalidValueError, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import ACCURACY, PASSAGES
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import Floats, Numbers, distribution, number, plain, vector, whole, within
from hardlimit.theory.sources import derived, paper, textbook

RETR_2 = Statement(
    id="RETR-2",
    name="number, redundancy and order of passages",
    limit=Limit.RETRIEVAL,
    status=Status.CORRECTED,
    says=(
        "More passages never carry less information; what falls is the accuracy of a reader that each further "
        "passage distracts. So there is a best number of passages, and it does not depend on the window. Duplicates "
        "waste the budget, a greedy choice covers at least 63 % of the best, and likely passages belong where the "
        "reader reads well."
    ),
    formula=(
        "I(Y; D₁…D_k) never falls in k\n"
        "accuracy(k) = (1 − (1−p)ᵏ)·(1−δ)^(k−1):   k* = ln[ln y/(ln x + ln y)]/ln x,  x = 1−p, y = 1−δ\n"
        "c near-duplicates per facet: top k covers ⌈k/c⌉ facets;   greedy ≥ (1 − 1/e)·best\n"
        "best order: sorted with sorted, Σ a₍ᵢ₎·π₍ᵢ₎"
    ),
    hypotheses=(
        "each passage holds the answer with chance p, independently; each further one costs the reader a share δ",
        "for greedy: coverage is monotone and submodular, passages cost the same",
    ),
    sources=(
        derived("chain rule and calculus"),
        textbook("Nemhauser, Wolsey & Fisher (1978); Feige (1998)", "greedy coverage and its optimality"),
        textbook("Hardy, Littlewood & Pólya, Inequalities", "rearrangement"),
        Source(title="Liu et al. (2023), lost in the middle", url="arXiv:2307.03172"),
        paper("breadth and trade-off statements"),
    ),
    silent_on="Questions that need several passages at once need the recall of all of them, which this law has not.",
    falsified_by="A reader with fitted p and δ whose best number of passages is far from k*.",
    paper=(
        "'Mutual information decays with breadth' is false as worded (PAPER-BREADTH); 'cannot be optimised together' "
        "is a trade-off with a (1 − 1/e) algorithm, not an impossibility (PAPER-TRADE-OFF)."
    ),
    effects=(
        Effect(resource=Resource.DOCUMENTS, verdict=Verdict.HELPS, when="up to k*"),
        Effect(resource=Resource.DOCUMENTS, verdict=Verdict.HURTS, when="beyond k*"),
    ),
    worked="p = 0.3, δ = 0.03: best at 7 passages, accuracy 0.764; one passage gives 0.300, fifty 0.225.",
)


def reader_accuracy(passages: ArrayLike, hit: ArrayLike, distraction: ArrayLike) -> Numbers:
    """Return the accuracy with k passages, (1 − (1−p)ᵏ)·(1−δ)^(k−1).

    Args:
        passages: k, >= 1 (not only whole numbers).
        hit: p, chance that a passage holds the answer, in [0, 1].
        distraction: δ, share of the reader's accuracy that each further passage costs, in [0, 1].

    Source:
        RETR-2.

    >>> round(reader_accuracy(7, 0.3, 0.03), 4)
    0.7644
    """
    k, p = within("passages", passages, "[1, ∞)"), within("hit", hit, "[0, 1]")
    return plain((1 - (1 - p) ** k) * (1 - within("distraction", distraction, "[0, 1]")) ** (k - 1))


def optimal_passages(hit: ArrayLike, distraction: ArrayLike) -> Numbers:
    """Return the number of passages with the highest accuracy, as a real number, at least 1.

    Args:
        hit: p, in (0, 1).
        distraction: δ, in (0, 1); at 0 more passages always help.

    Source:
        RETR-2.

    >>> round(optimal_passages(0.3, 0.03), 3)
    7.128
    """
    log_x = np.log1p(-within("hit", hit, "(0, 1)"))
    log_y = np.log1p(-within("distraction", distraction, "(0, 1)"))
    return plain(np.maximum(1.0, np.log(log_y / (log_x + log_y)) / log_x))


def covered_facets(passages: int, copies: int) -> int:
    """Return how many facets the top k passages cover when every facet has c near-duplicates, ⌈k/c⌉.

    >>> covered_facets(20, 4)
    5
    """
    return -(-whole("passages", passages, "[0, ∞)") // whole("copies", copies, "[1, ∞)"))


def greedy_cover(sets: Sequence[AbstractSet[Hashable]], costs: ArrayLike, budget: float) -> tuple[int, ...]:
    """Choose passages that cover much within a budget: the best ratio of new facets to cost, again and again.

    Args:
        sets: facets of each passage.
        costs: tokens of each passage, > 0.
        budget: tokens, >= 0.

    Returns:
        Indices in the order of choice. With equal costs it covers at least (1 − 1/e) of the best choice; with
        unequal ones at least half of that, since the single best passage is taken where it covers more.

    Source:
        Nemhauser, Wolsey & Fisher (1978); Khuller, Moss & Naor (1999).

    >>> greedy_cover([{1, 2}, {2, 3, 4}, {1}], [1, 1, 1], 2)
    (1, 0)
    """
    price, left = vector("costs", costs, "(0, ∞)"), number("budget", budget, "[0, ∞)")
    if price.size != len(sets):
        raise InvalidValueError(f"costs must have one entry per set, got {price.size} for {len(sets)} sets.")
    covered: set[Hashable] = set()
    chosen: list[int] = []
    while True:
        gains = {
            i: len(set(s) - covered) / price[i] for i, s in enumerate(sets) if i not in chosen and price[i] <= left
        }
        best = max(gains, key=lambda i: gains[i], default=None)
        if best is None or gains[best] == 0:
            break
        chosen.append(best)
        covered |= set(sets[best])
        left -= float(price[best])
    affordable = [i for i in range(len(sets)) if price[i] <= budget]
    single = max(affordable, key=lambda i: len(sets[i]), default=None)
    return (single,) if single is not None and len(sets[single]) > len(covered) else tuple(chosen)


def best_order(profile: ArrayLike, ranks: ArrayLike) -> tuple[tuple[int, ...], float]:
    """Return where to put the passages of each rank so that likely ones stand where the reader reads well.

    Args:
        profile: accuracy of the reader at each position, each in [0, 1].
        ranks: chance that the gold passage has each retrieval rank, summing to at most 1.

    Returns:
        The position of each rank, and the accuracy, Σ of sorted times sorted.

    Source:
        RETR-2; the rearrangement inequality.

    >>> order, accuracy = best_order([0.75, 0.62, 0.55, 0.58, 0.70], [0.5, 0.2, 0.15, 0.1, 0.05])
    >>> order, round(accuracy, 4)
    ((0, 4, 1, 3, 2), 0.6935)
    """
    a, chance = vector("profile", profile, "[0, 1]"), vector("ranks", ranks, "[0, 1]")
    if a.size != chance.size:
        raise InvalidValueError(f"profile and ranks must be of one length, got {a.size} and {chance.size}.")
    positions = np.empty(a.size, dtype=np.int64)
    positions[np.argsort(-chance, kind="stable")] = np.argsort(-a, kind="stable")
    return tuple(positions.tolist()), float(chance @ a[positions])


def information_by_passages(joint: ArrayLike) -> Floats:
    """Return I(Y; D₁…D_k) in nats for k = 0…K of an explicit table; it never falls.

    Args:
        joint: P(y, d₁, …, d_K), one axis each, summing to 1.

    Source:
        Chain rule of mutual information.

    >>> information_by_passages([[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.5]]]).round(4).tolist()
    [0.0, 0.6931, 0.6931]
    """
    p = distribution("joint", joint)
    if p.ndim < 2:
        raise InvalidValueError(f"joint must have an axis for the answer and one per passage, got shape {p.shape}.")
    found = []
    for k in range(p.ndim):
        table = p.sum(axis=tuple(range(k + 1, p.ndim))).reshape(p.shape[0], -1)
        independent = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True)
        found.append(max(0.0, float(rel_entr(table, independent).sum())))
    return np.array(found)


def accuracy_by_passages(passages: Sequence[int], hit: float, distraction: float) -> Shape:
    """Tell how accuracy rises and falls with the number of passages; arguments as `reader_accuracy`.

    Returns:
        A shape of `ACCURACY` along `documents`.

    Source:
        RETR-2.

    >>> [round(y, 3) for _, y in accuracy_by_passages([1, 7, 50], 0.3, 0.03).points]
    [0.3, 0.764, 0.225]
    """
    k = vector("passages", passages, "[1, ∞)", whole=True)
    values = np.atleast_1d(np.asarray(reader_accuracy(k, hit, distraction)))
    points = tuple(zip(k.tolist(), values.tolist(), strict=True))
    parameters = {"hit": hit, "distraction": distraction}
    return Shape(statement=RETR_2, quantity=ACCURACY, along="documents", points=points, parameters={**parameters})


def passage_budget(hit: float, distraction: float) -> Bound:
    """Give the number of passages with the highest accuracy; arguments as `optimal_passages`.

    Returns:
        An equality for `PASSAGES`: the better of the two whole numbers around k*.

    Source:
        RETR-2.

    >>> passage_budget(0.3, 0.03).value
    7.0
    """
    real = float(optimal_passages(hit, distraction))
    near = (max(1, math.floor(real)), math.ceil(real))
    best = max(near, key=lambda k: float(reader_accuracy(k, hit, distraction)))
    parts = {"optimum": real, "accuracy": float(reader_accuracy(best, hit, distraction))}
    return exactly(RETR_2, PASSAGES, best, at={"hit": hit, "distraction": distraction}, parts=parts)
