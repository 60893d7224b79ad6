"""Findings about retrieval: break-even recall, the reader's curve, the ranking law and drift beside this model."""

import msgspec
import numpy as np

from hardlimit.audit.retrieval.asking import KS, PASSAGES, SIZES, Trials
from hardlimit.audit.retrieval.measuring import Found
from hardlimit.core import Bound, Claim, Finding, Measurement, Point, Shape, Standing, stand
from hardlimit.probes.measuring import share, tallied
from hardlimit.probes.retrieval.fits import ReaderCurve
from hardlimit.theory import retrieval as theory

_EDGE = 1e-4
_ISOLATED = 10
"""Passages read one by one whose answers vote, for the certificate."""


def findings(found: Found, trials: Trials) -> tuple[Finding, ...]:
    """Set each claim beside its measurement."""
    made = [*_total_probability(found, trials)]
    for name, curve, reading in (
        ("accuracy_by_passages", found.curve, trials.of("curve")),
        ("own_accuracy_by_passages", found.own_curve, trials.of("own")),
    ):
        measured = found.get(name)
        if measured is not None and curve is not None and reading:
            made += _reader_curve(measured, curve)
    made += _best_number(found)
    made += _ranking(found)
    made += _drift(found)
    return tuple(made)


def _total_probability(found: Found, trials: Trials) -> list[Finding]:
    """Accuracy predicted from recall and the two accuracies of half of the questions, beside that of the other half."""
    there = [item for item in trials.of("curve") if item.case.factors["passages"] == PASSAGES]
    model, check = there[::2], there[1::2]
    groups = {
        sufficient: [item for item in model if item.case.factors["sufficient"] is sufficient]
        for sufficient in (True, False)
    }
    measured = found.get("accuracy_by_passages")
    if measured is None or not all(groups.values()) or not check:
        return []
    with_gold, without = (share(groups[part]).value for part in (True, False))
    recall = float(np.mean([bool(item.case.factors["sufficient"]) for item in check]))
    claim = theory.accuracy_by_recall([recall], with_gold, without)
    right = share(check)
    tally = tallied(check)
    mine = msgspec.structs.replace(
        measured,
        name="retrieval.accuracy_by_recall",
        points=(Point(at={"recall": recall}, estimate=right, tally=tally),),
        estimate=right,
        tally=tally,
        parameters={"a_rel": with_gold, "a_irr": without},
        note=f"Half of the questions with {PASSAGES} retrieved passages; the other half gave a_rel and a_irr.",
    )
    predicted = claim.points[0][1]
    return [
        Finding(
            claim=claim,
            measurement=mine,
            standing=Standing.AGREES if predicted in right.interval else Standing.DISAGREES,
            says=f"With {PASSAGES} passages and recall {100 * recall:.0f} %, the accuracies of one half of the "
            f"questions predict {100 * predicted:.0f} % right for the other half; measured are "
            f"{100 * right.value:.0f} % (n = {right.n}).",
        )
    ]


def _reader_curve(measured: Measurement, curve: ReaderCurve) -> list[Finding]:
    """The fitted curve of RETR-2 beside the measured one.

    The law is taken times the accuracy with the needed passage alone; where the passage is not found, accuracy is what
    was measured without it (RETR-1).
    """
    ks = [int(point.at["passages"]) for point in measured.points]
    law = theory.accuracy_by_passages(sorted({*ks, *range(1, ks[-1] + 1)}), curve.hit, curve.loss)
    scaled = msgspec.structs.replace(
        law,
        points=tuple((k, curve.scale * value + curve.without * (1 - curve.hit) ** k) for k, value in law.points),
        parameters={**law.parameters, "scale": curve.scale, "without": curve.without},
    )
    at = dict(scaled.points)
    inside = [at[float(k)] in point.estimate.interval for k, point in zip(ks, measured.points, strict=True)]
    best = "the more passages, the better"
    if (k := optimum(curve.hit, curve.loss)) is not None:
        low, high = optimum_interval(curve)
        best = f"predicted best at {k:.1f} passages ({low:.1f} to {'no end' if high is None else f'{high:.1f}'})"
    return [
        Finding(
            claim=scaled,
            measurement=measured,
            standing=Standing.AGREES if all(inside) else Standing.DISAGREES,
            says=f"Fitted p = {curve.hit:.2f}, δ = {curve.loss:.3f} "
            f"({curve.loss_interval.low:.3f}–{curve.loss_interval.high:.3f}): {best}; best of those measured: "
            f"{measured.parameters['best']}. The curve passes through {sum(inside)} of {len(inside)} intervals.",
        )
    ]


