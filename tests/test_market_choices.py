"""Are bars read in the one way that their source means, with a word on every choice, or refused in words?"""

import hashlib
import re
from io import StringIO
from pathlib import Path

import click
import markupsafe
import msgspec
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from argo_bench.cli.run import measure_with_progress
from argo_bench.cli.shell import DateOrder
from argo_bench.errors import UserError
from argo_bench.harness.record.records import Asked, Run
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.run import make_header
from argo_bench.harness.subject import Around
from argo_bench.pipeline.market import installed_sample, read_bars, read_universe
from argo_bench.pipeline.market.adjustment import find_jump
from argo_bench.pipeline.market.columns import normalize
from argo_bench.pipeline.model import COLUMNS
from argo_bench.report import text
from argo_bench.report.document import write_document
from argo_bench.report.tables import escape
from argo_bench.report.webpage import write_page
from argo_bench.study.job import job_of
from argo_bench.study.report.sections import STUDY
from tests.test_report_finding import recorded

DATA = Path(__file__).parents[1].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the development data files are not on this machine")

TAKEN = "prices are taken as adjusted already: no close jumps by the size of its split or dividend"
UTC = "times of day without an offset are taken as UTC"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "XYZ.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def dated(*dates: str) -> list[str]:
    """Lines of a file with one bar for each date, each of another close."""
    quoted = [f'"{date}"' if "," in date else date for date in dates]
    return ["Date,Open,High,Low,Close,Volume", *(f"{date},10,99,9,{10 + n},1" for n, date in enumerate(quoted))]


def priced(closes: list[float], *, name: str, values: list[object]) -> list[str]:
    """Lines of a file with these closes and one more column of that name."""
    days = pd.date_range("2024-01-02", periods=len(closes)).strftime("%Y-%m-%d")
    rows = [f"{day},{c},{c},{c},{c},1,{value}" for day, c, value in zip(days, closes, values, strict=True)]
    return [f"Date,Open,High,Low,Close,Volume,{name}", *rows]


def refusal(source: object, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        read_bars(source, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".")
    assert ": expected " in sentence and ", found " in sentence and "; " in sentence
    return sentence


def moments(frame: pd.DataFrame) -> list[str]:
    return [
        f"{moment:%Y-%m-%d %H:%M:%S.%f}".removesuffix(".000000").removesuffix(" 00:00:00") for moment in frame.index
    ]


# Adjusted closes


SPELLINGS = (
    *("adjusted_close", "Adj. Close", "adjClose", "Adj Close*", "Adj Close**", "AdjustedClose", "adjusted close"),
    *("adj_close", "ADJ_CLOSE", "Adj-Close", "adj close price", "closeadj", "close_adjusted", "5. adjusted close"),
)


@pytest.mark.parametrize("name", SPELLINGS)
def test_an_adjusted_close_is_one_however_it_is_spelt(tmp_path, name):
    got = read_bars(written(tmp_path, *priced([99, 100, 50], name=name, values=[49.5, 50, 50])))
    assert got["close"].tolist() == got["open"].tolist() == [49.5, 50, 50]
    assert got["volume"].tolist() == [1, 1, 1]
    assert [f"the close is {name!r}" in choice for choice in got.attrs["choices"]] == [True]


def test_names_of_columns_are_compared_by_their_letters_and_digits():
    assert {normalize(each) for each in ("Adj Close*", "adj_close", "AdjClose", " adj.close ")} == {"adjclose"}
    assert normalize("Close %") != normalize("Close")
    assert normalize("*") == "*" and normalize("") == ""
    assert normalize("Цена") == "цена"


@pytest.mark.parametrize(
    "name", ["adj_open", "adj_factor", "adjusted", "Adj", "is_adjusted", "adj_volume", "AdjHigh", "Adjustment Factor"]
)
def test_a_column_that_may_adjust_prices_is_never_passed_over(tmp_path, name):
    path = written(tmp_path, *priced([10, 11, 12], name=name, values=[5, 11, 12]))
    sentence = refusal(path)
    assert f"found {name!r}" in sentence and "--adjust-by COLUMN" in sentence and "'nothing' for" in sentence
    stands = read_bars(path, adjust_by="nothing")
    assert stands["close"].tolist() == [10, 11, 12]
    assert stands.attrs["choices"] == ["open, high, low and close are taken as they stand, as asked for"]
    assert read_bars(path, adjust_by=name)["close"].tolist() == [5, 11, 12]


def test_a_column_to_adjust_by_has_to_be_there(tmp_path):
    path = written(tmp_path, *priced([10], name="x", values=[5]))
    assert "expected a column 'adj' to adjust by, found 'Date', 'Open'" in refusal(path, adjust_by="adj")


@pytest.mark.parametrize(
    "header",
    [
        "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor",
        "Date,Close,High,Low,Open,Volume,Adj. Close,Adj. High,Adj. Low,Adj. Open,Adj. Volume,Ex-Dividend,Split Ratio",
    ],
    ids=["Tiingo", "Quandl"],
)
def test_prices_are_the_adjusted_ones_where_all_four_are_there(tmp_path, header):
    rows = ["2024-06-07,100,102,98,99,7,50,51,49,49.5,14,0,1", "2024-06-10,50,52,48,49,9,50,52,48,49,9,0,2"]
    got = read_bars(written(tmp_path, header, *rows))
    assert got.to_numpy().tolist() == [[49.5, 51, 49, 50, 14], [49, 52, 48, 50, 9]]
    assert [choice.split(" columns ")[0] for choice in got.attrs["choices"]] == ["prices are taken from the adjusted"]


# Splits and dividends


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Stock Splits", "2.0"),
        ("split_coefficient", "2"),
        ("splitFactor", "2.0"),
        ("Split Ratio", "2:1"),
        ("Splits", "2/1"),
        ("split", "2-for-1"),
        ("Dividends", "50"),
        ("dividend_amount", "50.0"),
        ("divCash", "50"),
    ],
)
def test_a_close_that_jumps_by_its_split_or_dividend_is_refused(tmp_path, name, value):
    unadjusted = priced([99, 100, 50, 51], name=name, values=[0, 0, value, 0])
    sentence = refusal(written(tmp_path, *unadjusted))
    assert "line 4: expected closes that are adjusted" in sentence and "from 100 to 50" in sentence
    assert f"--adjust-by nothing (adjust_by= of read_bars), or delete '{name}'" in sentence
    assert read_bars(written(tmp_path, *unadjusted), adjust_by="nothing")["close"].tolist() == [99, 100, 50, 51]
    newest_first = [unadjusted[0], *reversed(unadjusted[1:])]
    assert "line 3: expected closes that are adjusted" in refusal(written(tmp_path, *newest_first))
    adjusted = priced([49.5, 50, 50, 51], name=name, values=[0, 0, value, 0])
    assert read_bars(written(tmp_path, *adjusted)).attrs["choices"] == [TAKEN]


