"""Effective context by adaptive placement against the full grid, on toys whose effective context is known.

Usage: python bench/effective_context.py [RUNS]   (40 runs a toy where not given)

The full grid asks 24 depths in 5 haystacks at 256, 512, … 32,768 tokens and interpolates in log length. In the
published protocols (NoLiMa, RULER) every question is a prompt of its own; the table also gives the grid with 8 needles
to a haystack, whose shared text is computed once, as the adaptive search does it. `equal grid` is the smallest such
grid, by powers of two of haystacks, that is within 10 % of the truth in at least 95 % of runs.
"""

import math
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from hardlimit.stats.threshold import Batch, Belief, Search, Threshold

Floats = NDArray[np.float64]
Toy = Callable[[Floats, Floats], Floats]
"""Accuracy from lengths and depths, broadcast."""

NEEDLES = 8
CHANCE = 1 / NEEDLES
SEARCH = Search(shortest=256, longest=32768, chance=CHANCE, questions=NEEDLES)
LENGTHS: Floats = 256.0 * 2.0 ** np.arange(8, dtype=np.float64)
DEPTHS = 24
HAYSTACKS = 5
LARGEST = 256  # times the haystacks of the full grid
GRID_RUNS = 400


def memory(tokens: float, base: float) -> Toy:
    """Knows what stands in the last `tokens`; guesses among the needles otherwise."""
    return lambda length, depth: np.where((1 - depth) * length <= tokens, base, CHANCE)


def cut_off(tokens: float, base: float) -> Toy:
    """Knows everything in texts of at most `tokens`; guesses in longer ones."""
    return lambda length, depth: np.where((length <= tokens) & (depth >= 0), base, CHANCE)


def logistic(halfway: float, exponent: float, base: float) -> Toy:
    """Falls along a logistic curve in log length."""
    return lambda length, depth: CHANCE + (base - CHANCE) / (1 + (length / halfway) ** exponent) + 0 * depth


def toys() -> dict[str, Toy]:
    """Every kind of toy at three base accuracies."""
    found: dict[str, Toy] = {}
    for base in (0.95, 0.85, 0.7):
        found[f"memory of 1,000, base {base}"] = memory(1000, base)
        found[f"memory of 5,000, base {base}"] = memory(5000, base)
        found[f"cut-off at 3,000, base {base}"] = cut_off(3000, base)
        found[f"cut-off at 11,000, base {base}"] = cut_off(11000, base)
        found[f"logistic, exponent 4, base {base}"] = logistic(4000, 4, base)
        found[f"logistic, exponent 2, base {base}"] = logistic(4000, 2, base)
    return found


def truth(toy: Toy) -> float:
    """Longest length with 0.85 of the accuracy at the shortest, over uniform depths, by bisection."""
    depths = (np.arange(4000) + 0.5) / 4000

    def accuracy(length: float) -> float:
        return float(np.mean(toy(np.array(length), depths)))

    low, high = 256.0, 2.0**20
    for _ in range(60):
        middle = math.sqrt(low * high)
        fine = accuracy(middle) >= SEARCH.ratio * accuracy(256)
        low, high = (middle, high) if fine else (low, middle)
    return low


def search(toy: Toy, seed: int) -> tuple[Belief, float]:
    """Run one adaptive search; return what it found and the tokens it computed."""
    rng, threshold, spent = np.random.default_rng(seed), Threshold(SEARCH), 0.0
    while threshold.belief().outcome == "open":
        for length in threshold.place(4):
            depths = (np.arange(NEEDLES) + rng.random(NEEDLES)) / NEEDLES
            right = int((rng.random(NEEDLES) < toy(np.array(length), depths)).sum())
            threshold.record(Batch(length=length, right=right, n=NEEDLES))
            spent += SEARCH.cost(length)
    return threshold.belief(), spent


