"""Every worked value of CTX-1 to CTX-6."""

import math
from functools import cache

import numpy as np
import pytest
from scipy.special import logsumexp

from hardlimit.theory.context import (
    attention_crossover,
    collapse_length,
    copyable_tokens,
    critical_sigma,
    crossover,
    crowding_gap,
    dispersion_interval,
    effective_length,
    exponential_ratio,
    first_equal_counts,
    first_negative,
    hard_threshold,
    hard_threshold_asymptotic,
    kv_bytes,
    kv_memory,
    linear_selfsim,
    margin_needed,
    max_context,
    movement_bound,
    needles_weight,
    paper_attenuation,
    partial_sums,
    rope_selfsim,
    rope_selfsim_law,
    soft_threshold,
    state_recall_error,
    tail_share,
    window_frequency,
)
from hardlimit.theory.hallucination import fano_floor
from hardlimit.theory.paper.context import scaled_logits, slow_attenuation, untrained_movement

FA, FB = window_frequency(4e11, 4096, 1400), window_frequency(1e12, 2048, 1400)
STATE = 64 * 4096 * 16 * 16
COPY = STATE / math.log2(50257)
THETA = 37.35480928841639
"""The key scale of a one-parameter retrieval head trained at 16 keys: an input of the worked example."""


def turning_points():
    g = rope_selfsim(np.arange(4096), 128, 1e4)
    return int((np.diff(np.sign(np.diff(g))) != 0).sum())


CLOSED = {
    "CTX-1.half": lambda: tail_share(2048, 1024),
    "CTX-1.third": lambda: tail_share(2048, 1365),
    "CTX-1.quarter": lambda: tail_share(2048, 1536),
    "CTX-1.fa": lambda: FA,
    "CTX-1.fb": lambda: FB,
    "CTX-1.ratio": lambda: FB / FA,
    "CTX-1.exp_ratio": lambda: exponential_ratio(4096, 500),
    "CTX-1.mstar": lambda: math.sqrt(FA * FB),
    "CTX-1.leff": lambda: effective_length(1e12, 4096, math.sqrt(FA * FB)),
    "CTX-1.eta_bound": lambda: movement_bound(3e-4, 1e6, 1e-3),
    "CTX-1.updates": lambda: untrained_movement().parts["updates"],
    **{f"CTX-2.S{d}": (lambda d=d: float(partial_sums(d, 128, 1e4).mean())) for d in (0, 1, 16, 256, 4096, 65536)},
    **{f"CTX-2.g{d}": (lambda d=d: rope_selfsim(d, 128, 1e4)) for d in (0, 1, 16, 256, 4096, 65536)},
    **{f"CTX-2.g5e5_{d}": (lambda d=d: rope_selfsim(d, 128, 5e5)) for d in (0, 1, 16, 256, 4096, 65536)},
    "CTX-2.first_neg_1e4": lambda: first_negative(128, 1e4),
    "CTX-2.first_neg_5e5": lambda: first_negative(128, 5e5),
    "CTX-2.turns": turning_points,
    **{f"CTX-2.geo{d}": (lambda d=d: rope_selfsim(d, 128, 1e4)) for d in (100, 1000)},
    **{f"CTX-2.geo_th{d}": (lambda d=d: rope_selfsim_law(d, 1e4)) for d in (100, 1000)},
    **{f"CTX-2.lem{d}": (lambda d=d: paper_attenuation(d)) for d in (100, 1000, 20)},
    **{f"CTX-2.ratio{d}": (lambda d=d: slow_attenuation(d).witness["times_as_much"]) for d in (100, 1000)},
    "CTX-2.uni20": lambda: linear_selfsim(20, 64),
    "CTX-2.uni_recur": lambda: float(np.abs(linear_selfsim(np.arange(1000, 60_001), 64)).max()),
    "CTX-3.ln2": lambda: margin_needed(2**20 + 1, 0.5) - margin_needed(2**19 + 1, 0.5),
    "CTX-3.scaled_gap10": lambda: scaled_logits(factor=1.0).witness["scaled_weight"],
    "CTX-3.scaled_gap12": lambda: scaled_logits(factor=1.2).witness["scaled_weight"],
    "CTX-3.unscaled_gap": lambda: scaled_logits().witness["unscaled_weight"],
    "CTX-3.m50": lambda: margin_needed(128_000, 0.5),
    "CTX-3.m90": lambda: margin_needed(128_000, 0.9),
    "CTX-3.m50_8k": lambda: margin_needed(8_000, 0.5),
    "CTX-3.nmax10": lambda: max_context(10, 0.5),
    "CTX-3.nmax20": lambda: max_context(20, 0.5),
    "CTX-3.theta": lambda: THETA,
    "CTX-3.b16384": lambda: dispersion_interval(16_384, THETA)[1],
    "CTX-3.mult8": lambda: needles_weight(128_000, 8, 10),
    **{f"CTX-4.soft{s}": (lambda s=s: soft_threshold(1e5, s)) for s in (1.0, 3.0, 6.0)},
    **{f"CTX-4.hard{s}": (lambda s=s: hard_threshold_asymptotic(1e5, s)) for s in (1.0, 3.0, 6.0)},
    "CTX-4.gap1": lambda: crowding_gap(1e5, 1),
    "CTX-4.crit": lambda: critical_sigma(1e5),
    "CTX-4.hard_med1": lambda: hard_threshold(1e5, 1),
    "CTX-5.bf16": lambda: collapse_length(2, 2.0**-8),
    "CTX-5.fp16": lambda: collapse_length(2, 2.0**-10),
    "CTX-5.fp32": lambda: collapse_length(2, 2.0**-23),
    "CTX-5.count_bf16": lambda: first_equal_counts(8),
    "CTX-6.kvB": lambda: kv_bytes(32, 8, 128, 2),
    "CTX-6.gib": lambda: kv_memory(32, 8, 128, tokens=131_072).value / 2**30,
    "CTX-6.ncross": lambda: crossover(8.03e9, 32, 4096),
    "CTX-6.flops_ratio": lambda: attention_crossover(8.03e9, 32, 4096, tokens=131_072).parts["attention_over_weights"],
    "CTX-6.Sbits": lambda: STATE,
    "CTX-6.ncopy": lambda: copyable_tokens(STATE, 50257),
    "CTX-6.e2x": lambda: state_recall_error(STATE, 2 * COPY, 50257),
    "CTX-6.weakcopy": lambda: fano_floor(STATE, 2 * COPY, 50257),
    "CTX-6.kv_bits_per_tok": lambda: 8 * kv_bytes(32, 8, 128, 2),
    "CTX-6.log2V": lambda: math.log2(50257),
}


