"""Where the needed document ranks as a corpus grows, and the one number that a law of normal scores fits to it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hardlimit.core import InsufficientDataError, InvalidValueError, Value
from hardlimit.probes.retrieval.corpus import Corpus, Query
from hardlimit.probes.retrieval.retrievers import Places, Retriever
from hardlimit.stats import clopper_pearson
from hardlimit.stats.intervals import expanded_tail

Doubles: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]

BEYOND = np.iinfo(np.int64).max
"""The rank of what was not found."""

_GAPS = np.linspace(-4.0, 14.0, 721)
_NODES = np.linspace(-10.0, 20.0, 1501)
_LEAST = 1e-12
_REPLICATES = 1_000


def needed_ranks(found: Places, corpus: Corpus, queries: Sequence[Query]) -> Counts:
    """Rank of the last needed document of each question, 1 for the first place; `BEYOND` where one was not found.

    Raises:
        InvalidValueError: a question whose needed documents are not known or not in the corpus.

    >>> from hardlimit.probes.retrieval.corpus import coined_corpus
    >>> corpus, queries = coined_corpus(documents=10, queries=2, seed=0)
    >>> needed_ranks(np.array([[3, 0], [2, 3]]), corpus, queries).tolist() == [2, BEYOND]
    True
    """
    places = corpus.places
    ranks = np.full(len(queries), BEYOND, dtype=np.int64)
    for row, query in enumerate(queries):
        missing = [id for id in query.gold if id not in places]
        if missing or not query.gold:
            what = f"names the document '{missing[0]}', which it lacks" if missing else "names no needed document"
            raise InvalidValueError(f"The question '{query.id}' about '{corpus.name}' {what}; its rank is not known.")
        at = [np.flatnonzero(found[row] == places[id]) for id in query.gold]
        if all(hit.size for hit in at):
            ranks[row] = 1 + max(int(hit[0]) for hit in at)
    return ranks


def ranks_of(retriever: Retriever, corpus: Corpus, queries: Sequence[Query], depth: int) -> Counts:
    """Search, and rank the needed documents; those not among the first `depth` are `BEYOND`."""
    return needed_ranks(retriever.search(queries, depth), corpus, queries)


def recall_chances(distractors: int, k: int, gaps: Doubles | float) -> Doubles:
    """Chance that the needed document is among the first k, for scores N(gap, 1) of it and N(0, 1) of the others.

    Args:
        distractors: other documents, N >= 0.
        k: passages retrieved, >= 1.
        gaps: mean score of the needed document, in standard deviations of the others'.

    >>> recall_chances(1000, 1, 3.0).round(4)
    array([0.4115])
    """
    at = np.atleast_1d(np.asarray(gaps, dtype=float))
    if k < 1 or distractors < 0:
        raise InvalidValueError(f"Recall needs k >= 1 and distractors >= 0, got k={k}, distractors={distractors}.")
    if k > distractors:
        return np.ones_like(at)
    outranked = special.betaincc(k, distractors - k + 1, special.ndtr(-_NODES))
    density = np.exp(-((_NODES[None, :] - at[:, None]) ** 2) / 2) / np.sqrt(2 * np.pi)
    chances: Doubles = np.clip(density @ outranked * (_NODES[1] - _NODES[0]), 0.0, 1.0)
    return chances


@lru_cache(maxsize=128)
def _on_grid(distractors: int, k: int) -> Doubles:
    return recall_chances(distractors, k, _GAPS)


class Gap(Value, frozen=True):
    """The fitted mean score of the needed document, in standard deviations of the distractors' scores.

    Args:
        value: μ; None where every question was a hit, or none was.
        low: lower end of its interval; None where it is open.
        high: upper end; None where it is open.
        level: confidence.
        misfit: largest difference between an observed and the fitted recall; None without a value.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    misfit: float | None


def fit_gap(ranks: Counts, documents: Sequence[int], ks: Sequence[int], *, seed: int, level: float = 0.95) -> Gap:
    """Fit μ to the recall at several corpus sizes by composite likelihood, with a bootstrap over the questions.

    The sizes share their questions, so that sizes are no independent data; questions are.

    Args:
        ranks: `(questions, sizes)`, the rank of the needed document.
        documents: size of each corpus, the needed document included.
        ks: passages retrieved, each >= 1, where recall is read off.
        seed: of the bootstrap.
        level: confidence.

    Raises:
        InsufficientDataError: fewer than two questions, or no size with more documents than passages.

    Source:
        Varin, Reid and Firth (2011), An overview of composite likelihood methods, Statistica Sinica 21.
    """
    hits, table = _informative(ranks, documents, ks)
    log_hit, log_miss = np.log(np.clip(table, _LEAST, None)), np.log(np.clip(1 - table, _LEAST, None))
    observed = hits.mean(axis=0)
    if observed.min() == 1.0 or observed.max() == 0.0:
        return _one_sided(observed, len(hits), table, level)
    rng = np.random.default_rng([seed, 9])
    weights = rng.multinomial(len(hits), np.full(len(hits), 1 / len(hits)), size=_REPLICATES) / len(hits)
    replicates = _best_gap(weights @ hits, log_hit, log_miss)
    tail = expanded_tail(level, len(hits))
    value = float(_best_gap(observed[None, :], log_hit, log_miss)[0])
    fitted = np.array([np.interp(value, _GAPS, column) for column in table.T])
    return Gap(
        value=value,
        low=float(np.quantile(replicates, tail)),
        high=float(np.quantile(replicates, 1 - tail)),
        level=level,
        misfit=float(np.abs(fitted - observed).max()),
    )


def _informative(ranks: Counts, documents: Sequence[int], ks: Sequence[int]) -> tuple[Doubles, Doubles]:
    """Hits of each question, and the chance of one on the grid of gaps, at each size and k that can be missed."""
    cells = [(column, k) for column, size in enumerate(documents) for k in ks if k < size]
    if len(ranks) < 2 or not cells:
        raise InsufficientDataError(
            f"A gap cannot be fitted to {len(ranks)} questions at {len(cells)} sizes with more documents than "
            "passages. Use at least 2 questions and a corpus larger than k."
        )
    hits = np.stack([ranks[:, column] <= k for column, k in cells], axis=1).astype(float)
    table = np.stack([_on_grid(documents[column] - 1, k) for column, k in cells], axis=1)
    return hits, table


def _best_gap(recall: Doubles, log_hit: Doubles, log_miss: Doubles) -> Doubles:
    """Maximise the composite likelihood on the grid, and refine by the parabola through the three best points."""
    likelihood = recall @ log_hit.T + (1 - recall) @ log_miss.T
    best = np.clip(likelihood.argmax(axis=1), 1, len(_GAPS) - 2)
    rows = np.arange(len(recall))
    before, at, after = (likelihood[rows, best + step] for step in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)
    return np.asarray(_GAPS[best] + np.clip(shift, -1, 1) * (_GAPS[1] - _GAPS[0]))


def _one_sided(observed: Doubles, questions: int, table: Doubles, level: float) -> Gap:
    """With nothing but hits (or misses) only one end is known: from the exact limit of the hardest (easiest) recall."""
    all_hit = observed.min() == 1.0
    cell = int(table.mean(axis=0).argmin() if all_hit else table.mean(axis=0).argmax())
    side = clopper_pearson(questions if all_hit else 0, questions, level=level, side="low" if all_hit else "high")
    bound = side.low if all_hit else side.high
    end = float(np.interp(bound or 0.0, table[:, cell], _GAPS))
    return Gap(value=None, low=end if all_hit else None, high=None if all_hit else end, level=level, misfit=None)
