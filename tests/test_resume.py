"""Does an interrupted run go on where it was, measure nothing twice, and verify in the end?"""

import dataclasses
import sys
from collections import Counter

import msgspec
import pytest

from argo_bench.errors import UserError
from argo_bench.harness.plan import QUICK
from argo_bench.harness.record.records import (
    CONCLUSIONS,
    SCHEMA,
    Asked,
    Cold,
    Counts,
    End,
    Failure,
    Fidelity,
    Judgement,
    LeftOut,
    Memory,
    Observed,
    Run,
    Samples,
    Tried,
)
from argo_bench.harness.record.store import FILE_NAME, Recorded, Writer, load, reopen
from argo_bench.harness.record.verify import verify
from argo_bench.optimizations import lookup
from argo_bench.pipeline.market import Universe
from argo_bench.report.finding import describe_time, format_duration
from argo_bench.study import job
from argo_bench.study.job import job_again
from argo_bench.study.records import Acceptance, LiveRates
from argo_bench.study.supply import digest_of
from argo_bench.study.trials import Observation, Trial
from tests import stored, studies
from tests.program import argo_here
from tests.studies import run_study, tiny_run_of

IDS = ["O06"]
TINY = dataclasses.replace(
    QUICK,
    name="default",
    every_claim=True,
    looks=(2,),
    headline_s=0.02,
    other_s=0.01,
    checked_cycles=2,
    memory=("traced",),
)
KEYS = {
    Acceptance: lambda each: None,
    LiveRates: lambda each: None,
    Run: lambda each: None,
    End: lambda each: None,
    Cold: lambda each: (each.workload, each.scale, each.arm),
    Fidelity: lambda each: (each.optimization, each.arm, each.workload, each.scope),
    Counts: lambda each: (each.workload, each.scale, each.arm, each.seed),
    Memory: lambda each: (each.workload, each.scale, each.arm),
    Samples: lambda each: (each.comparison, each.replicate),
    Failure: lambda each: (each.optimization, each.arm),
    Judgement: lambda each: (each.claim, each.arm),
}


def lines(directory):
    return (directory / FILE_NAME).read_bytes().splitlines(keepends=True)


def measured(recorded):
    return [each for each in recorded.records if not isinstance(each, CONCLUSIONS)]


def repeated(recorded):
    """What stands in a record more than once."""
    seen = Counter((kind.__name__, key(each)) for kind, key in KEYS.items() for each in recorded.all(kind))
    return [each for each, times in seen.items() if times > 1]


class Interrupted:
    """Ends a run, as Ctrl-C does, as soon as its record has something."""

    def __init__(self, directory, has):
        self.directory, self.has, self.told = directory, has, 0

    def __call__(self, progress):
        self.told += 1
        if self.has(load(self.directory)):
            raise KeyboardInterrupt


def interrupted(directory, universe, has, profile=TINY, ids=IDS):
    writer = Writer(directory)
    with pytest.raises(KeyboardInterrupt):
        run_study(lookup(ids), universe, profile, 1, writer, "part", on_progress=Interrupted(directory, has))
    writer.close()
    return load(directory)


def resumed(directory, universe, profile=TINY, ids=IDS):
    before = reopen(directory)
    writer = Writer(directory, resume=True)
    run_study(lookup(ids), universe, profile, 1, writer, "rest", before=before)
    writer.close()
    return load(directory)


POINTS = {
    "the first check": lambda recorded: recorded.all(Fidelity),
    "the first reading of memory": lambda recorded: recorded.all(Memory),
    "the first replicate": lambda recorded: any(each.replicate == 1 for each in recorded.all(Samples)),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, small_universe):
    """The record of a run that nobody interrupted."""
    directory = tmp_path_factory.mktemp("whole")
    writer = Writer(directory)
    run_study(lookup(IDS), small_universe, TINY, 1, writer, "whole")
    writer.close()
    return load(directory)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(point, marks=pytest.mark.slow if point == "the first replicate" else pytest.mark.study)
        for point in POINTS
    ],
)
def test_a_run_that_was_interrupted_goes_on_and_ends_as_if_it_had_not_been(point, whole, tmp_path, small_universe):
    part = interrupted(tmp_path, small_universe, POINTS[point])
    assert part.records[-1].interrupted
    assert verify(part) == []
    rest = resumed(tmp_path, small_universe)
    assert verify(rest) == []
    assert not rest.records[-1].interrupted
    assert rest.records[: len(measured(part))] == tuple(measured(part))
    assert repeated(rest) == []
    for kind, key in KEYS.items():
        assert set(map(key, rest.all(kind))) == set(map(key, whole.all(kind))), kind


@pytest.mark.slow
def test_counts_go_on_where_they_were(tmp_path, small_universe):
    light = dataclasses.replace(TINY, looks=(1,), memory=())
    interrupted(tmp_path, small_universe, lambda recorded: recorded.all(Counts), light, ["O15"])
    rest = resumed(tmp_path, small_universe, light, ["O15"])
    assert verify(rest) == []
    assert repeated(rest) == []
    assert len({each.seed for each in rest.all(Counts)}) == light.seeds


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_universe):
    """The record of a run without readings of memory, which other tests read too."""
    return tiny_run_of(lookup(["O11"]), small_universe, tmp_path_factory)[0]