@cache
def head_weight(keys, scale=1.0):
    """Mean weight on the largest of uniform keys of a head with logits scale·θ·key, over 400 rows."""
    rng = np.random.default_rng(keys)
    logits = scale * THETA * rng.random((400, keys))
    return float(np.exp(logits.max(axis=1) - logsumexp(logits, axis=1)).mean())


def dispersion_slope():
    lengths = (256, 1024, 4096, 16384)
    return float(np.polyfit(np.log(lengths), np.log([head_weight(n) for n in lengths]), 1)[0])


@cache
def score_spread(distance):
    """Standard deviation of rotary scores of 20,000 Gaussian queries and keys at a distance, over √d."""
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(2, 20_000, 64, 2))
    turn = distance * 1e4 ** (-np.arange(64) / 64)
    turned = np.stack(
        [k[..., 0] * np.cos(turn) - k[..., 1] * np.sin(turn), k[..., 0] * np.sin(turn) + k[..., 1] * np.cos(turn)],
        axis=-1,
    )
    return float((q * turned).sum(axis=(1, 2)).std() / math.sqrt(128))


@cache
def drawn_rows(sigma):
    """Mean log-sum-exp and median largest of 200 rows of 100,000 Gaussian logits."""
    rng = np.random.default_rng(0)
    rows = [rng.normal(0, sigma, 100_000) for _ in range(200)]
    return float(np.mean([logsumexp(row) for row in rows])), float(np.median([row.max() for row in rows]))


# Ours on another seed, and how far the two may differ: at least four standard errors of the difference.
SIMULATED = {
    "CTX-2.gsd0": (lambda: score_spread(0), 0.05),
    "CTX-2.gsd4096": (lambda: score_spread(4096), 0.05),
    "CTX-3.tw16": (lambda: head_weight(16), 0.06),
    "CTX-3.tw256": (lambda: head_weight(256), 0.015),
    "CTX-3.tw4096": (lambda: head_weight(4096), 0.0005),
    "CTX-3.tw16384": (lambda: head_weight(16384), 0.0001),
    "CTX-3.scaled_cont": (lambda: head_weight(16384, math.log(16384) / math.log(16)), 0.0004),
    "CTX-3.slope": (dispersion_slope, 0.03),
    **{
        f"CTX-4.sim{sigma:.1f}": (lambda sigma=sigma: drawn_rows(sigma)[0], tolerance)
        for sigma, tolerance in ((1.0, 0.002), (3.0, 0.06), (6.0, 0.7))
    },
    **{
        f"CTX-4.simmax{sigma:.1f}": (lambda sigma=sigma: drawn_rows(sigma)[1], 0.12 * sigma)
        for sigma in (1.0, 3.0, 6.0)
    },
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_form(name, expected):
    assert CLOSED[name]() == pytest.approx(expected(name), rel=1e-8, abs=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIMULATED)
def test_simulated(name, expected):
    compute, tolerance = SIMULATED[name]
    assert compute() == pytest.approx(expected(name), abs=tolerance, rel=0)


def test_every_worked_value_is_covered(assert_all_covered):
    assert_all_covered("CTX", CLOSED, SIMULATED)
