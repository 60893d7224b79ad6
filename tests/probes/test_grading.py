"""The grader of short answers, on labelled answers and on texts that mean harm."""

import gc
import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardlimit.core import Generated, Grade, Scored
from hardlimit.probes.grading import fold, grade_answer, grade_reply
from hardlimit.probes.grading.cleaning import before_loop, clean
from hardlimit.probes.grading.folding import LONGEST, read_words
from hardlimit.probes.hallucination.world import lures, vocabulary
from hardlimit.stats import clopper_pearson
from hardlimit.testing import HOSTILE

HERE = Path(__file__).parent
LABELLED = [json.loads(line) for line in (HERE / "labelled_answers.jsonl").read_text(encoding="utf-8").splitlines()]
GUIDE = HERE.parent.parent / "docs" / "grading.md"


def graded(row):
    known = row["lures"] if row["family"] == "given" else lures(row["family"], tuple(row["gold"]))
    grade, answer = grade_answer(
        row["text"],
        finish=row["finish"],
        gold=row["gold"],
        lures=known,
        question=row["question"],
        exact=row["family"] == "symbol",
    )
    return grade, answer


def split(name, source=None):
    wanted = {None: lambda s: True, "written": lambda s: s == "written", "real": lambda s: s != "written"}[source]
    return [row for row in LABELLED if row["split"] == name and wanted(row["source"])]


@pytest.mark.parametrize("row", split("tune", "written"), ids=lambda row: row["id"])
def test_written_answers_it_was_tuned_on_are_graded_as_labelled(row):
    grade, answer = graded(row)
    assert grade == row["grade"]
    assert (answer is not None) == (grade is Grade.WRONG or (grade is Grade.RIGHT and bool(row["gold"])))


def test_the_labelled_set_is_large_and_covers_what_models_do():
    assert len(LABELLED) == len({row["id"] for row in LABELLED}) >= 600
    counts = Counter(row["grade"] for row in LABELLED)
    assert min(counts[grade] for grade in ("right", "wrong", "abstained", "malformed", "truncated", "refused")) >= 10
    assert len({row["text"] for row in split("tune")} & {row["text"] for row in split("heldout")}) <= 30
    assert len(split("heldout", "real")) >= 100


def errors_on(rows):
    return sum(graded(row)[0] != row["grade"] for row in rows), len(rows)


def error_table():
    lines = []
    wanted = [("tuned on, all", "tune", None), ("held out, written", "heldout", "written")]
    wanted += [("held out, real", "heldout", "real"), ("held out, all", "heldout", None)]
    for what, name, source in wanted:
        wrong, n = errors_on(split(name, source))
        interval = clopper_pearson(wrong, n)
        lines.append(f"| {what} | {n} | {wrong} | {wrong / n:.3f} | {interval.low:.3f}–{interval.high:.3f} |")
    return lines


def test_its_error_on_answers_held_out_is_what_the_guide_says():
    guide = GUIDE.read_text(encoding="utf-8")
    for line in error_table():
        print(line)
        assert line in guide


def test_its_error_on_answers_held_out_is_small():
    wrong, n = errors_on(split("heldout"))
    assert clopper_pearson(wrong, n).high < 0.10


def test_artefacts_are_seldom_taken_for_answers():
    """What hurts a measurement most: a declined or broken reply counted as an answer, or the reverse."""
    answers = {"right", "wrong"}
    rows = split("heldout")
    crossed = sum((graded(row)[0] in answers) != (row["grade"] in answers) for row in rows if row["gold"])
    assert crossed <= 0.05 * len(rows)


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("Paris", "right"),
        ("I don't know, maybe Paris?", "right"),
        ("I don't know if it is Paris.", "abstained"),
        ("Paris, I think, but I am not sure.", "right"),
        ("It isn't Paris.", "wrong"),
        ("Not only Paris, of course.", "right"),
        ("neither Paris nor Lyon", "wrong"),
        ("Lyon? No, wait: Paris.", "right"),
        ("Paris? No, wait: Lyon.", "wrong"),
        ("Parisian", "wrong"),
        ("Paris / Lyon", "wrong"),
        ("Paris or Atlantis", "wrong"),
        ("Atlantis or Paris", "wrong"),
        ("Paris or, in short, the City of Light", "right"),
        ("Paris, also known as Lutetia", "right"),
        ("I won't answer that because it violates my guidelines.", "refused"),
        ("I'm not able to help with that request.", "refused"),
        ("I can't help you there, since I don't know.", "abstained"),
        ("[INST] Paris [/INST]", "right"),
        ("<|im_start|>assistant\nParis<|im_end|>", "right"),
    ],
)
def test_wordings(text, grade):
    found, _ = grade_answer(
        text, gold=["Paris"], lures=["Lyon", "Marseille"], question="What is the capital of France?"
    )
    assert found == grade


