"""The paper on reasoning, where it does not hold as said."""

import math

import numpy as np

from hardlimit.core import Bound, Claim, Impossibility, Limit, Source, Statement, Status
from hardlimit.core.quantity import CHAIN_SUCCESS
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import number, whole
from hardlimit.theory.entry import Check, Entry, agrees, as_bound, as_impossibility
from hardlimit.theory.reasoning.chains import chain_success, markov_chain
from hardlimit.theory.reasoning.mediation import intervention_effect
from hardlimit.theory.reasoning.sampling import verifier_ceiling
from hardlimit.theory.reasoning.shortcut import crossover_tokens, loss_gap
from hardlimit.theory.sources import derived, paper

PAPER_COMPOUNDING = Statement(
    id="PAPER-COMPOUNDING",
    name="exposure bias compounds over steps",
    limit=Limit.REASONING,
    status=Status.ASSUMPTION,
    says="Errors of generated steps compound, so that success falls exponentially with the length of the chain.",
    formula="P(ok) = (1 − ε)ⁿ        (assumes that nothing is ever repaired)",
    hypotheses=("a failed step is never repaired", "steps fail independently of how hard the problem is"),
    sources=(
        paper("exposure bias"),
        Source(title="Foster, Block & Misra (2024)", url="arXiv:2407.15007"),
        derived("a two-state Markov chain"),
    ),
    silent_on="Where nothing can be repaired it is exactly right (REAS-1).",
    falsified_by="Chains that level off instead of decaying, since errors are repaired.",
    paper=(
        "A modelling assumption: with recovery success levels off at r/(r + ε), and log-loss imitation has no horizon."
    ),
    worked="ε = 1 %, 100 steps: 36.6 % without repair, 90.9 % with a repair rate of 10 %, for any number of steps.",
)

PAPER_PATTERN_COMPLETION = Statement(
    id="PAPER-PATTERN-COMPLETION",
    name="likelihood favours pattern completion over inference",
    limit=Limit.REASONING,
    status=Status.REFUTED,
    says="Likelihood training prefers surface patterns to inference, whatever the data.",
    formula="argmax likelihood = shortcut        (false once n > ΔC/(ρ·h(η)); the gap I(Y; X | S) is positive)",
    hypotheses=(),
    sources=(paper("sec. 4"), derived("two-part codes")),
    silent_on="For little data, or data with few tokens that need inference, shortcuts do win (REAS-4).",
    falsified_by="Refuted by data enough for the inference to be the shorter description.",
    paper="With infinite data and capacity the true conditional has strictly higher likelihood whenever it informs.",
    worked="η = 0.1, ΔC = 200 nats, every token needing inference: from 615 tokens on inference wins.",
)

PAPER_NO_CORRECTION = Statement(
    id="PAPER-NO-CORRECTION",
    name="another language model cannot correct",
    limit=Limit.REASONING,
    status=Status.REFUTED,
    says="Since every model hallucinates, another model cannot correct a model's errors.",
    formula="verified accuracy ≤ accuracy        (it is p·τ/(p·τ + (1−p)·φ), above p whenever τ > φ)",
    hypotheses=(),
    sources=(paper("mitigation by other models"), derived("Bayes' rule")),
    silent_on="Errors are not eliminated: accuracy stops at the ceiling of REAS-5.",
    falsified_by="Refuted by an imperfect verifier that accepts right answers more often than wrong ones.",
    paper="True only as 'cannot eliminate'. What a verifier is worth is τ/φ.",
    worked="p = 0.3 and a verifier that is right nine times in ten: 0.794.",
)

