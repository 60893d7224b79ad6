"""Opening the SQLite file behind a store: a file that is not ours, or not whole, is refused and left as it is."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from hardlimit import __version__
from hardlimit.core import StoreError

APPLICATION_ID = int.from_bytes(b"hlim", "big")
STORE_VERSION = 2
UNTOUCHED = "It was left as it is; name another file"
WRITABLE = "Make the file and its directory writable"

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_RETRY_SECONDS = 0.005

# `id` is the order in which answers arrived. A failed row may be superseded; any other row is final.
_FIRST = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE models (fingerprint TEXT PRIMARY KEY, card BLOB NOT NULL)",
    """CREATE TABLE runs (
        id INTEGER PRIMARY KEY, model TEXT NOT NULL, seed TEXT NOT NULL, budget TEXT NOT NULL, version TEXT NOT NULL,
        started TEXT NOT NULL, finished TEXT)""",
    """CREATE TABLE answers (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, failed INTEGER NOT NULL, model TEXT NOT NULL,
        probe TEXT NOT NULL, version INTEGER NOT NULL, case_id TEXT NOT NULL, value BLOB NOT NULL)""",
    """CREATE TABLE replies (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, failed INTEGER NOT NULL, model TEXT NOT NULL,
        value BLOB NOT NULL)""",
    f"PRAGMA application_id = {APPLICATION_ID}",
)
_SECOND = (
    """CREATE TABLE cells (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, experiment TEXT NOT NULL, cell TEXT NOT NULL,
        device TEXT NOT NULL, seconds REAL NOT NULL, version TEXT NOT NULL, value BLOB NOT NULL)""",
    """CREATE TABLE lab_reports (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, experiment TEXT NOT NULL, version TEXT NOT NULL,
        value TEXT NOT NULL)""",
    "ALTER TABLE runs ADD COLUMN plan TEXT NOT NULL DEFAULT ''",
)
_ADDED = {1: _FIRST, 2: _SECOND}
"""What each version of the store added to the one before; version 0 is an empty file."""


def connect(path: Path, *, patience: float, existing: bool = False) -> sqlite3.Connection:
    """Open or create the file of a store.

    Args:
        path: an absolute path; its directory is made where there is none.
        patience: how many seconds to wait for another process that holds the file.
        existing: refuse to create it.

    Returns:
        A connection in autocommit mode.

    Raises:
        StoreError: the file is not a store, not whole, newer than this hardlimit, in use, or cannot be written.
    """
    with reading_files(path):
        if path.exists():
            _check_kind(path)
            _check_file(path)
            with path.open("r+b"):  # What SQLite cannot write, it would open for reading without a word.
                pass
        elif existing:
            raise StoreError(f"There is no store at {path}. Name the one that an audit left, such as answers.sqlite.")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
    with reporting(path):
        database = sqlite3.connect(path, timeout=patience, isolation_level=None)
    try:
        with reporting(path):
            _set_up(database, path, patience)
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def reporting(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into a `StoreError` with the way out."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # A closed store, another thread: a mistake of the caller, not of the file.
    except sqlite3.Error as error:
        code = _code(error)
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            says = "is in use by another process that does not let go. Wait until it ends, or name another file."
        elif code == sqlite3.SQLITE_FULL:
            says = "cannot grow: the disk is full. Free some space and run again; everything answered so far is kept."
        elif code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
            says = f"cannot be written ({error}). {WRITABLE}, or name another file."
        elif code == sqlite3.SQLITE_IOERR:
            says = f"cannot be read or written ({error}). Check the disk, its free space and its quota, and run again."
        else:
            says = f"is damaged ({error}). Move it away to start anew, or restore it from a copy."
        raise StoreError(f"The store {path} {says}") from error


@contextmanager
def reading_files(path: Path) -> Iterator[None]:
    """Turn the operating system's errors into a `StoreError`."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The store {path} cannot be read and written ({error.strerror}). {WRITABLE}, or name another file."
        ) from error


def _check_kind(path: Path) -> None:
    if path.is_dir():
        raise StoreError(f"{path} is a directory, not a store. Name a file in it, such as {path / 'answers.sqlite'}.")
    if not path.is_file():
        raise StoreError(f"{path} is no regular file, so it cannot hold a store. Name another file.")


