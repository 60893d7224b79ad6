"""D14: an InfoNCE estimate from K candidates never certifies more than ln K, whatever the true information (MM-3)."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from hardlimit.demos.demonstration import Check, Demo, Figure, Series, Shown
from hardlimit.theory.multimodal import infonce_cap

TRUE_BITS, FEW_BITS = 20.0, 2.0
DIMENSIONS = 64
CANDIDATES = (4, 16, 64, 256, 1024, 2048)
LN2 = math.log(2)


def _infonce(seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    rows = []
    for k in CANDIDATES:
        many, few = (_estimate(rng, bits, k) for bits in (TRUE_BITS, FEW_BITS))
        rows.append((k, many[0], float(infonce_cap(k)) / LN2, few[0], few[1]))
    last = rows[-1]
    slope = (last[1] - rows[0][1]) / (last[2] - rows[0][2])
    return Shown(
        computed=f"Pairs of correlated Gaussian vectors in {DIMENSIONS} dimensions that share {TRUE_BITS:g} bits, and "
        f"{FEW_BITS:g} bits for the control; the critic is the best there is, the exact log density ratio.",
        checks=(
            Check(
                asks="no estimate exceeds ln K, so none comes near what the pairs share",
                holds=all(row[1] <= row[2] + 1e-9 for row in rows) and last[1] < TRUE_BITS / 1.5,
                found=", ".join(f"K = {row[0]:,}: {row[1]:.3f} of {row[2]:g} bits" for row in rows),
            ),
            Check(
                asks="every doubling of K is reported as 0.95 to 1 bit more: the estimate measures the batch",
                holds=0.95 <= slope <= 1,
                found=f"{slope:.3f} bits per doubling",
            ),
            Check(
                asks=f"where K is far above e^I the estimate reaches the true {FEW_BITS:g} bits (within 4 standard "
                "errors and 0.05)",
                holds=abs(last[3] - FEW_BITS) <= 4 * last[4] + 0.05,
                found=f"K = {last[0]:,}: {last[3]:.3f} ± {last[4]:.3f} bits",
                control=True,
            ),
        ),
        figure=Figure(
            title="What InfoNCE reports",
            x="candidates K (log scale)",
            y="bits",
            series=(
                Series(label=f"true information {TRUE_BITS:g} bits", points=tuple((float(r[0]), r[1]) for r in rows)),
                Series(label=f"true information {FEW_BITS:g} bits (control)",
                       points=tuple((float(r[0]), r[3]) for r in rows)),
                Series(label="log₂ K", kind="theory", points=tuple((float(r[0]), r[2]) for r in rows)),
            ),
            log_x=True,
        ),
        head=("K", f"reported of {TRUE_BITS:g} bits", "log₂ K", f"reported of {FEW_BITS:g} bits", "standard error"),
        rows=tuple(rows),
        values={"reported": last[1], "control": last[3]},
    )  # fmt: skip


def _estimate(rng: np.random.Generator, bits: float, candidates: int) -> tuple[float, float]:
    """Return the InfoNCE estimate and its standard error, bits, from one batch (several where batches are small)."""
    rho = math.sqrt(1 - 2 ** (-2 * bits / DIMENSIONS))
    gains: list[NDArray[np.float64]] = []
    for _ in range(max(2, 1024 // candidates)):
        x = rng.normal(size=(candidates, DIMENSIONS))
        y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=(candidates, DIMENSIONS))
        scores = (rho * (x @ y.T) - rho**2 / 2 * (x**2).sum(axis=1)[:, None] - rho**2 / 2 * (y**2).sum(axis=1)) / (
            1 - rho**2
        )
        gains.append(math.log(candidates) + np.diagonal(scores) - logsumexp(scores, axis=1))
    each = np.concatenate(gains) / LN2
    return float(each.mean()), float(each.std() / math.sqrt(each.size))


INFONCE = Demo(
    name="infonce",
    number="D14",
    claims=("MM-3",),
    says="A contrastive estimate with K candidates certifies at most ln K nats, however much two modalities share.",
    refuted_by="An estimate above ln K.",
    control="With K far above e^I the estimate is the true information.",
    work=_infonce,
    takes=3,
)
