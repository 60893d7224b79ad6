"""Verdicts about reasoning: do more steps, more samples, a better verifier, more depth, or other data help?"""

from collections.abc import Mapping

from hardlimit.audit.judging import MARGIN, judge, percent
from hardlimit.core import Estimate, Interval, Measurement, Resource, ResourceVerdict, Verdict
from hardlimit.models import ModelCard
from hardlimit.probes.reasoning.sampling import ANY, OVER, VERIFIER, VOTE
from hardlimit.theory import reasoning as theory

Found = Mapping[str, Measurement]


def verdicts(found: Found, card: ModelCard) -> tuple[ResourceVerdict, ...]:
    """Judge each resource."""
    return (
        _on_steps(found),
        _on_samples(found),
        _on_verifier(found),
        _on_depth(found, card),
        _on_parameters(found),
        _on_data(found),
    )


def parameter(measurement: Measurement | None, name: str) -> Estimate | None:
    """Read an estimate that a measurement keeps among its parameters, with `_low` and `_high`."""
    if measurement is None or name not in measurement.parameters:
        return None
    p = measurement.parameters
    ends = [p.get(f"{name}_{end}") for end in ("low", "high")]
    low, high = (None if end is None else float(end) for end in ends)
    n = int(p.get("pairs", p.get("tried", 0)))
    return Estimate(value=float(p[name]), interval=Interval(low=low, high=high, level=0.95, method="paired"), n=n)


def _points(value: Estimate) -> str:
    low, high = value.interval.low, value.interval.high
    ends = f"{100 * low:+.0f} to {100 * high:+.0f}" if low is not None and high is not None else "open"
    return f"{100 * value.value:+.0f} points ({ends})"


def _on_steps(found: Found) -> ResourceVerdict:
    """More steps of thought: what writing the chain brings over answering at once, on the same problems."""
    mediation, chain = found.get("reasoning.mediation"), found.get("reasoning.chain_by_length")
    total, mediated = parameter(mediation, "total"), parameter(mediation, "mediated")
    further, shorter = _moved(found)
    because = "What its steps are worth was not measured on the same problems."
    if total is not None and mediated is not None:
        because = (
            f"Its own steps change accuracy by {_points(total)} against answering at once, and by {_points(mediated)} "
            f"against the same steps falsified, on {total.n} problems."
        )
    if chain is not None and chain.estimate is not None:
        because += f" After {chain.points[-1].at['steps']} steps {percent(chain.estimate)} of chains are right."
    if further or shorter:
        because += f" Step by step its threshold surely rises in {_list(further)} and falls in {_list(shorter)}."
    verdict = judge(total)
    if total is None and bool(further) != bool(shorter):
        verdict = Verdict.HELPS if further else Verdict.HURTS
    return ResourceVerdict(
        resource=Resource.INFERENCE_STEPS,
        verdict=verdict,
        because=because,
        basis="measured",
        claims=("REAS-1", "REAS-3", "REAS-6"),
    )


def _moved(found: Found) -> tuple[list[str], list[str]]:
    """Families whose threshold surely lies higher, and surely lower, step by step than at once."""
    thresholds = found.get("reasoning.threshold")
    ends: dict[str, dict[object, Interval]] = {}
    for point in thresholds.points if thresholds is not None else ():
        ends.setdefault(str(point.at["family"]), {})[point.at["scratchpad"]] = point.estimate.interval
    both = {family: (by[False], by[True]) for family, by in ends.items() if len(by) == 2}
    further = [family for family, (once, steps) in both.items() if _above(steps, once)]
    return further, [family for family, (once, steps) in both.items() if _above(once, steps)]


def _above(first: Interval, second: Interval) -> bool:
    return first.low is not None and second.high is not None and first.low > second.high


def _list(names: list[str]) -> str:
    return " and ".join(names) if names else "no family"


def _on_samples(found: Found) -> ResourceVerdict:
    """More samples: the gain of a vote, or of the model's own verifier, over one sample, and over the last doubling."""
    best = found.get("reasoning.best_of_k")
    policies = [policy for policy in (VOTE, VERIFIER) if parameter(best, f"gain.{policy}") is not None]
    gains = [(policy, parameter(best, f"gain.{policy}"), parameter(best, f"last.{policy}")) for policy in policies]
    verdict, because = Verdict.UNDETERMINED, "Sampling was not measured."
    if best is not None and gains:
        policy, gain, last = max(gains, key=lambda each: each[1].value if each[1] else -1.0)
        verdict = judge(gain)
        if verdict is Verdict.HELPS and judge(last) is Verdict.CANNOT_PROGRESS:
            verdict = Verdict.SATURATES
        solved = [point.estimate for point in best.points if point.at["policy"] == ANY][-1]
        k = best.parameters["k"]
        because = (
            f"From 1 to {k} samples, {'a vote' if policy == VOTE else 'its own verifier'} changes accuracy by "
            f"{_points(gain) if gain else 'nothing known'}, the last doubling by "
            f"{_points(last) if last else 'nothing known'}; {percent(solved)} of problems have a right one among {k}."
        )
    return ResourceVerdict(
        resource=Resource.SAMPLES, verdict=verdict, because=because, basis="measured", claims=("REAS-5",)
    )


