"""Do the tables for other tools have the columns, types and units that docs/data.md describes?"""

import csv
import io
import json
import re
from pathlib import Path
from typing import get_args

import pandas as pd
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner

from argo_bench.cli.main import cli
from argo_bench.errors import UserError
from argo_bench.gate.description import VERSION
from argo_bench.harness.claims.verdict import State
from argo_bench.harness.record.store import FILE_NAME
from argo_bench.opening import open_report, report_of
from argo_bench.report.frame import DTYPES, FIELDS, list_rows, write_csv
from tests.stored import gate_lines, run_lines, sealed, store

DOCUMENT = (Path(__file__).parents[1] / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.fixture
def stored(tmp_path):
    return store(tmp_path / "run", sealed(run_lines()))


def read_table(head, *, plain=True):
    """The rows of the document's table whose head begins so, as lists of cells, without their marks if ``plain``."""
    _, _, after = DOCUMENT.partition(head)
    lines = after.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.replace("`", "" if plain else "`").split("|")[1:-1]] for line in lines]


def test_the_document_describes_every_column_with_its_type_and_unit():
    described = [tuple(row[:3]) for row in read_table("| column |")]
    assert described == [tuple(each) for each in FIELDS]


def test_the_document_says_which_dtypes_a_data_frame_has():
    assert {row[0]: row[1] for row in read_table("| type | data frame")} == DTYPES


def test_a_frame_has_the_columns_and_dtypes_whatever_was_measured(stored):
    expected = {each.name: DTYPES[each.kind] for each in FIELDS}
    untimed = [each for each in sealed(run_lines()) if type(each).__name__ not in ("Samples", "Result")]
    empty = [each for each in untimed if type(each).__name__ != "Judgement"]
    for lines in (stored.records, untimed, empty):
        frame = report_of(store(stored.directory.parent / "other", lines)).to_frame()
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == expected
        assert [*frame.columns] == [each.name for each in FIELDS]


def test_times_are_nanoseconds_per_call_and_ratios_reference_over_candidate(stored):
    row = next(each for each in list_rows(stored) if (each["claim"], each["arm"]) == ("S1.time", "prescribed"))
    assert row["reference_ns"] == pytest.approx(10_010_000 / 10, rel=0.01)
    assert row["reference_ns"] / row["candidate_ns"] == pytest.approx(row["speedup"], rel=0.01)
    assert row["interval_low"] < row["speedup"] < row["interval_high"]
    assert 0.9 < row["level"] < 1


def test_csv_and_parquet_hold_what_the_frame_holds(stored, tmp_path):
    frame = open_report(stored.directory).to_frame()
    files = tmp_path / "verdicts.csv", tmp_path / "verdicts.parquet"
    done = CliRunner().invoke(
        cli,
        ["report", str(stored.directory), "--csv", str(files[0]), "--parquet", str(files[1])],
        catch_exceptions=False,
    )
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"verdicts: {files[0]}\nverdicts: {files[1]}\n"
    dtypes = {each.name: DTYPES[each.kind] for each in FIELDS}
    text = {each.name for each in FIELDS if each.kind == "text"}
    read = pd.read_csv(files[0], dtype=dtypes, keep_default_na=True)
    both = [each.fillna(dict.fromkeys(text, "")) for each in (read, frame)]
    pd.testing.assert_frame_equal(*both)
    table = parquet.read_table(files[1])
    assert table.to_pylist() == list_rows(stored)
    units = {each.name: (each.metadata or {}).get(b"unit", b"").decode() for each in table.schema}
    assert units == {each.name: each.unit for each in FIELDS}


def test_csv_says_true_false_and_nothing(stored):
    first = next(iter(csv.DictReader(io.StringIO(write_csv(stored)))))
    assert (first["headline"], first["holds_when"]) == ("true", "")


def test_a_gate_has_no_verdicts_to_export(tmp_path):
    store(tmp_path, sealed(gate_lines()))
    with pytest.raises(UserError, match=r"is a gate.*--json"):
        CliRunner().invoke(cli, ["report", str(tmp_path), "--csv", str(tmp_path / "x.csv")], catch_exceptions=False)
    assert {each.name for each in tmp_path.iterdir()} == {FILE_NAME}


def test_json_has_the_keys_that_the_document_lists(stored, tmp_path):
    shown = CliRunner().invoke(cli, ["report", str(stored.directory), "--json"], catch_exceptions=False)
    found = json.loads(shown.stdout)
    described = {row[0].strip("`"): row[1] for row in read_table("| key |", plain=False)}
    assert [*found] == [each for each in described if each != "peers"]
    assert [*found["claims"][0]] == re.findall(r"`(\w+)`", described["claims"])
    store(tmp_path / "gate", sealed(gate_lines()))
    gate = CliRunner().invoke(cli, ["report", str(tmp_path / "gate"), "--json"])
    found = json.loads(gate.stdout)
    assert [*found] == [row[0].strip("`") for row in read_table("| key of a gate |", plain=False)]
    outcomes = {row[0].strip("`"): row[1] for row in read_table("| key of an outcome |", plain=False)}
    assert all([*each] == [*outcomes] for each in found["outcomes"])
    states = re.findall(r"\*([\w ]+)\*", outcomes["state"])
    assert sorted(states) == sorted(get_args(State))
    assert found["version"] == VERSION
