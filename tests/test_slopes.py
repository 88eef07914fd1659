"""Does a comparison at several sizes say how time grows, with an interval that is right, and no more than it knows?"""

import math
import random
import statistics

import pytest
from click.testing import CliRunner

from argo_bench.cli.main import cli
from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.judging import slopes
from argo_bench.harness.judging.slopes import GROWTHS, UNSTEADY, Step, compute_slope, find_steps
from argo_bench.harness.plan import replicate_seed
from argo_bench.harness.record.store import load
from argo_bench.harness.record.verify import verify
from argo_bench.harness.statistics.estimate import Estimate
from argo_bench.report.growth import tabulate_growth
from tests import stored

MODULE = """
def make_input(size):
    return list(range(size, 0, -1))

def total(values):
    found = 0
    for each in values:
        found += each
    return found

def total_twice(values):
    found = 0
    for each in values:
        for _ in range(2):
            found += each
    return found // 2
"""


def record_of(directory, sizes, grow, noise=0.0, replicates=8, seed=1, slow=0.0):
    """A record of two functions at sizes. A call of the first takes n^1 ns, of the second ``grow(n)``; a process may
    be slow at all sizes by the same share."""
    rng = random.Random(seed)
    lines = [*stored.run_lines()][:2]
    declared, samples = [], []
    for benchmark in Benchmark("new against old", "m:old", "m:new", setup=list, metric="cpu").at_sizes(sizes):
        declared.append(benchmark.declaration())
    for number in range(replicates):
        shares = [math.exp(slow * rng.gauss(0, 1)) for _ in range(2)]
        for size, declaration in zip(sizes, declared, strict=True):
            at = Benchmark(declaration.name, "m:old", "m:new", size=size).comparison
            taken = stored.take(at, number, replicate_seed(stored.SEED, number), (1.0, 0.0))
            times = [share * each for share, each in zip(shares, (1e4 * size, 1e4 * grow(size)), strict=True)]
            samples.append(stored.replace(taken, blocks=[_retime(each, times, noise, rng) for each in taken.blocks]))
    lines[0] = stored.replace(lines[0], optimizations=[])
    return stored.store(directory, [*lines, *declared, *samples])


def _retime(block, times, noise, rng):
    ns = tuple(max(1, round(times[slot == "B"] * math.exp(noise * rng.gauss(0, 1)))) for slot in block.order)
    return stored.replace(block, wall_ns=ns, cpu_ns=ns)


@pytest.mark.parametrize("name", GROWTHS)
def test_a_slope_is_that_of_the_function_between_the_two_sizes(name, tmp_path):
    grow = GROWTHS[name]
    steps = [each for each in find_steps(record_of(tmp_path, (100, 1000, 10_000), grow)) if each.function == "new"]
    assert [(each.low, each.high) for each in steps] == [(100, 1000), (1000, 10_000)]
    for each in steps:
        expected = compute_slope(grow(each.low), grow(each.high), each.low, each.high)
        assert each.slope.theta == pytest.approx(expected, abs=1e-4)


def test_what_a_slow_process_does_to_all_sizes_cancels_out(tmp_path):
    steps = find_steps(record_of(tmp_path, (100, 1000), GROWTHS["n"], slow=0.5))
    assert [each.slope.theta for each in steps] == [pytest.approx(1.0, abs=1e-4)] * 2
    allowed = 2 * math.log1p(UNSTEADY) / math.log(10)
    assert [each.slope.high - each.slope.low for each in steps] == [pytest.approx(allowed, abs=1e-3)] * 2


def test_the_interval_contains_the_slope_as_often_as_it_says(tmp_path, monkeypatch):
    """Of 300 intervals at 95 % so many contain it; the chance of fewer than 270 is one in 10^4 at 94 %."""
    monkeypatch.setattr(slopes, "UNSTEADY", 0.0)  # chance alone
    hits = []
    for seed in range(150):
        steps = find_steps(record_of(tmp_path / str(seed), (100, 1000), GROWTHS["n"], 0.02, replicates=6, seed=seed))
        hits += [each.slope.low <= 1.0 <= each.slope.high for each in steps]
    assert len(hits) == 300
    assert statistics.fmean(hits) > 0.9


def step(low, high, begin=100, end=1000):
    return Step("f", begin, end, "cpu", Estimate((low + high) / 2, low, high, 0.95, 6, 0.01))


def test_a_usual_way_to_grow_is_named_only_where_the_interval_has_no_other():
    log = compute_slope(100 * math.log(100), 1000 * math.log(1000), 100, 1000)
    assert step(0.99, 1.01).describe() == "about n"
    assert step(log - 0.01, log + 0.01).describe() == "about n log n"
    assert step(0.9, 1.3).describe() == "n or n log n, which is not told apart"
    assert step(1.4, 1.44).describe() == "n^1.42"
    assert step(1.98, 2.02).describe() == "about n^2"


def test_one_replicate_says_nothing(tmp_path):
    [first, _] = find_steps(record_of(tmp_path, (100, 1000), GROWTHS["n"], replicates=1))
    assert first.describe() == "not known from one replicate"


def test_a_table_has_a_row_for_every_step_of_both_functions(tmp_path):
    table = tabulate_growth(record_of(tmp_path, (100, 1000, 10_000), GROWTHS["n^2"], noise=0.005))
    assert [row.cells[:2] for row in table.rows] == [
        (name, span) for name in ("old", "new") for span in ("100 to 1,000", "1,000 to 10,000")
    ]
    assert [row.cells[3] for row in table.rows] == ["about n", "about n", "about n^2", "about n^2"]
    assert table.rows[0].cells[2].endswith(", CPU time")


def test_a_record_without_sizes_has_no_such_table(tmp_path):
    assert tabulate_growth(stored.store(tmp_path, stored.run_lines())).rows == ()


@pytest.mark.parametrize("sizes", ["100", "1000,100", "100,100", "100,many", "0.5,2", "100,,1000"])
def test_sizes_that_are_none_are_a_sentence(sizes):
    found = CliRunner().invoke(cli, ["compare", "m:a", "m:b", "--setup", "m:make", "--sizes", sizes])
    assert found.exit_code == 2
    assert "expected two or more whole sizes that grow" in found.output


def test_sizes_without_a_setup_are_a_sentence(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").write_text(MODULE)
    found = CliRunner().invoke(cli, ["compare", "m.py:total", "m.py:total", "--sizes", "10,100"])
    assert found.exit_code != 0
    assert "sizes need a setup that takes one" in str(found.exception)


@pytest.mark.slow
def test_functions_are_measured_at_every_size_and_the_record_verifies(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").write_text(MODULE)
    asked = ["compare", "m.py:total", "m.py:total_twice", "--setup", "m.py:make_input", "--sizes", "1e3,1e4", "--quick"]
    found = CliRunner().invoke(cli, [*asked, "--budget", "40s", "--out", str(tmp_path / "out")])
    assert found.exit_code == 0, found.output
    assert "How time grows" in found.output
    recorded = load(tmp_path / "out")
    assert verify(recorded) == []
    steps = find_steps(recorded)
    assert {each.function for each in steps} == {"total", "total_twice"}
    assert all(each.slope.low < 1.5 and each.slope.high > 0.6 for each in steps)
