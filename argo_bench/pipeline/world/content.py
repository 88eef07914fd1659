"""Providers' answers and latencies are computed here, as functions of (seed, provider, symbol, cycle) without state.

The order in which requests arrive therefore changes nothing. Latencies are log-normal, given as median and 99th
percentile in seconds. Language models answer in the shape of OpenAI-compatible chat completions; their cost follows
from their ``usage`` and a dated price table. A reader's own latencies and prices take the place of both (``figures``).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import xxhash

from argo_bench.pipeline.model import (
    Bars,
    ChatRequest,
    Choice,
    Completion,
    Direction,
    Message,
    Provider,
    Request,
    Usage,
)
from argo_bench.pipeline.world.figures import PRICE, own_figures

STANDARD_NORMAL = NormalDist()
FOLLOWS = 0.8
MODEL_CONFIDENCE = 75
CYCLE_MINUTES = 5 / 60
OPINION_MINUTES = 10.0
"""The time constant of a model's opinion on a live market, in minutes, unless a workload has one of its own.

News sentiment is autocorrelated over minutes: S. Y. Yang, A. Liu, J. Chen and A. Hawkes, Applications of a multivariate
Hawkes process to joint modeling of sentiment and market return events, Quantitative Finance 18(2), 2018, pages 295-310,
fit exponentially decaying excitation to the S&P 500 and to Thomson Reuters news sentiment, 2008 to 2014. Positive and
negative sentiment each excite themselves strongly at a scale of 15 minutes, and sentiment decays about half as fast as
returns do. That scale is of the whole market and of events; that a single symbol's opinion has the next round number
below it is this study's own assumption, made on 2026-11-29 before it was measured. Verdicts that hang on it are given
at 0, 1 and 10 minutes.
"""

REDRAWN_TOGETHER = 120
"""The number of cycles whose redraws are found at once, ten minutes."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Describes a log-normal latency by its median and its 99th percentile, in seconds."""

    median_s: float
    p99_s: float

    def quantile(self, probability: float) -> float:
        sigma = math.log(self.p99_s / self.median_s) / STANDARD_NORMAL.inv_cdf(0.99)
        return self.median_s * math.exp(sigma * STANDARD_NORMAL.inv_cdf(probability))


LATENCIES: Mapping[str, Latency] = {
    "massive": Latency(0.120, 0.600),
    "alpaca": Latency(0.120, 0.600),
    "alpha_vantage": Latency(0.180, 0.800),
    "x_sentiment": Latency(1.2, 4.0),
    "sonar": Latency(1.8, 6.0),
    "explanation": Latency(2.0, 5.0),
}


@dataclass(frozen=True, slots=True)
class Model:
    """Describes a language model and how the pipeline asks it; the system prompt is the same for every request."""

    name: str
    system: str
    max_tokens: int
    temperature: float


MODELS: Mapping[Provider, Model] = {
    "x_sentiment": Model("grok-2-1212", "You judge the mood of posts about a traded symbol.", 16, 0.0),
    "sonar": Model("sonar", "You judge the news about a traded symbol.", 16, 0.0),
    "explanation": Model("explanation", "You explain trading signals to traders and add no figures.", 200, 0.2),
}


@dataclass(frozen=True, slots=True)
class Price:
    """Holds a model's price in US dollars per million tokens and
    per thousand requests, as ``source`` had it on ``as_of``."""

    input: float
    output: float
    as_of: str
    source: str
    thousand_requests: float = 0.0


# Market data and technical figures come by subscription, so that one more request costs nothing.
PRICES: Mapping[str, Price] = {
    "explanation": Price(3.0, 15.0, "2025-01-15", "the study's own assumption"),
    "grok-2-1212": Price(2.0, 10.0, "2024-12-17", "docs.x.ai/docs/models"),
    # The page calls these the prices in force until 2025-04-18; later ones depend on the context searched ($5 to $12).
    "sonar": Price(1.0, 1.0, "2025-04-18", "docs.perplexity.ai/guides/models/sonar", thousand_requests=5.0),
}


@cache
def find_latencies() -> Mapping[str, Latency]:
    """Return every provider's latency: LATENCIES, unless a reader has given their own."""
    own = {
        provider: Latency(figures["median_ms"] / 1e3, figures["p99_ms"] / 1e3)
        for provider, figures in own_figures().items()
        if "median_ms" in figures
    }
    return {**LATENCIES, **own}


@cache
def find_prices() -> Mapping[str, Price]:
    """Return every model's price: PRICES, unless a reader has given their own."""
    found = dict(PRICES)
    for provider, model in MODELS.items():
        figures, usual = own_figures().get(provider, {}), PRICES[model.name]
        if any(name in figures for name in PRICE):
            found[model.name] = replace(
                usual,
                input=figures.get("input_price", usual.input),
                output=figures.get("output_price", usual.output),
                source="the reader's own",
            )
    return found


def forget_figures() -> None:
    """Have latencies and prices read again, after others have come into force."""
    find_latencies.cache_clear()
    find_prices.cache_clear()


def dollars(model: str, usage: Usage) -> float:
    """Return what one request to a model costs, in US dollars."""
    price = find_prices()[model]
    tokens_cost = usage.prompt_tokens * price.input + usage.completion_tokens * price.output
    return tokens_cost / 1e6 + price.thousand_requests / 1e3


def uniform(*key: object) -> float:
    """Return a number in (0, 1) that depends on the key alone."""
    return (xxhash.xxh3_64_intdigest("|".join(map(str, key)).encode()) + 0.5) / 2**64


