"""Loading a causal language model with transformers, and reading the facts of its architecture."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from hardlimit.core import InvalidValueError, ModelError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_SAMPLES, _SAMPLE_BYTES = 64, 65536
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
_TEXTS = (".json", ".jinja", ".model", ".txt")


@contextmanager
def quietly() -> Iterator[None]:
    """Silence the progress bars and advice of transformers while a model loads, and restore them afterwards."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def load(path: str, dtype: str, device: str) -> tuple[Any, Any]:
    """Load a model and its tokenizer.

    Args:
        path: a folder as `save_pretrained` writes it, or a name on the Hugging Face hub.
        dtype: `float32`, `bfloat16` or `float16`.
        device: as torch names it, such as `cpu` or `cuda:0`.

    Raises:
        ModelError: if there is no such model, or it cannot be loaded.
        InvalidValueError: if the dtype or the device is unknown.
    """
    if dtype not in DTYPES:
        raise InvalidValueError(f"The dtype must be one of {', '.join(DTYPES)}, got '{dtype}'.")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise InvalidValueError(f"The device must be one of torch's, such as cpu or cuda:0, got '{device}'.") from error
    folder = Path(path).expanduser()
    if not folder.is_dir() and (path.startswith(("/", ".", "~")) or path.count("/") > 1):
        raise ModelError(
            f"There is no folder '{path}'. Give local: a folder with a config.json, or a name on the Hugging Face hub "
            "such as local:OWNER/NAME."
        )
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise ModelError(f"The folder '{path}' holds no config.json, so it is not a model that transformers can load.")
    where = str(folder) if folder.is_dir() else path
    options = {"local_files_only": folder.is_dir()}
    try:
        with quietly():
            tokenizer = AutoTokenizer.from_pretrained(where, **options)
            model = _load_model(where, DTYPES[dtype], options)
            return model.to(place).eval(), tokenizer
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, AssertionError, SafetensorError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"The model '{path}' cannot be loaded: {reason[0].rstrip('.')}. "
            "Check the path, the device, and that transformers' AutoModelForCausalLM knows this kind of model."
        ) from error


def _load_model(where: str, dtype: torch.dtype, options: dict[str, bool]) -> Any:
    load_weights = AutoModelForCausalLM.from_pretrained
    wanted = {"dtype": dtype, "output_loading_info": True, **options}
    try:
        model, info = load_weights(where, attn_implementation="sdpa", **wanted)
    except ValueError as error:
        if "scaled_dot_product_attention" not in str(error):
            raise
        model, info = load_weights(where, attn_implementation="eager", **wanted)
    # transformers would go on with random numbers in their place.
    absent = sorted(info["missing_keys"]) + [str(key[0]) for key in info["mismatched_keys"]]
    if absent:
        raise ValueError(f"it lacks {len(absent)} of its tensors, such as {absent[0]}")
    return model


def checksum(path: str, model: Any) -> str:
    """What pins the weights: the hub's commit, or a checksum of a folder.

    The checksum covers configuration and tokenizer in full, and of every weights file its name, its size and 64
    stretches of 64 KiB spread evenly over it, so that it takes no time on a large model.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        return str(getattr(model.config, "_commit_hash", None) or "unknown")
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix in _WEIGHTS:
            digest.update(f"{file.name}:{file.stat().st_size}".encode())
            digest.update(_sampled(file))
        elif file.suffix in _TEXTS:
            digest.update(file.name.encode() + file.read_bytes())
    return f"sha256:{digest.hexdigest()[:16]}"


def _sampled(file: Path) -> bytes:
    digest, size = hashlib.sha256(), file.stat().st_size
    with file.open("rb") as stream:
        for i in range(_SAMPLES):
            stream.seek(i * max(size - _SAMPLE_BYTES, 0) // (_SAMPLES - 1))
            digest.update(stream.read(_SAMPLE_BYTES))
    return digest.digest()


def facts(model: Any) -> dict[str, Any]:
    """The facts of an architecture, under the names of `ModelCard`; None where the configuration does not tell."""
    config = model.config.get_text_config(decoder=True)
    heads, width = getattr(config, "num_attention_heads", None), getattr(config, "hidden_size", None)
    head_width = getattr(config, "head_dim", None) or (width // heads if heads and width else None)
    position, base = _position(config, model)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "layers": getattr(config, "num_hidden_layers", None),
        "heads": heads,
        "kv_heads": getattr(config, "num_key_value_heads", None) or heads,
        "head_width": head_width,
        "width": width,
        "vocabulary": getattr(config, "vocab_size", None),
        "window": getattr(config, "max_position_embeddings", None),
        "position": position,
        "rope_base": base,
        "dtype": str(model.dtype).removeprefix("torch."),
    }


def _position(config: Any, model: Any) -> tuple[Literal["rope", "learned", "alibi"] | None, float | None]:
    parameters = getattr(config, "rope_parameters", None)
    if parameters:
        # Models with several kinds of layer keep one set for each; theory is about the full attention's.
        own = parameters.get("full_attention", parameters)
        base = own.get("rope_theta") if isinstance(own, dict) else None
        return "rope", None if base is None else float(base)
    if getattr(config, "alibi", False) or config.model_type in {"bloom", "mpt"}:
        return "alibi", None
    tables = {"wpe", "embed_positions", "position_embedding"}
    if any(name.rsplit(".", 1)[-1] in tables for name, _ in model.named_modules()):
        return "learned", None
    return None, None


def ends(model: Any, tokenizer: Any) -> set[int]:
    """The token ids that end an answer, as the model's own `generate` and its tokenizer say."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    ids = configured if isinstance(configured, list) else [configured]
    return {int(i) for i in [*ids, tokenizer.eos_token_id] if i is not None}
