"""A batch of asynchronous questions behind an ordinary iterator: replies come as they finish."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
Client = TypeVar("Client")

_JOIN_SECONDS = 5.0
"""How long closing waits for cancelled requests; a thread that hangs in a name look-up is left behind (a daemon)."""


class Batch(Generic[Client, Job, Result]):
    """Runs jobs in a private thread with its own event loop.

    At most `concurrency` jobs run at once, started in the order given, and at most twice as many are ahead of what the
    consumer has taken: a consumer that stops early has not paid for the rest. Closing the iterator, or an exception
    such as KeyboardInterrupt in the consumer, cancels what is running.
    """

    def __init__(
        self,
        jobs: Sequence[tuple[int, Job]],
        ask: Callable[[Client, int, Job], Awaitable[Result]],
        connect: Callable[[], AbstractAsyncContextManager[Client]],
        *,
        concurrency: int,
    ) -> None:
        """Prepare a batch; nothing runs before the iterator is advanced.

        Args:
            jobs: `(index, job)` pairs in the order in which to start them.
            ask: answers one job; must not raise.
            connect: opens what all jobs share.
            concurrency: jobs at once, >= 1.
        """
        self._jobs = jobs
        self._ask = ask
        self._connect = connect
        self._concurrency = concurrency
        self._done: SimpleQueue[tuple[int, Result] | BaseException] = SimpleQueue()
        self._ready = threading.Event()
        self._room = asyncio.Semaphore(2 * concurrency)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asking: asyncio.Task[None] | None = None
        self._cancelled = False

    def run(self) -> Generator[tuple[int, Result], None, None]:
        """Run the batch and yield `(index, result)` as each finishes."""
        if not self._jobs:
            return
        thread = threading.Thread(target=self._thread, name="hardlimit-api", daemon=True)
        thread.start()
        try:
            self._ready.wait()
            for _ in self._jobs:
                item = self._done.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
                self._call(self._room.release)
        except BaseException:
            self._call(self._cancel)
            raise
        finally:
            thread.join(_JOIN_SECONDS)

    def _call(self, function: Callable[[], object]) -> None:
        if self._loop is None:
            return
        with suppress(RuntimeError):  # the loop has already ended
            self._loop.call_soon_threadsafe(function)

    def _cancel(self) -> None:
        self._cancelled = True
        if self._asking is not None:
            self._asking.cancel()

    def _thread(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # noqa: BLE001  (it is raised again where the batch is read)
            self._done.put(error)
            self._ready.set()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        async with self._connect() as client:
            self._asking = asyncio.current_task()
            try:
                if not self._cancelled:
                    await self._ask_all(client)
            finally:
                self._asking = None  # closing the connections must not be cancelled: it would leave sockets open

    async def _ask_all(self, client: Client) -> None:
        waiting = iter(self._jobs)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._concurrency, len(self._jobs))):
                group.create_task(self._work(client, waiting))

    async def _work(self, client: Client, waiting: Iterator[tuple[int, Job]]) -> None:
        await self._room.acquire()
        for index, job in waiting:
            self._done.put((index, await self._ask(client, index, job)))
            await self._room.acquire()
