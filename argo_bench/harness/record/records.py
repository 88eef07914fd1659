"""Defines the kinds of lines in a record.

Times are integer nanoseconds of a whole sample; ``speedup`` is always the ratio baseline / candidate.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import Method, Metric
from argo_bench.harness.claims.verdict import Word
from argo_bench.harness.statistics.estimate import CURRENT, RETIRED, Estimate, Rule

SCHEMA = 4
LAST_WITHOUT_DECLARATIONS = 2
LAST_WITHOUT_SEAL = 3
"""Up to this schema the order of blocks cannot be drawn again, and no seal ends a record."""
RULE: Rule = CURRENT
"""This rule judges a run: the 40 % trimmed mean of a replicate's blocks, and the 25 % trimmed mean of replicates."""
RULES: tuple[Rule, ...] = (CURRENT, RETIRED)
SIGN_TEST = "sign-test"
"""This rule judged the gates of earlier versions."""

Nanoseconds = Annotated[int, Meta(gt=0, le=10**16)]
"""A time that was measured is never 0; 10**16 ns are over a hundred days."""
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Calls = Annotated[int, Meta(ge=1, le=10**12)]
Number = Annotated[int, Meta(ge=0, le=2**62)]
Quantity = Annotated[float, Meta(ge=0)]
Bytes = Annotated[int, Meta(ge=0, le=2**60)]
Ratio = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Level = Annotated[float, Meta(gt=0, le=1)]
Looks = Annotated[list[Annotated[int, Meta(ge=1, le=200)]], Meta(min_length=1, max_length=20)]
"""A line whose values are beyond these types is not read: it is broken, and nothing can follow from it."""


Scope = Literal["workload", "cases", "markets", "failures"]
"""Outputs are compared on the recorded inputs of a workload, on named cases, on whole cycles of markets, and on such
cycles while providers fail."""
Isolation = Literal["shared", "twins"]
"""Each arm of a comparison has one of two processes; in records of before they might share one."""


class Reading(msgspec.Struct, frozen=True, tag="reading"):
    """Says what one method saw of one pass of an arm, beyond what was there before.

    ``peak_bytes`` is the largest memory at any moment of the pass. ``live_bytes`` is what results and caches hold after
    it; of whole cycles, whose results are rows of a database, it is what the caches hold. Neither includes
    ``baseline_bytes``, the resident memory just before the pass. ``exact`` readings miss no moment; they are as fine as
    the counter behind them, to ``resolution_bytes``. ``how`` names the means.

    Both figures include ``kept_bytes``, what the first call of a user's function left behind for ever (None where that
    cannot be told from what it compiled). The peak includes ``children_bytes``, the sum of the peaks of ``children``
    child processes. ``hash_seed`` was PYTHONHASHSEED; records of 0.1 do not name it, nor the resolution.
    """

    method: Method
    how: str
    exact: bool
    peak_bytes: Bytes | None = None
    live_bytes: Bytes | None = None
    baseline_bytes: Bytes | None = None
    allocations: Number | None = None
    hash_seed: Number | None = None
    resolution_bytes: Bytes | None = None
    kept_bytes: Bytes | None = None
    children: Number = 0
    children_bytes: Bytes = 0


class Comparison(msgspec.Struct, frozen=True, order=True):
    """Names what is compared with what: the candidate and the reference are arms of one optimization's workload."""

    optimization: str
    workload: str
    scale: Number
    unit: str
    reference: str
    candidate: str

    def __str__(self) -> str:
        if self.unit == "calls":
            return f"{self.optimization}: {self.candidate} against {self.reference}"
        return f"{self.optimization} {self.workload} at {self.place}: {self.candidate} against {self.reference}"

    @property
    def place(self) -> str:
        """Return the scale in words, as in ``300 bars`` or ``20 % ticking``."""
        return f"{self.scale:,} {self.unit}"


class Asked(msgspec.Struct, frozen=True):
    """Keeps the settings of a run as they were given: ids, names and files, the data, the profile and its options.

    ``dates`` and ``adjust_by`` say how the data are to be read where that cannot be told from them. ``latencies`` are a
    reader's own, in milliseconds, and prices in dollars per million tokens, by provider and by name. ``shard`` is the
    part of the ids that is measured, as in ``2/8``, and ``bars`` the number of newest bars that are taken of a symbol.
    """

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
    dates: str | None = None
    adjust_by: str | None = None
    latencies: dict[str, dict[str, float]] | None = None
    shard: str | msgspec.UnsetType = msgspec.UNSET
    bars: int | msgspec.UnsetType = msgspec.UNSET


