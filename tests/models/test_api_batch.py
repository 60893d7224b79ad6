"""The private thread behind a batch: it closes what it opened, and it never hides a bug."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from hardlimit.models.api.batch import Batch


class Connection:
    """Counts what is opened, and takes its time to close."""

    def __init__(self):
        self.closing = threading.Event()
        self.closed = False

    @asynccontextmanager
    async def connect(self):
        yield self
        self.closing.set()
        await asyncio.sleep(0.1)
        self.closed = True


async def double(connection, index, job):
    return 2 * job


def test_results_come_with_their_indices():
    batch = Batch([(7, 1), (3, 2), (5, 3)], double, Connection().connect, concurrency=2)
    assert sorted(batch.run()) == [(3, 4), (5, 6), (7, 2)]


def test_closing_early_does_not_break_into_closing_the_connections():
    connection = Connection()
    results = Batch([(0, 1), (1, 2)], double, connection.connect, concurrency=2).run()
    next(results)
    assert connection.closing.wait(30)
    results.close()
    assert connection.closed


def test_a_bug_is_raised_where_the_batch_is_read():
    async def bug(connection, index, job):
        raise LookupError("a bug")

    with pytest.raises(ExceptionGroup) as error:
        list(Batch([(0, 1)], bug, Connection().connect, concurrency=2).run())
    assert [str(inner) for inner in error.value.exceptions] == ["a bug"]


def test_a_failure_to_connect_is_raised_where_the_batch_is_read():
    @asynccontextmanager
    async def fail():
        raise OSError("no sockets left")
        yield

    with pytest.raises(OSError, match="no sockets left"):
        list(Batch([(0, 1)], double, fail, concurrency=2).run())
