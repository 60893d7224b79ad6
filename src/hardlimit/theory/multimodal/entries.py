"""Worked claims about multimodal models, and what each is set beside."""

import math
from itertools import product

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import softmax

from hardlimit.core import Claim
from hardlimit.theory.entry import Check, Entry, agrees, as_bound, attacked
from hardlimit.theory.multimodal.captions import MM_6, caption_bits
from hardlimit.theory.multimodal.contrastive import MM_3, certified_information, infonce_loss
from hardlimit.theory.multimodal.dominance import MM_4, image_share
from hardlimit.theory.multimodal.encoder import MM_1, MM_2, bayes_accuracy, information_ceiling
from hardlimit.theory.multimodal.gradients import MM_5, learning_time
from hardlimit.theory.oracles import channel_error, table_bits

_JOINT = ((0.25, 0.25, 0.0), (0.0, 0.2, 0.3))


def _explicit_encoder(claim: Claim) -> Check:
    """Read the class through an explicit channel with the same information."""
    at = as_bound(claim).at
    accuracy = 1 - channel_error(float(at["bits"]), int(at["classes"]))
    return attacked(claim, {"channel_accuracy": accuracy}, "an explicit encoder with the same information")


def _every_readout(claim: Claim) -> Check:
    """Score every way to answer from the code."""
    table = np.asarray(_JOINT)
    scores = [sum(table[z, y] for z, y in enumerate(answers)) for answers in product(range(3), repeat=2)]
    return attacked(claim, {"best_readout": float(max(scores))}, "every readout of the code")


def _perfect_critic(claim: Claim) -> Check:
    """Let a critic score every positive 60 nats above every negative."""
    k = int(as_bound(claim).at["candidates"])
    report = math.log(k) - infonce_loss(60.0 * np.eye(k))
    return attacked(claim, {"reported": report}, "the estimate of a critic that makes no mistake")


def _softmax_row(claim: Claim) -> Check:
    """Build the attention row: text tokens ρ times as strong as image tokens."""
    at = as_bound(claim).at
    images = int(at["image_tokens"])
    logits = np.concatenate([np.zeros(images), np.full(int(at["text_tokens"]), math.log(float(at["ratio"])))])
    return agrees(claim, float(softmax(logits)[:images].sum()), 1e-9, "the softmax row itself")


def _integrate(claim: Claim) -> Check:
    """Integrate the growth of the mode until half of it is learned."""
    at = as_bound(claim).at
    s, tau = float(at["strength"]), float(at["time_constant"])

    times = np.linspace(0.0, 5 * tau, 50_001)
    grown = solve_ivp(lambda _, u: 2 * u * (s - u) / tau, (0.0, 5 * tau), [float(at["start"])], t_eval=times, rtol=1e-8)
    half = float(times[np.argmax(grown.y[0] >= s / 2)])
    return agrees(claim, half, 1e-3, "the mode's differential equation, integrated")


def _table_information(claim: Claim) -> Check:
    """Take the information from the table of presence and mention."""
    at = as_bound(claim).at
    pi, hit, false = float(at["present"]), float(at["mentioned"]), float(at["false_mention"])
    table = np.array([[pi * hit, pi * (1 - hit)], [(1 - pi) * false, (1 - pi) * (1 - false)]])
    return agrees(claim, table_bits(table), 1e-9, "mutual information summed over the table")


ENTRIES = (
    Entry(statement=MM_1, example=lambda: information_ceiling(5.0, 1000), confront=_explicit_encoder),
    Entry(statement=MM_2, example=lambda: bayes_accuracy(_JOINT), confront=_every_readout),
    Entry(statement=MM_3, example=lambda: certified_information(16, 20 * math.log(2)), confront=_perfect_critic),
    Entry(statement=MM_4, example=lambda: image_share(576, 100, 157), confront=_softmax_row),
    Entry(statement=MM_5, example=lambda: learning_time(4.0, 0.01), confront=_integrate),
    Entry(statement=MM_6, example=lambda: caption_bits(0.3, 0.2, 0.01), confront=_table_information),
)
