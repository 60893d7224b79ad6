"""What helps a reader of passages: fewer of them, another order, and against planted texts a vote of isolated ones."""

import numpy as np

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import Mitigation
from hardlimit.audit.mitigating.measuring import FEWEST, RIGHT, Outcome, Trial, adjusted, tried
from hardlimit.audit.retrieval.asking import PASSAGES, POSITIONS, TOKENS_A_PASSAGE
from hardlimit.core import Grade
from hardlimit.mitigations import IsolateThenVote, Reorder, Select
from hardlimit.models import Scores, Studies
from hardlimit.probes.retrieval import Passages
from hardlimit.probes.retrieval.measure import misled

CASES = 40
POSITION_ITEMS = 32
"""Questions at every position behind the profile; where the study of retrieval has asked them, they cost nothing."""

VOTED_CASES = 24
VOTED_PASSAGES = 5
TOLD = 3
"""Of those, passages that state the fact, each in other words: a vote needs more than one witness."""

DOSES = (0, 1, 2)
_SEED = 220


def mitigations(desk: Desk, seed: int) -> tuple[Mitigation, ...]:
    """Fewer passages, a better order, and isolate-then-vote: against planted texts, and what it costs without any."""
    if isinstance(desk.model, Studies):
        return ()  # a toy knows only the prompts that it was shown
    left = len(DOSES) + 1
    found: list[Mitigation] = []
    for dose in DOSES:
        found += _vote(desk.share(1 / left), seed, dose)
        left -= 1
    return adjusted([*_thinned(desk, seed), *found])


def _vote(desk: Desk, seed: int, dose: int) -> list[Mitigation]:
    """Isolate-then-vote with some planted texts in place of noise; the right answer is told by three passages."""
    noise = 1 - TOLD / VOTED_PASSAGES
    probe = Passages(passages=VOTED_PASSAGES, noise=noise, poison=dose, rule="any knowledge")
    setting = f"({dose or 'none'} of {VOTED_PASSAGES} passages planted)"
    right = Outcome(f"right answers {setting}", "higher", RIGHT.counts)
    attacked = Outcome(f"attack answers {setting}", "lower", misled)
    trial = Trial("isolate-then-vote", IsolateThenVote(), (attacked, right) if dose else (right,))
    return tried(desk, probe, probe.cases(seed=seed + _SEED, n=VOTED_CASES), [trial])


def _thinned(desk: Desk, seed: int) -> list[Mitigation]:
    """Fewer passages, and another order, where one passage tells and the others are about the same topic."""
    probe = Passages(passages=PASSAGES, budget=TOKENS_A_PASSAGE * PASSAGES, rule="any knowledge")
    trials = [Trial(f"the best of {PASSAGES} passages by words", Select(k=1, by="words"))]
    if isinstance(desk.model, Scores):
        trials.append(Trial(f"the best of {PASSAGES} passages by the model's likelihood", Select(k=1, by="model")))
    profile = profile_of(desk.share(0.3), seed)
    if profile:
        trials.append(Trial(f"{PASSAGES} passages in their best order", Reorder(profile=profile)))
    return tried(desk, probe, probe.cases(seed=seed + _SEED + 1, n=CASES), trials)


def profile_of(desk: Desk, seed: int) -> tuple[float, ...]:
    """Accuracy by the place of the needed passage, on the questions that the study of retrieval asks.

    The order that follows from it is measured on other questions, so that luck of a place is not kept for its worth.

    Returns:
        One share per place, first to last; none where fewer than ten questions were answered at all places.
    """
    budget = TOKENS_A_PASSAGE * PASSAGES
    probes = [Passages(passages=PASSAGES, position=place, rule="any knowledge", budget=budget) for place in POSITIONS]
    cases = [probe.draw(seed, item) for item in range(POSITION_ITEMS) for probe in probes]
    answered = desk.ask(probes[0], cases, what="the telling passage, first to last")
    if len(answered) < FEWEST * len(POSITIONS):
        return ()
    places: dict[float, list[bool]] = {place: [] for place in POSITIONS}
    for item in answered:
        places[float(item.case.factors["position"])].append(item.grade is Grade.RIGHT)
    return tuple(round(float(np.mean(places[place])), 4) for place in POSITIONS)
