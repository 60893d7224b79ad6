"""The lab's trainer beside two others, in one run: plain code in the manner of nanoGPT, and itself one model at a time.

Usage: python bench/lab.py [--quick]

Language models of equal size on equal random tokens, one thread. The plain code is written here: one module per layer,
fused attention, gains and biases off as in nanoGPT's default, AdamW, gradient clipping, a batch drawn at every step.
Times are of the processor, so that they compare on a busy machine; the order alternates, and the median counts.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from hardlimit.lab.tasks import Batch
from hardlimit.lab.training import Training, train
from hardlimit.lab.transformer import Architecture, Family

VOCABULARY = 64


class Size(NamedTuple):
    """One line of the table."""

    layers: int
    width: int
    heads: int
    tokens: int
    batch: int
    steps: int
    members: int


SIZES = (
    Size(1, 16, 1, 8, 4, 96, 16),
    Size(1, 32, 2, 16, 8, 96, 16),
    Size(2, 64, 2, 64, 8, 16, 8),
    Size(4, 64, 4, 128, 8, 8, 4),
    Size(4, 128, 4, 256, 8, 3, 2),
)


class Random(NamedTuple):
    """Random tokens, each to be foretold."""

    length: int

    @property
    def vocabulary(self) -> int:
        return VOCABULARY

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        drawn = rng.integers(VOCABULARY, size=(n, self.length + 1))
        rows = np.broadcast_to(np.arange(self.length), (n, self.length))
        return Batch(drawn[:, :-1], rows, drawn[:, 1:])


class Block(nn.Module):
    """A plain pre-norm block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        q, k, v = (
            part.view(b, t, self.heads, c // self.heads).transpose(1, 2)
            for part in self.qkv(self.first(x)).chunk(3, dim=2)
        )
        read = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(read.transpose(1, 2).reshape(b, t, c))
        made: Tensor = x + self.down(functional.gelu(self.up(self.second(x))))
        return made


class Plain(nn.Module):
    """A plain decoder-only transformer with learned positions and a tied readout."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, size.width), nn.Embedding(size.tokens, size.width)
        self.blocks = nn.ModuleList(Block(size.width, size.heads) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width, bias=False)

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = self.norm(x) @ self.tokens.weight.T
        return functional.cross_entropy(logits.view(-1, VOCABULARY), targets.view(-1))


def plain(size: Size) -> int:
    """Train the plain model; returns its training tokens."""
    torch.manual_seed(0)
    model = Plain(size)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), fused=True)
    data = torch.randint(VOCABULARY, (100_000,))
    for _ in range(size.steps):
        starts = torch.randint(len(data) - size.tokens - 1, (size.batch,))
        tokens = torch.stack([data[i : i + size.tokens] for i in starts])
        targets = torch.stack([data[i + 1 : i + 1 + size.tokens] for i in starts])
        loss = model(tokens, targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return size.steps * size.batch * size.tokens


def family(size: Size, members: int) -> int:
    """Train the lab's models together; returns their training tokens."""
    shape = Architecture(
        vocabulary=VOCABULARY,
        layers=size.layers,
        width=size.width,
        heads=size.heads,
        kv_heads=size.heads,
        positions="learned",
        window=size.tokens,
    )
    plan = Training(steps=size.steps, batch=size.batch)
    return train(Family(shape, range(members)), [Random(size.tokens)] * members, plan).tokens


def speed(work: Callable[[], int]) -> float:
    """Training tokens per second of processor time."""
    began = time.process_time()
    tokens = work()
    return tokens / (time.process_time() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three rounds instead of seven")
    rounds = 3 if parser.parse_args().quick else 7
    torch.set_num_threads(1)
    table = Table(title="Training tokens per second of one processor")
    for head in ("weights", "tokens × batch", "plain code", "lab, one model", "", "lab, together", "models", ""):
        table.add_column(head, justify="right")
    for size in SIZES:
        works: dict[str, Callable[[], int]] = {
            "plain": partial(plain, size),
            "one": partial(family, size, 1),
            "together": partial(family, size, size.members),
        }
        found: dict[str, list[float]] = {name: [] for name in works}
        for work in works.values():
            work()  # The first call loads kernels.
        for turn in range(rounds):
            for name, work in list(works.items())[:: 1 if turn % 2 else -1]:
                found[name].append(speed(work))
        middle = {name: statistics.median(numbers) for name, numbers in found.items()}
        weights = Architecture(
            vocabulary=VOCABULARY,
            layers=size.layers,
            width=size.width,
            heads=size.heads,
            kv_heads=size.heads,
            positions="learned",
            window=size.tokens,
        ).parameters
        table.add_row(
            f"{weights:,}",
            f"{size.tokens} × {size.batch}",
            f"{middle['plain']:,.0f}",
            f"{middle['one']:,.0f}",
            f"{middle['one'] / middle['plain']:.2f}×",
            f"{middle['together']:,.0f}",
            str(size.members),
            f"{middle['together'] / middle['one']:.2f}×",
        )
    Console().print(table)
    print("The last factor is over one model after another; the one before it over the plain code.")


if __name__ == "__main__":
    main()
