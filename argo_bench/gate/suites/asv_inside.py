"""Runs benchmarks of asv in a worker: asv-runner finds and sets them up, and our loop times them.

It uses the standard library and asv_runner alone, and relative imports: it runs in the environment of either revision.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import itertools
import json
import math
import os
import pickle
import pkgutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from ...errors import UserError
from ...harness.workers.bodies import Skipped
from ...harness.workers.counts import measure_peak_bytes
from ...harness.workers.timing import WARM_UP_NS, Arguments, FunctionBody, Timing

CHEAP_SETUP_NS = 50_000_000
"""A setup that takes longer runs once in a process, and not before every sample, unless the benchmark's number is 1."""
LONGEST_SAMPLE_NS = 30_000_000
COUNTED = {"MemBenchmark": "object bytes", "PeakMemBenchmark": "resident bytes", "TrackBenchmark": "tracked value"}
"""The kinds of asv's that are counted and not timed, by the names of asv-runner's classes, with the count's name."""
RAW = "TimerawBenchmark"


def discover(root: str) -> str:
    """Return, as a JSON text, the benchmarks that asv-runner finds in a folder, and what it cannot import there.

    A benchmark with parameters is one for each combination of them. A skipped combination has a reason.
    """
    discovery = _import_discovery()
    found: list[dict[str, Any]] = []
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        _use_root(root)
        for benchmark in discovery.disc_benchmarks(root, ignore_import_errors=True):
            found += _list_combinations(benchmark)
        broken = dict(_find_broken(importlib.import_module(Path(root).name)))
    if importlib.util.find_spec("pympler") is None:
        broken["mem_*"] = "benchmarks of the size of objects need pympler, which is not installed"
    return json.dumps({"benchmarks": found, "broken": broken})


def _import_discovery() -> Any:
    try:
        return importlib.import_module("asv_runner.discovery")
    except ImportError:
        raise UserError("asv-runner is not installed: pip install asv-runner") from None


def _list_combinations(benchmark: Any) -> Iterator[dict[str, Any]]:
    kind = type(benchmark).__name__
    about = {
        "file": str(benchmark._attr_sources[-1].__file__),
        "is_timed": kind not in COUNTED,
        "is_raw": kind == RAW,
        "limit_s": benchmark.timeout,
        "has_cache": benchmark.setup_cache_key is not None,
    }
    if not benchmark.params:
        yield {"name": benchmark.name, "id": benchmark.name, "skipped": None, **about}
        return
    for number, (shown, values) in enumerate(
        zip(itertools.product(*benchmark.params), itertools.product(*benchmark._params), strict=True)
    ):
        skipped = "skipped by skip_params" if values in [tuple(each) for each in benchmark._skip_tuples] else None
        name = f"{benchmark.name}({', '.join(map(str, shown))})"
        yield {"name": name, "id": f"{benchmark.name}-{number}", "skipped": skipped, **about}


def _find_broken(package: Any) -> Iterator[tuple[str, str]]:
    """Yield the modules of a package that cannot be imported, with the reason."""
    for _, name, _ in pkgutil.iter_modules(getattr(package, "__path__", ()), f"{package.__name__}."):
        try:
            module = importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001 - a module may raise anything, SystemExit too
            yield name, f"{type(error).__name__}: {error}"
        else:
            yield from _find_broken(module)


def _use_root(root: str) -> None:
    """Have the folder of a suite found by its name alone, before any other package of that name."""
    finding = importlib.import_module("asv_runner._aux")
    name = Path(root).name
    known = sys.modules.get(name)
    if known is not None and root not in map(os.path.abspath, getattr(known, "__path__", ())):
        raise UserError(f"{root} has the name of another package that is loaded: one of them has to be renamed")
    if not any(isinstance(each, finding.SpecificImporter) and each._name == name for each in sys.meta_path):
        finding.update_sys_path(root)


def make_body(function: str, suite: Mapping[str, str]) -> FunctionBody:
    """Build the body of the benchmark that asv-runner knows by the name ``function``; "" stands for finding them all.

    Raises Skipped for one that its setup leaves out, UserError for one that does not exist or cannot be imported.
    """
    root = suite["root"]
    discovery = _import_discovery()
    if not function:
        discover(root)
        return FunctionBody(lambda: None)
    _use_root(root)
    try:
        benchmark = discovery.get_benchmark_from_name(root, function)
    except (ImportError, ValueError) as error:
        raise UserError(f"asv-runner cannot load {function} ({type(error).__name__}: {error})") from None
    kind = type(benchmark).__name__
    body = AsvRawBody if kind == RAW else AsvCountedBody if kind in COUNTED else AsvBody
    return body(benchmark, Path(suite["folder"]))


