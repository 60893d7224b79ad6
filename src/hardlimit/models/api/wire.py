"""The OpenAI-compatible wire: bodies of requests, and replies read strictly enough to notice what is broken."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from hardlimit.core import Generate, Generated, Message, Score, Scored, See, Usage
from hardlimit.models.api.faults import AttemptError, one_line

OPTIONAL = frozenset({"logprobs", "seed", "stop", "top_p"})
"""Fields that can be left out when a server refuses them; stop texts are then cut off here."""
LIMIT, NEW_LIMIT = "max_tokens", "max_completion_tokens"
_LENGTH = frozenset({"length", "max_tokens"})
_REFUSED = frozenset({"content_filter", "safety", "refusal"})
_BROKEN = frozenset({"error", "abort", "cancelled"})
_REFUSES = re.compile(
    r"not (supported|permitted|allowed|accepted)|unsupported|unexpected|unknown|unrecognized|extra|invalid",
    re.IGNORECASE,
)
Finish = Literal["stop", "length", "refused"]
Body = dict[str, Any]


class _Cached(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Cached | None = None


class _Part(msgspec.Struct):
    text: str = ""


class _Said(msgspec.Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None


class _Token(msgspec.Struct):
    token: str
    logprob: float | None = None


class _Tokens(msgspec.Struct):
    content: list[_Token] | None = None


class _Turn(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None
    logprobs: _Tokens | None = None


class _Columns(msgspec.Struct):
    tokens: list[str] = []
    token_logprobs: list[float | None] = []
    top_logprobs: list[dict[str, float | None] | None] | None = None
    text_offset: list[int] = []
    content: list[_Token] | None = None
    """How llama.cpp's server gives them here too, instead of the columns."""


class _Text(msgspec.Struct):
    text: str | None = None
    finish_reason: str | None = None
    logprobs: _Columns | None = None


class _Reply(msgspec.Struct):
    model: str | None = None
    usage: _Usage | None = None
    error: Any = None


class ChatReply(_Reply):
    """What `/chat/completions` answers."""

    choices: list[_Turn] = []


class TextReply(_Reply):
    """What `/completions` answers."""

    choices: list[_Text] = []


class ListedModel(msgspec.Struct):
    """One entry of `/models`; servers name the window in different ways."""

    id: str
    max_model_len: int | None = None
    context_length: int | None = None
    context_window: int | None = None

    @property
    def window(self) -> int | None:
        """Longest context in tokens, where the server says."""
        return self.max_model_len or self.context_length or self.context_window


class ModelList(msgspec.Struct):
    """What `/models` answers."""

    data: list[ListedModel] = []


Read = TypeVar("Read")


def read(content: bytes, kind: type[Read]) -> Read:
    """Read a reply's JSON, or say what is wrong with it.

    >>> read(b'{"choices": [{"message": {"content": "hi"}}]}', ChatReply).choices[0].message.content
    'hi'
    >>> read(b"<html><body>Welcome", ChatReply)
    Traceback (most recent call last):
    ...
    hardlimit.models.api.faults.AttemptError: the server sent a web page instead of JSON
    """
    try:
        reply = msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if content.lstrip()[:1] == b"<":
            raise AttemptError("the server sent a web page instead of JSON", kind="unreadable") from None
        if isinstance(error, msgspec.ValidationError):
            raise AttemptError(
                f"the server's JSON is not as agreed: {one_line(str(error))}", kind="unreadable"
            ) from None
        what = "truncated" if "truncated" in str(error) else "malformed"
        raise AttemptError(f"the server sent {what} JSON ({len(content)} bytes)", kind="unreadable") from None
    if isinstance(reply, _Reply) and reply.error is not None:
        raise AttemptError(f"the server reports an error: {error_message(content)}", kind="unreadable")
    return reply


def error_message(content: bytes) -> str:
    """Find the message in an error's body, in whichever of the usual places it stands.

    >>> error_message(b'{"error": {"message": "No such model", "code": 404}}')
    'No such model'
    >>> error_message(b'{"detail": "Unexpected field"}')
    'Unexpected field'
    """
    try:
        found: Any = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = content.decode("utf-8", errors="replace")
        return "a web page" if found.lstrip().startswith("<") else one_line(found) or "no message"
    for name in ("error", "message", "detail"):
        if isinstance(found, Mapping) and name in found:
            found = found[name]
    return one_line(found if isinstance(found, str) else msgspec.json.encode(found).decode()) or "no message"


