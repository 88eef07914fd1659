"""The same rules are applied here a batch at a time: those that never wait, then one look-up, then all quotes.

``validate_at_hand`` waits only for quotes that are not at hand. ``QuotesAhead`` asks for them earlier still, while the
decisions are being explained.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from argo_bench.pipeline.baseline.validate import broken_plain_rule
from argo_bench.pipeline.model import Decision, ProviderError, Reasoning, Rejection, Request, Stage, Validated, World
from argo_bench.pipeline.optimized.fetch import only
from argo_bench.pipeline.record import Pipeline, find_at_hand, settle

Ask = Callable[[World, str], Awaitable[Any]]
"""Asks for the quote of a symbol."""

STORED = "SELECT signal_id FROM signals WHERE signal_id IN ({})"
IDS_PER_QUERY = 500
"""The number of ids in one query: SQLite before 3.32 took at most 999 parameters."""

QUOTES_IN_FLIGHT = 16
"""The number of quotes asked for at the same time: a batch of hundreds must not arrive at the provider as one burst."""


async def validate(world: World, decisions: Sequence[Decision]) -> Validated:
    """Return what was kept and what was rejected, in the order and for the rules of ``baseline/validate.py``.

    A rule that raises rejects the decision that it raised for. All ages are taken when the batch arrives, while the
    baseline's rules see the later decisions of a batch older by the time that they waited for.
    """
    return await validate_by(ask_quote, world, decisions)


async def validate_by(ask: Ask, world: World, decisions: Sequence[Decision]) -> Validated:
    broken = [plain_rule(world, decision) for decision in decisions]
    settle_rest(broken, find_duplicates(world, unbroken(decisions, broken)))
    settle_rest(broken, await find_unquoted(world, unbroken(decisions, broken), ask))
    return part_by_rule(decisions, broken)


async def validate_at_hand(world: World, decisions: Sequence[Decision]) -> Validated:
    """Return what ``validate`` returns, but make no task for a quote that the transport has at hand."""
    broken = [plain_rule(world, decision) for decision in decisions]
    settle_rest(broken, find_duplicates(world, unbroken(decisions, broken)))
    left = unbroken(decisions, broken)
    find = find_at_hand(world.transport)
    waiting = [each for each in left if find is None or find(world, [describe_quote(each.symbol)], only) is None]
    rules = await find_unquoted(world, waiting, ask_quote)
    broken_by = {each.symbol: rule for each, rule in zip(waiting, rules, strict=True)}
    settle_rest(broken, [broken_by.get(each.symbol) for each in left])
    return part_by_rule(decisions, broken)


@lru_cache(maxsize=16_384)
def describe_quote(symbol: str) -> Request:
    return Request("alpha_vantage", symbol, "quote")


def ask_quote(world: World, symbol: str) -> Awaitable[Any]:
    return world.opinion("alpha_vantage", symbol, "quote")


class QuotesAhead:
    """Asks for a decision's quote while the decision is being explained: ``reason`` sends the request, and ``validate``
    waits for what is still under way.

    Nothing is asked for a draft that breaks a rule already. A decision that breaks one later, as stale or as a
    duplicate, has cost a request that ``validate`` alone would have saved.
    """

    def __init__(self, reason: Stage) -> None:
        self.__wrapped__ = reason
        self._under_way: dict[tuple[int, str], asyncio.Future[Any]] = {}

    async def reason(self, world: World, decision: Decision) -> Reasoning:
        if plain_rule(world, replace(decision, reasoning="to come")) is None:
            key = world.cycle, decision.symbol
            if key not in self._under_way:
                asked = self._under_way[key] = asyncio.ensure_future(_wait_for(ask_quote(world, decision.symbol)))
                asked.add_done_callback(_take_note)
        reasoning: Reasoning = await settle(self.__wrapped__(world, decision))
        return reasoning

    async def validate(self, world: World, decisions: Sequence[Decision]) -> Validated:
        under_way, self._under_way = self._under_way, {}

        def ask(world: World, symbol: str) -> Awaitable[Any]:
            return under_way.get((world.cycle, symbol)) or ask_quote(world, symbol)

        return await validate_by(ask, world, decisions)


async def _wait_for(quote: Awaitable[Any]) -> Any:
    return await quote


def _take_note(asked: asyncio.Future[Any]) -> None:
    """Take note of a failure, so that the loop does not log it where nobody validates the decision any more."""
    if not asked.cancelled():
        asked.exception()


def ask_ahead(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline that asks for quotes while reasons are awaited."""
    ahead = QuotesAhead(pipeline.reason)
    return pipeline.replace(reason=ahead.reason, validate=ahead.validate)


def unbroken(decisions: Sequence[Decision], broken: Sequence[str | None]) -> list[Decision]:
    return [decision for decision, rule in zip(decisions, broken, strict=True) if rule is None]


def settle_rest(broken: list[str | None], rules: Sequence[str | None]) -> None:
    """Write the rules of the decisions that had broken none so far into their places."""
    rest = iter(rules)
    broken[:] = [next(rest) if rule is None else rule for rule in broken]


def part_by_rule(decisions: Sequence[Decision], broken: Sequence[str | None]) -> Validated:
    """Part the decisions by the rule that each breaks; None marks those to keep."""
    pairs = list(zip(decisions, broken, strict=True))
    return Validated(
        kept=tuple(decision for decision, rule in pairs if rule is None),
        rejected=tuple(Rejection(decision, rule) for decision, rule in pairs if rule is not None),
    )


def plain_rule(world: World, decision: Decision) -> str | None:
    try:
        return broken_plain_rule(world, decision)
    except Exception as error:  # noqa: BLE001 - whatever a rule raises, the others' signals are not its business
        return describe_error("plain rule", error)


def find_duplicates(world: World, decisions: Sequence[Decision]) -> list[str | None]:
    """Return for each decision, by one query, "duplicate" where it is stored already, and None elsewhere."""
    try:
        stored = find_stored_ids(world, [decision.signal_id for decision in decisions])
    except Exception as error:  # noqa: BLE001 - as above
        if len(decisions) == 1:
            return [describe_error("duplicate", error)]
        # One id that cannot be looked up fails the query for all, so each is looked up alone.
        return [rule for decision in decisions for rule in find_duplicates(world, [decision])]
    return ["duplicate" if decision.signal_id in stored else None for decision in decisions]


def find_stored_ids(world: World, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), IDS_PER_QUERY):
        some = ids[start : start + IDS_PER_QUERY]
        found.update(row[0] for row in world.query(STORED.format(", ".join("?" * len(some))), some))
    return found


async def find_unquoted(world: World, decisions: Sequence[Decision], ask: Ask) -> list[str | None]:
    """Return for each decision the rule that it breaks where its symbol has no reference price.

    Each symbol is asked for once.
    """
    free = asyncio.Semaphore(QUOTES_IN_FLIGHT)

    async def broken_rule(symbol: str) -> str | None:
        try:
            async with free:
                await ask(world, symbol)
        except ProviderError:
            return "no reference price"
        except Exception as error:  # noqa: BLE001 - as above
            return describe_error("no reference price", error)
        return None

    symbols = tuple(dict.fromkeys(decision.symbol for decision in decisions))
    rules = dict(zip(symbols, await asyncio.gather(*map(broken_rule, symbols)), strict=True))
    return [rules[decision.symbol] for decision in decisions]


def describe_error(rule: str, error: Exception) -> str:
    return f"{rule}: raised {type(error).__name__}"
