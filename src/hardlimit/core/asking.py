"""What is asked of a model and what comes back: requests, replies, and what they cost."""

from typing import Literal, TypeAlias

from hardlimit.core.errors import InvalidValueError
from hardlimit.core.values import Value


class Message(Value, frozen=True):
    """One turn of a conversation; models without a chat template get the turns joined as plain text."""

    role: Literal["system", "user", "assistant"]
    content: str


class Usage(Value, frozen=True):
    """What one reply cost.

    Args:
        prompt_tokens: tokens of the prompt as the model counts them.
        cached_tokens: how many of them were not computed again (shared prefix).
        completion_tokens: tokens generated.
        calls: requests sent, retries included.
        seconds: wall-clock share of this reply.
        dollars: price, where a price is known.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 1
    seconds: float = 0.0
    dollars: float | None = None

    @property
    def computed_tokens(self) -> int:
        """Tokens that the model really computed: uncached prompt and completion."""
        return self.prompt_tokens - self.cached_tokens + self.completion_tokens


class Generate(Value, frozen=True, tag=True):
    """A request for text.

    Args:
        messages: the conversation, ending with a user turn.
        max_tokens: the longest answer, in tokens, >= 1.
        temperature: 0 is greedy decoding.
        seed: of the sampling; ignored when greedy.
        stop: texts that end the answer (not included in it).
        logprobs: whether the tokens' log-probabilities are wanted.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    logprobs: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.messages or self.max_tokens < 1 or self.temperature < 0:
            raise InvalidValueError(
                "Generate needs at least one message, max_tokens >= 1 and temperature >= 0, got "
                f"{len(self.messages)} messages, max_tokens={self.max_tokens}, temperature={self.temperature}."
            )


class Score(Value, frozen=True, tag=True):
    """A request for the log-likelihood of a given continuation."""

    messages: tuple[Message, ...]
    continuation: str


class Span(Value, frozen=True):
    """A named stretch of one message's content, in characters: `content[start:end]`."""

    name: str
    message: int
    start: int
    end: int


class Attend(Value, frozen=True, tag=True):
    """A request for what the prompt's last token attends to.

    Args:
        messages: the conversation; the query row is the last token of the rendered prompt.
        spans: stretches of the prompt whose attention mass and margin are wanted (the needle first).
    """

    messages: tuple[Message, ...]
    spans: tuple[Span, ...]


class See(Value, frozen=True, tag=True):
    """A request for text about images.

    Args:
        messages: the conversation; images stand before the last user turn's text.
        images: PNG or JPEG files as bytes.
        max_tokens: the longest answer, in tokens.
    """

    messages: tuple[Message, ...]
    images: tuple[bytes, ...]
    max_tokens: int


class Generated(Value, frozen=True, tag=True):
    """A generated answer.

    Args:
        text: what the model wrote, without stop text.
        finish: why it ended: `stop`, `length` (hit max_tokens), `refused` (a server's filter), `error`.
        token_logprobs: log-probability of each generated token in nats, or None where not given.
        usage: what it cost.
        error: why there is no answer, when `finish` is `error`.
    """

    text: str
    finish: Literal["stop", "length", "refused", "error"]
    token_logprobs: tuple[float, ...] | None = None
    usage: Usage = Usage()
    error: str | None = None


class Scored(Value, frozen=True, tag=True):
    """The log-likelihood of a continuation.

    Args:
        token_logprobs: log-probability in nats of each token of the continuation.
        greedy: whether greedy decoding would have produced it.
        usage: what it cost.
        error: why there is no score, or None.
    """

    token_logprobs: tuple[float, ...]
    greedy: bool
    usage: Usage = Usage()
    error: str | None = None

    @property
    def log_likelihood(self) -> float:
        """Sum of the token log-probabilities, nats."""
        return sum(self.token_logprobs)


class SpanAttention(Value, frozen=True):
    """Attention of the query row on one span, as `(layers, heads)` tables.

    Args:
        name: of the span.
        tokens: `(first, last + 1)` token positions.
        mass: attention weight summed over the span.
        margin: largest logit in the span minus log-sum-exp of every key outside it, nats.
        gap: largest logit in the span minus the mean logit outside it, nats.
        spread: standard deviation of the logits outside it, nats.
    """

    name: str
    tokens: tuple[int, int]
    mass: tuple[tuple[float, ...], ...]
    margin: tuple[tuple[float, ...], ...]
    gap: tuple[tuple[float, ...], ...] = ()
    spread: tuple[tuple[float, ...], ...] = ()


class Attended(Value, frozen=True, tag=True):
    """What one query row attends to, per layer and head.

    Args:
        keys: number of keys the row can attend to, N.
        spans: one entry per requested span.
        entropy: entropy of the row's attention in nats, `(layers, heads)`.
        sink: attention weight on the first token, `(layers, heads)`.
        usage: what it cost.
        error: why there is no reading, or None.
    """

    keys: int
    spans: tuple[SpanAttention, ...]
    entropy: tuple[tuple[float, ...], ...]
    sink: tuple[tuple[float, ...], ...]
    usage: Usage = Usage()
    error: str | None = None


Request: TypeAlias = Generate | Score | Attend | See
Reply: TypeAlias = Generated | Scored | Attended
