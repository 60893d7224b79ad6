"""Opening a model behind a server: read the address, knock, and find out what the server can do."""

import os
from collections.abc import Mapping
from typing import Literal, NamedTuple

import httpx

from hardlimit.core import Generate, InvalidValueError, Message, ModelError, Score, See, Usage
from hardlimit.models.api.batch import Batch
from hardlimit.models.api.faults import AttemptError
from hardlimit.models.api.model import (
    CHAT,
    COMPLETIONS,
    ApiModel,
    ChatModel,
    ScoringModel,
    SeeingModel,
    TextModel,
)
from hardlimit.models.api.settings import KEY_VARIABLES, ApiSettings, Key, Patience, Prices
from hardlimit.models.api.transport import Post, Transport
from hardlimit.models.api.wire import (
    Body,
    ChatReply,
    ListedModel,
    ModelList,
    TextReply,
    chat_body,
    read,
    score_body,
    score_reply,
    see_body,
    text_body,
    usage_of,
)
from hardlimit.models.card import ModelCard
from hardlimit.models.picture import half_black_png

CHARACTERS_PER_TOKEN = 4.0
"""Where a server counts no tokens; measured on the server where it does."""
_PLAUSIBLE = (1.0, 12.0)
_SHORT = "What is the capital of France?"
_PROSE = (
    "The harbour was quiet in the early morning, and the boats lay still against the wall while a woman in a blue coat "
    "counted the crates that had come in overnight. She wrote each number down twice, once in a book and once on the "
    "lid, because paper gets wet. Later, when the market opened, two buyers argued about the price of herring until "
    "somebody brought coffee, and by nine o'clock everything had been sold except for one crate that nobody claimed. "
)
_LONG = _PROSE * 3 + _SHORT
_LISTED = 12


def open_api(spec: str, environment: Mapping[str, str] | None = None) -> ApiModel:
    """Open a model of any OpenAI-compatible server.

    It lists the server's models and asks three one-token questions, to find out that the model answers, how many
    characters a token has, and whether the server takes images (chat) or scores prompts (completions).

    Args:
        spec: `MODEL@URL`, with or without `api:` before it, such as `api:llama@http://127.0.0.1:8000/v1`.
        environment: where settings are read from, `os.environ` by default: the key from `HARDLIMIT_API_KEY` or
            `OPENAI_API_KEY`; `HARDLIMIT_API_ENDPOINT` (`chat` or `completions`), `HARDLIMIT_API_WINDOW` (tokens),
            `HARDLIMIT_API_CONCURRENCY`, `HARDLIMIT_API_TIMEOUT` (seconds an attempt may take), and
            `HARDLIMIT_API_PROMPT_PRICE` with `HARDLIMIT_API_COMPLETION_PRICE` (dollars per million tokens).

    Returns:
        A model that `Generates`; it also `Sees` or `Scores` where the server can.

    Raises:
        InvalidValueError: if the spec or a setting cannot be read.
        ModelError: if the server cannot be reached, refuses the key, does not know the model, or makes no sense.

    >>> open_api("api:llama")
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.InvalidValueError: 'api:llama' names no server. Write api:MODEL@URL, such as ...
    """
    variables = os.environ if environment is None else environment
    return connect(read_spec(spec, variables), Key.from_environment(variables))


