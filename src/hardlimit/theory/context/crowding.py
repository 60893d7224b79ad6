"""CTX-4: many random distractors crowd a needle out of softmax long before any of them outranks it.

Independent Gaussian logits are the random energy model of physics. Its log-sum-exp is ln N + σ²/2 while σ is below
√(2 ln N), where it freezes onto the largest few logits and becomes σ√(2 ln N).
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import NEEDLE_MARGIN, NEEDLE_SCORE
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import Numbers, number, plain, vector, whole, within
from hardlimit.theory.extremes import median_of_largest, typical_largest
from hardlimit.theory.sources import derived, paper

CTX_4 = Statement(
    id="CTX-4",
    name="crowding by random distractors, and freezing",
    limit=Limit.CONTEXT,
    status=Status.CORRECTED,
    says=(
        "Among N independent distractors a needle loses half of its attention as soon as its score equals their "
        "log-sum-exp, ln N + σ²/2. Being the largest score takes much less, σ·√(2 ln N). So long contexts first fail "
        "by crowding, not by ranking, and picking the top keys before attending closes the difference."
    ),
    formula=(
        "LSE ≈ ln N + σ²/2        if σ < √(2 ln N)\n"
        "LSE ≈ σ·√(2 ln N)        otherwise (frozen on the largest few)\n"
        "weight ½ at s* = LSE;  largest score with probability ½ at s* = σ·Φ⁻¹(2^(−1/N))\n"
        "soft − hard = (√ln N − σ/√2)² ≥ 0"
    ),
    hypotheses=(
        "distractor logits are independent and Gaussian with mean 0 and standard deviation σ nats",
        "N is large (at N = 10⁵ and σ below half of the critical value the error is under 0.1 %)",
    ),
    sources=(
        Source(title="Derrida, Random-energy model (1981)", locator="free energy and freezing"),
        derived("the comparison of soft and hard selection"),
        paper("Lemma 4"),
    ),
    silent_on=(
        "Real distractors are neither independent nor Gaussian: near-duplicates of the needle lower the effective N "
        "but make the tail heavier. Near and above the critical σ the formula converges slowly (5 % off at σ = 6, "
        "N = 10⁵)."
    ),
    falsified_by=(
        "Independent Gaussian logits with σ below half of √(2 ln N) whose log-sum-exp at N = 10⁵ is off by more than "
        "1 %."
    ),
    paper="The paper treats independent logits without constants; these are the constants.",
    effects=(
        Effect(resource=Resource.CONTEXT, verdict=Verdict.HURTS, when="each doubling raises the threshold by ln 2"),
        Effect(resource=Resource.MARGIN, verdict=Verdict.HELPS, when="nat for nat"),
        Effect(resource=Resource.RETRIEVAL, verdict=Verdict.HELPS, when="choosing keys before attending gains the gap"),
    ),
    worked="N = 10⁵, σ = 1: weight ½ needs a score of 12.01; being the largest with probability ½ only 4.35.",
    probe="context.needle",
)


def critical_sigma(keys: ArrayLike) -> Numbers:
    """Return the standard deviation at which softmax freezes, √(2 ln N).

    >>> round(critical_sigma(100_000), 4)
    4.7985
    """
    return typical_largest(within("keys", keys, "[2, ∞)"))


def regime(keys: float, sigma: float) -> Literal["crowded", "frozen"]:
    """Tell whether many distractors share the softmax sum (`crowded`) or the largest few hold it (`frozen`).

    >>> regime(100_000, 1.0), regime(100_000, 6.0)
    ('crowded', 'frozen')
    """
    return "crowded" if number("sigma", sigma, "[0, ∞)") < float(critical_sigma(keys)) else "frozen"


def soft_threshold(keys: ArrayLike, sigma: ArrayLike) -> Numbers:
    """Return the needle score at which it gets half of the softmax weight, to leading order.

    Args:
        keys: N, number of distractors, >= 2.
        sigma: standard deviation of their logits, nats, >= 0.

    Returns:
        Score above the distractors' mean, nats.

    Source:
        CTX-4; Derrida (1981).

    >>> round(soft_threshold(100_000, 1.0), 4)
    12.0129
    """
    n, s = within("keys", keys, "[2, ∞)"), within("sigma", sigma, "[0, ∞)")
    critical = np.asarray(typical_largest(n))
    return plain(np.where(s < critical, np.log(n) + s**2 / 2, s * critical))


def hard_threshold(keys: ArrayLike, sigma: ArrayLike) -> Numbers:
    """Return the needle score at which it is the largest of all with probability one half, exactly.

    Args:
        keys: N, number of distractors, >= 1.
        sigma: standard deviation of their logits, nats, >= 0.

    Returns:
        The median of the largest distractor, σ·Φ⁻¹(2^(−1/N)), nats above their mean.

    Source:
        CTX-4.

    >>> round(hard_threshold(100_000, 1.0), 4)
    4.346
    """
    n, s = within("keys", keys, "[1, ∞)"), within("sigma", sigma, "[0, ∞)")
    return plain(s * np.asarray(median_of_largest(n)))


def hard_threshold_asymptotic(keys: ArrayLike, sigma: ArrayLike) -> Numbers:
    """Return σ·√(2 ln N), to which `hard_threshold` tends (from below, slowly).

    >>> round(hard_threshold_asymptotic(100_000, 3.0), 4)
    14.3956
    """
    return plain(within("sigma", sigma, "[0, ∞)") * np.asarray(critical_sigma(keys)))


def crowding_gap(keys: ArrayLike, sigma: ArrayLike) -> Numbers:
    """Return what soft selection needs above hard selection, (√ln N − σ/√2)² below freezing and 0 above, nats.

    >>> round(crowding_gap(100_000, 1.0), 4)
    7.2144
    """
    return plain(np.asarray(soft_threshold(keys, sigma)) - np.asarray(hard_threshold_asymptotic(keys, sigma)))


def crowding_threshold(keys: int, sigma: float) -> Bound:
    """Give the score at which a needle among random distractors gets half of the attention.

    Args:
        keys: N, number of distractors, >= 2.
        sigma: standard deviation of their logits, nats, >= 0.

    Returns:
        An equality (to leading order in N) for `NEEDLE_SCORE`; `parts` has the hard threshold and the gap.

    Source:
        CTX-4.

    >>> bound = crowding_threshold(100_000, 3.0)
    >>> round(bound.value, 4), bound.parts["regime"]
    (16.0129, 'crowded')
    """
    n, s = whole("keys", keys, "[2, ∞)"), number("sigma", sigma, "[0, ∞)")
    return exactly(
        CTX_4,
        NEEDLE_SCORE,
        float(soft_threshold(n, s)),
        at={"keys": n, "sigma": s},
        parts={
            "regime": regime(n, s),
            "critical_sigma": float(critical_sigma(n)),
            "hard_threshold": float(hard_threshold(n, s)),
            "crowding_gap": float(crowding_gap(n, s)),
        },
    )


def crowded_margin(lengths: Sequence[float], score: float, sigma: float) -> Shape:
    """Tell how the margin s* − LSE of a fixed needle score falls as random distractors are added.

    Args:
        lengths: N, increasing, each >= 2.
        score: of the needle above the distractors' mean, nats.
        sigma: standard deviation of the distractors' logits, nats, >= 0.

    Returns:
        A shape of `NEEDLE_MARGIN` along `length`; `parameters` has the length at which the margin reaches 0.

    Source:
        CTX-4.

    >>> crowded_margin([1_000, 1_000_000], 12.0, 1.0).parameters["half_weight_length"]
    98715.77101076...
    """
    n = vector("lengths", lengths, "[2, ∞)")
    level, s = number("score", score, "(-∞, ∞)"), number("sigma", sigma, "[0, ∞)")
    margins = level - np.asarray(soft_threshold(n, s))
    # Below freezing ln N = score − σ²/2, above it ln N = (score/σ)²/2; they meet where score = σ².
    log_length = level - s**2 / 2 if level > s**2 else (level / s) ** 2 / 2 if s > 0 and level > 0 else 0.0
    parameters: dict[str, bool | int | float | str] = {"score": level, "sigma": s}
    if math.log(2) <= log_length < math.log(1e300):
        parameters["half_weight_length"] = math.exp(log_length)
    return Shape(
        statement=CTX_4,
        quantity=NEEDLE_MARGIN,
        along="length",
        points=tuple(zip(n.tolist(), margins.tolist(), strict=True)),
        parameters=parameters,
    )
