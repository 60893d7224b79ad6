"""What helps instead: mitigations measured beside the model alone, and the advice that follows."""

from msgspec import structs

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import LimitReport
from hardlimit.audit.mitigating import context, hallucination, multimodal, reasoning, retrieval
from hardlimit.audit.mitigating.advice import advice, family_verdict, speaks_for, with_best
from hardlimit.core import Limit


def mitigated(desk: Desk, seed: int, report: LimitReport) -> LimitReport:
    """Try what there is against a limit, and add it to the report of its study; what surely helps leads its advice.

    Args:
        desk: asks the model alone, within the mitigations' part of the budget.
        seed: of the cases.
        report: what the study found.
    """
    match report.limit:
        case Limit.HALLUCINATION:
            found = hallucination.mitigations(desk, seed)
        case Limit.CONTEXT:
            found = context.mitigations(desk, seed, report)
        case Limit.REASONING:
            found = reasoning.mitigations(desk, seed)
        case Limit.RETRIEVAL:
            return with_best(retrieval.mitigated(desk, seed, report))
        case Limit.MULTIMODAL:
            return with_best(multimodal.mitigated(desk, seed, report))
    return with_best(structs.replace(report, mitigations=found))


__all__ = ["advice", "family_verdict", "mitigated", "speaks_for"]
