"""What attention does with the needle: margin and weight against length, in the heads that look for it."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats as distributions

from hardlimit.core import (
    Attend,
    Attended,
    Case,
    Estimate,
    Generate,
    InsufficientDataError,
    Interval,
    InvalidValueError,
    Measurement,
    Point,
    Quantity,
    Scalar,
    Span,
    SpanAttention,
    Tally,
    Value,
    quantity,
)
from hardlimit.probes.context.measure import Origin
from hardlimit.stats import mean_interval

Floats = NDArray[np.float64]
NEEDLE = "needle"
"""Name of the span that is read."""


class Reading(Value, frozen=True):
    """A case, and what its prompt's last token attends to."""

    case: Case
    attended: Attended


def attend_requests(cases: Sequence[Case]) -> list[Attend]:
    """Ask for the attention that each case's last prompt token pays to its needle.

    Raises:
        InvalidValueError: a case without a needle in its story.

    >>> from hardlimit.probes.context.needle import Needle
    >>> case = Needle(length=400).cases(seed=0, n=1)[0]
    >>> span = attend_requests([case])[0].spans[0]
    >>> case.gold[0] in case.ask.messages[0].content[span.start : span.end]
    True
    """
    requests = []
    for case in cases:
        start, end = case.factors.get("start"), case.factors.get("end")
        if not isinstance(case.ask, Generate) or not isinstance(start, int) or not isinstance(end, int):
            raise InvalidValueError(f"The case '{case.id}' has no needle in its story whose attention could be read.")
        span = Span(name=NEEDLE, message=len(case.ask.messages) - 1, start=start, end=end)
        requests.append(Attend(messages=case.ask.messages, spans=(span,)))
    return requests


def margin(readings: Sequence[Reading], origin: Origin, *, heads: int = 5) -> Measurement:
    """Margin of the needle in the heads that look for it most, against length.

    The heads are chosen by their attention on the needle in every second haystack; the numbers come from the others,
    so that the choice does not flatter them. The summary is the mean margin over these heads at the longest length;
    `slope_per_doubling` says how it changes when the text gets twice as long, a line through the haystacks' means.

    Args:
        readings: of cases in several haystacks at one or more lengths; failed readings count as artefacts.
        origin: where they come from.
        heads: how many heads, >= 1.

    Raises:
        InsufficientDataError: fewer than 2 haystacks are left for the numbers at some length.
    """
    return _measured(readings, origin, "margin", quantity.NEEDLE_MARGIN, heads)


def needle_weight(readings: Sequence[Reading], origin: Origin, *, heads: int = 5) -> Measurement:
    """Attention weight on the needle in the heads that look for it most; as `margin` does it."""
    return _measured(readings, origin, "needle_weight", quantity.NEEDLE_WEIGHT, heads)


