"""Is a record refused that was edited with right digests, in one place, while its other lines were left as they were?

The edits are made by someone who knows the format: every line keeps a right digest. What only the seal tells, since no
other line follows from it, stands in a list of its own.
"""

import pytest

from argo_bench.comparison import compare
from argo_bench.errors import UserError
from argo_bench.gate.records import Agreed, Exact, Gated, Revisions
from argo_bench.gate.verify import find_disagreements
from argo_bench.harness.record.records import (
    SCHEMA,
    Caching,
    Cold,
    Counts,
    Declaration,
    End,
    Failure,
    Fidelity,
    Judgement,
    LeftOut,
    Memory,
    Observed,
    Plan,
    Result,
    Run,
    Samples,
)
from argo_bench.harness.record.store import load
from argo_bench.harness.record.verify import verify
from argo_bench.harness.statistics.looks import LOOKS
from tests.stored import gate_lines, replace, run_lines, sealed, store

SEAL = "its seal is not that"
LAST = run_lines()[-1].replicates - 1
"""The run's last replicate, which some comparisons have."""


def of_kind(lines, kind, wanted=lambda each: True):
    return [number for number, each in enumerate(lines) if isinstance(each, kind) and wanted(each)]


def edit(kind, change, wanted=lambda each: True, *, every=False):
    """A forgery that changes the first line of a kind, or all of them."""

    def forge(lines):
        chosen = of_kind(lines, kind, wanted)
        for number in chosen if every else chosen[:1]:
            lines[number] = change(lines[number])
        return lines

    return forge


def drop(kind, wanted=lambda each: True, *, every=False):
    def forge(lines):
        chosen = of_kind(lines, kind, wanted)
        gone = set(chosen if every else chosen[:1])
        return [each for number, each in enumerate(lines) if number not in gone]

    return forge


def double(kind):
    def forge(lines):
        at = of_kind(lines, kind)[0]
        return [*lines[: at + 1], lines[at], *lines[at + 1 :]]

    return forge


def change(**fields):
    return lambda each: replace(each, **fields)


def change_blocks(forge):
    return lambda each: replace(each, blocks=[forge(block) for block in each.blocks])


def scale_block(block, share):
    wall, cpu = (tuple(round(share * each) for each in times) for times in (block.wall_ns, block.cpu_ns))
    return replace(block, wall_ns=wall, cpu_ns=cpu)


def turn_round(block):
    return replace(block, order="BAAB" if block.order == "ABBA" else "ABBA")


def renumber(lines):
    """Take replicate 2 of the first comparison out and give its number to the last one."""
    own = of_kind(lines, Samples, lambda each: each.comparison == lines[of_kind(lines, Samples)[0]].comparison)
    lines[own[-1]] = replace(lines[own[-1]], replicate=2, seed=lines[own[2]].seed)
    del lines[own[2]]
    return lines


def swap_comparisons(lines):
    """Have two comparisons of one replicate change their samples."""
    first = of_kind(lines, Samples, lambda each: each.comparison.candidate == "prescribed")[0]
    other = of_kind(lines, Samples, lambda each: each.comparison.candidate == "engineered")[0]
    lines[first], lines[other] = (
        replace(lines[first], comparison=lines[other].comparison),
        replace(lines[other], comparison=lines[first].comparison),
    )
    return lines


def end_earlier(lines):
    """Leave out the replicates after the first look, and say so in the end."""
    kept = [each for each in lines if not isinstance(each, Samples) or each.replicate < LOOKS[0]]
    return [*kept[:-1], replace(kept[-1], replicates=LOOKS[0], budget_s=1e6)]


def thin_out(plan):
    return replace(plan, families={name: ids[:1] for name, ids in plan.families.items()})


def move_claim(declaration):
    first, *others = declaration.claims
    return replace(declaration, claims=[replace(first, low=0.1), *others])


def other_word(judgement):
    return replace(judgement, verdict="refuted" if judgement.verdict != "refuted" else "confirmed")


def heavier(memory):
    return replace(memory, readings=[replace(each, peak_bytes=3 * each.peak_bytes) for each in memory.readings])