def test_a_finished_run_that_is_resumed_changes_no_sample(finished, tmp_path, small_universe):
    (tmp_path / FILE_NAME).write_bytes(b"".join(lines(finished.directory)))
    again = resumed(tmp_path, small_universe, studies.TINY, ["O11"])
    assert measured(again) == measured(finished)
    assert again.all(Judgement) == finished.all(Judgement)
    assert verify(again) == []
    end = again.records[-1]
    assert end.earlier_s == finished.records[-1].seconds
    assert describe_time(again) == format_duration(1e9 * (end.seconds + end.earlier_s))


def test_a_record_that_lacks_earlier_parts_does_not_say_that_the_last_was_all(finished):
    """Its blocks alone took longer than what it tells of."""
    run = msgspec.structs.replace(
        finished.run, asked=Asked(["O11"], None, "quick", None, 1, None, False, False, False, None)
    )
    end = msgspec.structs.replace(finished.records[-1], seconds=1e-3)
    short = Recorded(finished.directory, [run, *finished.records[1:-1], end])
    assert describe_time(short) == "several parts, the last of which took 1 ms"
    assert describe_time(finished) == format_duration(1e9 * finished.records[-1].seconds)


def test_of_a_record_whose_end_tells_nothing_of_earlier_parts_the_time_is_not_known(finished, tmp_path):
    end = msgspec.structs.replace(finished.records[-1], earlier_s=msgspec.UNSET)
    stored.store(tmp_path, stored.sealed([*finished.records[:-1], end]))
    assert reopen(tmp_path).earlier_s is None
    rest = Recorded(tmp_path, [*finished.records[:-1], msgspec.structs.replace(end, seconds=9.0, earlier_s=None)])
    assert describe_time(rest) == "several parts, the last of which took 9 s"


@pytest.mark.slow
def test_a_line_that_was_cut_off_is_dropped(whole, tmp_path, small_universe):
    kept = [line for line in lines(whole.directory) if b'"type":"samples"' not in line]
    cut = next(line for line in lines(whole.directory) if b'"type":"samples"' in line)
    (tmp_path / FILE_NAME).write_bytes(b"".join(kept[:5]) + cut[:-20])
    with pytest.raises(UserError, match="the file is cut off"):
        load(tmp_path)
    before = reopen(tmp_path)
    assert lines(tmp_path) == kept[:5]
    assert len(before.records) == 5
    rest = resumed(tmp_path, small_universe)
    assert verify(rest) == []
    assert repeated(rest) == []


def test_reopening_takes_out_conclusions_alone_and_leaves_no_other_file(finished, tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"".join(lines(finished.directory)))
    before = reopen(tmp_path)
    assert list(before.records) == measured(finished)
    assert [each.name for each in tmp_path.iterdir()] == [FILE_NAME]
    assert reopen(tmp_path).records == before.records


def test_a_record_that_was_edited_is_not_resumed(finished, tmp_path):
    edited = lines(finished.directory)
    number = next(number for number, line in enumerate(edited) if number > 2 and b"O11" in line)
    edited[number] = edited[number].replace(b"O11", b"O12", 1)
    (tmp_path / FILE_NAME).write_bytes(b"".join(edited))
    with pytest.raises(UserError, match=f"line {number + 1}: its content does not match its digest"):
        reopen(tmp_path)
    assert lines(tmp_path) == edited


def test_there_is_nothing_to_resume_where_there_is_no_run(tmp_path):
    with pytest.raises(UserError, match="no run to resume at"):
        reopen(tmp_path)


# Trials


LIGHT = dataclasses.replace(TINY, looks=(1,), memory=())


@pytest.fixture
def unchecked(monkeypatch):
    """Runs that check nothing."""
    monkeypatch.setattr("argo_bench.harness.run.check_outputs", lambda state, around: None)


def trial(name, seen):
    def run(setting):
        for number in range(3):
            seen.append((name, number))
            yield Observation("baseline", "somewhere", {"rows": float(number)})

    return Trial(IDS[0], name, "counts to three", run)


@pytest.mark.slow
@pytest.mark.parametrize("after", [2, 4])
def test_a_trial_that_was_interrupted_begins_again_and_one_that_was_whole_does_not(
    after, tmp_path, small_universe, monkeypatch, unchecked
):
    seen = []
    tried = (trial("one", seen), trial("two", seen))
    monkeypatch.setattr("argo_bench.study.subject.trials", lambda: tried)
    interrupted(tmp_path, small_universe, lambda recorded: len(recorded.all(Observed)) == after, LIGHT)
    begun = seen.copy()
    assert len(begun) == after
    seen.clear()
    resumed(tmp_path, small_universe, LIGHT)
    whole = [(name, number) for name in ("one", "two") for number in range(3)]
    assert seen == (whole if after == 2 else whole[3:])


