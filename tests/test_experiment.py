"""Does a run measure what it says, record it at once, and survive interrupts and failures?"""

import dataclasses
import math
import pickle
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict

import msgspec
import pytest
import xxhash

from argo_bench.errors import UserError
from argo_bench.harness.claims.metrics import CLOCKS, is_count
from argo_bench.harness.judging.judgements import judge_all
from argo_bench.harness.judging.measurements import Measured
from argo_bench.harness.judging.results import estimate_result
from argo_bench.harness.plan import DEFAULT, FAMILY_ERROR, MOST_BLOCKS, QUICK, make_plan
from argo_bench.harness.record.records import (
    SCHEMA,
    Block,
    Cold,
    Comparison,
    End,
    Failure,
    Fidelity,
    Judgement,
    Result,
    Run,
    Samples,
)
from argo_bench.harness.record.store import FILE_NAME, Writer, load
from argo_bench.harness.record.verify import verify
from argo_bench.harness.replicate import is_block_due
from argo_bench.harness.replicates import has_comparison_ended
from argo_bench.harness.state import RunState
from argo_bench.harness.statistics.looks import LOOKS, nominal_error
from argo_bench.harness.workers.messages import Prepare, Prepared
from argo_bench.harness.workers.processes import WorkerProcess
from argo_bench.optimizations import catalogue, headline_claims, lookup
from argo_bench.optimizations.optimization import Workload
from argo_bench.study.job import study_job
from argo_bench.study.recording import record
from argo_bench.study.subject import declaration_of, plan_comparisons, stage_arm
from tests.interruptible import interruptible
from tests.studies import TINY, run_study, tiny_run_of

RUN = lookup(["O11"])


def samples(comparison, replicate, ratio, calls=(1, 1)):
    """Blocks in which the candidate takes ``ratio`` times as long per call."""
    wall = (1000 * calls[0], int(1000 * ratio) * calls[1], int(1000 * ratio) * calls[1], 1000 * calls[0])
    block = Block("ABBA", wall, wall)
    return Samples(comparison, replicate, replicate, *calls, [block] * 4, None, None, None, None)


def measured(result):
    return Measured([result], [samples(COMPARISON, r, 0.4) for r in range(3)])


COMPARISON = Comparison("O06", "consensus, hit", 6, "symbols", "baseline", "engineered")


def test_the_ratio_is_per_call_however_many_calls_a_sample_has():
    one = estimate_result(COMPARISON, [samples(COMPARISON, r, 0.5) for r in range(3)], 0.95)
    many = estimate_result(COMPARISON, [samples(COMPARISON, r, 0.5, (10, 700)) for r in range(3)], 0.95)
    assert math.isclose(one.cpu.speedup, 2.0)
    assert math.isclose(many.cpu.speedup, 2.0)
    assert (many.reference_ns, many.candidate_ns) == (1000, 500)


def test_the_level_is_that_of_the_family_whatever_is_run(small_universe):
    claim = next(claim for claim in catalogue()["O06"].claims if claim.headline)
    comparison = declaration_of(catalogue()["O06"]).headline_comparison(claim, "prescribed")
    o06 = catalogue()["O06"]
    declared = declaration_of(o06)
    published = study_job([o06], small_universe, DEFAULT, 1).supply.families()
    profiles = (dataclasses.replace(DEFAULT, looks=looks) for looks in ((6,), LOOKS))
    once, often = (make_plan([declared], [], profile, 1, published, {}) for profile in profiles)
    assert once.level_of(declared, comparison) == 1 - nominal_error(FAMILY_ERROR / len(headline_claims()), (6,))
    assert often.level_of(declared, comparison) == 1 - nominal_error(FAMILY_ERROR / len(headline_claims()))
    assert once.level_of(declared, changed_to(comparison, scale=30)) == 1 - nominal_error(0.05, (6,))
    assert once.level_of(declared, changed_to(comparison, candidate="joblib.Memory alone")) == 1 - nominal_error(
        0.05, (6,)
    )


def changed_to(comparison, **values):
    return msgspec.structs.replace(comparison, **values)


