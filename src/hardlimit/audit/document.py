"""What an audit leaves: one value from which every report is drawn."""

from hardlimit.core import Answered, Claim, Finding, Limit, Measurement, ResourceVerdict, Source, Usage, Value
from hardlimit.models import ModelCard
from hardlimit.theory.bounds import BoundRow


class Exhibit(Value, frozen=True):
    """A worked item: one question with the model's own words, for a reader to look at."""

    title: str
    answered: Answered
    comment: str = ""


class Published(Value, frozen=True):
    """A table of others, to set this model's result beside it.

    Args:
        title: what the table measures.
        source: where it was read, to the table number.
        columns: heads of the columns; the first is the model's name.
        rows: one row per model; None where the table has no number.
        caution: what keeps the two from being the same measurement.
    """

    title: str
    source: Source
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]
    caution: str


class LimitReport(Value, frozen=True):
    """One limit of one model.

    Args:
        limit: which one.
        applies: whether it was measured; where not, `headline` says why.
        headline: where this model is, one sentence with the main number, its interval and n.
        ceiling: what bounds it, one sentence naming a claim.
        sureness: how sure this is, a few words (`sure`, `likely`, `not decided`) with the reason.
        advice: what to do, one or two sentences.
        verdicts: one per resource.
        findings: claims beside measurements.
        measurements: everything measured, the main one first.
        claims: further claims shown without a measurement.
        exhibits: a worked item or two.
        published: tables of others to compare with.
        undecided: what the budget did not allow to decide.
    """

    limit: Limit
    applies: bool
    headline: str
    ceiling: str = ""
    sureness: str = ""
    advice: str = ""
    verdicts: tuple[ResourceVerdict, ...] = ()
    findings: tuple[Finding, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    claims: tuple[Claim, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()
    published: tuple[Published, ...] = ()
    undecided: tuple[str, ...] = ()


class AuditReport(Value, frozen=True):
    """A whole audit.

    Args:
        model: the audited model's card.
        limits: one report per limit, in the paper's order.
        seed: every case follows from it.
        budget: as asked for, such as `10m`.
        spent: totals over every answer that counts.
        version: hardlimit's version.
        method: notes on how it was measured, one paragraph each.
        bounds: what the architecture cannot do, before anything is run; empty where its sizes are not known.
        packages: versions of the packages that the numbers depend on.
    """

    model: ModelCard
    limits: tuple[LimitReport, ...]
    seed: int
    budget: str
    spent: Usage
    version: str
    method: tuple[str, ...]
    packages: dict[str, str]
    bounds: tuple[BoundRow, ...] = ()