def refused_field(message: str, body: Body) -> str | None:
    """Name the field of the body that an error message refuses and that a request can do without.

    >>> refused_field("Unsupported parameter: 'logprobs'", {"logprobs": True, "max_tokens": 4})
    'logprobs'
    >>> refused_field("'max_tokens' is not supported; use 'max_completion_tokens'", {"max_tokens": 4})
    'max_tokens'
    >>> refused_field("max_tokens is too large", {"max_tokens": 4}) is None
    True
    """
    if LIMIT in body and NEW_LIMIT in message:
        return LIMIT
    if not _REFUSES.search(message):
        return None
    return next((name for name in sorted(OPTIONAL & body.keys()) if re.search(rf"\b{name}\b", message)), None)


def without(body: Body, refused: frozenset[str]) -> Body:
    """Leave out what the server refuses; a token limit goes under its newer name instead."""
    kept = {name: value for name, value in body.items() if name not in refused}
    if LIMIT in body and LIMIT in refused:
        kept[NEW_LIMIT] = body[LIMIT]
    return kept


def chat_body(model: str, ask: Generate) -> Body:
    """Body of a chat request."""
    messages = [{"role": message.role, "content": message.content} for message in ask.messages]
    return {"model": model, "messages": messages, **_decoding(ask), **({"logprobs": True} if ask.logprobs else {})}


def text_body(model: str, ask: Generate) -> Body:
    """Body of a completions request."""
    return {
        "model": model,
        "prompt": plain(ask.messages),
        **_decoding(ask),
        **({"logprobs": 1} if ask.logprobs else {}),
    }


def _decoding(ask: Generate) -> Body:
    body: Body = {LIMIT: ask.max_tokens, "temperature": ask.temperature}
    if ask.temperature > 0:
        body |= {"seed": ask.seed, "top_p": 1}
    if ask.stop:
        body["stop"] = list(ask.stop)
    return body


def see_body(model: str, ask: See) -> Body:
    """Body of a chat request with images before the last user turn's text."""
    messages: list[dict[str, Any]] = [{"role": m.role, "content": m.content} for m in ask.messages]
    last = max(index for index, message in enumerate(ask.messages) if message.role == "user")
    images = [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in ask.images]
    messages[last]["content"] = [*images, {"type": "text", "text": ask.messages[last].content}]
    return {"model": model, "messages": messages, LIMIT: ask.max_tokens, "temperature": 0.0}


def _data_url(image: bytes) -> str:
    kinds = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}
    kind = next((kind for magic, kind in kinds.items() if image.startswith(magic)), None)
    if kind is None:
        raise AttemptError("an image is neither a PNG nor a JPEG file", kind="request", again=False)
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def score_body(model: str, ask: Score) -> Body:
    """Body of a completions request that gives back the prompt's own log-probabilities.

    One token is generated, since not every server allows none; it is not used.
    """
    prompt = plain(ask.messages) + ask.continuation
    return {"model": model, "prompt": prompt, LIMIT: 1, "temperature": 0.0, "echo": True, "logprobs": 1}


def plain(messages: Sequence[Message]) -> str:
    """Join the turns as plain text, for models without a chat template."""
    return "\n\n".join(message.content for message in messages)


def chat_reply(reply: ChatReply, stop: Sequence[str], usage: Usage) -> Generated:
    """Turn a chat reply into an answer, or raise the `AttemptError` in it."""
    if not reply.choices:
        raise AttemptError("the server's answer has no choices", kind="unreadable")
    turn = reply.choices[0]
    finish = _finish(turn.finish_reason)
    content = turn.message.content
    text = "".join(part.text for part in content) if isinstance(content, list) else content
    if turn.message.refusal and not text:
        return Generated(text=turn.message.refusal, finish="refused", usage=usage)
    tokens = (turn.logprobs and turn.logprobs.content) or []
    pairs = [(token.token, token.logprob) for token in tokens]
    return _generated(text, finish, pairs, stop, usage)


def text_reply(reply: TextReply, stop: Sequence[str], usage: Usage) -> Generated:
    """Turn a completions reply into an answer, or raise the `AttemptError` in it."""
    if not reply.choices:
        raise AttemptError("the server's answer has no choices", kind="unreadable")
    choice = reply.choices[0]
    columns = choice.logprobs or _Columns()
    pairs = list(zip(columns.tokens, columns.token_logprobs, strict=False))
    pairs = pairs or [(token.token, token.logprob) for token in columns.content or []]
    return _generated(choice.text, _finish(choice.finish_reason), pairs, stop, usage)