def test_the_quick_plan_has_the_headline_claims_at_their_headline_scale_and_the_default_plan_everything():
    quick, default = (
        [each for o in lookup([]) for each in plan_comparisons(o, profile)] for profile in (QUICK, DEFAULT)
    )
    assert set(quick) <= set(default)
    for optimization in lookup([]):
        judged = {claim.workload for claim in optimization.claims if claim.headline and claim.metric in CLOCKS}
        for workload in [each for each in optimization.workloads if each.timed]:
            key = optimization.id, workload.name
            at = [{c.scale for c in plan if (c.optimization, c.workload) == key} for plan in (quick, default)]
            assert at == [set(workload.scales[:1]) if workload.name in judged else set(), set(workload.scales)]


def test_every_claim_is_behind_something_of_the_plan(small_universe):
    subjects = study_job(lookup([]), small_universe, DEFAULT, 1).subjects
    comparisons = {each for subject in subjects for each in subject.comparisons(DEFAULT)}
    comparisons |= {each for subject in subjects for each, _ in subject.memory_questions(DEFAULT)}
    countings = [each for subject in subjects for each in subject.countings(DEFAULT, [1])]
    counts = defaultdict(set)
    for each in countings:
        counts[each.subject, each.workload] |= each.places
    for optimization in lookup([]):
        for claim in optimization.claims:
            for variant in ("prescribed", "engineered"):
                comparison = declaration_of(optimization).headline_comparison(claim, variant)
                if is_count(claim.metric):
                    needed = {(comparison.scale, arm) for arm in (claim.against(variant), variant)}
                    assert needed <= counts[optimization.id, claim.workload]
                else:
                    assert comparison in comparisons


def test_a_claim_that_was_not_measured_says_so():
    found = judge_all([declaration_of(catalogue()["O06"])], Measured([]), [], [])
    assert {each.verdict for each in found} == {"untested"}
    assert {each.flags[0] for each in found} == {"not measured before the run ended"}


def test_a_failed_arm_is_failed_and_never_a_number():
    failure = Failure("O06", "engineered", "failed", "ValueError: broken")
    found = {
        (each.claim, each.arm): each
        for each in judge_all([declaration_of(catalogue()["O06"])], Measured([]), [], [failure])
    }
    engineered = found["O06.time", "engineered"]
    assert (engineered.verdict, engineered.speedup, engineered.interval) == ("failed", None, None)
    assert "ValueError: broken" in engineered.sentence


def test_wall_and_cpu_that_disagree_are_flagged():
    fast, slow = (estimate_result(COMPARISON, [samples(COMPARISON, r, x) for r in range(3)], 0.95) for x in (0.4, 2.0))
    mixed = msgspec.structs.replace(fast, wall=slow.wall)
    found = judge_all([declaration_of(catalogue()["O06"])], measured(mixed), [], [])
    headline = next(each for each in found if each.claim == "O06.time" and each.arm == "engineered")
    assert headline.verdict == "confirmed"
    assert headline.flags == ["wall time says: refuted"]


def test_recorded_inputs_of_a_trace_are_consecutive_cycles_of_every_symbol(small_universe):
    groups = record(catalogue()["O06"].workload("consensus, live trace"), small_universe, 6, seed=1).groups
    assert [len(group.calls) for group in groups] == [6] * 48
    assert [group.virtual_ns for group in groups] == [5_000_000_000 * k for k in range(48)]


