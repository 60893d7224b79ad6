"""The paper on hallucination, where it does not hold as said."""

import math

import numpy as np
from scipy.special import gammaln

from hardlimit.core import Claim, Impossibility, Limit, Statement, Status
from hardlimit.theory.domain import number, whole
from hardlimit.theory.entry import Check, Entry, as_impossibility
from hardlimit.theory.hallucination.longtail import coupon_draws, mean_error_draws, noisy_majority
from hardlimit.theory.hallucination.novelty import unseen_truth_share
from hardlimit.theory.sources import derived, paper

PAPER_KOLMOGOROV = Statement(
    id="PAPER-KOLMOGOROV",
    name="more complex than the model, so arbitrarily large error",
    limit=Limit.HALLUCINATION,
    status=Status.REFUTED,
    says=(
        "If the target has a larger Kolmogorov complexity than the model, the model's error can be arbitrarily large."
    ),
    formula="K(f) > K(h)  ⟹  arbitrarily large error        (does not follow)",
    hypotheses=(),
    sources=(paper("Lemma 1"), derived("counting")),
    silent_on="The refutation does not say that errors are small; for random facts HALL-3 gives the right floor.",
    falsified_by="Refuted by a target of high complexity that differs from a simple model on few inputs.",
    paper=(
        "A complex target can differ from a simple model on a negligible share of the inputs. HALL-3 has the rate form."
    ),
    worked=(
        "A set of 1,000 random exceptions among 2²⁰ inputs takes 11,468 bits; the constant model is wrong on 0.1 %."
    ),
)

PAPER_SAMPLES = Statement(
    id="PAPER-SAMPLES",
    name="(m/ε²)·log(m/δ) samples are needed",
    limit=Limit.HALLUCINATION,
    status=Status.REFUTED,
    says="Learning m facts to error ε with confidence 1 − δ takes at least of the order of (m/ε²)·log(m/δ) samples.",
    formula="n = Ω((m/ε²)·ln(m/δ))        (needed only for coins with gap ε; facts take m·ln(1/(2ε)))",
    hypotheses=(),
    sources=(paper("Thm 4"), derived("occupancy")),
    silent_on=(
        "For labels that are nearly coin flips the order is right. As an upper bound on samples it is right too."
    ),
    falsified_by="Refuted by a learner of noiseless facts that reaches the error with far fewer samples.",
    paper=(
        "Hoeffding and a union bound show that so many samples are enough, not that they are needed. HALL-9 has the "
        "law."
    ),
    worked="1,000 facts to error 0.05: the formula asks for 3.96 million samples, 2,301 are enough.",
)

PAPER_EXPONENTIAL_SAMPLES = Statement(
    id="PAPER-EXPONENTIAL-SAMPLES",
    name="2^m samples are needed for m facts",
    limit=Limit.HALLUCINATION,
    status=Status.REFUTED,
    says="Learning m independent facts takes a number of samples exponential in m.",
    formula="n = Ω(2^m)        (m·ln(m/δ) are enough for all of them)",
    hypotheses=(),
    sources=(paper("Thm 4, variant"), derived("coupon collector")),
    silent_on="The number of possible worlds is 2^m; the number of samples that tell them apart is not.",
    falsified_by="Refuted by collecting all facts after m·ln(m/δ) draws.",
    paper=(
        "There are 2^m tables, but each sample removes half of those left or tells nothing new: m·ln(m/δ) suffices."
    ),
    worked="1,000 facts: 9,903 draws see all of them with probability 0.95.",
)

PAPER_NOISE_FLOOR = Statement(
    id="PAPER-NOISE-FLOOR",
    name="hallucination stays above the label noise",
    limit=Limit.HALLUCINATION,
    status=Status.REFUTED,
    says="With label noise η the hallucination rate stays at least η, however much data there is.",
    formula="hallucination ≥ η as n → ∞        (a majority of k labels errs ≤ (2√(η(1−η)))^k)",
    hypotheses=(),
    sources=(paper("noise floor"), derived("binomial tail")),
    silent_on=(
        "For facts seen once, for systematic errors, and for sampling at temperature 1 from a calibrated model, the "
        "floor is real."
    ),
    falsified_by="Refuted by the majority of a few independent noisy labels.",
    paper=(
        "False for independent noise on repeated facts, since the likeliest label wins. HALL-9 has the price of noise."
    ),
    worked="η = 3 %, five labels: the majority is wrong in 0.026 % of the cases.",
)

