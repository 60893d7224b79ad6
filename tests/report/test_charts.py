"""Charts: valid Vega-Lite, faithful to the measurement, with every claim laid over it."""

import json

import altair
import jsonschema
import msgspec
import pytest
import vl_convert

from hardlimit.core import Estimate, Finding, Interval, Measurement, Standing
from hardlimit.core.quantity import ACCURACY, EFFECTIVE_CONTEXT, NEEDLE_MARGIN
from hardlimit.report.charts import DRAWERS, Scene, marks, pictures
from hardlimit.report.page import scene
from tests.report import sample_claims as claims
from tests.report.sample import sample
from tests.report.sample_measurements import around, measurement, point, wilson

REPORT = sample()
DRAWN = {
    each.name: (each, scene(limit, each, window=REPORT.model.window))
    for limit in REPORT.limits
    for each in limit.measurements
}


def layers(spec):
    """Every layer of a specification with the data that it sees."""
    found = []

    def walk(part, data):
        data = part.get("data", data)
        for inner in part.get("layer", []):
            walk(inner, data)
        if "mark" in part:
            found.append((part, (data or {}).get("values", [])))

    walk(spec, None)
    return found


def marked(spec, kind, **options):
    return [
        (part, values)
        for part, values in layers(spec)
        if part["mark"]["type"] == kind and options.items() <= part["mark"].items()
    ]


def only(name):
    (picture,) = pictures(DRAWN[name][1])
    return picture


THEORY = {"color": "var(--theory)"}
THRESHOLD = {"color": "var(--threshold)"}
BAND = {"color": "var(--band)"}


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_every_chart_is_valid_vega_lite(name):
    for picture in pictures(DRAWN[name][1]):
        altair.Chart.from_dict(picture.spec, validate=True)
        json.dumps(picture.spec, allow_nan=False)


def test_the_check_above_can_fail():
    with pytest.raises(jsonschema.ValidationError):
        altair.Chart.from_dict({"mark": {"type": "no such mark"}, "encoding": {}}, validate=True)


@pytest.mark.parametrize("name", sorted(name for name, (_, its) in DRAWN.items() if pictures(its)))
def test_every_point_is_drawn_once_with_its_interval(name):
    shown, _ = DRAWN[name]
    drawn = [
        row
        for picture in pictures(DRAWN[name][1])
        for _, values in marked(picture.spec, "point") + marked(picture.spec, "rect", stroke="var(--card)")
        for row in values
    ]
    assert len(drawn) == len(shown.points)
    estimates = [each.estimate for each in shown.points]
    assert sorted(row.get("v", row["y"]) for row in drawn) == sorted(estimate.value for estimate in estimates)
    if "low" in drawn[0]:
        assert sorted(row["low"] for row in drawn) == sorted(estimate.interval.low for estimate in estimates)
        assert sorted(row["high"] for row in drawn) == sorted(estimate.interval.high for estimate in estimates)
    assert sorted(row["n"] for row in drawn) == sorted(estimate.n for estimate in estimates)


def test_every_measurement_with_points_has_a_chart_and_no_other_has():
    for shown, its_scene in DRAWN.values():
        assert bool(pictures(its_scene)) == bool(shown.points), shown.name


def test_a_series_is_told_apart_by_colour_shape_and_dash():
    spec = only("context.accuracy_by_length").spec
    (point_part, _), (line_part, _) = marked(spec, "point")[0], marked(spec, "line", strokeWidth=2)[0]
    assert point_part["encoding"]["shape"]["scale"]["range"] == ["circle", "square", "triangle-up"]
    assert line_part["encoding"]["strokeDash"]["scale"]["range"] == [[1, 0], [7, 3], [2, 2]]
    measured = next(part for part in spec["layer"] if "layer" in part)
    assert measured["encoding"]["color"]["scale"]["range"] == ["var(--c1)", "var(--c2)", "var(--c3)"]
    labels = [key.label for key in only("context.accuracy_by_length").legend if key.kind == "series"]
    assert labels == ["no overlap", "literal", "distractor"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("context.accuracy_by_length", "variant"),
        ("hallucination.accuracy_by_popularity", "family"),
        ("hallucination.score", "policy"),
        ("hallucination.risk_coverage", "signal"),
        ("hallucination.calibration", "signal"),
    ],
)
def test_every_point_lies_in_its_own_series(name, key):
    picture, shown = only(name), DRAWN[name][0]
    labels = [key.label.split(", area")[0] for key in picture.legend if key.kind == "series"]
    ((_, rows),) = marked(picture.spec, "point")
    assert [labels[row["s"]] for row in rows] == [each.at[key] for each in shown.points]


