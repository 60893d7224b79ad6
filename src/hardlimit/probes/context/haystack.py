"""Haystacks: prose of a given length in the tokens of the model under test, with needles at given depths."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TypeAlias

import numpy as np

from hardlimit.core import InvalidValueError, Value
from hardlimit.probes.context.prose import paragraphs

Count: TypeAlias = Callable[[str], int]
"""Number of tokens of a text; a model's own `count_tokens`, or an estimate."""

_SAMPLE = 40  # sentences from which the density of tokens is first estimated
_ATTEMPTS = 8  # at hitting the target; each costs one count of the whole text


class Haystack(Value, frozen=True):
    """A text with needles in it.

    Args:
        text: the whole text.
        tokens: its length, as counted.
        spans: `(start, end)` of each needle in characters of `text`, in the order the needles were given.
    """

    text: str
    tokens: int
    spans: tuple[tuple[int, int], ...]


def words_times(tokens_per_word: float) -> Count:
    """Make a counter that estimates tokens from words, for where no tokenizer is at hand.

    >>> words_times(1.5)("four words of text")
    6
    """

    def count(text: str) -> int:
        return round(len(text.split()) * tokens_per_word)

    return count


def bury(
    needles: Sequence[str], depths: Sequence[float], *, length: int | None, count: Count, rng: np.random.Generator
) -> Haystack:
    """Bury needles in prose.

    Args:
        needles: whole sentences.
        depths: where each stands, from 0 (first sentence) to 1 (last), in characters of the prose.
        length: tokens of the result, which is as long as it can be in whole sentences without exceeding them; None
            for the needles alone.
        count: counts tokens.
        rng: source of the prose.

    Raises:
        InvalidValueError: the needles leave less than a quarter of the length for prose.

    >>> hay = bury(["The one who waits is Anna."], [0.5], length=200, count=words_times(1.4),
    ...     rng=np.random.default_rng(0))
    >>> hay.tokens, hay.text[slice(*hay.spans[0])]
    (19..., 'The one who waits is Anna.')
    """
    alone = _compose([], needles, depths)
    if length is None:
        return Haystack(text=alone.text, tokens=count(alone.text), spans=alone.spans)
    needed = count(alone.text)
    if 4 * needed > 3 * length:
        raise InvalidValueError(
            f"{len(needles)} needles alone take {needed} tokens and leave too little of {length} for the story. "
            f"Use a length of at least {-(-4 * needed // 3)}, or fewer needles."
        )
    story = _Story(rng)
    per_sentence = max(1.0, count(" ".join(story.first(_SAMPLE))) / _SAMPLE)
    size = max(0, int((length - needed) / per_sentence))
    best: Haystack | None = None
    for _ in range(_ATTEMPTS):
        buried = _compose(story.first(size), needles, depths)
        tokens = count(buried.text)
        if tokens <= length and (best is None or tokens > best.tokens):
            best = Haystack(text=buried.text, tokens=tokens, spans=buried.spans)
        step = int(np.floor((length - tokens) / per_sentence))
        if step == 0:
            break
        size = max(0, size + step)
    return best or Haystack(text=alone.text, tokens=needed, spans=alone.spans)


class _Story:
    """The prose, written as far as it is asked for; paragraphs end with a blank line."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._paragraphs: Iterator[tuple[str, ...]] = paragraphs(rng)
        self._written: list[str] = []

    def first(self, sentences: int) -> list[str]:
        while len(self._written) < sentences:
            *inner, last = next(self._paragraphs)
            self._written += [*(f"{sentence} " for sentence in inner), f"{last}\n\n"]
        return self._written[:sentences]


class _Buried(Value, frozen=True):
    text: str
    spans: tuple[tuple[int, int], ...]


def _compose(prose: Sequence[str], needles: Sequence[str], depths: Sequence[float]) -> _Buried:
    """Put each needle before the sentence at whose beginning its depth is nearest."""
    edges = np.array([0, *accumulate(len(sentence) for sentence in prose)])
    slots = [int(np.abs(edges - depth * edges[-1]).argmin()) for depth in depths]
    order = sorted(range(len(needles)), key=lambda index: (slots[index], depths[index], index))
    pieces: list[str] = []
    spans = [(0, 0)] * len(needles)
    at = done = 0
    for index in order:
        pieces += prose[done : slots[index]]
        at += sum(map(len, prose[done : slots[index]]))
        done = slots[index]
        spans[index] = (at, at + len(needles[index]))
        pieces.append(f"{needles[index]} ")
        at += len(needles[index]) + 1
    pieces += prose[done:]
    return _Buried(text="".join(pieces).rstrip(), spans=tuple(spans))
