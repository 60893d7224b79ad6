"""Small pictures that stand inside the text: an interval on its scale, and a bar of grades."""

import math

from hardlimit.core import ARTEFACTS, Bound, Estimate, Grade, Quantity, Tally, Value
from hardlimit.report import numbers

MARGIN = 0.15
"""Share of the span that is left free at each end of a scale that has no natural ends."""


class Gauge(Value, frozen=True):
    """An interval and a value on a horizontal scale; positions are percentages of its width.

    Args:
        low: where the interval begins.
        high: where it ends.
        value: where the estimate stands.
        bound: where the claim's bound stands, if there is one.
        forbidden: `left` or `right` of the bound, the side that the claim rules out; empty for neither.
        open_low: whether the data do not bound the interval below.
        open_high: whether the data do not bound it above.
        ends: the texts at the two ends of the scale.
        says: the whole in words.
    """

    low: float
    high: float
    value: float
    bound: float | None
    forbidden: str
    open_low: bool
    open_high: bool
    ends: tuple[str, str]
    says: str


def gauge(estimate: Estimate, quantity: Quantity, *, bound: Bound | None = None, window: int | None = None) -> Gauge:
    """Place an estimate on the scale of its quantity, with the bound it is compared to.

    Args:
        estimate: what was measured.
        quantity: its quantity; where its range has two ends, they are the scale's.
        bound: a claim to compare with.
        window: the model's longest context, which ends the scale of a number of tokens.
    """
    interval = estimate.interval
    marks = [v for v in (estimate.value, interval.low, interval.high, bound.value if bound else None) if v is not None]
    start, end = _scale(marks, quantity, window)

    def place(value: float) -> float:
        return round(100 * (value - start) / (end - start), 2)

    says = f"{numbers.with_unit(estimate.value, quantity)}, interval {numbers.interval_text(interval, quantity)}"
    if bound is not None:
        says += f", bound {numbers.with_unit(bound.value, quantity)}"
    sides = {"upper": "right", "lower": "left", "exact": ""}
    return Gauge(
        low=0.0 if interval.low is None else place(interval.low),
        high=100.0 if interval.high is None else place(interval.high),
        value=place(estimate.value),
        bound=None if bound is None else place(bound.value),
        forbidden="" if bound is None else sides[bound.side],
        open_low=interval.low is None,
        open_high=interval.high is None,
        ends=(numbers.number(start, quantity), numbers.number(end, quantity)),
        says=says,
    )


def _scale(marks: list[float], quantity: Quantity, window: int | None) -> tuple[float, float]:
    if quantity.low is not None and quantity.high is not None:
        return quantity.low, quantity.high
    low, high = min(marks), max(marks)
    if quantity.unit == "tokens" and window is not None and low >= 0:
        return 0.0, max(float(window), high)
    room = (high - low) * MARGIN or abs(low) * MARGIN or 1.0
    start = low - room
    return _rounded(start if quantity.low is None else max(quantity.low, start), high + room)


def _rounded(start: float, end: float) -> tuple[float, float]:
    """Move the ends of a scale outward to round numbers."""
    step = 10.0 ** math.floor(math.log10(end - start)) / 2
    return math.floor(start / step) * step, math.ceil(end / step) * step


class Share(Value, frozen=True):
    """One stretch of a bar of grades; `start` and `width` are percentages of its length."""

    grade: Grade
    count: int
    start: float
    width: float
    artefact: bool


def shares(tally: Tally) -> tuple[Share, ...]:
    """Lay the grades that occur end to end, artefacts last.

    >>> [(str(s.grade), s.start, s.width) for s in shares(Tally(right=3, wrong=1))]
    [('right', 0.0, 75.0), ('wrong', 75.0, 25.0)]
    """
    laid: list[Share] = []
    done = 0
    for grade in Grade:
        count = getattr(tally, str(grade))
        if not count:
            continue
        laid.append(
            Share(
                grade=grade,
                count=count,
                start=round(100 * done / tally.n, 3),
                width=round(100 * count / tally.n, 3),
                artefact=grade in ARTEFACTS,
            )
        )
        done += count
    return tuple(laid)
