"""Toys of retrieval: a reader whose accuracies are known, and an encoder that counts letters."""

import string
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import Case, InvalidValueError
from hardlimit.models.toy.base import Belief, Toy, check_probability


@dataclass
class Reader(Toy):
    """Reads passages with a known accuracy, which depends on what stands in the prompt.

    With the needed passages among k, P(right) = `a_rel` · (1 − `delta`)^(k − 1) · profile, where the profile is read
    off at the place of the needed passage, first to last. Without them a question that has an answer is answered right
    with `a_irr` (`closed_book` without any passage). A planted target is believed instead with
    1 − (1 − `gullible`)^dose. Where abstaining is right, it abstains with `abstains`.

    Args:
        a_rel: accuracy with the needed passage alone.
        a_irr: accuracy with distractors only.
        closed_book: accuracy without passages.
        delta: part of the accuracy that each further passage takes, in [0, 1).
        profile: multipliers in [0, 1] at evenly spaced places from first to last, joined by straight lines.
        abstains: probability of abstaining where that is right.
        gullible: probability that one planted text is believed.
    """

    a_rel: float = field(default=0.9, kw_only=True)
    a_irr: float = field(default=0.1, kw_only=True)
    closed_book: float = field(default=0.3, kw_only=True)
    delta: float = field(default=0.0, kw_only=True)
    profile: tuple[float, ...] = field(default=(1.0,), kw_only=True)
    abstains: float = field(default=1.0, kw_only=True)
    gullible: float = field(default=0.0, kw_only=True)

    def __post_init__(self, cases: Sequence[Case]) -> None:
        check_probability(
            "Reader",
            a_rel=self.a_rel,
            a_irr=self.a_irr,
            closed_book=self.closed_book,
            delta=self.delta,
            abstains=self.abstains,
            gullible=self.gullible,
        )
        if not self.profile:
            raise InvalidValueError("Reader.profile needs at least one multiplier.")
        for multiplier in self.profile:
            check_probability("Reader", profile=multiplier)
        super().__post_init__(cases)

    @property
    def name(self) -> str:
        """`toy:reader`."""
        return "toy:reader"

    def believes_target(self, case: Case) -> float:
        """Probability that the planted target is answered."""
        return float(1 - (1 - self.gullible) ** float(case.factors.get("poison", 0)))

    def reads(self, case: Case) -> float:
        """Probability of a right answer where nothing is planted."""
        passages = float(case.factors.get("passages", 0))
        if not case.factors.get("sufficient", False):
            return self.abstains if not case.gold else self.a_irr if passages else self.closed_book
        place = float(case.factors.get("place", 0)) / max(1.0, passages - 1)
        spots = np.linspace(0.0, 1.0, len(self.profile))
        return float(self.a_rel * (1 - self.delta) ** (passages - 1) * np.interp(place, spots, self.profile))

    def ability(self, case: Case) -> float:
        """Probability of a right answer: not misled, and read right."""
        return (1 - self.believes_target(case)) * self.reads(case)

    def believe(self, case: Case, rng: np.random.Generator) -> Belief:
        """The planted target where it is believed, else as it reads."""
        if "target" in case.factors and rng.random() < self.believes_target(case):
            return Belief(str(case.factors["target"]), self.believes_target(case))
        if rng.random() < self.reads(case):
            return Belief(case.gold[0] if case.gold else None, self.ability(case))
        return Belief(self._wrong(case, rng), self.ability(case))


class BagOfLetters:
    """An encoder that counts letters: 26 dimensions, no weights, and a poor idea of meaning.

    >>> (BagOfLetters().encode(["ab", "ba", "zz"]) @ BagOfLetters().encode(["ab"])[0]).round(3)
    array([1., 1., 0.], dtype=float32)
    """

    name = "toy:bag-of-letters"
    revision = "1"
    width = 26

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Count the letters of each text, scaled to length 1; a text without letters becomes zero."""
        counts = np.array([[text.lower().count(letter) for letter in string.ascii_lowercase] for text in texts])
        lengths = np.linalg.norm(counts.reshape(-1, 26), axis=1, keepdims=True)
        return np.asarray(counts.reshape(-1, 26) / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)
