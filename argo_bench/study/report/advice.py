"""Says what to do with each optimization, by rules over all its verdicts; docs/advice.md has them in words.

An arm *gains* where a headline claim is confirmed, exceeded or fell short (there is a gain, if not the claimed one), by
a share that is worth a change; it *loses* where one is refuted or void. A gain on hits is none where the stream that
really comes is slower. Inconclusive, untested and failed ones say nothing. Signals that are missed, added or flipped
outrank every gain, even where a variant declares that its data may be older.

simple     the simple way gains, loses nothing and keeps output and signals, and no variant that does so is better
keep       else, if that is so of the optimization as prescribed
fix        else, if that is so of the engineered variant
drop       else, if no arm gains without costing signals, and at least one claim was decided
undecided  else
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from argo_bench.harness.claims.verdict import HOLDS, word_for
from argo_bench.harness.judging.outputs import describe_damage
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.optimizations import catalogue, subjects
from argo_bench.optimizations.document import RANKS
from argo_bench.pipeline import baseline
from argo_bench.pipeline.record import PARTS
from argo_bench.report import finding
from argo_bench.report.sections import Advice
from argo_bench.report.simple import SIMPLE, find_simple
from argo_bench.report.tables import Column, Row, Table, join_lines
from argo_bench.study.counts import layers

GAINS = ("confirmed", "confirmed, at least low", "exceeded", "fell short")
LOSES = ("refuted", "void")
HALVES = ("fell short or worse", "inconclusive", "untested", "failed")
LEAST_GAIN = 1.05
"""A gain of less than 5 % is not worth a change of code, and a loss of less than that is no reason against one."""
EFFORTS = ("low", "medium", "high")
DO_NOT_CACHE = "recompute"
Word = Literal["keep", "fix", "simple", "drop", "undecided"]
CALLED = {"prescribed": "as prescribed", "engineered": "engineered", SIMPLE: "the simple way"}


@dataclass(frozen=True, slots=True)
class Arm:
    """Holds what was found of one arm of an optimization: on its headline claims, and on all further readings.

    ``inputs`` says of each workload what it is fed, by name.
    """

    name: str
    headline: Sequence[Judgement]
    further: Sequence[Judgement] = ()
    inputs: dict[str, str] = field(default_factory=dict)

    @property
    def gained(self) -> list[Judgement]:
        """Return the headline claims on which it gains enough; those on hits only where the stream is no slower."""
        return [each for each in self.headline if is_gain(each) and not (self._is_hit(each) and self.slower_streams)]

    @property
    def is_clean(self) -> bool:
        """Say whether it gains, loses nothing that was claimed, and keeps output and signals."""
        return bool(self.gained) and not self.faults

    @property
    def slower_streams(self) -> list[Judgement]:
        """Return the further readings by which the recorded stream, hits and misses as they come, is slower."""
        return [each for each in self.losses if self.inputs.get(each.comparison.workload) == "trace"]

    @property
    def losses(self) -> list[Judgement]:
        """Return the further readings on which it is worse than its reference, each comparison and metric once."""
        lost = {(each.comparison, each.metric): each for each in self.further if is_loss(each)}
        return list(lost.values())

    @property
    def faults(self) -> list[str]:
        """Return what speaks against it: claims without a gain, and an output that differs."""
        return [*_find_losses(self.headline), *self._find_empty_gains(), *find_output_faults(self.headline)]

    @property
    def lost_signals(self) -> str:
        return _describe_signals(self.headline)

    @property
    def is_in_part(self) -> bool:
        """Say whether the same sentence, read in another way, is a loss."""
        told = {each.text for each in self.gained}
        return any(each.text in told for each in self.losses)

    def _is_hit(self, judgement: Judgement) -> bool:
        return self.inputs.get(judgement.comparison.workload) == "hit"

    def _find_empty_gains(self) -> Iterator[str]:
        if any(is_gain(each) and self._is_hit(each) for each in self.headline):
            yield from (f"{describe_reading(each)} as calls really come" for each in self.slower_streams[:1])


def is_gain(judgement: Judgement) -> bool:
    """Say whether a verdict is that of a gain which is worth a change; a level that falls short need be none."""
    if judgement.kind == "level" and judgement.verdict not in HOLDS:
        return False
    is_small = judgement.speedup is not None and 1 <= judgement.speedup < LEAST_GAIN
    return judgement.verdict in GAINS and not is_small


def is_loss(judgement: Judgement) -> bool:
    """Say whether a reading is worse than its reference by as much as a gain must be, and surely so."""
    return "worse" in judgement.flags and judgement.speedup is not None and judgement.speedup <= 1 / LEAST_GAIN


def advise_all(recorded: Recorded) -> list[Advice]:
    """Return one advice for every optimization with a headline claim, in their order."""
    judged: dict[str, list[Judgement]] = {}
    for each in recorded.all(Judgement):
        if each.arm in ("prescribed", "engineered"):
            judged.setdefault(each.optimization, []).append(each)
    simple = find_simple(recorded)
    inputs = {each.id: {work.name: work.inputs for work in each.workloads} for each in recorded.declarations}
    found: list[tuple[Advice, Arm | None]] = []
    for optimization, rows in judged.items():
        own = [*rows, *(simple[each] for each in dict.fromkeys(row.claim for row in rows) if each in simple)]
        if any(each.headline for each in rows):
            arms = [_collect(name, own, inputs.get(optimization, {})) for name in CALLED]
            found.append(_advise(recorded, optimization, *arms))
    return _place(found)


def _place(found: Sequence[tuple[Advice, Arm | None]]) -> list[Advice]:
    """Number what is to be shipped in the order of shipping; sets of optimizations have no place in it.

    Whole gains come before partial ones, reached claims before missed ones, little effort before much, and else the
    largest gain comes first. Where the document says nothing of the effort, it counts as medium.
    """
    shipped = [(advice, arm) for advice, arm in found if arm is not None and advice.subject in catalogue()]
    order = [advice.subject for advice, _ in sorted(shipped, key=lambda each: _rank(*each))]
    places = {subject: place for place, subject in enumerate(order, 1)}
    return [replace(advice, place=places.get(advice.subject, 0)) for advice, _ in found]


def _rank(advice: Advice, winner: Arm) -> tuple[bool, bool, int, float]:
    rank = RANKS.get(advice.subject)
    effort = EFFORTS.index("medium" if rank is None else rank.effort)
    return winner.is_in_part, bool(_name_missed(winner)), effort, -max(each.speedup or 1.0 for each in winner.gained)


def _collect(name: str, rows: Sequence[Judgement], inputs: dict[str, str]) -> Arm:
    own = [each for each in rows if each.arm == name]
    headline = [each for each in own if each.headline]
    return Arm(name, headline, [each for each in own if not each.headline], inputs)


def _advise(
    recorded: Recorded, optimization: str, prescribed: Arm, engineered: Arm, simple: Arm
) -> tuple[Advice, Arm | None]:
    """Return the advice on an optimization, and the arm that wins, if one does."""
    word, winner = _choose(prescribed, engineered, simple)
    is_cache = "cache" in recorded.name_of(optimization)
    recompute = is_cache and (
        (word == "simple" and keeps_nothing(optimization)) or (word == "drop" and bool(engineered.slower_streams))
    )
    reason = _write_reason(word, prescribed, engineered, simple)
    label: str = word
    if recompute:
        reason, label = f"{DO_NOT_CACHE}; {reason}", "do not cache"
    elif winner is not None:
        label += ", claim missed" * bool(_name_missed(winner)) + ", in part" * winner.is_in_part
    advice = Advice(
        optimization,
        word,
        reason,
        _describe_worth(prescribed),
        _describe_worth(engineered),
        _describe_worth(simple),
        "" if winner is None else winner.name,
        label,
        "" if winner is None else " and ".join(finding.describe_measured(each) for each in winner.gained),
    )
    return advice, winner


def _choose(prescribed: Arm, engineered: Arm, simple: Arm) -> tuple[Word, Arm | None]:
    """Return the word, and the arm that wins; None where none does."""
    rivals = [each for each in (prescribed, engineered) if each.is_clean]
    if simple.is_clean and not any(_is_better(each, simple) for each in rivals):
        return "simple", simple
    if prescribed.is_clean and not (prescribed.is_in_part and engineered.is_clean and not engineered.is_in_part):
        is_engineered_better = engineered.is_clean and _is_better(engineered, prescribed)
        return "keep", engineered if is_engineered_better else prescribed
    if engineered.is_clean:
        return "fix", engineered
    rows = [*prescribed.headline, *engineered.headline]
    decided = any(each.verdict in (*GAINS, *LOSES) for each in rows)
    if decided and not any(each.gained and not each.lost_signals for each in (prescribed, engineered)):
        return "drop", None
    return "undecided", None


def _is_better(first: Arm, second: Arm) -> bool:
    """Say whether an arm gains more than another on a headline claim by what is worth a change, and loses no more.

    One that is worse by a further reading is not better than one that is worse by none.
    """
    if len(first.losses) > len(second.losses):
        return False
    theirs = {each.claim: each.speedup for each in second.headline if each.speedup is not None}
    return any(
        each.speedup is not None and each.speedup >= LEAST_GAIN * theirs.get(each.claim, math.inf)
        for each in first.headline
    ) or (bool(first.gained) and not theirs)


def keeps_nothing(optimization: str) -> bool:
    """Say whether the simple way of an optimization recomputes: no part of it counts hits."""
    known = subjects().get(optimization)
    if known is None or known.simple is None:
        return False
    edited = known.simple(baseline.PIPELINE)
    return not any(hasattr(layer, "hits") for part in PARTS for layer in layers(getattr(edited, part)))


def _write_reason(word: Word, prescribed: Arm, engineered: Arm, simple: Arm) -> str:
    """Say in a sentence why: what wins and gives how much, what is against the others, and what it costs elsewhere."""
    against = "; ".join(prescribed.faults) or _describe_other_reading(prescribed)
    match word:
        case "keep":
            output = next(each.output for each in prescribed.gained)
            better = engineered.is_clean and _is_better(engineered, prescribed)
            more = f"; engineered is better still: it {_describe_gains(engineered)}" if better else ""
            said = f"as prescribed it {_describe_gains(prescribed)}{more}{_describe_cost(prescribed)}"
            return f"{said}{_describe_missed(prescribed)}, and the output stays {_say_output(output)}"
        case "fix":
            said = f"as prescribed {against or 'nothing is decided'}; engineered it {_describe_gains(engineered)}"
            return f"{said}{_describe_cost(engineered)}{_describe_missed(engineered)}"
        case "simple":
            others = "; ".join(filter(None, map(_describe_rival, (prescribed, engineered))))
            said = f"the simple way {_describe_gains(simple)}{_describe_cost(simple)}{_describe_missed(simple)}"
            return f"{said}, and the output stays {_say_output(simple.headline[0].output)}; {others}"
        case "drop":
            gains = any(is_gain(each) for each in (*prescribed.headline, *engineered.headline))
            opening = (
                "no gain without a cost in signals" if gains and engineered.lost_signals else "no gain worth having"
            )
            named = f"as prescribed {against or 'nothing is decided'}"
            return "; ".join(filter(None, (f"{opening}: {named}", _describe_rival(engineered))))
        case _:
            return (
                "; ".join(
                    (
                        *prescribed.faults,
                        *_list_open_claims(prescribed.headline),
                        *_list_open_claims(engineered.headline),
                    )
                )
                or "nothing was decided"
            )


def _say_output(output: str) -> str:
    """Return what the Output column says, for the middle of a sentence."""
    return f"the {output}" if output.startswith("same") else output


def _describe_other_reading(arm: Arm) -> str:
    """Say by which other reading of the sentence an arm loses that else gains; empty where there is none."""
    return next((describe_reading(each) for each in arm.losses), "") if arm.is_in_part else ""


def _describe_rival(arm: Arm) -> str:
    """Say what a variant gives beside the simple way, or what speaks against it; empty where nothing is known of it."""
    said = "; ".join(arm.faults) or (f"it {_describe_gains(arm)}{_describe_cost(arm)}" if arm.gained else "")
    slow = "; ".join(map(describe_reading, arm.slower_streams[:1]))
    said = said or slow or "; ".join(_list_open_claims(arm.headline, named=False))
    return f"{CALLED[arm.name]} {said}" if said else ""


def _find_losses(rows: Sequence[Judgement]) -> Iterator[str]:
    for each in rows:
        if each.verdict in LOSES:
            yield f"{_name_metric(each)} is {finding.describe_measured(each)} ({word_for(each.verdict)})"


def find_output_faults(rows: Sequence[Judgement]) -> Iterator[str]:
    """Yield what speaks against a variant's output: a difference, nothing seen, or signals that are not what they were.

    Of a row that failed nothing is known.
    """
    if any(map(finding.changes_output, rows)):
        yield "the output differs"
    elif any(each.output.startswith("not checked:") or _is_unchecked(each) for each in rows):
        yield "the output was not checked"
    if said := _describe_signals(rows):
        yield said


def _is_unchecked(judgement: Judgement) -> bool:
    """Say whether nothing was compared of an arm that no verdict is void for: only the simple way may have that."""
    return judgement.arm == SIMPLE and judgement.output.startswith("not checked")


def _describe_signals(rows: Sequence[Judgement]) -> str:
    """Say which signals a variant misses, adds or flips; empty where it does not."""
    return next(filter(None, (describe_damage(each.damage) for each in rows)), "")


def _list_open_claims(rows: Sequence[Judgement], *, named: bool = True) -> Iterator[str]:
    """Say of each claim that decides nothing why that is; ``named`` adds the arm."""
    for each in rows:
        of = f"{_name_metric(each)} of {each.arm}" if named else _name_metric(each)
        if each.verdict in HALVES:
            yield f"{of} is {word_for(each.verdict)}"
        elif each.verdict in GAINS and not is_gain(each):
            yield f"{of} is {finding.describe_measured(each)}, which is too little to be worth a change"


def _describe_gains(arm: Arm) -> str:
    return "gives " + " and ".join(f"{_describe_gain(each)} ({word_for(each.verdict)})" for each in arm.gained)


def _describe_gain(judgement: Judgement) -> str:
    """Say how much is gained; where that is a bare factor, say also of what."""
    said = finding.describe_measured(judgement)
    return f"{said} in {_name_metric(judgement)}" if said.endswith("x") else said


def _describe_cost(arm: Arm) -> str:
    """Say on which further reading the arm loses most; empty where it does on none."""
    if not arm.losses:
        return ""
    worst = min(arm.losses, key=lambda each: each.speedup or 1.0)
    return f", but {describe_reading(worst)}"


def describe_reading(judgement: Judgement) -> str:
    """Say what was seen of a reading, and on which workload, for the middle of a sentence."""
    seen = f"{_name_metric(judgement)} is {finding.describe_measured(judgement)}"
    return f"{seen} on {judgement.comparison.workload}"


def _describe_missed(arm: Arm) -> str:
    """Say that a gain is not the claimed one; empty where every headline claim is reached."""
    missed = _name_missed(arm)
    return f"; the claim itself was missed: {missed}" if missed else ""


def _name_missed(arm: Arm) -> str:
    """Name what was claimed where the arm gains less; empty where every claim that was decided is reached."""
    below = [each for each in arm.headline if each.verdict in GAINS and each.verdict not in HOLDS]
    return " and ".join(
        f"{finding.format_claimed(each.kind, each.low, each.high)} of {_name_metric(each)} was published"
        for each in below
    )


def _describe_worth(arm: Arm) -> str:
    return "\n".join(finding.describe_measured(each) for each in arm.headline) or "-"


def _name_metric(judgement: Judgement) -> str:
    return finding.noun_of(judgement.metric)


def tabulate_advice(recorded: Recorded, *, brief: bool = False) -> Table:
    """Tabulate the measured worth of each optimization and the advice, beside the document's ranking where it has one.

    ``brief`` names optimizations by their ids alone, and leaves out the figures of the simple way.
    """
    advised = advise_all(recorded)
    with_simple = not brief and any(each.simple != "-" for each in advised)
    rows = tuple(
        Row(
            (
                join_lines(
                    each.subject if brief else _name_subject(recorded, each.subject), _describe_rank(each.subject)
                ),
                each.prescribed,
                each.engineered,
                *([each.simple] if with_simple else []),
                f"{each.label}: {each.reason}",
            )
        )
        for each in advised
    )
    columns = (
        *(Column("optimization", 20), Column("as prescribed", 16), Column("as engineered", 16)),
        *([Column(SIMPLE, 16)] if with_simple else []),
        Column("advice", None),
    )
    note = (
        "Keep: use it as published. Fix: the published version is slower or wrong, ours is not. Simple: something "
        "simpler gains as much, without being wrong. Drop: none helps. Claim missed: there is a gain, and it is less "
        "than was published. In part: the same sentence, understood in another way, is a loss. Priority, effort and "
        "week are those of the document. The rules are in docs/advice.md."
    )
    return Table("Keep, fix or drop", note, columns, rows)


def _name_subject(recorded: Recorded, optimization: str) -> str:
    return f"{optimization} {recorded.name_of(optimization)}".rstrip()


def _describe_rank(optimization: str) -> str:
    rank = RANKS.get(optimization)
    return "" if rank is None else f"{rank.priority} priority, {rank.effort} effort, week {rank.phase}"
