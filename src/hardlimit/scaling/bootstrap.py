"""Bootstrap intervals of the gains: a cross-check of the profile likelihood, all replicates fitted at once."""

from typing import Literal

import numpy as np

from hardlimit.core import InsufficientDataError, Interval, InvalidValueError
from hardlimit.scaling.curve import Curve
from hardlimit.scaling.nested import FUNCTIONALS, Bundle, Functional, functionals, minimise
from hardlimit.scaling.noise import bundle_of, fitted_log, own_noise
from hardlimit.scaling.verdict import Rule


def bootstrap_gains(
    curve: Curve,
    *,
    rng: np.random.Generator,
    rule: Rule | None = None,
    replicates: int = 1000,
    kind: Literal["parametric", "residual"] = "parametric",
) -> dict[Functional, Interval]:
    """Percentile intervals of the gains and of the floor fraction.

    The parametric kind draws Gaussian errors, their variance too drawn as few residuals leave it open. The residual
    kind resamples the residuals, scaled up to the size of errors; it is here to be compared with and not to be used:
    its intervals are too short.

    Args:
        curve: at least 4 scales.
        rng: source of randomness.
        rule: for the next factor, and the level: each end is one-sided at it, as the profile's are.
        replicates: how many.
        kind: `parametric`, or `residual`.

    Raises:
        InsufficientDataError: fewer than 4 scales.

    >>> curve = Curve.of([1.0, 10.0, 100.0, 1000.0, 10000.0], [8.0, 4.1, 2.0, 1.0, 0.49])
    >>> made = bootstrap_gains(curve, rng=np.random.default_rng(0), replicates=200)["next_gain"]
    >>> made.low < 0.5 < made.high
    True
    """
    rule = rule or Rule()
    count = len(curve.points)
    if count < 4:
        raise InsufficientDataError(
            f"{curve.task}/{curve.metric} has {count} scales; a bootstrap needs at least 4 to know its noise."
        )
    if replicates < 20:
        raise InvalidValueError(f"Percentiles need at least 20 replicates, got {replicates}.")
    bundle, best = bundle_of([curve], kappa=rule.kappa)
    fitted = fitted_log(bundle, best)[0]
    root = np.sqrt(bundle.weight[0])
    if kind == "parametric":
        spread = np.sqrt(own_noise(bundle, best).variance[0] * (count - 3) / rng.chisquare(count - 3, replicates))
        errors = spread[:, None] * rng.normal(size=(replicates, count))
    else:
        scaled = root * (bundle.log_y[0] - fitted) * np.sqrt(count / (count - 3))
        errors = rng.choice(scaled - scaled.mean(), (replicates, count))
    log_y = fitted + errors / root
    many = Bundle(
        np.broadcast_to(bundle.below, log_y.shape), log_y, np.broadcast_to(bundle.weight, log_y.shape), rule.kappa
    )
    ends = minimise(many)
    values = functionals(many, ends.exponent[:, None], ends.change[:, None])
    tails = [1 - rule.level, rule.level]
    return {
        name: Interval(
            low=float(low),
            high=float(high),
            level=2 * rule.level - 1,
            method=f"{kind} bootstrap, {replicates} replicates",
        )
        for name in FUNCTIONALS
        for low, high in [np.quantile(values[name][:, 0], tails)]
    }