def test_recorded_inputs_depend_on_the_seed_alone(small_universe):
    workload = catalogue()["O11"].workload("encode, hit")
    first, again, other = (record(workload, small_universe, 6, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_scales_that_the_data_cannot_give_are_untested_and_the_others_measured(tmp_path, small_universe):
    writer = Writer(tmp_path)
    state = begun(lookup(["O08"]), small_universe, dataclasses.replace(TINY, every_scale=True), writer)
    writer.close()
    assert {each.scale for each in state.comparisons if each.workload == "full set"} == {300}
    assert {each.scale for each in state.comparisons if each.workload == "five outputs"} == {300, 2000, 10_000, 50_000}
    reasons = [each.reason for each in state.failures]
    assert "full set at 2000 bars needs as many bars of every symbol, AAA has 400" in reasons
    assert len(reasons) == 2


def begun(optimizations, universe, profile, writer):
    """The state of a run in which nothing has been measured yet."""
    return RunState.begin(study_job(optimizations, universe, profile, 1), writer, lambda progress: None, None)


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory, small_universe):
    return tiny_run_of(RUN, small_universe, tmp_path_factory)


def test_a_run_gives_every_claim_and_variant_a_verdict(tiny_run):
    recorded, _ = tiny_run
    expected = {(c.id, v) for o in RUN for c in o.claims for v in ("prescribed", "engineered")}
    assert {(each.claim, each.arm) for each in recorded.all(Judgement)} == expected


def test_a_run_checks_every_variant_and_arm(tiny_run):
    recorded, _ = tiny_run
    checked = {(each.optimization, each.arm) for each in recorded.all(Fidelity) if each.workload is None}
    assert checked == {(o.id, v) for o in RUN for v in ("prescribed", "engineered", "simple")}
    assert all(each.faithful for each in recorded.all(Fidelity) if each.arm == "engineered")


def test_a_run_keeps_every_raw_sample_of_every_replicate(tiny_run):
    recorded, _ = tiny_run
    assert {each.replicate for each in recorded.all(Samples)} == {0, 1}
    for each in recorded.all(Samples):
        assert each.blocks
        assert {block.order for block in each.blocks} <= {"ABBA", "BAAB"}
        assert all(wall > 0 for block in each.blocks for wall in block.wall_ns)


def test_results_can_be_computed_again_from_the_samples_alone(tiny_run):
    recorded, _ = tiny_run
    for result in recorded.all(Result):
        taken = [each for each in recorded.all(Samples) if each.comparison == result.comparison]
        assert estimate_result(result.comparison, taken, result.cpu.level) == result


def test_the_first_call_is_recorded_apart_for_every_arm(tiny_run):
    recorded, _ = tiny_run
    cold = {(each.workload, each.arm) for each in recorded.all(Cold)}
    assert cold == {(w.name, arm) for o in RUN for w in o.workloads for arm in o.edits(w)}


@pytest.mark.slow
def test_a_worker_compiles_the_kernel_once_and_the_next_one_loads_it(tmp_path, small_universe):
    inputs = tmp_path / "inputs.pickle"
    inputs.write_bytes(pickle.dumps(record(catalogue()["O08"].workload("full set"), small_universe, 300, 1)))
    kernel = stage_arm("O08", ("full set", 300), "engineered", inputs)
    compiled = []
    for _ in range(2):
        worker = WorkerProcess(1, tmp_path / "numba", None)
        prepared = worker.ask(Prepare(kernel), Prepared)
        worker.close()
        assert prepared.call_ns < prepared.first_call_ns
        compiled.append({path: path.stat().st_mtime_ns for path in (tmp_path / "numba").rglob("*.nbc")})
    assert compiled[0]
    assert compiled[1] == compiled[0]


def test_progress_only_moves_forward_and_ends_complete(tiny_run):
    _, states = tiny_run
    spent = [state.spent_s for state in states]
    assert spent == sorted(spent)
    assert states[-1].left_s < 0.02 * states[-1].spent_s


def test_a_run_begins_with_its_conditions_and_ends_with_an_end(tiny_run):
    recorded, _ = tiny_run
    assert verify(recorded) == []
    assert isinstance(recorded.records[0], Run)
    end = recorded.records[-1]
    assert isinstance(end, End)
    assert (end.interrupted, end.replicates, end.budget_s) == (False, 2, TINY.budget_s)
    assert 0 < end.longest_s < end.seconds
    assert recorded.is_seal_right(end)
    assert recorded.run.environment["thread_caps"]["OMP_NUM_THREADS"] == "1"


BROKEN = """
import dataclasses
import argo_bench.optimizations.o06_consensus_cache as o06

def stage(world, signals, regime):
    BREAK

def broken(pipeline):
    return pipeline.replace(consensus=stage)

o06.OPTIMIZATION = dataclasses.replace(o06.OPTIMIZATION, engineered=broken)
"""


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [
        ("raise ValueError('broken on purpose')", "ValueError: broken on purpose"),
        ("import os; os._exit(7)", "its process ended with exit status 7"),
    ],
)
@pytest.mark.slow
def test_an_arm_that_fails_ends_alone_and_the_rest_is_measured(tmp_path, small_universe, monkeypatch, breaks, reason):
    (tmp_path / "sitecustomize.py").write_text(BROKEN.replace("BREAK", breaks))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    writer = Writer(tmp_path / "run")
    once = dataclasses.replace(TINY, looks=(1,))
    found = run_study(lookup(["O06"]), small_universe, once, 1, writer, "broken")
    writer.close()
    verdicts = {(each.claim, each.arm): each.verdict for each in found}
    assert verdicts["O06.time", "engineered"] == "failed"
    assert verdicts["O06.time", "prescribed"] not in ("failed", "untested")
    recorded = load(tmp_path / "run")
    assert {each.reason for each in recorded.all(Failure)} == {reason}
    assert verify(recorded) == []


