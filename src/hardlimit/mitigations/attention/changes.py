"""What can be changed about a model's attention without training it: which keys a query sees, how sharply, and where.

These are descriptions, which need no torch; `with_attention` puts them into a model.
"""

from typing import ClassVar, Literal, TypeAlias

from hardlimit.core import InvalidValueError, Value


class TopK(Value, frozen=True, tag=True):
    """Each query head sees the k keys of largest logit. All logits are computed, so that nothing is saved.

    Args:
        keys: k, >= 1; with as many as there are tokens it is the model's own attention.

    >>> TopK(keys=0)
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.InvalidValueError: TopK.keys must be >= 1, got 0.
    """

    readable: ClassVar[bool] = False
    keys: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, "keys", 1)


class WindowSink(Value, frozen=True, tag=True):
    """A query sees the last keys and the first ones; the others are neither scored nor read.

    Args:
        window: last keys seen, the query's own among them, >= 1.
        sinks: first keys seen, >= 0.

    Source:
        Xiao et al. (2024), Efficient Streaming Language Models with Attention Sinks, arXiv:2309.17453.
    """

    readable: ClassVar[bool] = False
    window: int = 512
    sinks: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, "window", 1)
        _at_least(self, "sinks", 0)


class BlockTopK(Value, frozen=True, tag=True):
    """Each query head sees the blocks of keys that its own attention weighs most: the best choice of whole blocks.

    All logits are computed, so that nothing is saved; it bounds what choosing by summaries can reach.

    Args:
        block: keys in a block, >= 1.
        chosen: blocks seen, the query's own among them, >= 1.
    """

    readable: ClassVar[bool] = False
    block: int = 32
    chosen: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, "block", 1)
        _at_least(self, "chosen", 1)


class ChunkThenToken(Value, frozen=True, tag=True):
    """Hierarchical attention: chunks of keys are scored by a summary, and a query sees the tokens of the best ones.

    Heads that share keys share the choice. The first chunk, the query's own and the one before it are always seen.
    Only the keys of chunks that some query of a block has chosen are gathered and scored, so that a long prompt costs
    less; a single next token costs as much as before, since the summaries are made anew.

    Args:
        chunk: keys in a chunk, >= 1.
        chosen: chunks that are chosen by their summary, >= 1.
        summary: `bounds`, the largest logit that the chunk's box of keys admits; or `mean`, the logit of the mean key.

    Source:
        Tang et al. (2024), Quest: Query-Aware Sparsity for Efficient Long-Context LLM Inference, arXiv:2406.10774, for
        the bounds.
    """

    readable: ClassVar[bool] = False
    chunk: int = 64
    chosen: int = 8
    summary: Literal["bounds", "mean"] = "bounds"

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, "chunk", 1)
        _at_least(self, "chosen", 1)


class Entmax(Value, frozen=True, tag=True):
    """Entmax of order 1.5 in place of softmax: far keys get exactly nothing. Slow, a reference; extra `lab`.

    Source:
        Peters, Niculae & Martins (2019), Sparse Sequence-to-Sequence Models, arXiv:1905.05702; the package `entmax`.
    """

    readable: ClassVar[bool] = False


class LogScaled(Value, frozen=True, tag=True):
    """Logits multiplied by ln n / ln(reference) for a query that sees n keys, where that is more than 1.

    The needle's margin over n keys falls as ln n where their logits stay as they are; this lets logits grow as fast.

    Args:
        reference: number of keys up to which it is the model's own attention, >= 2.

    Source:
        Chiang & Cholak (2022), Overcoming a Theoretical Limitation of Self-Attention, arXiv:2202.12172.
    """

    readable: ClassVar[bool] = True
    reference: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, "reference", 2)


class Rescaled(Value, frozen=True, tag=True):
    """Rotary positions rescaled, so that distances up to factor times the trained ones look trained.

    Args:
        kind: `linear` divides every frequency; `ntk` raises the base so that the lowest frequency is divided and the
            highest is not; `yarn` divides low frequencies, keeps high ones, and sharpens the logits.
        factor: >= 1; at 1 it is the model's own.
        original: context up to which the model is at ease, tokens, for `yarn`; the configured window if None.

    Source:
        Chen et al. (2023), arXiv:2306.15595, for `linear`; Peng et al. (2023), YaRN: Efficient Context Window
        Extension of Large Language Models, arXiv:2309.00071, for `ntk` and `yarn`.
    """

    readable: ClassVar[bool] = True
    kind: Literal["linear", "ntk", "yarn"] = "yarn"
    factor: float = 2.0
    original: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factor < 1:
            raise InvalidValueError(f"Rescaled.factor must be >= 1, got {self.factor:g}.")
        if self.original is not None and self.original < 2:
            raise InvalidValueError(f"Rescaled.original must be >= 2 tokens, got {self.original}.")


Attention: TypeAlias = TopK | WindowSink | BlockTopK | ChunkThenToken | Entmax | LogScaled
Change: TypeAlias = Attention | Rescaled


def _at_least(value: Value, name: str, least: int) -> None:
    got = getattr(value, name)
    if got < least:
        raise InvalidValueError(f"{type(value).__name__}.{name} must be >= {least}, got {got}.")
