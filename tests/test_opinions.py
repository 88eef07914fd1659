"""Do the models' opinions last as long as a workload says, whoever asks for them and in which order?"""

import itertools
import math

import pytest

from argo_bench.optimizations.optimization import CYCLE, Workload, at_opinion_minutes
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from argo_bench.pipeline.world.content import OPINION_MINUTES, answers, find_last_draw, find_redraws, opinion
from argo_bench.study.counts import replay
from argo_bench.study.recording import find_opinion_minutes, record

CYCLES = 12 * 60 * 24


def drawn(minutes, cycles=CYCLES, symbol="AAA"):
    return [opinion(1, find_last_draw(1, cycle, "sonar", symbol, minutes), "sonar", symbol, "LONG") for cycle in cycles]


@pytest.mark.parametrize("minutes", [1.0, 10.0])
@pytest.mark.parametrize("lag_minutes", [0.5, 1.0, 5.0])
def test_the_autocorrelation_of_opinions_is_exponential_with_the_stated_time_constant(minutes, lag_minutes):
    lag, kept = round(12 * lag_minutes), []
    for symbol in map(str, range(12)):
        last = [find_last_draw(1, cycle, "sonar", symbol, minutes) for cycle in range(CYCLES)]
        kept.append(sum(a == b for a, b in zip(last, last[lag:], strict=False)) / (CYCLES - lag))
    assert sum(kept) / len(kept) == pytest.approx(math.exp(-lag_minutes / minutes), abs=0.04)


def test_how_often_a_model_follows_the_trend_does_not_depend_on_the_time_constant():
    for minutes, error in ((0.0, 0.01), (1.0, 0.02), (10.0, 0.05)):
        follows = [sum("=LONG" in text for text in drawn(minutes, range(CYCLES), str(k))) / CYCLES for k in range(12)]
        assert sum(follows) / 12 == pytest.approx(0.8, abs=error)


def test_without_a_time_constant_every_cycle_draws_anew():
    assert [find_last_draw(1, cycle, "sonar", "AAA", 0.0) for cycle in range(300)] == list(range(300))


def test_the_last_draw_does_not_depend_on_the_order_of_calls():
    forward = [find_last_draw(1, cycle, "sonar", "AAA", 3.0) for cycle in range(1000)]
    find_redraws.cache_clear()
    backward = [find_last_draw(1, cycle, "sonar", "AAA", 3.0) for cycle in reversed(range(1000))]
    assert forward == backward[::-1]
    assert all(last <= cycle for cycle, last in enumerate(forward))
    assert forward == sorted(forward)


def test_a_cycle_draws_anew_or_keeps_what_the_cycle_before_it_had():
    for cycle in range(1, 2000):
        assert find_last_draw(1, cycle, "sonar", "AAA", 2.0) in (
            cycle,
            find_last_draw(1, cycle - 1, "sonar", "AAA", 2.0),
        )


def test_the_world_answers_by_its_time_constant(small_universe):
    tape = Tape(small_universe.frames, seed=3, cycles_per_bar=4680)
    seen = {}
    for minutes in (0.0, 10.0):
        with SimulatedWorld(tape, Simulation(opinion_minutes=minutes), seed=3, latency_scale=0) as world:
            for number in range(30):
                world.begin(number)
                expected = answers(3, number, "AAA", tape.bars("AAA", number), minutes)["sonar", "AAA", "opinion"]
                got = world.exchange(sonar_request()).result().choices[0].message.content
                assert got == expected
                seen.setdefault(minutes, []).append(got)
    assert changes(seen[10.0]) < changes(seen[0.0])


def sonar_request():
    from argo_bench.pipeline.model import Request

    return Request("sonar", "AAA", "opinion", "What of AAA?", model="sonar", max_tokens=16)


def changes(series):
    return sum(a != b for a, b in itertools.pairwise(series))


def test_a_workload_says_its_time_constant_and_days_are_independent():
    live = Workload("w", "reason", "trace", "a test", (4,), "cycles")
    assert find_opinion_minutes(live) == OPINION_MINUTES
    at_one = at_opinion_minutes(live, 1.0)
    assert (at_one.name, at_one.timed, find_opinion_minutes(at_one)) == ("w, opinions of 1 min", False, 1.0)
    assert find_opinion_minutes(at_opinion_minutes(live, 0.0)) == 0.0
    assert find_opinion_minutes(Workload("w", "reason", "fresh", "a test", (4,), "cycles")) == 0.0


def test_a_recording_carries_the_time_constant_to_its_replays(small_universe):
    fetch = Workload("w", "fetch", "trace", "a test", (120,), "cycles", symbols=2)
    replies = {}
    for minutes in (0.0, 10.0):
        workload = at_opinion_minutes(fetch, minutes)
        recording = record(workload, small_universe, 120, 1)
        done = replay(workload, lambda pipeline: pipeline, recording)
        replies[minutes] = [call.result.opinions.sonar for call in done.calls if call.arguments == ("AAA",)]
        assert recording.opinion_minutes == minutes
    assert changes(replies[10.0]) < changes(replies[0.0]) / 4
    assert record(Workload("w", CYCLE, "trace", "", (6,), "cycles"), small_universe, 6, 1).opinion_minutes == 10.0
