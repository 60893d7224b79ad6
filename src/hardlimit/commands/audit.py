"""`hardlimit audit`: measure a model and leave one report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardlimit.audit import AuditReport, LabSection
    from hardlimit.audit.plan import Plan
    from hardlimit.core import Limit
    from hardlimit.models import Model
    from hardlimit.probes.retrieval import Collection
    from hardlimit.scaling import ScalingReport
    from hardlimit.store import Store


def audit_command(
    *models: str,
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
    lab: Annotated[bool, Parameter(negative="")] = False,
    scale: Annotated[tuple[str, ...], Parameter(negative="")] = (),
) -> int:
    """Measure a model, or several of one family, against the limits and write one report.

    Several models are each audited with the whole budget, on the same cases, into a folder of their own in OUT; the
    report in OUT sets them side by side and says what more parameters do, as their sizes show it.

    Interrupted with Ctrl-C or killed, the same command goes on where it stopped: every finished answer is kept in
    OUT/answers.sqlite.

    Args:
        models: each `embedded` (if none is named), `local:PATH`, `api:MODEL@URL` or `toy:NAME`.
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
        lab: also train small transformers that confront the claims about these limits, up to two minutes for each
            experiment, beside the budget; needs the extra `lab`.
        scale: of several models, the number of parameters of one that does not tell it, NAME=7e9; repeat it.
    """
    from hardlimit.audit.budget import Budget
    from hardlimit.audit.plan import STUDIES, Plan

    family, collection = _family(scaling), _collection(corpus, questions)
    named = tuple(STUDIES) if limits == "all" else tuple(name.strip() for name in limits.split(",") if name.strip())
    plan = Plan(
        limits=named, budget=Budget.parse(budget), seed=seed, collection=collection, family=family, mitigate=mitigate
    )
    if len(models) > 1 or scale:
        return _several(models, plan, out, Asked(json=json, lab=lab, scale=scale))
    from rich.console import Console

    from hardlimit.core import dumps
    from hardlimit.report import render_terminal

    report, page = audit_one(models[0] if models else "embedded", plan, out, lab=lab)
    if json:
        print(dumps(report))
        return 0
    console = Console()
    render_terminal(report, console)
    console.print(f"Report: {page}", soft_wrap=True, highlight=False)
    return 0


@dataclass(frozen=True)
class Asked:
    """What was asked for beside the plan."""

    json: bool
    lab: bool
    scale: tuple[str, ...]


def _several(models: "Sequence[str]", plan: "Plan", out: Path, asked: Asked) -> int:
    from rich.console import Console

    from hardlimit.commands.audit_family import audit_family
    from hardlimit.commands.scaling import scales_in
    from hardlimit.core import InvalidValueError, dumps
    from hardlimit.report import render_family_terminal

    if len(models) < 2:
        raise InvalidValueError("--scale NAME=PARAMETERS is for several models, which make a curve; name them all.")
    if plan.family is not None:
        raise InvalidValueError("--scaling is for one model; several models are their own family, so leave it out.")
    family, page = audit_family(models, plan, out, said=scales_in(asked.scale), lab=asked.lab)
    if asked.json:
        print(dumps(family))
        return 0
    console = Console()
    render_family_terminal(family, console)
    console.print(f"Report: {page}", soft_wrap=True, highlight=False)
    return 0


def audit_one(model: str, plan: "Plan", out: Path, *, lab: bool = False) -> "tuple[AuditReport, Path]":
    """Audit one model into a folder.

    Args:
        model: its name.
        plan: what is asked for.
        out: folder for the report and the answers.
        lab: whether the lab's experiments about the plan's limits are run after it.

    Returns:
        The report, and where its page was written.
    """
    from datetime import UTC, datetime

    from msgspec import structs

    from hardlimit.audit.family import plan_key
    from hardlimit.audit.laboratory import experiments_for
    from hardlimit.audit.plan import audit
    from hardlimit.commands.progress import RichProgress
    from hardlimit.models.catalog import open_model
    from hardlimit.report import write_report
    from hardlimit.store import ANSWERS, Store

    experiments = experiments_for(plan.limits) if lab else ()
    with Store.open(out / ANSWERS) as store:
        asked = open_model(model)
        run = store.begin(
            asked.card, seed=plan.seed, budget=str(plan.budget), started=datetime.now(UTC), plan=plan_key(plan)
        )
        with RichProgress(plan.budget) as progress:
            report = audit(asked, plan, store, progress, eyes=_eyes(model, plan.limits))
        # Whole before the lab begins, so that whoever interrupts the lab has it.
        written = write_report(report, out)
        if experiments:
            report = structs.replace(report, lab=run_lab(experiments, store, out))
            written = write_report(report, out)
        store.finish(run, finished=datetime.now(UTC))
    return report, written.html


def run_lab(experiments: "Sequence[tuple[Limit, str]]", store: "Store", out: Path) -> "tuple[LabSection, ...]":
    """Run experiments of the lab beside an audit, and say beforehand what that takes.

    Args:
        experiments: from `experiments_for`.
        store: where measured cells are kept.
        out: the audit's folder.
    """
    from rich.console import Console

    from hardlimit.audit.laboratory import MINUTES_EACH, confront, unmeasured
    from hardlimit.commands.lab_progress import LabProgress

    console = Console(stderr=True)
    if left := unmeasured(experiments, store):
        console.print(
            f"The lab, beside the budget: {left} experiment{'s' * (left != 1)} in reduced form, at most "
            f"{MINUTES_EACH * left} minutes. The audit's own report is written; Ctrl-C loses no measured cell.",
            highlight=False,
            soft_wrap=True,
        )
    with LabProgress(console) as progress:
        return confront(experiments, store, out / "lab", progress)


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
