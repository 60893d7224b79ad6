"""Retrieval alone, without a reader: recall by k and by corpus size, and whether planted texts get in."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from hardlimit.core import InvalidValueError, Measurement, Point, Scalar
from hardlimit.core.quantity import POISON_ENTRY, RETRIEVAL_RECALL
from hardlimit.probes.retrieval.corpus import Corpus, Document, Query, poison_texts
from hardlimit.probes.retrieval.ranking import Counts, fit_gap, ranks_of
from hardlimit.probes.retrieval.record import Origin, check_ascending, hit_point
from hardlimit.probes.retrieval.retrievers import Retriever

Build: TypeAlias = Callable[[Corpus], Sequence[Retriever]]
"""Makes retrievers that search a corpus."""


def recall_at_k(
    ladder: Sequence[Retriever], corpus: Corpus, queries: Sequence[Query], ks: Sequence[int], origin: Origin
) -> Measurement:
    """Share of the questions whose needed documents are all among the first k, for each retriever.

    The summary is that of the last retriever but `none` at the largest k.

    Raises:
        InvalidValueError: no retriever, ks that do not ascend, or a question whose needed documents are not known.
        InsufficientDataError: no questions.
    """
    ks = check_ascending("The numbers of passages k", ks)
    if not ladder:
        raise InvalidValueError("Recall needs at least one retriever.")
    points, best = [], None
    for retriever in ladder:
        ranks = ranks_of(retriever, corpus, queries, ks[-1])
        points += [hit_point({"retriever": retriever.name, "k": k}, ranks <= k) for k in ks]
        if best is None or retriever.name != "none":
            best = points[-1]
    assert best is not None and best.tally is not None
    return origin.measurement(
        "recall_at_k",
        RETRIEVAL_RECALL,
        best.tally,
        value=best.estimate,
        points=points,
        note=f"The summary is the recall of '{best.at['retriever']}' at k = {best.at['k']} among {len(corpus)} "
        "documents.",
    )


def recall_by_corpus(
    build: Build,
    corpus: Corpus,
    queries: Sequence[Query],
    *,
    sizes: Sequence[int],
    ks: Sequence[int],
    origin: Origin,
) -> Measurement:
    """Recall in the first so many documents, and the gap μ of a law of normal scores fitted to each retriever.

    The needed document's score is taken as N(μ, 1) among N(0, 1) of the others; `mu.<retriever>` is fitted to every
    size and k together, `mu_at_k.<retriever>.<k>` to one k. `misfit.<retriever>` is the largest difference between an
    observed recall and the fitted one. Where it is large, or μ is another at another k, the law does not hold, as when
    few hard distractors outweigh the many easy ones; the interval then speaks of the fit, not of the truth.

    Args:
        build: makes the retrievers of each corpus.
        corpus: the largest one; its first documents are the smaller ones, and hold what the questions need.
        queries: each needs one document.
        sizes: documents of each corpus, ascending.
        ks: passages retrieved, ascending.
        origin: for the record.

    Raises:
        InvalidValueError: sizes or ks that cannot be, or a question whose needed document is not in the smallest.
    """
    sizes, ks = check_ascending("The corpus sizes", sizes), check_ascending("The numbers of passages k", ks)
    if any(len(query.gold) != 1 for query in queries):
        raise InvalidValueError("Recall by corpus size is fitted to questions that need exactly one document each.")
    ranks: dict[str, list[Counts]] = {}
    for size in sizes:
        part = corpus.first(size)
        for retriever in build(part):
            ranks.setdefault(retriever.name, []).append(ranks_of(retriever, part, queries, ks[-1]))
    points: list[Point] = []
    parameters: dict[str, Scalar | None] = {}
    for name, found in ranks.items():
        for size, column in zip(sizes, found, strict=True):
            points += [hit_point({"retriever": name, "documents": size, "k": k}, column <= k) for k in ks]
        parameters |= _gap_of(name, np.stack(found, axis=1), sizes, ks, origin.seed)
    last = points[-1]
    assert last.tally is not None
    return origin.measurement(
        "recall_by_corpus",
        RETRIEVAL_RECALL,
        last.tally,
        value=last.estimate,
        points=points,
        parameters=parameters,
        note=f"The summary is the recall of '{last.at['retriever']}' at k = {last.at['k']} among {sizes[-1]} "
        "documents. All sizes share their questions.",
    )


def _gap_of(name: str, ranks: Counts, sizes: Sequence[int], ks: Sequence[int], seed: int) -> dict[str, Scalar | None]:
    if name in ("oracle", "none"):
        return {}  # neither scores anything
    gap = fit_gap(ranks, sizes, ks, seed=seed)
    alone: dict[str, Scalar | None] = {
        f"mu_at_k.{name}.{k}": fit_gap(ranks, sizes, [k], seed=seed).value for k in ks if k < sizes[-1]
    }
    return alone | {
        f"mu.{name}": gap.value,
        f"mu.{name}_low": gap.low,
        f"mu.{name}_high": gap.high,
        f"misfit.{name}": gap.misfit,
    }


def poison_by_corpus(
    build: Build,
    corpus: Corpus,
    queries: Sequence[Query],
    *,
    sizes: Sequence[int],
    k: int,
    dose: int,
    origin: Origin,
) -> Measurement:
    """Share of the questions with one of their own planted texts among the first k, as the corpus grows.

    Every question is attacked with `dose` texts that repeat it and assert a wrong answer, and all planted texts stand
    in one corpus. The wrong answer is one that is right of another question.

    Args:
        build: makes the retrievers of each corpus.
        corpus: the largest clean one.
        queries: at least two.
        sizes: clean documents of each corpus, ascending.
        k: passages retrieved, >= 1.
        dose: planted texts for each question, >= 1.
        origin: for the record.

    Raises:
        InvalidValueError: arguments out of range.
    """
    sizes = check_ascending("The corpus sizes", sizes)
    if len(queries) < 2 or k < 1 or dose < 1:
        raise InvalidValueError(
            f"An attack needs at least 2 questions, k >= 1 and dose >= 1, got {len(queries)} questions, k={k}, "
            f"dose={dose}."
        )
    planted = _plant(queries, dose, origin.seed)
    points = []
    for size in sizes:
        part = corpus.first(size)
        attacked = Corpus(name=f"{part.name}+{len(planted)} planted", documents=(*part.documents, *planted))
        for retriever in build(attacked):
            found = retriever.search(queries, k)
            owners = np.where(found >= size, (found - size) // dose, -1)
            entered = (owners == np.arange(len(queries))[:, None]).any(axis=1)
            points.append(hit_point({"retriever": retriever.name, "documents": size}, entered))
    last = points[-1]
    assert last.tally is not None
    return origin.measurement(
        "poison_by_corpus",
        POISON_ENTRY,
        last.tally,
        value=last.estimate,
        points=points,
        parameters={"k": k, "dose": dose},
        note=f"Each question was attacked with {dose} planted texts; the summary is at {sizes[-1]} clean documents.",
    )


def _plant(queries: Sequence[Query], dose: int, seed: int) -> tuple[Document, ...]:
    documents = []
    for place, query in enumerate(queries):
        accepted = {answer.casefold() for answer in query.answers}
        others = (queries[(place + step) % len(queries)] for step in range(1, len(queries)))
        wrong = [answer for other in others for answer in other.answers if answer.casefold() not in accepted]
        if not wrong:
            raise InvalidValueError(f"No other question has an answer that would be wrong for '{query.id}'.")
        texts = poison_texts(query.text, wrong[0], dose, seed)
        documents += [Document(id=f"poison:{query.id}:{copy}", text=text) for copy, text in enumerate(texts)]
    return tuple(documents)
