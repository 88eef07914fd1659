"""Does Memo compute once for all who ask at a time, and hand nobody a stale, torn or foreign value?"""

import asyncio
import random
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.pipeline.world.clock import Clock, SimulatedLoop
from tests.test_memo import FakeWorld

OPERATIONS = 200_000
THREADS = 4
ROUNDS = 100
TTL_S = 10.0


class Closed:
    """A market in which nothing is traded."""

    symbols = ()


class Model:
    """What Memo is meant to be: a plain dictionary with a time to live, counted by hand."""

    def __init__(self):
        self.stored_at = {}
        self.computed = Counter()

    def ask(self, key, now):
        if key not in self.stored_at or now - self.stored_at[key] >= TTL_S:
            self.stored_at[key] = now
            self.computed[key] += 1


class Watched:
    """A stage that notes what was computed, and whether one key was ever computed twice at a time."""

    def __init__(self):
        self.computed = Counter()
        self.overlaps = 0
        self._running = Counter()

    def __call__(self, world, key):
        self._running[key] += 1
        self.overlaps += self._running[key] > 1
        value = (key, world.now(), str(key) * 3)
        self.computed[key] += 1
        self._running[key] -= 1
        return value


class WatchedAsync(Watched):
    async def __call__(self, world, key):
        self._running[key] += 1
        self.overlaps += self._running[key] > 1
        now = world.now()
        await asyncio.sleep(0)
        self.computed[key] += 1
        self._running[key] -= 1
        return key, now, str(key) * 3


