"""The facts of a decoder's architecture that bounds are computed from, and how a `config.json` gives them."""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from hardlimit.core import Catalog, InvalidValueError, Value
from hardlimit.theory.counting import COUNTED, count_parameters, idle_parameters


class Architecture(Value, frozen=True):
    """What is known about a decoder before it is run.

    Args:
        name: of the model.
        parameters: of the language model, embeddings included, shared ones counted once, >= 1.
        idle_parameters: how many of them one token leaves out (unused experts), >= 0.
        layers: attention layers, >= 1.
        heads: query heads per layer, >= 1.
        kv_heads: key–value heads per layer, >= 1.
        head_width: width of one head, >= 1.
        width: width of the residual stream, >= 1.
        vocabulary: token ids, >= 2.
        window: longest context, tokens, >= 2.
        position: kind of position code.
        rope_base: base of the rotary frequencies, where `position` is `rope`.
        sliding_window: keys that a sliding layer sees, or None where all layers see everything.
        sliding_layers: how many layers are sliding ones.
        qk_norm: whether queries and keys are normalised before they meet.
        latent_width: numbers kept per token and layer where keys and values are stored compressed, else None.
        image_tokens: tokens of one image, for models that see, else None.
        training_tokens: tokens it was trained on, where published.
        source: where these facts were read.
    """

    name: str
    parameters: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    width: int
    vocabulary: int
    window: int
    idle_parameters: int = 0
    position: Literal["rope", "learned", "alibi", "none"] = "none"
    rope_base: float | None = None
    sliding_window: int | None = None
    sliding_layers: int = 0
    qk_norm: bool = False
    latent_width: int | None = None
    image_tokens: int | None = None
    training_tokens: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        least = {"vocabulary": 2, "window": 2, "sliding_layers": 0, "idle_parameters": 0}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, int | float) and value < least.get(name, 1) and not isinstance(value, bool):
                raise InvalidValueError(
                    f"{self.name}: {name} must be at least {least.get(name, 1)}, got {value:g}; this describes no "
                    "model."
                )
        if self.sliding_layers > self.layers:
            raise InvalidValueError(
                f"{self.name}: {self.sliding_layers} sliding layers of {self.layers} layers; this describes no model."
            )

    @property
    def kv_numbers(self) -> int:
        """Numbers kept per token and layer."""
        return self.latent_width if self.latent_width is not None else 2 * self.kv_heads * self.head_width

    def kept_tokens(self, context: int) -> int:
        """Token positions whose keys and values are kept, summed over layers.

        >>> tiny = Architecture(
        ...     name="tiny", parameters=1, layers=4, heads=1, kv_heads=1, head_width=8, width=8, vocabulary=2,
        ...     window=64, sliding_window=16, sliding_layers=3,
        ... )
        >>> tiny.kept_tokens(64)
        112
        """
        near = min(context, self.sliding_window or context)
        return (self.layers - self.sliding_layers) * context + self.sliding_layers * near

    def keys_seen(self, context: int) -> int:
        """Keys among which the furthest-seeing layer must find a needle."""
        return context if self.sliding_layers < self.layers else min(context, self.sliding_window or context)


def architecture_from_config(
    config: Mapping[str, Any], name: str, *, parameters: int | None = None, source: str = ""
) -> Architecture:
    """Read an architecture from a transformers `config.json`.

    Args:
        config: its contents.
        name: of the model.
        parameters: of the language model, where the configuration's type has no counting rule.
        source: where the configuration was read.

    Raises:
        InvalidValueError: what is missing or impossible, and the way out.

    >>> sizes = {"n_layer": 12, "n_head": 12, "n_embd": 768, "vocab_size": 50257, "n_positions": 1024}
    >>> architecture_from_config({"model_type": "gpt2", **sizes}, "gpt2").parameters
    124439808
    """
    text = _text_part(config, name)
    model_type = str(text.get("model_type", ""))
    layers, heads = (
        _whole(text, name, "num_hidden_layers", "n_layer"),
        _whole(text, name, "num_attention_heads", "n_head"),
    )
    width = _whole(text, name, "hidden_size", "n_embd")
    if parameters is None and model_type not in COUNTED:
        raise InvalidValueError(
            f"{name}: parameters of model type '{model_type or 'unknown'}' cannot be counted from its configuration. "
            "Say how many it has, with --parameters."
        )
    sliding_window, sliding_layers = _sliding(text, layers)
    kv_heads = _optional(text, "num_key_value_heads") or heads
    head_width = _optional(text, "head_dim") or width // heads
    latent = _optional(text, "kv_lora_rank")
    base = _rope_base(text)
    return Architecture(
        name=name,
        parameters=parameters if parameters is not None else _counted(text, name),
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_width=head_width,
        width=width,
        vocabulary=_whole(text, name, "vocab_size"),
        window=_whole(text, name, "max_position_embeddings", "n_positions", "n_ctx", "seq_length"),
        idle_parameters=idle_parameters(text),
        position=_position(text, base),
        rope_base=base,
        sliding_window=sliding_window,
        sliding_layers=sliding_layers,
        qk_norm=model_type in _NORMED or bool(text.get("qk_norm") or text.get("use_qk_norm")),
        latent_width=latent + (_optional(text, "qk_rope_head_dim") or 0) if latent else None,
        image_tokens=_image_tokens(config),
        training_tokens=config.get("training_tokens"),
        source=source,
    )