def test_the_effective_context_is_marked_on_the_accuracy_curve():
    spec = only("context.accuracy_by_length").spec
    ((_, band),) = marked(spec, "rect", **BAND)
    ((_, threshold),) = marked(spec, "rule", **THRESHOLD)
    assert band == [{"x": 1020.0, "x2": 1950.0}]
    assert threshold == [{"y": 0.7055}]
    (x,) = {json.dumps(part["encoding"]["x"]["scale"]) for part, _ in marked(spec, "rect", **BAND)}
    assert json.loads(x)["type"] == "log"
    labels = {key.kind: key.label for key in only("context.accuracy_by_length").legend}
    assert labels["band"] == "effective context, 95% interval: [1,020, 1,950] tokens"
    assert labels["threshold"] == "85% of its short-context accuracy: 70.5%"


@pytest.mark.parametrize(("low", "high"), [(None, 1950.0), (1020.0, None)])
def test_an_open_end_of_the_effective_context_reaches_the_edge(low, high):
    shown, _ = DRAWN["context.accuracy_by_length"]
    interval = Interval(low=low, high=high, level=0.95, method="m")
    effective = measurement("context.effective", EFFECTIVE_CONTEXT, Estimate(value=1400.0, interval=interval, n=240))
    spec = pictures(Scene(measurement=shown, others={"context.effective": effective}))[0].spec
    ((part, values),) = marked(spec, "rect", **BAND)
    assert values == [{"x": high if low is None else low}]
    assert part["encoding"]["x"]["field"] == "x"
    assert part["encoding"]["x2"] == {"value": 0 if low is None else "width"}
    altair.Chart.from_dict(spec, validate=True)


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("hallucination.accuracy_by_popularity", claims.long_tail_law([3.0 * 10**d for d in (3, 4, 5, 6, 7)])),
        ("context.margin", claims.margin_law((250, 500, 1000, 2000, 4000, 8000))),
        ("context.kv_bytes", claims.kv_law((250, 500, 1000, 2000, 4000, 8000))),
    ],
)
def test_a_claims_curve_is_laid_over_its_measurement(name, law):
    picture = only(name)
    ((_, values),) = marked(picture.spec, "line", **THEORY)
    assert [(row["x"], row["y"]) for row in values] == list(law.points)
    assert f"{law.statement.id}: {law.statement.name}" in [key.label for key in picture.legend if key.kind == "theory"]


def test_any_measurement_gets_the_curve_and_the_bound_of_its_findings():
    unknown = measurement(
        "x.unknown", NEEDLE_MARGIN, around(1.0, 0.1), [point(around(2.0, 0.5), length=k) for k in (2, 3)]
    )
    law = claims.margin_law((2, 3))
    finding = Finding(claim=law, measurement=unknown, standing=Standing.AGREES, says="")
    (picture,) = pictures(Scene(measurement=unknown, findings=(finding,)))
    ((_, values),) = marked(picture.spec, "line", **THEORY)
    assert [(row["x"], row["y"]) for row in values] == list(law.points)
    assert marked(only("hallucination.score").spec, "rule", **THEORY)[0][1] == [{"y": 0.0}]
    assert marked(only("hallucination.false_acceptance").spec, "rule", **THEORY)[0][1] == [{"y": 0.2}]


