"""Worked claims about retrieval, and what each is set beside."""

import math

import numpy as np
from scipy.spatial import ConvexHull

from hardlimit.core import Claim
from hardlimit.theory.entry import Check, Entry, agrees, as_bound, as_impossibility, as_shape, attacked, follows
from hardlimit.theory.retrieval.budget import RETR_2, passage_budget
from hardlimit.theory.retrieval.dimension import RETR_4, three_dimensions_fail
from hardlimit.theory.retrieval.drift import RETR_5, drift_floor
from hardlimit.theory.retrieval.poisoning import RETR_6, certificate
from hardlimit.theory.retrieval.ranking import RETR_3, recall_by_corpus
from hardlimit.theory.retrieval.recall import RETR_1, recall_needed


def _answer_questions(claim: Claim) -> Check:
    """Answer a million questions at the break-even recall and compare with the closed book."""
    bound = as_bound(claim)
    rng = np.random.default_rng(0)
    found = rng.random(1_000_000) < bound.value
    right = rng.random(found.size) < np.where(found, float(bound.at["with_gold"]), float(bound.at["without_gold"]))
    gap = float(right.mean()) - float(bound.at["closed_book"])
    says = "a million questions answered at this recall, against the closed book"
    return Check(holds=abs(gap) < 0.004, says=says, seen={"accuracy_minus_closed_book": gap})


def _try_every_number(claim: Claim) -> Check:
    """Work out the accuracy for every number of passages, hit by hit."""
    at = as_bound(claim).at
    p, d = float(at["hit"]), float(at["distraction"])
    accuracy, missed, reader = [], 1.0, 1.0
    for _ in range(300):
        missed *= 1 - p
        accuracy.append((1 - missed) * reader)
        reader *= 1 - d
    return agrees(claim, int(np.argmax(accuracy)) + 1, 0.0, "every number of passages up to 300 tried")


def _rank_drawn_scores(claim: Claim) -> Check:
    """Draw scores and count how often the gold one is among the top k."""
    shape = as_shape(claim)
    rng = np.random.default_rng(0)
    found = []
    for corpus, _ in shape.points:
        gold = rng.normal(float(shape.parameters["gap"]), 1.0, 10_000)
        others = rng.standard_normal((10_000, int(corpus)), dtype=np.float32)
        found.append(float(np.mean((others > gold[:, None]).sum(axis=1) < shape.parameters["passages"])))
    return follows(claim, found, 0.03, "10,000 drawn rankings per corpus")


def _hull_edges(claim: Claim) -> Check:
    """Count the edges of the documents' convex hull: the pairs that a plane cuts off."""
    found = as_impossibility(claim)
    t = np.linspace(-1.0, 1.0, int(found.at["documents"]))
    hull = ConvexHull(np.column_stack([t, t**2, t**3]))
    faces = [(face, np.roll(face, 1)) for face in hull.simplices]
    edges = {tuple(sorted((int(a), int(b)))) for face, turned in faces for a, b in zip(face, turned, strict=True)}
    failure = tuple(int(i) for i in str(found.witness["first_failure"]).split())
    holds = len(edges) == found.witness["retrievable"] and failure not in edges
    holds = holds and found.witness["pairs"] == math.comb(t.size, 2) > len(edges)
    return Check(holds=holds, says="edges of the convex hull of the documents, counted", seen={"edges": len(edges)})


def _turn_in_one_plane(claim: Claim) -> Check:
    """Turn the query in one plane, always the same way."""
    at = as_bound(claim).at
    cosine = float(at["cosine"])
    turn = np.array([[cosine, -math.sqrt(1 - cosine**2)], [math.sqrt(1 - cosine**2), cosine]])
    query, reached = np.array([1.0, 0.0]), 1.0
    for _ in range(int(at["hops"])):
        query = turn @ query
        reached = min(reached, float(query[0]))
    return attacked(claim, {"turned_in_one_plane": reached}, "the query turned in one plane, always the same way")


def _replace_votes(claim: Claim) -> Check:
    """Replace ever more votes in the worst way until the winner no longer leads."""
    at = as_bound(claim).at
    first, second, withstood = int(at["votes"]), int(at["runner_up"]), 0
    while first - 1 > second + 1:
        first, second, withstood = first - 1, second + 1, withstood + 1
    return agrees(claim, withstood, 0.0, "votes of the winner turned to the runner-up one by one")


ENTRIES = (
    Entry(statement=RETR_1, example=lambda: recall_needed(0.4, 0.25, 0.9), confront=_answer_questions),
    Entry(statement=RETR_2, example=lambda: passage_budget(0.3, 0.03), confront=_try_every_number),
    Entry(statement=RETR_3, example=lambda: recall_by_corpus([100, 1000], 3.0), confront=_rank_drawn_scores),
    Entry(statement=RETR_4, example=lambda: three_dimensions_fail(6), confront=_hull_edges),
    Entry(statement=RETR_5, example=lambda: drift_floor(0.9, 5), confront=_turn_in_one_plane),
    Entry(statement=RETR_6, example=lambda: certificate(8, 2), confront=_replace_votes),
)
