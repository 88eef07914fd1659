"""The lines of a record, by what they say.

Times are integer nanoseconds of a whole sample; ratios are always baseline / candidate for ``speedup``.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from argo_bench.harness.claims.claim import Claim, Metric
from argo_bench.harness.claims.verdict import Word
from argo_bench.harness.statistics.estimate import Estimate

SCHEMA = 3
LAST_WITHOUT_DECLARATIONS = 2
RULE = "student-t"
"""What judges a run: the 40 % trimmed mean of a replicate's blocks, Student's t over the replicates."""
SIGN_TEST = "sign-test"
"""What judges a gate."""


Isolation = Literal["shared", "twins"]
"""Whether the arms of a comparison share a process, or have one each."""
Method = Literal["peak_rss", "traced", "polled_rss", "memory_profiler", "ru_maxrss", "allocations"]
"""The ways to read memory; each is a function of ``workers/memory``."""


class Reading(msgspec.Struct, frozen=True, tag="reading"):
    """What one method saw of one pass of an arm, beyond what was there before.

    ``peak_bytes`` is the largest memory at any moment of the pass, ``live_bytes`` what results and caches hold after
    it (of whole cycles, whose results are rows of a database, the caches alone), both without ``baseline_bytes``, the
    resident memory just before. ``exact`` readings miss no moment; they are as fine as the counter behind them
    (RESOLUTION). ``how`` names the means.
    """

    method: Method
    how: str
    exact: bool
    peak_bytes: int | None = None
    live_bytes: int | None = None
    baseline_bytes: int | None = None
    allocations: int | None = None


class Comparison(msgspec.Struct, frozen=True, order=True):
    """What was measured against what: the candidate and the reference are arms of one optimization's workload."""

    optimization: str
    workload: str
    scale: int
    unit: str
    reference: str
    candidate: str

    def __str__(self) -> str:
        if self.unit == "calls":
            return f"{self.optimization}: {self.candidate} against {self.reference}"
        return f"{self.optimization} {self.workload} at {self.place}: {self.candidate} against {self.reference}"

    @property
    def place(self) -> str:
        """The scale in words, as in ``300 bars`` or ``20 % ticking``."""
        return f"{self.scale:,} {self.unit}"


class Asked(msgspec.Struct, frozen=True):
    """The settings of a run, as given: ids, names and files, the data, the profile and what it was switched to."""

    ids: list[str]
    data: str | None
    profile: str
    symbols: int | None
    seed: int
    trace: str | None
    skip_unchanged: bool
    study: bool
    live: bool
    budget_s: float | None


class Run(msgspec.Struct, frozen=True, tag="run"):
    """The first line: what was asked for, on what data, where.

    ``looks`` are the numbers of replicates at which a comparison may stop. ``trace`` is the market under every trace
    where it was not each workload's own, ``skip_unchanged`` whether last signals were served for unchanged prices.
    ``asked`` is what the run can be resumed with, ``bars`` a digest of the data. ``rule`` names what the verdicts were
    reached by, RULE or SIGN_TEST; records of schemas 1 and 2 do not say so.
    """

    schema: int
    run: str
    started: str
    command: str
    profile: str
    isolation: Isolation
    seed: int
    looks: list[int]
    symbols: dict[str, str]
    source: str
    optimizations: list[str]
    environment: dict[str, Any]
    trace: str | None = None
    skip_unchanged: bool = False
    asked: Asked | None = None
    bars: str = ""
    rule: str = ""


class WorkloadFacts(msgspec.Struct, frozen=True):
    """What judging needs to know of a workload: ``inputs`` says whether a cache finds what it is asked (``hit``) or not
    (``miss``), ``stage`` which workloads ask the same; ``is_modelled``: constants stand for waits in its wall time."""

    name: str
    unit: str
    scales: list[int]
    stage: str = ""
    inputs: str = ""
    is_modelled: bool = False


class Declaration(msgspec.Struct, frozen=True, tag="subject"):
    """What is judged of a subject, as it was when it was measured: with it verdicts follow from the record alone.

    ``family`` names the claims whose intervals hold together with its headline claims. ``functions`` are the names of
    a user's two functions by arm, empty for anything else. ``nouns`` say what its counts are of.
    """

    id: str
    name: str
    variants: list[str]
    claims: list[Claim]
    workloads: list[WorkloadFacts]
    family: str
    functions: dict[str, str] = {}
    nouns: dict[str, str] = {}

    def workload(self, name: str) -> WorkloadFacts:
        return next(each for each in self.workloads if each.name == name)

    def headline_comparison(self, claim: Claim, variant: str) -> Comparison:
        """What gives a claim its verdict: its workload at the headline scale, against its reference."""
        workload = self.workload(claim.workload)
        return Comparison(self.id, workload.name, workload.scales[0], workload.unit, claim.against(variant), variant)

    def claims_on(self, comparison: Comparison) -> list[Claim]:
        """The claims whose verdict rests on a comparison; none for further arms and other scales."""
        if comparison.candidate not in self.variants:
            return []
        return [each for each in self.claims if self.headline_comparison(each, comparison.candidate) == comparison]