def read_spec(spec: str, environment: Mapping[str, str]) -> ApiSettings:
    """Read a model's name and server, and the settings in the environment.

    The model's name may itself contain `@`; the address begins at the last `@http`.

    >>> read_spec("api:org/m@main@https://example.org/v1", {}).model
    'org/m@main'
    """
    plain = spec.removeprefix("api:")
    start = max(plain.rfind("@http://"), plain.rfind("@https://"))
    if start < 0:
        raise InvalidValueError(
            f"{f'api:{plain}'!r} names no server. Write api:MODEL@URL, such as api:{plain.partition('@')[0] or 'MODEL'}"
            "@http://127.0.0.1:8000/v1."
        )
    endpoint = environment.get("HARDLIMIT_API_ENDPOINT", "chat").strip().lower()
    if endpoint not in {"chat", "completions"}:
        raise InvalidValueError(f"HARDLIMIT_API_ENDPOINT must be 'chat' or 'completions', got {endpoint!r}.")
    checked: Literal["chat", "completions"] = "chat" if endpoint == "chat" else "completions"
    window = _number(environment, "HARDLIMIT_API_WINDOW")
    concurrency = _number(environment, "HARDLIMIT_API_CONCURRENCY")
    timeout = _number(environment, "HARDLIMIT_API_TIMEOUT")
    return ApiSettings(
        model=plain[:start],
        url=plain[start + 1 :],
        endpoint=checked,
        concurrency=8 if concurrency is None else int(concurrency),
        window=None if window is None else int(window),
        patience=Patience() if timeout is None else Patience(attempt_seconds=timeout, total_seconds=5 * timeout),
        prices=_prices(environment),
    )


def _number(environment: Mapping[str, str], name: str) -> float | None:
    text = environment.get(name, "").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidValueError(f"{name} must be a number, got {text!r}.") from None


def _prices(environment: Mapping[str, str]) -> Prices | None:
    prompt = _number(environment, "HARDLIMIT_API_PROMPT_PRICE")
    completion = _number(environment, "HARDLIMIT_API_COMPLETION_PRICE")
    if prompt is None and completion is None:
        return None
    if prompt is None or completion is None:
        raise InvalidValueError(
            "HARDLIMIT_API_PROMPT_PRICE and HARDLIMIT_API_COMPLETION_PRICE belong together; only one of them is set."
        )
    return Prices(prompt=prompt, completion=completion)


class _Found(NamedTuple):
    """What knocking found out."""

    revision: str
    per_token: float
    window: int | None
    extra: bool


class _Counted(NamedTuple):
    model: str | None
    prompt_tokens: int | None


def connect(settings: ApiSettings, key: Key) -> ApiModel:
    """Open a model from its settings; see `open_api`."""
    transport = Transport(settings, key)
    listed: list[ListedModel] = []

    async def explore(client: httpx.AsyncClient, _: int, job: None) -> _Found | AttemptError:
        try:
            listed.extend(await _list(transport, client))
            return await _knock(transport, client, listed)
        except AttemptError as fault:
            return fault

    ((_, found),) = Batch([(0, None)], explore, transport.connect, concurrency=1).run()
    if isinstance(found, AttemptError):
        raise ModelError(_way_out(settings, found, listed))
    chat = settings.endpoint == "chat"
    card = ModelCard(
        name=settings.spec,
        adapter="api",
        revision=key.strike(found.revision),
        window=settings.window or found.window,
        chat="server" if chat else "plain",
        settings={"endpoint": settings.endpoint},
    )
    kinds = (ChatModel, SeeingModel) if chat else (TextModel, ScoringModel)
    return kinds[found.extra](transport, card, characters_per_token=found.per_token)


async def _list(transport: Transport, client: httpx.AsyncClient) -> list[ListedModel]:
    """List the server's models; a server without a list is not refused for it, one that is not there is."""
    try:
        return (await transport.get(client, "models", lambda content: read(content, ModelList))).data
    except AttemptError as fault:
        if fault.kind in {"connect", "timeout"} or fault.status in {401, 403}:
            raise
        return []


