"""What every mitigation must keep: the answers of one question depend on that question, and everything is counted."""

from collections.abc import Iterator, Sequence

from hardlimit.core import Generate, Generated, Message, Score, Scored, Usage
from hardlimit.mitigations.policy import Mitigated, Policy
from hardlimit.models import ModelCard
from hardlimit.testing.contract import expect

_QUESTIONS = ("What is 2 + 2?", "What is the capital of Kenya?", "{not} a `template` %s \\ \u202e", "broken", "")


class _Echo:
    """Answers with a number that depends on the request alone; fails on one question; counts what it is asked."""

    def __init__(self) -> None:
        self.spent = Usage(calls=0)

    @property
    def card(self) -> ModelCard:
        return ModelCard(name="toy:echo", adapter="toy", revision="1")

    def count_tokens(self, text: str) -> int:
        return len(text)

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Generated]]:
        for index in reversed(range(len(requests))):
            request = requests[index]
            said = request.messages[-1].content
            usage = Usage(prompt_tokens=len(said), completion_tokens=1)
            self._count(usage)
            if "broken" in said:
                yield index, Generated(text="", finish="error", error="down", usage=usage)
                continue
            number = sum(map(ord, said)) % 7 + (request.seed % 2 if request.temperature else 0)
            yield index, Generated(text=str(number), finish="stop", token_logprobs=(-0.5,), usage=usage)

    def score(self, requests: Sequence[Score]) -> Iterator[tuple[int, Scored]]:
        for index, request in enumerate(requests):
            usage = Usage(prompt_tokens=len(request.messages[-1].content))
            self._count(usage)
            logprob = -1.0 - sum(map(ord, request.continuation)) % 3
            yield index, Scored(token_logprobs=(logprob,), greedy=False, usage=usage)

    def _count(self, usage: Usage) -> None:
        self.spent = Usage(
            prompt_tokens=self.spent.prompt_tokens + usage.prompt_tokens,
            completion_tokens=self.spent.completion_tokens + usage.completion_tokens,
            calls=self.spent.calls + usage.calls,
        )


def check_mitigation(policy: Policy) -> None:
    """Check that a policy keeps the contract of a mitigation.

    It answers five questions, one of which the model fails on and one of which is empty, together and alone.

    Args:
        policy: any policy.

    Raises:
        ContractError: what is broken, and what was seen.

    >>> from hardlimit.mitigations import Vote
    >>> check_mitigation(Vote(k=3))
    """
    who = repr(policy)
    expect(" object at 0x" not in who, f"{who}: the repr must name its parameters, since answers are kept under it.")
    asks = [Generate(messages=(Message(role="user", content=text),), max_tokens=8) for text in _QUESTIONS]
    model = _Echo()
    wrapped = Mitigated(model, policy)
    together = dict(wrapped.generate(asks))
    expect(
        sorted(together) == list(range(len(asks))), f"{who}: every question needs one answer, got {sorted(together)}."
    )
    usages = [reply.usage for reply in together.values()]
    for name in ("prompt_tokens", "completion_tokens", "calls"):
        counted, spent = sum(getattr(usage, name) for usage in usages), getattr(model.spent, name)
        expect(counted == spent, f"{who}: the model spent {spent} {name}, but {counted} are counted.")
    alone = {index: reply for index, ask in enumerate(asks) for _, reply in Mitigated(_Echo(), policy).generate([ask])}
    for index, reply in together.items():
        expect(alone[index].text == reply.text, f"{who}: {_QUESTIONS[index]!r} is answered otherwise beside others.")
    broken = together[_QUESTIONS.index("broken")]
    expect(
        broken.finish == "error" or broken.usage.calls == 0 or "broken" not in broken.text,
        f"{who}: a failure of the model must stay one or become an abstention, got {broken.text!r}.",
    )
    expect(not list(wrapped.generate([])), f"{who}: no question needs no answer.")
    expect(wrapped.card.fingerprint != model.card.fingerprint, f"{who}: its answers must not pass for the model's.")
