"""The page in headless Chromium: charts drawn, nothing fetched or run, readable wide and narrow, light and dark."""

import json
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from hardlimit.report import render_html
from tests.report.poison import poisoned
from tests.report.sample import bare, sample

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)
WIDTHS = (1280, 390)
THEMES = ("light", "dark")
PATIENCE = 120
"""Seconds that a busy machine may take to draw the charts before a test gives up."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None, reason="Chromium or chromedriver is not installed (see tests/QUARANTINE.md)"
    ),
]


@contextmanager
def chromium(profile: Path):
    """A browser with a profile of its own; selenium is imported here, since only these tests need it."""
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    reports = {
        "sample": sample(),
        "bare": bare(),
        "attacked": poisoned(sample()),
        "attacked through names": poisoned(sample(), names=True),
    }
    for name, report in reports.items():
        (folder / f"{name}.html").write_text(render_html(report), encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in reports}


def opened(driver, address, *, width=1280, theme="light"):
    """Open a page and wait until its charts are drawn."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 800},
    )
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    )
    driver.get_log("browser"), driver.get_log("performance")
    driver.get(address)
    until = time.monotonic() + PATIENCE
    while driver.execute_script("return document.documentElement.dataset.charts") != "drawn":
        assert time.monotonic() < until, f"the charts of {address} were not drawn; log: {driver.get_log('browser')}"
        time.sleep(0.05)
    return driver


def requests(driver):
    """Addresses that the page asked for, other than itself and data in it."""
    messages = (json.loads(entry["message"])["message"] for entry in driver.get_log("performance"))
    asked = (m["params"] for m in messages if m["method"] == "Network.requestWillBeSent")
    urls = [params["request"]["url"] for params in asked]
    assert urls, "the log is empty, so it would show nothing"
    return [url for url in urls if not url.startswith("data:") and url != driver.current_url]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["sample", "bare", "attacked", "attacked through names"])
def test_the_page_is_quiet_closed_and_fits(driver, pages, name, width, theme):
    opened(driver, pages[name], width=width, theme=theme)
    assert driver.get_log("browser") == []
    assert requests(driver) == []
    wide, view = driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert view == width
    assert wide <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_every_chart_is_drawn_with_marks_in_it(driver, pages, width):
    opened(driver, pages["sample"], width=width)
    charts = driver.execute_script("""
        return [...document.querySelectorAll(".chart")].map((chart) => {
          const svg = chart.querySelector("svg");
          const box = svg ? svg.getBoundingClientRect() : { width: 0, height: 0 };
          const marks = svg ? svg.querySelectorAll(".mark-symbol path, .mark-rect path").length : 0;
          return [chart.id, box.width, box.height, marks, chart.getBoundingClientRect().width];
        });""")
    assert len(charts) == 16
    for identifier, wide, high, marks, room in charts:
        assert 0.9 * room <= wide <= room + 1, identifier
        assert high > 60, identifier
        assert marks >= 3, identifier


@pytest.mark.parametrize("name", ["attacked", "attacked through names"])
def test_attacks_do_nothing(driver, pages, name):
    opened(driver, pages[name])
    # Open everything, follow every inner link, and touch every mark, so that tooltips are written.
    driver.execute_script("""
        for (const details of document.querySelectorAll("details")) details.open = true;
        for (const link of document.querySelectorAll("a")) if (link.hash) link.click();
        for (const mark of document.querySelectorAll(".chart svg path, .chart svg text")) {
          const where = { bubbles: true, clientX: 5, clientY: 5 };
          for (const kind of ["pointerover", "pointermove", "mousemove", "click"]) {
            mark.dispatchEvent(new MouseEvent(kind, where));
          }
        }""")
    assert driver.execute_script("return typeof window.hacked") == "undefined"
    foreign = driver.execute_script("""
        const foreign = "script:not([type]), img, iframe, object, embed, base, form:not(.vega-bindings)";
        return [...document.querySelectorAll(foreign)].map((e) => e.tagName);""")
    assert foreign == ["SCRIPT", "SCRIPT"]
    assert driver.get_log("browser") == []


