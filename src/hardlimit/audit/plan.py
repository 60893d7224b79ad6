"""The plan of an audit: which limits, in which order, within which budget, from which seed."""

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

from hardlimit import __version__
from hardlimit.audit import context, hallucination, multimodal, reasoning, retrieval
from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.audit.document import AuditReport, LimitReport
from hardlimit.audit.mitigating import advice, mitigated
from hardlimit.core import Catalog, InvalidValueError, Limit, Progress, Value
from hardlimit.models import Model, ModelCard, Sees
from hardlimit.probes.retrieval import Collection
from hardlimit.scaling import ScalingReport
from hardlimit.store import Store
from hardlimit.theory.architecture import Architecture
from hardlimit.theory.bounds import BoundRow, architecture_bounds

Study = Callable[..., LimitReport]
"""Called with a desk and a seed; that of retrieval also with `collection`, where the plan has one, and that of
multimodal with `instead_of`, where the desk asks a model with eyes in place of the audited one."""

STUDIES: Catalog[Study] = Catalog(
    "limit",
    {
        Limit.HALLUCINATION.value: hallucination.study,
        Limit.CONTEXT.value: context.study,
        Limit.REASONING.value: reasoning.study,
        Limit.RETRIEVAL.value: retrieval.study,
        Limit.MULTIMODAL.value: multimodal.study,
    },
)
"""What is done about each limit, in the order of the paper."""

SPANS = {
    Limit.HALLUCINATION.value: 0.45,
    Limit.CONTEXT.value: 0.55,
    Limit.REASONING.value: 0.6,
    Limit.RETRIEVAL.value: 0.45,
    Limit.MULTIMODAL.value: 0.25,
}
"""Part of the budget that each limit gets; long prompts cost more than short questions."""

MITIGATED = 0.25
"""Part of a limit's budget that is kept for what helps instead; what its study leaves over is added."""

METHOD = (
    "Every question is generated from the seed and graded by a program; no other model judges. Malformed, truncated, "
    "refused and failed answers are counted apart and stay in the denominator.",
    "Intervals have 95 % coverage unless they say otherwise: Clopper–Pearson where cases are independent, cluster "
    "methods where they share a haystack or a subject.",
    "A verdict is about the next factor of ten of one resource (the next doubling of the context), not about infinity. "
    "No measurement can exclude that a curve changes just beyond the largest size measured.",
)


class Plan(Value, frozen=True):
    """What an audit shall do.

    Args:
        limits: which limits, in any order; each once.
        budget: what may be spent on all of them together.
        seed: every case follows from it, >= 0.
        family: what results over the model's family say, judged; it goes into the report, and its verdicts on
            parameters into the advice.
        mitigate: whether what helps instead is measured too, with a quarter of each limit's budget.
        collection: the user's own documents and questions, which the study of retrieval then takes beside its own.

    >>> Plan(limits=("context",)).limits
    ('context',)
    >>> Plan(limits=("contxt",))
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.UnknownNameError: No limit is named 'contxt'. Did you mean 'context'? Known: context, ...
    """

    limits: tuple[str, ...] = tuple(STUDIES)
    budget: Budget = Budget(seconds=1200.0)
    seed: int = 0
    collection: Collection | None = None
    family: ScalingReport | None = None
    mitigate: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.limits:
            STUDIES[name]
        if not self.limits or len(set(self.limits)) != len(self.limits):
            raise InvalidValueError(f"Plan.limits must name one or more limits once each, got {self.limits}.")
        if self.seed < 0:
            raise InvalidValueError(f"Plan.seed must be >= 0, got {self.seed}.")
        if self.collection is not None and Limit.RETRIEVAL.value not in self.limits:
            raise InvalidValueError(
                "A corpus of one's own is read by the study of retrieval alone, but the limits are "
                f"{', '.join(self.limits)}. Add retrieval, or leave the corpus out."
            )


def audit(model: Model, plan: Plan, store: Store, progress: Progress, *, eyes: Model | None = None) -> AuditReport:
    """Audit a model: each limit in turn, in the order of the paper, each within its part of the budget.

    Args:
        model: who is audited.
        plan: what is asked for.
        store: where every answer is durable before it counts; with the answers of an interrupted run in it, the audit
            goes on where that run stopped, and the report is the same.
        progress: who is told.
        eyes: a model with eyes that is asked about pictures where the audited one takes text alone; the report says so.

    Returns:
        The report. It depends on the answers, the plan and the versions alone.
    """
    meter = Meter(plan.budget)
    desk = Desk(model, store, meter, progress)
    chosen = [name for name in STUDIES if name in plan.limits]
    limits = []
    for place, name in enumerate(chosen):
        left = sum(SPANS.get(other, 1.0) for other in chosen[place:])
        own: dict[str, object] = {}
        if name == Limit.RETRIEVAL.value and plan.collection is not None:
            own["collection"] = plan.collection
        share = desk.share(SPANS.get(name, 1.0) / left)
        if name == Limit.MULTIMODAL.value and eyes is not None and not isinstance(model, Sees):
            share, own["instead_of"] = Desk(eyes, store, share.meter, progress), model
        report = STUDIES[name](share.share(1 - MITIGATED) if plan.mitigate else share, plan.seed, **own)
        if plan.mitigate and report.applies:
            report = mitigated(share, plan.seed, report)
        progress.settled(name, report.headline)
        limits.append(report)
    return AuditReport(
        model=model.card,
        limits=tuple(limits),
        seed=plan.seed,
        budget=str(plan.budget),
        spent=meter.spent,
        version=__version__,
        method=METHOD,
        bounds=_bounds(model.card),
        advice=advice(limits, plan.family),
        scaling=plan.family,
        packages=_versions(("numpy", "scipy", "wordfreq", "torch", "transformers")),
    )


def _bounds(card: ModelCard) -> tuple[BoundRow, ...]:
    """Compute what an architecture cannot do, where the card tells all its sizes."""
    sizes = {
        name: getattr(card, name)
        for name in ("parameters", "layers", "heads", "kv_heads", "head_width", "width", "vocabulary", "window")
    }
    if None in sizes.values():
        return ()
    position = card.position or "none"
    return architecture_bounds(Architecture(name=card.name, **sizes, position=position, rope_base=card.rope_base))


def _versions(names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
