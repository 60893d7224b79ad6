"""Against what is usual: how often an answer follows the picture, and up to which prior."""

from collections.abc import Mapping, Sequence

import numpy as np

from hardlimit.core import (
    Answered,
    Estimate,
    InsufficientDataError,
    Interval,
    Measurement,
    Point,
    Scalar,
    Tally,
    quantity,
)
from hardlimit.probes.measuring import share, tallied
from hardlimit.probes.multimodal.measure import Origin, by_factor
from hardlimit.stats import mean_interval

_EDGE = 1e-6


def flip_rate(answered: Sequence[Answered], priors: Mapping[str, Estimate], origin: Origin) -> Measurement:
    """How often the answer follows an unusual colour, by thing, against how usual the usual colour is to the model.

    Args:
        answered: answers of `Familiar` probes with pictures.
        priors: for each thing, the chance that the model gives to the usual colour before it sees a picture.
        origin: where they come from.

    Returns:
        `multimodal.flip_rate`; points at {"thing", "prior"}. Where rates fall with the prior, the parameters `ratio`,
        `ratio_low` and `ratio_high` are the likelihood ratio of the pictures that would turn at that prior.
    """
    unusual = [item for item in answered if item.case.factors["member"] == 1]
    groups = {str(thing): items for (thing,), items in by_factor(unusual, "thing").items()}
    points = []
    for thing in sorted(groups, key=lambda name: priors[name].value if name in priors else -1.0):
        at: dict[str, Scalar] = {"thing": thing}
        if thing in priors:
            at["prior"] = priors[thing].value
        items = groups[thing]
        points.append(Point(at=at, estimate=share(items), tally=Tally.of(item.grade for item in items)))
    parameters: dict[str, Scalar] = {}
    for thing, prior in priors.items():
        parameters[f"prior.{thing}"] = prior.value
        ends = {"low": prior.interval.low, "high": prior.interval.high}
        parameters |= {f"prior.{thing}_{end}": value for end, value in ends.items() if value is not None}
    turning = turning_prior(points)
    if turning is not None:
        low, middle, high = (np.clip(each, 1e-6, 1 - 1e-6) for each in turning)
        parameters |= {
            "turns_at": float(middle),
            "turns_at_low": float(low),
            "turns_at_high": float(high),
            "ratio": float(middle / (1 - middle)),
            "ratio_low": float(low / (1 - low)),
            "ratio_high": float(high / (1 - high)),
        }
    return origin.measurement(
        "flip_rate",
        quantity.FLIP_RATE,
        tallied(unusual),
        value=share(unusual) if unusual else None,
        points=points,
        parameters=parameters,
        note="A familiar thing is shown in a colour that is not its own. `turns_at` is the prior above which the "
        "answer stays with what is usual.",
    )


def turning_prior(points: Sequence[Point]) -> tuple[float, float, float] | None:
    """Between which priors the answers stop following the picture: last surely followed, middle, first surely not.

    A thing is surely followed where its flip rate's interval lies above one half, surely not where it lies below.

    Returns:
        Low end, middle in odds, high end; None where the priors do not part the two kinds.
    """
    told = [point for point in points if "prior" in point.at]
    above = [float(p.at["prior"]) for p in told if (p.estimate.interval.low or 0.0) > 0.5]
    below = [float(p.at["prior"]) for p in told if (p.estimate.interval.high or 1.0) < 0.5]
    if not above or not below or max(above) >= min(below):
        return None
    low, high = max(above), min(below)
    odds = np.sqrt(low / (1 - low) * high / max(1 - high, 1e-9))
    return low, float(odds / (1 + odds)), high


def prior_of(shares: Sequence[float]) -> Estimate:
    """The chance that the usual colour has without a picture: its mean over wordings, and what another one would give.

    The interval is that of prediction, in log odds: wordings differ by more than their mean is uncertain.

    Args:
        shares: of each wording, in [0, 1].

    Raises:
        InsufficientDataError: fewer than 2 wordings.

    >>> prior = prior_of([0.8, 0.82, 0.78])
    >>> round(prior.value, 2), prior.n, 0.75 in prior.interval, 0.5 in prior.interval
    (0.8, 3, True, False)
    """
    if len(shares) < 2:
        raise InsufficientDataError(f"A prior needs at least 2 wordings of its question, got {len(shares)}.")
    inside = np.clip(np.asarray(shares, float), _EDGE, 1 - _EDGE)
    odds = np.log(inside / (1 - inside))
    mean = mean_interval(odds)
    half = ((mean.high or 0.0) - (mean.low or 0.0)) / 2 * np.sqrt(len(shares) + 1)
    low, high = (float(1 / (1 + np.exp(-(odds.mean() + sign * half)))) for sign in (-1, 1))
    interval = Interval(low=low, high=high, level=mean.level, method="prediction for another wording, log odds")
    return Estimate(value=float(np.mean(inside)), interval=interval, n=len(shares))


def shares_of_usual(scores: Sequence[Sequence[float]], usual: int) -> list[float]:
    """From log-likelihoods of the colours, wording by wording, to the share of the usual one.

    >>> [round(each, 2) for each in shares_of_usual([[0.0, -1.0986]], 0)]
    [0.75]
    """
    table = np.asarray(scores, float)
    shares = np.exp(table - table.max(axis=1, keepdims=True))
    return [float(each) for each in (shares[:, usual] / shares.sum(axis=1))]
