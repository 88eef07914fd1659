"""Does the command line do what it says, and meet a mistake with one sentence and exit code 2?"""

import json
import shutil

import pytest

from argo_bench.optimizations import subjects
from argo_bench.pipeline.market import generate
from tests.conftest import REAL_BARS
from tests.program import argo, argo_here

HEADER = "Date,Open,High,Low,Close,Volume\n"


def rows(count, start="2020-01-01"):
    frame = generate(["AAA"], count, seed=1).frames["AAA"]
    return [
        f"{day:%Y-%m-%d},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}"
        for day, bar in zip(frame.index, frame.itertuples(index=False), strict=True)
    ]


def changed(line, text):
    good = rows(300)
    good[line] = text(good[line].split(","))
    return HEADER + "\n".join(good) + "\n"


def field(number, value):
    return lambda cells: ",".join([*cells[:number], value, *cells[number + 1 :]])


BAD_FILES = {
    "an empty file": ("", "empty"),
    "a missing column": (HEADER.replace("Volume", "Vol") + "\n".join(rows(300)), "volume"),
    "a duplicate date": (HEADER + "\n".join([*rows(300), rows(300)[-1]]), "lines 301 and 302"),
    "a date that is none": (changed(10, field(0, "yesterday")), "line 12"),
    "a missing number": (changed(10, field(4, "")), "line 12"),
    "an infinity": (changed(10, field(4, "inf")), "line 12"),
    "a negative price": (changed(10, field(3, "-1.0")), "line 12"),
    "a high below the low": (changed(10, field(2, "0.0001")), "line 12"),
    "fewer than 260 bars": (HEADER + "\n".join(rows(259)), "260"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_data_gets_one_sentence_with_its_place_and_exit_code_2(kind, tmp_path):
    content, place = BAD_FILES[kind]
    file = tmp_path / "AAA.csv"
    file.write_text(content)
    done = argo_here("run", "O08", "--data", file, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "AAA.csv" in done.stderr
    assert place in done.stderr
    assert "expected" in done.stderr
    assert not (tmp_path / "run").exists()


MISTAKES = {
    "a missing file": (["run", "--data", "nowhere.csv"], "nowhere.csv"),
    "an unknown optimization": (["run", "O88"], "did you mean O08"),
    "an unknown id to explain": (["explain", "O88"], "did you mean O08"),
    "an unknown stage": (["explain", "--stage", "regim"], "regime"),
    "nothing to explain": (["explain"], "argo-bench explain O11"),
    "a run that is not there": (["report", "results/none"], "no run at results/none"),
    "an unknown profile": (["run", "--profile", "slow"], "quick"),
    "no symbols": (["run", "--symbols", "0"], "--symbols"),
    "an unknown command": (["measure"], "measure"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_in_the_call_is_said_without_a_traceback(kind, tmp_path):
    arguments, says = MISTAKES[kind]
    done = argo_here(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_process_says_and_returns_what_is_said_and_returned_within_this_one(tmp_path):
    for arguments in (["list"], ["explain", "O88"], ["report", "results/none"]):
        apart, here = argo(*arguments, cwd=tmp_path), argo_here(*arguments, cwd=tmp_path)
        assert (apart.returncode, apart.stdout, apart.stderr) == (here.returncode, here.stdout, here.stderr)


def test_list_names_every_optimization_and_the_two_sets_of_them():
    shown = argo_here("list").stdout
    for optimization in subjects().values():
        assert optimization.id in shown
        assert all(word in shown for word in optimization.name.split())


def test_list_as_json_can_be_read_by_a_program():
    listed = json.loads(argo("list", "--json").stdout)
    assert [each["id"] for each in listed] == list(subjects())


@pytest.mark.parametrize("identifier", list(subjects()))
def test_explain_shows_claim_reading_and_the_three_sources(identifier):
    done = argo_here("explain", identifier)
    words = " ".join(done.stdout.split())
    assert done.returncode == 0
    for claim in subjects()[identifier].claims:
        assert claim.id in words
        assert " ".join(claim.reading.split()[:4]) in words
    for source in ("baseline", "prescribed", "engineered"):
        assert source in words
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_explain_a_stage_shows_baseline_and_optimized():
    done = argo_here("explain", "--stage", "regime")
    assert done.returncode == 0
    assert "baseline/regime.py" in done.stdout
    assert "optimized/regime.py" in done.stdout


def test_settings_come_from_flags_then_environment_then_pyproject(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.argo_bench]\ndata = "from-pyproject.csv"\n')
    import os

    environment = os.environ | {"ARGO_BENCH_DATA": "from-environment.csv"}
    assert "from-flag.csv" in argo_here("run", "--data", "from-flag.csv", cwd=tmp_path, env=environment).stderr
    assert "from-environment.csv" in argo_here("run", cwd=tmp_path, env=environment).stderr
    assert "from-pyproject.csv" in argo_here("run", cwd=tmp_path).stderr


def test_results_are_not_written_where_a_run_is(tmp_path):
    (tmp_path / "run.jsonl").write_text("")
    done = argo_here("run", "O06", "--profile", "quick", "--out", tmp_path)
    assert done.returncode == 2
    assert "holds a run already" in done.stderr


@pytest.mark.slow
def test_a_quick_run_on_real_bars_gives_table_record_and_figures(tmp_path):
    if not REAL_BARS.is_dir():
        pytest.skip("the real bars are not at hand")
    out = tmp_path / "run"
    done = argo("run", "O08", "--data", REAL_BARS, "--profile", "quick", "--out", out)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert {path.name for path in out.iterdir()} >= {"run.jsonl", "hero.svg", "hero-narrow.svg", "hero.png"}
    again = argo("report", out)
    assert again.stdout == done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SPY_multiheader.csv", "QQQ.parquet"])
def test_further_formats_are_measured_too(name, tmp_path):
    file = REAL_BARS.parent / "formats" / name
    if not file.exists():
        pytest.skip("the further formats are not at hand")
    shutil.copy(file, tmp_path / name)
    done = argo("run", "O08", "--data", tmp_path / name, "--profile", "quick", "--out", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    assert {each["claim"] for each in json.loads(done.stdout)["verdicts"]} >= {"O08.time"}
