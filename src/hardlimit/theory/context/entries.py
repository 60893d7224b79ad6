"""Worked claims about context, and what each is set beside."""

import numpy as np
from scipy.special import logsumexp, softmax

from hardlimit.core import Claim
from hardlimit.theory.context.cost import CTX_6, state_recall_floor
from hardlimit.theory.context.crowding import CTX_4, crowding_threshold
from hardlimit.theory.context.needle import CTX_3, needle_weight_ceiling
from hardlimit.theory.entry import Check, Entry, agrees, as_bound, attacked


def _sharpest_row(claim: Claim) -> Check:
    """Build the row of logits that favours one key most, and a hundred random ones of the same spread."""
    at = as_bound(claim).at
    keys, spread = int(at["keys"]), float(at["spread"])
    best = np.zeros(keys)
    best[0] = spread
    random = spread * np.random.default_rng(0).random((100, keys // 100))
    attempts = {
        "sharpest_row": float(softmax(best)[0]),
        "largest_of_random_rows": float(softmax(random, axis=1).max()) / 100,
    }
    return attacked(claim, attempts, "softmax of the row with the needle at Δ and all else at 0, and of random rows")


def _drawn_distractors(claim: Claim) -> Check:
    """Draw Gaussian distractors and take their log-sum-exp."""
    at = as_bound(claim).at
    draws = np.random.default_rng(0).normal(0.0, float(at["sigma"]), (20, int(at["keys"])))
    found = float(np.mean(logsumexp(draws, axis=1)))
    return agrees(claim, found, 0.01, "mean log-sum-exp of 20 rows of drawn Gaussian distractors")


def _store_and_guess(claim: Claim) -> Check:
    """Copy as many tokens as fit into the state and guess the rest: an explicit code."""
    at = as_bound(claim).at
    bits, tokens, vocabulary = float(at["state_bits"]), int(at["tokens"]), int(at["vocabulary"])
    stored = min(tokens, int(bits // np.log2(vocabulary)))
    error = (1 - stored / tokens) * (1 - 1 / vocabulary)
    return attacked(claim, {"store_and_guess": error}, "the code that keeps the first tokens and guesses the others")


ENTRIES = (
    Entry(statement=CTX_3, example=lambda: needle_weight_ceiling(128_000, 10.0), confront=_sharpest_row),
    Entry(statement=CTX_4, example=lambda: crowding_threshold(100_000, 1.0), confront=_drawn_distractors),
    Entry(statement=CTX_6, example=lambda: state_recall_floor(2**26, 8_594_314, 50_257), confront=_store_and_guess),
)