def _on_verifier(found: Found) -> ResourceVerdict:
    """A better verifier: what one that errs in a tenth of cases makes of the same samples."""
    best = found.get("reasoning.best_of_k")
    gain = parameter(best, f"gain.{OVER}")
    because = "How the model judges its own samples was not measured."
    if best is not None and gain is not None:
        p = best.parameters
        rates = (
            f"accepts {float(p['tau']):.0%} of its right and {float(p['phi']):.0%} of its wrong answers"
            if {"tau", "phi"} <= p.keys()
            else "has rates that could not be measured"
        )
        because = (
            f"Its own verdict {rates}; a verifier that errs in a tenth of cases changes the share of right answers "
            f"from {p['k']} samples by {_points(gain)}."
        )
    return ResourceVerdict(
        resource=Resource.VERIFIER, verdict=judge(gain), because=because, basis="both", claims=("REAS-1", "REAS-5")
    )


def _on_depth(found: Found, card: ModelCard) -> ResourceVerdict:
    """More layers: they help where the hops of one pass are what the depth allows, which is a construction's number."""
    thresholds = found.get("reasoning.threshold")
    points = thresholds.points if thresholds is not None else ()
    value = next((p.estimate for p in points if p.at == {"family": "hops", "scratchpad": False}), None)
    verdict, because = Verdict.UNDETERMINED, "The model's depth is not known, or following pointers was not measured."
    if value is not None and card.layers is not None:
        allowed = float(theory.hops_for_layers(card.layers))
        low, high = value.interval.low, value.interval.high
        reached = f"at most {high:.3g}" if high is not None else f"at least {low:.3g}" if low is not None else "unknown"
        because = (
            f"{card.layers} layers are enough for {allowed:,.0f} pointers in one pass, and it follows {reached}: depth "
            "alone does not bind. Whether training would use more of it cannot be read off one model."
        )
        if low is not None and low >= allowed:
            verdict = Verdict.HELPS
            because = (
                f"It follows {reached} pointers, all that {card.layers} layers surely allow; each layer doubles it."
            )
    return ResourceVerdict(resource=Resource.DEPTH, verdict=verdict, because=because, basis="both", claims=("REAS-3",))


def _on_parameters(found: Found) -> ResourceVerdict:
    """More parameters: through the error of a step alone, which one model's measurement cannot tell of another."""
    chain = found.get("reasoning.chain_by_length")
    because = "More parameters help through the chance that a step fails, which was not measured."
    if chain is not None and "step_error" in chain.parameters:
        eps = float(chain.parameters["step_error"])
        because = (
            f"They help through the chance that a step fails, {eps:.1%} here: half of it would about double the steps "
            "that half of the chains survive. Whether a larger model has it takes a family of models to tell."
        )
    return ResourceVerdict(
        resource=Resource.PARAMETERS,
        verdict=Verdict.UNDETERMINED,
        because=because,
        basis="theory",
        claims=("REAS-1",),
    )


def _on_data(found: Found) -> ResourceVerdict:
    """Data in which the familiar answer is wrong: helps as far as accuracy is lost to familiarity."""
    drop = found.get("reasoning.paired_drop")
    because, verdict = "Pattern completion was not measured.", Verdict.UNDETERMINED
    if drop is not None and drop.estimate is not None:
        verdict = judge(drop.estimate, margin=MARGIN)
        verdict = Verdict.UNDETERMINED if verdict is Verdict.HURTS else verdict
        because = (
            f"Where the familiar answer is wrong, accuracy changes by {_points(_negated(drop.estimate))} on "
            f"{drop.estimate.n} pairs: data in which it is wrong would have that to win, and no more."
        )
    return ResourceVerdict(resource=Resource.DATA, verdict=verdict, because=because, basis="both", claims=("REAS-4",))


def _negated(value: Estimate) -> Estimate:
    low, high = value.interval.low, value.interval.high
    turned = Interval(
        low=None if high is None else -high,
        high=None if low is None else -low,
        level=value.interval.level,
        method=value.interval.method,
    )
    return Estimate(value=-value.value, interval=turned, n=value.n, artefacts=value.artefacts)
