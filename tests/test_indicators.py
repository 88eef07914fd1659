"""Are the indicators right, in every implementation, and would a wrong kernel be noticed?"""

from __future__ import annotations

import dataclasses
import math
import random
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argo_bench.optimizations import _indicator_libraries as libraries
from argo_bench.pipeline import kernels
from argo_bench.pipeline.baseline.indicators import five, indicators, pandas_five, pandas_indicators, remaining
from argo_bench.pipeline.model import COLUMNS, Indicators
from argo_bench.pipeline.optimized.indicators import CANONICAL, block
from argo_bench.pipeline.optimized.indicators import five as engineered_five
from argo_bench.pipeline.optimized.indicators import indicators as engineered

REAL_BARS = Path(__file__).parents[1].parent / "shared" / "data" / "bars"
SYMBOLS = ("AAPL", "NVDA", "TSLA", "MSFT", "BTC-USD", "ETH-USD")

FIRST_VALID = {
    "close": 0,
    "sma20": 19,
    "sma50": 49,
    "sma200": 199,
    "ema12": 11,
    "ema26": 25,
    "macd": 33,
    "macd_signal": 33,
    "macd_hist": 33,
    "rsi14": 14,
    "atr14": 14,
    "plus_di14": 14,
    "minus_di14": 14,
    "adx14": 27,
    "bb_upper": 19,
    "bb_middle": 19,
    "bb_lower": 19,
    "volume_sma20": 19,
    "volume_ratio": 19,
    "change_1": 1,
    "change_4": 4,
    "volatility20": 20,
    "volatility50": 50,
}
IN_PRICE_UNITS = {"close", "ema12", "ema26", "atr14"} | {
    name for name in FIRST_VALID if name.startswith(("sma", "macd", "bb"))
}

OWN = {
    "loop": indicators,
    "vectorized": pandas_indicators,
    "engineered": engineered,
    "latest only": libraries.latest_only,
}
LIBRARIES = {
    "talib": ("talib", libraries.talib_indicators),
    "talib columns": ("talib", libraries.talib_columns),
    "polars": ("polars", libraries.polars_indicators),
}
FIVES = {"loop": five, "vectorized": pandas_five, "engineered": engineered_five}
KINDS = ("stock", "bitcoin", "penny", "cents", "halted", "dimes")


def market(kind: str, bars: int, seed: int) -> pd.DataFrame:
    """A random walk: ``halted`` stands still without volume in stretches, ``dimes`` has many equal moves."""
    rng = np.random.default_rng([KINDS.index(kind), bars, seed])
    price, decimals = {"bitcoin": (60_000.0, 2), "penny": (0.0004, 6), "cents": (100.0, 2), "dimes": (20.0, 1)}.get(
        kind, (100.0, 12)
    )
    moving = np.ones(bars)
    if kind == "halted":
        moving = (np.cumsum(rng.random(bars) < 0.05) % 2).astype(float)
    close = price * np.exp(np.cumsum(rng.normal(0, 0.02, bars) * moving))
    opened = np.concatenate(([price], close[:-1])) * np.exp(rng.normal(0, 0.005, bars) * moving)
    high = np.maximum(opened, close) * (1 + rng.exponential(0.005, bars) * moving)
    low = np.minimum(opened, close) * (1 - rng.exponential(0.005, bars).clip(0, 0.5) * moving)
    volume = rng.integers(1, 10**8, bars) * moving if kind != "bitcoin" else rng.lognormal(20, 1, bars)
    prices = np.round([opened, high, low, close], decimals)
    return framed(np.vstack([prices, volume]))


def framed(rows: np.ndarray) -> pd.DataFrame:
    index = pd.date_range("2020-01-01", periods=rows.shape[1], freq="D", tz="UTC", unit="us", name="timestamp")
    return pd.DataFrame(np.ascontiguousarray(rows, dtype=np.float64).T, index=index, columns=CANONICAL)


