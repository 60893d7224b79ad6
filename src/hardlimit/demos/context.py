"""D7, D8 and D9: attention spreads, distractors crowd, and low precision cannot tell long texts apart."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from hardlimit.demos.demonstration import Check, Demo, Figure, Series, Shown
from hardlimit.theory.context import (
    collapse_length,
    critical_sigma,
    dispersion_interval,
    first_equal_counts,
    hard_threshold,
    influence_bound,
    soft_threshold,
)
from hardlimit.theory.context.precision import SPACING, rounded
from hardlimit.theory.paper.context import scaled_logits

Floats = NDArray[np.float64]

TRAINED_AT, DECAY = 16, 2e-4
LENGTHS = (16, 64, 256, 1024, 4096, 16384)
DRAWN = 400

DISTRACTORS, ROWS = 100_000, 60
SIGMAS = (0.5, 1.0, 2.0, 3.0, 6.0)

SPREAD = 2.0


def _dispersion(seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    theta = _train_head(rng)
    weight, above = {}, []
    for n in LENGTHS:
        logits = theta * rng.random((DRAWN, n))
        each = np.exp(logits.max(axis=1) - logsumexp(logits, axis=1))
        spread = logits.max(axis=1) - logits.min(axis=1)
        above.append(float(np.max(each - np.asarray(dispersion_interval(n, spread)[1]))))
        weight[n] = float(each.mean())
    tail = [n for n in LENGTHS if n >= 256]
    slope = float(np.polyfit(np.log(tail), np.log([weight[n] for n in tail]), 1)[0])
    gap = {n: _needle_with_gap(n, 1.2 * math.log(n)) for n in LENGTHS}
    claimed = float(scaled_logits(LENGTHS[-1]).witness["scaled_weight"])
    flat = [_needle_with_gap(n, math.log(TRAINED_AT)) for n in LENGTHS]
    return Shown(
        computed=f"A head with logits θ·key was trained to attend to the largest of {TRAINED_AT} uniform keys "
        f"(θ = {theta:.1f}), and then read {DRAWN} rows of up to {LENGTHS[-1]:,} keys.",
        checks=(
            Check(
                asks="no weight exceeds what its row's spread of logits allows",
                holds=max(above) <= 1e-12,
                found=f"largest weight minus its bound: {max(above):.2g} (the bound is near 1 for so wide a spread)",
            ),
            Check(
                asks="the weight falls like 1/n: slope of its logarithm within 0.05 of −1",
                holds=abs(slope + 1) < 0.05,
                found=f"slope {slope:.3f} from 256 keys on",
            ),
            Check(
                asks="a needle with a fixed gap and logits multiplied by 1.2·ln n stays in focus",
                holds=abs(gap[LENGTHS[-1]] - claimed) < 1e-9 and gap[LENGTHS[-1]] > 0.8,
                found=f"weight {gap[LENGTHS[-1]]:.4f} at {LENGTHS[-1]:,} keys, {flat[-1]:.5f} without the factor",
                control=True,
            ),
        ),
        figure=Figure(
            title="Weight on the needle of a head trained on 16 keys",
            x="keys (log scale)",
            y="weight (log scale)",
            series=(
                Series(label="trained head", points=_curve(weight)),
                Series(label="fixed gap, logits × 1.2·ln n (control)", points=_curve(gap)),
                Series(
                    label="1/n",
                    kind="theory",
                    points=tuple((float(n), weight[LENGTHS[-1]] * LENGTHS[-1] / n) for n in tail),
                ),
            ),
            log_x=True,
            log_y=True,
        ),
        head=("keys", "trained head", "fixed gap × 1.2·ln n", "fixed gap"),
        rows=tuple((n, weight[n], gap[n], w) for n, w in zip(LENGTHS, flat, strict=True)),
        values={"theta": theta, "slope": slope, "control_weight": gap[LENGTHS[-1]]},
    )


def _train_head(rng: np.random.Generator) -> float:
    """Minimise the mean cross-entropy of the largest key, with weight decay, over the head's one parameter."""
    keys = rng.random((4000, TRAINED_AT))

    def loss(theta: float) -> float:
        return float(np.mean(logsumexp(theta * keys, axis=1) - theta * keys.max(axis=1))) + DECAY * theta**2

    return float(minimize_scalar(loss, bounds=(0.0, 200.0), method="bounded").x)


def _needle_with_gap(keys: int, gap: float) -> float:
    """Return the softmax weight of one needle whose logit is `gap` above all others, from the row itself."""
    row = np.zeros(keys)
    row[0] = gap
    return float(np.exp(gap - logsumexp(row)))


