"""How charts look: one Vega configuration, whose colours are the page's own CSS variables.

Vega writes the colours into SVG attributes as they stand, so a chart follows the page from light to dark and onto
paper without being drawn again.
"""

from typing import Any

COLOURS = 6
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
DASHES = ((1, 0), (7, 3), (2, 2), (10, 3, 2, 3))
RAMP = 7
RAMP_TURNS_AT = 5
"""The first step of the ramp on which text takes its other colour."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"

CONFIG: dict[str, Any] = {
    "background": None,
    "aria": False,
    "font": FONT,
    "autosize": {"type": "fit-x", "contains": "padding"},
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "gridColor": "var(--grid)",
        "domainColor": "var(--axis)",
        "tickColor": "var(--axis)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelPadding": 4,
    },
    "axisY": {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleY": -12, "domain": False},
    "axisX": {"grid": False},
}

STYLES: dict[str, dict[str, Any]] = {
    "theory": {"color": "var(--theory)", "strokeWidth": 2.5, "strokeDash": [2, 3]},
    "threshold": {"color": "var(--threshold)", "strokeWidth": 1.5, "strokeDash": [8, 4]},
    "band": {"color": "var(--band)"},
}
"""What is not measured: a claim's curve or bound, a threshold, a marked stretch."""


def colours(series: int) -> list[str]:
    """Colours for so many series, starting over after the sixth (shape and dash then tell them apart).

    >>> colours(2)
    ['var(--c1)', 'var(--c2)']
    """
    return [f"var(--c{index % COLOURS + 1})" for index in range(series)]


def shapes(series: int) -> list[str]:
    """Point shapes for so many series."""
    return [SHAPES[index % len(SHAPES)] for index in range(series)]


def dashes(series: int) -> list[list[int]]:
    """Line dashes for so many series."""
    return [list(DASHES[index % len(DASHES)]) for index in range(series)]


def ramp() -> list[str]:
    """Return the colours of the scale for heat maps, from little to much."""
    return [f"var(--ramp-{step})" for step in range(RAMP)]
