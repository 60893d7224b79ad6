"""Facts seen once: what a model that fits its corpus invents, against the singleton rate (HALL-5, 6, 8, 9)."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.core import Estimate, Finding, Resource, ResourceVerdict, Standing, Verdict, stand
from hardlimit.core.quantity import ERROR_RATE, HALLUCINATION_RATE, MISSING_MASS, WRONG_RATE
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
from hardlimit.lab.tasks import TESTING, Tokens, generator
from hardlimit.lab.training import Training
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.lab.worlds.people import ANSWERED, People, drawn_from, made
from hardlimit.lab.worlds.statements import Statements, generated
from hardlimit.theory import hallucination as theory

Floats = NDArray[np.floating]

FLOOR_EXPONENT = 1.0
TAIL = 1.5
"""Zipf exponents: of the corpus on which the floor is measured, and of those on which error by data is."""

SPARSE, SPARSE_EXPONENT = "statements", 0.7
"""The cell in which few statements are true, and the Zipf exponent of its facts."""

FAILS = 0.05
"""Chance with which the bounds of HALL-5 and 6 may fail in a world."""


class Monofacts(Experiment):
    """Hallucination against the share of facts seen once."""

    name = "monofacts"
    says = "Does a model that fits its corpus invent as often as the corpus tells facts only once?"

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        task, sparse = self._task(scale, 0, self._mentions(scale), FLOOR_EXPONENT), self._sparse(scale, 0)
        return Design(
            question="Does a model trained on arbitrary facts invent at the rate at which its corpus tells facts only "
            "once, who goes below that rate and how, and does error fall with data as the tail predicts?",
            claims=("HALL-5", "HALL-6", "HALL-8", "HALL-9"),
            setting=f"{task.symbols**2:,} people with one of {task.values} values each; {task.mentions:,} mentions by "
            f"a Zipf law of exponent {FLOOR_EXPONENT:g}, {1 - ANSWERED:.0%} of which say that the value is not known. "
            "A two-block model is trained on the mentions and asked about people drawn by the same law, sampling at "
            "temperature 1. Beside it: the same model that abstains below one half, one that always abstains, and one "
            f"that repeats the corpus. Then corpora of exponent {TAIL:g} and growing size. Last, a world for HALL-6: "
            f"of {sparse.side**2:,} statements (person, value) {sparse.facts:,} drawn evenly are true, told by a Zipf "
            f"law of exponent {SPARSE_EXPONENT:g} in {sparse.mentions:,} mentions. A one-block model learns which "
            "values a person has and generates statements at temperature 1, about people as often as the corpus; "
            "beside it, the same model with a part of the probability spread evenly over all statements (as much as "
            "makes a sixteenth of the corpus, kept from training, likeliest), and one that repeats the corpus. "
            "Hallucination and miscalibration (total variation, bins of half an octave) are sums over all statements. "
            "The sizes of this world and the even spread were chosen on other seeds, so that the bound excludes "
            "something.",
            size=f"{len(scale.members)} worlds, each with its own model; {self._asked(scale):,} questions each.",
            would_refute="A calibrated model (small δ) that is wrong less often than the floor, or an exponent of "
            "error in the data whose interval excludes 1 − 1/a, or a generator of the "
            f"sparse world that hallucinates less than HALL-6 allows at δ = {FAILS:g}.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell for the floor, one per size of corpus, and one for sparse statements."""
        sizes = (self._mentions(scale) >> shift for shift in range(scale.choose(2, 4, 5), 0, -1))
        return (
            Cell(name="floor", settings={"mentions": self._mentions(scale), "exponent": FLOOR_EXPONENT}),
            *(Cell(name=f"data-{n}", settings={"mentions": n, "exponent": TAIL}) for n in sizes),
            Cell(name=SPARSE, settings={"mentions": self._sparse(scale, 0).mentions, "exponent": SPARSE_EXPONENT}),
        )

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train on a corpus and ask by its law."""
        if cell.name == SPARSE:
            return self._statements(cell, scale, bench)
        seeds, mentions = scale.members, int(cell.settings["mentions"])
        tasks = [self._task(scale, seed, mentions, float(cell.settings["exponent"])) for seed in seeds]
        shape = Architecture(
            vocabulary=tasks[0].vocabulary, layers=2, width=scale.choose(32, 48, 64), positions="none", tied=False
        )
        plan = Training(steps=scale.choose(100, 350, 1500), batch=scale.choose(256, 512, 1024), decay=0.0)
        family, _ = bench.train(cell.name, shape, tasks, plan, seeds)
        return [
            {"part": cell.name.partition("-")[0], "mentions": mentions, "seed": seed, **row}
            for member, (seed, task) in enumerate(zip(seeds, tasks, strict=True))
            for row in judged(family, member, task, self._asked(scale))
        ]

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set wrong answers beside the floors, and error by data beside the tail's exponent."""
        floor, data = where(rows, part="floor"), where(rows, part="data", learner="sampled")
        wrong = self.measurement(
            "wrong",
            WRONG_RATE,
            scale,
            points=curve(floor, ["learner"], lambda r: share(r, "wrong")),
        )
        error = self.measurement(
            "error_by_data",
            ERROR_RATE,
            scale,
            points=curve(data, ["mentions"], lambda r: mean(column(r, "top_error"))),
            note="Of the likeliest answer, by the size of the corpus.",
        )
        sparse = where(rows, part=SPARSE)
        made_up = self.measurement(
            "made_up",
            HALLUCINATION_RATE,
            scale,
            points=curve(sparse, ["learner"], lambda r: mean(column(r, "false"))),
            note="Of generated statements, in the world of few true statements.",
        )
        findings = (
            self._missing(floor, scale),
            *(self._calibrated(sparse, learner, scale) for learner in ("part spread evenly", "sampled")),
            self._floor(floor, scale),
            self._exponent(data, scale),
        )
        own = where(floor, learner="sampled")
        rate, single = share(own, "wrong"), mean(column(own, "once"))
        cautious = share(where(floor, learner="abstains below 1/2"), "wrong")
        return Conclusion(
            headline=f"The model invents in {rate.value:.1%} of answers ({rate.interval.low:.1%} to "
            f"{rate.interval.high:.1%}); {single.value:.1%} of its corpus are facts told once. Abstaining below one "
            f"half makes it {cautious.value:.1%}. {findings[-1].says}",
            findings=findings,
            measurements=(wrong, error, made_up),
            verdicts=self._verdicts(rate, cautious, data),
            cautions=(
                "Facts here are arbitrary: nothing about a person can be guessed from other people. Facts with "
                "structure can be.",
                "The floor of HALL-8 carries (35 + 6 ln N)/√N for luck, which makes it weak below a million mentions; "
                "the missing mass of HALL-5 is the sharper comparison.",
                "HALL-6 binds calibrated generators alone. Which statements are plausible is given here: all pairs of "
                "a person and a value.",
            ),
        )

    @staticmethod
    def _task(scale: Scale, seed: int, mentions: int, exponent: float) -> People:
        return People(scale.choose(24, 48, 128), scale.choose(16, 16, 32), mentions, exponent, seed)

    @staticmethod
    def _sparse(scale: Scale, seed: int) -> Statements:
        facts = scale.choose(128, 2**12, 2**14)
        return Statements(scale.choose(128, 2**11, 2**12), facts, facts, SPARSE_EXPONENT, seed)

    def _statements(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train on true statements, and read what is generated."""
        tasks = [self._sparse(scale, seed) for seed in scale.members]
        shape = Architecture(vocabulary=tasks[0].vocabulary, layers=1, width=64, positions="none", tied=False)
        plan = Training(steps=scale.choose(30, 120, 400), batch=scale.choose(64, 512, 1024), rate=1e-2, decay=0.0)
        family, _ = bench.train(cell.name, shape, tasks, plan, scale.members)
        return [
            {"part": SPARSE, "mentions": task.mentions, "seed": seed, **row}
            for member, (seed, task) in enumerate(zip(scale.members, tasks, strict=True))
            for row in generated(family, member, task)
        ]

    @staticmethod
    def _mentions(scale: Scale) -> int:
        return scale.choose(2**10, 2**12, 2**15)

    @staticmethod
    def _asked(scale: Scale) -> int:
        return scale.choose(256, 2048, 8192)

    def _missing(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """The mass of untold facts beside Good and Turing's estimate from the corpus."""
        own = where(rows, learner="sampled")
        tasks = [self._task(scale, int(row["seed"]), self._mentions(scale), FLOOR_EXPONENT) for row in own]
        told = [made(task).times_told() for task in tasks]
        first = theory.missing_mass_ceiling(told[0], FAILS)
        inside = [
            abs(float(row["untold"]) - theory.good_turing(counts)) <= theory.good_turing_half_width(int(counts.sum()))
            for row, counts in zip(own, told, strict=True)
        ]
        mass = mean(column(own, "untold"))
        measured = self.measurement("missing_mass", MISSING_MASS, scale, estimate=mass)
        return Finding(
            claim=first,
            measurement=measured,
            standing=Standing.AT_BOUND if all(inside) else Standing.BEYOND_BOUND,
            says=f"{mass.value:.1%} of the questions are about facts that the corpus never tells; Good and Turing "
            f"estimate {float(np.mean([theory.good_turing(counts) for counts in told])):.1%} from the facts told once "
            f"({sum(inside)} of {len(inside)} worlds within the half-width).",
        )

    def _floor(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """The model's wrong answers beside the floor, and what the other learners give up to go below it."""
        task = self._task(scale, 0, self._mentions(scale), FLOOR_EXPONENT)
        own = where(rows, learner="sampled")
        gap, once = float(column(own, "gap").mean()), float(column(own, "once").mean())
        bound = theory.arbitrary_facts_floor(once, task.values - 1, task.mentions, gap)
        measured = self.measurement("wrong_sampled", WRONG_RATE, scale, estimate=share(own, "wrong"))
        told = "; ".join(
            f"{learner} {share(there, 'wrong').value:.1%} (δ = {float(column(there, 'gap').mean()):.2f})"
            for learner, there in ((name, where(rows, learner=name)) for name in values(rows, "learner"))
        )
        return Finding(
            claim=bound,
            measurement=measured,
            standing=stand(bound, measured),
            says=f"Wrong answers and miscalibration δ by learner: {told}. The singleton rate is {once:.1%}; the floor "
            f"subtracts δ, 2/|E| = {2 / (task.values - 1):.3f} and {bound.parts['sampling_term']:.2f} for luck.",
        )

    def _calibrated(self, rows: Sequence[Row], learner: str, scale: Scale) -> Finding:
        """What a generator makes up beside HALL-6, whose hypotheses hold here by construction."""
        task, own = self._sparse(scale, 0), where(rows, learner=learner)
        once, off, false = (column(own, name) for name in ("once", "miscalibration", "false"))
        s = -math.log(task.true_share)
        bound = theory.calibrated_hallucination(
            float(once.mean()), float(off.mean()), sparsity=s, facts=task.mentions, delta=FAILS
        )
        floors = np.asarray(theory.calibrated_floor(once, off, s, task.mentions, FAILS))
        measured = self.measurement(
            f"made_up_{learner.replace(' ', '_')}", HALLUCINATION_RATE, scale, estimate=mean(false)
        )
        others = [(name, where(rows, learner=name)) for name in values(rows, "learner") if name != learner]
        rest = "; ".join(
            f"{name} {column(there, 'false').mean():.1%} (Mis = {column(there, 'miscalibration').mean():.1%})"
            for name, there in others
        )
        return Finding(
            claim=bound,
            measurement=measured,
            standing=stand(bound, measured),
            says=f"Learner “{learner}”: {false.mean():.1%} of what it generates is false. MF − Mis − sparsity − luck = "
            f"{once.mean():.1%} − {off.mean():.1%} − {bound.parts['sparsity_term']:.1%} − "
            f"{bound.parts['sampling_term']:.1%} = {floors.mean():.1%}; {int((false >= floors).sum())} of {len(own)} "
            f"worlds are at or above their own. Beside it: {rest}.",
        )

    def _exponent(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """The slope of error against data beside 1 − 1/a."""
        slopes = []
        for seed in values(rows, "seed"):
            own = where(rows, seed=seed)
            slopes.append(-float(np.polyfit(np.log(column(own, "mentions")), np.log(column(own, "top_error")), 1)[0]))
        slope = mean(slopes)
        told = [float(n) for n in sorted(values(rows, "mentions"), key=float)]
        untold = [float(column(where(rows, mentions=int(n)), "untold").mean()) for n in told]
        ends = -float(np.polyfit(np.log(told), np.log(untold), 1)[0])
        claim = theory.longtail_exponent(TAIL)
        measured = self.measurement("exponent", claim.quantity, scale, estimate=slope)
        return Finding(
            claim=claim,
            measurement=measured,
            standing=Standing.AGREES if claim.value in slope.interval else Standing.DISAGREES,
            says=f"Error falls as mentions^−{slope.value:.3f} ({slope.interval.low:.3f} to {slope.interval.high:.3f}); "
            f"1 − 1/a = {claim.value:.3f} for an endless tail. This world ends: the mass that {len(told)} corpora "
            f"leave untold falls as mentions^−{ends:.3f}.",
        )

    @staticmethod
    def _verdicts(rate: Estimate, cautious: Estimate, data: Sequence[Row]) -> tuple[ResourceVerdict, ...]:
        least, most = min(column(data, "mentions")), max(column(data, "mentions"))
        before, after = (mean(column(where(data, mentions=int(n)), "top_error")).value for n in (least, most))
        falls = rate.interval.low is not None and cautious.value < 0.9 * rate.interval.low
        return (
            ResourceVerdict(
                resource=Resource.ABSTENTION,
                verdict=Verdict.HELPS if falls else Verdict.UNDETERMINED,
                because=f"abstaining below one half takes wrong answers from {rate.value:.1%} to {cautious.value:.1%}.",
                basis="measured",
                claims=("HALL-8",),
            ),
            ResourceVerdict(
                resource=Resource.DATA,
                verdict=Verdict.HELPS if after < 0.9 * before else Verdict.UNDETERMINED,
                because=f"from {least:,.0f} to {most:,.0f} mentions the error falls from {before:.1%} to {after:.1%}.",
                basis="measured",
                claims=("HALL-9",),
            ),
        )


@torch.no_grad()
def judged(family: Family, member: int, task: People, asked: int) -> list[Row]:
    """Ask one member about people drawn by the law, and judge it and three other learners on the same questions."""
    world, rng = made(task), generator(task.seed, TESTING)
    people = drawn_from(world.chances, rng, asked)
    alone = torch.from_numpy(np.broadcast_to(task.ask(people), (len(family.seeds), asked, 2)).copy()).to(family.device)
    rows = torch.ones(len(family.seeds), asked, 1, dtype=torch.int64, device=family.device)
    logits = family(alone, rows)[member, :, 0, 2 * task.symbols :].double()
    chances = logits.softmax(-1).cpu().numpy()
    facts, unknown = world.facts[people], task.values
    told = world.times_told()
    top = chances.argmax(1)
    sampled = (chances.cumsum(1) < rng.random((asked, 1))).sum(1).clip(max=unknown)
    cautious = np.where(chances.max(1) > 0.5, top, unknown)
    repeats = np.where(told[people] > 0, facts, unknown)
    sure = np.eye(task.values + 1)
    laws = {
        "sampled": (sampled, chances),
        "abstains below 1/2": (cautious, sure[cautious]),
        "always abstains": (np.full(asked, unknown), sure[np.full(asked, unknown)]),
        "repeats the corpus": (repeats, sure[repeats]),
    }
    return [
        {
            "learner": name,
            "wrong": int(((said != facts) & (said != unknown)).sum()),
            "abstained": int((said == unknown).sum()),
            "n": asked,
            "once": float((told == 1).sum() / task.mentions),
            "untold": float(world.chances[told == 0].sum()),
            "top_error": float((top != facts).mean()),
            "gap": calibration_gap(law, facts, task.values),
        }
        for name, (said, law) in laws.items()
    ]


def calibration_gap(chances: Floats, facts: Tokens, values_: int) -> float:
    """δ of HALL-7 and 8: the difference of model's and world's mass on what the model holds likelier than 1/|E|.

    >>> calibration_gap(np.array([[0.9, 0.0, 0.1]]), np.array([0]), 2)
    0.0
    """
    likely = chances > 1 / (values_ - 1)
    truth = np.zeros_like(chances)
    truth[np.arange(len(facts)), facts] = ANSWERED
    truth[:, values_] = 1 - ANSWERED
    return float(abs((chances * likely).sum(1).mean() - (truth * likely).sum(1).mean()))
