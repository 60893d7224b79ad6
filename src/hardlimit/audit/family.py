"""Several models audited on the same cases: their numbers side by side, and what their sizes say about parameters."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import structs

from hardlimit import __version__
from hardlimit.audit.document import AuditReport, Compared, FamilyReport, LimitReport, Member, OnSize
from hardlimit.audit.mitigating import advice, family_verdict, speaks_for
from hardlimit.audit.plan import Plan
from hardlimit.core import InvalidValueError, Limit, Verdict, canonical
from hardlimit.models import ModelCard
from hardlimit.scaling import ScalingReport, size_in

SIZES_NEEDED = 3
LONGEST_FOLDER = 80


def plan_key(plan: Plan) -> str:
    """Key all that a plan asks of one model; what is said about its family is no part of it."""
    asked = structs.replace(plan, family=None)
    return hashlib.sha256(canonical([asked, __version__])).hexdigest()


def folder_names(cards: Sequence[ModelCard]) -> tuple[str, ...]:
    """Name a folder for each model; two models never share one.

    >>> folder_names([ModelCard(name=name, adapter="x", revision="1") for name in ("toy:guessing-2", "local:/a b/c")])
    ('toy-guessing-2', 'local-a-b-c')
    """
    plain = [re.sub(r"[^A-Za-z0-9._-]+", "-", card.name).strip("-.")[:LONGEST_FOLDER] or "model" for card in cards]
    counts = Counter(name.lower() for name in plain)
    return tuple(
        name if counts[name.lower()] == 1 else f"{name}-{card.fingerprint[:6]}"
        for name, card in zip(plain, cards, strict=True)
    )


def sizes_of(models: Mapping[str, ModelCard], said: Mapping[str, float]) -> tuple[float | None, ...]:
    """Tell each model's number of parameters: as was said, else as its card or else its name tells it.

    Args:
        models: cards by the names on the command line.
        said: sizes by those names, or by the cards' names.

    Raises:
        InvalidValueError: a size was said for a model that is not among them, or is not > 0.
    """
    known = {*models, *(card.name for card in models.values())}
    for name, size in said.items():
        if name not in known:
            raise InvalidValueError(
                f"A size was given for '{name}', which is not audited. Models: {', '.join(models)}."
            )
        if size <= 0:
            raise InvalidValueError(f"The size of '{name}' must be > 0, got {size:g}.")
    found: list[float | None] = []
    for name, card in models.items():
        if name in said or card.name in said:
            found.append(said[name] if name in said else said[card.name])
        else:
            found.append(size_in(card.name) if card.parameters is None else float(card.parameters))
    return tuple(found)


def too_few_sizes(names: Sequence[str], sizes: Sequence[float | None]) -> str | None:
    """Say why these sizes make no curve, with the way out; None where they do.

    >>> print(too_few_sizes(["a", "b"], [1e6, 1e7]))
    A curve over sizes needs 3 different ones, and 2 are known. Audit more sizes of the family.
    """
    different = len({size for size in sizes if size is not None})
    if different >= SIZES_NEEDED:
        return None
    known = f"A curve over sizes needs {SIZES_NEEDED} different ones, and {different or 'none'} "
    known += "is known." if different <= 1 else "are known."
    unknown = [name for name, size in zip(names, sizes, strict=True) if size is None]
    if unknown:
        return f"{known} {unknown_sizes(unknown)}"
    return f"{known} Audit more sizes of the family."


def unknown_sizes(names: Sequence[str]) -> str:
    """Say whose size is not known, and how to say it."""
    return (
        f"The number of parameters of {', '.join(names)} is not known: say it with --scale {names[0]}=7e9 and run the "
        "same command again, which asks nothing twice."
    )


def with_family(report: AuditReport, scaling: ScalingReport) -> AuditReport:
    """Put what the family's sizes say into the report of one of its models, and into its advice."""
    return structs.replace(report, scaling=scaling, advice=advice(report.limits, scaling))


def compare(
    members: Sequence[Member],
    reports: Sequence[AuditReport],
    scaling: ScalingReport | None,
    because: str = "",
    notes: Sequence[str] = (),
) -> FamilyReport:
    """Set the reports of several models side by side.

    Args:
        members: the models.
        reports: one per model, in their order.
        scaling: curves over their sizes, judged, where there are any.
        because: why there are none, where it is the sizes; for each limit else it is found out.
        notes: for the reader.
    """
    order = sorted(range(len(members)), key=lambda at: (members[at].size is None, members[at].size or 0.0))
    members, reports = [members[at] for at in order], [reports[at] for at in order]
    limits = list(dict.fromkeys(limit.limit for report in reports for limit in report.limits))
    first = reports[0]
    return FamilyReport(
        members=tuple(members),
        limits=tuple(_on_size(limit, reports, scaling, because) for limit in limits),
        compared=tuple(row for limit in limits for row in _side_by_side(limit, reports)),
        scaling=scaling,
        notes=tuple(notes),
        seed=first.seed,
        budget=first.budget,
        version=__version__,
    )


def _of(limit: Limit, report: AuditReport) -> LimitReport | None:
    return next((each for each in report.limits if each.limit == limit), None)


def _on_size(limit: Limit, reports: Sequence[AuditReport], scaling: ScalingReport | None, because: str) -> OnSize:
    told = [_of(limit, report) for report in reports]
    found = next((each for each in told if each is not None and each.measurements), None)
    judged = None if scaling is None or found is None else family_verdict(found, scaling)
    if judged is None and not because:
        because = _no_curve(None if found is None else speaks_for(found), told, reports)
    return OnSize(
        limit=limit,
        verdict=Verdict.UNDETERMINED if judged is None else judged.verdict,
        because=because if judged is None else judged.because,
        headlines=tuple("Not part of its audit." if each is None else each.headline for each in told),
    )


def _no_curve(name: str | None, told: Sequence[LimitReport | None], reports: Sequence[AuditReport]) -> str:
    """Say why there is no curve for a limit although there are sizes enough."""
    if name is None:
        return "Nothing was measured on these models that has a best possible value."
    lacking: dict[str, list[str]] = {"no number": [], "a control failed": []}
    for limit, report in zip(told, reports, strict=True):
        here = None if limit is None else next((each for each in limit.measurements if each.name == name), None)
        if here is None or here.estimate is None:
            lacking["no number"].append(report.model.name)
        elif here.broken:
            lacking["a control failed"].append(report.model.name)
    reasons = "; ".join(f"{why} on {', '.join(models)}" for why, models in lacking.items() if models)
    return f"{name} has fewer than {SIZES_NEEDED} sizes with a result" + (f": {reasons}." if reasons else ".")


def _side_by_side(limit: Limit, reports: Sequence[AuditReport]) -> tuple[Compared, ...]:
    """Every measurement of a limit that has a number on some model, the main one first."""
    measured = [
        {} if (found := _of(limit, report)) is None else {each.name: each for each in found.measurements}
        for report in reports
    ]
    main = next((next(iter(each)) for each in measured if each), None)
    rows = []
    for name in dict.fromkeys(name for each in measured for name in each):
        here = [each.get(name) for each in measured]
        estimates = tuple(None if each is None else each.estimate for each in here)
        if all(estimate is None for estimate in estimates) and name != main:
            continue
        quantity = next(each.quantity for each in here if each is not None)
        broken = tuple(each is not None and each.broken for each in here)
        rows.append(
            Compared(limit=limit, name=name, quantity=quantity, main=name == main, estimates=estimates, broken=broken)
        )
    return tuple(sorted(rows, key=lambda row: not row.main))
