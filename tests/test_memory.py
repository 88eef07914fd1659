"""Are allocators with known peaks measured as they are, and does a reading say how it was taken?"""

import json
import os
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from argo_bench.cli.main import cli
from argo_bench.errors import UserError
from argo_bench.extras import Requirement
from argo_bench.harness import memory
from argo_bench.harness.compare import Found, compare
from argo_bench.harness.machine.environment import worker_cpu
from argo_bench.harness.memory import Forks, Request, find_disagreement, take_reading, take_readings
from argo_bench.harness.plan import DEFAULT, QUICK, hash_seed_of_memory
from argo_bench.harness.record.records import Memory, Reading
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.record.verify import verify
from argo_bench.harness.workers import children
from argo_bench.harness.workers import memory as memory_pass
from argo_bench.harness.workers.children import Children
from argo_bench.harness.workers.memory import RESOLUTION
from argo_bench.harness.workers.messages import Arm, UserFunction, function_arm
from argo_bench.harness.workers.processes import ArmFailed, job_command
from argo_bench.harness.workers.timing import FunctionBody
from argo_bench.optimizations import catalogue
from argo_bench.study.recording import record
from argo_bench.study.report.line_memory import Line, LineRequest, Lines, Profiled, find_functions, is_compiled, render
from argo_bench.study.subject import stage_arm
from tests.allocators import ALLOCATORS, FURTHER, HELD, MIB, Allocator
from tests.endings import await_end, await_true, begin, finish

ROOT = str(Path(__file__).parents[1])
KNOWN = {each.name: each for each in ALLOCATORS}
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a high-water mark that can be set back")


def arm(name: str, setup: str = "") -> Arm:
    function = UserFunction(f"tests.allocators:{name}", setup and f"tests.allocators:{setup}")
    return function_arm("candidate", function, (ROOT,))


def arm_of(allocator: Allocator) -> Arm:
    return arm(allocator.name, allocator.setup)


def reading(method="peak_rss", peak=None, **more) -> Reading:
    return Reading(method, "as told", True, peak, **more)


# Readings of known allocators


@linux
@pytest.mark.parametrize("allocator", ALLOCATORS, ids=lambda each: each.name)
def test_the_peak_of_resident_memory_is_the_one_that_the_allocator_has(allocator):
    got = take_reading(arm_of(allocator), "peak_rss")
    assert got.exact
    assert got.how == "VmHWM reset"
    assert got.peak_bytes == pytest.approx(allocator.peak_bytes, rel=0.02, abs=RESOLUTION)


@pytest.mark.parametrize(
    "name", ["numpy_transient", pytest.param("numba_block", marks=pytest.mark.slow), "arrow_table", "float32_copy"]
)
def test_the_traced_peak_has_numpy_numba_and_arrow_in_it(name):
    got = take_reading(arm_of(KNOWN[name]), "traced")
    assert got.peak_bytes == pytest.approx(KNOWN[name].peak_bytes, rel=0.001)


@pytest.mark.parametrize(
    ("name", "live"),
    [
        ("numpy_block", 0),
        ("numpy_transient", 16 * MIB),
        ("arrow_table", 24 * MIB),
        ("largest_in_a_row", 6 * MIB),
    ],
)
def test_live_bytes_are_what_the_results_hold(name, live):
    got = take_reading(arm_of(KNOWN[name]), "traced")
    assert got.live_bytes == pytest.approx(live, rel=0.001, abs=4096)


def test_allocations_are_counted_exactly():
    few, again, more = (
        take_reading(arm(name), "allocations") for name in ("ten_blocks", "ten_blocks", "thirty_blocks")
    )
    assert few == again
    assert more.allocations - few.allocations == 20
    assert more.peak_bytes - few.peak_bytes == pytest.approx(20 * MIB, rel=0.001)


def test_the_harness_is_not_in_the_count():
    """Python may keep a note on a function that is called under a tracer for the first time."""
    assert abs(take_reading(arm("nothing"), "allocations").allocations) <= 2


