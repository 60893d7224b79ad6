"""MM-3: what a contrastive batch can certify, and the modality gap as a direction that its loss does not see."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from hardlimit.core import Bound, Effect, InvalidValueError, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import CERTIFIED_INFORMATION
from hardlimit.theory.bounding import at_most
from hardlimit.theory.domain import Floats, Numbers, number, plain, vector, whole, within
from hardlimit.theory.sources import derived

MM_3 = Statement(
    id="MM-3",
    name="contrastive ceilings and the modality gap",
    limit=Limit.MULTIMODAL,
    status=Status.PROVED,
    says=(
        "A contrastive loss over K candidates can certify at most ln K nats of shared information, whatever the "
        "data. And it does not change when one modality is shifted along a direction in which the other does not "
        "vary: the gap between modalities is not penalised."
    ),
    formula=(
        "ln K − loss ≤ min(I(X; Y), ln K);   certificates from N samples are O(ln N)\n"
        "loss(X, T + g) = loss(X, T)   if g ⊥ (xᵢ − xⱼ) for all i, j"
    ),
    hypotheses=(
        "InfoNCE with one positive among K candidates",
        "invariance: the symmetric loss, inner products of unnormalised vectors",
    ),
    sources=(
        Source(title="Poole et al., Variational bounds of mutual information (2019)"),
        Source(title="McAllester & Stratos, Formal limitations (2020)"),
        Source(title="Liang et al. (2022), modality gap", url="arXiv:2203.02053"),
        derived("the invariance"),
    ),
    silent_on=(
        "Normalising embeddings changes the invariance. The ceiling is about what is certified, not what is learned."
    ),
    falsified_by="An InfoNCE estimate above ln K, or a loss that changes under an orthogonal shift.",
    paper="The paper's drift bound goes the wrong way (PAPER-DRIFT).",
    effects=(
        Effect(resource=Resource.DATA, verdict=Verdict.SATURATES, when="at a fixed batch"),
        Effect(resource=Resource.BATCH, verdict=Verdict.HELPS, when="as ln K"),
    ),
    worked="A batch of 32,768 certifies at most 10.4 nats (15 bits); 20 bits take 1,048,576 candidates.",
)


def infonce_cap(candidates: ArrayLike) -> Numbers:
    """Return the most information that K candidates can certify, ln K nats.

    >>> round(infonce_cap(32768), 4)
    10.3972
    """
    return plain(np.log(within("candidates", candidates, "[1, ∞)")))


def batch_needed(bits: ArrayLike) -> Numbers:
    """Return the candidates that certifying so many bits takes, 2^bits.

    >>> batch_needed(20)
    1048576.0
    """
    return plain(np.exp2(within("bits", bits, "[0, 1000]")))


def infonce_loss(scores: ArrayLike) -> float:
    """Return the InfoNCE loss of a square table of scores, positives on the diagonal, in nats.

    Args:
        scores: `(K, K)`, score of item i with candidate j.

    Source:
        Poole et al. (2019).

    >>> round(infonce_loss([[0.0, 0.0], [0.0, 0.0]]), 4)
    0.6931
    """
    s = within("scores", scores, "(-∞, ∞)")
    if s.ndim != 2 or s.shape[0] != s.shape[1]:
        raise InvalidValueError(f"scores must be a square table, got shape {s.shape}.")
    return float(np.mean(logsumexp(s, axis=1) - np.diagonal(s)))


def symmetric_loss(scores: ArrayLike) -> float:
    """Return the mean of the InfoNCE losses over candidates and over items, as CLIP is trained.

    Args:
        scores: `(K, K)`, score of item i with candidate j.

    >>> round(symmetric_loss([[1.0, 0.0], [1.0, 0.0]]), 4)
    0.7532
    """
    return (infonce_loss(scores) + infonce_loss(np.asarray(scores).T)) / 2


def gap_changes(first: ArrayLike, second: ArrayLike, shift: ArrayLike) -> tuple[float, float]:
    """Return the symmetric InfoNCE loss of two modalities before and after one of them is shifted.

    Args:
        first: `(K, d)` embeddings of one modality.
        second: `(K, d)` embeddings of the other.
        shift: g, added to every row of `second`.

    Returns:
        Both losses, equal if g is orthogonal to all differences of rows of `first`.

    Source:
        MM-3.

    >>> before, after = gap_changes([[1, 0], [-1, 0]], [[1, 0], [-1, 0]], [0, 7])
    >>> before == after
    True
    """
    x, t, g = (within(name, v, "(-∞, ∞)") for name, v in (("first", first), ("second", second), ("shift", shift)))
    if x.ndim != 2 or x.shape != t.shape or g.shape != x.shape[1:]:
        raise InvalidValueError(
            f"first and second must be tables of one shape and shift one row of it, got {x.shape}, {t.shape} and "
            f"{g.shape}."
        )
    return symmetric_loss(x @ t.T), symmetric_loss(x @ (t + g).T)


def orthogonal_shift(first: ArrayLike, size: float) -> Floats:
    """Return a shift of given length along which the rows of a table vary least (not at all, if there is such).

    Args:
        first: `(K, d)` embeddings.
        size: length of the shift, >= 0.

    >>> np.abs(orthogonal_shift([[1.0, 5.0], [-1.0, 5.0]], 7.0)).tolist()
    [0.0, 7.0]
    """
    x = within("first", first, "(-∞, ∞)")
    _, _, directions = np.linalg.svd(x - x.mean(axis=0), full_matrices=True)
    return np.asarray(number("size", size, "[0, ∞)") * directions[-1])


def certified_information(candidates: int, information: float | None = None) -> Bound:
    """Bound from above the information that an InfoNCE estimate with K candidates can report.

    Args:
        candidates: K, >= 1.
        information: I(X; Y) in nats where it is known, >= 0.

    Returns:
        An upper bound on `CERTIFIED_INFORMATION`, nats: ln K, or I where that is less.

    Source:
        MM-3.

    >>> round(certified_information(4096, 20 * math.log(2)).value / math.log(2), 4)
    12.0
    """
    cap = float(infonce_cap(whole("candidates", candidates, "[1, ∞)")))
    at: dict[str, bool | int | float | str] = {"candidates": candidates}
    if information is not None:
        at["information"] = number("information", information, "[0, ∞)")
        cap = min(cap, information)
    return at_most(MM_3, CERTIFIED_INFORMATION, cap, at=at, parts={"bits": cap / math.log(2)})


def certified_by_batch(candidates: Sequence[int], information: float) -> Shape:
    """Tell how the most that can be certified grows with the batch, min(I, ln K).

    Args:
        candidates: K, increasing, each >= 1.
        information: I, nats, >= 0.

    Returns:
        A shape of `CERTIFIED_INFORMATION` along `candidates`.

    Source:
        MM-3.

    >>> [round(y, 3) for _, y in certified_by_batch([16, 256], 3.0).points]
    [2.773, 3.0]
    """
    k, most = vector("candidates", candidates, "[1, ∞)", whole=True), number("information", information, "[0, ∞)")
    caps = np.minimum(most, np.asarray(infonce_cap(k)))
    points = tuple(zip(k.tolist(), np.atleast_1d(caps).tolist(), strict=True))
    parameters = {"information": most}
    return Shape(
        statement=MM_3, quantity=CERTIFIED_INFORMATION, along="candidates", points=points, parameters={**parameters}
    )
