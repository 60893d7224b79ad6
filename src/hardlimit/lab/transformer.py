"""One small decoder-only transformer, as a family: many models of one shape, trained and asked together.

Every weight has a leading dimension of members, every activation (members, batch, tokens, …); one model is a family of
one. Blocks are pre-norm. Norms have no gains and layers no biases: the matrix that follows a norm holds its gain. All
weights of a family lie in one tensor (members, parameters), so that one optimiser step is one kernel, and clipping and
saving need no loop.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hardlimit.core import InvalidValueError, Value
from hardlimit.lab.attention import AnyAttention, Softmax

INITIAL = 101
"""Stream of the random numbers for a member's first weights, beside those of its data."""


class Architecture(Value, frozen=True):
    """The shape of a model.

    Args:
        vocabulary: number of tokens.
        layers: blocks, >= 1.
        width: of the residual stream; a multiple of twice the heads.
        heads: query heads.
        kv_heads: key and value heads; a divisor of `heads`, which it equals without grouped-query attention.
        positions: how order is told: rotary, a learned vector per place, or not at all.
        window: places that have a learned vector.
        rope_base: of rotary positions.
        attention: from logits to weights.
        tied: whether the embedding also reads the answer out.
        hidden: width of a feed-forward layer in units of `width`; 0 leaves feed-forward layers out.
    """

    vocabulary: int
    layers: int = 2
    width: int = 64
    heads: int = 2
    kv_heads: int = 2
    positions: Literal["rope", "learned", "none"] = "rope"
    window: int = 256
    rope_base: float = 10_000.0
    attention: AnyAttention = Softmax()
    tied: bool = True
    hidden: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.vocabulary, self.layers, self.width, self.heads, self.kv_heads, self.window) < 1 or self.hidden < 0:
            raise InvalidValueError("An Architecture's sizes must be >= 1 (hidden >= 0).")
        if self.width % (2 * self.heads) or self.heads % self.kv_heads:
            raise InvalidValueError(
                f"width must be a multiple of 2·heads and heads one of kv_heads, got width={self.width}, "
                f"heads={self.heads}, kv_heads={self.kv_heads}."
            )

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.width // self.heads

    def matrices(self) -> dict[str, tuple[int, int]]:
        """Name and shape of each weight, (in, out) or (tokens, width).

        >>> Architecture(vocabulary=10, layers=1, width=8).matrices()["0.qkv"]
        (8, 24)
        """
        shapes = {"embedding": (self.vocabulary, self.width)}
        if self.positions == "learned":
            shapes["places"] = (self.window, self.width)
        for layer in range(self.layers):
            shapes[f"{layer}.qkv"] = (self.width, (self.heads + 2 * self.kv_heads) * self.head_width)
            shapes[f"{layer}.out"] = (self.width, self.width)
            if self.hidden:
                shapes[f"{layer}.up"] = (self.width, self.hidden * self.width)
                shapes[f"{layer}.down"] = (self.hidden * self.width, self.width)
        if not self.tied:
            shapes["readout"] = (self.vocabulary, self.width)
        return shapes

    @property
    def parameters(self) -> int:
        """All weights, embeddings included."""
        return sum(rows * columns for rows, columns in self.matrices().values())

    @property
    def body(self) -> int:
        """Weights of the blocks alone."""
        outside = ("embedding", "places", "readout")
        return sum(r * c for name, (r, c) in self.matrices().items() if name not in outside)

    def scales(self) -> dict[str, float]:
        """Standard deviation of each weight at the start: unit-size activations, residual sums kept at unit size."""
        inward = {name: rows**-0.5 for name, (rows, _) in self.matrices().items()}
        outside = dict.fromkeys(("embedding", "places", "readout"), self.width**-0.5)
        residual = {name: s * (2 * self.layers) ** -0.5 for name, s in inward.items() if name.endswith(("out", "down"))}
        return inward | residual | {name: s for name, s in outside.items() if name in inward}


class Seen(NamedTuple):
    """Queries and keys of one layer, as its attention function got them; keys are shared out to all heads."""

    queries: Tensor
    keys: Tensor
    values: Tensor
    allowed: Tensor | None


