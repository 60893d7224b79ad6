import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from hardlimit.core import InvalidValueError
from hardlimit.stats import benjamini_hochberg, holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(P_VALUES)
def test_benjamini_hochberg_equals_scipy(p):
    assert benjamini_hochberg(p) == pytest.approx(reference.false_discovery_control(p), abs=1e-12)


@given(P_VALUES)
def test_holm_by_its_definition(p):
    # Step down by hand: the k-th smallest is rejected at alpha iff all smaller ones are and p_k (m - k + 1) <= alpha.
    adjusted = holm(p)
    order = np.argsort(p, kind="stable")
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, p[index] * (len(p) - rank)))
        assert adjusted[index] == pytest.approx(running)


def test_known_values():
    # Holm (1979) steps of the p-values .01 .04 .03 .005.
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    # Benjamini & Hochberg (1995), section 3.2: 15 p-values, 4 rejected at q = 0.05, Bonferroni/Holm 3.
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1,
    ]
    assert int((benjamini_hochberg(p) <= 0.05).sum()) == 4
    assert int((holm(p) <= 0.05).sum()) == 3


def test_error_rates():
    # 2,000 families of 20 tests, 15 null. Holm: P(any false) <= 0.05 (limit 4 standard errors up, 0.07);
    # BH: expected share of false ones <= 0.05 * 15/20 = 0.0375 (limit 0.055).
    rng = np.random.default_rng(1)
    z = rng.normal(size=(2000, 20)) + np.r_[np.zeros(15), np.full(5, 3.0)]
    p = 2 * reference.norm.sf(np.abs(z))
    any_false = np.mean([(holm(row) <= 0.05)[:15].any() for row in p])
    shares = [np.sum(r[:15]) / max(1, r.sum()) for r in (benjamini_hochberg(row) <= 0.05 for row in p)]
    assert any_false <= 0.07 and np.mean(shares) <= 0.055
    assert any_false > 0.015 and np.mean(shares) > 0.015  # and they are not merely asleep


def test_what_is_refused():
    with pytest.raises(InvalidValueError) as raised:
        holm([0.5, 1.5])
    assert str(raised.value) == "p-values must be a flat list of numbers in [0, 1]."
    assert holm([]).size == 0
