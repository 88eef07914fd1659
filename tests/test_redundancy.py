"""Is a calculation counted as redundant exactly where its inputs were there before and no cache had them?"""

import numpy as np
import pandas as pd
import pytest

from argo_bench.optimizations import subjects
from argo_bench.optimizations._redundancy import COMPUTING, NAME, Watched, count_redundant, make_key
from argo_bench.study.counts import replay
from argo_bench.study.recording import record


class Cached:
    def __init__(self):
        self.hits = 0
        self._known = {}

    def __call__(self, world, number):
        if number in self._known:
            self.hits += 1
        else:
            self._known[number] = -number
        return self._known[number]


def test_a_repeated_input_is_redundant():
    stage = Watched(lambda world, number: -number)
    assert [stage(None, each) for each in (1, 2, 1, 1)] == [-1, -2, -1, -1]
    assert (stage.calls, stage.redundant) == (4, 2)


def test_what_a_cache_finds_is_not_redundant():
    stage = Watched(Cached())
    assert [stage(None, each) for each in (1, 2, 1, 1)] == [-1, -2, -1, -1]
    assert (stage.calls, stage.redundant) == (4, 0)


def test_frames_are_told_apart_by_their_numbers():
    frame = pd.DataFrame({"close": np.arange(3.0)})
    assert make_key((frame,)) == make_key((frame.copy(),))
    assert make_key((frame,)) != make_key((frame.assign(close=1.0),))
    assert make_key(("TRENDING", frame)) != make_key(("VOLATILE", frame))


def test_a_stage_that_writes_into_its_frame_is_asked_about_the_frame_as_it_came():
    def write(world, frame):
        frame["more"] = 1.0

    stage, frame = Watched(write), pd.DataFrame({"close": np.arange(3.0)})
    stage(None, frame.copy())
    stage(None, frame.copy())
    assert stage.redundant == 1


@pytest.mark.slow
def test_every_arm_is_watched_and_caches_make_calculations_redundant(small_universe):
    optimization = subjects()["ALL"]
    workload = optimization.workload(NAME)
    recording = record(workload, small_universe, 24, 1).until(12)
    found = {name: replay(workload, edit, recording) for name, edit in optimization.edits(workload).items()}
    for each in found.values():
        assert all(isinstance(getattr(each.pipeline, part), Watched) for part in COMPUTING)
    counts = {name: count_redundant(each, each) for name, each in found.items()}
    assert counts["baseline"]["calculations"] == 12 * 6 * 4
    assert counts["first five, prescribed"]["redundant"] > counts["prescribed"]["redundant"]
    assert counts["first five, engineered"]["redundant"] > counts["engineered"]["redundant"] > 0
