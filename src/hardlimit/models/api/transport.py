"""Sending one request until it is answered or hope is lost."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from ipaddress import ip_address
from random import Random
from typing import Generic, TypeVar

import httpx
import msgspec

from hardlimit.models.api.faults import AttemptError, one_line, retry_after, wait_before
from hardlimit.models.api.settings import KEY_VARIABLES, ApiSettings, Key
from hardlimit.models.api.wire import Body, error_message, refused_field, without

Answer = TypeVar("Answer")

_LARGEST_BYTES = 64 * 2**20
_AGAIN = frozenset({408, 409, 425, 429})


@dataclass(frozen=True)
class Post(Generic[Answer]):
    """One question to a server.

    Args:
        path: such as `chat/completions`.
        body: of the request.
        take: takes the answer out of the reply's bytes, or raises an `AttemptError`.
        index: of the request in its batch; it seeds the jitter.
        attempts: how often it is tried at most, or None for what the settings allow.
    """

    path: str
    body: Body
    take: Callable[[bytes], Answer]
    index: int = 0
    attempts: int | None = None


class Transport:
    """Sends requests to one server: time limits, retries, and what the server has refused.

    Thread-safe as far as batches run one after another; every request has its own jitter, drawn from the seed.
    """

    def __init__(self, settings: ApiSettings, key: Key) -> None:
        self.settings = settings
        self.key = key
        self._refused: frozenset[str] = frozenset()

    @cached_property
    def _verify(self) -> ssl.SSLContext | bool:
        return httpx.create_ssl_context() if self.settings.url.startswith("https:") else False

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[httpx.AsyncClient]:
        """Open the connections that a batch shares; proxies from the environment are used, but not for this machine."""
        patience, n = self.settings.patience, self.settings.concurrency
        async with httpx.AsyncClient(
            base_url=self.settings.url.rstrip("/") + "/",
            headers={**self.key.headers(), "Accept": "application/json", "User-Agent": "hardlimit"},
            timeout=httpx.Timeout(patience.attempt_seconds, connect=patience.connect_seconds),
            limits=httpx.Limits(max_connections=n, max_keepalive_connections=n),
            verify=self._verify,
            trust_env=not _is_this_machine(self.settings.host),
        ) as client:
            yield client

    async def get(self, client: httpx.AsyncClient, path: str, take: Callable[[bytes], Answer]) -> Answer:
        """Ask once, without retries, and take the answer out of the reply's bytes."""
        return take(await self._attempt(client, ("GET", path), None, self.settings.patience.attempt_seconds))

    async def post(self, client: httpx.AsyncClient, post: Post[Answer]) -> tuple[Answer, int]:
        """Ask until there is an answer.

        Returns:
            The answer and how many times the request was sent.

        Raises:
            AttemptError: why there is none, with the number of attempts in it; the key is struck out.
        """
        patience = self.settings.patience
        random = Random(f"{self.settings.seed}:{post.index}")
        deadline = time.monotonic() + patience.total_seconds
        calls = 0
        attempt = 1
        while True:
            calls += 1
            try:
                seconds = min(patience.attempt_seconds, deadline - time.monotonic())
                body = without(post.body, self._refused)
                return post.take(await self._attempt(client, ("POST", post.path), body, seconds)), calls
            except AttemptError as fault:
                if fault.kind == "status" and self._learn(fault, post.body):
                    continue
                wait = wait_before(attempt + 1, fault, patience, random)
                left = (post.attempts or patience.attempts) - attempt
                given_up = self._why_stop(fault, attempt, left, deadline - wait)
                if given_up is not None:
                    last = AttemptError(given_up, kind=fault.kind, status=fault.status, again=False)
                    last.calls = calls
                    raise last from None
            await asyncio.sleep(wait)
            attempt += 1

    def _why_stop(self, fault: AttemptError, attempt: int, left: int, latest: float) -> str | None:
        """Say why there is no further attempt, or None where there is one, with a wait that begins now."""
        reason = self.key.strike(fault.reason)
        if not fault.again:
            return reason
        if left < 1:
            return f"{reason} (after {attempt} attempts)" if attempt > 1 else reason
        if time.monotonic() > latest:
            asked = f"; the server asks to wait {fault.after:g} s" if fault.after else ""
            limit = self.settings.patience.total_seconds
            return f"{reason} (after {attempt} attempts{asked}, and a request may take {limit:g} s in all)"
        return None

    def _learn(self, fault: AttemptError, body: Body) -> bool:
        """Remember a field that the server refuses; True where the request can be sent again without it."""
        if fault.status not in {400, 422}:
            return False
        name = refused_field(fault.reason, without(body, self._refused))
        if name is None:
            return False
        self._refused |= {name}
        return True

    async def _attempt(
        self, client: httpx.AsyncClient, target: tuple[str, str], body: Body | None, seconds: float
    ) -> bytes:
        try:
            content = None if body is None else msgspec.json.encode(body)
        except UnicodeEncodeError:
            raise AttemptError(
                "the prompt holds a lone surrogate and is no valid text", kind="request", again=False
            ) from None
        headers = {} if content is None else {"Content-Type": "application/json"}
        try:
            async with asyncio.timeout(seconds), client.stream(*target, content=content, headers=headers) as reply:
                received = await _receive(reply)
        except httpx.ConnectError as error:
            raise AttemptError(f"cannot connect to {self.settings.url}: {_why(error)}", kind="connect") from None
        except httpx.ConnectTimeout:
            raise AttemptError(f"connecting to {self.settings.url} took too long", kind="connect") from None
        except (TimeoutError, httpx.TimeoutException):
            raise AttemptError(f"no complete answer within {seconds:.3g} s", kind="timeout") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise AttemptError(f"the connection broke off: {_why(error)}", kind="dropped") from None
        except (httpx.InvalidURL, httpx.HTTPError, ValueError) as error:
            raise AttemptError(f"the request cannot be sent: {_why(error)}", kind="request", again=False) from None
        if reply.is_success:
            return received
        raise self._status_fault(reply, received)

    def _status_fault(self, reply: httpx.Response, received: bytes) -> AttemptError:
        status = reply.status_code
        says = f"HTTP {status}: {error_message(self.key.strike(received.decode('utf-8', errors='replace')).encode())}"
        if reply.is_redirect:
            says = f"HTTP {status}: the server redirects to {self._target(reply)}"
        if status in {401, 403}:
            says += f" (the key is read from {' or '.join(KEY_VARIABLES)}; {self._key_state()})"
        again = (status in _AGAIN or status >= 500) and b"insufficient_quota" not in received
        after = retry_after(reply.headers, datetime.now(UTC))
        return AttemptError(says, kind="status", status=status, again=again, after=after)

    def _target(self, reply: httpx.Response) -> str:
        return one_line(self.key.strike(reply.headers.get("location", "nowhere")))

    def _key_state(self) -> str:
        return "one was sent" if self.key.headers() else "none is set"


async def _receive(reply: httpx.Response) -> bytes:
    received = bytearray()
    async for chunk in reply.aiter_bytes():
        received += chunk
        if len(received) > _LARGEST_BYTES:
            raise AttemptError(
                f"the answer is larger than {_LARGEST_BYTES // 2**20} MB", kind="unreadable", again=False
            )
    return bytes(received)


def _why(error: Exception) -> str:
    return one_line(str(error)) or type(error).__name__


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
