"""Write the page of the lab from the committed results: `python docs/build_lab.py`.

`docs/lab/results` holds what full runs of `hardlimit lab` left. A test compares `docs/lab.md` and the pictures with
what this script would write, so they never lag behind. With `--conclude`, conclusions are first drawn again from the
measured rows, for when the code that draws them has changed.
"""

import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from hardlimit.commands.lab_page import HELD, picture, table_of, title_of
from hardlimit.core import dumps, loads
from hardlimit.lab.experiment import LabReport
from hardlimit.lab.running import concluded_again

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "lab" / "results"


def reports() -> list[LabReport]:
    """Return the committed reports, by name."""
    return [loads(path.read_bytes(), LabReport) for path in sorted(RESULTS.glob("*.json"))]


def pages() -> dict[str, str]:
    """Return every file by its path inside `docs`."""
    found = reports()
    pictures = {}
    for report in found:
        for measurement in report.conclusion.measurements:
            svg = picture(report, measurement)
            if svg is not None:
                pictures[picture_path(measurement.name)] = svg
    return {"lab.md": overview(found, pictures), **pictures}


def picture_path(name: str) -> str:
    """Return where the picture of a measurement lies."""
    return f"lab/{name.removeprefix('lab.').replace('.', '-').replace('_', '-')}.svg"


def overview(found: list[LabReport], pictures: Collection[str]) -> str:
    """Return the page; `pictures` are the paths of those that are drawn."""
    parts = [
        "# The lab: what we found",
        "Small transformers, trained here, that confront what a claim says about a mechanism. `hardlimit lab` lists "
        "the experiments, `hardlimit lab NAME` runs one, `--quick` in a reduced form of about two minutes; a run that "
        "was cut off goes on where it stopped, `--device cuda` uses a GPU, and `--on ray` gives each part of it to a "
        "Ray cluster. `hardlimit audit MODEL --lab` runs the reduced forms beside an audit. Each result holds for its "
        "small models and its synthetic data, and says where a prediction failed.",
        "| experiment | claim | prediction | in one sentence |\n|---|---|---|---|\n"
        + "\n".join(
            f"| [{report.experiment}](#{report.experiment}) | {finding.claim.statement.id} | "
            f"{HELD[finding.standing]} | {cell(finding.says)} |"
            for report in found
            for finding in report.conclusion.findings
        ),
        *(section(report, pictures) for report in found),
    ]
    return "\n\n".join(parts) + "\n"


def section(report: LabReport, pictures: Collection[str]) -> str:
    """Return the part of the page about one experiment."""
    design, conclusion = report.design, report.conclusion
    parts = [
        f"## {report.experiment}",
        f"**{design.question}**",
        conclusion.headline,
        bullets(f"More {v.resource}: **{v.verdict}**. {v.because}" for v in conclusion.verdicts),
        f"*Design.* {design.setting} {design.size} What would have changed our mind: {design.would_refute}",
    ]
    for measurement in conclusion.measurements:
        lines = table_of(measurement)
        if picture_path(measurement.name) in pictures:
            parts.append(f"![{title_of(measurement)}]({picture_path(measurement.name)})")
        head, *rows = ["| " + " | ".join(map(cell, line)) + " |" for line in lines]
        rule = "|" + "---|" * len(lines[0])
        parts.append(
            f"<details><summary>{title_of(measurement)}: {len(rows)} numbers</summary>\n\n"
            + "\n".join([head, rule, *rows])
            + "\n\n</details>"
        )
        if measurement.note:
            parts.append(f"{title_of(measurement).capitalize()}: {measurement.note}")
    parts.append(bullets(conclusion.cautions))
    seconds = sum(report.seconds.values())
    parts.append(f"Again: `{report.command} --out docs/lab/again` ({seconds:,.0f} s on {report.device}).")
    return "\n\n".join(part for part in parts if part)


def bullets(lines: Iterable[str]) -> str:
    """Return lines as a list."""
    return "\n".join(f"- {line}" for line in lines)


def cell(text: str) -> str:
    """Return a text that may stand in a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Write everything."""
    if "--conclude" in sys.argv:
        for path in sorted(RESULTS.glob("*.json")):
            path.write_text(dumps(concluded_again(path)) + "\n", encoding="utf-8")
    for name, text in pages().items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
