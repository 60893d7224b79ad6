"""What an audit leaves: one value from which every report is drawn."""

from typing import Literal

from hardlimit.core import (
    Answered,
    Claim,
    Estimate,
    Finding,
    Limit,
    Measurement,
    Quantity,
    Resource,
    ResourceVerdict,
    Source,
    Usage,
    Value,
    Verdict,
)
from hardlimit.lab.experiment import LabReport
from hardlimit.models import ModelCard
from hardlimit.scaling import ScalingReport
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


class Mitigation(Value, frozen=True):
    """One mitigation, measured on the same cases as the model without it.

    Args:
        name: what it is, in words, such as `bounded-oracle retrieval, at most 1 text`.
        policy: what was put around the model, so that it can be made again.
        outcome: what is counted, such as `right answers`.
        better: whether more or fewer of it are wanted.
        before: share of the cases without it.
        after: share with it.
        difference: after − before, paired, with its interval.
        p_value: two-sided, adjusted over the mitigations of this limit (Holm).
        verdict: HELPS, HURTS, CANNOT_PROGRESS where the change is surely small, else UNDETERMINED.
        tokens: computed per question, before and after.
        calls: per question, before and after.
        says: one sentence for a reader, with the reason where it does not help.
    """

    name: str
    policy: str
    outcome: str
    better: Literal["higher", "lower"]
    before: Estimate
    after: Estimate
    difference: Estimate
    p_value: float
    verdict: Verdict
    tokens: tuple[float, float]
    calls: tuple[float, float]
    says: str


class Advice(Value, frozen=True):
    """What to do about one limit with one resource: a row of the table that an audit ends with.

    Args:
        limit: which one.
        resource: what there would be more of.
        verdict: what more of it does.
        evidence: what that rests on: `theory`, `measured`, `both` or `none`.
        mitigation: the best measured mitigation of this limit with its gain and cost, or why there is none.
        says: one sentence of advice.
    """

    limit: Limit
    resource: Resource
    verdict: Verdict
    evidence: Literal["theory", "measured", "both", "none"]
    mitigation: str
    says: str


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
        mitigations: what was put around the model, measured on the same cases with and without it.
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
    mitigations: tuple[Mitigation, ...] = ()


class LabSection(Value, frozen=True):
    """An experiment of the lab beside the limit whose mechanism it confronts.

    Args:
        limit: of the first claim that the experiment names.
        report: what came out, of small models trained here, not of the audited one.
    """

    limit: Limit
    report: LabReport


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
        advice: one row per limit and resource: what more of it does, on what evidence, and what to do instead.
        scaling: what results over a family of models say about more of its resource, where such were given.
        lab: experiments on small models trained here, where they were asked for, in the order of the limits.
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
    advice: tuple[Advice, ...] = ()
    scaling: ScalingReport | None = None
    lab: tuple[LabSection, ...] = ()


class Member(Value, frozen=True):
    """One of the models.

    Args:
        card: its card.
        folder: where its own report is, seen from the family's.
        size: number of parameters: as was said, else as the card or else the name tells; None where nobody does.
        spent: totals over its answers.
    """

    card: ModelCard
    folder: str
    size: float | None
    spent: Usage


class Compared(Value, frozen=True):
    """One measurement of one limit on every model.

    Args:
        limit: which one.
        name: of the measurement.
        quantity: what is measured.
        main: whether it is the limit's main number.
        estimates: one per model, in their order; None where a model has no such number.
        broken: whether a control failed, per model: then the number is not a result.
    """

    limit: Limit
    name: str
    quantity: Quantity
    main: bool
    estimates: tuple[Estimate | None, ...]
    broken: tuple[bool, ...]


class OnSize(Value, frozen=True):
    """What more parameters do to one limit, as the sizes of these models show it.

    Args:
        limit: which one.
        verdict: the measured verdict; UNDETERMINED where there is no curve.
        because: the curves behind it, or why there is none.
        headlines: where each model is, in their order.
    """

    limit: Limit
    verdict: Verdict
    because: str
    headlines: tuple[str, ...]


class FamilyReport(Value, frozen=True):
    """Several models of one family, audited on the same cases.

    Args:
        members: the models, the smallest first; those of unknown size last.
        limits: the verdict on parameters for each limit.
        compared: the models' numbers, measurement by measurement.
        scaling: the curves over the sizes, judged; None where there are too few sizes.
        notes: what a reader must know: sizes that are not known, names that differ by more than their size.
        seed: every case follows from it.
        budget: of each model.
        version: hardlimit's version.
    """

    members: tuple[Member, ...]
    limits: tuple[OnSize, ...]
    compared: tuple[Compared, ...]
    scaling: ScalingReport | None
    notes: tuple[str, ...]
    seed: int
    budget: str
    version: str
