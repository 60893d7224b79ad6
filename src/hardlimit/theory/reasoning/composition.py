"""REAS-2: one attention layer can carry only so much of one function to where another is applied.

The heads of a layer hand over H(d + 1)p bits about f. Answering f at a random place from them is the INDEX problem, and
its error is what rate–distortion allows.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from hardlimit.core import Bound, Effect, Limit, Resource, Source, Statement, Status, Verdict
from hardlimit.core.quantity import COMPOSITION_DOMAIN, ERROR_RATE
from hardlimit.theory.bounding import at_least, at_most
from hardlimit.theory.domain import Numbers, number, plain, whole, within
from hardlimit.theory.rates import error_at_rate
from hardlimit.theory.sources import derived

REAS_2 = Statement(
    id="REAS-2",
    name="function composition in one attention layer",
    limit=Limit.REASONING,
    status=Status.PROVED,
    says=(
        "To answer f(g(x)) for two functions given in the prompt, one softmax layer must carry what it knows of f "
        "through its heads. With more entries in f than the heads have bits, it errs. Two layers, or a chain of "
        "thought, do not have this problem."
    ),
    formula=(
        "B = H·(d + 1)·p bits;   n·log₂ n > B  ⟹  error ≥ (n·log₂ n − B)/(3·n·log₂ n)\n"
        "sharper: error ≥ R_n⁻¹(B/n)\n"
        "L layers, L-fold composition: needs H·d·p > n^(2^(−4L));   chain of thought: Ω(√(n/(H·d·p))) steps"
    ),
    hypotheses=(
        "f, g on n elements, written in the prompt, x and g random",
        "one softmax layer: H heads of value width d at p bits of precision",
    ),
    sources=(
        Source(title="Peng, Narayanan & Papadimitriou (2024)", locator="Thm 1, 2", url="arXiv:2402.08164"),
        Source(title="Chen, Peng & Wu (2024)", locator="Thm 1.1", url="arXiv:2412.02975"),
        derived("the sharper form, by rate–distortion"),
    ),
    silent_on=(
        "The multi-layer bound is empty at any real size (10⁶⁵ elements for one layer of usual width). Models have "
        "dozens of layers, so the one-layer bound is about mechanism, not about what a model can do."
    ),
    falsified_by="A trained one-layer transformer whose error on random compositions is below the bound.",
    paper="The paper mentions it without a theorem. Its d is the width of a head, not of the model.",
    effects=(
        Effect(resource=Resource.DATA, verdict=Verdict.CANNOT_PROGRESS, when="one layer, n beyond the critical size"),
        Effect(resource=Resource.DEPTH, verdict=Verdict.HELPS, when="two layers are enough for one composition"),
        Effect(resource=Resource.INFERENCE_STEPS, verdict=Verdict.HELPS, when="each step composes once"),
    ),
    worked="1 head of width 16 at 32 bits, 256 elements: error at least 0.61; critical size 85 elements.",
)


def message_bits(heads: ArrayLike, head_width: ArrayLike, precision: ArrayLike) -> Numbers:
    """Return B = H(d + 1)p, the bits that one layer's heads hand over.

    Args:
        heads: H, >= 1.
        head_width: d, width of a value vector, >= 1.
        precision: p, bits per number, >= 1.

    >>> message_bits(32, 128, 16)
    66048.0
    """
    h, d = within("heads", heads, "[1, ∞)"), within("head_width", head_width, "[1, ∞)")
    return plain(h * (d + 1) * within("precision", precision, "[1, ∞)"))


def peng_error(elements: ArrayLike, bits: ArrayLike) -> Numbers:
    """Return the communication bound max(0, n·log₂ n − B)/(3·n·log₂ n).

    Args:
        elements: n, >= 2.
        bits: B, >= 0.

    Source:
        Peng, Narayanan & Papadimitriou (2024), Thm 1.

    >>> round(peng_error(128, message_bits(1, 16, 32)), 4)
    0.131
    """
    n = within("elements", elements, "[2, ∞)")
    full = n * np.log2(n)
    return plain(np.maximum(0.0, full - within("bits", bits, "[0, ∞)")) / (3 * full))


def index_error(elements: ArrayLike, bits: ArrayLike) -> Numbers:
    """Return the sharper bound R_n⁻¹(B/n): answering one of n random entries from B bits.

    Args:
        elements: n, >= 2.
        bits: B, >= 0.

    Source:
        REAS-2; rate–distortion as in HALL-3.

    >>> round(index_error(128, message_bits(1, 16, 32)), 4)
    0.2726
    """
    n = within("elements", elements, "[2, ∞)")
    return error_at_rate(within("bits", bits, "[0, ∞)") / n, n)


def store_and_guess_error(elements: ArrayLike, bits: ArrayLike) -> Numbers:
    """Return the error of the code that keeps ⌊B/log₂ n⌋ entries and guesses the rest: what is surely achievable.

    >>> round(store_and_guess_error(256, message_bits(1, 16, 32)), 4)
    0.7315
    """
    n = within("elements", elements, "[2, ∞)")
    kept = np.minimum(n, np.floor(within("bits", bits, "[0, ∞)") / np.log2(n)))
    return plain((1 - kept / n) * (1 - 1 / n))


def critical_elements(bits: float) -> int:
    """Return the smallest n at which one layer must err, n·log₂ n > B.

    Args:
        bits: B, >= 0.

    >>> critical_elements(66048)
    5335
    """
    budget = number("bits", bits, "[0, 1e300]")
    low, high = 1, 2
    while high * math.log2(high) <= budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if middle * math.log2(middle) > budget else (middle, high)
    return high


def multilayer_log10_elements(width_bits: float, layers: int) -> float:
    """Return log₁₀ of the domain from which on the unconditional L-layer bound says anything, 16^L·log₁₀(H·d·p).

    Args:
        width_bits: H·d·p, > 1.
        layers: L, >= 1.

    Source:
        Chen, Peng & Wu (2024), Thm 1.1.

    >>> round(multilayer_log10_elements(12288, 1), 1)
    65.4
    """
    return float(16.0 ** whole("layers", layers, "[1, 200]") * math.log10(number("width_bits", width_bits, "(1, ∞)")))


def thought_steps(elements: ArrayLike, width_bits: ArrayLike) -> Numbers:
    """Return the order of chain-of-thought steps that iterated composition needs, √(n/(H·d·p)) (constant unknown).

    >>> round(thought_steps(1e6, 12288), 1)
    9.0
    """
    n, width = within("elements", elements, "[1, ∞)"), within("width_bits", width_bits, "(0, ∞)")
    return plain(np.sqrt(n / width))


def composition_floor(elements: int, heads: int, head_width: int, precision: int = 16) -> Bound:
    """Bound from below the error of one attention layer on random compositions f(g(x)).

    Args:
        elements: n, >= 2.
        heads: H, >= 1.
        head_width: d, >= 1.
        precision: p, bits per number, >= 1.

    Returns:
        A lower bound on `ERROR_RATE`; `parts` has the older communication bound and what a simple code achieves.

    Source:
        REAS-2.

    >>> round(composition_floor(256, 1, 16, 32).value, 4)
    0.6146
    """
    n = whole("elements", elements, "[2, ∞)")
    bits = float(message_bits(heads, head_width, precision))
    at = {"elements": n, "heads": heads, "head_width": head_width, "precision": precision}
    parts = {
        "message_bits": bits,
        "communication_bound": float(peng_error(n, bits)),
        "store_and_guess": float(store_and_guess_error(n, bits)),
    }
    return at_least(REAS_2, ERROR_RATE, float(index_error(n, bits)), at=at, parts=parts)


def composition_domain(heads: int, head_width: int, precision: int = 16) -> Bound:
    """Bound from above the domain on which one attention layer can compose without error.

    Args:
        heads: H, >= 1.
        head_width: d, >= 1.
        precision: p, bits per number, >= 1.

    Returns:
        An upper bound on `COMPOSITION_DOMAIN`, elements; from one more on, the layer must err.

    Source:
        REAS-2.

    >>> round(composition_domain(32, 128).value)
    5334
    """
    bits = float(message_bits(heads, head_width, precision))
    at = {"heads": heads, "head_width": head_width, "precision": precision}
    return at_most(REAS_2, COMPOSITION_DOMAIN, critical_elements(bits) - 1, at=at, parts={"message_bits": bits})
