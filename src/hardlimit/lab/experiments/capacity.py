"""Capacity: how many random facts fit into so many weights, and does any model hold more than its own file (HALL-3)?"""

import lzma
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.core import Estimate, Finding, Resource, ResourceVerdict, Verdict, stand
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
    share,
    values,
    where,
)
from hardlimit.lab.size import sized
from hardlimit.lab.tasks import Batch, Tokens, generator
from hardlimit.lab.training import Training
from hardlimit.lab.transformer import Family
from hardlimit.scaling import Curve, ScalePoint, verdict
from hardlimit.theory import hallucination as theory

TABLE = 7
"""Stream of the random numbers that facts are made from."""

HEAD_WIDTH = 4
LEVELS = (8, 16, 32, 64, 256)
"""Levels that weights are rounded to before a file is made of them; the fewest that cost no answers count."""

LEAST_SCALES = 4

DIALS = {"smoke": (1, 2, 3, 4), "quick": (1, 2, 3, 4, 5), "full": (1, 2, 3, 4, 5, 6, 8)}


class Facts(NamedTuple):
    """A table of random facts: two symbols name one, its value is one of q. The table follows from the seed.

    Args:
        symbols: different symbols; the table has symbols² facts.
        values: q.
        seed: of the table.
    """

    symbols: int
    values: int
    seed: int

    @property
    def vocabulary(self) -> int:
        """First symbols, second symbols, and values."""
        return 2 * self.symbols + self.values

    def table(self) -> Tokens:
        """The value of each fact."""
        return generator(self.seed, TABLE).integers(self.values, size=self.symbols**2)

    def ask(self, facts: Tokens) -> Batch:
        """Ask for some facts."""
        first, second = np.divmod(facts, self.symbols)
        tokens = np.stack([first, self.symbols + second], axis=1)
        answers = 2 * self.symbols + self.table()[facts]
        return Batch(tokens, np.ones((facts.size, 1), dtype=np.int64), answers[:, None])

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw facts, each equally often."""
        return self.ask(rng.integers(self.symbols**2, size=n))


class Capacity(Experiment):
    """Random facts against weights, and against exposures."""

    name = "capacity"
    says = "How many random facts fit into a model's weights, and does any model hold more than its own file?"

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        task = self._task(scale, 0)
        sizes = [sized(dial, task.vocabulary, head_width=HEAD_WIDTH).parameters for dial in DIALS[scale.extent]]
        return Design(
            question="Do memorised facts obey the rate-distortion floor of the memory that holds them, and what would "
            "ten times the weights, or ten times the exposures, do?",
            claims=("HALL-3",),
            setting=f"{task.symbols**2:,} facts, each one of {task.values} values at random "
            f"({np.log2(task.values):.0f} bits), {len(sizes)} sizes of {sizes[0]:,} to {sizes[-1]:,} weights on one "
            f"dial, {self._plan(scale).steps:,} steps of {self._plan(scale).batch:,} facts; and one size over a range "
            "of steps, each with a schedule of its own. The file is the weights rounded to the fewest of 8 to 256 "
            "levels that lose no more than 1 point of accuracy, compressed by LZMA.",
            size=f"{len(scale.members)} models per size, each with its own facts; every fact is asked, so the only "
            "spread is that between models.",
            would_refute="A model whose answers carry more bits than its compressed file.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per size, and one per number of steps."""
        sizes = tuple(Cell(name=f"size-{dial}", settings={"dial": dial, "share": 1.0}) for dial in DIALS[scale.extent])
        if scale.extent == "smoke":
            return sizes
        shares = (0.02, 0.05, 0.1, 0.2, 0.4)
        return sizes + tuple(
            Cell(name=f"steps-{part:g}", settings={"dial": self._middle(scale), "share": part}) for part in shares
        )

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train on the facts, ask for all of them, and weigh the file."""
        seeds, whole = scale.members, self._plan(scale)
        tasks = [self._task(scale, seed) for seed in seeds]
        shape = sized(int(cell.settings["dial"]), tasks[0].vocabulary, head_width=HEAD_WIDTH)
        plan = Training(steps=max(1, round(whole.steps * float(cell.settings["share"]))), batch=whole.batch, rate=5e-3)
        family, _ = bench.train(cell.name, shape, tasks, plan, seeds)
        facts = tasks[0].symbols ** 2
        rows: list[Row] = []
        right = recalled(family, tasks)
        files = [packed(family, tasks, levels) for levels in LEVELS]
        for member, seed in enumerate(seeds):
            kept = [file for file in files if file[0][member] >= right[member] - 0.01 * facts]
            best = min(kept or files[-1:], key=lambda file: file[1][member])
            rows.append(
                {
                    "cell": cell.name.partition("-")[0],
                    "dial": int(cell.settings["dial"]),
                    "parameters": shape.parameters,
                    "exposures": plan.steps * plan.batch / facts,
                    "seed": seed,
                    "facts": facts,
                    "values": tasks[0].values,
                    "right": right[member],
                    "wrong": facts - right[member],
                    "n": facts,
                    "file_right": best[0][member],
                    "file_bits": 8 * best[1][member],
                }
            )
        return rows

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set errors beside the floor of the smallest file, and judge both resources."""
        by_size, by_steps = where(rows, cell="size"), where(rows, cell="steps")
        full = where(by_size, dial=self._middle(scale))
        by_steps = [*by_steps, *full] if by_steps else []
        error = self.measurement(
            "error",
            FACT_ERROR,
            scale,
            points=curve(by_size, ["parameters"], wrong),
            parameters={f"bits_per_parameter.{k}": round(v, 3) for k, v in density(by_size).items()},
            note="Every fact is asked; a guess is wrong in "
            f"{1 - 1 / float(by_size[0]['values']):.1%}. Stored bits: N·R_q(error).",
        )
        learning = self.measurement(
            "error_by_exposures", FACT_ERROR, scale, points=curve(by_steps, ["exposures"], wrong)
        )
        findings = tuple(self._floor(where(by_size, dial=dial), scale) for dial in values(by_size, "dial"))
        tightest = max(float(stored(row) / float(row["file_bits"])) for row in rows)
        densest = max(density(by_size).values())
        verdicts = [self._verdict(by_size, "parameters", Resource.PARAMETERS)]
        if by_steps:
            verdicts.append(self._verdict(by_steps, "exposures", Resource.DATA))
        return Conclusion(
            headline=f"No model held more than its own file: the closest carried {tightest:.0%} of the bits of it. The "
            f"densest size stored {densest:.2f} bits per weight. {verdicts[0].because}",
            findings=findings,
            measurements=(error, learning) if by_steps else (error,),
            verdicts=tuple(verdicts),
            cautions=(
                "The file is an upper limit of what the weights hold, made by rounding and LZMA; a better packer would "
                "come closer.",
                "Bits per weight depend on how long was trained; these models were stopped after a fixed number of "
                "exposures.",
            ),
        )

    @staticmethod
    def _task(scale: Scale, seed: int) -> Facts:
        return Facts(symbols=scale.choose(16, 32, 64), values=scale.choose(16, 16, 64), seed=seed)

    @staticmethod
    def _plan(scale: Scale) -> Training:
        return Training(steps=scale.choose(100, 300, 1500), batch=scale.choose(256, 512, 1024), rate=5e-3)

    @staticmethod
    def _middle(scale: Scale) -> int:
        return scale.choose(2, 3, 3)

    def _floor(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """The error of one size beside the floor that its largest file sets."""
        bits = float(column(rows, "file_bits").max())
        bound = theory.fact_error_floor(bits, float(rows[0]["facts"]), int(rows[0]["values"]))
        size = int(rows[0]["parameters"])
        points = curve(rows, ["parameters"], lambda r: file_error(r))
        measured = self.measurement("file_error", FACT_ERROR, scale, points=points)
        estimate = points[0].estimate
        return Finding(
            claim=bound,
            measurement=measured,
            standing=stand(bound, measured, margin=0.05),
            says=f"{size:,} weights: {estimate.value:.1%} of the facts come back wrong from a file of "
            f"{bits / 8192:,.1f} KiB, which allows {bound.value:.1%} at best.",
        )

    @staticmethod
    def _verdict(rows: Sequence[Row], along: str, resource: Resource) -> ResourceVerdict:
        every = curve(rows, [along], wrong)
        points = [
            ScalePoint(scale=float(point.at[along]), value=point.estimate.value, n=point.estimate.n)
            for point in every
            if point.estimate.value > 0
        ]
        none = len(every) - len(points)
        if len(points) < LEAST_SCALES:
            return ResourceVerdict(
                resource=resource,
                verdict=Verdict.UNDETERMINED,
                because=f"Random facts, by {along}: {none} of {len(every)} scales made no error at all, which leaves "
                "too few for a curve.",
                basis="measured",
                claims=("HALL-3",),
            )
        points.sort(key=lambda point: point.scale)
        judged = verdict(
            Curve(
                task="random facts", metric="error", points=tuple(points), resource=resource, better="lower", best=0.0
            )
        )
        return ResourceVerdict(
            resource=resource,
            verdict=judged.verdict,
            because=f"Random facts, by {along}: {judged.because}"
            + (f" ({none} scales without any error are left out.)" if none else ""),
            basis="measured",
            claims=("HALL-3",),
        )


@torch.no_grad()
def recalled(family: Family, tasks: Sequence[Facts]) -> list[int]:
    """Ask each member for all of its facts and count the right answers."""
    every = np.arange(tasks[0].symbols ** 2)
    right = np.zeros(len(tasks), dtype=np.int64)
    for part in np.array_split(every, max(1, every.size // 4096)):
        asked = [task.ask(part) for task in tasks]
        tokens = torch.from_numpy(np.stack([batch.tokens for batch in asked])).to(family.device)
        rows = torch.from_numpy(np.stack([batch.rows for batch in asked])).to(family.device)
        said = family(tokens, rows).argmax(-1).cpu().numpy()
        right += (said == np.stack([batch.answers for batch in asked])).sum((1, 2))
    return [int(count) for count in right]


@torch.no_grad()
def packed(family: Family, tasks: Sequence[Facts], levels: int) -> tuple[list[int], list[int]]:
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
    right = recalled(family, tasks)
    family.weights.copy_(before)
    whole = torch.cat([code for code, _ in codes], dim=1).to(torch.uint8).cpu().numpy()
    sizes = [len(lzma.compress(bits_of(row, levels), preset=9)) + 4 * len(codes) for row in whole]
    return right, sizes


def bits_of(codes: NDArray[np.uint8], levels: int) -> bytes:
    """Pack codes below a power of two into as few bits as they need.

    >>> bits_of(np.array([1, 2, 3, 0], dtype=np.uint8), 4)
    b'l'
    """
    width = (levels - 1).bit_length()
    return np.packbits(np.unpackbits(codes[:, None], axis=1)[:, 8 - width :]).tobytes()


def wrong(rows: Sequence[Row]) -> Estimate:
    """Share of facts that came back wrong."""
    return share(rows, "wrong")


def file_error(rows: Sequence[Row]) -> Estimate:
    """Share of facts that the compressed file gets wrong."""
    return mean(1 - column(rows, "file_right") / column(rows, "n"), int(column(rows, "n").sum()))


def stored(row: Row) -> float:
    """Bits that a file's answers carry, N·R_q(error)."""
    facts, q = float(row["facts"]), int(row["values"])
    error = min(1 - float(row["file_right"]) / facts, 1 - 1 / q)
    return float(theory.bits_needed(facts, q, error))


def density(rows: Sequence[Row]) -> dict[str, float]:
    """Stored bits per weight at each size, mean over seeds."""
    return {
        str(size): float(np.mean([stored(row) / float(size) for row in where(rows, parameters=size)]))
        for size in values(rows, "parameters")
    }
