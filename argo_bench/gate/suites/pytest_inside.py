"""Runs tests of pytest-benchmark in a worker: in a thread of pytest's, in which our loop times what they hand over.

It uses the standard library and pytest alone, and relative imports: it runs in the environment of either revision.
"""

from __future__ import annotations

import functools
import importlib
import io
import json
import queue
import re
import sys
import sysconfig
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from ...errors import UserError
from ...harness.workers.bodies import Skipped
from ...harness.workers.timing import WARM_UP_NS, Arguments, FunctionBody, Timing

BLOCKED = ("benchmark", "codspeed", "xdist", "cov", "cacheprovider", "faulthandler")
"""Plug-ins that would time tests themselves, run them in other processes, or count lines while they are timed."""
IGNORED = ("-W", "ignore::pytest.PytestConfigWarning")
"""A project may make errors of warnings, and have settings of plug-ins that are blocked."""
OPTIONS = ("-o", "addopts=", "--capture=no", "-q", *IGNORED, *(f"-pno:{name}" for name in BLOCKED))
"""The project's own options are left out, since they may be those of plug-ins that are blocked."""
MORE_FILES = ("bench_*.py", "*_bench.py", "benchmark_*.py")
FOR_TESTS = re.compile(r"conftest|_?(tests?|bench\w*|perf\w*)", re.IGNORECASE)
UNDERSTOOD = (0, 1, 2, 5)
"""Of pytest's exit codes these say that tests passed, failed, could not be collected, or that there are none."""
LONGEST_SAMPLE_NS = 30_000_000


def discover(root: str, is_installed: str = "") -> str:
    """Return, as a JSON text, the tests below a folder that use ``benchmark``, and what cannot be collected there."""
    collector = _Collector()
    problem = _run_pytest(["--collect-only", root], root, collector, bool(is_installed))
    if problem is not None and not collector.found:
        collector.broken["pytest"] = problem
    return json.dumps({"benchmarks": collector.found, "broken": collector.broken})


def _run_pytest(arguments: Sequence[str], root: str, plugin: object, is_installed: bool) -> str | None:
    """Run pytest in this process; return what it said last where it could not run as it was told, or None."""
    try:
        pytest = importlib.import_module("pytest")
    except ImportError:
        raise UserError("pytest is not installed: pip install pytest") from None
    if is_installed:
        _prefer_installed()
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = int(pytest.main([*OPTIONS, "--rootdir", root, *arguments], plugins=[plugin]))
    lines = [line for line in said.getvalue().splitlines() if line.strip()]
    return None if code in UNDERSTOOD else f"pytest ends with exit status {code}: {' / '.join(lines[-3:])}"


