"""Hops: how many pointers a model follows in one pass, by its depth, and how many with a scratchpad (REAS-2, 3)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.core import Finding, Resource, ResourceVerdict, Scalar, Standing, Verdict
from hardlimit.core.quantity import ACCURACY, HOPS
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
from hardlimit.lab.tasks import NOTHING, TESTING, Batch, Tokens, generator
from hardlimit.lab.training import Training, stacked
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.stats import n_for_width
from hardlimit.theory import reasoning as theory

SOLVED = 0.9
"""Accuracy above chance, as a share of what chance leaves, from which a number of hops counts as solved."""


class Pointers(NamedTuple):
    """Where does a chain of pointers lead? All pointers form one cycle, told in random order.

    Args:
        elements: n, the length of the cycle.
        most: largest number of hops that is asked for; below n / 2, or walking backwards would be shorter.
        scratchpad: whether the model writes every stop, or answers at once.
    """

    elements: int
    most: int
    scratchpad: bool

    @property
    def vocabulary(self) -> int:
        """Pointers from an element to another, elements, and numbers of hops."""
        return self.elements**2 + self.elements + self.most + 1

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw cycles, each with one question."""
        return self.ask(rng, n, rng.integers(1, self.most + 1, size=n))

    def ask(self, rng: np.random.Generator, n: int, hops: Tokens) -> Batch:
        """Draw cycles and ask for given numbers of hops."""
        size = self.elements
        cycle = rng.permuted(np.broadcast_to(np.arange(size), (n, size)), axis=1)
        start = rng.integers(size, size=n)
        order = rng.permuted(np.broadcast_to(np.arange(size), (n, size)), axis=1)
        pointers = cycle * size + np.roll(cycle, -1, axis=1)
        told = np.take_along_axis(pointers, order, 1)
        stops = np.take_along_axis(cycle, (start[:, None] + np.arange(self.most + 1)) % size, 1) + size**2
        if self.scratchpad:
            tokens = np.concatenate([told, stops[:, :-1]], axis=1)
            rows = np.broadcast_to(size + np.arange(self.most), (n, self.most)).copy()
            wanted = np.arange(self.most) < hops[:, None]
            return Batch(tokens, rows, np.where(wanted, stops[:, 1:], NOTHING))
        asked = size**2 + size + hops
        tokens = np.concatenate([told, asked[:, None], stops[:, :1]], axis=1)
        return Batch(tokens, np.full((n, 1), size + 1), np.take_along_axis(stops, hops[:, None], 1))