def _finish(reason: str | None) -> Finish:
    if reason in _BROKEN:
        raise AttemptError(f"the server broke the answer off ({reason})", kind="unreadable")
    if reason in _LENGTH:
        return "length"
    return "refused" if reason in _REFUSED else "stop"


def _generated(
    text: str | None, finish: Finish, pairs: Sequence[tuple[str, float | None]], stop: Sequence[str], usage: Usage
) -> Generated:
    if text is None and finish == "stop":
        raise AttemptError("the server's answer has no content", kind="unreadable")
    written = text or ""
    end = min((at for word in stop if word and (at := written.find(word)) >= 0), default=None)
    if end is not None:
        written, finish = written[:end], "stop"
        pairs = _covering(pairs, end)
    numbers = [logprob for _, logprob in pairs if logprob is not None]
    known = bool(numbers) and len(numbers) == len(pairs)
    logprobs = tuple(min(number, 0.0) for number in numbers) if known else None
    return Generated(text=written, finish=finish, token_logprobs=logprobs, usage=usage)


def _covering(pairs: Sequence[tuple[str, float | None]], length: int) -> list[tuple[str, float | None]]:
    """The first tokens, until their text is `length` characters long."""
    kept: list[tuple[str, float | None]] = []
    covered = 0
    for token, logprob in pairs:
        if covered >= length:
            break
        kept.append((token, logprob))
        covered += len(token)
    return kept


def score_reply(reply: TextReply, prompt: str, continuation: str, usage: Usage) -> Scored:
    """Take the continuation's log-probabilities out of an echoed prompt, or raise the `AttemptError` in it.

    A token that begins in the prompt and ends in the continuation counts as the continuation's. Where the server names
    no best token, `greedy` is False.
    """
    if not reply.choices:
        raise AttemptError("the server's answer has no choices", kind="unreadable")
    columns = reply.choices[0].logprobs
    if columns is None or not columns.tokens or len(columns.tokens) != len(columns.token_logprobs):
        raise AttemptError("the server gives no log-probabilities of a prompt (echo)", kind="request", again=False)
    first, end = _stretch(columns, prompt, continuation)
    numbers = [number for number in columns.token_logprobs[first:end] if number is not None]
    if not numbers or len(numbers) != end - first:
        raise AttemptError("the server's echo does not hold the whole continuation", kind="unreadable", again=False)
    tops = (columns.top_logprobs or [])[first:end]
    best = [max((p for p in (top or {}).values() if p is not None), default=0.0) for top in tops]
    greedy = len(best) == len(numbers) and all(number >= top for number, top in zip(numbers, best, strict=True))
    return Scored(token_logprobs=tuple(min(number, 0.0) for number in numbers), greedy=greedy, usage=usage)


def _stretch(columns: _Columns, prompt: str, continuation: str) -> tuple[int, int]:
    """Find which tokens are the continuation: `(first, last + 1)`.

    The tokens' own text is counted from the end, where one generated token may follow, since some servers count a
    start token's text in the offsets. Where tokens are pieces of characters, the offsets have to do.
    """
    written = prompt[-32:] + continuation
    for generated in (1, 0):
        end = len(columns.tokens) - generated
        if "".join(columns.tokens[:end]).endswith(written):
            first, missing = end, len(continuation)
            while missing > 0:
                first -= 1
                missing -= len(columns.tokens[first])
            return first, end
    start, stop = len(prompt), len(prompt) + len(continuation)
    inside = [
        index
        for index, (token, offset) in enumerate(zip(columns.tokens, columns.text_offset, strict=False))
        if offset < stop and offset + len(token) > start
    ]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def usage_of(reply: ChatReply | TextReply, *, estimate: Usage) -> Usage:
    """What the server says a reply cost; what it does not say is taken from the estimate."""
    usage = reply.usage or _Usage()
    cached = (usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens) or 0
    prompt = estimate.prompt_tokens if usage.prompt_tokens is None else max(0, usage.prompt_tokens)
    completion = estimate.completion_tokens if usage.completion_tokens is None else max(0, usage.completion_tokens)
    return Usage(
        prompt_tokens=prompt,
        cached_tokens=min(max(0, cached), prompt),
        completion_tokens=completion,
        calls=estimate.calls,
    )
