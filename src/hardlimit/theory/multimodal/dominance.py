"""MM-4: how text drowns images out, by number of tokens and by prior."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Statement, Status, Verdict
from hardlimit.core.quantity import LIKELIHOOD_RATIO, VISUAL_MASS
from hardlimit.theory.bounding import at_least, exactly
from hardlimit.theory.domain import Numbers, number, plain, vector, within
from hardlimit.theory.sources import derived, paper

MM_4 = Statement(
    id="MM-4",
    name="language dominance and the language prior",
    limit=Limit.MULTIMODAL,
    status=Status.CORRECTED,
    says=(
        "If text tokens get ρ times the attention of image tokens, the share left for the image is n_v/(n_v + "
        "n_t·ρ), and replacing the whole image moves the read by at most twice that. An encoder whose evidence never "
        "exceeds a likelihood ratio Λ cannot overturn a prior above Λ/(1 + Λ), however good the language model is."
    ),
    formula=(
        "w = n_v/(n_v + n_t·ρ);   |change of a head's output| ≤ 2R·max(w, w′)\n"
        "prior π₀ overturned  ⟺  likelihood ratio > π₀/(1 − π₀)"
    ),
    hypotheses=("one attention read, ρ the ratio of attention per token", "answers follow Bayes' rule"),
    sources=(derived("convexity of an average, Bayes' rule"), paper("VideoLLaMA-7B: ρ = 157")),
    silent_on=(
        "In deep models text tokens may already carry what the image said. Attention shares are not importance."
    ),
    falsified_by="A head whose output moves by more than the bound when the image is replaced.",
    paper=(
        "'Language gradients dominate' is a measurement (PAPER-TEXT-DOMINANCE); the factor 157 is per token and "
        "partly dilution."
    ),
    effects=(
        Effect(resource=Resource.PARAMETERS, verdict=Verdict.CANNOT_PROGRESS, when="at fixed Λ; sharper priors hurt"),
        Effect(resource=Resource.RESOLUTION, verdict=Verdict.SATURATES, when="more tokens, the same evidence each"),
        Effect(resource=Resource.DATA, verdict=Verdict.HELPS, when="counterfactual pairs, image swapped and text kept"),
    ),
    worked="576 image tokens, 100 text tokens, ρ = 157: image share 0.035. A prior of 0.97 needs evidence of 5 bits.",
)


def visual_mass(image_tokens: ArrayLike, text_tokens: ArrayLike, ratio: ArrayLike) -> Numbers:
    """Return the attention share of the image, n_v/(n_v + n_t·ρ).

    Args:
        image_tokens: n_v, >= 1.
        text_tokens: n_t, >= 0.
        ratio: ρ, attention of a text token over that of an image token, > 0.

    Source:
        MM-4.

    >>> round(visual_mass(576, 100, 157), 5)
    0.03539
    """
    n_v, n_t = within("image_tokens", image_tokens, "[1, ∞)"), within("text_tokens", text_tokens, "[0, ∞)")
    return plain(n_v / (n_v + n_t * within("ratio", ratio, "(0, ∞)")))


def image_influence(mass: ArrayLike, radius: ArrayLike = 1.0) -> Numbers:
    """Return how far replacing the whole image can move a head's output, 2·R·w.

    Args:
        mass: w, the larger of the image's shares before and after, in [0, 1].
        radius: R, length of the longest value vector, >= 0.

    >>> round(image_influence(visual_mass(576, 100, 157)), 5)
    0.07078
    """
    return plain(2 * within("radius", radius, "[0, ∞)") * within("mass", mass, "[0, 1]"))


def ratio_needed(prior: ArrayLike) -> Numbers:
    """Return the likelihood ratio that overturns a prior, π₀/(1 − π₀).

    >>> round(ratio_needed(0.97), 2)
    32.33
    """
    p = within("prior", prior, "[0, 1)")
    return plain(p / (1 - p))


def prior_overturned(ratio: ArrayLike) -> Numbers:
    """Return the largest prior that evidence of likelihood ratio Λ overturns, Λ/(1 + Λ).

    >>> round(prior_overturned(20.0), 4)
    0.9524
    """
    r = within("ratio", ratio, "[0, ∞)")
    return plain(r / (1 + r))


def atypical_posterior(prior: ArrayLike, ratio: ArrayLike) -> Numbers:
    """Return the posterior of the atypical answer, (1 − π₀)Λ/((1 − π₀)Λ + π₀).

    Args:
        prior: π₀ of the typical answer, in [0, 1].
        ratio: Λ, likelihood ratio for the atypical answer, > 0.

    >>> round(atypical_posterior(0.97, 20.0), 4)
    0.3822
    """
    p, r = within("prior", prior, "[0, 1]"), within("ratio", ratio, "(0, ∞)")
    return plain((1 - p) * r / ((1 - p) * r + p))


def image_share(image_tokens: int, text_tokens: int, ratio: float) -> Bound:
    """Give the attention share of the image; arguments as `visual_mass`.

    Returns:
        An equality for `VISUAL_MASS`; `parts` has the influence of the image and the share by number of tokens alone.

    Source:
        MM-4.

    >>> round(image_share(576, 100, 157).value, 5)
    0.03539
    """
    w = float(visual_mass(image_tokens, text_tokens, number("ratio", ratio, "(0, ∞)")))
    at = {"image_tokens": image_tokens, "text_tokens": text_tokens, "ratio": ratio}
    parts = {"influence": 2 * w, "share_by_count": float(visual_mass(image_tokens, text_tokens, 1.0))}
    return exactly(MM_4, VISUAL_MASS, w, at=at, parts=parts)


def evidence_floor(prior: float) -> Bound:
    """Bound from below the likelihood ratio of evidence that overturns a prior.

    Args:
        prior: π₀ of the typical answer, in [0, 1).

    Returns:
        A lower bound on `LIKELIHOOD_RATIO`; `parts` has it in bits.

    Source:
        MM-4.

    >>> round(evidence_floor(0.97).value, 2)
    32.33
    """
    ratio = float(ratio_needed(number("prior", prior, "[0, 1)")))
    parts = {"bits": math.log2(ratio)} if ratio > 0 else {}
    return at_least(MM_4, LIKELIHOOD_RATIO, ratio, at={"prior": prior}, parts=parts)


def image_share_by_text(text_tokens: Sequence[int], image_tokens: int, ratio: float) -> Shape:
    """Tell how the image's share falls as text is added; arguments as `visual_mass`.

    Returns:
        A shape of `VISUAL_MASS` along `text tokens`.

    Source:
        MM-4.

    >>> image_share_by_text([0, 100], 100, 1.0).points
    ((0.0, 1.0), (100.0, 0.5))
    """
    n = vector("text_tokens", text_tokens, "[0, ∞)", whole=True)
    share = np.atleast_1d(np.asarray(visual_mass(image_tokens, n, ratio)))
    points = tuple(zip(n.tolist(), share.tolist(), strict=True))
    parameters = {"image_tokens": image_tokens, "ratio": ratio}
    return Shape(statement=MM_4, quantity=VISUAL_MASS, along="text tokens", points=points, parameters={**parameters})
