"""From rows of the dominance experiment to numbers: turning points, learning times, strengths, and verdicts."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hardlimit.core import Estimate, Interval, Resource, ResourceVerdict, Scalar, Standing, Verdict
from hardlimit.lab.experiment import Row, column, mean, values, where
from hardlimit.lab.worlds.channels import COLOURS, DIETS, RATIOS, Scenes
from hardlimit.theory.multimodal import atypical_posterior, ratio_needed

SLACK = 1.5
"""Pictures differ by factors of 2 in likelihood ratio: even a Bayesian's turning point is read off by up to √2."""

TOO_WIDE = 8.0
"""A turning point whose interval spans more than this factor says nothing."""

HALF = 0.75
"""A channel is half learned when its answers are half way from a coin to always following it."""

RIVAL = 0.99
"""Prior of the caption at which rebalancing is tried."""

LONGER = 4
"""How many times the training of the others the longer one is."""

NARROW, BROAD = 32, 64

NO_GAIN = 0.05
"""A change below this share of answers counts as none where theory expects none."""

NATURAL, DROPPED, TWINS = DIETS
LONG, WIDE = f"natural, {LONGER} times the tokens", f"natural, width {BROAD}"

REBALANCED = {
    TWINS: "counterfactual twins for half of the sequences, at equal tokens",
    DROPPED: "captions that tell no colour in half of the sequences, at equal tokens",
}


class Learned(NamedTuple):
    """When each seed had half learned a channel, and how many never had."""

    name: str
    strength: float
    steps: list[float]
    never: int


def turning(rows: Sequence[Row]) -> Estimate:
    """Likelihood ratio from which half of the answers are as seen: geometric mean over seeds.

    >>> shares = (0, 0, 0, 0, 25, 75, 100, 100, 100, 100)
    >>> rows = [{"seed": s, "ratio": r, "right": x, "n": 100} for s in (0, 1) for r, x in zip(RATIOS, shares)]
    >>> round(turning(rows).value, 2)
    22.63
    """
    found = []
    for seed in values(rows, "seed"):
        own = sorted(where(rows, seed=seed), key=lambda row: float(row["ratio"]))
        places, shares = np.log(column(own, "ratio")), column(own, "right") / column(own, "n")
        found.append(math.exp(crossing(places.tolist(), shares.tolist(), 0.5)))
    return geometric(found)


def learned(rows: Sequence[Row], channel: str) -> float:
    """Step at which one model's answers first follow a channel half way, read between looks; at most the last step.

    >>> learned([{"step": 10, "caption": 0.5}, {"step": 20, "caption": 1.0}], "caption")
    15.0
    """
    return crossing([0.0, *column(rows, "step")], [0.5, *column(rows, channel)], HALF)


def crossing(places: Sequence[float], shares: Sequence[float], line: float) -> float:
    """Place at which shares first reach a line, read off a straight line between two; the first or last beyond them.

    >>> crossing([1, 2, 3], [0.0, 0.4, 0.6], 0.5), crossing([1, 2], [0.6, 0.4], 0.5), crossing([1, 2], [0, 0], 0.5)
    (2.5, 1.0, 2.0)
    """
    reached = np.flatnonzero(np.asarray(shares) >= line)
    if not reached.size or reached[0] == 0:
        return float(places[0 if reached.size else -1])
    at = int(reached[0])
    part = (line - shares[at - 1]) / (shares[at] - shares[at - 1])
    return float(places[at - 1] + part * (places[at] - places[at - 1]))


def geometric(numbers: Sequence[float]) -> Estimate:
    """Geometric mean, with Student's interval on the logarithm.

    >>> round(geometric([2.0, 8.0]).value, 6)
    4.0
    """
    logs = mean(np.log(numbers))
    low, high = (None if end is None else math.exp(end) for end in (logs.interval.low, logs.interval.high))
    interval = Interval(low=low, high=high, level=logs.interval.level, method="student t on the logarithm")
    return Estimate(value=math.exp(logs.value), interval=interval, n=logs.n)


def beside(turn: Estimate, floor: float) -> Standing:
    """How a turning point stands to the evidence that Bayes' rule needs, within what the ratios can resolve."""
    low, high = ends(turn)
    if high < floor / SLACK:
        return Standing.BEYOND_BOUND
    if low > floor * SLACK:
        return Standing.CLEAR_OF_BOUND
    return Standing.UNDETERMINED if high > TOO_WIDE * low else Standing.AT_BOUND