def test_an_arm_whose_library_is_missing_is_untested_with_the_line_that_installs_it(
    tmp_path, small_universe, monkeypatch
):
    from argo_bench.extras import Requirement

    o08 = dataclasses.replace(catalogue()["O08"], requires={"TA-Lib": Requirement("no_such_module", "oracle")})
    writer = Writer(tmp_path / "run")
    state = begun([o08], small_universe, TINY, writer)
    writer.close()
    assert [(each.arm, each.kind) for each in state.failures] == [("TA-Lib", "untested")]
    assert "pip install 'argo-bench[oracle]'" in state.failures[0].reason
    assert all("TA-Lib" not in (each.candidate, each.reference) for each in state.comparisons)


@pytest.mark.slow
def test_an_interrupt_keeps_and_judges_what_was_measured(tmp_path):
    run = ("run", "O06", "--profile", "quick", "--out", tmp_path / "run")
    command = interruptible(sys.executable, "-m", "argo_bench.cli.main", *run)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    file = tmp_path / "run" / FILE_NAME
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (not file.exists() or file.read_text().count('"type":"samples"') < 5):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    recorded = load(tmp_path / "run")
    assert recorded.records[-1].interrupted
    assert len(recorded.all(Result)) > 0
    assert len(recorded.all(Judgement)) == 2
    assert verify(recorded) == []
    assert "O06" in stdout


def test_a_directory_that_holds_a_run_is_not_overwritten(tmp_path):
    writer = Writer(tmp_path)
    writer.write(End(1.0, False, 0))
    writer.close()
    with pytest.raises(UserError, match="holds a run already"):
        Writer(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty or does not begin with a run"),
        (b"hello\n", "line 1: expected a line of a run"),
        (b'{"xxh3":"0","record":{"type":"end"}}\n', "does not match its digest"),
    ],
)
def test_a_file_that_is_no_run_is_refused(tmp_path, content, message):
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(UserError, match=message):
        load(tmp_path)


def test_a_record_that_was_changed_or_cut_off_is_refused_with_its_line(tiny_run, tmp_path):
    recorded, _ = tiny_run
    lines = (recorded.directory / FILE_NAME).read_bytes().splitlines(keepends=True)
    changed = tmp_path / "changed" / FILE_NAME
    changed.parent.mkdir()
    changed.write_bytes(b"".join([*lines[:4], lines[4].replace(b"O11", b"O61", 1), *lines[5:]]))
    cut = tmp_path / "cut" / FILE_NAME
    cut.parent.mkdir()
    cut.write_bytes(b"".join(lines)[:-20])
    assert b"O11" in lines[4]
    with pytest.raises(UserError, match="line 5: its content does not match its digest"):
        load(changed)
    with pytest.raises(UserError, match=f"line {len(lines)}: expected a line of a run"):
        load(cut)


def test_a_record_of_a_newer_schema_is_refused(tiny_run, tmp_path):
    recorded, _ = tiny_run
    body = msgspec.json.encode(msgspec.structs.replace(recorded.run, schema=99))
    line = b'{"xxh3":"' + xxhash.xxh3_64_hexdigest(body).encode() + b'","record":' + body + b"}\n"
    (tmp_path / FILE_NAME).write_bytes(line)
    with pytest.raises(UserError, match=f"has schema 99, this version reads up to {SCHEMA}"):
        load(tmp_path)


def test_comparisons_with_one_reference_are_timed_together_and_others_apart(tiny_run):
    recorded, _ = tiny_run
    taken = {(each.comparison, each.replicate): each for each in recorded.all(Samples)}
    pairs = [
        (each, taken[msgspec.structs.replace(comparison, candidate="engineered"), replicate])
        for (comparison, replicate), each in taken.items()
        if comparison.candidate == "prescribed" and comparison.workload.endswith("hit")
    ]
    assert pairs
    for prescribed, engineered in pairs:
        shared = [
            _of_the_reference(one) == _of_the_reference(other)
            for one, other in zip(prescribed.blocks, engineered.blocks, strict=True)
        ]
        assert all(shared)
        assert prescribed.seconds == engineered.seconds


def _of_the_reference(block):
    return [value for slot, value in zip(block.order, block.wall_ns, strict=True) if slot == "A"]


