"""Forecasts that are checked: fit without the largest scales, then score against what was measured there."""

from collections.abc import Sequence

import numpy as np
from scipy import special

from hardlimit.core import InsufficientDataError, Value
from hardlimit.scaling.curve import Curve
from hardlimit.scaling.fitting import Objective, solve
from hardlimit.scaling.forecast import Prior, predictive, safe_losses, sampling_variance
from hardlimit.scaling.laws import LAWS
from hardlimit.scaling.nested import Floats

BASELINES = ("last value", "power law", "one break", "line in log scale")


class ScoredForecast(Value, frozen=True):
    """A forecast of a point that was held out.

    Args:
        task: the task.
        metric: its metric.
        scale: where.
        actual: what was measured there.
        median: what was forecast.
        low: lower end of the predictive interval.
        high: upper end.
        covered: whether the interval holds what was measured.
        log_loss: −ln of the predictive density at what was measured, in the metric's unit (lower is better).
        baselines: log loss of each baseline.
        baselines_covered: whether each baseline's interval holds it.
    """

    task: str
    metric: str
    scale: float
    actual: float
    median: float
    low: float
    high: float
    covered: bool
    log_loss: float
    baselines: dict[str, float]
    baselines_covered: dict[str, bool]


class HoldoutReport(Value, frozen=True):
    """Scores over all held-out points.

    Args:
        held_out: number of largest scales left out of the fit.
        level: of the predictive intervals.
        scored: every forecast.
        coverage: share of points inside their interval.
        log_loss: mean log loss.
        baseline_coverage: the same per baseline.
        baseline_log_loss: the same per baseline.
        skipped: curves too short to hold anything out.
    """

    held_out: int
    level: float
    scored: tuple[ScoredForecast, ...]
    coverage: float
    log_loss: float
    baseline_coverage: dict[str, float]
    baseline_log_loss: dict[str, float]
    skipped: int


def holdout(
    curves: Sequence[Curve], *, held_out: int = 2, level: float = 0.9, prior: Prior | None = None, seed: int = 0
) -> HoldoutReport:
    """Forecast each curve's largest scales from the others, beside four baselines.

    Every baseline gets a Student predictive distribution from its own residuals, never narrower than its sampling
    noise: the last value (spread of the steps between neighbours), least squares of ln(loss) on ln(x) (power law), a
    broken law with one break from 24 starts, and least squares of the metric on ln(x).

    Args:
        curves: one table.
        held_out: largest scales that are not shown to the fit, >= 1.
        level: of the predictive intervals.
        prior: what is taken as known.
        seed: of the starts of the broken law.

    Raises:
        InsufficientDataError: no curve has 3 scales beyond those held out.
    """
    long = [curve for curve in curves if len(curve.points) - held_out >= 3]
    if not long or held_out < 1:
        raise InsufficientDataError(
            f"Holding out {held_out} scales leaves no curve with 3 to fit (the longest has "
            f"{max((len(curve.points) for curve in curves), default=0)}); hold out fewer."
        )
    shown = [curve.with_points(curve.points[:-held_out]) for curve in long]
    scales = [[point.scale for point in curve.points[-held_out:]] for curve in long]
    mixture = predictive(shown, scales, prior)
    actual = np.concatenate([safe_losses(curve)[-held_out:] for curve in long])
    logs = np.log(actual)
    p = mixture.cumulative(logs)
    inside = (p >= (1 - level) / 2) & (p <= (1 + level) / 2)
    loss = -(mixture.log_density(logs) - logs)
    ends = np.exp([mixture.quantile(q) for q in ((1 - level) / 2, 0.5, (1 + level) / 2)])
    base_loss, base_inside = _baselines(shown, scales, actual, level, seed)
    scored, row = [], 0
    for curve in long:
        for point in curve.points[-held_out:]:
            low, middle, high = curve.metric_of(ends[:, row])
            scored.append(
                ScoredForecast(
                    task=curve.task,
                    metric=curve.metric,
                    scale=point.scale,
                    actual=point.value,
                    median=float(middle),
                    low=float(min(low, high)),
                    high=float(max(low, high)),
                    covered=bool(inside[row]),
                    log_loss=float(loss[row]),
                    baselines={name: float(base_loss[name][row]) for name in BASELINES},
                    baselines_covered={name: bool(base_inside[name][row]) for name in BASELINES},
                )
            )
            row += 1
    return HoldoutReport(
        held_out=held_out,
        level=level,
        scored=tuple(scored),
        coverage=float(inside.mean()),
        log_loss=float(loss.mean()),
        baseline_coverage={name: float(base_inside[name].mean()) for name in BASELINES},
        baseline_log_loss={name: float(base_loss[name].mean()) for name in BASELINES},
        skipped=len(curves) - len(long),
    )


