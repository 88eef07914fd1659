"""Does the terminal show the answer first and last, as wide as it is, and what moves while a run takes long?"""

import math
import os
import subprocess
import sys
import tomllib
from importlib.metadata import version
from io import StringIO
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner
from rich.spinner import Spinner

import argo_bench
from argo_bench.cli.main import cli
from argo_bench.cli.shell import DEFAULT_WIDTH
from argo_bench.harness.progress import Progress
from argo_bench.report.console import PlainConsole
from argo_bench.report.progress import draw_state, move_on
from argo_bench.report.tables import Row, Table, terminal_table
from argo_bench.report.verdicts import COLUMNS, tabulate_verdicts
from tests.test_report_finding import judgement, recorded
from tests.test_report_tables import every_kind_of_row

ROOT = Path(__file__).parents[1]


def shown(*arguments: object, columns: str | None) -> str:
    done = CliRunner().invoke(cli, [*map(str, arguments)], env={"COLUMNS": columns}, catch_exceptions=False)
    return done.stdout


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


@pytest.fixture
def run(tmp_path):
    return recorded(tmp_path / "run", *every_kind_of_row()).directory


def test_the_answer_is_the_first_and_the_last_that_a_report_says(run):
    lines = shown("report", run, columns="500").splitlines()
    assert lines[0] == lines[-1] == f"{argo_bench.load(run)}"


@pytest.mark.parametrize("command", [("list",), ("explain", "O06")])
def test_columns_says_how_wide_the_output_is(command):
    narrow, wide = (shown(*command, columns=columns) for columns in ("80", "118"))
    assert widest(narrow) <= 80 < widest(wide) <= 118


@pytest.mark.slow
def test_a_wider_terminal_shows_a_report_in_fewer_lines_and_shortens_less(run):
    texts = [shown("report", run, columns=str(columns)) for columns in (80, 100, 120, 180)]
    assert all(widest(text) <= columns for text, columns in zip(texts, (80, 100, 120, 180), strict=True))
    lines = [len(text.splitlines()) for text in texts]
    assert lines == sorted(lines, reverse=True)
    assert lines[2] < 0.8 * lines[0]
    whole = "differs: key order of the body, volume in 12 of 40 steps of a symbol"
    assert [whole in text for text in texts] == [False, False, False, True]


def test_what_became_of_signals_stands_once_for_every_version_and_whole_elsewhere(tmp_path):
    damage = {"missed": 7.0, "added": 8.0, "signals": 1031.0}
    whole = "7 of 1031 signals missed, 8 added"
    said = f"differs: rows; {whole}"
    plain = [judgement("exceeded", 5.0, claim=claim) for claim in ("O01.time", "O01.cost")]
    judged = [msgspec.structs.replace(each, output=said, damage=damage) for each in plain]
    run = recorded(tmp_path, *judged)
    brief, full = (tabulate_verdicts(run, "Verdicts", judged, brief=brief) for brief in (True, False))
    assert [row.cells[3] for row in brief.rows] == ["differs: rows\nsignals: 7 missed, 8 added", "differs: rows"]
    assert all(row.cells[3] == said for row in full.rows)


def test_lines_below_an_output_stay_where_it_is_shortened():
    said = "as declared (the wording; until the text arrives: a template)"
    cells = ("O01.time engineered", "-50 to -70 %", 22 * "x", f"{said}\nsignals: 7 missed", "exceeded")
    table = Table("Verdicts", "", COLUMNS, (Row(cells, "exceeded"),))
    for width, is_whole in ((80, False), (200, True)):
        console = PlainConsole(width=width, file=StringIO(), color_system=None)
        console.print(terminal_table(table))
        shown = " ".join(console.file.getvalue().split())
        assert (said in shown) == is_whole
        assert "missed" in shown


def test_columns_says_how_wide_the_help_is():
    command = [sys.executable, "-m", "argo_bench.cli", "run", "--help"]
    narrow, wide = (
        subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": columns}).stdout
        for columns in ("80", "118")
    )
    assert widest(narrow) <= 80 < widest(wide) <= 118


