"""The figure of a demonstration as a Vega-Lite specification, and as files."""

from pathlib import Path
from typing import Any

from hardlimit.core import StoreError, dumps
from hardlimit.core.text import visible
from hardlimit.demos import Demonstration, Figure
from hardlimit.report.charts import CONFIG
from hardlimit.report.charts.theme import FONT

INK, GRID = "#3b4754", "#e6eaee"
COMPUTED = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
THEORY = ("#16202a", "#7a8794", "#a8b2bc")
DASHES = ([2, 3], [8, 4], [10, 3, 2, 3])


def specification(figure: Figure) -> dict[str, Any]:
    """Write a figure as a Vega-Lite specification that stands alone.

    Args:
        figure: its data.

    >>> from hardlimit.demos import Series
    >>> line = Series(label="a", points=((1.0, 1.0), (2.0, 0.0)))
    >>> spec = specification(Figure(title="t", x="x", y="y", series=(line,), log_y=True))
    >>> spec["data"]["values"]
    [{'x': 1.0, 'y': 1.0, 'series': 'a', 'kind': 'computed'}]
    """
    rows = [
        {"x": x, "y": y, "series": visible(series.label), "kind": series.kind}
        for series in figure.series
        for x, y in series.points
        if not (figure.log_x and x <= 0) and not (figure.log_y and y <= 0)
    ]
    colours, dashes = _styles(figure)
    names = [visible(series.label) for series in figure.series]

    def axis(field: str, title: str, log: bool) -> dict[str, Any]:
        scale = {"type": "log"} if log else {"type": "linear", "zero": False}
        return {"field": field, "type": "quantitative", "title": visible(title), "scale": scale}

    legend = {"orient": "bottom", "direction": "vertical", "title": None, "labelLimit": 480, "symbolType": "stroke"}
    encoding = {
        "x": axis("x", figure.x, figure.log_x),
        "y": axis("y", figure.y, figure.log_y),
        "color": {"field": "series", "type": "nominal", "scale": {"domain": names, "range": colours}, "legend": legend},
        "strokeDash": {
            "field": "series",
            "type": "nominal",
            "scale": {"domain": names, "range": dashes},
            "legend": legend,
        },
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": {"text": visible(figure.title), "anchor": "start", "fontSize": 14, "offset": 14, "color": INK},
        "width": 520,
        "height": 300,
        "data": {"values": rows},
        "encoding": encoding,
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 2}},
            {
                "transform": [{"filter": "datum.kind == 'computed'"}],
                "mark": {"type": "point", "filled": True, "size": 50},
                "encoding": {"strokeDash": {"value": [1, 0]}},
            },
        ],
        "config": _plain(CONFIG) | {"background": "#ffffff", "autosize": {"type": "pad"}, "font": FONT, "padding": 12},
    }


def _styles(figure: Figure) -> tuple[list[str], list[list[int]]]:
    colours, dashes, computed, theory = [], [], 0, 0
    for series in figure.series:
        if series.kind == "computed":
            colours.append(COMPUTED[computed % len(COMPUTED)])
            dashes.append([1, 0])
            computed += 1
        else:
            colours.append(THEORY[theory % len(THEORY)])
            dashes.append(DASHES[theory % len(DASHES)])
            theory += 1
    return colours, dashes


def _plain(config: Any) -> Any:
    """Put plain colours where the report's page has its own: a picture that stands alone has no page around it."""
    if isinstance(config, dict):
        return {key: _plain(value) for key, value in config.items()}
    if isinstance(config, str) and config.startswith("var("):
        return GRID if config == "var(--grid)" else INK
    return config


def write_demo(found: Demonstration, folder: Path) -> None:
    """Write `NAME.svg`, `NAME.png` and `NAME.json` into a folder, which is made where it is missing.

    Args:
        found: a demonstration that was run.
        folder: where.

    Raises:
        StoreError: the folder cannot be made or written to.
    """
    import vl_convert

    spec = specification(found.shown.figure)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{found.name}.svg").write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")
        (folder / f"{found.name}.png").write_bytes(vl_convert.vegalite_to_png(spec, scale=2))
        (folder / f"{found.name}.json").write_text(dumps(found) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"The figure cannot be written to {folder}: {error.strerror}.") from error
