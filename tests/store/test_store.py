"""What is kept is found again, whole and first come; what depends on anything else is not."""

import hashlib
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hardlimit import __version__
from hardlimit.core import (
    Answered,
    Attend,
    Attended,
    Generated,
    Grade,
    InvalidValueError,
    Message,
    Score,
    Scored,
    See,
    Span,
    SpanAttention,
    StoreError,
    Usage,
)
from hardlimit.models import ModelCard
from hardlimit.store import Measured, Run, Store, answer_key, cell_key, failure_of, reply_key, run_key

ASKED = (Message(role="user", content="2 + 2 ="),)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "answers.sqlite") as store:
        yield store


def keep(store, make, answered):
    return store.keep_answer(make.key(answered.case), answered, model="aaaa", probe=make.probe())


def test_an_answer_comes_back_equal_after_reopening(store, make, cases):
    kept = [keep(store, make, make.answered(case)) for case in cases]
    with Store.open(store.path) as again:
        found = again.answers([make.key(case) for case in reversed(cases)])
    assert list(found.values()) == kept == [make.answered(case) for case in cases]
    # To the types of the factors and their order, which equality does not see.
    assert [repr(answered) for answered in found.values()] == [repr(answered) for answered in kept]


def test_answers_come_in_the_order_of_their_arrival(store, make, cases):
    order = [4, 0, 29, 7, 1]
    for place in order:
        keep(store, make, make.answered(cases[place]))
    assert list(store.answers([make.key(case) for case in cases])) == [make.key(cases[place]) for place in order]
    assert [kept.answered.case for kept in store.every_answer()] == [cases[place] for place in order]


def test_many_keys_are_looked_up(store, make):
    many = make.probe().cases(seed=0, n=1203)
    for case in many[::2]:
        keep(store, make, make.answered(case))
    assert list(store.answers([make.key(case) for case in many])) == [make.key(case) for case in many[::2]]
    assert store.answers([]) == {}


def test_the_first_answer_wins(store, make, cases):
    first, second = make.answered(cases[0], "4"), make.answered(cases[0], "five", Grade.WRONG)
    assert keep(store, make, first) == first
    assert keep(store, make, second) == first
    assert store.answers([make.key(cases[0])]) == {make.key(cases[0]): first}


def test_a_failed_answer_is_kept_but_not_found_and_makes_way(store, make, cases):
    case = cases[0]
    assert keep(store, make, make.failed(case)) == make.failed(case)
    assert store.answers([make.key(case)]) == {}
    assert [kept.answered for kept in store.every_answer()] == [make.failed(case)]
    # A second failure replaces the first.
    assert keep(store, make, make.failed(case, "Still gone.")) == make.failed(case, "Still gone.")
    assert [kept.answered for kept in store.every_answer()] == [make.failed(case, "Still gone.")]
    # An answer replaces it, as one that has just arrived.
    keep(store, make, make.answered(cases[1]))
    assert keep(store, make, make.answered(case)) == make.answered(case)
    assert list(store.answers([make.key(cases[0]), make.key(cases[1])])) == [make.key(cases[1]), make.key(cases[0])]
    # And is then final.
    assert keep(store, make, make.failed(case)) == make.answered(case)
    assert len(list(store.every_answer())) == 2


def test_every_answer_says_what_it_belongs_to(store, make, cases):
    keep(store, make, make.answered(cases[0]))
    (kept,) = store.every_answer()
    assert (kept.row, kept.model, kept.probe, kept.version) == (1, "aaaa", "Doubling(step=1)", 1)


