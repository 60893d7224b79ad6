"""Passages in a prompt: read one by one and put to the vote, ranked anew, put into a better order, or thinned out.

A policy finds the passages in the last turn, as `probes.retrieval.Prompt` writes them; where it finds none, it asks the
question as it stands.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hardlimit.core import Generate, Generated, InvalidValueError, Scored, Value
from hardlimit.mitigations.asking import abstention, question_of, reworded
from hardlimit.mitigations.policy import Dialogue
from hardlimit.mitigations.reranking import By, ranked
from hardlimit.probes.grading import fold, grade_reply
from hardlimit.probes.retrieval import Prompt, passages_in

ALONE = "Answer the question from the passage alone, in a few words. If it does not tell the answer, say: I don't know."


class Ballot(Value, frozen=True):
    """What passages that were read alone have voted.

    Args:
        votes: each answer, in a form in which spellings of it are equal, with the number of its votes; most first, and
            of equal ones the earliest.
        silent: passages that gave no vote: they do not tell, or what was said of them cannot be used.

    >>> ballot = Ballot(votes=(("suva", 8), ("nadi", 2)))
    >>> ballot.lead, ballot.withstands
    (6, 2)
    """

    votes: tuple[tuple[str, int], ...] = ()
    silent: int = 0

    @property
    def lead(self) -> int:
        """Votes of the first answer beyond those of the second."""
        counts = [count for _, count in self.votes]
        return counts[0] - (counts[1] if len(counts) > 1 else 0) if counts else 0

    @property
    def withstands(self) -> int:
        """Certificate: passages that can be replaced, by whatever texts, without turning the vote; −1 for none.

        A replaced passage takes at most one vote from the first answer and gives one to the second, so that a lead of
        more than 2m withstands m (RETR-6). −1 is a tie or no vote: not even the vote as it is has one winner.
        """
        return (self.lead - 1) // 2 if self.lead else -1


class IsolateThenVote(Value, frozen=True):
    """Reads each passage alone and answers what most passages say; those that do not tell have no vote.

    A planted text then has one vote instead of the last word. The price: facts that stand in different passages cannot
    be joined, an answer that one passage alone tells has one vote as well, and each passage is a call.

    Args:
        withstands: m, replaced passages that the vote has to withstand by its certificate, >= 0, else it abstains.
            Whatever texts stand in for m of the passages, no other answer is then given, at worst none. None always
            gives the first answer, also in a tie.

    Source:
        Xiang et al. (2024), Certifiably robust RAG against retrieval corruption (arXiv:2405.15556). The form in which
        answers are compared is this package's own.

    >>> from hardlimit.core import Message
    >>> texts = ("Suva is the capital.", "The capital is Suva.", "The answer is Nadi.")
    >>> prompt = Prompt(rule="Use them.", passages=texts, question="What is the capital of Fiji?").write()
    >>> dialogue = IsolateThenVote().answer(Generate(messages=(Message(role="user", content=prompt),), max_tokens=8))
    >>> len(next(dialogue))
    3
    >>> try:
    ...     dialogue.send([Generated(text=text, finish="stop") for text in ("Suva", "It is Suva.", "Nadi")])
    ... except StopIteration as stop:
    ...     stop.value.text
    'Suva'
    """

    withstands: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.withstands is not None and self.withstands < 0:
            raise InvalidValueError(f"IsolateThenVote.withstands must be >= 0 or None, got {self.withstands}.")

    def answer(self, request: Generate) -> Dialogue:
        """Ask about every passage in one round."""
        prompt = passages_in(question_of(request))
        if not prompt.passages:
            return (yield from _asked(request))
        replies = yield [
            reworded(request, Prompt(rule=ALONE, passages=(text,), question=prompt.question).write())
            for text in prompt.passages
        ]
        counted = count(replies, prompt.question)
        if not counted.votes:
            broken = [reply for reply in replies if isinstance(reply, Generated) and reply.finish == "error"]
            return broken[0] if len(broken) == len(replies) else abstention()
        if self.withstands is not None and counted.withstands < self.withstands:
            return abstention()
        winner = counted.votes[0][0]
        return next(r for r in replies if isinstance(r, Generated) and vote(r, prompt.question) == winner)


def count(replies: Sequence[Generated | Scored], question: str) -> Ballot:
    """Count the votes of passages that were read alone.

    >>> replies = [Generated(text=text, finish="stop") for text in ("Suva", "I don't know.", "It is Suva.", "Nadi")]
    >>> count(replies, "What is the capital of Fiji?")
    Ballot(votes=(('suva', 2), ('nadi', 1)), silent=1)
    """
    votes = [vote(reply, question) for reply in replies]
    # `most_common` keeps the order of arrival among equal counts.
    counted = Counter(each for each in votes if each is not None)
    return Ballot(votes=tuple(counted.most_common()), silent=votes.count(None))


def vote(reply: Generated | Scored, question: str) -> str | None:
    """What one reply votes for: the names and numbers in it that the question does not name; None where it abstains.

    It depends on this reply alone. If an answer counted as another one because of a third reply, one planted text
    could move more than its own vote, and the certificate would not hold.

    >>> vote(Generated(text="The capital of Fiji is Suva.", finish="stop"), "What is the capital of Fiji?")
    'suva'
    """
    _, said = grade_reply(reply, gold=(), question=question)
    if said is None:
        return None
    known = set(fold(question).split())
    fresh = [word for word in said.split() if fold(word) and not known.issuperset(fold(word).split())]
    names = [word for word in fresh if not word[0].islower()]
    return fold(" ".join(names or fresh)) or None


class Select(Value, frozen=True):
    r"""Keeps the k passages that rank best, in the order in which they stood.

    What is left out cannot distract, and costs nothing; what was needed and is left out is lost (RETR-2 says which k is
    best). A text that was planted to be found ranks high: this is no defence.

    Args:
        k: passages kept, >= 1; all of them where there are no more.
        by: how they are ranked.

    Source:
        Ranking by the likelihood of the question: Sachan et al. (2022), Improving passage retrieval with zero-shot
        question generation.

    >>> from hardlimit.core import Message
    >>> texts = ("Nadi has an airport.", "The capital of Fiji is Suva.")
    >>> prompt = Prompt(rule="Use them.", passages=texts, question="What is the capital of Fiji?").write()
    >>> dialogue = Select(k=1).answer(Generate(messages=(Message(role="user", content=prompt),), max_tokens=8))
    >>> next(dialogue)[0].messages[0].content
    'Use them.\n\nPassage 1: The capital of Fiji is Suva.\n\nQuestion: What is the capital of Fiji?'
    """

    k: int
    by: By = "words"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 1:
            raise InvalidValueError(f"Select.k must be >= 1, got {self.k}.")

    def answer(self, request: Generate) -> Dialogue:
        """Rank, keep, ask."""
        prompt = passages_in(question_of(request))
        if len(prompt.passages) <= self.k:
            return (yield from _asked(request))
        best = yield from ranked(prompt, self.by)
        return (yield from _asked(_with(request, prompt, sorted(best[: self.k]))))


class Rerank(Value, frozen=True):
    r"""Ranks the passages anew, the best first, and keeps the best k of them.

    A reader that reads the first passage best is helped twice: by what stands first, and by what is left out. Where it
    reads another place best, use `Reorder`; to leave out and else leave the order as it is, use `Select`.

    Args:
        k: passages kept, >= 1; None for all.
        by: how they are ranked; see `reranking`.

    >>> from hardlimit.core import Message
    >>> texts = ("Nadi has an airport.", "The capital of Fiji is Suva.", "Fiji has islands.")
    >>> prompt = Prompt(rule="Use them.", passages=texts, question="What is the capital of Fiji?").write()
    >>> dialogue = Rerank(k=2, by="words").answer(
    ...     Generate(messages=(Message(role="user", content=prompt),), max_tokens=8)
    ... )
    >>> passages_in(next(dialogue)[0].messages[0].content).passages
    ('The capital of Fiji is Suva.', 'Fiji has islands.')
    """

    k: int | None = None
    by: By = "model"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k is not None and self.k < 1:
            raise InvalidValueError(f"Rerank.k must be >= 1 or None, got {self.k}.")

    def answer(self, request: Generate) -> Dialogue:
        """Rank, keep, ask."""
        prompt = passages_in(question_of(request))
        if len(prompt.passages) < 2:
            return (yield from _asked(request))
        best = yield from ranked(prompt, self.by)
        return (yield from _asked(_with(request, prompt, best[: self.k])))


class Reorder(Value, frozen=True):
    """Puts the likeliest passages where the model reads best; it leaves none out and costs no further token.

    The best order pairs the sorted with the sorted (RETR-2): of all orders it gives the highest accuracy, as far as
    accuracy is the chance that the needed passage stands at a place times how well the place is read.

    Args:
        profile: accuracy by the place of the needed passage, evenly spaced from the first place to the last, as
            `retrieval.accuracy_by_position` measures it; at least one, in [0, 1].
        by: how passages are ranked.
        chances: that the needed passage has each rank, where that is known; at least one, in [0, 1], and 0 for ranks
            beyond. Empty: a better rank is a better chance.

    >>> from hardlimit.core import Message
    >>> texts = ("Nadi has an airport.", "The capital of Fiji is Suva.", "Kava is a drink.")
    >>> prompt = Prompt(rule="Use them.", passages=texts, question="What is the capital of Fiji?").write()
    >>> policy = Reorder(profile=(0.5, 0.4, 0.9))
    >>> asked = next(policy.answer(Generate(messages=(Message(role="user", content=prompt),), max_tokens=8)))
    >>> passages_in(asked[0].messages[0].content).passages
    ('Nadi has an airport.', 'Kava is a drink.', 'The capital of Fiji is Suva.')
    """

    profile: tuple[float, ...]
    by: By = "words"
    chances: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.profile or not all(0 <= share <= 1 for share in (*self.profile, *self.chances)):
            raise InvalidValueError(
                "Reorder needs a profile of at least one accuracy, and accuracies and chances in [0, 1], got "
                f"profile={self.profile}, chances={self.chances}."
            )

    def answer(self, request: Generate) -> Dialogue:
        """Rank, put into order, ask."""
        prompt = passages_in(question_of(request))
        if len(prompt.passages) < 2:
            return (yield from _asked(request))
        best = yield from ranked(prompt, self.by)
        order = [0] * len(best)
        for rank, place in enumerate(self.places(len(best))):
            order[place] = best[rank]
        return (yield from _asked(_with(request, prompt, order)))

    def places(self, k: int) -> tuple[int, ...]:
        """Where the passage of each rank goes among k, counted from 0.

        >>> Reorder(profile=(0.75, 0.62, 0.55, 0.58, 0.70)).places(5)
        (0, 4, 1, 3, 2)
        """
        spots = np.linspace(0, 1, len(self.profile)) if len(self.profile) > 1 else np.zeros(1)
        read = np.interp(np.linspace(0, 1, k), spots, self.profile)
        chances = np.array([*self.chances, *[0.0] * k][:k]) if self.chances else -np.arange(k, dtype=float)
        places = np.empty(k, dtype=np.int64)
        places[np.argsort(-chances, kind="stable")] = np.argsort(-read, kind="stable")
        return tuple(places.tolist())


def _with(request: Generate, prompt: Prompt, order: Sequence[int]) -> Generate:
    """The request with some of its passages, in an order."""
    texts = tuple(prompt.passages[place] for place in order)
    return reworded(request, Prompt(rule=prompt.rule, passages=texts, question=prompt.question).write())


def _asked(request: Generate) -> Dialogue:
    (reply,) = yield [request]
    assert isinstance(reply, Generated)
    return reply
