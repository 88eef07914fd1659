"""What does a cycle cost per symbol, from 6 symbols to 10,000, against the sum of its floors?

    python tests/benchmarks/study_universe.py [--symbols 100 --symbols 1000] [--json FILE]

One process pinned to one CPU, one thread, CPU time of whole cycles, without latencies. In a round every arm runs the
same cycle of the same market once, in random order, and so does every floor; a ratio is taken inside a round, so that
the machine's drift cancels. Shown: the median, the 10th and the 90th percentile. Three shares of the data are fresh:

    pushed     every symbol has ticked, and all answers have been pushed into the process before the cycle
    live       symbols tick at their own rate, and answers are kept within their budgets (O03)
    uncached   without O03 every answer is asked for in every cycle

What the world computes to answer (it is not the pipeline's work) is timed apart and taken off. The floors are what any
schedule has to do, each alone in a loop: comparing the bars with those that are known and the kernels over them, one
Decision and id for each accepted symbol, its encoding and digest, the look-up of duplicates, publishing, the commit of
the rows (write-ahead log, synchronous FULL), and one entry in the ledger for each request.

In every round all arms must decide the same, and both schedules must store the same rows; otherwise the study ends.
"""

from __future__ import annotations

import gc
import hashlib
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.study_indicators import settle_process  # noqa: E402 - a script finds the tests only now

if TYPE_CHECKING:
    from argo_bench.pipeline.market import Tape
    from argo_bench.pipeline.model import Bars, Decision, Pending, Request, World
    from argo_bench.pipeline.record import Cycle, Pipeline
    from argo_bench.pipeline.world import SimulatedWorld

SYMBOLS = (6, 100, 1_000, 10_000)
ROUNDS = {6: 40, 100: 30, 1_000: 15}
FEWEST_ROUNDS = 5
WARM_UP = 3
"""The first cycles are not looked at: they compile, and fill what is kept."""
LOOP_SYMBOLS = 1_000
"""The baseline's loop is timed up to so many symbols; it takes 4 ms for each of them."""
SHARES = ("pushed", "live", "uncached")
BARS, STEPS_PER_DAY = 310, 200
SEED = 25
SIDE, STAGES, LOOP, FLOORS = "side by side", "stage by stage", "baseline", "floors"

Samples = dict[str, list[float]]


class Market:
    """A tape that makes the bars of a cycle once for all who ask."""

    def __init__(self, tape: Tape) -> None:
        self.symbols = tape.symbols
        self._tape = tape
        self._cycle = -1
        self._bars: dict[str, Bars] = {}

    def bars(self, symbol: str, cycle: int) -> Bars:
        if cycle != self._cycle:
            self._cycle, self._bars = cycle, {}
        if symbol not in self._bars:
            self._bars[symbol] = self._tape.bars(symbol, cycle)
        return self._bars[symbol]


class Pushed:
    """Wraps a transport; every answer but explanations has been pushed into the process, and counts as a request."""

    def __init__(self, transport: Any) -> None:
        self.__wrapped__ = transport
        self._answers: dict[Request, Any] = {}
        self._together: dict[str, list[Any]] = {}

    def push(self, world: SimulatedWorld) -> None:
        """Push all answers of the world's cycle."""
        from argo_bench.pipeline.optimized.fetch import list_requests

        for symbol in world.market.symbols:
            requests = list_requests(symbol)
            self._together[symbol] = [world.exchange(each).answer for each in requests]
            self._answers |= zip(requests, self._together[symbol], strict=True)

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        from argo_bench.pipeline.optimized.transport import Arrived

        if request.provider == "explanation":
            pending: Pending[Any] = self.__wrapped__(world, request)
            return pending
        world.ledger.requests[request.provider] += 1
        return Arrived(self._answers[request])

    def at_hand(self, world: World, requests: Sequence[Request], make: Callable[..., Any]) -> Any:
        """Return what is made of the answers to all requests about a symbol, or to a single one."""
        sent = world.ledger.requests
        for request in requests:
            sent[request.provider] += 1
        return make(*(self._together[requests[0].symbol] if len(requests) > 1 else [self._answers[requests[0]]]))


