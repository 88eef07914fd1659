"""Does the tape tick from a bar's open to its close, the same way whoever asks and in whatever order?"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argo_bench.errors import UserError
from argo_bench.pipeline.market import Tape, generate, live_change_rate, read_universe, round_to_quotes, trading_seconds
from argo_bench.pipeline.record import quote_digits

DATA = Path(__file__).parents[1].parent / "shared" / "data"

FRAMES = generate(["AAA", "BBB", "C-USD"], 305, seed=11).frames | {
    "PENNY": generate(["PENNY"], 305, seed=11, levels={"PENNY": 0.98}).frames["PENNY"]
}
symbols = st.sampled_from(list(FRAMES))


def day(tape: Tape, symbol: str, number: int) -> np.ndarray:
    """The live bar after every step of a day, shape (cycles_per_bar, 5)."""
    cycles = range(number * tape.cycles_per_bar, (number + 1) * tape.cycles_per_bar)
    return np.array([tape.bars(symbol, cycle).values[:, -1] for cycle in cycles])


def complete(symbol: str, index: int) -> np.ndarray:
    bar = FRAMES[symbol].to_numpy()[index]
    return np.array([*round_to_quotes(bar[:4]), bar[4]])


@given(
    symbol=symbols,
    seed=st.integers(0, 2**32),
    number=st.integers(0, 5),
    cycles=st.sampled_from([1, 2, 3, 4, 5, 10, 24, 200]),
    rate=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
@settings(max_examples=120, deadline=None)
def test_a_day_opens_accumulates_and_ends_as_the_complete_bar(
    symbol: str, seed: int, number: int, cycles: int, rate: float
) -> None:
    tape = Tape(FRAMES, seed=seed, cycles_per_bar=cycles, change_rate=rate)
    live = day(tape, symbol, number)
    open_, high, low, close, volume = live.T
    whole = complete(symbol, 299 + number)
    assert live[-1].tolist() == whole.tolist()
    assert (open_ == whole[0]).all()
    assert (np.diff(high) >= 0).all() and (np.diff(low) <= 0).all() and (np.diff(volume) >= 0).all()
    assert (low <= np.minimum(open_, close)).all() and (np.maximum(open_, close) <= high).all()
    if whole[4].is_integer():
        assert (volume == np.rint(volume)).all()
    for price in np.unique(live[:, :4]).tolist():
        assert price == round(price, quote_digits(price))


@given(symbol=symbols, seed=st.integers(0, 2**32), cycles=st.sampled_from([4, 7, 60]))
@settings(max_examples=60, deadline=None)
def test_the_last_price_starts_at_the_open_and_touches_high_and_low(symbol: str, seed: int, cycles: int) -> None:
    tape = Tape(FRAMES, seed=seed, cycles_per_bar=cycles)
    live = day(tape, symbol, 1)
    open_, high, low, close, _ = complete(symbol, 300)
    prices = live[:, 3]
    assert prices.tolist() == [tape.quote(symbol, cycles + step) for step in range(cycles)]
    assert (prices[0], prices.max(), prices.min(), prices[-1]) == (open_, high, low, close)
    assert (live[:, 1] == np.maximum.accumulate(prices)).all() and (live[:, 2] == np.minimum.accumulate(prices)).all()


def test_with_one_cycle_a_bar_the_live_bar_is_the_complete_bar() -> None:
    tape = Tape(FRAMES, seed=0, cycles_per_bar=1, change_rate=0.3)
    for cycle in range(tape.last_cycle + 1):
        assert tape.bars("AAA", cycle).values[:, -1].tolist() == complete("AAA", 299 + cycle).tolist()
        assert tape.quote("AAA", cycle) == complete("AAA", 299 + cycle)[3]
        assert tape.changed("AAA", cycle)


@given(symbol=symbols, rate=st.sampled_from([0.0, 0.2, 0.9, 1.0]), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_changed_says_whether_the_bars_differ_from_the_cycle_before(symbol: str, rate: float, seed: int) -> None:
    tape = Tape(FRAMES, seed=seed, cycles_per_bar=15, change_rate=rate)
    for cycle in range(1, 45):
        before, after = tape.bars(symbol, cycle - 1), tape.bars(symbol, cycle)
        assert tape.changed(symbol, cycle) == (not np.array_equal(before.values, after.values))
    assert tape.changed(symbol, 0)


@pytest.mark.parametrize("rate", [0.0, 0.03, 0.5, 1.0])
def test_the_change_rate_is_the_share_of_steps_that_tick(rate: float) -> None:
    steps = 4680
    tape = Tape(FRAMES, seed=2, change_rate=dict.fromkeys(FRAMES, rate))
    changed = np.mean([tape.changed("AAA", cycle) for cycle in range(1, steps)])
    # Four standard deviations of a Bernoulli share.
    assert abs(changed - rate) <= 4 * np.sqrt(rate * (1 - rate) / steps)


@given(asked=st.lists(st.tuples(symbols, st.integers(0, 6 * 20 - 1)), min_size=2, max_size=12))
@settings(max_examples=40, deadline=None)
def test_content_does_not_depend_on_the_order_of_calls_nor_on_the_other_symbols(asked: list[tuple[str, int]]) -> None:
    used = Tape(FRAMES, seed=5, cycles_per_bar=20, change_rate=0.5)
    for symbol, cycle in asked:
        alone = Tape({symbol: FRAMES[symbol]}, seed=5, cycles_per_bar=20, change_rate=0.5)
        assert np.array_equal(used.bars(symbol, cycle).values, alone.bars(symbol, cycle).values)
        assert used.quote(symbol, cycle) == alone.quote(symbol, cycle)
        assert used.changed(symbol, cycle) == alone.changed(symbol, cycle)


def test_seeds_days_and_symbols_tick_differently() -> None:
    one, other = (Tape({"X": FRAMES["AAA"], "Y": FRAMES["AAA"]}, seed=seed, cycles_per_bar=50) for seed in (1, 2))
    assert not np.array_equal(day(one, "X", 0), day(other, "X", 0))
    assert not np.array_equal(day(one, "X", 0), day(one, "Y", 0))


def test_the_history_is_the_file_from_its_first_bar_and_grows() -> None:
    tape = Tape(FRAMES, seed=1, cycles_per_bar=10)
    values = FRAMES["BBB"].to_numpy().T
    for number in range(6):
        bars = tape.bars("BBB", number * 10 + 3)
        assert bars.symbol == "BBB" and len(bars) == 300 + number
        assert bars.values.dtype == np.float64 and bars.values.flags.c_contiguous
        assert np.array_equal(bars.values[:, :-1], values[:, : 299 + number])
        assert bars.timestamps.dtype == "datetime64[us]"
        assert (pd.DatetimeIndex(bars.timestamps, tz="UTC") == FRAMES["BBB"].index[: 300 + number]).all()


def test_two_calls_do_not_interfere() -> None:
    tape = Tape(FRAMES, seed=1)
    first, second = tape.bars("AAA", 7), tape.bars("AAA", 7)
    later = tape.bars("AAA", 8).values.copy()
    first.values[:] = -1
    assert (second.values > -1).all()
    assert np.array_equal(tape.bars("AAA", 8).values, later)
    assert (FRAMES["AAA"].to_numpy() > -1).all()
    assert not first.timestamps.flags.writeable


def test_a_short_file_starts_on_its_last_bar_and_ends_the_tape_for_all() -> None:
    short = FRAMES["AAA"].iloc[:270]
    tape = Tape({"SHORT": short, "BBB": FRAMES["BBB"]}, seed=1, cycles_per_bar=10)
    assert len(tape.bars("SHORT", 9)) == 270
    assert tape.last_cycle == 9
    assert Tape(FRAMES, seed=1, cycles_per_bar=10).last_cycle == 59
    with pytest.raises(UserError) as caught:
        tape.bars("BBB", 25)
    assert str(caught.value) == (
        "Tape: expected a cycle from 0 to 9, got 25, which needs 272 bars of SHORT, and it has 270; "
        "run fewer cycles or give a longer history."
    )


def test_a_tape_refuses_what_it_cannot_play() -> None:
    with pytest.raises(UserError, match="AAA: expected at least 260 bars, found 259; give a longer history"):
        Tape({"AAA": FRAMES["AAA"].iloc[:259]}, seed=1)
    assert len(Tape({"AAA": FRAMES["AAA"].iloc[:60]}, seed=1, start=50).bars("AAA", 0)) == 50
    with pytest.raises(UserError, match=r"AAA: expected a change rate from 0 to 1, got 1\.5"):
        Tape(FRAMES, seed=1, change_rate=1.5)
    with pytest.raises(UserError, match=r"BBB: expected a change rate from 0 to 1, got \{'AAA': 1\}"):
        Tape(FRAMES, seed=1, change_rate={"AAA": 1})
    with pytest.raises(UserError, match="Tape: expected at least one symbol"):
        Tape({}, seed=1)
    with pytest.raises(UserError, match="positive cycles per bar, got 4 symbols, 300 and 0"):
        Tape(FRAMES, seed=1, cycles_per_bar=0)
    tape = Tape(FRAMES, seed=1)
    with pytest.raises(UserError, match="Tape: expected one of AAA, BBB, C-USD, PENNY, got 'ZZZ'"):
        tape.quote("ZZZ", 0)
    with pytest.raises(UserError, match="Tape: expected a cycle from 0 to 28079, got -1; start at 0"):
        tape.changed("AAA", -1)


def test_a_bar_whose_close_lies_outside_its_range_has_the_range_widened() -> None:
    frame = FRAMES["AAA"].copy()
    frame.iloc[299] = [10.0, 11.0, 9.0, 12.0, 100.0]
    tape = Tape({"ODD": frame}, seed=1, cycles_per_bar=10)
    assert day(tape, "ODD", 0)[-1].tolist() == [10, 12, 9, 12, 100]


@pytest.mark.skipif(not DATA.is_dir(), reason="the development data files are not on this machine")
def test_real_bars_tick_in_small_quoted_moves_that_float32_cannot_hold() -> None:
    universe = read_universe(DATA / "bars")
    tape = Tape(universe.frames, seed=3, start=2_900)
    for symbol in universe.symbols:
        prices = np.array([tape.quote(symbol, cycle) for cycle in range(0, 4680, 5)])
        span = np.ptp(prices)
        assert np.median(np.abs(np.diff(prices))) < span / 20
        if prices.min() >= 1:
            assert (prices.astype(np.float32).astype(np.float64) != prices).mean() > 0.5


@pytest.mark.parametrize("price", [0.5, 5.0, 200.0, 60_000.0])
@pytest.mark.parametrize("daily", [0.0005, 0.02])
def test_the_live_change_rate_is_the_expected_share_of_visible_moves(price: float, daily: float) -> None:
    close = price * np.exp(daily * np.tile([0.5, -0.5], 200))
    sigma = np.diff(np.log(close)).std(ddof=1) * close[-1] * np.sqrt(5 / 23_400) / 10.0 ** -quote_digits(close[-1])
    # The oracle: E[min(1, sigma |Z|)] summed over a fine grid of the normal density.
    z = np.linspace(-12, 12, 400_001)
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    expected = np.sum(np.minimum(1, sigma * np.abs(z)) * density) * (z[1] - z[0])
    assert live_change_rate(close, trading_seconds=trading_seconds("X")) == pytest.approx(expected, rel=1e-6)


def test_the_live_change_rate_of_a_frozen_price_is_zero_and_of_two_closes_unknown() -> None:
    assert live_change_rate(np.full(30, 10.0), trading_seconds=trading_seconds("X-USD")) == 0
    assert (trading_seconds("X"), trading_seconds("X-USD")) == (23_400, 86_400)
    with pytest.raises(UserError, match="live_change_rate: expected at least 3 closes, got 2"):
        live_change_rate(np.array([1.0, 2.0]), trading_seconds=23_400)
