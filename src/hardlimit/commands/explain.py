"""`hardlimit explain CLAIM`: what is proved, under which hypotheses, and what is not."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from hardlimit.core import Bound, Claim, Shape


def explain_command(
    claim: str,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
    check: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Explain one claim: what it says, what it assumes, what it does not say, and what would refute it.

    Args:
        claim: its id, such as CTX-3; 'hardlimit list claims' has them all.
        json: print JSON.
        check: also set the worked claim beside an independent computation.
    """
    from rich.console import Console

    from hardlimit.theory import ENTRIES

    entry = ENTRIES[claim.strip().upper()]
    example = entry.example()
    outcome = entry.check() if check else None
    if json:
        import msgspec

        document = {"statement": entry.statement, "example": example, "check": outcome}
        print(msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=1).decode())
    else:
        _print(Console(), example)
        if outcome is not None:
            verdict = "[green]holds[/]" if outcome else "[red]does not hold[/]"
            numbers = ", ".join(f"{name} = {_number(value)}" for name, value in outcome.seen.items())
            Console().print(f"[bold]Check[/]      {verdict}: {outcome.says}. {numbers}", highlight=False)
    return 0 if outcome is None or outcome else 1


def _print(console: "Console", example: "Claim") -> None:
    from rich.markup import escape
    from rich.padding import Padding
    from rich.table import Table

    statement = example.statement
    from hardlimit.commands.claims import STATUS_COLOURS

    colour = STATUS_COLOURS[statement.status]
    console.print(
        f"[bold]{statement.id}[/]  {escape(statement.name)}  [{colour}]{statement.status}[/]", highlight=False
    )
    console.print()
    console.print(escape(statement.says), highlight=False)
    console.print()
    console.print(Padding(escape(statement.formula), (0, 0, 1, 4)), highlight=False)
    parts = Table.grid(padding=(0, 2))
    parts.add_column(style="bold", no_wrap=True)
    parts.add_column()
    rows = [
        ("Holds if", _lines(statement.hypotheses) or "(nothing is assumed: it is refuted as worded)"),
        ("Silent on", statement.silent_on),
        ("Refuted by", statement.falsified_by),
        ("The paper", statement.paper or "says the same."),
        (
            "Resources",
            _lines(f"{e.resource}: {e.verdict}{' — ' + e.when if e.when else ''}" for e in statement.effects),
        ),
        ("A number", statement.worked),
        ("Computed", computed(example)),
        ("Measured by", statement.probe or "no probe yet"),
        ("Sources", _lines(str(source) for source in statement.sources)),
    ]
    for head, text in rows:
        if text:
            parts.add_row(head, escape(text))
    console.print(parts, highlight=False)


def _lines(items: "Iterable[str]") -> str:
    return "\n".join(items)


def computed(example: "Claim") -> str:
    """Write the worked claim with its numbers on one line."""
    from hardlimit.core import Bound, Shape

    if isinstance(example, Bound):
        text = _bound(example)
    elif isinstance(example, Shape):
        text = _shape(example)
    else:
        text = ", ".join(f"{name} = {_number(value)}" for name, value in example.witness.items())
    return text + (f" (says nothing here: {example.vacuous})" if example.vacuous else "")


def _bound(bound: "Bound") -> str:
    sign = {"upper": "≤", "lower": "≥", "exact": "="}[bound.side]
    unit = "" if bound.quantity.unit in {"probability", "ratio", "score", "exponent"} else f" {bound.quantity.unit}"
    at = ", ".join(f"{name} = {_number(value)}" for name, value in bound.at.items())
    return f"{bound.quantity.name} {sign} {_number(bound.value)}{unit}   at {at}"


def _shape(shape: "Shape") -> str:
    points = ", ".join(f"{_number(x)} → {_number(y)}" for x, y in shape.points[:6])
    at = ", ".join(f"{name} = {_number(value)}" for name, value in shape.parameters.items())
    return f"{shape.quantity.name} along {shape.along}: {points}   at {at}"


def _number(value: object) -> str:
    """Write a number as a reader wants it: four significant digits, thousands set apart."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (abs(value) >= 1000 and float(value).is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:.4g}"
