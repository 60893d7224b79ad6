"""A file that is no whole store of ours is refused with the way out, and not one byte of it changes."""

import errno
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hardlimit import __version__
from hardlimit.core import StoreError
from hardlimit.store import Store
from hardlimit.store.database import APPLICATION_ID, STORE_VERSION, switch_to_log

NOBODY = 65534


def snapshot(folder):
    """Every file, but for the shared memory that a mere reader of a log makes."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}


def refuse(path, *, patience=0.0):
    """Open, expect a refusal, check that nothing changed, and return the message."""
    before = snapshot(path.parent) if path.parent.is_dir() else None
    with pytest.raises(StoreError) as caught:
        Store.open(path, patience=patience)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    assert before is None or snapshot(path.parent) == before
    return str(caught.value)


def fill(store, make, cases, *, text="4"):
    for case in cases:
        store.keep_answer(make.key(case), make.answered(case, text), model="aaaa", probe=make.probe())


@pytest.fixture
def closed(tmp_path, make, cases):
    """A store with 30 answers that was closed properly."""
    path = tmp_path / "answers.sqlite"
    with Store.open(path) as store:
        fill(store, make, cases)
    return path


@pytest.fixture
def crashed(tmp_path_factory, make, cases):
    """What a `kill -9` leaves of a store: a file with pages, and a log with answers that are not in it yet."""
    alive, dead = tmp_path_factory.mktemp("alive"), tmp_path_factory.mktemp("dead")
    with Store.open(alive / "answers.sqlite") as store:
        fill(store, make, make.probe().cases(seed=1, n=1500), text="long " * 400)
        fill(store, make, cases)
        for name in ("answers.sqlite", "answers.sqlite-wal"):
            shutil.copy(alive / name, dead / name)
    path = dead / "answers.sqlite"
    assert path.stat().st_size > 1_000_000
    assert Path(f"{path}-wal").stat().st_size > 10_000
    return path


def test_a_new_store_says_whose_it_is(tmp_path):
    path = tmp_path / "answers.sqlite"
    with Store.open(path) as store:
        assert store.path == path
    assert list(tmp_path.iterdir()) == [path]
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert database.execute("PRAGMA user_version").fetchone() == (STORE_VERSION,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("SELECT * FROM meta").fetchall() == [("created_by", __version__)]
    database.close()


def test_an_empty_file_counts_as_new(tmp_path, make, cases):
    path = tmp_path / "answers.sqlite"
    path.touch()
    with Store.open(path) as store:
        fill(store, make, cases)
    with Store.open(path) as store:
        assert len(store.answers([make.key(case) for case in cases])) == len(cases)


def test_a_relative_path_and_odd_names_are_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (":memory:", "file:x?mode=memory", "what? #1%20.sqlite"):
        with Store.open(name) as store:
            assert store.path == tmp_path / name
        Store.open(name).close()
        assert (tmp_path / name).stat().st_size > 0


def test_a_text_file(tmp_path):
    path = tmp_path / "answers.sqlite"
    path.write_text("Dear diary, " * 1000)
    expected = f"{path} is not a store: it is no SQLite file. It was left as it is; name another file."
    assert refuse(path) == expected
    path.write_text("x")
    assert refuse(path) == expected


@pytest.mark.parametrize("wal", [False, True])
def test_the_database_of_another_program(tmp_path, wal):
    path = tmp_path / "answers.sqlite"
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
    database.execute("CREATE TABLE answers (id INTEGER PRIMARY KEY)")
    database.commit()
    if wal:  # Its log is still there: the other program runs.
        assert Path(f"{path}-wal").stat().st_size > 0
        application = "PRAGMA application_id = 252006674"
        database.execute(application)
    expected = (
        f"{path} is not a store: it is the SQLite file of another program. It was left as it is; name another file."
    )
    assert refuse(path) == expected
    database.close()
    assert refuse(path) == expected


def test_a_newer_store(closed):
    database = sqlite3.connect(closed)
    database.execute("PRAGMA user_version = 99")
    expected = (
        f"{closed} has store version 99; this hardlimit reads version 2. "
        "It was left as it is; use the hardlimit that wrote it, or name another file."
    )
    # Where the version stands in the log only, it is read there.
    assert Path(f"{closed}-wal").stat().st_size > 0
    assert refuse(closed) == expected
    database.close()
    assert refuse(closed) == expected


VERSION_1 = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE models (fingerprint TEXT PRIMARY KEY, card BLOB NOT NULL);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, model TEXT NOT NULL, seed TEXT NOT NULL, budget TEXT NOT NULL, version TEXT NOT NULL,
    started TEXT NOT NULL, finished TEXT);
CREATE TABLE answers (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, failed INTEGER NOT NULL, model TEXT NOT NULL,
    probe TEXT NOT NULL, version INTEGER NOT NULL, case_id TEXT NOT NULL, value BLOB NOT NULL);
CREATE TABLE replies (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, failed INTEGER NOT NULL, model TEXT NOT NULL,
    value BLOB NOT NULL);
INSERT INTO meta VALUES ('created_by', '0.0.9');
PRAGMA application_id = 1751935341;
PRAGMA user_version = 1;
"""
"""What the first version of the store made; it stays as it was."""


