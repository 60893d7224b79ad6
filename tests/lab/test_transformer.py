"""The transformer: a family equals its members alone, a cache equals a full pass, wanted rows equal all rows."""

import numpy as np
import pytest
import torch

from hardlimit.core import InvalidValueError
from hardlimit.lab.attention import Entmax, Hierarchical, LogScaled, TopK
from hardlimit.lab.size import sized
from hardlimit.lab.transformer import Architecture, Cache, Family

pytestmark = pytest.mark.local

SHAPES = [
    Architecture(vocabulary=11, layers=2, width=16, heads=4, kv_heads=2),
    Architecture(vocabulary=11, layers=2, width=16, positions="learned", window=12, tied=False),
    Architecture(vocabulary=11, layers=1, width=16, positions="none", attention=LogScaled(reference=4), hidden=0),
    Architecture(vocabulary=11, layers=2, width=16, attention=TopK(keys=3)),
    Architecture(vocabulary=11, layers=2, width=16, attention=Entmax()),
]


def tokens(members: int = 2, length: int = 9):
    return torch.from_numpy(np.random.default_rng(5).integers(11, size=(members, 3, length)))


@pytest.mark.parametrize("shape", SHAPES, ids=range(len(SHAPES)))
@torch.no_grad()
def test_a_family_equals_its_members_alone(shape):
    given = tokens()
    both = Family(shape, [3, 4])(given)
    for member, seed in enumerate((3, 4)):
        torch.testing.assert_close(both[member : member + 1], Family(shape, [seed])(given[member : member + 1]))
    assert float((both[0] - Family(shape, [4])(given[:1])[0]).abs().max()) > 0.01


@pytest.mark.parametrize("shape", SHAPES, ids=range(len(SHAPES)))
@torch.no_grad()
def test_a_cache_equals_a_full_pass(shape):
    family, given, cache = Family(shape, [0, 1]), tokens(), Cache()
    whole = family(given)
    parts = [family.read(family.hidden(given[..., a:b], cache=cache)) for a, b in ((0, 4), (4, 5), (5, 9))]
    torch.testing.assert_close(torch.cat(parts, dim=2), whole, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_greedy_writing_follows_the_full_pass():
    family, given = Family(SHAPES[0], [0, 1]), tokens(length=5)
    written = family.generate(given, 4)
    for _ in range(4):
        given = torch.cat([given, family(given)[:, :, -1].argmax(-1, keepdim=True)], dim=-1)
    assert torch.equal(written, given[..., 5:])
    drawn = [family.generate(tokens(length=5), 4, temperature=2.0, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize(
    "shape", [*SHAPES, Architecture(vocabulary=11, width=16, attention=Hierarchical(chunk=2, chosen=2))]
)
@torch.no_grad()
def test_wanted_rows_equal_those_of_all_rows(shape):
    family, given = Family(shape, [0, 1]), tokens()
    segments = torch.tensor([0, 0, 0, 1, 1, 1, 1, 2, 2]).expand(2, 3, 9)
    rows = torch.tensor([8, 2, 5]).expand(2, 3, 3)
    for parts in (None, segments):
        whole = family(given, None, parts)
        torch.testing.assert_close(family(given, rows, parts), whole[:, :, [8, 2, 5]], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_nothing_is_seen_of_the_future_nor_of_another_document():
    family, given = Family(SHAPES[0], [0]), tokens(members=1)
    changed = given.clone()
    changed[..., 3] = (changed[..., 3] + 1) % 11
    before, after = family(given), family(changed)
    assert torch.equal(before[:, :, :3], after[:, :, :3])
    assert float((before[:, :, 3:] - after[:, :, 3:]).abs().amax(-1).min()) > 0
    segments = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 1]).expand(1, 3, 9)
    apart = family(given, None, segments)[:, :, 4:]
    assert torch.equal(apart, family(changed, None, segments)[:, :, 4:])
    # With rotary positions only distances count, so the second document alone gives the same numbers.
    torch.testing.assert_close(apart, family(given[..., 4:]), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_without_positions_order_does_not_matter_and_with_them_it_does():
    given = tokens(members=1)
    turned = torch.cat([given[..., :8].flip(-1), given[..., 8:]], dim=-1)
    for positions, same in (("none", True), ("rope", False), ("learned", False)):
        family = Family(Architecture(vocabulary=11, layers=1, width=16, positions=positions, window=9), [0])
        apart = float((family(given)[:, :, -1] - family(turned)[:, :, -1]).abs().max())
        assert (apart < 1e-5) is same


def test_weights_are_counted_and_bad_shapes_refused():
    shape = SHAPES[1]
    assert Family(shape, [0]).weights.numel() == shape.parameters == 2 * 11 * 16 + 12 * 16 + shape.body
    assert sized(3, 10).body == 12 * 3 * 48**2
    with pytest.raises(InvalidValueError, match="12 learned places; 13 tokens do not fit"):
        Family(shape, [0])(tokens(1, 13))
    for bad in ({"width": 15}, {"heads": 2, "kv_heads": 3}, {"layers": 0}):
        with pytest.raises(InvalidValueError):
            Architecture(vocabulary=11, **bad)
    with pytest.raises(InvalidValueError, match="at least one seed"):
        Family(shape, [])
