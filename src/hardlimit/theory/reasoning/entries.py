"""Worked claims about reasoning, and what each is set beside."""

import math

import numpy as np

from hardlimit.core import Claim
from hardlimit.theory.entry import Check, Entry, agrees, as_bound, attacked
from hardlimit.theory.oracles import channel_error
from hardlimit.theory.reasoning.chains import REAS_1, independent_chain
from hardlimit.theory.reasoning.composition import REAS_2, composition_floor
from hardlimit.theory.reasoning.depth import REAS_3, hops_per_pass, pointer_doubling
from hardlimit.theory.reasoning.mediation import REAS_6, chain_effect_ceiling, chain_information, intervention_effect
from hardlimit.theory.reasoning.sampling import REAS_5, best_of_k
from hardlimit.theory.reasoning.shortcut import REAS_4, shortcut_crossover

_TABLE = np.array([[0.3, 0.2], [0.2, 0.3]])
"""Two chains, equally likely; the first makes the right answer 60 % likely, the second 40 %."""


def _walk_chains(claim: Claim) -> Check:
    """Walk 200,000 chains step by step."""
    at = as_bound(claim).at
    rng = np.random.default_rng(0)
    alive = 200_000
    for _ in range(int(at["steps"])):
        alive -= int(rng.binomial(alive, float(at["step_error"])))
    return agrees(claim, alive / 200_000, 0.02, "200,000 chains walked step by step")


def _explicit_message(claim: Claim) -> Check:
    """Spend the heads' bits on an explicit channel about the entries of f."""
    bound = as_bound(claim)
    n = int(bound.at["elements"])
    error = channel_error(float(bound.parts["message_bits"]) / n, n)
    return attacked(claim, {"channel_error": error}, "an explicit channel that carries the same bits per entry")


def _double_pointers(claim: Claim) -> Check:
    """Look for the most hops that fit into the layers, and check the doubling against plain steps."""
    layers = int(as_bound(claim).at["layers"])
    f = np.random.default_rng(0).integers(0, 97, 97)
    most, plain = 0, np.arange(97)
    for hops in range(1, 200):
        plain = f[plain]
        images, rounds = pointer_doubling(f, hops)
        if not np.array_equal(images, plain):
            return Check(holds=False, says=f"doubling gives other images than {hops} plain steps")
        most = hops if rounds + 1 <= layers else most
    return agrees(claim, most, 0.0, "the most hops that pointer doubling does in one layer less, checked step by step")


def _race_codes(claim: Claim) -> Check:
    """Race the two codes 500 times until the shortcut has paid for the longer description."""
    at = as_bound(claim).at
    eta, share, extra = float(at["shortcut_error"]), float(at["share"]), float(at["extra_nats"])
    rng = np.random.default_rng(0)
    draws = rng.random((500, int(3 * as_bound(claim).value)))
    lost = np.where(draws < share * eta, -math.log(eta), np.where(draws < share, -math.log1p(-eta), 0.0))
    crossed = np.argmax(np.cumsum(lost, axis=1) >= extra, axis=1) + 1
    return agrees(claim, float(crossed.mean()), 0.03, "the mean crossing of 500 simulated pairs of codes")


def _accept_and_count(claim: Claim) -> Check:
    """Draw a million samples, let the verifier accept, and count the right ones, less four standard errors."""
    at = as_bound(claim).at
    rng = np.random.default_rng(0)
    right = rng.random(1_000_000) < float(at["right"])
    accepted = rng.random(right.size) < np.where(right, float(at["accept_right"]), float(at["accept_wrong"]))
    share = float(right[accepted].mean())
    noise = 4 * math.sqrt(share * (1 - share) / accepted.sum())
    return attacked(claim, {"accepted_and_right": share - noise}, "a million samples drawn and accepted one by one")


def _swap_the_chain(claim: Claim) -> Check:
    """Replace the chains of an explicit table by its worst one."""
    effect = max(abs(intervention_effect(_TABLE, r, 0)) for r in ([1.0, 0.0], [0.0, 1.0], [0.25, 0.75]))
    return attacked(claim, {"largest_effect": effect}, "every intervention on an explicit table of chains and answers")


ENTRIES = (
    Entry(statement=REAS_1, example=lambda: independent_chain(0.01, 100), confront=_walk_chains),
    Entry(statement=REAS_2, example=lambda: composition_floor(256, 1, 16, 32), confront=_explicit_message),
    Entry(statement=REAS_3, example=lambda: hops_per_pass(6), confront=_double_pointers),
    Entry(statement=REAS_4, example=lambda: shortcut_crossover(200.0, 1.0, 0.1), confront=_race_codes),
    Entry(statement=REAS_5, example=lambda: best_of_k(0.3, 0.9, 0.1), confront=_accept_and_count),
    Entry(statement=REAS_6, example=lambda: chain_effect_ceiling(chain_information(_TABLE)), confront=_swap_the_chain),
)
