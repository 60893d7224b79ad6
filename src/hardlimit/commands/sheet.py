"""Contact sheets: what a probe asks about pictures, on one page for a person to look at."""

import html
from collections.abc import Sequence
from pathlib import Path

from hardlimit.core import Case, InvalidValueError, See
from hardlimit.core.text import one_line
from hardlimit.report.hostile import picture_address

ALL = "multimodal"
"""Name under which the pictures of every task are shown together."""

STYLE = (
    "body{font:15px/1.4 system-ui,sans-serif;margin:2rem;max-width:80rem;color:#1b1f24;background:#fff}"
    "section{margin:0 0 2rem}h2{font-size:1.1rem;margin:0 0 .5rem}"
    ".row{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;width:14rem}"
    "img{width:14rem;height:14rem;border:1px solid #d0d7de;border-radius:6px}figcaption{font-size:.85rem}"
)


def pictured(name: str, *, seed: int, n: int) -> list[Case]:
    """Cases of every task with pictures, `n` of each.

    >>> len({case.factors["task"] for case in pictured("multimodal", seed=0, n=2)})
    10
    """
    from hardlimit.probes import Probe
    from hardlimit.probes.multimodal import Drawn, UsualColour
    from hardlimit.probes.multimodal.tasks import TASKS

    if name != ALL:
        raise InvalidValueError(f"Only {ALL} shows the pictures of all its tasks together, got '{name}'.")
    probes: list[Probe] = [*(Drawn(task=task) for task in TASKS), UsualColour()]
    return [case for probe in probes for case in probe.cases(seed=seed, n=n)]


def has_pictures(cases: Sequence[Case]) -> bool:
    """Whether any of the cases shows a picture."""
    return any(isinstance(case.ask, See) and case.ask.images for case in cases)


def write_sheet(cases: Sequence[Case], file: Path) -> Path:
    """Write the pictures of cases with their questions and right answers as one HTML page.

    The page fetches nothing and runs no script; pairs stand side by side.

    Args:
        cases: those without a picture are left out.
        file: where to write; its folder is made if it does not exist.

    Raises:
        InvalidValueError: no case has a picture, or the file cannot be written.
    """
    shown = [case for case in cases if isinstance(case.ask, See) and case.ask.images]
    if not shown:
        raise InvalidValueError("There is no picture to put on a sheet: these cases have none.")
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in shown:
        question = case.ask.messages[-1].content
        groups.setdefault((str(case.factors.get("task", "")), question), []).append(case)
    sections = "\n".join(_section(task, question, items) for (task, question), items in groups.items())
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>What is asked</title>\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        f"style-src 'unsafe-inline'\">\n<style>{STYLE}</style></head>\n<body><h1>What is asked</h1>\n"
        f"{sections}\n</body></html>\n"
    )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InvalidValueError(f"The sheet cannot be written to {file}: {error}.") from error
    return file


def _section(task: str, question: str, cases: Sequence[Case]) -> str:
    figures = "\n".join(_figure(case) for case in cases)
    title = f"{_text(task)}: {_text(question)}" if task else _text(question)
    return f'<section><h2>{title}</h2>\n<div class="row">\n{figures}\n</div></section>'


def _figure(case: Case) -> str:
    assert isinstance(case.ask, See)
    pictures = "".join(
        f'<img src="{address}" alt="A picture that is asked about">'
        for image in case.ask.images
        if (address := picture_address(image)) is not None
    )
    right = ", ".join(case.gold) or "to abstain"
    knob = f", knob {case.factors['knob']:g}" if "knob" in case.factors else ""
    return f"<figure>{pictures}<figcaption>right: {_text(right)}{_text(knob)}</figcaption></figure>"


def _text(text: str) -> str:
    return html.escape(one_line(text))
