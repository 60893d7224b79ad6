"""The paper on context compression, where it does not hold as said."""

import math

import numpy as np
from scipy.special import softmax

from hardlimit.core import Bound, Claim, Impossibility, Limit, Source, Statement, Status
from hardlimit.core.quantity import INFLUENCE
from hardlimit.theory.bounding import at_most
from hardlimit.theory.context.encoding import linear_selfsim, paper_attenuation, rope_selfsim
from hardlimit.theory.context.exposure import movement_bound
from hardlimit.theory.context.needle import max_weight
from hardlimit.theory.domain import number, whole
from hardlimit.theory.entry import Check, Entry, as_bound, as_impossibility, attacked
from hardlimit.theory.sources import derived, paper

PAPER_UNDERTRAINED_POSITIONS = Statement(
    id="PAPER-UNDERTRAINED-POSITIONS",
    name="rare positions stay near their initial state",
    limit=Limit.CONTEXT,
    status=Status.ASSUMPTION,
    says=(
        "Positions that training rarely meets keep parameters near their initial values, so attention there is "
        "untrained."
    ),
    formula="|E[a(θ_T) − a(θ₀)]| ≤ L_a·η·T·C·p(j)        (an upper bound on movement)",
    hypotheses=("each position has parameters of its own", "learning rate × steps × frequency is small"),
    sources=(paper("Lemma 2, 3"),),
    silent_on=(
        "With rotary or sinusoidal codes all positions share weights, and nothing stays untrained. The bound is on "
        "how far parameters can move at most, and empty where a position was met often in absolute terms."
    ),
    falsified_by="A rotary model whose rare distances fail although their share of frequent weights is trained.",
    paper=(
        "True as an upper bound, an assumption as a description of rotary models. CTX-1 keeps the exposure as "
        "covariate."
    ),
    worked="η = 3·10⁻⁴, 10⁶ steps, frequency 10⁻³: movement at most 0.30, though the distance got 1,000 updates.",
)

PAPER_ATTENUATION_GEOMETRIC = Statement(
    id="PAPER-ATTENUATION-GEOMETRIC",
    name="rotary similarity falls like 2/(ΩΔ)",
    limit=Limit.CONTEXT,
    status=Status.REFUTED,
    says="The average of cosines over the position frequencies falls at least as fast as 2/(Ω·distance).",
    formula="|g(Δ)| ≤ 2/(ΩΔ)        (geometric frequencies: g ≈ 1 − (ln Δ + γ)/ln B)",
    hypotheses=(),
    sources=(paper("attenuation lemma"), derived("the sum itself")),
    silent_on="For frequencies spread evenly it holds at small distances (but see PAPER-ATTENUATION-LIMIT).",
    falsified_by="Refuted by the frequencies that models use.",
    paper="The frequencies in use are geometric, and their average falls logarithmically. CTX-2 has the law.",
    worked="64 frequencies, base 10⁴, distance 100: 0.477 against 0.020, 24 times as much.",
)

PAPER_ATTENUATION_LIMIT = Statement(
    id="PAPER-ATTENUATION-LIMIT",
    name="similarity tends to zero with distance",
    limit=Limit.CONTEXT,
    status=Status.REFUTED,
    says="With a fixed number of frequencies the average of cosines tends to zero as the distance grows.",
    formula="g(Δ) → 0        (finitely many frequencies: |g| comes back to 1 again and again)",
    hypotheses=(),
    sources=(paper("attenuation lemma"), derived("almost periodic functions")),
    silent_on="Before the first return it does decay.",
    falsified_by="Refuted by a distance at which the average is back at one.",
    paper="A finite sum of cosines is almost periodic: it has no limit. CTX-2 says where the bound holds.",
    worked="64 evenly spaced frequencies: |g| = 0.999998 at a distance between 1,000 and 60,000.",
)

