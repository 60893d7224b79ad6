"""`hardlimit list`: what there is to measure, to claim and to ask."""

from typing import Annotated, Literal

from cyclopts import Parameter

Kind = Literal["claims", "demos", "probes", "models", "limits"]


def list_command(
    kind: Kind = "probes",
    *,
    json: Annotated[bool, Parameter(negative="", help="Print JSON.")] = False,
) -> int:
    """List claims, demonstrations, probes, models or limits, one line each.

    Args:
        kind: what to list.
        json: print JSON.
    """
    if kind == "claims":
        from hardlimit.commands.claims import list_claims

        return list_claims(json=json)
    if kind == "demos":
        from hardlimit.commands.demo import list_demos

        return list_demos(json=json)
    rows = {"probes": _probes, "models": _models, "limits": _limits}[kind]()
    if json:
        from msgspec.json import encode

        print(encode([{"name": name, "says": says} for name, says in rows]).decode())
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for name, says in rows:
        table.add_row(name, says)
    Console().print(table)
    return 0


def _probes() -> list[tuple[str, str]]:
    from hardlimit.probes.catalog import PROBES

    return [(name, _first_line(PROBES[name].__doc__)) for name in PROBES]


def _models() -> list[tuple[str, str]]:
    from hardlimit.models.catalog import CATALOG

    return [(name, _first_line(CATALOG[name].__doc__)) for name in CATALOG]


def _limits() -> list[tuple[str, str]]:
    from hardlimit.audit.plan import STUDIES

    return [(name, _first_line(STUDIES[name].__doc__)) for name in STUDIES]


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
