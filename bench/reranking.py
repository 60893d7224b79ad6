"""Whether re-ranking brings the needed passage forward: recall at k of a search before and after, and what it costs.

Usage: python bench/reranking.py [--model embedded] [--cross PATH] [--first bm25 dense]
       [--documents N] [--questions N] [--depth N] [--seed S]

A coined corpus, searched by BM25 and by MiniLM; the first documents of each are put in order by how likely the model
finds the question after each, and, where a path is given, by a cross-encoder. Some minutes on one core.
"""

import argparse
import time

import numpy as np

from hardlimit.mitigations import Cross, Reranked
from hardlimit.models import Model
from hardlimit.models.catalog import open_model
from hardlimit.models.embedding import embeddings_folder, open_embedding
from hardlimit.probes.retrieval import BM25, Dense, Retriever, coined_corpus
from hardlimit.probes.retrieval.ranking import ranks_of
from hardlimit.stats import compare_paired, estimate

KS = (1, 2, 4)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--cross", default="", help="folder of a cross-encoder")
    parser.add_argument("--first", nargs="+", choices=("bm25", "dense"), default=["bm25", "dense"])
    parser.add_argument("--documents", type=int, default=1_000)
    parser.add_argument("--questions", type=int, default=50)
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    corpus, questions = coined_corpus(documents=asked.documents, queries=asked.questions, seed=asked.seed)
    model: Model = open_model(asked.model)
    print(f"{asked.questions} questions, {asked.documents} documents, seed {asked.seed}, {model.card.name}")
    firsts: list[Retriever] = [BM25(corpus)] if "bm25" in asked.first else []
    if "dense" in asked.first:
        firsts.append(Dense(corpus, open_embedding(print), embeddings_folder()))
    for first in firsts:
        before = ranks_of(first, corpus, questions, asked.depth)
        show(first.name, before, asked.depth)
        again = [Reranked(first, corpus, "model", depth=asked.depth, model=model)]
        if asked.cross:
            again.append(Reranked(first, corpus, Cross(path=asked.cross), depth=asked.depth))
        for second in again:
            began = time.process_time()
            after = ranks_of(second, corpus, questions, asked.depth)
            seconds = (time.process_time() - began) / asked.questions
            show(second.name, after, asked.depth)
            for k in KS:
                paired = compare_paired(before <= k, after <= k)
                interval = paired.difference.interval
                print(
                    f"    at {k}: {paired.difference.value:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}], "
                    f"p = {paired.p_value:.4f}"
                )
            usage = second.usage
            print(
                f"    a question costs {usage.calls / asked.questions:.1f} calls, "
                f"{usage.computed_tokens / asked.questions:.0f} tokens, {seconds:.2f} s of one core",
                flush=True,
            )


def show(name: str, ranks: np.ndarray, depth: int) -> None:
    """Print recall at each k, and at the depth, beyond which no re-ranking can reach."""
    told = []
    for k in (*KS, depth):
        found = estimate(int((ranks <= k).sum()), ranks.size)
        told.append(f"{k}: {found.value:.2f} [{found.interval.low:.2f}, {found.interval.high:.2f}]")
    print(f"{name}: recall at {', at '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
