"""Findings about reasoning: error accumulation, depth, composition, samples and chains beside what this model did."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hardlimit.core import Claim, Estimate, Finding, Measurement, Shape, Standing, quantity
from hardlimit.core.finding import stand
from hardlimit.models import ModelCard
from hardlimit.probes.reasoning.hazard import shapes
from hardlimit.probes.reasoning.sampling import ANY, PROGRAM, VERIFIER
from hardlimit.probes.reasoning.verifying import PLANTED
from hardlimit.theory import reasoning as theory

_BITS = {"float32": 32, "bfloat16": 16, "float16": 16}
_DECISIVE = 2.0
_TASKS = 200
Floats: TypeAlias = NDArray[np.float64]


def findings(found: Mapping[str, Measurement], card: ModelCard) -> tuple[Finding, ...]:
    """Set each claim beside its measurement."""
    joined: list[Finding] = []
    for join in (_accumulation, _coverage, _verified, _chain_effect):
        joined += join(found)
    return (*joined, *_depth(found, card), *_composed(found, card))


def _accumulation(found: Mapping[str, Measurement]) -> list[Finding]:
    """The constant-hazard law, and the law that fits best where that is another (REAS-1)."""
    chain = found.get("reasoning.chain_by_length")
    if chain is None or "law" not in chain.parameters:
        return []
    p, steps = chain.parameters, [int(point.at["steps"]) for point in chain.points]
    law = str(p["law"])
    behind = float(p["aic.constant"]) - float(p[f"aic.{law}"])
    standing = Standing.AGREES if law == "constant" else Standing.UNDETERMINED
    if behind > _DECISIVE:
        standing = Standing.DISAGREES
    eps = float(p["step_error"])
    says = (
        f"If every step failed alike, at {eps:.1%} a step, {theory.chain_success(eps, steps[-1]):.0%} of chains would "
        f"be right after {steps[-1]} steps. "
    )
    says += (
        f"No other law fits the chains better; by it {_half_life(chain)}"
        if law == "constant"
        else f"The law of {_LAWS[law]} fits better (AIC lower by {behind:.1f})."
    )
    made = [Finding(claim=theory.chain_success_by_steps(steps, eps), measurement=chain, standing=standing, says=says)]
    if law != "constant":
        made.append(
            Finding(
                claim=_law(law, steps, chain),
                measurement=chain,
                standing=Standing.AGREES,
                says=f"The law of {_LAWS[law]}, fitted to the same chains: {_half_life(chain)}",
            )
        )
    return made


_LAWS = {"constant": "one hazard", "beta": "problems of different difficulty", "recovery": "errors that are repaired"}


def _law(law: str, steps: Sequence[int], chain: Measurement) -> Shape:
    p = chain.parameters
    eps = float(p[f"step_error.{law}"])
    if law == "recovery":
        return theory.chain_success_by_steps(steps, eps, recovery=float(p["recovery.recovery"]))
    a, b = shapes(eps, float(p["correlation.beta"]))
    points = tuple((float(n), float(theory.beta_chain(a, b, n))) for n in steps)
    return msgspec.structs.replace(
        theory.chain_success_by_steps(steps, eps), points=points, parameters={"a": a, "b": b, "step_error": eps}
    )


def _half_life(chain: Measurement) -> str:
    p = chain.parameters
    if "half_life" not in p:
        return "more than half of the chains stay right for ever."
    low, high = p.get("half_life_low"), p.get("half_life_high")
    ends = f"{low:.3g} to {high:.3g}" if high is not None else f"at least {low:.3g}"
    return f"half of the chains are wrong after {p['half_life']:.3g} steps ({ends})."


def _coverage(found: Mapping[str, Measurement]) -> list[Finding]:
    """Any of k, predicted from the labelled sample alone (REAS-5)."""
    best = found.get("reasoning.best_of_k")
    if best is None or "beta_a" not in best.parameters:
        return []
    p = best.parameters
    points = [point for point in best.points if point.at["policy"] == ANY]
    ks = [int(point.at["k"]) for point in points]
    law = theory.coverage_by_samples(ks, float(p["beta_a"]), float(p["beta_b"]))
    last = points[-1].estimate
    low, high = (_solved(p, end, ks[-1]) for end in ("p_low", "p_high"))
    apart = (last.interval.high or 1.0) < low or (last.interval.low or 0.0) > high
    return [
        Finding(
            claim=law,
            measurement=msgspec.structs.replace(best, points=tuple(points)),
            standing=Standing.DISAGREES if apart else Standing.AGREES,
            says=f"From {p['labelled']} labelled samples, {law.points[-1][1]:.0%} of other problems should be solved "
            f"by one of {ks[-1]} samples ({low:.0%} to {high:.0%} by the labelled share alone); {last.value:.0%} were.",
        )
    ]


def _solved(p: Mapping[str, object], end: str, k: int) -> float:
    """Predict any of k with the mean at one end of its interval, problems varying as much as before."""
    a, b = float(str(p["beta_a"])), float(str(p["beta_b"]))
    mean = min(max(float(str(p.get(end, 0.5))), 1e-6), 1 - 1e-6)
    return float(theory.pass_at_k(mean * (a + b), (1 - mean) * (a + b), k))


def _verified(found: Mapping[str, Measurement]) -> list[Finding]:
    """The ceiling of best of k for each verifier, and the predicted curve and best k of the model's own (REAS-5)."""
    best, accepted = found.get("reasoning.best_of_k"), found.get("reasoning.accepted_accuracy")
    if best is None or accepted is None or "p" not in best.parameters:
        return []
    p = best.parameters
    rates = {PROGRAM: ((PLANTED[0],) * 3, (PLANTED[1],) * 3)}
    if "tau" in p and "phi" in p:
        rates[VERIFIER] = (_ends(p, "tau"), _ends(p, "phi"))
    made = []
    for policy, (tau, phi) in rates.items():
        points = tuple(point for point in accepted.points if point.at["policy"] == policy)
        if not points or not (tau[1] > 0 or phi[1] > 0):
            continue
        made.append(_ceiling(policy, tau, phi, msgspec.structs.replace(accepted, points=points), best))
    if VERIFIER in rates and rates[VERIFIER][0][1] > 0:
        made.append(_predicted(best))
    return made


