"""MM-1 and MM-2: nothing behind a frozen encoder can be more accurate than what the encoder keeps."""

import math

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Source, Statement, Status, Verdict
from hardlimit.core.quantity import ACCURACY, ERROR_RATE
from hardlimit.theory.bounding import at_least, at_most
from hardlimit.theory.domain import Numbers, distribution, number, plain, whole, within
from hardlimit.theory.rates import error_at_rate
from hardlimit.theory.sources import COVER_THOMAS, paper, textbook

MM_1 = Statement(
    id="MM-1",
    name="frozen encoder: information ceiling",
    limit=Limit.MULTIMODAL,
    status=Status.PROVED,
    says=(
        "A language model that sees an image only through an encoder's output cannot answer more questions right "
        "than the information in that output allows, however large it is. With K possible outputs it can tell at "
        "most K of M equally likely classes apart."
    ),
    formula=(
        "Y → X → Z → Ŷ,  M equally likely classes, I(Y; Z) ≤ I bits:   accuracy ≤ 1 − R_M⁻¹(I)   (weak: (I + 1)/log₂ "
        "M)\nK possible outputs: accuracy ≤ min(1, K/M);   T tokens from a codebook of K: I ≤ T·log₂ K"
    ),
    hypotheses=(
        "classes are equally likely (else use their entropy)",
        "the answer depends on the image through Z alone",
    ),
    sources=(COVER_THOMAS, paper("information bottleneck")),
    silent_on=(
        "Continuous features have no finite number of bits: counting dimensions times bits says nothing. Use "
        "measured information, or collisions (MM-2)."
    ),
    falsified_by="A readout of the encoder's output with held-out accuracy above the ceiling.",
    paper="The paper says it in words; this is the number.",
    effects=(
        Effect(resource=Resource.PARAMETERS, verdict=Verdict.CANNOT_PROGRESS, when="of the language model"),
        Effect(resource=Resource.DATA, verdict=Verdict.CANNOT_PROGRESS, when="the encoder stays frozen"),
        Effect(resource=Resource.RESOLUTION, verdict=Verdict.HELPS, when="the encoder keeps more"),
    ),
    worked="5 bits about 1,000 classes: accuracy at most 0.599. 256 tokens of 8,192 codes: at most 555 characters.",
)

MM_2 = Statement(
    id="MM-2",
    name="encoder collisions",
    limit=Limit.MULTIMODAL,
    status=Status.PROVED,
    says=(
        "Inputs that the encoder maps to one code and that need different answers cost half of their mass in errors, "
        "whatever reads the code. The best possible accuracy is the sum over codes of the likeliest answer, and the "
        "error of a nearest neighbour bounds it."
    ),
    formula=(
        "accuracy* = Σ_z max_y p(z, y);   balanced colliding pairs of total mass w: error ≥ w/2\n"
        "from 1-NN error (many samples, M classes): e* ≥ (M−1)/M·(1 − √(1 − M·e_NN/(M−1)))"
    ),
    hypotheses=("the answer depends on the code alone", "for 1-NN: its error is the limit for many samples"),
    sources=(
        textbook("Bayes' rule"),
        Source(title="Cover & Hart, Nearest neighbor pattern classification (1967)"),
        Source(title="Tong et al., CLIP-blind pairs (2024)", url="arXiv:2401.06209"),
    ),
    silent_on=(
        "The ceiling of a table of counts on the same sample is too high (pure noise looks like 0.7 of 0.5): use "
        "held-out data. Finite-sample 1-NN error is not its limit."
    ),
    falsified_by="A readout that beats the Bayes ceiling of the true table on held-out data.",
    paper="The paper does not state it.",
    effects=(
        Effect(resource=Resource.PARAMETERS, verdict=Verdict.CANNOT_PROGRESS, when="of the language model"),
        Effect(resource=Resource.DATA, verdict=Verdict.CANNOT_PROGRESS, when="the encoder stays frozen"),
        Effect(resource=Resource.RESOLUTION, verdict=Verdict.HELPS, when="it separates the colliding inputs"),
    ),
    worked=(
        "12 % of the inputs in colliding pairs: error at least 6 %. 1-NN error 0.2, 10 classes: Bayes error ≥ 0.106."
    ),
)


def encoder_ceiling(bits: ArrayLike, classes: ArrayLike) -> Numbers:
    """Return the highest accuracy on M equally likely classes with I bits about them, 1 − R_M⁻¹(I).

    Args:
        bits: I, mutual information of class and code, >= 0.
        classes: M, >= 2.

    Source:
        MM-1; rate–distortion as in HALL-3.

    >>> round(encoder_ceiling(5.0, 1000), 4)
    0.5991
    """
    return plain(1 - np.asarray(error_at_rate(bits, classes)))


def fano_ceiling(bits: ArrayLike, classes: ArrayLike) -> Numbers:
    """Return the weak form (I + 1)/log₂ M, at most 1.

    >>> round(fano_ceiling(5.0, 1000), 4)
    0.6021
    """
    i, m = within("bits", bits, "[0, ∞)"), within("classes", classes, "[2, ∞)")
    return plain(np.minimum(1.0, (i + 1) / np.log2(m)))


