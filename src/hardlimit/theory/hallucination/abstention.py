"""HALL-10: when to answer and when to say "I don't know" (Chow's rule)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Source, Statement, Status, Value, Verdict
from hardlimit.core.quantity import CHOW_SCORE
from hardlimit.theory.bounding import at_least, at_most
from hardlimit.theory.domain import Floats, Numbers, number, plain, vector, within
from hardlimit.theory.sources import KALAI_2025, paper

HALL_10 = Statement(
    id="HALL-10",
    name="grading rule and abstention (Chow's rule)",
    limit=Limit.HALLUCINATION,
    status=Status.PROVED,
    says=(
        "If a wrong answer costs t/(1−t) points, a right one earns 1 and abstaining 0, answering pays exactly when "
        "the answer is right with probability at least t. Grading that gives nothing for abstaining and takes "
        "nothing for errors (t = 0) therefore rewards guessing, however small the confidence."
    ),
    formula=(
        "score = right − t/(1−t) · wrong\n"
        "E[score | answer with confidence p] = (p − t)/(1 − t) ≥ 0  ⟺  p ≥ t\n"
        "calibrated confidences with law F: answered 1 − F(t), wrong ∫ₜ¹(1−p)dF, right ∫ₜ¹ p dF"
    ),
    hypotheses=("confidences are calibrated: among answers given with confidence p, a share p is right",),
    sources=(
        Source(title="Chow, On optimum recognition error and reject tradeoff (1970)"),
        Source(title=KALAI_2025.title, locator="sec. 4, Observation 1", url=KALAI_2025.url),
        paper("sec. 2.3"),
    ),
    silent_on=(
        "It needs calibrated confidence: with overconfidence the threshold must be set again on held-out answers. It "
        "says nothing about how many answers a model could give at a threshold, which is its confidence's quality."
    ),
    falsified_by="Calibrated confidences for which another rule than p ≥ t has a higher expected score.",
    paper="The paper's rule is the same. For t = 0.75 the penalty is 3 points.",
    effects=(
        Effect(resource=Resource.ABSTENTION, verdict=Verdict.HELPS, when="errors cost something; it needs no scaling"),
    ),
    worked=(
        "Confidences Beta(2, 2) at t = 0.75: answering always scores −1; answering above 0.75 answers 15.6 % and "
        "scores +0.055."
    ),
    probe="hallucination.short_facts",
)


class OperatingPoint(Value, frozen=True):
    """What an answer policy does, as shares of all questions.

    Args:
        answered: share answered.
        right: share answered rightly.
        wrong: share answered wrongly.
        score: right − t/(1 − t)·wrong.
    """

    answered: float
    right: float
    wrong: float
    score: float


def penalty(threshold: ArrayLike) -> Numbers:
    """Return the cost of a wrong answer that makes confidence t break even, t/(1 − t).

    Args:
        threshold: t, in [0, 1); at 1 the penalty would be infinite.

    Source:
        HALL-10.

    >>> penalty(0.75)
    3.0
    """
    t = within("threshold", threshold, "[0, 1)")
    return plain(t / (1 - t))


def chow_score(right: ArrayLike, wrong: ArrayLike, threshold: ArrayLike) -> Numbers:
    """Return right − t/(1 − t)·wrong.

    Args:
        right: share of all questions answered rightly, in [0, 1].
        wrong: share answered wrongly, in [0, 1].
        threshold: t, in [0, 1).

    >>> chow_score(0.5, 0.5, 0.75)
    -1.0
    """
    r, w = within("right", right, "[0, 1]"), within("wrong", wrong, "[0, 1]")
    return plain(r - np.asarray(penalty(threshold)) * w)


def best_threshold(cost_wrong: ArrayLike, value_right: ArrayLike = 1.0) -> Numbers:
    """Return the confidence above which answering pays, c/(c + v).

    Args:
        cost_wrong: c, cost of a wrong answer, >= 0.
        value_right: v, value of a right answer, > 0; abstaining is worth 0.

    Source:
        Chow (1970).

    >>> best_threshold(3.0)
    0.75
    """
    c, v = within("cost_wrong", cost_wrong, "[0, ∞)"), within("value_right", value_right, "(0, ∞)")
    return plain(c / (c + v))


def operating_point(confidences: ArrayLike, threshold: float, *, cut: float | None = None) -> OperatingPoint:
    """Return what answering above a cut is expected to give, if confidences are calibrated.

    Args:
        confidences: p, one per question, each in [0, 1].
        threshold: t of the score, in [0, 1).
        cut: answer when p >= cut; the threshold itself when None.

    Source:
        HALL-10.

    >>> operating_point([0.9, 0.6], 0.75)
    OperatingPoint(answered=0.5, right=0.45, wrong=0.04999999999999999, score=0.30000000000000004)
    """
    p, t = vector("confidences", confidences, "[0, 1]"), number("threshold", threshold, "[0, 1)")
    answers = p >= (t if cut is None else number("cut", cut, "[0, 1]"))
    right, wrong = float(np.mean(p * answers)), float(np.mean((1 - p) * answers))
    return OperatingPoint(
        answered=float(np.mean(answers)), right=right, wrong=wrong, score=float(chow_score(right, wrong, t))
    )


def beta_operating_point(a: float, b: float, threshold: float) -> OperatingPoint:
    """Return the operating point at t for calibrated confidences with a Beta(a, b) law.

    Args:
        a: first shape, > 0.
        b: second shape, > 0.
        threshold: t, in [0, 1).

    Source:
        HALL-10.

    >>> beta_operating_point(2, 2, 0.5).wrong
    0.15625
    """
    a, b = number("a", a, "(0, ∞)"), number("b", b, "(0, ∞)")
    t = number("threshold", threshold, "[0, 1)")
    mean = a / (a + b)
    right = mean * float(betainc(b, a + 1, 1 - t))
    wrong = (1 - mean) * float(betainc(b + 1, a, 1 - t))
    return OperatingPoint(
        answered=float(betainc(b, a, 1 - t)), right=right, wrong=wrong, score=float(chow_score(right, wrong, t))
    )


def score_ceiling(confidences: ArrayLike, threshold: float) -> Bound:
    """Bound from above the score that any answer policy can get from these confidences.

    Args:
        confidences: p, calibrated, one per question, each in [0, 1].
        threshold: t of the score, in [0, 1).

    Returns:
        An upper bound on `CHOW_SCORE`, attained by answering when p >= t; `parts` has that policy's operating point.

    Source:
        HALL-10; Chow (1970).

    >>> round(score_ceiling([0.9, 0.6, 0.2], 0.75).value, 4)
    0.2
    """
    point = operating_point(confidences, threshold)
    at = {"threshold": float(threshold), "questions": int(np.size(np.asarray(confidences)))}
    parts = {"answered": point.answered, "right": point.right, "wrong": point.wrong}
    # Each answer is worth (p − t)/(1 − t); summed so, nothing cancels and rounding stays relative.
    worth = np.maximum(np.asarray(confidences, dtype=np.float64) - threshold, 0.0)
    return at_most(HALL_10, CHOW_SCORE, float(worth.mean()) / (1 - threshold), at=at, parts=parts)


def abstention_floor(threshold: float) -> Bound:
    """Bound from below the score of a calibrated model that abstains below t: it never falls under 0.

    Args:
        threshold: t, in [0, 1).

    Returns:
        A lower bound on `CHOW_SCORE` for the policy "abstain below t".

    Source:
        HALL-10.

    >>> abstention_floor(0.75).value
    0.0
    """
    t = number("threshold", threshold, "[0, 1)")
    return at_least(
        HALL_10, CHOW_SCORE, 0.0, at={"threshold": t, "policy": "abstain below t"}, parts={"penalty": float(penalty(t))}
    )


def best_score_by_threshold(confidences: ArrayLike, thresholds: Sequence[float]) -> Shape:
    """Tell the best expected score at each t for calibrated confidences, E[(p − t)⁺]/(1 − t).

    Args:
        confidences: p, calibrated, one per question, each in [0, 1].
        thresholds: t, increasing, each in [0, 1).

    Returns:
        A shape of `CHOW_SCORE` along `t` for the policy "abstain below t".

    Source:
        HALL-10.

    >>> best_score_by_threshold([0.9, 0.6], [0.0, 0.5]).points
    ((0.0, 0.75), (0.5, 0.5))
    """
    p, t = vector("confidences", confidences, "[0, 1]"), vector("thresholds", thresholds, "[0, 1)")
    best = np.array([np.mean(np.maximum(p - x, 0.0)) for x in t]) / (1 - t)
    return _scores(t, best, {"policy": "abstain below t", "questions": int(p.size)})


def always_answering_by_threshold(accuracy: float, thresholds: Sequence[float]) -> Shape:
    """Tell the score at each t of answering every question, (accuracy − t)/(1 − t).

    Args:
        accuracy: share of all questions answered rightly, in [0, 1].
        thresholds: t, increasing, each in [0, 1).

    Returns:
        A shape of `CHOW_SCORE` along `t`; it crosses 0 at t = accuracy.

    Source:
        HALL-10.

    >>> always_answering_by_threshold(0.5, [0.0, 0.5, 0.75]).points
    ((0.0, 0.5), (0.5, 0.0), (0.75, -1.0))
    """
    share, t = number("accuracy", accuracy, "[0, 1]"), vector("thresholds", thresholds, "[0, 1)")
    return _scores(t, (share - t) / (1 - t), {"policy": "always answer", "accuracy": share})


def _scores(t: Floats, scores: Floats, parameters: dict[str, bool | int | float | str]) -> Shape:
    return Shape(
        statement=HALL_10,
        quantity=CHOW_SCORE,
        along="t",
        points=tuple(zip(t.tolist(), scores.tolist(), strict=True)),
        parameters=parameters,
    )
