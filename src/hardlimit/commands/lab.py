"""`hardlimit lab`: train small transformers that confront a claim."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def lab_command(
    experiment: str | None = None,
    *,
    quick: Annotated[bool, Parameter(negative="", help="A reduced form that ends within two minutes.")] = False,
    smoke: Annotated[bool, Parameter(negative="", show=False)] = False,
    seeds: Annotated[int | None, Parameter(help="Models per setting, at least 2.")] = None,
    out: Annotated[Path, Parameter(help="Folder for results; a run that was cut off goes on from it.")] = Path("lab"),
    on: Annotated[Literal["here", "ray"], Parameter(help="In this process, or one task per cell on Ray.")] = "here",
    device: Annotated[Literal["auto", "cpu", "cuda"], Parameter(help="Where models are trained.")] = "auto",
    json: Annotated[bool, Parameter(negative="", help="Print the whole report as JSON.")] = False,
) -> int:
    """Run one experiment of the lab, or list them.

    An experiment asks whether the mechanism that a claim names really does what the claim says. It trains small
    transformers, sets what they do beside the claim, and says plainly where a prediction failed.

    Args:
        experiment: as the list gives it; without one, the experiments are listed.
        quick: a reduced form that ends within two minutes.
        smoke: only show that it runs.
        seeds: models per setting, at least 2.
        out: folder for results; a run that was cut off goes on from it.
        on: in this process, or one task per cell on Ray.
        device: where models are trained.
        json: print the whole report as JSON.
    """
    try:
        import torch  # noqa: F401  The lab's modules load it; here it can be said what is missing.
    except ImportError as error:
        from hardlimit.core import MissingExtraError

        raise MissingExtraError.for_extra("lab", "torch") from error
    if experiment is None:
        return _list(json=json)
    from rich.console import Console

    from hardlimit.commands.lab_page import print_lab, write_page
    from hardlimit.commands.lab_progress import LabProgress
    from hardlimit.core import dumps
    from hardlimit.lab.catalog import EXPERIMENTS
    from hardlimit.lab.experiment import Scale
    from hardlimit.lab.running import report_path, run

    EXPERIMENTS[experiment]  # An unknown name is refused before anything is drawn.
    scale = Scale(extent="smoke" if smoke else "quick" if quick else "full", seeds=seeds)
    with LabProgress(Console(stderr=True)) as progress:
        report = run(experiment, scale, out, device=device, on=on, progress=progress)
    page = report_path(out, experiment, scale).with_suffix(".html")
    write_page([report], page)
    if json:
        print(dumps(report))
        return 0
    console = Console()
    print_lab(report, console)
    console.print(f"Page: {page}", soft_wrap=True, highlight=False)
    return 0


def _list(*, json: bool) -> int:
    from hardlimit.lab.catalog import EXPERIMENTS
    from hardlimit.lab.experiment import Scale

    told = [
        {"name": name, "says": kind.says, "claims": list(kind().design(Scale()).claims)}
        for name, kind in EXPERIMENTS.items()
    ]
    if json:
        from msgspec.json import encode

        print(encode(told).decode())
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for one in told:
        table.add_row(str(one["name"]), str(one["says"]), ", ".join(one["claims"]))
    Console().print(table)
    return 0