def test_every_difference_gives_another_key(make, cases):
    case = cases[0]

    class Newer(make.probe, frozen=True):
        version: ClassVar[int] = 2

        def __repr__(self):
            return super().__repr__().replace("Newer", "Doubling")

    class Renamed(make.probe, frozen=True):
        name: ClassVar[str] = "test.other"

        def __repr__(self):
            return super().__repr__().replace("Renamed", "Doubling")

    assert repr(Newer()) == repr(Renamed()) == repr(make.probe())
    keys = [
        make.key(case),
        make.key(case, model="bbbb"),
        make.key(case, probe=make.probe(step=2)),
        make.key(case, probe=Newer()),
        make.key(case, probe=Renamed()),
        make.key(replace(case, id="other")),
        make.key(replace(case, ask=replace(case.ask, max_tokens=9))),
        make.key(replace(case, ask=replace(case.ask, seed=1))),
        make.key(replace(case, ask=Score(messages=case.ask.messages, continuation=" 4"))),
        make.key(replace(case, ask=See(messages=case.ask.messages, images=(b"\x89PNG",), max_tokens=8))),
        make.key(replace(case, ask=See(messages=case.ask.messages, images=(b"\x89PNH",), max_tokens=8))),
        make.key(replace(case, gold=("5",))),
        make.key(replace(case, lures=("5",))),
        make.key(replace(case, cluster="other")),
        make.key(replace(case, factors={**case.factors, "index": 1})),
        make.key(replace(case, factors={**case.factors, "index": 0.0})),
    ]
    assert len(set(keys)) == len(keys)
    assert {len(key) for key in keys} == {32}
    assert answer_key("aaaa", make.probe(), case) == make.key(case)
    shuffled = replace(case, factors=dict(reversed(case.factors.items())))
    assert make.key(shuffled) == make.key(case)


def test_a_key_is_the_same_in_every_version(make, cases):
    """If this changes, nothing in the stores that people have is found again: say so in the changelog."""
    ask = (
        '{"type":"Generate","messages":[{"role":"user","content":"2 * 0?"}],"max_tokens":8,"temperature":0.0,'
        '"seed":0,"stop":[],"logprobs":false}'
    )
    factors = '{"even":true,"half":0.0,"index":0,"name":"é\u2028x"}'
    case = f'{{"id":"7-0","ask":{ask},"gold":["0"],"lures":[],"factors":{factors},"cluster":"0"}}'
    text = f'["answer","aaaa","test.doubling","Doubling(step=1)",1,{case}]'
    assert make.key(cases[0]).hex() == hashlib.sha256(text.encode()).hexdigest()
    score = '{"type":"Score","messages":[{"role":"user","content":"2 + 2 ="}],"continuation":" 4"}'
    expected = hashlib.sha256(f'["reply","aaaa",{score}]'.encode()).hexdigest()
    assert reply_key("aaaa", Score(messages=ASKED, continuation=" 4")).hex() == expected


def test_reply_keys_differ():
    span = Span(name="needle", message=0, start=0, end=1)
    keys = [
        reply_key("aaaa", Score(messages=ASKED, continuation=" 4")),
        reply_key("bbbb", Score(messages=ASKED, continuation=" 4")),
        reply_key("aaaa", Score(messages=ASKED, continuation=" 5")),
        reply_key("aaaa", Attend(messages=ASKED, spans=())),
        reply_key("aaaa", Attend(messages=ASKED, spans=(span,))),
    ]
    assert len(set(keys)) == len(keys)


READING = Attended(
    keys=3,
    spans=(SpanAttention(name="needle", tokens=(1, 2), mass=((0.25, 0.5),), margin=((-1.5, 1e-17),)),),
    entropy=((0.1, 0.2),),
    sink=((0.3, 0.4),),
    usage=Usage(prompt_tokens=3, seconds=0.5),
)


@pytest.mark.parametrize("reply", [READING, Scored(token_logprobs=(-0.5, -0.25), greedy=False)])
def test_ungraded_replies(store, reply):
    request = Attend(messages=ASKED, spans=()) if reply is READING else Score(messages=ASKED, continuation=" 4")
    key = reply_key("aaaa", request)
    assert store.replies([key]) == {}
    failure = replace(reply, error="Out of memory.")
    assert store.keep_reply(key, failure, model="aaaa") == failure
    assert store.replies([key]) == {}
    assert store.keep_reply(key, reply, model="aaaa") == reply
    assert store.keep_reply(key, replace(reply, usage=Usage(calls=2)), model="aaaa") == reply
    assert store.keep_reply(key, failure, model="aaaa") == reply
    with Store.open(store.path) as again:
        assert again.replies([key]) == {key: reply}
        assert list(again.every_answer()) == []


def test_what_counts_as_failed():
    assert failure_of(Generated(text="", finish="error", error="Gone.")) == "Gone."
    assert failure_of(Generated(text="", finish="error")) == "The model gave no reason."
    assert failure_of(Generated(text="", finish="refused")) is None
    assert failure_of(Scored(token_logprobs=(), greedy=False, error="Gone.")) == "Gone."
    assert failure_of(Scored(token_logprobs=(), greedy=False)) is None
    assert failure_of(replace(READING, error="Gone.")) == "Gone."
    assert failure_of(READING) is None


