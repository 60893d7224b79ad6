"""Retrieval: does it pay for this model, how many passages, from which retriever, and who could poison it."""

from hardlimit.audit.retrieval.study import study

__all__ = ["study"]
