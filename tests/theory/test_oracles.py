"""Constructions and counts beside searches, simulations and explicit codes that do not share their code."""

import math
import sys
from collections import Counter
from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from hardlimit.theory import context as c
from hardlimit.theory import hallucination as h
from hardlimit.theory import multimodal as m
from hardlimit.theory import reasoning as r
from hardlimit.theory import retrieval as q


def test_diagonal_contradicts_each_model_at_its_own_input_and_takes_an_error_for_no_answer():
    def broken(x):
        raise ValueError("no answer")

    family = [lambda x: 0, broken, lambda x: 1, lambda x: 1]
    found = h.diagonal(family, [10, 11, 12, 13, 14], [0, 1])
    assert found.target == {10: 1, 11: 0, 12: 0, 13: 0, 14: 0}
    assert found.witness == ((0, 10), (1, 11), (2, 12), (3, 13))
    claim = h.no_universal_model(family, [10, 11, 12, 13, 14], [0, 1])
    assert claim.witness["models_that_err"] == 4 and claim.witness["least_errors"] == 1


def test_diagonal_leaves_a_model_outside_the_family_alone():
    # Positive control: the target itself is a function, and a model made from it makes no error.
    target = h.diagonal([lambda x: 0, lambda x: 1], range(4), [0, 1]).target
    assert sum(target.get(x) != label for x, label in target.items()) == 0


@given(st.lists(st.lists(st.integers(0, 2), min_size=5, max_size=5), min_size=1, max_size=9))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_least_vote_keeps_the_mean_at_chance(rows):
    answers = np.array(rows)
    target = h.least_vote_target(answers, 3)
    assert np.all((answers == target).mean(axis=0) <= 1 / 3)


def test_every_model_of_a_schedule_comes_back():
    counts = Counter(h.schedule(n) for n in range(1024))
    assert [counts[i] for i in range(5)] == [512, 256, 128, 64, 32]


@pytest.mark.parametrize("states", [1, 2])
def test_halting_times_are_those_of_running_every_machine(states):
    counts = Counter()
    for table in product(product((0, 1), (-1, 1), range(states + 1)), repeat=2 * states):
        tape, head, state, step = {}, 0, 0, 0
        while step < 7:
            step += 1
            write, move, goal = table[2 * state + tape.get(head, 0)]
            tape[head], head, state = write, head + move, goal
            if goal == states:
                counts[step] += 1
                break
    assert h.halting_times(states) == dict(sorted(counts.items()))


def simulating(program):
    """Predict by running the program for a while."""
    return True if h.clocked(program, 500)[0] else None


def endless(program):
    while True:
        pass


@pytest.mark.parametrize(
    ("predictor", "answer", "halts"),
    [
        (lambda program: True, True, False),
        (lambda program: False, False, True),
        (lambda program: None, None, True),
        (lambda program: 1 / 0, None, True),
        (lambda program: (program(), True)[1], None, True),
        (endless, None, True),
    ],
    ids=["yes", "no", "declines", "raises", "runs it", "never returns"],
)
def test_a_predictor_of_halting_is_wrong_or_declines(predictor, answer, halts):
    found = h.refute(predictor, lines=20_000)
    assert (found.answer, found.halts) == (answer, halts)
    assert found.wrong == (answer is not None)


def test_a_simulating_predictor_is_never_wrong():
    assert not h.refute(simulating, lines=20_000).wrong
    assert simulating(lambda: None) is True


def test_the_clock_stops_and_leaves_no_trace():
    before = sys.gettrace()
    assert h.clocked(lambda: sum(range(10)), 100) == (True, 45)
    assert h.clocked(lambda: endless(None), 100) == (False, None)
    with pytest.raises(ZeroDivisionError):
        h.clocked(lambda: 1 / 0, 100)
    assert sys.gettrace() is before


def test_the_clock_allows_just_so_many_lines():
    def five():
        total = 0
        total += 1
        total += 1
        total += 1
        return total

    assert h.clocked(five, 5) == (True, 3)
    assert h.clocked(five, 4) == (False, None)


def test_a_state_of_fixed_size_by_hand():
    # 2 bits a token where a token has 8: Fano leaves (8 − 2 − 1) / 8 of the tokens wrong.
    parts = c.state_recall_floor(200, 100, 256).parts
    assert parts["fano_error"] == pytest.approx(5 / 8)
    assert parts["copyable_tokens"] == 25 and parts["log2_exact_copy_probability"] == 200 - 800
    assert c.state_recall_floor(900, 100, 256).parts["log2_exact_copy_probability"] == 0.0


