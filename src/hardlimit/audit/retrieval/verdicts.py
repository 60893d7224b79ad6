"""Verdicts about retrieval: would retrieving at all, more passages, a better retriever or a wider embedding help?"""

import numpy as np

from hardlimit.audit.judging import judge, percent
from hardlimit.audit.retrieval import gains
from hardlimit.audit.retrieval.asking import PASSAGES, Trials
from hardlimit.audit.retrieval.findings import optimum
from hardlimit.audit.retrieval.gains import find
from hardlimit.audit.retrieval.measuring import Found
from hardlimit.core import Estimate, Point, Resource, ResourceVerdict, Verdict
from hardlimit.probes.retrieval import measure
from hardlimit.stats import clopper_pearson

_KNOWS_NOTHING = 0.9
"""Width from which on an interval of a recall says nothing."""

_CONDITIONS = (measure.CLOSED_BOOK, measure.GOLD, measure.DISTRACTORS)


def verdicts(found: Found, trials: Trials, seed: int) -> tuple[ResourceVerdict, ...]:
    """Judge each resource."""
    rng = np.random.default_rng([seed, 32])
    right = measure.paired_rights(trials.of("reader"), measure.condition_of, _CONDITIONS)
    shares = gains.shares_drawn(right, rng) if len(right) else None
    recall = best_recall(found)
    return (
        _on_retrieval(found, trials, shares, recall, rng),
        _on_documents(found, trials, rng),
        _on_retriever(shares, recall, len(right), rng),
        _on_corpus(found, rng),
        _on_embedding(found, rng),
        _on_precision(found),
        _on_hops(found),
    )


def best_recall(found: Found) -> Point | None:
    """Recall at the number of passages of the reader's design, of the retriever that finds most but the oracle."""
    measured = found.get("recall_at_k")
    if measured is None:
        return None
    real = [p for p in measured.points if p.at["k"] == PASSAGES and p.at["retriever"] not in ("oracle", "none")]
    return max(real, key=lambda point: point.estimate.value, default=None)


def known_break_even(found: Found) -> Estimate | None:
    """Break-even recall, unless its interval is so wide that it says nothing."""
    even = found.get("break_even")
    if even is None or even.estimate is None:
        return None
    low, high = even.estimate.interval.low, even.estimate.interval.high
    return None if low is None or high is None or high - low > _KNOWS_NOTHING else even.estimate


def _verdict(
    resource: Resource, gain: Estimate | None, because: str, claims: tuple[str, ...], basis: str = "both"
) -> ResourceVerdict:
    return ResourceVerdict(resource=resource, verdict=judge(gain), because=because, basis=basis, claims=claims)


def gained(gain: Estimate) -> str:
    """Write a change of accuracy in points.

    >>> from hardlimit.core import Interval
    >>> gained(Estimate(value=0.25, interval=Interval(low=0.1, high=0.4, level=0.9, method="x"), n=40))
    '+25 points (+10 to +40, n = 40)'
    """
    low, high = gain.interval.low or 0.0, gain.interval.high or 0.0
    return f"{100 * gain.value:+.0f} points ({100 * low:+.0f} to {100 * high:+.0f}, n = {gain.n:,})"


def _on_retrieval(
    found: Found, trials: Trials, shares: gains.Doubles | None, recall: Point | None, rng: np.random.Generator
) -> ResourceVerdict:
    """Whether retrieval pays: on the user's own questions where there are some, else by RETR-1."""
    own = measure.paired_rights(trials.of("own"), lambda case: int(case.factors["passages"]), (0, PASSAGES))
    if len(own):
        drawn = gains.shares_drawn(own, rng)
        gain = gains.summed_up(drawn[:, 1] - drawn[:, 0], len(own))
        because = f"On your questions {PASSAGES} retrieved documents change the accuracy by {gained(gain)}."
        return _verdict(Resource.RETRIEVAL, gain, because, ("RETR-1",), "measured")
    if shares is None or recall is None or recall.tally is None:
        because = "The questions with and without passages were not asked."
        return _verdict(Resource.RETRIEVAL, None, because, ("RETR-1",))
    r = gains.recall_drawn(recall.tally, rng)
    asked = len(measure.paired_rights(trials.of("reader"), measure.condition_of, _CONDITIONS))
    gain = gains.summed_up(r * shares[:, 1] + (1 - r) * shares[:, 2] - shares[:, 0], asked)
    even = known_break_even(found)
    needed = f" It pays from a recall of {percent(even)} on." if even is not None else ""
    because = (
        f"At the recall of {recall.at['retriever']}, {percent(recall.estimate)} at {PASSAGES} passages, facts that the "
        f"model may know by itself change by {gained(gain)} against the closed book.{needed}"
    )
    return _verdict(Resource.RETRIEVAL, gain, because, ("RETR-1",))


def _on_documents(found: Found, trials: Trials, rng: np.random.Generator) -> ResourceVerdict:
    """The last doubling of the number of passages, on the same questions."""
    design = "own" if found.own_curve is not None else "curve"
    _, ks, right = measure.curve_table(trials.of(design)) if trials.of(design) else ([], [], np.zeros((0, 0)))
    whole = right[~np.isnan(right).any(axis=1)] if len(ks) > 1 else right[:0]
    if not len(whole):
        because = "The questions with more and more passages were not asked."
        return _verdict(Resource.DOCUMENTS, None, because, ("RETR-2",))
    drawn = gains.shares_drawn(whole[:, [0, -2, -1]], rng)
    gain = gains.summed_up(drawn[:, 2] - drawn[:, 1], len(whole))
    verdict = judge(gain)
    rose = gains.summed_up(drawn[:, 1] - drawn[:, 0], len(whole))
    if verdict is Verdict.CANNOT_PROGRESS and rose.interval.low is not None and rose.interval.low > 0:
        verdict = Verdict.SATURATES
    curve = found.own_curve or found.curve
    best = optimum(curve.hit, curve.loss) if curve is not None else None
    law = f" The fitted law is best at {best:.1f} passages." if best is not None else ""
    because = f"From {ks[-2]} to {ks[-1]} retrieved passages accuracy changes by {gained(gain)}.{law}"
    return ResourceVerdict(
        resource=Resource.DOCUMENTS, verdict=verdict, because=because, basis="both", claims=("RETR-2",)
    )


