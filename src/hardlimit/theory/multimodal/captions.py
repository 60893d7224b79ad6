"""MM-6: what captions leave out, and what a shift of distribution can do."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import ACCURACY_SHIFT, CAPTION_INFORMATION
from hardlimit.theory.bounding import at_most, exactly
from hardlimit.theory.domain import Numbers, number, plain, vector, within
from hardlimit.theory.rates import binary_entropy
from hardlimit.theory.sources import derived, paper, textbook

MM_6 = Statement(
    id="MM-6",
    name="caption statistics and distribution shift",
    limit=Limit.MULTIMODAL,
    status=Status.CORRECTED,
    says=(
        "Captions mention an attribute with some probability if it is there. What they carry about it is a fraction "
        "of its entropy, and without false mentions only the product of presence and mention rate can be learned "
        "from any number of them. A shift of distribution changes accuracy by at most √(KL/2); no lower bound in KL "
        "exists."
    ),
    formula=(
        "I = h(π·r₁ + (1−π)·r₀) − π·h(r₁) − (1−π)·h(r₀) bits per caption\n"
        "P(present | not mentioned) = π(1−r₁)/(π(1−r₁) + (1−π)(1−r₀))\n"
        "|acc_P − acc_Q| ≤ TV ≤ √(KL/2);   σ-sub-Gaussian c: |E_P c − E_Q c| ≤ σ·√(2·KL)"
    ),
    hypotheses=(
        "attribute present with chance π; mentioned with chance r₁ if present, r₀ if absent",
        "KL in nats",
    ),
    sources=(
        derived("mutual information of a binary channel, Bayes' rule"),
        textbook("Pinsker; Donsker & Varadhan"),
        Source(title="Gordon & Van Durme, Reporting bias (2013)"),
        paper("semantic drift bound"),
    ),
    silent_on="A small shift can do nothing at all, and a large one too: the bounds are upper bounds only.",
    falsified_by="Two distributions whose accuracies differ by more than √(KL/2).",
    paper="The paper's 'drift ≥ √(D_KL)·σ' has the wrong direction (PAPER-DRIFT).",
    effects=(
        Effect(resource=Resource.DATA, verdict=Verdict.CANNOT_PROGRESS, when="more captions of the same kind"),
        Effect(resource=Resource.DATA, verdict=Verdict.HELPS, when="direct labels or dense captions"),
        Effect(resource=Resource.RESOLUTION, verdict=Verdict.CANNOT_PROGRESS, when="captions stay as they are"),
    ),
    worked="π = 0.3, r₁ = 0.2, r₀ = 0.01: a caption carries 0.081 of 0.881 bits; unmentioned means present in 26 %.",
)


def caption_information(present: ArrayLike, mentioned: ArrayLike, false_mention: ArrayLike = 0.0) -> Numbers:
    """Return the bits that one caption carries about an attribute.

    Args:
        present: π, chance that it is there, in [0, 1].
        mentioned: r₁, chance of a mention if it is there, in [0, 1].
        false_mention: r₀, chance of a mention if it is not, in [0, 1].

    Source:
        MM-6.

    >>> round(caption_information(0.3, 0.2, 0.01), 5)
    0.08149
    """
    pi, hit = within("present", present, "[0, 1]"), within("mentioned", mentioned, "[0, 1]")
    false = within("false_mention", false_mention, "[0, 1]")
    mixed = np.asarray(binary_entropy(np.clip(pi * hit + (1 - pi) * false, 0.0, 1.0)))
    given = pi * np.asarray(binary_entropy(hit)) + (1 - pi) * np.asarray(binary_entropy(false))
    return plain(np.maximum(0.0, mixed - given))


def present_if_unmentioned(present: ArrayLike, mentioned: ArrayLike, false_mention: ArrayLike = 0.0) -> Numbers:
    """Return the chance that an unmentioned attribute is there; arguments as `caption_information`.

    >>> round(present_if_unmentioned(0.3, 0.2, 0.01), 4)
    0.2572
    """
    pi, hit = within("present", present, "[0, 1]"), within("mentioned", mentioned, "[0, 1]")
    there = pi * (1 - hit)
    silent = there + (1 - pi) * (1 - within("false_mention", false_mention, "[0, 1]"))
    return plain(there / within("chance of no mention", silent, "(0, 1]"))


def present_if_mentioned(present: ArrayLike, mentioned: ArrayLike, false_mention: ArrayLike = 0.0) -> Numbers:
    """Return the chance that a mentioned attribute is there; arguments as `caption_information`.

    >>> round(present_if_mentioned(0.3, 0.2, 0.01), 4)
    0.8955
    """
    pi, hit = within("present", present, "[0, 1]"), within("mentioned", mentioned, "[0, 1]")
    there = pi * hit
    said = there + (1 - pi) * within("false_mention", false_mention, "[0, 1]")
    return plain(there / within("chance of a mention", said, "(0, 1]"))


def accuracy_shift(kl: ArrayLike) -> Numbers:
    """Return how far accuracy can move between two distributions, min(1, √(KL/2)).

    Args:
        kl: Kullback–Leibler divergence, nats, >= 0.

    Source:
        Pinsker's inequality.

    >>> round(accuracy_shift(0.02), 4)
    0.1
    """
    return plain(np.minimum(1.0, np.sqrt(within("kl", kl, "[0, ∞)") / 2)))


def mean_shift(kl: ArrayLike, sigma: ArrayLike = 1.0) -> Numbers:
    """Return how far the mean of a σ-sub-Gaussian functional can move, σ·√(2·KL).

    Source:
        Donsker & Varadhan.

    >>> round(mean_shift(0.02), 4)
    0.2
    """
    return plain(within("sigma", sigma, "[0, ∞)") * np.sqrt(2 * within("kl", kl, "[0, ∞)")))


def normal_divergence(mean: ArrayLike, variance: ArrayLike) -> Numbers:
    """Return KL(N(m, v) ‖ N(0, 1)) = (v + m² − 1 − ln v)/2 nats.

    >>> round(normal_divergence(0.0, 4.0), 4)
    0.8069
    """
    m, v = within("mean", mean, "(-∞, ∞)"), within("variance", variance, "(0, ∞)")
    return plain((v + m**2 - 1 - np.log(v)) / 2)


def caption_bits(present: float, mentioned: float, false_mention: float = 0.0) -> Bound:
    """Give the bits that one caption carries about an attribute; arguments as `caption_information`.

    Returns:
        An equality for `CAPTION_INFORMATION`; `parts` has the entropy and both posteriors where they exist.

    Source:
        MM-6.

    >>> round(caption_bits(0.3, 0.2, 0.01).parts["share_of_entropy"], 4)
    0.0925
    """
    pi, hit = number("present", present, "(0, 1)"), number("mentioned", mentioned, "[0, 1]")
    value = float(caption_information(pi, hit, false_mention))
    entropy = float(binary_entropy(pi))
    reason = "mentions do not depend on presence, so captions say nothing" if hit == false_mention else None
    at = {"present": pi, "mentioned": hit, "false_mention": false_mention}
    parts = {"entropy": entropy, "share_of_entropy": value / entropy}
    return exactly(MM_6, CAPTION_INFORMATION, value, at=at, vacuous=reason, parts=parts)


def shift_ceiling(kl: float) -> Bound:
    """Bound from above how far accuracy can move between two distributions.

    Args:
        kl: nats, >= 0.

    Returns:
        An upper bound on `ACCURACY_SHIFT`.

    Source:
        MM-6; Pinsker.

    >>> round(shift_ceiling(0.02).value, 4)
    0.1
    """
    return at_most(MM_6, ACCURACY_SHIFT, math.sqrt(number("kl", kl, "[0, ∞)") / 2), at={"kl": kl})


def information_by_mentions(mentioned: Sequence[float], present: float, false_mention: float = 0.0) -> Shape:
    """Tell how the bits per caption grow with the mention rate; arguments as `caption_information`.

    Returns:
        A shape of `CAPTION_INFORMATION` along `mention rate`.

    Source:
        MM-6.

    >>> information_by_mentions([0.0, 1.0], 0.5).points
    ((0.0, 0.0), (1.0, 1.0))
    """
    rates = vector("mentioned", mentioned, "[0, 1]")
    bits = np.atleast_1d(np.asarray(caption_information(present, rates, false_mention)))
    points = tuple(zip(rates.tolist(), bits.tolist(), strict=True))
    parameters = {"present": present, "false_mention": false_mention}
    return Shape(
        statement=MM_6,
        quantity=CAPTION_INFORMATION,
        along="mention rate",
        points=points,
        parameters={**parameters},
    )
