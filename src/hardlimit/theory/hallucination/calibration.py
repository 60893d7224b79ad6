"""HALL-6: a calibrated generator of facts must make some up, about as many as the facts it saw only once."""

import math

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Source, Statement, Status, Verdict
from hardlimit.core.quantity import HALLUCINATION_RATE
from hardlimit.theory.bounding import at_least, sum_below
from hardlimit.theory.domain import Numbers, number, plain, whole, within

HALL_6 = Statement(
    id="HALL-6",
    name="calibrated models must hallucinate",
    limit=Limit.HALLUCINATION,
    status=Status.PROVED,
    says=(
        "A generator whose probabilities are calibrated gives about as much probability to unseen statements as the "
        "share of training facts seen once. If unseen truths cannot be told from the far more numerous plausible "
        "falsehoods, nearly all of that is hallucination."
    ),
    formula="with probability ≥ 1 − δ:   hallucination ≥ MF − Mis − 3·e^(−s)/δ − √(6·ln(6/δ)/n)",
    hypotheses=(
        "sparse: at most a share e^(−s) of the unseen plausible statements is true",
        "regular: given the training data, unseen statements are equally likely to be true",
        "MF is the share of the n training facts that occur once; Mis is the miscalibration over probability bins",
    ),
    sources=(Source(title="Kalai & Vempala (2024)", locator="Cor. 1", url="arXiv:2311.14648"),),
    silent_on=(
        "Facts that can be predicted are not regular. A model that abstains or only repeats its training text has a "
        "large Mis, and the bound is then empty: it does not say that hallucination cannot be avoided, but that it "
        "cannot be avoided without giving up calibration."
    ),
    falsified_by=(
        "A generator of regular, sparse facts whose hallucination rate is below the bound in a share > δ of runs."
    ),
    paper="The paper speaks of coverage and noise floors; this is the theorem that those paragraphs need.",
    effects=(
        Effect(resource=Resource.PARAMETERS, verdict=Verdict.CANNOT_PROGRESS, when="below MF − Mis"),
        Effect(resource=Resource.DATA, verdict=Verdict.HELPS, when="through fewer facts seen once"),
        Effect(resource=Resource.ABSTENTION, verdict=Verdict.HELPS, when="it raises Mis"),
    ),
    worked=(
        "MF = 0.20, Mis = 0.05, s = 20, δ = 0.01: a million facts force 14.4 % hallucination, 1,700 facts nothing."
    ),
    probe="hallucination.short_facts",
)


def calibrated_floor(
    seen_once: ArrayLike, miscalibration: ArrayLike, sparsity: ArrayLike, facts: ArrayLike, delta: ArrayLike = 0.05
) -> Numbers:
    """Return MF − Mis − 3·e^(−s)/δ − √(6·ln(6/δ)/n); negative where it says nothing.

    Args:
        seen_once: MF, share of training facts that occur once, in [0, 1].
        miscalibration: Mis, in [0, 1].
        sparsity: s, minus the natural logarithm of the true share of unseen statements, > 0.
        facts: n, training facts, >= 1.
        delta: chance that it fails, in (0, 1).

    Source:
        Kalai & Vempala (2024), Cor. 1.

    >>> round(calibrated_floor(0.2, 0.05, 20.0, 1e6, 0.01), 4)
    0.1438
    """
    mf, mis = within("seen_once", seen_once, "[0, 1]"), within("miscalibration", miscalibration, "[0, 1]")
    s, n = within("sparsity", sparsity, "(0, ∞)"), within("facts", facts, "[1, ∞)")
    d = within("delta", delta, "(0, 1)")
    return plain(mf - mis - 3 * np.exp(-s) / d - np.sqrt(6 * np.log(6 / d) / n))


def facts_until_binding(seen_once: float, miscalibration: float, sparsity: float, delta: float = 0.05) -> float:
    """Return the training facts from which on the bound says something, 6·ln(6/δ)/(MF − Mis − 3·e^(−s)/δ)².

    Args:
        seen_once: MF, in [0, 1].
        miscalibration: Mis, in [0, 1].
        sparsity: s, > 0.
        delta: chance that it fails, in (0, 1).

    Raises:
        InvalidValueError: where no number of facts makes it binding.

    >>> round(facts_until_binding(0.2, 0.05, 20.0, 0.01))
    1706
    """
    limit = float(calibrated_floor(seen_once, miscalibration, sparsity, 1.0, delta))
    luck = math.sqrt(6 * math.log(6 / delta))  # the sampling term of a single fact, which the line above subtracted
    return (luck / number("seen_once − miscalibration − 3·e^(−s)/δ", limit + luck, "(0, 1]")) ** 2


def calibrated_hallucination(
    seen_once: float, miscalibration: float, *, sparsity: float, facts: int, delta: float = 0.05
) -> Bound:
    """Bound from below the hallucination of a calibrated generator; arguments as for `calibrated_floor`.

    Returns:
        A lower bound on `HALLUCINATION_RATE` that holds with probability 1 − δ.

    Source:
        HALL-6.

    >>> calibrated_hallucination(0.2, 0.05, sparsity=20.0, facts=1000, delta=0.01).vacuous
    'hallucination rate can never fall below 0, so nothing is excluded'
    """
    n = whole("facts", facts, "[1, ∞)")
    calibrated_floor(seen_once, miscalibration, sparsity, n, delta)
    falsehoods, luck = 3 * math.exp(-sparsity) / delta, math.sqrt(6 * math.log(6 / delta) / n)
    return at_least(
        HALL_6,
        HALLUCINATION_RATE,
        sum_below(seen_once, -miscalibration, -falsehoods, -luck),
        at={
            "seen_once": seen_once,
            "miscalibration": miscalibration,
            "sparsity": sparsity,
            "facts": n,
            "delta": delta,
        },
        parts={"sparsity_term": falsehoods, "sampling_term": luck},
    )
