"""One published result, and how a table of them is to be read."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Literal

from hardlimit.core import InvalidValueError, Resource, Value


class Record(Value, frozen=True):
    """One result as it was published.

    Args:
        model: name of the model.
        task: name of the task.
        metric: name of the metric.
        value: as published.
        n: items behind it, where known.
        stderr: standard error in the metric's unit, where known.
        scale: amount of the resource, where the source states it.
        step: training step of the checkpoint, where there are several.
        tokens: training data of a finished run, where the source states it.
        shots: examples in the prompt, where known.
        better: direction, where the source states it.
        subject: group of the task, where the source states it.
        best: best possible value, where the source states it.
        counted: with `best`: whether the value is a share of n items, each right or wrong.
        apart: whether its items are also those of other tasks, so that they must not be added up.
        source: file and line.
    """

    model: str
    task: str
    metric: str
    value: float
    n: int | None = None
    stderr: float | None = None
    scale: float | None = None
    step: int | None = None
    tokens: float | None = None
    shots: int | None = None
    better: Literal["higher", "lower"] | None = None
    subject: str | None = None
    best: float | None = None
    counted: bool = False
    apart: bool = False
    source: str = ""


class Reading(Value, frozen=True):
    r"""How a table is to be read where it does not say so itself.

    Args:
        resource: what grows; for training data the scale is `step` times `tokens_per_step`.
        scales: amount of the resource by model name.
        pattern: regular expression whose first group in a model's name is its size, such as `-(\d+)M-`.
        family: part of the names of the models that belong to the curve, where there are several families.
        better: direction by metric, for metrics that are not known.
        percent: metrics given as percentages.
        chance: what guessing scores, by task.
        best: best possible value by task, where labels are known to be wrong.
        step: the checkpoint to read, or None for the last that all models have.
        tokens_per_step: for training data as the resource.
        independent: points of one training run are taken as separate runs.
        average: several results of one model and metric (seeds) are averaged.
    """

    resource: Resource = Resource.PARAMETERS
    scales: dict[str, float] = {}
    pattern: str | None = None
    family: str | None = None
    better: dict[str, Literal["higher", "lower"]] = {}
    percent: tuple[str, ...] = ()
    chance: dict[str, float] = {}
    best: dict[str, float] = {}
    step: int | None = None
    tokens_per_step: float | None = None
    independent: bool = False
    average: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for task, chance in self.chance.items():
            if not 0 <= chance < 1:
                raise InvalidValueError(f"What guessing scores must lie in [0, 1), got {chance:g} for '{task}'.")
        if self.tokens_per_step is not None and self.tokens_per_step <= 0:
            raise InvalidValueError(f"The tokens of a step must be > 0, got {self.tokens_per_step:g}.")
        for name, scale in self.scales.items():
            if scale <= 0:
                raise InvalidValueError(f"A scale must be > 0, got {scale:g} for '{name}'.")
        if self.pattern is not None:
            try:
                groups = re.compile(self.pattern).groups
            except re.error as error:
                raise InvalidValueError(
                    f"The size pattern '{self.pattern}' is no regular expression: {error}."
                ) from error
            if groups < 1:
                raise InvalidValueError(
                    f"The size pattern '{self.pattern}' has no group; put the size into parentheses, as in '-(\\d+)M-'."
                )

    def check(self, records: Sequence[Record]) -> None:
        """Refuse names that no record has, which are mostly slips of the pen.

        Raises:
            InvalidValueError: a size for a model, or a chance level or best value for a task, that is not there.
        """
        models, tasks = {row.model for row in records}, {row.task for row in records}
        for what, given, there in (
            ("A size", self.scales, models),
            ("A chance level", self.chance, tasks),
            ("A best value", self.best, tasks),
        ):
            unknown = [name for name in given if name not in there]
            if unknown:
                near = get_close_matches(unknown[0], there, 1)
                hint = (
                    f"Did you mean '{near[0]}'?"
                    if near
                    else f"There are {', '.join(sorted(there)[:5])}" + (" and others." if len(there) > 5 else ".")
                )
                raise InvalidValueError(f"{what} was given for '{unknown[0]}', which these results do not have. {hint}")
