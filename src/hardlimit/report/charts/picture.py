"""What a chart is made from, and what it is."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from hardlimit.core import Bound, Finding, Measurement, Scalar, Shape, Value

Row = dict[str, Any]
"""One mark's data, as Vega-Lite reads it."""


Spec = dict[str, Any]
"""A Vega-Lite specification, or a part of one."""


class Scene(Value, frozen=True):
    """A measurement with what may be drawn onto its chart.

    Args:
        measurement: what is drawn.
        findings: those about this measurement; their shapes and bounds are laid over the chart.
        others: the limit's other measurements, by name.
        window: the model's longest context in tokens, where it is known.
    """

    measurement: Measurement
    findings: tuple[Finding, ...] = ()
    others: dict[str, Measurement] = {}
    window: int | None = None

    @property
    def curves(self) -> tuple[tuple[Finding, Shape], ...]:
        """Findings whose claim is a curve that says something here, with that curve."""
        return tuple(
            (finding, finding.claim)
            for finding in self.findings
            if isinstance(finding.claim, Shape) and finding.claim.vacuous is None and finding.claim.points
        )

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """Claims that are one value and say something here."""
        claims = (finding.claim for finding in self.findings)
        return tuple(c for c in claims if isinstance(c, Bound) and c.vacuous is None)


class Key(Value, frozen=True):
    """One entry of a chart's legend, which stands beside the chart as text.

    Args:
        kind: `series` (a line with points), `dots`, `theory`, `threshold`, `band`, or `ramp` (a colour scale).
        label: what it is; for a ramp, what the colour means.
        index: which of the series, from 0; for a claim, the series that it is about, where it is about one.
        low: for a ramp, the text at its lower end.
        high: for a ramp, the text at its upper end.
    """

    kind: Literal["series", "dots", "theory", "threshold", "band", "ramp"]
    label: str
    index: int | None = None
    low: str = ""
    high: str = ""


class Picture(Value, frozen=True):
    """One chart: a Vega-Lite specification and the words that go with it.

    Args:
        title: what sets it apart from the measurement's other pictures, or empty where it is the only one.
        description: what a reader hears who cannot see it.
        spec: the Vega-Lite specification, without theme.
        legend: its entries.
    """

    title: str
    description: str
    spec: Spec
    legend: tuple[Key, ...] = ()


class Drawer(NamedTuple):
    """How one known measurement is drawn, and what its points must have for that."""

    draw: Callable[[Scene], tuple[Picture, ...]]
    numeric: tuple[str, ...] = ()
    named: tuple[str, ...] = ()

    def can_draw(self, measurement: Measurement) -> bool:
        """Whether every point has the keys, with numbers where numbers are needed."""
        return all(
            all(is_number(point.at.get(key)) for key in self.numeric) and all(key in point.at for key in self.named)
            for point in measurement.points
        )


def is_number(value: Scalar | None) -> bool:
    """Whether a coordinate can stand on a numeric axis."""
    return isinstance(value, int | float) and not isinstance(value, bool)
