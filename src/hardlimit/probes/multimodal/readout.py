"""Reading answers off a model's inside: linear and nearest-neighbour readouts, held out, and colliding pairs.

A readout that is right shows that the information is there. A readout that is wrong shows nothing by itself: another
one might find more. So every accuracy here is a lower bound of what a stage still holds.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import Estimate, InsufficientDataError, Interval
from hardlimit.probes.multimodal.measure import widened

Floats = NDArray[np.float64]
Labels = NDArray[np.str_]

PENALTIES = (1e-2, 1e-1, 1.0, 10.0)
NEIGHBOURS = 5
MOST_FEATURES, GROUPS = 65_536, 64
SAME = 1 - 1e-4
"""Cosine of the two codes of a pair from which on they count as one code."""


class Readout(NamedTuple):
    """The readout that did best on the training half, and its answers on the other half.

    Args:
        name: such as `linear, all tokens`.
        right: per held-out case, whether it was read right.
        nearest: per held-out case, whether its single nearest neighbour has its answer.
    """

    name: str
    right: NDArray[np.bool_]
    nearest: NDArray[np.bool_]


def views(tokens: NDArray[np.float32]) -> dict[str, Floats]:
    """Ways to make one vector of a picture's tokens: all of them in order, or their moments.

    Args:
        tokens: `(cases, tokens, width)`.
    """
    if tokens[0].size > MOST_FEATURES:
        # Neighbours in order are averaged, so that the picture keeps its coarse places.
        groups = np.array_split(np.arange(tokens.shape[1]), min(GROUPS, tokens.shape[1]))
        tokens = np.stack([tokens[:, group].mean(axis=1) for group in groups], axis=1)
    moments = [tokens.mean(axis=1), (tokens**2).mean(axis=1), tokens.max(axis=1)]
    return {
        "all tokens": tokens.reshape(len(tokens), -1).astype(float),
        "moments": np.concatenate(moments, axis=1).astype(float),
    }


def linear(train: Floats, labels: Labels, test: Floats) -> tuple[Labels, float]:
    """Read by ridge regression on the answers' indicators; the penalty is chosen by leaving one out.

    Args:
        train: `(cases, features)`.
        labels: their answers.
        test: `(others, features)`.

    Returns:
        Answers to the others, and the accuracy on the training cases with each left out in turn.

    >>> x = np.array([[0.0], [0.1], [1.0], [1.1]])
    >>> answers, left_out = linear(x, np.array(["a", "a", "b", "b"]), np.array([[0.2], [0.9]]))
    >>> answers.tolist(), left_out
    (['a', 'b'], 1.0)
    """
    centre, scale = train.mean(axis=0), train.std(axis=0) + 1e-6
    a, b = (train - centre) / scale, (test - centre) / scale
    width = a.shape[1]
    names = np.unique(labels)
    wanted = (labels[:, None] == names).astype(float)
    prior = wanted.mean(axis=0)
    values, vectors = np.linalg.eigh(a @ a.T / width)
    best: tuple[float, Floats] | None = None
    for penalty in PENALTIES:
        shrunk = 1 / (values + penalty)
        weights = vectors @ (shrunk[:, None] * (vectors.T @ (wanted - prior)))
        leverage = np.einsum("ij,j,ij->i", vectors, values * shrunk, vectors)
        fitted = a @ (a.T @ weights) / width
        left_out = (wanted - prior) - (wanted - prior - fitted) / np.maximum(1 - leverage, 1e-9)[:, None]
        score = float(np.mean(names[np.argmax(left_out + prior, axis=1)] == labels))
        if best is None or score > best[0]:
            best = score, weights
    assert best is not None
    return names[np.argmax(b @ (a.T @ best[1]) / width + prior, axis=1)], best[0]


def neighbours(train: Floats, labels: Labels, test: Floats, count: int) -> tuple[Labels, float]:
    """Read by the commonest answer among the nearest by cosine; ties go to the nearest.

    Returns:
        Answers to the others, and the accuracy on the training cases with each left out in turn.

    >>> x = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> neighbours(x, np.array(["a", "a", "b", "b"]), np.array([[1.0, 0.2]]), 1)[0].tolist()
    ['a']
    """
    a, b = _unit(train), _unit(test)
    inside = a @ a.T
    np.fill_diagonal(inside, -np.inf)
    return _vote(b @ a.T, labels, count), float(np.mean(_vote(inside, labels, count) == labels))


def _unit(x: Floats) -> Floats:
    centred: Floats = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return centred


def _vote(similarity: Floats, labels: Labels, count: int) -> Labels:
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    answers = []
    for row in labels[order]:
        names, first, votes = np.unique(row, return_index=True, return_counts=True)
        answers.append(names[np.lexsort((first, -votes))[0]])
    return np.array(answers)


def read(tokens: NDArray[np.float32], labels: Sequence[str], train: NDArray[np.bool_]) -> Readout:
    """Read the answers of held-out cases off tokens, by whichever readout did best on the training cases alone.

    Args:
        tokens: `(cases, tokens, width)`.
        labels: the right answer of each case.
        train: which cases are for training; the two cases of a pair must be on one side.

    Raises:
        InsufficientDataError: fewer than 8 cases on a side.
    """
    if train.sum() < 8 or (~train).sum() < 8:
        raise InsufficientDataError(
            f"A readout needs at least 8 cases to train on and 8 to test on, got {train.sum()} and {(~train).sum()}."
        )
    answers = np.asarray(labels)
    tried: list[tuple[float, str, Labels]] = []
    for view, x in views(tokens).items():
        for name, (said, score) in {
            f"linear, {view}": linear(x[train], answers[train], x[~train]),
            f"{NEIGHBOURS} nearest, {view}": neighbours(x[train], answers[train], x[~train], NEIGHBOURS),
        }.items():
            tried.append((score, name, said))
    _, name, said = max(tried, key=lambda each: each[0])
    flat = views(tokens)["all tokens"]
    nearest, _ = neighbours(flat[train], answers[train], flat[~train], 1)
    return Readout(name, said == answers[~train], nearest == answers[~train])


def colliding(tokens: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which pairs have one code: the cosine of their tokens, centred over all cases, is 1 but for rounding.

    Args:
        tokens: `(2·pairs, tokens, width)`, the two cases of a pair one after the other.
    """
    flat = tokens.reshape(len(tokens), -1).astype(float)
    flat = flat - flat.mean(axis=0)
    first, second = _unit(flat[0::2]), _unit(flat[1::2])
    same: NDArray[np.bool_] = (first * second).sum(axis=1) >= SAME
    return same