def test_output_that_is_piped_has_a_width_that_does_not_depend_on_who_calls(run):
    assert shown("list", columns=None) == shown("list", columns=str(DEFAULT_WIDTH))


@pytest.mark.slow
def test_the_files_of_a_report_go_where_out_says(run, tmp_path):
    before = sorted(run.iterdir())
    shown("report", run, "--out", tmp_path / "elsewhere", columns=None)
    assert {"report.html", "report.md"} <= {each.name for each in (tmp_path / "elsewhere").iterdir()}
    assert shown("report", run, "--format", "html", "--out", tmp_path / "page", columns=None).startswith(str(tmp_path))
    assert (tmp_path / "page/report.html").is_file()
    assert sorted(run.iterdir()) == before


PROFILED = [name for name, command in cli.commands.items() if any(each.name == "profile" for each in command.params)]


def test_commands_that_measure_or_check_take_a_profile():
    assert {"run", "check", "compare"} <= {*PROFILED}


NEEDED = {"sweep": ["--out", "there"]}


@pytest.mark.parametrize("name", PROFILED)
def test_quick_is_a_short_form_wherever_a_profile_is_taken(name, monkeypatch):
    command = cli.commands[name]
    seen: list[str] = []
    monkeypatch.setattr(command, "callback", _keeping_profile(seen))
    assert {"--quick", "--profile"} <= {option for each in command.params for option in each.opts}
    for words in (["--quick"], ["--profile", "quick"], []):
        CliRunner().invoke(
            cli, [name, *words, *NEEDED.get(name, [])], env={"ARGO_BENCH_PROFILE": None}, catch_exceptions=False
        )
    assert seen == ["quick", "quick", "default"]


def _keeping_profile(seen):
    from argo_bench.cli.shell import takes_profile

    def keep(*, profile: str, **options: object) -> None:
        seen.append(profile)

    return takes_profile(keep)


def test_the_package_says_its_version():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert argo_bench.__version__ in (version("argo-bench"), declared)
    assert argo_bench.__version__ in CliRunner().invoke(cli, ["--version"]).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_gets_a_script_that_completes_commands(shell):
    code = "import sys; from argo_bench.cli.main import main; sys.argv[0] = 'argo-bench'; main()"
    environment = {"_ARGO_BENCH_COMPLETE": f"{shell}_source", "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert "_ARGO_BENCH_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("begun", "completed"), [("O0", {f"O0{number}" for number in range(1, 10)}), ("a", {"ALL"}), ("x", set())]
)
def test_the_shell_completes_ids_of_optimizations(begun, completed):
    for name, argument in (("run", "ids"), ("check", "ids"), ("explain", "id")):
        command = cli.commands[name]
        parameter = next(each for each in command.params if each.name == argument)
        items = parameter.shell_complete(click.Context(command), begun)
        assert {each.value for each in items} == completed


def line_of(state: Progress, width: int) -> str:
    console = PlainConsole(width=width, file=StringIO(), color_system=None)
    console.print(draw_state(state, Spinner("dots"), width))
    return console.file.getvalue().rstrip("\n")


def test_remaining_time_goes_on_between_two_reports_of_a_run():
    state = Progress(30.0, 90.0, "timing", "")
    assert "25%  1:30 left  timing" in line_of(state, 80)
    assert "50%  1:00 left  timing" in line_of(move_on(state, 30.0), 80)
    assert "0:00 left" in line_of(move_on(state, 1e6), 80)


def test_where_the_remaining_time_is_unknown_none_is_shown():
    assert "left" not in line_of(Progress(5.0, math.inf, "installing", ""), 80)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_line_of_progress_takes_one_line_and_more_words_where_there_is_room(width):
    line = line_of(Progress(30.0, 90.0, "timing " + 100 * "x", ""), width)
    assert "\n" not in line
    assert width - 16 <= len(line) <= max(width, 50)
