"""How long a sweep of a million points takes for each closed form: `python bench/theory_sweeps.py`."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hardlimit.theory import context as c
from hardlimit.theory import extremes, rates
from hardlimit.theory import hallucination as h
from hardlimit.theory import multimodal as m
from hardlimit.theory import reasoning as r
from hardlimit.theory import retrieval as q

POINTS = 1_000_000
RUNS = 3
LIMIT = 1.0
"""Seconds of processor time that a sweep may take."""
Floats = NDArray[np.float64]
UNIT: Floats = np.linspace(1e-6, 1 - 1e-6, POINTS)
HALF = UNIT / 2
LARGE: Floats = np.logspace(1, 12, POINTS)
STEPS = np.arange(1.0, POINTS + 1)

SWEEPS: dict[str, tuple[tuple[Callable[..., object], tuple[object, ...]], ...]] = {
    "rates and extremes": (
        (rates.binary_entropy, (UNIT,)), (rates.symbol_rate, (UNIT, 365)), (rates.error_at_rate, (8 * UNIT, 365)),
        (extremes.median_of_largest, (LARGE,)), (extremes.typical_largest, (LARGE,)),
    ),
    "hallucination": (
        (h.chance_bound, (LARGE, 1e12)), (h.error_floor, (8 * UNIT, 1, 365)), (h.fano_floor, (8 * UNIT, 1, 365)),
        (h.bits_needed, (1e6, 365, UNIT)), (h.params_needed, (1e6, 365, UNIT, 2)), (h.log2_all_right, (LARGE, 1e6)),
        (h.simple_table_share, (20 * UNIT, 20)), (h.log10_inputs, (STEPS, 50257)),
        (h.good_turing_half_width, (LARGE, 0.05)), (h.mcallester_schapire_width, (LARGE, 0.05)),
        (h.calibrated_floor, (UNIT, 0.05, 20, 1e6)), (h.validity_floor, (UNIT, 1, 100, 0.02)),
        (h.singleton_bounds, (0.2, 364, 364, LARGE)), (h.multiple_choice_floor, (4, HALF)),
        (h.longtail_law, (LARGE, 1.5, 5)), (h.data_exponent, (1 + UNIT,)), (h.data_multiplier, (LARGE, 1.5)),
        (h.documents_needed, (UNIT, 10)), (h.noisy_majority, (HALF, 101)), (h.noisy_majority_bound, (HALF, 101)),
        (h.mean_error_draws, (1000, HALF)), (h.coupon_draws, (1000, UNIT)), (h.penalty, (UNIT,)),
        (h.chow_score, (HALF, HALF, 0.5)), (h.best_threshold, (LARGE, 1.0)),
        (h.novelty_hallucination, (10_000, 1_000, 500, UNIT)),
        (h.tempered_validity, ([-1.0, -2.0], [True, False], LARGE)),
    ),
    "context": (
        (c.margin_needed, (LARGE, 0.5)), (c.max_weight, (LARGE, 10)), (c.max_context, (20 * UNIT, 0.5)),
        (c.dispersion_interval, (LARGE, 10)), (c.needles_weight, (LARGE, 8, 10)), (c.spread_allowed, (LARGE, 1, 128)),
        (c.weight_at_margin, (20 * UNIT,)), (c.critical_sigma, (LARGE,)), (c.soft_threshold, (LARGE, 2)),
        (c.hard_threshold, (LARGE, 2)), (c.hard_threshold_asymptotic, (LARGE, 2)), (c.crowding_gap, (LARGE, 2)),
        (c.influence_bound, (LARGE, 2)), (c.collapse_length, (20 * UNIT, 2.0**-8)),
        (c.rope_selfsim, (STEPS, 128, 1e4)), (c.linear_selfsim, (STEPS, 64)), (c.rope_selfsim_law, (STEPS, 1e4)),
        (c.paper_attenuation, (STEPS,)), (c.window_frequency, (1e12, 2e6, STEPS)), (c.tail_share, (2e6, STEPS)),
        (c.exponential_ratio, (STEPS, 500)), (c.effective_length, (1e12, 4096, LARGE)),
        (c.movement_bound, (3e-4, LARGE, 1e-3)), (c.kv_bytes, (32, 8, 128, STEPS)), (c.crossover, (LARGE, 32, 4096)),
        (c.state_recall_error, (1e6, LARGE, 50257)), (c.copyable_tokens, (LARGE, 50257)),
    ),
    "reasoning": (
        (r.chain_success, (UNIT, 100)), (r.half_life, (UNIT,)), (r.step_error_for, (UNIT, 100)),
        (r.beta_chain, (0.1, 9.9, LARGE)), (r.markov_chain, (UNIT, 0.1, 100)),
        (r.verified_step_error, (UNIT, 0.95, 0.1)), (r.log_loss_regret, (1000, LARGE, 0.05)),
        (r.message_bits, (STEPS, 64, 16)), (r.peng_error, (LARGE, 66048)), (r.index_error, (LARGE, 66048)),
        (r.store_and_guess_error, (LARGE, 66048)), (r.thought_steps, (LARGE, 12288)), (r.layers_for_hops, (STEPS,)),
        (r.hops_for_layers, (np.ones(POINTS),)), (r.loss_gap, (UNIT, 0.1)), (r.accuracy_gap, (UNIT, 0.1)),
        (r.crossover_tokens, (200, UNIT, 0.1)), (r.verifier_ceiling, (UNIT, 0.9, 0.1)),
        (r.pass_at_k, (0.3, 1.2, LARGE)), (r.chain_effect_bound, (UNIT,)), (r.information_needed, (UNIT,)),
        (r.cases_per_arm, (HALF, 0.9)),
    ),
    "retrieval": (
        (q.rag_accuracy, (UNIT, 0.9, 0.2)), (q.break_even_recall, (UNIT, 0.2, 0.9)), (q.coupling_interval, (UNIT, 0.7)),
        (q.coupling_deviation, (UNIT, 0.7)), (q.reader_accuracy, (STEPS, 0.3, 0.03)),
        (q.optimal_passages, (UNIT, 0.03)), (q.gap_for_half, (LARGE,)), (q.largest_cosine, (LARGE, 768)),
        (q.coherence_width, (LARGE, 2)), (q.subset_bits, (LARGE, 5)), (q.hops_to_orthogonal, (UNIT,)),
        (q.entry_similarity, (LARGE, 5, 768)),
    ),
    "multimodal": (
        (m.encoder_ceiling, (9 * UNIT, 1000)), (m.fano_ceiling, (9 * UNIT, 1000)), (m.code_ceiling, (STEPS, 1000)),
        (m.codebook_bits, (STEPS, 8192)), (m.most_characters, (LARGE, 64)), (m.patches, (STEPS + 14, 14)),
        (m.collision_floor, (UNIT,)), (m.nearest_neighbour_floor, (HALF, 10)), (m.infonce_cap, (LARGE,)),
        (m.batch_needed, (20 * UNIT,)), (m.visual_mass, (576, LARGE, 157)), (m.image_influence, (UNIT,)),
        (m.ratio_needed, (UNIT,)), (m.prior_overturned, (LARGE,)), (m.atypical_posterior, (UNIT, 20)),
        (m.half_time, (LARGE, 0.01)), (m.margin_share, (UNIT, 1)), (m.caption_information, (0.3, UNIT, 0.01)),
        (m.present_if_unmentioned, (0.3, UNIT, 0.01)), (m.present_if_mentioned, (0.3, UNIT, 0.01)),
        (m.accuracy_shift, (UNIT,)), (m.mean_shift, (UNIT,)), (m.normal_divergence, (UNIT, 4)),
        (m.effective_exponent, (LARGE, m.ScalingTerms(first=1, first_exponent=0.3, second=0.2, second_exponent=0.1))),
    ),
}  # fmt: skip


def main() -> int:
    """Print the best run of each sweep, slowest first; leave with 1 if one takes longer than it may."""
    rows = []
    for room, sweeps in SWEEPS.items():
        for function, arguments in sweeps:
            rows.append((best_of(partial(function, *arguments)), f"{room}: {getattr(function, '__name__', function)}"))
    for best, name in sorted(rows, reverse=True)[:15]:
        print(f"{best:8.3f} s  {name}")
    slow = [name for best, name in rows if best > LIMIT]
    print(f"{len(rows)} closed forms over {POINTS:,} points; {len(rows) - len(slow)} within {LIMIT:g} s each.")
    print(f"{best_of(partial(h.halting_times, 3)):8.3f} s  halting times of 16,777,216 machines")
    return 1 if slow else 0


def best_of(sweep: Callable[[], object]) -> float:
    """Return the least processor time of a few runs: what others do on the machine does not count."""
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        sweep()
        seconds.append(time.process_time() - start)
    return min(seconds)


if __name__ == "__main__":
    raise SystemExit(main())
