"""Attention that gathers the keys it looks at and leaves the others alone: cheaper than dense, not only masked."""

import torch
from torch import Tensor
from torch.nn import functional

from hardlimit.mitigations.attention.changes import ChunkThenToken, WindowSink
from hardlimit.mitigations.attention.rows import Rows

_ROWS_AT_ONCE = 256


def window_sink(change: WindowSink, rows: Rows) -> Tensor:
    """Attention over the last keys and the first ones; (S, G, R, e)."""
    parts, count = [], rows.queries.shape[2]
    for start in range(0, count, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, count)
        low, high = max(0, rows.first + start + 1 - change.window), rows.first + stop
        sinks = torch.arange(min(change.sinks, low), device=rows.keys.device)
        columns = torch.cat([sinks, torch.arange(low, high, device=rows.keys.device)])
        positions = torch.arange(rows.first + start, high, device=rows.keys.device)[:, None]
        near = positions - columns < change.window
        seen = (columns <= positions) & (near | (columns < change.sinks))
        keys, values = rows.keys[:, columns], rows.values[:, columns]
        parts.append(_attend(rows, rows.queries[:, :, start:stop], keys, values, seen))
    return torch.cat(parts, dim=2)


def chunk_then_token(change: ChunkThenToken, rows: Rows) -> Tensor:
    """Attention over the tokens of the chunks whose summaries score best; (S, G, R, e)."""
    chunk, first, total = change.chunk, rows.first, rows.keys.shape[1]
    # Up to here every earlier chunk is seen anyway.
    start = min(max(first, (change.chosen + 3) * chunk), total)
    parts = [_dense(rows, start - first)] if start > first else []
    if start < total:
        summaries = _summaries(change, rows.keys[:, : (total - 1) // chunk * chunk])
        while start < total:
            stop = min(total, (start // chunk + 1) * chunk)
            parts.append(_block(change, rows, summaries, (start, stop)))
            start = stop
    return torch.cat(parts, dim=2)


def _dense(rows: Rows, count: int) -> Tensor:
    """The first so many queries, over all the keys that they see."""
    end = rows.first + count
    positions = torch.arange(rows.first, end, device=rows.keys.device)[:, None]
    seen = torch.arange(end, device=rows.keys.device) <= positions
    return _attend(rows, rows.queries[:, :, :count], rows.keys[:, :end], rows.values[:, :end], seen)


def _summaries(change: ChunkThenToken, keys: Tensor) -> Tensor:
    """One row per whole chunk, (S, chunks, 2d or d), whose dot product with `_asked` scores it."""
    chunks = keys.reshape(len(keys), -1, change.chunk, keys.shape[-1])
    if change.summary == "mean":
        return chunks.mean(2)
    return torch.cat([chunks.amax(2), chunks.amin(2)], dim=-1)


def _asked(change: ChunkThenToken, queries: Tensor) -> Tensor:
    if change.summary == "mean":
        return queries
    return torch.cat([queries.clamp_min(0), queries.clamp_max(0)], dim=-1)


def _block(change: ChunkThenToken, rows: Rows, summaries: Tensor, block: tuple[int, int]) -> Tensor:
    """Queries at the positions of a block, which lies within one chunk; (S, G, r, e)."""
    start, stop = block
    past = start // change.chunk
    queries = rows.queries[:, :, start - rows.first : stop - rows.first]
    member = _chosen(change, queries, summaries[:, :past])
    own = torch.ones(stop - start, stop - past * change.chunk, dtype=torch.bool, device=queries.device)
    own = own.tril(start - past * change.chunk)
    parts = []
    for head, chunks in enumerate(member):
        union = chunks.any(0).nonzero()[:, 0]
        seen = torch.cat([chunks[:, union].repeat_interleave(change.chunk, -1), own], dim=-1)
        keys, values = (_picked(each[head], union, change.chunk, stop)[None] for each in (rows.keys, rows.values))
        parts.append(_attend(rows, queries[head : head + 1], keys, values, seen))
    return torch.cat(parts)


def _chosen(change: ChunkThenToken, queries: Tensor, summaries: Tensor) -> Tensor:
    """Which past chunks each query sees, (S, r, past): the best of its group of heads, the first and the last."""
    shared, group, count, _ = queries.shape
    asked = _asked(change, queries).reshape(shared, group * count, -1)
    scores = (asked @ summaries.transpose(1, 2)).reshape(shared, group, count, -1).float().amax(1)
    best = scores[..., 1:-1].topk(change.chosen, dim=-1).indices + 1
    member = torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, best, True)
    member[..., 0] = member[..., -1] = True
    return member


def _picked(tokens: Tensor, chunks: Tensor, chunk: int, stop: int) -> Tensor:
    """The tokens (n, d) of some whole chunks and of the part of the last chunk before a position."""
    whole = stop - 1 - (stop - 1) % chunk
    picked = tokens[:whole].reshape(-1, chunk, tokens.shape[-1]).index_select(0, chunks).flatten(0, 1)
    return torch.cat([picked, tokens[whole:stop]])


def _attend(rows: Rows, queries: Tensor, keys: Tensor, values: Tensor, seen: Tensor) -> Tensor:
    """Softmax attention of queries (S, G, r, d) over keys (S, n, d), of which each row sees some; (S, G, r, e)."""
    shared, group, count, _ = queries.shape
    if rows.softcap is not None:
        logits = rows.logits(queries, keys).masked_fill_(~seen, float("-inf"))
        return rows.summed(logits.softmax(-1), values)
    flat = queries.reshape(shared, 1, group * count, -1)
    mask = torch.zeros(seen.shape, dtype=queries.dtype, device=seen.device).masked_fill_(~seen, float("-inf"))
    out = functional.scaled_dot_product_attention(
        flat, keys[:, None], values[:, None], attn_mask=mask.repeat(group, 1), scale=rows.scale
    )
    return out.reshape(shared, group, count, -1)
