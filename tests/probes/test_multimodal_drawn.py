"""The drawn pictures: pairs that differ in nothing but the answer, without a shortcut, open-ended in difficulty."""

import io

import numpy as np
import pytest
from PIL import Image

from hardlimit.core import Generate, InvalidValueError, See
from hardlimit.probes.multimodal import Drawn, UsualColour
from hardlimit.probes.multimodal.canvas import PALETTE, Look
from hardlimit.probes.multimodal.familiar import COLOURS, THINGS
from hardlimit.probes.multimodal.tasks import TASKS
from hardlimit.testing import check_probe

HARDER = {"circles": 0.25, "letter": 30, "counting": 60, "squares": 25, "grid": 40, "paths": 30, "crossings": 25}


@pytest.mark.parametrize("task", TASKS)
def test_it_keeps_the_contract(task):
    harder = Drawn(task=task, knob=HARDER.get(task, 0.6), pixels=64)
    check_probe(Drawn(task=task, pixels=48), n=10, harder=[harder])


def test_unusual_colours_keep_the_contract():
    check_probe(UsualColour(pixels=48), n=16, harder=[UsualColour(strength=0.02, pixels=48)])


@pytest.mark.parametrize("task", TASKS)
def test_a_pair_is_one_question_two_pictures_two_answers(task):
    for seed in range(6):
        first, second = Drawn(task=task, pixels=64).pair(seed, 0)
        assert first.ask.messages == second.ask.messages
        assert first.ask.images != second.ask.images
        assert first.gold != second.gold and first.cluster == second.cluster


def test_neither_the_order_nor_the_question_tells_the_answer():
    # Of 400 pairs the first has the answer yes in 200 ± 35 (3.5 standard deviations; false alarm 5 in 10,000).
    firsts = [Drawn(task="circles", pixels=32).draw(seed, 0).answers[0] for seed in range(400)]
    assert abs(firsts.count("yes") - 200) < 35


@pytest.mark.parametrize("task", [task for task in TASKS if task != "paths"])
def test_a_linear_classifier_of_the_nuisances_is_at_chance(task):
    """What varies without telling (look, order, mean brightness and place of all that is drawn) tells nothing.

    Each case is coded by its answer's rank among the two of its pair; the classifier sees one picture at a time.
    Of 240 held-out cases, chance is 120 ± 27 (3.5 standard deviations; a false alarm in 5 of 10,000 tasks). Where the
    answer is itself ink (a cross that is there, one more line or square, lines that are longer because they cross),
    brightness and place are left out: they are what is asked.
    """
    probe = Drawn(task=task, pixels=32)
    rows, labels = [], []
    for seed in range(480):
        look, pair, member = Look.draw(probe._rng(seed, 0)), probe.draw(seed, 0), seed % 2
        pixels = np.asarray(pair.pictures[member].image(), float)
        drawn = np.abs(pixels - look.background).sum(axis=2)
        features = [getattr(look, name) for name in look.__struct_fields__] + [float(member)]
        if task not in ("grid", "squares", "spot", "crossings"):
            features += [drawn.mean(), *(np.argwhere(drawn > 30).mean(axis=0) if (drawn > 30).any() else (16, 16))]
        rows.append(features)
        labels.append(1.0 if pair.answers[member] == max(pair.answers) else -1.0)
    x, y = np.array(rows), np.array(labels)
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)
    fitted = np.linalg.solve(x[:240].T @ x[:240] + np.eye(x.shape[1]), x[:240].T @ y[:240])
    hits = int(np.sum(np.sign(x[240:] @ fitted) == y[240:]))
    assert abs(hits - 120) < 27


def ink(canvas):
    pixels = np.asarray(canvas.image(), float)
    return float(np.abs(pixels - pixels[0, 0]).mean())


def test_counting_has_the_same_ink_whatever_the_count():
    drawn = [Drawn(task="counting", knob=4, pixels=96).draw(seed, 0) for seed in range(20)]
    ratios = [ink(pair.pictures[0]) / ink(pair.pictures[1]) for pair in drawn]
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)


