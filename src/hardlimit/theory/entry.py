"""What makes a statement runnable: a worked claim, and an independent computation that could refute it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from hardlimit.core import Bound, Claim, Impossibility, InvalidValueError, Scalar, Shape, Statement, Value


class Check(Value, frozen=True):
    """What came out when a claim was set beside an independent computation.

    Args:
        holds: whether the claim survived.
        says: what it was set beside, in one sentence.
        seen: the numbers that were compared, by name.
    """

    holds: bool
    says: str
    seen: dict[str, Scalar] = {}

    def __bool__(self) -> bool:
        return self.holds


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A statement with the code that makes it run.

    Args:
        statement: what is claimed.
        example: computes one worked claim.
        confront: sets a claim of this statement beside a computation by another route (a simulation, an exhaustive
            search, an explicit code, a direct sum) and says whether it survives; a falsified claim does not.
    """

    statement: Statement
    example: Callable[[], Claim]
    confront: Callable[[Claim], Check]

    def check(self) -> Check:
        """Confront the worked claim."""
        return self.confront(self.example())


def attacked(claim: Claim, attempts: Mapping[str, float], says: str) -> Check:
    """Let a bound stand if no attempt got beyond it.

    Args:
        claim: an upper or lower bound.
        attempts: values of the bounded quantity that something real reached, by name.
        says: how they were reached.
    """
    bound = as_bound(claim)
    beyond = [value > bound.value if bound.side == "upper" else value < bound.value for value in attempts.values()]
    return Check(holds=not any(beyond), says=says, seen={"bound": bound.value, **attempts})


def agrees(claim: Claim, found: float, tolerance: float, says: str) -> Check:
    """Let a bound stand if another route finds the same value.

    Args:
        claim: a bound that is an equality, or is attained.
        found: the value by the other route.
        tolerance: largest relative difference.
        says: what the other route is.
    """
    bound = as_bound(claim)
    holds = abs(bound.value - found) <= tolerance * max(abs(found), abs(bound.value))
    return Check(holds=holds, says=says, seen={"claimed": bound.value, "found": found, "tolerance": tolerance})


def follows(claim: Claim, found: Iterable[float], tolerance: float, says: str) -> Check:
    """Let a shape stand if another route finds the same curve.

    Args:
        claim: a shape.
        found: one value per point of the shape, by the other route.
        tolerance: largest difference, relative to the largest value of the curve.
        says: what the other route is.
    """
    shape = as_shape(claim)
    values = [y for _, y in shape.points]
    pairs = list(zip(values, found, strict=True))
    worst = max(abs(y - other) for y, other in pairs) / max(max(abs(y) for y in values), 1e-300)
    return Check(holds=worst <= tolerance, says=says, seen={"largest_difference": worst, "tolerance": tolerance})


def as_bound(claim: Claim) -> Bound:
    """Return the claim if it is a bound, else raise."""
    if not isinstance(claim, Bound):
        raise InvalidValueError(f"{claim.statement.id} is checked on a Bound, got a {type(claim).__name__}.")
    return claim


def as_shape(claim: Claim) -> Shape:
    """Return the claim if it is a shape, else raise."""
    if not isinstance(claim, Shape):
        raise InvalidValueError(f"{claim.statement.id} is checked on a Shape, got a {type(claim).__name__}.")
    return claim


def as_impossibility(claim: Claim) -> Impossibility:
    """Return the claim if it is an impossibility, else raise."""
    if not isinstance(claim, Impossibility):
        raise InvalidValueError(f"{claim.statement.id} is checked on an Impossibility, got a {type(claim).__name__}.")
    return claim
