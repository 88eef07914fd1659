"""Answers what a reader asks of a run first: what holds, what changes the output, what to ship, how sure it is, and how
to repeat it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from argo_bench.harness.calibration.standing import Used
from argo_bench.harness.claims.verdict import HOLDS
from argo_bench.harness.judging.outputs import describe_damage
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.sections import Advice, Outline
from argo_bench.report.title import OPENINGS

FIRST = 3
"""So many are named with their gain as what to ship first."""
VERSIONS = {"prescribed": "as published", "engineered": "as engineered", "simple": "in the simple way"}
UNDECIDED = ("inconclusive", "untested", "failed")


@dataclass(frozen=True, slots=True)
class Line:
    """Holds a part of an answer: ``lead`` comes first, then subjects, each with its words, then ``code``."""

    lead: str
    subjects: Sequence[tuple[str, str]] = ()
    code: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    question: str
    lines: Sequence[Line]


def list_answers(recorded: Recorded, outline: Outline) -> list[Answer]:
    """Return the questions of which the record knows the answers, each with these."""
    found = (
        Answer("What holds as published?", list(_list_holding(recorded))),
        Answer("What changes the output?", list(_list_changing(recorded))),
        Answer("What to ship first?", list(_list_first(recorded, outline.advise(recorded)))),
        Answer("How sure is it?", list(_describe_certainty(recorded))),
        Answer("How to repeat it?", [Line("", code=recorded.run.command)]),
    )
    return [each for each in found if each.lines]


def describe_measuring(recorded: Recorded, outline: Outline) -> str:
    """Say what was measured, by what, where and when, in one line."""
    environment = recorded.run.environment
    claims = {each.claim for each in recorded.all(Judgement) if each.headline}
    number, noun = (len(claims), "claim") if claims else (len(recorded.subjects), "comparison")
    what = finding.format_number_of(number, noun)
    parts = [f"{outline.about}: {what}" if outline.about else what]
    version = environment.get("versions", {}).get("argo-bench", "")
    parts.append(f"measured by argo-bench {version}".rstrip())
    cores = environment.get("cores")
    processor = environment.get("processor", "")
    on = f"{processor}, {finding.format_number_of(cores, 'core')}" if processor and cores else processor
    parts += [each for each in (on, environment.get("python", ""), environment.get("system", "")) if each]
    parts.append(recorded.run.started.partition("T")[0])
    if (time := finding.describe_time(recorded)) is not None:
        parts.append(f"in {time}")
    return " · ".join(parts)


def _find_published(recorded: Recorded) -> list[Judgement]:
    """Return the headline verdicts on what was published, where a run judged published and engineered versions."""
    judged = [each for each in recorded.all(Judgement) if each.headline]
    arms = {each.arm for each in judged}
    return [each for each in judged if each.arm == "prescribed"] if arms >= set(OPENINGS) else []


def _list_holding(recorded: Recorded) -> Iterator[Line]:
    published = _find_published(recorded)
    reached = [each for each in published if each.verdict in HOLDS]
    kept = [each for each in reached if finding.keeps_output(each)]
    changed = [each for each in reached if not finding.keeps_output(each)]
    if published:
        of = f"of {finding.format_number_of(len(published), 'claim')}"
        yield Line(f"Reached with the same output ({len(kept)} {of})", _name_claims(recorded, kept))
        yield Line(f"Reached by changing the output ({len(changed)})", _name_claims(recorded, changed))


def _name_claims(recorded: Recorded, judgements: Iterable[Judgement]) -> list[tuple[str, str]]:
    """Name subjects once each, with what their claims are about in parentheses."""
    about: dict[str, list[str]] = {}
    for each in judgements:
        about.setdefault(each.optimization, []).append(each.claim.removeprefix(f"{each.optimization}."))
    return [(of, f"{_name(recorded, of)} ({', '.join(dict.fromkeys(claims))})") for of, claims in about.items()]


def _name(recorded: Recorded, subject: str) -> str:
    return recorded.name_of(subject) or subject


def _list_changing(recorded: Recorded) -> Iterator[Line]:
    judged = [each for each in recorded.all(Judgement) if each.headline and each.arm in OPENINGS]
    if not _find_published(recorded):
        return
    for arm, opening in OPENINGS.items():
        changing = dict.fromkeys(each.optimization for each in judged if each.arm == arm and _changes(each))
        subjects = dict.fromkeys(each.optimization for each in judged if each.arm == arm)
        kept = [each for each in subjects if each not in changing]
        is_most = 0 < len(kept) < len(changing)
        is_declared = all(
            finding.keeps_output(each) for each in judged if each.arm == arm and each.optimization in changing
        )
        limits = ", within declared limits" if changing and is_declared else ""
        yield Line(
            f"{opening.capitalize()} ({len(changing)} of {len(subjects)}{limits}){', all but' * is_most}",
            [(each, _name(recorded, each)) for each in (kept if is_most else changing)],
        )


def _changes(judgement: Judgement) -> bool:
    """Say whether an output differs, or whether signals are missed, added or flipped where the data may be older."""
    return finding.changes_output(judgement) or bool(describe_damage(judgement.damage))


def _list_first(recorded: Recorded, advised: Sequence[Advice]) -> Iterator[Line]:
    """Yield what to ship first with its gain, and then what comes next."""
    order = sorted((each for each in advised if each.place), key=lambda each: each.place)
    for each in order[:FIRST]:
        name = f"{_name(recorded, each.subject)}, {VERSIONS[each.winner]}: {each.gains}"
        yield Line("", [(each.subject, name)])
    if order[FIRST:]:
        yield Line("Then", [(each.subject, _name(recorded, each.subject)) for each in order[FIRST:]])


def _describe_certainty(recorded: Recorded) -> Iterator[Line]:
    judged = [each for each in recorded.all(Judgement) if each.headline] or recorded.all(Judgement)
    if any(each.interval is not None for each in judged):
        yield Line(
            "A claim is decided only where every value in its interval gives the same verdict. "
            "In 95 of 100 runs all of these intervals contain the true value."
        )
    if open_ones := sum(each.verdict in UNDECIDED for each in judged):
        yield Line(f"{open_ones} of {finding.format_number_of(len(judged), 'verdict')} are left undecided.")
    kept = recorded.run.environment.get("calibration")
    if kept is not None:
        rate = msgspec.convert(kept, Used).calibration.all_false_positives
        experiments = finding.format_number_of(rate.trials, "experiment")
        yield Line(f"With identical code a difference was found in {rate.events} of {experiments}.")
