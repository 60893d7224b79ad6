"""Rows of attention of one sequence, and the ways to weigh them that look at every logit."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hardlimit.core import MissingExtraError
from hardlimit.mitigations.attention.changes import BlockTopK, Entmax, LogScaled, TopK

_ROWS_AT_ONCE = 128
_NEVER = -1e4
"""Logit of an unseen key for entmax, which takes means over sorted rows and so needs finite ones."""


class Rows(NamedTuple):
    """The last R of a sequence's N tokens as queries; query i sees the first N − R + i + 1 keys.

    Args:
        queries: (S, G, R, d): G query heads for each of S key–value heads.
        keys: (S, N, d).
        values: (S, N, e).
        scale: what the dot products are multiplied by.
        softcap: bound of the logits, or None.
    """

    queries: Tensor
    keys: Tensor
    values: Tensor
    scale: float
    softcap: float | None = None

    @property
    def first(self) -> int:
        """Position of the first query."""
        return self.keys.shape[1] - self.queries.shape[2]

    def logits(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Logits (S, G, r, n) of queries (S, G, r, d) with keys (S, n, d), 32-bit floats, nothing masked."""
        shared, group, rows, width = queries.shape
        dots = queries.reshape(shared, group * rows, width) @ keys.transpose(1, 2)
        scaled = dots.reshape(shared, group, rows, -1).float() * self.scale
        return scaled if self.softcap is None else self.softcap * torch.tanh(scaled / self.softcap)

    def summed(self, weights: Tensor, values: Tensor) -> Tensor:
        """Values (S, n, e) added up with weights (S, G, r, n)."""
        shared, group, rows, keys = weights.shape
        total = weights.to(values.dtype).reshape(shared, group * rows, keys) @ values
        return total.reshape(shared, group, rows, -1)


def each_logit(change: TopK | BlockTopK | Entmax | LogScaled, rows: Rows) -> Tensor:
    """Attention that computes every logit and weighs a row in another way than softmax; (S, G, R, e)."""
    weigh = _WEIGH[type(change)]
    parts = []
    for queries, positions in _blocks(rows):
        end = int(positions[-1]) + 1
        keys, values = rows.keys[:, :end], rows.values[:, :end]
        unseen = torch.arange(end, device=keys.device) > positions[:, None]
        logits = rows.logits(queries, keys).masked_fill_(unseen, float("-inf"))
        parts.append(rows.summed(weigh(change, logits, positions), values))
    return torch.cat(parts, dim=2)


def _blocks(rows: Rows) -> Iterator[tuple[Tensor, Tensor]]:
    """Queries in blocks, each with its positions, so that few logits are in memory at once."""
    count = rows.queries.shape[2]
    for start in range(0, count, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, count)
        positions = torch.arange(rows.first + start, rows.first + stop, device=rows.keys.device)
        yield rows.queries[:, :, start:stop], positions


def _top_k(change: TopK, logits: Tensor, positions: Tensor) -> Tensor:
    if change.keys >= logits.shape[-1]:
        return logits.softmax(-1)
    top = logits.topk(change.keys, dim=-1)
    return torch.zeros_like(logits).scatter_(-1, top.indices, top.values.softmax(-1))


def _block_top_k(change: BlockTopK, logits: Tensor, positions: Tensor) -> Tensor:
    keys = logits.shape[-1]
    blocks = -(-keys // change.block)
    if change.chosen >= blocks:
        return logits.softmax(-1)
    padded = functional.pad(logits, (0, blocks * change.block - keys), value=float("-inf"))
    mass = padded.reshape(*logits.shape[:-1], blocks, change.block).logsumexp(-1)
    own = (positions // change.block)[:, None].expand(*mass.shape[:-1], 1)
    mass = mass.scatter(-1, own, float("inf"))
    chosen = mass.topk(change.chosen, dim=-1).indices
    seen = torch.zeros_like(mass, dtype=torch.bool).scatter_(-1, chosen, True)
    return logits.masked_fill(~seen.repeat_interleave(change.block, -1)[..., :keys], float("-inf")).softmax(-1)


def _entmax(change: Entmax, logits: Tensor, positions: Tensor) -> Tensor:
    try:
        from entmax import entmax15
    except ImportError as error:
        raise MissingExtraError.for_extra("lab", "entmax") from error
    weights: Tensor = entmax15(logits.clamp_min(_NEVER), dim=-1)
    return weights


def _log_scaled(change: LogScaled, logits: Tensor, positions: Tensor) -> Tensor:
    return (logits * sharpening(change, positions + 1)[:, None]).softmax(-1)


def sharpening(change: LogScaled, seen: Tensor) -> Tensor:
    """What the logits of a query that sees so many keys are multiplied by.

    >>> sharpening(LogScaled(reference=16), torch.tensor([1, 16, 256])).tolist()
    [1.0, 1.0, 2.0]
    """
    return (seen.double().log() / torch.tensor(float(change.reference), dtype=torch.float64).log()).clamp_min(1).float()


_WEIGH: Final[dict[type, Callable[[Any, Tensor, Tensor], Tensor]]] = {
    TopK: _top_k,
    BlockTopK: _block_top_k,
    Entmax: _entmax,
    LogScaled: _log_scaled,
}
