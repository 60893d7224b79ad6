"""HALL-8: for arbitrary facts, a calibrated learner errs about as often as facts were seen exactly once."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from hardlimit.core import Bound, Effect, Limit, Resource, Source, Statement, Status, Verdict
from hardlimit.core.quantity import WRONG_RATE
from hardlimit.theory.bounding import at_least, at_most, sum_below
from hardlimit.theory.domain import Numbers, number, plain, whole, within
from hardlimit.theory.sources import KALAI_2025

HALL_8 = Statement(
    id="HALL-8",
    name="singleton-rate floor for arbitrary facts",
    limit=Limit.HALLUCINATION,
    status=Status.PROVED,
    says=(
        "Where answers follow no pattern (birthdays), any learner that stays calibrated is wrong at least about as "
        "often as training prompts were answered exactly once, and a good one no more often than that. The constants "
        "are large: below some 300,000 examples the floor says nothing."
    ),
    formula=(
        "with probability ≥ 0.99:  err ≥ sr − 2/min|E| − (35 + 6·ln N)/√N − δ\n"
        "a calibrated learner:     err ≤ sr − sr/(max|E| + 1) + 13/√N\n"
        "one right answer of C:    err ≥ 2·(1 − 1/C)·opt"
    ),
    hypotheses=(
        "each prompt has one right answer, uniform over its candidates and independent of the others",
        "N training examples; sr is the share of prompts answered exactly once ('I don't know' does not count)",
    ),
    sources=(Source(title=KALAI_2025.title, locator="Thm 2 and 3", url=KALAI_2025.url),),
    silent_on=(
        "At sr = 0.2 it is always vacuous below N ≈ 3·10⁵; use the interval of HALL-5 there, which is another "
        "statement. It is about arbitrary facts: structure lowers the error below it."
    ),
    falsified_by=(
        "A calibrated learner of arbitrary facts whose error is outside the band in more than 1 % of worlds."
    ),
    paper="The paper does not state it.",
    effects=(
        Effect(
            resource=Resource.PARAMETERS,
            verdict=Verdict.CANNOT_PROGRESS,
            when="below sr, without abstaining or retrieval",
        ),
        Effect(resource=Resource.DATA, verdict=Verdict.HELPS, when="through fewer singletons (HALL-9)"),
        Effect(resource=Resource.ABSTENTION, verdict=Verdict.HELPS, when="it gives up calibration (large δ)"),
    ),
    worked=(
        "sr = 0.2, 364 wrong candidates, δ = 0.02: a million examples give 0.057 ≤ err ≤ 0.212; ten thousand nothing."
    ),
    probe="hallucination.short_facts",
)


def singleton_bounds(
    seen_once: ArrayLike,
    smallest_invalid: ArrayLike,
    largest_invalid: ArrayLike,
    examples: ArrayLike,
    gap: ArrayLike = 0,
) -> tuple[Numbers, Numbers]:
    """Return both sides of the band; the lower one is negative where it says nothing.

    Args:
        seen_once: sr, in [0, 1].
        smallest_invalid: min|E_c|, wrong candidates, >= 1.
        largest_invalid: max|E_c|, >= 1.
        examples: N, >= 1.
        gap: δ, miscalibration, in [0, 1].

    Source:
        HALL-8; Kalai et al. (2025), Thm 2.

    >>> low, high = singleton_bounds(0.2, 364, 364, 1e6, 0.02)
    >>> round(low, 4), round(high, 4)
    (0.0566, 0.2125)
    """
    sr, delta = within("seen_once", seen_once, "[0, 1]"), within("gap", gap, "[0, 1]")
    least = within("smallest_invalid", smallest_invalid, "[1, ∞)")
    most = within("largest_invalid", largest_invalid, "[1, ∞)")
    n = within("examples", examples, "[1, ∞)")
    low = sr - 2 / least - (35 + 6 * np.log(n)) / np.sqrt(n) - delta
    return plain(low), plain(sr - sr / (most + 1) + 13 / np.sqrt(n))


def examples_until_binding(seen_once: float, smallest_invalid: float, gap: float = 0.0) -> float:
    """Return the number of examples from which on the floor is positive, or raise where it never is.

    Args:
        seen_once: sr, in (0, 1], above 2/min|E| + δ.
        smallest_invalid: min|E_c|, >= 1.
        gap: δ, in [0, 1].

    >>> f"{examples_until_binding(0.2, 364):.3g}"
    '3.27e+05'
    """
    most = number("seen_once", seen_once, "(0, 1]")
    least = number("smallest_invalid", smallest_invalid, "[1, ∞)")
    room = number("seen_once − 2/smallest_invalid − gap", most - 2 / least - gap, "(0, 1]")
    log_n = brentq(lambda x: room - (35 + 6 * x) * math.exp(-x / 2), 2.0, 100.0, xtol=1e-13)
    return math.exp(float(log_n))


def multiple_choice_floor(choices: ArrayLike, best_threshold_error: ArrayLike) -> Numbers:
    """Return 2·(1 − 1/C)·opt, the least error with one right answer among C.

    Args:
        choices: C, >= 2.
        best_threshold_error: opt, least validity error of any threshold classifier of the model family, in [0, 1/2].

    Source:
        Kalai et al. (2025), Thm 3.

    >>> multiple_choice_floor(4, 0.25)
    0.375
    """
    c = within("choices", choices, "[2, ∞)", whole=True)
    return plain(2 * (1 - 1 / c) * within("best_threshold_error", best_threshold_error, "[0, 0.5]"))


def arbitrary_facts_floor(seen_once: float, smallest_invalid: int, examples: int, gap: float = 0.0) -> Bound:
    """Bound from below the wrong answers about arbitrary facts; arguments as for `singleton_bounds`.

    Returns:
        A lower bound on `WRONG_RATE` that holds with probability 0.99.

    Source:
        HALL-8.

    >>> arbitrary_facts_floor(0.2, 364, 10_000).vacuous
    'wrong answers can never fall below 0, so nothing is excluded'
    """
    singleton_bounds(seen_once, smallest_invalid, smallest_invalid, examples, gap)
    n = whole("examples", examples, "[1, ∞)")
    luck = (35 + 6 * math.log(n)) / math.sqrt(n)
    at = {"seen_once": seen_once, "smallest_invalid": smallest_invalid, "examples": n, "gap": gap}
    value = sum_below(seen_once, -2 / smallest_invalid, -luck, -gap)
    return at_least(HALL_8, WRONG_RATE, value, at=at, parts={"sampling_term": luck, "confidence": 0.99})


def arbitrary_facts_ceiling(seen_once: float, largest_invalid: int, examples: int) -> Bound:
    """Bound from above the wrong answers of a calibrated learner; arguments as for `singleton_bounds`.

    Returns:
        An upper bound on `WRONG_RATE` that holds with probability 0.99.

    Source:
        HALL-8.

    >>> round(arbitrary_facts_ceiling(0.2, 364, 1_000_000).value, 4)
    0.2125
    """
    _, high = singleton_bounds(seen_once, 1, largest_invalid, examples)
    at = {"seen_once": seen_once, "largest_invalid": largest_invalid, "examples": examples}
    return at_most(HALL_8, WRONG_RATE, float(high), at=at, parts={"confidence": 0.99})
