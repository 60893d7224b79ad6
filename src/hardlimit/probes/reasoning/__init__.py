"""Reasoning: families of problems with a knob that has no end, and pattern completion against inference."""

from hardlimit.probes.reasoning.arithmetic import Arithmetic
from hardlimit.probes.reasoning.climbing import Climb
from hardlimit.probes.reasoning.composition import Composition
from hardlimit.probes.reasoning.familiar import Familiar
from hardlimit.probes.reasoning.family import BATCH, Family, Item
from hardlimit.probes.reasoning.hops import Hops
from hardlimit.probes.reasoning.measure import Origin, Searched
from hardlimit.probes.reasoning.threshold import Ladder, Threshold, Trial
from hardlimit.probes.reasoning.tracking import Tracking
from hardlimit.probes.reasoning.zebra import Zebra

__all__ = [
    "BATCH",
    "Arithmetic",
    "Climb",
    "Composition",
    "Familiar",
    "Family",
    "Hops",
    "Item",
    "Ladder",
    "Origin",
    "Searched",
    "Threshold",
    "Tracking",
    "Trial",
    "Zebra",
]