@pytest.mark.parametrize("values", [[0, 0, 0], ["", "", ""], [1, 1, 1], ["nan", 0, 1]])
def test_nothing_is_said_where_there_was_no_split(tmp_path, values):
    assert read_bars(written(tmp_path, *priced([10, 5, 10], name="Splits", values=values))).attrs["choices"] == []


def test_adjusted_closes_are_held_against_splits_too(tmp_path):
    lines = priced([100, 50], name="adj_close,splits", values=["100,0", "50,2"])
    assert "line 3: expected closes that are adjusted" in refusal(written(tmp_path, *lines))


def test_a_split_that_is_no_number_is_refused(tmp_path):
    lines = priced([10, 10], name="splits", values=["0", "two"])
    assert "line 3, column 'splits': expected a number from 0 on, found 'two'" in refusal(written(tmp_path, *lines))


@pytest.mark.parametrize("ratio", [1.5, 2.0, 7.0, 20.0, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_a_split_is_told_from_what_closes_do_by_themselves(ratio, seed):
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, 500)))
    splits, none = np.ones(500), np.zeros(500)
    splits[200] = ratio
    assert find_jump(closes, splits, none) is None
    assert find_jump(np.where(np.arange(500) < 200, closes * ratio, closes), splits, none) == 200


def test_usual_dividends_are_no_jump():
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.02, 500)))
    assert find_jump(closes, np.ones(500), np.where(np.arange(500) % 60 == 59, 1.5, 0.0)) is None


# Commas in numbers


@pytest.mark.parametrize(
    "cells",
    [
        ("0,987", "0,989", "0,985", "0,988", "5089"),
        ("1,001", "1,003", "0,986", "1,001", "5089"),
        ("10,5", "12,5", "9,5", "11,5", "100"),
        ("1234,567", "1235,567", "1233,567", "1234,567", "100"),
        ("1.234,50", "1.235,50", "1.233,50", "1.234,50", "100"),
        ("10", "12", "9", "11", "0,125"),
        ("101", "103", "99", "102,1234", "7"),
    ],
)
def test_a_decimal_comma_is_never_guessed(tmp_path, cells):
    line = ",".join(f'"{cell}"' for cell in cells)
    path = written(tmp_path, "Date,Open,High,Low,Close,Volume", "2024-01-02,1,1,1,1,1", f"2024-01-03,{line}")
    sentence = refusal(path)
    assert "line 3, column" in sentence and "a decimal comma is never guessed" in sentence