def make_world(market: Market, *, prepare_ahead: bool = True) -> SimulatedWorld:
    from argo_bench.pipeline.world import SimulatedWorld, Simulation
    from argo_bench.pipeline.world.content import OPINION_MINUTES

    simulation = Simulation(opinion_minutes=OPINION_MINUTES, prepare_ahead=prepare_ahead)
    return SimulatedWorld(market, simulation, seed=SEED, latency_scale=0.0)


class Ran(NamedTuple):
    """What a cycle has done, the requests that its ledger counts, and its times without that of the answers."""

    cycle: Cycle
    requests: Mapping[str, int]
    cpu_ns: int
    wall_ns: int


class Arm:
    """A pipeline in a world of its own."""

    def __init__(self, market: Market, pipeline: Pipeline, *, is_pushed: bool) -> None:
        self.feed = Pushed(pipeline.transport) if is_pushed else None
        self.pipeline = pipeline if self.feed is None else pipeline.replace(transport=self.feed)
        self.world = make_world(market)
        self._answered: list[Request] = []
        self._exchange = self.world.exchange
        self.world.exchange = self._note  # type: ignore[method-assign]

    def _note(self, request: Request) -> Any:
        self._answered.append(request)
        return self._exchange(request)

    def run(self, number: int) -> Ran:
        """Run a cycle. Afterwards the world answers the same requests once more, to see what that takes."""
        self.prepare(number)
        return self.run_prepared(number)

    def prepare(self, number: int) -> None:
        """Do what the world does before a cycle is due."""
        self.world.run(self.world.idle(number))
        self.world.begin(number)
        if self.feed is not None:
            self.feed.push(self.world)

    def run_prepared(self, number: int) -> Ran:
        """Run a cycle that the world has prepared."""
        from argo_bench.pipeline.record import cycle

        world = self.world
        self._answered.clear()
        before = world.ledger.requests.copy()
        start, start_wall = time.process_time_ns(), time.monotonic_ns()
        ran = world.run(cycle(self.pipeline, world, world.market.symbols, number))
        spent, passed = time.process_time_ns() - start, time.monotonic_ns() - start_wall
        requests = world.ledger.requests - before
        answered = list(self._answered)
        answering = cpu_ns(lambda: [self._exchange(request) for request in answered])
        return Ran(ran, requests, spent - answering, passed - answering)


def cpu_ns(work: Callable[[], object]) -> int:
    start = time.process_time_ns()
    work()
    return time.process_time_ns() - start


def make_pipelines(share: str, symbols: int) -> dict[str, Pipeline]:
    """The engineered set, the same without O10 (a task a symbol), and up to LOOP_SYMBOLS pushed ones the loop."""
    from argo_bench.optimizations import build
    from argo_bench.optimizations.together import ALL_IDS
    from argo_bench.pipeline import baseline

    members = {each: "engineered" for each in ALL_IDS if share != "uncached" or each != "O03"}
    without = {each: variant for each, variant in members.items() if each != "O10"}
    pipelines = {SIDE: build(without), STAGES: build(members)}
    return pipelines | ({LOOP: baseline.PIPELINE} if share == "pushed" and symbols <= LOOP_SYMBOLS else {})


def make_market(symbols: int, share: str, cycles_per_day: int = STEPS_PER_DAY) -> Market:
    from argo_bench.pipeline.market import Tape, installed_sample, live_change_rate, trading_seconds

    frames = installed_sample().take(symbols, SEED, bars=BARS).frames
    rates = {
        symbol: 1.0
        if share == "pushed"
        else live_change_rate(frame["close"].to_numpy()[-60:], trading_seconds=trading_seconds(symbol))
        for symbol, frame in frames.items()
    }
    return Market(Tape(frames, seed=SEED, change_rate=rates, cycles_per_bar=cycles_per_day))


