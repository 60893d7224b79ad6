"""Choosing tokens: generating an answer, and scoring one that is given."""

from collections.abc import Callable, Sequence

import msgspec
import torch

from hardlimit.core import Generate, Generated, Scored, Usage


def choose(logits: torch.Tensor, temperature: float, generator: torch.Generator) -> int:
    """Choose a token: the likeliest at temperature 0, else one drawn from the tempered distribution.

    Drawing inverts the cumulative distribution at one uniform number, so that a rounding error in the logits, which
    depends on what else was in the batch, changes the choice with a probability of that error only.

    Args:
        logits: `(vocabulary,)`.
        temperature: >= 0.
        generator: the source of chance; untouched at temperature 0.

    >>> choose(torch.tensor([0.0, 3.0, 1.0]), 0.0, torch.Generator())
    1
    """
    if temperature == 0:
        return int(logits.argmax())
    cumulative = torch.softmax(logits.double() / temperature, dim=-1).cumsum(dim=-1)
    drawn = torch.rand(1, generator=generator, dtype=torch.float64) * cumulative[-1]
    return min(int(torch.searchsorted(cumulative, drawn, right=True)), len(logits) - 1)


class Generation:
    """An answer being generated.

    Args:
        request: what was asked.
        prompt: number of the prompt's tokens.
        limit: most tokens of the answer, >= 1.
        ends: token ids that end an answer.
        decode: from token ids to text.
    """

    def __init__(
        self, request: Generate, prompt: int, limit: int, ends: frozenset[int], decode: Callable[[list[int]], str]
    ) -> None:
        self._request, self._prompt, self._limit, self._ends, self._decode = request, prompt, limit, ends, decode
        self._generator = torch.Generator().manual_seed(request.seed)
        self._tokens: list[int] = []
        self._logprobs: list[float] = []
        self._text: str | None = None

    @property
    def done(self) -> bool:
        """Whether it ended by itself, by a stop text, or at its longest."""
        return self._text is not None or len(self._tokens) >= self._limit

    @property
    def next_token(self) -> int:
        """The token chosen last."""
        return self._tokens[-1]

    def absorb(self, position: int, logits: torch.Tensor) -> None:
        """Choose the next token from its logits, `(vocabulary,)`; `position` is the last token's."""
        token = choose(logits, self._request.temperature, self._generator)
        self._tokens.append(token)
        if self._request.logprobs:
            self._logprobs.append(float(logits[token] - logits.logsumexp(-1)))
        if token in self._ends:
            self._text = self._decode(self._tokens[:-1])
        elif self._request.stop:
            text = self._decode(self._tokens)
            cuts = [text.find(stop) for stop in self._request.stop if stop in text]
            if cuts:
                self._text = text[: min(cuts)]

    def reply(self, usage: Usage) -> Generated:
        """The answer."""
        spent = msgspec.structs.replace(usage, prompt_tokens=self._prompt, completion_tokens=len(self._tokens))
        return Generated(
            text=self._decode(self._tokens) if self._text is None else self._text,
            finish="length" if self._text is None else "stop",
            token_logprobs=tuple(self._logprobs) if self._request.logprobs else None,
            usage=spent,
        )

    def failed(self, reason: str) -> Generated:
        """An answer that there is not."""
        return failed_generation(reason)


class Scoring:
    """A continuation being scored.

    Args:
        tokens: of prompt and continuation.
        boundary: how many of them are the prompt's, >= 1.
    """

    def __init__(self, tokens: Sequence[int], boundary: int) -> None:
        self._tokens, self._boundary = tokens, boundary
        self._logprobs: dict[int, float] = {}
        self._greedy = True

    @property
    def done(self) -> bool:
        """Whether every token of the continuation is scored."""
        return len(self._logprobs) == len(self._tokens) - self._boundary

    def absorb(self, position: int, logits: torch.Tensor) -> None:
        """Score the token after a position from its logits, `(vocabulary,)`."""
        following = self._tokens[position + 1]
        self._logprobs[position + 1] = float(logits[following] - logits.logsumexp(-1))
        self._greedy &= int(logits.argmax()) == following

    def reply(self, usage: Usage) -> Scored:
        """The score."""
        logprobs = tuple(self._logprobs[position] for position in sorted(self._logprobs))
        spent = msgspec.structs.replace(usage, prompt_tokens=len(self._tokens))
        return Scored(token_logprobs=logprobs, greedy=self._greedy, usage=spent)

    def failed(self, reason: str) -> Scored:
        """A score that there is not."""
        return failed_score(reason)


def failed_generation(reason: str) -> Generated:
    """A reply that says why there is no answer."""
    return Generated(text="", finish="error", error=reason)


def failed_score(reason: str) -> Scored:
    """A reply that says why there is no score."""
    return Scored(token_logprobs=(), greedy=False, error=reason)
