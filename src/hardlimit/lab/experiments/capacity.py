"""Capacity: how many random facts fit into so many weights, and does any model hold more than its own file (HALL-3)?"""

import lzma
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.core import Estimate, Finding, Resource, ResourceVerdict, stand
from hardlimit.core.quantity import FACT_ERROR
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
from hardlimit.lab.tasks import Batch, Tokens, generator
from hardlimit.lab.training import Training
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.scaling import Curve, ScalePoint, ScalingVerdict, verdict
from hardlimit.theory import hallucination as theory

Floats = NDArray[np.floating]
Hits = NDArray[np.bool_]

TABLE = 7
"""Stream of the random numbers that facts are made from."""

PLACES = 3
"""Symbols that name a fact together."""

EXPONENT = 1.0
"""Of the Zipf law by which facts are told and asked for."""

BANDS = 16
"""Equal shares of the facts by how often they are told; what is stored is added up over them."""

LEVELS = (4, 8, 16, 32, 64, 256)
"""Levels that weights are rounded to before a file is made of them; the file that is fullest counts."""

WIDTHS = {
    "smoke": (2, 4, 6, 8),
    "quick": (2, 4, 6, 10, 16, 24, 36, 52),
    "full": (2, 4, 6, 10, 14, 20, 28, 40, 56, 76),
}
SHARES = {
    "smoke": (),
    "quick": (0.05, 0.1, 0.2, 0.4, 0.7),
    "full": (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 2.0),
}


