"""A user's own corpus and questions, read line by line; what is malformed is named with its file, line and way out."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from hardlimit.core import HardlimitError
from hardlimit.probes.retrieval.corpus import Collection, Corpus, Document, Query

LONGEST_LINE = 10_000_000
"""Bytes of one line, and of one document."""

TEXT_FILES = (".txt", ".md")
_MOST_PROBLEMS = 5
_LINE = '{"id": "a1", "text": "..."}'
_QUESTION = '{"question": "...", "answers": ["..."], "gold": ["a1"]}'


class CorpusError(HardlimitError, ValueError):
    """A corpus or a file of questions cannot be read."""


class _LineError(Exception):
    """What is wrong with one line or file."""


def load_collection(corpus: Path, questions: Path) -> Collection:
    """Read a corpus and the questions about it; see `load_corpus` and `load_questions`."""
    documents = load_corpus(corpus)
    return Collection(corpus=documents, queries=load_questions(questions, documents))


def load_corpus(path: Path) -> Corpus:
    """Read a corpus: a folder of .txt and .md files, or a JSON Lines file.

    Every .txt and .md file in the folder and below becomes one document, whose id is its path in the folder. Each
    line of a .jsonl file is an object with `id` and `text`, both strings; other fields are left alone. Text is UTF-8.

    Args:
        path: the folder or file.

    Raises:
        CorpusError: what is malformed, where, and the way out; up to five problems at once.
    """
    path = Path(path)
    if path.is_dir():
        return _from_folder(path)
    _check_file(path, "a corpus", "Give a folder of .txt and .md files, or a .jsonl file.")
    problems = _Problems(path, f"Each line must be a JSON object such as {_LINE}, in UTF-8.")
    documents: list[Document] = []
    lines: dict[str, int] = {}
    for number, line in _lines(path, problems):
        try:
            fields = _object(line)
            id, text = _string(fields, "id"), _string(fields, "text")
            if id in lines:
                raise _LineError(f"the id {_quoted(id)} is already that of line {lines[id]}")
        except _LineError as problem:
            problems.add(number, str(problem))
            continue
        lines[id] = number
        documents.append(Document(id=id, text=text))
    problems.stop_if_any()
    if not documents:
        raise CorpusError(f"{path} holds no documents. Each line must be a JSON object such as {_LINE}.")
    return Corpus(name=path.name, documents=tuple(documents))


def load_questions(path: Path, corpus: Corpus) -> tuple[Query, ...]:
    """Read questions about a corpus from a JSON Lines file.

    Each line is an object with `question` (a string), `answers` (a list of strings, any of which counts) and, where
    they are known, `gold` (ids of the documents that are needed) and `id` (a string; the line's number if missing).

    Args:
        path: the file.
        corpus: whose documents `gold` names.

    Raises:
        CorpusError: what is malformed, where, and the way out; up to five problems at once.
    """
    path = Path(path)
    _check_file(path, "questions", "Give a .jsonl file.")
    problems = _Problems(path, f"Each line must be a JSON object such as {_QUESTION}, in UTF-8; gold may be left out.")
    known = corpus.places
    queries: list[Query] = []
    lines: dict[str, int] = {}
    for number, line in _lines(path, problems):
        try:
            query = _query(_object(line), number, known, corpus.name)
            if query.id in lines:
                raise _LineError(f"the id {_quoted(query.id)} is already that of line {lines[query.id]}")
        except _LineError as problem:
            problems.add(number, str(problem))
            continue
        lines[query.id] = number
        queries.append(query)
    problems.stop_if_any()
    if not queries:
        raise CorpusError(f"{path} holds no questions. Each line must be a JSON object such as {_QUESTION}.")
    return tuple(queries)


def _query(fields: dict[str, Any], number: int, known: dict[str, int], corpus: str) -> Query:
    text = _string(fields, "question")
    answers = _strings(fields, "answers")
    if not answers:
        raise _LineError("'answers' is empty, but at least one answer must count as right")
    gold = _strings(fields, "gold") if fields.get("gold") is not None else ()
    missing = next((id for id in gold if id not in known), None)
    if missing is not None:
        raise _LineError(f"'gold' names the document {_quoted(missing)}, which is not in the corpus {corpus}")
    id = _string(fields, "id") if fields.get("id") is not None else str(number)
    return Query(id=id, text=text, answers=answers, gold=tuple(dict.fromkeys(gold)))


class _Problems:
    """Problems of one file, collected so that several can be mended at once."""

    def __init__(self, path: Path, way_out: str) -> None:
        self._path = path
        self._way_out = way_out
        self._found: list[str] = []

    def add(self, number: int, what: str) -> None:
        """Note a problem; after the fifth, stop reading."""
        self._found.append(f"{self._path}, line {number}: {what}.")
        if len(self._found) == _MOST_PROBLEMS:
            self.stop_if_any()

    def stop_if_any(self) -> None:
        """Raise with what has been found."""
        if self._found:
            more = " (There may be more; reading stopped here.)" if len(self._found) == _MOST_PROBLEMS else ""
            raise CorpusError("\n".join([*self._found, f"{self._way_out}{more}"]))


def _check_file(path: Path, what: str, way_out: str) -> None:
    if not path.exists():
        raise CorpusError(f"There is no {path} to read {what} from. {way_out}")
    if not path.is_file():
        raise CorpusError(f"{path} is no file that {what} could be read from. {way_out}")
    if path.suffix.lower() not in (".jsonl", ".ndjson"):
        raise CorpusError(f"{path} does not end in .jsonl, so it is not read as {what}. {way_out}")


def _lines(path: Path, problems: _Problems) -> Iterator[tuple[int, str]]:
    """Yield each line that is not blank with its number, without holding the file in memory."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), start=1):
                if len(raw) > LONGEST_LINE:
                    _skip_rest(file, raw)
                    problems.add(number, f"it is longer than {LONGEST_LINE:,} bytes; split the document")
                    continue
                try:
                    line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    problems.add(number, f"byte {error.start + 1} is not UTF-8; save the file as UTF-8")
                    continue
                if line.strip():
                    yield number, line
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or error}.") from error


