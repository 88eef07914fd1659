"""Records of a run and of a gate as this version writes them, of invented samples, for tests to forge and to break.

The run has two optimizations with two variants each, an arm behind no claim, claims about time, a count and memory,
hits and misses of a cache, and a trial. Some comparisons end at the first look, others later.
"""

import functools
import random

import msgspec
import xxhash

from argo_bench.gate.answers import AGAIN, CONFIRMATION, FIRST, HEAD, Times, comparison_of, gate_of, make_lines
from argo_bench.gate.records import Agreed, Exact, Revisions
from argo_bench.gate.timing import CONFIRMATION_FROM
from argo_bench.harness.block_order import draw_order
from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.judging.endings import is_over
from argo_bench.harness.judging.judgements import find_break_even_rates, judge_all
from argo_bench.harness.judging.measurements import Measured
from argo_bench.harness.judging.outputs import describe_line
from argo_bench.harness.judging.results import estimate_result
from argo_bench.harness.plan import DEFAULT, hash_seed_of_memory, make_plan, replicate_seed
from argo_bench.harness.record.records import (
    RULE,
    SCHEMA,
    Asked,
    Block,
    Cold,
    Comparison,
    Counts,
    Declaration,
    End,
    Failure,
    Fidelity,
    Foreign,
    LeftOut,
    Memory,
    Observed,
    Reading,
    Run,
    Samples,
    Tried,
    WorkloadFacts,
)
from argo_bench.harness.record.store import FILE_NAME, Recorded, load, seal
from argo_bench.harness.statistics.beyond import BY_MEANS
from argo_bench.harness.statistics.looks import LOOKS

replace = msgspec.structs.replace
SEED = 3
FACTS = {"cores": 2, "processor": "a processor", "versions": {"argo-bench": "0"}}
VARIANTS = ["prescribed", "engineered"]
REPLICATE_S = 20.0


def _claim(name, **more):
    return Claim(
        name, f"the sentence of {name}", "a document", **{"kind": "reduction", "reading": "as it stands"} | more
    )


def _declare(name, *claims, workloads=("work, hit", "work, miss")):
    facts = [WorkloadFacts(each, "symbols", [6], "work", each.partition(", ")[2]) for each in workloads]
    nouns = {"requests": "requests"}
    return Declaration(name, f"optimization {name}", VARIANTS, list(claims), facts, "published", nouns=nouns)


SUBJECTS = (
    _declare(
        "S1",
        _claim("S1.time", workload="work, hit", low=0.3, high=0.5, headline=True),
        _claim("S1.requests", workload="work, hit", low=0.3, high=0.5, metric="requests", headline=True),
        _claim("S1.memory", workload="work, hit", low=0.1, high=0.9, metric="peak_rss"),
    ),
    _declare("S2", _claim("S2.time", workload="work", low=0.3, high=0.5, headline=True), workloads=("work",)),
)
FAMILIES = {"published": ["S1.time", "S1.requests", "S2.time"]}
RATIOS = {
    ("S1", "prescribed"): (0.6, 0.001),
    ("S1", "engineered"): (0.67, 0.04),
    ("S1", "joblib"): (0.9, 0.02),
    ("S1", "polars"): (0.8, 0.02),
    ("S2", "prescribed"): (0.8, 0.01),
    ("S2", "engineered"): (0.71, 0.06),
}
"""What a call of an arm takes of the reference's time, and by what share that varies between replicates."""


GIVEN_UP, TAKEN = "polars", 2
"""The time lasts for so many replicates of this arm, behind no claim."""


def compared():
    for subject in SUBJECTS:
        for workload in subject.workloads:
            for arm in (*VARIANTS, *(["joblib", "polars"] if subject.id == "S1" and workload.inputs == "hit" else [])):
                yield Comparison(subject.id, workload.name, 6, "symbols", "baseline", arm)


def take(comparison, number, seed, of, seconds=0.8):
    """The samples of a comparison in one replicate. ``of`` is the ratio of the arms, and by what share it varies."""
    alike = replace(comparison, candidate="")
    base = random.Random(f"{alike} {number}")
    rng = random.Random(f"{comparison} {number}")
    ratio = of[0] * (1 + of[1] * rng.gauss(0, 1))
    blocks = []
    for block in range(4):
        order = draw_order(seed, comparison, block)
        reference = [round(10_000_000 * (1 + 0.002 * base.random())) for _ in range(2)]
        candidate = [round(each * ratio * (1 + 0.002 * rng.random())) for each in reference]
        sides = {"A": iter(reference), "B": iter(candidate)}
        wall = tuple(next(sides[slot]) for slot in order)
        blocks.append(Block(order, wall, tuple(each - 1000 for each in wall)))
    firsts = (30_000_000 + number, 40_000_000 + 1000 * number)
    return Samples(comparison, number, seed, 10, 10, blocks, *firsts, 100.0, 200.0, seconds)