def grid_estimates(toy: Toy, haystacks: int, rng: np.random.Generator) -> Floats:
    """Run many full grids; interpolate each in log length (infinite where accuracy never falls)."""
    depths = np.arange(DEPTHS) / (DEPTHS - 1)
    p = np.broadcast_to(toy(LENGTHS[:, None], depths[None, :]), (len(LENGTHS), DEPTHS))
    shares = rng.binomial(haystacks, p, size=(GRID_RUNS, *p.shape)).mean(axis=2) / haystacks
    logs = np.log2(LENGTHS)
    found = []
    for row in shares:
        target = SEARCH.ratio * row[0]
        last = int(np.flatnonzero(row >= target)[-1])
        if last == len(row) - 1:
            found.append(np.inf)
            continue
        step = (row[last] - target) / (row[last] - row[last + 1])
        found.append(2 ** (logs[last] + step * (logs[last + 1] - logs[last])))
    return np.array(found)


def grid_tokens(haystacks: int, *, shared: bool) -> float:
    """Tokens of the full grid."""
    questions = DEPTHS * haystacks
    if not shared:
        return float(questions * np.sum(LENGTHS + SEARCH.tokens_per_question))
    return float(questions / NEEDLES * np.sum(LENGTHS) + questions * len(LENGTHS) * SEARCH.tokens_per_question)


def equal_grid(toy: Toy, target: float, rng: np.random.Generator) -> float | None:
    """Tokens, text shared, of the smallest grid within 10 % of the target in 95 % of runs; None where none is."""
    factor = 1
    while factor <= LARGEST:
        if np.mean(np.abs(grid_estimates(toy, HAYSTACKS * factor, rng) / target - 1) <= 0.1) >= 0.95:
            return grid_tokens(HAYSTACKS * factor, shared=True)
        factor *= 2
    return None


def main() -> None:
    """Print the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    console, started = Console(width=160), time.process_time()
    table = Table(title=f"Effective context: adaptive search ({runs} runs) against the full grid ({GRID_RUNS} runs)")
    for column in ("toy", "truth", "within 10 %", "95 % error", "tokens", "questions"):
        table.add_column(column, justify="left" if column == "toy" else "right")
    for column in ("of own-prompt grid", "of shared grid", "grid within 10 %", "grid 95 % error", "of equal grid"):
        table.add_column(column, justify="right")
    within, every = [], toys()
    for name, toy in every.items():
        rng, target = np.random.default_rng(0), truth(toy)
        beliefs, spent = zip(*(search(toy, seed) for seed in range(runs)), strict=True)
        errors = np.array([abs((belief.threshold or np.inf) / target - 1) for belief in beliefs])
        grid = np.abs(grid_estimates(toy, HAYSTACKS, rng) / target - 1)
        equal, tokens = equal_grid(toy, target, rng), float(np.mean(spent))
        within.append(float(np.mean(errors <= 0.1)))
        table.add_row(
            name,
            f"{target:,.0f}",
            f"{within[-1]:.0%}",
            f"{np.quantile(errors, 0.95):.1%}",
            f"{tokens:,.0f}",
            f"{np.mean([belief.cases for belief in beliefs]):,.0f}",
            f"{tokens / grid_tokens(HAYSTACKS, shared=False):.1%}",
            f"{tokens / grid_tokens(HAYSTACKS, shared=True):.0%}",
            f"{np.mean(grid <= 0.1):.0%}",
            f"{np.quantile(grid, 0.95):.0%}",
            f"{tokens / equal:.0%}" if equal else "no grid does",
        )
        console.print(f"{name}: {within[-1]:.0%} within 10 %, {tokens:,.0f} tokens", style="dim")
    console.print(table)
    console.print(
        f"{np.mean(within):.1%} of all {runs * len(every)} searches within 10 %. The full grid costs "
        f"{grid_tokens(HAYSTACKS, shared=False):,.0f} tokens with a prompt for each question, "
        f"{grid_tokens(HAYSTACKS, shared=True):,.0f} with {NEEDLES} questions to a text. "
        f"{time.process_time() - started:.0f} s of processor time."
    )


if __name__ == "__main__":
    main()