def test_a_tie_is_not_retrieved():
    documents = np.array([[1.0], [1.0], [0.0]])
    assert q.realised_fraction(documents, lambda chosen: np.array([1.0]), [(0,), (0, 1)]) == 0.5


def test_validity_terms_by_hand():
    # Two prompts with two and four wrong answers: the threshold is 1/2, the reciprocal of the smaller number.
    valid = [[True, False, False, True, True], [True, False, False, False, False]]
    truth = [[1, 0, 0, 0, 0], [1, 0, 0, 0, 0]]
    model = [[0.3, 0.6, 0.1, 0, 0], [0.4, 0.3, 0.1, 0.1, 0.1]]
    terms = h.validity_terms(truth, model, valid, [0.25, 0.75])
    assert (terms.largest_valid, terms.smallest_invalid) == (3, 2)
    # Both right answers lie below the threshold, one of two wrong answers of the first prompt above it.
    assert terms.validity_error == pytest.approx((1 + 0.25 / 2) / 2)
    assert terms.calibration_gap == pytest.approx(0.25 * 0.6)
    assert terms.error == pytest.approx(0.25 * 0.7 + 0.75 * 0.6)


def test_table_of_a_finite_law():
    assert h.table_size_of([0.1] * 10, 0.3) == 7
    assert h.table_size_of([1.0], 0.0) == 1
    assert h.table_size_of([0.6, 0.4], 0.0) == 2


@pytest.mark.parametrize("exponent", [1.2, 1.5, 3.0])
@pytest.mark.parametrize("exposures", [1, 4])
def test_longtail_error_is_the_sum(exponent, exposures):
    from scipy.special import gammaincc, zeta

    p = np.arange(1, 3_000_001) ** -exponent / zeta(exponent)
    direct = np.sum(p * gammaincc(exposures, 500 * p)) + 1 - p.sum()
    assert h.longtail_error(500, exponent, exposures) == pytest.approx(direct, rel=1e-6)


def test_longtail_law_is_the_limit():
    for exponent, exposures in product((1.3, 2.0), (1, 3)):
        assert h.longtail_law(1e8, exponent, exposures) == pytest.approx(
            h.longtail_error(1e8, exponent, exposures), rel=1e-3
        )


def test_accuracy_by_popularity_at_half():
    shape = h.accuracy_by_popularity([1e3, 1e4, 1e5], 2e-4, exposures=3, guess=0.1)
    half = shape.parameters["half_known_popularity"]
    at_half = h.accuracy_by_popularity([half], 2e-4, exposures=3, guess=0.1).points[0][1]
    assert at_half == pytest.approx(0.55)


def test_best_threshold_is_best():
    p = np.random.default_rng(0).random(500)
    worth = [np.sum((p >= cut) * (2 * p - 3 * (1 - p))) for cut in np.linspace(0, 1, 1001)]
    assert np.linspace(0, 1, 1001)[int(np.argmax(worth))] == pytest.approx(h.best_threshold(3, 2), abs=0.01)


def test_score_shapes_cross_where_the_rule_says():
    always = dict(h.always_answering_by_threshold(0.6, [0.0, 0.6, 0.9]).points)
    assert always[0.0] == 0.6 and always[0.6] == pytest.approx(0) and always[0.9] == pytest.approx(-3)
    best = h.best_score_by_threshold([0.2, 0.9], [0.0, 0.5, 0.8]).points
    assert [y for _, y in best] == pytest.approx([0.55, 0.4, 0.25])
    assert h.operating_point([0.2, 0.9], 0.5, cut=0.0).score == pytest.approx(0.55 - 0.45)


def test_a_better_informed_generator_is_further_beyond_the_line():
    from hardlimit.theory.paper.hallucination import informed_generator

    assert informed_generator(valid_novelty=0.8).witness["valid_mass"] == pytest.approx(1 - 0.3 * 0.2)
    ignorant = informed_generator(valid_novelty=500 / 9500).witness["intercept"]
    assert ignorant == pytest.approx(1)


def test_temperature_slope_is_the_derivative():
    log_p, valid = np.log([0.4, 0.3, 0.2, 0.1]), [True, False, True, False]
    beta, step = 0.7, 1e-6
    up, down = (math.log(h.tempered_validity(log_p, valid, 1 / (beta + s))) for s in (step, -step))
    assert h.temperature_slope(log_p, valid, 1 / beta) == pytest.approx((up - down) / (2 * step), rel=1e-6)


