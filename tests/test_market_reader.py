"""Does the reader take what people have, and refuse the rest in one sentence?"""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argo_bench.errors import UserError
from argo_bench.pipeline.market import generate, read_bars, read_universe
from argo_bench.pipeline.model import COLUMNS

DATA = Path(__file__).parents[1].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the development data files are not on this machine")

HEADER = "Date,Open,High,Low,Close,Volume\n"
ROWS = ["2024-01-02,10,12,9,11,100\n", "2024-01-03,11,13,10,12,0\n", "2024-01-04,12,14,11,13,250.5\n"]
PLAIN = HEADER + "".join(ROWS)
STAMPS = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04"], tz="UTC", name="timestamp").as_unit("us")
EXPECTED = pd.DataFrame(
    [[10.0, 12.0, 9.0, 11.0, 100.0], [11.0, 13.0, 10.0, 12.0, 0.0], [12.0, 14.0, 11.0, 13.0, 250.5]],
    index=STAMPS,
    columns=list(COLUMNS),
)


def same(got: pd.DataFrame, expected: pd.DataFrame = EXPECTED) -> None:
    pd.testing.assert_frame_equal(got, expected, check_exact=True, check_freq=True)


def written(folder: Path, text: str, name: str = "XYZ.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(source: object, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        read_bars(source, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".")
    assert ": expected " in sentence and ", found " in sentence and "; " in sentence
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return sentence


# What is taken


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN + "\n\n,,,,,\n",
        PLAIN.replace("Date,", ","),
        PLAIN.replace("Close", "Last"),
        PLAIN.replace("Date", " DATETIME ").replace("Open", " open"),
        PLAIN.replace("2024-01-", "202401"),
        HEADER + "".join(reversed(ROWS)),
        HEADER + ROWS[1] + ROWS[2] + ROWS[0],
        "Volume,Extra,Close,Low,High,Open,Date\n100,a,11,9,12,10,2024-01-02\n0,b,12,10,13,11,2024-01-03\n"
        "250.5,c,13,11,14,12,2024-01-04\n",
        'Date,Close/Last,Volume,Open,High,Low\n"Jan 4, 2024",$13.00,250.5,$12,$14,$11\n'
        "3 January 2024,$12,0,$11,$13,$10\n02-Jan-2024,$11.00,100,$10,$12,$9\n",
        "Price,Close,High,Low,Open,Volume\nTicker,XYZ,XYZ,XYZ,XYZ,XYZ\nDate,,,,,\n2024-01-02,11,12,9,10,100\n"
        "2024-01-03,12,13,10,11,0\n2024-01-04,13,14,11,12,250.5\n",
        "Ticker," + PLAIN.replace("\n2024", "\nXYZ,2024"),
    ],
    ids=[
        "plain",
        "byte order mark",
        "Windows line ends",
        "blank lines",
        "unnamed index as backtesting.py has it",
        "Last for the close",
        "other cases and spaces",
        "compact dates",
        "newest first",
        "any order",
        "other column order and extra columns",
        "Nasdaq's names and dollar signs, and months by name",
        "yfinance with three header rows",
        "long table",
    ],
)
def test_the_same_bars_are_read_from_every_way_of_writing_them(tmp_path: Path, text: str) -> None:
    same(read_bars(written(tmp_path, text)))
    zipped = tmp_path / "XYZ.csv.gz"
    zipped.write_bytes(gzip.compress(text.encode()))
    same(read_bars(str(zipped)))


def test_offsets_that_change_over_the_year_become_utc(tmp_path: Path) -> None:
    text = (
        HEADER.replace("Volume", "Volume,Dividends,Stock Splits")
        + "2024-03-08 00:00:00-05:00,1,1,1,1,1,0.0,0.0\n2024-03-11 00:00:00-04:00,1,1,1,1,1,0.0,0.0\n"
    )
    got = read_bars(written(tmp_path, text))
    assert got.index.tolist() == [
        pd.Timestamp("2024-03-08 05:00", tz="UTC"),
        pd.Timestamp("2024-03-11 04:00", tz="UTC"),
    ]
    assert got.index.dtype == "datetime64[us, UTC]"


