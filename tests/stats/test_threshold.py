"""The adaptive threshold: its curves, its posterior, where it asks, when it stops, and how often it is right."""

import math

import numpy as np
import pytest
from scipy import special

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.stats.threshold import FALLS, Batch, Belief, Search, Threshold, _Cells, _likelihoods

SEARCH = Search(shortest=256, longest=8192, chance=0.125)
FULL_GRID = 24 * 5 * sum(256 * 2**octave for octave in range(6))
"""Tokens of 24 depths in 5 haystacks at 256, 512, … 8,192 tokens, each question in a prompt of its own."""


def logistic(threshold, exponent, base, floor=0.0):
    """Accuracy that falls from base to floor along a logistic in log length, halfway at `threshold`."""
    return lambda length: floor + (base - floor) / (1 + (length / threshold) ** exponent)


def crossing(accuracy, shortest=256, ratio=0.85):
    """Where a falling curve is at ratio of its value at the shortest length, by bisection."""
    low, high = shortest, 2**20
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if accuracy(middle) >= ratio * accuracy(shortest) else (low, middle)
    return low


# The curves.


def test_every_curve_has_its_base_at_the_shortest_length_and_its_threshold_at_its_threshold():
    cells = _Cells(SEARCH)
    everyone = np.arange(len(cells.prior))
    assert cells.accuracy(8.0, everyone) == pytest.approx(cells.base)
    falling = cells.rate > 0
    assert falling.mean() > 0.8
    for place in (0, 10, 50, len(cells.axis) - 1):
        here = np.flatnonzero(falling & (cells.place == place))
        assert cells.accuracy(float(cells.axis[place]), here) == pytest.approx(0.85 * cells.base[here])


def test_every_curve_falls_from_its_base_to_its_floor():
    cells = _Cells(SEARCH)
    everyone = np.arange(len(cells.prior))
    before = cells.accuracy(8.0, everyone)
    for u in np.arange(8.5, 15, 0.5):
        after = cells.accuracy(float(u), everyone)
        assert np.all(after <= before + 1e-12)
        assert np.all(after >= np.minimum(cells.floor, cells.base) - 1e-12)
        before = after


def test_a_logistic_curve_is_among_them():
    # exponent 4, halfway at 2000: compare with the formula by itself.
    cells = _Cells(SEARCH)
    truth = logistic(2000, 4.0, 63 / 64 * (1 + (256 / 2000) ** 4))
    place = int(np.abs(cells.axis - math.log2(crossing(truth))).argmin())
    near = np.flatnonzero(
        (cells.place == place)
        & (cells.base == 63 / 64)
        & (cells.floor == 0)
        & np.isclose(cells.rate, 4.0 * math.log(2))
        & (cells.knee == 1)
    )
    assert len(near) == 1
    for length in (300, 1000, 1300, 3000, 8000):
        # The grid's threshold is off by up to half a step of 1/16 octave: 2 % of the length.
        low, high = (float(truth(length * factor)) for factor in (1.023, 1 / 1.023))
        assert low <= cells.accuracy(math.log2(length), near)[0] <= high


def test_every_threshold_is_believed_alike_before_the_data():
    cells = _Cells(SEARCH)
    mass = np.bincount(cells.place, np.exp(cells.prior))
    assert mass == pytest.approx(np.ones(len(cells.axis)))
    assert all((exponent, knee) in FALLS for exponent, knee in ((1.0, 1), (50.0, 1), (1.0, 4)))


def test_the_likelihood_is_the_beta_binomials():
    table = _likelihoods(3, 8)
    at = 1000  # p = 0.5
    assert table[0, at] == pytest.approx(8 * math.log(0.5))
    for row, correlation in ((1, 0.05), (2, 0.2)):
        a = 0.5 * (1 - correlation) / correlation
        assert table[row, at] == pytest.approx(special.betaln(3 + a, 5 + a) - special.betaln(a, a))
    # Summed over outcomes with their multiplicities it is a distribution, at any accuracy.
    total = sum(math.comb(8, right) * np.exp(_likelihoods(right, 8)) for right in range(9))
    assert total == pytest.approx(np.ones_like(total))


# The posterior.


def fed(batches, search=SEARCH):
    threshold = Threshold(search)
    for length, right, n in batches:
        threshold.record(Batch(length=length, right=right, n=n))
    return threshold


