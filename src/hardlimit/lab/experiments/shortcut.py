"""Pattern completion against inference: how much data moves a model from a cue to the real lookup (REAS-4)."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hardlimit.core import (
    Estimate,
    Finding,
    Measurement,
    Point,
    Resource,
    ResourceVerdict,
    Scalar,
    Shape,
    Standing,
    Verdict,
)
from hardlimit.core.quantity import ACCURACY, CIRCUIT_COST, CROSSOVER_TOKENS
from hardlimit.lab.bench import Bench
from hardlimit.lab.experiment import (
    Cell,
    Conclusion,
    Design,
    Experiment,
    Row,
    Scale,
    curve,
    mean,
    share,
    values,
    where,
)
from hardlimit.lab.training import STRETCH, Training, Watch
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.lab.worlds.cues import (
    APPEARED,
    GRAIN,
    Crossing,
    Cue,
    Floats,
    appearance,
    cases_of,
    gap_of,
    geometric,
    labels,
    readings,
    shortest,
    shown,
    terms,
)
from hardlimit.theory import reasoning as theory

TOLERANCE = 1.5
"""A crossover within this factor of the predicted one agrees with it. At the rarest failures of an unmarked cue the
rival rule, equally many wrong cues, is off by more than its square."""

CASES = ("marked", "unmarked")

OUTCOMES = {
    Standing.AGREES: "The prediction held.",
    Standing.DISAGREES: "The prediction failed.",
    Standing.UNDETERMINED: "By the margin set beforehand the prediction neither held nor failed.",
}

RECIPES = {8: 2e-3, 16: 1.5e-3}
"""Rate by batch: the first learns fastest, the second sees a rare failure through less noise. The claim's learner
minimises code length, so each model is read at the recipe with the shortest code for its training labels; no test case
has a say in that."""

Crossings = dict[float, list[Crossing]]
"""By share, one per seed."""


class Shortcut(Experiment):
    """A cue that is right in most cases, against a lookup that is right in all."""

    name = "shortcut"
    says = "How much data moves a model from a cue that is mostly right to the lookup that always is?"

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        rhos = ", ".join(str(Fraction(rho)) for rho in (1.0, *self._shares(scale)))
        return Design(
            question="Does a model leave a shortcut when the data has paid for the longer description of the real "
            "inference, n* = ΔC/I(Y; X | S) labels, with ΔC measured where there is no shortcut?",
            claims=("REAS-4",),
            setting=f"{self._slots(scale)} slots with a bit each, in random order; one is asked for, and a last token "
            "proposes the answer. A model of two blocks can look the bit up, which takes two attention steps, or "
            f"repeat the cue. In a share ρ = {rhos} of the cases the cue is a coin, else it is right. Marked: a token "
            "tells which cases those are, and a cue leaves ρ·ln 2 nats a label open. Unmarked: nothing tells, and it "
            "leaves h(ρ/2), which is more, though as many cues are wrong. Every case is seen once, and the loss summed "
            "before each step is the length of a code for the labels. Each model is trained with "
            f"{len(self._batches(scale))} recipes of batch and constant rate and read with the one whose code is "
            "shortest. ΔC is that length at ρ = 1 less that at ρ = 0, model by model; every crossover is predicted "
            f"from it. The circuit has appeared when {APPEARED:.0%} of the cases with a wrong cue, and of those with a "
            "right one, are answered right. Recipes and lengths were chosen on other seeds, where any one recipe "
            "missed the prediction, early or late; so the code chooses the recipe.",
            size=f"{len(scale.members)} models per setting, {self._labels('ends', 1.0, scale):,} labels at ρ = 1 and "
            f"in proportion to 1/I elsewhere; {self._cases(scale)} fresh cases of each kind per model at every "
            "reading, about 19 % apart in labels from 2,048 on. In the pilot log n* had a standard deviation of 0.35 "
            f"between seeds: 6 of them give its mean to ±0.37, a factor of 1.4, less than the {TOLERANCE:g} allowed.",
            would_refute=f"A crossover whose interval lies more than a factor of {TOLERANCE:g} from ΔC/I; above all, "
            "an unmarked cue that is left only after as many wrong cues as a marked one.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """Per recipe: a cue that never fails, a useless one, and one cell per share and mark between."""
        between = [(case, rho) for case in CASES for rho in self._shares(scale)]
        return tuple(
            Cell(name=f"{case}-{rho:g}-batch-{batch}", settings={"case": case, "share": rho, "batch": batch})
            for case, rho in [("ends", 0.0), ("ends", 1.0), *between]
            for batch in self._batches(scale)
        )

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train once through the data and look at both kinds of cases on the way."""
        case, rho, batch = str(cell.settings["case"]), float(cell.settings["share"]), int(cell.settings["batch"])
        task, seeds, amount = (
            Cue(self._slots(scale), rho, case == "marked"),
            scale.members,
            self._labels(case, rho, scale),
        )
        steps = amount // batch
        plan = Training(steps=steps, batch=batch, rate=RECIPES[batch], warm_up=min(0.5, 32 / steps), final=1.0)
        shape = Architecture(vocabulary=task.vocabulary, layers=2, width=32, positions="none", tied=False, hidden=2)
        kinds = [cases_of(task, seeds, self._cases(scale), wrong, bench.device) for wrong in (True, False)]

        @torch.no_grad()
        def look(family: Family) -> Tensor:
            return torch.stack([(family(t, r).argmax(-1) == a).sum((1, 2)) for t, r, a in kinds], dim=1)

        told_at = readings(amount)
        watch = Watch(frozenset(n // batch for n in told_at), look)
        _, told = bench.train(cell.name, shape, [task] * len(seeds), plan, seeds, watch)
        nats = np.cumsum(np.asarray(told.losses) * STRETCH * batch, axis=0)
        return [
            {
                **cell.settings,
                "seed": seed,
                "labels": n,
                "wrong_cue": int(told.seen[i][member][0]),
                "right_cue": int(told.seen[i][member][1]),
                "n": self._cases(scale),
                "nats": float(nats[n // batch // STRETCH - 1, member]),
            }
            for member, seed in enumerate(seeds)
            for i, n in enumerate(told_at)
        ]

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set the crossovers beside what the code lengths at both ends predict."""
        best = {case: Line.of(rows, case, scale.members) for case in CASES}
        appeared = {case: there.appeared() for case, there in best.items()}
        findings = tuple(self._beside(best[case], appeared[case], scale) for case in CASES)
        cost = self._cost(best, scale)
        nats = [point.estimate.value for point in cost.points]
        return Conclusion(
            headline=" ".join(
                f"{growth(best[case], appeared[case])} {OUTCOMES[finding.standing]}"
                for case, finding in zip(CASES, findings, strict=True)
            )
            + f" The cost of the lookup, taken for a constant, was {min(nats):,.0f} to {max(nats):,.0f} nats.",
            findings=findings,
            measurements=(
                *(self._accuracy(there, scale) for there in best.values()),
                *(finding.measurement for finding in findings),
                *(self._recipes(rows, case, scale) for case in CASES if len(self._batches(scale)) > 1),
                cost,
            ),
            verdicts=(denser(best["marked"], appeared["marked"]), more(best["unmarked"], appeared["unmarked"])),
            cautions=(
                "REAS-4 is about labels of two values and a cue whose rate of failure is known, which holds here "
                "exactly, and about a learner that minimises description length, which gradient descent does not: "
                "the code here is the learner's own, each label coded before it is learned.",
                "ΔC belongs to this model and these recipes; what the claim says is how n* varies with the cue. Where "
                "the measured cost is not the same at all ρ, a constant ΔC is what fails.",
                "A label stands for a token of the claim: one answer per sequence is learned.",
            ),
        )

    @staticmethod
    def _slots(scale: Scale) -> int:
        return scale.choose(4, 8, 8)

    @staticmethod
    def _shares(scale: Scale) -> tuple[float, ...]:
        shares = {"smoke": (0.5,), "quick": (0.25, 0.125), "full": (0.5, 0.25, 0.125, 0.0625)}
        return shares[scale.extent]

    @staticmethod
    def _cases(scale: Scale) -> int:
        return scale.choose(32, 128, 256)

    @staticmethod
    def _batches(scale: Scale) -> tuple[int, ...]:
        return tuple(RECIPES) if scale.extent == "full" else (16,)

    @staticmethod
    def _labels(case: str, rho: float, scale: Scale) -> int:
        """Labels in proportion to what the claim asks for; as many for a cue that never fails as for a useless one."""
        useless = scale.choose(4, 28, 32)
        return GRAIN * math.ceil(useless * math.log(2) / gap_of(case, rho) if rho else useless)

    def _accuracy(self, there: "Line", scale: Scale) -> Measurement:
        """Accuracy where the cue is wrong, by labels, one line per share."""
        named = [row | {"ρ": str(Fraction(float(row["share"])))} for row in there.rows]
        return self.measurement(
            f"accuracy_{there.case}",
            ACCURACY,
            scale,
            points=curve(named, ["ρ", "labels"], lambda own: share(own, "wrong_cue")),
            note="Of cases whose cue is wrong: a model that follows the cue has 0 %, a guess 50 %.",
        )

    def _beside(self, there: "Line", found: Crossings, scale: Scale) -> Finding:
        """When the circuit appeared beside when it was predicted to."""
        factors = {rho: geometric(labels(at) / there.predicted(rho)) for rho, at in found.items()}
        never = sum(not crossing.seen for at in found.values() for crossing in at)
        told = ", ".join(f"{shown(factor)} at ρ = {Fraction(rho)}" for rho, factor in factors.items())
        off = sum(1.0 not in factor.interval for factor in factors.values())
        measured = self.measurement(
            f"crossover_{there.case}",
            CROSSOVER_TOKENS,
            scale,
            points=points_of(found),
            parameters={"never": never} | {f"factor.{Fraction(rho)}": f.value for rho, f in factors.items()},
            note="Geometric means over models of the label at which the circuit appears, with the recipe of the "
            "shortest code; `factor`: measured over predicted.",
        )
        return Finding(
            claim=there.claim(),
            measurement=measured,
            standing=judged(list(factors.values()), not never) if there.learned else Standing.UNDETERMINED,
            says=f"{there.case.capitalize()} cue: the circuit appears at so many times the predicted label: {told}; "
            f"{off} of {len(factors)} intervals leave 1 out."
            + (f" {never} of the models never got there and count at their last label." if never else ""),
        )

    def _recipes(self, rows: Sequence[Row], case: str, scale: Scale) -> Measurement:
        """When the circuit appeared with each recipe."""
        points = [
            point
            for batch in self._batches(scale)
            for point in points_of(
                Line.of(where(rows, batch=batch), case, scale.members).appeared(), recipe=f"batch {batch}"
            )
        ]
        note = "A model in which the circuit never appears counts at its last label."
        return self.measurement(f"recipes_{case}", CROSSOVER_TOKENS, scale, points=points, note=note)

    def _cost(self, best: Mapping[str, "Line"], scale: Scale) -> Measurement:
        """What the circuit cost at each share, which the claim takes for a constant, and the recipes that were best."""
        points, chosen = [], {}
        for case, there in best.items():
            for rho in there.shares:
                points.append(Point(at={"case": case, "1/ρ": round(1 / rho)}, estimate=mean(there.costs(rho))))
                batches = [int(where(there.rows, share=rho, seed=seed)[0]["batch"]) for seed in there.members]
                chosen[f"batch.{case}.{Fraction(rho)}"] = ", ".join(str(batch) for batch in sorted(batches))
        note = "The claim takes it for a constant. `batch`: of the models' recipes with the shortest code."
        return self.measurement("cost", CIRCUIT_COST, scale, points=points, parameters=chosen, note=note)


class Line(NamedTuple):
    """What was measured with one kind of cue, from a useless one to the rarest failures.

    Args:
        case: marked or unmarked.
        rows: at all shares but 0.
        base: at share 0: what the cue itself costs to learn.
        members: seeds.
    """

    case: str
    rows: list[Row]
    base: list[Row]
    members: tuple[int, ...]

    @classmethod
    def of(cls, rows: Sequence[Row], case: str, members: Sequence[int]) -> "Line":
        """Take one kind of cue out of all rows, with each model's best recipe; a useless cue is of both kinds."""
        shares = sorted({float(row["share"]) for row in where(rows, case=case)})
        kept = [row for rho in shares for row in shortest(where(rows, case=case, share=rho))]
        last, base = (shortest(where(rows, case="ends", share=rho)) for rho in (1.0, 0.0))
        return cls(case, kept + last, base, tuple(members))

    @property
    def shares(self) -> list[float]:
        """Shares in decreasing order."""
        return sorted((float(rho) for rho in values(self.rows, "share")), reverse=True)

    @property
    def learned(self) -> bool:
        """Whether every model learned the circuit where the cue is useless: ΔC can only be read then."""
        return all(crossing.seen for crossing in self.appeared()[1.0])

    def appeared(self) -> Crossings:
        """When the circuit appeared."""
        return {
            rho: [appearance(where(self.rows, share=rho, seed=seed)) for seed in self.members] for rho in self.shares
        }

    def costs(self, rho: float) -> Floats:
        """Nats per model by which the labels' code is longer than with a cue that never fails."""
        own, base = where(self.rows, share=rho), self.base
        lengths = [
            max(float(row["nats"]) for row in where(own, seed=seed))
            - max(float(row["nats"]) for row in where(base, seed=seed))
            for seed in self.members
        ]
        return np.maximum(lengths, 1.0)

    def predicted(self, rho: float) -> Floats:
        """The crossover per model, from the cost where the cue is useless."""
        return np.atleast_1d(theory.crossover_tokens(self.costs(1.0), *terms(self.case, rho)))

    def claim(self) -> Shape:
        """The predicted crossover by share, at the geometric mean of the costs."""
        extra = geometric(self.costs(1.0)).value
        return Shape(
            statement=theory.REAS_4,
            quantity=CROSSOVER_TOKENS,
            along="1/ρ",
            points=tuple(
                (1 / rho, float(theory.crossover_tokens(extra, *terms(self.case, rho)))) for rho in self.shares
            ),
            parameters={"extra_nats": extra, "cue": self.case},
        )


def points_of(found: Crossings, **at: Scalar) -> tuple[Point, ...]:
    """Geometric means over models, by share."""
    return tuple(
        Point(at={**at, "1/ρ": round(1 / rho)}, estimate=geometric(labels(there))) for rho, there in found.items()
    )


def judged(factors: Sequence[Estimate], complete: bool) -> Standing:
    """Judge measured over predicted: all within the tolerance, one beyond it, or neither shown.

    Args:
        factors: with their intervals.
        complete: whether every model crossed; if not, factors are at least so large, and none can agree.
    """
    reach = [(float(f.interval.low or 0.0), float(f.interval.high or math.inf)) for f in factors]
    if any(low > TOLERANCE or (complete and high < 1 / TOLERANCE) for low, high in reach):
        return Standing.DISAGREES
    within = all(low >= 1 / TOLERANCE and high <= TOLERANCE for low, high in reach)
    return Standing.AGREES if complete and within else Standing.UNDETERMINED


def growth(there: Line, found: Crossings) -> str:
    """How the crossover grows from a useless cue to the rarest failures, beside the claim and beside a rival."""
    rare = min(there.shares)
    grown = geometric(labels(found[rare]) / labels(found[1.0]))
    return (
        f"{there.case.capitalize()} cue, wrong in 1 of {2 / rare:.0f} cases: until the lookup appears the model needs "
        f"{shown(grown)} times the labels that it needs with a useless cue; code lengths predict "
        f"{math.log(2) / gap_of(there.case, rare):.2g}, equally many wrong cues {1 / rare:.0f}."
    )


def denser(there: Line, found: Crossings) -> ResourceVerdict:
    """What data does in which more cases need inference."""
    rare, dense = min(there.shares), max(rho for rho in there.shares if rho < 1)
    before, after = geometric(labels(found[rare])), geometric(labels(found[dense]))
    saved = geometric(labels(found[rare]) / labels(found[dense]))
    return ResourceVerdict(
        resource=Resource.DATA,
        verdict=Verdict.HELPS if (saved.interval.low or 0.0) > 1 else Verdict.UNDETERMINED,
        because=f"data in which a share of {Fraction(dense)} needs inference instead of {Fraction(rare)} brings the "
        f"lookup after {after.value:,.0f} labels instead of {before.value:,.0f}.",
        basis="measured",
        claims=("REAS-4",),
    )


def more(there: Line, found: Crossings) -> ResourceVerdict:
    """What more of the same data does where the cue seldom fails, before the crossover and across it."""
    rare = min(there.shares)
    rows, half = where(there.rows, share=rare), float(labels(found[rare]).min()) / 2
    told = sorted(float(n) for n in values(rows, "labels"))
    early = max((n for n in told if n <= half), default=told[0])
    before, after = (share(where(rows, labels=int(n)), "wrong_cue") for n in (early, told[-1]))
    helps = (after.interval.low or 0.0) > (before.interval.high or 1.0)
    return ResourceVerdict(
        resource=Resource.DATA,
        verdict=Verdict.HELPS if helps else Verdict.UNDETERMINED,
        because=f"where an unmarked cue fails in 1 of {2 / rare:.0f} cases, the model is right in {before.value:.1%} "
        f"of those after {early:,.0f} labels, half of what the fastest model needs, and in {after.value:.1%} after "
        f"{told[-1]:,.0f}: what more of the same data does depends on the side of the crossover.",
        basis="measured",
        claims=("REAS-4",),
    )
