"""D16: the paper's statements that do not hold, each with the counterexample that shows it."""

from hardlimit.core import Impossibility, Scalar, Status
from hardlimit.demos.demonstration import Check, Demo, Figure, Series, Shown
from hardlimit.theory import CLAIMS, ENTRIES
from hardlimit.theory.context import paper_attenuation, rope_selfsim, rope_selfsim_law

REFUTED = (
    "PAPER-PRODUCT-BOUND",
    "PAPER-ATTENUATION-GEOMETRIC",
    "PAPER-ATTENUATION-LIMIT",
    "PAPER-DRIFT",
    "PAPER-NOISE-FLOOR",
)
STANDING = ("RETR-1", "CTX-2", "MM-6", "HALL-9")
"""What stands in their place: the controls."""
DISTANCES = (10.0, 30.0, 100.0, 300.0, 1000.0)


def _paper(seed: int) -> Shown:
    outcomes = {name: ENTRIES[name].check() for name in REFUTED}
    controls = {name: ENTRIES[name].check() for name in STANDING}
    rows: list[tuple[Scalar, ...]] = []
    for name in REFUTED:
        example = ENTRIES[name].example()
        witness = example.witness if isinstance(example, Impossibility) else {}
        numbers = ", ".join(f"{key} {value:.4g}" for key, value in witness.items() if isinstance(value, int | float))
        rows.append((name, numbers, "refuted" if outcomes[name] else "not refuted"))
    checks = tuple(
        Check(
            asks=f"{name} ({CLAIMS[name].name}) fails as worded",
            holds=bool(outcome) and CLAIMS[name].status is Status.REFUTED,
            found=outcome.says,
        )
        for name, outcome in outcomes.items()
    )
    return Shown(
        computed="The counterexample of each statement, computed again and set beside an independent computation.",
        checks=(
            *checks,
            Check(
                asks=f"what stands in their place survives its own check: {', '.join(STANDING)}",
                holds=all(map(bool, controls.values())),
                found="; ".join(outcome.says for outcome in controls.values()),
                control=True,
            ),
        ),
        figure=Figure(
            title="Self-similarity of a rotary code: what it is, and what the paper's lemma allows",
            x="distance (log scale)",
            y="similarity (log scale)",
            series=(
                Series(label="computed, 64 frequencies, base 10⁴",
                       points=tuple((d, float(rope_selfsim(d, 128, 1e4))) for d in DISTANCES)),
                Series(label="the lemma, 2/(ΩΔ)", kind="theory",
                       points=tuple((d, float(paper_attenuation(d))) for d in DISTANCES)),
                Series(label="1 − (ln Δ + γ)/ln B", kind="theory",
                       points=tuple((d, float(rope_selfsim_law(d, 1e4))) for d in DISTANCES)),
            ),
            log_x=True,
            log_y=True,
        ),
        head=("statement", "counterexample", "outcome"),
        rows=tuple(rows),
        values={"refuted": sum(map(bool, outcomes.values()))},
    )  # fmt: skip


PAPER = Demo(
    name="paper",
    number="D16",
    claims=(*REFUTED, *STANDING),
    says=(
        "Some statements of the paper are false as worded: the product bound of retrieval, the attenuation lemma, the "
        "drift bound, the noise floor."
    ),
    refuted_by="A counterexample whose numbers do not come out again.",
    control="The corrected statements survive their own checks.",
    work=_paper,
    takes=3,
)
