"""The store of answers: SQLite in write-ahead mode, one durable commit per answer."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from hardlimit import __version__
from hardlimit.core import Answered, Attended, InvalidValueError, Scored, StoreError, Value
from hardlimit.models import ModelCard
from hardlimit.probes import Probe
from hardlimit.store.cells import Measured
from hardlimit.store.database import connect, reporting
from hardlimit.store.keys import failure_of

T = TypeVar("T")

ANSWERS = "answers.sqlite"
"""The store's file in the folder of an audit or of the lab."""

_ROWS_A_QUERY = 500
_ANSWER = msgspec.json.Decoder(Answered)
_REPLY = msgspec.json.Decoder(Attended | Scored)
_MEASURED = msgspec.json.Decoder(Measured)

# The first answer wins, but one that failed makes way for a later one, which then counts as having arrived later.
_FIRST_WINS = """ON CONFLICT (key) DO UPDATE SET
    id = (SELECT max(id) + 1 FROM {table}), failed = excluded.failed, value = excluded.value WHERE {table}.failed"""
_KEEP_ANSWER = "INSERT INTO answers (key, failed, model, probe, version, case_id, value) VALUES (?, ?, ?, ?, ?, ?, ?) "
_KEEP_REPLY = "INSERT INTO replies (key, failed, model, value) VALUES (?, ?, ?, ?) "
_KEEP_CELL = """INSERT INTO cells (key, experiment, cell, device, seconds, version, value) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (key) DO NOTHING"""
_KEEP_REPORT = """INSERT INTO lab_reports (key, experiment, version, value) VALUES (?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value"""
_KEEP_ANSWER += _FIRST_WINS.format(table="answers")
_KEEP_REPLY += _FIRST_WINS.format(table="replies")


class Kept(Value, frozen=True):
    """One stored answer with what it belongs to.

    Args:
        row: its number; answers that arrived later have larger ones.
        model: the model's fingerprint.
        probe: the probe's `repr`.
        version: the probe's version.
        answered: case, reply and grade.
    """

    row: int
    model: str
    probe: str
    version: int
    answered: Answered


class Run(Value, frozen=True):
    """A run that used the store.

    Args:
        id: its number, counted from 1.
        model: the model's fingerprint; `Store.cards` has the card.
        seed: every case follows from it.
        budget: as asked for, such as `10m`.
        version: hardlimit's version.
        started: when, with a time zone.
        finished: when it came to its end, or None where it did not (yet).
        plan: a key of all that was asked for, where whoever began it gave one.
    """

    id: int
    model: str
    seed: int
    budget: str
    version: str
    started: datetime
    finished: datetime | None = None
    plan: str = ""


