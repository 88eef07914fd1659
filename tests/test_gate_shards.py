"""Do merged shards decide as one gate with the same samples, name what is lost, and refuse what does not belong?"""

import msgspec
import pytest
from click.testing import CliRunner

from argo_bench.cli.main import cli
from argo_bench.errors import UserError
from argo_bench.gate.answers import AGAIN, CONFIRMATION, FIRST, HEAD, comparison_of, gate_of, make_lines, times_of
from argo_bench.gate.benchmarks import Benchmark
from argo_bench.gate.records import Agreed, Exact, Gated, Revisions, Shard
from argo_bench.gate.shards import add_others, merge_lines, merge_shards, read_shard, select_own
from argo_bench.gate.table import list_notes, table_of
from argo_bench.gate.timing import CONFIRMATION_FROM
from argo_bench.gate.verify import find_disagreements
from argo_bench.harness.plan import replicate_seed
from argo_bench.harness.record.records import RULE, SCHEMA, End, Failure, Run, Samples
from argo_bench.harness.record.store import Recorded, load
from argo_bench.harness.statistics.looks import LOOKS
from tests.stored import FACTS, SEED, sealed, store, take
from tests.test_gate_running import Toy

OF = 8
SLOWER = {"b03": 1.1, "b05": 1.04, "b11": 1.3, "b17": 1.03, "b22": 0.8, "b20": 1.035}
"""What a call of the head takes of the base's time; of all others it takes as much."""
NAMES = [f"b{number:02}" for number in (*range(12, 24), *range(12))]
GONE = "b07"
HEADER = Run(
    *(SCHEMA, "a gate", "2026-01-02T03:04:05", "argo-bench ci", "ci", "twins", SEED, list(LOOKS)),
    *({}, "", [], FACTS),
    rule=RULE,
)


def revisions_of(shard=None, **more):
    found = Revisions(
        *("b" * 40, "h" * 40, "own"),
        files={name: f"{name}.py" for name in NAMES},
        metrics=dict.fromkeys(NAMES, "cpu"),
        tolerances=dict.fromkeys(NAMES, 0.03),
        changed=[name for name in NAMES if shard is None or name in shard.select(NAMES)],
        accepted=[],
        count_rule="by kind",
        shards=[] if shard is None else [shard],
    )
    return msgspec.structs.replace(found, **more)


def timed(lines, revisions, batch, names):
    """Samples of benchmarks until they are decided, by what this gate or shard sees."""
    samples, left = [], list(names)
    for number in range(LOOKS[-1]):
        if number in LOOKS:
            times = times_of(Recorded(None, [HEADER, revisions, *lines, *samples]))
            left = [name for name in left if not times.is_decided(name, batch)]
        at = number + (CONFIRMATION_FROM if batch == CONFIRMATION else 0)
        for name in left:
            for candidate, of in ((HEAD, SLOWER.get(name, 1.0)), (AGAIN, 1.0)):
                comparison = comparison_of(name, batch, candidate)
                samples.append(take(comparison, at, replicate_seed(SEED, at), (of, 0.01), 0.3))
    return samples


def measured(shard=None, **more):
    """The lines of a gate, or of a shard of it, as they are written."""
    revisions = revisions_of(shard, **more)
    own = [name for name in NAMES if shard is None or name in shard.select(NAMES)]
    lines = [Failure(name, "base", "untested", "no such function") for name in own if name == GONE]
    whole = [name for name in own if name != GONE]
    lines += [Agreed(name, None, None) for name in whole]
    lines += [Exact(name, {"requests": 100.0}, {"requests": 100.0 + (name == "b08")}, [], {}) for name in whole]
    lines += timed(lines, revisions, FIRST, whole)
    slower = times_of(Recorded(None, [HEADER, revisions, *lines])).find_worse(FIRST)
    lines += timed(lines, revisions, CONFIRMATION, slower)
    replicates = 1 + max(each.replicate for each in lines if isinstance(each, Samples))
    gate = gate_of(Recorded(None, [HEADER, revisions, *lines]))
    return [HEADER, revisions, *lines, *make_lines(gate), End(300.0, False, replicates, 600.0)]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """The stored records of eight shards."""
    folder = tmp_path_factory.mktemp("shards")
    return [store(folder / str(k), sealed(measured(Shard(k, OF)))) for k in range(1, OF + 1)]


