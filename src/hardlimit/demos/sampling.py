"""D11: best of k with a verifier that errs stops at a ceiling; with one that never passes wrong answers it does not."""

import math

import numpy as np

from hardlimit.demos.demonstration import Check, Demo, Figure, Series, Shown
from hardlimit.theory.reasoning import k_draws, verifier_ceiling

RIGHT, ACCEPTS_RIGHT, ACCEPTS_WRONG = 0.3, 0.9, 0.1
SAMPLES = (1, 2, 4, 8, 16, 32, 64)
PROBLEMS = 100_000


def _best_of_k(seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    drawn = {phi: [_first_accepted(rng, phi, k) for k in SAMPLES] for phi in (ACCEPTS_WRONG, 0.0)}
    ceiling = float(verifier_ceiling(RIGHT, ACCEPTS_RIGHT, ACCEPTS_WRONG))
    predicted = [k_draws(RIGHT, ACCEPTS_RIGHT, ACCEPTS_WRONG, k).right for k in SAMPLES]
    above = [(a - ceiling) / math.sqrt(ceiling * (1 - ceiling) / n) for _, a, n in drawn[ACCEPTS_WRONG]]
    off = [
        abs(right - p) / math.sqrt(p * (1 - p) / PROBLEMS)
        for (right, _, _), p in zip(drawn[ACCEPTS_WRONG], predicted, strict=True)
    ]
    last = drawn[0.0][-1]
    log_k = tuple(float(k) for k in SAMPLES)
    return Shown(
        computed=f"{PROBLEMS:,} problems for each k: samples that are right with probability {RIGHT}, a verifier that "
        f"passes {ACCEPTS_RIGHT:.0%} of the right and {ACCEPTS_WRONG:.0%} of the wrong ones, the first that passes "
        "is the answer.",
        checks=(
            Check(
                asks=f"accepted answers are never right more often than {ceiling:.4f}, up to four standard deviations",
                holds=max(above) <= 4,
                found=f"highest: {max(a for _, a, _ in drawn[ACCEPTS_WRONG]):.4f} ({max(above):+.1f} σ)",
            ),
            Check(
                asks="the share answered right is the formula's for every k, within four standard deviations "
                "(a false alarm in 2,000 runs)",
                holds=max(off) <= 4,
                found=f"farthest: {max(off):.1f} σ",
            ),
            Check(
                asks="with a verifier that passes nothing wrong, every accepted answer is right and k helps to the end",
                holds=last[1] == 1.0 and last[0] > 0.999,
                found=f"k = {SAMPLES[-1]}: {last[0]:.4f} answered right",
                control=True,
            ),
        ),
        figure=Figure(
            title="Best of k with a verifier",
            x="samples k (log scale)",
            y="share answered right",
            series=(
                Series(label=f"φ = {ACCEPTS_WRONG}", points=_curve(drawn[ACCEPTS_WRONG])),
                Series(label="φ = 0 (control)", points=_curve(drawn[0.0])),
                Series(label="formula", kind="theory", points=tuple(zip(log_k, predicted, strict=True))),
                Series(label=f"ceiling {ceiling:.3f}", kind="theory", points=tuple((k, ceiling) for k in log_k)),
            ),
            log_x=True,
        ),
        head=("k", "answered right", "right among accepted", "formula", "right, φ = 0"),
        rows=tuple(
            (k, r, a, p, free[0])
            for k, (r, a, _), p, free in zip(SAMPLES, drawn[ACCEPTS_WRONG], predicted, drawn[0.0], strict=True)
        ),
        values={"ceiling": ceiling, "highest": max(a for _, a, _ in drawn[ACCEPTS_WRONG])},
    )


def _first_accepted(rng: np.random.Generator, accepts_wrong: float, k: int) -> tuple[float, float, int]:
    """Return the share of problems answered right, of accepted answers that are right, and how many were accepted."""
    good = rng.random((PROBLEMS, k)) < RIGHT
    passes = rng.random((PROBLEMS, k)) < np.where(good, ACCEPTS_RIGHT, accepts_wrong)
    first = passes.argmax(axis=1)
    accepted = passes.any(axis=1)
    right = good[np.arange(PROBLEMS), first] & accepted
    return float(right.mean()), float(right.sum() / accepted.sum()), int(accepted.sum())


def _curve(drawn: list[tuple[float, float, int]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(k), right) for k, (right, _, _) in zip(SAMPLES, drawn, strict=True))


BEST_OF_K = Demo(
    name="best-of-k",
    number="D11",
    claims=("REAS-5",),
    says="Drawing until a verifier accepts raises accuracy up to a ceiling set by the verifier, and no further.",
    refuted_by="Accepted answers that are right more often than the ceiling, by more than four standard deviations.",
    control="A verifier that passes nothing wrong (φ = 0): no ceiling.",
    work=_best_of_k,
)
