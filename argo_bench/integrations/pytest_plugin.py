"""Adds ``argo_pair`` to pytest: it measures two functions in turn, and a test says what it expects of them.

    def test_parse(argo_pair):
        result = argo_pair(old_parse, new_parse, setup=example)
        assert result.at_least(2.0)

The plug-in is loaded in every session of pytest, so it imports nothing of argo_bench until it is used. Where
pytest-benchmark is installed, the samples of the candidate are the rounds of its record; a test has one such record, so
that of several pairs the first gives the rounds, and the figures of all stand beside them. Where the test uses
``benchmark`` itself, the rounds are its own.

What was not measured is skipped: beside other workers of xdist, and where the time is too short. Under
``--benchmark-disable``, which asks for it, both functions are called once, and the test passes where they agree.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from argo_bench.integrations.pairs import Result

MARKER = "argo"
OPTIONS = (
    *("baseline", "candidate", "setup", "check", "metric", "claim"),
    *("fresh", "quick", "budget_s", "seed", "memory"),
)
BENCHMARK = "benchmark"
"""Both pytest-benchmark's plug-in and its fixture have this name."""
RESULTS = pytest.StashKey[list["Result"]]()
"""The results of a test's pairs."""
ROWS = "argo_rows"
"""Reports of tests carry the rows of the table by this name, also from a worker of xdist to the session."""
ALONE = "timings would be taken side by side: run these tests without -n, or with -n 1"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{MARKER}({', '.join(OPTIONS)}): what argo_pair measures and how, unless the test says otherwise"
    )
    with_benchmark = config.pluginmanager.hasplugin(BENCHMARK)
    config.pluginmanager.register(Recorded() if with_benchmark else Unrecorded(), "argo-bench fixtures")
    config.pluginmanager.register(Summary(), "argo-bench summary")


class Recorded:
    """Provides the fixture where pytest-benchmark is there, whose options and record then count."""

    @pytest.fixture
    def argo_pair(self, request: pytest.FixtureRequest, benchmark: Any) -> Iterator[Pair]:
        """Measures two functions in turn: ``argo_pair(old, new, setup=example)``."""
        pair = Pair(request, benchmark)
        yield pair
        pair.pass_rounds_on()


class Unrecorded:
    """Provides the fixture without pytest-benchmark."""

    @pytest.fixture
    def argo_pair(self, request: pytest.FixtureRequest) -> Pair:
        """Measures two functions in turn: ``argo_pair(old, new, setup=example)``."""
        return Pair(request, None)


class Pair:
    """Measures two functions when a test calls it, as ``argo_pair``."""

    def __init__(self, request: pytest.FixtureRequest, benchmark: Any) -> None:
        self._request = request
        self._benchmark = benchmark
        self._results: list[Result] = []
        request.node.stash[RESULTS] = self._results  # a test that is run again begins anew

    def __call__(
        self, baseline: Callable[..., Any] | str | None = None, candidate: Callable[..., Any] | str | None = None,
        **options: Any,
    ) -> Result:  # fmt: skip
        """Measure both functions; options are those of ``argo_bench.compare``, and ``memory=True``.

        The marker ``argo`` gives what the call does not. The test fails where the two do not agree, or one raises.
        """
        given = {"baseline": baseline, "candidate": candidate, **options}
        chosen = self._read_markers() | {name: value for name, value in given.items() if value is not None}
        if unknown := sorted(chosen.keys() - set(OPTIONS)):
            pytest.fail(f"argo_pair has no option {unknown[0]!r}: expected {', '.join(OPTIONS)}", pytrace=False)
        if missing := [name for name in ("baseline", "candidate") if name not in chosen]:
            pytest.fail(f"argo_pair needs a {missing[0]}: argo_pair(old, new), or the marker's", pytrace=False)
        if getattr(self._request.config, "workerinput", {}).get("workercount", 1) > 1:
            pytest.skip(ALONE)
        from argo_bench.integrations.pairs import measure_pair

        node = self._request.node
        result = measure_pair(node.name, chosen, is_disabled=self._is_disabled())
        self._results.append(result)
        node.user_properties += result.properties()
        if self._benchmark is not None and result.compared is not None:
            number = len(self._results)
            self._benchmark.extra_info["argo" if number == 1 else f"argo {number}"] = result.facts()
        return result

    def pass_rounds_on(self) -> None:
        """Give pytest-benchmark the first pair's samples as its rounds, unless the test has used ``benchmark`` itself.

        It can be used once in a test, and warns where it is not used at all.
        """
        if self._results and getattr(self._benchmark, "_mode", None) is None:
            from argo_bench.integrations.pairs import feed_rounds

            feed_rounds(self._benchmark, self._results[0])

    def _is_disabled(self) -> bool:
        """Say whether pytest-benchmark's options ask for no measuring; it also disables itself in a worker of xdist."""
        option = self._request.config.getoption
        return self._benchmark is not None and option("benchmark_disable") and not option("benchmark_enable")

    def _read_markers(self) -> dict[str, Any]:
        """Return the options of all markers, of which the nearest to the test win."""
        found: dict[str, Any] = {}
        for marker in self._request.node.iter_markers(MARKER):
            if marker.args:
                pytest.fail(f"the marker {MARKER} takes options by name: {', '.join(OPTIONS)}", pytrace=False)
            found = {**marker.kwargs, **found}
        return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Give the report of a test the rows of its pairs."""
    report = yield
    if call.when == "call" and (results := item.stash.get(RESULTS, [])):
        setattr(report, ROWS, [each.write_row() for each in results])
    return report


class Summary:
    """Prints the verdicts of the session as a table, wherever its tests ran."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._rows += getattr(report, ROWS, [])

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self._rows:
            return
        from argo_bench.integrations.pairs import summarize

        terminalreporter.section("argo-bench")
        for line in summarize(self._rows, is_terminal=terminalreporter.isatty):
            terminalreporter.write_line(line)
