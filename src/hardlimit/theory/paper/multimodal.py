"""The paper on multimodal models, where it does not hold as said."""

import math

import numpy as np

from hardlimit.core import Bound, Claim, Impossibility, Limit, Statement, Status
from hardlimit.core.quantity import VISUAL_MASS
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import number, whole
from hardlimit.theory.entry import Check, Entry, agrees, as_bound, as_impossibility
from hardlimit.theory.multimodal.captions import normal_divergence
from hardlimit.theory.multimodal.dominance import visual_mass
from hardlimit.theory.multimodal.gradients import ScalingTerms, effective_exponent
from hardlimit.theory.sources import derived, paper

PAPER_DRIFT = Statement(
    id="PAPER-DRIFT",
    name="semantic drift is at least √KL",
    limit=Limit.MULTIMODAL,
    status=Status.REFUTED,
    says="The semantic drift between two modalities is at least the root of their divergence times the spread.",
    formula="|E_P c − E_Q c| ≥ √(D_KL)·σ        (it is at most σ·√(2·KL); no lower bound exists)",
    hypotheses=(),
    sources=(paper("semantic drift bound"), derived("two normal laws with one mean")),
    silent_on="As an upper bound, with a factor √2, it is right for sub-Gaussian functionals (MM-6).",
    falsified_by="Refuted by two laws with large divergence and equal means.",
    paper="The inequality has the wrong direction.",
    worked="N(0, 4) against N(0, 1): divergence 0.807 nats, drift of the mean exactly 0.",
)

PAPER_ALPHA_EFF = Statement(
    id="PAPER-ALPHA-EFF",
    name="the effective exponent lies between those of the modalities",
    limit=Limit.MULTIMODAL,
    status=Status.REFUTED,
    says=(
        "With several modalities, an irreducible loss and interactions, the local scaling exponent lies in [min, max]."
    ),
    formula="α_eff ∈ [min(a, b), max(a, b)]        (only without a floor; with E > 0 it tends to 0)",
    hypotheses=(),
    sources=(paper("multimodal scaling proposition"), derived("derivative of the sum")),
    silent_on="For two power laws alone it is right (MM-5).",
    falsified_by="Refuted by two power laws and a floor.",
    paper="It fails as soon as the paper's own irreducible term is added.",
    worked="Exponents 0.3 and 0.1, floor 0.05: the local exponent at 10⁹ is 0.040.",
)

PAPER_TEXT_DOMINANCE = Statement(
    id="PAPER-TEXT-DOMINANCE",
    name="text gets 157 times the attention",
    limit=Limit.MULTIMODAL,
    status=Status.EMPIRICAL,
    says="In VideoLLaMA-7B a text token gets 157 times the attention of a visual token, so language dominates.",
    formula="ρ = 157 per token        (a measurement; the image's share is n_v/(n_v + n_t·ρ))",
    hypotheses=("measured on one model, per token",),
    sources=(paper("attention figures"), derived("the share")),
    silent_on="Per token it is partly dilution: there are many more visual tokens. Attention is not importance.",
    falsified_by="The same measurement on the same model with another result.",
    paper="A measurement, not a theorem. MM-4 has what a given ratio implies.",
    worked=(
        "576 visual and 100 text tokens at ρ = 157: the image gets 3.5 % of the attention, against 85 % by number."
    ),
)


def still_mean(variance: float = 4.0) -> Impossibility:
    """Show two laws that differ as much as one likes while the mean does not move.

    Args:
        variance: of the first, > 0 and not 1; the second is N(0, 1), both have mean 0.

    Source:
        PAPER-DRIFT; MM-6.

    >>> round(still_mean().witness["claimed_drift"], 4)
    0.8982
    """
    v = number("variance", variance, "(0, ∞)")
    kl = float(normal_divergence(0.0, v))
    return Impossibility(
        statement=PAPER_DRIFT,
        at={"variance": v},
        witness={"divergence": kl, "claimed_drift": math.sqrt(kl), "drift": 0.0},
    )


