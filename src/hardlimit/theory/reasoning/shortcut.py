"""REAS-4: a learner prefers the shortcut until data makes the real inference worth its description."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Statement, Status, Verdict
from hardlimit.core.quantity import CROSSOVER_TOKENS, LOSS_GAP
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import Numbers, number, plain, vector, within
from hardlimit.theory.rates import binary_entropy
from hardlimit.theory.sources import derived, paper, textbook

REAS_4 = Statement(
    id="REAS-4",
    name="pattern completion against inference",
    limit=Limit.REASONING,
    status=Status.CORRECTED,
    says=(
        "If only a small share of the tokens needs real inference, a shortcut loses almost nothing in average loss. "
        "A learner that minimises description length keeps the shortcut until enough such tokens were seen to pay "
        "for the longer description of the inference; then it switches."
    ),
    formula=(
        "gap per token = I(Y; X | S) = ρ·h(η) nats\nswitch at n* = ΔC / (ρ·h(η)),   h(η) = −η·ln η − (1 − η)·ln(1 − η)"
    ),
    hypotheses=(
        "a share ρ of the tokens needs inference; there the shortcut errs with chance η on a binary label",
        "the learner minimises code length of data plus model; ΔC nats is what the inference costs more",
    ),
    sources=(textbook("two-part codes, minimum description length"), derived("the crossing point"), paper("sec. 4")),
    silent_on=(
        "Gradient descent is not minimum description length and may prefer shortcuts more strongly: take n* as the "
        "least. With infinite data and capacity the true conditional wins whenever the gap is positive."
    ),
    falsified_by="Codes whose total lengths cross at another mean number of tokens than n*.",
    paper=(
        "'Likelihood favours pattern completion', without conditions, is false (PAPER-PATTERN-COMPLETION); this is "
        "what holds for finite data."
    ),
    effects=(
        Effect(resource=Resource.DATA, verdict=Verdict.HELPS, when="data dense in reasoning (it raises ρ)"),
        Effect(resource=Resource.DATA, verdict=Verdict.SATURATES, when="generic data"),
    ),
    worked="ρ = 10⁻⁴, η = 0.05, ΔC = 10⁶ bits: the switch needs 3.5·10¹⁰ tokens; the loss gap is 2·10⁻⁵ nats.",
)


def loss_gap(share: ArrayLike, shortcut_error: ArrayLike) -> Numbers:
    """Return the gap in average loss between inference and shortcut, ρ·h(η) nats per token.

    Args:
        share: ρ, share of tokens that need inference, in [0, 1].
        shortcut_error: η, error of the shortcut there, in [0, 1/2].

    >>> f"{loss_gap(1e-4, 0.05):.3g}"
    '1.99e-05'
    """
    entropy = np.asarray(binary_entropy(within("shortcut_error", shortcut_error, "[0, 0.5]"))) * math.log(2)
    return plain(within("share", share, "[0, 1]") * entropy)


def accuracy_gap(share: ArrayLike, shortcut_error: ArrayLike) -> Numbers:
    """Return the gap in accuracy over all tokens, ρ·η.

    >>> round(accuracy_gap(1e-4, 0.05), 9)
    5e-06
    """
    return plain(within("share", share, "[0, 1]") * within("shortcut_error", shortcut_error, "[0, 0.5]"))


def crossover_tokens(extra_nats: ArrayLike, share: ArrayLike, shortcut_error: ArrayLike) -> Numbers:
    """Return the tokens from which on inference is the shorter description, ΔC/(ρ·h(η)).

    Args:
        extra_nats: ΔC, extra description length of the inference, nats, >= 0.
        share: ρ, in (0, 1].
        shortcut_error: η, in (0, 1/2]; at 0 the shortcut is right and nothing ever crosses.

    Source:
        REAS-4.

    >>> f"{crossover_tokens(1e6 * math.log(2), 1e-4, 0.05):.3e}"
    '3.492e+10'
    """
    rho, eta = within("share", share, "(0, 1]"), within("shortcut_error", shortcut_error, "(0, 0.5]")
    return plain(within("extra_nats", extra_nats, "[0, ∞)") / np.asarray(loss_gap(rho, eta)))


def shortcut_crossover(extra_nats: float, share: float, shortcut_error: float) -> Bound:
    """Give the tokens at which a description-length learner leaves the shortcut; arguments as `crossover_tokens`.

    Returns:
        An equality for `CROSSOVER_TOKENS`; `parts` has the gaps that one would see in loss and accuracy.

    Source:
        REAS-4.

    >>> round(shortcut_crossover(200.0, 1.0, 0.1).value, 1)
    615.2
    """
    value = float(crossover_tokens(number("extra_nats", extra_nats, "[0, ∞)"), share, shortcut_error))
    at = {"extra_nats": extra_nats, "share": share, "shortcut_error": shortcut_error}
    parts = {"loss_gap": float(loss_gap(share, shortcut_error)), "accuracy_gap": share * shortcut_error}
    return exactly(REAS_4, CROSSOVER_TOKENS, value, at=at, parts=parts)


def loss_gap_by_share(shares: Sequence[float], shortcut_error: float) -> Shape:
    """Tell how visible inference is in the average loss as the share of tokens that need it grows.

    Args:
        shares: ρ, increasing, each in [0, 1].
        shortcut_error: η, in [0, 1/2].

    Returns:
        A shape of `LOSS_GAP` along `share`.

    Source:
        REAS-4.

    >>> [round(y, 4) for _, y in loss_gap_by_share([0.01, 0.1, 1.0], 0.5).points]
    [0.0069, 0.0693, 0.6931]
    """
    rho = vector("shares", shares, "[0, 1]")
    gaps = np.atleast_1d(np.asarray(loss_gap(rho, shortcut_error)))
    points = tuple(zip(rho.tolist(), gaps.tolist(), strict=True))
    return Shape(
        statement=REAS_4,
        quantity=LOSS_GAP,
        along="share",
        points=points,
        parameters={"shortcut_error": shortcut_error},
    )
