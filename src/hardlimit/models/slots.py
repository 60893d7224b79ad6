"""Many sequences in one forward pass: a key–value cache whose slots are shared, and the masks that keep them apart.

A causal model is told by its mask which keys a token may attend to, and by its position ids where the token stands.
So sequences that share a beginning can lie side by side in one row of a batch: the beginning is there once, each
token sees the slots of its own ancestors only, and nothing is padded or copied.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import Cache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from hardlimit.core import ModelError
from hardlimit.models.attention import row_attention

Slots = NDArray[np.int64]
Allowed = NDArray[np.bool_]
RowReader = Callable[..., tuple[torch.Tensor, torch.Tensor]]
SHARED, ROWS = "hardlimit_shared", "hardlimit_rows"
_FIRST_ROOM = 256


class SlotLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values, in buffers with room to spare, so that adding a token copies nothing."""

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Make the buffers."""
        self.device = key_states.device
        self._buffers = [s.new_empty(*s.shape[:2], _FIRST_ROOM, s.shape[-1]) for s in (key_states, value_states)]
        self.is_initialized = True
        self._show(0)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values, `(1, heads, tokens, width)`, and return all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, stop = self.get_seq_length(), self.get_seq_length() + key_states.shape[-2]
        if stop > self._buffers[0].shape[-2]:
            self._buffers = [_wider(buffer, start, max(stop, start * 3 // 2)) for buffer in self._buffers]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, start:stop] = states
        self._show(stop)
        return self.keys, self.values

    def keep(self, slots: torch.Tensor) -> None:
        """Keep these slots alone, in this order."""
        count = len(slots)
        for i, buffer in enumerate(self._buffers):
            kept = buffer.index_select(2, slots)
            self._buffers[i] = _wider(kept, count, max(count + _FIRST_ROOM, count * 3 // 2))
        self._show(count)

    def crop_to(self, count: int) -> None:
        """Keep the first slots alone."""
        self._show(count)

    def _show(self, count: int) -> None:
        self.keys, self.values = (buffer[:, :, :count] for buffer in self._buffers)


def _wider(buffer: torch.Tensor, used: int, room: int) -> torch.Tensor:
    wider = buffer.new_empty(*buffer.shape[:2], room, buffer.shape[-1])
    wider[:, :, :used] = buffer[:, :, :used]
    return wider


class SlotCache(Cache):  # type: ignore[misc]
    """A cache of slots, each with the position of its token; a forward pass may look at some of them only."""

    def __init__(self) -> None:
        super().__init__(layer_class_to_replicate=SlotLayer)
        self.positions: Slots = np.zeros(0, dtype=np.int64)
        self.visible: torch.Tensor | None = None

    @property
    def size(self) -> int:
        """Number of slots in use."""
        return len(self.positions)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values to a layer, and return those of the visible slots."""
        keys, values = super().update(key_states, value_states, layer_idx, *args, **kwargs)
        if self.visible is None:
            return keys, values
        return keys.index_select(2, self.visible), values.index_select(2, self.visible)

    def keep(self, slots: Slots) -> None:
        """Keep these slots alone; they become the first ones."""
        self.positions = self.positions[slots]
        in_place = bool(np.array_equal(slots, np.arange(len(slots))))
        for layer in self.layers:
            if in_place:
                layer.crop_to(len(slots))
            else:
                layer.keep(torch.as_tensor(slots, device=layer.keys.device))


