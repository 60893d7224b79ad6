"""The trainer: data drawn on the fly, equal runs from equal seeds, and a run that goes on where it was cut off."""

import contextlib
import hashlib
import math
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hardlimit.core import InvalidValueError, Progress, Silent, StoreError, Usage, Value, canonical
from hardlimit.lab.tasks import NOTHING, TESTING, TRAINING, Batch, Task, generator
from hardlimit.lab.transformer import Family

STRETCH = 16
"""Steps whose data is drawn at once; a checkpoint stands at the end of a stretch."""

Rights = NDArray[np.bool_]

TOKENS_IN_FLIGHT = 2_000_000
"""A stretch is shortened where its data would be larger than this."""


class Training(Value, frozen=True):
    """How a family is trained.

    Args:
        steps: optimiser steps, >= 1.
        batch: sequences a step and member, >= 1.
        rate: learning rate at its height.
        warm_up: share of the steps over which the rate rises.
        final: last rate as a share of the height; between, it follows a cosine.
        decay: weight decay.
        clip: largest norm of a member's gradient.
        precision: of the matrix products; bfloat16 pays on a GPU alone.
    """

    steps: int
    batch: int = 64
    rate: float = 3e-3
    warm_up: float = 0.05
    final: float = 0.05
    decay: float = 0.01
    clip: float = 1.0
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1 or self.batch < 1 or self.rate <= 0:
            raise InvalidValueError(
                f"Training needs steps, batch >= 1 and rate > 0, got {self.steps}, {self.batch}, {self.rate:g}."
            )

    def rate_at(self, step: int) -> float:
        """Learning rate of a step.

        >>> plan = Training(steps=100, rate=1.0, warm_up=0.1, final=0.0)
        >>> [round(plan.rate_at(step), 2) for step in (0, 9, 54, 99)]
        [0.1, 1.0, 0.51, 0.0]
        """
        rising = max(1, round(self.warm_up * self.steps))
        if step < rising:
            return self.rate * (step + 1) / rising
        over = (step - rising) / max(1, self.steps - 1 - rising)
        return self.rate * (self.final + (1 - self.final) * (1 + math.cos(math.pi * min(over, 1.0))) / 2)


class Trained(Value, frozen=True):
    """What a training run says about itself.

    Args:
        losses: mean loss of each member over each stretch of steps, nats; outer index is the stretch.
        tokens: training tokens, all members together.
        seconds: wall-clock time of this run, without what an earlier run had done.
        resumed_at: step at which it went on, 0 for a run from the start.
        seen: what was watched, per watched step, member by member.
    """

    losses: tuple[tuple[float, ...], ...]
    tokens: int
    seconds: float
    resumed_at: int = 0
    seen: tuple[tuple[tuple[float, ...], ...], ...] = ()


class Watch(NamedTuple):
    """Readings on the way; they neither change the run nor are lost when it is cut off.

    Args:
        steps: after which steps is looked.
        look: from the family to numbers, (members, numbers).
    """

    steps: frozenset[int]
    look: Callable[[Family], Tensor]


