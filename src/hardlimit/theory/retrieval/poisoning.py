"""RETR-6: a larger corpus does not dilute poison; isolating passages and voting bounds what it can do."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtrc, ndtri

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import ATTACK_SUCCESS, CERTIFIED_REPLACEMENTS, ENTRY_SIMILARITY
from hardlimit.theory.bounding import at_least, at_most
from hardlimit.theory.domain import Numbers, number, plain, vector, whole, within
from hardlimit.theory.sources import derived, paper

RETR_6 = Statement(
    id="RETR-6",
    name="poisoning: no dilution, certified voting",
    limit=Limit.RETRIEVAL,
    status=Status.PROVED,
    says=(
        "A poisoned text enters the top k as soon as it is more similar to the query than the k-th best honest one, "
        "and that threshold grows only like √(ln N/d). So corpus size does not dilute it. If each passage is read "
        "alone and the answers vote, a lead of more than 2m votes cannot be turned by m replaced passages."
    ),
    formula=(
        "enters the top k  ⟺  s > t_k(N) ≈ Φ⁻¹(1 − k/N)/√d\n"
        "votes v₁ > v₂ of isolated passages: certified against m replacements  ⟺  v₁ − v₂ > 2m"
    ),
    hypotheses=(
        "honest passages are random unit vectors for the threshold",
        "each passage is read alone; the poison changes no other passage",
    ),
    sources=(
        derived("order statistics and counting"),
        Source(title="Xiang et al., RobustRAG (2024)", url="arXiv:2405.15556"),
        Source(title="Zou et al., PoisonedRAG (2024)", url="arXiv:2402.07867"),
        paper("poisoning figures"),
    ),
    silent_on=(
        "It does not say how often readers believe a poisoned passage that they see. Readers that mix passages have "
        "no certificate."
    ),
    falsified_by="m replaced passages that turn a vote with a lead of more than 2m.",
    paper="The paper quotes the measured figure only (PAPER-POISON-RATE).",
    effects=(
        Effect(resource=Resource.CORPUS, verdict=Verdict.CANNOT_PROGRESS, when="against poison, by dilution"),
        Effect(resource=Resource.DOCUMENTS, verdict=Verdict.HELPS, when="more clean passages that vote in isolation"),
    ),
    worked="768 dimensions, top 5: similarity 0.159 enters among a million documents, 0.192 among a hundred million.",
)


def entry_similarity(corpus: ArrayLike, passages: ArrayLike, width: ArrayLike) -> Numbers:
    """Return the cosine above which a text enters the top k among random ones, Φ⁻¹(1 − k/N)/√d.

    Args:
        corpus: N, >= 1.
        passages: k, in (0, N).
        width: d, embedding dimensions, >= 1.

    Source:
        RETR-6.

    >>> round(entry_similarity(1e6, 5, 768), 4)
    0.1594
    """
    n, d = within("corpus", corpus, "[1, ∞)"), within("width", width, "[1, ∞)")
    share = within("passages/corpus", within("passages", passages, "(0, ∞)") / n, "(0, 1)")
    return plain(-ndtri(share) / np.sqrt(d))


def certified_replacements(votes: int, runner_up: int) -> int:
    """Return how many replaced passages a vote surely withstands: the largest m with v₁ − v₂ > 2m, −1 for none.

    Args:
        votes: v₁ of the winner, >= 0.
        runner_up: v₂, 0 to v₁.

    Returns:
        m; −1 where the vote is tied, which nothing certifies even without an attack.

    >>> certified_replacements(8, 2)
    2
    """
    v1 = whole("votes", votes, "[0, ∞)")
    lead = v1 - whole("runner_up", runner_up, f"[0, {v1}]")
    return (lead - 1) // 2 if lead else -1


def votes_for_certificate(passages: int, replacements: int) -> int:
    """Return the right votes of k that certify against m replacements with two answers, ⌊k/2 + m⌋ + 1.

    >>> votes_for_certificate(10, 2)
    8
    """
    k, m = whole("passages", passages, "[1, ∞)"), whole("replacements", replacements, "[0, ∞)")
    return (k + 2 * m) // 2 + 1


def certified_chance(passages: int, accuracy: float, replacements: int) -> float:
    """Return the chance that a vote of k isolated passages is right and certified against m replacements.

    Args:
        passages: k, >= 1.
        accuracy: p, of one passage read alone, in [0, 1]; two answers.
        replacements: m, >= 0.

    Source:
        RETR-6; binomial tail.

    >>> round(certified_chance(10, 0.9, 2), 4)
    0.9298
    """
    needed = votes_for_certificate(passages, replacements)
    right = number("accuracy", accuracy, "[0, 1]")
    return float(bdtrc(needed - 1, passages, right)) if needed <= passages else 0.0


def certificate(votes: int, runner_up: int) -> Bound:
    """Bound from below the replaced passages that it takes to turn a vote; arguments as `certified_replacements`.

    Returns:
        A lower bound on `CERTIFIED_REPLACEMENTS`.

    Source:
        RETR-6.

    >>> certificate(8, 2).value
    2.0
    """
    m = certified_replacements(votes, runner_up)
    reason = "a tied vote withstands nothing" if m < 0 else None
    at = {"votes": votes, "runner_up": runner_up}
    return at_least(RETR_6, CERTIFIED_REPLACEMENTS, max(m, 0), at=at, vacuous=reason)


def turned_share(certified: int, votes: int, replacements: int) -> Bound:
    """Bound the share of votes that so many replaced passages turn: at most those without a certificate against them.

    Args:
        certified: votes whose certificate withstands as many, 0 to `votes`.
        votes: how many were counted, >= 1.
        replacements: m, passages replaced in each, >= 1.

    Returns:
        An upper bound on `ATTACK_SUCCESS` for these votes.

    Source:
        RETR-6.

    >>> round(turned_share(15, 20, 1).value, 4)
    0.25
    """
    n = whole("votes", votes, "[1, ∞)")
    safe = whole("certified", certified, f"[0, {n}]")
    m = whole("replacements", replacements, "[1, ∞)")
    at = {"votes": n, "certified": safe, "replacements": m}
    reason = None if safe else "no vote is certified"
    return at_most(RETR_6, ATTACK_SUCCESS, (n - safe) / n, at=at, vacuous=reason)


def entry_by_corpus(corpora: Sequence[float], passages: int, width: int) -> Shape:
    """Tell how the similarity that enters the top k grows with the corpus; arguments as `entry_similarity`.

    Returns:
        A shape of `ENTRY_SIMILARITY` along `corpus`.

    Source:
        RETR-6.

    >>> [round(y, 4) for _, y in entry_by_corpus([1e6, 1e8], 5, 768).points]
    [0.1594, 0.1922]
    """
    n = vector("corpora", corpora, "[1, ∞)")
    values = np.atleast_1d(np.asarray(entry_similarity(n, passages, width)))
    points = tuple(zip(n.tolist(), values.tolist(), strict=True))
    growth = {"passages": passages, "width": width, "asymptote": math.sqrt(2 * math.log(float(n[-1])) / width)}
    return Shape(statement=RETR_6, quantity=ENTRY_SIMILARITY, along="corpus", points=points, parameters={**growth})
