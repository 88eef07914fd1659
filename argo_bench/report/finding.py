"""Writes the sentences of a report from its records: what was found, claimed and measured.

Factors are speed-ups (reference / candidate): above 1x the candidate is faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import msgspec

from argo_bench.harness.calibration.standing import Rate, Used
from argo_bench.harness.claims.claim import Claim, Kind
from argo_bench.harness.claims.metrics import CLOCKS, MEMORY, Metric, is_count, is_memory
from argo_bench.harness.judging.measurements import LEAST
from argo_bench.harness.judging.memory import BY_TRACING
from argo_bench.harness.record.records import Asked, Comparison, Counts, End, Judgement, Memory, Result, Samples
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.statistics.estimate import Estimate, is_unbounded

LARGE, MOST_DECIMALS = 1e7, 9
"""Numbers from LARGE on are written with an exponent, and so are those that need more than MOST_DECIMALS decimals."""
OUTPUT_WORDS: Mapping[str, str] = {
    "what readers see": "rows that readers of the database see",
    "symbol-cycles": "steps of a symbol",
}
"""The values are shown for what the checks of outputs call by the keys."""
LEAST_KNOWN = 0.001
"""An interval is said to be no narrower than this, in percent."""
NONE_LEFT = 0.5 / LEAST
"""The ratio of two counts is this or more where the candidate counted nothing."""
COUNT_NOUNS: Mapping[Metric, str] = {
    "hit_rate": "hits",
    "layer_hit_rate": "hits",
    "queries": "database queries",
    "queries_and_checks": "database queries and version checks",
    "explanations": "explanations asked for",
}
"""These nouns say what is counted, where the name of a count does not."""


def noun_of(metric: Metric) -> str:
    """Return the noun of a metric, such as ``CPU time`` or ``database queries``."""
    if is_memory(metric):
        return MEMORY[metric].noun
    return CLOCKS.get(metric) or COUNT_NOUNS.get(metric) or metric.replace("_", " ")


def describe_setting(recorded: Recorded) -> str:
    """Describe in a sentence how the run measured: its profile, processes, replicates, seed, data and switches."""
    run = recorded.run
    processes = "old and new in one process" if run.isolation == "shared" else "old and new in processes of their own"
    generated = sum(origin == "generated" for origin in run.symbols.values())
    some = f", {generated} of them generated" if generated else ""
    fed = f"; {format_number_of(len(run.symbols), 'symbol')} from {run.source}{some}" if run.symbols else ""
    switches = [f"a {run.trace} market everywhere"] * (run.trace is not None)
    switches += ["last signals reused while prices moved by less than 0.5 %"] * run.skip_unchanged
    switches += describe_latencies(run.asked)
    switched = f"; {', '.join(switches)}" if switches else ""
    return f"Profile {run.profile}: {processes}, {describe_replicates(run.looks)}, seed {run.seed}{fed}{switched}."


def describe_latencies(asked: Asked | None) -> list[str]:
    """Say which latencies and prices were a reader's own, in a phrase, or in none where they were the usual ones."""
    if asked is None or not asked.latencies:
        return []
    words = {"median_ms": "median {:g} ms", "p99_ms": "p99 {:g} ms"}
    words |= {f"{way}_price": f"${{:g}} per million {way} tokens" for way in ("input", "output")}
    told = [
        f"{provider} ({', '.join(words[name].format(value) for name, value in figures.items() if name in words)})"
        for provider, figures in asked.latencies.items()
    ]
    return [f"own latencies and prices: {', '.join(told)}"]


def describe_choices(recorded: Recorded) -> list[str]:
    """Return a sentence for each choice that was made in reading the bars."""
    return [f"How bars were read: {sentence}." for sentence in recorded.run.choices]


def describe_replicates(looks: Sequence[int]) -> str:
    """Say how many replicates there are: ``6 replicates``, or ``6 to 24 replicates`` where comparisons may stop."""
    return format_number_of(looks[-1], "replicate") if len(looks) == 1 else f"{looks[0]} to {looks[-1]} replicates"


