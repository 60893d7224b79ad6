"""Verdicts for one curve, and for many at once with the errors of the whole table controlled."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from hardlimit.core import Estimate, InsufficientDataError, Interval, InvalidValueError, Value, Verdict
from hardlimit.scaling.curve import Curve, ScalePoint
from hardlimit.scaling.nested import FUNCTIONALS, Best, Bundle, Functional
from hardlimit.scaling.noise import Noise, bundle_of, fitted_log, own_noise, pooled_noise, sampling_noise, weighted
from hardlimit.scaling.verdict import ORDER, Judged, Rule, ScalingVerdict, judge
from hardlimit.scaling.words import because, floor_says, notes_on
from hardlimit.stats import benjamini_hochberg, holm

NoiseChoice: TypeAlias = Literal["auto", "own", "pooled", "sampling"]
IDENTIFIABLE = 0.9
"""Smallest exponent × decades at which a floor can be told from a slow power law: the reducible part falls ~8-fold."""

_ENOUGH_TO_POOL = 8


class TaskVerdict(Value, frozen=True):
    """One verdict of a table, corrected for the number of tasks.

    Args:
        scaling: the verdict of this curve by itself.
        p_value: of the opposite of its most plausible verdict.
        holm: adjusted so that any false verdict in the table is unlikely.
        false_share: adjusted (Benjamini–Hochberg) so that few of the table's verdicts are false.
        corrected: the verdict that stands after the correction asked for.
    """

    scaling: ScalingVerdict
    p_value: float
    holm: float
    false_share: float
    corrected: Verdict


def verdict(curve: Curve, rule: Rule | None = None, *, noise: NoiseChoice = "own") -> ScalingVerdict:
    """Say what the next factor of the resource does to one curve.

    Args:
        curve: at least 4 scales; with 3 the verdict is UNDETERMINED unless the sampling noise is taken as all noise.
        rule: margins and level.
        noise: `own` residuals; `sampling` takes counts or standard errors as the only noise.

    Raises:
        InsufficientDataError: fewer than 3 scales.

    >>> import numpy as np
    >>> x = np.geomspace(1e7, 1e10, 8)
    >>> verdict(Curve.of(list(x), list(3 * (x / 1e7) ** -0.1))).verdict
    <Verdict.HELPS: 'HELPS'>
    """
    return verdicts([curve], rule, noise="own" if noise == "auto" else noise)[0].scaling


def verdicts(
    curves: Sequence[Curve],
    rule: Rule | None = None,
    *,
    noise: NoiseChoice = "auto",
    correct: Literal["none", "holm", "bh"] = "bh",
) -> tuple[TaskVerdict, ...]:
    """Say for every curve of a table what the next factor of the resource does.

    Args:
        curves: the curves, in any order.
        rule: margins and level.
        noise: `own` residuals of each curve, `pooled` over the table (moderated variances), `sampling`, or `auto`:
            pooled from 8 curves on.
        correct: which error of the table is kept at 1 − level: `holm` any false verdict, `bh` the share of false ones.

    Raises:
        InsufficientDataError: no curve, or one of fewer than 3 scales.
    """
    rule = rule or Rule()
    if not curves:
        raise InsufficientDataError("There is no curve to judge; give at least one.")
    bundle, best = bundle_of(curves, kappa=rule.kappa)
    if noise == "auto":
        noise = "pooled" if len(curves) >= _ENOUGH_TO_POOL else "own"
    known = _noise(curves, bundle, best, noise)
    judged = judge(bundle, best, known, rule)
    level = np.exp(fitted_log(bundle, best))
    made = [
        _verdict(curve, row, rule, best, known, judged, float(level[row, len(curve.points) - 1]))
        for row, curve in enumerate(curves)
    ]
    p = [_p_value(judged, row) for row in range(len(curves))]
    stepped, share = holm(p), benjamini_hochberg(p)
    limit = {"none": np.zeros(len(p)), "holm": stepped, "bh": share}[correct]
    return tuple(
        TaskVerdict(
            scaling=one,
            p_value=p[row],
            holm=float(stepped[row]),
            false_share=float(share[row]),
            corrected=one.verdict if limit[row] < 1 - rule.level else Verdict.UNDETERMINED,
        )
        for row, one in enumerate(made)
    )


def _noise(curves: Sequence[Curve], bundle: Bundle, best: Best, choice: NoiseChoice) -> Noise:
    if choice == "sampling":
        return sampling_noise(curves)
    own = own_noise(bundle, best)
    if choice == "own":
        return own
    return pooled_noise(own, ["weighted" if weighted(curve) else "plain" for curve in curves])


def _p_value(judged: Judged, row: int) -> float:
    """Of the verdict reached, or of the most plausible one where none was."""
    reached = int(judged.before_veto[row])
    return float(judged.p[row, reached] if reached >= 0 else judged.p[row].min())


def _verdict(
    curve: Curve, row: int, rule: Rule, best: Best, noise: Noise, judged: Judged, at_largest: float
) -> ScalingVerdict:
    index, before = int(judged.verdict[row]), int(judged.before_veto[row])
    reached = Verdict.UNDETERMINED if index < 0 else ORDER[index]
    vetoed = ORDER[before] if index < 0 <= before else None
    exponent = float(best.exponent[row])
    known = bool(noise.freedom[row] > 0)
    gains = {name: _estimate(judged, name, row, curve, rule, known=known) for name in FUNCTIONALS}
    so_far, floor = gains["gain_so_far"], gains["floor_fraction"]
    changed = so_far.interval.low is not None and so_far.interval.low > 0
    identifiable = changed and exponent * curve.decades >= IDENTIFIABLE and known
    variance = float(noise.variance[row])
    spread = float(np.sqrt(variance * _unit_variance(curve, at_largest)))
    return ScalingVerdict(
        task=curve.task,
        metric=curve.metric,
        resource=curve.resource,
        kappa=rule.kappa,
        verdict=reached,
        because=because(reached, vetoed, so_far, gains["next_gain"], rule, curve, has_noise=known),
        gain_so_far=so_far,
        next_gain=gains["next_gain"],
        floor_fraction=floor if identifiable else None,
        floor_says=floor_says(floor if identifiable else None, exponent * curve.decades, changed=changed),
        exponent=exponent,
        reducible=1.0 - floor.value,
        level_at_largest=at_largest,
        decades=curve.decades,
        noise=spread,
        noise_source=noise.source if known else "unknown",
        noise_factor=variance,
        noise_freedom=float(noise.freedom[row]) if np.isfinite(noise.freedom[row]) else None,
        p_values={str(one): float(p) for one, p in zip(ORDER, judged.p[row], strict=True)},
        vetoed=vetoed,
        notes=notes_on(curve, noise.source, float(best.sse[row]), variance, float(noise.freedom[row])),
        curve=curve,
    )


def _unit_variance(curve: Curve, loss: float) -> float:
    """Variance of ln(loss) at the largest scale for a noise factor of 1."""
    if not weighted(curve):
        return 1.0
    items, errors = curve.items, curve.stderrs
    if curve.fraction and items is not None:
        share = min(max(curve.best - loss if curve.better == "higher" else loss, 1e-6), 1 - 1e-6)
        return float(share * (1 - share) / (items[-1] * loss**2))
    return float((errors[-1] / curve.losses[-1]) ** 2) if errors is not None else 1.0


def _estimate(judged: Judged, name: Functional, row: int, curve: Curve, rule: Rule, *, known: bool) -> Estimate:
    low, high = (float(end[row]) for end in judged.ends[name])
    value = float(judged.value[name][row])
    interval = Interval(
        low=min(low, value) if known else None,
        high=max(high, value) if known else None,
        level=2 * rule.level - 1,
        method="profile likelihood",
    )
    return Estimate(value=value, interval=interval, n=len(curve.points))


def pooled_by_subject(curves: Sequence[Curve], *, at_least: int = 3) -> tuple[Curve, ...]:
    """One curve per subject and metric: all items of its tasks together, scale by scale.

    Tasks that are too small to decide by themselves decide together. Only shares of counted items can be added, and
    only over tasks measured at the same scales.

    Args:
        curves: the table.
        at_least: tasks that make a subject worth pooling.

    >>> points = lambda n: tuple(ScalePoint(scale=x, value=0.5, n=n) for x in (1.0, 2.0, 4.0))
    >>> tasks = [Curve(task=f"a{i}", metric="acc", subject="a", points=points(10)) for i in range(3)]
    >>> pooled_by_subject(tasks)[0].points[0].n
    30
    """
    if at_least < 2:
        raise InvalidValueError(f"Pooling needs at least 2 tasks, got at_least={at_least}.")
    groups: dict[tuple[object, ...], list[Curve]] = defaultdict(list)
    for curve in curves:
        if curve.fraction and curve.items is not None and curve.subject and not curve.apart:
            key = (curve.subject, curve.metric, curve.better, curve.best, tuple(curve.scales.tolist()))
            groups[key].append(curve)
    made = []
    for members in groups.values():
        if len(members) < at_least:
            continue
        first = members[0]
        points = []
        for place, point in enumerate(first.points):
            counts = [curve.points[place].n or 0 for curve in members]
            right = sum(count * curve.points[place].value for count, curve in zip(counts, members, strict=True))
            points.append(ScalePoint(scale=point.scale, value=right / sum(counts), n=sum(counts), model=point.model))
        chances = {curve.chance for curve in members}
        made.append(
            Curve(
                task=f"{first.subject} ({len(members)} tasks)",
                metric=first.metric,
                points=tuple(points),
                resource=first.resource,
                better=first.better,
                fraction=True,
                best=first.best,
                chance=chances.pop() if len(chances) == 1 else None,
                subject=first.subject,
                family=first.family,
            )
        )
    return tuple(made)
