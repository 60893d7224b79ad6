"""What helps instead: mitigations measured beside the model alone, and the advice that follows."""

from collections.abc import Callable
from typing import Final

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import Mitigation
from hardlimit.audit.mitigating import context, hallucination, reasoning, retrieval
from hardlimit.audit.mitigating.advice import advice
from hardlimit.core import Limit

MITIGATIONS: Final[dict[str, Callable[[Desk, int], tuple[Mitigation, ...]]]] = {
    Limit.HALLUCINATION.value: hallucination.mitigations,
    Limit.RETRIEVAL.value: retrieval.mitigations,
    Limit.REASONING.value: reasoning.mitigations,
    Limit.CONTEXT.value: context.mitigations,
}
"""What is tried for each limit; each is called with a desk of the model alone and a seed."""

__all__ = ["MITIGATIONS", "advice"]
