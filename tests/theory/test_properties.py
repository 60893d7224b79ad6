"""Invariants of the closed forms: monotone where theory says so, inside their range, right in the limits.

Each row names a function, the domain of every argument, the direction in which each argument moves the result, and the
range of results. Arguments are drawn on a logarithmic scale where their domain spans many decades.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardlimit.theory import context, hallucination, multimodal, rates, reasoning, retrieval

UNIT = (0.0, 1.0)


@dataclass(frozen=True)
class Law:
    function: Callable[..., float]
    domain: dict[str, tuple[float, float]]
    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    range: tuple[float, float] = (-math.inf, math.inf)
    whole: tuple[str, ...] = field(default=())


LAWS = {
    "h2": Law(rates.binary_entropy, {"p": (0, 0.5)}, up=("p",), range=UNIT),
    "rate": Law(rates.symbol_rate, {"error": UNIT, "values": (2, 1e6)}, up=("values",), down=("error",), range=(0, 20)),
    "inverse rate": Law(
        rates.error_at_rate, {"bits": (0, 20), "values": (2, 1e6)}, up=("values",), down=("bits",), range=UNIT
    ),
    "HALL-1": Law(
        hallucination.chance_bound,
        {"log_models": (0, 1e12), "queries": (1, 1e15), "labels": (2, 100)},
        up=("log_models",), down=("queries", "labels"), range=UNIT, whole=("labels",),
    ),
    "HALL-3": Law(
        hallucination.error_floor,
        {"bits": (0, 1e12), "facts": (1, 1e12), "values": (2, 1e6)},
        up=("facts", "values"), down=("bits",), range=UNIT,
    ),
    "HALL-3 Fano": Law(
        hallucination.fano_floor,
        {"bits": (0, 1e12), "facts": (1, 1e12), "values": (2, 1e6)},
        up=("facts", "values"), down=("bits",), range=UNIT,
    ),
    "HALL-3 parameters": Law(
        hallucination.params_needed,
        {"facts": (1, 1e12), "values": (2, 1e6), "error": UNIT, "bits_per_parameter": (0.1, 10)},
        up=("facts", "values"), down=("error", "bits_per_parameter"), range=(0, math.inf),
    ),
    "HALL-3 all right": Law(
        hallucination.log2_all_right,
        {"bits": (0, 1e6), "facts": (1, 1e6), "values": (2, 1e3)},
        up=("bits",), down=("facts", "values"), range=(-math.inf, 0),
    ),
    "HALL-4": Law(
        hallucination.log10_inputs, {"window": (1, 1e6), "vocabulary": (1, 1e6)}, up=("window", "vocabulary"),
        range=(0, math.inf),
    ),
    "HALL-5": Law(
        hallucination.good_turing_half_width, {"draws": (1, 1e12), "delta": (1e-9, 0.99)}, down=("draws", "delta"),
        range=(0, math.inf),
    ),
    "HALL-6": Law(
        hallucination.calibrated_floor,
        {"seen_once": UNIT, "miscalibration": UNIT, "sparsity": (0.1, 50), "facts": (1, 1e12), "delta": (1e-6, 0.9)},
        up=("seen_once", "sparsity", "facts", "delta"), down=("miscalibration",), range=(-math.inf, 1),
    ),
    "HALL-7": Law(
        hallucination.validity_floor,
        {"validity_error": UNIT, "largest_valid": (1, 1e6), "smallest_invalid": (1, 1e6), "calibration_gap": UNIT},
        up=("validity_error", "smallest_invalid"), down=("largest_valid", "calibration_gap"), range=(-math.inf, 2),
    ),
    "HALL-8": Law(
        lambda **a: hallucination.singleton_bounds(**a)[0],
        {"seen_once": UNIT, "smallest_invalid": (1, 1e6), "largest_invalid": (1, 1e6), "examples": (10, 1e12),
         "gap": UNIT},
        up=("seen_once", "smallest_invalid", "examples"), down=("gap",), range=(-math.inf, 1),
    ),
    "HALL-8 upper": Law(
        lambda **a: hallucination.singleton_bounds(**a)[1],
        {"seen_once": UNIT, "smallest_invalid": (1, 1e6), "largest_invalid": (1, 1e6), "examples": (10, 1e12)},
        up=("seen_once", "largest_invalid"), down=("examples",), range=(0, math.inf),
    ),
    "HALL-8 choices": Law(
        hallucination.multiple_choice_floor,
        {"choices": (2, 1000), "best_threshold_error": (0, 0.5)},
        up=("choices", "best_threshold_error"), range=UNIT, whole=("choices",),
    ),
    "HALL-9": Law(
        hallucination.longtail_error,
        {"draws": (0, 1e9), "exponent": (1.1, 4), "exposures": (1, 50)},
        up=("exposures",), down=("draws",), range=UNIT, whole=("exposures",),
    ),
    "HALL-9 multiplier": Law(
        hallucination.data_multiplier, {"error_ratio": (1, 100), "exponent": (1.1, 4)}, up=("error_ratio",),
        down=("exponent",), range=(1, math.inf),
    ),
    "HALL-9 documents": Law(
        hallucination.documents_needed,
        {"frequency": (1e-12, 1), "exposures": (1, 1000), "delta": (1e-6, 0.9)},
        up=("exposures",), down=("frequency", "delta"), range=(0, math.inf), whole=("exposures",),
    ),
    "HALL-9 majority": Law(
        hallucination.noisy_majority, {"flip": (0, 0.5), "votes": (1, 400)}, up=("flip",), down=("votes",),
        range=(0, 0.5), whole=("votes",),
    ),
    "HALL-10": Law(hallucination.penalty, {"threshold": (0, 0.999)}, up=("threshold",), range=(0, math.inf)),
    "HALL-10 score": Law(
        hallucination.chow_score, {"right": UNIT, "wrong": UNIT, "threshold": (0, 0.99)}, up=("right",),
        down=("wrong", "threshold"), range=(-100, 1),
    ),
    "CTX-1": Law(
        context.tail_share, {"window": (1, 1e6), "distance": (0, 1e6)}, up=("window",), down=("distance",), range=UNIT
    ),
    "CTX-1 length": Law(
        context.effective_length, {"tokens": (1, 1e13), "window": (1, 1e6), "needed": (0, 1e13)}, up=("tokens",),
        down=("needed",), range=(0, 1e6),
    ),
    "CTX-3 margin": Law(
        context.margin_needed, {"keys": (2, 1e12), "weight": (0.001, 0.999)}, up=("keys", "weight")
    ),
    "CTX-3 weight": Law(
        context.max_weight, {"keys": (1, 1e12), "gap": (-100, 100)}, up=("gap",), down=("keys",), range=UNIT
    ),
    "CTX-3 context": Law(
        context.max_context, {"spread": (0, 700), "weight": (0.001, 0.999)}, up=("spread",), down=("weight",),
        range=(1, math.inf),
    ),
    "CTX-4 soft": Law(
        context.soft_threshold, {"keys": (2, 1e12), "sigma": (0, 50)}, up=("keys", "sigma"), range=(0, math.inf)
    ),
    "CTX-4 hard": Law(
        context.hard_threshold, {"keys": (2, 1e12), "sigma": (0, 50)}, up=("keys", "sigma"), range=(0, math.inf)
    ),
    "CTX-4 gap": Law(
        context.crowding_gap, {"keys": (2, 1e12), "sigma": (0, 50)}, down=("sigma",), range=(-1e-9, math.inf)
    ),
    "CTX-5": Law(
        context.influence_bound, {"tokens": (1, 1e12), "spread": (0, 50), "radius": (0, 10)}, up=("spread", "radius"),
        down=("tokens",), range=(0, 20),
    ),
    "CTX-5 collapse": Law(
        context.collapse_length, {"spread": (0, 50), "spacing": (1e-16, 1)}, up=("spread",), down=("spacing",),
        range=(1, math.inf),
    ),
    "CTX-6": Law(
        context.state_recall_error,
        {"state_bits": (0, 1e12), "tokens": (1, 1e9), "vocabulary": (2, 1e6)},
        up=("tokens", "vocabulary"), down=("state_bits",), range=UNIT,
    ),
    "CTX-6 crossover": Law(
        context.crossover, {"parameters": (1, 1e13), "layers": (1, 200), "attention_width": (1, 1e5)},
        up=("parameters",), down=("layers", "attention_width"), range=(0, math.inf),
    ),
    "REAS-1": Law(
        reasoning.chain_success, {"step_error": UNIT, "steps": (0, 1e6)}, down=("step_error", "steps"), range=UNIT
    ),
    "REAS-1 Beta": Law(
        reasoning.beta_chain, {"a": (0.01, 10), "b": (0.01, 100), "steps": (0, 1e6)}, up=("b",), down=("a", "steps"),
        range=(0, 1 + 1e-9),
    ),
    "REAS-1 recovery": Law(
        reasoning.markov_chain, {"step_error": (0, 0.5), "recovery": (0, 0.5), "steps": (0, 1000)}, up=("recovery",),
        down=("step_error", "steps"), range=UNIT, whole=("steps",),
    ),
    "REAS-1 verified": Law(
        reasoning.verified_step_error,
        {"step_error": (0, 0.99), "accept_right": (0.01, 1), "accept_wrong": UNIT},
        up=("step_error", "accept_wrong"), down=("accept_right",), range=UNIT,
    ),
    "REAS-2": Law(reasoning.index_error, {"elements": (2, 1e6), "bits": (0, 1e7)}, up=("elements",), down=("bits",),
                  range=UNIT),
    "REAS-2 Peng": Law(
        reasoning.peng_error, {"elements": (2, 1e6), "bits": (0, 1e7)}, up=("elements",), down=("bits",),
        range=(0, 1 / 3),
    ),
    "REAS-3": Law(reasoning.layers_for_hops, {"hops": (1, 1e12)}, up=("hops",), range=(2, 50)),
    "REAS-4": Law(
        reasoning.crossover_tokens, {"extra_nats": (0, 1e9), "share": (1e-9, 1), "shortcut_error": (1e-6, 0.5)},
        up=("extra_nats",), down=("share", "shortcut_error"), range=(0, math.inf),
    ),
    "REAS-5": Law(
        reasoning.verifier_ceiling,
        {"right": (0.01, 1), "accept_right": (0.01, 1), "accept_wrong": UNIT},
        up=("right", "accept_right"), down=("accept_wrong",), range=UNIT,
    ),
    "REAS-5 coverage": Law(
        reasoning.pass_at_k, {"a": (0.01, 10), "b": (0.01, 10), "samples": (0, 1e6)}, up=("a", "samples"), down=("b",),
        range=(-1e-9, 1),
    ),
    "REAS-6": Law(
        reasoning.chain_effect_bound, {"information": (0, 5), "kappa": (1, 10)}, up=("information", "kappa"), range=UNIT
    ),
    "RETR-1": Law(
        retrieval.rag_accuracy, {"recall": UNIT, "with_gold": UNIT, "without_gold": UNIT},
        up=("with_gold", "without_gold"), range=UNIT,
    ),
    "RETR-2": Law(
        retrieval.reader_accuracy, {"passages": (1, 1000), "hit": UNIT, "distraction": UNIT}, up=("hit",),
        down=("distraction",), range=UNIT,
    ),
    "RETR-3": Law(
        retrieval.recall_at_k, {"gap": (-3, 8), "corpus": (10, 1e9), "passages": (1, 10)}, up=("gap", "passages"),
        down=("corpus",), range=UNIT, whole=("passages",),
    ),
    "RETR-3 cosine": Law(
        retrieval.largest_cosine, {"corpus": (1, 1e12), "width": (1, 1e4)}, up=("corpus",), down=("width",),
        range=(0, math.inf),
    ),
    "RETR-4": Law(
        retrieval.coherence_width, {"documents": (2, 1e12), "size": (1, 100)}, up=("documents", "size"),
        range=(0, math.inf),
    ),
    "RETR-5": Law(retrieval.hops_to_orthogonal, {"cosine": (-1, 0.999)}, up=("cosine",), range=(0.5, math.inf)),
    "RETR-6": Law(
        retrieval.entry_similarity, {"corpus": (101, 1e12), "passages": (1, 100), "width": (1, 1e4)}, up=("corpus",),
        down=("passages",),
    ),
    "RETR-6 certificate": Law(
        retrieval.certified_chance, {"passages": (1, 60), "accuracy": UNIT, "replacements": (0, 10)}, up=("accuracy",),
        down=("replacements",), range=UNIT, whole=("passages", "replacements"),
    ),
    "MM-1": Law(
        multimodal.encoder_ceiling, {"bits": (0, 20), "classes": (2, 1e6)}, up=("bits",), down=("classes",), range=UNIT
    ),
    "MM-2": Law(
        multimodal.nearest_neighbour_floor, {"error": (0, 0.5), "classes": (2, 1000)}, up=("error",), down=("classes",),
        range=(0, 0.5),
    ),
    "MM-3": Law(multimodal.infonce_cap, {"candidates": (1, 1e12)}, up=("candidates",), range=(0, math.inf)),
    "MM-4": Law(
        multimodal.visual_mass, {"image_tokens": (1, 1e5), "text_tokens": (0, 1e6), "ratio": (0.01, 1000)},
        up=("image_tokens",), down=("text_tokens", "ratio"), range=UNIT,
    ),
    "MM-4 posterior": Law(
        multimodal.atypical_posterior, {"prior": UNIT, "ratio": (0.01, 1e6)}, up=("ratio",), down=("prior",), range=UNIT
    ),
    "MM-5": Law(
        multimodal.half_time, {"strength": (1, 100), "start": (1e-9, 0.5), "time_constant": (0.1, 10)},
        up=("time_constant",), down=("start",), range=(-1e-9, math.inf),
    ),
    "MM-6": Law(multimodal.accuracy_shift, {"kl": (0, 10)}, up=("kl",), range=UNIT),
    "MM-6 captions": Law(
        multimodal.caption_information, {"present": UNIT, "mentioned": UNIT}, up=("mentioned",), range=UNIT
    ),
}  # fmt: skip


def point(law: Law, name: str, where: float) -> float:
    """Return an argument's value at a place in [0, 1] of its domain, logarithmically over many decades."""
    low, high = law.domain[name]
    value = low * (high / low) ** where if low > 0 and high / low > 50 else low + (high - low) * where
    value = min(max(value, low), high)
    return round(value) if name in law.whole else value


