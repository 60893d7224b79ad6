import re

import numpy as np
import pytest

from hardlimit.cli import main
from hardlimit.core import InsufficientDataError, InvalidValueError, Verdict
from hardlimit.scaling import Run, fit_law, two_resources

SIZES, TOKENS = np.geomspace(1e8, 1e10, 5), np.round(np.geomspace(2e9, 2e11, 5))


def loss(n, d):
    return 1.0 + 80 * n**-0.2 + 3e5 * d**-0.6


def grid(rng, noise=0.01):
    return [
        Run(parameters=float(n), data=float(d), loss=float(loss(n, d) * np.exp(noise * rng.normal())))
        for n in SIZES
        for d in TOKENS
    ]


def gains(n, d):
    largest = loss(SIZES[-1], TOKENS[-1])
    return 1 - loss(SIZES[-1] * n, TOKENS[-1] * d) / largest


def test_each_resource_has_its_own_verdict():
    made = two_resources(grid(np.random.default_rng(0)), rng=np.random.default_rng(1), replicates=400)
    assert made.parameters.verdict is Verdict.HELPS and made.data.verdict is Verdict.SATURATES
    assert made.parameters.next_gain.value == pytest.approx(gains(10, 1), abs=0.03)
    assert made.data.next_gain.value == pytest.approx(gains(1, 10), abs=0.02)
    assert made.both.value == pytest.approx(gains(10, 10), abs=0.04)
    assert made.data.gain_so_far.value == pytest.approx(1 - loss(1e10, 2e11) / loss(1e10, 2e9), abs=0.02)
    assert "With the other resource at its largest, the loss fell by" in made.data.because


def test_intervals_cover():
    # 40 grids, nominal 90 %: a true coverage of 0.88 falls below 0.72 once in 300 seeds.
    rng, truth = np.random.default_rng(2), (gains(10, 1), gains(1, 10))
    covered = []
    for _ in range(40):
        made = two_resources(grid(rng, 0.02), rng=rng, replicates=200)
        covered.append([made.parameters.next_gain, made.data.next_gain])
    for place, one in enumerate(truth):
        share = np.mean([one in row[place].interval for row in covered])
        assert share >= 0.72, place


def test_one_curve_cannot_tell_what_the_grid_tells():
    # Along the path on which both grow, one power law fits as well, and says nothing of either.
    path = [(n, 20 * n) for n in np.geomspace(1e8, 1e10, 9)]
    with pytest.raises(InvalidValueError) as raised:
        two_resources([Run(parameters=n, data=d, loss=loss(n, d)) for n, d in path], rng=np.random.default_rng(0))
    assert str(raised.value) == (
        "Parameters and data grow in step in these runs (correlation of their logarithms above 0.999), so nothing "
        "tells them apart. Add runs of one size on other amounts of data, or judge them as one resource."
    )


@pytest.mark.parametrize(("runs", "message"), [
    ([(1e8, 1e9)] * 9, "The runs have 1 different sizes; the law of two resources needs at least 3 of each."),
    ([(1e8, 1e9), (1e9, 1e10), (1e10, 1e9), (1e9, 1e11)], "4 runs leave no noise to judge 5 constants by"),
])  # fmt: skip
def test_too_little_is_refused(runs, message):
    with pytest.raises(InsufficientDataError, match=re.escape(message)):
        two_resources([Run(parameters=n, data=d, loss=2.0) for n, d in runs], rng=np.random.default_rng(0))
    with pytest.raises(InvalidValueError, match="A run's loss must be > 0, got 0"):
        Run(parameters=1.0, data=1.0, loss=0.0)


@pytest.fixture
def table(tmp_path):
    lines = ["model,task,metric,value,scale,tokens"]
    for run in grid(np.random.default_rng(0)):
        lines.append(f"m{run.parameters:.0f}-{run.data:.0f},text,loss,{run.loss},{run.parameters},{run.data}")
    path = tmp_path / "grid.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_command_judges_both(table, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    assert main(["scaling", str(table), "--resource", "both"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"text · loss +│ parameters +│ HELPS", out)
    assert re.search(r"text · loss +│ training data +│ SATURATES", out)
    assert "25 runs, 100 % of 64 starts" in out or re.search(r"25 runs, \d+ % of 64 starts reached the optimum", out)


def test_steps_of_one_run_and_missing_tokens_are_refused(table, capsys, tmp_path):
    steps = tmp_path / "steps.csv"
    steps.write_text(table.read_text().replace("tokens", "step", 1), encoding="utf-8")
    assert main(["scaling", str(steps), "--resource", "both"]) != 0
    assert "Give a column `tokens`, or steps with --tokens-per-step." in capsys.readouterr().err.replace("\n", " ")
    assert main(["scaling", str(steps), "--resource", "both", "--tokens-per-step", "2"]) != 0
    assert "checkpoints of one run, which are not independent" in capsys.readouterr().err.replace("\n", " ")
    doubled = tmp_path / "doubled.csv"
    doubled.write_text(table.read_text() + "\n" + table.read_text().splitlines()[1], encoding="utf-8")
    assert main(["scaling", str(doubled), "--resource", "both"]) != 0
    assert "text/loss has 2 results of one run (1e+08 parameters, 2e+09 tokens:" in capsys.readouterr().err


def test_the_joint_law_is_the_one_that_is_fitted():
    runs = grid(np.random.default_rng(4))
    x, y = np.array([[run.parameters, run.data] for run in runs]), [run.loss for run in runs]
    made = two_resources(runs, rng=np.random.default_rng(5), replicates=100)
    alone = fit_law("chinchilla", x, y, rng=np.random.default_rng(6), intervals=False)
    assert made.fit.cost == pytest.approx(alone.cost, rel=1e-6)