class Stages(NamedTuple):
    """The error that enters at each stage, each with its interval; the four add up to the whole error.

    Args:
        encoder: proved by codes that two answers share.
        projector: proved so behind the projector, or read before it and not behind it.
        language: read behind the projector and not answered.
        unlocated: read nowhere, and not proved to be lost anywhere.
    """

    encoder: Estimate
    projector: Estimate
    language: Estimate
    unlocated: Estimate


class Held(NamedTuple):
    """Held-out cases of one task.

    Args:
        right: for `encoder`, `projector` and `model`, whether each case was read or answered right.
        pairs: the pair of each case: the unit of resampling.
        proved: for `encoder` and `projector`, the error that each case must cost by what shares its code there, in
            [0, 1]; of the projector only what it adds. None proves nothing.
    """

    right: Mapping[str, NDArray[np.bool_]]
    pairs: Sequence[str]
    proved: Mapping[str, Floats] | None = None


def attribute(tasks: Sequence[Held], rng: np.random.Generator, replicates: int = 2000) -> Stages:
    """Share the error of the whole model out over encoder, projector, language model, and what is not located.

    By data processing, whatever reads the projector reads the encoder too, and the model reads both. So each stage
    holds at least as much as the best readout at or behind it, task by task. A readout that fails proves nothing:
    what no readout finds is the encoder's or the projector's only as far as shared codes prove it, and else stays
    unlocated. Parts are never negative.

    Args:
        tasks: held-out cases, task by task; the parts are averaged over all cases.
        rng: source of the bootstrap of pairs within each task.
        replicates: of the bootstrap.

    Raises:
        InsufficientDataError: a task with fewer than 2 pairs, or no task.

    >>> right = {name: np.array(list(hits)) == "1" for name, hits in
    ...     {"encoder": "1110", "projector": "1100", "model": "1000"}.items()}
    >>> [part.value for part in attribute([Held(right, list("abcd"))], np.random.default_rng(0))]
    [0.0, 0.25, 0.25, 0.25]
    """
    total, count, units = np.zeros((4, replicates + 1)), 0, 0
    for task in tasks:
        names, index = np.unique(np.asarray(task.pairs), return_inverse=True)
        if len(names) < 2:
            raise InsufficientDataError(f"Attribution needs at least 2 pairs of a task, got {len(names)}.")
        sizes = np.bincount(index).astype(float)
        weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=replicates)
        weights = np.concatenate([np.ones((1, len(names)), dtype=weights.dtype), weights])
        columns = [task.right[stage].astype(float) for stage in ("encoder", "projector", "model")]
        columns += [(task.proved or {}).get(stage, np.zeros(len(index))) for stage in ("encoder", "projector")]
        read_e, read_p, model, proved_e, proved_p = (
            weights @ np.bincount(index, weights=column) / (weights @ sizes) for column in columns
        )
        behind = np.maximum(read_p, model)
        first = np.minimum(proved_e, 1 - behind)
        second = np.minimum(np.maximum(np.maximum(read_e - behind, 0), proved_p), 1 - behind - first)
        total += len(index) * np.stack([first, second, behind - model, 1 - behind - first - second])
        count, units = count + len(index), units + len(names)
    if not count:
        raise InsufficientDataError("Attribution needs at least one task, got none.")
    return Stages(*(_estimated(part / count, count, units) for part in total))


def _estimated(part: Floats, n: int, units: int) -> Estimate:
    value = float(part[0])
    low, high = (float(end) for end in np.quantile(part[1:], (0.025, 0.975)))
    method = "bootstrap of pairs, widened by the unseen"
    interval = Interval(low=min(low, value), high=max(high, value), level=0.95, method=method)
    return widened(Estimate(value=value, interval=interval, n=n), units, 0.0)