class Plan(msgspec.Struct, frozen=True, tag="plan"):
    """What a run set out to do, and at which levels it judges.

    ``families`` are claims by the name of what holds together; of each the error of all verdicts together is ``error``,
    and ``levels`` is the confidence level of its intervals at every look. ``level`` is that of all other intervals.
    ``claims`` are those that are judged, ``seeds`` those that counts are taken under, ``sets`` the members of what
    stands for several optimizations, ``comparisons`` what is to be timed.
    """

    error: float
    families: dict[str, list[str]]
    levels: dict[str, float]
    level: float
    claims: list[str]
    seeds: list[int]
    sets: dict[str, list[str]]
    comparisons: list[Comparison]

    def level_of(self, declaration: Declaration, comparison: Comparison) -> float:
        """The confidence level of a comparison's interval: that of a family where a headline claim rests on it."""
        in_family = any(claim.headline for claim in declaration.claims_on(comparison))
        return self.levels.get(declaration.family, self.level) if in_family else self.level


class Declared(msgspec.Struct, frozen=True, tag="benchmark"):
    """A user's two functions by their names, how they were fed and checked, and the sentence that was judged.

    ``isolation`` is ``shared`` for local functions, which were copied to one process for both; otherwise the run's.
    """

    name: str
    baseline: str
    candidate: str
    setup: str
    check: str
    fresh: bool
    metric: Metric
    claim: str | None
    isolation: Literal["shared"] | None


class Fidelity(msgspec.Struct, frozen=True, tag="fidelity"):
    """How a variant's decisions differ from the oracle's, and an arm's outputs from its reference's.

    ``output`` is the Output column: ``same``, ``as declared ...`` or ``differs: ...``. ``counts`` are exact, of
    ``compared`` symbol-cycles (pipeline) or calls (workload), ``permitted`` those that the optimization declares.
    ``largest_error`` is relative.
    """

    optimization: str
    arm: str
    workload: str | None
    compared: int
    counts: dict[str, int]
    largest_error: float
    output: str
    faithful: bool
    permitted: dict[str, int] = {}


class Cold(msgspec.Struct, frozen=True, tag="cold"):
    """The first call in a fresh process. ``compiled``: with an empty numba cache, so that it includes compilation."""

    optimization: str
    workload: str
    scale: int
    unit: str
    arm: str
    first_call_ns: int
    compiled: bool


class Block(msgspec.Struct, frozen=True):
    """Four samples in the order of the slots; A is the reference, B the candidate.

    ``invalid`` names the cause from outside (stolen processor, clock jump, suspension) for which a block does not
    count; samples never lose their place for their value.
    """

    order: Literal["ABBA", "BAAB"]
    wall_ns: tuple[int, int, int, int]
    cpu_ns: tuple[int, int, int, int]
    invalid: str | None = None


class Samples(msgspec.Struct, frozen=True, tag="samples"):
    """All samples of one comparison in one replicate.

    ``reference_calls`` and ``candidate_calls`` are calls per sample; ``*_first_call_ns`` the wall time of the arm's
    first call in this process (None where another scale of it had run there before); ``*_drain_ns`` what an arm puts
    off until its world closes, per call of one pass on cold state (None where state is kept between passes).
    ``seconds`` is what the blocks took in fact: waits of the simulated world take none.
    """

    comparison: Comparison
    replicate: int
    seed: int
    reference_calls: int
    candidate_calls: int
    blocks: list[Block]
    reference_first_call_ns: int | None
    candidate_first_call_ns: int | None
    reference_drain_ns: float | None
    candidate_drain_ns: float | None
    seconds: float | None = None


class Caching(msgspec.Struct, frozen=True, tag="caching"):
    """From which hit rate on a cache pays, from the times of a hit, a miss and the reference; and what its traces give.

    ``break_even`` is above 1 where even a hit costs more than the reference; ``hit_rates`` are by workload, the median
    over the seeds.
    """

    optimization: str
    arm: str
    scale: int
    unit: str
    break_even: float
    hit_rates: dict[str, float]


class Memory(msgspec.Struct, frozen=True, tag="memory"):
    """What one pass of an arm takes in memory, by several methods, each reading in a process of its own."""

    optimization: str
    workload: str
    scale: int
    arm: str
    readings: list[Reading]


