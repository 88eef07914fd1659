"""Runs twin worker processes on one processor, of which only one runs at a time.

The orchestrator hands the turn over a socket and sleeps until the answer comes. Two arms never share a heap, a garbage
collector or a JIT, yet their samples interleave within milliseconds. Where the time of a run is bounded, a worker that
has not answered by then is ended.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import msgspec
import psutil

from argo_bench.harness.block_order import REFERENCE
from argo_bench.harness.machine.environment import THREAD_CAPS, Watch, worker_cpu
from argo_bench.harness.record.records import Block
from argo_bench.harness.workers.messages import Arm, Done, Forget, Message, Raised, Reply, Sample, Step, Taken

Expected = TypeVar("Expected")


class ArmFailed(Exception):
    """Says that a worker's request raised, or that the worker died.

    ``details`` is the traceback, where there is one. ``arm`` names the arm that was asked, where the request is about
    one. ``is_missing`` says that the arm's name leads to nothing, ``is_skipped`` that a suite leaves it out.
    """

    def __init__(
        self,
        reason: str,
        details: str = "",
        arm: str | None = None,
        is_missing: bool = False,
        is_skipped: bool = False,
    ) -> None:
        super().__init__(reason)
        self.details = details
        self.arm = arm
        self.is_missing = is_missing
        self.is_skipped = is_skipped


class OutOfTime(Exception):
    """Says that the time of a run was used up before a worker answered."""


@dataclass(frozen=True, slots=True)
class Program:
    """Says in which interpreter, folder and environment workers run; None stands for this process's own."""

    python: str = sys.executable
    folder: Path | None = None
    environment: Mapping[str, str] | None = field(default=None, hash=False)


LOOK_S = 0.5
"""A worker that has not answered is looked at so often: the end of one whose children live closes no connection."""
HERE = Program()
"""Workers run in this process's own interpreter."""
WORKERS = Path(__file__).parent
"""Every worker process begins with ``__main__`` in this folder."""


def job_command(name: str, *arguments: object, python: str = sys.executable) -> list[str]:
    """Return the command of a worker process that does a job: ``worker``, ``memory`` or ``counts``."""
    return [python, "-P", str(WORKERS / "__main__.py"), name, *map(str, arguments)]


class WorkerProcess:
    """Runs one worker, pinned to ``processor`` if there is one. ``hash_seed`` becomes its PYTHONHASHSEED.

    ``until`` is the moment of the monotonic clock at which it is ended, whatever it does; None stands for never.
    """

    def __init__(
        self,
        hash_seed: int,
        numba_cache: Path,
        processor: int | None,
        program: Program = HERE,
        until: float | None = None,
    ) -> None:
        self._begun_with = hash_seed, numba_cache, processor, program, until
        self._until = until
        ours, theirs = socket.socketpair()
        inherited = os.environ if program.environment is None else program.environment
        environment = {**inherited, **THREAD_CAPS}
        environment |= {"PYTHONHASHSEED": str(hash_seed), "NUMBA_CACHE_DIR": str(numba_cache)}
        self._process = subprocess.Popen(
            job_command(
                "worker",
                theirs.fileno(),
                -1 if processor is None else processor,
                os.getpid(),
                python=program.python,
            ),
            env=environment,
            cwd=program.folder,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__.fileno() if sys.__stderr__ is not None else subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the orchestrator alone, which then ends its workers.
        )
        theirs.close()
        self._connection = Connection(ours.detach())

    def ask(self, message: Message, expected: type[Expected]) -> Expected:
        """Send a message and return the reply.

        Raises ArmFailed when the request raised or the process died, OutOfTime when there is no reply in time.
        """
        about = getattr(message, "arm", None)
        arm = None if about is None else str(about.name)
        try:
            self._connection.send_bytes(msgspec.json.encode(message))
            self._wait_for_reply()
            reply = msgspec.json.decode(self._connection.recv_bytes(), type=Reply)
        except (EOFError, OSError):
            code = self._process.wait()
            how = f"its process ended with {'signal' if code < 0 else 'exit status'} {abs(code)}"
            raise ArmFailed(how, arm=arm) from None
        if isinstance(reply, Raised):
            raise ArmFailed(reply.error, reply.details, arm, reply.is_missing, reply.is_skipped)
        assert isinstance(reply, expected), f"expected {expected}, got {reply!r}"
        return reply

    def _wait_for_reply(self) -> None:
        """Wait until a reply is there; end the process where none comes in time.

        Raises EOFError where the process dies without a reply.
        """
        until = math.inf if self._until is None else self._until
        while not self._connection.poll(min(LOOK_S, max(0.0, until - time.monotonic()))):
            if time.monotonic() >= until:
                self._kill()
                self._process.wait()  # so that nobody takes it for alive
                raise OutOfTime
            if not self.is_alive and not self._connection.poll():
                raise EOFError

    def _kill(self) -> None:
        """End the process and all that it has started: it leads a session."""
        with suppress(ProcessLookupError, PermissionError):  # the latter is said of a session that has ended
            os.killpg(self._process.pid, signal.SIGKILL)

    def limit(self, until: float) -> None:
        """Have the process ended at another moment of the monotonic clock."""
        self._until = until

    @property
    def cpu_s(self) -> float:
        """The CPU time that the process has taken so far, in seconds."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def fresh(self) -> WorkerProcess:
        """Start another worker like this one."""
        return WorkerProcess(*self._begun_with)

    def close(self) -> None:
        self._connection.close()
        self._kill()
        self._process.wait()


class Turn(NamedTuple):
    """Describes one sample to take: in which process, of which arm, of how many passes."""

    worker: WorkerProcess
    arm: Arm
    passes: int

    def take(self) -> Taken:
        return self.worker.ask(Sample(self.arm, self.passes), Taken)

    def step(self, number: int) -> Taken:
        return self.worker.ask(Step(self.arm, number), Taken)


class Twins:
    """Holds two workers for one replicate. It is a context manager."""

    def __init__(self, reference: WorkerProcess, candidate: WorkerProcess) -> None:
        self.reference = reference
        self.candidate = candidate

    @classmethod
    def start(cls, hash_seed: int, numba_cache: Path, until: float | None = None) -> Self:
        """Start fresh processes, which are ended at ``until``."""
        return cls(*(WorkerProcess(hash_seed, numba_cache, worker_cpu(), until=until) for _ in range(2)))

    @property
    def workers(self) -> set[WorkerProcess]:
        return {self.reference, self.candidate}

    def candidate_for(self, arm: Arm) -> WorkerProcess:
        """Return the process of a candidate's arm."""
        return self.candidate

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self.workers:
            worker.close()

    def revive(self) -> None:
        """Put fresh processes in the places of those that have died."""
        for dead in {worker for worker in (self.reference, self.candidate) if not worker.is_alive}:
            dead.close()
            fresh = dead.fresh()
            self.reference, self.candidate = (
                fresh if worker is dead else worker for worker in (self.reference, self.candidate)
            )

    def forget(self) -> None:
        """Have both processes drop their arms."""
        for worker in self.workers:
            worker.ask(Forget(), Done)


