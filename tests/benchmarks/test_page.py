"""How long does the page of the stored run take to open, and until it can be used? ``make bench`` shows it."""

from statistics import median

import pytest

ROUNDS = 10
INTERACTIVE = "performance.getEntriesByType('navigation')[0].domInteractive"


@pytest.mark.browser
def test_opening_the_page(benchmark, browser, stored_page):
    """The whole until everything is loaded; beside it in ``extra_info`` until the parser and the script are done."""
    interactive = []

    def open_page():
        browser.get(stored_page.as_uri())
        interactive.append(browser.execute_script(f"return {INTERACTIVE}"))

    benchmark.pedantic(open_page, setup=lambda: browser.get("about:blank"), rounds=ROUNDS)
    benchmark.extra_info["interactive_ms"] = median(interactive)
    assert len(interactive) == ROUNDS
