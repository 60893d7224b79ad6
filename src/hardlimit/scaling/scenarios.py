"""Curves of known truth, and how often the rule is right, undecided or wrong about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from hardlimit.core import Value, Verdict
from hardlimit.scaling.nested import Bundle, Floats, minimise
from hardlimit.scaling.noise import own_noise, pooled_noise
from hardlimit.scaling.verdict import ORDER, Rule, judge

Shape: TypeAlias = Callable[[Floats], Floats]
Errors: TypeAlias = Literal["gaussian", "heavy tails", "autocorrelated"]


@dataclass(frozen=True)
class Scenario:
    """A law of u = x/x_max and the verdicts that would be true of it.

    Args:
        name: what it is.
        shape: loss at u, up to a factor.
        truth: true verdicts; two for a law exactly at a margin, none of which is then an error to withhold.
        kind: `regular`, `boundary` (exactly at a margin) or `stress` (the truth lies beyond what was measured).
    """

    name: str
    shape: Shape
    truth: tuple[Verdict, ...]
    kind: Literal["regular", "boundary", "stress"] = "regular"


def _with_floor(floor: float, exponent: float) -> Shape:
    return lambda u: floor + (1 - floor) * u**-exponent


def _with_break(first: float, second: float, at: float) -> Shape:
    return lambda u: np.where(u < at, (u / at) ** -first, (u / at) ** -second)


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("constant", lambda u: np.ones_like(u), (Verdict.CANNOT_PROGRESS,)),
    Scenario("power law α=.3", lambda u: u**-0.3, (Verdict.HELPS,)),
    Scenario("power law α=.1", lambda u: u**-0.1, (Verdict.HELPS,)),
    Scenario("floor 95 %, α=.5", _with_floor(0.95, 0.5), (Verdict.SATURATES,)),
    Scenario("floor 90 %, α=.5", _with_floor(0.90, 0.5), (Verdict.SATURATES,)),
    Scenario("floor 50 %, α=.5", _with_floor(0.50, 0.5), (Verdict.HELPS,)),
    Scenario("floor 90 %, α=1", _with_floor(0.90, 1.0), (Verdict.SATURATES,)),
    Scenario("break .3→.02 at max/30", _with_break(0.3, 0.02, 1 / 30), (Verdict.SATURATES,)),
    Scenario("break .05→.4 at max/10", _with_break(0.05, 0.4, 1 / 10), (Verdict.HELPS,)),
    Scenario("rise α=−.1", lambda u: u**0.1, (Verdict.HURTS,)),
    Scenario("power law at the margin", lambda u: u ** np.log10(0.9), (Verdict.HELPS, Verdict.SATURATES), "boundary"),
    Scenario(
        "floor at the margin",
        _with_floor(1 - 0.1 / (1 - 10**-0.5), 0.5),
        (Verdict.HELPS, Verdict.SATURATES),
        "boundary",
    ),
    Scenario("knee just past the largest", lambda u: u**-0.3, (Verdict.SATURATES,), "stress"),
)
"""The laws on which the rule is judged (next factor 10, margins 10 %)."""


class Cell(Value, frozen=True):
    """How the rule did on one scenario, range and noise.

    Args:
        scenario: its name.
        kind: of the scenario.
        decades: range of scales.
        noise: standard deviation of ln y at one scale.
        correct: share of curves with a true verdict.
        undetermined: share without a verdict.
        false: share with a false verdict; at a margin, the larger of the two sides.
        floors: share for which a floor is announced.
    """

    scenario: str
    kind: str
    decades: float
    noise: float
    correct: float
    undetermined: float
    false: float
    floors: float


def errors(kind: Errors, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Errors of unit variance: Gaussian, Student with 3 degrees of freedom, or AR(1) with coefficient 0.8."""
    if kind == "heavy tails":
        heavy: Floats = rng.standard_t(3, size=shape) / np.sqrt(3)
        return heavy
    gaussian: Floats = rng.normal(size=shape)
    if kind == "autocorrelated":
        for column in range(1, shape[1]):
            gaussian[:, column] = 0.8 * gaussian[:, column - 1] + 0.6 * gaussian[:, column]
    return gaussian