def floored_exponent(scale: float = 1e9, terms: ScalingTerms | None = None) -> Impossibility:
    """Show a local exponent below both exponents.

    Args:
        scale: N, > 0.
        terms: the loss, with a floor; the worked example where None.

    Source:
        PAPER-ALPHA-EFF; MM-5.

    >>> round(floored_exponent().witness["local_exponent"], 4)
    0.0404
    """
    loss = terms or ScalingTerms(first=1.0, first_exponent=0.3, second=0.2, second_exponent=0.1, floor=0.05)
    return Impossibility(
        statement=PAPER_ALPHA_EFF,
        at={"scale": scale, **{name: getattr(loss, name) for name in loss.__struct_fields__}},
        witness={
            "local_exponent": float(effective_exponent(scale, loss)),
            "smaller_exponent": min(loss.first_exponent, loss.second_exponent),
        },
    )


def text_dominance(image_tokens: int = 576, text_tokens: int = 100, ratio: float = 157.0) -> Bound:
    """Give the image's share of the attention at the measured ratio; arguments as `visual_mass`.

    Source:
        PAPER-TEXT-DOMINANCE; MM-4.

    >>> round(text_dominance().parts["share_by_count"], 2)
    0.85
    """
    at = {"image_tokens": image_tokens, "text_tokens": text_tokens, "ratio": ratio}
    parts = {"share_by_count": float(visual_mass(image_tokens, text_tokens, 1.0))}
    value = float(visual_mass(image_tokens, text_tokens, ratio))
    return exactly(PAPER_TEXT_DOMINANCE, VISUAL_MASS, value, at=at, parts=parts)


def _integrate_laws(claim: Claim) -> Check:
    """Integrate divergence and means of the two laws."""
    found = as_impossibility(claim)
    sigma = math.sqrt(float(found.at["variance"]))
    x = np.linspace(-40 * sigma, 40 * sigma, 400_001)
    log_p, log_q = -((x / sigma) ** 2) / 2 - math.log(sigma), -(x**2) / 2
    p, step = np.exp(log_p) / math.sqrt(2 * math.pi), x[1] - x[0]
    kl = float(np.sum(p * (log_p - log_q)) * step)
    drift = abs(float(np.sum(p * x) * step))
    holds = math.isclose(kl, float(found.witness["divergence"]), rel_tol=1e-6)
    holds = holds and math.isclose(math.sqrt(kl), float(found.witness["claimed_drift"]), rel_tol=1e-6)
    holds = holds and abs(drift - float(found.witness["drift"])) < 1e-9 < math.sqrt(kl)
    return Check(holds=holds, says="divergence and means integrated", seen={"divergence": kl, "drift": drift})


def _differentiate(claim: Claim) -> Check:
    """Differentiate the loss numerically."""
    found = as_impossibility(claim)
    at = {name: float(value) for name, value in found.at.items()}

    def log_loss(log_scale: float) -> float:
        n = math.exp(log_scale)
        one = at["first"] * n ** -at["first_exponent"]
        return math.log(at["floor"] + one + at["second"] * n ** -at["second_exponent"])

    here, h = math.log(at["scale"]), 1e-4
    slope = -(log_loss(here + h) - log_loss(here - h)) / (2 * h)
    smaller = min(at["first_exponent"], at["second_exponent"])
    holds = math.isclose(slope, float(found.witness["local_exponent"]), rel_tol=1e-5) and slope < smaller
    holds = holds and smaller == found.witness["smaller_exponent"]
    return Check(holds=holds, says="the loss differentiated numerically", seen={"local_exponent": slope})


def _share_row(claim: Claim) -> Check:
    """Add up the weights of one attention row."""
    at = as_bound(claim).at
    row = [1.0] * int(at["image_tokens"]) + [float(at["ratio"])] * whole(
        "text_tokens", int(at["text_tokens"]), "[0, ∞)"
    )
    return agrees(claim, sum(row[: int(at["image_tokens"])]) / sum(row), 1e-9, "one attention row added up")


ENTRIES = (
    Entry(statement=PAPER_DRIFT, example=still_mean, confront=_integrate_laws),
    Entry(statement=PAPER_ALPHA_EFF, example=floored_exponent, confront=_differentiate),
    Entry(statement=PAPER_TEXT_DOMINANCE, example=text_dominance, confront=_share_row),
)