@pytest.mark.parametrize(
    ("text", "finish", "grade"),
    [
        ("Zinder is in Niger", "length", "truncated"),
        ("Zinder is in Niger.", "length", "right"),
        ("Zinder is in Niger", "stop", "right"),
        ("Zinder is in Nigeria", "length", "wrong"),
        ("", "length", "truncated"),
        ("", "stop", "malformed"),
        ("", "error", "failed"),
        ("Niger", "error", "failed"),
        ("Niger", "refused", "refused"),
        ("<think>It is Niger", "stop", "malformed"),
        ("<think>It is Nigeria, surely.</think>Niger", "stop", "right"),
    ],
)
def test_where_a_reply_ended_matters(text, finish, grade):
    known = vocabulary("country")
    assert grade_answer(text, finish=finish, gold=["Niger"], lures=known, question="Where is Zinder?")[0] == grade


def test_a_name_inside_another_is_not_it():
    known = vocabulary("country")
    for text, gold, wanted in [
        ("It is in Guinea-Bissau.", "Guinea", "wrong"),
        ("It is in Equatorial Guinea.", "Guinea", "wrong"),
        ("It is in Papua New Guinea.", "Guinea", "wrong"),
        ("It is in Guinea.", "Guinea", "right"),
        ("It is in New Jersey.", "Jersey", "wrong"),
        ("It lies on the Indian Ocean.", "Indian", "wrong"),
        ("It is in North America.", "America", "wrong"),
        ("It is in the French-speaking part.", "French", "wrong"),
    ]:
        assert grade_answer(text, gold=[gold], lures=known)[0] == wanted, text


def test_what_is_conceded_is_no_answer():
    known = {"gold": ["Canberra"], "lures": ["Sydney"], "question": "What is the capital of Australia?"}
    for text in ("While Sydney is larger, the capital is Canberra.", "Whereas Sydney is famous, it is Canberra"):
        assert grade_answer(text, **known) == (Grade.RIGHT, "Canberra"), text
    assert grade_answer("Sydney is larger than Canberra.", **known)[0] is Grade.WRONG


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("<think>Lyon.</think> Hm. <think>Nice.</think> Paris", "Paris"),
        ("<think>Lyon.</think>Paris<think>or", "Paris"),
        ("**Paris**", "Paris"),
        ("Answer: Lyon\nFinal answer: Paris", "Paris"),
        ("Answer:", "Answer:"),
        ("Paris\nQ: And of Spain?\nA: Madrid", "Paris"),
        ("</s>Paris<|eot_id|>", "Paris"),
    ],
)
def test_cleaning(text, cleaned):
    assert clean(text).text == cleaned


def test_symbols_count_by_their_capitals_but_alone_in_any_case():
    known = vocabulary("symbol")
    assert grade_answer("He thinks it is Ag.", gold=["Ag"], lures=known, exact=True) == (Grade.RIGHT, "Ag")
    assert grade_answer("It is written ag, maybe.", gold=["Ag"], lures=known, exact=True)[0] is Grade.WRONG
    assert grade_answer("ag", gold=["Ag"], lures=known, exact=True)[0] is Grade.RIGHT
    assert grade_answer("Na", gold=["Na"], lures=known, exact=True)[0] is Grade.RIGHT


def test_numbers_are_compared_as_numbers():
    for text, gold in [
        ("1,000", "1000"),
        ("3.50", "3.5"),
        ("seventeen", "17"),
        ("It is forty-two.", "42"),
        ("-5", "-5"),
    ]:
        assert grade_answer(text, gold=[gold])[0] is Grade.RIGHT, text
    for text, gold in [("17", "170"), ("5", "-5"), ("-5", "5"), ("1.000", "1000")]:
        assert grade_answer(text, gold=[gold])[0] is Grade.WRONG, text


def test_where_nothing_is_right_abstaining_is_and_any_answer_is_wrong():
    for text in ("I don't know.", "It does not exist.", "There's no such city.", "N/A", "I can't find it anywhere."):
        assert grade_answer(text, gold=[])[0] is Grade.RIGHT, text
    for text in ("Russia", "I don't know, but I would guess Russia.", "It is a town on the coast."):
        assert grade_answer(text, gold=[], lures=vocabulary("country"))[0] is Grade.WRONG, text
    assert grade_answer("I can't help with that.", gold=[])[0] is Grade.REFUSED


