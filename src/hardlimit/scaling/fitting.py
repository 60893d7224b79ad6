"""Fitting a law: Levenberg–Marquardt over all starts and replicates at once, intervals by profile likelihood."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from hardlimit.core import InsufficientDataError, Interval, InvalidValueError, Value
from hardlimit.scaling.laws import LAWS, Law, logistic_law
from hardlimit.scaling.nested import Floats

LossFunction: TypeAlias = Literal["squares", "huber"]


class Fit(Value, frozen=True):
    """A fitted law.

    Args:
        law: its name.
        formula: its formula.
        parameters: the constants of the formula, in the data's unit.
        free: the free parameters as fitted.
        reference: scale at which u = 1, one per resource.
        intervals: profile-likelihood intervals of the free parameters.
        cost: half the objective at the optimum: squares (or Huber) of ln y, or the binomial deviance.
        noise: standard deviation of ln y, or the square root of the dispersion of the counts.
        n: points.
        starts: random starts.
        reached: share of them that ended at the optimum (within 0.01 % of its cost).
    """

    law: str
    formula: str
    parameters: dict[str, float]
    free: dict[str, float]
    reference: tuple[float, ...]
    intervals: dict[str, Interval]
    cost: float
    noise: float
    n: int
    starts: int
    reached: float

    @property
    def aic(self) -> float:
        """Akaike's criterion under Gaussian noise of unknown size; only for laws of losses."""
        return float(self.n * np.log(2 * self.cost / self.n) + 2 * (len(self.free) + 1))

    def predict(self, x: ArrayLike) -> Floats:
        """The law at other scales.

        >>> fit = fit_law("power", [1.0, 10.0, 100.0], [8.0, 4.0, 2.0], rng=np.random.default_rng(0))
        >>> fit.predict([1000.0]).round(6).tolist()
        [1.0]
        """
        law = _law_of(self)
        log_u = np.log(
            np.asarray(x, dtype=float) / np.array(self.reference if law.dimensions > 1 else self.reference[0])
        )
        value, _ = law.evaluate(np.array([list(self.free.values())]), log_u)
        prediction: Floats = value[0] if law.shares else np.exp(value[0])
        return prediction


def _law_of(fit: Fit) -> Law:
    """The law that a fit was made with."""
    if fit.law == "logistic":
        return logistic_law(fit.parameters["chance"], fit.parameters["best"])
    return LAWS[fit.law]


