"""Mentions: where a reply names one of the answers that the grader knows, and whether it asserts it."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from hardlimit.core import Value
from hardlimit.probes.grading.folding import Word, spellings

_NEGATORS = frozenset({"not", "never", "neither", "nor", "isnt", "without", "except", "excluding"})
_NO_NEGATION_AFTER = frozenset({"only", "just", "sure", "certain", "simply", "merely"})
_BEFORE = (("rather", "than"), ("instead", "of"), ("other", "than"), ("opposed", "to"), ("confused", "with"),
           ("confuse", "with"), ("far", "from"), ("different", "from"))  # fmt: skip
_CONCESSIVE = frozenset({"while", "although", "though", "whereas", "despite", "unlike"})
_REACH = 6
_CONTINENTAL = frozenset({"north", "south", "latin", "central"})
_AMERICAN = frozenset({"America", "American"})
_OTHER_NAME_AFTER = frozenset({"ocean", "sea", "gulf", "speaking", "language"})


class Mention(Value, frozen=True):
    """One place where a reply names a known answer.

    Args:
        name: the answer as its list gives it.
        gold: whether it is an accepted answer.
        first: index of its first word.
        last: index after its last word.
        clause: the clause that it starts in.
    """

    name: str
    gold: bool
    first: int
    last: int
    clause: int


class Known(Value, frozen=True):
    """The answers that the grader knows.

    Args:
        gold: accepted ones.
        lures: wrong ones.
        exact: whether a name counts only with its own capitals.
    """

    gold: tuple[str, ...]
    lures: tuple[str, ...]
    exact: bool = False


class Lexicon:
    """Known answers, looked up word by word; of two that start at the same word the longer one counts."""

    def __init__(self, names: Sequence[str]) -> None:
        """Index names under every spelling that is recognised."""
        self._by_first: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for name in names:
            for spelling in spellings(name):
                words = tuple(spelling.split())
                self._by_first.setdefault(words[0], []).append((words, name))
        for entries in self._by_first.values():
            entries.sort(key=lambda entry: -len(entry[0]))

    def at(self, words: Sequence[Word], index: int) -> tuple[str, int] | None:
        """Return the longest name that starts at a word, and its length in words."""
        for parts, name in self._by_first.get(words[index].text, ()):
            if len(parts) == 1 or tuple(word.text for word in words[index : index + len(parts)]) == parts:
                return name, len(parts)
        return None

    def continues(self, text: str) -> bool:
        """Whether some name's first word goes on after this text, so that a cut word could have become it."""
        return any(first != text and first.startswith(text) for first in self._by_first)


@lru_cache(maxsize=512)
def lexicon(names: tuple[str, ...]) -> Lexicon:
    """Index a tuple of names once; probes ask thousands of questions about the same few lists."""
    return Lexicon(names)


def find(words: Sequence[Word], known: Known) -> Iterator[Mention]:
    """Yield every mention of a known answer, left to right and without overlap.

    Of a gold answer and a lure at the same word the longer counts, and the gold answer when they are equal. A name
    that is part of another is not one: `New Jersey`, `Indian Ocean`, `North America`, `Mexico City`.
    """
    right, wrong = lexicon(known.gold), lexicon(known.lures)
    index = 0
    while index < len(words):
        hit, lure = right.at(words, index), wrong.at(words, index)
        hit, lure = (_unless_part_of_another(found, words, index) for found in (hit, lure))
        if known.exact:
            hit, lure = _as_written(hit, words[index]), _as_written(lure, words[index])
        is_gold = hit is not None and (lure is None or hit[1] >= lure[1])
        best = hit if is_gold else lure
        if best is None:
            index += 1
            continue
        yield Mention(name=best[0], gold=is_gold, first=index, last=index + best[1], clause=words[index].clause)
        index += best[1]


def _unless_part_of_another(found: tuple[str, int] | None, words: Sequence[Word], index: int) -> tuple[str, int] | None:
    if found is None:
        return None
    before = words[index - 1] if index else None
    if before is not None and (before.written == "New" or (before.text in _CONTINENTAL and found[0] in _AMERICAN)):
        return None
    after = words[index + found[1]] if index + found[1] < len(words) else None
    return None if after is not None and (after.text in _OTHER_NAME_AFTER or after.written == "City") else found


def _as_written(hit: tuple[str, int] | None, word: Word) -> tuple[str, int] | None:
    return hit if hit is not None and word.written.startswith(hit[0].split()[0]) else None


def negated(words: Sequence[Word], mention: Mention) -> bool:
    """Whether the words around a mention take it back: `not Paris`, `rather than Paris`, `Paris is not the capital`.

    >>> from hardlimit.probes.grading.folding import read_words
    >>> words = read_words("It is not Paris")
    >>> [negated(words, mention) for mention in find(words, Known(gold=("Paris",), lures=()))]
    [True]
    """
    before = [
        word.text for word in words[max(0, mention.first - _REACH) : mention.first] if word.clause == mention.clause
    ]
    for index, text in enumerate(before):
        following = before[index + 1] if index + 1 < len(before) else ""
        if text in _NEGATORS and following not in _NO_NEGATION_AFTER:
            return True
        if (text, following) in _BEFORE:
            return True
    after = [word.text for word in words[mention.last : mention.last + 4] if word.clause == mention.clause]
    verb = after[0] if after else ""
    if verb in {"is", "was", "are", "would", "can", "does"} and len(after) > 1:
        if after[1] == "not" and (len(after) < 3 or after[2] not in _NO_NEGATION_AFTER):
            return True
        return after[1] in {"incorrect", "wrong", "false"}
    return False


def concessive(words: Sequence[Word], mention: Mention) -> bool:
    """Whether the mention's clause only concedes something: `While Sydney is larger, …`."""
    first = mention.first
    while first > 0 and words[first - 1].clause == mention.clause:
        first -= 1
    return words[first].text in _CONCESSIVE
