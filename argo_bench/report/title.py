"""Writes the title of a report: how many claims are reached, as published and as engineered, and how many of those
keep the output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from argo_bench.harness.claims.verdict import HOLDS, Word, word_for
from argo_bench.harness.record.records import End, Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report.finding import describe_replicates, format_number_of, is_same, keeps_output
from argo_bench.report.references import DEPENDS, find_dependent

OPENINGS = {"prescribed": "as published", "engineered": "as engineered"}
"""How the sentence about each variant of an optimization begins."""


def write_title(recorded: Recorded) -> str:
    """Write the title: two sentences on a run of the study, and one on anything else."""
    progress = _describe_progress(recorded)
    return progress + ". ".join(each[0].upper() + each[1:] for each in list_sentences(recorded.all(Judgement)))


def list_sentences(judgements: Sequence[Judgement]) -> list[str]:
    """Return a sentence for each variant of the optimizations that were judged; one on all claims elsewhere.

    A claim that holds against one reference and not against another is counted apart, and named.
    """
    if not judgements:
        return ["no claim was judged"]
    judged = [each for each in judgements if each.headline]
    if judged and all(each.kind == "difference" for each in judged):
        return [_answer_open_questions(judged)]
    opening, noun = ("", "claim") if judged else ("no headline claim was judged; ", "further reading")
    judged = judged or list(judgements)
    groups = {name: [each for each in judged if each.arm == name] for name in OPENINGS}
    if any(each.arm not in OPENINGS for each in judged) or not all(groups.values()):
        return [opening + _count_reached(judged, noun, judgements)]
    return [f"{opening}{OPENINGS[name]}, {_count_reached(group, noun, judgements)}" for name, group in groups.items()]


def summarize(recorded: Recorded) -> list[dict[str, Any]]:
    """Return the numbers in the title as plain JSON types, by arm."""
    judged = [each for each in recorded.all(Judgement) if each.headline]
    found = []
    for arm in dict.fromkeys(each.arm for each in judged):
        own = [each for each in judged if each.arm == arm]
        reached, apart = _divide(own, recorded.all(Judgement))
        same, declared = _count_outputs(reached)
        counts = {"claims": len(own), "reached": len(reached), "same": same, "as_declared": declared}
        sentence = _count_reached(own, "claim", recorded.all(Judgement))
        found.append({"arm": arm, "sentence": sentence, **counts, "depends": [each.claim for each in apart]})
    return found


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


def _count_reached(judged: Sequence[Judgement], noun: str, everything: Sequence[Judgement]) -> str:
    reached, apart = _divide(judged, everything)
    verb = "is" if len(reached) == 1 else "are"
    share = f"{len(reached)} of {format_number_of(len(judged), noun)}"
    said = f"{share} {verb} reached on this machine{_count_kept(reached)}{_count_missing(judged)}"
    return f"{said}{_count_apart(apart)}"


def _count_apart(apart: Sequence[Judgement]) -> str:
    """Count and name the claims that hold against one reference and not against another."""
    if not apart:
        return ""
    names = ", ".join(dict.fromkeys(each.claim for each in apart))
    return f"; {len(apart)} {DEPENDS if len(apart) == 1 else DEPENDS.replace('depends', 'depend')} ({names})"


def _count_outputs(reached: Sequence[Judgement]) -> tuple[int, int]:
    """Count the outputs that are the same, and those that are as declared."""
    same = sum(map(is_same, reached))
    return same, sum(map(keeps_output, reached)) - same


def _count_kept(reached: Sequence[Judgement]) -> str:
    """Count the outputs that are kept, those that are the same apart from those that are as declared."""
    same, declared = _count_outputs(reached)
    kept = same + declared
    if not reached:
        return ""
    if not kept:
        return "; the output is not kept" if len(reached) == 1 else "; none of them keeps the output"
    how = "the same" if same == kept else "as declared" if not same else f"{same} the same, {declared} as declared"
    if len(reached) == 1:
        return f"; the output is kept ({how})"
    return f"; {kept} of them keep{'s' if kept == 1 else ''} the output ({how})"


def _count_missing(judged: Sequence[Judgement]) -> str:
    words: tuple[Word, ...] = ("untested", "failed")
    counts = {word: sum(each.verdict == word for each in judged) for word in words}
    named = " and ".join(f"{count} {word_for(word)}" for word, count in counts.items() if count)
    return f"; {named}" if named else ""


def _answer_open_questions(judged: Sequence[Judgement]) -> str:
    """Say what was found where nothing was claimed: one comparison's sentence, or how often each word was given."""
    if len(judged) == 1:
        return judged[0].sentence
    words = Counter(each.verdict for each in judged)
    return f"of {len(judged)} candidates " + ", ".join(
        f"{count} {word_for(word)}" for word, count in words.most_common()
    )
