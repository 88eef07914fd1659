"""Are thresholds read, proposed and checked with three answers, and absolute times only where they hold?"""

import math
import tomllib

import msgspec
import pytest

from argo_bench.errors import UserError
from argo_bench.gate.thresholds import check_thresholds, propose_thresholds, read_thresholds
from argo_bench.harness.record.records import Judgement, Result
from argo_bench.harness.record.store import Recorded, load
from argo_bench.harness.statistics.estimate import Estimate
from tests.program import argo_here
from tests.stored import gate_lines, sealed, store

REFERENCE = "results/reference"


@pytest.fixture(scope="module")
def reference():
    return load(REFERENCE)


def thresholds(folder, text):
    file = folder / "thresholds.toml"
    file.write_text(text, encoding="utf-8")
    return read_thresholds(file)


def states(found):
    return {each.name: each.state for each in found.outcomes}


def with_judgement(reference, name, **changes):
    records = [
        msgspec.structs.replace(each, **changes)
        if isinstance(each, Judgement) and f"{each.claim} {each.arm}" == name
        else each
        for each in reference.records
    ]
    return Recorded(reference.directory, records)


def test_what_a_run_proposes_it_reaches(tmp_path, reference):
    found = check_thresholds(reference, thresholds(tmp_path, propose_thresholds(reference, 0.1, with_times=True)))
    assert len(found.outcomes) > 100
    assert set(states(found).values()) == {"fine"}
    assert found.unknown == () and found.note == ""
    assert str(found) == f"{len(found.outcomes)} of {len(found.outcomes)} thresholds reached"


def test_only_what_gains_clearly_and_computes_the_same_is_proposed(reference):
    ratios = tomllib.loads(propose_thresholds(reference, 0.1))["ratios"]
    assert "O08.time engineered" in ratios
    assert "O08.time prescribed" not in ratios  # it is slower
    void = with_judgement(reference, "O08.time engineered", verdict="void")
    assert "O08.time engineered" not in tomllib.loads(propose_thresholds(void, 0.1))["ratios"]


def test_a_threshold_that_the_mean_over_all_calls_contradicts_is_not_reached(tmp_path, reference):
    name = "O08.time engineered"
    asked = thresholds(tmp_path, f'[ratios]\n"{name}" = 1.5')
    judged = next(each for each in reference.all(Judgement) if f"{each.claim} {each.arm}" == name)
    dear = Estimate(math.log(1.9), math.log(1.7), math.log(2.1), 0.95, 6, 0.01)
    records = [
        msgspec.structs.replace(each, cpu_mean=dear)
        if isinstance(each, Result) and each.comparison == judged.comparison
        else each
        for each in reference.records
    ]
    (found,) = check_thresholds(Recorded(reference.directory, records), asked).outcomes
    assert (found.state, found.blocks) == ("cannot tell", False)
    assert found.sentence.endswith("but some calls are dear: 0.526 [0.476, 0.588] by the mean")
    assert states(check_thresholds(reference, asked)) == {name: "fine"}


def test_a_threshold_is_reached_missed_or_undecided_by_the_whole_interval(tmp_path, reference):
    given = next(each for each in reference.all(Judgement) if each.claim == "O08.time" and each.arm == "engineered")
    low, high = given.interval
    for least, state, blocks in (
        (low, "fine", False),
        (given.speedup, "cannot tell", False),
        (high * 1.01, "worse", True),
    ):
        found = check_thresholds(reference, thresholds(tmp_path, f'[ratios]\n"O08.time engineered" = {least!r}'))
        assert [(each.state, each.blocks) for each in found.outcomes] == [(state, blocks)]


def test_levels_are_compared_over_all_seeds(tmp_path, reference):
    found = check_thresholds(reference, thresholds(tmp_path, '[levels]\n"O01.hits prescribed" = 0.95'))
    assert states(found) == {"O01.hits prescribed": "worse"}


def test_what_computes_something_else_differs_and_what_failed_blocks(tmp_path, reference):
    wanted = thresholds(tmp_path, '[ratios]\n"O08.time engineered" = 2')
    for verdict, state, blocks in (
        ("void", "differs", True),
        ("failed", "failed", True),
        ("untested", "not measured", False),
    ):
        [outcome] = check_thresholds(with_judgement(reference, "O08.time engineered", verdict=verdict), wanted).outcomes
        assert (outcome.state, outcome.blocks) == (state, blocks)


