"""Says what the simple way does on every claim, beside the variants that the claim is judged on.

The simple way is an arm that an engineer would write first. No claim was made of it, so it has no verdict of its own;
its figures are taken as those of a variant are.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from argo_bench.harness.judging.judgements import judge_all
from argo_bench.harness.judging.measurements import Measured
from argo_bench.harness.judging.outputs import KEPT, describe_output
from argo_bench.harness.record.records import (
    Counts,
    Fidelity,
    Judgement,
    Memory,
    Result,
    Samples,
    rule_of,
)
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding

SIMPLE = "simple"
"""The arm of this name is the simple way."""


def find_simple(recorded: Recorded) -> Mapping[str, Judgement]:
    """Return what was seen of the simple way, by the id of the claim; subjects without that arm have nothing here.

    The figure is made as a variant's is, and the verdict is what a variant with this figure would have got. It has a
    figure even where its output differs, which ``output`` and ``damage`` say.
    """
    subjects = _list_subjects(recorded)
    if not subjects:
        return {}
    own = [each for each in recorded.declarations if each.id in subjects]
    declared = [msgspec.structs.replace(each, variants=[SIMPLE]) for each in own]
    judged = {each.claim for each in recorded.all(Judgement)}
    of_kind = recorded.all
    measured = Measured(of_kind(Result), of_kind(Samples), of_kind(Memory), of_kind(Counts), rule_of(recorded.run))
    outputs = {each.id: describe_output(of_kind(Fidelity), each.id, SIMPLE) for each in declared}
    found = judge_all(declared, measured, (), ())
    return {
        each.claim: msgspec.structs.replace(
            each, output=outputs[each.optimization].text, damage=dict(outputs[each.optimization].damage)
        )
        for each in found
        if each.claim in judged
    }


def _list_subjects(recorded: Recorded) -> set[str]:
    """Return the subjects of which the record has anything of the simple way."""
    found = {each.optimization for each in recorded.all(Fidelity) if each.arm == SIMPLE}
    found |= {each.optimization for each in recorded.all(Counts) if each.arm == SIMPLE}
    return found | {
        each.comparison.optimization for each in recorded.all(Result) if each.comparison.candidate == SIMPLE
    }


def describe_simple(seen: Judgement | None) -> str:
    """Say in a line what the simple way does, and whether it changes the output; empty where there is no such arm."""
    if seen is None:
        return ""
    return finding.describe_measured(seen) + describe_change(seen)


def describe_change(seen: Judgement) -> str:
    """Say briefly, for the end of a line, that an output differs or was not checked; empty where it is kept."""
    word = seen.output.split(":")[0].split(";")[0]
    if word == "differs":
        return ", output differs"
    return "" if word.split(" (")[0] in KEPT else ", output not checked"
