"""Is an edit that changes what a record says named, even where digests and seal were written anew?

What no line tells must be in a closed list of edits that do no harm, each with the reason (``tests/edits.py`` and
``docs/records.md``). The samples that are drawn here are small; the tests that are marked ``slow`` draw the whole.
"""

import functools
from pathlib import Path

import pytest

from argo_bench.cli.records import find_disagreements
from argo_bench.errors import UserError
from argo_bench.harness.calibration import rates
from argo_bench.harness.record.records import RULE, SCHEMA, Banked, Comparison, End, Failure, Memory, Run
from argo_bench.harness.record.store import FILE_NAME, load
from argo_bench.harness.statistics.looks import LOOKS
from tests.edits import HARMLESS, ORDER, READ_THE_SAME, draw_edits, file_of, why_harmless
from tests.stored import FACTS, SEED, body_of, gate_lines, replace, replicate_seed, run_lines, sealed, take

SEEDS = {"run": 1, "gate": 2, "bank": 3}
FEW = {"run": 60, "gate": 40, "bank": 20}
MANY = {"run": 500, "gate": 500, "bank": 200}


def with_failure(lines):
    """The lines with a trial that could not be made, which no verdict rests on."""
    at = next(number for number, each in enumerate(lines) if isinstance(each, Memory))
    return [*lines[:at], Failure("S2", "a trial", "untested", "no server is running"), *lines[at:]]


@functools.cache
def bank_lines():
    header = Run(
        *(SCHEMA, "a machine", "2026-01-02T03:04:05", "argo-bench calibrate", "calibrate", "twins", SEED),
        *(list(LOOKS), {}, "", [], FACTS),
        rule=RULE,
    )
    series = {100: (1.0, 0.002), 103: (1.03, 0.002)}
    taken = [
        take(Comparison("quiet", "python_5ms", symbols, "symbols", "python_5ms", "python_5ms"), number, seed, of)
        for symbols, of in series.items()
        for number, seed in enumerate(replicate_seed(SEED, each) for each in range(12))
    ]
    return [header, *(Banked("quiet", 2.0, each) for each in taken)]


LINES = {"run": lambda: sealed(with_failure(run_lines())), "gate": lambda: sealed(gate_lines()), "bank": bank_lines}


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Write the lines of a record into a folder, with a summary where they are those of a bank."""
    monkeypatch.setattr(rates, "simulate_coverage", lambda *_: 0.95)

    def write(lines):
        (tmp_path / FILE_NAME).write_bytes(file_of([body_of(each) for each in lines]))
        if isinstance(lines[-1], Banked):
            rates.store_summary(tmp_path)
        return tmp_path

    return write


def unseal(record):
    return replace(record, seal="") if isinstance(record, End) else record


def read(directory, content):
    """What is said of a record with this content, and what is read from it apart from the seal."""
    (directory / FILE_NAME).write_bytes(content)
    try:
        recorded = load(directory)
        return [str(each) for each in find_disagreements(recorded)], [*map(unseal, recorded.records)]
    except UserError as error:
        return [str(error)], None


def check_edits(directory, name, lines, number):
    """Check every edit, and return why those do no harm of which no line tells."""
    said, honest = read(directory, file_of([body_of(each) for each in lines]))
    assert said == []
    reasons = []
    for edit in draw_edits(lines, number, SEEDS[name]):
        said, records = read(directory, file_of(edit.bodies))
        if not said:
            why = why_harmless(edit, is_same=records == honest)
            assert why is not None, str(edit)
            reasons.append(why)
    return reasons


@pytest.mark.parametrize("name", FEW)
def test_an_edit_is_named_or_does_no_harm(name, put):
    lines = LINES[name]()
    check_edits(put(lines), name, lines, FEW[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", MANY)
def test_five_hundred_edits_are_named_or_do_no_harm(name, put):
    lines = LINES[name]()
    reasons = check_edits(put(lines), name, lines, MANY[name])
    assert set(reasons) <= {READ_THE_SAME, ORDER, *HARMLESS}
    assert len(reasons) < 0.35 * MANY[name]


@pytest.mark.parametrize("name", ["run", "gate"])
def test_the_seal_tells_of_every_edit_where_it_is_left_as_it_was(name, put):
    lines = LINES[name]()
    directory, seal = put(lines), body_of(lines[-1])
    for edit in draw_edits(lines, 20, SEEDS[name]):
        if edit.tag != "end":
            said, _ = read(directory, file_of([*edit.bodies[:-1], seal]))
            assert said, str(edit)


def test_the_document_has_every_reason_for_which_an_edit_does_no_harm():
    document = (Path(__file__).parents[1] / "docs" / "records.md").read_text(encoding="utf-8")
    table = document.partition("| edit |")[2].partition("\n\n")[0].splitlines()[2:]
    said = {line.split("|")[1].strip(" .").casefold() for line in table}
    assert said == {each.casefold() for each in (READ_THE_SAME, ORDER, *HARMLESS)}


def test_a_field_that_no_line_of_its_kind_has_is_named(put):
    lines = LINES["run"]()
    bodies = [body_of(each) for each in lines[:-1]]
    directory = put(lines)
    cold = next(number for number, each in enumerate(bodies) if each.startswith(b'{"type":"cold"'))
    for more, said in ((b'"warm":1', "a field 'warm', which no cold has"), (b'"arm":"baseline"', "stands twice")):
        edited = [*bodies[:cold], bodies[cold][:-1] + b"," + more + b"}", *bodies[cold + 1 :], body_of(lines[-1])]
        found, _ = read(directory, file_of(edited))
        assert any(said in each and each.startswith(f"line {cold + 1}:") for each in found)