@pytest.mark.parametrize(
    "cells",
    [
        ("1,234", "1,236", "1,230", "1,235", "7"),
        ("147,123", "147,130", "147,120", "147,125", "1"),
        ("10", "12", "9", "11", "12,345"),
        ("1,234", "1,236", "999", "1,235", "7"),
        ("1,234", "1,236", "1,230", "1,235", "12.000"),
    ],
)
def test_a_comma_that_may_be_either_is_refused_with_both_readings(tmp_path, cells):
    line = ",".join(f'"{cell}"' for cell in cells)
    sentence = refusal(written(tmp_path, "Date,Open,High,Low,Close,Volume", f"2024-01-02,{line}"))
    assert re.search(r"found '(\d+),(\d+)', which may be \1\2 or \1\.\2; write it without the comma", sentence)


@pytest.mark.parametrize("closes", [("0.987", "1,001"), ("1.001", "1,002"), ("12.50", "12,750")])
def test_a_column_that_mixes_comma_and_point_is_refused(tmp_path, closes):
    header = "Date,Open,High,Low,Close,Volume,Note"
    rows = [f'2024-01-0{2 + n},"{each}","{each}","{each}","{each}",1,10.25' for n, each in enumerate(closes)]
    path = written(tmp_path, header.replace("Note", "Dividends"), *[row.replace("10.25", "0.01") for row in rows])
    assert f"found '{closes[1]}' beside '{closes[0]}' in line 2" in refusal(path)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (("1,234.50", "$1,240", "1,230", "1,235", "12,345,678"), [1234.5, 1240, 1230, 1235, 12345678]),
        (("10.5", "12", "9", "11", "12,345"), [10.5, 12, 9, 11, 12345]),
        (("1,234", "1,240", "999", "1,235", "1,234,567"), [1234, 1240, 999, 1235, 1234567]),
        (("999.5", "1,001", "998", "1,000", "7"), [999.5, 1001, 998, 1000, 7]),
        (("147.123", "147.13", "147.12", "147.125", "1,000"), [147.123, 147.13, 147.12, 147.125, 1000]),
    ],
)
def test_thousands_are_read_where_nothing_else_can_be_meant(tmp_path, cells, values):
    line = ",".join(f'"{cell}"' for cell in cells)
    got = read_bars(written(tmp_path, "Date,Open,High,Low,Close,Volume", f"2024-01-02,{line}"))
    assert got.to_numpy().tolist() == [values]
    assert got.attrs["choices"] == ["commas in numbers separate thousands"]


# Dates


@pytest.mark.parametrize(
    ("cells", "order", "expected"),
    [
        (["01/12/2024", "01/16/2024"], "mm/dd", ["2024-01-12", "2024-01-16"]),
        (["12/01/2024", "16/01/2024"], "dd/mm", ["2024-01-12", "2024-01-16"]),
        (["12.01.2024", "16.01.2024"], "dd/mm", ["2024-01-12", "2024-01-16"]),
        (["1-12-2024", "1-16-2024"], "mm/dd", ["2024-01-12", "2024-01-16"]),
        (["1/12/2024 9:30", "1/16/2024 16:00"], "mm/dd", ["2024-01-12 09:30:00", "2024-01-16 16:00:00"]),
        (["1/12/2024 9:30:15", "1/16/2024 9:30:15"], "mm/dd", ["2024-01-12 09:30:15", "2024-01-16 09:30:15"]),
        (["1/12/2024 9:30 AM", "1/16/2024 12:05 pm"], "mm/dd", ["2024-01-12 09:30:00", "2024-01-16 12:05:00"]),
        (["1/12/2024 12:00:00 AM", "1/16/2024 1:00:00.25 PM"], "mm/dd", ["2024-01-12", "2024-01-16 13:00:00.250000"]),
        (["16.01.2024 09:30", "17.01.2024 09:30"], "dd/mm", ["2024-01-16 09:30:00", "2024-01-17 09:30:00"]),
        (["16/01/2024, 09:30", "17/01/2024, 09:30"], "dd/mm", ["2024-01-16 09:30:00", "2024-01-17 09:30:00"]),
        (["Tue, 01/16/2024", "Wed, 01/17/2024"], "mm/dd", ["2024-01-16", "2024-01-17"]),
        (["01/31/2024", "02/29/2024", "03/31/2024"], "mm/dd", ["2024-01-31", "2024-02-29", "2024-03-31"]),
    ],
)
def test_dates_are_read_in_the_one_order_that_all_of_them_can_have(tmp_path, cells, order, expected):
    got = read_bars(written(tmp_path, *dated(*cells)))
    assert moments(got) == expected
    timed = [UTC] * any(":" in each for each in expected)
    told = [f"dates are read as {order}/yyyy, the only order that all of them can have", *timed]
    assert got.attrs["choices"] == told


