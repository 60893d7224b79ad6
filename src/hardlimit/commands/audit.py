"""`hardlimit audit`: measure a model and leave one report."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def audit_command(
    model: str = "embedded",
    *,
    limits: str = "all",
    budget: str = "10m",
    out: Path = Path("audit"),
    json: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
) -> int:
    """Measure a model against the limits and write one report.

    Interrupted with Ctrl-C or killed, the same command goes on where it stopped: every finished answer is kept in
    OUT/answers.sqlite.

    Args:
        model: `embedded`, `local:PATH`, `api:MODEL@URL` or `toy:NAME`.
        limits: comma-separated limits; all that apply by default.
        budget: such as 10m, 200k-tokens, $2, or several with commas.
        out: folder for report.html, report.json and the answers.
        json: print the report as JSON instead of tables.
        seed: every question follows from it.
    """
    from datetime import UTC, datetime

    from rich.console import Console

    from hardlimit.audit.budget import Budget
    from hardlimit.audit.plan import STUDIES, Plan, audit
    from hardlimit.commands.progress import RichProgress
    from hardlimit.core import dumps
    from hardlimit.models.catalog import open_model
    from hardlimit.report import render_terminal, write_report
    from hardlimit.store import Store

    named = tuple(STUDIES) if limits == "all" else tuple(name.strip() for name in limits.split(",") if name.strip())
    plan = Plan(limits=named, budget=Budget.parse(budget), seed=seed)
    with Store.open(out / "answers.sqlite") as store:
        asked = open_model(model)
        run = store.begin(asked.card, seed=seed, budget=str(plan.budget), started=datetime.now(UTC))
        with RichProgress(plan.budget) as progress:
            report = audit(asked, plan, store, progress)
        written = write_report(report, out)
        store.finish(run, finished=datetime.now(UTC))
    if json:
        print(dumps(report))
        return 0
    console = Console()
    render_terminal(report, console)
    console.print(f"Report: {written.html}", soft_wrap=True, highlight=False)
    return 0
