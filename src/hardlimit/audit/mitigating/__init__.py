"""What helps instead: mitigations measured beside the model alone, and the advice that follows."""

from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec import structs

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import LimitReport, Mitigation
from hardlimit.audit.mitigating import context, hallucination, multimodal, reasoning, retrieval
from hardlimit.audit.mitigating.advice import advice, family_verdict, speaks_for
from hardlimit.core import Limit

Tried: TypeAlias = Callable[[Desk, int, LimitReport], tuple[Mitigation, ...]]


def _whatever_was_found(tried: Callable[[Desk, int], tuple[Mitigation, ...]]) -> Tried:
    return lambda desk, seed, _: tried(desk, seed)


MITIGATIONS: Final[dict[str, Tried]] = {
    Limit.HALLUCINATION.value: _whatever_was_found(hallucination.mitigations),
    Limit.RETRIEVAL.value: _whatever_was_found(retrieval.mitigations),
    Limit.REASONING.value: _whatever_was_found(reasoning.mitigations),
    Limit.CONTEXT.value: context.mitigations,
}
"""What is tried for each limit; each is called with a desk of the model alone, a seed, and what the study found."""


def mitigated(desk: Desk, seed: int, report: LimitReport) -> LimitReport:
    """Try what there is against a limit, and add it to the report of its study."""
    if report.limit is Limit.MULTIMODAL:
        return multimodal.mitigated(desk, seed, report)
    if report.limit is Limit.RETRIEVAL:
        return retrieval.mitigated(desk, seed, report)
    return structs.replace(report, mitigations=MITIGATIONS[report.limit.value](desk, seed, report))


__all__ = ["MITIGATIONS", "advice", "family_verdict", "mitigated", "speaks_for"]