def from_closes(closes: list[float] | np.ndarray, spread: float = 1.0) -> pd.DataFrame:
    close = np.asarray(closes, dtype=np.float64)
    return framed(np.vstack([close, close + spread, close - spread, close, np.full(len(close), 1000.0)]))


def differences(got: Indicators, expected: Indicators) -> list[str]:
    """The fields that differ beyond 1e-9 of the close, of 1 or, for volumes and percentages, of the value itself."""
    wrong = []
    for name, target in dataclasses.asdict(expected).items():
        value = getattr(got, name)
        scale = max(1.0, expected.close) if name in IN_PRICE_UNITS else abs(target)
        if not name.startswith("volume"):
            scale = max(1.0, scale)
        same = math.isnan(value) if math.isnan(target) else abs(value - target) <= 1e-9 * scale
        if not same:
            wrong.append(f"{name}: got {value!r}, expected {target!r}")
    return wrong


def implementation(name: str) -> Callable[..., Indicators]:
    if name in OWN:
        return OWN[name]
    package, function = LIBRARIES[name]
    pytest.importorskip(package)
    return function


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OWN)
def test_every_implementation_equals_talib(name: str, kind: str) -> None:
    pytest.importorskip("talib")
    for seed, bars in enumerate([*range(1, 60, 3), 14, 15, 27, 28, 33, 34, 50, 51, 199, 200, 201, 300, 320]):
        frame = market(kind, bars, seed)
        assert differences(OWN[name](None, frame), libraries.talib_columns(None, frame)) == [], (bars, seed)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_implementation_equals_talib_on_real_bars(symbol: str) -> None:
    pytest.importorskip("talib")
    path = REAL_BARS / f"{symbol}.csv"
    if not path.exists():
        pytest.skip("no real bars beside the checkout")
    table = pd.read_csv(path).rename(columns=str.lower)
    whole = framed(table[list(COLUMNS)].to_numpy().T)
    rng = np.random.default_rng(SYMBOLS.index(symbol))
    windows = [whole.iloc[at : at + 260 + bars] for at, bars in rng.integers(0, (len(whole) - 560, 300), (12, 2))]
    for frame in [whole, *windows]:
        expected = libraries.talib_columns(None, frame)
        for name, function in OWN.items():
            assert differences(function(None, frame), expected) == [], (name, frame.index[0], len(frame))


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_library_references_equal_the_baseline(name: str) -> None:
    function = implementation(name)
    for kind in KINDS:
        for seed, bars in enumerate([1, 2, 13, 14, 15, 20, 21, 26, 28, 33, 34, 51, 200, 260]):
            frame = market(kind, bars, 100 + seed)
            assert differences(function(None, frame), indicators(None, frame)) == [], (kind, bars)


@pytest.mark.parametrize("windows", [50, pytest.param(2000, marks=pytest.mark.slow)])
def test_three_implementations_agree_on_windows_of_any_length(windows: int) -> None:
    rng = random.Random(8)
    for seed in range(windows):
        frame = market(rng.choice(KINDS), 1 + int(229 * rng.random() ** 2), 1000 + seed)
        expected = indicators(None, frame)
        assert differences(pandas_indicators(None, frame), expected) == [], seed
        assert differences(engineered(None, frame), expected) == [], seed


@pytest.mark.parametrize("name", [*OWN, *LIBRARIES])
def test_each_indicator_starts_at_its_first_valid_bar(name: str) -> None:
    function = implementation(name)
    frame = market("stock", 201, 0)
    for bars in sorted({0, *FIRST_VALID.values()} - {0}):
        for length in (bars, bars + 1):
            got = dataclasses.asdict(function(None, frame.iloc[:length]))
            valid = {field for field, value in got.items() if not math.isnan(value)}
            assert valid == {field for field, first in FIRST_VALID.items() if first < length}


