"""How long a sweep of a million points takes for each closed form: `python bench/theory_sweeps.py`."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hardlimit.theory import context, hallucination, multimodal, rates, reasoning, retrieval

POINTS = 1_000_000
Floats = NDArray[np.float64]


def sweeps() -> dict[str, Callable[[], object]]:
    """Return one sweep of a million points per closed form."""
    unit = np.linspace(1e-6, 1 - 1e-6, POINTS)
    large: Floats = np.logspace(1, 12, POINTS)
    return {
        "error_at_rate (Newton)": lambda: rates.error_at_rate(8 * unit, 365),
        "symbol_rate": lambda: rates.symbol_rate(unit, 365),
        "chance_bound": lambda: hallucination.chance_bound(large, 1e12),
        "calibrated_floor": lambda: hallucination.calibrated_floor(unit, 0.05, 20, 1e6),
        "singleton_bounds": lambda: hallucination.singleton_bounds(0.2, 364, 364, large),
        "longtail_law": lambda: hallucination.longtail_law(large, 1.5, 5),
        "documents_needed": lambda: hallucination.documents_needed(unit, 10),
        "noisy_majority": lambda: hallucination.noisy_majority(0.5 * unit, 101),
        "margin_needed": lambda: context.margin_needed(large, 0.5),
        "max_weight": lambda: context.max_weight(large, 10),
        "max_context": lambda: context.max_context(20 * unit, 0.5),
        "soft_threshold": lambda: context.soft_threshold(large, 2),
        "hard_threshold": lambda: context.hard_threshold(large, 2),
        "collapse_length": lambda: context.collapse_length(20 * unit, 2.0**-8),
        "rope_selfsim (64 frequencies)": lambda: context.rope_selfsim(np.arange(POINTS), 128, 1e4),
        "state_recall_error (Newton)": lambda: context.state_recall_error(1e6, large, 50257),
        "beta_chain": lambda: reasoning.beta_chain(0.1, 9.9, large),
        "markov_chain": lambda: reasoning.markov_chain(unit, 0.1, 100),
        "verifier_ceiling": lambda: reasoning.verifier_ceiling(unit, 0.9, 0.1),
        "pass_at_k": lambda: reasoning.pass_at_k(0.3, 1.2, large),
        "peng_error": lambda: reasoning.peng_error(large, 66048),
        "optimal_passages": lambda: retrieval.optimal_passages(unit, 0.03),
        "entry_similarity": lambda: retrieval.entry_similarity(large, 5, 768),
        "encoder_ceiling (Newton)": lambda: multimodal.encoder_ceiling(9 * unit, 1000),
        "visual_mass": lambda: multimodal.visual_mass(576, large, 157),
        "caption_information": lambda: multimodal.caption_information(0.3, unit, 0.01),
    }


def main() -> None:
    """Print the best of three runs of each sweep, slowest first."""
    rows = []
    for name, sweep in sweeps().items():
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            sweep()
            seconds.append(time.perf_counter() - start)
        rows.append((min(seconds), name))
    start = time.perf_counter()
    hallucination.halting_times(3)
    rows.append((time.perf_counter() - start, "halting_times(3): 16,777,216 machines"))
    for best, name in sorted(rows, reverse=True):
        print(f"{best:8.3f} s  {name}")


if __name__ == "__main__":
    main()
