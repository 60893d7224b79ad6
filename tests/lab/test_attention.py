"""Attention functions against references written out by hand, query by query."""

import math

import pytest
import torch

from hardlimit.core import InvalidValueError
from hardlimit.lab.attention import Entmax, Hierarchical, LogScaled, Softmax, TopK

pytestmark = pytest.mark.local

EVERY = [Softmax(), LogScaled(reference=3), Entmax(), TopK(keys=2), Hierarchical(chunk=2, chosen=2)]


def drawn(queries: int = 7, keys: int = 7, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)

    def part(n: int) -> torch.Tensor:
        return 2 * torch.randn(2, 3, n, 4, generator=generator, dtype=torch.float64)

    return part(queries), part(keys), part(keys)


def reference(attention, q, keys, values):
    """Weighted sum for one query over the keys that it sees."""
    logits = torch.stack([q @ k for k in keys]) / math.sqrt(len(q))
    n = len(keys)
    if isinstance(attention, LogScaled):
        logits = logits * math.log(max(n, 2)) / math.log(attention.reference)
    if isinstance(attention, TopK):
        kept = sorted(range(n), key=lambda i: -float(logits[i]))[: attention.keys]
        logits = torch.tensor([float(logits[i]) if i in kept else -math.inf for i in range(n)], dtype=q.dtype)
    if isinstance(attention, Entmax):
        return (bisected(logits / 2)[:, None] * torch.stack(list(values))).sum(0)
    return (logits.softmax(0)[:, None] * torch.stack(list(values))).sum(0)


def bisected(half):
    """Entmax 1.5 is [z/2 - tau]_+^2 with tau such that it sums to 1."""
    low, high = float(half.max()) - 1, float(half.max())
    for _ in range(80):
        tau = (low + high) / 2
        low, high = (tau, high) if float((half - tau).clamp(min=0).square().sum()) > 1 else (low, tau)
    return (half - tau).clamp(min=0).square()


@pytest.mark.parametrize("attention", EVERY[:4], ids=lambda a: a.name)
def test_each_query_reads_what_the_reference_reads(attention):
    q, k, v = drawn()
    out = attention.attend(q, k, v, None)
    for g, h, i in ((0, 0, 0), (1, 2, 3), (0, 1, 6)):
        expected = reference(attention, q[g, h, i], k[g, h, : i + 1], v[g, h, : i + 1])
        torch.testing.assert_close(out[g, h, i], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("attention", EVERY, ids=lambda a: a.name)
def test_weights_sum_to_one_and_never_see_what_is_hidden(attention):
    q, k, v = drawn(queries=2, keys=7, seed=1)
    allowed = torch.tensor(
        [[True, False, True, True, False, True, False], [True, True, False, False, False, False, False]]
    )
    weights = attention.weights(q, k, allowed[None, None])
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 2, dtype=torch.float64))
    assert float(weights[..., ~allowed[0]][:, :, 0].abs().max()) == 0
    torch.testing.assert_close(attention.attend(q, k, v, allowed[None, None]), weights @ v, rtol=1e-6, atol=1e-8)


def test_hierarchical_opens_the_best_chunks_and_its_own():
    keys = torch.zeros(1, 1, 7, 2)
    keys[0, 0, 1] = torch.tensor([9.0, 0.0])  # The best token lies in the first chunk of two …
    keys[0, 0, 2] = keys[0, 0, 3] = torch.tensor([4.0, 0.0])  # … and the best mean but for it in the second.
    query = torch.tensor([1.0, 0.0]).expand(1, 1, 1, 2)
    seen = torch.ones(1, 1, 1, 7, dtype=torch.bool)
    two = Hierarchical(chunk=2, chosen=2).weights(query, keys, seen)[0, 0, 0]
    assert (two > 0).tolist() == [True, True, False, False, False, False, True]
    three = Hierarchical(chunk=2, chosen=3).weights(query, keys, seen)[0, 0, 0]
    assert (three > 0).tolist() == [True, True, True, True, False, False, True]


def test_a_chunk_is_scored_by_the_keys_that_may_be_seen():
    keys = torch.zeros(1, 1, 6, 2)
    keys[0, 0, :, 0] = torch.tensor([4.0, -100.0, 3.0, 3.0, 0.0, 0.0])
    query = torch.tensor([1.0, 0.0]).expand(1, 1, 1, 2)
    seen = torch.tensor([True, False, True, True, True, True])[None, None, None]
    weights = Hierarchical(chunk=2, chosen=2).weights(query, keys, seen)[0, 0, 0]
    assert (weights > 0).tolist() == [True, False, False, False, True, True]


def test_a_chunk_of_which_nothing_may_be_seen_takes_no_place():
    keys = torch.zeros(1, 1, 6, 2)
    keys[0, 0, :2, 0] = -3.0
    query = torch.tensor([1.0, 0.0]).expand(1, 1, 1, 2)
    seen = torch.tensor([True, True, False, False, True, True])[None, None, None]
    weights = Hierarchical(chunk=2, chosen=2).weights(query, keys, seen)[0, 0, 0]
    assert (weights > 0).tolist() == [True, True, False, False, True, True]


def test_hierarchical_with_every_chunk_open_is_softmax():
    q, k, v = drawn(seed=3)
    all_open = Hierarchical(chunk=3, chosen=3)
    torch.testing.assert_close(all_open.attend(q, k, v, None), Softmax().attend(q, k, v, None))
    assert all_open.cost(9) == (3 + 9, 9) and Hierarchical(chunk=8, chosen=4).cost(1024) == (128 + 32, 32)


def test_settings_outside_their_range_are_refused():
    for make in (lambda: LogScaled(reference=1), lambda: TopK(keys=0), lambda: Hierarchical(chunk=0)):
        with pytest.raises(InvalidValueError):
            make()
