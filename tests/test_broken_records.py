"""Does no edit of a record, however senseless, lead to a traceback? Each gives a named line or a sentence.

Every value of one line of each kind is replaced by values that it cannot have. The digest of the line is right, so that
nothing but its content tells.
"""

import copy
import gzip
import json
import random

import pytest
from click.testing import CliRunner

from argo_bench.cli.main import cli
from argo_bench.cli.records import find_disagreements
from argo_bench.errors import UserError
from argo_bench.harness.record.store import FILE_NAME, load
from argo_bench.opening import open_report
from tests.edits import draw_broken_files, draw_edits, file_of
from tests.stored import body_of, gate_lines, line_of, run_lines, sealed

SAMPLED = 100
SHOWN = 60
"""So many edits of those that can be read are also shown in a report."""
GONE = object()
VALUES = (
    *(GONE, None, True, 0, -1, 1, 2.5, -1e-9, 1e308, 10**25, 2**63, "", "NaN", "nonsense", [], {}, [None], {"a": -1}),
    *(["x", "y"], [[]], "\u0000", "x" * 5000),
)
RAW = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0x10", b"'a'", b"[1,]")
"""These are no JSON."""


def paths_of(value, path=()):
    """Every place in a line, the line itself first."""
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths_of(item, (*path, key))
    if isinstance(value, list):
        for number, item in enumerate(value[:2]):
            yield from paths_of(item, (*path, number))


def put(content, path, value):
    """A copy of a line's content with another value at a place."""
    if not path:
        return value
    copied = copy.deepcopy(content)
    of = copied
    for step in path[:-1]:
        of = of[step]
    if value is GONE:
        del of[path[-1]]
    else:
        of[path[-1]] = value
    return copied


def edits_of(lines):
    """Every edit as the number of a line and its new content: of the first and the last line of each kind."""
    kinds = {}
    for number, record in enumerate(lines):
        kinds.setdefault(type(record), []).append(number)
    for numbers in kinds.values():
        for number in sorted({numbers[0], numbers[-1]}):
            content = json.loads(body_of(lines[number]))
            for path in paths_of(content):
                for value in VALUES:
                    if path or value is not GONE:
                        yield number, path, value, put(content, path, value)


RUN, GATE = sealed(run_lines()), sealed(gate_lines())
RUN_EDITS, GATE_EDITS = list(edits_of(RUN)), list(edits_of(GATE))


def sample(edits, number):
    return random.Random(20).sample(edits, number)


def write(directory, lines, number, body):
    """The record with one line's content replaced."""
    directory.mkdir(exist_ok=True)
    whole = [line_of(body if at == number else body_of(each)) for at, each in enumerate(lines)]
    (directory / FILE_NAME).write_bytes(b"".join(whole))
    return directory


def complaints(directory):
    """What is said of a record: the lines that are named, or the sentence of the error; empty where it verifies."""
    try:
        return [str(each) for each in find_disagreements(load(directory))]
    except UserError as error:
        assert "\n" not in str(error)
        return [str(error)]


def is_other(lines, number, content):
    return json.loads(body_of(lines[number])) != content


@pytest.mark.parametrize("sampled", [SAMPLED, pytest.param(10 * SAMPLED, marks=pytest.mark.slow)])
@pytest.mark.parametrize("lines, edits", [(RUN, RUN_EDITS), (GATE, GATE_EDITS)], ids=["run", "gate"])
def test_every_value_that_is_edited_is_complained_of(lines, edits, sampled, tmp_path):
    for number, path, value, content in sample(edits, min(sampled, len(edits))):
        if is_other(lines, number, content):
            said = complaints(write(tmp_path, lines, number, json.dumps(content).encode()))
            is_same = not said and load(tmp_path).records[number] == lines[number]  # a default was left out
            assert said or is_same, (type(lines[number]).__name__, path, value)


@pytest.mark.parametrize("raw", RAW)
def test_a_value_that_is_no_json_is_one_sentence(raw, tmp_path):
    for number, record in enumerate(RUN[:40]):
        body = body_of(record)
        at = body.rindex(b":") + 1
        [said] = complaints(write(tmp_path, RUN, number, body[:at] + raw + b"}"))
        assert f"line {number + 1}" in said


def shown(*arguments):
    """The exit code of a command, and what its error says; a traceback is raised."""
    try:
        return CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False).exit_code
    except UserError as error:
        assert "\n" not in str(error)
        return str(error)


@pytest.mark.parametrize("form", ["json", "markdown", "junit", "table"])
def test_a_report_on_a_broken_record_is_shown_or_refused(form, tmp_path):
    for number, _, _, content in sample(RUN_EDITS, SHOWN):
        directory = write(tmp_path, RUN, number, json.dumps(content).encode())
        shown("report", directory, "--format", form) if form != "table" else shown("ci", "history", directory)


def test_a_page_on_a_broken_record_is_written_or_refused(tmp_path):
    for number, _, _, content in sample(RUN_EDITS, 4):
        shown("report", write(tmp_path, RUN, number, json.dumps(content).encode()), "--format", "html")


def test_a_report_on_a_broken_gate_is_shown_or_refused(tmp_path):
    for number, _, _, content in sample(GATE_EDITS, SHOWN):
        shown("report", write(tmp_path, GATE, number, json.dumps(content).encode()), "--json")


