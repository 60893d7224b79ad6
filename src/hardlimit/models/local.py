"""Models that transformers runs here: any causal language model, by folder or by name on the Hugging Face hub."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from hardlimit.core import (
    Attend,
    Attended,
    Generate,
    Generated,
    InvalidValueError,
    Message,
    MissingExtraError,
    Score,
    Scored,
    Span,
)
from hardlimit.models.card import ModelCard

try:
    import torch  # noqa: F401  (what the modules below import)
    import transformers  # noqa: F401
except ImportError as error:
    raise MissingExtraError.for_extra("local", str(error.name)) from error

from hardlimit.models.alone import Alone
from hardlimit.models.attention import Reading, failed_reading, row_attention
from hardlimit.models.decode import Generation, Scoring, failed_generation, failed_score
from hardlimit.models.loading import checksum, ends, facts, load
from hardlimit.models.prefix import Engine, Limits
from hardlimit.models.render import Renderer
from hardlimit.models.slots import Packed, RowReader
from hardlimit.models.trial import is_readable, packed_if_faithful
from hardlimit.models.work import Work

AnyRequest = TypeVar("AnyRequest", Generate, Score, Attend)
AnyReply = TypeVar("AnyReply", Generated, Scored, Attended)


def open_local(
    path: str,
    dtype: str = "float32",
    device: str = "cpu",
    *,
    name: str | None = None,
    revision: str | None = None,
) -> "LocalModel":
    """Open a causal language model with transformers.

    Args:
        path: a folder as `save_pretrained` writes it, or a name on the Hugging Face hub.
        dtype: of the weights as loaded: `float32`, `bfloat16` or `float16`.
        device: as torch names it, such as `cpu` or `cuda:0`.
        name: what the card calls it; `local:PATH` if None.
        revision: what pins the weights; found out if None.

    Raises:
        ModelError: if there is no such model, or it cannot be loaded.
        InvalidValueError: if the dtype or the device is unknown.
    """
    model, tokenizer = load(path, dtype, device)
    return adapt(model, tokenizer, name=name or f"local:{path}", revision=revision or checksum(path, model))


def adapt(model: Any, tokenizer: Any, *, name: str, revision: str, limits: Limits | None = None) -> "LocalModel":
    """Adapt a model that is loaded already.

    Where the model's masks allow it, requests are packed and share the beginnings that they have in common. This is
    tried on a few tokens first, against the model's own way; where the logits differ, requests are asked one by one.

    Args:
        model: a transformers causal language model; its attention implementation may be changed.
        tokenizer: its tokenizer.
        name: what the card calls it.
        revision: what pins the weights.
        limits: what bounds the memory of asking; `Limits.within(card)` if None.

    Returns:
        A model that also `Attends` where its attention can be read.
    """
    packed, kind, asking = _asking(model, row_attention)
    renderer = Renderer(tokenizer)
    card = ModelCard(
        name=name,
        adapter=name.partition(":")[0],
        revision=revision,
        chat=renderer.chat,
        settings=asking | {"system": renderer.system},
        **facts(model),
    )
    runner = Engine(packed, limits or Limits.within(card)) if packed is not None else Alone(model)
    return kind(card, renderer, runner, frozenset(ends(model, tokenizer)))


def _asking(model: Any, reading: RowReader | None) -> "tuple[Packed | None, type[LocalModel], dict[str, str]]":
    """Whether requests can be packed, what kind of model that makes, and how a card says it."""
    packed = packed_if_faithful(model, reading)
    kind = ReadableModel if packed is not None and is_readable(packed) else LocalModel
    return (
        packed,
        kind,
        {
            "asking": "shared prefixes" if packed else "one by one",
            "attention": packed.attention if packed else str(model.config._attn_implementation),
            "device": str(model.device),
        },
    )


class LocalModel:
    """A causal language model run by transformers: it generates and scores.

    Args:
        card: what is known about it.
        renderer: makes its prompts.
        runner: computes.
        ends: token ids that end an answer.
    """

    def __init__(self, card: ModelCard, renderer: Renderer, runner: Engine | Alone, ends: frozenset[int]) -> None:
        self._card, self._renderer, self._runner, self._ends = card, renderer, runner, ends

    @property
    def card(self) -> ModelCard:
        """What is known about the model."""
        return self._card

    def changed(
        self,
        change: Callable[[Any], None],
        *,
        name: str,
        settings: Mapping[str, str],
        reading: RowReader | None = row_attention,
    ) -> "LocalModel":
        """Make a model of the same weights whose network is changed; this one stays as it is.

        Args:
            change: changes a transformers model in place; it gets a twin, which shares the weights but neither the
                configuration nor the tables of positions.
            name: what the new card calls it.
            settings: what the new card says of the change.
            reading: how a row of attention is read, as `Packed` takes it; None if it cannot be.
        """
        own = self._runner.network
        shared = [*own.parameters(), *own.state_dict(keep_vars=True).values()]
        network = copy.deepcopy(own, {id(tensor): tensor for tensor in shared})
        if self._card.settings["attention"] == "sdpa":
            network.set_attn_implementation("sdpa")
        change(network)
        packed, kind, asking = _asking(network, reading)
        card = msgspec.structs.replace(
            self._card, name=name, settings=self._card.settings | asking | dict(settings), **facts(network)
        )
        limits = self._runner.limits if isinstance(self._runner, Engine) else Limits.within(card)
        return kind(card, self._renderer, Engine(packed, limits) if packed else Alone(network), self._ends)

    def count_tokens(self, text: str) -> int:
        """Number of tokens of a text by itself, exact."""
        return self._renderer.count(text)

    def prompt(self, messages: Sequence[Message]) -> str:
        """The text that the model is fed for a conversation.

        Raises:
            InvalidValueError: if the chat template refuses the conversation.
        """
        return self._renderer.text(messages)

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Generated]]:
        """Answer a batch, yielding `(index, reply)` as each is ready.

        Log-probabilities are the model's own, whatever the temperature; the token that ends an answer is counted and
        has one, though it is not in the text.
        """
        return self._run(requests, self._generation, failed_generation)

    def score(self, requests: Sequence[Score]) -> Iterator[tuple[int, Scored]]:
        """Score a batch, yielding `(index, reply)` as each is ready; a continuation's tokens count as prompt tokens."""
        return self._run(requests, self._scoring, failed_score)

    def _run(
        self,
        requests: Sequence[AnyRequest],
        begin: Callable[[int, AnyRequest], Work],
        failed: Callable[[str], AnyReply],
    ) -> Iterator[tuple[int, AnyReply]]:
        works = []
        for index, request in enumerate(requests):
            try:
                works.append(begin(index, request))
            except InvalidValueError as error:
                yield index, failed(str(error))
        for work in self._runner.run(works):
            reply: Any = work.reply()
            yield work.index, reply

    def _generation(self, index: int, request: Generate) -> Work:
        tokens = self._renderer.tokens(self.prompt(request.messages))
        self._check(len(tokens), answer=1)
        window = self._card.window
        limit = request.max_tokens if window is None else min(request.max_tokens, window - len(tokens))
        task = Generation(request, len(tokens), limit, self._ends, self._renderer.decode)
        return Work(index=index, tokens=_array(tokens), needs=len(tokens) - 1, room=limit, task=task)

    def _scoring(self, index: int, request: Score) -> Work:
        tokens, boundary = self._renderer.continued(request.messages, request.continuation)
        self._check(len(tokens), answer=0)
        if boundary == 0:
            raise InvalidValueError("The continuation cannot be scored: no token of the prompt stands before it.")
        return Work(index=index, tokens=_array(tokens[:-1]), needs=boundary - 1, room=0, task=Scoring(tokens, boundary))

    def _check(self, tokens: int, answer: int) -> None:
        window = self._card.window
        if tokens == 0:
            raise InvalidValueError("The prompt has no tokens.")
        if window is not None and tokens + answer > window:
            room = f", and {answer} of them must be left for the answer" if answer else ""
            raise InvalidValueError(
                f"The prompt has {tokens:,} tokens, but the window of {self._card.name} has {window:,}{room}."
            )


class ReadableModel(LocalModel):
    """A local model whose attention can be read."""

    def located(self, messages: Sequence[Message], spans: Sequence[Span]) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of a conversation's prompt, and `(first, last + 1)` token positions of each span.

        Raises:
            InvalidValueError: if a span cannot be found in the prompt.
        """
        return self._renderer.located(messages, spans)

    def attend(self, requests: Sequence[Attend]) -> Iterator[tuple[int, Attended]]:
        """Read the last prompt token's attention for a batch, yielding `(index, reply)` as each is ready."""
        return self._run(requests, self._reading, failed_reading)

    def _reading(self, index: int, request: Attend) -> Work:
        tokens, places = self.located(request.messages, request.spans)
        self._check(len(tokens), answer=0)
        spans = [(span.name, place) for span, place in zip(request.spans, places, strict=True)]
        task = Reading(tokens, spans)
        return Work(index=index, tokens=_array(tokens[:-1]), needs=len(tokens) - 1, room=1, task=task)


def _array(tokens: Sequence[int]) -> NDArray[np.int64]:
    return np.array(tokens, dtype=np.int64)