@pytest.mark.parametrize("name", [*OWN, *LIBRARIES])
def test_a_steady_rise_gives_what_is_worked_out_by_hand(name: str) -> None:
    """An EMA of n trails a ramp by (n - 1) / 2, from its seed on; every bar spans 2 and rises by 1."""
    got = implementation(name)(None, from_closes(np.arange(101.0, 351.0)))
    expected = Indicators(
        close=350.0,
        sma20=340.5,
        sma50=325.5,
        sma200=250.5,
        ema12=344.5,
        ema26=337.5,
        macd=7.0,
        macd_signal=7.0,
        macd_hist=0.0,
        rsi14=100.0,
        atr14=2.0,
        plus_di14=50.0,
        minus_di14=0.0,
        adx14=100.0,
        bb_upper=340.5 + 2 * math.sqrt(399 / 12),
        bb_middle=340.5,
        bb_lower=340.5 - 2 * math.sqrt(399 / 12),
        volume_sma20=1000.0,
        volume_ratio=1.0,
        change_1=1 / 349,
        change_4=4 / 346,
        volatility20=float(np.std(1 / np.arange(330.0, 350.0), ddof=1)),
        volatility50=float(np.std(1 / np.arange(300.0, 350.0), ddof=1)),
    )
    assert differences(got, expected) == []


@pytest.mark.parametrize("name", [*OWN, *LIBRARIES])
def test_wilder_smoothing_by_hand(name: str) -> None:
    """Up 2, down 1, ...: seven of each seed the RSI, the fifteenth change moves it by a fourteenth."""
    closes = 100 + np.cumsum([0, *[2, -1] * 7, 2])
    seeded = implementation(name)(None, from_closes(closes[:15]))
    assert seeded.rsi14 == pytest.approx(100 * 14 / (14 + 7), abs=1e-9)
    moved = implementation(name)(None, from_closes(closes))
    assert moved.rsi14 == pytest.approx(100 * (13 + 2) / (13 + 2 + 6.5), abs=1e-9)
    assert seeded.atr14 == pytest.approx((7 * 3 + 7 * 2) / 14, abs=1e-9)
    assert moved.atr14 == pytest.approx((2.5 * 13 + 3) / 14, abs=1e-9)


@pytest.mark.parametrize("name", [*OWN, *LIBRARIES])
def test_volatility_is_the_deviation_of_a_sample(name: str) -> None:
    """Half of the returns are +10 %, half -10 %."""
    got = implementation(name)(None, from_closes(100 * np.cumprod([1, *[1.1, 0.9] * 25])))
    assert got.volatility20 == pytest.approx(math.sqrt(20 * 0.01 / 19), abs=1e-12)
    assert got.volatility50 == pytest.approx(math.sqrt(50 * 0.01 / 49), abs=1e-12)


@pytest.mark.parametrize("name", [*OWN, *LIBRARIES])
def test_a_flat_market_gives_zeros(name: str) -> None:
    got = implementation(name)(None, from_closes([60_000.37] * 210, spread=0.0))
    flat = {field: getattr(got, field) for field in ("rsi14", "atr14", "plus_di14", "minus_di14", "adx14", "macd")}
    assert flat == pytest.approx(dict.fromkeys(flat, 0.0), abs=1e-9)
    assert got.bb_upper == pytest.approx(got.bb_lower, abs=1e-6)
    assert (got.rsi14, got.adx14) == (0.0, 0.0)


@pytest.mark.parametrize("name", [*OWN, *LIBRARIES])
def test_a_long_halt_keeps_what_the_last_moves_said(name: str) -> None:
    """Everything decays alike, so that the quotients stand: TA-Lib 0.8 no longer calls small sums zero."""
    before = market("stock", 120, 3)
    last = before["close"].iloc[-1]
    halt = from_closes([last] * 600, spread=0.0)
    together = framed(np.hstack([before.to_numpy().T, halt.to_numpy().T]))
    expected = implementation(name)(None, framed(np.hstack([before.to_numpy().T, halt.iloc[:1].to_numpy().T])))
    got = implementation(name)(None, together)
    assert got.rsi14 == pytest.approx(expected.rsi14, abs=1e-9)
    assert got.plus_di14 == pytest.approx(expected.plus_di14, abs=1e-9)
    assert got.adx14 == pytest.approx(
        100 * abs(got.plus_di14 - got.minus_di14) / (got.plus_di14 + got.minus_di14), abs=1e-9
    )