@cache
def known_architectures() -> Catalog[Architecture]:
    """Return the packaged table of popular open models.

    >>> known_architectures()["Llama-3.1-8B"].parameters
    8030261248
    """
    return Catalog(
        "model in the table",
        {row["name"]: architecture_from_config(row["config"], row["name"], source=row["source"]) for row in _rows()},
    )


def find_known(name: str) -> Architecture:
    """Find a model of the packaged table by its name or its name on the hub, tuned variants included.

    Raises:
        UnknownNameError: no such model; the message names those there are.

    >>> find_known("meta-llama/Meta-Llama-3.1-8B-Instruct").name, find_known("openai-community/gpt2").name
    ('Llama-3.1-8B', 'GPT-2')
    """
    wanted = _kernel(name)
    for row in _rows():
        if wanted in (_kernel(row["name"]), _kernel(row["hub"])):
            return known_architectures()[row["name"]]
    return known_architectures()[name.rpartition("/")[2]]


_TUNED = re.compile(r"^meta-|-(instruct|chat|base|it|pt|hf|deduped)(?=-|$)")
"""What a name on the hub has beside the architecture's own."""


def _kernel(name: str) -> str:
    """Return what of a name tells the architecture: its last part, without tuning and punctuation."""
    return re.sub(r"[^a-z0-9.]", "", _TUNED.sub("", name.rpartition("/")[2].lower()))


@cache
def _rows() -> list[dict[str, Any]]:
    text = files("hardlimit.theory").joinpath("architectures.json").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)["models"]
    return rows


_NORMED = {"qwen3", "olmo2", "gemma3", "gemma3_text", "olmo3", "qwen3_moe"}
"""Model types that normalise queries and keys."""


def _text_part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if not isinstance(config, Mapping):
        raise InvalidValueError(f"{name}: a model's configuration is a JSON object, got {type(config).__name__}.")
    text = config.get("text_config") or config.get("llm_config") or config
    return text if isinstance(text, Mapping) else config


def _whole(text: Mapping[str, Any], name: str, *keys: str) -> int:
    value = _optional(text, *keys)
    if value is None:
        raise InvalidValueError(
            f"{name}: the configuration has no {' or '.join(keys)}, so it describes no decoder that bounds can be "
            "computed for."
        )
    return value


def _optional(text: Mapping[str, Any], *keys: str) -> int | None:
    for key in keys:
        value = text.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidValueError(f"The configuration's {key} must be a whole number, got {value!r}.")
        if value < 1:
            raise InvalidValueError(f"The configuration's {key} must be at least 1, got {value}.")
        return value
    return None


def _counted(text: Mapping[str, Any], name: str) -> int:
    try:
        return count_parameters(text)
    except (KeyError, TypeError) as error:
        raise InvalidValueError(
            f"{name}: parameters cannot be counted, the configuration lacks or misstates {error}. "
            "Say how many it has, with --parameters."
        ) from error


def _rope_base(text: Mapping[str, Any]) -> float | None:
    nested = text.get("rope_parameters") or {}
    if isinstance(nested, Mapping) and "full_attention" in nested:
        nested = nested["full_attention"]
    base = text.get("rope_theta") or text.get("rotary_emb_base") or nested.get("rope_theta")
    if base is None and text.get("model_type") in COUNTED - {"gpt2"}:
        base = 10_000.0  # the default of transformers where a configuration leaves it out
    return float(base) if base else None


def _position(text: Mapping[str, Any], base: float | None) -> Literal["rope", "learned", "alibi", "none"]:
    if text.get("alibi") or text.get("model_type") in {"bloom", "mpt"}:
        return "alibi"
    if base is not None:
        return "rope"
    return "learned" if text.get("model_type") in {"gpt2", "opt", "gpt_bigcode"} else "none"


def _sliding(text: Mapping[str, Any], layers: int) -> tuple[int | None, int]:
    """Return the sliding window and the number of layers that use it."""
    window = _optional(text, "sliding_window")
    if window is None or text.get("use_sliding_window") is False:
        return None, 0
    kinds = text.get("layer_types")
    if isinstance(kinds, list):
        return window, sum(kind == "sliding_attention" for kind in kinds)
    model_type = str(text.get("model_type", ""))
    if model_type == "gemma2":
        return window, (layers + 1) // 2
    if model_type.startswith("gemma3"):
        return window, layers - layers // (_optional(text, "sliding_window_pattern") or 6)
    return window, layers


def _image_tokens(config: Mapping[str, Any]) -> int | None:
    vision = config.get("vision_config")
    if not isinstance(vision, Mapping):
        return None
    fixed = _optional(config, "image_seq_length", "mm_tokens_per_image")
    side, patch = _optional(vision, "image_size"), _optional(vision, "patch_size")
    if fixed is None and side is not None and patch is not None:
        return (side // patch) ** 2
    return fixed
