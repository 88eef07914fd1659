"""A run: what will be compared, the replicates that measure it, and the verdicts at the end.

Everything measured is on disk before the next thing begins. An interrupt ends the measuring, not the run: what was
measured until then is still estimated and judged.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import filterfalse
from pathlib import Path

import msgspec

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.claims.claim import CLOCKS, Claim, Metric
from argo_bench.harness.groundwork import UNIT_S, Groundwork
from argo_bench.harness.judging.judgements import Measured, cachings, judgements, result_of
from argo_bench.harness.machine import environment
from argo_bench.harness.pace import share_of_blocks
from argo_bench.harness.plan import SET_UP_S, Profile, arms, counted, seconds_worth, weighed
from argo_bench.harness.record.records import RULE, SCHEMA, Comparison, End, Judgement, Result, Run, Samples
from argo_bench.harness.record.store import command_line
from argo_bench.harness.replicate import Replicate
from argo_bench.harness.statistics.looks import has_ended
from argo_bench.harness.surroundings import Surroundings, surroundings
from argo_bench.harness.workers.processes import Twins
from argo_bench.optimizations import SKIP_UNCHANGED, TRACE, sets
from argo_bench.pipeline.world import redis
from argo_bench.study.counting import work
from argo_bench.study.feed import Feed, place
from argo_bench.study.job import digest


class Experiment(Groundwork):
    """One run: the groundwork, the replicates, and the verdicts at the end."""

    def run(self) -> list[Judgement]:
        """Measure, check and judge. Re-raises KeyboardInterrupt after what was measured has been judged."""
        interrupted = False
        has_begun = self._before is not None
        try:
            with surroundings(self._servers()) as around:
                if not has_begun:
                    self._writer.write(self._header(around))
                    has_begun = True
                    self._writer.write(self._planned)
                    for each in self._optimizations():
                        self._writer.write(self._declared[each.id])
                for failure in self._failures[self._known_failures :]:
                    self._writer.write(failure)
                self._without(around.missing)
                self._measure(around)
        except KeyboardInterrupt:
            if not has_begun:
                raise
            interrupted = True
        verdicts = self._conclude()
        replicates = max((len(samples) for samples in self._samples.values()), default=0)
        self._writer.write(End(self._pace.spent_s, interrupted, replicates))
        if interrupted:
            raise KeyboardInterrupt
        return verdicts

    def _header(self, around: Surroundings) -> Run:
        return Run(
            schema=SCHEMA,
            run=self._run_id,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command_line(),
            profile=self._profile.name,
            isolation=self._profile.isolation,
            seed=self._seed,
            looks=list(self._profile.looks),
            symbols={} if self._universe is None else dict(self._universe.origin),
            source="" if self._universe is None else self._universe.source,
            optimizations=[each.id for each in self._optimizations()],
            environment=environment.facts()
            | {
                "file_system": around.file_system,
                "shared_store": None if around.redis is None else redis.find(),
                "fitness": [msgspec.structs.asdict(each) for each in self._machine],
                "calibration": msgspec.to_builtins(self._calibrated),
            },
            trace=os.environ.get(TRACE),
            skip_unchanged=SKIP_UNCHANGED in os.environ,
            asked=self._asked,
            bars="" if self._universe is None else digest(self._universe),
            rule=RULE,
        )

    def _measure(self, around: Surroundings) -> None:
        scratch = around.scratch
        self._plan()
        feed = Feed(self._subjects, self._universe, scratch)
        self._record(feed, 0, [*filter(self._is_headline_scale, self._comparisons)])
        with Twins.start("shared", self._seed, scratch / "numba") as pair:
            self._settle(pair, scratch)
            self._first_calls(pair, feed)
        self._check(feed, scratch)
        self._count(scratch)
        self._weigh(feed, scratch / "numba")
        self._try(around)
        first, most = self._profile.looks[0], self._profile.looks[-1]
        longest = 0.0
        for replicate in range(self._whole_replicates(), most):
            if replicate in self._profile.looks:
                self._look()
            if not self._comparisons or (replicate >= first and longest > self._pace.left_s):
                return
            began = self._pace.spent_s
            allowed_s = self._pace.left_s / (first - replicate) if replicate < first else self._pace.left_s
            self._record(feed, replicate, [*filterfalse(self._is_beside, self._comparisons)])
            self._replicate(replicate, feed, scratch / "numba", began + allowed_s)
            longest = max(longest, self._pace.spent_s - began)

    def _plan(self) -> None:
        """The parts of the run in units of work."""
        subjects = list(self._subjects.values())
        begun = filter(self._is_headline_scale, self._comparisons)
        names = {(*place(each), name) for each in begun for name in arms(each)}
        counts = counted(subjects, self._profile)
        units: Mapping[str, float] = {
            "first calls": len(names),
            "checks": sum(len(subject.variants) for subject in subjects) + len(self._comparisons),
            "counts": sum(work(each.under(seed)) for each in counts for seed in range(self._profile.seeds)),
            "memory": sum(len(arms(each)) for subject in subjects for each, _ in weighed(subject, self._profile)),
            "trials": len(self._trials),
        }
        for part, number in units.items():
            self._pace.plan(part, number, UNIT_S[part])
        self._plan_times(0)

    def _plan_times(self, done: int) -> None:
        """The comparisons that are still to be timed until the next look."""
        next_look = next((look for look in self._profile.looks if look > done), done)
        claimed = sum(not self._is_beside(each) for each in self._comparisons)
        self._pace.plan("times", claimed * (next_look - done), UNIT_S["times"])

    def _whole_replicates(self) -> int:
        """How many of the first replicates an earlier part of the run has measured, all comparisons or up to a look."""
        claimed = filterfalse(self._is_beside, self._comparisons)
        return min((len(self._samples.get(each, ())) for each in claimed), default=0)

    def _look(self) -> None:
        """Comparisons leave when more replicates could change no verdict, or could not be expected to give one; those
        that stay get the blocks that narrow their interval fastest."""
        self._comparisons = [each for each in self._comparisons if not self._has_ended(each)]
        for each in self._comparisons:
            self._block_s[each] = seconds_worth(self._samples.get(each, ()), self._profile_s(each))

    def _has_ended(self, comparison: Comparison) -> bool:
        """Comparisons behind no claim end when they have the replicates of the first look; those behind none about time
        at that look."""
        if self._is_beside(comparison):
            return len(self._samples.get(comparison, ())) >= self._profile.looks[0]
        result = result_of(comparison, self._samples[comparison], self._level(comparison))
        pairs = [
            (claim, result.on(clock))
            for claim in self._claims_on(comparison)
            for clock in CLOCKS
            if claim.metric == clock
        ]
        claims, estimates = [claim for claim, _ in pairs], [estimate for _, estimate in pairs]
        return has_ended(claims, estimates, self._profile.looks[-1])

    def _replicate(self, number: int, feed: Feed, numba_cache: Path, until_s: float) -> None:
        """Every comparison once, in random order, in a fresh pair of processes: the first calls, then the times.

        Blocks get what the time allows for; where it is short, what no claim rests on is left to other replicates. Of
        that the further arms of the sets come first: the report says what they would explain of the combined claims.
        """
        seed = self._seed_of(number)
        rng = random.Random(seed)
        asked = [each for each in self._comparisons if not self._is_measured(each, number)]
        order = rng.sample(asked, len(asked))
        claimed = list(filterfalse(self._is_beside, order))
        in_sets = {each.id for each in sets()}
        beside = sorted(filter(self._is_beside, order), key=lambda each: each.optimization not in in_sets)
        alike = [*_with_one_reference(claimed), *_with_one_reference(beside)]
        self._plan_times(number)
        began = self._pace.spent_s
        blocks_s = math.fsum(self._seconds_of_blocks(each) for each in _with_one_reference(claimed))
        share = share_of_blocks(until_s - began, self._overrun * blocks_s, self._beside_s, SET_UP_S * len(order))
        timed_s, claimed_until_s = 0.0, began
        with Twins.start(self._profile.isolation, seed % 2**32, numba_cache) as pair:
            replicate = Replicate(pair, number, seed, rng, self._profile.warm_up_ns, self._call_ns)
            for comparison in filter(self._is_headline_scale, claimed):
                if comparison in self._comparisons:
                    with self._failing(comparison, comparison.candidate):
                        replicate.meet(feed.arms(comparison), together=self._is_local(comparison))
                    pair.revive()
            for comparisons in alike:
                is_beside = self._is_beside(comparisons[0])
                if is_beside and self._pace.spent_s > until_s:
                    break
                for samples in self._timed(replicate, pair, feed, comparisons, share):
                    self._keep(samples)
                    timed_s += 0.0 if is_beside else samples.seconds or 0.0
                    self._did("further times" if is_beside else "times", str(samples.comparison))
                if not is_beside:
                    claimed_until_s = self._pace.spent_s
        self._beside_s = claimed_until_s - began - timed_s
        self._overrun = timed_s / (share * blocks_s) if blocks_s else 1.0

    def _timed(
        self, replicate: Replicate, pair: Twins, feed: Feed, alike: Sequence[Comparison], share: float
    ) -> Iterator[Samples]:
        """The samples of comparisons with one reference, which is sampled once for all of them.

        Of traces it is sampled once for those whose passes are as long: what a cache is worth depends on that. An arm
        that raises ends its own comparisons; the others are timed again without it.
        """
        self._record(feed, replicate.number, [each for each in alike if each in self._comparisons])
        done: set[Comparison] = set()
        while asked := [each for each in alike if each in self._comparisons and each not in done]:
            self._tell(str(asked[0]))
            together = self._is_local(asked[0])
            with self._failing(asked[0], asked[0].candidate):
                chosen = asked
                if feed.is_trace(asked[0]):
                    calls = {each: replicate.calls(feed.arms(each), together=together) for each in asked}
                    chosen = [each for each in asked if calls[each] == calls[asked[0]]]
                taken = replicate.compared(
                    [(each, feed.arms(each)) for each in chosen],
                    share * self._seconds_of_blocks(chosen),
                    together=together,
                    is_cold=self._is_headline_scale(asked[0]),
                )
                done |= set(chosen)
                yield from taken
            pair.revive()

    def _seconds_of_blocks(self, alike: Sequence[Comparison]) -> float:
        """Of comparisons that share their reference's samples."""
        return max(map(self._block_seconds, alike)) * (1 + len(alike)) / 2

    def _is_measured(self, comparison: Comparison, replicate: int) -> bool:
        return any(each.replicate == replicate for each in self._samples.get(comparison, ()))

    def _keep(self, samples: Samples) -> None:
        self._writer.write(samples)
        taken = self._samples.setdefault(samples.comparison, [])
        taken.append(samples)
        result = result_of(samples.comparison, taken, self._level(samples.comparison))
        estimate = result.wall if self._metric(samples.comparison) == "wall" else result.cpu
        if (interval := estimate.speedup_interval) is not None:
            candidate = f"{samples.comparison.optimization} {samples.comparison.candidate}"
            self._seen = f"{candidate} {estimate.speedup:.3g}x [{interval[0]:.3g}, {interval[1]:.3g}]"

    def _conclude(self) -> list[Judgement]:
        results: list[Result] = []
        for comparison, taken in self._samples.items():
            results.append(result_of(comparison, taken, self._level(comparison)))
            self._writer.write(results[-1])
        samples = [each for taken in self._samples.values() for each in taken]
        measured = Measured(results, samples, self._memories, self._counts)
        declared = list(self._declared.values())
        for caching in cachings(declared, measured):
            self._writer.write(caching)
        verdicts = judgements(declared, measured, self._fidelities, self._failures, self._planned.claims)
        for verdict in verdicts:
            self._writer.write(verdict)
        return verdicts

    def _is_local(self, comparison: Comparison) -> bool:
        """Whether both arms must share a process, since they cannot be imported by two."""
        subject = self._subjects[comparison.optimization]
        return isinstance(subject, Benchmark) and subject.is_local

    def _metric(self, comparison: Comparison) -> Metric:
        return next((each.metric for each in self._claims_on(comparison)), "cpu")

    def _level(self, comparison: Comparison) -> float:
        return self._planned.level_of(self._declared[comparison.optimization], comparison)

    def _claims_on(self, comparison: Comparison) -> list[Claim]:
        """The claims whose verdict rests on it."""
        return self._declared[comparison.optimization].claims_on(comparison)

    def _is_beside(self, comparison: Comparison) -> bool:
        """Whether no claim rests on it: further arms, and other scales."""
        return not self._claims_on(comparison)

    def _is_headline(self, comparison: Comparison) -> bool:
        return any(claim.headline for claim in self._claims_on(comparison))

    def _profile_s(self, comparison: Comparison) -> float:
        return self._profile.headline_s if self._is_headline(comparison) else self._profile.other_s

    def _block_seconds(self, comparison: Comparison) -> float:
        return self._block_s.get(comparison, self._profile_s(comparison))


def _with_one_reference(comparisons: Iterable[Comparison]) -> list[list[Comparison]]:
    """Those that differ in nothing but the candidate, together, in the order of the first of them."""
    found: dict[Comparison, list[Comparison]] = {}
    for each in comparisons:
        found.setdefault(msgspec.structs.replace(each, candidate=""), []).append(each)
    return list(found.values())


def run_id(profile: Profile, at: datetime) -> str:
    """A name for the run's directory that sorts by time."""
    return f"{at:%Y%m%d-%H%M%S}-{profile.name}"