def test_adjusted_close_scales_all_four_prices_and_not_the_volume(tmp_path: Path) -> None:
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,10,12,8,10,5,100\n2024-01-03,11,13,10,12,12,7\n"
    got = read_bars(written(tmp_path, text))
    assert got.to_numpy().tolist() == [[5, 6, 4, 5, 100], [11, 13, 10, 12, 7]]


def test_thousands_separators_are_read_and_decimal_commas_are_refused(tmp_path: Path) -> None:
    text = HEADER + '2024-01-02,"1,000.50","$1,200",999,"1,100","12,345,678"\n'
    assert read_bars(written(tmp_path, text)).to_numpy().tolist() == [[1000.5, 1200, 999, 1100, 12345678]]
    assert "column 'Open': expected a finite number, found '10,5'" in refusal(
        written(tmp_path, HEADER + '2024-01-02,"10,5",12,9,11,100\n')
    )


def test_every_digit_of_a_price_survives(tmp_path: Path) -> None:
    digits = "0.26719599582998194"
    got = read_bars(written(tmp_path, f"{HEADER}2024-01-02,{digits},1,0.1,0.3,100\n"))
    assert got["open"].tolist() == [float(digits)]


def test_one_ulp_violations_zero_volume_and_a_close_outside_the_range_are_data(tmp_path: Path) -> None:
    low = np.nextafter(10.0, 11.0)
    text = f"{HEADER}2024-01-02,10,10,{low!r},10,0\n2024-01-03,10,12,9,13,5\n".replace("np.float64(", "").replace(
        ")", ""
    )
    got = read_bars(written(tmp_path, text))
    assert got["low"].iloc[0] > got["high"].iloc[0]
    assert got["close"].iloc[1] > got["high"].iloc[1]
    assert got["volume"].iloc[0] == 0


def frames() -> dict[str, pd.DataFrame]:
    naive = EXPECTED.tz_localize(None)
    titled = naive.rename(columns=str.title)
    several = pd.concat({"XYZ": titled}, axis=1, names=["Ticker", "Price"])
    return {
        "canonical": EXPECTED,
        "naive nanoseconds": naive.set_axis(naive.index.as_unit("ns").rename(None)),
        "another zone": EXPECTED.tz_convert("America/New_York"),
        "dates in a column": titled.reset_index(names="Date"),
        "dates as text": titled.set_axis(naive.index.strftime("%Y/%m/%d")),
        "dates as objects": titled.set_axis([stamp.date() for stamp in naive.index]),
        "an index that means nothing": titled.reset_index(names="Date").set_axis([7, 8, 9]),
        "ticker above price": several,
        "price above ticker": several.swaplevel(axis=1),
        "text with header rows in the body": pd.DataFrame(
            [["Ticker", *["XYZ"] * 5], ["Date", *[None] * 5]]
            + [[str(stamp.date()), *map(str, row)] for stamp, *row in naive.itertuples()],
            columns=["Price", *titled.columns],
        ),
    }


@pytest.mark.parametrize("kind", list(frames()))
def test_frames_and_parquet_files_are_read_like_text(tmp_path: Path, kind: str) -> None:
    frame = frames()[kind]
    same(read_bars(frame))
    frame.to_parquet(tmp_path / "XYZ.parquet")
    same(read_bars(tmp_path / "XYZ.parquet"))


