"""What lowers the share of confident errors: a library that may be consulted, and declining where it is not sure."""

import math

import numpy as np

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import Mitigation
from hardlimit.audit.mitigating.measuring import ANSWERED, RIGHT, WRONG, Trial, adjusted, compared, tried
from hardlimit.core import Answered, Generated, Grade
from hardlimit.mitigations import Abstain, BoundedOracle, Library
from hardlimit.mitigations.abstaining import sequence_probability
from hardlimit.probes.hallucination import ShortFacts
from hardlimit.probes.hallucination.facts import statements
from hardlimit.probes.hallucination.world import Family, facts
from hardlimit.stats import conformal_threshold

FAMILY: Family = "capital"
CASES = 120
RISK = 0.10
"""Share of all questions that may be answered wrongly, for the threshold of abstention."""

SURE = 0.9
ALWAYS = 2.0


def mitigations(desk: Desk, seed: int) -> tuple[Mitigation, ...]:
    """Bounded-oracle retrieval against always and never looking up, and abstention at a conformal threshold."""
    probe = ShortFacts(family=FAMILY)
    cases = probe.cases(seed=seed, n=min(CASES, len(facts(FAMILY))))
    library = Library(statements(FAMILY), name=f"{FAMILY} table")
    trials = (
        Trial(
            "bounded-oracle retrieval, at most 1 text",
            BoundedOracle(library, b=1, threshold=SURE),
            (WRONG, ANSWERED, RIGHT),
        ),
        Trial("always looking up 1 text", BoundedOracle(library, b=1, threshold=ALWAYS), (WRONG, RIGHT)),
    )
    found = tried(desk, probe, cases, trials)
    alone = desk.ask(probe, cases, what="without help")
    found += abstention(alone)
    return adjusted(found)


def abstention(alone: list[Answered], *, risk: float = RISK) -> list[Mitigation]:
    """Choose a threshold on every other answer and measure it on the rest; it takes no further question.

    Returns:
        Wrong and right answers on the held-out half; nothing where the model gives no probabilities, or too few.
    """
    sure = [(item, _confidence(item)) for item in alone]
    known = [(item, confidence) for item, confidence in sure if confidence is not None]
    if len(known) < 40:
        return []
    labelled, fresh = known[::2], known[1::2]
    scores = np.array([confidence for _, confidence in labelled])
    threshold = conformal_threshold(scores, [item.grade is Grade.WRONG for item, _ in labelled], risk=risk)
    policy = Abstain(threshold=min(1.0, threshold) if math.isfinite(threshold) else 1.0, signal="sequence probability")
    trial = Trial(f"declining below a confidence that holds {100 * risk:.0f} % wrong", policy)
    held = [item if confidence >= threshold else _declined(item) for item, confidence in fresh]
    before = {item.case.id: item for item, _ in fresh}
    return [compared(trial, outcome, before, held) for outcome in (WRONG, ANSWERED)]


def _confidence(item: Answered) -> float | None:
    return sequence_probability(item.reply) if isinstance(item.reply, Generated) else None


def _declined(item: Answered) -> Answered:
    from msgspec import structs

    return structs.replace(item, grade=Grade.ABSTAINED, answer=None)
