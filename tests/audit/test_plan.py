"""A whole audit: what it says about models of known ability, and that killing it changes nothing."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hardlimit.audit import AuditReport, LimitReport
from hardlimit.audit.budget import Budget
from hardlimit.audit.judging import error_removed, judge
from hardlimit.audit.plan import STUDIES, Plan, audit
from hardlimit.core import (
    Estimate,
    Interval,
    Point,
    Resource,
    Silent,
    Standing,
    Tally,
    Verdict,
    dumps,
    loads,
)
from hardlimit.models.toy import FiniteMemory, Overconfident, Perfect, open_toy
from hardlimit.stats import estimate
from hardlimit.store import Store


def audited(model, tmp_path, **plan) -> AuditReport:
    with Store.open(tmp_path / "answers.sqlite") as store:
        return audit(model, Plan(**plan), store, Silent())


def verdict(report: LimitReport, resource: Resource) -> Verdict:
    return next(v.verdict for v in report.verdicts if v.resource == resource)


@pytest.mark.slow
def test_a_finite_memory_is_found_out(tmp_path):
    """The toy remembers 1,024 tokens back; needles lie at uniform depths, so 85 % of them are in reach up to 1,205."""
    report = audited(FiniteMemory(tokens=1024), tmp_path, limits=("context",), budget=Budget())
    (context,) = report.limits
    effective = context.measurements[0]
    assert effective.name == "context.effective"
    assert effective.estimate is not None
    # The question behind the story takes some 40 of the remembered tokens, hence the 10 % on either side.
    assert effective.estimate.value == pytest.approx(1205, rel=0.1)
    assert verdict(context, Resource.CONTEXT) == Verdict.CANNOT_PROGRESS
    assert verdict(context, Resource.RETRIEVAL) == Verdict.HELPS
    assert verdict(context, Resource.MARGIN) == Verdict.UNDETERMINED
    assert "A longer window buys nothing." in context.advice


@pytest.mark.slow
def test_a_perfect_memory_gives_no_verdict_on_a_longer_window(tmp_path):
    report = audited(Perfect(), tmp_path, limits=("context",), budget=Budget())
    (context,) = report.limits
    assert context.measurements[0].estimate is not None
    assert context.measurements[0].estimate.interval.high is None
    assert verdict(context, Resource.CONTEXT) == Verdict.UNDETERMINED
    assert context.advice == "Use the whole window; within it, length is not what limits this model."


@pytest.mark.slow
def test_an_overconfident_model_is_told_to_abstain(tmp_path):
    report = audited(Overconfident(), tmp_path, limits=("hallucination",), budget=Budget())
    (hallucination,) = report.limits
    assert verdict(hallucination, Resource.ABSTENTION) == Verdict.HELPS
    calibration = next(m for m in hallucination.measurements if m.name == "hallucination.calibration")
    assert calibration.estimate is not None
    assert calibration.estimate.interval.low is not None
    assert calibration.estimate.interval.low > 0.2
    chow = [f for f in hallucination.findings if f.claim.statement.id == "HALL-10"]
    assert chow
    assert all(f.standing in (Standing.AGREES, Standing.UNDETERMINED) for f in chow)


@pytest.mark.slow
def test_a_perfect_model_has_nothing_to_abstain_from(tmp_path):
    report = audited(Perfect(), tmp_path, limits=("hallucination",), budget=Budget())
    (hallucination,) = report.limits
    assert verdict(hallucination, Resource.ABSTENTION) == Verdict.UNDETERMINED
    assert verdict(hallucination, Resource.DATA) == Verdict.UNDETERMINED


def test_a_window_smaller_than_the_probe_is_said(tmp_path):
    report = audited(Perfect(window=512), tmp_path, limits=("context",))
    assert report.limits[0].applies is False
    assert report.limits[0].headline == (
        "Does not apply: a window of 512 tokens is smaller than the 704 that the shortest comparison of two lengths "
        "takes."
    )


def test_a_budget_that_ends_at_once_leaves_a_report_that_says_so(tmp_path):
    report = audited(Perfect(), tmp_path, budget=Budget(tokens=1))
    assert [limit.limit for limit in report.limits] == list(STUDIES)
    assert report.limits[0].undecided
    assert not any(limit.mitigations for limit in report.limits)
    for limit, headline in zip(report.limits[1:4], ("context", "reasoning", "retrieval"), strict=True):
        assert not limit.applies, headline
        assert limit.headline.startswith("Not measured: the budget was spent before")
    assert loads(dumps(report), AuditReport) == report


def points(*cells):
    return [
        Point(at={"family": "city", "decade": d}, estimate=estimate(r, n), tally=Tally(right=r, wrong=n - r))
        for d, r, n in cells
    ]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (((4, 40, 200), (5, 120, 200), (6, 180, 200)), Verdict.HELPS),
        (((4, 300, 600), (5, 300, 600), (6, 300, 600)), Verdict.CANNOT_PROGRESS),
        (((4, 180, 200), (5, 100, 200), (6, 40, 200)), Verdict.HURTS),
        (((4, 4, 10), (5, 5, 10), (6, 6, 10)), Verdict.UNDETERMINED),
        (((4, 10, 10),), Verdict.UNDETERMINED),
    ],
)
def test_the_data_verdict_can_come_out_every_way(cells, expected):
    assert judge(error_removed(points(*cells), np.random.default_rng(1))) == expected


def test_the_gain_from_data_covers_the_truth():
    """Coverage of the 90 % interval over 400 draws of a known curve; below 84 % with probability 0.0002."""
    rng = np.random.default_rng(3)
    truth, n = np.array([0.2, 0.35, 0.5, 0.65]), 60
    wanted = 1 - (1 - truth[1:]).sum() / (1 - truth[:-1]).sum()
    inside = 0
    for _ in range(400):
        right = rng.binomial(n, truth)
        gain = error_removed(points(*((d, int(r), n) for d, r in enumerate(right))), rng)
        assert gain is not None
        inside += wanted in gain.interval
    assert inside / 400 >= 0.84


def test_an_open_interval_decides_nothing():
    gain = Estimate(value=0.5, interval=Interval(low=0.3, high=None, level=0.9, method="x"), n=5)
    assert judge(gain) == Verdict.UNDETERMINED
    assert judge(None) == Verdict.UNDETERMINED


COMMAND = [sys.executable, "-m", "hardlimit", "audit", "toy:calibrated", "--budget", "30k-tokens"]
COMMAND += ["--limits", "context,reasoning", "--out"]


@pytest.mark.slow
def test_killing_an_audit_changes_nothing_in_its_report(tmp_path):
    """kill -9 at three random moments, then to the end: the same bytes as an uninterrupted run leaves."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    begin = time.monotonic()
    subprocess.run([*COMMAND, whole], check=True, capture_output=True)
    takes = time.monotonic() - begin
    moments = random.Random(5)
    deaths = 0
    for _ in range(3):
        running = subprocess.Popen([*COMMAND, killed], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            running.wait(timeout=takes * moments.uniform(0.2, 0.9))
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.wait()
            deaths += 1
    subprocess.run([*COMMAND, killed], check=True, capture_output=True)
    assert deaths > 0
    for name in ("report.json", "report.html"):
        assert (Path(killed) / name).read_bytes() == (Path(whole) / name).read_bytes()


def test_open_toys_have_the_names_the_help_gives():
    assert open_toy("toy:finite-memory-1024").card.name == "toy:finite-memory-1024"
