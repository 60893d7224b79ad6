"""The asking desk: everything an audit asks goes through it, and nothing is asked twice or beyond the budget."""

import copy
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Generic, Self, TypeVar

import msgspec

from hardlimit.audit.budget import Meter
from hardlimit.core import (
    Answered,
    Attend,
    Attended,
    Case,
    Generate,
    Generated,
    Grade,
    HardlimitError,
    ModelError,
    Progress,
    Reply,
    Request,
    Score,
    Scored,
    See,
    Usage,
)
from hardlimit.mitigations import Policy, mitigate
from hardlimit.models import Attends, Generates, Model, Scores, Sees, Studies, require
from hardlimit.probes import Probe
from hardlimit.store import Store, answer_key, failure_of, reply_key

LEAST_BATCH = 64
LARGEST_BATCH = 512

Kept = TypeVar("Kept", bound=Answered | Attended | Scored)


class Desk:
    """Asks one model, through a store, within a budget.

    What is in the store is not asked again, but counts as it did when it was asked: a run that is repeated sees the
    same answers and stops at the same one, and so does a run that was interrupted and goes on, if the model answers in
    the order asked. (Where replies overtake each other, the end of a budget may meet other cases of the same batch.)
    What is not in the store is asked in the order given, in batches that keep together what shares a haystack. A reply
    is graded, stored durably, counted and reported, one by one, so that an interruption loses no finished answer.

    A reply that failed (a server's error, a prompt too long) is graded `FAILED` and stays so for this run, however
    often it is asked for; a later run asks again.

    The last reply may overdraw the budget. Then the model is told to stop: what it had not begun is never asked, and
    what it was computing at that moment is lost.

    >>> import tempfile
    >>> from hardlimit.audit.budget import Budget
    >>> from hardlimit.core import Message, Silent
    >>> from hardlimit.models import ModelCard
    >>> class Parrot:
    ...     card = ModelCard(name="toy:parrot", adapter="toy", revision="1")
    ...     def count_tokens(self, text):
    ...         return len(text)
    ...     def score(self, requests):
    ...         for index, request in enumerate(requests):
    ...             yield index, Scored(token_logprobs=(-1.0,), greedy=True, usage=Usage(prompt_tokens=40))
    >>> asks = [Score(messages=(Message(role="user", content="Say"),), continuation=word) for word in ("a", "b", "c")]
    >>> with tempfile.TemporaryDirectory() as folder, Store.open(f"{folder}/answers.sqlite") as store:
    ...     desk = Desk(Parrot(), store, Meter(Budget(tokens=80)), Silent())
    ...     [reply and reply.log_likelihood for reply in desk.score(asks, what="words")]
    [-1.0, -1.0, None]

    Args:
        model: who is asked; it needs the capabilities of what will be asked.
        store: where answers are looked up and kept.
        meter: what may be spent, and is.
        progress: who is told.
    """

    def __init__(self, model: Model, store: Store, meter: Meter, progress: Progress) -> None:
        card = model.card
        store.introduce(card)
        self._model = model
        self._name = card.name
        self._fingerprint = card.fingerprint
        self._store = store
        self._meter = meter
        self._progress = progress
        self._counted: set[bytes] = set()  # in this run
        self._graded = _Shelf(store.answers)
        self._ungraded = _Shelf(store.replies)

    @property
    def model(self) -> Model:
        """Who is asked."""
        return self._model

    @property
    def meter(self) -> Meter:
        """What may be spent, and is."""
        return self._meter

    def share(self, part: float) -> Self:
        """Make a desk for the same run with a part of what is left to spend; see `Meter.share`."""
        desk = copy.copy(self)
        desk._meter = self._meter.share(part)
        return desk

    def through(self, policy: Policy) -> Self:
        """Make a desk for the same run whose model answers through a policy; it needs a model that writes."""
        return self.with_model(mitigate(require(self._model, Generates), policy))

    def with_model(self, model: Model) -> Self:
        """Make a desk for the same run where another model is asked, such as this one with a change inside."""
        desk = copy.copy(self)
        desk._model = model
        desk._store.introduce(desk._model.card)
        desk._name, desk._fingerprint = desk._model.card.name, desk._model.card.fingerprint
        return desk

    def ask(self, probe: Probe, cases: Sequence[Case], *, what: str) -> list[Answered]:
        """Ask cases of a probe, and grade the answers.

        Args:
            probe: who made the cases and grades them.
            cases: what to ask, the most important first.
            what: a few words for the progress display.

        Returns:
            The answers in the order of the cases, for those cases that the budget allowed.

        Raises:
            HardlimitError: the probe failed to grade an answer.
            ModelError: the model broke off, or did not answer each request once.
            StoreError: the store cannot be read or written.
        """
        if isinstance(self._model, Studies):
            self._model.study(cases)
        keys = [answer_key(self._fingerprint, probe, case) for case in cases]
        by_key = dict(zip(keys, cases, strict=True))

        def take(key: bytes, reply: Reply) -> Answered:
            answered = _graded(probe, by_key[key], reply)
            return self._store.keep_answer(key, answered, model=self._fingerprint, probe=probe)

        self._progress.asking(what, len(by_key))
        requests: dict[bytes, Request] = {key: case.ask for key, case in by_key.items()}
        clusters = [case.cluster for case in by_key.values()]
        got = self._obtain(requests, clusters, self._graded, take)
        return [got[key] for key in keys if key in got]

    def read(self, requests: Sequence[Attend], *, what: str) -> list[Attended | None]:
        """Read the attention of prompts.

        Args:
            requests: what to read, the most important first.
            what: a few words for the progress display.

        Returns:
            One reading per request, in their order; None where the budget did not allow it. A reading that failed says
            why in its `error`.
        """
        return [reply if isinstance(reply, Attended) else None for reply in self._raw(requests, what)]

    def score(self, requests: Sequence[Score], *, what: str) -> list[Scored | None]:
        """Score continuations that no probe grades; as `read` does."""
        return [reply if isinstance(reply, Scored) else None for reply in self._raw(requests, what)]

    def _raw(self, requests: Sequence[Attend] | Sequence[Score], what: str) -> list[Attended | Scored | None]:
        keys = [reply_key(self._fingerprint, request) for request in requests]
        by_key: dict[bytes, Request] = dict(zip(keys, requests, strict=True))

        def take(key: bytes, reply: Reply) -> Attended | Scored:
            if isinstance(reply, Generated):
                raise ModelError(f"{self._name} answered with text where a reading was asked for.")
            return self._store.keep_reply(key, reply, model=self._fingerprint)

        self._progress.asking(what, len(by_key))
        got = self._obtain(by_key, [""] * len(by_key), self._ungraded, take)
        return [got.get(key) for key in keys]

    def _obtain(
        self,
        requests: Mapping[bytes, Request],
        clusters: Sequence[str],
        shelf: "_Shelf[Kept]",
        take: Callable[[bytes, Reply], Kept],
    ) -> dict[bytes, Kept]:
        """Get what the budget allows of the requests, batch by batch: from the store, then from the model."""
        got: dict[bytes, Kept] = {}
        everything = list(requests)
        for batch in batches(clusters):
            keys = everything[batch]
            for key, kept in shelf.find(keys).items():
                if key in self._counted or not self._meter.exhausted:
                    got[key] = kept
                    self._count(key, kept)
            missing = {key: requests[key] for key in keys if key not in got}
            if missing and not self._meter.exhausted:
                self._ask_for(missing, shelf, take, got)
        return got

    def _ask_for(
        self,
        requests: Mapping[bytes, Request],
        shelf: "_Shelf[Kept]",
        take: Callable[[bytes, Reply], Kept],
        got: dict[bytes, Kept],
    ) -> None:
        """Ask the model until the budget is spent; whatever ends it, the model is told to stop."""
        with closing(self._replies(requests)) as replies:
            for key, reply in replies:
                kept = got[key] = take(key, reply)
                if failure_of(_reply(kept)) is not None:
                    shelf.failed[key] = kept
                self._count(key, kept)
                if self._meter.exhausted:
                    return

    def _count(self, key: bytes, kept: Answered | Attended | Scored) -> None:
        """Count a durable answer against the budget, once in a run, and report it."""
        usage = _reply(kept).usage if key not in self._counted else Usage(calls=0)
        self._counted.add(key)
        self._meter.add(usage)
        self._progress.answered(kept.grade if isinstance(kept, Answered) else None, usage)

    def _replies(self, requests: Mapping[bytes, Request]) -> Generator[tuple[bytes, Reply]]:
        """Ask the model, each kind of request in turn; closing this tells the model to stop."""
        for kind in (Generate, Score, See, Attend):
            keys = [key for key, request in requests.items() if isinstance(request, kind)]
            if not keys:
                continue
            stream = _stream(self._model, [requests[key] for key in keys])
            waiting = set(range(len(keys)))
            try:
                for index, reply in stream:
                    if index not in waiting:
                        raise ModelError(
                            f"{self._name} answered request {index} of {len(keys)}, which it was not asked or has "
                            "answered before. The adapter is at fault: each index has to come exactly once."
                        )
                    waiting.remove(index)
                    yield keys[index], _writable(reply)
            finally:
                if isinstance(stream, Generator):
                    stream.close()
            if waiting:
                raise ModelError(
                    f"{self._name} left {len(waiting)} of {len(keys)} requests without a reply. The adapter is at "
                    "fault: what cannot be answered has to come back as an error."
                )


