"""The bars and the other providers' raw opinions of one symbol are fetched here, one request after another."""

from __future__ import annotations

from argo_bench.pipeline.model import Bars, Fetched, Opinions, ProviderError, World


def fetch(world: World, symbol: str) -> Fetched:
    """Send six requests, and wait for each before the next is sent.

    Raises ProviderError when a provider that has no fallback fails.
    """
    bars = market_data(world, symbol)
    technical = {what: world.opinion("alpha_vantage", symbol, what).result() for what in ("rsi", "sma", "quote")}
    sentiment = world.opinion("x_sentiment", symbol, "opinion").result()
    analysis = world.opinion("sonar", symbol, "opinion").result()
    return Fetched(bars, Opinions(technical, sentiment, analysis))


def market_data(world: World, symbol: str) -> Bars:
    """Return bars from the primary provider, or from the fallback when the primary fails."""
    try:
        return world.bars("massive", symbol).result()
    except ProviderError:
        return world.bars("alpaca", symbol).result()
