"""As in ``baseline/fetch.py``, but other tasks may run while a provider answers."""

from __future__ import annotations

from argo_bench.model import Bars, Fetched, Opinions, ProviderError, World


async def fetch(world: World, symbol: str) -> Fetched:
    """The same six requests, each awaited before the next is sent.

    Raises ProviderError when a provider that has no fallback fails.
    """
    bars = await market_data(world, symbol)
    technical = {what: await world.opinion("alpha_vantage", symbol, what) for what in ("rsi", "sma", "quote")}
    sentiment = await world.opinion("x_sentiment", symbol, "opinion")
    analysis = await world.opinion("sonar", symbol, "opinion")
    return Fetched(bars, Opinions(technical, sentiment, analysis))


async def market_data(world: World, symbol: str) -> Bars:
    """Bars from the primary provider, or from the fallback when the primary fails."""
    bars: Bars
    try:
        bars = await world.bars("massive", symbol)
    except ProviderError:
        bars = await world.bars("alpaca", symbol)
    return bars
