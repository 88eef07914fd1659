"""Is a stage called as its workload says, and is what it leaves for later seen?"""

from dataclasses import replace

import pytest

from argo_bench.harness.replicate import Replicate
from argo_bench.harness.workers.messages import Arm, Prepared
from argo_bench.optimizations import subjects
from argo_bench.optimizations.optimization import CYCLE, Workload
from argo_bench.pipeline.market import Tape
from argo_bench.study.recording import FAST, Group, Recording
from argo_bench.study.replay import FEWEST_STEPS, KEPT_WHOLE, StageBody, count_fixed_calls, count_steps


class Stateful:
    """A stage that counts calls since it was built, to see when state is kept."""

    built = 0

    def __init__(self):
        type(self).built += 1
        self.calls = 0

    def __call__(self, world, value):
        self.calls += 1
        return self.calls


def body_of(inputs, calls=3):
    workload = Workload("w", "consensus", inputs, "a test", (1,), "symbols")
    return StageBody(
        workload, lambda p: p.replace(consensus=Stateful()), Recording([Group(0, [(k,) for k in range(calls)])])
    )


@pytest.mark.parametrize(("inputs", "rebuilds"), [("hit", 0), ("fresh", 0), ("miss", 5), ("trace", 5)])
def test_state_is_rebuilt_outside_the_timed_region_where_the_workload_asks_for_it(inputs, rebuilds):
    body = body_of(inputs)
    before = Stateful.built
    timing = body.sample(5)
    assert Stateful.built - before == rebuilds
    assert timing.wall_ns > 0
    assert timing.cpu_ns > 0
    body.close()


def test_a_fresh_workload_gives_every_call_a_frame_of_its_own(small_universe):
    seen = []

    def stage(world, frame):
        seen.append(id(frame))
        frame["extra"] = 1.0

    frame = next(iter(small_universe.frames.values()))
    workload = Workload("w", "indicators", "fresh", "a test", (1,), "bars")
    body = StageBody(workload, lambda p: p.replace(indicators=stage), Recording([Group(0, [(frame,), (frame,)])]))
    body.sample(1)
    body.close()
    assert len(set(seen)) == 2
    assert "extra" not in frame.columns


def test_an_async_stage_is_awaited_inside_one_running_loop():
    awaited = []

    async def stage(world, value):
        awaited.append(value)
        return value

    workload = Workload("w", "consensus", "hit", "a test", (1,), "symbols")
    body = StageBody(workload, lambda p: p.replace(consensus=stage), Recording([Group(0, [(1,), (2,)])]))
    assert body.first_call() == 1
    body.sample(2)
    body.close()
    assert awaited == [1, 1, 2, 1, 2]


def test_a_pass_is_cut_to_the_calls_that_both_arms_can_afford():
    body = body_of("hit", calls=10)
    body.keep(4)
    assert body.calls == 4
    body.keep(7)
    assert body.calls == 7
    body.close()


@pytest.mark.parametrize(("cycles", "fixed"), [(20, 36), (5, 15)])
def test_a_timed_pass_of_a_trace_is_fixed_whatever_its_calls_take(cycles, fixed):
    workload = Workload("w", "consensus", "trace", "a test", (1,), "symbols", timed_cycles=12)
    groups = [Group(cycle, [(0,), (1,), (2,)]) for cycle in range(cycles)]
    body = StageBody(workload, lambda p: p.replace(consensus=Stateful()), Recording(groups))
    assert (body.fixed_calls, body.calls) == (fixed, 3 * cycles)
    body.keep(body.fixed_calls)
    assert body.calls == fixed
    body.close()


@pytest.mark.parametrize("stage", [CYCLE, "store"])
def test_whole_cycles_and_rows_are_never_cut_however_slow_an_arm_is(stage, small_universe):
    calls = [()] if stage == CYCLE else [((),)]
    recording = Recording([Group(0, calls, number) for number in range(6)], Tape(small_universe.frames, seed=1))
    found = set()
    for edit in (lambda p: p, lambda p: p.replace(fetch=Stateful(), store=lambda world, signals: None)):
        body = StageBody(Workload("w", stage, "trace", "a test", (6,), "cycles"), edit, recording)
        body.keep(1)
        found.add((body.fixed_calls, body.calls))
        body.close()
    assert found == {(5, 5) if stage == CYCLE else (6, 6)}


