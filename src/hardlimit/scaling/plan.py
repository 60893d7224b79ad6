"""What would decide an undetermined verdict: which scale to measure next, and how many items."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hardlimit.core import Value, Verdict
from hardlimit.scaling.curve import Curve
from hardlimit.scaling.nested import Best, Bundle, Floats, minimise
from hardlimit.scaling.noise import Noise, bundle_of, counted, fitted_log, own_noise, shape_of
from hardlimit.scaling.verdict import ORDER, Rule, judge


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


def what_would_decide(curve: Curve, rule: Rule | None = None, *, noise: Noise | None = None) -> Plan:
    """Look for a next measurement after which the verdict is expected to be decided.

    Each design (further scales, more items) is judged on the data that the fitted law expects, with today's noise: it
    decides about every second time when it does so here, and more surely the next design up. Where the gain lies at
    the margin itself no measurement decides, and that is said.

    Args:
        curve: the curve.
        rule: margins and level.
        noise: of the table it stands in, or None for the noise of its own residuals.

    >>> x = [1e8, 3e8, 1e9, 3e9, 1e10]
    >>> plan = what_would_decide(Curve.of(x, [3.0, 2.9, 2.7, 2.68, 2.5]))
    >>> plan.steps[0].verdict
    <Verdict.SATURATES: 'SATURATES'>
    """
    rule = rule or Rule()
    bundle, best = bundle_of([curve], kappa=rule.kappa)
    known = own_noise(bundle, best) if noise is None else noise
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
    freedom = np.maximum(known.freedom[0], 0) + extra
    variance = np.full(len(designs), max(float(known.variance[0]), 1e-12))
    judged = judge(stacked, minimise(stacked), replace(known, variance=variance, freedom=freedom), rule, with_p=False)
    top = float(curve.scales[-1])
    items = curve.items
    steps = tuple(
        Step(
            scales=tuple(top * factor for factor in design.factors),
            items=None if design.more == 1 or items is None else int(items.max()) * design.more,
            verdict=ORDER[int(judged.verdict[row])],
        )
        for row, design in enumerate(designs)
        if judged.verdict[row] >= 0 and (design.factors or design.more > 1)
    )
    gain = float(judged.value["next_gain"][0])
    return Plan(steps=steps[:3], says=_says(steps, gain, rule, curve))


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


def _says(steps: tuple[Step, ...], gain: float, rule: Rule, curve: Curve) -> str:
    if not steps:
        return (
            f"Nothing tried would decide (up to ×30 in scale{', 64 times the items' if counted(curve) else ''}): the "
            f"expected gain of {100 * gain:.0f} % lies too near the margin of {100 * rule.next_gain:.0f} %."
        )
    first = steps[0]
    parts = []
    if first.scales:
        parts.append("measure at " + " and ".join(f"{scale:.3g}" for scale in first.scales) + f" {curve.resource}")
    if first.items is not None:
        parts.append(f"use {first.items} items per scale")
    return f"To decide, {' and '.join(parts)}: expected verdict {first.verdict}."
