"""`hardlimit list claims`: the status ledger, one claim a line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hardlimit.core import Statement


def list_claims(*, json: bool = False) -> int:
    """List every claim with its status, its limit, and the verdicts that it supports.

    Args:
        json: print the whole statements as JSON instead.
    """
    from hardlimit.theory import CLAIMS

    if json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode([CLAIMS[name] for name in CLAIMS]), indent=1).decode())
        return 0
    from collections import Counter

    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)  # a pipe has no width: whoever reads it wants whole lines
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for column in ("id", "status", "limit"):
        table.add_column(column, no_wrap=True)
    for column in ("claim", "verdicts"):
        table.add_column(column, no_wrap=True, overflow="ellipsis", ratio=1)
    for name in CLAIMS:
        statement = CLAIMS[name]
        status = f"[{STATUS_COLOURS[statement.status]}]{statement.status}[/]"
        table.add_row(name, status, statement.limit, statement.name, verdicts_in_short(statement))
    console.print(table)
    counts = Counter(str(CLAIMS[name].status) for name in CLAIMS)
    shares = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    console.print(f"\n{len(CLAIMS)} claims: {shares}. 'hardlimit explain ID' tells the rest.", highlight=False)
    return 0


def verdicts_in_short(statement: "Statement") -> str:
    """Write what a statement says about resources, grouped by verdict: `CANNOT parameters; HELPS retrieval`."""
    grouped: dict[str, list[str]] = {}
    for effect in statement.effects:
        grouped.setdefault(str(effect.verdict).removesuffix("_PROGRESS"), []).append(str(effect.resource))
    return "; ".join(f"{verdict} {', '.join(dict.fromkeys(names))}" for verdict, names in grouped.items()) or "—"


_PIPED_WIDTH = 220
STATUS_COLOURS = {
    "proved": "green",
    "corrected": "cyan",
    "assumption": "yellow",
    "empirical": "blue",
    "refuted": "red",
}
"""How a status is coloured in a terminal."""
