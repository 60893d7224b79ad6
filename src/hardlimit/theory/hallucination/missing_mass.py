"""HALL-5: how much of what will be asked was never in the training data, read off the facts that occur once."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import MISSING_MASS
from hardlimit.theory.bounding import at_least, at_most
from hardlimit.theory.domain import Numbers, distribution, number, plain, vector, within

HALL_5 = Statement(
    id="HALL-5",
    name="Good–Turing missing mass",
    limit=Limit.HALLUCINATION,
    status=Status.PROVED,
    says=(
        "The chance that the next fact asked about never occurred in the training data is close to the share of "
        "training facts that occurred exactly once. A model cannot know such facts; it can only abstain, look them "
        "up, or guess."
    ),
    formula=(
        "G = N₁ / n   (facts seen once / facts seen),   E[Gₙ] = E[Mₙ₋₁]\n"
        "with probability ≥ 1 − δ:  |M − G| ≤ 1/n + (1 + √2)·√(ln(4/δ) / n)"
    ),
    hypotheses=(
        "training facts and queries are independent draws from the same law",
        "the corpus was not de-duplicated (then singletons mean nothing)",
    ),
    sources=(
        Source(title="Good, The population frequencies of species (1953)"),
        Source(title="McAllester & Schapire, On the convergence rate of Good–Turing estimators (2000)"),
        Source(title="Berend & Kontorovich, On the concentration of the missing mass (2013)", locator="Thm 1"),
    ),
    silent_on=(
        "It bounds what is unseen, not what is wrong: a model that abstains on unseen facts errs on none of them, "
        "and one that guesses well on structured facts may be right on many."
    ),
    falsified_by="Independent draws whose true missing mass leaves the interval more often than δ.",
    paper="The paper speaks of incomplete coverage ρ → 0 without a law; this is the law.",
    effects=(
        Effect(resource=Resource.DATA, verdict=Verdict.HELPS, when="at the rate of the long tail (HALL-9)"),
        Effect(
            resource=Resource.PARAMETERS,
            verdict=Verdict.CANNOT_PROGRESS,
            when="below the missing mass, for arbitrary facts without abstention or retrieval",
        ),
        Effect(resource=Resource.RETRIEVAL, verdict=Verdict.HELPS, when="the unseen facts are in the index"),
        Effect(resource=Resource.ABSTENTION, verdict=Verdict.HELPS, when="unseen facts are recognised"),
    ),
    worked=(
        "100,000 draws from Zipf(1) over 100,000 facts: missing mass 0.165, known to ±0.016 from the counts alone."
    ),
    probe="hallucination.short_facts",
)


def good_turing(counts: ArrayLike) -> float:
    """Return the Good–Turing estimate of the missing mass: facts seen once over facts seen.

    Args:
        counts: how often each distinct fact occurred, whole numbers >= 0 with a positive sum.

    Source:
        Good (1953).

    >>> good_turing([5, 3, 1, 1])
    0.2
    """
    seen = vector("counts", counts, "[0, ∞)", whole=True)
    draws = number("sum of counts", float(seen.sum()), "[1, ∞)")
    return float(np.count_nonzero(seen == 1)) / draws


def good_turing_half_width(draws: ArrayLike, delta: ArrayLike = 0.05) -> Numbers:
    """Return how far the missing mass may lie from the Good–Turing estimate, on either side.

    The bias is at most 1/n. The missing mass has tails below 2·e^(−nt²); the estimate moves by at most 2/n when one
    draw changes, so its tails are below 2·e^(−nt²/2). Each gets half of δ.

    Args:
        draws: n, number of draws, >= 1.
        delta: chance of a miss, in (0, 1).

    Source:
        Berend & Kontorovich (2013), Thm 1; bounded differences for the estimate.

    >>> round(good_turing_half_width(100_000), 5)
    0.01599
    """
    n, d = within("draws", draws, "[1, ∞)"), within("delta", delta, "(0, 1)")
    return plain(1 / n + (1 + math.sqrt(2)) * np.sqrt(np.log(4 / d) / n))


def mcallester_schapire_width(draws: ArrayLike, delta: ArrayLike = 0.05) -> Numbers:
    """Return the older one-sided width (2√2 + √3)·√(ln(3/δ)/n), for comparison.

    >>> round(mcallester_schapire_width(100_000), 5)
    0.02918
    """
    n, d = within("draws", draws, "[1, ∞)"), within("delta", delta, "(0, 1)")
    return plain((2 * math.sqrt(2) + math.sqrt(3)) * np.sqrt(np.log(3 / d) / n))


def expected_missing_mass(probabilities: ArrayLike, draws: float) -> float:
    """Return the expected missing mass after n independent draws, Σ pᵢ(1 − pᵢ)ⁿ.

    Args:
        probabilities: of the facts, summing to 1.
        draws: n, >= 0.

    Source:
        Good (1953).

    >>> expected_missing_mass([0.5, 0.5], 1)
    0.5
    """
    p, n = distribution("probabilities", probabilities), number("draws", draws, "[0, ∞)")
    with np.errstate(divide="ignore", invalid="ignore"):
        unseen = np.where(p < 1, np.exp(n * np.log1p(-p)), 0.0 if n else 1.0)
    return float(np.sum(p * unseen))


def missing_mass_floor(counts: ArrayLike, delta: float = 0.05) -> Bound:
    """Bound the missing mass from below, from the counts of a corpus.

    Args:
        counts: how often each distinct fact occurred, whole numbers >= 0 with a positive sum.
        delta: chance of a miss (both sides together), in (0, 1).

    Returns:
        A lower bound on `MISSING_MASS` that holds with probability 1 − δ; `parts` has estimate and half-width.

    Source:
        HALL-5.

    >>> missing_mass_floor([1, 2], 0.05).vacuous
    'missing mass can never fall below 0, so nothing is excluded'
    """
    estimate, half, at = _estimate(counts, delta)
    return at_least(HALL_5, MISSING_MASS, estimate - half, at=at, parts={"estimate": estimate, "half_width": half})


def missing_mass_ceiling(counts: ArrayLike, delta: float = 0.05) -> Bound:
    """Bound the missing mass from above, from the counts of a corpus; arguments as for `missing_mass_floor`.

    Source:
        HALL-5.

    >>> round(missing_mass_ceiling([50_000, 50_000]).value, 4)
    0.016
    """
    estimate, half, at = _estimate(counts, delta)
    return at_most(HALL_5, MISSING_MASS, estimate + half, at=at, parts={"estimate": estimate, "half_width": half})


def missing_mass_by_draws(probabilities: ArrayLike, draws: Sequence[float]) -> Shape:
    """Tell how the expected missing mass falls as more facts are drawn into the training data.

    Args:
        probabilities: of the facts, summing to 1.
        draws: n, increasing, each >= 0.

    Returns:
        A shape of `MISSING_MASS` along `draws`.

    Source:
        HALL-5.

    >>> missing_mass_by_draws([0.5, 0.5], [0, 1, 2]).points
    ((0.0, 1.0), (1.0, 0.5), (2.0, 0.25))
    """
    n = vector("draws", draws, "[0, ∞)")
    points = tuple((float(x), expected_missing_mass(probabilities, float(x))) for x in n)
    facts = int(np.size(np.asarray(probabilities)))
    return Shape(statement=HALL_5, quantity=MISSING_MASS, along="draws", points=points, parameters={"facts": facts})


def _estimate(counts: ArrayLike, delta: float) -> tuple[float, float, dict[str, bool | int | float | str]]:
    estimate = good_turing(counts)
    draws = int(np.asarray(counts).sum())
    half = float(good_turing_half_width(draws, number("delta", delta, "(0, 1)")))
    return estimate, half, {"draws": draws, "delta": delta}
