"""Do ratios over time say what moved, and nothing about days?"""

import re
from pathlib import Path

import msgspec
import pytest

from argo_bench.errors import UserError
from argo_bench.gate.history import Point, Series, history_of, read_runs, table_of
from argo_bench.gate.history_figure import draw_history
from argo_bench.gate.records import Shard
from argo_bench.harness.record.store import Recorded
from tests.program import argo_here
from tests.stored import gate_lines, sealed, store
from tests.test_gate import RUN
from tests.test_report_finding import judgement, recorded

REFERENCE = "results/reference"


def point(day, speedup, spread=0.05):
    return Point(f"2026-11-{day:02}T10:00:00", f"run {day}", "0.1", "AMD", speedup, speedup - spread, speedup + spread)


def test_a_ratio_has_moved_where_two_neighbouring_intervals_have_nothing_in_common():
    series = Series("O08.time engineered", (point(1, 2.0), point(2, 2.08), point(3, 3.0), point(4, 3.0)))
    assert series.moves == ("moved from 2.08x [2.03, 2.13] to 3x [2.95, 3.05] on 2026-11-03",)
    assert Series("still", (point(1, 2.0), point(2, 2.08))).moves == ()


def test_the_table_has_what_moved_first():
    still = Series("a", (point(1, 2.0), point(2, 2.0)))
    moved = Series("b", (point(1, 2.0), point(2, 3.0)))
    table = table_of([still, moved])
    assert table.title == "1 of 2 ratios have moved"
    assert [row.cells[0] for row in table.rows] == ["b", "a"]
    assert table.rows[1].cells[-1] == "no move is clear"


def test_runs_are_in_order_of_time_and_a_broken_one_is_told(tmp_path):
    (tmp_path / "run.jsonl").write_text("broken", encoding="utf-8")
    found, unreadable = read_runs([tmp_path, Path(REFERENCE)])
    assert len(found) == 1
    assert len(unreadable) == 1 and str(tmp_path) in unreadable[0]


def test_a_claim_that_no_run_has_is_told():
    found, _ = read_runs([Path(REFERENCE)])
    with pytest.raises(UserError, match=r"no run has a ratio for 'O99.time'"):
        history_of(found, "O99.time")


def test_the_figure_has_a_panel_each_and_says_what_moved(tmp_path):
    series = [Series("a", (point(1, 2.0), point(2, 3.0))), Series("b", (point(1, 2.0),))]
    picture = draw_history(series)
    assert len(picture.figure.axes) == 2
    assert picture.alt == "2 speed-ups with intervals over runs from 2026-11-01 to 2026-11-02. a clearly moved."
    assert picture.svg() == draw_history(series).svg()
    assert len(picture.data.rows) == 3


def test_the_command_shows_ratios_and_writes_the_figure(tmp_path):
    svg = tmp_path / "history.svg"
    arguments = ("ci", "history", REFERENCE, f"{REFERENCE}/seed-0", "--claim", "O08.time", "--svg", str(svg))
    done = argo_here(*arguments)
    assert done.returncode == 0
    assert "O08.time engineered" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert svg.read_bytes().startswith(b"<?xml")
    assert "speed-ups with intervals over runs" in done.stderr


def test_runs_of_a_kind_without_ratios_are_none(tmp_path):
    one = recorded(tmp_path, judgement("inconclusive", None))
    with pytest.raises(UserError, match="no run has a ratio for a claim on a time"):
        history_of([one])


def of_profile(profile, speedup=2.0):
    header = msgspec.structs.replace(RUN, profile=profile, run=profile)
    return Recorded(None, [header, judgement("confirmed", speedup)])


def test_runs_of_unlike_profiles_are_never_laid_beside_each_other():
    found = history_of([of_profile("quick", 3.0), of_profile("default"), of_profile("quick", 3.0)])
    assert [(each.profile, len(each.points)) for each in found] == [("default", 1), ("quick", 2)]
    assert found[1].label == f"{found[0].label} (quick)"
    assert table_of(found).title == "0 of 2 ratios have moved"


def test_a_gate_has_head_by_base_of_each_benchmark_and_names_the_commits_that_moved_it(tmp_path):
    gate = store(tmp_path / "gate", sealed(gate_lines()))
    found = history_of([of_profile("default"), gate, gate])
    series = {each.name: each for each in found if each.profile == "ci"}
    assert {*series} == {"parse", "render", "store"}
    assert found[0].profile == "default" and len(series["parse"].points) == 2
    assert series["parse"].label == "parse (gate)"
    assert re.fullmatch(r"1\.\d+ of base \[1\.\d+, 1\.\d+\] at h{10} on 2026-01-02", series["parse"].moves[0])
    assert series["render"].moves == ()
    assert "where the interval leaves out 1" in table_of(found).note
    assert [each.name for each in history_of([gate], "render")] == ["render"]


def test_a_shard_is_left_to_its_merged_record(tmp_path):
    header, revisions, *rest = gate_lines()
    part = msgspec.structs.replace(revisions, shards=[Shard(1, 1)])
    merged = msgspec.structs.replace(revisions, shards=[Shard(1, 1, is_merged=True)])
    assert len(history_of([Recorded(None, [header, merged, *rest])])) == 3
    with pytest.raises(UserError):
        history_of([Recorded(None, [header, part, *rest])])


def test_the_alternative_text_stays_short_however_much_was_drawn():
    series = [Series(f"benchmark {number}", (point(1, 2.0), point(2, 3.0))) for number in range(20)]
    alt = draw_history(series).alt
    assert alt.count(". ") == 1
    assert len(alt) < 200
    still = draw_history([Series("a", (point(1, 2.0),))]).alt
    assert still == "1 speed-up with intervals over runs on 2026-11-01. None of them clearly moved."
