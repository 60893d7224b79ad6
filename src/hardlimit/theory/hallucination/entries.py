"""Worked claims about hallucination, and what each is set beside."""

import numpy as np
from scipy.special import zeta

from hardlimit.core import Claim
from hardlimit.theory.domain import Floats
from hardlimit.theory.entry import Check, Entry, as_bound, as_shape, attacked, follows
from hardlimit.theory.frequencies import zipf
from hardlimit.theory.hallucination.abstention import HALL_10, score_ceiling
from hardlimit.theory.hallucination.longtail import HALL_9, error_by_data
from hardlimit.theory.hallucination.missing_mass import HALL_5, missing_mass_floor

_CONFIDENCES = tuple(np.linspace(0.005, 0.995, 100).tolist())


def _corpus() -> Floats:
    """Count the facts of one corpus of 100,000 draws from Zipf(1) over 100,000 facts."""
    return np.asarray(np.random.default_rng(0).multinomial(100_000, zipf(100_000, 1.0)), dtype=np.float64)


def _known_law(claim: Claim) -> Check:
    """Compare with the true missing mass of the corpus, which its law gives."""
    missing = float(zipf(100_000, 1.0)[_corpus() == 0].sum())
    return attacked(claim, {"true_missing_mass": missing}, "the true missing mass of the corpus the counts came from")


def _met_facts(claim: Claim) -> Check:
    """Draw fifty corpora of Zipf facts and weigh the facts that were not met often enough."""
    shape = as_shape(claim)
    exponent, exposures = float(shape.parameters["exponent"]), float(shape.parameters["exposures"])
    p = np.arange(1, 100_001) ** -exponent / zeta(exponent)
    rng = np.random.default_rng(0)
    # Facts beyond the first 100,000 are counted as not met: their expected exposures are below 0.002.
    found = [1 - float(np.mean([p[rng.poisson(x * p) >= exposures].sum() for _ in range(50)])) for x, _ in shape.points]
    return follows(claim, found, 0.02, "the mass of facts not met, averaged over 50 drawn corpora")


def _other_cuts(claim: Claim) -> Check:
    """Score every cut and a thousand random sets of answered questions."""
    at = as_bound(claim).at
    p, cost = np.asarray(_CONFIDENCES), float(at["threshold"]) / (1 - float(at["threshold"]))
    worth = p - cost * (1 - p)
    answers = np.random.default_rng(0).random((1000, p.size)) < p
    attempts = {
        "best_cut": max(float(worth[p >= cut].sum()) / p.size for cut in p),
        "best_random_policy": float((answers * worth).sum(axis=1).max()) / p.size,
    }
    return attacked(claim, attempts, "the score of every cut and of 1,000 random policies")


ENTRIES = (
    Entry(statement=HALL_5, example=lambda: missing_mass_floor(_corpus()), confront=_known_law),
    Entry(statement=HALL_9, example=lambda: error_by_data([1e3, 1e4, 1e5], 1.5), confront=_met_facts),
    Entry(statement=HALL_10, example=lambda: score_ceiling(_CONFIDENCES, 0.75), confront=_other_cuts),
)
