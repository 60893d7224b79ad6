"""A whole table assessed: verdicts, subjects, forecasts, what would decide the rest, and how the forecasts fare."""

from collections import Counter
from typing import Literal

from hardlimit.core import InvalidValueError, Value, Verdict
from hardlimit.scaling.anchored import AnchoredVerdict, anchored
from hardlimit.scaling.counts import CountFit, fit_all_counts
from hardlimit.scaling.curve import Curve
from hardlimit.scaling.forecast import Forecast, forecast
from hardlimit.scaling.holdout import HoldoutReport, holdout
from hardlimit.scaling.plan import Plan, what_would_decide
from hardlimit.scaling.table import CurveTable
from hardlimit.scaling.tasks import NoiseChoice, TaskVerdict, pooled_by_subject, verdicts
from hardlimit.scaling.verdict import Rule
from hardlimit.scaling.words import CAVEAT


class Question(Value, frozen=True):
    """What is asked of a table.

    Args:
        rule: margins, level and the next factor.
        noise: where the noise is read.
        correct: which error of the table is controlled.
        held_out: largest scales to hold out for a check of the forecasts; 0 for none.
        bounds: smallest error that theory allows, by task.
        plans: undetermined tasks for which to look what would decide them.
        counts: whether accuracies are also fitted as counts between chance and the best possible share.
    """

    rule: Rule = Rule()
    noise: NoiseChoice = "auto"
    correct: Literal["none", "holm", "bh"] = "bh"
    held_out: int = 0
    bounds: dict[str, float] = {}
    plans: int = 10
    counts: bool = False


class Assessed(Value, frozen=True):
    """One curve: its verdict, its forecast, and what else was asked about it.

    Args:
        judged: the verdict.
        halfway: forecast at the root of the next factor.
        ahead: forecast at the next factor.
        plan: what would decide it, for some undetermined ones.
        anchored: how it stands to a bound from theory, where one was given.
    """

    judged: TaskVerdict
    halfway: Forecast
    ahead: Forecast
    plan: Plan | None = None
    anchored: AnchoredVerdict | None = None


class ScalingReport(Value, frozen=True):
    """What a table of results over one family says about more of its resource.

    Args:
        family: the models' names with `*` for the size.
        scales: all scales in the table, increasing.
        question: what was asked.
        tasks: every curve, those that decide first.
        subjects: verdicts over all items of a subject together.
        holdout: how forecasts of held-out scales fared, where asked.
        skipped: tasks without a curve, with the reason.
        notes: what was assumed on reading the table.
        counts: logistic curves fitted to counts, where asked and where chance and n are known.
        caveat: what no verdict can say.
    """

    family: str
    scales: tuple[float, ...]
    question: Question
    tasks: tuple[Assessed, ...]
    subjects: tuple[TaskVerdict, ...]
    holdout: HoldoutReport | None
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    counts: tuple[CountFit, ...] = ()
    caveat: str = CAVEAT

    def matrix(self) -> dict[str, dict[str, int]]:
        """Number of curves per subject and corrected verdict."""
        counts: dict[str, Counter[str]] = {}
        for task in self.tasks:
            curve = task.judged.scaling.curve
            counts.setdefault(curve.subject or curve.task, Counter())[str(task.judged.corrected)] += 1
        return {name: dict(counted) for name, counted in sorted(counts.items())}


_FIRST = (Verdict.HELPS, Verdict.SATURATES, Verdict.CANNOT_PROGRESS, Verdict.HURTS, Verdict.UNDETERMINED)


def assess(table: CurveTable, question: Question | None = None) -> ScalingReport:
    """Answer "which of these tasks will the next factor improve?" for a table of one family.

    Args:
        table: curves of one family.
        question: margins, error control and what else is wanted.

    Raises:
        InvalidValueError: a bound for a task that is not in the table, or whose curve is no counted share.
    """
    question = question or Question()
    curves = table.curves
    unknown = sorted(set(question.bounds) - {_bare(curve) for curve in curves})
    if unknown:
        raise InvalidValueError(f"A bound was given for '{unknown[0]}', but no curve is of that task.")
    judged = verdicts(curves, question.rule, noise=question.noise, correct=question.correct)
    halfway = forecast(curves, factor=question.rule.kappa**0.5)
    ahead = forecast(curves, factor=question.rule.kappa)
    open_rows = [row for row, one in enumerate(judged) if one.scaling.verdict is Verdict.UNDETERMINED]
    open_rows.sort(key=lambda row: judged[row].p_value)
    plans = {row: what_would_decide(judged[row].scaling, question.rule) for row in open_rows[: question.plans]}
    tasks = [
        Assessed(
            judged=one,
            halfway=halfway[row],
            ahead=ahead[row],
            plan=plans.get(row),
            anchored=_anchored(curves[row], question),
        )
        for row, one in enumerate(judged)
    ]
    tasks.sort(key=lambda task: (_FIRST.index(task.judged.corrected), _FIRST.index(task.judged.scaling.verdict)))
    together = pooled_by_subject(curves)
    return ScalingReport(
        family=curves[0].family,
        scales=tuple(sorted({float(scale) for curve in curves for scale in curve.scales})),
        question=question,
        tasks=tuple(tasks),
        subjects=verdicts(together, question.rule, noise="own", correct="none") if together else (),
        holdout=holdout(curves, held_out=question.held_out) if question.held_out else None,
        skipped=table.skipped,
        notes=table.notes,
        counts=fit_all_counts(curves, question.rule) if question.counts else (),
    )


def _bare(curve: Curve) -> str:
    return curve.task.split(" (")[0]


def _anchored(curve: Curve, question: Question) -> AnchoredVerdict | None:
    bound = question.bounds.get(_bare(curve))
    if bound is None:
        return None
    last = curve.points[-1]
    if not curve.fraction or last.n is None:
        raise InvalidValueError(
            f"{curve.task}/{curve.metric} is not a counted share, so a bound on its error cannot be set beside it."
        )
    rate = 1.0 - last.value if curve.better == "higher" else last.value
    return anchored(round(rate * last.n), last.n, bound, level=question.rule.level)