class AsvBody(FunctionBody):
    """Calls a ``time_`` benchmark with its parameters, in a folder of its own as asv does.

    What it needs is set up again before every call where its ``number`` is 1, otherwise before every sample.
    """

    def __init__(self, benchmark: Any, folder: Path) -> None:
        self.benchmark = benchmark
        self._folder = folder
        self._is_set_up = self._is_unused = self._is_at_home = False
        self._setup_ns = 0
        with self._at_home():
            self._fill_cache()
        super().__init__(benchmark.func)

    @contextmanager
    def _at_home(self) -> Iterator[None]:
        """Work in the folder in which asv-runner would, with what is printed left out."""
        if self._is_at_home:
            yield
            return
        key = str(self.benchmark.setup_cache_key)
        home = self._folder / hashlib.sha256(key.encode()).hexdigest()[:16]
        home.mkdir(parents=True, exist_ok=True)
        before, tempfile.tempdir = os.getcwd(), str(home)
        os.chdir(home)
        self._is_at_home = True
        try:
            with open(os.devnull, "w", encoding="utf-8") as nothing, redirect_stdout(nothing):
                yield
        finally:
            self._is_at_home = False
            os.chdir(before)

    def _fill_cache(self) -> None:
        """Take what setup_cache returns from the file in which the first process of this revision has put it."""
        if self.benchmark.setup_cache_key is None:
            return
        file = Path("argo-bench-cache.pickle")
        if not file.is_file():
            unfinished = file.with_suffix(f".{os.getpid()}")
            unfinished.write_bytes(pickle.dumps(self.benchmark.do_setup_cache()))
            unfinished.replace(file)
        self.benchmark.set_cache(pickle.loads(file.read_bytes()))

    def make_arguments(self) -> Arguments:
        with self._at_home():
            began = perf_counter_ns()
            if self.benchmark.do_setup():
                raise Skipped("skipped by its setup, which raises NotImplementedError, or by skip_params")
            self._setup_ns = perf_counter_ns() - began
        self._is_set_up = self._is_unused = True
        arguments: Arguments = self.benchmark._build_params()
        return arguments

    def next_arguments(self) -> Arguments:
        is_due = self._is_fresh_each or self._setup_ns < CHEAP_SETUP_NS
        if is_due and not self._is_unused:
            self._tear_down()
            self._kept = self.make_arguments()
        self._is_unused = False
        assert self._kept is not None
        return self._kept

    @property
    def _is_fresh_each(self) -> bool:
        """Whether every call needs a setup of its own."""
        return bool(self.benchmark._setups) and getattr(self.benchmark, "number", 0) == 1

    def sample(self, passes: int) -> Timing:
        if not self._is_fresh_each:
            return super().sample(passes)
        with self._at_home():
            taken = [FunctionBody.time_calls(self, [self.next_arguments()], 1) for _ in range(passes)]
        return Timing(sum(each.wall_ns for each in taken), sum(each.cpu_ns for each in taken))

    def warm_up(self, least_ns: int = WARM_UP_NS) -> int:
        """Warm up as any function does.

        Where every call has a setup, a sample takes LONGEST_SAMPLE_NS at the most with all of them.
        """
        passes = super().warm_up(least_ns)
        if not self._is_fresh_each:
            return passes
        began = perf_counter_ns()
        self.sample(1)
        return max(1, min(passes, LONGEST_SAMPLE_NS // (perf_counter_ns() - began)))

    def first_call(self) -> None:
        """Make a call. What it returns is no output: asv drops it."""
        super().first_call()

    def time_calls(self, prepared: Sequence[Arguments], passes: int, kept: list[Any] | None = None) -> Timing:
        with self._at_home():
            return super().time_calls(prepared, passes, kept)

    def _tear_down(self) -> None:
        if self._is_set_up:
            self._is_set_up = False
            with self._at_home():
                self.benchmark.do_teardown()

    def close(self) -> None:
        self._tear_down()
        super().close()


class AsvRawBody(AsvBody):
    """Runs the code that a ``timeraw_`` benchmark returns, each time in a process whose own timer's value counts."""

    def time_calls(self, prepared: Sequence[Arguments], passes: int, kept: list[Any] | None = None) -> Timing:
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        try:
            with self._at_home():
                timer = self.benchmark._get_timer(*prepared[0])
                calls = passes * len(prepared)
                seconds = math.fsum(timer.timeit(self.benchmark.number) for _ in range(calls))
        finally:
            if before is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = before
        if kept is not None:
            kept.append(None)
        taken = max(1, round(1e9 * seconds))
        return Timing(taken, taken)

    def warm_up(self, least_ns: int = WARM_UP_NS) -> int:
        """Return one pass a sample: nothing of a process is warm for the next one."""
        return 1


class AsvCountedBody(AsvBody):
    """Counts what a ``mem_``, ``peakmem_`` or ``track_`` benchmark counts."""

    def take_own_counts(self) -> dict[str, float]:
        """Return the value as asv-runner determines it, by the name of the count."""
        self.next_arguments()
        kind = type(self.benchmark).__name__
        with self._at_home():
            value = self.benchmark.do_run()
        if isinstance(value, bool) or not hasattr(value, "__float__"):
            raise UserError(f"{self.benchmark.name} gives {value!r}: expected a number")
        number = float(value)
        if not 0 <= number < math.inf:
            raise UserError(f"{self.benchmark.name} gives {number}: expected a number of 0 or more")
        counts: dict[str, float] = {COUNTED[kind]: int(number) if number.is_integer() else number}
        if kind == "PeakMemBenchmark":
            counts["peak bytes"] = measure_peak_bytes(self)
        return counts
