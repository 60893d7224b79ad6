"""The report as one HTML file: nothing is fetched, nothing of the report's text can act, same report, same bytes."""

import base64
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from hardlimit import __version__
from hardlimit.audit import AuditReport, LimitReport
from hardlimit.audit.document import FamilyReport, OnSize
from hardlimit.core import ARTEFACTS, Bound, Claim, Estimate, Finding, Measurement, Quantity, Shape
from hardlimit.core.text import one_line, visible
from hardlimit.lab.experiment import LabReport
from hardlimit.models import ModelCard
from hardlimit.report import family, gauges, hostile, laboratory, links, numbers, scaling, tables, words
from hardlimit.report.charts import CONFIG, Picture, Scene, pictures, theme
from hardlimit.scaling import ScalingReport
from hardlimit.scaling.words import percent, span

LONGEST_TEXT = 12_000
"""Characters of one question or answer that the page shows; the JSON report has all of them."""

FOLD = 700
"""A longer question is folded away, except for this much of its end."""

MOST_ROWS = 1000
"""Rows of one table that the page shows; the JSON report has all of them."""

SIDES = {"upper": "at most", "lower": "at least", "exact": "exactly"}


def render_html(report: AuditReport) -> str:
    """Draw a report as one self-contained HTML page.

    The page asks nothing of any network, and a strict content security policy, by hash, lets no script run but its
    own two. All text of the report is escaped, and characters that act unseen are shown. Equal reports give equal
    bytes.

    Args:
        report: a whole audit.

    Returns:
        The text of an HTML file, to be written as UTF-8.
    """
    style = _packaged("report.css") + ("" if report.scaling is None else _packaged("scaling.css"))
    context = _vocabulary() | _about(report) | _acting(style)
    return _environment().get_template("report.html.j2").render(context)


def render_lab_html(experiments: Sequence[LabReport]) -> str:
    """Draw reports of the lab as one self-contained HTML page, as `render_html` draws an audit.

    Args:
        experiments: one report or more.

    Returns:
        The text of an HTML file, to be written as UTF-8; equal reports give equal bytes.
    """
    context = _vocabulary() | _scales(window=None) | _acting(_packaged("report.css"))
    context |= {
        "bound_of": lambda *_: None,
        "experiments": experiments,
        "limit": laboratory.claims_of(experiments),
        "version": __version__,
    }
    return _environment().get_template("lab.html.j2").render(context)


def _acting(style: str) -> dict[str, Any]:
    """What a page with charts needs to act, and the policy that allows just that."""
    script, library = _packaged("report.js"), _library()
    return {
        "policy": _policy(scripts=(library, script), styles=(style,)),
        "style": Markup(style),
        "script": Markup(script),
        "library": Markup(library),
        "theme": embedded_json(CONFIG),
    }


def render_scaling_html(report: ScalingReport) -> str:
    """Draw a scaling report as one self-contained HTML page, with no script and no network.

    Args:
        report: what `assess` found.

    Returns:
        The text of an HTML file, to be written as UTF-8; equal reports give equal bytes.
    """
    style = _packaged("report.css") + _packaged("scaling.css")
    context = _vocabulary() | {
        "policy": _policy(scripts=(), styles=(style,)),
        "style": Markup(style),
        "meanings": scaling.MEANINGS,
        "scaling": report,
        "version": __version__,
    }
    return _environment().get_template("scaling.html.j2").render(context)


def render_family_html(report: FamilyReport) -> str:
    """Draw several models side by side as one self-contained HTML page, with no script and no network.

    Args:
        report: of several models; the page leads to their own reports, in their folders beside it.

    Returns:
        The text of an HTML file, to be written as UTF-8; equal reports give equal bytes.
    """
    style = _packaged("report.css") + _packaged("scaling.css")
    context = _vocabulary() | {
        "broken_words": family.BROKEN,
        "command": _asking([m.card.name for m in report.members], report.limits, report.seed, report.budget),
        "family": report,
        "policy": _policy(scripts=(), styles=(style,)),
        "scaling": report.scaling,
        "style": Markup(style),
    }
    return _environment().get_template("family.html.j2").render(context)


