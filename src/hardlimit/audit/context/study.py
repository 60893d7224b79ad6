"""The study of context: how long a text the model can really use, and why no more."""

from collections.abc import Mapping, Sequence

from hardlimit.audit.context.asking import RESERVE, SHORTEST, Trials, ask, longest
from hardlimit.audit.context.findings import findings, memory
from hardlimit.audit.context.verdicts import verdicts
from hardlimit.audit.desk import Desk
from hardlimit.audit.document import Exhibit, LimitReport
from hardlimit.audit.judging import percent, spread
from hardlimit.audit.published import NOLIMA, RULER
from hardlimit.core import (
    Estimate,
    Grade,
    InsufficientDataError,
    Interval,
    Limit,
    Measurement,
    ResourceVerdict,
    Verdict,
)
from hardlimit.probes.context import attention, measure


def study(desk: Desk, seed: int) -> LimitReport:
    """Needles in stories of growing length, with and without shared words, and the attention on them."""
    most = longest(desk.model)
    if most < 2 * SHORTEST:
        return _nothing(
            f"Does not apply: a window of {desk.model.card.window:,} tokens is smaller than the "
            f"{2 * SHORTEST + RESERVE} that the shortest comparison of two lengths takes."
        )
    trials = ask(desk, seed)
    if not trials.searched:
        return _nothing("Not measured: the budget was spent before the search for the effective context began.")
    found = _measure(trials, desk, seed)
    joined = findings(found, trials.readings)
    judged = verdicts(found, joined, desk.model.card.window or most)
    claims, _ = memory(desk.model.card, [SHORTEST * 2**k for k in range(20) if SHORTEST * 2**k <= most + RESERVE])
    return LimitReport(
        limit=Limit.CONTEXT,
        applies=True,
        headline=_headline(found, desk.model.card.window),
        ceiling="CTX-3: among N keys a needle's logit must stand out by about ln N nats, 0.69 more per doubling.",
        sureness=_sureness(trials, judged),
        advice=_advice(found, judged),
        verdicts=judged,
        findings=joined,
        measurements=tuple(found.values()),
        claims=claims,
        exhibits=_exhibits(trials),
        published=(NOLIMA, RULER),
        undecided=_undecided(trials),
    )


def _nothing(headline: str) -> LimitReport:
    return LimitReport(limit=Limit.CONTEXT, applies=False, headline=headline)


def _measure(trials: Trials, desk: Desk, seed: int) -> dict[str, Measurement]:
    origin = measure.Origin(
        probe=repr(trials.probe), model=desk.model.card.fingerprint, seed=seed, controls=trials.controls
    )
    made = [
        measure.effective(trials.searched, trials.search, origin),
        measure.accuracy_by_length(trials.answered, origin),
        measure.accuracy_by_depth([*trials.searched, *trials.beside], origin),
    ]
    for reading in (attention.margin, attention.needle_weight):
        try:
            made.append(reading(trials.readings, origin))
        except InsufficientDataError:
            continue
    return {measurement.name: measurement for measurement in made}


def _headline(found: Mapping[str, Measurement], window: int | None) -> str:
    effective = found["context.effective"]
    kind = {"no overlap": "questions that need one step of thought", "literal": "questions in the needle's own words"}[
        str(effective.parameters["variant"])
    ]
    base = _base(effective)
    if effective.estimate is None:
        return f"On {kind} it is right in {percent(base)} at {SHORTEST} tokens: too low to measure a fall from."
    of = f" of a window of {window:,}" if window else ""
    interval = effective.estimate.interval
    value = spread(interval, unit=" tokens")
    if interval.high is not None:
        value = f"{effective.estimate.value:,.0f} tokens ({spread(interval)})"
    return f"On {kind} its effective context is {value}{of}; at {SHORTEST} tokens it is right in {percent(base)}."


def _base(effective: Measurement) -> Estimate:
    p = effective.parameters
    interval = Interval(low=float(p["base_low"]), high=float(p["base_high"]), level=0.95, method="posterior")
    return Estimate(value=float(p["base_accuracy"]), interval=interval, n=effective.tally.n)


def _sureness(trials: Trials, judged: Sequence[ResourceVerdict]) -> str:
    broken = [control.name for control in trials.controls if not control.passed]
    if broken:
        return f"with reserve: the {' and the '.join(broken)} control failed"
    settled = sum(v.verdict is not Verdict.UNDETERMINED for v in judged)
    found = "the search was settled" if trials.settled else "the search ended with the budget"
    sure = trials.settled and settled == len(judged)
    return f"{'sure' if sure else 'in part'}: {found}, {settled} of {len(judged)} verdicts decided"


def _advice(found: Mapping[str, Measurement], judged: Sequence[ResourceVerdict]) -> str:
    effective = found["context.effective"].estimate
    window = next(v for v in judged if v.resource == "context length")
    if effective is not None and window.verdict is Verdict.CANNOT_PROGRESS:
        return (
            f"Keep prompts under about {effective.value:,.0f} tokens: retrieve the passage instead of sending "
            "the whole text. A longer window buys nothing."
        )
    if found["context.effective"].parameters["outcome"] == "beyond":
        return "Use the whole window; within it, length is not what limits this model."
    return "Not decided: give the search more budget, or keep prompts short."


def _undecided(trials: Trials) -> tuple[str, ...]:
    open_ends = []
    if not trials.settled:
        open_ends.append(
            "Effective context is not known to ±10 % yet: the budget ended the search. More narrows the interval."
        )
    if not trials.readings:
        open_ends.append("The attention on the needle was not read.")
    return tuple(open_ends)


def _exhibits(trials: Trials) -> tuple[Exhibit, ...]:
    shown = []
    for grade, title in ((Grade.RIGHT, "A needle that was found"), (Grade.WRONG, "A needle that was not found")):
        items = [item for item in trials.searched if item.grade is grade]
        if items:
            item = min(items, key=lambda item: (int(item.case.factors["tokens"]), item.case.id))
            comment = f"In a story of {item.case.factors['tokens']:,} tokens, the shortest one with this outcome."
            shown.append(Exhibit(title=title, answered=item, comment=comment))
    return tuple(shown)