def _check_file(path: Path) -> None:
    """Refuse a file that is not a whole store; read only, so that whatever it is stays as it is."""
    log, journal = Path(f"{path}-wal"), Path(f"{path}-journal")
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    # In this order: where a writer's log is gone after the header was read, the size read next is that of all it wrote.
    logged, making = _size(log) > 0, journal.exists()
    size = _size(path)
    if not header:
        # An empty file is what a kill at the very first moment leaves; beside a log it has lost what it held.
        if logged:
            raise StoreError(f"{path} is truncated: it is empty, but {log} is not. {UNTOUCHED}.")
        return
    if not header.startswith(_MAGIC):
        raise StoreError(f"{path} is not a store: it is no SQLite file. {UNTOUCHED}.")
    if len(header) < _HEADER_BYTES:
        raise StoreError(f"{path} is truncated: {size} bytes are left of it. {UNTOUCHED}, or restore it from a copy.")
    application, version = _number(header, 68), _number(header, 60)
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is not a store: it is the SQLite file of another program. {UNTOUCHED}.")
    _check_version(path, version)
    whole = _number(header, 28) * _page_bytes(header)
    if logged:
        _check_with_log(path)
    elif size < whole and not making:
        raise StoreError(
            f"{path} is truncated: {size} of {whole} bytes are left of it. {UNTOUCHED}, or restore it from a copy."
        )


def _check_with_log(path: Path) -> None:
    """Check a store that a crash or a running process left with a log; reads every page, changes none."""
    with (
        reporting(path),
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)) as database,
    ):
        _check_version(path, _pragma(database, "user_version"))
        fault = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
        if fault != "ok":
            first = fault.splitlines()[-1]
            raise StoreError(f"{path} is damaged ({first}). {UNTOUCHED}, or restore it from a copy.")


def _check_version(path: Path, version: int) -> None:
    if version > STORE_VERSION:
        raise StoreError(
            f"{path} has store version {version}; this hardlimit reads version {STORE_VERSION}. "
            "It was left as it is; use the hardlimit that wrote it, or name another file."
        )


def _set_up(database: sqlite3.Connection, path: Path, patience: float) -> None:
    database.execute("BEGIN IMMEDIATE")
    # Whoever comes second finds it made, or brought up to date.
    _bring_up_to_date(database)
    database.execute("COMMIT")
    mode = switch_to_log(database, patience)
    if mode != "wal":
        raise StoreError(
            f"{path} lies on a file system without shared memory, where a store cannot be kept safe. "
            "Name a file on a local disk."
        )
    # The commit of an answer is a write to the log, which survives the end of the process, however it ends. Only a
    # power cut can undo the last answers (never damage the file), and they are then asked again. FULL would wait for
    # the disk at each answer: about 6 times as long on an idle disk, more on a busy one (bench/store.py).
    database.execute("PRAGMA synchronous = NORMAL")


def _bring_up_to_date(database: sqlite3.Connection) -> None:
    """Add the tables that the file lacks, inside the transaction that is open; what it holds stays as it is."""
    found = _pragma(database, "user_version")
    if found >= STORE_VERSION:
        return
    for number in range(found + 1, STORE_VERSION + 1):
        for statement in _ADDED[number]:
            database.execute(statement)
    if found == 0:
        database.execute("INSERT INTO meta VALUES ('created_by', ?)", (__version__,))
    database.execute(f"PRAGMA user_version = {STORE_VERSION}")


def switch_to_log(database: sqlite3.Connection, patience: float) -> str:
    """Switch to write-ahead mode, waiting as SQLite itself does not for another process that does the same.

    Args:
        database: in autocommit mode.
        patience: how many seconds to try.

    Returns:
        The journal mode that it is in now.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return str(database.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_RETRY_SECONDS)


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


def _number(header: bytes, at: int) -> int:
    return int.from_bytes(header[at : at + 4], "big")


def _page_bytes(header: bytes) -> int:
    size = int.from_bytes(header[16:18], "big")
    return 65536 if size == 1 else size


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