class Hops(Experiment):
    """Pointer chasing against depth, and against written steps."""

    name = "hops"
    says = "How many pointers does a model follow in one pass, by its depth, and how many when it writes its steps?"

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        elements, most = self._task(scale)
        return Design(
            question="Does depth bound the hops of one forward pass as the doubling construction suggests, and does a "
            "scratchpad lift the bound?",
            claims=("REAS-3", "REAS-2"),
            setting=f"A cycle of {elements} pointers in random order, one token each, and a question for 1 to {most} "
            f"hops, all trained together. Models of {self._depths(scale)[0]} to {self._depths(scale)[-1]} blocks of "
            "width 64 answer at once; a model of one block writes every stop. Test cycles are fresh.",
            size=f"{len(scale.members)} models per depth; {self._cases(scale)} cycles per model and number of hops.",
            would_refute=f"A model of L blocks that solves 2^L hops or more at once ({SOLVED:.0%} beyond chance), or a "
            " scratchpad that does not help one block.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per depth, and one with a scratchpad."""
        plain = (Cell(name=f"depth-{d}", settings={"depth": d, "scratchpad": False}) for d in self._depths(scale))
        return (*plain, Cell(name="scratchpad-1", settings={"depth": 1, "scratchpad": True}))

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train on all numbers of hops and ask for each."""
        seeds, (elements, most) = scale.members, self._task(scale)
        depth, scratchpad = int(cell.settings["depth"]), bool(cell.settings["scratchpad"])
        task = Pointers(elements, most, scratchpad)
        shape = Architecture(vocabulary=task.vocabulary, layers=depth, positions="none", hidden=2, tied=False)
        plan = Training(steps=scale.choose(20, 600, 4000), batch=64 if scale.extent != "smoke" else 32, rate=2e-3)
        if scratchpad:
            plan = Training(steps=scale.choose(20, 700, 2000), batch=plan.batch)
        family, _ = bench.train(cell.name, shape, [task] * len(seeds), plan, seeds)
        rows: list[Row] = []
        for hops in range(1, most + 1):
            right = followed(family, task, hops, self._cases(scale))
            for member, seed in enumerate(seeds):
                own: Row = {"depth": depth, "scratchpad": scratchpad, "hops": hops, "seed": seed}
                rows.append(own | {"right": int(right[member].sum()), "n": int(right[member].size)})
        return rows

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set solved hops beside what depth allows."""
        elements, most = self._task(scale)
        named = [row | {"model": name_of(row)} for row in rows]
        accuracy = self.measurement(
            "accuracy",
            ACCURACY,
            scale,
            points=curve(named, ["model", "hops"]),
            note=f"A guess is right in {1 / elements:.1%} of cases.",
        )
        solved: list[Row] = []
        for model in values(named, "model"):
            for seed in values(rows, "seed"):
                own = where(named, model=model, seed=seed)
                told: Row = {"model": model, "depth": own[0]["depth"], "scratchpad": own[0]["scratchpad"]}
                solved.append(told | {"seed": seed, "solved": solved_hops(own, elements)})
        reach = self.measurement(
            "solved", HOPS, scale, points=curve(solved, ["model"], lambda r: mean(column(r, "solved")))
        )
        plain = where(solved, scratchpad=False)
        findings = tuple(self._depth(where(plain, depth=depth), scale) for depth in values(plain, "depth"))
        written = where(solved, scratchpad=True)
        deepest = max(int(row["depth"]) for row in plain)
        best = {depth: float(column(where(plain, depth=depth), "solved").mean()) for depth in values(plain, "depth")}
        by_depth = ", ".join(f"{depth}: {count:.1f}" for depth, count in best.items())
        with_pad = float(column(written, "solved").mean())
        return Conclusion(
            headline=f"Hops solved in one pass by depth: {by_depth} (of {most} asked for). One block with a scratchpad "
            f"solves {with_pad:.1f}.",
            findings=findings,
            measurements=(accuracy, reach),
            verdicts=(
                self._verdict(Resource.DEPTH, best[1], best[deepest], f"{deepest} blocks instead of one solve"),
                self._verdict(Resource.INFERENCE_STEPS, best[1], with_pad, "one block that writes its steps solves"),
            ),
            cautions=(
                "The construction needs a model that can be built, not one that training finds: a depth that solves "
                "fewer hops than it could says something about training, not about depth.",
                "The lower bound in depth is conditional and asymptotic; at one size an outcome cannot prove it.",
            ),
        )

    @staticmethod
    def _task(scale: Scale) -> tuple[int, int]:
        return scale.choose(6, 8, 12), scale.choose(2, 3, 5)

    @staticmethod
    def _depths(scale: Scale) -> tuple[int, ...]:
        return tuple(range(1, scale.choose(2, 3, 5) + 1))

    @staticmethod
    def _cases(scale: Scale) -> int:
        return scale.choose(32, 128, n_for_width(0.1))

    def _depth(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """What models of one depth solved beside what some model of that depth can."""
        depth, (_, most) = int(rows[0]["depth"]), self._task(scale)
        bound = theory.hops_per_pass(depth)
        solved = mean(column(rows, "solved"))
        top = float(column(rows, "solved").max())
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

    @staticmethod
    def _verdict(resource: Resource, before: float, after: float, what: str) -> ResourceVerdict:
        return ResourceVerdict(
            resource=resource,
            verdict=Verdict.HELPS if after >= before + 1 else Verdict.UNDETERMINED,
            because=f"{what} {after:.1f} hops where one block at once solves {before:.1f}.",
            basis="measured",
            claims=("REAS-3",),
        )


@torch.no_grad()
def followed(family: Family, task: Pointers, hops: int, cases: int) -> NDArray[np.bool_]:
    """Ask for a number of hops in fresh cycles; with a scratchpad the model writes all stops itself.

    Returns:
        Which answers are right, (members, cases).
    """
    drawn = [task.ask(generator(seed, TESTING, hops), cases, np.full(cases, hops)) for seed in family.seeds]
    tokens, rows, answers, *_ = stacked(drawn, family.device)
    if task.scratchpad:
        written = family.generate(tokens[..., : task.elements + 1], hops)
        right = written[..., hops - 1] == answers[..., hops - 1]
    else:
        right = (family(tokens, rows).argmax(-1) == answers)[..., 0]
    return np.asarray(right.cpu())


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
    depth = int(row["depth"])
    return f"{depth} block{'s' if depth > 1 else ''}" + (", scratchpad" if row["scratchpad"] else "")
