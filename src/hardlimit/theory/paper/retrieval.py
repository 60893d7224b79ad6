"""The paper on retrieval, where it does not hold as said."""

import math
from itertools import combinations, pairwise

import numpy as np
from scipy.special import betainccinv

from hardlimit.core import Bound, Claim, Impossibility, Limit, Source, Statement, Status
from hardlimit.core.quantity import ENTRY_SIMILARITY
from hardlimit.theory.bounding import exactly
from hardlimit.theory.domain import number, whole
from hardlimit.theory.entry import Check, Entry, agrees, as_bound, as_impossibility
from hardlimit.theory.oracles import table_bits
from hardlimit.theory.retrieval.budget import greedy_cover, information_by_passages
from hardlimit.theory.retrieval.dimension import moment_documents, moment_query, realised_fraction
from hardlimit.theory.retrieval.poisoning import entry_similarity
from hardlimit.theory.sources import derived, paper

PAPER_PRODUCT_BOUND = Statement(
    id="PAPER-PRODUCT-BOUND",
    name="failure is at least one minus the product",
    limit=Limit.RETRIEVAL,
    status=Status.REFUTED,
    says="A retrieval system fails at least as often as one minus the product of retrieval and attention rates.",
    formula="P(fail) ≥ 1 − P(R)·P(A)        (needs independence, and no other way to the answer)",
    hypotheses=(),
    sources=(paper("coupling bound"), derived("Fréchet's inequalities")),
    silent_on="With P(A | R) in place of P(A), and no answers without the passage, it is right.",
    falsified_by="Refuted by a reader that attends exactly when the passage was retrieved.",
    paper="Correct is P(success) ≤ P(R)·P(A | R) + P(success, not R). RETR-1 has the interval.",
    worked="Both rates 0.5 and the two events the same: failure 0.50, where the bound says at least 0.75.",
)

PAPER_BREADTH = Statement(
    id="PAPER-BREADTH",
    name="mutual information decays with breadth",
    limit=Limit.RETRIEVAL,
    status=Status.REFUTED,
    says="The mutual information between the answer and the retrieved passages decays as more passages are added.",
    formula="I(Y; D₁…D_k) decreases in k        (by the chain rule it never does)",
    hypotheses=(),
    sources=(paper("breadth"), derived("chain rule")),
    silent_on="The accuracy of a bounded reader can fall with k: that is RETR-2.",
    falsified_by="Refuted by the chain rule: I(Y; D₁…D_k₊₁) − I(Y; D₁…D_k) is a mutual information.",
    paper="What decays is information per passage, or the accuracy of a reader that passages distract.",
    worked="Three noisy copies of a bit: 0.278, 0.461 and 0.594 bits with one, two and three of them.",
)

PAPER_TRADE_OFF = Statement(
    id="PAPER-TRADE-OFF",
    name="relevance and coverage cannot be optimised together",
    limit=Limit.RETRIEVAL,
    status=Status.REFUTED,
    says="Under a token budget relevance and coverage cannot both be optimised.",
    formula="no algorithm        (greedy reaches (1 − 1/e) of the best coverage)",
    hypotheses=(),
    sources=(paper("token budget"), Source(title="Nemhauser, Wolsey & Fisher (1978)")),
    silent_on="Exactly optimal coverage is NP-hard; the guarantee is for equal costs.",
    falsified_by="Refuted by an algorithm with a guaranteed share of the optimum.",
    paper="It is a trade-off with a good algorithm, not an impossibility.",
    worked="30 facets, 12 passages, 3 chosen: on a drawn instance greedy covers 21, the best choice 22.",
)

PAPER_TOPK_DIMENSION = Statement(
    id="PAPER-TOPK-DIMENSION",
    name="few top-k sets can be retrieved in few dimensions",
    limit=Limit.RETRIEVAL,
    status=Status.REFUTED,
    says=(
        "In d dimensions only a number of top-k sets that depends on d alone can be retrieved, however many documents."
    ),
    formula="number of retrievable top-k sets ≤ f(d)        (2k dimensions give all C(n, k), for every n)",
    hypotheses=(),
    sources=(paper("embedding limits"), derived("trigonometric moment curve")),
    silent_on="Below 2k dimensions it is right for large n. Precision must grow like 2k·log₂ n bits (RETR-4).",
    falsified_by="Refuted by a construction that retrieves every set in 2k dimensions.",
    paper="Right below d = 2k only; what binds above is precision and training.",
    worked="15 documents in 6 dimensions: all 575 sets of one, two or three documents.",
)