PAPER_CREATIVITY_LINE = Statement(
    id="PAPER-CREATIVITY-LINE",
    name="accuracy and creativity lie on a line",
    limit=Limit.HALLUCINATION,
    status=Status.REFUTED,
    says="Accuracy A and creativity C of a generator always trade along one line, A + α·C = κ.",
    formula="A + α·C = κ        (a theorem under exchangeability with α = 1 − ρ, κ = 1; false beyond)",
    hypotheses=(),
    sources=(paper("sec. 2.4"), derived("one informed generator")),
    silent_on="Without any information about validity the line holds exactly on average (HALL-11).",
    falsified_by="Refuted by a generator that knows something about validity.",
    paper="The paper states it as an assumption. It holds only where unseen truths cannot be told from falsehoods.",
    worked="Half of the novelty valid instead of 5 %: A = 0.85, C = 0.3, κ = 1.134.",
)


def few_exceptions(inputs: int = 2**20, exceptions: int = 1000) -> Impossibility:
    """Show a complex target on which a simple model is almost always right.

    Fewer than half of the sets of `exceptions` inputs have complexity below log₂ C(n, s) − 1.

    Args:
        inputs: n, >= 2.
        exceptions: s, inputs on which target and model differ, 1 to n.

    Source:
        PAPER-KOLMOGOROV; counting programs.

    >>> round(few_exceptions().witness["error"], 5)
    0.00095
    """
    n = whole("inputs", inputs, "[2, ∞)")
    s = whole("exceptions", exceptions, f"[1, {n}]")
    bits = float(gammaln(n + 1) - gammaln(s + 1) - gammaln(n - s + 1)) / math.log(2) - 1
    return Impossibility(
        statement=PAPER_KOLMOGOROV,
        at={"inputs": n, "exceptions": s},
        witness={"target_bits": bits, "model": "always the same label", "error": s / n},
    )


def few_samples(facts: int = 1000, error: float = 0.05, delta: float = 0.05) -> Impossibility:
    """Show that far fewer samples than (m/ε²)·ln(m/δ) reach the error.

    Args:
        facts: m, >= 2.
        error: ε, in (0, 1/2).
        delta: δ, in (0, 1).

    Source:
        PAPER-SAMPLES; HALL-9.

    >>> round(few_samples().witness["enough"])
    2301
    """
    m, eps = whole("facts", facts, "[2, ∞)"), number("error", error, "(0, 0.5)")
    d = number("delta", delta, "(0, 1)")
    return Impossibility(
        statement=PAPER_SAMPLES,
        at={"facts": m, "error": eps, "delta": d},
        witness={"asked_for": m / eps**2 * math.log(m / d), "enough": float(mean_error_draws(m, eps))},
    )


def few_draws(facts: int = 1000, delta: float = 0.05) -> Impossibility:
    """Show that m·ln(m/δ) draws see all facts, where the paper's variant asks for 2^m.

    Args:
        facts: m, >= 1.
        delta: δ, in (0, 1).

    Source:
        PAPER-EXPONENTIAL-SAMPLES; coupon collector.

    >>> few_draws().witness["log10_asked_for"] > 300
    True
    """
    m = whole("facts", facts, "[1, ∞)")
    enough = float(coupon_draws(m, delta))
    return Impossibility(
        statement=PAPER_EXPONENTIAL_SAMPLES,
        at={"facts": m, "delta": delta},
        witness={"log10_asked_for": m * math.log10(2), "enough": enough},
    )


def below_noise(flip: float = 0.03, votes: int = 5) -> Impossibility:
    """Show a learner that errs less than the label noise.

    Args:
        flip: η, in (0, 1/2).
        votes: k, >= 3.

    Source:
        PAPER-NOISE-FLOOR; binomial tail.

    >>> f"{below_noise().witness['majority_error']:.3g}"
    '0.000258'
    """
    eta, k = number("flip", flip, "(0, 0.5)"), whole("votes", votes, "[3, ∞)")
    return Impossibility(
        statement=PAPER_NOISE_FLOOR,
        at={"flip": eta, "votes": k},
        witness={"noise": eta, "majority_error": float(noisy_majority(eta, k))},
    )


def informed_generator(
    universe: int = 10_000, valid: int = 1_000, seen: int = 500, *, novelty: float = 0.3, valid_novelty: float = 0.5
) -> Impossibility:
    """Show a generator beyond the line: a larger share of its novelty is valid than chance would make.

    Args:
        universe: |U|.
        valid: |V|.
        seen: |S|.
        novelty: C, in [0, 1].
        valid_novelty: share of the novelty that is valid, in [0, 1].

    Source:
        PAPER-CREATIVITY-LINE; HALL-11.

    >>> round(informed_generator().witness["intercept"], 4)
    1.1342
    """
    slope = 1 - unseen_truth_share(universe, valid, seen)
    c = number("novelty", novelty, "[0, 1]")
    a = 1 - c * (1 - number("valid_novelty", valid_novelty, "[0, 1]"))
    return Impossibility(
        statement=PAPER_CREATIVITY_LINE,
        at={"universe": universe, "valid": valid, "seen": seen, "novelty": c, "valid_novelty": valid_novelty},
        witness={"valid_mass": a, "slope": slope, "intercept": a + slope * c},
    )


