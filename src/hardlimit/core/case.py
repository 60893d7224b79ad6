"""A case: one question, what counts as right, and where it stands in the design."""

from hardlimit.core.asking import Generate, Generated, Score, Scored, See
from hardlimit.core.claim import Scalar
from hardlimit.core.measurement import Grade
from hardlimit.core.values import Value


class Case(Value, frozen=True):
    """One question that a probe asks.

    Args:
        id: unique within its probe, and the same for the same probe, seed and index.
        ask: the request that is sent.
        gold: the accepted answers (any of them counts); empty where the right thing is to abstain.
        lures: known wrong answers that a grader may name (distractors, familiar answers).
        factors: where the case stands in the design, such as `{"length": 1024, "depth": 0.5}`.
        cluster: the natural unit that shares material with it (a haystack, a template).
    """

    id: str
    ask: Generate | Score | See
    gold: tuple[str, ...]
    lures: tuple[str, ...] = ()
    factors: dict[str, Scalar] = {}
    cluster: str = ""


class Answered(Value, frozen=True):
    """A case with its reply and its grade: the unit that is stored.

    Args:
        case: what was asked.
        reply: what came back.
        grade: what it turned out to be.
        answer: what the grader took as the answer, or None.
    """

    case: Case
    reply: Generated | Scored
    grade: Grade
    answer: str | None = None
