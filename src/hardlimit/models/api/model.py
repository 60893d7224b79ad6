"""Models behind an OpenAI-compatible server."""

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from typing import TypeVar

import httpx
import msgspec

from hardlimit.core import Generate, Generated, Score, Scored, See, Usage
from hardlimit.models.api.batch import Batch
from hardlimit.models.api.faults import AttemptError
from hardlimit.models.api.transport import Post, Transport
from hardlimit.models.api.wire import (
    Body,
    ChatReply,
    TextReply,
    chat_body,
    chat_reply,
    plain,
    read,
    score_body,
    score_reply,
    see_body,
    text_body,
    text_reply,
    usage_of,
)
from hardlimit.models.card import ModelCard

CHAT, COMPLETIONS = "chat/completions", "completions"
Ask = TypeVar("Ask", Generate, Score, See)
Said = TypeVar("Said", Generated, Scored)


class ApiModel(ABC):
    """A model of an OpenAI-compatible server; `open_api` makes one.

    Requests are asked concurrently, in the order of their texts, so that those with a shared beginning follow one
    another and the server's prefix cache hits. Whatever goes wrong becomes an error reply with its reason.
    """

    def __init__(self, transport: Transport, card: ModelCard, *, characters_per_token: float) -> None:
        """Wrap a server that answers.

        Args:
            transport: how it is asked.
            card: what is known about it.
            characters_per_token: as measured on the server's own counts, > 0.
        """
        self._transport = transport
        self._card = card
        self._per_token = characters_per_token
        self._spent = Usage(calls=0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._card.name!r})"

    @property
    def card(self) -> ModelCard:
        """What is known about the model; a server tells little."""
        return self._card

    @property
    def spent(self) -> Usage:
        """What all replies taken so far cost together; `dollars` is None where no price is known."""
        return self._spent

    def count_tokens(self, text: str) -> int:
        """Estimate the tokens of a text from its length, by the characters per token measured on this server."""
        return round(len(text) / self._per_token) or int(bool(text))

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Generated]]:
        """Answer a batch, yielding `(index, reply)` as each is ready; see `Generates`."""
        return self._batch(requests, self._ask_generate)

    @property
    @abstractmethod
    def _path(self) -> str:
        """Where a request for text goes."""

    @abstractmethod
    def _body(self, ask: Generate) -> Body:
        """Body of a request for text."""

    @abstractmethod
    def _take(self, ask: Generate | See, content: bytes) -> Generated:
        """Take the answer out of a reply's bytes, or raise a `AttemptError`."""

    async def _ask_generate(self, client: httpx.AsyncClient, index: int, ask: Generate) -> Generated:
        return await self._answer(client, index, ask, self._path, lambda: self._body(ask))

    async def _answer(
        self, client: httpx.AsyncClient, index: int, ask: Generate | See, path: str, body: Callable[[], Body]
    ) -> Generated:
        try:
            post = Post(path, body(), lambda content: self._take(ask, content), index=index)
            reply, calls = await self._transport.post(client, post)
        except AttemptError as fault:
            return Generated(text="", finish="error", error=fault.reason, usage=Usage(calls=fault.calls))
        usage = msgspec.structs.replace(reply.usage, calls=calls)
        return msgspec.structs.replace(reply, text=self._transport.key.strike(reply.text), usage=usage)

    def _usage(self, ask: Generate | Score | See, reply: ChatReply | TextReply, text: str) -> Usage:
        prompt = self.count_tokens(plain(ask.messages))
        return usage_of(reply, estimate=Usage(prompt_tokens=prompt, completion_tokens=self.count_tokens(text)))

    def _batch(
        self, requests: Sequence[Ask], ask: Callable[[httpx.AsyncClient, int, Ask], Awaitable[Said]]
    ) -> Generator[tuple[int, Said], None, None]:
        order = sorted(range(len(requests)), key=lambda index: [m.content for m in requests[index].messages])
        jobs = [(index, requests[index]) for index in order]
        settings = self._transport.settings
        replies = Batch(jobs, ask, self._transport.connect, concurrency=settings.concurrency).run()
        try:
            started = time.perf_counter()
            for index, reply in replies:
                yield index, self._meter(reply, time.perf_counter() - started)
                started = time.perf_counter()
        finally:
            replies.close()

    def _meter(self, reply: Said, seconds: float) -> Said:
        """Enter the time that was waited for a reply, and its price, and add them to what was spent."""
        prices = self._transport.settings.prices
        dollars = None if prices is None else prices.of(reply.usage)
        usage = msgspec.structs.replace(reply.usage, seconds=seconds, dollars=dollars)
        total = self._spent
        self._spent = Usage(
            prompt_tokens=total.prompt_tokens + usage.prompt_tokens,
            cached_tokens=total.cached_tokens + usage.cached_tokens,
            completion_tokens=total.completion_tokens + usage.completion_tokens,
            calls=total.calls + usage.calls,
            seconds=total.seconds + usage.seconds,
            dollars=None if dollars is None else (total.dollars or 0.0) + dollars,
        )
        return msgspec.structs.replace(reply, usage=usage)


class ChatModel(ApiModel):
    """A model asked through `/chat/completions`: the server applies its own chat template."""

    @property
    def _path(self) -> str:
        return CHAT

    def _body(self, ask: Generate) -> Body:
        return chat_body(self._transport.settings.model, ask)

    def _take(self, ask: Generate | See, content: bytes) -> Generated:
        reply = read(content, ChatReply)
        stop = ask.stop if isinstance(ask, Generate) else ()
        answer = chat_reply(reply, stop, Usage())
        return msgspec.structs.replace(answer, usage=self._usage(ask, reply, answer.text))


class SeeingModel(ChatModel):
    """A chat model that takes images."""

    def see(self, requests: Sequence[See]) -> Iterator[tuple[int, Generated]]:
        """Answer a batch of questions about images, as `generate` does."""
        return self._batch(requests, self._ask_see)

    async def _ask_see(self, client: httpx.AsyncClient, index: int, ask: See) -> Generated:
        return await self._answer(client, index, ask, CHAT, lambda: see_body(self._transport.settings.model, ask))


class TextModel(ApiModel):
    """A model asked through `/completions`: the turns are joined as plain text."""

    @property
    def _path(self) -> str:
        return COMPLETIONS

    def _body(self, ask: Generate) -> Body:
        return text_body(self._transport.settings.model, ask)

    def _take(self, ask: Generate | See, content: bytes) -> Generated:
        reply = read(content, TextReply)
        answer = text_reply(reply, ask.stop if isinstance(ask, Generate) else (), Usage())
        return msgspec.structs.replace(answer, usage=self._usage(ask, reply, answer.text))


class ScoringModel(TextModel):
    """A completions model whose server gives the log-probabilities of a prompt."""

    def score(self, requests: Sequence[Score]) -> Iterator[tuple[int, Scored]]:
        """Score a batch of continuations, as `generate` does."""
        return self._batch(requests, self._ask_score)

    async def _ask_score(self, client: httpx.AsyncClient, index: int, ask: Score) -> Scored:
        def take(content: bytes) -> Scored:
            reply = read(content, TextReply)
            return score_reply(reply, plain(ask.messages), ask.continuation, self._usage(ask, reply, ""))

        post = Post(COMPLETIONS, score_body(self._transport.settings.model, ask), take, index=index)
        try:
            scored, calls = await self._transport.post(client, post)
        except AttemptError as fault:
            return Scored(token_logprobs=(), greedy=False, error=fault.reason, usage=Usage(calls=fault.calls))
        return msgspec.structs.replace(scored, usage=msgspec.structs.replace(scored.usage, calls=calls))
