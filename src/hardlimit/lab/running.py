"""Running an experiment: cell by cell, here or on a Ray cluster, each measured cell durable before the next."""

import hashlib
import shutil
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from hardlimit import __version__
from hardlimit.core import HardlimitError, MissingExtraError, Progress, Silent, StoreError, dumps, loads
from hardlimit.lab.bench import Bench, Measured, device_named, key_of
from hardlimit.lab.catalog import EXPERIMENTS
from hardlimit.lab.experiment import Cell, LabReport, Scale

Place = Literal["here", "ray"]


def run(
    name: str,
    scale: Scale,
    folder: Path,
    *,
    device: str = "auto",
    on: Place = "here",
    progress: Progress | None = None,
) -> LabReport:
    """Run an experiment; what `folder` already holds of this very run is not measured again.

    Args:
        name: as in the catalog.
        scale: how large.
        folder: for measured cells, checkpoints and the report.
        device: `auto`, `cpu` or `cuda`.
        on: `here`, or `ray` for the cluster that Ray finds or starts.
        progress: hears of every training step and every measured cell.
    """
    experiment, listener = EXPERIMENTS[name](), Silent() if progress is None else progress
    cells = experiment.cells(scale)
    place = folder / name / scale.extent
    measured: dict[str, Measured] = {}
    missing = []
    for cell in cells:
        found = _read(place, name, cell, scale)
        if found is None:
            missing.append(cell)
        else:
            measured[cell.name] = found
            listener.settled(cell.name, "measured before")
    where = device_named(device)
    work = _on_ray if on == "ray" else _here
    for cell, one in work(name, missing, scale, place, where, listener):
        measured[cell.name] = one
        listener.settled(cell.name, f"measured in {one.seconds:.0f} s")
    rows = [row for cell in cells for row in measured[cell.name].rows]
    report = LabReport(
        experiment=name,
        scale=scale,
        design=experiment.design(scale),
        conclusion=experiment.conclude(rows, scale),
        rows=tuple(rows),
        seconds={cell.name: round(measured[cell.name].seconds, 1) for cell in cells},
        device=", ".join(sorted({measured[cell.name].device for cell in cells})),
        version=__version__,
        packages={package: version(package) for package in ("torch", "numpy")},
    )
    _write(report_path(folder, name, scale), dumps(report))
    return report


def report_path(folder: Path, name: str, scale: Scale) -> Path:
    """Where the report of a run lies.

    >>> report_path(Path("lab"), "hops", Scale(extent="quick")).name
    'hops.quick.json'
    """
    return folder / (f"{name}.json" if scale.extent == "full" else f"{name}.{scale.extent}.json")


def concluded_again(path: Path) -> LabReport:
    """Draw the conclusion of a saved report again from its rows.

    Args:
        path: a file that `run` wrote.
    """
    import msgspec

    try:
        report = loads(path.read_bytes(), LabReport)
    except OSError as error:
        raise StoreError(f"The report {path} cannot be read: {error.strerror}.") from error
    experiment = EXPERIMENTS[report.experiment]()
    return msgspec.structs.replace(
        report,
        design=experiment.design(report.scale),
        conclusion=experiment.conclude(report.rows, report.scale),
    )


def measure_cell(name: str, cell: Cell, scale: Scale, place: Path, device: str, progress: Progress) -> Measured:
    """Measure one cell and write it down; its checkpoints are then no longer needed."""
    checkpoints = place / f"{cell.name}.{hashlib.sha256(key_of(name, cell, scale).encode()).hexdigest()[:8]}"
    began = time.perf_counter()
    rows = EXPERIMENTS[name]().measure(cell, scale, Bench(device=device, folder=checkpoints, progress=progress))
    done = Measured(
        key=key_of(name, cell, scale), rows=tuple(rows), seconds=time.perf_counter() - began, device=_named(device)
    )
    _write(place / f"{cell.name}.json", dumps(done))
    shutil.rmtree(checkpoints, ignore_errors=True)
    return done


def _here(
    name: str, cells: Sequence[Cell], scale: Scale, place: Path, device: str, progress: Progress
) -> Iterator[tuple[Cell, Measured]]:
    for cell in cells:
        yield cell, measure_cell(name, cell, scale, place, device, progress)


def _on_ray(
    name: str, cells: Sequence[Cell], scale: Scale, place: Path, device: str, progress: Progress
) -> Iterator[tuple[Cell, Measured]]:
    """One Ray task per cell; on a GPU cluster each asks for a GPU of its own.

    The driver writes what comes back into its own folder, so that workers need no shared disk to be safe.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError.for_extra("ray", "ray") from error
    if not cells:
        return
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        remote = ray.remote(num_gpus=1 if device == "cuda" else 0)(measure_cell)
        places = {remote.remote(name, cell, scale, place.absolute(), device, Silent()): cell for cell in cells}
        progress.asking(f"{len(cells)} cells on Ray", len(cells))
        waiting = list(places)
        while waiting:
            done, waiting = ray.wait(waiting)
            for one in done:
                try:
                    result = ray.get(one)
                except ray.exceptions.RayTaskError as error:
                    raise HardlimitError(f"The cell {places[one].name} failed on Ray: {error.cause}") from error
                _write(place / f"{places[one].name}.json", dumps(result))
                yield places[one], result
    finally:
        if started:
            ray.shutdown()


def _read(place: Path, name: str, cell: Cell, scale: Scale) -> Measured | None:
    path = place / f"{cell.name}.json"
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"The measured cell {path} cannot be read: {error.strerror}.") from error
    found = loads(text, Measured)
    return found if found.key == key_of(name, cell, scale) else None


def _write(path: Path, text: str) -> None:
    """Write so that a cut at any moment leaves the old file or the new one."""
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from error


def _named(device: str) -> str:
    if device != "cuda":
        return "CPU"
    import torch

    return torch.cuda.get_device_name()
