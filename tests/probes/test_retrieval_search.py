"""Retrieval alone: exact search, recall by corpus size, margins, drift, and planted texts."""

import math
import re
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.models.toy.retrieval import BagOfLetters
from hardlimit.probes.retrieval import (
    ABSENT,
    BM25,
    Corpus,
    Dense,
    Document,
    Hybrid,
    Origin,
    Query,
    coined_corpus,
    documents_with_answer,
    drift,
    fit_gap,
    ladder,
    margin,
    poison_by_corpus,
    poisoned,
    recall_at_k,
    recall_by_corpus,
    rewritten,
)
from hardlimit.probes.retrieval.dense import DTYPES, projected, search_vectors, stored
from hardlimit.probes.retrieval.margin import coherence, margins
from hardlimit.probes.retrieval.ranking import BEYOND, needed_ranks, recall_chances
from hardlimit.probes.retrieval.retrievers import top_k
from hardlimit.theory.retrieval.ranking import recall_at_k as recall_in_theory

ORIGIN = Origin(probe="coined", model="toy", seed=3)


@pytest.fixture(scope="module")
def coined():
    return coined_corpus(documents=600, queries=40, seed=2)


def words(text):
    from bm25s.stopwords import STOPWORDS_EN

    return [word for word in re.findall(r"\b\w\w+\b", text.lower()) if word not in STOPWORDS_EN]


def brute_bm25(texts, query, k1=1.5, b=0.75):
    counts = [Counter(words(text)) for text in texts]
    lengths = [sum(count.values()) for count in counts]
    mean = sum(lengths) / len(lengths)
    scores = np.zeros(len(texts))
    for word in words(query):
        holders = sum(word in count for count in counts)
        idf = math.log(1 + (len(texts) - holders + 0.5) / (holders + 0.5))
        for place, count in enumerate(counts):
            scores[place] += idf * count[word] / (count[word] + k1 * (1 - b + b * lengths[place] / mean))
    return scores


def test_bm25_finds_what_brute_force_finds(coined):
    corpus, queries = coined
    k = 20
    found = BM25(corpus).search(queries, k)
    for row, query in zip(found, queries, strict=True):
        scores = brute_bm25(corpus.texts, query.text)
        best = np.sort(scores)[::-1][:k]
        kept = row[row != ABSENT]
        assert len(kept) == min(k, int((scores > 0).sum())) == len(set(kept.tolist()))
        np.testing.assert_allclose(scores[kept], best[: len(kept)], rtol=1e-5)


def test_bm25_finds_nothing_without_a_common_word():
    corpus = Corpus(name="two", documents=(Document(id="a", text="?!"), Document(id="b", text="red apples")))
    index = BM25(corpus)
    asked = [Query(id=text, text=text, answers=("x",)) for text in ("", "the", "pears", "Apples")]
    assert index.search(asked, 2).tolist() == [[-1, -1], [-1, -1], [-1, -1], [1, -1]]
    empty = BM25(Corpus(name="none", documents=(Document(id="a", text="?!"),)))
    assert empty.search(asked, 1).tolist() == [[-1]] * 4


def test_dense_search_is_exact_and_breaks_ties_by_place(coined):
    corpus, queries = coined
    dense = Dense(corpus, BagOfLetters())
    found = dense.search(queries, 15)
    scores = dense.embed(queries) @ dense.vectors.T
    assert found.tolist() == np.argsort(-scores, axis=1, kind="stable")[:, :15].tolist()
    # 9 documents in 3 ties: only the first of each may come before the next.
    ties = np.repeat(np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], dtype=np.float32), 3, axis=0)
    assert search_vectors(ties, np.array([[1.0, 0.0]], dtype=np.float32), 5).tolist() == [[0, 1, 2, 3, 4]]
    assert dense.first(100).search(queries, 3).max() < 100


