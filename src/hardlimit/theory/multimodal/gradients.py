"""MM-5: how the stronger modality is learned first, and how two power laws add."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Source, Statement, Status, Value, Verdict
from hardlimit.core.quantity import LEARNING_TIME, LOCAL_EXPONENT
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import Numbers, number, plain, vector, within
from hardlimit.theory.sources import derived, paper

MM_5 = Statement(
    id="MM-5",
    name="gradient imbalance and two-term scaling",
    limit=Limit.MULTIMODAL,
    status=Status.CORRECTED,
    says=(
        "In a two-layer linear network the time to learn a modality is inversely proportional to its strength; if "
        "the label can be had from either, the weaker one keeps a fixed small share for ever. When two power laws "
        "add, the local exponent lies between them only if there is no floor; with a floor it falls to zero."
    ),
    formula=(
        "half-learning time = τ/(2s)·ln(s/u₀ − 1);   redundant label: margin share x_v²/(x_v² + x_t²)\n"
        "L = E + A·N^(−a) + B·N^(−b):  α_eff = (a·A·N^(−a) + b·B·N^(−b))/L;   E = 0: min(a,b) ≤ α_eff ≤ max(a,b)"
    ),
    hypotheses=("linear modes learned from a small start u₀ < s/2", "losses add"),
    sources=(
        Source(title="Saxe, McClelland & Ganguli (2013)", url="arXiv:1312.6120"),
        derived("the local exponent"),
        paper("multimodal scaling proposition"),
    ),
    silent_on="Deep nonlinear networks are not linear modes. It does not say which modality a given model neglects.",
    falsified_by="A local exponent outside [min, max] for two power laws without floor.",
    paper=("The paper's α_eff ∈ [min, max] fails as soon as its own irreducible term is added (PAPER-ALPHA-EFF)."),
    effects=(
        Effect(resource=Resource.DATA, verdict=Verdict.HELPS, when="slowly, with training steps"),
        Effect(resource=Resource.DATA, verdict=Verdict.SATURATES, when="the label can be had from text alone"),
        Effect(resource=Resource.PARAMETERS, verdict=Verdict.SATURATES, when="the slower law or the floor dominates"),
    ),
    worked=(
        "Strengths 4 and 1 from 0.01: learned after 0.75 and 2.30. Exponents 0.3 and 0.1: 0.115 at 10⁹, 0.040 with "
        "floor."
    ),
)


class ScalingTerms(Value, frozen=True):
    """A loss of two power laws and a floor, E + A·N^(−a) + B·N^(−b).

    Args:
        first: A, >= 0.
        first_exponent: a, > 0.
        second: B, >= 0.
        second_exponent: b, > 0.
        floor: E, >= 0.
    """

    first: float
    first_exponent: float
    second: float
    second_exponent: float
    floor: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("first", "second", "floor"):
            number(name, getattr(self, name), "[0, ∞)")
        for name in ("first_exponent", "second_exponent"):
            number(name, getattr(self, name), "(0, ∞)")
        number("first + second", self.first + self.second, "(0, ∞)")


def half_time(strength: ArrayLike, start: ArrayLike, time_constant: ArrayLike = 1.0) -> Numbers:
    """Return the time after which half of a mode is learned, τ/(2s)·ln(s/u₀ − 1).

    Args:
        strength: s, > 0.
        start: u₀, in (0, s/2].
        time_constant: τ, > 0.

    Source:
        Saxe, McClelland & Ganguli (2013).

    >>> round(half_time(4.0, 0.01), 4), round(half_time(1.0, 0.01), 4)
    (0.7486, 2.2976)
    """
    s, u = within("strength", strength, "(0, ∞)"), within("start", start, "(0, ∞)")
    within("start/strength", u / s, "(0, 0.5]")
    return plain(within("time_constant", time_constant, "(0, ∞)") / (2 * s) * np.log(s / u - 1))


def margin_share(weaker: ArrayLike, stronger: ArrayLike) -> Numbers:
    """Return the share of the margin that a modality carries when the label is redundant, x_v²/(x_v² + x_t²).

    Args:
        weaker: x_v, scale of the features in question, > 0.
        stronger: x_t, scale of the other modality's features, > 0.

    Source:
        MM-5: weights grow in proportion to feature scale.

    >>> round(margin_share(1.0, 4.0), 4)
    0.0588
    """
    v, t = within("weaker", weaker, "(0, ∞)"), within("stronger", stronger, "(0, ∞)")
    return plain(1 / (1 + (t / v) ** 2))


def effective_exponent(scale: ArrayLike, terms: ScalingTerms) -> Numbers:
    """Return the local exponent −d ln L/d ln N of a loss of two power laws and a floor.

    Args:
        scale: N, > 0.
        terms: the loss.

    Source:
        MM-5.

    >>> terms = ScalingTerms(first=1.0, first_exponent=0.3, second=0.2, second_exponent=0.1)
    >>> round(effective_exponent(1e9, terms), 4)
    0.1147
    """
    n = within("scale", scale, "(0, ∞)")
    one = terms.first * n**-terms.first_exponent
    two = terms.second * n**-terms.second_exponent
    return plain((terms.first_exponent * one + terms.second_exponent * two) / (terms.floor + one + two))


def learning_time(strength: float, start: float, time_constant: float = 1.0) -> Bound:
    """Give the time after which half of a mode is learned; arguments as `half_time`.

    Returns:
        An equality for `LEARNING_TIME`, in units of the time constant's time.

    Source:
        MM-5.

    >>> round(learning_time(1.0, 0.01).value, 4)
    2.2976
    """
    value = float(half_time(strength, start, time_constant))
    at = {"strength": strength, "start": start, "time_constant": time_constant}
    return exactly(MM_5, LEARNING_TIME, value, at=at)


def exponent_by_scale(scales: Sequence[float], terms: ScalingTerms) -> Shape:
    """Tell how the local exponent changes with scale; arguments as `effective_exponent`.

    Returns:
        A shape of `LOCAL_EXPONENT` along `scale`.

    Source:
        MM-5.

    >>> terms = ScalingTerms(first=1.0, first_exponent=0.3, second=0.2, second_exponent=0.1, floor=0.05)
    >>> [round(y, 4) for _, y in exponent_by_scale([1e3, 1e9], terms).points]
    [0.1731, 0.0404]
    """
    n = vector("scales", scales, "(0, ∞)")
    values = np.atleast_1d(np.asarray(effective_exponent(n, terms)))
    points = tuple(zip(n.tolist(), values.tolist(), strict=True))
    parameters = {name: getattr(terms, name) for name in terms.__struct_fields__}
    return Shape(statement=MM_5, quantity=LOCAL_EXPONENT, along="scale", points=points, parameters=parameters)
