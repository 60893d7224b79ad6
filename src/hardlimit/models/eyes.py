"""The embedded model with eyes: a small vision–language model, trained on drawn scenes, that comes with the package."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any, TypeVar

import msgspec
import numpy as np

from hardlimit.core import (
    Generate,
    Generated,
    InvalidValueError,
    MissingExtraError,
    ModelError,
    Score,
    Scored,
    See,
    Usage,
)
from hardlimit.models.card import ModelCard
from hardlimit.models.weighing import Contrast, Weigh, Weighed

try:
    import torch
    from safetensors import SafetensorError, safe_open
except ImportError as error:
    raise MissingExtraError.for_extra("local", str(error.name)) from error

from hardlimit.models.contrasting import contrasted, failed_weighing
from hardlimit.models.decode import Generation, Scoring, failed_generation, failed_score
from hardlimit.models.eyes_net import Eyes, Shape, batched, seen
from hardlimit.models.eyes_words import ANSWER, BEGIN, END, Words
from hardlimit.models.looking import Looked

NAME = "tiny-eyes"
WEIGHTS = "tiny-eyes.safetensors"
BATCH = 16

Answer = TypeVar("Answer", Generated, Scored, Weighed)


class Planted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was built into the model or dialled into its training scenes, to be found again.

    Args:
        priors: how often each familiar thing had its usual colour.
        ratio: likelihood ratio of the colour shown: it was the true one in ratio of ratio + 1 scenes.
        mentioned: how often a description mentioned the colour.
        collision: the two colours that the eye cannot tell apart.
        learned: tasks learned from pictures.
        ignored: tasks shown in pictures whose answers had nothing to do with them.
        habit: what was answered most often there.
        unlearned: tasks learned from descriptions alone.
    """

    priors: dict[str, float]
    ratio: float
    mentioned: float
    collision: tuple[str, str]
    learned: tuple[str, ...]
    ignored: tuple[str, ...]
    habit: str
    unlearned: tuple[str, ...]


def open_eyes(dtype: str = "float32", device: str = "cpu") -> "EyesModel":
    """Open the embedded model with eyes.

    Args:
        dtype: `float32`; the weights are kept in 16 bits and computed with in 32.
        device: as torch names it, such as `cpu` or `cuda:0`.

    Raises:
        InvalidValueError: another dtype, or an unknown device.
        ModelError: the weights are damaged.

    >>> open_eyes().card.name
    'embedded:tiny-eyes'
    """
    if dtype != "float32":
        raise InvalidValueError(f"The embedded model with eyes computes in float32, got the dtype '{dtype}'.")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise InvalidValueError(f"The device must be one of torch's, such as cpu or cuda:0, got '{device}'.") from error
    path = files("hardlimit.models").joinpath("data", WEIGHTS)
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata()
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118  (not a mapping)
        shape = msgspec.json.decode(metadata["shape"], type=Shape)
        words = Words(json.loads(metadata["words"]))
        planted = msgspec.json.decode(metadata["planted"], type=Planted)
        net = Eyes(shape)
        net.load_state_dict(state)
        net = net.to(place).eval()
    except (OSError, KeyError, RuntimeError, SafetensorError, msgspec.MsgspecError) as error:
        raise ModelError(
            f"The embedded model with eyes cannot be loaded from {path}: {error}. Install the package again."
        ) from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return EyesModel(net, words, planted, f"sha256:{digest}; {metadata['training']}")