def test_every_timed_trace_and_all_whole_cycles_of_the_catalogue_have_a_stated_number_of_calls():
    seen = 0
    for optimization in subjects().values():
        for workload in optimization.workloads:
            if workload.inputs == "trace" or workload.stage in KEPT_WHOLE:
                recorded = [Group(0, [(0,)], number) for number in range(60)]
                whole = workload.stage in KEPT_WHOLE
                assert count_fixed_calls(workload, recorded) == (60 if whole else workload.timed_cycles)
                seen += 1
    assert seen > 10


def cycles_of(universe, number, edit, scale=0.0):
    recording = Recording([Group(0, [()], each) for each in range(number)], Tape(universe.frames, seed=1))
    workload = Workload("w", CYCLE, "trace", "a test", (6,), "symbols", cycles=number, latency_scale=scale)
    body = StageBody(workload, edit, recording)
    body.first_call()
    return body


def test_a_long_trace_of_whole_cycles_is_walked_step_by_step_on_state_that_lasts_for_a_pass(small_universe):
    walked = []

    def edit(pipeline):
        cycles = []

        async def schedule(world, pipeline, symbols):
            cycles.append(world.cycle)
            walked.append([*cycles])
            return []

        return pipeline.replace(schedule=schedule)

    body = cycles_of(small_universe, FEWEST_STEPS + 1, edit)
    assert body.steps == FEWEST_STEPS
    walked.clear()
    taken = [body.step(number) for number in (0, 1, 2, 0)]
    body.close()
    assert walked[1:4] == [[0, 1], [0, 1, 2], [0, 1, 2, 3]]
    assert walked[5] == [0, 1]
    assert all(each.wall_ns > 0 and each.cpu_ns > 0 for each in taken)


def test_the_steps_of_a_pass_wait_as_long_as_the_pass_does(small_universe):
    body = cycles_of(small_universe, FEWEST_STEPS + 1, lambda pipeline: FAST, scale=1.0)
    steps = [body.step(number).wall_ns for number in range(FEWEST_STEPS)]
    whole = body.sample(1).wall_ns
    body.close()
    assert whole > 1e9 * FEWEST_STEPS  # nearly all of it is waiting on the virtual clock, which no machine delays
    assert sum(steps) == pytest.approx(whole, rel=0.1)


def test_short_traces_stages_and_what_asks_servers_are_timed_in_one(small_universe):
    groups = [Group(0, [()], number) for number in range(FEWEST_STEPS)]
    walked = Workload("w", CYCLE, "trace", "a test", (6,), "symbols")
    assert count_steps(walked, groups) == FEWEST_STEPS
    assert count_steps(walked, groups[1:]) == 0
    assert count_steps(replace(walked, stage="regime"), groups) == 0
    assert count_steps(replace(walked, servers=frozenset({"redis"})), groups) == 0
    assert count_steps(walked, [*groups, Group(0, [(), ()], 99)]) == 0


@pytest.mark.parametrize("inputs", ["hit", "miss", "fresh"])
def test_other_passes_may_be_cut(inputs):
    body = body_of(inputs)
    assert body.fixed_calls is None
    body.close()


def test_a_replicate_times_as_many_calls_as_a_trace_says():
    class Pair:
        reference = candidate = None

        def candidate_for(self, arm):
            return None

    arms = tuple(Arm(name, "", "{}", key=name) for name in ("baseline", "candidate"))
    replicate = Replicate(Pair(), 0, 1, call_ns={"baseline": 1, "candidate": 10**9})
    for fixed, calls in ((36, 36), (None, 1)):
        replicate._met = {(None, arm): Prepared(1, None, 60, fixed) for arm in arms}
        assert replicate.calls(arms) == calls


def test_work_that_an_arm_puts_off_is_measured_apart_and_flagged():
    closed = []

    class Deferring:
        def __init__(self):
            self.waiting = []

        def __call__(self, world, value):
            if not self.waiting:
                world.resources.callback(lambda: closed.append(len(self.waiting)))
            self.waiting.append(value)

    workload = Workload("w", "consensus", "trace", "a test", (1,), "symbols")
    body = StageBody(
        workload, lambda p: p.replace(consensus=Deferring()), Recording([Group(0, [(k,) for k in range(3)])])
    )
    body.sample(2)
    assert closed == []
    assert body.time_drain_ns() > 0
    assert closed == [3]
    body.close()


def test_an_arm_that_keeps_its_state_has_nothing_to_drain():
    body = body_of("hit")
    assert body.time_drain_ns() is None
    body.close()