def optimum(hit: float, loss: float) -> float | None:
    """The best number of passages by the law, None where more always help or none does.

    >>> round(optimum(0.3, 0.03), 1), optimum(0.3, 0.0)
    (7.1, None)
    """
    if loss < _EDGE or hit <= 0:
        return None
    return float(theory.optimal_passages(min(hit, 1 - 1e-9), min(loss, 1 - 1e-9)))


def optimum_interval(curve: ReaderCurve) -> tuple[float, float | None]:
    """Ends of the 95 % interval of the best number of passages; None where it has no upper end."""
    draws = sorted(float("inf") if (k := optimum(hit, loss)) is None else k for hit, loss in curve.draws)
    low, high = (draws[round(share * (len(draws) - 1))] for share in (0.025, 0.975))
    return (float(KS[-1]) if low == float("inf") else low), (None if high == float("inf") else high)


def _best_number(found: Found) -> list[Finding]:
    """The predicted best number of passages beside the measured one."""
    curve, best = found.curve, found.get("best_passages")
    if curve is None or best is None or best.estimate is None or optimum(curve.hit, curve.loss) is None:
        return []
    bound = theory.passage_budget(min(curve.hit, 1 - 1e-9), curve.loss)
    low, high = optimum_interval(curve)
    mine, interval = best.estimate.value, best.estimate.interval
    meet = (high is None or (interval.low or 0.0) <= high) and (interval.high is None or interval.high >= low)
    beyond = bound.value > KS[-1]
    standing = Standing.UNDETERMINED if beyond else Standing.AGREES if meet else Standing.DISAGREES
    return [
        Finding(
            claim=bound,
            measurement=best,
            standing=standing,
            says=f"Predicted best number of passages: {bound.value:.0f} ({low:.1f} to "
            f"{'no end' if high is None else f'{high:.1f}'}); of those measured {mine:.0f} is best "
            f"({interval.low:.0f}–{interval.high:.0f}).",
        )
    ]


def _ranking(found: Found) -> list[Finding]:
    """Recall by corpus size beside the law of normal scores with the fitted gap, for each retriever."""
    recall = found.get("recall_by_corpus")
    if recall is None:
        return []
    made = []
    for retriever in dict.fromkeys(str(point.at["retriever"]) for point in recall.points):
        gap = recall.parameters.get(f"mu.{retriever}")
        points = [p for p in recall.points if p.at["retriever"] == retriever and p.at["k"] == 1]
        if gap is None or len(points) < 2:
            continue
        sizes = [int(point.at["documents"]) for point in points]
        law = theory.recall_by_corpus([size - 1 for size in sizes], float(gap), 1)
        law = msgspec.structs.replace(
            law, points=tuple((float(size), y) for size, (_, y) in zip(sizes, law.points, strict=True))
        )
        inside = [y in point.estimate.interval for (_, y), point in zip(law.points, points, strict=True)]
        mine = msgspec.structs.replace(recall, points=tuple(points), estimate=points[-1].estimate)
        shown = ", ".join(
            f"{size:,}: {100 * p.estimate.value:.0f} % ({100 * y:.0f} % by the law)"
            for size, p, (_, y) in zip(sizes, points, law.points, strict=True)
        )
        ends = [recall.parameters.get(f"mu.{retriever}_{side}") for side in ("low", "high")]
        bracket = f" ({float(ends[0]):.2f}–{float(ends[1]):.2f})" if None not in ends else ""  # type: ignore[arg-type]
        made.append(
            Finding(
                claim=law,
                measurement=mine,
                standing=Standing.AGREES if all(inside) else Standing.DISAGREES,
                says=f"{retriever}: one gap μ = {float(gap):.2f}{bracket} for all sizes; recall at 1 by documents: "
                f"{shown}."
                + ("" if all(inside) else " The law fails: a few hard distractors outweigh the many easy ones."),
            )
        )
    return made


