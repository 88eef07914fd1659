"""Records the calibration bank of this machine: replicates of equal work, and of work that differs by a known share.

A series compares one workload of ``workloads`` at some number of symbols with the same at 100, on a quiet machine or
beside processes that keep one or both cores busy. Series are recorded in order of need. Those that are needed alike
take turns of 24 replicates in a row, as many as a comparison takes at the most: inside a turn they follow each other as
in a comparison, and a change of the machine meets all of them.

Where a series has three processes a side, every block has samples of all six. Any design with fewer can then be
replayed: the first process of each side, or the best of three by the first blocks.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from argo_bench.errors import UserError
from argo_bench.harness.block_order import Order, draw_order
from argo_bench.harness.calibration.standing import fingerprint
from argo_bench.harness.functions import search_path
from argo_bench.harness.machine import environment
from argo_bench.harness.machine.environment import Watch
from argo_bench.harness.machine.measuring import measuring
from argo_bench.harness.plan import DEFAULT, SET_UP_S, replicate_seed
from argo_bench.harness.progress import Progress
from argo_bench.harness.record.records import RULE, SCHEMA, Banked, Block, Comparison, Run, Samples
from argo_bench.harness.record.store import FILE_NAME, Writer, command_line, load
from argo_bench.harness.replicate import Replicate
from argo_bench.harness.statistics.looks import LOOKS
from argo_bench.harness.surroundings import scratch_directory
from argo_bench.harness.workers.messages import Arm, Prepare, Prepared, Ready, UserFunction, WarmUp, function_arm
from argo_bench.harness.workers.processes import Turn, Twins
from argo_bench.parent import start

Condition = Literal["quiet", "busy", "both busy"]
SYMBOLS = 100
TURN = LOOKS[-1]
SEED = 1
BUSY_PROCESSES: Mapping[Condition, int] = {"quiet": 0, "busy": 1, "both busy": 2}
PROCESSES = 3
"""A side has so many processes where every design is to be replayed."""
ROUNDS = 20
"""Where a side has several processes, a replicate has so many blocks: some to choose processes by, some to judge."""


class Series(NamedTuple):
    """Compares ``workload`` at ``symbols`` with ``reference`` at 100 symbols, in ``replicates`` replicates.

    An empty ``reference`` stands for the workload itself. ``processes`` are those of a side.
    """

    condition: Condition
    workload: str
    symbols: int
    replicates: int
    reference: str = ""
    processes: int = 1

    @property
    def comparison(self) -> Comparison:
        reference = self.reference or self.workload
        return Comparison(self.condition, self.workload, self.symbols, "symbols", reference, self.workload)

    @property
    def arms(self) -> tuple[Arm, Arm]:
        module, path = MODULES[self.workload.split("_")[0]], tuple(search_path())
        return (
            function_arm("baseline", UserFunction(f"{module}:{self.reference or self.workload}_{SYMBOLS}"), path),
            function_arm("candidate", UserFunction(f"{module}:{self.workload}_{self.symbols}"), path),
        )


MODULES = {
    **dict.fromkeys(
        ("python", "twin", "dict", "allocation", "numpy", "asyncio", "disk"), "argo_bench.harness.calibration.workloads"
    ),
    **dict.fromkeys(("pandas", "numba"), "argo_bench.study.calibration_workloads"),
}
"""The functions of a kind are in this module; those that need pandas or numba are the study's."""
KINDS = ("python", "dict", "allocation", "numpy", "numba", "pandas", "asyncio", "disk")
SIZES = ("1us", "100us", "100ms", "300ms")
WAITING = ("disk",)
MAIN = "python_5ms"


def is_waiting(comparison: Comparison) -> bool:
    """Say whether the calls of a comparison wait, so that it is judged on the wall clock."""
    return comparison.workload.split("_")[0] in WAITING


def _list_equal(condition: Condition, workloads: Sequence[str], replicates: int) -> tuple[Series, ...]:
    return tuple(
        Series(condition, each, SYMBOLS, replicates, processes=PROCESSES if each == MAIN else 1) for each in workloads
    )