class Run(msgspec.Struct, frozen=True, tag="run"):
    """Opens a record: it says what was asked for, on what data, and where.

    ``looks`` are the numbers of replicates at which a comparison may stop. ``trace`` is the market under every trace
    where it was not each workload's own; ``skip_unchanged`` says whether last signals were served for unchanged prices.
    ``asked`` is what the run can be resumed with, ``bars`` a digest of the data. ``rule`` names the rule by which the
    verdicts were reached, RULE or SIGN_TEST; records of schemas 1 and 2 do not name it. ``choices`` are sentences that
    say what was chosen in reading the data (which prices, which order of dates); records of before have none.
    """

    schema: Annotated[int, Meta(ge=1)]
    run: str
    started: str
    command: str
    profile: str
    isolation: Isolation
    seed: Number
    looks: Looks
    symbols: dict[str, str]
    source: str
    optimizations: list[str]
    environment: dict[str, Any]
    trace: str | None = None
    skip_unchanged: bool = False
    asked: Asked | None = None
    bars: str = ""
    rule: str = ""
    choices: list[str] = []


def rule_of(run: Run) -> Rule:
    """Return the rule that judged a run; records of schemas 1 and 2 do not name it."""
    return CURRENT if run.rule == CURRENT else RETIRED


class WorkloadFacts(msgspec.Struct, frozen=True):
    """Says what judging needs to know of a workload.

    ``inputs`` says whether a cache finds what it is asked for (``hit``) or not (``miss``); workloads of one ``stage``
    ask for the same. ``is_modelled`` says that constants stand for waits in its wall time.
    """

    name: str
    unit: str
    scales: Annotated[list[Number], Meta(min_length=1)]
    stage: str = ""
    inputs: str = ""
    is_modelled: bool = False


class Declaration(msgspec.Struct, frozen=True, tag="subject"):
    """Declares what is judged of a subject, as of its measurement, so that verdicts follow from the record alone.

    ``family`` names the claims whose intervals hold together with its headline claims. ``functions`` are the names of a
    user's two functions by arm, empty for anything else. ``nouns`` say what its counts are of, ``may_change`` what its
    engineered variant may do to the output.
    """

    id: str
    name: str
    variants: list[str]
    claims: list[Claim]
    workloads: list[WorkloadFacts]
    family: str
    functions: dict[str, str] = {}
    nouns: dict[str, str] = {}
    may_change: str = "nothing"

    def workload(self, name: str) -> WorkloadFacts:
        return next(each for each in self.workloads if each.name == name)

    def headline_comparison(self, claim: Claim, variant: str) -> Comparison:
        """Return the comparison that gives a claim its verdict, at the headline scale and against its reference."""
        workload = self.workload(claim.workload)
        return Comparison(self.id, workload.name, workload.scales[0], workload.unit, claim.against(variant), variant)

    def claims_on(self, comparison: Comparison) -> list[Claim]:
        """Return the claims whose verdicts rest on a comparison; none for further arms and other scales."""
        if comparison.candidate not in self.variants:
            return []
        return [each for each in self.claims if self.headline_comparison(each, comparison.candidate) == comparison]


class Plan(msgspec.Struct, frozen=True, tag="plan"):
    """Says what a run set out to do, and at which levels it judges.

    ``families`` are claims by the name of their family. ``error`` is the error of all verdicts of one family together,
    and ``levels`` holds the confidence level of its intervals at every look; ``level`` is that of all other intervals.
    ``claims`` are those that are judged, ``seeds`` those that counts are taken under, ``sets`` the members of what
    stands for several optimizations, ``comparisons`` what is to be timed. ``looks`` are those of the run, and
    ``only_checks`` says that outputs are compared and nothing is timed. ``order`` says in words what comparisons are
    behind, those first that get their time first; records of before have none and name nothing that was left out.
    """

    error: Annotated[float, Meta(gt=0, lt=1)]
    families: dict[str, list[str]]
    levels: dict[str, Level]
    level: Level
    claims: list[str]
    seeds: list[Number]
    sets: dict[str, list[str]]
    comparisons: list[Comparison]
    looks: list[int] = []
    only_checks: bool = False
    order: list[str] = []

    def level_of(self, declaration: Declaration, comparison: Comparison) -> float:
        """Return the confidence level of a comparison's interval: its family's where a headline claim rests on it."""
        in_family = any(claim.headline for claim in declaration.claims_on(comparison))
        return self.levels.get(declaration.family, self.level) if in_family else self.level

    def error_of(self, declaration: Declaration, claim: Claim) -> float:
        """Return the error that the interval of one claim may have: its part of what its family may have."""
        family = self.families.get(declaration.family, []) if claim.headline else []
        return self.error / max(1, len(family))


