"""A user's own corpus and questions: what is read, and one clear line for everything that is malformed."""

import json
import os

import pytest

from hardlimit.audit import plan
from hardlimit.audit.budget import Budget
from hardlimit.cli import main
from hardlimit.core import Catalog, InvalidValueError
from hardlimit.probes.retrieval import (
    Collection,
    Corpus,
    CorpusError,
    Document,
    Query,
    load_collection,
    load_corpus,
    load_questions,
    loading,
)

CORPUS = Corpus(name="docs", documents=(Document(id="a", text="A."), Document(id="b", text="B.")))
LINE = 'Each line must be a JSON object such as {"id": "a1", "text": "..."}, in UTF-8.'
ASKED = (
    'Each line must be a JSON object such as {"question": "...", "answers": ["..."], "gold": ["a1"]}, in UTF-8; gold '
    "may be left out."
)


def written(tmp_path, data, name="file.jsonl"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def says(read, *arguments):
    with pytest.raises(CorpusError) as caught:
        read(*arguments)
    return str(caught.value)


def test_lines_become_documents(tmp_path):
    path = written(
        tmp_path,
        '\ufeff{"id": "a", "text": "Zürich\\nis a city.", "source": 3}\r\n\n   \n{"text": "B", "id": "é"}',
    )
    corpus = load_corpus(path)
    assert corpus.name == "file.jsonl"
    assert [(d.id, d.text) for d in corpus.documents] == [("a", "Zürich\nis a city."), ("é", "B")]


def test_files_become_documents(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.txt", "a.MD", "sub/c.md", "ignored.pdf"):
        (tmp_path / name).write_text(f"This is {name}.")
    corpus = load_corpus(tmp_path)
    assert [document.id for document in corpus.documents] == ["a.MD", "b.txt", "sub/c.md"]
    assert corpus.documents[2].text == "This is sub/c.md."


def test_questions_are_read_with_and_without_what_may_be_missing(tmp_path):
    path = written(
        tmp_path,
        '{"question": "Q1?", "answers": ["x", "y"], "gold": ["b", "a", "b"], "id": "one"}\n'
        '{"question": "Q2?", "answers": ["z"], "gold": null, "id": null, "note": "kept out"}\n',
    )
    assert load_questions(path, CORPUS) == (
        Query(id="one", text="Q1?", answers=("x", "y"), gold=("b", "a")),
        Query(id="2", text="Q2?", answers=("z",)),
    )


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b'{"id": "a"', "it is not valid JSON (Input data was truncated)"),
        (b"plain words", "it is not valid JSON (JSON is malformed: invalid character (byte 0))"),
        (b"[1, 2]", "it is a list, not a JSON object"),
        (b"null", "it is null, not a JSON object"),
        (b'{"text": "x"}', "the field 'id' is missing"),
        (b'{"id": "b"}', "the field 'text' is missing"),
        (b'{"id": 7, "text": "x"}', "'id' must be a string, but it is a number"),
        (b'{"id": true, "text": "x"}', "'id' must be a string, but it is true or false"),
        (b'{"id": "b", "text": {"a": 1}}', "'text' must be a string, but it is an object"),
        (b'{"id": " ", "text": "x"}', "'id' is empty"),
        (b'{"id": "b", "text": "\\n"}', "'text' is empty"),
        (b'{"id": "a", "text": "x"}', "the id 'a' is already that of line 1"),
        (b'{"id": "b", "text": "\xff"}', "byte 22 is not UTF-8; save the file as UTF-8"),
        (b'{"id": "b", "text": "' + b"x" * 3_000 + b'"}', "it is longer than 2,000 bytes; split the document"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_malformed_document_is_named_with_its_line(tmp_path, monkeypatch, line, what):
    monkeypatch.setattr(loading, "LONGEST_LINE", 2_000)
    path = written(tmp_path, b'{"id": "a", "text": "A"}\n' + line + b'\n{"id": "z", "text": "Z"}\n')
    assert says(load_corpus, path) == f"{path}, line 2: {what}.\n{LINE}"


def test_reading_goes_on_after_a_long_line(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "LONGEST_LINE", 100)
    path = written(tmp_path, b"x" * 950 + b'\n{"id": "a"}\n')
    assert says(load_corpus, path) == (
        f"{path}, line 1: it is longer than 100 bytes; split the document.\n"
        f"{path}, line 2: the field 'text' is missing.\n{LINE}"
    )


def test_at_most_five_problems_are_told(tmp_path):
    path = written(tmp_path, "\n".join(['{"id": "a", "text": "A"}'] + ["[]"] * 9))
    lines = says(load_corpus, path).splitlines()
    assert lines[:5] == [f"{path}, line {n}: it is a list, not a JSON object." for n in range(2, 7)]
    assert lines[5:] == [f"{LINE} (There may be more; reading stopped here.)"]


def test_an_id_is_shown_without_control_characters(tmp_path):
    bad = json.dumps({"id": "\x1b[31mred" + "x" * 80, "text": "A"})
    said = says(load_corpus, written(tmp_path, f"{bad}\n{bad}\n"))
    assert "\x1b" not in said and "the id '?[31mred" in said and "…' is already that of line 1" in said


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"answers": ["x"]}', "the field 'question' is missing"),
        ('{"question": "Q?"}', "the field 'answers' is missing"),
        ('{"question": "Q?", "answers": "x"}', "'answers' must be a list of strings, but it is a string"),
        ('{"question": "Q?", "answers": []}', "'answers' is empty, but at least one answer must count as right"),
        ('{"question": "Q?", "answers": ["x", 3]}', "'answers' must hold strings, but its item 2 is a number"),
        ('{"question": "Q?", "answers": ["x", " "]}', "'answers' must hold strings, but its item 2 is empty"),
        ('{"question": "Q?", "answers": ["x"], "gold": "a"}', "'gold' must be a list of strings, but it is a string"),
        (
            '{"question": "Q?", "answers": ["x"], "gold": ["a", "q"]}',
            "'gold' names the document 'q', which is not in the corpus docs",
        ),
        ('{"question": "Q?", "answers": ["x"], "id": 4}', "'id' must be a string, but it is a number"),
        ('{"question": "Q?", "answers": ["x"], "id": "1"}', "the id '1' is already that of line 1"),
    ],
    ids=lambda value: value[:60],
)
def test_a_malformed_question_is_named_with_its_line(tmp_path, line, what):
    path = written(tmp_path, f'{{"question": "Q0?", "answers": ["x"]}}\n{line}\n')
    assert says(load_questions, path, CORPUS) == f"{path}, line 2: {what}.\n{ASKED}"


