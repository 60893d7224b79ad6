"""How a single probe is configured, asked and shown."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.commands.progress import RichProgress
from hardlimit.core import Answered, Case, Generated, InvalidValueError, Tally, canonical
from hardlimit.core.text import one_line, visible
from hardlimit.models.catalog import open_model
from hardlimit.probes import Probe
from hardlimit.stats import estimate
from hardlimit.store import Store


def configured(kind: type[Probe], settings: Sequence[str]) -> Probe:
    """Make a probe from `field=value` settings; a wrong field or value says what there is.

    >>> from hardlimit.probes.hallucination import ShortFacts
    >>> configured(ShortFacts, ["family=capital"])
    ShortFacts(family='capital', setting='plain')
    >>> configured(ShortFacts, ["famly=capital"])
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.InvalidValueError: hallucination.short_facts has no parameter 'famly'. It has: family, ...
    """
    fields = tuple(getattr(kind, "__struct_fields__", ()))
    values = {}
    for setting in settings:
        field, equals, text = setting.partition("=")
        if not equals or not field:
            raise InvalidValueError(f"--set takes field=value, got '{setting}'.")
        if field not in fields:
            raise InvalidValueError(f"{kind.name} has no parameter '{field}'. It has: {', '.join(fields) or 'none'}.")
        values[field] = text
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidValueError(f"{kind.name} does not take {', '.join(settings)}: {error}.") from error


def asked(probe: Probe, cases: Sequence[Case], model: str, file: Path | None) -> list[Answered]:
    """Ask a model, keeping the answers in a file where one is named."""
    with _store(file) as store, RichProgress() as progress:
        desk = Desk(open_model(model), store, Meter(Budget()), progress)
        return desk.ask(probe, cases, what=probe.name)


@contextlib.contextmanager
def _store(file: Path | None) -> Iterator[Store]:
    if file is not None:
        with Store.open(file) as store:
            yield store
        return
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "answers.sqlite") as store:
        yield store


def show_cases(cases: Sequence[Case], *, json: bool) -> None:
    """Print cases."""
    if json:
        for case in cases:
            print(canonical(case).decode())
        return
    console = Console(highlight=False)
    for case in cases:
        console.print(Text(f"{case.id}  {_factors(case)}", style="bold"))
        for message in getattr(case.ask, "messages", ()):
            first, *rest = message.content.splitlines() or [""]
            console.print(Text(f"  {message.role}: {visible(first)}"))
            for line in rest:
                console.print(Text(f"    {visible(line)}"))
        console.print(Text(f"  right: {one_line(', '.join(case.gold)) or 'to abstain'}", style="dim"))


def show_answers(probe: Probe, answered: Sequence[Answered], *, wanted: int, full: bool, json: bool) -> None:
    """Print graded answers: one line each, and the tally with the share of right ones."""
    if json:
        for item in answered:
            print(canonical(item).decode())
        return
    console = Console(highlight=False)
    if full:
        for item in answered:
            show_cases([item.case], json=False)
            console.print(Text(f"  → {item.grade}: {_said(item)}"))
    else:
        table = Table("case", "grade", "answer", box=None, pad_edge=False)
        for item in answered:
            table.add_row(Text(item.case.id), Text(str(item.grade)), Text(_said(item)[:80]))
        console.print(table)
    tally = Tally.of(item.grade for item in answered)
    if tally.n:
        share = estimate(tally.right, tally.n, tally.artefacts)
        low, high = share.interval.low or 0.0, share.interval.high or 1.0
        console.print(
            f"{probe.name}: {tally.right} of {tally.n} right ({100 * low:.0f}–{100 * high:.0f} %), "
            f"{tally.wrong} wrong, {tally.abstained} abstained, {tally.artefacts} artefacts."
        )
    if tally.n < wanted:
        console.print(f"{wanted - tally.n} cases were not answered.")


def _said(item: Answered) -> str:
    if isinstance(item.reply, Generated):
        return one_line(item.reply.error or item.reply.text)
    return one_line(item.answer or "")


def _factors(case: Case) -> str:
    return " ".join(f"{name}={value}" for name, value in case.factors.items())