@given(
    text=st.text(st.characters(exclude_categories=["Cs"])),
    logprobs=st.none() | st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5).map(tuple),
    factors=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        max_size=5,
    ),
    seconds=st.floats(0, 1e6),
)
def test_whatever_a_model_says_comes_back_the_same(lasting_store, make, text, logprobs, factors, seconds):
    store, numbers = lasting_store
    case = replace(make.probe().cases(seed=1, n=1)[0], factors=factors, id=f"{next(numbers)} {text}")
    reply = Generated(text=text, finish="stop", token_logprobs=logprobs, usage=Usage(seconds=seconds))
    answered = Answered(case=case, reply=reply, grade=Grade.MALFORMED, answer=text)
    assert keep(store, make, answered) == answered
    assert repr(store.answers([make.key(case)])) == repr({make.key(case): answered})


@pytest.fixture(scope="module")
def lasting_store(tmp_path_factory):
    with Store.open(tmp_path_factory.mktemp("lasting") / "answers.sqlite") as store:
        yield store, count()


def test_a_row_that_cannot_be_read_is_named(store, make, cases):
    for case in cases[:3]:
        keep(store, make, make.answered(case))
    raw = sqlite3.connect(store.path)
    raw.execute("UPDATE answers SET value = CAST('{}' AS BLOB) WHERE id = 2")
    raw.commit()
    expected = (
        f"Row 2 of the table 'answers' in the store {store.path} cannot be read "
        "(Object missing required field `case`). Move the file away to start anew, or drop that row and run again: "
        f'sqlite3 {store.path} "DELETE FROM answers WHERE rowid = 2"'
    )
    with pytest.raises(StoreError) as caught:
        store.answers([make.key(case) for case in cases])
    assert str(caught.value) == expected
    with pytest.raises(StoreError) as caught:
        list(store.every_answer())
    assert str(caught.value) == expected
    # What the message says is what helps.
    raw.execute(expected.split('"')[1])
    raw.commit()
    raw.close()
    assert list(store.answers([make.key(case) for case in cases])) == [make.key(cases[0]), make.key(cases[2])]


@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"[1]", b"null", None, 5, 0.5, "text", b'{"case": 1e999}'])
def test_no_damage_of_a_row_goes_unnamed(store, make, cases, value):
    keep(store, make, make.answered(cases[0]))
    raw = sqlite3.connect(store.path)
    raw.execute("PRAGMA ignore_check_constraints = 1")
    raw.execute("UPDATE OR IGNORE answers SET value = ?", (value if value is not None else "",))
    raw.commit()
    raw.close()
    with pytest.raises(StoreError, match=r"^Row 1 of the table 'answers' in the store .* cannot be read \("):
        store.answers([make.key(cases[0])])


def test_a_damaged_reply_and_card_are_named(store, card):
    key = reply_key("aaaa", Score(messages=ASKED, continuation=" 4"))
    store.keep_reply(key, Scored(token_logprobs=(), greedy=True), model="aaaa")
    store.introduce(card)
    raw = sqlite3.connect(store.path)
    raw.execute("UPDATE replies SET value = '{}'")
    raw.execute("UPDATE models SET card = '{}'")
    raw.commit()
    raw.close()
    with pytest.raises(StoreError, match=r"^Row 1 of the table 'replies' .* WHERE rowid = 1\"$"):
        store.replies([key])
    with pytest.raises(StoreError, match=r"^Row 1 of the table 'models' .* WHERE rowid = 1\"$"):
        store.cards()


def test_runs_and_cards(store, card):
    other = ModelCard(name="toy:other", adapter="toy", revision="1")
    noon = datetime(2031, 5, 6, 12, 0, 0, 250000, tzinfo=UTC)
    east = datetime(2031, 5, 6, 15, 0, tzinfo=timezone(timedelta(hours=3)))
    first = store.begin(card, seed=2**80, budget="10m", started=noon)
    second = store.begin(other, seed=-1, budget="$2", started=east)
    store.begin(card, seed=0, budget="unlimited", started=noon)
    store.finish(second, finished=noon + timedelta(minutes=1))
    assert first == Run(
        id=1, model=card.fingerprint, seed=2**80, budget="10m", version=__version__, started=noon, finished=None
    )
    with Store.open(store.path) as again:
        assert again.cards() == {card.fingerprint: card, other.fingerprint: other}
        runs = again.runs()
    assert runs[0] == first
    assert runs[1] == replace(second, finished=noon + timedelta(minutes=1))
    assert runs[1].started == east
    assert [run.id for run in runs] == [1, 2, 3]


