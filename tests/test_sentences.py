"""Are sentences read as people mean them? Most of the tables were written by people who had not seen the grammar."""

import csv
import math
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from argo_bench.harness.claims.figures import Unreadable
from argo_bench.harness.claims.sentence import read_claim

FOLDER = Path(__file__).parent / "sentences"
TABLES = sorted(path.stem for path in FOLDER.glob("*.csv"))
LEAST_ROWS, LEAST_OF_A_SORT = 120, 50
MOST_REFUSED = 0.1
"""This is the share of the plain sentences with a claim that may be refused."""


class Row(NamedTuple):
    sentence: str
    reading: str
    low: str
    high: str
    plain: str


def rows_of(table: str) -> list[Row]:
    with (FOLDER / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def read(sentence: str) -> tuple[str, float | None, float | None]:
    try:
        claim = read_claim(sentence, id="T1", workload="call")
    except Unreadable:
        return "refuse", None, None
    return claim.kind, claim.low, claim.high


def agrees(row: Row) -> bool:
    kind, low, high = read(row.sentence)
    ends = zip((row.low, row.high), (low, high), strict=True)
    return kind == row.reading and all(
        (end is None) == (not text) and (end is None or math.isclose(end, float(text), rel_tol=1e-5))
        for text, end in ends
    )


@pytest.mark.parametrize("table", TABLES)
def test_no_sentence_is_read_as_something_else(table):
    misread = [row.sentence for row in rows_of(table) if read(row.sentence)[0] != "refuse" and not agrees(row)]
    assert misread == []


@pytest.mark.parametrize("table", TABLES)
def test_few_plain_claims_are_refused(table):
    plain = [row for row in rows_of(table) if row.plain == "yes" and row.reading != "refuse"]
    refused = [row.sentence for row in plain if read(row.sentence)[0] == "refuse"]
    assert len(refused) <= MOST_REFUSED * len(plain), refused


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_many_different_sentences_of_both_sorts(table):
    rows = rows_of(table)
    assert len({row.sentence for row in rows}) == len(rows) >= LEAST_ROWS
    assert (
        min(sum(row.reading == "refuse" for row in rows), sum(row.reading != "refuse" for row in rows))
        >= LEAST_OF_A_SORT
    )


@pytest.mark.parametrize("table", TABLES)
def test_every_nearest_form_that_a_refusal_names_is_read(table):
    forms = set()
    for row in rows_of(table):
        try:
            read_claim(row.sentence, id="T1", workload="call")
        except Unreadable as error:
            assert error.why and error.way_out and "\n" not in str(error)
            forms |= set(re.findall(r'"([^"]+)"', error.way_out))
    assert len(forms) > 10
    assert [form for form in forms if read(form)[0] == "refuse"] == []