def take_blocks(turns: Sequence[Turn], keys: Sequence[float]) -> list[Block]:
    """Take a block for each candidate, with two samples of every arm.

    The turns, the reference's first, are taken in the order of the candidates' ``keys``, with the reference at
    REFERENCE, and then in the opposite one, so that each candidate stands to the reference as ABBA or BAAB. All
    candidates share the reference's samples.
    """
    watch = Watch()
    order = _order_turns(keys)
    there = {number: turns[number].take() for number in order}
    back = {number: turns[number].take() for number in reversed(order)}
    return _make_blocks(order, there, back, watch.outside_cause())


def walk_in_turns(turns: Sequence[Turn], keys: Sequence[Sequence[float]], steps: int) -> list[list[Block]]:
    """Walk a pass once with all arms, a step each in turn, and return the blocks of each of ``keys``.

    Pairs of steps belong to the blocks in rotation, so that every block has seen the whole of the pass: of a pair, the
    first step is taken in the order of the block's keys and the second one in the opposite order, as ``take_blocks``
    does. What is left of the pass is not taken.
    """
    orders = [_order_turns(each) for each in keys]
    there, back = ([dict.fromkeys(order, Taken(0, 0)) for order in orders] for _ in range(2))
    causes: list[str | None] = [None] * len(keys)
    for pair in range(steps // (2 * len(keys)) * len(keys)):
        block, watch = pair % len(keys), Watch()
        for number in orders[block]:
            there[block][number] = _add(there[block][number], turns[number].step(2 * pair))
        for number in reversed(orders[block]):
            back[block][number] = _add(back[block][number], turns[number].step(2 * pair + 1))
        causes[block] = causes[block] or watch.outside_cause()
    return [_make_blocks(*each) for each in zip(orders, there, back, causes, strict=True)]


def _order_turns(keys: Sequence[float]) -> list[int]:
    """Return the places of the turns in the order in which they are taken, the reference's being 0."""
    places = REFERENCE, *keys
    return sorted(range(len(places)), key=places.__getitem__)


def _add(one: Taken, other: Taken) -> Taken:
    return Taken(one.wall_ns + other.wall_ns, one.cpu_ns + other.cpu_ns)


def _make_blocks(
    order: Sequence[int], there: Mapping[int, Taken], back: Mapping[int, Taken], invalid: str | None
) -> list[Block]:
    """Return the block of each candidate, from what every arm took there and back."""
    blocks = []
    for candidate in range(1, len(order)):
        first, second = sorted((0, candidate), key=order.index)
        samples = there[first], there[second], back[second], back[first]
        blocks.append(
            Block(
                "ABBA" if first == 0 else "BAAB",
                wall_ns=(samples[0].wall_ns, samples[1].wall_ns, samples[2].wall_ns, samples[3].wall_ns),
                cpu_ns=(samples[0].cpu_ns, samples[1].cpu_ns, samples[2].cpu_ns, samples[3].cpu_ns),
                invalid=invalid,
            )
        )
    return blocks
