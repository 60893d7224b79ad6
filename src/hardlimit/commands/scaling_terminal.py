"""A scaling report in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hardlimit.core import Verdict
from hardlimit.core.text import one_line
from hardlimit.scaling import CAVEAT, Assessed, CountFit, HoldoutReport, JudgedGrid, Rule, ScalingReport, TaskVerdict
from hardlimit.scaling.words import percent, span

COLOURS = {
    Verdict.HELPS: "green",
    Verdict.SATURATES: "yellow",
    Verdict.CANNOT_PROGRESS: "red",
    Verdict.HURTS: "bold red",
    Verdict.UNDETERMINED: "dim",
}
_CORRECTIONS = {
    "none": "not corrected for the number of tasks",
    "holm": "corrected so that any false verdict is unlikely (Holm)",
    "bh": "corrected so that few of the verdicts are false (Benjamini–Hochberg)",
}
_UNDETERMINED_SHOWN = 5


def print_scaling(report: ScalingReport, console: Console, *, every: bool = False) -> None:
    """Print a report.

    Args:
        report: what `assess` found.
        console: where.
        every: list the undetermined tasks too.
    """
    rule = report.question.rule
    low, high = report.scales[0], report.scales[-1]
    resource = report.tasks[0].judged.scaling.resource
    console.print(
        f"[bold]{len(report.tasks)} curve{'s' * (len(report.tasks) != 1)} of {escape(one_line(report.family))}[/bold], "
        f"{len(report.scales)} scales "
        f"from {low:.3g} to {high:.3g} {resource}. What does the next ×{rule.kappa:g} do?",
        highlight=False,
    )
    console.print(
        f"Worth having: a cut of the loss by {percent(rule.next_gain)}. Verdicts "
        f"{_CORRECTIONS[report.question.correct]}, at a level of {rule.level:g}.\n",
        highlight=False,
    )
    if len(report.tasks) > 1:
        console.print(_matrix(report))
    if report.subjects:
        console.print(_verdict_table("All items of a subject together", [(one, None) for one in report.subjects]))
    decided = [task for task in report.tasks if task.judged.corrected is not Verdict.UNDETERMINED]
    shown = report.tasks if every else decided
    if shown:
        console.print(_verdict_table("Task by task", [(task.judged, task) for task in shown]))
    _undetermined(report, console, every=every)
    for task in report.tasks:
        if task.anchored is not None:
            console.print(f"{_name(task.judged)}: {task.anchored.says}", highlight=False, markup=False)
    if report.counts:
        console.print(_counts(report.counts, every=every))
    elif report.question.counts:
        console.print(
            "Nothing was fitted as counts: that needs the number of items, 4 scales, and what guessing scores "
            "(--chance TASK=0.25).",
            highlight=False,
        )
    if report.holdout is not None:
        console.print(_holdout(report.holdout))
    for text in (*report.notes, *(f"Skipped {name}: {why}." for name, why in report.skipped[:10]), report.caveat):
        console.print(one_line(text), style="dim", highlight=False, markup=False)


def print_grids(grids: tuple[JudgedGrid, ...], rule: Rule, console: Console) -> None:
    """Print verdicts about two resources, task by task.

    Args:
        grids: what `judge_grids` found.
        rule: the margins and the next factor.
        console: where.
    """
    table = Table(
        title=f"What the next ×{rule.kappa:g} of each resource does, the other at its largest", title_justify="left"
    )
    table.add_column("task · metric", overflow="fold")
    for head in ("resource", "verdict", "loss cut so far", "by the next factor"):
        table.add_column(head, no_wrap=True)
    for grid in grids:
        for one in (grid.judged.parameters, grid.judged.data):
            name = escape(one_line(f"{grid.task} · {grid.metric}"))
            table.add_row(name, str(one.resource), _coloured(one.verdict), span(one.gain_so_far), span(one.next_gain))
        table.add_row("", "both", "", "", span(grid.judged.both), end_section=True)
    console.print(table)
    for grid in grids:
        fit = grid.judged.fit
        constants = ", ".join(f"{name} {value:.4g}" for name, value in fit.parameters.items())
        told = f"{grid.task} · {grid.metric}: {fit.formula} with {constants}; {grid.runs} runs, "
        told += f"{percent(fit.reached)} of {fit.starts} starts reached the optimum."
        console.print(one_line(told), style="dim", highlight=False, markup=False)
    console.print(CAVEAT, style="dim", highlight=False)


def _name(one: TaskVerdict) -> str:
    return one_line(f"{one.scaling.task} · {one.scaling.metric}")


def _coloured(verdict: Verdict) -> str:
    return f"[{COLOURS[verdict]}]{verdict}[/]"


def _matrix(report: ScalingReport) -> Table:
    table = Table(title="Number of tasks by subject and verdict", title_justify="left")
    table.add_column("subject")
    for verdict in COLOURS:
        table.add_column(_coloured(verdict), justify="right")
    for subject, counts in report.matrix().items():
        table.add_row(escape(one_line(subject)), *(str(counts.get(str(verdict), "·")) for verdict in COLOURS))
    return table


def _verdict_table(title: str, rows: list[tuple[TaskVerdict, Assessed | None]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("task · metric", overflow="fold")
    for head in ("verdict", "loss cut so far", "by the next factor", "forecast there"):
        table.add_column(head, no_wrap=True)
    for one, task in rows:
        ahead = "" if task is None else _forecast(task)
        verdict = _coloured(one.corrected)
        if one.corrected is not one.scaling.verdict:
            verdict += f"\n[dim](alone: {one.scaling.verdict})[/]"
        table.add_row(escape(_name(one)), verdict, span(one.scaling.gain_so_far), span(one.scaling.next_gain), ahead)
    return table


def _forecast(task: Assessed) -> str:
    low, high = task.ahead.interval.low, task.ahead.interval.high
    ends = "" if low is None or high is None else f" [{low:.3g}, {high:.3g}]"
    return f"{task.ahead.median:.3g}{ends}"


def _undetermined(report: ScalingReport, console: Console, *, every: bool) -> None:
    left = [task for task in report.tasks if task.judged.corrected is Verdict.UNDETERMINED]
    if not left:
        return
    console.print(
        f"\n[bold]{len(left)} undetermined[/bold]" + ("" if every else "; --all lists them."), highlight=False
    )
    alone = [task for task in left if task.judged.scaling.verdict is not Verdict.UNDETERMINED]
    if alone:
        console.print(
            f"{len(alone)} of them have a verdict taken alone, but not after correction for {len(report.tasks)} tasks.",
            highlight=False,
        )
    for task in [task for task in left if task.plan is not None][:_UNDETERMINED_SHOWN]:
        assert task.plan is not None
        console.print(f"  {_name(task.judged)}: {task.judged.scaling.because}", highlight=False, markup=False)
        console.print(f"    {task.plan.says}", highlight=False, markup=False)


def _counts(fits: tuple[CountFit, ...], *, every: bool) -> Table:
    shown = [one for one in fits if every or one.verdict is not Verdict.UNDETERMINED]
    title = "As counts, on a logistic curve in ln x from chance to the best possible share (not corrected)"
    if len(shown) < len(fits):
        title += f"; {len(fits) - len(shown)} more are undetermined"
    table = Table(title=title, title_justify="left")
    table.add_column("task · metric", overflow="fold")
    for head in ("if so", "by the next factor", "share right there", "chance"):
        table.add_column(head, no_wrap=True)
    for one in shown:
        name = escape(one_line(f"{one.task} · {one.metric}"))
        ahead = span(one.next_share)
        table.add_row(name, _coloured(one.verdict), span(one.next_gain), ahead, percent(one.chance))
    return table


def _holdout(report: HoldoutReport) -> Table:
    table = Table(
        title=f"Forecasts of the {report.held_out} largest scales held out ({len(report.scored)} points)",
        title_justify="left",
    )
    table.add_column("forecast")
    table.add_column("mean log loss", justify="right")
    table.add_column(f"inside the {percent(report.level)} interval", justify="right")
    table.add_row("hardlimit (pooled)", f"{report.log_loss:.3f}", percent(report.coverage), style="bold")
    for name, loss in report.baseline_log_loss.items():
        table.add_row(name, f"{loss:.3f}", percent(report.baseline_coverage[name]))
    return table