def folders(shards):
    return [each.directory for each in shards]


def said(lines):
    return [msgspec.json.encode(each) for each in lines]


def cut(whole, shard):
    """The record of a shard with the samples that a whole gate has of its benchmarks."""
    own = {*shard.select(NAMES)}

    def is_own(line):
        name = line.comparison.optimization if isinstance(line, Samples) else getattr(line, "benchmark", None)
        return (name or getattr(line, "optimization", None)) in own

    kept = [line for line in whole[2:] if is_own(line) and not isinstance(line, Gated)]
    return Recorded(None, [HEADER, revisions_of(shard), *kept, whole[-1]])


@pytest.mark.parametrize("of", [1, OF, 100])
def test_the_samples_of_one_gate_in_shards_give_equal_outcomes_byte_by_byte(of):
    whole = measured()
    parts = [cut(whole, Shard(number, of)) for number in range(1, of + 1)]
    merged = list(merge_lines(parts, "merged"))
    outcomes = [line for line in whole if isinstance(line, Gated)]
    assert said(make_lines(gate_of(Recorded(None, merged)))) == said(outcomes)
    assert {"worse", "fine", "better", "new", "more counted"} <= {each.state for each in outcomes}


def test_shards_and_what_they_are_merged_to_verify(shards, tmp_path):
    assert [find_disagreements(each) for each in shards] == [[]] * OF
    merged = merge_shards(folders(shards)[::-1], tmp_path / "merged")
    assert find_disagreements(merged) == []
    decided = {each.benchmark: each.state for each in merged.all(Gated)}
    assert decided["b03"] == decided["b11"] == "worse" and decided["b22"] == "better"
    assert len(decided) == len(NAMES)


def test_what_is_decided_in_a_shard_stays_decided_after_the_merge(shards, tmp_path):
    merged = {each.benchmark: each for each in merge_shards(folders(shards), tmp_path / "merged").all(Gated)}
    for shard in shards:
        own = shard.all(Revisions)[0].shards[0].select(NAMES)
        for each in shard.all(Gated):
            if each.benchmark in own and each.state in ("fine", "better", "new", "more counted"):
                assert merged[each.benchmark].state == each.state


def test_a_lost_shard_is_named_and_its_benchmarks_are_not_measured(shards, tmp_path):
    merged = merge_shards(folders(shards)[1:], tmp_path / "merged")
    lost = Shard(1, OF).select(NAMES)
    assert {each.benchmark for each in merged.all(Gated) if each.state == "not measured"} == {*lost}
    assert find_disagreements(merged) == []
    gate = gate_of(merged)
    assert f"Lost: shard 1 of 8, with {', '.join(lost)}." in list_notes(gate, merged)
    assert "b00: its shard 1 of 8 is not in this record" in [each.sentence for each in gate.outcomes]


def test_one_shard_alone_shows_its_own_benchmarks_and_says_that_it_decides_nothing(shards, tmp_path):
    gate = gate_of(shards[2])
    table = table_of(gate, shards[2])
    assert {row.cells[0] for row in table.rows} == {*Shard(3, OF).select(NAMES)}
    assert "This is shard 3 of 8; argo-bench ci merge decides over all of them." in table.note
    alone = merge_shards([shards[2].directory], tmp_path / "merged")
    assert len(table_of(gate_of(alone), alone).rows) == len(NAMES)
    assert "Lost: shard 1 of 8" in table_of(gate_of(alone), alone).note


def test_what_a_shard_leaves_out_is_left_out_of_the_whole(shards):
    name = Shard(1, OF).select(NAMES)[-1]
    header, revisions = shards[0].run, shards[0].all(Revisions)[0]
    skipped = msgspec.structs.replace(revisions, left_out={name: "it needs data"})
    merged = list(merge_lines([Recorded(None, [header, skipped]), shards[1]], "merged"))
    assert merged[1].left_out == {name: "it needs data"}
    assert name not in [each.name for each in gate_of(Recorded(None, merged)).outcomes]


def test_an_interrupted_shard_gives_what_it_has(shards, tmp_path):
    broken = store(tmp_path / "interrupted", [shards[0].run, shards[0].all(Revisions)[0]])
    merged = merge_shards([broken.directory, *folders(shards)[1:]], tmp_path / "merged")
    assert find_disagreements(merged) == []
    assert merged.all(Revisions)[0].shards[0].interrupted


