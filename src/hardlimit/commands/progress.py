"""What a person sees while a model is asked: a live area on a terminal, a few plain lines anywhere else."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from hardlimit.audit.budget import Budget, Meter
from hardlimit.core import Grade, Usage
from hardlimit.core.text import one_line

SECONDS_BETWEEN_LINES = 10.0
REFRESHES_A_SECOND = 6
BAR_WIDTH = 24

_SHOWN = {Grade.RIGHT: "right", Grade.WRONG: "wrong", Grade.ABSTAINED: "abstained", None: "read"}


class RichProgress:
    """Progress drawn with rich; use it as a context.

    On a terminal, two lines at its foot show what is being asked, how far it is, how the answers came out, and what is
    left of the budget; what is settled is printed above them and stays. Elsewhere (a file, a pipe, a build server)
    there are plain lines: what is settled, and at most one every ten seconds about the rest.

    >>> import io
    >>> console = Console(file=io.StringIO(), width=100)
    >>> with RichProgress(Budget.parse("1k-tokens"), console=console) as progress:
    ...     progress.asking("short facts", 40)
    ...     progress.answered(Grade.RIGHT, Usage(prompt_tokens=250))
    ...     progress.settled("hallucination", "12 % of the answers given are wrong")
    >>> print(console.file.getvalue().strip())
    short facts: 0 of 40 · 100 % of 1k-tokens left
    hallucination: 12 % of the answers given are wrong
    asked 1 in all · 250 tokens · 75 % of 1k-tokens left

    Args:
        budget: what may be spent, to show how much of it is left.
        console: where to draw; standard error where not given.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        budget: Budget | None = None,
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = Budget() if budget is None else budget
        self._meter = Meter(self._budget)
        self._console = Console(stderr=True) if console is None else console
        self._clock = clock
        self._what = ""
        self._total: int | None = None
        self._grades = _none_yet()
        self._asked = 0
        self._next_line = clock()
        self._spinner = Spinner("dots")
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                get_renderable=self._view,
                console=self._console,
                refresh_per_second=REFRESHES_A_SECOND,
                transient=True,
                redirect_stdout=False,  # It may be a file that the caller writes to.
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._asked:
            self._print(Text(f"asked {self._asked:,} in all" + self._spent(), style="dim"))

    def asking(self, what: str, total: int | None) -> None:
        """Show that a batch begins; the same words again go on with the one before."""
        what = one_line(what)
        if what == self._what and self._total is not None and total is not None:
            self._total += total
        else:
            self._what, self._total = what, total
            self._grades = _none_yet()
        self._line()

    def answered(self, grade: Grade | None, usage: Usage) -> None:
        """Show that one question is answered."""
        self._grades[grade] += 1
        self._asked += usage.calls > 0
        self._meter.add(usage)
        self._line()

    def settled(self, topic: str, says: str) -> None:
        """Print what is decided, where it stays."""
        self._print(Text.assemble((one_line(topic), "bold"), ": ", one_line(says)))

    def _line(self) -> None:
        """Where nothing is live, print a line about the asking now and then."""
        if self._live is None and self._clock() >= self._next_line:
            self._next_line = self._clock() + SECONDS_BETWEEN_LINES
            self._print(Text(f"{self._what}: {self._place()}{self._outcomes()}{self._spent()}"))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=self._live is None, highlight=False)

    def _view(self) -> RenderableType:
        """Draw the live area; always two lines, so that nothing jumps."""
        bar = ProgressBar(
            total=self._total,
            completed=self._done(),
            width=min(BAR_WIDTH, self._console.width // 4),
            pulse=not self._total,
        )
        what = Text(self._what or "starting", no_wrap=True, overflow="ellipsis")
        first = Table.grid(padding=(0, 1))
        first.add_row(self._spinner, bar, Text(self._place() if self._what else "", no_wrap=True), what)
        state = (self._outcomes() + self._spent()).removeprefix(" · ")
        second = Text(f"  {state}", style="dim", no_wrap=True, overflow="ellipsis")
        return Group(first, second)

    def _done(self) -> int:
        return sum(self._grades.values())

    def _place(self) -> str:
        return f"{self._done():,}" if self._total is None else f"{self._done():,} of {self._total:,}"

    def _outcomes(self) -> str:
        counts = dict.fromkeys((*_SHOWN.values(), "other"), 0)
        for grade, count in self._grades.items():
            counts[_SHOWN.get(grade, "other")] += count
        return "".join(f" · {word} {count:,}" for word, count in counts.items() if count)

    def _spent(self) -> str:
        tokens = self._meter.spent.computed_tokens
        said = f" · {tokens:,} tokens" if tokens else ""
        if self._budget != Budget():
            said += f" · {100 * self._meter.left_share:.0f} % of {self._budget} left"
        return said


def _none_yet() -> dict[Grade | None, int]:
    """Count no grade yet; every key is there, since another thread draws while counts change."""
    return dict.fromkeys((*Grade, None), 0)
