"""How fast curves are judged: a whole published table, and a bootstrap beside a loop over scipy's curve_fit."""

import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import curve_fit

from hardlimit.exchange import read_results
from hardlimit.scaling import Curve, Question, assess, bootstrap_law, curves_in, fit_law, verdict

PYTHIA = Path(__file__).parents[1] / "examples" / "pythia"
REPLICATES = 1000


def whole_table() -> tuple[int, float]:
    """Curves of the Pythia suite, and seconds from files to verdicts, forecasts, holdout and plans."""
    started = time.perf_counter()
    report = assess(curves_in(read_results(sorted(PYTHIA.glob("*.json")))), Question(held_out=2))
    return len(report.tasks), time.perf_counter() - started


def one_curve() -> float:
    """Seconds of one verdict."""
    x = np.geomspace(1e7, 1e10, 8)
    curve = Curve.of(list(x), list((0.5 + 0.5 * (x / x[-1]) ** -0.5) * np.exp(0.02 * np.cos(np.arange(8)))))
    verdict(curve)
    started = time.perf_counter()
    for _ in range(10):
        verdict(curve)
    return (time.perf_counter() - started) / 10


def bootstraps() -> tuple[float, float, float]:
    """Seconds of 1,000 replicates here and in a loop over curve_fit, and the largest gap between their quantiles."""
    rng, x = np.random.default_rng(0), np.geomspace(1, 1e3, 8)
    y = (0.5 + 0.5 * (x / 1e3) ** -0.5) * np.exp(0.02 * rng.normal(size=8))
    fit = fit_law("floor", x, y, rng=rng, intervals=False)
    took = []
    for _ in range(7):
        started = time.perf_counter()
        ours = bootstrap_law(fit, x, rng=np.random.default_rng(1), replicates=REPLICATES)
        took.append(time.perf_counter() - started)
    here = statistics.median(took)
    drawn = np.log(fit.predict(x)) + fit.noise * np.random.default_rng(1).normal(size=(REPLICATES, 8))
    start = [fit.parameters[name] for name in ("E", "A", "alpha")]
    started = time.perf_counter()
    theirs = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for log_y in drawn:
            try:
                found, _ = curve_fit(lambda u, e, a, p: np.log(np.abs(e) + np.abs(a) * u**-p), x, log_y, p0=start)
            except RuntimeError:
                continue
            theirs.append(np.abs(found))
    loop = time.perf_counter() - started
    tails = [0.05, 0.5, 0.95]
    gap = np.abs(np.quantile(np.exp(ours[:, 2]), tails) - np.quantile(np.array(theirs)[:, 2], tails)).max()
    return here, loop, float(gap)


def main() -> None:
    """Print the table."""
    curves, seconds = whole_table()
    here, loop, gap = bootstraps()
    table = Table(title="Scaling: speed", title_justify="left")
    for head in ("what", "seconds", "beside"):
        table.add_column(head)
    table.add_row(f"files to report, {curves} curves with forecasts, holdout and plans", f"{seconds:.1f}", "")
    table.add_row("one verdict", f"{one_curve():.3f}", "")
    table.add_row(
        f"{REPLICATES} bootstrap replicates of a power law with a floor",
        f"{here:.3f}",
        f"loop over scipy curve_fit {loop:.2f} s: {loop / here:.0f} times as long (quantiles of α differ by {gap:.3f})",
    )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