def _drift(found: Found) -> list[Finding]:
    """Cosine to the original query after several rewritings, beside the worst case of RETR-5."""
    drift = found.get("drift")
    if drift is None or drift.estimate is None or not drift.points:
        return []
    hops = int(drift.points[-1].at["hop"])
    steps = [float(drift.parameters[f"step.{hop}"]) for hop in range(1, hops + 1)]
    bound = theory.drift_floor(float(np.clip(np.cos(np.mean(np.arccos(np.clip(steps, -1, 1)))), -1, 1)), hops)
    return [
        Finding(
            claim=bound,
            measurement=drift,
            standing=stand(bound, drift),
            says=f"After {hops} rewritings the cosine to the original query is {drift.estimate.value:.2f}; independent "
            f"directions would give {float(drift.parameters[f'product.{hops}']):.2f}, turns that all add up "
            f"{bound.value:.2f}.",
        )
    ]


def claims(found: Found) -> tuple[Claim, ...]:
    """Claims without a measurement of the same quantity: break-even, width, entry of planted texts, certified votes."""
    made: list[Bound | Shape] = []
    even = found.get("break_even")
    if even is not None and float(even.parameters["a_rel"]) > float(even.parameters["a_irr"]):
        made.append(theory.recall_needed(*(float(even.parameters[name]) for name in ("a0", "a_irr", "a_rel"))))
    recall = found.get("recall_by_corpus")
    if recall is not None:
        documents = max(int(point.at["documents"]) for point in recall.points)
        made.append(theory.sufficient_width(documents, PASSAGES))
        margin = found.get("margin")
        if margin is not None:
            width = max(int(point.at["dimensions"]) for point in margin.points)
            made.append(theory.entry_by_corpus([float(size) for size in SIZES], PASSAGES, width))
    alone = reads_alone(found)
    if alone is not None and alone > 0.5:
        votes = round(_ISOLATED * alone)
        made.append(theory.certificate(votes, _ISOLATED - votes))
    return tuple(made)


def reads_alone(found: Found) -> float | None:
    """Accuracy with the needed passage alone: of the fitted curve, else with the one passage of the control."""
    if found.curve is not None:
        return found.curve.scale
    alone = (
        control.estimate.value
        for measurement in found.measurements.values()
        for control in measurement.controls
        if control.name == "trivial" and control.estimate is not None
    )
    return next(alone, None)


def certified(found: Found, replacements: int = 2) -> float | None:
    """Chance that ten clean passages read one by one outvote so many replaced ones."""
    alone = reads_alone(found)
    return None if alone is None else theory.certified_chance(_ISOLATED, alone, replacements)


def order(found: Found) -> tuple[tuple[int, ...], float, float] | None:
    """Where to put the passages of each rank, the accuracy that gives, and that of the order by rank.

    The chance that the needed passage has each rank comes from BM25's recall, the profile from the positions.
    """
    profile, recall = found.get("accuracy_by_position"), found.get("recall_by_corpus")
    ranked = found.get("accuracy_by_passages")
    if profile is None or recall is None or ranked is None or "p" not in ranked.parameters:
        return None
    shares = [point.estimate.value for point in profile.points]
    hit = float(ranked.parameters["p"])
    chances = [hit * (1 - hit) ** rank for rank in range(len(shares))]
    best, value = theory.best_order(shares, chances)
    return best, value, float(np.dot(shares, chances))
