"""Causal softmax attention on longer sequences, as the processor does it fastest.

A block of queries at a time, on the keys up to the block's own end: what lies wholly in the future is never computed,
and each product runs over all sequences and heads together. The values are those of torch's own function, to rounding.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 64
"""Queries at a time."""

SHORT = 192
"""Places below which torch's own function is faster."""

MANY = 1 << 24
"""Attention weights of one layer, 4 bytes each, above which torch's own function is left to keep none of them."""


def causal(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Softmax attention in which a query sees the keys up to its own place; all (groups, heads, places, width).

    >>> q, k, v = torch.randn(3, 2, 1, SHORT + 5, 16)
    >>> exact = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    >>> torch.allclose(causal(q, k, v), exact, atol=1e-5)
    True
    """
    groups, heads, places = queries.shape[:3]
    plain = queries.device.type == "cpu" and queries.dtype == torch.float32 and keys.shape == queries.shape
    if not plain or places < SHORT or groups * heads * places**2 > MANY:
        return functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    read: Tensor = _Causal.apply(queries, keys, values)  # type: ignore[no-untyped-call]
    return read


class _Causal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        places, width = queries.shape[-2:]
        q, k, v = (t.reshape(-1, places, width) for t in (queries * width**-0.5, keys, values))
        future = q.new_full((BLOCK, BLOCK), -math.inf).triu_(1)
        read, weights = torch.empty_like(v), []
        for start, end in _blocks(places):
            scores = torch.bmm(q[:, start:end], k[:, :end].transpose(1, 2))
            scores[:, :, start:] += future[: end - start, : end - start]
            weights.append(torch.softmax(scores, -1, out=scores))
            read[:, start:end] = torch.bmm(scores, v[:, :end])
        ctx.save_for_backward(q, k, v, *weights)
        return read.reshape(queries.shape)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v, *weights = ctx.saved_tensors
        shape = slopes[0].shape
        slope = slopes[0].reshape(v.shape)
        of_q, of_k, of_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for (start, end), seen in zip(_blocks(v.shape[1]), weights, strict=True):
            part = slope[:, start:end]
            of_v[:, :end].baddbmm_(seen.transpose(1, 2), part)
            inner = torch.bmm(part, v[:, :end].transpose(1, 2))
            torch._softmax_backward_data(inner, seen, -1, torch.float32, grad_input=inner)
            of_q[:, start:end] = torch.bmm(inner, k[:, :end])
            of_k[:, :end].baddbmm_(inner.transpose(1, 2), q[:, start:end])
        of_q *= v.shape[2] ** -0.5
        return of_q.reshape(shape), of_k.reshape(shape), of_v.reshape(shape)


def _blocks(places: int) -> list[tuple[int, int]]:
    return [(start, min(start + BLOCK, places)) for start in range(0, places, BLOCK)]
