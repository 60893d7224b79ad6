"""Hallucination: short facts by popularity, things that do not exist, and confidence."""

from hardlimit.audit.hallucination.study import study

__all__ = ["study"]