class Cache:
    """Keys and values of the tokens so far, per layer; hand it to `Family.hidden` again and again."""

    def __init__(self) -> None:
        self.length = 0
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}

    def grow(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append to a layer's keys and values and return all of them."""
        if layer in self._layers:
            before = self._layers[layer]
            keys, values = torch.cat([before[0], keys], dim=-2), torch.cat([before[1], values], dim=-2)
        self._layers[layer] = (keys, values)
        return keys, values


class Family(nn.Module):
    """Models of one shape, one per seed.

    Args:
        architecture: their shape.
        seeds: each member's first weights follow from its own seed alone.
        device: where the weights live.
    """

    def __init__(self, architecture: Architecture, seeds: Sequence[int], *, device: str = "cpu") -> None:
        super().__init__()
        if not seeds:
            raise InvalidValueError("A Family needs at least one seed.")
        self.architecture, self.seeds = architecture, tuple(seeds)
        shapes, scales = architecture.matrices(), architecture.scales()
        self._sizes = [rows * columns for rows, columns in shapes.values()]
        scale = np.repeat([scales[name] for name in shapes], self._sizes).astype(np.float32)
        start = [
            np.random.default_rng([seed, INITIAL]).standard_normal(scale.size, dtype=np.float32) * scale
            for seed in self.seeds
        ]
        self.weights = nn.Parameter(torch.from_numpy(np.stack(start)).to(device))

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return self.weights.device

    def matrices(self) -> dict[str, Tensor]:
        """Each weight by name, (members, in, out)."""
        parts = torch.split(self.weights, self._sizes, dim=1)
        shapes = self.architecture.matrices()
        return {name: part.reshape(-1, *shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}

    def forward(
        self,
        tokens: Tensor,
        rows: Tensor | None = None,
        segments: Tensor | None = None,
        places: Tensor | None = None,
    ) -> Tensor:
        """Logits of the next token.

        Args:
            tokens: (members, batch, tokens).
            rows: places whose answers are wanted, (members, batch, answers); all without it. The last block computes
                these alone.
            segments: document of each token, (members, batch, tokens); a token sees its own document alone.
            places: number of each token's place as the position code is told it, (members, batch, tokens); counted
                from the start of the sequence without it. Which tokens may be seen does not depend on it.

        Returns:
            (members, batch, answers or tokens, vocabulary).
        """
        matrices = self.matrices()
        return self.read(self.hidden(tokens, rows, segments=segments, places=places, matrices=matrices), matrices)

    def read(self, hidden: Tensor, matrices: dict[str, Tensor] | None = None) -> Tensor:
        """Logits from the last hidden states, of the shape that `forward` returns."""
        weights = self.matrices() if matrices is None else matrices
        table = weights["embedding" if self.architecture.tied else "readout"]
        return _times(_norm(hidden), table.transpose(1, 2))

    def hidden(
        self,
        tokens: Tensor,
        rows: Tensor | None = None,
        *,
        segments: Tensor | None = None,
        places: Tensor | None = None,
        cache: Cache | None = None,
        watch: list[Seen] | None = None,
        matrices: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """Residual stream after the last block; arguments as for `forward`.

        Args:
            tokens: (members, batch, tokens).
            rows: places wanted.
            segments: document of each token.
            places: number of each token's place.
            cache: keys and values so far; `tokens` go on after them.
            watch: gets the queries and keys of each layer appended.
            matrices: the weights, where the caller has them at hand.
        """
        shape = self.architecture
        weights = self.matrices() if matrices is None else matrices
        start = 0 if cache is None else cache.length
        order = torch.arange(start, start + tokens.shape[-1], device=tokens.device)
        x = _look_up(weights["embedding"], tokens) * math.sqrt(shape.width)
        if shape.positions == "learned":
            x = x + self._placed(weights["places"], order, places) * math.sqrt(shape.width)
        allowed = _mask(segments, order, start)
        turns = order if places is None else places.flatten(0, 1)[:, None]
        for layer in range(shape.layers):
            wanted = rows if layer == shape.layers - 1 else None
            q, k, v = self._heads(_times(_norm(x), weights[f"{layer}.qkv"]), turns)
            if cache is not None:
                k, v = cache.grow(layer, k, v)
            mask = allowed
            if wanted is not None:
                mask = _rows_of(allowed, wanted, k.shape[-2])
                q = q.gather(-2, wanted.flatten(0, 1)[:, None, :, None].expand(-1, q.shape[1], -1, q.shape[-1]))
                x = x.gather(2, wanted[..., None].expand(-1, -1, -1, x.shape[-1]))
            if shape.kv_heads < shape.heads:
                k, v = (t.repeat_interleave(shape.heads // shape.kv_heads, dim=1) for t in (k, v))
            if watch is not None:
                watch.append(Seen(q, k, v, mask))
            read = shape.attention.attend(q, k, v, mask).transpose(1, 2).flatten(2)
            x = x + _times(read.reshape(x.shape), weights[f"{layer}.out"])
            if shape.hidden:
                inner = functional.gelu(_times(_norm(x), weights[f"{layer}.up"]), approximate="tanh")
                x = x + _times(inner, weights[f"{layer}.down"])
        if cache is not None:
            cache.length += tokens.shape[-1]
        return x

    def _placed(self, table: Tensor, order: Tensor, places: Tensor | None) -> Tensor:
        """Learned vectors of the places, (members, batch or 1, tokens, width)."""
        needed = int(order[-1] if places is None else places.max()) + 1
        if needed > self.architecture.window:
            raise InvalidValueError(
                f"This model has {self.architecture.window} learned places; {needed} tokens do not fit."
            )
        return table[:, None, int(order[0]) : needed] if places is None else _look_up(table, places)

    def _heads(self, qkv: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Split into queries, keys and values of shape (members·batch, heads, tokens, head width), rotated."""
        shape = self.architecture
        # Cut before they are transposed: the derivative of the cuts is then one copy, in the order of the product.
        cuts = [heads * shape.head_width for heads in (shape.heads, shape.kv_heads, shape.kv_heads)]
        q, k, v = (
            part.reshape(*part.shape[:2], -1, shape.head_width).transpose(1, 2)
            for part in torch.split(qkv.flatten(0, 1), cuts, dim=-1)
        )
        if shape.positions == "rope":
            q, k = (_rotate(part, places, shape.rope_base) for part in (q, k))
        return q, k, v

    @torch.no_grad()
    def generate(self, prompt: Tensor, steps: int, *, temperature: float = 0.0, seed: int = 0) -> Tensor:
        """Write on from prompts of equal length, each token computed once.

        Args:
            prompt: (members, batch, tokens).
            steps: tokens to write.
            temperature: 0 takes the likeliest token.
            seed: of the draws at a temperature above 0.

        Returns:
            The written tokens alone, (members, batch, steps).
        """
        generator = torch.Generator(self.device).manual_seed(seed)
        cache, matrices, tokens, written = Cache(), self.matrices(), prompt, []
        for _ in range(steps):
            state = self.hidden(tokens, cache=cache, matrices=matrices)[:, :, -1:]
            logits = self.read(state, matrices)[:, :, 0]
            if temperature > 0:
                chances = (logits / temperature).softmax(-1).flatten(0, 1)
                tokens = torch.multinomial(chances, 1, generator=generator).reshape(*logits.shape[:2], 1)
            else:
                tokens = logits.argmax(-1, keepdim=True)
            written.append(tokens)
        return torch.cat(written, dim=-1)


def _norm(x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:])


def _times(x: Tensor, matrix: Tensor) -> Tensor:
    """(members, batch, tokens, in) times (members, in, out), one product for all members."""
    return torch.bmm(x.flatten(1, 2), matrix).reshape(*x.shape[:3], matrix.shape[2])


def _look_up(table: Tensor, tokens: Tensor) -> Tensor:
    """Rows of each member's own table."""
    members, size, width = table.shape
    offset = torch.arange(members, device=tokens.device).mul(size)[:, None, None]
    return functional.embedding(tokens + offset, table.reshape(members * size, width))


def _rotate(x: Tensor, places: Tensor, base: float) -> Tensor:
    """Turn pairs of coordinates by an angle that grows with the place; what counts in a dot product is the distance."""
    half = x.shape[-1] // 2
    speed = base ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = places.to(torch.float32)[..., None] * speed
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def _mask(segments: Tensor | None, places: Tensor, start: int) -> Tensor | None:
    """Which keys each query may see, (members·batch or 1, 1, queries, keys); None where it is plainly causal."""
    if segments is not None:
        same = segments.flatten(0, 1)
        return (same[:, None, :, None] == same[:, None, None, :]).tril()
    if start == 0:
        return None
    keys = torch.arange(int(places[-1]) + 1, device=places.device)
    return (keys <= places[:, None])[None, None]


def _rows_of(allowed: Tensor | None, rows: Tensor, keys: int) -> Tensor:
    """The mask of some rows, (members·batch, 1, rows, keys)."""
    places = rows.flatten(0, 1)
    if allowed is None:
        return (torch.arange(keys, device=rows.device) <= places[..., None])[:, None]
    if allowed.shape[0] == 1:
        return allowed[0, 0][places][:, None]
    return allowed.gather(-2, places[:, None, :, None].expand(-1, 1, -1, keys))
