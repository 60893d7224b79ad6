"""The report in a terminal: the verdict table, and a summary of each limit."""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hardlimit.audit import AuditReport, LimitReport
from hardlimit.core import Measurement, Standing, Verdict
from hardlimit.core.text import one_line
from hardlimit.lab.experiment import LabReport
from hardlimit.report import numbers, words
from hardlimit.report.tables import left_out, matrix

COLOURS = {
    Verdict.HELPS: "green",
    Verdict.SATURATES: "yellow",
    Verdict.CANNOT_PROGRESS: "red",
    Verdict.HURTS: "magenta",
    Verdict.UNDETERMINED: "bright_black",
}
WIDE = 96
"""Columns from which the verdicts stand in a table; on a narrower terminal each limit has a block of its own."""

HEADS = ("Where this model is", "The ceiling", "How sure", "What to do")
SIGNS = {
    Verdict.HELPS: "↗",
    Verdict.SATURATES: "→",
    Verdict.CANNOT_PROGRESS: "⊤",
    Verdict.HURTS: "↘",
    Verdict.UNDETERMINED: "?",
}
STANDING_COLOURS = {
    Standing.AGREES: "green",
    Standing.AT_BOUND: "yellow",
    Standing.BEYOND_BOUND: "red",
    Standing.DISAGREES: "red",
}

PREDICTION_COLOURS = {"held": "green", "failed": "bold red"}


def render_terminal(report: AuditReport, console: Console) -> None:
    """Print the verdict table, what more of each resource does, and a summary of each limit.

    No text of the report can act on the terminal: control characters are shown, and nothing is read as markup.

    Args:
        report: a whole audit.
        console: where to print; its width is used.
    """
    console.print(_heading(report))
    console.print(_verdicts(report) if console.width >= WIDE else _cards(report))
    for limit in report.limits:
        if not limit.applies:
            name = words.LIMITS[limit.limit].word
            console.print(Text.assemble((f"{name}: ", "bold dim"), _said(limit.headline, "dim")))
    if others := ", ".join(words.LIMITS[limit].word for limit in left_out(report)):
        console.print(Text(f"Not part of this audit: {others}.", style="dim"))
    if any(limit.verdicts for limit in report.limits):
        console.print(_resources(report))
    for limit in report.limits:
        if limit.applies:
            console.print(_summary(limit))
    if report.lab:
        console.print(Text("\nIn the lab, on small models trained here (not the audited one)", style="italic"))
        console.print(predictions([section.report for section in report.lab]))


