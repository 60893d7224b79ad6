"""Rotary positions of a loaded model, rescaled."""

import copy
from typing import Any

import torch
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from hardlimit.core import CapabilityError
from hardlimit.mitigations.attention.changes import Rescaled


def rescale(network: Any, change: Rescaled) -> None:
    """Change the inverse frequencies of every rotary embedding of a model in place, and the window that it tells.

    Raises:
        CapabilityError: if its positions are not rotary, not plain, or differ from layer to layer.
    """
    config = network.config.get_text_config(decoder=True)
    parameters = getattr(config, "rope_parameters", None)
    rotary = [module for module in network.modules() if isinstance(getattr(module, "inv_freq", None), torch.Tensor)]
    if not rotary or not isinstance(parameters, dict) or "rope_theta" not in parameters:
        raise CapabilityError(
            f"{type(network).__name__} has no single set of rotary positions to rescale; Llama, Qwen and their like do."
        )
    if parameters.get("rope_type", "default") != "default":
        raise CapabilityError(
            f"The positions of this {type(network).__name__} are rescaled already ({parameters['rope_type']}); only "
            "plain ones can be."
        )
    for module in rotary:
        frequencies, sharpening = _frequencies(config, change, module.inv_freq)
        module.inv_freq = frequencies.to(module.inv_freq.device, module.inv_freq.dtype)
        if isinstance(getattr(module, "original_inv_freq", None), torch.Tensor):
            module.original_inv_freq = module.inv_freq.clone()
        module.attention_scaling = sharpening
    config.max_position_embeddings = round(config.max_position_embeddings * change.factor)


def _frequencies(config: Any, change: Rescaled, plain: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Inverse frequencies, and what the cosines and sines are multiplied by."""
    if change.kind == "linear":
        return plain / change.factor, 1.0
    if change.kind == "ntk":
        # The base b·f^(d/(d−2)) divides frequency i, of d/2, by f^(2i/(d−2)): the first by 1, the last by f.
        powers = torch.arange(len(plain), dtype=torch.float64, device=plain.device) / max(len(plain) - 1, 1)
        return (plain.double() / change.factor**powers).to(plain.dtype), 1.0
    described = copy.deepcopy(config)
    described.rope_parameters = {
        **config.rope_parameters,
        "rope_type": "yarn",
        "factor": change.factor,
        "original_max_position_embeddings": change.original or config.max_position_embeddings,
    }
    frequencies, sharpening = ROPE_INIT_FUNCTIONS["yarn"](described, plain.device)
    return frequencies, float(sharpening)
