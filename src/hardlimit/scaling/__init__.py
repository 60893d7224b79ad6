"""Scaling: points, a law, an interval, and a verdict about the next factor of one resource."""

from hardlimit.scaling.curve import Curve, ScalePoint
from hardlimit.scaling.metrics import METRICS, Metric, chance_of
from hardlimit.scaling.table import CurveTable, Reading, Record, count_from, curves_in, family_in, size_in

__all__ = [
    "METRICS",
    "Curve",
    "CurveTable",
    "Metric",
    "Reading",
    "Record",
    "ScalePoint",
    "chance_of",
    "count_from",
    "curves_in",
    "family_in",
    "size_in",
]