PAPER_MARGIN = Statement(
    id="PAPER-MARGIN",
    name="training cannot supply the margin",
    limit=Limit.CONTEXT,
    status=Status.REFUTED,
    says="Since the margin that a needle needs grows like ln N, no trained model can keep attending to it.",
    formula="margin ≥ ln N is unattainable        (logits × β·ln n give it when the gap c has β·c ≥ 1)",
    hypotheses=(),
    sources=(
        paper("Cor. 1"),
        Source(title="Veličković et al. (2024), adaptive temperature", url="arXiv:2410.01104"),
        derived("one line"),
    ),
    silent_on="For picking the largest of continuous keys no scaling rescues: there the gap itself shrinks like 1/N.",
    falsified_by="Refuted by logits that grow with the logarithm of the length.",
    paper="Θ(ln N) is right; that it cannot be supplied is not. CTX-3 says at what spread the limit binds.",
    worked="A gap of ln 16: weight 0.001 at 16,384 keys; with logits × 1.2·ln n / ln 16 it is 0.874.",
)


def untrained_movement(learning_rate: float = 3e-4, steps: float = 1e6, frequency: float = 1e-3) -> Bound:
    """Bound how far a rare position's attention can have moved, with unit slopes and gradients.

    Args:
        learning_rate: η, > 0.
        steps: T, >= 1.
        frequency: p, in [0, 1].

    Returns:
        An upper bound on `INFLUENCE`; `vacuous` where the position got many updates all the same.

    Source:
        The paper's Lemmas 2 and 3.

    >>> round(untrained_movement().value, 2), untrained_movement().parts["updates"]
    (0.3, 1000.0)
    """
    updates = number("steps", steps, "[1, ∞)") * number("frequency", frequency, "[0, 1]")
    reason = "the distance was trained, with many updates, whatever its share" if updates >= 100 else None
    return at_most(
        PAPER_UNDERTRAINED_POSITIONS,
        INFLUENCE,
        float(movement_bound(learning_rate, steps, frequency)),
        at={"learning_rate": learning_rate, "steps": steps, "frequency": frequency},
        vacuous=reason,
        parts={"updates": updates},
    )


def slow_attenuation(distance: int = 100, terms: int = 64, base: float = 1e4) -> Impossibility:
    """Show how much larger the average of cosines is than the paper's bound, for geometric frequencies.

    Args:
        distance: Δ, >= 1.
        terms: m, number of frequencies, >= 1.
        base: B, > 1.

    Source:
        PAPER-ATTENUATION-GEOMETRIC.

    >>> round(slow_attenuation().witness["times_as_much"], 1)
    23.9
    """
    d = whole("distance", distance, "[1, ∞)")
    real, said = float(rope_selfsim(d, 2 * terms, base)), float(paper_attenuation(d))
    return Impossibility(
        statement=PAPER_ATTENUATION_GEOMETRIC,
        at={"distance": d, "terms": terms, "base": base},
        witness={"similarity": real, "bound": said, "times_as_much": real / said},
    )


def returning_similarity(terms: int = 64, beyond: int = 1000, until: int = 60_000) -> Impossibility:
    """Show a distance at which evenly spaced frequencies are back in step.

    Args:
        terms: m, number of frequencies, >= 1.
        beyond: first distance that counts, >= 1.
        until: last distance that is tried.

    Source:
        PAPER-ATTENUATION-LIMIT.

    >>> round(returning_similarity().witness["similarity"], 6)
    0.999998
    """
    first = whole("beyond", beyond, "[1, ∞)")
    distances = np.arange(first, whole("until", until, f"[{first}, 10000000]") + 1)
    values = np.abs(np.asarray(linear_selfsim(distances, terms)))
    best = int(values.argmax())
    return Impossibility(
        statement=PAPER_ATTENUATION_LIMIT,
        at={"terms": terms, "beyond": first, "until": until},
        witness={
            "distance": int(distances[best]),
            "similarity": float(values[best]),
            "bound": float(paper_attenuation(int(distances[best]))),
        },
    )


