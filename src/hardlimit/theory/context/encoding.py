"""CTX-2: what rotary and sinusoidal codes do to similarity at a distance, and do not do to attention."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import sici

from hardlimit.core import (
    Effect,
    Impossibility,
    InvalidValueError,
    Limit,
    Resource,
    Shape,
    Source,
    Statement,
    Status,
    Verdict,
)
from hardlimit.core.quantity import SELF_SIMILARITY
from hardlimit.theory.domain import Floats, Numbers, number, plain, vector, whole, within
from hardlimit.theory.sources import derived, paper

CTX_2 = Statement(
    id="CTX-2",
    name="attenuation by position codes",
    limit=Limit.CONTEXT,
    status=Status.CORRECTED,
    says=(
        "The similarity of a vector with itself at distance D, under rotary codes, falls logarithmically in D and "
        "then oscillates; it does not fall like 1/D. And it is no attenuation of attention: for every distance there "
        "are queries and keys whose score is largest exactly there."
    ),
    formula=(
        "g(D) = (2/d)·Σⱼ cos(D·θⱼ),   θⱼ = B^(−2j/d):   g ≈ (Ci(D) − Ci(D/B))/ln B ≈ 1 − (ln D + γ)/ln B\n"
        "equally spaced frequencies:  |g| ≤ 2/(ΩD) for D ≪ m/Ω only;  sup over D ≥ D₀ of |g| is 1 for every D₀\n"
        "k = R_r·q:  score(D) = Σⱼ |qⱼ|²·cos((D − r)·θⱼ), largest at D = r, equal to |q|²"
    ),
    hypotheses=("full rotary code over an even width d", "1 ≪ D ≪ B for the logarithmic form"),
    sources=(
        Source(title="Su et al., RoFormer (2021)", locator="sec. 3.4.3", url="arXiv:2104.09864"),
        Source(title="Barbero et al. (2024)", url="arXiv:2410.06205"),
        Source(title="Men et al. (2024)", url="arXiv:2405.14591"),
        derived("the integral and the peak"),
        paper("attenuation lemma"),
    ),
    silent_on=(
        "It is a property of identical vectors. For independent Gaussian queries and keys the score has the same law "
        "at every distance. Learned queries and keys can favour any distance."
    ),
    falsified_by="A distance r for which no query and key have their largest rotary score at r.",
    paper=(
        "The paper's 2/(ΩΔ) → 0 is too small by a factor 24 at distance 100 and 80 at 1,000 for the geometric "
        "frequencies in use, and wrong as a limit at any fixed number of frequencies (PAPER-ATTENUATION-GEOMETRIC, "
        "PAPER-ATTENUATION-LIMIT)."
    ),
    effects=(
        Effect(resource=Resource.CONTEXT, verdict=Verdict.HELPS, when="a larger base moves the first zero outwards"),
    ),
    worked="64 frequencies, base 10⁴: g(100) = 0.477, where the paper's lemma has 0.020; g first negative at 1,707.",
    probe="context.needle",
)


def frequencies(width: int, base: float) -> Floats:
    """Return the rotary frequencies θⱼ = B^(−2j/d), j = 0…d/2 − 1.

    Args:
        width: d, even, >= 2.
        base: B, > 1.

    >>> frequencies(4, 100.0).tolist()
    [1.0, 0.1]
    """
    d = whole("width", width, "[2, ∞)")
    if d % 2:
        raise InvalidValueError(f"width must be even, got {d}: a rotary code turns pairs of numbers.")
    return np.asarray(number("base", base, "(1, ∞)") ** (-2.0 * np.arange(d // 2) / d))


def rope_selfsim(distance: ArrayLike, width: int, base: float) -> Numbers:
    """Return g(D), the similarity of a vector with itself turned by distance D, in units of its squared length.

    Args:
        distance: D, tokens, any number or array.
        width: d, rotary width of a head, even, >= 2.
        base: B, > 1.

    Source:
        CTX-2.

    >>> round(rope_selfsim(256, 128, 1e4), 4)
    0.3207
    """
    return _mean_cosine(within("distance", distance, "(-∞, ∞)"), frequencies(width, base))


def linear_selfsim(distance: ArrayLike, terms: int, top: float = 1.0) -> Numbers:
    """Return the mean of cos(D·ωₖ) over equally spaced frequencies ωₖ = Ω(k − ½)/m, k = 1…m.

    Args:
        distance: D.
        terms: m, >= 1.
        top: Ω, > 0.

    >>> round(linear_selfsim(20, 64), 4)
    0.0458
    """
    m = whole("terms", terms, "[1, ∞)")
    omega = number("top", top, "(0, ∞)") * (np.arange(m) + 0.5) / m
    return _mean_cosine(within("distance", distance, "(-∞, ∞)"), omega)


def rope_selfsim_law(distance: ArrayLike, base: float) -> Numbers:
    """Return the continuum form (Ci(D) − Ci(D/B))/ln B of `rope_selfsim`.

    Args:
        distance: D, > 0.
        base: B, > 1.

    Source:
        CTX-2: the mean over log-uniform frequencies.

    >>> round(rope_selfsim_law(100, 1e4), 4)
    0.4368
    """
    d, b = within("distance", distance, "(0, ∞)"), number("base", base, "(1, ∞)")
    return plain((sici(d)[1] - sici(d / b)[1]) / np.log(b))


def paper_attenuation(distance: ArrayLike, top: float = 1.0) -> Numbers:
    """Return the paper's 2/(Ω·D), for comparison with what the codes really do.

    >>> paper_attenuation(100)
    0.02
    """
    return plain(2 / (number("top", top, "(0, ∞)") * within("distance", distance, "(0, ∞)")))


def partial_sums(distance: float, width: int, base: float) -> Floats:
    """Return |Sⱼ(D)|, the lengths of the partial sums Σ_{i<j} e^(iDθᵢ), j = 1…d/2.

    >>> partial_sums(0.0, 4, 100.0).tolist()
    [1.0, 2.0]
    """
    turns = np.exp(1j * number("distance", distance, "(-∞, ∞)") * frequencies(width, base))
    return np.asarray(np.abs(np.cumsum(turns)))


def abel_bound(distance: float, products: ArrayLike, base: float) -> float:
    """Return Abel's bound max|hⱼ₊₁ − hⱼ|·Σ|Sⱼ(D)| on a rotary score |Σ hⱼ·e^(iDθⱼ)|.

    Args:
        distance: D.
        products: hⱼ = qⱼ·conj(kⱼ), d/2 complex numbers.
        base: B, > 1.

    Source:
        Su et al. (2021), sec. 3.4.3.

    >>> abel_bound(0.0, [1.0, 1.0], 100.0)
    3.0
    """
    h = np.asarray(products, dtype=np.complex128)
    if h.ndim != 1 or not h.size or not np.isfinite(h).all():
        raise InvalidValueError(f"products must be a list of finite complex numbers, got shape {h.shape}.")
    steps = np.abs(np.diff(np.append(h, 0.0)))
    return float(steps.max() * partial_sums(distance, 2 * h.size, base)[: h.size].sum())


def first_negative(width: int, base: float, limit: int = 1_000_000) -> int | None:
    """Return the first whole distance at which the self-similarity is negative, or None up to the limit.

    Args:
        width: d, even, >= 2.
        base: B, > 1.
        limit: last distance that is tried, >= 1.

    >>> first_negative(128, 1e4)
    1707
    """
    last, step = whole("limit", limit, "[1, ∞)"), 4096
    for start in range(1, last + 1, step):
        d = np.arange(start, min(start + step, last + 1))
        negative = np.flatnonzero(np.asarray(rope_selfsim(d, width, base)) < 0)
        if negative.size:
            return int(d[negative[0]])
    return None


def peak_scores(query: ArrayLike, peak: float, distances: ArrayLike, base: float) -> Floats:
    """Return the rotary scores, by distance, of a query with the key that is the query turned by `peak`.

    Args:
        query: q, an even number of numbers, pairs turned together.
        peak: r, the distance at which the score is to be largest.
        distances: D.
        base: B, > 1.

    Source:
        CTX-2.

    >>> peak_scores([1.0, 0.0], 7.0, [6.0, 7.0, 8.0], 1e4).round(4).tolist()
    [0.5403, 1.0, 0.5403]
    """
    q = vector("query", query, "(-∞, ∞)")
    power = (q.reshape(-1, 2) ** 2).sum(axis=1) if q.size % 2 == 0 else q
    theta = frequencies(q.size, base)
    away = vector("distances", distances, "(-∞, ∞)") - number("peak", peak, "(-∞, ∞)")
    return np.asarray(np.cos(np.multiply.outer(away, theta)) @ power)


def selfsim_by_distance(distances: Sequence[float], width: int, base: float) -> Shape:
    """Tell how the similarity of a vector with itself changes with distance under a rotary code.

    Args:
        distances: D, increasing.
        width: d, even, >= 2.
        base: B, > 1.

    Returns:
        A shape of `SELF_SIMILARITY` along `distance`.

    Source:
        CTX-2.

    >>> [round(y, 4) for _, y in selfsim_by_distance([1, 16, 256, 4096], 128, 1e4).points]
    [0.9702, 0.6203, 0.3207, -0.0529]
    """
    d = vector("distances", distances, "(-∞, ∞)")
    values = np.atleast_1d(np.asarray(rope_selfsim(d, width, base)))
    return Shape(
        statement=CTX_2,
        quantity=SELF_SIMILARITY,
        along="distance",
        points=tuple(zip(d.tolist(), values.tolist(), strict=True)),
        parameters={"width": width, "base": base},
    )


def no_attenuation(peak: int, width: int, base: float) -> Impossibility:
    """Show that a rotary code cannot attenuate attention at a distance: a query and key peak exactly there.

    Args:
        peak: r, the distance, >= 1.
        width: d, even, >= 2.
        base: B, > 1.

    Returns:
        An impossibility whose witness compares the score at r with every other whole distance up to 2r.

    Source:
        CTX-2.

    >>> no_attenuation(1000, 128, 1e4).witness["peak_distance"]
    1000
    """
    r = whole("peak", peak, "[1, ∞)")
    distances = np.arange(2 * r + 1, dtype=np.float64)
    scores = peak_scores(np.ones(whole("width", width, "[2, ∞)")), r, distances, base)
    return Impossibility(
        statement=CTX_2,
        at={"distance": r, "width": width, "base": base},
        witness={
            "peak_distance": int(distances[scores.argmax()]),
            "score_at_peak": float(scores[r]),
            "next_best_score": float(np.delete(scores, r).max()),
            "query": "all ones; the key is the query turned by the distance",
        },
    )


def _mean_cosine(distance: Floats, omega: Floats) -> Numbers:
    flat = np.atleast_1d(distance).ravel()
    total, turned = np.zeros(flat.size), np.empty(flat.size)
    for frequency in omega:  # one frequency at a time: a million distances stay in a few megabytes
        total += np.cos(np.multiply(flat, frequency, out=turned), out=turned)
    return plain((total / omega.size).reshape(distance.shape))
