"""A toy whose trouble is in the asking, not in the knowing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from hardlimit.core import Case, Generate, Generated, InvalidValueError, Score, Scored, Usage
from hardlimit.models.card import ModelCard
from hardlimit.models.toy.base import Toy, check_probability, key_of
from hardlimit.models.toy.kinds import Perfect


@dataclass
class Flaky:
    """A toy with faults in the way: some answers fail, some are nothing readable, some break off.

    Args:
        inner: the toy that would answer.
        fail_rate: share of requests that come back as an error.
        malformed_rate: share of answers that are empty.
        truncate_rate: share of answers that break off, as if `max_tokens` were reached.
        seed: of the faults; the same request always meets the same fault.
    """

    inner: Toy = field(default_factory=Perfect)
    fail_rate: float = field(default=0.1, kw_only=True)
    malformed_rate: float = field(default=0.1, kw_only=True)
    truncate_rate: float = field(default=0.1, kw_only=True)
    seed: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        check_probability(
            "Flaky",
            fail_rate=self.fail_rate,
            malformed_rate=self.malformed_rate,
            truncate_rate=self.truncate_rate,
        )
        if self.fail_rate + self.malformed_rate + self.truncate_rate > 1:
            raise InvalidValueError(
                "Flaky needs fail_rate + malformed_rate + truncate_rate <= 1, got "
                f"{self.fail_rate} + {self.malformed_rate} + {self.truncate_rate}."
            )

    @property
    def card(self) -> ModelCard:
        """The inner toy's facts and the rates."""
        inner = self.inner.card
        rates = {name: str(getattr(self, name)) for name in ("fail_rate", "malformed_rate", "truncate_rate", "seed")}
        inside = {f"inner.{name}": value for name, value in inner.settings.items()}
        return ModelCard(
            name="toy:flaky",
            adapter="toy",
            revision=inner.revision,
            window=inner.window,
            settings={"inner": inner.name, **inside, **rates},
        )

    def count_tokens(self, text: str) -> int:
        """Count tokens as the inner toy does."""
        return self.inner.count_tokens(text)

    def study(self, cases: Sequence[Case]) -> None:
        """Let the inner toy learn the answers of cases."""
        self.inner.study(cases)

    def _fate(self, ask: Generate | Score) -> float:
        seed = ask.seed if isinstance(ask, Generate) and ask.temperature > 0 else 0
        return float(np.random.default_rng([self.seed, seed, *key_of(ask)]).random())

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Generated]]:
        """Answer each request in order, with faults."""
        for index, reply in self.inner.generate(requests):
            yield index, self._spoil(self._fate(requests[index]), reply)

    def score(self, requests: Sequence[Score]) -> Iterator[tuple[int, Scored]]:
        """Score each request in order; only failures can happen to a score."""
        for index, reply in self.inner.score(requests):
            failed = self._fate(requests[index]) < self.fail_rate
            yield index, Scored(token_logprobs=(), greedy=False, error=_FAILURE) if failed else reply

    def _spoil(self, fate: float, reply: Generated) -> Generated:
        if reply.finish == "error":
            return reply
        if fate < self.fail_rate:
            return Generated(text="", finish="error", error=_FAILURE)
        if fate < self.fail_rate + self.malformed_rate:
            usage = Usage(prompt_tokens=reply.usage.prompt_tokens)
            return Generated(text="", finish="stop", token_logprobs=reply.token_logprobs and (), usage=usage)
        if fate < self.fail_rate + self.malformed_rate + self.truncate_rate:
            return self._break_off(reply)
        return reply

    def _break_off(self, reply: Generated) -> Generated:
        text = reply.text[: max(1, len(reply.text) // 3)]
        tokens = self.count_tokens(text)
        logprobs = reply.token_logprobs
        return Generated(
            text=text,
            finish="length",
            token_logprobs=None if logprobs is None else logprobs[:tokens],
            usage=Usage(prompt_tokens=reply.usage.prompt_tokens, completion_tokens=tokens),
        )


_FAILURE = "The toy server dropped the connection (this toy fails on purpose)."