class _Shelf(Generic[Kept]):
    """Where one kind of answer is looked up: the store, and what failed in this run."""

    def __init__(self, stored: Callable[[Sequence[bytes]], dict[bytes, Kept]]) -> None:
        self._stored = stored
        self.failed: dict[bytes, Kept] = {}

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Kept]:
        return self._stored(keys) | {key: self.failed[key] for key in keys if key in self.failed}


def batches(clusters: Sequence[str]) -> Iterator[slice]:
    """Cut cases into runs that are asked together; a cluster is not cut apart, unless a batch would get too large.

    Args:
        clusters: the cluster of each case in order; empty where a case stands alone.

    Yields:
        Slices that cover all cases in order, each of at least 64 (but for the last) and at most 512 cases.

    >>> list(batches(["a"] * 60 + ["b"] * 40 + ["c"] * 10))
    [slice(0, 100, None), slice(100, 110, None)]
    """
    last = {cluster: place for place, cluster in enumerate(clusters) if cluster}
    start = reach = 0
    for place, cluster in enumerate(clusters):
        reach = max(reach, last.get(cluster, place))
        size = place + 1 - start
        if (size >= LEAST_BATCH and reach <= place) or size == LARGEST_BATCH or place + 1 == len(clusters):
            yield slice(start, place + 1)
            start = place + 1