def latency_s(seed: int, cycle: int, request: Request) -> float:
    """Return how long this request takes, in seconds."""
    draw = uniform(seed, "latency", request.provider, request.symbol, request.what, cycle, request.attempt)
    return find_latencies()[request.provider].quantile(draw)


def answers(
    seed: int, cycle: int, symbol: str, bars: Bars, opinion_minutes: float = 0.0
) -> dict[tuple[str, str, str], Any]:
    """Return what all providers but the explanation model answer in a cycle, by provider, symbol and what was asked.

    ``opinion_minutes`` is the time constant of the models' opinions; they are drawn anew every cycle where it is 0.
    """
    sent = trend(bars)
    found: dict[tuple[str, str, str], Any] = {(provider, symbol, "bars"): bars for provider in ("massive", "alpaca")}
    found |= {("alpha_vantage", symbol, what): value for what, value in technical(bars).items()}
    for model in ("x_sentiment", "sonar"):
        drawn = find_last_draw(seed, cycle, model, symbol, opinion_minutes)
        found[model, symbol, "opinion"] = opinion(seed, drawn, model, symbol, sent)
    return found


def technical(bars: Bars) -> Mapping[str, float]:
    """Compute the technical provider's own figures: RSI 14 by simple averages (Cutler), SMA 20 and the last price."""
    close = bars.values[3, -20:].tolist()
    changes = [after - before for before, after in pairwise(close[-15:])]
    gain, loss = math.fsum(each for each in changes if each > 0), -math.fsum(each for each in changes if each < 0)
    rsi = 100 * gain / (gain + loss) if gain + loss else 0.0
    return {"rsi": rsi, "sma": math.fsum(close) / len(close), "quote": close[-1]}


def trend(bars: Bars) -> Direction:
    """Return the direction of the trend rule, which the simulated models lean on."""
    close = bars.values[3, -50:].tolist()
    last, s20, s50 = close[-1], math.fsum(close[-20:]) / len(close[-20:]), math.fsum(close) / len(close)
    if last > s20 > s50:
        return "LONG"
    return "SHORT" if last < s20 < s50 else "NEUTRAL"


def find_last_draw(seed: int, cycle: int, provider: str, symbol: str, minutes: float) -> int:
    """Return the last cycle, up to this one, in which a model's opinion of a symbol was drawn anew.

    Each cycle draws anew with probability 1 - exp(-cycle / time constant), so that the autocorrelation of what is drawn
    is exponential. Whether a cycle does depends on nothing but its number, whoever asks, and in which order.
    """
    if minutes <= 0:
        return cycle
    span = cycle // REDRAWN_TOGETHER
    while span >= 0:
        redraws = find_redraws(seed, span, provider, symbol, minutes)
        if last := bisect_right(redraws, cycle):
            return redraws[last - 1]
        span -= 1
    return 0


@lru_cache(maxsize=4096)
def find_redraws(seed: int, span: int, provider: str, symbol: str, minutes: float) -> tuple[int, ...]:
    """Return the cycles of a span of REDRAWN_TOGETHER in which an opinion is drawn anew."""
    probability = -math.expm1(-CYCLE_MINUTES / minutes)
    cycles = range(span * REDRAWN_TOGETHER, (span + 1) * REDRAWN_TOGETHER)
    return tuple(each for each in cycles if uniform(seed, "redraw", provider, symbol, each) < probability)


def opinion(seed: int, cycle: int, provider: str, symbol: str, trend_direction: Direction) -> str:
    """Return a model's one-line reply as drawn in a cycle: it follows the trend (LONG when there is none) with
    probability 0.8."""
    leaning = "SHORT" if trend_direction == "SHORT" else "LONG"
    other = "LONG" if leaning == "SHORT" else "SHORT"
    direction = leaning if uniform(seed, "opinion", provider, symbol, cycle) < FOLLOWS else other
    return f"direction={direction} confidence={MODEL_CONFIDENCE}"


OPENINGS = (
    "The sources agree on",
    "The weighted vote favours",
    "Trend and sentiment support",
    "The evidence points to",
)


def explanation(seed: int, cycle: int, symbol: str, prompt: str) -> str:
    """Return the explanation model's reply, which repeats the figures that the prompt gives.

    Raises KeyError for a figure that the prompt lacks.
    """
    fields = dict(line.split(": ", 1) for line in prompt.splitlines() if ": " in line)
    opening = OPENINGS[int(uniform(seed, "explanation", symbol, cycle) * len(OPENINGS))]
    return (
        f"{opening} a {fields['direction']} position in {fields['symbol']} at {fields['entry']} with a confidence of "
        f"{fields['confidence']} in a {fields['regime']} market. The stop at {fields['stop']} limits the loss; the "
        f"target is {fields['target']}."
    )


def chat_request(request: Request) -> ChatRequest:
    """Return a request to a model in the form in which it travels."""
    messages = (Message("system", request.system), Message("user", request.prompt))
    return ChatRequest(request.model, messages, request.max_tokens, request.temperature)


def completion(seed: int, cycle: int, request: Request, answer: str) -> Completion:
    """Return a model's answer in the form in which it comes back. Simulated answers stay below ``max_tokens``."""
    sent = chat_request(request)
    key = f"{seed}|completion|{cycle}|{request.provider}|{request.symbol}|{request.attempt}"
    prompted, completed = sum(tokens(message.content) for message in sent.messages), tokens(answer)
    return Completion(
        f"chatcmpl-{xxhash.xxh3_64_hexdigest(key.encode())}",
        sent.model,
        (Choice(Message("assistant", answer), "stop"),),
        Usage(prompted, completed, prompted + completed),
    )


def tokens(text: str) -> int:
    """Estimate the number of tokens of a text, at the customary four characters each."""
    return math.ceil(len(text) / 4)
