"""The inputs that bring a bug to light are made of these: decisions, bars, and a world whose providers do as told."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from argo_bench.pipeline import baseline
from argo_bench.pipeline.model import (
    Bars,
    Decision,
    Encoded,
    Indicators,
    Opinions,
    Provider,
    Redis,
    Request,
    StoreError,
)
from argo_bench.pipeline.record import Cycle, Pipeline, cycle, settle
from argo_bench.pipeline.world.base import EPOCH_S, OPINION
from argo_bench.pipeline.world.clock import nanoseconds
from argo_bench.pipeline.world.content import MODELS
from argo_bench.pipeline.world.simulated import SimulatedWorld, Simulation

SOURCES = (("massive", "LONG"), ("alpha_vantage", "NEUTRAL"), ("x_sentiment", "SHORT"), ("sonar", "LONG"))
NOTHING = 1e-12


def decision(symbol: str = "AAPL", **fields: Any) -> Decision:
    """A decision that passes every rule, with the given fields instead."""
    usual = {
        "signal_id": f"id {symbol}",
        "direction": "LONG",
        "entry": 241.53,
        "stop": 234.28,
        "target": 253.61,
        "confidence": 81.25,
        "regime": "TRENDING",
        "strategy": "weighted_consensus",
        "sources": SOURCES,
        "timestamp": EPOCH_S,
        "reference": 241.53,
        "reasoning": "The sources agree.",
        "reasoning_author": "model",
    }
    return Decision(symbol=symbol, **usual | fields)


SHORT = {"direction": "SHORT", "stop": 248.78, "target": 229.45}
"""The fields of a decision in the other direction."""


def encoded(*decisions: Decision) -> list[Encoded]:
    found: list[Encoded] = baseline.encode(None, decisions)
    return found


def walk(seed: int, bars: int = 300, start: float = 100.0, scale: float = 0.01) -> np.ndarray:
    """A random walk of closes in cents."""
    steps = np.random.default_rng(seed).normal(0.0, scale, bars)
    return np.round(start * np.exp(np.cumsum(steps)), 2)


def rise(bars: int = 300, start: float = 50.0) -> np.ndarray:
    """Closes that rise faster and faster, with every fourth one a little lower: all of our own rules say LONG."""
    at = np.arange(bars)
    return np.round(start * np.exp(0.001 * at + 2e-5 * at**2 / 10) * np.where(at % 4 == 3, 0.995, 1.0), 2)


def bars_of(
    closes: Sequence[float] | np.ndarray,
    symbol: str = "AAPL",
    volumes: Sequence[float] | np.ndarray | None = None,
    spread: float = 0.004,
) -> Bars:
    """Bars with these closes, each opening at the close before, from five in the morning UTC on."""
    close = np.asarray(closes, np.float64)
    opened = np.concatenate([close[:1], close[:-1]])
    high = np.round(np.maximum(opened, close) * (1 + spread), 4)
    low = np.round(np.minimum(opened, close) * (1 - spread), 4)
    usual = 1e6 + 1e5 * (np.arange(len(close)) % 7)
    volume = usual if volumes is None else np.asarray(volumes, np.float64)
    stamps = np.datetime64("2024-01-01T05:00:00", "us") + np.arange(len(close)) * np.timedelta64(1, "D")
    return Bars(symbol, stamps, np.array([opened, high, low, close, volume]))


def frame_of(bars: Bars) -> pd.DataFrame:
    found: pd.DataFrame = baseline.frame(None, bars)
    return found


def with_last(closes: np.ndarray, *last: float) -> np.ndarray:
    """The same closes, the last ones replaced."""
    return np.concatenate([closes[: -len(last)], last])


History = Bars | Callable[[int], Bars]


class Market:
    """Has bars by symbol, or functions that return them for a cycle."""

    def __init__(self, histories: Mapping[str, History]) -> None:
        self._histories = histories

    @property
    def symbols(self) -> Sequence[str]:
        return tuple(self._histories)

    def bars(self, symbol: str, cycle: int) -> Bars:
        history = self._histories[symbol]
        return history if isinstance(history, Bars) else history(cycle)


QUIET = Market({symbol: bars_of(walk(seed), symbol) for seed, symbol in enumerate(("AAPL", "MSFT"))})


def stand_still() -> int:
    return 0


class Scene(SimulatedWorld):
    """Is a world in which requests are ``refused``, say something else (``said``) or take seconds (``takes``), each by
    (provider, symbol, what); else they are answered at once."""

    def __init__(self, pipeline: Pipeline, market: Any = QUIET, directory: Path | None = None) -> None:
        simulation = Simulation(stand_still, error_rate=1.0, handshake_s=0.0, prepare_ahead=False)
        super().__init__(market, simulation, seed=1, directory=directory, durable=False)
        self.refused: set[tuple[str, str, str]] = set()
        self.said: dict[tuple[str, str, str], Any] = {}
        self.takes: dict[tuple[str, str, str], float] = {}
        self.store_is_down = False
        self.round_trip_ns = 0
        self.pipeline = pipeline
        self.transport = pipeline.transport
        self.begin(0)

    def _fails(self, request: Request) -> bool:
        return key_of(request) in self.refused

    def _latency_ns(self, request: Request) -> int:
        return nanoseconds(self.takes.get(key_of(request), 0.0))

    def _answer(self, request: Request) -> Any:
        key = key_of(request)
        return self.said[key] if key in self.said else super()._answer(request)

    @property
    def redis(self) -> Redis:
        if self.store_is_down:
            raise StoreError("the shared store did not answer")
        return super().redis

    def wait(self, seconds: float) -> None:
        self.clock.block(nanoseconds(seconds))

    def call(self, stage: str, *arguments: Any) -> Any:
        """Run a stage to its end and return its result."""
        return self.run(self._call(stage, arguments))

    async def _call(self, stage: str, arguments: tuple[Any, ...]) -> Any:
        return await settle(getattr(self.pipeline, stage)(self, *arguments))

    def together(self, stage: str, *calls: tuple[Any, ...]) -> list[Any]:
        """Run several calls of a stage side by side and return their results, or what they raised, in order."""
        return self.run(self._gather(stage, calls))

    async def _gather(self, stage: str, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        return await asyncio.gather(*(self._call(stage, each) for each in calls), return_exceptions=True)

    def request(self, *requests: Request) -> list[Any]:
        """Send requests side by side and return their answers, or what they raised, in order."""
        return self.run(self._send(requests))

    async def _send(self, requests: Sequence[Request]) -> list[Any]:
        pending = [self.pipeline.transport(self, request) for request in requests]
        return await asyncio.gather(*map(_awaited, pending), return_exceptions=True)

    def walk_through(self, number: int) -> Cycle:
        """Run a whole cycle."""
        return self.run(cycle(self.pipeline, self, self.market.symbols, number))


async def _awaited(pending: Any) -> Any:
    return await pending


def question(provider: Provider, symbol: str) -> Request:
    """The question for a model's opinion."""
    model, prompt = MODELS[provider], OPINION.format(symbol=symbol)
    return Request(
        provider, symbol, "opinion", prompt, 0, model.system, model.name, model.max_tokens, model.temperature
    )


