"""Thresholds: where on its knob a task stops being seen."""

from collections.abc import Sequence

import numpy as np

from hardlimit.core import Answered, Estimate, Interval, Measurement, Point, Scalar, quantity
from hardlimit.probes.measuring import is_right, tallied
from hardlimit.probes.multimodal.measure import Origin, by_factor, pairs
from hardlimit.probes.multimodal.tasks import TASKS
from hardlimit.stats.intervals import expanded_tail


def threshold(
    name: str, knobs: Sequence[float], hits: Sequence[bool], *, guess: float, level: float = 0.95
) -> Estimate | None:
    """The knob at which the share of pairs right crosses half way between guessing and all, by a logistic curve.

    The curve runs in the logarithm of the knob; threshold and slope have a flat prior on a grid (in logarithms), and
    the interval holds the middle of the threshold's posterior. An end that falls on the edge of what was asked is
    open. Pairs with an artefact count as not right.

    Args:
        name: of the task, which tells whether a larger knob is harder.
        knobs: of each pair.
        hits: whether both of its answers were right.
        guess: share right by guessing.
        level: of the interval.

    Returns:
        None where fewer than two knobs were asked.
    """
    x, y = np.log(np.asarray(knobs, float)), np.asarray(hits, bool)
    if len(set(knobs)) < 2:
        return None
    sign = -1.0 if TASKS[name].harder == "up" else 1.0  # type: ignore[index]
    margin = 0.5 * (x.max() - x.min())
    places = np.linspace(x.min() - margin, x.max() + margin, 161)
    slopes = np.geomspace(0.7, 20.0, 25)
    logits = sign * slopes[None, :, None] * (x[None, None, :] - places[:, None, None])
    curve = guess + (0.98 - guess) / (1 + np.exp(-np.clip(logits, -500, 500)))
    loglik = np.where(y, np.log(curve), np.log1p(-curve)).sum(axis=-1)
    mass = np.exp(loglik - loglik.max()).sum(axis=1)
    cumulative = np.cumsum(mass) / mass.sum()
    outside = expanded_tail(level, max(len(y), 2))
    low, middle, high = (float(places[np.searchsorted(cumulative, q)]) for q in (outside, 0.5, 1 - outside))
    value = float(np.exp(np.clip(middle, x.min(), x.max())))
    interval = Interval(
        low=None if low < x.min() else min(float(np.exp(low)), value),
        high=None if high > x.max() else max(float(np.exp(high)), value),
        level=level,
        method="posterior of a logistic curve in the knob's logarithm",
    )
    return Estimate(value=value, interval=interval, n=len(y))


def thresholds(answered: Sequence[Answered], origin: Origin) -> Measurement:
    """Threshold of each task on its own knob, from pairs at several knobs; no single number stands for all tasks."""
    points, parameters = [], dict[str, Scalar]()
    for (task,), items in by_factor(answered, "task").items():
        whole = pairs(items)
        knobs = [float(first.case.factors["knob"]) for first, _ in whole]
        hits = [is_right(first) and is_right(second) for first, second in whole]
        value = threshold(str(task), knobs, hits, guess=0.0) if whole else None
        if value is None:
            continue
        kind = TASKS[str(task)]  # type: ignore[index]
        points.append(Point(at={"task": task, "knob": kind.knob}, estimate=value))
        parameters[f"harder.{task}"] = "with a larger knob" if kind.harder == "up" else "with a smaller knob"
        for knob in sorted(set(knobs)):
            there = [hit for each, hit in zip(knobs, hits, strict=True) if each == knob]
            parameters[f"pairs.{task}.{knob:g}"] = f"{sum(there)} of {len(there)}"
    note = "The knob at which half of the pairs are right; an open end lies beyond the knobs that were asked."
    return origin.measurement(
        "threshold",
        quantity.VISUAL_THRESHOLD,
        tallied(answered),
        value=None,
        points=points,
        parameters=parameters,
        note=note,
    )