@linux
@pytest.mark.parametrize(
    ("name", "children"), [("in_a_copy", 1), ("in_two_copies", 1), ("in_a_pool", 2), ("in_a_new_process", 1)]
)
def test_the_peaks_of_children_that_are_there_at_once_count(name, children, forks):
    """A new interpreter has some MiB of its own; a copy shares what it had in common with this process."""
    for got in (take_reading(arm(name), "peak_rss"), forks.ask(Request(arm(name), "peak_rss"))):
        assert 0.9 * HELD < got.peak_bytes < HELD + 30 * MIB
        assert (got.children, got.exact) == (children, False)
        assert 0.9 * HELD < got.children_bytes <= got.peak_bytes
        assert "children seen every 1 ms" in got.how


@linux
def test_a_child_that_is_small_beside_its_parent_is_not_said_to_have_what_the_parent_has(forks):
    """``getrusage`` says so of a child that runs another program."""
    got = forks.ask(Request(arm("small_process_of_a_large_one", "large_block"), "peak_rss"))
    assert MIB < got.children_bytes < 30 * MIB


@linux
def test_memory_of_another_process_is_not_billed(forks):
    """Of workers that are there before the call only what they need more during it counts."""
    got = forks.ask(Request(arm("first_of_pool", "idle_pool"), "peak_rss"))
    assert got.peak_bytes < 8 * MIB


@linux
@pytest.mark.parametrize(("name", "spare"), [("table_kept", 1), ("cache_that_grows", 2), ("pool_kept", 12)])
def test_what_the_first_call_keeps_counts(name, spare, forks):
    """A worker that is kept has pages of its own beside its data."""
    peak = forks.ask(Request(arm(name), "peak_rss"))
    assert 0.9 * 24 * MIB < peak.kept_bytes < (24 + spare) * MIB
    assert peak.kept_bytes <= peak.peak_bytes < peak.kept_bytes + 2 * MIB


@linux
@pytest.mark.parametrize("name", ["table_kept", "cache_that_grows"])
def test_what_the_first_call_keeps_is_traced_too_and_counts_as_live(name, forks):
    traced = forks.ask(Request(arm(name), "traced"))
    assert traced.kept_bytes == pytest.approx(24 * MIB, rel=0.01)
    assert traced.live_bytes == pytest.approx(24 * MIB, rel=0.01)


@linux
@pytest.mark.parametrize("name", ["numpy_block", "arrow_strings", "table_made"])
def test_modules_that_a_first_call_imports_are_not_kept_by_it(name, forks):
    asked = arm_of(next(each for each in (*ALLOCATORS, *FURTHER) if each.name == name))
    assert forks.ask(Request(asked, "peak_rss")).kept_bytes == 0


@linux
def test_what_is_kept_is_not_known_of_a_call_that_compiles(forks):
    assert forks.ask(Request(arm("numba_block"), "peak_rss")).kept_bytes is None


@linux
@pytest.mark.parametrize(
    ("name", "method", "says"),
    [
        ("in_a_process_that_goes_on", "peak_rss", "one that goes on"),
        ("in_a_copy", "traced", 'measure metric="peak_rss"'),
    ],
)
def test_children_whose_memory_cannot_be_counted_are_refused(name, method, says):
    with pytest.raises(ArmFailed, match=says):
        take_reading(arm(name), method)


class Sightless:
    """A watcher that sees nothing, as the real one may where a child is there for less than a look."""

    def end(self) -> list[tuple[int, int]]:
        return []


@linux
def test_children_too_short_to_be_seen_are_not_refused_where_they_are_watched(monkeypatch):
    monkeypatch.setattr(children, "Watcher", Sightless)
    heard = Children()
    subprocess.run(["true"], check=True)
    heard.begin_pass()
    for _ in range(2):
        subprocess.run(["true"], check=True)
    assert heard.begun == 2
    assert heard.end_pass().children == 1
    heard._is_hearing = False


@linux
def test_several_children_that_nobody_watched_are_refused():
    heard = Children()
    heard._there = heard._known = children.list_children()
    for _ in range(2):
        subprocess.run(["true"], check=True)
    with pytest.raises(UserError, match="it holds memory in 2 child processes"):
        heard.end_pass()
    heard._is_hearing = False