FORGERIES = {
    "a replicate left out of one comparison": drop(Samples, lambda each: each.replicate == 3),
    "a comparison's last replicate left out": drop(Samples, lambda each: each.replicate == LAST),
    "the last replicate left out of all": drop(Samples, lambda each: each.replicate == LAST, every=True),
    "all samples of a comparison left out": drop(
        Samples, lambda each: each.comparison.candidate == "joblib", every=True
    ),
    "a replicate twice": double(Samples),
    "a replicate under another's number": renumber,
    "two comparisons' samples exchanged": swap_comparisons,
    "a comparison that was not planned": edit(
        Samples, lambda each: replace(each, comparison=replace(each.comparison, scale=7))
    ),
    "all blocks turned round": edit(Samples, change_blocks(turn_round)),
    "one block turned round": edit(
        Samples, lambda each: replace(each, blocks=[turn_round(each.blocks[0]), *each.blocks[1:]])
    ),
    "two blocks exchanged": edit(
        Samples,
        lambda each: replace(each, blocks=[*each.blocks[1:], each.blocks[0]]),
        lambda each: len({block.order for block in each.blocks}) > 1 and each.blocks[0].order != each.blocks[1].order,
    ),
    "a block left out": edit(Samples, lambda each: replace(each, blocks=each.blocks[1:])),
    "the run ended at an earlier look": end_earlier,
    "a candidate's samples halved": edit(
        Samples,
        change_blocks(
            lambda block: replace(
                block,
                cpu_ns=tuple(
                    each // 2 if arm == "B" else each for arm, each in zip(block.order, block.cpu_ns, strict=True)
                ),
            )
        ),
    ),
    "all samples of a replicate scaled": edit(Samples, change_blocks(lambda block: scale_block(block, 2))),
    "the calls of a sample": edit(Samples, change(candidate_calls=20)),
    "samples with more CPU time than there are processors": edit(
        Samples, change_blocks(lambda block: replace(block, wall_ns=(1, 1, 1, 1), cpu_ns=(10**9,) * 4))
    ),
    "a block invalid without a cause": edit(
        Samples, lambda each: replace(each, blocks=[replace(each.blocks[0], invalid="slow"), *each.blocks[1:]])
    ),
    "a block invalid for a cause": edit(
        Samples,
        lambda each: replace(
            each, blocks=[replace(each.blocks[0], invalid="the machine slept for 9.0 s"), *each.blocks[1:]]
        ),
    ),
    "a replicate's seed": edit(Samples, lambda each: replace(each, seed=each.seed + 1)),
    "the seconds of a replicate": edit(Samples, change(seconds=99.0)),
    "a first call in the replicates": edit(Samples, change(candidate_first_call_ns=1), every=True),
    "a first call left out": drop(Cold),
    "a first call twice": double(Cold),
    "a comparison of outputs left out": drop(Fidelity),
    "a comparison on markets left out": drop(Fidelity, lambda each: each.scope == "markets"),
    "a difference of outputs taken away": edit(
        Fidelity, lambda each: replace(each, counts={}, output="same", faithful=True, unseen=["trades"])
    ),
    "a difference of outputs added": edit(Fidelity, change(counts={"flips": 3})),
    "counts under one seed left out": drop(Counts),
    "all counts of an arm left out": drop(Counts, lambda each: each.arm == "engineered", every=True),
    "a count twice": double(Counts),
    "a count": edit(Counts, change(counts={"requests": 20.0}), lambda each: each.arm == "engineered"),
    "a hit rate": edit(Counts, change(counts={"requests": 100.0, "hit_rate": 0.9}), every=True),
    "a count under another seed": edit(Counts, lambda each: replace(each, seed=each.seed + 77)),
    "the memory of an arm left out": drop(Memory),
    "the memory of an arm twice": double(Memory),
    "a reading of memory": edit(Memory, heavier),
    "a reading left out": edit(Memory, lambda each: replace(each, readings=each.readings[1:])),
    "a result left out": drop(Result),
    "a result twice": double(Result),
    "an estimate": edit(Result, lambda each: replace(each, cpu=replace(each.cpu, theta=each.cpu.theta - 0.1))),
    "a result's flag": edit(Result, change(flags=["drift: the ratio moves during a replicate"])),
    "a break-even rate left out": drop(Caching),
    "a break-even rate": edit(Caching, change(break_even=0.01)),
    "a verdict left out": drop(Judgement),
    "a verdict twice": double(Judgement),
    "a verdict's word": edit(Judgement, other_word),
    "a verdict's interval": edit(Judgement, change(interval=(2.0, 3.0))),
    "a verdict's level": edit(Judgement, change(level=0.95)),
    "a verdict's output": edit(Judgement, change(output="as declared (nothing)")),
    "a verdict's sentence": edit(Judgement, change(sentence="it is ten times as fast")),
    "a verdict's flags": edit(Judgement, lambda each: replace(each, flags=[*each.flags, "modelled"])),
    "a failure in place of what was measured": lambda lines: [
        *lines[:-1],
        Failure("S2", "engineered", "untested", "it is not installed"),
        lines[-1],
    ],
    "a claim's lower edge": edit(Declaration, move_claim),
    "a claim left out": edit(Declaration, lambda each: replace(each, claims=each.claims[1:])),
    "a subject left out": drop(Declaration),
    "a variant left out": edit(Declaration, lambda each: replace(each, variants=each.variants[:1])),
    "what a variant may change": edit(Fidelity, change(output="as declared (anything)")),
    "a family thinned out": edit(Plan, thin_out),
    "the levels": edit(Plan, lambda each: replace(each, levels=dict.fromkeys(each.levels, 0.9))),
    "the level of other intervals": edit(Plan, change(level=0.9)),
    "the error of a family": edit(Plan, change(error=0.1)),
    "the seeds of counts": edit(Plan, lambda each: replace(each, seeds=each.seeds[:2])),
    "a claim that is not judged": edit(Plan, lambda each: replace(each, claims=each.claims[1:])),
    "a comparison that was not to be timed": edit(Plan, lambda each: replace(each, comparisons=each.comparisons[1:])),
    "the plan's looks": edit(Plan, change(looks=[6])),
    "the plan twice": double(Plan),
    "the plan's order": edit(Plan, change(order=["further arms"])),
    "no order of the plan": edit(Plan, change(order=[])),
    "what was left out, not named": drop(LeftOut),
    "what was left out, twice": double(LeftOut),
    "a headline comparison left out": edit(
        LeftOut, lambda each: replace(each, comparison=replace(each.comparison, candidate="engineered"))
    ),
    "what was left out, after more replicates": edit(LeftOut, change(replicates=3)),
    "something left out that was not planned": edit(
        LeftOut, lambda each: replace(each, comparison=replace(each.comparison, scale=7))
    ),
    "the header's looks": edit(Run, change(looks=[6])),
    "the header's seed": edit(Run, change(seed=4)),
    "the header's profile": edit(Run, change(profile="quick")),
    "an optimization that was not asked for": edit(Run, change(optimizations=["S1", "S2", "S3"])),
    "the header twice": double(Run),
    "the replicates of the end": edit(End, lambda each: replace(each, replicates=each.replicates + 1)),
    "the budget of the end": edit(End, change(longest_s=1e6)),
    "the end left out": drop(End),
    "the end twice": double(End),
}
BY_THE_SEAL_ALONE = {
    "an observation": edit(Observed, change(values={"rows": 0.0})),
    "an observation left out": drop(Observed),
    "the time of a first call": edit(Cold, change(first_call_ns=1)),
    "the processor": edit(Run, lambda each: replace(each, environment=each.environment | {"processor": "another"})),
    "the command": edit(Run, change(command="argo-bench run --seed 5")),
    "what was compared": edit(Fidelity, lambda each: replace(each, compared=1000, saw={"results": 1000})),
    "what deferred work took, within the median": edit(Samples, change(candidate_drain_ns=300.0)),
}
NOT_BEFORE_SCHEMA_4 = {
    *("one block turned round", "the plan's looks", "the budget of the end", "the run ended at an earlier look"),
    "two blocks exchanged",
    *("the plan's order", "no order of the plan", "what was left out, not named", "what was left out, twice"),
    *("a headline comparison left out", "what was left out, after more replicates"),
    "something left out that was not planned",
}
"""Records of schema 3 have no line that tells these."""