def test_a_store_of_version_1_opens_and_keeps_what_it_holds(tmp_path, closed, make, cases):
    old = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(old, isolation_level=None)) as database:
        database.executescript(VERSION_1)
        database.execute("ATTACH ? AS new", (str(closed),))
        database.execute("INSERT INTO answers SELECT * FROM new.answers")
    for _ in range(2):
        with Store.open(old) as store:
            assert len(store.answers([make.key(case) for case in cases])) == len(cases)
            assert store.cells([b"x"]) == {} and store.lab_reports() == ()
        with closing(sqlite3.connect(old)) as database:
            assert database.execute("PRAGMA user_version").fetchone() == (2,)
            assert database.execute("SELECT * FROM meta").fetchall() == [("created_by", "0.0.9")]
    with closing(sqlite3.connect(old)) as one, closing(sqlite3.connect(closed)) as other:
        tables = "SELECT sql FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        spaced = [[" ".join(sql.split()) for (sql,) in each.execute(tables)] for each in (one, other)]
        assert spaced[0] == spaced[1]


def test_two_processes_bring_one_old_store_up_to_date(tmp_path):
    old = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(old, isolation_level=None)) as database:
        database.executescript(VERSION_1)
    opened, ready = [], threading.Barrier(4)

    def open_it():
        ready.wait()
        with Store.open(old) as store:
            opened.append(store.lab_reports())

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [()] * 4


@pytest.mark.parametrize("left", [1, 50, 99, 100, 4096, 5000, -1])
def test_a_truncated_store(closed, left):
    whole = closed.stat().st_size
    os.truncate(closed, left if left > 0 else whole - 1)
    size = closed.stat().st_size
    if size < 16:
        expected = f"{closed} is not a store: it is no SQLite file. It was left as it is; name another file."
    elif size < 100:
        expected = (
            f"{closed} is truncated: {size} bytes are left of it. "
            "It was left as it is; name another file, or restore it from a copy."
        )
    else:
        expected = (
            f"{closed} is truncated: {size} of {whole} bytes are left of it. "
            "It was left as it is; name another file, or restore it from a copy."
        )
    assert refuse(closed) == expected


def test_a_crashed_store_opens_with_everything(crashed, make, cases):
    with Store.open(crashed) as store:
        assert len(list(store.every_answer())) == 1530
        assert len(store.answers([make.key(case) for case in cases])) == 30


def test_a_crashed_store_that_is_truncated(crashed):
    os.truncate(crashed, crashed.stat().st_size // 2)
    message = refuse(crashed)
    assert re.fullmatch(
        rf"{re.escape(str(crashed))} is damaged \(.+\). It was left as it is; name another file, "
        r"or restore it from a copy.",
        message,
    )


def test_a_crashed_store_emptied_beside_its_log(crashed):
    os.truncate(crashed, 0)
    assert refuse(crashed) == (
        f"{crashed} is truncated: it is empty, but {crashed}-wal is not. It was left as it is; name another file."
    )


def test_damage_in_the_middle_is_found_after_a_crash(crashed):
    data = bytearray(crashed.read_bytes())
    data[-300_000:-200_000] = bytes(100_000)
    crashed.write_bytes(data)
    assert "is damaged (" in refuse(crashed)


def test_damage_in_the_middle_is_found_when_read(closed, make, cases):
    data = bytearray(closed.read_bytes())
    page = 4096
    data[page : len(data)] = b"\xff" * (len(data) - page)
    closed.write_bytes(data)
    with Store.open(closed) as store, pytest.raises(StoreError) as caught:
        store.answers([make.key(cases[0])])
    assert str(caught.value) == (
        f"The store {closed} is damaged (database disk image is malformed). "
        "Move it away to start anew, or restore it from a copy."
    )


def test_a_directory(tmp_path):
    path = tmp_path / "audit"
    path.mkdir()
    with pytest.raises(StoreError) as caught:
        Store.open(path)
    assert str(caught.value) == (
        f"{path} is a directory, not a store. Name a file in it, such as {path}/answers.sqlite."
    )
    assert list(path.iterdir()) == []


def test_a_directory_that_is_not_there_is_made(tmp_path):
    path = tmp_path / "results" / "today" / "answers.sqlite"
    Store.open(path).close()
    assert path.is_file()


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "notes").touch()
    path = tmp_path / "notes" / "audit" / "answers.sqlite"
    assert refuse(path) == (
        f"The store {path} cannot be read and written ({os.strerror(errno.ENOTDIR)}). "
        "Make the file and its directory writable, or name another file."
    )