class _Rows:
    """Numbers of all heads, one row per haystack: means over its needles."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        clusters = sorted({reading.case.cluster for reading in readings})
        groups = [[reading for reading in readings if reading.case.cluster == cluster] for cluster in clusters]
        self.lengths = np.array([int(group[0].case.factors["length"]) for group in groups])
        self.keys = np.array([np.mean([reading.attended.keys for reading in group]) for group in groups])
        self.readings = np.array([len(group) for group in groups])
        self.weight = _means(groups, lambda attended: _needle(attended).mass)
        self.margin = _means(groups, lambda attended: _needle(attended).margin)
        self.sink = _means(groups, lambda attended: attended.sink)
        self.entropy = _means(groups, lambda attended: attended.entropy)


def _measured(readings: Sequence[Reading], origin: Origin, name: str, measured: Quantity, heads: int) -> Measurement:
    if heads < 1:
        raise InvalidValueError(f"Attention needs heads >= 1, got {heads}.")
    good = [reading for reading in readings if reading.attended.error is None]
    failed = len(readings) - len(good)
    chosen_on, measured_on = _halves(good)
    best = _best_heads(chosen_on, heads)
    rows = _Rows(measured_on)
    lengths = sorted(set(rows.lengths.tolist()))
    if not lengths or min(int(np.sum(rows.lengths == length)) for length in lengths) < 2:
        raise InsufficientDataError(
            "Attention needs at least 4 haystacks at every length: half of them to choose heads, half to measure them; "
            f"got {len({reading.case.cluster for reading in good})} at {len(lengths)} lengths."
        )
    values = rows.margin if name == "margin" else rows.weight
    points = tuple(
        Point(
            at={"length": length, "layer": layer, "head": head},
            estimate=_mean(
                values[rows.lengths == length, layer, head], rows.readings[rows.lengths == length], measured
            ),
        )
        for layer, head in best
        for length in lengths
    )
    layers, columns = (list(part) for part in zip(*best, strict=True))
    longest = rows.lengths == lengths[-1]
    means = values[:, layers, columns].mean(axis=1)
    summary = _mean(means[longest], rows.readings[longest], measured)
    parameters: dict[str, Scalar] = {
        "heads": ", ".join(f"{layer}.{head}" for layer, head in best),
        "keys_at_longest": float(rows.keys[longest].mean()),
        "sink_mass_at_longest": float(rows.sink[longest][:, layers, columns].mean()),
        "entropy_at_longest": float(rows.entropy[longest][:, layers, columns].mean()),
    }
    if len(lengths) > 1:
        parameters |= _slope(np.log2(rows.keys), means, level=summary.interval.level)
    return origin.measurement(
        name,
        measured,
        Tally(),
        value=Estimate(value=summary.value, interval=summary.interval, n=summary.n + failed, artefacts=failed),
        points=points,
        parameters=parameters,
        note=(
            f"Layer.head {parameters['heads']}: the {len(best)} with the most attention on the needle in the half of "
            f"the haystacks that is not measured here. The summary is their mean at {lengths[-1]} tokens."
        ),
    )


def _halves(readings: Sequence[Reading]) -> tuple[list[Reading], list[Reading]]:
    """Split by haystack, every second one of each length."""
    rank: dict[str, int] = {}
    seen: dict[int, int] = {}
    for reading in sorted(readings, key=lambda reading: (int(reading.case.factors["haystack"]), reading.case.cluster)):
        if reading.case.cluster not in rank:
            length = int(reading.case.factors["length"])
            rank[reading.case.cluster] = seen[length] = seen.get(length, -1) + 1
    halves: tuple[list[Reading], list[Reading]] = ([], [])
    for reading in readings:
        halves[rank[reading.case.cluster] % 2].append(reading)
    return halves


def _best_heads(readings: Sequence[Reading], heads: int) -> list[tuple[int, int]]:
    """`(layer, head)` of the heads with the largest mean weight on the needle, the largest first."""
    if not readings:
        raise InsufficientDataError("There is no reading of attention to choose heads by.")
    weight = _Rows(readings).weight.mean(axis=0)
    order = np.argsort(-weight, axis=None, kind="stable")[:heads]
    return [(int(layer), int(head)) for layer, head in zip(*np.unravel_index(order, weight.shape), strict=True)]


def _needle(attended: Attended) -> SpanAttention:
    return next(span for span in attended.spans if span.name == NEEDLE)


def _means(groups: Sequence[Sequence[Reading]], table: Callable[[Attended], Sequence[Sequence[float]]]) -> Floats:
    """Mean table of each haystack, `(haystacks, layers, heads)`."""
    return np.array([np.mean([table(reading.attended) for reading in group], axis=0) for group in groups])


def _mean(values: Floats, readings: NDArray[np.int64], measured: Quantity) -> Estimate:
    """Mean of haystacks' means, its interval within what the quantity can be; n counts the readings behind them."""
    interval = mean_interval(values)
    low, high = (None if end is None else _inside(end, measured) for end in (interval.low, interval.high))
    within = Interval(low=low, high=high, level=interval.level, method=interval.method)
    return Estimate(value=float(values.mean()), interval=within, n=int(readings.sum()))


def _inside(value: float, measured: Quantity) -> float:
    """Move a value into the range of its quantity; an end that is None is open."""
    value = value if measured.low is None else max(value, measured.low)
    return value if measured.high is None else min(value, measured.high)


def _slope(doublings: Floats, values: Floats, *, level: float) -> dict[str, Scalar]:
    """Change per doubling, least squares over haystacks, with Student's interval."""
    if len(values) < 3:
        return {}
    line = distributions.linregress(doublings, values)
    half = float(distributions.t.ppf((1 + level) / 2, len(values) - 2) * line.stderr)
    return {
        "slope_per_doubling": float(line.slope),
        "slope_low": float(line.slope) - half,
        "slope_high": float(line.slope) + half,
    }
