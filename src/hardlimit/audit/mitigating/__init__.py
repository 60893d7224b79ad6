"""What helps instead: mitigations measured beside the model alone, and the advice that follows."""

from collections.abc import Callable
from typing import Final, TypeAlias

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import LimitReport, Mitigation
from hardlimit.audit.mitigating import context, hallucination, reasoning, retrieval
from hardlimit.audit.mitigating.advice import advice
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

__all__ = ["MITIGATIONS", "advice"]
