"""Is the page of a run complete, honest, safe, alone and legible in both themes?"""

import base64
import hashlib
import html
import re
import subprocess
import sys
from html.parser import HTMLParser

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
from tests.browser import REFERENCE
from tests.test_report_curves import CURVE
from tests.test_report_finding import judgement, recorded
from tests.test_report_tables import HOSTILE, WORDS, every_kind_of_row
from tests.test_samples import block, sampled


class Page(HTMLParser):
    """The parts of a page that tests ask for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.source = page
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
        "O11 prescribed, decisions of the pipeline: differs: missed in 3 of 480 steps of a symbol.",
        "argo-bench run --profile quick",
        "What this does not show",
        "<b>BBB</b> (generated)",
        "numpy 2.4",
        "How often this program errs here is not known",
        "time of the regime stage on a live trace",
        "argo_bench/pipeline/optimized/regime.py, line 1",
    ],
)
def test_the_page_says(words, page):
    assert words in " ".join(page.text.split())


def test_what_the_record_says_is_text_and_never_a_tag(page):
    assert HOSTILE in page.text
    assert "<b>BBB</b>" in page.text
    assert page.tags.count("script") == 1


def test_the_only_script_is_the_one_that_the_page_allows(full):
    shown = write_page(full, STUDY)
    (script,) = re.findall(r"<script>(.*?)</script>", shown, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html.unescape(shown)
    assert len(script) < 12_000


def test_a_hostile_name_stays_text_in_figures_and_sources_too(tmp_path):
    one = judgement("exceeded", 10.0, claim='O06."><img src=x onerror=alert(1)>', workload="<script>alert(1)</script>")
    shown = Page(write_page(recorded(tmp_path, *sampled(one, [block(1000, 1000)])), STUDY))
    assert "img" not in shown.tags
    assert shown.tags.count("script") == 1
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
    assert len(re.findall(r'<svg [^>]*aria-label="[^"]{20,}"', page.source)) == drawings
    assert page.text.count("Numbers") == drawings - 2  # the two of the first picture share the table of verdicts


def test_an_alternative_text_is_short_because_the_table_has_the_numbers(stored_page):
    alts = re.findall(r'<svg [^>]*aria-label="([^"]*)"', stored_page.read_text(encoding="utf-8"))
    assert len(alts) > 50
    assert [each for each in alts if len(re.findall(r"[a-z)%]\. [A-Z]", each)) > 1 or len(each) > 400] == []


def test_every_sample_is_inside_the_page(full, page, tmp_path):
    (address,) = [each for each in page.all("href") if each.startswith("data:")]
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "run.jsonl.gz").write_bytes(base64.b64decode(address.partition(",")[2]))
    assert load(tmp_path / "saved").records == full.records


def test_a_record_that_is_too_large_is_left_beside_the_page(full, monkeypatch):
    monkeypatch.setattr("argo_bench.report.webpage.LARGEST", 10)
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


def test_the_page_of_the_stored_run_has_a_section_for_each_subject(stored_page):
    page = Page(stored_page.read_text(encoding="utf-8"))
    assert set(load(REFERENCE).run.optimizations) <= set(page.all("id"))


@pytest.mark.parametrize("words", ["What to do", "Combined claims", "What to ship first?"])
def test_the_page_of_the_stored_run_says(words, stored_page):
    assert words in Page(stored_page.read_text(encoding="utf-8")).text