def code_ceiling(codes: ArrayLike, classes: ArrayLike) -> Numbers:
    """Return the highest accuracy on M equally likely classes through K possible codes, min(1, K/M).

    >>> code_ceiling(32, 1000)
    0.032
    """
    return plain(np.minimum(1.0, within("codes", codes, "[1, ∞)") / within("classes", classes, "[1, ∞)")))


def codebook_bits(tokens: ArrayLike, codes: ArrayLike) -> Numbers:
    """Return the most bits that T tokens from a codebook of K hold, T·log₂ K.

    >>> codebook_bits(256, 8192)
    3328.0
    """
    return plain(within("tokens", tokens, "[0, ∞)") * np.log2(within("codes", codes, "[1, ∞)")))


def most_characters(bits: ArrayLike, alphabet: ArrayLike) -> Numbers:
    """Return the most random characters that can be read from so many bits, I/log₂(alphabet).

    >>> round(most_characters(3328, 64), 1)
    554.7
    """
    return plain(within("bits", bits, "[0, ∞)") / np.log2(within("alphabet", alphabet, "[2, ∞)")))


def patches(pixels: ArrayLike, patch: ArrayLike) -> Numbers:
    """Return the number of patches of a square image, ⌊side/patch⌋².

    >>> patches(336, 14), patches(672, 14)
    (576.0, 2304.0)
    """
    side = np.floor(within("pixels", pixels, "[1, ∞)") / within("patch", patch, "[1, ∞)"))
    return plain(side**2)


def bayes_ceiling(joint: ArrayLike) -> float:
    """Return the highest accuracy of any readout of a code, Σ_z max_y p(z, y).

    Args:
        joint: p(z, y), `(codes, answers)`, summing to 1.

    Source:
        MM-2.

    >>> round(bayes_ceiling([[0.25, 0.25, 0.0], [0.0, 0.2, 0.3]]), 2)
    0.55
    """
    return float(np.atleast_2d(distribution("joint", joint)).max(axis=1).sum())


def collision_floor(mass: ArrayLike) -> Numbers:
    """Return the least error from balanced colliding pairs of total mass w, w/2.

    >>> collision_floor(0.12)
    0.06
    """
    return plain(within("mass", mass, "[0, 1]") / 2)


def nearest_neighbour_floor(error: ArrayLike, classes: ArrayLike) -> Numbers:
    """Return the least Bayes error that a 1-NN error allows, (M−1)/M·(1 − √(1 − M·e/(M−1))).

    Args:
        error: e_NN, limit of the 1-NN error for many samples, in [0, (M−1)/M].
        classes: M, >= 2.

    Source:
        Cover & Hart (1967).

    >>> round(nearest_neighbour_floor(0.2, 10), 4)
    0.1063
    """
    m = within("classes", classes, "[2, ∞)")
    chance = (m - 1) / m
    inside = within("error·M/(M−1)", within("error", error, "[0, 1]") / chance, "[0, 1]")
    return plain(chance * inside / (1 + np.sqrt(1 - inside)))


def information_ceiling(bits: float, classes: int) -> Bound:
    """Bound from above the accuracy behind a frozen encoder; arguments as `encoder_ceiling`.

    Returns:
        An upper bound on `ACCURACY`; `parts` has the weak Fano form.

    Source:
        MM-1.

    >>> round(information_ceiling(5.0, 1000).value, 4)
    0.5991
    """
    value = float(encoder_ceiling(number("bits", bits, "[0, ∞)"), whole("classes", classes, "[2, ∞)")))
    parts = {"fano": float(fano_ceiling(bits, classes)), "needed_bits": math.log2(classes)}
    return at_most(MM_1, ACCURACY, value, at={"bits": bits, "classes": classes}, parts=parts)


def collision_error(mass: float) -> Bound:
    """Bound from below the error that balanced colliding pairs cost.

    Args:
        mass: w, share of inputs in pairs with equal codes and different answers, in [0, 1].

    Returns:
        A lower bound on `ERROR_RATE`.

    Source:
        MM-2.

    >>> round(collision_error(0.12).value, 4)
    0.06
    """
    return at_least(MM_2, ERROR_RATE, number("mass", mass, "[0, 1]") / 2, at={"mass": mass})


def bayes_accuracy(joint: ArrayLike) -> Bound:
    """Bound from above the accuracy of any readout of a code with a known table.

    Args:
        joint: p(z, y), `(codes, answers)`, summing to 1.

    Returns:
        An upper bound on `ACCURACY`.

    Source:
        MM-2.

    >>> round(bayes_accuracy([[0.5, 0.1], [0.0, 0.4]]).value, 2)
    0.9
    """
    codes, answers = np.atleast_2d(np.asarray(joint)).shape
    return at_most(MM_2, ACCURACY, bayes_ceiling(joint), at={"answers": answers, "codes": codes})
