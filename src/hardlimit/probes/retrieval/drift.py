"""Drift: how far a query moves from the original when it is rewritten again and again."""

from collections.abc import Sequence

import numpy as np

from hardlimit.core import Generate, InvalidValueError, Measurement, Message, Point, Scalar, Tally
from hardlimit.core.quantity import DRIFT_COSINE
from hardlimit.models.embedding import Embeds
from hardlimit.probes.retrieval.record import Origin, mean_estimate

MAX_TOKENS = 48
_REWRITE = (
    "Rewrite this search query in other words, so that it finds the same documents. Reply with the query alone.\n\n"
    "Query: {query}"
)
_WRAPS = (
    "Please tell me: {query}",
    "I would like to know the following. {query}",
    "Search for documents that say: {query}",
    "What do the records say about this: {query}",
)
_ADDITIONS = (
    "Give the background as well.",
    "Mention when this happened.",
    "Also explain why it matters.",
    "List similar cases too.",
)


def rewrite_request(query: str) -> Generate:
    """Ask a model to rewrite a query; the reply's text is the next query of a chain.

    >>> rewrite_request("Who founded Zub Mills?").messages[0].content.splitlines()[-1]
    'Query: Who founded Zub Mills?'
    """
    message = Message(role="user", content=_REWRITE.format(query=query))
    return Generate(messages=(message,), max_tokens=MAX_TOKENS)


def rewritten(query: str, *, hops: int, seed: int) -> tuple[str, ...]:
    """Rewrite a query by templates, each hop from the one before: wrap it, add to it, or drop a word.

    A stand-in for where no model rewrites: it loses words and gathers others, as careless rewriting does.

    Args:
        query: the original.
        hops: rewritings, >= 0.
        seed: of the choices.

    Returns:
        The original and its `hops` successors.

    >>> len(rewritten("Who founded Zub Mills?", hops=3, seed=0))
    4
    """
    if hops < 0:
        raise InvalidValueError(f"A chain of rewritings needs hops >= 0, got {hops}.")
    rng = np.random.default_rng([seed, 10, *query.encode()])
    chain = [query]
    for _ in range(hops):
        text, way = chain[-1], int(rng.integers(3))
        words = text.split()
        if way == 0 and len(words) > 2:
            words.pop(int(rng.integers(len(words))))
            chain.append(" ".join(words))
        elif way == 1:
            chain.append(_WRAPS[int(rng.integers(len(_WRAPS)))].format(query=text))
        else:
            chain.append(f"{text} {_ADDITIONS[int(rng.integers(len(_ADDITIONS)))]}")
    return tuple(chain)


def drift(chains: Sequence[Sequence[str]], encoder: Embeds, origin: Origin) -> Measurement:
    """Cosine to the original query by hop.

    `step.<hop>` is the mean cosine of one hop to the one before, and `product.<hop>` the mean over the chains of the
    product of these up to a hop: what independent directions would give.

    Args:
        chains: each an original query and its rewritings in order; a chain may end early.
        encoder: embeds the queries.
        origin: for the record.

    Raises:
        InvalidValueError: fewer than two chains with a rewriting, so that nothing can be averaged.
    """
    longest = max((len(chain) for chain in chains), default=0)
    if longest < 2 or sum(len(chain) > 1 for chain in chains) < 2:
        raise InvalidValueError(
            f"Drift needs at least two chains with a rewriting each, got {len(chains)} chains, the longest of "
            f"{longest} queries."
        )
    vectors = [encoder.encode(list(chain)).astype(float) for chain in chains]
    points, parameters = [], {}
    for hop in range(1, longest):
        there = [chain for chain in vectors if len(chain) > hop]
        if len(there) < 2:
            break
        to_first = np.array([chain[0] @ chain[hop] for chain in there])
        steps = np.array([[chain[i] @ chain[i + 1] for i in range(hop)] for chain in there])
        points.append(Point(at={"hop": hop}, estimate=mean_estimate(to_first)))
        parameters[f"step.{hop}"] = float(steps[:, -1].mean())
        parameters[f"product.{hop}"] = float(steps.prod(axis=1).mean())
    found: dict[str, Scalar | None] = {**parameters}
    return origin.measurement(
        "drift",
        DRIFT_COSINE,
        Tally(),
        value=points[-1].estimate,
        points=points,
        parameters=found,
        note=f"The summary is the mean cosine to the original after {points[-1].at['hop']} hops.",
    )
