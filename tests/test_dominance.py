"""Does the report name the arms that another one beats on every axis, and a simple rule that saves more?"""

import math
from pathlib import Path

import msgspec
import pytest

from argo_bench.harness.record.records import Fidelity, Judgement
from argo_bench.harness.record.store import load
from argo_bench.report import text, verdicts
from argo_bench.study.report.dominance import (
    find_beaten,
    find_dominated,
    note_beside,
    saved_on_hull,
    tabulate_dominated,
)
from argo_bench.study.report.sections import STUDY
from tests.test_report_counted import trading_day
from tests.test_report_finding import RUN, estimate, judgement, recorded, result

REFERENCE = load(Path(__file__).parents[1] / "results" / "reference")
RISING = [(0.0, 0.0), (10.0, 0.5), (20.0, 0.6), (30.0, 0.55), (40.0, 0.9)]


@pytest.mark.parametrize(
    ("at", "saved"),
    [(0, 0.0), (5, 0.25), (10, 0.5), (25, 0.5 + 0.4 / 2), (40, 0.9), (99, 0.9), (-1, -math.inf)],
)
def test_the_hull_is_that_of_the_points_above_and_left(at, saved):
    assert saved_on_hull(RISING, at) == pytest.approx(saved)


def test_of_rules_without_damage_the_best_counts():
    assert saved_on_hull([(0.0, 0.1), (0.0, 0.4), (0.0, 0.3)], 0.0) == 0.4


def found(run):
    return {(each.compared.workload, each.arm): each for each in find_dominated(run)}


DAY = "fetch, a trading day"


def test_an_arm_is_dominated_by_one_that_is_no_worse_under_every_seed(tmp_path):
    seen = found(recorded(tmp_path, *trading_day()))
    assert seen[DAY, "engineered"].sentence == (
        "fixed 60 s beats it: better in requests (88 against 185), no worse in data age p99 s"
    )
    assert (DAY, "fixed 60 s") not in seen
    assert (DAY, "baseline") not in seen


def test_a_seed_under_which_it_is_better_saves_an_arm(tmp_path):
    lines = trading_day(baseline=(0.0, 1000.0), engineered=(58.0, 180.0), **{"fixed 60 s": (58.0, 83.0)})
    spared = [
        msgspec.structs.replace(each, counts=each.counts | {"data age p99 s": 57.0})
        if (each.arm, each.seed) == ("engineered", 1)
        else each
        for each in lines
    ]
    assert (DAY, "engineered") not in found(recorded(tmp_path, *spared))


def test_where_a_rule_saves_more_at_the_same_damage_the_row_says_so(tmp_path):
    claim = judgement("fell short", 2.9, arm="engineered", claim="O03.calls", metric="requests", workload=DAY)
    run = recorded(tmp_path, claim, *trading_day())
    [beaten] = find_beaten(run)
    assert beaten.sentence == (
        "a fixed TTL of 60 s saves 91.2 % of the requests and does no more harm; "
        "engineered saves 81.6 % (under 2 seeds)"
    )
    assert note_beside(run)["O03.calls", "engineered"][0] == beaten.sentence
    shown = verdicts.tabulate_verdicts(run, "Verdicts", [claim], notes=note_beside(run)).rows[0].cells[3]
    assert shown.split("\n")[:2] == ["same", beaten.sentence]
    assert beaten.sentence in text.markdown(run, STUDY)


def test_an_engineered_arm_on_or_above_the_hull_is_not_beaten(tmp_path):
    arms = {"baseline": (0.0, 1000.0), "engineered": (40.0, 180.0), "fixed 20 s": (19.0, 250.0)}
    assert find_beaten(recorded(tmp_path, *trading_day(**arms, **{"fixed 60 s": (58.0, 183.0)}))) == []


def timed(arm, speedup, workload="consensus, hit"):
    return result(judgement("refuted", speedup, arm=arm, workload=workload))


def checked(arm, output="same", **more):
    return Fidelity(
        "O06", arm, None, 3, {"target": 3} if output != "same" else {}, 0.0, output, output == "same", **more
    )


def test_times_dominate_by_intervals_apart_and_outputs_count_as_damage(tmp_path):
    lines = (checked("prescribed", "differs: target in 3 of 3 cases", scope="cases", saw={"cases": 3}),)
    lines += (checked("engineered", scope="cases", saw={"cases": 3}),)
    alike = [
        msgspec.structs.replace(timed(arm, speedup), cpu=estimate(speedup, 0.001))
        for arm, speedup in (("prescribed", 2.0), ("engineered", 2.002))
    ]
    seen = found(recorded(tmp_path, *alike, *lines))
    where = "consensus, hit", "prescribed"
    assert seen[where].sentence == "engineered beats it: better in output, no worse in CPU time"
    assert list(seen) == [where]


def test_times_whose_intervals_overlap_decide_nothing(tmp_path):
    lines = (checked("prescribed", "differs: target in 3 of 3 cases", scope="cases", saw={"cases": 3}),)
    lines += (checked("engineered", scope="cases", saw={"cases": 3}),)
    assert found(recorded(tmp_path, timed("prescribed", 2.0), timed("engineered", 2.01), *lines)) == {}


def test_parts_of_a_set_are_no_alternatives(tmp_path):
    assert found(recorded(tmp_path, timed("engineered", 2.0), timed("only O02", 0.5), timed("without O02", 4.0))) == {}


def test_a_slower_arm_is_dominated_by_doing_nothing(tmp_path):
    seen = found(recorded(tmp_path, timed("engineered", 0.25), checked("engineered", scope="cases", saw={"cases": 3})))
    assert [each.sentence for each in seen.values()] == [
        "baseline beats it: better in CPU time (4.00x), no worse in output"
    ]


def test_damage_that_a_faster_arm_does_spares_the_slower_one(tmp_path):
    lines = (checked("prescribed", "differs: target in 3 of 3 cases", scope="cases", saw={"cases": 3}),)
    lines += (checked("engineered", scope="cases", saw={"cases": 3}),)
    run = recorded(tmp_path, timed("prescribed", 4.0), timed("engineered", 2.0), *lines, run=RUN)
    assert found(run) == {}


def test_the_stored_run_has_dominated_arms_and_its_report_says_where():
    named = {
        (each.compared.optimization, each.compared.workload, each.arm, each.by) for each in find_dominated(REFERENCE)
    }
    assert named >= {
        ("O04", "explanations, a trading day", "simple", "engineered"),
        ("O06", "consensus, live trace", "engineered", "baseline"),
        ("O06", "consensus, hit", "prescribed", "baseline"),
        ("O12", "reason, a trading day", "prescribed", "engineered"),
        ("O01", "fetch, held by this process, latencies x 0.05", "engineered", "local dict"),
    }
    told = {(row.cells[0], row.cells[1].rpartition(" at ")[0]) for row in tabulate_dominated(REFERENCE).rows}
    assert {(f"{identifier} {arm}", workload) for identifier, workload, arm, _ in named} <= told
    notes = note_beside(REFERENCE)
    judged = {(each.optimization, each.comparison.workload, each.arm): each for each in REFERENCE.all(Judgement)}
    for identifier, workload, arm, by in named:
        if (at := judged.get((identifier, workload, arm))) is not None:
            assert any(f"{by} beats it" in each for each in notes[at.claim, arm])


def test_in_the_stored_run_no_engineered_variant_saves_less_at_its_damage_than_simple_ways_do():
    assert find_beaten(REFERENCE) == []
