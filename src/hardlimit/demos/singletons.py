"""D6: a calibrated learner errs as often as facts occur once; one that declines or replays does not (HALL-8)."""

import numpy as np
from numpy.typing import NDArray

from hardlimit.demos.demonstration import Check, Demo, Figure, Series, Shown
from hardlimit.theory.frequencies import zipf
from hardlimit.theory.hallucination import singleton_bounds

PROMPTS, ANSWERS, TOLD = 2_000_000, 365, 0.9
EXAMPLES = (20_000, 200_000, 2_000_000)
ASKED = 200_000


def _singletons(seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    p = zipf(PROMPTS, 1.0)
    rows, curve, floors = [], [], []
    for n in EXAMPLES:
        told = rng.binomial(rng.multinomial(n, p), TOLD)
        once = float((told == 1).sum()) / n
        error = _calibrated_error(rng, p, told)
        low, high = (float(end) for end in singleton_bounds(once, ANSWERS - 1, ANSWERS - 1, n))
        rows.append((n, once, error, max(low, 0.0), min(high, 1.0)))
        curve.append((float(n), error))
        floors.append((float(n), once))
    n, once, error, low, high = rows[-1]
    # The replaying learner answers what it has seen and says "I don't know" to the rest; so does the silent one to all.
    unseen = TOLD * float(p[told == 0].sum())
    gaps = {"always 'I don't know'": TOLD, "replays what it saw": unseen}
    floor_of = {name: float(singleton_bounds(once, ANSWERS - 1, ANSWERS - 1, n, gap)[0]) for name, gap in gaps.items()}
    return Shown(
        computed=f"{PROMPTS:,} prompts with Zipf frequencies and one of {ANSWERS} answers each, told in {TOLD:.0%} of "
        "the examples. The calibrated learner knows what it was told once, and otherwise guesses as often as answers "
        f"exist; it was asked {ASKED:,} prompts.",
        checks=(
            Check(
                asks="the calibrated learner's error lies in the band around the share of facts seen once",
                holds=all(low <= error <= high for _, _, error, low, high in rows) and rows[-1][3] > 0,
                found="; ".join(f"N = {r[0]:,}: {r[2]:.4f} in [{r[3]:.4f}, {r[4]:.4f}]" for r in rows),
            ),
            Check(
                asks="its error follows the share seen once more closely than the band needs (within 0.01)",
                holds=all(abs(row[2] - row[1]) < 0.01 for row in rows[1:]),
                found=", ".join(f"{row[2]:.4f} for {row[1]:.4f}" for row in rows[1:]),
            ),
            Check(
                asks="learners that are not calibrated make no error, and the floor allows it",
                holds=all(floor <= 0 for floor in floor_of.values()) and low > 0,
                found="; ".join(f"{name}: error 0, δ = {gaps[name]:.3f}, floor {floor_of[name]:.3f}" for name in gaps),
                control=True,
            ),
        ),
        figure=Figure(
            title="Error of a calibrated learner, and the share of facts seen once",
            x="training examples (log scale)",
            y="share",
            series=(
                Series(label="calibrated learner's error", points=tuple(curve)),
                Series(label="facts seen once", kind="theory", points=tuple(floors)),
            ),
            log_x=True,
        ),
        head=("examples", "seen once", "error", "at least", "at most"),
        rows=tuple(rows),
        values={"error": error, "seen_once": once, "replay_gap": unseen},
    )


def _calibrated_error(rng: np.random.Generator, p: NDArray[np.float64], told: NDArray[np.int64]) -> float:
    """Ask the learner: it errs where it was never told, speaks, and does not guess right."""
    asked = rng.choice(p.size, ASKED, p=p)
    speaks = rng.random(ASKED) < TOLD
    guesses_wrong = rng.random(ASKED) >= 1 / ANSWERS
    return float(np.mean((told[asked] == 0) & speaks & guesses_wrong))


SINGLETONS = Demo(
    name="singletons",
    number="D6",
    claims=("HALL-8", "HALL-5"),
    says=(
        "Of facts that cannot be guessed, a calibrated learner gets wrong about the share that its examples hold "
        "exactly once. Giving up calibration, by declining or replaying, goes below it."
    ),
    refuted_by="A calibrated learner outside the band of HALL-8.",
    control="Learners that decline or replay: no error, at a large miscalibration.",
    work=_singletons,
    takes=2,
)
