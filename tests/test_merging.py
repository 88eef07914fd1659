"""Are runs of different subjects merged into one, judged as one run would be, and kinds of machines kept apart?"""

import dataclasses
import json

import msgspec
import pytest
from click.testing import CliRunner

from argo_bench.cli.main import cli
from argo_bench.errors import UserError
from argo_bench.harness.merging import find_missing_shards, merge_runs
from argo_bench.harness.plan import QUICK
from argo_bench.harness.record.records import (
    Counts,
    Declaration,
    End,
    Fidelity,
    Judgement,
    LeftOut,
    Memory,
    Part,
    Plan,
    Result,
    Run,
    Samples,
)
from argo_bench.harness.record.store import Writer, load, subject_of
from argo_bench.harness.record.verify import verify
from argo_bench.harness.shards import ShardNumber
from argo_bench.optimizations import lookup
from argo_bench.report.kinds import describe_kinds, describe_table
from argo_bench.report.remarks import list_remarks
from argo_bench.study.job import job_again, job_of, take_shard
from tests import stored
from tests.studies import run_study

replace = msgspec.structs.replace
SUBJECTS = ("S1", "S2")
OTHER = stored.FACTS | {"processor": "another processor"}


def lines_of_shard(number, facts=stored.FACTS, **changes):
    """What a run of one subject alone writes."""
    own = SUBJECTS[number - 1]
    lines = [each for each in stored.run_lines() if subject_of(each) in (None, own)]
    claims = {claim.id for each in lines if isinstance(each, Declaration) for claim in each.claims}
    taken = [each.replicate for each in lines if isinstance(each, Samples)]
    changed = []
    for each in lines:
        if isinstance(each, Run):
            asked = replace(each.asked, shard=f"{number}/2")
            each = replace(each, optimizations=[own], environment=facts, asked=asked, **changes)
        if isinstance(each, Plan):
            kept = [one for one in each.comparisons if one.optimization == own]
            each = replace(each, comparisons=kept, claims=[one for one in each.claims if one in claims])
        if isinstance(each, End):
            each = replace(each, replicates=1 + max(taken))
        changed.append(each)
    return changed


def store_shard(folder, number, facts=stored.FACTS, **changes):
    stored.store(folder, stored.sealed(lines_of_shard(number, facts, **changes)))
    return folder


@pytest.fixture
def shards(tmp_path):
    return [store_shard(tmp_path / f"shard-{number}", number) for number in (1, 2)]


def encoded(recorded, kind):
    return sorted(map(msgspec.json.encode, recorded.all(kind)))


def test_every_shard_verifies_by_itself(shards):
    assert [verify(load(each)) for each in shards] == [[], []]


@pytest.mark.parametrize("order", [1, -1])
def test_the_verdicts_of_merged_shards_are_byte_for_byte_those_of_one_run(shards, tmp_path, order):
    [merged] = merge_runs(shards[::order], tmp_path / "merged").values()
    whole = stored.store(tmp_path / "whole", stored.sealed(stored.run_lines()))
    assert verify(merged) == []
    assert merged.all(Judgement) == whole.all(Judgement)
    for kind in (Judgement, Result, Samples, Fidelity, Counts, Memory, LeftOut):
        assert encoded(merged, kind) == encoded(whole, kind)
    assert [each.subjects for each in merged.all(Part)] == [["S1"], ["S2"]]


def test_a_merged_record_says_what_it_was_merged_from(shards, tmp_path):
    [merged] = merge_runs(shards, tmp_path / "merged").values()
    assert "Merged from 2 runs, each on a machine of this kind: a processor, 2 processors." in list_remarks(merged)


def test_a_shard_that_ended_earlier_than_another_is_complete_in_the_merged_record(shards, tmp_path):
    ends = [load(each).records[-1].replicates for each in shards]
    [merged] = merge_runs(shards, tmp_path / "merged").values()
    assert merged.records[-1].replicates == max(ends)
    assert verify(merged) == []


def test_a_shard_that_was_interrupted_is_merged_with_what_it_measured(tmp_path):
    first, lines = store_shard(tmp_path / "1", 1), lines_of_shard(2)
    stored.store(tmp_path / "2", stored.sealed([*lines[:-1], replace(lines[-1], interrupted=True)]))
    [merged] = merge_runs([first, tmp_path / "2"], tmp_path / "merged").values()
    assert verify(merged) == []
    assert [each.end.interrupted for each in merged.all(Part)] == [False, True]
    assert merged.records[-1].interrupted


