"""The toys: each has one known strength or weakness, so that probes and statistics can be calibrated on it."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from hardlimit.core import Case, Generate, Generated, InvalidValueError, Score, See
from hardlimit.models.toy.base import (
    CHARACTERS_PER_TOKEN,
    Belief,
    Toy,
    check_probability,
    key_of,
    options_of,
    prompt_of,
)


@dataclass
class Perfect(Toy):
    """Right with probability `accuracy`, and sure of exactly that; where abstaining is right, it abstains.

    >>> from hardlimit.core import Case, Generate, Message
    >>> ask = Generate(messages=(Message(role="user", content="Capital of France?"),), max_tokens=16)
    >>> toy = Perfect([Case(id="fr", ask=ask, gold=("Paris",))])
    >>> [(index, "Paris" in reply.text) for index, reply in toy.generate([ask])]
    [(0, True)]
    """

    accuracy: float = field(default=1.0, kw_only=True)

    def __post_init__(self, cases: Sequence[Case]) -> None:
        check_probability("Perfect", accuracy=self.accuracy)
        super().__post_init__(cases)

    @property
    def name(self) -> str:
        """`toy:perfect`."""
        return "toy:perfect"

    def ability(self, case: Case) -> float:
        """Probability of a right answer: `accuracy` for every case."""
        return self.accuracy


@dataclass
class Sighted(Perfect):
    """A perfect toy with eyes: it knows only what it sees, and guesses when there is no image."""

    @property
    def name(self) -> str:
        """`toy:sighted`."""
        return "toy:sighted"

    def ability(self, case: Case) -> float:
        """`accuracy` with an image, a guess without one."""
        blind = isinstance(case.ask, See) and not case.ask.images
        return (1 / options_of(case) if case.gold else 0.0) if blind else self.accuracy

    def see(self, requests: Sequence[See]) -> Iterator[tuple[int, Generated]]:
        """Answer each request in order."""
        for index, request in enumerate(requests):
            yield index, self._answer(request)


@dataclass
class Guessing(Toy):
    """Chooses evenly among the right answer and the lures; it never abstains.

    Args:
        options: how many answers it chooses from, >= 2; None counts the case's lures and its right answer.
    """

    options: int | None = field(default=None, kw_only=True)

    def __post_init__(self, cases: Sequence[Case]) -> None:
        if self.options is not None and self.options < 2:
            raise InvalidValueError(f"Guessing.options must be >= 2, got {self.options}.")
        super().__post_init__(cases)

    @property
    def name(self) -> str:
        """`toy:guessing`."""
        return "toy:guessing"

    def ability(self, case: Case) -> float:
        """1 / options, and 0 where abstaining is right."""
        return 1 / (self.options or options_of(case)) if case.gold else 0.0

    def confidence(self, case: Case) -> float:
        """1 / options: a guesser knows that it guesses."""
        return 1 / (self.options or options_of(case))


@dataclass
class FiniteMemory(Toy):
    """Knows only what stands in the last `tokens` tokens of the prompt.

    A case is answered right if and only if the last occurrence of a gold answer in the prompt begins within the last
    `tokens` tokens (4 characters each). With the needle at a uniform depth of a prompt of L tokens, the accuracy is
    about min(1, tokens / L), plus the guesses. It knows no fact of the world.

    Args:
        tokens: how far back it remembers, >= 1.
        otherwise: whether it guesses (one in options) or abstains when the answer is out of reach.
    """

    tokens: int = field(default=1024, kw_only=True)
    otherwise: str = field(default="guess", kw_only=True)

    def __post_init__(self, cases: Sequence[Case]) -> None:
        if self.tokens < 1 or self.otherwise not in {"guess", "abstain"}:
            raise InvalidValueError(
                "FiniteMemory needs tokens >= 1 and otherwise 'guess' or 'abstain', "
                f"got tokens={self.tokens}, otherwise={self.otherwise!r}."
            )
        super().__post_init__(cases)

    @property
    def name(self) -> str:
        """`toy:finite-memory-TOKENS`."""
        return f"toy:finite-memory-{self.tokens}"

    def remembers(self, case: Case) -> bool:
        """Whether a gold answer stands in the part of the prompt that is remembered."""
        prompt = prompt_of(case.ask.messages)
        within = prompt[-self.tokens * CHARACTERS_PER_TOKEN :]
        return any(gold and gold in within for gold in case.gold)

    def ability(self, case: Case) -> float:
        """1 where it remembers; else a guess, or 0, or 1 where abstaining is both right and what it does."""
        if self.remembers(case):
            return 1.0
        if self.otherwise == "abstain":
            return 0.0 if case.gold else 1.0
        return 1 / options_of(case) if case.gold else 0.0

    def confidence(self, case: Case) -> float:
        """1 where it remembers or abstains, else that of a guess."""
        return 1.0 if self.remembers(case) or self.otherwise == "abstain" else 1 / options_of(case)

    def believe(self, case: Case, rng: np.random.Generator) -> Belief:
        """What it remembers, else a guess or an abstention."""
        if not self.remembers(case) and self.otherwise == "abstain":
            return Belief(None, 1.0)
        return super().believe(case, rng)


@dataclass
class Overconfident(Toy):
    """Always answers and always claims `claims`, while its error falls with popularity as a power law.

    P(wrong) = min(1, (popularity / scale)^(−exponent)); a case without the factor is right with `elsewhere`.

    Args:
        factor: name of the popularity factor.
        scale: popularity below which it is always wrong, > 0.
        exponent: of the long tail, >= 0.
        elsewhere: accuracy on cases without the factor.
        claims: the probability it gives to every answer.
    """

    factor: str = field(default="popularity", kw_only=True)
    scale: float = field(default=1000.0, kw_only=True)
    exponent: float = field(default=0.3, kw_only=True)
    elsewhere: float = field(default=0.5, kw_only=True)
    claims: float = field(default=0.99, kw_only=True)

    def __post_init__(self, cases: Sequence[Case]) -> None:
        check_probability("Overconfident", elsewhere=self.elsewhere, claims=self.claims)
        if self.scale <= 0 or self.exponent < 0:
            raise InvalidValueError(
                f"Overconfident needs scale > 0 and exponent >= 0, got scale={self.scale}, exponent={self.exponent}."
            )
        super().__post_init__(cases)

    @property
    def name(self) -> str:
        """`toy:overconfident`."""
        return "toy:overconfident"

    def ability(self, case: Case) -> float:
        """The power law of popularity, and 0 where abstaining is right."""
        if not case.gold:
            return 0.0
        popularity = case.factors.get(self.factor)
        if popularity is None:
            return self.elsewhere
        return 1.0 - math.exp(-self.exponent * max(0.0, math.log(max(float(popularity), self.scale) / self.scale)))

    def confidence(self, case: Case) -> float:
        """`claims`, whatever the case."""
        return self.claims


@dataclass
class Abstaining(Toy):
    """Never answers, whatever it is asked and whether it has studied it or not."""

    @property
    def name(self) -> str:
        """`toy:abstaining`."""
        return "toy:abstaining"

    def ability(self, case: Case) -> float:
        """1 where abstaining is right, else 0."""
        return 0.0 if case.gold else 1.0

    def confidence(self, case: Case) -> float:
        """Sure that it will not answer."""
        return 1.0

    def believe(self, case: Case, rng: np.random.Generator) -> Belief:
        """Nothing."""
        return Belief(None, 1.0)

    def _recall(self, ask: Generate | Score | See) -> Case:
        return Case(id="", ask=ask, gold=())


@dataclass
class Calibrated(Toy):
    """Right with a probability of its own for each case, uniform in [low, high], which its log-probabilities state.

    The sum of an answer's token log-probabilities is the logarithm of the probability that the answer is right.
    """

    low: float = field(default=0.0, kw_only=True)
    high: float = field(default=1.0, kw_only=True)

    def __post_init__(self, cases: Sequence[Case]) -> None:
        check_probability("Calibrated", low=self.low, high=self.high)
        if self.low > self.high:
            raise InvalidValueError(f"Calibrated needs low <= high, got low={self.low}, high={self.high}.")
        super().__post_init__(cases)

    @property
    def name(self) -> str:
        """`toy:calibrated`."""
        return "toy:calibrated"

    def ability(self, case: Case) -> float:
        """The case's own probability, drawn from the toy's seed and the case."""
        text = f"{self.seed}\0ability\0".encode() + key_of(case.ask)
        uniform = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) / 2**64
        return self.low + (self.high - self.low) * uniform


@dataclass
class Psychometric(Toy):
    """Accuracy falls with a factor along a logistic curve in its logarithm.

    P(right) = guess + (1 − guess − lapse) / (1 + (x / threshold)^slope), halfway down at x = threshold.

    Args:
        factor: name of the knob, such as `length`.
        threshold: where the curve is halfway between 1 − lapse and guess, > 0.
        slope: steepness, > 0.
        guess: accuracy at infinite x.
        lapse: one minus the accuracy at x = 0.
    """

    factor: str = field(default="length", kw_only=True)
    threshold: float = field(default=1024.0, kw_only=True)
    slope: float = field(default=4.0, kw_only=True)
    guess: float = field(default=0.0, kw_only=True)
    lapse: float = field(default=0.0, kw_only=True)

    def __post_init__(self, cases: Sequence[Case]) -> None:
        check_probability("Psychometric", guess=self.guess, lapse=self.lapse)
        if self.threshold <= 0 or self.slope <= 0 or self.guess + self.lapse > 1:
            raise InvalidValueError(
                "Psychometric needs threshold > 0, slope > 0 and guess + lapse <= 1, got "
                f"threshold={self.threshold}, slope={self.slope}, guess={self.guess}, lapse={self.lapse}."
            )
        super().__post_init__(cases)

    @property
    def name(self) -> str:
        """`toy:psychometric-THRESHOLD`."""
        return f"toy:psychometric-{self.threshold:g}"

    def accuracy_at(self, x: float) -> float:
        """The curve.

        >>> Psychometric(threshold=1000, guess=0.2, lapse=0.2).accuracy_at(1000)
        0.5
        """
        falling = 0.0 if x <= 0 else self.slope * math.log(x / self.threshold)
        share = 1.0 if x <= 0 else 1 / (1 + math.exp(min(falling, 700.0)))
        return self.guess + (1 - self.guess - self.lapse) * share

    def effective(self, ratio: float = 0.85) -> float:
        """The x at which the accuracy is `ratio` of that at x = 0; refused where it never falls so far.

        >>> round(Psychometric(threshold=1000, slope=1).effective(0.5))
        1000
        """
        top = 1 - self.lapse
        share = (ratio * top - self.guess) / (top - self.guess) if top > self.guess else 0.0
        if not 0 < share < 1:
            raise InvalidValueError(f"This curve never falls to {ratio:g} of its top: guess is {self.guess:g}.")
        return float(self.threshold * ((1 - share) / share) ** (1 / self.slope))

    def ability(self, case: Case) -> float:
        """The curve at the case's factor; a case without it counts as x = 0."""
        return self.accuracy_at(float(case.factors.get(self.factor, 0.0)))