@pytest.mark.parametrize(
    ("header", "revisions", "match"),
    [
        ({"seed": 4}, {}, "seed 3 and 4"),
        ({}, {"head": "c" * 40}, f"head '{'h' * 40}' and '{'c' * 40}'"),
        ({}, {"tolerances": dict.fromkeys(NAMES, 0.03) | {"b01": 0.05}}, "tolerances of 'b01' 0.03 and 0.05"),
        ({}, {"files": dict.fromkeys(NAMES[1:], "a.py")}, "files of "),
        ({}, {"shards": [Shard(1, 4)]}, "number of shards 8 and 4"),
        ({"environment": {"versions": {"argo-bench": "1"}}}, {}, "version '0' and '1'"),
    ],
)
def test_records_that_are_no_shards_of_one_gate_are_refused_with_the_difference(
    shards, tmp_path, header, revisions, match
):
    changed = msgspec.structs.replace(revisions_of(Shard(8, OF)), **revisions)
    other = store(tmp_path / "other", [msgspec.structs.replace(HEADER, **header), changed])
    given = [shards[1].directory, other.directory]
    if revisions.get("shards"):
        given = [shards[0].directory, other.directory]
    with pytest.raises(UserError, match=match):
        merge_shards(given, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_shard_twice_and_a_whole_gate_are_refused(shards, tmp_path):
    first = shards[0].directory
    with pytest.raises(UserError, match="shard 1 is there twice"):
        merge_shards([first, first], tmp_path / "merged")
    whole = store(tmp_path / "whole", [HEADER, revisions_of()])
    with pytest.raises(UserError, match="is no shard"):
        merge_shards([first, whole.directory], tmp_path / "merged")


def test_the_command_decides_with_the_exit_code_of_a_gate(shards, tmp_path):
    arguments = ["ci", "merge", *map(str, folders(shards)), "--out", str(tmp_path / "merged")]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 1
    assert "worse" in done.stdout
    assert (tmp_path / "merged" / "junit.xml").is_file()


# What a shard is


def benchmark(name):
    return Benchmark(name, f"{name}.py:f", "", "allclose", None, False, 0.03, "")


def test_shards_are_disjoint_together_whole_and_as_large_as_each_other():
    parts = [Shard(number, OF).select(NAMES) for number in range(1, OF + 1)]
    assert sorted(name for each in parts for name in each) == sorted(NAMES)
    assert {len(each) for each in parts} == {len(NAMES) // OF}
    named = [benchmark(name) for name in NAMES]
    assert [each.name for each in select_own(named, Shard(2, OF))] == parts[1]
    assert select_own(named, None) == named


def test_a_shard_knows_the_benchmarks_of_the_others():
    own = revisions_of(files={"b01": "b01.py"}, metrics={"b01": "wall"}, tolerances={"b01": 0.03}, removed={"b02": "x"})
    found = add_others(own, [benchmark("b01"), benchmark("b02")], Shard(1, 2))
    assert found.files == {"b01": "b01.py", "b02": "b02.py"}
    assert found.metrics == {"b01": "wall", "b02": "cpu"}
    assert found.removed == {}
    assert found.find_missing() == {"b02": "shard 2 of 2"}


@pytest.mark.parametrize("text", ["", "3", "0/8", "9/8", "a/b", "1/0", "-1/8"])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="expected a shard such as 2/8"):
        read_shard(text)
    assert read_shard("2/8") == Shard(2, 8)


@pytest.mark.slow
def test_a_shard_is_measured_apart_and_its_record_verifies(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    toy = Toy(folder)
    toy.commit("base")
    toy.commit("head", requests=4)
    options = ("--environment", "current", "--budget", "10s", "--out")
    done = toy.ci("--shard", "2/2", "--base", "HEAD~1", *options, "record")
    assert done.returncode == 0, done.stderr
    recorded = load(folder / "record")
    revisions = recorded.all(Revisions)[0]
    assert revisions.shards == [Shard(2, 2)] and revisions.changed == ["walk"]
    assert {*revisions.files} == {"walk", "twice"}
    assert find_disagreements(recorded) == []
    assert toy.ci("--shard", "3/2", *options, "other").returncode == 2
