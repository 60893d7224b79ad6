"""Small steps that policies share: rewording the last turn, and what a reply says."""

import msgspec

from hardlimit.core import Generate, Generated, InvalidValueError, Scored
from hardlimit.probes.grading import fold
from hardlimit.probes.reasoning.answering import final

UNKNOWN = "I don't know."
"""How a policy abstains, in words that every grader reads."""


def question_of(request: Generate) -> str:
    """The text of the last turn.

    >>> from hardlimit.core import Message
    >>> question_of(Generate(messages=(Message(role="user", content="2+2?"),), max_tokens=4))
    '2+2?'
    """
    return request.messages[-1].content


def reworded(request: Generate, text: str, *, max_tokens: int | None = None) -> Generate:
    """The same request with another last turn."""
    turns = (*request.messages[:-1], msgspec.structs.replace(request.messages[-1], content=text))
    return msgspec.structs.replace(request, messages=turns, max_tokens=max_tokens or request.max_tokens)


def sampled(request: Generate, k: int, temperature: float) -> list[Generate]:
    """The same request `k` times at a temperature, with seeds that follow its own."""
    return [msgspec.structs.replace(request, temperature=temperature, seed=request.seed + index) for index in range(k)]


def check_samples(policy: str, k: int, temperature: float) -> None:
    """Refuse numbers of samples and temperatures that mean nothing."""
    if k < 1 or temperature <= 0:
        raise InvalidValueError(f"{policy} needs k >= 1 and temperature > 0, got k={k}, temperature={temperature:g}.")


def said(reply: Generated | Scored) -> str | None:
    r"""What a reply answers, folded so that spellings of one answer are equal; None where it answers nothing.

    >>> said(Generated(text="So it is her.\nAnswer: Anna.", finish="stop"))
    'anna'
    """
    if not isinstance(reply, Generated) or reply.finish in ("error", "refused"):
        return None
    part = final(reply.text, finish=reply.finish, thinks=False)
    return fold(part.text.splitlines()[0].rstrip(" .!")) or None if part.text.strip() else None


def abstention() -> Generated:
    """The reply of a policy that abstains."""
    return Generated(text=UNKNOWN, finish="stop")
