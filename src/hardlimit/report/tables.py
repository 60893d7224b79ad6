"""The tables of the report: the resource matrix, and the numbers behind each picture."""

from hardlimit.audit import AuditReport, LimitReport, Published
from hardlimit.core import Claim, Limit, Measurement, Point, Resource, ResourceVerdict, Scalar, Value
from hardlimit.report import numbers

ORDER = (
    "family",
    "kind",
    "signal",
    "policy",
    "variant",
    "layer",
    "head",
    "length",
    "depth",
    "decade",
    "popularity",
    "t",
    "coverage",
    "confidence",
)
"""The order of the coordinates in a table; others follow by name."""


class Cell(Value, frozen=True):
    """One cell: its text, and whether it lines up as a number."""

    text: str
    numeric: bool = False


class Table(Value, frozen=True):
    """A table of texts; `columns` has the heads in the same order as every row's cells."""

    columns: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]


def points_table(measurement: Measurement) -> Table | None:
    """Return every point of a measurement, or None where it has none.

    The columns are the points' coordinates, the estimate, its interval, n and artefacts, and the grades where the
    points have tallies.
    """
    points = measurement.points
    if not points:
        return None
    keys = sorted({key for point in points for key in point.at}, key=_place)
    graded = any(point.tally is not None for point in points)
    heads = [*keys, measurement.quantity.name, "interval", "n", "artefacts"]
    if graded:
        heads += ["right", "wrong", "abstained"]
    numeric = [_all_numbers(points, key) for key in keys] + [True, True, True, True] + [True] * 3 * graded
    columns = tuple(Cell(text=head, numeric=right) for head, right in zip(heads, numeric, strict=True))
    rows = tuple(
        tuple(Cell(text=text, numeric=right) for text, right in zip(texts, numeric, strict=True))
        for texts in (_texts(measurement, point, keys, graded=graded) for point in points)
    )
    return Table(columns=columns, rows=rows)


def _place(key: str) -> tuple[int, str]:
    return (ORDER.index(key) if key in ORDER else len(ORDER), key)


def _all_numbers(points: tuple[Point, ...], key: str) -> bool:
    return all(not isinstance(point.at.get(key), str) for point in points)


def _texts(measurement: Measurement, point: Point, keys: list[str], *, graded: bool) -> list[str]:
    estimate, quantity = point.estimate, measurement.quantity
    texts = [numbers.scalar(point.at[key]) if key in point.at else "—" for key in keys]
    texts += [
        numbers.number(estimate.value, quantity),
        numbers.interval_text(estimate.interval, quantity),
        f"{estimate.n:,}",
        f"{estimate.artefacts:,}",
    ]
    if graded:
        tally = point.tally
        texts += ["—"] * 3 if tally is None else [f"{count:,}" for count in (tally.right, tally.wrong, tally.abstained)]
    return texts


def published_table(published: Published) -> Table:
    """Return a table of others: as many decimals in a column as its longest number has, a dash where it has none."""
    columns = list(zip(*published.rows, strict=True)) if published.rows else [() for _ in published.columns]
    numeric = [any(isinstance(value, float) for value in column) for column in columns]
    decimals = [max((_decimals(value) for value in column), default=0) for column in columns]
    return Table(
        columns=tuple(Cell(text=head, numeric=right) for head, right in zip(published.columns, numeric, strict=True)),
        rows=tuple(
            tuple(
                Cell(text=_as_printed(value, places), numeric=right)
                for value, places, right in zip(row, decimals, numeric, strict=True)
            )
            for row in published.rows
        ),
    )


def _decimals(value: str | float | None) -> int:
    return len(f"{value:.10g}".partition(".")[2]) if isinstance(value, float) else 0


def _as_printed(value: str | float | None, places: int) -> str:
    if value is None:
        return "—"
    return f"{value:,.{places}f}".replace("-", numbers.MINUS) if isinstance(value, float) else value


def left_out(report: AuditReport) -> tuple[Limit, ...]:
    """Return those of the five limits that a report does not speak of."""
    told = {each.limit for each in report.limits}
    return tuple(limit for limit in Limit if limit is not Limit.EVALUATION and limit not in told)


class Matrix(Value, frozen=True):
    """The verdict on each resource for each limit that has one.

    Args:
        limits: the columns.
        rows: for each resource, each column's limit with its verdicts (most often one, sometimes none).
    """

    limits: tuple[Limit, ...]
    rows: tuple[tuple[Resource, tuple[tuple[Limit, tuple[ResourceVerdict, ...]], ...]], ...]


def matrix(report: AuditReport) -> Matrix:
    """Collect the verdicts of all limits by resource."""
    judged = [limit for limit in report.limits if limit.verdicts]
    resources = [resource for resource in Resource if any(_about(limit, resource) for limit in judged)]
    return Matrix(
        limits=tuple(limit.limit for limit in judged),
        rows=tuple(
            (resource, tuple((limit.limit, _about(limit, resource)) for limit in judged)) for resource in resources
        ),
    )


def _about(limit: LimitReport, resource: Resource) -> tuple[ResourceVerdict, ...]:
    return tuple(verdict for verdict in limit.verdicts if verdict.resource == resource)


def claims_by_statement(limit: LimitReport) -> tuple[tuple[Claim, ...], ...]:
    """Group a limit's claims, those of its findings first, so that each statement is told once."""
    groups: dict[str, list[Claim]] = {}
    for claim in (*(finding.claim for finding in limit.findings), *limit.claims):
        group = groups.setdefault(claim.statement.id, [])
        if claim not in group:
            group.append(claim)
    return tuple(tuple(group) for group in groups.values())


def listed(parameters: dict[str, Scalar]) -> tuple[tuple[str, str], ...]:
    """Return named numbers as texts, in the order of their names.

    >>> listed({"target": 0.5, "N": 8192})
    (('N', '8,192'), ('target', '0.5'))
    """
    return tuple((name, numbers.scalar(parameters[name])) for name in sorted(parameters))