def test_an_inline_script_would_have_been_stopped(driver, pages):
    """The policy works: a script that is put into the page by force does not run, and the log says why."""
    opened(driver, pages["sample"])
    driver.execute_script("""
        const script = document.createElement("script");
        script.textContent = "window.hacked = 1";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", '<img src=x onerror="window.hacked = 1">');""")
    time.sleep(0.2)
    assert driver.execute_script("return typeof window.hacked") == "undefined"
    assert any("Content Security Policy" in entry["message"] for entry in driver.get_log("browser"))


def test_a_tooltip_tells_estimate_interval_and_n(driver, pages):
    from selenium.webdriver.common.action_chains import ActionChains

    opened(driver, pages["sample"])
    points = "#context-m2-chart-1 .mark-symbol path"
    driver.execute_script(
        "document.querySelector(arguments[0]).scrollIntoView({block: 'center', behavior: 'instant'})", points
    )
    ActionChains(driver).move_to_element(driver.find_element("css selector", points)).perform()
    tooltip = driver.find_element("id", "tooltip")
    assert tooltip.is_displayed()
    words = tooltip.text.split()
    for told in ("variant", "tokens", "estimate", "interval", "n", "120", "artefacts"):
        assert told in words


def test_the_legend_singles_out_one_series_by_keyboard(driver, pages):
    from selenium.webdriver.common.keys import Keys

    opened(driver, pages["sample"])
    faded = """return [...document.querySelectorAll("#context-m2-chart-1 .mark-symbol path")]
        .filter((e) => e.getAttribute("opacity") === "0.12").length"""
    key = driver.find_elements("css selector", "figure:has(#context-m2-chart-1) button.key")[1]
    assert driver.execute_script(faded) == 0
    for pressed, hidden in (("true", 12), ("false", 0)):
        key.send_keys(Keys.ENTER)
        until = time.monotonic() + PATIENCE
        while driver.execute_script(faded) != hidden and time.monotonic() < until:
            time.sleep(0.05)
        assert driver.execute_script(faded) == hidden
        assert key.get_attribute("aria-pressed") == pressed


def test_a_link_to_a_claim_opens_it(driver, pages):
    opened(driver, pages["sample"])
    closed = "return document.getElementById('context-claim-CTX-3').open"
    assert driver.execute_script(closed) is False
    driver.execute_script("document.querySelector('a[href=\"#context-claim-CTX-3\"]').click()")
    until = time.monotonic() + PATIENCE
    while not driver.execute_script(closed) and time.monotonic() < until:
        time.sleep(0.05)
    assert driver.execute_script(closed) is True


def test_charts_follow_the_theme_without_being_drawn_again(driver, pages):
    opened(driver, pages["sample"], theme="light")
    colour = """const mark = document.querySelector("#context-m2-chart-1 .mark-symbol path");
        mark.dataset.same = mark.dataset.same || "yes";
        return [getComputedStyle(mark).fill, mark.dataset.same]"""
    light = driver.execute_script(colour)
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    dark = driver.execute_script(colour)
    assert (light, dark) == (["rgb(0, 114, 178)", "yes"], ["rgb(88, 180, 238)", "yes"])


CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_all_text_has_enough_contrast(driver, pages, width, theme):
    opened(driver, pages["sample"], width=width, theme=theme)
    driver.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    checked, poor = driver.execute_script(CONTRAST)
    assert checked > 1000
    assert poor == []


def test_paper_is_light_whatever_the_theme(driver, pages):
    opened(driver, pages["sample"], theme="dark")
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    ink, paper, contents = driver.execute_script("""
        const style = getComputedStyle(document.body);
        return [style.color, style.backgroundColor, getComputedStyle(document.querySelector(".contents")).display]""")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert (ink, paper, contents) == ("rgb(22, 32, 42)", "rgb(255, 255, 255)", "none")


def test_without_scripts_the_words_and_tables_are_all_there(driver, pages):
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.get(pages["sample"])
        summary = driver.find_element("css selector", "#context-m2 details summary")
        assert "The numbers behind the picture" in summary.text
        assert driver.find_element("css selector", "#verdicts").is_displayed()
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
