"""What several test files stand on: small markets, and the real bars where they are at hand."""

import gc
from pathlib import Path

import hypothesis  # noqa: F401 - it asks while it is loaded who refers to what, which a frozen heap hides
import pytest

from argo_bench.harness.machine import fitness
from argo_bench.pipeline.market import Universe, generate, read_universe
from tests.browser import browser, stored_page  # noqa: F401 - fixtures of several files

REAL_BARS = Path(__file__).parents[1].parent / "shared" / "data" / "bars"


def pytest_collection_finish() -> None:
    """Collections pass over what the suite itself keeps, a million objects: O09 as prescribed makes one every cycle."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def kept_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(autouse=True)
def own_home(kept_folder, monkeypatch):
    """A folder of the suite's own for what is kept between runs, such as records of comparisons."""
    monkeypatch.setenv("ARGO_BENCH_HOME", str(kept_folder))


@pytest.fixture(autouse=True)
def no_width_from_outside(monkeypatch):
    """Output is as wide as a test says, whatever COLUMNS says to whoever runs the suite."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch):
    """A machine on which nobody else does anything, as far as sentences about it go."""
    monkeypatch.setattr(fitness, "read_busy_s", lambda: 0.0)
    monkeypatch.setattr(fitness, "read_stolen_ticks", lambda processor: 0)
    monkeypatch.setattr(fitness, "GLANCE_S", 0.0)
    monkeypatch.setattr(fitness, "find_other_runs", list)


@pytest.fixture(scope="session")
def small_universe() -> Universe:
    """Six generated symbols of 400 bars, one of them crypto."""
    symbols = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF-USD")
    frames = generate(symbols, 400, seed=7).frames
    return Universe(frames, dict.fromkeys(frames, "generated"), "generated for a test")


@pytest.fixture(scope="session")
def real_universe() -> Universe:
    """The six real symbols."""
    if not REAL_BARS.is_dir():
        pytest.skip("the real bars are not at hand")
    return read_universe(REAL_BARS)


def pytest_terminal_summary(terminalreporter):
    """Say what the tests in a browser cost of the time of all."""
    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport)
    ]
    spent = sum(report.duration for report in reports)
    shown = sum(report.duration for report in reports if "browser" in report.keywords)
    if shown:
        terminalreporter.write_line(f"tests in a browser: {shown:.0f} s of {spent:.0f} s ({shown / spent:.0%})")