def test_a_reply_without_text_is_failed():
    assert grade_reply(Scored(token_logprobs=(), greedy=False), gold=["Paris"]) == (Grade.FAILED, None)
    said = Generated(text="Paris", finish="stop")
    assert grade_reply(said, gold=["Paris"]) == (Grade.RIGHT, "Paris")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  The  São Tomé ", "sao tome"),
        ("N’Djamena", "ndjamena"),
        ("Reykjavík!", "reykjavik"),
        ("Łódź", "lodz"),
        ("Ærø", "aero"),
        ("Straße", "strasse"),
        ("Ｐａｒｉｓ", "paris"),
        ("U.S.A.", "usa"),
        ("St. John's", "st john"),
        ("", ""),
        ("the", "the"),
    ],
)
def test_folding(text, folded):
    assert fold(text) == folded
    assert fold(folded) == folded


@given(st.text(max_size=300), st.sampled_from(["stop", "length"]), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_text_gets_a_grade_and_none_is_right_by_accident(text, finish, exact):
    grade, answer = grade_answer(text, finish=finish, gold=["Ouagadougou"], lures=["Bamako"], exact=exact)
    assert isinstance(grade, Grade)
    assert answer is None or len(answer) <= 100
    assert grade is not Grade.RIGHT or "ouagadougou" in fold(text)


@given(
    st.sampled_from(vocabulary("capital")),
    st.sampled_from(["{}", " {}.\n", "**{}**", "The answer is {}!", "Answer: {}"]),
)
@settings(max_examples=300, deadline=None)
def test_every_capital_is_right_in_every_dress(name, dress):
    for spelled in (name, name.upper(), name.lower()):
        assert grade_answer(dress.format(spelled), gold=[name], lures=vocabulary("capital"))[0] is Grade.RIGHT


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_never_right(text):
    assert grade_answer(text, gold=["Ouagadougou"], lures=["Bamako"])[0] is not Grade.RIGHT


ENDLESS = ["(", "I do not ", "a,", "<", "1,", "\n", "not not ", "Answer: ", "no no x ", "a.b.", "**", "is is not ",
           "<think>", "User: ", "’", "ﷺ", "I think ", "0", "there is no "]  # fmt: skip


@pytest.mark.parametrize("unit", ENDLESS)
def test_time_is_linear_in_the_length_of_hostile_text(unit):
    """Eight times the text costs 8 times as much, or 64 times if something were quadratic.

    The best of 5 is taken, in the thread's own time, which does not run while others compute.
    """
    short, long = seconds(unit, LONGEST // 8), seconds(unit, LONGEST)
    assert long < 32 * short + 0.01


def seconds(unit, characters):
    text = (unit * characters)[:characters]
    gc.disable()
    try:
        return min(timed(text) for _ in range(5))
    finally:
        gc.enable()


def timed(text):
    start = time.thread_time()
    grade_answer(text, gold=["Paris"], lures=["Lyon"], question="What is the capital of France?")
    return time.thread_time() - start


def test_of_an_endless_text_only_both_ends_are_read():
    assert grade_answer("Paris. " + "bla " * 1_000_000, gold=["Paris"])[0] is Grade.RIGHT
    assert grade_answer("Let me see. " + "x y z. " * 100_000 + "Final answer: Paris", gold=["Paris"])[0] is Grade.RIGHT
    assert sum(len(word.written) for word in read_words(clean("ab " * 1_000_000).text)) <= LONGEST


def test_loops_keep_what_was_complete_before_them():
    def kept(text):
        return [word.text for word in before_loop(read_words(text))]

    assert kept("It is Oslo. It is a city of the city of the city of the city of the city of") == ["it", "is", "oslo"]
    assert kept("Oslo, Oslo, Oslo, Oslo, Oslo, Oslo, Oslo, Oslo, Oslo") == []
    assert " ".join(kept("A rose is a rose is a rose.")) == "a rose is a rose is a rose"
    said_twice = "the town lies on the river and has a bridge " * 2
    assert len(kept(said_twice)) == 20


def test_the_guide_names_every_grade():
    guide = GUIDE.read_text(encoding="utf-8")
    for grade in Grade:
        assert re.search(rf"\*\*{grade}\*\*", guide), grade