def forged(directory, lines, forgery):
    """What a verification says of a forged record, beside that its seal is wrong."""
    edited = forgery(list(lines))
    assert edited != lines
    return verify(store(directory, edited))


def beside_the_seal(found):
    return [each for each in found if SEAL not in each.what]


def test_the_record_verifies_as_it_was_written(tmp_path):
    assert verify(store(tmp_path, sealed(run_lines()))) == []


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_named_by_what_other_lines_say(name, tmp_path):
    try:
        found = forged(tmp_path, sealed(run_lines()), FORGERIES[name])
    except UserError as error:
        assert "expected one" in str(error)
        return
    assert beside_the_seal(found)


@pytest.mark.parametrize("name", BY_THE_SEAL_ALONE)
def test_a_forgery_that_no_other_line_tells_breaks_the_seal(name, tmp_path):
    found = forged(tmp_path, sealed(run_lines()), BY_THE_SEAL_ALONE[name])
    assert [SEAL in each.what for each in found] == [True]


def test_a_record_of_schema_3_verifies_without_a_seal(tmp_path):
    assert verify(store(tmp_path, run_lines(schema=3))) == []


@pytest.mark.parametrize("name", sorted(FORGERIES.keys() - NOT_BEFORE_SCHEMA_4))
def test_a_forgery_of_an_older_record_is_named_where_its_lines_can_tell(name, tmp_path):
    try:
        assert forged(tmp_path, run_lines(schema=3), FORGERIES[name])
    except UserError as error:
        assert "expected one" in str(error)


