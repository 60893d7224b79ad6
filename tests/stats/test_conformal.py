"""Thresholds that hold a risk: on fresh splits, by their own guarantee, and not under a shift."""

import numpy as np
import pytest

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.stats import conformal_threshold, selective_threshold


def drawn(rng, n, skill=2.0):
    confidence = rng.uniform(size=n)
    return confidence, rng.uniform(size=n) > confidence ** (1 / skill)


def test_expected_loss_is_held_over_fresh_splits():
    """Mean loss over 400 splits of 100 answers: a mean above the target by 4 standard errors has chance < 1e-4."""
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(400):
        threshold = conformal_threshold(*drawn(rng, 100), risk=0.1)
        confidence, wrong = drawn(rng, 100)
        losses.append(np.mean(wrong & (confidence >= threshold)))
    error = np.std(losses) / np.sqrt(len(losses))
    assert np.mean(losses) <= 0.1 + 4 * error
    # It is no more careful than it has to be: within 1/(n + 1) of the target.
    assert np.mean(losses) >= 0.1 - 1 / 101 - 4 * error


def test_promise_about_the_answered_is_broken_rarely():
    """At delta = 0.1, over 400 splits: more than 55 broken promises have chance < 0.01 at most."""
    rng = np.random.default_rng(1)
    broken = answered = 0
    for _ in range(400):
        threshold = selective_threshold(*drawn(rng, 150), risk=0.25, delta=0.1)
        if threshold == np.inf:
            continue
        grid = np.linspace(threshold, 1, 2001)
        answered += 1
        broken += np.mean(1 - np.sqrt(grid)) > 0.25
    assert answered > 300
    assert broken <= 55


def test_no_promise_survives_a_shift():
    rng = np.random.default_rng(2)
    threshold = conformal_threshold(*drawn(rng, 2000), risk=0.05)
    confidence, wrong = drawn(rng, 2000, skill=0.3)
    assert np.mean(wrong & (confidence >= threshold)) > 0.1


def test_useless_signal_answers_little():
    rng = np.random.default_rng(3)
    wrong = rng.uniform(size=500) < 0.7
    confidence = rng.uniform(size=500)
    assert np.mean(confidence >= conformal_threshold(confidence, wrong, risk=0.1)) < 0.25
    assert selective_threshold(confidence, wrong, risk=0.1) == np.inf


def test_lowest_threshold_that_holds():
    confidence = np.arange(100) / 100
    wrong = confidence < 0.5
    threshold = conformal_threshold(confidence, wrong, risk=0.2)
    held = [t for t in confidence if (np.sum(wrong & (confidence >= t)) + 1) / 101 <= 0.2]
    assert threshold == min(held)


def test_all_wrong_answers_nothing_of_what_was_seen():
    assert conformal_threshold([0.5] * 50, [True] * 50, risk=0.1) > 0.5
    assert conformal_threshold([0.5] * 50, [True] * 50, risk=0.1) < 0.51


@pytest.mark.parametrize("choose", [conformal_threshold, selective_threshold])
def test_refusals(choose):
    with pytest.raises(InsufficientDataError, match=r"^A threshold cannot be chosen on no labelled answer; give at "):
        choose([], [], risk=0.1)
    with pytest.raises(InvalidValueError, match=r"^Confidences and labels must be two lists of one length without NaN"):
        choose([0.1, float("nan")], [True, False], risk=0.1)
    with pytest.raises(InvalidValueError, match=r"^risk must lie in \(0, 1\), got 1\.$"):
        choose([0.1], [True], risk=1.0)
