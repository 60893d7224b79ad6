"""How the fixed numbers of the forecast were chosen, so that anyone can choose them again: on made-up families alone.

A made-up family is a Rasch-like world. Every task has its items with difficulties of their own, shared by all models;
a model's ability at a task grows with the logarithm of its size at a rate of the task's own, may stop at a ceiling, may
fall, or does not move at all; it wanders around that law from size to size. Answers at random are right by chance. No
number in here was read off a real family.

Without an argument 3 families are enough to see it work; `python bench/forecast.py 12` repeats the choice (minutes).
The numbers are chosen on one half of the families by the mean log loss of the two largest scales held out, one number
after the other, twice around; the other half, and the Pythia results, are only scored at the end.
"""

import sys
import time
from pathlib import Path

import numpy as np
from msgspec import structs
from rich.console import Console
from rich.table import Table
from scipy import special

from hardlimit.exchange import read_results
from hardlimit.scaling import Curve, Prior, ScalePoint, curves_in, holdout
from hardlimit.scaling.forecast import predictive, safe_losses
from hardlimit.scaling.holdout import BASELINES

PYTHIA = Path(__file__).parents[1] / "examples" / "pythia"
HELD_OUT = 2
TRIED = {
    "wander": (1e-6, 1e-5, 5e-5, 2e-4, 5e-4, 1e-3),
    "shape_mean": (-0.2, 0.0, 0.2, 0.4, 0.6, 0.8),
    "shape_spread": (0.2, 0.35, 0.5, 0.8),
    "alike": (2.0, 4.0, 8.0, 16.0),
    "flatten": (0.1, 0.5, 2.0),
}


def family(rng: np.random.Generator, tasks: int = 30) -> list[Curve]:
    """The tasks of one made-up family."""
    count = int(rng.integers(6, 9))
    logs = np.linspace(0, rng.uniform(1.6, 3.0), count) + rng.normal(0, 0.05, count)
    scales = 10 ** (8 + np.sort(logs))
    return [_task(rng, f"task {index}", scales) for index in range(tasks)]


def _task(rng: np.random.Generator, name: str, scales: np.ndarray) -> Curve:
    items = int(np.exp(rng.uniform(np.log(100), np.log(3000))))
    chance = float(rng.choice([0.0, 0.25, 0.25, 0.5]))
    decades = np.log10(scales / scales[0])
    kind = rng.choice(["flat", "grows", "levels off", "falls"], p=[0.3, 0.4, 0.2, 0.1])
    rate = {"flat": 0.0, "falls": -rng.uniform(0.1, 0.6)}.get(kind, rng.uniform(0.2, 1.5))
    ability = rng.normal(-1.5 if kind != "flat" else -2.5, 1.0) + rate * decades
    if kind == "levels off":
        top = ability[0] + rate * decades[-1] * rng.uniform(0.2, 0.9)
        ability = top - np.logaddexp(0, 4 * (top - ability)) / 4
    steps = np.sqrt(np.diff(decades, prepend=0.0))
    ability = ability + rng.uniform(0.0, 0.1) * np.cumsum(steps * rng.normal(size=decades.size))
    difficulty = rng.normal(0, rng.uniform(0.3, 1.5), items)
    knows = special.ndtr(ability[:, None] - difficulty)
    right = (rng.random(knows.shape) < chance + (1 - chance) * knows).sum(axis=1)
    points = tuple(
        ScalePoint(scale=float(x), value=float(k / items), n=items) for x, k in zip(scales, right, strict=True)
    )
    return Curve(task=name, metric="acc", points=points, chance=chance)


def score(families: list[list[Curve]], prior: Prior) -> tuple[np.ndarray, float]:
    """Mean log loss in ln(loss) of each family, and coverage of the 90 % interval, over all scales held out."""
    losses, inside = [], []
    for curves in families:
        shown = [curve.with_points(curve.points[:-HELD_OUT]) for curve in curves]
        scales = [[point.scale for point in curve.points[-HELD_OUT:]] for curve in curves]
        actual = np.log(np.concatenate([safe_losses(curve)[-HELD_OUT:] for curve in curves]))
        mixture = predictive(shown, scales, prior)
        p = mixture.cumulative(actual)
        losses.append(-mixture.log_density(actual).mean())
        inside.append((p >= 0.05) & (p <= 0.95))
    return np.array(losses), float(np.concatenate(inside).mean())


def choose(families: list[list[Curve]], console: Console) -> Prior:
    """One number after the other, twice around, from the middle of each list.

    Of the wander, the largest is taken whose log loss is within two standard errors of the best: made-up families
    differ in nothing but size, so they say how small it may be, while real ones drift more.
    """
    prior = Prior(**{name: values[len(values) // 2] for name, values in TRIED.items()})
    known: dict[Prior, tuple[np.ndarray, float]] = {}
    table = Table(title=f"Mean log loss (coverage) on {len(families)} made-up families", title_justify="left")
    for head in ("number", "tried", "chosen"):
        table.add_column(head)
    for _ in range(2):
        for name, values in TRIED.items():
            tried = {value: structs.replace(prior, **{name: value}) for value in values}
            known |= {one: score(families, one) for one in tried.values() if one not in known}
            losses = {value: known[one][0] for value, one in tried.items()}
            best = min(losses, key=lambda value: losses[value].mean())
            if name == "wander":
                best = max(value for value in values if _no_worse(losses[value] - losses[best]))
            prior = tried[best]
            told = (f"{value:g}: {known[one][0].mean():.4f} ({known[one][1]:.3f})" for value, one in tried.items())
            table.add_row(name, "  ".join(told), f"{best:g}")
    console.print(table)
    return prior


def _no_worse(worse: np.ndarray) -> bool:
    """Whether families lose no more on average than two standard errors of that average."""
    return bool(worse.mean() <= 2 * worse.std(ddof=1) / np.sqrt(worse.size))


def report(name: str, tables: list[list[Curve]], prior: Prior, table: Table) -> None:
    """One line: coverage and log loss of the forecast and of every baseline."""
    for held_out in (1, 2, 3):
        made = [holdout(curves, held_out=held_out, prior=prior) for curves in tables]
        weights = [len(one.scored) for one in made]
        losses = [np.average([one.baseline_log_loss[base] for one in made], weights=weights) for base in BASELINES]
        table.add_row(
            name,
            str(held_out),
            str(sum(weights)),
            f"{np.average([one.coverage for one in made], weights=weights):.3f}",
            f"{np.average([one.log_loss for one in made], weights=weights):.3f}",
            *(f"{loss:.3f}" for loss in losses),
        )


def main(families: int = 3) -> None:
    """Choose, then score."""
    console, rng, started = Console(width=170), np.random.default_rng(2024), time.perf_counter()
    made = [family(rng) for _ in range(2 * families)]
    prior = choose(made[:families], console)
    console.print(f"Chosen: {prior}; in the package: {Prior()}", highlight=False)
    table = Table(title="The package's numbers, scored", title_justify="left")
    heads = ("family", "held out", "points", "coverage", "log loss", *BASELINES)
    for head in heads:
        table.add_column(head)
    report("made up, not used to choose", made[families:], Prior(), table)
    report("Pythia, never used", [list(curves_in(read_results(sorted(PYTHIA.glob("*.json")))).curves)], Prior(), table)
    console.print(table)
    console.print(f"{time.perf_counter() - started:.0f} s", highlight=False)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
