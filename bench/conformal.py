"""Whether a conformal threshold of abstention holds its risk over fresh splits, and how it fails under a shift.

Usage: python bench/conformal.py [--model toy|embedded] [--risk R …] [--splits N] [--seed S]

With `embedded` the language model answers short facts (some minutes on one core); the toy has a known calibration.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import Generate, Grade
from hardlimit.mitigations.abstaining import sequence_probability
from hardlimit.models import Generates, require
from hardlimit.models.catalog import open_model
from hardlimit.probes.hallucination import ShortFacts
from hardlimit.probes.hallucination.world import Family
from hardlimit.stats import conformal_threshold

Labelled = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Confidence of each answer, and whether it is wrong."""

N = 190
SHIFTED: Family = "past"


def toy(rng: np.random.Generator, *, skill: float = 1.0) -> Labelled:
    """Draw answers that are right with confidence^(1/skill): calibrated at 1, too sure of themselves below."""
    confidence = rng.uniform(size=2 * N)
    return confidence, rng.uniform(size=confidence.size) > confidence ** (1 / skill)


def asked(model: Generates, family: Family, seed: int) -> Labelled:
    """Ask facts of a family; answers without a probability, and those that answer nothing, are left out."""
    probe = ShortFacts(family=family)
    cases = probe.cases(seed=seed, n=N)
    found = []
    for index, reply in model.generate([case.ask for case in cases if isinstance(case.ask, Generate)]):
        grade, _ = probe.grade(cases[index], reply)
        confidence = sequence_probability(reply)
        if confidence is not None and grade in (Grade.RIGHT, Grade.WRONG):
            found.append((confidence, grade is Grade.WRONG))
    return np.array([c for c, _ in found]), np.array([wrong for _, wrong in found], dtype=bool)


def over_splits(labelled: Labelled, rng: np.random.Generator, *, risk: float, splits: int) -> None:
    """Choose on one random half, measure on the other, again and again; print the risk and what is answered."""
    confidence, wrong = labelled
    losses, answered = [], []
    for _ in range(splits):
        order = rng.permutation(confidence.size)
        chosen, fresh = order[: order.size // 2], order[order.size // 2 :]
        threshold = conformal_threshold(confidence[chosen], wrong[chosen], risk=risk)
        given = confidence[fresh] >= threshold
        losses.append(np.mean(given & wrong[fresh]))
        answered.append(np.mean(given))
    # The splits share their answers, so their spread is that of the splitting alone.
    print(
        f"  {splits} splits of {confidence.size} answers, {wrong.mean():.3f} of them wrong: risk {np.mean(losses):.4f} "
        f"on average (target {risk:g}), {np.quantile(losses, 0.05):.3f} to {np.quantile(losses, 0.95):.3f} in nine of "
        f"ten; {np.mean(answered):.3f} answered"
    )


def shifted(labelled: Labelled, other: Labelled, *, risk: float) -> None:
    """Carry the threshold to other questions, where nothing is promised."""
    threshold = conformal_threshold(*labelled, risk=risk)
    loss = float(np.mean((other[0] >= threshold) & other[1]))
    print(f"  threshold {threshold:.3f} on other questions: risk {loss:.4f}, target {risk:g}")


def main() -> None:
    """Print the risk over splits, and under a shift."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("toy", "embedded"), default="toy")
    parser.add_argument("--risk", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.3])
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    if args.model == "toy":
        labelled, other = toy(rng), toy(rng, skill=0.3)
    else:
        model = require(open_model("embedded"), Generates)
        labelled, other = asked(model, "capital", args.seed), asked(model, SHIFTED, args.seed)
    print(args.model)
    for risk in args.risk:
        over_splits(labelled, rng, risk=risk, splits=args.splits)
        shifted(labelled, other, risk=risk)


if __name__ == "__main__":
    main()