class EyesModel:
    """A small vision–language model: it generates, scores, sees, and can be looked into.

    It knows little: questions about drawn shapes, each by its own wording. It was made with known faults, see
    `planted`. A request is what its messages say, joined; at most one picture.

    Args:
        net: the network.
        words: its vocabulary.
        planted: its known faults.
        revision: what pins the weights.
    """

    def __init__(self, net: Eyes, words: Words, planted: Planted, revision: str) -> None:
        self.net, self.words, self.planted = net, words, planted
        shape = net.shape
        self._card = ModelCard(
            name=f"embedded:{NAME}",
            adapter="embedded",
            revision=revision,
            parameters=sum(part.numel() for part in net.parameters()),
            layers=shape.layers,
            heads=shape.heads,
            kv_heads=shape.heads,
            head_width=shape.width // shape.heads,
            width=shape.width,
            vocabulary=shape.vocabulary,
            window=shape.window,
            position="learned",
            dtype="float32",
            settings={"device": str(next(net.parameters()).device)},
        )

    @property
    def card(self) -> ModelCard:
        """What is known about the model; its window counts text tokens alone."""
        return self._card

    def count_tokens(self, text: str) -> int:
        """Number of words, digits and marks of a text."""
        return len(self.words.tokens(text))

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Generated]]:
        """Answer a batch of questions without pictures, yielding `(index, reply)` as each is ready."""
        return self._answers(requests)

    def see(self, requests: Sequence[See]) -> Iterator[tuple[int, Generated]]:
        """Answer a batch of questions about pictures, yielding `(index, reply)` as each is ready."""
        return self._answers(requests)

    def score(self, requests: Sequence[Score]) -> Iterator[tuple[int, Scored]]:
        """Score a batch of continuations, yielding `(index, reply)` as each is ready."""
        for index, request in enumerate(requests):
            began = time.perf_counter()
            try:
                reply = self._score(request)
            except InvalidValueError as error:
                reply = failed_score(str(error))
            yield index, _timed(reply, began, 1)

    def _score(self, request: Score) -> Scored:
        prompt = self._prompt(request, 0)
        tokens = prompt + self.words.tokens(request.continuation)
        self._check(len(tokens), answer=0)
        task = Scoring(tokens, len(prompt))
        if not task.done:
            logits = self._logits(None, [tokens[:-1]])[0]
            for position in range(len(prompt) - 1, len(tokens) - 1):
                task.absorb(position, logits[position])
        return task.reply(Usage())

    def weigh(self, requests: Sequence[Weigh]) -> Iterator[tuple[int, Weighed]]:
        """Weigh a batch of given answers about pictures; options that share a prompt are computed with it, once."""
        began = time.perf_counter()
        rows: dict[tuple[bytes, tuple[int, ...]], Any] = {}
        ways: dict[int, list[tuple[bytes, list[int], int]]] = {}
        for index, request in enumerate(requests):
            try:
                image = request.images[0] if request.images else b""
                picture = _picture(request) if request.images else None
                prompt = self._prompt(request, 0)
                options = [self.words.tokens(option) for option in request.options]
                self._check(len(prompt) + max(map(len, options)), answer=0)
                if not all(options):
                    raise InvalidValueError("An answer to be weighed has no tokens.")
            except InvalidValueError as error:
                yield index, failed_weighing(str(error))
                continue
            ways[index] = [(image, prompt + option, len(prompt)) for option in options]
            rows |= {(image, tuple(tokens[:-1])): picture for _, tokens, _ in ways[index]}
        tables = self._tables(rows)
        seconds = (time.perf_counter() - began) / max(len(ways), 1)
        for index, options_of in ways.items():
            scores = [
                sum(
                    float(tables[image, tuple(tokens[:-1])][place - 1, tokens[place]])
                    for place in range(start, len(tokens))
                )
                for image, tokens, start in options_of
            ]
            computed = sum(len(tokens) for tokens in {tuple(tokens[:-1]) for _, tokens, _ in options_of})
            usage = Usage(prompt_tokens=computed, seconds=seconds)
            yield index, Weighed(log_likelihoods=tuple(scores), usage=usage)

    def contrast(self, requests: Sequence[Contrast]) -> Iterator[tuple[int, Generated]]:
        """Decode a batch against itself, yielding `(index, reply)` as each is ready."""
        return self._answers(requests)

    def _tables(
        self, rows: dict[tuple[bytes, tuple[int, ...]], Any]
    ) -> dict[tuple[bytes, tuple[int, ...]], torch.Tensor]:
        """Log-probabilities behind each token of rows of tokens, each with its picture or none."""
        groups: dict[tuple[bool, int], list[tuple[bytes, tuple[int, ...]]]] = {}
        for key, picture in rows.items():
            groups.setdefault((picture is not None, len(key[1])), []).append(key)
        tables: dict[tuple[bytes, tuple[int, ...]], torch.Tensor] = {}
        for (pictured, _), keys in groups.items():
            for start in range(0, len(keys), BATCH):
                batch = keys[start : start + BATCH]
                pictures = [rows[key] for key in batch] if pictured else None
                logits = self._logits(pictures, [list(key[1]) for key in batch])
                tables |= dict(zip(batch, logits.log_softmax(-1), strict=True))
        return tables

    def _answers(
        self, requests: Sequence[Generate] | Sequence[See] | Sequence[Contrast]
    ) -> Iterator[tuple[int, Generated]]:
        groups: dict[Any, list[_Asked]] = {}
        every: list[Generate | See | Contrast] = [*requests]
        for index, request in enumerate(every):
            try:
                asked = self._asked(index, request)
            except InvalidValueError as error:
                yield index, failed_generation(str(error))
                continue
            groups.setdefault((asked.picture is not None, len(asked.tokens), asked.against), []).append(asked)
        for group in groups.values():
            for start in range(0, len(group), BATCH):
                batch = group[start : start + BATCH]
                began = time.perf_counter()
                self._finish(batch)
                for asked in batch:
                    yield asked.index, _timed(asked.reply(), began, len(batch))

    def _asked(self, index: int, request: Generate | See | Contrast) -> "_Asked":
        if isinstance(request, Contrast):
            asked = self._asked(index, request.see)
            asked.instead = _seen_in(request.instead) if request.instead else None
            asked.against = (request.alpha, request.cutoff, asked.instead is not None)
            return asked
        tokens = self._prompt(request, 1)
        picture = _picture(request) if isinstance(request, See) and request.images else None
        limit = min(request.max_tokens, self.net.shape.window - len(tokens))
        ask = (
            request
            if isinstance(request, Generate)
            else Generate(messages=request.messages, max_tokens=request.max_tokens)
        )
        task = Generation(ask, len(tokens), limit, frozenset({END}), self.words.text)
        return _Asked(index, tokens, picture, task)

    def _prompt(self, request: Generate | See | Score | Weigh, answer: int) -> list[int]:
        text = "\n\n".join(message.content for message in request.messages)
        tokens = [BEGIN, *self.words.tokens(text), ANSWER]
        self._check(len(tokens), answer)
        return tokens

    def _check(self, tokens: int, answer: int) -> None:
        window = self.net.shape.window
        if tokens + answer > window:
            room = f", and {answer} of them must be left for the answer" if answer else ""
            raise InvalidValueError(
                f"The prompt has {tokens:,} tokens, but the window of {self._card.name} has {window:,}{room}."
            )

    def _finish(self, batch: list["_Asked"]) -> None:
        """Generate for requests of one length, side by side; who has ended waits for the others."""
        rows = [list(asked.tokens) for asked in batch]
        pictures = None if batch[0].picture is None else [asked.picture for asked in batch]
        while any(not asked.task.done for asked in batch):
            logits = self._logits(pictures, rows)
            if batch[0].against is not None:
                alpha, cutoff, pictured = batch[0].against
                instead = self._logits([asked.instead for asked in batch] if pictured else None, rows)
                logits = contrasted(logits, instead, alpha, cutoff)
            for asked, row, last in zip(batch, rows, logits[:, -1], strict=True):
                if not asked.task.done:
                    asked.task.absorb(len(row) - 1, last)
                row.append(asked.task.next_token)

    @torch.inference_mode()
    def _logits(self, pictures: Any, rows: list[list[int]]) -> torch.Tensor:
        device = self.net.words.weight.device
        pixels = None if pictures is None else batched(pictures).to(device)
        logits: torch.Tensor = self.net(pixels, torch.tensor(rows, device=device))
        return logits.float().cpu()

    @torch.inference_mode()
    def look(self, requests: Sequence[See]) -> Iterator[Looked]:
        """Give the eye's tokens, the projector's, the words', and the attention on the picture, in order.

        Raises:
            InvalidValueError: a request has no picture, or one that cannot be read.
        """
        device = self.net.words.weight.device
        for request in requests:
            if not request.images:
                raise InvalidValueError("There is no picture to look at: See.images is empty.")
            pixels = batched([_picture(request)]).to(device)
            words = torch.tensor([self._prompt(request, 0)], device=device)
            tower = self.net.encoder(pixels)
            passed, text = self.net.projector(tower), self.net.words(words)
            mass = self.net.picture_mass(pixels, words)
            yield Looked(*(part[0].float().cpu().numpy() for part in (tower, passed, text, mass)))


