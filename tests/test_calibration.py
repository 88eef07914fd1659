"""Does the calibration count what it says, by outside oracles and on banks whose truth is known?"""

import gzip
import math
import random
import subprocess
import sys

import msgspec
import psutil
import pytest

from argo_bench.errors import UserError
from argo_bench.harness.block_order import draw_order
from argo_bench.harness.calibration import bank, standing
from argo_bench.harness.calibration import rates as calibration
from argo_bench.harness.calibration.bank import FULL, QUICK, TURN, Series
from argo_bench.harness.calibration.rates import decide, decide_all, simulate_coverage
from argo_bench.harness.calibration.standing import Rate, clopper_pearson
from argo_bench.harness.calibration.workloads import SIZED, add_products, average_bars, average_bars_otherwise
from argo_bench.harness.plan import replicate_seed
from argo_bench.harness.record.records import Banked, Block, Samples
from argo_bench.harness.record.store import FILE_NAME, Writer, load
from argo_bench.harness.record.verify import verify
from argo_bench.report.calibration import describe_calibration


@pytest.mark.parametrize(("events", "trials"), [(0, 10), (10, 10), (1, 55), (3, 7), (19, 20), (0, 1), (40, 300)])
def test_the_exact_interval_is_scipys(events, trials):
    stats = pytest.importorskip("scipy.stats")
    oracle = stats.binomtest(events, trials).proportion_ci(0.95, method="exact")
    assert clopper_pearson(events, trials) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


def test_a_rate_without_trials_says_nothing():
    assert Rate.of([]) == Rate(0, 0, 0.0, 1.0)


def banked(series, ratios, seconds=1.5):
    """A bank's replicates in which the candidate takes ``ratios`` times as long."""
    found = []
    for number, ratio in enumerate(ratios):
        base, other = 1_000_000, round(1_000_000 * ratio)
        seed = replicate_seed(bank.SEED, number)
        orders = [draw_order(seed, series.comparison, block) for block in range(4)]
        times = {order: tuple(base if slot == "A" else other for slot in order) for order in orders}
        blocks = [Block(order, times[order], times[order]) for order in orders]
        samples = Samples(series.comparison, number, seed, 1, 1, blocks, None, None, None, None)
        found.append(Banked(series.condition, seconds, samples))
    return found


EQUAL = Series("quiet", "python_5ms", 100, 48)
MORE = Series("quiet", "python_5ms", 103, 48)


def noisy(truth, deviation, count, seed=1):
    rng = random.Random(seed)
    return [truth * math.exp(rng.gauss(0, deviation)) for _ in range(count)]


def test_a_virtual_comparison_stops_when_a_real_one_would():
    clear = decide([0.03, 0.031, 0.029, 0.03, 0.0305, 0.0295], [2.0] * 6)
    assert (clear.word, clear.estimate.replicates, clear.seconds) == ("slower", 6, 12.0)
    same = decide([0.001, -0.001] * 3, [1.0] * 6)
    assert same.word == "no difference"
    assert decide([0.001, -0.05, 0.04], [1.0] * 3) is None


def test_experiments_share_no_replicate():
    found = decide_all(banked(EQUAL, noisy(1.0, 0.002, 48)))
    assert len(found) == 8
    assert sum(each.estimate.replicates for each in found) == 48


@pytest.mark.slow
def test_a_bank_is_worked_out_into_rates_whose_truth_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "SIMULATED", 50)
    writer = Writer(tmp_path)
    writer.write(bank._make_header())
    for each in (*banked(EQUAL, noisy(1.0, 0.002, 48)), *banked(MORE, noisy(1.03, 0.002, 48, seed=2))):
        writer.write(each)
    writer.close()
    found = calibration.store_summary(tmp_path)
    assert found.all_false_positives == Rate.of([False] * 8)
    assert found.power[0].change == 1.03
    assert found.power[0].found == Rate.of([True] * 8)
    assert (found.power[0].wrong, found.power[0].seconds) == (0, 9.0)
    assert found.coverage.trials == 8
    assert found.coverage.events >= 7
    assert {null.what for null in found.nulls} == {"role: python_5ms, quiet", "position: python_5ms, quiet"}
    assert 0 < found.floor < 0.01
    assert "3 % more work in python_5ms, quiet was found in 100 %" in describe_calibration(found)
    kept = msgspec.json.decode((tmp_path / calibration.SUMMARY).read_bytes(), type=calibration.Calibration)
    assert kept == found
    assert verify(load(tmp_path)) == []
    better = msgspec.structs.replace(found, all_false_positives=Rate.of([False] * 900))
    (tmp_path / calibration.SUMMARY).write_bytes(msgspec.json.encode(better))
    assert "all_false_positives.trials is 900, the bank gives 8" in "\n".join(map(str, verify(load(tmp_path))))