def _ends(p: Mapping[str, object], name: str) -> tuple[float, float, float]:
    value = float(str(p[name]))
    return float(str(p.get(f"{name}_low", value))), value, float(str(p.get(f"{name}_high", value)))


def _ceiling(
    policy: str, tau: Sequence[float], phi: Sequence[float], measured: Measurement, best: Measurement
) -> Finding:
    right = _ends(best.parameters, "p")
    bound = theory.best_of_k(right[1], tau[1], phi[1])
    loosest = theory.best_of_k(min(right[2], 1.0), max(tau[2], 1e-9), phi[0])
    last = measured.points[-1].estimate
    own = msgspec.structs.replace(measured, estimate=last)
    standing = stand(loosest, own)
    if standing is Standing.CLEAR_OF_BOUND and (last.interval.high or 1.0) >= bound.value:
        standing = Standing.AT_BOUND
    odds = f"{tau[1] / phi[1]:.2g}" if phi[1] > 0 else "any factor"
    return Finding(
        claim=bound,
        measurement=own,
        standing=standing,
        says=f"The {policy} accepts {tau[1]:.0%} of right and {phi[1]:.0%} of wrong answers: the odds of being right "
        f"grow by {odds}, once, to {bound.value:.0%} of accepted answers at most, however many are drawn. "
        f"Of {measured.points[-1].at['k']} draws the first accepted was right in {last.value:.0%}.",
    )


def _predicted(best: Measurement) -> Finding:
    """The curve of the model's own verifier from p, τ and φ of the labelled sample, and the best number of samples."""
    p = best.parameters
    points = [point for point in best.points if point.at["policy"] == VERIFIER]
    ks = [int(point.at["k"]) for point in points]
    a, b = float(p["beta_a"]), float(p["beta_b"])
    tasks = _tasks(a / (a + b), a + b)
    tau, phi = _ends(p, "tau"), _ends(p, "phi")
    curve = [_right(tasks, tau[1], phi[1], k) for k in ks]
    top = theory.optimal_k(tasks, tau[1], phi[1], 1.0, most=ks[-1])
    right = _ends(p, "p")
    low = _right(_tasks(right[0], a + b), tau[0], phi[2], ks[-1])
    high = _right(_tasks(right[2], a + b), tau[2], phi[0], ks[-1])
    last = points[-1].estimate
    apart = (last.interval.high or 1.0) < low or (last.interval.low or 0.0) > high
    claim = msgspec.structs.replace(
        theory.coverage_by_samples(ks, float(p["beta_a"]), float(p["beta_b"])),
        points=tuple(zip(map(float, ks), curve, strict=True)),
        parameters={"tau": tau[1], "phi": phi[1], "best_k": top.samples, "policy": VERIFIER},
    )
    return Finding(
        claim=claim,
        measurement=msgspec.structs.replace(best, points=tuple(points)),
        standing=Standing.DISAGREES if apart else Standing.AGREES,
        says=f"With its own verifier, p, τ and φ of the labelled sample predict {curve[-1]:.0%} right at {ks[-1]} "
        f"draws ({low:.0%} to {high:.0%} over their intervals); {last.value:.0%} were. If a wrong answer costs what a "
        f"right one earns, the best number of draws up to {ks[-1]} is predicted to be {top.samples}; on other problems "
        f"it was {p.get('best_k', 'unknown')}.",
    )