class Facts(NamedTuple):
    """A table of random facts: three symbols name one, its value is one of q. The table follows from the seed.

    Args:
        symbols: different symbols at each place; the table has symbols³ facts.
        values: q.
        seed: of the table, and of which facts are told often.
    """

    symbols: int
    values: int
    seed: int

    @property
    def count(self) -> int:
        """N, the number of facts."""
        return self.symbols**PLACES

    @property
    def vocabulary(self) -> int:
        """Symbols of each place, and values."""
        return PLACES * self.symbols + self.values

    @property
    def chances(self) -> Floats:
        """How often each fact is told and asked for."""
        return made(self).chances

    def ask(self, facts: Tokens) -> Batch:
        """Ask for some facts."""
        named = [facts // self.symbols**place % self.symbols + place * self.symbols for place in range(PLACES)]
        answers = PLACES * self.symbols + made(self).table[facts]
        return Batch(np.stack(named, axis=1), np.full((facts.size, 1), PLACES - 1), answers[:, None])

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw facts by the law."""
        return self.ask(np.minimum(np.searchsorted(made(self).below, rng.random(n)), self.count - 1))


class Made(NamedTuple):
    """The table of a task: chances, their running sums, and the values."""

    chances: Floats
    below: Floats
    table: Tokens


@lru_cache(maxsize=64)
def made(task: Facts) -> Made:
    """Make the table of a task: values at random, and which fact is told how often at random too."""
    rng = generator(task.seed, TABLE)
    chances = np.arange(1, task.count + 1) ** -EXPONENT
    chances = rng.permuted(chances / chances.sum())
    return Made(chances, chances.cumsum(), rng.integers(task.values, size=task.count))


class Capacity(Experiment):
    """Random facts against weights, and against exposures."""

    name = "capacity"
    says = "How many random facts fit into a model's weights, and does any model hold more than its own file?"
    version = 2

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        task, plan = self._task(scale, 0), self._plan(scale)
        sizes = [shape_of(width, task).parameters for width in WIDTHS[scale.extent]]
        told = f"{SHARES[scale.extent][0]:g} to {max(SHARES[scale.extent]):g}" if SHARES[scale.extent] else "1"
        return Design(
            question="Do memorised facts obey the rate-distortion floor of the memory that holds them, and what would "
            "ten times the weights, or ten times the exposures, do?",
            claims=("HALL-3",),
            setting=f"{task.count:,} facts, each one of {task.values} values at random "
            f"({np.log2(task.values):.0f} bits), told and asked for by a Zipf law of exponent {EXPONENT:g}; "
            f"{len(sizes)} models of one block, width {WIDTHS[scale.extent][0]} to {WIDTHS[scale.extent][-1]}, "
            f"{sizes[0]:,} to {sizes[-1]:,} weights ({np.log10(sizes[-1] / sizes[0]):.1f} decades), {plan.steps:,} "
            f"steps of {plan.batch:,} facts; and width {self._middle(scale)} at {told} times these steps, each with a "
            "schedule of its own. Facts of equal frequency would leave a curve no law can be fitted to: next to no "
            "error is gone at a tenth of the capacity, and all of it at the capacity. By a Zipf law each decade of "
            "weights gains about as much. The file is the weights rounded to 4 to 256 levels and compressed by LZMA, "
            "and of these files the one whose answers carry most bits per bit counts.",
            size=f"{len(scale.members)} models per size, each with its own facts; every fact is asked, so the only "
            "spread is that between models.",
            would_refute="A model whose answers carry more bits than its compressed file; or, of the two resources, "
            "exposures that go on helping a model whose weights are full.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per size, and one per number of steps."""
        sizes = (Cell(name=f"size-{width}", settings={"width": width, "share": 1.0}) for width in WIDTHS[scale.extent])
        steps = (
            Cell(name=f"steps-{part:g}", settings={"width": self._middle(scale), "share": part})
            for part in SHARES[scale.extent]
        )
        return (*sizes, *steps)

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train on the facts, ask for all of them, and weigh the file."""
        seeds, whole = scale.members, self._plan(scale)
        tasks = [self._task(scale, seed) for seed in seeds]
        shape = shape_of(int(cell.settings["width"]), tasks[0])
        plan = Training(
            steps=max(1, round(whole.steps * float(cell.settings["share"]))), batch=whole.batch, rate=whole.rate
        )
        family, _ = bench.train(cell.name, shape, tasks, plan, seeds)
        hits, files = recalled(family, tasks), [packed(family, tasks, levels) for levels in LEVELS]
        rows: list[Row] = []
        for member, (seed, task) in enumerate(zip(seeds, tasks, strict=True)):
            kept = max(files, key=lambda file: stored(file.hits[member], task) / file.bytes[member])
            rows.append(
                {
                    "cell": cell.name.partition("-")[0],
                    "width": int(cell.settings["width"]),
                    "parameters": shape.parameters,
                    "exposures": plan.steps * plan.batch / task.count,
                    "seed": seed,
                    "facts": task.count,
                    "values": task.values,
                    "right": int(hits[member].sum()),
                    "missed": float(task.chances[~hits[member]].sum()),
                    "stored": stored(hits[member], task),
                    "levels": kept.levels,
                    "file_right": int(kept.hits[member].sum()),
                    "file_stored": stored(kept.hits[member], task),
                    "file_bits": 8 * kept.bytes[member],
                }
            )
        return rows

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set errors beside the floor of the smallest file, and judge both resources."""
        by_size, by_steps = where(rows, cell="size"), where(rows, cell="steps")
        by_steps = [*by_steps, *where(by_size, width=self._middle(scale))] if by_steps else []
        by_steps.sort(key=lambda row: float(row["exposures"]))
        density = {str(size): bits.value for size, bits in dense(by_size).items()}
        error = self.measurement(
            "error",
            FACT_ERROR,
            scale,
            points=curve(by_size, ["parameters"], missed),
            parameters={f"bits_per_parameter.{size}": round(bits, 3) for size, bits in density.items()},
            note=f"By how often facts are asked for; a guess is wrong in {1 - 1 / float(by_size[0]['values']):.1%}. "
            f"Stored bits: the sum of N·R_q(error) over {BANDS} bands of frequency.",
        )
        plain = self.measurement("error_over_facts", FACT_ERROR, scale, points=curve(by_size, ["parameters"], wrong))
        learning = self.measurement(
            "error_by_exposures", FACT_ERROR, scale, points=curve(by_steps, ["exposures"], missed)
        )
        findings = tuple(self._floor(where(by_size, width=width), scale) for width in values(by_size, "width"))
        tightest = max(float(row["file_stored"]) / float(row["file_bits"]) for row in rows)
        judged = [scaling(by_size, "parameters", Resource.PARAMETERS)]
        judged += [scaling(by_steps, "exposures", Resource.DATA)] if by_steps else []
        fullest = max(dense(by_size).items(), key=lambda item: item[1].value)
        told = " ".join(f"{one.resource.value.capitalize()}: {one.verdict}. {one.because}" for one in judged)
        return Conclusion(
            headline=(
                f"No model held more than its own file: the closest carried {tightest:.0%} of the bits of it. "
                if tightest <= 1
                else f"A model carried {tightest:.0%} of the bits of its own file, which HALL-3 excludes. "
            )
            + f"The densest size, {fullest[0]:,} weights, stored {fullest[1].value:.2f} bits per weight. {told}",
            findings=findings,
            measurements=(error, plain, learning) if by_steps else (error, plain),
            verdicts=tuple(self._verdict(one) for one in judged),
            cautions=(
                "The file is an upper limit of what the weights hold, made by rounding and LZMA; a better packer would "
                "come closer.",
                "Bits per weight depend on how long was trained; these models were stopped after a fixed number of "
                "exposures, and rare facts were told to them a few times only.",
                "What ten times the weights do is read off at this number of exposures, and what ten times the "
                "exposures do at one size.",
            ),
        )

    @staticmethod
    def _task(scale: Scale, seed: int) -> Facts:
        return Facts(symbols=scale.choose(8, 14, 20), values=scale.choose(16, 32, 32), seed=seed)

    @staticmethod
    def _plan(scale: Scale) -> Training:
        return Training(steps=scale.choose(60, 300, 1000), batch=scale.choose(256, 512, 1024), rate=5e-3)

    @staticmethod
    def _middle(scale: Scale) -> int:
        return scale.choose(4, 16, 14)

    def _floor(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """The error of one size, over all facts alike, beside the floor that its largest file sets."""
        bits, size = float(column(rows, "file_bits").max()), int(rows[0]["parameters"])
        bound = theory.fact_error_floor(bits, float(rows[0]["facts"]), int(rows[0]["values"]))
        points = curve(rows, ["parameters"], file_error)
        measured = self.measurement("file_error", FACT_ERROR, scale, points=points)
        estimate = points[0].estimate
        return Finding(
            claim=bound,
            measurement=measured,
            standing=stand(bound, measured, margin=0.05),
            says=f"{size:,} weights: {estimate.value:.1%} of the facts come back wrong from a file of "
            f"{bits / 8192:,.1f} KiB, which allows {bound.value:.1%} at best; its answers carry "
            f"{float(np.mean(column(rows, 'file_stored') / column(rows, 'file_bits'))):.0%} of its bits.",
        )

    @staticmethod
    def _verdict(judged: ScalingVerdict) -> ResourceVerdict:
        curve_ = judged.curve
        return ResourceVerdict(
            resource=judged.resource,
            verdict=judged.verdict,
            because=f"Random facts, {len(curve_.points)} scales over {judged.decades:.1f} decades, error "
            f"{curve_.values[0]:.1%} to {curve_.values[-1]:.1%}: {judged.because}",
            basis="measured",
            claims=("HALL-3",),
        )


def shape_of(width: int, task: Facts) -> Architecture:
    """A model of one block, by its width."""
    heads = 2 if width >= 16 else 1
    return Architecture(
        vocabulary=task.vocabulary, layers=1, width=width, heads=heads, kv_heads=heads, positions="none"
    )


def scaling(rows: Sequence[Row], along: str, resource: Resource) -> ScalingVerdict:
    """What ten times the resource does to the error, from its mean over seeds at each scale.

    Every fact is asked, so counts say nothing about the noise; it is read off the curve's own residuals.
    """
    points = tuple(
        ScalePoint(scale=float(point.at[along]), value=point.estimate.value)
        for point in sorted(curve(rows, [along], missed), key=lambda point: float(point.at[along]))
    )
    return verdict(
        Curve(task="random facts", metric="error", points=points, resource=resource, better="lower", best=0.0)
    )


@torch.no_grad()
def recalled(family: Family, tasks: Sequence[Facts]) -> Hits:
    """Ask each member for all of its facts; which come back right, (members, facts)."""
    parts = []
    for part in np.array_split(np.arange(tasks[0].count), max(1, tasks[0].count // 4096)):
        asked = [task.ask(part) for task in tasks]
        tokens = torch.from_numpy(np.stack([batch.tokens for batch in asked])).to(family.device)
        rows = torch.from_numpy(np.stack([batch.rows for batch in asked])).to(family.device)
        said = family(tokens, rows).argmax(-1).cpu().numpy()
        parts.append((said == np.stack([batch.answers for batch in asked]))[..., 0])
    return np.concatenate(parts, axis=1)


class Packed(NamedTuple):
    """Files of a family: levels of a weight, what each file recalls (members, facts), and its bytes."""

    levels: int
    hits: Hits
    bytes: list[int]


@torch.no_grad()
def packed(family: Family, tasks: Sequence[Facts], levels: int) -> Packed:
    """Round each matrix to so many levels, and return what is still recalled and the bytes of each compressed file.

    The levels of a matrix lie evenly in ±3 of its standard deviation, which the file holds as one float32.
    """
    before = family.weights.detach().clone()
    codes = []
    for part in torch.split(before, [rows * columns for rows, columns in family.architecture.matrices().values()], 1):
        reach = 3 * part.std(1, keepdim=True)
        step = 2 * reach / (levels - 1)
        code = ((part + reach) / step).round().clamp(0, levels - 1)
        codes.append((code, code * step - reach))
    family.weights.copy_(torch.cat([rounded for _, rounded in codes], dim=1))
    hits = recalled(family, tasks)
    family.weights.copy_(before)
    whole = torch.cat([code for code, _ in codes], dim=1).to(torch.uint8).cpu().numpy()
    sizes = [len(lzma.compress(bits_of(row, levels), preset=9)) + 4 * len(codes) for row in whole]
    return Packed(levels, hits, sizes)


def bits_of(codes: NDArray[np.uint8], levels: int) -> bytes:
    """Pack codes below a power of two into as few bits as they need.

    >>> bits_of(np.array([1, 2, 3, 0], dtype=np.uint8), 4)
    b'l'
    """
    width = (levels - 1).bit_length()
    return np.packbits(np.unpackbits(codes[:, None], axis=1)[:, 8 - width :]).tobytes()


def stored(hits: Hits, task: Facts) -> float:
    """Bits that the answers carry: Σ N·R_q(error) over bands of facts told about equally often.

    R_q is convex, so that the sum is a lower limit of what was kept, and larger than N·R_q of the mean error.

    >>> task = Facts(symbols=4, values=2, seed=0)
    >>> stored(np.ones(64, dtype=np.bool_), task), stored(np.arange(64) % 2 == 0, task) < 16
    (64.0, True)
    """
    guess, order = 1 - 1 / task.values, np.argsort(-task.chances, kind="stable")
    return float(
        sum(
            theory.bits_needed(band.size, task.values, min(1 - float(band.mean()), guess))
            for band in np.array_split(hits[order], BANDS)
        )
    )


def missed(rows: Sequence[Row]) -> Estimate:
    """Share of the questions that are answered wrong, when facts are asked for as often as they are told."""
    return mean(column(rows, "missed"))


def wrong(rows: Sequence[Row]) -> Estimate:
    """Share of all facts that came back wrong."""
    return mean(1 - column(rows, "right") / column(rows, "facts"))


def file_error(rows: Sequence[Row]) -> Estimate:
    """Share of all facts that the compressed file gets wrong."""
    return mean(1 - column(rows, "file_right") / column(rows, "facts"))


def dense(rows: Sequence[Row]) -> dict[int, Estimate]:
    """Stored bits per weight at each size, mean over seeds."""
    return {
        int(size): mean(column(where(rows, parameters=size), "stored") / float(size))
        for size in values(rows, "parameters")
    }