class Floors:
    """What any schedule has to do for a cycle, on a database of its own."""

    def __init__(self, market: Market) -> None:
        from argo_bench.pipeline.optimized.indicators import Histories
        from argo_bench.pipeline.optimized.store import InOneTransaction, Tuned

        self.world = make_world(market, prepare_ahead=False)
        self._market = market
        self._store = InOneTransaction(Tuned(), lambda world, rows: None)
        self._known = Histories(2 * len(market.symbols))

    def measure(self, number: int, ran: Ran) -> dict[str, int]:
        """Return the CPU nanoseconds of each floor, for what an arm did in a cycle."""
        from argo_bench.pipeline.baseline.regime import VOLATILE_RATIO
        from argo_bench.pipeline.kernels import continue_all, latest_regime_of_all
        from argo_bench.pipeline.model import STRATEGY, Decision
        from argo_bench.pipeline.optimized.encode import encode
        from argo_bench.pipeline.optimized.frame import frames_of_many
        from argo_bench.pipeline.optimized.schedule import TOGETHER
        from argo_bench.pipeline.optimized.validate import find_stored_ids

        world = self.world
        world.begin(number)
        symbols = self._market.symbols
        batches = [
            frames_of_many(world, [self._market.bars(symbol, number) for symbol in symbols[start : start + TOGETHER]])
            for start in range(0, len(symbols), TOGETHER)
        ]
        known = self._known
        inputs = [(frames.values, frames.ends, known.find_rows(frames.blocks)) for frames in batches]
        stored = [each.decision for each in ran.cycle.stored]
        decided = [(f"{each.symbol}|{number}|{STRATEGY}".encode(), astuple(each)) for each in ran.cycle.decided]

        def compute() -> None:
            for values, ends, rows in inputs:
                continue_all(values, ends, rows, known.kept, known.digests, known.sums)
                latest_regime_of_all(values, ends, VOLATILE_RATIO)

        def decide() -> None:
            for identity, fields in decided:
                hashlib.blake2b(identity, digest_size=16).hexdigest()
                Decision(*fields)

        def publish() -> None:
            for each in ran.cycle.stored:
                world.publish(each.log_line, each.body)

        def count() -> None:
            sent = world.ledger.requests
            for provider, times in ran.requests.items():
                for _ in range(times):
                    sent[provider] += 1

        floors: dict[str, Callable[[], object]] = {
            "comparing and kernels": compute,
            "decisions": decide,
            "encoding": lambda: encode(world, stored),
            "look-ups": lambda: find_stored_ids(world, [each.signal_id for each in stored]),
            "publishing": publish,
            "commit": lambda: self._store(world, ran.cycle.stored),
            "ledger": count,
        }
        return {name: cpu_ns(floor) for name, floor in floors.items()}


def measure(share: str, symbols: int, rng: random.Random) -> Samples:
    """CPU nanoseconds per symbol and cycle: one sample an arm, a floor and a round."""
    market = make_market(symbols, share)
    arms = {
        name: Arm(market, pipeline, is_pushed=share == "pushed")
        for name, pipeline in make_pipelines(share, symbols).items()
    }
    floors = Floors(market)
    samples: Samples = {}
    gc.collect()
    gc.freeze()
    for number in range(WARM_UP + ROUNDS.get(symbols, FEWEST_ROUNDS)):
        spent: dict[str, float] = {}
        cycles: dict[str, Cycle] = {}
        for name in rng.sample(list(arms), len(arms)):
            ran = arms[name].run(number)
            spent[name], cycles[name] = ran.cpu_ns, ran.cycle
            if name == STAGES:
                each_floor = floors.measure(number, ran)
        refuse_differences(cycles, number)
        spent |= each_floor | {FLOORS: sum(each_floor.values())}
        if number >= WARM_UP:
            for name, ns in spent.items():
                samples.setdefault(name, []).append(ns / symbols)
    for world in (*(arm.world for arm in arms.values()), floors.world):
        world.discard()
    gc.unfreeze()
    return samples


def refuse_differences(cycles: Mapping[str, Cycle], number: int) -> None:
    """Raise ClickException where the arms have not decided the same, or the two schedules not stored the same."""
    decided = {name: [describe_decision(each) for each in cycle.decided] for name, cycle in cycles.items()}
    stored = [[each.sha256 for each in cycles[name].stored] for name in (SIDE, STAGES)]
    if any(each != decided[STAGES] for each in decided.values()) or stored[0] != stored[1]:
        raise click.ClickException(f"the arms differ in cycle {number}: their times say nothing")


def describe_decision(decision: Decision) -> tuple[Any, ...]:
    """Return all of a decision but its explanation, which the optimized pipeline may write later."""
    return astuple(replace(decision, reasoning="", reasoning_author=""))


