"""Hallucination: short facts by popularity, things that do not exist, and how sure the model is of its answers."""

from hardlimit.probes.hallucination.facts import ShortFacts
from hardlimit.probes.hallucination.judging import Judgement
from hardlimit.probes.hallucination.nonexistent import NonExistent

__all__ = ["Judgement", "NonExistent", "ShortFacts"]