@pytest.fixture
def restless():
    """Threads are switched as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(*calls):
    """What each call returned or raised, all of them started together."""
    outcomes = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(place, call):
        start.wait()
        try:
            outcomes[place] = call()
        except BaseException as error:  # noqa: BLE001 - an outcome like any other
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def plan(number, keys):
    """The keys that each worker asks for in each round."""
    rng = random.Random(number)
    each = OPERATIONS // ROUNDS // THREADS
    return [[rng.choices(range(keys), k=each) for _ in range(THREADS)] for _ in range(ROUNDS)]


def test_200_000_operations_of_four_threads_agree_with_a_plain_dictionary(restless):
    world, stage, model = FakeWorld(Path()), Watched(), Model()
    memo = Memo(stage, lambda key: key, ttl_s=TTL_S)
    rounds = plan(1, keys=300)
    # The clock stands still within a round, so that the model knows every time of storage.
    steps = random.Random(2)
    times = [sum(steps.choices((0.0, 0.5, 4.0), k=1)) for _ in rounds]
    wrong = []

    def advance():
        if rounds_left:
            world.time += times[ROUNDS - len(rounds_left)]
            for key in {key for keys in rounds_left.pop(0) for key in keys}:
                model.ask(key, world.time)

    rounds_left = list(rounds)
    barrier = threading.Barrier(THREADS, action=advance)

    def work(thread):
        for each in rounds:
            barrier.wait()
            for key in each[thread]:
                if memo(world, key) != (key, model.stored_at[key], str(key) * 3):
                    wrong.append(key)

    assert in_threads(*(lambda thread=thread: work(thread) for thread in range(THREADS))) == [None] * THREADS
    assert wrong == []
    assert stage.computed == model.computed
    assert max(model.computed.values()) > 3
    assert stage.overlaps == 0
    assert memo.misses == model.computed.total()
    assert memo.hits == OPERATIONS - memo.misses


def test_200_000_operations_of_four_threads_keep_the_bound(restless):
    world, stage = FakeWorld(Path()), Watched()
    memo = Memo(stage, lambda key: key, ttl_s=TTL_S, maxsize=64)
    wrong, sizes = [], set()

    def work(thread):
        rng = random.Random(thread)
        for number in range(OPERATIONS // THREADS):
            if thread == 0 and number % 500 == 0:
                world.time += 1.0
            key = min(rng.randrange(200), rng.randrange(200))
            before = world.time
            got, at, text = memo(world, key)
            sizes.add(len(memo._entries))
            if (got, text) != (key, str(key) * 3) or at <= before - TTL_S:
                wrong.append(key)

    assert in_threads(*(lambda thread=thread: work(thread) for thread in range(THREADS))) == [None] * THREADS
    assert wrong == []
    assert stage.overlaps == 0
    assert max(sizes) == 64
    assert memo.misses == stage.computed.total()
    assert memo.hits + memo.misses == OPERATIONS
    assert memo._flights == {}


def on_simulated_loop(work):
    loop = SimulatedLoop(Clock())
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


@pytest.mark.parametrize("run", [asyncio.run, on_simulated_loop], ids=["asyncio", "simulated"])
def test_200_000_awaited_operations_agree_with_a_plain_dictionary(run):
    world, stage, model = FakeWorld(Path()), WatchedAsync(), Model()
    memo = Memo(stage, lambda key: key, ttl_s=TTL_S)
    steps = random.Random(3)
    wrong = []

    async def work(keys):
        for key in keys:
            if await memo(world, key) != (key, model.stored_at[key], str(key) * 3):
                wrong.append(key)

    async def everything():
        for each in plan(4, keys=300):
            world.time += steps.choice((0.0, 0.5, 4.0))
            for key in {key for keys in each for key in keys}:
                model.ask(key, world.time)
            await asyncio.gather(*(work(keys) for keys in each))

    run(everything())
    assert wrong == []
    assert stage.computed == model.computed
    assert stage.overlaps == 0
    assert memo.misses == model.computed.total()
    assert memo.hits == OPERATIONS - memo.misses


class Gate:
    """A plain stage whose first computation goes on only when so many others wait for it."""

    def __init__(self, waiting, outcome):
        self.calls = 0
        self._waiting = waiting
        self._outcome = outcome
        self._joined = threading.Semaphore(0)

    def memo(self):
        memo = Memo(self, lambda key: key)
        joined = memo._join_flight

        def counting(*arguments):
            other = joined(*arguments)
            if other is not None:
                self._joined.release()
            return other

        memo._join_flight = counting
        return memo

    def __call__(self, world, key):
        self.calls += 1
        if self.calls > 1:
            return "later"
        for _ in range(self._waiting):
            self._joined.acquire()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


def outcomes_of_four_threads(outcome):
    gate, world = Gate(3, outcome), FakeWorld(Path())
    memo = gate.memo()
    return in_threads(*[lambda: memo(world, 1)] * 4), gate, memo, world


def test_threads_that_ask_at_a_time_share_one_computation():
    outcomes, gate, memo, _ = outcomes_of_four_threads("value")
    assert outcomes == ["value"] * 4
    assert gate.calls == 1
    assert (memo.hits, memo.misses) == (3, 1)


def test_a_failure_is_raised_in_every_thread_that_waits_and_is_not_kept():
    failure = OSError("gone")
    outcomes, gate, memo, world = outcomes_of_four_threads(failure)
    assert outcomes == [failure] * 4
    assert gate.calls == 1
    assert memo(world, 1) == "later"
    assert (memo.hits, memo.misses) == (0, 1)


def test_a_mutable_value_is_refused_in_every_thread_that_waits():
    outcomes, gate, _, _ = outcomes_of_four_threads(["value"])
    assert [type(each) for each in outcomes] == [TypeError] * 4
    assert gate.calls == 1


def test_a_value_that_is_not_kept_answers_every_thread_that_waits():
    gate, world = Gate(3, "value"), FakeWorld(Path())
    memo = gate.memo()
    memo._keep = lambda value: False
    assert in_threads(*[lambda: memo(world, 1)] * 4) == ["value"] * 4
    assert memo(world, 1) == "later"


def test_when_the_leading_thread_is_interrupted_another_takes_over():
    outcomes, gate, memo, _ = outcomes_of_four_threads(KeyboardInterrupt())
    assert sorted(map(str, outcomes)) == ["", "later", "later", "later"]
    assert gate.calls == 2
    assert memo._flights == {}


def test_threads_with_loops_of_their_own_share_values_and_compute_once_a_loop():
    world, both_compute = FakeWorld(Path()), threading.Barrier(2)
    begun = []

    async def stage(world, key):
        begun.append(key)
        both_compute.wait(timeout=60)
        return key * 2

    memo = Memo(stage, lambda key: key)

    async def ask():
        return await asyncio.gather(*(memo(world, key) for key in (1, 2, 1, 2, 1)))

    assert in_threads(*[lambda: asyncio.run(ask())] * 2) == [[2, 4, 2, 4, 2]] * 2
    assert sorted(begun) == [1, 1, 2, 2]
    assert asyncio.run(ask()) == [2, 4, 2, 4, 2]
    assert memo._flights == {}


class Slow:
    """An awaited stage that takes two seconds of whatever clock its loop has."""

    def __init__(self, *failures):
        self.begun = 0
        self.finished = 0
        self._failures = list(failures)

    async def __call__(self, world, value):
        self.begun += 1
        await asyncio.sleep(2)
        if self._failures:
            raise self._failures.pop(0)
        self.finished += 1
        return value * 2


@pytest.fixture
def world():
    with SimulatedWorld(Closed()) as world:
        yield world


def test_awaiting_callers_share_one_computation_and_all_wait_as_long_as_it_takes(world):
    slow = Slow()
    memo = Memo(slow)

    async def ask(after):
        await asyncio.sleep(after)
        started = world.now()
        return await memo(world, 21), world.now() - started

    async def everybody():
        return await asyncio.gather(*(ask(after) for after in (0.0, 0.5, 1.5, 3.0)))

    assert world.run(everybody()) == [(42, 2.0), (42, 1.5), (42, 0.5), (42, 0.0)]
    assert slow.begun == 1
    assert (memo.hits, memo.misses) == (3, 1)


def test_different_keys_are_computed_side_by_side(world):
    memo = Memo(Slow())
    started = world.now()

    async def everybody():
        return await asyncio.gather(*(memo(world, value) for value in range(5)))

    assert world.run(everybody()) == [0, 2, 4, 6, 8]
    assert world.now() - started == 2.0


def test_an_answer_of_an_awaited_stage_is_as_old_as_the_start_of_its_computation(world):
    slow = Slow()
    memo = Memo(slow, ttl_s=5)

    async def ask():
        await memo(world, 21)  # from 0 to 2
        await asyncio.sleep(2.9)
        await memo(world, 21)
        await asyncio.sleep(0.1)
        return await memo(world, 21)

    assert world.run(ask()) == 42
    assert slow.begun == 2


def test_an_answer_found_may_be_awaited_by_many_and_again(world):
    memo = Memo(Slow())

    async def ask():
        await memo(world, 21)
        found = memo(world, 21)
        return [await found, await found, *await asyncio.gather(found, found)]

    assert world.run(ask()) == [42] * 4


def test_the_others_get_their_value_when_the_leader_is_cancelled(world):
    slow = Slow()
    memo = Memo(slow)

    async def ask():
        return await memo(world, 21)

    async def everybody():
        leader, *others = (asyncio.create_task(ask()) for _ in range(4))
        await asyncio.sleep(1)
        leader.cancel()
        return await asyncio.gather(leader, *others, return_exceptions=True)

    outcomes = world.run(everybody())
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1:] == [42] * 3
    assert (slow.begun, slow.finished) == (2, 1)
    assert memo._flights == {}


def test_a_cancelled_follower_disturbs_nobody(world):
    slow = Slow()
    memo = Memo(slow)

    async def ask():
        return await memo(world, 21)

    async def everybody():
        leader, follower, other = (asyncio.create_task(ask()) for _ in range(3))
        await asyncio.sleep(1)
        follower.cancel()
        return await asyncio.gather(leader, other)

    assert world.run(everybody()) == [42, 42]
    assert slow.begun == 1


def test_nothing_runs_on_when_everybody_is_cancelled(world):
    slow = Slow()
    memo = Memo(slow)

    async def ask():
        return await memo(world, 21)

    async def everybody():
        tasks = [asyncio.create_task(ask()) for _ in range(3)]
        await asyncio.sleep(1)
        for task in tasks:
            task.cancel()
        await asyncio.sleep(5)
        return slow.begun, slow.finished, len(asyncio.all_tasks())

    assert world.run(everybody()) == (1, 0, 1)
    assert memo._flights == {}

    async def once():
        return await memo(world, 21)

    assert world.run(once()) == 42


def test_a_failure_is_raised_to_all_who_await_and_is_not_kept(world):
    failure = OSError("gone")
    slow = Slow(failure)
    memo = Memo(slow)

    async def everybody():
        first = await asyncio.gather(*(memo(world, 21) for _ in range(3)), return_exceptions=True)
        return first, await memo(world, 21)

    assert world.run(everybody()) == ([failure] * 3, 42)
    assert slow.begun == 2
    assert (memo.hits, memo.misses) == (0, 1)


def test_nobody_waits_for_a_call_that_is_never_awaited(world):
    slow = Slow()
    memo = Memo(slow)

    async def ask():
        await memo(world, 1)
        dropped = memo(world, 21)
        value = await memo(world, 21)
        dropped.close()
        return value

    assert world.run(ask()) == 42


def test_calls_that_are_awaited_in_another_order_compute_once(world):
    slow = Slow()
    memo = Memo(slow)

    async def ask():
        first, second = memo(world, 21), memo(world, 21)
        return await second, await first

    assert world.run(ask()) == (42, 42)
    assert (slow.begun, slow.finished) == (1, 1)


def test_a_stage_that_begins_when_called_is_begun_once(world):
    """Its awaitable is a task, not a coroutine that waits for its first step."""
    slow = Slow()
    memo = Memo(lambda world, value: asyncio.ensure_future(slow(world, value)))

    async def everybody():
        return await asyncio.gather(*(memo(world, 21) for _ in range(3)))

    assert world.run(everybody()) == [42] * 3
    assert slow.begun == 1