class Counts(msgspec.Struct, frozen=True, tag="counts"):
    """What an arm's replay of a trace came to under one seed: exact counts by name, benefit and damage.

    ``error`` is what the arm raised; it has no counts then.
    """

    optimization: str
    workload: str
    scale: int
    unit: str
    arm: str
    seed: int
    counts: dict[str, float]
    error: str | None = None


class Tried(msgspec.Struct, frozen=True, tag="trial"):
    """The first line of a trial: a study on real components that yields numbers. ``compared`` are the values that are
    laid against those of the arm ``reference``; ``full`` is the long form."""

    optimization: str
    trial: str
    description: str
    reference: str
    compared: list[str]
    full: bool


class Observed(msgspec.Struct, frozen=True, tag="observation"):
    """What a trial saw of one arm under one condition, once: numbers by name."""

    optimization: str
    trial: str
    condition: str
    arm: str
    values: dict[str, float]


class Banked(msgspec.Struct, frozen=True, tag="banked"):
    """A replicate of the calibration bank: what the machine was doing beside it, and the seconds it took in all."""

    condition: Literal["quiet", "busy"]
    seconds: float
    samples: Samples


class Result(msgspec.Struct, frozen=True, tag="result"):
    """What the samples of one comparison amount to, on both clocks, with median times per call in nanoseconds.

    ``candidate_drain_ns`` is work deferred beyond the reference's, which ``candidate_ns`` does not contain.
    ``seconds_per_replicate`` is the time of the blocks; ``flags`` are what the samples say about their own quality.
    """

    comparison: Comparison
    cpu: Estimate
    wall: Estimate
    reference_ns: float
    candidate_ns: float
    candidate_drain_ns: float | None
    seconds_per_replicate: float
    flags: list[str]

    def on(self, metric: Metric) -> Estimate:
        """On the wall clock for ``wall``, else on the CPU's."""
        return self.wall if metric == "wall" else self.cpu


class Spot(msgspec.Struct, frozen=True):
    """A verdict at another scale, or on the first call: outside the family, its interval holds at 95 % by itself."""

    scale: int
    speedup: float
    interval: tuple[float, float] | None
    verdict: Word


class Judgement(msgspec.Struct, frozen=True, tag="verdict"):
    """One claim, one arm, one word. ``sentence`` says what was seen; ``output`` is the Output column.

    ``level`` is the confidence level of ``interval``. ``detectable`` is the smallest speed-up (or slow-down, as its
    inverse) that the run would have found with a power of 95 %; ``needs`` says what an inconclusive result would take.
    ``strip`` are the verdicts at every scale that was measured, ``cold`` the one on the first call of a process, and
    ``break_even_calls`` the calls after which the candidate has made up for its first one (0: at once, None: never).
    ``curve`` are the verdicts over a condition in ``curve_unit``, ``holds_when`` says of a claim that was not confirmed
    where it would hold. ``level_seen`` is the range of a counted level over the seeds.
    """

    claim: str
    optimization: str
    arm: str
    text: str
    kind: str
    low: float | None
    high: float | None
    headline: bool
    comparison: Comparison
    metric: Metric
    speedup: float | None
    interval: tuple[float, float] | None
    level: float | None
    verdict: Word
    flags: list[str]
    output: str
    sentence: str
    detectable: float | None
    needs: str | None
    strip: list[Spot] = []
    cold: Spot | None = None
    break_even_calls: float | None = None
    curve: list[Spot] = []
    curve_unit: str = ""
    level_seen: tuple[float, float] | None = None
    holds_when: str | None = None


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """An arm that could not run (``untested``: something is missing) or raised (``failed``); in the arm's place a
    workload or a trial, where every arm of it is concerned."""

    optimization: str
    arm: str
    kind: Literal["untested", "failed"]
    reason: str


class End(msgspec.Struct, frozen=True, tag="end"):
    """The last line: ``interrupted`` runs keep what they had."""

    seconds: float
    interrupted: bool
    replicates: int


Record = (
    Run
    | Plan
    | Declaration
    | Declared
    | Fidelity
    | Cold
    | Samples
    | Memory
    | Counts
    | Tried
    | Observed
    | Banked
    | Result
    | Caching
    | Judgement
    | Failure
    | End
)


CONCLUSIONS = (Result, Caching, Judgement, End)
"""What follows from the rest of a record."""


class Foreign(msgspec.Struct, frozen=True):
    """A line of a kind that the harness does not know: the study's, the gate's, or a later version's."""

    tag: str
    content: msgspec.Raw