@dataclass(frozen=True)
class Objective:
    """What is minimised: the data and how they are scored, shared by all rows or one per row.

    Args:
        law: the law.
        log_u: ln of the scales over their reference, (n,) or (n, 2).
        target: ln y, or the share right; (n,) or (rows, n).
        weight: inverse variance up to a factor, or the number of items; (n,).
        loss: `squares`, or `huber` for few gross outliers.
        delta: where Huber's loss turns linear, in ln y.
    """

    law: Law
    log_u: Floats
    target: Floats
    weight: Floats
    loss: LossFunction = "squares"
    delta: float = 1e-3

    def rows(self, rows: NDArray[np.int64]) -> "Objective":
        """The objective of some rows."""
        target = self.target if self.target.ndim == 1 else self.target[rows]
        return Objective(self.law, self.log_u, target, self.weight, self.loss, self.delta)

    def pieces(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Cost (rows,), negative half-gradient (rows, p) and Gauss–Newton matrix (rows, p, p)."""
        value, gradient = self.law.evaluate(theta, self.log_u)
        if self.law.shares:
            value = np.clip(value, 1e-9, 1 - 1e-9)
            weight = self.weight / (value * (1 - value))
            residual = self.target - value
            cost = _deviance(self.target, value, self.weight) / 2
        else:
            residual = self.target - value
            if self.loss == "squares":
                weight = np.broadcast_to(self.weight, residual.shape)
                cost = (weight * residual**2).sum(axis=1) / 2
            else:
                size = np.abs(residual)
                inside = size <= self.delta
                weight = self.weight * np.where(inside, 1.0, self.delta / np.maximum(size, 1e-300))
                each = np.where(inside, residual**2 / 2, self.delta * (size - self.delta / 2))
                cost = (self.weight * each).sum(axis=1)
        weighted = gradient * weight[..., None]
        push = np.einsum("rnp,rn->rp", weighted, residual, optimize=False)
        return cost, push, np.matmul(weighted.transpose(0, 2, 1), gradient)


def _deviance(target: Floats, value: Floats, items: Floats) -> Floats:
    def part(observed: Floats, fitted: Floats) -> Floats:
        logs: Floats = np.log(np.maximum(observed, 1e-300) / fitted)
        return np.where(observed > 0, observed * logs, 0.0)

    # Rounding may leave a perfect fit a hair below zero.
    total: Floats = 2 * np.maximum((items * (part(target, value) + part(1 - target, 1 - value))).sum(axis=1), 0.0)
    return total


def solve(
    objective: Objective, theta: Floats, *, fixed: Floats | None = None, rounds: int = 200, damping: float = 1e-2
) -> tuple[Floats, Floats]:
    """Levenberg–Marquardt from many starts at once; rows that have settled are left alone.

    Args:
        objective: what is minimised.
        theta: starting points (rows, p).
        fixed: 1 where a parameter keeps its value, (rows, p), or None.
        rounds: at most this many steps.
        damping: of the first step; less where the start is known to be near.

    Returns:
        End points (rows, p) and their cost (rows,).
    """
    theta = theta.copy()
    free = np.ones_like(theta) if fixed is None else 1.0 - fixed
    size = theta.shape[1]
    cost, push, matrix = objective.pieces(theta)
    cost = np.where(np.isfinite(cost), cost, np.inf)
    held = np.full(len(theta), damping)
    active = np.flatnonzero(np.isfinite(cost))
    for _ in range(rounds):
        if active.size == 0:
            break
        mask = free[active]
        left = matrix[active] * mask[:, :, None] * mask[:, None, :]
        scale = np.einsum("rpp->rp", left)
        scale = scale + 1e-9 * scale.sum(axis=1, keepdims=True) + 1e-12
        diagonal = held[active][:, None] * scale + (1 - mask)
        left[:, np.arange(size), np.arange(size)] += diagonal
        pull = push[active] * mask
        step = np.linalg.solve(left, pull[..., None])[..., 0]
        # Where the quadratic model foresees no gain, the step is taken if it is short, and not looked at again.
        settled = (pull * step).sum(axis=1) <= 1e-10 * cost[active]
        if settled.any():
            short = settled & (np.abs(step).max(axis=1) < 1e-3)
            theta[active[short]] += step[short]
            active, step = active[~settled], step[~settled]
            if active.size == 0:
                break
        trial = theta[active] + np.clip(step, -2.0, 2.0)
        new_cost, new_push, new_matrix = objective.rows(active).pieces(trial)
        better = new_cost < cost[active]
        gain = cost[active] - new_cost
        small = (np.abs(gain) <= 1e-10 * (cost[active] + 1e-300)) | (np.abs(step).max(axis=1) < 1e-9)
        rows, kept = active[better], np.flatnonzero(better)
        theta[rows], cost[rows] = trial[kept], new_cost[kept]
        push[rows], matrix[rows] = new_push[kept], new_matrix[kept]
        held[active] = np.where(better, np.maximum(held[active] * 0.2, 1e-9), held[active] * 6)
        active = active[~small & (held[active] < 1e12)]
    return theta, cost


def _prepare(law: Law, x: ArrayLike, y: ArrayLike, items: ArrayLike | None) -> tuple[Floats, Floats, Floats, Floats]:
    """Logs of the scales over their geometric mean, that mean, the target and the weight."""
    scales, values = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    wanted = (values.size,) if law.dimensions == 1 else (values.size, law.dimensions)
    if scales.shape != wanted or values.ndim != 1:
        raise InvalidValueError(
            f"The law '{law.name}' needs scales of shape {wanted} for {values.size} values, got {scales.shape}."
        )
    if not (np.all(np.isfinite(scales)) and np.all(np.isfinite(values)) and np.all(scales > 0)):
        raise InvalidValueError("Scales must be finite and > 0, and values finite.")
    if values.size <= len(law.free):
        raise InsufficientDataError(
            f"The law '{law.name}' has {len(law.free)} free parameters; {values.size} points leave nothing to judge "
            f"its noise by. Give at least {len(law.free) + 1}, or take a simpler law."
        )
    reference = np.exp(np.log(scales).mean(axis=0))
    log_u = np.log(scales / reference)
    if law.shares:
        if items is None or np.any((values < 0) | (values > 1)):
            raise InvalidValueError("A law of shares needs values in [0, 1] and the number of items behind each.")
        return log_u, np.atleast_1d(reference), values, np.broadcast_to(np.asarray(items, dtype=float), values.shape)
    if np.any(values <= 0):
        raise InvalidValueError(
            f"Losses must be > 0 to be fitted in logs, got {values.min():g}; counts near zero belong to a law of "
            "shares."
        )
    return log_u, np.atleast_1d(reference), np.log(values), np.ones_like(values)


def fit_law(
    law: str | Law,
    x: ArrayLike,
    y: ArrayLike,
    *,
    rng: np.random.Generator,
    items: ArrayLike | None = None,
    loss: LossFunction = "squares",
    starts: int = 64,
    level: float = 0.90,
    intervals: bool = True,
) -> Fit:
    """Fit a law from many random starts.

    Args:
        law: a name of `LAWS`, or a law.
        x: scales, (n,) or (n, 2) for two resources.
        y: losses > 0, or shares for a law of shares.
        rng: source of the starts.
        items: items behind each share.
        loss: `squares`, or `huber` (δ = 0.001 in ln y) as in the Chinchilla fits.
        starts: random starts.
        level: two-sided confidence of the intervals.
        intervals: whether profile intervals are wanted.

    Raises:
        InsufficientDataError: not more points than free parameters.

    >>> x = np.geomspace(1, 1e4, 9)
    >>> fit = fit_law("floor", x, 2 + 5 * x**-0.5, rng=np.random.default_rng(0))
    >>> {name: round(value, 3) for name, value in fit.parameters.items()}
    {'E': 2.0, 'A': 5.0, 'alpha': 0.5}
    """
    law = LAWS[law] if isinstance(law, str) else law
    log_u, reference, target, weight = _prepare(law, x, y, items)
    objective = Objective(law, log_u, target, weight, loss)
    theta, cost = solve(objective, law.start(rng, starts, log_u, target))
    best = int(cost.argmin())
    floor = 1e-12 * target.size
    reached = float(np.mean(cost <= cost[best] * 1.0001 + floor))
    freedom = target.size - len(law.free)
    spread = float(np.sqrt(2 * cost[best] / freedom))
    found = profile_intervals(objective, theta[best], float(cost[best]), level=level) if intervals else {}
    return Fit(
        law=law.name,
        formula=law.formula,
        parameters=law.natural(theta[best], reference),
        free=dict(zip(law.free, theta[best].tolist(), strict=True)),
        reference=tuple(reference.tolist()),
        intervals=found,
        cost=float(cost[best]),
        noise=spread,
        n=target.size,
        starts=starts,
        reached=reached,
    )


def profile_intervals(objective: Objective, theta: Floats, cost: float, *, level: float) -> dict[str, Interval]:
    """Profile-likelihood interval of each free parameter: the others are refitted at every trial value.

    All ends are searched at once by bisection. A side on which the cost never rises enough is open (None).

    Args:
        objective: what was minimised.
        theta: the optimum.
        cost: its cost.
        level: two-sided confidence.
    """
    names, size = objective.law.free, theta.size
    n = objective.target.shape[-1]
    freedom = n - size
    quantile = float(stats.t.ppf((1 + level) / 2, freedom))
    spread = 2 * cost / freedom
    if objective.law.shares:
        # Counts have a known variance; it is only ever widened, by the dispersion seen.
        spread = max(spread, 1.0)
    limit = cost + quantile**2 * max(spread, 1e-24) / 2
    rows = 2 * size
    which, sign = np.arange(rows) // 2, np.where(np.arange(rows) % 2 == 0, -1.0, 1.0)
    fixed = np.zeros((rows, size))
    fixed[np.arange(rows), which] = 1.0
    _, _, matrix = objective.pieces(theta[None])
    width = np.sqrt(max(spread, 1e-24) * np.abs(np.diag(np.linalg.pinv(matrix[0]))))[which] * quantile + 1e-9
    inside, outside = np.zeros(rows), np.full(rows, np.inf)
    warm = np.repeat(theta[None], rows, axis=0)
    at = width.copy()
    for _ in range(45):
        trial = warm.copy()
        trial[np.arange(rows), which] = theta[which] + sign * at
        ended, reached = solve(objective, trial, fixed=fixed, rounds=60)
        within = reached <= limit
        warm[within] = ended[within]
        inside, outside = np.where(within, at, inside), np.where(within, outside, at)
        at = np.where(np.isfinite(outside), (inside + outside) / 2, np.minimum(at * 2, 40.0))
        if np.all((outside - inside < 2e-3 * width) | (inside >= 40.0)):
            break
    ends = np.where(inside >= 40.0, np.nan, inside)
    made = {}
    for index, name in enumerate(names):
        low, high = theta[index] - ends[2 * index], theta[index] + ends[2 * index + 1]
        made[name] = Interval(
            low=None if np.isnan(low) else float(low),
            high=None if np.isnan(high) else float(high),
            level=level,
            method="profile likelihood",
        )
    return made


def bootstrap_law(
    fit: Fit,
    x: ArrayLike,
    *,
    rng: np.random.Generator,
    replicates: int = 1000,
    items: ArrayLike | None = None,
    noise: ArrayLike | None = None,
) -> Floats:
    """Parametric bootstrap: data drawn from the fit, refitted all at once; a cross-check of the profile intervals.

    Args:
        fit: a fitted law.
        x: the scales of the data.
        rng: source of randomness.
        replicates: how many.
        items: items behind each share, for a law of shares.
        noise: standard deviation of ln y, one or one per replicate; the fit's by default.

    Returns:
        Free parameters of shape (replicates, p), in the order of `fit.free`.
    """
    law = _law_of(fit)
    centre = fit.predict(x)
    log_u, _, target, weight = _prepare(law, x, centre, items)
    if law.shares:
        drawn = rng.binomial(weight.astype(int), centre, size=(replicates, target.size)) / weight
    else:
        spread = np.reshape(fit.noise if noise is None else noise, (-1, 1))
        drawn = target + spread * rng.normal(size=(replicates, target.size))
    objective, centre = Objective(law, log_u, drawn, weight), np.array(list(fit.free.values()))
    started, cost = _shared_step(objective, centre)
    theta, ended = solve(objective, started, damping=1e-4)
    (worse,) = np.nonzero(~(ended <= cost))
    if worse.size:
        theta[worse], _ = solve(objective.rows(worse), np.repeat(centre[None], worse.size, axis=0))
    return theta


def _shared_step(objective: Objective, theta: Floats) -> tuple[Floats, Floats]:
    """One Gauss–Newton step of every row from the same place, which needs the law and its matrix once for all.

    Returns:
        Where the steps end (rows, p), and the cost at the place they came from (rows,).
    """
    value, gradient = objective.law.evaluate(theta[None], objective.log_u)
    weight = objective.weight
    residual = objective.target - value
    cost: Floats = (weight * residual**2).sum(axis=1) / 2
    if objective.law.shares:
        value = np.clip(value, 1e-9, 1 - 1e-9)
        cost = _deviance(objective.target, value, weight) / 2
        weight = weight / (value[0] * (1 - value[0]))
    weighted = gradient[0] * weight[:, None]
    matrix = weighted.T @ gradient[0]
    scale = np.diag(matrix) + 1e-9 * np.trace(matrix) + 1e-12
    step = np.linalg.solve(matrix + 1e-6 * np.diag(scale), weighted.T @ residual.T).T
    return theta + np.clip(step, -2.0, 2.0), cost
