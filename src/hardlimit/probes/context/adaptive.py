"""Where to ask next: effective context by adaptive placement, a few haystacks at a time."""

from collections.abc import Sequence

import msgspec

from hardlimit.core import ARTEFACTS, Answered, Case, Estimate, Grade, InvalidValueError
from hardlimit.probes.context.haystack import Count
from hardlimit.probes.context.needle import Needle, Variant
from hardlimit.stats.threshold import Batch, Belief, Search, Threshold


class Sequencer:
    """Chooses the lengths at which haystacks are asked about, until effective context is known well enough.

    It is pure: what comes next depends on the seed and the answers recorded, so that an interrupted run that is given
    its answers again goes on as if it had not been interrupted.

    >>> from hardlimit.core import Generated
    >>> search = Search(shortest=256, longest=1024, chance=1 / 8)
    >>> plan = Sequencer(Needle(), search, seed=0)
    >>> while (cases := plan.next()) is not None:
    ...     replies = [Generated(text=f"It is {case.gold[0]}.", finish="stop") for case in cases]
    ...     plan.record([Answered(case=case, reply=reply, grade=Grade.RIGHT) for case, reply in zip(cases, replies)])
    >>> plan.belief().outcome, plan.estimate().interval.high
    ('beyond', None)

    Args:
        probe: what is asked; the plan sets its length.
        search: what is looked for; `questions` must be the probe's `needles`.
        seed: of the haystacks.
        count: counts tokens as the model under test does; an estimate from words if None.
        at_once: haystacks per step, for models that answer many requests at a time.
        beside: a variant that is asked about every haystack too, at the price of its questions alone; it decides
            nothing. Only `literal` and `no overlap` share their haystacks.
    """

    def __init__(
        self,
        probe: Needle,
        search: Search,
        *,
        seed: int,
        count: Count | None = None,
        at_once: int = 1,
        beside: Variant | None = None,
    ) -> None:
        if search.questions != probe.needles or at_once < 1:
            raise InvalidValueError(
                "Sequencer needs search.questions equal to probe.needles and at_once >= 1, got "
                f"{search.questions}, {probe.needles} and {at_once}."
            )
        if beside is not None and (beside == probe.variant or "distractor" in (beside, probe.variant)):
            raise InvalidValueError(
                f"A Sequencer of the variant '{probe.variant}' cannot ask '{beside}' beside it: only 'literal' and "
                "'no overlap' share their haystacks."
            )
        self._probe, self._seed, self._count = probe, seed, count
        self._at_once, self._beside = at_once, beside
        self._threshold = Threshold(search)
        self._asked = self._artefacts = 0

    @property
    def probe(self) -> Needle:
        """What is asked, at no length in particular."""
        return self._probe

    def next(self) -> list[Case] | None:
        """Make the next cases, haystack by haystack; None when what is looked for is settled."""
        if self.belief().outcome != "open":
            return None
        cases: list[Case] = []
        for length in self._threshold.place(self._at_once):
            here = msgspec.structs.replace(self._probe, length=round(length))
            cases += here.haystack(self._seed, self._asked, self._count)
            if self._beside is not None:
                twin = msgspec.structs.replace(here, variant=self._beside)
                cases += twin.haystack(self._seed, self._asked, self._count)
            self._asked += 1
        return cases

    def record(self, answered: Sequence[Answered]) -> None:
        """Learn from answers; a haystack that was not asked to the end counts with the questions it has."""
        own = [item for item in answered if item.case.factors["variant"] == self._probe.variant]
        self._artefacts += sum(item.grade in ARTEFACTS for item in own)
        for batch in batches(own):
            self._threshold.record(batch)

    def belief(self) -> Belief:
        """What the answers so far say."""
        return self._threshold.belief()

    def estimate(self) -> Estimate | None:
        """Effective context with its credible interval; None where the base accuracy is too low to have one."""
        return self._threshold.estimate(self._artefacts)


def batches(answered: Sequence[Answered]) -> list[Batch]:
    """Count the right answers of each haystack, artefacts in the denominator."""
    haystacks: dict[str, list[Answered]] = {}
    for item in answered:
        haystacks.setdefault(item.case.cluster, []).append(item)
    return [
        Batch(
            length=float(items[0].case.factors["length"]),
            right=sum(item.grade is Grade.RIGHT for item in items),
            n=len(items),
        )
        for items in haystacks.values()
    ]
