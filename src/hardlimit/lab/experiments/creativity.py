"""Creativity: what a model that writes something new risks, with and without knowing what is valid (HALL-11)."""

import math
from collections.abc import Sequence

from msgspec import structs

from hardlimit.core import Estimate, Finding, Measurement, Resource, ResourceVerdict, Shape, Standing, Verdict
from hardlimit.core.quantity import CREATIVE_SHARE, FRONTIER, HALLUCINATION_RATE
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
from hardlimit.lab.worlds.languages import (
    FOLLOWERS,
    LETTERS,
    MISTAKEN,
    MISTAKES,
    NOISY,
    NONE,
    ORACLE,
    TEMPERATURES,
    Language,
    all_logits,
    made,
    weighed,
)
from hardlimit.theory import hallucination as theory

COOL, WARM = 0.7, 1.4
"""Temperatures between which heating is judged."""

ARBITRARY, SMALL, LONG = "arbitrary", "arbitrary, small model", "arbitrary, trained longer"
RULED, MISLED = "ruled", "ruled, misled"

LONGER = 3
"""Training steps of the model that is trained longer, in units of the others'."""


class Creativity(Experiment):
    """Valid and invalid novelty over temperatures, in languages with a rule and without."""

    name = "creativity"
    says = "Must a model that writes something new write falsehoods, by how much, and who escapes?"

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        world = made(self._task(scale, 0, RULED))
        return Design(
            question="Do valid mass A and novelty C of a model lie on the line A + (1 − ρ)·C = 1 at every temperature "
            "and size where nothing tells unseen truths from falsehoods, who gets above it, and which way does "
            "heating move validity?",
            claims=("HALL-11",),
            setting=f"All {world.valid.size:,} strings of {self._length(scale)} out of {LETTERS} letters; "
            f"{int(world.valid.sum()):,} are valid, half of them are the corpus (ρ = {world.truth_share:.2%} of the "
            f"others are valid). {ARBITRARY.capitalize()}: the valid ones are drawn at random; the line is a theorem. "
            f"{RULED.capitalize()}: {FOLLOWERS} letters may follow each, which a model can learn. Misled: besides, "
            f"{MISTAKES} invalid strings make up {MISTAKEN:.0%} of the corpus. Models of two blocks, of width "
            f"{self._width(scale, ARBITRARY)} (small: {self._width(scale, SMALL)}), one trained "
            f"{LONGER} times as long, which knows more of its corpus by heart. The chance of every string is "
            f"computed at temperatures {', '.join(f'{t:g}' for t in TEMPERATURES)}, and its validity is looked up in "
            "the oracle, so that masses are exact and only languages and models are drawn. Then a verifier accepts or "
            "rejects what is drawn: the oracle itself, and one that accepts 95 % of valid and 10 % of invalid strings. "
            f"Temperature 1 decides about the line, {COOL:g} and {WARM:g} about heating; both were fixed, and sizes "
            "chosen, on other seeds.",
            size=f"{len(scale.members)} languages per kind, each with a model of its own. An interval of 95 % "
            "leaves out a true 1 once in twenty.",
            would_refute="In arbitrary languages, an interval of A + (1 − ρ)·C over models at temperature 1 that "
            "leaves out 1; in languages with a rule or behind the oracle, one that is not above 1; or validity that "
            "moves against the sign of E[ln p | valid] − E[ln p] when heated.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per kind of language and model."""
        kinds = (ARBITRARY, RULED, MISLED, SMALL, LONG)
        return tuple(Cell(name=kind.replace(",", "").replace(" ", "-"), settings={"kind": kind}) for kind in kinds)

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train on a corpus and weigh all strings."""
        kind, seeds = str(cell.settings["kind"]), scale.members
        tasks = [self._task(scale, seed, kind) for seed in seeds]
        shape = Architecture(vocabulary=tasks[0].vocabulary, width=self._width(scale, kind), tied=False)
        steps = scale.choose(20, 300, 400) * (LONGER if kind == LONG else 1)
        plan = Training(steps=steps, batch=scale.choose(64, 128, 128), decay=0.0)
        family, _ = bench.train(cell.name, shape, tasks, plan, seeds)
        logits = all_logits(family, self._length(scale))
        return [
            {"kind": kind, "seed": seed, **row}
            for member, (seed, task) in enumerate(zip(seeds, tasks, strict=True))
            for row in weighed(logits[member], made(task))
        ]

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set masses beside the line, and what heating does beside its sign."""
        bare = where(rows, verifier=NONE)
        named = [row | {"generator": generator_of(row)} for row in rows]
        fair = [row for row in named if row["kind"] != MISLED]
        frontier = self.measurement(
            "frontier", FRONTIER, scale, points=curve(fair, ["generator", "temperature"], lambda r: _mean(r, "kappa"))
        )
        creative = self.measurement(
            "creative",
            CREATIVE_SHARE,
            scale,
            points=curve(named, ["generator", "temperature"], lambda r: _mean(r, "new")),
        )
        wrong = self.measurement(
            "invalid",
            HALLUCINATION_RATE,
            scale,
            points=curve(bare, ["kind", "temperature"], lambda r: _mean(r, "invalid")),
        )
        findings = (
            *(
                self._line(where(bare, kind=kind, temperature=1.0), scale, informed=False)
                for kind in (ARBITRARY, SMALL, LONG)
            ),
            self._line(where(bare, kind=RULED, temperature=1.0), scale, informed=True),
            self._line(where(rows, kind=ARBITRARY, temperature=1.0, verifier=ORACLE), scale, informed=True),
            *(self._heating(where(bare, kind=kind), wrong) for kind in (RULED, MISLED)),
        )
        kappa = {kind: _mean(where(bare, kind=kind, temperature=1.0), "kappa") for kind in (ARBITRARY, RULED)}
        checked = where(rows, kind=ARBITRARY, temperature=1.0, verifier=ORACLE)
        before = _mean(where(bare, kind=ARBITRARY, temperature=1.0), "new")
        there = [p.estimate for p in frontier.points if p.at["generator"] in (ARBITRARY, SMALL, LONG)]
        blind = [estimate.value for estimate in there]
        around = sum(placed(estimate, informed=False) is Standing.AGREES for estimate in there)
        return Conclusion(
            headline=f"At temperature 1, A + (1 − ρ)·C is {_told(kappa[ARBITRARY])} in arbitrary languages "
            f"(means at all temperatures, sizes and lengths of training: {min(blind):.4f} to {max(blind):.4f}) and "
            f"{_told(kappa[RULED])} where there is a rule. Behind the oracle, valid novelty in arbitrary languages "
            f"goes from {before.value:.1%} to {_mean(checked, 'new').value:.1%} of what is kept, without a falsehood, "
            f"at {1 / _mean(checked, 'accepted').value:.1f} draws for one. {findings[-1].says}",
            findings=findings,
            measurements=(frontier, creative, wrong),
            verdicts=self._verdicts(rows),
            cautions=(
                f"Over all temperatures, {around} of {len(there)} intervals of arbitrary languages contain 1; those of "
                "one model at several temperatures are not independent.",
                f"The model trained {LONGER} times as long was added when the others had been measured, to see the "
                "line at less novelty; what is judged, and how, stayed as it was.",
                "A model that repeats its corpus lies on the line as well, at its safe end: being on it says nothing "
                "about how much is new.",
                "The sign that HALL-11 gives is for a law heated as a whole; models heat each letter. Both are in the "
                "finding.",
                "A verifier costs draws, and can only keep what the model writes at all.",
            ),
        )

    @staticmethod
    def _length(scale: Scale) -> int:
        return scale.choose(3, 4, 5)

    @staticmethod
    def _width(scale: Scale, kind: str) -> int:
        return scale.choose(8, 16, 16) if kind == SMALL else scale.choose(16, 32, 48)

    def _task(self, scale: Scale, seed: int, kind: str) -> Language:
        return Language(self._length(scale), kind in (RULED, MISLED), kind == MISLED, seed)

    def _line(self, rows: Sequence[Row], scale: Scale, *, informed: bool) -> Finding:
        """A generator beside the line: on it without information, above it with some."""
        world = made(self._task(scale, int(rows[0]["seed"]), str(rows[0]["kind"])))
        novelty = float((column(rows, "new") + column(rows, "invalid")).mean())
        line = theory.unverified_novelty(world.valid.size, int(world.valid.sum()), world.seen.size, novelty)
        wrong, kappa, who = _mean(rows, "invalid"), _mean(rows, "kappa"), generator_of(rows[0])
        return Finding(
            claim=structs.replace(line, side="upper") if informed else line,
            measurement=self.measurement(f"invalid, {who}", HALLUCINATION_RATE, scale, estimate=wrong),
            standing=placed(kappa, informed=informed),
            says=f"{who[0].upper()}{who[1:]}, temperature 1: {novelty:.1%} of what is written is new and "
            f"{wrong.value:.2%} invalid; the line has {line.value:.2%} for that much novelty. A + (1 − ρ)·C = "
            f"{_told(kappa)}; {'information about validity takes it above 1' if informed else 'the theorem says 1'}.",
        )

    @staticmethod
    def _heating(rows: Sequence[Row], measured: Measurement) -> Finding:
        """What heating does to validity beside the sign that the model's own law gives."""
        heat = [float(t) for t in values(rows, "temperature")]
        law = tuple((t, 1 - float(column(where(rows, temperature=t), "tempered").mean())) for t in heat)
        slope = mean(column(where(rows, temperature=1.0), "slope"))
        change = mean(
            column(where(rows, temperature=WARM), "invalid") - column(where(rows, temperature=COOL), "invalid")
        )
        kind = str(rows[0]["kind"])
        return Finding(
            claim=Shape(
                statement=theory.HALL_11,
                quantity=HALLUCINATION_RATE,
                along="temperature",
                points=law,
                parameters={"kind": kind, "slope": slope.value},
            ),
            measurement=measured,
            standing=same_direction(slope, change),
            says=f"{kind[0].upper()}{kind[1:]}: E[ln p | valid] − E[ln p] = {_told(slope)} at temperature 1, so that "
            f"heating is to {'add' if slope.value > 0 else 'remove'} falsehoods; from temperature {COOL} to {WARM} "
            f"they change by {100 * change.value:+.1f} points ({_ends(change, 100, 1)}), and by "
            f"{100 * (dict(law)[WARM] - dict(law)[COOL]):+.1f} in the law heated as a whole.",
        )

    @staticmethod
    def _verdicts(rows: Sequence[Row]) -> tuple[ResourceVerdict, ...]:
        """What a larger model and what a verifier do where nothing tells valid from invalid."""
        at_one = where(rows, temperature=1.0, kind=ARBITRARY)
        bare, checked = where(at_one, verifier=NONE), where(at_one, verifier=ORACLE)
        small = where(rows, temperature=1.0, kind=SMALL, verifier=NONE)
        on_line = [placed(_mean(model, "kappa"), informed=False) for model in (bare, small)]
        gain = mean(column(checked, "new") - column(bare, "new"))
        noisy = where(at_one, verifier=NOISY)
        helps = gain.interval.low is not None and gain.interval.low > 0
        return (
            ResourceVerdict(
                resource=Resource.PARAMETERS,
                verdict=Verdict.CANNOT_PROGRESS
                if all(standing is Standing.AGREES for standing in on_line)
                else Verdict.UNDETERMINED,
                because=f"without information about validity, A + (1 − ρ)·C is {_told(_mean(small, 'kappa'))} for the "
                f"small model and {_told(_mean(bare, 'kappa'))} for the larger one: size moves a model along the line.",
                basis="both",
                claims=("HALL-11",),
            ),
            ResourceVerdict(
                resource=Resource.VERIFIER,
                verdict=Verdict.HELPS if helps else Verdict.UNDETERMINED,
                because=f"the oracle changes valid novelty by {100 * gain.value:+.1f} points ({_ends(gain, 100, 1)}) "
                f"and takes falsehoods from {_mean(bare, 'invalid').value:.1%} to "
                f"{_mean(checked, 'invalid').value:.1%}; a verifier that accepts 95 % of valid and 10 % of invalid "
                f"strings, to {_mean(noisy, 'invalid').value:.1%}.",
                basis="both",
                claims=("HALL-11",),
            ),
        )


def generator_of(row: Row) -> str:
    """Who writes: the kind of language, and the verifier where there is one.

    >>> generator_of({"kind": "ruled", "verifier": "oracle"})
    'ruled, behind oracle'
    """
    return str(row["kind"]) + ("" if row["verifier"] == NONE else f", behind {row['verifier']}")


def placed(kappa: Estimate, *, informed: bool) -> Standing:
    """Whether A + (1 − ρ)·C is where it is to be: at 1, or above it with information about validity."""
    low, high = kappa.interval.low, kappa.interval.high
    if low is None or high is None:
        return Standing.UNDETERMINED
    if not informed:
        return Standing.AGREES if low <= 1 <= high else Standing.DISAGREES
    return Standing.AGREES if low > 1 else Standing.DISAGREES if high < 1 else Standing.UNDETERMINED


def same_direction(slope: Estimate, change: Estimate) -> Standing:
    """Whether falsehoods grow with heat where the slope is positive and shrink where it is negative."""
    signs = [sign_of(slope), sign_of(change)]
    if 0 in signs:
        return Standing.UNDETERMINED
    return Standing.AGREES if signs[0] == signs[1] else Standing.DISAGREES


def sign_of(estimate: Estimate) -> int:
    """The sign that a whole interval has, or 0."""
    low, high = estimate.interval.low, estimate.interval.high
    return 1 if low is not None and low > 0 else -1 if high is not None and high < 0 else 0


def _mean(rows: Sequence[Row], name: str) -> Estimate:
    return mean(column(rows, name))


def _told(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} ({_ends(estimate, 1, 4)})"


def _ends(estimate: Estimate, unit: float, digits: int) -> str:
    low, high = (math.nan if end is None else unit * end for end in (estimate.interval.low, estimate.interval.high))
    return f"{low:.{digits}f} to {high:.{digits}f}"
