"""HALL-11: creativity and factuality trade along a line exactly when novelty cannot be verified."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from hardlimit.core import Bound, Effect, InvalidValueError, Limit, Resource, Source, Statement, Status, Value, Verdict
from hardlimit.core.quantity import HALLUCINATION_RATE
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import Floats, Numbers, number, plain, whole, within
from hardlimit.theory.sources import derived, paper

HALL_11 = Statement(
    id="HALL-11",
    name="creativity against factuality",
    limit=Limit.HALLUCINATION,
    status=Status.CORRECTED,
    says=(
        "If nothing distinguishes unseen truths from unseen falsehoods, any generator that writes something new with "
        "probability ν is wrong with probability ν(1 − ρ), where ρ is the share of truths among the unseen. With any "
        "information about validity the line is beaten. Heating lowers validity only if valid text is likelier than "
        "average; with confident misconceptions heating raises it."
    ),
    formula=(
        "ρ = (|V| − |S|)/(|U| − |S|);   E[hallucination] = ν·(1 − ρ)\n"
        "valid mass A, novelty C = ν:   A + (1 − ρ)·C = 1\n"
        "temperature T = 1/β:   d ln V/dβ = E[ln p | valid] − E[ln p]"
    ),
    hypotheses=(
        "universe U, valid set V, training set S inside V",
        "given S, all sets of unseen truths of the same size are equally likely (exchangeable)",
        "the generator is a function of S",
    ),
    sources=(
        derived("exchangeability, and the derivative of a tempered law"),
        Source(title="Kalavasis, Mehrotra & Velegkas (2024), consistency against breadth", url="arXiv:2411.09642"),
        paper("sec. 2.4"),
    ),
    silent_on=(
        "Real unseen truths are not exchangeable: whatever is known about validity beats the line. It does not say "
        "that temperature is the right knob."
    ),
    falsified_by="A generator without information about validity whose A + (1 − ρ)·C differs from 1 on average.",
    paper=(
        "The paper states A + αC = κ as an assumption. Under exchangeability it is a theorem with α = 1 − ρ and κ = "
        "1; beyond it, it is false (PAPER-CREATIVITY-LINE)."
    ),
    effects=(
        Effect(
            resource=Resource.PARAMETERS, verdict=Verdict.CANNOT_PROGRESS, when="without information about validity"
        ),
        Effect(resource=Resource.DATA, verdict=Verdict.CANNOT_PROGRESS, when="positive examples only"),
        Effect(resource=Resource.VERIFIER, verdict=Verdict.HELPS, when="it tells valid from invalid novelty"),
        Effect(resource=Resource.RETRIEVAL, verdict=Verdict.HELPS, when="it grounds what is new"),
    ),
    worked=(
        "|U| = 10,000, |V| = 1,000, |S| = 500, ν = 0.3: hallucination 0.284; half of the novelty valid: κ = 1.134."
    ),
)


class Frontier(Value, frozen=True):
    """Where a set of samples stands between factuality and novelty.

    Args:
        valid: A, share of samples that are valid.
        novel: C, share of samples that are not in the training set.
        intercept: κ = A + (1 − ρ)·C; above 1 the generator has information about validity.
    """

    valid: float
    novel: float
    intercept: float


def unseen_truth_share(universe: int, valid: int, seen: int) -> float:
    """Return ρ = (|V| − |S|)/(|U| − |S|), the share of truths among unseen statements.

    Args:
        universe: |U|, more than |S|.
        valid: |V|, between |S| and |U|.
        seen: |S|, >= 0.

    >>> round(unseen_truth_share(10_000, 1_000, 500), 5)
    0.05263
    """
    s = whole("seen", seen, "[0, ∞)")
    v = whole("valid", valid, f"[{s}, ∞)")
    u = whole("universe", universe, f"[{max(v, s + 1)}, ∞)")
    return (v - s) / (u - s)


def novelty_hallucination(universe: int, valid: int, seen: int, novelty: ArrayLike) -> Numbers:
    """Return the expected hallucination ν·(1 − ρ) of a generator without information about validity.

    Args:
        universe: |U|.
        valid: |V|.
        seen: |S|.
        novelty: ν, probability of a statement outside S, in [0, 1].

    Source:
        HALL-11.

    >>> round(novelty_hallucination(10_000, 1_000, 500, 0.3), 5)
    0.28421
    """
    return plain(within("novelty", novelty, "[0, 1]") * (1 - unseen_truth_share(universe, valid, seen)))


def frontier(valid: ArrayLike, novel: ArrayLike, truth_share: float) -> Frontier:
    """Return A, C and κ of samples.

    Args:
        valid: whether each sample is valid.
        novel: whether each sample is outside the training set.
        truth_share: ρ, share of truths among unseen statements, in [0, 1].

    >>> frontier([True, True, False, True], [False, True, True, False], 0.5)
    Frontier(valid=0.75, novel=0.5, intercept=1.0)
    """
    good, new = np.asarray(valid, dtype=bool), np.asarray(novel, dtype=bool)
    if good.shape != new.shape or good.ndim != 1 or not good.size:
        raise InvalidValueError(
            f"valid and novel must be lists of one and the same length >= 1, got shapes {good.shape} and {new.shape}."
        )
    a, c = float(good.mean()), float(new.mean())
    return Frontier(valid=a, novel=c, intercept=a + (1 - number("truth_share", truth_share, "[0, 1]")) * c)


def tempered_validity(log_probabilities: ArrayLike, valid: ArrayLike, temperature: ArrayLike) -> Numbers:
    """Return the valid mass of a law at temperature T, Σ_valid p^(1/T) / Σ p^(1/T).

    Args:
        log_probabilities: ln p of every statement, up to a common constant.
        valid: whether each is valid.
        temperature: T, > 0.

    >>> round(tempered_validity(np.log([0.7, 0.3]), [True, False], 0.5), 4)
    0.8448
    """
    log_p, good = _world(log_probabilities, valid)
    t = within("temperature", temperature, "(0, ∞)")
    return plain(softmax(log_p / t[..., None], axis=-1)[..., good].sum(axis=-1))


def temperature_slope(log_probabilities: ArrayLike, valid: ArrayLike, temperature: float = 1.0) -> float:
    """Return d ln V/dβ at T = 1/β: mean ln p of valid text minus mean ln p of all text.

    Args:
        log_probabilities: ln p of every statement, up to a common constant.
        valid: whether each is valid; at least one must be.
        temperature: T, > 0.

    Returns:
        Positive where cooling raises validity, negative where it lowers it.

    Source:
        HALL-11.

    >>> temperature_slope(np.log([0.7, 0.3]), [True, False]) > 0
    True
    """
    log_p, good = _world(log_probabilities, valid)
    p = softmax(log_p / number("temperature", temperature, "(0, ∞)"))
    return float(p[good] @ log_p[good] / p[good].sum() - p @ log_p)


def unverified_novelty(universe: int, valid: int, seen: int, novelty: float) -> Bound:
    """Give the expected hallucination of a generator that has no information about validity.

    Args:
        universe: |U|.
        valid: |V|.
        seen: |S|.
        novelty: ν, in [0, 1].

    Returns:
        An equality for `HALLUCINATION_RATE`; `parts` has ρ, α = 1 − ρ and κ = 1.

    Source:
        HALL-11.

    >>> round(unverified_novelty(10_000, 1_000, 500, 0.3).value, 5)
    0.28421
    """
    share = unseen_truth_share(universe, valid, seen)
    value = float(novelty_hallucination(universe, valid, seen, number("novelty", novelty, "[0, 1]")))
    return exactly(
        HALL_11,
        HALLUCINATION_RATE,
        value,
        at={"universe": universe, "valid": valid, "seen": seen, "novelty": novelty},
        parts={"unseen_truth_share": share, "slope": 1 - share, "valid_mass": 1 - value, "intercept": 1.0},
    )


def _world(log_probabilities: ArrayLike, valid: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    log_p, good = within("log_probabilities", log_probabilities, "(-∞, ∞)"), np.asarray(valid, dtype=bool)
    if log_p.shape != good.shape or log_p.ndim != 1 or not good.any():
        raise InvalidValueError(
            f"log_probabilities and valid must be lists of one length with a valid entry, got shapes {log_p.shape} and "
            f"{good.shape}."
        )
    return log_p, good
