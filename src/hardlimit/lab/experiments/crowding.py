"""Crowding: what happens to one needle as distractors are added, far past the number trained on (CTX-3, 4, 5)."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.core import (
    Estimate,
    Finding,
    Interval,
    Measurement,
    Resource,
    ResourceVerdict,
    Scalar,
    Standing,
    Verdict,
)
from hardlimit.core.quantity import ACCURACY, INFLUENCE, NEEDLE_MARGIN
from hardlimit.lab.attention import AnyAttention, Entmax, Hierarchical, LogScaled, Softmax, TopK
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
from hardlimit.lab.worlds.needles import KEYS, VALUES, Majority, Needle, read_needle, read_pairs
from hardlimit.stats import n_for_width
from hardlimit.theory import context as theory

TRAINED = 16
"""Tokens among which the needle lies in training."""

FACTORS = (1, 2, 4, 8, 16, 32, 64)
ATTENTIONS: dict[str, AnyAttention] = {
    "softmax": Softmax(),
    "log-scaled": LogScaled(reference=TRAINED + 1),
    "entmax": Entmax(),
    "top-k": TopK(keys=8),
    "hierarchical": Hierarchical(chunk=4, chosen=4),
}

PLAIN = "softmax"
COUNTING = "counting"


class Crowding(Experiment):
    """How attention to one needle disperses with length, under several attention functions."""

    name = "crowding"
    says = "Does attention lose one needle as distractors are added, and which attention function does not?"

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        return Design(
            question="A head finds one needle among 16 tokens. What happens among up to 64 times as many, and is it "
            "softmax itself that fails?",
            claims=("CTX-3", "CTX-4", "CTX-5"),
            setting=f"One block of width 64 with one head and no positions. {TRAINED} tokens, each a pair of one of "
            f"{KEYS} keys and one of {VALUES} values; the question names a key that one pair has. Distractors "
            f"keep their law. Tested at {TRAINED} to {TRAINED * FACTORS[-1]:,} tokens. Attention is softmax, "
            "softmax of logits times ln n / ln 17, entmax 1.5, the 8 best keys, or the 4 best chunks of 4 keys. Apart "
            "from these, a model that takes a majority over digits, read in float32 and in bfloat16.",
            size=f"{len(scale.members)} models per attention function, from their own seeds; {self._cases(scale)} "
            f"questions per model and length. {n_for_width(0.1)} questions give an interval of 10 points; six models "
            "can reach p = 0.031 in a sign test.",
            would_refute="A softmax head whose margin falls by clearly less or more than ln 2 per doubling although "
            "its distractors keep their law; log-scaled softmax that loses a needle with a fixed gap; two bfloat16 "
            "reads further than one unit in the last place apart beyond the collapse length.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per attention function, and one for counting."""
        if scale.extent == "smoke":
            return (Cell(name=PLAIN), Cell(name="log-scaled"), Cell(name=COUNTING))
        return (*(Cell(name=name) for name in ATTENTIONS), Cell(name=COUNTING))

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train on short contexts and read long ones."""
        seeds = scale.members
        if cell.name == COUNTING:
            return self._counting(scale, bench)
        attention = ATTENTIONS[cell.name]
        shape = Architecture(
            vocabulary=Needle(TRAINED).vocabulary,
            layers=1,
            heads=1,
            kv_heads=1,
            positions="none",
            attention=attention,
            hidden=2,
            tied=False,
        )
        plan = Training(steps=scale.choose(300, 700, 3000), batch=64)
        family, _ = bench.train(cell.name, shape, [Needle(TRAINED)] * len(seeds), plan, seeds)
        rows: list[Row] = []
        for factor in FACTORS:
            reading = read_needle(family, Needle(TRAINED * factor), self._cases(scale))
            scored, summed = attention.cost(TRAINED * factor)
            for member, seed in enumerate(seeds):
                rows.append(
                    {
                        "attention": cell.name,
                        "length": TRAINED * factor,
                        "seed": seed,
                        "right": int(reading.right[member].sum()),
                        "n": int(reading.right[member].size),
                        "scored": scored,
                        "summed": summed,
                        **{
                            name: float(getattr(reading, name)[member].mean())
                            for name in ("margin", "gap", "spread", "weight")
                        },
                    }
                )
        return rows

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set margins beside CTX-3 and CTX-4, and reads beside CTX-5."""
        needle = [row for row in rows if row["attention"] != COUNTING]
        counting = where(rows, attention=COUNTING)
        accuracy = self.measurement(
            "accuracy",
            ACCURACY,
            scale,
            points=curve(needle, ["attention", "length"]),
            note=f"Trained on {TRAINED} tokens. A guess is right in {1 / VALUES:.1%} of cases.",
        )
        margins = self.measurement(
            "margin",
            NEEDLE_MARGIN,
            scale,
            points=curve(needle, ["attention", "length"], lambda r: mean(column(r, "margin"))),
            parameters=slopes(needle),
            note="Against the other pairs, in raw logits, whatever the attention function makes of them.",
        )
        findings = (
            self._dispersion(needle, scale, margins),
            self._crowded(needle, scale),
            *self._precise(counting, scale),
        )
        counted = self.measurement(
            "counting",
            ACCURACY,
            scale,
            points=curve(counting, ["precision", "length"]),
            note="Votes that are one apart, by the precision of every product and sum; a guess is right in half.",
        )
        end = max(int(row["length"]) for row in needle)
        last = {p.at["attention"]: p.estimate.value for p in accuracy.points if p.at["length"] == end}
        kept = sorted((name for name in last if name != PLAIN), key=lambda name: -last[name])
        return Conclusion(
            headline=f"At {end // TRAINED} times the trained length softmax finds {last[PLAIN]:.0%} of the needles; "
            + ", ".join(f"{name} {last[name]:.0%}" for name in kept)
            + f". {findings[0].says}",
            findings=findings,
            measurements=(accuracy, margins, counted),
            verdicts=self._verdicts(needle, last),
            cautions=(
                "One block on synthetic pairs: it shows what the attention function does when nothing else interferes, "
                "not how a large model spends its heads.",
                "Chunks are scored by their mean key and hold pairs in random order, the hardest case for a summary.",
            ),
        )

    @staticmethod
    def _cases(scale: Scale) -> int:
        return scale.choose(64, 256, n_for_width(0.1))

    def _counting(self, scale: Scale, bench: Bench) -> list[Row]:
        """Train a majority on short lists, and read long ones in two precisions."""
        seeds, length = scale.members, TRAINED + 1
        shape = Architecture(
            vocabulary=3, layers=1, width=32, heads=1, kv_heads=1, positions="none", hidden=2, tied=False
        )
        plan = Training(steps=scale.choose(100, 300, 600), batch=64)
        family, _ = bench.train(COUNTING, shape, [Majority(length)] * len(seeds), plan, seeds)
        rows: list[Row] = []
        for factor in (1, 4, 16, 64, 256):
            task = Majority(TRAINED * factor + 1, closest=True)
            many = max(4, min(64, 2**16 // task.length))
            for precision in ("float32", "bfloat16"):
                read = read_pairs(family, task, many, getattr(torch, precision))
                for member, seed in enumerate(seeds):
                    rows.append(
                        {
                            "attention": COUNTING,
                            "precision": precision,
                            "length": task.length,
                            "seed": seed,
                            "right": int(read.right[member].sum()),
                            "n": int(read.right[member].size),
                            "influence": float(read.influence[member].max()),
                            "units": float(read.units[member].max()),
                            "same": float(read.same[member].mean()),
                            "spread": float(read.spread[member].max()),
                        }
                    )
        return rows

    def _dispersion(self, rows: Sequence[Row], scale: Scale, margins: Measurement) -> Finding:
        """The slope of softmax's margin beside ln 2 per doubling."""
        plain = where(rows, attention=PLAIN)
        per_seed = slope_per_doubling(plain)
        slope, predicted = mean(per_seed), -math.log(2)
        points = curve(plain, ["length"], lambda r: mean(column(r, "margin")))
        law = theory.margin_by_length([float(p.at["length"]) for p in points], points[0].estimate.value)
        # Distractors are not exactly alike, so the law holds to their first order: within a tenth counts as agreeing.
        near = interval_within(slope.interval, predicted, 0.1 * math.log(2))
        return Finding(
            claim=law,
            measurement=self.measurement(
                "softmax_margin", NEEDLE_MARGIN, scale, points=points, parameters=margins.parameters
            ),
            standing=near,
            says=f"Softmax's margin changes by {slope.value:+.3f} nats per doubling ({ends(slope.interval)}); number "
            f"alone would make it {predicted:+.3f} (within a tenth of that counts as agreeing).",
        )

    def _crowded(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """Margins beside those that normal distractors of the measured spread would leave."""
        plain = where(rows, attention=PLAIN)
        points = curve(plain, ["length"], lambda r: mean(column(r, "margin")))
        first = where(plain, length=TRAINED)
        law = theory.crowded_margin(
            [float(p.at["length"]) for p in points],
            float(column(first, "gap").mean()),
            float(column(first, "spread").mean()),
        )
        apart = [p.estimate.value - y for p, (_, y) in zip(points, law.points, strict=True)]
        agrees = all(abs(difference) < 0.5 for difference in apart)
        return Finding(
            claim=law,
            measurement=self.measurement("normal_margin", NEEDLE_MARGIN, scale, points=points),
            standing=Standing.AGREES if agrees else Standing.DISAGREES,
            says="From the needle's gap and the distractors' spread at the trained length, normal distractors would "
            f"leave a margin of {law.points[-1][1]:+.2f} nats at {law.points[-1][0]:,.0f} tokens; it is "
            f"{points[-1].estimate.value:+.2f} (largest difference {max(apart, key=abs):+.2f}; within 0.5 counts as "
            "agreeing).",
        )

    def _precise(self, rows: Sequence[Row], scale: Scale) -> tuple[Finding, ...]:
        """The largest influence of one token beside CTX-5's bound, at the longest lists."""
        found = []
        for precision, bits in (("float32", 24), ("bfloat16", 8)):
            there = where(rows, precision=precision)
            length = max(int(row["length"]) for row in there)
            last = where(there, length=length)
            bound = theory.influence_ceiling(length, float(column(last, "spread").max()))
            points = curve(there, ["length"], lambda r: largest(column(r, "influence")))
            collapse = theory.collapse_length(float(column(there, "spread").max()), 2.0**-bits)
            worst = float(column(last, "units").max())
            inside = points[-1].estimate.value <= bound.value + 2.0 ** (1 - bits)
            found.append(
                Finding(
                    claim=bound,
                    measurement=self.measurement(f"influence_{precision}", INFLUENCE, scale, points=points),
                    standing=Standing.AT_BOUND if inside else Standing.BEYOND_BOUND,
                    says=f"{precision}: flipping the deciding digit of {length:,} moves the read by "
                    f"{points[-1].estimate.value:.2g} of the largest value at most (bound {bound.value:.2g}); "
                    f"{float(column(last, 'same').mean()):.0%} of the pairs read bit for bit alike, and "
                    f"they lie at most {worst:.2g} units in the last place (of the largest value) apart. "
                    f"Sufficient collapse length: {collapse:,.0f} tokens.",
                )
            )
        return tuple(found)

    def _verdicts(self, rows: Sequence[Row], last: dict[Scalar, float]) -> tuple[ResourceVerdict, ...]:
        end = max(int(row["length"]) for row in rows)
        plain = mean(column(where(rows, attention=PLAIN, length=end), "margin"))
        lost = plain.interval.high is not None and plain.interval.high < 0
        made = [
            ResourceVerdict(
                resource=Resource.CONTEXT,
                verdict=Verdict.HURTS if lost else Verdict.UNDETERMINED,
                because=f"softmax's margin at {end:,} tokens is {plain.value:+.1f} nats: the needle gets less than "
                "half of the attention."
                if lost
                else "softmax's margin is still positive at the longest context.",
                basis="measured",
                claims=("CTX-3",),
            )
        ]
        if "log-scaled" in last:
            pairs = column(where(rows, attention="log-scaled", length=end), "right") - column(
                where(rows, attention=PLAIN, length=end), "right"
            )
            helps = bool((pairs > 0).all()) and last["log-scaled"] - last[PLAIN] > 0.1
            made.append(
                ResourceVerdict(
                    resource=Resource.MARGIN,
                    verdict=Verdict.HELPS if helps else Verdict.UNDETERMINED,
                    because=f"logits that grow with ln n find {last['log-scaled']:.0%} of the needles at {end:,} "
                    f"tokens where plain softmax finds {last[PLAIN]:.0%}.",
                    basis="measured",
                    claims=("CTX-3",),
                )
            )
        return tuple(made)


def slope_per_doubling(rows: Sequence[Row]) -> list[float]:
    """Least-squares slope of each seed's margin against log2 of the length."""
    made = []
    for seed in values(rows, "seed"):
        own = where(rows, seed=seed)
        made.append(float(np.polyfit(np.log2(column(own, "length")), column(own, "margin"), 1)[0]))
    return made


def slopes(rows: Sequence[Row]) -> dict[str, bool | int | float | str]:
    """Nats per doubling of each attention function, with its interval."""
    told: dict[str, bool | int | float | str] = {}
    for name in values(rows, "attention"):
        slope = mean(slope_per_doubling(where(rows, attention=name)))
        told[f"slope_per_doubling.{name}"] = round(slope.value, 4)
        told[f"slope_per_doubling.{name}_low"] = round(slope.interval.low or 0.0, 4)
        told[f"slope_per_doubling.{name}_high"] = round(slope.interval.high or 0.0, 4)
    return told


def largest(numbers: NDArray[np.float64]) -> Estimate:
    """The largest over seeds; no seed seen was larger, which is all that the interval says."""
    top = float(numbers.max())
    return Estimate(
        value=top, interval=Interval(low=float(numbers.min()), high=top, level=0.95, method="range"), n=numbers.size
    )


def interval_within(interval: Interval, value: float, slack: float) -> Standing:
    """Whether an interval overlaps the slack around a number; one that is far too wide says nothing."""
    if interval.low is None or interval.high is None or interval.high - interval.low > 10 * slack:
        return Standing.UNDETERMINED
    return Standing.AGREES if interval.low <= value + slack and interval.high >= value - slack else Standing.DISAGREES


def ends(interval: Interval) -> str:
    """Write an interval of signed numbers."""
    return f"{interval.low:+.3f} to {interval.high:+.3f}"