@pytest.mark.parametrize("name", [*OWN, *LIBRARIES])
def test_directions_that_begin_after_the_seed_start_from_zero(name: str) -> None:
    still, moving = [50.0] * 30, 50 + np.cumsum(np.random.default_rng(5).normal(0, 1, 20))
    frame = from_closes([*still, *moving], spread=0.0)
    assert differences(implementation(name)(None, frame), indicators(None, frame)) == []
    first = implementation(name)(None, frame.iloc[:31])
    assert first.adx14 == pytest.approx(100 / 14, abs=1e-9)


@pytest.mark.parametrize("name", [*OWN, *LIBRARIES])
def test_a_fall_without_a_rise_has_an_rsi_of_zero(name: str) -> None:
    got = implementation(name)(None, from_closes(np.arange(300.0, 200.0, -1)))
    assert (got.rsi14, got.plus_di14, got.minus_di14) == (0.0, 0.0, pytest.approx(50.0))


@pytest.mark.parametrize("name", [*OWN, *LIBRARIES])
def test_no_volume_on_average_means_no_volume_ratio(name: str) -> None:
    frame = market("stock", 60, 1)
    frame.iloc[-20:, 4] = 0.0
    got = implementation(name)(None, frame)
    assert got.volume_sma20 == 0.0
    assert math.isnan(got.volume_ratio)


@pytest.mark.parametrize("bar", [0, 5, 40, 59])
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused_with_the_name_of_its_column(column: str, bar: int, value: float) -> None:
    frame = market("stock", 60, 2)
    frame.iloc[bar, COLUMNS.index(column)] = value
    for function in OWN.values():
        with pytest.raises(ValueError, match=rf"column '{column}'.*at bar {bar}"):
            function(None, frame)


@pytest.mark.parametrize("name", FIVES)
def test_the_five_refuse_bad_numbers_among_what_they_read(name: str) -> None:
    for column in ("close", "volume"):
        frame = market("stock", 60, 2)
        frame.iloc[-7, COLUMNS.index(column)] = math.nan
        with pytest.raises(ValueError, match=f"column '{column}'"):
            FIVES[name](None, frame)


def test_an_empty_frame_is_refused() -> None:
    empty = market("stock", 5, 0).iloc[:0]
    for function in [*OWN.values(), *FIVES.values()]:
        with pytest.raises(ValueError, match="at least one bar"):
            function(None, empty)


@pytest.mark.parametrize("name", FIVES)
def test_the_five_are_five_of_the_whole_set(name: str) -> None:
    for kind in KINDS:
        for bars in (1, 2, 19, 20, 49, 50, 51, 230):
            frame = market(kind, bars, 7)
            whole = dataclasses.asdict(indicators(None, frame))
            got = FIVES[name](None, frame)
            assert tuple(got) == kernels.FIVE_FIELDS
            assert differences(Indicators(**whole | got), Indicators(**whole)) == []


def test_the_five_and_the_remaining_make_up_the_whole_set() -> None:
    frame = market("cents", 230, 1)
    assert Indicators(**five(None, frame), **remaining(None, frame)) == indicators(None, frame)


closes = st.lists(st.floats(1.0, 1e5), min_size=30, max_size=80)