@pytest.mark.parametrize(
    ("accuracy", "truth"),
    [
        (logistic(2000, 3, 0.95), None),
        (logistic(1000, 1.4, 0.75, floor=0.125), None),
        (lambda length: 0.9 * min(1.0, 1500 / length), 1500 / 0.85),
        (lambda length: 0.9 if length <= 3000 else 0.125, 3000),
    ],
    ids=["logistic", "slow logistic with guesses", "finite memory", "cut-off"],
)
def test_with_many_answers_the_threshold_is_found(accuracy, truth):
    # Expected counts of 400 questions at each of 41 lengths, no chance: what is left is the grid and the model.
    lengths = 256 * 2 ** (np.arange(41) / 8)
    threshold = fed([(float(length), round(400 * accuracy(length)), 400) for length in lengths])
    belief = threshold.belief()
    expected = truth or crossing(accuracy)
    assert belief.threshold == pytest.approx(expected, rel=0.07)
    assert belief.base == pytest.approx(accuracy(256), abs=0.03)
    assert belief.low_base < 0.01


def test_the_order_of_the_batches_does_not_matter():
    batches = [(256, 8, 8), (256, 6, 8), (1024, 7, 8), (2048, 4, 8), (4096, 2, 8), (512, 8, 8), (8192, 0, 8)]
    first, second = fed(batches).belief(), fed(batches[::-1]).belief()
    # Cells of no weight are dropped on the way, at another place each time.
    assert (second.threshold, second.low, second.high) == pytest.approx((first.threshold, first.low, first.high), 1e-4)
    assert second.base == pytest.approx(first.base, rel=1e-4)


def test_more_answers_narrow_the_interval_and_the_medians_stay_inside():
    truth = logistic(1500, 4, 0.9)
    widths = []
    for n in (32, 128, 512):
        belief = fed([(length, round(n * truth(length)), n) for length in (256, 512, 724, 1024, 1448, 2048)]).belief()
        assert belief.low < belief.threshold < belief.high
        assert belief.base_low < belief.base < belief.base_high
        widths.append(belief.high / belief.low)
    assert widths == sorted(widths, reverse=True)


def test_answers_that_cluster_tell_less():
    # The same totals: every haystack at 1024 tokens half right, or all right and all wrong in turn.
    rest = [(256, 8, 8)] * 8 + [(512, 7, 8)] * 4 + [(2048, 1, 8)] * 4
    narrow = fed([*rest, *[(1024, 4, 8)] * 8]).belief()
    wide = fed([*rest, *[(1024, 8, 8), (1024, 0, 8)] * 4]).belief()
    assert wide.high / wide.low > 1.1 * narrow.high / narrow.low


def test_chance_is_no_accuracy_to_keep():
    # Falling to 1/8 means falling to nothing, so the same share of the way down is reached at the same length.
    lengths = [float(length) for length in 256 * 2 ** (np.arange(21) / 4)]
    guessing = logistic(1500, 4, 0.6, floor=0.125)
    found = fed([(length, round(400 * guessing(length)), 400) for length in lengths]).belief()
    assert found.threshold == pytest.approx(crossing(guessing), rel=0.05)


# Outcomes.


def test_nothing_is_concluded_from_few_batches():
    assert fed([(256, 8, 8), (8192, 8, 8)] * 2).belief().outcome == "open"
    assert fed([(256, 0, 8)] * 5).belief().outcome == "open"


def test_a_curve_that_stays_up_lies_beyond_the_window():
    threshold = fed([(256, 8, 8)] * 6 + [(8192, 8, 8)] * 6)
    belief = threshold.belief()
    assert belief.outcome == "beyond"
    assert belief.beyond > 0.95
    assert (belief.threshold, belief.high) == (8192, None)
    estimate = threshold.estimate(artefacts=3)
    assert (estimate.value, estimate.interval.high, estimate.n, estimate.artefacts) == (8192, None, 96, 3)
    assert estimate.interval.method == "bayesian adaptive threshold"


def test_a_base_at_chance_has_no_threshold():
    threshold = fed([(256, 1, 8)] * 12)
    belief = threshold.belief()
    assert belief.outcome == "low base"
    assert belief.low_base > 0.95
    assert belief.base == pytest.approx(0.125, abs=0.05)
    assert (belief.threshold, belief.low, belief.high) == (None, None, None)
    assert threshold.estimate() is None


def test_without_chance_a_base_of_a_quarter_has_a_threshold():
    search = Search(shortest=256, longest=8192)
    lengths = [256.0, 512.0, 1024.0, 2048.0, 4096.0]
    accuracy = logistic(1000, 6, 0.25)
    belief = fed([(length, round(1000 * accuracy(length)), 1000) for length in lengths], search).belief()
    assert belief.threshold == pytest.approx(crossing(accuracy), rel=0.1)


# Asking.


def test_the_first_two_batches_ask_for_the_base():
    threshold = Threshold(SEARCH)
    assert threshold.place(3) == [256.0, 256.0, 256.0]
    threshold.record(Batch(length=256, right=8, n=8))
    assert threshold.place() == [256.0]
    threshold.record(Batch(length=256, right=8, n=8))
    assert threshold.place() != [256.0]