@pytest.mark.parametrize(
    "cells",
    [
        ["01/02/2024", "01/03/2024", "01/04/2024"],
        ["01/02/2024 9:30", "01/02/2024 9:35"],
        ["1.2.2024", "2.2.2024"],
        ["01-02-2024", "02-02-2024"],
        [f"01/{month:02}/{year}" for year in (2022, 2023) for month in range(1, 13)],
        [f"{month:02}/01/{year}" for year in (2022, 2023) for month in range(1, 13)],
        [*(f"01/{month:02}/2022" for month in range(2, 13)), "01/13/2022"],
        [*(f"{month:02}/01/2022" for month in range(2, 13)), "13/01/2022"],
    ],
    ids=["days", "minutes", "dots", "dashes", "months, day first", "months, month first", "typing error", "other one"],
)
def test_dates_that_can_be_read_in_two_orders_are_refused_unless_one_is_asked_for(tmp_path, cells):
    path = written(tmp_path, *dated(*cells))
    sentence = refusal(path)
    assert "as mm/dd/yyyy or " in sentence and "as dd/mm/yyyy" in sentence
    assert "yyyy-mm-dd" in sentence and "--dates day-first or month-first" in sentence
    order = "day first" if cells[-1] != "01/13/2022" else "month first"
    if "13" not in cells[-1]:
        month_first, day_first = (read_bars(path, dates=each) for each in ("month first", "day first"))
        assert moments(month_first) != moments(day_first)
        assert day_first.attrs["choices"][0] == "dates are read as dd/mm/yyyy, as asked for"
    else:
        assert len(read_bars(path, dates=order)) == len(cells)


def test_dates_that_support_no_order_are_refused(tmp_path):
    path = written(tmp_path, *dated("01/16/2024", "17/01/2024"))
    assert "'01/16/2024' in line 2, which is no dd/mm/yyyy" in refusal(path)
    assert "'17/01/2024' in line 3, which is no mm/dd/yyyy" in refusal(path)
    assert "expected a date as dd/mm/yyyy, as asked for, found '01/16/2024'" in refusal(path, dates="day first")
    with pytest.raises(UserError, match="expected 'day first' or 'month first', got 'us'"):
        read_bars(path, dates="us")


def test_the_order_of_dates_is_that_of_the_whole_file_for_each_of_its_tickers(tmp_path):
    lines = ["Ticker,Date,Open,High,Low,Close,Volume", "AAA,05/02/2024,1,1,1,1,1", "BBB,16/02/2024,1,1,1,1,1"]
    assert moments(read_bars(written(tmp_path, *lines), ticker="AAA")) == ["2024-02-05"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2024/01/02", "2024-01-02"),
        ("2024.01.02", "2024-01-02"),
        ("2024-1-2", "2024-01-02"),
        ("2024.01.02 09:30", "2024-01-02 09:30:00"),
        ("20240102 09:30:05", "2024-01-02 09:30:05"),
        ("2024-01-02 9:30 PM", "2024-01-02 21:30:00"),
        ("2024-01-02T09:30:00Z", "2024-01-02 09:30:00"),
        ("2024/01/02 09:30 -05:00", "2024-01-02 14:30:00"),
        ("2024/01/02 09:30 +0530", "2024-01-02 04:00:00"),
        ("2 Jan 2024", "2024-01-02"),
        ("02-JAN-2024", "2024-01-02"),
        ("January 2, 2024", "2024-01-02"),
        ("Tue, Jan 2, 2024", "2024-01-02"),
        ("2024-Jan-02", "2024-01-02"),
        ("Jan 2, 2024 9:30 AM", "2024-01-02 09:30:00"),
        ("02/02/2024", "2024-02-02"),
    ],
)
def test_a_date_that_can_mean_one_day_only_is_read(tmp_path, cell, expected):
    assert moments(read_bars(written(tmp_path, *dated(cell)))) == [expected]


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        ("01/02/24", "expected a year of four digits"),
        ("02-Jan-24", "expected a year of four digits"),
        ("24.01.02", "expected a year of four digits"),
        ("2 janvier 2024", "expected a date as yyyy-mm-dd"),
        ("2024-02-30", "expected a date as yyyy-mm-dd"),
        ("2024-01-02 25:00", "expected a date as yyyy-mm-dd"),
        ("2024-01-02 13:00 PM", "expected a date as yyyy-mm-dd"),
        ("2024-01-02 09:30 EST", "expected a date as yyyy-mm-dd"),
        ("45293", "expected a date as yyyy-mm-dd"),
        ("2024010209", "expected a date as yyyy-mm-dd"),
        ("202401020930", "expected a date as yyyy-mm-dd"),
        ("20240102093000", "expected a date as yyyy-mm-dd"),
        ("0001-01-01 00:00:00+05:00", "expected dates from year 1 to 9999"),
    ],
)
def test_a_date_that_is_none_or_not_certain_is_refused(tmp_path, cell, part):
    sentence = refusal(written(tmp_path, *dated(cell)))
    assert part in sentence and repr(cell) in sentence and "yyyy-mm-dd" in sentence


