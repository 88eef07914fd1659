"""Does the page of the stored run work in a browser: by pointer, by the keyboard alone, without scripts, on paper?"""

import base64
import csv
import gzip
import re
import time
from collections import Counter
from xml.etree import ElementTree

import pytest

from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import line_of, load
from argo_bench.report.chart import COLOURS
from argo_bench.report.marks import ORDER, label_verdict
from argo_bench.report.webpage import LARGEST
from tests.browser import REFERENCE

MOST_BYTES, MOST_NODES, MOST_SHEETS = 3_000_000, 20_000, 6
LEAST_TEXT = 9.0
"""No word of a figure is smaller than this, in pixels."""
WIDTHS = (1280, 1240, 1100, 800, 390)
FIRST_SCREEN = 1280, 800
FIRST = ".title", ".hero .wide svg", ".answers"
"""These are seen before anybody scrolls."""


@pytest.fixture(scope="module")
def stored():
    return load(REFERENCE)


@pytest.fixture(scope="module")
def headline(stored) -> list[Judgement]:
    return [each for each in stored.all(Judgement) if each.headline]


def show(browser, page, width: int = 1280, theme: str = "light", fragment: str = "") -> None:
    """Opens the page anew, in a window of this width and a reader's theme."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
    media = {"features": [{"name": name, "value": value} for name, value in features.items()]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get("about:blank")
    browser.get(page.as_uri() + fragment)
    wait_until_read(browser)


def wait_until_read(browser) -> None:
    """Waits for the page's last element, by the protocol, which works without scripts: ``get`` may return early."""
    until = time.monotonic() + 60
    while not count_tags(browser.execute_cdp_cmd("DOM.getDocument", {"depth": 3})["root"])["script"]:
        assert time.monotonic() < until, "the page was not read to its end within a minute"
        time.sleep(0.1)


def find(browser, what: str):
    from selenium.webdriver.common.by import By

    return browser.find_element(By.CSS_SELECTOR, what)


def find_all(browser, what: str) -> list:
    from selenium.webdriver.common.by import By

    return browser.find_elements(By.CSS_SELECTOR, what)


