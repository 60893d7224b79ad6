"""The haystack: associations that share no word with their questions, prose that mentions neither, needles in place."""

import re
import zlib
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardlimit.core import InvalidValueError
from hardlimit.probes.context.associations import NAMES, SIGHTS, STAYS, associations
from hardlimit.probes.context.haystack import bury, words_times
from hardlimit.probes.context.overlap import content_words, shared_words, stem
from hardlimit.probes.context.prose import paragraphs, vocabulary
from hardlimit.probes.context.scenes import SCENES

SHIFTS = range(len(SIGHTS) * len(STAYS))
EVERY = [fact for shift in SHIFTS for fact in associations(shift)]
NEEDLES = " ".join(fact.states for fact in EVERY)
QUESTIONS = " ".join(fact.asks for fact in EVERY)

# Overlap.


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("She bakes bread.", "The baker sleeps.", {"bakes"}),
        ("jogging past the gate", "He jogs.", {"jogging"}),
        ("a German town", "in Germany", {"german"}),
        ("Széchenyi", "szechenyi baths", {"szechenyi"}),
        ("two planets", "the planetary hour", {"planets"}),
        ("the one who has been there", "who is the one", set()),
        ("the neighbour of the Eiffel Tower", "has been to France", set()),
        ("a car", "a cart", set()),
    ],
)
def test_words_are_the_same_up_to_their_endings(first, second, shared):
    assert shared_words(first, second) == shared


def test_sharing_is_seen_from_both_sides():
    assert shared_words("the drilled hole", "a drill") == {"drilled"}
    assert shared_words("a drill", "the drilled hole") == {"drill"}


def test_a_stem_keeps_three_letters():
    assert [stem(word) for word in ("sing", "used", "yes", "running")] == ["sing", "used", "yes", "run"]


def test_function_words_carry_no_content():
    assert content_words("Who is the one that has been there?") == frozenset()


# Associations.


def test_no_question_shares_a_content_word_with_any_needle():
    assert shared_words(QUESTIONS, NEEDLES) == shared_words(NEEDLES, QUESTIONS) == frozenset()


def test_the_story_has_no_content_word_of_any_needle_or_question():
    told = vocabulary()
    for text in (NEEDLES, QUESTIONS, " ".join(NAMES)):
        assert shared_words(text, told) == shared_words(told, text) == frozenset()


def test_no_name_is_a_word_of_a_needle_or_a_question():
    assert shared_words(" ".join(NAMES), f"{NEEDLES} {QUESTIONS}") == frozenset()


def test_there_are_enough_associations_and_names_and_all_differ():
    for shift in SHIFTS:
        facts = associations(shift)
        assert len({fact.key for fact in facts}) == len({fact.asks for fact in facts}) == len(facts) == 54
        assert len({fact.states for fact in facts}) == 54
    assert len(set(NAMES)) == len(NAMES) >= 50


def test_every_literal_question_repeats_its_needle_and_nothing_of_another_key():
    for fact in associations():
        assert content_words(fact.literal) == content_words(fact.states)


# Prose.


def story(seed, words):
    told, n = [], 0
    for paragraph in paragraphs(np.random.default_rng(seed)):
        told.append(paragraph)
        n += sum(len(sentence.split()) for sentence in paragraph)
        if n >= words:
            return told
    return told


def test_a_story_of_128k_tokens_repeats_no_sentence_and_does_not_degenerate():
    # 96,000 words are more than 128,000 tokens of common vocabularies.
    told = story(0, 96_000)
    sentences = [sentence for paragraph in told for sentence in paragraph]
    assert len(set(sentences)) == len(sentences) > 6000
    # The last tenth compresses no better than the first: no pattern wears out.
    tenth = len(sentences) // 10
    first, last = (" ".join(part).encode() for part in (sentences[:tenth], sentences[-tenth:]))
    ratios = [len(zlib.compress(part, 9)) / len(part) for part in (first, last)]
    assert ratios[1] > 0.95 * ratios[0] > 0.15


def test_stories_are_reproducible_and_differ_by_seed():
    assert story(5, 500) == story(5, 500)
    assert story(5, 500) != story(6, 500)


def test_every_slot_is_filled_and_every_sentence_is_one():
    for paragraph in story(1, 20_000):
        assert 4 <= len(paragraph) <= 8
        for sentence in paragraph:
            assert "{" not in sentence
            assert "  " not in sentence
            assert sentence[0].isupper() or sentence[0] == '"'
            assert sentence[-1] in '."'


def test_a_paragraph_stays_with_two_persons():
    everybody = sorted({person for scene in SCENES for person in scene.people}, key=len, reverse=True)
    for paragraph in islice(paragraphs(np.random.default_rng(3)), 200):
        text, seen = " ".join(paragraph).lower(), set()
        for person in everybody:  # the miller's aunt is not the miller
            text, found = re.subn(rf"\b{person}\b", "", text)
            seen |= {person} if found else set()
        assert 1 <= len(seen) <= 2


# Burying.


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(120, 3000), st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_needles_stand_where_they_should_and_the_length_is_kept(seed, length, depths):
    needles = [f"Needle number {place} is {name}." for place, name in zip(range(len(depths)), NAMES, strict=False)]
    hay = bury(needles, depths, length=length, count=words_times(1.3), rng=np.random.default_rng(seed))
    assert [hay.text[start:end] for start, end in hay.spans] == needles
    assert hay.tokens == words_times(1.3)(hay.text)
    assert length - 60 <= hay.tokens <= length
    assert all(hay.text.count(needle) == 1 for needle in needles)
    # A needle is off its depth by half a sentence (and by the other needles), no more.
    for (start, _), depth in zip(hay.spans, depths, strict=True):
        assert abs(start - depth * len(hay.text)) <= 120 + sum(len(needle) + 1 for needle in needles)


def test_the_ends_of_the_story_are_depths_zero_and_one():
    hay = bury(["First.", "Last."], [0.0, 1.0], length=500, count=words_times(1.3), rng=np.random.default_rng(0))
    assert hay.text.startswith("First. ")
    assert hay.text.endswith(" Last.") or hay.text.endswith("\nLast.")


def test_the_same_story_surrounds_other_needles():
    hays = [
        bury([needle], [0.5], length=400, count=words_times(1.3), rng=np.random.default_rng(9))
        for needle in ("The one is Anna.", "The one is Adam.")
    ]
    assert hays[0].text.replace("Anna", "Adam") == hays[1].text


def test_needles_alone_have_no_story():
    hay = bury(["A b c.", "D e f."], [0.9, 0.1], length=None, count=words_times(1.0), rng=np.random.default_rng(0))
    assert hay.text == "D e f. A b c."
    assert hay.tokens == 6


def test_too_little_room_is_refused_with_the_length_that_would_do():
    with pytest.raises(InvalidValueError) as caught:
        bury(["one two three four."] * 5, [0.5] * 5, length=24, count=words_times(1.0), rng=np.random.default_rng(0))
    assert str(caught.value) == (
        "5 needles alone take 20 tokens and leave too little of 24 for the story. "
        "Use a length of at least 27, or fewer needles."
    )