def key_of(request: Request) -> tuple[str, str, str]:
    return request.provider, request.symbol, request.what


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a call returns, or the name of what it raises."""
    try:
        return call(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is seen
        return type(error).__name__


def rounded(value: float, digits: int = 10) -> float:
    """Round to significant digits, so that sums in another order are the same, and what remains of cents is nothing."""
    if not math.isfinite(value):
        return value
    return 0.0 if abs(value) < NOTHING else float(f"{value:.{digits}g}")


def figures(found: Indicators) -> dict[str, float]:
    return {name: rounded(getattr(found, name)) for name in found.__slots__}


USUAL = Indicators(
    close=105.0,
    sma20=103.0,
    sma50=101.0,
    sma200=95.0,
    ema12=104.0,
    ema26=103.0,
    macd=1.0,
    macd_signal=0.5,
    macd_hist=0.5,
    rsi14=60.0,
    atr14=1.0,
    plus_di14=30.0,
    minus_di14=15.0,
    adx14=20.0,
    bb_upper=107.0,
    bb_middle=103.0,
    bb_lower=99.0,
    volume_sma20=1e6,
    volume_ratio=1.0,
    change_1=0.001,
    change_4=0.004,
    volatility20=0.01,
    volatility50=0.01,
)
OPINIONS = Opinions(
    {"rsi": 61.0, "sma": 103.0, "quote": 105.0}, "direction=LONG confidence=75", "direction=SHORT confidence=75"
)