def planted(
    scenarios: Sequence[Scenario],
    *,
    decades: float,
    noise: float,
    rng: np.random.Generator,
    scales: int = 8,
    kind: Errors = "gaussian",
) -> Bundle:
    """Noisy curves, one per scenario in the list, over log-spaced scales.

    Args:
        scenarios: the truth of each curve; repeat one for many curves of it.
        decades: range of scales.
        noise: standard deviation of ln y at one scale.
        rng: source of randomness.
        scales: points per curve.
        kind: of the errors.
    """
    below = np.log(10.0) * decades * np.linspace(1, 0, scales)
    u = np.exp(-below)
    clean = {scenario.name: np.log(scenario.shape(u)) for scenario in scenarios}
    log_y = np.stack([clean[scenario.name] for scenario in scenarios])
    log_y = log_y + noise * errors(kind, (len(scenarios), scales), rng)
    return Bundle(np.broadcast_to(below, log_y.shape), log_y, np.ones_like(log_y))


def operate(
    scenarios: Sequence[Scenario],
    bundle: Bundle,
    rule: Rule,
    *,
    decades: float,
    noise: float,
    table: int | None = None,
) -> tuple[Cell, ...]:
    """Judge planted curves and count, scenario by scenario.

    Args:
        scenarios: the truth of each curve.
        bundle: the curves.
        rule: margins and level.
        decades: range of scales, for the record.
        noise: of the curves, for the record.
        table: the noise is pooled over tables of this many neighbouring curves; None for the noise of own residuals.
    """
    best = minimise(bundle)
    known = own_noise(bundle, best)
    if table is not None:
        known = pooled_noise(known, [str(row // table) for row in range(len(bundle))])
    judged = judge(bundle, best, known, rule, with_p=False)
    names: list[Verdict | None] = [None if index < 0 else ORDER[index] for index in judged.verdict]
    rows: dict[str, list[int]] = {}
    for row, scenario in enumerate(scenarios):
        rows.setdefault(scenario.name, []).append(row)
    floor_low = judged.ends["floor_fraction"][0]
    return tuple(
        _count(scenarios[mine[0]], [names[row] for row in mine], floor_low[mine], decades, noise)
        for mine in rows.values()
    )


def _count(
    scenario: Scenario, names: Sequence[Verdict | None], floor_low: Floats, decades: float, noise: float
) -> Cell:
    total = len(names)
    correct = sum(name in scenario.truth for name in names)
    undetermined = sum(name is None for name in names)
    false = total - correct - undetermined
    if scenario.kind == "boundary":
        false = max(sum(name is side for name in names) for side in scenario.truth)
    return Cell(
        scenario=scenario.name,
        kind=scenario.kind,
        decades=decades,
        noise=noise,
        correct=correct / total,
        undetermined=undetermined / total,
        false=false / total,
        floors=float(np.mean(floor_low > 0)),
    )


def floor_standard_error(
    *, exponent: float, floor: float, decades: float, scales: int = 8, noise: float = 0.03
) -> float:
    """Cramér–Rao standard deviation of the floor fraction: what the best unbiased fit could reach.

    Args:
        exponent: α, > 0.
        floor: share of the last loss that does not shrink, in (0, 1).
        decades: range of log-spaced scales.
        scales: points.
        noise: standard deviation of ln y.

    >>> round(floor_standard_error(exponent=0.3, floor=0.5, decades=2), 3)
    0.172
    """
    below = np.log(10.0) * decades * np.linspace(1, 0, scales)
    power = np.exp(exponent * below)
    loss = floor + (1 - floor) * power
    gradient = np.stack([np.ones(scales), (1 - power) / loss, (1 - floor) * power * below / loss], axis=1)
    return float(noise * np.sqrt(np.linalg.inv(gradient.T @ gradient)[1, 1]))
