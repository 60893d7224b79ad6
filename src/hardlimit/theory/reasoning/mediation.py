"""REAS-6: whether a chain of thought does anything, and what it takes to see it.

|acc_r − acc_p| = |Σ (r − p)(c)·(acc(c) − acc_p)| ≤ max(1, κ − 1)·Σ p(c)·TV(P(A|c), P(A)) ≤ max(1, κ − 1)·√(I/2), by
Pinsker and Jensen.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, rel_entr

from hardlimit.core import Bound, Effect, InvalidValueError, Limit, Resource, Source, Statement, Status, Value, Verdict
from hardlimit.core.quantity import CHAIN_EFFECT
from hardlimit.theory.bounding import at_most
from hardlimit.theory.domain import Numbers, distribution, number, plain, within
from hardlimit.theory.sources import derived, paper, textbook

REAS_6 = Statement(
    id="REAS-6",
    name="causal weight of a chain of thought",
    limit=Limit.REASONING,
    status=Status.CORRECTED,
    says=(
        "That answers come with chains of thought does not tell whether the chains cause them: two models with the "
        "same answers can have a mediated effect of zero or of everything. Only interventions tell, and how much "
        "they can move the answer is bounded by the information between chain and answer."
    ),
    formula=(
        "|acc under r − acc under p| ≤ max(1, κ − 1)·√(I(A; C | Q)/2),   r ≤ κ·p\n"
        "an effect g needs I ≥ 2g² nats (κ ≤ 2)\n"
        "cases per arm = (z₀.₉₇₅ + z_power)²·(p₁(1 − p₁) + p₂(1 − p₂))/(p₁ − p₂)²"
    ),
    hypotheses=(
        "question → chain → answer and question → answer, nothing else",
        "the intervention r draws chains that the model could have written (r ≤ κ·p)",
    ),
    sources=(
        textbook("Pearl, mediation"),
        derived("proof in the module's docstring"),
        Source(title="Lanham et al. (2023)", url="arXiv:2307.13702"),
        paper("Eq. 28"),
    ),
    silent_on=(
        "Chains that the model would never write (κ infinite) tell nothing about its own. If the answer is inside "
        "the chain, swapping chains swaps answers trivially."
    ),
    falsified_by="A table P(C, A | Q) and an intervention whose effect exceeds the bound.",
    paper=(
        "The paper's equation is an identity. That the indirect effect is near 0 is an observation about tasks "
        "(PAPER-DISPOSABLE-CHAIN), and impossible in general for serial problems beyond one pass (REAS-3)."
    ),
    effects=(
        Effect(
            resource=Resource.INFERENCE_STEPS,
            verdict=Verdict.CANNOT_PROGRESS,
            when="the answer carries no information about the chain, I(A; C | Q) = 0",
        ),
    ),
    worked=(
        "I = 0.01 nats: no intervention moves accuracy by more than 7.1 points. To see 70 % against 65 %: 1,374 per "
        "arm."
    ),
)


class Mediation(Value, frozen=True):
    """How much of a chain's benefit goes through what it says.

    Args:
        total: accuracy with the own chain minus accuracy without any.
        mediated: accuracy with the own chain minus accuracy with a corrupted one.
        direct: accuracy with a corrupted chain minus accuracy without any.
    """

    total: float
    mediated: float
    direct: float


def mediation(own_chain: float, corrupted_chain: float, no_chain: float) -> Mediation:
    """Split the effect of a chain of thought into what goes through its content and the rest.

    Args:
        own_chain: accuracy with the model's own chain, in [0, 1].
        corrupted_chain: accuracy when the chain is corrupted, in [0, 1].
        no_chain: accuracy without a chain, in [0, 1].

    >>> mediation(0.75, 0.5, 0.25)
    Mediation(total=0.5, mediated=0.25, direct=0.25)
    """
    own, bad = number("own_chain", own_chain, "[0, 1]"), number("corrupted_chain", corrupted_chain, "[0, 1]")
    none = number("no_chain", no_chain, "[0, 1]")
    return Mediation(total=own - none, mediated=own - bad, direct=bad - none)


def chain_effect_bound(information: ArrayLike, kappa: ArrayLike = 2.0) -> Numbers:
    """Return how far an intervention on the chain can move accuracy, max(1, κ − 1)·√(I/2), at most 1.

    Args:
        information: I(A; C | Q), nats, >= 0.
        kappa: κ, how many times likelier the intervention makes any chain, >= 1.

    Source:
        REAS-6.

    >>> round(chain_effect_bound(0.01), 4)
    0.0707
    """
    i, k = within("information", information, "[0, ∞)"), within("kappa", kappa, "[1, ∞)")
    return plain(np.minimum(1.0, np.maximum(1.0, k - 1) * np.sqrt(i / 2)))


def information_needed(effect: ArrayLike, kappa: ArrayLike = 2.0) -> Numbers:
    """Return the information between chain and answer that an effect g needs, 2·(g/max(1, κ − 1))² nats.

    >>> round(information_needed(0.2), 4)
    0.08
    """
    g, k = within("effect", effect, "[0, 1]"), within("kappa", kappa, "[1, ∞)")
    return plain(2 * (g / np.maximum(1.0, k - 1)) ** 2)


def cases_per_arm(first: ArrayLike, second: ArrayLike, power: float = 0.8, level: float = 0.95) -> Numbers:
    """Return the cases per arm that show the difference of two accuracies.

    Args:
        first: p₁, in [0, 1].
        second: p₂, in [0, 1], another value.
        power: chance to see it, in (0, 1).
        level: of the two-sided test, in (0, 1).

    Source:
        Normal approximation of two binomials [textbook].

    >>> round(cases_per_arm(0.70, 0.65))
    1374
    """
    p1, p2 = within("first", first, "[0, 1]"), within("second", second, "[0, 1]")
    within("difference of first and second", np.abs(p1 - p2), "(0, 1]")
    z = ndtri((1 + number("level", level, "(0, 1)")) / 2) + ndtri(number("power", power, "(0, 1)"))
    return plain(z**2 * (p1 * (1 - p1) + p2 * (1 - p2)) / (p1 - p2) ** 2)


def chain_information(joint: ArrayLike) -> float:
    """Return I(A; C) in nats of a table of chains and answers (for one question).

    Args:
        joint: P(c, a), `(chains, answers)`, summing to 1.

    >>> round(chain_information([[0.5, 0.0], [0.0, 0.5]]), 4)
    0.6931
    """
    p = distribution("joint", joint)
    if p.ndim != 2:
        raise InvalidValueError(f"joint must be a table (chains, answers), got shape {p.shape}.")
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
    return max(0.0, float(rel_entr(p, independent).sum()))


def intervention_effect(joint: ArrayLike, intervention: ArrayLike, right: int) -> float:
    """Return how an intervention on the chain changes accuracy, acc_r − acc_p, for an explicit table.

    Args:
        joint: P(c, a), `(chains, answers)`, summing to 1, every chain possible.
        intervention: r(c), summing to 1.
        right: index of the right answer.

    >>> intervention_effect([[0.5, 0.0], [0.0, 0.5]], [0.0, 1.0], right=0)
    -0.5
    """
    p, r = distribution("joint", joint), distribution("intervention", intervention)
    chains = within("P(c)", p.sum(axis=1), "(0, 1]")
    accuracy = p[:, right] / chains
    return float((r - chains) @ accuracy)


def chain_effect_ceiling(information: float, kappa: float = 2.0) -> Bound:
    """Bound from above how far an intervention on the chain can move accuracy; arguments as `chain_effect_bound`.

    Returns:
        An upper bound on `CHAIN_EFFECT`.

    Source:
        REAS-6.

    >>> round(chain_effect_ceiling(0.01).value, 4)
    0.0707
    """
    i, k = number("information", information, "[0, ∞)"), number("kappa", kappa, "[1, ∞)")
    value = max(1.0, k - 1) * math.sqrt(i / 2)
    return at_most(REAS_6, CHAIN_EFFECT, value, at={"information": i, "kappa": k})