@linux
def test_a_child_of_which_python_tells_twice_is_counted_once():
    """A Popen that need not close files tells of itself, and of the ``posix_spawn`` that it uses."""
    heard, told = Children(), []
    sys.addaudithook(lambda event, _: told.append(event) if event == "os.posix_spawn" else None)
    subprocess.run([sys.executable, "-S", "-c", ""], check=True, close_fds=False)
    assert (told, heard.begun) == (["os.posix_spawn"], 1)
    os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", ""], os.environ), 0)
    assert heard.begun == 2
    heard._is_hearing = False


@linux
def test_the_watcher_ends_with_the_process_that_it_serves_even_if_its_stdin_stays_open():
    served = subprocess.Popen(["sleep", "100"])
    command = [*job_command("children"), str(served.pid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter, starter.stdin:
        assert starter.stdout.readline() == b"ready\n"
        end = begin(starter.stdout.read)
        served.kill()
        assert end() == b"[]\n"
    served.wait()


@pytest.mark.parametrize("method", ["polled_rss", "memory_profiler", "ru_maxrss"])
def test_a_cross_check_names_its_means_and_is_not_called_exact(method):
    got = take_reading(arm("bytes_for_200_ms"), method)
    assert not got.exact
    assert got.baseline_bytes > MIB
    assert got.peak_bytes > 0
    assert {"polled_rss": "1 ms", "memory_profiler": "100 ms", "ru_maxrss": "getrusage"}[method] in got.how


def test_a_stage_of_the_pipeline_is_measured_with_its_recorded_inputs(small_universe, tmp_path):
    optimization = catalogue()["O06"]
    workload = optimization.workloads[0]
    inputs = tmp_path / "inputs.pickle"
    inputs.write_bytes(pickle.dumps(record(workload, small_universe, 6, seed=1)))
    stage = stage_arm("O06", (workload.name, 6), "engineered", inputs)
    peaks, (traced,) = take_readings(stage, ["peak_rss"], 1, tmp_path), take_readings(stage, ["traced"], 1, tmp_path)
    assert [(each.method, each.hash_seed) for each in peaks] == [("peak_rss", 1)]
    assert 0 < traced.live_bytes <= traced.peak_bytes + RESOLUTION


# What users' functions are said to take


@pytest.fixture
def fewer_replicates(monkeypatch):
    """Times are no part of a claim about memory: two replicates are enough."""
    monkeypatch.setattr("argo_bench.harness.compare.QUICK", replace(QUICK, looks=(2,)))


def compare_memory(baseline: str, candidate: str, metric="peak_rss", **more) -> Found:
    names = (f"tests.allocators:{name}" for name in (baseline, candidate))
    return compare(*names, metric=metric, check=None, quick=True, **more)


@linux
@pytest.mark.parametrize(
    ("baseline", "candidate", "verdict", "says"),
    [
        pytest.param(
            *("table_made", "table_kept", "fell short or worse", "table_kept: 24 MiB of it kept from its first call"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("here", "in_a_copy", "fell short or worse", "in_a_copy: [0-9.]+ MiB of it in 1 child process$"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("here", "numpy_block", "confirmed", r"2.5x \[2.4[0-9]*, 2.5[0-9]*\] lighter in memory than here$"),
            marks=pytest.mark.slow,
        ),
        ("one_mib", "nothing", "exceeded", "lighter in memory than one_mib; by traced peaks, since resident memory is"),
        pytest.param(
            *("three_mib_of_c", "nothing", "inconclusive", "the workload is too small: .*; tracing does not see it$"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("nothing", "ten_blocks", "inconclusive"),
            "both take less than [0-9.]+ [KM]iB, which cannot be told from nothing",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_users_claim_about_memory_is_right_or_says_why_not(baseline, candidate, verdict, says, fewer_replicates):
    found = compare_memory(baseline, candidate, claim="40-65% less memory")
    assert found.verdict == verdict
    assert re.search(says, found.judgement.sentence)
    memories = found.recorded.all(Memory)
    assert [[r.hash_seed for r in each.readings if r.method == "peak_rss"] for each in memories] == [
        [hash_seed_of_memory(1, number) for number in range(6)]
    ] * 2
    assert verify(found.recorded) == []


@pytest.mark.slow
@linux
def test_a_metric_that_is_exact_to_the_byte_says_so(fewer_replicates):
    found = compare_memory("numpy_block", "machine_array", "traced_peak")
    assert found.verdict == "no difference"
    assert "1x (the same to three digits under 6 hash seeds" in found.judgement.sentence


@pytest.mark.slow
@linux
def test_an_open_verdict_is_read_under_more_hash_seeds_while_there_is_time(monkeypatch):
    monkeypatch.setattr("argo_bench.harness.compare.DEFAULT", replace(DEFAULT, looks=(2,)))
    names = "tests.allocators:here", "tests.allocators:here_again"
    found = compare(*names, metric="peak_rss", check=None, budget_s=1000.0)
    assert [len(each.readings) for each in found.recorded.all(Memory)] == [16, 16]
    monkeypatch.setattr("argo_bench.harness.passes.memory.MOST_OF_WHAT_IS_LEFT", 0.0)
    hasty = compare(*names, metric="peak_rss", check=None)
    assert [len(each.readings) for each in hasty.recorded.all(Memory)] == [6, 6]
    assert found.judgement.level == pytest.approx(0.9958, abs=1e-4)
    assert verify(found.recorded) == []


@pytest.mark.slow
@linux
def test_readings_under_other_hash_seeds_than_those_of_the_run_are_found_out(fewer_replicates):
    recorded = compare_memory("here", "numpy_block").recorded
    for change in (lambda taken: taken[::-1], lambda taken: [*taken[:2], *taken[3:]]):
        changed = [
            msgspec.structs.replace(each, readings=change(each.readings)) if isinstance(each, Memory) else each
            for each in recorded.records
        ]
        said = [str(each) for each in verify(Recorded(recorded.directory, changed))]
        assert sum("are not the first ones of the run's seed" in each for each in said) == 2


OF_EACH_KIND = ("numpy_block", "numba_block", "arrow_table", "pandas_strings")


@linux
@pytest.mark.parametrize(
    "allocator",
    [
        pytest.param(each, marks=pytest.mark.slow if each.name in OF_EACH_KIND else pytest.mark.study, id=each.name)
        for each in (*ALLOCATORS, *FURTHER)
    ],
)
def test_every_allocator_is_compared_as_it_is(allocator, fewer_replicates):
    """The truth lies within the bounds, but for two per cent of what interpreters and libraries need beside."""
    if allocator.name.startswith("polars"):
        pytest.importorskip("polars")
    setup = allocator.setup and f"tests.allocators:{allocator.setup}"
    speedup = compare_memory("here", allocator.name, setup=setup or None).speedup
    least = HELD / (allocator.peak_bytes + allocator.spare_bytes + RESOLUTION)
    assert speedup.low <= 1.02 * HELD / max(1, allocator.peak_bytes)
    assert speedup.high >= 0.98 * least
    assert speedup.low > 0.9 * least


# The child


def test_the_child_imports_nothing_that_the_arm_does_not_need():
    assert take_reading(arm("light"), "peak_rss").peak_bytes <= RESOLUTION


def test_the_module_of_the_child_loads_no_numerical_package_and_no_profiler():
    """Nor any library at all: it answers where there is none, and leaves alone those that are there."""
    request = {
        "arm": msgspec.to_builtins(function_arm("candidate", UserFunction("time:perf_counter"))),
        "method": "traced",
    }
    _, *job = job_command("memory")
    command = [sys.executable, "-I", "-S", *job]
    asked = json.dumps(request | {"processor": None}).encode()
    done = subprocess.run(command, input=asked, capture_output=True, check=True)
    answer = msgspec.json.decode(done.stdout, type=Reading)
    assert (answer.method, answer.exact) == ("traced", True)
    assert take_reading(arm("lightest"), "traced").method == "traced"  # which raises where one of them is loaded


def test_an_arm_that_raises_fails_with_its_message():
    with pytest.raises(ArmFailed, match=r"^ValueError: expected bars, got None$") as caught:
        take_reading(arm("raises"), "peak_rss")
    assert "in raises" in caught.value.details


def test_a_name_that_leads_nowhere_fails_in_one_sentence():
    with pytest.raises(ArmFailed, match=r"^tests.allocators has no 'nowhere': expected"):
        take_reading(arm("nowhere"), "peak_rss")


@pytest.mark.parametrize(
    ("name", "end"), [("killed", "signal 9"), ("leaves", "exit status 3"), ("leaves_in_peace", "exit status 0")]
)
def test_an_arm_that_ends_its_process_fails_with_how_it_ended(name, end):
    with pytest.raises(ArmFailed, match=rf"^its process ended with {end}$"):
        take_reading(arm(name), "peak_rss")


@linux
@pytest.mark.parametrize("allocator", ALLOCATORS, ids=lambda each: each.name)
def test_copies_of_one_process_read_the_peak_that_the_allocator_has(allocator, forks):
    got = forks.ask(Request(arm_of(allocator), "peak_rss"))
    assert got.peak_bytes == pytest.approx(allocator.peak_bytes, rel=0.02, abs=RESOLUTION)


@pytest.fixture(scope="module")
def forks(tmp_path_factory):
    with Forks(1, tmp_path_factory.mktemp("numba")) as started:
        yield started


@linux
def test_copies_of_one_process_read_what_fresh_ones_read_and_end_alone(tmp_path):
    with Forks(1, tmp_path) as forks:
        asked = [Request(arm_of(KNOWN[name]), "traced") for name in ("numpy_transient", "arrow_table")]
        peaks = [forks.ask(each).peak_bytes for each in asked]
        with pytest.raises(ArmFailed, match=r"^its process ended with signal 9$"):
            forks.ask(Request(arm("killed"), "traced"))
        with pytest.raises(ArmFailed, match=r"^its process ended with exit status 0$"):
            forks.ask(Request(arm("leaves_in_peace"), "traced"))
        with pytest.raises(ArmFailed, match=r"^ValueError: expected bars, got None$"):
            forks.ask(Request(arm("raises"), "traced"))
        assert [forks.ask(each).peak_bytes for each in asked] == pytest.approx(peaks, rel=0.001)
    assert peaks == pytest.approx([KNOWN["numpy_transient"].peak_bytes, KNOWN["arrow_table"].peak_bytes], rel=0.001)


@linux
def test_a_copy_whose_children_outlive_it_has_answered_or_failed_all_the_same(tmp_path):
    forks = Forks(1, tmp_path)
    try:
        for _ in range(2):
            assert finish(lambda: forks.ask(Request(arm("executor_kept"), "peak_rss"))).method == "peak_rss"
        failed = finish(lambda: forks.ask(Request(arm("killed_beside_a_child"), "peak_rss")))
        assert str(failed) == "its process ended with signal 9"
        assert finish(lambda: forks.ask(Request(arm("nothing"), "peak_rss"))).method == "peak_rss"
    finally:
        finish(lambda: forks.__exit__(None, None, None))


@linux
def test_the_end_of_the_copied_process_is_that_of_a_reading_under_way_and_of_all_that_it_has_begun(
    tmp_path, monkeypatch
):
    file = tmp_path / "child"
    monkeypatch.setenv("CHILD", str(file))
    forks = Forks(1, tmp_path)
    reading = begin(lambda: forks.ask(Request(arm("wait_beside_a_child"), "peak_rss")))
    await_true(lambda: file.is_file() and file.read_text(encoding="ascii").endswith("\n"))
    finish(lambda: forks.__exit__(None, None, None))
    assert str(reading()) == "its process ended with signal 9"
    await_end(int(file.read_text(encoding="ascii")))


def test_where_processes_cannot_be_copied_every_reading_begins_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "elsewhere")
    with Forks(1, tmp_path) as forks:
        got = forks.ask(Request(arm_of(KNOWN["numpy_block"]), "traced"))
    assert got.peak_bytes == pytest.approx(KNOWN["numpy_block"].peak_bytes, rel=0.001)


def test_what_an_arm_prints_is_no_part_of_the_answer(capfd):
    assert take_reading(arm("prints"), "traced").method == "traced"
    assert "not JSON" in capfd.readouterr().err


@pytest.mark.parametrize(("method", "module"), [("memory_profiler", "memory_profiler"), ("allocations", "memray")])
def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch, method, module):
    assert memory.NEEDS[method].module == module
    monkeypatch.setitem(memory.NEEDS, method, Requirement("no_such_module", "memory"))
    with pytest.raises(UserError, match=r"not installed: pip install 'argo-bench\[memory\]'"):
        take_reading(arm("nothing"), method)


def test_every_free_block_of_the_allocator_is_filled():
    ready = memory_pass.Ready(FunctionBody(lambda: None))
    sizes = [sys.getsizeof(each) for each in ready._filled]
    assert max(sizes) == 512
    assert min(sizes) <= 16


# Where the mark cannot be set back


def forbid(monkeypatch, error=PermissionError):
    def refuse() -> None:
        raise error("no")

    monkeypatch.setattr(memory_pass, "reset_high_water", refuse)


@linux
def test_without_a_reset_the_reading_is_of_the_whole_child_and_says_so(monkeypatch):
    forbid(monkeypatch)
    got = msgspec.convert(memory_pass.read_peak_rss(memory_pass.Ready(FunctionBody(lambda: bytearray(MIB)))), Reading)
    assert (got.method, got.exact, got.how) == ("peak_rss", False, "VmHWM of the whole child")


@linux
def test_a_reset_that_does_nothing_is_found_out(monkeypatch):
    monkeypatch.setattr(memory_pass, "reset_high_water", lambda: None)
    monkeypatch.setattr(memory_pass, "read_resident", lambda: memory_pass.read_high_water() - 64 * MIB)
    assert not memory_pass.can_reset_high_water()


def test_without_a_mark_of_the_kernel_getrusage_is_asked(monkeypatch):
    def missing() -> int:
        raise FileNotFoundError("/proc/self/status")

    forbid(monkeypatch, FileNotFoundError)
    monkeypatch.setattr(memory_pass, "read_high_water", missing)
    got = msgspec.convert(memory_pass.read_peak_rss(memory_pass.Ready(FunctionBody(lambda: bytearray(MIB)))), Reading)
    assert (got.exact, got.how) == (False, "getrusage of the whole child")
    assert got.peak_bytes >= 0


# Repeating and comparing


@pytest.mark.parametrize(
    ("reference", "candidate", "flag"),
    [
        ({"peak_rss": 100, "traced": 100}, {"peak_rss": 40, "traced": 50}, None),
        (
            {"peak_rss": 100, "traced": 100},
            {"peak_rss": 40, "traced": 60},
            "method-dependent: +60% saved by peak_rss, +40% by traced",
        ),
        (
            {"peak_rss": 100, "traced": 100},
            {"peak_rss": 130, "traced": 60},
            "method-dependent: +40% saved by traced, -30% by peak_rss",
        ),
        ({"peak_rss": 100}, {"peak_rss": 40}, None),
        ({"peak_rss": 100, "traced": 100}, {"peak_rss": 40}, None),
        ({"peak_rss": 100, "polled_rss": 0}, {"peak_rss": 40, "polled_rss": 0}, None),
        ({}, {}, None),
    ],
)
def test_savings_more_than_15_points_apart_depend_on_the_method(reference, candidate, flag):
    arms = [[reading(method, peak * MIB) for method, peak in peaks.items()] for peaks in (reference, candidate)]
    assert find_disagreement(*arms) == flag


def test_readings_without_a_peak_say_nothing_about_it():
    counted = [reading("allocations", allocations=10), reading("peak_rss", 10 * MIB)]
    assert find_disagreement(counted, counted) is None


@given(
    st.dictionaries(st.sampled_from(["peak_rss", "traced", "polled_rss"]), st.integers(MIB, 2**34), min_size=1),
    st.floats(0.01, 3),
)
def test_a_saving_that_every_method_sees_alike_depends_on_none(peaks, share):
    before = [reading(method, peak) for method, peak in peaks.items()]
    after = [reading(method, round(peak * share)) for method, peak in peaks.items()]
    assert find_disagreement(before, after) is None


def test_of_several_runs_the_median_counts():
    outlier = [reading(peak=peak * MIB) for peak in (40, 40, 400)] + [reading("traced", 40 * MIB)]
    assert find_disagreement([reading(peak=100 * MIB), reading("traced", 100 * MIB)], outlier) is None


def test_a_reading_survives_its_record():
    told = reading(peak=1, live_bytes=2, baseline_bytes=3, allocations=4)
    assert msgspec.json.decode(msgspec.json.encode(told), type=Reading) == told


# Line by line


def test_the_lines_of_a_stage_are_measured_with_the_functions_that_it_leads_to(small_universe, tmp_path):
    workload = catalogue()["O08"].workloads[0]
    inputs = tmp_path / "inputs.pickle"
    inputs.write_bytes(pickle.dumps(record(workload, small_universe, 300, seed=1)))
    request = LineRequest(stage_arm("O08", (workload.name, 300), "baseline", inputs), worker_cpu())
    command = [sys.executable, "-m", "argo_bench.study.report.line_memory"]
    found = memory.ask_fresh_process(command, request, Lines, hash_seed=0, numba_cache=tmp_path)
    functions = {each.name: each for each in found.functions}
    assert {"five", "columns", "sma", "apply_to_windows"} <= functions.keys()
    assert [(line.code.strip(), line.times) for line in functions["five"].lines] == [
        ("bars = columns(frame)", 1),
        ("return latest(compute_published(bars, compute_shared(bars)))", 1),
    ]
    assert max(line.times for line in functions["columns"].lines) == 301
    assert all(abs(line.increment_bytes) < 64 * MIB for each in found.functions for line in each.lines)


def stage_of(identifier: str, variant: str):
    from argo_bench.pipeline import baseline

    optimization = catalogue()[identifier]
    workload = optimization.workloads[0]
    return getattr(optimization.edits(workload)[variant](baseline.PIPELINE), workload.stage)


def test_a_compiled_kernel_is_known_as_one():
    functions = find_functions(stage_of("O08", "engineered"))
    compiled = {each.__name__ for each in functions if is_compiled(each)}
    assert "latest_five" in compiled
    assert "five" in {each.__name__ for each in functions} - compiled


@pytest.mark.parametrize(
    ("variant", "names"),
    [
        ("prescribed", {"TextKeyedCache.__call__", "TextKeyedCache._key", "consensus"}),
        ("engineered", {"Memo.__call__", "votes", "consensus"}),
    ],
)
def test_a_wrapper_is_measured_with_what_it_wraps(variant, names):
    assert names <= {each.__qualname__ for each in find_functions(stage_of("O06", variant))}


def test_a_line_of_code_stays_on_its_line_and_shows_its_increment():
    lines = [
        Line(8, "    kept = []", 1, 0),
        Line(9, "    " + "x" * 100, 12345, 3 * MIB),
        Line(10, "        del kept", 1, -4096),
    ]
    console = Console(width=80, file=StringIO(), color_system=None)
    console.print(render(Profiled("stage", "argo_bench.pipeline.baseline.frame", 7, lines)))
    head, names, *shown = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert head == "stage  argo_bench/pipeline/baseline/frame.py, line 7"
    assert names.split() == ["line", "times", "KiB"]
    assert shown[0].split() == ["8", "1", "0", "kept", "=", "[]"]
    assert shown[1].startswith("     9   12,345   +3,072  xxx")
    assert (len(shown[1]), shown[1][-1]) == (80, "…")
    assert shown[2] == "    10        1       -4      del kept"


def test_lines_are_shown_of_an_optimization_only():
    raised = CliRunner().invoke(cli, ["explain", "--stage", "regime", "--memory"]).exception
    assert isinstance(raised, UserError)
    assert str(raised) == "--memory takes an optimization, got --stage 'regime': argo-bench explain O11 --memory"


def test_without_memory_profiler_the_lines_are_refused_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(memory.NEEDS, "memory_profiler", Requirement("no_such_module", "memory"))
    raised = CliRunner().invoke(cli, ["explain", "O11", "--memory"]).exception
    assert isinstance(raised, UserError)
    assert "pip install 'argo-bench[memory]'" in str(raised)
