"""Records the calibration bank of this machine: replicates of equal work, and of work that differs by a known share.

A series compares one workload of ``workloads`` at some number of symbols with the same at 100, on a quiet machine or
beside a process that keeps a core busy. The series take turns of 24 replicates in a row, as many as a comparison takes
at the most: inside a turn they follow each other as in a comparison, and a change of the machine meets all series.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from argo_bench.errors import UserError
from argo_bench.harness.calibration.standing import fingerprint
from argo_bench.harness.functions import search_path
from argo_bench.harness.machine import environment
from argo_bench.harness.plan import DEFAULT, SET_UP_S, replicate_seed
from argo_bench.harness.progress import Progress
from argo_bench.harness.record.records import RULE, SCHEMA, Banked, Comparison, Run
from argo_bench.harness.record.store import FILE_NAME, Writer, command_line, load
from argo_bench.harness.replicate import Replicate
from argo_bench.harness.statistics.looks import LOOKS
from argo_bench.harness.workers.messages import Arm, UserFunction, function_arm
from argo_bench.harness.workers.processes import Twins

Condition = Literal["quiet", "busy"]
SYMBOLS = 100
TURN = LOOKS[-1]
SEED = 1


class Series(NamedTuple):
    """Compares ``workload`` at ``symbols`` with ``reference`` at 100 symbols, in ``replicates`` replicates.

    An empty ``reference`` stands for the workload itself.
    """

    condition: Condition
    workload: str
    symbols: int
    replicates: int
    reference: str = ""

    @property
    def comparison(self) -> Comparison:
        reference = self.reference or self.workload
        return Comparison(self.condition, self.workload, self.symbols, "symbols", reference, self.workload)

    @property
    def arms(self) -> tuple[Arm, Arm]:
        module, path = MODULES[self.workload], tuple(search_path())
        return (
            function_arm("baseline", UserFunction(f"{module}:{self.reference or self.workload}_{SYMBOLS}"), path),
            function_arm("candidate", UserFunction(f"{module}:{self.workload}_{self.symbols}"), path),
        )


MODULES = {
    **dict.fromkeys(("microsecond", "millisecond", "twin"), "argo_bench.harness.calibration.workloads"),
    "tenth": "argo_bench.study.calibration_workloads",
}
"""The functions of a workload are in this module; those that use pandas are the study's."""
WORKLOADS = ("microsecond", "millisecond", "tenth")
CONDITIONS: tuple[Condition, ...] = ("quiet", "busy")
PLANTED = (50, 90, 97, 102, 105, 110, 200, 2000)
FULL = (
    *(Series(condition, workload, SYMBOLS, 120) for condition in CONDITIONS for workload in WORKLOADS),
    Series("quiet", "millisecond", 103, 120),
    *(Series("quiet", "millisecond", symbols, 48) for symbols in PLANTED),
    Series("quiet", "twin", SYMBOLS, 48, reference="millisecond"),
)
QUICK = (Series("quiet", "millisecond", SYMBOLS, 72), Series("quiet", "millisecond", 103, 48))
QUICK_BUDGET_S = 215.0


def read_bank(directory: Path) -> list[Banked]:
    """Return the replicates that a bank holds; none where there is no bank yet."""
    return load(directory).all(Banked) if (directory / FILE_NAME).exists() else []


def fill(
    directory: Path,
    plan: Sequence[Series],
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
        with tempfile.TemporaryDirectory(prefix="argo-bench-") as scratch:
            for series in _take_turns(plan, have):
                if time.monotonic() - began > budget_s:
                    return
                number = have[series.comparison]
                taken = _take_replicate(series, number, Path(scratch))
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
    elif (theirs := load(directory).run.run) != fingerprint():
        writer.close()
        raise UserError(f"{directory} holds the bank of machine {theirs}, this is {fingerprint()}: use another --out")
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


def _take_turns(plan: Sequence[Series], have: Mapping[Comparison, int]) -> Iterator[Series]:
    """Yield the series whose turn it is, once per replicate; the one with the fewest replicates is next."""
    while missing := [each for each in plan if have.get(each.comparison, 0) < each.replicates]:
        begun = [each for each in missing if have.get(each.comparison, 0) % TURN]
        yield begun[0] if begun else min(missing, key=lambda each: have.get(each.comparison, 0))


def _take_replicate(series: Series, number: int, scratch: Path) -> Banked:
    seed = replicate_seed(SEED, number)
    with keep_busy() if series.condition == "busy" else contextlib.nullcontext():
        began = time.monotonic()
        with Twins.start("twins", seed, scratch / "numba") as pair:
            # The settings are the default profile's, since its runs are what is calibrated.
            replicate = Replicate(pair, number, seed, DEFAULT.warm_up_ns)
            samples = replicate.time_comparisons([(series.comparison, series.arms)], DEFAULT.headline_s)[0]
        return Banked(series.condition, time.monotonic() - began, samples)


@contextlib.contextmanager
def keep_busy() -> Iterator[None]:
    """Run a process beside this one that never waits, on whatever core the system gives it."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _make_progress(plan: Sequence[Series], have: Mapping[Comparison, int], taken: Banked) -> Progress:
    done = sum(min(have.get(each.comparison, 0), each.replicates) for each in plan)
    each_s = DEFAULT.headline_s + SET_UP_S
    total = sum(each.replicates for each in plan)
    comparison = taken.samples.comparison
    return Progress(done * each_s, (total - done) * each_s, f"{comparison.optimization} {comparison.workload}", "")
