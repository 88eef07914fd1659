"""Do a user's two functions get a verdict, a sentence and a record, and every mistake its clear message?"""

import dataclasses
import functools
import itertools
import json
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

import argo_bench
from argo_bench.comparison import Compared, compare
from argo_bench.errors import UserError
from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.block_order import draw_order
from argo_bench.harness.compare import Interrupted
from argo_bench.harness.functions import find_importable_name, resolve_function
from argo_bench.harness.labels import label, shorten_name
from argo_bench.harness.plan import QUICK
from argo_bench.harness.record.records import Block, Declared, Failure, Fidelity, Memory, Samples
from argo_bench.harness.record.store import load
from argo_bench.harness.record.verify import verify
from argo_bench.harness.table import choose_benchmarks, find_benchmarks, read_pairs
from argo_bench.harness.workers.examine import call_twice, examine
from argo_bench.harness.workers.processes import OutOfTime
from argo_bench.harness.workers.settings import read_settings
from argo_bench.harness.workers.timing import FunctionBody
from argo_bench.optimizations import FILES, catalogue, headline_claims
from argo_bench.study.job import optimizations_and_benchmarks
from tests import clocked, user_functions

ROOT = Path(__file__).parents[1]
HERE = "tests.user_functions"


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    """Two short replicates: enough for an interval."""
    tiny = dataclasses.replace(QUICK, looks=(2,), headline_s=0.02, other_s=0.02)
    monkeypatch.setattr("argo_bench.harness.compare.QUICK", tiny)
    monkeypatch.setattr("argo_bench.harness.compare.DEFAULT", dataclasses.replace(tiny, name="default"))
    monkeypatch.chdir(ROOT)


def test_two_functions_of_a_module_are_compared_in_a_process_each(tmp_path):
    functions = (user_functions.slow, user_functions.known)  # hundreds of times as fast, which no busy machine hides
    found = compare(*functions, setup=user_functions.numbers, metric="cpu", out=tmp_path)
    assert found.speedup.low <= found.speedup.point <= found.speedup.high
    assert found.verdict == "faster"
    assert re.fullmatch(r"known ran [\d.e+]+x \[[\d.e+]+, [\d.e+]+\] faster than slow", str(found))
    recorded = load(tmp_path)
    assert recorded.run.isolation == "twins"
    assert recorded.all(Declared)[0].isolation is None
    assert {each.replicate for each in recorded.all(Samples)} == {0, 1}
    assert verify(recorded) == []


