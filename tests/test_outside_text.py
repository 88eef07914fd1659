"""Is text from outside shown as text everywhere, whatever characters it has, and whatever takes the output?"""

import functools
import json
import os
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from rich.text import Text

from argo_bench.cli.main import cli
from argo_bench.controls import CONTROLS, escape_controls, spell_controls
from argo_bench.errors import UserError
from argo_bench.gate.outcome import Outcome
from argo_bench.harness.machine.fitness import FitnessCheck
from argo_bench.harness.progress import Progress
from argo_bench.integrations.outputs.github import annotate
from argo_bench.integrations.pairs import summarize
from argo_bench.opening import open_report
from argo_bench.report.console import PlainConsole
from argo_bench.report.machine import Machine
from argo_bench.report.progress import progress_bar, progress_lines
from tests.edits import file_of, seal_anew
from tests.stored import FILE_NAME, body_of, gate_lines, run_lines, sealed

ROOT = Path(__file__).parents[1]
NASTY = "\x1b[2J\x07\r\x00\x9b31m\u202egnp\u2066|</text>[/b]$"
FIELDS = {
    "sentence",
    "text",
    "reason",
    "source",
    "processor",
    "description",
    "condition",
    "command",
    "symbols",
    "files",
}
FIELDS |= {"name", "nouns", "needs", "holds_when", "when_providers_fail", "difference", "unknown", "run", "busy", "saw"}


def spoil(value, field=""):
    """The value with control characters after every text from outside, and in the keys of mappings of such."""
    if isinstance(value, dict):
        grown = {key: spoil(item, field if field in FIELDS else key) for key, item in value.items()}
        return {f"{key}{NASTY}": item for key, item in grown.items()} if field in ("symbols", "saw") else grown
    if isinstance(value, list):
        return [spoil(each, field) for each in value]
    return f"{value}{NASTY}" if isinstance(value, str) and field in FIELDS else value


def spoiled(lines):
    bodies = []
    for each in sealed(lines):
        content = json.loads(body_of(each))
        kept = {"workloads", "functions"}  # these are looked up by what they are called
        changed = {key: item if key in kept or key == "type" else spoil(item, key) for key, item in content.items()}
        bodies.append(json.dumps(changed).encode())
    return file_of(seal_anew(bodies))


@functools.cache
def contents():
    return {"run": spoiled(run_lines()), "gate": spoiled(gate_lines())}


@pytest.fixture(params=["run", "gate"])
def outside(request, tmp_path):
    (tmp_path / FILE_NAME).write_bytes(contents()[request.param])
    return tmp_path


def shown(*arguments):
    try:
        done = CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)
    except UserError as error:
        return str(error)
    return done.output


def test_controls_are_spelled_as_python_and_json_do():
    assert spell_controls("a\x1b\x9b\u202e\ud800\tb\n") == "a\\x1b\\x9b\\u202e\\ud800\tb\n"
    assert spell_controls(spell_controls(NASTY)) == spell_controls(NASTY)
    assert json.loads(escape_controls(json.dumps(NASTY, ensure_ascii=False))) == NASTY
    assert spell_controls("Grün 理由 🙂 ≥ 1.5×") == "Grün 理由 🙂 ≥ 1.5×"


@pytest.mark.parametrize("form", ["markdown", "junit", "github", "table"])
def test_no_text_of_a_record_commands_a_terminal(form, outside, monkeypatch):
    monkeypatch.setattr("argo_bench.cli.run.save", lambda report, directory: None)
    said = shown("report", outside, "--format", form)
    assert "\\x1b[2J" in said
    assert not CONTROLS.search(said)
    if form == "junit" and said.startswith("<?xml"):
        ElementTree.fromstring(said)


@pytest.mark.parametrize("command", [("verify",), ("ci", "history"), ("ci", "thresholds")])
def test_no_command_shows_what_would_command_a_terminal(command, outside):
    said = shown(*command, outside)
    assert not CONTROLS.search(said)
    if command[-1] == "thresholds" and said.startswith("#"):
        tomllib.loads(said)


@pytest.mark.parametrize("form", ["json", "pyperf", "pytest-benchmark"])
def test_json_keeps_every_character_and_shows_none_that_commands(form, outside):
    said = CliRunner().invoke(cli, ["report", str(outside), "--format", form]).stdout
    assert not CONTROLS.search(said)
    if said.startswith("{") and form != "pyperf":  # which shows no text from outside
        assert any("\x1b[2J\x07" in each for each in _texts_of(json.loads(said)))


