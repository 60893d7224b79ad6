"""Sampling against verifying: any of k, majority vote and best of k, with a verifier whose errors are measured."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import special

from hardlimit.core import (
    ARTEFACTS,
    Answered,
    Case,
    Estimate,
    Generate,
    Grade,
    InsufficientDataError,
    Interval,
    InvalidValueError,
    Measurement,
    Point,
    Scalar,
    Tally,
    Value,
    quantity,
)
from hardlimit.probes.grading import fold
from hardlimit.probes.reasoning.measure import Origin
from hardlimit.probes.reasoning.verifying import PLANTED, Verdicts
from hardlimit.stats import clustered_proportion, mean_interval
from hardlimit.stats.intervals import expanded_tail, resampled_ratio

Floats: TypeAlias = NDArray[np.float64]
ANY, VOTE, VERIFIER, PROGRAM = "any of k", "majority vote", "verifier", "program verifier"
OVER = "program over verifier"
VOTES = 200
REPLICATES = 2000


def sampled(case: Case, *, k: int, temperature: float = 0.8, seed: int = 0) -> list[Case]:
    """Ask a case k times at a temperature, each time with another sampling seed; its own probe grades them.

    Raises:
        InvalidValueError: k < 1, temperature <= 0, or a case that does not ask for text.
    """
    if k < 1 or temperature <= 0 or not isinstance(case.ask, Generate):
        raise InvalidValueError(
            f"Sampling needs k >= 1 samples of text at a temperature > 0, got k={k}, temperature={temperature} and a "
            f"{type(case.ask).__name__} request."
        )
    first = crc32(f"{seed}:{case.id}".encode()) & 0xFFFFFF  # problems do not share their draws
    return [
        msgspec.structs.replace(
            case,
            id=f"{case.id}/sample-{index}",
            ask=msgspec.structs.replace(case.ask, temperature=temperature, seed=first + index),
            factors={**case.factors, "of": case.id},
            cluster=case.id,
        )
        for index in range(k)
    ]


class Problems(Value, frozen=True):
    """Samples counted by problem, `(problems,)` each: all, right, accepted and right, accepted and wrong."""

    n: tuple[int, ...]
    right: tuple[int, ...]
    good: tuple[int, ...]
    bad: tuple[int, ...]


def by_problem(samples: Sequence[Answered]) -> dict[str, list[Answered]]:
    """Group samples by problem."""
    groups: dict[str, list[Answered]] = {}
    for item in samples:
        groups.setdefault(str(item.case.factors["of"]), []).append(item)
    return groups


def counted(samples: Sequence[Answered], verdicts: Verdicts) -> Problems:
    """Count samples by problem."""
    groups = list(by_problem(samples).values())

    def count(hit: Callable[[Answered], bool]) -> tuple[int, ...]:
        return tuple(sum(map(hit, group)) for group in groups)

    return Problems(
        n=count(lambda item: True),
        right=count(lambda item: item.grade is Grade.RIGHT),
        good=count(lambda item: verdicts[item.case.id] and item.grade is Grade.RIGHT),
        bad=count(lambda item: verdicts[item.case.id] and item.grade is not Grade.RIGHT),
    )


def pass_at_k(n: int, right: int, k: int) -> float:
    """Unbiased chance that k of n samples hold a right one, 1 − C(n − right, k)/C(n, k).

    Source:
        Chen et al. (2021), Evaluating large language models trained on code, section 2.1.

    >>> round(pass_at_k(4, 1, 2), 12)
    0.5
    """
    if not 0 <= right <= n or not 1 <= k <= n:
        raise InvalidValueError(f"pass_at_k needs 0 <= right <= n and 1 <= k <= n, got n={n}, right={right}, k={k}.")
    return 1.0 if n - right < k else 1.0 - math.comb(n - right, k) / math.comb(n, k)


def first_accepted(n: int, good: int, bad: int, k: int) -> tuple[float, float]:
    """Chances that the first accepted of k samples, drawn from n without replacement, is right, and that it is wrong.

    >>> first_accepted(4, 1, 1, 4)
    (0.5, 0.5)
    """
    some = pass_at_k(n, good + bad, k)
    return (some * good / (good + bad), some * bad / (good + bad)) if good + bad else (0.0, 0.0)


def vote(group: Sequence[Answered], k: int, rng: np.random.Generator) -> float:
    """Chance that the most frequent answer of k of the samples is right; ties are broken by lot, artefacts abstain."""
    labels = [
        None if item.grade not in (Grade.RIGHT, Grade.WRONG) else "" if item.grade is Grade.RIGHT else item.answer
        for item in group
    ]
    folded = [label if label is None or label == "" else fold(label) for label in labels]
    won = 0.0
    draws = 1 if k == len(group) else VOTES
    for _ in range(draws):
        chosen = rng.permutation(len(group))[:k]
        tally = Counter(folded[int(index)] for index in chosen if folded[int(index)] is not None)
        if tally:
            most = max(tally.values())
            leaders = [label for label, count in tally.items() if count == most]
            won += ("" in leaders) / len(leaders)
    return won / draws


def labelled(samples: Sequence[Answered], verdicts: Verdicts) -> dict[str, Scalar]:
    """Read p, τ and φ with their intervals off a labelled sample, and how p varies between problems.

    Args:
        samples: graded samples that serve nothing else.
        verdicts: of the verifier.

    Returns:
        `p`, `tau`, `phi`, each with `_low` and `_high` (problems are the units of chance), `beta_a` and `beta_b` of
        the p of problems, and the number of `problems`; τ or φ is missing where there was nothing to accept.

    Raises:
        InsufficientDataError: fewer than 2 problems.
    """
    seen = counted(samples, verdicts)
    right, n = np.array(seen.right, float), np.array(seen.n, float)
    wrong = n - right
    found: dict[str, Scalar] = {"problems": len(seen.n), "labelled": int(n.sum())}
    for name, hits, sizes in (("p", right, n), ("tau", np.array(seen.good), right), ("phi", np.array(seen.bad), wrong)):
        there = sizes > 0
        if name == "p" or there.sum() >= 2:
            value = clustered_proportion(hits[there], sizes[there])
            ends = {f"{name}_low": value.interval.low, f"{name}_high": value.interval.high}
            found |= {name: value.value} | {key: end for key, end in ends.items() if end is not None}
    a, b = beta_of(right, n)
    return found | {"beta_a": a, "beta_b": b}


def beta_of(right: Sequence[float] | Floats, n: Sequence[float] | Floats) -> tuple[float, float]:
    """Fit a Beta law to the chances of problems from right samples among n, by maximum likelihood on a fine grid.

    >>> a, b = beta_of([0, 0, 0, 4], [4, 4, 4, 4])
    >>> round(a / (a + b), 2), a < 0.1
    (0.25, True)
    """
    hits, sizes = np.asarray(right, float), np.asarray(n, float)
    mean = special.expit(np.linspace(-8, 8, 321))[:, None]
    correlation = special.expit(np.linspace(-6, 6, 61))[None, :]
    total = 1 / correlation - 1
    a, b = mean * total, (1 - mean) * total
    value = np.zeros(a.shape)
    for (h, size), count in Counter(zip(hits.tolist(), sizes.tolist(), strict=True)).items():
        value += count * (special.betaln(a + h, b + size - h) - special.betaln(a, b))
    at = np.unravel_index(int(value.argmax()), value.shape)
    return float(a[at]), float(b[at])


def best_of_k(
    samples: Sequence[Answered], verifiers: Mapping[str, Verdicts], known: Mapping[str, Scalar], origin: Origin
) -> Measurement:
    """Accuracy against the number of samples, for an oracle, a vote, and each verifier that abstains at need.

    Args:
        samples: of problems that the labelled sample did not hold, as many of each.
        verifiers: verdicts by policy.
        known: parameters from the labelled sample.
        origin: where the answers come from.

    Returns:
        `reasoning.best_of_k`, points at `policy` and `k`; the summary is the vote of all samples. Parameters beside
        the known ones: `gain.<policy>`, from one sample to all, and `last.<policy>`, from half of them to all, paired
        over problems, with `_low` and `_high`; `gain.program over verifier` at all samples; and where there is a
        verifier, `utility.<k>`, right minus wrong, and `best_k`, where that is largest.

    Raises:
        InsufficientDataError: fewer than 2 problems.
    """
    groups = _complete(samples)
    most = min(map(len, groups))
    rng = np.random.default_rng([origin.seed, 11])
    every = [item for group in groups for item in group]
    tallies = {policy: counted(every, verdicts) for policy, verdicts in verifiers.items()}
    points, by_k = [], {}
    for k in counts(most):
        curves = {
            ANY: [pass_at_k(len(group), sum(map(_is_right, group)), k) for group in groups],
            VOTE: [vote(group, k, rng) for group in groups],
        }
        for policy, seen in tallies.items():
            rows = zip(seen.n, seen.good, seen.bad, strict=True)
            curves[policy] = [first_accepted(n, good, bad, k)[0] for n, good, bad in rows]
        points += [_point(policy, k, values, every) for policy, values in curves.items()]
        by_k[k] = curves
    gains = _gains(by_k)
    points.sort(key=lambda point: list(curves).index(str(point.at["policy"])))
    voted = [point for point in points if point.at["policy"] == VOTE]
    return origin.measurement(
        "best_of_k",
        quantity.ACCURACY,
        Tally.of(item.grade for item in every),
        value=voted[-1].estimate,
        points=points,
        parameters={**known, "k": most, "tried": len(groups), **gains, **_utilities(tallies.get(VERIFIER), most)},
        note=f"{len(groups)} problems of {most} samples each, none of them in the labelled sample that p, τ and φ come "
        "from. Where a verifier accepts nothing, no answer is given. The program verifier knows the answers and errs "
        f"as planted: it accepts {PLANTED[0]:.0%} of right and {PLANTED[1]:.0%} of wrong ones.",
    )


def _gains(curves: Mapping[int, Mapping[str, Sequence[float]]]) -> dict[str, Scalar]:
    """Differences between numbers of samples, and between verifiers, on the same problems."""
    ks = sorted(curves)
    most, half = ks[-1], ks[max(0, len(ks) - 2)]
    pairs = {f"gain.{policy}": (curves[1][policy], curves[most][policy]) for policy in curves[most]}
    pairs |= {f"last.{policy}": (curves[half][policy], curves[most][policy]) for policy in curves[most]}
    if {PROGRAM, VERIFIER} <= curves[most].keys():
        pairs[f"gain.{OVER}"] = (curves[most][VERIFIER], curves[most][PROGRAM])
    found: dict[str, Scalar] = {}
    for name, (before, after) in pairs.items():
        gained = np.array(after) - np.array(before)
        interval = mean_interval(gained)
        ends = {f"{name}_low": interval.low, f"{name}_high": interval.high}
        found[name] = float(gained.mean())
        found |= {key: end for key, end in ends.items() if end is not None}
    return found


def _utilities(seen: Problems | None, most: int) -> dict[str, Scalar]:
    if seen is None:
        return {}
    worth = {}
    for k in range(1, most + 1):
        pairs = [first_accepted(n, g, b, k) for n, g, b in zip(seen.n, seen.good, seen.bad, strict=True)]
        worth[k] = float(np.mean([right - wrong for right, wrong in pairs]))
    found: dict[str, Scalar] = {f"utility.{k}": worth[k] for k in counts(most)}
    best = max(worth, key=lambda k: (worth[k], -k))
    return found | {"best_k": best, "best_utility": worth[best]}


def accepted_accuracy(samples: Sequence[Answered], verifiers: Mapping[str, Verdicts], origin: Origin) -> Measurement:
    """Share right among the answers that a verifier accepts first, by the number of samples drawn.

    Returns:
        `reasoning.accepted_accuracy`, points at `policy` and `k`; the summary is the model's own verifier with all
        samples, None where it accepts nothing.
    """
    groups = _complete(samples)
    most = min(map(len, groups))
    every = [item for group in groups for item in group]
    rng = np.random.default_rng([origin.seed, 13])
    points = []
    for policy, verdicts in verifiers.items():
        seen = counted(every, verdicts)
        for k in counts(most):
            pairs = [first_accepted(n, g, b, k) for n, g, b in zip(seen.n, seen.good, seen.bad, strict=True)]
            value = _ratio(np.array(pairs), rng)
            if value is not None:
                points.append(Point(at={"policy": policy, "k": k}, estimate=value))
    own = [point for point in points if point.at["policy"] == VERIFIER]
    return origin.measurement(
        "accepted_accuracy",
        quantity.ACCEPTED_ACCURACY,
        Tally.of(item.grade for item in every),
        value=own[-1].estimate if own else None,
        points=points,
        note="" if own else "The model's own verifier accepted nothing.",
    )


def counts(most: int) -> list[int]:
    """Numbers of samples at which curves are read.

    >>> counts(6)
    [1, 2, 4, 6]
    """
    return sorted({2**power for power in range(20) if 2**power <= most} | {most})


def _is_right(item: Answered) -> bool:
    return item.grade is Grade.RIGHT


def _complete(samples: Sequence[Answered]) -> list[list[Answered]]:
    groups = list(by_problem(samples).values())
    most = max(map(len, groups), default=0)
    whole = [group for group in groups if len(group) == most]
    if len(whole) < 2:
        raise InsufficientDataError(f"A curve over samples needs at least 2 problems, got {len(whole)}.")
    return whole


def _point(policy: str, k: int, values: Sequence[float], samples: Sequence[Answered]) -> Point:
    artefacts = sum(item.grade in ARTEFACTS for item in samples)
    value = clustered_proportion(np.clip(values, 0.0, 1.0), np.ones(len(values)))
    share = round(artefacts * len(values) / len(samples))
    return Point(at={"policy": policy, "k": k}, estimate=msgspec.structs.replace(value, artefacts=share))


def _ratio(pairs: Floats, rng: np.random.Generator) -> Estimate | None:
    """Right over right and wrong, with a bootstrap interval over problems."""
    given = pairs.sum(axis=1)
    there = given > 0
    if there.sum() < 2:
        return None
    right, total = pairs[there, 0], given[there]
    value = float(right.sum() / total.sum())
    if right.sum() in (0.0, total.sum()):
        return clustered_proportion(np.full(int(there.sum()), value), np.ones(int(there.sum())))
    tail = expanded_tail(0.95, int(there.sum()))
    low, high = np.quantile(resampled_ratio(right, total, replicates=REPLICATES, rng=rng), [tail, 1 - tail])
    interval = Interval(low=float(low), high=float(high), level=0.95, method="cluster bootstrap, expanded percentile")
    return Estimate(value=value, interval=interval, n=int(there.sum()))
