"""Encoding: does the decay of rotary self-similarity with distance keep a head from attending far away (CTX-2)?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.core import Finding, Standing
from hardlimit.core.quantity import ACCURACY, NEEDLE_WEIGHT
from hardlimit.lab.bench import Bench
from hardlimit.lab.experiment import (
    Cell,
    Conclusion,
    Design,
    Experiment,
    Row,
    Scale,
    column,
    curve,
    mean,
    values,
    where,
)
from hardlimit.lab.tasks import TESTING, Batch, generator
from hardlimit.lab.training import Training, stacked
from hardlimit.lab.transformer import Architecture, Family, Seen
from hardlimit.stats import n_for_width
from hardlimit.theory import context as theory

WORDS = 16
LEARNED = 0.9
"""Accuracy from which on a head counts as attending at its distance."""

BASES = (100.0, 10_000.0, 500_000.0)
"""Rotary bases: one that turns fast, one common in small models, one of long-context models."""


class Back(NamedTuple):
    """Which token stood a fixed number of places ago? Tokens are random, so that only the place tells.

    Args:
        length: tokens of a sequence.
        distance: places back, below `length`.
    """

    length: int
    distance: int

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return WORDS

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw tokens; every place that reaches back far enough is asked, up to the last sixteen."""
        tokens = rng.integers(WORDS, size=(n, self.length))
        rows = np.broadcast_to(np.arange(self.length - 16, self.length), (n, 16)).copy()
        return Batch(tokens, rows, np.take_along_axis(tokens, rows - self.distance, 1))


class Encoding(Experiment):
    """Heads that are to attend at one distance each."""

    name = "encoding"
    says = "Does the decay of rotary self-similarity keep a head from attending far away?"

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        length, distances = self._length(scale), self._distances(scale)
        return Design(
            question="With rotary positions, a vector resembles itself less and less with distance. Does that bound "
            "how far a head can attend?",
            claims=("CTX-2",),
            setting=f"One block with one head of width 64 and no feed-forward layer; {length} random tokens; the "
            f"answer is the token {', '.join(map(str, distances))} places back, one distance per model, for rotary "
            f"bases of {', '.join(f'{base:,.0f}' for base in BASES)}.",
            size=f"{len(scale.members)} models per distance and base; {self._cases(scale)} sequences each, of which "
            "the last 16 places are asked. Models of all distances train together.",
            would_refute=f"A distance at which no model gets above {LEARNED:.0%} although nearer ones do.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per base."""
        bases = BASES[: scale.choose(1, 2, 3)]
        return tuple(Cell(name=f"base-{base:.0f}", settings={"base": base}) for base in bases)

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train a model for each distance and read where its head looks."""
        base, distances = float(cell.settings["base"]), self._distances(scale)
        tasks = [Back(self._length(scale), distance) for distance in distances for _ in scale.members]
        seeds = [1000 * distance + seed for distance in distances for seed in scale.members]
        shape = Architecture(
            vocabulary=WORDS, layers=1, width=64, heads=1, kv_heads=1, rope_base=base, hidden=0, tied=False
        )
        plan = Training(steps=scale.choose(20, 200, 400), batch=8, rate=1e-2)
        family, _ = bench.train(cell.name, shape, tasks, plan, seeds)
        right, weight = read_back(family, tasks, self._cases(scale))
        return [
            {
                "base": base,
                "distance": task.distance,
                "seed": seed,
                "right": int(right[member].sum()),
                "n": int(right[member].size),
                "weight": float(weight[member].mean()),
                "similarity": float(theory.rope_selfsim(task.distance, 64, base)),
            }
            for member, (task, seed) in enumerate(zip(tasks, seeds, strict=True))
        ]

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set what heads reach beside the similarity that falls."""
        named: list[Row] = [row | {"base": f"base {float(row['base']):,.0f}"} for row in rows]
        accuracy = self.measurement(
            "accuracy",
            ACCURACY,
            scale,
            points=curve(named, ["base", "distance"]),
            note=f"A guess is right in {1 / WORDS:.1%} of cases.",
        )
        weight = self.measurement(
            "weight",
            NEEDLE_WEIGHT,
            scale,
            points=curve(named, ["base", "distance"], lambda r: mean(column(r, "weight"))),
        )
        findings = tuple(self._reaches(where(rows, base=base), scale) for base in values(rows, "base"))
        failed = sum(finding.standing is Standing.DISAGREES for finding in findings)
        return Conclusion(
            headline=(
                "At every base some head learned to attend at every distance asked for, whatever the self-similarity. "
                if not failed
                else f"With {failed} of {len(findings)} bases no head learned some distance. "
            )
            + " ".join(finding.says for finding in findings),
            findings=findings,
            measurements=(accuracy, weight),
            cautions=(
                "That some head can attend at a distance does not say that training on text makes one; how far "
                "trained distances reach is the question of 'positions'.",
            ),
        )

    @staticmethod
    def _length(scale: Scale) -> int:
        return scale.choose(32, 64, 64)

    def _distances(self, scale: Scale) -> tuple[int, ...]:
        return (1, 8) if scale.extent == "smoke" else (1, 4, 16, 32, 47)

    @staticmethod
    def _cases(scale: Scale) -> int:
        return scale.choose(8, 16, n_for_width(0.1) // 8)

    def _reaches(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """Which distances were learned at one base."""
        base = float(rows[0]["base"])
        points = curve(rows, ["distance"])
        every = [int(p.at["distance"]) for p in points]
        able = {
            d: int((column(there := where(rows, distance=d), "right") / column(there, "n") > LEARNED).sum())
            for d in every
        }
        least = min(column(rows, "similarity"))
        far = max(every)
        missed = [distance for distance, count in able.items() if not count]
        return Finding(
            claim=theory.no_attenuation(far, 64, base),
            measurement=self.measurement(f"base_{base:.0f}", ACCURACY, scale, points=points),
            standing=Standing.AGREES if not missed else Standing.DISAGREES,
            says=f"Base {base:,.0f}, where self-similarity falls to {least:.2f}: of {len(rows) // len(every)} models "
            f"for each distance, those above {LEARNED:.0%} are "
            + ", ".join(f"{count} at {distance}" for distance, count in able.items())
            + " places back.",
        )


@torch.no_grad()
def read_back(family: Family, tasks: Sequence[Back], cases: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Ask test sequences.

    Returns:
        Whether each answer is right, and the attention weight at the wanted distance, (members, cases · places).
    """
    drawn = [task.draw(generator(seed, TESTING), cases, 1.0) for task, seed in zip(tasks, family.seeds, strict=True)]
    tokens, rows, answers, *_ = stacked(drawn, family.device)
    watch: list[Seen] = []
    state = family.hidden(tokens, rows, watch=watch)
    right = (family.read(state).argmax(-1) == answers).flatten(1)
    seen = watch[-1]
    weights = family.architecture.attention.weights(seen.queries, seen.keys, seen.allowed)[:, 0]
    back = torch.tensor([task.distance for task in tasks], device=family.device)[:, None, None]
    place = (rows - back).flatten(0, 1)[..., None]
    found = weights.gather(-1, place)[..., 0].reshape(len(tasks), -1).double()
    return np.asarray(right.cpu()), np.asarray(found.cpu())
