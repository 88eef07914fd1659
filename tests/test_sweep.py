"""Does a sweep span its grid, go on where it stopped, and show what it found at each point?"""

import json

import msgspec
import pytest
from click.testing import CliRunner

from argo_bench.cli import sweep as command
from argo_bench.cli.main import cli
from argo_bench.errors import UserError
from argo_bench.harness.record.records import Asked, End, Run
from argo_bench.pipeline.market import generate
from argo_bench.pipeline.market.universe import Universe
from argo_bench.pipeline.world.content import LATENCIES
from argo_bench.report.sweep_figure import draw_sweep
from argo_bench.report.sweep_table import describe_sweep, find_all, tabulate_sweep
from argo_bench.study.sweep import ask_for, find_measured, scale_latencies, span_grid
from tests import stored

replace = msgspec.structs.replace
ASKED = Asked(["O08"], None, "quick", None, 1, None, False, False, False, None)


def test_a_grid_has_every_combination_and_names_what_varies():
    points = span_grid(ASKED, {"symbols": [6, 60], "seed": [1, 2, 3], "bars": []})
    assert [each.name for each in points] == [f"symbols={n},seed={seed}" for n in (6, 60) for seed in (1, 2, 3)]
    assert [(each.asked.symbols, each.asked.seed) for each in points] == [(n, s) for n in (6, 60) for s in (1, 2, 3)]
    assert all(each.asked.ids == ["O08"] for each in points)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"symbols": [6]}, "two points at the least"),
        ({"seed": [1, 2, 1]}, "--seed: expected each value once, got 1, 2, 1"),
    ],
)
def test_a_grid_that_is_none_is_refused(values, said):
    with pytest.raises(UserError, match=said):
        span_grid(ASKED, values)


def test_latencies_are_the_usual_ones_or_the_readers_times_a_factor():
    usual = scale_latencies(None, 1.0)
    assert usual.keys() == LATENCIES.keys()
    assert usual["sonar"] == {"median_ms": 1800.0, "p99_ms": 6000.0}
    own = scale_latencies({"sonar": {"median_ms": 900.0, "p99_ms": 2500.0, "input_price": 1.0}}, 0.1)
    assert own["sonar"] == pytest.approx({"median_ms": 90.0, "p99_ms": 250.0, "input_price": 1.0})
    assert own["massive"] == pytest.approx({"median_ms": 12.0, "p99_ms": 60.0})
    assert ask_for(ASKED, {"latency": 0.1}).latencies == scale_latencies(None, 0.1)


def test_the_newest_bars_are_taken_and_too_few_are_refused():
    frames = generate(("AAA", "BBB"), 400, seed=7).frames
    universe = Universe(frames, dict.fromkeys(frames, "generated"), "a test")
    newest = universe.take_newest(300)
    assert {symbol: len(frame) for symbol, frame in newest.frames.items()} == {"AAA": 300, "BBB": 300}
    assert newest.frames["AAA"].index[-1] == frames["AAA"].index[-1]
    with pytest.raises(UserError, match="AAA, BBB have fewer: take 400 at the most"):
        universe.take_newest(401)
    with pytest.raises(UserError, match="expected at least 260 bars of a symbol, got 100"):
        universe.take_newest(100)


def store_point(folder, asked, *, interrupted=False):
    """A record as the run of a point leaves it, with the verdicts of the stored run."""
    lines = []
    for each in stored.run_lines():
        if isinstance(each, Run):
            each = replace(each, asked=asked)
        if isinstance(each, End):
            each = replace(each, interrupted=interrupted)
        lines.append(each)
    folder.mkdir(parents=True, exist_ok=True)
    stored.store(folder, stored.sealed(lines))


def test_a_point_is_measured_once_it_has_ended_and_another_run_is_refused(tmp_path):
    first, second = span_grid(ASKED, {"symbols": [6, 60]})
    assert find_measured(first, tmp_path / "a") is None
    store_point(tmp_path / "a", first.asked, interrupted=True)
    assert find_measured(first, tmp_path / "a") is None
    store_point(tmp_path / "a", first.asked)
    assert find_measured(first, tmp_path / "a") is not None
    with pytest.raises(UserError, match="asked for something else: expected that of symbols=60"):
        find_measured(second, tmp_path / "a")


@pytest.fixture
def measured(monkeypatch):
    """Points that are measured by storing a record; the third one is interrupted the first time."""
    begun = []

    def measure(point, folder):
        begun.append(point.name)
        is_cut = begun.count(point.name) == 1 and len(begun) == 3
        store_point(folder, point.asked, interrupted=is_cut)
        return is_cut

    monkeypatch.setattr(command, "_measure", measure)
    monkeypatch.setattr("argo_bench.harness.run.expect_seconds", lambda job: 90.0)
    monkeypatch.setattr("argo_bench.study.job.job_of", lambda asked: None)
    return begun


def test_a_sweep_says_what_it_will_take_goes_on_where_it_stopped_and_draws_curves(measured, tmp_path):
    arguments = ["sweep", "O08", "--symbols", "6,60,600", "--seed", "1,2", "--out", str(tmp_path / "out")]
    first = CliRunner().invoke(cli, arguments)
    assert first.exit_code == 130, first.output
    assert "6 of 6 points are to be measured. On six symbols that would take 9 min" in first.output
    second = CliRunner().invoke(cli, [*arguments, "--json"])
    assert second.exit_code == 0, second.output
    assert "4 of 6 points are to be measured" in second.output
    assert measured == [*measured[:3], measured[2], *measured[4:]]
    assert len(set(measured)) == 6
    found = json.loads(second.stdout)
    assert {(each["symbols"], each["seed"]) for each in found} == {(n, s) for n in (6, 60, 600) for s in (1, 2)}
    assert (tmp_path / "out" / "sweep.svg").exists()
    assert (tmp_path / "out" / "sweep-dark.svg").exists()
    third = CliRunner().invoke(cli, arguments)
    assert len(measured) == 7
    assert "S1.time" in third.stdout


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--symbols", "6,sixty", "'sixty' is not a valid integer range"),
        ("--symbols", "0,6", "0 is not in the range x>=1"),
        ("--trace", "live,wild", "'wild' is not one of 'live', 'calm', 'open', 'frozen'"),
        ("--latency", "nan,1", "expected a positive factor, got 'nan'"),
        ("--seed", "1,-2", "-2 is not in the range x>=0"),
    ],
)
def test_values_that_are_none_are_refused(option, value, said, tmp_path):
    result = CliRunner().invoke(cli, ["sweep", option, value, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_table_and_curves_have_every_point(tmp_path):
    recorded = stored.store(tmp_path / "run", stored.sealed(stored.run_lines()))
    found = find_all([({"symbols": n, "trace": trace}, recorded) for n in (6, 60) for trace in ("live", "calm")])
    table = tabulate_sweep(found)
    assert len(table.rows) == len(found) == len(describe_sweep(found)) > 0
    for over, theme in (("symbols", "light"), ("trace", "dark")):
        picture = draw_sweep(found, over, theme)
        assert picture.svg().count(b"<svg") == 1
        assert f"over {over}" in picture.alt
