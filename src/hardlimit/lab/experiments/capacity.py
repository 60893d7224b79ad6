"""Capacity: how many random facts fit into so many weights, and does any model hold more than its own file (HALL-3)?"""

from collections.abc import Sequence

import numpy as np

from hardlimit.core import Estimate, Finding, Measurement, Resource, ResourceVerdict, stand
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
from hardlimit.lab.training import Training
from hardlimit.lab.transformer import Architecture
from hardlimit.lab.worlds.facts import BANDS, EXPONENT, Facts, packed, recalled, stored
from hardlimit.scaling import Curve, ScalePoint, ScalingVerdict, verdict
from hardlimit.theory import hallucination as theory

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
    "full": (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 2.0),
}
ALIKE = {"smoke": (2, 4), "quick": (4, 8), "full": (4, 8, 14, 20)}
"""Widths of the models whose facts are told alike: small ones, whose files cannot hold all of the facts."""

LONGER, FASTER = 3.0, 4.0
"""Times the steps, and times the learning rate, of those models, whose files then hold more."""


class Capacity(Experiment):
    """Random facts against weights, and against exposures."""

    name = "capacity"
    says = "How many random facts fit into a model's weights, and does any model hold more than its own file?"
    version = 2

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        task, plan, widths = self._task(scale, 0), self._plan(scale), WIDTHS[scale.extent]
        sizes = [shape_of(width, task).parameters for width in widths]
        told = f"{SHARES[scale.extent][0]:g} to {max(SHARES[scale.extent]):g}" if SHARES[scale.extent] else "1"
        return Design(
            question="Do memorised facts obey the rate-distortion floor of the memory that holds them, and what would "
            "ten times the weights, or ten times the exposures, do?",
            claims=("HALL-3",),
            setting=f"{task.facts:,} facts, each one of {task.values} values at random "
            f"({np.log2(task.values):.0f} bits), told and asked for by a Zipf law of exponent {EXPONENT:g}; "
            f"{len(sizes)} models of one block, width {widths[0]} to {widths[-1]}, {sizes[0]:,} to {sizes[-1]:,} "
            f"weights ({np.log10(sizes[-1] / sizes[0]):.1f} decades), {plan.steps:,} steps of {plan.batch:,} facts; "
            f"and width {self._middle(scale)} at {told} times these steps, each with a schedule of its own. By a Zipf "
            "law each decade of weights gains about as much; facts of equal frequency leave a curve no law fits, for "
            "next to no error is gone at a tenth of the capacity, and all of it at the capacity. The floor is "
            f"confronted where it says most: by {len(ALIKE[scale.extent])} small models, width "
            f"{ALIKE[scale.extent][0]} to {ALIKE[scale.extent][-1]}, whose facts are told alike, {LONGER:g} times as "
            f"long and at {FASTER:g} times the learning rate, at which trial runs with other seeds filled small files "
            "further. A file is the weights rounded to 4 to 256 levels and compressed by LZMA, and of these files "
            "the one whose answers carry most bits per bit counts.",
            size=f"{len(scale.members)} models per size, each with its own facts; every fact is asked, so the only "
            "spread is that between models.",
            would_refute="A model whose answers carry more bits than its compressed file, or a file with less error "
            "than its floor allows. The two verdicts are open: the floor limits what exposures can do at one size, "
            "but these models are stopped far above it, where the claim does not say what either resource does.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per size, one per number of steps, and one per size whose facts are told alike."""
        middle, extent = self._middle(scale), scale.extent
        parts = [(f"size-{width}", width, 1.0, EXPONENT) for width in WIDTHS[extent]]
        parts += [(f"steps-{part:g}", middle, part, EXPONENT) for part in SHARES[extent]]
        parts += [(f"alike-{width}", width, LONGER, 0.0) for width in ALIKE[extent]]
        return tuple(
            Cell(name=name, settings={"width": width, "share": part, "exponent": exponent})
            for name, width, part, exponent in parts
        )

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train on the facts, ask for all of them, and weigh the file."""
        seeds, exponent = scale.members, float(cell.settings["exponent"])
        tasks = [self._task(scale, seed, exponent) for seed in seeds]
        shape = shape_of(int(cell.settings["width"]), tasks[0])
        plan = self._plan(scale, float(cell.settings["share"]), 1.0 if exponent else FASTER)
        family, _ = bench.train(cell.name, shape, tasks, plan, seeds)
        hits, files = recalled(family, tasks), [packed(family, tasks, levels) for levels in LEVELS]
        rows: list[Row] = []
        for member, (seed, task) in enumerate(zip(seeds, tasks, strict=True)):
            kept = max(files, key=lambda file: stored(file.hits[member], task) / file.bytes[member])
            rows.append(
                {
                    "cell": cell.name.partition("-")[0],
                    "width": int(cell.settings["width"]),
                    "exponent": exponent,
                    "parameters": shape.parameters,
                    "exposures": plan.steps * plan.batch / task.facts,
                    "seed": seed,
                    "facts": task.facts,
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
        by_size, by_steps, alike = (where(rows, cell=cell) for cell in ("size", "steps", "alike"))
        by_steps = [*by_steps, *where(by_size, width=self._middle(scale))] if by_steps else []
        by_steps.sort(key=lambda row: float(row["exposures"]))
        judged = [scaling(by_size, "parameters", Resource.PARAMETERS)]
        judged += [scaling(by_steps, "exposures", Resource.DATA)] if by_steps else []
        fullest = max(rows, key=filled)
        densest = max((one for there in (by_size, alike) for one in dense(there).items()), key=lambda one: one[1])
        told = "".join(f" Ten times the {one.resource}: {one.verdict}." for one in judged)
        return Conclusion(
            headline=(
                f"No model held more than its own file: the closest, of {fullest['parameters']:,} weights, carried "
                f"{filled(fullest):.1%} of the bits of it. "
                if filled(fullest) <= 1
                else f"A model carried {filled(fullest):.0%} of the bits of its own file, which HALL-3 excludes. "
            )
            + f"The densest size, {densest[0]:,} weights, stored {densest[1]:.2f} bits per weight.{told}",
            findings=tuple(self._floor(where(alike, width=width), scale) for width in values(alike, "width")),
            measurements=self._measured(by_size, by_steps, alike, scale),
            verdicts=tuple(self._verdict(one) for one in judged),
            cautions=(
                "The file is an upper limit of what the weights hold, made by rounding and LZMA; a better packer would "
                "come closer.",
                "Bits per weight depend on how long was trained; these models were stopped after a fixed number of "
                "exposures, and rare facts were told to them a few times only.",
                "What ten times the weights do is read off at this number of exposures, and what ten times the "
                "exposures do at one size; beyond what was measured the floor of that size sets in, which the fitted "
                "law does not know.",
            ),
        )

    def _measured(
        self, by_size: Sequence[Row], by_steps: Sequence[Row], alike: Sequence[Row], scale: Scale
    ) -> tuple[Measurement, ...]:
        """The error by weights, by exposures, and of the files of facts told alike."""
        density = {f"bits_per_parameter.{size}": round(bits, 3) for size, bits in dense(by_size).items()}
        error = self.measurement(
            "error",
            FACT_ERROR,
            scale,
            points=curve(by_size, ["parameters"], missed),
            parameters=density,
            note=f"By how often facts are asked for; a guess is wrong in {1 - 1 / float(by_size[0]['values']):.1%}. "
            f"Stored bits: the sum of N·R_q(error) over {BANDS} bands of frequency.",
        )
        others = (
            ("error_over_facts", by_size, "parameters", wrong),
            ("error_by_exposures", by_steps, "exposures", missed),
            ("file_error_told_alike", alike, "parameters", file_error),
        )
        return (
            error,
            *(
                self.measurement(what, FACT_ERROR, scale, points=curve(there, [along], summary))
                for what, there, along, summary in others
                if there
            ),
        )

    @staticmethod
    def _task(scale: Scale, seed: int, exponent: float = EXPONENT) -> Facts:
        return Facts(scale.choose(8, 14, 20), scale.choose(16, 32, 32), seed, exponent)

    @staticmethod
    def _plan(scale: Scale, part: float = 1.0, faster: float = 1.0) -> Training:
        steps = max(1, round(part * scale.choose(60, 300, 1000)))
        return Training(steps=steps, batch=scale.choose(256, 512, 512), rate=5e-3 * faster)

    @staticmethod
    def _middle(scale: Scale) -> int:
        return scale.choose(4, 16, 14)

    def _floor(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """The error of one size, whose facts are told alike, beside the floor that its largest file sets."""
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
            f"{np.mean([filled(row) for row in rows]):.1%} of its bits.",
        )

    @staticmethod
    def _verdict(judged: ScalingVerdict) -> ResourceVerdict:
        curve_ = judged.curve
        return ResourceVerdict(
            resource=judged.resource,
            verdict=judged.verdict,
            because=f"{judged.task.capitalize()}, {len(curve_.points)} scales over {judged.decades:.1f} decades, error "
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

    Every fact is asked, so counts say nothing about the noise; it is read off the curve's own residuals. Scales without
    any error lie on no power law and are left out.
    """
    every = sorted(curve(rows, [along], missed), key=lambda point: float(point.at[along]))
    points = tuple(
        ScalePoint(scale=float(point.at[along]), value=point.estimate.value)
        for point in every
        if point.estimate.value > 0
    )
    left_out = len(every) - len(points)
    task = "random facts" + (f" (scales without any error left out: {left_out})" if left_out else "")
    return verdict(Curve(task=task, metric="error", points=points, resource=resource, better="lower", best=0.0))


def missed(rows: Sequence[Row]) -> Estimate:
    """Share of the questions that are answered wrong, when facts are asked for as often as they are told."""
    return mean(column(rows, "missed"))


def wrong(rows: Sequence[Row]) -> Estimate:
    """Share of all facts that came back wrong."""
    return mean(1 - column(rows, "right") / column(rows, "facts"))


def file_error(rows: Sequence[Row]) -> Estimate:
    """Share of all facts that the compressed file gets wrong."""
    return mean(1 - column(rows, "file_right") / column(rows, "facts"))


def filled(row: Row) -> float:
    """Share of the bits of the compressed file that its answers carry; HALL-3 excludes more than 1."""
    return float(row["file_stored"]) / float(row["file_bits"])


def dense(rows: Sequence[Row]) -> dict[int, float]:
    """Stored bits per weight at each size, mean over seeds."""
    return {
        int(size): float(column(where(rows, parameters=size), "stored").mean()) / int(size)
        for size in values(rows, "parameters")
    }
