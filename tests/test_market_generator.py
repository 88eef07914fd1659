"""Are generated bars possible bars, with the regimes they are labelled with?"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argo_bench.errors import UserError
from argo_bench.pipeline.market import generate, installed_sample, is_crypto, round_to_quotes
from argo_bench.pipeline.model import COLUMNS
from argo_bench.pipeline.record import quote_digits

SYMBOLS = ["AAA", "BBB", "CCC", "DDD-USD", "EEE-USD"]


@given(seed=st.integers(0, 2**32), bars=st.integers(1, 400), symbol=st.sampled_from(SYMBOLS))
@settings(max_examples=60, deadline=None)
def test_every_bar_is_possible_and_on_the_quote_step(seed: int, bars: int, symbol: str) -> None:
    generated = generate([symbol], bars, seed)
    frame = generated.frames[symbol]
    open_, high, low, close, volume = frame.to_numpy().T
    assert len(frame) == len(generated.labels[symbol]) == bars
    assert (low > 0).all() and (volume >= 0).all()
    assert (low <= np.minimum(open_, close)).all() and (np.maximum(open_, close) <= high).all()
    for price in np.unique(frame.to_numpy()[:, :4]).tolist():
        assert price == round(price, quote_digits(price))


@given(price=st.floats(1e-9, 1e7))
def test_quoting_an_array_is_rounding_each_price_to_its_own_digits(price: float) -> None:
    (got,) = round_to_quotes(np.array([price])).tolist()
    assert got == round_to_quotes(np.array([got]))[0]
    assert got == pytest.approx(max(price, 0.0001), abs=0.5001 * 10 ** -quote_digits(price))
    assert got == round(got, quote_digits(price))


def test_frames_are_canonical_and_trade_on_their_days() -> None:
    frames = generate(SYMBOLS, 500, seed=1).frames
    for symbol, frame in frames.items():
        assert tuple(frame.columns) == COLUMNS
        assert (frame.dtypes == np.float64).all()
        assert frame.index.dtype == "datetime64[us, UTC]" and frame.index.name == "timestamp"
        assert frame.index.freq is None
        assert frame.index.is_unique and frame.index.is_monotonic_increasing
        assert (frame.index.day_of_week >= 5).any() == is_crypto(symbol)
        whole = (frame["volume"] == np.rint(frame["volume"])).mean()
        assert whole < 0.1 if is_crypto(symbol) else whole == 1


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_a_symbol_does_not_depend_on_the_others(seed: int) -> None:
    together = generate(SYMBOLS, 100, seed)
    alone = generate(["CCC"], 100, seed)
    assert together.frames["CCC"].equals(alone.frames["CCC"])
    assert (together.labels["CCC"] == alone.labels["CCC"]).all()
    assert not together.frames["AAA"]["close"].equals(together.frames["BBB"]["close"])
    assert not alone.frames["CCC"].equals(generate(["CCC"], 100, seed + 1).frames["CCC"])


def test_every_symbol_has_a_halt_a_split_a_flash_move_and_gaps() -> None:
    symbols = [f"S{number}" for number in range(30)]
    for frame in generate(symbols, 1_000, seed=7).frames.values():
        open_, high, low, close, volume = frame.to_numpy().T
        halted = (high == low) & (volume == 0)
        assert halted.sum() == 5 and np.ptp(np.flatnonzero(halted)) == 4
        assert np.unique(close[halted]).size == 1
        jump = open_[1:] / close[:-1]
        assert 0.4 < jump.min() < 0.62
        wick = np.minimum(open_, close) / low
        assert 1.3 < wick.max() < 1.6
        assert (np.abs(np.log(jump)) > 0.01).sum() > 20


def returns_by_label(count: int, bars: int) -> dict[str, np.ndarray]:
    generated = generate([f"S{number}" for number in range(count)], bars, seed=3)
    returns: dict[str, list[np.ndarray]] = {}
    for symbol, frame in generated.frames.items():
        changes = np.diff(np.log(frame["close"].to_numpy()))
        labels = generated.labels[symbol][1:]
        quiet = np.abs(changes) < 0.4
        for label in np.unique(labels):
            returns.setdefault(str(label), []).append(changes[quiet & (labels == label)])
    return {label: np.concatenate(parts) for label, parts in returns.items()}


def test_the_labels_tell_calm_bars_from_volatile_ones() -> None:
    returns = returns_by_label(60, 1_000)
    assert set(returns) == {"TRENDING", "CONSOLIDATION", "VOLATILE"}
    deviation = {label: part.std() for label, part in returns.items()}
    assert deviation["VOLATILE"] > 2.5 * deviation["TRENDING"] > 2.5 * deviation["CONSOLIDATION"]
    assert min(part.size for part in returns.values()) > 0.25 * 60_000


def test_a_trend_goes_further_than_its_noise_and_a_regime_lasts_some_dozens_of_bars() -> None:
    generated = generate([f"S{number}" for number in range(60)], 1_000, seed=4)
    drift: dict[str, list[float]] = {}
    lengths = []
    for symbol, frame in generated.frames.items():
        labels = generated.labels[symbol]
        borders = np.flatnonzero(labels[1:] != labels[:-1]) + 1
        price = np.log(frame["close"].to_numpy())
        for start, stop in pairwise(borders):
            lengths.append(stop - start)
            steps = np.diff(price[start - 1 : stop])
            if stop - start >= 30 and np.abs(steps).max() < 0.4:
                drift.setdefault(str(labels[start]), []).append(abs(steps.mean()) / steps.std() * np.sqrt(steps.size))
    assert 30 < np.mean(lengths) < 50
    # |mean| / standard error is |t|: about 0.8 on average without drift.
    assert np.mean(drift["TRENDING"]) > 2
    assert np.mean(drift["CONSOLIDATION"]) < 1.2


def test_long_histories_neither_vanish_nor_explode() -> None:
    frame = generate(["S-USD"], 50_000, seed=5, levels={"S-USD": 100.0}).frames["S-USD"]
    assert 5 < frame["low"].min() < frame["high"].max() < 2_000


def test_no_bars_are_refused() -> None:
    with pytest.raises(UserError, match=r"generate: expected at least 1 bar, got 0; ask for a positive number\."):
        generate(["A"], 0, seed=1)


def test_the_installed_sample_is_real_adjusted_and_labelled() -> None:
    sample = installed_sample()
    assert sample.symbols == ("AAPL", "GOOG", "IBM", "MSFT", "GENA-USD", "GENB-USD")
    assert [sample.origin[symbol] for symbol in sample.symbols] == ["real"] * 4 + ["generated"] * 2
    apple = sample.frames["AAPL"]
    assert len(apple) == 3_270
    # 130.31 as traded on 2000-03-01; the splits and dividends since then leave 4.19.
    assert apple["close"].iloc[0] == 4.186662803811
    assert apple["open"].iloc[0] == pytest.approx(118.56 * 4.186662803811 / 130.31, rel=1e-12)
    assert sample.frames["GOOG"].index[0].year == 2004
    for symbol, level in {"GENA-USD": 60_000, "GENB-USD": 2_000}.items():
        assert len(sample.frames[symbol]) == 3_000
        assert level / 2 < sample.frames[symbol]["close"].median() < level * 2


def test_a_universe_is_cut_or_filled_up_with_generated_symbols() -> None:
    sample = installed_sample()
    assert sample.take(2).symbols == ("AAPL", "GOOG")
    filled = sample.take(9, seed=1, bars=300)
    assert filled.symbols == (*sample.symbols, "SYN001", "SYN002", "SYN003")
    assert filled.origin["SYN003"] == "generated" and filled.origin["IBM"] == "real"
    assert filled.frames["SYN001"].equals(sample.take(7, seed=1, bars=300).frames["SYN001"])
    again = filled.take(10, seed=1, bars=300)
    assert again.symbols == sample.take(10, seed=1, bars=300).symbols
    with pytest.raises(UserError, match=r"Universe\.take: expected at least 1 symbol, got 0"):
        sample.take(0)