def test_a_claim_needs_its_workload():
    with pytest.raises(ValueError, match="expected one of transport"):
        Workload("w", "indicator", "hit", "a typo", (1,), "bars")


def test_deferred_work_is_flagged_beside_the_verdict():
    estimates = estimate_result(COMPARISON, [samples(COMPARISON, r, 0.4) for r in range(3)], 0.95)
    deferring = msgspec.structs.replace(estimates, candidate_drain_ns=2_000.0)
    found = judge_all([declaration_of(catalogue()["O06"])], measured(deferring), [], [])
    headline = next(each for each in found if each.claim == "O06.time" and each.arm == "engineered")
    assert headline.flags == ["puts off 2 us a call until it closes"]


@pytest.mark.parametrize(
    ("blocks", "seconds", "budget_s", "more"),
    [
        (0, 0.0, 0.4, True),
        (1, 0.1, 0.4, True),
        (3, 0.5, 0.4, True),  # four short blocks at least, whatever the budget
        (1, 1.2, 0.4, False),  # but one long block is enough
        (1, 1.2, 2.0, True),
        (4, 0.1, 0.4, True),
        (4, 0.5, 0.4, False),
        (MOST_BLOCKS, 0.1, 0.4, False),
    ],
)
def test_a_replicate_takes_four_blocks_unless_they_are_long_and_more_within_its_budget(blocks, seconds, budget_s, more):
    assert is_block_due(blocks, seconds, budget_s) is more


def test_comparisons_leave_at_a_look_when_their_verdict_is_clear_and_stay_while_it_is_not(tmp_path, small_universe):
    profile = dataclasses.replace(TINY, looks=(2, 24))
    writer = Writer(tmp_path)
    state = begun(lookup(["O06"]), small_universe, profile, writer)
    clear, unclear, behind_no_claim = state.comparisons[:3]
    values = {clear: (0.2, 0.2001), unclear: (0.4, 0.44), behind_no_claim: (0.2, 3.0)}
    state.samples = {each: [samples(each, r, x) for r, x in enumerate(values[each])] for each in values}
    assert [has_comparison_ended(state, each, 6) for each in values] == [True, False, True]
    writer.close()


def test_the_budget_ends_a_run_between_replicates_but_not_before_the_first_look(tmp_path, small_universe, monkeypatch):
    writer = Writer(tmp_path)
    profile = dataclasses.replace(TINY, looks=(2, 4, 6), budget_s=0.0)
    measured = []
    monkeypatch.setattr(RunState, "feed", lambda state, around, replicate, comparisons: None)
    monkeypatch.setattr("argo_bench.harness.run.make_first_calls", lambda state, pair, around: None)
    monkeypatch.setattr("argo_bench.harness.run.check_outputs", lambda state, around: None)
    monkeypatch.setattr("argo_bench.harness.run.measure_memory", lambda state, around: None)
    monkeypatch.setattr(
        "argo_bench.harness.replicates._time_replicate",
        lambda state, around, number, until_s, costs: measured.append(number),
    )
    monkeypatch.setattr("argo_bench.harness.replicates._look", lambda state, number: None)
    monkeypatch.setattr("argo_bench.harness.replicates._expect_seconds", lambda state, around, comparison: 1.0)
    run_study(lookup(["O06"]), small_universe, profile, 1, writer, "budget")
    writer.close()
    assert measured == [0, 1]


def test_an_inconclusive_verdict_says_what_it_would_take():
    spread = [samples(COMPARISON, r, x) for r, x in enumerate((0.40, 0.55, 0.45, 0.52, 0.47, 0.50))]
    found = judge_all(
        [declaration_of(catalogue()["O06"])], Measured([estimate_result(COMPARISON, spread, 0.95)], spread), [], []
    )
    headline = next(each for each in found if each.claim == "O06.time" and each.arm == "engineered")
    assert headline.verdict == "inconclusive"
    assert re.fullmatch(r"\d+ replicates \(\d+ more, about \d+ s in all\) to tell it from 2x", headline.needs)
    assert headline.detectable > 1


def test_only_what_the_candidate_puts_off_beyond_the_reference_counts():
    taken = [
        msgspec.structs.replace(samples(COMPARISON, r, 0.4), reference_drain_ns=900.0, candidate_drain_ns=drained)
        for r, drained in enumerate((1_000.0, 1_100.0, 800.0))
    ]
    assert estimate_result(COMPARISON, taken, 0.95).candidate_drain_ns == 100.0
