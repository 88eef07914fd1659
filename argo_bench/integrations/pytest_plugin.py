"""Adds ``argo_pair`` to pytest: it measures two functions in turn, and a test says what it expects of them.

    def test_parse(argo_pair):
        result = argo_pair(old_parse, new_parse, setup=example)
        assert result.at_least(2.0)

The plug-in is loaded in every session of pytest, so it imports nothing of argo_bench until it is used. Where
pytest-benchmark is installed, the samples of the candidate are the rounds of its record.
"""

from __future__ import annotations

from collections.abc import Callable
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
ALONE = "timings would be taken side by side: run these tests without -n, or with -n 1"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{MARKER}({', '.join(OPTIONS)}): what argo_pair measures and how, unless the test says otherwise"
    )
    config.stash[RESULTS] = []
    with_benchmark = config.pluginmanager.hasplugin(BENCHMARK)
    config.pluginmanager.register(Recorded() if with_benchmark else Unrecorded(), "argo-bench fixtures")


class Recorded:
    """Provides the fixture where pytest-benchmark is there, whose options and record then count."""

    @pytest.fixture
    def argo_pair(self, request: pytest.FixtureRequest, benchmark: Any) -> Pair:
        """Measures two functions in turn: ``argo_pair(old, new, setup=example)``."""
        return Pair(request, benchmark)


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
        result = measure_pair(node.name, chosen, self._benchmark)
        self._request.config.stash[RESULTS].append(result)
        node.user_properties += result.properties()
        return result

    def _read_markers(self) -> dict[str, Any]:
        """Return the options of all markers, of which the nearest to the test win."""
        found: dict[str, Any] = {}
        for marker in self._request.node.iter_markers(MARKER):
            if marker.args:
                pytest.fail(f"the marker {MARKER} takes options by name: {', '.join(OPTIONS)}", pytrace=False)
            found = {**marker.kwargs, **found}
        return found


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the verdicts of the session as a table."""
    if not (results := config.stash[RESULTS]):
        return
    from argo_bench.integrations.pairs import summarize

    terminalreporter.section("argo-bench")
    for line in summarize(results, is_terminal=terminalreporter.isatty):
        terminalreporter.write_line(line)
