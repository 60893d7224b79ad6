"""Hops: how many pointers a model follows in one pass, by its depth, and how many with a scratchpad (REAS-2, 3)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.core import Estimate, Finding, Measurement, Resource, ResourceVerdict, Scalar, Standing, Verdict, stand
from hardlimit.core.quantity import ACCURACY, ERROR_RATE, HOPS
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
from hardlimit.lab.tasks import TESTING, Batch, Tokens, generator
from hardlimit.lab.training import Training, answered, stacked
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.stats import n_for_width
from hardlimit.theory import reasoning as theory

SOLVED = 0.9
"""Accuracy above chance, as a share of what chance leaves, from which a number of hops counts as solved."""

WIDTH, HEADS, PRECISION = 64, 2, 32
"""Of every model; precision in bits per number."""

WAYS = ("together", "alone", "written")
"""All questions in one pass; one question alone in one pass; one hop after another, each written down."""


class Pointers(NamedTuple):
    """Where does a chain of pointers lead? All pointers form one cycle, told in random order.

    A question is one token, (hops, start); the answer is the token that asks where its end leads in one hop. A chain of
    one-hop questions is therefore what a model writes that goes on from its own answers.

    Args:
        elements: n, the length of the cycle.
        most: largest number of hops that is asked for; at most n / 2, or walking backwards would be shorter.
    """

    elements: int
    most: int

    @property
    def vocabulary(self) -> int:
        """Pointers from an element to another, and questions."""
        return self.elements * (self.elements + self.most)

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw cycles, each with one random question and then every question, those of fewer hops first.

        A question sees those before it, and what earlier blocks made of them, but no answer that was written. The
        first sees pointers alone. Starts of equal hops come in random order.
        """
        size = self.elements
        cycle, told = self._cycles(rng, n)
        first = rng.integers(size, size=(n, 1))
        starts = np.concatenate([first, *(self._shuffled(rng, n) for _ in range(self.most))], axis=1)
        every = np.broadcast_to(np.repeat(np.arange(1, self.most + 1), size), (n, size * self.most))
        hops = np.concatenate([rng.integers(1, self.most + 1, size=(n, 1)), every], axis=1)
        asked = self._question(hops, np.take_along_axis(cycle, starts, 1))
        ends = np.take_along_axis(cycle, (starts + hops) % size, 1)
        rows = np.broadcast_to(size + np.arange(hops.shape[1]), hops.shape).copy()
        return Batch(np.concatenate([told, asked], axis=1), rows, self._question(1, ends))

    def walks(self, rng: np.random.Generator, n: int, hops: int) -> Batch:
        """Draw cycles, each with one question for a number of hops; the answers are all `most` stops on the way.

        With `hops` = 1, a model that goes on from its own answers writes the stops.
        """
        cycle, told = self._cycles(rng, n)
        start = rng.integers(self.elements, size=n)
        places = (start[:, None] + np.arange(self.most + 1)) % self.elements
        stops = np.take_along_axis(cycle, places, 1)
        tokens = np.concatenate([told, self._question(hops, stops[:, :1])], axis=1)
        return Batch(tokens, np.full((n, 1), self.elements), self._question(1, stops[:, 1:]))

    def _cycles(self, rng: np.random.Generator, n: int) -> tuple[Tokens, Tokens]:
        """Cycles, and their pointers in random order."""
        cycle = self._shuffled(rng, n)
        pointers = cycle * self.elements + np.roll(cycle, -1, axis=1)
        return cycle, np.take_along_axis(pointers, self._shuffled(rng, n), 1)

    def _shuffled(self, rng: np.random.Generator, n: int) -> Tokens:
        return rng.permuted(np.broadcast_to(np.arange(self.elements), (n, self.elements)), axis=1)

    def _question(self, hops: Tokens | int, start: Tokens) -> Tokens:
        return self.elements * (self.elements + hops - 1) + start