def _curve(values: dict[int, float]) -> tuple[tuple[float, float], ...]:
    return tuple((float(n), value) for n, value in values.items())


def _crowding(seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    critical = float(critical_sigma(DISTRACTORS))
    rows, drawn = [], []
    for sigma in SIGMAS:
        logits = [rng.normal(0, sigma, DISTRACTORS) for _ in range(ROWS)]
        mean = float(np.mean([logsumexp(row) for row in logits]))
        law = float(soft_threshold(DISTRACTORS, sigma))
        rows.append((sigma, mean, law, mean / law - 1, float(hard_threshold(DISTRACTORS, sigma))))
        drawn.append((sigma, mean))
    off = [abs(row[3]) for row in rows if row[0] <= 3]
    needle = (rows[1][2] + rows[1][4]) / 2
    full, kept = _needle_among(rng, needle)
    return Shown(
        computed=f"{ROWS} rows of {DISTRACTORS:,} independent Gaussian logits for each σ; the logarithm of their "
        "summed exponentials, which a needle's logit must reach for half of the attention, beside the random "
        "energy model.",
        checks=(
            Check(
                asks=f"for σ ≤ 3, well below the critical {critical:.2f}, the law is right within 1 %",
                holds=max(off) < 0.01,
                found=", ".join(f"σ = {row[0]:g}: {row[3]:+.2%}" for row in rows if row[0] <= 3),
            ),
            Check(
                asks="above the critical σ the sum is the largest logit's: the law overstates, by less than 10 %",
                holds=-0.1 < rows[-1][3] < 0,
                found=f"σ = {rows[-1][0]:g}: {rows[-1][3]:+.2%} (finite number of keys)",
            ),
            Check(
                asks="a needle lost in the crowd is found if only the 8 largest logits are kept before the softmax",
                holds=full < 0.1 and kept > 0.5,
                found=f"logit {needle:.2f}: weight {full:.4f} among all, {kept:.4f} among the 8 largest",
                control=True,
            ),
        ),
        figure=Figure(
            title=f"What {DISTRACTORS:,} random distractors add up to",
            x="standard deviation σ of their logits",
            y="logit that a needle needs (nats)",
            series=(
                Series(label="drawn", points=tuple(drawn)),
                Series(
                    label="random energy model",
                    kind="theory",
                    points=tuple(
                        (s, float(soft_threshold(DISTRACTORS, s))) for s in np.linspace(0.25, 6.5, 26).tolist()
                    ),
                ),
                Series(
                    label="largest distractor (median)",
                    kind="theory",
                    points=tuple(
                        (s, float(hard_threshold(DISTRACTORS, s))) for s in np.linspace(0.25, 6.5, 26).tolist()
                    ),
                ),
            ),
        ),
        head=("σ", "drawn", "law", "drawn/law − 1", "median of the largest"),
        rows=tuple(rows),
        values={"critical_sigma": critical, "worst": max(off)},
    )


def _needle_among(rng: np.random.Generator, needle: float) -> tuple[float, float]:
    """Return the needle's mean weight among all distractors of σ = 1, and among the 8 largest logits."""
    full, kept = [], []
    for _ in range(ROWS):
        row = np.append(rng.normal(0, 1, DISTRACTORS), needle)
        full.append(math.exp(needle - logsumexp(row)))
        largest = np.partition(row, -8)[-8:]
        kept.append(math.exp(needle - logsumexp(largest)) if needle >= largest.min() else 0.0)
    return float(np.mean(full)), float(np.mean(kept))


def _bf16(seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    bits, unit = 8, SPACING["bf16"]
    limit = float(collapse_length(SPREAD, unit))
    lengths = [round(limit * factor) for factor in (0.02, 0.1, 0.5, 1.01, 2, 8, 32)]
    rows, beyond, told_apart = [], [], []
    for n in lengths:
        pairs = np.array([_two_reads(rng, n) for _ in range(40)] + [_worst_reads(n)])
        exact = float(np.abs(pairs[:, 0] - pairs[:, 1]).max())
        low = float(np.abs(rounded(pairs[:, 0], bits) - rounded(pairs[:, 1], bits)).max()) / unit
        high = float(np.mean(rounded(pairs[:, 0], 24) != rounded(pairs[:, 1], 24)))
        rows.append((n, exact / unit, float(influence_bound(n, SPREAD)) / unit, low, high))
        if n > limit:
            beyond.append(low)
            told_apart.append(high)
    first = {bits: first_equal_counts(bits) for bits in (8, 11)}
    n = first[8]
    return Shown(
        computed=f"One attention read over n tokens with logits within {SPREAD:g} nats, before and after one token was "
        f"exchanged: 40 random exchanges and the most harmful one for each n, in bf16 and in float32.",
        checks=(
            Check(
                asks=f"beyond {limit:,.0f} tokens two bf16 reads differ by at most one unit in the last place",
                holds=max(beyond) <= 1,
                found=f"largest difference there: {max(beyond):g} units",
            ),
            Check(
                asks="no exchange moves an exact read by more than the bound of CTX-5",
                holds=all(row[1] <= row[2] * (1 + 1e-9) for row in rows),
                found=f"largest share of the bound reached: {max(row[1] / row[2] for row in rows):.3f}",
            ),
            Check(
                asks=f"counting by averaging ends in bf16: {n}/{n + 1} and {n + 1}/{n + 2} are one number",
                holds=n == 18 and bool(rounded(n / (n + 1), 8) == rounded((n + 1) / (n + 2), 8)),
                found=f"first at n = {n} in bf16, at n = {first[11]} in fp16",
            ),
            Check(
                asks="float32 still tells the reads apart at every such length",
                holds=min(told_apart) > 0.9 and bool(np.float32(n / (n + 1)) != np.float32((n + 1) / (n + 2))),
                found=f"least share of exchanges that change the float32 read: {min(told_apart):.0%}",
                control=True,
            ),
        ),
        figure=Figure(
            title="How far one exchanged token moves an attention read",
            x="tokens (log scale)",
            y="bf16 units in the last place (log scale)",
            series=(
                Series(label="exact read", points=tuple((float(row[0]), row[1]) for row in rows)),
                Series(label="bf16 read", points=tuple((float(row[0]), row[3]) for row in rows)),
                Series(label="bound", kind="theory", points=tuple((float(row[0]), row[2]) for row in rows)),
                Series(label="one unit", kind="theory", points=tuple((float(row[0]), 1.0) for row in rows)),
            ),
            log_x=True,
            log_y=True,
        ),
        head=("tokens", "exact, units", "bound, units", "bf16, units", "float32 tells apart"),
        rows=tuple(rows),
        values={"collapse_length": limit, "counting_ends_at": n},
    )


def _two_reads(rng: np.random.Generator, n: int) -> tuple[float, float]:
    logits, values = rng.uniform(0, SPREAD, n), rng.uniform(0.6, 1.0, n)
    before = _read(logits, values)
    logits[0], values[0] = rng.uniform(0, SPREAD), rng.uniform(-1, 1)
    return before, _read(logits, values)


def _worst_reads(n: int) -> tuple[float, float]:
    """Exchange the one token that attention prefers: its value turns from 1 to −1 among values of 1."""
    logits, values = np.zeros(n), np.ones(n)
    logits[0] = SPREAD
    before = _read(logits, values)
    values[0] = -1.0
    return before, _read(logits, values)


def _read(logits: Floats, values: Floats) -> float:
    weights = np.exp(logits - logits.max())
    return float(weights @ values / weights.sum())


DISPERSION = Demo(
    name="dispersion",
    number="D7",
    claims=("CTX-3", "PAPER-MARGIN"),
    says=(
        "Attention with a bounded spread of logits spreads out: the weight that a trained head puts on its needle "
        "falls like one over the number of keys."
    ),
    refuted_by="A weight above the interval of CTX-3, or a slope that does not tend to −1.",
    control="A needle with a fixed gap and logits that grow like 1.2·ln n stays in focus.",
    work=_dispersion,
    takes=2,
)

CROWDING = Demo(
    name="crowding",
    number="D8",
    claims=("CTX-4",),
    says="Random distractors beat a needle by their number long before one of them is larger than it.",
    refuted_by="Below the critical σ, a sum that is off by more than 1 % at 100,000 distractors.",
    control="Keeping only the largest logits before the softmax finds the needle again.",
    work=_crowding,
    takes=2,
)

BF16 = Demo(
    name="bf16",
    number="D9",
    claims=("CTX-5",),
    says="In bf16, beyond a length that its spread of logits sets, one attention read no longer tells texts apart.",
    refuted_by="Beyond the collapse length, two reads that differ by more than one unit in the last place.",
    control="float32 tells them apart.",
    work=_bf16,
    takes=1,
)
