"""Accuracies as counts: a logistic curve in ln x between chance and ceiling, under a beta-binomial likelihood.

p(x) = chance + (best − chance) / (1 + (x/half)^−slope);   right answers at x ~ BetaBinomial(n, p(x), ρ)

The beta-binomial's ρ is the correlation of two answers of one model: what makes a model better or worse than its size
says makes all its answers so. The variance is 1 + (n − 1)ρ times the binomial one; a quasi-binomial's factor, which is
the same at every n, trusts points of large n too much. The three numbers are searched on a grid, so no start can miss
the optimum, and the intervals are profile likelihoods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import special, stats

from hardlimit.core import Estimate, InsufficientDataError, Interval, InvalidValueError, Value, Verdict
from hardlimit.scaling.curve import Curve
from hardlimit.scaling.nested import Floats
from hardlimit.scaling.noise import counted
from hardlimit.scaling.verdict import Rule, by_margins

Likelihood: TypeAlias = Literal["binomial", "beta-binomial"]

_FURTHEST = 9.0
"""Largest logit searched at either end of the range: within 0.012 % of chance or ceiling."""
_COARSE, _FINE = 31, 41
_RHO = (0.0, *np.geomspace(1e-5, 0.3, 20).tolist())


class CountFit(Value, frozen=True):
    """A logistic curve fitted to counts, and what it says of the next factor.

    Args:
        task: the task.
        metric: its metric.
        chance: share that guessing gets right.
        best: best possible share.
        likelihood: how answers scatter.
        kappa: the next factor.
        slope: logits per factor e of scale; negative where more makes it worse.
        half: scale at which the accuracy is half way between chance and best, or None where it lies beyond reach.
        correlation: ρ; 0 where the counts scatter no more than binomials.
        gain_so_far: 1 − loss(x_max)/loss(x_min), the loss being the distance to the best possible share.
        next_gain: 1 − loss(κ x_max)/loss(x_max).
        next_share: share right at the next factor.
        verdict: by the margins of the rule, if the curve is such a one.
        log_likelihood: at the optimum.
    """

    task: str
    metric: str
    chance: float
    best: float
    likelihood: Likelihood
    kappa: float
    slope: float
    half: float | None
    correlation: float
    gain_so_far: Estimate
    next_gain: Estimate
    next_share: Estimate
    verdict: Verdict
    log_likelihood: float


@dataclass(frozen=True)
class _Counts:
    """One curve as counts: ln(x/x_max) scaled to −1…0, right answers, items, and the two ends of its range."""

    along: Floats
    right: Floats
    items: Floats
    chance: float
    best: float

    def log_likelihood(self, first: Floats, last: Floats, rho: Floats) -> Floats:
        """Of shape (curves, rhos) for logits at both ends of the range, up to a constant of the data."""
        logit = last[:, None] + (first - last)[:, None] * -self.along
        share = np.clip(self.chance + (self.best - self.chance) * special.expit(logit), 1e-9, 1 - 1e-9)
        right, wrong = self.right, self.items - self.right
        made = np.empty((first.size, rho.size))
        for place, one in enumerate(rho):
            if one == 0:
                made[:, place] = np.log(share) @ right + np.log1p(-share) @ wrong
                continue
            both = (1 - one) / one
            a, b = share * both, (1 - share) * both
            rise = special.gammaln(right + a) - special.gammaln(a) + special.gammaln(wrong + b) - special.gammaln(b)
            made[:, place] = rise.sum(axis=1) + (special.gammaln(both) - special.gammaln(self.items + both)).sum()
        return made


def fit_counts(
    curve: Curve, rule: Rule | None = None, *, chance: float | None = None, likelihood: Likelihood = "beta-binomial"
) -> CountFit:
    """Fit one counted accuracy between what guessing scores and the best possible share.

    Args:
        curve: a share of items where more is better, at 4 scales or more.
        rule: margins, level and the next factor.
        chance: share that guessing gets right; the curve's own by default.
        likelihood: `beta-binomial`, or `binomial` for answers that are all independent.

    Raises:
        InsufficientDataError: fewer than 4 scales, or no item counts.
        InvalidValueError: no chance level is known, or more of the metric is worse.

    >>> from hardlimit.scaling import ScalePoint
    >>> shares = {1e8: 0.26, 1e9: 0.3, 1e10: 0.44, 1e11: 0.66}
    >>> points = tuple(ScalePoint(scale=x, value=p, n=1000) for x, p in shares.items())
    >>> made = fit_counts(Curve(task="t", metric="acc", points=points, chance=0.25))
    >>> made.verdict, round(made.next_share.value, 2)
    (<Verdict.HELPS: 'HELPS'>, 0.87)
    """
    rule = rule or Rule()
    counts = _counts(curve, chance)
    rho = np.array(_RHO if likelihood == "beta-binomial" else (0.0,))
    first, last, value = _search(counts, rho)
    best = int(value.max(axis=1).argmax())
    top = float(value[best].max())
    # Half the rise that a Gaussian law of as many points with an unknown scatter allows; a known scatter allows less.
    points = counts.items.size
    if likelihood == "beta-binomial":
        fall = points / 2 * np.log1p(float(stats.t.ppf(rule.level, points - 2)) ** 2 / (points - 2))
    else:
        fall = float(stats.norm.ppf(rule.level)) ** 2 / 2
    inside = value.max(axis=1) >= top - fall
    span = float(np.log(curve.scales[-1] / curve.scales[0]))
    ahead = last + (last - first) * np.log(rule.kappa) / span
    so_far, gain = 1 - _loss(last) / _loss(first), 1 - _loss(ahead) / _loss(last)
    share = counts.chance + (counts.best - counts.chance) * special.expit(ahead)
    slope = float(last[best] - first[best]) / span

    def estimate(numbers: Floats) -> Estimate:
        interval = Interval(
            low=float(numbers[inside].min()),
            high=float(numbers[inside].max()),
            level=2 * rule.level - 1,
            method=f"profile likelihood, {likelihood}",
        )
        return Estimate(value=float(numbers[best]), interval=interval, n=points)

    gains = estimate(so_far), estimate(gain)
    return CountFit(
        task=curve.task,
        metric=curve.metric,
        chance=counts.chance,
        best=counts.best,
        likelihood=likelihood,
        kappa=rule.kappa,
        slope=slope,
        half=_half(float(last[best]), slope, float(curve.scales[-1])),
        correlation=float(rho[value[best].argmax()]),
        gain_so_far=gains[0],
        next_gain=gains[1],
        next_share=estimate(share),
        verdict=by_margins(*gains, rule),
        log_likelihood=top,
    )


def _counts(curve: Curve, chance: float | None) -> _Counts:
    chance = curve.chance if chance is None else chance
    name = f"{curve.task}/{curve.metric}"
    if not counted(curve) or curve.items is None:
        raise InsufficientDataError(f"{name} has no number of items behind each value; counts cannot be fitted.")
    if len(curve.points) < 4:
        raise InsufficientDataError(f"{name} has {len(curve.points)} scales; counts need at least 4.")
    if curve.better == "lower":
        raise InvalidValueError(f"Less of {name} is better; counts are fitted to shares of right answers.")
    if chance is None:
        raise InvalidValueError(
            f"What guessing scores on {name} is not known. Say it with --chance '{curve.task}=0.25'."
        )
    if not 0 <= chance < curve.best:
        raise InvalidValueError(f"Chance must lie in [0, {curve.best:g}) on {name}, got {chance:g}.")
    logs = np.log(curve.scales / curve.scales[-1])
    return _Counts(logs / -logs[0], np.round(curve.values * curve.items), curve.items, chance, curve.best)


def _search(counts: _Counts, rho: Floats) -> tuple[Floats, Floats, Floats]:
    """Logits at both ends over a grid, finer where it matters, and the likelihood there for each ρ."""
    ends = np.linspace(-_FURTHEST, _FURTHEST, _COARSE)
    box = [(-_FURTHEST, _FURTHEST)] * 2
    rough = rho[::5]
    for _ in range(2):
        first, last = (axis.ravel() for axis in np.meshgrid(*(np.linspace(*side, _COARSE) for side in box)))
        value = counts.log_likelihood(first, last, rough).max(axis=1)
        near = value >= value.max() - 8.0
        room = [(high - low) / (_COARSE - 1) for low, high in box]
        box = [
            (max(float(axis[near].min()) - step, float(ends[0])), min(float(axis[near].max()) + step, float(ends[-1])))
            for axis, step in zip((first, last), room, strict=True)
        ]
    first, last = (axis.ravel() for axis in np.meshgrid(*(np.linspace(*side, _FINE) for side in box)))
    return first, last, counts.log_likelihood(first, last, rho)


def _loss(logit: Floats) -> Floats:
    """The share still missing, of what lies between chance and the best possible share."""
    missing: Floats = special.expit(-logit)
    return missing


def _half(last: float, slope: float, largest: float) -> float | None:
    """Where the logit is 0, unless that is more than 6 decades off."""
    if slope == 0 or abs(last / slope) > 6 * np.log(10):
        return None
    return float(largest * np.exp(-last / slope))


def fit_all_counts(curves: Sequence[Curve], rule: Rule | None = None) -> tuple[CountFit, ...]:
    """Fit every curve of a table for which that can be done: counted, chance known, 4 scales or more."""
    return tuple(
        fit_counts(curve, rule)
        for curve in curves
        if counted(curve) and curve.better == "higher" and curve.chance is not None and len(curve.points) >= 4
    )
