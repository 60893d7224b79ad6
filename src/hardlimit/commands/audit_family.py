"""`hardlimit audit MODEL1 MODEL2 …`: the same audit of several models, and what their sizes say about parameters."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import structs
from rich.console import Console

from hardlimit.audit import AuditReport
from hardlimit.audit.document import FamilyReport, Member
from hardlimit.audit.family import (
    compare,
    folder_names,
    plan_key,
    sizes_of,
    too_few_sizes,
    unknown_sizes,
    with_family,
)
from hardlimit.audit.laboratory import experiments_for
from hardlimit.audit.plan import Plan
from hardlimit.commands.audit import audit_one, run_lab
from hardlimit.core import InsufficientDataError, InvalidValueError, loads
from hardlimit.core.text import one_line
from hardlimit.exchange import is_condition, read_report
from hardlimit.models import ModelCard
from hardlimit.models.catalog import open_model
from hardlimit.report import write_family, write_report
from hardlimit.scaling import Reading, Record, ScalingReport, assess, curves_in, family_in
from hardlimit.store import ANSWERS, Store

MANY_FAMILIES = (
    "These names differ by more than a size ({families}): a curve over their sizes also holds whatever else differs "
    "between them, such as data and training."
)
SAME_BUDGET = (
    "Each model has the whole budget. Under a budget of time a slower model is asked fewer questions; one in tokens "
    "asks the same of all. Where a search adapts to the answers, models are asked different questions."
)


def audit_family(
    names: Sequence[str], plan: Plan, out: Path, *, said: Mapping[str, float], lab: bool
) -> tuple[FamilyReport, Path]:
    """Audit several models, each in a folder of its own, and compare them.

    A model that an earlier run with the same plan has finished is not opened again for asking.

    Args:
        names: two models or more.
        plan: what is asked of each.
        out: folder for the family's report and the models' folders.
        said: numbers of parameters that the user gave, by name.
        lab: whether the lab's experiments about the plan's limits are run after them.

    Returns:
        The family's report, and where its page was written.
    """
    if len(set(names)) != len(names):
        raise InvalidValueError(f"A model is named twice: {', '.join(names)}. Name each once.")
    experiments = experiments_for(plan.limits) if lab else ()
    # Opened one by one and let go again: a wrong name shall cost no audit, and two models need not fit at once.
    cards = {name: open_model(name).card for name in names}
    sizes = sizes_of(cards, said)
    folders = folder_names(list(cards.values()))
    console = Console(stderr=True)
    _announce(console, cards, sizes, plan)
    reports = []
    for place, (name, folder) in enumerate(zip(names, folders, strict=True), start=1):
        done = finished(out / folder, cards[name], plan)
        state = "audited before" if done is not None else f"into {out / folder}"
        console.print(f"Model {place} of {len(names)}, {one_line(name)}: {state}", highlight=False, soft_wrap=True)
        reports.append(audit_one(name, plan, out / folder)[0] if done is None else done)
    members = [
        Member(card=report.model, folder=folder, size=size, spent=report.spent)
        for report, folder, size in zip(reports, folders, sizes, strict=True)
    ]
    scaling, because = _judged(members, out)
    if scaling is not None:
        reports = [with_family(report, scaling) for report in reports]
        for report, folder in zip(reports, folders, strict=True):
            write_report(report, out / folder)
    family = compare(members, reports, scaling, because, _notes(cards, sizes))
    page = write_family(family, out).html
    if experiments:
        from hardlimit.commands.lab_page import write_page

        with Store.open(out / ANSWERS) as store:
            write_page([section.report for section in run_lab(experiments, store, out)], out / "lab.html")
    return family, page


def finished(folder: Path, card: ModelCard, plan: Plan) -> AuditReport | None:
    """Return the report that a finished run with this very plan left of a model, where there is one."""
    if not (folder / "report.json").exists() or not (folder / ANSWERS).exists():
        return None
    with Store.open(folder / ANSWERS, existing=True) as store:
        runs = store.runs()
    # The last run alone: one that was cut off may have left its report over that of the one before.
    if not runs or runs[-1].finished is None or runs[-1].plan != plan_key(plan):
        return None
    report = loads((folder / "report.json").read_bytes(), AuditReport)
    return report if report.model == card else None


def _announce(console: Console, cards: Mapping[str, ModelCard], sizes: Sequence[float | None], plan: Plan) -> None:
    console.print(f"{len(cards)} models, each with the budget of {plan.budget}.", highlight=False)
    if (why := too_few_sizes(list(cards), sizes)) is not None:
        console.print(f"There will be no verdict on parameters. {one_line(why)}", highlight=False, soft_wrap=True)


def _notes(cards: Mapping[str, ModelCard], sizes: Sequence[float | None]) -> tuple[str, ...]:
    notes = [SAME_BUDGET]
    unknown = [name for name, size in zip(cards, sizes, strict=True) if size is None]
    if unknown:
        notes.append(unknown_sizes(unknown))
    families = sorted({family_in(card.name) for card in cards.values()})
    if len(families) > 1:
        notes.append(MANY_FAMILIES.format(families=", ".join(families)))
    known = [size for size in sizes if size is not None]
    if len(set(known)) < len(known):
        notes.append("Models of equal size count as one point of a curve, their mean.")
    return tuple(notes)


def _judged(members: Sequence[Member], out: Path) -> tuple[ScalingReport | None, str]:
    """Judge the curves over the members' sizes; where these are too few, say so."""
    names = [member.card.name for member in members]
    why = too_few_sizes(names, [member.size for member in members])
    if why is not None:
        return None, why
    records: list[Record] = []
    scales: dict[str, float] = {}
    for member in members:
        if member.size is None:
            continue
        try:
            found = read_report(out / member.folder / "report.json")
        except InvalidValueError:  # Its budget let nothing be measured that has a best value.
            continue
        # By its folder, since two models may have cards of one name.
        scales[member.folder] = member.size
        records += [structs.replace(each, model=member.folder) for each in found if not is_condition(each.task)]
    try:
        judged = assess(curves_in(records, Reading(scales=scales, average=True)))
    except InsufficientDataError:  # Each limit says for itself what it lacks.
        return None, ""
    families = {family_in(member.card.name) for member in members if member.folder in scales}
    name = families.pop() if len(families) == 1 else f"{len(scales)} models"
    return structs.replace(judged, family=name), ""
