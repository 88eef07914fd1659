"""Is a frame that is plainly bars taken as a reader of its cells takes it, and any other left to that reader?"""

import numpy as np
import pandas as pd
import pytest

from argo_bench.errors import UserError
from argo_bench.pipeline.market import generate, read_bars, read_universe
from argo_bench.pipeline.market.plain import take_plain
from argo_bench.pipeline.market.reader import canonical, read_plain
from argo_bench.pipeline.market.sources import tables

FRAME = generate(["AAA"], 300, seed=3).frames["AAA"]


def read_cells(frame):
    (table,) = tables(frame).values()
    return canonical(table, 1)


def dated(frame, name="date", **more):
    return frame.rename_axis(name).reset_index().assign(**more)


PLAIN = {
    "as it is written": FRAME,
    "without a time zone": FRAME.tz_localize(None),
    "in New York": FRAME.tz_convert("America/New_York"),
    "at times of day": FRAME.tz_localize(None).set_axis(FRAME.index.tz_localize(None) + pd.Timedelta("9h30min")),
    "from last to first": FRAME[::-1],
    "shuffled": FRAME.sample(frac=1, random_state=1),
    "capital names": FRAME.rename(columns=str.title),
    "columns in another order": FRAME[["volume", "low", "close", "open", "high"]],
    "dates in a column": dated(FRAME),
    "dates in the last column": dated(FRAME, "Timestamp")[[*FRAME.columns, "Timestamp"]],
    "a local column": dated(FRAME.tz_convert("Asia/Tokyo"), "datetime"),
    "whole numbers": (FRAME.round().clip(lower=1).assign(high=1e6, low=1.0)).astype("int64"),
    "in nanoseconds": FRAME.set_axis(FRAME.index.as_unit("ns")),
    "in seconds": FRAME.set_axis(FRAME.index.as_unit("s")),
    "one bar": FRAME[:1],
    "another name of the index": FRAME.rename_axis("moment"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_plainly_bars_is_read_as_its_cells_are(name):
    expected, got = read_cells(PLAIN[name]), read_plain(PLAIN[name], 1)
    assert got is not None
    pd.testing.assert_frame_equal(got.frame, expected.frame, check_exact=True, check_freq=False)
    assert got.choices == expected.choices


def with_cell(row, column, value):
    frame = FRAME.copy()
    frame.iloc[row, frame.columns.get_loc(column)] = value
    return frame


OTHERS = {
    "no number": with_cell(3, "open", np.nan),
    "infinite": with_cell(3, "volume", np.inf),
    "a price of zero": with_cell(3, "low", 0.0),
    "a price beyond reason": with_cell(3, "high", 1e13),
    "a volume below zero": with_cell(3, "volume", -1.0),
    "high below low": with_cell(3, "high", FRAME["low"].iloc[3] / 2),
    "a close above the high": with_cell(3, "close", FRAME["high"].iloc[3] * 2),
    "a moment twice": pd.concat([FRAME, FRAME[-1:]]),
    "a moment that is missing": dated(FRAME).assign(date=lambda frame: frame["date"].where(frame.index != 5)),
    "single precision": FRAME.astype("float32"),
    "text": FRAME.astype(str),
    "extension types": FRAME.convert_dtypes(),
    "an adjusted close": FRAME.assign(**{"Adj Close": FRAME["close"] / 2}),
    "a ticker": FRAME.assign(ticker="AAA"),
    "another column": FRAME.assign(note=1.0),
    "a column twice": pd.concat([FRAME, FRAME[["open"]]], axis=1),
    "a column that is missing": FRAME.drop(columns="volume"),
    "two columns of dates": dated(FRAME, timestamp=FRAME.index),
    "dates as text": dated(FRAME).assign(date=lambda frame: frame["date"].astype(str)),
    "no dates": FRAME.reset_index(drop=True),
    "levels of columns": pd.concat({"AAA": FRAME}, axis=1),
    "nothing": FRAME[:0],
    "nanoseconds that count": FRAME.set_axis(FRAME.index.as_unit("ns") + pd.Timedelta(1, "ns")),
}


@pytest.mark.parametrize("name", OTHERS)
def test_whatever_else_there_is_is_left_to_the_reader_of_cells(name):
    assert take_plain(OTHERS[name]) is None


def test_a_file_is_read_alike_and_what_is_asked_for_is_heeded(tmp_path):
    FRAME.to_parquet(tmp_path / "AAA.parquet")
    FRAME.astype("float32").to_parquet(tmp_path / "BBB.parquet")
    found = read_universe(tmp_path)
    assert found.symbols == ("AAA", "BBB")
    pd.testing.assert_frame_equal(found.frames["AAA"], read_cells(FRAME).frame, check_exact=True, check_freq=False)
    with pytest.raises(UserError, match="expected at least 400 bars, found 300"):
        read_bars(tmp_path / "AAA.parquet", minimum=400)
    with pytest.raises(UserError, match="expected 'day first' or 'month first'"):
        read_bars(tmp_path / "AAA.parquet", dates="neither")
    with pytest.raises(UserError, match="expected a column 'settle' to adjust by"):
        read_bars(FRAME, adjust_by="settle")
    with pytest.raises(UserError, match="expected ticker 'BBB'"):
        read_bars(tmp_path / "AAA.parquet", ticker="BBB")