def embedded_json(value: Any) -> Markup:
    r"""Write a value as JSON that may stand inside a script element.

    No text in it can end the element or begin a comment, since `<`, `>` and `&` are written as escapes, and
    characters that act unseen are made visible.

    >>> print(embedded_json({"b": "</script>", "a": [1.5, 2.0, None]}))
    {"a":[1.5,2,null],"b":"\u003c/script\u003e"}
    """
    text = json.dumps(_plain(value), allow_nan=False, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _plain(value: Any) -> Any:
    """Make every text visible, and write whole numbers without their `.0`, which thousands of cells would carry."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {visible(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _packaged(name: str) -> str:
    return files("hardlimit.report").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, with their notice."""
    import vl_convert  # loaded here, since only a page needs it

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return f"/*\n{_packaged('vega-notice.txt')}*/\n{bundle}"


def _policy(*, scripts: tuple[str, ...], styles: tuple[str, ...]) -> str:
    """Allow these scripts and styles, and nothing else; no `eval`, no network."""

    def hashes(texts: tuple[str, ...]) -> str:
        digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
        return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"

    return (
        f"default-src 'none'; script-src {hashes(scripts)}; style-src {hashes(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_packaged),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Every text that enters the page comes through here, so none can be forgotten.
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    environment.filters |= {
        "amount": scaling.amount,
        "basis": numbers.basis,
        "card": card_lines,
        "coded": links.coded,
        "claims_by_statement": tables.claims_by_statement,
        "duration": numbers.duration,
        "end": lambda value: "unbounded" if value is None else numbers.plain(value),
        "ending": lambda text: text[-FOLD // 2 :],
        "has_scale": lambda limit: any(map(_on_scale, limit.findings)),
        "interval": numbers.interval_text,
        "json": embedded_json,
        "kind": _kind,
        "lab_anchor": laboratory.anchor,
        "linked": links.linked,
        "listed": tables.listed,
        "on_scale": _on_scale,
        "one_line": one_line,
        "p_words": numbers.p_words,
        "percent": numbers.percent,
        "picture_address": hostile.picture_address,
        "plain": numbers.plain,
        "points_words": numbers.points_words,
        "points_table": tables.points_table,
        "published_table": tables.published_table,
        "reading": lambda measurement: words.entry(measurement).meaning,
        "row_title": family.title_of,
        "rows_of": family.rows_of,
        "share": percent,
        "share_words": numbers.share_words,
        "size_words": family.size_words,
        "span": span,
        "shortened": lambda text: hostile.shortened(text, most=LONGEST_TEXT),
        "title": lambda measurement: words.entry(measurement).word,
        "value_words": family.value_words,
        "visible": visible,
        "web_address": hostile.web_address,
        "with_unit": numbers.with_unit,
    }
    return environment


def _vocabulary() -> dict[str, Any]:
    """What the templates know that is the same for every report."""
    return {
        "anchor": links.measurement_anchor,
        "artefacts": ARTEFACTS,
        "bases": words.BASES,
        "claim_anchor": links.claim_anchor,
        "corrections": scaling.CORRECTIONS,
        "colours": theme.COLOURS,
        "dash_patterns": theme.DASHES,
        "fold": FOLD,
        "grades": words.GRADES,
        "lab_pictures": laboratory.drawn,
        "limits": words.LIMITS,
        "most_rows": MOST_ROWS,
        "outcomes": laboratory.outcomes,
        "panel": scaling.panel,
        "panel_bottom": scaling.BOTTOM,
        "panel_left": scaling.LEFT,
        "panel_right": scaling.RIGHT,
        "panel_size": (scaling.WIDTH, scaling.HEIGHT),
        "panel_top": scaling.TOP,
        "point_shapes": theme.SHAPES,
        "predictions": words.PREDICTIONS,
        "ramp_steps": theme.RAMP,
        "roles": {"system": "Told beforehand", "user": "Asked", "assistant": "The model, before"},
        "shares": gauges.shares,
        "sides": SIDES,
        "standings": words.STANDINGS,
        "statuses": words.STATUSES,
        "sureness_level": words.sureness_level,
        "verdict_order": tuple(words.VERDICTS),
        "verdicts": words.VERDICTS,
    }


def _scales(*, window: int | None) -> dict[str, Any]:
    """What draws a number on a scale."""

    def make_gauge(estimate: Estimate, quantity: Quantity, bound: Bound | None = None) -> gauges.Gauge:
        return gauges.gauge(estimate, quantity, bound=bound, window=window)

    return {"make_gauge": make_gauge}


def _about(report: AuditReport) -> dict[str, Any]:
    """What the templates know about one report."""
    window = report.model.window

    def bound_of(limit: LimitReport, measurement: Measurement) -> Bound | None:
        return next(iter(scene(limit, measurement, window=window).bounds), None)

    def drawn(limit: LimitReport, measurement: Measurement) -> tuple[Picture, ...]:
        return pictures(scene(limit, measurement, window=window))

    return _scales(window=window) | {
        "advised": [(limit, list(rows)) for limit, rows in groupby(report.advice, key=lambda row: row.limit)],
        "bound_of": bound_of,
        "command": command(report),
        "laboratory": laboratory.beside(report),
        "matrix": tables.matrix(report),
        "left_out": tables.left_out(report),
        "measured": [limit for limit in report.limits if limit.applies],
        "pictures": drawn,
        "report": report,
        "scaling": report.scaling,
    }


def scene(limit: LimitReport, measurement: Measurement, *, window: int | None) -> Scene:
    """Collect what may be laid over a measurement's chart."""
    return Scene(
        measurement=measurement,
        findings=tuple(finding for finding in limit.findings if finding.measurement.name == measurement.name),
        others={other.name: other for other in limit.measurements},
        window=window,
    )


def command(report: AuditReport) -> str:
    """Return the command that asks the same questions again."""
    limits = [limit for limit in report.limits if limit.applies]
    return _asking([report.model.name], limits, report.seed, report.budget, *(["--lab"] if report.lab else []))


def _asking(
    models: Sequence[str], limits: Sequence[LimitReport] | Sequence[OnSize], seed: int, budget: str, *more: str
) -> str:
    named = [str(limit.limit) for limit in limits]
    options = ["--limits", ",".join(named)] if named else []
    return shlex.join(["hardlimit", "audit", *models, *options, *more, "--seed", str(seed), "--budget", budget])


def card_lines(card: ModelCard) -> tuple[tuple[str, str], ...]:
    """Return a model card as names and texts; what is not known is said to be so."""
    lines = []
    for field in card.__struct_fields__:
        value = getattr(card, field)
        if field == "settings":
            continue
        lines.append((field.replace("_", " "), "not known" if value is None else numbers.scalar(value)))
    return (*lines, ("fingerprint", card.fingerprint), *sorted(card.settings.items()))


def _on_scale(finding: Finding) -> bool:
    """Whether claim and measurement are two numbers that can stand on one scale."""
    bound = isinstance(finding.claim, Bound) and finding.claim.vacuous is None
    return bound and finding.measurement.estimate is not None


def _kind(claim: Claim) -> str:
    if isinstance(claim, Bound):
        return "bound"
    return "shape" if isinstance(claim, Shape) else "impossibility"
