"""How a server is asked: address, limits, patience and prices; and the key, which never shows."""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from hardlimit.core import InvalidValueError, Usage, Value

KEY_VARIABLES = ("HARDLIMIT_API_KEY", "OPENAI_API_KEY")

_SECRET_LENGTH = 8


class Key:
    """A secret that does not show itself: not in `repr`, `str` or JSON, and it can be struck from any text.

    >>> Key("sk-12345678")
    Key(hidden)
    >>> Key("sk-12345678").strike("wrong key sk-12345678")
    'wrong key [key]'
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: str | None) -> None:
        if secret is not None and not (secret.isascii() and secret.isprintable()):
            raise InvalidValueError(
                "The key holds a character that an HTTP header cannot carry. Set it again, without line breaks or "
                "letters beyond ASCII."
            )
        self._secret = secret

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Key":
        """Take the key from `HARDLIMIT_API_KEY`, else from `OPENAI_API_KEY`, else have none."""
        found = next((value for name in KEY_VARIABLES if (value := environment.get(name, "").strip())), None)
        return cls(found)

    def headers(self) -> dict[str, str]:
        """The header that carries the key, where there is one."""
        return {} if self._secret is None else {"Authorization": f"Bearer {self._secret}"}

    def strike(self, text: str) -> str:
        """Replace the key wherever it occurs in a text; a word as short as `EMPTY` is a placeholder and no secret."""
        return text.replace(self._secret, "[key]") if self._secret and len(self._secret) >= _SECRET_LENGTH else text

    def __repr__(self) -> str:
        return "Key(none)" if self._secret is None else "Key(hidden)"

    def __reduce__(self) -> tuple[type["Key"], tuple[None]]:
        return (Key, (None,))


class Prices(Value, frozen=True):
    """What a server charges, in dollars per million tokens.

    Args:
        prompt: for prompt tokens.
        completion: for generated tokens.
        cached: for prompt tokens that the server had cached; None charges them like the others.

    >>> Prices(prompt=2.0, completion=8.0).of(Usage(prompt_tokens=500_000, completion_tokens=250_000))
    3.0
    """

    prompt: float
    completion: float
    cached: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.prompt, self.completion, self.cached or 0.0) < 0:
            raise InvalidValueError(f"Prices must be >= 0 dollars per million tokens, got {self}.")

    def of(self, usage: Usage) -> float:
        """Price of a usage in dollars."""
        cached = self.prompt if self.cached is None else self.cached
        fresh = usage.prompt_tokens - usage.cached_tokens
        total = fresh * self.prompt + usage.cached_tokens * cached + usage.completion_tokens * self.completion
        return total / 1e6


class Patience(Value, frozen=True):
    """How long a request may take, and how often it is tried.

    Args:
        attempts: how often one request is sent at most, >= 1.
        attempt_seconds: how long one attempt may take, from sending to the last byte, > 0.
        total_seconds: how long one request may take, waits between attempts included, > 0.
        first_wait: the wait before the second attempt, in seconds; it doubles each time, >= 0.
        longest_wait: the longest wait that hardlimit chooses; a server's `Retry-After` may ask for more, >= 0.
        connect_seconds: how long connecting may take, > 0.
    """

    attempts: int = 6
    attempt_seconds: float = 120.0
    total_seconds: float = 600.0
    first_wait: float = 0.5
    longest_wait: float = 30.0
    connect_seconds: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive = min(self.attempts, self.attempt_seconds, self.total_seconds, self.connect_seconds)
        if self.attempts < 1 or positive <= 0 or min(self.first_wait, self.longest_wait) < 0:
            raise InvalidValueError(f"Patience needs attempts >= 1, seconds > 0 and waits >= 0, got {self}.")


class ApiSettings(Value, frozen=True):
    """Everything about asking one model of one server, the key aside.

    Args:
        model: as the server names it.
        url: the server's base address, ending in `/v1` as a rule; no key, query or user name in it.
        endpoint: `chat`, or `completions` for models without a chat template.
        concurrency: requests in flight at most, >= 1.
        window: longest prompt and answer together in tokens, or None to take what the server says, if anything.
        patience: time limits and retries.
        prices: what the server charges, or None where it is not known.
        seed: of the jitter in the waits.
    """

    model: str
    url: str
    endpoint: Literal["chat", "completions"] = "chat"
    concurrency: int = 8
    window: int | None = None
    patience: Patience = Patience()
    prices: Prices | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.model:
            raise InvalidValueError(f"An api model needs a name: api:MODEL@URL, got api:@{self.url}.")
        _check_url(self.url)
        if self.endpoint not in {"chat", "completions"}:
            raise InvalidValueError(f"An api model's endpoint is 'chat' or 'completions', got {self.endpoint!r}.")
        if self.concurrency < 1 or (self.window is not None and self.window < 1):
            raise InvalidValueError(
                f"An api model needs concurrency >= 1 and window >= 1, got {self.concurrency} and {self.window}."
            )

    @property
    def host(self) -> str:
        """Host of the server, without the port."""
        return urlsplit(self.url).hostname or ""

    @property
    def spec(self) -> str:
        """The name that opens it again.

        >>> ApiSettings(model="m", url="http://127.0.0.1:8000/v1").spec
        'api:m@http://127.0.0.1:8000/v1'
        """
        return f"api:{self.model}@{self.url}"


def _check_url(url: str) -> None:
    """Refuse an address that cannot be asked, or that may hold a secret (then without repeating it)."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidValueError(f"This is no address of a server: {error}.") from error
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise InvalidValueError(
            "A server's address must hold no user name, password, query or fragment. "
            f"Put the key into the environment variable {KEY_VARIABLES[0]}."
        )
    if parts.scheme not in {"http", "https"} or not host:
        raise InvalidValueError(f"A server's address starts with http:// or https://, got {url!r}.")