PAPER_POISON_RATE = Statement(
    id="PAPER-POISON-RATE",
    name="five poisoned texts succeed in 90 % of the cases",
    limit=Limit.RETRIEVAL,
    status=Status.EMPIRICAL,
    says=(
        "Five poisoned texts per question in a corpus of millions make the attack succeed in about 90 % of the cases."
    ),
    formula="attack success ≈ 0.9 at 5 texts        (a measurement; the entry threshold grows like √(ln N/d))",
    hypotheses=("measured with particular retrievers and readers that mix passages",),
    sources=(paper("poisoning figures"), Source(title="Zou et al., PoisonedRAG (2024)", url="arXiv:2402.07867")),
    silent_on="It is no law: isolation and voting bound the damage (RETR-6), and other readers differ.",
    falsified_by="A measurement with the same systems that is far from it.",
    paper="Quoted by the paper as a figure. RETR-6 says why corpus size does not help.",
    worked=(
        "In 768 dimensions the similarity that enters the top 5 grows from 0.159 to 0.192 when N grows a hundredfold."
    ),
)


def perfectly_coupled(rate: float = 0.5) -> Impossibility:
    """Show a system whose failure is below the product bound: the reader attends exactly when the passage is there.

    Args:
        rate: of both events, in (0, 1).

    Source:
        PAPER-PRODUCT-BOUND; RETR-1.

    >>> perfectly_coupled().witness
    {'failure': 0.5, 'product_bound': 0.75}
    """
    r = number("rate", rate, "(0, 1)")
    return Impossibility(
        statement=PAPER_PRODUCT_BOUND, at={"rate": r}, witness={"failure": 1 - r, "product_bound": 1 - r * r}
    )


def noisy_copies(copies: int = 3, flip: float = 0.2) -> Impossibility:
    """Show that information about a bit grows with every noisy copy.

    Args:
        copies: k, 1 to 12.
        flip: chance that a copy is wrong, in (0, 1/2).

    Source:
        PAPER-BREADTH.

    >>> [round(noisy_copies(k).witness["bits"], 3) for k in (1, 2, 3)]
    [0.278, 0.461, 0.594]
    """
    k, eta = whole("copies", copies, "[1, 12]"), number("flip", flip, "(0, 0.5)")
    joint = np.full((2,) + (2,) * k, 0.5)
    for place in np.ndindex(joint.shape):
        wrong = sum(copy != place[0] for copy in place[1:])
        joint[place] = 0.5 * eta**wrong * (1 - eta) ** (k - wrong)
    bits = information_by_passages(joint) / math.log(2)
    return Impossibility(
        statement=PAPER_BREADTH,
        at={"copies": k, "flip": eta},
        witness={"bits": float(bits[-1]), "smallest_gain": float(np.diff(bits).min())},
    )


def greedy_instance(facets: int = 30, passages: int = 12, chosen: int = 3, seed: int = 11) -> Impossibility:
    """Show how much of the best coverage greedy choice reaches on a drawn instance.

    Args:
        facets: to be covered, >= 1.
        passages: to choose from, 1 to 20.
        chosen: how many fit, >= 1.
        seed: of the instance.

    Source:
        PAPER-TRADE-OFF; RETR-2.

    >>> found = greedy_instance().witness
    >>> found["greedy"] >= (1 - 1 / math.e) * found["best"]
    True
    """
    sets = _instance(facets, whole("passages", passages, "[1, 20]"), seed)
    k = whole("chosen", chosen, f"[1, {passages}]")
    picked = greedy_cover(sets, [1.0] * len(sets), k)
    best = max(len(set().union(*(sets[i] for i in choice))) for choice in combinations(range(len(sets)), k))
    covered = len(set().union(*(sets[i] for i in picked)))
    return Impossibility(
        statement=PAPER_TRADE_OFF,
        at={"facets": facets, "passages": passages, "chosen": k, "seed": seed},
        witness={"greedy": covered, "best": best},
    )


def _instance(facets: int, passages: int, seed: int) -> list[set[int]]:
    rng = np.random.default_rng(seed)
    draws = rng.random((passages, whole("facets", facets, "[1, 10000]"))) < 0.2
    return [set(np.flatnonzero(row).tolist()) for row in draws]


def every_subset(documents: int = 15, size: int = 3) -> Impossibility:
    """Show that 2k dimensions retrieve every set of at most k documents.

    Args:
        documents: n, 2 to 60.
        size: k, 1 to 3.

    Source:
        PAPER-TOPK-DIMENSION; RETR-4.

    >>> every_subset().witness
    {'dimensions': 6, 'sets': 575, 'retrieved': 575}
    """
    n = whole("documents", documents, "[2, 60]")
    k = whole("size", size, f"[1, {min(3, n - 1)}]")
    subsets = [s for m in range(1, k + 1) for s in combinations(range(n), m)]
    share = realised_fraction(moment_documents(n, k), lambda s: moment_query(s, n, k), subsets)
    return Impossibility(
        statement=PAPER_TOPK_DIMENSION,
        at={"documents": n, "size": k},
        witness={"dimensions": 2 * k, "sets": len(subsets), "retrieved": round(share * len(subsets))},
    )