class Declared(msgspec.Struct, frozen=True, tag="benchmark"):
    """Names a user's two functions, how they were fed and checked, and the sentence that was judged.

    ``clock_by`` says what told whether the functions wait, hence the clock: several where they differ, ``several
    processors`` where one of them starts threads or processes, and nothing where a metric was named or in records of
    before. ``isolation`` is ``shared`` in records of before for local functions, which were then copied to one process
    for both; it is None otherwise.
    """

    name: str
    baseline: str
    candidate: str
    setup: str
    check: str
    fresh: bool
    metric: Metric
    claim: str | None
    isolation: Literal["shared"] | None = None
    clock_by: str = ""


class Fidelity(msgspec.Struct, frozen=True, tag="fidelity"):
    """Says how an arm's outputs differ from its reference's, and what was seen when they were compared.

    ``output`` is the Output column: ``same``, ``as declared ...``, ``differs: ...`` or ``not checked: ...``. ``counts``
    are exact counts of differences, which concern ``concerned`` of ``compared`` calls of a workload, cases, or
    symbol-cycles of a market; ``permitted`` are those that the optimization declares. ``largest_error`` is relative,
    ``first`` describes the first difference.

    ``saw`` counts what was compared, by noun; ``unseen`` are the nouns of which there should have been some. ``damage``
    says what an arm did to the signals: how many there were, how many it missed, added, flipped or lost.
    """

    optimization: str
    arm: str
    workload: str | None
    compared: Number
    counts: dict[str, Number]
    largest_error: Quantity
    output: str
    faithful: bool
    permitted: dict[str, Number] = {}
    scope: Scope = "workload"
    concerned: Number = 0
    saw: dict[str, Number] = {}
    unseen: list[str] = []
    damage: dict[str, Quantity] = {}
    first: str = ""


class Cold(msgspec.Struct, frozen=True, tag="cold"):
    """Keeps the first call in a fresh process.

    ``compiled`` says that its numba cache was empty, so that the call includes compilation.
    """

    optimization: str
    workload: str
    scale: Number
    unit: str
    arm: str
    first_call_ns: Nanoseconds
    compiled: bool


class Block(msgspec.Struct, frozen=True):
    """Keeps four samples in the order of the slots; A is the reference, B the candidate.

    ``invalid`` names the cause from outside (stolen processor, clock jump, suspension) for which a block does not
    count. No sample is ever left out because of its value.
    """

    order: Literal["ABBA", "BAAB"]
    wall_ns: tuple[Nanoseconds, Nanoseconds, Nanoseconds, Nanoseconds]
    cpu_ns: tuple[Nanoseconds, Nanoseconds, Nanoseconds, Nanoseconds]
    invalid: str | None = None


class Samples(msgspec.Struct, frozen=True, tag="samples"):
    """Keeps all samples of one comparison in one replicate.

    ``reference_calls`` and ``candidate_calls`` are calls per sample. ``*_first_call_ns`` is the wall time of the arm's
    first call in this process (None where another scale of it had run there before). ``*_drain_ns`` is what an arm puts
    off until its world closes, per call of one pass on cold state (None where state is kept between passes).
    ``seconds`` is the time that the blocks really took: waits of the simulated world take none.
    """

    comparison: Comparison
    replicate: Annotated[int, Meta(ge=0, le=1_000_000)]
    seed: Number
    reference_calls: Calls
    candidate_calls: Calls
    blocks: Annotated[list[Block], Meta(min_length=1, max_length=10_000)]
    reference_first_call_ns: Nanoseconds | None
    candidate_first_call_ns: Nanoseconds | None
    reference_drain_ns: Quantity | None
    candidate_drain_ns: Quantity | None
    seconds: Seconds | None = None


