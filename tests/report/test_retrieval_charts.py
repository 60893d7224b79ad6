"""Charts of retrieval: valid, with break-even recall, the best number of passages and the fitted laws marked."""

import altair
import msgspec
import pytest

from hardlimit.core import Finding, Measurement, Standing
from hardlimit.core.quantity import ACCURACY, ATTACK_SUCCESS, PASSAGES, POISON_ENTRY, RECALL_NEEDED, RETRIEVAL_RECALL
from hardlimit.report import words
from hardlimit.report.charts import DRAWERS, Scene, pictures
from hardlimit.report.charts.retrieval import DRAWERS as RETRIEVAL
from hardlimit.theory import retrieval as theory
from tests.report.sample_measurements import around, wilson
from tests.report.sample_measurements import measurement as sampled
from tests.report.sample_measurements import point as placed

KS = (1, 2, 4, 8)


def point(at, right, n):
    return placed(wilson(right / n, n), **at)


def measurement(name, quantity, estimate=None, **more):
    return sampled(name, quantity, estimate, **more)


def even(value=0.4):
    return measurement("retrieval.break_even", RECALL_NEEDED, around(value, 0.1, n=40))


def best(low=2.0, value=4.0, high=8.0):
    made = measurement("retrieval.best_passages", PASSAGES, around(value, 1.0, n=40))
    interval = msgspec.structs.replace(made.estimate.interval, low=low, high=high)
    return msgspec.structs.replace(made, estimate=msgspec.structs.replace(made.estimate, interval=interval))


def curve(**parameters) -> Measurement:
    points = [point({"passages": k}, right, 50) for k, right in zip(KS, (20, 30, 32, 25), strict=True)]
    return measurement("retrieval.accuracy_by_passages", ACCURACY, points=points, parameters=parameters)


