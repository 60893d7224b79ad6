"""The lab's trainer beside two others, in one run: plain code in the manner of nanoGPT, and itself one model at a time.

Usage: python bench/lab.py [--quick]

Language models of equal size on equal random tokens, one thread. The plain code is written here: one module per layer,
fused attention, gains but no biases, AdamW, gradient clipping, a batch drawn at every step. It is timed with the lab's
own activation function, GELU in the tanh form of GPT-2, and with the exact GELU, which is another function and which
the processor computes faster. Times are of the processor, so that they compare on a busy machine; the order alternates,
and the median counts. Models are made before the clock starts.

Measured on one core of an EPYC in two or three runs, whose medians differ by up to a fifth; factors over the plain code
with the same function (with the exact GELU) and, of several models together, over one after another: 4,224 weights
1.00–1.11 (1.10–1.25), 16 together 7.3; 14,848 weights 1.04–1.31 (1.10–1.24), 16 together 2.4–2.6; 106,496 weights
0.93–1.18 (0.90–1.11), 8 together 1.1; 208,896 weights 0.94–1.04 (0.90–1.04), 4 together 1.0; 827,392 weights 0.84–1.01
(0.85–1.00), 2 together 1.0. From about 100,000 weights on, a step is spent in matrix products that fill the core, so
that training together saves nothing there.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

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

Work: TypeAlias = Callable[[], int]
"""Trains, and returns the training tokens."""


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

    def __init__(self, width: int, heads: int, gelu: str) -> None:
        super().__init__()
        self.heads, self.gelu = heads, nn.GELU(gelu)
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
        made: Tensor = x + self.down(self.gelu(self.up(self.second(x))))
        return made


class Plain(nn.Module):
    """A plain decoder-only transformer with learned positions and a tied readout."""

    def __init__(self, size: Size, gelu: str) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, size.width), nn.Embedding(size.tokens, size.width)
        self.blocks = nn.ModuleList(Block(size.width, size.heads, gelu) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width, bias=False)

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = self.norm(x) @ self.tokens.weight.T
        return functional.cross_entropy(logits.view(-1, VOCABULARY), targets.view(-1))


def plain(size: Size, gelu: str) -> Work:
    """A plain model to train."""
    torch.manual_seed(0)
    model = Plain(size, gelu)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), fused=True)
    data = torch.randint(VOCABULARY, (100_000,))

    def work() -> int:
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

    return work


def family(size: Size, members: int) -> Work:
    """Models of the lab to train together."""
    made = Family(shape(size), range(members))
    plan = Training(steps=size.steps, batch=size.batch)
    return lambda: train(made, [Random(size.tokens)] * members, plan).tokens


def shape(size: Size) -> Architecture:
    """The lab's architecture of a size."""
    return Architecture(
        vocabulary=VOCABULARY,
        layers=size.layers,
        width=size.width,
        heads=size.heads,
        kv_heads=size.heads,
        positions="learned",
        window=size.tokens,
    )


def speed(make: Callable[[], Work]) -> float:
    """Training tokens per second of processor time."""
    work = make()
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
    for head in ("weights", "tokens × batch", "plain", "one", "", "exact GELU", "", "together", "models", ""):
        table.add_column(head, justify="right")
    for size in SIZES:
        makes: dict[str, Callable[[], Work]] = {
            "plain": partial(plain, size, "tanh"),
            "exact": partial(plain, size, "none"),
            "one": partial(family, size, 1),
            "together": partial(family, size, size.members),
        }
        found: dict[str, list[float]] = {name: [] for name in makes}
        for make in makes.values():
            make()()  # The first call loads kernels.
        for turn in range(rounds):
            for name, make in list(makes.items())[:: 1 if turn % 2 else -1]:
                found[name].append(speed(make))
        middle = {name: statistics.median(numbers) for name, numbers in found.items()}
        table.add_row(
            f"{shape(size).parameters:,}",
            f"{size.tokens} × {size.batch}",
            f"{middle['plain']:,.0f}",
            f"{middle['one']:,.0f}",
            f"{middle['one'] / middle['plain']:.2f}×",
            f"{middle['exact']:,.0f}",
            f"{middle['one'] / middle['exact']:.2f}×",
            f"{middle['together']:,.0f}",
            str(size.members),
            f"{middle['together'] / middle['one']:.2f}×",
        )
    Console(width=120).print(table)
    print("one: one model of the lab; the factors after it are over the plain code with the same and the exact GELU.")
    print("together: several models of the lab in the same steps; its factor is over one after another.")


if __name__ == "__main__":
    main()
