"""Write the pages about the theory from the statements themselves: `python docs/build_theory.py`.

A test compares `docs/theory.md` and the pages in `docs/theory` with what this script would write, so they never lag
behind.
"""

from collections.abc import Iterable
from pathlib import Path

from hardlimit.commands.explain import computed
from hardlimit.core import Resource, Statement, Status, Verdict
from hardlimit.demos import DEMOS, Demo
from hardlimit.theory import CLAIMS, ENTRIES

FOLDER = Path(__file__).parent
FROM_FRONT = "theory/"
"""Where the pages of claims lie, as seen from the front page."""


def pages() -> dict[str, str]:
    """Return every page by its path inside `docs`."""
    statements = [CLAIMS[name] for name in CLAIMS]
    written = {f"theory/{statement.id}.md": claim_page(statement) for statement in statements}
    written["theory.md"] = overview(statements)
    written["theory/what-holds.md"] = what_holds(statements)
    return written


def claim_page(statement: Statement) -> str:
    """Return the page of one claim."""
    example = ENTRIES[statement.id].example()
    parts = [
        f"# {statement.id}: {statement.name}",
        f"*{statement.status}* · {statement.limit}",
        statement.says,
        f"```text\n{statement.formula}\n```",
        section("Holds if", bullets(statement.hypotheses)),
        section("Silent on", statement.silent_on),
        section("Refuted by", statement.falsified_by),
        section("The paper", statement.paper or "Says the same."),
        section("Resources", bullets(effect_line(statement))),
        section("A number", statement.worked),
        section("Computed", f"`{computed(example)}`"),
        section("Measured by", f"`{statement.probe}`" if statement.probe else ""),
        section("Demonstrated by", bullets(demo_line(demo) for demo in demos_of(statement))),
        section("Sources", bullets(str(source) for source in statement.sources)),
        "[All claims](../theory.md)",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def overview(statements: list[Statement]) -> str:
    """Return the ledger, the matrix of resources and claims, and the demonstrations."""
    counts = ", ".join(f"{sum(s.status == status for s in statements)} {status}" for status in Status)
    ledger = table(
        ("id", "claim", "status", "limit"),
        ((link(s, FROM_FRONT), s.name, str(s.status), str(s.limit)) for s in statements),
    )
    kinds = [verdict for verdict in Verdict if verdict is not Verdict.UNDETERMINED]
    matrix = table(
        ("more of", *(str(verdict) for verdict in kinds)),
        (
            (str(resource), *(", ".join(supporting(statements, resource, verdict)) for verdict in kinds))
            for resource in Resource
            if any(effect.resource == resource for s in statements for effect in s.effects)
        ),
    )
    return (
        "\n\n".join(
            [
                "# The theory",
                f"{len(statements)} claims: {counts}. `hardlimit explain ID` shows each in a terminal, "
                "`hardlimit list claims` all of them. What the paper says beside what holds is on "
                f"[a page of its own]({FROM_FRONT}what-holds.md).",
                "## The ledger",
                ledger,
                "## What more of a resource does",
                "Every cell names the claims that say so; their pages tell under which conditions.",
                matrix,
                "## What can be seen in seconds",
                "`hardlimit demo NAME` runs a demonstration: what would refute it, what came out, a figure, and a "
                "control in which the limit must not appear. It leaves with 1 if a check fails. `diagonal` and "
                "`refute` also take predictors of your own.",
                demonstrations(),
            ]
        )
        + "\n"
    )


def what_holds(statements: list[Statement]) -> str:
    """Return what the paper says, where it holds, and what stands in its place."""
    parts = [
        "# What the paper says, what holds",
        "The paper is *On the Fundamental Limits of LLMs at Scale* (2025, arXiv:2511.12869), read through its "
        "published summaries. Each refuted statement has a counterexample that runs (`hardlimit explain ID --check`).",
    ]
    titles = {
        Status.REFUTED: "Refuted as worded",
        Status.ASSUMPTION: "Assumptions, not theorems",
        Status.EMPIRICAL: "Observations, not theorems",
        Status.CORRECTED: "Right in substance, corrected",
        Status.PROVED: "Proved as stated here",
    }
    for status, title in titles.items():
        chosen = [s for s in statements if s.status == status]
        rows = ((link(s), s.says, s.paper or "Says the same.", s.worked) for s in chosen)
        parts += [f"## {title}", table(("id", "statement", "how the paper and this differ", "a number"), rows)]
    return "\n\n".join(parts) + "\n"


def supporting(statements: Iterable[Statement], resource: Resource, verdict: Verdict) -> list[str]:
    """Return links to the claims that give a resource a verdict."""
    return [
        link(s, FROM_FRONT)
        for s in statements
        if any(e.resource == resource and e.verdict == verdict for e in s.effects)
    ]


def effect_line(statement: Statement) -> list[str]:
    """Return one line per effect of a statement."""
    return [f"{e.resource}: {e.verdict}{' — ' + e.when if e.when else ''}" for e in statement.effects]


def demonstrations() -> str:
    """Return a table of the demonstrations."""
    rows = (
        (
            demo.number,
            f"`{demo.name}`",
            demo.says,
            demo.control,
            ", ".join(link(CLAIMS[name], FROM_FRONT) for name in demo.claims),
        )
        for demo in map(DEMOS.__getitem__, DEMOS)
    )
    return table(("", "name", "shows", "control", "claims"), rows)


def demos_of(statement: Statement) -> list[Demo]:
    """Return the demonstrations of a claim."""
    return [DEMOS[name] for name in DEMOS if statement.id in DEMOS[name].claims]


def demo_line(demo: Demo) -> str:
    """Return how to run a demonstration, and what would refute it."""
    return f"`hardlimit demo {demo.name}` ({demo.number}). Refuted by: {demo.refuted_by} Control: {demo.control}"


def link(statement: Statement, folder: str = "") -> str:
    """Return a link to the page of a claim, from the folder that the pages lie in or from another."""
    return f"[{statement.id}]({folder}{statement.id}.md)"


def section(title: str, text: str) -> str:
    """Return a section, or nothing where there is nothing to say."""
    return f"## {title}\n\n{text}" if text else ""


def bullets(items: Iterable[str]) -> str:
    """Return a list."""
    return "\n".join(f"- {item}" for item in items)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def main() -> None:
    """Write the pages, and remove those of claims that no longer exist."""
    (FOLDER / "theory").mkdir(exist_ok=True)
    written = pages()
    for stale in (FOLDER / "theory").glob("*.md"):
        if f"theory/{stale.name}" not in written:
            stale.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