def keeps_output(judgement: Judgement) -> bool:
    """Say whether the output is kept, by the Output column; an output that was not compared does not count as kept."""
    return is_same(judgement) or judgement.output.startswith("as declared")


def is_same(judgement: Judgement) -> bool:
    """Say whether nothing at all differs in the output."""
    return judgement.output.split(";")[0] == "same"


def word_output(output: str) -> str:
    """Return the Output column in words for readers; records keep the words of the checks."""
    for stored, shown in OUTPUT_WORDS.items():
        output = output.replace(stored, shown)
    return output


def changes_output(judgement: Judgement) -> bool:
    return judgement.output.startswith("differs")


def format_number_of(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def list_some(names: Iterable[str], most: int = 5) -> str:
    """Write names once each in a row, and of more than ``most`` of them the number of the others."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - most:,} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def name_claim(recorded: Recorded, judgement: Judgement) -> str:
    """Name the claim by its id and by what it is about."""
    return f"{judgement.claim} {recorded.name_of(judgement.optimization)}".rstrip()


def format_claimed(kind: str, low: float | None, high: float | None) -> str:
    """Write a claimed range as it was published, such as ``-50 to -70 %``, ``10-100x`` or ``>= 6,024x``."""
    ends = [end for end in (low, high) if end is not None and math.isfinite(end)]
    match kind:
        case "reduction":
            return _join_once((f"-{100 * end:.4g}" for end in ends), " to ") + " %"
        case "speedup":
            return _join_once((format_published(end) for end in ends), "-") + "x"
        case "at_least":
            return f">= {format_published(ends[0])}x"
        case "up_to":
            return f"up to {format_published(ends[-1])}x"
        case "level":
            sign = "" if len(ends) == 2 else "<= " if low not in ends else ">= "
            return sign + _join_once(map(format_level, ends), " to ")
        case "difference":
            return "no claim"
        case _:
            return "better"


def format_claimed_as_factor(kind: str, low: float | None, high: float | None) -> str:
    """Write the speed-up that a claimed reduction amounts to (-50 % of the time is 2.0x); empty for other kinds."""
    if kind != "reduction" or low is None or high is None:
        return ""
    factors = 1 / (1 - low), 1 / (1 - high)
    decimals = 1 if low == high or f"{factors[0]:.1f}" != f"{factors[1]:.1f}" else 2
    return _join_once((f"{each:,.{decimals}f}" for each in factors), "-") + "x"


def format_published(end: float) -> str:
    """Write a published factor as it was (10, 8.34, 21,492); a ratio of two published ones gets three digits."""
    if end < LARGE and not math.isclose(end, round(end, 2)):
        return f"{end:.3g}"
    return f"{end:,.6f}".rstrip("0").rstrip(".") if end < LARGE else f"{end:.3g}"


def _join_once(words: Iterable[str], between: str) -> str:
    return between.join(dict.fromkeys(words))


def find_claimed_region(judgement: Judgement) -> tuple[float, float] | None:
    """Return the claimed range as speed-ups, open ends infinite; None for a level, and where nothing was claimed."""
    if judgement.kind in ("level", "difference"):
        return None
    claim = Claim(
        judgement.claim, judgement.text, "", cast(Kind, judgement.kind), "", "", judgement.low, judgement.high
    )
    lower, upper = claim.region()
    return math.exp(lower), math.exp(upper)


def format_levels(low: float, high: float) -> str:
    """Write a range of levels, as in ``12 to 15 %``; write one level where both ends read the same."""
    if format_level(low) == format_level(high):
        return format_level(low)
    return (
        f"{format_level(low).removesuffix(' %')} to {format_level(high)}"
        if high <= 1
        else f"{format_level(low)} to {format_level(high)}"
    )


def format_level(value: float) -> str:
    """Write a level: a share as a percentage, anything larger than 1 as the number that it is."""
    return f"{100 * value:.3g} %" if 0 <= value <= 1 else f"{value:,.4g}"


def format_factor(value: float, digits: int = 2) -> str:
    """Write a speed-up such as ``0.21x``, ``2.41x`` or ``21,492x``; below 1 it has ``digits`` significant digits."""
    return format_number(value, digits) + "x"


def format_number(value: float, digits: int = 2) -> str:
    if value >= LARGE:
        return f"{value:.1e}"
    if value >= 1:
        return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"
    decimals = digits - 1 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:.{decimals}f}" if decimals <= MOST_DECIMALS else f"{value:.0e}"


def describe_measured(judgement: Judgement) -> str:
    """Say what was seen, a loss as plainly as a gain.

    As in ``2.41x (-58 % time)``, ``0.21x (4.8x slower)``, ``3.40x fewer requests`` or ``hit rate 12 to 15 %``.
    """
    if judgement.level_seen is not None:
        return f"{judgement.metric.replace('_', ' ')} {format_levels(*judgement.level_seen)}"
    if judgement.speedup is None:
        return "not measured"
    is_traced = any(flag.startswith(f"memory {BY_TRACING}") for flag in judgement.flags)
    metric = "traced_peak" if is_traced else judgement.metric
    return format_speedup(judgement.speedup, metric, as_share=judgement.kind == "reduction")


def format_speedup(value: float, metric: Metric = "cpu", *, as_share: bool = False) -> str:
    """Write a speed-up, and what a loss amounts to or, with ``as_share``, which share a gain saves."""
    shown = format_ratio(value, metric)
    if not shown.endswith("x") or shown == "1.00x":
        return shown
    is_time = metric in CLOCKS
    noun = "time" if is_time else noun_of(metric)
    if value < 1:
        return f"{shown} ({_format_times(1 / value)} {'slower' if is_time else f'more {noun}'})"
    if as_share:
        return f"{shown} (-{format_saved(value)} % {noun})"
    return shown if is_time else f"{shown} {'less' if is_memory(metric) else 'fewer'} {noun}"


def format_ratio(value: float, metric: Metric) -> str:
    """Write a ratio as a factor; of a count that fell to zero say that none is left."""
    return f"no {noun_of(metric)} left" if is_count(metric) and value > NONE_LEFT else format_factor(value)


def _format_times(value: float) -> str:
    return f"{value:,.{2 if value < 1.1 else 1 if value < 9.95 else 0}f}x"


def format_saved(value: float) -> str:
    """Write the share of the time saved by a speed-up, in percent, with the decimals that keep it from reading 100."""
    decimals = max(0, math.ceil(math.log10(value)) - 2)
    return f"{100 * (1 - 1 / value):.{decimals}f}"


def describe_interval(recorded: Recorded, judgement: Judgement) -> str:
    """Write the interval of what was measured; for an exact count write its range over the seeds."""
    number_of = count_replicates(recorded, judgement)
    if is_memory(judgement.metric) and judgement.interval is not None and _name_hash_seeds(recorded, judgement):
        return _format_interval_of_memory(judgement.interval, number_of or 0)
    if not is_count(judgement.metric):
        return format_interval(judgement.interval, number_of)
    seeds = format_number_of(number_of or 0, "seed")
    if judgement.interval is None:
        return seeds
    low, high = (format_ratio(bound, judgement.metric) for bound in judgement.interval)
    same = format_number(judgement.interval[0], 3) == format_number(judgement.interval[1], 3)
    if same or not (low.endswith("x") and high.endswith("x")):
        return f"the same under {seeds}" if same or low == high else f"{low} to {high}, {seeds}"
    return f"{format_number(judgement.interval[0], 3)} to {format_factor(judgement.interval[1], 3)}, {seeds}"


def _format_interval_of_memory(bounds: tuple[float, float], readings: int) -> str:
    """Write an interval of paired readings, or how exact they are where its ends read the same."""
    certainty = {1: "exact to the resolution", 2: "exact to the seed"}.get(readings, "")
    low, high = format_number(bounds[0], 3), format_factor(bounds[1], 3)
    if is_unbounded(bounds[1]):
        return _join_clauses(f"{low}x or more", certainty, f"n={readings}")
    if low == format_number(bounds[1], 3):
        return _join_clauses(certainty or "the same under all hash seeds", f"n={readings}")
    return _join_clauses(f"{low} to {high}", certainty, f"n={readings}")


def _join_clauses(*clauses: str) -> str:
    return ", ".join(filter(None, clauses))


def format_interval(bounds: tuple[float, float] | None, replicates: int | None) -> str:
    """Write an interval, as in ``0.203 to 0.214x, n=6``; say so where one replicate gives no interval.

    Where both ends read the same it is how far they are apart that is told, as in ``known to 0.04 %, n=6``.
    """
    n = "" if replicates is None else f", n={replicates}"
    if bounds is None:
        return f"no interval{n}"
    low, high = (format_factor(each, 3) for each in bounds)
    if low.removesuffix("x") == high.removesuffix("x") or _is_rounded_one(bounds):
        half = max(100 * (math.sqrt(bounds[1] / bounds[0]) - 1), LEAST_KNOWN)
        return f"known to {half:.1g} %{n}"
    return f"{format_number(bounds[0], 3)} to {high}{n}"


def _is_rounded_one(bounds: tuple[float, float]) -> bool:
    """Say whether both ends are 1.00 to two decimals: below 1 a number has one digit more, and would look different."""
    return all(f"{each:.2f}" == "1.00" for each in bounds)


def describe_break_even(judgement: Judgement) -> str:
    """Say after how many calls the candidate has made up for its first one; ``-`` where that was not measured."""
    if judgement.cold is None:
        return "-"
    calls = judgement.break_even_calls
    return "never" if calls is None else "at once" if calls < 1 else f"{calls:,.0f} calls"


def format_bytes(number_of_bytes: float) -> str:
    """Write bytes as ``1.5 MiB``."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if number_of_bytes >= unit:
            return f"{number_of_bytes / unit:.{3 if number_of_bytes < 999.5 * unit else 4}g} {name}"
    return f"{number_of_bytes:.0f} B"


def describe_calibration(recorded: Recorded) -> str:
    """Write one line on where the harness that made a run was calibrated, and how it did."""
    here = "argo-bench calibrate finds out"
    kept = recorded.run.environment.get("calibration")
    if kept is None:
        return f"How often this program errs here is not known: {here}."
    used = msgspec.convert(kept, Used)
    rates = used.calibration
    where = "On this machine" if used.where == "here" else f"On the reference machine ({rates.processor})"
    found = next(
        (f", and found 3 % more work in {format_rate(each.found)}" for each in rates.power if each.change == 1.03), ""
    )
    more = "" if used.where == "here" else f" How often it errs on this machine is not known: {here}."
    return (
        f"{where}, {rates.when}, this program called identical code different in "
        f"{format_rate(rates.all_false_positives)} of the comparisons{found}; its 95 % intervals held the truth in "
        f"{format_rate(rates.coverage)}. Over many processes, identical code never differed by more than "
        f"{100 * rates.floor:.2g} %.{more}"
    )


def format_rate(rate: Rate) -> str:
    """Write a rate in percent with its exact interval, as in ``1.2 % [0.1, 4.3]``."""
    if not rate.trials:
        return "no experiment"
    return f"{100 * rate.events / rate.trials:.3g} % [{100 * rate.low:.2g}, {100 * rate.high:.3g}]"


def find_result(recorded: Recorded, judgement: Judgement) -> Result | None:
    return next((each for each in recorded.all(Result) if each.comparison == judgement.comparison), None)


def count_replicates(recorded: Recorded, judgement: Judgement) -> int | None:
    """Count what a figure rests on: pairs of processes for a time, pairs of readings for memory, seeds for a count."""
    if is_count(judgement.metric):
        return len(_find_seeds(recorded, judgement))
    if is_memory(judgement.metric):
        return _count_readings(recorded, judgement)
    result = find_result(recorded, judgement)
    return None if result is None else result.on(judgement.metric).replicates


def _find_seeds(recorded: Recorded, judgement: Judgement) -> set[int]:
    """Return the seeds under which both arms were counted; a level has no reference, so the candidate's alone."""
    of = judgement.comparison
    seeds: dict[str, set[int]] = {of.reference: set(), of.candidate: set()}
    for each in recorded.all(Counts):
        same = (each.optimization, each.workload, each.scale) == (of.optimization, of.workload, of.scale)
        if same and each.arm in seeds and judgement.metric in each.counts:
            seeds[each.arm].add(each.seed)
    return seeds[of.candidate] if judgement.kind == "level" else seeds[of.candidate] & seeds[of.reference]


def _count_readings(recorded: Recorded, judgement: Judgement) -> int | None:
    method = MEMORY[judgement.metric].method
    taken = (sum(reading.method == method for reading in each.readings) for each in _find_memories(recorded, judgement))
    return min(taken, default=None)


def _find_memories(recorded: Recorded, judgement: Judgement) -> list[Memory]:
    of = judgement.comparison
    return [
        each
        for each in recorded.all(Memory)
        if (each.optimization, each.workload, each.scale) == (of.optimization, of.workload, of.scale)
        and each.arm in (of.reference, of.candidate)
    ]


def _name_hash_seeds(recorded: Recorded, judgement: Judgement) -> bool:
    """Say whether the readings behind a verdict name their hash seeds, by which they are paired."""
    readings = [reading for each in _find_memories(recorded, judgement) for reading in each.readings]
    return any(reading.hash_seed is not None for reading in readings)


def describe_other_clock(recorded: Recorded, judgement: Judgement) -> str:
    """Write the other clock's speed-up, as in ``wall time 0.95x``, or nothing unless a flag says that they disagree."""
    if judgement.metric not in CLOCKS:
        return ""
    result = find_result(recorded, judgement)
    name, estimate = ("wall", "wall") if judgement.metric == "cpu" else ("CPU", "cpu")
    if result is None or not any(flag.startswith(f"{name} time says") for flag in judgement.flags):
        return ""
    seen: Estimate = getattr(result, estimate)
    return f"{name} time {format_factor(seen.speedup)}"


def name_arms(comparison: Comparison) -> str:
    """Name the candidate, and its reference where that is not the baseline, as in ``engineered vs prescribed``."""
    against = "" if comparison.reference == "baseline" else f" vs {comparison.reference}"
    return comparison.candidate + against


def describe_time(recorded: Recorded) -> str | None:
    """Say what a run took; None where it has not ended. A run that was resumed and does not tell of all its parts took
    less than its blocks alone, which tells it."""
    for end in recorded.all(End)[-1:]:
        last, total_s = format_duration(1e9 * end.seconds), end.total_s
        # Comparisons that share their reference's samples share the seconds too.
        blocks_s = {
            (msgspec.structs.replace(each.comparison, candidate=""), each.replicate): each.seconds or 0.0
            for each in recorded.all(Samples)
        }
        if total_s is None or (recorded.run.asked is not None and math.fsum(blocks_s.values()) > total_s):
            return f"several parts, the last of which took {last}"
        return format_duration(1e9 * total_s)
    return None


def format_duration(nanoseconds: float, digits: int = 3) -> str:
    if nanoseconds >= 6e11:
        return f"{nanoseconds / 6e10:,.0f} min"
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.{digits}g} {unit}"
    return f"{nanoseconds:.{digits}g} ns"
