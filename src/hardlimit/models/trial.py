"""Whether a model gives packed sequences the logits that it gives each of them alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from hardlimit.core import ModelError
from hardlimit.models.attention import row_attention
from hardlimit.models.slots import Packed, RowReader, SlotCache, Slots, Step

_SHARED, _OWN = 6, 5
_WINDOW = 4


def packed_if_faithful(model: Any, reading: RowReader | None = row_attention) -> Packed | None:
    """Make a model ready for packed asking, if a trial on two short sequences gives its own logits.

    The trial packs two sequences that share a beginning, and looks at a cache in parts, as the asking engine does.
    Where the model has a sliding window, it is made small for the trial, so that it matters.

    Args:
        model: a transformers causal language model; left as it was if the answer is None.
        reading: how its rows of attention logits are read, if they can be.
    """
    before = model.config._attn_implementation
    try:
        with _small_window(model):
            expected = _expected(model)
            packed = Packed(model, reading)
            found = _found(packed, _sequences(model))
    except (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        packed, close = None, False
    else:
        tolerance = (1e-3 if model.dtype == torch.float32 else 0.1) * max(1.0, float(expected.abs().max()))
        close = float((found - expected).abs().max()) <= tolerance
    if not close:
        model.set_attn_implementation(before)
        return None
    return packed


def is_readable(packed: Packed) -> bool:
    """Whether a model hands its attention logits out."""
    step = Step(np.arange(2), np.arange(2), np.tri(2, dtype=np.bool_))
    try:
        packed.rows(SlotCache(), step)
    except (ModelError, RuntimeError, ValueError, TypeError, KeyError, AttributeError):
        return False
    return True


def _sequences(model: Any) -> list[Slots]:
    """Two sequences with a common beginning, of ids spread over the vocabulary."""
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    ids = np.arange(1, _SHARED + 2 * _OWN + 1) * 7919 % vocabulary
    shared, first, second = np.split(ids, [_SHARED, _SHARED + _OWN])
    return [np.concatenate([shared, first]), np.concatenate([shared, second])]


@torch.inference_mode()
def _expected(model: Any) -> torch.Tensor:
    """The model's own logits: after the first sequence, and after the second but for its last token, and all of it."""
    first, second = (
        model(input_ids=torch.as_tensor(ids, device=model.device)[None], use_cache=False).logits[0].float().cpu()
        for ids in _sequences(model)
    )
    return torch.stack([first[-1], second[-2], second[-1]])


def _found(packed: Packed, sequences: list[Slots]) -> torch.Tensor:
    """The same logits from a cache that both sequences share."""
    cache = SlotCache()
    first, second = sequences
    beginning = np.arange(_SHARED)
    packed.logits(cache, Step(first[:_SHARED], beginning, np.tri(_SHARED, dtype=np.bool_)), [])
    # The first sequence's own tokens, then the second's, but for the last.
    a, b = _OWN, _OWN - 1
    allowed = np.zeros((a + b, _SHARED + a + b), dtype=np.bool_)
    allowed[:, :_SHARED] = True
    allowed[:a, _SHARED : _SHARED + a] = np.tri(a, dtype=np.bool_)
    allowed[a:, _SHARED + a :] = np.tri(b, dtype=np.bool_)
    tokens = np.concatenate([first[_SHARED:], second[_SHARED:-1]])
    positions = np.concatenate([_SHARED + np.arange(a), _SHARED + np.arange(b)])
    side_by_side = packed.logits(cache, Step(tokens, positions, allowed), [a - 1, a + b - 1])
    # The last token looks at its own sequence's slots alone.
    visible = np.concatenate([beginning, _SHARED + a + np.arange(_OWN)])
    step = Step(second[-1:], np.array([len(second) - 1]), np.ones((1, len(visible)), dtype=np.bool_), visible)
    return torch.cat([side_by_side, packed.logits(cache, step, [0])])


@contextmanager
def _small_window(model: Any) -> Iterator[None]:
    config = model.config.get_text_config(decoder=True)
    window = getattr(config, "sliding_window", None)
    if window is None:
        yield
        return
    config.sliding_window = min(window, _WINDOW)
    try:
        yield
    finally:
        config.sliding_window = window
