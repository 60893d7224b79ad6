"""Reasoning: how hard a problem a model solves, whether its steps do the solving, and what more samples give."""

from hardlimit.audit.reasoning.study import study

__all__ = ["study"]
