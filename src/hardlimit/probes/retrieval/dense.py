"""Exact dense search, and what it costs to store the vectors in fewer bits or dimensions."""

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import InvalidValueError
from hardlimit.models.embedding import Embeds, cached_encode
from hardlimit.probes.retrieval.corpus import Corpus, Query
from hardlimit.probes.retrieval.retrievers import BM25, Hybrid, NoRetriever, Oracle, Places, Retriever, top_k

Floats: TypeAlias = NDArray[np.float32]

Dtype: TypeAlias = Literal["float32", "float16", "bfloat16", "int8"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
"""How vectors may be stored; the products are computed in float32."""

_QUERIES_AT_ONCE = 64


class Dense:
    """Ranks by the cosine of embeddings, against every document.

    Args:
        corpus: what is searched.
        encoder: embeds documents and questions.
        cache: folder of cached embeddings, such as `models.embedding.embeddings_folder()`; None for no cache.

    >>> from hardlimit.models.toy.retrieval import BagOfLetters
    >>> from hardlimit.probes.retrieval.corpus import Document
    >>> corpus = Corpus(name="two", documents=(Document(id="a", text="zebra"), Document(id="b", text="lion")))
    >>> Dense(corpus, BagOfLetters()).search([Query(id="q", text="a lion?", answers=("x",))], 2)
    array([[1, 0]])
    """

    name = "dense"

    def __init__(self, corpus: Corpus, encoder: Embeds, cache: Path | None = None) -> None:
        """Embed the corpus, or read its embeddings from the cache."""
        self._encoder = encoder
        self._cache = cache
        self.vectors: Floats = cached_encode(encoder, corpus.texts, cache)

    def first(self, documents: int) -> "Dense":
        """Search only the first so many documents, without embedding them again."""
        part = copy(self)
        part.vectors = self.vectors[:documents]
        return part

    def embed(self, queries: Sequence[Query]) -> Floats:
        """Embed the questions."""
        return cached_encode(self._encoder, [query.text for query in queries], self._cache)

    def search(self, queries: Sequence[Query], k: int) -> Places:
        """Rank by cosine."""
        return search_vectors(self.vectors, self.embed(queries), k)


def search_vectors(documents: Floats, queries: Floats, k: int) -> Places:
    """Indices of the k documents with the largest products with each query, best first.

    >>> search_vectors(np.eye(3, dtype=np.float32), np.array([[0, 1, 0.5]], dtype=np.float32), 2)
    array([[1, 2]])
    """
    found = []
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        scores = queries[start : start + _QUERIES_AT_ONCE] @ documents.T
        found += [top_k(row, k) for row in scores]
    return np.stack(found) if found else np.zeros((0, k), dtype=np.int64)


def stored(vectors: Floats, dtype: Dtype) -> Floats:
    """What is left of vectors after they have been stored in a dtype.

    Args:
        vectors: one a row.
        dtype: `int8` scales each vector by its largest entry.

    >>> stored(np.array([[1.0, 0.3]], dtype=np.float32), "bfloat16")
    array([[1. , 0.30078125]], dtype=float32)
    """
    if dtype == "float32":
        return vectors
    if dtype == "float16":
        return vectors.astype(np.float16).astype(np.float32)
    if dtype == "bfloat16":
        bits = vectors.astype(np.float32).view(np.uint32)
        # Round to nearest, ties to even, as hardware does: bfloat16 is the upper half of a float32.
        rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
        return rounded.view(np.float32)
    if dtype == "int8":
        largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
        scale = np.where(largest > 0, largest, 1.0) / 127
        return np.asarray(np.round(vectors / scale) * scale, dtype=np.float32)
    raise InvalidValueError(f"Vectors can be stored as {', '.join(DTYPES)}, got {dtype!r}.")


def projected(vectors: Floats, dimensions: int, seed: int) -> Floats:
    """Vectors in fewer dimensions: projected on a random subspace and scaled back to length 1.

    Args:
        vectors: one a row.
        dimensions: of the subspace, in [1, width].
        seed: of the subspace; equal seeds give the same one, and smaller ones lie inside larger ones.

    >>> projected(np.eye(4, dtype=np.float32), 2, seed=0).shape
    (4, 2)
    """
    width = vectors.shape[1]
    if not 1 <= dimensions <= width:
        raise InvalidValueError(f"Vectors of {width} dimensions can be projected on 1 to {width}, got {dimensions}.")
    basis, _ = np.linalg.qr(np.random.default_rng([seed, 8]).standard_normal((width, width)))
    low = vectors @ basis[:, :dimensions].astype(np.float32)
    lengths = np.linalg.norm(low, axis=1, keepdims=True)
    return np.asarray(low / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)


def ladder(corpus: Corpus, encoder: Embeds | None = None, cache: Path | None = None) -> tuple[Retriever, ...]:
    """The retrievers from the best to none; dense and hybrid where there is an encoder.

    >>> from hardlimit.probes.retrieval.corpus import coined_corpus
    >>> [retriever.name for retriever in ladder(coined_corpus(documents=10, queries=1, seed=0)[0])]
    ['oracle', 'bm25', 'none']
    """
    words = BM25(corpus)
    if encoder is None:
        return (Oracle(corpus), words, NoRetriever())
    dense = Dense(corpus, encoder, cache)
    return (Oracle(corpus), words, dense, Hybrid([words, dense]), NoRetriever())
