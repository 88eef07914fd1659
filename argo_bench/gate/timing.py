"""Times both revisions side by side: three processes take turns, the base, the head and the base once more.

The third one is the control: it is compared with the first as the head is, in the same blocks (A C B B C A).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, variance
from typing import Self

import msgspec

from argo_bench.gate.answers import AGAIN, BUDGET_ENDED, CONFIRMATION, FIRST, HEAD, Batch, comparison_of
from argo_bench.gate.checkouts import Checkout, Role
from argo_bench.gate.clock import Clock
from argo_bench.gate.turns import Turns
from argo_bench.harness.machine.environment import worker_cpu
from argo_bench.harness.plan import replicate_seed
from argo_bench.harness.record.records import Failure, LeftOut, Samples
from argo_bench.harness.record.store import Writer
from argo_bench.harness.replicate import Replicate
from argo_bench.harness.statistics.estimate import block_difference
from argo_bench.harness.statistics.quality import valid_blocks
from argo_bench.harness.workers.messages import Arm
from argo_bench.harness.workers.processes import ArmFailed, OutOfTime, Twins, WorkerProcess

BLOCKS_S, MOST_BLOCKS_S = 0.35, 1.4
"""A benchmark takes the first of these seconds of blocks in a replicate, and from the first look on up to the second
where they scatter. A block has two samples of each of the three processes."""
SCATTER = 0.01
"""So many blocks are worth taking that their mean scatters by this share, as ln(head / base)."""
WARM_UP_NS = 30_000_000
CONFIRMATION_FROM = 1000
"""The replicates of the second batch begin with this number, so that their seeds are others."""


class Trio(Twins):
    """Runs the base, the head and the base again, each in the interpreter of its checkout."""

    def __init__(self, base: WorkerProcess, head: WorkerProcess, again: WorkerProcess) -> None:
        super().__init__(base, head)
        self._again = again

    @classmethod
    def of(cls, checkouts: Mapping[Role, Checkout], scratch: Path, until: float, hash_seed: int) -> Self:
        """Start the three, which are ended at ``until``, a moment of the monotonic clock."""

        def start_worker(role: Role) -> WorkerProcess:
            cache = scratch / f"numba-{role}"
            return WorkerProcess(hash_seed, cache, worker_cpu(), checkouts[role].program, until)

        return cls(start_worker("base"), start_worker("head"), start_worker("base"))

    @property
    def workers(self) -> set[WorkerProcess]:
        return {*super().workers, self._again}

    def candidate_for(self, arm: Arm) -> WorkerProcess:
        return self._again if arm.name == AGAIN else self.candidate

    def limit(self, until: float) -> None:
        """Have the processes that run now ended at another moment."""
        for worker in self.workers:
            worker.limit(until)

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
        clock: Clock,
    ) -> None:
        self._start = start
        self._arms = arms
        self._seed = seed
        self._writer = writer
        self._clock = clock
        self._call_ns: dict[str, int] = {}
        self._batch_began = clock.now()
        self.names = sorted(arms, key=lambda name: name not in changed)
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
        """Take replicates up to the last look, none of which would end after ``until``.

        ``until`` is in seconds of the monotonic clock. At a look the benchmarks that ``is_decided`` leave. Where time
        is short, those behind others in the order of ``names`` are left out, which the record then says.
        """
        self._batch_began = self._clock.now()
        turns = Turns([name for name in names if name not in self.failed], looks[0], until, self._clock.now)
        for number in range(looks[-1]):
            for name in turns.open if number in looks else ():
                if is_decided(name):
                    turns.close(name)
            if not (open_ones := turns.begin(number)):
                break
            self._time_replicate(batch, number, open_ones, turns, looks)
        for name in sorted(turns.left_out, key=names.index):
            self.write_left_out(name, batch, turns.estimate_s(name))

    def _time_replicate(
        self, batch: Batch, done: int, names: Sequence[str], turns: Turns, looks: Sequence[int]
    ) -> None:
        number = done + (0 if batch == "first" else CONFIRMATION_FROM)
        seed = replicate_seed(self._seed, number)
        order = names if done == 0 else random.Random(seed).sample(names, len(names))
        began = self._clock.now()
        with self._start(seed % 2**32) as trio:
            turns.start(self._clock.now() - began)
            replicate = Replicate(trio, number, seed, WARM_UP_NS, self._call_ns)
            for name in order:
                if not turns.may_begin(name):
                    continue
                self._tell(f"{name}, replicate {done + 1} of {looks[0]} to {looks[-1]} ({batch} batch)", done, looks)
                seconds = self._choose_seconds(name, done, turns, looks)
                began = self._clock.now()
                trio.limit(min(began + turns.limit_s(name), self._clock.deadline))
                try:
                    self._keep(self._time_benchmark(batch, name, replicate, seconds))
                except ArmFailed as error:
                    side = "head" if error.arm == HEAD else "base"
                    self._writer.write(Failure(name, side, "failed", str(error)))
                    self.failed.add(name)
                    turns.close(name)
                    trio.revive()
                except OutOfTime:
                    turns.cut(name, self._clock.now() - began)
                    trio.revive()
                else:
                    turns.end(name, self._clock.now() - began)

    def _choose_seconds(self, name: str, done: int, turns: Turns, looks: Sequence[int]) -> float:
        """Return the seconds of a benchmark's blocks: the fewest up to the first look, which decides most of them."""
        if done < looks[0]:
            return BLOCKS_S
        left = next(look for look in looks if look > done) - done
        return choose_seconds_by_scatter(self._list_samples(name), BLOCKS_S + turns.find_spare_s(left))

    def _time_benchmark(self, batch: Batch, name: str, replicate: Replicate, seconds: float) -> list[Samples]:
        base, head = (self._arms[name][role] for role in ("base", "head"))
        again = msgspec.structs.replace(base, name=AGAIN)
        pairs = [(comparison_of(name, batch, HEAD), (base, head)), (comparison_of(name, batch, AGAIN), (base, again))]
        return replicate.time_comparisons(pairs, seconds)

    def _keep(self, taken: Sequence[Samples]) -> None:
        for each in taken:
            self._writer.write(each)
            self.samples.append(each)

    def write_left_out(self, name: str, batch: Batch, needs_s: float = 0.0) -> None:
        """Write that the budget ended before a benchmark; ``needs_s`` is what it would have taken, 0 if unknown."""
        comparison = comparison_of(name, batch, HEAD)
        taken = sum(each.comparison == comparison for each in self.samples)
        self._writer.write(LeftOut(comparison, taken, BUDGET_ENDED, needs_s))

    def _list_samples(self, name: str) -> list[Samples]:
        """Return the samples of a benchmark's head in both batches: what they scatter by says nothing of their mean."""
        of_name = [comparison_of(name, batch, HEAD) for batch in (FIRST, CONFIRMATION)]
        return [each for each in self.samples if each.comparison in of_name]

    def _tell(self, doing: str, done: int, looks: Sequence[int]) -> None:
        """Report what is done and the seconds until the next look, at which the batch may end.

        They are unknown (infinite) before a replicate is done.
        """
        following = next(look for look in looks if look > done)
        spent_s = self._clock.now() - self._batch_began
        self._clock.tell(doing, spent_s / done * (following - done) if done else math.inf)


def choose_seconds_by_scatter(samples: Sequence[Samples], most_s: float) -> float:
    """Return the seconds of blocks that are worth taking in a replicate, by how the blocks of earlier ones scatter.

    They are ``most_s`` at the most, and BLOCKS_S where nothing is known yet.
    """
    kept = [[block_difference(each.order, each.cpu_ns) for each in valid_blocks(one)] for one in samples]
    variances = [variance(each) for each in kept if len(each) > 1]
    if not variances:
        return BLOCKS_S
    block_s = 2 * fmean((one.seconds or BLOCKS_S) / len(one.blocks) for one in samples)  # two comparisons share it
    wanted_s = block_s * fmean(variances) / SCATTER**2
    return min(max(BLOCKS_S, wanted_s), MOST_BLOCKS_S, max(BLOCKS_S, most_s))