def train(
    family: Family,
    tasks: Sequence[Task],
    plan: Training,
    *,
    keep: Path | None = None,
    progress: Progress | None = None,
    keep_every: float = 20.0,
    watch: Watch | None = None,
) -> Trained:
    """Train each member on its own task and seed, all in the same steps.

    Args:
        family: changed in place.
        tasks: one per member; sequences of one batch must have one length over all members.
        plan: steps, batch, rates.
        keep: file of the checkpoint. Where it holds this very run, the run goes on from there; it is written every
            `keep_every` seconds, at the end, and when the run is interrupted.
        progress: hears of every step.
        keep_every: seconds between checkpoints.
        watch: what is looked at on the way.

    Raises:
        StoreError: the checkpoint is of another run, or cannot be read.
    """
    members = len(family.seeds)
    if len(tasks) != members:
        raise InvalidValueError(f"train needs one task per member, got {len(tasks)} tasks for {members} members.")
    optimiser = torch.optim.AdamW([family.weights], betas=(0.9, 0.98), weight_decay=plan.decay, fused=True)
    run = _Run(family, optimiser, _fingerprint(family, tasks, plan, watch))
    if keep is not None and keep.exists():
        run.load(keep)
    resumed, began = run.step, time.perf_counter()
    saved, tokens = began, 0
    listener = Silent() if progress is None else progress
    listener.asking(f"training {members} × {family.architecture.parameters:,} weights", plan.steps - run.step)
    step, stretch = step_of(family, plan), _stretch(tasks, plan)
    with _Interruptions() as interruptions:
        while run.step < plan.steps and not interruptions.asked():
            first = run.step - run.step % stretch
            for batch in _drawn(family, tasks, plan, first, min(stretch, plan.steps - first))[run.step - first :]:
                optimiser.param_groups[0]["lr"] = plan.rate_at(run.step)
                run.losses.append(step(optimiser, batch))
                run.step += 1
                if watch is not None and run.step in watch.steps:
                    run.seen.append(watch.look(family).cpu())
                tokens += batch[0].numel()
                listener.answered(None, Usage(calls=0))
                if interruptions.asked():
                    break
            if keep is not None and (time.perf_counter() - saved > keep_every or interruptions.asked()):
                run.save(keep)
                saved = time.perf_counter()
    if run.step < plan.steps:
        raise KeyboardInterrupt
    if keep is not None and run.step > resumed:
        run.save(keep)
    seen = tuple(tuple(map(tuple, there.tolist())) for there in run.seen)
    took = time.perf_counter() - began
    return Trained(losses=run.told(), tokens=tokens, seconds=took, resumed_at=resumed, seen=seen)


class _Interruptions:
    """Holds Ctrl-C back until a step is whole, so that the checkpoint is."""

    def __init__(self) -> None:
        self._asked = False
        self._before: Any = None

    def asked(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._asked

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _ask(self, *_: object) -> None:
        self._asked = True


Tensors = tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None]
"""Tokens, rows, answers, segments and places, each (members, batch, …)."""


def step_of(family: Family, plan: Training) -> Callable[[torch.optim.Optimizer, Tensors], Tensor]:
    """Make the function that takes one optimiser step and returns each member's loss."""

    def step(optimiser: torch.optim.Optimizer, batch: Tensors) -> Tensor:
        loss = losses(family, batch, precision=plan.precision)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss.sum())
        slope = family.weights.grad
        if slope is None:
            raise InvalidValueError("The loss does not depend on the weights.")
        slope.mul_((plan.clip / slope.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=1.0))
        optimiser.step()
        return loss.detach()

    return step


def losses(family: Family, batch: Tensors, *, precision: str = "float32") -> Tensor:
    """Mean cross-entropy of each member over the answers that count, nats, (members,)."""
    tokens, rows, answers, segments, places = batch
    every = rows.shape[-1] == tokens.shape[-1]
    with _cast(family.device, precision):
        logits = family(tokens, None if every else rows, segments, places)
    flat = functional.cross_entropy(
        logits.float().flatten(0, 2), answers.flatten(), ignore_index=NOTHING, reduction="none"
    ).reshape(answers.shape[0], -1)
    return flat.sum(1) / (answers != NOTHING).flatten(1).sum(1).clamp(min=1)


def stacked(batches: Sequence[Batch], device: torch.device) -> Tensors:
    """Batches of all members as tensors on the device."""

    def one(parts: Sequence[Any]) -> Tensor:
        return torch.from_numpy(np.stack(parts)).to(device)

    first = batches[0]
    segments = None if first.segments is None else one([b.segments for b in batches])
    places = None if first.places is None else one([b.places for b in batches])
    tokens, rows, answers = (one([b[part] for b in batches]) for part in range(3))
    return tokens, rows, answers, segments, places