@pytest.mark.parametrize(
    "cells",
    [
        ["2024-01-02", "2024-01-03", "16/01/2024"],
        ["2024-01-02", "2024-01-03", "Jan 4, 2024"],
        ["16.01.2024", "17.01.2024", "18/01/2024"],
        ["2024-01-02 09:30", "2024-01-03 09:30", "2024-01-04 09:30-05:00"],
        ["1704153600", "1704240000", "1704326400000"],
    ],
)
def test_dates_in_several_ways_of_writing_are_refused(tmp_path, cells):
    found = f"line 4, column 'Date': expected a date written as {cells[0]!r} is, found {cells[2]!r}"
    assert found in refusal(written(tmp_path, *dated(*cells)))


@pytest.mark.parametrize(
    ("factor", "unit"), [(1, "seconds"), (10**3, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")]
)
def test_numbers_since_1970_are_read_in_the_unit_that_their_size_tells(tmp_path, factor, unit):
    path = written(tmp_path, *dated(str(1704153600 * factor), str(1704240000 * factor)))
    got = read_bars(path)
    assert moments(got) == ["2024-01-02", "2024-01-03"]
    assert got.attrs["choices"] == [f"dates are numbers, read as {unit} since 1970 in UTC"]


# Date and time in two columns


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Date,Time", "2024-01-02,09:05:00"),
        ("<DATE>,<TIME>", "2024.01.02,09:05"),
        ("date,time", "20240102,090500"),
        ("Date,Time", "2024/01/02,9:05 AM"),
        ("Date,Time", "2024-01-02 00:00:00,0905"),
        ("Date,Time", "Jan 2 2024,09:05:00.000"),
        ("Date Time", "2024-01-02 09:05"),
    ],
)
def test_date_and_time_in_two_columns_are_one_moment(tmp_path, header, cells):
    later = cells.replace("05", "10", 1) if "05" not in cells[:10] else cells
    lines = [f"{header},Open,High,Low,Close,Volume", f"{cells},1,2,1,2,10", f"{later},1,2,1,2,12"]
    got = read_bars(written(tmp_path, *lines))
    assert moments(got) == ["2024-01-02 09:05:00", "2024-01-02 09:10:00"]
    names = header.split(",")
    joined = [f"columns {names[0]!r} and {names[-1]!r} are joined to one moment"] * (len(names) == 2)
    assert got.attrs["choices"] == [UTC, *joined]


@pytest.mark.parametrize(
    ("cells", "part"),
    [
        ("2024-01-02,after close", "column 'Time': expected a time of day as hh:mm or hh:mm:ss, found 'after close'"),
        ("2024-01-02,", "column 'Time': expected a time of day as hh:mm or hh:mm:ss, found ''"),
        ("2024-01-02,93000", "found '93000'"),
        ("2024-01-02,25:00", "found '25:00'"),
        ("2024-01-02 09:30,09:30", "expected one time of day for a bar, found '2024-01-02 09:30' and '09:30'"),
        ("01/02/2024,09:30", "as mm/dd/yyyy or 01 February 2024 as dd/mm/yyyy"),
    ],
)
def test_a_time_that_is_not_certain_is_refused(tmp_path, cells, part):
    lines = ["Date,Time,Open,High,Low,Close,Volume", f"{cells},1,2,1,2,10"]
    assert part in refusal(written(tmp_path, *lines))


@pytest.mark.parametrize("name", ["Session", "tic", "Name", "Hour of day", "Exchange"])
def test_repeated_dates_point_to_the_column_that_may_tell_them_apart(tmp_path, name):
    lines = [f"Date,{name},Open,High,Low,Close,Volume", "2024-01-02,x,1,2,1,2,10", "2024-01-02,y,1,2,1,2,12"]
    assert f"in lines 2 and 3; if {name!r} tells them apart, name it Time or Ticker" in refusal(
        written(tmp_path, *lines)
    )


def test_many_repeated_dates_are_not_to_be_deleted_one_by_one(tmp_path):
    sentence = refusal(written(tmp_path, *dated(*["2024-01-02"] * 3)))
    assert "in lines 2 and 3 (2 such pairs); add what tells the bars apart (a column Time or Ticker)" in sentence


@pytest.mark.parametrize(
    ("header", "rows", "sentence"),
    [
        ("Date,Datetime", "2024-01-02,2024-01-02 09:30", "the date is taken from column 'Date', not from 'Datetime'"),
        ("Timestamp,Date", "1704153600,2024-01-02", "the date is taken from column 'Date', not from 'Timestamp'"),
        ("Timestamp,Datetime", "1,2024-01-02", "the date is taken from column 'Datetime', not from 'Timestamp'"),
    ],
)
def test_a_choice_among_columns_is_told(tmp_path, header, rows, sentence):
    got = read_bars(written(tmp_path, f"{header},Open,High,Low,Close,Volume", f"{rows},1,2,1,2,10"))
    assert moments(got) == ["2024-01-02"]
    assert got.attrs["choices"] == [sentence]