@pytest.mark.slow
def test_a_trial_is_not_repeated_for_a_run_that_was_interrupted_after_it(
    tmp_path, small_universe, monkeypatch, unchecked
):
    seen = []
    tried = (trial("one", seen),)
    monkeypatch.setattr("argo_bench.study.subject.trials", lambda: tried)
    interrupted(tmp_path, small_universe, lambda recorded: recorded.all(Samples), LIGHT)
    rest = resumed(tmp_path, small_universe, LIGHT)
    assert len(seen) == 3
    assert len(rest.all(Tried)) == 1


@pytest.mark.slow
def test_what_was_untested_for_want_of_a_server_is_not_said_twice(tmp_path, small_universe, monkeypatch, unchecked):
    tried = (dataclasses.replace(trial("one", []), servers=frozenset({"providers"})),)
    monkeypatch.setattr("argo_bench.study.subject.trials", lambda: tried)
    monkeypatch.setitem(sys.modules, "trustme", None)
    interrupted(tmp_path, small_universe, lambda recorded: recorded.all(Samples), LIGHT)
    rest = resumed(tmp_path, small_universe, LIGHT)
    assert [(each.arm, each.kind) for each in rest.all(Failure)] == [("one", "untested")]


@pytest.mark.slow
def test_what_was_left_out_for_want_of_time_is_taken_up_with_more(tmp_path, small_universe):
    short, long = (dataclasses.replace(LIGHT, looks=(2,), budget_s=each) for each in (0.001, 1e6))
    writer = Writer(tmp_path)
    run_study(lookup(IDS), small_universe, short, 1, writer, "short")
    writer.close()
    before = load(tmp_path)
    assert verify(before) == []
    left_out = {each.comparison for each in before.all(LeftOut)}
    assert left_out
    rest = resumed(tmp_path, small_universe, long)
    assert verify(rest) == []
    assert rest.all(LeftOut) == []
    assert rest.records[: len(measured(before))] == tuple(measured(before))
    assert repeated(rest) == []
    taken = Counter(each.comparison for each in rest.all(Samples))
    assert all(taken[each] == 2 for each in left_out)


# What cannot be resumed


def recorded_as(directory, **changes):
    run = Run(
        schema=SCHEMA,
        run="a run",
        started="",
        command="",
        profile="quick",
        isolation="shared",
        seed=1,
        looks=[2],
        symbols={"AAA": "generated"},
        source="",
        optimizations=IDS,
        environment={},
        asked=Asked(IDS, None, "quick", None, 1, None, False, False, False, None),
    )
    return Recorded(directory, [msgspec.structs.replace(run, **changes)])


def only(universe, *symbols):
    frames = {symbol: universe.frames[symbol] for symbol in symbols}
    return Universe(frames, dict.fromkeys(frames, "generated"), "generated for a test")


def test_a_run_is_resumed_with_what_it_was_asked_for(tmp_path, small_universe, monkeypatch):
    monkeypatch.setattr(job, "installed_sample", lambda: only(small_universe, "AAA"))
    asked = Asked(IDS, None, "quick", None, 7, None, False, True, False, 90.0)
    fed = digest_of(only(small_universe, "AAA"))
    again = job_again(recorded_as(tmp_path, asked=asked, bars=fed))
    assert [each.id for each in again.subjects] == IDS
    assert (again.seed, again.profile.budget_s, again.profile.full_trials) == (7, 90.0, True)
    assert again.asked == asked


def test_a_run_that_does_not_say_what_it_was_asked_for_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be resumed: its record does not say what was asked for") as raised:
        job_again(recorded_as(tmp_path, asked=None))
    assert "\n" not in str(raised.value)


def test_other_bars_of_the_same_symbol_are_refused(tmp_path, small_universe, monkeypatch):
    monkeypatch.setattr(job, "installed_sample", lambda: only(small_universe, "AAA"))
    with pytest.raises(UserError, match="was fed other bars of AAA than the data has now of AAA"):
        job_again(recorded_as(tmp_path, bars="another digest"))


def test_other_data_is_refused(tmp_path, small_universe, monkeypatch):
    monkeypatch.setattr(job, "installed_sample", lambda: only(small_universe, "BBB", "CCC"))
    with pytest.raises(UserError, match="was fed other bars of AAA than the data has now of BBB, CCC"):
        job_again(recorded_as(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "nowhere"], "no run to resume at nowhere"),
        (["O06", "--resume", "nowhere"], "expected no ids, no --out and no --shard with it"),
        (["--resume", "nowhere", "--out", "here"], "expected no ids, no --out and no --shard with it"),
        (["--resume", "nowhere", "--shard", "1/2"], "expected no ids, no --out and no --shard with it"),
    ],
)
def test_a_mistake_with_resume_is_one_sentence_and_exit_code_2(arguments, message, tmp_path):
    done = argo_here("run", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