def test_a_bank_of_a_wrong_harness_would_show_it():
    biased = decide_all(banked(EQUAL, noisy(1.04, 0.002, 48)))
    assert {each.word for each in biased} == {"slower"}


def test_simulated_intervals_contain_the_truth_as_often_as_they_say():
    # The trimmed mean's interval at ten replicates holds in 93 to 94 % of normal cases, which its docstring says.
    assert simulate_coverage(calibration._covers_at_fixed_size, 4_000) == pytest.approx(0.938, abs=0.01)
    assert simulate_coverage(calibration._covers_at_stop, 2_000) >= 0.95


def test_a_bank_without_equal_code_cannot_be_worked_out(tmp_path):
    writer = Writer(tmp_path)
    writer.write(bank._make_header())
    writer.close()
    with pytest.raises(ValueError, match="no comparison of equal code"):
        calibration.store_summary(tmp_path)


def test_series_take_turns_that_are_as_long_as_a_comparison():
    plan = (
        (Series("quiet", "python_5ms", 100, 48), Series("quiet", "pandas_5ms", 100, 30)),
        (Series("busy", "dict_5ms", 100, 2),),
    )
    have: dict = {}
    order = []
    for series in bank._take_turns(plan, have):
        order.append(series.workload)
        have[series.comparison] = have.get(series.comparison, 0) + 1
    expected = ["python_5ms"] * TURN + ["pandas_5ms"] * TURN + ["python_5ms"] * TURN + ["pandas_5ms"] * 6
    assert order == [*expected, "dict_5ms", "dict_5ms"]


def test_the_whole_plan_has_what_was_promised():
    series = [each for group in FULL for each in group]
    assert len({each.comparison for each in series}) == len(series)
    equal = {(each.condition, each.workload) for each in series if each.symbols == 100 and not each.reference}
    kinds = {(of, f"{kind}_5ms") for of in bank.BUSY_PROCESSES for kind in bank.KINDS}
    sizes = {
        (of, f"{kind}_{size}") for of in bank.BUSY_PROCESSES for kind in ("python", "pandas") for size in bank.SIZES
    }
    assert equal == kinds | sizes
    planted = {(each.workload, each.symbols) for each in series if each.symbols != 100}
    assert planted >= {(f"python_{size}", symbols) for size in ("100us", "5ms", "100ms") for symbols in (102, 103)}
    assert {each.comparison for group in QUICK for each in group} <= {each.comparison for each in series}


def test_a_bank_goes_on_where_it_stopped_and_belongs_to_one_machine(tmp_path, monkeypatch):
    plan = [[Series("quiet", "python_1us", 100, 2)]]
    monkeypatch.setattr(
        bank, "_take_replicate", lambda series, number, scratch: banked(series, [1.0] * (number + 1))[number]
    )
    bank.fill(tmp_path, plan, budget_s=0.0)
    bank.fill(tmp_path, plan, budget_s=60.0)
    bank.fill(tmp_path, plan, budget_s=60.0)
    assert [each.samples.replicate for each in bank.read_bank(tmp_path)] == [0, 1]
    monkeypatch.setattr(bank, "fingerprint", lambda: "another")
    with pytest.raises(UserError, match="holds the bank of machine"):
        bank.fill(tmp_path, plan, budget_s=60.0)