def recall(name="recall_at_k"):
    points = [point({"retriever": r, "k": k}, 10 * k // 2, 50) for r in ("bm25", "none") for k in KS]
    return measurement(f"retrieval.{name}", RETRIEVAL_RECALL, points=points)


def by_corpus():
    points = [
        point({"retriever": r, "documents": n, "k": k}, 30, 50)
        for r in ("bm25", "dense")
        for n in (100, 1000)
        for k in (1, 4)
    ]
    return measurement("retrieval.recall_by_corpus", RETRIEVAL_RECALL, points=points)


SCENES = {
    "accuracy_by_passages": Scene(
        measurement=curve(k_star=3.2, k_star_low=2.0, k_star_high=5.0), others={"retrieval.best_passages": best()}
    ),
    "own_accuracy_by_passages": Scene(
        measurement=msgspec.structs.replace(curve(k_star=2.5), name="retrieval.own_accuracy_by_passages")
    ),
    "recall_at_k": Scene(measurement=recall(), others={"retrieval.break_even": even()}),
    "own_recall_at_k": Scene(measurement=recall("own_recall_at_k"), others={"retrieval.break_even": even()}),
    "recall_by_corpus": Scene(measurement=by_corpus()),
    "poison_by_corpus": Scene(
        measurement=measurement(
            "retrieval.poison_by_corpus",
            POISON_ENTRY,
            points=[point({"retriever": "bm25", "documents": n}, 20, 24) for n in (100, 1000)],
        )
    ),
    "accuracy_by_position": Scene(
        measurement=measurement(
            "retrieval.accuracy_by_position",
            ACCURACY,
            wilson(0.6, 100),
            points=[point({"position": p}, 20, 40) for p in (0.0, 0.5, 1.0)],
        )
    ),
    "accuracy_by_noise": Scene(
        measurement=measurement(
            "retrieval.accuracy_by_noise",
            ACCURACY,
            points=[
                point({"kind": "none", "noise": 0.0}, 30, 40),
                point({"kind": "random", "noise": 0.5}, 20, 40),
                point({"kind": "random", "noise": 0.75}, 20, 40),
            ],
        )
    ),
    "poisoning": Scene(
        measurement=measurement(
            "retrieval.poisoning",
            ATTACK_SUCCESS,
            points=[point({"dose": d}, 10 * d, 50) for d in (1, 2, 4)],
            parameters={"each": 0.25, "dose50": 2.4},
        )
    ),
}


def lines(name, kind):
    (picture,) = pictures(SCENES[name])
    return [key.label for key in picture.legend if key.kind == kind]


def data(spec):
    """The data of every layer."""
    return [layer["data"]["values"] for layer in spec["layer"]]


def test_every_chart_has_its_scene_and_its_words():
    assert {f"retrieval.{name}" for name in SCENES} == set(RETRIEVAL)
    assert set(RETRIEVAL) <= set(DRAWERS)
    assert all(words.entry(scene.measurement).word in words.MEASUREMENTS[f"retrieval.{name}"].word for name, scene in
               SCENES.items())  # fmt: skip


@pytest.mark.parametrize("name", sorted(SCENES))
def test_every_chart_is_valid_vega_lite_with_every_point(name):
    (picture,) = pictures(SCENES[name])
    altair.Chart.from_dict(picture.spec, validate=True)
    assert len(data(picture.spec)[-1]) == len(SCENES[name].measurement.points)


def test_the_best_numbers_are_marked():
    (picture,) = pictures(SCENES["accuracy_by_passages"])
    assert lines("accuracy_by_passages", "theory") == ["predicted best: k* = 3.2 (2.0 to 5.0)"]
    assert lines("accuracy_by_passages", "band") == ["best measured: 4, 95% interval 2 to 8"]
    assert data(picture.spec)[:2] == [[{"x": 2.0, "x2": 8.0}], [{"x": 3.2}]]


def test_the_law_is_laid_over_the_curve_that_it_was_fitted_to():
    law = theory.accuracy_by_passages([1, 2, 4, 8], 0.4, 0.05)
    finding = Finding(claim=law, measurement=curve(), standing=Standing.AGREES, says="Fitted: so.")
    (picture,) = pictures(Scene(measurement=curve(), findings=(finding,)))
    drawn = [{"x": x, "y": y} for x, y in law.points]
    assert drawn in data(picture.spec)


def test_a_best_number_beyond_what_was_measured_is_not_marked():
    (picture,) = pictures(Scene(measurement=curve(k_star=11.0)))
    assert picture.legend == ()
    (picture,) = pictures(Scene(measurement=curve(), others={"retrieval.best_passages": best(4.0, 4.0, 4.0)}))
    ((band,),) = data(picture.spec)[:1]
    assert band["x"] < 4.0 < band["x2"]


def test_break_even_recall_is_a_rule_across_the_retrievers():
    (picture,) = pictures(SCENES["recall_at_k"])
    assert data(picture.spec)[0] == [{"y": 0.4}]
    (label,) = lines("recall_at_k", "threshold")
    assert label.startswith("retrieval pays above r* = 40.0% [")
    assert lines("recall_at_k", "series") == ["bm25", "none"]


def test_the_law_of_recall_takes_the_colour_of_its_series():
    law = theory.recall_by_corpus([100, 1000], 3.0)
    about = [p for p in by_corpus().points if p.at["retriever"] == "dense" and p.at["k"] == 1]
    mine = msgspec.structs.replace(by_corpus(), points=tuple(about))
    finding = Finding(claim=law, measurement=mine, standing=Standing.AGREES, says="dense: so.")
    (picture,) = pictures(Scene(measurement=by_corpus(), findings=(finding,)))
    (key,) = [key for key in picture.legend if key.kind == "theory"]
    assert picture.legend[key.index].label == "dense, k = 1"


def test_belief_is_drawn_from_no_dose_to_the_largest():
    (picture,) = pictures(SCENES["poisoning"])
    fitted, half = data(picture.spec)[:2]
    assert fitted[0] == {"x": 0.0, "y": 0.0}
    assert fitted[-1]["x"] == 4.0
    assert fitted[-1]["y"] == pytest.approx(1 - 0.75**4)
    assert half == [{"x": 2.4}]


def test_the_mean_and_the_lack_of_noise_are_rules():
    assert lines("accuracy_by_position", "threshold") == ["mean over places: 60.0%"]
    assert lines("accuracy_by_noise", "threshold") == ["no noise: 75.0%"]