def test_lines_that_cross_use_the_same_places_as_lines_that_do_not():
    # The two pictures of a pair have the same points; only which line passes above changes.
    for seed in range(5):
        pair = Drawn(task="crossings", knob=1, pixels=96).draw(seed, 0)
        greys = [np.asarray(canvas.image().convert("L"), float) for canvas in pair.pictures]
        ends = [grey[:, [12, 83]] for grey in greys]
        assert np.abs(ends[0].mean(axis=0) - ends[1].mean(axis=0)).max() < 6


def test_red_and_green_are_one_to_an_eye_that_takes_their_mean():
    for seed in range(40):
        pair = Drawn(task="hue", pixels=64).draw(seed, 0)
        if pair.kinds != "green or red":
            continue
        first, second = (np.asarray(canvas.image(), int) for canvas in pair.pictures)
        assert np.abs(first - second).max() > 60
        assert np.array_equal(first[..., 0] + first[..., 1], second[..., 0] + second[..., 1])
        return
    pytest.fail("no pair of red and green in 40")


def test_the_knob_is_the_gap_in_pixels():
    # Along the line through both centres, two circles knob pixels apart leave 2·knob more than those that overlap.
    pair = Drawn(task="circles", knob=6, pixels=224).draw(3, 0)
    boxes = []
    for canvas in pair.pictures:
        dark = np.argwhere(np.asarray(canvas.image().convert("L")) < 150)
        boxes.append(np.hypot(*(dark.max(axis=0) - dark.min(axis=0))))
    assert abs(boxes[0] - boxes[1]) == pytest.approx(12, abs=4.5)


def test_sixteen_pairs_have_the_cross_in_every_place():
    places = [Drawn(task="spot", pixels=32).draw(9, index).place for index in range(16)]
    assert len(set(places)) == 16


def test_smooth_edges_have_shades_between():
    pixels = np.asarray(Drawn(task="circles").draw(0, 0).pictures[0].image().convert("L"))
    assert len(np.unique(pixels)) > 8


def test_the_settings_ask_what_they_say():
    probe = Drawn(task="squares", pixels=64)
    controls = probe.controls()
    (seen, _), (told, _), (blind, _), (wrong, _) = (
        each.pair(1, 2) for each in (probe, controls["trivial"], controls["impossible"], controls["shortcut"])
    )
    assert isinstance(told.ask, Generate) and seen.gold[0] in told.ask.messages[0].content
    assert isinstance(blind.ask, See) and blind.ask.images == ()
    assert wrong.ask.images != seen.ask.images and wrong.gold == seen.gold
    assert {case.cluster for case in (seen, told, blind, wrong)} == {seen.cluster}
    assert len({case.id for case in (seen, told, blind, wrong)}) == 4


def test_a_thing_is_shown_in_its_own_colour_and_in_another():
    for usual, other in zip(*[iter(UsualColour(pixels=48).cases(seed=4, n=32))] * 2, strict=True):
        assert usual.gold == (THINGS[usual.factors["thing"]],)
        assert other.gold[0] in COLOURS and other.gold != usual.gold
        middle = Image.open(io.BytesIO(other.ask.images[0])).getpixel((24, 24))
        nearest = min(PALETTE, key=lambda name: sum(abs(a - b) for a, b in zip(PALETTE[name], middle, strict=True)))
        assert nearest == other.gold[0]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: Drawn(task="counting", knob=2.5),
            "The knob of 'counting' (circles) must be a whole number >= 1, got 2.5.",
        ),
        (
            lambda: Drawn(task="circles", knob=0.0),
            "The knob of 'circles' (gap or overlap, pixels) must be >= 0.05, got 0.",
        ),
        (lambda: Drawn(pixels=8), "Drawn.pixels must be >= 32, got 8."),
        (lambda: Drawn().cases(seed=0, n=0), "Drawn.cases needs n >= 1, got 0."),
        (
            lambda: UsualColour(strength=0.0),
            "UsualColour needs strength in (0, 1] and pixels >= 32, got strength=0, pixels=224.",
        ),
        (
            lambda: UsualColour(thing="sky"),
            "UsualColour.thing must be one of pumpkin, plum, blueberry, banana, carrot, eggplant, sapphire, lemon, got "
            "'sky'.",
        ),
    ],
)
def test_what_makes_no_sense_says_why(make, says):
    with pytest.raises(InvalidValueError) as caught:
        make()
    assert str(caught.value) == says