# Lines instead of values


def whole(lines):
    return [line_of(body_of(each)) for each in lines]


MANGLED = {
    "a line cut off": lambda lines: [*lines[:-1], lines[-1][:-20]],
    "a line cut off in the middle": lambda lines: [*lines[:5], lines[5][:30] + b"\n", *lines[6:]],
    "no header": lambda lines: lines[1:],
    "no plan": lambda lines: [each for each in lines if b'"type":"plan"' not in each],
    "two headers": lambda lines: [lines[0], *lines],
    "two plans": lambda lines: [*lines[:2], lines[1], *lines[2:]],
    "lines in another order": lambda lines: [lines[0], *lines[:0:-1]],
    "an empty line": lambda lines: [*lines[:3], b"\n", *lines[3:]],
    "bytes that are no text": lambda lines: [*lines[:3], b"\xff\xfe\x00\n", *lines[3:]],
    "a wrong digest": lambda lines: [*lines[:3], lines[3].replace(b'"type"', b'"Type"', 1), *lines[4:]],
    "a line without a kind": lambda lines: [*lines[:3], line_of(b'{"optimization":"S1"}'), *lines[3:]],
    "a line that is a list": lambda lines: [*lines[:3], line_of(b"[1,2]"), *lines[3:]],
    "a line of an unknown kind": lambda lines: [*lines[:3], line_of(b'{"type":"tomorrow"}'), *lines[3:]],
    "a line that is deep": lambda lines: [*lines[:3], line_of(b"[" * 5000 + b"]" * 5000), *lines[3:]],
    "nothing": lambda lines: [],
    "nothing but a header": lambda lines: lines[:1],
    "another tool's file": lambda lines: [b'{"benchmarks": [1]}\n'],
}


@pytest.mark.parametrize("lines", [RUN, GATE], ids=["run", "gate"])
@pytest.mark.parametrize("name", MANGLED)
def test_mangled_lines_are_complained_of_and_shown_without_a_traceback(name, lines, tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"".join(MANGLED[name](whole(lines))))
    assert complaints(tmp_path) or (name, lines) == ("no plan", GATE)
    shown("verify", tmp_path)
    shown("report", tmp_path, "--format", "json")
    shown("ci", "history", tmp_path)


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"x" * 1000, mtime=0)[:-12]])
def test_a_packed_record_that_cannot_be_unpacked_is_one_sentence(content, tmp_path):
    (tmp_path / f"{FILE_NAME}.gz").write_bytes(content)
    with pytest.raises(UserError):
        load(tmp_path)


# Bytes, and values that are hardly JSON


def open_in_lab(directory):
    """What the notebooks do with a run."""
    report = open_report(directory)
    str(report)
    report.to_frame()
    report._repr_html_()
    report.to_dict()
    for subject in report.recorded.subjects[:1]:
        str(report.of(subject))


def in_lab(directory):
    try:
        open_in_lab(directory)
    except UserError as error:
        assert "\n" not in str(error)


FORMS = ("json", "markdown", "junit", "github", "pyperf", "pytest-benchmark")


def use(directory, turn):
    """Do with a record what is done with one: verify it, show it in a notebook, and one further thing."""
    shown("verify", directory)
    in_lab(directory)
    form = FORMS[turn % len(FORMS)]
    shown(*[("ci", "history", directory), ("report", directory, "--format", form)][turn % 2])


BROKEN = {"run": RUN, "gate": GATE}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_sentence_or_shown(name, tmp_path):
    for turn, content in enumerate(draw_broken_files(BROKEN[name], 60, seed=3)):
        (tmp_path / FILE_NAME).write_bytes(content)
        use(tmp_path, turn)


def how_many(few, many):
    """So many with the slow tests, and more where studies are made anew."""
    return pytest.mark.parametrize(
        "number", [pytest.param(few, marks=pytest.mark.slow), pytest.param(many, marks=pytest.mark.study)]
    )


@how_many(200, 1_000)
@pytest.mark.parametrize("name", BROKEN)
def test_many_broken_files_of_a_kind_are_one_sentence_or_shown(name, number, tmp_path):
    for turn, content in enumerate(draw_broken_files(BROKEN[name], number, seed=21)):
        (tmp_path / FILE_NAME).write_bytes(content)
        use(tmp_path, turn)


@how_many(100, 500)
@pytest.mark.parametrize("name", BROKEN)
def test_edits_with_a_right_seal_are_shown_or_refused(name, number, tmp_path):
    for turn, edit in enumerate(draw_edits(BROKEN[name], number, seed=5)):
        (tmp_path / FILE_NAME).write_bytes(file_of(edit.bodies))
        use(tmp_path, turn)


@pytest.mark.parametrize("digits", [20, 400, 5_000])
def test_a_number_of_many_digits_is_one_sentence_or_infinite(digits, tmp_path):
    huge = b"9" * digits
    for number, old in ((0, b'"cores":2'), (0, b'"seed":3'), (1, b'"error":0.05')):
        body = body_of(RUN[number])
        assert old in body
        [field, _] = old.split(b":")
        write(tmp_path, RUN, number, body.replace(old, field + b":" + huge))
        use(tmp_path, 0)
