"""Accumulation: how the errors of written steps add up, with and without training to recover from them (REAS-1)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import Estimate, Finding, Measurement, Resource, ResourceVerdict, Scalar, Standing, Verdict
from hardlimit.core.quantity import CHAIN_SUCCESS, ERROR_RATE
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
from hardlimit.lab.training import Training
from hardlimit.lab.transformer import Architecture
from hardlimit.lab.worlds.walks import Walk, repaired_at_once, trail, transitions, written
from hardlimit.stats import n_for_width
from hardlimit.theory import reasoning as theory

SEEN = 1 / 8
"""Chance that a walker sees where it stands before a move."""

CORRUPTED = 0.15
"""Chance that a written place is replaced by another in recovery training."""

SHORT = 16
"""Steps of the chains on which rates are measured; every longer length is held out."""

MARGIN = 0.05
"""By how much a predicted chance of success may miss the measured one and still count as agreeing."""

LEVEL = 0.9
"""Share of its success that a curve keeps over twice the steps, from which it counts as levelled off."""

LONGER = 1.5
"""Training tokens of the model that is trained longer, in units of the others'."""

CLEAN, LONG, RECOVERY, BLIND = "clean", "clean, longer", "recovery", "recovery, blind"
FOLLOW, FROM_RIGHT, FROM_WRONG = 0, 1, 2
"""Streams of test chains: long ones, and short ones that start from a right or from a wrong place."""


