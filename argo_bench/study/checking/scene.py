"""The world of a case: what the providers say, refuse and take their time for is written down, and nothing else moves.

The clock stands still unless the case lets time pass, so that a case gives the same result on every machine.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from argo_bench.pipeline.model import Bars, Decision, Redis, Request, StoreError
from argo_bench.pipeline.record import Cycle, Pipeline, cycle, settle
from argo_bench.pipeline.world.clock import NS
from argo_bench.pipeline.world.database import FILE_NAME
from argo_bench.pipeline.world.simulated import SimulatedWorld, Simulation
from argo_bench.study.checking.differences import Raised, Rows

Question = tuple[str, str, str]
"""A provider, a symbol, and what is asked for."""
PATIENCE_S = 600.0
"""A call that has not ended after these seconds of the virtual clock is taken for one that hangs."""


class Histories:
    """Is a market of which every symbol's bars are given, one history a cycle; the last one stays."""

    def __init__(self, histories: Mapping[str, Sequence[Bars]]) -> None:
        self._histories = histories
        self.symbols = tuple(histories)

    def bars(self, symbol: str, cycle: int) -> Bars:
        """Return the history of a cycle; its values are a copy that the caller owns."""
        known = self._histories[symbol]
        bars = known[min(cycle, len(known) - 1)]
        return replace(bars, values=bars.values.copy())


class Scene(SimulatedWorld):
    """Runs the stages of a pipeline for a case.

    ``says`` replaces what a provider answers to a question, ``refuses`` are the questions that are answered by an
    error, and ``takes_s`` are latencies. ``build`` builds the pipeline, newly for every start. Results are returned as
    they are; of a call that raised its error as ``Raised``, and of one that does not end ``Raised(TimeoutError)``.
    """

    def __init__(self, build: Callable[[], Pipeline], histories: Mapping[str, Sequence[Bars]]) -> None:
        simulation = Simulation(busy_ns=_stand_still, error_rate=1.0, handshake_s=0.0, prepare_ahead=False)
        super().__init__(Histories(histories), simulation, seed=1, durable=False)
        self.round_trip_ns = 0
        self.ignore_abandoned_tasks()
        self._build = build
        self.pipeline = build()
        self.transport = self.pipeline.transport
        self.says: dict[Question, Any] = {}
        self.refuses: set[Question] = set()
        self.takes_s: dict[Question, float] = {}
        self.is_store_unplugged = False
        self.begin(0)

    def _fails(self, request: Request) -> bool:
        return _question(request) in self.refuses

    def _latency_ns(self, request: Request) -> int:
        return round(self.takes_s.get(_question(request), 0.0) * NS)

    def _answer(self, request: Request) -> Any:
        question = _question(request)
        return self.says[question] if question in self.says else super()._answer(request)

    def pass_time(self, seconds: float) -> None:
        """Let time pass within a cycle."""
        self.clock.jump_to(self.clock.virtual_ns + round(seconds * NS))

    def pass_cycles(self, cycles: int) -> None:
        """Go on to a later cycle."""
        self.begin(self.cycle + cycles)

    def call(self, stage: str, *arguments: Any) -> Any:
        """Run a stage of the pipeline to its end."""
        return self._finish(lambda: self._call(stage, arguments))

    def call_together(self, stage: str, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run several calls of a stage side by side, and return their results in the order of the calls."""
        found: Any = self._finish(lambda: self._gather(self._call(stage, arguments) for arguments in calls))
        return found if isinstance(found, list) else [found]

    def call_and_leave(self, stage: str, calls: Sequence[tuple[Any, ...]], seconds: float) -> list[Any]:
        """Run several calls side by side, cancel the first of them after some seconds, and return the others' results.

        What the first would have brought is nothing that anybody waits for, so that None stands in its place.
        """
        found: Any = self._finish(lambda: self._leave(stage, calls, seconds))
        return found if isinstance(found, list) else [found]

    def request(self, *requests: Request) -> list[Any]:
        """Send requests side by side through the pipeline's transport, and return their answers in their order."""
        found: Any = self._finish(lambda: self._gather(self._send(each) for each in requests))
        return found if isinstance(found, list) else [found]

    def walk(self) -> Cycle | Raised:
        """Run the whole cycle."""
        found: Cycle | Raised = self._finish(lambda: cycle(self.pipeline, self, self.market.symbols, self.cycle))
        return found

    def schedule(self, symbols: Sequence[str] | None = None) -> list[Decision] | Raised:
        """Run the schedule alone, on all symbols or on some."""
        walked = self.market.symbols if symbols is None else symbols
        found: list[Decision] | Raised = self.call("schedule", self.pipeline, walked)
        return found

    def stored_rows(self) -> Rows:
        """Return the rows that another process would see now, in the order of their numbers."""
        if not (self.directory / FILE_NAME).exists():
            return Rows()
        with closing(sqlite3.connect(self.directory / FILE_NAME)) as connection:
            return Rows(connection.execute("SELECT * FROM signals ORDER BY id"))

    @property
    def redis(self) -> Redis:
        """Return the shared store; raises StoreError while it is unplugged."""
        if self.is_store_unplugged:
            raise StoreError("the shared store does not answer")
        return super().redis

    def damage_store(self) -> None:
        """Cut off the end of everything that the shared store keeps."""
        self._redis.damage()

    def damage_files(self) -> None:
        """Cut off the end of every file that the pipeline keeps beside the database."""
        for file in self.directory.rglob("*"):
            if file.is_file() and not file.name.startswith(FILE_NAME):
                file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    def drain(self) -> None:
        """Close what the pipeline has open, so that nothing is put off any more."""
        self._finish(self.resources.aclose)

    def restart(self) -> None:
        """Go on as a new process would: with a pipeline that is built anew, and what the old one left on the disk."""
        self.drain()
        self.pipeline = self._build()
        self.transport = self.pipeline.transport

    def __exit__(self, *exception: object) -> None:
        self.discard()

    def _finish(self, start: Callable[[], Any]) -> Any:
        try:
            return self.run(_with_patience(start()))
        except Exception as error:  # noqa: BLE001 - whatever a variant raises is its result
            return Raised(error)

    async def _call(self, stage: str, arguments: tuple[Any, ...]) -> Any:
        return await settle(getattr(self.pipeline, stage)(self, *arguments))

    async def _leave(self, stage: str, calls: Sequence[tuple[Any, ...]], seconds: float) -> list[Any]:
        leaving, *staying = [asyncio.ensure_future(self._call(stage, arguments)) for arguments in calls]
        await asyncio.sleep(seconds)
        leaving.cancel()
        return [None, *await self._gather(staying)]

    async def _send(self, request: Request) -> Any:
        return await settle(self.transport(self, request))

    async def _gather(self, calls: Iterable[Any]) -> list[Any]:
        found = await asyncio.gather(*calls, return_exceptions=True)
        return [Raised(each) if isinstance(each, BaseException) else each for each in found]


async def _with_patience(work: Any) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        return await work


def _stand_still() -> int:
    return 0


def _question(request: Request) -> Question:
    return request.provider, request.symbol, request.what
