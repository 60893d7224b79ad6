"""The study of seeing: what was planted into the embedded model with eyes is found again, and a reader is told so."""

import re

import numpy as np
import pytest

from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.audit.document import AuditReport
from hardlimit.audit.mitigating import multimodal as mitigating
from hardlimit.audit.multimodal import asking, study
from hardlimit.audit.multimodal.inside import _proved, merged_kinds
from hardlimit.audit.plan import Plan, audit
from hardlimit.core import Silent, Standing, Verdict, dumps, loads
from hardlimit.models.catalog import open_model
from hardlimit.probes.multimodal.tasks import TASKS
from hardlimit.report import render_html
from hardlimit.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with Store.open(tmp_path_factory.mktemp("multimodal") / "answers.sqlite") as opened:
        yield opened


def desk(model, store, budget="unlimited"):
    return Desk(model, store, Meter(Budget.parse(budget)), Silent())


@pytest.fixture
def small(monkeypatch):
    """Fewer pairs of everything, so that the whole study takes seconds."""
    sizes = {"ROUNDS": 1, "PLACE_PAIRS": 24, "PAIRS_AT_ONCE": 6, "CONTROL_PAIRS": 3, "FLIP_PAIRS": 6}
    for name, value in sizes.items():
        monkeypatch.setattr(asking, name, value)
    monkeypatch.setattr(asking, "LADDERS", {"circles": (8, 1), "counting": (1, 12)})
    for name, value in {"PAIRS": 16, "LABELLED_PAIRS": 16}.items():
        monkeypatch.setattr(mitigating, name, value)
    return monkeypatch


def test_a_model_that_takes_text_alone_is_told_so(store):
    report = study(desk(open_model("toy:perfect"), store), 0)
    assert not report.applies
    assert report.headline == (
        "Does not apply: toy:perfect takes text alone, and this limit is about what is lost between a picture and an "
        "answer. Audit a model with eyes: local:PATH or api:MODEL@URL of a vision–language model, or "
        "embedded:tiny-eyes."
    )


def test_a_toy_that_sees_all_is_judged_from_the_outside_alone(store, small):
    report = study(desk(open_model("toy:sighted"), store), 0)
    found = {measurement.name: measurement for measurement in report.measurements}
    assert found["multimodal.pair_accuracy"].estimate.value == 1.0
    # The toy looks its answers up whatever picture it is shown, and the control of wrong pictures catches that.
    controls = {control.name: control.passed for control in report.measurements[0].controls}
    assert controls == {"trivial": True, "impossible": True, "shortcut": False}
    assert report.sureness == "with reserve: the shortcut control failed"
    assert "multimodal.error_by_stage" not in found
    assert report.undecided == ("The inside of this model cannot be looked at.",)
    assert {str(v.resource): v.verdict for v in report.verdicts}["training data"] is Verdict.CANNOT_PROGRESS


def test_what_shared_codes_prove_is_counted_once_and_only_where_it_is_shared():
    rng = np.random.default_rng(0)
    tower, passed = rng.normal(size=(12, 3, 4)), rng.normal(size=(12, 3, 4))
    tower[7], passed[7] = tower[6], passed[6]  # pair 3 has one code from the encoder on
    passed[9] = passed[8]  # pair 4 only behind the projector
    inside = asking.Inside(
        tokens={"encoder": tower.astype(np.float32), "projector": passed.astype(np.float32)},
        labels=["red", "blue", "red", "blue", "red", "blue", "red", "green", "blue", "orange", "green", "blue"],
        train=np.arange(12) < 6,
        answered=[],
        kinds=["blue or red"] * 3 + ["green or red", "blue or orange", "blue or green"],
        places=[None] * 6,
        gaps=[],
        masses=[],
        lengths=[],
    )
    assert merged_kinds(inside) == ["green or red"]
    proved = _proved(inside)
    assert proved["encoder"].tolist() == [0.5, 0.5, 0.0, 0.0, 0.5, 0.0], "green is red to it, whatever stands beside"
    assert proved["projector"].tolist() == [0.0, 0.0, 0.5, 0.5, 0.0, 0.0]


def test_a_spent_budget_says_so(store, small):
    report = study(desk(open_model("toy:sighted"), store, "1-tokens"), 5)
    assert not report.applies and report.headline.startswith("Not measured: the budget was spent")


@pytest.fixture(scope="module")
def planted():
    pytest.importorskip("torch")
    return open_model("embedded:tiny-eyes")


