"""Multimodal: what a model sees in drawn pictures, what it answers without looking, and where the rest is lost."""

from hardlimit.probes.multimodal.drawn import Drawn
from hardlimit.probes.multimodal.familiar import UsualColour

__all__ = ["Drawn", "UsualColour"]
