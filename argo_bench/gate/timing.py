"""Times both revisions side by side: three processes take turns, the base, the head and the base once more.

The third one is the control: it is compared with the first as the head is, in the same blocks (A C B B C A).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import msgspec

from argo_bench.gate.answers import AGAIN, HEAD, Batch, comparison_of
from argo_bench.gate.checkouts import Checkout, Role
from argo_bench.harness.machine.environment import worker_cpu
from argo_bench.harness.plan import replicate_seed
from argo_bench.harness.progress import Progress
from argo_bench.harness.record.records import Failure, Samples
from argo_bench.harness.record.store import Writer
from argo_bench.harness.replicate import Replicate
from argo_bench.harness.workers.messages import Arm
from argo_bench.harness.workers.processes import ArmFailed, Twins, WorkerProcess

BLOCKS_S = 0.35
"""A benchmark takes these seconds of blocks in a replicate; a block has two samples of each of the three processes."""
WARM_UP_NS = 30_000_000
CONFIRMATION_FROM = 1000
"""The replicates of the second batch begin with this number, so that their seeds are others."""


class Trio(Twins):
    """Runs the base, the head and the base again, each in the interpreter of its checkout."""

    def __init__(self, base: WorkerProcess, head: WorkerProcess, again: WorkerProcess) -> None:
        super().__init__(base, head)
        self._again = again

    @classmethod
    def of(cls, checkouts: Mapping[Role, Checkout], scratch: Path, hash_seed: int) -> Self:
        def start_worker(role: Role) -> WorkerProcess:
            return WorkerProcess(hash_seed, scratch / f"numba-{role}", worker_cpu(), checkouts[role].program)

        return cls(start_worker("base"), start_worker("head"), start_worker("base"))

    @property
    def workers(self) -> set[WorkerProcess]:
        return {*super().workers, self._again}

    def candidate_for(self, arm: Arm) -> WorkerProcess:
        return self._again if arm.name == AGAIN else self.candidate

    def revive(self) -> None:
        super().revive()
        if not self._again.is_alive:
            self._again.close()
            self._again = self._again.fresh()


class Timer:
    """Takes replicates of some benchmarks until all are decided, or the time is up.

    ``arms`` are those of every benchmark by role; ``changed`` are the benchmarks whose files differ, which come first.
    What was taken is in the record at once; ``failed`` are the benchmarks that raised.
    """

    def __init__(
        self,
        start: Callable[[int], Trio],
        arms: Mapping[str, Mapping[Role, Arm]],
        changed: Sequence[str],
        seed: int,
        writer: Writer,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._start = start
        self._arms = arms
        self._changed = changed
        self._seed = seed
        self._writer = writer
        self._on_progress = on_progress
        self._call_ns: dict[str, int] = {}
        self._began = self._batch_began = time.monotonic()
        self.names = list(arms)
        self.samples: list[Samples] = []
        self.failed: set[str] = set()

    def time_batch(
        self,
        batch: Batch,
        names: Sequence[str],
        looks: Sequence[int],
        until: float,
        is_decided: Callable[[str], bool],
    ) -> None:
        """Take replicates up to the last look, and none beyond the first look that would end after ``until``.

        ``until`` is in seconds of the monotonic clock. At a look the benchmarks that ``is_decided`` leave. Where time
        is short, benchmarks that did not change are left out.
        """
        first = 0 if batch == "first" else CONFIRMATION_FROM
        self._batch_began = time.monotonic()
        longest = 0.0
        open_ones = list(names)
        for number in range(looks[-1]):
            if number in looks:
                open_ones = [name for name in open_ones if not is_decided(name)]
            open_ones = [name for name in open_ones if name not in self.failed]
            began = time.monotonic()
            if not open_ones or (number >= looks[0] and began + longest > until):
                return
            allowed_s = (until - began) / max(1, looks[0] - number)
            self._time_replicate(batch, first + number, open_ones, began + allowed_s, number, looks)
            longest = max(longest, time.monotonic() - began)

    def _time_replicate(
        self, batch: Batch, number: int, names: Sequence[str], until: float, done: int, looks: Sequence[int]
    ) -> None:
        seed = replicate_seed(self._seed, number)
        drawn = random.Random(seed).sample(names, len(names))
        order = sorted(drawn, key=lambda name: name not in self._changed)
        with self._start(seed % 2**32) as trio:
            replicate = Replicate(trio, number, seed, WARM_UP_NS, self._call_ns)
            for name in order:
                if name not in self._changed and time.monotonic() > until:
                    return
                self._tell(f"{name}, replicate {done + 1} of {looks[0]} to {looks[-1]} ({batch} batch)", done, looks)
                try:
                    self._keep(self._time_benchmark(batch, name, replicate))
                except ArmFailed as error:
                    side = "head" if error.arm == HEAD else "base"
                    self._writer.write(Failure(name, side, "failed", str(error)))
                    self.failed.add(name)
                    trio.revive()

    def _time_benchmark(self, batch: Batch, name: str, replicate: Replicate) -> list[Samples]:
        base, head = (self._arms[name][role] for role in ("base", "head"))
        again = msgspec.structs.replace(base, name=AGAIN)
        pairs = [(comparison_of(name, batch, HEAD), (base, head)), (comparison_of(name, batch, AGAIN), (base, again))]
        return replicate.time_comparisons(pairs, BLOCKS_S)

    def _keep(self, taken: Sequence[Samples]) -> None:
        for each in taken:
            self._writer.write(each)
            self.samples.append(each)

    def _tell(self, doing: str, done: int, looks: Sequence[int]) -> None:
        """Report what is done and the seconds until the next look, at which the batch may end.

        They are unknown (infinite) before a replicate is done.
        """
        now = time.monotonic()
        following = next(look for look in looks if look > done)
        left = (now - self._batch_began) / done * (following - done) if done else math.inf
        self._on_progress(Progress(now - self._began, left, doing, ""))
