"""Worked claims about context, and what each is set beside."""

import numpy as np
from scipy.special import logsumexp, softmax

from hardlimit.core import Claim
from hardlimit.theory.context.cost import CTX_6, state_recall_floor
from hardlimit.theory.context.crowding import CTX_4, crowding_threshold
from hardlimit.theory.context.encoding import CTX_2, no_attenuation
from hardlimit.theory.context.exposure import CTX_1, exposure_by_distance
from hardlimit.theory.context.needle import CTX_3, needle_weight_ceiling
from hardlimit.theory.context.precision import CTX_5, influence_ceiling
from hardlimit.theory.entry import Check, Entry, agrees, as_bound, as_impossibility, as_shape, attacked, follows
from hardlimit.theory.oracles import channel_error


def _count_pairs(claim: Claim) -> Check:
    """Count the pairs of positions of one window."""
    shape = as_shape(claim)
    size = int(shape.parameters["window"])
    apart = [later - earlier for later in range(size) for earlier in range(later + 1)]
    found = [sum(d >= k for d in apart) / len(apart) for k, _ in shape.points]
    return follows(claim, found, 1e-12, "all pairs of positions of the window, counted")


def _turn_the_key(claim: Claim) -> Check:
    """Turn a key by hand, pair by pair, and score it at every distance."""
    found = as_impossibility(claim)
    peak, width, base = int(found.at["distance"]), int(found.at["width"]), float(found.at["base"])
    angles = np.array([base ** (-2 * j / width) for j in range(width // 2)])
    scores = []
    for distance in range(2 * peak + 1):
        turn = (peak - distance) * angles
        key = np.stack([np.cos(turn) - np.sin(turn), np.sin(turn) + np.cos(turn)])  # (1, 1) turned by the angle
        scores.append(float(key.sum()))
    holds = bool(
        np.argmax(scores) == peak == found.witness["peak_distance"]
        and np.isclose(max(scores), float(found.witness["score_at_peak"]), rtol=1e-9)
        and np.isclose(sorted(scores)[-2], float(found.witness["next_best_score"]), rtol=1e-9)
    )
    return Check(holds=holds, says="the key turned by hand at every distance", seen={"best": float(np.argmax(scores))})


def _sharpest_row(claim: Claim) -> Check:
    """Build the row of logits that favours one key most, and a hundred random ones of the same spread."""
    at = as_bound(claim).at
    keys, spread = int(at["keys"]), float(at["spread"])
    best = np.zeros(keys)
    best[0] = spread
    random = spread * np.random.default_rng(0).random((20, keys))
    attempts = {
        "sharpest_row": float(softmax(best)[0]),
        "largest_of_random_rows": float(softmax(random, axis=1).max()),
    }
    return attacked(claim, attempts, "softmax of the row with the needle at Δ and all else at 0, and of random rows")


def _drawn_distractors(claim: Claim) -> Check:
    """Draw Gaussian distractors and take their log-sum-exp."""
    at = as_bound(claim).at
    draws = np.random.default_rng(0).normal(0.0, float(at["sigma"]), (20, int(at["keys"])))
    found = float(np.mean(logsumexp(draws, axis=1)))
    return agrees(claim, found, 0.01, "mean log-sum-exp of 20 rows of drawn Gaussian distractors")


def _flip_one_value(claim: Claim) -> Check:
    """Give one token all the attention it can have and turn its value round."""
    at = as_bound(claim).at
    logits = np.zeros(int(at["tokens"]))
    logits[0] = float(at["spread"])
    values = np.zeros(logits.size)
    values[0] = float(at["radius"])
    moved = 2 * float(softmax(logits) @ values)
    return attacked(claim, {"read_moved": moved}, "the value of the strongest key turned from R to −R")


def _explicit_state(claim: Claim) -> Check:
    """Spend the state on an explicit channel, the same for each token."""
    at = as_bound(claim).at
    error = channel_error(float(at["state_bits"]) / float(at["tokens"]), int(at["vocabulary"]))
    return attacked(claim, {"channel_error": error}, "an explicit channel that carries the same bits per token")


ENTRIES = (
    Entry(statement=CTX_1, example=lambda: exposure_by_distance(64, [0, 16, 32, 48]), confront=_count_pairs),
    Entry(statement=CTX_2, example=lambda: no_attenuation(1000, 128, 1e4), confront=_turn_the_key),
    Entry(statement=CTX_3, example=lambda: needle_weight_ceiling(128_000, 10.0), confront=_sharpest_row),
    Entry(statement=CTX_4, example=lambda: crowding_threshold(100_000, 1.0), confront=_drawn_distractors),
    Entry(statement=CTX_5, example=lambda: influence_ceiling(1000, 2.0), confront=_flip_one_value),
    Entry(statement=CTX_6, example=lambda: state_recall_floor(4000.0, 1000, 256), confront=_explicit_state),
)
