"""The needle probe, its grid, and what toys of known memory make of them."""

import msgspec
import pytest

from hardlimit.core import Generated, Grade, InvalidValueError, Limit
from hardlimit.models.toy import FiniteMemory, Guessing, Perfect
from hardlimit.probes.context import Grid, Needle, control
from hardlimit.probes.context.needle import QUESTION
from hardlimit.probes.context.overlap import shared_words
from hardlimit.testing import check_probe

from .toys import ask, asked

VARIANTS = ("no overlap", "literal", "distractor")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_probe_keeps_the_contract(variant):
    check_probe(Needle(variant=variant, length=600), seed=3, n=24, harder=[Needle(variant=variant, length=9000)])


def test_the_probe_says_what_it_is():
    assert (Needle.name, Needle.limit, Needle.quantity.id) == ("context.needle", Limit.CONTEXT, "accuracy")


def needle_of(case):
    return case.ask.messages[0].content[case.factors["start"] : case.factors["end"]]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_needle_stands_in_the_story_and_names_the_answer(variant):
    for case in Needle(variant=variant, length=700).cases(seed=1, n=24):
        content = case.ask.messages[0].content
        story, _, question = content.rpartition(QUESTION)
        assert needle_of(case).endswith(f" is {case.gold[0]}.")
        assert content.count(case.gold[0]) == 1
        assert all(story.count(name) == 1 for name in case.lures)
        assert len(case.lures) == (15 if variant == "distractor" else 7)
        shares = shared_words(question, needle_of(case))
        assert bool(shares) == (variant == "literal")


@pytest.mark.parametrize("variant", ["no overlap", "distractor"])
def test_no_question_shares_a_content_word_with_its_whole_story(variant):
    for case in Needle(variant=variant, length=700).cases(seed=2, n=16):
        story, _, question = case.ask.messages[0].content.rpartition(QUESTION)
        assert shared_words(question.partition("?")[0], story.partition("\n\n")[2]) == frozenset()


def test_a_distractor_has_the_form_of_its_needle():
    cases = Needle(variant="distractor", length=900, needles=2).cases(seed=0, n=20)
    for case in cases:
        frame = needle_of(case).split(" of ")[0].split(" at ")[0].split(" near ")[0]
        twin = Needle(variant="no overlap", length=900, needles=2).cases(seed=0, n=20)
        assert case.gold in [other.gold for other in twin]
        assert frame.startswith("The ")
    trades = [case for case in cases if str(case.factors["association"]).startswith("is a")]
    places = [case for case in cases if case not in trades]
    for case in places:
        form = next(
            part for part in (" of ", " at ", " outside ", " near ", " beside ", " by ") if part in needle_of(case)
        )
        head = needle_of(case).split(form)[0]
        assert case.ask.messages[0].content.count(head) >= 2


def test_all_questions_about_a_haystack_share_everything_before_the_question():
    probe = Needle(length=800)
    for index in range(2):
        questions = [*probe.haystack(0, index), *msgspec.structs.replace(probe, variant="literal").haystack(0, index)]
        prefixes = {case.ask.messages[0].content.rpartition(QUESTION)[0] for case in questions}
        assert len(prefixes) == 1
        assert len({case.cluster for case in questions}) == 1
        assert len({case.ask.messages[0].content for case in questions}) == 16


def test_variants_ask_about_the_same_needles():
    plain, literal = (Needle(variant=variant, length=500).cases(seed=4, n=8) for variant in ("no overlap", "literal"))
    assert [case.gold for case in plain] == [case.gold for case in literal]


def test_the_same_needles_are_hidden_at_every_length():
    short, long = (Needle(length=length).cases(seed=4, n=8) for length in (500, 5000))
    assert [case.gold for case in short] == [case.gold for case in long]
    assert {case.cluster for case in short}.isdisjoint(case.cluster for case in long)


def test_depths_are_one_in_each_stretch_and_the_factor_is_its_middle():
    for case in Needle(length=4000, needles=4).cases(seed=0, n=40):
        assert case.factors["depth"] in (0.125, 0.375, 0.625, 0.875)
        assert abs(case.factors["position"] - case.factors["depth"]) < 0.125 + 0.03


def test_given_depths_are_kept():
    cases = Needle(length=4000, needles=2, depths=(0.2, 0.9)).cases(seed=0, n=2)
    assert [case.factors["depth"] for case in cases] == [0.2, 0.9]
    assert [case.factors["position"] for case in cases] == pytest.approx([0.2, 0.9], abs=0.02)


