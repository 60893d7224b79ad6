"""The asking engine: each shared beginning of a batch of prompts is computed once.

Sorted, the prompts of a batch are the leaves of their prefix tree from left to right, and the longest common prefix
of two neighbours is where their paths part. So a walk over the sorted prompts which keeps the path of the one before
computes every node of the tree once: N + Q·q tokens for Q questions of q tokens on one text of N, not Q·(N + q).
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.core import ModelError, Value
from hardlimit.models.attention import Reading
from hardlimit.models.card import ModelCard
from hardlimit.models.decode import Generation
from hardlimit.models.slots import Packed, SlotCache, Slots, Step
from hardlimit.models.work import Work

# A forward pass looks at every slot unless this share of them would do; fewer are worth a copy.
_WORTH_A_COPY = 0.7
# A row takes a number per layer, head and key.
_READ_TOGETHER = 4


class Limits(Value, frozen=True):
    """What bounds the memory and the waste of the asking engine.

    Args:
        chunk: most tokens in one forward pass.
        rows: most answers generated side by side.
        slots: most slots of the cache that one group of requests may fill, unless one request alone needs more; every
            answer's next token looks at all of them.
    """

    chunk: int = 512
    rows: int = 48
    slots: int = 16384

    @classmethod
    def within(cls, card: ModelCard, *, cache_bytes: int = 2**31, logits_bytes: int = 2**28) -> "Limits":
        """The limits that keep a model's cache and logits within so many bytes; other limits as they are by default.

        >>> shape = {"layers": 32, "kv_heads": 32, "head_width": 128, "vocabulary": 2**20}
        >>> Limits.within(ModelCard(name="x", adapter="x", revision="1", **shape))  # 1 MiB a slot, 4 MiB a row
        Limits(chunk=64, rows=48, slots=2048)
        """
        width = 2 * (card.layers or 0) * (card.kv_heads or 0) * (card.head_width or 0)
        slot = width * (4 if card.dtype in {None, "float32"} else 2)
        whole = cls()
        return cls(
            chunk=max(1, min(whole.chunk, logits_bytes // (4 * (card.vocabulary or 1)))),
            slots=max(1, min(whole.slots, cache_bytes // max(slot, 1))),
        )


def common_prefix(a: NDArray[np.int64], b: NDArray[np.int64]) -> int:
    """Length of the longest common prefix of two sequences.

    >>> common_prefix(np.array([1, 2, 3]), np.array([1, 2, 4, 5]))
    2
    """
    shorter = min(len(a), len(b))
    different = np.nonzero(a[:shorter] != b[:shorter])[0]
    return int(different[0]) if len(different) else shorter


def grouped(works: Sequence[Work], limits: Limits) -> list[list[Work]]:
    """Sort requests by their tokens and cut the sorted list into groups that are answered together.

    Equal requests give equal groups, whatever order they came in.

    Args:
        works: the requests.
        limits: what a group may need.
    """
    ordered = sorted(works, key=lambda work: (work.tokens.astype(">u4").tobytes(), work.index))
    groups: list[list[Work]] = []
    rows = slots = 0
    for work in ordered:
        before = groups[-1][-1] if groups else None
        new = len(work.tokens) - (common_prefix(before.tokens, work.tokens) if before else 0) + work.room
        more = int(work.room > 0)
        if before is None or rows + more > limits.rows or slots + new > limits.slots:
            groups.append([])
            rows, slots, new = 0, 0, len(work.tokens) + work.room
        groups[-1].append(work)
        rows, slots = rows + more, slots + new
    return groups


class Engine:
    """Answers groups of requests on one cache.

    Args:
        model: the model.
        limits: what bounds its memory.
    """

    def __init__(self, model: Packed, limits: Limits) -> None:
        self._model, self._limits = model, limits

    @property
    def network(self) -> Any:
        """The transformers model."""
        return self._model.network

    @property
    def limits(self) -> Limits:
        """What bounds its memory."""
        return self._limits

    def run(self, works: Sequence[Work]) -> Iterator[Work]:
        """Work on requests until they are done, yielding each when it is; a failure ends its group alone."""
        cache, last = SlotCache(), None
        for group in grouped(works, self._limits):
            try:
                self._keep_path(cache, last, group)
                yield from self._group(cache, group)
                last = group[-1]
            except (RuntimeError, MemoryError, ValueError, IndexError, KeyError, ModelError) as error:
                cache, last = SlotCache(), None
                unfinished = [work for work in group if not work.done]
                for work in unfinished:
                    work.fail(error)
                yield from unfinished

    def _keep_path(self, cache: SlotCache, last: Work | None, group: Sequence[Work]) -> None:
        """Drop what the next group does not share, and hand the shared path to its first request."""
        path = 0
        if last is not None:
            path = shared = common_prefix(last.tokens, group[0].tokens)
            for before, work in itertools.pairwise([last, *group]):
                shared = min(shared, common_prefix(before.tokens, work.tokens))
                # Logits are not kept, so a token whose logits a request of the group needs is computed again.
                if work.needs < shared:
                    path = min(path, work.needs)
        cache.keep(last.slots[:path] if last else np.zeros(0, dtype=np.int64))
        group[0].slots, group[0].shared = np.arange(path), path

    def _group(self, cache: SlotCache, group: Sequence[Work]) -> Iterator[Work]:
        self._place(cache.size, group)
        pieces = [(work, work.shared, len(work.tokens)) for work in group]
        wanted: dict[int, list[tuple[Work, int]]] = {}
        for work in group:
            for position in range(work.needs, len(work.tokens)):
                wanted.setdefault(int(work.slots[position]), []).append((work, position))
        for chunk in _chunks(pieces, self._limits.chunk):
            self._prefill(cache, chunk, wanted)
        yield from (work for work in group if work.done)
        generating = [work for work in group if isinstance(work.task, Generation) and not work.done]
        while generating:
            self._extend(cache, generating)
            yield from (work for work in generating if work.done)
            generating = [work for work in generating if not work.done]
        reading = [work for work in group if isinstance(work.task, Reading)]
        for at in range(0, len(reading), _READ_TOGETHER):
            self._read(cache, reading[at : at + _READ_TOGETHER])
            yield from reading[at : at + _READ_TOGETHER]

    def _place(self, start: int, group: Sequence[Work]) -> None:
        """Give every token of the group its slot: inherited from the request before, or the next free one."""
        before = group[0]
        for work in group:
            if work is not before:
                work.shared = common_prefix(before.tokens, work.tokens)
                work.slots = before.slots[: work.shared]
            fresh = len(work.tokens) - work.shared
            work.slots = np.concatenate([work.slots, np.arange(start, start + fresh)])
            start += fresh
            before = work

    def _prefill(
        self, cache: SlotCache, chunk: Sequence[tuple[Work, int, int]], wanted: dict[int, list[tuple[Work, int]]]
    ) -> None:
        began = time.perf_counter()
        first = cache.size
        step = _step(chunk, first)
        rows = [row for row in range(len(step.tokens)) if first + row in wanted]
        logits = self._model.logits(cache, step, rows)
        for row, values in zip(rows, logits, strict=True):
            for work, position in wanted[first + row]:
                if not isinstance(work.task, Reading):
                    work.task.absorb(position, values)
        per_token = (time.perf_counter() - began) / len(step.tokens)
        for work, start, stop in chunk:
            work.seconds += per_token * (stop - start)

    def _extend(self, cache: SlotCache, works: Sequence[Work]) -> None:
        """Compute the token that each answer chose last, and let it choose the next."""
        began = time.perf_counter()
        tasks = [work.task for work in works if isinstance(work.task, Generation)]
        step = _next_step(cache, works, [task.next_token for task in tasks])
        for task, position, logits in zip(
            tasks, step.positions, self._model.logits(cache, step, range(len(works))), strict=True
        ):
            task.absorb(int(position), logits)
        _share(works, time.perf_counter() - began)

    def _read(self, cache: SlotCache, works: Sequence[Work]) -> None:
        """Compute the last token of each prompt, and read its row of attention."""
        began = time.perf_counter()
        tasks = [work.task for work in works if isinstance(work.task, Reading)]
        step = _next_step(cache, works, [task.token for task in tasks])
        layers = self._model.rows(cache, step)
        for i, task in enumerate(tasks):
            keys = torch.as_tensor(np.nonzero(step.allowed[i])[0], device=layers[0].device)
            task.read([layer[:, i].index_select(1, keys) for layer in layers])
        _share(works, time.perf_counter() - began)


def _next_step(cache: SlotCache, works: Sequence[Work], tokens: Sequence[int]) -> Step:
    """A forward pass of one more token for each request."""
    first = cache.size
    allowed = np.zeros((len(works), first + len(works)), dtype=np.bool_)
    for i, work in enumerate(works):
        work.slots = np.append(work.slots, first + i)
        allowed[i, work.slots] = True
    return Step(np.array(tokens), np.array([len(work.slots) - 1 for work in works]), allowed)


def _share(works: Sequence[Work], seconds: float) -> None:
    for work in works:
        work.seconds += seconds / len(works)


def _chunks(pieces: Sequence[tuple[Work, int, int]], most: int) -> Iterator[list[tuple[Work, int, int]]]:
    """Cut stretches of tokens into chunks of at most so many tokens."""
    chunk: list[tuple[Work, int, int]] = []
    room = most
    for work, start, stop in pieces:
        while start < stop:
            end = min(stop, start + room)
            chunk.append((work, start, end))
            room -= end - start
            start = end
            if room == 0:
                yield chunk
                chunk, room = [], most
    if chunk:
        yield chunk


def _step(chunk: Sequence[tuple[Work, int, int]], first: int) -> Step:
    """The forward pass of a chunk whose tokens take the slots from `first` on."""
    count = sum(stop - start for _, start, stop in chunk)
    seen = np.unique(np.concatenate([work.slots[:stop] for work, _, stop in chunk]))
    visible: Slots | None = None
    if len(seen) < _WORTH_A_COPY * (first + count):
        visible = seen
    column = np.zeros(first + count, dtype=np.int64)
    column[visible if visible is not None else np.arange(first + count)] = np.arange(
        len(visible) if visible is not None else first + count
    )
    allowed = np.zeros((count, len(visible) if visible is not None else first + count), dtype=np.bool_)
    row = 0
    for work, start, stop in chunk:
        columns = column[work.slots[:stop]]
        allowed[row : row + stop - start, columns[:start]] = True
        own = np.tril(np.ones((stop - start, stop - start), dtype=np.bool_))
        allowed[np.ix_(np.arange(row, row + stop - start), columns[start:])] = own
        row += stop - start
    tokens = np.concatenate([work.tokens[start:stop] for work, start, stop in chunk])
    positions = np.concatenate([np.arange(start, stop) for _, start, stop in chunk])
    return Step(tokens, positions, allowed, visible)