def _reply(kept: Answered | Attended | Scored) -> Reply:
    return kept.reply if isinstance(kept, Answered) else kept


def _graded(probe: Probe, case: Case, reply: Reply) -> Answered:
    if isinstance(reply, Attended):
        raise ModelError(f"The reply to case '{case.id}' is a reading of attention, which no probe grades.")
    if failure_of(reply) is not None:
        return Answered(case=case, reply=reply, grade=Grade.FAILED)
    try:
        grade, answer = probe.grade(case, reply)
    except Exception as error:
        raise HardlimitError(
            f"The probe '{probe.name}' failed to grade its case '{case.id}' ({error!r}). This is a bug of the probe: "
            "every reply needs a grade. Everything answered before is kept."
        ) from error
    return Answered(case=case, reply=reply, grade=grade, answer=answer)


def _writable(reply: Reply) -> Reply:
    """Replace what no file can hold (lone surrogates, which hostile or broken servers send) by question marks."""
    said = {"error": reply.error, **({"text": reply.text} if isinstance(reply, Generated) else {})}
    broken = {name: text for name, text in said.items() if text is not None and not _encodable(text)}
    if not broken:
        return reply
    return msgspec.structs.replace(
        reply, **{name: text.encode(errors="replace").decode() for name, text in broken.items()}
    )


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _stream(model: Model, requests: Sequence[Request]) -> Iterator[tuple[int, Reply]]:
    """Send requests of one kind to the capability that answers them."""
    generates = [request for request in requests if isinstance(request, Generate)]
    if generates:
        return require(model, Generates).generate(generates)
    scores = [request for request in requests if isinstance(request, Score)]
    if scores:
        return require(model, Scores).score(scores)
    sees = [request for request in requests if isinstance(request, See)]
    if sees:
        return require(model, Sees).see(sees)
    attends = [request for request in requests if isinstance(request, Attend)]
    return require(model, Attends).attend(attends)