def _on_retriever(
    shares: gains.Doubles | None, recall: Point | None, n: int, rng: np.random.Generator
) -> ResourceVerdict:
    """What finding the needed passage always would add."""
    if shares is None or recall is None or recall.tally is None:
        because = "The questions with and without their passage were not asked."
        return _verdict(Resource.RETRIEVER, None, because, ("RETR-1",))
    missed = 1 - gains.recall_drawn(recall.tally, rng)
    gain = gains.summed_up(missed * (shares[:, 1] - shares[:, 2]), n)
    because = (
        f"A retriever that never misses, in place of {recall.at['retriever']}, would change accuracy by {gained(gain)}."
    )
    return _verdict(Resource.RETRIEVER, gain, because, ("RETR-1",))


def _on_corpus(found: Found, rng: np.random.Generator) -> ResourceVerdict:
    """Recall from the second largest corpus to the largest; and that planted texts are not diluted meanwhile."""
    recall, poison = found.get("recall_by_corpus"), found.get("poison_by_corpus")
    gain, because = None, "Recall by corpus size was not measured."
    if recall is not None:
        name = str(recall.points[-1].at["retriever"])
        mine = [p for p in recall.points if p.at["retriever"] == name and p.at["k"] == PASSAGES]
        if len(mine) > 1 and mine[-2].tally is not None and mine[-1].tally is not None:
            gain = gains.difference(mine[-2].tally, mine[-1].tally, rng)
            because = (
                f"From {mine[-2].at['documents']:,} to {mine[-1].at['documents']:,} documents the recall of {name} at "
                f"{PASSAGES} changes by {gained(gain)}."
            )
    if poison is not None:
        first, *_, last = [p for p in poison.points if p.at["retriever"] == poison.points[-1].at["retriever"]] * 2
        because += (
            f" One planted text is retrieved by {percent(first.estimate)} of its questions among "
            f"{first.at['documents']:,} documents and {percent(last.estimate)} among {last.at['documents']:,}."
        )
    return _verdict(Resource.CORPUS, gain, because, ("RETR-3", "RETR-6"))


def _on_embedding(found: Found, rng: np.random.Generator) -> ResourceVerdict:
    """The last doubling of the embedding's dimensions, from half of them to all."""
    margin = found.get("margin")
    gain, because = None, "No dense embedding was at hand; `python -m hardlimit.models.embedding` prepares one."
    if margin is not None:
        width = max(int(point.at["dimensions"]) for point in margin.points)
        full = find(margin.points, lambda p: p.at == {"dtype": "float32", "dimensions": width})
        half = find(margin.points, lambda p: p.at == {"dtype": "float32", "dimensions": width // 2})
        because = f"Fewer than {width} dimensions were not tried."
        if full is not None and half is not None and full.tally is not None and half.tally is not None:
            gain = gains.difference(half.tally, full.tally, rng)
            because = f"From {width // 2} to {width} dimensions its recall at 1 changes by {gained(gain)}."
    return _verdict(Resource.EMBEDDING, gain, because, ("RETR-4", "RETR-3"))


def _on_precision(found: Found) -> ResourceVerdict:
    """How often half precision puts another document first."""
    margin = found.get("margin")
    verdict, because = Verdict.UNDETERMINED, "No dense embedding was at hand."
    if margin is not None and margin.estimate is not None:
        n = margin.estimate.n
        changed = round(float(margin.parameters["changed.float16"]) * n)
        high = clopper_pearson(changed, n, level=0.9).high
        if high is not None and high < 0.1:
            verdict = Verdict.CANNOT_PROGRESS
        because = (
            f"Stored in 16 instead of 32 bits, {changed} of {n} questions find another document first: the margin is "
            f"{margin.estimate.value:+.3f} on average, rounding moves a cosine by "
            f"{float(margin.parameters['rounding.float16']):.1e}."
        )
    return ResourceVerdict(
        resource=Resource.PRECISION, verdict=verdict, because=because, basis="measured", claims=("RETR-4",)
    )


def _on_hops(found: Found) -> ResourceVerdict:
    """Rewriting a query again and again: whether it surely moves away."""
    drift = found.get("drift")
    verdict, because = Verdict.UNDETERMINED, "Drift was not measured: it needs a dense embedding."
    if drift is not None and len(drift.points) > 1:
        first, last = drift.points[0].estimate, drift.points[-1].estimate
        if None not in (first.interval.low, last.interval.high):
            verdict = Verdict.HURTS if (last.interval.high or 0) < (first.interval.low or 0) else verdict
        because = (
            f"The cosine to the original query falls from {first.value:.2f} after one rewriting to {last.value:.2f} "
            f"after {drift.points[-1].at['hop']}: go back to the original query."
        )
    return ResourceVerdict(
        resource=Resource.INFERENCE_STEPS, verdict=verdict, because=because, basis="both", claims=("RETR-5",)
    )
