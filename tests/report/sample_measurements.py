"""Invented measurements of one invented model: every name that probes produce, and one that nobody knows."""

import math

from hardlimit.core import Control, Estimate, Interval, Measurement, Point, Tally
from hardlimit.core.quantity import (
    ACCURACY,
    CALIBRATION_ERROR,
    CHOW_SCORE,
    EFFECTIVE_CONTEXT,
    FALSE_ACCEPTANCE,
    FALSE_REFUSAL,
    HALLUCINATION_RATE,
    KV_BYTES,
    NEEDLE_MARGIN,
    NEEDLE_WEIGHT,
    RISK,
    TAIL_EXPONENT,
)
from hardlimit.models import ModelCard

LENGTHS = (250, 500, 1000, 2000, 4000, 8000)
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
VARIANTS = {"no overlap": (0.86, 1500), "literal": (0.97, 9000), "distractor": (0.71, 900)}
FAMILIES = {"capitals": 0.62, "cities": 0.35, "elements": 0.48}
SIGNALS = {"log-probability": 1.6, "verbalised": 0.4, "self-consistency": 1.2}
CARD = ModelCard(
    name="toy:sample",
    adapter="toy",
    revision="sha256:5a3c0ffee",
    parameters=134_515_008,
    layers=30,
    heads=9,
    kv_heads=3,
    head_width=64,
    width=576,
    vocabulary=49_152,
    window=8192,
    position="rope",
    rope_base=100_000.0,
    dtype="float32",
    chat="template:0123456789ab",
    settings={"attention": "sdpa", "device": "cpu"},
)


def wilson(share: float, n: int, artefacts: int = 0) -> Estimate:
    """A share with its Wilson interval: the sample's intervals are at least of a true form."""
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    interval = Interval(low=max(0.0, middle - half), high=min(1.0, middle + half), level=0.95, method="wilson")
    return Estimate(value=share, interval=interval, n=n, artefacts=artefacts)


def around(value: float, half: float, n: int = 200, artefacts: int = 0) -> Estimate:
    interval = Interval(low=value - half, high=value + half, level=0.95, method="cluster bootstrap")
    return Estimate(value=value, interval=interval, n=n, artefacts=artefacts)


def tally(n: int, right: float, abstained: float = 0.05, artefacts: int = 6) -> Tally:
    rest = {
        "malformed": artefacts // 2,
        "truncated": artefacts // 3,
        "refused": artefacts - artefacts // 2 - artefacts // 3,
    }
    good, declined = round(right * n), round(abstained * n)
    return Tally(right=good, abstained=declined, wrong=n - good - declined - artefacts, **rest)


def measurement(name, quantity, estimate, points=(), **more) -> Measurement:
    n = estimate.n if estimate is not None else 40
    defaults = {
        "probe": f"Sample(name={name!r}, version=1)",
        "model": CARD.fingerprint,
        "seed": 7,
        "tally": tally(n, 0.41),
    }
    return Measurement(name=name, quantity=quantity, estimate=estimate, points=tuple(points), **(defaults | more))


def point(estimate: Estimate, **at) -> Point:
    return Point(at=at, estimate=estimate)


def falling(length: float, top: float, half: float) -> float:
    return top / (1 + (length / half) ** 1.6)


