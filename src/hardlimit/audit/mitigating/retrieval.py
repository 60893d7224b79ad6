"""What helps a reader of passages: fewer of them, another order, and against planted texts a vote of isolated ones."""

import numpy as np
from msgspec import structs

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import LimitReport, Mitigation
from hardlimit.audit.mitigating.measuring import FEWEST, Trial, adjusted, tried
from hardlimit.audit.mitigating.voting import voting
from hardlimit.audit.retrieval.asking import PASSAGES, POSITIONS, TOKENS_A_PASSAGE
from hardlimit.core import Grade
from hardlimit.mitigations import Reorder, Select
from hardlimit.models import Scores, Studies
from hardlimit.probes.retrieval import Passages

CASES = 32
"""Questions at most; the last mitigation, which asks most for each, gets all that the others leave of the budget."""

POSITION_ITEMS = 32
"""Questions at every position behind the profile; where the study of retrieval has asked them, they cost nothing."""

VOTING = 0.5
"""Part of the budget for the votes."""

FEWER = 0.7
"""Part of the rest for fewer passages, which promise more than another order and cost less to measure."""

PROFILE = 0.7
"""Part of what is left then for the profile behind the best order."""

_SEED = 220


def mitigated(desk: Desk, seed: int, report: LimitReport) -> LimitReport:
    """Fewer passages, a better order, and isolated votes, with what theory certifies of the votes (RETR-6)."""
    if isinstance(desk.model, Studies):
        return report  # A toy knows only the prompts that it was shown.
    vote = voting(desk.share(VOTING), seed)
    rest = _thinned(desk, seed)
    return structs.replace(
        report, mitigations=adjusted([*rest, *vote.mitigations]), findings=(*report.findings, *vote.findings)
    )


def _thinned(desk: Desk, seed: int) -> list[Mitigation]:
    """Fewer passages, where one tells and the others are about the same topic; then the same passages reordered."""
    probe = Passages(passages=PASSAGES, budget=TOKENS_A_PASSAGE * PASSAGES, rule="any knowledge")
    cases = probe.cases(seed=seed + _SEED + 1, n=CASES)
    trials = [Trial(f"the best of {PASSAGES} passages by words", Select(k=1, by="words"))]
    if isinstance(desk.model, Scores):
        trials.insert(0, Trial(f"the best of {PASSAGES} passages by the model's likelihood", Select(k=1, by="model")))
    found = tried(desk.share(FEWER), probe, cases, trials)
    profile = profile_of(desk.share(PROFILE), seed)
    if profile:
        found += tried(
            desk, probe, cases, [Trial(f"{PASSAGES} passages in their best order", Reorder(profile=profile))]
        )
    return found


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