def predictions(experiments: Sequence[LabReport]) -> Table:
    """Tabulate what became of the claims' predictions in experiments of the lab; those that failed stand out."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("experiment", "claim", "prediction"):
        table.add_column(head, no_wrap=True)
    table.add_column("what was found", ratio=1)
    for experiment in experiments:
        for place, finding in enumerate(experiment.conclusion.findings):
            word = words.PREDICTIONS[finding.standing]
            table.add_row(
                _said("" if place else experiment.experiment, "bold"),
                _said(finding.claim.statement.id),
                Text(word, style=PREDICTION_COLOURS.get(word, "bright_black")),
                _said(finding.says),
            )
    return table


def _said(text: str, style: str = "") -> Text:
    """Make text of the report safe to print."""
    return Text(one_line(text), style=style)


def _heading(report: AuditReport) -> Text:
    measured, known = sum(limit.applies for limit in report.limits), len(report.limits) + len(left_out(report))
    line = Text.assemble(
        (one_line(report.model.name), "bold"),
        f"  {measured} of {known} limits measured · {report.spent.calls:,} answers · "
        f"{numbers.duration(report.spent.seconds)} · seed {report.seed}",
    )
    line.append("\n")
    return line


def _verdicts(report: AuditReport) -> Table:
    table = Table(title="What was found", title_justify="left", expand=True, show_lines=True)
    table.add_column("Limit", no_wrap=True, style="bold")
    for head, ratio in zip(HEADS, (4, 3, 2, 4), strict=True):
        table.add_column(head, ratio=ratio)
    for limit in report.limits:
        if limit.applies:
            table.add_row(words.LIMITS[limit.limit].word, *_answers(limit))
    return table


def _cards(report: AuditReport) -> Group:
    cards: list[RenderableType] = []
    for limit in report.limits:
        if limit.applies:
            card = Table(title=words.LIMITS[limit.limit].word, title_justify="left", title_style="bold", box=None)
            card.add_column(style="dim")
            card.add_column(ratio=1)
            for head, answer in zip(HEADS, _answers(limit), strict=True):
                card.add_row(head, answer)
            card.show_header = False
            cards.append(card)
    return Group(*cards)


def _answers(limit: LimitReport) -> tuple[Text, Text, Text, Text]:
    """What the verdict table says of a limit, in the order of its heads."""
    sure, ceiling = _said(limit.sureness or "—"), _said(limit.ceiling or "—")
    return _where(limit), ceiling, sure, _said(limit.advice or "—", "bold")


def _where(limit: LimitReport) -> Text:
    where = _said(limit.headline)
    if limit.measurements and limit.measurements[0].broken:
        where.append(" A control failed: do not read this as a result.", style="bold red")
    return where


def _resources(report: AuditReport) -> Table:
    judged = matrix(report)
    table = Table(title="\nWhat would more of each resource do?", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("More of …", style="bold")
    for limit in judged.limits:
        table.add_column(words.LIMITS[limit].word)
    for resource, cells in judged.rows:
        row: list[Text] = [Text(str(resource))]
        for _, verdicts in cells:
            row.append(Text("\n").join(_verdict(each.verdict) for each in verdicts))
        table.add_row(*row)
    return table


def _verdict(verdict: Verdict) -> Text:
    return Text(f"{SIGNS[verdict]} {words.VERDICTS[verdict].word}", style=COLOURS[verdict])


def _summary(limit: LimitReport) -> Padding:
    parts: list[RenderableType] = []
    for measurement in limit.measurements:
        parts.append(_measured(measurement))
    for finding in limit.findings:
        word = words.STANDINGS[finding.standing].word
        style = STANDING_COLOURS.get(finding.standing, "bright_black")
        parts.append(
            Text.assemble((f"{word}: ", style), _said(finding.says), " (", _said(finding.claim.statement.id), ")")
        )
    for each in limit.mitigations:
        parts.append(
            Text.assemble(
                (f"{words.VERDICTS[each.verdict].word}: ", COLOURS[each.verdict]),
                _said(each.name, "bold"),
                ": ",
                _said(each.outcome),
                f" {numbers.points_words(each.difference)}, p {numbers.p_words(each.p_value)}, "
                f"{each.tokens[0]:,.0f} → {each.tokens[1]:,.0f} tokens a question",
            )
        )
    for item in limit.undecided:
        parts.append(Text.assemble(("Not decided: ", "yellow"), _said(item)))
    title = Text(words.LIMITS[limit.limit].word, style="bold")
    return Padding(Panel(Group(*parts), title=title, title_align="left"), (1, 0, 0, 0))


def _measured(measurement: Measurement) -> Text:
    line = Text.assemble((one_line(words.entry(measurement).word), "bold"), ": ")
    estimate, quantity = measurement.estimate, measurement.quantity
    if estimate is None:
        why = "no single number" if measurement.points else "no number"
        line.append_text(_said(f"{why}. {measurement.note}" if measurement.note else why))
    else:
        value, interval = (
            numbers.with_unit(estimate.value, quantity),
            numbers.interval_text(estimate.interval, quantity),
        )
        line.append_text(_said(f"{value} {interval}, {numbers.basis(estimate)}"))
    if measurement.broken:
        line.append(" A control failed: not a result.", style="bold red")
    return line