def about(whole, *ats, says=""):
    """A finding with a law about those points of a measurement that stand at these places."""
    part = msgspec.structs.replace(whole, points=tuple(p for p in whole.points if p.at in ats))
    law = claims.margin_law((2, 3))
    law = msgspec.structs.replace(law, quantity=whole.quantity)
    return Finding(claim=law, measurement=part, standing=Standing.AGREES, says=says)


def test_a_law_about_one_series_has_its_colour_and_its_name_and_fades_with_it():
    whole = points(*({"name": name, "k": k} for name in "ab" for k in (2, 3)))
    findings = (about(whole, *({"name": "b", "k": k} for k in (2, 3))), about(whole, *(p.at for p in whole.points)))
    (picture,) = pictures(Scene(measurement=whole, findings=findings))
    ((part, _),) = marked(picture.spec, "line", strokeDash=[2, 3], color="var(--c2)")
    assert part["encoding"]["opacity"]["condition"] == {"test": "chosen < 0 || chosen === 1", "value": 1.0}
    ((part, _),) = marked(picture.spec, "line", **THEORY)
    assert "opacity" not in part["encoding"]
    told = [(key.label, key.index) for key in picture.legend if key.kind == "theory"]
    assert told == [("CTX-3: needle margin, b", 1), ("CTX-3: needle margin", None)]


def test_laws_of_the_same_name_are_told_apart_by_what_their_findings_say():
    whole = points(*({"name": name, "k": k} for name in "ab" for k in (2, 3)))
    everywhere = [p.at for p in whole.points]
    findings = (about(whole, *everywhere, says="Answering all: it fits."), about(whole, *everywhere, says="No colon."))
    (picture,) = pictures(Scene(measurement=whole, findings=findings))
    told = [key.label for key in picture.legend if key.kind == "theory"]
    assert told == ["CTX-3: needle margin (Answering all)", "CTX-3: needle margin"]


def test_large_counts_are_labelled_in_billions():
    axis = next(part for part in only("hallucination.accuracy_by_popularity").spec["layer"] if "layer" in part)
    assert axis["encoding"]["x"]["axis"]["labelExpr"] == "replace(format(datum.value, '~s'), 'G', 'B')"
    assert axis["encoding"]["x"]["axis"]["values"] == [10.0**power for power in range(3, 9)]


def test_dots_of_an_unbounded_quantity_keep_off_the_edges():
    ends = measurement("x", NEEDLE_MARGIN, None, [point(around(v, 0.0), name=str(v)) for v in (-2.0, 3.0)])
    (picture,) = pictures(Scene(measurement=ends))
    low, high = marked(picture.spec, "point")[0][0]["encoding"]["x"]["scale"]["domain"]
    assert low < -2.0
    assert high > 3.0


def test_a_vacuous_claim_is_not_drawn():
    assert not marked(only("hallucination.facts").spec, "rule", **THEORY)


def test_the_window_stands_on_the_memory_chart_only_where_it_is_known():
    shown, _ = DRAWN["context.kv_bytes"]
    assert marked(only("context.kv_bytes").spec, "rule", **THRESHOLD)[0][1] == [{"x": 8192.0}]
    assert not marked(pictures(Scene(measurement=shown))[0].spec, "rule", **THRESHOLD)


def test_calibration_has_its_diagonal_and_speaks_of_accuracy():
    ((_, values),) = marked(only("hallucination.calibration").spec, "line", **THRESHOLD)
    assert [(row["x"], row["y"]) for row in values] == [(0.0, 0.0), (1.0, 1.0)]
    assert marked(only("hallucination.calibration").spec, "point")[0][1][0]["shown"].endswith("%")


def test_risk_coverage_names_the_area_of_each_signal():
    assert [key.label for key in only("hallucination.risk_coverage").legend] == [
        "log-probability, area 0.3",
        "verbalised, area 0.35",
        "self-consistency, area 0.4",
    ]


