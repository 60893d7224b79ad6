"""A mitigation beside the model alone: the same cases, a paired test, and what it costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from msgspec import structs

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import Mitigation
from hardlimit.audit.judging import judge
from hardlimit.core import ARTEFACTS, Answered, Case, Estimate, Grade, Interval
from hardlimit.mitigations import Policy
from hardlimit.models import Model, Studies
from hardlimit.probes import Probe
from hardlimit.stats import Paired, compare_clustered, compare_paired, estimate, holm, paired_difference_interval

MARGIN = 0.05
"""Least change of a share that counts as one."""

FEWEST = 10
"""Below as many cases nothing is said."""

FEWEST_CLUSTERS = 3
"""Nor with fewer haystacks, or whatever cases share: two cannot tell how much they differ."""

_DRAWS = 230
"""Seed of the draws of whole clusters; the same answers give the same interval."""


@dataclass(frozen=True)
class Outcome:
    """What is counted about an answer."""

    name: str
    better: Literal["higher", "lower"]
    counts: Callable[[Answered], bool]


RIGHT: Final = Outcome("right answers", "higher", lambda item: item.grade is Grade.RIGHT)
WRONG: Final = Outcome(
    "wrong or unusable answers", "lower", lambda item: item.grade is Grade.WRONG or item.grade in ARTEFACTS
)
ANSWERED: Final = Outcome("answered questions", "higher", lambda item: item.grade in (Grade.RIGHT, Grade.WRONG))


@dataclass(frozen=True)
class Trial:
    """A policy to try, and what is counted on its answers.

    Args:
        name: in words.
        policy: what is put around the model; or a model that is asked instead, such as this one with a change inside.
        outcomes: what is counted, the one it is meant for first.
        rewords: whether the model is asked other words than the case's; a toy knows only the cases it was shown.
    """

    name: str
    policy: Policy | Model
    outcomes: tuple[Outcome, ...] = (RIGHT,)
    rewords: bool = True


def measured(desk: Desk, probe: Probe, cases: Sequence[Case], trials: Sequence[Trial]) -> tuple[Mitigation, ...]:
    """Ask and compare as `tried` does, and adjust the p-values by Holm over all entries."""
    return adjusted(tried(desk, probe, cases, trials))


def tried(desk: Desk, probe: Probe, cases: Sequence[Case], trials: Sequence[Trial]) -> list[Mitigation]:
    """Ask cases without and with each policy, as far as the budget allows, and compare on those that both answered.

    Args:
        desk: of the model alone; each policy gets an equal share of what it has left when its turn comes.
        probe: who grades.
        cases: the same for all.
        trials: policies, the most important first.

    Returns:
        One entry per policy and outcome, with p-values that are not adjusted yet; a policy with fewer than ten answered
        cases, or whose cases come from fewer than three haystacks, has none.
    """
    trials = [trial for trial in trials if not (trial.rewords and isinstance(desk.model, Studies))]
    alone = {item.case.id: item for item in desk.share(1 / (1 + len(trials))).ask(probe, cases, what="without help")}
    found: list[Mitigation] = []
    for place, trial in enumerate(trials):
        share = desk.share(1 / (len(trials) - place))
        helped = _helped(share, trial).ask(
            probe, [case for case in cases if case.id in alone], what=f"with {trial.name}"
        )
        if len(helped) >= FEWEST and len(set(clusters_of(helped))) >= FEWEST_CLUSTERS:
            found += [compared(trial, outcome, alone, helped) for outcome in trial.outcomes]
    return found


def _helped(desk: Desk, trial: Trial) -> Desk:
    return desk.with_model(trial.policy) if isinstance(trial.policy, Model) else desk.through(trial.policy)


def compared(trial: Trial, outcome: Outcome, alone: dict[str, Answered], helped: Sequence[Answered]) -> Mitigation:
    """Compare the answers with a policy to those without, case by case; the p-value is not adjusted yet."""
    before = [alone[item.case.id] for item in helped]
    paired = _paired(outcome, before, helped)
    sign = 1 if outcome.better == "higher" else -1
    gain = Estimate(
        value=sign * paired.difference.value, interval=_signed(paired.difference.interval, sign), n=len(helped)
    )
    tokens, calls = _per_question(before), _per_question(helped)
    return Mitigation(
        name=trial.name,
        policy=trial.policy.card.name if isinstance(trial.policy, Model) else repr(trial.policy),
        outcome=outcome.name,
        better=outcome.better,
        before=_share(outcome, before),
        after=_share(outcome, helped),
        difference=paired.difference,
        p_value=paired.p_value,
        verdict=judge(gain, margin=MARGIN),
        tokens=(tokens[0], calls[0]),
        calls=(tokens[1], calls[1]),
        says=_says(trial, outcome, before, helped),
    )


def _paired(outcome: Outcome, before: Sequence[Answered], after: Sequence[Answered]) -> Paired:
    """Compare case by case; where several cases share a haystack or the like, that is what is drawn and flipped.

    Few clusters that all agree would give the bootstrap an interval of no width. So it is made at least as wide as if
    the cases of a cluster told no more than one, which is the worst that sharing can do.
    """
    first, second = ([outcome.counts(item) for item in items] for items in (before, after))
    clusters = clusters_of(after)
    count = len(set(clusters))
    if count == len(clusters):
        return compare_paired(first, second)
    found = compare_clustered(first, second, clusters, rng=np.random.default_rng(_DRAWS))
    worse, better = (round(part * count / len(clusters)) for part in (found.only_first, found.only_second))
    interval = _hull(found.difference.interval, paired_difference_interval(worse, better, count))
    return structs.replace(found, difference=structs.replace(found.difference, interval=interval))


def _hull(first: Interval, second: Interval) -> Interval:
    lows, highs = (first.low, second.low), (first.high, second.high)
    return Interval(
        low=min(low for low in lows if low is not None),
        high=max(high for high in highs if high is not None),
        level=first.level,
        method=f"{first.method}, at least that of one case a cluster",
    )


def clusters_of(items: Sequence[Answered]) -> list[str]:
    """What each case shares with others; a case that shares nothing stands for itself."""
    return [item.case.cluster or item.case.id for item in items]


def adjusted(found: Sequence[Mitigation]) -> tuple[Mitigation, ...]:
    """Adjust the p-values of the mitigations of one limit (Holm)."""
    if not found:
        return ()
    p_values = holm([each.p_value for each in found])
    return tuple(structs.replace(each, p_value=float(p)) for each, p in zip(found, p_values, strict=True))


def _signed(interval: Interval, sign: int) -> Interval:
    if sign > 0:
        return interval
    low = None if interval.high is None else -interval.high
    high = None if interval.low is None else -interval.low
    return Interval(low=low, high=high, level=interval.level, method=interval.method)


def _share(outcome: Outcome, items: Sequence[Answered]) -> Estimate:
    artefacts = sum(item.grade in ARTEFACTS for item in items)
    return estimate(sum(map(outcome.counts, items)), len(items), artefacts)


def _per_question(items: Sequence[Answered]) -> tuple[float, float]:
    """Tokens computed and calls, per question."""
    usages = [item.reply.usage for item in items]
    return (
        sum(usage.computed_tokens for usage in usages) / len(items),
        sum(usage.calls for usage in usages) / len(items),
    )


def _says(trial: Trial, outcome: Outcome, before: Sequence[Answered], after: Sequence[Answered]) -> str:
    n = len(after)
    first, second = sum(map(outcome.counts, before)), sum(map(outcome.counts, after))
    declined = sum(item.grade is Grade.ABSTAINED for item in after)
    broken = sum(item.grade in ARTEFACTS for item in after)
    rest = [f"{declined} declined"] * bool(declined) + [f"{broken} unusable"] * bool(broken)
    aside = f" ({', '.join(rest)} of {n})" if rest else ""
    return f"With {trial.name}, {second} of {n} are {outcome.name} instead of {first}{aside}."