@settings(max_examples=100, deadline=None)
@given(closes, st.integers(-20, 20))
def test_rsi_adx_and_di_do_not_depend_on_the_unit_of_price(values: list[float], power: int) -> None:
    frame = from_closes(values, spread=0.5)
    scaled = frame.copy()
    scaled[list(COLUMNS[:4])] *= 2.0**power
    one, other = engineered(None, frame), engineered(None, scaled)
    for field in ("rsi14", "adx14", "plus_di14", "minus_di14", "change_4", "volatility20"):
        assert getattr(one, field) == getattr(other, field)


@settings(max_examples=100, deadline=None)
@given(closes)
def test_indicators_keep_within_their_bounds(values: list[float]) -> None:
    got = engineered(None, from_closes(values))
    for field in ("rsi14", "adx14", "plus_di14", "minus_di14"):
        assert -1e-9 <= getattr(got, field) <= 100 + 1e-9
    window = values[-20:]
    rounding = 1e-12 * max(window)
    assert min(window) - rounding <= got.sma20 <= max(window) + rounding
    assert got.bb_lower <= got.bb_middle <= got.bb_upper
    assert got.atr14 >= 2.0 - rounding
    assert got.volatility20 >= 0.0


@settings(max_examples=50, deadline=None)
@given(closes)
def test_any_closes_give_what_the_loop_gives(values: list[float]) -> None:
    frame = from_closes(values)
    scale = max(values)
    got, expected = dataclasses.asdict(engineered(None, frame)), dataclasses.asdict(indicators(None, frame))
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale, nan_ok=True)


def test_inputs_are_never_written() -> None:
    frame = market("stock", 230, 4)
    before = frame.copy(deep=True)
    for function in [*OWN.values(), *FIVES.values()]:
        function(None, frame)
        pd.testing.assert_frame_equal(frame, before)


def test_read_only_and_writable_frames_share_one_compiled_kernel() -> None:
    frame = market("stock", 230, 4)
    apart = pd.DataFrame({name: frame[name].to_numpy(copy=True) for name in COLUMNS}, index=frame.index)
    apart["close"] = apart["close"] + 0.0
    turned = frame[list(COLUMNS[::-1])]
    expected = engineered(None, frame)
    engineered(None, frame.astype(np.float32))
    engineered_five(None, frame)
    engineered_five(None, frame.astype(np.float32))
    compiled = len(kernels.latest_indicators.signatures), len(kernels.latest_five.signatures)
    for other in (frame.copy(), apart, turned, frame.iloc[::-1].iloc[::-1], frame.assign(spread=1.0), frame.iloc[30:]):
        got = engineered(None, other)
        engineered_five(None, other)
        assert differences(got, expected) == [] or len(other) < len(frame)
        assert not block(other).flags.writeable
    assert (len(kernels.latest_indicators.signatures), len(kernels.latest_five.signatures)) == compiled


def test_a_frame_of_one_block_is_not_copied() -> None:
    frame = market("stock", 230, 4)
    assert np.shares_memory(block(frame), frame.to_numpy())
    assert block(frame).flags.c_contiguous


def test_integer_columns_are_taken_as_numbers() -> None:
    frame = market("dimes", 230, 4)
    assert differences(engineered(None, frame.astype({"volume": "int64"})), engineered(None, frame)) == []
    whole = from_closes(np.arange(100, 200)).astype("int64")
    assert differences(engineered(None, whole), indicators(None, whole)) == []


def test_float32_bars_are_accumulated_in_float64() -> None:
    """float32 resolves 60,000 to 0.004; a sum of 200 such prices kept in float32 is off by far more than 1e-9."""
    stored = market("bitcoin", 260, 6).astype(np.float32)
    expected = indicators(None, stored.astype(np.float64))
    for function in OWN.values():
        assert differences(function(None, stored), expected) == []
    close = stored["close"].to_numpy()
    assert abs(np.cumsum(close[-200:])[-1] / 200 - expected.sma200) > 1e-9 * expected.close


