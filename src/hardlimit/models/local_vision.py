"""Vision–language models that transformers runs here: any image-text-to-text model, by folder or by name on the hub."""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import torch
from jinja2 import TemplateError
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    GenerationConfig,
)
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
)

from hardlimit.core import Generate, Generated, InvalidValueError, Message, ModelError, Score, Scored, See, Usage
from hardlimit.models.card import ModelCard
from hardlimit.models.contrasting import Against, failed_weighing, likelihoods
from hardlimit.models.decode import Scoring, failed_generation, failed_score
from hardlimit.models.loading import DTYPES, checksum, ends, facts, quietly
from hardlimit.models.looking import Looked
from hardlimit.models.weighing import Contrast, Weigh, Weighed

PICTURE_ROW = "hardlimit_picture_row"
PROCESSORS = ("processor_config.json", "preprocessor_config.json")
PROJECTORS = ("multi_modal_projector", "connector", "merger", "mm_projector", "aligner")
SEPARATOR = "\n\n"

Ask = TypeVar("Ask", Generate, See, Score, Weigh, Contrast)
Answer = TypeVar("Answer", Generated, Scored, Weighed)


def is_vision(path: str) -> bool:
    """Whether a model takes pictures: its kind is known to, and a folder of it also has a picture processor."""
    folder = Path(path).expanduser()
    if folder.is_dir() and not any((folder / name).is_file() for name in PROCESSORS):
        return False
    try:
        with quietly():
            kind = AutoConfig.from_pretrained(str(folder) if folder.is_dir() else path).model_type
    except (OSError, ValueError, KeyError):
        return False  # whoever loads it says what is wrong
    pictures = kind in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    return pictures and (folder.is_dir() or kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def open_vision(path: str, dtype: str = "float32", device: str = "cpu", *, name: str | None = None) -> "VisionModel":
    """Open a vision–language model with transformers.

    Args:
        path: a folder as `save_pretrained` writes it, with its processor, or a name on the Hugging Face hub.
        dtype: of the weights as loaded: `float32`, `bfloat16` or `float16`.
        device: as torch names it, such as `cpu` or `cuda:0`.
        name: what the card calls it; `local:PATH` if None.

    Raises:
        ModelError: if the model or its processor cannot be loaded.
        InvalidValueError: if the dtype or the device is unknown.
    """
    if dtype not in DTYPES:
        raise InvalidValueError(f"The dtype must be one of {', '.join(DTYPES)}, got '{dtype}'.")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise InvalidValueError(f"The device must be one of torch's, such as cpu or cuda:0, got '{device}'.") from error
    folder = Path(path).expanduser()
    where, options = (str(folder), {"local_files_only": True}) if folder.is_dir() else (path, {})
    try:
        with quietly():
            processor = AutoProcessor.from_pretrained(where, **options)
            loader = AutoModelForImageTextToText.from_pretrained
            model, info = loader(where, dtype=DTYPES[dtype], output_loading_info=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError, SafetensorError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"The vision–language model '{path}' cannot be loaded: {reason[0].rstrip('.')}. Check the path, and that "
            "its processor needs no package that is missing here (some need torchvision)."
        ) from error
    absent = sorted(info["missing_keys"]) + [str(key[0]) for key in info["mismatched_keys"]]
    if absent:
        raise ModelError(f"The model '{path}' cannot be loaded: it lacks {len(absent)} tensors, such as {absent[0]}.")
    return VisionModel(model.to(place).eval(), processor, name=name or f"local:{path}", revision=checksum(path, model))


class VisionModel:
    """A vision–language model run by transformers, one request at a time: it generates, scores, sees and shows.

    Args:
        model: the model.
        processor: makes its inputs of text and pictures.
        name: what the card calls it.
        revision: what pins the weights.
    """

    def __init__(self, model: Any, processor: Any, *, name: str, revision: str) -> None:
        self._model, self._processor, self._tokenizer = model, processor, processor.tokenizer
        self._template = getattr(processor, "chat_template", None) or self._tokenizer.chat_template
        self._ends = sorted(ends(model, self._tokenizer))
        self._projector = next(
            (part for path, part in model.named_modules() if path.rsplit(".", 1)[-1] in PROJECTORS), None
        )
        settings = {
            "asking": "one by one",
            "attention": str(model.config._attn_implementation),
            "device": str(model.device),
            "pictures": type(processor).__name__,
        }
        chat = "processor's template" if self._template else "plain"
        self._card = ModelCard(
            name=name,
            adapter=name.partition(":")[0],
            revision=revision,
            chat=chat,
            settings=settings,
            **facts(model),
        )

    @property
    def card(self) -> ModelCard:
        """What is known about the model."""
        return self._card

    def count_tokens(self, text: str) -> int:
        """Number of tokens of a text by itself, exact."""
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def prompt(self, messages: Sequence[Message], pictures: int = 0) -> str:
        """The text that a conversation becomes; pictures stand before the last user turn's text.

        Raises:
            InvalidValueError: if the chat template refuses the conversation.
        """
        if not self._template:
            # Such processors put the picture's own tokens before the text by themselves.
            return SEPARATOR.join(message.content for message in messages)
        last = max((i for i, m in enumerate(messages) if m.role == "user"), default=len(messages) - 1)
        turns = []
        for place, message in enumerate(messages):
            parts: list[dict[str, str]] = [{"type": "image"}] * (pictures if place == last else 0)
            turns.append({"role": message.role, "content": [*parts, {"type": "text", "text": message.content}]})
        try:
            options = {"chat_template": self._template, "add_generation_prompt": True, "tokenize": False}
            rendered: str = self._processor.apply_chat_template(turns, **options)
        except (TemplateError, TypeError, ValueError, KeyError, IndexError) as error:
            raise InvalidValueError(f"The model's chat template refuses this conversation: {error}") from error
        return rendered

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Generated]]:
        """Answer a batch without pictures, yielding `(index, reply)` as each is ready."""
        return self._each(requests, self._generated, failed_generation)

    def see(self, requests: Sequence[See]) -> Iterator[tuple[int, Generated]]:
        """Answer a batch of questions about pictures, yielding `(index, reply)` as each is ready."""
        return self._each(requests, self._seen, failed_generation)

    def score(self, requests: Sequence[Score]) -> Iterator[tuple[int, Scored]]:
        """Score a batch of continuations, yielding `(index, reply)` as each is ready."""
        return self._each(requests, self._scored, failed_score)

    def weigh(self, requests: Sequence[Weigh]) -> Iterator[tuple[int, Weighed]]:
        """Weigh a batch of given answers about pictures, yielding `(index, reply)` as each is ready."""
        return self._each(requests, self._weighed, failed_weighing)

    def contrast(self, requests: Sequence[Contrast]) -> Iterator[tuple[int, Generated]]:
        """Decode a batch against itself, yielding `(index, reply)` as each is ready."""
        return self._each(requests, self._contrasted, failed_generation)

    def _each(
        self, requests: Sequence[Ask], answer: Callable[[Ask], Answer], failed: Callable[[str], Answer]
    ) -> Iterator[tuple[int, Answer]]:
        for index, request in enumerate(requests):
            began = time.perf_counter()
            try:
                reply = answer(request)
            except InvalidValueError as error:
                reply = failed(str(error))
            except (RuntimeError, ValueError, IndexError, KeyError, TypeError, MemoryError) as error:
                lines = str(error).strip().splitlines() or ["no reason given"]
                reply = failed(f"The model failed on this request: {type(error).__name__}: {lines[0]}")
            usage = msgspec.structs.replace(reply.usage, seconds=time.perf_counter() - began)
            yield index, msgspec.structs.replace(reply, usage=usage)

    def _generated(self, request: Generate) -> Generated:
        return self._write(self._inputs(request.messages, ()), request)

    def _seen(self, request: See) -> Generated:
        ask = Generate(messages=request.messages, max_tokens=request.max_tokens)
        return self._write(self._inputs(request.messages, request.images), ask)

    @torch.inference_mode()
    def _weighed(self, request: Weigh) -> Weighed:
        inputs = self._inputs(request.messages, request.images)
        # Behind a template an answer begins at once; behind plain text it is a word further on.
        options = [option if self._template else f" {option}" for option in request.options]
        tokens = [self._tokenizer(option, add_special_tokens=False)["input_ids"] for option in options]
        if not all(tokens):
            raise InvalidValueError("An answer to be weighed has no tokens.")
        more = sum(len(option) - 1 for option in tokens)
        spent = Usage(prompt_tokens=int(inputs["input_ids"].shape[1]), completion_tokens=more)
        return Weighed(log_likelihoods=tuple(likelihoods(self._model, inputs, tokens)), usage=spent)

    def _contrasted(self, request: Contrast) -> Generated:
        see = request.see
        inputs, instead = (self._inputs(see.messages, images) for images in (see.images, request.instead))
        prompt, other = (int(each["input_ids"].shape[1]) for each in (inputs, instead))
        against = Against(self._model, instead, request.alpha, request.cutoff)
        ask = Generate(messages=see.messages, max_tokens=see.max_tokens)
        reply = self._write(inputs, ask, against)
        written = reply.usage.completion_tokens
        spent = Usage(prompt_tokens=prompt + other, completion_tokens=2 * written, calls=2)
        return msgspec.structs.replace(reply, usage=spent)

    def _inputs(self, messages: Sequence[Message], images: Sequence[bytes]) -> dict[str, Any]:
        pictures = [_opened(image) for image in images]
        text = self.prompt(messages, len(pictures))
        try:
            if pictures:
                with quietly():  # some advise to write the picture's tokens by hand
                    made = self._processor(text=[text], images=[pictures], return_tensors="pt")
            else:
                made = self._tokenizer([text], return_tensors="pt", add_special_tokens=not self._template)
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise InvalidValueError(f"The request cannot be made into the model's inputs: {error}") from error
        inputs = {name: value.to(self._model.device) for name, value in made.items() if name != "labels"}
        tokens = inputs["input_ids"].shape[1]
        window = self._card.window
        if tokens == 0:
            raise InvalidValueError("The prompt has no tokens.")
        if window is not None and tokens + 1 > window:
            raise InvalidValueError(
                f"The prompt has {tokens:,} tokens, but the window of {self._card.name} has {window:,}, and 1 of them "
                "must be left for the answer."
            )
        return {
            name: value.to(self._model.dtype) if torch.is_floating_point(value) else value
            for name, value in inputs.items()
        }

    @torch.inference_mode()
    def _write(self, inputs: dict[str, Any], request: Generate, against: Against | None = None) -> Generated:
        tokens = int(inputs["input_ids"].shape[1])
        window = self._card.window
        limit = request.max_tokens if window is None else min(request.max_tokens, window - tokens)
        warm = request.temperature > 0
        decoding = GenerationConfig(
            max_new_tokens=limit,
            do_sample=warm,
            **({"temperature": request.temperature, "top_k": 0, "top_p": 1.0} if warm else {}),
            eos_token_id=self._ends or None,
            pad_token_id=self._ends[0] if self._ends else 0,
            output_logits=True,
            return_dict_in_generate=True,
        )
        with torch.random.fork_rng(devices=[self._model.device] if self._model.device.type == "cuda" else []):
            torch.manual_seed(request.seed)
            out = self._model.generate(
                **inputs, generation_config=decoding, logits_processor=[] if against is None else [against]
            )
        chosen = out.sequences[0, -len(out.logits) :].tolist()
        logprobs = [
            float(step[0, token].float() - step[0].float().logsumexp(-1))
            for step, token in zip(out.logits, chosen, strict=True)
        ]
        ended = chosen[-1] in self._ends
        text = self._tokenizer.decode(chosen[:-1] if ended else chosen, skip_special_tokens=True)
        cuts = [text.find(stop) for stop in request.stop if stop and stop in text]
        return Generated(
            text=text[: min(cuts)] if cuts else text,
            finish="stop" if ended or cuts else "length",
            token_logprobs=tuple(logprobs) if request.logprobs else None,
            usage=Usage(prompt_tokens=tokens, completion_tokens=len(chosen)),
        )

    @torch.inference_mode()
    def _scored(self, request: Score) -> Scored:
        inputs = self._inputs(request.messages, ())
        prompt = inputs["input_ids"][0].tolist()
        added = self._tokenizer(request.continuation, add_special_tokens=False)["input_ids"]
        task = Scoring([*prompt, *added], len(prompt))
        if added:
            whole = torch.tensor([[*prompt, *added]], device=self._model.device)
            logits = self._model(input_ids=whole, attention_mask=torch.ones_like(whole)).logits[0].float().cpu()
            for position in range(len(prompt) - 1, len(prompt) + len(added) - 1):
                task.absorb(position, logits[position])
        return task.reply(Usage())

    @torch.inference_mode()
    def look(self, requests: Sequence[See]) -> Iterator[Looked]:
        """Give what the projector is given, what it gives, the words, and the attention on the picture, in order.

        Raises:
            InvalidValueError: a request has no picture, or the model's projector is not found.
        """
        if self._projector is None:
            raise InvalidValueError(
                f"No projector is found in {self._card.name}; known names: {', '.join(PROJECTORS)}."
            )
        for request in requests:
            if not request.images:
                raise InvalidValueError("There is no picture to look at: See.images is empty.")
            inputs = self._inputs(request.messages, request.images)
            caught: dict[str, torch.Tensor] = {}
            hook = self._projector.register_forward_hook(_catching(caught), with_kwargs=True)
            try:
                rows = self._rows(inputs)
            finally:
                hook.remove()
            tower, passed = caught["in"], caught["out"]
            ids = inputs["input_ids"][0]
            pictures = self._picture_tokens(ids, passed.shape[0])
            words = self._model.get_input_embeddings()(ids[~pictures])
            mass = [row[0, :, -1, pictures].float().sum(-1) for row in rows]
            yield Looked(
                _array(tower),
                _array(passed),
                _array(words),
                _array(torch.stack(mass)) if mass else np.zeros((0, 0), dtype=np.float32),
            )

    def _picture_tokens(self, ids: torch.Tensor, count: int) -> torch.Tensor:
        """Which of a prompt's tokens stand for the picture."""
        names = ("image_token_id", "image_token_index")
        number = next((getattr(self._model.config, name) for name in names if hasattr(self._model.config, name)), None)
        found = ids == number if number is not None else torch.zeros_like(ids, dtype=torch.bool)
        if int(found.sum()) != count:
            raise InvalidValueError(
                f"{int(found.sum())} tokens of the prompt stand for the picture, but the projector gives {count}."
            )
        return found

    def _rows(self, inputs: dict[str, Any]) -> list[torch.Tensor]:
        """Attention of the last token in each layer: one row, not the matrix; none where it cannot be read."""
        before = self._model.config.get_text_config()._attn_implementation
        AttentionInterface.register(PICTURE_ROW, picture_row)
        AttentionMaskInterface.register(PICTURE_ROW, sdpa_mask)
        self._model.set_attn_implementation({"text_config": PICTURE_ROW})
        try:
            output = self._model(**inputs, output_attentions=True)
        finally:
            self._model.set_attn_implementation({"text_config": before})
        return [layer for layer in output.attentions or () if layer is not None]


def picture_row(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fused attention that also gives the last query's weights, `(batch, heads, 1, keys)`: memory O(N), not O(N²).

    The last token may look at every token before it, so that its row needs no mask.
    """
    out, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    scaling = options.get("scaling") or query.shape[-1] ** -0.5
    heads, shared = query.shape[1], key.shape[1]
    keys = key.repeat_interleave(heads // shared, dim=1)
    logits = (query[:, :, -1:].float() @ keys.float().transpose(2, 3)) * scaling
    return out, logits.softmax(-1)


def _catching(caught: dict[str, torch.Tensor]) -> Callable[..., None]:
    def catch(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        given = next(part for part in (*args, *kwargs.values()) if isinstance(part, torch.Tensor))
        made = out[0] if isinstance(out, tuple) else out
        caught["in"] = given.reshape(-1, given.shape[-1])
        caught["out"] = made.reshape(-1, made.shape[-1])

    return catch


def _array(part: torch.Tensor) -> NDArray[np.float32]:
    made: NDArray[np.float32] = part.float().cpu().numpy()
    return made


def _opened(image: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(image)).convert("RGB")
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError) as error:
        raise InvalidValueError(f"The picture cannot be read: {error}.") from error
