"""Where experiments are measured: a device, a folder for checkpoints, and someone who watches."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from hardlimit.core import InvalidValueError, Progress, Silent, Value, canonical
from hardlimit.lab.tasks import Task
from hardlimit.lab.training import Trained, Training, Watch, train
from hardlimit.lab.transformer import Architecture, Family


@dataclass(frozen=True)
class Bench:
    """Trains families for experiments.

    Args:
        device: `cpu` or `cuda`.
        folder: where checkpoints lie until a cell is measured, or None for no checkpoints.
        progress: hears of every step.
    """

    device: str = "cpu"
    folder: Path | None = None
    progress: Progress = field(default_factory=Silent)

    def train(
        self,
        name: str,
        architecture: Architecture,
        tasks: Sequence[Task],
        plan: Training,
        seeds: Sequence[int],
        watch: Watch | None = None,
    ) -> tuple[Family, Trained]:
        """Train a family, going on from its checkpoint where there is one.

        Args:
            name: unique within the cell; it names the checkpoint.
            architecture: the members' shape.
            tasks: one per member.
            plan: steps, batch, rates.
            seeds: one per member.
            watch: what is looked at on the way.
        """
        family = Family(architecture, seeds, device=self.device)
        keep = None if self.folder is None else self.folder / f"{name}.pt"
        return family, train(family, tasks, plan, keep=keep, progress=self.progress, watch=watch)


def device_named(name: str) -> str:
    """Resolve `auto` to a GPU where there is one.

    >>> device_named("cpu")
    'cpu'
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidValueError("--device cuda needs a GPU that torch can see, and there is none here; leave it out.")
    return name


def key_of(experiment: str, cell: Value, scale: Value) -> str:
    """What sets a cell apart from every other.

    >>> from hardlimit.lab.experiment import Cell, Scale
    >>> key_of("x", Cell(name="a"), Scale()) == key_of("x", Cell(name="a"), Scale(seeds=2))
    False
    """
    return canonical([experiment, cell, scale]).decode()