class Hops(Experiment):
    """Pointer chasing against depth, and against written steps."""

    name = "hops"
    says = "How many pointers does a model follow in one pass, by its depth, and how many when it writes its steps?"
    version = 2

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        (elements, most), plan = self._task(scale), self._plan(scale)
        return Design(
            question="Does depth bound the hops of one forward pass as the doubling construction suggests, and does a "
            "scratchpad lift the bound?",
            claims=("REAS-3", "REAS-2"),
            setting=f"A cycle of {elements} pointers in random order, one token each, then questions of one token "
            f"(hops, start) for 1 to {most} hops. Models of {self._depths(scale)[0]} to {self._depths(scale)[-1]} "
            f"blocks of width {WIDTH} are trained for {plan.steps:,} steps of {plan.batch} cycles. Each cycle has one "
            f"random question and then all {elements * most}, fewer hops first: with one question per cycle, training "
            "had found no more than one hop at any depth. Models are asked in three ways. Together: all questions in "
            "one pass. A question then sees those before it; they are workspace, in which a block can join what the "
            "block before left there, but they hold no written answer, so depth still bounds what is computed. Alone: "
            "one question after the pointers, in one pass, as the first of each cycle is in training. Written: "
            "one-hop questions, each asked from the model's own last answer. Test sequences are drawn anew.",
            size=f"{len(scale.members)} models per depth; {self._cases(scale)} cycles per model and way of asking, "
            "each number of hops from every start when asked together and from one otherwise. Steps, batch and sizes "
            "were chosen on models of other seeds, for a full run of less than ten minutes on one core: with 8 "
            "elements and 4 hops, two models of three blocks did not learn three hops in such a run.",
            would_refute=f"A model of L blocks that solves 2^L hops or more in one pass ({SOLVED:.0%} beyond chance, "
            "together or alone), or written steps that do not help one block.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per depth; the same models answer at once and write."""
        return tuple(Cell(name=f"depth-{d}", settings={"depth": d}) for d in self._depths(scale))

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train on all numbers of hops and ask for each in each way."""
        seeds, depth, task = scale.members, int(cell.settings["depth"]), Pointers(*self._task(scale))
        shape = Architecture(
            vocabulary=task.vocabulary,
            layers=depth,
            width=WIDTH,
            heads=HEADS,
            kv_heads=HEADS,
            positions="none",
            hidden=2,
            tied=False,
        )
        family, _ = bench.train(cell.name, shape, [task] * len(seeds), self._plan(scale), seeds)
        rows: list[Row] = []
        for way in WAYS:
            right = READ[way](family, task, self._cases(scale))
            for hops in range(1, task.most + 1):
                for member, seed in enumerate(seeds):
                    there = right[member, hops - 1]
                    own: Row = {"depth": depth, "way": way, "hops": hops, "seed": seed}
                    rows.append(own | {"right": int(there.sum()), "n": int(there.size)})
        return rows

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set solved hops beside what depth allows."""
        elements, most = self._task(scale)
        solved = solved_rows(rows, elements)
        depths = [int(depth) for depth in values(rows, "depth")]
        best = {
            way: {depth: float(column(where(solved, way=way, depth=depth), "solved").mean()) for depth in depths}
            for way in WAYS
        }
        told = {way: ", ".join(f"{depth}: {count:.1f}" for depth, count in best[way].items()) for way in WAYS}
        top = max(depths, key=lambda depth: best["together"][depth])
        reach = self.measurement(
            "solved", HOPS, scale, points=curve(solved, ["way", "depth"], lambda r: mean(column(r, "solved")))
        )
        return Conclusion(
            headline=f"Hops solved in one pass by depth, of {most} asked for: {told['together']} (one question "
            f"alone: {told['alone']}). When the same models write their steps: {told['written']}.",
            findings=(
                *(self._depth(where(solved, depth=depth), scale) for depth in depths),
                self._one_block(rows, scale),
            ),
            measurements=(*(self._accuracy(rows, way, scale) for way in WAYS), reach),
            verdicts=(
                self._verdict(
                    Resource.DEPTH,
                    best["together"][1],
                    best["together"][top],
                    f"{top} block{'s' if top > 1 else ''} at once, the most that any depth solves,",
                ),
                self._verdict(
                    Resource.INFERENCE_STEPS, best["together"][1], best["written"][1], "One block that writes its steps"
                ),
            ),
            cautions=(
                "The construction needs a model that can be built, not one that training finds: a depth that solves "
                "fewer hops than it could says something about training, not about depth.",
                "The lower bound in depth is conditional and asymptotic; at one size an outcome cannot prove it.",
                f"{elements} elements form {math.factorial(elements - 1)} cycles, so training shows nearly every one; "
                "fresh is the order in which its pointers are told. A model might tell cycles apart instead of "
                "walking them.",
                "Questions asked together are extra tokens of one pass. They feed nothing back, but the bounds leave "
                "open how much such workspace helps at one size; the same questions asked alone do without it.",
            ),
        )

    @staticmethod
    def _task(scale: Scale) -> tuple[int, int]:
        return 6, scale.choose(2, 3, 3)

    @staticmethod
    def _depths(scale: Scale) -> tuple[int, ...]:
        return tuple(range(1, scale.choose(3, 3, 6) + 1))

    @staticmethod
    def _cases(scale: Scale) -> int:
        return scale.choose(32, 128, n_for_width(0.1))

    @staticmethod
    def _plan(scale: Scale) -> Training:
        return Training(steps=scale.choose(20, 450, 600), batch=16, rate=3e-3)

    def _accuracy(self, rows: Sequence[Row], way: str, scale: Scale) -> Measurement:
        """Accuracy of one way of asking, by depth and hops."""
        named = [row | {"model": name_of(row)} for row in where(rows, way=way)]
        return self.measurement(
            "accuracy" if way == "together" else f"accuracy_{way}",
            ACCURACY,
            scale,
            points=curve(named, ["model", "hops"]),
            note=f"A guess is right in {1 / self._task(scale)[0]:.1%} of cases.",
        )

    def _depth(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """What models of one depth solved in one pass beside what some model of that depth can."""
        depth, (_, most) = int(rows[0]["depth"]), self._task(scale)
        bound = theory.hops_per_pass(depth)
        solved = mean(column(where(rows, way="together"), "solved"))
        top = max(float(column(where(rows, way=way), "solved").max()) for way in ("together", "alone"))
        standing = Standing.AGREES
        if top >= 2**depth:
            standing = Standing.DISAGREES
        elif most < 2**depth:
            standing = Standing.UNDETERMINED
        return Finding(
            claim=bound,
            measurement=self.measurement(f"solved_{depth}", HOPS, scale, estimate=solved),
            standing=standing,
            says=f"{depth} block{'s' if depth > 1 else ''}: {solved.value:.1f} hops solved on average, {top:.0f} at "
            f"most; the construction reaches {bound.value:.0f}, and 2^L = {2**depth} would contradict the conjecture"
            + (f" (asked up to {most})." if most < 2**depth else "."),
        )

    def _one_block(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """What one block gets wrong of two hops beside what the bits that its heads hand over permit."""
        elements, _ = self._task(scale)
        bound = theory.composition_floor(elements, HEADS, WIDTH // HEADS, PRECISION)
        error = mistaken(where(rows, way="together", depth=1, hops=2))
        measured = self.measurement("error_of_two_hops", ERROR_RATE, scale, estimate=error)
        bits, needed = bound.parts["message_bits"], elements * np.log2(elements)
        heads = f"{HEADS}·{WIDTH // HEADS + 1}·{PRECISION} = {bits:,.0f} bits"
        says = f"One block errs in {error.value:.0%} of two-hop questions. Its heads can hand over {heads}"
        if bits >= needed:
            says += f", and {elements} pointers need {needed:,.0f}: the bound forbids nothing here."
        else:
            says += f" of the {needed:,.0f} that {elements} pointers need: an error of {bound.value:.0%} is forced."
        return Finding(claim=bound, measurement=measured, standing=stand(bound, measured), says=says)

    @staticmethod
    def _verdict(resource: Resource, before: float, after: float, what: str) -> ResourceVerdict:
        return ResourceVerdict(
            resource=resource,
            verdict=Verdict.HELPS if after >= before + 1 else Verdict.UNDETERMINED,
            because=f"{what} solve{'s' if what.startswith('One') else ''} {after:.1f} hops where one block at once "
            f"solves {before:.1f}.",
            basis="measured",
            claims=("REAS-3",),
        )


def asked_together(family: Family, task: Pointers, cases: int) -> NDArray[np.bool_]:
    """Ask every question of fresh cycles in one pass.

    Returns:
        Which answers are right, (members, hops, answers).
    """
    right = answered(family, [task] * len(family.seeds), cases)[..., 1:]
    by_hops = right.reshape(*right.shape[:2], task.most, task.elements)
    return by_hops.transpose(0, 2, 1, 3).reshape(len(family.seeds), task.most, -1)


@torch.no_grad()
def asked_alone(family: Family, task: Pointers, cases: int) -> NDArray[np.bool_]:
    """Ask one question per fresh cycle, in one pass; returns as `asked_together`."""
    kept = []
    for hops in range(1, task.most + 1):
        drawn = [task.walks(generator(seed, TESTING, hops), cases, hops) for seed in family.seeds]
        tokens, rows, stops, *_ = stacked(drawn, family.device)
        kept.append((family(tokens, rows).argmax(-1)[..., 0] == stops[..., hops - 1]).cpu().numpy())
    return np.stack(kept, axis=1)


@torch.no_grad()
def written(family: Family, task: Pointers, cases: int) -> NDArray[np.bool_]:
    """Ask for one hop and let the model go on from its own answers; returns as `asked_together`."""
    drawn = [task.walks(generator(seed, TESTING, 0), cases, 1) for seed in family.seeds]
    tokens, _, stops, *_ = stacked(drawn, family.device)
    right = (family.generate(tokens, task.most) == stops).cpu().numpy()
    return np.asarray(right.transpose(0, 2, 1))


READ = {"together": asked_together, "alone": asked_alone, "written": written}


def solved_rows(rows: Sequence[Row], elements: int) -> list[Row]:
    """How many hops each model solves in each way."""
    kept: list[Row] = []
    for way in values(rows, "way"):
        for depth in values(rows, "depth"):
            for seed in values(rows, "seed"):
                own = where(rows, way=way, depth=depth, seed=seed)
                kept.append({"way": way, "depth": depth, "seed": seed, "solved": solved_hops(own, elements)})
    return kept


def mistaken(rows: Sequence[Row]) -> Estimate:
    """Share of wrong answers.

    >>> mistaken([{"seed": 0, "right": 9, "n": 10}, {"seed": 1, "right": 6, "n": 10}]).value
    0.25
    """
    return share([row | {"wrong": int(row["n"]) - int(row["right"])} for row in rows], right="wrong")


def solved_hops(rows: Sequence[Row], elements: int) -> int:
    """Largest k such that 1…k hops are all solved.

    >>> rows = [{"hops": k, "right": r, "n": 100} for k, r in ((1, 100), (2, 97), (3, 40), (4, 99))]
    >>> solved_hops(rows, 10)
    2
    """
    chance, count = 1 / elements, 0
    for row in sorted(rows, key=lambda row: float(row["hops"])):
        if (float(row["right"]) / float(row["n"]) - chance) / (1 - chance) <= SOLVED:
            break
        count = int(row["hops"])
    return count


def name_of(row: Row) -> Scalar:
    """A model in words."""
    return f"{row['depth']} block{'s' if int(row['depth']) > 1 else ''}"
