"""The vocabulary of the embedded model with eyes: whole words, single digits and letters, and marks."""

import re
from collections.abc import Iterable, Sequence

_PIECES = re.compile(r"[a-z]+|[0-9]|[^\sa-z0-9]")
SPECIAL = ("<unknown>", "<begin>", "<answer>", "<end>")
UNKNOWN, BEGIN, ANSWER, END = range(len(SPECIAL))


class Words:
    """Turns text into numbers and back.

    Args:
        words: the vocabulary, the four special entries first.

    >>> words = Words.over(["How many circles are there?"])
    >>> words.text(words.tokens("How many squares?"))
    'how many ?'
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._number = {word: number for number, word in enumerate(self.words)}

    @classmethod
    def over(cls, texts: Iterable[str]) -> "Words":
        """Collect the vocabulary of texts, in alphabetical order."""
        found = {piece for text in texts for piece in _PIECES.findall(text.lower())}
        return cls((*SPECIAL, *sorted(found)))

    def __len__(self) -> int:
        return len(self.words)

    def tokens(self, text: str) -> list[int]:
        """Numbers of a text's words; what is not in the vocabulary is unknown."""
        return [self._number.get(piece, UNKNOWN) for piece in _PIECES.findall(text.lower())]

    def text(self, tokens: Iterable[int]) -> str:
        """Words of numbers, joined by blanks, but for the digits of one number; a lone letter is a capital."""
        pieces = [self.words[token] for token in tokens if token >= len(SPECIAL)]
        pieces = [piece.upper() if len(piece) == 1 and piece.isalpha() and piece != "a" else piece for piece in pieces]
        return re.sub(r"(?<=\d) (?=\d)", "", " ".join(pieces))