OTHERS = tuple(f"{kind}_5ms" for kind in KINDS if f"{kind}_5ms" != MAIN)
OTHER_SIZES = tuple(f"{kind}_{size}" for kind in ("python", "pandas") for size in SIZES)
FULL: tuple[tuple[Series, ...], ...] = (
    tuple(Series(of, MAIN, 103, 72, processes=PROCESSES) for of in ("quiet", "busy")),
    (*_list_equal("quiet", [MAIN], 72), *_list_equal("busy", [MAIN], 72)),
    tuple(Series("quiet", f"python_{size}", 103, 96) for size in ("100us", "100ms")),
    tuple(Series("quiet", f"python_{size}", 102, 96) for size in ("100us", "100ms")),
    tuple(Series("quiet", f"python_{size}", symbols, 48) for size in ("100us", "5ms") for symbols in (130, 200)),
    _list_equal("quiet", OTHERS, 96),
    _list_equal("busy", OTHERS, 96),
    tuple(Series(of, MAIN, 102, 96) for of in ("quiet", "busy")),
    _list_equal("quiet", OTHER_SIZES, 72),
    _list_equal("busy", OTHER_SIZES, 72),
    (Series("quiet", "twin_5ms", SYMBOLS, 48, reference=MAIN),),
    _list_equal("both busy", [MAIN, *OTHERS], 72),
    _list_equal("both busy", OTHER_SIZES, 48),
)
"""Series in order of need: each of these groups is whole before the next begins."""
QUICK = ((Series("quiet", MAIN, SYMBOLS, 72), Series("quiet", MAIN, 103, 48)),)
QUICK_BUDGET_S = 215.0


def read_bank(directory: Path) -> list[Banked]:
    """Return the replicates that a bank holds; none where there is no bank yet."""
    return load(directory).all(Banked) if (directory / FILE_NAME).exists() else []


