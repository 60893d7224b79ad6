"""Where to ask next: the threshold of a family by adaptive placement, a batch of problems at a time."""

from collections.abc import Iterable, Sequence

from hardlimit.core import ARTEFACTS, Answered, Case, Estimate, Grade, InvalidValueError
from hardlimit.probes.reasoning.family import BATCH, Family
from hardlimit.probes.reasoning.threshold import Belief, Ladder, Threshold, Trial


class Climb:
    """Chooses the levels at which problems are asked, until the threshold is known well enough.

    It is pure: what comes next depends on the seed and the answers recorded, so that an interrupted run that is given
    its answers again goes on as if it had not been interrupted.

    >>> from hardlimit.core import Generated
    >>> from hardlimit.probes.reasoning import Hops
    >>> plan = Climb(Hops(), Ladder.of(Hops(), levels=(1, 2, 4)), seed=0)
    >>> while (cases := plan.next()) is not None:
    ...     replies = [Generated(text=f"Answer: {case.gold[0]}", finish="stop") for case in cases]
    ...     plan.record([Answered(case=case, reply=reply, grade=Grade.RIGHT) for case, reply in zip(cases, replies)])
    >>> plan.belief().outcome, plan.estimate().interval.high
    ('beyond', None)

    Args:
        probe: what is asked; the plan sets its level.
        ladder: the levels, and when to stop.
        seed: of the problems.
        at_once: batches per step, for models that answer many requests at a time.
    """

    def __init__(self, probe: Family, ladder: Ladder, *, seed: int, at_once: int = 1) -> None:
        if at_once < 1:
            raise InvalidValueError(f"Climb needs at_once >= 1, got {at_once}.")
        self._probe, self._ladder, self._seed, self._at_once = probe, ladder, seed, at_once
        self._threshold = Threshold(ladder, batch=BATCH)
        self._asked = self._artefacts = 0

    @property
    def probe(self) -> Family:
        """What is asked, at no level in particular."""
        return self._probe

    @property
    def ladder(self) -> Ladder:
        """The levels."""
        return self._ladder

    def next(self) -> list[Case] | None:
        """Make the next cases, batch by batch; None when the threshold is settled or the batches are spent."""
        if self.belief().outcome != "open" or self._asked >= self._ladder.most_batches:
            return None
        cases: list[Case] = []
        for level in self._threshold.place(self._at_once):
            cases += self._probe.at(level).batch(self._seed, self._asked)
            self._asked += 1
        return cases

    def record(self, answered: Sequence[Answered]) -> None:
        """Learn from answers; a batch that was not asked to the end counts with the questions it has."""
        self._artefacts += sum(item.grade in ARTEFACTS for item in answered)
        for trial in trials(answered):
            self._threshold.record(trial)

    def belief(self) -> Belief:
        """What the answers so far say."""
        return self._threshold.belief()

    def estimate(self) -> Estimate:
        """The threshold with its credible interval."""
        return self._threshold.estimate(self._artefacts)


def trials(answered: Iterable[Answered]) -> list[Trial]:
    """Count the right answers of each batch, artefacts in the denominator."""
    batches: dict[tuple[str, int], list[Answered]] = {}
    for item in answered:
        batches.setdefault((item.case.cluster, int(item.case.factors.get("level", 0))), []).append(item)
    return [
        Trial(level=level, right=sum(item.grade is Grade.RIGHT for item in items), n=len(items))
        for (_, level), items in batches.items()
    ]