def test_local_functions_are_copied_to_a_process_each(tmp_path):
    data = list(range(3_000))

    def old():
        total = 0
        for each in data:
            total += each
        return total

    found = compare(old, lambda: data[-1] * len(data) // 2, metric="cpu", claim="at least 2x", out=tmp_path)
    assert found.verdict in ("confirmed", "exceeded", "confirmed, at least low")
    assert load(tmp_path).run.isolation == "twins"
    assert verify(load(tmp_path)) == []


def test_async_functions_that_wait_are_judged_on_wall_time(tmp_path):
    found = compare(clocked.patient, clocked.hasty, setup=clocked.exact_clocks, out=tmp_path)
    assert load(tmp_path).all(Declared)[0].metric == "wall"
    assert str(found) == "hasty ran 4x [4, 4] faster than patient"


def test_a_claim_is_judged_and_its_reading_told(tmp_path):
    claim = "10-20% reduction"
    found = compare(clocked.slow, clocked.fast, setup=clocked.numbers, claim=claim, out=tmp_path)
    assert load(tmp_path).all(Declared)[0].metric == "cpu"
    assert found.speedup.point == pytest.approx(10)
    assert found.verdict == "exceeded"
    assert found.holds
    assert '"10-20% reduction": exceeded' in str(found)
    assert "reduction" in found.reading or "less" in found.reading


def test_a_function_that_does_not_end_in_time_is_not_measured_and_the_sentence_says_so(tmp_path):
    found = compare(user_functions.slow, sleep_for_ever, setup=user_functions.numbers, budget_s=0.4, out=tmp_path)
    assert found.verdict == "untested"
    assert re.search(r"s were used up, of 0.4 s that were given, and no replicate was measured; raise", str(found))
    assert verify(load(tmp_path)) == []


def sleep_for_ever(*arguments):
    time.sleep(600)


@pytest.mark.parametrize(
    ("replicates", "speedup", "verdict"), [(0, 1.0, "untested"), (3, 1.0, "untested"), (3, 9.0, "faster")]
)
def test_what_was_measured_when_time_was_used_up_is_judged(replicates, speedup, verdict, tmp_path, monkeypatch):
    """Replicates of a stub: of six that the first look needs some are taken, then the time is used up."""

    def take(state, around):
        for number in range(replicates):
            state.longest_s = 10.0
            state.keep(samples_of(state.comparisons[0], number, state.seed_of(number), speedup))
        monkeypatch.setattr(state.pace, "_began", state.pace._began - 120)
        raise OutOfTime

    six = dataclasses.replace(QUICK, looks=(6,))
    monkeypatch.setattr("argo_bench.harness.compare.QUICK", six)
    monkeypatch.setattr("argo_bench.harness.run.time_replicates", take)
    functions = (user_functions.slow, user_functions.known)
    found = compare(*functions, setup=user_functions.numbers, metric="cpu", quick=True, out=tmp_path)
    assert found.verdict == verdict
    if verdict == "untested":
        done = "no replicate was" if replicates == 0 else "3 of 6 replicates were"
        assert f"of 120 s that were given, and {done} measured" in str(found)
    assert verify(load(tmp_path)) == []


def test_a_reason_that_is_known_stands_where_the_time_is_used_up_too(tmp_path, monkeypatch):
    def take(state, around):
        state.fail(Failure(state.comparisons[0].optimization, "candidate", "untested", "it remembers its input"))
        raise OutOfTime

    monkeypatch.setattr("argo_bench.harness.run.time_replicates", take)
    found = compare(user_functions.slow, user_functions.known, setup=user_functions.numbers, out=tmp_path)
    assert str(found) == "known against slow: it remembers its input"
    assert len(load(tmp_path).all(Failure)) == 1


def samples_of(comparison, number, seed, speedup):
    """Samples that scatter by a percent from replicate to replicate."""
    times = {"A": 10_000_000 + 100_000 * number, "B": round(10_000_000 / speedup)}
    orders = [draw_order(seed, comparison, each) for each in range(4)]
    taken = [(order, tuple(times[slot] for slot in order)) for order in orders]
    blocks = [Block(order, values, values) for order, values in taken]
    return Samples(comparison, number, seed, 1, 1, blocks, None, None, None, None, 0.1)


def test_functions_that_disagree_get_no_ratio_but_the_first_difference(tmp_path):
    found = compare(user_functions.slow, user_functions.wrong, setup=user_functions.numbers, out=tmp_path)
    assert found.verdict == "void"
    assert "output" in str(found)
    assert "against" in str(found)
    with pytest.raises(UserError, match="there is no ratio"):
        _ = found.speedup
    recorded = load(tmp_path)
    assert recorded.all(Samples) == []
    assert not recorded.all(Fidelity)[0].faithful
    assert verify(recorded) == []


def test_a_function_that_raises_is_failed_with_its_message(tmp_path):
    found = compare(user_functions.slow, user_functions.broken, setup=user_functions.numbers, out=tmp_path)
    assert found.verdict == "failed"
    assert "ValueError: broken on purpose" in str(found)
    assert load(tmp_path).all(Failure)[0].kind == "failed"
    with pytest.raises(UserError, match="broken on purpose"):
        _ = found.speedup


def test_a_function_that_changes_its_input_is_found_out_and_measured_with_fresh_ones(tmp_path):
    found = compare(user_functions.pops, user_functions.pops, setup=user_functions.a_list)
    assert found.verdict == "void"
    assert "fresh" in str(found)
    again = compare(user_functions.pops, user_functions.pops, setup=user_functions.a_list, fresh=True, out=tmp_path)
    assert again.verdict in ("no difference", "inconclusive", "faster", "slower")
    assert again.speedup.point > 0


def test_a_check_of_the_users_own_decides(tmp_path):
    def close_enough(expected, got):
        return abs(expected - got) <= 1

    options = {"setup": user_functions.numbers, "quick": True}
    assert compare(user_functions.slow, user_functions.wrong, check=close_enough, **options).verdict != "void"
    assert compare(user_functions.slow, user_functions.wrong, check=None, **options).verdict != "void"
    assert compare(user_functions.slow, user_functions.wrong, check="equal", **options).verdict == "void"


def test_memory_is_judged_on_readings_of_their_own(tmp_path):
    found = compare(
        user_functions.all_at_once, user_functions.one_by_one, metric="peak_rss", claim="at least 2x", out=tmp_path
    )
    assert found.verdict in ("confirmed", "exceeded", "confirmed, at least low")
    assert "lighter in memory" in str(found)
    recorded = load(tmp_path)
    assert {each.arm for each in recorded.all(Memory)} == {"baseline", "candidate"}
    assert verify(recorded) == []


def test_the_public_name_is_the_same_function():
    assert argo_bench.compare is compare
    assert argo_bench.Benchmark is Benchmark


MISTAKES = {
    "an unreadable claim": ({"claim": "much wow"}, "much wow"),
    "an unknown metric": ({"metric": "joules"}, "expected a metric of cpu, wall"),
    "an unknown check": ({"check": "roughly"}, "expected the check allclose, equal"),
    "a setup that is none": ({"setup": 3}, "expected a function or its module:name"),
    "a setup that is not there": ({"setup": f"{HERE}:nothing"}, "has no 'nothing'"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_said_before_anything_is_measured(kind, tmp_path):
    options, says = MISTAKES[kind]
    with pytest.raises(UserError, match=re.escape(says)):
        compare(user_functions.slow, user_functions.fast, out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_local_function_that_cannot_be_copied_is_refused_in_a_sentence(tmp_path):
    rows = (each for each in range(3))
    with pytest.raises(
        UserError, match="cannot be copied to another process, since it uses rows, a generator: make it"
    ):
        compare(lambda: next(rows), lambda: next(rows), out=tmp_path)


def test_an_async_check_is_refused_since_nobody_would_wait_for_it():
    async def agree(expected, got):
        return expected == got

    with pytest.raises(UserError, match="expected a plain function as the check, got the async"):
        compare(user_functions.slow, user_functions.fast, check=agree)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("no colon", "module:name"),
        ("no_such_module:f", "cannot import 'no_such_module'"),
        (f"{HERE}:absent", "has no 'absent'"),
        (f"{HERE}:ANSWER", "cannot be called"),
        ("absent.py:f", "no file at"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(target, says):
    with pytest.raises(UserError, match=re.escape(says)):
        resolve_function(target)


def test_what_can_be_imported_is_and_what_cannot_is_not():
    def local():
        return None

    assert find_importable_name(user_functions.slow) == f"{HERE}:slow"
    assert find_importable_name(local) is None
    assert find_importable_name(lambda: None) is None
    assert (shorten_name(label(local)), shorten_name(f"{HERE}:slow")) == ("local", "slow")


def test_a_setup_gives_no_argument_or_one_or_several():
    seen = []
    for made in (None, 3, (3, 4), [3, 4]):
        FunctionBody(lambda *arguments: seen.append(arguments), lambda made=made: made).first_call()
    assert seen == [(), (3,), (3, 4), ([3, 4],)]


def test_fresh_arguments_are_made_for_every_call_and_otherwise_once():
    made = []
    for fresh in (False, True):
        made.clear()
        body = FunctionBody(len, lambda: made.append(1) or [1, 2], fresh)
        body.first_call()
        body.sample(5)
        assert len(made) == (6 if fresh else 1)


PYPROJECT = f"""
[tool.argo_bench]
profile = "quick"

[tool.argo_bench.benchmarks.total]
baseline = "{HERE}:slow"
candidate = "{HERE}:fast"
setup = "{HERE}:numbers"
claim = "2-1000x faster"
"""


def test_benchmarks_stand_in_pyproject(tmp_path):
    file = tmp_path / "pyproject.toml"
    file.write_text(PYPROJECT)
    assert list(read_pairs(file)) == ["total"]
    assert read_pairs(file)["total"].claims[0].low == 2
    assert read_pairs(tmp_path / "absent.toml") == {}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('candidat = "a:b"', "unknown key 'candidat'"),
        ("fresh = 3", "expected fresh to be true or false"),
        ("setup = 3", "expected setup to be a text"),
    ],
)
def test_a_wrong_table_is_named(line, says, tmp_path):
    (tmp_path / "pyproject.toml").write_text(PYPROJECT + line.replace("setup", "check") + "\n")
    with pytest.raises(UserError, match=re.escape(says.replace("setup", "check"))) as raised:
        read_pairs(tmp_path / "pyproject.toml")
    assert "[tool.argo_bench.benchmarks.total]" in str(raised.value)


def test_what_to_compare_is_two_functions_or_names_of_the_table(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    monkeypatch.chdir(tmp_path)
    assert [each.name for each in choose_benchmarks([], {})] == ["total"]
    assert [each.name for each in choose_benchmarks([f"{HERE}:slow", f"{HERE}:fast"], {})] == ["fast against slow"]
    with pytest.raises(UserError, match="did you mean total"):
        choose_benchmarks(["totals"], {})
    with pytest.raises(UserError, match="takes two functions"):
        choose_benchmarks([f"{HERE}:slow"], {})
    monkeypatch.chdir(tmp_path.parent)
    with pytest.raises(UserError, match="nothing to compare"):
        choose_benchmarks([], {})


OWN_FILE = """
import argo_bench
from argo_bench import Claim, Optimization
from argo_bench.optimizations import catalogue

def old():
    return 3

def new():
    return 3

BENCHMARKS = [argo_bench.Benchmark("mine", old, new)]
O06 = catalogue()["O06"]
SIXTEENTH = Optimization("O16", "a sixteenth", "wrap", O06.prescribed, O06.engineered, O06.claims[:1], O06.workloads)
"""


def test_a_file_brings_benchmarks_and_a_sixteenth_optimization(tmp_path, monkeypatch):
    file = tmp_path / "my_optimizations.py"
    file.write_text(OWN_FILE)
    monkeypatch.setenv(FILES, "")
    before = headline_claims()
    try:
        optimizations, benchmarks = optimizations_and_benchmarks([str(file)])
        assert [each.id for each in (*optimizations, *benchmarks)] == ["O16", "mine"]
        assert "O16" in catalogue()
        assert headline_claims() == before
        with pytest.raises(UserError, match="the id O16 is taken"):
            optimizations_and_benchmarks([str(file)])
    finally:
        monkeypatch.undo()
        catalogue.cache_clear()
    assert [each.name for each in find_benchmarks(file)] == ["mine"]


def test_a_file_that_defines_nothing_is_refused(tmp_path):
    file = tmp_path / "nothing_to_measure.py"
    file.write_text("x = 1\n")
    with pytest.raises(UserError, match="defines no Optimization and no Benchmark"):
        optimizations_and_benchmarks([str(file)])


def argo(*arguments, **options):
    command = [sys.executable, "-m", "argo_bench.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_the_command_prints_reading_and_verdict_and_leaves_a_record_that_verifies(tmp_path):
    out = tmp_path / "run"
    functions = ("tests.clocked:slow", "tests.clocked:fast", "--setup", "tests.clocked:numbers")
    done = argo("compare", *functions, "--profile", "quick", "--claim", "2-1000x faster", "--out", out, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert '"2-1000x faster": ' in done.stderr
    assert "was read as" in done.stdout
    assert "confirmed" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert argo("verify", out).returncode == 0


def test_the_command_says_where_two_functions_disagree_and_exits_with_3(tmp_path):
    functions = (f"{HERE}:slow", f"{HERE}:wrong", "--setup", f"{HERE}:numbers")
    done = argo("compare", *functions, "--profile", "quick", "--out", tmp_path / "run", "--json", cwd=ROOT)
    assert done.returncode == 3
    verdict = json.loads(done.stdout)["verdicts"][0]
    assert (verdict["verdict"], verdict["speedup"]) == ("void", None)
    assert "against" in verdict["output"]


def test_the_command_meets_a_claim_that_cannot_be_read_with_exit_code_2(tmp_path):
    done = argo("compare", f"{HERE}:slow", f"{HERE}:fast", "--claim", "much wow", "--out", tmp_path / "run", cwd=ROOT)
    assert done.returncode == 2
    assert "much wow" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


async def two():
    return 2


class Two:
    async def __call__(self):
        return 2


class Later:
    def __await__(self):
        yield from ()
        return 2


AWAITED = {
    "an async function": two,
    "a partial of one": functools.partial(two),
    "an async object": Two(),
    "a partial of an async object": functools.partial(Two()),
    "a plain function that returns a coroutine": lambda: two(),
    "a plain function that returns an awaitable": Later,
}


@pytest.mark.parametrize("kind", AWAITED)
@pytest.mark.parametrize("is_fresh", [False, True])
def test_what_is_async_is_awaited_as_setup_and_as_function(kind, is_fresh):
    async def double(number):
        return number * 2

    for function in (lambda number: number * 2, double):
        with closing(FunctionBody(function, AWAITED[kind], is_fresh)) as body:
            assert [body.first_call(), body.first_call()] == [4, 4]
    with closing(FunctionBody(AWAITED[kind])) as body:
        assert [body.take_result(())[0] for _ in range(3)] == [2, 2, 2]
        assert body.sample(2).wall_ns > 0


async def rows_of_async():
    for number in range(3):
        yield number


async def add_rows(rows):
    return sum([each async for each in rows])


def rows_of_generator():
    yield from range(3)


def draw(rows):
    """Return the same whatever is left of its input."""
    for _ in rows:
        pass


async def draw_async(rows):
    async for _ in rows:
        pass


USED_UP = {
    "a generator": (draw, rows_of_generator, "a generator"),
    "an async generator": (draw_async, rows_of_async, "a async_generator"),
    "a map": (draw, lambda: map(abs, [1, 2]), "a map"),
    "an iterator of a list": (draw, lambda: iter([1, 2]), "a list_iterator"),
    "a zip beside another argument": (lambda size, rows: draw(rows), lambda: (3, zip([1], [2], strict=True)), "a zip"),
    "a chain": (draw, lambda: itertools.chain([1], [2]), "a chain"),
}


@pytest.mark.parametrize("kind", USED_UP)
def test_an_input_that_the_first_call_uses_up_is_found_with_and_without_a_check(kind, tmp_path):
    function, setup, name = USED_UP[kind]
    with closing(FunctionBody(function, setup)) as body:
        found = examine(body, read_settings(), tmp_path / "result")
    assert ["changes its input", f"uses up its input, {name}"] in found["suspicions"]
    with (
        closing(FunctionBody(function, setup)) as body,
        pytest.raises(UserError, match=rf"{name}: give every call a fr"),
    ):
        call_twice(body)
    with closing(FunctionBody(function, setup, fresh=True)) as body:
        assert not call_twice(body)["suspicions"]


@pytest.mark.parametrize("setup", [lambda: itertools.count(), lambda: [1, 2], lambda: iter(int, 1), lambda: None])
def test_an_input_that_does_not_end_is_no_fault(setup):
    with closing(FunctionBody(lambda *rows: [next(each) for each in rows if hasattr(each, "send")], setup)) as body:
        assert call_twice(body)["suspicions"] == []


@pytest.mark.parametrize("function", [rows_of_generator, rows_of_async])
def test_a_function_that_returns_a_generator_computes_nothing_and_is_refused(function, tmp_path):
    with closing(FunctionBody(function)) as body, pytest.raises(UserError, match="return a list"):
        examine(body, read_settings(), tmp_path / "result")
    with closing(FunctionBody(function)) as body, pytest.raises(UserError, match="return a list"):
        call_twice(body)


WRAPPED_IN_MAIN = """
import functools
from argo_bench import compare

def plain():
    return [sum(range(3000))]

@functools.lru_cache
def cached():
    return [sum(range(3000))]

print(compare(plain, cached, quick=True, budget_s=20))
"""


def test_a_wrapped_function_of_the_main_program_is_measured_and_its_cache_told(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(WRAPPED_IN_MAIN)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.startswith("cached against plain: the candidate ")
    assert "in a cache around it" in done.stdout


@functools.lru_cache
def remember_total():
    return sum(range(3000))


def test_a_cache_that_setup_empties_before_every_call_is_no_fault(tmp_path):
    for setup, is_found in ((remember_total.cache_clear, False), (None, True)):
        with closing(FunctionBody(remember_total, setup, fresh=True)) as body:
            found = examine(body, read_settings(), tmp_path / "result")
        assert any("in a cache around it" in seen for _, seen in found["suspicions"]) == is_found


def interrupt_after(number):
    """Replicates of a stub: so many are taken, then comes Ctrl-C."""

    def take(state, around):
        for each in range(number):
            state.keep(samples_of(state.comparisons[0], each, state.seed_of(each), 9.0))
        raise KeyboardInterrupt

    return take


@pytest.mark.parametrize(("replicates", "verdict"), [(0, "untested"), (2, "faster")])
def test_an_interrupt_holds_what_was_measured_and_says_where_it_is(replicates, verdict, tmp_path, monkeypatch):
    monkeypatch.setattr("argo_bench.harness.run.time_replicates", interrupt_after(replicates))
    functions = (user_functions.slow, user_functions.known)
    with pytest.raises(KeyboardInterrupt) as raised:
        compare(*functions, setup=user_functions.numbers, metric="cpu", out=tmp_path)
    assert isinstance(raised.value, Interrupted)
    assert isinstance(raised.value.found, Compared)
    assert raised.value.found.verdict == verdict
    assert f"argo_bench.load('{tmp_path}') opens" in str(raised.value)
    assert raised.value._render_traceback_() == [f"Interrupted: {raised.value}"]
    assert verify(load(tmp_path)) == []


def test_an_interrupt_while_outputs_are_checked_ends_the_workers_and_the_next_comparison_works(tmp_path):
    def interrupt(progress):
        if progress.doing.startswith("checking"):
            raise KeyboardInterrupt

    functions = (user_functions.slow, user_functions.known)
    before = psutil.Process().children(recursive=True)
    with pytest.raises(KeyboardInterrupt):
        compare(*functions, setup=user_functions.numbers, on_progress=interrupt, out=tmp_path / "one")
    assert psutil.Process().children(recursive=True) == before
    found = compare(*functions, setup=user_functions.numbers, metric="cpu", out=tmp_path / "other")
    assert found.verdict == "faster"
