"""Defines the kinds of lines in a record.

Times are integer nanoseconds of a whole sample; ``speedup`` is always the ratio baseline / candidate.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import Method, Metric
from argo_bench.harness.claims.verdict import Word
from argo_bench.harness.statistics.estimate import Estimate

SCHEMA = 3
LAST_WITHOUT_DECLARATIONS = 2
RULE = "student-t"
"""This rule judges a run: the 40 % trimmed mean of a replicate's blocks, and Student's t over the replicates."""
SIGN_TEST = "sign-test"
"""This rule judges a gate."""


Scope = Literal["workload", "cases", "markets", "failures"]
"""Outputs are compared on the recorded inputs of a workload, on named cases, on whole cycles of markets, and on such
cycles while providers fail."""
Isolation = Literal["shared", "twins"]
"""The arms of a comparison share a process, or each has one of two."""


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
    peak_bytes: int | None = None
    live_bytes: int | None = None
    baseline_bytes: int | None = None
    allocations: int | None = None
    hash_seed: int | None = None
    resolution_bytes: int | None = None
    kept_bytes: int | None = None
    children: int = 0
    children_bytes: int = 0


class Comparison(msgspec.Struct, frozen=True, order=True):
    """Names what is compared with what: the candidate and the reference are arms of one optimization's workload."""

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
        """Return the scale in words, as in ``300 bars`` or ``20 % ticking``."""
        return f"{self.scale:,} {self.unit}"


class Asked(msgspec.Struct, frozen=True):
    """Keeps the settings of a run as they were given: ids, names and files, the data, the profile and its options."""

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
    """Opens a record: it says what was asked for, on what data, and where.

    ``looks`` are the numbers of replicates at which a comparison may stop. ``trace`` is the market under every trace
    where it was not each workload's own; ``skip_unchanged`` says whether last signals were served for unchanged prices.
    ``asked`` is what the run can be resumed with, ``bars`` a digest of the data. ``rule`` names the rule by which the
    verdicts were reached, RULE or SIGN_TEST; records of schemas 1 and 2 do not name it.
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
    """Says what judging needs to know of a workload.

    ``inputs`` says whether a cache finds what it is asked for (``hit``) or not (``miss``); workloads of one ``stage``
    ask for the same. ``is_modelled`` says that constants stand for waits in its wall time.
    """

    name: str
    unit: str
    scales: list[int]
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
        """Return the confidence level of a comparison's interval: its family's where a headline claim rests on it."""
        in_family = any(claim.headline for claim in declaration.claims_on(comparison))
        return self.levels.get(declaration.family, self.level) if in_family else self.level

    def error_of(self, declaration: Declaration, claim: Claim) -> float:
        """Return the error that the interval of one claim may have: its part of what its family may have."""
        family = self.families.get(declaration.family, []) if claim.headline else []
        return self.error / max(1, len(family))


class Declared(msgspec.Struct, frozen=True, tag="benchmark"):
    """Names a user's two functions, how they were fed and checked, and the sentence that was judged.

    ``isolation`` is ``shared`` for local functions, which were copied to one process for both, and None for the run's.
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
    compared: int
    counts: dict[str, int]
    largest_error: float
    output: str
    faithful: bool
    permitted: dict[str, int] = {}
    scope: Scope = "workload"
    concerned: int = 0
    saw: dict[str, int] = {}
    unseen: list[str] = []
    damage: dict[str, float] = {}
    first: str = ""


class Cold(msgspec.Struct, frozen=True, tag="cold"):
    """Keeps the first call in a fresh process.

    ``compiled`` says that its numba cache was empty, so that the call includes compilation.
    """

    optimization: str
    workload: str
    scale: int
    unit: str
    arm: str
    first_call_ns: int
    compiled: bool


class Block(msgspec.Struct, frozen=True):
    """Keeps four samples in the order of the slots; A is the reference, B the candidate.

    ``invalid`` names the cause from outside (stolen processor, clock jump, suspension) for which a block does not
    count. No sample is ever left out because of its value.
    """

    order: Literal["ABBA", "BAAB"]
    wall_ns: tuple[int, int, int, int]
    cpu_ns: tuple[int, int, int, int]
    invalid: str | None = None


class Samples(msgspec.Struct, frozen=True, tag="samples"):
    """Keeps all samples of one comparison in one replicate.

    ``reference_calls`` and ``candidate_calls`` are calls per sample. ``*_first_call_ns`` is the wall time of the arm's
    first call in this process (None where another scale of it had run there before). ``*_drain_ns`` is what an arm puts
    off until its world closes, per call of one pass on cold state (None where state is kept between passes).
    ``seconds`` is the time that the blocks really took: waits of the simulated world take none.
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
    """Says from which hit rate on a cache pays, by the times of a hit, a miss and the reference, and its traces' rates.

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
    """Keeps what one pass of an arm takes in memory, by several methods, each reading in a process of its own."""

    optimization: str
    workload: str
    scale: int
    arm: str
    readings: list[Reading]


class Counts(msgspec.Struct, frozen=True, tag="counts"):
    """Keeps what an arm's replay of a trace came to under one seed: exact counts by name, of benefit and of damage.

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
    """Keeps a replicate of the calibration bank, with what the machine did beside it and the seconds it took in all."""

    condition: Literal["quiet", "busy"]
    seconds: float
    samples: Samples


class Result(msgspec.Struct, frozen=True, tag="result"):
    """Says what the samples of one comparison amount to, on both clocks, with median times per call in nanoseconds.

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
        """Return the estimate on the wall clock for ``wall``, else that on the CPU's."""
        return self.wall if metric == "wall" else self.cpu


class Spot(msgspec.Struct, frozen=True):
    """Holds a verdict at another scale, or on the first call; outside the family, its interval holds at 95 % alone."""

    scale: int
    speedup: float
    interval: tuple[float, float] | None
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
    damage: dict[str, float] = {}
    when_providers_fail: str = ""


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """Says that an arm could not run (``untested``: something is missing) or raised (``failed``).

    ``arm`` names a workload or a trial where every arm of it is concerned.
    """

    optimization: str
    arm: str
    kind: Literal["untested", "failed"]
    reason: str


class End(msgspec.Struct, frozen=True, tag="end"):
    """Ends a record. Where ``interrupted`` is true, the record has what was measured until then."""

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
"""These kinds of lines follow from the rest of a record."""


class Foreign(msgspec.Struct, frozen=True):
    """Keeps a line of a kind that the harness does not know: the study's, the gate's, or a later version's."""

    tag: str
    content: msgspec.Raw
