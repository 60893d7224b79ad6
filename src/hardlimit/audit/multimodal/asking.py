"""What the study of seeing asks: pairs of every task, three controls, harder and harder knobs, unusual colours."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hardlimit.audit.desk import Desk
from hardlimit.core import Answered, Case, Control, Estimate, InvalidValueError, See
from hardlimit.models import Scores
from hardlimit.models.looking import Looked, Looks
from hardlimit.probes.measuring import is_right, share
from hardlimit.probes.multimodal import Drawn, UsualColour
from hardlimit.probes.multimodal.familiar import COLOURS, THINGS, prior_requests
from hardlimit.probes.multimodal.flips import prior_of, shares_of_usual
from hardlimit.probes.multimodal.measure import control, pairs
from hardlimit.probes.multimodal.tasks import TASKS, Task

PAIRS_AT_ONCE = 8
ROUNDS = 3
PLACE_PAIRS = 160
"""Further pairs of `spot`, which are spread over 16 places: a blind place is sure only after ten of its pairs."""

CONTROL_PAIRS = 8
FLIP_PAIRS = 12
SAMPLES = 16
LOOKED_PAIRS = 72
"""Pairs of each task that are looked at inside; the first half trains the readouts."""

LADDERS: dict[Task, tuple[float, ...]] = {
    "crossings": (1, 3, 5, 8, 12),
    "circles": (16, 8, 2, 1, 0.5, 0.25),
    "letter": (3, 9, 14, 20),
    "counting": (1, 2, 7, 10, 15, 24, 40),
    "squares": (1, 4, 6, 9, 14),
    "grid": (1, 2, 5, 8, 12, 20),
    "paths": (1, 2, 5, 8, 12),
    "spot": (12, 6, 3, 1.5),
    "hue": (0.5, 0.25, 0.12, 0.06, 0.03),
}
"""Knobs beside the usual one, from easy to hard; the walk ends after two in a row at which few pairs are right."""

_CONTROLLED, _FLIPS, _LOOKED, _PLACES = 0, 301, 302, 303
"""Seeds of the parts lie apart, but the controls ask about the very pairs that were asked with their pictures."""


@dataclass
class Inside:
    """What was looked at inside: for one task, the tokens of every case and the answers to the held-out half."""

    tokens: dict[str, NDArray[np.float32]]
    labels: list[str]
    train: NDArray[np.bool_]
    answered: list[Answered]
    kinds: list[str]
    places: list[tuple[int, int] | None]
    gaps: list[float]
    masses: list[NDArray[np.float32]]
    lengths: list[tuple[int, int]]


@dataclass
class Trials:
    """What was asked and answered."""

    pictured: list[Answered] = field(default_factory=list)
    places: list[Answered] = field(default_factory=list)
    told: list[Answered] = field(default_factory=list)
    blind: list[Answered] = field(default_factory=list)
    wrong: list[Answered] = field(default_factory=list)
    ladders: list[Answered] = field(default_factory=list)
    flips: list[Answered] = field(default_factory=list)
    priors: dict[str, Estimate] = field(default_factory=dict)
    inside: dict[str, Inside] = field(default_factory=dict)
    not_looked: str = ""

    @property
    def controls(self) -> tuple[Control, ...]:
        """The controls, judged."""
        made = (("trivial", self.told), ("impossible", self.blind), ("shortcut", self.wrong))
        return tuple(control(name, answered) for name, answered in made if answered)


def ask(desk: Desk, seed: int) -> Trials:
    """Ask everything, as far as the budget allows, the pairs themselves first."""
    trials = Trials()
    _pictured(desk.share(0.45), trials, seed)
    _controls(desk.share(0.3), trials, seed)
    _flips(desk.share(0.35), trials, seed)
    _ladders(desk.share(0.6), trials, seed)
    places = Drawn(task="spot")
    cases = places.cases(seed=seed + _PLACES, n=2 * PLACE_PAIRS)
    trials.places = desk.share(0.4).ask(places, cases, what="where in the picture it sees")
    if isinstance(desk.model, Looks):
        _look(desk, desk.model, trials, seed)
    else:
        trials.not_looked = "The inside of this model cannot be looked at."
    return trials


def _pictured(desk: Desk, trials: Trials, seed: int) -> None:
    """Ask pairs of every task round by round, so that a short budget has some of each."""
    for turn in range(ROUNDS):
        for task in TASKS:
            if desk.meter.exhausted:
                return
            probe = Drawn(task=task)
            indices = range(turn * PAIRS_AT_ONCE, (turn + 1) * PAIRS_AT_ONCE)
            cases = [case for index in indices for case in probe.pair(seed, index)]
            trials.pictured += desk.ask(probe, cases, what=f"pairs of pictures: {task}")


def _controls(desk: Desk, trials: Trials, seed: int) -> None:
    """Ask about the same pairs with words, with nothing, and with another pair's picture."""
    asked = {str(item.case.factors["task"]) for item in trials.pictured}
    for task in TASKS:
        if task not in asked:
            continue
        for name, into in (("trivial", trials.told), ("impossible", trials.blind), ("shortcut", trials.wrong)):
            if desk.meter.exhausted:
                return
            probe = Drawn(task=task).controls()[name]
            cases = [case for index in range(CONTROL_PAIRS) for case in probe.pair(seed + _CONTROLLED, index)]
            into += desk.ask(probe, cases, what=f"control: {name}")


