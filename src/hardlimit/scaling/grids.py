"""Tables of runs that differ in model size and in training data, and a verdict about each of the two."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from hardlimit.core import InsufficientDataError, InvalidValueError, Value
from hardlimit.scaling.metrics import Metric
from hardlimit.scaling.noise import half_an_item
from hardlimit.scaling.records import Reading, Record
from hardlimit.scaling.table import metric_of, point_of, scale_of, share_factor
from hardlimit.scaling.two import Run, TwoResources, two_resources
from hardlimit.scaling.verdict import Rule


class JudgedGrid(Value, frozen=True):
    """One metric of one task over runs of several sizes and amounts of data.

    Args:
        task: the task.
        metric: its metric.
        runs: how many runs.
        judged: the joint fit and the two verdicts.
    """

    task: str
    metric: str
    runs: int
    judged: TwoResources


def judge_grids(
    records: Iterable[Record], reading: Reading | None = None, rule: Rule | None = None, *, seed: int = 0
) -> tuple[JudgedGrid, ...]:
    """Judge every task and metric of a table whose results state both resources.

    Args:
        records: results with a size and with tokens (or a step, with `tokens_per_step`).
        reading: how to read what the table does not say; pass `independent` for steps of one run only where each is a
            run of its own.
        rule: margins, level and the next factor.
        seed: of the starts and the bootstrap.

    Raises:
        InsufficientDataError: no result states its tokens, or too few runs.
        InvalidValueError: checkpoints of one run among the results, or two results of one run.
    """
    reading, rows = reading or Reading(), list(records)
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for row in rows:
        groups[row.task, row.metric].append(row)
    if not groups:
        raise InsufficientDataError("The results hold no number at all; give at least one file with results.")
    made = []
    for (task, metric), members in sorted(groups.items()):
        how = metric_of(metric, members, reading)
        factor = share_factor(task, metric, members, reading, how)
        runs = _runs(f"{task}/{metric}", members, reading, how, factor)
        judged = two_resources(runs, rule, rng=np.random.default_rng(seed))
        made.append(JudgedGrid(task=task, metric=metric, runs=len(runs), judged=judged))
    return tuple(made)


def _runs(name: str, members: list[Record], reading: Reading, how: Metric, factor: float) -> list[Run]:
    found: dict[tuple[float, float], list[Record]] = defaultdict(list)
    for row in members:
        found[scale_of(row, reading), _tokens(row, reading)].append(row)
    runs = []
    for (size, tokens), rows in sorted(found.items()):
        if len(rows) > 1 and not reading.average:
            raise InvalidValueError(
                f"{name} has {len(rows)} results of one run ({size:g} parameters, {tokens:g} tokens: "
                f"{', '.join(row.source or row.model for row in rows)}). Remove the extra ones, or pass --average if "
                "they are seeds of one setting."
            )
        point = point_of(size, rows, how, factor)
        loss = how.best - point.value if how.better == "higher" else point.value - how.best
        if how.binary and point.n is not None:
            loss = half_an_item(loss, point.n)
        if not loss > 0:
            raise InvalidValueError(
                f"{name} reaches or passes its best possible value {how.best:g} at {size:g} parameters and {tokens:g} "
                "tokens; give n, or leave that run out."
            )
        runs.append(Run(parameters=size, data=tokens, loss=loss))
    return runs


def _tokens(row: Record, reading: Reading) -> float:
    if row.tokens is not None:
        return row.tokens
    if row.step is None or reading.tokens_per_step is None:
        raise InsufficientDataError(
            f"How much data '{row.model}' was trained on is not known ({row.source or 'no source'}). Give a column "
            "`tokens`, or steps with --tokens-per-step."
        )
    if not reading.independent:
        raise InvalidValueError(
            "Tokens told by steps look like checkpoints of one run, which are not independent points. Give finished "
            "runs in a column `tokens`; or pass --independent if these are separate runs."
        )
    return row.step * reading.tokens_per_step
