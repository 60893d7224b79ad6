"""How often the verdict is right, undecided or wrong about curves of known truth.

Every number is a frequency over simulated curves. `make bench-verdict` simulates 300 curves a cell, which takes minutes
and leaves a standard error of at most 0.03; without an argument, as in `make bench`, 30 a cell (at most 0.09) are
simulated in well under a minute, to see that everything stands.
"""

import sys
import time
from typing import Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from hardlimit.scaling import (
    SCENARIOS,
    Cell,
    Curve,
    Rule,
    Scenario,
    bootstrap_gains,
    false_violation_rate,
    floor_standard_error,
    items_to_refute,
    operate,
    planted,
)
from hardlimit.scaling.nested import Bundle, Floats, functionals, minimise
from hardlimit.scaling.noise import own_noise
from hardlimit.scaling.scenarios import Errors
from hardlimit.scaling.verdict import judge

DECADES, NOISES = (2.0, 3.0, 4.0), (0.01, 0.03, 0.1)
TABLE = 40
BOOTSTRAPS: tuple[Literal["parametric", "residual"], ...] = ("parametric", "residual")


def cells(
    curves: int,
    rule: Rule,
    rng: np.random.Generator,
    *,
    table: int | None = None,
    scales: int = 8,
    kind: Errors = "gaussian",
    decades: tuple[float, ...] = DECADES,
    noises: tuple[float, ...] = NOISES,
) -> list[Cell]:
    """Every scenario at every range and noise; the scenarios are mixed evenly within each table of curves."""
    regular = [scenario for scenario in SCENARIOS if scenario.kind == "regular"]
    others = [scenario for scenario in SCENARIOS if scenario.kind != "regular"]
    made: list[Cell] = []
    for spread in decades:
        for noise in noises:
            for group in (regular, others):
                truth = [scenario for _ in range(curves) for scenario in group]
                bundle = planted(truth, decades=spread, noise=noise, rng=rng, scales=scales, kind=kind)
                made += operate(truth, bundle, rule, decades=spread, noise=noise, table=table)
    return made


def show(console: Console, made: list[Cell], title: str) -> None:
    """The table of correct / undetermined / false, in per cent."""
    table = Table(title=title, title_justify="left")
    table.add_column("truth")
    columns = sorted({(cell.decades, cell.noise) for cell in made})
    for decades, noise in columns:
        table.add_column(f"{decades:g}dec/{100 * noise:g}%", justify="right")
    for scenario in SCENARIOS:
        row = [scenario.name]
        for key in columns:
            (cell,) = [c for c in made if c.scenario == scenario.name and (c.decades, c.noise) == key]
            row.append(f"{100 * cell.correct:.0f}/{100 * cell.undetermined:.0f}/[bold]{100 * cell.false:.1f}[/]")
        table.add_row(*row)
    console.print(table)


def summary(made: list[Cell]) -> str:
    """Means over the regular rows and the worst cell; the rows at a margin beside them."""
    regular = [cell for cell in made if cell.kind == "regular"]
    edge = [cell for cell in made if cell.kind == "boundary"]
    mean = {name: np.mean([getattr(cell, name) for cell in regular]) for name in ("correct", "undetermined", "false")}
    return (
        f"regular: correct {mean['correct']:.3f}, undetermined {mean['undetermined']:.3f}, false {mean['false']:.4f}, "
        f"worst cell {max(cell.false for cell in regular):.3f}; at a margin: mean "
        f"{np.mean([c.false for c in edge]):.3f}, worst {max(c.false for c in edge):.3f}"
    )


def floors(made: list[Cell]) -> str:
    """How often a floor is announced where there is none, and where there is one."""

    def announced(name: str, noise: float = 1.0) -> str:
        return f"{np.mean([cell.floors for cell in made if name in cell.scenario and cell.noise <= noise]):.3f}"

    return (
        f"floor announced on power laws {announced('power law α')}, on a 50 % floor at noise <= 3 % "
        f"{announced('floor 50', 0.03)}, on a break without a floor {announced('break .3')}"
    )


def interval_coverage(rng: np.random.Generator, curves: int, replicates: int) -> dict[str, tuple[float, float]]:
    """Coverage and mean width of nominal 90 % intervals of the floor fraction (floor .5, α .5, 3 decades, 3 %)."""
    (scenario,) = [one for one in SCENARIOS if one.name == "floor 50 %, α=.5"]
    bundle = planted([scenario] * curves, decades=3.0, noise=0.03, rng=rng)
    best = minimise(bundle)
    judged = judge(bundle, best, own_noise(bundle, best), Rule(), with_p=False)
    found = {"profile": np.stack(judged.ends["floor_fraction"], axis=1)}
    scales = np.exp(-bundle.below[0])
    for kind in BOOTSTRAPS:
        ends = []
        for log_y in bundle.log_y:
            curve = Curve.of(list(scales), list(np.exp(log_y)))
            made = bootstrap_gains(curve, rng=rng, kind=kind, replicates=replicates)["floor_fraction"]
            ends.append([made.low, made.high])
        found[kind] = np.array(ends, dtype=float)
    return {
        name: (float(np.mean((ends[:, 0] <= 0.5) & (ends[:, 1] >= 0.5))), float(np.mean(ends[:, 1] - ends[:, 0])))
        for name, ends in found.items()
    }