class Caching(msgspec.Struct, frozen=True, tag="caching"):
    """Says from which hit rate on a cache pays, by the times of a hit, a miss and the reference, and its traces' rates.

    ``break_even`` is above 1 where even a hit costs more than the reference; ``hit_rates`` are by workload, the median
    over the seeds.
    """

    optimization: str
    arm: str
    scale: Number
    unit: str
    break_even: Quantity
    hit_rates: dict[str, Share]


class Memory(msgspec.Struct, frozen=True, tag="memory"):
    """Keeps what one pass of an arm takes in memory, by several methods, each reading in a process of its own."""

    optimization: str
    workload: str
    scale: Number
    arm: str
    readings: Annotated[list[Reading], Meta(min_length=1, max_length=1_000)]


class Counts(msgspec.Struct, frozen=True, tag="counts"):
    """Keeps what an arm's replay of a trace came to under one seed: exact counts by name, of benefit and of damage.

    ``error`` is what the arm raised; it has no counts then.
    """

    optimization: str
    workload: str
    scale: Number
    unit: str
    arm: str
    seed: Number
    counts: dict[str, Quantity]
    error: str | None = None


class Tried(msgspec.Struct, frozen=True, tag="trial"):
    """Opens the lines of a trial, a study on real components that yields numbers.

    ``compared`` are the values that are compared with those of the arm ``reference``; ``full`` says that it is the long
    form.
    """

    optimization: str
    trial: str
    description: str
    reference: str
    compared: list[str]
    full: bool


class Observed(msgspec.Struct, frozen=True, tag="observation"):
    """Keeps what a trial saw of one arm under one condition, once: numbers by name."""

    optimization: str
    trial: str
    condition: str
    arm: str
    values: dict[str, float]


class Banked(msgspec.Struct, frozen=True, tag="banked"):
    """Keeps a replicate of the calibration bank, with what the machine did beside it and the seconds it took in all.

    ``further`` are the samples of other processes of both sides, whose blocks are those of ``samples``.
    """

    condition: Literal["quiet", "busy", "both busy"]
    seconds: Seconds
    samples: Samples
    further: list[Samples] = []


class Result(msgspec.Struct, frozen=True, tag="result"):
    """Says what the samples of one comparison amount to, on both clocks, with median times per call in nanoseconds.

    ``candidate_drain_ns`` is work deferred beyond the reference's, which ``candidate_ns`` does not contain.
    ``seconds_per_replicate`` is the time of the blocks; ``flags`` are what the samples say about their own quality.
    ``cpu_mean`` and ``wall_mean`` are of plain means, on a clock on which dear calls recur (None elsewhere): the other
    estimates speak of the typical call. ``slow`` counts the slow processes of the reference and of the candidate.
    """

    comparison: Comparison
    cpu: Estimate
    wall: Estimate
    reference_ns: Ratio
    candidate_ns: Ratio
    candidate_drain_ns: Quantity | None
    seconds_per_replicate: Seconds
    flags: list[str]
    cpu_mean: Estimate | None = None
    wall_mean: Estimate | None = None
    slow: tuple[int, int] | None = None

    def mean_on(self, metric: Metric) -> Estimate | None:
        """Return the mean's estimate on the clock of a metric; None where its calls have no second mode."""
        return self.wall_mean if metric == "wall" else self.cpu_mean

    def on(self, metric: Metric) -> Estimate:
        """Return the estimate on the wall clock for ``wall``, else that on the CPU's."""
        return self.wall if metric == "wall" else self.cpu


class Spot(msgspec.Struct, frozen=True):
    """Holds a verdict at another scale, or on the first call; outside the family, its interval holds at 95 % alone."""

    scale: Number
    speedup: Ratio
    interval: tuple[Ratio, Ratio] | None
    verdict: Word


