"""Does Memo hand out what the stage would have computed, for as long as it may, and no longer?"""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_bench.memo import Memo, content_key


class FakeWorld:
    """A clock that the test moves, a directory, and resources that are closed at the end."""

    def __init__(self, directory: Path) -> None:
        self.time = 0.0
        self.directory = directory
        self.resources = ExitStack()

    def now(self) -> float:
        return self.time


class Doubled:
    """A stage that counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, world, value):
        self.calls += 1
        return value * 2


def test_a_value_is_computed_once_per_key(tmp_path):
    stage, world = Doubled(), FakeWorld(tmp_path)
    memo = Memo(stage)
    assert [memo(world, value) for value in (1, 2, 1, 2, 1)] == [2, 4, 2, 4, 2]
    assert stage.calls == 2
    assert (memo.hits, memo.misses) == (3, 2)


def test_none_is_remembered_like_any_other_value(tmp_path):
    calls = []
    memo = Memo(lambda world, value: calls.append(value))
    world = FakeWorld(tmp_path)
    assert memo(world, 1) is None
    assert memo(world, 1) is None
    assert calls == [1]


def test_an_entry_expires_on_the_clock_of_the_world(tmp_path):
    stage, world = Doubled(), FakeWorld(tmp_path)
    memo = Memo(stage, ttl_s=60)
    memo(world, 1)
    world.time = 59.999
    memo(world, 1)
    assert stage.calls == 1
    world.time = 60.0
    memo(world, 1)
    assert stage.calls == 2


def test_a_full_memo_gives_up_its_oldest_entry(tmp_path):
    stage, world = Doubled(), FakeWorld(tmp_path)
    memo = Memo(stage, maxsize=2)
    for value in (1, 2, 3, 2, 1):
        memo(world, value)
    assert stage.calls == 4


def test_two_memos_of_one_function_share_nothing(tmp_path):
    stage, world = Doubled(), FakeWorld(tmp_path)
    Memo(stage)(world, 1)
    Memo(stage)(world, 1)
    assert stage.calls == 2


def test_entries_survive_a_restart_on_disk(tmp_path):
    stage = Doubled()
    with FakeWorld(tmp_path).resources:
        world = FakeWorld(tmp_path)
        with world.resources:
            assert Memo(stage, disk=True)(world, 21) == 42
    restarted = FakeWorld(tmp_path)
    memo = Memo(stage, disk=True)
    assert memo(restarted, 21) == 42
    assert stage.calls == 1
    assert memo.hits == 1


def test_entries_of_another_schema_are_not_served_after_a_restart(tmp_path):
    stage, world = Doubled(), FakeWorld(tmp_path)
    with world.resources:
        Memo(stage, disk=True, schema="weights 1")(world, 21)
    Memo(stage, disk=True, schema="weights 2")(FakeWorld(tmp_path), 21)
    assert stage.calls == 2


def test_an_entry_on_disk_expires_too(tmp_path):
    stage, world = Doubled(), FakeWorld(tmp_path)
    with world.resources:
        Memo(stage, disk=True, ttl_s=60)(world, 21)
    later = FakeWorld(tmp_path)
    later.time = 61.0
    Memo(stage, disk=True, ttl_s=60)(later, 21)
    assert stage.calls == 2


def test_nothing_is_written_before_the_world_closes(tmp_path):
    world = FakeWorld(tmp_path)
    Memo(Doubled(), disk=True)(world, 21)
    assert list(tmp_path.rglob("output.pkl")) == []
    world.resources.close()
    assert len(list(tmp_path.rglob("output.pkl"))) == 1


def frame_of(values, unit="us", names=("open", "close")):
    index = pd.date_range("2025-01-01", periods=len(values), freq="D", tz="UTC").as_unit(unit)
    return pd.DataFrame({names[0]: values, names[1]: values}, index=index)


def test_equal_frames_have_equal_keys_whatever_their_memory_layout():
    one = frame_of(np.arange(5.0))
    blocks = pd.DataFrame(index=one.index)
    for name in one.columns:
        blocks[name] = one[name].copy()
    assert one.equals(blocks)
    assert content_key(one) == content_key(blocks)


@pytest.mark.parametrize(
    "other",
    [
        frame_of(np.arange(5.0) + 1e-12),
        frame_of(np.arange(5.0).astype("float32")),
        frame_of(np.arange(5.0), unit="ns"),
        frame_of(np.arange(5.0), names=("open", "high")),
        frame_of(np.arange(4.0)),
    ],
    ids=["a value", "the dtype", "the unit of the index", "a column name", "the length"],
)
def test_frames_that_differ_have_different_keys(other):
    assert content_key(frame_of(np.arange(5.0))) != content_key(other)


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)


@given(values, values)
def test_keys_are_equal_exactly_when_contents_are(left, right):
    assert (content_key(left) == content_key(right)) == (repr(left) == repr(right))


def test_a_value_that_cannot_be_keyed_is_refused():
    with pytest.raises(TypeError, match="expected numbers, texts"):
        content_key(object())
