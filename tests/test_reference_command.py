"""Do two runs become the stored ones only when both are complete, and is every contradiction of them explained?"""

from pathlib import Path

import msgspec
import pytest

import argo_bench.cli.reference as command
from argo_bench.errors import UserError
from argo_bench.gate.thresholds import propose_thresholds
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded, load
from argo_bench.harness.record.verify import verify
from argo_bench.report.two_runs import pair_verdicts, write_agreement
from argo_bench.study.report.readme import BEGIN, END
from tests import stored

replace = msgspec.structs.replace


def with_words(recorded, **words):
    """The record with other verdicts on some claims of the variant engineered, by their names without the dot."""
    lines = [
        replace(each, verdict=words[each.claim.replace(".", "_")])
        if isinstance(each, Judgement) and each.arm == "engineered" and each.claim.replace(".", "_") in words
        else each
        for each in recorded.records
    ]
    return Recorded(recorded.directory, lines)


@pytest.fixture
def recorded(tmp_path):
    return stored.store(tmp_path / "run", stored.sealed(stored.run_lines()))


def agreements(first, second):
    return {each.name: each.agreement for each in pair_verdicts(first, second)}


def test_a_run_agrees_with_itself(recorded):
    assert set(agreements(recorded, recorded).values()) == {"same"}
    assert "None." in write_agreement(recorded, recorded)


@pytest.mark.parametrize(
    ("words", "agreement"),
    [
        (("confirmed", "exceeded"), "neighbours"),
        (("refuted", "fell short"), "neighbours"),
        (("refuted", "inconclusive"), "one inconclusive"),
        (("untested", "confirmed"), "one inconclusive"),
        (("fell short", "confirmed"), "contradiction"),
        (("void", "confirmed"), "contradiction"),
    ],
)
def test_verdicts_of_two_runs_are_the_same_or_neighbours_or_contradict(recorded, words, agreement):
    first, second = (with_words(recorded, S1_time=word) for word in words)
    assert agreements(first, second)["S1.time engineered"] == agreement
    assert agreements(second, first)["S1.time engineered"] == agreement


def test_every_contradiction_is_listed_with_both_intervals_and_a_cause(recorded):
    text = write_agreement(with_words(recorded, S1_time="fell short"), with_words(recorded, S1_time="confirmed"))
    line = next(each for each in text.splitlines() if each.startswith("- **S1.time engineered**"))
    assert line.count("x [") == 2
    assert "the intervals overlap" in line
    assert "| contradiction | 1 | 1 |" in text


def give(runs):
    """A measuring that writes the lines of invented runs, one after the other."""
    lines = iter(runs)

    def measure(options):
        folder = Path(options[options.index("--out") + 1])
        folder.parent.mkdir(exist_ok=True)
        stored.store(folder, next(lines))
        (folder / "forest.svg").write_text("a figure")

    return measure


def old_reference(folder):
    folder.mkdir()
    (folder / "run.jsonl.gz").write_bytes(b"old")
    (folder / "README.md").write_text("what is here")
    return folder


def test_both_runs_are_stored_and_what_else_is_there_stays(tmp_path, monkeypatch):
    out = old_reference(tmp_path / "reference")
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n{BEGIN}\n{END}\nbelow\n")
    thresholds = tmp_path / "thresholds.toml"
    thresholds.write_text("old")
    monkeypatch.setattr(command, "measure_apart", give(2 * [stored.sealed(stored.run_lines())]))
    options = ["--out", str(out), "--readme", str(readme), "--thresholds", str(thresholds)]
    command.reference.main(options, standalone_mode=False)
    assert verify(load(out)) == verify(load(out / "seed-0")) == []
    assert (out / "README.md").read_text() == "what is here"
    assert (out / "forest.svg").read_text() == "a figure"
    assert (out / "agreement.md").read_text().startswith("# Two runs")
    assert thresholds.read_text() == propose_thresholds(load(out), command.MARGIN)
    assert not (tmp_path / "reference.new").exists()


def test_what_is_stored_stays_where_a_run_does_not_verify_or_end(tmp_path, monkeypatch):
    out = old_reference(tmp_path / "reference")
    forged = stored.run_lines()
    monkeypatch.setattr(command, "measure_apart", give([stored.sealed(stored.run_lines()), forged[:-3] + forged[-1:]]))
    with pytest.raises(SystemExit):
        command.reference.main(["--out", str(out), "--readme", "none", "--thresholds", "none"], standalone_mode=False)
    assert (out / "run.jsonl.gz").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("ending", "goes_on"), [("interrupted", ["--resume"]), ("killed", ["--resume"]), ("whole", [])]
)
def test_what_a_command_measured_that_did_not_end_is_kept(ending, goes_on, tmp_path, monkeypatch):
    out = old_reference(tmp_path / "reference")
    first = tmp_path / "reference.new"
    *lines, end = stored.run_lines()
    endings = {"interrupted": [replace(end, interrupted=True)], "killed": [], "whole": [end]}
    stored.store(first, [*lines, *endings[ending]])
    called = []

    def stop_at_the_second(options):
        called.append(options)
        if "--out" in options:
            raise UserError("enough")

    monkeypatch.setattr(command, "measure_apart", stop_at_the_second)
    options = ["S1", "S2", "--profile", "default", "--seeds", str(stored.SEED), "0", "--out", str(out)]
    with pytest.raises(UserError, match="enough"):
        command.reference.main(options, standalone_mode=False)
    assert [each[:2] for each in called[:-1]] == [[option, str(first)] for option in goes_on]
    assert called[-1][-2:] == ["--out", str(first / "seed-0")]
    with pytest.raises(UserError, match="other settings"):
        command.reference.main(["O06", *options[2:]], standalone_mode=False)


@pytest.mark.slow
def test_two_short_runs_become_the_stored_ones(tmp_path):
    out = old_reference(tmp_path / "reference")
    options = [
        "O06",
        "--profile",
        "quick",
        "--budget",
        "5s",
        "--out",
        str(out),
        "--readme",
        "none",
        "--thresholds",
        "none",
    ]
    command.reference.main(options, standalone_mode=False)
    assert verify(load(out)) == verify(load(out / "seed-0")) == []
    assert {load(out).run.seed, load(out / "seed-0").run.seed} == {1, 0}
