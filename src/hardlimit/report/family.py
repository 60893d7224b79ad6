"""Several models side by side, for a terminal and for the page."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hardlimit.audit.document import Compared, FamilyReport, Member
from hardlimit.core import Estimate, Limit
from hardlimit.core.text import one_line
from hardlimit.report import numbers, words
from hardlimit.report.scaling import amount
from hardlimit.report.terminal import COLOURS, SIGNS

BROKEN = "a control failed"


def size_words(member: Member) -> str:
    """Write a model's size.

    >>> from hardlimit.core import Usage
    >>> from hardlimit.models import ModelCard
    >>> card = ModelCard(name="toy:x", adapter="toy", revision="1")
    >>> [size_words(Member(card=card, folder="x", size=size, spent=Usage())) for size in (135e6, None)]
    ['135M parameters', 'size not known']
    """
    return "size not known" if member.size is None else f"{amount(member.size)} parameters"


def value_words(estimate: Estimate | None, row: Compared) -> tuple[str, str]:
    """Write a number, and its interval with what it rests on; a dash where there is none."""
    if estimate is None:
        return "—", ""
    low, high = estimate.interval.low, estimate.interval.high
    value = numbers.with_unit(estimate.value, row.quantity)
    if high is None and low is not None:
        value = f"at least {numbers.with_unit(low, row.quantity)}"
    return value, f"{numbers.interval_text(estimate.interval, row.quantity)}, {numbers.basis(estimate)}"


def title_of(row: Compared) -> str:
    """What a measurement is called."""
    known = words.MEASUREMENTS.get(row.name)
    return known.word if known is not None else f"{row.quantity.name} ({row.name})"


def rows_of(report: FamilyReport, limit: Limit) -> tuple[Compared, ...]:
    """The measurements of one limit, the main one first."""
    return tuple(row for row in report.compared if row.limit == limit)


def render_family_terminal(report: FamilyReport, console: Console) -> None:
    """Print what more parameters do to each limit, and the models' main numbers side by side.

    Args:
        report: of several models.
        console: where to print; its width is used.
    """
    console.print(_verdicts(report))
    table = Table(title="\nSide by side", title_justify="left", show_lines=True)
    table.add_column("", style="bold")
    for member in report.members:
        table.add_column(Text(f"{one_line(member.card.name)}\n{size_words(member)}"))
    for row in report.compared:
        if row.main:
            table.add_row(
                Text(f"{words.LIMITS[row.limit].word}: {row.quantity.name}"),
                *(_cell(estimate, row, broken) for estimate, broken in zip(row.estimates, row.broken, strict=True)),
            )
    console.print(table)
    for note in report.notes:
        console.print(Text(one_line(note), style="dim"))


def _verdicts(report: FamilyReport) -> Table:
    table = Table(title="What would more parameters do?", title_justify="left", show_lines=True)
    for head in ("Limit", "It", "Why"):
        table.add_column(head, no_wrap=head != "Why")
    for limit in report.limits:
        word = Text(f"{SIGNS[limit.verdict]} {words.VERDICTS[limit.verdict].word}", style=COLOURS[limit.verdict])
        table.add_row(words.LIMITS[limit.limit].word, word, Text(one_line(limit.because)))
    return table


def _cell(estimate: Estimate | None, row: Compared, broken: bool) -> Text:
    value, rest = value_words(estimate, row)
    cell = Text.assemble((value, "bold"), f"\n{rest}" if rest else "")
    if broken:
        cell.append(f"\n{BROKEN}", style="bold red")
    return cell
