"""Does a gate keep its budget, share it among its benchmarks, and name those that it did not last for?"""

import math
import random
from types import SimpleNamespace

import msgspec
import pytest

from argo_bench.gate import describing, run
from argo_bench.gate.answers import BUDGET_ENDED, CONFIRMATION, FIRST, HEAD, comparison_of, gate_of, make_lines
from argo_bench.gate.clock import Clock
from argo_bench.gate.describing import Describer
from argo_bench.gate.records import Agreed, Exact, Shard
from argo_bench.gate.shards import merge_lines
from argo_bench.gate.table import list_notes
from argo_bench.gate.timing import BLOCKS_S, MOST_BLOCKS_S, Timer, Trio, choose_seconds_by_scatter
from argo_bench.gate.turns import Turns
from argo_bench.gate.verify import find_disagreements
from argo_bench.harness.record.records import RULE, SCHEMA, Block, End, LeftOut, Run, Samples
from argo_bench.harness.record.store import Recorded, load
from argo_bench.harness.statistics.looks import LOOKS
from argo_bench.harness.workers.messages import (
    Collect,
    Done,
    Drain,
    Drained,
    Prepare,
    Prepared,
    Ready,
    Sample,
    Taken,
    UserFunction,
    WarmUp,
    function_arm,
)
from argo_bench.harness.workers.processes import ArmFailed, OutOfTime
from tests.stored import FACTS, SEED, sealed, store
from tests.test_gate_shards import revisions_of

START_S = 0.5
LOOK = LOOKS[0]