@pytest.mark.parametrize("k", [1, 3, 10])
def test_top_k_agrees_with_sorting(rng, k):
    for _ in range(50):
        scores = rng.integers(0, 4, size=8).astype(np.float32)
        wanted = [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] > 0][:k]
        assert top_k(scores, k, above=0.0).tolist() == wanted + [ABSENT] * (k - len(wanted))


def test_fusion_is_reciprocal_rank():
    class Fixed:
        def __init__(self, *ranked):
            self.name, self._ranked = "fixed", ranked

        def search(self, queries, k):
            return np.array([[*self._ranked, *[ABSENT] * k][:k]])

    asked = [Query(id="q", text="?", answers=("x",))]
    # 2 is second twice (2/62), 0 and 3 first once (1/61), 1 third once (1/63).
    assert Hybrid([Fixed(0, 2, 1), Fixed(3, 2)]).search(asked, 5).tolist() == [[2, 0, 3, 1, ABSENT]]


def test_the_coined_corpus_answers_its_questions_once():
    corpus, queries = coined_corpus(documents=300, queries=60, seed=9, hops=2)
    places = corpus.places
    assert len({query.text for query in queries}) == 60
    for query in queries:
        first, last = (corpus.documents[places[id]].text for id in query.gold)
        assert query.answers[0] in last
        assert {word.strip(".,;") for word in first.split()} & {word.strip(".,;") for word in last.split()}
    needed = {id for query in queries for id in query.gold}
    assert max(places[id] for id in needed) < len(needed)
    other, _ = coined_corpus(documents=300, queries=60, seed=10)
    again, _ = coined_corpus(documents=300, queries=60, seed=9, hops=2)
    assert other.fingerprint != corpus.fingerprint == again.fingerprint


def test_nothing_is_its_own_answer():
    # Of the smallest corpora 8 persons would each be their own teacher with probability 1/8.
    for seed in range(12):
        _, queries = coined_corpus(documents=20, queries=20, seed=seed)
        assert not any(query.answers[0] in query.text for query in queries)


def test_corpora_that_cannot_be():
    with pytest.raises(InvalidValueError, match="two documents with the same id"):
        Corpus(name="c", documents=(Document(id="a", text="1"), Document(id="a", text="2")))
    with pytest.raises(InvalidValueError, match="has no documents"):
        Corpus(name="c", documents=())
    with pytest.raises(InvalidValueError, match="5 questions of 2 hops need 10 documents, got 9"):
        coined_corpus(documents=9, queries=5, seed=0, hops=2)


def test_answers_are_found_as_whole_words():
    corpus = Corpus(
        name="c",
        documents=(Document(id="a", text="In Roman times."), Document(id="b", text="It was ROME, then.")),
    )
    assert documents_with_answer(corpus, Query(id="q", text="?", answers=("Rome", "Roma"))) == ("b",)


def test_the_rank_is_that_of_the_last_needed_document(coined):
    corpus, _ = coined
    asked = (
        Query(id="q", text="?", answers=("x",), gold=("d1", "d4")),
        Query(id="r", text="?", answers=("x",), gold=("d2",)),
    )
    found = np.array([[4, 0, 1], [4, 0, 1]])
    assert needed_ranks(found, corpus, asked).tolist() == [3, BEYOND]
    with pytest.raises(InvalidValueError, match="names the document 'zz', which it lacks"):
        needed_ranks(found, corpus, (Query(id="q", text="?", answers=("x",), gold=("zz",)),))
    with pytest.raises(InvalidValueError, match="names no needed document"):
        needed_ranks(found, corpus, (Query(id="q", text="?", answers=("x",)),))


@pytest.mark.parametrize(
    ("distractors", "k", "gap"), [(999_999, 1, 5.0), (999_999, 100, 5.0), (1000, 1, 3.0), (7, 3, 0)]
)
def test_the_law_of_recall_is_that_of_the_theory(distractors, k, gap):
    assert recall_chances(distractors, k, gap)[0] == pytest.approx(recall_in_theory(gap, distractors, k), abs=1e-6)
    assert recall_chances(2, 3, gap)[0] == 1.0