class _InstalledFirst:
    """Finds modules where a project is installed, although pytest puts the folders of its sources first."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if path is not None or FOR_TESTS.fullmatch(name):
            return None
        found = PathFinder.find_spec(name, [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
        return found if found is not None and found.loader is not None else None


def _prefer_installed() -> None:
    if not any(isinstance(each, _InstalledFirst) for each in sys.meta_path):
        sys.meta_path.insert(0, _InstalledFirst())


class _Plugin:
    """Stands in for pytest-benchmark, whose hooks and marker a project may use."""

    def pytest_addhooks(self, pluginmanager: Any) -> None:
        with suppress(ImportError):
            pluginmanager.add_hookspecs(importlib.import_module("pytest_benchmark.hookspec"))

    def pytest_configure(self, config: Any) -> None:
        config.addinivalue_line("markers", "benchmark: options of pytest-benchmark")
        config.getini("python_files").extend(MORE_FILES)


class _Collector(_Plugin):
    """Notes which tests use ``benchmark``; files that do not have the word are not read."""

    def __init__(self) -> None:
        self.found: list[dict[str, str]] = []
        self.broken: dict[str, str] = {}

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        if collection_path.suffix != ".py" or collection_path.name in ("conftest.py", "__init__.py"):
            return None
        text = collection_path.read_text(encoding="utf-8", errors="replace")
        return None if "benchmark" in text else True

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.broken[report.nodeid] = _find_last_line(report.longrepr)

    def pytest_collection_finish(self, session: Any) -> None:
        for item in session.items:
            if "benchmark" in getattr(item, "fixturenames", ()):
                self.found.append({"name": item.nodeid, "file": str(item.path)})


def _find_last_line(report: Any) -> str:
    """Return what a report says of an error: its message, or its last line."""
    crash = getattr(report, "reprcrash", None)
    if crash is not None:
        return str(crash.message).strip().splitlines()[0]
    lines = [line.removeprefix("E").strip() for line in str(report).splitlines() if line.strip()]
    return lines[-1] if lines else "it fails"


class _Rounds(FunctionBody):
    """Calls what a test hands over; with a setup or teardown of its own, before and after every call."""

    def __init__(
        self,
        target: Callable[..., Any],
        arguments: Arguments,
        setup: Callable[[], Arguments] | None = None,
        teardown: Callable[..., Any] | None = None,
        is_once: bool = False,
    ) -> None:
        self._own_arguments, self._own_setup, self._teardown = arguments, setup, teardown
        self._open: Arguments | None = None
        self.is_once = is_once
        self.handed_over = Timing(0, 0)
        super().__init__(target, None, fresh=setup is not None or teardown is not None)

    def make_arguments(self) -> Arguments:
        return self._own_arguments if self._own_setup is None else self._own_setup()

    def next_arguments(self) -> Arguments:
        self.tear_down()
        self._open = super().next_arguments()
        return self._open

    def tear_down(self) -> None:
        if self._open is not None and self._teardown is not None:
            self._teardown(*self._open)
        self._open = None

    def sample(self, passes: int) -> Timing:
        if not self.is_fresh:
            return super().sample(passes)
        taken = [self.time_calls([self.next_arguments()], 1) for _ in range(passes)]
        return Timing(sum(each.wall_ns for each in taken), sum(each.cpu_ns for each in taken))

    def warm_up(self, least_ns: int = WARM_UP_NS) -> int:
        passes = super().warm_up(least_ns)
        if not self.is_fresh:
            return passes
        began = perf_counter_ns()
        self.sample(1)
        return max(1, min(passes, LONGEST_SAMPLE_NS // (perf_counter_ns() - began)))


class _Stats(dict[str, float]):
    """Gives a test that asks for its statistics the time of one call, as every statistic."""

    def __init__(self, seconds: float) -> None:
        names = ("min", "max", "mean", "median", "total", "q1", "q3")
        super().__init__({**dict.fromkeys(names, seconds), "stddev": 0.0, "iqr": 0.0, "rounds": 1, "iterations": 1})
        self.stats = self

    def __getattr__(self, name: str) -> float:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class _Benchmark:
    """Is what a test gets as ``benchmark``: it hands the test's function over and returns what it returns."""

    def __init__(self, session: _Session, node: Any) -> None:
        self._session = session
        self._is_used = False
        callspec = getattr(node, "callspec", None)
        self.name, self.fullname, self.group = node.name, node.nodeid, None
        self.params = dict(callspec.params) if callspec is not None else None
        self.param = callspec.id if callspec is not None else None
        self.extra_info: dict[str, Any] = {}
        self.enabled, self.disabled, self.stats = True, False, _Stats(0.0)

    def __call__(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return self._hand_over(_Rounds(functools.partial(function, **named) if named else function, arguments))

    def pedantic(
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        rounds: int = 1,
        warmup_rounds: int = 0,
        iterations: int = 1,
    ) -> Any:
        """Hand a function over that a test sets up itself: one round of one iteration is called once in a test."""
        named = dict(kwargs or {})
        if setup is None and teardown is None:
            once = rounds * iterations + warmup_rounds <= 1
            called = functools.partial(target, **named) if named else target
            return self._hand_over(_Rounds(called, tuple(args), is_once=once))

        def make_arguments() -> Arguments:
            made = setup() if setup is not None else None
            return (tuple(args), named) if made is None else (tuple(made[0]), dict(made[1]))

        def end(positional: Sequence[Any], by_name: Mapping[str, Any]) -> None:
            if teardown is not None:
                teardown(*positional, **by_name)

        return self._hand_over(_Rounds(lambda one, two: target(*one, **two), (), make_arguments, end))

    def _hand_over(self, body: _Rounds) -> Any:
        if self._is_used:
            raise RuntimeError("the benchmark fixture is used twice in one test: pytest-benchmark refuses that too")
        self._is_used = True
        result, body.handed_over = body.take_result(body.next_arguments())
        self.stats = _Stats(body.handed_over.wall_ns / 1e9)
        self._session.serve(body)
        body.tear_down()
        return result


class _Session(_Plugin):
    """Runs one test in a thread up to the call of ``benchmark``, and makes calls there until it is told to end."""

    live: _Session | None = None
    """Only one test is open at a time in a process: pytest is not made for more."""

    def __init__(self, node: str, suite: Mapping[str, Any]) -> None:
        if _Session.live is not None:
            _Session.live.stop()
        _Session.live = self
        self.failed: str | None = None
        self.skipped: str | None = None
        self._jobs: queue.SimpleQueue[Callable[[_Rounds], Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        root = str(suite["root"])
        command = [f"{root}/{node}"], root, self, bool(suite["is_installed"])
        self._thread = threading.Thread(target=self._run, args=command, daemon=True)
        self._thread.start()
        self.is_open = self._answers.get()[0] == "open"
        if not self.is_open:
            self._thread.join()
            self._raise_for(node)
            raise UserError(f"{node} does not call its benchmark")

    def _run(self, *command: Any) -> None:
        try:
            problem = _run_pytest(*command)
            self.failed = self.failed or problem
        except BaseException as error:  # noqa: BLE001 - a plug-in may raise anything; the worker says it
            self.failed = f"{type(error).__name__}: {error}"
        self._answers.put(("ended", None))

    def fixture(self, request: Any) -> _Benchmark:
        return _Benchmark(self, request.node)

    def pytest_configure(self, config: Any) -> None:
        super().pytest_configure(config)
        pytest = importlib.import_module("pytest")
        session = self

        class Fixtures:
            @pytest.fixture  # type: ignore[untyped-decorator]
            def benchmark(self, request: Any) -> _Benchmark:
                return session.fixture(request)

        config.pluginmanager.register(Fixtures(), "argo-bench-fixtures")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and self.failed is None:
            self.failed = _find_last_line(report.longrepr)
        elif report.skipped and self.skipped is None:
            longrepr = report.longrepr
            self.skipped = str(longrepr[2]) if isinstance(longrepr, tuple) else _find_last_line(longrepr)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and self.failed is None:
            self.failed = _find_last_line(report.longrepr)

    def serve(self, body: _Rounds) -> None:
        """Make the calls that are asked for, in the thread of the test."""
        self._answers.put(("open", None))
        while (job := self._jobs.get()) is not None:
            try:
                self._answers.put(("returned", job(body)))
            except Exception as error:  # noqa: BLE001 - a test may raise anything; it is raised where it was asked
                self._answers.put(("raised", error))

    def ask(self, job: Callable[[_Rounds], Any]) -> Any:
        self._jobs.put(job)
        kind, value = self._answers.get()
        if kind == "raised":
            raise value
        return value

    def stop(self) -> None:
        """Let the test go on to its end, where it may check what it got."""
        if self.is_open:
            self.is_open = False
            self._jobs.put(None)
            self._thread.join()
        if _Session.live is self:
            _Session.live = None

    def _raise_for(self, node: str) -> None:
        if self.failed is not None:
            raise RuntimeError(f"{node} fails: {self.failed}")
        if self.skipped is not None:
            raise Skipped(f"skipped by its test: {self.skipped}")

    def end(self, node: str) -> None:
        self.stop()
        self._raise_for(node)


def make_body(function: str, suite: Mapping[str, Any]) -> FunctionBody:
    """Build the body of a test by its node id; "" stands for collecting them all."""
    if not function:
        discover(suite["root"])
        return FunctionBody(lambda: None)
    return PytestBody(function, suite)


class PytestBody(FunctionBody):
    """Times what a test hands to ``benchmark``, in the thread of the test; a test that calls it once is begun anew."""

    def __init__(self, node: str, suite: Mapping[str, Any]) -> None:
        super().__init__(lambda: None)
        self._node, self._suite = node, suite
        self._session = _Session(node, suite)
        self._is_once = bool(self.inside(lambda body: body.is_once))

    def inside(self, job: Callable[[_Rounds], Any]) -> Any:
        """Return what a job returns that gets the body of the test, in the thread of the test."""
        if not self._session.is_open:
            self._session = _Session(self._node, self._suite)
        return self._session.ask(job)

    def first_call(self) -> None:
        """Make a call. What it returns is no output: the test checks it."""
        if not self._is_once:
            self.inside(lambda body: body.first_call())

    def prepare_calls(self) -> list[Arguments]:
        return []

    def time_calls(self, prepared: Sequence[Arguments], passes: int, kept: list[Any] | None = None) -> Timing:
        return self.sample(passes)

    def sample(self, passes: int) -> Timing:
        if not self._is_once:
            return Timing(*self.inside(lambda body: body.sample(passes)))
        taken = []
        for _ in range(passes):
            self._session.end(self._node)
            taken.append(Timing(*self.inside(lambda body: body.handed_over)))
        return Timing(sum(each.wall_ns for each in taken), sum(each.cpu_ns for each in taken))

    def warm_up(self, least_ns: int = WARM_UP_NS) -> int:
        return 1 if self._is_once else int(self.inside(lambda body: body.warm_up(least_ns)))

    def close(self) -> None:
        if self._session.is_open:
            self._session.end(self._node)
        super().close()