def _skip_rest(file: BinaryIO, raw: bytes) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = file.readline(LONGEST_LINE)


def _object(line: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _LineError(f"it is not valid JSON ({error})") from error
    if not isinstance(found, dict):
        raise _LineError(f"it is {_kind(found)}, not a JSON object")
    return found


def _string(fields: dict[str, Any], name: str) -> str:
    if name not in fields:
        raise _LineError(f"the field '{name}' is missing")
    found = fields[name]
    if not isinstance(found, str):
        raise _LineError(f"'{name}' must be a string, but it is {_kind(found)}")
    if not found.strip():
        raise _LineError(f"'{name}' is empty")
    return found


def _strings(fields: dict[str, Any], name: str) -> tuple[str, ...]:
    if name not in fields:
        raise _LineError(f"the field '{name}' is missing")
    found = fields[name]
    if not isinstance(found, list):
        raise _LineError(f"'{name}' must be a list of strings, but it is {_kind(found)}")
    for place, item in enumerate(found, start=1):
        if not isinstance(item, str):
            raise _LineError(f"'{name}' must hold strings, but its item {place} is {_kind(item)}")
        if not item.strip():
            raise _LineError(f"'{name}' must hold strings, but its item {place} is empty")
    return tuple(found)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _quoted(text: str) -> str:
    """A name as a message can show it: one line, no control characters, not too long."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return f"'{plain if len(plain) <= 60 else plain[:57] + '…'}'"


def _from_folder(folder: Path) -> Corpus:
    documents: list[Document] = []
    problems: list[str] = []
    for file in _text_files(folder):
        id = file.relative_to(folder).as_posix()
        try:
            documents.append(Document(id=id, text=_text(file)))
        except _LineError as problem:
            problems.append(f"{file}: {problem}.")
        if len(problems) == _MOST_PROBLEMS:
            break
    if problems:
        raise CorpusError("\n".join([*problems, "Mend these files, or take them out of the folder."]))
    if not documents:
        raise CorpusError(f"The folder {folder} holds no .txt or .md file. Give a folder that does, or a .jsonl file.")
    return Corpus(name=folder.name or str(folder), documents=tuple(documents))


def _text_files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, onerror=_unreadable):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(TEXT_FILES):
                yield Path(place) / name


def _unreadable(error: OSError) -> None:
    raise CorpusError(f"The folder {error.filename} cannot be read: {error.strerror}.") from error


def _text(file: Path) -> str:
    try:
        if not file.is_file():
            raise _LineError("it is no file that can be read")
        size = file.stat().st_size
        if size > LONGEST_LINE:
            raise _LineError(f"it has {size:,} bytes, more than the {LONGEST_LINE:,} of one document; split it")
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _LineError(f"it cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise _LineError(f"byte {error.start + 1} is not UTF-8") from error
    if not text.strip():
        raise _LineError("it is empty")
    return text