class Moments:
    """A clock that goes on only where somebody says what he takes."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


class FakeWorker:
    """Answers as a worker does; what an arm takes passes on the clock when it is prepared, in every replicate."""

    is_alive = True

    def __init__(self, moments, costs, until):
        self.moments, self.costs, self.until = moments, costs, until

    def limit(self, until):
        self.until = until

    def close(self):
        pass

    def fresh(self):
        return FakeWorker(self.moments, self.costs, self.until)

    def ask(self, message, expected):
        if isinstance(message, Prepare):
            cost = self.costs[message.arm.key.split()[0]]
            if isinstance(cost, Exception):
                raise cost
            taken = cost(self.moments.now_s) if callable(cost) else cost
            ends = self.moments.now_s + taken / 3
            self.moments.now_s = min(ends, self.until)
            if ends > self.until:
                raise OutOfTime
        answers = {
            Prepare: Prepared(1000, None if getattr(message, "is_known", False) else 1000, 1),
            WarmUp: Ready(1, 1),
            Sample: Taken(1_000_000, 1_000_000),
            Collect: Done(),
            Drain: Drained(None),
        }
        return answers[type(message)]


class FakeTrio(Trio):
    def revive(self):
        self.revived = True


class Kept(list):
    """A writer that keeps its lines."""

    def write(self, line):
        self.append(line)


class Bench:
    """A timer of benchmarks that take so many seconds in a replicate, all processes together, on a clock of its own."""

    def __init__(self, costs, changed=None, budget_s=60.0):
        self.moments, self.lines = Moments(), Kept()
        self.costs = costs
        self.deadline = self.moments() + 2 * budget_s
        self.until = self.moments() + budget_s
        clock = Clock(self.deadline, lambda progress: None, self.moments(), self.moments)
        arms = {
            name: {role: function_arm(role, UserFunction("m:f"), key=f"{name} {role}") for role in ("base", "head")}
            for name in costs
        }
        self.timer = Timer(self.start, arms, list(costs) if changed is None else changed, SEED, self.lines, clock)

    def start(self, hash_seed):
        self.moments.now_s += START_S
        return FakeTrio(*(FakeWorker(self.moments, self.costs, self.deadline) for _ in range(3)))

    def take(self, batch=FIRST, is_decided=lambda name: True):
        """Take a batch in which benchmarks are decided at the first look, unless it is said otherwise."""
        self.timer.time_batch(batch, self.timer.names, LOOKS, self.until, is_decided)
        return self

    def replicates(self, name, batch=FIRST):
        comparison = comparison_of(name, batch, HEAD)
        return [each.replicate for each in self.timer.samples if each.comparison == comparison]

    @property
    def left_out(self):
        return [each for each in self.lines if isinstance(each, LeftOut)]


def many(number, cost=1.0):
    return {f"b{each:02}": cost for each in range(number)}


def test_a_look_at_many_benchmarks_ends_in_time_with_as_many_as_fit_measured():
    bench = Bench(many(64), budget_s=60.0).take()
    assert bench.moments() <= bench.until
    measured = [name for name in bench.costs if len(bench.replicates(name)) >= LOOK]
    assert 7 <= len(measured) <= 9
    assert measured == list(bench.costs)[: len(measured)]
    assert [each.comparison.optimization for each in bench.left_out] == list(bench.costs)[len(measured) :]


def test_all_are_measured_where_the_time_lasts_and_nobody_is_said_to_be_left_out_before_the_first_look():
    bench = Bench(many(5), budget_s=600.0).take(is_decided=lambda name: False)
    assert all(bench.replicates(name) == list(range(LOOKS[-1])) for name in bench.costs)
    assert bench.left_out == []


def test_one_that_takes_too_long_is_passed_over_and_those_behind_it_are_measured():
    bench = Bench({"dear": 1000.0, **many(5)}, budget_s=60.0).take()
    assert bench.moments() <= bench.until
    assert bench.replicates("dear") == []
    assert all(len(bench.replicates(name)) >= LOOK for name in many(5))
    assert [each.comparison.optimization for each in bench.left_out] == ["dear"]
    assert bench.left_out[0].replicates == 0
    assert bench.left_out[0].needs_s > 60.0


def test_one_that_is_a_little_too_long_is_tried_once_and_said_to_have_been():
    bench = Bench({"dear": 12.0, **many(3)}, budget_s=60.0).take()
    assert bench.replicates("dear") == [0]
    [line] = [each for each in bench.left_out if each.comparison.optimization == "dear"]
    assert (line.replicates, line.needs_s) == (1, pytest.approx(5 * 12.0))
    assert all(len(bench.replicates(name)) >= LOOK for name in many(3))


def test_those_whose_files_differ_come_first():
    bench = Bench(many(64), changed=["b63", "b40"], budget_s=30.0).take()
    measured = [name for name in bench.timer.names if len(bench.replicates(name)) >= LOOK]
    assert measured[:2] == ["b40", "b63"]
    assert measured[2:] == list(bench.costs)[: len(measured) - 2]


def test_where_they_become_slower_the_last_ones_give_way_so_that_the_first_ones_reach_the_look():
    slows_at = Moments()() + 20.0
    bench = Bench({name: lambda now: 1.0 if now < slows_at else 1.6 for name in many(64)}, budget_s=60.0).take()
    assert bench.moments() <= bench.until + 10
    lengths = [len(bench.replicates(name)) for name in bench.costs]
    assert lengths[0] >= LOOK
    assert lengths == sorted(lengths, reverse=True)
    assert sum(0 < each < LOOK for each in lengths) > 0


def test_a_call_that_hangs_later_is_ended_while_the_others_can_still_reach_the_look():
    began = Moments()()
    bench = Bench({**many(3), "hangs": lambda now: 1.0 if now < began + 20 else 1e9}, budget_s=60.0).take()
    assert bench.moments() <= bench.until
    assert all(len(bench.replicates(name)) == LOOK for name in many(3))
    assert [each.comparison.optimization for each in bench.left_out] == ["hangs"]
    assert 0 < len(bench.replicates("hangs")) < LOOK


def test_without_any_time_no_process_is_started():
    bench = Bench(many(3), budget_s=0.0).take()
    assert bench.moments() == bench.until
    assert [each.comparison.optimization for each in bench.left_out] == list(many(3))
    assert {(each.replicates, each.needs_s, each.reason) for each in bench.left_out} == {(0, 0.0, BUDGET_ENDED)}


def test_what_fails_is_no_matter_of_time():
    bench = Bench({"broken": ArmFailed("ValueError", arm="head"), **many(2)}, budget_s=60.0).take()
    assert bench.timer.failed == {"broken"}
    assert bench.left_out == []
    assert all(len(bench.replicates(name)) >= LOOK for name in many(2))


def test_what_is_decided_at_a_look_leaves_its_time_to_the_others():
    bench = Bench(many(4), budget_s=60.0).take(is_decided=lambda name: name != "b00")
    assert all(len(bench.replicates(name)) == LOOK for name in ("b01", "b02", "b03"))
    assert len(bench.replicates("b00")) == LOOKS[-1]


def test_a_second_batch_keeps_the_time_too():
    bench = Bench(many(64), budget_s=60.0).take(CONFIRMATION)
    assert bench.moments() <= bench.until
    assert {each.comparison.workload for each in bench.left_out} == {CONFIRMATION}
    assert min(bench.replicates("b00", CONFIRMATION)) == 1000


def test_the_time_that_another_one_needs_is_not_taken_by_the_first_in_the_order():
    moments = Moments()
    turns = Turns(["dear", "cheap"], LOOK, moments() + 60.0, moments)
    assert turns.begin(0) == ["dear", "cheap"]
    turns.start(0.0)
    assert turns.may_begin("dear") and turns.limit_s("dear") == pytest.approx(2 * 54 / LOOK)
    moments.now_s += 8.0
    turns.end("dear", 8.0)
    assert turns.open == ["dear", "cheap"]  # 8 s for each of six replicates do fit
    assert not turns.may_begin("cheap")  # of the 60 s, 48 s and the reserve of 6 s are given: 1 s a replicate
    assert turns.left_out == ["cheap"]


# What the parts of a gate get


@pytest.mark.parametrize(("left_s", "first_s"), [(600.0, 360.0), (20.0, 12.0), (12.0, 10.0), (6.0, 5.4)])
def test_the_first_batch_gets_most_of_the_time_and_nearly_all_where_little_is_left(left_s, first_s):
    asked, moments = [], Moments()
    timer = SimpleNamespace(
        names=["b00"], samples=[], failed=set(), time_batch=lambda *arguments: asked.append(arguments[3])
    )
    clock = Clock(moments() + left_s, lambda progress: None, moments(), moments)
    run._time_batches(timer, revisions_of(), (), clock)
    assert asked == [pytest.approx(moments() + first_s)]


@pytest.mark.parametrize(
    ("left_s", "is_timed", "counting_s"),
    [(600.0, True, 240.0), (12.0, True, 2.0), (12.0, False, 4.8), (5.0, True, -5.0)],
)
def test_counting_leaves_timing_the_seconds_that_it_needs(left_s, is_timed, counting_s, monkeypatch, tmp_path):
    limits, moments = [], Moments()
    monkeypatch.setattr(run, "count_exactly", lambda *arguments: limits.append(arguments[-1].until))
    benchmark = SimpleNamespace(name="b00", is_timed=is_timed)
    sides = [SimpleNamespace(benchmark=benchmark, described={"head": None}, arms={}, counts={})]
    clock = Clock(moments() + left_s, lambda progress: None, moments(), moments)
    run._count_all(sides, ["b00"], {}, tmp_path, clock)
    assert limits == [pytest.approx(moments() + counting_s)]


def test_what_could_not_be_described_in_time_is_not_counted_either(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "count_exactly", lambda *arguments: pytest.fail("it was counted"))
    sides = [SimpleNamespace(benchmark=SimpleNamespace(name="b00", is_timed=True), described={}, arms={}, counts={})]
    found = run._count_all(sides, ["b00"], {}, tmp_path, Clock(100.0, lambda progress: None, 0.0, Moments()))
    assert found["b00"].uncounted == "no time was left for it"


# What the record says


HEADER = Run(
    *(SCHEMA, "a gate", "2026-01-02T03:04:05", "argo-bench ci", "ci", "twins", SEED, list(LOOKS)),
    *({}, "", [], FACTS),
    rule=RULE,
)


def record_of(bench, shard=None):
    """The record of a gate whose first batch was taken, as it would be written."""
    names = list(bench.costs)
    revisions = msgspec.structs.replace(
        revisions_of(),
        files={name: f"{name}.py" for name in names},
        metrics=dict.fromkeys(names, "cpu"),
        tolerances=dict.fromkeys(names, 0.03),
        changed=names,
        shards=[] if shard is None else [shard],
    )
    lines = [HEADER, revisions, *(Agreed(name, None, None) for name in names)]
    lines += [Exact(name, {}, {}, [], {}) for name in names]
    lines += bench.lines
    gate = gate_of(Recorded(None, lines))
    replicates = 1 + max((each.replicate for each in lines if isinstance(each, Samples)), default=-1)
    return [*lines, *make_lines(gate), End(300.0, False, replicates, 600.0)]


@pytest.fixture(scope="module")
def short():
    """A gate of twelve benchmarks whose time lasted for some of them."""
    return record_of(Bench({"dear": 12.0, **many(11)}, budget_s=45.0).take())


def test_benchmarks_that_the_budget_did_not_last_for_are_named_and_the_others_judged(short, tmp_path):
    recorded = store(tmp_path, sealed(short))
    gate = gate_of(recorded)
    outcomes = {each.name: each for each in gate.outcomes}
    assert outcomes["b00"].state == "fine"
    assert outcomes["b10"].state == "not measured"
    assert outcomes["b10"].sentence == "b10: the budget ended"
    assert outcomes["dear"].sentence == f"dear: the budget ended after 1 of {LOOK} replicates"
    assert not gate.blocks
    [note] = [each for each in list_notes(gate, recorded) if "budget" in each]
    assert note.startswith("The budget ended before dear, b")
    assert "in the order in which they would have had their turn" in note
    assert find_disagreements(recorded) == []


def test_a_benchmark_without_its_replicates_and_without_a_word_of_it_is_named_by_verify(short, tmp_path):
    without = [each for each in short if not (isinstance(each, LeftOut) and "dear" in each.comparison.optimization)]
    said = find_disagreements(store(tmp_path, sealed(without)))
    assert any("dear, first batch: 1 of 6 replicates, and it was not decided" in each.what for each in said)


def test_a_benchmark_with_other_replicates_than_its_line_says_is_named_by_verify(short, tmp_path):
    def edit(line):
        is_dear = isinstance(line, LeftOut) and line.comparison.optimization == "dear"
        return msgspec.structs.replace(line, replicates=3) if is_dear else line

    said = find_disagreements(store(tmp_path, sealed([edit(each) for each in short])))
    assert any("it was left out after 3 replicates, and has 1" in each.what for each in said)


def test_shards_keep_what_they_say_of_it_when_they_are_merged(short):
    shard = Shard(1, 1)
    part = [msgspec.structs.replace(each, shards=[shard]) if each is short[1] else each for each in short]
    merged = list(merge_lines([Recorded(None, part)], "merged"))
    said = {each.name: each.sentence for each in gate_of(Recorded(None, merged)).outcomes}
    assert said == {each.name: each.sentence for each in gate_of(Recorded(None, short)).outcomes}


def test_a_benchmark_that_hangs_while_it_is_described_leaves_half_of_the_time_to_the_others(tmp_path, monkeypatch):
    limits = []

    class Asked:
        is_alive = False

        def __init__(self, *arguments):
            pass

        def limit(self, until):
            limits.append(until)

        def ask(self, message, expected):
            raise OutOfTime

        def close(self):
            pass

    moments = iter([100.0, 150.0, 200.0])
    monkeypatch.setattr(describing, "WorkerProcess", Asked)
    monkeypatch.setattr(describing.time, "monotonic", lambda: next(moments))
    arm = function_arm("head", UserFunction("m:f"))
    checkout = SimpleNamespace(failure=None, role="head", program=None)
    with Describer(tmp_path, 200.0) as describer:
        for _ in range(3):
            with pytest.raises(OutOfTime):
                describer.describe(SimpleNamespace(suite=None), checkout, arm, tmp_path / "results")
    assert limits == [150.0, 175.0]


def test_what_was_written_before_reads_as_it_did(short, tmp_path):
    older = [each for each in short if not isinstance(each, LeftOut)]
    sentences = {each.name: each.sentence for each in gate_of(Recorded(None, older)).outcomes}
    assert sentences["b10"] == "b10: no time was left for it"
    assert load(store(tmp_path, sealed(short)).directory).all(LeftOut)


def noisy(scatter, number=3):
    """Samples of a head whose blocks scatter by a share, from replicates that took 0.23 s each."""
    rng, found = random.Random(1), []
    for replicate in range(number):
        pairs = [(10_000_000, round(10_000_000 * math.exp(scatter * rng.gauss(0, 1)))) for _ in range(8)]
        blocks = [Block("ABBA", (a, b, b, a), (a, b, b, a)) for a, b in pairs]
        found.append(
            Samples(comparison_of("b00", FIRST, HEAD), replicate, 1, 1, 1, blocks, None, None, None, None, 0.23)
        )
    return found


def test_blocks_are_longer_where_they_scatter_and_the_time_lasts():
    assert choose_seconds_by_scatter([], 60.0) == BLOCKS_S
    assert choose_seconds_by_scatter(noisy(0.001), 60.0) == BLOCKS_S
    assert BLOCKS_S < choose_seconds_by_scatter(noisy(0.04), 60.0) < MOST_BLOCKS_S
    assert choose_seconds_by_scatter(noisy(0.3), 60.0) == MOST_BLOCKS_S
    assert choose_seconds_by_scatter(noisy(0.3), 0.7) == 0.7
    assert choose_seconds_by_scatter(noisy(0.3), 0.0) == BLOCKS_S


@pytest.mark.parametrize(
    ("budget_s", "longest"),
    [(600.0, MOST_BLOCKS_S), ((LOOK + 3) * (1 + START_S), BLOCKS_S)],
    ids=["time left", "none left"],
)
def test_only_time_that_is_left_after_the_first_look_goes_into_longer_blocks(budget_s, longest, monkeypatch):
    asked = []

    def take(timer, batch, name, replicate, seconds):
        asked.append(seconds)
        return time_benchmark(timer, batch, name, replicate, seconds)

    time_benchmark = Timer._time_benchmark
    monkeypatch.setattr(Timer, "_time_benchmark", take)
    monkeypatch.setattr(Timer, "_list_samples", lambda timer, name: noisy(0.3))
    bench = Bench(many(1), budget_s=budget_s).take(is_decided=lambda name: False)
    assert bench.moments() <= bench.until
    assert len(asked) > LOOK
    assert asked[:LOOK] == [BLOCKS_S] * LOOK
    assert asked[LOOK:] == pytest.approx([longest] * (len(asked) - LOOK))
