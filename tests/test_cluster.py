"""Is a run on several hosts judged as one on this machine, whatever is lost, and refused where it does not belong?"""

import ast
import dataclasses
import json
import math
import multiprocessing
import os
import random
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise

import msgspec
import pytest
from click.testing import CliRunner

from argo_bench.cli.main import cli
from argo_bench.errors import UserError
from argo_bench.harness.cluster.due import list_due
from argo_bench.harness.cluster.hosts import ClusterHosts
from argo_bench.harness.cluster.slurm import write_slurm_script
from argo_bench.harness.cluster.units import Answer, Order, describe_difference, measure_unit
from argo_bench.harness.machine import host_lock
from argo_bench.harness.merging import merge_runs
from argo_bench.harness.plan import DEFAULT
from argo_bench.harness.record.records import (
    CONCLUSIONS,
    Declaration,
    Failure,
    Judgement,
    LeftOut,
    Result,
    Run,
    Samples,
    Unit,
)
from argo_bench.harness.record.store import Writer, encode, load, reopen, subject_of
from argo_bench.harness.record.units import check_units
from argo_bench.harness.record.verify import verify
from argo_bench.harness.run import measure as measure_job
from argo_bench.harness.run import run
from argo_bench.harness.state import RunState
from argo_bench.harness.subject import Around, Job
from tests import stored
from tests.test_merging import lines_of_shard, store_shard

replace = msgspec.structs.replace
ASKED = next(each for each in stored.run_lines() if isinstance(each, Run)).asked


class PlainSubject:
    """A subject of the stored run, of which nothing is measured here."""

    def __init__(self, declared, left_out):
        self._left_out = left_out
        self.id, self.name, self.variants, self.claims = declared.id, declared.name, declared.variants, declared.claims
        self._declared = declared

    def declaration(self):
        return self._declared

    def comparisons(self, profile):
        own = [each for each in stored.compared() if each.optimization == self.id]
        return [each for each in own if each.candidate not in self._left_out]

    def obstacles(self, comparisons):
        return []


class PlainSupply:
    """A supply with the families of the stored run."""

    def header(self):
        return {"optimizations": ["S1", "S2"]}

    def families(self):
        return stored.FAMILIES

    @contextmanager
    def open(self, needs):
        assert needs == set()  # whoever asks the hosts needs no servers
        yield Around(None)


class Hosts:
    """An engine whose hosts have measured the stored run; answers come in any order, each from one of three hosts."""

    def __init__(self, seed=1, answers=math.inf, change=lambda answer: answer, began=100.0):
        self.random = random.Random(seed)
        self.orders, self.asked, self.left, self.clock = [], [], answers, dict.fromkeys("abc", began)
        self.change = change

    def submit(self, order):
        self.orders.append(order)
        self.asked.append(order.key)

    def wait(self):
        if self.left <= 0:
            raise KeyboardInterrupt
        self.left -= 1
        order = self.orders.pop(self.random.randrange(len(self.orders)))
        host = self.random.choice("abc")
        self.clock[host] += 2e-6
        unit = Unit(order.subject, order.replicate, host, self.clock[host] - 1e-6, self.clock[host])
        lines = [*find_lines(order), unit]
        return [(order, self.change(msgspec.json.encode(Answer([msgspec.Raw(encode(each)) for each in lines]))))]

    def cancel(self):
        self.orders = []


def find_lines(order):
    """What the stored run has of a unit."""
    own = [each for each in stored.run_lines() if subject_of(each) == order.subject]
    if order.replicate is None:
        return [each for each in own if not isinstance(each, (Declaration, Samples, *CONCLUSIONS))]
    samples = [each for each in own if isinstance(each, Samples) and each.replicate == order.replicate]
    return [each for each in samples if each.comparison in order.comparisons]


def job_for(engine, budget_s=1e6, left_out=(stored.GIVEN_UP,)):
    subjects = [PlainSubject(each, left_out) for each in stored.SUBJECTS]
    profile = dataclasses.replace(DEFAULT, budget_s=budget_s)
    hosts = ClusterHosts(engine, "tests:none", ASKED, {}, stored.FACTS)
    return Job(subjects, profile, stored.SEED, PlainSupply(), ASKED, hosts=hosts)