def test_what_is_no_corpus(tmp_path):
    assert says(load_corpus, tmp_path / "no") == (
        f"There is no {tmp_path / 'no'} to read a corpus from. Give a folder of .txt and .md files, or a .jsonl file."
    )
    csv = written(tmp_path, "a,b", "x.csv")
    assert says(load_corpus, csv) == (
        f"{csv} does not end in .jsonl, so it is not read as a corpus. Give a folder of .txt and .md files, or a "
        ".jsonl file."
    )
    assert says(load_corpus, written(tmp_path, "\n\n")).startswith(f"{tmp_path / 'file.jsonl'} holds no documents.")
    assert says(load_questions, tmp_path, CORPUS) == (
        f"{tmp_path} is no file that questions could be read from. Give a .jsonl file."
    )
    assert says(load_questions, written(tmp_path, ""), CORPUS).startswith(f"{tmp_path / 'file.jsonl'} holds no quest")


def test_what_is_no_folder_of_documents(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert says(load_corpus, empty) == (
        f"The folder {empty} holds no .txt or .md file. Give a folder that does, or a .jsonl file."
    )
    (empty / "a.txt").write_bytes(b"ok \xe4")
    (empty / "b.md").write_text(" \n")
    os.mkfifo(empty / "c.txt")
    assert says(load_corpus, empty) == (
        f"{empty / 'a.txt'}: byte 4 is not UTF-8.\n{empty / 'b.md'}: it is empty.\n"
        f"{empty / 'c.txt'}: it is no file that can be read.\n"
        "Mend these files, or take them out of the folder."
    )


# ---- on the command line -------------------------------------------------------------------------------------------


def run(capsys, *arguments):
    code = main(arguments)
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.err.strip()


def test_the_command_names_the_malformed_line_before_anything_is_asked(tmp_path, capsys):
    corpus = written(tmp_path, '{"id": "a", "text": "A"}\n', "corpus.jsonl")
    questions = written(tmp_path, '{"question": "Q?"}\n', "questions.jsonl")
    out = tmp_path / "out"
    arguments = ("audit", "toy:perfect", "--out", str(out), "--corpus", str(corpus))
    assert run(capsys, *arguments, "--questions", str(questions)) == (
        2,
        f"hardlimit: {questions}, line 1: the field 'answers' is missing.\n{ASKED}",
    )
    assert run(capsys, *arguments) == (
        2,
        "hardlimit: --corpus needs --questions beside it: documents and the questions about them.",
    )
    assert run(capsys, "audit", "toy:perfect", "--out", str(out), "--questions", str(questions)) == (
        2,
        "hardlimit: --questions needs --corpus beside it: documents and the questions about them.",
    )
    assert not out.exists()


def test_the_study_of_retrieval_gets_the_collection(tmp_path, monkeypatch):
    corpus = written(tmp_path, '{"id": "a", "text": "A"}\n', "corpus.jsonl")
    collection = load_collection(corpus, written(tmp_path, '{"question": "Q?", "answers": ["A"]}\n'))
    seen = []

    def study(desk, seed, **own):
        seen.append(own)
        raise InterruptedError

    monkeypatch.setattr(plan, "STUDIES", Catalog("limit", {"context": study, "retrieval": study}))
    monkeypatch.setattr(plan, "Desk", lambda *arguments: type("Desk", (), {"share": lambda self, part: self})())
    for limits, own in ((("retrieval",), {"collection": collection}), (("context", "retrieval"), {})):
        chosen = plan.Plan(limits=limits, budget=Budget(seconds=1.0), collection=collection)
        with pytest.raises(InterruptedError):
            plan.audit(None, chosen, None, None)
        assert seen.pop() == own
    with pytest.raises(InvalidValueError) as caught:
        plan.Plan(limits=("context",), collection=collection)
    assert str(caught.value) == (
        "A corpus of one's own is read by the study of retrieval alone, but the limits are context. Add retrieval, or "
        "leave the corpus out."
    )


def test_a_collection_has_questions():
    with pytest.raises(InvalidValueError, match="There are no questions about the corpus 'docs'"):
        Collection(corpus=CORPUS, queries=())
