"""`hardlimit demo`: make a limit appear in seconds, and see where it does not."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console

    from hardlimit.core import Scalar
    from hardlimit.demos import Demo, Demonstration


@Parameter(name="*")
@dataclass(frozen=True)
class OwnCode:
    """Code of the user's that a demonstration is run against."""

    family: Annotated[
        str | None,
        Parameter(help="For diagonal: module:attribute of your own predictors, functions from a number to a label."),
    ] = None
    predictor: Annotated[
        str | None,
        Parameter(help="For refute: module:attribute of your own predictor of halting, from a program to True/False."),
    ] = None
    timeout: Annotated[float | None, Parameter(help="Seconds for one answer of your code; more is declining.")] = None


def demo_command(
    name: str | None = None,
    *,
    seed: int = 0,
    out: Path | None = None,
    own: OwnCode | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a demonstration: what it shows, what would refute it, what came out, and its control.

    Without a name, the demonstrations are listed. Leaves with 1 if a check failed.

    Args:
        name: of the demonstration, or its number, such as D7.
        seed: of the random numbers.
        out: folder for the figure (SVG and PNG) and the numbers (JSON).
        own: your own code to run it against.
        json: print JSON.
    """
    if name is None:
        return list_demos(json=json)
    from hardlimit.core import dumps
    from hardlimit.demos import find_demo

    demo = find_demo(name)
    found = _run(demo, seed, own or OwnCode())
    if out is not None:
        from hardlimit.commands.demo_figure import write_demo

        write_demo(found, out)
    if json:
        print(dumps(found))
    else:
        from rich.console import Console

        print_demo(found, Console())
        if out is not None:
            print(f"Figure and numbers: {out / found.name}.svg, .png, .json")
    return 0 if found.holds else 1


def _run(demo: "Demo", seed: int, own: OwnCode) -> "Demonstration":
    from hardlimit.core import InvalidValueError

    if own.family is not None and demo.name != "diagonal":
        raise InvalidValueError(f"--family belongs to the demonstration 'diagonal', not to '{demo.name}'.")
    if own.predictor is not None and demo.name != "refute":
        raise InvalidValueError(f"--predictor belongs to the demonstration 'refute', not to '{demo.name}'.")
    if own.timeout is not None and own.family is None and own.predictor is None:
        raise InvalidValueError("--timeout is for your own code: give --family (diagonal) or --predictor (refute) too.")
    if own.family is not None:
        from hardlimit.demos.diagonal import against
        from hardlimit.demos.worker import ask_family

        answers, names = ask_family(own.family, 1.0 if own.timeout is None else own.timeout)
        return demo.presented(against(answers, names), seed)
    if own.predictor is not None:
        from hardlimit.demos.halting import refutation
        from hardlimit.demos.worker import ask_halting

        said = ask_halting(own.predictor, 10.0 if own.timeout is None else own.timeout)
        shown = refutation(own.predictor, answer=said["answer"], halts=said["halts"], why=said.get("why", ""))
        return demo.presented(shown, seed)
    return demo.run(seed)


def list_demos(*, json: bool = False) -> int:
    """List every demonstration, one a line.

    Args:
        json: print JSON.
    """
    from hardlimit.demos import DEMOS

    demos = [DEMOS[name] for name in DEMOS]
    if json:
        from msgspec.json import encode

        rows = [{"name": d.name, "number": d.number, "claims": d.claims, "says": d.says} for d in demos]
        print(encode(rows).decode())
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for demo in demos:
        table.add_row(demo.number, demo.name, demo.says)
    Console().print(table, highlight=False)
    return 0


def print_demo(found: "Demonstration", console: "Console") -> None:
    """Print a demonstration that was run."""
    from rich.markup import escape
    from rich.table import Table

    from hardlimit.core.text import one_line

    shown = found.shown
    console.print(f"[bold]{found.number}  {found.name}[/]  {', '.join(found.claims)}\n", highlight=False)
    parts = Table.grid(padding=(0, 2))
    parts.add_column(style="bold", no_wrap=True)
    parts.add_column()
    for head, text in (
        ("Claim", found.says),
        ("Refuted by", found.refuted_by),
        ("Control", found.control),
        ("Computed", shown.computed),
    ):
        parts.add_row(head, escape(one_line(text)))
    console.print(parts, highlight=False)
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for i, column in enumerate(shown.head):
        table.add_column(column, justify="left" if all(isinstance(row[i], str) for row in shown.rows) else "right")
    for row in shown.rows:
        table.add_row(*(escape(one_line(cell_text(value))) for value in row))
    console.print()
    console.print(table, highlight=False)
    console.print()
    console.print(f"[bold]{escape(shown.figure.title)}[/]", highlight=False)
    for series in shown.figure.series:
        console.print(
            f"  {spark([y for _, y in series.points], log=shown.figure.log_y)}  {escape(one_line(series.label))}"
        )
    console.print()
    for check in shown.checks:
        mark = "[green]holds[/]  " if check.holds else "[red]FAILED[/] "
        control = "[dim](control)[/] " if check.control else ""
        console.print(f"{mark}{control}{escape(one_line(f'{check.asks}: {check.found}'))}", highlight=False)
    verdict = "[green]Nothing refuted it.[/]" if found.holds else "[red]A check failed.[/]"
    console.print(f"\n{verdict} Seed {found.seed}.", highlight=False)


def cell_text(value: "Scalar") -> str:
    """Write a number for a table: four significant digits, thousands set apart.

    >>> cell_text(16384), cell_text(0.00227712), cell_text(16384.0)
    ('16,384', '0.002277', '16,384')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (abs(value) >= 1000 and abs(value) < 1e15):
        return f"{round(value):,}"
    return f"{value:.4g}"


def spark(values: list[float], *, log: bool = False, width: int = 24) -> str:
    """Draw values as a line of blocks, the least lowest; on a logarithmic scale, what is not positive is a dot.

    >>> spark([1, 2, 4, 8], log=True)
    '▁▃▆█'
    """
    import math

    if len(values) > width:
        values = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    heights = [math.log(v) if v > 0 else None for v in values] if log else list(values)
    there = [h for h in heights if h is not None]
    if not there:
        return "·" * len(values)
    low, span = min(there), max(there) - min(there) or 1.0
    return "".join("·" if h is None else "▁▂▃▄▅▆▇█"[round((h - low) / span * 7)] for h in heights)