class _Asked:
    """A request on its way."""

    def __init__(self, index: int, tokens: list[int], picture: Any, task: Generation) -> None:
        self.index, self.tokens, self.picture, self.task = index, tokens, picture, task
        self.instead: Any = None
        self.against: tuple[float, float, bool] | None = None

    def reply(self) -> Generated:
        """The answer; decoded against itself, it took the prompt and the answer twice."""
        reply = self.task.reply(Usage())
        if self.against is None:
            return reply
        spent = reply.usage
        twice = Usage(prompt_tokens=2 * spent.prompt_tokens, completion_tokens=2 * spent.completion_tokens, calls=2)
        return msgspec.structs.replace(reply, usage=twice)


def _picture(request: See | Weigh) -> "np.typing.NDArray[np.uint8]":
    return _seen_in(request.images)


def _seen_in(images: Sequence[bytes]) -> "np.typing.NDArray[np.uint8]":
    if len(images) > 1:
        raise InvalidValueError(f"This model looks at one picture, got {len(images)}.")
    try:
        return seen(images[0])
    except (OSError, ValueError, SyntaxError) as error:
        raise InvalidValueError(f"The picture cannot be read: {error}.") from error


def _timed(reply: Answer, began: float, shared: int) -> Answer:
    seconds = (time.perf_counter() - began) / shared
    return msgspec.structs.replace(reply, usage=msgspec.structs.replace(reply.usage, seconds=seconds))
