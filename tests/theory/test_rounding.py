"""Numerical error only loosens: every inequality is compared with the same formula in 60 digits.

The reference formulas are written out again here, in mpmath, from the statements; arguments are drawn at random.
"""

import math

import mpmath as mp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardlimit.theory.bounding import sum_below
from hardlimit.theory.context import (
    collapse,
    context_ceiling,
    gap_needed,
    influence_ceiling,
    margin_floor,
    needle_weight_ceiling,
    state_recall_floor,
)
from hardlimit.theory.hallucination import (
    arbitrary_facts_ceiling,
    arbitrary_facts_floor,
    calibrated_hallucination,
    error_floor_weighted,
    exposure_floor,
    fact_error_floor,
    generation_error,
    hardest_target,
    score_ceiling,
    storable_facts,
)
from hardlimit.theory.multimodal import (
    certified_information,
    collision_error,
    evidence_floor,
    information_ceiling,
    shift_ceiling,
)
from hardlimit.theory.reasoning import best_of_k, chain_effect_ceiling, composition_floor, dependent_chain
from hardlimit.theory.retrieval import drift_floor

mp.mp.dps = 60
unit = st.floats(0, 1)
inner = st.floats(1e-6, 1 - 1e-6)


def number(x):
    return mp.mpf(x)


def rate(e, q):
    """R_q(e) in bits, in 60 digits."""
    if e == 0:
        return mp.log(q, 2)
    entropy = -e * mp.log(e, 2) - (1 - e) * mp.log(1 - e, 2)
    return mp.log(q, 2) - entropy - e * mp.log(q - 1, 2)


def least_error(bits, q):
    """R_q⁻¹ in 60 digits."""
    q, bits = number(q), number(bits)
    if bits >= mp.log(q, 2):
        return number(0)
    low, high = number(0), 1 - 1 / q
    for _ in range(180):
        middle = (low + high) / 2
        low, high = (middle, high) if rate(middle, q) > bits else (low, middle)
    return low


