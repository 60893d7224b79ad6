"""What the lab measures, as the store keeps it: a cell of an experiment, and the report of a run."""

from hardlimit.core import Scalar, Value


class Measured(Value, frozen=True):
    """A cell of an experiment that is measured.

    Args:
        key: what was measured, to the last setting, in words that a program can read.
        rows: what came out.
        seconds: how long it took.
        device: where.
    """

    key: str
    rows: tuple[dict[str, Scalar], ...]
    seconds: float
    device: str
