"""The loopback world's requests and answers are written as JSON and read back here, exact to a float's last bit.

Bars travel as Polygon's aggregates (https://polygon.io/docs), figures as one number each, questions to language models
and their replies as OpenAI-compatible chat completions.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np

from argo_bench.errors import UserError
from argo_bench.pipeline.model import Bars, Choice, Completion, Message, Provider, Request, Usage
from argo_bench.pipeline.world import content

MARKET_DATA = ("massive", "alpaca")


class Aggregate(msgspec.Struct, gc=False):
    """Holds a bar: when it starts, in milliseconds since the epoch, its prices and its volume."""

    t: int
    o: float
    h: float
    l: float  # noqa: E741 - the interface's own name
    c: float
    v: float


class Aggregates(msgspec.Struct):
    ticker: str
    results: list[Aggregate]


class Figure(msgspec.Struct):
    symbol: str
    what: str
    value: float


class WireMessage(msgspec.Struct):
    role: Literal["system", "user", "assistant"]
    content: str


class WireChat(msgspec.Struct):
    model: str
    messages: list[WireMessage]
    max_tokens: int
    temperature: float


class WireChoice(msgspec.Struct):
    message: WireMessage
    finish_reason: Literal["stop", "length"]


class WireUsage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class WireCompletion(msgspec.Struct):
    id: str
    model: str
    choices: list[WireChoice]
    usage: WireUsage


# The client's side


def chat_body(request: Request) -> bytes:
    """Encode a question to a language model."""
    chat = content.chat_request(request)
    messages = [WireMessage(*message) for message in chat.messages]
    return msgspec.json.encode(WireChat(chat.model, messages, chat.max_tokens, chat.temperature))


def parse_answer(request: Request, body: bytes) -> Any:
    """Decode what a body says: Bars, a figure or a Completion.

    Raises msgspec.DecodeError where it is something else.
    """
    if request.prompt:
        return parse_completion(body)
    if request.provider in MARKET_DATA:
        return parse_bars(request.symbol, body)
    return msgspec.json.decode(body, type=Figure).value


def parse_bars(symbol: str, body: bytes) -> Bars:
    found = msgspec.json.decode(body, type=Aggregates).results
    timestamps = np.array([each.t for each in found], "datetime64[ms]").astype("datetime64[us]")
    columns = [[each.o for each in found], [each.h for each in found], [each.l for each in found]]
    columns += [[each.c for each in found], [each.v for each in found]]
    return Bars(symbol, timestamps, np.array(columns, np.float64))


def parse_completion(body: bytes) -> Completion:
    found = msgspec.json.decode(body, type=WireCompletion)
    choices = tuple(
        Choice(Message(each.message.role, each.message.content), each.finish_reason) for each in found.choices
    )
    usage = Usage(found.usage.prompt_tokens, found.usage.completion_tokens, found.usage.total_tokens)
    return Completion(found.id, found.model, choices, usage)


# The server's side


def parse_request(provider: Provider, symbol: str, what: str, attempt: int, body: bytes) -> Request:
    """Decode the request that a question to a language model
    was made from; without a body, one for a figure or bars."""
    if not body:
        return Request(provider, symbol, what, attempt=attempt)
    chat = msgspec.json.decode(body, type=WireChat)
    said = {message.role: message.content for message in chat.messages}
    return Request(
        *(provider, symbol, what, said.get("user", ""), attempt, said.get("system", "")),
        *(chat.model, chat.max_tokens, chat.temperature),
    )


def bars_body(found: Bars) -> bytes:
    """Encode bars.

    Raises UserError for bars that start within a millisecond, since they would not come back as they are.
    """
    milliseconds = found.timestamps.astype("datetime64[ms]")
    if (milliseconds != found.timestamps).any():
        raise UserError(f"{found.symbol}: expected bars that start at whole milliseconds; round their times.")
    rows = zip(milliseconds.astype(np.int64).tolist(), *found.values.tolist(), strict=True)
    return msgspec.json.encode(Aggregates(found.symbol, [Aggregate(*row) for row in rows]))


def figure_body(symbol: str, what: str, value: float) -> bytes:
    return msgspec.json.encode(Figure(symbol, what, value))


def completion_body(found: Completion) -> bytes:
    choices = [WireChoice(WireMessage(*each.message), each.finish_reason) for each in found.choices]
    return msgspec.json.encode(WireCompletion(found.id, found.model, choices, WireUsage(*found.usage)))