MUTATIONS = {
    "a window of one bar more": ("SHORT, MEDIUM, LONG = 20, 50, 200", "SHORT, MEDIUM, LONG = 21, 50, 200", "sma20"),
    "Wilder's constant taken for an EMA's": (
        "WILDER_KEEP = 1 - 1 / WILDER",
        "WILDER_KEEP = 1 - 2 / (WILDER + 1)",
        "rsi14",
    ),
    "ADX seeded a bar late": ("2 * WILDER - 1", "2 * WILDER", "adx14"),
    "sums in float32": (
        "total += np.float64(values[bar])",
        "total = np.float64(np.float32(total + values[bar]))",
        "sma50",
    ),
    "a recursion in float32": (
        "fast = FAST_KEEP * fast + price",
        "fast = np.float64(np.float32(FAST_KEEP * fast + price))",
        "ema12",
    ),
    "the sample's deviation in the bands": ("math.sqrt(total / count)", "math.sqrt(total / (count - 1))", "bb_upper"),
    "the population's deviation of returns": (
        "math.sqrt(total / (count - 1))",
        "math.sqrt(total / count)",
        "volatility20",
    ),
    "an EMA without its seed": ("fast = mean(close, 0, FAST) / FAST_SCALE", "pass", "ema12"),
    "MACD's averages seeded apart": ("mean(close, SLOW - FAST, SLOW)", "mean(close, 0, FAST)", "macd"),
    "a signal line without its seed": ("signal *= 1 / (SIGNAL * SIGNAL_SCALE)", "pass", "macd_signal"),
    "a true range without the gap": ("(top if top > before else before)", "top", "atr14"),
    "ties counted as a rise": ("(up if up > down else 0.0)", "(up if up >= down else 0.0)", "plus_di14"),
    "ADX valid a bar early": ("if bars > ADX_SEED else NAN", "if bars >= ADX_SEED else NAN", "adx14"),
    "open and volume not looked at": ("(np.float64(opened[bar]) + np.float64(volume[bar]))", "price", "close"),
}
"""What is wrong: the text of the kernel, what stands in its place, a field in which it shows."""


@pytest.fixture(scope="module")
def worked_out() -> list[tuple[pd.DataFrame, Indicators]]:
    """Short and long markets with what the loop makes of them, and one that must be refused."""
    lengths = (12, 14, 15, 26, 27, 28, 33, 34, 50, 51, 199, 230)
    frames = [market(kind, bars, 50) for kind in KINDS for bars in lengths]
    refused = market("stock", 60, 50)
    refused.iloc[30, COLUMNS.index("volume")] = math.nan
    return [(frame, indicators(None, frame)) for frame in frames] + [(refused, Indicators(*[math.nan] * 23))]


def faults(kernel: Callable[..., np.ndarray], worked_out: list[tuple[pd.DataFrame, Indicators]]) -> set[str]:
    """The fields in which a kernel is wrong somewhere."""
    return {
        difference.partition(":")[0]
        for frame, expected in worked_out
        for difference in differences(Indicators(*kernel(block(frame)).tolist()), expected)
    }


def test_the_kernel_is_without_fault(worked_out: list[tuple[pd.DataFrame, Indicators]]) -> None:
    assert faults(kernels.latest_indicators, worked_out) == set()


QUICK = ("sums in float32",)
"""Each is compiled anew, which takes seconds: those of other kinds are tried with the slow tests."""


@pytest.mark.parametrize(
    "mutation", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in MUTATIONS]
)
def test_a_mutated_kernel_is_found_out(mutation: str, worked_out: list[tuple[pd.DataFrame, Indicators]]) -> None:
    source = Path(kernels.__file__).read_text(encoding="utf-8").replace("cache=True", "cache=False")
    old, new, field = MUTATIONS[mutation]
    assert source.count(old) == 1
    mutant = types.ModuleType("mutant")
    exec(compile(source.replace(old, new), "mutant", "exec"), mutant.__dict__)
    assert field in faults(mutant.latest_indicators, worked_out)