def simulated_ranks(mu, sizes, questions, rng):
    """Ranks under the law: each question's needed document outscores all but Binomial(N, p) nested distractors."""
    beaten = stats.norm.sf(rng.normal(mu, 1, size=questions))
    more = np.diff([0, *(size - 1 for size in sizes)])
    return 1 + np.cumsum(rng.binomial(more[None, :], beaten[:, None]), axis=1)


def test_the_interval_of_the_gap_covers_the_truth(rng):
    """200 fits with intervals of 95 %: fewer than 176 cover with probability 5e-5 if the coverage is nominal."""
    sizes, covered, found = (50, 500, 5_000), 0, []
    for seed in range(200):
        gap = fit_gap(simulated_ranks(2.5, sizes, 80, rng), sizes, (1, 5), seed=seed)
        covered += gap.low <= 2.5 <= gap.high
        found.append(gap.value)
    assert covered >= 176
    # The mean of 200 estimates has a standard error of about 0.01; 0.06 leaves room for a small-sample bias.
    assert abs(np.mean(found) - 2.5) < 0.06


def test_only_one_end_of_the_gap_is_known_when_all_are_hits_or_none_is():
    sizes = (50, 500)
    hit = fit_gap(np.ones((60, 2), dtype=np.int64), sizes, (1,), seed=0)
    assert (hit.value, hit.high, hit.misfit) == (None, None, None)
    # The bound is where recall at 1 among 500 is the exact lower limit of 60 of 60, 0.05^(1/60).
    assert recall_chances(499, 1, hit.low)[0] == pytest.approx(0.05 ** (1 / 60), abs=1e-3)
    none = fit_gap(np.full((60, 2), BEYOND), sizes, (1,), seed=0)
    assert (none.value, none.low) == (None, None)
    assert recall_chances(49, 1, none.high)[0] == pytest.approx(1 - 0.05 ** (1 / 60), abs=1e-3)
    with pytest.raises(InsufficientDataError, match="1 questions at 2 sizes"):
        fit_gap(np.ones((1, 2), dtype=np.int64), sizes, (1,), seed=0)


def test_the_ladder_descends_from_the_oracle_to_nothing(coined):
    corpus, queries = coined
    measured = recall_at_k(ladder(corpus, BagOfLetters()), corpus, queries, (1, 5), ORIGIN)
    recall = {(point.at["retriever"], point.at["k"]): point.estimate.value for point in measured.points}
    assert [name for name, k in recall if k == 1] == ["oracle", "bm25", "dense", "hybrid", "none"]
    assert recall["oracle", 1] == 1.0 and recall["none", 5] == 0.0
    assert recall["bm25", 5] > 0.9 > recall["dense", 5]
    assert measured.estimate.value == recall["hybrid", 5]
    assert measured.name == "retrieval.recall_at_k" and all(point.tally.n == 40 for point in measured.points)
    found = BM25(corpus).search(queries, 5)
    needed = [corpus.places[query.gold[0]] for query in queries]
    by_hand = np.mean([place in row for place, row in zip(needed, found.tolist(), strict=True)])
    assert recall["bm25", 5] == by_hand


def test_recall_falls_with_the_corpus_and_the_gap_is_reported(coined):
    corpus, queries = coined
    dense = Dense(corpus, BagOfLetters())
    measured = recall_by_corpus(
        lambda part: [dense.first(len(part))], corpus, queries, sizes=(40, 150, 600), ks=(1, 10), origin=ORIGIN
    )
    for k in (1, 10):
        recall = [point.estimate.value for point in measured.points if point.at["k"] == k]
        assert recall == sorted(recall, reverse=True) and recall[0] > recall[-1]
    parameters = measured.parameters
    assert parameters["mu.dense_low"] < parameters["mu.dense"] < parameters["mu.dense_high"]
    assert 0 <= parameters["misfit.dense"] < 1
    assert min(parameters["mu_at_k.dense.1"], parameters["mu_at_k.dense.10"]) < parameters["mu.dense"]
    assert max(parameters["mu_at_k.dense.1"], parameters["mu_at_k.dense.10"]) > parameters["mu.dense"]
    assert [point.at["documents"] for point in measured.points] == [40, 40, 150, 150, 600, 600]
    with pytest.raises(InvalidValueError, match=r"must be whole numbers >= 1 in ascending order, got \[600, 40\]"):
        recall_by_corpus(lambda part: [], corpus, queries, sizes=(600, 40), ks=(1,), origin=ORIGIN)


