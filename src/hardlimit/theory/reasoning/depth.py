"""REAS-3: how many hops fit into one forward pass, and what steps of thought add."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hardlimit.core import Bound, Effect, InvalidValueError, Limit, Resource, Source, Statement, Status, Verdict
from hardlimit.core.quantity import HOPS
from hardlimit.theory.bounding import at_least
from hardlimit.theory.domain import Numbers, plain, whole, within

REAS_3 = Statement(
    id="REAS-3",
    name="depth, hops and chain of thought",
    limit=Limit.REASONING,
    status=Status.PROVED,
    says=(
        "Following k pointers takes about log₂ k layers, since each layer can double the stride. So every extra "
        "layer doubles the hops of one forward pass, and steps of thought multiply them. That fewer layers do not "
        "suffice is known only under conjectures."
    ),
    formula=(
        "k hops are computed at depth ⌊log₂ k⌋ + 2;   so L layers suffice for k = 2^(L−1) − 1\n"
        "lower bound Ω(log k): under the 1-against-2-cycle conjecture only\n"
        "fixed depth, logarithmic precision ⊆ TC⁰;   TC⁰ ≠ NC¹ ⟹ no fixed depth solves S₅ words of all lengths\n"
        "t(n) steps of thought:  log n: inside L;   linear: all regular languages;   polynomial: P"
    ),
    hypotheses=(
        "the upper bound is a construction: some weights do it, training may not find them",
        "lower bounds are conditional (1-against-2-cycle; TC⁰ ≠ NC¹) and asymptotic",
    ),
    sources=(
        Source(title="Sanford, Hsu & Telgarsky (2024)", locator="Thm 4.2, Cor. 4.3", url="arXiv:2402.09268"),
        Source(title="Merrill & Sabharwal (2022)", locator="Thm 2", url="arXiv:2207.00729"),
        Source(title="Merrill & Sabharwal (2025)", locator="Thm 1, 2", url="arXiv:2503.03961"),
        Source(title="Merrill & Sabharwal (2023), chain of thought", url="arXiv:2310.07923"),
    ),
    silent_on=(
        "Asymptotic statements say nothing at one fixed length. The number of hops is what depth allows, not what a "
        "trained model does."
    ),
    falsified_by="A function and a k for which ⌊log₂ k⌋ + 1 rounds of doubling do not reach the k-th image.",
    paper="The paper does not separate what is unconditional from what is conditional.",
    effects=(
        Effect(resource=Resource.DEPTH, verdict=Verdict.HELPS, when="each layer doubles the hops that can be computed"),
        Effect(resource=Resource.INFERENCE_STEPS, verdict=Verdict.HELPS, when="linearly"),
    ),
    worked="6 layers: 31 hops in one pass; 32 layers: 2,147,483,647.",
)


def layers_for_hops(hops: ArrayLike) -> Numbers:
    """Return a depth that surely suffices for k hops, ⌊log₂ k⌋ + 2.

    Args:
        hops: k, >= 1.

    Source:
        Sanford, Hsu & Telgarsky (2024), Thm 4.2.

    >>> layers_for_hops(16)
    6.0
    """
    _, exponent = np.frexp(within("hops", hops, "[1, ∞)"))  # exact ⌊log₂ k⌋ + 1, with no logarithm to round
    return plain(exponent + 1.0)


def hops_for_layers(layers: ArrayLike) -> Numbers:
    """Return the hops that L layers surely suffice for, 2^(L−1) − 1.

    Args:
        layers: L, >= 1.

    >>> hops_for_layers(6)
    31.0
    """
    return plain(np.exp2(within("layers", layers, "[1, 1000]", whole=True) - 1) - 1)


def prefix_depth(length: int) -> int:
    """Return the rounds in which all n prefixes of an associative product are computed in parallel, ⌈log₂ n⌉.

    >>> prefix_depth(1024)
    10
    """
    return (whole("length", length, "[1, ∞)") - 1).bit_length()


def pointer_doubling(function: ArrayLike, hops: int) -> tuple[NDArray[np.int64], int]:
    """Follow a function k times by squaring it: the construction behind the upper bound.

    Args:
        function: f(0)…f(n−1), each in 0…n−1.
        hops: k, >= 0.

    Returns:
        f applied k times to every element, and the rounds it took, ⌊log₂ k⌋ + 1.

    Source:
        REAS-3.

    >>> images, rounds = pointer_doubling([1, 2, 3, 0], 16)
    >>> images.tolist(), rounds
    ([0, 1, 2, 3], 5)
    """
    raw = np.asarray(function)
    if raw.ndim != 1 or not raw.size:
        raise InvalidValueError(f"function must be a list of at least one image, got shape {raw.shape}.")
    power = within("function", raw, f"[0, {raw.size - 1}]", whole=True).astype(np.int64)
    images, rounds, left = np.arange(raw.size), 0, whole("hops", hops, "[0, ∞)")
    while left:
        if left & 1:
            images = power[images]
        power = power[power]
        left >>= 1
        rounds += 1
    return images, rounds


def hops_per_pass(layers: int) -> Bound:
    """Bound from below the hops that some model of L layers follows in one forward pass.

    Args:
        layers: L, 1 to 1,000.

    Returns:
        A lower bound on `HOPS` (a construction); `parts` has its binary logarithm.

    Source:
        REAS-3; Sanford, Hsu & Telgarsky (2024), Thm 4.2.

    >>> hops_per_pass(6).value
    31.0
    """
    depth = whole("layers", layers, "[1, 1000]")
    hops = 2 ** (depth - 1) - 1
    return at_least(REAS_3, HOPS, hops, at={"layers": depth}, parts={"log2_hops": math.log2(max(hops, 1))})
