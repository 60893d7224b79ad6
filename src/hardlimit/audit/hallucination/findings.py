"""Findings about hallucination: the claims of theory beside what this model did."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from hardlimit.audit.hallucination.asking import FAMILIES, Trials
from hardlimit.audit.hallucination.verdicts import THRESHOLD
from hardlimit.core import Finding, Grade, Measurement, Shape, Standing
from hardlimit.probes.hallucination import judging, selective
from hardlimit.probes.hallucination.world import facts
from hardlimit.theory import hallucination as theory


def findings(found: Mapping[str, Measurement], trials: Trials, seed: int) -> tuple[Finding, ...]:
    """Set each claim beside its measurement."""
    return (*_popularity_findings(found), *_missing_mass(found, trials), *_chow_findings(found, trials, seed))


def _popularity_findings(found: Mapping[str, Measurement]) -> list[Finding]:
    """Accuracy by popularity beside the law of k exposures fitted to it, family by family."""
    popularity = found["hallucination.accuracy_by_popularity"]
    made = []
    for family in FAMILIES:
        rate = popularity.parameters.get(f"{family}.exposures_per_unit")
        points = [point for point in popularity.points if point.at["family"] == family]
        if rate is None or len(points) < 2:
            continue
        guess = min(float(popularity.parameters[f"{family}.guess"]), 0.99)
        xs = [float(point.at["popularity"]) for point in points]
        grid = sorted({*xs, *np.geomspace(min(xs), max(xs), 25).tolist()})
        law = theory.accuracy_by_popularity(grid, float(rate), guess=guess)
        inside = [dict(law.points)[x] in point.estimate.interval for x, point in zip(xs, points, strict=True)]
        mine = msgspec.structs.replace(popularity, points=tuple(points), estimate=None)
        made.append(
            Finding(
                claim=law,
                measurement=mine,
                standing=Standing.AGREES if all(inside) else Standing.DISAGREES,
                says=f"{family}: the law of one exposure, fitted to the answers, passes through {sum(inside)} of "
                f"{len(inside)} intervals by popularity; {_half_known(law, xs)}.",
            )
        )
    return made


def _half_known(law: Shape, asked: Sequence[float]) -> str:
    popularity = float(law.parameters["half_known_popularity"])
    if popularity > max(asked):
        return "less than half of the facts are met at any popularity asked"
    return f"half of the facts are met at a popularity of {popularity:,.0f}"


def _missing_mass(found: Mapping[str, Measurement], trials: Trials) -> list[Finding]:
    """The share of questions about facts never met, implied by the exposure law, beside the measured error."""
    rate = found["hallucination.accuracy_by_popularity"].parameters.get("city.exposures_per_unit")
    popularity = np.array([fact.popularity for fact in facts("city")])
    if rate is None:
        return []
    draws = float(rate) * float(popularity.sum())
    claim = theory.missing_mass_by_draws(popularity / popularity.sum(), [draws, 10 * draws])
    (_, now), (_, later) = claim.points
    city = [item for item in trials.facts if item.case.factors["family"] == "city"]
    weights = [float(item.case.factors["popularity"]) for item in city]
    unknown = [float(item.grade is not Grade.RIGHT) for item in city]
    weighted = float(np.average(unknown, weights=weights))
    measured = msgspec.structs.replace(
        found["hallucination.accuracy_by_popularity"],
        name="hallucination.missing_mass",
        quantity=claim.quantity,
        points=(),
        estimate=None,
        parameters={"error_weighted_by_popularity": weighted, "missing_mass": now, "with_ten_times_the_data": later},
        note="Missing mass cannot be seen from outside; it is implied by the exposure law fitted to the answers, and "
        "the share of cities answered wrongly, weighted by population, stands beside it.",
    )
    return [
        Finding(
            claim=claim,
            measurement=measured,
            standing=Standing.UNDETERMINED,
            says=f"If exposures are proportional to population, {100 * now:.0f} % of questions asked in proportion to "
            f"population are about a city never met often enough, and {100 * later:.0f} % with ten times the data; "
            f"{100 * weighted:.0f} % are answered wrongly or not at all.",
        )
    ]


def _chow_findings(found: Mapping[str, Measurement], trials: Trials, seed: int) -> list[Finding]:
    """The score of answering everything and of abstaining, beside Chow's rule."""
    score, accuracy = found["hallucination.score"], found["hallucination.accuracy_by_popularity"].estimate
    if accuracy is None:
        return []
    asked = _of_policy(score, selective.AS_ASKED)
    always = theory.always_answering_by_threshold(accuracy.value, _thresholds(asked))
    # The rule is about answering everything; a model that abstains now and then did something else.
    answered_all = score.tally.right + score.tally.wrong == score.tally.n
    made = [_compared(always, asked, "answering every question", exact=answered_all)]
    for name, confidence in trials.confidence.items():
        chance = selective.cross_calibrated(trials.facts, confidence, seed=seed)
        policy = _of_policy(score, f"abstain below t ({name})")
        if chance is None or not policy.points:
            continue
        given = [float(p) for p, item in zip(chance, trials.facts, strict=True) if judging.judged(item)]
        best = theory.best_score_by_threshold(given, _thresholds(policy))
        share = len(given) / len(trials.facts)
        scaled = msgspec.structs.replace(
            best,
            points=tuple((t, share * value) for t, value in best.points),
            parameters={**best.parameters, "answered_share": share},
        )
        made.append(_compared(scaled, policy, f"abstaining below t by {name}", exact=True))
        break  # the first signal is the one named beforehand; the others are in the chart
    return made


def _of_policy(score: Measurement, policy: str) -> Measurement:
    """The score of one policy alone; its summary is at the threshold of the verdict."""
    points = tuple(point for point in score.points if point.at["policy"] == policy)
    estimate = next((point.estimate for point in points if point.at["t"] == THRESHOLD), None)
    return msgspec.structs.replace(score, points=points, estimate=estimate)


def _thresholds(score: Measurement) -> list[float]:
    return sorted(float(point.at["t"]) for point in score.points)


def _compared(claim: Shape, score: Measurement, what: str, *, exact: bool) -> Finding:
    law, measured = dict(claim.points), {float(point.at["t"]): point.estimate for point in score.points}
    standing = Standing.AGREES if all(law[t] in e.interval for t, e in measured.items()) else Standing.DISAGREES
    said = ", ".join(f"t = {t:g}: {law[t]:+.2f} by the rule, {e.value:+.2f} measured" for t, e in measured.items())
    return Finding(
        claim=claim,
        measurement=score,
        standing=standing if exact else Standing.UNDETERMINED,
        says=f"Score of {what}: {said}.",
    )
