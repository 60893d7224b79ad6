"""Outside its domain a theorem refuses, and says what, which value and where the domain ends."""

import math

import numpy as np
import pytest

from hardlimit.core import InvalidValueError
from hardlimit.theory import context, hallucination, multimodal, rates, reasoning, retrieval
from hardlimit.theory.domain import distribution, number, vector, within
from hardlimit.theory.entry import as_bound, as_impossibility, as_shape
from hardlimit.theory.frequencies import zipf, zipf_tail
from hardlimit.theory.paper import context as paper_context
from hardlimit.theory.paper import evaluation as paper_evaluation
from hardlimit.theory.paper import hallucination as paper_hallucination
from hardlimit.theory.paper import reasoning as paper_reasoning
from hardlimit.theory.paper import retrieval as paper_retrieval

h, c, r, q, m = hallucination, context, reasoning, retrieval, multimodal

REFUSED = [
    (lambda: within("weight", math.nan, "(0, 1)"), "weight must lie in (0, 1), got nan."),
    (lambda: within("weight", "half", "(0, 1)"), "weight must be a number in (0, 1), got 'half'."),
    (lambda: within("x", [[0.5], [2.0]], "[0, 1]"), "x must lie in [0, 1], got 2 at index (1, 0)."),
    (lambda: within("x", math.inf, "[0, ∞)"), "x must lie in [0, ∞), got inf."),
    (lambda: number("x", [1.0], "[0, 2]"), "x must be one number, got an array of shape (1,)."),
    (lambda: vector("xs", [], "[0, 1]"), "xs must be a list of at least one number, got shape (0,)."),
    (lambda: vector("xs", 0.5, "[0, 1]"), "xs must be a list of at least one number, got shape ()."),
    (lambda: distribution("p", [0.5, 0.6]), "p must sum to 1, got 1.1."),
    (lambda: zipf(0, 1.0), "types must be a whole number in [1, ∞), got 0."),
    (lambda: zipf_tail(5, 1.0), "exponent must lie in (1, ∞), got 1."),
    (lambda: rates.error_at_rate(-1, 2), "bits must lie in [0, ∞), got -1."),
    (lambda: rates.symbol_rate(0.1, 1), "values must lie in [2, ∞), got 1."),
    (lambda: h.diagonal([abs], [1], [0]), "labels must be at least two distinct labels, got [0]."),
    (lambda: h.diagonal([abs], [1], [0, 0]), "labels must be at least two distinct labels, got [0, 0]."),
    (
        lambda: h.diagonal([abs, abs], [1], [0, 1]),
        "inputs must be distinct and at least as many as the models, got 1 distinct inputs of 1 for 2 models.",
    ),
    (
        lambda: h.diagonal([abs, abs], [1, 1, 1], [0, 1]),
        "inputs must be distinct and at least as many as the models, got 1 distinct inputs of 3 for 2 models.",
    ),
    (
        lambda: h.least_vote_target(np.array([[0, 2]]), 2),
        "answers must be a whole number in [0, 1], got 2 at index (0, 1).",
    ),
    (lambda: h.chance_bound(-1, 10), "log_models must lie in [0, ∞), got -1."),
    (lambda: h.languages(4, 3), "states must be a whole number in [1, 3], got 4."),
    (lambda: h.halting_times(4), "states must be a whole number in [1, 3], got 4."),
    (lambda: h.smallest_failing_class(47_176_870), "steps must be a whole number in [0, 47176869], got 4.71769e+07."),
    (lambda: h.clocked_error(2, -1), "steps must be a whole number in [0, ∞), got -1."),
    (lambda: h.refute(lambda p: 3), "A predictor of halting must return True, False or None, got 3."),
    (lambda: h.error_floor(1, 0), "facts must lie in [1, ∞), got 0."),
    (lambda: h.params_needed(1, 2, 0, 0), "bits_per_parameter must lie in (0, ∞), got 0."),
    (lambda: h.error_floor_weighted(1, [1, 0]), "weights must lie in (0, ∞), got 0 at index 1."),
    (lambda: h.separable_share(0, 1), "points must be a whole number in [1, ∞), got 0."),
    (lambda: h.table_size(0, 2), "error must lie in (0, 1), got 0."),
    (lambda: h.table_size(0.1, 1), "exponent must lie in (1, ∞), got 1."),
    (lambda: h.good_turing([0, 0]), "sum of counts must lie in [1, ∞), got 0."),
    (lambda: h.good_turing([1.5]), "counts must be a whole number in [0, ∞), got 1.5 at index 0."),
    (lambda: h.missing_mass_floor([1], 0), "delta must lie in (0, 1), got 0."),
    (lambda: h.expected_missing_mass([0.5, 0.4], 3), "probabilities must sum to 1, got 0.9."),
    (lambda: h.calibrated_floor(0.2, 0.1, 0, 10), "sparsity must lie in (0, ∞), got 0."),
    (
        lambda: h.facts_until_binding(0.05, 0.2, 20),
        "seen_once − miscalibration − 3·e^(−s)/δ must lie in (0, 1], got -0.15.",
    ),
    (lambda: h.validity_floor(0.2, 0, 10), "largest_valid must lie in [1, ∞), got 0."),
    (
        lambda: h.validity_terms([[1.0]], [[1.0]], [[True]], [1.0]),
        "truth must be zero on invalid answers, and every prompt needs an invalid answer.",
    ),
    (
        lambda: h.validity_terms([[1.0, 0.0]], [[1.0]], [[True, False]], [1.0]),
        "truth, model and valid must share one shape with 1 rows, got (1, 2), (1, 1) and (1, 2).",
    ),
    (
        lambda: h.examples_until_binding(0.01, 100),
        "seen_once − 2/smallest_invalid − gap must lie in (0, 1], got -0.01.",
    ),
    (lambda: h.multiple_choice_floor(1, 0.1), "choices must be a whole number in [2, ∞), got 1."),
    (lambda: h.longtail_error(10, 1.0), "exponent must lie in (1, ∞), got 1."),
    (lambda: h.longtail_law(0, 1.5), "draws must lie in (0, ∞), got 0."),
    (lambda: h.votes_needed(0.5, 0.1), "flip must lie in [0, 0.5), got 0.5."),
    (lambda: h.noisy_majority_bound(0.6, 3), "flip must lie in [0, 0.5], got 0.6."),
    (lambda: h.mean_error_draws(10, 0.6), "error must lie in (0, 0.5], got 0.6."),
    (lambda: h.penalty(1.0), "threshold must lie in [0, 1), got 1."),
    (lambda: h.operating_point([], 0.5), "confidences must be a list of at least one number, got shape (0,)."),
    (lambda: h.unseen_truth_share(10, 12, 3), "universe must be a whole number in [12, ∞), got 10."),
    (lambda: h.unseen_truth_share(5, 5, 5), "universe must be a whole number in [6, ∞), got 5."),
    (
        lambda: h.frontier([True], [True, False], 0.5),
        "valid and novel must be lists of one and the same length >= 1, got shapes (1,) and (2,).",
    ),
    (
        lambda: h.temperature_slope([0.0], [False]),
        "log_probabilities and valid must be lists of one length with a valid entry, got shapes (1,) and (1,).",
    ),
    (lambda: c.margin_needed(1, 0.5), "keys must lie in [2, ∞), got 1."),
    (lambda: c.margin_needed(10, 1), "weight must lie in (0, 1), got 1."),
    (lambda: c.needles_weight(5, 6, 1), "keys per needle must lie in [1, ∞), got 0.833333."),
    (lambda: c.gap_needed(10.5, 0.5), "keys must be a whole number in [2, ∞), got 10.5."),
    (lambda: c.margin_by_length([4, 2], 1.0), "Shape.points of CTX-3 must be in increasing length, got [4.0, 2.0]."),
    (lambda: c.soft_threshold(1, 1), "keys must lie in [2, ∞), got 1."),
    (lambda: c.frequencies(7, 1e4), "width must be even, got 7: a rotary code turns pairs of numbers."),
    (lambda: c.abel_bound(1.0, [], 1e4), "products must be a list of finite complex numbers, got shape (0,)."),
    (lambda: c.rope_selfsim_law(0, 1e4), "distance must lie in (0, ∞), got 0."),
    (lambda: c.collapse(1.0, "fp8"), "number_format must be one of bf16, fp16, fp32, got 'fp8'."),
    (lambda: c.collapse_length(1, 2), "spacing must lie in (0, 1], got 2."),
    (lambda: c.kv_bytes(0, 1, 1, 2), "layers must lie in [1, ∞), got 0."),
    (lambda: c.position_frequencies([0]), "lengths must be a whole number in [1, 10000000], got 0 at index 0."),
    (lambda: r.half_life(0), "step_error must lie in (0, 1), got 0."),
    (lambda: r.verified_step_error(1, 0.5, 0), "chance that a step is accepted must lie in (0, 1], got 0."),
    (lambda: r.verifier_ceiling(0, 0.5, 0), "chance that a sample is accepted must lie in (0, 1], got 0."),
    (lambda: r.pointer_doubling([5], 1), "function must be a whole number in [0, 0], got 5 at index 0."),
    (lambda: r.pointer_doubling([], 1), "function must be a list of at least one image, got shape (0,)."),
    (lambda: r.crossover_tokens(1, 0, 0.1), "share must lie in (0, 1], got 0."),
    (lambda: r.crossover_tokens(1, 1, 0), "shortcut_error must lie in (0, 0.5], got 0."),
    (lambda: r.vote_accuracy([[0.5, 0.5]], 3), "answers must be a list of probabilities, got shape (1, 2)."),
    (lambda: r.cases_per_arm(0.5, 0.5), "difference of first and second must lie in (0, 1], got 0."),
    (lambda: r.chain_information([1.0]), "joint must be a table (chains, answers), got shape (1,)."),
    (
        lambda: r.intervention_effect([[1.0], [0.0]], [0.5, 0.5], 0),
        "P(c) must lie in (0, 1], got 0 at index 1.",
    ),
    (
        lambda: q.break_even_recall(0.4, 0.9, 0.9),
        "with_gold must exceed without_gold: a reader that the gold passage does not help never breaks even.",
    ),
    (lambda: q.optimal_passages(0.3, 0), "distraction must lie in (0, 1), got 0."),
    (lambda: q.greedy_cover([{1}], [1, 2], 3), "costs must have one entry per set, got 2 for 1 sets."),
    (lambda: q.best_order([0.1], [0.1, 0.2]), "profile and ranks must be of one length, got 1 and 2."),
    (
        lambda: q.information_by_passages([1.0]),
        "joint must have an axis for the answer and one per passage, got shape (1,).",
    ),
    (lambda: q.moment_query([0, 1, 2], 9, 2), "chosen must be 1 to 2 distinct documents of 0…8, got [0, 1, 2]."),
    (lambda: q.moment_query([9], 9, 2), "chosen must be 1 to 2 distinct documents of 0…8, got [9]."),
    (
        lambda: q.realised_fraction(np.eye(2), q.centroid_query(np.eye(2)), []),
        "share of retrieved sets must lie in [0, 1], got nan.",
    ),
    (lambda: q.hops_to_orthogonal(1), "cosine must lie in [-1, 1), got 1."),
    (lambda: q.certified_replacements(2, 3), "runner_up must be a whole number in [0, 2], got 3."),
    (lambda: q.entry_similarity(5, 5, 10), "passages/corpus must lie in (0, 1), got 1."),
    (lambda: m.nearest_neighbour_floor(0.6, 2), "error·M/(M−1) must lie in [0, 1], got 1.2."),
    (lambda: m.bayes_ceiling([[0.2, 0.2]]), "joint must sum to 1, got 0.4."),
    (lambda: m.infonce_loss([[1.0, 2.0]]), "scores must be a square table, got shape (1, 2)."),
    (
        lambda: m.gap_changes([[1.0]], [[1.0]], [1.0, 2.0]),
        "first and second must be tables of one shape and shift one row of it, got (1, 1), (1, 1) and (2,).",
    ),
    (lambda: m.ratio_needed(1), "prior must lie in [0, 1), got 1."),
    (lambda: m.half_time(1, 0.6), "start/strength must lie in (0, 0.5], got 0.6."),
    (
        lambda: m.ScalingTerms(first=0, first_exponent=1, second=0, second_exponent=1),
        "first + second must lie in (0, ∞), got 0.",
    ),
    (lambda: m.present_if_mentioned(0.5, 0, 0), "chance of a mention must lie in (0, 1], got 0."),
    (lambda: m.caption_bits(1.0, 0.5), "present must lie in (0, 1), got 1."),
    (lambda: paper_hallucination.below_noise(0.5), "flip must lie in (0, 0.5), got 0.5."),
    (lambda: paper_context.scaled_logits(10, 20), "reference must be a whole number in [2, 10], got 20."),
    (lambda: paper_reasoning.inference_wins(100), "tokens must be a whole number in [616, ∞), got 100."),
    (lambda: paper_reasoning.correcting_verifier(0.3, 0.1, 0.2), "accept_right must lie in (0.2, 1], got 0.1."),
    (
        lambda: paper_evaluation.reversed_ranking(((1, 1),), ((1, 2),)),
        "These systems are ranked alike by both measures, so they refute nothing.",
    ),
    (lambda: paper_retrieval.every_subset(100), "documents must be a whole number in [2, 60], got 100."),
    (lambda: paper_evaluation.noisy_label_error(2, 0.1), "error must lie in [0, 1], got 2."),
    (lambda: as_bound(c.no_attenuation(3, 4, 10.0)), "CTX-2 is checked on a Bound, got a Impossibility."),
    (lambda: as_shape(c.gap_needed(3, 0.5)), "CTX-3 is checked on a Shape, got a Bound."),
    (lambda: as_impossibility(c.gap_needed(3, 0.5)), "CTX-3 is checked on an Impossibility, got a Bound."),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_refusal(case):
    ask, message = REFUSED[case]
    with pytest.raises(InvalidValueError) as error:
        ask()
    assert str(error.value) == message


VACUOUS = [
    (c.needle_weight_ceiling(1, 3.0), "needle attention can never exceed 1, so nothing is excluded"),
    (c.context_ceiling(800.0, 0.5), "the bound is larger than any number a float can hold"),
    (c.state_recall_floor(1e9, 10, 100), "recall error can never fall below 0, so nothing is excluded"),
    (c.usable_length(1e12, 4096, 0), "every distance or none is met often enough"),
    (h.fact_error_floor(1e9, 10, 2), "error on stored facts can never fall below 0, so nothing is excluded"),
    (h.hardest_target(1e9, 10), "accuracy on the hardest target can never exceed 1, so nothing is excluded"),
    (h.calibrated_hallucination(0.1, 0.2, sparsity=20.0, facts=10**9),
     "hallucination rate can never fall below 0, so nothing is excluded"),
    (h.generation_error(0.1, 50, 100, 0.1), "wrong answers can never fall below 0, so nothing is excluded"),
    (q.recall_needed(0.2, 0.3, 0.9), "distractors already do no harm: retrieval pays at any recall"),
    (q.recall_needed(0.95, 0.3, 0.9), "the closed book beats even the gold passage: retrieval never pays"),
    (q.certificate(3, 3), "a tied vote withstands nothing"),
    (q.turned_share(0, 20, 1), "no vote is certified"),
    (m.information_ceiling(20.0, 8), "accuracy can never exceed 1, so nothing is excluded"),
    (m.caption_bits(0.3, 0.2, 0.2), "mentions do not depend on presence, so captions say nothing"),
    (paper_context.untrained_movement(), "the distance was trained, with many updates, whatever its share"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(VACUOUS)))
def test_a_bound_that_excludes_nothing_says_so(case):
    claim, reason = VACUOUS[case]
    assert claim.vacuous == reason


@pytest.mark.parametrize(
    "claim",
    [
        c.gap_needed(100, 0.5),
        h.abstention_floor(0.5),
        r.hops_per_pass(4),
        paper_context.untrained_movement(1e-4, 1e3, 1e-3),
    ],
)
def test_a_bound_that_excludes_something_is_not_vacuous(claim):
    assert claim.vacuous is None
