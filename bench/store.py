"""What the store costs: milliseconds an answer, with and without waiting for the disk; opening, finding, exporting.

Usage: python bench/store.py [DIRECTORY]   (the disk to measure; the current directory where not given)
"""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.console import Console
from rich.table import Table

from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.core import (
    Answered,
    Case,
    Generate,
    Generated,
    Grade,
    Limit,
    Message,
    Quantity,
    Scored,
    Silent,
    Usage,
    Value,
)
from hardlimit.core.quantity import ACCURACY
from hardlimit.models.toy import Perfect
from hardlimit.probes import Probe
from hardlimit.store import Store, answer_key
from hardlimit.store.database import connect

ANSWERS = 2000
PROMPTS = {"short prompt (300 characters)": 300, "long prompt (8k tokens)": 32_000}
TARGET_MS = 0.2


class Echoing(Value, frozen=True):
    """Cases with prompts of a given length."""

    name: ClassVar[str] = "bench.echoing"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.CONTEXT
    quantity: ClassVar[Quantity] = ACCURACY

    characters: int

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        haystack = "lorem ipsum " * (self.characters // 12)
        return [
            Case(
                id=f"{seed}-{place}",
                ask=Generate(messages=(Message(role="user", content=f"{haystack}{seed} {place}"),), max_tokens=16),
                gold=(str(place),),
                factors={"length": self.characters, "depth": place / n},
                cluster=str(place // 26),
            )
            for place in range(n)
        ]

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        return Grade.RIGHT, "answer"

    def controls(self) -> dict[str, Probe]:
        return {}


def timed(act: Callable[[], object]) -> float:
    """Measure the seconds of one call."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def answered(case: Case) -> Answered:
    """Make a typical answer with log-probabilities."""
    usage = Usage(prompt_tokens=2000, completion_tokens=12, seconds=0.25)
    reply = Generated(text="It is 42. " * 5, finish="stop", token_logprobs=(-0.123456789,) * 12, usage=usage)
    return Answered(case=case, reply=reply, grade=Grade.RIGHT, answer="42")


def keeping(folder: Path, characters: int, synchronous: str) -> tuple[float, float]:
    """Measure the median and the 99th percentile of keeping one answer, its key included, in ms."""
    probe = Echoing(characters=characters)
    path = folder / f"{characters}-{synchronous}.sqlite"
    database = connect(path, patience=30)
    database.execute(f"PRAGMA synchronous = {synchronous}")
    times = []
    with Store(database, path) as store:
        for made in [answered(case) for case in probe.cases(seed=0, n=ANSWERS)]:
            start = time.perf_counter()
            store.keep_answer(answer_key("bench", probe, made.case), made, model="bench", probe=probe)
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times), statistics.quantiles(times, n=100)[-1]


def whole_desk(folder: Path, characters: int) -> tuple[float, float]:
    """Measure asking a toy through the desk, and asking again, in ms an answer; the toy's own time is taken off."""
    probe = Echoing(characters=characters)
    cases = probe.cases(seed=1, n=ANSWERS)
    toy = Perfect(cases)
    requests = [case.ask for case in cases if isinstance(case.ask, Generate)]
    alone = timed(lambda: list(toy.generate(requests))) + timed(lambda: toy.study(cases))
    with Store.open(folder / f"desk-{characters}.sqlite") as store:
        asking = timed(lambda: Desk(toy, store, Meter(Budget()), Silent()).ask(probe, cases, what="bench"))
        again = timed(lambda: Desk(toy, store, Meter(Budget()), Silent()).ask(probe, cases, what="bench"))
    return 1000 * (asking - alone) / ANSWERS, 1000 * again / ANSWERS


def opening(folder: Path, path: Path) -> tuple[float, float]:
    """Measure opening a store that was closed properly, and one that a kill left with its log, in ms."""
    clean = 1000 * timed(lambda: Store.open(path).close())
    crashed = folder / "crashed.sqlite"
    probe = Echoing(characters=300)
    with Store.open(path) as store:
        made = answered(probe.cases(seed=2, n=1)[0])
        store.keep_answer(answer_key("bench", probe, made.case), made, model="bench", probe=probe)
        shutil.copy(path, crashed)
        shutil.copy(f"{path}-wal", f"{crashed}-wal")
    return clean, 1000 * timed(lambda: Store.open(crashed).close())


def main() -> None:
    """Measure, and print the table."""
    here = sys.argv[1] if len(sys.argv) > 1 else "."
    table = Table("what", "NORMAL (ours)", "FULL", title=f"The store, {ANSWERS} answers each, ms")
    with tempfile.TemporaryDirectory(dir=here, prefix=".bench-") as name:
        folder = Path(name)
        for words, characters in PROMPTS.items():
            rows = [keeping(folder, characters, synchronous) for synchronous in ("NORMAL", "FULL")]
            table.add_row(f"keep an answer, {words}: median", *(f"{median:.3f}" for median, _ in rows))
            table.add_row(f"keep an answer, {words}: 99 %", *(f"{tail:.3f}" for _, tail in rows))
        for words, characters in PROMPTS.items():
            asked, found = whole_desk(folder, characters)
            table.add_row(f"the whole desk, {words}: asked, without the model", f"{asked:.3f}")
            table.add_row(f"the whole desk, {words}: found in the store", f"{found:.3f}")
        path = folder / "300-NORMAL.sqlite"
        table.add_row("bytes an answer, short prompt", f"{path.stat().st_size / ANSWERS:.0f}")
        clean, crashed = opening(folder, path)
        table.add_row("open", f"{clean:.1f}")
        table.add_row("open after a kill (every page is checked)", f"{crashed:.1f}")
        with Store.open(path) as store:
            export = timed(lambda: store.export_parquet(folder / "answers.parquet"))
        table.add_row("export to Parquet, an answer", f"{1000 * export / ANSWERS:.3f}")
    console = Console(width=120)
    console.print(table)
    console.print(f"Target: under {TARGET_MS} ms to keep an answer.")


if __name__ == "__main__":
    main()
