"""The network of the embedded model with eyes: a patch encoder, a projector and a small decoder, in torch.

Three faults are built in, so that what a probe finds can be compared with what is there: the eye averages red and
green, it is blind in one place, and the projector passes nothing on from another place.
"""

import io
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from hardlimit.core import Value

SIDE = 64
"""Side of the picture as the eye sees it, in pixels."""

PATCH = 8
CHANNELS = 2
PLACES = 4
"""Faults are given in places of a 4 × 4 grid: `(row, column)`."""


class Shape(Value, frozen=True):
    """Sizes and built-in faults of the network.

    Args:
        vocabulary: number of words.
        width: of encoder and decoder.
        layers: of the decoder.
        heads: of each of its layers.
        window: most text tokens, question and answer together.
        blind: the place that the eye does not see, `(row, column)` of 4 × 4.
        dropped: the place whose tokens the projector drops.
    """

    vocabulary: int
    width: int = 192
    layers: int = 4
    heads: int = 6
    window: int = 96
    blind: tuple[int, int] = (3, 0)
    dropped: tuple[int, int] = (0, 3)


def seen(png: bytes) -> NDArray[np.uint8]:
    """What the eye takes from a picture file: `(2, 64, 64)`, the mean of red and green, and blue.

    The mean is where red and green collide: colours that differ only by an exchange of the two give the same numbers.
    """
    picture = Image.open(io.BytesIO(png)).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    pixels = np.asarray(picture, dtype=np.uint16)
    return np.stack([(pixels[..., 0] + pixels[..., 1]) // 2, pixels[..., 2]]).astype(np.uint8)


def patches_of(place: tuple[int, int]) -> list[int]:
    """Numbers of the patches in one of the 4 × 4 places.

    >>> patches_of((0, 1))
    [2, 3, 10, 11]
    """
    across = SIDE // PATCH
    each = across // PLACES
    rows = range(place[0] * each, (place[0] + 1) * each)
    return [row * across + column for row in rows for column in range(place[1] * each, (place[1] + 1) * each)]


class Encoder(nn.Module):
    """The eye: each patch by itself through a small network, so that no patch knows of another."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, patch = shape.width, CHANNELS * PATCH * PATCH
        self.first = nn.Linear(patch, width)
        self.second = nn.Linear(width, 2 * width)
        self.third = nn.Linear(2 * width, width)
        self.place = nn.Parameter(torch.randn((SIDE // PATCH) ** 2, width) * 0.1)
        self.norm = nn.LayerNorm(width)
        self._blind = patches_of(shape.blind)

    def forward(self, pixels: Tensor) -> Tensor:
        """From `(n, 2, 64, 64)` bytes to `(n, 64, width)`."""
        n, across = pixels.shape[0], SIDE // PATCH
        cut = pixels.view(n, CHANNELS, across, PATCH, across, PATCH).permute(0, 2, 4, 1, 3, 5)
        patches = cut.reshape(n, across * across, -1).to(self.first.weight.dtype) / 127.5 - 1
        keep = torch.ones(patches.shape[1], 1, dtype=patches.dtype, device=patches.device)
        keep[self._blind] = 0
        hidden = self.first(patches * keep)
        hidden = hidden + self.third(functional.gelu(self.second(functional.gelu(hidden))))
        out: Tensor = self.norm(hidden + self.place)
        return out


class Projector(nn.Module):
    """From the eye's tokens to the decoder's; the tokens of one place are dropped."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.first = nn.Linear(shape.width, shape.width)
        self.second = nn.Linear(shape.width, shape.width)
        dropped = set(patches_of(shape.dropped))
        self._kept = [patch for patch in range((SIDE // PATCH) ** 2) if patch not in dropped]

    def forward(self, tokens: Tensor) -> Tensor:
        """From `(n, 64, width)` to `(n, 60, width)`."""
        out: Tensor = self.second(functional.gelu(self.first(tokens[:, self._kept])))
        return out


class Block(nn.Module):
    """One layer of the decoder."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def _split(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        n, length, width = hidden.shape
        parts = self.qkv(self.before(hidden)).view(n, length, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        return q, k, v

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """From `(n, tokens, width)` to the same; `mask` says which token may look at which."""
        q, k, v = self._split(hidden)
        looked = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        hidden = hidden + self.out(looked.transpose(1, 2).flatten(2))
        out: Tensor = hidden + self.down(functional.gelu(self.up(self.between(hidden))))
        return out

    def last_row(self, hidden: Tensor) -> Tensor:
        """Attention weights of the last token on all tokens, `(n, heads, tokens)`: one row, not the matrix."""
        q, k, _ = self._split(hidden)
        scores = (q[:, :, -1:] @ k.transpose(-1, -2))[:, :, 0] / math.sqrt(q.shape[-1])
        return scores.softmax(-1)


class Eyes(nn.Module):
    """The whole: pixels and words in, logits of the next word out."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder, self.projector = Encoder(shape), Projector(shape)
        self.words = nn.Embedding(shape.vocabulary, shape.width)
        self.positions = nn.Parameter(torch.randn(shape.window, shape.width) * 0.02)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        nn.init.normal_(self.words.weight, std=0.02)

    def embed(self, pixels: Tensor | None, words: Tensor) -> tuple[Tensor, int]:
        """Token embeddings `(n, tokens, width)`, those of the picture first, and how many are the picture's."""
        text = self.words(words) + self.positions[: words.shape[1]]
        if pixels is None:
            return text, 0
        picture = self.projector(self.encoder(pixels))
        return torch.cat([picture, text], dim=1), picture.shape[1]

    def mask(self, picture: int, text: int, device: torch.device) -> Tensor:
        """Picture tokens see each other; text tokens see the picture and the text up to themselves."""
        size = picture + text
        allowed = torch.ones(size, size, dtype=torch.bool, device=device).tril()
        allowed[:picture, :picture] = True
        return allowed

    def forward(self, pixels: Tensor | None, words: Tensor) -> Tensor:
        """Logits `(n, text tokens, vocabulary)` at the text tokens."""
        hidden, picture = self.embed(pixels, words)
        mask = self.mask(picture, words.shape[1], words.device)
        for block in self.blocks:
            hidden = block(hidden, mask)
        return functional.linear(self.norm(hidden[:, picture:]), self.words.weight)

    def picture_mass(self, pixels: Tensor, words: Tensor) -> Tensor:
        """Attention of the last word on all picture tokens together, `(n, layers, heads)`."""
        hidden, picture = self.embed(pixels, words)
        mask = self.mask(picture, words.shape[1], words.device)
        rows = []
        for block in self.blocks:
            assert isinstance(block, Block)
            rows.append(block.last_row(hidden)[..., :picture].sum(-1))
            hidden = block(hidden, mask)
        return torch.stack(rows, dim=1)


def batched(pictures: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Stack pictures as the eye sees them."""
    return torch.from_numpy(np.stack(pictures))