def _tasks(mean: float, spread: float) -> Floats:
    """Chances of equally many problems of a Beta law with this mean."""
    mean = min(max(mean, 1e-6), 1 - 1e-6)
    quantiles = stats.beta.ppf((np.arange(_TASKS) + 0.5) / _TASKS, mean * spread, (1 - mean) * spread)
    result: Floats = np.clip(np.nan_to_num(quantiles), 0.0, 1.0)
    return result


def _right(tasks: Floats, tau: float, phi: float, k: int) -> float:
    return float(np.mean([theory.k_draws(float(task), tau, phi, k).right for task in tasks]))


def _chain_effect(found: Mapping[str, Measurement]) -> list[Finding]:
    """How far any exchange of chains could move accuracy, from the information they carry (REAS-6)."""
    measured = found.get("reasoning.mediation")
    arms = {str(p.at["intervention"]): p.estimate for p in measured.points} if measured is not None else {}
    if measured is None or measured.estimate is None or not {"own", "corrupted"} <= arms.keys():
        return []
    own, bad = arms["own"].value, arms["corrupted"].value
    information = theory.chain_information([[own / 2, (1 - own) / 2], [bad / 2, (1 - bad) / 2]])
    # Each arm makes its own chains twice as likely as a fair mix of the two does: κ = 2, once up and once down.
    bound = theory.chain_effect_ceiling(information, 3.0)
    value = measured.estimate
    return [
        Finding(
            claim=bound,
            measurement=measured,
            standing=Standing.AT_BOUND if bound.value in value.interval else Standing.CLEAR_OF_BOUND,
            says=f"Whether an answer is right tells {information:.3f} nats about whether the chain before it was the "
            f"model's own or falsified. So exchanging the one for the other cannot move accuracy by more than "
            f"{bound.value:.0%}; it moves it by {value.value:.0%}.",
        )
    ]


def _at_once(found: Mapping[str, Measurement], family: str) -> Estimate | None:
    thresholds = found.get("reasoning.threshold")
    points = thresholds.points if thresholds is not None else ()
    return next((p.estimate for p in points if p.at == {"family": family, "scratchpad": False}), None)


def _depth(found: Mapping[str, Measurement], card: ModelCard) -> list[Finding]:
    """Hops that the depth allows in one pass, beside the threshold without a scratchpad (REAS-3)."""
    value = _at_once(found, "hops")
    if value is None or card.layers is None:
        return []
    bound = theory.hops_per_pass(card.layers)
    measured = msgspec.structs.replace(found["reasoning.threshold"], quantity=quantity.HOPS, estimate=value, points=())
    short = value.interval.high is not None and value.interval.high < bound.value
    return [
        Finding(
            claim=bound,
            measurement=measured,
            standing=Standing.CLEAR_OF_BOUND if short else Standing.UNDETERMINED,
            says=f"Some model of {card.layers} layers follows {bound.value:,.0f} pointers in one pass; this one "
            f"follows {_span(value)} before accuracy is half way down to guessing. "
            + ("Its depth is not what stops it." if short else "What its depth allows was not reached."),
        )
    ]


def _composed(found: Mapping[str, Measurement], card: ModelCard) -> list[Finding]:
    """Entries that one attention layer can compose, beside the threshold of composition (REAS-2)."""
    value = _at_once(found, "composition")
    if value is None or card.heads is None or card.head_width is None:
        return []
    bound = theory.composition_domain(card.heads, card.head_width, _BITS.get(card.dtype or "", 16))
    measured = msgspec.structs.replace(
        found["reasoning.threshold"], quantity=quantity.COMPOSITION_DOMAIN, estimate=value, points=()
    )
    return [
        Finding(
            claim=bound,
            measurement=measured,
            standing=stand(bound, measured) if value.interval.high is not None else Standing.UNDETERMINED,
            says=f"One attention layer of its size can hand over tables of up to {bound.value:,.0f} entries; it "
            f"composes two tables of {_span(value)} entries.",
        )
    ]


def _span(value: Estimate) -> str:
    low, high = value.interval.low, value.interval.high
    if low is None and high is None:
        return "an unknown number of"
    if low is None:
        return f"at most {high:.3g}"
    return f"at least {low:.3g}" if high is None else f"{value.value:.3g} ({low:.3g} to {high:.3g})"


def claims(card: ModelCard) -> tuple[Claim, ...]:
    """Claims shown without a measurement."""
    return (theory.hops_per_pass(card.layers),) if card.layers is not None else ()