def test_times_of_another_processor_are_refused_in_a_sentence_and_ratios_are_compared(tmp_path, reference):
    text = '[ratios]\n"O08.time engineered" = 2\n[times]\nprocessor = "Another"\n"O08.time engineered" = 1e-3'
    found = check_thresholds(reference, thresholds(tmp_path, text))
    assert states(found) == {"O08.time engineered": "fine"}
    assert found.note == "Times were not compared: those of Another say nothing about AMD EPYC; ratios were."


def test_times_on_the_same_processor_are_compared(tmp_path, reference):
    text = '[times]\nprocessor = "AMD EPYC"\n"O08.time engineered" = {}'
    for most, state in ((1.0, "fine"), (1e-9, "worse")):
        found = check_thresholds(reference, thresholds(tmp_path, text.format(most)))
        assert states(found) == {"O08.time engineered": state}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[ratios", "is not valid TOML"),
        ("[ratio]", r"unknown table \[ratio\]: expected ratios, levels, times"),
        ("ratios = 3", r"expected a table \[ratios\], got 3"),
        ('[ratios]\n"O08.time engineered" = "fast"', "to be a positive number, got 'fast'"),
        ('[ratios]\n"O08.time engineered" = -2', "to be a positive number, got -2"),
        ('[times]\n"O08.time engineered" = 1.0', "expected the processor on which they hold"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_key(tmp_path, text, match):
    with pytest.raises(UserError, match=match):
        thresholds(tmp_path, text)


def test_a_missing_file_comes_with_the_command_that_writes_one(tmp_path):
    with pytest.raises(UserError, match="argo-bench ci thresholds RUN > "):
        read_thresholds(tmp_path / "none.toml")


def test_unknown_ids_are_told_after_the_rest_was_judged(tmp_path):
    file = tmp_path / "t.toml"
    file.write_text('[ratios]\n"O08.tme engineered" = 2\n"O08.time engineered" = 2', encoding="utf-8")
    done = argo_here("ci", "check", REFERENCE, "--thresholds", str(file))
    assert done.returncode == 2
    assert "1 of 1 thresholds reached" in done.stdout
    assert "did you mean 'O08.time engineered'?" in done.stderr


def test_a_missed_threshold_is_returncode_1_and_the_stored_ones_are_reached(tmp_path):
    file = tmp_path / "t.toml"
    file.write_text('[ratios]\n"O08.time engineered" = 2000', encoding="utf-8")
    assert argo_here("ci", "check", REFERENCE, "--thresholds", str(file)).returncode == 1
    done = argo_here("ci", "check", REFERENCE, "--json")
    assert done.returncode == 0
    assert '"state": "worse"' not in done.stdout


def test_the_stored_thresholds_are_those_that_the_stored_run_proposes(reference):
    assert argo_here("ci", "thresholds", REFERENCE).stdout == propose_thresholds(reference, 0.1)
    with open("tests/benchmarks/thresholds.toml", encoding="utf-8") as file:
        assert file.read() == propose_thresholds(reference, 0.1)


def test_thresholds_of_a_profile_refuse_a_run_of_another_one(tmp_path, reference):
    text = 'profile = "quick"\n[ratios]\n"O08.time engineered" = 2'
    with pytest.raises(UserError, match=r"holds for runs of the profile quick, and .* is one of default"):
        check_thresholds(reference, thresholds(tmp_path, text))
    with pytest.raises(UserError, match="expected profile to be the name of one"):
        thresholds(tmp_path, "profile = 3")


def test_a_gate_proposes_ratios_of_base_by_head_and_is_checked_against_them(tmp_path):
    gate = store(tmp_path / "gate", sealed(gate_lines()))
    proposed = propose_thresholds(gate, 0.02)
    assert proposed.splitlines()[1] == 'profile = "ci"'
    assert '"render" = 0.9' in proposed and '"parse"' not in proposed  # which blocks
    assert {*states(check_thresholds(gate, thresholds(tmp_path, proposed))).values()} == {"fine"}
    text = '[ratios]\n"parse" = 0.97\n"gone" = 0.97\n"prase" = 0.97\n[levels]\n"x" = 1'
    found = check_thresholds(gate, thresholds(tmp_path, text))
    assert states(found) == {"parse": "worse", "gone": "not measured"}
    assert len(found.unknown) == 2 and "did you mean 'parse'" in found.unknown[1]
