"""Tabulates the verdicts: at the headline scale, over scales, and over change rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from argo_bench.harness.claims.metrics import is_count, is_memory
from argo_bench.harness.judging.outputs import DAMAGES, SHARES, describe_damage
from argo_bench.harness.record.records import Judgement, Result, Spot
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.marks import label_verdict
from argo_bench.report.references import DEPENDS, find_dependent
from argo_bench.report.simple import describe_simple, find_simple
from argo_bench.report.tables import OUTPUT, VERDICT, Column, Row, Table, join_lines

COLUMNS = (
    Column("claim", 14),
    Column("claimed", 12),
    Column("measured", 22),
    Column(OUTPUT, None),
    Column(VERDICT, 15),
)


ONCE = "Signals that a version misses, adds or flips stand at its first claim."
Notes = Mapping[tuple[str, str], Sequence[str]]
"""Sentences that stand beside a verdict, by the claim's id and the arm."""


def tabulate_verdicts(
    recorded: Recorded, title: str, judgements: Sequence[Judgement], *, brief: bool = False, notes: Notes | None = None
) -> Table:
    """Tabulate the verdict on every claim and variant.

    What the simple way does on the claim stands below what was measured of a variant, and ``notes`` below the output.
    Briefly, a claim is named by its id alone, what became of signals stands at the first claim of an optimization's
    variant, and the simple way beside the first variant of a claim, unless it was not measured.
    """
    beside = notes or {}
    firsts = {(each.optimization, each.arm): each for each in reversed(judgements)}
    opening = {each.claim: each for each in reversed(judgements)}
    dependent = find_dependent(recorded.all(Judgement))
    simple = find_simple(recorded)
    rows = []
    for each in judgements:
        name = each.claim if brief else finding.name_claim(recorded, each)
        depends = DEPENDS if (each.claim, each.arm) in dependent else ""
        claimed = each.kind, each.low, each.high
        shows_simple = not brief or opening[each.claim] is each
        output = finding.word_output(each.output)
        if brief:
            output = _shorten_output(each, is_first=firsts[each.optimization, each.arm] is each)
        cells = (
            join_lines(name, finding.name_arms(each.comparison), depends),
            join_lines(finding.format_claimed(*claimed), finding.format_claimed_as_factor(*claimed)),
            join_lines(
                _describe_measured(recorded, each),
                _describe_simple(simple.get(each.claim), brief=brief) if shows_simple else "",
            ),
            join_lines(output, *beside.get((each.claim, each.arm), ())),
            label_verdict(each.verdict),
        )
        rows.append(Row(cells, each.verdict, each.headline))
    note = _write_note(judgements, recorded.all(Result))
    if brief and any(describe_damage(each.damage) for each in judgements):
        note += f" {ONCE}"
    return Table(title, note, COLUMNS, tuple(rows))


def _describe_measured(recorded: Recorded, judgement: Judgement) -> str:
    if judgement.speedup is None and judgement.level_seen is None:
        return finding.describe_measured(judgement)
    return join_lines(
        finding.describe_measured(judgement),
        finding.describe_interval(recorded, judgement),
        finding.describe_other_clock(recorded, judgement),
    )


def _describe_simple(seen: Judgement | None, *, brief: bool) -> str:
    if seen is None or (brief and seen.speedup is None and seen.level_seen is None):
        return ""
    return f"simple: {describe_simple(seen)}"


def _shorten_output(judgement: Judgement, *, is_first: bool) -> str:
    """Say what became of the output, and only at the first claim what became of signals, without their whole number."""
    damage = judgement.damage
    said = finding.word_output(judgement.output.removesuffix(f"; {describe_damage(damage)}"))
    if "lost" in damage or not is_first:
        return join_lines(said, describe_damage(damage) if "lost" in damage else "")
    signals = ", ".join(f"{damage[name]:.0f} {name}" for name in DAMAGES if damage.get(name))
    shares = [f"{damage[part]:.0f} {part}" for part in SHARES if damage.get(part)]
    return join_lines(said, ", ".join([*([f"signals: {signals}"] if signals else []), *shares]))


