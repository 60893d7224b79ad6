"""What is measured or bounded: the one thing that a claim and a measurement must share to be compared."""

from typing import Literal

from hardlimit.core.errors import InvalidValueError
from hardlimit.core.values import Value

Unit = Literal[
    "probability",
    "nats",
    "bits",
    "tokens",
    "bytes",
    "FLOPs",
    "facts",
    "steps",
    "documents",
    "ratio",
    "exponent",
    "score",
]


class Quantity(Value, frozen=True):
    """A named quantity with its unit and range; claims and measurements are joined by it.

    Args:
        id: the join key, a snake_case name.
        name: what a reader sees.
        unit: the unit of its values.
        definition: one sentence that a stranger understands.
        low: smallest possible value, or None where there is none.
        high: largest possible value, or None where there is none.
        better: the direction a user wants.
    """

    id: str
    name: str
    unit: Unit
    definition: str
    low: float | None = None
    high: float | None = None
    better: Literal["higher", "lower", "neither"] = "neither"

    def check(self, value: float) -> float:
        """Return the value if it lies in the quantity's range, else raise.

        >>> from hardlimit.core.quantity import ACCURACY
        >>> ACCURACY.check(0.5)
        0.5
        >>> ACCURACY.check(1.5)
        Traceback (most recent call last):
        ...
        hardlimit.core.errors.InvalidValueError: accuracy must lie in [0, 1], got 1.5.
        """
        low, high = self.low, self.high
        if not ((low is None or value >= low) and (high is None or value <= high)):
            span = f"[{'-∞' if low is None else f'{low:g}'}, {'∞' if high is None else f'{high:g}'}]"
            raise InvalidValueError(f"{self.name} must lie in {span}, got {value:g}.")
        return value


def probability(
    id: str, name: str, definition: str, better: Literal["higher", "lower", "neither"] = "neither"
) -> Quantity:
    """Make a quantity in [0, 1]."""
    return Quantity(id=id, name=name, unit="probability", definition=definition, low=0.0, high=1.0, better=better)
