"""Text from models, servers and data is hostile: here it becomes harmless before anything shows it.

Characters that act without being seen (terminal escapes, null bytes, marks that turn the reading direction, invisible
tags) are not dropped, which would hide an attack, but shown.
"""

import unicodedata

INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories of characters that act without being seen."""

HARMLESS = frozenset("\n\t\u200c\u200d")
"""Line breaks and tabs, and the two joiners that Persian, Indic scripts and emoji need."""


def visible(text: str) -> str:
    r"""Show every character that acts without being seen, and leave the others alone.

    Args:
        text: anything.

    Returns:
        The text with Windows line ends made plain, and every invisible character as its code point in brackets.

    >>> visible("\x1b[31mred")
    '⟨U+001B⟩[31mred'
    >>> visible("pay \u202eresu")
    'pay ⟨U+202E⟩resu'
    """
    text = text.replace("\r\n", "\n")
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in HARMLESS or unicodedata.category(character) not in INVISIBLE:
        return character
    return f"⟨U+{ord(character):04X}⟩"


def one_line(text: str) -> str:
    r"""Make text visible and put it on one line.

    >>> one_line("a\n  b\tc")
    'a b c'
    """
    return " ".join(visible(text).split())