def _count_exceptions(claim: Claim) -> Check:
    """Draw the exceptions, count them, and write them down gap by gap: an upper bound near the claimed bits."""
    found = as_impossibility(claim)
    n, s = int(found.at["inputs"]), int(found.at["exceptions"])
    places = np.random.default_rng(0).choice(n, s, replace=False)
    entropy = n * -(s / n * math.log2(s / n) + (1 - s / n) * math.log2(1 - s / n))
    bits, error = float(found.witness["target_bits"]), float(found.witness["error"])
    holds = entropy - math.log2(n + 1) - 1 <= bits <= entropy and math.isclose(error, np.unique(places).size / n)
    return Check(
        holds=holds, says="the drawn exceptions counted; n·h(s/n) bits write them down", seen={"bits": entropy}
    )


def _learn_facts(claim: Claim) -> Check:
    """Draw so many samples and guess what was not seen, 300 times."""
    found = as_impossibility(claim)
    m, wanted = int(found.at["facts"]), float(found.at["error"])
    rng = np.random.default_rng(0)
    draws = round(float(found.witness["enough"]))
    unseen = [m - np.unique(rng.integers(0, m, draws)).size for _ in range(300)]
    error = float(np.mean(unseen)) / m / 2
    asked = m / wanted**2 * math.log(m / float(found.at["delta"]))
    holds = abs(error - wanted) < 0.02 * wanted and math.isclose(asked, float(found.witness["asked_for"]))
    return Check(holds=holds and draws < asked, says="300 learners of so many samples", seen={"error": error})


def _collect_all(claim: Claim) -> Check:
    """Collect all facts 600 times and count how often so many draws were enough (and just enough)."""
    found = as_impossibility(claim)
    m, draws = int(found.at["facts"]), round(float(found.witness["enough"]))
    rng = np.random.default_rng(0)
    complete = float(np.mean([np.unique(rng.integers(0, m, draws)).size == m for _ in range(600)]))
    holds = abs(complete - (1 - float(found.at["delta"]))) < 0.03 and math.isclose(
        float(found.witness["log10_asked_for"]), m * math.log10(2)
    )
    return Check(holds=holds, says="600 collections of all facts", seen={"complete": complete})


def _vote(claim: Claim) -> Check:
    """Let a million majorities vote on noisy labels."""
    found = as_impossibility(claim)
    eta, k = float(found.at["flip"]), int(found.at["votes"])
    wrong = np.random.default_rng(0).binomial(k, eta, 1_000_000)
    error = float(np.mean(wrong > k / 2) + np.mean(wrong == k / 2) / 2)
    claimed = float(found.witness["majority_error"])
    holds = abs(error - claimed) < 0.15 * claimed and claimed < float(found.witness["noise"]) == eta
    return Check(holds=holds, says="a million majorities of noisy labels", seen={"majority_error": error})


def _write_informed(claim: Claim) -> Check:
    """Let the informed generator write 400,000 statements."""
    found = as_impossibility(claim)
    rng = np.random.default_rng(0)
    new = rng.random(400_000) < float(found.at["novelty"])
    good = ~new | (rng.random(new.size) < float(found.at["valid_novelty"]))
    unseen = int(found.at["universe"]) - int(found.at["seen"])
    slope = (unseen - (int(found.at["valid"]) - int(found.at["seen"]))) / unseen
    line = float(good.mean()) + slope * float(new.mean())
    numbers = (float(found.witness["intercept"]), float(found.witness["valid_mass"]), float(found.witness["slope"]))
    holds = max(abs(a - b) for a, b in zip(numbers, (line, float(good.mean()), slope), strict=True)) < 0.01
    return Check(holds=holds and line > 1.01, says="400,000 statements of the informed generator", seen={"kappa": line})


ENTRIES = (
    Entry(statement=PAPER_KOLMOGOROV, example=few_exceptions, confront=_count_exceptions),
    Entry(statement=PAPER_SAMPLES, example=few_samples, confront=_learn_facts),
    Entry(statement=PAPER_EXPONENTIAL_SAMPLES, example=few_draws, confront=_collect_all),
    Entry(statement=PAPER_NOISE_FLOOR, example=below_noise, confront=_vote),
    Entry(statement=PAPER_CREATIVITY_LINE, example=informed_generator, confront=_write_informed),
)
