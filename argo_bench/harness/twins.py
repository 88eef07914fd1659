"""Twin worker processes on one processor, of which only one runs at a time.

The orchestrator hands the turn over a socket and sleeps until the answer comes. Two arms never share a heap, a garbage
collector or a JIT, yet their samples interleave within milliseconds. In shared isolation both roles are one process.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, Self, TypeVar

import msgspec

from argo_bench.harness.environment import THREAD_CAPS, Watch, worker_cpu
from argo_bench.harness.messages import Arm, Done, Forget, Message, Raised, Reply, Sample, Taken
from argo_bench.harness.results import Block

Isolation = Literal["shared", "twins"]
Expected = TypeVar("Expected")


class ArmFailed(Exception):
    """A worker's request raised, or the worker died. ``details`` is the traceback, where there is one."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.details = details


class WorkerProcess:
    """One worker, pinned to ``processor`` if there is one. ``hash_seed`` becomes its PYTHONHASHSEED."""

    def __init__(self, hash_seed: int, numba_cache: Path, processor: int | None) -> None:
        ours, theirs = socket.socketpair()
        environment = os.environ | THREAD_CAPS
        environment |= {"PYTHONHASHSEED": str(hash_seed), "NUMBA_CACHE_DIR": str(numba_cache)}
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "argo_bench.harness.worker"),
                *map(str, (theirs.fileno(), -1 if processor is None else processor, os.getpid())),
            ],
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__.fileno() if sys.__stderr__ is not None else subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the orchestrator alone, which then ends its workers.
        )
        theirs.close()
        self._connection = Connection(ours.detach())

    def ask(self, message: Message, expected: type[Expected]) -> Expected:
        """The reply to a message. Raises ArmFailed when the request raised or the process died."""
        try:
            self._connection.send_bytes(msgspec.json.encode(message))
            reply = msgspec.json.decode(self._connection.recv_bytes(), type=Reply)
        except (EOFError, OSError):
            code = self._process.wait()
            raise ArmFailed(f"its process ended with {'signal' if code < 0 else 'exit status'} {abs(code)}") from None
        if isinstance(reply, Raised):
            raise ArmFailed(reply.error, reply.details)
        assert isinstance(reply, expected), f"expected {expected}, got {reply!r}"
        return reply

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()


class Twins:
    """Two workers, or one in both roles, for one replicate. A context manager."""

    def __init__(self, reference: WorkerProcess, candidate: WorkerProcess) -> None:
        self.reference = reference
        self.candidate = candidate

    @classmethod
    def start(cls, isolation: Isolation, hash_seed: int, numba_cache: Path) -> Self:
        """Fresh processes."""
        processor = worker_cpu()
        reference = WorkerProcess(hash_seed, numba_cache, processor)
        return cls(reference, WorkerProcess(hash_seed, numba_cache, processor) if isolation == "twins" else reference)

    def together(self) -> Twins:
        """Both roles in the reference's process."""
        return Twins(self.reference, self.reference)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in {self.reference, self.candidate}:
            worker.close()

    def forget(self) -> None:
        """Both processes drop their arms."""
        for worker in {self.reference, self.candidate}:
            worker.ask(Forget(), Done)

    def block(self, order: Literal["ABBA", "BAAB"], reference: tuple[Arm, int], candidate: tuple[Arm, int]) -> Block:
        """Four samples in the order given; each role as its arm and the passes of a sample."""
        watch = Watch()
        roles = {"A": (self.reference, *reference), "B": (self.candidate, *candidate)}
        taken = [worker.ask(Sample(arm, passes), Taken) for worker, arm, passes in map(roles.__getitem__, order)]
        return Block(
            order,
            wall_ns=(taken[0].wall_ns, taken[1].wall_ns, taken[2].wall_ns, taken[3].wall_ns),
            cpu_ns=(taken[0].cpu_ns, taken[1].cpu_ns, taken[2].cpu_ns, taken[3].cpu_ns),
            invalid=watch.outside_cause(),
        )
