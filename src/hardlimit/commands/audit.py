"""`hardlimit audit`: measure a model and leave one report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from hardlimit.models import Model
    from hardlimit.probes.retrieval import Collection
    from hardlimit.scaling import ScalingReport


def audit_command(
    model: str = "embedded",
    *,
    limits: str = "all",
    budget: str = "20m",
    out: Path = Path("audit"),
    json: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    scaling: Annotated[
        tuple[Path, ...],
        Parameter(negative="", help="Results over the model's family; repeat it."),
    ] = (),
    mitigate: bool = True,
    corpus: Path | None = None,
    questions: Path | None = None,
) -> int:
    """Measure a model against the limits and write one report.

    Interrupted with Ctrl-C or killed, the same command goes on where it stopped: every finished answer is kept in
    OUT/answers.sqlite.

    Args:
        model: `embedded`, `local:PATH`, `api:MODEL@URL` or `toy:NAME`.
        limits: comma-separated limits; all that apply by default.
        budget: such as 20m, 200k-tokens, $2, or several with commas.
        out: folder for report.html, report.json and the answers.
        json: print the report as JSON instead of tables.
        seed: every question follows from it.
        scaling: files or folders with results of the model's family at several sizes; the report then says task by
            task what ten times the parameters would do, as `hardlimit scaling` does.
        mitigate: measure what helps instead, beside the model alone, with a quarter of the budget.
        corpus: your own documents for the limit retrieval: a folder of .txt and .md files, or a .jsonl file.
        questions: your questions about them, a .jsonl file.
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

    family, collection = _family(scaling), _collection(corpus, questions)
    named = tuple(STUDIES) if limits == "all" else tuple(name.strip() for name in limits.split(",") if name.strip())
    plan = Plan(
        limits=named, budget=Budget.parse(budget), seed=seed, collection=collection, family=family, mitigate=mitigate
    )
    with Store.open(out / "answers.sqlite") as store:
        asked = open_model(model)
        run = store.begin(asked.card, seed=seed, budget=str(plan.budget), started=datetime.now(UTC))
        with RichProgress(plan.budget) as progress:
            report = audit(asked, plan, store, progress, eyes=_eyes(model, named))
        written = write_report(report, out)
        store.finish(run, finished=datetime.now(UTC))
    if json:
        print(dumps(report))
        return 0
    console = Console()
    render_terminal(report, console)
    console.print(f"Report: {written.html}", soft_wrap=True, highlight=False)
    return 0


def _eyes(model: str, limits: tuple[str, ...]) -> "Model | None":
    """The embedded language model takes text alone; its companion with eyes is asked about pictures."""
    from hardlimit.models.catalog import EMBEDDED, EMBEDDED_EYES, open_model

    if model not in ("embedded", "embedded:", f"embedded:{EMBEDDED}") or "multimodal" not in limits:
        return None
    return open_model(f"embedded:{EMBEDDED_EYES}")


def _family(results: tuple[Path, ...]) -> "ScalingReport | None":
    """Judge the results over the family first, so that a mistake in them costs no audit."""
    if not results:
        return None
    from hardlimit.exchange import read_results
    from hardlimit.scaling import assess, curves_in

    return assess(curves_in(read_results(results)))


def _collection(corpus: Path | None, questions: Path | None) -> "Collection | None":
    """Read the user's own documents and questions first, so that a mistake in them costs no audit."""
    from hardlimit.core import InvalidValueError
    from hardlimit.probes.retrieval import load_collection

    if corpus is None and questions is None:
        return None
    if corpus is None or questions is None:
        given, missing = ("--corpus", "--questions") if questions is None else ("--questions", "--corpus")
        raise InvalidValueError(f"{given} needs {missing} beside it: documents and the questions about them.")
    return load_collection(corpus, questions)