def measure(folder, engine, before=None, **options):
    writer = Writer(folder, resume=before is not None)
    try:
        run(job_for(engine, **options), writer, "on hosts", before=before)
    except KeyboardInterrupt:
        pass
    finally:
        writer.close()
    return load(folder)


def judgements(recorded):
    return sorted(map(msgspec.json.encode, recorded.all(Judgement)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return stored.store(tmp_path_factory.mktemp("whole"), stored.sealed(stored.run_lines()))


@pytest.mark.parametrize("seed", range(5))
def test_the_same_samples_from_hosts_give_byte_for_byte_the_verdicts_of_one_machine(seed, whole, tmp_path):
    recorded = measure(tmp_path / "run", engine := Hosts(seed))
    assert judgements(recorded) == judgements(whole)
    assert verify(recorded) == []
    assert len(engine.asked) == len(set(engine.asked)) == len(recorded.all(Unit))
    taken = [each for each in whole.all(Samples) if each.comparison.candidate != stored.GIVEN_UP]
    assert sorted(map(encode, recorded.all(Samples))) == sorted(map(encode, taken))


@pytest.mark.parametrize("answers", [0, 1, 2, 9, 20])
def test_what_came_back_before_an_interrupt_is_recorded_and_not_measured_again(answers, whole, tmp_path):
    first = measure(tmp_path / "run", Hosts(1, answers))
    assert len(first.all(Unit)) == answers
    assert verify(first) == []
    done = {(each.optimization, each.replicate) for each in first.all(Unit)}
    before = reopen(tmp_path / "run")
    again = measure(tmp_path / "run", engine := Hosts(2, began=200.0), before)
    assert {(each.optimization, each.replicate) for each in again.all(Unit)} - done
    assert len(engine.asked) == len(again.all(Unit)) - answers
    assert judgements(again) == judgements(whole)
    assert verify(again) == []


def test_after_the_budget_what_is_open_goes_no_further_than_its_look(tmp_path):
    recorded = measure(tmp_path / "run", Hosts(), budget_s=1e-9)
    assert {each.replicate for each in recorded.all(Samples)} == set(range(DEFAULT.looks[0]))
    assert verify(recorded) == []


def test_a_host_of_another_version_is_refused_and_what_was_measured_stays(tmp_path):
    def refuse(answer):
        return msgspec.json.encode(Answer([], "versions: numpy is 2.1 here and 2.2 there")) if len(seen) > 3 else answer

    seen = []
    engine = Hosts(change=lambda answer: (seen.append(answer), refuse(answer))[1])
    with pytest.raises(UserError, match=r"a host cannot measure .*: versions: numpy is 2\.1 here and 2\.2 there"):
        measure(tmp_path / "run", engine)
    assert len(load(tmp_path / "run").all(Unit)) == 3


def test_a_comparison_that_a_host_gave_no_samples_of_is_not_asked_for_again(tmp_path):
    recorded = measure(tmp_path / "run", engine := Hosts(), left_out=())
    assert [each.comparison.candidate for each in recorded.all(LeftOut)] == [stored.GIVEN_UP]
    assert len(engine.asked) == len(set(engine.asked))
    assert verify(recorded) == []


def test_what_failed_on_a_host_ends_its_comparisons_alone(tmp_path):
    failure = Failure("S1", "engineered", "failed", "it raised")

    def fail(answer):
        given = msgspec.json.decode(answer, type=Answer)
        unit = msgspec.json.decode(given.lines[-1])
        if (unit["optimization"], unit["replicate"]) != ("S1", 1):
            return answer
        kept = [each for each in given.lines if b'"candidate":"engineered"' not in bytes(each)]
        return msgspec.json.encode(Answer([msgspec.Raw(encode(failure)), *kept]))

    recorded = measure(tmp_path / "run", Hosts(change=fail))
    assert recorded.all(Failure) == [failure]
    by_arm = {(each.comparison.optimization, each.comparison.candidate) for each in recorded.all(Samples)}
    assert ("S2", "engineered") in by_arm
    assert max(each.replicate for each in recorded.all(Samples) if each.comparison.optimization == "S1") >= 5


def test_the_record_says_nothing_of_the_fitness_of_a_machine_that_measured_nothing(tmp_path):
    environment = measure(tmp_path / "run", Hosts(answers=2)).run.environment
    assert environment["processor"] == stored.FACTS["processor"]
    assert (environment["fitness"], environment["calibration"]) == ([], None)


def test_hosts_and_one_machine_do_not_go_on_with_each_others_run(tmp_path, whole):
    on_hosts = measure(tmp_path / "run", Hosts(answers=2))
    job = job_for(Hosts())
    with pytest.raises(UserError, match="was measured on the hosts of a cluster: go on with --scheduler"):
        measure_job(dataclasses.replace(job, hosts=None), tmp_path / "run", "a run", before=on_hosts)
    with pytest.raises(UserError, match="was measured on one machine: go on with it there"):
        measure_job(job, tmp_path / "whole", "a run", before=whole)


def test_a_part_from_hosts_and_one_from_a_machine_verify_together(tmp_path):
    taken = [each for each in measure(tmp_path / "run", Hosts()).records if isinstance(each, Unit)]
    units = [each for each in taken if each.optimization == "S1"]
    lines = lines_of_shard(1)
    first = next(number for number, each in enumerate(lines) if isinstance(each, Result))
    stored.store(tmp_path / "1", stored.sealed([*lines[:first], *units, *lines[first:]]))
    assert verify(load(tmp_path / "1")) == []
    [merged] = merge_runs([tmp_path / "1", store_shard(tmp_path / "2", 2)], tmp_path / "merged").values()
    assert verify(merged) == []


def test_units_before_the_times_come_first_and_then_the_replicates_of_the_first_look(tmp_path):
    writer = Writer(tmp_path / "run")
    state = RunState.begin(job_for(Hosts()), writer, lambda progress: None, None)
    assert [(each.subject, each.replicate) for each in list_due(state, set())] == [("S1", None), ("S2", None)]
    due = list(list_due(state, {"S1", "S2"}))
    assert [(each.subject, each.replicate) for each in due] == [
        (subject, number) for subject in ("S1", "S2") for number in range(DEFAULT.looks[0])
    ]
    assert all(len(each.comparisons) == len(each.block_s) > 0 for each in due)
    writer.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda units: [replace(units[0], ended=units[1].began + 0.5), *units[1:]], "before .* had ended there"),
        (lambda units: [units[0], *units], "stands in line"),
        (lambda units: [replace(units[0], ended=units[0].began - 1.0), *units[1:]], "ended before it began"),
        (lambda units: units[:-1], "of no unit"),
    ],
)
def test_units_that_overlap_on_a_host_repeat_or_lack_are_named(change, said, tmp_path):
    recorded = measure(tmp_path / "run", Hosts())
    units = sorted((replace(each, host="a") for each in recorded.all(Unit)), key=lambda each: each.optimization)
    placed = [replace(each, began=10.0 * number, ended=10.0 * number + 5) for number, each in enumerate(units)]
    assert not _find_of_units(recorded, placed, tmp_path / "right")
    assert any(re.search(said, each.what) for each in _find_of_units(recorded, change(placed), tmp_path / "wrong"))


