"""What would decide an undetermined verdict: which scale to measure next, and how many items."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hardlimit.core import Value, Verdict
from hardlimit.scaling.curve import Curve
from hardlimit.scaling.nested import Best, Bundle, Floats, minimise
from hardlimit.scaling.noise import Noise, bundle_of, counted, fitted_log, shape_of
from hardlimit.scaling.verdict import ORDER, Rule, ScalingVerdict, judge
from hardlimit.scaling.words import percent


class Step(Value, frozen=True):
    """One way to decide a verdict.

    Args:
        scales: further scales to measure, as amounts of the resource; empty for none.
        items: items per scale, where more are wanted than now; None for as many as now.
        verdict: what it would decide, if the fitted law holds.
    """

    scales: tuple[float, ...]
    items: int | None
    verdict: Verdict


class Plan(Value, frozen=True):
    """The cheapest ways found to decide a verdict, and a sentence.

    Args:
        steps: by rising effort; empty where nothing tried would decide.
        says: the first of them in words, or why there is none.
    """

    steps: tuple[Step, ...]
    says: str


_FURTHER = ((), (2.0,), (3.0,), (10.0,), (3.0, 10.0), (3.0, 10.0, 30.0))
_MORE_ITEMS = (1, 4, 16, 64)


@dataclass(frozen=True)
class _Expected:
    """A design with the data that the fitted law expects of it."""

    below: Floats
    log_y: Floats
    weight: Floats
    factors: tuple[float, ...]
    more: int


def what_would_decide(judged: ScalingVerdict, rule: Rule | None = None) -> Plan:
    """Look for a next measurement after which the verdict is expected to be decided.

    Each design (further scales, more items) is judged on the data that the fitted law expects, with today's noise: it
    decides about every second time when it does so here, and more surely the next design up. Where the gain lies at
    the margin itself no measurement decides, and that is said.

    Args:
        judged: a verdict, with its curve and the noise it was judged by.
        rule: margins and level.

    >>> from hardlimit.scaling.tasks import verdict
    >>> x = [1e8, 3e8, 1e9, 3e9, 1e10]
    >>> plan = what_would_decide(verdict(Curve.of(x, [3.0, 2.86, 2.77, 2.68, 2.66])))
    >>> plan.steps[0].verdict
    <Verdict.SATURATES: 'SATURATES'>
    """
    rule, curve = rule or Rule(), judged.curve
    bundle, best = bundle_of([curve], kappa=rule.kappa)
    designs = list(_designs(curve, bundle, best))
    width = max(design.below.size for design in designs)
    below, log_y, weight = (
        np.stack([_padded(values, width) for values in column])
        for column in (
            [design.below for design in designs],
            [design.log_y for design in designs],
            [design.weight for design in designs],
        )
    )
    stacked = Bundle(below, log_y, weight, rule.kappa)
    extra = np.array([len(design.factors) for design in designs])
    freedom = np.inf if judged.noise_freedom is None else max(judged.noise_freedom, 0.0)
    noise = Noise(np.full(len(designs), max(judged.noise_factor, 1e-12)), freedom + extra, "own residuals")
    expected = judge(stacked, minimise(stacked), noise, rule, with_p=False)
    top = float(curve.scales[-1])
    items = curve.items
    steps = tuple(
        Step(
            scales=tuple(top * factor for factor in design.factors),
            items=None if design.more == 1 or items is None else int(items.max()) * design.more,
            verdict=ORDER[int(expected.verdict[row])],
        )
        for row, design in enumerate(designs)
        if expected.verdict[row] >= 0 and (design.factors or design.more > 1)
    )
    return Plan(steps=steps[:3], says=_says(steps, judged, rule))


def _padded(values: Floats, width: int) -> Floats:
    return np.concatenate([values, np.zeros(width - values.size)])


def _designs(curve: Curve, bundle: Bundle, best: Best) -> Sequence[_Expected]:
    """Designs by rising effort: few further scales first, then more items."""
    count = len(curve.points)
    fitted = fitted_log(bundle, best)[0, :count]
    designs = []
    for more in _MORE_ITEMS if counted(curve) else (1,):
        for factors in _FURTHER:
            ahead = -np.log(np.array(factors))
            beyond = fitted[-1] + shape_of(bundle, best, ahead[None, :])[0] if factors else np.zeros(0)
            shift = np.log(max(factors, default=1.0))
            weight = bundle.weight[0, :count]
            designs.append(
                _Expected(
                    below=np.concatenate([bundle.below[0, :count], ahead]) + shift,
                    log_y=np.concatenate([fitted, beyond]),
                    weight=more * np.concatenate([weight, np.full(len(factors), weight[-1])]),
                    factors=factors,
                    more=more,
                )
            )
    return sorted(designs, key=lambda design: (design.more * (1 + len(design.factors)), max(design.factors, default=1)))


def _says(steps: tuple[Step, ...], judged: ScalingVerdict, rule: Rule) -> str:
    if not steps:
        return (
            f"Nothing tried would decide (up to ×30 in scale{', ×64 in items' if counted(judged.curve) else ''}): "
            f"the noise of {percent(judged.noise)} at one scale is too large, or the expected gain of "
            f"{percent(judged.next_gain.value)} too near the margin of {percent(rule.next_gain)}."
        )
    first = steps[0]
    parts = []
    if first.scales:
        parts.append("measure at " + " and ".join(f"{scale:.3g}" for scale in first.scales) + f" {judged.resource}")
    if first.items is not None:
        parts.append(f"use {first.items} items per scale")
    return f"To decide, {' and '.join(parts)}: expected verdict {first.verdict}."
