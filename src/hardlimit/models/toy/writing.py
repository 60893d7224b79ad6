"""How toys write: sentences like those of real models, and wrong answers that look like the right one."""

from collections.abc import Sequence

import numpy as np

ABSTENTIONS = ("I don't know.", "I'm not sure.", "I do not have enough information to answer that.")

_ONSETS = ("b", "br", "d", "dr", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u")
_CODAS = ("l", "n", "r", "s", "th", "x")


def phrase(answer: str) -> tuple[str, ...]:
    """Write an answer in the ways that models do, the bare one last.

    >>> phrase("Paris")
    ('The answer is Paris.', 'Paris.', 'Paris')
    """
    return (f"The answer is {answer}.", f"{answer}.", answer)


def coin(gold: Sequence[str], rng: np.random.Generator) -> str:
    """Make up a wrong answer: another number where the right answer is one, else a word that does not exist.

    >>> coin(("41",), np.random.default_rng(0)) != "41"
    True
    >>> coin((), np.random.default_rng(0)).isalpha()
    True
    """
    if gold and gold[0].strip().lstrip("-").isdecimal():
        return str(int(gold[0]) + int(rng.integers(1, 10)))
    taken = {answer.casefold() for answer in gold}
    while True:
        syllables = [str(rng.choice(_ONSETS)) + str(rng.choice(_VOWELS)) for _ in range(int(rng.integers(2, 4)))]
        word = "".join(syllables) + str(rng.choice(_CODAS))
        if word not in taken:
            return word.capitalize()


def pieces(text: str, size: int) -> list[str]:
    """Cut a text into tokens of `size` characters; the last may be shorter.

    >>> pieces("abcdef", 4)
    ['abcd', 'ef']
    """
    return [text[start : start + size] for start in range(0, len(text), size)]
