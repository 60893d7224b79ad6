"""`hardlimit lab`: train small transformers that confront a claim."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from hardlimit.lab.experiment import Scale


def lab_command(
    experiment: str | None = None,
    *,
    quick: Annotated[bool, Parameter(negative="", help="A reduced form that ends within two minutes.")] = False,
    smoke: Annotated[bool, Parameter(negative="", show=False)] = False,
    seeds: Annotated[int | None, Parameter(help="Models per setting, at least 2.")] = None,
    out: Annotated[Path, Parameter(help="Folder for results; a run that was cut off goes on from it.")] = Path("lab"),
    on: Annotated[Literal["here", "ray"], Parameter(help="In this process, or one task per cell on Ray.")] = "here",
    device: Annotated[Literal["auto", "cpu", "cuda"], Parameter(help="Where models are trained.")] = "auto",
    export: Annotated[
        Path | None, Parameter(help="With `positions`: write its schedule for use in any trainer, and train nothing.")
    ] = None,
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
        out: folder for the store and the reports; a run that was cut off goes on from it, and so does an audit in the
            same folder.
        on: in this process, or one task per cell on Ray.
        device: where models are trained.
        export: with `positions`, write its recommended schedule to this file, with the gain that a run in `out`
            measured where there is one, and train nothing; read it with `hardlimit.lab.schedules.Curriculum.load`.
        json: print the whole report as JSON.
    """
    from hardlimit.lab.extra import require_lab

    require_lab()
    if experiment is None and export is None:
        return _list(json=json)
    from rich.console import Console

    from hardlimit.commands.lab_page import print_lab, write_page
    from hardlimit.commands.lab_progress import LabProgress
    from hardlimit.core import InvalidValueError, dumps
    from hardlimit.lab.catalog import EXPERIMENTS
    from hardlimit.lab.experiment import Scale
    from hardlimit.lab.running import report_path, run

    if experiment is None:
        raise InvalidValueError("--export needs its experiment: `hardlimit lab positions --export FILE`.")
    EXPERIMENTS[experiment]  # An unknown name is refused before anything is drawn.
    scale = Scale(extent="smoke" if smoke else "quick" if quick else "full", seeds=seeds)
    if export is not None:
        return _export(experiment, scale, out, export)
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


def _export(experiment: str, scale: "Scale", out: Path, file: Path) -> int:
    from hardlimit.core import InvalidValueError
    from hardlimit.lab.experiments.positions import exported
    from hardlimit.lab.running import concluded_again, report_path

    if experiment != "positions":
        raise InvalidValueError(
            f"--export writes the schedule of `positions`; the experiment '{experiment}' has none. Leave --export out."
        )
    path = report_path(out, experiment, scale)
    schedule = exported(concluded_again(path) if path.exists() else None, scale)
    schedule.save(file)
    print(f"{file}: schedule '{schedule.name}', windows of {schedule.window} tokens, {schedule.span} places.")
    for gain in schedule.gains:
        low, high = gain.ratio.interval.low, gain.ratio.interval.high
        print(f"{gain.setting}: {gain.ratio.value:.2f} times ({low:.2f} to {high:.2f}) the effective context.")
    if not schedule.gains:
        print(f"There is no {path}; the schedule tells no gain. `hardlimit lab positions` measures it.")
    return 0
