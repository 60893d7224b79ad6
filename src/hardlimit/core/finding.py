"""Findings: a claim set beside a measurement of the same quantity."""

from enum import StrEnum

from hardlimit.core.claim import Bound, Claim, Impossibility
from hardlimit.core.errors import InvalidValueError
from hardlimit.core.measurement import Measurement
from hardlimit.core.values import Value


class Standing(StrEnum):
    """How a measurement stands to a claim."""

    AT_BOUND = "compatible with being at the bound"
    CLEAR_OF_BOUND = "not at the bound: other causes dominate"
    BEYOND_BOUND = "beyond the bound: an assumption does not hold here"
    AGREES = "agrees"
    DISAGREES = "disagrees"
    VACUOUS = "the claim says nothing at this size"
    UNDETERMINED = "undetermined"


class Finding(Value, frozen=True):
    """A claim, a measurement, and how the one stands to the other.

    Args:
        claim: from theory.
        measurement: from a model; of the same quantity as the claim.
        standing: the comparison's outcome.
        says: one or two sentences for a reader, with the numbers in them.
    """

    claim: Claim
    measurement: Measurement
    standing: Standing
    says: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.claim, Impossibility):
            return
        if self.claim.quantity != self.measurement.quantity:
            raise InvalidValueError(
                f"{self.claim.statement.id} is about '{self.claim.quantity.id}', but {self.measurement.name} measures "
                f"'{self.measurement.quantity.id}'; a finding compares one quantity with itself."
            )


def stand(bound: Bound, measurement: Measurement, *, margin: float = 0.0) -> Standing:
    """Set a measured interval beside a bound (rule STAT-4 of the theory).

    Args:
        bound: a claim with a value.
        measurement: a measurement of the same quantity, with an estimate.
        margin: how far from the bound still counts as being at it, in the quantity's unit, >= 0.

    Returns:
        BEYOND_BOUND when the whole interval lies on the forbidden side, CLEAR_OF_BOUND when it lies more than
        `margin` inside the permitted side, AT_BOUND when it may touch it; VACUOUS and UNDETERMINED as named.
    """
    if bound.vacuous is not None:
        return Standing.VACUOUS
    if measurement.estimate is None or measurement.broken:
        return Standing.UNDETERMINED
    low, high = measurement.estimate.interval.low, measurement.estimate.interval.high
    above = low is not None and low > bound.value
    below = high is not None and high < bound.value
    if bound.side == "exact":
        return Standing.DISAGREES if above or below else Standing.AGREES
    beyond = above if bound.side == "upper" else below
    if beyond:
        return Standing.BEYOND_BOUND
    clear = (
        (high is not None and high < bound.value - margin)
        if bound.side == "upper"
        else (low is not None and low > bound.value + margin)
    )
    return Standing.CLEAR_OF_BOUND if clear else Standing.AT_BOUND