def test_lengths_lie_within_the_search_and_on_the_coarse_steps_first():
    threshold = fed([(256, 8, 8)] * 2)
    for length in threshold.place(6):
        assert 256 <= length <= 8192
        steps = 2 * math.log2(length)
        assert steps == pytest.approx(round(steps), abs=0.01)


def test_asking_closes_in_on_a_cut_off():
    threshold = fed([(256, 8, 8)] * 4 + [(2048, 8, 8)] * 4 + [(4096, 0, 8)] * 4)
    assert 2048 < threshold.place()[0] < 4096


def test_long_prompts_are_asked_only_where_they_tell_more():
    # All is known about the threshold but the base: the cheap short haystacks are asked.
    far = [(1024, round(200 * 0.85 * 0.7), 200), (2048, round(200 * 0.4), 200), (512, round(200 * 0.69), 200)]
    assert fed([(256, 6, 8), (256, 5, 8), *far]).place() == [256.0]


def test_batches_at_once_do_not_all_ask_the_same():
    threshold = fed([(256, 8, 8)] * 2)
    assert len(set(threshold.place(8))) > 1


def test_placement_is_deterministic_and_asking_changes_nothing():
    threshold = fed([(256, 8, 8), (256, 7, 8), (2048, 3, 8)])
    before = threshold.belief()
    assert threshold.place(4) == threshold.place(4)
    assert threshold.belief() == before


# The whole search, on toys of known threshold.


def memory(tokens, base, chance):
    return lambda length, depth: np.where((1 - depth) * length <= tokens, base, chance)


def cut_off(tokens, base, chance):
    return lambda length, depth: np.where((length <= tokens) & (depth >= 0), base, chance)


def run(toy, search, seed) -> tuple[Belief, float]:
    """Search with one question in each of as many stretches of depth; return the belief and the tokens spent."""
    rng, threshold, spent = np.random.default_rng(seed), Threshold(search), 0.0
    while threshold.belief().outcome == "open":
        for length in threshold.place(4):
            depths = (np.arange(search.questions) + rng.random(search.questions)) / search.questions
            right = int((rng.random(search.questions) < toy(length, depths)).sum())
            threshold.record(Batch(length=length, right=right, n=search.questions))
            spent += search.cost(length)
    return threshold.belief(), spent


def truth_of(toy, search):
    depths = (np.arange(4000) + 0.5) / 4000
    return crossing(lambda length: float(np.mean(toy(length, depths))), search.shortest, search.ratio)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("toy", "runs"),
    [(memory(1000, 0.95, 1 / 8), 8), (cut_off(3000, 0.85, 1 / 8), 12)],
    ids=["memory of 1000", "cut-off at 3000"],
)
def test_the_estimate_is_within_a_tenth_at_a_fifth_of_the_full_grids_tokens(toy, runs):
    # A few of the runs of `bench/effective_context.py`. If 98 % of runs are within a tenth, more than 1 of 8 misses
    # with a probability of 1 %, more than 1 of 12 with 2 %.
    search = SEARCH
    truth = truth_of(toy, search)
    results = [run(toy, search, seed) for seed in range(runs)]
    missed = sum(not 0.9 * truth <= belief.threshold <= 1.1 * truth for belief, _ in results)
    assert missed <= 1
    assert max(spent for _, spent in results) <= FULL_GRID / 5
    for belief, _ in results:
        assert belief.outcome == "found"
        assert belief.low >= 0.9 * belief.threshold
        assert belief.high <= 1.1 * belief.threshold


# Errors, whole.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Batch(length=256, right=9, n=8),
            "Batch needs length > 0, n >= 1 and 0 <= right <= n, got length=256, right=9, n=8.",
        ),
        (
            lambda: Search(shortest=256, longest=500),
            "Search needs 0 < 2 * shortest <= longest, got shortest=256, longest=500: a fall within less than an "
            "octave cannot be told from a low base.",
        ),
        (
            lambda: Search(shortest=256, longest=512, chance=1.0),
            "Search needs ratio, least_base, precision and level in (0, 1) and chance in [0, 1), got 0.85, 0.2, 0.1, "
            "0.95 and 1.",
        ),
        (
            lambda: Search(shortest=256, longest=512, questions=0),
            "Search needs questions >= 1, tokens_per_question >= 0 and least_batches >= 2, got 0, 48 and 6.",
        ),
        (
            lambda: Threshold(SEARCH).record(Batch(length=100, right=1, n=1)),
            "This search spans 256 to 8192 tokens, got a batch at 100.",
        ),
    ],
)
def test_bad_values_are_refused(make, message):
    with pytest.raises(InvalidValueError) as caught:
        make()
    assert str(caught.value) == message


def test_no_batch_has_no_estimate():
    with pytest.raises(InsufficientDataError) as caught:
        Threshold(SEARCH).estimate()
    assert str(caught.value) == "A threshold needs at least one batch of answers; record one first."