def test_who_only_reads_makes_no_store(tmp_path, closed):
    path = tmp_path / "results" / "answers.sqlite"
    with pytest.raises(StoreError) as caught:
        Store.open(path, existing=True)
    assert str(caught.value) == (
        f"There is no store at {path}. Name the one that an audit left, such as answers.sqlite."
    )
    assert not path.parent.exists()
    Store.open(closed, existing=True).close()


def test_a_device():
    with pytest.raises(StoreError) as caught:
        Store.open("/dev/null")
    assert str(caught.value) == "/dev/null is no regular file, so it cannot hold a store. Name another file."


@contextmanager
def folder_of_somebody_else():
    """A folder in which we, without root's rights, may read but not write."""
    folder = Path(tempfile.mkdtemp()).resolve()
    try:
        yield folder
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


@contextmanager
def without_rights():
    """Act as somebody without root's rights."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_an_unwritable_directory():
    with folder_of_somebody_else() as folder:
        folder.chmod(0o555)
        with without_rights():
            message = refuse(folder / "answers.sqlite")
        assert message == (
            f"The store {folder}/answers.sqlite cannot be written (unable to open database file). "
            "Make the file and its directory writable, or name another file."
        )


def test_a_store_in_an_unwritable_directory(closed):
    with folder_of_somebody_else() as folder:
        path = folder / "answers.sqlite"
        shutil.copy(closed, path)
        path.chmod(0o666)
        folder.chmod(0o555)
        with without_rights():
            message = refuse(path)
        assert message == (
            f"The store {path} cannot be written (attempt to write a readonly database). "
            "Make the file and its directory writable, or name another file."
        )


def test_a_read_only_file(closed):
    with folder_of_somebody_else() as folder:
        path = folder / "answers.sqlite"
        shutil.copy(closed, path)
        path.chmod(0o444)
        folder.chmod(0o777)
        with without_rights():
            message = refuse(path)
        assert message == (
            f"The store {path} cannot be read and written ({os.strerror(errno.EACCES)}). "
            "Make the file and its directory writable, or name another file."
        )


def test_an_unreadable_file(closed):
    with folder_of_somebody_else() as folder:
        path = folder / "answers.sqlite"
        shutil.copy(closed, path)
        path.chmod(0o000)
        folder.chmod(0o777)
        with without_rights(), pytest.raises(StoreError) as caught:
            Store.open(path)
        assert str(caught.value) == (
            f"The store {path} cannot be read and written ({os.strerror(errno.EACCES)}). "
            "Make the file and its directory writable, or name another file."
        )


def test_a_store_that_somebody_holds(closed):
    other = sqlite3.connect(closed, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM answers")
    with pytest.raises(StoreError) as caught:
        Store.open(closed, patience=0.05)
    assert str(caught.value) == (
        f"The store {closed} is in use by another process that does not let go. "
        "Wait until it ends, or name another file."
    )
    other.execute("ROLLBACK")
    other.close()
    Store.open(closed, patience=0.05).close()


def test_a_store_that_another_process_is_just_making(closed, make, cases):
    """Killed before it was in write-ahead mode, and read by another process while this one wants to go on."""
    database = sqlite3.connect(closed, isolation_level=None, check_same_thread=False)
    assert database.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    database.execute("BEGIN")
    database.execute("SELECT * FROM meta").fetchall()
    with pytest.raises(StoreError) as caught:
        Store.open(closed, patience=0.02)
    assert str(caught.value) == (
        f"The store {closed} is in use by another process that does not let go. "
        "Wait until it ends, or name another file."
    )
    letting_go = threading.Timer(0.2, database.execute, ["COMMIT"])
    letting_go.start()
    with Store.open(closed) as store:
        assert len(store.answers([make.key(case) for case in cases])) == 30
    letting_go.join()
    database.close()
    assert closed.read_bytes()[18] == 2  # the file format of write-ahead mode


def test_the_switch_to_write_ahead_mode_waits(tmp_path):
    """SQLite gives up at once where two processes switch at the same moment; here it is told to."""
    path = tmp_path / "answers.sqlite"
    reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    reader.execute("CREATE TABLE answers (id)")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM answers").fetchall()
    hasty = sqlite3.connect(path, isolation_level=None, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        switch_to_log(hasty, 0.05)
    letting_go = threading.Timer(0.2, reader.execute, ["COMMIT"])
    letting_go.start()
    assert switch_to_log(hasty, 60) == "wal"
    letting_go.join()
    reader.close()
    # What waiting does not cure is not waited for.
    hasty.execute("PRAGMA journal_mode = DELETE")
    hasty.execute("BEGIN")
    with pytest.raises(sqlite3.OperationalError, match="from within a transaction"):
        switch_to_log(hasty, 1e9)
    hasty.close()


def test_a_store_killed_while_it_was_made_goes_back_to_what_was_committed(closed, tmp_path, make, cases):
    database = sqlite3.connect(closed, isolation_level=None)
    database.execute("PRAGMA journal_mode = DELETE")
    database.execute("PRAGMA cache_size = 1")
    database.execute("BEGIN")
    database.execute("DELETE FROM answers")
    database.executemany("INSERT INTO meta VALUES (?, ?)", [(str(number), "x" * 5000) for number in range(50)])
    dead = tmp_path / "dead"
    dead.mkdir()
    for file in ("answers.sqlite", "answers.sqlite-journal"):
        shutil.copy(tmp_path / file, dead / file)
    database.close()
    data = bytearray((dead / "answers.sqlite").read_bytes())
    data[28:32] = (10_000).to_bytes(4, "big")  # The new size was written, its pages were not.
    (dead / "answers.sqlite").write_bytes(data)
    with Store.open(dead / "answers.sqlite") as store:
        assert len(store.answers([make.key(case) for case in cases])) == 30


@pytest.fixture
def small_disk():
    """A file system of 256 KiB; only root can make one."""
    folder = Path(tempfile.mkdtemp()).resolve()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        folder.rmdir()
        pytest.skip("mounting a small file system needs root's rights")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def keep_until_refused(store, make, cases):
    kept = []
    with pytest.raises(StoreError) as caught:
        for case in cases:
            store.keep_answer(make.key(case), make.answered(case, "long " * 400), model="aaaa", probe=make.probe())
            kept.append(case)
    assert 0 < len(kept) < len(cases)
    return kept, str(caught.value)


def test_a_full_disk_keeps_every_answer(small_disk, make):
    path = small_disk / "answers.sqlite"
    many = make.probe().cases(seed=0, n=1000)
    with Store.open(path) as store:
        kept, message = keep_until_refused(store, make, many)
        assert message == (
            f"The store {path} cannot grow: the disk is full. "
            "Free some space and run again; everything answered so far is kept."
        )
        assert len(store.answers([make.key(case) for case in many])) == len(kept)
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    with Store.open(path) as store:
        assert len(store.answers([make.key(case) for case in many])) == len(kept)
        fill(store, make, many[len(kept) :])
        assert len(store.answers([make.key(case) for case in many])) == len(many)


def test_a_full_disk_at_the_beginning(small_disk):
    path = small_disk / "answers.sqlite"
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "ballast").write_bytes(bytes(1_000_000))
    with pytest.raises(StoreError) as caught:
        Store.open(path)
    assert str(caught.value) == (
        f"The store {path} cannot grow: the disk is full. "
        "Free some space and run again; everything answered so far is kept."
    )
    (small_disk / "ballast").unlink()
    Store.open(path).close()


def test_a_quota_keeps_every_answer(tmp_path, make):
    path = tmp_path / "answers.sqlite"
    many = make.probe().cases(seed=0, n=1000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Store.open(path) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
        try:
            kept, message = keep_until_refused(store, make, many)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert message == (
            f"The store {path} cannot be read or written (disk I/O error). "
            "Check the disk, its free space and its quota, and run again."
        )
        fill(store, make, many[len(kept) :])
    with Store.open(path) as store:
        assert len(store.answers([make.key(case) for case in many])) == len(many)
