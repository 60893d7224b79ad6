"""HALL-7: writing only valid text is at least as hard as telling valid text from invalid.

With A = {p̂(r|c) > 1/min|E|}: 2·err_iiv = p(Aᶜ) + E[|A∩E|/|E|]; the second term is at most p̂(A∩E), and
p(Aᶜ) ≤ p̂(Aᶜ) + δ ≤ max|V|/min|E| + p̂(Aᶜ∩E) + δ. Their sum is the generation error.
"""

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, InvalidValueError, Limit, Resource, Statement, Status, Value, Verdict
from hardlimit.core.quantity import WRONG_RATE
from hardlimit.theory.bounding import at_least, sum_below
from hardlimit.theory.domain import Numbers, distribution, number, plain, within
from hardlimit.theory.sources import KALAI_2025, derived

HALL_7 = Statement(
    id="HALL-7",
    name="generating is at least as hard as judging validity",
    limit=Limit.HALLUCINATION,
    status=Status.PROVED,
    says=(
        "From any generator one can read a classifier of valid against invalid answers. If that classifier errs at a "
        "rate e, the generator errs at about twice that rate, less two corrections: how many answers are valid, and "
        "how far the model's probabilities are from the truth at the classifier's threshold."
    ),
    formula="error ≥ 2·err_iiv − max|V_c|/min|E_c| − δ,   rule: 'valid' ⟺ p̂(r|c) > 1/min|E_c|",
    hypotheses=(
        "the true law is supported on valid answers",
        "err_iiv is the error of the model's own threshold rule on half true, half uniformly invalid answers",
        "δ = |p̂(A) − p(A)| for the answers A above the threshold",
    ),
    sources=(KALAI_2025, derived("re-derived in the module's docstring")),
    silent_on=(
        "The classifier is the model's own threshold rule, not any classifier. δ is small for likelihood-trained "
        "models only, not after training with rewards. With many valid answers the bound is empty."
    ),
    falsified_by="A world in which the generation error is below the bound.",
    paper="'Error ≥ 2 × is-it-valid' must carry both correction terms.",
    effects=(
        Effect(
            resource=Resource.PARAMETERS, verdict=Verdict.HELPS, when="they lower the error of the validity judgement"
        ),
        Effect(resource=Resource.RETRIEVAL, verdict=Verdict.HELPS, when="it lowers the error of the judgement"),
    ),
    worked="Validity error 0.20, one valid answer against 100 errors, δ = 0.02: generation error at least 0.37.",
)


class ValidityTerms(Value, frozen=True):
    """The terms of the reduction for one explicit world.

    Args:
        error: probability that the model's answer is invalid.
        validity_error: error of its threshold rule, err_iiv.
        largest_valid: max over prompts of the number of valid answers.
        smallest_invalid: min over prompts of the number of invalid answers.
        calibration_gap: δ.
        floor: the bound on `error`.
    """

    error: float
    validity_error: float
    largest_valid: int
    smallest_invalid: int
    calibration_gap: float
    floor: float


def validity_floor(
    validity_error: ArrayLike, largest_valid: ArrayLike, smallest_invalid: ArrayLike, calibration_gap: ArrayLike = 0.0
) -> Numbers:
    """Return 2·err_iiv − max|V|/min|E| − δ; negative where it says nothing.

    Args:
        validity_error: err_iiv, in [0, 1].
        largest_valid: max|V_c|, >= 1.
        smallest_invalid: min|E_c|, >= 1.
        calibration_gap: δ, in [0, 1].

    Source:
        HALL-7; Kalai et al. (2025), Cor. 1.

    >>> round(validity_floor(0.2, 1, 100, 0.02), 4)
    0.37
    """
    e, gap = within("validity_error", validity_error, "[0, 1]"), within("calibration_gap", calibration_gap, "[0, 1]")
    v, bad = within("largest_valid", largest_valid, "[1, ∞)"), within("smallest_invalid", smallest_invalid, "[1, ∞)")
    return plain(2 * e - v / bad - gap)


def validity_terms(truth: ArrayLike, model: ArrayLike, valid: ArrayLike, prompts: ArrayLike) -> ValidityTerms:
    """Return all terms of the reduction for an explicit world.

    Args:
        truth: p(r|c), `(prompts, answers)`, each row a distribution on valid answers.
        model: p̂(r|c), `(prompts, answers)`, each row a distribution.
        valid: `(prompts, answers)`, whether each answer is valid; every prompt needs an invalid one.
        prompts: μ(c), a distribution over prompts.

    Source:
        HALL-7.

    >>> terms = validity_terms([[1, 0, 0]], [[0.8, 0.1, 0.1]], [[True, False, False]], [1.0])
    >>> round(terms.error, 3), round(terms.floor, 3)
    (0.2, -0.7)
    """
    mu = distribution("prompts", prompts)
    p, p_hat = (
        np.stack([distribution(name, row) for row in np.asarray(rows, dtype=np.float64)])
        for name, rows in (("truth", truth), ("model", model))
    )
    good = np.asarray(valid, dtype=bool)
    if not (p.shape == p_hat.shape == good.shape and p.shape[0] == mu.size):
        raise InvalidValueError(
            f"truth, model and valid must share one shape with {mu.size} rows, got {p.shape}, {p_hat.shape} and "
            f"{good.shape}."
        )
    if np.any(p[~good] > 0) or np.any(good.all(axis=1)):
        raise InvalidValueError("truth must be zero on invalid answers, and every prompt needs an invalid answer.")
    bad_count, good_count = (~good).sum(axis=1), good.sum(axis=1)
    above = p_hat > 1 / bad_count.min()
    missed = float(mu @ (p * ~above).sum(axis=1))
    passed = float(mu @ ((above & ~good).sum(axis=1) / bad_count))
    gap = abs(float(mu @ ((p_hat - p) * above).sum(axis=1)))
    validity_error = (missed + passed) / 2
    largest, smallest = int(good_count.max()), int(bad_count.min())
    return ValidityTerms(
        error=float(mu @ (p_hat * ~good).sum(axis=1)),
        validity_error=validity_error,
        largest_valid=largest,
        smallest_invalid=smallest,
        calibration_gap=min(gap, 1.0),
        floor=float(validity_floor(validity_error, largest, smallest, min(gap, 1.0))),
    )


def generation_error(
    validity_error: float, largest_valid: int, smallest_invalid: int, calibration_gap: float = 0.0
) -> Bound:
    """Bound from below the share of invalid answers that a model generates; arguments as for `validity_floor`.

    Returns:
        A lower bound on `WRONG_RATE`.

    Source:
        HALL-7.

    >>> round(generation_error(0.2, 1, 100, 0.02).value, 4)
    0.37
    """
    validity_floor(validity_error, largest_valid, smallest_invalid, calibration_gap)
    value = sum_below(2 * validity_error, -largest_valid / smallest_invalid, -calibration_gap)
    at = {
        "validity_error": number("validity_error", validity_error, "[0, 1]"),
        "largest_valid": largest_valid,
        "smallest_invalid": smallest_invalid,
        "calibration_gap": calibration_gap,
    }
    return at_least(HALL_7, WRONG_RATE, value, at=at)
