"""Writes the title of a report: how many claims are reached, as published and as engineered, and how many of those
keep the output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from argo_bench.harness.claims.verdict import HOLDS, Word, word_for
from argo_bench.harness.record.records import End, Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report.documents import find_restated
from argo_bench.report.finding import describe_replicates, format_number_of, is_same, keeps_output
from argo_bench.report.references import DEPENDS, find_dependent

OPENINGS = {"prescribed": "as published", "engineered": "as engineered"}
"""How the sentence about each variant of an optimization begins."""


def write_title(recorded: Recorded) -> str:
    """Write the title: two sentences on a run of the study, and one on anything else."""
    return ". ".join(write_title_lines(recorded))


def write_title_lines(recorded: Recorded) -> list[str]:
    """Write the sentences of the title, without their full stops."""
    first, *further = (each[0].upper() + each[1:] for each in list_sentences(recorded))
    return [_describe_progress(recorded) + first, *further]


def write_aside(recorded: Recorded) -> str:
    """Write the sentence on the claims that the title leaves out, because their documents have no copy here.

    It is empty where the title counts all claims.
    """
    _, apart = _divide_by_document(recorded)
    if not apart:
        return ""
    groups = {opening: [each for each in apart if each.arm == arm] for arm, opening in OPENINGS.items()}
    everything = recorded.all(Judgement)
    claims = format_number_of(len({each.claim for each in apart}), "claim")
    if any(each.arm not in OPENINGS for each in apart) or not all(groups.values()):
        said = _count_reached(apart, "", everything, ", ")
    else:
        said = "; ".join(f"{name}, {_count_reached(of, '', everything, ', ')}" for name, of in groups.items())
    return f"Counted apart are {claims} of documents that are not included here: {said}"


def list_sentences(recorded: Recorded) -> list[str]:
    """Return a sentence for each variant of the optimizations that were judged; one on all claims elsewhere.

    A claim that holds against one reference and not against another is counted apart, and named.
    """
    judgements = recorded.all(Judgement)
    if not judgements:
        return ["no claim was judged"]
    headline = [each for each in judgements if each.headline]
    if headline and all(each.kind == "difference" for each in headline):
        return [_answer_open_questions(headline)]
    opening, noun = ("", "claim") if headline else ("no headline claim was judged; ", "further reading")
    judged = _divide_by_document(recorded)[0] if headline else judgements
    groups = {name: [each for each in judged if each.arm == name] for name in OPENINGS}
    if any(each.arm not in OPENINGS for each in judged) or not all(groups.values()):
        return [opening + _count_reached(judged, noun, judgements)]
    return [f"{opening}{OPENINGS[name]}, {_count_reached(group, noun, judgements)}" for name, group in groups.items()]


def summarize(recorded: Recorded) -> list[dict[str, Any]]:
    """Return the numbers in the title as plain JSON types, by arm; ``apart`` has those of what it leaves out."""
    counted, restated = _divide_by_document(recorded)
    everything = recorded.all(Judgement)
    found = []
    for arm in dict.fromkeys(each.arm for each in counted):
        own = [each for each in counted if each.arm == arm]
        sentence = _count_reached(own, "claim", everything)
        numbers = _count(own, everything)
        apart = _count([each for each in restated if each.arm == arm], everything)
        found.append({"arm": arm, "sentence": sentence, **numbers, "apart": apart})
    return found


def _count(judged: Sequence[Judgement], everything: Sequence[Judgement]) -> dict[str, Any]:
    """Count the claims of one arm, those that are reached, and those of them that keep the output."""
    reached, dependent = _divide(judged, everything)
    same, declared = _count_outputs(reached)
    counts = {"claims": len(judged), "reached": len(reached), "same": same, "as_declared": declared}
    return counts | {"depends": [each.claim for each in dependent]}


def _divide_by_document(recorded: Recorded) -> tuple[list[Judgement], list[Judgement]]:
    """Return the headline claims that the title counts, and those whose documents have no copy here."""
    judged = [each for each in recorded.all(Judgement) if each.headline]
    restated = find_restated(recorded, judged)
    counted = [each for each in judged if each.claim not in restated]
    return counted, [each for each in judged if each.claim in restated]


def _describe_progress(recorded: Recorded) -> str:
    ends = recorded.all(End)
    if not ends:
        return "Unfinished run: "
    if ends[-1].interrupted:
        planned = describe_replicates([recorded.run.looks[-1]])
        return f"Interrupted after {ends[-1].replicates} of {planned}: "
    return ""


def _divide(judged: Sequence[Judgement], everything: Sequence[Judgement]) -> tuple[list[Judgement], list[Judgement]]:
    """Return the claims that are reached whatever they are compared with, and those that depend on the reference."""
    dependent = find_dependent(everything)
    apart = [each for each in judged if (each.claim, each.arm) in dependent]
    return [each for each in judged if each.verdict in HOLDS and each not in apart], apart


def _count_reached(judged: Sequence[Judgement], noun: str, everything: Sequence[Judgement], between: str = "; ") -> str:
    """Count what is reached, of how many claims unless ``noun`` is empty, and what has to be known of it."""
    reached, apart = _divide(judged, everything)
    verb = "is" if len(reached) == 1 or (noun and len(judged) == 1) else "are"
    share = f"{len(reached)} of {format_number_of(len(judged), noun)}" if noun else str(len(reached))
    clauses = (f"{share} {verb} reached", _count_kept(reached), _count_missing(judged), _count_dependent(apart))
    return between.join(filter(None, clauses))


def _count_dependent(apart: Sequence[Judgement]) -> str:
    """Count and name the claims that hold against one reference and not against another."""
    if not apart:
        return ""
    names = ", ".join(dict.fromkeys(each.claim for each in apart))
    return f"{len(apart)} {DEPENDS if len(apart) == 1 else DEPENDS.replace('depends', 'depend')} ({names})"


def _count_outputs(reached: Sequence[Judgement]) -> tuple[int, int]:
    """Count the outputs that are the same, and those that are as declared."""
    same = sum(map(is_same, reached))
    return same, sum(map(keeps_output, reached)) - same


def _count_kept(reached: Sequence[Judgement]) -> str:
    """Count the outputs that are kept, and those of them that differ within what was declared."""
    same, declared = _count_outputs(reached)
    kept = same + declared
    if not reached:
        return ""
    if not kept:
        return "the output is not kept" if len(reached) == 1 else "none of them keeps the output"
    how = f" ({declared} within declared limits)" if declared else ""
    if len(reached) == 1:
        return f"the output is kept{' (within declared limits)' if declared else ''}"
    who = "all" if kept == len(reached) else kept
    return f"{who} of them keep{'s' if kept == 1 else ''} the output{how}"


def _count_missing(judged: Sequence[Judgement]) -> str:
    words: tuple[Word, ...] = ("untested", "failed")
    counts = {word: sum(each.verdict == word for each in judged) for word in words}
    return " and ".join(f"{count} {word_for(word)}" for word, count in counts.items() if count)


def _answer_open_questions(judged: Sequence[Judgement]) -> str:
    """Say what was found where nothing was claimed: one comparison's sentence, or how often each word was given."""
    if len(judged) == 1:
        return judged[0].sentence
    words = Counter(each.verdict for each in judged)
    return f"of {len(judged)} candidates " + ", ".join(
        f"{count} {word_for(word)}" for word, count in words.most_common()
    )
