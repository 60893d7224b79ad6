"""What attention does with the needle: heads chosen on some haystacks, numbers from the others."""

import numpy as np
import pytest

from hardlimit.core import Attended, Case, Generate, InsufficientDataError, InvalidValueError, Message, SpanAttention
from hardlimit.probes.context import Needle, Origin, Reading, attend_requests, margin, needle_weight

ORIGIN = Origin(probe="Needle()", model="toy", seed=0)
LAYERS, HEADS = 3, 2
FINDER = (2, 1)


def case(length, index, place=0):
    return Case(
        id=f"{length}-{index}-{place}",
        ask=Generate(messages=(Message(role="user", content="x"),), max_tokens=1),
        gold=("Anna",),
        factors={"length": length, "haystack": index, "start": 0, "end": 1},
        cluster=f"0:{index}:{length}",
    )


def reading(length, index, weight, margin_table, place=0, error=None):
    def table(values):
        return tuple(tuple(float(x) for x in row) for row in values)

    span = SpanAttention(name="needle", tokens=(1, 2), mass=table(weight), margin=table(margin_table))
    other = SpanAttention(name="other", tokens=(0, 1), mass=table(0 * weight), margin=table(0 * weight))
    attended = Attended(
        keys=length + 30,
        spans=(other, span),
        entropy=table(np.full((LAYERS, HEADS), 1.5)),
        sink=table(np.full((LAYERS, HEADS), 0.25)),
        error=error,
    )
    return Reading(case=case(length, index, place), attended=attended)


def readings(slope=-0.5, lengths=(256, 512, 1024), haystacks=8, noise=0.0, seed=0, needles=2):
    """One head finds the needle; its margin is 2 at 256 keys and falls by `slope` per doubling of the keys."""
    rng = np.random.default_rng(seed)
    made = []
    for length in lengths:
        for index in range(haystacks):
            shift = noise * rng.normal()
            for place in range(needles):
                weight, table = np.full((LAYERS, HEADS), 0.01), np.full((LAYERS, HEADS), -5.0)
                weight[FINDER] = 0.6
                table[FINDER] = 2 + slope * np.log2((length + 30) / 256) + shift
                made.append(reading(length, index, weight, table, place))
    return made


def test_the_head_that_finds_the_needle_is_found_and_its_slope_is_right():
    measured = margin(readings(), ORIGIN, heads=1)
    assert {(point.at["layer"], point.at["head"]) for point in measured.points} == {FINDER}
    assert [point.at["length"] for point in measured.points] == [256, 512, 1024]
    assert measured.estimate.value == pytest.approx(2 - 0.5 * np.log2(1054 / 256))
    assert measured.parameters["slope_per_doubling"] == pytest.approx(-0.5)
    assert measured.parameters["sink_mass_at_longest"] == 0.25
    assert measured.parameters["entropy_at_longest"] == 1.5
    assert measured.parameters["keys_at_longest"] == 1054
    assert (measured.name, measured.quantity.id) == ("context.margin", "needle_margin")
    # Half of the 8 haystacks at the longest length, with 2 needles each.
    assert measured.estimate.n == 8
    assert measured.note == (
        "Layer.head 2.1: the 1 with the most attention on the needle in the half of the haystacks that is not measured "
        "here. The summary is their mean at 1024 tokens."
    )


def test_weight_is_measured_in_the_same_heads():
    measured = needle_weight(readings(), ORIGIN, heads=1)
    assert measured.estimate.value == pytest.approx(0.6)
    assert (measured.name, measured.quantity.id) == ("context.needle_weight", "needle_weight")


def test_the_choice_of_heads_does_not_flatter_them():
    # Pure noise: the best of 6 heads on one half is no better than the average on the other.
    rng = np.random.default_rng(1)
    made = [reading(256, index, rng.uniform(0, 1, (LAYERS, HEADS)), np.zeros((LAYERS, HEADS))) for index in range(1200)]
    measured = needle_weight(made, ORIGIN, heads=1)
    assert measured.estimate.value == pytest.approx(0.5, abs=0.04)  # 600 haystacks, 3.4 standard errors
    even = [each for each in made if each.case.factors["haystack"] % 2 == 0]
    odd = [each for each in made if each.case.factors["haystack"] % 2 == 1]
    chosen = needle_weight(made, ORIGIN, heads=1).points[0].at
    best = np.mean([np.array(each.attended.spans[1].mass) for each in even], axis=0).argmax()
    assert divmod(int(best), HEADS) == (chosen["layer"], chosen["head"])
    value = np.mean([each.attended.spans[1].mass[chosen["layer"]][chosen["head"]] for each in odd])
    assert measured.estimate.value == pytest.approx(value)


def test_an_interval_of_weights_lies_within_zero_and_one():
    made = [
        reading(256, index, np.full((LAYERS, HEADS), float(index % 4 < 2)), np.zeros((LAYERS, HEADS)))
        for index in range(8)
    ]
    interval = needle_weight(made, ORIGIN, heads=1).estimate.interval
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_haystacks_are_the_units_of_the_intervals():
    # Ten needles of one haystack with one shift tell no more than one.
    one, ten = (margin(readings(noise=1.0, needles=needles), ORIGIN, heads=1) for needles in (1, 10))
    assert ten.estimate.interval.low == pytest.approx(one.estimate.interval.low)
    assert ten.parameters["slope_low"] == pytest.approx(one.parameters["slope_low"])


def test_the_slopes_interval_covers_the_truth():
    # 95 % nominal, 200 draws: fewer than 180 cover with a probability of 2 in 1000.
    covered = 0
    for seed in range(200):
        found = margin(readings(noise=0.5, seed=seed, needles=1), ORIGIN, heads=1).parameters
        covered += found["slope_low"] <= -0.5 <= found["slope_high"]
    assert 180 <= covered <= 199


def test_failed_readings_are_artefacts():
    made = readings()
    zero = np.zeros((LAYERS, HEADS))
    made.append(reading(256, 99, zero, zero, error="out of memory"))
    measured = margin(made, ORIGIN, heads=1)
    assert (measured.estimate.artefacts, measured.estimate.n) == (1, 9)


def test_one_length_has_no_slope():
    assert "slope_per_doubling" not in margin(readings(lengths=(512,)), ORIGIN, heads=1).parameters


def test_requests_point_at_the_needle():
    cases = Needle(length=500, needles=4).haystack(0, 0)
    for each, request in zip(cases, attend_requests(cases), strict=True):
        (span,) = request.spans
        assert request.messages == each.ask.messages
        assert request.messages[span.message].content[span.start : span.end].endswith(f"is {each.gold[0]}.")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: attend_requests(Needle(length=500, setting="removed").cases(seed=0, n=1)),
            InvalidValueError,
            "The case 'no overlap-removed-0:0:500-0' has no needle in its story whose attention could be read.",
        ),
        (lambda: margin(readings(), ORIGIN, heads=0), InvalidValueError, "Attention needs heads >= 1, got 0."),
        (
            lambda: margin(readings(haystacks=3), ORIGIN),
            InsufficientDataError,
            "Attention needs at least 4 haystacks at every length: half of them to choose heads, half to measure them; "
            "got 9 at 3 lengths.",
        ),
        (
            lambda: margin([], ORIGIN),
            InsufficientDataError,
            "There is no reading of attention to choose heads by.",
        ),
    ],
)
def test_bad_readings_are_refused(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message
