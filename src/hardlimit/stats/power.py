"""How many cases a question needs, before it is asked."""

import math

import numpy as np
from scipy import special, stats

from hardlimit.core import InvalidValueError
from hardlimit.stats.intervals import check_level


def _normal(level: float, power: float) -> float:
    check_level(level)
    if not 0.0 < power < 1.0:
        raise InvalidValueError(f"power must lie in (0, 1), got {power}.")
    return float(special.ndtri(1 - (1 - level) / 2) + special.ndtri(power))


def _probability(name: str, p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise InvalidValueError(f"{name} must lie in [0, 1], got {p}.")


def n_for_width(width: float, *, p: float = 0.5, level: float = 0.95) -> int:
    """Cases at which the Wilson interval of a proportion is at most `width` wide.

    Args:
        width: full width wanted, in (0, 1).
        p: the proportion expected; 0.5 is the worst case.
        level: confidence.

    >>> n_for_width(0.1)
    381
    """
    check_level(level)
    _probability("p", p)
    if not 0.0 < width < 1.0:
        raise InvalidValueError(f"width must lie in (0, 1), got {width}.")
    z2 = float(special.ndtri(1 - (1 - level) / 2)) ** 2

    def wide(n: int) -> bool:
        return 2 * math.sqrt(z2 * (p * (1 - p) * n + z2 / 4)) / (n + z2) > width

    high = 1
    while wide(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if wide(middle) else (low, middle)
    return high


def n_per_arm(p1: float, p2: float, *, power: float = 0.8, level: float = 0.95) -> int:
    """Cases per arm to see the difference of two unpaired proportions.

    n = (z_(1-alpha/2) + z_power)² [p1(1-p1) + p2(1-p2)] / (p1-p2)²

    Args:
        p1: proportion in the first arm.
        p2: proportion in the second arm, another number.
        power: chance to see it.
        level: confidence of the two-sided test.

    Source:
        Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, section 4.2 (unpooled variance).

    >>> n_per_arm(0.70, 0.65)
    1374
    """
    _probability("p1", p1)
    _probability("p2", p2)
    if p1 == p2:
        raise InvalidValueError(f"Two equal proportions have no difference to see, got p1 = p2 = {p1}.")
    return math.ceil(_normal(level, power) ** 2 * (p1 * (1 - p1) + p2 * (1 - p2)) / (p1 - p2) ** 2)


def mcnemar_power(n: int, *, only_first: float, only_second: float, level: float = 0.95) -> float:
    """Chance that the exact McNemar test sees a difference.

    Args:
        n: pairs.
        only_first: probability that a pair is right in the first arm alone.
        only_second: probability that it is right in the second arm alone.
        level: confidence of the two-sided test.

    >>> round(mcnemar_power(200, only_first=0.05, only_second=0.15), 3)
    0.875
    """
    check_level(level)
    discordant = only_first + only_second
    if n < 1 or only_first < 0 or only_second < 0 or not 0.0 < discordant <= 1.0:
        raise InvalidValueError(
            f"mcnemar_power needs n >= 1 and 0 < only_first + only_second <= 1, got n={n}, "
            f"only_first={only_first}, only_second={only_second}."
        )
    pairs = np.arange(1, n + 1)
    weight = stats.binom.pmf(pairs, n, discordant)
    kept = weight > 1e-12
    pairs, weight = pairs[kept], weight[kept]
    # Largest k with 2 P(X <= k) <= alpha, X ~ Binomial(pairs, 1/2): the test rejects at <= k and at >= pairs - k.
    k = stats.binom.ppf((1 - level) / 2, pairs, 0.5)
    k = np.where(2 * stats.binom.cdf(k, pairs, 0.5) <= (1 - level) * (1 + 1e-12), k, k - 1)
    share = only_second / discordant
    rejects = stats.binom.cdf(k, pairs, share) + stats.binom.sf(pairs - k - 1, pairs, share)
    return float(weight @ rejects)


def n_for_mcnemar(only_first: float, only_second: float, *, power: float = 0.8, level: float = 0.95) -> int:
    """Pairs after which the exact McNemar test keeps at least this power.

    Starts from the normal approximation and walks on the exact power, which rises in small teeth: the answer is
    the smallest n such that the next 20 also have the power.

    Args:
        only_first: probability that a pair is right in the first arm alone.
        only_second: probability that it is right in the second arm alone, another number.
        power: chance to see the difference.
        level: confidence of the two-sided test.

    Source:
        Connor (1987), Biometrics 43:207, for the normal approximation.

    >>> n_for_mcnemar(0.05, 0.15)
    168
    """
    difference = abs(only_second - only_first)
    if difference == 0:
        raise InvalidValueError(f"Two equal arms have no difference to see, got {only_first} twice.")
    _normal(level, power)
    discordant = only_first + only_second
    z_alpha, z_beta = float(special.ndtri(1 - (1 - level) / 2)), float(special.ndtri(power))
    root = z_alpha * math.sqrt(discordant) + z_beta * math.sqrt(max(discordant - difference**2, 0.0))
    guess = max(1, math.ceil(root**2 / difference**2))

    def enough(n: int) -> bool:
        return mcnemar_power(n, only_first=only_first, only_second=only_second, level=level) >= power

    step = max(1, guess // 20)
    n = guess
    while not enough(n):
        n += step
    run = 0
    n = max(1, n - 2 * step)
    while run <= 20:
        run = run + 1 if enough(n) else 0
        n += 1
    return n - run
