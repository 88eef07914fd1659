"""Does argo-bench report print what is asked for, write what it says, and name a bad file in one sentence?"""

import json
import webbrowser

import pytest
from click.testing import CliRunner, Result

from argo_bench.cli.main import cli
from argo_bench.errors import UserError
from argo_bench.harness.claims.verdict import word_for
from tests.test_report_finding import judgement, recorded, result
from tests.test_report_tables import WORDS, every_kind_of_row

HEROES = [f"hero{narrow}{dark}.svg" for narrow in ("", "-narrow") for dark in ("", "-dark")]
ALONE = sorted([*HEROES, "hero.png", "report.html", "report.md", "run.jsonl"])


@pytest.fixture
def run(tmp_path):
    return recorded(tmp_path / "run", *every_kind_of_row()).directory


def report(*arguments) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)], catch_exceptions=False)


def names(directory) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_table_is_printed_within_80_columns_and_without_colours_where_it_is_piped(run):
    shown = report(run).stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown
    assert all(word_for(word).split()[0] in shown for word in WORDS)


def test_with_the_table_all_files_are_written(run):
    done = report(run)
    assert names(run) == ALONE
    assert f"report: {run / 'report.html'}" in done.stderr


def test_json_is_for_a_program_and_writes_nothing(run):
    for asked in (("--format", "json"), ("--json",)):
        assert len(json.loads(report(run, *asked).stdout)["verdicts"]) == 2 * len(WORDS)
    assert names(run) == ["run.jsonl"]


def test_markdown_goes_to_the_output_as_github_shows_it(run):
    shown = report(run, "--format", "markdown").stdout
    assert shown.startswith("**3 of 13 claims are reached")
    assert "| --- | --- |" in shown
    assert names(run) == ["run.jsonl"]


def test_html_writes_the_page_and_prints_where_it_is(run):
    assert report(run, "--format", "html").stdout == f"{run / 'report.html'}\n"
    assert names(run) == ["report.html", "run.jsonl"]


def test_open_shows_the_page_in_the_browser(run, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    report(run, "--format", "json", "--open")
    assert opened == [(run / "report.html").as_uri()]
    assert names(run) == ["report.html", "run.jsonl"]


def cut_off(content: bytes) -> bytes:
    return content[:-40]


def altered(content: bytes) -> bytes:
    return content.replace(b"O06.time", b"O06.tIme")


def foreign(content: bytes) -> bytes:
    return b'{"benchmarks": [{"name": "parse", "stats": {"mean": 1.0}}]}\n'


def empty(content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut_off, "line 4: expected a line of a run"),
        (altered, "its content does not match its digest"),
        (foreign, "line 1: expected a line of a run"),
        (empty, "is empty or does not begin with a run"),
    ],
)
def test_a_file_that_is_no_whole_run_is_named_in_one_sentence(damage, says, tmp_path):
    one = judgement()
    file = recorded(tmp_path, result(one), one).directory / "run.jsonl"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(UserError) as raised:
        report(file.parent)
    assert says in str(raised.value)
    assert str(file) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert names(file.parent) == ["run.jsonl"]
