"""Attention functions of the lab: how a row of logits becomes a row of weights, and how many keys that costs.

Shapes: queries (G, H, R, d), keys and values (G, H, N, d), `allowed` a boolean mask that broadcasts to (G, H, R, N), or
None for plain causal attention of N queries on N keys. G is whatever is batched: models times sequences.
"""

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hardlimit.core import InvalidValueError, MissingExtraError, Value

NEVER = -1e4
"""Logit of a key that may not be seen: finite, since sparse maps take means over the row; its exponential is 0."""


class Cost(NamedTuple):
    """What one query costs among n keys.

    Args:
        scored: dot products with keys or summaries of keys.
        read: values that are added up.
    """

    scored: float
    read: float


class Attention(Value, frozen=True, tag=True):
    """Plain softmax attention, and the base of the others."""

    name: ClassVar[str] = "softmax"

    def logits(self, queries: Tensor, keys: Tensor, allowed: Tensor | None) -> Tensor:
        """Scaled dot products, `NEVER` where a key may not be seen."""
        scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])
        return scores.masked_fill(~visible(queries, keys, allowed), NEVER)

    def weights(self, queries: Tensor, keys: Tensor, allowed: Tensor | None) -> Tensor:
        """Attention weights (G, H, R, N); each row sums to 1."""
        return self.logits(queries, keys, allowed).softmax(-1)

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None) -> Tensor:
        """Weighted sums of the values, (G, H, R, d)."""
        return self.weights(queries, keys, allowed) @ values

    def cost(self, keys: int) -> Cost:
        """What one query costs among so many keys."""
        return Cost(keys, keys)


class Softmax(Attention, frozen=True, tag=True):
    """Softmax, computed by the fastest kernel there is."""

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None) -> Tensor:
        """Weighted sums of the values, (G, H, R, d)."""
        return functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=allowed, is_causal=allowed is None
        )


class LogScaled(Attention, frozen=True, tag=True):
    """Softmax of logits multiplied by ln n / ln(reference), n being the number of keys that a query sees (CTX-3).

    Args:
        reference: number of keys at which it equals plain softmax, >= 2.
    """

    name: ClassVar[str] = "log-scaled softmax"
    reference: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reference < 2:
            raise InvalidValueError(f"LogScaled.reference must be >= 2, got {self.reference}.")

    def _scaled(self, queries: Tensor, keys: Tensor, allowed: Tensor | None) -> Tensor:
        seen = visible(queries, keys, allowed).sum(-1, keepdim=True)
        return queries * (seen.clamp(min=2).log() / math.log(self.reference)).to(queries.dtype)

    def logits(self, queries: Tensor, keys: Tensor, allowed: Tensor | None) -> Tensor:
        """Scaled dot products times ln n / ln(reference)."""
        return super().logits(self._scaled(queries, keys, allowed), keys, allowed)

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None) -> Tensor:
        """Weighted sums of the values, (G, H, R, d)."""
        scaled = self._scaled(queries, keys, allowed)
        return functional.scaled_dot_product_attention(
            scaled, keys, values, attn_mask=allowed, is_causal=allowed is None
        )


class Entmax(Attention, frozen=True, tag=True):
    """Entmax of order 1.5: far keys get exactly nothing.

    Source:
        Peters, Niculae & Martins (2019), arXiv:1905.05702; the package `entmax`.
    """

    name: ClassVar[str] = "entmax 1.5"

    def weights(self, queries: Tensor, keys: Tensor, allowed: Tensor | None) -> Tensor:
        """Attention weights (G, H, R, N); each row sums to 1."""
        try:
            from entmax import entmax15
        except ImportError as error:
            raise MissingExtraError.for_extra("lab", "entmax") from error
        rows: Tensor = entmax15(self.logits(queries, keys, allowed), dim=-1)
        return rows


class TopK(Attention, frozen=True, tag=True):
    """Softmax over the k keys of largest logit; the others get nothing.

    Args:
        keys: k, >= 1.
    """

    name: ClassVar[str] = "top-k"
    keys: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.keys < 1:
            raise InvalidValueError(f"TopK.keys must be >= 1, got {self.keys}.")

    def weights(self, queries: Tensor, keys: Tensor, allowed: Tensor | None) -> Tensor:
        """Attention weights (G, H, R, N); each row sums to 1."""
        logits = self.logits(queries, keys, allowed)
        top = logits.topk(min(self.keys, logits.shape[-1]), dim=-1)
        return torch.zeros_like(logits).scatter(-1, top.indices, top.values.softmax(-1))

    def cost(self, keys: int) -> Cost:
        """What one query costs among so many keys."""
        return Cost(keys, min(self.keys, keys))


class Hierarchical(Attention, frozen=True, tag=True):
    """Chunk, then token: keys are cut into chunks, a chunk is scored by its mean key, and softmax sees the best chunks.

    The query's own chunk is always among those seen.

    Args:
        chunk: keys in a chunk, >= 1.
        chosen: chunks that a query sees, >= 1.
    """

    name: ClassVar[str] = "chunk, then token"
    chunk: int = 8
    chosen: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.chunk < 1 or self.chosen < 1:
            raise InvalidValueError(f"Hierarchical needs chunk, chosen >= 1, got {self.chunk}, {self.chosen}.")

    def weights(self, queries: Tensor, keys: Tensor, allowed: Tensor | None) -> Tensor:
        """Attention weights (G, H, R, N); each row sums to 1."""
        n = keys.shape[-2]
        seen = visible(queries, keys, allowed)
        logits = self.logits(queries, keys, allowed)
        blocks = math.ceil(n / self.chunk)

        def chunks(rows: Tensor) -> Tensor:
            padded = functional.pad(rows, (0, blocks * self.chunk - n))
            return padded.reshape(*rows.shape[:-1], blocks, self.chunk).sum(-1)

        # The score of a chunk's mean key is the mean of its keys' scores; only keys that may be seen count.
        count = chunks(seen.to(logits.dtype))
        scores = (chunks(logits.masked_fill(~seen, 0.0)) / count.clamp(min=1)).masked_fill(count == 0, NEVER)
        own = seen.flip(-1).to(torch.uint8).argmax(-1, keepdim=True)  # distance of the last visible key from the end
        own = ((n - 1 - own) // self.chunk).expand(*scores.shape[:-1], 1)
        scores = scores.scatter(-1, own, torch.finfo(scores.dtype).max)
        best = scores.topk(min(self.chosen, blocks), dim=-1).indices
        open_ = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, best, True)
        return logits.masked_fill(~open_.repeat_interleave(self.chunk, -1)[..., :n], NEVER).softmax(-1)

    def cost(self, keys: int) -> Cost:
        """What one query costs among so many keys."""
        read = min(self.chunk * self.chosen, keys)
        return Cost(math.ceil(keys / self.chunk) + read, read)


AnyAttention = Softmax | LogScaled | Entmax | TopK | Hierarchical


def visible(queries: Tensor, keys: Tensor, allowed: Tensor | None) -> Tensor:
    """Which keys a query may see: the given mask, or the causal one.

    >>> visible(torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 2, 4), None).tolist()
    [[True, False], [True, True]]
    """
    if allowed is not None:
        return allowed
    rows, columns = queries.shape[-2], keys.shape[-2]
    return torch.ones(rows, columns, dtype=torch.bool, device=keys.device).tril(columns - rows)