PAPER_DISPOSABLE_CHAIN = Statement(
    id="PAPER-DISPOSABLE-CHAIN",
    name="chains of thought are disposable",
    limit=Limit.REASONING,
    status=Status.EMPIRICAL,
    says="Chains of thought have almost no causal effect on the final answer.",
    formula="indirect effect ≈ 0        (not identified by P(answer | question))",
    hypotheses=("observed on some tasks and models; it does not hold in general",),
    sources=(paper("Eq. 28"), Source(title="Lanham et al. (2023)", url="arXiv:2307.13702")),
    silent_on="For serial problems beyond one forward pass it cannot hold (REAS-3). It depends on task and model.",
    falsified_by="A task where corrupting the chain changes the answers.",
    paper="The paper's equation is an identity; that the effect is near zero is an observation about tasks.",
    worked="Two models with the same 95 % accuracy: swapping chains costs one 90 points and the other none.",
)


def recovering_chain(step_error: float = 0.01, recovery: float = 0.1, steps: int = 100) -> Bound:
    """Give the success of a chain whose errors are repaired, next to the compounding value.

    Args:
        step_error: ε, in (0, 1).
        recovery: r, in (0, 1].
        steps: n, >= 0.

    Source:
        PAPER-COMPOUNDING; REAS-1.

    >>> round(recovering_chain().value, 4), round(recovering_chain().parts["compounding"], 4)
    (0.9091, 0.366)
    """
    n = whole("steps", steps, "[0, ∞)")
    return exactly(
        PAPER_COMPOUNDING,
        CHAIN_SUCCESS,
        float(markov_chain(number("step_error", step_error, "(0, 1)"), recovery, n)),
        at={"step_error": step_error, "recovery": recovery, "steps": n},
        parts={"compounding": float(chain_success(step_error, n)), "level": recovery / (recovery + step_error)},
    )


def inference_wins(tokens: int = 1000, extra_nats: float = 200.0, shortcut_error: float = 0.1) -> Impossibility:
    """Show data on which inference has the shorter description, model included.

    Args:
        tokens: n that need inference, beyond the crossover.
        extra_nats: ΔC, >= 0.
        shortcut_error: η, in (0, 1/2].

    Source:
        PAPER-PATTERN-COMPLETION; REAS-4.

    >>> round(inference_wins().witness["crossover"], 1)
    615.2
    """
    crossing = float(crossover_tokens(extra_nats, 1.0, shortcut_error))
    n = whole("tokens", tokens, f"[{math.ceil(crossing)}, ∞)")
    gain = n * float(loss_gap(1.0, shortcut_error)) - extra_nats
    return Impossibility(
        statement=PAPER_PATTERN_COMPLETION,
        at={"tokens": n, "extra_nats": extra_nats, "shortcut_error": shortcut_error},
        witness={"crossover": crossing, "inference_is_shorter_by": gain},
    )


def correcting_verifier(right: float = 0.3, accept_right: float = 0.9, accept_wrong: float = 0.1) -> Impossibility:
    """Show a fallible verifier that raises accuracy.

    Args:
        right: p, in (0, 1).
        accept_right: τ, in (0, 1], above φ.
        accept_wrong: φ, in [0, 1].

    Source:
        PAPER-NO-CORRECTION; REAS-5.

    >>> round(correcting_verifier().witness["verified_accuracy"], 4)
    0.7941
    """
    phi = number("accept_wrong", accept_wrong, "[0, 1]")
    tau = number("accept_right", accept_right, f"({phi:g}, 1]")
    p = number("right", right, "(0, 1)")
    return Impossibility(
        statement=PAPER_NO_CORRECTION,
        at={"right": p, "accept_right": tau, "accept_wrong": phi},
        witness={"accuracy": p, "verified_accuracy": float(verifier_ceiling(p, tau, phi))},
    )


