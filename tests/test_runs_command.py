"""Does argo-bench report with several runs say what changed, write the newest page, and refuse what is for one run?"""

import json

import pytest
from click.testing import CliRunner, Result

from argo_bench.cli.main import cli
from argo_bench.errors import UserError
from tests.test_report_finding import judgement, recorded


def report(*arguments) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def runs(tmp_path):
    """Folders of three runs: the claim falls from the second to the third."""
    found = []
    for name, word, speedup in (("a", "confirmed", 2.5), ("b", "confirmed", 2.5), ("c", "refuted", 0.9)):
        (tmp_path / name).mkdir()
        found.append(recorded(tmp_path / name, judgement(word, speedup)).directory)
    return found


def test_two_runs_say_what_flipped_first_and_last(runs):
    done = report(*runs[1:])
    said = "Of 1 verdict in both runs, 1 flipped."
    lines = done.stdout.strip().splitlines()
    assert (lines[0], lines[-1]) == (said, said)
    assert "Trend" not in done.stdout
    assert max(map(len, lines)) <= 80
    page = runs[2] / "report.html"
    assert f"report: {page}" in done.stderr
    assert "What changed since" in page.read_text(encoding="utf-8")
    assert not (runs[1] / "report.html").exists()


def test_three_runs_have_a_trend(runs, tmp_path):
    done = report(*runs, "--out", tmp_path / "out")
    assert "Trend over runs" in done.stdout
    assert "Trend over 3 runs" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert not (runs[2] / "report.html").exists()


def test_json_has_every_change_and_writes_nothing(runs):
    compared = json.loads(report(*runs[1:], "--json").stdout)["compared"]
    assert [(each["claim"], each["change"]) for each in compared["changes"]] == [("O06.time", "flipped")]
    assert not (runs[2] / "report.html").exists()


def test_markdown_is_printed(runs):
    shown = report(*runs[1:], "--format", "markdown").stdout
    assert shown.startswith("**Of 1 verdict in both runs, 1 flipped.**")
    assert "| --- |" in shown


@pytest.mark.parametrize("asked", [("--csv", "x.csv"), ("--format", "junit"), ("--format", "notebook")])
def test_what_is_for_one_run_is_refused_with_the_way_out(asked, runs):
    with pytest.raises(UserError, match="is for one run") as refused:
        report(*runs, *asked)
    assert "expected one of table" in str(refused.value) or "name one run" in str(refused.value)