def _find_of_units(recorded, units, folder):
    lines = [each for each in recorded.records if not isinstance(each, Unit)]
    first = next(number for number, each in enumerate(lines) if isinstance(each, Result))
    return list(check_units(stored.store(folder, stored.sealed([*lines[:first], *units, *lines[first:]]))))


# On a host


def test_a_difference_is_named_by_the_first_of_it():
    ours = {"python": "CPython 3.11.7", "versions": {"numpy": "2.1", "pandas": "3.0"}}
    assert describe_difference(ours, ours) is None
    theirs = {"python": "CPython 3.11.7", "versions": {"numpy": "2.1", "pandas": "3.1"}}
    assert describe_difference(ours, theirs) == "versions: pandas is 3.0 here and 3.1 there"
    assert (
        describe_difference(ours, {**ours, "versions": {"numpy": "2.1"}})
        == "versions: pandas is 3.0 here and None there"
    )
    assert describe_difference(ours, theirs | {"python": "3.12"}) == "python is CPython 3.11.7 here and 3.12 there"


def test_a_host_that_is_not_alike_refuses():
    order = Order("tests:none", ASKED, "O11", None, [], [], {"python": "CPython 2.7.18"})
    with pytest.raises(UserError, match=r"python is CPython 2\.7\.18 here and CPython 3"):
        measure_unit(order)


