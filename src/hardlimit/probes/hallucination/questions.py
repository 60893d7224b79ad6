"""Questions: the wordings in which facts are asked, and the instruction that offers to abstain."""

from collections.abc import Sequence

from hardlimit.core import Case, Generate, Message, Scalar, Value

INSTRUCTION = (
    "Answer in a few words. If you do not know the answer, or if the thing asked about does not exist, "
    "say: I don't know."
)
MAX_TOKENS = 20

WORDINGS: dict[str, tuple[str, ...]] = {
    "capital": (
        "What is the capital of {x}?",
        "Which city is the capital of {x}?",
        "Name the capital city of {x}.",
    ),
    "city": (
        "In which country is the city of {x}?",
        "Which country is the city of {x} in?",
        "Name the country where the city of {x} is.",
    ),
    "symbol": (
        "What is the chemical symbol of {x}?",
        "What is the symbol of the chemical element {x}?",
        "Give the chemical symbol for {x}.",
    ),
    "element": (
        "Which chemical element has the symbol {x}?",
        "Name the chemical element with the symbol {x}.",
        "Which chemical element has the atomic number {number}?",
    ),
    "past": (
        "What is the past tense of the verb '{x}'?",
        "Give the simple past of the verb '{x}'.",
        "Put the verb '{x}' into the past tense.",
    ),
    "person": (
        "In which country was {x} born?",
        "What is the country of birth of {x}?",
        "Name the country where {x} was born.",
    ),
    "book": (
        'Who wrote the book "{x}"?',
        'Who is the author of "{x}"?',
        'Name the author of the book "{x}".',
    ),
    "company": (
        "In which country was the company {x} founded?",
        "Which country does the company {x} come from?",
        "Name the home country of the company {x}.",
    ),
    "medicine": (
        "What is the medicine {x} used to treat?",
        "Which illness or symptom does the medicine {x} treat?",
        "What is {x} prescribed for?",
    ),
    "animal": (
        "What kind of animal is the {x}?",
        "Which class of animals does the {x} belong to?",
        "The {x} belongs to which group of animals?",
    ),
}
"""Wordings by what is asked; `{x}` is the subject, `{number}` its atomic number."""

ANSWERS = {
    "capital": "capital",
    "city": "country",
    "symbol": "symbol",
    "element": "element",
    "past": "open",
    "person": "country",
    "book": "open",
    "company": "country",
    "medicine": "open",
    "animal": "animal",
}
"""Which vocabulary holds the answers to a question of each sort; that of past tenses is left open, since everyday words
prove nothing."""


class Question(Value, frozen=True):
    """One question before it becomes a case.

    Args:
        text: what is asked, with whatever is told before it.
        gold: accepted answers.
        lures: a few wrong ones, for models that guess.
    """

    text: str
    gold: tuple[str, ...]
    lures: tuple[str, ...] = ()

    def case(self, *, id: str, cluster: str, factors: dict[str, Scalar]) -> Case:
        """Make the case; every case of these probes begins with the same instruction, which a cache can share."""
        messages = (Message(role="system", content=INSTRUCTION), Message(role="user", content=self.text))
        ask = Generate(messages=messages, max_tokens=MAX_TOKENS, logprobs=True)
        return Case(id=id, ask=ask, gold=self.gold, lures=self.lures, factors=factors, cluster=cluster)


def word(sort: str, template: int, subject: str, number: int | None = None) -> str:
    """Word a question.

    >>> word("capital", 2, "Kenya")
    'Name the capital city of Kenya.'
    """
    return WORDINGS[sort][template].format(x=subject, number=number)


def asked_text(case: Case) -> str:
    """The question of a case: its last message."""
    messages: Sequence[Message] = case.ask.messages
    return messages[-1].content
