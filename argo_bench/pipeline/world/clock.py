"""Time in the simulated world is kept here: two clocks, and an event loop that jumps over idle time.

The *virtual* clock advances only by waiting: CPU costs nothing, so everything counted or compared on it is
deterministic. The *hybrid* clock is real busy time plus the idle time that was skipped: it shows what a wall clock
would have shown if the waits had been real. All values are integer nanoseconds, so that sums are exact.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any, NoReturn, TypeVarTuple

NS = 1_000_000_000
Ts = TypeVarTuple("Ts")


def nanoseconds(seconds: float) -> int:
    return round(seconds * NS)


class Clock:
    """Keeps the virtual and the hybrid clock of one world. ``busy_ns`` counts real time; tests inject their own."""

    __slots__ = ("_busy_ns", "_skipped_ns", "_stopped_at_ns", "virtual_ns")

    def __init__(self, busy_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._busy_ns = busy_ns
        self._skipped_ns = 0
        self._stopped_at_ns: int | None = None
        self.virtual_ns = 0

    def hybrid_ns(self) -> int:
        busy = self._busy_ns() if self._stopped_at_ns is None else self._stopped_at_ns
        return busy + self._skipped_ns

    def block(self, duration_ns: int) -> None:
        """Advance both clocks by a wait during which nothing else runs."""
        self.virtual_ns += duration_ns
        self._skipped_ns += duration_ns

    def jump_to(self, virtual_ns: int) -> None:
        """Advance the virtual clock to a time, unless it is past it.

        The hybrid clock follows when the waiting task wakes, by ``catch_up``.
        """
        self.virtual_ns = max(self.virtual_ns, virtual_ns)

    def catch_up(self, hybrid_ns: int) -> None:
        """Advance the hybrid clock to the time at which a waking
        task was due: what was not spent busy until then was idle."""
        self._skipped_ns += max(0, hybrid_ns - self.hybrid_ns())

    def stop(self) -> None:
        """Stop the hybrid clock, while the other side of a request computes or the worker waits for its turn."""
        if self._stopped_at_ns is None:
            self._stopped_at_ns = self._busy_ns()

    def go(self) -> None:
        if self._stopped_at_ns is not None:
            self._skipped_ns -= self._busy_ns() - self._stopped_at_ns
            self._stopped_at_ns = None


class _JumpingSelector(selectors.BaseSelector):
    """Never waits for anything real: where the loop would sleep, it makes the virtual clock jump."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, fileobj if isinstance(fileobj, int) else fileobj.fileno(), events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task of the simulated world waits for something that no timer will bring")
        if timeout > 0:
            self._clock.jump_to(self._clock.virtual_ns + nanoseconds(timeout))
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Schedules by the virtual clock, so that wake-ups come in
    a deterministic order, and keeps the hybrid clock as well.

    Every timer carries the hybrid time at which it is due; when it fires, the hybrid clock catches up to that time
    unless it has passed it already. Concurrency and the critical path come out as on a wall clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        return self._clock.virtual_ns / NS

    @property
    def has_work(self) -> bool:
        """Whether a callback is ready or a timer is set, so that something would happen if time passed."""
        return bool(self._ready or self._scheduled)  # type: ignore[attr-defined]

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        due_ns = self._clock.hybrid_ns() + max(0, nanoseconds(when - self.time()))

        def wake() -> None:
            self._clock.catch_up(due_ns)
            callback(*args)

        return super().call_at(when, wake, context=context)


def _refuse(self: SimulatedLoop, *args: Any, **kwargs: Any) -> NoReturn:
    raise RuntimeError(
        "the simulated world has no sockets, threads or subprocesses; what is about them belongs to the loopback world"
    )


for _name in (
    *("run_in_executor", "add_reader", "add_writer", "getaddrinfo", "subprocess_exec", "subprocess_shell"),
    *("create_connection", "create_server", "create_unix_connection", "create_unix_server", "create_datagram_endpoint"),
    *("sock_connect", "sock_accept", "sock_recv", "sock_recv_into", "sock_sendall", "connect_read_pipe"),
):
    setattr(SimulatedLoop, _name, _refuse)
