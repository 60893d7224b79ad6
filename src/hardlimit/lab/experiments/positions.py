"""Positions: do seldom trained places and distances bound the context, and does a curriculum move it (CTX-1)?"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from hardlimit.core import Estimate, Finding, Interval, Resource, ResourceVerdict, Scalar, Standing, Verdict
from hardlimit.core.quantity import ACCURACY, ATTENDABLE_CONTEXT, EFFECTIVE_CONTEXT
from hardlimit.lab.bench import Bench
from hardlimit.lab.experiment import (
    Cell,
    Conclusion,
    Design,
    Experiment,
    LabReport,
    Row,
    Scale,
    column,
    curve,
    mean,
    values,
    where,
)
from hardlimit.lab.schedules import FARTHER, RECOMMENDED, SHORT, Curriculum, Gain, curriculum, exposures
from hardlimit.lab.tasks import TRAINING, generator
from hardlimit.lab.training import Training
from hardlimit.lab.transformer import Architecture
from hardlimit.lab.worlds.pairs import VALUES, Pairs, read_document
from hardlimit.theory import context as theory

ENOUGH = 0.85
"""Share of the best short-context accuracy of any schedule of a setting that a usable length keeps."""

SETTINGS: dict[str, tuple[str, ...]] = {
    "rotary, order": ("skewed", "full", "growing", "spread", "growing-spread"),
}
"""What tells order, and that the task needs it; and the schedules that models are trained on."""


class Positions(Experiment):
    """How far a model reaches, by the places it was trained on."""

    name = "positions"
    says = "Do seldom trained places and distances bound the context, and does a positional curriculum move the bound?"
    version = 2

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        window = window_of(scale)
        plan = self._plan(scale)
        return Design(
            question="Long documents are rare in training text, and with them far places and distances. Is that what "
            "ends a model's context, and does a schedule that shows them move the end, at equal tokens?",
            claims=("CTX-1",),
            setting=f"One block of width 64. Pairs of a key and one of {VALUES} values, each followed by a question "
            "about the last value of a key of the same document. Keys return with other values, so that order must be "
            f"told, by rotary positions. Every schedule gets {plan.steps:,} steps of {plan.batch} windows of {window} "
            f"tokens and as many questions. 'skewed' (the baseline): documents of exponential length, mean "
            f"{window // SHORT} tokens, packed, none seeing another, places counted from "
            "each one's start, as trainers that pack without padding do (places that run on through the window are the "
            "same to rotary positions); 'full': one document per window; 'growing': documents grow from "
            f"{window // SHORT} to {window} tokens; 'spread': the documents of 'skewed', their places spread over "
            f"{FARTHER * window} with gaps; 'growing-spread': both. Tested on whole documents of "
            f"{self._lengths(scale)[0]} to {self._lengths(scale)[-1]} tokens without gaps. Settings, schedules and the "
            f"definition of effective context ({ENOUGH:.0%} of the best schedule's accuracy at "
            f"{self._lengths(scale)[0]} tokens, the same line for all) were fixed on small runs "
            "from other seeds (100, 101).",
            size=f"{len(scale.members)} models per schedule, each from its own seed, compared seed by seed; at least "
            f"{self._cases(scale, self._lengths(scale)[-1])} documents per model and length.",
            would_refute="Effective contexts that differ by less than a factor 1.2 between schedules whose farthest "
            "distances were trained 10 times more or less often; or a model that reads distances it never saw.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per setting and schedule."""
        every = [(setting, name) for setting, names in SETTINGS.items() for name in names]
        kept = every if scale.extent == "full" else [one for one in every if one[1] in ("skewed", "full", RECOMMENDED)]
        return tuple(
            Cell(name=f"{setting.replace(', ', '-')}-{name}", settings={"setting": setting, "schedule": name})
            for setting, name in kept
        )

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train on one schedule and ask in documents of every length."""
        seeds, window = scale.members, window_of(scale)
        plan = self._plan(scale)
        schedule = curriculum(str(cell.settings["schedule"]), window, unit=2)
        task = Pairs(schedule, window // 2, order=True)
        shape = Architecture(vocabulary=task.vocabulary, layers=1, hidden=2, tied=False)
        family, _ = bench.train(cell.name, shape, [task] * len(seeds), plan, seeds)
        here: Row = {"setting": cell.settings["setting"], "schedule": schedule.name}
        rows = [here | one for one in exposed(schedule, plan, self._lengths(scale))]
        for length in self._lengths(scale):
            whole = msgspec.structs.replace(curriculum("full", length, unit=2), span=max(length, schedule.span))
            right, away = read_document(family, Pairs(whole, task.keys, order=True), self._cases(scale, length))
            for member, seed in enumerate(seeds):
                own = here | {"length": length, "seed": seed}
                rows.append(own | {"right": int(right[member].sum()), "n": int(right[member].size)})
                if length != 2 * window:
                    continue
                for part in range(8):
                    inside = away[member] * 8 // length == part
                    there: Row = {"distance": (2 * part + 1) * length // 16, "right": int(right[member][inside].sum())}
                    rows.append(own | there | {"n": int(inside.sum())})
        return rows

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set effective contexts beside the exposure law."""
        along = ["setting", "schedule"]
        by_length = [row for row in rows if "length" in row and "distance" not in row]
        by_distance = [row for row in rows if "distance" in row and row["n"]]
        met = [row for row in rows if "exposures" in row]
        reach = reached(rows)
        told = compared(reach)
        foretold = {
            key: predicted(
                float(np.mean(reach[key[0], "skewed"])),
                where(met, setting=key[0], schedule="skewed"),
                where(met, setting=key[0], schedule=key[1]),
            )
            for key in told
        }
        points = curve(
            [
                {"setting": s, "schedule": n, "seed": i, "reach": v}
                for (s, n), own in reach.items()
                for i, v in enumerate(own)
            ],
            along,
            lambda r: mean(column(r, "reach")),
        )
        parameters: dict[str, Scalar] = {}
        for (setting, name), one in told.items():
            key = f"{setting}.{name}"
            parameters |= {f"ratio.{key}": round(one.value, 3), f"ratio.{key}_low": round(one.interval.low or 0.0, 3)}
            parameters[f"predicted.{key}"] = round(foretold[setting, name], 1)
        findings = tuple(self._usable(setting, reach, met, scale) for setting, name in told if name == "full")
        return Conclusion(
            headline=self._headline(reach, told, foretold),
            findings=findings,
            measurements=(
                self.measurement("effective", EFFECTIVE_CONTEXT, scale, points=points, parameters=parameters),
                self.measurement("accuracy", ACCURACY, scale, points=curve(by_length, [*along, "length"])),
                self.measurement(
                    "distance",
                    ACCURACY,
                    scale,
                    points=curve(by_distance, [*along, "distance"]),
                    parameters={
                        f"exposures.{row['setting']}.{row['schedule']}.{row['reach']}": row["exposures"] for row in met
                    },
                    note="exposures.*: how often training met a distance of up to so many tokens (from 7/8 of it on), "
                    "as the position code is told it, mean per distance and model.",
                ),
            ),
            verdicts=(self._verdict(told),),
            cautions=(
                f"Effective context: up to where accuracy is {ENOUGH:.0%} of the best schedule's at "
                f"{self._lengths(scale)[0]} tokens in the same setting, one line for all schedules. A model still "
                f"above that at {self._lengths(scale)[-1]} tokens counts as that, so that a ratio that ends there is "
                "a lower bound; one never above it counts as the shortest length.",
                "'spread' has the law of document lengths of 'skewed', and other draws from it: what it gains is due "
                "to the places. The schedules 'full', 'growing' and 'growing-spread' need documents as long as the "
                "window.",
                "That the forecast from exposures ends where a window does, and that exposures are counted from drawn "
                "windows, was settled after the run; the effective contexts do not depend on it.",
                "Learned place vectors were to be a second setting; their run was given up for its length, unread, "
                "and nothing is said about them.",
                "Small models on made-up documents: what the gain is in a language model is not known from here.",
            ),
        )

    @staticmethod
    def _plan(scale: Scale) -> Training:
        return Training(steps=scale.choose(30, 300, 400), batch=16)

    def _lengths(self, scale: Scale) -> tuple[int, ...]:
        window = window_of(scale)
        return tuple(sorted({max(2, window * eighths // 16 * 2) for eighths in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)}))

    @staticmethod
    def _cases(scale: Scale, length: int) -> int:
        return max(16, scale.choose(128, 2048, 4096) // length)

    @staticmethod
    def _headline(
        reach: dict[tuple[str, str], list[float]],
        told: dict[tuple[str, str], Estimate],
        foretold: dict[tuple[str, str], float],
    ) -> str:
        parts = []
        for setting in dict.fromkeys(setting for setting, _ in told):
            own = {name: one for (where_, name), one in told.items() if where_ == setting}
            best = max(own, key=lambda name: own[name].interval.low or 0.0)
            parts.append(
                f"{setting}: '{best}' reaches {factor(own[best])} the effective context of skewed documents "
                f"({float(np.mean(reach[setting, 'skewed'])):.0f} tokens; {float(np.mean(reach[setting, best])):.0f}, "
                f"where its exposures foretell {foretold[setting, best]:.0f})"
            )
            for name, says in (("growing", "growing documents alone"), ("spread", "spread places alone")):
                if name in own and name != best:
                    parts[-1] += (
                        f"; {says} {factor(own[name])} ({float(np.mean(reach[setting, name])):.0f} tokens, foretold "
                        f"{foretold[setting, name]:.0f})"
                    )
        return "At equal tokens, " + ". ".join(parts) + "."

    def _usable(
        self, setting: str, reach: dict[tuple[str, str], list[float]], met: Sequence[Row], scale: Scale
    ) -> Finding:
        """Predict the reach of full windows from the exposures at which skewed windows end (CTX-1)."""
        window, plan = window_of(scale), self._plan(scale)
        total = float(plan.steps * plan.batch * window)
        end = float(np.mean(reach[setting, "skewed"]))
        needed = exposures_at(end, where(met, setting=setting, schedule="skewed"))
        claim = theory.usable_length(total, window, needed)
        full = mean(reach[setting, "full"])
        low = full.interval.low
        beyond = low is not None and low > claim.value
        standing = Standing.AGREES if claim.value in full.interval else Standing.DISAGREES
        if claim.vacuous is not None and not beyond:
            standing = Standing.VACUOUS
        return Finding(
            claim=claim,
            measurement=self.measurement(
                f"reach_of_full.{setting.replace(', ', '_')}", ATTENDABLE_CONTEXT, scale, estimate=full
            ),
            standing=standing,
            says=f"{setting}: if a distance became usable after the {needed:,.2g} exposures it has where skewed models "
            f"end ({end:.0f} tokens), full windows would reach {claim.value:.0f} tokens; they reach "
            f"{full.value:.0f} ({full.interval.low:.0f} to {full.interval.high:.0f})"
            + (f", past every distance of a window ({window})." if beyond and full.value > window else "."),
        )

    @staticmethod
    def _verdict(told: dict[tuple[str, str], Estimate]) -> ResourceVerdict:
        setting, best = max(told, key=lambda key: told[key].interval.low or 0.0)
        one = told[setting, best]
        return ResourceVerdict(
            resource=Resource.DATA,
            verdict=Verdict.HELPS if (one.interval.low or 0.0) > 1.1 else Verdict.UNDETERMINED,
            because=f"{setting}: the same number of tokens as '{best}' instead of skewed documents makes the effective "
            f"context {factor(one)} as long.",
            basis="measured",
            claims=("CTX-1",),
        )


def exposed(schedule: Curriculum, plan: Training, lengths: Sequence[int]) -> list[Row]:
    """Count how often a whole training meets distances of 7/8 of each length up to it, from a sample of its windows."""
    shares, sample = np.arange(16) / 16, 16
    layouts = [schedule.draw(generator(i, TRAINING, 1), sample, float(share)) for i, share in enumerate(shares)]
    counts = exposures(layouts, schedule.span) * (plan.steps * plan.batch / (len(shares) * sample))
    return [{"reach": length, "exposures": float(counts[length * 7 // 8 : length].mean())} for length in lengths]


def exposures_at(end: float, rows: Sequence[Row]) -> float:
    """Exposures of a distance, read off straight lines in logs; fewer than one, or none, count as one."""
    return float(np.exp(np.interp(np.log(end), np.log(column(rows, "reach")), _logs(rows))))


def predicted(end: float, baseline: Sequence[Row], other: Sequence[Row]) -> float:
    """Where a schedule's exposures fall to those at which the baseline ends (CTX-1), read off straight lines."""
    lengths, met = np.log(column(other, "reach")), _logs(other) - np.log(exposures_at(end, baseline))
    below = np.flatnonzero(met < 0)
    if not below.size or below[0] == 0:
        return float(np.exp(lengths[0 if below.size else -1]))
    last = int(below[0])
    if column(other, "exposures")[last] == 0:  # The rows end where a window does; nothing lies between.
        return float(np.exp(lengths[last - 1]))
    part = met[last - 1] / (met[last - 1] - met[last])
    return float(np.exp(lengths[last - 1] + part * (lengths[last] - lengths[last - 1])))


def _logs(rows: Sequence[Row]) -> NDArray[np.float64]:
    logs: NDArray[np.float64] = np.log(np.maximum(column(rows, "exposures"), 1.0))
    return logs


def reached(rows: Sequence[Row]) -> dict[tuple[str, str], list[float]]:
    """Reach of each setting and schedule, seed by seed; one line for all schedules of a setting."""
    found = {}
    whole = [row for row in rows if "length" in row and "distance" not in row]
    for setting in values(whole, "setting"):
        own = where(whole, setting=setting)
        shortest = min(column(own, "length"))
        short = curve(where(own, length=int(shortest)), ["schedule"])
        enough = ENOUGH * max(point.estimate.value for point in short)
        for name in values(own, "schedule"):
            found[str(setting), str(name)] = reaches(where(own, schedule=name), enough)
    return found


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


def compared(reach: dict[tuple[str, str], list[float]]) -> dict[tuple[str, str], Estimate]:
    """Ratio of each schedule's reach to that of skewed documents in its setting."""
    return {key: ratio(own, reach[key[0], "skewed"]) for key, own in reach.items() if key[1] != "skewed"}


def ratio(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Geometric mean over seeds of the ratio of two reaches, with Student's interval on its logarithm."""
    logs = mean(np.log(one) - np.log(other))
    low, high = (None if end is None else float(np.exp(end)) for end in (logs.interval.low, logs.interval.high))
    interval = Interval(low=low, high=high, level=logs.interval.level, method="student t on the logarithm")
    return Estimate(value=float(np.exp(logs.value)), interval=interval, n=logs.n)


def factor(estimate: Estimate) -> str:
    """Write a ratio with its interval."""
    return f"{estimate.value:.2f} times ({estimate.interval.low:.2f} to {estimate.interval.high:.2f})"


def gained(rows: Sequence[Row], name: str, run: str) -> tuple[Gain, ...]:
    """Read what a schedule gained from the rows of a run, in each setting where it and the baseline were trained."""
    reach = reached(rows)
    return tuple(
        Gain(ratio=ratio(own, reach[setting, "skewed"]), tokens=mean(own), setting=setting, run=run)
        for (setting, schedule), own in reach.items()
        if schedule == name and (setting, "skewed") in reach
    )


def exported(report: LabReport | None, scale: Scale) -> Curriculum:
    """Make the recommended schedule for use elsewhere.

    Args:
        report: of a run of this experiment; what it measured the schedule to gain goes into it.
        scale: its window is the schedule's.
    """
    extent = "" if scale.extent == "full" else f" --{scale.extent}"
    return msgspec.structs.replace(
        curriculum(RECOMMENDED, window_of(scale)),
        gains=() if report is None else gained(report.rows, RECOMMENDED, report.command),
        command=f"hardlimit lab {Positions.name}{extent} --export FILE",
    )


def window_of(scale: Scale) -> int:
    """Tokens of a training window."""
    return scale.choose(16, 32, 64)
