"""How many parameters a decoder has, counted from its configuration, matrix by matrix."""

from collections.abc import Mapping
from typing import Any

_GATED = {
    "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "gemma3_text", "phi3", "olmo", "olmo2",
    "smollm3", "granite", "mixtral",
}  # fmt: skip
COUNTED = frozenset(_GATED | {"gpt2", "gpt_neox", "phi"})
"""Model types for which there is a rule."""

_TIED = {"gemma", "gemma2", "gemma3", "gemma3_text", "gpt2"}
"""Types whose output shares the input embedding unless the configuration says otherwise."""
_NORMS = {"gemma2": 4, "gemma3": 4, "gemma3_text": 4, "olmo": 0}
"""Normalisation vectors per layer, where not two."""


def count_parameters(config: Mapping[str, Any]) -> int:
    """Return the number of parameters of a decoder of a known type, shared embeddings counted once.

    Args:
        config: the text part of a transformers configuration.

    Raises:
        KeyError: a size that is missing, or a type without a rule.

    >>> llama = {
    ...     "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    ...     "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
    ... }
    >>> count_parameters(llama)
    8030261248
    """
    model_type = str(config.get("model_type"))
    rules = {"gpt2": _gpt2, "gpt_neox": _gpt_neox, "phi": _phi}
    if model_type in rules:
        return rules[model_type](config)
    if model_type not in _GATED:
        raise KeyError(model_type)
    return _gated(config, model_type)


def idle_parameters(config: Mapping[str, Any]) -> int:
    """Return the parameters of the experts that one token leaves out; 0 for dense models.

    >>> sizes = {"hidden_size": 2, "intermediate_size": 3, "num_hidden_layers": 5}
    >>> idle_parameters({"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2, **sizes})
    540
    """
    if config.get("model_type") != "mixtral":
        return 0
    idle = config["num_local_experts"] - config["num_experts_per_tok"]
    return int(config["num_hidden_layers"] * idle * 3 * config["hidden_size"] * config["intermediate_size"])


def _gated(config: Mapping[str, Any], model_type: str) -> int:
    """Count a decoder with gated feed-forward layers: Llama and its kin."""
    h, layers, heads = config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"]
    d = config.get("head_dim") or h // heads
    queries, keys = heads * d, (config.get("num_key_value_heads") or heads) * d
    attention = h * queries + 2 * h * keys + queries * h
    if model_type == "qwen2" or config.get("attention_bias"):
        attention += queries + 2 * keys
        attention += h if config.get("attention_bias") and model_type != "qwen2" else 0
    if model_type in {"qwen3", "gemma3", "gemma3_text"}:
        attention += 2 * d
    if model_type == "olmo2":
        attention += queries + keys
    feed = 3 * h * config["intermediate_size"]
    if config.get("mlp_bias"):
        feed += 2 * config["intermediate_size"] + h
    if model_type == "mixtral":
        feed = config["num_local_experts"] * (feed + h)
    norms = _NORMS.get(model_type, 2)
    final = 0 if norms == 0 else h
    return int(layers * (attention + feed + norms * h) + final) + _embeddings(config, model_type, h)


def _gpt2(config: Mapping[str, Any]) -> int:
    h = config["n_embd"]
    inner = config.get("n_inner") or 4 * h
    layer = 4 * h * h + 4 * h + 2 * h * inner + inner + h + 4 * h
    return int(config["n_layer"] * layer + config["n_positions"] * h + 2 * h) + _embeddings(config, "gpt2", h)


def _gpt_neox(config: Mapping[str, Any]) -> int:
    h, inner = config["hidden_size"], config["intermediate_size"]
    layer = 4 * h * h + 4 * h + 2 * h * inner + inner + h + 4 * h
    return int(config["num_hidden_layers"] * layer + 2 * h) + _embeddings(config, "gpt_neox", h)


def _phi(config: Mapping[str, Any]) -> int:
    h, inner = config["hidden_size"], config["intermediate_size"]
    layer = 4 * h * h + 4 * h + 2 * h * inner + inner + h + 2 * h
    return int(config["num_hidden_layers"] * layer + 2 * h + config["vocab_size"]) + _embeddings(config, "phi", h)


def _embeddings(config: Mapping[str, Any], model_type: str, width: int) -> int:
    tied = config.get("tie_word_embeddings", model_type in _TIED)
    return int(config["vocab_size"] * width * (1 if tied else 2))
