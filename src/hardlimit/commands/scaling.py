"""`hardlimit scaling`: judge results over a family of models."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardlimit.scaling import Question, Reading, Record, Rule


@Parameter(name="*")
@dataclass(frozen=True)
class ReadOptions:
    """How the results are to be read where they do not say so themselves."""

    scale: Annotated[
        tuple[str, ...], Parameter(negative="", help="Size of a model, NAME=PARAMETERS (1.3e9 or 1.3b); repeat it.")
    ] = ()
    size_pattern: Annotated[
        str | None, Parameter(help="Regular expression whose first group is the size in a model's name.")
    ] = None
    family: Annotated[str | None, Parameter(help="Part of the names of the models that belong to the curve.")] = None
    resource: Annotated[
        Literal["parameters", "data", "both"], Parameter(help="What grows; `both` fits sizes and tokens together.")
    ] = "parameters"
    tokens_per_step: Annotated[float | None, Parameter(help="For --resource data: tokens of one training step.")] = None
    independent: Annotated[bool, Parameter(negative="", help="Checkpoints here are separate training runs.")] = False
    step: Annotated[int | None, Parameter(help="Checkpoint to read; the last that all models have by default.")] = None
    average: Annotated[bool, Parameter(negative="", help="Average several results of one setting (seeds).")] = False
    better: Annotated[
        tuple[str, ...], Parameter(negative="", help="Direction of a metric, METRIC=higher or METRIC=lower; repeat it.")
    ] = ()
    percent: Annotated[tuple[str, ...], Parameter(negative="", help="A metric given as percentages; repeat it.")] = ()
    chance: Annotated[tuple[str, ...], Parameter(negative="", help="What guessing scores, TASK=0.25; repeat it.")] = ()
    best: Annotated[
        tuple[str, ...], Parameter(negative="", help="Best possible score, TASK=0.97 (wrong labels); repeat it.")
    ] = ()
    task: Annotated[tuple[str, ...], Parameter(negative="", help="Only tasks whose name holds this; repeat it.")] = ()
    metric: Annotated[tuple[str, ...], Parameter(negative="", help="Only this metric; repeat it.")] = ()


@Parameter(name="*")
@dataclass(frozen=True)
class RuleOptions:
    """What is asked, and how surely it must be answered."""

    kappa: Annotated[float, Parameter(help="The next factor of the resource.")] = 10.0
    margin: Annotated[float, Parameter(help="Smallest relative cut of the loss that is worth it.")] = 0.10
    level: Annotated[float, Parameter(help="One-sided confidence of every comparison.")] = 0.95
    noise: Annotated[
        Literal["auto", "own", "pooled", "sampling"],
        Parameter(help="Where the noise is read: each curve's own residuals, pooled over the table, or counts alone."),
    ] = "auto"
    correct: Annotated[
        Literal["none", "holm", "bh"],
        Parameter(help="Error controlled over the table: any false verdict, or the share of false ones."),
    ] = "bh"
    holdout: Annotated[int, Parameter(help="Check the forecasts on this many largest scales held out.")] = 0
    counts: Annotated[
        bool, Parameter(negative="", help="Also fit accuracies as beta-binomial counts between chance and best.")
    ] = False
    bound: Annotated[
        tuple[str, ...], Parameter(negative="", help="Smallest error that theory allows, TASK=0.05; repeat it.")
    ] = ()


def scaling_command(
    results: Annotated[list[Path], Parameter(negative="", help="Files or folders with results.")],
    *,
    reading: ReadOptions | None = None,
    rule: RuleOptions | None = None,
    all: Annotated[bool, Parameter(negative="", help="List every task, the undetermined ones too.")] = False,
    json: Annotated[bool, Parameter(negative="", help="Print the whole report as JSON.")] = False,
    html: Annotated[Path | None, Parameter(help="Also write a page with a picture per task.")] = None,
) -> int:
    """Judge results over a family of models: does the next factor of scale help?

    Reads lm-evaluation-harness JSON, Inspect logs, folders that `hardlimit audit` left, and CSV, JSON lines or Parquet
    with columns model, task, metric, value (and where known n, stderr, scale, tokens, step, shots, better, subject).
    """
    return _judge(results, reading or ReadOptions(), rule or RuleOptions(), Shown(every=all, json=json, html=html))


@dataclass(frozen=True)
class Shown:
    """How a report is shown."""

    every: bool
    json: bool
    html: Path | None


def _judge(results: list[Path], given: ReadOptions, rule: RuleOptions, shown: Shown) -> int:
    from hardlimit.core import InvalidValueError, StoreError, dumps
    from hardlimit.exchange import read_results
    from hardlimit.scaling import assess, curves_in

    every = read_results(results)
    records = [
        record
        for record in every
        if (not given.task or any(part in record.task for part in given.task))
        and (not given.metric or record.metric in given.metric)
    ]
    if not records:
        raise InvalidValueError(
            f"No result is left by --task and --metric. Tasks: {_some(record.task for record in every)}. Metrics: "
            f"{_some(record.metric for record in every)}."
        )
    if given.resource == "both":
        return _both(records, _reading(given), _question(rule).rule, json=shown.json)
    report = assess(curves_in(records, _reading(given)), _question(rule))
    if shown.html is not None:
        from hardlimit.report import render_scaling_html

        try:
            shown.html.write_text(render_scaling_html(report), encoding="utf-8")
        except OSError as error:
            raise StoreError(f"The page cannot be written to {shown.html}: {error.strerror}.") from error
    if shown.json:
        print(dumps(report))
        return 0
    from rich.console import Console

    from hardlimit.commands.scaling_terminal import print_scaling

    console = Console()
    print_scaling(report, console, every=shown.every)
    if shown.html is not None:
        console.print(f"Page: {shown.html}", soft_wrap=True, highlight=False)
    return 0


def _some(names: "Iterable[str]") -> str:
    """The first few of some names."""
    different = sorted(set(names))
    return ", ".join(different[:8]) + (f" and {len(different) - 8} more" if len(different) > 8 else "")


def _both(records: "list[Record]", reading: "Reading", rule: "Rule", *, json: bool) -> int:
    from rich.console import Console

    from hardlimit.commands.scaling_terminal import print_grids
    from hardlimit.core import dumps
    from hardlimit.scaling import judge_grids

    grids = judge_grids(records, reading, rule)
    if json:
        for grid in grids:
            print(dumps(grid))
        return 0
    print_grids(grids, rule, Console())
    return 0


def _reading(given: ReadOptions) -> "Reading":
    from hardlimit.core import InvalidValueError, Resource
    from hardlimit.scaling import Reading

    better: dict[str, Literal["higher", "lower"]] = {}
    for name, text in _pairs(given.better, "better").items():
        if text == "higher":
            better[name] = "higher"
        elif text == "lower":
            better[name] = "lower"
        else:
            raise InvalidValueError(f"--better needs METRIC=higher or METRIC=lower, got '{name}={text}'.")
    return Reading(
        resource=Resource.DATA if given.resource == "data" else Resource.PARAMETERS,
        scales=scales_in(given.scale),
        pattern=given.size_pattern,
        family=given.family,
        better=better,
        percent=given.percent,
        chance={name: _number(text, "chance") for name, text in _pairs(given.chance, "chance").items()},
        best={name: _number(text, "best") for name, text in _pairs(given.best, "best").items()},
        step=given.step,
        tokens_per_step=given.tokens_per_step,
        independent=given.independent,
        average=given.average,
    )


def scales_in(given: tuple[str, ...]) -> dict[str, float]:
    """Read sizes as people write them.

    >>> scales_in(("small=70m", "large=1.3e9"))
    {'small': 70000000.0, 'large': 1300000000.0}
    """
    from hardlimit.scaling import size_in

    sizes = {}
    for name, text in _pairs(given, "scale").items():
        size = size_in(text)
        sizes[name] = _number(text, "scale") if size is None else size
    return sizes


def _question(given: RuleOptions) -> "Question":
    from hardlimit.scaling import Question, Rule

    return Question(
        rule=Rule(kappa=given.kappa, next_gain=given.margin, gain_so_far=given.margin, level=given.level),
        noise=given.noise,
        correct=given.correct,
        held_out=given.holdout,
        counts=given.counts,
        bounds={name: _number(text, "bound") for name, text in _pairs(given.bound, "bound").items()},
    )


def _pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    """NAME=VALUE texts as a table."""
    from hardlimit.core import InvalidValueError

    pairs = {}
    for text in given:
        name, equals, value = text.rpartition("=")
        if not equals or not name or not value:
            raise InvalidValueError(f"--{option} needs NAME=VALUE, got '{text}'.")
        pairs[name] = value
    return pairs


def _number(text: str, option: str) -> float:
    from hardlimit.core import InvalidValueError

    try:
        return float(text)
    except ValueError:
        raise InvalidValueError(f"--{option} needs a number after =, got '{text}'.") from None