class Packed:
    """A causal model, asked for many sequences in one forward pass.

    Args:
        model: a transformers causal language model; its attention implementation is set here and stays set.
        reading: attention that gives its logits where others give their weights; None if they cannot be read.
    """

    def __init__(self, model: Any, reading: RowReader | None = row_attention) -> None:
        self._model = model
        self._reading = reading
        config = model.config.get_text_config(decoder=True)
        kinds = set(getattr(config, "layer_types", None) or ())
        if not kinds <= {"full_attention", "sliding_attention"}:
            raise ValueError(f"layers of the kinds {', '.join(sorted(kinds))}")
        # Without a list of kinds, a window in the configuration is every layer's.
        self._kinds = kinds if "sliding_attention" in kinds else set()
        self._has_window = bool(self._kinds) or (not kinds and getattr(config, "sliding_window", None) is not None)
        self._config = config
        parameters = inspect.signature(model.forward).parameters
        self._cache_name = "cache" if "cache" in parameters else "past_key_values"
        self._keeps = "logits_to_keep" in parameters
        if model.config._attn_implementation == "sdpa":
            AttentionInterface.register(SHARED, shared_attention)
            AttentionMaskInterface.register(SHARED, sdpa_mask)
            model.set_attn_implementation(SHARED)

    @property
    def network(self) -> Any:
        """The transformers model."""
        return self._model

    @property
    def attention(self) -> str:
        """Name of the attention implementation in use, as transformers calls it."""
        name = str(self._model.config._attn_implementation)
        return "sdpa" if name == SHARED else name

    def logits(self, cache: SlotCache, step: "Step", wanted: Sequence[int]) -> torch.Tensor:
        """Add a step's tokens to the cache and return the logits of some of them.

        Args:
            cache: what has been computed before; the tokens take its next slots.
            step: the tokens.
            wanted: rows of the step, in ascending order, whose next-token logits are needed.

        Returns:
            Logits, `(len(wanted), vocabulary)`, 32-bit floats on the CPU.
        """
        device = self._model.device
        rows = torch.as_tensor(wanted, dtype=torch.long, device=device)
        keep = {"logits_to_keep": rows if len(wanted) else 1} if self._keeps else {}
        output = self._forward(cache, step, **keep)
        logits = output.logits[0] if self._keeps else output.logits[0].index_select(0, rows)
        kept: torch.Tensor = logits[: len(wanted)].float().cpu()
        return kept

    def rows(self, cache: SlotCache, step: "Step") -> list[torch.Tensor]:
        """Add a step's tokens to the cache and return their attention logits.

        Returns:
            One tensor per layer, `(heads, tokens, keys)`, −∞ where a key is masked.

        Raises:
            ModelError: if the model's attention cannot be read.
        """
        if self._reading is None:
            raise ModelError("This model's attention leaves keys out, so that it has no whole row of logits to read.")
        before = self._model.config._attn_implementation
        AttentionInterface.register(ROWS, self._reading)
        AttentionMaskInterface.register(ROWS, sdpa_mask)
        self._model.set_attn_implementation(ROWS)
        try:
            keep = {"logits_to_keep": 1} if self._keeps else {}
            output = self._forward(cache, step, output_attentions=True, **keep)
        finally:
            self._model.set_attn_implementation(before)
        if not output.attentions:
            raise ModelError("This model does not hand out what its attention function returns.")
        return [layer[0] for layer in output.attentions]

    @torch.inference_mode()
    def _forward(self, cache: SlotCache, step: "Step", **options: Any) -> Any:
        device = self._model.device
        cache.positions = np.concatenate([cache.positions, step.positions])
        keys = cache.positions if step.visible is None else cache.positions[step.visible]
        cache.visible = None if step.visible is None else torch.as_tensor(step.visible, device=device)
        return self._model(
            input_ids=torch.as_tensor(step.tokens, device=device)[None],
            position_ids=torch.as_tensor(step.positions, device=device)[None],
            attention_mask=self._mask(step, keys),
            use_cache=True,
            **{self._cache_name: cache},
            **options,
        )

    def _mask(self, step: "Step", keys: Slots) -> Any:
        whole = self._additive(step.allowed)
        if not self._has_window:
            return whole
        near = step.positions[:, None] - keys[None, :] < self._config.sliding_window
        sliding = self._additive(step.allowed & near)
        return {"full_attention": whole, "sliding_attention": sliding} if self._kinds else sliding

    def _additive(self, allowed: Allowed) -> torch.Tensor:
        dtype, device = self._model.dtype, self._model.device
        mask = torch.full(allowed.shape, torch.finfo(dtype).min, dtype=dtype, device=device)
        return mask.masked_fill_(torch.as_tensor(allowed, device=device), 0.0)[None, None]


class Step:
    """Tokens for one forward pass.

    Args:
        tokens: token ids, `(n,)`.
        positions: of the tokens in their sequences, `(n,)`.
        allowed: which keys each token may attend to, `(n, keys)`, itself included.
        visible: the slots that the keys are, in order, the new ones last; None for all slots.
    """

    def __init__(self, tokens: Slots, positions: Slots, allowed: Allowed, visible: Slots | None = None) -> None:
        self.tokens, self.positions, self.allowed, self.visible = tokens, positions, allowed, visible


def shared_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Fused attention that reads each key–value head once for all the query heads that share it.

    transformers' own function repeats keys and values for every query head when there is a mask. Here the query heads
    of a group are laid out as further queries of one head instead, which gives the same numbers.
    """
    heads, shared = query.shape[1], key.shape[1]
    plain = not any(kwargs.get(name) is not None for name in ("softcap", "position_bias", "s_aux"))
    if attention_mask is None or heads == shared or attention_mask.shape[1] != 1 or not plain:
        output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
        return output, None
    batch, _, length, width = query.shape
    group = heads // shared
    output = torch.nn.functional.scaled_dot_product_attention(
        query.reshape(batch, shared, group * length, width),
        key,
        value,
        attn_mask=attention_mask.repeat(1, 1, group, 1),
        scale=scaling,
    )
    return output.reshape(batch, heads, length, -1).transpose(1, 2).contiguous(), None