def posterior_gap(rows: Sequence[Row]) -> float:
    """Largest difference, over likelihood ratios, of the mean chance given to the colour shown and Bayes' chance.

    >>> rows = [{"prior": 0.9, "ratio": 9, "chance": 0.3}, {"prior": 0.9, "ratio": 1, "chance": 0.1}]
    >>> round(posterior_gap(rows), 6)
    0.2
    """
    gaps = []
    for ratio in values(rows, "ratio"):
        there = where(rows, ratio=ratio)
        bayes = float(atypical_posterior(float(there[0]["prior"]), float(ratio)))
        gaps.append(abs(float(column(there, "chance").mean()) - bayes))
    return max(gaps)


def strengths(prior: float) -> tuple[float, float]:
    """Strengths of the picture's and of the caption's mode in MM-5: norm of the correlation of tokens and answer.

    Each token stands for the object asked for with a chance of one in the channel's tokens, and then correlates with
    the answer by 2r − 1, r being the chance that it is right.

    >>> [round(strength, 4) for strength in strengths(0.97)]
    [0.0743, 0.2714]
    """
    ratios = np.array(RATIOS, dtype=float)
    seen, said = (ratios - 1) / (ratios + 1), np.array([2 * prior - 1])
    words = Scenes(prior).shapes * COLOURS
    picture, caption = (float(np.sqrt(np.square(part).mean() / (words * part.size))) for part in (seen, said))
    return picture, caption


def divergence(prior: float) -> float:
    """Smaller of the two divergences, in nats, between captions right with a chance and captions that are coins.

    >>> round(divergence(0.99), 4)
    0.6371
    """
    chances = np.array([prior, 1 - prior])
    return float(min((chances * np.log(2 * chances)).sum(), (-np.log(2 * chances)).sum() / 2))


def accuracy_at(rows: Sequence[Row], true: float) -> list[float]:
    """Each seed's accuracy where so large a share of the captions is true, from its accuracies at both ends.

    >>> rows = [{"seed": 0, "caption": caption, "right": r, "n": 10} for caption, r in (("true", 10), ("false", 5))]
    >>> accuracy_at(rows, 0.5)
    [0.75]
    """
    accuracy = {(row["seed"], row["caption"]): float(row["right"]) / float(row["n"]) for row in rows}
    return [true * accuracy[seed, "true"] + (1 - true) * accuracy[seed, "false"] for seed in values(rows, "seed")]


def paired(one: Sequence[Row], other: Sequence[Row]) -> Estimate:
    """Mean over seeds of the difference of two shares."""
    shares = [{row["seed"]: float(row["right"]) / float(row["n"]) for row in rows} for rows in (one, other)]
    return mean([shares[0][seed] - shares[1][seed] for seed in shares[0]])


def ends(estimate: Estimate) -> tuple[float, float]:
    """Ends of an interval; an open one ends at its value."""
    low, high = estimate.interval.low, estimate.interval.high
    return estimate.value if low is None else low, estimate.value if high is None else high


def told(estimate: Estimate, form: str = ".3g") -> str:
    """A number with its interval.

    >>> told(mean([1.0, 1.0]))
    '1 (1 to 1)'
    """
    low, high = ends(estimate)
    return f"{estimate.value:{form}} ({low:{form}} to {high:{form}})"


def in_points(estimate: Estimate) -> str:
    """A difference of shares in points, with its interval.

    >>> in_points(mean([0.1, 0.1]))
    '+10.0 points (+10.0 to +10.0)'
    """
    low, high = (100 * end for end in ends(estimate))
    return f"{100 * estimate.value:+.1f} points ({low:+.1f} to {high:+.1f})"


def bounded(estimate: Estimate) -> Estimate:
    """A share whose interval ends where shares do.

    >>> bounded(mean([0.9, 1.0])).interval.high
    1.0
    """
    low, high = (min(max(end, 0.0), 1.0) for end in ends(estimate))
    value = min(max(estimate.value, 0.0), 1.0)
    interval = Interval(low=low, high=high, level=estimate.interval.level, method=estimate.interval.method)
    return Estimate(value=value, interval=interval, n=estimate.n)


def ranged(name: str, estimate: Estimate) -> dict[str, Scalar]:
    """An estimate as parameters of a measurement: value, low, high."""
    low, high = ends(estimate)
    return {name: round(estimate.value, 4), f"{name}_low": round(low, 4), f"{name}_high": round(high, 4)}


