"""Statements for the sample report: short, and true as far as they go."""

import math

from hardlimit.core import Bound, Effect, Impossibility, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import (
    ACCURACY,
    CHOW_SCORE,
    FALSE_ACCEPTANCE,
    HALLUCINATION_RATE,
    KV_BYTES,
    MISSING_MASS,
    NEEDLE_MARGIN,
    TAIL_EXPONENT,
)

PAPER = Source(title="On the Fundamental Limits of LLMs at Scale, 2025", url="arXiv:2511.12869")


def statement(id: str, name: str, limit: Limit, status: Status, **more) -> Statement:
    defaults = {
        "formula": "",
        "hypotheses": (),
        "sources": (PAPER,),
        "silent_on": "Nothing follows about a single question.",
        "falsified_by": "An interval wholly on the forbidden side in two independent seeds.",
    }
    return Statement(id=id, name=name, limit=limit, status=status, **(defaults | more))


GOOD_TURING = statement(
    "HALL-5",
    "missing mass",
    Limit.HALLUCINATION,
    Status.PROVED,
    says="The share of facts seen exactly once in training estimates the chance that the next fact was never seen.",
    formula="|M_n − N₁/n| ≤ 1/n + (1+√2)·√(ln(4/δ)/n)   with probability ≥ 1−δ",
    hypotheses=("The training facts are independent draws from one law.", "The corpus was not de-duplicated."),
    sources=(
        Source(title="Good, The population frequencies of species, 1953"),
        Source(title="McAllester & Ortiz, Concentration inequalities for the missing mass, 2003", locator="Theorem 9"),
    ),
    silent_on="It says nothing about facts that can be inferred from others.",
    effects=(Effect(resource=Resource.PARAMETERS, verdict=Verdict.CANNOT_PROGRESS, when="facts are arbitrary"),),
    worked="Zipf(1) over 100,000 facts, 100,000 draws: 16.5% of the next draws are new.",
    probe="hallucination.facts",
)
LONG_TAIL = statement(
    "HALL-9",
    "long tail",
    Limit.HALLUCINATION,
    Status.CORRECTED,
    says="If facts follow a Zipf law, each ten times lower error costs ten to the power a/(a−1) times the data.",
    formula="E_n ≈ c^(1/a)/(a−1) · Γ(k+1−1/a)/Γ(k) · n^−(1−1/a)",
    hypotheses=("Facts follow a Zipf law with a > 1.", "A fact is usable after k exposures."),
    paper="The paper gives n = Ω((m/ε²)·log(m/δ)), which is the order for noisy coins, not for facts.",
    worked="a = 1.5: ten times less error needs a thousand times the data.",
)
CHOW = statement(
    "HALL-10",
    "Chow's rule",
    Limit.HALLUCINATION,
    Status.PROVED,
    says="With a penalty of t/(1−t) for a wrong answer, answering pays exactly when the chance of being right is ≥ t.",
    formula="E[score] = p − (1−p)·t/(1−t) ≥ 0  ⇔  p ≥ t",
    hypotheses=("Confidence is calibrated.",),
    sources=(Source(title="Chow, On optimum recognition error and reject tradeoff, 1970", url="doi:10.1109/TIT.1970"),),
    effects=(Effect(resource=Resource.ABSTENTION, verdict=Verdict.HELPS),),
)
UNIVERSAL = statement(
    "HALL-P2",
    "errors are at least the noise floor",
    Limit.HALLUCINATION,
    Status.REFUTED,
    says="Hallucination stays above the label noise however much data there is.",
    falsified_by="Independent noise on repeated facts: the majority answer converges.",
)
MARGIN = statement(
    "CTX-3",
    "needle margin",
    Limit.CONTEXT,
    Status.PROVED,
    says="To keep half of a head's weight on one needle, its logit must exceed all others by the log of their number.",
    formula="γ ≥ ln(N−1) + logit(target)",
    hypotheses=("One softmax over N keys.", "All other keys have logits at most γ below the needle."),
    sources=(
        Source(title="Veličković et al., softmax is not enough, 2024", locator="Lemma 2.1", url="arXiv:2410.01104"),
    ),
    silent_on="It does not say that a model cannot learn a larger margin.",
    effects=(
        Effect(resource=Resource.CONTEXT, verdict=Verdict.CANNOT_PROGRESS, when="the logit spread is fixed"),
        Effect(resource=Resource.MARGIN, verdict=Verdict.HELPS),
    ),
    worked="Half the weight among 128,000 keys takes 11.76 nats.",
)
KV = statement(
    "CTX-6",
    "memory of the context",
    Limit.CONTEXT,
    Status.PROVED,
    says="Keys and values take a fixed number of bytes for each token.",
    formula="bytes = 2 · L · n_kv · d_h · b · tokens",
)
CROWDING = statement(
    "CTX-4",
    "random distractors",
    Limit.CONTEXT,
    Status.ASSUMPTION,
    says="If distractor logits are independent Gaussians, attention freezes onto a few beyond a critical spread.",
    formula="LSE ≈ ln N + σ²/2   while σ < √(2 ln N)",
    hypotheses=("Distractor logits are independent and Gaussian.",),
)
SINGLE_LAYER = statement(
    "REAS-2",
    "composition in one layer",
    Limit.CONTEXT,
    Status.EMPIRICAL,
    says="Small models lose the second hop first.",
)


def long_tail_law(popularity):
    return Shape(
        statement=LONG_TAIL,
        quantity=ACCURACY,
        along="popularity",
        points=tuple((x, 1 - min(1.0, 2.2 * x**-0.12)) for x in popularity),
        parameters={"a": 1.13, "k": 1},
    )


def margin_law(lengths):
    return Shape(
        statement=MARGIN,
        quantity=NEEDLE_MARGIN,
        along="length",
        points=tuple((float(n), math.log(n - 1)) for n in lengths),
        parameters={"target": 0.5},
    )


def kv_law(lengths):
    return Shape(
        statement=KV,
        quantity=KV_BYTES,
        along="length",
        points=tuple((float(n), 23_040.0 * n) for n in lengths),
        parameters={"bytes_per_token": 23_040},
    )


def tail_bound():
    return Bound(statement=LONG_TAIL, quantity=TAIL_EXPONENT, side="exact", value=0.115, at={"a": 1.13}, parts={"k": 1})


def score_bound():
    return Bound(statement=CHOW, quantity=CHOW_SCORE, side="lower", value=0.0, at={"t": 0.75})


def acceptance_bound():
    return Bound(statement=UNIVERSAL, quantity=FALSE_ACCEPTANCE, side="lower", value=0.2, at={"n": 10_000})


def floor_bound():
    return Bound(
        statement=GOOD_TURING,
        quantity=HALLUCINATION_RATE,
        side="lower",
        value=0.0,
        at={"n": 900},
        vacuous="The half-width 0.17 exceeds the estimate at n = 900.",
    )


def missing_mass():
    return Bound(
        statement=GOOD_TURING,
        quantity=MISSING_MASS,
        side="upper",
        value=0.165,
        at={"n": 100_000, "delta": 0.05},
        parts={"singletons": 16_511, "half_width": 0.016},
    )


def crowding():
    return Impossibility(
        statement=CROWDING,
        at={"sigma": 6.0, "N": 8192},
        witness={"critical_sigma": 4.245, "weight_on_best_ten": 0.83},
    )
