"""Are blocks set aside only for causes from outside, and do the samples' own flags fire when they should?"""

import math
import random

import pytest

from argo_bench.harness.judging.results import estimate_result
from argo_bench.harness.machine import environment
from argo_bench.harness.machine.environment import Watch
from argo_bench.harness.record.records import Block, Comparison, Samples
from argo_bench.harness.statistics.quality import flag_quality, valid_blocks

COMPARISON = Comparison("O06", "consensus, hit", 6, "symbols", "baseline", "engineered")


def block(order, ratio, invalid=None):
    times = tuple(1_000_000 if arm == "A" else round(1_000_000 * ratio) for arm in order)
    return Block(order, times, times, invalid)


def replicate(number, blocks):
    return Samples(COMPARISON, number, number, 1, 1, blocks, None, None, None, None)


def noisy(seed, effect=lambda k, order, rng: 0.0, blocks=20, replicates=10):
    rng = random.Random(seed)
    found = []
    for number in range(replicates):
        orders = [rng.choice(("ABBA", "BAAB")) for _ in range(blocks)]
        ratios = [math.exp(effect(k, order, rng) + rng.gauss(0, 0.01)) for k, order in enumerate(orders)]
        found.append(replicate(number, [block(order, ratio) for order, ratio in zip(orders, ratios, strict=True)]))
    return found


def test_a_block_that_was_disturbed_from_outside_does_not_count():
    undisturbed = [block("ABBA", 0.5)] * 5
    disturbed = [replicate(r, [*undisturbed, block("ABBA", 9.0, "stolen")]) for r in range(3)]
    assert math.isclose(estimate_result(COMPARISON, disturbed, 0.95).cpu.speedup, 2.0)
    assert estimate_result(COMPARISON, disturbed, 0.95).flags == ["unstable: 3 of 18 blocks invalid"]


def test_a_wild_value_without_a_cause_from_outside_counts():
    wild = replicate(0, [block("ABBA", 9.0)] * 3)
    assert len(valid_blocks(wild)) == 3


def test_a_replicate_whose_blocks_are_all_invalid_keeps_them():
    assert len(valid_blocks(replicate(0, [block("ABBA", 0.5, "stolen")] * 3))) == 3


def test_quiet_samples_raise_no_flag():
    flagged = sum(bool(flag_quality(noisy(seed))) for seed in range(100))
    assert flagged <= 5  # three tests at 1 % each


@pytest.mark.parametrize(
    ("flag", "effect"),
    [
        ("drift", lambda k, order, rng: 0.003 * k),
        ("position", lambda k, order, rng: 0.04 if order == "ABBA" else 0.0),
    ],
)
def test_a_planted_disturbance_is_flagged(flag, effect):
    assert flag in [each.split(":")[0] for each in flag_quality(noisy(1, effect))]


def test_blocks_that_follow_their_neighbours_are_flagged():
    level = [0.0]

    def wandering(k, order, rng):
        level[0] = 0.95 * level[0] + rng.gauss(0, 0.02)
        return level[0]

    assert "autocorrelation: neighbouring blocks resemble each other" in flag_quality(noisy(1, wandering, blocks=40))


class Machine:
    """The clocks and counters that a Watch reads, set by hand."""

    def __init__(self, monkeypatch):
        self.monotonic = self.time = self.boot = 1000.0
        self.stolen = 50
        monkeypatch.setattr(environment.time, "monotonic", lambda: self.monotonic)
        monkeypatch.setattr(environment.time, "time", lambda: self.time)
        monkeypatch.setattr(environment, "_read_boot_time", lambda: self.boot)
        monkeypatch.setattr(environment, "read_stolen_ticks", lambda processor: self.stolen)

    def passes(self, seconds, asleep=0.0, jump=0.0, stolen=0):
        self.monotonic += seconds
        self.boot += seconds + asleep
        self.time += seconds + jump
        self.stolen += stolen


@pytest.mark.parametrize(
    ("happens", "cause"),
    [
        ({"seconds": 1.0}, None),
        ({"seconds": 1.0, "stolen": 1}, None),
        ({"seconds": 1.0, "stolen": 4}, None),
        ({"seconds": 1.0, "stolen": 8}, "0.08 s of 1.00 s were stolen by other machines"),
        ({"seconds": 1.0, "jump": -3.0}, "the clock jumped by -3.0 s"),
        ({"seconds": 1.0, "asleep": 60.0, "jump": 60.0}, "the machine slept for 60.0 s"),
    ],
)
def test_a_watch_names_the_cause_from_outside(happens, cause, monkeypatch):
    monkeypatch.setattr(environment, "TICK_S", 0.01)
    machine = Machine(monkeypatch)
    watch = Watch(0)
    machine.passes(**happens)
    assert watch.outside_cause() == cause