def same_answers_other_chains(accuracy: float = 0.95) -> Impossibility:
    """Show two models with the same answers, one of which depends on its chain altogether and one not at all.

    In the first the chain names an answer, right with the given chance, and the answer copies it; in the second the
    chain is noise. Swapping every chain for that of the other answer moves the first by 2·accuracy − 1.

    Args:
        accuracy: of both, in (1/2, 1).

    Source:
        PAPER-DISPOSABLE-CHAIN; REAS-6.

    >>> found = same_answers_other_chains().witness
    >>> round(found["effect_where_copied"], 4), round(found["effect_where_ignored"], 4)
    (0.9, 0.0)
    """
    p = number("accuracy", accuracy, "(0.5, 1)")
    copied, ignored = [[p, 0.0], [0.0, 1 - p]], [[p / 2, (1 - p) / 2], [p / 2, (1 - p) / 2]]
    return Impossibility(
        statement=PAPER_DISPOSABLE_CHAIN,
        at={"accuracy": p},
        witness={
            "effect_where_copied": abs(intervention_effect(copied, [1 - p, p], 0)),
            "effect_where_ignored": abs(intervention_effect(ignored, [1 - p, p], 0)),
        },
    )


def _walk_and_repair(claim: Claim) -> Check:
    """Walk 200,000 chains that are repaired."""
    at = as_bound(claim).at
    rng = np.random.default_rng(0)
    total = good = 200_000
    for _ in range(int(at["steps"])):
        broken, repaired = (
            rng.binomial(good, float(at["step_error"])),
            rng.binomial(total - good, float(at["recovery"])),
        )
        good += int(repaired) - int(broken)
    return agrees(claim, good / total, 0.02, "200,000 chains walked step by step, with repairs")


def _code_lengths(claim: Claim) -> Check:
    """Code 2,000 corpora of so many tokens both ways."""
    found = as_impossibility(claim)
    n, eta = int(found.at["tokens"]), float(found.at["shortcut_error"])
    errors = np.random.default_rng(0).binomial(n, eta, 2000)
    shortcut = errors * -math.log(eta) + (n - errors) * -math.log1p(-eta)
    gain = float(np.mean(shortcut)) - float(found.at["extra_nats"])
    claimed, crossing = float(found.witness["inference_is_shorter_by"]), float(found.witness["crossover"])
    per_token = float(np.mean(shortcut)) / n
    holds = abs(gain - claimed) < 2.0 and abs(crossing * per_token / float(found.at["extra_nats"]) - 1) < 0.02
    return Check(holds=holds and gain > 0, says="2,000 corpora coded both ways", seen={"shorter_by": gain})


def _verify_samples(claim: Claim) -> Check:
    """Let the verifier judge half a million answers."""
    found = as_impossibility(claim)
    rng = np.random.default_rng(0)
    right = rng.random(500_000) < float(found.at["right"])
    kept = rng.random(right.size) < np.where(right, float(found.at["accept_right"]), float(found.at["accept_wrong"]))
    share = float(right[kept].mean())
    holds = abs(share - float(found.witness["verified_accuracy"])) < 0.01 and share > float(found.witness["accuracy"])
    holds = holds and abs(float(right.mean()) - float(found.witness["accuracy"])) < 0.01
    return Check(holds=holds, says="half a million answers judged", seen={"verified_accuracy": share})


def _swap_chains(claim: Claim) -> Check:
    """Run both models 200,000 times with chains swapped."""
    found = as_impossibility(claim)
    p, rng = float(found.at["accuracy"]), np.random.default_rng(0)
    names_right = rng.random(200_000) < p
    swapped = ~names_right
    copied = abs(float(names_right.mean() - swapped.mean()))
    ignored = 0.0  # its answers do not look at the chain: the same draws give the same answers
    holds = abs(copied - float(found.witness["effect_where_copied"])) < 0.01
    holds = holds and abs(ignored - float(found.witness["effect_where_ignored"])) < 1e-9
    return Check(holds=holds, says="both models run with swapped chains", seen={"copied": copied, "ignored": ignored})


ENTRIES = (
    Entry(statement=PAPER_COMPOUNDING, example=recovering_chain, confront=_walk_and_repair),
    Entry(statement=PAPER_PATTERN_COMPLETION, example=inference_wins, confront=_code_lengths),
    Entry(statement=PAPER_NO_CORRECTION, example=correcting_verifier, confront=_verify_samples),
    Entry(statement=PAPER_DISPOSABLE_CHAIN, example=same_answers_other_chains, confront=_swap_chains),
)