def test_the_length_is_in_the_models_own_tokens():
    cases = Needle(length=2000).haystack(0, 0, count=lambda text: len(text) // 3)
    story = cases[0].ask.messages[0].content.partition("\n\n")[2].rpartition(QUESTION)[0]
    assert cases[0].factors["tokens"] == len(story) // 3
    assert 1950 <= cases[0].factors["tokens"] <= 2000


def test_more_needles_than_turns_of_phrase_still_differ():
    cases = Needle(length=2000, needles=16).cases(seed=0, n=16)
    assert len({case.factors["association"] for case in cases}) == len({case.gold for case in cases}) == 16


def test_grading_knows_every_name():
    probe = Needle(length=500)
    case = probe.cases(seed=0, n=1)[0]
    stranger = next(name for name in ("Alice", "Bob", "Ruth") if name not in (*case.gold, *case.lures))

    def grade(text, finish="stop"):
        return probe.grade(case, Generated(text=text, finish=finish))[0]

    fact = needle_of(case)
    assert grade(fact) is Grade.RIGHT
    assert grade(fact.replace(case.gold[0], case.lures[0])) is Grade.WRONG
    assert grade(f"The person is {stranger}.") is Grade.WRONG
    assert grade(f"Either {case.gold[0]} or {case.lures[0]}.") is Grade.WRONG
    assert grade("The story does not say who.") is Grade.ABSTAINED
    assert grade("The coachman, who was thrifty by nature, shovelled the", finish="length") is Grade.TRUNCATED


# Controls on toys.


def test_a_guesser_is_right_as_often_as_the_chance_says():
    # 800 cases, p = 1/8: 0.04 is 3.4 standard errors (7 in 10,000).
    answered = asked(Guessing(), Needle(length=400), n=800)
    assert sum(item.grade is Grade.RIGHT for item in answered) / 800 == pytest.approx(Needle().chance, abs=0.04)
    rivals = Needle(variant="distractor", length=600)
    answered = asked(Guessing(), rivals, n=800)
    assert sum(item.grade is Grade.RIGHT for item in answered) / 800 == pytest.approx(rivals.chance, abs=0.03)


def test_controls_hold_for_a_reader_and_fail_for_a_cheat():
    probe = Needle(length=400)
    reader = FiniteMemory(tokens=10**6)
    judged = {name: control(name, asked(reader, each, n=48), probe.chance) for name, each in probe.controls().items()}
    assert {name: each.passed for name, each in judged.items()} == dict.fromkeys(judged, True)
    assert set(judged) == {"trivial", "impossible", "shortcut"}
    cheat = {name: control(name, asked(Perfect(), each, n=48), probe.chance) for name, each in probe.controls().items()}
    assert {name: each.passed for name, each in cheat.items()} == {
        "trivial": True,
        "impossible": False,
        "shortcut": False,
    }


def test_a_model_that_cannot_read_fails_the_trivial_control():
    probe = Needle(length=400)
    trivial = probe.controls()["trivial"]
    assert not control("trivial", asked(FiniteMemory(tokens=1, otherwise="abstain"), trivial, n=30), 1 / 8).passed
    assert not control("trivial", [], 1 / 8).passed


def test_what_the_controls_show_is_what_they_are_called():
    probe = Needle(length=400)
    removed, unseen, bare = (
        probe.controls()[name].cases(seed=0, n=8) for name in ("impossible", "shortcut", "trivial")
    )
    plain = probe.cases(seed=0, n=8)
    for case, gone, blind in zip(plain, removed, unseen, strict=True):
        assert not any(name in gone.ask.messages[0].content for name in (*case.gold, *case.lures))
        assert gone.factors["tokens"] > 300
        assert len(blind.ask.messages[0].content) < 200
        assert blind.factors["tokens"] == 0
    assert all(len(case.ask.messages[0].content) < 250 and not case.lures for case in bare)


def test_finite_memory_finds_what_it_remembers():
    # 4-character tokens; the memory reaches half of the story: needles in the second half are found, others guessed.
    probe = Needle(length=2000)
    cases = [case for index in range(12) for case in probe.haystack(0, index, FiniteMemory().count_tokens)]
    answered = ask(FiniteMemory(tokens=1000, otherwise="abstain"), probe, cases)
    for item in answered:
        if abs(item.case.factors["position"] - 0.5) > 0.05:
            assert (item.grade is Grade.RIGHT) == (item.case.factors["position"] > 0.5)


# The grid.


def test_a_grid_asks_every_depth_at_every_length_in_every_haystack():
    grid = Grid(probe=Needle(variant="literal", needles=4), lengths=(300, 600), depths=12, haystacks=3)
    cases = grid.cases(seed=0)
    assert len(cases) == grid.size == 72
    cells = {(case.factors["length"], case.factors["depth"]): 0 for case in cases}
    for case in cases:
        cells[case.factors["length"], case.factors["depth"]] += 1
    assert set(cells.values()) == {3}
    assert len(cells) == 24
    assert len({case.id for case in cases}) == 72
    assert len({case.cluster for case in cases}) == 18


# Errors, whole.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Needle(length=0),
            "Needle needs length >= 1, needles in [1, 16] and tokens_per_word > 0, got length=0, needles=8, "
            "tokens_per_word=1.4.",
        ),
        (
            lambda: Needle(depths=(0.5, 1.5), needles=2),
            "Needle.depths must be empty, or one number in [0, 1] for each of the 2 needles, got (0.5, 1.5).",
        ),
        (lambda: Needle().cases(seed=0, n=0), "Needle.cases needs n >= 1, got 0."),
        (
            lambda: Needle(length=50).cases(seed=0, n=1),
            "8 needles alone take 94 tokens and leave too little of 50 for the story. "
            "Use a length of at least 126, or fewer needles.",
        ),
        (lambda: Grid(lengths=(512, 256)), "Grid.lengths must be ascending and >= 1, got (512, 256)."),
        (
            lambda: Grid(depths=11),
            "Grid needs haystacks >= 2 and depths a multiple of the probe's 8 needles, got haystacks=5, depths=11.",
        ),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(InvalidValueError) as caught:
        make()
    assert str(caught.value) == message
