"""Experiments of the lab with invented numbers: predictions that held, failed, and said nothing."""

from hardlimit.core import (
    Bound,
    Estimate,
    Finding,
    Interval,
    Measurement,
    Point,
    Resource,
    ResourceVerdict,
    Shape,
    Standing,
    Tally,
    Verdict,
)
from hardlimit.core.quantity import ACCURACY, NEEDLE_MARGIN
from hardlimit.lab.experiment import Conclusion, Design, LabReport, Scale
from tests.report import sample_claims as claims

LENGTHS = (16, 64, 256, 1024)


def point(value, **at):
    interval = Interval(low=value - 0.1, high=value + 0.1, level=0.95, method="student t")
    return Point(at=at, estimate=Estimate(value=value, interval=interval, n=6))


def measured(name, quantity, points):
    return Measurement(
        name=f"lab.crowding.{name}",
        quantity=quantity,
        probe="lab:crowding(quick)",
        model="3 models trained here",
        seed=0,
        estimate=points[-1].estimate,
        tally=Tally(),
        points=tuple(points),
    )


def margins():
    return measured(
        "margin_by_length",
        NEEDLE_MARGIN,
        [point(4 - at / 300, attention=kind, length=at) for kind in ("softmax", "entmax") for at in LENGTHS],
    )


def findings():
    margin = measured("softmax_margin", NEEDLE_MARGIN, [point(4 - at / 300, length=at) for at in LENGTHS])
    curve = Shape(
        statement=claims.MARGIN,
        quantity=NEEDLE_MARGIN,
        along="length",
        points=tuple((float(at), 4 - at / 250) for at in LENGTHS),
        parameters={},
    )
    right = measured("accuracy_at_all", ACCURACY, [point(0.5, length=16)])
    bound = Bound(statement=claims.CROWDING, quantity=ACCURACY, side="lower", value=0.9, at={}, parts={})
    return (
        Finding(claim=curve, measurement=margin, standing=Standing.AGREES, says="CTX-3 held: 4 nats fell to 0.6."),
        Finding(claim=bound, measurement=right, standing=Standing.BEYOND_BOUND, says="50% instead of 90% or more."),
    )


def experiment(name="crowding", **more):
    design = Design(
        question="Is it softmax itself that fails?",
        claims=("CTX-3", "CTX-4"),
        setting="One block.",
        size="3 models.",
        would_refute="A margin that does not fall.",
    )
    conclusion = Conclusion(
        headline="The margin falls; the prediction of CTX-4 failed.",
        findings=findings(),
        measurements=(margins(),),
        verdicts=(
            ResourceVerdict(
                resource=Resource.CONTEXT, verdict=Verdict.HURTS, because="less of it", basis="measured", claims=()
            ),
        ),
        cautions=("Made-up data.",),
    )
    fields = {
        "experiment": name,
        "scale": Scale(extent="quick"),
        "design": design,
        "conclusion": conclusion,
        "rows": ({"length": 16, "right": 3},),
        "seconds": {"softmax": 60.0, "entmax": 12.5},
        "device": "CPU",
        "version": "0.1.0",
        "packages": {"torch": "2.13.0"},
    }
    return LabReport(**(fields | more))
