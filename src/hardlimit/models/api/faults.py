"""What can go wrong between here and a server, and whether to try again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import Literal

from hardlimit.models.api.settings import Patience

Kind = Literal["connect", "timeout", "dropped", "status", "unreadable", "request"]
_LONGEST_MESSAGE = 300


class AttemptError(Exception):
    """One attempt failed.

    Args:
        reason: what happened, for a reader.
        kind: `connect` (no connection), `timeout`, `dropped` (broke off), `status` (an HTTP error), `unreadable`
            (an answer that makes no sense), `request` (it could not even be written).
        status: the HTTP status, for kind `status`.
        again: whether another attempt may succeed.
        after: how many seconds the server asks to wait, or None.
    """

    calls = 1
    """How often the request was sent in all, once it is given up."""

    def __init__(
        self, reason: str, *, kind: Kind, status: int | None = None, again: bool = True, after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind: Kind = kind
        self.status = status
        self.again = again
        self.after = after


def wait_before(attempt: int, fault: AttemptError, patience: Patience, random: Random) -> float:
    """Seconds to wait before an attempt (the second is number 2): exponential with jitter, never less than asked.

    The jitter takes the wait to between half and all of its full length, so that many clients do not return at once.

    >>> patience = Patience(first_wait=1.0, longest_wait=5.0)
    >>> 1.0 <= wait_before(3, AttemptError("busy", kind="status", status=503), patience, Random(0)) <= 2.0
    True
    >>> wait_before(2, AttemptError("busy", kind="status", status=429, after=7.0), patience, Random(0))
    7.0
    """
    full = min(patience.longest_wait, patience.first_wait * 2.0 ** min(attempt - 2, 60))
    own = full * (0.5 + 0.5 * random.random())
    return max(own, fault.after or 0.0)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read the `Retry-After` header: seconds, or a date, taken relative to the server's own `Date`.

    >>> retry_after({"retry-after": "2.5"}, datetime.now(UTC))
    2.5
    >>> date = "Wed, 21 Oct 2026 07:28:00 GMT"
    >>> retry_after({"retry-after": date}, datetime(2026, 10, 21, 7, 27, 30, tzinfo=UTC))
    30.0
    >>> retry_after({"retry-after": "soon"}, datetime.now(UTC)) is None
    True
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        until = _date(value)
        if until is None:
            return None
        seconds = (until - (_date(headers.get("date", "")) or now)).total_seconds()
    return seconds if 0 <= seconds < float("inf") else None


def _date(value: str) -> datetime | None:
    try:
        read = parsedate_to_datetime(value)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def one_line(text: str) -> str:
    r"""Make a foreign text fit for a message: printable, on one line, not long.

    >>> one_line("bad\x1b[31m  news\n")
    'bad[31m news'
    """
    words = "".join(character if character.isprintable() else " " for character in text.replace("\x1b", "")).split()
    line = " ".join(words)
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"