def scaled_logits(keys: int = 16_384, reference: int = 16, factor: float = 1.2) -> Impossibility:
    """Show a needle that stays in focus at any length, with logits that grow like β·ln n.

    Args:
        keys: n, >= 2.
        reference: length at which the gap is ln(reference), 2 to n.
        factor: β·c, the gap in units of ln n, > 0; above 1 the weight tends to 1.

    Source:
        PAPER-MARGIN; CTX-3.

    >>> found = scaled_logits()
    >>> round(found.witness["scaled_weight"], 4), round(found.witness["unscaled_weight"], 6)
    (0.8744, 0.000976)
    """
    n = whole("keys", keys, "[2, ∞)")
    gap = math.log(whole("reference", reference, f"[2, {n}]"))
    scaled = number("factor", factor, "(0, ∞)") * math.log(n)
    return Impossibility(
        statement=PAPER_MARGIN,
        at={"keys": n, "reference": reference, "factor": factor},
        witness={
            "scaled_weight": float(max_weight(n, scaled)),
            "unscaled_weight": float(max_weight(n, gap)),
            "gap": gap,
        },
    )


def _push_one_way(claim: Claim) -> Check:
    """Move a parameter by the learning rate at each of its updates, always the same way."""
    at = as_bound(claim).at
    moved = sum([float(at["learning_rate"])] * round(float(at["steps"]) * float(at["frequency"])))
    return attacked(claim, {"moved": moved * (1 - 1e-12)}, "a parameter pushed the same way at each of its updates")


def _add_cosines(claim: Claim) -> Check:
    """Add up the cosines one by one."""
    found = as_impossibility(claim)
    d, m, base = int(found.at["distance"]), int(found.at["terms"]), float(found.at["base"])
    real = math.fsum(math.cos(d * base ** (-j / m)) for j in range(m)) / m
    expected = {"similarity": real, "bound": 2 / d, "times_as_much": real * d / 2}
    return _same(found, expected, real > 2 / d, "cosines of geometric frequencies added one by one")


def _closed_sum(claim: Claim) -> Check:
    """Use the closed form of a sum of evenly spaced cosines at the claimed distance."""
    found = as_impossibility(claim)
    d, m = float(found.witness["distance"]), int(found.at["terms"])
    real = abs(math.sin(d) / (2 * m * math.sin(d / (2 * m))))
    inside = float(found.at["beyond"]) <= d <= float(found.at["until"]) and real > 0.99
    return _same(found, {"similarity": real, "bound": 2 / d}, inside, "the closed form of the sum of cosines")


def _softmax_rows(claim: Claim) -> Check:
    """Build both rows of logits and take their softmax."""
    found = as_impossibility(claim)
    n, gap = int(found.at["keys"]), math.log(int(found.at["reference"]))
    row = np.zeros(n)
    weights = []
    for logit in (float(found.at["factor"]) * math.log(n), gap):
        row[0] = logit
        weights.append(float(softmax(row)[0]))
    expected = {"scaled_weight": weights[0], "unscaled_weight": weights[1], "gap": gap}
    return _same(found, expected, weights[0] > weights[1], "softmax of the rows with and without scaled logits")


def _same(found: Impossibility, expected: dict[str, float], refutes: bool, says: str) -> Check:
    """Compare the witness with what was computed again."""
    same = all(math.isclose(float(found.witness[name]), value, rel_tol=1e-6) for name, value in expected.items())
    return Check(holds=same and refutes, says=says, seen={**expected})


ENTRIES = (
    Entry(statement=PAPER_UNDERTRAINED_POSITIONS, example=untrained_movement, confront=_push_one_way),
    Entry(statement=PAPER_ATTENUATION_GEOMETRIC, example=slow_attenuation, confront=_add_cosines),
    Entry(statement=PAPER_ATTENUATION_LIMIT, example=returning_similarity, confront=_closed_sum),
    Entry(statement=PAPER_MARGIN, example=scaled_logits, confront=_softmax_rows),
)