def test_a_close_beside_a_last_is_told(tmp_path):
    got = read_bars(written(tmp_path, *priced([10, 11], name="Last", values=[12, 13])))
    assert got["close"].tolist() == [10, 11]
    assert got.attrs["choices"] == ["the close is taken from column 'Close', not from 'Last'"]


@pytest.mark.parametrize(
    ("name", "zone"), [("Gmtoffset", "-18000"), ("timezone", "America/New_York"), ("tz", "EST"), ("UTC Offset", "+1")]
)
def test_a_zone_in_a_column_of_its_own_is_refused_unless_it_is_utc(tmp_path, name, zone):
    assert "expected UTC, or offsets behind the dates, found" in refusal(
        written(tmp_path, *priced([10, 11], name=name, values=[zone, zone]))
    )
    assert len(read_bars(written(tmp_path, *priced([10, 11], name=name, values=["UTC", "0"])))) == 2


# Separators, headers and indexes


@pytest.mark.parametrize(
    ("mark", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "pipes"), (" ", "blanks"), ("    ", "blanks")]
)
@pytest.mark.parametrize("decimal", [".", ","])
def test_other_separators_than_commas_are_refused_as_such(tmp_path, mark, word, decimal):
    lines = [
        mark.join(cells) for cells in (["Date", "Open", "High", "Low", "Close", "Volume"], ["2024-01-02", *"12345"])
    ]
    sentence = refusal(written(tmp_path, lines[0], lines[1].replace("3", f"3{decimal}5")))
    assert f"line 1: expected cells separated by commas, found {word} in 'Date" in sentence
    assert "export it with commas between the cells" in sentence


def test_a_frame_that_was_read_with_the_wrong_separator_is_refused_as_such():
    assert "found semicolons in" in refusal(pd.DataFrame({"Date;Open;High;Low;Close;Volume": ["2024-01-02;1;1;1;1;1"]}))


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (["Ticker,SPY,SPY,SPY,SPY,SPY", "Date"], None),
        (["Ticker,SPY,SPY,SPY,SPY,SPY,", "Date,,,"], None),
        (["Ticker,SPY", "Date"], "line 2: expected 6 cells as in the line of names, found 2: 'Ticker, SPY'"),
        (["Ticker,SPY,SPY,SPY,SPY,SPY,QQQ", "Date"], "line 2: expected 6 cells as in the line of names, found 7"),
        (["Ticker,SPY,,,,", "Date"], "line 2: expected a ticker above every price, found none above 'High'"),
    ],
)
def test_rows_of_a_header_that_are_too_short_or_too_long_are_read_or_refused(tmp_path, header, part):
    lines = ["Price,Close,High,Low,Open,Volume", *header, "2024-01-02,11,12,9,10,100"]
    path = written(tmp_path, *lines)
    if part is None:
        assert read_bars(path).to_numpy().tolist() == [[10, 12, 9, 11, 100]]
    else:
        assert part in refusal(path)


def test_a_header_that_is_narrower_than_all_rows_is_to_be_mended_instead_of_them(tmp_path):
    lines = ["Date,Open,High,Low,Close,Volume", "0,2024-01-02,1,2,1,2,3", "1,2024-01-03,1,2,1,2,3"]
    assert "expected 6 cells as in the header, found 7" in refusal(written(tmp_path, *lines))
    assert "mend the header" in refusal(written(tmp_path, *lines))


def panel(names: list[str | None], *, ticker_first: bool = False) -> pd.DataFrame:
    days, tickers = pd.date_range("2024-01-02", periods=3), ["AAA", "BBB"]
    index = pd.MultiIndex.from_product([tickers, days] if ticker_first else [days, tickers], names=names)
    closes = [10.0 + number for number in range(6)]
    return pd.DataFrame({"Open": 10.0, "High": 20.0, "Low": 9.0, "Close": closes, "Volume": 100}, index=index)


@pytest.mark.parametrize(
    ("names", "ticker_first"),
    [
        (["Date", "Ticker"], False),
        (["Ticker", "Date"], True),
        ([None, None], False),
        ([None, None], True),
        (["date", "asset"], False),
        (["Symbols", "Datetime"], True),
    ],
)
def test_a_row_index_of_dates_and_tickers_gives_what_the_same_columns_give(tmp_path, names, ticker_first):
    frame = panel(names, ticker_first=ticker_first)
    frame.to_parquet(tmp_path / "stacked.parquet")
    order = ["Ticker", "Date"] if ticker_first else ["Date", "Ticker"]
    frame.rename_axis(index=order).to_csv(tmp_path / "stacked.csv")
    zoned = frame.set_axis(
        frame.index.set_levels(frame.index.levels[ticker_first].tz_localize("UTC"), level=int(ticker_first))
    )
    for ticker in ("AAA", "BBB"):
        expected = read_bars(tmp_path / "stacked.csv", ticker=ticker)
        for source in (tmp_path / "stacked.parquet", frame, zoned):
            pd.testing.assert_frame_equal(read_bars(source, ticker=ticker), expected, check_exact=True)


