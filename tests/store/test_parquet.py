"""The Parquet export: every answer, typed, in one step; and a clear word where pyarrow is missing."""

import json
import sys

import pytest
from msgspec.structs import replace

from hardlimit.core import Answered, Generated, Grade, Message, MissingExtraError, Score, Scored, StoreError, Usage
from hardlimit.store import Store

parquet = pytest.importorskip("pyarrow.parquet")

SCHEMA = {
    "row": "int64",
    "model": "string",
    "model_name": "string",
    "probe": "string",
    "version": "int32",
    "case_id": "string",
    "cluster": "string",
    "factors": "string",
    "gold": "list<element: string>",
    "grade": "string",
    "answer": "string",
    "text": "string",
    "finish": "string",
    "error": "string",
    "log_likelihood": "double",
    "prompt_tokens": "int64",
    "cached_tokens": "int64",
    "completion_tokens": "int64",
    "calls": "int64",
    "seconds": "double",
    "dollars": "double",
}


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "answers.sqlite") as store:
        yield store


def keep(store, make, answered, model="aaaa"):
    key = make.key(answered.case, model=model)
    store.keep_answer(key, answered, model=model, probe=make.probe())


def test_every_kind_of_answer(store, make, cases, card, tmp_path):
    store.introduce(card)
    score = replace(cases[2], ask=Score(messages=(Message(role="user", content="2 ="),), continuation=" 2"))
    unsaid = Generated(text="", finish="length", usage=Usage(calls=3))
    keep(store, make, make.answered(cases[0], "it's 4\x00 é"), model=card.fingerprint)
    keep(store, make, make.failed(cases[1]))
    keep(store, make, Answered(case=score, reply=Scored(token_logprobs=(-1.0, -0.5), greedy=True), grade=Grade.WRONG))
    keep(store, make, Answered(case=cases[3], reply=unsaid, grade=Grade.TRUNCATED))
    broken = Scored(token_logprobs=(), greedy=False, error="Gone.")
    keep(store, make, Answered(case=replace(score, id="x"), reply=broken, grade=Grade.FAILED))
    path = tmp_path / "answers.parquet"
    assert store.export_parquet(path) == 5
    table = parquet.read_table(path)
    assert {field.name: str(field.type) for field in table.schema} == SCHEMA
    rows = table.to_pylist()
    assert json.loads(rows[0].pop("factors")) == cases[0].factors
    assert rows[0] == {
        "row": 1,
        "model": card.fingerprint,
        "model_name": "toy:doubler",
        "probe": "Doubling(step=1)",
        "version": 1,
        "case_id": "7-0",
        "cluster": "0",
        "gold": ["0"],
        "grade": "right",
        "answer": "it's 4\x00 é",
        "text": "it's 4\x00 é",
        "finish": "stop",
        "error": None,
        "log_likelihood": -0.1,
        "prompt_tokens": 7,
        "cached_tokens": 3,
        "completion_tokens": 2,
        "calls": 1,
        "seconds": 0.1,
        "dollars": 0.001,
    }
    some = ("model_name", "grade", "answer", "text", "finish", "error", "log_likelihood", "calls", "dollars")
    assert [tuple(row[name] for name in some) for row in rows[1:]] == [
        (None, "failed", None, "", "error", "The server is gone.", None, 1, None),
        (None, "wrong", None, None, None, None, -1.5, 1, None),
        (None, "truncated", None, "", "length", None, None, 3, None),
        (None, "failed", None, None, None, "Gone.", None, 1, None),
    ]


def test_an_empty_store(store, tmp_path):
    path = tmp_path / "answers.parquet"
    assert store.export_parquet(str(path)) == 0
    assert {field.name: str(field.type) for field in parquet.read_table(path).schema} == SCHEMA


def test_more_answers_than_one_group(store, make, tmp_path):
    cases = make.probe().cases(seed=0, n=5000)
    for case in cases:
        keep(store, make, make.answered(case))
    path = tmp_path / "answers.parquet"
    assert store.export_parquet(path) == 5000
    assert parquet.read_table(path).column("case_id").to_pylist() == [case.id for case in cases]
    assert parquet.ParquetFile(path).num_row_groups == 2


def test_the_file_is_replaced_only_by_a_complete_one(store, make, cases, tmp_path):
    path = tmp_path / "answers.parquet"
    keep(store, make, make.answered(cases[0]))
    store.export_parquet(path)
    before = path.read_bytes()
    keep(store, make, make.answered(cases[1]))
    store._database.execute("UPDATE answers SET value = '{}' WHERE id = 2")
    with pytest.raises(StoreError, match=r"^Row 2 of the table 'answers'"):
        store.export_parquet(path)
    assert path.read_bytes() == before
    store._database.execute("DELETE FROM answers WHERE id = 2")
    keep(store, make, make.answered(cases[2]))
    assert store.export_parquet(path) == 2
    assert parquet.read_table(path).num_rows == 2
    assert sorted(file.name for file in tmp_path.iterdir() if not file.name.startswith("answers.sqlite")) == [
        "answers.parquet"
    ]


def test_a_place_that_cannot_be_written(store, tmp_path):
    path = tmp_path / "no" / "answers.parquet"
    with pytest.raises(StoreError) as caught:
        store.export_parquet(path)
    assert str(caught.value) == (
        f"The Parquet file {path} cannot be written (No such file or directory). "
        "Name a file in a directory that exists and is writable."
    )
    taken = tmp_path / "folder.parquet"
    taken.mkdir()
    with pytest.raises(StoreError) as caught:
        store.export_parquet(taken)
    assert str(caught.value) == (
        f"The Parquet file {taken} cannot be written (Is a directory). "
        "Name a file in a directory that exists and is writable."
    )
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


def test_without_pyarrow(store, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "hardlimit.store.parquet", raising=False)
    with pytest.raises(MissingExtraError) as caught:
        store.export_parquet(tmp_path / "answers.parquet")
    assert str(caught.value) == (
        "This needs the package 'pyarrow', which is not installed: pip install 'hardlimit[parquet]'"
    )
