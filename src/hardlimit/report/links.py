"""Where things stand on the page, and how its texts lead to them."""

import re

from markupsafe import Markup, escape

from hardlimit.audit import LimitReport
from hardlimit.core import Measurement
from hardlimit.core.text import visible
from hardlimit.report.tables import claims_by_statement


def measurement_anchor(limit: LimitReport, measurement: Measurement) -> str | None:
    """Identify a measurement on the page by its place in the limit, or return None where the limit does not show it."""
    names = [other.name for other in limit.measurements]
    return f"{limit.limit}-m{names.index(measurement.name) + 1}" if measurement.name in names else None


def claim_anchor(limit: LimitReport, identifier: str) -> str:
    """Identify a claim's card on the page.

    >>> from hardlimit.core import Limit
    >>> claim_anchor(LimitReport(limit=Limit.CONTEXT, applies=True, headline=""), "CTX-3")
    'context-claim-CTX-3'
    """
    slug = re.sub(r"[^A-Za-z0-9]+", "-", identifier).strip("-")
    return f"{limit.limit}-claim-{slug}"


def linked(text: str, limit: LimitReport) -> Markup:
    """Escape a text, and let every claim that it names lead to that claim's card, where the limit has one."""
    known = sorted({group[0].statement.id for group in claims_by_statement(limit)}, key=len, reverse=True)
    if not known:
        return Markup(escape(visible(text)))
    # Longest first and between word boundaries, so that CTX-3 is not found inside CTX-30.
    pattern = rf"(?<![\w-])({'|'.join(map(re.escape, known))})(?![\w-])"
    parts = re.split(pattern, text)
    pieces = [
        Markup('<a href="#{}">{}</a>').format(claim_anchor(limit, part), visible(part))
        if place % 2
        else escape(visible(part))
        for place, part in enumerate(parts)
    ]
    return Markup("").join(pieces)


def coded(text: str) -> Markup:
    """Escape a text, and set what stands between backticks as code.

    >>> coded("Ask `hardlimit <b>` again.")
    Markup('Ask <code>hardlimit &lt;b&gt;</code> again.')
    """
    parts = [escape(visible(part)) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return Markup(escape(visible(text)))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )
