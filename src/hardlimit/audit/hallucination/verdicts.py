"""Verdicts about hallucination: would more data, more parameters, abstention or retrieval help this model?"""

from collections.abc import Mapping

import numpy as np

from hardlimit.audit.judging import error_removed, judge, percent
from hardlimit.core import Estimate, Measurement, Resource, ResourceVerdict, Verdict
from hardlimit.probes.hallucination import selective

THRESHOLD = 0.75
"""Where the abstention verdict is taken: a wrong answer costs three times what a right one is worth."""


def verdicts(found: Mapping[str, Measurement], seed: int) -> tuple[ResourceVerdict, ...]:
    """Judge each resource."""
    return (_on_data(found, seed), _on_parameters(), _on_abstention(found), _on_retrieval(found))


def _on_data(found: Mapping[str, Measurement], seed: int) -> ResourceVerdict:
    popularity = found["hallucination.accuracy_by_popularity"]
    gain = error_removed(popularity.points, np.random.default_rng([seed, 9]))
    verdict = judge(gain)
    if verdict is Verdict.CANNOT_PROGRESS and _rises(popularity):
        verdict = Verdict.SATURATES
    because = "Nothing was answered wrongly, or no family was asked over two neighbouring decades of popularity."
    if gain is not None:
        because = (
            f"Ten times the data is predicted to remove {percent(gain)} of the errors on these facts: what a ten times "
            "more popular fact gains today."
        )
    return ResourceVerdict(resource=Resource.DATA, verdict=verdict, because=because, basis="both", claims=("HALL-9",))


def _rises(popularity: Measurement) -> bool:
    """Whether the most popular decade of some family is surely answered better than its least popular."""
    ends: dict[str, list[Estimate]] = {}
    for point in popularity.points:
        ends.setdefault(str(point.at["family"]), []).append(point.estimate)
    return any(
        first.interval.high is not None and last.interval.low is not None and last.interval.low > first.interval.high
        for first, *_, last in (pair for pair in ends.values() if len(pair) > 1)
    )


def _on_parameters() -> ResourceVerdict:
    return ResourceVerdict(
        resource=Resource.PARAMETERS,
        verdict=Verdict.CANNOT_PROGRESS,
        because="What never occurred in training is not in any number of weights: below the missing mass only "
        "abstention or retrieval helps. Above it, parameters may help; one model cannot tell.",
        basis="theory",
        claims=("HALL-5",),
    )


def _on_abstention(found: Mapping[str, Measurement]) -> ResourceVerdict:
    score = found["hallucination.score"]
    asked = _at(score, selective.AS_ASKED)
    policies = {
        str(point.at["policy"]): point.estimate
        for point in score.points
        if point.at["t"] == THRESHOLD and point.at["policy"] != selective.AS_ASKED
    }
    verdict, because = Verdict.UNDETERMINED, "No confidence signal could be calibrated."
    if asked is not None and policies:
        # The signal is named beforehand (the first that the model gives), not the best of several looked at.
        policy, with_it = next(iter(policies.items()))
        low, high = with_it.interval.low, asked.interval.high
        apart = low is not None and high is not None and low > high
        worse = with_it.interval.high is not None and asked.interval.low is not None
        worse = worse and (with_it.interval.high or 0.0) < (asked.interval.low or 0.0)
        verdict = Verdict.HELPS if apart else Verdict.HURTS if worse else Verdict.UNDETERMINED
        because = (
            f"Where a wrong answer costs three right ones (t = {THRESHOLD}), the score is {asked.value:+.2f} as asked "
            f"and {with_it.value:+.2f} with '{policy}'."
        )
    return ResourceVerdict(
        resource=Resource.ABSTENTION, verdict=verdict, because=because, basis="measured", claims=("HALL-10",)
    )


def _at(score: Measurement, policy: str) -> Estimate | None:
    wanted = {"t": THRESHOLD, "policy": policy}
    return next((point.estimate for point in score.points if point.at == wanted), None)


def _on_retrieval(found: Mapping[str, Measurement]) -> ResourceVerdict:
    trivial = next(c for c in found["hallucination.facts"].controls if c.name == "trivial")
    facts_now = found["hallucination.accuracy_by_popularity"].estimate
    verdict, because = Verdict.UNDETERMINED, "The questions with their answer in the prompt were not asked."
    if trivial.estimate is not None and facts_now is not None:
        low, high = trivial.estimate.interval.low, facts_now.interval.high
        if low is not None and high is not None and low > high:
            verdict = Verdict.HELPS
        because = (
            f"With the fact stated in the prompt {percent(trivial.estimate)} are right, without it "
            f"{percent(facts_now)}: one indexed copy replaces the exposures."
        )
    return ResourceVerdict(
        resource=Resource.RETRIEVAL, verdict=verdict, because=because, basis="both", claims=("HALL-9",)
    )
