"""Does a report say what each workload saw, and call a figure on nothing "not checked"?"""

from pathlib import Path

import pytest

from argo_bench.harness.record.records import Counts, Fidelity, Judgement
from argo_bench.harness.record.store import load
from argo_bench.optimizations import catalogue
from argo_bench.optimizations.optimization import Call, Replay
from argo_bench.pipeline.model import Readings
from argo_bench.pipeline.record import Cycle
from argo_bench.report import text
from argo_bench.report.counts import tabulate_damage
from argo_bench.study.report.sections import STUDY, note
from argo_bench.study.report.sights import find_sights, tabulate_sights
from argo_bench.study.sights import count_sights
from tests.test_report_finding import judgement, recorded

HIT, TRACE = "consensus, hit", "consensus, live trace"
REFERENCE = load(Path(__file__).parents[1] / "results" / "reference")


def counted(arm, workload=TRACE, **counts):
    named = {name.replace("_", " ") if name.startswith("saw") else name: value for name, value in counts.items()}
    return [Counts("O06", workload, 6, "symbols", arm, seed, named) for seed in (0, 1)]


def compared(**saw):
    return Fidelity("O06", "prescribed", HIT, 48, {}, 0.0, "same", True, saw=saw)


def rows(run, **options):
    return {row.cells[0].removeprefix("O06 "): row.cells[1:] for row in tabulate_sights(run, **options).rows}


def test_counts_say_what_was_accepted_and_what_hit(tmp_path):
    seen = {"saw_calls": 288.0, "saw_consensuses": 96.0}
    run = recorded(
        tmp_path, *counted("baseline", **seen), *counted("engineered", hits=90.0, misses=198.0, hit_rate=0.3125)
    )
    assert rows(run) == {TRACE: ("96 of 288 calls accepted (33.3 %)", "engineered: 90 hits, 198 misses", "")}


def test_where_nothing_was_counted_it_is_what_the_comparison_of_outputs_saw(tmp_path):
    assert rows(recorded(tmp_path, compared(consensuses=25)))[HIT][0] == "25 of 48 calls accepted (52.1 %)"


@pytest.mark.parametrize(
    ("metric", "said"),
    [("model_calls", "not checked: no model calls on this workload"), ("requests", "")],
)
def test_zero_of_what_a_claim_is_about_is_not_checked(tmp_path, metric, said):
    claim = judgement(metric=metric, workload=TRACE)
    lines = counted("baseline", model_calls=0.0, requests=5.0, saw_calls=9.0, saw_consensuses=9.0)
    run = recorded(tmp_path, claim, *lines)
    assert rows(run)[TRACE][2] == said
    assert rows(run, brief=True) == ({TRACE: rows(run)[TRACE]} if said else {})
    assert note(run).get((claim.claim, claim.arm), []) == [said] * bool(said)


def test_a_hit_rate_of_caches_that_nobody_asked_is_not_checked(tmp_path):
    claim = judgement(metric="hit_rate", kind="level", workload=TRACE)
    lines = counted("baseline", saw_calls=9.0, saw_consensuses=9.0)
    assert rows(recorded(tmp_path, claim, *lines))[TRACE][2] == "not checked: no look-ups on this workload"


def test_a_stage_that_showed_nothing_of_its_own_is_not_checked(tmp_path):
    run = recorded(tmp_path, *counted("baseline", saw_calls=9.0, saw_consensuses=0.0))
    assert rows(run)[TRACE][2] == "not checked: no consensuses on this workload"


def test_what_was_seen_is_no_damage(tmp_path):
    lines = counted("baseline", saw_calls=9.0, **{"wrong hits": 1.0})
    [_, row] = tabulate_damage(recorded(tmp_path, *lines)).rows
    assert row.cells[1] == "wrong hits: 1"


def test_a_replay_of_whole_cycles_counts_symbol_cycles_rejections_and_rows():
    workload = next(each for each in catalogue()["O13"].workloads if each.stage == "cycle")
    call = Call(0.0, 0.0, 0, (), Cycle((), (), (), Readings([], [], None)))
    found = count_sights(workload, Replay([call, call], None, None), 6)
    assert found["saw symbol-cycles"] == 12
    assert found["saw cycles"] == 2
    assert found["saw rows"] == 0


def test_the_stored_run_saw_something_on_every_workload_that_a_claim_is_judged_on():
    told = {(each.optimization, each.workload): each for each in find_sights(REFERENCE)}
    judged = {(each.optimization, each.comparison.workload) for each in REFERENCE.all(Judgement) if each.headline}
    assert all(not told[at].unseen for at in judged & told.keys())
    assert "**What each workload contains.**" in text.markdown(REFERENCE, STUDY)