def test_position_frequencies_count_pairs():
    lengths = [5, 3, 3, 1]
    pairs = Counter(i - j for size in lengths for i in range(size) for j in range(i + 1))
    assert c.position_frequencies(lengths).tolist() == [pairs[d] for d in range(5)]
    assert c.window_frequency(100, 10, 4) == pytest.approx(10 * c.position_frequencies([10])[4])


def test_needle_margin_and_weight_agree_with_softmax():
    logits = np.random.default_rng(0).normal(0, 2, 50)
    margin = logits[0] - np.log(np.exp(logits[1:]).sum())
    assert c.weight_at_margin(margin) == pytest.approx(softmax(logits)[0])
    assert c.needle_weight(margin).value == pytest.approx(softmax(logits)[0])
    low, high = c.dispersion_interval(50, float(np.ptp(logits)))
    assert low <= softmax(logits).min() and softmax(logits).max() <= high


def test_needle_at_the_gap_has_the_weight():
    for keys, weight in ((2, 0.7), (1000, 0.5), (10**6, 0.99)):
        assert c.max_weight(keys, c.margin_needed(keys, weight)) == pytest.approx(weight)
        assert c.max_context(c.margin_needed(keys, weight), weight) == pytest.approx(keys)


def test_margin_falls_by_ln_two_per_doubling_and_growth_stops_it():
    shape = c.margin_by_length([1001, 2001, 4001], 3.0)
    assert np.diff([y for _, y in shape.points]) == pytest.approx([-math.log(2)] * 2)
    assert [y for _, y in c.margin_by_length([1001, 4001], 3.0, growth=1.0).points] == [3.0, 3.0]


@pytest.mark.parametrize(("score", "sigma"), [(9.0, 1.0), (12.0, 3.0), (20.0, 6.0), (5.0, 0.0)])
def test_crowded_margin_is_zero_where_it_says(score, sigma):
    length = c.crowded_margin([10.0], score, sigma).parameters["half_weight_length"]
    assert c.soft_threshold(length, sigma) == pytest.approx(score)


def test_needle_too_weak_for_any_length():
    assert "half_weight_length" not in c.crowded_margin([10.0], -1.0, 1.0).parameters


def test_abel_bound_holds():
    rng = np.random.default_rng(0)
    for distance in (0.5, 3, 100, 5000):
        products = rng.normal(size=16) + 1j * rng.normal(size=16)
        turns = np.exp(1j * distance * c.frequencies(32, 1e4))
        assert abs(np.sum(products * turns)) <= c.abel_bound(distance, products, 1e4) + 1e-9
        # Products that are all alike have no differences but the last one, to nothing.
        assert abs(np.sum(turns)) <= c.abel_bound(distance, np.ones(16), 1e4) + 1e-9


def test_spread_is_that_of_opposite_keys():
    rng = np.random.default_rng(0)
    query, key = rng.normal(size=(2, 64))
    key *= np.linalg.norm(query) / np.linalg.norm(key)
    scores = [query @ k / 8 for k in (key, query, -query)]
    norm = float(np.linalg.norm(query))
    assert np.ptp(scores) == pytest.approx(c.spread_allowed(norm, norm, 64))


def test_self_similarity_is_a_rotated_inner_product():
    theta = c.frequencies(8, 100.0)
    turned = sum(math.cos(37 * t) for t in theta) / len(theta)
    assert c.rope_selfsim(37, 8, 100.0) == pytest.approx(turned)
    assert c.first_negative(2, 2.0) == 2 and c.first_negative(128, 1e4, limit=1000) is None


def test_rounding_is_that_of_the_formats():
    x = np.random.default_rng(0).normal(size=1000)
    assert np.array_equal(c.rounded(x, 24), x.astype(np.float32).astype(float))
    assert np.array_equal(c.rounded(x, 11), x.astype(np.float16).astype(float))