def test_numbers_beside_dates_in_a_row_index_name_the_tickers():
    frame = panel([None, None])
    frame.index = frame.index.set_levels([10107, 14593], level=1)
    assert read_bars(frame, ticker="14593")["close"].tolist() == [11, 13, 15]


def test_several_levels_of_rows_and_of_columns_are_refused():
    frame = pd.concat({"AAA": panel(["Date", "Ticker"])}, axis=1)
    assert "expected several levels of rows or of columns, found several of both" in refusal(frame)


def test_a_row_index_of_dates_and_times_is_joined():
    index = pd.MultiIndex.from_tuples([("2024-01-02", "09:05"), ("2024-01-02", "09:10")], names=["Date", "Time"])
    frame = pd.DataFrame(dict.fromkeys(["Open", "High", "Low", "Close", "Volume"], 1.0), index=index)
    assert moments(read_bars(frame)) == ["2024-01-02 09:05:00", "2024-01-02 09:10:00"]


# Prices beyond reason


@pytest.mark.parametrize(
    ("row", "part"),
    [
        ("1,1,1,1,1,1e308", "column 'Adj Close': expected a price from 1e-12 to 1e+12, found open 1e+308"),
        ("10,1e300,10,10,1,1e20", "column 'Adj Close': expected a price from"),
        ("1e-300,1,1e-300,1,1,1e-50", "column 'Adj Close': expected a price from 1e-12 to 1e+12, found open 0"),
        ("1,1,1,1,1,1e-320", "column 'Adj Close': expected a price from 1e-12 to 1e+12, found open 9"),
        ("2e12,2e12,2e12,2e12,1,2e12", "expected a price from 1e-12 to 1e+12, found open 2e+12"),
        ("1,1,1,1,1,inf", "column 'Adj Close': expected a finite number, found 'inf'"),
        ("1,1,1,1,1,-1", "column 'Adj Close': expected a price above zero, found '-1'"),
    ],
)
def test_a_price_beyond_reason_is_refused(tmp_path, row, part):
    assert part in refusal(written(tmp_path, "Date,Open,High,Low,Close,Volume,Adj Close", f"2024-01-02,{row}"))


@pytest.mark.parametrize(
    "header",
    [
        "Open,High,Close,Low",
        "Open,Close,Low,High",
        "High,Open,Low,Close",
        "Low,High,Open,Close",
        "Open,Low,High,Close",
    ],
)
def test_columns_that_are_swapped_are_suspected(tmp_path, header):
    rows = [f"2024-01-{day:02},10,12,9,11,100" for day in range(1, 9)]
    sentence = refusal(written(tmp_path, f"Date,{header},Volume", *rows, "2024-01-09,10,10,10,10,5"))
    assert "of 9" in sentence and "swapped" in sentence


def test_closes_that_alone_are_adjusted_are_suspected(tmp_path):
    rows = [f"2024-01-{day:02},10,12,9,5.5,100" for day in range(1, 9)]
    assert "some adjusted and others not" in refusal(written(tmp_path, "Date,Open,High,Low,Close,Volume", *rows))


# A universe


def test_a_universe_tells_each_choice_once_with_its_symbols(tmp_path):
    for symbol, name in {"AAA": "adj_close", "BBB": "adj_close", "CCC": "Splits"}.items():
        lines = priced([10, 11, 12], name=name, values=[10, 11, 12] if name == "adj_close" else [0, 2, 0])
        (tmp_path / f"{symbol}.csv").write_text("\n".join(lines))
    universe = read_universe(tmp_path, minimum=1)
    scaled = "the close is 'adj_close', and open, high and low are scaled by 'adj_close' / 'Close'"
    scaled += "; volume stays as it stands"
    assert universe.describe_choices() == [f"AAA, BBB: {scaled}", f"CCC: {TAKEN}"]
    assert universe.take(2).describe_choices() == [scaled]
    assert universe.take(4, bars=30).describe_choices() == universe.describe_choices()


def test_a_universe_is_read_by_the_options_of_one_file(tmp_path):
    written(tmp_path, *dated("01/02/2024", "01/03/2024"))
    (frame,) = read_universe(tmp_path, minimum=1, dates="day first").frames.values()
    assert moments(frame) == ["2024-02-01", "2024-03-01"]


# Data that were always read, bit for bit


def digest(frame: pd.DataFrame) -> str:
    return hashlib.sha256(frame.to_numpy().tobytes() + frame.index.asi8.tobytes()).hexdigest()[:16]


