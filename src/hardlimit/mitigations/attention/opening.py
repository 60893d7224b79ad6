"""A model of the same weights whose attention is changed."""

import hashlib
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

from hardlimit.core import CapabilityError, InvalidValueError, ModelError
from hardlimit.mitigations.attention.changes import Change, LogScaled, Rescaled
from hardlimit.mitigations.attention.rope import rescale
from hardlimit.mitigations.attention.rows import sharpening
from hardlimit.mitigations.attention.sequences import Implementation
from hardlimit.models.attention import row_attention
from hardlimit.models.local import LocalModel


def with_attention(model: LocalModel, change: Change) -> LocalModel:
    """Change the attention of a model; the weights are shared, and the model given stays as it is.

    The new model's card holds the change, so that its answers are stored and compared under a fingerprint of their
    own. A rescaled window is as much longer as the factor says. Its attention can be read after `LogScaled` and
    `Rescaled`, whose readings hold the change; a choice of keys leaves no finite margin to read.

    Args:
        model: `embedded` or `local:`.
        change: what; a model takes one change of attention and one of positions.

    Raises:
        CapabilityError: if the model's attention or positions cannot be changed.
        InvalidValueError: if it has such a change already.
    """
    kind = "positions" if isinstance(change, Rescaled) else "weights of attention"
    before = model.card.settings.get(kind)
    if before is not None:
        raise InvalidValueError(f"The {kind} of {model.card.name} are changed already, by {before}. Start without it.")
    return model.changed(
        lambda network: put_in(network, change),
        name=f"{change!r} on {model.card.name}",
        settings={kind: repr(change)},
        reading=_reading(change),
    )


def put_in(network: Any, change: Change) -> None:
    """Change a transformers causal language model in place.

    Raises:
        CapabilityError: if its attention or positions cannot be changed.
    """
    if isinstance(change, Rescaled):
        rescale(network, change)
        return
    name = f"hardlimit_{hashlib.sha256(repr(change).encode()).hexdigest()[:12]}"
    implementation = Implementation(change)
    AttentionInterface.register(name, implementation)
    AttentionMaskInterface.register(name, sdpa_mask)
    try:
        network.set_attn_implementation(name)
        with torch.inference_mode():
            network(input_ids=torch.zeros((1, 2), dtype=torch.long, device=network.device), use_cache=False)
    except (RuntimeError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise CapabilityError(f"{type(network).__name__} does not take {change!r}: {error}") from error
    if implementation.calls == 0:
        raise CapabilityError(
            f"{type(network).__name__} computes its attention by itself, not through transformers' AttentionInterface, "
            "so that it cannot be changed."
        )


def _reading(change: Change) -> Any:
    """How a row of logits is read under a change; None where it has no finite ones."""
    if isinstance(change, Rescaled):
        return row_attention
    return _sharpened(change) if isinstance(change, LogScaled) else None


def _sharpened(change: LogScaled) -> Any:
    def read(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Read logits that are sharpened by the number of keys that each query sees."""
        if kwargs.get("softcap") is not None:
            raise ModelError("Logits that are capped before they are sharpened are not read.")
        factor = sharpening(change, (attention_mask >= 0).sum(-1)).to(query.dtype)[..., None]
        return row_attention(module, query * factor, key, value, attention_mask, **kwargs)

    return read
