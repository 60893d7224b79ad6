"""Scaling: points, a law, an interval, and a verdict about the next factor of one resource."""

from hardlimit.scaling.anchored import (
    AnchoredVerdict,
    anchored,
    anchored_curve,
    false_violation_rate,
    items_to_refute,
)
from hardlimit.scaling.assessment import Assessed, Question, ScalingReport, assess
from hardlimit.scaling.bootstrap import bootstrap_gains
from hardlimit.scaling.counts import CountFit, fit_counts
from hardlimit.scaling.curve import Curve, ScalePoint
from hardlimit.scaling.fitting import Fit, bootstrap_law, fit_law
from hardlimit.scaling.forecast import Forecast, Prior, forecast
from hardlimit.scaling.grids import JudgedGrid, judge_grids
from hardlimit.scaling.holdout import HoldoutReport, ScoredForecast, holdout
from hardlimit.scaling.laws import LAWS, Law, logistic_law
from hardlimit.scaling.metrics import METRICS, Metric, chance_of
from hardlimit.scaling.plan import Plan, Step, what_would_decide
from hardlimit.scaling.records import Reading, Record
from hardlimit.scaling.scenarios import SCENARIOS, Cell, Scenario, floor_standard_error, operate, planted
from hardlimit.scaling.table import CurveTable, count_from, curves_in, family_in, size_in
from hardlimit.scaling.tasks import TaskVerdict, pooled_by_subject, verdict, verdicts
from hardlimit.scaling.two import ResourceGain, Run, TwoResources, two_resources
from hardlimit.scaling.verdict import Rule, ScalingVerdict
from hardlimit.scaling.words import CAVEAT

__all__ = [
    "CAVEAT",
    "LAWS",
    "METRICS",
    "SCENARIOS",
    "AnchoredVerdict",
    "Assessed",
    "Cell",
    "CountFit",
    "Curve",
    "CurveTable",
    "Fit",
    "Forecast",
    "HoldoutReport",
    "JudgedGrid",
    "Law",
    "Metric",
    "Plan",
    "Prior",
    "Question",
    "Reading",
    "Record",
    "ResourceGain",
    "Rule",
    "Run",
    "ScalePoint",
    "ScalingReport",
    "ScalingVerdict",
    "Scenario",
    "ScoredForecast",
    "Step",
    "TaskVerdict",
    "TwoResources",
    "anchored",
    "anchored_curve",
    "assess",
    "bootstrap_gains",
    "bootstrap_law",
    "chance_of",
    "count_from",
    "curves_in",
    "false_violation_rate",
    "family_in",
    "fit_counts",
    "fit_law",
    "floor_standard_error",
    "forecast",
    "holdout",
    "items_to_refute",
    "judge_grids",
    "logistic_law",
    "operate",
    "planted",
    "pooled_by_subject",
    "size_in",
    "two_resources",
    "verdict",
    "verdicts",
    "what_would_decide",
]