SAMPLE = {
    "AAPL": "da326fa29f9e028e",
    "GOOG": "a14914275d02d1ac",
    "IBM": "217cbfe233750266",
    "MSFT": "57a9ebeb19a17702",
}
"""The digests of the frames that version 0.1 read."""


def test_the_installed_sample_is_read_as_it_always_was():
    frames = installed_sample().frames
    assert {symbol: digest(frames[symbol]) for symbol in SAMPLE} == SAMPLE


@needs_data
@pytest.mark.parametrize("name", ["AAPL", "BTC-USD", "ETH-USD", "MSFT", "NVDA", "TSLA"])
def test_the_real_files_are_read_as_pandas_reads_them(name):
    path = DATA / "bars" / f"{name}.csv"
    plain = pd.read_csv(path, dtype=str)
    got = read_bars(path)
    for column in COLUMNS:
        assert got[column].tolist() == plain[column.title()].map(float).tolist()
    assert (got.index == pd.to_datetime(plain["Date"], utc=True)).all()


@needs_data
def test_the_real_file_with_three_header_rows_is_read_as_pandas_reads_it():
    path = DATA / "formats" / "SPY_multiheader.csv"
    plain = pd.read_csv(path, header=[0, 1], index_col=0, skiprows=[2], dtype=str)["Close"]["SPY"]
    got = read_bars(path)
    assert got["close"].tolist() == plain.map(float).tolist()
    assert (got.index == pd.to_datetime(plain.index, utc=True)).all()


# What is written down of it

SENTENCE = "dates are read as dd/mm/yyyy, from '<b>When</b>'"


@pytest.fixture
def run_of_choices(tmp_path):
    run = recorded(tmp_path)
    first = msgspec.structs.replace(run.run, choices=[SENTENCE, UTC])
    return Recorded(tmp_path, [first, *run.records[1:]])


def test_a_run_of_bars_of_one_s_own_writes_down_what_was_chosen(tmp_path, capsys, monkeypatch):
    days = pd.date_range("2022-01-03", periods=300).strftime("%d/%m/%Y")
    written(tmp_path, "Date,Open,High,Low,Close,Volume", *(f"{day},10,12,9,11,100" for day in days))
    asked = Asked(["O11"], str(tmp_path), "quick", None, 1, None, False, False, False, None)
    job = job_of(asked)
    told = "dates are read as dd/mm/yyyy, the only order that all of them can have"
    assert job.supply.header()["choices"] == [told]
    monkeypatch.setattr("argo_bench.harness.run.measure", lambda *_: False)
    assert not measure_with_progress(job, tmp_path, "a run", [], None)
    assert f"1 symbols from {tmp_path}: XYZ\n  {told}\n" in capsys.readouterr().err
    header = make_header(job, "a run", [], Around(tmp_path))
    assert msgspec.json.decode(msgspec.json.encode(header), type=Run).choices == [told]


def test_every_report_says_what_was_chosen(run_of_choices):
    console = Console(width=80, file=StringIO(), color_system=None)
    console.print(text.terminal(run_of_choices, STUDY))
    shown = " ".join(console.file.getvalue().split())
    document = write_document(run_of_choices, STUDY, {})
    page = write_page(run_of_choices, STUDY)
    for sentence in (SENTENCE, UTC):
        assert f"How bars were read: {sentence}." in shown
        assert f"How bars were read: {escape(sentence)}." in document
        assert f"<dt>how bars were read</dt><dd>{markupsafe.escape(sentence)}</dd>" in page


def test_a_record_of_before_has_no_choices(tmp_path):
    older = {key: value for key, value in msgspec.to_builtins(recorded(tmp_path).run).items() if key != "choices"}
    assert msgspec.convert(older, Run).choices == []


def test_a_run_is_told_how_its_data_are_to_be_read(tmp_path):
    days = [f"{day:02}/{month:02}/{year}" for year in (2000, 2001) for month in range(1, 13) for day in range(1, 13)]
    path = written(tmp_path, dated()[0], *(f"{day},10,12,9,11,1" for day in days))
    asked = Asked(["O11"], str(path), "quick", None, 1, None, False, False, False, None)
    with pytest.raises(UserError, match="say --dates day-first or month-first"):
        job_of(asked)
    told = job_of(msgspec.structs.replace(asked, dates="day first"))
    assert told.supply.header()["choices"] == ["dates are read as dd/mm/yyyy, as asked for"]
    with pytest.raises(UserError, match="name them with --data"):
        job_of(msgspec.structs.replace(asked, data=None, dates="day first"))


def test_the_program_takes_the_order_of_dates_and_refuses_another_word():
    assert DateOrder()("Day-First") == "day first"
    with pytest.raises(click.BadParameter, match="expected day-first or month-first, got 'ymd'"):
        DateOrder().convert("ymd", None, None)
