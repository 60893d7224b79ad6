"""A toy that reasons: with a planted threshold and slope, thoughts that take tokens, a weakness for the familiar."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hardlimit.core import Case, Generate, Generated, InvalidValueError, See, Usage
from hardlimit.models.toy.base import CHARACTERS_PER_TOKEN, Belief, Toy, check_probability, options_of

_THOUGHT = "then the next thing follows, "


@dataclass
class Reasoner(Toy):
    """Right with a probability that falls with difficulty and is half way between chance and 1 at its threshold.

    P(right) = c + (1 − c)(1 − lapse) / (1 + (x / m)^slope) over the factor `difficulty`, x, where c is the chance of a
    guess and m is set so that P is (1 + c) / 2 at the threshold. A case without the factor counts as x = 0. Told to
    think (the factor `scratchpad`), it writes its thoughts before its answer, some tokens for each step (the factor
    `steps`), and is cut short where the token limit does not suffice.

    Args:
        threshold: the planted difficulty, without a scratchpad, > 0.
        slope: steepness, > 0.
        lapse: one minus the accuracy at x = 0 as a share of what is above chance, in [0, 0.5).
        thinking: factor by which a scratchpad moves the threshold, > 0.
        tokens_per_step: of its thoughts, >= 0.
        guesses: whether it guesses among the options of a case when it is not able; else chance is 0.
        familiar: probability of the familiar answer (the first lure) where the factor `form` is `changed`.
    """

    threshold: float = field(default=4.0, kw_only=True)
    slope: float = field(default=4.0, kw_only=True)
    lapse: float = field(default=0.0, kw_only=True)
    thinking: float = field(default=2.0, kw_only=True)
    tokens_per_step: int = field(default=12, kw_only=True)
    guesses: bool = field(default=True, kw_only=True)
    familiar: float = field(default=0.0, kw_only=True)

    def __post_init__(self, cases: Sequence[Case]) -> None:
        check_probability("Reasoner", lapse=self.lapse, familiar=self.familiar)
        if min(self.threshold, self.slope, self.thinking) <= 0 or self.lapse >= 0.5 or self.tokens_per_step < 0:
            raise InvalidValueError(
                "Reasoner needs threshold, slope and thinking > 0, lapse < 0.5 and tokens_per_step >= 0, got "
                f"{self.threshold:g}, {self.slope:g}, {self.thinking:g}, {self.lapse:g} and {self.tokens_per_step}."
            )
        super().__post_init__(cases)

    @property
    def name(self) -> str:
        """`toy:reasoner-THRESHOLD`."""
        return f"toy:reasoner-{self.threshold:g}"

    def accuracy_at(self, x: float, *, chance: float = 0.0, thinks: bool = False) -> float:
        """The curve.

        >>> Reasoner(threshold=8).accuracy_at(8), Reasoner(threshold=8).accuracy_at(16, chance=0.25, thinks=True)
        (0.5, 0.625)
        """
        threshold = self.threshold * (self.thinking if thinks else 1.0)
        # At the threshold the logistic is 1 / (2 (1 − lapse)), so that m^slope = threshold^slope / (1 − 2 lapse).
        odds = (1 - 2 * self.lapse) * math.exp(min(self.slope * math.log(x / threshold), 700.0)) if x > 0 else 0.0
        return chance + (1 - chance) * (1 - self.lapse) / (1 + odds)

    def ability(self, case: Case) -> float:
        """The curve at the case's difficulty."""
        chance = 1 / options_of(case) if self.guesses else 0.0
        x = float(case.factors.get("difficulty", 0.0))
        return self.accuracy_at(x, chance=chance, thinks=case.factors.get("scratchpad") is True)

    def believe(self, case: Case, rng: np.random.Generator) -> Belief:
        """The familiar answer where it falls for it, else what it is able to."""
        if case.factors.get("form") == "changed" and case.lures and rng.random() < self.familiar:
            return Belief(case.lures[0], self.confidence(case))
        return super().believe(case, rng)

    def _write(self, ask: Generate | See, case: Case, belief: Belief, prompt: int) -> Generated:
        if case.factors.get("scratchpad") is not True or belief.answer is None:
            return super()._write(ask, case, belief, prompt)
        thoughts = int(case.factors.get("steps", 1)) * self.tokens_per_step * CHARACTERS_PER_TOKEN
        filler = _THOUGHT * (thoughts // len(_THOUGHT) + 1)
        full = f"{filler[:thoughts]}\nAnswer: {belief.answer}"
        text = full[: ask.max_tokens * CHARACTERS_PER_TOKEN]
        return Generated(
            text=text,
            finish="stop" if text == full else "length",
            usage=Usage(prompt_tokens=prompt, completion_tokens=self.count_tokens(text)),
        )
