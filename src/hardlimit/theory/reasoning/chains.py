"""REAS-1: how errors add up over a chain of steps, and what recovery and verification change."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import CHAIN_SUCCESS
from hardlimit.theory.bounding import at_least, at_most, exactly
from hardlimit.theory.domain import Numbers, number, plain, vector, whole, within
from hardlimit.theory.sources import derived

REAS_1 = Statement(
    id="REAS-1",
    name="error accumulation over steps",
    limit=Limit.REASONING,
    status=Status.CORRECTED,
    says=(
        "If every step fails with the same chance and nothing is ever repaired, success decays exponentially with "
        "the number of steps. If problems differ in difficulty it decays more slowly, if errors are repaired it "
        "levels off, and a verifier that catches bad steps stretches the whole chain."
    ),
    formula=(
        "equal hazards:       P(ok) = (1 − ε)ⁿ,  half-life ln 2 / (−ln(1 − ε))\n"
        "marginals only:      max(0, 1 − Σ εₜ) ≤ P(ok) ≤ 1 − max εₜ\n"
        "ε ~ Beta(a, b):      P(ok) = B(a, b + n)/B(a, b) ~ n^(−a)\n"
        "recovery rate r:     P(ok at n) = π + (1 − π)(1 − ε − r)ⁿ,  π = r/(r + ε)\n"
        "verified steps:      ε′ = ε·φ / (ε·φ + (1 − ε)·τ)"
    ),
    hypotheses=(
        "εₜ is the chance that step t fails given that none failed before",
        "for recovery: a failed chain is repaired with chance r at each step",
        "for verification: unlimited retries, τ = P(accept | right), φ = P(accept | wrong)",
    ),
    sources=(
        derived("products, Fréchet's inequalities, a two-state Markov chain"),
        Source(title="Ross & Bagnell (2010), imitation: regret up to ε·H²"),
        Source(title="Foster, Block & Misra (2024), log-loss regret without the horizon", url="arXiv:2407.15007"),
    ),
    silent_on=(
        "It does not say what a step of free text is, nor that steps fail independently of how hard the problem is."
    ),
    falsified_by="Chains of independent, unrepaired steps whose success differs from (1 − ε)ⁿ.",
    paper=(
        "The paper's compounding exposure bias is a modelling assumption (PAPER-COMPOUNDING): recovery, and log-loss "
        "training with a deterministic expert, break it."
    ),
    effects=(
        Effect(resource=Resource.INFERENCE_STEPS, verdict=Verdict.HURTS, when="nothing is repaired"),
        Effect(resource=Resource.INFERENCE_STEPS, verdict=Verdict.SATURATES, when="errors are repaired, at π"),
        Effect(resource=Resource.VERIFIER, verdict=Verdict.HELPS, when="through ε′"),
        Effect(resource=Resource.PARAMETERS, verdict=Verdict.HELPS, when="through ε"),
    ),
    worked="ε = 1 %, 100 steps: 36.6 %. With recovery 10 %: 90.9 % for ever. With a verifier (0.95, 0.10): 89.9 %.",
)


def chain_success(step_error: ArrayLike, steps: ArrayLike) -> Numbers:
    """Return the chance that n steps all succeed, (1 − ε)ⁿ.

    Args:
        step_error: ε, in [0, 1].
        steps: n, >= 0.

    Source:
        REAS-1.

    >>> round(chain_success(0.01, 100), 4)
    0.366
    """
    eps, n = within("step_error", step_error, "[0, 1]"), within("steps", steps, "[0, ∞)")
    return plain((1 - eps) ** n)


def half_life(step_error: ArrayLike) -> Numbers:
    """Return the steps after which half of the chains have failed, ln 2/(−ln(1 − ε)).

    >>> round(half_life(0.01), 2)
    68.97
    """
    return plain(np.log(2) / -np.log1p(-within("step_error", step_error, "(0, 1)")))


def step_error_for(success: ArrayLike, steps: ArrayLike) -> Numbers:
    """Return the step error at which n steps succeed with a wanted chance, 1 − target^(1/n).

    >>> f"{step_error_for(0.9, 1000):.3e}"
    '1.054e-04'
    """
    return plain(-np.expm1(np.log(within("success", success, "(0, 1]")) / within("steps", steps, "[1, ∞)")))


def frechet(step_errors: ArrayLike) -> tuple[float, float]:
    """Return the least and the largest chance that all steps succeed when only their own error rates are known.

    Args:
        step_errors: εₜ, each in [0, 1].

    Source:
        Fréchet's inequalities.

    >>> frechet([0.25, 0.5])
    (0.25, 0.5)
    """
    eps = vector("step_errors", step_errors, "[0, 1]")
    return max(0.0, 1 - float(eps.sum())), 1 - float(eps.max())


def beta_chain(a: ArrayLike, b: ArrayLike, steps: ArrayLike) -> Numbers:
    """Return the chance that n steps succeed when problems differ, their step error being Beta(a, b).

    Args:
        a: > 0; the tail falls like n^(−a).
        b: > 0; the mean step error is a/(a + b).
        steps: n, >= 0.

    Source:
        REAS-1.

    >>> round(beta_chain(0.1, 9.9, 100), 4)
    0.7828
    """
    shape_a, shape_b = within("a", a, "(0, ∞)"), within("b", b, "(0, ∞)")
    n = within("steps", steps, "[0, ∞)")
    return plain(np.exp(betaln(shape_a, shape_b + n) - betaln(shape_a, shape_b)))


def markov_chain(step_error: ArrayLike, recovery: ArrayLike, steps: ArrayLike) -> Numbers:
    """Return the chance that a chain with recovery is right after n steps, π + (1 − π)(1 − ε − r)ⁿ.

    Args:
        step_error: ε, in [0, 1].
        recovery: r, chance that a failed chain is repaired at a step, in [0, 1]; ε + r > 1 makes it oscillate.
        steps: n, whole numbers >= 0.

    Source:
        REAS-1: the two-state Markov chain.

    >>> round(markov_chain(0.01, 0.1, 100), 4)
    0.9091
    """
    eps, r = within("step_error", step_error, "[0, 1]"), within("recovery", recovery, "[0, 1]")
    n = within("steps", steps, "[0, ∞)", whole=True)
    total = eps + r
    floor = np.where(total > 0, r / np.where(total > 0, total, 1.0), 1.0)
    return plain(floor + (1 - floor) * (1 - total) ** n)


def verified_step_error(step_error: ArrayLike, accept_right: ArrayLike, accept_wrong: ArrayLike) -> Numbers:
    """Return the error of a step that is retried until a verifier accepts it.

    Args:
        step_error: ε, in [0, 1].
        accept_right: τ, chance that a right step is accepted, in [0, 1].
        accept_wrong: φ, chance that a wrong step is accepted, in [0, 1]; not both products may be 0.

    Source:
        REAS-1: Bayes' rule.

    >>> round(verified_step_error(0.01, 0.95, 0.10), 5)
    0.00106
    """
    eps = within("step_error", step_error, "[0, 1]")
    wrong = eps * within("accept_wrong", accept_wrong, "[0, 1]")
    right = (1 - eps) * within("accept_right", accept_right, "[0, 1]")
    within("chance that a step is accepted", wrong + right, "(0, 1]")
    return plain(wrong / (wrong + right))


def cloning_regret(step_error: float, horizon: int) -> float:
    """Return the regret of the chain that never recovers, H − Σ_{h≤H}(1 − ε)^h; the bound is ε·H².

    Args:
        step_error: ε, in [0, 1].
        horizon: H, >= 1.

    Source:
        Ross & Bagnell (2010), the tight example.

    >>> round(cloning_regret(0.01, 100), 2)
    37.24
    """
    h = np.arange(1, whole("horizon", horizon, "[1, 10000000]") + 1)
    return float(h.size - np.sum(np.asarray(chain_success(step_error, h))))


def log_loss_regret(log_policies: ArrayLike, episodes: ArrayLike, delta: ArrayLike, reward: ArrayLike = 1.0) -> Numbers:
    """Return the regret bound of log-loss imitation of a deterministic expert, 2R·ln(|Π|/δ)/n: no horizon in it.

    Args:
        log_policies: ln|Π|, >= 0.
        episodes: n, >= 1.
        delta: in (0, 1).
        reward: R, range of the total reward, >= 0.

    Source:
        Foster, Block & Misra (2024).

    >>> round(log_loss_regret(1000, 1e5, 0.01), 4)
    0.0201
    """
    complexity = within("log_policies", log_policies, "[0, ∞)") - np.log(within("delta", delta, "(0, 1)"))
    return plain(2 * within("reward", reward, "[0, ∞)") * complexity / within("episodes", episodes, "[1, ∞)"))


def chain_success_by_steps(steps: Sequence[int], step_error: float, *, recovery: float = 0.0) -> Shape:
    """Tell how success falls with the number of steps, with or without recovery.

    Args:
        steps: n, increasing, each >= 0.
        step_error: ε, in [0, 1].
        recovery: r, in [0, 1].

    Returns:
        A shape of `CHAIN_SUCCESS` along `steps`; `parameters` has the level it ends at.

    Source:
        REAS-1.

    >>> [round(y, 3) for _, y in chain_success_by_steps([1, 100], 0.01).points]
    [0.99, 0.366]
    """
    n = vector("steps", steps, "[0, ∞)", whole=True)
    eps, r = number("step_error", step_error, "[0, 1]"), number("recovery", recovery, "[0, 1]")
    success = np.atleast_1d(np.asarray(markov_chain(eps, r, n)))
    level = r / (r + eps) if r + eps > 0 else 1.0
    return Shape(
        statement=REAS_1,
        quantity=CHAIN_SUCCESS,
        along="steps",
        points=tuple(zip(n.tolist(), success.tolist(), strict=True)),
        parameters={"step_error": eps, "recovery": r, "level": level},
    )


def independent_chain(step_error: float, steps: int) -> Bound:
    """Give the success of n steps that fail independently and are never repaired.

    Args:
        step_error: ε, in [0, 1].
        steps: n, >= 0.

    Returns:
        An equality for `CHAIN_SUCCESS`.

    Source:
        REAS-1.

    >>> round(independent_chain(0.01, 100).value, 4)
    0.366
    """
    n = whole("steps", steps, "[0, ∞)")
    value = float(chain_success(number("step_error", step_error, "[0, 1]"), n))
    return exactly(REAS_1, CHAIN_SUCCESS, value, at={"step_error": step_error, "steps": n})


def dependent_chain(step_errors: Sequence[float]) -> tuple[Bound, Bound]:
    """Bound the success of steps from both sides when only their own error rates are known.

    Args:
        step_errors: εₜ, each in [0, 1].

    Returns:
        A lower and an upper bound on `CHAIN_SUCCESS`.

    Source:
        REAS-1; Fréchet's inequalities.

    >>> low, high = dependent_chain([0.01] * 10)
    >>> round(low.value, 4), round(high.value, 4)
    (0.9, 0.99)
    """
    low, high = frechet(step_errors)
    at = {"steps": len(step_errors), "largest_step_error": 1 - high}
    return at_least(REAS_1, CHAIN_SUCCESS, low, at=at), at_most(REAS_1, CHAIN_SUCCESS, high, at=at)
