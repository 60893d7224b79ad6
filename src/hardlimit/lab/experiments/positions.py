"""Positions: do seldom trained distances bound the context, and does a schedule of lengths move the bound (CTX-1)?"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.core import Estimate, Finding, Interval, Resource, ResourceVerdict, Standing, Verdict
from hardlimit.core.quantity import ACCURACY, ATTENDABLE_CONTEXT, EFFECTIVE_CONTEXT
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
from hardlimit.lab.tasks import NOTHING, TESTING, Batch, Tokens, distinct, generator
from hardlimit.lab.training import Training, stacked
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.stats import n_for_width
from hardlimit.theory import context as theory

VALUES = 8
ENOUGH = 0.85
"""Share of the best short-context accuracy of any schedule that a usable length keeps."""

FEW = ", few tokens"
"""What the name of a schedule ends in where it got only a part of the tokens."""

Schedule = Literal["skewed", "full", "curriculum", "uniform"]
SCHEDULES: tuple[Schedule, ...] = ("skewed", "full", "curriculum", "uniform")
SHORT = 8
"""The mean document of the skewed schedule, and the first of the curriculum, is the window divided by this."""


class Pairs(NamedTuple):
    """Pairs of key and value, each followed by a question about an earlier pair of its document.

    Args:
        window: tokens of a sequence, even.
        schedule: how long documents are, and which pair is asked for. `skewed`: exponential lengths, packed into the
            window, none seeing another. `full`: one document fills the window. `curriculum`: documents grow from an
            eighth of the window to all of it. `uniform`: full, each distance asked for equally often.
        keys: different keys, at least half the window.
    """

    window: int
    schedule: Schedule
    keys: int

    @property
    def vocabulary(self) -> int:
        """Pairs and questions."""
        return self.keys * VALUES + self.keys

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw documents; pair i stands at place 2i, its question at 2i + 1."""
        half = self.window // 2
        starts = self._starts(rng, n, half, progress)
        key, value = distinct(rng, n, half, self.keys), rng.integers(VALUES, size=(n, half))
        index = np.arange(half)
        back = index - starts
        if self.schedule == "uniform":
            # A distance drawn over the whole window; where it would reach past the start, nothing is asked.
            away = rng.integers(half, size=(n, half))
        else:
            away = (rng.random((n, half)) * (back + 1)).astype(np.int64)
        asked = np.maximum(index - away, 0)
        tokens = np.empty((n, self.window), dtype=np.int64)
        tokens[:, 0::2] = key * VALUES + value
        tokens[:, 1::2] = self.keys * VALUES + np.take_along_axis(key, asked, 1)
        answers = np.where(away <= back, np.take_along_axis(value, asked, 1), NOTHING)
        rows = np.broadcast_to(2 * index + 1, (n, half)).copy()
        return Batch(tokens, rows, answers, np.repeat(starts, 2, axis=1))

    def _starts(self, rng: np.random.Generator, n: int, half: int, progress: float) -> Tokens:
        """First pair of each pair's document, (n, pairs)."""
        if self.schedule == "skewed":
            begins = rng.random((n, half)) < min(1.0, SHORT / half)
        else:
            grown = 1.0 if self.schedule != "curriculum" else min(1.0, (1 + (SHORT - 1) * progress / 0.75) / SHORT)
            begins = np.broadcast_to(np.arange(half) % max(1, round(half * grown)) == 0, (n, half)).copy()
        begins[:, 0] = True
        return np.maximum.accumulate(np.where(begins, np.arange(half), 0), axis=1)