def naive_floors(decades: float, noise: float, curves: int, rng: np.random.Generator) -> dict[str, float]:
    """How often simple rules announce a floor on a pure power law (α = .2), beside the profile rule."""
    scenario = Scenario("power law α=.2", lambda u: u**-0.2, ())
    truth = [scenario] * curves
    bundle = planted(truth, decades=decades, noise=noise, rng=rng)
    best = minimise(bundle)
    n, share = bundle.below.shape[1], functionals(bundle, best.exponent[:, None], best.change[:, None])
    line = _line_squares(bundle)
    aic = (n * np.log(line / best.sse) > 2) & (share["floor_fraction"][:, 0] > 0)
    # A third of the variance at one scale comes from the seed, the rest is the model's and shared by its seeds.
    shared = planted(truth, decades=decades, noise=noise * np.sqrt(2 / 3), rng=rng)
    seeds = np.tile(shared.log_y, (1, 3)) + noise * rng.normal(size=(curves, 3 * n))
    tripled = Bundle(np.tile(bundle.below, (1, 3)), seeds, np.ones_like(seeds), bundle.kappa)
    tripled_best = minimise(tripled)
    tripled_share = functionals(tripled, tripled_best.exponent[:, None], tripled_best.change[:, None])
    (cell,) = operate(truth, bundle, Rule(), decades=decades, noise=noise)
    return {
        "AIC": float(np.mean(aic)),
        "Wald": float(np.mean(_wald(bundle, best.exponent, share["floor_fraction"][:, 0], best.sse))),
        "Wald, seeds as points": float(
            np.mean(_wald(tripled, tripled_best.exponent, tripled_share["floor_fraction"][:, 0], tripled_best.sse))
        ),
        "profile": cell.floors,
    }


def _line_squares(bundle: Bundle) -> Floats:
    centred = bundle.below - bundle.below.mean(axis=1, keepdims=True)
    y = bundle.log_y - bundle.log_y.mean(axis=1, keepdims=True)
    slope = (centred * y).sum(axis=1) / (centred**2).sum(axis=1)
    squares: Floats = ((y - slope[:, None] * centred) ** 2).sum(axis=1)
    return squares


def _wald(bundle: Bundle, exponent: Floats, floor: Floats, sse: Floats) -> Floats:
    """Floor − 1.96 standard errors > 0, standard errors from the curvature at the optimum."""
    power = np.exp(exponent[:, None] * bundle.below)
    loss = floor[:, None] + (1 - floor[:, None]) * power
    gradient = np.stack(
        [np.ones_like(loss), (1 - power) / loss, (1 - floor[:, None]) * power * bundle.below / loss], axis=2
    )
    matrix = np.matmul(gradient.transpose(0, 2, 1), gradient)
    error = np.sqrt(sse / (bundle.below.shape[1] - 3) * np.abs(np.linalg.pinv(matrix)[:, 1, 1]))
    announced: Floats = floor - 1.96 * error > 0
    return announced


def main(curves: int = 30) -> None:
    """Print everything."""
    console, rng, started = Console(width=170), np.random.default_rng(0), time.perf_counter()
    own = cells(curves, Rule(), rng)
    show(console, own, "Noise from each curve's own residuals: correct / undetermined / false, %")
    console.print(summary(own), floors(own), sep="\n")
    pooled = cells(curves, Rule(), rng, table=TABLE)
    show(console, pooled, f"Noise pooled over mixed tables of {TABLE} curves")
    console.print(summary(pooled))
    console.print("\nVariants at 3 decades, 3 % noise")
    for name, rule, extra in (
        ("level .95", Rule(), {}),
        ("level .975", Rule(level=0.975), {}),
        ("5 scales", Rule(), {"scales": 5}),
        ("6 scales", Rule(), {"scales": 6}),
        ("12 scales", Rule(), {"scales": 12}),
        ("heavy tails", Rule(), {"kind": "heavy tails"}),
        ("autocorrelated", Rule(), {"kind": "autocorrelated"}),
    ):
        made = cells(curves, rule, rng, decades=(3.0,), noises=(0.03,), **extra)
        console.print(f"  {name:15s} {summary(made)}; {floors(made).split(',')[0]}", highlight=False)
    console.print("\nIntervals of the floor fraction, nominal 90 %: coverage (mean width)")
    for name, (share, width) in interval_coverage(rng, curves, 200).items():
        console.print(f"  {name:11s} {share:.3f} ({width:.3f})", highlight=False)
    console.print("\nFloors announced on pure power laws by simple rules (decades, noise)")
    for decades, noise in ((2.0, 0.03), (3.0, 0.03), (3.0, 0.1)):
        made_naive = naive_floors(decades, noise, curves, rng)
        text = ", ".join(f"{name} {share:.3f}" for name, share in made_naive.items())
        console.print(f"  {decades:g}, {100 * noise:g} %: {text}", highlight=False)
    console.print("\nCramér–Rao standard deviation of the floor fraction (floor .5, 8 scales, 3 %): exponent × decades")
    for exponent in (0.1, 0.2, 0.3, 0.5):
        row = [floor_standard_error(exponent=exponent, floor=0.5, decades=d) for d in (1, 2, 3, 4, 6)]
        console.print(f"  {exponent:g}: " + " ".join(f"{value:.3f}" for value in row), highlight=False)
    console.print(
        f"\nAgainst a bound of 5 %: an observed 3 % refutes it from n = {items_to_refute(0.03, 0.05)}; a system at the "
        f"bound is called beyond it in {false_violation_rate(1000, 0.05):.4f} of cases (n = 1000).",
        highlight=False,
    )
    console.print(f"{time.perf_counter() - started:.0f} s", highlight=False)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