def press(browser, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


def ask(browser, expression: str):
    return browser.execute_script(f"return {expression}")


VERDICTS = "#verdicts ~ .wide-table tbody tr"
ROWS = f"[...document.querySelectorAll('{VERDICTS}')].filter(each => each.checkVisibility())"


def words_in(browser, column: int) -> list[str]:
    """The first lines of a column of the table of verdicts, of those rows that are shown."""
    return ask(browser, f"{ROWS}.map(row => row.cells[{column}].firstChild.textContent.trim())")


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
  nodes: document.querySelectorAll("*").length,
  dead: [...document.querySelectorAll("a[href^='#']")].filter(
    each => !document.getElementById(each.getAttribute("href").slice(1))
  ).length,
};
"""


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_opens_small_and_alone(width, theme, browser, stored_page):
    show(browser, stored_page, width, theme)
    seen = browser.execute_script(MEASURE)
    assert (seen["empty"], seen["dead"], seen["requests"], seen["wide"]) == (0, 0, [], 0)
    assert 0 < seen["figures"] < 5
    assert 500 < seen["nodes"] < MOST_NODES
    assert seen["smallest"] >= LEAST_TEXT
    red, green, blue = (int(COLOURS[theme].background[at : at + 2], 16) for at in (1, 3, 5))
    assert seen["background"] == f"rgb({red}, {green}, {blue})"
    assert browser.get_log("browser") == []


@pytest.mark.browser
def test_the_first_screen_has_the_whole_picture_and_every_answer(browser, stored_page):
    show(browser, stored_page, FIRST_SCREEN[0])
    ends = {each: ask(browser, f"document.querySelector('{each}').getBoundingClientRect().bottom") for each in FIRST}
    assert min(ends.values()) > 0
    assert max(ends.values()) <= FIRST_SCREEN[1], ends


@pytest.mark.browser
def test_what_waits_is_there_when_everything_is_opened(browser, stored_page):
    show(browser, stored_page, 390)
    browser.execute_script("document.querySelectorAll('details.one').forEach(each => { each.open = true })")
    time.sleep(0.5)  # details report that they were opened a moment later
    seen = browser.execute_script(MEASURE)
    assert seen["figures"] > 50
    assert (seen["empty"], seen["dead"], seen["requests"], seen["wide"]) == (0, 0, [], 0)
    assert seen["smallest"] >= LEAST_TEXT
    assert browser.get_log("browser") == []


def test_the_page_is_small(stored_page):
    assert stored_page.stat().st_size < MOST_BYTES


@pytest.mark.browser
def test_chips_choose_verdicts(browser, stored_page, headline):
    show(browser, stored_page)
    word, number = Counter(each.verdict for each in headline).most_common()[-1]
    assert len(words_in(browser, 4)) == len(headline)
    find(browser, f".tools button[data-filter='{word}']").click()
    assert words_in(browser, 4) == [label_verdict(word)] * number
    pressed = find_all(browser, "button[aria-pressed='true']")
    assert [each.get_attribute("data-filter") for each in pressed] == [word, word]
    find(browser, f".tools button[data-filter='{word}']").click()
    assert len(words_in(browser, 4)) == len(headline)


@pytest.mark.browser
def test_a_table_is_sorted_by_its_head_and_back(browser, stored_page, headline):
    show(browser, stored_page)
    before = words_in(browser, 0)
    find(browser, "#verdicts ~ .wide-table th:nth-child(5) button").click()
    order = [ORDER[each.verdict] for each in headline]
    labels = {label_verdict(each.verdict): ORDER[each.verdict] for each in headline}
    assert [labels[each] for each in words_in(browser, 4)] == sorted(order)
    assert find(browser, "#verdicts ~ .wide-table th:nth-child(5)").get_attribute("aria-sort") == "ascending"
    find(browser, "#verdicts ~ .wide-table th:nth-child(3) button").click()
    seen = [re.match(r"([\d.,]+)x", each) for each in words_in(browser, 2)]
    factors = [float(each[1].replace(",", "")) for each in seen if each]
    assert len(factors) > len(headline) / 2
    assert factors == sorted(factors)
    assert factors != sorted(factors, reverse=True)
    for _ in range(2):
        find(browser, "#verdicts ~ .wide-table th:nth-child(3) button").click()
    assert words_in(browser, 0) == before


@pytest.mark.browser
def test_a_table_is_searched(browser, stored_page, headline):
    show(browser, stored_page)
    own = [each for each in headline if each.optimization == "O08"]
    find(browser, "#verdicts ~ .tools input").send_keys("o08.")
    assert len(words_in(browser, 0)) == len(own)
    assert find(browser, "#verdicts ~ .tools output").text == f"{len(own)} of {len(headline)} rows"


def read_tip(browser) -> list[str]:
    return ask(browser, "(tip => tip.hidden ? [] : tip.textContent.split('\\n'))(document.getElementById('tip'))")


@pytest.mark.browser
def test_a_mark_says_its_numbers_to_a_pointer(browser, stored_page):
    from selenium.webdriver import ActionChains

    show(browser, stored_page)
    assert read_tip(browser) == []
    marks = [each for each in find_all(browser, ".hero .mark") if each.is_displayed()]
    assert len(marks) > 30
    ActionChains(browser).scroll_to_element(marks[0]).move_to_element(marks[0]).perform()
    name, numbers, output, word = read_tip(browser)
    assert re.search(r"n=\d+|seed", numbers)
    assert output.startswith("output: ")
    assert word and name.split(".")[0] in marks[0].get_dom_attribute("href")


@pytest.mark.browser
def test_the_keyboard_alone_reads_a_mark_and_opens_its_section(browser, stored_page):
    from selenium.webdriver.common.keys import Keys

    show(browser, stored_page)
    press(browser, Keys.TAB)
    assert ask(browser, "document.activeElement.className") == "skip"
    stops = 0
    while not ask(browser, "document.activeElement.matches('.hero .mark')"):
        press(browser, Keys.TAB)
        stops += 1
        assert stops < 60
    first = read_tip(browser)
    assert len(first) == 4
    press(browser, Keys.ARROW_DOWN)
    assert read_tip(browser) not in ([], first)
    press(browser, Keys.ESCAPE)
    assert read_tip(browser) == []
    anchor = ask(browser, "document.activeElement.getAttribute('href')")
    press(browser, Keys.ENTER)
    opened = f"document.querySelector('{anchor}').closest('details')"
    assert ask(browser, f"{opened}.open")
    assert ask(browser, f"{opened}.querySelectorAll('.body table').length") > 0
    assert ask(browser, f"{opened}.getBoundingClientRect().top") < 200


@pytest.mark.browser
def test_an_address_opens_its_section(browser, stored_page):
    show(browser, stored_page, fragment="#O08")
    assert [each.find_element("css selector", "h3").text for each in find_all(browser, "details.one[open]")] == [
        f"{load(REFERENCE).name_of('O08')} O08"
    ]


@pytest.mark.browser
def test_the_menu_opens_and_closes_by_the_keyboard(browser, stored_page):
    from selenium.webdriver.common.keys import Keys

    show(browser, stored_page)
    browser.execute_script("document.querySelector('.menu summary').focus()")
    press(browser, Keys.ENTER)
    assert find(browser, ".menu a").is_displayed()
    press(browser, Keys.ESCAPE)
    assert not find(browser, ".menu a").is_displayed()


def wait_for(folder, ending: str):
    for _ in range(100):
        if found := list(folder.glob(f"*{ending}")):
            return found[0]
        time.sleep(0.05)
    pytest.fail(f"no file *{ending} was saved")


@pytest.mark.browser
def test_tables_and_figures_are_saved(browser, stored_page, headline, tmp_path):
    show(browser, stored_page)
    allow = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", allow)
    browser.execute_script("document.querySelector('#verdicts ~ .tools > button').click()")
    rows = list(csv.reader(wait_for(tmp_path, ".csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len(headline) + 1
    assert rows[0][0] == "claim"
    browser.execute_script("document.querySelector('.hero > button').click()")
    drawing = wait_for(tmp_path, ".svg").read_text(encoding="utf-8")
    assert "var(--" not in drawing
    assert ElementTree.fromstring(drawing).tag.endswith("svg")


@pytest.mark.browser
@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), pytest.param(390, "dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing(width, theme, browser, stored_page):
    """Contrast, order of headings, names, roles: every rule that axe-core has."""
    from selenium_axe_python import Axe

    show(browser, stored_page, width, theme, "#O08")
    browser.execute_script("document.querySelectorAll('.one[open] details').forEach(each => { each.open = true })")
    browser.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))")
    axe = Axe(browser)
    axe.inject()
    found = axe.run()
    assert {"color-contrast", "heading-order"} <= {each["id"] for each in found["passes"]}
    assert [(each["id"], [node["target"] for node in each["nodes"]][:5]) for each in found["violations"]] == []


def count_tags(node: dict) -> Counter:
    found = Counter([node["nodeName"].lower()])
    for child in node.get("children", ()):
        found += count_tags(child)
    return found


@pytest.mark.browser
def test_without_scripts_everything_is_there(browser, stored_page):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, stored_page)
        tags = count_tags(browser.execute_cdp_cmd("DOM.getDocument", {"depth": -1})["root"])
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert tags["svg"] > 50
    assert tags["table"] > 100
    assert tags["button"] == 0


@pytest.mark.browser
def test_few_sheets_are_printed(browser, stored_page):
    show(browser, stored_page)
    paper = {"printBackground": False, "preferCSSPageSize": True}
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", paper)["data"])
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= MOST_SHEETS


@pytest.mark.browser
def test_the_browser_reads_the_samples_from_the_page_where_they_have_room(browser, stored_page, stored):
    show(browser, stored_page)
    page = stored_page.read_text(encoding="utf-8")
    packed = re.search(r"data:application/gzip;base64,([^\"]*)", page)
    if packed is None:
        lines = b"".join(map(line_of, stored.records))
        assert len(page.encode()) + 4 * len(gzip.compress(lines)) / 3 > LARGEST
        assert "too large for this page" in find(browser, "main").text
        return
    fetched = browser.execute_async_script(
        "const done = arguments[0];"
        "fetch(document.querySelector('a[download]').href).then(r => r.arrayBuffer()).then(b => done(b.byteLength))"
    )
    content = base64.b64decode(packed[1])
    assert fetched == len(content)
    assert gzip.decompress(content).count(b"\n") == len(stored.records)