class Positions(Experiment):
    """How far a model reaches, by the lengths it was trained on."""

    name = "positions"
    says = "Do seldom trained distances bound the context, and does a schedule of lengths move the bound?"

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        window, plan = self._window(scale), self._plan(scale)
        return Design(
            question="Long distances are rare in training text. Is that what ends a model's context, and does another "
            "schedule of document lengths, at equal tokens, move the end?",
            claims=("CTX-1",),
            setting=f"One block of width 64 with rotary positions; pairs of a key and one of {VALUES} values, each "
            f"followed by a question about a pair of the same document. Every schedule gets {plan.steps:,} steps of "
            f"{plan.batch} windows of {window} tokens and as many questions: documents of exponential length (mean "
            f"{window // SHORT} tokens) packed into the window; one document per window; documents that grow from "
            f"{window // SHORT} to {window} tokens; and, as the control, full windows in which every distance is asked "
            f"for equally often. Tested at of {self._lengths(scale)[0]} to {self._lengths(scale)[-1]} tokens.",
            size=f"{len(scale.members)} models per schedule, each from its own seed, compared seed by seed; "
            f"{self._cases(scale)} documents per model and length.",
            would_refute="Effective contexts that differ by less than a factor 1.2 between schedules whose longest "
            "distances were trained 10 times more or less often; or a model that reads distances it never saw.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per schedule, and some with few tokens."""
        if scale.extent == "smoke":
            return tuple(Cell(name=name) for name in SCHEDULES[:2])
        few = (Cell(name=f"{name}-few", settings={"share": self._few(scale)}) for name in ("skewed", "curriculum"))
        return (*(Cell(name=name) for name in SCHEDULES), *few)

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train on one schedule and ask in documents of every length."""
        seeds, window = scale.members, self._window(scale)
        keys = self._lengths(scale)[-1] // 2
        schedule: Schedule = next(name for name in SCHEDULES if name == cell.name.partition("-")[0])
        task = Pairs(window, schedule, keys)
        shape = Architecture(vocabulary=task.vocabulary, layers=1, hidden=2, tied=False)
        family, _ = bench.train(
            cell.name, shape, [task] * len(seeds), self._plan(scale, float(cell.settings.get("share", 1.0))), seeds
        )
        rows: list[Row] = []
        for length in self._lengths(scale):
            right, away = read_document(family, Pairs(length, "full", keys), self._cases(scale))
            for member, seed in enumerate(seeds):
                own: Row = {"schedule": cell.name.replace("-few", ", few tokens"), "length": length, "seed": seed}
                rows.append(own | {"right": int(right[member].sum()), "n": int(right[member].size)})
                if length != window:
                    continue
                for part in range(8):
                    inside = away[member] * 8 // length == part
                    if inside.any():
                        there: Row = {
                            "distance": (2 * part + 1) * length // 16,
                            "right": int(right[member][inside].sum()),
                        }
                        rows.append(own | there | {"n": int(inside.sum())})
        return rows

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set effective contexts beside the exposure law."""
        by_length = [row for row in rows if "distance" not in row]
        by_distance = [row for row in rows if "distance" in row and FEW not in str(row["schedule"])]
        accuracy = self.measurement("accuracy", ACCURACY, scale, points=curve(by_length, ["schedule", "length"]))
        distance = self.measurement("distance", ACCURACY, scale, points=curve(by_distance, ["schedule", "distance"]))
        reach: dict[str, list[float]] = {}
        for few in (False, True):
            own = [row for row in by_length if str(row["schedule"]).endswith(FEW) is few]
            first = curve(where(own, length=self._lengths(scale)[0]), ["schedule"])
            enough = ENOUGH * max((point.estimate.value for point in first), default=0.0)
            reach |= {str(name): reaches(where(own, schedule=name), enough) for name in values(own, "schedule")}
        told = compared({name: own for name, own in reach.items() if FEW not in name})
        scarce = compared({name.removesuffix(FEW): own for name, own in reach.items() if FEW in name})
        points = curve(
            [{"schedule": n, "seed": i, "reach": v} for n, own in reach.items() for i, v in enumerate(own)],
            ["schedule"],
            lambda r: mean(column(r, "reach")),
        )
        every = told | {name + FEW: one for name, one in scarce.items()}
        parameters = {f"ratio.{name}": round(one.value, 3) for name, one in every.items()}
        parameters |= {f"ratio.{name}_low": round(one.interval.low or 0.0, 3) for name, one in every.items()}
        effective = self.measurement("effective", EFFECTIVE_CONTEXT, scale, points=points, parameters=parameters)
        finding = self._usable(reach, scale)
        best = max(told, key=lambda name: told[name].value)
        longest = self._lengths(scale)[-1]
        return Conclusion(
            headline=f"At equal tokens, schedule '{best}' reaches {factor(told[best])} the effective context of skewed "
            f"documents ({float(np.mean(reach['skewed'])):.0f} tokens). {self._scarce(scarce, scale)}{finding.says}",
            findings=(finding,),
            measurements=(accuracy, distance, effective),
            verdicts=(self._verdict(told),),
            cautions=(
                f"Effective context: up to where accuracy is {ENOUGH:.0%} of the best schedule's at "
                f"equal tokens in short documents. A "
                f"model still above that at {longest} tokens counts as {longest}, and one never above it as "
                f"{self._lengths(scale)[0]}.",
                "All schedules ask equally many questions, but short documents hold fewer pairs to choose from and are "
                "learned sooner; part of what a curriculum gains is this head start.",
            ),
        )

    @staticmethod
    def _window(scale: Scale) -> int:
        return scale.choose(32, 64, 128)

    @staticmethod
    def _few(scale: Scale) -> float:
        return 0.5 if scale.extent == "quick" else 0.25

    @staticmethod
    def _plan(scale: Scale, share: float = 1.0) -> Training:
        return Training(steps=round(share * scale.choose(60, 300, 1000)), batch=scale.choose(16, 16, 32))

    def _lengths(self, scale: Scale) -> tuple[int, ...]:
        window = self._window(scale)
        return tuple(window * eighths // 8 for eighths in (1, 2, 4, 6, 8, 12, 16, 24, 32))

    @staticmethod
    def _cases(scale: Scale) -> int:
        return scale.choose(16, 64, n_for_width(0.1) // 2)

    def _scarce(self, told: dict[str, Estimate], scale: Scale) -> str:
        if "curriculum" not in told:
            return ""
        return (
            f"With {self._few(scale):.0%} of the tokens, the curriculum reaches {factor(told['curriculum'])} that of "
            "skewed documents. "
        )

    def _usable(self, reach: dict[str, list[float]], scale: Scale) -> Finding:
        """Predict the reach of full windows from the exposures at which skewed windows end (CTX-1)."""
        window, plan = self._window(scale), self._plan(scale)
        total = float(plan.steps * plan.batch * window)
        end = float(np.mean(reach["skewed"]))
        needed = float(total * np.exp(-end / (window / SHORT)))
        claim = theory.usable_length(total, window, max(needed, 1.0))
        full = mean(reach["full"])
        low = full.interval.low
        beyond = low is not None and low > claim.value
        standing = Standing.AGREES if claim.value in full.interval else Standing.DISAGREES
        if claim.vacuous is not None and not beyond:
            standing = Standing.VACUOUS
        return Finding(
            claim=claim,
            measurement=self.measurement("reach_of_full", ATTENDABLE_CONTEXT, scale, estimate=full),
            standing=standing,
            says=f"If a distance became usable after the {needed:,.2g} exposures it has where skewed models end "
            f"({end:.0f} tokens), full windows would reach {claim.value:.0f} tokens; they reach {full.value:.0f} "
            f"({full.interval.low:.0f} to {full.interval.high:.0f})"
            + (f", past every distance that was trained ({window})." if beyond and full.value > window else "."),
        )

    @staticmethod
    def _verdict(told: dict[str, Estimate]) -> ResourceVerdict:
        best = max(told, key=lambda name: told[name].value)
        low = told[best].interval.low
        return ResourceVerdict(
            resource=Resource.DATA,
            verdict=Verdict.HELPS if low is not None and low > 1.1 else Verdict.UNDETERMINED,
            because=f"the same number of tokens as '{best}' instead of skewed documents makes the effective context "
            f"{factor(told[best])} as long.",
            basis="measured",
            claims=("CTX-1",),
        )


@torch.no_grad()
def read_document(family: Family, task: Pairs, cases: int) -> tuple[NDArray[np.bool_], Tokens]:
    """Ask in whole documents; the questions of their last quarter count.

    Returns:
        Whether each answer is right, and how many tokens back its pair stands; (members, questions).
    """
    rights, distances = [], []
    step = max(1, 2**15 // task.window)
    for start in range(0, cases, step):
        many = min(step, cases - start)
        drawn = [task.draw(generator(seed, TESTING, task.window * 1009 + start), many, 1.0) for seed in family.seeds]
        tokens, rows, answers, _ = stacked(drawn, family.device)
        late = rows.shape[-1] * 3 // 4
        rows, answers = rows[..., late:], answers[..., late:]
        right = family(tokens, rows).argmax(-1) == answers
        asked = tokens.gather(-1, rows) - task.keys * VALUES
        place = (tokens[:, :, None, 0::2] // VALUES == asked[..., None]).int().argmax(-1) * 2
        rights.append(right.flatten(1).cpu().numpy())
        distances.append((rows - place).flatten(1).cpu().numpy())
    return np.concatenate(rights, axis=1), np.concatenate(distances, axis=1)


def reaches(rows: Sequence[Row], enough: float) -> list[float]:
    """Length at which each seed's accuracy falls below `enough`.

    Between two lengths it is read off a straight line over ln length. A model that never falls so far counts as the
    longest length, one that never was so good as the shortest.
    """
    found = []
    for seed in values(rows, "seed"):
        own = sorted(where(rows, seed=seed), key=lambda row: float(row["length"]))
        lengths, share = np.log(column(own, "length")), column(own, "right") / column(own, "n")
        below = np.flatnonzero(share < enough)
        if not below.size or below[0] == 0:
            found.append(float(np.exp(lengths[0 if below.size else -1])))
            continue
        last = int(below[0])
        part = (share[last - 1] - enough) / (share[last - 1] - share[last])
        found.append(float(np.exp(lengths[last - 1] + part * (lengths[last] - lengths[last - 1]))))
    return found


def compared(reach: dict[str, list[float]]) -> dict[str, Estimate]:
    """Ratio of each schedule's reach to that of skewed documents."""
    return {name: ratio(own, reach["skewed"]) for name, own in reach.items() if name != "skewed"}


def ratio(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Geometric mean over seeds of the ratio of two reaches, with Student's interval on its logarithm."""
    logs = mean(np.log(one) - np.log(other))
    low, high = (None if end is None else float(np.exp(end)) for end in (logs.interval.low, logs.interval.high))
    interval = Interval(low=low, high=high, level=logs.interval.level, method="student t on the logarithm")
    return Estimate(value=float(np.exp(logs.value)), interval=interval, n=logs.n)


def factor(estimate: Estimate) -> str:
    """Write a ratio with its interval."""
    return f"{estimate.value:.2f} times ({estimate.interval.low:.2f} to {estimate.interval.high:.2f})"
