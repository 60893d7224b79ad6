import numpy as np
import pytest
from scipy import stats as reference

from hardlimit.core import InvalidValueError
from hardlimit.stats import mcnemar_p, mcnemar_power, n_for_mcnemar, n_for_width, n_per_arm, wilson


@pytest.mark.parametrize(("width", "p"), [(0.1, 0.5), (0.05, 0.2), (0.3, 0.0), (0.9, 0.5), (0.02, 0.97)])
def test_n_for_width_is_the_smallest(width, p):
    n = n_for_width(width, p=p)

    def wide(cases):
        interval = wilson(p * cases, cases)
        return interval.high - interval.low

    assert wide(n) <= width + 1e-12
    assert n == 1 or wide(n - 1) > width


def test_n_per_arm_has_the_power_it_promises():
    # Power of the two-sided z test at the n of the formula, exact up to the normal approximation: simulated with
    # 20,000 experiments (standard error 0.003).
    n = n_per_arm(0.70, 0.65)
    assert n == 1374
    rng = np.random.default_rng(1)
    a, b = rng.binomial(n, 0.70, 20_000) / n, rng.binomial(n, 0.65, 20_000) / n
    z = (a - b) / np.sqrt((a * (1 - a) + b * (1 - b)) / n)
    assert np.mean(np.abs(z) > 1.959964) == pytest.approx(0.8, abs=0.012)


def test_mcnemar_power_is_exact():
    # Enumerate every table of 12 pairs.
    n, b, c = 12, 0.1, 0.5
    total = sum(
        reference.multinomial.pmf([i, j, n - i - j], n, [b, c, 1 - b - c])
        for i in range(n + 1)
        for j in range(n + 1 - i)
        if mcnemar_p(i, j) <= 0.05
    )
    assert mcnemar_power(n, only_first=b, only_second=c) == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize(("b", "c"), [(0.05, 0.15), (0.0, 0.1), (0.2, 0.25), (0.3, 0.1)])
def test_n_for_mcnemar_keeps_its_power(b, c):
    n = n_for_mcnemar(b, c)
    powers = [mcnemar_power(k, only_first=b, only_second=c) for k in range(n - 1, n + 21)]
    assert powers[0] < 0.8 and min(powers[1:]) >= 0.8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: n_per_arm(0.5, 0.5), "Two equal proportions have no difference to see, got p1 = p2 = 0.5."),
        (lambda: n_per_arm(0.5, 1.5), "p2 must lie in [0, 1], got 1.5."),
        (lambda: n_per_arm(0.5, 0.6, power=1.0), "power must lie in (0, 1), got 1.0."),
        (lambda: n_for_width(0.0), "width must lie in (0, 1), got 0.0."),
        (lambda: n_for_mcnemar(0.1, 0.1), "Two equal arms have no difference to see, got 0.1 twice."),
        (
            lambda: mcnemar_power(0, only_first=0.1, only_second=0.1),
            "mcnemar_power needs n >= 1 and 0 < only_first + only_second <= 1, got n=0, only_first=0.1, "
            "only_second=0.1.",
        ),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(InvalidValueError) as raised:
        call()
    assert str(raised.value) == message