def _write_note(judgements: Sequence[Judgement], results: Sequence[Result]) -> str:
    """Say by which metrics the rows are judged, what stands below each figure, and how many processes were slow."""
    counts = [each for each in judgements if is_count(each.metric)]
    weighed = [each for each in judgements if is_memory(each.metric)]
    on_wall = [each for each in judgements if each.metric == "wall"]
    on_cpu = [each for each in judgements if each.metric == "cpu"]
    clocks = "CPU time" if on_cpu else "wall time"
    if on_cpu and on_wall:
        clocks += f" (wall time for {', '.join(dict.fromkeys(each.claim for each in on_wall))})"
    sentences = []
    if on_cpu or on_wall:
        intervals = _describe_intervals([*on_cpu, *on_wall], "pairs of processes")
        sentences.append(f"How many times as fast the typical call is, in {clocks}{intervals}.")
    if slow := _describe_slow(results):
        sentences.append(slow)
    if weighed:
        sentences.append(f"How many times less memory it takes{_describe_intervals(weighed, 'pairs of readings')}.")
    if counts:
        sentences.append(f"{_name_metrics(counts)} are counted exactly; their range over the seeds stands below.")
    return " ".join(sentences)


def _describe_slow(results: Sequence[Result]) -> str:
    """Say which share of the processes of either side was slow; nothing of records that do not count them."""
    counted = [each for each in results if each.slow is not None]
    processes = sum(each.cpu.replicates for each in counted)
    if not processes:
        return ""
    slow = (sum(each.slow[side] for each in counted if each.slow is not None) for side in (0, 1))
    reference, candidate = (f"{100 * number / processes:.2g} %" for number in slow)
    return f"{reference} of the processes of the old code and {candidate} of those of the new were slow by 5 % or more."


def _describe_intervals(judgements: Sequence[Judgement], over: str) -> str:
    """Say what stands below a figure; empty where no figure has an interval."""
    levels = sorted({each.level for each in judgements if each.level is not None})
    shown = " or ".join(f"{100 * level:.4g} %" for level in levels)
    return f"; below it stand its {shown} interval and n, the number of {over}" if shown else ""


def _name_metrics(judgements: Iterable[Judgement]) -> str:
    nouns = list(dict.fromkeys(finding.noun_of(each.metric) for each in judgements))
    named = " and ".join([", ".join(nouns[:-1]), nouns[-1]] if len(nouns) > 1 else nouns)
    return named[0].upper() + named[1:]


def tabulate_strips(recorded: Recorded) -> Table:
    """Tabulate each claim's verdicts over the scales and on the first call of a process.

    Beside them stands after how many calls a slower first one is made up for.
    """
    rows = tuple(
        Row(
            (
                join_lines(each.claim, finding.name_arms(each.comparison)),
                "\n".join(_list_spots(each)),
                "-" if each.cold is None else _format_spot(each, each.cold),
                finding.describe_break_even(each),
            )
        )
        for each in recorded.all(Judgement)
        if len(each.strip) > 1 or each.cold is not None
    )
    columns = (
        Column("claim", 18),
        Column("at input size", None),
        Column("first call", 20),
        Column("pays off", 12),
    )
    note = (
        "The verdict at each input size, and on the first call of a process (with compiled code on disk): at the size "
        "of the claim by the interval that judges it, elsewhere by a 95 % interval of its own. The last column says "
        "after how many calls a slower first call has paid off."
    )
    return Table("Other input sizes, and the first call", note, columns, rows)


def _list_spots(judgement: Judgement) -> Iterable[str]:
    """List the verdicts at each scale, with the unit at the first scale alone."""
    for position, spot in enumerate(judgement.strip):
        unit = "" if position else f" {judgement.comparison.unit}"
        own = judgement.speedup if spot.scale == judgement.comparison.scale else None
        # at the scale of the claim a report gives one verdict, by the interval that judges the claim
        shown = spot if own is None else Spot(spot.scale, own, judgement.interval, judgement.verdict)
        yield f"{spot.scale:,}{unit}: {_format_spot(judgement, shown)}"


def _format_spot(judgement: Judgement, spot: Spot) -> str:
    return f"{finding.format_ratio(spot.speedup, judgement.metric)} {label_verdict(spot.verdict)}"


def tabulate_curves(recorded: Recorded) -> Table:
    """Tabulate each claim's verdicts over the condition that its curve varies, a column for each value."""
    curved = [each for each in recorded.all(Judgement) if each.curve]
    places = sorted({(each.curve_unit, spot.scale) for each in curved for spot in each.curve})
    rows = []
    for each in curved:
        at = {(each.curve_unit, spot.scale): spot for spot in each.curve}
        cells = (
            join_lines(finding.format_ratio(at[place].speedup, each.metric), label_verdict(at[place].verdict))
            if place in at
            else "-"
            for place in places
        )
        rows.append(Row((join_lines(each.claim, finding.name_arms(each.comparison)), *cells)))
    columns = (Column("claim", None), *(Column(f"{scale:,} {unit}", 14) for unit, scale in places))
    note = (
        "The verdict where the prices of so many per cent of the symbols change in a step (tick), each by its own 95 % "
        "interval or its seeds."
    )
    return Table("Where prices change more or less often", note, columns, tuple(rows))