def fill(
    directory: Path,
    plan: Sequence[Sequence[Series]],
    budget_s: float,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> None:
    """Record what the plan still wants, until ``budget_s`` is used. A bank that was begun is continued.

    Raises UserError where the bank in ``directory`` is another machine's.
    """
    writer = _open_bank(directory)
    have = Counter(each.samples.comparison for each in read_bank(directory))
    began = time.monotonic()
    try:
        with measuring(str(directory)), scratch_directory() as around:
            for series in _take_turns(plan, have):
                if time.monotonic() - began > budget_s:
                    return
                number = have[series.comparison]
                taken = _take_replicate(series, number, around.scratch)
                writer.write(taken)
                have[series.comparison] += 1
                on_progress(_make_progress(plan, have, taken))
    finally:
        writer.close()


def _open_bank(directory: Path) -> Writer:
    is_new = not (directory / FILE_NAME).exists()
    writer = Writer(directory, resume=True)
    if is_new:
        writer.write(_make_header())
        return writer
    run = load(directory).run
    if run.run != fingerprint():
        writer.close()
        raise UserError(f"{directory} holds the bank of machine {run.run}, this is {fingerprint()}: use another --out")
    if (run.schema, run.rule) != (SCHEMA, RULE):
        writer.close()
        raise UserError(f"{directory} holds a bank of an earlier version: delete it, or use another --out")
    return writer


def _make_header() -> Run:
    return Run(
        schema=SCHEMA,
        run=fingerprint(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command_line(),
        profile="calibrate",
        isolation="twins",
        seed=SEED,
        looks=list(LOOKS),
        symbols={},
        source="",
        optimizations=[],
        environment=environment.read_facts(),
        rule=RULE,
    )


def _take_turns(plan: Sequence[Sequence[Series]], have: Mapping[Comparison, int]) -> Iterator[Series]:
    """Yield the series whose turn it is, once per replicate: the one with fewest of the first group that lacks some."""
    for group in plan:
        while missing := [each for each in group if have.get(each.comparison, 0) < each.replicates]:
            begun = [each for each in missing if have.get(each.comparison, 0) % TURN]
            yield begun[0] if begun else min(missing, key=lambda each: have.get(each.comparison, 0))


def _take_replicate(series: Series, number: int, scratch: Path) -> Banked:
    seed = replicate_seed(SEED, number)
    with keep_busy(BUSY_PROCESSES[series.condition]), contextlib.ExitStack() as stack:
        began = time.monotonic()
        pairs = [stack.enter_context(Twins.start(seed, scratch / "numba")) for _ in range(series.processes)]
        # The settings are the default profile's, since its runs are what is calibrated.
        if series.processes == 1:
            replicate = Replicate(pairs[0], number, seed, DEFAULT.warm_up_ns)
            taken = replicate.time_comparisons([(series.comparison, series.arms)], DEFAULT.headline_s)
        else:
            taken = _time_side_by_side(pairs, series, number)
        return Banked(series.condition, time.monotonic() - began, taken[0], taken[1:])


def _time_side_by_side(pairs: Sequence[Twins], series: Series, number: int) -> list[Samples]:
    """Time a comparison in several pairs of processes at once: every block has all of them in an order and back."""
    roles = [(pair, arm) for pair in pairs for arm in zip((pair.reference, pair.candidate), series.arms, strict=True)]
    met = [worker.ask(Prepare(arm), Prepared) for _, (worker, arm) in roles]
    ready = [worker.ask(WarmUp(arm, 1, DEFAULT.warm_up_ns), Ready) for _, (worker, arm) in roles]
    turns = [Turn(worker, arm, each.passes) for (_, (worker, arm)), each in zip(roles, ready, strict=True)]
    began = time.monotonic()
    seed = replicate_seed(SEED, number)
    blocks = [_take_block(turns, draw_order(seed, series.comparison, each), each) for each in range(ROUNDS)]
    seconds = (time.monotonic() - began) / len(pairs)
    return [
        Samples(
            series.comparison,
            number,
            seed,
            reference_calls=ready[place].passes,
            candidate_calls=ready[place + 1].passes,
            blocks=[each[place // 2] for each in blocks],
            reference_first_call_ns=met[place].first_call_ns,
            candidate_first_call_ns=met[place + 1].first_call_ns,
            reference_drain_ns=None,
            candidate_drain_ns=None,
            seconds=seconds,
        )
        for place in range(0, len(roles), 2)
    ]


def _take_block(turns: Sequence[Turn], order: Order, number: int) -> list[Block]:
    """Take two samples of every process, there and back, and return the block of each pair.

    Another pair begins in every block; within its pair, each reference stands where ``order`` has it.
    """
    watch = Watch()
    pairs = len(turns) // 2
    begun = [(number + each) % pairs for each in range(pairs)]
    places = [2 * pair + (slot == "B") for pair in begun for slot in order[:2]]
    there = {place: turns[place].take() for place in places}
    back = {place: turns[place].take() for place in reversed(places)}
    invalid = watch.outside_cause()
    blocks = []
    for pair in range(pairs):
        first, second = (2 * pair + (slot == "B") for slot in order[:2])
        samples = there[first], there[second], back[second], back[first]
        wall, cpu = ([getattr(each, clock) for each in samples] for clock in ("wall_ns", "cpu_ns"))
        blocks.append(Block(order, _four(wall), _four(cpu), invalid))
    return blocks


def _four(values: Sequence[int]) -> tuple[int, int, int, int]:
    first, second, third, fourth = values
    return first, second, third, fourth


@contextlib.contextmanager
def keep_busy(processes: int) -> Iterator[None]:
    """Run processes beside this one that never wait, on whatever cores the system gives them.

    They end with this one, even if it is killed.
    """
    begun = [start([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in begun:
            process.kill()
            process.wait()


def _make_progress(plan: Sequence[Sequence[Series]], have: Mapping[Comparison, int], taken: Banked) -> Progress:
    series = [each for group in plan for each in group]
    done = sum(min(have.get(each.comparison, 0), each.replicates) for each in series)
    each_s = DEFAULT.headline_s + SET_UP_S
    total = sum(each.replicates for each in series)
    comparison = taken.samples.comparison
    return Progress(done * each_s, (total - done) * each_s, f"{comparison.optimization} {comparison.workload}", "")
