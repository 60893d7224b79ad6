"""Program-aided reasoning: the model writes a short program, and a sandbox runs it."""

import re
from typing import Literal

from hardlimit.core import Generate, Generated, InvalidValueError, Message, Value
from hardlimit.mitigations.asking import abstention, question_of
from hardlimit.mitigations.policy import Dialogue
from hardlimit.mitigations.sandbox import Limits, Outcome, run

EXAMPLES = (
    ("Question: A box holds 12 pens. How many pens do 7 boxes hold?", "12 * 7"),
    ("Question: What is 4815 + 2377? Reply at once with 'Answer:' and the number.", "4815 + 2377"),
    ("Question: Compute 96 - 31 and add 5.", "96 - 31 + 5"),
)
ASK = "Write one Python expression that computes the answer. Write only the expression.\n\n{question}"
_FENCE = re.compile(r"```(?:python|py)?\s*\n(.*?)(?:```|\Z)", re.DOTALL)
_QUESTION = "Question: "


class Programs(Value, frozen=True):
    """Asks for a program instead of an answer, runs it, and answers with its result.

    It helps where the model can write the problem down but not work it out; where it writes the wrong program it is
    wrong with confidence. A program that fails gives no answer: the model then answers by itself, or abstains.

    Args:
        otherwise: what happens where the program does not run.
        max_tokens: of the program, >= 1.
        seconds: that the program may run, > 0.
        examples: worked examples before the question, in [0, 3].

    Source:
        Gao et al. (2022), PAL: Program-aided language models; Chen et al. (2022), Program of thoughts.

    >>> request = Generate(messages=(Message(role="user", content="What is 48 + 94?"),), max_tokens=8)
    >>> dialogue = Programs().answer(request)
    >>> asked = next(dialogue)
    >>> try:
    ...     dialogue.send([Generated(text="48 + 94", finish="stop")])
    ... except StopIteration as stop:
    ...     stop.value.text
    'Answer: 142'
    """

    otherwise: Literal["own answer", "abstain"] = "own answer"
    max_tokens: int = 64
    seconds: float = 2.0
    examples: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_tokens < 1 or self.seconds <= 0 or not 0 <= self.examples <= len(EXAMPLES):
            raise InvalidValueError(
                f"Programs needs max_tokens >= 1, seconds > 0 and examples in [0, {len(EXAMPLES)}], got "
                f"max_tokens={self.max_tokens}, seconds={self.seconds:g}, examples={self.examples}."
            )

    def answer(self, request: Generate) -> Dialogue:
        """Ask for a program, run it, answer with its result."""
        (written,) = yield [self.program_request(request)]
        assert isinstance(written, Generated)
        if written.finish in ("error", "refused"):
            return written
        result = self.outcome(written.text).answer
        if result is not None:
            return Generated(text=f"Answer: {result}", finish="stop")
        if self.otherwise == "abstain":
            return abstention()
        (own,) = yield [request]
        assert isinstance(own, Generated)
        return own

    def program_request(self, request: Generate) -> Generate:
        """The request for a program: worked examples, then the problem without its own examples and instructions."""
        turns = []
        for question, program in EXAMPLES[: self.examples]:
            turns += [Message(role="user", content=ASK.format(question=question))]
            turns += [Message(role="assistant", content=program)]
        problem = question_of(request)
        # A prompt that holds worked examples of its own asks its question last.
        problem = _QUESTION + problem.rpartition(_QUESTION)[2]
        turns.append(Message(role="user", content=ASK.format(question=problem)))
        return Generate(messages=tuple(turns), max_tokens=self.max_tokens, stop=("\n\n",))

    def outcome(self, text: str) -> Outcome:
        """Run what a reply holds: the fenced block, or the whole of it, at most as far as it is a program."""
        return run(program_in(text), Limits(seconds=self.seconds, megabytes=256))


def program_in(text: str) -> str:
    r"""The program of a reply: what stands in its first fence, else all of it without prose marks.

    >>> program_in("Sure:\n```python\n1 + 1\n```\nDone."), program_in("`3 * 4`")
    ('1 + 1', '3 * 4')
    >>> program_in("Answer: 12 + 5 =")
    '12 + 5'
    """
    fenced = _FENCE.search(text)
    if fenced:
        return fenced.group(1).strip()
    lines = [line.strip("`").rstrip() for line in text.strip().splitlines()]
    program = "\n".join(lines)
    if len(lines) == 1:
        program = re.sub(r"^(?:Answer|Expression|Python)\s*:\s*", "", program, flags=re.IGNORECASE).strip("`")
        program = re.sub(r"\s*=\s*\S*$", "", program) if re.fullmatch(r"[\d\s+\-*/().,]+=\s*\S*", program) else program
    return program
