"""CTX-6: what a context costs, and what a state of fixed size can keep of it."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Shape, Source, Statement, Status, Verdict
from hardlimit.core.quantity import ATTENTION_CROSSOVER, KV_BYTES, RECALL_ERROR
from hardlimit.theory.bounding import at_least, exactly
from hardlimit.theory.domain import Numbers, number, plain, vector, whole, within
from hardlimit.theory.rates import error_at_rate
from hardlimit.theory.sources import derived

CTX_6 = Statement(
    id="CTX-6",
    name="cost of a context, and recall from a fixed state",
    limit=Limit.CONTEXT,
    status=Status.PROVED,
    says=(
        "Keys and values take the same number of bytes for every token of the context. Beyond a crossover length, "
        "attention costs more per token than all weights together. A model whose past must fit into S bits cannot "
        "reproduce more random tokens than S bits hold, however it is trained."
    ),
    formula=(
        "KV bytes per token = 2 · layers · KV heads · head width · bytes per number\n"
        "decode FLOPs per token ≈ 2P + 4 · layers · n · d_attn;   equal at n* = P / (2 · layers · d_attn)\n"
        "fixed state of S bits:  n · R_V(e) ≤ S,  R_V(e) = log₂ V − h₂(e) − e·log₂(V − 1)\n"
        "P(exact copy) ≤ 2^S / V^n"
    ),
    hypotheses=(
        "KV bytes: full attention in every layer, nothing compressed or dropped",
        "crossover: dense weights, each used once per token",
        "state: tokens independent and uniform over V values, all of the past summarised in S bits",
    ),
    sources=(
        derived("arithmetic; the state bound is the rate–distortion converse"),
        Source(title="Jelassi et al. (2024), a state of S bits fails to copy beyond Θ(S)", url="arXiv:2402.01032"),
        Source(title="Alman & Song (2023), attention with bounded entries", url="arXiv:2302.13214"),
    ),
    silent_on=(
        "Natural text has about 2 to 4 bits of entropy per token, not log₂ V, so a fixed state keeps more of it. For "
        "full attention the state bound is far from binding: what limits it is addressing (CTX-3), not capacity. "
        "Sliding windows, quantised caches and multi-head latent attention need their own byte counts."
    ),
    falsified_by="A model with a fixed state of S bits that copies random tokens with n · R_V(error) > S.",
    paper="The paper's summaries give no cost formula; this is arithmetic beside a converse of information theory.",
    effects=(
        Effect(resource=Resource.CONTEXT, verdict=Verdict.SATURATES, when="the state has a fixed size"),
        Effect(resource=Resource.CONTEXT, verdict=Verdict.HELPS, when="full attention: capacity does not bind"),
    ),
    worked="32 layers, 8 KV heads of width 128, 2 bytes: 131,072 bytes per token, 16 GiB at 131,072 tokens.",
    probe="context.needle",
)


def kv_bytes(
    layers: ArrayLike, kv_heads: ArrayLike, head_width: ArrayLike, bytes_per_number: ArrayLike, tokens: ArrayLike = 1
) -> Numbers:
    """Return the bytes of keys and values that one sequence occupies.

    Args:
        layers: attention layers, >= 1.
        kv_heads: key–value heads per layer, >= 1.
        head_width: width of one head, >= 1.
        bytes_per_number: 2 for bf16 and fp16, 4 for fp32, 1 for 8-bit, > 0.
        tokens: length of the sequence, >= 0.

    Source:
        CTX-6 (arithmetic).

    >>> kv_bytes(32, 8, 128, 2)
    131072.0
    """
    return plain(
        2
        * within("layers", layers, "[1, ∞)")
        * within("kv_heads", kv_heads, "[1, ∞)")
        * within("head_width", head_width, "[1, ∞)")
        * within("bytes_per_number", bytes_per_number, "(0, ∞)")
        * within("tokens", tokens, "[0, ∞)")
    )


def crossover(parameters: ArrayLike, layers: ArrayLike, attention_width: ArrayLike) -> Numbers:
    """Return the context length at which attention costs as much as the weights, P/(2·L·d).

    Args:
        parameters: P, weights used per token, >= 1.
        layers: L, attention layers, >= 1.
        attention_width: d, query heads times head width, >= 1.

    Returns:
        Tokens.

    Source:
        CTX-6 (arithmetic).

    >>> round(crossover(8.03e9, 32, 4096))
    30632
    """
    p, depth = within("parameters", parameters, "[1, ∞)"), within("layers", layers, "[1, ∞)")
    return plain(p / (2 * depth * within("attention_width", attention_width, "[1, ∞)")))


def state_recall_error(state_bits: ArrayLike, tokens: ArrayLike, vocabulary: ArrayLike) -> Numbers:
    """Return the least error of reproducing random tokens from a state of fixed size.

    Args:
        state_bits: S, bits that the whole past is summarised in, >= 0.
        tokens: n, number of tokens, >= 1.
        vocabulary: V, equally likely values of a token, >= 2.

    Returns:
        Error in [0, 1 − 1/V].

    Source:
        CTX-6; Cover & Thomas (2006), ch. 10.

    >>> round(state_recall_error(67_108_864, 8_594_314, 50_257), 4)
    0.4367
    """
    bits = within("state_bits", state_bits, "[0, ∞)") / within("tokens", tokens, "[1, ∞)")
    return error_at_rate(bits, vocabulary)


def copyable_tokens(state_bits: ArrayLike, vocabulary: ArrayLike) -> Numbers:
    """Return the most random tokens that a state of S bits can hold exactly, S/log₂ V.

    >>> round(copyable_tokens(67_108_864, 50_257))
    4297157
    """
    return plain(within("state_bits", state_bits, "[0, ∞)") / np.log2(within("vocabulary", vocabulary, "[2, ∞)")))


def kv_memory(layers: int, kv_heads: int, head_width: int, *, tokens: int, bytes_per_number: float = 2.0) -> Bound:
    """Give the size of the KV cache of one sequence.

    Args:
        layers: attention layers, >= 1.
        kv_heads: key–value heads per layer, >= 1.
        head_width: width of one head, >= 1.
        tokens: length of the sequence, >= 0.
        bytes_per_number: 2 for bf16 and fp16, 4 for fp32, > 0.

    Returns:
        An equality for `KV_BYTES`.

    Source:
        CTX-6 (arithmetic).

    >>> kv_memory(32, 8, 128, tokens=131_072).value / 2**30
    16.0
    """
    sizes = {
        "layers": whole("layers", layers, "[1, ∞)"),
        "kv_heads": whole("kv_heads", kv_heads, "[1, ∞)"),
        "head_width": whole("head_width", head_width, "[1, ∞)"),
        "tokens": whole("tokens", tokens, "[0, ∞)"),
        "bytes_per_number": number("bytes_per_number", bytes_per_number, "(0, ∞)"),
    }
    per_token = float(kv_bytes(layers, kv_heads, head_width, bytes_per_number))
    return exactly(CTX_6, KV_BYTES, per_token * tokens, at=sizes, parts={"bytes_per_token": per_token})


def kv_memory_by_length(per_token: float, lengths: Sequence[int]) -> Shape:
    """Tell how the KV cache of one sequence grows with its length.

    Args:
        per_token: bytes per token, from `kv_bytes`, > 0.
        lengths: in tokens, increasing, each >= 0.

    Returns:
        A shape of `KV_BYTES` along `length`.

    Source:
        CTX-6 (arithmetic).

    >>> kv_memory_by_length(131_072, [1024, 2048]).points
    ((1024.0, 134217728.0), (2048.0, 268435456.0))
    """
    size, n = number("per_token", per_token, "(0, ∞)"), vector("lengths", lengths, "[0, ∞)", whole=True)
    points = tuple((float(x), float(size * x)) for x in n)
    return Shape(
        statement=CTX_6, quantity=KV_BYTES, along="length", points=points, parameters={"bytes_per_token": size}
    )


def attention_crossover(parameters: float, layers: int, attention_width: int, *, tokens: int) -> Bound:
    """Give the length at which attention costs as much as the weights, and how a given length compares.

    Args:
        parameters: P, weights used per token, >= 1.
        layers: L, attention layers, >= 1.
        attention_width: d, query heads times head width, >= 1.
        tokens: a context length to compare, >= 1.

    Returns:
        An equality for `ATTENTION_CROSSOVER`; `parts` has the ratio of attention to weight FLOPs at `tokens`.

    Source:
        CTX-6 (arithmetic).

    >>> round(attention_crossover(8.03e9, 32, 4096, tokens=131_072).parts["attention_over_weights"], 2)
    4.28
    """
    at = float(crossover(parameters, layers, attention_width))
    n = whole("tokens", tokens, "[1, ∞)")
    return exactly(
        CTX_6,
        ATTENTION_CROSSOVER,
        at,
        at={"parameters": parameters, "layers": layers, "attention_width": attention_width, "tokens": n},
        parts={"attention_over_weights": n / at},
    )


def state_recall_floor(state_bits: float, tokens: int, vocabulary: int) -> Bound:
    """Bound from below the error of reproducing random tokens from a state of fixed size.

    Args:
        state_bits: S, bits, >= 0.
        tokens: n, >= 1.
        vocabulary: V, >= 2.

    Returns:
        A lower bound on `RECALL_ERROR`; `parts` has the weaker Fano form, the longest exact copy, and log₂ of the
        probability of an exact copy.

    Source:
        CTX-6; Cover & Thomas (2006), ch. 10.

    >>> state_recall_floor(67_108_864, 1_000_000, 50_257).vacuous
    'recall error can never fall below 0, so nothing is excluded'
    """
    n, v = whole("tokens", tokens, "[1, ∞)"), whole("vocabulary", vocabulary, "[2, ∞)")
    bits = number("state_bits", state_bits, "[0, ∞)")
    weak = max(0.0, (math.log2(v) - bits / n - 1) / math.log2(v))
    return at_least(
        CTX_6,
        RECALL_ERROR,
        float(state_recall_error(bits, n, v)),
        at={"state_bits": bits, "tokens": n, "vocabulary": v},
        parts={
            "fano_error": weak,
            "copyable_tokens": float(copyable_tokens(bits, v)),
            "log2_exact_copy_probability": min(0.0, bits - n * math.log2(v)),
        },
    )