def test_what_was_planted_is_found_again(store, small, planted):
    small.setattr(asking, "LOOKED_PAIRS", 32)
    small.setattr(asking, "TASKS", {name: TASKS[name] for name in ("circles", "grid", "spot", "hue")})
    report = audit(open_model("toy:perfect"), Plan(limits=("multimodal",)), store, Silent(), eyes=planted)
    (limit,) = report.limits
    found = {measurement.name: measurement for measurement in limit.measurements}
    truth = planted.planted

    # The prior of every thing, and the ratio at which a picture loses against it.
    flips = found["multimodal.flip_rate"].parameters
    inside = [
        flips[f"prior.{name}_low"] <= prior <= flips[f"prior.{name}_high"] for name, prior in truth.priors.items()
    ]
    assert sum(inside) >= len(inside) - 1, "95 % intervals: one of 8 may miss"
    assert all(abs(flips[f"prior.{name}"] - prior) < 0.03 for name, prior in truth.priors.items())
    assert flips["ratio_low"] < truth.ratio < flips["ratio_high"]

    # The collision of two colours, and the two places where nothing is passed on.
    collisions = found["multimodal.collisions"]
    assert collisions.parameters["merged"] == "green or red" == " or ".join(sorted(truth.collision))
    shares = {(p.at["task"], p.at["stage"], p.at["what"]): p.estimate.interval for p in collisions.points}
    assert 1 / 15 in shares["hue", "encoder", "all"]
    assert 1 / 16 in shares["spot", "encoder", "all"] and 2 / 16 in shares["spot", "projector", "all"]
    assert shares["hue", "encoder", "green or red"].low > 0.1

    # Where the answer is lost: on colours at the encoder (1 in 6), on grids in the language model.
    lost = {(p.at["task"], p.at["stage"]): p.estimate for p in found["multimodal.error_by_stage"].points}
    assert 1 / 6 in lost["hue", "encoder"].interval and lost["hue", "encoder"].value > 0.1
    assert lost["grid", "language model"].value > 0.3 and lost["grid", "encoder"].value == 0.0
    assert 1 / 32 in lost["spot", "encoder"].interval and 1 / 32 in lost["spot", "projector"].interval
    assert lost["circles", "language model"].interval.high < 0.25

    floors = {f.measurement.name: f.claim.value for f in limit.findings if f.claim.quantity.id == "error_rate"}
    assert floors["multimodal.error.spot"] == pytest.approx(shares["spot", "encoder", "all"].low / 2)
    ceilings = [f.claim.value for f in limit.findings if f.claim.quantity.id == "accuracy"]
    assert ceilings == [pytest.approx(5 / 6)], "six colours, two of them one"

    standings = [finding.standing for finding in limit.findings]
    assert Standing.BEYOND_BOUND not in standings and len(standings) >= 4
    assert limit.headline.startswith(
        "toy:perfect takes text alone. Measured instead on embedded:tiny-eyes, a small vision–language model with "
        "known faults that comes with the package: both pictures of a pair are answered right in "
    )
    _check_mitigations(report)
    _check_page(report)


def _check_mitigations(report):
    """Half of the planted priors lie beyond what a picture is worth; contrasted with no picture, none does."""
    (limit,) = report.limits
    contrast, as_usual, *others = limit.mitigations
    assert contrast.outcome == "right answers against what is usual" and contrast.verdict is Verdict.HELPS
    assert (contrast.before.n, contrast.before.value) == (16, 0.5) and contrast.after.value > 0.9
    assert as_usual.before.value == as_usual.after.value == 1.0
    # It was never shown a description of its own, and cannot write one.
    assert len(others) == 6 and all(row.difference.value < 0 for row in others)
    raised = [f for f in limit.findings if f.measurement.name == "multimodal.evidence_contrasted"]
    # Two pictures of a thing are too few to say that it is surely followed.
    assert raised == [] and not limit.undecided
    assert report.advice[0].mitigation.startswith("contrast with no picture (α = ")


def _check_page(report):
    assert loads(dumps(report), AuditReport) == report
    page = render_html(report)
    pictures = re.findall(r'<img src="data:image/png;base64,[A-Za-z0-9+/=]+" alt="What the model was shown"', page)
    assert len(pictures) == 8, "two pictures of a pair for each of four tasks"
    assert "img-src data:" in page
    assert "guessing: 25% of pairs" in page and "turns at a prior of" in page
    for name in ("Where the answer is lost", "Where in the picture it sees", "BlindTest", "MMVP"):
        assert name in page
