"""Margins of an embedding: how far the needed document stands out, in fewer bits and in fewer dimensions."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import InvalidValueError, Measurement, Point, Scalar
from hardlimit.core.quantity import EMBEDDING_MARGIN
from hardlimit.probes.retrieval.corpus import Corpus, Query
from hardlimit.probes.retrieval.dense import DTYPES, Dense, Dtype, Floats, projected, stored
from hardlimit.probes.retrieval.record import Origin, hit_tally, mean_estimate

Doubles: TypeAlias = NDArray[np.float64]

_ROWS_AT_ONCE = 256


def margins(documents: Floats, queries: Floats, gold: Sequence[Sequence[int]]) -> Doubles:
    """Product of each query with its weakest needed document minus that with its best other document.

    >>> documents = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    >>> margins(documents, np.array([[1, 0]], dtype=np.float32), [[0]]).round(3)
    array([0.4])
    """
    found = np.zeros(len(queries))
    for row, needed in enumerate(gold):
        scores = documents @ queries[row]
        weakest = scores[list(needed)].min()
        scores[list(needed)] = -np.inf
        found[row] = float(weakest) - float(scores.max())
    return found


def coherence(documents: Floats) -> float:
    """Largest cosine between two different documents' vectors, in absolute value.

    >>> round(coherence(np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)), 3)
    0.8
    """
    largest = 0.0
    for start in range(0, len(documents), _ROWS_AT_ONCE):
        products = np.abs(documents[start : start + _ROWS_AT_ONCE] @ documents.T)
        rows = np.arange(len(products))
        products[rows, start + rows] = 0.0
        largest = max(largest, float(products.max()))
    return largest


def margin(
    dense: Dense,
    corpus: Corpus,
    queries: Sequence[Query],
    *,
    origin: Origin,
    dimensions: Sequence[int] = (),
) -> Measurement:
    """Margins of an embedding by dtype at its full width, and by width in float32.

    A question whose margin is positive finds its needed documents first. Fewer dimensions are those of one random
    subspace. `changed.<dtype>` is the share of the questions whose first document is another than in float32;
    `coherence` is the largest cosine between two documents, and `centroid_k` the largest number k of documents that
    their mean certainly retrieves (coherence < 1/(2k − 1)), 0 where that is not even one.

    Args:
        dense: the embedded corpus.
        corpus: the documents, at least two.
        queries: at least two, whose needed documents are known.
        origin: for the record.
        dimensions: widths to project on, each below the full one.

    Raises:
        InvalidValueError: fewer documents or needed documents that are not known.
        InsufficientDataError: fewer than two questions.
    """
    gold = _gold_places(corpus, queries)
    asked = dense.embed(queries)
    points: list[Point] = []
    parameters: dict[str, Scalar | None] = {}
    plain = _first(dense.vectors, asked)
    for dtype in DTYPES:
        documents, questions = stored(dense.vectors, dtype), stored(asked, dtype)
        points.append(_point({"dtype": dtype, "dimensions": asked.shape[1]}, margins(documents, questions, gold)))
        parameters[f"margin.{dtype}"] = points[-1].estimate.value
        parameters[f"rounding.{dtype}"] = _rounding(dense.vectors, asked, dtype)
        parameters[f"changed.{dtype}"] = float((_first(documents, questions) != plain).mean())
    for width in dimensions:
        low = margins(projected(dense.vectors, width, origin.seed), projected(asked, width, origin.seed), gold)
        points.append(_point({"dtype": "float32", "dimensions": width}, low))
    parameters["coherence"] = together = coherence(dense.vectors)
    parameters["centroid_k"] = centroid_k(together)
    first = points[0]
    assert first.tally is not None
    return origin.measurement(
        "margin",
        EMBEDDING_MARGIN,
        first.tally,
        value=first.estimate,
        points=points,
        parameters=parameters,
        note="Right counts the questions whose needed documents all come first.",
    )


def centroid_k(together: float) -> int:
    """Largest k with coherence < 1/(2k − 1).

    >>> [centroid_k(value) for value in (1.0, 0.9, 0.3, 0.1)]
    [0, 1, 2, 5]
    """
    k = 0
    while together * (2 * k + 1) < 1 and k < 1_000_000:
        k += 1
    return k


def _first(documents: Floats, queries: Floats) -> NDArray[np.int64]:
    return np.array([int((documents @ query).argmax()) for query in queries], dtype=np.int64)


def _rounding(documents: Floats, queries: Floats, dtype: Dtype) -> float:
    """Largest change of a cosine between the questions and the documents."""
    kept, asked = stored(documents, dtype), stored(queries, dtype)
    pairs = zip(queries, asked, strict=True)
    return max(float(np.abs(documents @ query - kept @ rough).max()) for query, rough in pairs)


def _point(at: dict[str, Scalar], found: Doubles) -> Point:
    return Point(at=at, estimate=mean_estimate(found), tally=hit_tally(found > 0))


def _gold_places(corpus: Corpus, queries: Sequence[Query]) -> list[list[int]]:
    places = corpus.places
    gold = [[places[id] for id in query.gold if id in places] for query in queries]
    bad = next((query.id for query, found in zip(queries, gold, strict=True) if len(found) != len(query.gold)), None)
    unknown = next((query.id for query, found in zip(queries, gold, strict=True) if not found), bad)
    most = max((len(found) for found in gold), default=0)
    if unknown is not None or len(corpus) <= most:
        raise InvalidValueError(
            f"A margin needs documents that are needed and others that are not, got {len(corpus)} documents"
            + (f" and the question '{unknown}', whose needed documents are not in the corpus." if unknown else ".")
        )
    return gold
