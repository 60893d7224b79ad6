"""The shared grader of short free-text answers: folding, cleaning, mentions, phrases, and the decision."""

from hardlimit.probes.grading.folding import fold
from hardlimit.probes.grading.grader import grade_answer, grade_reply

__all__ = ["fold", "grade_answer", "grade_reply"]
