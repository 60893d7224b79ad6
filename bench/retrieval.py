"""Retrieval alone, measured: recall of each retriever by corpus size, the gap μ, margins, drift, planted texts.

Usage: python bench/retrieval.py [--dense N] [--bm25 N] [--seed S]

Embeddings are kept in the cache, so that a second run costs searches only. The dense part needs the extra `local`.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hardlimit.core import Measurement
from hardlimit.models.embedding import Embeds, embeddings_folder, open_embedding
from hardlimit.probes.retrieval import (
    BM25,
    Corpus,
    Dense,
    Hybrid,
    Origin,
    Query,
    Retriever,
    coined_corpus,
    drift,
    margin,
    poison_by_corpus,
    recall_by_corpus,
    rewritten,
)

KS = (1, 5, 10)
QUERIES = 200


@contextmanager
def timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)


def sizes_up_to(documents: int) -> tuple[int, ...]:
    return tuple(size for size in (1_000, 3_000, 10_000, 30_000, 100_000) if size <= documents)


def show(measured: Measurement) -> None:
    print(f"\n{measured.name}: {measured.note}")
    for point in measured.points:
        interval = point.estimate.interval
        at = "  ".join(f"{name} {value}" for name, value in point.at.items())
        print(f"  {at}: {point.estimate.value:.4f} [{interval.low:.4f}, {interval.high:.4f}]")
    for name, value in measured.parameters.items():
        print(f"  {name} = {value:.4g}" if isinstance(value, float) else f"  {name} = {value}")


def words_alone(documents: int, seed: int) -> None:
    with timed(f"coining {documents} documents"):
        corpus, queries = coined_corpus(documents=documents, queries=QUERIES, seed=seed)
    origin = Origin(probe=corpus.name, model="bm25", seed=seed)
    with timed("indexing and searching every size with bm25"):
        measured = recall_by_corpus(
            lambda part: [BM25(part)], corpus, queries, sizes=sizes_up_to(documents), ks=KS, origin=origin
        )
    show(measured)


def with_vectors(documents: int, seed: int, encoder: Embeds) -> None:
    corpus, queries = coined_corpus(documents=documents, queries=QUERIES, seed=seed)
    sizes = sizes_up_to(documents)
    with timed(f"embedding {documents} documents, or reading them from the cache"):
        dense = Dense(corpus, encoder, embeddings_folder())
    origin = Origin(probe=corpus.name, model=encoder.name, seed=seed)

    def build(part: Corpus) -> Sequence[Retriever]:
        near = dense.first(len(part))
        return (near, Hybrid([BM25(part), near]))

    with timed("dense and hybrid search of every size"):
        measured = recall_by_corpus(build, corpus, queries, sizes=sizes, ks=KS, origin=origin)
    show(measured)
    with timed("margins"):
        measured = margin(dense, corpus, queries, origin=origin, dimensions=(192, 96, 48, 24))
    show(measured)
    with timed("drift"):
        measured = drift([rewritten(query.text, hops=5, seed=seed) for query in queries], encoder, origin)
    show(measured)
    attacked(corpus, queries, sizes, encoder, origin)


def attacked(corpus: Corpus, queries: Sequence[Query], sizes: Sequence[int], encoder: Embeds, origin: Origin) -> None:
    def build(part: Corpus) -> Sequence[Retriever]:
        return (BM25(part), Dense(part, encoder, embeddings_folder()))

    with timed("planted texts"):
        measured = poison_by_corpus(build, corpus, queries, sizes=sizes, k=5, dose=1, origin=origin)
    show(measured)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dense", type=int, default=10_000, help="documents of the dense corpus, 0 for none")
    parser.add_argument("--bm25", type=int, default=100_000, help="documents of the BM25 corpus, 0 for none")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if asked.bm25:
        words_alone(asked.bm25, asked.seed)
    if asked.dense:
        with_vectors(asked.dense, asked.seed, open_embedding(print))


if __name__ == "__main__":
    main()