def test_a_record_of_this_version_cannot_be_passed_off_as_an_older_one(tmp_path):
    assert SEAL in str(forged(tmp_path, sealed(run_lines()), edit(Run, change(schema=3)))[-1])


# Where a comparison and a run end


def test_a_run_whose_budget_is_used_up_may_end_between_two_looks(tmp_path):
    assert verify(store(tmp_path, sealed(run_lines(8)))) == []


def test_a_run_that_had_time_left_may_not_end_between_two_looks(tmp_path):
    found = forged(tmp_path, run_lines(8), edit(End, change(budget_s=1e6)))
    assert "was to go on" in beside_the_seal(found)[-1].what


def test_an_interrupted_run_may_lack_samples_of_its_last_replicate(tmp_path):
    lines = list(run_lines(7))
    last = of_kind(lines, Samples, lambda each: each.replicate == 6)
    del lines[last[-1]]
    judged = relabel(lines, interrupted=True)
    assert not [each for each in verify(store(tmp_path, sealed(judged))) if each.what.startswith("samples of")]
    whole = relabel(lines, interrupted=False, budget_s=1e6)
    assert any("6 of 7 replicates" in each.what for each in verify(store(tmp_path / "whole", sealed(whole))))


def relabel(lines, **end):
    return [*lines[:-1], replace(lines[-1], **end)]


def test_a_comparison_that_was_decided_may_not_go_on(tmp_path):
    lines = sealed(run_lines())
    at = of_kind(lines, Samples)
    decided = next(
        number for number in at if [lines[each].comparison for each in at].count(lines[number].comparison) == 6
    )
    longer = replace(lines[decided], replicate=6, seed=lines[decided].seed + 6)
    found = verify(store(tmp_path, [*lines[: at[-1] + 1], longer, *lines[at[-1] + 1 :]]))
    assert any("though it was to end at the look at 6" in each.what for each in found)


def test_a_comparison_that_was_open_may_not_end_at_a_look(tmp_path):
    lines = sealed(run_lines())
    late = next(each.comparison for each in lines if isinstance(each, Samples) and each.replicate == LAST)
    found = forged(
        tmp_path, lines, drop(Samples, lambda each: each.comparison == late and each.replicate >= 6, every=True)
    )
    assert any("at the look at 6 it was not to end" in each.what for each in found)


