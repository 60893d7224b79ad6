"""`hardlimit probe`: look at what a probe asks, or ask one model a few of its questions."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def probe_command(
    name: str,
    model: str | None = None,
    *,
    n: Annotated[int, Parameter(name=["--n", "-n"])] = 10,
    seed: int = 0,
    show: Annotated[bool, Parameter(negative="")] = False,
    sheet: Path | None = None,
    set: Annotated[
        list[str] | None, Parameter(help="A parameter of the probe, such as 'family=capital'; repeatable.")
    ] = None,
    store: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run one probe on a model, or show what it asks.

    Args:
        name: as 'hardlimit list probes' gives it; multimodal shows the pictures of all its tasks.
        model: who is asked; without one, the cases are shown and nothing is asked.
        n: how many cases.
        seed: every case follows from it.
        show: show the questions and answers in full; where they are about pictures, on a page (see sheet).
        sheet: HTML file for the pictures that are asked about; NAME.html in this folder with --show alone.
        set: a parameter of the probe, such as family=capital; repeatable.
        store: keep the answers in this file, and reuse those in it.
        json: print the cases or graded answers as JSON lines.
    """
    from hardlimit.commands import probing
    from hardlimit.commands import sheet as sheets
    from hardlimit.core import InvalidValueError
    from hardlimit.probes.catalog import PROBES

    if n < 1:
        raise InvalidValueError(f"--n must be >= 1, got {n}.")
    if name == sheets.ALL and model is None and not set:
        made = sheets.write_sheet(sheets.pictured(name, seed=seed, n=n), sheet or Path(f"{name}.html"))
        print(f"Pictures: {made}")
        return 0
    probe = probing.configured(PROBES[name], set or [])
    cases = probe.cases(seed=seed, n=n)
    if sheet is not None or (show and sheets.has_pictures(cases)):
        print(f"Pictures: {sheets.write_sheet(cases, sheet or Path(f'{name}.html'))}")
    if model is None:
        probing.show_cases(cases, json=json)
        return 0
    answered = probing.asked(probe, cases, model, store)
    probing.show_answers(probe, answered, wanted=len(cases), full=show, json=json)
    return 0
