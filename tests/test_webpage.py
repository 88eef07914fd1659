"""Is the page of a run complete, honest, safe, alone and legible in both themes?"""

import base64
import gzip
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from argo_bench.harness.record.records import Comparison, Failure
from argo_bench.harness.record.store import Recorded, load
from argo_bench.opening import open_report
from argo_bench.report.chart import COLOURS, list_colours
from argo_bench.report.charts.forest import FOREST
from argo_bench.report.charts.hero import HERO
from argo_bench.report.charts.samples import ECDF, PAIRED_RATIO
from argo_bench.report.marks import MARKS, compute_contrast, label_verdict
from argo_bench.report.webpage import write_page
from argo_bench.study.report.sections import STUDY
from tests.test_report_curves import CURVE
from tests.test_report_finding import judgement, recorded
from tests.test_report_tables import HOSTILE, WORDS, every_kind_of_row
from tests.test_samples import block, sampled

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


class Page(HTMLParser):
    """The parts of a page that tests ask for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text += data

    def all(self, name: str) -> list[str]:
        return [value for attribute, value in self.attributes if attribute == name]


def everything() -> list:
    timed = judgement("exceeded", 10.0, claim="O07.time", arm="engineered", text=HOSTILE)
    curved = judgement("fell short", 1.3, claim="O03.calls", metric="requests", curve=CURVE)
    return [*every_kind_of_row(), *sampled(timed, [block(1000, 1000)], [block(980, 1000)]), curved]


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Recorded:
    return recorded(tmp_path_factory.mktemp("run"), *everything())


@pytest.fixture(scope="module")
def page(full) -> Page:
    return Page(write_page(full, STUDY))


@pytest.fixture(scope="session")
def reference(tmp_path_factory) -> Path:
    """The page of the stored run."""
    return open_report(REFERENCE).save_page(tmp_path_factory.mktemp("report"))


def test_the_title_is_the_finding(full, page):
    assert page.text.strip().startswith(open_report(full.directory).finding)


@pytest.mark.parametrize("word", WORDS)
def test_every_verdict_stands_there_with_its_glyph(word, page):
    assert label_verdict(word) in page.text


@pytest.mark.parametrize(
    "words",
    [
        "O11 prescribed: failed, ValueError: bad.",
        "O08 polars: not measured, polars is not installed: pip install 'argo-bench[fast]'.",
        "O11 prescribed, decisions of the pipeline: differs: missed in 3 of 480 symbol-cycles.",
        "argo-bench run --profile quick",
        "What this does not show",
        "<b>BBB</b> (generated)",
        "numpy 2.4",
        "The harness was not calibrated",
        "time of the regime stage on a live trace",
        "argo_bench/pipeline/optimized/regime.py, line 1",
    ],
)
def test_the_page_says(words, page):
    assert words in " ".join(page.text.split())


def test_what_the_record_says_is_text_and_never_a_tag(page):
    assert HOSTILE in page.text
    assert {"script", "b"} & set(page.tags) <= {"b"}
    assert "<b>BBB</b>" in page.text
    assert page.tags.count("script") == 0


def test_a_hostile_name_stays_text_in_figures_and_sources_too(tmp_path):
    one = judgement("exceeded", 10.0, claim='O06."><img src=x onerror=alert(1)>', workload="<script>alert(1)</script>")
    shown = Page(write_page(recorded(tmp_path, *sampled(one, [block(1000, 1000)])), STUDY))
    assert not {"script", "img"} & set(shown.tags)
    assert not shown.all("onerror")
    assert "<script>alert(1)</script>" in shown.text


def test_the_page_asks_for_nothing(full):
    shown = write_page(full, STUDY)
    addresses = Page(shown).all("src") + Page(shown).all("href") + re.findall(r"url\((.*?)\)", shown)
    assert all(each.startswith(("#", "data:application/gzip")) for each in addresses)
    assert "@import" not in shown


def test_every_link_leads_somewhere(page):
    assert {each[1:] for each in page.all("href") if each.startswith("#")} <= set(page.all("id"))


def test_names_within_the_page_are_unique(page):
    assert len(page.all("id")) == len(set(page.all("id")))


def test_every_figure_has_its_words_and_its_numbers(page):
    drawings = page.tags.count("svg")
    assert drawings > 10
    assert len([each for each in page.all("aria-label") if len(each) > 20]) == drawings
    assert page.text.count("Numbers") == drawings - 2  # the two of the first picture share the table of verdicts


def test_every_sample_is_inside_the_page(full, page, tmp_path):
    (address,) = [each for each in page.all("href") if each.startswith("data:")]
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "run.jsonl.gz").write_bytes(base64.b64decode(address.partition(",")[2]))
    assert load(tmp_path / "saved").records == full.records


def test_a_record_that_is_too_large_is_left_beside_the_page(full, monkeypatch):
    monkeypatch.setattr("argo_bench.report.webpage.MOST_EMBEDDED", 10)
    shown = Page(write_page(full, STUDY))
    assert not [each for each in shown.all("href") if each.startswith("data:")]
    assert "too large for this page" in shown.text


DRAW = """
import hashlib, sys
from argo_bench.harness.record.store import load
from argo_bench.report.webpage import write_page
from argo_bench.study.report.sections import STUDY
print(hashlib.sha256(write_page(load(sys.argv[1]), STUDY).encode()).hexdigest(), "matplotlib.pyplot" in sys.modules)
"""


@pytest.mark.slow
def test_two_processes_write_the_same_page_without_pyplot(full):
    shown = [
        subprocess.run(
            [sys.executable, "-c", DRAW, str(full.directory)], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert shown[0] == shown[1]
    assert shown[0].endswith(" False\n")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_of_a_theme_are_told_apart_and_legible(theme):
    colours = list_colours(theme)
    assert len(set(colours.values())) == len(colours)
    hues = {MARKS[word].hue.replace(" ", "-") for word in WORDS}
    background = COLOURS[theme].background
    assert min(compute_contrast(colours[name], background) for name in {*hues, "ink", "muted"}) >= 4.5


@pytest.mark.parametrize("chart", [HERO, FOREST, ECDF, PAIRED_RATIO], ids=["hero", "forest", "ecdf", "paired_ratio"])
def test_a_light_figure_with_its_colours_exchanged_is_the_dark_one(chart, full):
    exchanged, dark = (
        re.sub(r'(id="|href="#|url\(#)\w+', "", svg.decode())
        for svg in (chart.picture(full).dark_svg(), chart.picture(full, "dark").svg())
    )
    assert exchanged == dark


def test_functions_of_a_user_have_a_section_too(tmp_path):
    own = msgspec.structs.replace(judgement("faster", 2.0, claim="new against old"), optimization="new against old")
    own = msgspec.structs.replace(own, comparison=Comparison("new against old", "call", 1, "calls", "baseline", "new"))
    page = Page(write_page(recorded(tmp_path, *sampled(own, [block(1000, 5000)])), STUDY))
    assert "Compared" in page.text
    assert {each[1:] for each in page.all("href") if each.startswith("#")} <= set(page.all("id"))
    assert not any(" " in each for each in page.all("id"))


def test_a_run_without_verdicts_makes_a_page_too(tmp_path):
    assert (
        "No claim was judged" in Page(write_page(recorded(tmp_path, Failure("O06", "x", "failed", "no")), STUDY)).text
    )


def test_the_page_of_the_stored_run_has_a_section_for_each_subject_and_stays_small(reference):
    assert reference.stat().st_size < 5_000_000
    page = Page(reference.read_text(encoding="utf-8"))
    assert set(load(REFERENCE).run.optimizations) <= set(page.all("id"))


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, cut off from the network."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("chromium and chromedriver are not installed: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
    ):
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield driver
    driver.quit()


MEASURE = """
const figures = [...document.querySelectorAll("svg")].filter(each => each.checkVisibility());
return {
  figures: figures.length,
  empty: figures.filter(each => each.getBBox().width < 50 || !each.querySelector("path")).length,
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  requests: performance.getEntriesByType("resource").map(each => each.name),
  smallest: Math.min(...figures.flatMap(each => [...each.querySelectorAll("text")].map(
    text => parseFloat(getComputedStyle(text).fontSize) * each.clientWidth / each.viewBox.baseVal.width
  ))),
  background: getComputedStyle(document.body).backgroundColor,
  dead: [...document.querySelectorAll("a[href^='#']")].filter(
    each => !document.getElementById(each.getAttribute("href").slice(1))
  ).length,
};
"""


@pytest.mark.parametrize(("width", "theme"), [(1200, "light"), (800, "dark"), (390, "light")])
def test_a_browser_without_a_network_shows_the_whole_page(width, theme, browser, reference):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(reference.as_uri())
    seen = browser.execute_script(MEASURE)
    assert seen["figures"] > 80
    assert (seen["empty"], seen["dead"], seen["requests"]) == (0, 0, [])
    assert seen["wide"] == 0
    assert seen["smallest"] > 9
    red, green, blue = (int(COLOURS[theme].background[at : at + 2], 16) for at in (1, 3, 5))
    assert seen["background"] == f"rgb({red}, {green}, {blue})"
    assert browser.get_log("browser") == []


def test_a_browser_reads_the_samples_from_the_page(browser, reference):
    browser.get(reference.as_uri())
    fetched = browser.execute_async_script(
        "const done = arguments[0];"
        "fetch(document.querySelector('a[download]').href).then(r => r.arrayBuffer()).then(b => done(b.byteLength))"
    )
    page = reference.read_text(encoding="utf-8")
    packed = base64.b64decode(re.search(r"data:application/gzip;base64,([^\"]*)", page)[1])
    assert fetched == len(packed)
    assert gzip.decompress(packed).count(b"\n") == len(load(REFERENCE).records)


@pytest.mark.parametrize("words", ["As published, ", "What to do", "Combined claims"])
def test_the_page_of_the_stored_run_says(words, reference):
    assert words in Page(reference.read_text(encoding="utf-8")).text
