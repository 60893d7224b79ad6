"""The laws, each with its analytic gradient, over many parameter vectors at once.

A law is written in parameters that are free to roam (logs where a number must be positive) and in u = x / x_reference,
so that a change of unit changes nothing but the reference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hardlimit.core import Catalog
from hardlimit.scaling.nested import Floats

Evaluated: TypeAlias = tuple[Floats, Floats]
"""Prediction of shape (rows, n) and gradient of shape (rows, n, parameters)."""


@dataclass(frozen=True)
class Law:
    """A family of curves.

    Args:
        name: how it is called.
        formula: for a terminal.
        free: names of the free parameters, in order.
        evaluate: (parameters (rows, p), ln u (n,) or (n, 2)) to prediction and gradient; the prediction is ln of the
            loss, or a share of items for a law of shares.
        start: (generator, rows, ln u, target (n,)) to random starting points (rows, p).
        natural: free parameters and the reference to the constants of the formula in the data's own unit.
        shares: whether the law predicts a share of items, fitted by counts.
        dimensions: number of resources.
    """

    name: str
    formula: str
    free: tuple[str, ...]
    evaluate: Callable[[Floats, Floats], Evaluated]
    start: Callable[[np.random.Generator, int, Floats, Floats], Floats]
    natural: Callable[[Floats, Floats], dict[str, float]]
    shares: bool = False
    dimensions: int = 1


def _stack(*columns: Floats) -> Floats:
    gradient = np.empty((*np.broadcast_shapes(*(column.shape for column in columns)), len(columns)))
    for place, column in enumerate(columns):
        gradient[..., place] = column
    return gradient


def _line(log_u: Floats, target: Floats) -> tuple[float, float]:
    """Intercept and slope of least squares: where most starts come from."""
    slope, intercept = np.polyfit(log_u, target, 1)
    return float(intercept), float(slope)


def _constant(theta: Floats, log_u: Floats) -> Evaluated:
    value = np.broadcast_to(theta[:, :1], (theta.shape[0], log_u.shape[0]))
    return value, np.ones((*value.shape, 1))


def _power(theta: Floats, log_u: Floats) -> Evaluated:
    value = theta[:, :1] - theta[:, 1:2] * log_u
    return value, _stack(np.ones_like(value), -log_u * np.ones_like(value))


def _floor(theta: Floats, log_u: Floats) -> Evaluated:
    """The value ln(E + A u^-α) with θ = (ln E, ln A, ln α)."""
    floor, exponent = theta[:, :1], np.exp(np.clip(theta[:, 2:3], -30, 5))
    reducible = theta[:, 1:2] - exponent * log_u
    value = np.logaddexp(floor, reducible)
    share = np.exp(reducible - value)
    return value, _stack(1 - share, share, -share * exponent * log_u)


def _offset(theta: Floats, log_u: Floats) -> Evaluated:
    """The value ln A − α ln(u + x0) with θ = (ln A, α, ln x0)."""
    shifted = np.logaddexp(log_u, theta[:, 2:3])
    value = theta[:, :1] - theta[:, 1:2] * shifted
    return value, _stack(np.ones_like(value), -shifted, -theta[:, 1:2] * np.exp(theta[:, 2:3] - shifted))


def _broken(theta: Floats, log_u: Floats) -> Evaluated:
    """ln(E + A u^-c0 (1 + (u/d)^(1/f))^(-c1 f)) with θ = (ln E, ln A, c0, c1, ln d, ln f)."""
    floor, first, second = theta[:, :1], theta[:, 2:3], theta[:, 3:4]
    width = np.exp(np.clip(theta[:, 5:6], -6, 3))
    along = (log_u - theta[:, 4:5]) / width
    turned = np.logaddexp(0.0, along)
    reducible = theta[:, 1:2] - first * log_u - second * width * turned
    value = np.logaddexp(floor, reducible)
    share = np.exp(reducible - value)
    after = 1 / (1 + np.exp(-np.clip(along, -500, 500)))
    gradient = _stack(
        1 - share,
        share,
        -share * log_u,
        -share * width * turned,
        share * second * after,
        -share * second * width * (turned - along * after),
    )
    return value, gradient


def _chinchilla(theta: Floats, log_u: Floats) -> Evaluated:
    """ln(E + A N^-α + B D^-β) with θ = (ln E, ln A, ln α, ln B, ln β); ln u has two columns."""
    model, data = np.exp(np.clip(theta[:, 2:3], -30, 5)), np.exp(np.clip(theta[:, 4:5], -30, 5))
    first = theta[:, 1:2] - model * log_u[:, 0]
    second = theta[:, 3:4] - data * log_u[:, 1]
    value = np.logaddexp(theta[:, :1], np.logaddexp(first, second))
    share, share_data = np.exp(first - value), np.exp(second - value)
    return value, _stack(
        1 - share - share_data,
        share,
        -share * model * log_u[:, 0],
        share_data,
        -share_data * data * log_u[:, 1],
    )


def logistic_law(chance: float, best: float) -> Law:
    """Logistic in ln x between what guessing scores and the best possible share.

    p = chance + (best − chance) / (1 + (x / x_half)^−slope)

    Args:
        chance: share that guessing gets right, in [0, best).
        best: share that a perfect model gets right, in (chance, 1].
    """

    def evaluate(theta: Floats, log_u: Floats) -> Evaluated:
        along = np.clip(theta[:, :1] * (log_u - theta[:, 1:2]), -500, 500)
        rise = 1 / (1 + np.exp(-along))
        slope = (best - chance) * rise * (1 - rise)
        gradient = _stack(slope * (log_u - theta[:, 1:2]), -slope * theta[:, :1])
        return chance + (best - chance) * rise, gradient

    def start(rng: np.random.Generator, rows: int, log_u: Floats, target: Floats) -> Floats:
        span = float(np.ptp(log_u)) or 1.0
        return _stack(rng.normal(0, 3 / span, rows), rng.uniform(-1.5, 1.5, rows) * span)

    def natural(theta: Floats, reference: Floats) -> dict[str, float]:
        return {
            "slope": float(theta[0]),
            "half": float(np.exp(np.clip(theta[1], -300, 300)) * reference[0]),
            "chance": chance,
            "best": best,
        }

    return Law(
        name="logistic",
        formula="p = chance + (best − chance) / (1 + (x/half)^−slope)",
        free=("slope", "ln_half"),
        evaluate=evaluate,
        start=start,
        natural=natural,
        shares=True,
    )


def _start_constant(rng: np.random.Generator, rows: int, log_u: Floats, target: Floats) -> Floats:
    start: Floats = target.mean() + rng.normal(0, 0.1, (rows, 1))
    return start


def _start_power(rng: np.random.Generator, rows: int, log_u: Floats, target: Floats) -> Floats:
    intercept, slope = _line(log_u, target)
    return _stack(intercept + rng.normal(0, 0.2, rows), -slope + rng.normal(0, 0.1, rows))


def _start_floor(rng: np.random.Generator, rows: int, log_u: Floats, target: Floats) -> Floats:
    floor = target.min() + np.log(rng.uniform(0.02, 0.99, rows))
    rest = np.log(np.maximum(np.exp(target.mean()) - np.exp(floor), 1e-3 * np.exp(target.mean())))
    return _stack(floor, rest + rng.normal(0, 0.5, rows), np.log(rng.uniform(0.05, 1.5, rows)))


def _start_offset(rng: np.random.Generator, rows: int, log_u: Floats, target: Floats) -> Floats:
    intercept, slope = _line(log_u, target)
    spread = rng.uniform(float(log_u.min()) - 3, float(log_u.max()), rows)
    return _stack(intercept + rng.normal(0, 0.2, rows), -slope * rng.uniform(0.5, 3, rows), spread)


def _start_broken(rng: np.random.Generator, rows: int, log_u: Floats, target: Floats) -> Floats:
    intercept, slope = _line(log_u, target)
    return _stack(
        target.min() + np.log(rng.uniform(1e-3, 0.9, rows)),
        intercept + rng.normal(0, 0.3, rows),
        -slope * rng.uniform(0, 2, rows),
        -slope * rng.normal(0, 2, rows),
        rng.uniform(float(log_u.min()), float(log_u.max()), rows),
        np.log(rng.uniform(0.05, 1.5, rows)),
    )


def _start_chinchilla(rng: np.random.Generator, rows: int, log_u: Floats, target: Floats) -> Floats:
    middle = float(np.exp(target.mean()))
    return _stack(
        target.min() + np.log(rng.uniform(0.2, 0.98, rows)),
        np.log(middle * rng.uniform(0.02, 1.0, rows)),
        np.log(rng.uniform(0.1, 1.2, rows)),
        np.log(middle * rng.uniform(0.02, 1.0, rows)),
        np.log(rng.uniform(0.1, 1.2, rows)),
    )


def _scaled(log_amount: float, exponent: float, reference: float) -> float:
    """A in A x^-α from the amount at u = 1."""
    return float(np.exp(log_amount + exponent * np.log(reference)))


LAWS: Catalog[Law] = Catalog(
    "law",
    {
        law.name: law
        for law in (
            Law(
                "constant", "y = Y", ("ln_Y",), _constant, _start_constant,
                lambda t, r: {"Y": float(np.exp(t[0]))},
            ),
            Law(
                "power", "y = A x^−α", ("ln_A", "alpha"), _power, _start_power,
                lambda t, r: {"A": _scaled(t[0], t[1], r[0]), "alpha": float(t[1])},
            ),
            Law(
                "floor", "y = E + A x^−α", ("ln_E", "ln_A", "ln_alpha"), _floor, _start_floor,
                lambda t, r: {
                    "E": float(np.exp(t[0])), "A": _scaled(t[1], np.exp(t[2]), r[0]), "alpha": float(np.exp(t[2])),
                },
            ),
            Law(
                "offset", "y = A (x + x0)^−α", ("ln_A", "alpha", "ln_x0"), _offset, _start_offset,
                lambda t, r: {
                    "A": _scaled(t[0], t[1], r[0]), "alpha": float(t[1]), "x0": float(np.exp(t[2]) * r[0]),
                },
            ),
            Law(
                "broken", "y = E + A x^−c0 (1 + (x/d)^(1/f))^(−c1 f)",
                ("ln_E", "ln_A", "c0", "c1", "ln_d", "ln_f"), _broken, _start_broken,
                lambda t, r: {
                    "E": float(np.exp(t[0])), "A": _scaled(t[1], t[2], r[0]), "c0": float(t[2]), "c1": float(t[3]),
                    "d": float(np.exp(t[4]) * r[0]), "f": float(np.exp(t[5])),
                },
            ),
            Law(
                "chinchilla", "y = E + A N^−α + B D^−β",
                ("ln_E", "ln_A", "ln_alpha", "ln_B", "ln_beta"), _chinchilla, _start_chinchilla,
                lambda t, r: {
                    "E": float(np.exp(t[0])), "A": _scaled(t[1], np.exp(t[2]), r[0]), "alpha": float(np.exp(t[2])),
                    "B": _scaled(t[3], np.exp(t[4]), r[1]), "beta": float(np.exp(t[4])),
                },
                dimensions=2,
            ),
        )
    },
)  # fmt: skip
"""The laws of losses by name; `logistic_law` makes the one for shares between a chance level and a ceiling."""
