"""How errors add up over a chain of checked steps: three laws, fitted by likelihood and compared on the same chains.

What is seen of a chain is whether each of its steps is right. Under every law a step is misread with a small fixed
chance, so that one stray recovery does not make a law without recovery impossible, only unlikely.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from hardlimit.core import InsufficientDataError, InvalidValueError, Scalar, Value

Floats: TypeAlias = NDArray[np.float64]
Law: TypeAlias = Literal["constant", "beta", "recovery"]

LAWS: tuple[Law, ...] = ("constant", "beta", "recovery")
MISREAD = 0.005
"""Chance that a step is taken for right when it is wrong, or the other way round: of the reading, not of the model."""

_CELLS = 33
_ZOOMS = 3
_EDGE = (-9.3, 6.0)  # of logits: 0.0001 to 0.998
_SPREAD = (-7.0, 2.5)  # of the logit of the correlation 1/(a + b + 1) between steps of one chain
_PARAMETERS: dict[Law, tuple[str, ...]] = {
    "constant": ("step_error",),
    "beta": ("step_error", "correlation"),
    "recovery": ("step_error", "recovery"),
}
_LONGEST = 1e6


class Range(Value, frozen=True):
    """A fitted number with its profile-likelihood interval; an end that is None is not bounded by the data."""

    value: float | None
    low: float | None
    high: float | None


class Fit(Value, frozen=True):
    """One law fitted to chains.

    Args:
        law: `constant` (every step fails alike), `beta` (chains differ in difficulty) or `recovery` (wrong chains are
            repaired).
        log_likelihood: at the best parameters, nats.
        aic: 2 · parameters − 2 · log-likelihood.
        parameters: by name, each in [0, 1]: `step_error` (of the mean chain), and `correlation` or `recovery`.
        half_life: steps after which half of the chains are wrong; None where that never comes.
    """

    law: Law
    log_likelihood: float
    aic: float
    parameters: dict[str, Range]
    half_life: Range

    @property
    def best(self) -> dict[str, float]:
        """The best parameters."""
        return {name: float(each.value or 0.0) for name, each in self.parameters.items()}


class _Seen:
    """Chains as counts of the different patterns of right and wrong."""

    def __init__(self, chains: Sequence[Sequence[bool]]) -> None:
        counted = Counter(tuple(chain) for chain in chains if chain)
        if not counted:
            raise InsufficientDataError("No law can be fitted to no steps: no chain holds one that can be checked.")
        self.steps = max(map(len, counted))
        self.counts = np.array(list(counted.values()), float)
        right, wrong = math.log(1 - MISREAD), math.log(MISREAD)
        # log-chance of what is read at a step whose state is right, and is wrong; 0 where nothing is read
        self.if_right = np.zeros((len(counted), self.steps))
        self.if_wrong = np.zeros((len(counted), self.steps))
        for row, chain in enumerate(counted):
            self.if_right[row, : len(chain)] = [right if ok else wrong for ok in chain]
            self.if_wrong[row, : len(chain)] = [wrong if ok else right for ok in chain]

    def absorbing(self, log_survival: Floats) -> Floats:
        """Log-likelihood where a wrong chain stays wrong, by parameter; `log_survival` is `(steps + 1, parameters)`."""
        before = np.pad(np.cumsum(self.if_right, axis=1), ((0, 0), (1, 0)))
        after = np.pad(np.cumsum(self.if_wrong[:, ::-1], axis=1)[:, ::-1], ((0, 0), (0, 1)))
        read = np.exp(before + after)  # by pattern and number of steps before the first error
        survival = np.exp(log_survival)
        first = np.vstack([survival[:-1] - survival[1:], survival[-1:]])
        total: Floats = self.counts @ np.log(np.maximum(read @ first, 1e-300))
        return total

    def markov(self, step_error: Floats, recovery: Floats) -> Floats:
        """Log-likelihood of the two-state chain, by parameter."""
        right = np.ones((len(self.counts), len(step_error)))
        wrong = np.zeros_like(right)
        log_scale = np.zeros_like(right)
        for step in range(self.steps):
            moved = right * (1 - step_error) + wrong * recovery
            wrong = right * step_error + wrong * (1 - recovery)
            right = moved * np.exp(self.if_right[:, step, None])
            wrong = wrong * np.exp(self.if_wrong[:, step, None])
            scale = right + wrong
            right, wrong = right / scale, wrong / scale
            log_scale += np.log(scale)
        total: Floats = self.counts @ log_scale
        return total


def log_likelihood(law: Law, chains: Sequence[Sequence[bool]], parameters: Mapping[str, float]) -> float:
    """Log-likelihood of chains under a law with given parameters, nats.

    >>> round(log_likelihood("constant", [[True, True], [True, False]], {"step_error": 0.25}), 2)
    -2.25
    """
    values = [np.array([special.logit(parameters[name])]) for name in _PARAMETERS[law]]
    return float(_likelihood(law, _Seen(chains), values)[0])


def _likelihood(law: Law, seen: _Seen, logits: Sequence[Floats]) -> Floats:
    eps = special.expit(logits[0])
    steps = np.arange(seen.steps + 1.0)[:, None]
    if law == "constant":
        return seen.absorbing(steps * np.log1p(-eps))
    if law == "beta":
        a, b = _shapes(eps, special.expit(logits[1]))
        return seen.absorbing(special.betaln(a, b + steps) - special.betaln(a, b))
    return seen.markov(eps, special.expit(logits[1]))


def _shapes(mean: Floats, correlation: Floats) -> tuple[Floats, Floats]:
    total = 1 / correlation - 1
    return mean * total, (1 - mean) * total


def shapes(step_error: float, correlation: float) -> tuple[float, float]:
    """Turn the mean and the correlation of Beta-distributed step errors into its shapes a and b.

    >>> shapes(0.2, 0.5)
    (0.2, 0.8)
    """
    a, b = _shapes(np.array([step_error]), np.array([correlation]))
    return float(a[0]), float(b[0])


def _half_life(law: Law, logits: Sequence[Floats]) -> Floats:
    """Steps to one half, by parameter; infinite where that never comes."""
    eps = special.expit(logits[0])
    if law == "constant":
        result: Floats = math.log(2) / -np.log1p(-eps)
        return result
    second = special.expit(logits[1])
    if law == "beta":
        a, b = _shapes(eps, second)
        low, high = np.full_like(eps, math.log(1e-3)), np.full_like(eps, math.log(_LONGEST))
        for _ in range(50):
            middle = (low + high) / 2
            alive = special.betaln(a, b + np.exp(middle)) - special.betaln(a, b) > -math.log(2)
            low, high = np.where(alive, middle, low), np.where(alive, high, middle)
        return np.where(high > math.log(_LONGEST) - 0.01, np.inf, np.exp(high))
    level = second / (second + eps)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (0.5 - level) / (1 - level)
        steps = np.log(share) / np.log(np.clip(1 - eps - second, 1e-9, 1 - 1e-12))
    return np.where(level >= 0.5, np.inf, steps)


def fit(law: Law, chains: Sequence[Sequence[bool]], *, level: float = 0.95) -> Fit:
    """Fit a law to checked chains by maximum likelihood on a grid that closes in on the likely region.

    Args:
        law: which.
        chains: for each chain whether each step is right, up to the last that could be read; empty ones are left out.
        level: of the profile-likelihood intervals.

    Raises:
        InsufficientDataError: no step at all.

    >>> found = fit("constant", [[True] * 8] * 6 + [[True] * 3 + [False] * 5] * 2)
    >>> round(found.parameters["step_error"].value, 2), round(found.half_life.value)
    (0.04, 19)
    """
    seen = _Seen(chains)
    names = _PARAMETERS[law]
    cut = float(stats.chi2.ppf(level, 1)) / 2
    edges = [_EDGE, _SPREAD if law == "beta" else _EDGE][: len(names)]
    ends = [list(edge) for edge in edges]
    cells = _CELLS if len(names) > 1 else 8 * _CELLS
    for zoom in range(_ZOOMS):
        axes = [np.linspace(low, high, cells) for low, high in ends]
        logits = [each.ravel() for each in np.meshgrid(*axes, indexing="ij")]
        value = _likelihood(law, seen, logits)
        inside = value >= value.max() - cut
        if zoom < _ZOOMS - 1:
            for place, (axis, edge) in enumerate(zip(axes, edges, strict=True)):
                gap, there = axis[1] - axis[0], logits[place][inside]
                ends[place] = [max(edge[0], there.min() - gap), min(edge[1], there.max() + gap)]
    best = int(value.argmax())
    half = _half_life(law, logits)
    parameters = {
        name: _range(special.expit(each), best, inside, special.expit(np.array(edge)))
        for name, each, edge in zip(names, logits, edges, strict=True)
    }
    loglik = float(value[best])
    return Fit(
        law=law,
        log_likelihood=loglik,
        aic=2 * len(names) - 2 * loglik,
        parameters=parameters,
        half_life=_range(half, best, inside, np.array([0.0, np.inf])),
    )


def _range(values: Floats, best: int, inside: NDArray[np.bool_], edge: Floats) -> Range:
    """Project the likely region onto one number; where it reaches the grid's edge the end is 0 or 1, or open."""
    low, high = float(values[inside].min()), float(values[inside].max())
    bounded = math.isfinite(edge[1])
    if bounded:
        low, high = (0.0 if low <= edge[0] * 1.001 else low), (1.0 if high >= edge[1] * 0.999 else high)
    value = float(values[best])
    return Range(
        value=value if math.isfinite(value) else None,
        low=low if math.isfinite(low) else None,
        high=high if math.isfinite(high) else None,
    )