class Judgement(msgspec.Struct, frozen=True, tag="verdict"):
    """Judges one claim on one arm in one word. ``sentence`` says what was seen; ``output`` is the Output column.

    ``level`` is the confidence level of ``interval``. ``detectable`` is the smallest speed-up (or slow-down, as its
    inverse) that the run would have found with a power of 95 %; ``needs`` says what an inconclusive result would take.
    ``strip`` holds the verdicts at every scale that was measured, ``cold`` the one on the first call of a process.
    ``break_even_calls`` is the number of calls after which the candidate has made up for its first one (0: at once,
    None: never). ``curve`` holds the verdicts over a condition in ``curve_unit``; ``holds_when`` says of a claim that
    was not confirmed where it would hold. ``level_seen`` is the range of a counted level over the seeds. ``damage``
    counts what the arm did to the signals; ``when_providers_fail`` says what becomes of them then.
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
    speedup: Ratio | None
    interval: tuple[Ratio, Ratio] | None
    level: Level | None
    verdict: Word
    flags: list[str]
    output: str
    sentence: str
    detectable: Ratio | None
    needs: str | None
    strip: list[Spot] = []
    cold: Spot | None = None
    break_even_calls: Quantity | None = None
    curve: list[Spot] = []
    curve_unit: str = ""
    level_seen: tuple[float, float] | None = None
    holds_when: str | None = None
    damage: dict[str, Quantity] = {}
    when_providers_fail: str = ""


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """Says that an arm could not run (``untested``: something is missing) or raised (``failed``).

    ``arm`` names a workload or a trial where every arm of it is concerned.
    """

    optimization: str
    arm: str
    kind: Literal["untested", "failed"]
    reason: str


class LeftOut(msgspec.Struct, frozen=True, tag="left out"):
    """Says that a comparison was given up after some replicates, since the time was short.

    ``reason`` names what came before it, and ``needs_s`` are the seconds that it would have taken to its next look. A
    run that is resumed takes it up again.
    """

    comparison: Comparison
    replicates: Number
    reason: str
    needs_s: Seconds


class End(msgspec.Struct, frozen=True, tag="end"):
    """Ends a record. Where ``interrupted`` is true, the record has what was measured until then.

    ``replicates`` is how many were begun. ``seconds`` is what the run took, of the ``budget_s`` that it was given (None
    where that is without end), and ``longest_s`` what its longest replicate took, without room for which none begins.
    ``seal`` is a digest of this line and all before it; it is empty in records of schemas 1 to 3. ``busy`` says what
    others took of the machine meanwhile, where that was too much. Where a run was resumed, all of this is of its last
    part, and ``earlier_s`` are the seconds of the parts before it that came to an end, None where these are not all
    known; records before 2026-11-30 lack it.
    """

    seconds: Seconds
    interrupted: bool
    replicates: Number
    budget_s: float | None = None
    longest_s: Seconds = 0.0
    seal: str = ""
    busy: str = ""
    earlier_s: Seconds | msgspec.UnsetType | None = msgspec.UNSET

    @property
    def total_s(self) -> float | None:
        """Return the seconds of all parts, None where they are not known."""
        if self.earlier_s is None:
            return None
        return self.seconds + (0.0 if self.earlier_s is msgspec.UNSET else self.earlier_s)


class Part(msgspec.Struct, frozen=True, tag="part"):
    """Says of a merged record that some subjects come from a run of their own.

    ``run`` is its name, ``started`` and ``environment`` are those of its first line; ``end`` is its last line, None
    where it was cut off.
    """

    subjects: Annotated[list[str], Meta(min_length=1)]
    run: str
    started: str
    environment: dict[str, Any]
    end: End | None


class Unit(msgspec.Struct, frozen=True, tag="unit"):
    """Says of a run on several hosts where and when a subject's lines before this one were measured.

    ``replicate`` is None for all that is measured before the times. ``began`` and ``ended`` are in seconds since 1970,
    by the clock of the ``host``.
    """

    optimization: str
    replicate: int | None
    host: str
    began: float
    ended: float


Record = (
    Run
    | Plan
    | Part
    | Unit
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
    | LeftOut
    | End
)


CONCLUSIONS = (Result, Caching, Judgement, LeftOut, End)
"""These kinds of lines follow from the rest of a record and from the time that there was."""


class Foreign(msgspec.Struct, frozen=True):
    """Keeps a line of a kind that the harness does not know: the study's, the gate's, or a later version's."""

    tag: str
    content: msgspec.Raw