def test_recall_from_a_state_is_not_beaten_by_storing():
    for tokens in (10, 100, 1000):
        stored = min(tokens, int(400 // math.log2(64)))
        assert c.state_recall_error(400, tokens, 64) <= (1 - stored / tokens) * 63 / 64 + 1e-12


def test_kv_shapes():
    assert c.kv_memory_by_length(10, [1, 2]).points == ((1.0, 10.0), (2.0, 20.0))
    assert c.kv_memory(2, 1, 4, tokens=3, bytes_per_number=1).value == 48


def test_pointer_doubling_is_following_pointers():
    f = np.random.default_rng(0).integers(0, 20, 20)
    now = np.arange(20)
    for hops in range(40):
        images, rounds = r.pointer_doubling(f, hops)
        assert np.array_equal(images, now) and rounds == hops.bit_length()
        now = f[now]


def test_layers_and_hops_invert():
    for layers in range(2, 30):
        hops = r.hops_for_layers(layers)
        assert r.layers_for_hops(hops) <= layers < r.layers_for_hops(hops + 1)


@pytest.mark.parametrize(("answers", "samples"), [((0.5, 0.3, 0.2), 5), ((0.1, 0.4, 0.3, 0.2), 4), ((0.2, 0.8), 6)])
def test_vote_is_the_sum_over_all_outcomes(answers, samples):
    won = 0.0
    for outcome in product(range(len(answers)), repeat=samples):
        counts = [outcome.count(i) for i in range(len(answers))]
        chance = math.prod(answers[i] for i in outcome)
        won += chance * (counts[0] == max(counts)) / counts.count(max(counts))
    assert r.vote_accuracy(answers, samples) == pytest.approx(won, rel=1e-12)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=5), st.integers(1, 40))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_some_answer_wins_every_vote(weights, samples):
    p = np.array(weights) / sum(weights)
    total = sum(r.vote_accuracy([p[j], *np.delete(p, j)], samples) for j in range(p.size))
    assert total == pytest.approx(1, rel=1e-9)


def test_draws_are_geometric_sums():
    right = wrong = 0.0
    left = 1.0
    for _ in range(7):
        right, wrong, left = right + left * 0.3 * 0.9, wrong + left * 0.7 * 0.1, left * (1 - 0.27 - 0.07)
    found = r.k_draws(0.3, 0.9, 0.1, 7)
    assert (found.right, found.wrong, found.none) == pytest.approx((right, wrong, left))
    assert r.k_draws(0.0, 0.9, 0.0, 5) == r.Draws(right=0.0, wrong=0.0, none=1.0)


def test_optimal_k_beats_every_other():
    utility = r.sampling_utility([0.7, 0.05], 0.9, 0.2, 0.5, range(1, 60))
    best = r.optimal_k([0.7, 0.05], 0.9, 0.2, 0.5, most=59)
    assert best.utility == utility.max() and best.samples == utility.argmax() + 1


def test_mediation_adds_up():
    split = r.mediation(0.9, 0.6, 0.5)
    assert split.total == pytest.approx(split.mediated + split.direct)


@pytest.mark.parametrize("effect", [0.05, 0.2])
def test_information_needed_is_what_the_bound_needs(effect):
    assert r.chain_effect_bound(r.information_needed(effect)) == pytest.approx(effect)


def test_optimal_passages_is_the_best_real_number():
    k = np.linspace(1, 40, 39_001)
    for hit, distraction in ((0.3, 0.03), (0.1, 0.01), (0.9, 0.5)):
        best = k[int(np.argmax(q.reader_accuracy(k, hit, distraction)))]
        assert q.optimal_passages(hit, distraction) == pytest.approx(best, abs=2e-3)


def test_best_order_beats_every_order():
    profile, ranks = [0.75, 0.62, 0.55, 0.7], [0.2, 0.4, 0.1, 0.3]
    everything = max(sum(ranks[i] * profile[j] for i, j in enumerate(order)) for order in permutations(range(4)))
    assert q.best_order(profile, ranks)[1] == pytest.approx(everything)


def test_greedy_takes_the_best_ratio_and_the_best_single_where_that_covers_more():
    assert q.greedy_cover([{1, 2}, {3}, {1, 2, 3, 4, 5}], [1, 1, 4], 4) == (2,)
    assert q.greedy_cover([{1, 2}, {2, 3}, {9}], [1, 1, 1], 0) == ()
    assert q.greedy_cover([{1}, {1}], [1, 1], 2) == (0,)


def test_orderings_of_points_in_general_position():
    # n − 1 dimensions or more rank n points in every order; one dimension in two.
    assert [q.count_orderings(n, n - 1) for n in (2, 3, 4, 6)] == [2, 6, 24, 720]
    assert q.count_orderings(9, 1) == 2
    rng = np.random.default_rng(0)
    points, queries = rng.normal(size=(5, 2)), rng.normal(size=(20_000, 2))
    seen = {tuple(row) for row in np.argsort(queries @ points.T, axis=1)}
    assert len(seen) == q.count_orderings(5, 2)