def entry_of_poison(corpus: int = 1_000_000, passages: int = 5, width: int = 768) -> Bound:
    """Give the similarity with which a poisoned text enters the top k; arguments as `entry_similarity`.

    Source:
        PAPER-POISON-RATE; RETR-6.

    >>> round(entry_of_poison().value, 4)
    0.1594
    """
    value = float(entry_similarity(corpus, passages, width))
    at = {"corpus": corpus, "passages": passages, "width": width}
    return exactly(PAPER_POISON_RATE, ENTRY_SIMILARITY, value, at=at)


def _retrieve_and_read(claim: Claim) -> Check:
    """Answer 400,000 questions with one coin for both events."""
    found = as_impossibility(claim)
    rate = float(found.at["rate"])
    both = np.random.default_rng(0).random(400_000) < rate
    failure, product = 1 - float(both.mean()), 1 - float(both.mean()) ** 2
    holds = abs(failure - float(found.witness["failure"])) < 0.005
    holds = holds and abs(product - float(found.witness["product_bound"])) < 0.005 and failure < product
    return Check(holds=holds, says="400,000 questions, one coin for retriever and reader", seen={"failure": failure})


def _count_votes(claim: Claim) -> Check:
    """Sum the same information over the number of copies that say one: it is all they tell."""
    found = as_impossibility(claim)
    eta, most = float(found.at["flip"]), int(found.at["copies"])
    bits = [0.0]
    for k in range(1, most + 1):
        ones = [math.comb(k, j) * eta**j * (1 - eta) ** (k - j) for j in range(k + 1)]
        bits.append(table_bits(0.5 * np.array([ones, ones[::-1]])))
    gain = min(b - a for a, b in pairwise(bits))
    holds = math.isclose(bits[-1], float(found.witness["bits"]), rel_tol=1e-9) and gain > 0
    holds = holds and math.isclose(gain, float(found.witness["smallest_gain"]), rel_tol=1e-6)
    return Check(holds=holds, says="information of the number of copies that say one", seen={"bits": bits[-1]})


def _search_all(claim: Claim) -> Check:
    """Search all choices again, by bit masks."""
    found = as_impossibility(claim)
    at = found.at
    sets = _instance(int(at["facets"]), int(at["passages"]), int(at["seed"]))
    masks = [sum(1 << facet for facet in s) for s in sets]
    best = covered = 0
    for choice in combinations(masks, int(at["chosen"])):
        union = 0
        for mask in choice:
            union |= mask
        best = max(best, union.bit_count())
    for _ in range(int(at["chosen"])):
        covered = max((covered | mask for mask in masks), key=lambda union: union.bit_count())
    greedy = covered.bit_count()
    holds = best == found.witness["best"] and greedy == found.witness["greedy"] and greedy >= (1 - 1 / math.e) * best
    return Check(holds=holds, says="all choices searched, greedy repeated", seen={"best": best, "greedy": greedy})


def _product_scores(claim: Claim) -> Check:
    """Score documents by the product itself, without vectors: zero on the set and negative elsewhere."""
    found = as_impossibility(claim)
    n, k = int(found.at["documents"]), int(found.at["size"])
    angles = 2 * np.pi * np.arange(n) / n
    kept = total = 0
    for m in range(1, k + 1):
        for chosen in combinations(range(n), m):
            scores = -np.prod(1 - np.cos(angles[:, None] - angles[list(chosen)]), axis=1)
            others = np.delete(scores, list(chosen))
            total += 1
            kept += bool(scores[list(chosen)].min() > others.max())
    numbers = (found.witness["sets"], found.witness["retrieved"], found.witness["dimensions"])
    return Check(holds=numbers == (total, kept, 2 * k), says="documents scored by the product", seen={"kept": kept})


def _exact_cosines(claim: Claim) -> Check:
    """Take the quantile from the exact law of a random cosine: its square is Beta(1/2, (d − 1)/2)."""
    at = as_bound(claim).at
    share, width = float(at["passages"]) / float(at["corpus"]), int(at["width"])
    exact = math.sqrt(float(betainccinv(0.5, (width - 1) / 2, 2 * share)))
    return agrees(claim, exact, 0.02, "the quantile of the exact law of a random cosine")


ENTRIES = (
    Entry(statement=PAPER_PRODUCT_BOUND, example=perfectly_coupled, confront=_retrieve_and_read),
    Entry(statement=PAPER_BREADTH, example=noisy_copies, confront=_count_votes),
    Entry(statement=PAPER_TRADE_OFF, example=greedy_instance, confront=_search_all),
    Entry(statement=PAPER_TOPK_DIMENSION, example=every_subset, confront=_product_scores),
    Entry(statement=PAPER_POISON_RATE, example=entry_of_poison, confront=_exact_cosines),
)
