"""Does Memo hand out what the stage would have computed, for as long as it may, and no longer?"""

import asyncio
import pickle
from collections import namedtuple
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_bench.pipeline.memo import Entry, Memo, content_key, seal
from argo_bench.pipeline.model import Consensus


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


def test_a_refreshed_entry_is_the_youngest(tmp_path):
    stage, world = Doubled(), FakeWorld(tmp_path)
    memo = Memo(stage, ttl_s=60, maxsize=3)
    memo(world, 1)
    world.time = 30.0
    memo(world, 2)
    world.time = 60.0
    for value in (1, 3, 4, 1):
        memo(world, value)
    assert (memo.hits, memo.misses) == (1, 5)


def test_a_memo_without_room_is_refused():
    with pytest.raises(ValueError, match="got maxsize 0"):
        Memo(Doubled(), maxsize=0)


@given(
    st.lists(st.tuples(st.integers(0, 7), st.floats(0, 4)), max_size=60),
    st.integers(1, 6),
    st.none() | st.floats(1, 10),
)
def test_it_agrees_with_a_plain_dictionary_with_a_bound_and_a_time_to_live(operations, maxsize, ttl_s):
    world = FakeWorld(Path())
    memo = Memo(lambda world, key: (key, world.now()), ttl_s=ttl_s, maxsize=maxsize)
    model: dict[int, float] = {}
    hits = 0
    for key, step in operations:
        world.time += step
        if key in model and (ttl_s is None or world.time - model[key] < ttl_s):
            hits += 1
        else:
            model.pop(key, None)
            model[key] = world.time
            if len(model) > maxsize:
                del model[next(iter(model))]
        assert memo(world, key) == (key, model[key])
    assert (memo.hits, memo.misses) == (hits, len(operations) - hits)


def test_a_hit_takes_no_lock(tmp_path):
    world = FakeWorld(tmp_path)
    memo = Memo(Doubled(), ttl_s=60)
    memo(world, 1)
    memo._lock = None
    assert memo(world, 1) == 2


@dataclass(frozen=True)
class Frozen:
    part: object


@dataclass
class Thawed:
    part: object


class Subclass(Frozen):
    """Its instances take attributes: only the fields of the parent are frozen."""


Pair = namedtuple("Pair", "left right")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        0.5,
        np.float64(0.5),
        "text",
        b"bytes",
        (1, ("a", None)),
        Pair(1, 2),
        frozenset({1, (2, 3)}),
        Consensus("LONG", 80.0),
        Frozen(Frozen(())),
    ],
    ids=repr,
)
def test_an_immutable_value_is_remembered(tmp_path, value):
    memo, world = Memo(lambda world: value), FakeWorld(tmp_path)
    assert memo(world) is memo(world) is value


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ([1], "list"),
        ({"direction": "LONG"}, "dict"),
        ({1}, "set"),
        (bytearray(b"a"), "bytearray"),
        (np.zeros(1), "ndarray"),
        ((1, ("a", [])), "list"),
        (Pair(1, {}), "dict"),
        (Frozen(Frozen([])), "list"),
        (Thawed(1), "Thawed"),
        (Subclass(1), "Subclass"),
    ],
    ids=repr,
)
def test_a_value_that_a_caller_could_change_is_refused_and_not_kept(tmp_path, value, named):
    calls = []
    memo, world = Memo(lambda world: calls.append(1) or value), FakeWorld(tmp_path)
    for _ in range(2):
        with pytest.raises(TypeError, match=f"expected an immutable value.*got '{named}'.*return numbers, texts"):
            memo(world)
    assert calls == [1, 1]


def test_a_value_that_is_not_to_be_kept_is_computed_anew_and_not_written(tmp_path):
    calls = []

    def stage(world, value):
        calls.append(value)
        return "template" if len(calls) == 1 else "model"

    world = FakeWorld(tmp_path)
    memo = Memo(stage, disk=True, keep=lambda author: author == "model")
    assert [memo(world, 1) for _ in range(3)] == ["template", "model", "model"]
    assert (memo.hits, memo.misses) == (1, 2)
    world.resources.close()
    assert Memo(stage, disk=True)(FakeWorld(tmp_path), 1) == "model"


def test_a_value_that_is_not_to_be_kept_is_not_written(tmp_path):
    world = FakeWorld(tmp_path)
    Memo(Doubled(), disk=True, keep=lambda value: False)(world, 21)
    world.resources.close()
    assert list(tmp_path.rglob("output.pkl")) == []


