"""The lab on the pages: beside its limit, folded, with its curve, and a failed prediction that nobody overlooks."""

import io
import json
import re

import pytest
from msgspec.structs import replace
from rich.console import Console

from hardlimit.audit import AuditReport, LabSection
from hardlimit.core import Limit, Standing, dumps, loads
from hardlimit.core.quantity import ACCURACY
from hardlimit.lab.experiment import Scale
from hardlimit.report import render_html, render_lab_html, render_terminal, words
from hardlimit.report.charts import lab_pictures
from hardlimit.report.laboratory import outcomes
from hardlimit.report.page import command
from tests.report.sample import sample
from tests.report.sample_lab import experiment, findings, margins, measured, point
from tests.report.test_page import read


def with_lab(*experiments, limit=Limit.CONTEXT):
    return replace(sample(), lab=tuple(LabSection(limit=limit, report=each) for each in experiments))


@pytest.fixture(scope="module")
def page():
    return render_html(with_lab(experiment()))


def folded(page):
    return page.split('<details class="claim experiment"')[1:]


def test_an_experiment_stands_in_the_section_of_its_limit_and_nowhere_else(page):
    (told,) = folded(page)
    assert 'id="context-title"' in page.split('<details class="claim experiment"')[0]
    assert '<section class="limit" id="reasoning"' not in page.split('<details class="claim experiment"')[0]
    assert told.startswith(' id="lab-crowding-quick">')
    summary = read("<p" + told.split("</summary>")[0])
    assert summary.endswith("crowding Is it softmax itself that fails? 1 failed 1 held")
    assert "nothing below is about the audited model" in read(page)


def test_a_failed_prediction_is_said_in_so_many_words_and_one_that_held_is_not(page):
    alarms = [read(each) for each in re.findall(r'<p class="alarm">.*?</p>', folded(page)[0])]
    assert alarms == ["A prediction failed: CTX-4, random distractors. 50% instead of 90% or more."]
    held = replace(experiment().conclusion, findings=findings()[:1])
    assert '<p class="alarm">' not in folded(render_html(with_lab(experiment(conclusion=held))))[0]


def test_claims_stand_beside_measurements_and_lead_to_the_limits_cards(page):
    told = folded(page)[0].split("</section>")[0]
    text = read(told)
    beside = "Theory: CTX-4 random distractors at least 90.0% accuracy assumption Trained here: Accuracy at all 50.0%"
    assert beside in text
    assert '<a href="#context-claim-CTX-3">CTX-3</a> held' in told
    assert "This model" not in text
    assert "What would have changed our mind A margin that does not fall." in text
    assert "Cost 1 min 12 s on CPU" in text
    assert "Again hardlimit lab crowding --quick" in text


def test_a_page_has_one_element_for_each_address(page):
    names = re.findall(r' id="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert "lab-crowding-quick-m1" in names and "lab-crowding-quick-m1-chart-1" in names


def test_the_curve_has_the_claims_own_curve_over_it_on_a_logarithmic_axis():
    (drawn,) = lab_pictures(margins(), findings())
    assert [(key.kind, key.label) for key in drawn.legend] == [
        ("series", "softmax"),
        ("series", "entmax"),
        ("theory", "CTX-3: needle margin"),
    ]
    text = json.dumps(drawn.spec)
    assert '"type": "log"' in text and "[16.0, 64.0, 256.0, 1024.0]" in text
    assert '"y": 3.936' in text  # 4 − 16/250, of the claim


def test_of_several_numbers_the_one_with_most_values_lies_along_the_axis():
    points = [point(0.5, hops=hops, depth=depth) for depth in (1, 2) for hops in (1, 2, 3)]
    (drawn,) = lab_pictures(measured("solved", ACCURACY, points), ())
    assert [key.label for key in drawn.legend if key.kind == "series"] == ["depth 1", "depth 2"]
    assert '"type": "log"' not in json.dumps(drawn.spec)


@pytest.mark.parametrize(
    "points",
    [
        [point(0.5, hops=1), point(0.5, depth=1)],
        [point(0.5, hops=h, seed=f"s{s}") for h in (1, 2) for s in range(13)],
        [point(0.5, kind="a", how="b")],
    ],
    ids=["other coordinates", "a tangle", "names alone"],
)
def test_what_makes_no_picture_is_left_to_its_table(points):
    assert lab_pictures(measured("x", ACCURACY, points), ()) == ()


def test_every_standing_has_a_word_and_those_against_the_claim_failed():
    assert set(words.PREDICTIONS) == set(Standing)
    failed = {standing for standing, word in words.PREDICTIONS.items() if word == "failed"}
    assert failed == {Standing.DISAGREES, Standing.BEYOND_BOUND}
    assert outcomes(experiment()) == (("failed", 1), ("held", 1))


def test_text_of_the_lab_cannot_act():
    evil = "<script>alert(1)</script>\x1b[2J"
    hostile = experiment(name=f"x{evil}", device=evil, packages={evil: evil})
    for page in (render_html(with_lab(hostile)), render_lab_html([hostile])):
        assert "<script>alert" not in page and "\x1b" not in page
        assert 'id="lab-x-script-alert-1-script-2J-quick"' in page


def test_the_labs_own_page_has_every_experiment_and_the_cards_of_their_claims():
    both = [experiment(), experiment("again", rows=()), experiment(scale=Scale(seeds=3))]
    page = render_lab_html(both)
    assert page == render_lab_html([loads(dumps(each), type(each)) for each in both])
    text = read(page)
    assert text.count("A prediction failed: CTX-4") == 3
    assert all(f'id="lab-{name}"' in page for name in ("crowding-quick", "again-quick", "crowding-seeds-3"))
    assert page.count('id="evaluation-claim-CTX-3"') == 1
    assert "For the models trained here: accuracy at least 90.0%" in text and "this model" not in text.lower()
    names = re.findall(r' id="([^"]+)"', page)
    assert len(names) == len(set(names))


def test_the_terminal_marks_what_failed():
    console = Console(file=io.StringIO(), width=140)
    render_terminal(with_lab(experiment()), console)
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]
    assert "crowding CTX-3 held CTX-3 held: 4 nats fell to 0.6." in lines
    assert "CTX-4 failed 50% instead of 90% or more." in lines
    plain = Console(file=io.StringIO(), width=140)
    render_terminal(sample(), plain)
    assert "In the lab" not in plain.file.getvalue()


def test_the_command_runs_the_lab_again_and_json_holds_it():
    report = with_lab(experiment())
    assert " --lab " in command(report) and "--lab" not in command(sample())
    assert loads(dumps(report), AuditReport) == report