def context_measurements() -> tuple[Measurement, ...]:
    by_length = [
        point(wilson(round(falling(n, *shape), 3), 120, 2), variant=variant, length=n)
        for variant, shape in VARIANTS.items()
        for n in LENGTHS
    ]
    by_depth = [
        point(
            wilson(round(falling(n, *shape) * (1 - 0.35 * math.sin(math.pi * d)), 3), 24), variant=v, length=n, depth=d
        )
        for v, shape in VARIANTS.items()
        for n in LENGTHS
        for d in DEPTHS
    ]
    heads = ((12, 3, 9.1), (17, 6, 8.2), (21, 0, 6.4))
    margin = [
        point(around(top - 0.35 * math.log(n / 250), 0.4, 24), length=n, layer=layer, head=head)
        for layer, head, top in heads
        for n in LENGTHS
    ]
    weight = [
        point(
            wilson(round(0.92 / (1 + ((layer - 14) / 3) ** 2 + ((head - 4) * 1.7) ** 2) * (250 / n) ** 0.3, 4), 24),
            layer=layer,
            head=head,
            length=n,
        )
        for n in (500, 2000, 8000)
        for layer in range(30)
        for head in range(9)
    ]
    kv = [point(around(23_040.0 * n, 0.0, 1), length=n) for n in (256, 1024, 4096, 8192)]
    controls = (
        Control(
            name="trivial",
            expected="accuracy ≥ 90% when the needle is the whole text",
            estimate=wilson(0.975, 40),
            passed=True,
        ),
        Control(
            name="impossible", expected="accuracy ≤ 5% when the needle is absent", estimate=wilson(0.0, 40), passed=True
        ),
        Control(name="shortcut", expected="no gain from the question alone", estimate=None, passed=True),
    )
    effective = Estimate(
        value=1410.0,
        interval=Interval(low=1020.0, high=1950.0, level=0.95, method="Bayesian threshold, 3 haystacks"),
        n=240,
        artefacts=6,
    )
    return (
        measurement(
            "context.effective",
            EFFECTIVE_CONTEXT,
            effective,
            controls=controls,
            parameters={"base_accuracy": 0.83, "threshold": 0.7055, "tokens_spent": 181_000},
            note="Three haystacks are few clusters: another haystack could move the result by more than the interval.",
        ),
        measurement("context.accuracy_by_length", ACCURACY, wilson(0.41, 2160, 36), by_length, controls=controls),
        measurement("context.accuracy_by_depth", ACCURACY, wilson(0.41, 2160, 36), by_depth),
        measurement("context.margin", NEEDLE_MARGIN, around(7.6, 0.5, 24), margin),
        measurement("context.needle_weight", NEEDLE_WEIGHT, wilson(0.62, 24), weight),
        measurement(
            "context.kv_bytes", KV_BYTES, None, kv, note="Computed from the model card, not measured.", tally=Tally()
        ),
        measurement(
            "context.order_effect",
            ACCURACY,
            wilson(0.52, 80),
            [
                point(wilson(round(0.3 + 0.05 * k, 2), 80), position=k, order=o)
                for o in ("asc", "desc")
                for k in range(6)
            ],
            controls=(Control(name="trivial", expected="accuracy ≥ 90%", estimate=wilson(0.45, 40), passed=False),),
        ),
    )


def hallucination_measurements() -> tuple[Measurement, ...]:
    popularity = [
        point(
            wilson(round(max(0.02, 1 - 2.2 * (10**d * 3) ** -0.12 - 0.1 + 0.2 * share), 3), 60, 1),
            family=family,
            decade=f"10^{d}",
            popularity=3.0 * 10**d,
        )
        for family, share in FAMILIES.items()
        for d in (3, 4, 5, 6, 7)
    ]
    thresholds = (0.0, 0.5, 0.75, 0.9)
    score = [
        point(around(right - t / (1 - t) * wrong, 0.05 + 0.1 * t, 520), t=t, policy=policy)
        for policy, pick in (("as asked", False), ("abstain below t (log-probability)", True))
        for t in thresholds
        for right, wrong in ([(0.43 * (1 - t) ** 0.6, 0.5 * (1 - t) ** 2.2)] if pick else [(0.43, 0.5)])
    ]
    coverages = [k / 10 for k in range(1, 11)]
    risk = [
        point(wilson(round(0.54 * c ** (0.35 * bend), 3), round(520 * c)), signal=signal, coverage=c)
        for signal, bend in SIGNALS.items()
        for c in coverages
    ]
    calibration = [
        point(wilson(round(0.08 + c**1.7 * 0.62, 3), 40), signal=signal, confidence=c)
        for signal in ("log-probability", "verbalised")
        for c in (0.1, 0.3, 0.5, 0.7, 0.9)
    ]
    kinds = {"cities": 0.71, "elements": 0.55, "people": 0.83, "words": 0.34}
    return (
        measurement(
            "hallucination.facts",
            HALLUCINATION_RATE,
            wilson(0.54, 520, 14),
            [point(wilson(1 - share, 170), family=family) for family, share in FAMILIES.items()],
            parameters={"correct": 0.43, "abstained": 0.03},
            tally=tally(520, 0.43, 0.03, 14),
        ),
        measurement("hallucination.false_refusal", FALSE_REFUSAL, wilson(0.031, 520)),
        measurement(
            "hallucination.false_acceptance",
            FALSE_ACCEPTANCE,
            wilson(0.61, 160),
            [point(wilson(share, 40), kind=kind) for kind, share in kinds.items()],
        ),
        measurement("hallucination.accuracy_by_popularity", ACCURACY, wilson(0.43, 900), popularity),
        measurement("hallucination.tail_exponent", TAIL_EXPONENT, around(0.21, 0.06, 900)),
        measurement("hallucination.score", CHOW_SCORE, around(-1.07, 0.12, 520), score),
        measurement(
            "hallucination.risk_coverage",
            RISK,
            wilson(0.54, 520),
            risk,
            parameters={f"aurc.{s}": 0.3 + 0.05 * i for i, s in enumerate(SIGNALS)},
        ),
        measurement("hallucination.calibration", CALIBRATION_ERROR, around(0.24, 0.05, 400), calibration),
        measurement(
            "hallucination.singletons",
            HALLUCINATION_RATE,
            None,
            note="The training corpus is not known, so its singletons cannot be counted.",
        ),
    )
