"""Does a run know how long it will take?"""

import random

import pytest

from argo_bench.harness.pace import LEAST_SHARE, Pace, share_of_blocks


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


PARTS = {"checks": (30, 1.0), "counts": (40, 2.0), "times": (120, 1.5)}


SPEEDS, SEEDS = (0.5, 0.8, 1.0, 1.6, 2.0), range(20)


def misses(speeds, rng, since=0.25, until=0.9):
    """By how much the remaining time that is told misses the true one, as a share of it, after every unit between two
    shares of a run whose units take the expected time times the speed of their part, give or take 30 %."""
    clock = Clock()
    pace = Pace(1000.0, clock)
    for part, (units, unit_s) in PARTS.items():
        pace.plan(part, units, unit_s)
    told = []
    for (part, (units, unit_s)), speed in zip(PARTS.items(), speeds, strict=True):
        for _ in range(units):
            clock.now += speed * unit_s * rng.uniform(0.7, 1.3)
            pace.did(part)
            told.append((pace.elapsed_s, pace.to_come_s()))
    total = pace.elapsed_s
    return [abs(to_come / (total - spent) - 1) for spent, to_come in told if since * total <= spent <= until * total]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("speed", SPEEDS)
def test_after_the_first_quarter_the_remaining_time_is_within_a_fifth_of_the_truth(speed, seed):
    assert misses([speed] * len(PARTS), random.Random(seed))[0] < 0.2


@pytest.mark.parametrize("speed", SPEEDS)
def test_it_stays_within_a_fifth_where_a_part_begins(speed):
    assert max(max(misses([speed] * len(PARTS), random.Random(seed))) for seed in SEEDS) < 0.2


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_that_are_each_faster_or_slower_than_expected_are_known_once_the_last_one_is_well_under_way(seed):
    rng = random.Random(seed)
    assert max(misses([2 ** rng.uniform(-1, 1) for _ in PARTS], rng, since=0.75)) < 0.2


def test_nothing_is_to_come_when_all_is_done():
    clock = Clock()
    pace = Pace(10.0, clock)
    pace.plan("checks", 2, 1.0)
    for _ in range(2):
        clock.now += 3.0
        pace.did("checks")
    assert pace.to_come_s() == 0.0
    assert pace.left_s == 4.0


def test_a_part_may_turn_out_larger_or_smaller_than_planned():
    clock = Clock()
    pace = Pace(10.0, clock)
    pace.plan("times", 10, 1.0)
    clock.now += 2.0
    pace.did("times")
    pace.plan("times", 3, 1.0)
    assert pace.to_come_s() == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("allowed_s", "taken_s", "share"),
    [(30.0, 10.0, 1.0), (20.0, 10.0, 0.5), (5.0, 10.0, LEAST_SHARE), (-3.0, None, LEAST_SHARE), (25.0, None, 1.0)],
)
def test_blocks_get_what_the_time_beside_them_leaves(allowed_s, taken_s, share):
    assert share_of_blocks(allowed_s, blocks_s=20.0, taken_s=taken_s, planned_s=5.0) == share