CASES = {
    "HALL-1": (
        {"log_models": st.floats(0, 1e12), "queries": st.integers(1, 10**15), "labels": st.integers(2, 50)},
        hardest_target,
        lambda log_models, queries, labels: 1 / number(labels) + mp.sqrt(number(log_models) / (2 * queries)),
    ),
    "HALL-3": (
        {"bits": st.floats(0, 1e6), "facts": st.integers(1, 10**6), "values": st.integers(2, 10**6)},
        fact_error_floor,
        lambda bits, facts, values: least_error(number(bits) / facts, values),
    ),
    "HALL-3 capacity": (
        {"parameters": st.floats(1, 1e13), "bits_per_parameter": st.floats(0.1, 8), "values": st.integers(2, 10**6)},
        storable_facts,
        lambda parameters, bits_per_parameter, values: (
            number(parameters) * number(bits_per_parameter) / mp.log(values, 2)
        ),
    ),
    "HALL-6": (
        {"seen_once": unit, "miscalibration": unit, "sparsity": st.floats(1, 40), "facts": st.integers(1, 10**9),
         "delta": inner},
        calibrated_hallucination,
        lambda seen_once, miscalibration, sparsity, facts, delta: (
            number(seen_once) - number(miscalibration) - 3 * mp.exp(-number(sparsity)) / number(delta)
            - mp.sqrt(6 * mp.log(6 / number(delta)) / facts)
        ),
    ),
    "HALL-7": (
        {"validity_error": unit, "largest_valid": st.integers(1, 99), "smallest_invalid": st.integers(1, 10**6),
         "calibration_gap": unit},
        generation_error,
        lambda validity_error, largest_valid, smallest_invalid, calibration_gap: (
            2 * number(validity_error) - number(largest_valid) / smallest_invalid - number(calibration_gap)
        ),
    ),
    "HALL-8": (
        {"seen_once": unit, "smallest_invalid": st.integers(1, 10**6), "examples": st.integers(1, 10**12), "gap": unit},
        arbitrary_facts_floor,
        lambda seen_once, smallest_invalid, examples, gap: (
            number(seen_once) - number(2) / smallest_invalid
            - (35 + 6 * mp.log(examples)) / mp.sqrt(examples) - number(gap)
        ),
    ),
    "HALL-8 upper": (
        {"seen_once": unit, "largest_invalid": st.integers(1, 10**6), "examples": st.integers(1, 10**12)},
        arbitrary_facts_ceiling,
        lambda seen_once, largest_invalid, examples: (
            number(seen_once) * (1 - number(1) / (largest_invalid + 1)) + 13 / mp.sqrt(examples)
        ),
    ),
    "HALL-9": (
        {"frequency": st.floats(1e-12, 1), "delta": inner},
        lambda frequency, delta: exposure_floor(frequency, 1, delta),
        lambda frequency, delta: -mp.log(number(delta)) / number(frequency),
    ),
    "HALL-10": (
        {"confidences": st.lists(unit, min_size=1, max_size=20), "threshold": st.floats(0, 0.99)},
        score_ceiling,
        lambda confidences, threshold: (
            mp.fsum(max(number(0), number(p) - number(threshold)) for p in confidences)
            / len(confidences) / (1 - number(threshold))
        ),
    ),
    "CTX-3 gap": (
        {"keys": st.integers(2, 10**12), "weight": inner},
        gap_needed,
        lambda keys, weight: mp.log(keys - 1) + mp.log(number(weight) / (1 - number(weight))),
    ),
    "CTX-3 margin": (
        {"weight": inner}, margin_floor, lambda weight: mp.log(number(weight) / (1 - number(weight))),
    ),
    "CTX-3 weight": (
        {"keys": st.integers(1, 10**12), "spread": st.floats(0, 60)},
        needle_weight_ceiling,
        lambda keys, spread: mp.exp(number(spread)) / (mp.exp(number(spread)) + keys - 1),
    ),
    "CTX-3 context": (
        {"spread": st.floats(0, 60), "weight": inner},
        context_ceiling,
        lambda spread, weight: 1 + mp.exp(number(spread)) * (1 - number(weight)) / number(weight),
    ),
    "CTX-5": (
        {"tokens": st.integers(1, 10**12), "spread": st.floats(0, 60), "radius": st.floats(0, 100)},
        influence_ceiling,
        lambda tokens, spread, radius: (
            2 * number(radius) * mp.exp(number(spread)) / (mp.exp(number(spread)) + tokens - 1)
        ),
    ),
    "CTX-5 collapse": (
        {"spread": st.floats(0, 60)}, collapse, lambda spread: 1 + mp.exp(number(spread)) * (number(2) ** 9 - 1),
    ),
    "CTX-6": (
        {"state_bits": st.floats(0, 1e6), "tokens": st.integers(1, 10**5), "vocabulary": st.integers(2, 10**5)},
        state_recall_floor,
        lambda state_bits, tokens, vocabulary: least_error(number(state_bits) / tokens, vocabulary),
    ),
    "REAS-1": (
        {"step_errors": st.lists(unit, min_size=1, max_size=20)},
        lambda step_errors: dependent_chain(step_errors)[0],
        lambda step_errors: 1 - mp.fsum(number(e) for e in step_errors),
    ),
    "REAS-1 upper": (
        {"step_errors": st.lists(unit, min_size=1, max_size=20)},
        lambda step_errors: dependent_chain(step_errors)[1],
        lambda step_errors: 1 - max(number(e) for e in step_errors),
    ),
    "REAS-2": (
        {"elements": st.integers(2, 10**5), "heads": st.integers(1, 64), "head_width": st.integers(1, 256)},
        composition_floor,
        lambda elements, heads, head_width: least_error(number(heads * (head_width + 1) * 16) / elements, elements),
    ),
    "REAS-5": (
        {"right": inner, "accept_right": inner, "accept_wrong": unit},
        best_of_k,
        lambda right, accept_right, accept_wrong: 1 / (
            1 + (1 - number(right)) * number(accept_wrong) / (number(right) * number(accept_right))
        ),
    ),
    "REAS-6": (
        {"information": st.floats(0, 3), "kappa": st.floats(1, 5)},
        chain_effect_ceiling,
        lambda information, kappa: max(number(1), number(kappa) - 1) * mp.sqrt(number(information) / 2),
    ),
    "RETR-5": (
        {"cosine": st.floats(-1, 1), "hops": st.integers(1, 50)},
        drift_floor,
        lambda cosine, hops: mp.cos(min(mp.pi, hops * mp.acos(number(cosine)))),
    ),
    "MM-1": (
        {"bits": st.floats(0, 20), "classes": st.integers(2, 10**6)},
        information_ceiling,
        lambda bits, classes: 1 - least_error(bits, classes),
    ),
    "MM-2": ({"mass": unit}, collision_error, lambda mass: number(mass) / 2),
    "MM-3": ({"candidates": st.integers(1, 10**12)}, certified_information, lambda candidates: mp.log(candidates)),
    "MM-4": (
        {"prior": st.floats(0, 1 - 1e-9)}, evidence_floor, lambda prior: number(prior) / (1 - number(prior)),
    ),
    "MM-6": ({"kl": st.floats(0, 5)}, shift_ceiling, lambda kl: mp.sqrt(number(kl) / 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_bound_is_on_the_loose_side_and_close(name, data):
    strategies, make, reference = CASES[name]
    arguments = {argument: data.draw(strategy, label=argument) for argument, strategy in strategies.items()}
    bound, truth = make(**arguments), reference(**arguments)
    low, high = bound.quantity.low, bound.quantity.high
    cut = min(max(truth, -mp.inf if low is None else low), mp.inf if high is None else high)
    if bound.side == "upper":
        assert number(bound.value) >= cut
        # Inverting a rate near zero bits loses the square root of the slack, about 10⁻⁷.
        assert bound.value <= float(cut) * (1 + 1e-9) + 3e-7
    else:
        assert number(bound.value) <= cut
        assert bound.value >= float(cut) * (1 - 1e-9) - 3e-7


@given(st.floats(0.01, 0.99), st.integers(1, 5))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_answers_at_the_threshold_are_worth_nothing_and_not_less(threshold, questions):
    # Gain and penalty cancel here: summed as they stand, they can come out at −10⁻¹⁶, below what abstaining gives.
    assert score_ceiling([threshold] * questions, threshold).value >= 0


def test_sums_that_cancel_are_rounded_down():
    terms = (0.1, 0.2, -0.3)
    assert sum_below(*terms) < 0 < math.fsum(terms) or math.fsum(terms) <= 0


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=6), st.floats(0, 12))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_weighted_floor_is_below_every_other_way_to_spend_the_bits(weights, bits):
    # Against the dual bound: random and even allocations of the same bits must not be better.
    from hardlimit.theory.rates import error_at_rate, symbol_rate

    total, each = error_floor_weighted(bits, weights, 4)
    share = [w / sum(weights) for w in weights]
    assert sum(symbol_rate(float(e), 4) for e in each) <= bits + 1e-6
    even = sum(w * error_at_rate(bits / len(weights), 4) for w in share)
    by_weight = sum(w * error_at_rate(bits * w, 4) for w in share)
    assert total <= even + 1e-6 and total <= by_weight + 1e-6
    assert total == pytest.approx(sum(w * float(e) for w, e in zip(share, each, strict=True)), abs=1e-6)
