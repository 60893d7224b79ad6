"""Quantities of more than one limit."""

from hardlimit.core.quantity.kind import Quantity, probability

ACCURACY = probability(
    "accuracy", "accuracy", "Share of all cases answered right; artefacts stay in the denominator.", "higher"
)
ERROR_RATE = probability("error_rate", "error rate", "Share of all cases not answered right.", "lower")
RISK = probability("risk", "risk", "Share of the answered cases that are wrong.", "lower")
CALIBRATION_ERROR = probability(
    "calibration_error",
    "calibration error",
    "Mean gap between stated confidence and accuracy (ECE).",
    "lower",
)
CHOW_SCORE = Quantity(
    id="chow_score",
    name="score at confidence threshold t",
    unit="score",
    definition="right − t/(1−t)·wrong as a share of all cases; abstaining scores 0.",
    high=1.0,
    better="higher",
)
WRONG_RATE = probability(
    "wrong_rate", "wrong answers", "Share of all cases answered wrongly; abstaining is not wrong.", "lower"
)
LOCAL_EXPONENT = Quantity(
    id="local_exponent",
    name="local exponent",
    unit="exponent",
    definition="Slope −d ln L/d ln N of a loss at one scale.",
    better="higher",
)
ACCURACY_SHIFT = probability(
    "accuracy_shift", "shift of accuracy", "Difference of accuracy between two distributions.", "lower"
)