async def _knock(transport: Transport, client: httpx.AsyncClient, listed: list[ListedModel]) -> _Found:
    settings = transport.settings
    short = await _count(transport, client, _ask(_SHORT))
    long = await _count(transport, client, _ask(_LONG))
    per_token = CHARACTERS_PER_TOKEN
    if short.prompt_tokens is not None and long.prompt_tokens is not None:
        more = long.prompt_tokens - short.prompt_tokens
        measured = (len(_LONG) - len(_SHORT)) / max(more, 1)
        per_token = measured if _PLAUSIBLE[0] <= measured <= _PLAUSIBLE[1] else CHARACTERS_PER_TOKEN
    chat = settings.endpoint == "chat"
    extra = await (_takes_images(transport, client, short) if chat else _scores(transport, client))
    window = next((entry.window for entry in listed if entry.id == settings.model), None)
    return _Found(revision=short.model or settings.model, per_token=per_token, window=window, extra=extra)


def _ask(text: str) -> Generate:
    return Generate(messages=(Message(role="user", content=text),), max_tokens=1)


async def _count(transport: Transport, client: httpx.AsyncClient, ask: Generate) -> _Counted:
    """Ask for one token, and read which model answered and how many tokens the prompt had."""
    settings = transport.settings
    if settings.endpoint == "chat":
        return await _counted(transport, client, CHAT, chat_body(settings.model, ask))
    return await _counted(transport, client, COMPLETIONS, text_body(settings.model, ask))


async def _counted(
    transport: Transport, client: httpx.AsyncClient, path: str, body: Body, attempts: int | None = None
) -> _Counted:
    def take(content: bytes) -> _Counted:
        reply: ChatReply | TextReply = read(content, ChatReply) if path == CHAT else read(content, TextReply)
        if not reply.choices:
            raise AttemptError("the server's answer has no choices", kind="unreadable")
        known = reply.usage is not None and reply.usage.prompt_tokens is not None
        return _Counted(reply.model, usage_of(reply, estimate=Usage()).prompt_tokens if known else None)

    counted, _ = await transport.post(client, Post(path, body, take, attempts=attempts))
    return counted


async def _takes_images(transport: Transport, client: httpx.AsyncClient, short: _Counted) -> bool:
    """Whether an image is accepted and makes the prompt longer: some servers drop it without a word."""
    ask = See(messages=_ask(_SHORT).messages, images=(half_black_png(),), max_tokens=1)
    try:
        seen = await _counted(transport, client, CHAT, see_body(transport.settings.model, ask), 2)
    except AttemptError:
        return False
    if seen.prompt_tokens is None or short.prompt_tokens is None:
        return True
    return seen.prompt_tokens > short.prompt_tokens


async def _scores(transport: Transport, client: httpx.AsyncClient) -> bool:
    """Whether the server gives the log-probabilities of a prompt."""
    ask = Score(messages=_ask(_SHORT).messages, continuation=" Paris is the capital.")

    def take(content: bytes) -> bool:
        score_reply(read(content, TextReply), _SHORT, ask.continuation, Usage())
        return True

    try:
        body = score_body(transport.settings.model, ask)
        await transport.post(client, Post(COMPLETIONS, body, take, attempts=2))
    except AttemptError:
        return False
    return True


def _way_out(settings: ApiSettings, fault: AttemptError, listed: list[ListedModel]) -> str:
    """Say what is wrong with a server, and what to do about it."""
    reason = fault.reason.rstrip(".")
    if fault.kind == "connect":
        return f"{reason}. Start the server, or correct the address in {settings.spec}."
    if fault.status in {401, 403}:
        return f"The server at {settings.url} refuses access: {reason}. Set {KEY_VARIABLES[0]} to a valid key."
    if fault.status is not None and 400 <= fault.status < 500 and listed:
        names = [entry.id for entry in listed]
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        return (
            f"The server at {settings.url} does not answer for the model '{settings.model}': {reason}. "
            f"It lists: {', '.join(names[:_LISTED])}{more}."
        )
    if fault.status == 404 or fault.kind == "unreadable":
        return (
            f"{settings.url} does not answer like an OpenAI-compatible server: {reason}. "
            "Its address ends in /v1 as a rule; check it, and the name of the model."
        )
    return f"The server at {settings.url} does not answer: {reason}. Try again later, or another server."