def test_a_failure_is_raised_and_not_kept(tmp_path):
    calls = []

    def stage(world):
        calls.append(1)
        if len(calls) == 1:
            raise OSError("gone")
        return 42

    memo, world = Memo(stage), FakeWorld(tmp_path)
    with pytest.raises(OSError, match="gone"):
        memo(world)
    assert memo(world) == 42
    assert (memo.hits, memo.misses) == (0, 1)


def written(directory, stage, *values):
    world = FakeWorld(directory)
    memo = Memo(stage, disk=True)
    for value in values:
        memo(world, value)
    world.resources.close()
    return list(directory.rglob("output.pkl"))


def truncated(file):
    file.write_bytes(file.read_bytes()[:-3])


def emptied(file):
    file.write_bytes(b"")


def garbled(file):
    file.write_bytes(b"\x80\x05 this is no pickle" * 9)


def flipped(file):
    content = file.read_bytes()
    place = content.rindex(b"K*") + 1  # the pickled number 42
    file.write_bytes(content[:place] + b"+" + content[place + 1 :])


def foreign(file):
    file.write_bytes(pickle.dumps({"somebody": "else's"}))


def unsealed_entry(file):
    file.write_bytes(pickle.dumps(Entry(0.0, 43)))


def sealed_for_another_key(file):
    file.write_bytes(pickle.dumps(seal("0" * 32, Entry(0.0, 43))))


def of_another_shape(file):
    digest = content_key("Doubled:", content_key(21)).hex()
    file.write_bytes(pickle.dumps(seal(digest, (0.0, 43, "more"))))


DAMAGES = [
    *(truncated, emptied, garbled, flipped, foreign),
    *(unsealed_entry, sealed_for_another_key, of_another_shape),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_corrupted_entry_is_computed_anew_counted_and_replaced(tmp_path, damage):
    stage = Doubled()
    (file,) = written(tmp_path, stage, 21)
    damage(file)

    world = FakeWorld(tmp_path)
    memo = Memo(stage, disk=True)
    assert memo(world, 21) == 42
    assert (stage.calls, memo.hits, memo.misses, memo.corrupt_entries) == (2, 0, 1, 1)
    world.resources.close()

    restarted = Memo(stage, disk=True)
    assert restarted(FakeWorld(tmp_path), 21) == 42
    assert (stage.calls, restarted.hits, restarted.corrupt_entries) == (2, 1, 0)


def test_the_file_of_one_key_is_not_served_for_another(tmp_path):
    stage = Doubled()
    one, other = written(tmp_path, stage, 21, 4)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    memo = Memo(stage, disk=True)
    world = FakeWorld(tmp_path)
    assert [memo(world, 21), memo(world, 4)] == [42, 8]
    assert memo.corrupt_entries == 2


def test_an_expired_entry_on_disk_is_replaced(tmp_path):
    stage = Doubled()
    for now in (0.0, 61.0, 100.0):
        world = FakeWorld(tmp_path)
        world.time = now
        with world.resources:
            Memo(stage, disk=True, ttl_s=60)(world, 21)
    assert stage.calls == 2


def test_entries_are_found_again_by_another_process_whatever_joblib_noted_in_the_first(tmp_path, monkeypatch):
    from joblib import memory

    stage = Doubled()
    written(tmp_path / "a world before, in the same process", stage, 1)
    written(tmp_path / "this one", stage, 21)
    monkeypatch.setattr(memory, "_FUNCTION_HASHES", type(memory._FUNCTION_HASHES)())  # as a new process begins
    memo = Memo(stage, disk=True)
    assert memo(FakeWorld(tmp_path / "this one"), 21) == 42
    assert (stage.calls, memo.hits) == (2, 1)


def test_what_waits_to_be_written_is_bounded_too(tmp_path):
    world = FakeWorld(tmp_path)
    memo = Memo(Doubled(), disk=True, maxsize=3)
    for value in range(10):
        memo(world, value)
    world.resources.close()
    assert len(list(tmp_path.rglob("output.pkl"))) == 3


def test_entries_of_an_awaited_stage_survive_a_restart_and_are_awaited_again(tmp_path):
    calls = []

    async def stage(world, value):
        calls.append(value)
        return value * 2

    async def ask(memo, world):
        return await memo(world, 21)

    world = FakeWorld(tmp_path)
    assert asyncio.run(ask(Memo(stage, disk=True), world)) == 42
    world.resources.close()
    restarted = Memo(stage, disk=True)
    world = FakeWorld(tmp_path)
    assert [asyncio.run(ask(restarted, world)) for _ in range(2)] == [42, 42]
    assert (calls, restarted.hits) == ([21], 2)


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