def test_a_shard_that_does_not_verify_is_refused_and_nothing_is_written(tmp_path):
    first, lines = store_shard(tmp_path / "1", 1), lines_of_shard(2)
    cut = [each for each in lines if not (isinstance(each, Samples) and each.replicate == 3)]
    stored.store(tmp_path / "2", stored.sealed(cut))
    with pytest.raises(UserError, match="does not verify"):
        merge_runs([first, tmp_path / "2"], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_another_kind_of_processor_is_kept_apart(tmp_path):
    folders = [store_shard(tmp_path / "a", 1), store_shard(tmp_path / "b", 1, OTHER)]
    kinds = merge_runs(folders, tmp_path / "merged")
    assert list(kinds) == ["a processor, 2 processors", "another processor, 2 processors"]
    assert [each.directory.name for each in kinds.values()] == ["kind-1", "kind-2"]
    assert [verify(each) for each in kinds.values()] == [[], []]
    assert all(len(each.all(Part)) == 1 for each in kinds.values())


def test_a_table_says_on_how_many_kinds_a_claim_holds(tmp_path):
    folders = [store_shard(tmp_path / "a", 1), store_shard(tmp_path / "b", 1, OTHER)]
    [first, *_] = describe_table(merge_runs(folders, tmp_path / "merged"))
    assert first["claim"] == "S1.time"
    assert first["holds"] == "holds on 2 of 2 kinds"
    assert set(first["verdicts"]) == {"a processor, 2 processors", "another processor, 2 processors"}


def test_kinds_on_which_a_claim_does_not_hold_are_named():
    [holds, *_] = [each for each in stored.run_lines() if isinstance(each, Judgement) and each.headline]
    found = {
        "A": replace(holds, verdict="confirmed"),
        "B": replace(holds, verdict="fell short"),
        "C": replace(holds, verdict="inconclusive"),
        "D": None,
    }
    assert describe_kinds(found) == "holds on 1 of 2 kinds; on B: fell short; open on C"
    assert describe_kinds({"C": found["C"]}) == "is decided on no kind; open on C"


# What does not belong together


REFUSED = {
    "another seed": ({"seed": 4}, "does not verify|seed is 3 in one and 4 in the other"),
    "other data": ({"bars": "another digest"}, "bars is  in one and another digest in the other"),
    "another version": (
        {"environment": stored.FACTS | {"versions": {"argo-bench": "1"}}},
        "versions of argo-bench are 0 and 1",
    ),
    "another commit": (
        {"environment": stored.FACTS | {"source": "abc"}},
        "source is None in one and abc in the other",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_runs_that_do_not_belong_together_are_refused_with_the_difference(name, tmp_path):
    changes, said = REFUSED[name]
    facts = changes.pop("environment", stored.FACTS) if "environment" in changes else stored.FACTS
    folders = [store_shard(tmp_path / "a", 1), store_shard(tmp_path / "b", 2, facts, **changes)]
    with pytest.raises(UserError, match=said):
        merge_runs(folders, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_subject_that_was_measured_twice_on_one_kind_is_refused(tmp_path):
    folders = [store_shard(tmp_path / "a", 1), store_shard(tmp_path / "b", 1)]
    with pytest.raises(UserError, match=r"S1 is in .*a and in .*b, both on a processor"):
        merge_runs(folders, tmp_path / "merged")


def test_a_merged_record_is_neither_merged_nor_resumed(shards, tmp_path):
    [merged] = merge_runs(shards, tmp_path / "merged").values()
    with pytest.raises(UserError, match="is merged already"):
        merge_runs([merged.directory], tmp_path / "again")
    with pytest.raises(UserError, match="was merged: resume the run that lacks something"):
        job_again(merged)


def test_a_shard_that_is_not_there_is_named(shards):
    kind = "a processor, 2 processors"
    assert find_missing_shards([load(each) for each in shards]) == {kind: []}
    assert find_missing_shards([load(shards[0])]) == {kind: [ShardNumber(2, 2)]}


def test_a_shard_that_another_kind_has_is_missing_on_this_one(shards, tmp_path):
    other = store_shard(tmp_path / "other", 2, OTHER)
    found = find_missing_shards([load(shards[0]), load(other)])
    assert found == {
        "a processor, 2 processors": [ShardNumber(2, 2)],
        "another processor, 2 processors": [ShardNumber(1, 2)],
    }


def merged_lines(shards, tmp_path):
    [merged] = merge_runs(shards, tmp_path / "merged").values()
    return list(merged.records)


FORGED = {
    "a part left out": (
        lambda lines: [each for each in lines if not (isinstance(each, Part) and each.subjects == ["S2"])],
        "S2 is of no part",
    ),
    "a part twice": (
        lambda lines: [one for each in lines for one in ((each, each) if isinstance(each, Part) else (each,))],
        "is of the part in line",
    ),
    "a part of another kind": (
        lambda lines: [replace(each, environment=OTHER) if isinstance(each, Part) else each for each in lines],
        "measured on another processor",
    ),
    "a replicate left out": (
        lambda lines: [each for each in lines if not (isinstance(each, Samples) and each.replicate == 3)],
        "none in replicate 3, but in later ones",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_merged_record_that_was_forged_does_not_verify(name, shards, tmp_path):
    forge, said = FORGED[name]
    lines = stored.sealed(forge(merged_lines(shards, tmp_path)))
    found = verify(stored.store(tmp_path / "forged", lines))
    assert any(said in each.what for each in found)


# Shards of what is measured


def test_all_shards_together_have_everything_once():
    everything = lookup([])
    assert len(everything) > 10
    for of in (1, 2, 5, 17):
        found = [each.id for number in range(1, of + 1) for each in take_shard(everything, [], f"{number}/{of}")[0]]
        assert sorted(found) == sorted(each.id for each in everything)


def test_a_shard_without_anything_and_no_shard_are_one_sentence_each():
    with pytest.raises(UserError, match="shard 18/18 has nothing: there are 1 to be measured"):
        take_shard(lookup(["O06"]), [], "18/18")
    with pytest.raises(UserError, match="expected a shard such as 2/8"):
        take_shard(lookup(["O06"]), [], "3/2")


def test_a_run_of_a_shard_says_so_and_has_its_part():
    [asked] = [each.asked for each in stored.run_lines() if isinstance(each, Run)]
    job = job_of(replace(asked, ids=["O06", "O08"], profile="quick", shard="2/2"))
    assert [each.id for each in job.subjects] == ["O08"]
    assert job.supply.header()["optimizations"] == ["O08"]


@pytest.mark.slow
def test_two_shards_that_were_measured_become_one_run_that_verifies(tmp_path, small_universe):
    light = dataclasses.replace(QUICK, looks=(1,), headline_s=0.02, checked_cycles=2, seeds=1, memory=())
    asked = next(each.asked for each in stored.run_lines() if isinstance(each, Run))
    for number, subject in enumerate(("O11", "O15"), 1):
        writer = Writer(tmp_path / subject)
        own = replace(asked, ids=["O11", "O15"], profile="quick", seed=1, shard=f"{number}/2")
        run_study(lookup([subject]), small_universe, light, 1, writer, subject, asked=own)
        writer.close()
    [merged] = merge_runs([tmp_path / "O11", tmp_path / "O15"], tmp_path / "merged").values()
    assert verify(merged) == []
    assert {each.optimization for each in merged.all(Judgement)} == {"O11", "O15"}
    assert len(merged.all(Part)) == 2


# The command


def test_the_command_merges_and_says_which_shard_is_missing(shards, tmp_path):
    found = CliRunner().invoke(cli, ["merge", str(shards[0]), "--out", str(tmp_path / "merged"), "--json"])
    assert found.exit_code == 0, found.output
    assert "shard 2 of 2 is missing on a processor, 2 processors" in found.stderr
    assert json.loads(found.stdout)


def test_the_command_lays_kinds_side_by_side_within_80_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    folders = [store_shard(tmp_path / "a", 1), store_shard(tmp_path / "b", 1, OTHER)]
    found = CliRunner().invoke(cli, ["merge", *map(str, folders), "--out", str(tmp_path / "merged")])
    assert found.exit_code == 0, found.output
    assert "Kinds of machine" in found.stdout
    assert max(map(len, found.stdout.splitlines())) <= 80
