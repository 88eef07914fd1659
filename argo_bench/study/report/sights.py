"""Tabulates what each workload saw: what was accepted, rejected and stored, and which look-ups hit.

A figure on a workload that saw nothing of what its claim is about says nothing, and is called "not checked".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from argo_bench.harness.claims.metrics import is_count
from argo_bench.harness.record.records import Declaration, Fidelity, Judgement, WorkloadFacts
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.counts import SAW, Counted, find_counted, format_count
from argo_bench.report.tables import Column, Row, Table
from argo_bench.study.checking.seen import find_unseen
from argo_bench.study.sights import CALLS, SYMBOL_CYCLES

ARMS = ("baseline", "prescribed", "engineered", "simple")
SHOWN = ("decisions", "rejected", "kept", "rows", "rows read", "texts", "consensuses")
"""These sights are named for every workload that has them, in this order; of others the most frequent one."""
WHOLE = ("symbol-cycles", "calls")


@dataclass(frozen=True, slots=True)
class Sights:
    """Holds what one workload saw: by noun what the baseline's results showed, by arm its hits and misses, and the
    nouns of which its claims speak and nothing was seen."""

    optimization: str
    workload: str
    stage: str
    saw: Mapping[str, float]
    lookups: Mapping[str, tuple[float, float]]
    unseen: Sequence[str]


def find_sights(recorded: Recorded) -> list[Sights]:
    """Return what each workload saw that was counted, or on whose inputs outputs were compared."""
    counted = {(each.optimization, each.workload): each for each in find_counted(recorded)}
    compared: dict[tuple[str, str], Fidelity] = {}
    for line in recorded.all(Fidelity):
        if line.workload is not None and line.saw:
            compared.setdefault((line.optimization, line.workload), line)
    found = []
    for declaration in recorded.declarations:
        for workload in declaration.workloads:
            at = declaration.id, workload.name
            if at in counted or at in compared:
                found.append(_make(recorded, declaration, workload, counted.get(at), compared.get(at)))
    return found


def _make(
    recorded: Recorded,
    declaration: Declaration,
    workload: WorkloadFacts,
    counted: Counted | None,
    compared: Fidelity | None,
) -> Sights:
    saw: dict[str, float] = {}
    if compared is not None:
        saw |= {CALLS: float(compared.compared)} | {noun: float(count) for noun, count in compared.saw.items()}
    if "decisions" in saw:
        saw["rejected"] = float(sum(count for noun, count in saw.items() if noun.startswith("rejected: ")))
    lookups: dict[str, tuple[float, float]] = {}
    if counted is not None:
        own = {name: counted.values("baseline", name) for name in counted.names() if "baseline" in counted.arms}
        sights = {name.removeprefix(SAW): median(seen) for name, seen in own.items() if name.startswith(SAW) and seen}
        saw = sights or saw
        for arm in counted.arms:
            hits, misses = counted.values(arm, "hits"), counted.values(arm, "misses")
            if hits and misses:
                lookups[arm] = median(hits), median(misses)
    unseen = list(_find_unseen(recorded, declaration, workload, counted, saw))
    return Sights(declaration.id, workload.name, workload.stage, saw, lookups, unseen)


def _find_unseen(
    recorded: Recorded,
    declaration: Declaration,
    workload: WorkloadFacts,
    counted: Counted | None,
    saw: Mapping[str, float],
) -> Iterator[str]:
    """Yield what the stage, and the claims on the workload, are about and of which nothing was seen."""
    if saw and workload.stage:
        rejected = {"decisions": 1} if saw.get("rejected") else {}  # what was rejected had been decided
        yield from find_unseen(workload.stage, {noun: int(count) for noun, count in saw.items()} | rejected)
    if counted is None:
        return
    judged = {each.metric: each.comparison.reference for each in recorded.all(Judgement) if _is_on(each, counted)}
    for metric, reference in judged.items():
        if metric == "hit_rate":
            if not any(counted.values(arm, "hits") or counted.values(arm, "misses") for arm in counted.arms):
                yield "look-ups"
        elif is_count(metric) and reference in counted.arms:
            values = counted.values(reference, metric)
            if values and not any(values):
                yield finding.noun_of(metric)


def _is_on(judgement: Judgement, counted: Counted) -> bool:
    return (judgement.optimization, judgement.comparison.workload) == (counted.optimization, counted.workload)


def note_unseen(recorded: Recorded) -> Mapping[tuple[str, str], Sequence[str]]:
    """Return what stands beside a verdict on a workload that saw nothing of what it is about, by claim and arm."""
    unseen = {(each.optimization, each.workload): each for each in find_sights(recorded) if each.unseen}
    return {
        (each.claim, each.arm): [describe_unseen(unseen[at])]
        for each in recorded.all(Judgement)
        if (at := (each.optimization, each.comparison.workload)) in unseen
    }


def describe_unseen(sights: Sights) -> str:
    return f"not checked: no {' and no '.join(dict.fromkeys(sights.unseen))} on this workload" if sights.unseen else ""


def tabulate_sights(recorded: Recorded, *, brief: bool = False) -> Table:
    """Tabulate what each workload saw; briefly, only those that saw nothing of what they are about."""
    rows = tuple(
        Row(
            (
                f"{each.optimization} {each.workload}",
                "\n".join(_describe_saw(each)) or "-",
                "\n".join(_describe_lookups(each)) or "-",
                describe_unseen(each),
            )
        )
        for each in find_sights(recorded)
        if each.unseen or not brief
    )
    columns = (Column("workload", 24), Column("contains", None), Column("look-ups", 24), Column("not checked", 16))
    note = (
        "What the baseline's results contain on each workload (medians over the seeds), and how often each version "
        "found a result in its cache. Where there is none of what a claim is about, the claim was not checked, "
        "whatever its verdict says."
    )
    return Table("What each workload contains", note, columns, rows)


def _describe_saw(sights: Sights) -> Iterator[str]:
    """Yield a line for the decisions out of all symbol-cycles, and one for each other thing that was seen."""
    saw = sights.saw
    whole = next((noun for noun in WHOLE if saw.get(noun)), "")
    named = [noun for noun in SHOWN if noun in saw]
    if not named:
        others = [noun for noun in saw if noun not in (CALLS, SYMBOL_CYCLES, "cycles")]
        named = sorted(others, key=lambda noun: -saw[noun])[:1]
    if whole and not any(noun in named for noun in ("decisions", "consensuses")):
        yield f"{format_count(saw[whole])} {whole}"
    for noun in named:
        yield _describe_share(saw, noun, whole) or f"{format_count(saw[noun])} {noun}"


def _describe_share(saw: Mapping[str, float], noun: str, whole: str) -> str:
    """Say which share of the symbol-cycles, or of the calls of a vote, was accepted; empty for other sights."""
    is_share = noun == "consensuses" or (noun == "decisions" and whole == SYMBOL_CYCLES)
    if not (is_share and whole and saw[whole]):
        return ""
    share = f"{100 * saw[noun] / saw[whole]:.3g} %"
    return f"{format_count(saw[noun])} of {format_count(saw[whole])} {whole} accepted ({share})"


def _describe_lookups(sights: Sights) -> Iterator[str]:
    for arm, (hits, misses) in sights.lookups.items():
        if arm in ARMS:
            yield f"{arm}: {format_count(hits)} hits, {format_count(misses)} misses"