def _baselines(
    shown: list[Curve], scales: list[list[float]], actual: Floats, level: float, seed: int
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    broken = _broken_laws(shown, scales, seed)
    loss: dict[str, list[float]] = {name: [] for name in BASELINES}
    inside: dict[str, list[bool]] = {name: [] for name in BASELINES}
    row = 0
    for index, curve in enumerate(shown):
        y, x = safe_losses(curve), np.log(curve.scales / curve.scales[-1])
        sampled = float(sampling_variance(curve, y[-1:], -1)[0])
        steps = float(np.mean(np.diff(y) ** 2))
        for place, scale in enumerate(scales[index]):
            ahead, truth = float(np.log(scale / curve.scales[-1])), float(actual[row])
            centre, spread, freedom = _line(x, np.log(y), ahead)
            flat, flat_spread, _ = _line(x, y, ahead)
            made = {
                "last value": (y[-1], max(steps, sampled * y[-1] ** 2), y.size - 1, False),
                "power law": (centre, max(spread, sampled), freedom, True),
                "one break": (broken[index][0][place], max(broken[index][1], sampled), max(y.size - 6, 1), True),
                "line in log scale": (flat, max(flat_spread, sampled * y[-1] ** 2), freedom, False),
            }
            for name, (middle, variance, nu, logged) in made.items():
                at = np.log(truth) if logged else truth
                z = (at - middle) / np.sqrt(max(variance, 1e-12))
                density = _log_student(z, nu) - 0.5 * np.log(max(variance, 1e-12)) - (np.log(truth) if logged else 0.0)
                loss[name].append(-density)
                inside[name].append(bool(abs(z) <= special.stdtrit(nu, (1 + level) / 2)))
            row += 1
    return {name: np.array(found) for name, found in loss.items()}, {
        name: np.array(found, dtype=float) for name, found in inside.items()
    }


def _log_student(z: float, nu: float) -> float:
    return float(
        special.gammaln((nu + 1) / 2)
        - special.gammaln(nu / 2)
        - 0.5 * np.log(nu * np.pi)
        - (nu + 1) / 2 * np.log1p(z * z / nu)
    )


def _line(x: Floats, y: Floats, ahead: float) -> tuple[float, float, int]:
    """Centre, variance and degrees of freedom of a least-squares line's prediction."""
    design = np.stack([np.ones_like(x), x], axis=1)
    solution, *_ = np.linalg.lstsq(design, y, rcond=None)
    residual = y - design @ solution
    freedom = x.size - 2
    at = np.array([1.0, ahead])
    leverage = float(at @ np.linalg.solve(design.T @ design, at))
    return float(at @ solution), float(residual @ residual) / freedom * (1 + leverage), freedom


def _broken_laws(shown: list[Curve], scales: list[list[float]], seed: int) -> list[tuple[Floats, float]]:
    """Prediction of ln(loss) at the held-out scales and residual variance, all curves of equal scales at once."""
    law, rng = LAWS["broken"], np.random.default_rng(seed)
    made: list[tuple[Floats, float]] = [(np.zeros(0), 0.0)] * len(shown)
    designs: dict[tuple[float, ...], list[int]] = {}
    for index, curve in enumerate(shown):
        designs.setdefault(tuple(curve.scales.tolist()), []).append(index)
    for design, members in designs.items():
        x = np.array(design)
        reference = float(np.exp(np.log(x).mean()))
        log_u = np.log(x / reference)
        targets = [np.log(safe_losses(shown[index])) for index in members]
        starts = 24
        theta = np.concatenate([law.start(rng, starts, log_u, target) for target in targets])
        data = np.repeat(np.stack(targets), starts, axis=0)
        ended, cost = solve(Objective(law, log_u, data, np.ones(x.size)), theta, rounds=60)
        for place, index in enumerate(members):
            mine = slice(place * starts, (place + 1) * starts)
            best = ended[mine][cost[mine].argmin()]
            value, _ = law.evaluate(best[None], np.log(np.array(scales[index]) / reference))
            made[index] = (value[0], 2 * float(cost[mine].min()) / max(x.size - 6, 1))
    return made