@pytest.mark.parametrize(("documents", "size"), [(9, 1), (12, 2), (9, 3)])
def test_margin_is_the_least_over_all_sets(documents, size):
    docs = q.moment_documents(documents, size)
    least = min(
        q.retrieval_margin(docs, q.moment_query(s, documents, size), s) for s in combinations(range(documents), size)
    )
    assert q.moment_margin(documents, size) == pytest.approx(least, rel=1e-6)
    assert np.linalg.norm(docs, axis=1) == pytest.approx(1)


def test_linear_programming_finds_what_a_query_shows():
    docs = q.moment_documents(9, 2)
    for pair in combinations(range(9), 2):
        assert q.separable(docs, pair)
    assert not q.separable([[0.0], [1.0], [2.0], [3.0]], [0, 3])
    assert q.retrieval_margin(np.eye(2), [1.0, 1.0], [0, 1]) == math.inf


def test_certificates_hold_and_are_tight():
    for votes in range(1, 9):
        for runner_up in range(votes + 1):
            withstood = q.certified_replacements(votes, runner_up)
            worst = [votes - x - (runner_up + x) for x in range(votes + 1)]
            assert withstood == max((x for x, lead in enumerate(worst) if lead > 0), default=-1)


def test_drift_worst_case_is_below_any_chain():
    rng = np.random.default_rng(0)
    for _ in range(50):
        cosines = rng.uniform(0.5, 1, 4)
        start = now = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
        for cosine in cosines:
            away = rng.normal(size=5)
            away -= (away @ now) * now
            now = cosine * now + math.sqrt(1 - cosine**2) * away / np.linalg.norm(away)
        assert start @ now >= q.worst_drift(cosines) - 1e-12


def test_encoder_collisions():
    joint = np.array([[0.06, 0.06], [0.44, 0.0], [0.0, 0.44]])
    assert 1 - m.bayes_ceiling(joint) == pytest.approx(m.collision_floor(0.12))
    assert m.code_ceiling(5, 4) == 1.0


def test_infonce_never_reports_more_than_it_can():
    rng = np.random.default_rng(0)
    for k in (2, 8, 64):
        for _ in range(20):
            assert math.log(k) - m.infonce_loss(rng.normal(0, 5, (k, k))) <= m.infonce_cap(k) + 1e-12
    assert m.certified_information(16, 1.0).value == pytest.approx(1.0)


def test_exponents_lie_between_without_a_floor_only():
    n = np.logspace(0, 12, 50)
    two = m.ScalingTerms(first=2.0, first_exponent=0.5, second=0.3, second_exponent=0.2)
    local = m.effective_exponent(n, two)
    assert np.all((local >= 0.2) & (local <= 0.5))
    floored = m.ScalingTerms(first=2.0, first_exponent=0.5, second=0.3, second_exponent=0.2, floor=0.1)
    assert m.effective_exponent(1e12, floored) < 0.2


def test_captions_say_what_bayes_says():
    pi, hit, false = 0.4, 0.7, 0.2
    mentioned = pi * hit + (1 - pi) * false
    assert m.present_if_mentioned(pi, hit, false) == pytest.approx(pi * hit / mentioned)
    total = mentioned * m.present_if_mentioned(pi, hit, false) + (1 - mentioned) * m.present_if_unmentioned(
        pi, hit, false
    )
    assert total == pytest.approx(pi)
    assert m.mean_shift(0.5, 2.0) == pytest.approx(2.0)


def test_information_never_falls_with_passages():
    rng = np.random.default_rng(0)
    for _ in range(50):
        bits = q.information_by_passages(rng.dirichlet(np.ones(16)).reshape(2, 2, 2, 2))
        assert bits[0] == pytest.approx(0, abs=1e-12) and np.all(np.diff(bits) >= -1e-12)


@pytest.mark.parametrize(("error", "recovery"), [(0.01, 0.1), (0.2, 0.05), (0.3, 0.0), (0.0, 0.0)])
def test_a_chain_ends_at_the_level_it_names(error, recovery):
    shape = r.chain_success_by_steps([0, 5000], error, recovery=recovery)
    assert shape.points[0] == (0.0, 1.0)
    assert shape.points[1][1] == pytest.approx(shape.parameters["level"], abs=1e-12)


@pytest.mark.parametrize(("votes", "runner_up", "withstood"), [(3, 3, 0), (4, 3, 0), (5, 3, 0), (6, 3, 1), (8, 2, 2)])
def test_a_certificate_promises_what_its_lead_allows(votes, runner_up, withstood):
    claim = q.certificate(votes, runner_up)
    assert claim.value == withstood and (claim.vacuous is not None) == (withstood == 0)
