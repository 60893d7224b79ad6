"""Running an experiment: cell by cell, here or on a Ray cluster, each measured cell durable before the next."""

import contextlib
import shutil
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from hardlimit import __version__
from hardlimit.core import HardlimitError, MissingExtraError, Progress, Silent, StoreError, dumps, loads
from hardlimit.lab.bench import Bench, device_named, key_of
from hardlimit.lab.catalog import EXPERIMENTS
from hardlimit.lab.experiment import Cell, Experiment, LabReport, Scale
from hardlimit.store import ANSWERS, Measured, Store, cell_key, run_key

Place = Literal["here", "ray"]


def run(
    name: str,
    scale: Scale,
    folder: Path,
    *,
    store: Store | None = None,
    device: str = "auto",
    on: Place = "here",
    progress: Progress | None = None,
) -> LabReport:
    """Run an experiment; what the store already holds of this very run is not measured again.

    Args:
        name: as in the catalog.
        scale: how large.
        folder: for checkpoints and the report, and for the store where none is given.
        store: where measured cells and the report are kept; the folder's own if None.
        device: `auto`, `cpu` or `cuda`.
        on: `here`, or `ray` for the cluster that Ray finds or starts.
        progress: hears of every training step and every measured cell.
    """
    if store is None:
        with Store.open(folder / ANSWERS) as own:
            return run(name, scale, folder, store=own, device=device, on=on, progress=progress)
    experiment = EXPERIMENTS[name]()
    cells = experiment.cells(scale)
    measured = _measured_cells(experiment, scale, folder, store, (device_named(device), on), progress or Silent())
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
    document = dumps(report)
    store.keep_lab_report(run_key(name, scale), document, experiment=name)
    _write(report_path(folder, name, scale), document)
    return report


def _measured_cells(
    experiment: Experiment, scale: Scale, folder: Path, store: Store, there: tuple[str, Place], progress: Progress
) -> dict[str, Measured]:
    """Get every cell by its name: from the store, from a file of an earlier hardlimit, or by measuring it."""
    name, (device, on) = experiment.name, there
    place = folder / name / scale.extent
    cells = {cell.name: cell for cell in experiment.cells(scale)}
    keys = {cell: cell_key(name, experiment.version, settings, scale) for cell, settings in cells.items()}
    found = store.cells(list(keys.values()))
    measured = {cell: found[key] for cell, key in keys.items() if key in found}
    for cell, settings in cells.items():
        if cell not in measured and (left := _left_as_file(experiment, settings, scale, place)) is not None:
            measured[cell] = store.keep_cell(keys[cell], left, experiment=name, cell=cell)
        if cell in measured:
            progress.settled(f"{name}, {cell}", "measured before")
    missing = [settings for cell, settings in cells.items() if cell not in measured]
    for settings, one in (_on_ray if on == "ray" else _here)(name, missing, scale, place, device, progress):
        measured[settings.name] = store.keep_cell(keys[settings.name], one, experiment=name, cell=settings.name)
        _drop_checkpoints(place, settings, keys[settings.name])
        progress.settled(f"{name}, {settings.name}", f"measured in {one.seconds:.0f} s")
    return measured


def missing_cells(name: str, scale: Scale, store: Store) -> int:
    """How many cells of a run the store does not hold yet.

    Args:
        name: of the experiment.
        scale: how large the run is.
        store: where measured cells are kept.
    """
    experiment = EXPERIMENTS[name]()
    keys = {cell_key(name, experiment.version, cell, scale) for cell in experiment.cells(scale)}
    return len(keys - store.cells(list(keys)).keys())


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
    """Measure one cell; its checkpoints lie in `place` until the cell is kept."""
    experiment = EXPERIMENTS[name]()
    checkpoints = _checkpoints(place, cell, cell_key(name, experiment.version, cell, scale))
    began = time.perf_counter()
    rows = experiment.measure(cell, scale, Bench(device=device, folder=checkpoints, progress=progress))
    return Measured(
        key=key_of(name, cell, scale), rows=tuple(rows), seconds=time.perf_counter() - began, device=_named(device)
    )


def _measure_elsewhere(name: str, cell: Cell, scale: Scale, place: Path, device: str) -> Measured:
    """Measure one cell on a worker, whose disk may be its own: nobody else would clear its checkpoints away."""
    done = measure_cell(name, cell, scale, place, device, Silent())
    _drop_checkpoints(place, cell, cell_key(name, EXPERIMENTS[name].version, cell, scale))
    return done


def _checkpoints(place: Path, cell: Cell, key: bytes) -> Path:
    return place / f"{cell.name}.{key.hex()[:8]}"


def _drop_checkpoints(place: Path, cell: Cell, key: bytes) -> None:
    shutil.rmtree(_checkpoints(place, cell, key), ignore_errors=True)
    with contextlib.suppress(OSError):  # Not there, or not empty yet.
        place.rmdir()
        place.parent.rmdir()


def _here(
    name: str, cells: Sequence[Cell], scale: Scale, place: Path, device: str, progress: Progress
) -> Iterator[tuple[Cell, Measured]]:
    for cell in cells:
        yield cell, measure_cell(name, cell, scale, place, device, progress)


def _on_ray(
    name: str, cells: Sequence[Cell], scale: Scale, place: Path, device: str, progress: Progress
) -> Iterator[tuple[Cell, Measured]]:
    """One Ray task per cell; on a GPU cluster each asks for a GPU of its own.

    The driver alone keeps what comes back, so that workers need no shared disk to be safe.
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
        remote = ray.remote(num_gpus=1 if device == "cuda" else 0)(_measure_elsewhere)
        places = {remote.remote(name, cell, scale, place.absolute(), device): cell for cell in cells}
        progress.asking(f"{len(cells)} cells on Ray", len(cells))
        waiting = list(places)
        while waiting:
            done, waiting = ray.wait(waiting)
            for one in done:
                try:
                    result = ray.get(one)
                except ray.exceptions.RayTaskError as error:
                    raise HardlimitError(f"The cell {places[one].name} failed on Ray: {error.cause}") from error
                yield places[one], result
    finally:
        if started:
            ray.shutdown()


def _left_as_file(experiment: Experiment, cell: Cell, scale: Scale, place: Path) -> Measured | None:
    """Read a cell that an earlier hardlimit left as a file, where there is one of this very run."""
    path = place / f"{cell.name}.json"
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"The measured cell {path} cannot be read: {error.strerror}.") from error
    found = loads(text, Measured)
    return found if experiment.version == 1 and found.key == key_of(experiment.name, cell, scale) else None


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
