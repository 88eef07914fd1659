"""Debian's Chromium, cut off from the network, and the page of the stored run in it."""

import os
import shutil
from pathlib import Path

import pytest

from argo_bench.opening import open_report

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
INSTALL = "apt-get install -y chromium chromium-driver"
SWITCHES = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
)


def find_browser() -> tuple[str, str]:
    """The programs that show a page and drive it; without them a test is skipped, and fails where they are required."""
    found = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if None not in found:
        return found
    missing = f"the page was not looked at: Chromium and its driver are not installed: {INSTALL}"
    if os.environ.get("ARGO_BENCH_BROWSER") == "required":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    chromium, driver = find_browser()
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for switch in SWITCHES:
        options.add_argument(f"--{switch}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    started.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    started.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield started
    started.quit()


@pytest.fixture(scope="session")
def stored_page(tmp_path_factory) -> Path:
    """The page of the stored run."""
    return open_report(REFERENCE).save_page(tmp_path_factory.mktemp("report"))