# A record that a real run has written


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The comparison of two functions with a claim about memory."""
    directory = tmp_path_factory.mktemp("measured")
    names = (f"tests.user_functions:{each}" for each in ("all_at_once", "one_by_one"))
    compare(*names, metric="peak_rss", claim="30-50% reduction", quick=True, budget_s=60.0, out=directory)
    return list(load(directory).records)


OF_TWO_FUNCTIONS = (
    *("a replicate left out of one comparison", "a replicate twice", "a replicate's seed", "all blocks turned round"),
    *("the calls of a sample", "a first call left out", "a first call twice", "a comparison of outputs left out"),
    *("the memory of an arm left out", "the memory of an arm twice", "a reading of memory", "a result left out"),
    *("a result twice", "a verdict left out", "a verdict twice", "a verdict's word", "a verdict's output"),
    *("a claim's lower edge", "the levels", "the error of a family"),
    *("the header's seed", "the replicates of the end", "the end left out", "the end twice"),
)


def test_a_comparison_of_two_functions_verifies_as_it_was_written(measured, tmp_path):
    assert measured[0].schema == SCHEMA
    assert verify(store(tmp_path, measured)) == []


@pytest.mark.parametrize("name", OF_TWO_FUNCTIONS)
def test_a_forgery_of_a_comparison_of_two_functions_is_named(name, measured, tmp_path):
    assert beside_the_seal(forged(tmp_path, measured, FORGERIES[name]))


# The record of a gate

GATE_FORGERIES = {
    "a replicate left out": drop(Samples, lambda each: each.replicate == 3),
    "a replicate left out of head and control": drop(
        Samples, lambda each: each.replicate == 3 and each.comparison.optimization == "parse", every=True
    ),
    "a replicate twice": double(Samples),
    "all blocks turned round": edit(Samples, change_blocks(turn_round)),
    "a replicate's seed": edit(Samples, lambda each: replace(each, seed=each.seed + 1)),
    "samples of another benchmark": edit(
        Samples, lambda each: replace(each, comparison=replace(each.comparison, optimization="another"))
    ),
    "the base's samples": edit(Samples, change_blocks(lambda block: scale_block(block, 1.1))),
    "the second batch left out": drop(Samples, lambda each: each.comparison.workload == "confirmation", every=True),
    "a batch of what was not slower": lambda lines: [
        *lines[:-1],
        *(
            replace(each, comparison=replace(each.comparison, workload="confirmation"), replicate=each.replicate + 1000)
            for each in lines
            if isinstance(each, Samples) and each.comparison.optimization == "render"
        ),
        lines[-1],
    ],
    "the last replicate of the first look left out": drop(
        Samples, lambda each: each.replicate == LOOKS[0] - 1, every=True
    ),
    "a comparison of outputs left out": drop(Agreed),
    "a comparison of outputs twice": double(Agreed),
    "a difference of outputs": edit(Agreed, change(difference="1 against 2")),
    "counts left out": drop(Exact),
    "counts twice": double(Exact),
    "a count": edit(Exact, change(head={"bytes": 2000.0, "instructions": 1e6})),
    "an outcome left out": drop(Gated),
    "an outcome twice": double(Gated),
    "an outcome's word": edit(Gated, change(state="fine")),
    "an outcome that blocks nothing": edit(Gated, lambda each: replace(each, blocks=not each.blocks)),
    "a tolerance": edit(Revisions, lambda each: replace(each, tolerances=dict.fromkeys(each.tolerances, 0.2))),
    "a benchmark": edit(Revisions, lambda each: replace(each, files={"parse": "parse.py"})),
    "the revisions left out": drop(Revisions),
    "the revisions twice": double(Revisions),
    "the seed": edit(Run, change(seed=4)),
    "the looks": edit(Run, change(looks=[8, 16])),
    "the replicates of the end": edit(End, change(replicates=40)),
    "the end left out": drop(End),
}


def test_the_record_of_a_gate_verifies_as_it_was_written(tmp_path):
    assert find_disagreements(store(tmp_path, sealed(gate_lines()))) == []


@pytest.mark.parametrize("name", GATE_FORGERIES)
def test_a_forgery_of_the_record_of_a_gate_is_named(name, tmp_path):
    edited = GATE_FORGERIES[name](list(sealed(gate_lines())))
    assert beside_the_seal(find_disagreements(store(tmp_path, edited)))