@pytest.mark.parametrize("name", LAWS)
@given(data=st.data())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_monotone_and_in_range(name, data):
    law = LAWS[name]
    places = {argument: data.draw(st.floats(0, 1), label=argument) for argument in law.domain}
    arguments = {argument: point(law, argument, place) for argument, place in places.items()}
    value = float(law.function(**arguments))
    slack = 1e-9 * max(1.0, abs(value)) if math.isfinite(value) else 0.0
    assert law.range[0] - slack <= value <= law.range[1] + slack
    for argument in (*law.up, *law.down):
        further = data.draw(st.floats(places[argument], 1), label=f"further {argument}")
        other = float(law.function(**{**arguments, argument: point(law, argument, further)}))
        low, high = (value, other) if argument in law.up else (other, value)
        assert low <= high + 1e-9 * max(1.0, abs(high) if math.isfinite(high) else 1.0), (
            f"{argument} moves it the wrong way"
        )


SCALARS_ONLY = {"HALL-9", "RETR-3", "RETR-6 certificate"}


@pytest.mark.parametrize("name", sorted(set(LAWS) - SCALARS_ONLY))
def test_arrays_give_what_scalars_give(name):
    law = LAWS[name]
    rng = np.random.default_rng(0)
    columns = {a: np.array([point(law, a, u) for u in rng.random(50)], dtype=float) for a in law.domain}
    together = np.asarray(law.function(**columns))
    alone = [float(law.function(**{a: column[i] for a, column in columns.items()})) for i in range(50)]
    assert together.shape == (50,) and together.dtype == np.float64
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=0)