def ratios(samples: Samples, slow: str, fast: str) -> tuple[float, float, float]:
    """How many times longer ``slow`` takes: the 10th percentile, the median and the 90th percentile of the rounds."""
    each = [a / b for a, b in zip(samples[slow], samples[fast], strict=True)]
    tenths = statistics.quantiles(each, n=10, method="inclusive")
    return tenths[0], statistics.median(each), tenths[-1]


def show(share: str, symbols: int, samples: Samples) -> None:
    click.echo(f"\n{share}, {symbols:,} symbols\n{'':22}{'us per symbol':>14}{'x ' + FLOORS:>26}")
    for name, each in samples.items():
        low, middle, high = ratios(samples, name, FLOORS)
        click.echo(f"{name:22}{statistics.median(each) / 1e3:14.2f}{f'{middle:,.2f} ({low:,.2f} .. {high:,.2f})':>26}")
    for slow in (SIDE, LOOP):
        if slow in samples:
            low, middle, high = ratios(samples, slow, STAGES)
            click.echo(f"{slow} / {STAGES}: {middle:,.1f} ({low:,.1f} .. {high:,.1f})")


def slope(record: Mapping[str, Samples], share: str, name: str, sizes: Sequence[int]) -> float:
    """The slope of the CPU time per cycle over the number of symbols, both as logarithms."""
    first, last = sizes[0], sizes[-1]
    spent = [statistics.median(record[f"{share}, {size}"][name]) * size for size in (first, last)]
    return math.log(spent[1] / spent[0]) / math.log(last / first)


def describe_slopes(record: Mapping[str, Samples], share: str) -> str:
    """Return the slopes from 100 symbols to the largest universe, '' where there are not two such sizes."""
    large = [size for size in list_sizes(record, share) if size >= 100]
    if len(large) < 2:
        return ""
    found = ", ".join(f"{name} {slope(record, share, name, large):.3f}" for name in (SIDE, STAGES, FLOORS))
    return f"slope from {large[0]:,} to {large[-1]:,} symbols: {found}"


def list_sizes(record: Mapping[str, Samples], share: str) -> list[int]:
    return sorted(int(size) for own, size in (name.split(", ") for name in record) if own == share)


def make_table(record: Mapping[str, Samples]) -> str:
    """Return all shares and sizes as a table in Markdown, and the slopes below it."""
    rows = ["| fresh | symbols | floors, us | stage by stage, us | x floors | side by side, us | baseline, us |"]
    rows.append("| --- " * 7 + "|")
    shares = dict.fromkeys(name.split(", ")[0] for name in record)
    for share in shares:
        for size in list_sizes(record, share):
            samples = record[f"{share}, {size}"]
            us = {name: f"{statistics.median(each) / 1e3:,.1f}" for name, each in samples.items()}
            low, middle, high = ratios(samples, STAGES, FLOORS)
            times = f"{us[FLOORS]} | {us[STAGES]} | {middle:.2f} ({low:.2f} to {high:.2f}) | {us[SIDE]}"
            rows.append(f"| {share} | {size:,} | {times} | {us.get(LOOP, '-')} |")
    slopes = [f"{share}, {found}" for share in shares if (found := describe_slopes(record, share))]
    return "\n".join([*rows, "", *slopes])


@click.command()
@click.option("--symbols", type=click.IntRange(min=1), multiple=True, default=SYMBOLS, show_default=True)
@click.option("--share", type=click.Choice(SHARES), multiple=True, default=SHARES, show_default=True)
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write every sample to this file.")
@click.option("--report", type=click.Path(exists=True, path_type=Path), help="Only print this file as a table.")
def main(symbols: Sequence[int], share: Sequence[str], path: Path | None, report: Path | None) -> None:
    if report is not None:
        click.echo(make_table(json.loads(report.read_text())["samples"]))
        return
    pinned = settle_process()
    click.echo(f"{pinned}, CPU time; explanations that are asked for in the background are in no cycle")
    rng = random.Random(SEED)
    record: dict[str, Samples] = {}
    for each in share:
        for size in symbols:
            samples = record[f"{each}, {size}"] = measure(each, size, rng)
            show(each, size, samples)
        click.echo(describe_slopes(record, each))
    if path:
        text = json.dumps({"cpu": pinned, "seed": SEED, "unit": "CPU ns per symbol and cycle", "samples": record})
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
