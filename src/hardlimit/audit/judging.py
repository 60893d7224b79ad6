"""From measurements to verdicts about one resource: the rules that every study shares."""

from collections.abc import Mapping, Sequence

import numpy as np

from hardlimit.core import Estimate, Interval, Measurement, Point, Verdict

MARGIN = 0.10
"""Share of the error that the next factor must remove to count as help, as in the scaling rule."""

LEVEL = 0.90
"""Two-sided, so that each side of a verdict errs in 5 % of cases at most."""

DRAWS = 4000


def error_removed(points: Sequence[Point], rng: np.random.Generator) -> Estimate | None:
    """Estimate the share of the error that ten times the data would remove, from accuracy by popularity.

    Exposures grow with data times popularity (HALL-9), so a fact with ten times the data is what a ten times more
    popular fact is today: each decade's accuracy moves to that of the decade above. The most popular decade of a family
    has nothing above it and is left out.

    Args:
        points: of `hallucination.accuracy_by_popularity`, at `family` and `decade`, each with its tally.
        rng: source of the posterior draws.

    Returns:
        1 − error after / error before, averaged over families' decades alike: the posterior's median and interval under
        independent Jeffreys priors; None where no family has two adjacent decades, or nothing was answered wrongly.

    >>> from hardlimit.core import Tally
    >>> from hardlimit.stats import estimate
    >>> points = [
    ...     Point(at={"family": "city", "decade": d}, estimate=estimate(r, 100), tally=Tally(right=r, wrong=100 - r))
    ...     for d, r in ((4, 20), (5, 40), (6, 60))
    ... ]
    >>> removed = error_removed(points, np.random.default_rng(0))
    >>> round(removed.value, 2), removed.n
    (0.28, 300)
    """
    cells = {(str(p.at["family"]), int(p.at["decade"])): p.tally for p in points if p.tally is not None and p.tally.n}
    steps = [(key, (key[0], key[1] + 1)) for key in sorted(cells) if (key[0], key[1] + 1) in cells]
    if not steps:
        return None
    names = sorted(cells)
    right = np.array([cells[name].right for name in names])
    total = np.array([cells[name].n for name in names])
    draws = rng.beta(right + 0.5, total - right + 0.5, size=(DRAWS, len(names)))
    now = [names.index(low) for low, _ in steps]
    then = [names.index(high) for _, high in steps]
    removed = 1 - (1 - draws[:, then]).sum(axis=1) / (1 - draws[:, now]).sum(axis=1)
    low, middle, high = np.quantile(removed, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    if (right == total)[now].all():
        return None
    interval = Interval(low=float(low), high=float(high), level=LEVEL, method="posterior, Jeffreys prior")
    return Estimate(value=float(middle), interval=interval, n=int(total.sum()))


def judge(gain: Estimate | None, *, margin: float = MARGIN) -> Verdict:
    """Judge a gain by its interval: decided only where the whole interval lies on one side of the margin.

    Args:
        gain: of the next step of a resource; larger is better, 0 is no change.
        margin: the least gain that counts as help, in the gain's unit, > 0.

    Returns:
        HELPS above the margin, HURTS below minus the margin, CANNOT_PROGRESS inside, UNDETERMINED where the interval
        crosses a line or there is none.

    >>> def gain(low, high):
    ...     interval = Interval(low=low, high=high, level=0.9, method="x")
    ...     return Estimate(value=(low + high) / 2, interval=interval, n=9)
    >>> [str(judge(gain(*ends))) for ends in ((0.12, 0.3), (-0.05, 0.05), (-0.4, -0.2), (0.0, 0.2))]
    ['HELPS', 'CANNOT_PROGRESS', 'HURTS', 'UNDETERMINED']
    """
    if gain is None or gain.interval.low is None or gain.interval.high is None:
        return Verdict.UNDETERMINED
    low, high = gain.interval.low, gain.interval.high
    if low > margin:
        return Verdict.HELPS
    if high < -margin:
        return Verdict.HURTS
    if -margin < low and high < margin:
        return Verdict.CANNOT_PROGRESS
    return Verdict.UNDETERMINED


def percent(estimate: Estimate) -> str:
    """Write a share with its interval and n.

    >>> percent(Estimate(value=0.5, interval=Interval(low=0.25, high=0.75, level=0.95, method="x"), n=12))
    '50 % (25–75 %, n = 12)'
    """
    return f"{100 * estimate.value:.0f} % ({spread(estimate.interval, 100, ' %')}, n = {estimate.n:,})"


def spread(interval: Interval, factor: float = 1.0, unit: str = "") -> str:
    """Write an interval; an open side is said in words.

    >>> spread(Interval(low=512.0, high=None, level=0.95, method="x"), unit=" tokens")
    'at least 512 tokens'
    """
    low = None if interval.low is None else f"{factor * interval.low:,.0f}"
    high = None if interval.high is None else f"{factor * interval.high:,.0f}"
    if low is not None and high is not None:
        joint = " to " if low.startswith("-") or high.startswith("-") else "–"
        return f"{low}{joint}{high}{unit}"
    if low is not None:
        return f"at least {low}{unit}"
    return f"at most {high}{unit}" if high is not None else "not bounded by the data"


def by_name(measurements: Sequence[Measurement]) -> Mapping[str, Measurement]:
    """Look measurements up by name."""
    return {measurement.name: measurement for measurement in measurements}
