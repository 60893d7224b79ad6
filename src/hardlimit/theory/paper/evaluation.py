"""The paper on evaluation: what contamination, judges, instability and blindness to cost do to a score."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from hardlimit.core import Bound, Claim, Impossibility, InvalidValueError, Limit, Statement, Status
from hardlimit.core.quantity import ACCURACY, ERROR_RATE
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import number, vector, whole
from hardlimit.theory.entry import Check, Entry, agrees, as_bound, as_impossibility
from hardlimit.theory.sources import derived, paper

PAPER_CONTAMINATION = Statement(
    id="PAPER-CONTAMINATION",
    name="contamination inflates scores",
    limit=Limit.EVALUATION,
    status=Status.EMPIRICAL,
    says="Items that were in the training data raise a benchmark's score above what the model can do on fresh ones.",
    formula="score = c·m + (1 − c)·s        (c contaminated share, m accuracy on it, s on fresh items)",
    hypotheses=("contaminated items are answered right with chance m, fresh ones with chance s",),
    sources=(paper("sec. 7"), derived("total probability")),
    silent_on="It does not say how much of a given benchmark is contaminated; a fresh twin of the items does.",
    falsified_by="A twin of fresh items on which the score is the same.",
    paper="The paper's observation, here with the amount that a share of contamination explains.",
    worked="A fifth of the items memorised: a true 0.50 reads as 0.60.",
)

PAPER_JUDGE_BIAS = Statement(
    id="PAPER-JUDGE-BIAS",
    name="biased judges reward form over substance",
    limit=Limit.EVALUATION,
    status=Status.EMPIRICAL,
    says="Model judges prefer the first, the longer or the more confident answer, so their verdicts measure that too.",
    formula="accuracy of the judge = b/2 + (1 − b)·α        (b decided by position alone, α otherwise)",
    hypotheses=("a share b of the comparisons is decided by position, which is right half of the time",),
    sources=(paper("sec. 7"), derived("total probability")),
    silent_on="It does not say how large b is for a given judge; swapping the answers measures it.",
    falsified_by="A judge whose verdicts do not change when the answers are swapped.",
    paper="The paper's observation, here with what a given bias costs.",
    worked="A judge that is right nine times in ten, but decides 30 % by position: right in 78 %.",
)

PAPER_INSTABILITY = Statement(
    id="PAPER-INSTABILITY",
    name="evaluation noise hides differences",
    limit=Limit.EVALUATION,
    status=Status.EMPIRICAL,
    says="Scores vary with prompts, seeds and items by as much as models differ, so rankings are often luck.",
    formula="P(the better one scores lower) = Φ(−(p₁ − p₂)/√(2s² + (p₁(1−p₁) + p₂(1−p₂))/n))",
    hypotheses=("n independent items per model, and a template effect of standard deviation s drawn for each",),
    sources=(paper("sec. 7"), derived("normal approximation of two noisy scores")),
    silent_on="Paired designs on the same items and templates are much less noisy than this.",
    falsified_by="Repeated evaluations whose rankings flip at another rate, with s and n known.",
    paper="The paper's observation, here with the number of items it takes.",
    worked="70 % against 65 % on 200 items with a template spread of 3 points: the wrong one wins 21 % of the time.",
)

PAPER_EFFICIENCY = Statement(
    id="PAPER-EFFICIENCY",
    name="efficiency as mean quality per cost",
    limit=Limit.EVALUATION,
    status=Status.REFUTED,
    says="Systems are ranked by their mean ratio of quality to cost, E[Q/C].",
    formula="η(M) = E[Q/C]        (what a budget buys is E[Q]/E[C])",
    hypotheses=(),
    sources=(paper("efficiency metric"), derived("two systems")),
    silent_on="Where all items cost the same both orders agree.",
    falsified_by="Refuted by two systems that the two measures rank in opposite order.",
    paper="E[Q/C] rewards a system that is cheap where it succeeds and very expensive where it fails.",
    worked="(1 for 1, 0 for 100) against (1 for 2, 1 for 100): 0.500 > 0.255, but per unit spent 0.0099 < 0.0196.",
)


def contaminated_score(fresh: float = 0.5, contaminated: float = 0.2, memorised: float = 1.0) -> Bound:
    """Give the score that a benchmark shows when a share of its items is contaminated.

    Args:
        fresh: s, accuracy on fresh items, in [0, 1].
        contaminated: c, share of contaminated items, in [0, 1].
        memorised: m, accuracy on contaminated items, in [0, 1].

    Returns:
        An equality for `ACCURACY` as it reads; `parts` has the inflation.

    Source:
        PAPER-CONTAMINATION; total probability.

    >>> round(contaminated_score().value, 4)
    0.6
    """
    s, c = number("fresh", fresh, "[0, 1]"), number("contaminated", contaminated, "[0, 1]")
    m = number("memorised", memorised, "[0, 1]")
    value = c * m + (1 - c) * s
    at = {"fresh": s, "contaminated": c, "memorised": m}
    return exactly(PAPER_CONTAMINATION, ACCURACY, value, at=at, parts={"inflation": value - s})


def noisy_label_error(error: float, flip: float) -> float:
    """Return the error that a benchmark with wrong labels shows, e(1 − η) + η(1 − e) for two answers.

    Args:
        error: e, true error, in [0, 1].
        flip: η, share of wrong labels, in [0, 1].

    Source:
        Total probability; the benchmark's own floor is η.

    >>> round(noisy_label_error(0.01, 0.03), 4)
    0.0394
    """
    e, eta = number("error", error, "[0, 1]"), number("flip", flip, "[0, 1]")
    return e * (1 - eta) + eta * (1 - e)


def judge_accuracy(judge: float = 0.9, by_position: float = 0.3) -> Bound:
    """Give the accuracy of a judge that decides some comparisons by position alone.

    Args:
        judge: α, accuracy where it judges by content, in [0, 1].
        by_position: b, share decided by position, in [0, 1].

    Returns:
        An equality for `ACCURACY`.

    Source:
        PAPER-JUDGE-BIAS; total probability.

    >>> round(judge_accuracy().value, 4)
    0.78
    """
    alpha, b = number("judge", judge, "[0, 1]"), number("by_position", by_position, "[0, 1]")
    return exactly(PAPER_JUDGE_BIAS, ACCURACY, b / 2 + (1 - b) * alpha, at={"judge": alpha, "by_position": b})


def flipped_ranking(better: float = 0.70, worse: float = 0.65, items: int = 200, template_sd: float = 0.03) -> Bound:
    """Give the chance that the better of two models scores lower.

    Args:
        better: p₁, true accuracy, in [0, 1].
        worse: p₂, true accuracy, in [0, p₁].
        items: n, per model, >= 1.
        template_sd: s, standard deviation of the effect of the prompt template, >= 0.

    Returns:
        An equality (normal approximation) for `ERROR_RATE` of the ranking.

    Source:
        PAPER-INSTABILITY.

    >>> round(flipped_ranking().value, 3)
    0.214
    """
    p1 = number("better", better, "[0, 1]")
    p2 = number("worse", worse, f"[0, {p1:g}]")
    n, s = whole("items", items, "[1, ∞)"), number("template_sd", template_sd, "[0, ∞)")
    spread = math.sqrt(2 * s**2 + (p1 * (1 - p1) + p2 * (1 - p2)) / n)
    value = float(ndtr(-(p1 - p2) / spread)) if spread > 0 else 0.5 * (p1 == p2)
    at = {"better": p1, "worse": p2, "items": n, "template_sd": s}
    return exactly(PAPER_INSTABILITY, ERROR_RATE, value, at=at)


def reversed_ranking(
    first: Sequence[tuple[float, float]] = ((1.0, 1.0), (0.0, 100.0)),
    second: Sequence[tuple[float, float]] = ((1.0, 2.0), (1.0, 100.0)),
) -> Impossibility:
    """Show two systems that E[Q/C] and E[Q]/E[C] rank in opposite order.

    Args:
        first: (quality, cost) of the items of one system, costs > 0.
        second: the same for the other system; it must rank lower by E[Q/C] and higher by E[Q]/E[C].

    Source:
        PAPER-EFFICIENCY.

    >>> found = reversed_ranking().witness
    >>> found["first_mean_ratio"], round(found["second_ratio_of_means"], 4)
    (0.5, 0.0196)
    """
    (ratio_1, means_1), (ratio_2, means_2) = _efficiencies(first), _efficiencies(second)
    if not (ratio_1 > ratio_2 and means_1 < means_2):
        raise InvalidValueError("These systems are ranked alike by both measures, so they refute nothing.")
    return Impossibility(
        statement=PAPER_EFFICIENCY,
        at={"items_of_first": len(first), "items_of_second": len(second)},
        witness={
            "first_mean_ratio": ratio_1,
            "second_mean_ratio": ratio_2,
            "first_ratio_of_means": means_1,
            "second_ratio_of_means": means_2,
        },
    )


def _efficiencies(items: Sequence[tuple[float, float]]) -> tuple[float, float]:
    quality = vector("quality", [q for q, _ in items], "[0, ∞)")
    cost = vector("cost", [c for _, c in items], "(0, ∞)")
    return float(np.mean(quality / cost)), float(quality.mean() / cost.mean())


def _take_benchmark(claim: Claim) -> Check:
    """Take a benchmark of 400,000 items, some of them known by heart."""
    at = as_bound(claim).at
    rng = np.random.default_rng(0)
    known = rng.random(400_000) < float(at["contaminated"])
    right = rng.random(known.size) < np.where(known, float(at["memorised"]), float(at["fresh"]))
    return agrees(claim, float(right.mean()), 0.01, "a benchmark of 400,000 items, some known by heart")


def _judge_pairs(claim: Claim) -> Check:
    """Judge 400,000 pairs whose better answer stands first or second by lot."""
    at = as_bound(claim).at
    rng = np.random.default_rng(0)
    by_position = rng.random(400_000) < float(at["by_position"])
    better_first = rng.random(by_position.size) < 0.5
    right = np.where(by_position, better_first, rng.random(by_position.size) < float(at["judge"]))
    return agrees(claim, float(right.mean()), 0.01, "400,000 judged pairs in random order")


def _repeat_evaluations(claim: Claim) -> Check:
    """Evaluate both models 200,000 times, each time with templates and items of its own."""
    at = as_bound(claim).at
    rng, n, s = np.random.default_rng(0), int(at["items"]), float(at["template_sd"])
    scores = [
        rng.binomial(n, np.clip(float(at[name]) + rng.normal(0, s, 200_000), 0, 1)) for name in ("better", "worse")
    ]
    flipped = float(np.mean(scores[0] < scores[1]) + np.mean(scores[0] == scores[1]) / 2)
    return agrees(claim, flipped, 0.03, "200,000 evaluations of both models, ties by lot")


def _spend_budget(claim: Claim) -> Check:
    """Spend one large budget on either system, item after item."""
    witness = as_impossibility(claim).witness
    bought = []
    for items in (((1, 1), (0, 100)), ((1, 2), (1, 100))):
        rounds = 1_000_000 // sum(cost for _, cost in items)
        bought.append(rounds * sum(quality for quality, _ in items) / 1_000_000)
    ratios = [(1 / 1 + 0 / 100) / 2, (1 / 2 + 1 / 100) / 2]
    said = [float(witness[f"{name}_mean_ratio"]) for name in ("first", "second")]
    means = [float(witness[f"{name}_ratio_of_means"]) for name in ("first", "second")]
    same = all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(said + means, ratios + bought, strict=True))
    holds = same and bought[0] < bought[1] and ratios[0] > ratios[1]
    return Check(holds=holds, says="a million units spent on either system", seen={"first": bought[0]})


ENTRIES = (
    Entry(statement=PAPER_CONTAMINATION, example=contaminated_score, confront=_take_benchmark),
    Entry(statement=PAPER_JUDGE_BIAS, example=judge_accuracy, confront=_judge_pairs),
    Entry(statement=PAPER_INSTABILITY, example=flipped_ranking, confront=_repeat_evaluations),
    Entry(statement=PAPER_EFFICIENCY, example=reversed_ranking, confront=_spend_budget),
)