def declared_of(comparison):
    return next(each for each in SUBJECTS if each.id == comparison.optimization)


def _time(plan, most):
    """What the replicates of the run yield, by the rule that a comparison leaves at a look."""
    taken = {each: [] for each in plan.comparisons}
    lines, still_open = [], list(plan.comparisons)
    for number in range(most):
        if number in LOOKS:
            still_open = [
                each
                for each in still_open
                if not is_over(
                    declared_of(each).claims_on(each), taken[each], plan.level_of(declared_of(each), each), LOOKS
                )
            ]
        for each in still_open:
            if each.candidate == GIVEN_UP and number >= TAKEN:
                continue
            ratio = RATIOS[each.optimization, each.candidate]
            taken[each].append(take(each, number, replicate_seed(SEED, number), ratio))
            lines.append(taken[each][-1])
    return taken, lines


def _pass_lines(plan):
    for subject in SUBJECTS:
        own = [each for each in plan.comparisons if each.optimization == subject.id]
        places = dict.fromkeys((each.workload, arm) for each in own for arm in (each.reference, each.candidate))
        for workload, arm in places:
            yield Cold(subject.id, workload, 6, "symbols", arm, 50_000_000, compiled=True)
        for each in own:
            yield _agreement(subject.id, each.candidate, each.workload, "workload")
        for arm in VARIANTS:
            for scope in ("cases", "markets", "failures"):
                yield _agreement(subject.id, arm, None, scope)
    for seed in plan.seeds:
        for arm, requests in (("baseline", 100.0), ("prescribed", 60.0), ("engineered", 55.0)):
            yield Counts("S1", "work, hit", 6, "symbols", arm, seed, {"requests": requests, "hit_rate": 0.5})
    for number, arm in enumerate(("baseline", *VARIANTS)):
        peaks = [(8 - 2 * number) * 2**20 + 4096 * each for each in range(2)]
        seeds = [hash_seed_of_memory(SEED, each) for each in range(2)]
        readings = [
            Reading("peak_rss", "VmHWM", True, peak, baseline_bytes=2**26, hash_seed=seed, resolution_bytes=4096)
            for peak, seed in zip(peaks, seeds, strict=True)
        ]
        traced = Reading("traced", "tracemalloc", True, peaks[0], 2**20, hash_seed=seeds[0], resolution_bytes=1)
        yield Memory("S1", "work, hit", 6, arm, [*readings, traced])
    yield Tried("S1", "a crash", "what is left after a crash", "baseline", ["rows"], full=False)
    for arm in ("baseline", "engineered"):
        yield Observed("S1", "a crash", "in the middle", arm, {"rows": 12.0})


def _agreement(subject, arm, workload, scope):
    line = Fidelity(subject, arm, workload, 12, {}, 0.0, "", True, scope=scope, saw={"results": 12})
    return replace(line, output=describe_line(line, "nothing"))


@functools.cache
def run_lines(most=LOOKS[-1], schema=SCHEMA):
    """The lines of a run that ended after ``most`` replicates at the latest, as ``schema`` has them."""
    plan = make_plan(SUBJECTS, list(compared()), DEFAULT, SEED, FAMILIES, {})
    asked = Asked(["S1", "S2"], None, "default", None, SEED, None, False, False, False, None)
    header = Run(
        *(schema, "a run", "2026-01-02T03:04:05", "argo-bench run", "default", "twins", SEED, list(LOOKS)),
        *({"AAA": "generated"}, "a test", ["S1", "S2"], FACTS),
        asked=asked,
        rule=RULE,
    )
    taken, timed = _time(plan, most)
    passes = list(_pass_lines(plan))
    results = [estimate_result(each, own, plan.level_of(declared_of(each), each)) for each, own in taken.items() if own]
    of_kind = functools.partial(_of_kind, [*passes, *timed])
    measured = Measured(results, of_kind(Samples), of_kind(Memory), of_kind(Counts))
    verdicts = judge_all(SUBJECTS, measured, of_kind(Fidelity), of_kind(Failure), plan)
    replicates = 1 + max(each.replicate for each in timed if isinstance(each, Samples))
    seconds = 60 + REPLICATE_S * replicates
    budget_s = 1e6 if most == LOOKS[-1] else seconds + REPLICATE_S / 2
    end = End(seconds, False, replicates, budget_s, REPLICATE_S)
    given_up = [each for each in plan.comparisons if each.candidate == GIVEN_UP]
    timed += [LeftOut(each, TAKEN, "the time was short", 4.0) for each in given_up]
    if schema < SCHEMA:
        timed = [each for each in timed if not isinstance(each, LeftOut)]
        plan, end = replace(plan, looks=[], order=[]), End(seconds, False, replicates)
    conclusions = [*results, *find_break_even_rates(SUBJECTS, measured), *verdicts]
    return [header, plan, *SUBJECTS, *passes, *timed, *conclusions, end]


