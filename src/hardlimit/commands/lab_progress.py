"""What a person sees while models are trained."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from hardlimit.core import Grade, Usage

SECONDS_BETWEEN_LINES = 10.0


class LabProgress:
    """A bar for the training that runs, above it what is done; plain lines where there is no terminal.

    >>> import io
    >>> console = Console(file=io.StringIO(), width=80)
    >>> with LabProgress(console) as progress:
    ...     progress.asking("training 3 × 1,000 weights", 2)
    ...     progress.settled("softmax", "measured in 3 s")
    >>> print(console.file.getvalue().strip())
    training 3 × 1,000 weights, 2 steps
    softmax: measured in 3 s

    Args:
        console: where to draw.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._what, self._done, self._total = "", 0, 0
        self._spoken = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def asking(self, what: str, total: int | None) -> None:
        """Show that a training begins."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(what, total=total)
        self._what, self._done, self._total = what, 0, total or 0
        if not self._console.is_terminal:
            self._say(f"{what}, {self._total:,} steps")

    def answered(self, grade: Grade | None, usage: Usage) -> None:
        """Show that a step is done."""
        self._done += 1
        if self._task is not None:
            self._bar.advance(self._task)
        if not self._console.is_terminal and time.monotonic() - self._spoken > SECONDS_BETWEEN_LINES:
            self._say(f"{self._what}: {self._done:,} of {self._total:,} steps")

    def settled(self, topic: str, says: str) -> None:
        """Print what is done, where it stays."""
        self._console.print(f"[bold]{topic}[/]: {says}", highlight=False)

    def _say(self, line: str) -> None:
        self._spoken = time.monotonic()
        self._console.print(line, highlight=False, soft_wrap=True)