@given(seed=st.integers(0, 1000), bars=st.integers(1, 40), symbol=st.sampled_from(["S", "C-USD"]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_what_was_written_changes_nothing(tmp_path: Path, seed: int, bars: int, symbol: str) -> None:
    frame = generate([symbol], bars, seed).frames[symbol]
    frame.iloc[::-1].to_csv(tmp_path / "S.csv")
    frame.to_parquet(tmp_path / "S.parquet")
    for source in (frame, tmp_path / "S.csv", tmp_path / "S.parquet"):
        same(read_bars(source), frame)


@needs_data
def test_the_real_files_are_canonical() -> None:
    for path in [*sorted((DATA / "bars").iterdir()), *sorted((DATA / "formats").iterdir())]:
        got = read_bars(path, minimum=2_900)
        assert tuple(got.columns) == COLUMNS
        assert (got.dtypes == np.float64).all()
        assert got.index.dtype == "datetime64[us, UTC]" and got.index.name == "timestamp"
        assert got.index.is_unique and got.index.is_monotonic_increasing
        assert np.isfinite(got.to_numpy()).all()


@needs_data
def test_the_real_parquet_file_has_text_cells_and_header_rows_in_its_body() -> None:
    got = read_bars(DATA / "formats" / "QQQ.parquet")
    assert got.index[0] == pd.Timestamp("2005-11-17", tz="UTC")
    assert got.iloc[0].tolist() == [34.975437567490495, *got.iloc[0, 1:3], 35.317413330078125, 94425500]


# What is refused


def with_row(row: str, position: int = 1) -> str:
    return HEADER + "".join([*ROWS[:position], row + "\n", *ROWS[position:]])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["expected a header line and bars", "found an empty file", "export it again"]),
        (" \n\n", ["found an empty file"]),
        (HEADER, ["expected at least 1 bar, found 0", "longer history"]),
        ("Date,Open,High,Low\n2024-01-02,1,2,1\n", ["line 1: expected a column for close, volume", "'Date', 'Open'"]),
        (PLAIN.replace("Date", "When"), ["line 1: expected a column for date", "found 'When', 'Open'"]),
        (
            "".join(ROWS),
            ["line 1: expected a column for date, open", "found '2024-01-02'", "names of the columns first"],
        ),
        (PLAIN.replace("Open", "Close"), ["expected one column for close, found 2 named 'Close'"]),
        (with_row("2024-01-03,1,2,1,2"), ["line 3: expected 6 cells as in the header, found 5: '2024-01-03, 1"]),
        (with_row("2024-01-03,1,2,1,2,3,4"), ["line 3: expected 6 cells", "found 7"]),
        (with_row("2024-01-04,1,2,1,2,3"), ["expected every date once, found 2024-01-04 in lines 3 and 5"]),
        (with_row("2024-13-01,1,2,1,2,3"), ["line 3, column 'Date': expected a date as yyyy-mm-dd", "'2024-13-01'"]),
        (with_row("soon,1,2,1,2,3"), ["line 3, column 'Date'", "found 'soon'"]),
        (with_row("1704153600,1,2,1,2,3"), ["found '1704153600'"]),
        (with_row(",1,2,1,2,3"), ["line 3, column 'Date'", "found ''"]),
        (
            with_row("31/01/2024,1,2,1,2,3"),
            ["line 3", "written as '2024-01-02' is, found '31/01/2024'", "as the others"],
        ),
        (with_row("01/02/24,1,2,1,2,3"), ["found '01/02/24'"]),
        (with_row("2023-01-04,,2,1,2,3"), ["line 3, column 'Open': expected a finite number, found ''"]),
        (with_row("2023-01-04,1,2,1,NaN,3"), ["line 3, column 'Close'", "found 'NaN'"]),
        (with_row("2023-01-04,1,2,1,null,3"), ["line 3, column 'Close'", "found 'null'"]),
        (with_row("2023-01-04,1,inf,1,2,3"), ["line 3, column 'High': expected a finite number, found 'inf'"]),
        (with_row("2023-01-04,1,2,1,2,N/A"), ["line 3, column 'Volume'", "found 'N/A'"]),
        (with_row("2023-01-04,1,2,0,2,3"), ["line 3, column 'Low': expected a price above zero, found '0'"]),
        (with_row("2023-01-04,1,2,1,-2,3"), ["line 3, column 'Close': expected a price above zero, found '-2'"]),
        (with_row("2023-01-04,1,2,1,2,-3"), ["line 3, column 'Volume': expected a volume of zero or more, found '-3'"]),
        (with_row("2023-01-04,1,1.5,1.6,1,3"), ["line 3: expected high >= low, found high 1.5 below low 1.6"]),
        (with_row('2023-01-04,1,2,1,2,"3'), ["expected comma-separated text in UTF-8, found something unreadable"]),
        ("Ticker," + PLAIN.replace("\n2024", "\n,2024"), ["line 2, column 'Ticker': expected a ticker, found ''"]),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_and_the_cell(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = written(tmp_path, text)
    sentence = refusal(path)
    assert sentence.startswith(str(path))
    for part in parts:
        assert part in sentence


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    text = HEADER + "\n\n" + ROWS[0] + "2024-01-03,x,13,10,12,0\n"
    assert "line 5, column 'Open'" in refusal(written(tmp_path, text))


def test_too_few_bars_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, PLAIN)
    same(read_bars(path, minimum=3))
    assert refusal(path, minimum=4) == f"{path}: expected at least 4 bars, found 3; give a longer history."


def test_what_is_no_data_file_is_refused(tmp_path: Path) -> None:
    assert "expected a file, found nothing at that path; check the path." in refusal(tmp_path / "absent.csv")
    assert "expected a file, found a directory; name a file in it" in refusal(tmp_path)
    assert "expected .csv or .csv.gz or .parquet, found '.xlsx'" in refusal(written(tmp_path, PLAIN, "XYZ.xlsx"))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("X.csv", b"\x89PNG\xff\xfe", "expected comma-separated text in UTF-8, found something unreadable ('utf-8'"),
        ("X.csv", b"Date,Open\0\n", "found something unreadable (a zero byte)"),
        ("X.csv.gz", b"Date,Open\n", "found something unreadable (Not a gzipped file"),
        ("X.csv.gz", gzip.compress(PLAIN.encode(), mtime=0)[:40], "found something unreadable"),
        ("X.parquet", b"PAR1 not really PAR1", "expected Parquet, found something unreadable"),
        ("X.parquet", b"", "expected Parquet, found something unreadable"),
    ],
    ids=["not text", "a zero byte", "not gzip", "gzip cut off", "not Parquet", "empty"],
)
def test_a_file_that_cannot_be_decoded_is_refused(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert expected in refusal(tmp_path / name)


def test_a_parquet_file_with_a_damaged_footer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "X.parquet"
    table = pyarrow.Table.from_pandas(EXPECTED).replace_schema_metadata({"pandas": '{"columns": []}'})
    pyarrow.parquet.write_table(table, path)
    assert "expected Parquet, found something unreadable" in refusal(path)


def test_high_may_be_below_low_by_float32_rounding_and_no_more(tmp_path: Path) -> None:
    eps = float(np.finfo(np.float32).eps)
    assert len(read_bars(written(tmp_path, f"{HEADER}2024-01-02,1,1,{1 + eps},1,0\n"))) == 1
    assert "expected high >= low" in refusal(written(tmp_path, f"{HEADER}2024-01-02,1,1,{1 + 4 * eps},1,0\n"))


def test_a_wrong_frame_is_refused_with_its_row_and_its_name() -> None:
    wrong = EXPECTED.copy()
    wrong.iloc[1, 0] = np.nan
    assert "the frame, row 1, column 'open': expected a finite number, found nan" in refusal(wrong)
    assert refusal(wrong, name="my bars").startswith("my bars, row 1")
    assert "the frame: expected a column for volume" in refusal(EXPECTED.drop(columns="volume"))
    assert "expected a column for date, open" in refusal(pd.DataFrame())
    assert "expected every date once" in refusal(pd.concat([EXPECTED, EXPECTED.iloc[:1]]))


@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_content_escapes_as_anything_but_a_user_error(tmp_path: Path, content: bytes) -> None:
    for name in ("x.csv", "x.csv.gz", "x.parquet"):
        (tmp_path / name).write_bytes(content)
        refusal(tmp_path / name)


CELLS = st.sampled_from(
    ["", "1", "2.5", "-1", "0", "nan", "inf", "$3", "2024-01-02", "1/2/2024", "Date", "Ticker", "x"]
)


@given(rows=st.lists(st.lists(CELLS, min_size=6, max_size=6), max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_cells_the_frame_is_canonical_or_refused(tmp_path: Path, rows: list[list[str]]) -> None:
    path = written(tmp_path, PLAIN + "".join(",".join(row) + "\n" for row in rows))
    try:
        got = read_bars(path)
    except UserError:
        return
    values = got.to_numpy()
    assert np.isfinite(values).all() and (values[:, :4] > 0).all() and (values[:, 4] >= 0).all()
    assert got.index.is_unique and got.index.is_monotonic_increasing


# Several tickers

SEVERAL = (
    "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\nTicker,AAA,B-USD,AAA,B-USD,AAA,B-USD,AAA,B-USD,AAA,B-USD\n"
    "Date,,,,,,,,,,\n2024-01-05,11,5,12,6,9,4,10,5,100,1.5\n2024-01-06,,6,,7,,5,,6,,2.5\n"
)


def test_one_ticker_is_picked_from_a_file_of_several_without_the_days_it_did_not_trade(tmp_path: Path) -> None:
    path = written(tmp_path, SEVERAL)
    assert read_bars(path, ticker="AAA").to_numpy().tolist() == [[10, 12, 9, 11, 100]]
    assert read_bars(path, ticker="B-USD")["volume"].tolist() == [1.5, 2.5]
    assert "expected one ticker, found AAA, B-USD; name one with ticker=" in refusal(path)
    assert "expected ticker 'CCC', found AAA, B-USD" in refusal(path, ticker="CCC")
    assert "expected ticker 'CCC', found a source that names no ticker" in refusal(EXPECTED, ticker="CCC")


def test_a_refusal_in_a_file_of_several_names_ticker_and_line(tmp_path: Path) -> None:
    path = written(tmp_path, SEVERAL.replace("2024-01-06,,6", "2024-01-06,,zero"))
    assert f"{path} (B-USD), line 5, column 'Close': expected a finite number, found 'zero'" in refusal(
        path, ticker="B-USD"
    )


def test_a_universe_is_a_file_or_the_data_files_of_a_directory(tmp_path: Path) -> None:
    several = written(tmp_path, SEVERAL, "several.csv")
    assert read_universe(several, minimum=1).symbols == ("AAA", "B-USD")
    EXPECTED.to_parquet(tmp_path / "ZZZ.parquet")
    (tmp_path / "MMM.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
    written(tmp_path, "not data", "notes.txt")
    universe = read_universe(str(tmp_path), minimum=1)
    assert universe.symbols == ("MMM", "ZZZ", "AAA", "B-USD")
    assert universe.origin == dict.fromkeys(universe.symbols, "real")
    assert universe.source == str(tmp_path)
    same(universe.frames["MMM"])


def test_a_universe_is_refused_where_it_is_not_clear(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected \.csv, \.csv\.gz, \.parquet files, found none; name the directory"):
        read_universe(tmp_path)
    with pytest.raises(UserError, match=r"absent: expected a file, found nothing at that path"):
        read_universe(tmp_path / "absent")
    written(tmp_path, PLAIN, "AAA.csv")
    with pytest.raises(UserError, match=r"AAA\.csv: expected at least 260 bars, found 3"):
        read_universe(tmp_path)
    written(tmp_path, SEVERAL, "several.csv")
    with pytest.raises(UserError, match=r"several\.csv: expected every symbol in one file only, found AAA in AAA\.csv"):
        read_universe(tmp_path, minimum=1)


@needs_data
def test_the_real_directory_gives_the_symbols_of_its_files_and_headers() -> None:
    assert read_universe(DATA / "formats").symbols == ("QQQ", "SPY")