class Store:
    """Answers on disk: durable one by one, shared by any number of processes, never asked for twice.

    Each answer is one commit, and what is committed survives the end of the process, a `kill -9` included. A power cut
    may cost the last few answers, which are then asked again, and never damages the file.

    >>> import tempfile
    >>> from hardlimit.core import Message, Score
    >>> from hardlimit.store import reply_key
    >>> ask = Score(messages=(Message(role="user", content="2 + 2 ="),), continuation=" 4")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Store.open(f"{folder}/answers.sqlite") as store:
    ...         scored = Scored(token_logprobs=(-0.5,), greedy=True)
    ...         kept = store.keep_reply(reply_key("aaaa", ask), scored, model="aaaa")
    ...     with Store.open(f"{folder}/answers.sqlite") as store:
    ...         store.replies([reply_key("aaaa", ask)])[reply_key("aaaa", ask)] == kept
    True
    """

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self._path = path

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, existing: bool = False, patience: float = 30.0) -> Self:
        """Open the store at a path, or make a new one there.

        A file that is not a store, or not a whole one, is refused and left exactly as it is. A file of 0 bytes counts
        as new. A store that was closed properly opens without being read through; after a crash every page is checked.

        Args:
            path: of the SQLite file, in a directory that is writable, or can be made.
            existing: refuse to make a new one, for whoever only reads.
            patience: how many seconds to wait for another process that is writing, >= 0.

        Raises:
            StoreError: with the reason and the way out.
        """
        where = Path(path).absolute()
        return cls(connect(where, patience=patience, existing=existing), where)

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self._path

    def close(self) -> None:
        """Let go of the file; the store must not be used afterwards."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def answers(self, keys: Sequence[bytes]) -> dict[bytes, Answered]:
        """Look up graded answers, in the order in which they arrived; failed ones count as missing.

        Args:
            keys: from `answer_key`.

        Raises:
            StoreError: a stored answer cannot be read.
        """
        return self._find("answers", keys, _ANSWER)

    def keep_answer(self, key: bytes, answered: Answered, *, model: str, probe: Probe) -> Answered:
        """Store a graded answer durably.

        Args:
            key: from `answer_key`.
            answered: what to store; where its reply failed, it makes way for a later answer under the same key.
            model: the model's fingerprint.
            probe: who asked.

        Returns:
            The answer that counts: this one, or the one that another process had stored before.
        """
        failed = failure_of(answered.reply) is not None
        row = (key, failed, model, repr(probe), probe.version, answered.case.id, msgspec.json.encode(answered))
        return answered if self._execute(_KEEP_ANSWER, row) else self.answers([key])[key]

    def replies(self, keys: Sequence[bytes]) -> dict[bytes, Attended | Scored]:
        """Look up ungraded replies, in the order in which they arrived; failed ones count as missing.

        Args:
            keys: from `reply_key`.

        Raises:
            StoreError: a stored reply cannot be read.
        """
        return self._find("replies", keys, _REPLY)

    def keep_reply(self, key: bytes, reply: Attended | Scored, *, model: str) -> Attended | Scored:
        """Store an ungraded reply durably, and return the one that counts, as `keep_answer` does."""
        row = (key, failure_of(reply) is not None, model, msgspec.json.encode(reply))
        return reply if self._execute(_KEEP_REPLY, row) else self.replies([key])[key]

    def every_answer(self) -> Iterator[Kept]:
        """Read every graded answer, failed ones included, in the order in which they arrived."""
        last = 0
        # In pieces: a query left open would pin this connection to the state of its beginning.
        while rows := self._read(
            "SELECT id, value, model, probe, version FROM answers WHERE id > ? ORDER BY id LIMIT ?",
            (last, _ROWS_A_QUERY),
        ):
            for row, value, model, probe, version in rows:
                answered = self._decode("answers", row, value, _ANSWER)
                yield Kept(row=row, model=model, probe=probe, version=version, answered=answered)
            last = rows[-1][0]

    def cells(self, keys: Sequence[bytes]) -> dict[bytes, Measured]:
        """Look up measured cells of the lab.

        Args:
            keys: from `cell_key`.

        Raises:
            StoreError: a stored cell cannot be read.
        """
        return self._find("cells", keys, _MEASURED, where="")

    def keep_cell(self, key: bytes, measured: Measured, *, experiment: str, cell: str) -> Measured:
        """Store a measured cell durably.

        Args:
            key: from `cell_key`.
            measured: what came out.
            experiment: its name.
            cell: the cell's name.

        Returns:
            The one that counts: this one, or the one that another process had stored before.
        """
        value = msgspec.json.encode(measured)
        row = (key, experiment, cell, measured.device, measured.seconds, __version__, value)
        return measured if self._execute(_KEEP_CELL, row) else self.cells([key])[key]

    def keep_lab_report(self, key: bytes, document: str, *, experiment: str) -> None:
        """Store the report of a run of the lab; one that is drawn again takes the place of the one before.

        Args:
            key: from `run_key`.
            document: the report as JSON.
            experiment: its name.
        """
        self._execute(_KEEP_REPORT, (key, experiment, __version__, document))

    def lab_reports(self) -> tuple[str, ...]:
        """Read the reports of the lab as JSON, in the order in which they first were written."""
        return tuple(document for (document,) in self._read("SELECT value FROM lab_reports ORDER BY id"))

    def introduce(self, card: ModelCard) -> None:
        """Keep a model's card, so that its fingerprint can be read later."""
        self._execute("INSERT OR IGNORE INTO models VALUES (?, ?)", (card.fingerprint, msgspec.json.encode(card)))

    def cards(self) -> dict[str, ModelCard]:
        """Read the cards of the models, by fingerprint."""
        rows = self._read("SELECT rowid, fingerprint, card FROM models ORDER BY rowid")
        decoder = msgspec.json.Decoder(ModelCard)
        return {fingerprint: self._decode("models", row, card, decoder) for row, fingerprint, card in rows}

    def begin(self, card: ModelCard, *, seed: int, budget: str, started: datetime, plan: str = "") -> Run:
        """Record that a run begins.

        Args:
            card: of the model that will be asked.
            seed: every case follows from it.
            budget: as asked for, such as `10m`.
            started: when, with a time zone.
            plan: a key of all that is asked for, to know a finished run again.

        Returns:
            The run with its number.
        """
        self.introduce(card)
        run = Run(
            id=0, model=card.fingerprint, seed=seed, budget=budget, version=__version__, started=started, plan=plan
        )
        row = (run.model, str(seed), budget, run.version, _moment(started), plan)
        with reporting(self._path):
            cursor = self._database.execute(
                "INSERT INTO runs (model, seed, budget, version, started, plan) VALUES (?, ?, ?, ?, ?, ?)", row
            )
        return msgspec.structs.replace(run, id=int(cursor.lastrowid or 0))

    def finish(self, run: Run, *, finished: datetime) -> None:
        """Record that a run came to its end.

        Args:
            run: from `begin`.
            finished: when, with a time zone.
        """
        self._execute("UPDATE runs SET finished = ? WHERE id = ?", (_moment(finished), run.id))

    def runs(self) -> tuple[Run, ...]:
        """Read the runs, in the order in which they began."""
        rows = self._read("SELECT id, model, seed, budget, version, started, finished, plan FROM runs ORDER BY id")
        return tuple(
            Run(
                id=number,
                model=model,
                seed=int(seed),
                budget=budget,
                version=version,
                started=datetime.fromisoformat(started),
                finished=None if finished is None else datetime.fromisoformat(finished),
                plan=plan,
            )
            for number, model, seed, budget, version, started, finished, plan in rows
        )

    def export_parquet(self, path: str | os.PathLike[str]) -> int:
        """Write every graded answer to a Parquet file, failed ones included, and return their number.

        Args:
            path: of the file; one that is there already is replaced, in one step, when the new one is complete.

        Raises:
            MissingExtraError: the extra `parquet` is not installed.
            StoreError: an answer cannot be read, or the file cannot be written.
        """
        from hardlimit.store.parquet import export  # pyarrow is an extra, and heavy

        return export(self.every_answer(), self.cards(), Path(path))

    def _execute(self, statement: str, row: tuple[object, ...]) -> bool:
        """Run one statement as a commit of its own; whether it changed a row."""
        with reporting(self._path):
            return self._database.execute(statement, row).rowcount > 0

    def _read(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        with reporting(self._path):
            return self._database.execute(query, tuple(values)).fetchall()

    def _find(
        self, table: str, keys: Sequence[bytes], decoder: msgspec.json.Decoder[T], where: str = "AND NOT failed"
    ) -> dict[bytes, T]:
        found: list[tuple[int, bytes, bytes]] = []
        for start in range(0, len(keys), _ROWS_A_QUERY):
            some = keys[start : start + _ROWS_A_QUERY]
            marks = ", ".join("?" * len(some))
            found += self._read(f"SELECT id, key, value FROM {table} WHERE key IN ({marks}) {where}", some)
        return {key: self._decode(table, row, value, decoder) for row, key, value in sorted(found)}

    def _decode(self, table: str, row: int, value: bytes, decoder: msgspec.json.Decoder[T]) -> T:
        try:
            return decoder.decode(value)
        except (msgspec.MsgspecError, TypeError, UnicodeDecodeError) as error:
            raise StoreError(
                f"Row {row} of the table '{table}' in the store {self._path} cannot be read ({error}). "
                f"Move the file away to start anew, or drop that row and run again: "
                f'sqlite3 {self._path} "DELETE FROM {table} WHERE rowid = {row}"'
            ) from error


def _moment(time: datetime) -> str:
    if time.tzinfo is None:
        raise InvalidValueError(f"A run's times need a time zone, got {time.isoformat()}; use datetime.now(UTC).")
    return time.isoformat()