def gradient_share(row: Row) -> float:
    """The caption's share of the gradient in one look.

    >>> gradient_share({"gradient_caption": 3.0, "gradient_picture": 1.0})
    0.75
    """
    caption, picture = float(row["gradient_caption"]), float(row["gradient_picture"])
    return caption / (caption + picture) if caption + picture else 0.5


def by_seed(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each seed."""
    return [where(rows, seed=seed) for seed in values(rows, "seed")]


def between(rows: Sequence[Row], low: float, high: float) -> list[Row]:
    """Looks from one share of the training to another.

    >>> [row["step"] for row in between([{"step": step} for step in (1, 5, 10, 100)], 0.02, 0.1)]
    [5, 10]
    """
    last = float(column(rows, "step").max())
    return [row for row in rows if low * last <= float(row["step"]) <= high * last]


EARLY, LATE = (0.02, 0.1), (0.75, 1.0)
"""Shares of the training between which looks count as early, and as late."""


def early_gradient(rows: Sequence[Row]) -> float:
    """Mean gradient that reaches the picture of one model early on."""
    return float(column(between(rows, *EARLY), "gradient_picture").mean())


def phases(rows: Sequence[Row]) -> tuple[Estimate, Estimate]:
    """The column `share`, early and late: mean over looks, then over seeds."""
    early, late = (
        mean([float(column(own, "share").mean()) for own in by_seed(between(rows, *ends_))]) for ends_ in (EARLY, LATE)
    )
    return early, late


def gain(rows: Sequence[Row], model: str) -> tuple[Estimate, Estimate]:
    """What a model changes in accuracy where the caption is false, and where it is true, beside natural training."""
    false, true = (
        paired(where(rows, model=model, caption=caption), where(rows, model=NATURAL, caption=caption))
        for caption in ("false", "true")
    )
    return false, true


def verdicts(rows: Sequence[Row]) -> tuple[ResourceVerdict, ...]:
    """What rebalanced data, sharper pictures, more of the same data, and more weights do."""
    floor = float(ratio_needed(RIVAL))
    below, top = max(ratio for ratio in RATIOS if 2 * ratio <= floor), RATIOS[-1]

    def seen(model: str, ratio: int) -> list[Row]:
        return where(rows, part="flip", model=model, ratio=ratio)

    made = []
    for model, what in REBALANCED.items():
        if where(rows, model=model):
            false, true = gain(rows, model)
            told_ = f"{what}: {in_points(false)} right where the caption is false, {in_points(true)} where it is true."
            made.append(judged(Resource.DATA, false, told_))
    sharper = paired(seen(NATURAL, top), seen(NATURAL, below))
    told_ = f"pictures of a likelihood ratio of {top} instead of {below}, which Bayes' {floor:.0f} lies between: "
    made.append(judged(Resource.RESOLUTION, sharper, told_ + f"{in_points(sharper)} answers as seen."))
    if seen(LONG, top):
        longer = paired(seen(LONG, top), seen(NATURAL, top))
        told_ = f"{LONGER} times the natural sequences: {in_points(longer)} answers as seen at a ratio of {top}."
        made.append(judged(Resource.DATA, longer, told_))
    if seen(WIDE, below):
        under, over = (paired(seen(WIDE, ratio), seen(NATURAL, ratio)) for ratio in (below, top))
        told_ = (
            f"at a ratio of {below}, where Bayes' rule keeps to the caption, width {BROAD} instead of {NARROW} gives "
        )
        told_ += f"{in_points(under)} answers as seen; at {top}, {in_points(over)}."
        made.append(judged(Resource.PARAMETERS, under, told_, still=True))
    return tuple(made)


def judged(resource: Resource, change: Estimate, because: str, *, still: bool = False) -> ResourceVerdict:
    """HELPS or HURTS where the interval of a change leaves zero out; `still` where none is expected, by theory."""
    low, high = ends(change)
    verdict = Verdict.HELPS if low > 0 else Verdict.HURTS if high < 0 else Verdict.UNDETERMINED
    if still and high < NO_GAIN:
        verdict = Verdict.CANNOT_PROGRESS
    basis = "both" if still else "measured"
    return ResourceVerdict(resource=resource, verdict=verdict, because=because, basis=basis, claims=("MM-4", "MM-5"))