def take_turn(file, held_s):
    with host_lock.hold_host():
        began = time.monotonic()
        time.sleep(held_s)
        with open(file, "a") as written:
            written.write(json.dumps([began, time.monotonic()]) + "\n")


def test_one_process_at_a_time_measures_on_a_host(tmp_path, monkeypatch):
    context = multiprocessing.get_context("fork")
    monkeypatch.setattr(host_lock, "find_lock", lambda: tmp_path / "lock")
    turns = [context.Process(target=take_turn, args=(tmp_path / "turns", 0.02)) for _ in range(4)]
    for each in turns:
        each.start()
    for each in turns:
        each.join()
    taken = sorted(json.loads(line) for line in (tmp_path / "turns").read_text().splitlines())
    assert len(taken) == 4
    assert all(before[1] <= after[0] for before, after in pairwise(taken))


def test_a_lock_that_another_user_has_made_is_locked_too(tmp_path, monkeypatch):
    file = tmp_path / "lock"
    file.touch(mode=0o444)
    asked = []
    opened = os.open
    monkeypatch.setattr(host_lock, "find_lock", lambda: file)
    monkeypatch.setattr(host_lock.os, "open", lambda path, flags, *mode: (asked.append(flags), opened(path, flags))[1])
    with host_lock.hold_host():
        pass
    assert [flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) for flags in asked] == [0]


# The options, and the script for Slurm


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--kind", "AMD"], "--kind chooses among the machines of a cluster"),
        (["--scheduler", "tcp://a:1", "--local-cluster", "2"], "expected --scheduler or --local-cluster, not both"),
    ],
)
def test_options_that_do_not_belong_together_are_named(options, said):
    result = CliRunner().invoke(cli, ["run", "O11", *options])
    assert said in str(result.exception)


def test_without_dask_a_cluster_is_refused_with_the_line_that_installs_it(monkeypatch):
    from argo_bench import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    result = CliRunner().invoke(cli, ["run", "O11", "--local-cluster", "2"])
    assert "pip install 'argo-bench[cluster]'" in str(result.exception)


def test_the_script_for_slurm_is_python_and_has_the_options(tmp_path):
    result = CliRunner().invoke(
        cli, ["init", "slurm", "--shards", "5", "--out", str(tmp_path / "go.py"), "--symbols", "200", "--quick"]
    )
    assert result.exit_code == 0, result.output
    text = (tmp_path / "go.py").read_text()
    ast.parse(text)
    assert "OPTIONS = ['--symbols', '200', '--quick']" in text
    assert "SHARDS = 5" in text


def test_options_that_the_script_sets_itself_are_refused_and_no_file_is_overwritten(tmp_path):
    with pytest.raises(UserError, match="--out=there: expected options of argo-bench run"):
        write_slurm_script(tmp_path / "go.py", 2, ["--out=there"])
    write_slurm_script(tmp_path / "go.py", 2, [])
    with pytest.raises(UserError, match="is there already"):
        write_slurm_script(tmp_path / "go.py", 2, [])


@pytest.mark.slow
def test_the_script_for_slurm_measures_its_shards_and_merges_them(tmp_path):
    pytest.importorskip("submitit")
    write_slurm_script(tmp_path / "go.py", 2, ["O11", "O06", "--quick", "--symbols", "6"])
    done = subprocess.run([sys.executable, "go.py", "local"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stderr
    merged = load(tmp_path / "shards" / "merged")
    assert {each.optimization for each in merged.all(Judgement)} == {"O06", "O11"}
    assert verify(merged) == []
