import re
import time
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from hardlimit.audit import AuditReport
from hardlimit.core import Verdict, dumps, loads
from hardlimit.report import render_html, render_scaling_html
from hardlimit.report.scaling import BOTTOM, HEIGHT, LEFT, MEANINGS, RIGHT, TOP, WIDTH, _range, panel
from hardlimit.scaling import Question, Record, assess, curves_in
from tests.report.sample import sample
from tests.report.test_browser import CHROMIUM, DRIVER, THEMES, WIDTHS, chromium, requests

CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
SIZES = (0.1, 0.3, 1, 3, 10, 30)
HOSTILE = "<b onload=x>\x1b[31m\u202e"


def family():
    """Curves with every way to be drawn: helped, flat at chance, with a hostile name, a loss without error bars."""
    rng = np.random.default_rng(0)
    records = []
    for size in SIZES:
        for task, p in (("good", 1 - 0.7 * (size / 0.1) ** -0.2), ("flat", 0.25), ("open", 0.5 + 0.02 * size**0.3)):
            n = 150 if task == "open" else 4000
            value = rng.binomial(n, p) / n
            records.append(Record(model=f"fam-{size:g}b", task=task, metric="acc", value=value, n=n))
        records.append(
            Record(model=f"fam-{size:g}b", task=HOSTILE, metric="loss", value=3 * size**-0.05, better="lower")
        )
    return assess(curves_in(records, reading()), Question(held_out=1, correct="none", counts=True))


def reading():
    from hardlimit.scaling import Reading

    return Reading(chance={"good": 0.25, "flat": 0.25})


@pytest.fixture(scope="module")
def report():
    return family()


def test_a_panel_places_what_was_measured(report):
    (task,) = [task for task in report.tasks if task.judged.scaling.task == "good"]
    made = panel(task, 10.0)
    curve = task.judged.scaling.curve
    # The axis is logarithmic, from the smallest scale to the next factor: 2.48 of 3.48 decades are measured.
    assert [dot.x for dot in made.dots] == sorted(dot.x for dot in made.dots)
    assert made.dots[0].x == LEFT
    inner = WIDTH - LEFT - RIGHT
    assert made.edge == pytest.approx(LEFT + inner * np.log(300) / np.log(3000), abs=0.1) == made.dots[-1].x
    # Up is more; the error bar is 1.96 standard errors of a share of 4000.
    heights = [HEIGHT - dot.y for dot in made.dots]
    assert np.corrcoef(heights, curve.values)[0, 1] > 0.999
    low, high = (tick for tick in (made.up[0], made.up[-1]))
    per_unit = (low.at - high.at) / (float(high.text) - float(low.text))
    share = curve.values[0]
    assert made.dots[0].low - made.dots[0].high == pytest.approx(
        2 * 1.96 * np.sqrt(share * (1 - share) / 4000) * per_unit, abs=0.25
    )
    assert made.dots[0].says == f"100M: {share:.3g} of 4,000 items"
    assert [tick.text for tick in made.across] == ["100M", "30B", "300B"]
    assert made.cone.endswith("Z") and made.cone.startswith(f"M{made.edge:g} ")
    assert all(
        TOP <= float(y) <= HEIGHT - BOTTOM for y in re.findall(r" ([\d.]+)", made.fitted + made.ahead + made.cone)
    )


def test_a_flat_curve_is_not_blown_up(report):
    (task,) = [task for task in report.tasks if task.judged.scaling.task == "flat"]
    made = panel(task, 10.0)
    assert max(dot.y for dot in made.dots) - min(dot.y for dot in made.dots) < 60
    low, high = _range(0.25, 0.2504, task.judged.scaling.curve)
    assert high - low >= 0.05 and (low + high) / 2 == pytest.approx(0.2502)
    assert made.chance == pytest.approx(np.mean([dot.y for dot in made.dots]), abs=25)


def test_the_page_says_all_and_does_nothing(report):
    page = render_scaling_html(report)
    assert page == render_scaling_html(loads(dumps(report), type(report)))
    assert "<script" not in page and "script-src &#39;none&#39;" in page and "<b onload" not in page
    assert "&lt;b onload=x&gt;⟨U+001B⟩" in page
    assert page.count('<svg class="panel p-') == len(report.tasks) == 4
    for task in report.tasks:
        assert task.judged.scaling.because in page.replace("&#39;", "'")
    assert report.caveat in page and "Forecasts of the 1 largest scales, held out" in page
    assert all(meaning in page for meaning in MEANINGS.values()) and set(MEANINGS) == set(Verdict)
    assert "As counts, on a logistic curve" in page


def test_an_audit_may_carry_it(report):
    whole = structs.replace(sample(), scaling=report)
    assert loads(dumps(whole), AuditReport) == whole
    page = render_html(whole)
    assert page.count('<svg class="panel p-') == 4 and '<a href="#scaling">Scaling</a>' in page
    assert 'id="scaling"' not in render_html(sample())


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="Chromium or chromedriver is not installed")
def test_the_page_fits_and_can_be_read(report, tmp_path):
    page = tmp_path / "scaling.html"
    page.write_text(render_scaling_html(report), encoding="utf-8")
    with chromium(tmp_path / "profile") as driver:
        for width in WIDTHS:
            for theme in THEMES:
                size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 800}
                driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
                scheme = [{"name": "prefers-color-scheme", "value": theme}]
                driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
                driver.get_log("browser"), driver.get_log("performance")
                driver.get(page.as_uri())
                time.sleep(0.1)
                driver.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
                assert driver.get_log("browser") == [] and requests(driver) == []
                assert driver.execute_script("return document.documentElement.scrollWidth") <= width
                boxes = driver.execute_script("""
                    const panels = [...document.querySelectorAll(".panels .panel")];
                    return panels.map((e) => e.getBoundingClientRect().width);""")
                assert len(boxes) == 4 and min(boxes) > 200
                checked, poor = driver.execute_script(CONTRAST)
                assert checked > 100 and poor == []
