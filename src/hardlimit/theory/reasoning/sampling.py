"""REAS-5: what more samples, votes and verifiers can give."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, gammaln, xlog1py, xlogy

from hardlimit.core import (
    Bound,
    Effect,
    InvalidValueError,
    Limit,
    Resource,
    Shape,
    Source,
    Statement,
    Status,
    Value,
    Verdict,
)
from hardlimit.core.quantity import ACCEPTED_ACCURACY, ACCURACY
from hardlimit.theory.bounding import at_most
from hardlimit.theory.domain import Floats, Numbers, distribution, number, plain, vector, whole, within
from hardlimit.theory.sources import derived

REAS_5 = Statement(
    id="REAS-5",
    name="resampling, voting, verifiers",
    limit=Limit.REASONING,
    status=Status.CORRECTED,
    says=(
        "Drawing until a verifier accepts raises the odds of being right by the factor τ/φ, once, however many "
        "samples are drawn: that is a ceiling. Voting converges to the most frequent answer, right or wrong. Where "
        "accepted errors cost something and problems differ, there is a best finite number of samples."
    ),
    formula=(
        "ceiling = p·τ / (p·τ + (1 − p)·φ):   odds after = odds before · τ/φ\n"
        "k draws: right a(1 − rᵏ)/(1 − r), wrong b(1 − rᵏ)/(1 − r), none rᵏ;  a = pτ, b = (1−p)φ, r = 1 − a − b\n"
        "p ~ Beta(A, B):  pass@k = 1 − B(A, B + k)/B(A, B), residual ~ k^(−A)\n"
        "majority vote → 1 ⟺ the right answer is the most frequent one"
    ),
    hypotheses=(
        "samples of one problem are independent, each right with chance p",
        "the verifier accepts a right answer with chance τ and a wrong one with chance φ, independently",
    ),
    sources=(
        derived("Bayes' rule and geometric sums"),
        Source(title="Stroebl, Kapoor & Narayanan (2024)", url="arXiv:2411.17501"),
        Source(title="Brown et al. (2024)", url="arXiv:2407.21787"),
    ),
    silent_on=(
        "Correlated samples, and a verifier that shares the generator's errors, do worse. It says nothing about "
        "verifiers that improve with more computation."
    ),
    falsified_by="Best-of-k with a verifier of known τ, φ above the ceiling by more than four standard errors.",
    paper=(
        "'Another model cannot correct' is true only as 'cannot eliminate' (PAPER-NO-CORRECTION); what matters is "
        "τ/φ. Efficiency as E[Q/C] must not be taken for E[Q]/E[C] (PAPER-EFFICIENCY)."
    ),
    effects=(
        Effect(resource=Resource.SAMPLES, verdict=Verdict.SATURATES, when="at the ceiling p·τ/(p·τ + (1−p)·φ)"),
        Effect(resource=Resource.VERIFIER, verdict=Verdict.HELPS, when="τ/φ grows"),
        Effect(resource=Resource.PARAMETERS, verdict=Verdict.HELPS, when="through p"),
    ),
    worked="p = 0.3, τ = 0.9, φ = 0.1: ceiling 79.4 %; ten draws give 78.2 % right, 20.3 % wrong.",
)


Counts: TypeAlias = NDArray[np.int64]


class Draws(Value, frozen=True):
    """What drawing up to k samples until one is accepted gives.

    Args:
        right: chance that the accepted answer is right.
        wrong: chance that it is wrong.
        none: chance that nothing was accepted.
    """

    right: float
    wrong: float
    none: float


class BestDraws(Value, frozen=True):
    """The number of samples that is worth most.

    Args:
        samples: k.
        utility: mean right − cost·wrong at k.
    """

    samples: int
    utility: float


def verifier_ceiling(right: ArrayLike, accept_right: ArrayLike, accept_wrong: ArrayLike) -> Numbers:
    """Return the accuracy of the first accepted answer, p·τ/(p·τ + (1 − p)·φ).

    Args:
        right: p, chance that a sample is right, in [0, 1].
        accept_right: τ, in [0, 1].
        accept_wrong: φ, in [0, 1]; something must be accepted at all.

    Source:
        REAS-5.

    >>> round(verifier_ceiling(0.3, 0.9, 0.1), 4)
    0.7941
    """
    p = within("right", right, "[0, 1]")
    good = p * within("accept_right", accept_right, "[0, 1]")
    bad = (1 - p) * within("accept_wrong", accept_wrong, "[0, 1]")
    within("chance that a sample is accepted", good + bad, "(0, 1]")
    return plain(good / (good + bad))


def k_draws(right: float, accept_right: float, accept_wrong: float, samples: int) -> Draws:
    """Return what up to k draws until the first acceptance give.

    Args:
        right: p, in [0, 1].
        accept_right: τ, in [0, 1].
        accept_wrong: φ, in [0, 1].
        samples: k, >= 0.

    Source:
        REAS-5.

    >>> draws = k_draws(0.3, 0.9, 0.1, 10)
    >>> round(draws.right, 4), round(draws.wrong, 4), round(draws.none, 4)
    (0.7817, 0.2027, 0.0157)
    """
    p = number("right", right, "[0, 1]")
    good = p * number("accept_right", accept_right, "[0, 1]")
    bad = (1 - p) * number("accept_wrong", accept_wrong, "[0, 1]")
    none = (1 - good - bad) ** whole("samples", samples, "[0, ∞)")
    if good + bad == 0:
        return Draws(right=0.0, wrong=0.0, none=1.0)
    return Draws(right=good / (good + bad) * (1 - none), wrong=bad / (good + bad) * (1 - none), none=none)


def pass_at_k(a: ArrayLike, b: ArrayLike, samples: ArrayLike) -> Numbers:
    """Return the share of problems that k samples solve at least once, 1 − B(A, B + k)/B(A, B).

    Args:
        a: A > 0; the unsolved share falls like k^(−A).
        b: B > 0; the mean chance of a right sample is A/(A + B).
        samples: k, >= 0.

    Source:
        REAS-5, for problems whose p is Beta(A, B).

    >>> round(pass_at_k(0.3, 1.2, 100), 4)
    0.7582
    """
    shape_a, shape_b = within("a", a, "(0, ∞)"), within("b", b, "(0, ∞)")
    k = within("samples", samples, "[0, ∞)")
    return plain(-np.expm1(betaln(shape_a, shape_b + k) - betaln(shape_a, shape_b)))


def sampling_utility(
    tasks: ArrayLike, accept_right: float, accept_wrong: float, cost: float, samples: Sequence[int]
) -> Floats:
    """Return mean right − cost·wrong over tasks, for each number of samples.

    Args:
        tasks: p of each task, equally frequent, each in [0, 1].
        accept_right: τ, in [0, 1].
        accept_wrong: φ, in [0, 1].
        cost: of a wrong accepted answer, where a right one is worth 1 and none 0, >= 0.
        samples: numbers k.

    >>> sampling_utility([0.5, 0.01], 0.95, 0.05, 1.0, [1, 4, 200]).round(4).tolist()
    [0.205, 0.3487, 0.111]
    """
    price = number("cost", cost, "[0, ∞)")
    draws = [
        [k_draws(float(p), accept_right, accept_wrong, k) for p in vector("tasks", tasks, "[0, 1]")] for k in samples
    ]
    return np.array([np.mean([d.right - price * d.wrong for d in row]) for row in draws])


def optimal_k(
    tasks: ArrayLike, accept_right: float, accept_wrong: float, cost: float, *, most: int = 1000
) -> BestDraws:
    """Return the number of samples, up to `most`, with the highest utility; arguments as `sampling_utility`.

    >>> optimal_k([0.5, 0.01], 0.95, 0.05, 1.0).samples
    4
    """
    ks = range(1, whole("most", most, "[1, 100000]") + 1)
    utility = sampling_utility(tasks, accept_right, accept_wrong, cost, ks)
    best = int(utility.argmax())
    return BestDraws(samples=best + 1, utility=float(utility[best]))


def vote_accuracy(answers: ArrayLike, samples: int) -> float:
    """Return the exact chance that a plurality vote of k samples picks the first answer, ties broken by lot.

    Args:
        answers: probabilities of the answers, the right one first, summing to 1.
        samples: k, 1 to 2,000.

    Source:
        REAS-5; multinomial counts, summed by how often the right answer occurs.

    >>> round(vote_accuracy([0.4, 0.45, 0.15], 1), 4), vote_accuracy([0.45, 0.4, 0.15], 101) > 0.7
    (0.4, True)
    """
    p, k = distribution("answers", answers), whole("samples", samples, "[1, 2000]")
    if p.ndim != 1:
        raise InvalidValueError(f"answers must be a list of probabilities, got shape {p.shape}.")
    counts = np.arange(k + 1)
    draw: list[Floats] = []  # draw[j][m, i]: chance that m draws among the answers from j on give i of answer j
    for j in range(1, p.size):
        rest = p[j:].sum()
        share = 1.0 if j == p.size - 1 or rest <= 0 else min(1.0, p[j] / rest)
        draw.append(_binomial(counts[None, :], counts[:, None], share))
    won = 0.0
    for right, chance in zip(counts, _binomial(counts, np.asarray(k), p[0]), strict=True):
        if right == 0 or chance < 1e-300:
            continue
        # left[t, m]: m draws still to be given out, t other answers already tied with the right one
        left = np.zeros((p.size, k + 1))
        left[0, k - right] = 1.0
        for table in draw:
            after = np.zeros_like(left)
            for i in range(min(int(right), k) + 1):
                moved = left[:, i:] * table[i:, i]
                tied = int(i == right)
                after[tied:, : k + 1 - i] += moved[: p.size - tied]
            left = after
        won += float(chance) * float(left[:, 0] @ (1 / np.arange(1, p.size + 1)))
    return won


def _binomial(successes: Counts, trials: Counts, chance: float) -> Floats:
    """Return binomial probabilities, 0 beyond the number of trials."""
    inside = successes <= trials
    failures = np.where(inside, trials - successes, 0)
    log_ways = gammaln(trials + 1) - gammaln(successes + 1) - gammaln(failures + 1)
    log_chance = log_ways + xlogy(successes, chance) + xlog1py(failures, -chance)
    return np.exp(np.where(inside, log_chance, -np.inf))


def best_of_k(right: float, accept_right: float, accept_wrong: float) -> Bound:
    """Bound from above the accuracy of accepted answers, for any number of samples; arguments as `verifier_ceiling`.

    Returns:
        An upper bound on `ACCEPTED_ACCURACY`; `parts` has the factor on the odds.

    Source:
        REAS-5.

    >>> round(best_of_k(0.3, 0.9, 0.1).value, 4)
    0.7941
    """
    value = float(verifier_ceiling(right, accept_right, accept_wrong))
    at = {"right": right, "accept_right": accept_right, "accept_wrong": accept_wrong}
    # A verifier that (almost) never accepts a wrong answer multiplies the odds by more than a float can hold.
    parts = {"odds_factor": accept_right / accept_wrong} if accept_wrong > 1e-300 else {}
    return at_most(REAS_5, ACCEPTED_ACCURACY, value, at=at, parts=parts)


def coverage_by_samples(samples: Sequence[int], a: float, b: float) -> Shape:
    """Tell how the share of problems solved at least once grows with samples; arguments as `pass_at_k`.

    Returns:
        A shape of `ACCURACY` along `samples` (an oracle picks the right sample).

    Source:
        REAS-5.

    >>> [round(y, 4) for _, y in coverage_by_samples([1, 100, 10_000], 0.3, 1.2).points]
    [0.2, 0.7582, 0.9391]
    """
    k = vector("samples", samples, "[0, ∞)", whole=True)
    solved = np.atleast_1d(np.asarray(pass_at_k(a, b, k)))
    points = tuple(zip(k.tolist(), solved.tolist(), strict=True))
    return Shape(
        statement=REAS_5, quantity=ACCURACY, along="samples", points=points, parameters={"a": a, "b": b, "slope": -a}
    )