@given(error=st.floats(1e-9, 0.99), log_q=st.floats(1, 40))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_inverse_rate_inverts(error, log_q):
    q = 2.0**log_q
    error = error * (1 - 1 / q)
    back = rates.error_at_rate(rates.symbol_rate(error, q), q)
    # The inverse may only be too small, and by no more than the slack of 2⁻⁴⁶ of the full rate explains.
    assert back <= error * (1 + 1e-12)
    assert rates.symbol_rate(back, q) - rates.symbol_rate(error, q) <= 1e-12 * log_q


LIMITS = {
    "all right with two bits too few": (lambda: hallucination.log2_all_right(10, 12, 2), -2.0),
    "a facet covered in part": (lambda: retrieval.covered_facets(21, 4), 6),
    "no bits at all": (lambda: rates.error_at_rate(0, 5), 0.8),
    "enough bits": (lambda: rates.error_at_rate(3, 8), 0.0),
    "more bits than needed": (lambda: rates.error_at_rate(99, 8), 0.0),
    "bits and bytes": (lambda: hallucination.error_floor(8 * 100, 400), hallucination.error_floor(8 * 50, 200)),
    "infinite spread": (lambda: context.max_weight(1e6, 700), 1.0),
    "no spread": (lambda: context.max_weight(1000, 0), 0.001),
    "a single key": (lambda: context.max_weight(1, -50), 1.0),
    "one needle of one": (lambda: context.needles_weight(5, 5, 1), 1.0),
    "no distractors' spread": (lambda: context.soft_threshold(100, 0), math.log(100)),
    "freezing is continuous": (lambda: context.crowding_gap(1e6, context.critical_sigma(1e6)), 0.0),
    "no steps": (lambda: reasoning.chain_success(0.5, 0), 1.0),
    "certain failure": (lambda: reasoning.chain_success(1.0, 1), 0.0),
    "no recovery": (lambda: reasoning.markov_chain(0.01, 0, 50), reasoning.chain_success(0.01, 50)),
    "a chain that never errs": (lambda: reasoning.markov_chain(0, 0, 50), 1.0),
    "a perfect verifier": (lambda: reasoning.verifier_ceiling(0.01, 0.5, 0), 1.0),
    "a blind verifier": (lambda: reasoning.verifier_ceiling(0.3, 0.7, 0.7), 0.3),
    "one sample": (lambda: reasoning.pass_at_k(2, 3, 1), 0.4),
    "one vote": (lambda: reasoning.vote_accuracy([0.2, 0.5, 0.3], 1), 0.2),
    "a tied vote": (lambda: reasoning.vote_accuracy([0.5, 0.5], 4), 0.5),
    "no distraction": (lambda: retrieval.reader_accuracy(10, 0.1, 0), 1 - 0.9**10),
    "gold always found": (lambda: retrieval.rag_accuracy(1, 0.7, 0.1), 0.7),
    "every document retrieved": (lambda: retrieval.recall_at_k(-5, 10, 11), 1.0),
    "no distractor matters": (lambda: retrieval.recall_at_k(30, 1e6), 1.0),
    "one distractor": (lambda: retrieval.recall_at_k(0, 1), 0.5),
    "no votes": (lambda: retrieval.certified_chance(3, 0.9, 2), 0.0),
    "all classes alike": (lambda: multimodal.encoder_ceiling(0, 4), 0.25),
    "no text": (lambda: multimodal.visual_mass(10, 0, 157), 1.0),
    "an uninformative caption": (lambda: multimodal.caption_information(0.3, 0.2, 0.2), 0.0),
    "a perfect caption": (lambda: multimodal.caption_information(0.5, 1, 0), 1.0),
    "half a probability is one bit": (lambda: rates.binary_entropy(0.5), 1.0),
    "unit radius scales": (lambda: context.influence_bound(100, 1, 3), 3 * context.influence_bound(100, 1)),
    "no training data": (lambda: hallucination.longtail_error(0, 2), 1.0),
    "a fair coin's majority": (lambda: hallucination.noisy_majority(0.5, 11), 0.5),
    "an even vote is one less": (lambda: hallucination.noisy_majority(0.2, 6), hallucination.noisy_majority(0.2, 5)),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name):
    compute, value = LIMITS[name]
    assert compute() == pytest.approx(value, rel=1e-9, abs=1e-9)
