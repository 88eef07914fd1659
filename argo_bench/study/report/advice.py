"""Says what to do with each optimization, keep, fix or drop it, by rules over its headline verdicts.

A variant *gains* where a headline claim is confirmed, exceeded or fell short (there is a gain, if not the claimed one),
and *loses* where one is refuted or void. Inconclusive, untested and failed ones say nothing. Signals that are missed,
added or flipped outrank every gain, even where a variant declares that its data may be older.

keep       as prescribed it gains and never loses, the output stays the same or within what is declared, and no signal
           is missed, added or flipped
fix        else, if that is so of the engineered variant
drop       else, if neither variant gains without costing signals, and at least one claim was decided
undecided  else
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from argo_bench.harness.claims.verdict import word_for
from argo_bench.harness.judging.outputs import describe_damage
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.optimizations.document import RANKS
from argo_bench.report import finding
from argo_bench.report.sections import Advice
from argo_bench.report.tables import Column, Row, Table, join_lines

GAINS = ("confirmed", "confirmed, at least low", "exceeded", "fell short")
LOSES = ("refuted", "void")
HALVES = ("fell short or worse", "inconclusive", "untested", "failed")


def advise_all(recorded: Recorded) -> list[Advice]:
    """Return one advice for every optimization with a headline claim, in their order."""
    judged: dict[str, list[Judgement]] = {}
    for each in recorded.all(Judgement):
        if each.headline and each.arm in ("prescribed", "engineered"):
            judged.setdefault(each.optimization, []).append(each)
    return [_advise(optimization, rows) for optimization, rows in judged.items()]


def _advise(optimization: str, rows: Sequence[Judgement]) -> Advice:
    prescribed = [each for each in rows if each.arm == "prescribed"]
    engineered = [each for each in rows if each.arm == "engineered"]
    word, reason = _choose_word(prescribed, engineered)
    return Advice(optimization, word, reason, _describe_worth(prescribed), _describe_worth(engineered))


def _choose_word(
    prescribed: Sequence[Judgement], engineered: Sequence[Judgement]
) -> tuple[Literal["keep", "fix", "drop", "undecided"], str]:
    faults = "; ".join(_find_faults(prescribed))
    if _gains(prescribed) and not faults:
        output = next(each.output for each in prescribed if each.verdict in GAINS)
        return "keep", f"as prescribed {_describe_gains(prescribed)}, and the output stays {output}"
    if _gains(engineered) and not any(_find_faults(engineered)):
        return "fix", f"as prescribed {faults or 'nothing is decided'}; engineered {_describe_gains(engineered)}"
    decided = any(each.verdict in (*GAINS, *LOSES) for each in (*prescribed, *engineered))
    if decided and not any(_gains(rows) and not _describe_damage(rows) for rows in (prescribed, engineered)):
        gains = _gains(prescribed) or _gains(engineered)
        more = _describe_damage(engineered)
        why = f"{faults or 'nothing is decided as prescribed'}{f'; engineered {more}' if more else ''}"
        return "drop", f"{'no gain without a cost in signals' if gains else 'no gain in either variant'}: {why}"
    return "undecided", "; ".join(
        (*_find_faults(prescribed), *_list_open_claims(prescribed), *_list_open_claims(engineered))
    ) or "nothing decided"


def _gains(rows: Sequence[Judgement]) -> bool:
    return any(each.verdict in GAINS for each in rows)


def _find_faults(rows: Sequence[Judgement]) -> Iterator[str]:
    """Yield what speaks against a variant: claims without a gain, and an output that differs."""
    for each in rows:
        if each.verdict in LOSES:
            yield f"{_name_metric(each)} is {finding.describe_measured(each)} ({word_for(each.verdict)})"
    yield from _find_output_faults(rows)


def _find_output_faults(rows: Sequence[Judgement]) -> Iterator[str]:
    """Yield what speaks against a variant's output: a difference, nothing seen, or signals that are not what they were.

    Of a row that failed nothing is known.
    """
    if any(map(finding.changes_output, rows)):
        yield "the output differs"
    elif any(each.output.startswith("not checked:") for each in rows):
        yield "the output was not checked"
    if said := _describe_damage(rows):
        yield said


def _describe_damage(rows: Sequence[Judgement]) -> str:
    """Say which signals a variant misses, adds or flips; empty where it does not."""
    return next(filter(None, (describe_damage(each.damage) for each in rows)), "")


def _list_open_claims(rows: Sequence[Judgement]) -> Iterator[str]:
    for each in rows:
        if each.verdict in HALVES:
            yield f"{_name_metric(each)} of {each.arm} is {word_for(each.verdict)}"


def _describe_gains(rows: Sequence[Judgement]) -> str:
    return "gives " + " and ".join(
        f"{finding.describe_measured(each)} ({word_for(each.verdict)})" for each in rows if each.verdict in GAINS
    )


def _describe_worth(rows: Sequence[Judgement]) -> str:
    return "\n".join(finding.describe_measured(each) for each in rows) or "-"


def _name_metric(judgement: Judgement) -> str:
    return finding.noun_of(judgement.metric)


def tabulate_advice(recorded: Recorded, *, brief: bool = False) -> Table:
    """Tabulate the measured worth of each optimization and the advice, beside the document's ranking where it has one.

    ``brief`` names optimizations by their ids alone.
    """
    rows = tuple(
        Row(
            (
                join_lines(
                    each.subject if brief else _name_subject(recorded, each.subject), _describe_rank(each.subject)
                ),
                each.prescribed,
                each.engineered,
                f"{each.word}: {each.reason}",
            )
        )
        for each in advise_all(recorded)
    )
    columns = (Column("optimization", 20), Column("prescribed", 16), Column("engineered", 16), Column("advice", None))
    note = (
        "Keep: gains as prescribed, loses nothing, keeps the output and every signal. Fix: only the engineered variant "
        "does. Drop: neither does. Priority, effort and week are the document's."
    )
    return Table("Keep, fix or drop", note, columns, rows)


def _name_subject(recorded: Recorded, optimization: str) -> str:
    return f"{optimization} {recorded.name_of(optimization)}".rstrip()


def _describe_rank(optimization: str) -> str:
    rank = RANKS.get(optimization)
    return "" if rank is None else f"{rank.priority} priority, {rank.effort} effort, week {rank.phase}"
