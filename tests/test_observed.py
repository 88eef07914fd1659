"""Is it seen what ran in the background, and how old the data of decisions were?"""

import asyncio
import dataclasses
from types import SimpleNamespace

import pytest

from argo_bench.optimizations.optimization import CYCLE, Workload
from argo_bench.pipeline.model import Fetched
from argo_bench.study.counts import replay
from argo_bench.study.observed import looks
from argo_bench.study.recording import record

CYCLES = Workload("w", CYCLE, "trace", "a test", (12,), "cycles", symbols=4, latency_scale=0.1, opinion_minutes=0.0)


@pytest.fixture(scope="module")
def recording(small_universe):
    return record(CYCLES, small_universe, 12, 1)


def observed(recording, edit):
    return replay(CYCLES, edit, recording).observed


def test_the_baseline_decides_on_the_market_of_its_cycle_and_leaves_nothing_running(recording):
    done = replay(CYCLES, lambda pipeline: pipeline, recording)
    seen = done.observed
    assert seen["requests_per_row"] == done.world.ledger.requests.total() / done.world.ledger.rows
    assert (seen["background_requests"], seen["drained_s"]) == (0, 0)
    assert (seen["data_age_p50_s"], seen["data_age_p99_s"]) == (0, 0)


class Old:
    """A fetch stage that serves what it fetched first."""

    def __init__(self, fetch):
        self.__wrapped__ = fetch
        self.kept = {}

    async def __call__(self, world, symbol):
        if symbol not in self.kept:
            self.kept[symbol] = self.__wrapped__(world, symbol)
        fresh = self.kept[symbol]
        return Fetched(fresh.bars, fresh.opinions)


def test_data_that_are_served_for_long_are_as_old_as_the_market_that_they_show(recording):
    seen = observed(recording, lambda pipeline: pipeline.replace(fetch=Old(pipeline.fetch)))
    assert seen["data_age_p99_s"] > seen["data_age_p50_s"] >= 0
    assert seen["data_age_p99_s"] <= 55.0


def test_what_is_asked_in_the_background_is_seen_by_provider(recording):
    tasks = set()

    def with_a_question_aside(pipeline):
        async def ask(world, symbol):
            await world.opinion("sonar", symbol, "opinion")

        def fetch(world, symbol):
            tasks.add(asyncio.ensure_future(ask(world, symbol)))
            return pipeline.fetch(world, symbol)

        return pipeline.replace(fetch=fetch)

    seen = observed(recording, with_a_question_aside)
    assert 0 < seen["background_requests"] <= 48
    assert seen["background sonar"] == seen["background_requests"]


def test_a_price_in_single_precision_still_looks_the_same(small_universe):
    frame = next(iter(small_universe.frames.values()))
    values = frame[["open", "high", "low", "close", "volume"]].to_numpy().T
    bars = SimpleNamespace(timestamps=frame.index.to_numpy(), values=values)
    assert looks(bars) == looks(SimpleNamespace(**{**vars(bars), "values": values.astype("float32")}))


def test_of_a_stage_without_background_work_nothing_is_said(small_universe):
    workload = dataclasses.replace(CYCLES, stage="fetch")
    seen = replay(workload, lambda pipeline: pipeline, record(workload, small_universe, 12, 1)).observed
    assert seen == {}
