"""From transformers' attention call to plain sequences: whose tokens the rows of a mask are, and what they may see.

A batch may hold padding, and a packed one may hold many sequences in one row, told apart by the mask alone. Choosing
keys by their place needs each sequence by itself; so a mask is cut into stretches of rows, each row of which sees what
the row before it sees and one key more.
"""

import itertools
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from hardlimit.core import ModelError
from hardlimit.mitigations.attention.changes import (
    Attention,
    BlockTopK,
    ChunkThenToken,
    Entmax,
    LogScaled,
    TopK,
    WindowSink,
)
from hardlimit.mitigations.attention.gathered import chunk_then_token, window_sink
from hardlimit.mitigations.attention.rows import Rows, each_logit

_ATTEND: Final[dict[type, Callable[[Any, Rows], Tensor]]] = {
    TopK: each_logit,
    WindowSink: window_sink,
    BlockTopK: each_logit,
    ChunkThenToken: chunk_then_token,
    Entmax: each_logit,
    LogScaled: each_logit,
}


class Stretch(NamedTuple):
    """Rows [start, stop) of a mask, and the keys that the last of them sees, in order; all of them if None."""

    start: int
    stop: int
    keys: Tensor | None


def stretches(allowed: Tensor) -> list[Stretch]:
    """Cut a mask into the stretches of rows that belong to one sequence each.

    Args:
        allowed: boolean, (R, N); rows that see nothing are left out.

    >>> two = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 1, 1]], dtype=torch.bool)
    >>> [(each.start, each.stop, each.keys.tolist()) for each in stretches(two)]
    [(0, 2, [0, 1]), (2, 4, [0, 2, 3])]
    """
    count, keys = allowed.shape
    seen = allowed.sum(1)
    last = keys - 1 - allowed.flip(1).to(torch.uint8).argmax(1)
    lost = (allowed[:-1] & ~allowed[1:]).any(1)
    follows = ~lost & (seen[1:] == seen[:-1] + 1) & (last[1:] > last[:-1]) & (seen[:-1] > 0)
    cuts = [0, *(torch.nonzero(~follows)[:, 0] + 1).tolist(), count]
    found = []
    for start, stop in itertools.pairwise(cuts):
        total = int(seen[stop - 1])
        if total:
            whole = total == keys
            found.append(Stretch(start, stop, None if whole else torch.nonzero(allowed[stop - 1])[:, 0]))
    return found


class Implementation:
    """A change of attention as a function that transformers' `AttentionInterface` takes.

    Args:
        change: which one.
    """

    def __init__(self, change: Attention) -> None:
        self._change = change
        self._attend = _ATTEND[type(change)]
        self.calls = 0
        # Every layer of a forward pass gets the same mask.
        self._mask: Tensor | None = None
        self._cut: list[list[Stretch]] = []

    def __call__(
        self,
        module: torch.nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        *,
        scaling: float | None = None,
        softcap: float | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, None]:
        """Attend: (B, heads, R, d) queries, (B, shared, N, d) keys; (B, R, heads, e).

        Raises:
            ModelError: if the model adds a term to its attention that is not known here.
        """
        terms = [name for name in ("s_aux", "position_bias") if kwargs.get(name) is not None]
        if terms:
            raise ModelError(
                f"The attention of {type(module).__name__} has a term of its own, {' and '.join(terms)}; "
                f"{type(self._change).__name__} does not know it."
            )
        self.calls += 1
        batch, heads, count, width = query.shape
        shared = key.shape[1]
        scale = width**-0.5 if scaling is None else scaling
        out = query.new_zeros(batch, shared, heads // shared, count, value.shape[-1])
        grouped = query.reshape(batch, shared, heads // shared, count, width)
        for row, cut in enumerate(self._stretches(attention_mask, batch, count)):
            for start, stop, keys in cut:
                k, v = (each[row] if keys is None else each[row].index_select(1, keys) for each in (key, value))
                rows = Rows(grouped[row, :, :, start:stop], k, v, scale, softcap)
                out[row, :, :, start:stop] = self._attend(self._change, rows)
        return out.flatten(1, 2).transpose(1, 2).contiguous(), None

    def _stretches(self, mask: Tensor | None, batch: int, count: int) -> list[list[Stretch]]:
        if mask is None:
            return [[Stretch(0, count, None)]] * batch
        if mask is not self._mask:
            if mask.ndim != 4 or mask.shape[1] != 1:
                raise ModelError(f"A mask of shape {tuple(mask.shape)} differs from head to head, which is not read.")
            allowed = mask[:, 0] if mask.dtype == torch.bool else mask[:, 0] >= 0
            self._cut = [stretches(each) for each in allowed.expand(batch, -1, -1)]
            self._mask = mask
        return self._cut
