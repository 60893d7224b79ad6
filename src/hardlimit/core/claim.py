"""Claims: what theory says, under which hypotheses, from which source, and what would falsify it."""

from enum import StrEnum
from typing import Literal, TypeAlias

from hardlimit.core.errors import InvalidValueError
from hardlimit.core.quantity import Quantity
from hardlimit.core.values import Value
from hardlimit.core.verdict import Resource, Verdict

Scalar: TypeAlias = bool | int | float | str


class Limit(StrEnum):
    """The five limits of the paper, and the one about measuring itself."""

    HALLUCINATION = "hallucination"
    CONTEXT = "context"
    REASONING = "reasoning"
    RETRIEVAL = "retrieval"
    MULTIMODAL = "multimodal"
    EVALUATION = "evaluation"


class Status(StrEnum):
    """How well a statement stands."""

    PROVED = "proved"
    CORRECTED = "corrected"
    ASSUMPTION = "assumption"
    EMPIRICAL = "empirical"
    REFUTED = "refuted"


class Source(Value, frozen=True):
    """Where a statement comes from, to the theorem number.

    Args:
        title: authors, short title, year.
        locator: theorem, equation, section or table inside it.
        url: arXiv identifier or address, where there is one.
    """

    title: str
    locator: str | None = None
    url: str | None = None

    def __str__(self) -> str:
        return ", ".join(part for part in (self.title, self.locator, self.url) if part)


class Effect(Value, frozen=True):
    """What a statement says about more of one resource."""

    resource: Resource
    verdict: Verdict
    when: str = ""


class Statement(Value, frozen=True):
    """A statement of theory, before any number is put in.

    Args:
        id: such as `CTX-3`; refuted statements of the paper have ids of their own.
        name: a few words.
        limit: the limit it belongs to.
        status: how well it stands.
        says: the statement in plain words, for a reader who is no theorist.
        formula: the statement as one or more lines that a terminal can show (Unicode, no TeX).
        hypotheses: what must hold for it to apply.
        sources: where it comes from.
        silent_on: what it does not say, where readers often over-read it.
        falsified_by: the observation that would refute it.
        paper: what the seed paper says, and how this differs; empty where it says the same.
        effects: what it says about resources.
        worked: one worked number, in words.
        probe: name of the probe or lab experiment that confronts it, or None.
    """

    id: str
    name: str
    limit: Limit
    status: Status
    says: str
    formula: str
    hypotheses: tuple[str, ...]
    sources: tuple[Source, ...]
    silent_on: str
    falsified_by: str
    paper: str = ""
    effects: tuple[Effect, ...] = ()
    worked: str = ""
    probe: str | None = None


class Bound(Value, frozen=True, tag="bound"):
    """A statement with numbers put in: a value that a quantity cannot pass, or must equal.

    Args:
        statement: what is claimed.
        quantity: what is bounded.
        side: `upper` (the quantity is at most `value`), `lower`, or `exact`.
        value: the bound in the quantity's unit. Numerical error may only loosen it.
        at: the inputs it was computed for.
        vacuous: why it says nothing at these inputs, or None where it says something.
        parts: named terms and secondary results of the computation.
    """

    statement: Statement
    quantity: Quantity
    side: Literal["upper", "lower", "exact"]
    value: float
    at: dict[str, Scalar]
    vacuous: str | None = None
    parts: dict[str, Scalar] = {}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.quantity.check(self.value)


class Shape(Value, frozen=True, tag="shape"):
    """A statement about how a quantity varies: a curve, an exponent, a threshold, a monotonicity.

    Args:
        statement: what is claimed.
        quantity: what varies.
        along: name of the variable on the other axis.
        points: `(x, y)` pairs in increasing x.
        parameters: the constants of the curve.
        vacuous: why it says nothing at these inputs, or None.
    """

    statement: Statement
    quantity: Quantity
    along: str
    points: tuple[tuple[float, float], ...]
    parameters: dict[str, Scalar]
    vacuous: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        xs = [x for x, _ in self.points]
        if xs != sorted(xs):
            raise InvalidValueError(
                f"Shape.points of {self.statement.id} must be in increasing {self.along}, got {xs}."
            )


class Impossibility(Value, frozen=True, tag="impossibility"):
    """A statement that something cannot be done, with a witness that was checked when it was made.

    Args:
        statement: what is claimed.
        at: the inputs.
        witness: what shows it (a counterexample, a constructed target), as named scalars.
        vacuous: why it says nothing at these inputs, or None.
    """

    statement: Statement
    at: dict[str, Scalar]
    witness: dict[str, Scalar]
    vacuous: str | None = None


Claim: TypeAlias = Bound | Shape | Impossibility