def _texts_of(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts_of(item)
    elif isinstance(value, list):
        for each in value:
            yield from _texts_of(each)
    elif isinstance(value, str):
        yield value


def test_pages_documents_and_drawings_have_no_control_characters(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(contents()["run"])
    report = open_report(tmp_path)
    page = report.save_page(tmp_path).read_text(encoding="utf-8")
    assert "\\x1b[2J" in page
    assert not CONTROLS.search(page)
    drawn = report.hero()
    ElementTree.fromstring(drawn.svg())
    assert not CONTROLS.search(drawn.alt + str(report) + report._repr_html_())


def test_a_console_shows_what_would_command_it_and_keeps_its_own_colours(capsys):
    console = PlainConsole(force_terminal=True, width=80, color_system="standard")
    console.print(Text(f"red{NASTY}", style="red"))
    said = capsys.readouterr().out
    assert said.startswith("\x1b[31mred\\x1b[2J")
    assert "\x1b[2J" not in said and "\x9b" not in said


def test_what_was_found_of_a_machine_is_text(capsys):
    found = FitnessCheck("runs", f"another run measures here (in results/[/x]{NASTY})", "unfit", "wait")
    PlainConsole(width=200).print(Machine((found,), {"processor": NASTY, "system": "", "python": ""}))
    said = capsys.readouterr().out
    assert "results/[/x]\\x1b[2J" in said
    assert not CONTROLS.search(said)


def test_progress_shows_names_as_text(capsys):
    for progress in (progress_bar, progress_lines):
        with progress() as on_progress:
            on_progress(Progress(1.0, 3.0, f"timing {NASTY}", ""))
    assert "\x07" not in capsys.readouterr().err


def test_an_annotation_is_one_command_of_one_line():
    worse = Outcome(f"a{NASTY}\n::error::b", "worse", True, f"slower\r\n{NASTY}", 0.5, None, "cpu", ())
    said = annotate([worse])
    assert said.count("\n") == 1
    assert not CONTROLS.search(said)


def test_a_summary_of_tests_is_text():
    row = (f"test{NASTY}", "faster", f"new is faster{NASTY}")
    lines = list(summarize([row], is_terminal=False))
    assert any("new is faster" in line for line in lines)
    assert not any(CONTROLS.search(line) for line in lines)


# What takes the output


def run_program(arguments, **more):
    command = [sys.executable, "-m", "argo_bench.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, timeout=120, check=False, **more)


LOOKUPS = "results/reference/lookups"


@pytest.mark.parametrize("arguments", [("ci", "history", LOOKUPS), ("report", LOOKUPS, "--json")])
def test_an_output_of_ascii_gets_escapes(arguments):
    settings = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run_program(arguments, stdout=subprocess.PIPE, env=os.environ | settings)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    if "--json" in arguments:
        assert msgspec.json.decode(done.stdout)["verdicts"]


def test_an_output_that_is_closed_ends_the_program_without_a_word():
    reading, writing = os.pipe()
    os.close(reading)
    done = run_program(("report", LOOKUPS, "--json"), stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no shell to close an output with")
def test_a_program_without_an_output_does_its_work():
    command = f"exec {sys.executable} -m argo_bench.cli report {LOOKUPS} --format github >&-"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, stderr=subprocess.PIPE, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
def test_a_full_disk_behind_the_output_is_one_sentence():
    with open("/dev/full", "wb") as full:
        done = run_program(("verify", LOOKUPS), stdout=full)
    assert done.returncode == 2
    assert done.stderr == b"argo-bench: No space left on device: expected files and an output that can be written\n"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    def refuse(path, content):
        raise OSError(30, "Read-only file system")

    (tmp_path / FILE_NAME).write_bytes(contents()["gate"])
    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert "Read-only file system): expected a folder that can be written" in shown("report", tmp_path)


def test_a_seed_that_no_record_holds_is_one_sentence():
    done = CliRunner().invoke(cli, ["compare", "json:loads", "json:dumps", "--seed", "9" * 400])
    assert done.exit_code == 2
    assert "Invalid value for '--seed': expected a seed of 4611686018427387904 at the most" in done.stderr