class Accumulation(Experiment):
    """Chains of written steps by their length, after two trainings."""

    name = "accumulation"
    says = "How do the errors of written steps add up, and what does training to recover from them change?"

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        task, lengths = self._task(scale, 0, CLEAN), self._lengths(scale)
        return Design(
            question="Does the success of long chains follow from two rates of short ones, the error of a step and its "
            "repair, and does training on corrupted prefixes change the law that holds?",
            claims=("REAS-1",),
            setting=f"A walker among {task.places} places; each of {task.moves} moves is a random permutation of them, "
            f"so that a wrong place stays wrong. Before a move it sees where it truly stands with chance {SEEN:g}: "
            "repair is possible, but no right chain needs it. A model of two blocks sees its latest "
            f"{task.turns} turns, writes the new place at temperature 1 and goes on from what it wrote. Training has "
            f"right prefixes ({CLEAN}), or prefixes of which {CORRUPTED:.0%} of the places are wrong, with the answer "
            f"that follows from what is written and seen ({RECOVERY}); tokens, moves and worlds are equal. Controls: "
            f"{LONGER:g} times the clean tokens, and recovery training in a world without landmarks. The error ε of a "
            f"step and the repair rate r are measured on chains of {SHORT} steps (ε from right starts, r from wrong "
            f"ones); the laws then predict other chains of {lengths[0]} to {lengths[-1]} steps, model by model. Sizes "
            "and lengths were chosen on other seeds, so that ε is near 1 % and clean chains mostly fail at the end. A "
            f"curve that keeps more than {LEVEL:.0%} of its success over the last doubling has levelled off.",
            size=f"{len(scale.members)} models per training, each in a world of its own; {self._chains(scale)} chains, "
            f"which pins the success of one model to ±{0.98 / self._chains(scale) ** 0.5:.1%}; "
            f"{self._short(scale):,} short chains of either start.",
            would_refute=f"A held-out length at which predicted and measured success differ by more than {MARGIN:.0%} "
            "(the whole interval over models), or recovery training that does not keep long chains right.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per training."""
        names = (CLEAN, RECOVERY, BLIND, LONG)[: scale.choose(2, 3, 4)]
        return tuple(Cell(name=name.replace(", ", "-"), settings={"training": name}) for name in names)

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train, measure the two rates on short chains, and go on for long."""
        training, seeds = str(cell.settings["training"]), scale.members
        tasks = [self._task(scale, seed, training) for seed in seeds]
        shape = Architecture(vocabulary=tasks[0].vocabulary, width=scale.choose(16, 32, 32), tied=False)
        plan = Training(steps=round(scale.choose(20, 350, 350) * (LONGER if training == LONG else 1)), batch=64)
        family, _ = bench.train(cell.name, shape, tasks, plan, seeds)
        short, lengths = self._short(scale), self._lengths(scale)
        right = written(family, tasks, [trail(task, SHORT, short, FROM_RIGHT) for task in tasks], seed=FROM_RIGHT)
        lost = [trail(task, SHORT, short, FROM_WRONG) for task in tasks]
        wrong = written(family, tasks, lost, seed=FROM_WRONG, astray=True)
        far = written(
            family, tasks, [trail(task, lengths[-1], self._chains(scale), FOLLOW) for task in tasks], seed=FOLLOW
        )
        rows: list[Row] = []
        for member, seed in enumerate(seeds):
            own: Row = {"training": training, "seed": seed}
            good, bad = transitions(right[member], started_right=True), transitions(wrong[member], started_right=False)
            rates: Row = {"errors": good[0], "after_right": good[1], "repairs": bad[2], "after_wrong": bad[3]}
            noticed, fresh = repaired_at_once(right[member])
            rows.append(own | {"part": "rates", "noticed": noticed, "fresh": fresh} | rates)
            for steps in lengths:
                whole = int(far[member, :, :steps].all(1).sum())
                ends: Row = {"steps": steps, "right": int(far[member, :, steps - 1].sum()), "n": far.shape[1]}
                rows.append(own | {"part": "length"} | ends | {"whole": whole})
        return rows

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set the success of long chains beside what the laws make of the rates of short ones."""
        rates, long = where(rows, part="rates"), where(rows, part="length")
        trainings = [str(name) for name in values(rates, "training")]
        success = self.measurement("success", CHAIN_SUCCESS, scale, points=curve(long, ["training", "steps"]))
        intact = self.measurement(
            "without_error",
            CHAIN_SUCCESS,
            scale,
            points=curve(long, ["training", "steps"], lambda r: share(r, "whole")),
            note="Share of the chains without a single wrong step so far.",
        )
        error = self.measurement(
            "step_error",
            ERROR_RATE,
            scale,
            points=curve(rates, ["training"], lambda r: share(r, "errors", "after_right")),
            note="Of a step after a right one.",
        )
        repair = self.measurement(
            "repair",
            CHAIN_SUCCESS,
            scale,
            points=curve(ages(rates), ["training", "error"], lambda r: share(r, "repairs", "after_wrong")),
            note="Chance that a step after a wrong one is right again: after an error just made, and where the chain "
            f"was wrong from the start. A landmark is seen before {SEEN:.1%} of the steps.",
        )
        findings = [law(rates, long, CLEAN, success, repaired=False)]
        findings += [law(rates, long, training, success, repaired=True) for training in trainings]
        end = max(int(row["steps"]) for row in long)
        at_end = {name: share(where(long, training=name, steps=end)) for name in trainings}
        told = "; ".join(
            f"{name} {at_end[name].value:.1%} (ε = {_rate(rates, name)[0]:.2%}, r = {_rate(rates, name)[1]:.2%})"
            for name in trainings
        )
        return Conclusion(
            headline=f"Right after {end} steps: {told}. Recovery training at equal tokens changes this by "
            f"{_signed(paired(long, RECOVERY, CLEAN, end))}, and the error of a step by "
            f"{_signed(_dearer(rates), digits=2)}.",
            findings=tuple(findings),
            measurements=(success, intact, error, repair),
            verdicts=self._verdicts(rates, long),
            cautions=(
                "The landmark makes a repair possible; where nothing tells the truth again (the blind control), "
                "training on corrupted prefixes repairs nothing.",
                "The model sees a few turns only, which keeps its steps alike; a model that reads its whole chain may "
                "err more often late than early, or be misled by its own old errors.",
                "Corrupted places are drawn at random, own errors are not; what is measured is the repair of whatever "
                "goes wrong.",
            ),
        )

    @staticmethod
    def _task(scale: Scale, seed: int, training: str) -> Walk:
        return Walk(
            places=scale.choose(6, 12, 16),
            moves=scale.choose(3, 6, 8),
            turns=4,
            seen=0.0 if training == BLIND else SEEN,
            corrupted=CORRUPTED if training in (RECOVERY, BLIND) else 0.0,
            seed=seed,
        )

    @staticmethod
    def _lengths(scale: Scale) -> tuple[int, ...]:
        return tuple(2 * SHORT * 2**i for i in range(scale.choose(2, 3, 4)))

    @staticmethod
    def _chains(scale: Scale) -> int:
        return scale.choose(32, 256, n_for_width(0.08))

    @staticmethod
    def _short(scale: Scale) -> int:
        return scale.choose(32, 1024, 1024)

    @staticmethod
    def _verdicts(rates: Sequence[Row], long: Sequence[Row]) -> tuple[ResourceVerdict, ...]:
        """What more steps do after either training, and what more clean training does."""
        half, end = sorted(int(steps) for steps in values(long, "steps"))[-2:]
        made = []
        for training in (CLEAN, RECOVERY):
            falls = mean(_shares(long, training, end) - _shares(long, training, half))
            start, stop = (share(where(long, training=training, steps=steps)).value for steps in (half, end))
            kept = mean(_shares(long, training, end) / np.maximum(_shares(long, training, half), 1e-3))
            verdict = Verdict.UNDETERMINED
            if kept.interval.low is not None and kept.interval.low > LEVEL:
                verdict = Verdict.SATURATES
            elif falls.interval.high is not None and falls.interval.high < 0:
                verdict = Verdict.HURTS
            made.append(
                ResourceVerdict(
                    resource=Resource.INFERENCE_STEPS,
                    verdict=verdict,
                    because=f"after {training} training, {start:.1%} of the chains are right at {half} steps and "
                    f"{stop:.1%} at {end} (change {_signed(falls)}).",
                    basis="both",
                    claims=("REAS-1",),
                )
            )
        if where(rates, training=LONG):
            gain = paired(long, LONG, CLEAN, end)
            before, after = _rate(rates, CLEAN)[0], _rate(rates, LONG)[0]
            helps = gain.interval.low is not None and gain.interval.low > 0
            made.append(
                ResourceVerdict(
                    resource=Resource.DATA,
                    verdict=Verdict.HELPS if helps else Verdict.UNDETERMINED,
                    because=f"{LONGER:g} times the clean tokens take the error of a step from {before:.2%} to "
                    f"{after:.2%} and change success at {end} steps by {_signed(gain)}; recovery training changes it "
                    f"by {_signed(paired(long, RECOVERY, CLEAN, end))} at equal tokens.",
                    basis="measured",
                    claims=("REAS-1",),
                )
            )
        return tuple(made)


def law(rates: Sequence[Row], long: Sequence[Row], training: str, success: Measurement, *, repaired: bool) -> Finding:
    """Set measured success beside a law of the rates, model by model and length by length.

    Args:
        rates: rows of rates.
        long: rows of lengths.
        training: whose chains.
        success: the measured curves.
        repaired: the two-state law, or the one in which nothing is repaired.
    """
    own = where(long, training=training)
    lengths = [int(steps) for steps in values(own, "steps")]
    error, repair = _rate(rates, training)
    claim = theory.chain_success_by_steps(lengths, error, recovery=repair if repaired else 0.0)
    misses = {
        steps: mean(_shares(long, training, steps) - predicted(rates, training, steps, repaired=repaired))
        for steps in lengths
    }
    worst = max(lengths, key=lambda steps: abs(misses[steps].value))
    law_ = f"ε = {error:.2%}, r = {repair:.2%}" if repaired else f"ε = {error:.2%}, nothing repaired"
    shown = ", ".join(
        f"{steps}: {share(where(own, steps=steps)).value:.1%} for "
        f"{float(predicted(rates, training, steps, repaired=repaired).mean()):.1%}"
        for steps in lengths
    )
    return Finding(
        claim=claim,
        measurement=success,
        standing=agreement(list(misses.values())),
        says=f"{training[0].upper()}{training[1:]} training, from {SHORT} steps alone ({law_}): measured for predicted "
        f"success by steps {shown}. Largest miss {_signed(misses[worst])}, at {worst} steps.",
    )


def predicted(rates: Sequence[Row], training: str, steps: int, *, repaired: bool) -> NDArray[np.float64]:
    """Success after some steps, of each model by its own two rates."""
    own = where(rates, training=training)
    error = column(own, "errors") / column(own, "after_right")
    if not repaired:
        return np.atleast_1d(np.asarray(theory.chain_success(error, steps)))
    return np.atleast_1d(
        np.asarray(theory.markov_chain(error, column(own, "repairs") / column(own, "after_wrong"), steps))
    )


def ages(rates: Sequence[Row]) -> list[Row]:
    """Rows of repairs, by how old the error is."""
    return [
        {"training": row["training"], "error": error, "repairs": row[repairs], "after_wrong": row[after]}
        for row in rates
        for error, repairs, after in (("just made", "noticed", "fresh"), ("old", "repairs", "after_wrong"))
    ]


def agreement(misses: Sequence[Estimate]) -> Standing:
    """Whether every interval of measured minus predicted success reaches into the margin, and is narrow enough."""
    ends = [(miss.interval.low, miss.interval.high) for miss in misses]
    if any(low is not None and high is not None and (low > MARGIN or high < -MARGIN) for low, high in ends):
        return Standing.DISAGREES
    wide = any(low is None or high is None or high - low > 4 * MARGIN for low, high in ends)
    return Standing.UNDETERMINED if wide else Standing.AGREES


def paired(long: Sequence[Row], training: str, other: str, steps: int) -> Estimate:
    """By how much success differs between two trainings, model by model of equal seed and world."""
    return mean(_shares(long, training, steps) - _shares(long, other, steps))


def _dearer(rates: Sequence[Row]) -> Estimate:
    """By how much recovery training changes the error of a step."""
    error = {
        name: column(where(rates, training=name), "errors") / column(where(rates, training=name), "after_right")
        for name in (RECOVERY, CLEAN)
    }
    return mean(error[RECOVERY] - error[CLEAN])


def _shares(long: Sequence[Row], training: Scalar, steps: int) -> NDArray[np.float64]:
    own = where(long, training=training, steps=steps)
    return column(own, "right") / column(own, "n")


def _rate(rates: Sequence[Row], training: str) -> tuple[float, float]:
    """ε and r of all models together."""
    own = where(rates, training=training)
    return share(own, "errors", "after_right").value, share(own, "repairs", "after_wrong").value


def _signed(change: Estimate, digits: int = 1) -> str:
    """Write a change of a share in points, with its interval."""
    low, high = (math.nan if end is None else 100 * end for end in (change.interval.low, change.interval.high))
    return f"{100 * change.value:+.{digits}f} points ({low:+.{digits}f} to {high:+.{digits}f})"