def _flips(desk: Desk, trials: Trials, seed: int) -> None:
    probe = UsualColour()
    cases = probe.cases(seed=seed + _FLIPS, n=2 * FLIP_PAIRS * len(THINGS))
    trials.flips = desk.ask(probe, cases, what="familiar things in unusual colours")
    if not trials.flips or desk.meter.exhausted:
        return
    trials.priors = _scored(desk) if isinstance(desk.model, Scores) else _sampled(desk, seed)


def _scored(desk: Desk) -> dict[str, Estimate]:
    """How likely the usual colour is without a picture, from the model's own probabilities."""
    priors = {}
    for thing, usual in THINGS.items():
        wordings = prior_requests(thing)
        flat = [request for wording in wordings for request in wording]
        replies = desk.score(flat, what="what it takes to be usual")
        known = [reply.log_likelihood for reply in replies if reply is not None and reply.error is None]
        if len(known) == len(flat):
            table = np.reshape(known, (len(wordings), len(COLOURS)))
            priors[thing] = prior_of(shares_of_usual(table.tolist(), COLOURS.index(usual)))
    return priors


def _sampled(desk: Desk, seed: int) -> dict[str, Estimate]:
    """How often an answer drawn at temperature 1 without a picture is the usual colour."""
    probe = UsualColour(setting="sampled")
    answered = desk.ask(
        probe, probe.cases(seed=seed + _FLIPS, n=SAMPLES * len(THINGS)), what="what it takes to be usual"
    )
    priors = {}
    for thing in THINGS:
        given = [item for item in answered if item.case.factors["thing"] == thing and item.answer in COLOURS]
        if len(given) >= SAMPLES // 2:
            priors[thing] = share(given)
    return priors


def _ladders(desk: Desk, trials: Trials, seed: int) -> None:
    """Walk each task's knob from easy to hard until it is clearly too hard."""
    for task, ladder in LADDERS.items():
        hard = 0
        for knob in ladder:
            if desk.meter.exhausted:
                return
            probe = Drawn(task=task, knob=knob)
            answered = desk.ask(probe, probe.cases(seed=seed, n=2 * PAIRS_AT_ONCE), what=f"how hard: {task}")
            trials.ladders += answered
            hits = sum(is_right(first) and is_right(second) for first, second in pairs(answered))
            hard = hard + 1 if hits <= PAIRS_AT_ONCE // 4 else 0
            if hard == 2:
                break


def _look(desk: Desk, model: Looks, trials: Trials, seed: int) -> None:
    """Look inside while it looks at pairs of each task, and ask it about the half that no readout is trained on."""
    for task in TASKS:
        if desk.meter.exhausted:
            trials.not_looked = "The budget ended before every task was looked at inside."
            return
        probe = Drawn(task=task)
        cases = [case for index in range(LOOKED_PAIRS) for case in probe.pair(seed + _LOOKED, index)]
        held = cases[len(cases) // 2 :]
        answered = desk.ask(probe, held, what=f"pictures looked at inside: {task}")
        if len(answered) < len(held):
            trials.not_looked = "The budget ended before every task was looked at inside."
            return
        requests = [case.ask for case in cases if isinstance(case.ask, See)]
        try:
            looked = list(model.look(requests))
        except InvalidValueError as error:
            trials.not_looked = f"The inside could not be looked at: {error}"
            return
        trials.inside[task] = _gathered(looked, cases, answered)


def _gathered(looked: Sequence[Looked], cases: Sequence[Case], answered: list[Answered]) -> Inside:
    half = len(cases) // 2
    return Inside(
        tokens={
            "encoder": np.stack([each.encoder for each in looked]),
            "projector": np.stack([each.projector for each in looked]),
        },
        labels=[case.gold[0] for case in cases],
        train=np.arange(len(cases)) < half,
        answered=answered,
        kinds=[str(case.factors.get("kinds", "")) for case in cases[::2]],
        places=[
            (int(case.factors["row"]), int(case.factors["column"])) if "row" in case.factors else None
            for case in cases[::2]
        ],
        gaps=[_gap(each) for each in looked],
        masses=[each.mass for each in looked],
        lengths=[(len(each.projector), len(each.words)) for each in looked],
    )


def _gap(looked: Looked) -> float:
    """Distance of the mean picture token from the mean word, in their common standard deviation."""
    apart = looked.projector.mean(axis=0) - looked.words.mean(axis=0)
    spread = looked.projector.var(axis=0).sum() + looked.words.var(axis=0).sum()
    return float(np.linalg.norm(apart) / np.sqrt(max(float(spread), 1e-12)))