def test_planted_texts_are_counted_for_their_own_question(coined):
    corpus, queries = coined

    class Picks:
        name = "picks"

        def __init__(self, size, dose):
            self._size, self._dose = size, dose

        def search(self, queries, k):
            # The first 10 questions find a planted text of their own; the others that of the next question.
            own = [place if place < 10 else (place + 1) % len(queries) for place in range(len(queries))]
            return np.array([[0, self._size + place * self._dose + 1] for place in own])

    measured = poison_by_corpus(
        lambda part: [Picks(len(part) - 80, 2)], corpus, queries, sizes=(100, 500), k=2, dose=2, origin=ORIGIN
    )
    assert [point.tally.right for point in measured.points] == [10, 10]
    assert [point.at for point in measured.points] == [
        {"retriever": "picks", "documents": 100},
        {"retriever": "picks", "documents": 500},
    ]
    real = poison_by_corpus(lambda part: [BM25(part)], corpus, queries, sizes=(100, 600), k=3, dose=1, origin=ORIGIN)
    # A text that repeats the question word for word is found among any number of others.
    assert [point.estimate.value for point in real.points] == [1.0, 1.0]


def test_planted_texts_stand_at_the_end(coined):
    corpus, queries = coined
    attacked = poisoned(corpus, queries[0], "Loswick", 3, seed=0)
    assert len(attacked) == len(corpus) + 3 and attacked.documents[: len(corpus)] == corpus.documents
    assert all(queries[0].text in document.text and "Loswick" in document.text for document in attacked.documents[-3:])


