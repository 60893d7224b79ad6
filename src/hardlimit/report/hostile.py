"""What a page may take from models and data beside their words: pictures and addresses, and how much of a text.

Markup is a matter of escaping, which the page's template engine does; the characters that act without being seen are
made visible by `hardlimit.core.text`.
"""

import base64
import re

ARXIV = re.compile(r"(?:arxiv:)?(\d{4}\.\d{4,5}(?:v\d+)?|[a-z-]+/\d{7})", re.IGNORECASE)
DOI = re.compile(r"(?:doi:)?(10\.\d{4,9}/[\w.()/:;-]+)", re.IGNORECASE)
WEB = re.compile(r"https?://[\w.-]+(?::\d+)?(?:/[\w./~%#?&=+:,;@()!*-]*)?")
BARE = re.compile(r"[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}/[\w./~%#?&=+-]*")


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
