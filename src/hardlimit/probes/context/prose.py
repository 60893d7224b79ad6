"""Haystack prose: an endless, seeded story in coherent paragraphs, in which no sentence occurs twice."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from hardlimit.probes.context.scenes import (
    CAUSES,
    CLOSINGS,
    CONDITIONS,
    MANNERS,
    MIDDLES,
    MOMENTS,
    NUMBERS,
    OPENINGS,
    QUALITIES,
    SCENES,
    THOUGHTS,
    Scene,
)

_SLOT = re.compile(r"{(\w+)}")


def paragraphs(rng: np.random.Generator) -> Iterator[tuple[str, ...]]:
    """Tell the story, one paragraph of 4 to 8 sentences after another, without end.

    Args:
        rng: source of randomness; equal states tell equal stories.

    >>> story = paragraphs(np.random.default_rng(0))
    >>> " ".join(next(story))
    '...'
    """
    told: set[str] = set()
    scene = SCENES[int(rng.integers(len(SCENES)))]
    while True:
        middles = int(rng.integers(2, 7))
        patterns = [*_several(OPENINGS, 1, rng), *_several(MIDDLES, middles, rng), *_several(CLOSINGS, 1, rng)]
        paragraph = _Paragraph(scene, rng)
        yield tuple(paragraph.tell(pattern, told) for pattern in patterns)
        # A scene lasts a few paragraphs, as chapters do.
        if rng.random() < 0.4:
            scene = SCENES[int(rng.integers(len(SCENES)))]


def vocabulary() -> str:
    """Every text the story can be made of, in one string: what it may not mention can be checked once, for all seeds.

    >>> "seedlings" in vocabulary()
    True
    """
    lists = (MOMENTS, QUALITIES, CONDITIONS, MANNERS, CAUSES, THOUGHTS, NUMBERS, OPENINGS, MIDDLES, CLOSINGS)
    scenes = (words for scene in SCENES for words in (getattr(scene, name) for name in scene.__struct_fields__))
    return "\n".join(text for texts in (*lists, *scenes) for text in texts)


def _several(options: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    return [options[int(index)] for index in rng.permutation(len(options))[:n]]


class _Deck:
    """Draws from a list without repeating itself until the list is used up."""

    def __init__(self, options: Sequence[str], rng: np.random.Generator) -> None:
        self._options, self._rng = options, rng
        self._left: list[str] = []

    def draw(self) -> str:
        self._left = self._left or _several(self._options, len(self._options), self._rng)
        return self._left.pop()


class _Paragraph:
    """One paragraph's cast and decks."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self._cast = _several(scene.people, 2, rng)
        self._rng = rng
        lists = {
            "moment": MOMENTS,
            "where": scene.where,
            "work": scene.works,
            "things": scene.things,
            "tool": scene.tools,
            "sign": scene.signs,
            "number": NUMBERS,
            "quality": QUALITIES,
            "condition": CONDITIONS,
            "manner": MANNERS,
            "cause": CAUSES,
            "thought": THOUGHTS,
        }
        self._decks = {slot: _Deck(options, rng) for slot, options in lists.items()}

    def tell(self, pattern: str, told: set[str]) -> str:
        """Fill a pattern so that the sentence is new, and remember it in `told`."""
        while True:
            sentence = self._fill(pattern)
            if sentence not in told:
                told.add(sentence)
                return sentence
            # A pattern that a very long story has used up gives way to another.
            pattern = MIDDLES[int(self._rng.integers(len(MIDDLES)))]

    def _fill(self, pattern: str) -> str:
        person, other = self._cast if self._rng.random() < 0.7 else self._cast[::-1]
        words = {"person": person, "other": other}
        for slot in _SLOT.findall(pattern):
            name = slot.lower()
            word = words.get(name) or self._decks[name.removeprefix("second")].draw()
            words[name] = word
            words[slot] = word[0].upper() + word[1:] if slot[0].isupper() else word
        return pattern.format(**words)