def _stretch(tasks: Sequence[Task], plan: Training) -> int:
    """Steps to draw at once, the same at every step of a run, so that a run that goes on draws the same data."""
    tokens = int(tasks[0].draw(generator(0, TRAINING), 1, 0.0).tokens.shape[1]) * plan.batch * len(tasks)
    return max(1, min(STRETCH, TOKENS_IN_FLIGHT // tokens))


def _drawn(family: Family, tasks: Sequence[Task], plan: Training, first: int, many: int) -> list[Tensors]:
    """Data of the next steps: drawn together, member by member from its own seed, then cut into steps."""
    drawn = [
        task.draw(generator(seed, TRAINING, first), many * plan.batch, first / plan.steps)
        for task, seed in zip(tasks, family.seeds, strict=True)
    ]
    tokens, rows, answers, *parts = stacked(drawn, family.device)
    cuts = [slice(i * plan.batch, (i + 1) * plan.batch) for i in range(many)]

    def cut_of(cut: slice) -> Tensors:
        segments, places = (None if part is None else part[:, cut] for part in parts)
        return tokens[:, cut], rows[:, cut], answers[:, cut], segments, places

    return [cut_of(cut) for cut in cuts]


def _cast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def _fingerprint(family: Family, tasks: Sequence[Task], plan: Training, watch: Watch | None) -> str:
    """What makes a run this very run."""
    told = canonical([family.architecture, list(family.seeds), plan]) + repr(list(tasks)).encode()
    if watch is not None:
        told += repr(sorted(watch.steps)).encode()
    return hashlib.sha256(told).hexdigest()


class _Run:
    """The state of a run, on disk and off it."""

    def __init__(self, family: Family, optimiser: torch.optim.Optimizer, fingerprint: str) -> None:
        self.family, self.optimiser, self.fingerprint = family, optimiser, fingerprint
        self.step = 0
        self.losses: list[Tensor] = []
        self.seen: list[Tensor] = []

    def told(self) -> tuple[tuple[float, ...], ...]:
        """Mean loss of each member over each stretch of steps."""
        if not self.losses:
            return ()
        return tuple(tuple(part.mean(0).tolist()) for part in torch.split(torch.stack(self.losses), STRETCH))

    def save(self, path: Path) -> None:
        """Write the state so that a cut at any moment leaves the old file or the new one."""
        state = {
            "fingerprint": self.fingerprint,
            "step": self.step,
            "losses": torch.stack(self.losses),
            "seen": self.seen,
            "weights": self.family.weights.detach(),
            "optimiser": self.optimiser.state_dict(),
        }
        fresh = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state, fresh)
            fresh.replace(path)
        except OSError as error:
            raise StoreError(f"The checkpoint {path} cannot be written: {error.strerror}.") from error

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        try:
            state = torch.load(path, map_location=self.family.device, weights_only=True)
            same = state["fingerprint"] == self.fingerprint
        except Exception as error:  # A damaged file can fail in many ways inside torch.
            raise StoreError(f"The checkpoint {path} cannot be read ({error}). Delete it to start again.") from error
        if not same:
            raise StoreError(f"The checkpoint {path} is of another run. Delete it, or name another folder with --out.")
        self.step, self.losses = state["step"], list(state["losses"])
        self.seen = state.get("seen", [])
        with torch.no_grad():
            self.family.weights.copy_(state["weights"])
        self.optimiser.load_state_dict(state["optimiser"])


@torch.no_grad()
def answered(family: Family, tasks: Sequence[Task], n: int, *, seed_of_test: int = 0, batch: int = 64) -> Rights:
    """Ask each member n test sequences and return which answers are right.

    Args:
        family: the models.
        tasks: one per member.
        n: test sequences per member.
        seed_of_test: place in the testing stream; another number gives other sequences.
        batch: sequences at a time.

    Returns:
        Booleans (members, n, answers).
    """
    kept = []
    for start in range(0, n, batch):
        many = min(batch, n - start)
        drawn = [
            task.draw(generator(seed, TESTING, seed_of_test * 100_003 + start), many, 1.0)
            for task, seed in zip(tasks, family.seeds, strict=True)
        ]
        tokens, rows, answers, segments, places = stacked(drawn, family.device)
        kept.append((family(tokens, rows, segments, places).argmax(-1) == answers).cpu().numpy())
    return np.concatenate(kept, axis=1)