def test_maps_of_depth_are_one_for_each_variant_and_maps_of_heads_one_for_each_length():
    assert [p.title for p in pictures(DRAWN["context.accuracy_by_depth"][1])] == ["no overlap", "literal", "distractor"]
    assert [p.title for p in pictures(DRAWN["context.needle_weight"][1])] == [
        "500 tokens",
        "2,000 tokens",
        "8,000 tokens",
    ]
    tops = {
        part["encoding"]["color"]["scale"]["domain"][1]
        for picture in pictures(DRAWN["context.needle_weight"][1])
        for part, _ in marked(picture.spec, "rect")
    }
    # The maps share one scale, or they could not be compared; it ends at the largest weight of all.
    assert tops == {max(each.estimate.value for each in DRAWN["context.needle_weight"][0].points)}


def test_a_side_without_bound_has_no_whisker_and_says_so():
    half_open = Estimate(value=0.5, interval=Interval(low=None, high=0.7, level=0.95, method="m"), n=10)
    (picture,) = pictures(
        Scene(measurement=measurement("x", ACCURACY, None, [point(half_open, k=1), point(half_open, k=2)]))
    )
    row = marked(picture.spec, "point")[0][1][0]
    assert (row["low"], row["high"], row["interval"]) == (0.5, 0.7, "at most 70.0%")


def points(*ats) -> Measurement:
    return measurement("x.any", ACCURACY, None, [point(wilson(0.5, 10), **at) for at in ats])


@pytest.mark.parametrize(
    ("ats", "charts"),
    [
        ([], 0),
        ([{"k": 1}, {"k": 2}], 1),
        ([{"k": 1}], 1),
        ([{"name": "a"}, {"name": "b"}], 1),
        ([{"k": 1, "name": "a"}, {"k": 1, "name": "b"}], 1),
        ([{"k": 1, "m": 2}], 0),
        ([{"a": "x", "b": "y"}], 0),
        ([{"k": 1}, {"m": 2}], 0),
        ([{"k": True}, {"k": False}], 1),
        ([{"family": "city"}, {"kind": "city"}], 1),
        ([{"family": "city"}, {"k": 1}], 0),
        ([{"k": i, "name": str(i)} for i in range(13)], 0),
        ([{}], 0),
    ],
)
def test_unknown_measurements_have_a_chart_where_one_axis_is_numeric_or_one_is_named(ats, charts):
    drawn = pictures(Scene(measurement=points(*ats)))
    assert len(drawn) == charts
    for picture in drawn:
        altair.Chart.from_dict(picture.spec, validate=True)


@pytest.mark.parametrize("name", sorted(DRAWERS))
def test_a_known_name_with_foreign_points_falls_back_instead_of_failing(name):
    foreign = measurement(name, ACCURACY, None, [point(wilson(0.5, 10), somewhere="else")])
    assert len(pictures(Scene(measurement=foreign))) == 1


@pytest.mark.parametrize("length", [0, -5, 7])
def test_a_logarithmic_axis_is_used_only_where_it_can_be(length):
    only_one = measurement(
        "context.accuracy_by_length", ACCURACY, None, [point(wilson(0.5, 10), variant="v", length=length)]
    )
    (picture,) = pictures(Scene(measurement=only_one))
    scale = next(part for part in picture.spec["layer"] if "layer" in part)["encoding"]["x"]["scale"]
    assert scale["type"] == ("log" if length > 0 else "linear")
    low, high = scale["domain"]
    assert low < length < high


@pytest.mark.parametrize(
    ("low", "high", "drawn"),
    [(None, 3.0, "M0,0h60v50h-60Z"), (1.0, None, "M20,0h80v50h-80Z"), (1.0, 2.0, "M20,0h20v50h-20Z")],
)
def test_a_band_with_an_open_end_reaches_the_edge(low, high, drawn):
    x = {"field": "x", "type": "quantitative", "scale": {"domain": [0, 5]}}
    svg = vl_convert.vegalite_to_svg(
        {"width": 100, "height": 50} | marks._band(marks.Band(label="", low=low, high=high), x)
    )
    assert f'd="{drawn}"' in svg
