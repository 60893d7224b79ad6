"""Thinking before answering."""

from hardlimit.core import Generate, Generated, InvalidValueError, Value
from hardlimit.mitigations.asking import question_of, reworded
from hardlimit.mitigations.policy import Dialogue

THINK = "\n\nThink step by step, one short step a line. Then end with a line of 'Answer:' and the answer."


class Scratchpad(Value, frozen=True):
    """Tells the model to think step by step before it answers, and gives it the room.

    Args:
        max_tokens: of thinking and answer together, >= 1.

    Source:
        Wei et al. (2022), Chain-of-thought prompting; Nye et al. (2021), Show your work.

    >>> from hardlimit.core import Message
    >>> dialogue = Scratchpad().answer(Generate(messages=(Message(role="user", content="2+2?"),), max_tokens=4))
    >>> print(next(dialogue)[0].messages[0].content)
    2+2?
    <BLANKLINE>
    Think step by step, one short step a line. Then end with a line of 'Answer:' and the answer.
    """

    max_tokens: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_tokens < 1:
            raise InvalidValueError(f"Scratchpad.max_tokens must be >= 1, got {self.max_tokens}.")

    def answer(self, request: Generate) -> Dialogue:
        """Ask once, with room to think."""
        (reply,) = yield [reworded(request, question_of(request) + THINK, max_tokens=self.max_tokens)]
        assert isinstance(reply, Generated)
        return reply