def _of_kind(lines, kind):
    return [each for each in lines if isinstance(each, kind)]


GATED = {"parse": (1.1, 0.01), "render": (1.0, 0.01), "store": (1.03, 0.01)}
"""What a call of the head takes of the base's time; of one benchmark that cannot be told from the tolerance."""


def _time_gate(lines, revisions, batch, names):
    still_open, samples = list(names), []
    for number in range(LOOKS[-1]):
        times = Times([*lines, *samples], revisions, BY_MEANS)
        if number in LOOKS:
            still_open = [name for name in still_open if not times.is_decided(name, batch)]
        at = number + (CONFIRMATION_FROM if batch == CONFIRMATION else 0)
        for name in still_open:
            for candidate, of in ((HEAD, GATED[name]), (AGAIN, (1.0, 0.01))):
                samples.append(take(comparison_of(name, batch, candidate), at, replicate_seed(SEED, at), of, 0.3))
    return samples


@functools.cache
def gate_lines():
    names = [*GATED, "gone"]
    header = Run(
        *(SCHEMA, "a gate", "2026-01-02T03:04:05", "argo-bench ci", "ci", "twins", SEED, list(LOOKS)),
        *({}, "", [], FACTS),
        rule=RULE,
    )
    revisions = Revisions(
        *("b" * 40, "h" * 40, "own"),
        files={name: f"{name}.py" for name in names},
        metrics=dict.fromkeys(names, "cpu"),
        tolerances=dict.fromkeys(names, 0.03),
        changed=list(GATED),
        accepted=[],
    )
    lines = [header, revisions, Failure("gone", "base", "untested", "parser has no 'gone'")]
    lines += [Agreed(name, None, None) for name in GATED]
    counts = {"bytes": 1000.0, "instructions": 1e6}
    lines += [Exact(name, counts, {**counts, "bytes": 990.0}, [], {}) for name in GATED]
    samples = _time_gate([], revisions, FIRST, GATED)
    slower = Times(samples, revisions, BY_MEANS).find_worse(FIRST)
    lines += [*samples, *_time_gate(samples, revisions, CONFIRMATION, slower)]
    replicates = 1 + max(each.replicate for each in lines if isinstance(each, Samples))
    recorded = Recorded(None, lines)
    return [*lines, *make_lines(gate_of(recorded)), End(300.0, False, replicates, 600.0)]


def body_of(record):
    if isinstance(record, bytes):
        return record
    return bytes(record.content) if isinstance(record, Foreign) else msgspec.json.encode(record)


def digest_of(body):
    return xxhash.xxh3_64_hexdigest(body)


def line_of(body):
    """A line with the right digest."""
    return b'{"xxh3":"%s","record":%s}\n' % (digest_of(body).encode(), body)


def sealed(lines):
    """The lines with the seal in their end, as a writer puts it there."""
    if lines[0].schema < SCHEMA:
        return lines
    return [*lines[:-1], seal(lines[-1], [digest_of(body_of(each)) for each in lines[:-1]])]


def store(directory, lines):
    """Write lines, each with the right digest, and read them back."""
    directory.mkdir(exist_ok=True)
    (directory / FILE_NAME).write_bytes(b"".join(line_of(body_of(each)) for each in lines))
    return load(directory)


def seal_of(body, digests):
    """The body of a line that ends a record with the seal for these digests before it; any other body as it is."""
    try:
        end, content = msgspec.json.decode(body, type=End), msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body
    return msgspec.json.encode(content | {"seal": seal(end, digests).seal}) if end.seal else body
