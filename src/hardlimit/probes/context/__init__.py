"""Context: how far a model reads, where in the text it looks, and what its attention does with a needle."""

from hardlimit.probes.context.adaptive import Sequencer
from hardlimit.probes.context.attention import Reading, attend_requests, margin, needle_weight
from hardlimit.probes.context.grid import Grid
from hardlimit.probes.context.measure import (
    Origin,
    accuracy_by_depth,
    accuracy_by_length,
    control,
    effective,
    effective_by_interpolation,
)
from hardlimit.probes.context.needle import Needle

__all__ = [
    "Grid",
    "Needle",
    "Origin",
    "Reading",
    "Sequencer",
    "accuracy_by_depth",
    "accuracy_by_length",
    "attend_requests",
    "control",
    "effective",
    "effective_by_interpolation",
    "margin",
    "needle_weight",
]