def compare(chains: Sequence[Sequence[bool]], *, level: float = 0.95) -> dict[Law, Fit]:
    """Fit all three laws to the same chains."""
    return {law: fit(law, chains, level=level) for law in LAWS}


def weights(fits: Mapping[Law, Fit]) -> dict[Law, float]:
    """Akaike weights of laws: how much of the evidence each has, adding up to 1.

    Source:
        Burnham & Anderson (2002), Model Selection and Multimodel Inference, section 2.9.
    """
    least = min(each.aic for each in fits.values())
    raw = {law: math.exp(-(each.aic - least) / 2) for law, each in fits.items()}
    return {law: value / sum(raw.values()) for law, value in raw.items()}


def chosen(fits: Mapping[Law, Fit]) -> Fit:
    """The law with the least AIC."""
    if not fits:
        raise InvalidValueError("No law can be chosen among none.")
    return min(fits.values(), key=lambda each: each.aic)


def recorded(fits: Mapping[Law, Fit]) -> dict[str, Scalar]:
    """Write fits as parameters of a measurement."""
    best, shares = chosen(fits), weights(fits)
    found: dict[str, Scalar] = {"law": best.law}
    for law, each in fits.items():
        found |= {f"loglik.{law}": each.log_likelihood, f"aic.{law}": each.aic, f"weight.{law}": shares[law]}
        found |= {f"{name}.{law}": value for name, value in each.best.items()}
        found |= _written(f"half_life.{law}", each.half_life)
    found |= _written("half_life", best.half_life)
    found |= _written("step_error", fits["constant"].parameters["step_error"])
    return found | _written("recovery", fits["recovery"].parameters["recovery"])


def _written(name: str, found: Range) -> dict[str, Scalar]:
    values = {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
    return {key: value for key, value in values.items() if value is not None}
