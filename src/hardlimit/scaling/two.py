"""Two resources at once: y = E + A N^−α + B D^−β, and a verdict about the next factor of each, the other held fixed."""

from collections.abc import Sequence

import numpy as np

from hardlimit.core import Estimate, InsufficientDataError, Interval, InvalidValueError, Resource, Value, Verdict
from hardlimit.scaling.fitting import Fit, bootstrap_law, fit_law
from hardlimit.scaling.nested import Floats
from hardlimit.scaling.verdict import Rule, by_margins
from hardlimit.scaling.words import percent, span


class Run(Value, frozen=True):
    """One finished training run of a grid.

    Args:
        parameters: model size, > 0.
        data: training tokens, > 0.
        loss: what came out, > 0; for an accuracy its distance to the best possible value.
    """

    parameters: float
    data: float
    loss: float

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("parameters", "data", "loss"):
            if not getattr(self, name) > 0:
                raise InvalidValueError(f"A run's {name} must be > 0, got {getattr(self, name):g}.")


class ResourceGain(Value, frozen=True):
    """What the next factor of one of the two resources does at the largest run.

    Args:
        resource: which one grows.
        verdict: by the rule's margins.
        gain_so_far: 1 − f(largest)/f(smallest) over the measured range of it, the other at its largest.
        next_gain: 1 − f(κ × largest)/f(largest), the other at its largest.
        because: one sentence with the numbers.
    """

    resource: Resource
    verdict: Verdict
    gain_so_far: Estimate
    next_gain: Estimate
    because: str


class TwoResources(Value, frozen=True):
    """A joint fit with one verdict per resource.

    Args:
        fit: the law with its constants and intervals.
        parameters: verdict about more parameters.
        data: verdict about more training data.
        both: next gain when both grow by κ.
    """

    fit: Fit
    parameters: ResourceGain
    data: ResourceGain
    both: Estimate


def two_resources(
    runs: Sequence[Run],
    rule: Rule | None = None,
    *,
    rng: np.random.Generator,
    replicates: int = 1000,
) -> TwoResources:
    """Fit both resources together and say of each what its next factor does while the other stays.

    Intervals are percentiles of the parametric bootstrap, whose noise is itself drawn as the residuals leave it open.

    Args:
        runs: finished runs, 7 or more, at 3 sizes and 3 amounts of data or more, none a checkpoint of another.
        rule: margins, level and the next factor.
        rng: source of the starts and of the bootstrap.
        replicates: of the bootstrap.

    Raises:
        InsufficientDataError: too few runs, or a resource with fewer than 3 amounts.
        InvalidValueError: the two resources grow in step, so that nothing tells them apart.

    >>> runs = [Run(parameters=n, data=d, loss=1 + 40 * n**-0.2 + 9e4 * d**-0.6)
    ...         for n in (1e8, 1e9, 1e10) for d in (1e9, 1e10, 1e11)]
    >>> made = two_resources(runs, rng=np.random.default_rng(0), replicates=200)
    >>> made.parameters.verdict, made.data.verdict
    (<Verdict.HELPS: 'HELPS'>, <Verdict.SATURATES: 'SATURATES'>)
    """
    rule = rule or Rule()
    x, y = _checked(runs)
    fit = fit_law("chinchilla", x, y, rng=rng)
    freedom = fit.n - len(fit.free)
    noise = fit.noise * np.sqrt(freedom / rng.chisquare(freedom, replicates))
    drawn = bootstrap_law(fit, x, rng=rng, replicates=replicates, noise=noise)
    best = np.array([list(fit.free.values())])
    logs = np.log(x / np.array(fit.reference))
    low, high, ahead = logs.min(axis=0), logs.max(axis=0), float(np.log(rule.kappa))
    tails = [1 - rule.level, rule.level]

    def gain(start: Floats, end: Floats) -> Estimate:
        values = _gain(drawn, start, end)
        ends = np.quantile(values, tails)
        return Estimate(
            value=float(_gain(best, start, end)[0]),
            interval=Interval(
                low=float(ends[0]),
                high=float(ends[1]),
                level=2 * rule.level - 1,
                method=f"parametric bootstrap, {replicates} replicates",
            ),
            n=fit.n,
        )

    def judged(resource: Resource, place: int) -> ResourceGain:
        step, start = np.zeros(2), high.copy()
        step[place], start[place] = ahead, low[place]
        so_far, more = gain(start, high), gain(high, high + step)
        verdict = by_margins(so_far, more, rule)
        return ResourceGain(
            resource=resource,
            verdict=verdict,
            gain_so_far=so_far,
            next_gain=more,
            because=(
                f"With the other resource at its largest, the loss fell by {span(so_far)} over the measured range of "
                f"{resource}; the next ×{rule.kappa:g} brings {span(more)} (margin {percent(rule.next_gain)})."
            ),
        )

    return TwoResources(
        fit=fit,
        parameters=judged(Resource.PARAMETERS, 0),
        data=judged(Resource.DATA, 1),
        both=gain(high, high + ahead),
    )


def _checked(runs: Sequence[Run]) -> tuple[Floats, Floats]:
    x = np.array([[run.parameters, run.data] for run in runs]).reshape(-1, 2)
    for place, name in enumerate(("sizes", "amounts of data")):
        amounts = np.unique(x[:, place]).size
        if amounts < 3:
            raise InsufficientDataError(
                f"The runs have {amounts} different {name}; the law of two resources needs at least 3 of each."
            )
    if len(runs) < 7:
        raise InsufficientDataError(f"{len(runs)} runs leave no noise to judge 5 constants by; give at least 7.")
    logs = np.log(x)
    if abs(float(np.corrcoef(logs.T)[0, 1])) > 0.999:
        raise InvalidValueError(
            "Parameters and data grow in step in these runs (correlation of their logarithms above 0.999), so nothing "
            "tells them apart. Add runs of one size on other amounts of data, or judge them as one resource."
        )
    return x, np.array([run.loss for run in runs])


def _gain(theta: Floats, start: Floats, end: Floats) -> Floats:
    """1 − f(end)/f(start) for rows of (ln E, ln A, ln α, ln B, ln β)."""

    def log_loss(at: Floats) -> Floats:
        alpha, beta = np.exp(np.clip(theta[:, 2], -30, 5)), np.exp(np.clip(theta[:, 4], -30, 5))
        value: Floats = np.logaddexp(theta[:, 0], np.logaddexp(theta[:, 1] - alpha * at[0], theta[:, 3] - beta * at[1]))
        return value

    gain: Floats = -np.expm1(log_loss(end) - log_loss(start))
    return gain