def test_a_time_needs_a_zone(store, card):
    with pytest.raises(InvalidValueError) as caught:
        store.begin(card, seed=0, budget="10m", started=datetime(2031, 5, 6, 12, 0))
    assert str(caught.value) == ("A run's times need a time zone, got 2031-05-06T12:00:00; use datetime.now(UTC).")
    assert store.runs() == ()


def test_reading_on_while_answers_arrive(store, make):
    many = make.probe().cases(seed=0, n=1100)
    for case in many:
        keep(store, make, make.answered(case))
    reading = store.every_answer()
    assert next(reading).row == 1
    late = make.probe().cases(seed=1, n=2)
    with Store.open(store.path) as other:
        keep(other, make, make.answered(late[0]))
    assert list(store.answers([make.key(late[0])])) == [make.key(late[0])]
    keep(store, make, make.answered(late[1]))
    assert [kept.row for kept in reading] == list(range(2, 1103))


def test_each_answer_is_a_commit_that_others_see_at_once(store, make, cases):
    with Store.open(store.path) as other:
        for case in cases:
            keep(store, make, make.answered(case))
            assert list(other.answers([make.key(case)])) == [make.key(case)]


def test_a_store_that_is_in_use_says_so(store, make, cases):
    impatient = Store.open(store.path, patience=0.05)
    raw = sqlite3.connect(store.path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as caught:
        keep(impatient, make, make.answered(cases[0]))
    assert str(caught.value) == (
        f"The store {store.path} is in use by another process that does not let go. "
        "Wait until it ends, or name another file."
    )
    # Reading goes on meanwhile.
    assert impatient.answers([make.key(cases[0])]) == {}
    raw.close()
    keep(impatient, make, make.answered(cases[0]))
    impatient.close()


def test_a_closed_store_is_not_called_damaged(tmp_path):
    store = Store.open(tmp_path / "answers.sqlite")
    store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        store.runs()


def measured(right):
    rows = ({"seed": 0, "right": right, "share": 0.1 + 0.2, "even": True, "name": "é\u2028x"},)
    return Measured(key="depth-1", rows=rows, seconds=1.5, device="CPU")


def test_a_measured_cell_comes_back_as_it_was_and_the_first_one_counts(tmp_path, card):
    key, other = cell_key("hops", 1, card, card), cell_key("hops", 2, card, card)
    assert (
        len({key, other, cell_key("hop", 1, card, card), cell_key("hops", 1, card, measured(1)), run_key("hops", card)})
        == 5
    )
    with Store.open(tmp_path / "answers.sqlite") as store, Store.open(tmp_path / "answers.sqlite") as second:
        assert store.keep_cell(key, measured(3), experiment="hops", cell="depth-1") == measured(3)
        assert second.keep_cell(key, measured(4), experiment="hops", cell="depth-1") == measured(3)
    with Store.open(tmp_path / "answers.sqlite") as store:
        assert store.cells([other, key]) == {key: measured(3)}
    with sqlite3.connect(tmp_path / "answers.sqlite") as database:
        row = database.execute("SELECT experiment, cell, device, seconds, version FROM cells").fetchall()
        assert row == [("hops", "depth-1", "CPU", 1.5, __version__)]
        database.execute("UPDATE cells SET value = 'x'")
    database.close()
    broken = pytest.raises(StoreError, match=r"Row 1 of the table 'cells' .* drop that row and run again")
    with Store.open(tmp_path / "answers.sqlite") as store, broken:
        store.cells([key])


def test_a_report_of_the_lab_that_is_drawn_again_takes_the_place_of_the_one_before(tmp_path, card):
    with Store.open(tmp_path / "answers.sqlite") as store:
        store.keep_lab_report(run_key("hops", card), "first", experiment="hops")
        store.keep_lab_report(run_key("capacity", card), "other", experiment="capacity")
        store.keep_lab_report(run_key("hops", card), "second", experiment="hops")
        assert store.lab_reports() == ("second", "other")