def test_a_replicate_of_the_bank_is_real_samples_of_two_processes(tmp_path):
    taken = bank._take_replicate(Series("busy", "python_100us", 103, 1), 0, tmp_path)
    assert taken.condition == "busy"
    assert taken.seconds > 0
    assert taken.further == []
    assert all(wall > 0 for block in taken.samples.blocks for wall in block.wall_ns)


def test_three_processes_a_side_share_their_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(bank, "ROUNDS", 3)
    taken = bank._take_replicate(Series("quiet", "python_100us", 103, 1, processes=3), 0, tmp_path)
    pairs = [taken.samples, *taken.further]
    assert [len(each.blocks) for each in pairs] == [3, 3, 3]
    assert len({each.blocks[0].cpu_ns for each in pairs}) == 3
    assert {each.comparison for each in pairs} == {taken.samples.comparison}


def test_every_pair_of_a_replicate_is_a_series_of_its_own():
    three = [
        msgspec.structs.replace(each, further=[each.samples, each.samples])
        for each in banked(EQUAL, noisy(1.0, 0.002, 48))
    ]
    assert len(decide_all(three)) == 3 * len(decide_all(banked(EQUAL, noisy(1.0, 0.002, 48))))


def test_a_packed_bank_is_read_like_an_open_one(tmp_path):
    writer = Writer(tmp_path)
    writer.write(bank._make_header())
    writer.close()
    content = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).unlink()
    (tmp_path / f"{FILE_NAME}.gz").write_bytes(gzip.compress(content, mtime=0))
    assert load(tmp_path).run.profile == "calibrate"


def test_planted_work_is_exactly_proportional_and_its_twin_computes_the_same():
    assert add_products(16) == 0.25 * (0 + 1 + 2 + 3)
    assert average_bars(3) == 3 * average_bars(1)
    assert average_bars_otherwise(5) == pytest.approx(average_bars(5), rel=1e-12)
    assert SIZED["dict_5ms"](3) == 3 * SIZED["dict_5ms"](1)


def test_planted_names_are_found_by_their_number_and_others_are_not():
    from argo_bench.harness.calibration import workloads

    assert workloads.python_5ms_3() == average_bars(3)
    with pytest.raises(AttributeError, match="expected one of python_1us"):
        _ = workloads.hour_100


def test_a_calibration_by_another_rule_says_nothing_of_a_run(tmp_path, monkeypatch):
    known = msgspec.json.decode(standing.REFERENCE.read_bytes(), type=standing.Calibration)
    monkeypatch.setattr(standing, "home", lambda machine=None: tmp_path / "own")
    monkeypatch.setattr(standing, "REFERENCE", tmp_path / "reference.json")
    (tmp_path / "own").mkdir()

    def keep(file, rule):
        file.write_bytes(msgspec.json.encode(msgspec.structs.replace(known, rule=rule)))

    keep(tmp_path / "own" / standing.SUMMARY, "student-t")
    keep(tmp_path / "reference.json", "student-t")
    assert standing.find_calibration() is None
    keep(tmp_path / "reference.json", "trimmed-mean")
    assert standing.find_calibration().where == "reference"
    keep(tmp_path / "own" / standing.SUMMARY, "trimmed-mean")
    assert standing.find_calibration().where == "here"


@pytest.mark.slow
def test_the_calibration_that_comes_with_the_package_is_that_of_the_recorded_bank():
    recorded = load(calibration.Path(__file__).parents[1] / "results" / "reference" / "calibration")
    packaged = msgspec.json.decode(standing.REFERENCE.read_bytes(), type=standing.Calibration)
    assert calibration.summarize_bank(recorded) == packaged


KEEPS_BUSY = """
import time
from argo_bench.harness.calibration.bank import keep_busy
with keep_busy(2):
    print("busy", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_processes_that_keep_the_machine_busy_end_with_the_one_that_started_them_even_if_it_is_killed():
    with subprocess.Popen([sys.executable, "-c", KEEPS_BUSY], stdout=subprocess.PIPE) as keeper:
        assert keeper.stdout.readline() == b"busy\n"
        spinning = psutil.Process(keeper.pid).children()
        keeper.kill()
    assert len(spinning) == 2
    assert psutil.wait_procs(spinning, timeout=30)[1] == []