class Plane:
    """Texts are angles in degrees."""

    name, revision, width = "plane", "1", 2

    def encode(self, texts):
        angles = np.radians([float(text) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def plane(*angles):
    return Corpus(name="p", documents=tuple(Document(id=str(i), text=str(a)) for i, a in enumerate(angles)))


def test_the_margin_is_the_lead_of_the_needed_document():
    corpus = plane(0, 30, 90)
    asked = (
        Query(id="q", text="10", answers=("x",), gold=("0",)),
        Query(id="r", text="10", answers=("x",), gold=("2",)),
    )
    measured = margin(Dense(corpus, Plane()), corpus, asked, origin=ORIGIN, dimensions=(1,))
    cosine = {angle: math.cos(math.radians(angle)) for angle in (10, 20, 80)}
    leads = [cosine[10] - cosine[20], cosine[80] - cosine[10]]
    assert measured.points[0].at == {"dtype": "float32", "dimensions": 2}
    assert measured.points[0].estimate.value == pytest.approx(np.mean(leads), abs=1e-6)
    assert (measured.tally.right, measured.tally.wrong) == (1, 1)
    assert [point.at["dtype"] for point in measured.points] == [*DTYPES, "float32"]
    assert measured.points[-1].at["dimensions"] == 1
    assert measured.parameters["coherence"] == pytest.approx(math.cos(math.radians(30)))
    assert measured.parameters["centroid_k"] == 1
    assert measured.parameters["changed.float32"] == 0.0 == measured.parameters["rounding.float32"]
    assert 0 < measured.parameters["rounding.float16"] < measured.parameters["rounding.bfloat16"] < 0.02
    with pytest.raises(InvalidValueError, match="'q', whose needed documents are not in the corpus"):
        margin(Dense(corpus, Plane()), corpus, (Query(id="q", text="1", answers=("x",)),), origin=ORIGIN)


def test_the_margin_of_several_needed_documents_is_that_of_the_weakest():
    vectors = Plane().encode(["0", "20", "50", "90"])
    lead = margins(vectors, Plane().encode(["0"]), [[0, 2]])[0]
    assert lead == pytest.approx(math.cos(math.radians(50)) - math.cos(math.radians(20)), abs=1e-6)


def test_close_documents_change_places_in_few_bits():
    # Both documents round to the same bfloat16, so that the first of them comes first; the second is nearer.
    corpus = plane(45, 45.05)
    asked = tuple(Query(id=str(angle), text=str(angle), answers=("x",), gold=("1",)) for angle in (80, 85))
    measured = margin(Dense(corpus, Plane()), corpus, asked, origin=ORIGIN)
    assert measured.tally.right == 2
    assert [measured.parameters[f"changed.{dtype}"] for dtype in ("float32", "float16", "bfloat16")] == [0, 0, 1]


def test_stored_vectors_are_those_of_the_dtype(rng):
    torch = pytest.importorskip("torch")
    vectors = rng.standard_normal((50, 20)).astype(np.float32)
    for dtype in ("float16", "bfloat16"):
        there = torch.from_numpy(vectors).to(getattr(torch, dtype)).float().numpy()
        assert np.array_equal(stored(vectors, dtype), there)
    rough = stored(vectors, "int8")
    steps = rough / (np.abs(vectors).max(axis=1, keepdims=True) / 127)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    assert np.abs(rough - vectors).max() <= np.abs(vectors).max() / 127
    assert np.array_equal(stored(np.zeros((1, 3), dtype=np.float32), "int8"), np.zeros((1, 3)))


def test_projections_keep_cosines_on_average_and_lie_inside_each_other(rng):
    vectors = rng.standard_normal((300, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = projected(vectors, 64, seed=1)
    np.testing.assert_allclose(whole @ whole.T, vectors @ vectors.T, atol=1e-5)
    low, lower = projected(vectors, 32, seed=1), projected(vectors, 16, seed=1)
    np.testing.assert_allclose(np.linalg.norm(low, axis=1), 1, atol=1e-5)
    cut = low[:, :16] / np.linalg.norm(low[:, :16], axis=1, keepdims=True)
    np.testing.assert_allclose(cut, lower, atol=1e-5)
    assert coherence(vectors) < coherence(lower)


def test_drift_is_the_cosine_to_the_first_query():
    measured = drift([("0", "20", "60"), ("10", "0", "40"), ("5", "5")], Plane(), ORIGIN)
    first, second = measured.points
    cosine = lambda *angles: np.mean([math.cos(math.radians(angle)) for angle in angles])  # noqa: E731
    assert first.at == {"hop": 1} and first.estimate.n == 3
    assert first.estimate.value == pytest.approx(cosine(20, 10, 0), abs=1e-6)
    assert second.estimate.value == pytest.approx(cosine(60, 30), abs=1e-6) and second.estimate.n == 2
    assert measured.parameters["step.2"] == pytest.approx(cosine(40, 40), abs=1e-6)
    assert measured.parameters["product.2"] == pytest.approx(np.mean([
        math.cos(math.radians(20)) * math.cos(math.radians(40)), math.cos(math.radians(10)) * math.cos(math.radians(40))
    ]), abs=1e-6)  # fmt: skip
    with pytest.raises(InvalidValueError, match="at least two chains with a rewriting each, got 1 chains"):
        drift([("0", "1")], Plane(), ORIGIN)


def test_rewriting_by_templates_starts_at_the_query_and_moves():
    chain = rewritten("Who founded Zub Mills?", hops=6, seed=1)
    assert chain[0] == "Who founded Zub Mills?" and len(set(chain)) == 7
    assert chain == rewritten("Who founded Zub Mills?", hops=6, seed=1) != rewritten("Who founded Zub Mills?", hops=6,
                                                                                     seed=2)  # fmt: skip
    with pytest.raises(InvalidValueError, match="hops >= 0, got -1"):
        rewritten("x", hops=-1, seed=0)
