"""Many samples of one answer: the commonest, or the one that a verifier likes best."""

from collections import Counter
from collections.abc import Sequence

from hardlimit.core import Generate, Generated, Message, Score, Scored, Value
from hardlimit.mitigations.asking import check_samples, question_of, said, sampled
from hardlimit.mitigations.policy import Dialogue

JUDGE = (
    "Question: {question}\nProposed answer: {answer}\nIs the proposed answer right? Answer with one word, Yes or No."
)


class Vote(Value, frozen=True):
    """Asks `k` times and gives the answer that comes most often; the earliest where several do.

    It tends to the right answer as k grows if and only if the right answer is the likeliest one (REAS-5).

    Args:
        k: samples, >= 1.
        temperature: of the sampling, > 0.

    Source:
        Wang et al. (2022), Self-consistency.

    >>> from hardlimit.core import Message
    >>> dialogue = Vote(k=3).answer(Generate(messages=(Message(role="user", content="2+2?"),), max_tokens=4))
    >>> [ask.seed for ask in next(dialogue)]
    [0, 1, 2]
    >>> try:
    ...     dialogue.send([Generated(text=text, finish="stop") for text in ("5", "4", "4.")])
    ... except StopIteration as stop:
    ...     stop.value.text
    '4'
    """

    k: int = 5
    temperature: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        check_samples("Vote", self.k, self.temperature)

    def answer(self, request: Generate) -> Dialogue:
        """Ask k times in one round."""
        replies = yield sampled(request, self.k, self.temperature)
        return commonest([reply for reply in replies if isinstance(reply, Generated)])


def commonest(replies: Sequence[Generated]) -> Generated:
    """The first reply with the answer that comes most often; the first one where none answers."""
    answers = [said(reply) for reply in replies]
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        return replies[0]
    most = max(votes.values())
    return next(
        reply for reply, answer in zip(replies, answers, strict=True) if answer is not None and votes[answer] == most
    )


class BestOf(Value, frozen=True):
    """Asks `k` times and gives the answer that the same model, asked to judge, finds likeliest to be right.

    A verifier with true-positive rate τ and false-positive rate φ lifts accuracy p to p·τ / (p·τ + (1 − p)·φ) at most,
    whatever k (REAS-5); a model that judges its own answers has no better τ/φ than it has.

    Args:
        k: samples, >= 1.
        temperature: of the sampling, > 0.

    Source:
        Cobbe et al. (2021), Training verifiers to solve math word problems; Kadavath et al. (2022).
    """

    k: int = 5
    temperature: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        check_samples("BestOf", self.k, self.temperature)

    def answer(self, request: Generate) -> Dialogue:
        """Ask k times in one round, then for a judgement on each distinct answer in another."""
        replies = yield sampled(request, self.k, self.temperature)
        first: dict[str, Generated] = {}
        for reply in replies:
            answer = said(reply)
            if answer is not None and isinstance(reply, Generated):
                first.setdefault(answer, reply)
        if len(first) < 2:
            return next(iter(first.values()), commonest([r for r in replies if isinstance(r, Generated)]))
        scores = yield [ask for answer in first for ask in verdict_requests(question_of(request), answer)]
        belief = [margin(yes, no) for yes, no in zip(scores[::2], scores[1::2], strict=True)]
        return list(first.values())[max(range(len(belief)), key=belief.__getitem__)]


def verdict_requests(question: str, answer: str) -> tuple[Score, Score]:
    """Ask for the log-likelihoods of Yes and No as the verdict on an answer."""
    messages = (Message(role="user", content=JUDGE.format(question=question, answer=answer)),)
    return Score(messages=messages, continuation="Yes"), Score(messages=messages, continuation="No")


def margin(yes: Generated | Scored, no: Generated | Scored) -> float:
    """Log-odds of Yes against No, nats; −∞ where one of them could not be scored.

    >>> margin(Scored(token_logprobs=(-1.0,), greedy=True), Scored(token_logprobs=(-3.0,), greedy=False))
    2.0
    """
    if not (isinstance(yes, Scored) and isinstance(no, Scored)) or yes.error or no.error:
        return float("-inf")
    return yes.log_likelihood - no.log_likelihood
