"""Text from models and data is hostile: here it becomes harmless before anything shows it.

Markup is a matter of escaping, which the page's template engine does. What escaping leaves are the characters that
act without being seen: terminal escapes, null bytes, marks that turn the reading direction, invisible tags.
They are not dropped, which would hide an attack, but shown.
"""

import base64
import re
import unicodedata

INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories of characters that act without being seen."""

HARMLESS = frozenset("\n\t\u200c\u200d")
"""Line breaks and tabs, and the two joiners that Persian, Indic scripts and emoji need."""

ARXIV = re.compile(r"(?:arxiv:)?(\d{4}\.\d{4,5}(?:v\d+)?|[a-z-]+/\d{7})", re.IGNORECASE)
DOI = re.compile(r"(?:doi:)?(10\.\d{4,9}/[\w.()/:;-]+)", re.IGNORECASE)
WEB = re.compile(r"https?://[\w.-]+(?::\d+)?(?:/[\w./~%#?&=+:,;@()!*-]*)?")
BARE = re.compile(r"[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}/[\w./~%#?&=+-]*")


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


def shortened(text: str, *, most: int) -> str:
    r"""Leave out the middle of a text that is longer than `most` characters, and say how much.

    >>> shortened("abcdefghij", most=4)
    'ab\n[… 6 characters are left out here; the JSON report has them …]\nij'
    """
    if len(text) <= most:
        return text
    head, tail = most - most // 2, most // 2
    gone = len(text) - most
    return f"{text[:head]}\n[… {gone:,} characters are left out here; the JSON report has them …]\n{text[-tail:]}"


def picture_address(picture: bytes) -> str | None:
    r"""Return a data address for a picture file, or None where it is none of the kinds that a page may show.

    Only PNG and JPEG pass, known by their first bytes: a browser runs no script in them.

    >>> picture_address(b"\x89PNG\r\n\x1a\n")
    'data:image/png;base64,iVBORw0KGgo='
    >>> picture_address(b"<svg onload='alert(1)'/>") is None
    True
    """
    kinds = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}
    kind = next((name for magic, name in kinds.items() if picture.startswith(magic)), None)
    return None if kind is None else f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def web_address(source: str | None) -> str | None:
    """Return an address that a link may carry, or None where the text is not one.

    Only `http` and `https` pass; an arXiv identifier, a DOI and a bare address are completed.

    >>> web_address("arXiv:2511.12869")
    'https://arxiv.org/abs/2511.12869'
    >>> web_address("javascript:alert(1)") is None
    True
    """
    if source is None:
        return None
    if match := ARXIV.fullmatch(source):
        return f"https://arxiv.org/abs/{match[1]}"
    if match := DOI.fullmatch(source):
        return f"https://doi.org/{match[1]}"
    if WEB.fullmatch(source):
        return source
    return f"https://{source}" if BARE.fullmatch(source) else None
