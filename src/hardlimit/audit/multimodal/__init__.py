"""Multimodal: what a model sees of a picture, and at which stage the rest is lost."""

from hardlimit.audit.multimodal.study import study

__all__ = ["study"]
