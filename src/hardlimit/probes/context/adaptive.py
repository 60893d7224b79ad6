"""Where to ask next: effective context by adaptive placement, one haystack after another."""

from collections.abc import Callable, Sequence

import msgspec

from hardlimit.core import ARTEFACTS, Answered, Case, Estimate, Grade, InvalidValueError
from hardlimit.probes.context.needle import OPTIONS, Needle
from hardlimit.probes.context.prose import vocabulary
from hardlimit.stats.threshold import Batch, Belief, Search, Threshold


def tokens_per_word(count: Callable[[str], int]) -> float:
    """Measure what a word of the haystack costs a model, on text like the haystack's.

    Args:
        count: the model's own token count of a text.

    >>> round(tokens_per_word(lambda text: len(text.split())), 2)
    1.0
    """
    case = Needle(length=1500, tokens_per_word=1.0, setting="removed").haystack(0, 0)[0]
    text = case.ask.messages[0].content
    return count(text) / len(text.split())


class Sequencer:
    """Chooses the lengths at which haystacks are asked about, until effective context is known well enough.

    It is pure: what comes next depends on the answers recorded and the seed alone, so that an interrupted run goes on
    as if it had not been.

    >>> from hardlimit.core import Generated
    >>> plan = Sequencer(Needle(variant="literal"), Search(shortest=64, longest=256, questions=1), seed=0)
    >>> cases = plan.next()
    >>> sorted({case.factors["length"] for case in cases})
    [64]

    Args:
        probe: what is asked; its length is set by the plan, its variant, needles and tokens per word stay.
        search: what is looked for; `questions` has to be the probe's `needles`.
        seed: of the haystacks.
        at_once: haystacks per step.
    """

    def __init__(self, probe: Needle, search: Search, *, seed: int, at_once: int = 4) -> None:
        if search.questions != probe.needles or at_once < 1:
            raise InvalidValueError(
                "Sequencer needs search.questions equal to probe.needles and at_once >= 1, got "
                f"{search.questions}, {probe.needles} and {at_once}."
            )
        self._probe, self._seed, self._at_once = probe, seed, at_once
        self._threshold = Threshold(search)
        self._asked = 0
        self._artefacts = 0

    def next(self) -> list[Case] | None:
        """Make the next cases, all to be asked at once; None when what is looked for is settled."""
        if self._asked and self.belief().outcome != "open":
            return None
        cases = []
        for length in self._threshold.place(self._at_once):
            here = msgspec.structs.replace(self._probe, length=round(length))
            cases += here.haystack(self._seed, self._asked)
            self._asked += 1
        return cases

    def record(self, answered: Sequence[Answered]) -> None:
        """Learn from answers; a haystack of which some questions are missing counts with those that are there."""
        haystacks: dict[str, list[Answered]] = {}
        for item in answered:
            haystacks.setdefault(item.case.cluster, []).append(item)
            self._artefacts += item.grade in ARTEFACTS
        for items in haystacks.values():
            right = sum(item.grade is Grade.RIGHT for item in items)
            self._threshold.record(Batch(length=float(items[0].case.factors["length"]), right=right, n=len(items)))

    def belief(self) -> Belief:
        """What the answers so far say."""
        return self._threshold.belief()

    def estimate(self) -> Estimate | None:
        """Effective context with its credible interval; None where the base accuracy is too low to have one."""
        return self._threshold.estimate(self._artefacts)


CHANCE = 1 / OPTIONS
"""Accuracy of guessing among the names."""
